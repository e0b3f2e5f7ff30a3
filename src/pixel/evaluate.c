/* pixel/evaluate.c - the meaning of each operation that is a function of its operands.
 *
 * Written to be read beside docs/pixel.md; nothing here is meant to be fast. A value of n bits is
 * the low n bits of a uint64_t, the others 0.
 */
#include "vitrine/pixel.h"

typedef unsigned __int128 u128;
typedef __int128 i128;

static uint64_t low(uint64_t value, unsigned bits)
{
    return bits >= 64 ? value : value & ((UINT64_C(1) << bits) - 1);
}

/** As a signed number. */
static int64_t sign(uint64_t value, unsigned bits)
{
    uint64_t top = UINT64_C(1) << (bits - 1);
    return (int64_t)((low(value, bits) ^ top) - top);
}

static uint64_t high_unsigned(unsigned bits, uint64_t a, uint64_t b)
{
    return (uint64_t)(((u128)a * b) >> bits);
}

static uint64_t high_signed(unsigned bits, uint64_t a, uint64_t b)
{
    return (uint64_t)(((i128)sign(a, bits) * sign(b, bits)) >> bits);
}

static uint64_t divide(unsigned bits, uint64_t a, uint64_t b)
{
    return b == 0 ? low(UINT64_MAX, bits) : a / b;
}

static uint64_t remain(uint64_t a, uint64_t b)
{
    return b == 0 ? a : a % b;
}

/** Signed, in SMT-LIB's way: of the magnitudes, then the sign. */
static uint64_t divide_signed(bool remainder, unsigned bits, uint64_t a, uint64_t b)
{
    bool a_below = sign(a, bits) < 0, b_below = sign(b, bits) < 0;
    uint64_t x = a_below ? low(-a, bits) : a, y = b_below ? low(-b, bits) : b;
    uint64_t result = remainder ? remain(x, y) : divide(bits, x, y);
    return (remainder ? a_below : a_below != b_below) ? -result : result;
}

static uint64_t arithmetic(enum vt_pixel_op op, unsigned bits, uint64_t a, uint64_t b)
{
    switch (op) {
    case VT_PIXEL_ADD:
        return a + b;
    case VT_PIXEL_SUB:
        return a - b;
    case VT_PIXEL_MUL:
        return a * b;
    case VT_PIXEL_UMULH:
        return high_unsigned(bits, a, b);
    case VT_PIXEL_SMULH:
        return high_signed(bits, a, b);
    case VT_PIXEL_UDIV:
        return divide(bits, a, b);
    case VT_PIXEL_UREM:
        return remain(a, b);
    case VT_PIXEL_SDIV:
        return divide_signed(false, bits, a, b);
    default: /* SREM */
        return divide_signed(true, bits, a, b);
    }
}

static uint64_t logic(enum vt_pixel_op op, uint64_t a, uint64_t b)
{
    switch (op) {
    case VT_PIXEL_AND:
        return a & b;
    case VT_PIXEL_OR:
        return a | b;
    case VT_PIXEL_XOR:
        return a ^ b;
    case VT_PIXEL_NOT:
        return ~a;
    default: /* NEG */
        return -a;
    }
}

static uint64_t shift(enum vt_pixel_op op, unsigned bits, uint64_t a, uint64_t by)
{
    switch (op) {
    case VT_PIXEL_SHL:
        return by >= bits ? 0 : a << by;
    case VT_PIXEL_LSHR:
        return by >= bits ? 0 : a >> by;
    default: /* ASHR */
        return (uint64_t)(sign(a, bits) >> (by >= bits ? bits - 1 : by));
    }
}

static uint64_t rotate_left(unsigned bits, uint64_t a, uint64_t by)
{
    by %= bits;
    return by == 0 ? a : a << by | a >> (bits - by);
}

static uint64_t count(enum vt_pixel_op op, unsigned bits, uint64_t a)
{
    switch (op) {
    case VT_PIXEL_POPCNT:
        return (unsigned)__builtin_popcountll(a);
    case VT_PIXEL_CLZ:
        return a == 0 ? bits : (unsigned)__builtin_clzll(a) - (64 - bits);
    default: /* CTZ */
        return a == 0 ? bits : (unsigned)__builtin_ctzll(a);
    }
}

static uint64_t swap_bytes(unsigned bits, uint64_t a)
{
    uint64_t result = 0;
    for (unsigned i = 0; i < bits; i += 8) {
        result = result << 8 | (a >> i & 0xff);
    }
    return result;
}

/** Operands have `bits` bits; the result is a bit. */
static bool compare(enum vt_pixel_op op, unsigned bits, uint64_t a, uint64_t b)
{
    switch (op) {
    case VT_PIXEL_EQ:
        return a == b;
    case VT_PIXEL_NE:
        return a != b;
    case VT_PIXEL_ULT:
        return a < b;
    case VT_PIXEL_ULE:
        return a <= b;
    case VT_PIXEL_SLT:
        return sign(a, bits) < sign(b, bits);
    default: /* SLE */
        return sign(a, bits) <= sign(b, bits);
    }
}

static bool outside_signed(unsigned bits, i128 value)
{
    i128 half = (i128)1 << (bits - 1);
    return value < -half || value >= half;
}

static bool carries(enum vt_pixel_op op, unsigned bits, uint64_t a, uint64_t b, uint64_t c)
{
    switch (op) {
    case VT_PIXEL_ADD_CARRY:
        return ((u128)a + b + c) >> bits != 0;
    case VT_PIXEL_ADD_OVERFLOW:
        return outside_signed(bits, (i128)sign(a, bits) + sign(b, bits) + (i128)c);
    case VT_PIXEL_SUB_BORROW:
        return a < (u128)b + c;
    default: /* SUB_OVERFLOW */
        return outside_signed(bits, (i128)sign(a, bits) - sign(b, bits) - (i128)c);
    }
}

/** To what fits into the element. */
static uint64_t saturate(int64_t value, int64_t least, int64_t most)
{
    return (uint64_t)(value < least ? least : value > most ? most : value);
}

/** One element; `b` of shifts is the whole amount. */
static uint64_t element(enum vt_pixel_op op, unsigned lane, uint64_t a, uint64_t b)
{
    int64_t sa = sign(a, lane), sb = sign(b, lane);
    int64_t all = (int64_t)(UINT64_MAX >> (64 - lane)), most = all >> 1;
    switch (op) {
    case VT_PIXEL_PADD:
        return a + b;
    case VT_PIXEL_PSUB:
        return a - b;
    case VT_PIXEL_PADDUS:
        return saturate((int64_t)(a + b), 0, all);
    case VT_PIXEL_PADDSS:
        return saturate(sa + sb, -most - 1, most);
    case VT_PIXEL_PSUBUS:
        return saturate((int64_t)(a - b), 0, all);
    case VT_PIXEL_PSUBSS:
        return saturate(sa - sb, -most - 1, most);
    case VT_PIXEL_PMULL:
        return a * b;
    case VT_PIXEL_PMINU:
        return a < b ? a : b;
    case VT_PIXEL_PMINS:
        return sa < sb ? a : b;
    case VT_PIXEL_PMAXU:
        return a > b ? a : b;
    case VT_PIXEL_PMAXS:
        return sa > sb ? a : b;
    case VT_PIXEL_PAVG:
        return (a + b + 1) >> 1;
    case VT_PIXEL_PEQ:
        return a == b ? UINT64_MAX : 0;
    case VT_PIXEL_PSGT:
        return sa > sb ? UINT64_MAX : 0;
    case VT_PIXEL_PSHL:
        return shift(VT_PIXEL_SHL, lane, a, b);
    case VT_PIXEL_PLSHR:
        return shift(VT_PIXEL_LSHR, lane, a, b);
    default: /* PASHR */
        return shift(VT_PIXEL_ASHR, lane, a, b);
    }
}

static uint64_t packed(enum vt_pixel_op op, unsigned lane, uint64_t a, uint64_t b)
{
    bool whole = op >= VT_PIXEL_PSHL;
    uint64_t result = 0;
    for (unsigned at = 0; at < 64; at += lane) {
        uint64_t x = low(a >> at, lane), y = whole ? b : low(b >> at, lane);
        result |= low(element(op, lane, x, y), lane) << at;
    }
    return result;
}

uint64_t vt_pixel_evaluate(const struct vt_pixel_insn *insn, unsigned bits_a, uint64_t a,
                           uint64_t b, uint64_t c)
{
    enum vt_pixel_op op = insn->op;
    unsigned bits = insn->bits;
    uint64_t result;
    a = low(a, bits_a);
    switch (op) {
    case VT_PIXEL_ADD ... VT_PIXEL_SREM:
        result = arithmetic(op, bits, a, low(b, bits));
        break;
    case VT_PIXEL_AND ... VT_PIXEL_NEG:
        result = logic(op, a, b);
        break;
    case VT_PIXEL_SHL ... VT_PIXEL_ASHR:
        result = shift(op, bits, a, low(b, bits));
        break;
    case VT_PIXEL_ROL:
        result = rotate_left(bits, a, low(b, bits));
        break;
    case VT_PIXEL_ROR:
        result = rotate_left(bits, a, bits - low(b, bits) % bits);
        break;
    case VT_PIXEL_POPCNT ... VT_PIXEL_CTZ:
        result = count(op, bits, a);
        break;
    case VT_PIXEL_BSWAP:
        result = swap_bytes(bits, a);
        break;
    case VT_PIXEL_EQ ... VT_PIXEL_SLE:
        result = compare(op, bits_a, a, low(b, bits_a));
        break;
    case VT_PIXEL_ADD_CARRY ... VT_PIXEL_SUB_OVERFLOW:
        result = carries(op, bits_a, a, low(b, bits_a), c & 1);
        break;
    case VT_PIXEL_SELECT:
        result = (c & 1) != 0 ? a : b;
        break;
    case VT_PIXEL_ZEXT:
        result = a;
        break;
    case VT_PIXEL_SEXT:
        result = (uint64_t)sign(a, bits_a);
        break;
    case VT_PIXEL_EXTRACT:
        result = insn->imm >= 64 ? 0 : a >> insn->imm;
        break;
    case VT_PIXEL_CONCAT:
        result = a << (bits - bits_a) | low(b, bits - bits_a);
        break;
    default:
        result = packed(op, insn->lane, a, b);
    }
    return low(result, bits);
}
