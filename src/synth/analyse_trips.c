/* synth/analyse_trips.c - how many iterations come back. See make_parts.h.
 *
 * Whether an iteration comes back is taken apart into comparisons that all must hold. Where each is
 * between something that goes on by a constant step and something that stays, the number is a
 * quotient of their distance, rounded to a shift: a step that is no power of two is taken as the
 * next one, so that there are fewer iterations than there might be, never more. Nothing may wrap on
 * the way: up to the end of the range is as far as it goes.
 *
 * What has to hold, and is proven: where the number n is not 0 the iteration comes back, and in the
 * state after it the number is n - 1 at least.
 */
#include "synth/make_parts.h"

#define PARTS 32U
#define STEP_MAX 65536

struct trips {
    struct vt_making *m;
    struct vt_terms *t;
    vt_term from[VT_PIXEL_CARRIES_MAX], to[VT_PIXEL_CARRIES_MAX];
};

static vt_term number(struct trips *x, unsigned bits, uint64_t value)
{
    return vt_term_const(x->t, bits, value);
}

static vt_term two(struct trips *x, enum vt_pixel_op op, vt_term a, vt_term b)
{
    return vt_term_2(x->t, op, a, b);
}

static vt_term next_of(struct trips *x, vt_term term)
{
    return vt_term_substitute(x->t, term, x->from, x->to, x->m->n_carries);
}

/* What one iteration adds to it, if that is a constant. */
static bool step_of(struct trips *x, vt_term term, int64_t *step)
{
    unsigned bits = vt_term_bits(x->t, term);
    vt_term next = next_of(x, term);
    struct vt_term_sum sum;
    uint64_t value;
    vt_term difference = two(x, VT_PIXEL_SUB, next, term);
    if (!vt_term_is_const(x->t, difference, &value)) {
        if (bits != 64 || !vt_term_linear(x->t, difference, &sum) || sum.n != 0) {
            return false;
        }
        value = sum.constant;
    }
    *step = (int64_t)(value << (64 - bits)) >> (64 - bits);
    return true;
}

/* distance / |step|, or less; 64 bits. */
static vt_term quotient(struct trips *x, vt_term distance, int64_t step)
{
    uint64_t size = step < 0 ? 0 - (uint64_t)step : (uint64_t)step;
    unsigned shift = size <= 1 ? 0 : 64 - (unsigned)__builtin_clzll(size - 1);
    vt_term wide = vt_term_zext(x->t, distance, 64);
    return shift > 63 ? number(x, 64, 0) : two(x, VT_PIXEL_LSHR, wide, number(x, 64, shift));
}

static vt_term if_so(struct trips *x, vt_term bit, vt_term trips)
{
    return vt_term_select(x->t, bit, trips, number(x, 64, 0));
}

/* While a != b. */
static vt_term until_equal(struct trips *x, vt_term a, vt_term b)
{
    unsigned unused = 64 - vt_term_bits(x->t, a);
    vt_term distance = two(x, VT_PIXEL_SUB, b, a);
    int64_t step, step_a, step_b;
    if (step_of(x, a, &step_a) && step_of(x, b, &step_b)) {
        step = (int64_t)(((uint64_t)step_b - (uint64_t)step_a) << unused) >> unused;
    } else if (!step_of(x, distance, &step)) {
        return 0;
    }
    /* A step that wraps on its way (TEA's sum) leaves next to nothing of a quotient. */
    return step == 0 || step > STEP_MAX || step < -STEP_MAX ? 0
           : step < 0                                       ? quotient(x, distance, step)
                      : quotient(x, two(x, VT_PIXEL_SUB, a, b), step);
}

/* While a < b, or a <= b with `equal`, unsigned. One of them stays. */
static vt_term until_not_less(struct trips *x, vt_term holds, vt_term a, vt_term b, bool equal)
{
    unsigned bits = vt_term_bits(x->t, a);
    int64_t step_a, step_b;
    if (!step_of(x, a, &step_a) || !step_of(x, b, &step_b) || (step_a == 0) == (step_b == 0)) {
        return 0;
    }
    int64_t step = step_a != 0 ? step_a : step_b;
    bool nearer = step_a > 0 || step_b < 0; /* else they part, up to where one of them wraps */
    bool rounded = (step & (step - 1)) != 0 && (-step & (-step - 1)) != 0;
    if (rounded && nearer) {
        /* It is less than could be anyway; of two quotients solvers know more than of one. */
        a = quotient(x, a, step);
        b = quotient(x, b, step);
        return if_so(x, vt_term_compare(x->t, VT_PIXEL_ULT, a, b), two(x, VT_PIXEL_SUB, b, a));
    }
    vt_term distance = nearer       ? two(x, VT_PIXEL_SUB, b, a)
                       : step_a < 0 ? a
                                    : vt_term_1(x->t, VT_PIXEL_NOT, b);
    if (nearer && !equal) {
        distance = two(x, VT_PIXEL_SUB, distance, number(x, bits, 1));
    }
    return if_so(x, holds, two(x, VT_PIXEL_ADD, quotient(x, distance, step), number(x, 64, 1)));
}

/* Of one comparison; 0: not known. */
static vt_term trips_of(struct trips *x, vt_term condition)
{
    const struct vt_term_node n = *vt_term_node(x->t, condition);
    vt_term next = next_of(x, condition);
    uint64_t always;
    if (next == condition || (vt_term_is_const(x->t, next, &always) && always == 1)) {
        return if_so(x, condition, number(x, 64, UINT64_C(1) << 62));
    }
    if (n.kind != VT_TERM_OPERATION) {
        return 0;
    }
    vt_term a = n.a, b = n.b;
    if (n.op == VT_PIXEL_SLT || n.op == VT_PIXEL_SLE) {
        /* in the order of unsigned numbers */
        unsigned bits = vt_term_bits(x->t, a);
        vt_term half = number(x, bits, UINT64_C(1) << (bits - 1));
        a = two(x, VT_PIXEL_ADD, a, half);
        b = two(x, VT_PIXEL_ADD, b, half);
    }
    switch (n.op) {
    case VT_PIXEL_NE:
        return until_equal(x, a, b);
    case VT_PIXEL_EQ: /* once, if at all */
        return if_so(x, condition, number(x, 64, 1));
    case VT_PIXEL_ULT:
    case VT_PIXEL_SLT:
        return until_not_less(x, condition, a, b, false);
    case VT_PIXEL_ULE:
    case VT_PIXEL_SLE:
        return until_not_less(x, condition, a, b, true);
    default:
        return 0;
    }
}

/* ---------------------------------------------------------------- all */

struct looking {
    const struct vt_making *m;
    bool other; /* something else than the state at the head */
};

static void look(void *arg, vt_term symbol)
{
    struct looking *l = arg;
    const vt_term *state = (const vt_term *)&l->m->s->before;
    bool found = false;
    for (size_t i = 0; i < sizeof l->m->s->before / sizeof *state && !found; i++) {
        found = state[i] == symbol;
    }
    for (uint32_t i = 0; i < l->m->s->n_cells && !found; i++) {
        found = l->m->s->cells[i].before == symbol;
    }
    l->other |= !found;
}

/* The conditions that must all hold; false: too many. */
static bool take_apart(struct vt_terms *t, vt_term whole, vt_term parts[PARTS], unsigned *n)
{
    vt_term todo[PARTS];
    unsigned left = 0;
    todo[left++] = whole;
    *n = 0;
    while (left > 0) {
        vt_term one = todo[--left];
        struct vt_term_node node = *vt_term_node(t, one);
        bool operation = node.kind == VT_TERM_OPERATION;
        bool both = operation && node.op == VT_PIXEL_AND;
        if (operation && node.op == VT_PIXEL_NOT) {
            node = *vt_term_node(t, node.a);
            if (node.kind == VT_TERM_OPERATION && node.op == VT_PIXEL_OR) {
                both = true;
                node.a = vt_term_1(t, VT_PIXEL_NOT, node.a);
                node.b = vt_term_1(t, VT_PIXEL_NOT, node.b);
            }
        }
        if (!both) {
            if (*n == PARTS) {
                return false;
            }
            parts[(*n)++] = one;
            continue;
        }
        if (left + 2 > PARTS) {
            return false;
        }
        todo[left++] = node.a;
        todo[left++] = node.b;
    }
    return true;
}

void vt_analyse_trips(struct vt_making *m)
{
    struct trips x = {.m = m, .t = m->terms};
    struct looking l = {.m = m};
    vt_term parts[PARTS], all = 0;
    unsigned n;
    for (uint32_t i = 0; i < m->n_carries; i++) {
        x.from[i] = m->carries[i].before;
        x.to[i] = m->carries[i].after;
    }
    vt_term_symbols(m->terms, m->happens, look, &l);
    if (l.other || !take_apart(m->terms, m->happens, parts, &n)) {
        return;
    }
    for (unsigned i = 0; i < n; i++) {
        vt_term trips = trips_of(&x, parts[i]);
        if (trips == 0) {
            return;
        }
        vt_term fewer = all == 0 ? 0 : vt_term_compare(m->terms, VT_PIXEL_ULT, trips, all);
        all = all == 0 ? trips : vt_term_select(m->terms, fewer, trips, all);
    }
    m->trips = all;
}
