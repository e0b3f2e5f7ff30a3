/* Terms mean what they were made of: random ones against an evaluator of its own that simplifies
 * nothing. And the rules that lifted code relies on do what they are for.
 */
#include "tests/unit/harness.h"

#include "synth/term.h"

#include <string.h>

/* ---- numbers */

static uint64_t random_state = UINT64_C(0x9e3779b97f4a7c15);

static uint64_t any(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state * UINT64_C(0x2545f4914f6cdd1d);
}

static uint64_t below(uint64_t n)
{
    return any() % n;
}

/* Those at which carries and signs change come often, and masks. */
static uint64_t number(unsigned bits)
{
    uint64_t n = any();
    switch (below(8)) {
    case 0:
        return n % 5 - 2;
    case 1:
        return (uint64_t)1 << n % bits;
    case 2:
        return ((uint64_t)1 << n % bits) - 1;
    case 3:
        return ~(((uint64_t)1 << n % bits) - 1);
    case 4:
        return n % (2 * (uint64_t)bits);
    case 5:
        return ((uint64_t)1 << (bits - 1)) + n % 3 - 1;
    default:
        return n;
    }
}

/* ---- what operations mean, said again bit by bit where that is another way to say it */

#define VALUATIONS 6U
#define NODES 400U

struct meant {
    vt_term term;
    unsigned bits;
    uint64_t value[VALUATIONS];
};

static uint64_t ones(unsigned bits)
{
    return bits == 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;
}

static __int128 as_signed(uint64_t a, unsigned bits)
{
    return (a >> (bits - 1) & 1) != 0 ? (__int128)a - ((__int128)1 << bits) : (__int128)a;
}

static uint64_t truncating(__int128 a, __int128 b, bool rest)
{
    return (uint64_t)(rest ? a % b : a / b);
}

static uint64_t scalar(enum vt_pixel_op op, unsigned w, uint64_t a, uint64_t b, uint64_t c)
{
    unsigned __int128 sum = (unsigned __int128)a + b + c;
    __int128 x = as_signed(a, w), y = as_signed(b, w), half = (__int128)1 << (w - 1);
    __int128 plus = x + y + (int)c, minus = x - y - (int)c;
    uint64_t r = 0;
    switch (op) {
    case VT_PIXEL_ADD:
        return a + b;
    case VT_PIXEL_SUB:
        return a + ~b + 1;
    case VT_PIXEL_MUL:
        return (uint64_t)((unsigned __int128)a * b);
    case VT_PIXEL_UMULH:
        return (uint64_t)((unsigned __int128)a * b >> w);
    case VT_PIXEL_SMULH:
        return (uint64_t)((x * y) >> w);
    case VT_PIXEL_UDIV:
        return b == 0 ? UINT64_MAX : a / b;
    case VT_PIXEL_UREM:
        return b == 0 ? a : a % b;
    case VT_PIXEL_SDIV:
        return b == 0 ? (x < 0 ? 1 : UINT64_MAX) : truncating(x, y, false);
    case VT_PIXEL_SREM:
        return b == 0 ? a : truncating(x, y, true);
    case VT_PIXEL_AND:
        return a & b;
    case VT_PIXEL_OR:
        return a | b;
    case VT_PIXEL_XOR:
        return (a | b) & ~(a & b);
    case VT_PIXEL_NOT:
        return ~a;
    case VT_PIXEL_NEG:
        return ~a + 1;
    case VT_PIXEL_SHL:
        return b < w ? a << b : 0;
    case VT_PIXEL_LSHR:
        return b < w ? a >> b : 0;
    case VT_PIXEL_ASHR:
        return (uint64_t)(x >> (b < w ? b : w));
    case VT_PIXEL_ROL:
        for (unsigned i = 0; i < w; i++) {
            r |= (a >> i & 1) << (i + b % w) % w;
        }
        return r;
    case VT_PIXEL_ROR:
        for (unsigned i = 0; i < w; i++) {
            r |= (a >> (i + b % w) % w & 1) << i;
        }
        return r;
    case VT_PIXEL_POPCNT:
        for (unsigned i = 0; i < w; i++) {
            r += a >> i & 1;
        }
        return r;
    case VT_PIXEL_CLZ:
        while (r < w && (a >> (w - 1 - r) & 1) == 0) {
            r++;
        }
        return r;
    case VT_PIXEL_CTZ:
        while (r < w && (a >> r & 1) == 0) {
            r++;
        }
        return r;
    case VT_PIXEL_BSWAP:
        for (unsigned i = 0; i < w; i += 8) {
            r |= (a >> i & 0xff) << (w - 8 - i);
        }
        return r;
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
        return (uint64_t)(sum >> w) & 1;
    case VT_PIXEL_SUB_BORROW:
        return (__int128)a - (__int128)b - (int)c < 0;
    case VT_PIXEL_ADD_OVERFLOW:
        return plus >= half || plus < -half;
    case VT_PIXEL_SUB_OVERFLOW:
        return minus >= half || minus < -half;
    default:
        return c != 0 ? a : b; /* SELECT */
    }
}

static __int128 between(__int128 v, __int128 low, __int128 high)
{
    return v < low ? low : v > high ? high : v;
}

static uint64_t of_lane(enum vt_pixel_op op, unsigned w, uint64_t a, uint64_t b)
{
    __int128 x = as_signed(a, w), y = as_signed(b, w), half = (__int128)1 << (w - 1);
    switch (op) {
    case VT_PIXEL_PADD:
        return a + b;
    case VT_PIXEL_PSUB:
        return a - b;
    case VT_PIXEL_PADDUS:
        return (uint64_t)between((__int128)a + b, 0, ones(w));
    case VT_PIXEL_PADDSS:
        return (uint64_t)between(x + y, -half, half - 1);
    case VT_PIXEL_PSUBUS:
        return (uint64_t)between((__int128)a - b, 0, ones(w));
    case VT_PIXEL_PSUBSS:
        return (uint64_t)between(x - y, -half, half - 1);
    case VT_PIXEL_PMULL:
        return a * b;
    case VT_PIXEL_PMINU:
        return a < b ? a : b;
    case VT_PIXEL_PMINS:
        return x < y ? a : b;
    case VT_PIXEL_PMAXU:
        return a < b ? b : a;
    case VT_PIXEL_PMAXS:
        return x < y ? b : a;
    case VT_PIXEL_PAVG:
        return (a + b + 1) / 2;
    case VT_PIXEL_PEQ:
        return a == b ? UINT64_MAX : 0;
    default:
        return x > y ? UINT64_MAX : 0;
    }
}

static uint64_t in_lanes(enum vt_pixel_op op, unsigned lane, uint64_t a, uint64_t b)
{
    uint64_t r = 0;
    for (unsigned at = 0; at < 64; at += lane) {
        uint64_t x = a >> at & ones(lane), y = b >> at & ones(lane), one;
        one = op == VT_PIXEL_PSHL    ? scalar(VT_PIXEL_SHL, lane, x, b, 0)
              : op == VT_PIXEL_PLSHR ? scalar(VT_PIXEL_LSHR, lane, x, b, 0)
              : op == VT_PIXEL_PASHR ? scalar(VT_PIXEL_ASHR, lane, x, b, 0)
                                     : of_lane(op, lane, x, y);
        r |= (one & ones(lane)) << at;
    }
    return r;
}

/* ---- random terms */

struct pool {
    struct vt_terms *t;
    struct meant nodes[NODES];
    unsigned n, symbols;
    vt_term symbol[16];
    uint64_t given[16][VALUATIONS];
};

static const unsigned widths[] = {1, 8, 16, 32, 64, 64, 32, 8, 5, 24, 56, 48};

static struct meant *add(struct pool *p, vt_term term, unsigned bits)
{
    struct meant *m = &p->nodes[p->n++];
    m->term = term;
    m->bits = bits;
    assert_int_equal(vt_term_bits(p->t, term), bits);
    return m;
}

static void add_symbol(struct pool *p, unsigned bits)
{
    unsigned i = p->symbols++;
    p->symbol[i] = vt_term_symbol(p->t, bits, "s");
    struct meant *m = add(p, p->symbol[i], bits);
    for (unsigned k = 0; k < VALUATIONS; k++) {
        m->value[k] = p->given[i][k] = number(bits) & ones(bits);
    }
}

/* One of this width: a recent one, any, or a constant. */
static struct meant pick(struct pool *p, unsigned bits)
{
    for (unsigned tries = 0; tries < 40 && below(4) != 0; tries++) {
        unsigned from = below(2) == 0 && p->n > 12 ? p->n - 12 : 0;
        struct meant m = p->nodes[from + below(p->n - from)];
        if (m.bits == bits) {
            return m;
        }
    }
    uint64_t v = number(bits) & ones(bits);
    struct meant m = {.term = vt_term_const(p->t, bits, v), .bits = bits};
    for (unsigned k = 0; k < VALUATIONS; k++) {
        m.value[k] = v;
    }
    return m;
}

static void add_slice(struct pool *p, enum vt_pixel_op op)
{
    unsigned wide = widths[below(12)], bits, first = 0;
    struct meant a = pick(p, wide), b = a, *m;
    switch (op) {
    case VT_PIXEL_EXTRACT:
        bits = 1 + (unsigned)below(wide);
        first = (unsigned)below(wide - bits + 1);
        m = add(p, vt_term_extract(p->t, a.term, first, bits), bits);
        break;
    case VT_PIXEL_CONCAT:
        bits = wide == 64 ? 64 : wide + 1 + (unsigned)below(64 - wide);
        if (bits == wide) {
            return;
        }
        b = pick(p, bits - wide);
        m = add(p, vt_term_concat(p->t, a.term, b.term), bits);
        break;
    default:
        bits = wide + (unsigned)below(65 - wide);
        m = add(p,
                op == VT_PIXEL_ZEXT ? vt_term_zext(p->t, a.term, bits)
                                    : vt_term_sext(p->t, a.term, bits),
                bits);
        break;
    }
    for (unsigned k = 0; k < VALUATIONS; k++) {
        uint64_t v = a.value[k];
        m->value[k] = op == VT_PIXEL_EXTRACT  ? v >> first & ones(bits)
                      : op == VT_PIXEL_CONCAT ? v << (bits - wide) | b.value[k]
                      : op == VT_PIXEL_ZEXT   ? v
                                              : (uint64_t)as_signed(v, wide) & ones(bits);
    }
}

static void add_operation(struct pool *p)
{
    enum vt_pixel_op op = VT_PIXEL_ADD + (unsigned)below(VT_PIXEL_LOAD - VT_PIXEL_ADD);
    if (below(4) == 0) { /* slices more often */
        op = VT_PIXEL_ZEXT + (unsigned)below(4);
    }
    if (op >= VT_PIXEL_ZEXT && op <= VT_PIXEL_CONCAT) {
        add_slice(p, op);
        return;
    }
    bool packed = op >= VT_PIXEL_PADD, compares = op >= VT_PIXEL_EQ && op < VT_PIXEL_SELECT;
    unsigned w = packed ? 64 : widths[below(12)], lane = packed ? 8U << below(3) : 0;
    if (op == VT_PIXEL_BSWAP) {
        w = 16U << below(3);
    }
    struct meant a = pick(p, w), b = below(12) == 0 ? a : pick(p, w), c = pick(p, 1);
    unsigned bits = compares ? 1 : w;
    struct meant *m = add(p, vt_term_make(p->t, op, bits, lane, a.term, b.term, c.term, 0), bits);
    bool carry = op >= VT_PIXEL_ADD_CARRY && op <= VT_PIXEL_SELECT;
    for (unsigned k = 0; k < VALUATIONS; k++) {
        m->value[k] = (packed ? in_lanes(op, lane, a.value[k], b.value[k])
                              : scalar(op, w, a.value[k], b.value[k], carry ? c.value[k] : 0)) &
                      ones(bits);
    }
}

struct given {
    const struct pool *p;
    unsigned k;
};

static uint64_t value_of(void *arg, vt_term symbol)
{
    const struct given *g = arg;
    for (unsigned i = 0; i < g->p->symbols; i++) {
        if (g->p->symbol[i] == symbol) {
            return g->p->given[i][g->k];
        }
    }
    fail();
    return 0;
}

static void check(const struct pool *p, const struct meant *m, vt_term term)
{
    for (unsigned k = 0; k < VALUATIONS; k++) {
        struct given g = {.p = p, .k = k};
        uint64_t is = vt_term_evaluate(p->t, term, value_of, &g);
        if (is != m->value[k]) {
            char text[2000];
            vt_term_print(p->t, term, text, sizeof text);
            print_message("0x%llx, should be 0x%llx: %s\n", (unsigned long long)is,
                          (unsigned long long)m->value[k], text);
            fail();
        }
    }
}

/* Taken apart and made again it is the same. */
static void check_made_again(const struct pool *p, vt_term term)
{
    struct vt_term_node n = *vt_term_node(p->t, term);
    if (n.kind == VT_TERM_OPERATION) {
        vt_term again = vt_term_make(p->t, n.op, n.bits, n.lane, n.a, n.b, n.c, n.imm);
        if (again != term) {
            char text[2000], other[2000];
            vt_term_print(p->t, term, text, sizeof text);
            vt_term_print(p->t, again, other, sizeof other);
            print_message("%s\nis made again as %s\n", text, other);
            fail();
        }
    }
}

static void random_terms(void **state)
{
    (void)state;
    unsigned long long count = 0;
    for (unsigned round = 0; round < 300; round++) {
        static struct pool p;
        memset(&p, 0, sizeof p);
        p.t = vt_terms_create();
        assert_non_null(p.t);
        for (unsigned i = 0; i < 12; i++) {
            add_symbol(&p, widths[i % 8]);
        }
        while (p.n < NODES) {
            add_operation(&p);
            check(&p, &p.nodes[p.n - 1], p.nodes[p.n - 1].term);
            check_made_again(&p, p.nodes[p.n - 1].term);
            count++;
        }
        /* Each symbol as another one of its width, whose value it is given. */
        vt_term to[16];
        for (unsigned i = 0; i < p.symbols; i++) {
            to[i] = vt_term_symbol(p.t, vt_term_bits(p.t, p.symbol[i]), "other");
        }
        struct pool other = p;
        memcpy(other.symbol, to, sizeof to);
        for (unsigned i = 0; i < NODES; i += 7) {
            vt_term moved = vt_term_substitute(p.t, p.nodes[i].term, p.symbol, to, p.symbols);
            check(&other, &p.nodes[i], moved);
        }
        assert_false(vt_terms_broken(p.t));
        vt_terms_destroy(p.t);
    }
    print_message("%llu terms, %u valuations each\n", count, VALUATIONS);
}

/* ---- rules that are relied on */

struct rig {
    struct vt_terms *t;
    vt_term x, y, z, eax, al, p;
};

static struct rig rig(void)
{
    struct rig r = {.t = vt_terms_create()};
    assert_non_null(r.t);
    r.x = vt_term_symbol(r.t, 64, "x");
    r.y = vt_term_symbol(r.t, 64, "y");
    r.z = vt_term_symbol(r.t, 64, "z");
    r.eax = vt_term_symbol(r.t, 32, "eax");
    r.al = vt_term_symbol(r.t, 8, "al");
    r.p = vt_term_symbol(r.t, 1, "p");
    return r;
}

#define TWO(op, a, b) vt_term_2(r.t, VT_PIXEL_##op, a, b)
#define ONE(op, a) vt_term_1(r.t, VT_PIXEL_##op, a)
#define IF(op, a, b) vt_term_compare(r.t, VT_PIXEL_##op, a, b)
#define K(value) vt_term_const(r.t, 64, (uint64_t)(value))
#define BIT(value) vt_term_const(r.t, 1, value)
#define FLAG(op, a, b) vt_term_make(r.t, VT_PIXEL_##op, 1, 0, a, b, BIT(0), 0)

static void registers_in_parts(void **state)
{
    (void)state;
    struct rig r = rig();
    vt_term upper = vt_term_extract(r.t, r.x, 8, 56);
    vt_term rax = vt_term_concat(r.t, upper, r.al); /* mov al */
    assert_int_equal(vt_term_extract(r.t, rax, 0, 8), r.al);
    assert_int_equal(vt_term_extract(r.t, rax, 32, 32), vt_term_extract(r.t, r.x, 32, 32));
    vt_term low = vt_term_extract(r.t, r.x, 0, 8);
    assert_int_equal(vt_term_concat(r.t, vt_term_extract(r.t, rax, 8, 56), low), r.x);
    /* mov eax, …; movzx eax, al; test of it */
    vt_term wide = vt_term_zext(r.t, r.eax, 64);
    assert_int_equal(vt_term_extract(r.t, wide, 0, 32), r.eax);
    assert_int_equal(TWO(AND, vt_term_zext(r.t, r.al, 64), K(0xff)), vt_term_zext(r.t, r.al, 64));
    assert_int_equal(IF(EQ, vt_term_zext(r.t, r.al, 64), K(0)),
                     IF(EQ, r.al, vt_term_const(r.t, 8, 0)));
    /* lea eax, [rax + 1] of a 32-bit register */
    assert_int_equal(vt_term_extract(r.t, TWO(ADD, wide, K(1)), 0, 32),
                     TWO(ADD, r.eax, vt_term_const(r.t, 32, 1)));
    /* the parts put together by or, as programs do */
    assert_int_equal(TWO(OR, TWO(AND, r.x, K(~0xffULL)), vt_term_zext(r.t, r.al, 64)), rax);
    vt_terms_destroy(r.t);
}

static void sums(void **state)
{
    (void)state;
    struct rig r = rig();
    vt_term x8 = TWO(ADD, r.x, K(8));
    assert_int_equal(TWO(SUB, TWO(ADD, x8, K(8)), K(16)), r.x);
    assert_int_equal(TWO(ADD, r.y, x8), TWO(ADD, TWO(ADD, r.x, r.y), K(8)));
    assert_int_equal(TWO(SUB, TWO(ADD, x8, r.y), r.x), TWO(ADD, r.y, K(8)));
    assert_int_equal(TWO(XOR, r.x, r.x), K(0));
    assert_int_equal(TWO(MUL, r.x, K(8)), TWO(SHL, r.x, K(3)));
    assert_int_equal(TWO(SUB, K(0), vt_term_zext(r.t, r.p, 64)), vt_term_sext(r.t, r.p, 64));
    assert_int_equal(IF(EQ, TWO(SUB, r.x, K(1)), r.x), BIT(0));
    assert_int_equal(IF(EQ, TWO(XOR, r.x, TWO(SUB, r.x, K(1))), K(0)), BIT(0));
    assert_int_equal(IF(ULT, TWO(ADD, r.x, K(0)), r.x), BIT(0));
    /* rol by shifts */
    assert_int_equal(TWO(OR, TWO(SHL, r.x, K(13)), TWO(LSHR, r.x, K(51))), TWO(ROL, r.x, K(13)));
    struct vt_term_sum s;
    vt_term sum = TWO(SUB, TWO(ADD, TWO(SHL, r.x, K(2)), TWO(MUL, x8, K(3))), ONE(NOT, r.y));
    assert_true(vt_term_linear(r.t, sum, &s));
    assert_int_equal(s.constant, 25);
    assert_int_equal(s.n, 2);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(s.part[i].coefficient, s.part[i].atom == r.x ? 7 : 1);
    }
    assert_true(vt_term_linear(r.t, TWO(SUB, sum, sum), &s));
    assert_int_equal(s.n, 0);
    vt_terms_destroy(r.t);
}

/* The flags of cmp a, b, and what jumps make of them. */
static void flags_to_comparisons(struct rig r, vt_term a, vt_term b)
{
    vt_term d = TWO(SUB, a, b), nothing = vt_term_const(r.t, vt_term_bits(r.t, a), 0);
    vt_term cf = FLAG(SUB_BORROW, a, b), of = FLAG(SUB_OVERFLOW, a, b);
    vt_term zf = IF(EQ, d, nothing), sf = IF(SLT, d, nothing);
    vt_term less = TWO(XOR, sf, of);
    assert_int_equal(cf, IF(ULT, a, b));
    assert_int_equal(zf, IF(EQ, a, b));
    assert_int_equal(TWO(OR, cf, zf), IF(ULE, a, b));
    assert_int_equal(ONE(NOT, TWO(OR, cf, zf)), IF(ULT, b, a));
    assert_int_equal(less, IF(SLT, a, b));
    assert_int_equal(ONE(NOT, less), IF(SLE, b, a));
    assert_int_equal(TWO(OR, zf, less), IF(SLE, a, b));
    assert_int_equal(ONE(NOT, TWO(OR, zf, less)), IF(SLT, b, a));
    assert_int_equal(ONE(NOT, zf), IF(NE, a, b));
}

static void conditions(void **state)
{
    (void)state;
    struct rig r = rig();
    flags_to_comparisons(r, r.x, r.y);
    flags_to_comparisons(r, TWO(ADD, r.x, K(8)), r.y);
    flags_to_comparisons(r, TWO(ADD, r.x, K(8)), TWO(ADD, r.x, r.y));
    flags_to_comparisons(r, r.al, vt_term_const(r.t, 8, 1));
    static const uint64_t constants[] = {0, 1, 2, 100, INT64_MAX, 0x8000000000000000u, UINT64_MAX};
    for (unsigned i = 0; i < sizeof constants / sizeof constants[0]; i++) {
        vt_term d = TWO(SUB, r.x, K(constants[i]));
        assert_int_equal(TWO(XOR, IF(SLT, d, K(0)), FLAG(SUB_OVERFLOW, r.x, K(constants[i]))),
                         IF(SLT, r.x, K(constants[i])));
        assert_int_equal(TWO(OR, IF(EQ, d, K(0)), FLAG(SUB_BORROW, r.x, K(constants[i]))),
                         IF(ULE, r.x, K(constants[i])));
    }
    /* test x, x; jle */
    assert_int_equal(TWO(OR, IF(EQ, r.x, K(0)), IF(SLT, r.x, K(0))), IF(SLE, r.x, K(0)));
    /* inc x; jl: of the sum as it is without bounds */
    assert_int_equal(TWO(XOR, IF(SLT, TWO(ADD, r.x, K(1)), K(0)), FLAG(ADD_OVERFLOW, r.x, K(1))),
                     IF(SLT, r.x, K(-1)));
    /* setcc; movzx; test; jne */
    vt_term p = vt_term_zext(r.t, r.p, 32);
    assert_int_equal(IF(NE, p, vt_term_const(r.t, 32, 0)), r.p);
    assert_int_equal(vt_term_select(r.t, r.p, K(1), K(0)), vt_term_zext(r.t, r.p, 64));
    assert_int_equal(vt_term_select(r.t, IF(NE, r.x, r.y), r.x, r.y),
                     vt_term_select(r.t, IF(EQ, r.x, r.y), r.y, r.x));
    vt_terms_destroy(r.t);
}

/* ---- large, deep, wrong */

static uint64_t all_ones(void *arg, vt_term symbol)
{
    (void)arg, (void)symbol;
    return UINT64_MAX;
}

static void count_one(void *arg, vt_term symbol)
{
    unsigned *n = arg;
    (void)symbol;
    (*n)++;
}

/* Each node is made of the one before twice: trees of 2^N leaves. */
static void deep(void **state)
{
    (void)state;
    struct rig r = rig();
    vt_term at = r.x;
    for (unsigned i = 0; i < 100000; i++) {
        at = TWO(XOR, TWO(MUL, at, r.y), TWO(ROL, at, r.z));
    }
    assert_false(vt_terms_broken(r.t));
    uint64_t value = UINT64_MAX;
    for (unsigned i = 0; i < 100000; i++) {
        value = (value * UINT64_MAX) ^ (value << 63 | value >> 1);
    }
    assert_int_equal(vt_term_evaluate(r.t, at, all_ones, NULL), value);
    unsigned n = 0;
    vt_term_symbols(r.t, at, count_one, &n);
    assert_int_equal(n, 3);
    vt_term from[] = {r.x, r.y, r.z}, to[] = {K(1), K(0), K(0)};
    assert_int_equal(vt_term_substitute(r.t, at, from, to, 3), K(1));
    assert_true(vt_term_substitute(r.t, at, from, (vt_term[]){r.y, r.x, r.z}, 3) != 0);
    char text[100];
    vt_term_print(r.t, at, text, sizeof text);
    assert_int_equal(strlen(text), sizeof text - 1);
    struct vt_term_sum s;
    vt_term doubling = r.x;
    for (unsigned i = 0; i < 60; i++) {
        doubling = TWO(ADD, TWO(ADD, doubling, r.y), TWO(MUL, doubling, K(3)));
    }
    (void)vt_term_linear(r.t, doubling, &s);
    vt_terms_destroy(r.t);
}

static void broken(void **state)
{
    (void)state;
    struct rig r = rig();
    assert_int_equal(TWO(ADD, r.x, 0), 0);
    assert_int_equal(vt_term_select(r.t, 0, r.x, r.y), 0);
    assert_false(vt_terms_broken(r.t));
    assert_int_equal(vt_term_make(r.t, VT_PIXEL_ADD, 64, 0, r.x, r.eax, 0, 0), 0);
    assert_true(vt_terms_broken(r.t));
    assert_int_equal(TWO(MUL, r.x, r.y), 0);
    vt_terms_destroy(r.t);
    r = rig();
    for (unsigned i = 0; i <= VT_TERMS_MAX && !vt_terms_broken(r.t); i++) {
        (void)vt_term_const(r.t, 64, i);
    }
    assert_true(vt_terms_broken(r.t));
    vt_terms_destroy(r.t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_terms), cmocka_unit_test(registers_in_parts),
        cmocka_unit_test(sums),         cmocka_unit_test(conditions),
        cmocka_unit_test(deep),         cmocka_unit_test(broken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
