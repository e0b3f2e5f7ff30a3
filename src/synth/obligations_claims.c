/* synth/obligations_claims.c - what a kernel claims beside its program: where streams go, that
 * cells stay, alignment, how many iterations come back, what must be disjoint. See obligations.h.
 */
#include "synth/obligations.h"

#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- trips */

/* The program's value over a state. Its inputs are the kernel's, then the kernel's carries. */
static vt_term trips_of(struct vt_prover *p, vt_term *values, const struct vt_summary *s,
                        bool after)
{
    const struct vt_synth_kernel *k = p->k;
    const struct vt_pixel_program *trips = k->trips;
    for (uint32_t i = 0; i < trips->n_insns; i++) {
        const struct vt_pixel_insn *insn = &trips->insns[i];
        if (insn->op == VT_PIXEL_CONST) {
            values[i] = vt_term_const(p->t, insn->bits, insn->imm);
        } else if (insn->op == VT_PIXEL_INPUT) {
            uint64_t n = insn->imm;
            const struct vt_place *place =
                n < k->program.n_inputs ? &k->inputs[n] : &k->carries[n - k->program.n_inputs];
            values[i] = vt_place_term(s, place, after);
        } else {
            vt_term of[3] = {insn->a, insn->b, insn->c};
            for (unsigned j = 0; j < 3; j++) {
                of[j] = of[j] == VT_PIXEL_NONE ? 0 : values[of[j]];
            }
            values[i] = vt_term_make(p->t, insn->op, insn->bits, insn->lane, of[0], of[1], of[2],
                                     insn->imm);
        }
    }
    return values[trips->n_insns - 1];
}

static bool is_trips_program(const struct vt_synth_kernel *k)
{
    const struct vt_pixel_program *p = &k->program, *t = k->trips;
    bool good = t->n_carries == 0 && t->n_streams == 0 && t->n_loops == 0 &&
                t->n_inputs == p->n_inputs + p->n_carries && t->n_insns > 0 &&
                t->insns[t->n_insns - 1].bits == 64;
    for (uint32_t i = 0; i < t->n_inputs && good; i++) {
        good = t->inputs[i].bits ==
               (i < p->n_inputs ? p->inputs[i].bits : p->carries[i - p->n_inputs].bits);
    }
    for (uint32_t i = 0; i < t->n_insns && good; i++) {
        good = t->insns[i].op != VT_PIXEL_CHECK && t->insns[i].op != VT_PIXEL_INDEX;
    }
    return good;
}

int vt_oblige_trips_program(struct vt_prover *p)
{
    if (p->k->trips == NULL) {
        return 0;
    }
    int rc = vt_pixel_validate(p->k->trips, p->err);
    rc = rc != 0 ? rc
                 : vt_oblige_fact(p, "trips.program", is_trips_program(p->k),
                                  "it is not of the kernel's inputs and carries alone");
    if (rc != 0) {
        return rc;
    }
    vt_term *values = calloc(p->k->trips->n_insns, sizeof *values);
    if (values == NULL) {
        return vt_fail(p->err, VT_E_NOMEM, "a proof");
    }
    p->trips = trips_of(p, values, &p->pixel, false);
    free(values);
    return 0;
}

/* With "back", which has trips > 0 among what it follows from, this is induction: from a state with
 * n trips, n iterations come back. */
static int oblige_trips(struct vt_prover *p)
{
    if (p->trips == 0) {
        return 0;
    }
    vt_term *values = calloc(p->k->trips->n_insns, sizeof *values);
    if (values == NULL) {
        return vt_fail(p->err, VT_E_NOMEM, "a proof");
    }
    vt_term next = trips_of(p, values, &p->pixel, true), one = vt_term_const(p->t, 64, 1),
            assumed[VT_ASSUMED_MAX + 1];
    free(values);
    memcpy(assumed, p->happens, sizeof p->happens);
    assumed[p->n_happens] = vt_term_compare(p->t, VT_PIXEL_ULT, one, p->trips);
    return vt_oblige(
        p, "trips.next", assumed, p->n_happens + 1,
        vt_term_compare(p->t, VT_PIXEL_ULE, vt_term_2(p->t, VT_PIXEL_SUB, p->trips, one), next));
}

/* ---------------------------------------------------------------- what is taken for granted */

/* In any state at all, equal or not: whether the program does anything, if only a load. */
static int does_anything(struct vt_prover *p, const struct vt_summary *any, vt_term *does)
{
    if (p->k->trips != NULL) {
        vt_term *values = calloc(p->k->trips->n_insns, sizeof *values);
        if (values == NULL) {
            return vt_fail(p->err, VT_E_NOMEM, "a proof");
        }
        *does = vt_term_compare(p->t, VT_PIXEL_NE, trips_of(p, values, any, false),
                                vt_term_const(p->t, 64, 0));
        free(values);
        return 0;
    }
    struct vt_summary pixel;
    int rc = vt_summary_of_pixel(p->t, p->k, any, &pixel, p->err);
    if (rc != 0) {
        return rc;
    }
    *does = pixel.comes_back;
    for (uint32_t i = 0; i < pixel.n_operations; i++) {
        *does = vt_term_2(p->t, VT_PIXEL_OR, *does, pixel.operations[i].when);
    }
    vt_summary_fini(&pixel);
    return 0;
}

static int oblige_equal(struct vt_prover *p)
{
    struct vt_summary any = {.n_cells = p->code.n_cells};
    vt_term does;
    if (p->k->n_equal == 0) {
        return 0;
    }
    vt_lift_symbols(p->t, &any.before);
    memcpy(any.cells, p->code.cells, sizeof any.cells);
    for (uint32_t i = 0; i < any.n_cells; i++) {
        any.cells[i].before = vt_term_symbol(p->t, 8U * any.cells[i].bytes, "cell");
    }
    int rc = does_anything(p, &any, &does);
    char name[48];
    for (uint32_t i = 0; i < p->k->n_equal && rc == 0; i++) {
        snprintf(name, sizeof name, "equal.%u.guarded", i);
        rc = vt_oblige(p, name, &does, 1, vt_equal_term(p->t, &p->k->equal[i], &any, false));
        snprintf(name, sizeof name, "equal.%u.stays", i);
        rc = rc != 0 ? rc
                     : vt_oblige(p, name, p->happens, p->n_happens,
                                 vt_equal_term(p->t, &p->k->equal[i], &p->pixel, true));
    }
    return rc;
}

/* ---------------------------------------------------------------- what stays, what goes on */

static int oblige_inputs(struct vt_prover *p)
{
    const struct vt_synth_kernel *k = p->k;
    char name[48];
    int rc = 0;
    for (uint32_t i = 0; i < k->program.n_inputs && rc == 0; i++) {
        snprintf(name, sizeof name, "input.%s", k->program.inputs[i].name);
        rc = vt_oblige_equal(p, name, p->happens, p->n_happens,
                             vt_place_term(&p->pixel, &k->inputs[i], true),
                             vt_place_term(&p->pixel, &k->inputs[i], false));
    }
    return rc;
}

static int oblige_cells(struct vt_prover *p)
{
    char name[48];
    int rc = 0;
    for (uint32_t i = 0; i < p->code.n_cells && rc == 0; i++) {
        const struct vt_linear *address = &p->code.cells[i].address;
        snprintf(name, sizeof name, "cell.%u.stays", i);
        rc = vt_oblige_equal(p, name, p->happens, p->n_happens,
                             vt_linear_term(p->t, address, &p->pixel.after),
                             vt_linear_term(p->t, address, &p->pixel.before));
    }
    return rc;
}

static vt_term stride_of(struct vt_prover *p, uint32_t i)
{
    const struct vt_pixel_stream *s = &p->k->program.streams[i];
    return s->stride_input != VT_PIXEL_NONE
               ? vt_place_term(&p->pixel, &p->k->inputs[s->stride_input], false)
               : vt_term_const(p->t, 64, (uint64_t)s->stride);
}

static int oblige_strides(struct vt_prover *p)
{
    char name[48];
    int rc = 0;
    for (uint32_t i = 0; i < p->k->program.n_streams && rc == 0; i++) {
        vt_term before = vt_position_term(p->t, p->k, i, &p->pixel, false),
                after = vt_position_term(p->t, p->k, i, &p->pixel, true);
        snprintf(name, sizeof name, "stream.%u.stride", i);
        rc = vt_oblige_equal(p, name, p->happens, p->n_happens, after,
                             vt_term_2(p->t, VT_PIXEL_ADD, before, stride_of(p, i)));
    }
    return rc;
}

/* An address within an inner loop, as it is in any trip of it and of those around it. */
static vt_term in_any_trip(struct vt_prover *p, vt_term address)
{
    const struct vt_summary *code = &p->code;
    int32_t which = -1;
    for (uint32_t i = 0; i < code->n_operations && which < 0; i++) {
        which = code->operations[i].address == address ? code->operations[i].loop : -1;
    }
    for (; which >= 0; which = code->loops[which].parent) {
        vt_term to[VT_PIXEL_VARIABLES_MAX];
        (void)vt_in_trip(p, &code->loops[which], vt_term_symbol(p->t, 64, "trip"), to);
        address = vt_term_substitute(p->t, address, code->loops[which].variable, to,
                                     code->loops[which].n);
    }
    return address;
}

/* Guards see to it that the first position of these streams is aligned, and a stride that is an
 * input, which stays. */
static int oblige_alignment(struct vt_prover *p)
{
    struct vt_terms *t = p->t;
    vt_term assumed[VT_ASSUMED_MAX + 2 * VT_PIXEL_STREAMS_MAX], yes = vt_term_const(t, 1, 1);
    memcpy(assumed, p->happens, sizeof p->happens);
    uint32_t n = p->n_happens;
    for (uint32_t i = 0; i < p->k->program.n_streams; i++) {
        if (p->k->aligned[i]) {
            assumed[n++] = vt_address_is_aligned(t, vt_position_term(t, p->k, i, &p->pixel, false),
                                                 p->k->aligned[i]);
            if (p->k->program.streams[i].stride_input != VT_PIXEL_NONE) {
                assumed[n++] = vt_address_is_aligned(t, stride_of(p, i), p->k->aligned[i]);
            }
        }
    }
    char name[48];
    int rc = 0;
    for (uint32_t i = 0; i < p->k->program.n_streams && rc == 0; i++) {
        if (p->k->aligned[i]) {
            snprintf(name, sizeof name, "stream.%u.aligned", i);
            vt_term after = vt_position_term(t, p->k, i, &p->pixel, true);
            rc = vt_oblige_equal(p, name, assumed, n,
                                 vt_address_is_aligned(t, after, p->k->aligned[i]), yes);
        }
    }
    for (uint32_t i = 0; i < p->code.n_aligned && rc == 0; i++) {
        snprintf(name, sizeof name, "aligned.%u", i);
        vt_term address = in_any_trip(p, p->code.aligned[i]);
        rc = vt_oblige_equal(p, name, assumed, n,
                             vt_address_is_aligned(t, address, p->code.aligned_to[i]), yes);
    }
    return rc;
}

/* ---------------------------------------------------------------- disjointness */

/* What a number of struct vt_disjoint names. */
struct bytes {
    bool there, reads, writes;
    const struct vt_place *cell; /* NULL: a stream */
};

static struct bytes bytes_of(const struct vt_synth_kernel *k, uint32_t i)
{
    const struct vt_pixel_program *p = &k->program;
    if (i < p->n_streams) {
        const struct vt_pixel_stream *s = &p->streams[i];
        return (struct bytes){.there = true, .reads = s->reads, .writes = s->writes};
    }
    i -= p->n_streams;
    const struct vt_place *place = i < p->n_inputs ? &k->inputs[i] : &k->carries[i - p->n_inputs];
    return (struct bytes){.there = place->kind == VT_PLACE_CELL,
                          .reads = true,
                          .writes = i >= p->n_inputs,
                          .cell = place};
}

/* Cells of the same registers lie side by side, or are the same one. */
static bool known_apart(const struct vt_place *a, const struct vt_place *b)
{
    bool same = vt_linear_alike(&a->address, &b->address);
    uint64_t behind = b->address.constant - a->address.constant;
    return same && ((behind == 0 && a->bytes == b->bytes) ||
                    (behind >= a->bytes && 0 - behind >= b->bytes));
}

uint32_t vt_kernel_disjoint(const struct vt_synth_kernel *k, struct vt_disjoint *pairs,
                            uint32_t room)
{
    const struct vt_pixel_program *p = &k->program;
    uint32_t all = p->n_streams + p->n_inputs + p->n_carries, n = 0;
    for (uint32_t a = 0; a < all; a++) {
        struct bytes x = bytes_of(k, a);
        for (uint32_t b = a + 1; b < all && x.there; b++) {
            struct bytes y = bytes_of(k, b);
            bool touch = y.there && ((x.writes && (y.reads || y.writes)) || (y.writes && x.reads)),
                 streams = x.cell == NULL && y.cell == NULL;
            bool cells = x.cell != NULL && y.cell != NULL;
            /* Streams are apart only where there is another order than one after the other. */
            if (!touch || (streams && !p->independent) || (cells && known_apart(x.cell, y.cell))) {
                continue;
            }
            if (n == room) {
                return UINT32_MAX;
            }
            pairs[n++] =
                (struct vt_disjoint){.a = (uint8_t)a, .b = (uint8_t)b, .only_parallel = streams};
        }
    }
    return n;
}

bool vt_synth_any_order(const struct vt_synth_kernel *k)
{
    const struct vt_pixel_program *p = &k->program;
    for (uint32_t i = 0; i < p->n_streams; i++) {
        const struct vt_pixel_stream *s = &p->streams[i];
        uint64_t stride = s->stride < 0 ? 0 - (uint64_t)s->stride : (uint64_t)s->stride,
                 window = (uint64_t)((int64_t)s->high - s->low);
        if (s->writes && (s->stride_input != VT_PIXEL_NONE || stride < window)) {
            return false;
        }
    }
    return p->independent;
}

static bool listed(const struct vt_synth_kernel *k, const struct vt_disjoint *pair)
{
    for (uint32_t i = 0; i < k->n_disjoint; i++) {
        const struct vt_disjoint *d = &k->disjoint[i];
        bool same = (d->a == pair->a && d->b == pair->b) || (d->a == pair->b && d->b == pair->a);
        if (same && (pair->only_parallel || !d->only_parallel)) {
            return true;
        }
    }
    return false;
}

/* What the guards are told to keep apart is all that the argument needs apart. */
static int oblige_disjoint(struct vt_prover *p)
{
    const struct vt_synth_kernel *k = p->k;
    struct vt_disjoint pairs[sizeof k->disjoint / sizeof k->disjoint[0]];
    uint32_t room = sizeof pairs / sizeof pairs[0], n = vt_kernel_disjoint(k, pairs, room),
             all = k->program.n_streams + k->program.n_inputs + k->program.n_carries;
    bool good = n != UINT32_MAX && k->n_disjoint <= room;
    for (uint32_t i = 0; i < n && good; i++) {
        good = listed(k, &pairs[i]);
    }
    for (uint32_t i = 0; i < k->n_disjoint && good; i++) { /* guards must be able to follow it */
        good = k->disjoint[i].a < all && k->disjoint[i].b < all &&
               bytes_of(k, k->disjoint[i].a).there && bytes_of(k, k->disjoint[i].b).there;
    }
    return vt_oblige_fact(p, "disjoint", good,
                          "the kernel does not ask for all that must be disjoint");
}

int vt_oblige_claims(struct vt_prover *p)
{
    int rc = oblige_equal(p);
    rc = rc != 0 ? rc : oblige_inputs(p);
    rc = rc != 0 ? rc : oblige_cells(p);
    rc = rc != 0 ? rc : oblige_strides(p);
    rc = rc != 0 ? rc : oblige_alignment(p);
    rc = rc != 0 ? rc : oblige_trips(p);
    return rc != 0 ? rc : oblige_disjoint(p);
}
