/* synth/term_slices.c - rules of bits taken out of terms and put together: extract, concat, zext,
 * sext, and shifts by constants. See term_parts.h.
 *
 * Registers that are written in part and read in whole, or the other way round, are made of these;
 * each rule looks at the seams only.
 */
#include "synth/term_parts.h"

/* ---------------------------------------------------------------- extract */

struct slice {
    vt_term of;
    unsigned first, bits;
};

static vt_term zero(struct vt_terms *t, unsigned bits)
{
    return vt_term_const(t, bits, 0);
}

/* One step towards where the bits come from; false: this is it, or *whole is all there is. */
static bool follow_widened(struct vt_terms *t, struct slice *s, vt_term *whole)
{
    const struct vt_term_node *n = vt_term_node(t, s->of);
    unsigned inner = vt_term_bits(t, n->a);
    bool is_signed = n->op == VT_PIXEL_SEXT;
    if (s->first + s->bits <= inner) {
        s->of = n->a;
        return true;
    }
    if (s->first >= inner) {
        *whole = is_signed ? vt_term_sext(t, vt_term_extract(t, n->a, inner - 1, 1), s->bits)
                           : zero(t, s->bits);
        return false;
    }
    vt_term part = vt_term_extract(t, n->a, s->first, inner - s->first);
    *whole = is_signed ? vt_term_sext(t, part, s->bits) : vt_term_zext(t, part, s->bits);
    return false;
}

static bool follow_concat(struct vt_terms *t, struct slice *s, vt_term *whole)
{
    const struct vt_term_node *n = vt_term_node(t, s->of);
    unsigned low = vt_term_bits(t, n->b);
    if (s->first + s->bits <= low) {
        s->of = n->b;
        return true;
    }
    if (s->first >= low) {
        s->of = n->a;
        s->first -= low;
        return true;
    }
    *whole = vt_term_concat(t, vt_term_extract(t, n->a, 0, s->first + s->bits - low),
                            vt_term_extract(t, n->b, s->first, low - s->first));
    return false;
}

static bool follow_shift(struct vt_terms *t, struct slice *s, vt_term *whole)
{
    const struct vt_term_node *n = vt_term_node(t, s->of);
    uint64_t by;
    if (!vt_term_is_const(t, n->b, &by) || by >= n->bits) {
        return false;
    }
    if (n->op == VT_PIXEL_SHL) {
        if (s->first + s->bits <= by) {
            *whole = zero(t, s->bits);
            return false;
        }
        if (s->first >= by) {
            s->of = n->a;
            s->first -= (unsigned)by;
            return true;
        }
        return false;
    }
    if (s->first + by + s->bits <= n->bits) {
        s->of = n->a;
        s->first += (unsigned)by;
        return true;
    }
    if (n->op == VT_PIXEL_LSHR && s->first + by >= n->bits) {
        *whole = zero(t, s->bits);
    }
    return false;
}

/* With a constant that leaves these bits alone, or makes them one value. */
static bool follow_logic(struct vt_terms *t, struct slice *s, vt_term *whole)
{
    const struct vt_term_node *n = vt_term_node(t, s->of);
    uint64_t c, mask = vt_term_mask(s->bits);
    if (!vt_term_is_const(t, n->b, &c)) {
        return false;
    }
    c = c >> s->first & mask;
    if (c == (n->op == VT_PIXEL_AND ? mask : 0)) {
        s->of = n->a;
        return true;
    }
    if (n->op != VT_PIXEL_XOR && c == (n->op == VT_PIXEL_AND ? 0 : mask)) {
        *whole = vt_term_const(t, s->bits, c);
    }
    return false;
}

/* Of which bits can be taken without more ado. */
static bool is_made_of_parts(const struct vt_terms *t, vt_term term)
{
    const struct vt_term_node *n = vt_term_node(t, term);
    return n->kind == VT_TERM_CONSTANT || (n->kind == VT_TERM_OPERATION &&
                                           (n->op == VT_PIXEL_ZEXT || n->op == VT_PIXEL_SEXT ||
                                            n->op == VT_PIXEL_CONCAT || n->op == VT_PIXEL_EXTRACT));
}

/* The lower bits of sums and products are those of their operands' lower bits; any bits of logic
 * are. Taken so only where it makes one of the operands simpler. */
static vt_term push(struct vt_terms *t, const struct slice *s)
{
    const struct vt_term_node *n = vt_term_node(t, s->of);
    bool binary = false;
    switch (n->op) {
    case VT_PIXEL_ADD:
    case VT_PIXEL_SUB:
    case VT_PIXEL_MUL:
        binary = s->first == 0;
        break;
    case VT_PIXEL_AND:
    case VT_PIXEL_OR:
    case VT_PIXEL_XOR:
        binary = true;
        break;
    case VT_PIXEL_NOT:
        return is_made_of_parts(t, n->a) && vt_term_may_push(t)
                   ? vt_term_1(t, VT_PIXEL_NOT, vt_term_extract(t, n->a, s->first, s->bits))
                   : 0;
    default:
        break;
    }
    if (!binary || s->bits == 1 || (!is_made_of_parts(t, n->a) && !is_made_of_parts(t, n->b)) ||
        !vt_term_may_push(t)) {
        return 0;
    }
    return vt_term_2(t, n->op, vt_term_extract(t, n->a, s->first, s->bits),
                     vt_term_extract(t, n->b, s->first, s->bits));
}

static bool follow(struct vt_terms *t, struct slice *s, vt_term *whole)
{
    const struct vt_term_node *n = vt_term_node(t, s->of);
    if (n->kind != VT_TERM_OPERATION || s->bits == n->bits) {
        return false;
    }
    switch (n->op) {
    case VT_PIXEL_EXTRACT:
        s->first += (unsigned)n->imm;
        s->of = n->a;
        return true;
    case VT_PIXEL_ZEXT:
    case VT_PIXEL_SEXT:
        return follow_widened(t, s, whole);
    case VT_PIXEL_CONCAT:
        return follow_concat(t, s, whole);
    case VT_PIXEL_SHL:
    case VT_PIXEL_LSHR:
    case VT_PIXEL_ASHR:
        return follow_shift(t, s, whole);
    case VT_PIXEL_AND:
    case VT_PIXEL_OR:
    case VT_PIXEL_XOR:
        return follow_logic(t, s, whole);
    default:
        return false;
    }
}

static vt_term extract(struct vt_terms *t, struct vt_term_node *n)
{
    struct slice s = {.of = n->a, .first = (unsigned)n->imm, .bits = n->bits};
    vt_term whole = 0;
    while (follow(t, &s, &whole)) {
    }
    if (whole != 0) {
        return whole;
    }
    unsigned all = vt_term_bits(t, s.of);
    uint64_t c;
    if (s.bits == all) {
        return s.of;
    }
    if (vt_term_is_const(t, s.of, &c)) {
        return vt_term_const(t, s.bits, c >> s.first);
    }
    if (s.bits == 1 && s.first == all - 1) {
        return vt_term_compare(t, VT_PIXEL_SLT, s.of, zero(t, all));
    }
    if (vt_term_node(t, s.of)->kind == VT_TERM_OPERATION && (whole = push(t, &s)) != 0) {
        return whole;
    }
    n->a = s.of;
    n->imm = s.first;
    return 0;
}

/* ---------------------------------------------------------------- concat */

/* Two parts that lie side by side in one term, as one; or 0. */
static vt_term joined(struct vt_terms *t, vt_term high, vt_term low)
{
    const struct vt_term_node *h = vt_term_node(t, high), *l = vt_term_node(t, low);
    uint64_t upper, lower;
    unsigned bits = (unsigned)h->bits + l->bits;
    if (vt_term_is_const(t, high, &upper)) {
        return vt_term_is_const(t, low, &lower) ? vt_term_const(t, bits, upper << l->bits | lower)
               : upper == 0                     ? vt_term_zext(t, low, bits)
                                                : 0;
    }
    /* The top bit alone is a comparison. */
    bool top = vt_term_is(t, high, VT_PIXEL_SLT) && vt_term_equals(t, h->b, 0);
    bool cut = vt_term_is(t, low, VT_PIXEL_EXTRACT);
    if (cut && top && h->a == l->a && l->imm + bits == vt_term_bits(t, l->a)) {
        return vt_term_extract(t, l->a, (unsigned)l->imm, bits);
    }
    return cut && vt_term_is(t, high, VT_PIXEL_EXTRACT) && h->a == l->a &&
                   h->imm == l->imm + l->bits
               ? vt_term_extract(t, l->a, (unsigned)l->imm, bits)
               : 0;
}

static vt_term concat(struct vt_terms *t, const struct vt_term_node *n)
{
    const struct vt_term_node *high = vt_term_node(t, n->a), *low = vt_term_node(t, n->b);
    vt_term one = joined(t, n->a, n->b);
    if (one != 0) {
        return one;
    }
    if (vt_term_is(t, n->b, VT_PIXEL_CONCAT) && (one = joined(t, n->a, low->a)) != 0) {
        return vt_term_concat(t, one, low->b);
    }
    if (vt_term_is(t, n->a, VT_PIXEL_CONCAT) && (one = joined(t, high->b, n->b)) != 0) {
        return vt_term_concat(t, high->a, one);
    }
    return 0;
}

/* ---------------------------------------------------------------- zext, sext */

static vt_term widen(struct vt_terms *t, const struct vt_term_node *n)
{
    const struct vt_term_node *a = vt_term_node(t, n->a);
    if (a->bits == n->bits) {
        return n->a;
    }
    if (vt_term_is(t, n->a, n->op)) {
        return vt_term_make(t, n->op, n->bits, 0, a->a, 0, 0, 0);
    }
    if (n->op == VT_PIXEL_SEXT && vt_term_is(t, n->a, VT_PIXEL_ZEXT)) {
        return vt_term_zext(t, a->a, n->bits);
    }
    return 0;
}

vt_term vt_term_simplify_slices(struct vt_terms *t, struct vt_term_node *n)
{
    switch (n->op) {
    case VT_PIXEL_EXTRACT:
        return extract(t, n);
    case VT_PIXEL_CONCAT:
        return concat(t, n);
    default:
        return widen(t, n);
    }
}

/* ---------------------------------------------------------------- shifts */

static vt_term shift_constant(struct vt_terms *t, const struct vt_term_node *n, unsigned by)
{
    const struct vt_term_node *a = vt_term_node(t, n->a);
    unsigned left = n->bits - by, inner;
    uint64_t c;
    bool same = vt_term_is(t, n->a, n->op) && vt_term_is_const(t, a->b, &c);
    if (same && c < n->bits) {
        return vt_term_2(t, n->op, a->a, vt_term_const(t, n->bits, c + by));
    }
    if (n->op == VT_PIXEL_SHL && vt_term_is(t, n->a, VT_PIXEL_MUL) &&
        vt_term_is_const(t, a->b, &c)) {
        return vt_term_2(t, VT_PIXEL_MUL, a->a, vt_term_const(t, n->bits, c << by));
    }
    if (n->op != VT_PIXEL_LSHR) {
        return 0;
    }
    if (vt_term_is(t, n->a, VT_PIXEL_ZEXT)) {
        inner = vt_term_bits(t, a->a);
        return by >= inner ? zero(t, n->bits)
                           : vt_term_zext(t, vt_term_extract(t, a->a, by, inner - by), n->bits);
    }
    if (vt_term_is(t, n->a, VT_PIXEL_CONCAT) && vt_term_bits(t, a->b) == by) {
        return vt_term_zext(t, a->a, n->bits);
    }
    if (left == 1 || left == 8 || left == 16 || left == 32) {
        return vt_term_zext(t, vt_term_extract(t, n->a, by, left), n->bits);
    }
    return 0;
}

vt_term vt_term_simplify_shifts(struct vt_terms *t, struct vt_term_node *n)
{
    uint64_t by;
    if (vt_term_equals(t, n->a, 0)) {
        return n->a;
    }
    if (!vt_term_is_const(t, n->b, &by)) {
        return 0;
    }
    if (n->op == VT_PIXEL_ROL || n->op == VT_PIXEL_ROR) {
        by %= n->bits;
        if (by == 0) {
            return n->a;
        }
        by = n->op == VT_PIXEL_ROR ? n->bits - by : by;
        const struct vt_term_node *a = vt_term_node(t, n->a);
        uint64_t first;
        if (vt_term_is(t, n->a, VT_PIXEL_ROL) && vt_term_is_const(t, a->b, &first)) {
            return vt_term_2(t, VT_PIXEL_ROL, a->a, vt_term_const(t, n->bits, first + by));
        }
        n->op = VT_PIXEL_ROL;
        n->b = vt_term_const(t, n->bits, by);
        return 0;
    }
    if (by == 0) {
        return n->a;
    }
    if (by >= n->bits) {
        return n->op != VT_PIXEL_ASHR
                   ? zero(t, n->bits)
                   : vt_term_2(t, n->op, n->a, vt_term_const(t, n->bits, n->bits - 1U));
    }
    if (n->op == VT_PIXEL_ASHR && by == n->bits - 1U) {
        return vt_term_sext(t, vt_term_extract(t, n->a, n->bits - 1U, 1), n->bits);
    }
    return shift_constant(t, n, (unsigned)by);
}

/* ---------------------------------------------------------------- bits that lie apart */

/* The uppermost `k` bits of x at the bottom of a term. */
static bool is_top_of(struct vt_terms *t, vt_term term, vt_term x, unsigned k)
{
    unsigned bits = vt_term_bits(t, x);
    return vt_term_2(t, VT_PIXEL_LSHR, x, vt_term_const(t, bits, bits - k)) == term;
}

static vt_term beside(struct vt_terms *t, unsigned bits, vt_term a, vt_term b)
{
    const struct vt_term_node *n = vt_term_node(t, a), *l = vt_term_node(t, b);
    uint64_t c;
    if (n->kind != VT_TERM_OPERATION || !vt_term_is_const(t, n->b, &c)) {
        return 0;
    }
    if (n->op == VT_PIXEL_SHL) {
        return is_top_of(t, b, n->a, (unsigned)c) ? vt_term_2(t, VT_PIXEL_ROL, n->a, n->b) : 0;
    }
    if (!vt_term_is(t, b, VT_PIXEL_ZEXT)) {
        return 0;
    }
    unsigned low = vt_term_bits(t, l->a), k = vt_term_bits(t, n->b);
    if (n->op == VT_PIXEL_CONCAT) {
        return c == 0 && low <= k ? vt_term_concat(t, n->a, vt_term_zext(t, l->a, k)) : 0;
    }
    /* All but the lowest k bits. */
    k = (unsigned)__builtin_ctzll(c | UINT64_C(1) << 63);
    if (n->op == VT_PIXEL_AND && low <= k && (c >> k) == vt_term_mask(bits - k)) {
        return vt_term_concat(t, vt_term_extract(t, n->a, k, bits - k), vt_term_zext(t, l->a, k));
    }
    return 0;
}

vt_term vt_term_simplify_apart(struct vt_terms *t, const struct vt_term_node *n)
{
    vt_term one = beside(t, n->bits, n->a, n->b);
    return one != 0 ? one : beside(t, n->bits, n->b, n->a);
}
