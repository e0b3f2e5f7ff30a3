/* synth/summary_pixel.c - what a kernel's program does, in the shoes of the code it stands for.
 *
 * Inputs and carries are what stood in their places at the head, loads and stores are at the
 * addresses that the streams' sums give. See summary.h.
 */
#include "synth/summary.h"

#include <stdlib.h>
#include <string.h>

static uint32_t find_cell(const struct vt_cell *cells, uint32_t n, const struct vt_place *place)
{
    for (uint32_t i = 0; i < n; i++) {
        if (cells[i].bytes == place->bytes && vt_linear_same(&cells[i].address, &place->address)) {
            return i;
        }
    }
    return n;
}

uint32_t vt_kernel_cells(const struct vt_synth_kernel *k, struct vt_cell cells[VT_SYNTH_CELLS_MAX])
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < k->program.n_inputs + k->program.n_carries; i++) {
        const struct vt_place *place =
            i < k->program.n_inputs ? &k->inputs[i] : &k->carries[i - k->program.n_inputs];
        if (place->kind == VT_PLACE_CELL && n < VT_SYNTH_CELLS_MAX &&
            find_cell(cells, n, place) == n) {
            cells[n++] = (struct vt_cell){.address = place->address, .bytes = place->bytes};
        }
    }
    return n;
}

/* ---------------------------------------------------------------- the program */

struct reader {
    struct vt_terms *terms;
    const struct vt_synth_kernel *k;
    const struct vt_summary *code;
    struct vt_summary *s;
    vt_term *values;
    vt_term position[VT_PIXEL_STREAMS_MAX];
    vt_term checked;                    /* 1 bit: all CHECKs so far */
    int32_t inside;                     /* the innermost loop that is open: of s->loops, or -1 */
    int32_t number[VT_PIXEL_LOOPS_MAX]; /* of s->loops, by the program's */
};

static bool place_fits(const struct vt_place *place, unsigned bits, bool carry)
{
    const struct vt_linear *a = &place->address;
    switch (place->kind) {
    case VT_PLACE_GPR:
    case VT_PLACE_XMM_LOW:
    case VT_PLACE_XMM_HIGH:
    case VT_PLACE_YMM_LOW:
    case VT_PLACE_YMM_HIGH:
        return bits == 64 && place->reg < 16;
    case VT_PLACE_FS_BASE:
    case VT_PLACE_GS_BASE:
        return bits == 64 && !carry;
    case VT_PLACE_CELL:
        if ((place->bytes != 1 && place->bytes != 2 && place->bytes != 4 && place->bytes != 8) ||
            bits != 8u * place->bytes || a->n > 4) {
            return false;
        }
        for (uint32_t i = 0; i < a->n; i++) {
            if (a->part[i].reg > VT_LINEAR_GS) {
                return false;
            }
        }
        return true;
    default:
        return false;
    }
}

static bool same_place(const struct vt_place *a, const struct vt_place *b)
{
    if (a->kind != b->kind) {
        return false;
    }
    return a->kind == VT_PLACE_CELL
               ? a->bytes == b->bytes && vt_linear_same(&a->address, &b->address)
               : a->reg == b->reg;
}

static int check_places(const struct vt_synth_kernel *k, struct vt_error *err)
{
    const struct vt_pixel_program *p = &k->program;
    for (uint32_t i = 0; i < p->n_inputs; i++) {
        if (!place_fits(&k->inputs[i], p->inputs[i].bits, false)) {
            return vt_fail(err, VT_E_CORRUPT, "input %s has no place it fits", p->inputs[i].name);
        }
    }
    for (uint32_t i = 0; i < p->n_carries; i++) {
        if (!place_fits(&k->carries[i], p->carries[i].bits, true)) {
            return vt_fail(err, VT_E_CORRUPT, "carry %s has no place it fits", p->carries[i].name);
        }
        for (uint32_t j = 0; j < i; j++) {
            if (same_place(&k->carries[i], &k->carries[j])) {
                return vt_fail(err, VT_E_CORRUPT, "carries %s and %s have one place",
                               p->carries[j].name, p->carries[i].name);
            }
        }
    }
    for (uint32_t i = 0; i < p->n_streams; i++) {
        const struct vt_linear *l = &k->streams[i];
        bool bad = l->n > 4;
        for (uint32_t j = 0; j < l->n && !bad; j++) {
            uint32_t place = l->part[j].reg - VT_LINEAR_PLACE;
            bad = l->part[j].reg > VT_LINEAR_GS &&
                  (l->part[j].reg < VT_LINEAR_PLACE || place >= p->n_inputs + p->n_carries ||
                   (place < p->n_inputs ? p->inputs[place].bits
                                        : p->carries[place - p->n_inputs].bits) < 32);
        }
        if (bad) {
            return vt_fail(err, VT_E_CORRUPT, "stream %s has no position", p->streams[i].name);
        }
    }
    return 0;
}

/* Where a place's value after the iteration belongs, and its value before. */
static vt_term *place_after(struct vt_summary *s, const struct vt_place *place)
{
    switch (place->kind) {
    case VT_PLACE_GPR:
        return &s->after.r[place->reg];
    case VT_PLACE_XMM_LOW:
    case VT_PLACE_XMM_HIGH:
    case VT_PLACE_YMM_LOW:
    case VT_PLACE_YMM_HIGH:
        return &s->after.xmm[place->reg][place->kind - VT_PLACE_XMM_LOW];
    default: {
        struct vt_cell *cell = &s->cells[find_cell(s->cells, s->n_cells, place)];
        cell->written = true;
        return &cell->after;
    }
    }
}

vt_term vt_place_term(const struct vt_summary *s, const struct vt_place *place, bool after)
{
    const struct vt_lift_state *state = after ? &s->after : &s->before;
    switch (place->kind) {
    case VT_PLACE_GPR:
        return state->r[place->reg];
    case VT_PLACE_XMM_LOW:
    case VT_PLACE_XMM_HIGH:
    case VT_PLACE_YMM_LOW:
    case VT_PLACE_YMM_HIGH:
        return state->xmm[place->reg][place->kind - VT_PLACE_XMM_LOW];
    case VT_PLACE_FS_BASE:
        return state->fs_base;
    case VT_PLACE_GS_BASE:
        return state->gs_base;
    default: {
        uint32_t i = find_cell(s->cells, s->n_cells, place);
        return i == s->n_cells ? 0 : after ? s->cells[i].after : s->cells[i].before;
    }
    }
}

static vt_term operand(const struct reader *r, uint32_t value)
{
    return value == VT_PIXEL_NONE ? 0 : r->values[value];
}

static vt_term add_access(struct reader *r, const struct vt_pixel_insn *i, vt_term value)
{
    struct vt_terms *t = r->terms;
    struct vt_summary *s = r->s;
    vt_term offset = vt_term_const(t, 64, i->imm), when = r->checked;
    if (i->a != VT_PIXEL_NONE) {
        offset = vt_term_2(t, VT_PIXEL_ADD, r->values[i->a], offset);
    }
    if (i->op == VT_PIXEL_STORE && i->c != VT_PIXEL_NONE) {
        when = vt_term_2(t, VT_PIXEL_AND, when, r->values[i->c]);
    }
    unsigned bits = i->op == VT_PIXEL_STORE ? vt_term_bits(t, value) : i->bits;
    uint32_t n = s->n_operations++;
    if (i->op == VT_PIXEL_LOAD) {
        const struct vt_memory_operation *theirs =
            n < r->code->n_operations ? &r->code->operations[n] : NULL;
        bool pair = theirs != NULL && !theirs->store && 8u * theirs->bytes == bits;
        value = pair ? theirs->value : vt_term_symbol(t, bits, "unpaired");
    }
    s->operations[n] = (struct vt_memory_operation){
        .store = i->op == VT_PIXEL_STORE,
        .bytes = (uint8_t)(bits / 8),
        .loop = r->inside,
        .when = when,
        .address = vt_term_2(t, VT_PIXEL_ADD, r->position[i->stream], offset),
        .value = value,
        .stream = i->stream,
        .offset = offset};
    return value;
}

/* The code's loop may have more variables, those that the program has no use for: which of them
 * is ours, the n-th of those that begin as it does. */
static uint32_t pair_variable(const struct reader *r, const struct vt_inner_loop *ours,
                              const struct vt_inner_loop *theirs, uint32_t v, uint32_t from)
{
    if (ours->n == theirs->n) {
        return v;
    }
    while (from < theirs->n && (theirs->initial[from] != ours->initial[v] ||
                                vt_term_bits(r->terms, theirs->variable[from]) !=
                                    vt_term_bits(r->terms, ours->initial[v]))) {
        from++;
    }
    return from;
}

static void begin_loop(struct reader *r, uint32_t which)
{
    const struct vt_pixel_loop *l = &r->k->program.loops[which];
    struct vt_summary *s = r->s;
    uint32_t n = s->n_loops++;
    const struct vt_inner_loop *theirs = n < r->code->n_loops ? &r->code->loops[n] : NULL;
    struct vt_inner_loop *loop = &s->loops[n];
    *loop = (struct vt_inner_loop){.parent = r->inside,
                                   .n = l->n,
                                   .when = vt_term_const(r->terms, 1, 1),
                                   .max_trips = l->max_trips};
    for (uint32_t v = 0; v < l->n; v++) {
        loop->initial[v] = r->values[l->initial[v]];
    }
    /* Where the code may pass its loop by, its results are something else then. */
    uint64_t always = 0;
    bool same_results =
        theirs != NULL && vt_term_is_const(r->terms, theirs->when, &always) && always == 1;
    for (uint32_t v = 0, from = 0; v < l->n; v++) {
        unsigned bits = vt_term_bits(r->terms, loop->initial[v]);
        uint32_t pair = theirs != NULL ? pair_variable(r, loop, theirs, v, from) : 0;
        bool paired = theirs != NULL && pair < theirs->n &&
                      vt_term_bits(r->terms, theirs->variable[pair]) == bits;
        from = paired ? pair + 1 : from;
        loop->variable[v] =
            paired ? theirs->variable[pair] : vt_term_symbol(r->terms, bits, "unpaired");
        loop->result[v] = paired && same_results ? theirs->result[pair]
                                                 : vt_term_symbol(r->terms, bits, "result");
    }
    r->number[which] = (int32_t)n;
    r->inside = (int32_t)n;
}

static void end_loop(struct reader *r, uint32_t which)
{
    const struct vt_pixel_loop *l = &r->k->program.loops[which];
    struct vt_inner_loop *loop = &r->s->loops[r->number[which]];
    for (uint32_t v = 0; v < l->n; v++) {
        loop->next[v] = r->values[l->next[v]];
    }
    loop->condition = r->values[l->condition];
    r->inside = loop->parent;
}

static vt_term read_insn(struct reader *r, const struct vt_pixel_insn *i)
{
    struct vt_terms *t = r->terms;
    switch (i->op) {
    case VT_PIXEL_CONST:
        return vt_term_const(t, i->bits, i->imm);
    case VT_PIXEL_INPUT:
        return vt_place_term(r->s, &r->k->inputs[i->imm], false);
    case VT_PIXEL_CARRY:
        return vt_place_term(r->s, &r->k->carries[i->imm], false);
    case VT_PIXEL_INDEX: /* nothing of the code is it, so nothing may depend on it */
        return vt_term_symbol(t, 64, "index");
    case VT_PIXEL_LOAD:
        return add_access(r, i, 0);
    case VT_PIXEL_STORE:
        return add_access(r, i, r->values[i->b]);
    case VT_PIXEL_CHECK:
        r->checked = vt_term_2(t, VT_PIXEL_AND, r->checked, r->values[i->a]);
        return 0;
    case VT_PIXEL_LOOP:
        begin_loop(r, (uint32_t)i->imm);
        return 0;
    case VT_PIXEL_VARIABLE:
        return r->s->loops[r->inside].variable[i->imm];
    case VT_PIXEL_END:
        end_loop(r, (uint32_t)i->imm);
        return 0;
    case VT_PIXEL_RESULT:
        return r->s->loops[r->number[i->a]].result[i->imm];
    default:
        return vt_term_make(t, i->op, i->bits, i->lane, operand(r, i->a), operand(r, i->b),
                            operand(r, i->c), i->imm);
    }
}

static int fill(struct reader *r, struct vt_error *err)
{
    const struct vt_pixel_program *p = &r->k->program;
    struct vt_summary *s = r->s;
    s->before = r->code->before;
    s->n_cells = r->code->n_cells;
    memcpy(s->cells, r->code->cells, sizeof s->cells);
    for (uint32_t i = 0; i < s->n_cells; i++) {
        s->cells[i].after = s->cells[i].before;
        s->cells[i].written = false;
    }
    for (uint32_t i = 0; i < p->n_inputs + p->n_carries; i++) {
        const struct vt_place *place =
            i < p->n_inputs ? &r->k->inputs[i] : &r->k->carries[i - p->n_inputs];
        if (vt_place_term(s, place, false) == 0) {
            return vt_fail(err, VT_E_CORRUPT, "a cell of the kernel is none of its code");
        }
    }
    for (uint32_t i = 0; i < p->n_streams; i++) {
        r->position[i] = vt_position_term(r->terms, r->k, i, s, false);
    }
    for (uint32_t i = 0; i < p->n_insns; i++) {
        r->values[i] = read_insn(r, &p->insns[i]);
    }
    s->after = s->before;
    for (uint32_t i = 0; i < p->n_carries; i++) {
        *place_after(s, &r->k->carries[i]) = r->values[p->carries[i].next];
    }
    s->comes_back = r->checked;
    s->instructions = r->code->instructions;
    return vt_terms_broken(r->terms) ? vt_fail(err, VT_E_NOMEM, "a program as terms") : 0;
}

int vt_summary_of_pixel(struct vt_terms *terms, const struct vt_synth_kernel *k,
                        const struct vt_summary *code, struct vt_summary *s, struct vt_error *err)
{
    int rc = check_places(k, err);
    if (rc != 0) {
        return rc;
    }
    const struct vt_pixel_program *p = &k->program;
    uint32_t accesses = 0;
    for (uint32_t i = 0; i < p->n_insns; i++) {
        accesses += p->insns[i].op == VT_PIXEL_LOAD || p->insns[i].op == VT_PIXEL_STORE;
    }
    *s = (struct vt_summary){.room = accesses};
    struct reader r = {.terms = terms,
                       .k = k,
                       .code = code,
                       .s = s,
                       .values = calloc(p->n_insns + 1, sizeof *r.values),
                       .checked = vt_term_const(terms, 1, 1),
                       .inside = -1};
    s->operations = calloc(accesses + 1, sizeof *s->operations);
    s->loops = calloc(p->n_loops + 1, sizeof *s->loops);
    rc = r.values != NULL && s->operations != NULL && s->loops != NULL
             ? fill(&r, err)
             : vt_fail(err, VT_E_NOMEM, "a program as terms");
    free(r.values);
    if (rc != 0) {
        vt_summary_fini(s);
    }
    return rc;
}
