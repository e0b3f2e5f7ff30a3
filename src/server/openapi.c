/* server/openapi.c - see openapi.h. (OpenAPI Specification 3.1.0) */
#include "server/openapi.h"

#include "server/ops.h"
#include "vitrine/version.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *description;
} groups[] = {
    {"Machines", "Start, find and steer virtual machines."},
    {"Questions", "Questions in words and in SQL."},
    {"Database", "What the last sample saw, and what was before: tables with filters and pages."},
    {"Live", "What the guest's kernel keeps, walked in its memory at this moment."},
    {"Memory", "Memory by address: read, translate, search, look up, copy."},
    {"Instructions", "What the guest executes: counted, recorded, learned from."},
    {"Pictures", "Memory as a picture, and the named places it shows."},
};

static const char about[] =
    "Virtual machines of this host, looked into from outside: their memory is read and understood "
    "while they run, and no agent is needed in them.\n\n"
    "Addresses are texts of the form `0x…`, since numbers above 2^53 do not survive everywhere; "
    "times are seconds since 1970. Text that a guest made is what the guest says and nothing "
    "more.\n\n"
    "Requests that change something need the token, and so do all that do not come from this host. "
    "Failures are problem details (RFC 9457) with a member `code`, a word for programs.";

/* ---------------------------------------------------------------- parameters and bodies */

static bool in_path(const struct vt_op *op, const struct vt_param *p)
{
    char place[64];
    snprintf(place, sizeof place, "{%s}", p->name);
    return strstr(op->path, place) != NULL;
}

static bool has_body(const struct vt_op *op)
{
    return strcmp(op->method, "POST") == 0 || strcmp(op->method, "PUT") == 0;
}

/* Its description stands beside it. */
static json_t *parameter(const struct vt_op *op, const struct vt_param *p)
{
    json_t *schema = vt_param_schema(p);
    json_object_del(schema, "description");
    return json_pack("{s:s, s:s, s:b, s:s, s:o}", "name", p->name, "in",
                     in_path(op, p) ? "path" : "query", "required", p->required, "description",
                     p->doc, "schema", schema);
}

static json_t *parameters(const struct vt_op *op)
{
    json_t *list = json_array();
    const struct vt_param *p;
    for (unsigned i = 0; (p = vt_op_param(op, i)) != NULL; i++) {
        if (in_path(op, p) || !has_body(op)) {
            json_array_append_new(list, parameter(op, p));
        }
    }
    return list;
}

/* NULL: it takes none. */
static json_t *request_body(const struct vt_op *op)
{
    json_t *schema = vt_op_params_schema(op), *properties = json_object_get(schema, "properties");
    json_t *required = json_array();
    const struct vt_param *p;
    for (unsigned i = 0; (p = vt_op_param(op, i)) != NULL; i++) {
        if (in_path(op, p)) {
            json_object_del(properties, p->name);
        } else if (p->required) {
            json_array_append_new(required, json_string(p->name));
        }
    }
    bool needed = json_array_size(required) > 0;
    if (needed) {
        json_object_set(schema, "required", required);
    } else {
        json_object_del(schema, "required");
    }
    json_decref(required);
    if (!has_body(op) || json_object_size(properties) == 0) {
        json_decref(schema);
        return NULL;
    }
    return json_pack("{s:b, s:{s:{s:o}}}", "required", needed, "content", "application/json",
                     "schema", schema);
}

/* ---------------------------------------------------------------- responses */

static void refer(json_t *responses, const char *status, const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "#/components/responses/%s", name);
    json_object_set_new(responses, status, json_pack("{s:s}", "$ref", path));
}

static json_t *responses(const struct vt_op *op)
{
    json_t *content =
        op->flags & VT_OP_PNG
            ? json_pack("{s:{s:{s:s}}}", "image/png", "schema", "contentMediaType", "image/png")
            : json_pack("{s:{s:o}}", "application/json", "schema", vt_op_result_schema(op));
    json_t *all =
        json_pack("{s:{s:s, s:o}}", "200", "description",
                  op->flags & VT_OP_PNG ? "The picture" : "The result", "content", content);
    refer(all, "400", "Invalid");
    refer(all, "401", "Unauthorized");
    if (op->flags & VT_OP_CHANGES) {
        refer(all, "403", "Forbidden");
    }
    if (op->flags & VT_OP_VM) {
        refer(all, "404", "NotFound");
    }
    refer(all, "503", "Unavailable");
    refer(all, "default", "Failure");
    return all;
}

static json_t *response(const char *description)
{
    return json_pack("{s:s, s:{s:{s:{s:s}}}}", "description", description, "content",
                     "application/problem+json", "schema", "$ref", "#/components/schemas/Problem");
}

static json_t *components(void)
{
    json_t *problem = json_pack(
        "{s:s, s:s, s:[s,s,s,s], s:{s:{s:s}, s:{s:s}, s:{s:s}, s:{s:s}, s:{s:s, s:s}}}", "type",
        "object", "description", "A failure (RFC 9457)", "required", "type", "title", "status",
        "code", "properties", "type", "type", "string", "title", "type", "string", "status", "type",
        "integer", "detail", "type", "string", "code", "type", "string", "description",
        "a word for programs: not_found, invalid, busy, …");
    return json_pack(
        "{s:{s:o}, s:{s:o, s:o, s:o, s:o, s:o, s:o}, s:{s:{s:s, s:s, s:s}}}", "schemas", "Problem",
        problem, "responses", "Invalid", response("The request makes no sense"), "Unauthorized",
        response("The token is needed"), "Forbidden", response("The server does not do this"),
        "NotFound", response("No such virtual machine, process or symbol"), "Unavailable",
        response("Busy or ending: try again"), "Failure", response("Any other failure"),
        "securitySchemes", "token", "type", "http", "scheme", "bearer", "description",
        "the server's token, which only its owner can read");
}

/* ---------------------------------------------------------------- operations */

/* Texts in the code are broken into lines; here they flow. */
static json_t *flowing(const char *text)
{
    json_t *string = NULL;
    char *copy = strdup(text);
    for (char *c = copy; c != NULL && *c != '\0'; c++) {
        if (*c == '\n' && c[1] != '\n' && (c == copy || c[-1] != '\n')) {
            *c = ' ';
        }
    }
    if (copy != NULL) {
        string = json_string(copy);
    }
    free(copy);
    return string;
}

static json_t *operation(const struct vt_op *op)
{
    json_t *o = json_pack("{s:s, s:s, s:[s], s:o}", "operationId", op->name, "summary", op->summary,
                          "tags", op->group, "responses", responses(op));
    json_t *list = parameters(op), *body = request_body(op);
    if (op->description != NULL) {
        json_object_set_new(o, "description", flowing(op->description));
    }
    if (json_array_size(list) > 0) {
        json_object_set(o, "parameters", list);
    }
    json_decref(list);
    if (body != NULL) {
        json_object_set_new(o, "requestBody", body);
    }
    /* What does not change anything needs the token only from elsewhere. */
    json_object_set_new(o, "security",
                        op->flags & VT_OP_CHANGES ? json_pack("[{s:[]}]", "token")
                                                  : json_pack("[{}, {s:[]}]", "token"));
    return o;
}

static json_t *paths(void)
{
    json_t *all = json_object();
    for (const struct vt_op *const *op = vt_ops(); *op != NULL; op++) {
        char method[8];
        size_t n = 0;
        for (; (*op)->method[n] != '\0' && n + 1 < sizeof method; n++) {
            method[n] = (char)((*op)->method[n] | 0x20);
        }
        method[n] = '\0';
        json_t *path = json_object_get(all, (*op)->path);
        if (path == NULL) {
            path = json_object();
            json_object_set_new(all, (*op)->path, path);
        }
        json_object_set_new(path, method, operation(*op));
    }
    return all;
}

json_t *vt_openapi(void)
{
    json_t *tags = json_array();
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        json_array_append_new(tags, json_pack("{s:s, s:s}", "name", groups[i].name, "description",
                                              groups[i].description));
    }
    return json_pack("{s:s, s:{s:s, s:s, s:s, s:s, s:{s:s, s:s}}, s:[{s:s, s:s}], s:o, s:o, s:o}",
                     "openapi", "3.1.0", "info", "title", "vitrine", "version", VITRINE_VERSION,
                     "summary", "Virtual machines, seen from outside", "description", about,
                     "license", "name", "MIT", "identifier", "MIT", "servers", "url", "/api/v1",
                     "description", "this server", "tags", tags, "paths", paths(), "components",
                     components());
}

int vt_openapi_write(FILE *out, struct vt_error *err)
{
    json_t *document = vt_openapi();
    if (document == NULL) {
        return vt_fail(err, VT_E_NOMEM, "openapi: out of memory");
    }
    int rc = json_dumpf(document, out, JSON_INDENT(2)) == 0 && fputc('\n', out) != EOF
                 ? 0
                 : vt_fail_errno(err, VT_E_IO, errno, "openapi: writing");
    json_decref(document);
    return rc;
}
