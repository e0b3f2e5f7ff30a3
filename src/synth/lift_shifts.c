/* synth/lift_shifts.c - shifts, rotations, bits. See lift_parts.h.
 *
 * A count that is not known makes what depends on it a choice: nothing changes for 0, OF is defined
 * for 1 only. A known one leaves none of that.
 */
#include "synth/lift_parts.h"

/* ---------------------------------------------------------------- counts */

/* As wide as what is shifted, and masked as the processor does. */
static vt_term count_of(struct vt_lift_run *x, unsigned k, unsigned bits)
{
    vt_term count = vt_lift_const(x, 8, 1);
    if (x->insn.operand_count_visible > k) {
        count = x->o[k].type == ZYDIS_OPERAND_TYPE_IMMEDIATE
                    ? vt_lift_const(x, 8, vt_lift_immediate(x, k))
                    : vt_term_extract(x->t, vt_lift_read(x, k), 0, 8);
    }
    count = vt_lift_2(x, VT_PIXEL_AND, count, vt_lift_const(x, 8, bits == 64 ? 63 : 31));
    return vt_term_zext(x->t, count, bits);
}

static vt_term count_is(struct vt_lift_run *x, vt_term count, uint64_t n)
{
    return vt_term_compare(x->t, VT_PIXEL_EQ, count,
                           vt_lift_const(x, vt_term_bits(x->t, count), n));
}

/* Unless the count is 0. */
static void set_flag_if(struct vt_lift_run *x, enum vt_lift_flag flag, vt_term count, vt_term bit)
{
    vt_term none = count_is(x, count, 0);
    bit = bit != 0 ? bit : vt_term_havoc(x->t, 1);
    if (vt_term_is_const(x->t, none, &(uint64_t){0})) {
        if (none == vt_lift_const(x, 1, 0)) {
            vt_lift_set_flag(x, flag, bit);
        }
        return;
    }
    vt_lift_set_flag(x, flag, vt_term_select(x->t, none, vt_lift_flag(x, flag), bit));
}

/* The bit if the count is 1; else nobody knows. */
static void set_overflow(struct vt_lift_run *x, vt_term count, vt_term bit)
{
    set_flag_if(x, VT_LIFT_OF, count,
                vt_term_select(x->t, count_is(x, count, 1), bit, vt_term_havoc(x->t, 1)));
}

static void set_result_flags(struct vt_lift_run *x, vt_term count, vt_term r)
{
    unsigned bits = vt_term_bits(x->t, r);
    vt_term low = vt_term_extract(x->t, r, 0, 8);
    vt_term parity = vt_lift_bit(x, vt_term_1(x->t, VT_PIXEL_POPCNT, low), 0);
    set_flag_if(x, VT_LIFT_SF, count, vt_lift_bit(x, r, bits - 1));
    set_flag_if(x, VT_LIFT_ZF, count, vt_lift_is_zero(x, r));
    set_flag_if(x, VT_LIFT_PF, count, vt_lift_not(x, parity));
    set_flag_if(x, VT_LIFT_AF, count, 0);
}

static vt_term minus(struct vt_lift_run *x, vt_term a, vt_term b)
{
    return vt_lift_2(x, VT_PIXEL_SUB, a, b);
}

static vt_term number(struct vt_lift_run *x, vt_term like, uint64_t n)
{
    return vt_lift_const(x, vt_term_bits(x->t, like), n);
}

/* The lowest bit of what is shifted right by n. */
static vt_term bit_at(struct vt_lift_run *x, vt_term a, vt_term n)
{
    return vt_lift_bit(x, vt_lift_2(x, VT_PIXEL_LSHR, a, n), 0);
}

static vt_term top(struct vt_lift_run *x, vt_term a)
{
    return vt_lift_bit(x, a, vt_term_bits(x->t, a) - 1);
}

/* ---------------------------------------------------------------- shifts */

static void shift(struct vt_lift_run *x)
{
    unsigned bits = vt_lift_width(x, 0);
    vt_term n = count_of(x, 1, bits), a = vt_lift_read(x, 0);
    vt_term r = vt_lift_2(x, x->how->kind, a, n);
    vt_term carry, overflow, beyond = vt_term_havoc(x->t, 1);
    switch (x->how->kind) {
    case VT_PIXEL_SHL:
        carry = bit_at(x, a, minus(x, number(x, a, bits), n));
        overflow = vt_lift_2(x, VT_PIXEL_XOR, top(x, r), carry);
        break;
    case VT_PIXEL_LSHR:
        carry = bit_at(x, a, minus(x, n, number(x, a, 1)));
        overflow = top(x, a);
        break;
    default:
        carry = bit_at(x, a, minus(x, n, number(x, a, 1)));
        overflow = vt_lift_const(x, 1, 0);
        beyond = top(x, a);
        break;
    }
    if (bits < 32) { /* of the last bit out, but for the sign, nothing is said beyond the width */
        vt_term inside = vt_term_compare(x->t, VT_PIXEL_ULT, n, number(x, a, bits));
        carry = vt_term_select(x->t, inside, carry, beyond);
    }
    set_flag_if(x, VT_LIFT_CF, n, carry);
    set_overflow(x, n, overflow);
    set_result_flags(x, n, r);
    vt_lift_write(x, 0, r);
}

static void rotate(struct vt_lift_run *x)
{
    unsigned bits = vt_lift_width(x, 0);
    vt_term n = count_of(x, 1, bits), a = vt_lift_read(x, 0);
    bool left = x->how->kind == VT_PIXEL_ROL;
    vt_term r = vt_lift_2(x, x->how->kind, a, n);
    vt_term carry = left ? vt_lift_bit(x, r, 0) : top(x, r);
    vt_term other = left ? top(x, r) : vt_lift_bit(x, r, bits - 2);
    set_flag_if(x, VT_LIFT_CF, n, carry);
    set_overflow(x, n, vt_lift_2(x, VT_PIXEL_XOR, carry, other));
    vt_lift_write(x, 0, r);
}

/* By a number that is known: the carry is a bit of what goes round. */
static void rotate_through_carry(struct vt_lift_run *x)
{
    unsigned bits = vt_lift_width(x, 0);
    vt_term count = count_of(x, 1, bits), a = vt_lift_read(x, 0);
    bool left = x->how->kind == VT_PIXEL_ROL;
    uint64_t by;
    if (!vt_term_is_const(x->t, count, &by)) {
        vt_lift_refuse(x, "a rotation through carry by a register");
        return;
    }
    uint64_t n = by % (bits + 1);
    if (n == 0) {
        if (by != 0) {
            vt_lift_forget_flag(x, VT_LIFT_OF);
        }
        vt_lift_write(x, 0, a);
        return;
    }
    vt_term old = vt_lift_flag(x, VT_LIFT_CF), cf = vt_term_zext(x->t, old, bits);
    vt_term one = vt_lift_2(x, left ? VT_PIXEL_SHL : VT_PIXEL_LSHR, a, number(x, a, n));
    vt_term two = vt_lift_2(x, left ? VT_PIXEL_LSHR : VT_PIXEL_SHL, a, number(x, a, bits + 1 - n));
    vt_term in = vt_lift_2(x, VT_PIXEL_SHL, cf, number(x, a, left ? n - 1 : bits - n));
    vt_term r = vt_lift_2(x, VT_PIXEL_OR, vt_lift_2(x, VT_PIXEL_OR, one, two), in);
    vt_term carry = vt_lift_bit(x, a, (unsigned)(left ? bits - n : n - 1));
    vt_lift_set_flag(x, VT_LIFT_CF, carry);
    if (by == 1) {
        vt_lift_set_flag(x, VT_LIFT_OF,
                         vt_lift_2(x, VT_PIXEL_XOR, top(x, left ? r : a), left ? carry : old));
    } else {
        vt_lift_forget_flag(x, VT_LIFT_OF);
    }
    vt_lift_write(x, 0, r);
}

static void shift_two(struct vt_lift_run *x)
{
    unsigned bits = vt_lift_width(x, 0);
    vt_term n = count_of(x, 2, bits), a = vt_lift_read(x, 0), b = vt_lift_read(x, 1);
    bool left = x->how->kind == VT_PIXEL_SHL;
    vt_term rest = minus(x, number(x, a, bits), n);
    vt_term one = vt_lift_2(x, left ? VT_PIXEL_SHL : VT_PIXEL_LSHR, a, n);
    vt_term two = vt_lift_2(x, left ? VT_PIXEL_LSHR : VT_PIXEL_SHL, b, rest);
    vt_term r = vt_lift_2(x, VT_PIXEL_OR, one, two);
    vt_term carry = bit_at(x, a, left ? rest : minus(x, n, number(x, a, 1)));
    if (bits == 16) { /* beyond the width nothing is defined */
        vt_term beyond = vt_term_compare(x->t, VT_PIXEL_ULT, number(x, a, bits), n);
        r = vt_term_select(x->t, beyond, vt_term_havoc(x->t, bits), r);
        carry = vt_term_select(x->t, beyond, vt_term_havoc(x->t, 1), carry);
    }
    set_flag_if(x, VT_LIFT_CF, n, carry);
    set_overflow(x, n, vt_lift_2(x, VT_PIXEL_XOR, top(x, a), top(x, r)));
    set_result_flags(x, n, r);
    vt_lift_write(x, 0, r);
}

/* shlx, shrx, sarx, rorx: another destination, and no flags. */
static void shift_without_flags(struct vt_lift_run *x)
{
    vt_term a = vt_lift_read(x, 1);
    vt_lift_write(x, 0, vt_lift_2(x, x->how->kind, a, count_of(x, 2, vt_lift_width(x, 0))));
}

/* ---------------------------------------------------------------- bits */

enum { BT, BTS, BTR, BTC };

/* A bit of memory by a register is one of a row of words, in both directions. */
static void move_address_by_bits(struct vt_lift_run *x, vt_term which, unsigned bits)
{
    if (x->insn.address_width != 64) {
        vt_lift_refuse(x, "bits of memory in 32 bits of addresses");
        return;
    }
    vt_term by = vt_term_sext(x->t, which, 64);
    by = vt_lift_2(x, VT_PIXEL_ASHR, by, vt_lift_const(x, 64, bits == 64 ? 6 : bits == 32 ? 5 : 4));
    by = vt_lift_2(x, VT_PIXEL_MUL, by, vt_lift_const(x, 64, bits / 8));
    x->address = vt_lift_2(x, VT_PIXEL_ADD, vt_lift_address(x, 0), by);
}

static void test_bit(struct vt_lift_run *x)
{
    unsigned bits = vt_lift_width(x, 0);
    vt_term which = x->o[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE
                        ? vt_lift_const(x, bits, vt_lift_immediate(x, 1))
                        : vt_lift_read(x, 1);
    if (vt_lift_is_memory(x, 0) && vt_lift_is_register(x, 1)) {
        move_address_by_bits(x, which, bits);
    }
    vt_term a = vt_lift_read(x, 0);
    which = vt_lift_2(x, VT_PIXEL_AND, which, number(x, a, bits - 1));
    vt_term one = vt_lift_2(x, VT_PIXEL_SHL, number(x, a, 1), which);
    vt_lift_set_flag(x, VT_LIFT_CF, bit_at(x, a, which));
    vt_lift_forget_flag(x, VT_LIFT_OF);
    vt_lift_forget_flag(x, VT_LIFT_SF);
    vt_lift_forget_flag(x, VT_LIFT_AF);
    vt_lift_forget_flag(x, VT_LIFT_PF);
    switch (x->how->kind) {
    case BTS:
        vt_lift_write(x, 0, vt_lift_2(x, VT_PIXEL_OR, a, one));
        break;
    case BTR:
        vt_lift_write(x, 0, vt_lift_2(x, VT_PIXEL_AND, a, vt_lift_not(x, one)));
        break;
    case BTC:
        vt_lift_write(x, 0, vt_lift_2(x, VT_PIXEL_XOR, a, one));
        break;
    default:
        break;
    }
}

static void forget_all_but(struct vt_lift_run *x, unsigned kept)
{
    for (unsigned flag = 0; flag < VT_LIFT_FLAGS; flag++) {
        if ((kept >> flag & 1) == 0) {
            vt_lift_forget_flag(x, flag);
        }
    }
}

static vt_term count_zeros_of(struct vt_lift_run *x, vt_term a)
{
    return vt_term_1(x->t, x->how->kind, a);
}

/* Of 0, what the destination holds is not defined. */
static void scan(struct vt_lift_run *x)
{
    unsigned bits = vt_lift_width(x, 0);
    vt_term a = vt_lift_read(x, 1), zero = vt_lift_is_zero(x, a), r = count_zeros_of(x, a);
    if (x->how->kind == VT_PIXEL_CLZ) {
        r = minus(x, number(x, a, bits - 1), r);
    }
    vt_lift_set_flag(x, VT_LIFT_ZF, zero);
    forget_all_but(x, 1U << VT_LIFT_ZF);
    if (bits == 32) { /* nor is the upper half */
        r = vt_term_select(x->t, zero, vt_term_havoc(x->t, 64), vt_term_zext(x->t, r, 64));
        vt_lift_set_register(x, (unsigned)(x->o[0].reg.value - ZYDIS_REGISTER_EAX), 64, r);
        return;
    }
    vt_lift_write(x, 0, vt_term_select(x->t, zero, vt_term_havoc(x->t, bits), r));
}

/* A processor without them takes tzcnt for bsf, and lzcnt for bsr, which is something else. */
static void count_zeros(struct vt_lift_run *x)
{
    unsigned bits = vt_lift_width(x, 0);
    if (!x->l->counts_zeros) {
        if (x->how->kind == VT_PIXEL_CLZ) {
            vt_lift_refuse(x, "old processors take it for another instruction");
        } else {
            scan(x);
            vt_lift_forget_flag(x, VT_LIFT_ZF);
        }
        return;
    }
    vt_term a = vt_lift_read(x, 1), r = count_zeros_of(x, a);
    vt_lift_set_flag(x, VT_LIFT_CF, vt_lift_is_zero(x, a));
    vt_lift_set_flag(x, VT_LIFT_ZF, vt_lift_is_zero(x, r));
    forget_all_but(x, 1U << VT_LIFT_CF | 1U << VT_LIFT_ZF);
    vt_lift_write(x, 0, vt_term_zext(x->t, r, bits));
}

static void count_ones(struct vt_lift_run *x)
{
    vt_term a = vt_lift_read(x, 1);
    for (unsigned flag = 0; flag < VT_LIFT_FLAGS; flag++) {
        vt_lift_set_flag(x, flag,
                         flag == VT_LIFT_ZF ? vt_lift_is_zero(x, a) : vt_lift_const(x, 1, 0));
    }
    vt_lift_write(x, 0, vt_term_1(x->t, VT_PIXEL_POPCNT, a));
}

enum { BLSI, BLSR, BLSMSK };

static void lowest_bit(struct vt_lift_run *x)
{
    unsigned kind = x->how->kind;
    vt_term a = vt_lift_read(x, 1), r, less = minus(x, a, number(x, a, 1));
    r = kind == BLSI   ? vt_lift_2(x, VT_PIXEL_AND, a, vt_term_1(x->t, VT_PIXEL_NEG, a))
        : kind == BLSR ? vt_lift_2(x, VT_PIXEL_AND, a, less)
                       : vt_lift_2(x, VT_PIXEL_XOR, a, less);
    vt_term zero = vt_lift_is_zero(x, a);
    vt_lift_flags_of(x, r);
    if (kind == BLSMSK) {
        vt_lift_set_flag(x, VT_LIFT_ZF, vt_lift_const(x, 1, 0));
    }
    vt_lift_set_flag(x, VT_LIFT_CF, kind == BLSI ? vt_lift_not(x, zero) : zero);
    vt_lift_set_flag(x, VT_LIFT_OF, vt_lift_const(x, 1, 0));
    vt_lift_forget_flag(x, VT_LIFT_AF);
    vt_lift_forget_flag(x, VT_LIFT_PF);
    vt_lift_write(x, 0, r);
}

/* The lowest n bits; n is as wide as they are. */
static vt_term lowest(struct vt_lift_run *x, vt_term a, vt_term n)
{
    vt_term ones = number(x, a, UINT64_MAX);
    return vt_lift_2(x, VT_PIXEL_AND, a, vt_lift_not(x, vt_lift_2(x, VT_PIXEL_SHL, ones, n)));
}

static void extract(struct vt_lift_run *x)
{
    unsigned bits = vt_lift_width(x, 0);
    vt_term a = vt_lift_read(x, 1), how = vt_lift_read(x, 2);
    vt_term start = vt_term_zext(x->t, vt_term_extract(x->t, how, 0, 8), bits);
    vt_term n = vt_term_zext(x->t, vt_term_extract(x->t, how, 8, 8), bits);
    vt_term r = lowest(x, vt_lift_2(x, VT_PIXEL_LSHR, a, start), n);
    vt_lift_set_flag(x, VT_LIFT_ZF, vt_lift_is_zero(x, r));
    vt_lift_set_flag(x, VT_LIFT_CF, vt_lift_const(x, 1, 0));
    vt_lift_set_flag(x, VT_LIFT_OF, vt_lift_const(x, 1, 0));
    forget_all_but(x, 1U << VT_LIFT_ZF | 1U << VT_LIFT_CF | 1U << VT_LIFT_OF);
    vt_lift_write(x, 0, r);
}

static void zero_high(struct vt_lift_run *x)
{
    unsigned bits = vt_lift_width(x, 0);
    vt_term a = vt_lift_read(x, 1);
    vt_term n = vt_term_zext(x->t, vt_term_extract(x->t, vt_lift_read(x, 2), 0, 8), bits);
    vt_term r = lowest(x, a, n);
    vt_lift_flags_of(x, r);
    vt_lift_set_flag(x, VT_LIFT_CF, vt_term_compare(x->t, VT_PIXEL_ULT, number(x, a, bits - 1), n));
    vt_lift_set_flag(x, VT_LIFT_OF, vt_lift_const(x, 1, 0));
    vt_lift_forget_flag(x, VT_LIFT_AF);
    vt_lift_forget_flag(x, VT_LIFT_PF);
    vt_lift_write(x, 0, r);
}

#define M(name) ZYDIS_MNEMONIC_##name

const struct vt_lift_semantics vt_lift_shifts[] = {
    {M(SHL), shift, VT_PIXEL_SHL, 0},
    {M(SHR), shift, VT_PIXEL_LSHR, 0},
    {M(SAR), shift, VT_PIXEL_ASHR, 0},
    {M(ROL), rotate, VT_PIXEL_ROL, 0},
    {M(ROR), rotate, VT_PIXEL_ROR, 0},
    {M(RCL), rotate_through_carry, VT_PIXEL_ROL, 0},
    {M(RCR), rotate_through_carry, VT_PIXEL_ROR, 0},
    {M(SHLD), shift_two, VT_PIXEL_SHL, 0},
    {M(SHRD), shift_two, VT_PIXEL_LSHR, 0},
    {M(SHLX), shift_without_flags, VT_PIXEL_SHL, 0},
    {M(SHRX), shift_without_flags, VT_PIXEL_LSHR, 0},
    {M(SARX), shift_without_flags, VT_PIXEL_ASHR, 0},
    {M(RORX), shift_without_flags, VT_PIXEL_ROR, 0},

    {M(BT), test_bit, BT, 0},
    {M(BTS), test_bit, BTS, 0},
    {M(BTR), test_bit, BTR, 0},
    {M(BTC), test_bit, BTC, 0},
    {M(BSF), scan, VT_PIXEL_CTZ, 0},
    {M(BSR), scan, VT_PIXEL_CLZ, 0},
    {M(TZCNT), count_zeros, VT_PIXEL_CTZ, 0},
    {M(LZCNT), count_zeros, VT_PIXEL_CLZ, 0},
    {M(POPCNT), count_ones, 0, 0},
    {M(BLSI), lowest_bit, BLSI, 0},
    {M(BLSR), lowest_bit, BLSR, 0},
    {M(BLSMSK), lowest_bit, BLSMSK, 0},
    {M(BEXTR), extract, 0, 0},
    {M(BZHI), zero_high, 0, 0},
    {ZYDIS_MNEMONIC_INVALID, NULL, 0, 0},
};
