/* Each operation against a meaning that is written otherwise: on lists of bits, by school
 * arithmetic, with SMT-LIB's own words for signed division; packed ones on arrays of C's types. */
#include "tests/unit/harness.h"
#include "tests/unit/pixel/generate.h"

#include <string.h>

/* ---- numbers as lists of bits, lowest first */

enum { WIDE = 130 };
struct bits {
    unsigned n;
    bool bit[WIDE];
};

static struct bits bits_of(uint64_t value, unsigned n)
{
    struct bits x = {.n = n};
    for (unsigned i = 0; i < n && i < 64; i++) {
        x.bit[i] = (value >> i & 1) != 0;
    }
    return x;
}

static uint64_t value_of(struct bits x)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < x.n && i < 64; i++) {
        value |= (uint64_t)x.bit[i] << i;
    }
    return value;
}

static bool msb(struct bits x)
{
    return x.bit[x.n - 1];
}

static struct bits slice(struct bits x, unsigned first, unsigned n)
{
    struct bits y = {.n = n};
    for (unsigned i = 0; i < n; i++) {
        y.bit[i] = first + i < x.n && x.bit[first + i];
    }
    return y;
}

static struct bits extend(struct bits x, unsigned n, bool with)
{
    struct bits y = {.n = n};
    for (unsigned i = 0; i < n; i++) {
        y.bit[i] = i < x.n ? x.bit[i] : with;
    }
    return y;
}

static struct bits add(struct bits x, struct bits y, bool carry)
{
    struct bits sum = {.n = x.n};
    for (unsigned i = 0; i < x.n; i++) {
        unsigned ones = (unsigned)x.bit[i] + y.bit[i] + carry;
        sum.bit[i] = ones % 2 == 1;
        carry = ones >= 2;
    }
    return sum;
}

static struct bits invert(struct bits x)
{
    for (unsigned i = 0; i < x.n; i++) {
        x.bit[i] = !x.bit[i];
    }
    return x;
}

static struct bits negate(struct bits x)
{
    return add(invert(x), bits_of(0, x.n), true);
}

static struct bits subtract(struct bits x, struct bits y)
{
    return add(x, invert(y), true);
}

static struct bits multiply(struct bits x, struct bits y)
{
    struct bits sum = {.n = x.n};
    for (unsigned i = 0; i < x.n; i++) {
        struct bits moved = {.n = x.n};
        for (unsigned j = i; j < x.n; j++) {
            moved.bit[j] = x.bit[j - i] && y.bit[i];
        }
        sum = add(sum, moved, false);
    }
    return sum;
}

static bool below(struct bits x, struct bits y)
{
    for (unsigned i = x.n; i-- > 0;) {
        if (x.bit[i] != y.bit[i]) {
            return y.bit[i];
        }
    }
    return false;
}

static bool below_signed(struct bits x, struct bits y)
{
    return msb(x) != msb(y) ? msb(x) : below(x, y);
}

/** Long division; all ones and x for a divisor of 0 come out by themselves, as SMT-LIB has them. */
static void divide(struct bits x, struct bits y, struct bits *quotient, struct bits *rest)
{
    struct bits r = {.n = x.n + 1}, wide = extend(y, x.n + 1, false), q = {.n = x.n};
    for (unsigned i = x.n; i-- > 0;) {
        for (unsigned j = r.n - 1; j > 0; j--) {
            r.bit[j] = r.bit[j - 1];
        }
        r.bit[0] = x.bit[i];
        q.bit[i] = !below(r, wide);
        r = q.bit[i] ? subtract(r, wide) : r;
    }
    *quotient = q;
    *rest = slice(r, 0, x.n);
}

static struct bits udiv(struct bits x, struct bits y)
{
    struct bits q, r;
    divide(x, y, &q, &r);
    return q;
}

static struct bits urem(struct bits x, struct bits y)
{
    struct bits q, r;
    divide(x, y, &q, &r);
    return r;
}

/* The definitions of bvsdiv and bvsrem in SMT-LIB's logic QF_BV. */
static struct bits sdiv(struct bits s, struct bits t)
{
    return !msb(s) && !msb(t)  ? udiv(s, t)
           : msb(s) && !msb(t) ? negate(udiv(negate(s), t))
           : !msb(s)           ? negate(udiv(s, negate(t)))
                               : udiv(negate(s), negate(t));
}

static struct bits srem(struct bits s, struct bits t)
{
    return !msb(s) && !msb(t)  ? urem(s, t)
           : msb(s) && !msb(t) ? negate(urem(negate(s), t))
           : !msb(s)           ? urem(s, negate(t))
                               : negate(urem(negate(s), negate(t)));
}

static struct bits upper_half(struct bits x, struct bits y, bool with_sign)
{
    unsigned n = x.n;
    struct bits wide =
        multiply(extend(x, 2 * n, with_sign && msb(x)), extend(y, 2 * n, with_sign && msb(y)));
    return slice(wide, n, n);
}

/** One place at a time; stops when nothing can change any more. */
static struct bits shifted(struct bits x, uint64_t by, bool left, bool fill)
{
    for (uint64_t i = 0; i < by && i < x.n; i++) {
        struct bits y = {.n = x.n};
        for (unsigned j = 0; j < x.n; j++) {
            y.bit[j] = left ? (j > 0 ? x.bit[j - 1] : fill) : (j + 1 < x.n ? x.bit[j + 1] : fill);
        }
        x = y;
    }
    return x;
}

static struct bits turned(struct bits x, uint64_t by, bool left)
{
    for (uint64_t i = 0; i < by % x.n; i++) {
        x = shifted(x, 1, left, left ? msb(x) : x.bit[0]);
    }
    return x;
}

static uint64_t ones(struct bits x)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < x.n; i++) {
        n += x.bit[i];
    }
    return n;
}

static uint64_t zeros_from(struct bits x, bool top)
{
    uint64_t n = 0;
    while (n < x.n && !x.bit[top ? x.n - 1 - n : n]) {
        n++;
    }
    return n;
}

/** a ± b ± c fits into no signed number of its width: its upper bits are no copies of the sign. */
static bool overflows(struct bits a, struct bits b, bool minus, bool c)
{
    unsigned n = a.n;
    struct bits x = extend(a, n + 2, msb(a)), y = extend(b, n + 2, msb(b));
    struct bits sum = minus ? add(x, invert(y), !c) : add(x, y, c);
    return sum.bit[n - 1] != sum.bit[n] || sum.bit[n] != sum.bit[n + 1];
}

/* ---- what each operation means, that way */

static uint64_t arithmetic(unsigned op, struct bits a, struct bits b)
{
    switch (op) {
    case VT_PIXEL_ADD:
        return value_of(add(a, b, false));
    case VT_PIXEL_SUB:
        return value_of(subtract(a, b));
    case VT_PIXEL_MUL:
        return value_of(multiply(a, b));
    case VT_PIXEL_UMULH:
        return value_of(upper_half(a, b, false));
    case VT_PIXEL_SMULH:
        return value_of(upper_half(a, b, true));
    case VT_PIXEL_UDIV:
        return value_of(udiv(a, b));
    case VT_PIXEL_UREM:
        return value_of(urem(a, b));
    case VT_PIXEL_SDIV:
        return value_of(sdiv(a, b));
    case VT_PIXEL_SREM:
        return value_of(srem(a, b));
    case VT_PIXEL_NOT:
        return value_of(invert(a));
    case VT_PIXEL_NEG:
        return value_of(negate(a));
    case VT_PIXEL_SHL:
        return value_of(shifted(a, value_of(b), true, false));
    case VT_PIXEL_LSHR:
        return value_of(shifted(a, value_of(b), false, false));
    case VT_PIXEL_ASHR:
        return value_of(shifted(a, value_of(b), false, msb(a)));
    case VT_PIXEL_ROL:
        return value_of(turned(a, value_of(b), true));
    case VT_PIXEL_ROR:
        return value_of(turned(a, value_of(b), false));
    case VT_PIXEL_POPCNT:
        return value_of(bits_of(ones(a), a.n));
    case VT_PIXEL_CLZ:
        return value_of(bits_of(zeros_from(a, true), a.n));
    case VT_PIXEL_CTZ:
        return value_of(bits_of(zeros_from(a, false), a.n));
    default: { /* AND, OR, XOR */
        struct bits result = {.n = a.n};
        for (unsigned i = 0; i < a.n; i++) {
            result.bit[i] = op == VT_PIXEL_AND  ? a.bit[i] && b.bit[i]
                            : op == VT_PIXEL_OR ? a.bit[i] || b.bit[i]
                                                : a.bit[i] != b.bit[i];
        }
        return value_of(result);
    }
    }
}

static uint64_t comparison(unsigned op, struct bits a, struct bits b, bool c)
{
    struct bits one = bits_of(c, a.n + 2);
    struct bits x = extend(a, a.n + 2, false), y = extend(b, a.n + 2, false);
    switch (op) {
    case VT_PIXEL_EQ:
        return ones(subtract(a, b)) == 0;
    case VT_PIXEL_NE:
        return ones(subtract(a, b)) != 0;
    case VT_PIXEL_ULT:
        return below(a, b);
    case VT_PIXEL_ULE:
        return !below(b, a);
    case VT_PIXEL_SLT:
        return below_signed(a, b);
    case VT_PIXEL_SLE:
        return !below_signed(b, a);
    case VT_PIXEL_ADD_CARRY:
        return add(x, y, c).bit[a.n];
    case VT_PIXEL_ADD_OVERFLOW:
        return overflows(a, b, false, c);
    case VT_PIXEL_SUB_BORROW:
        return msb(subtract(subtract(x, y), one));
    default:
        return overflows(a, b, true, c);
    }
}

static uint64_t evaluate(unsigned op, unsigned bits, unsigned bits_a, uint64_t a, uint64_t b,
                         uint64_t c)
{
    struct vt_pixel_insn insn = {.op = (uint8_t)op, .bits = (uint8_t)bits};
    return vt_pixel_evaluate(&insn, bits_a, a, b, c);
}

static void assert_arithmetic(unsigned op, unsigned bits, uint64_t a, uint64_t b)
{
    uint64_t want = arithmetic(op, bits_of(a, bits), bits_of(b, bits));
    uint64_t has = evaluate(op, bits, bits, a, b, 0);
    if (has != want) {
        fail_msg("%s i%u %#lx, %#lx is %#lx, not %#lx", vt_pixel_op_name(op), bits, a, b, has,
                 want);
    }
}

static void assert_comparison(unsigned op, unsigned bits, uint64_t a, uint64_t b, bool c)
{
    uint64_t want = comparison(op, bits_of(a, bits), bits_of(b, bits), c);
    uint64_t has = evaluate(op, 1, bits, a, b, c);
    if (has != want) {
        fail_msg("%s of i%u %#lx, %#lx, %d is %#lx, not %#lx", vt_pixel_op_name(op), bits, a, b, c,
                 has, want);
    }
}

static bool is_arithmetic(unsigned op)
{
    return op >= VT_PIXEL_ADD && op <= VT_PIXEL_CTZ;
}

static bool is_comparison(unsigned op)
{
    return op >= VT_PIXEL_EQ && op <= VT_PIXEL_SUB_OVERFLOW;
}

/** All operands of up to 5 bits, and of 8 bits every 3rd one. */
static void test_small(void **state)
{
    (void)state;
    for (unsigned bits = 1; bits <= 8; bits += bits == 5 ? 3 : 1) {
        uint64_t step = bits == 8 ? 3 : 1;
        for (unsigned op = VT_PIXEL_ADD; op <= VT_PIXEL_SUB_OVERFLOW; op++) {
            for (uint64_t a = 0; a < UINT64_C(1) << bits; a += step) {
                for (uint64_t b = 0; b < UINT64_C(1) << bits; b += step) {
                    if (is_arithmetic(op)) {
                        assert_arithmetic(op, bits, a, b);
                    } else if (is_comparison(op)) {
                        assert_comparison(op, bits, a, b, false);
                        assert_comparison(op, bits, a, b, op >= VT_PIXEL_ADD_CARRY);
                    }
                }
            }
        }
    }
}

static void test_random(void **state)
{
    (void)state;
    static const unsigned widths[] = {8, 16, 32, 64, 7, 33, 63};
    struct vt_generator g;
    vt_generator_init(&g, 31);
    for (unsigned i = 0; i < 20000; i++) {
        unsigned op = VT_PIXEL_ADD + i % (VT_PIXEL_SUB_OVERFLOW - VT_PIXEL_ADD + 1);
        unsigned bits = widths[vt_generator_below(&g, 7)];
        uint64_t a = vt_generator_value(&g, bits), b = vt_generator_value(&g, bits);
        if (is_arithmetic(op)) {
            assert_arithmetic(op, bits, a, b);
        } else if (is_comparison(op)) {
            assert_comparison(op, bits, a, b, vt_generator_below(&g, 2) != 0);
        }
    }
}

/** What SMT-LIB says at the edges, in numbers. */
static void test_edges(void **state)
{
    (void)state;
    static const struct {
        unsigned op, bits;
        uint64_t a, b, result;
    } edges[] = {
        {VT_PIXEL_UDIV, 8, 7, 0, 0xff},
        {VT_PIXEL_UREM, 8, 7, 0, 7},
        {VT_PIXEL_SDIV, 8, 7, 0, 0xff},
        {VT_PIXEL_SDIV, 8, 0xf9, 0, 1},
        {VT_PIXEL_SREM, 8, 0xf9, 0, 0xf9},
        {VT_PIXEL_SDIV, 8, 0x80, 0xff, 0x80},
        {VT_PIXEL_SREM, 8, 0x80, 0xff, 0},
        {VT_PIXEL_SDIV, 32, 0xfffffff9, 2, 0xfffffffd},
        {VT_PIXEL_SREM, 32, 0xfffffff9, 2, 0xffffffff},
        {VT_PIXEL_SREM, 32, 7, 0xfffffffe, 1},
        {VT_PIXEL_SDIV, 64, UINT64_C(1) << 63, UINT64_MAX, UINT64_C(1) << 63},
        {VT_PIXEL_UDIV, 64, 0, 0, UINT64_MAX},
        {VT_PIXEL_SHL, 32, 1, 31, 0x80000000},
        {VT_PIXEL_SHL, 32, 1, 32, 0},
        {VT_PIXEL_SHL, 64, 1, 64, 0},
        {VT_PIXEL_LSHR, 64, UINT64_MAX, 63, 1},
        {VT_PIXEL_LSHR, 64, UINT64_MAX, 64, 0},
        {VT_PIXEL_LSHR, 64, UINT64_MAX, UINT64_MAX, 0},
        {VT_PIXEL_ASHR, 64, UINT64_C(1) << 63, UINT64_MAX, UINT64_MAX},
        {VT_PIXEL_ASHR, 16, 0x8000, 16, 0xffff},
        {VT_PIXEL_ASHR, 16, 0x7fff, 0x8000, 0},
        {VT_PIXEL_ROL, 8, 0x81, 9, 3},
        {VT_PIXEL_ROL, 64, 5, 0, 5},
        {VT_PIXEL_ROR, 64, 5, 64, 5},
        {VT_PIXEL_ROR, 32, 1, 1, 0x80000000},
        {VT_PIXEL_CLZ, 16, 0, 0, 16},
        {VT_PIXEL_CTZ, 64, 0, 0, 64},
        {VT_PIXEL_CLZ, 8, 1, 0, 7},
        {VT_PIXEL_SMULH, 64, UINT64_MAX, UINT64_MAX, 0},
        {VT_PIXEL_SMULH, 64, UINT64_C(1) << 63, UINT64_C(1) << 63, UINT64_C(1) << 62},
        {VT_PIXEL_UMULH, 64, UINT64_MAX, UINT64_MAX, UINT64_MAX - 1},
        {VT_PIXEL_UMULH, 8, 0xff, 0xff, 0xfe},
        {VT_PIXEL_SMULH, 1, 1, 1, 0},
        {VT_PIXEL_BSWAP, 16, 0x1234, 0, 0x3412},
        {VT_PIXEL_BSWAP, 32, 0x12345678, 0, 0x78563412},
        {VT_PIXEL_BSWAP, 64, 0x0123456789abcdef, 0, 0xefcdab8967452301},
    };
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) {
        assert_int_equal(
            evaluate(edges[i].op, edges[i].bits, edges[i].bits, edges[i].a, edges[i].b, 0),
            edges[i].result);
        if (is_arithmetic(edges[i].op)) {
            assert_arithmetic(edges[i].op, edges[i].bits, edges[i].a, edges[i].b);
        }
    }
}

/** select, zext, sext, extract, concat; bits above operands' widths do not matter. */
static void test_shapes(void **state)
{
    (void)state;
    struct vt_generator g;
    vt_generator_init(&g, 32);
    for (unsigned i = 0; i < 5000; i++) {
        uint64_t a = vt_generator_next(&g), b = vt_generator_next(&g), c = vt_generator_next(&g);
        unsigned bits = 1 + vt_generator_below(&g, 64), narrow = 1 + vt_generator_below(&g, bits);
        unsigned first = vt_generator_below(&g, bits - narrow + 1);
        assert_int_equal(evaluate(VT_PIXEL_SELECT, bits, bits, a, b, c),
                         value_of(bits_of(c % 2 == 1 ? a : b, bits)));
        struct bits x = bits_of(a, narrow);
        assert_int_equal(evaluate(VT_PIXEL_ZEXT, bits, narrow, a, 0, 0),
                         value_of(extend(x, bits, false)));
        assert_int_equal(evaluate(VT_PIXEL_SEXT, bits, narrow, a, 0, 0),
                         value_of(extend(x, bits, msb(x))));
        struct vt_pixel_insn insn = {.op = VT_PIXEL_EXTRACT, .bits = (uint8_t)narrow, .imm = first};
        assert_int_equal(vt_pixel_evaluate(&insn, bits, a, 0, 0),
                         value_of(slice(bits_of(a, bits), first, narrow)));
    }
    assert_int_equal(evaluate(VT_PIXEL_CONCAT, 64, 32, 0x11111111, 0x22222222, 0),
                     0x1111111122222222);
    assert_int_equal(evaluate(VT_PIXEL_CONCAT, 16, 8, 0x5ab, 0x7cd, 0), 0xabcd);
}

/* ---- packed, on arrays of C's types */

#define EACH(n, expression)                                                                        \
    for (int i = 0; i < (n); i++) {                                                                \
        r[i] = (__typeof__(r[0]))(expression);                                                     \
    }                                                                                              \
    break

/** For lanes of one width: U and S are its types. */
#define PACKED(name, U, S, least, most, all)                                                       \
    static void name(unsigned op, const void *va, const void *vb, uint64_t by, void *vr)           \
    {                                                                                              \
        enum { N = 8 / sizeof(U), BITS = 8 * sizeof(U) };                                          \
        U a[N], b[N], r[N];                                                                        \
        S sa[N], sb[N], s;                                                                         \
        U u;                                                                                       \
        memcpy(a, va, 8);                                                                          \
        memcpy(b, vb, 8);                                                                          \
        memcpy(sa, va, 8);                                                                         \
        memcpy(sb, vb, 8);                                                                         \
        switch (op) {                                                                              \
        case VT_PIXEL_PADD:                                                                        \
            EACH(N, a[i] + b[i]);                                                                  \
        case VT_PIXEL_PSUB:                                                                        \
            EACH(N, a[i] - b[i]);                                                                  \
        case VT_PIXEL_PADDUS:                                                                      \
            EACH(N, __builtin_add_overflow(a[i], b[i], &u) ? (all) : u);                           \
        case VT_PIXEL_PADDSS:                                                                      \
            EACH(N,                                                                                \
                 __builtin_add_overflow(sa[i], sb[i], &s) ? (sa[i] < 0 ? (least) : (most)) : s);   \
        case VT_PIXEL_PSUBUS:                                                                      \
            EACH(N, __builtin_sub_overflow(a[i], b[i], &u) ? 0 : u);                               \
        case VT_PIXEL_PSUBSS:                                                                      \
            EACH(N,                                                                                \
                 __builtin_sub_overflow(sa[i], sb[i], &s) ? (sa[i] < 0 ? (least) : (most)) : s);   \
        case VT_PIXEL_PMULL:                                                                       \
            EACH(N, (int64_t)sa[i] * sb[i]);                                                       \
        case VT_PIXEL_PMINU:                                                                       \
            EACH(N, b[i] < a[i] ? b[i] : a[i]);                                                    \
        case VT_PIXEL_PMINS:                                                                       \
            EACH(N, sb[i] < sa[i] ? sb[i] : sa[i]);                                                \
        case VT_PIXEL_PMAXU:                                                                       \
            EACH(N, a[i] <= b[i] ? b[i] : a[i]);                                                   \
        case VT_PIXEL_PMAXS:                                                                       \
            EACH(N, sa[i] <= sb[i] ? sb[i] : sa[i]);                                               \
        case VT_PIXEL_PAVG:                                                                        \
            EACH(N, (a[i] | b[i]) - ((a[i] ^ b[i]) >> 1));                                         \
        case VT_PIXEL_PEQ:                                                                         \
            EACH(N, -(a[i] == b[i]));                                                              \
        case VT_PIXEL_PSGT:                                                                        \
            EACH(N, -(sb[i] < sa[i]));                                                             \
        case VT_PIXEL_PSHL:                                                                        \
            EACH(N, by < BITS ? (uint64_t)a[i] << by : 0);                                         \
        case VT_PIXEL_PLSHR:                                                                       \
            EACH(N, by < BITS ? (uint64_t)a[i] >> by : 0);                                         \
        default: /* PASHR */                                                                       \
            EACH(N, sa[i] >> (by < BITS ? (unsigned)by : BITS - 1));                               \
        }                                                                                          \
        memcpy(vr, r, 8);                                                                          \
    }

// clang-format off
PACKED(packed_8, uint8_t, int8_t, INT8_MIN, INT8_MAX, UINT8_MAX)
PACKED(packed_16, uint16_t, int16_t, INT16_MIN, INT16_MAX, UINT16_MAX)
PACKED(packed_32, uint32_t, int32_t, INT32_MIN, INT32_MAX, UINT32_MAX)
// clang-format on

static void test_packed(void **state)
{
    (void)state;
    struct vt_generator g;
    vt_generator_init(&g, 33);
    for (unsigned round = 0; round < 3000; round++) {
        for (unsigned op = VT_PIXEL_PADD; op <= VT_PIXEL_PASHR; op++) {
            unsigned lane = 8u << vt_generator_below(&g, 3);
            uint64_t a = 0, b = 0, want;
            for (unsigned at = 0; at < 64; at += lane) { /* edges in each element */
                a |= vt_generator_value(&g, lane) << at;
                b |= vt_generator_value(&g, lane) << at;
            }
            if (op >= VT_PIXEL_PSHL && vt_generator_below(&g, 4) != 0) {
                b = vt_generator_below(&g, lane + 2);
            }
            (lane == 8 ? packed_8 : lane == 16 ? packed_16 : packed_32)(op, &a, &b, b, &want);
            struct vt_pixel_insn insn = {.op = (uint8_t)op, .bits = 64, .lane = (uint8_t)lane};
            uint64_t has = vt_pixel_evaluate(&insn, 64, a, b, 0);
            if (has != want) {
                fail_msg("%s of %u bits: %#lx, %#lx is %#lx, not %#lx", vt_pixel_op_name(op), lane,
                         a, b, has, want);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small),  cmocka_unit_test(test_random), cmocka_unit_test(test_edges),
        cmocka_unit_test(test_shapes), cmocka_unit_test(test_packed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
