/* semantic/sql_value.c - see sql_value.h. */
#include "semantic/sql_value.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* As few digits as tell the number from all others: 15 where they do, else 17. */
static int digits_of(double value)
{
    char text[32];
    snprintf(text, sizeof text, "%.15g", value);
    return strtod(text, NULL) == value ? 15 : 17;
}

static char *hex_of(const struct vt_sql_value *v)
{
    static const char digits[] = "0123456789abcdef";
    char *text = malloc(2 * v->bytes + 1);
    if (text != NULL) {
        for (size_t i = 0; i < v->bytes; i++) {
            text[2 * i] = digits[(unsigned char)v->text[i] >> 4];
            text[2 * i + 1] = digits[(unsigned char)v->text[i] & 15];
        }
        text[2 * v->bytes] = '\0';
    }
    return text;
}

void vt_json_sql_value(struct vt_json_writer *w, const struct vt_sql_value *v)
{
    switch (v->type) {
    case VT_SQL_NULL:
        vt_json_null(w);
        break;
    case VT_SQL_INTEGER:
        vt_json_i64(w, v->integer);
        break;
    case VT_SQL_ADDRESS:
        vt_json_hex(w, (uint64_t)v->integer);
        break;
    case VT_SQL_REAL:
        vt_json_f64(w, v->real, digits_of(v->real));
        break;
    case VT_SQL_TEXT:
        vt_json_string_n(w, v->text, v->bytes);
        break;
    case VT_SQL_BLOB: {
        char *hex = hex_of(v);
        vt_json_string(w, hex);
        free(hex);
        break;
    }
    }
}

char *vt_sql_value_text(const struct vt_sql_value *v)
{
    char *text = NULL;
    size_t room;
    switch (v->type) {
    case VT_SQL_NULL:
        break;
    case VT_SQL_INTEGER:
        return asprintf(&text, "%" PRId64, v->integer) < 0 ? NULL : text;
    case VT_SQL_ADDRESS:
        return asprintf(&text, "0x%" PRIx64, (uint64_t)v->integer) < 0 ? NULL : text;
    case VT_SQL_REAL:
        return asprintf(&text, "%.*g", digits_of(v->real), v->real) < 0 ? NULL : text;
    case VT_SQL_TEXT:
        room = 4 * v->bytes + 1; /* each byte may become \xNN */
        text = malloc(room);
        if (text != NULL) {
            vt_text_printable(text, room, v->text, v->bytes);
        }
        break;
    case VT_SQL_BLOB:
        text = hex_of(v);
        break;
    }
    return text;
}

static bool is_taken(char *const *members, unsigned n, const char *name)
{
    for (unsigned i = 0; i < n; i++) {
        if (strcmp(members[i], name) == 0) {
            return true;
        }
    }
    return false;
}

char **vt_sql_members(const char *const *names, unsigned n)
{
    enum { NUMBER = 12 }; /* "_1000" and its end */
    size_t room = n * sizeof(char *) + 1;
    for (unsigned i = 0; i < n; i++) {
        room += strlen(names[i]) + NUMBER;
    }
    char **members = malloc(room);
    if (members == NULL) {
        return NULL;
    }
    char *at = (char *)(members + n);
    for (unsigned i = 0; i < n; i++) {
        size_t length = strlen(names[i]);
        members[i] = at;
        memcpy(at, names[i], length + 1);
        for (unsigned k = 2; is_taken(members, i, at); k++) {
            snprintf(at + length, NUMBER, "_%u", k);
        }
        at += strlen(at) + 1;
    }
    return members;
}
