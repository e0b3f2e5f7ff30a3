/* base/cell.c - see cell.h. */
#include "base/cell.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static uint64_t load(const uint8_t *at, size_t size)
{
    uint64_t value = 0;
    assert(size <= sizeof value);
    memcpy(&value, at, size); /* little-endian, as the hosts this runs on */
    return value;
}

struct vt_value vt_cell_value(const struct vt_column *c, const void *record)
{
    const uint8_t *at = (const uint8_t *)record + c->offset;
    struct vt_value v = {.type = VT_VALUE_NONE};
    if (c->kind == VT_CELL_CHARS) {
        if (!c->zero_is_none || at[0] != '\0') {
            v = (struct vt_value){.type = VT_VALUE_TEXT, .text = (const char *)at};
        }
        return v;
    }
    if (c->kind == VT_CELL_F64) {
        memcpy(&v.f64, at, sizeof v.f64);
        v.type = isnan(v.f64) ? VT_VALUE_NONE : VT_VALUE_F64;
        return v;
    }
    uint64_t bits = load(at, c->size);
    uint64_t ones = c->size >= 8 ? UINT64_MAX : (UINT64_C(1) << 8 * c->size) - 1;
    if ((bits == 0 && c->zero_is_none) || (bits == ones && c->ones_are_none)) {
        return v;
    }
    switch (c->kind) {
    case VT_CELL_TEXT:
        v.text = (const char *)(uintptr_t)bits;
        v.type = v.text != NULL ? VT_VALUE_TEXT : VT_VALUE_NONE;
        break;
    case VT_CELL_I64:
        v.type = VT_VALUE_I64;
        v.i64 = c->size == 4 ? (int32_t)bits : (int64_t)bits;
        break;
    case VT_CELL_BOOL:
        v.type = VT_VALUE_BOOL;
        v.boolean = bits != 0;
        break;
    default:
        v.type = VT_VALUE_U64;
        v.u64 = bits;
    }
    return v;
}

void vt_json_value(struct vt_json_writer *w, const struct vt_column *c, const struct vt_value *v)
{
    switch (v->type) {
    case VT_VALUE_NONE:
        vt_json_null(w);
        break;
    case VT_VALUE_TEXT:
        vt_json_string(w, v->text);
        break;
    case VT_VALUE_I64:
        vt_json_i64(w, v->i64);
        break;
    case VT_VALUE_F64:
        vt_json_f64(w, v->f64, 6);
        break;
    case VT_VALUE_BOOL:
        vt_json_bool(w, v->boolean);
        break;
    case VT_VALUE_U64:
        if (c->kind == VT_CELL_HEX) {
            vt_json_hex(w, v->u64);
        } else if (c->kind == VT_CELL_SECONDS) {
            vt_json_f64(w, (double)v->u64 / 1e9, 15);
        } else {
            vt_json_u64(w, v->u64);
        }
        break;
    }
}

void vt_json_record(struct vt_json_writer *w, const struct vt_column *columns, unsigned n,
                    const void *record)
{
    for (unsigned i = 0; i < n; i++) {
        struct vt_value value = vt_cell_value(&columns[i], record);
        vt_json_key(w, columns[i].key);
        vt_json_value(w, &columns[i], &value);
    }
}
