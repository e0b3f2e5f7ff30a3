/* semantic/answer_json.c - see answer_json.h. */
#include "semantic/answer_json.h"

#include <jansson.h>

/* clang-format off */
const char vt_answer_schema[] =
"{\"type\":\"object\",\"properties\":{"
"\"understood\":{\"type\":\"boolean\",\"description\":\"false: text says what can be asked, or what the question could mean\"},"
"\"text\":{\"type\":\"string\",\"description\":\"the answer in words\"},"
"\"intent\":{\"type\":[\"string\",\"null\"]},"
"\"reading\":{\"type\":[\"string\",\"null\"],\"description\":\"the question as it was understood\"},"
"\"readings\":{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"description\":\"what an ambiguous question could mean\"},"
"\"sql\":{\"type\":[\"string\",\"null\"],\"description\":\"what produced the rows\"},"
"\"verb\":{\"type\":[\"string\",\"null\"],\"description\":\"a command that shows the same\"},"
"\"rows\":{\"type\":\"array\",\"items\":{\"type\":\"object\"},\"description\":\"addresses are strings, 0x…\"},"
"\"rows_cut\":{\"type\":\"boolean\"},"
"\"places\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{"
"\"label\":{\"type\":\"string\"},\"pid\":{\"type\":\"integer\",\"description\":\"0: the kernel's\"},"
"\"gva\":{\"type\":[\"string\",\"null\"],\"description\":\"guest-virtual\"},"
"\"gpa\":{\"type\":\"string\",\"description\":\"guest-physical\"},"
"\"bytes\":{\"type\":\"integer\"},"
"\"box\":{\"type\":\"array\",\"items\":{\"type\":\"array\",\"items\":{\"type\":\"integer\"},\"minItems\":3,\"maxItems\":3},"
"\"minItems\":2,\"maxItems\":2,\"description\":\"corners in the volume, in voxels\"}},"
"\"required\":[\"label\",\"pid\",\"gva\",\"gpa\",\"bytes\",\"box\"]}},"
"\"place_bytes\":{\"type\":\"integer\",\"description\":\"of all places\"},"
"\"places_cut\":{\"type\":\"boolean\"},"
"\"volume_order\":{\"type\":\"integer\",\"description\":\"the volume's side is 2^order voxels\"}},"
"\"required\":[\"understood\",\"text\",\"intent\",\"reading\",\"readings\",\"sql\",\"verb\",\"rows\",\"rows_cut\",\"places\","
"\"place_bytes\",\"places_cut\",\"volume_order\"]}";
/* clang-format on */

static void write_value(const json_t *value, struct vt_json_writer *w)
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        vt_json_string_n(w, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        vt_json_i64(w, json_integer_value(value));
        break;
    case JSON_REAL:
        vt_json_f64(w, json_real_value(value), 17);
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        vt_json_bool(w, json_is_true(value));
        break;
    default: /* rows are flat */
        vt_json_null(w);
        break;
    }
}

static void write_rows(const struct vt_answer *answer, size_t max, struct vt_json_writer *w)
{
    json_t *row, *value;
    const char *key;
    size_t i;
    vt_json_key(w, "rows");
    vt_json_array(w);
    json_array_foreach(answer->rows, i, row)
    {
        if (i == max) {
            break;
        }
        vt_json_object(w);
        json_object_foreach(row, key, value)
        {
            vt_json_key(w, key);
            write_value(value, w);
        }
        vt_json_object_end(w);
    }
    vt_json_array_end(w);
    vt_json_kv_bool(w, "rows_cut", answer->rows_cut || json_array_size(answer->rows) > max);
}

static void write_corner(const uint32_t corner[3], struct vt_json_writer *w)
{
    vt_json_array(w);
    for (unsigned i = 0; i < 3; i++) {
        vt_json_u64(w, corner[i]);
    }
    vt_json_array_end(w);
}

static void write_places(const struct vt_answer *answer, size_t max, struct vt_json_writer *w)
{
    vt_json_key(w, "places");
    vt_json_array(w);
    for (size_t i = 0; i < answer->n_places && i < max; i++) {
        const struct vt_place *p = &answer->places[i];
        vt_json_object(w);
        vt_json_kv_string(w, "label", p->label);
        vt_json_kv_i64(w, "pid", p->pid);
        vt_json_key(w, "gva");
        if (p->gva.v != 0) {
            vt_json_hex(w, p->gva.v);
        } else {
            vt_json_null(w);
        }
        vt_json_kv_hex(w, "gpa", p->gpa.v);
        vt_json_kv_u64(w, "bytes", p->bytes);
        vt_json_key(w, "box");
        vt_json_array(w);
        write_corner(p->box.min, w);
        write_corner(p->box.max, w);
        vt_json_array_end(w);
        vt_json_object_end(w);
    }
    vt_json_array_end(w);
    vt_json_kv_u64(w, "place_bytes", answer->place_bytes);
    vt_json_kv_bool(w, "places_cut", answer->places_cut || answer->n_places > max);
    vt_json_kv_u64(w, "volume_order", answer->volume_order);
}

void vt_answer_write(const struct vt_answer *answer, size_t max_rows, size_t max_places,
                     struct vt_json_writer *w)
{
    const struct vt_understood *u = &answer->readings;
    vt_json_object(w);
    vt_json_kv_bool(w, "understood", answer->understood);
    vt_json_kv_string(w, "text", answer->text);
    vt_json_kv_string(w, "intent",
                      answer->understood ? vt_intent_name(answer->question.intent) : NULL);
    vt_json_kv_string(w, "reading", answer->understood ? answer->question.reading : NULL);
    vt_json_key(w, "readings");
    vt_json_array(w);
    for (unsigned i = 0; !answer->understood && i < u->n; i++) {
        vt_json_string(w, u->readings[i].reading);
    }
    vt_json_array_end(w);
    vt_json_kv_string(w, "sql", answer->sql);
    vt_json_kv_string(w, "verb", answer->verb);
    write_rows(answer, max_rows, w);
    write_places(answer, max_places, w);
    vt_json_object_end(w);
}
