/* synth/term_apply.c - what operations mean, on numbers. docs/pixel.md has them in words. See
 * term_parts.h.
 */
#include "synth/term_parts.h"

enum vt_term_shape vt_term_shape(enum vt_pixel_op op)
{
    if (op >= VT_PIXEL_PADD && op <= VT_PIXEL_PASHR) {
        return VT_SHAPE_PACKED;
    }
    switch (op) {
    case VT_PIXEL_NOT:
    case VT_PIXEL_NEG:
    case VT_PIXEL_POPCNT:
    case VT_PIXEL_CLZ:
    case VT_PIXEL_CTZ:
    case VT_PIXEL_BSWAP:
        return VT_SHAPE_UNARY;
    case VT_PIXEL_ADD_CARRY:
    case VT_PIXEL_ADD_OVERFLOW:
    case VT_PIXEL_SUB_BORROW:
    case VT_PIXEL_SUB_OVERFLOW:
        return VT_SHAPE_CARRY;
    case VT_PIXEL_SELECT:
        return VT_SHAPE_SELECT;
    case VT_PIXEL_ZEXT:
    case VT_PIXEL_SEXT:
        return VT_SHAPE_WIDEN;
    case VT_PIXEL_EXTRACT:
        return VT_SHAPE_EXTRACT;
    case VT_PIXEL_CONCAT:
        return VT_SHAPE_CONCAT;
    default:
        if (op >= VT_PIXEL_EQ && op <= VT_PIXEL_SLE) {
            return VT_SHAPE_COMPARE;
        }
        return op >= VT_PIXEL_ADD && op <= VT_PIXEL_ROR ? VT_SHAPE_BINARY : VT_SHAPE_NONE;
    }
}

static uint64_t divide(enum vt_pixel_op op, unsigned bits, uint64_t a, uint64_t b)
{
    uint64_t mask = vt_term_mask(bits), sign = UINT64_C(1) << (bits - 1);
    if (op == VT_PIXEL_UDIV) {
        return b == 0 ? mask : a / b;
    }
    if (op == VT_PIXEL_UREM) {
        return b == 0 ? a : a % b;
    }
    /* As SMT-LIB has it: of magnitudes, and the sign put back. */
    uint64_t x = (a & sign) != 0 ? (0 - a) & mask : a, y = (b & sign) != 0 ? (0 - b) & mask : b;
    if (op == VT_PIXEL_SDIV) {
        uint64_t q = y == 0 ? mask : x / y;
        return ((a ^ b) & sign) != 0 ? 0 - q : q;
    }
    uint64_t r = y == 0 ? x : x % y;
    return (a & sign) != 0 ? 0 - r : r;
}

static uint64_t shift(enum vt_pixel_op op, unsigned bits, uint64_t a, uint64_t b)
{
    unsigned by = (unsigned)(b % bits);
    switch (op) {
    case VT_PIXEL_SHL:
        return b >= bits ? 0 : a << b;
    case VT_PIXEL_LSHR:
        return b >= bits ? 0 : a >> b;
    case VT_PIXEL_ASHR:
        return (uint64_t)(vt_term_signed(a, bits) >> (b >= bits ? bits - 1 : b));
    case VT_PIXEL_ROR:
        by = (bits - by) % bits;
        break;
    default:
        break;
    }
    return by == 0 ? a : a << by | a >> (bits - by);
}

static uint64_t product_high(bool is_signed, unsigned bits, uint64_t a, uint64_t b)
{
    if (is_signed) {
        __int128 product = (__int128)vt_term_signed(a, bits) * vt_term_signed(b, bits);
        return (uint64_t)(product >> bits);
    }
    return (uint64_t)((unsigned __int128)a * b >> bits);
}

static uint64_t compare(const struct vt_term_node *n, unsigned bits, uint64_t a, uint64_t b,
                        uint64_t c)
{
    int64_t x = vt_term_signed(a, bits), y = vt_term_signed(b, bits);
    __int128 least = -((__int128)1 << (bits - 1)), wide;
    switch (n->op) {
    case VT_PIXEL_EQ:
        return a == b;
    case VT_PIXEL_NE:
        return a != b;
    case VT_PIXEL_ULT:
        return a < b;
    case VT_PIXEL_ULE:
        return a <= b;
    case VT_PIXEL_SLT:
        return x < y;
    case VT_PIXEL_SLE:
        return x <= y;
    case VT_PIXEL_ADD_CARRY:
        return ((unsigned __int128)a + b + c) >> bits != 0;
    case VT_PIXEL_SUB_BORROW:
        return (unsigned __int128)a < (unsigned __int128)b + c;
    default:
        wide = n->op == VT_PIXEL_ADD_OVERFLOW ? (__int128)x + y + (int)c : (__int128)x - y - (int)c;
        return wide < least || wide > -least - 1;
    }
}

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

static uint64_t lane_of(enum vt_pixel_op op, unsigned lane, uint64_t a, uint64_t b)
{
    uint64_t mask = vt_term_mask(lane);
    int64_t x = vt_term_signed(a, lane), y = vt_term_signed(b, lane);
    int64_t high = (int64_t)(mask >> 1), low = -high - 1;
    switch (op) {
    case VT_PIXEL_PADD:
        return a + b;
    case VT_PIXEL_PSUB:
        return a - b;
    case VT_PIXEL_PADDUS:
        return a + b > mask ? mask : a + b;
    case VT_PIXEL_PADDSS:
        return (uint64_t)clamp(x + y, low, high);
    case VT_PIXEL_PSUBUS:
        return a < b ? 0 : a - b;
    case VT_PIXEL_PSUBSS:
        return (uint64_t)clamp(x - y, low, high);
    case VT_PIXEL_PMULL:
        return a * b;
    case VT_PIXEL_PMINU:
        return a < b ? a : b;
    case VT_PIXEL_PMINS:
        return x < y ? a : b;
    case VT_PIXEL_PMAXU:
        return a > b ? a : b;
    case VT_PIXEL_PMAXS:
        return x > y ? a : b;
    case VT_PIXEL_PAVG:
        return (a + b + 1) >> 1;
    case VT_PIXEL_PEQ:
        return a == b ? mask : 0;
    default:
        return x > y ? mask : 0;
    }
}

static uint64_t packed(const struct vt_term_node *n, uint64_t a, uint64_t b)
{
    uint64_t mask = vt_term_mask(n->lane), result = 0;
    for (unsigned at = 0; at < 64; at += n->lane) {
        uint64_t x = a >> at & mask, one;
        switch (n->op) {
        case VT_PIXEL_PSHL:
            one = b >= n->lane ? 0 : x << b;
            break;
        case VT_PIXEL_PLSHR:
            one = b >= n->lane ? 0 : x >> b;
            break;
        case VT_PIXEL_PASHR:
            one = (uint64_t)(vt_term_signed(x, n->lane) >> (b >= n->lane ? n->lane - 1U : b));
            break;
        default:
            one = lane_of(n->op, n->lane, x, b >> at & mask);
            break;
        }
        result |= (one & mask) << at;
    }
    return result;
}

static uint64_t unary(enum vt_pixel_op op, unsigned bits, uint64_t a)
{
    switch (op) {
    case VT_PIXEL_NOT:
        return ~a;
    case VT_PIXEL_NEG:
        return 0 - a;
    case VT_PIXEL_POPCNT:
        return (uint64_t)__builtin_popcountll(a);
    case VT_PIXEL_CLZ:
        return a == 0 ? bits : (uint64_t)__builtin_clzll(a) - (64 - bits);
    case VT_PIXEL_CTZ:
        return a == 0 ? bits : (uint64_t)__builtin_ctzll(a);
    default:
        return __builtin_bswap64(a) >> (64 - bits);
    }
}

static uint64_t binary(const struct vt_term_node *n, uint64_t a, uint64_t b)
{
    switch (n->op) {
    case VT_PIXEL_ADD:
        return a + b;
    case VT_PIXEL_SUB:
        return a - b;
    case VT_PIXEL_MUL:
        return a * b;
    case VT_PIXEL_UMULH:
    case VT_PIXEL_SMULH:
        return product_high(n->op == VT_PIXEL_SMULH, n->bits, a, b);
    case VT_PIXEL_AND:
        return a & b;
    case VT_PIXEL_OR:
        return a | b;
    case VT_PIXEL_XOR:
        return a ^ b;
    case VT_PIXEL_UDIV:
    case VT_PIXEL_UREM:
    case VT_PIXEL_SDIV:
    case VT_PIXEL_SREM:
        return divide(n->op, n->bits, a, b);
    default:
        return shift(n->op, n->bits, a, b);
    }
}

uint64_t vt_term_apply(const struct vt_term_node *n, unsigned wide, unsigned low, uint64_t a,
                       uint64_t b, uint64_t c)
{
    uint64_t mask = vt_term_mask(n->bits);
    switch (vt_term_shape(n->op)) {
    case VT_SHAPE_UNARY:
        return unary(n->op, n->bits, a) & mask;
    case VT_SHAPE_BINARY:
        return binary(n, a, b) & mask;
    case VT_SHAPE_COMPARE:
    case VT_SHAPE_CARRY:
        return compare(n, wide, a, b, c);
    case VT_SHAPE_SELECT:
        return c != 0 ? a : b;
    case VT_SHAPE_WIDEN:
        return (n->op == VT_PIXEL_ZEXT ? a : (uint64_t)vt_term_signed(a, wide)) & mask;
    case VT_SHAPE_EXTRACT:
        return a >> n->imm & mask;
    case VT_SHAPE_CONCAT:
        return a << low | b;
    case VT_SHAPE_PACKED:
        return packed(n, a, b);
    default:
        return 0;
    }
}
