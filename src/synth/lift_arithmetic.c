/* synth/lift_arithmetic.c - sums, logic, products, divisions. See lift_parts.h.
 */
#include "synth/lift_parts.h"

static vt_term zero_bit(struct vt_lift_run *x)
{
    return vt_lift_const(x, 1, 0);
}

static vt_term carry(struct vt_lift_run *x, enum vt_pixel_op op, vt_term a, vt_term b, vt_term c)
{
    return vt_term_make(x->t, op, 1, 0, a, b, c, 0);
}

/* ---------------------------------------------------------------- sums, differences */

enum { WITHOUT_CARRY, WITH_CARRY };

/* The carry out of bit 3. */
static void adjust_flag(struct vt_lift_run *x, vt_term a, vt_term b, vt_term r)
{
    vt_term changed = vt_lift_2(x, VT_PIXEL_XOR, vt_lift_2(x, VT_PIXEL_XOR, a, b), r);
    vt_lift_set_flag(x, VT_LIFT_AF, vt_lift_bit(x, changed, 4));
}

/* All flags but CF; the result. `c`: what is carried in. */
static vt_term sum(struct vt_lift_run *x, vt_term a, vt_term b, vt_term c)
{
    vt_term r = vt_lift_2(x, VT_PIXEL_ADD, vt_lift_2(x, VT_PIXEL_ADD, a, b),
                          vt_term_zext(x->t, c, vt_term_bits(x->t, a)));
    vt_lift_set_flag(x, VT_LIFT_OF, carry(x, VT_PIXEL_ADD_OVERFLOW, a, b, c));
    adjust_flag(x, a, b, r);
    vt_lift_flags_of(x, r);
    return r;
}

static vt_term difference(struct vt_lift_run *x, vt_term a, vt_term b, vt_term c)
{
    vt_term r = vt_lift_2(x, VT_PIXEL_SUB, vt_lift_2(x, VT_PIXEL_SUB, a, b),
                          vt_term_zext(x->t, c, vt_term_bits(x->t, a)));
    vt_lift_set_flag(x, VT_LIFT_OF, carry(x, VT_PIXEL_SUB_OVERFLOW, a, b, c));
    adjust_flag(x, a, b, r);
    vt_lift_flags_of(x, r);
    return r;
}

static void add(struct vt_lift_run *x)
{
    vt_term c = x->how->kind == WITH_CARRY ? vt_lift_flag(x, VT_LIFT_CF) : zero_bit(x);
    vt_term a = vt_lift_read(x, 0), b = vt_lift_read(x, 1);
    vt_lift_set_flag(x, VT_LIFT_CF, carry(x, VT_PIXEL_ADD_CARRY, a, b, c));
    vt_lift_write(x, 0, sum(x, a, b, c));
}

vt_term vt_lift_compare(struct vt_lift_run *x, vt_term a, vt_term b)
{
    vt_lift_set_flag(x, VT_LIFT_CF, carry(x, VT_PIXEL_SUB_BORROW, a, b, zero_bit(x)));
    return difference(x, a, b, zero_bit(x));
}

static void subtract(struct vt_lift_run *x)
{
    vt_term c = x->how->kind == WITH_CARRY ? vt_lift_flag(x, VT_LIFT_CF) : zero_bit(x);
    vt_term a = vt_lift_read(x, 0), b = vt_lift_read(x, 1);
    vt_lift_set_flag(x, VT_LIFT_CF, carry(x, VT_PIXEL_SUB_BORROW, a, b, c));
    vt_term r = difference(x, a, b, c);
    if (x->insn.mnemonic != ZYDIS_MNEMONIC_CMP) {
        vt_lift_write(x, 0, r);
    }
}

static void increment(struct vt_lift_run *x)
{
    vt_term a = vt_lift_read(x, 0), one = vt_lift_const(x, vt_lift_width(x, 0), 1);
    bool up = x->insn.mnemonic == ZYDIS_MNEMONIC_INC;
    vt_lift_write(x, 0, up ? sum(x, a, one, zero_bit(x)) : difference(x, a, one, zero_bit(x)));
}

static void negate(struct vt_lift_run *x)
{
    vt_term a = vt_lift_read(x, 0), zero = vt_lift_const(x, vt_lift_width(x, 0), 0);
    vt_lift_set_flag(x, VT_LIFT_CF, vt_lift_not(x, vt_lift_is_zero(x, a)));
    vt_lift_write(x, 0, difference(x, zero, a, zero_bit(x)));
}

static void exchange_and_add(struct vt_lift_run *x)
{
    vt_term a = vt_lift_read(x, 0), b = vt_lift_read(x, 1);
    vt_lift_set_flag(x, VT_LIFT_CF, carry(x, VT_PIXEL_ADD_CARRY, a, b, zero_bit(x)));
    vt_term r = sum(x, a, b, zero_bit(x));
    vt_lift_write(x, 1, a);
    vt_lift_write(x, 0, r);
}

/* Memory is written in any case, and where it differs from rax with what it held. */
static void compare_and_exchange(struct vt_lift_run *x)
{
    unsigned bits = vt_lift_width(x, 0);
    if (!vt_lift_is_memory(x, 0)) {
        vt_lift_refuse(x, "processors disagree on what it does to upper halves");
        return;
    }
    vt_term old = vt_lift_read(x, 0), with = vt_lift_read(x, 1), rax = x->s->r[VT_LIFT_RAX];
    vt_lift_compare(x, vt_lift_register(x, VT_LIFT_RAX, bits), old);
    vt_term same = vt_lift_flag(x, VT_LIFT_ZF);
    vt_lift_write(x, 0, vt_term_select(x->t, same, with, old));
    vt_lift_set_register(x, VT_LIFT_RAX, bits, old);
    x->s->r[VT_LIFT_RAX] = vt_term_select(x->t, same, rax, x->s->r[VT_LIFT_RAX]);
}

/* Its own carry is CF or OF, and no other flag changes. */
static void add_with_one_flag(struct vt_lift_run *x)
{
    enum vt_lift_flag flag = x->insn.mnemonic == ZYDIS_MNEMONIC_ADCX ? VT_LIFT_CF : VT_LIFT_OF;
    vt_term c = vt_lift_flag(x, flag), a = vt_lift_read(x, 0), b = vt_lift_read(x, 1);
    vt_lift_set_flag(x, flag, carry(x, VT_PIXEL_ADD_CARRY, a, b, c));
    vt_lift_write(x, 0,
                  vt_lift_2(x, VT_PIXEL_ADD, vt_lift_2(x, VT_PIXEL_ADD, a, b),
                            vt_term_zext(x->t, c, vt_term_bits(x->t, a))));
}

/* ---------------------------------------------------------------- logic */

static void logic(struct vt_lift_run *x)
{
    bool inverts = x->insn.mnemonic == ZYDIS_MNEMONIC_ANDN;
    vt_term a = vt_lift_read(x, inverts), b = vt_lift_read(x, inverts ? 2 : 1);
    vt_term r = vt_lift_2(x, x->how->kind, inverts ? vt_lift_not(x, a) : a, b);
    vt_lift_flags_of(x, r);
    vt_lift_set_flag(x, VT_LIFT_CF, zero_bit(x));
    vt_lift_set_flag(x, VT_LIFT_OF, zero_bit(x));
    vt_lift_forget_flag(x, VT_LIFT_AF);
    if (inverts) {
        vt_lift_forget_flag(x, VT_LIFT_PF);
    }
    if (x->insn.mnemonic != ZYDIS_MNEMONIC_TEST) {
        vt_lift_write(x, 0, r);
    }
}

static void complement(struct vt_lift_run *x)
{
    vt_lift_write(x, 0, vt_lift_not(x, vt_lift_read(x, 0)));
}

/* ---------------------------------------------------------------- products */

struct product {
    vt_term low, high;
};

static struct product product_of(struct vt_lift_run *x, vt_term a, vt_term b, bool is_signed)
{
    unsigned bits = vt_term_bits(x->t, a);
    if (bits == 64) {
        return (struct product){vt_lift_2(x, VT_PIXEL_MUL, a, b),
                                vt_lift_2(x, is_signed ? VT_PIXEL_SMULH : VT_PIXEL_UMULH, a, b)};
    }
    enum vt_pixel_op op = is_signed ? VT_PIXEL_SEXT : VT_PIXEL_ZEXT;
    vt_term wide = vt_lift_2(x, VT_PIXEL_MUL, vt_term_make(x->t, op, 2 * bits, 0, a, 0, 0, 0),
                             vt_term_make(x->t, op, 2 * bits, 0, b, 0, 0, 0));
    return (struct product){vt_term_extract(x->t, wide, 0, bits),
                            vt_term_extract(x->t, wide, bits, bits)};
}

/* CF and OF: the lower half is not all of it. */
static void flags_of_product(struct vt_lift_run *x, struct product p, bool is_signed)
{
    unsigned bits = vt_term_bits(x->t, p.low);
    vt_term rest = vt_lift_const(x, bits, 0);
    if (is_signed) {
        rest = vt_term_sext(x->t, vt_lift_bit(x, p.low, bits - 1), bits);
    }
    vt_term more = vt_term_compare(x->t, VT_PIXEL_NE, p.high, rest);
    vt_lift_set_flag(x, VT_LIFT_CF, more);
    vt_lift_set_flag(x, VT_LIFT_OF, more);
    vt_lift_forget_flag(x, VT_LIFT_SF);
    vt_lift_forget_flag(x, VT_LIFT_ZF);
    vt_lift_forget_flag(x, VT_LIFT_AF);
    vt_lift_forget_flag(x, VT_LIFT_PF);
}

enum { UNSIGNED, SIGNED };

static void multiply(struct vt_lift_run *x)
{
    bool is_signed = x->how->kind == SIGNED;
    unsigned n = x->insn.operand_count_visible, bits = vt_lift_width(x, 0);
    vt_term a = n == 3 ? vt_lift_read(x, 1) : vt_lift_read(x, 0);
    vt_term b = n == 3   ? vt_lift_read(x, 2)
                : n == 2 ? vt_lift_read(x, 1)
                         : vt_lift_register(x, VT_LIFT_RAX, bits);
    struct product p = product_of(x, a, b, is_signed);
    flags_of_product(x, p, is_signed);
    if (n >= 2) {
        vt_lift_write(x, 0, p.low);
    } else if (bits == 8) {
        vt_lift_set_register(x, VT_LIFT_RAX, 16, vt_term_concat(x->t, p.high, p.low));
    } else {
        vt_lift_set_register(x, VT_LIFT_RAX, bits, p.low);
        vt_lift_set_register(x, VT_LIFT_RDX, bits, p.high);
    }
}

/* The upper half wins where both go to one register. */
static void multiply_without_flags(struct vt_lift_run *x)
{
    vt_term a = vt_lift_register(x, VT_LIFT_RDX, vt_lift_width(x, 0));
    struct product p = product_of(x, a, vt_lift_read(x, 2), false);
    vt_lift_write(x, 1, p.low);
    vt_lift_write(x, 0, p.high);
}

/* ---------------------------------------------------------------- division */

/* Of 128 bits by 64, only those whose upper half is but the sign of the lower one. */
static vt_term dividend_of(struct vt_lift_run *x, unsigned bits, bool is_signed)
{
    vt_term low = vt_lift_register(x, VT_LIFT_RAX, bits);
    vt_term high = vt_lift_register(x, VT_LIFT_RDX, bits);
    if (bits == 8) {
        return vt_lift_register(x, VT_LIFT_RAX, 16);
    }
    if (bits < 64) {
        return vt_term_concat(x->t, high, low);
    }
    vt_term sign =
        is_signed ? vt_term_sext(x->t, vt_lift_bit(x, low, 63), 64) : vt_lift_const(x, 64, 0);
    if (high != sign) {
        vt_lift_refuse(x, "a dividend of 128 bits");
    }
    return low;
}

static void divide(struct vt_lift_run *x)
{
    bool is_signed = x->how->kind == SIGNED;
    unsigned bits = vt_lift_width(x, 0);
    vt_term by = vt_lift_read(x, 0), a = dividend_of(x, bits, is_signed);
    unsigned wide = vt_term_bits(x->t, a);
    vt_term b = is_signed ? vt_term_sext(x->t, by, wide) : vt_term_zext(x->t, by, wide);
    vt_term q = vt_lift_2(x, is_signed ? VT_PIXEL_SDIV : VT_PIXEL_UDIV, a, b);
    vt_term r = vt_lift_2(x, is_signed ? VT_PIXEL_SREM : VT_PIXEL_UREM, a, b);
    vt_term low = vt_term_extract(x->t, q, 0, bits), fits;
    if (wide > bits) {
        fits = vt_term_compare(x->t, VT_PIXEL_EQ, q,
                               is_signed ? vt_term_sext(x->t, low, wide)
                                         : vt_term_zext(x->t, low, wide));
    } else if (is_signed) { /* the least number by -1 */
        vt_term least = vt_lift_const(x, 64, UINT64_C(1) << 63);
        vt_term minus_one = vt_lift_const(x, 64, UINT64_MAX);
        fits =
            vt_lift_not(x, vt_lift_2(x, VT_PIXEL_AND, vt_term_compare(x->t, VT_PIXEL_EQ, a, least),
                                     vt_term_compare(x->t, VT_PIXEL_EQ, b, minus_one)));
    } else {
        fits = vt_lift_const(x, 1, 1);
    }
    x->out.must = vt_lift_2(x, VT_PIXEL_AND, vt_lift_not(x, vt_lift_is_zero(x, by)), fits);
    for (unsigned flag = 0; flag < VT_LIFT_FLAGS; flag++) {
        vt_lift_forget_flag(x, flag);
    }
    vt_term rest = vt_term_extract(x->t, r, 0, bits);
    if (bits == 8) {
        vt_lift_set_register(x, VT_LIFT_RAX, 16, vt_term_concat(x->t, rest, low));
    } else {
        vt_lift_set_register(x, VT_LIFT_RAX, bits, low);
        vt_lift_set_register(x, VT_LIFT_RDX, bits, rest);
    }
}

#define M(name) ZYDIS_MNEMONIC_##name

const struct vt_lift_semantics vt_lift_arithmetic[] = {
    {M(ADD), add, WITHOUT_CARRY, 0},
    {M(ADC), add, WITH_CARRY, 0},
    {M(SUB), subtract, WITHOUT_CARRY, 0},
    {M(SBB), subtract, WITH_CARRY, 0},
    {M(CMP), subtract, WITHOUT_CARRY, 0},
    {M(INC), increment, 0, 0},
    {M(DEC), increment, 0, 0},
    {M(NEG), negate, 0, 0},
    {M(XADD), exchange_and_add, 0, 0},
    {M(CMPXCHG), compare_and_exchange, 0, 0},
    {M(ADCX), add_with_one_flag, 0, 0},
    {M(ADOX), add_with_one_flag, 0, 0},

    {M(AND), logic, VT_PIXEL_AND, 0},
    {M(OR), logic, VT_PIXEL_OR, 0},
    {M(XOR), logic, VT_PIXEL_XOR, 0},
    {M(TEST), logic, VT_PIXEL_AND, 0},
    {M(ANDN), logic, VT_PIXEL_AND, 0},
    {M(NOT), complement, 0, 0},

    {M(MUL), multiply, UNSIGNED, 0},
    {M(IMUL), multiply, SIGNED, 0},
    {M(MULX), multiply_without_flags, 0, 0},
    {M(DIV), divide, UNSIGNED, 0},
    {M(IDIV), divide, SIGNED, 0},
    {ZYDIS_MNEMONIC_INVALID, NULL, 0, 0},
};
