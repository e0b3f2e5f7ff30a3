/* synth/make_equal.c - which pointers are how far from rsp, in a state of the loop. See
 * make_parts.h.
 *
 * Of interest is what no iteration changes and what addresses or conditions are made of: a register
 * that points into the stack, or a pointer that lies in it; in a loop whose addresses count from
 * its own code also one that points to data near by. Where that does not help, also the bounds of
 * inner loops, so that their trips are known: small numbers, and pointers that are not far from
 * where the loop begins. That it is so in other states, too, is for the kernel's trips to ask.
 */
#include "synth/make_parts.h"

#include <string.h>

#define RSP 4u
#define ROUNDS 4u
#define STACK_BELOW 128u /* the red zone */
#define STACK_ABOVE (UINT64_C(1) << 16)
#define BOUND 4096u
#define DATA_NEAR (UINT64_C(1) << 24) /* from the code */

/* ---------------------------------------------------------------- what is of interest */

struct wanted {
    const struct vt_summary *s;
    bool gpr[16], cell[VT_SYNTH_CELLS_MAX];
};

static void want(void *arg, vt_term symbol)
{
    struct wanted *w = arg;
    for (uint32_t i = 0; i < 16; i++) {
        w->gpr[i] |= symbol == w->s->before.r[i] && w->s->after.r[i] == symbol;
    }
    for (uint32_t i = 0; i < w->s->n_cells; i++) {
        const struct vt_cell *c = &w->s->cells[i];
        w->cell[i] |= symbol == c->before && c->after == symbol && c->bytes == 8;
    }
}

static void find_wanted(struct vt_terms *t, const struct vt_summary *s, struct wanted *w)
{
    *w = (struct wanted){.s = s};
    for (uint32_t i = 0; i < s->n_operations; i++) {
        vt_term_symbols(t, s->operations[i].address, want, w);
    }
    for (uint32_t i = 0; i < s->n_cells; i++) { /* found by another register than it is wanted by */
        vt_term_symbols(t, vt_linear_term(t, &s->cells[i].address, &s->before), want, w);
    }
    for (uint32_t i = 0; i < s->n_loops; i++) {
        const struct vt_inner_loop *l = &s->loops[i];
        vt_term_symbols(t, l->condition, want, w);
        for (uint32_t v = 0; v < l->n; v++) {
            vt_term_symbols(t, l->initial[v], want, w);
        }
    }
}

/* ---------------------------------------------------------------- what it is */

static bool is_pointer(const struct vt_synth_loop *loop, const struct vt_synth_state *state,
                       uint64_t value, struct vt_linear *sum)
{
    uint64_t from_rsp = value - state->r[RSP];
    if (from_rsp < STACK_ABOVE || 0 - from_rsp <= STACK_BELOW) {
        *sum = (struct vt_linear){.constant = from_rsp, .n = 1, .part = {{RSP, 1}}};
        return true;
    }
    *sum = (struct vt_linear){.constant = value};
    return vt_synth_loop_is_bound(loop) &&
           (value - loop->head < DATA_NEAR || loop->head - value < DATA_NEAR);
}

static bool address_of(const struct vt_synth_state *state, const struct vt_linear *address,
                       uint64_t *at)
{
    *at = address->constant;
    for (uint32_t i = 0; i < address->n; i++) {
        if (address->part[i].reg >= 16) {
            return false;
        }
        *at += address->part[i].coefficient * state->r[address->part[i].reg];
    }
    return true;
}

static struct vt_place place_of(uint32_t reg)
{
    return (struct vt_place){.kind = VT_PLACE_GPR, .reg = (uint8_t)reg};
}

static void add(struct vt_given *given, struct vt_place place, const struct vt_linear *sum)
{
    if (given->n_equal < VT_SYNTH_EQUAL_MAX) {
        given->equal[given->n_equal++] = (struct vt_equal){.place = place, .sum = *sum};
    }
}

static void add_registers(const struct vt_synth_loop *loop, const struct vt_synth_state *state,
                          const struct wanted *w, struct vt_given *given)
{
    struct vt_linear sum;
    for (uint32_t i = 0; i < 16; i++) {
        bool other = w->s->before.r[i] != w->s->before.r[RSP];
        if (other && w->gpr[i] && w->s->after.r[RSP] == w->s->before.r[RSP] &&
            is_pointer(loop, state, state->r[i], &sum)) {
            add(given, place_of(i), &sum);
        }
    }
}

static void add_cells(const struct vt_synth_loop *loop, const struct vt_synth_state *state,
                      const struct wanted *w, struct vt_given *given)
{
    for (uint32_t i = 0; i < w->s->n_cells; i++) {
        const struct vt_cell *c = &w->s->cells[i];
        struct vt_linear sum;
        uint64_t at, value;
        if (w->cell[i] && given->n_equal < VT_SYNTH_EQUAL_MAX &&
            address_of(state, &c->address, &at) &&
            state->read(state->arg, at, &value, sizeof value) &&
            is_pointer(loop, state, value, &sum)) {
            add(given, (struct vt_place){.kind = VT_PLACE_CELL, .bytes = 8, .address = c->address},
                &sum);
            given->cells[given->n_cells++] = (struct vt_cell){.address = c->address, .bytes = 8};
        }
    }
}

/* ---------------------------------------------------------------- bounds of inner loops */

static bool is_place(const struct vt_given *given, uint32_t reg)
{
    bool found = false;
    for (uint32_t i = 0; i < given->n_equal; i++) {
        found |= given->equal[i].place.kind == VT_PLACE_GPR && given->equal[i].place.reg == reg;
    }
    return found;
}

static bool is_base(const struct vt_given *given, uint32_t reg)
{
    bool found = false;
    for (uint32_t i = 0; i < given->n_equal; i++) {
        for (uint32_t k = 0; k < given->equal[i].sum.n; k++) {
            found |= given->equal[i].sum.part[k].reg == reg;
        }
    }
    return found;
}

/* Registers that stay, in the condition of one loop, by what they are: a number, or so far from
 * another one from which a variable of the loop begins. */
static void add_bounds_of(struct vt_terms *t, const struct vt_synth_state *state,
                          const struct vt_summary *s, const struct vt_inner_loop *l,
                          struct vt_given *given)
{
    struct wanted bounds = {.s = s}, begins = {.s = s};
    vt_term_symbols(t, l->condition, want, &bounds);
    for (uint32_t v = 0; v < l->n; v++) {
        vt_term_symbols(t, l->initial[v], want, &begins);
    }
    for (uint32_t i = 0; i < 16; i++) {
        if (!bounds.gpr[i] || i == RSP || is_place(given, i) || is_base(given, i)) {
            continue;
        }
        struct vt_linear sum = {.constant = state->r[i]};
        bool found = state->r[i] < BOUND;
        for (uint32_t k = 0; k < 16 && !found; k++) {
            uint64_t apart = state->r[i] - state->r[k];
            found = begins.gpr[k] && k != i && !is_place(given, k) &&
                    (apart < BOUND || 0 - apart < BOUND);
            if (found) {
                sum = (struct vt_linear){.constant = apart, .n = 1, .part = {{k, 1}}};
            }
        }
        if (found) {
            add(given, place_of(i), &sum);
        }
    }
}

/* What is found lets more be found: a register that is spilled and loaded again stays only where
 * that is known to be one variable. */
static bool find_more(const struct vt_synth_loop *loop, const struct vt_synth_state *state,
                      bool bounds, struct vt_given *given)
{
    struct vt_terms *terms = vt_terms_create();
    struct vt_summary s = {0};
    struct vt_given all = *given;
    struct wanted w;
    uint32_t before = given->n_equal;
    bool good =
        terms != NULL && (vt_make_summarise(terms, loop, VT_SYNTH_CELLS_MAX, &all, &s, NULL) == 0 ||
                          vt_summary_of_code(terms, loop, given, &s, NULL) == 0);
    if (good) {
        find_wanted(terms, &s, &w);
        add_registers(loop, state, &w, given);
        add_cells(loop, state, &w, given);
        for (uint32_t i = 0; i < s.n_loops && bounds; i++) {
            add_bounds_of(terms, state, &s, &s.loops[i], given);
        }
        vt_summary_fini(&s);
    }
    vt_terms_destroy(terms);
    return given->n_equal > before;
}

void vt_make_find_equal(const struct vt_synth_loop *loop, const struct vt_synth_state *state,
                        bool bounds, struct vt_given *given)
{
    memset(given, 0, sizeof *given);
    for (unsigned round = 0; round < ROUNDS && find_more(loop, state, bounds, given); round++) {
    }
}

/* ---------------------------------------------------------------- what overlaps */

/* A pointer among the kernel's places. */
static bool pointer_of(const struct vt_synth_kernel *k, const struct vt_synth_state *state,
                       uint32_t which, uint64_t *value)
{
    const struct vt_pixel_program *p = &k->program;
    const struct vt_place *place =
        which < p->n_inputs ? &k->inputs[which] : &k->carries[which - p->n_inputs];
    uint64_t at;
    return which < p->n_inputs + p->n_carries && place->kind == VT_PLACE_CELL &&
           place->bytes == 8 && address_of(state, &place->address, &at) &&
           state->read(state->arg, at, value, sizeof *value);
}

static bool extent_of(const struct vt_synth_kernel *k, const struct vt_synth_state *state,
                      uint32_t which, uint64_t *at, uint64_t *bytes)
{
    const struct vt_pixel_program *p = &k->program;
    if (which >= p->n_streams) {
        which -= p->n_streams;
        const struct vt_place *place =
            which < p->n_inputs ? &k->inputs[which] : &k->carries[which - p->n_inputs];
        *bytes = place->bytes;
        return address_of(state, &place->address, at);
    }
    const struct vt_pixel_stream *stream = &p->streams[which];
    struct vt_linear registers = {.constant = k->streams[which].constant};
    uint64_t more = 0;
    for (uint32_t i = 0; i < k->streams[which].n; i++) {
        uint64_t value;
        if (k->streams[which].part[i].reg < VT_LINEAR_PLACE) {
            registers.part[registers.n++] = k->streams[which].part[i];
        } else if (pointer_of(k, state, k->streams[which].part[i].reg - VT_LINEAR_PLACE, &value)) {
            more += value * k->streams[which].part[i].coefficient;
        } else {
            return false;
        }
    }
    *bytes = (uint64_t)((int64_t)stream->high - stream->low);
    bool known = stream->stride == 0 && stream->stride_input == VT_PIXEL_NONE &&
                 address_of(state, &registers, at);
    *at += more + (uint64_t)(int64_t)stream->low;
    return known;
}

bool vt_make_overlaps(const struct vt_synth_kernel *k, const struct vt_synth_state *state)
{
    bool found = false;
    for (uint32_t i = 0; i < k->n_disjoint && !found; i++) {
        uint64_t a, b, a_bytes, b_bytes;
        if (!k->disjoint[i].only_parallel && extent_of(k, state, k->disjoint[i].a, &a, &a_bytes) &&
            extent_of(k, state, k->disjoint[i].b, &b, &b_bytes)) {
            found = a - b < b_bytes || b - a < a_bytes;
        }
    }
    return found;
}
