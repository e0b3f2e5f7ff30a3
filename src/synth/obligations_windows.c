/* synth/obligations_windows.c - every access of a program lies in its stream's window.
 *
 * An access outside of loops is asked for as it is. In an inner loop its offset depends on the
 * loop's variables, of which a free symbol says too little; three ways are tried. As they are: for
 * offsets that are masked. Counted: a variable that goes on by a constant is initial + constant ×
 * trip, a trip is less than the loop's most, and but for the first, the loop's condition held a
 * trip before. By induction: it is so in the first trip, and if it is so in one that goes on, in
 * the next.
 */
#include "synth/obligations.h"

#include <string.h>

/* The offset is in [low, high - bytes], as a signed number. */
static vt_term inside(struct vt_prover *p, const struct vt_memory_operation *o, vt_term offset)
{
    const struct vt_pixel_stream *s = &p->k->program.streams[o->stream];
    struct vt_terms *t = p->t;
    if (s->high - s->low < o->bytes) {
        return vt_term_const(t, 1, 0);
    }
    vt_term low = vt_term_const(t, 64, (uint64_t)(int64_t)s->low),
            high = vt_term_const(t, 64, (uint64_t)((int64_t)s->high - o->bytes));
    return vt_term_and(t, vt_term_compare(t, VT_PIXEL_SLE, low, offset),
                       vt_term_compare(t, VT_PIXEL_SLE, offset, high));
}

/* next = variable + *step, whatever else is. */
static bool step_of(struct vt_prover *p, const struct vt_inner_loop *loop, uint32_t v,
                    uint64_t *step)
{
    vt_term by = vt_term_2(p->t, VT_PIXEL_SUB, loop->next[v], loop->variable[v]);
    struct vt_term_sum sum;
    if (vt_term_is_const(p->t, by, step)) {
        return true;
    }
    if (vt_term_bits(p->t, by) != 64 || !vt_term_linear(p->t, by, &sum) || sum.n != 0) {
        return false;
    }
    *step = sum.constant;
    return true;
}

uint32_t vt_in_trip(struct vt_prover *p, const struct vt_inner_loop *loop, vt_term trip,
                    vt_term to[VT_PIXEL_VARIABLES_MAX])
{
    uint32_t counts = 0;
    for (uint32_t v = 0; v < loop->n; v++) {
        unsigned bits = vt_term_bits(p->t, loop->variable[v]);
        uint64_t step;
        if (step_of(p, loop, v, &step)) {
            vt_term by = vt_term_2(p->t, VT_PIXEL_MUL, vt_term_zext(p->t, trip, bits),
                                   vt_term_const(p->t, bits, step));
            to[v] = vt_term_2(p->t, VT_PIXEL_ADD, loop->initial[v], by);
            counts++;
        } else {
            to[v] = vt_term_symbol(p->t, bits, "any");
        }
    }
    return counts;
}

/* Symbols of a trip that are not its variables: what is loaded in the loop, and results of loops in
 * it. The same ones of another trip are others. */
static uint32_t of_trip(struct vt_prover *p, int32_t which, vt_term *from, vt_term *to,
                        uint32_t room)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->pixel.n_operations; i++) {
        const struct vt_memory_operation *o = &p->pixel.operations[i];
        int32_t in = o->loop;
        while (in >= 0 && in != which) {
            in = p->pixel.loops[in].parent;
        }
        if (in == which && n < room) {
            from[n++] = o->value;
        }
    }
    for (uint32_t i = 0; i < p->pixel.n_loops; i++) {
        int32_t in = p->pixel.loops[i].parent;
        while (in >= 0 && in != which) {
            in = p->pixel.loops[in].parent;
        }
        for (uint32_t v = 0; in == which && v < p->pixel.loops[i].n && n < room; v++) {
            from[n++] = p->pixel.loops[i].result[v];
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        to[i] = vt_term_symbol(p->t, vt_term_bits(p->t, from[i]), "other");
    }
    return n;
}

#define OTHERS_MAX 1024u

/* The loop's condition at the end of the trip before. */
static vt_term condition_before(struct vt_prover *p, int32_t which, vt_term trip)
{
    const struct vt_inner_loop *loop = &p->pixel.loops[which];
    vt_term from[OTHERS_MAX + VT_PIXEL_VARIABLES_MAX], to[OTHERS_MAX + VT_PIXEL_VARIABLES_MAX];
    vt_term before = vt_term_2(p->t, VT_PIXEL_SUB, trip, vt_term_const(p->t, 64, 1));
    vt_in_trip(p, loop, before, to);
    memcpy(from, loop->variable, loop->n * sizeof *from);
    uint32_t others = of_trip(p, which, from + loop->n, to + loop->n, OTHERS_MAX);
    return others == OTHERS_MAX
               ? vt_term_const(p->t, 1, 1)
               : vt_term_substitute(p->t, loop->condition, from, to, loop->n + others);
}

/* Counted trips, of all loops around the access, the innermost first: its variables begin as
 * something of the next one's. */
static int try_counted(struct vt_prover *p, const char *name, const struct vt_memory_operation *o,
                       const vt_term *assumed, uint32_t n)
{
    vt_term all[VT_ASSUMED_MAX], offset = o->offset, to[VT_PIXEL_VARIABLES_MAX];
    memcpy(all, assumed, n * sizeof *all);
    uint32_t first = n;
    for (int32_t which = o->loop; which >= 0; which = p->pixel.loops[which].parent) {
        const struct vt_inner_loop *loop = &p->pixel.loops[which];
        vt_term trip = vt_term_symbol(p->t, 64, "trip"), zero = vt_term_const(p->t, 64, 0);
        if (vt_in_trip(p, loop, trip, to) == 0 || n + 2 > VT_ASSUMED_MAX) {
            return 0;
        }
        vt_term condition = condition_before(p, which, trip);
        offset = vt_term_substitute(p->t, offset, loop->variable, to, loop->n);
        for (uint32_t i = first; i < n; i++) { /* of inner loops, which begin in this trip */
            all[i] = vt_term_substitute(p->t, all[i], loop->variable, to, loop->n);
        }
        all[n++] =
            vt_term_compare(p->t, VT_PIXEL_ULT, trip, vt_term_const(p->t, 64, loop->max_trips));
        all[n++] =
            vt_term_2(p->t, VT_PIXEL_OR, vt_term_compare(p->t, VT_PIXEL_EQ, trip, zero), condition);
    }
    return vt_oblige_try(p, name, all, n, inside(p, o, offset));
}

static int try_induction(struct vt_prover *p, const char *name, const struct vt_memory_operation *o,
                         const vt_term *assumed, uint32_t n)
{
    const struct vt_inner_loop *loop = &p->pixel.loops[o->loop];
    vt_term from[OTHERS_MAX], to[OTHERS_MAX], all[VT_ASSUMED_MAX], offset = o->offset;
    uint32_t others = of_trip(p, o->loop, from, to, OTHERS_MAX);
    if (others == OTHERS_MAX || n + 2 > VT_ASSUMED_MAX ||
        vt_term_substitute(p->t, offset, from, to, others) != offset) {
        return 0; /* it also depends on what the trip loads */
    }
    char step[48];
    snprintf(step, sizeof step, "%.40s.first", name);
    memcpy(all, assumed, n * sizeof *all);
    int rc = vt_oblige_try(
        p, step, all, n,
        inside(p, o, vt_term_substitute(p->t, offset, loop->variable, loop->initial, loop->n)));
    if (rc <= 0) {
        return rc;
    }
    all[n++] = inside(p, o, offset);
    all[n++] = loop->condition;
    snprintf(step, sizeof step, "%.40s.next", name);
    return vt_oblige_try(
        p, step, all, n,
        inside(p, o, vt_term_substitute(p->t, offset, loop->variable, loop->next, loop->n)));
}

static int oblige_window(struct vt_prover *p, uint32_t i)
{
    const struct vt_memory_operation *o = &p->pixel.operations[i];
    char name[48];
    vt_term assumed[2];
    uint32_t n = 0;
    assumed[n++] = o->when;
    if (p->trips != 0) {
        assumed[n++] = vt_term_compare(p->t, VT_PIXEL_NE, p->trips, vt_term_const(p->t, 64, 0));
    }
    snprintf(name, sizeof name, "access.%u.window", i);
    if (o->loop < 0) {
        return vt_oblige(p, name, assumed, n, inside(p, o, o->offset));
    }
    int rc = vt_oblige_try(p, name, assumed, n, inside(p, o, o->offset));
    rc = rc != 0 ? rc : try_counted(p, name, o, assumed, n);
    rc = rc != 0 ? rc : try_induction(p, name, o, assumed, n);
    rc = rc != 0 ? rc
                 : vt_oblige_fact(p, name, false, "an inner loop may read outside of its window");
    return rc < 0 ? rc : 0;
}

int vt_oblige_windows(struct vt_prover *p)
{
    int rc = 0;
    for (uint32_t i = 0; i < p->pixel.n_operations && rc == 0; i++) {
        rc = oblige_window(p, i);
    }
    return rc;
}
