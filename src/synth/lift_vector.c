/* synth/lift_vector.c - SSE2 and its like, where halves of registers are enough: moves, logic, and
 * what the Pixel CPU has as packed operations. See lift_parts.h.
 */
#include "synth/lift_parts.h"

static vt_term zero(struct vt_lift_run *x)
{
    return vt_lift_const(x, 64, 0);
}

/* ---------------------------------------------------------------- moves */

static void move(struct vt_lift_run *x)
{
    vt_term v[2];
    vt_lift_read_vector(x, 1, v);
    vt_lift_write_vector(x, 0, v);
}

/* movd, movq, movss, movsd: the lower bits, between vectors, general registers and memory. Into a
 * vector they clear what is above, but for movss and movsd from register to register. */
enum { CLEARS, KEEPS };

static void move_lowest(struct vt_lift_run *x)
{
    int to = vt_lift_xmm(x, 0), from = vt_lift_xmm(x, 1);
    unsigned bits = x->how->lane;
    if (bits == 0) {
        bits = from < 0 ? vt_lift_width(x, 1) : vt_lift_width(x, 0);
    }
    vt_term value =
        from >= 0 ? vt_term_extract(x->t, x->vectors[from][0], 0, bits) : vt_lift_read(x, 1);
    if (to < 0) {
        vt_lift_write(x, 0, value);
        return;
    }
    vt_term v[2] = {vt_term_zext(x->t, value, 64), zero(x)};
    if (from >= 0 && x->how->kind == KEEPS) {
        v[1] = x->vectors[to][1];
        if (bits < 64) {
            v[0] = vt_term_concat(x->t, vt_term_extract(x->t, x->vectors[to][0], bits, 64 - bits),
                                  value);
        }
    }
    vt_lift_write_vector(x, 0, v);
}

/* movlps and its like: one half, the other stays. */
static void move_half(struct vt_lift_run *x)
{
    unsigned half = x->how->kind;
    int to = vt_lift_xmm(x, 0), from = vt_lift_xmm(x, 1);
    if (to < 0) {
        vt_lift_write(x, 0, from >= 0 ? x->vectors[from][half] : 0);
        return;
    }
    vt_term v[2] = {x->vectors[to][0], x->vectors[to][1]};
    v[half] = from < 0 ? vt_lift_read(x, 1) : x->vectors[from][!half]; /* movhlps, movlhps */
    vt_lift_write_vector(x, 0, v);
}

static void duplicate(struct vt_lift_run *x)
{
    int from = vt_lift_xmm(x, 1);
    vt_term low = 0, v[2];
    if (from < 0 && vt_lift_width(x, 1) == 64) {
        low = vt_lift_read(x, 1);
    } else {
        vt_lift_read_vector(x, 1, v);
        low = v[0];
    }
    vt_lift_write_vector(x, 0, (vt_term[]){low, low});
}

/* ---------------------------------------------------------------- halves */

static void apply(struct vt_lift_run *x,
                  vt_term (*one)(struct vt_lift_run *x, vt_term a, vt_term b))
{
    vt_term a[2], b[2], r[2];
    vt_lift_read_vector(x, 0, a);
    vt_lift_read_vector(x, 1, b);
    for (unsigned half = 0; half < 2; half++) {
        r[half] = a[half] != 0 && b[half] != 0 ? one(x, a[half], b[half]) : 0;
    }
    vt_lift_write_vector(x, 0, r);
}

/* An operation on halves as they are, or on lanes of them. */
static vt_term one_operation(struct vt_lift_run *x, vt_term a, vt_term b)
{
    return vt_term_make(x->t, x->how->kind, 64, x->how->lane, a, b, 0, 0);
}

static void operate(struct vt_lift_run *x)
{
    apply(x, one_operation);
}

static vt_term and_not(struct vt_lift_run *x, vt_term a, vt_term b)
{
    return vt_lift_2(x, VT_PIXEL_AND, vt_lift_not(x, a), b);
}

static void operate_and_not(struct vt_lift_run *x)
{
    apply(x, and_not);
}

/* A comparison of whole halves, as a mask. */
static vt_term one_comparison(struct vt_lift_run *x, vt_term a, vt_term b)
{
    bool equal = x->how->kind == VT_PIXEL_PEQ;
    vt_term bit = equal ? vt_term_compare(x->t, VT_PIXEL_EQ, a, b)
                        : vt_term_compare(x->t, VT_PIXEL_SLT, b, a);
    return vt_term_sext(x->t, bit, 64);
}

static void compare_halves(struct vt_lift_run *x)
{
    apply(x, one_comparison);
}

static vt_term lowest_half(struct vt_lift_run *x, vt_term a, bool is_signed)
{
    vt_term low = vt_term_extract(x->t, a, 0, 32);
    return is_signed ? vt_term_sext(x->t, low, 64) : vt_term_zext(x->t, low, 64);
}

enum { UNSIGNED, SIGNED };

static vt_term one_wide_product(struct vt_lift_run *x, vt_term a, vt_term b)
{
    bool is_signed = x->how->kind == SIGNED;
    return vt_lift_2(x, VT_PIXEL_MUL, lowest_half(x, a, is_signed), lowest_half(x, b, is_signed));
}

static void multiply_wide(struct vt_lift_run *x)
{
    apply(x, one_wide_product);
}

static void absolute(struct vt_lift_run *x)
{
    vt_term v[2];
    vt_lift_read_vector(x, 1, v);
    for (unsigned half = 0; half < 2; half++) {
        vt_term negative =
            vt_term_make(x->t, VT_PIXEL_PSUB, 64, x->how->lane, zero(x), v[half], 0, 0);
        v[half] = vt_term_make(x->t, VT_PIXEL_PMAXS, 64, x->how->lane, v[half], negative, 0, 0);
    }
    vt_lift_write_vector(x, 0, v);
}

/* ---------------------------------------------------------------- shifts */

/* The count is a number, or the lower 64 bits of a vector. */
static void shift(struct vt_lift_run *x)
{
    vt_term v[2], count[2] = {0, 0};
    if (x->o[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
        count[0] = vt_lift_const(x, 64, vt_lift_immediate(x, 1) & 0xff);
    } else {
        vt_lift_read_vector(x, 1, count);
    }
    vt_lift_read_vector(x, 0, v);
    for (unsigned half = 0; half < 2; half++) {
        v[half] = vt_term_make(x->t, x->how->kind, 64, x->how->lane, v[half], count[0], 0, 0);
    }
    vt_lift_write_vector(x, 0, v);
}

/* 64 bits from bit `first` of a row of words, above which there are zeros. */
static vt_term window(struct vt_lift_run *x, const vt_term *words, unsigned n, unsigned first)
{
    unsigned at = first / 64, shift_by = first % 64;
    vt_term low = at < n ? words[at] : zero(x), high = at + 1 < n ? words[at + 1] : zero(x);
    return shift_by == 0 ? low
                         : vt_term_concat(x->t, vt_term_extract(x->t, high, 0, shift_by),
                                          vt_term_extract(x->t, low, shift_by, 64 - shift_by));
}

enum { LEFT, RIGHT };

static void shift_bytes(struct vt_lift_run *x)
{
    uint64_t n = vt_lift_immediate(x, 1) & 0xff;
    unsigned bits = (unsigned)(n < 16 ? n : 16) * 8;
    vt_term v[4] = {zero(x), zero(x), 0, 0}, *whole = v;
    vt_lift_read_vector(x, 0, x->how->kind == LEFT ? v + 2 : v);
    if (x->how->kind == RIGHT) {
        v[2] = v[3] = zero(x);
    } else {
        bits = 128 - bits;
    }
    vt_lift_write_vector(x, 0,
                         (vt_term[]){window(x, whole, 4, bits), window(x, whole, 4, bits + 64)});
}

/* Both operands in a row, the second one below. */
static void align(struct vt_lift_run *x)
{
    uint64_t n = vt_lift_immediate(x, 2) & 0xff;
    unsigned bits = (unsigned)(n < 32 ? n : 32) * 8;
    vt_term v[4];
    vt_lift_read_vector(x, 1, v);
    vt_lift_read_vector(x, 0, v + 2);
    vt_lift_write_vector(x, 0, (vt_term[]){window(x, v, 4, bits), window(x, v, 4, bits + 64)});
}

#define M VT_LIFT_SSE

const struct vt_lift_semantics vt_lift_vector[] = {
    M(MOVDQA, move, 0, 0),
    M(MOVDQU, move, 0, 0),
    M(MOVAPS, move, 0, 0),
    M(MOVUPS, move, 0, 0),
    M(MOVAPD, move, 0, 0),
    M(MOVUPD, move, 0, 0),
    M(LDDQU, move, 0, 0),
    M(MOVNTDQ, move, 0, 0),
    M(MOVNTPS, move, 0, 0),
    M(MOVNTPD, move, 0, 0),
    M(MOVNTDQA, move, 0, 0),
    M(MOVD, move_lowest, CLEARS, 32),
    M(MOVQ, move_lowest, CLEARS, 64),
    M(MOVSS, move_lowest, KEEPS, 32),
    M(MOVSD, move_lowest, KEEPS, 64),
    M(MOVLPS, move_half, 0, 0),
    M(MOVLPD, move_half, 0, 0),
    M(MOVHPS, move_half, 1, 0),
    M(MOVHPD, move_half, 1, 0),
    M(MOVHLPS, move_half, 0, 0),
    M(MOVLHPS, move_half, 1, 0),
    M(MOVDDUP, duplicate, 0, 0),

    M(PXOR, operate, VT_PIXEL_XOR, 0),
    M(XORPS, operate, VT_PIXEL_XOR, 0),
    M(XORPD, operate, VT_PIXEL_XOR, 0),
    M(POR, operate, VT_PIXEL_OR, 0),
    M(ORPS, operate, VT_PIXEL_OR, 0),
    M(ORPD, operate, VT_PIXEL_OR, 0),
    M(PAND, operate, VT_PIXEL_AND, 0),
    M(ANDPS, operate, VT_PIXEL_AND, 0),
    M(ANDPD, operate, VT_PIXEL_AND, 0),
    M(PANDN, operate_and_not, 0, 0),
    M(ANDNPS, operate_and_not, 0, 0),
    M(ANDNPD, operate_and_not, 0, 0),

    M(PADDB, operate, VT_PIXEL_PADD, 8),
    M(PADDW, operate, VT_PIXEL_PADD, 16),
    M(PADDD, operate, VT_PIXEL_PADD, 32),
    M(PADDQ, operate, VT_PIXEL_ADD, 0),
    M(PSUBB, operate, VT_PIXEL_PSUB, 8),
    M(PSUBW, operate, VT_PIXEL_PSUB, 16),
    M(PSUBD, operate, VT_PIXEL_PSUB, 32),
    M(PSUBQ, operate, VT_PIXEL_SUB, 0),
    M(PADDUSB, operate, VT_PIXEL_PADDUS, 8),
    M(PADDUSW, operate, VT_PIXEL_PADDUS, 16),
    M(PADDSB, operate, VT_PIXEL_PADDSS, 8),
    M(PADDSW, operate, VT_PIXEL_PADDSS, 16),
    M(PSUBUSB, operate, VT_PIXEL_PSUBUS, 8),
    M(PSUBUSW, operate, VT_PIXEL_PSUBUS, 16),
    M(PSUBSB, operate, VT_PIXEL_PSUBSS, 8),
    M(PSUBSW, operate, VT_PIXEL_PSUBSS, 16),
    M(PMULLW, operate, VT_PIXEL_PMULL, 16),
    M(PMULLD, operate, VT_PIXEL_PMULL, 32),
    M(PMULUDQ, multiply_wide, UNSIGNED, 0),
    M(PMULDQ, multiply_wide, SIGNED, 0),
    M(PMINUB, operate, VT_PIXEL_PMINU, 8),
    M(PMINUW, operate, VT_PIXEL_PMINU, 16),
    M(PMINUD, operate, VT_PIXEL_PMINU, 32),
    M(PMINSB, operate, VT_PIXEL_PMINS, 8),
    M(PMINSW, operate, VT_PIXEL_PMINS, 16),
    M(PMINSD, operate, VT_PIXEL_PMINS, 32),
    M(PMAXUB, operate, VT_PIXEL_PMAXU, 8),
    M(PMAXUW, operate, VT_PIXEL_PMAXU, 16),
    M(PMAXUD, operate, VT_PIXEL_PMAXU, 32),
    M(PMAXSB, operate, VT_PIXEL_PMAXS, 8),
    M(PMAXSW, operate, VT_PIXEL_PMAXS, 16),
    M(PMAXSD, operate, VT_PIXEL_PMAXS, 32),
    M(PAVGB, operate, VT_PIXEL_PAVG, 8),
    M(PAVGW, operate, VT_PIXEL_PAVG, 16),
    M(PABSB, absolute, 0, 8),
    M(PABSW, absolute, 0, 16),
    M(PABSD, absolute, 0, 32),
    M(PCMPEQB, operate, VT_PIXEL_PEQ, 8),
    M(PCMPEQW, operate, VT_PIXEL_PEQ, 16),
    M(PCMPEQD, operate, VT_PIXEL_PEQ, 32),
    M(PCMPEQQ, compare_halves, VT_PIXEL_PEQ, 0),
    M(PCMPGTB, operate, VT_PIXEL_PSGT, 8),
    M(PCMPGTW, operate, VT_PIXEL_PSGT, 16),
    M(PCMPGTD, operate, VT_PIXEL_PSGT, 32),
    M(PCMPGTQ, compare_halves, VT_PIXEL_PSGT, 0),

    M(PSLLW, shift, VT_PIXEL_PSHL, 16),
    M(PSLLD, shift, VT_PIXEL_PSHL, 32),
    M(PSLLQ, shift, VT_PIXEL_SHL, 0),
    M(PSRLW, shift, VT_PIXEL_PLSHR, 16),
    M(PSRLD, shift, VT_PIXEL_PLSHR, 32),
    M(PSRLQ, shift, VT_PIXEL_LSHR, 0),
    M(PSRAW, shift, VT_PIXEL_PASHR, 16),
    M(PSRAD, shift, VT_PIXEL_PASHR, 32),
    M(PSLLDQ, shift_bytes, LEFT, 0),
    M(PSRLDQ, shift_bytes, RIGHT, 0),
    M(PALIGNR, align, 0, 0),
    {ZYDIS_MNEMONIC_INVALID, NULL, 0, 0},
};
