/* cli/bench_nouns.c - see bench_nouns.h. */
#include "cli/bench_nouns.h"

#include "base/io.h"
#include "cli/bench.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Enough for a median; a walk that takes long gets fewer. */
#define RUNS_MAX 101u
#define RUNS_MIN 5u
#define TIME_NS UINT64_C(500000000)

static int count_row(const struct vt_row *row, void *arg)
{
    (void)row;
    (void)arg;
    return vt_interrupted;
}

static double walk_ms(struct vt_target *t, struct vt_bench_noun *b, int *rc, struct vt_error *err)
{
    struct vt_noun_result result = {0};
    struct vt_noun_query query = {0};
    uint64_t begin = vt_now_ns();
    vt_kernel_refresh(t->kernel);
    *rc = vt_noun_walk(t->kernel, b->noun, &query, count_row, NULL, &result, err);
    b->rows = result.rows;
    b->torn_rows = result.torn_rows;
    return (double)(vt_now_ns() - begin) / 1e6;
}

/* One that this kernel lacks is a row without times. */
static int measure(struct vt_target *t, struct vt_bench_noun *b, struct vt_error *err)
{
    struct vt_error why;
    int rc;
    b->cold_ms = walk_ms(t, b, &rc, &why);
    if (rc == VT_E_NOMEM || rc == VT_E_GONE) {
        *err = why;
        return rc;
    }
    if (rc != 0) {
        snprintf(b->why, sizeof b->why, "%s", rc < 0 ? why.message : "interrupted");
        return 0;
    }
    b->ms = calloc(RUNS_MAX, sizeof *b->ms);
    if (b->ms == NULL) {
        return vt_fail(err, VT_E_NOMEM, "bench: out of memory");
    }
    uint64_t begin = vt_now_ns();
    while (b->runs < RUNS_MAX && !vt_interrupted &&
           (b->runs < RUNS_MIN || vt_now_ns() - begin < TIME_NS)) {
        b->ms[b->runs] = walk_ms(t, b, &rc, &why);
        if (rc != 0) {
            break;
        }
        b->runs++;
    }
    return 0;
}

int vt_bench_nouns(struct vt_target *t, struct vt_bench_noun **nouns, size_t *n,
                   struct vt_error *err)
{
    size_t all = 0;
    while (vt_nouns[all] != NULL) {
        all++;
    }
    struct vt_bench_noun *list = calloc(all + 1, sizeof *list);
    if (list == NULL) {
        return vt_fail(err, VT_E_NOMEM, "bench: out of memory");
    }
    int rc = 0;
    for (size_t i = 0; i < all && rc == 0 && !vt_interrupted; i++) {
        list[i].noun = vt_nouns[i];
        vt_progress("measuring %s …", vt_nouns[i]->name);
        rc = measure(t, &list[i], err);
    }
    vt_progress("%s", "");
    if (rc == 0 && vt_interrupted) {
        rc = vt_fail(err, VT_E_INTERRUPTED, "interrupted");
    }
    if (rc != 0) {
        vt_bench_nouns_fini(list, all);
        return rc;
    }
    *nouns = list;
    *n = all;
    return 0;
}

void vt_bench_nouns_fini(struct vt_bench_noun *nouns, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(nouns[i].ms);
    }
    free(nouns);
}

void vt_bench_nouns_json(struct vt_json_writer *w, struct vt_bench_noun *nouns, size_t n)
{
    vt_json_key(w, "verbs");
    vt_json_array(w);
    for (size_t i = 0; i < n; i++) {
        struct vt_bench_noun *b = &nouns[i];
        vt_json_object(w);
        vt_json_kv_string(w, "name", b->noun->name);
        vt_json_kv_u64(w, "rows", b->rows);
        vt_json_kv_u64(w, "torn_rows", b->torn_rows);
        vt_json_kv_u64(w, "runs", b->runs);
        if (b->runs != 0) {
            vt_json_kv_f64(w, "cold_ms", b->cold_ms, 4);
            vt_bench_times(w, "warm_ms", b->ms, b->runs);
        }
        vt_json_kv_string(w, "why", b->why[0] != '\0' ? b->why : NULL);
        vt_json_object_end(w);
    }
    vt_json_array_end(w);
}

void vt_bench_nouns_print(struct vt_bench_noun *nouns, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct vt_bench_noun *b = &nouns[i];
        char what[64];
        if (b->runs == 0) {
            printf("%s: %s\n", b->noun->name, b->why);
            continue;
        }
        snprintf(what, sizeof what, "%s, %" PRIu64 " rows", b->noun->name, b->rows);
        vt_bench_print(what, b->ms, b->runs);
    }
}
