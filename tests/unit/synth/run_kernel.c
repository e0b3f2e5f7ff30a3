/* tests/unit/synth/run_kernel.c - see run_kernel.h. Kernels may be wrong in any way: numbers are
 * held against their bounds. */
#include "tests/unit/synth/run_kernel.h"

#include <string.h>

struct values {
    uint64_t inputs[VT_PIXEL_INPUTS_MAX], carries[VT_PIXEL_CARRIES_MAX];
    uint64_t positions[VT_PIXEL_STREAMS_MAX];
    int64_t strides[VT_PIXEL_STREAMS_MAX];
};

static uint8_t *host(uint64_t at)
{
    return (uint8_t *)(uintptr_t)at; // NOLINT(performance-no-int-to-ptr)
}

static bool sum(const struct vt_synth_kernel *k, const struct vt_linear *l,
                const struct processor_state *s, const struct values *v, uint64_t *to)
{
    uint64_t value = l->constant;
    for (uint32_t i = 0; i < l->n; i++) {
        uint32_t reg = l->part[i].reg, place = reg - VT_LINEAR_PLACE, n = k->program.n_inputs;
        uint64_t one = 0;
        if (reg < 16) {
            one = s->r[reg];
        } else if (reg < VT_LINEAR_PLACE || v == NULL || place >= n + k->program.n_carries) {
            return false;
        } else {
            one = place < n ? v->inputs[place] : v->carries[place - n];
        }
        value += l->part[i].coefficient * one;
    }
    *to = value;
    return true;
}

/* Where a place's bytes are, if they are memory. */
static uint8_t *cell(const struct vt_synth_kernel *k, const struct vt_place *p,
                     const struct run_memory *memory, const struct processor_state *s)
{
    uint64_t at;
    bool good = sum(k, &p->address, s, NULL, &at) && p->bytes <= 8;
    return good && at - (uintptr_t)memory->at <= memory->bytes - p->bytes ? host(at) : NULL;
}

static bool read_place(const struct vt_synth_kernel *k, const struct vt_place *p,
                       const struct run_memory *memory, const struct processor_state *s,
                       uint64_t *value)
{
    const uint8_t *at;
    *value = 0;
    switch (p->kind) {
    case VT_PLACE_GPR:
        *value = s->r[p->reg % 16];
        return p->reg < 16;
    case VT_PLACE_XMM_LOW:
    case VT_PLACE_XMM_HIGH:
    case VT_PLACE_YMM_LOW:
    case VT_PLACE_YMM_HIGH:
        *value = s->xmm[p->reg % 16][p->kind - VT_PLACE_XMM_LOW];
        return p->reg < 16;
    case VT_PLACE_CELL:
        at = cell(k, p, memory, s);
        if (at != NULL) {
            memcpy(value, at, p->bytes);
        }
        return at != NULL;
    default:
        return false;
    }
}

static void write_places(const struct vt_synth_kernel *k, const struct run_memory *memory,
                         struct processor_state *s, const uint64_t *carries)
{
    const struct processor_state before = *s;
    for (uint32_t i = 0; i < k->program.n_carries; i++) {
        const struct vt_place *p = &k->carries[i];
        switch (p->kind) {
        case VT_PLACE_GPR:
            s->r[p->reg] = carries[i];
            break;
        case VT_PLACE_XMM_LOW:
        case VT_PLACE_XMM_HIGH:
        case VT_PLACE_YMM_LOW:
        case VT_PLACE_YMM_HIGH:
            s->xmm[p->reg][p->kind - VT_PLACE_XMM_LOW] = carries[i];
            break;
        default:
            memcpy(cell(k, p, memory, &before), &carries[i], p->bytes);
            break;
        }
    }
}

static bool read_values(const struct vt_synth_kernel *k, const struct run_memory *memory,
                        const struct processor_state *s, struct values *v)
{
    const struct vt_pixel_program *p = &k->program;
    bool good = true;
    for (uint32_t i = 0; i < p->n_inputs; i++) {
        good = good && read_place(k, &k->inputs[i], memory, s, &v->inputs[i]);
    }
    for (uint32_t i = 0; i < p->n_carries; i++) {
        good = good && read_place(k, &k->carries[i], memory, s, &v->carries[i]);
    }
    for (uint32_t i = 0; i < p->n_streams && good; i++) {
        const struct vt_pixel_stream *stream = &p->streams[i];
        v->strides[i] = stream->stride_input == VT_PIXEL_NONE
                            ? stream->stride
                            : (int64_t)v->inputs[stream->stride_input % VT_PIXEL_INPUTS_MAX];
        good = sum(k, &k->streams[i], s, v, &v->positions[i]);
    }
    return good;
}

static bool are_aligned(const struct vt_synth_kernel *k, const struct values *v)
{
    bool good = true;
    for (uint32_t i = 0; i < k->program.n_streams; i++) {
        uint64_t low = k->aligned[i] != 0 ? k->aligned[i] - 1U : 0;
        good &= ((v->positions[i] | (uint64_t)v->strides[i]) & low) == 0;
    }
    return good;
}

/* Iterations of which all windows are in memory. */
static uint64_t in_memory(const struct vt_synth_kernel *k, const struct run_memory *memory,
                          const struct values *v, uint64_t count)
{
    for (uint64_t n = 0; n < count; n++) {
        for (uint32_t i = 0; i < k->program.n_streams; i++) {
            const struct vt_pixel_stream *stream = &k->program.streams[i];
            uint64_t at = v->positions[i] + n * (uint64_t)v->strides[i] - (uintptr_t)memory->at;
            __int128 low = (__int128)(int64_t)at + stream->low,
                     high = (__int128)(int64_t)at + stream->high;
            if (low < 0 || high > (__int128)memory->bytes) {
                return n;
            }
        }
    }
    return count;
}

struct extent {
    __int128 low, high;
};

/* All that `which` of struct vt_disjoint touches in `count` iterations. */
static struct extent extent_of(const struct vt_synth_kernel *k, uint32_t which,
                               const struct run_memory *memory, const struct processor_state *s,
                               const struct values *v, uint64_t count)
{
    const struct vt_pixel_program *p = &k->program;
    if (which < p->n_streams) {
        const struct vt_pixel_stream *stream = &p->streams[which];
        __int128 last = (__int128)v->strides[which] * (int64_t)(count - 1),
                 at = v->positions[which];
        return (struct extent){at + stream->low + (last < 0 ? last : 0),
                               at + stream->high + (last > 0 ? last : 0)};
    }
    which -= p->n_streams;
    if (which >= p->n_inputs + p->n_carries) {
        return (struct extent){0, 0};
    }
    const struct vt_place *place =
        which < p->n_inputs ? &k->inputs[which] : &k->carries[which - p->n_inputs];
    const uint8_t *at = place->kind == VT_PLACE_CELL ? cell(k, place, memory, s) : NULL;
    return at == NULL ? (struct extent){0, 0}
                      : (struct extent){(uintptr_t)at, (__int128)(uintptr_t)at + place->bytes};
}

static bool guards_hold(const struct vt_synth_kernel *k, const struct run_memory *memory,
                        const struct processor_state *s, const struct values *v, uint64_t count,
                        bool parallel)
{
    for (uint32_t i = 0; i < k->n_disjoint; i++) {
        struct extent a = extent_of(k, k->disjoint[i].a, memory, s, v, count),
                      b = extent_of(k, k->disjoint[i].b, memory, s, v, count);
        if ((parallel || !k->disjoint[i].only_parallel) && a.low < b.high && b.low < a.high) {
            return false;
        }
    }
    return true;
}

/* All that is asked before. Returns how many may be run; 0: none. */
static uint64_t prepare(const struct vt_synth_kernel *k, const struct run_memory *memory,
                        const struct processor_state *s, struct values *v,
                        uint8_t *streams[VT_PIXEL_STREAMS_MAX], uint64_t count, bool parallel)
{
    if (!read_values(k, memory, s, v) || !are_aligned(k, v)) {
        return 0;
    }
    count = in_memory(k, memory, v, count);
    if (count == 0 || !guards_hold(k, memory, s, v, count, parallel)) {
        return 0;
    }
    for (uint32_t i = 0; i < k->program.n_streams; i++) {
        streams[i] = host(v->positions[i]);
    }
    return count;
}

uint64_t run_kernel(const struct vt_synth_kernel *k, const struct run_memory *memory,
                    struct processor_state *s, uint64_t count, vt_pixel_entry *entry)
{
    struct values v;
    uint8_t *streams[VT_PIXEL_STREAMS_MAX];
    if (count == 0) {
        return 0;
    }
    count = prepare(k, memory, s, &v, streams, count, false);
    if (count == 0) {
        return RUN_DECLINED;
    }
    struct vt_pixel_call call = {
        .count = count, .inputs = v.inputs, .carries = v.carries, .streams = streams};
    uint64_t n = entry != NULL ? entry(&call) : vt_pixel_interpret(&k->program, &call);
    if (n > 0) {
        write_places(k, memory, s, v.carries);
    }
    return n;
}

uint64_t run_kernel_backwards(const struct vt_synth_kernel *k, const struct run_memory *memory,
                              struct processor_state *s, uint64_t count)
{
    enum { MOST = 40, BYTES = 65536 };
    static uint64_t carries[MOST + 1][VT_PIXEL_CARRIES_MAX];
    static uint8_t before[BYTES];
    struct values v;
    uint8_t *streams[VT_PIXEL_STREAMS_MAX], *at[VT_PIXEL_STREAMS_MAX];
    bool index = false;
    for (uint32_t i = 0; i < k->program.n_insns; i++) {
        index |= k->program.insns[i].op == VT_PIXEL_INDEX;
    }
    count = count < MOST ? count : MOST;
    count = prepare(k, memory, s, &v, streams, count, true);
    if (count == 0 || index || !vt_synth_any_order(k) || memory->bytes > BYTES) {
        return RUN_DECLINED;
    }
    /* What each iteration begins with, */
    memcpy(before, memory->at, memory->bytes);
    struct vt_pixel_call call = {
        .count = 1, .inputs = v.inputs, .carries = v.carries, .streams = at};
    for (uint64_t n = 0; n < count; n++) {
        memcpy(carries[n], v.carries, sizeof v.carries);
        for (uint32_t i = 0; i < k->program.n_streams; i++) {
            at[i] = streams[i] + (int64_t)n * v.strides[i];
        }
        if (vt_pixel_interpret(&k->program, &call) != 1) { /* an inner loop's trips ran out */
            count = n;
        }
    }
    memcpy(carries[count], v.carries, sizeof v.carries);
    /* and with that, the last one first. */
    memcpy(memory->at, before, memory->bytes);
    for (uint64_t n = count; n-- > 0;) {
        memcpy(v.carries, carries[n], sizeof v.carries);
        for (uint32_t i = 0; i < k->program.n_streams; i++) {
            at[i] = streams[i] + (int64_t)n * v.strides[i];
        }
        (void)vt_pixel_interpret(&k->program, &call);
    }
    write_places(k, memory, s, carries[count]);
    return count;
}

uint64_t run_trips(const struct vt_synth_kernel *k, const struct run_memory *memory,
                   const struct processor_state *s)
{
    struct values v;
    uint64_t all[VT_PIXEL_INPUTS_MAX + VT_PIXEL_CARRIES_MAX] = {0}, result = 0;
    if (k->trips == NULL) {
        return UINT64_MAX;
    }
    if (!read_values(k, memory, s, &v)) {
        return 0;
    }
    memcpy(all, v.inputs, k->program.n_inputs * sizeof *all);
    memcpy(all + k->program.n_inputs, v.carries, k->program.n_carries * sizeof *all);
    /* The last value, as a carry's next. */
    struct vt_pixel_program p = *k->trips;
    p.n_carries = 1;
    p.carries[0] = (struct vt_pixel_carry){.name = "trips", .bits = 64, .next = p.n_insns - 1};
    struct vt_pixel_call call = {.count = 1, .inputs = all, .carries = &result};
    (void)vt_pixel_interpret(&p, &call);
    return result;
}

uint8_t *run_window(const struct vt_synth_kernel *k, const struct run_memory *memory,
                    const struct processor_state *s, uint32_t stream)
{
    struct values v;
    return read_values(k, memory, s, &v) && in_memory(k, memory, &v, 1) == 1
               ? host(v.positions[stream]) + k->program.streams[stream].low
               : NULL;
}
