/* server/schema.c - JSON Schemas of what operations take and give.
 *
 * A noun's result is described by its columns; other results by the text beside the operation.
 */
#include "base/cell.h"
#include "guest/linux/rows.h"
#include "server/ops_parts.h"

#include <string.h>

#define ADDRESS_PATTERN "^0x[0-9a-f]+$"

static void set_text(json_t *schema, const char *key, const char *text)
{
    if (text != NULL) {
        json_object_set_new(schema, key, json_string(text));
    }
}

static void set_range(json_t *schema, const char *least, const char *most, uint64_t min,
                      uint64_t max)
{
    if (min != 0) {
        json_object_set_new(schema, least, json_integer((json_int_t)min));
    }
    if (max != 0) {
        json_object_set_new(schema, most, json_integer((json_int_t)max));
    }
}

static json_t *text_schema(const struct vt_param *p)
{
    json_t *schema = json_pack("{s:s}", "type", "string");
    set_range(schema, "minLength", "maxLength", p->min, p->max);
    if (p->choices != NULL) {
        json_t *choices = json_array();
        for (const char *const *c = p->choices; *c != NULL; c++) {
            json_array_append_new(choices, json_string(*c));
        }
        json_object_set_new(schema, "enum", choices);
    }
    return schema;
}

static json_t *runs_schema(void)
{
    return json_pack("{s:s, s:i, s:i, s:{s:s, s:[s,s], s:b, s:{s:{s:s, s:s}, s:{s:s, s:i}}}}",
                     "type", "array", "minItems", 1, "maxItems", 65536, "items", "type", "object",
                     "required", "gpa", "bytes", "additionalProperties", false, "properties", "gpa",
                     "type", "string", "pattern", ADDRESS_PATTERN, "bytes", "type", "integer",
                     "minimum", 1);
}

json_t *vt_param_schema(const struct vt_param *p)
{
    json_t *schema = NULL;
    switch (p->kind) {
    case VT_PARAM_TEXT:
        schema = text_schema(p);
        break;
    case VT_PARAM_UINT:
    case VT_PARAM_NUMBER:
        schema = json_pack("{s:s, s:I}", "type", p->kind == VT_PARAM_UINT ? "integer" : "number",
                           "minimum", (json_int_t)p->min);
        set_range(schema, "", "maximum", 0, p->max);
        break;
    case VT_PARAM_BOOL:
        schema = json_pack("{s:s}", "type", "boolean");
        break;
    case VT_PARAM_ADDRESS:
        schema = json_pack("{s:s, s:i, s:i}", "type", "string", "minLength", 1, "maxLength", 640);
        break;
    case VT_PARAM_RUNS:
        schema = runs_schema();
        break;
    }
    set_text(schema, "description", p->doc);
    if (p->example != NULL) {
        json_t *example = NULL;
        if (vt_param_from_text(p, p->example, &example, NULL) == 0) {
            json_object_set_new(schema, "examples", json_pack("[o]", example));
        }
    }
    return schema;
}

json_t *vt_op_params_schema(const struct vt_op *op)
{
    json_t *properties = json_object(), *required = json_array();
    const struct vt_param *p;
    for (unsigned i = 0; (p = vt_op_param(op, i)) != NULL; i++) {
        json_object_set_new(properties, p->name, vt_param_schema(p));
        if (p->required) {
            json_array_append_new(required, json_string(p->name));
        }
    }
    json_t *schema = json_pack("{s:s, s:o, s:b}", "type", "object", "properties", properties,
                               "additionalProperties", false);
    if (json_array_size(required) > 0) {
        json_object_set(schema, "required", required);
    }
    json_decref(required);
    return schema;
}

/* ---------------------------------------------------------------- results */

static const char *type_of(enum vt_cell_kind kind)
{
    switch (kind) {
    case VT_CELL_TEXT:
    case VT_CELL_CHARS:
    case VT_CELL_HEX:
        return "string";
    case VT_CELL_F64:
    case VT_CELL_SECONDS:
        return "number";
    case VT_CELL_BOOL:
        return "boolean";
    default:
        return "integer";
    }
}

static bool may_be_none(const struct vt_column *c)
{
    return c->zero_is_none || c->ones_are_none || c->kind == VT_CELL_TEXT || c->kind == VT_CELL_F64;
}

static json_t *column_schema(const struct vt_column *c)
{
    const char *type = type_of(c->kind);
    json_t *schema = may_be_none(c) ? json_pack("{s:[s,s]}", "type", type, "null")
                                    : json_pack("{s:s}", "type", type);
    if (c->kind == VT_CELL_HEX) {
        set_text(schema, "pattern", ADDRESS_PATTERN);
    }
    set_text(schema, "description", c->doc);
    return schema;
}

json_t *vt_record_schema(const struct vt_column *columns, unsigned n)
{
    json_t *properties = json_object(), *required = json_array();
    for (unsigned i = 0; i < n; i++) {
        json_object_set_new(properties, columns[i].key, column_schema(&columns[i]));
        json_array_append_new(required, json_string(columns[i].key));
    }
    return json_pack("{s:s, s:o, s:o, s:b}", "type", "object", "properties", properties, "required",
                     required, "additionalProperties", false);
}

static json_t *noun_schema(const struct vt_noun *noun)
{
    struct vt_column columns[VT_NOUN_COLUMNS_MAX];
    unsigned trust, n = vt_noun_columns(noun, columns, &trust);
    const char *member = vt_noun_member(noun);
    json_t *row = vt_record_schema(columns, n);
    json_t *verdict = json_pack("{s:s, s:[s,s]}", "type", "string", "enum", "ok", "torn");
    set_text(verdict, "description", columns[trust].doc);
    json_object_set_new(json_object_get(row, "properties"), "trust", verdict);
    json_t *properties =
        json_pack("{s:{s:s, s:o}, s:{s:s, s:s}, s:{s:[s,s], s:s}, s:{s:s, s:s}}", member, "type",
                  "array", "items", row, "torn", "type", "boolean", "description",
                  "the walk met broken links or a limit: rows may be missing", "why", "type",
                  "string", "null", "description", "where and how, when torn", "truncated", "type",
                  "boolean", "description", "there were more rows than the limit");
    json_t *required = json_pack("[s,s,s]", member, "torn", "why");
    if (noun->checks) {
        json_object_set_new(
            properties, "checked",
            json_pack("{s:s, s:s}", "type", "integer", "description", "what was looked at"));
        json_object_set_new(
            properties, "findings",
            json_pack("{s:s, s:s}", "type", "integer", "description", "rows with something wrong"));
        json_array_append_new(required, json_string("checked"));
        json_array_append_new(required, json_string("findings"));
    }
    return json_pack("{s:s, s:o, s:o, s:b}", "type", "object", "properties", properties, "required",
                     required, "additionalProperties", false);
}

json_t *vt_op_result_schema(const struct vt_op *op)
{
    if (op->result != NULL) {
        return json_loads(op->result, JSON_REJECT_DUPLICATES, NULL);
    }
    if (op->make_result != NULL) {
        return op->make_result(op);
    }
    return op->noun != NULL ? noun_schema(op->noun) : NULL;
}
