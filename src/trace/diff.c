/* trace/diff.c - two recordings side by side: equal until they part, searched for where they meet.
 * See diff.h.
 */
#include "trace/diff_parts.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/** Equal instructions in a row that are no accident. */
#define MEETING 16u
#define LANES_MAX 64u

struct diff {
    const struct vt_trace_diff_opener *opener;
    const struct vt_trace_diff_options *options;
    struct vt_trace_diff_result *result;
    struct vt_diff_side sides[2];
    uint32_t vcpu;
    /* The last equal instructions of A: a ring, and room to lay it out in order. */
    struct vt_trace_diff_item *ring, *before;
    uint64_t n_ring;
    bool has_data, data_told;
    struct vt_trace_diff_item data[2];
};

/* ---- meeting again ---- */

/* What stands for the instructions from each one on: a hash of so many, and how many they are. */
struct row {
    uint64_t hash;
    uint32_t n; /* 0: too few to be sure */
};

static int make_rows(const struct vt_diff_side *s, struct row **rows, struct vt_error *err)
{
    uint64_t *keys = calloc(s->n_ahead + 1u, sizeof *keys);
    struct row *made = calloc(s->n_ahead + 1u, sizeof *made);
    if (keys == NULL || made == NULL) {
        free(keys);
        free(made);
        return vt_fail(err, VT_E_NOMEM, "no memory for a window of %u instructions", s->n_ahead);
    }
    for (uint32_t i = 0; i < s->n_ahead; i++) {
        keys[i] = s->ahead[s->ahead_at + i].key;
    }
    for (uint32_t i = 0; i < s->n_ahead; i++) {
        uint32_t left = s->n_ahead - i, n = left < MEETING ? left : MEETING;
        /* At the end of both fewer are enough. */
        made[i].n = n == MEETING || s->ended ? n : 0;
        made[i].hash = XXH3_64bits(keys + i, n * sizeof *keys);
    }
    free(keys);
    *rows = made;
    return 0;
}

/* 1: of all places from which both go on equal, the one with the fewest instructions before it. */
static int find_meeting(const struct vt_diff_side *a, const struct vt_diff_side *b, uint32_t at[2],
                        struct vt_error *err)
{
    struct vt_learn_index first = {0};
    struct row *of_a = NULL, *of_b = NULL;
    uint64_t best = UINT64_MAX;
    int rc = make_rows(a, &of_a, err);
    rc = rc == 0 ? make_rows(b, &of_b, err) : rc;
    for (uint32_t i = 0; rc == 0 && i < a->n_ahead; i++) {
        if (of_a[i].n > 0 &&
            vt_learn_index_find(&first, of_a[i].hash, of_a[i].n) == VT_LEARN_NONE) {
            rc = vt_learn_index_put(&first, of_a[i].hash, of_a[i].n, i, err);
        }
    }
    for (uint32_t j = 0; rc == 0 && j < b->n_ahead && j < best; j++) {
        uint32_t i =
            of_b[j].n > 0 ? vt_learn_index_find(&first, of_b[j].hash, of_b[j].n) : VT_LEARN_NONE;
        if (i != VT_LEARN_NONE && (uint64_t)i + j < best) {
            best = (uint64_t)i + j;
            at[0] = i;
            at[1] = j;
        }
    }
    vt_learn_index_fini(&first);
    free(of_a);
    free(of_b);
    return rc != 0 ? rc : best != UINT64_MAX;
}

/* ---- telling ---- */

static uint32_t lay_out(struct diff *d)
{
    uint32_t n = d->n_ring < d->options->context ? (uint32_t)d->n_ring : d->options->context;
    for (uint32_t i = 0; i < n; i++) {
        d->before[i] = d->ring[(d->n_ring - n + i) % d->options->context];
    }
    return n;
}

static void remember(struct diff *d, const struct vt_trace_diff_item *item)
{
    if (d->options->context > 0) {
        d->ring[d->n_ring++ % d->options->context] = *item;
    }
}

static bool enough(const struct diff *d)
{
    return d->options->most != 0 && d->result->divergences >= d->options->most;
}

/* What comes first of both is ahead, and differs. */
static int tell(struct diff *d, struct vt_trace_divergence *v, struct vt_error *err)
{
    v->vcpu = d->vcpu;
    v->n_before = lay_out(d);
    v->before = d->before;
    v->has_data_before = d->has_data && !d->data_told;
    for (unsigned k = 0; k < 2; k++) {
        const struct vt_diff_side *s = &d->sides[k];
        uint32_t most = v->met && v->skipped[k] < d->options->context ? (uint32_t)v->skipped[k] + 3
                                                                      : d->options->context;
        v->after[k] = s->n_ahead > 0 ? s->ahead + s->ahead_at : NULL;
        v->n_after[k] = s->n_ahead < most ? s->n_ahead : most;
        v->data_before[k] = d->data[k];
    }
    d->data_told = true;
    d->result->divergences++;
    return d->opener->tell(d->opener->arg, v, err);
}

/* 1: they go on together. */
static int diverge(struct diff *d, struct vt_error *err)
{
    struct vt_diff_side *a = &d->sides[0], *b = &d->sides[1];
    /* Before more of them are read ahead. */
    struct vt_trace_divergence v = {.registers = {a->registers, b->registers}};
    uint32_t window =
        d->options->window > d->options->context ? d->options->window : d->options->context;
    uint32_t at[2] = {0};
    window = window > 0 ? window : 1;
    int rc = vt_diff_read_ahead(a, window, err);
    rc = rc == 0 ? vt_diff_read_ahead(b, window, err) : rc;
    if (rc != 0) {
        return rc;
    }
    v.ended[0] = a->n_ahead == 0;
    v.ended[1] = b->n_ahead == 0;
    if ((v.ended[0] || v.ended[1]) && d->options->prefix) {
        return 0;
    }
    if (d->options->window > 0 && !v.ended[0] && !v.ended[1]) {
        rc = find_meeting(a, b, at, err);
        if (rc < 0) {
            return rc;
        }
        v.met = rc == 1;
        v.skipped[0] = at[0];
        v.skipped[1] = at[1];
    }
    rc = tell(d, &v, err);
    if (rc != 0 || !v.met) {
        return rc;
    }
    for (unsigned k = 0; k < 2; k++) {
        d->sides[k].ahead_at += at[k];
        d->sides[k].n_ahead -= at[k];
        d->result->skipped[k] += at[k];
    }
    return 1;
}

/* ---- lanes ---- */

/* Those that both recorded right before this instruction. */
static bool same_registers(const struct diff *d, const struct vt_trace_diff_item pair[2])
{
    const struct vt_trace_diff_registers *a = &d->sides[0].registers, *b = &d->sides[1].registers;
    bool both = a->known && b->known && a->number == pair[0].number && b->number == pair[1].number;
    return !both || (a->n == b->n && memcmp(a->values, b->values, a->n * sizeof *a->values) == 0);
}

/* Both go on with the same instruction: with the same data, too? */
static int compare_data(struct diff *d, const struct vt_trace_diff_item pair[2],
                        struct vt_error *err)
{
    bool same = (pair[0].data == pair[1].data || pair[0].data == 0 || pair[1].data == 0) &&
                (d->options->relocate || same_registers(d, pair));
    if (same || (d->has_data && !d->options->data)) {
        return 0;
    }
    if (!d->has_data) {
        d->has_data = true;
        memcpy(d->data, pair, sizeof d->data);
    }
    if (!d->options->data) {
        return 0;
    }
    struct vt_trace_divergence v = {.vcpu = d->vcpu,
                                    .data = true,
                                    .met = true,
                                    .n_before = lay_out(d),
                                    .before = d->before,
                                    .n_after = {1, 1},
                                    .after = {&pair[0], &pair[1]},
                                    .registers = {d->sides[0].registers, d->sides[1].registers}};
    d->data_told = true;
    d->result->divergences++;
    return d->opener->tell(d->opener->arg, &v, err);
}

/* 1: go on; 0: the lane is done. */
static int step(struct diff *d, struct vt_error *err)
{
    struct vt_trace_diff_item pair[2];
    int got[2], rc;
    for (unsigned k = 0; k < 2; k++) {
        got[k] = vt_diff_next(&d->sides[k], &pair[k], err);
        if (got[k] < 0) {
            return got[k];
        }
    }
    if (got[0] == 0 && got[1] == 0) {
        return 0;
    }
    if (got[0] == 1 && got[1] == 1 && pair[0].key == pair[1].key) {
        rc = compare_data(d, pair, err);
        d->result->equal++;
        remember(d, &pair[0]);
        return rc == 0 ? !enough(d) : rc;
    }
    for (unsigned k = 0; k < 2; k++) { /* back, before what is ahead of them */
        if (got[k] == 1) {
            rc = vt_diff_put_back(&d->sides[k], &pair[k], err);
            if (rc != 0) {
                return rc;
            }
        }
    }
    rc = diverge(d, err);
    return rc == 1 ? !enough(d) : rc;
}

static int open_sides(struct diff *d, uint32_t vcpu, struct vt_error *err)
{
    int rc = 0;
    for (unsigned k = 0; k < 2 && rc == 0; k++) {
        struct vt_diff_side *s = &d->sides[k];
        *s = (struct vt_diff_side){
            .options = d->options, .vcpu = vcpu, .root = d->options->roots[k]};
        rc =
            d->opener->open(d->opener->arg, (enum vt_trace_diff_side)k, &s->source, &s->names, err);
        if (rc == 0) {
            s->arch = vt_trace_arch_of(vt_trace_source_info(s->source)->arch);
        }
    }
    return rc;
}

static void close_sides(struct diff *d)
{
    for (unsigned k = 0; k < 2; k++) {
        d->result->lost_words[k] += d->sides[k].lost_words;
        vt_diff_side_fini(&d->sides[k]);
        d->opener->close(d->opener->arg, (enum vt_trace_diff_side)k);
        d->sides[k] = (struct vt_diff_side){0};
    }
}

/* *lanes becomes how many there are. */
static int compare_lane(struct diff *d, uint32_t vcpu, uint32_t *lanes, struct vt_error *err)
{
    int rc = open_sides(d, vcpu, err);
    d->vcpu = d->options->by_root ? UINT32_MAX : vcpu;
    d->n_ring = 0;
    d->has_data = d->data_told = false;
    if (rc == 0) {
        const struct vt_trace_info *a = vt_trace_source_info(d->sides[0].source);
        const struct vt_trace_info *b = vt_trace_source_info(d->sides[1].source);
        uint32_t most = a->vcpus > b->vcpus ? a->vcpus : b->vcpus;
        *lanes = d->options->by_root ? 1 : most < LANES_MAX ? most : LANES_MAX;
        if (strcmp(a->arch, b->arch) != 0) {
            rc = vt_fail(err, VT_E_INVAL, "recordings of %.16s and of %.16s", a->arch, b->arch);
        }
    }
    rc = rc == 0 ? 1 : rc;
    while (rc == 1) {
        rc = step(d, err);
    }
    close_sides(d);
    return rc;
}

int vt_trace_diff(const struct vt_trace_diff_opener *opener,
                  const struct vt_trace_diff_options *options, struct vt_trace_diff_result *result,
                  struct vt_error *err)
{
    struct vt_trace_diff_result counted = {0};
    struct diff d = {.opener = opener, .options = options, .result = &counted};
    uint32_t lanes = 1;
    int rc = 0;
    if (options->context > VT_TRACE_DIFF_CONTEXT_MAX ||
        options->window > VT_TRACE_DIFF_WINDOW_MAX) {
        return vt_fail(err, VT_E_INVAL, "a context of at most %u and a window of at most %u",
                       VT_TRACE_DIFF_CONTEXT_MAX, VT_TRACE_DIFF_WINDOW_MAX);
    }
    d.ring = calloc(options->context + 1u, sizeof *d.ring);
    d.before = calloc(options->context + 1u, sizeof *d.before);
    if (d.ring == NULL || d.before == NULL) {
        rc = vt_fail(err, VT_E_NOMEM, "no memory for %u instructions", options->context);
    }
    for (uint32_t vcpu = 0; vcpu < lanes && rc == 0 && !enough(&d); vcpu++) {
        rc = compare_lane(&d, vcpu, &lanes, err);
        counted.lanes++;
    }
    free(d.ring);
    free(d.before);
    if (rc == 0) {
        counted.stopped = enough(&d);
        *result = counted;
    }
    return rc;
}
