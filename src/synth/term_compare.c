/* synth/term_compare.c - rules of comparisons, of single bits, and of select. See term_parts.h.
 *
 * What conditional jumps ask of flags comes out as one comparison: the sign of a difference against
 * its overflow is slt, borrow or equal is ule. With a constant, only eq, ne, ult and slt are left.
 */
#include "synth/term_parts.h"

static vt_term bit(struct vt_terms *t, bool value)
{
    return vt_term_const(t, 1, value);
}

static vt_term invert(struct vt_terms *t, vt_term a)
{
    return vt_term_1(t, VT_PIXEL_NOT, a);
}

static vt_term compare(struct vt_terms *t, enum vt_pixel_op op, vt_term a, vt_term b)
{
    return vt_term_compare(t, op, a, b);
}

static vt_term with(struct vt_terms *t, enum vt_pixel_op op, vt_term a, uint64_t value)
{
    return vt_term_compare(t, op, a, vt_term_const(t, vt_term_bits(t, a), value));
}

/* Both are widened by `op` from one width. */
static bool widened_alike(const struct vt_terms *t, enum vt_pixel_op op, vt_term a, vt_term b)
{
    return vt_term_is(t, a, op) && vt_term_is(t, b, op) &&
           vt_term_bits(t, vt_term_node(t, a)->a) == vt_term_bits(t, vt_term_node(t, b)->a);
}

/* ---------------------------------------------------------------- eq */

static vt_term minus(struct vt_terms *t, vt_term a, uint64_t c)
{
    return vt_term_2(t, VT_PIXEL_SUB, a, vt_term_const(t, vt_term_bits(t, a), c));
}

static vt_term equal_to_widened(struct vt_terms *t, const struct vt_term_node *a, uint64_t c)
{
    unsigned inner = vt_term_bits(t, a->a);
    uint64_t low = c & vt_term_mask(inner);
    uint64_t wide = a->op == VT_PIXEL_ZEXT ? low : (uint64_t)vt_term_signed(low, inner);
    return (wide & vt_term_mask(a->bits)) == c ? with(t, VT_PIXEL_EQ, a->a, low) : bit(t, false);
}

static vt_term equal_to_select(struct vt_terms *t, const struct vt_term_node *a, uint64_t c)
{
    uint64_t x, y;
    if (!vt_term_is_const(t, a->a, &x) || !vt_term_is_const(t, a->b, &y)) {
        return 0;
    }
    return x == c && y == c ? bit(t, true)
           : x == c         ? a->c
           : y == c         ? invert(t, a->c)
                            : bit(t, false);
}

static vt_term equal_to_constant(struct vt_terms *t, const struct vt_term_node *n, uint64_t c)
{
    const struct vt_term_node *a = vt_term_node(t, n->a);
    uint64_t d, mask = vt_term_mask(a->bits);
    unsigned low;
    if (a->bits == 1) {
        return c != 0 ? n->a : invert(t, n->a);
    }
    if (a->kind != VT_TERM_OPERATION) {
        return 0;
    }
    switch (a->op) {
    case VT_PIXEL_ADD:
        return vt_term_is_const(t, a->b, &d) ? with(t, VT_PIXEL_EQ, a->a, c - d) : 0;
    case VT_PIXEL_SUB:
        return vt_term_is_const(t, a->a, &d) ? with(t, VT_PIXEL_EQ, a->b, d - c)
                                             : compare(t, VT_PIXEL_EQ, minus(t, a->a, c), a->b);
    case VT_PIXEL_XOR:
        return vt_term_is_const(t, a->b, &d) ? with(t, VT_PIXEL_EQ, a->a, c ^ d)
               : c == 0                      ? compare(t, VT_PIXEL_EQ, a->a, a->b)
                                             : 0;
    case VT_PIXEL_NOT:
        return with(t, VT_PIXEL_EQ, a->a, ~c);
    case VT_PIXEL_NEG:
        return with(t, VT_PIXEL_EQ, a->a, 0 - c);
    case VT_PIXEL_ROL:
        if (!vt_term_is_const(t, a->b, &d)) {
            return 0;
        }
        return with(t, VT_PIXEL_EQ, a->a, c >> d | (c << (a->bits - d) & mask));
    case VT_PIXEL_ZEXT:
    case VT_PIXEL_SEXT:
        return equal_to_widened(t, a, c);
    case VT_PIXEL_SELECT:
        return equal_to_select(t, a, c);
    case VT_PIXEL_CONCAT:
        low = vt_term_bits(t, a->b) % 64; /* it is but a part */
        if (vt_term_is_const(t, a->b, &d)) {
            return d == (c & vt_term_mask(low)) ? with(t, VT_PIXEL_EQ, a->a, c >> low)
                                                : bit(t, false);
        }
        if (vt_term_is_const(t, a->a, &d)) {
            return d == c >> low ? with(t, VT_PIXEL_EQ, a->b, c) : bit(t, false);
        }
        return 0;
    default:
        return 0;
    }
}

/* A constant stands on the side of the older term: x + c == y. */
static vt_term equal_sums(struct vt_terms *t, vt_term left, vt_term right)
{
    const struct vt_term_node *a = vt_term_node(t, left), *b = vt_term_node(t, right);
    uint64_t c = 0, d = 0;
    bool of_left = vt_term_is(t, left, VT_PIXEL_ADD) && vt_term_is_const(t, a->b, &c);
    bool of_right = vt_term_is(t, right, VT_PIXEL_ADD) && vt_term_is_const(t, b->b, &d);
    vt_term x = of_left ? a->a : left, y = of_right ? b->a : right;
    if (!of_left && !of_right) {
        return 0;
    }
    c = of_left ? c : 0;
    d = of_right ? d : 0;
    if (x == y) {
        return bit(t, c == d);
    }
    if (x > y) {
        vt_term first = x;
        uint64_t more = c;
        x = y;
        y = first;
        c = d;
        d = more;
    }
    if (d == 0) { /* as it is, that is */
        return 0;
    }
    c = (c - d) & vt_term_mask(a->bits);
    return compare(t, VT_PIXEL_EQ,
                   vt_term_2(t, VT_PIXEL_ADD, x, vt_term_const(t, vt_term_bits(t, x), c)), y);
}

/* What both sides have goes away, as it does in their difference. */
static vt_term equal_parts(struct vt_terms *t, vt_term a, vt_term b)
{
    if (!vt_term_is(t, a, VT_PIXEL_ADD) && !vt_term_is(t, b, VT_PIXEL_ADD)) {
        return 0;
    }
    vt_term d = vt_term_2(t, VT_PIXEL_SUB, a, b), inner = d;
    if (vt_term_is(t, d, VT_PIXEL_ADD)) {
        inner = vt_term_node(t, d)->a;
    }
    uint64_t c;
    bool difference =
        vt_term_is(t, inner, VT_PIXEL_SUB) && !vt_term_is_const(t, vt_term_node(t, inner)->a, &c);
    return difference ? 0 : with(t, VT_PIXEL_EQ, d, 0);
}

static vt_term equal(struct vt_terms *t, const struct vt_term_node *n)
{
    const struct vt_term_node *a = vt_term_node(t, n->a), *b = vt_term_node(t, n->b);
    uint64_t c;
    if (n->a == n->b) {
        return bit(t, true);
    }
    if (vt_term_is_const(t, n->b, &c)) {
        return equal_to_constant(t, n, c);
    }
    if (a->bits == 1) {
        return invert(t, vt_term_2(t, VT_PIXEL_XOR, n->a, n->b));
    }
    if (widened_alike(t, VT_PIXEL_ZEXT, n->a, n->b) ||
        widened_alike(t, VT_PIXEL_SEXT, n->a, n->b)) {
        return compare(t, VT_PIXEL_EQ, a->a, b->a);
    }
    vt_term simpler = equal_sums(t, n->a, n->b);
    return simpler != 0 ? simpler : equal_parts(t, n->a, n->b);
}

/* ---------------------------------------------------------------- less */

static vt_term below(struct vt_terms *t, const struct vt_term_node *n)
{
    const struct vt_term_node *a = vt_term_node(t, n->a), *b = vt_term_node(t, n->b);
    uint64_t mask = vt_term_mask(a->bits), c;
    unsigned inner;
    if (n->a == n->b) {
        return bit(t, false);
    }
    if (a->bits == 1) {
        return vt_term_2(t, VT_PIXEL_AND, invert(t, n->a), n->b);
    }
    if (vt_term_is_const(t, n->b, &c)) {
        if (c <= 1) {
            return c == 0 ? bit(t, false) : with(t, VT_PIXEL_EQ, n->a, 0);
        }
        if (c == mask) {
            return with(t, VT_PIXEL_NE, n->a, mask);
        }
        if (vt_term_is(t, n->a, VT_PIXEL_ZEXT)) {
            inner = vt_term_bits(t, a->a);
            return c > vt_term_mask(inner) ? bit(t, true) : with(t, VT_PIXEL_ULT, a->a, c);
        }
        return 0;
    }
    if (vt_term_is_const(t, n->a, &c)) {
        if (c >= mask - 1) {
            return c == mask ? bit(t, false) : with(t, VT_PIXEL_EQ, n->b, mask);
        }
        if (c == 0) {
            return with(t, VT_PIXEL_NE, n->b, 0);
        }
        if (vt_term_is(t, n->b, VT_PIXEL_ZEXT)) {
            inner = vt_term_bits(t, b->a);
            return c >= vt_term_mask(inner)
                       ? bit(t, false)
                       : compare(t, VT_PIXEL_ULT, vt_term_const(t, inner, c), b->a);
        }
        return 0;
    }
    return widened_alike(t, VT_PIXEL_ZEXT, n->a, n->b) ||
                   widened_alike(t, VT_PIXEL_SEXT, n->a, n->b)
               ? compare(t, VT_PIXEL_ULT, a->a, b->a)
               : 0;
}

/* Both sides as numbers, where they are: a < c and c < b, signed. */
static vt_term less_than_constant(struct vt_terms *t, const struct vt_term_node *n, int64_t c)
{
    const struct vt_term_node *a = vt_term_node(t, n->a);
    int64_t greatest = (int64_t)(vt_term_mask(a->bits) >> 1);
    unsigned inner = vt_term_bits(t, a->a);
    if (c == -greatest - 1) {
        return bit(t, false);
    }
    if (c == -greatest || c == greatest) {
        return c == greatest ? with(t, VT_PIXEL_NE, n->a, (uint64_t)c)
                             : with(t, VT_PIXEL_EQ, n->a, (uint64_t)(-greatest - 1));
    }
    if (vt_term_is(t, n->a, VT_PIXEL_ZEXT)) {
        return c <= 0                              ? bit(t, false)
               : (uint64_t)c > vt_term_mask(inner) ? bit(t, true)
                                                   : with(t, VT_PIXEL_ULT, a->a, (uint64_t)c);
    }
    if (vt_term_is(t, n->a, VT_PIXEL_SEXT)) {
        int64_t most = (int64_t)(vt_term_mask(inner) >> 1);
        return c > most         ? bit(t, true)
               : c <= -most - 1 ? bit(t, false)
                                : with(t, VT_PIXEL_SLT, a->a, (uint64_t)c);
    }
    if (c != 0) {
        return 0;
    }
    if (vt_term_is(t, n->a, VT_PIXEL_CONCAT)) {
        return with(t, VT_PIXEL_SLT, a->a, 0);
    }
    if (vt_term_is(t, n->a, VT_PIXEL_NOT)) {
        return invert(t, with(t, VT_PIXEL_SLT, a->a, 0));
    }
    return 0;
}

static vt_term constant_is_less(struct vt_terms *t, const struct vt_term_node *n, int64_t c)
{
    const struct vt_term_node *b = vt_term_node(t, n->b);
    int64_t greatest = (int64_t)(vt_term_mask(b->bits) >> 1);
    unsigned inner = vt_term_bits(t, b->a);
    if (c == greatest) {
        return bit(t, false);
    }
    if (c == greatest - 1 || c == -greatest - 1) {
        return with(t, c == greatest - 1 ? VT_PIXEL_EQ : VT_PIXEL_NE, n->b,
                    (uint64_t)(c < 0 ? c : greatest));
    }
    if (vt_term_is(t, n->b, VT_PIXEL_ZEXT)) {
        return c < 0 ? bit(t, true)
               : (uint64_t)c >= vt_term_mask(inner)
                   ? bit(t, false)
                   : compare(t, VT_PIXEL_ULT, vt_term_const(t, inner, (uint64_t)c), b->a);
    }
    if (vt_term_is(t, n->b, VT_PIXEL_SEXT)) {
        int64_t most = (int64_t)(vt_term_mask(inner) >> 1);
        return c >= most ? bit(t, false)
               : c < -most - 1
                   ? bit(t, true)
                   : compare(t, VT_PIXEL_SLT, vt_term_const(t, inner, (uint64_t)c), b->a);
    }
    return 0;
}

static vt_term less(struct vt_terms *t, const struct vt_term_node *n)
{
    const struct vt_term_node *a = vt_term_node(t, n->a), *b = vt_term_node(t, n->b);
    uint64_t c;
    if (n->a == n->b) {
        return bit(t, false);
    }
    if (a->bits == 1) { /* its one bit is the sign */
        return vt_term_2(t, VT_PIXEL_AND, n->a, invert(t, n->b));
    }
    if (vt_term_is_const(t, n->b, &c)) {
        return less_than_constant(t, n, vt_term_signed(c, a->bits));
    }
    if (vt_term_is_const(t, n->a, &c)) {
        return constant_is_less(t, n, vt_term_signed(c, a->bits));
    }
    if (widened_alike(t, VT_PIXEL_ZEXT, n->a, n->b)) {
        return compare(t, VT_PIXEL_ULT, a->a, b->a);
    }
    return widened_alike(t, VT_PIXEL_SEXT, n->a, n->b) ? compare(t, VT_PIXEL_SLT, a->a, b->a) : 0;
}

/* ule and sle with a constant are ult and slt. */
static vt_term at_most(struct vt_terms *t, const struct vt_term_node *n)
{
    bool is_signed = n->op == VT_PIXEL_SLE;
    enum vt_pixel_op strict = is_signed ? VT_PIXEL_SLT : VT_PIXEL_ULT;
    unsigned bits = vt_term_bits(t, n->a);
    uint64_t greatest = vt_term_mask(bits) >> is_signed, c;
    uint64_t least = is_signed ? (greatest + 1) & vt_term_mask(bits) : 0;
    if (n->a == n->b) {
        return bit(t, true);
    }
    if (vt_term_is_const(t, n->b, &c)) {
        return c == greatest ? bit(t, true) : with(t, strict, n->a, c + 1);
    }
    if (vt_term_is_const(t, n->a, &c)) {
        return c == least ? bit(t, true) : compare(t, strict, vt_term_const(t, bits, c - 1), n->b);
    }
    if (bits == 1 || widened_alike(t, VT_PIXEL_ZEXT, n->a, n->b) ||
        widened_alike(t, VT_PIXEL_SEXT, n->a, n->b)) {
        return invert(t, compare(t, strict, n->b, n->a));
    }
    return 0;
}

/* ---------------------------------------------------------------- carries */

static vt_term add_carry(struct vt_terms *t, const struct vt_term_node *n)
{
    unsigned bits = vt_term_bits(t, n->a);
    uint64_t c, carry;
    if (widened_alike(t, VT_PIXEL_ZEXT, n->a, n->b)) {
        return bit(t, false);
    }
    if (!vt_term_is_const(t, n->b, &c)) {
        return 0;
    }
    if (vt_term_is_const(t, n->c, &carry)) {
        if (c == vt_term_mask(bits) && carry == 1) {
            return bit(t, true);
        }
        return c + carry == 0
                   ? bit(t, false)
                   : compare(t, VT_PIXEL_ULE, vt_term_const(t, bits, 0 - c - carry), n->a);
    }
    return c == 0 ? vt_term_2(t, VT_PIXEL_AND, with(t, VT_PIXEL_EQ, n->a, UINT64_MAX), n->c) : 0;
}

static vt_term borrow(struct vt_terms *t, const struct vt_term_node *n)
{
    uint64_t carry;
    if (vt_term_is_const(t, n->c, &carry)) {
        return compare(t, carry != 0 ? VT_PIXEL_ULE : VT_PIXEL_ULT, n->a, n->b);
    }
    if (n->a == n->b) {
        return n->c;
    }
    return vt_term_equals(t, n->b, 0)
               ? vt_term_2(t, VT_PIXEL_AND, with(t, VT_PIXEL_EQ, n->a, 0), n->c)
               : 0;
}

vt_term vt_term_simplify_compare(struct vt_terms *t, struct vt_term_node *n)
{
    switch (n->op) {
    case VT_PIXEL_EQ:
        return equal(t, n);
    case VT_PIXEL_NE:
        return invert(t, compare(t, VT_PIXEL_EQ, n->a, n->b));
    case VT_PIXEL_ULT:
        return below(t, n);
    case VT_PIXEL_SLT:
        return less(t, n);
    case VT_PIXEL_ULE:
    case VT_PIXEL_SLE:
        return at_most(t, n);
    case VT_PIXEL_ADD_CARRY:
        return add_carry(t, n);
    case VT_PIXEL_SUB_BORROW:
        return borrow(t, n);
    case VT_PIXEL_ADD_OVERFLOW:
        return vt_term_equals(t, n->b, 0) && vt_term_equals(t, n->c, 0) ? bit(t, false) : 0;
    default:
        return vt_term_equals(t, n->c, 0) && (n->a == n->b || vt_term_equals(t, n->b, 0))
                   ? bit(t, false)
                   : 0;
    }
}

/* ---------------------------------------------------------------- bits */

static vt_term not_bit(struct vt_terms *t, vt_term a)
{
    struct vt_term_node n = *vt_term_node(t, a);
    if (n.kind != VT_TERM_OPERATION) {
        return 0;
    }
    switch (n.op) {
    case VT_PIXEL_EQ:
        n.op = VT_PIXEL_NE;
        return vt_term_intern(t, &n);
    case VT_PIXEL_NE:
        n.op = VT_PIXEL_EQ;
        return vt_term_intern(t, &n);
    case VT_PIXEL_ULT:
        return compare(t, VT_PIXEL_ULE, n.b, n.a);
    case VT_PIXEL_ULE:
        return compare(t, VT_PIXEL_ULT, n.b, n.a);
    case VT_PIXEL_SLT:
        return compare(t, VT_PIXEL_SLE, n.b, n.a);
    case VT_PIXEL_SLE:
        return compare(t, VT_PIXEL_SLT, n.b, n.a);
    default:
        return 0;
    }
}

/* sign: a < 0 of a sum or difference. With its overflow: what the true one's sign is. */
static vt_term true_sign(struct vt_terms *t, vt_term sign, vt_term overflow)
{
    const struct vt_term_node *o = vt_term_node(t, overflow);
    bool difference = vt_term_is(t, overflow, VT_PIXEL_SUB_OVERFLOW);
    uint64_t c;
    if ((!difference && !vt_term_is(t, overflow, VT_PIXEL_ADD_OVERFLOW)) ||
        !vt_term_equals(t, o->c, 0)) {
        return 0;
    }
    vt_term a = o->a, b = o->b;
    if (!difference) {
        uint64_t least = UINT64_C(1) << (vt_term_bits(t, a) - 1);
        if (!vt_term_is_const(t, b, &c) || c == least) {
            return 0;
        }
    }
    vt_term made =
        with(t, VT_PIXEL_SLT, vt_term_2(t, difference ? VT_PIXEL_SUB : VT_PIXEL_ADD, a, b), 0);
    b = difference ? b : vt_term_1(t, VT_PIXEL_NEG, b);
    return made == sign ? compare(t, VT_PIXEL_SLT, a, b) : 0;
}

/* equal | less, in this order. */
static vt_term less_or_equal(struct vt_terms *t, vt_term eq, vt_term lt)
{
    const struct vt_term_node *e = vt_term_node(t, eq), *l = vt_term_node(t, lt);
    uint64_t c, d;
    if (!vt_term_is(t, eq, VT_PIXEL_EQ)) {
        return 0;
    }
    if (vt_term_is(t, lt, VT_PIXEL_EQ)) { /* x == 0 | x == 1 */
        return e->a == l->a && vt_term_is_const(t, e->b, &c) && vt_term_is_const(t, l->b, &d) &&
                       c == 1 && d == 0
                   ? with(t, VT_PIXEL_ULT, e->a, 2)
                   : 0;
    }
    if ((vt_term_is(t, lt, VT_PIXEL_ULT) || vt_term_is(t, lt, VT_PIXEL_SLT)) &&
        compare(t, VT_PIXEL_EQ, l->a, l->b) == eq) {
        return compare(t, l->op == VT_PIXEL_ULT ? VT_PIXEL_ULE : VT_PIXEL_SLE, l->a, l->b);
    }
    return 0;
}

vt_term vt_term_simplify_bits(struct vt_terms *t, struct vt_term_node *n)
{
    vt_term one = 0;
    switch (n->op) {
    case VT_PIXEL_ADD:
    case VT_PIXEL_SUB:
        return vt_term_2(t, VT_PIXEL_XOR, n->a, n->b);
    case VT_PIXEL_MUL:
        return vt_term_2(t, VT_PIXEL_AND, n->a, n->b);
    case VT_PIXEL_NEG:
        return n->a;
    case VT_PIXEL_NOT:
        return not_bit(t, n->a);
    case VT_PIXEL_XOR:
        one = true_sign(t, n->a, n->b);
        return one != 0 ? one : true_sign(t, n->b, n->a);
    case VT_PIXEL_OR:
        if (vt_term_1(t, VT_PIXEL_NOT, n->a) == n->b) {
            return bit(t, true);
        }
        one = less_or_equal(t, n->a, n->b);
        return one != 0 ? one : less_or_equal(t, n->b, n->a);
    case VT_PIXEL_AND:
        return vt_term_1(t, VT_PIXEL_NOT, n->a) == n->b ? bit(t, false) : 0;
    default:
        return 0;
    }
}

/* ---------------------------------------------------------------- select */

static vt_term select_bit(struct vt_terms *t, const struct vt_term_node *n)
{
    uint64_t v;
    if (vt_term_is_const(t, n->a, &v)) {
        return v != 0 ? vt_term_2(t, VT_PIXEL_OR, n->c, n->b)
                      : vt_term_2(t, VT_PIXEL_AND, invert(t, n->c), n->b);
    }
    if (vt_term_is_const(t, n->b, &v)) {
        return v != 0 ? vt_term_2(t, VT_PIXEL_OR, invert(t, n->c), n->a)
                      : vt_term_2(t, VT_PIXEL_AND, n->c, n->a);
    }
    return 0;
}

vt_term vt_term_simplify_select(struct vt_terms *t, struct vt_term_node *n)
{
    const struct vt_term_node *a = vt_term_node(t, n->a), *b = vt_term_node(t, n->b);
    const struct vt_term_node *c = vt_term_node(t, n->c);
    uint64_t x, y;
    if (n->a == n->b) {
        return n->a;
    }
    if (vt_term_is_const(t, n->c, &x)) {
        return x != 0 ? n->a : n->b;
    }
    if (vt_term_is(t, n->c, VT_PIXEL_NOT) || vt_term_is(t, n->c, VT_PIXEL_NE)) {
        vt_term opposite = c->op == VT_PIXEL_NOT ? c->a : invert(t, n->c);
        return vt_term_select(t, opposite, n->b, n->a);
    }
    if (vt_term_is(t, n->a, VT_PIXEL_SELECT) && a->c == n->c) {
        return vt_term_select(t, n->c, a->a, n->b);
    }
    if (vt_term_is(t, n->b, VT_PIXEL_SELECT) && b->c == n->c) {
        return vt_term_select(t, n->c, n->a, b->b);
    }
    if (n->bits == 1) {
        return select_bit(t, n);
    }
    if (vt_term_is_const(t, n->a, &x) && vt_term_is_const(t, n->b, &y)) {
        bool swapped = x == 0;
        uint64_t value = swapped ? y : x;
        vt_term of = swapped ? invert(t, n->c) : n->c;
        if ((swapped || y == 0) && (value == 1 || value == vt_term_mask(n->bits))) {
            return value == 1 ? vt_term_zext(t, of, n->bits) : vt_term_sext(t, of, n->bits);
        }
    }
    return 0;
}
