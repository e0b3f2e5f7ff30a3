/* synth/analyse_range.c - what values a term can have. See make_parts.h.
 *
 * Only what indices of tables are made of: widened bytes, masks, shifts, sums without overflow.
 */
#include "synth/make_parts.h"

#define DEPTH 24U

static uint64_t ones(unsigned bits)
{
    return bits >= 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
}

static uint64_t up_to_ones(uint64_t value)
{
    return value == 0 ? 0 : ones(64 - (unsigned)__builtin_clzll(value));
}

static struct vt_range range_of(const struct vt_terms *t, vt_term term, unsigned depth);

static struct vt_range of_binary(const struct vt_terms *t, const struct vt_term_node *n,
                                 unsigned depth)
{
    struct vt_range all = {0, ones(n->bits)}, found = all;
    struct vt_range a = range_of(t, n->a, depth + 1), b = range_of(t, n->b, depth + 1);
    uint64_t low, high;
    bool constant = b.least == b.most;
    switch (n->op) {
    case VT_PIXEL_ADD:
        if (!__builtin_add_overflow(a.most, b.most, &high) && high <= all.most) {
            found = (struct vt_range){a.least + b.least, high};
        }
        break;
    case VT_PIXEL_SUB:
        if (a.least >= b.most) {
            found = (struct vt_range){a.least - b.most, a.most - b.least};
        }
        break;
    case VT_PIXEL_MUL:
        if (!__builtin_mul_overflow(a.most, b.most, &high) && high <= all.most) {
            found = (struct vt_range){a.least * b.least, high};
        }
        break;
    case VT_PIXEL_AND:
        found.most = a.most < b.most ? a.most : b.most;
        break;
    case VT_PIXEL_OR:
    case VT_PIXEL_XOR:
        found.most = up_to_ones(a.most | b.most);
        break;
    case VT_PIXEL_SHL:
        if (constant && b.most < n->bits && a.most <= all.most >> b.most) {
            found = (struct vt_range){a.least << b.most, a.most << b.most};
        }
        break;
    case VT_PIXEL_LSHR:
        high = b.most < n->bits ? b.most : n->bits;
        low = b.least < n->bits ? b.least : n->bits;
        found = (struct vt_range){high > 63 ? 0 : a.least >> high, low > 63 ? 0 : a.most >> low};
        break;
    case VT_PIXEL_UDIV:
        if (b.least > 0) {
            found = (struct vt_range){a.least / b.most, a.most / b.least};
        }
        break;
    case VT_PIXEL_UREM:
        if (b.least > 0) {
            found.most = a.most < b.most - 1 ? a.most : b.most - 1;
        }
        break;
    case VT_PIXEL_CONCAT:
        low = vt_term_bits(t, n->b);
        found = (struct vt_range){a.least << low | b.least, a.most << low | b.most};
        break;
    default:
        break;
    }
    return found;
}

static struct vt_range range_of(const struct vt_terms *t, vt_term term, unsigned depth)
{
    const struct vt_term_node *n = vt_term_node(t, term);
    struct vt_range all = {0, ones(n->bits)}, a, b;
    if (n->kind == VT_TERM_CONSTANT) {
        return (struct vt_range){n->imm, n->imm};
    }
    if (n->kind != VT_TERM_OPERATION || depth == DEPTH) {
        return all;
    }
    switch (n->op) {
    case VT_PIXEL_ZEXT:
        return range_of(t, n->a, depth + 1);
    case VT_PIXEL_SEXT:
        a = range_of(t, n->a, depth + 1);
        return a.most <= ones(vt_term_bits(t, n->a)) >> 1 ? a : all;
    case VT_PIXEL_EXTRACT:
        a = range_of(t, n->a, depth + 1);
        return n->imm == 0 && a.most <= all.most ? a : all;
    case VT_PIXEL_SELECT:
        a = range_of(t, n->a, depth + 1);
        b = range_of(t, n->b, depth + 1);
        return (struct vt_range){a.least < b.least ? a.least : b.least,
                                 a.most > b.most ? a.most : b.most};
    case VT_PIXEL_POPCNT:
    case VT_PIXEL_CLZ:
    case VT_PIXEL_CTZ:
        return (struct vt_range){0, vt_term_bits(t, n->a)};
    case VT_PIXEL_ADD:
    case VT_PIXEL_SUB:
    case VT_PIXEL_MUL:
    case VT_PIXEL_AND:
    case VT_PIXEL_OR:
    case VT_PIXEL_XOR:
    case VT_PIXEL_SHL:
    case VT_PIXEL_LSHR:
    case VT_PIXEL_UDIV:
    case VT_PIXEL_UREM:
    case VT_PIXEL_CONCAT:
        return of_binary(t, n, depth);
    default:
        return all;
    }
}

struct vt_range vt_range_of(const struct vt_terms *terms, vt_term term)
{
    return range_of(terms, term, 0);
}
