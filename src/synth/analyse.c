/* synth/analyse.c - accesses: streams, windows. See make_parts.h.
 *
 * Accesses with the same registers that lie near one another are one stream. Positions end in
 * five 0 bits, if the registers' sum does, so that what must be aligned is aligned with the
 * position.
 */
#include "synth/make_parts.h"

#include <stdlib.h>
#include <string.h>

#define NEAR 256 /* bytes between accesses of one stream */

int vt_refuse_access(struct vt_making *m, const struct vt_memory_operation *o, const char *why)
{
    char text[128], all[192];
    vt_term_print(m->terms, o->address, text, sizeof text);
    (void)snprintf(all, sizeof all, "a %s at %s: %s", o->store ? "store" : "load", text, why);
    return vt_refuse_insn(m->err, &m->k->loop, o->at, all);
}

/* ---------------------------------------------------------------- streams */

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
    uint64_t phase = 0; /* what must be aligned is aligned with the position */
    for (uint32_t i = 0, most = 0; i < n; i++) {
        if (near[i]->aligned > most) {
            most = near[i]->aligned;
            phase = (uint64_t)near[i]->constant & 31;
        }
    }
    int64_t base = (int64_t)((((uint64_t)low - phase) & ~UINT64_C(31)) + phase);
    struct vt_pixel_stream stream = {.low = (int32_t)(low - base),
                                     .high = (int32_t)(high - base),
                                     .stride_input = VT_PIXEL_NONE};
    if (!vt_find_stride(m, &near[0]->moving, &stream.stride, &stride_register[number])) {
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

/* Whether a variable lies in [from, to) of these registers: no stream may have it in its window. */
static bool has_cell(const struct vt_making *m, const struct vt_linear *registers, int64_t from,
                     int64_t to)
{
    bool found = false;
    for (uint32_t i = 0; i < m->s->n_cells; i++) {
        const struct vt_cell *c = &m->s->cells[i];
        int64_t at = (int64_t)c->address.constant;
        found |= vt_linear_alike(&c->address, registers) && from < at + c->bytes && at < to;
    }
    return found;
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
                        (same[i]->constant <= high + NEAR && wider - low <= VT_PIXEL_WINDOW_MAX &&
                         !has_cell(m, &same[i]->moving, high, same[i]->constant));
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

/* The operation at the i-th address that must be aligned. */
static uint32_t aligned_operation(const struct vt_summary *s, uint32_t i)
{
    uint32_t o = 0;
    while (o < s->n_operations && s->operations[o].address != s->aligned[i]) {
        o++;
    }
    return o;
}

static int note_alignment(struct vt_making *m)
{
    const struct vt_summary *s = m->s;
    for (uint32_t i = 0; i < s->n_aligned; i++) {
        uint32_t o = aligned_operation(s, i);
        if (o == s->n_operations) {
            return vt_fail(m->err, VT_E_UNSUPPORTED, "an aligned access that is none");
        }
        const struct vt_access *a = &m->accesses[o];
        const struct vt_pixel_stream *stream = &m->k->program.streams[a->stream];
        uint8_t to = s->aligned_to[i];
        if (a->offset % to != 0 ||
            (stream->stride_input == VT_PIXEL_NONE && stream->stride % to != 0)) {
            return vt_refuse_access(m, &s->operations[o],
                                    "must be aligned, and does not go on by sixteens");
        }
        if (m->k->aligned[a->stream] < to) {
            m->k->aligned[a->stream] = to;
        }
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
        bytes_of[i] = s->operations[i].bytes;
        rc = vt_analyse_address(m, &s->operations[i], a);
    }
    for (uint32_t i = 0; i < s->n_aligned && rc == 0; i++) {
        uint32_t o = aligned_operation(s, i);
        if (o < n && m->accesses[o].aligned < s->aligned_to[i]) {
            m->accesses[o].aligned = s->aligned_to[i];
        }
        if (o < n && m->accesses[o].index_term != 0 && s->operations[o].loop < 0) {
            rc = vt_must_be_aligned(m, &s->operations[o], m->accesses[o].index_term,
                                    s->aligned_to[i]);
        }
    }
    m->happens = s->comes_back;
    for (uint32_t i = 0; i < m->n_must; i++) {
        m->happens = vt_term_2(m->terms, VT_PIXEL_AND, m->happens, m->must[i]);
    }
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        uint32_t count = 0;
        for (uint32_t k = i; k < n && !done[i]; k++) {
            if (!done[k] && vt_linear_alike(&m->accesses[i].moving, &m->accesses[k].moving)) {
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
