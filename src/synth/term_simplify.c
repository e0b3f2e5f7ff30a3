/* synth/term_simplify.c - rules of arithmetic and logic, and the way into all others. See
 * term_parts.h.
 *
 * A rule depends on nothing but the operands, so that a term that is taken apart and made again is
 * the same term. Sums keep their constant outermost: (x + y) + c. What is made in a rule is made of
 * parts of the operands, so that rules end.
 */
#include "synth/term_parts.h"

static vt_term number(struct vt_terms *t, const struct vt_term_node *n, uint64_t value)
{
    return vt_term_const(t, n->bits, value);
}

static vt_term two(struct vt_terms *t, enum vt_pixel_op op, vt_term a, vt_term b)
{
    return vt_term_2(t, op, a, b);
}

/* x + c, with a c that is not 0. */
static bool is_sum(const struct vt_terms *t, vt_term term, vt_term *x, uint64_t *c)
{
    const struct vt_term_node *n = vt_term_node(t, term);
    *x = n->a;
    return vt_term_is(t, term, VT_PIXEL_ADD) && vt_term_is_const(t, n->b, c);
}

/* c - x. */
static bool is_difference(const struct vt_terms *t, vt_term term, vt_term *x, uint64_t *c)
{
    const struct vt_term_node *n = vt_term_node(t, term);
    *x = n->b;
    return vt_term_is(t, term, VT_PIXEL_SUB) && vt_term_is_const(t, n->a, c);
}

static bool is_unary(const struct vt_terms *t, vt_term term, enum vt_pixel_op op, vt_term *x)
{
    *x = vt_term_node(t, term)->a;
    return vt_term_is(t, term, op);
}

/* ---------------------------------------------------------------- sums */

static vt_term add_constant(struct vt_terms *t, const struct vt_term_node *n, uint64_t c)
{
    vt_term x;
    uint64_t d;
    if (c == 0) {
        return n->a;
    }
    if (is_sum(t, n->a, &x, &d)) {
        return two(t, VT_PIXEL_ADD, x, number(t, n, c + d));
    }
    if (is_difference(t, n->a, &x, &d)) {
        return two(t, VT_PIXEL_SUB, number(t, n, c + d), x);
    }
    if (is_unary(t, n->a, VT_PIXEL_NOT, &x)) {
        return two(t, VT_PIXEL_SUB, number(t, n, c - 1), x);
    }
    return 0;
}

/* a + b where a takes b away. */
static vt_term add_cancels(struct vt_terms *t, vt_term a, vt_term b)
{
    const struct vt_term_node *n = vt_term_node(t, a);
    vt_term x;
    uint64_t c;
    if (vt_term_is(t, a, VT_PIXEL_SUB) && n->b == b) {
        return n->a;
    }
    if (is_unary(t, a, VT_PIXEL_NEG, &x)) {
        return two(t, VT_PIXEL_SUB, b, x);
    }
    if (is_difference(t, a, &x, &c)) {
        return two(t, VT_PIXEL_ADD, two(t, VT_PIXEL_SUB, b, x), n->a);
    }
    return 0;
}

static vt_term add(struct vt_terms *t, const struct vt_term_node *n)
{
    uint64_t c = 0, d = 0;
    vt_term x = n->a, y = n->b;
    if (vt_term_is_const(t, n->b, &c)) {
        return add_constant(t, n, c);
    }
    if (n->a == n->b) {
        return two(t, VT_PIXEL_SHL, n->a, number(t, n, 1));
    }
    bool left = is_sum(t, n->a, &x, &c), right = is_sum(t, n->b, &y, &d);
    if (left || right) {
        return two(t, VT_PIXEL_ADD, two(t, VT_PIXEL_ADD, left ? x : n->a, right ? y : n->b),
                   number(t, n, (left ? c : 0) + (right ? d : 0)));
    }
    vt_term simpler = add_cancels(t, n->a, n->b);
    simpler = simpler != 0 ? simpler : add_cancels(t, n->b, n->a);
    return simpler != 0 ? simpler : vt_term_simplify_apart(t, n);
}

static vt_term subtract_from_constant(struct vt_terms *t, const struct vt_term_node *n, uint64_t c)
{
    vt_term x;
    uint64_t d;
    if (c == 0) {
        return vt_term_1(t, VT_PIXEL_NEG, n->b);
    }
    if (is_sum(t, n->b, &x, &d)) {
        return two(t, VT_PIXEL_SUB, number(t, n, c - d), x);
    }
    if (is_difference(t, n->b, &x, &d)) {
        return two(t, VT_PIXEL_ADD, x, number(t, n, c - d));
    }
    if (is_unary(t, n->b, VT_PIXEL_NEG, &x)) {
        return two(t, VT_PIXEL_ADD, x, n->a);
    }
    if (is_unary(t, n->b, VT_PIXEL_NOT, &x)) {
        return two(t, VT_PIXEL_ADD, x, number(t, n, c + 1));
    }
    return 0;
}

/* One operand is in the other. */
static vt_term subtract_cancels(struct vt_terms *t, const struct vt_term_node *n)
{
    const struct vt_term_node *a = vt_term_node(t, n->a), *b = vt_term_node(t, n->b);
    if (vt_term_is(t, n->a, VT_PIXEL_ADD) && (a->a == n->b || a->b == n->b)) {
        return a->a == n->b ? a->b : a->a;
    }
    if (vt_term_is(t, n->a, VT_PIXEL_SUB) && a->a == n->b) {
        return vt_term_1(t, VT_PIXEL_NEG, a->b);
    }
    if (vt_term_is(t, n->b, VT_PIXEL_ADD) && (b->a == n->a || b->b == n->a)) {
        return vt_term_1(t, VT_PIXEL_NEG, b->a == n->a ? b->b : b->a);
    }
    if (vt_term_is(t, n->b, VT_PIXEL_SUB) && b->a == n->a) {
        return b->b;
    }
    return 0;
}

static vt_term subtract(struct vt_terms *t, const struct vt_term_node *n)
{
    uint64_t c, d;
    vt_term x, y;
    if (n->a == n->b) {
        return number(t, n, 0);
    }
    if (vt_term_is_const(t, n->b, &c)) {
        return two(t, VT_PIXEL_ADD, n->a, number(t, n, 0 - c));
    }
    if (vt_term_is_const(t, n->a, &c)) {
        return subtract_from_constant(t, n, c);
    }
    if (is_sum(t, n->a, &x, &c)) {
        return two(t, VT_PIXEL_ADD, two(t, VT_PIXEL_SUB, x, n->b), number(t, n, c));
    }
    if (is_sum(t, n->b, &y, &d)) {
        return two(t, VT_PIXEL_ADD, two(t, VT_PIXEL_SUB, n->a, y), number(t, n, 0 - d));
    }
    if (is_unary(t, n->b, VT_PIXEL_NEG, &y)) {
        return two(t, VT_PIXEL_ADD, n->a, y);
    }
    return subtract_cancels(t, n);
}

static vt_term negate(struct vt_terms *t, const struct vt_term_node *n)
{
    const struct vt_term_node *a = vt_term_node(t, n->a);
    vt_term x;
    uint64_t c;
    if (is_unary(t, n->a, VT_PIXEL_NEG, &x)) {
        return x;
    }
    if (is_unary(t, n->a, VT_PIXEL_NOT, &x)) {
        return two(t, VT_PIXEL_ADD, x, number(t, n, 1));
    }
    if (is_sum(t, n->a, &x, &c)) {
        return two(t, VT_PIXEL_SUB, number(t, n, 0 - c), x);
    }
    if (vt_term_is(t, n->a, VT_PIXEL_SUB)) {
        return two(t, VT_PIXEL_SUB, a->b, a->a);
    }
    if (vt_term_is(t, n->a, VT_PIXEL_MUL) && vt_term_is_const(t, a->b, &c)) {
        return two(t, VT_PIXEL_MUL, a->a, number(t, n, 0 - c));
    }
    if (is_unary(t, n->a, VT_PIXEL_ZEXT, &x) && vt_term_bits(t, x) == 1) {
        return vt_term_sext(t, x, n->bits);
    }
    if (is_unary(t, n->a, VT_PIXEL_SEXT, &x) && vt_term_bits(t, x) == 1) {
        return vt_term_zext(t, x, n->bits);
    }
    return 0;
}

static vt_term multiply(struct vt_terms *t, const struct vt_term_node *n)
{
    const struct vt_term_node *a = vt_term_node(t, n->a);
    uint64_t c, d;
    vt_term x;
    if (!vt_term_is_const(t, n->b, &c)) {
        return 0;
    }
    if (c == 0 || c == 1) {
        return c == 0 ? n->b : n->a;
    }
    if (c == vt_term_mask(n->bits)) {
        return vt_term_1(t, VT_PIXEL_NEG, n->a);
    }
    if ((c & (c - 1)) == 0) {
        return two(t, VT_PIXEL_SHL, n->a, number(t, n, (uint64_t)__builtin_ctzll(c)));
    }
    if (vt_term_is(t, n->a, VT_PIXEL_MUL) && vt_term_is_const(t, a->b, &d)) {
        return two(t, VT_PIXEL_MUL, a->a, number(t, n, c * d));
    }
    if (vt_term_is(t, n->a, VT_PIXEL_SHL) && vt_term_is_const(t, a->b, &d)) {
        return two(t, VT_PIXEL_MUL, a->a, number(t, n, d >= n->bits ? 0 : c << d));
    }
    if (is_unary(t, n->a, VT_PIXEL_NEG, &x)) {
        return two(t, VT_PIXEL_MUL, x, number(t, n, 0 - c));
    }
    return 0;
}

static vt_term divide(struct vt_terms *t, const struct vt_term_node *n)
{
    uint64_t c;
    if ((n->op != VT_PIXEL_UDIV && n->op != VT_PIXEL_UREM) || !vt_term_is_const(t, n->b, &c) ||
        c == 0 || (c & (c - 1)) != 0) {
        return 0;
    }
    return n->op == VT_PIXEL_UDIV
               ? two(t, VT_PIXEL_LSHR, n->a, number(t, n, (uint64_t)__builtin_ctzll(c)))
               : two(t, VT_PIXEL_AND, n->a, number(t, n, c - 1));
}

/* ---------------------------------------------------------------- logic */

static vt_term invert(struct vt_terms *t, const struct vt_term_node *n)
{
    const struct vt_term_node *a = vt_term_node(t, n->a);
    vt_term x;
    uint64_t c;
    if (is_unary(t, n->a, VT_PIXEL_NOT, &x)) {
        return x;
    }
    if (vt_term_is(t, n->a, VT_PIXEL_XOR) && vt_term_is_const(t, a->b, &c)) {
        return two(t, VT_PIXEL_XOR, a->a, number(t, n, ~c));
    }
    if (is_sum(t, n->a, &x, &c)) {
        return two(t, VT_PIXEL_SUB, number(t, n, ~c), x);
    }
    if (is_difference(t, n->a, &x, &c)) {
        return two(t, VT_PIXEL_ADD, x, number(t, n, ~c));
    }
    if (is_unary(t, n->a, VT_PIXEL_NEG, &x)) {
        return two(t, VT_PIXEL_ADD, x, number(t, n, UINT64_MAX));
    }
    if (is_unary(t, n->a, VT_PIXEL_SEXT, &x) && vt_term_bits(t, x) == 1) {
        return vt_term_sext(t, vt_term_1(t, VT_PIXEL_NOT, x), n->bits);
    }
    return 0;
}

/* With a constant, on both parts of a concat or on what was widened. */
static vt_term logic_of_parts(struct vt_terms *t, const struct vt_term_node *n, uint64_t c)
{
    const struct vt_term_node *a = vt_term_node(t, n->a);
    unsigned low;
    if (vt_term_is(t, n->a, VT_PIXEL_CONCAT)) {
        low = vt_term_bits(t, a->b);
        return vt_term_concat(t, two(t, n->op, a->a, vt_term_const(t, n->bits - low, c >> low)),
                              two(t, n->op, a->b, vt_term_const(t, low, c)));
    }
    if (vt_term_is(t, n->a, VT_PIXEL_ZEXT)) {
        low = vt_term_bits(t, a->a);
        if (n->op == VT_PIXEL_AND || c >> low == 0) {
            return vt_term_zext(t, two(t, n->op, a->a, vt_term_const(t, low, c)), n->bits);
        }
    }
    return 0;
}

static vt_term logic_with_constant(struct vt_terms *t, const struct vt_term_node *n, uint64_t c)
{
    const struct vt_term_node *a = vt_term_node(t, n->a);
    uint64_t ones = vt_term_mask(n->bits), d;
    if (c == 0) {
        return n->op == VT_PIXEL_AND ? n->b : n->a;
    }
    if (c == ones) {
        return n->op == VT_PIXEL_AND  ? n->a
               : n->op == VT_PIXEL_OR ? n->b
                                      : vt_term_1(t, VT_PIXEL_NOT, n->a);
    }
    if (vt_term_is(t, n->a, n->op) && vt_term_is_const(t, a->b, &d)) {
        c = n->op == VT_PIXEL_AND ? c & d : n->op == VT_PIXEL_OR ? c | d : c ^ d;
        return two(t, n->op, a->a, number(t, n, c));
    }
    if (n->op == VT_PIXEL_XOR && vt_term_is(t, n->a, VT_PIXEL_NOT)) {
        return two(t, VT_PIXEL_XOR, a->a, number(t, n, ~c));
    }
    if (n->op == VT_PIXEL_AND && (c == 1 || c == UINT8_MAX || c == UINT16_MAX || c == UINT32_MAX)) {
        return vt_term_zext(t, vt_term_extract(t, n->a, 0, (unsigned)__builtin_popcountll(c)),
                            n->bits);
    }
    return logic_of_parts(t, n, c);
}

static bool are_opposite(const struct vt_terms *t, vt_term a, vt_term b)
{
    vt_term x, y;
    return (is_unary(t, a, VT_PIXEL_NOT, &x) && x == b) ||
           (is_unary(t, b, VT_PIXEL_NOT, &y) && y == a);
}

static vt_term logic(struct vt_terms *t, const struct vt_term_node *n)
{
    const struct vt_term_node *a = vt_term_node(t, n->a), *b = vt_term_node(t, n->b);
    uint64_t c;
    if (vt_term_is_const(t, n->b, &c)) {
        return logic_with_constant(t, n, c);
    }
    if (n->a == n->b) {
        return n->op == VT_PIXEL_XOR ? number(t, n, 0) : n->a;
    }
    if (are_opposite(t, n->a, n->b)) {
        return number(t, n, n->op == VT_PIXEL_AND ? 0 : UINT64_MAX);
    }
    if (n->op != VT_PIXEL_XOR) {
        /* x & (x & y), x | (x | y); x & (x | y), x | (x & y) */
        enum vt_pixel_op other = n->op == VT_PIXEL_AND ? VT_PIXEL_OR : VT_PIXEL_AND;
        bool in_a = a->a == n->b || a->b == n->b, in_b = b->a == n->a || b->b == n->a;
        if ((in_a && vt_term_is(t, n->a, n->op)) || (in_b && vt_term_is(t, n->b, other))) {
            return n->a;
        }
        if ((in_b && vt_term_is(t, n->b, n->op)) || (in_a && vt_term_is(t, n->a, other))) {
            return n->b;
        }
        return n->op == VT_PIXEL_OR ? vt_term_simplify_apart(t, n) : 0;
    }
    if (vt_term_is(t, n->a, VT_PIXEL_NOT) || vt_term_is(t, n->b, VT_PIXEL_NOT)) {
        bool left = vt_term_is(t, n->a, VT_PIXEL_NOT);
        return vt_term_1(t, VT_PIXEL_NOT,
                         left ? two(t, VT_PIXEL_XOR, a->a, n->b)
                              : two(t, VT_PIXEL_XOR, n->a, b->a));
    }
    if (vt_term_is(t, n->a, VT_PIXEL_XOR) && (a->a == n->b || a->b == n->b)) {
        return a->a == n->b ? a->b : a->a;
    }
    if (vt_term_is(t, n->b, VT_PIXEL_XOR) && (b->a == n->a || b->b == n->a)) {
        return b->a == n->a ? b->b : b->a;
    }
    return vt_term_simplify_apart(t, n);
}

/* ---------------------------------------------------------------- packed */

static vt_term packed(struct vt_terms *t, const struct vt_term_node *n)
{
    uint64_t c = 0;
    bool constant = vt_term_is_const(t, n->b, &c), equal = n->a == n->b;
    switch (n->op) {
    case VT_PIXEL_PADD:
    case VT_PIXEL_PADDUS:
    case VT_PIXEL_PADDSS:
        return constant && c == 0 ? n->a : 0;
    case VT_PIXEL_PSUB:
    case VT_PIXEL_PSUBUS:
    case VT_PIXEL_PSUBSS:
        return equal ? number(t, n, 0) : constant && c == 0 ? n->a : 0;
    case VT_PIXEL_PMULL:
        return constant && c == 0 ? n->b : 0;
    case VT_PIXEL_PMINU:
        return equal ? n->a : constant && c == 0 ? n->b : constant && c == UINT64_MAX ? n->a : 0;
    case VT_PIXEL_PMAXU:
        return equal ? n->a : constant && c == 0 ? n->a : constant && c == UINT64_MAX ? n->b : 0;
    case VT_PIXEL_PMINS:
    case VT_PIXEL_PMAXS:
    case VT_PIXEL_PAVG:
        return equal ? n->a : 0;
    case VT_PIXEL_PEQ:
        return equal ? number(t, n, UINT64_MAX) : 0;
    case VT_PIXEL_PSGT:
        return equal ? number(t, n, 0) : 0;
    default: /* shifts */
        if (!constant) {
            return vt_term_equals(t, n->a, 0) ? n->a : 0;
        }
        if (c == 0) {
            return n->a;
        }
        if (c >= n->lane) {
            return n->op != VT_PIXEL_PASHR ? number(t, n, 0)
                   : c == n->lane - 1U     ? 0
                                           : vt_term_make(t, n->op, 64, n->lane, n->a,
                                                          vt_term_const(t, 64, n->lane - 1U), 0, 0);
        }
        return 0;
    }
}

/* ---------------------------------------------------------------- all */

static bool commutes(enum vt_pixel_op op)
{
    switch (op) {
    case VT_PIXEL_ADD:
    case VT_PIXEL_MUL:
    case VT_PIXEL_UMULH:
    case VT_PIXEL_SMULH:
    case VT_PIXEL_AND:
    case VT_PIXEL_OR:
    case VT_PIXEL_XOR:
    case VT_PIXEL_EQ:
    case VT_PIXEL_NE:
    case VT_PIXEL_ADD_CARRY:
    case VT_PIXEL_ADD_OVERFLOW:
    case VT_PIXEL_PADD:
    case VT_PIXEL_PADDUS:
    case VT_PIXEL_PADDSS:
    case VT_PIXEL_PMULL:
    case VT_PIXEL_PMINU:
    case VT_PIXEL_PMINS:
    case VT_PIXEL_PMAXU:
    case VT_PIXEL_PMAXS:
    case VT_PIXEL_PAVG:
    case VT_PIXEL_PEQ:
        return true;
    default:
        return false;
    }
}

/* Constants last. */
static void order(const struct vt_terms *t, struct vt_term_node *n)
{
    uint64_t ignored;
    bool a = vt_term_is_const(t, n->a, &ignored), b = vt_term_is_const(t, n->b, &ignored);
    if (commutes(n->op) && (a != b ? a : n->a > n->b)) {
        vt_term first = n->a;
        n->a = n->b;
        n->b = first;
    }
}

static vt_term arithmetic(struct vt_terms *t, struct vt_term_node *n)
{
    switch (n->op) {
    case VT_PIXEL_ADD:
        return add(t, n);
    case VT_PIXEL_SUB:
        return subtract(t, n);
    case VT_PIXEL_MUL:
        return multiply(t, n);
    case VT_PIXEL_UMULH:
    case VT_PIXEL_SMULH:
        return vt_term_equals(t, n->b, 0) ? n->b : 0;
    case VT_PIXEL_AND:
    case VT_PIXEL_OR:
    case VT_PIXEL_XOR:
        return logic(t, n);
    case VT_PIXEL_NOT:
        return invert(t, n);
    case VT_PIXEL_NEG:
        return negate(t, n);
    case VT_PIXEL_SHL:
    case VT_PIXEL_LSHR:
    case VT_PIXEL_ASHR:
    case VT_PIXEL_ROL:
    case VT_PIXEL_ROR:
        return vt_term_simplify_shifts(t, n);
    case VT_PIXEL_BSWAP:
        return vt_term_is(t, n->a, VT_PIXEL_BSWAP) ? vt_term_node(t, n->a)->a : 0;
    default:
        return divide(t, n);
    }
}

vt_term vt_term_simplify(struct vt_terms *t, struct vt_term_node *n)
{
    order(t, n);
    vt_term simpler = 0;
    switch (vt_term_shape(n->op)) {
    case VT_SHAPE_COMPARE:
    case VT_SHAPE_CARRY:
        return vt_term_simplify_compare(t, n);
    case VT_SHAPE_SELECT:
        return vt_term_simplify_select(t, n);
    case VT_SHAPE_WIDEN:
    case VT_SHAPE_EXTRACT:
    case VT_SHAPE_CONCAT:
        return vt_term_simplify_slices(t, n);
    case VT_SHAPE_PACKED:
        return packed(t, n);
    default:
        if (n->bits == 1 && (simpler = vt_term_simplify_bits(t, n)) != 0) {
            return simpler;
        }
        return arithmetic(t, n);
    }
}
