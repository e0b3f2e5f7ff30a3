/* guest/linux/rows.c - see rows.h. */
#include "guest/linux/rows.h"

#include "base/cell.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Ends a walk that has all the rows that are wanted; vt_noun_walk returns it. */
#define ENOUGH 1

unsigned vt_noun_columns(const struct vt_noun *noun, struct vt_column columns[VT_NOUN_COLUMNS_MAX],
                         unsigned *trust)
{
    static const struct vt_column common[] = {
        {.key = "trust",
         .title = "TRUST",
         .kind = VT_CELL_TEXT,
         .doc = "whether the row was equal at two looks and makes sense: ok or torn"},
        {VT_COLUMN(vt_row, at, VT_CELL_HEX, "at", NULL, "the kernel's object")},
        {VT_COLUMN(vt_row, why, VT_CELL_CHARS, "why", NULL, "what made it torn"),
         .zero_is_none = true},
    };
    enum { COMMON = sizeof common / sizeof common[0] };
    static const struct vt_column finding = {
        VT_COLUMN(vt_row, finding, VT_CELL_CHARS, "finding", "FINDING",
                  "what is wrong with it, and why that matters"),
        .zero_is_none = true,
    };
    unsigned before = noun->checks ? noun->n_columns : noun->n_columns - 1;
    assert(noun->n_columns > 0 && before + COMMON < VT_NOUN_COLUMNS_MAX);
    memcpy(columns, noun->columns, before * sizeof *columns);
    memcpy(columns + before, common, sizeof common);
    columns[before + COMMON] = noun->checks ? finding : noun->columns[before];
    *trust = before;
    return before + COMMON + 1;
}

const char *vt_noun_member(const struct vt_noun *noun)
{
    return noun->member != NULL ? noun->member : noun->name;
}

struct writing {
    struct vt_json_writer *w;
    const struct vt_noun *noun;
    const struct vt_noun_json *how;
    struct vt_column columns[VT_NOUN_COLUMNS_MAX];
    unsigned n_columns, trust;
    uint64_t rows, findings;
    struct vt_error *err;
};

static void begin(struct writing *x)
{
    x->n_columns = vt_noun_columns(x->noun, x->columns, &x->trust);
    vt_json_object(x->w);
    vt_json_key(x->w, vt_noun_member(x->noun));
    vt_json_array(x->w);
}

static int write_row(const struct vt_row *row, void *arg)
{
    struct writing *x = arg;
    if (x->n_columns == 0) {
        begin(x);
    }
    if (x->how->limit != 0 && x->rows == x->how->limit) {
        return ENOUGH;
    }
    x->rows++;
    x->findings += row->finding[0] != '\0';
    vt_json_object(x->w);
    vt_json_record(x->w, x->columns, x->trust, row);
    vt_json_kv_string(x->w, x->columns[x->trust].key, vt_trust_name(row->trust));
    vt_json_record(x->w, x->columns + x->trust + 1, x->n_columns - x->trust - 1, row);
    vt_json_object_end(x->w);
    return x->how->check != NULL ? x->how->check(x->how->arg, x->err) : 0;
}

int vt_noun_write_json(struct vt_json_writer *w, struct vt_kernel *kernel,
                       const struct vt_noun *noun, const struct vt_noun_query *query,
                       const struct vt_noun_json *how, struct vt_noun_result *result,
                       struct vt_error *err)
{
    struct writing x = {.w = w, .noun = noun, .how = how, .err = err};
    struct vt_noun_result r = {0};
    struct vt_error failure = {0};
    int rc = vt_noun_walk(kernel, noun, query, write_row, &x, &r, &failure);
    bool more = rc == ENOUGH;
    if (more) { /* a walk that was ended says nothing of itself */
        rc = 0;
        r = (struct vt_noun_result){.rows = x.rows, .findings = x.findings};
    }
    if (rc == 0 && x.n_columns == 0) {
        begin(&x);
    }
    if (rc != 0) {
        if (err != NULL && failure.code != VT_OK) { /* else what `check` said stands there */
            *err = failure;
        }
        r.torn = true;
        snprintf(r.why, sizeof r.why, "%.150s", err != NULL ? err->message : "");
    }
    *result = r;
    if (x.n_columns == 0) {
        return rc;
    }
    vt_json_array_end(w);
    if (noun->checks) {
        vt_json_kv_u64(w, "checked", r.checked != 0 ? r.checked : r.rows);
        vt_json_kv_u64(w, "findings", r.findings);
    }
    if (more) {
        vt_json_kv_bool(w, "truncated", true);
    }
    vt_json_kv_bool(w, "torn", r.torn);
    vt_json_kv_string(w, "why", r.torn ? r.why : NULL);
    vt_json_object_end(w);
    return rc;
}
