/* pixel/lower.c - see lower.h.
 */
#include "pixel/lower.h"

#include <stdlib.h>
#include <string.h>

#define NONE VT_PIXEL_NONE

struct lower {
    const struct vt_pixel_program *in;
    struct vt_pixel_program *out;
    enum vt_lower what;
    uint32_t *value; /* by value of `in` */
    bool full;
};

/* ---------------------------------------------------------------- making values */

static uint32_t emit(struct lower *l, struct vt_pixel_insn insn)
{
    uint32_t v = vt_pixel_emit(l->out, insn);
    l->full = l->full || v == NONE;
    return v == NONE ? 0 : v;
}
static unsigned bits_of(const struct lower *l, uint32_t v)
{
    return l->out->n_insns > v ? l->out->insns[v].bits : 1;
}
static uint32_t constant(struct lower *l, unsigned bits, uint64_t n)
{
    uint64_t kept = bits < 64 ? n & (((uint64_t)1 << bits) - 1) : n;
    return emit(l, (struct vt_pixel_insn){.op = VT_PIXEL_CONST,
                                          .bits = (uint8_t)bits,
                                          .a = NONE,
                                          .b = NONE,
                                          .c = NONE,
                                          .imm = kept});
}
static uint32_t make(struct lower *l, enum vt_pixel_op op, unsigned bits, uint32_t a, uint32_t b,
                     uint32_t c, uint64_t imm)
{
    return emit(l,
                (struct vt_pixel_insn){
                    .op = (uint8_t)op, .bits = (uint8_t)bits, .a = a, .b = b, .c = c, .imm = imm});
}
static uint32_t two(struct lower *l, enum vt_pixel_op op, uint32_t a, uint32_t b)
{
    return make(l, op, bits_of(l, a), a, b, NONE, 0);
}
static uint32_t with(struct lower *l, enum vt_pixel_op op, uint32_t a, uint64_t n)
{
    return two(l, op, a, constant(l, bits_of(l, a), n));
}
static uint32_t not(struct lower * l, uint32_t a)
{
    return make(l, VT_PIXEL_NOT, bits_of(l, a), a, NONE, NONE, 0);
}
static uint32_t add(struct lower *l, uint32_t a, uint32_t b)
{
    return two(l, VT_PIXEL_ADD, a, b);
}
static uint32_t sub(struct lower *l, uint32_t a, uint32_t b)
{
    return two(l, VT_PIXEL_SUB, a, b);
}
static uint32_t and (struct lower * l, uint32_t a, uint32_t b)
{
    return two(l, VT_PIXEL_AND, a, b);
}
static uint32_t or (struct lower * l, uint32_t a, uint32_t b)
{
    return two(l, VT_PIXEL_OR, a, b);
}
static uint32_t xor (struct lower * l, uint32_t a, uint32_t b) {
    return two(l, VT_PIXEL_XOR, a, b);
} static uint32_t compare(struct lower *l, enum vt_pixel_op op, uint32_t a, uint32_t b)
{
    return make(l, op, 1, a, b, NONE, 0);
}
static uint32_t choose(struct lower *l, uint32_t bit, uint32_t a, uint32_t b)
{
    return make(l, VT_PIXEL_SELECT, bits_of(l, a), a, b, bit, 0);
}
static uint32_t widen(struct lower *l, uint32_t a, unsigned bits)
{
    return bits_of(l, a) == bits ? a : make(l, VT_PIXEL_ZEXT, bits, a, NONE, NONE, 0);
}
static uint32_t narrow(struct lower *l, uint32_t a, unsigned bits, unsigned first)
{
    return bits_of(l, a) == bits ? a : make(l, VT_PIXEL_EXTRACT, bits, a, NONE, NONE, first);
}

/* ---------------------------------------------------------------- scalars */

static uint32_t shift(struct lower *l, enum vt_pixel_op op, uint32_t a, uint32_t by)
{
    unsigned bits = bits_of(l, a);
    const struct vt_pixel_insn *amount = &l->out->insns[by];
    if (bits == 1) { /* by 0 or 1 */
        return op == VT_PIXEL_ASHR ? a : and(l, a, not(l, by));
    }
    if (amount->op == VT_PIXEL_CONST) {
        uint64_t n = amount->imm;
        return n < bits              ? two(l, op, a, by)
               : op == VT_PIXEL_ASHR ? with(l, op, a, bits - 1)
                                     : constant(l, bits, 0);
    }
    uint32_t fits = compare(l, VT_PIXEL_ULT, by, constant(l, bits, bits));
    uint32_t top = constant(l, bits, bits - 1);
    if (op == VT_PIXEL_ASHR) {
        return two(l, op, a, choose(l, fits, by, top));
    }
    return choose(l, fits, two(l, op, a, and(l, by, top)), constant(l, bits, 0));
}

static uint32_t rotate(struct lower *l, bool left, uint32_t a, uint32_t by)
{
    unsigned bits = bits_of(l, a);
    if (bits == 1) {
        return a;
    }
    uint32_t top = constant(l, bits, bits - 1);
    uint32_t n = and(l, by, top);
    uint32_t rest = and(l, sub(l, constant(l, bits, bits), n), top);
    return left ? or (l, two(l, VT_PIXEL_SHL, a, n), two(l, VT_PIXEL_LSHR, a, rest))
                : or (l, two(l, VT_PIXEL_LSHR, a, n), two(l, VT_PIXEL_SHL, a, rest));
}

/* Of 64 bits, so that the sums' bits have room. */
static uint32_t ones(struct lower *l, uint32_t a, unsigned bits)
{
    uint32_t x = widen(l, a, 64);
    x = sub(l, x,
            with(l, VT_PIXEL_AND, with(l, VT_PIXEL_LSHR, x, 1), UINT64_C(0x5555555555555555)));
    x = add(l, with(l, VT_PIXEL_AND, x, UINT64_C(0x3333333333333333)),
            with(l, VT_PIXEL_AND, with(l, VT_PIXEL_LSHR, x, 2), UINT64_C(0x3333333333333333)));
    x = with(l, VT_PIXEL_AND, add(l, x, with(l, VT_PIXEL_LSHR, x, 4)),
             UINT64_C(0x0f0f0f0f0f0f0f0f));
    x = with(l, VT_PIXEL_LSHR, with(l, VT_PIXEL_MUL, x, UINT64_C(0x0101010101010101)), 56);
    return narrow(l, x, bits, 0);
}

static uint32_t zeros(struct lower *l, bool leading, uint32_t a)
{
    unsigned bits = bits_of(l, a);
    if (bits == 1) {
        return not(l, a);
    }
    if (!leading) { /* the ones below the lowest one */
        return ones(l, and(l, with(l, VT_PIXEL_SUB, a, 1), not(l, a)), bits);
    }
    uint32_t x = a;
    for (unsigned by = 1; by < bits; by *= 2) {
        x = or (l, x, with(l, VT_PIXEL_LSHR, x, by));
    }
    return ones(l, not(l, x), bits);
}

static uint32_t swapped(struct lower *l, uint32_t a)
{
    static const uint64_t masks[] = {UINT64_C(0x00ff00ff00ff00ff), UINT64_C(0x0000ffff0000ffff)};
    unsigned bits = bits_of(l, a);
    uint32_t x = a;
    for (unsigned k = 0, by = 8; by < bits; by *= 2, k++) {
        if (by * 2 == bits) {
            return or (l, with(l, VT_PIXEL_SHL, x, by), with(l, VT_PIXEL_LSHR, x, by));
        }
        x = or (l, with(l, VT_PIXEL_SHL, with(l, VT_PIXEL_AND, x, masks[k]), by),
                with(l, VT_PIXEL_AND, with(l, VT_PIXEL_LSHR, x, by), masks[k]));
    }
    return x;
}

static uint32_t high_product(struct lower *l, bool is_signed, uint32_t a, uint32_t b)
{
    unsigned bits = bits_of(l, a);
    if (bits == 1) {
        return constant(l, 1, 0);
    }
    if (bits < 64) {
        enum vt_pixel_op op = is_signed ? VT_PIXEL_SEXT : VT_PIXEL_ZEXT;
        uint32_t x = make(l, op, 64, a, NONE, NONE, 0), y = make(l, op, 64, b, NONE, NONE, 0);
        return narrow(l, two(l, VT_PIXEL_MUL, x, y), bits, bits);
    }
    uint64_t half = UINT32_MAX;
    uint32_t a0 = with(l, VT_PIXEL_AND, a, half), a1 = with(l, VT_PIXEL_LSHR, a, 32);
    uint32_t b0 = with(l, VT_PIXEL_AND, b, half), b1 = with(l, VT_PIXEL_LSHR, b, 32);
    uint32_t low = with(l, VT_PIXEL_LSHR, two(l, VT_PIXEL_MUL, a0, b0), 32);
    uint32_t t = add(l, two(l, VT_PIXEL_MUL, a1, b0), low);
    uint32_t u = add(l, two(l, VT_PIXEL_MUL, a0, b1), with(l, VT_PIXEL_AND, t, half));
    uint32_t high = add(l, add(l, two(l, VT_PIXEL_MUL, a1, b1), with(l, VT_PIXEL_LSHR, t, 32)),
                        with(l, VT_PIXEL_LSHR, u, 32));
    if (is_signed) {
        high = sub(l, high, and(l, with(l, VT_PIXEL_ASHR, a, 63), b));
        high = sub(l, high, and(l, with(l, VT_PIXEL_ASHR, b, 63), a));
    }
    return high;
}

static uint32_t magnitude(struct lower *l, uint32_t a, uint32_t sign)
{
    return sub(l, xor(l, a, sign), sign);
}

static uint32_t divide(struct lower *l, enum vt_pixel_op op, uint32_t a, uint32_t b)
{
    unsigned bits = bits_of(l, a);
    bool is_signed = op == VT_PIXEL_SDIV || op == VT_PIXEL_SREM;
    bool quotient = op == VT_PIXEL_UDIV || op == VT_PIXEL_SDIV;
    if (bits == 1) {
        return quotient ? or (l, a, not(l, b)) : and(l, a, not(l, b));
    }
    uint32_t sign_a = 0, sign_b = 0;
    if (is_signed) {
        sign_a = with(l, VT_PIXEL_ASHR, a, bits - 1);
        sign_b = with(l, VT_PIXEL_ASHR, b, bits - 1);
        a = magnitude(l, a, sign_a);
        b = magnitude(l, b, sign_b);
    }
    uint32_t zero = compare(l, VT_PIXEL_EQ, b, constant(l, bits, 0));
    uint32_t safe = choose(l, zero, constant(l, bits, 1), b);
    uint32_t r = choose(l, zero, quotient ? constant(l, bits, UINT64_MAX) : a,
                        two(l, quotient ? VT_PIXEL_UDIV : VT_PIXEL_UREM, a, safe));
    return !is_signed ? r : magnitude(l, r, quotient ? xor(l, sign_a, sign_b) : sign_a);
}

static uint32_t carry(struct lower *l, enum vt_pixel_op op, uint32_t a, uint32_t b, uint32_t c)
{
    unsigned bits = bits_of(l, a);
    uint32_t in = c == NONE ? constant(l, bits, 0) : widen(l, c, bits), first, last, sign;
    switch (op) {
    case VT_PIXEL_ADD_CARRY:
        first = add(l, a, b);
        last = add(l, first, in);
        return or (l, compare(l, VT_PIXEL_ULT, first, a), compare(l, VT_PIXEL_ULT, last, first));
    case VT_PIXEL_SUB_BORROW:
        first = sub(l, a, b);
        return or (l, compare(l, VT_PIXEL_ULT, a, b), compare(l, VT_PIXEL_ULT, first, in));
    case VT_PIXEL_ADD_OVERFLOW:
        last = add(l, add(l, a, b), in);
        sign = and(l, xor(l, a, last), xor(l, b, last));
        break;
    default:
        last = sub(l, sub(l, a, b), in);
        sign = and(l, xor(l, a, b), xor(l, a, last));
        break;
    }
    return narrow(l, sign, 1, bits - 1);
}

/* ---------------------------------------------------------------- packed */

struct lanes {
    unsigned bits;
    uint64_t low, high, one;
};

static struct lanes lanes_of(unsigned bits)
{
    struct lanes lanes = {.bits = bits, .one = ((uint64_t)1 << bits) - 1};
    for (unsigned at = 0; at < 64; at += bits) {
        lanes.low |= (uint64_t)1 << at;
    }
    lanes.high = lanes.low << (bits - 1);
    return lanes;
}

static uint32_t packed_add(struct lower *l, const struct lanes *w, uint32_t a, uint32_t b)
{
    uint32_t sum = add(l, with(l, VT_PIXEL_AND, a, ~w->high), with(l, VT_PIXEL_AND, b, ~w->high));
    return xor(l, sum, with(l, VT_PIXEL_AND, xor(l, a, b), w->high));
}
static uint32_t packed_sub(struct lower *l, const struct lanes *w, uint32_t a, uint32_t b)
{
    uint32_t rest = sub(l, with(l, VT_PIXEL_OR, a, w->high), with(l, VT_PIXEL_AND, b, ~w->high));
    return xor(l, rest, with(l, VT_PIXEL_AND, not(l, xor(l, a, b)), w->high));
}
/* Elements whose highest bit is set: all ones, others 0. */
static uint32_t spread(struct lower *l, const struct lanes *w, uint32_t highest)
{
    uint32_t bits = with(l, VT_PIXEL_LSHR, with(l, VT_PIXEL_AND, highest, w->high), w->bits - 1);
    return sub(l, with(l, VT_PIXEL_SHL, bits, w->bits), bits);
}
static uint32_t borrow(struct lower *l, const struct lanes *w, uint32_t a, uint32_t b)
{
    uint32_t other = not(l, a);
    return spread(l, w, or (l, and(l, other, b), and(l, or (l, other, b), packed_sub(l, w, a, b))));
}
static uint32_t mix(struct lower *l, uint32_t all, uint32_t a, uint32_t b)
{
    return or (l, and(l, a, all), and(l, b, not(l, all)));
}
static uint32_t saturated(struct lower *l, const struct lanes *w, uint32_t a, uint32_t r,
                          uint32_t overflow)
{
    uint32_t sign = with(l, VT_PIXEL_LSHR, with(l, VT_PIXEL_AND, a, w->high), w->bits - 1);
    uint32_t limit = packed_add(l, w, constant(l, 64, ~w->high), sign);
    return mix(l, spread(l, w, overflow), limit, r);
}
static uint32_t packed_shift(struct lower *l, enum vt_pixel_op op, const struct lanes *w,
                             uint32_t a, uint32_t by)
{
    uint32_t fits = compare(l, VT_PIXEL_ULT, by, constant(l, 64, w->bits));
    uint32_t n = choose(l, fits, by, constant(l, 64, w->bits - 1)), one = constant(l, 64, w->one);
    if (op == VT_PIXEL_PSHL) {
        uint32_t kept = with(l, VT_PIXEL_AND, two(l, VT_PIXEL_SHL, one, n), w->one);
        kept = with(l, VT_PIXEL_MUL, kept, w->low);
        return choose(l, fits, and(l, two(l, VT_PIXEL_SHL, a, n), kept), constant(l, 64, 0));
    }
    uint32_t kept = with(l, VT_PIXEL_MUL, two(l, VT_PIXEL_LSHR, one, n), w->low);
    uint32_t r = and(l, two(l, VT_PIXEL_LSHR, a, n), kept);
    return op == VT_PIXEL_PLSHR ? choose(l, fits, r, constant(l, 64, 0))
                                : or (l, r, and(l, spread(l, w, a), not(l, kept)));
}
static uint32_t packed_product(struct lower *l, const struct lanes *w, uint32_t a, uint32_t b)
{
    uint32_t sum = constant(l, 64, 0);
    for (unsigned at = 0; at < 64; at += w->bits) {
        uint32_t x =
            two(l, VT_PIXEL_MUL, with(l, VT_PIXEL_LSHR, a, at), with(l, VT_PIXEL_LSHR, b, at));
        sum = or (l, sum, with(l, VT_PIXEL_SHL, with(l, VT_PIXEL_AND, x, w->one), at));
    }
    return sum;
}

static uint32_t packed(struct lower *l, const struct vt_pixel_insn *i, uint32_t a, uint32_t b)
{
    struct lanes w = lanes_of(i->lane);
    uint32_t r, x;
    switch (i->op) {
    case VT_PIXEL_PADD:
        return packed_add(l, &w, a, b);
    case VT_PIXEL_PSUB:
        return packed_sub(l, &w, a, b);
    case VT_PIXEL_PADDUS:
        r = packed_add(l, &w, a, b);
        x = or (l, and(l, a, b), and(l, or (l, a, b), not(l, r)));
        return or (l, r, spread(l, &w, x));
    case VT_PIXEL_PSUBUS:
        return and(l, packed_sub(l, &w, a, b), not(l, borrow(l, &w, a, b)));
    case VT_PIXEL_PADDSS:
        r = packed_add(l, &w, a, b);
        return saturated(l, &w, a, r, and(l, not(l, xor(l, a, b)), xor(l, a, r)));
    case VT_PIXEL_PSUBSS:
        r = packed_sub(l, &w, a, b);
        return saturated(l, &w, a, r, and(l, xor(l, a, b), xor(l, a, r)));
    case VT_PIXEL_PMULL:
        return packed_product(l, &w, a, b);
    case VT_PIXEL_PMINU:
        return mix(l, borrow(l, &w, a, b), a, b);
    case VT_PIXEL_PMAXU:
        return mix(l, borrow(l, &w, a, b), b, a);
    case VT_PIXEL_PMINS:
    case VT_PIXEL_PMAXS:
        x = borrow(l, &w, with(l, VT_PIXEL_XOR, a, w.high), with(l, VT_PIXEL_XOR, b, w.high));
        return i->op == VT_PIXEL_PMINS ? mix(l, x, a, b) : mix(l, x, b, a);
    case VT_PIXEL_PAVG:
        x = with(l, VT_PIXEL_AND, with(l, VT_PIXEL_LSHR, xor(l, a, b), 1), ~w.high);
        return sub(l, or (l, a, b), x);
    case VT_PIXEL_PEQ:
        x = xor(l, a, b);
        r = with(l, VT_PIXEL_ADD, with(l, VT_PIXEL_AND, x, ~w.high), ~w.high);
        return not(l, spread(l, &w, or (l, r, x)));
    case VT_PIXEL_PSGT:
        return borrow(l, &w, with(l, VT_PIXEL_XOR, b, w.high), with(l, VT_PIXEL_XOR, a, w.high));
    default:
        return packed_shift(l, i->op, &w, a, b);
    }
}

/* ---------------------------------------------------------------- programs */

static uint32_t lowered(struct lower *l, const struct vt_pixel_insn *i)
{
    uint32_t a = i->a == NONE || i->op == VT_PIXEL_RESULT ? i->a : l->value[i->a];
    uint32_t b = i->b == NONE ? NONE : l->value[i->b];
    uint32_t c = i->c == NONE ? NONE : l->value[i->c];
    if (i->lane != 0) {
        return packed(l, i, a, b);
    }
    struct vt_pixel_insn same = *i;
    same.a = a;
    same.b = b;
    same.c = c;
    if (l->what == VT_LOWER_PACKED) {
        return emit(l, same);
    }
    switch (i->op) {
    case VT_PIXEL_UMULH:
    case VT_PIXEL_SMULH:
        return high_product(l, i->op == VT_PIXEL_SMULH, a, b);
    case VT_PIXEL_UDIV:
    case VT_PIXEL_UREM:
    case VT_PIXEL_SDIV:
    case VT_PIXEL_SREM:
        return divide(l, i->op, a, b);
    case VT_PIXEL_NEG:
        return sub(l, constant(l, i->bits, 0), a);
    case VT_PIXEL_SHL:
    case VT_PIXEL_LSHR:
    case VT_PIXEL_ASHR:
        return shift(l, i->op, a, b);
    case VT_PIXEL_ROL:
    case VT_PIXEL_ROR:
        return rotate(l, i->op == VT_PIXEL_ROL, a, b);
    case VT_PIXEL_POPCNT:
        return i->bits == 1 ? a : ones(l, a, i->bits);
    case VT_PIXEL_CLZ:
    case VT_PIXEL_CTZ:
        return zeros(l, i->op == VT_PIXEL_CLZ, a);
    case VT_PIXEL_BSWAP:
        return swapped(l, a);
    case VT_PIXEL_ADD_CARRY:
    case VT_PIXEL_ADD_OVERFLOW:
    case VT_PIXEL_SUB_BORROW:
    case VT_PIXEL_SUB_OVERFLOW:
        return carry(l, i->op, a, b, c);
    default:
        return emit(l, same);
    }
}

static int copy_tables(const struct vt_pixel_program *p, struct vt_pixel_program *out,
                       struct vt_error *err)
{
    struct vt_pixel_insn *insns = out->insns;
    *out = *p;
    out->insns = insns;
    out->n_insns = out->room = 0;
    out->loops = NULL;
    if (p->loops != NULL) {
        out->loops = malloc(VT_PIXEL_LOOPS_MAX * sizeof *out->loops);
        if (out->loops == NULL) {
            return vt_fail(err, VT_E_NOMEM, "a program's loops");
        }
        memcpy(out->loops, p->loops, VT_PIXEL_LOOPS_MAX * sizeof *out->loops);
    }
    return 0;
}

static void renumber(const struct lower *l)
{
    struct vt_pixel_program *out = l->out;
    for (uint32_t i = 0; i < out->n_carries; i++) {
        out->carries[i].next = l->value[out->carries[i].next];
    }
    for (uint32_t i = 0; out->loops != NULL && i < out->n_loops; i++) {
        struct vt_pixel_loop *loop = &out->loops[i];
        for (uint32_t v = 0; v < loop->n; v++) {
            loop->initial[v] = l->value[loop->initial[v]];
            loop->next[v] = l->value[loop->next[v]];
        }
        loop->condition = l->value[loop->condition];
    }
}

int vt_pixel_lower(const struct vt_pixel_program *p, enum vt_lower what,
                   struct vt_pixel_program *out, struct vt_error *err)
{
    struct vt_pixel_program made;
    vt_pixel_init(&made);
    struct lower l = {
        .in = p, .out = &made, .what = what, .value = calloc(p->n_insns + 1, sizeof *l.value)};
    int rc = l.value == NULL ? vt_fail(err, VT_E_NOMEM, "a program of %u values", p->n_insns)
                             : copy_tables(p, &made, err);
    for (uint32_t i = 0; rc == 0 && i < p->n_insns && !l.full; i++) {
        l.value[i] = lowered(&l, &p->insns[i]);
    }
    if (rc == 0 && l.full) {
        rc = vt_fail(err, VT_E_LIMIT, "a program that has more than %u values in words",
                     VT_PIXEL_VALUES_MAX);
    }
    if (rc == 0) {
        renumber(&l);
        *out = made;
    } else {
        vt_pixel_fini(&made);
    }
    free(l.value);
    return rc;
}
