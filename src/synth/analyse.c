/* synth/analyse.c - accesses: streams, strides, windows. See make_parts.h.
 *
 * An address is a sum. Its registers, which go on by a stride, are what a stream's position is made
 * of; the rest is an index with a range that can be seen. Accesses with the same registers that lie
 * near one another are one stream. Positions end in sixteen 0 bits, if the registers' sum does, so
 * that what must be aligned is aligned with the position.
 */
#include "synth/make_parts.h"

#include <stdlib.h>
#include <string.h>

#define NEAR 256 /* bytes between accesses of one stream */

static int refuse(struct vt_making *m, const struct vt_memory_operation *o, const char *why)
{
    char text[128];
    vt_term_print(m->terms, o->address, text, sizeof text);
    return vt_fail(m->err, VT_E_UNSUPPORTED, "%s at %s: %s", o->store ? "a store" : "a load", text,
                   why);
}

/* ---------------------------------------------------------------- strides */

/* Up to VT_LINEAR_GS registers; from VT_LINEAR_PLACE on cells, until places have numbers. */
static vt_term value_of(const struct vt_making *m, uint32_t reg, bool after)
{
    const struct vt_lift_state *state = after ? &m->s->after : &m->s->before;
    const struct vt_cell *cell = reg < VT_LINEAR_PLACE ? NULL : &m->s->cells[reg - VT_LINEAR_PLACE];
    return reg < VT_LINEAR_FS    ? state->r[reg]
           : reg == VT_LINEAR_FS ? state->fs_base
           : reg == VT_LINEAR_GS ? state->gs_base
           : cell == NULL        ? 0
           : after               ? cell->after
                                 : cell->before;
}

static bool is_unchanged(const struct vt_making *m, uint32_t reg)
{
    return value_of(m, reg, true) == value_of(m, reg, false);
}

/* The register or the cell of 8 bytes that an atom of a sum is, or -1. */
static int32_t register_of(const struct vt_making *m, vt_term atom)
{
    for (uint32_t reg = 0; reg < VT_LINEAR_PLACE + m->s->n_cells; reg++) {
        bool good = reg < VT_LINEAR_PLACE || m->s->cells[reg - VT_LINEAR_PLACE].bytes == 8;
        if (good && value_of(m, reg, false) == atom) {
            return (int32_t)reg;
        }
    }
    return -1;
}

/* Adds `times` what one iteration adds to the register. */
static bool add_step(const struct vt_making *m, uint32_t reg, uint64_t times,
                     struct vt_linear *step)
{
    struct vt_term_sum after;
    if (is_unchanged(m, reg)) {
        return true;
    }
    if (!vt_term_linear(m->terms, value_of(m, reg, true), &after)) {
        return false;
    }
    bool itself = false;
    step->constant += times * after.constant;
    for (unsigned i = 0; i < after.n; i++) {
        int32_t other = register_of(m, after.part[i].atom);
        if (other == (int32_t)reg && after.part[i].coefficient == 1) {
            itself = true;
            continue;
        }
        if (other < 0 || !is_unchanged(m, (uint32_t)other) ||
            step->n == sizeof step->part / sizeof *step->part) {
            return false;
        }
        step->part[step->n].reg = (uint32_t)other;
        step->part[step->n++].coefficient = times * after.part[i].coefficient;
    }
    return itself;
}

/* A position's stride: a constant, or one register. */
static bool find_stride(const struct vt_making *m, const struct vt_linear *position,
                        int64_t *constant, int32_t *reg)
{
    struct vt_linear step = {0};
    for (uint32_t i = 0; i < position->n; i++) {
        if (!add_step(m, position->part[i].reg, position->part[i].coefficient, &step)) {
            return false;
        }
    }
    *constant = (int64_t)step.constant;
    *reg = step.n == 0 ? -1 : (int32_t)step.part[0].reg;
    return step.n == 0 || (step.n == 1 && step.constant == 0 && step.part[0].coefficient == 1 &&
                           step.part[0].reg < VT_LINEAR_FS);
}

/* ---------------------------------------------------------------- addresses */

/* Registers that go on by a stride to `moving`, in order; the rest to the index. */
static int split(struct vt_making *m, const struct vt_memory_operation *o,
                 const struct vt_term_sum *sum, struct vt_access *a)
{
    for (unsigned i = 0; i < sum->n; i++) {
        struct vt_linear ignored = {0};
        int32_t reg = register_of(m, sum->part[i].atom);
        if (reg < 0 || !add_step(m, (uint32_t)reg, sum->part[i].coefficient, &ignored)) {
            a->index.part[a->index.n++] = sum->part[i];
            continue;
        }
        if (a->moving.n == sizeof a->moving.part / sizeof *a->moving.part) {
            return refuse(m, o, "more than four registers");
        }
        uint32_t at = a->moving.n++;
        for (; at > 0 && a->moving.part[at - 1].reg > (uint32_t)reg; at--) {
            a->moving.part[at] = a->moving.part[at - 1];
        }
        a->moving.part[at].reg = (uint32_t)reg;
        a->moving.part[at].coefficient = sum->part[i].coefficient;
    }
    return 0;
}

/* The index as a term that is not negative; what it is less by goes to the constant. */
static int find_index(struct vt_making *m, const struct vt_memory_operation *o, struct vt_access *a)
{
    __int128 least = 0, most = 0;
    vt_term term = vt_term_const(m->terms, 64, 0);
    for (unsigned i = 0; i < a->index.n; i++) {
        struct vt_range r = vt_range_of(m->terms, a->index.part[i].atom);
        int64_t times = (int64_t)a->index.part[i].coefficient;
        __int128 x = (__int128)times * r.least, y = (__int128)times * r.most;
        if (r.most > UINT32_MAX || times > VT_PIXEL_WINDOW_MAX ||
            times < -(int64_t)VT_PIXEL_WINDOW_MAX) {
            return refuse(m, o, "an index without bounds");
        }
        least += x < y ? x : y;
        most += x < y ? y : x;
        vt_term product = vt_term_2(m->terms, VT_PIXEL_MUL, a->index.part[i].atom,
                                    vt_term_const(m->terms, 64, (uint64_t)times));
        term = vt_term_2(m->terms, VT_PIXEL_ADD, term, product);
    }
    if (most - least > VT_PIXEL_WINDOW_MAX) {
        return refuse(m, o, "an index with bounds that are too far");
    }
    if (a->index.n > 0) {
        if (least < 0) {
            term = vt_term_2(m->terms, VT_PIXEL_SUB, term,
                             vt_term_const(m->terms, 64, (uint64_t)least));
            a->constant += (int64_t)least;
            most -= least;
        }
        a->index_term = term;
        a->most = (uint64_t)most;
    }
    return 0;
}

/* ---------------------------------------------------------------- streams */

static bool same_registers(const struct vt_linear *a, const struct vt_linear *b)
{
    bool same = a->n == b->n;
    for (uint32_t i = 0; i < a->n && same; i++) {
        same = a->part[i].reg == b->part[i].reg && a->part[i].coefficient == b->part[i].coefficient;
    }
    return same;
}

static int compare(const void *a, const void *b)
{
    const struct vt_access *const *x = a, *const *y = b;
    return (*x)->constant<(*y)->constant ? -1 : (*x)->constant>(*y)->constant;
}

/* All of `near`, which lie side by side, become one stream. */
static int make_stream(struct vt_making *m, struct vt_access **near, uint32_t n, int64_t low,
                       int64_t high, int32_t *stride_register)
{
    struct vt_pixel_program *p = &m->k->program;
    if (p->n_streams == VT_PIXEL_STREAMS_MAX) {
        return vt_fail(m->err, VT_E_UNSUPPORTED, "more than %u streams", VT_PIXEL_STREAMS_MAX);
    }
    uint32_t number = p->n_streams;
    int64_t base = (int64_t)((uint64_t)low & ~UINT64_C(15));
    struct vt_pixel_stream stream = {.low = (int32_t)(low - base),
                                     .high = (int32_t)(high - base),
                                     .stride_input = VT_PIXEL_NONE};
    if (!find_stride(m, &near[0]->moving, &stream.stride, &stride_register[number])) {
        return vt_fail(m->err, VT_E_UNSUPPORTED,
                       "a stride that is neither a constant nor a register");
    }
    (void)snprintf(stream.name, sizeof stream.name, "s%u", number);
    m->k->streams[number] = near[0]->moving;
    m->k->streams[number].constant = (uint64_t)base;
    p->streams[p->n_streams++] = stream;
    for (uint32_t i = 0; i < n; i++) {
        near[i]->stream = (uint8_t)number;
        near[i]->offset = near[i]->constant - base;
    }
    return 0;
}

/* Those among `same`, which have the same registers, from the lowest on. */
static int make_streams(struct vt_making *m, struct vt_access **same, const uint8_t *bytes_of,
                        uint32_t n, int32_t *stride_register)
{
    qsort(same, n, sizeof(struct vt_access *), compare);
    for (uint32_t i = 0; i < n;) {
        int64_t low = same[i]->constant, high = low;
        uint32_t first = i;
        for (; i < n; i++) {
            int64_t end =
                same[i]->constant + (int64_t)same[i]->most + bytes_of[same[i] - m->accesses];
            int64_t wider = end > high ? end : high;
            bool near = i == first ||
                        (same[i]->constant <= high + NEAR && wider - low <= VT_PIXEL_WINDOW_MAX);
            if (!near) {
                break;
            }
            high = wider;
        }
        if (high - low > VT_PIXEL_WINDOW_MAX) {
            return vt_fail(m->err, VT_E_UNSUPPORTED, "a window of more than %u bytes",
                           VT_PIXEL_WINDOW_MAX);
        }
        int rc = make_stream(m, same + first, i - first, low, high, stride_register);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

static int note_alignment(struct vt_making *m)
{
    const struct vt_summary *s = m->s;
    for (uint32_t i = 0; i < s->n_aligned; i++) {
        uint32_t o = 0;
        while (o < s->n_operations && s->operations[o].address != s->aligned[i]) {
            o++;
        }
        if (o == s->n_operations) {
            return vt_fail(m->err, VT_E_UNSUPPORTED, "an aligned access that is none");
        }
        const struct vt_access *a = &m->accesses[o];
        const struct vt_pixel_stream *stream = &m->k->program.streams[a->stream];
        if (a->index_term != 0 || a->offset % 16 != 0 || stream->stride_input != VT_PIXEL_NONE ||
            stream->stride % 16 != 0) {
            return refuse(m, &s->operations[o], "must be aligned, and does not go on by sixteens");
        }
        m->k->aligned[a->stream] = true;
    }
    return 0;
}

int vt_analyse_accesses(struct vt_making *m, int32_t stride_register[VT_PIXEL_STREAMS_MAX])
{
    const struct vt_summary *s = m->s;
    uint32_t n = s->n_operations;
    struct vt_access **same = calloc(n + 1, sizeof *same);
    uint8_t *bytes_of = calloc(n + 1, 1);
    bool *done = calloc(n + 1, sizeof *done);
    int rc = same == NULL || bytes_of == NULL || done == NULL
                 ? vt_fail(m->err, VT_E_NOMEM, "a loop's accesses")
                 : 0;
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        struct vt_access *a = &m->accesses[i];
        struct vt_term_sum sum;
        *a = (struct vt_access){0};
        if (!vt_term_linear(m->terms, s->operations[i].address, &sum)) {
            rc = refuse(m, &s->operations[i], "a sum of too many parts");
            break;
        }
        a->constant = (int64_t)sum.constant;
        bytes_of[i] = s->operations[i].bytes;
        rc = split(m, &s->operations[i], &sum, a);
        if (rc == 0) {
            rc = find_index(m, &s->operations[i], a);
        }
    }
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        uint32_t count = 0;
        for (uint32_t k = i; k < n && !done[i]; k++) {
            if (!done[k] && same_registers(&m->accesses[i].moving, &m->accesses[k].moving)) {
                same[count++] = &m->accesses[k];
                done[k] = k != i;
            }
        }
        done[i] = true;
        if (count > 0) {
            rc = make_streams(m, same, bytes_of, count, stride_register);
        }
    }
    free(same);
    free(bytes_of);
    free(done);
    return rc == 0 ? note_alignment(m) : rc;
}
