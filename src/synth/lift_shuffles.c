/* synth/lift_shuffles.c - SSSE3, SSE4.1: orders and choices by values, and what is made of
 * neighbours. See lift_parts.h.
 */
#include "synth/lift_parts.h"

static vt_term packed(struct vt_lift_run *x, enum vt_pixel_op op, unsigned lane, vt_term a,
                      vt_term b)
{
    return vt_term_make(x->t, op, 64, lane, a, b, 0, 0);
}

static vt_term zero(struct vt_lift_run *x)
{
    return vt_lift_const(x, 64, 0);
}

/* mask ? b : a, bit by bit. */
static vt_term choose(struct vt_lift_run *x, vt_term mask, vt_term b, vt_term a)
{
    return vt_lift_2(x, VT_PIXEL_OR, vt_lift_2(x, VT_PIXEL_AND, b, mask),
                     vt_lift_2(x, VT_PIXEL_AND, a, vt_lift_not(x, mask)));
}

/* All ones in lanes that are negative. */
static vt_term negative(struct vt_lift_run *x, vt_term a, unsigned lane)
{
    return lane == 64 ? vt_term_sext(x->t, vt_lift_bit(x, a, 63), 64)
                      : packed(x, VT_PIXEL_PSGT, lane, zero(x), a);
}

/* ---------------------------------------------------------------- by values */

static void shuffle_bytes(struct vt_lift_run *x)
{
    vt_term v[2], which[2], r[2];
    vt_lift_read_vector(x, 0, v);
    vt_lift_read_vector(x, 1, which);
    if (x->refused != NULL) {
        return;
    }
    struct vt_lift_lanes order = vt_lift_split(x, which, 8), to = order;
    for (unsigned i = 0; i < 16; i++) {
        vt_term n = order.of[i];
        vt_term half = vt_term_select(x->t, vt_lift_bit(x, n, 3), v[1], v[0]);
        vt_term by = vt_term_zext(x->t, vt_term_extract(x->t, n, 0, 3), 64);
        by = vt_lift_2(x, VT_PIXEL_MUL, by, vt_lift_const(x, 64, 8));
        vt_term byte = vt_term_extract(x->t, vt_lift_2(x, VT_PIXEL_LSHR, half, by), 0, 8);
        to.of[i] = vt_term_select(x->t, vt_lift_bit(x, n, 7), vt_lift_const(x, 8, 0), byte);
    }
    vt_lift_join(x, &to, r);
    vt_lift_write_vector(x, 0, r);
}

/* By the signs of xmm0's lanes, or of another one's. */
static void blend_by_signs(struct vt_lift_run *x)
{
    vt_term a[2], b[2], r[2];
    const vt_term *mask = x->vectors[x->avx ? vt_lift_xmm(x, 2) : 0] + x->half;
    vt_lift_read_vector(x, 0, a);
    vt_lift_read_vector(x, 1, b);
    for (unsigned half = 0; half < 2 && x->refused == NULL; half++) {
        r[half] = choose(x, negative(x, mask[half], x->how->lane), b[half], a[half]);
    }
    if (x->refused == NULL) {
        vt_lift_write_vector(x, 0, r);
    }
}

static void test(struct vt_lift_run *x)
{
    vt_term a[2], b[2], both[2], other[2];
    vt_lift_read_vector(x, 0, a);
    vt_lift_read_vector(x, 1, b);
    for (unsigned half = 0; half < 2 && x->refused == NULL; half++) {
        both[half] = vt_lift_2(x, VT_PIXEL_AND, a[half], b[half]);
        other[half] = vt_lift_2(x, VT_PIXEL_AND, vt_lift_not(x, a[half]), b[half]);
    }
    for (unsigned flag = 0; flag < VT_LIFT_FLAGS && x->refused == NULL; flag++) {
        const vt_term *v = flag == VT_LIFT_ZF ? both : flag == VT_LIFT_CF ? other : NULL;
        vt_term bit = v != NULL ? vt_lift_is_zero(x, vt_lift_2(x, VT_PIXEL_OR, v[0], v[1]))
                                : vt_lift_const(x, 1, 0);
        if (x->half != 0) { /* and so is the lower half */
            bit = vt_lift_2(x, VT_PIXEL_AND, bit, vt_lift_flag(x, flag));
        }
        vt_lift_set_flag(x, flag, bit);
    }
}

/* ---------------------------------------------------------------- lane by lane */

static void apply(struct vt_lift_run *x,
                  vt_term (*one)(struct vt_lift_run *x, vt_term a, vt_term b))
{
    vt_term a[2], b[2], r[2];
    vt_lift_read_vector(x, 0, a);
    vt_lift_read_vector(x, 1, b);
    for (unsigned half = 0; half < 2; half++) {
        r[half] = x->refused == NULL ? one(x, a[half], b[half]) : 0;
    }
    vt_lift_write_vector(x, 0, r);
}

/* a where b is positive, -a where it is negative, 0 where it is 0. */
static vt_term with_sign(struct vt_lift_run *x, vt_term a, vt_term b)
{
    unsigned lane = x->how->lane;
    vt_term r = choose(x, negative(x, b, lane), packed(x, VT_PIXEL_PSUB, lane, zero(x), a), a);
    vt_term none = packed(x, VT_PIXEL_PEQ, lane, b, zero(x));
    return vt_lift_2(x, VT_PIXEL_AND, r, vt_lift_not(x, none));
}

static void give_sign(struct vt_lift_run *x)
{
    apply(x, with_sign);
}

/* Unsigned bytes of a by signed ones of b, products of neighbours added: each in 16 bits. */
static vt_term one_product_of_bytes(struct vt_lift_run *x, vt_term a, vt_term b)
{
    vt_term eight = vt_lift_const(x, 64, 8);
    vt_term low = vt_lift_2(x, VT_PIXEL_AND, a, vt_lift_const(x, 64, UINT64_C(0xff00ff00ff00ff)));
    vt_term signed_low =
        packed(x, VT_PIXEL_PASHR, 16, packed(x, VT_PIXEL_PSHL, 16, b, eight), eight);
    vt_term even = packed(x, VT_PIXEL_PMULL, 16, low, signed_low);
    vt_term odd = packed(x, VT_PIXEL_PMULL, 16, packed(x, VT_PIXEL_PLSHR, 16, a, eight),
                         packed(x, VT_PIXEL_PASHR, 16, b, eight));
    return packed(x, VT_PIXEL_PADDSS, 16, even, odd);
}

static void multiply_bytes(struct vt_lift_run *x)
{
    apply(x, one_product_of_bytes);
}

/* Products of fractions of 15 bits, rounded. */
static void multiply_rounded(struct vt_lift_run *x)
{
    vt_term a[2], b[2], r[2];
    vt_lift_read_vector(x, 0, a);
    vt_lift_read_vector(x, 1, b);
    if (x->refused != NULL) {
        return;
    }
    struct vt_lift_lanes va = vt_lift_split(x, a, 16), vb = vt_lift_split(x, b, 16);
    for (unsigned i = 0; i < 8; i++) {
        vt_term p = vt_lift_2(x, VT_PIXEL_MUL, vt_term_sext(x->t, va.of[i], 32),
                              vt_term_sext(x->t, vb.of[i], 32));
        p = vt_lift_2(x, VT_PIXEL_ASHR, p, vt_lift_const(x, 32, 14));
        p = vt_lift_2(x, VT_PIXEL_ADD, p, vt_lift_const(x, 32, 1));
        va.of[i] = vt_term_extract(x->t, p, 1, 16);
    }
    vt_lift_join(x, &va, r);
    vt_lift_write_vector(x, 0, r);
}

/* ---------------------------------------------------------------- neighbours */

/* phadd, phsub: each lane of a pair with the other, the first operand's below. */
static void with_neighbours(struct vt_lift_run *x)
{
    unsigned lane = x->how->lane;
    vt_term v[2][2], r[2], first[2], second[2];
    vt_lift_read_vector(x, 0, v[0]);
    vt_lift_read_vector(x, 1, v[1]);
    if (x->refused != NULL) {
        return;
    }
    struct vt_lift_lanes even = {.bits = lane, .n = 128 / lane}, odd = even;
    for (unsigned i = 0; i < even.n; i++) {
        unsigned at = 2 * i % even.n;
        struct vt_lift_lanes from = vt_lift_split(x, v[i >= even.n / 2], lane);
        even.of[i] = from.of[at];
        odd.of[i] = from.of[at + 1];
    }
    vt_lift_join(x, &even, first);
    vt_lift_join(x, &odd, second);
    for (unsigned half = 0; half < 2; half++) {
        r[half] = packed(x, x->how->kind, lane, first[half], second[half]);
    }
    vt_lift_write_vector(x, 0, r);
}

#define M VT_LIFT_SSE

const struct vt_lift_semantics vt_lift_shuffles[] = {
    M(PSHUFB, shuffle_bytes, 0, 8),
    M(PBLENDVB, blend_by_signs, 0, 8),
    M(BLENDVPS, blend_by_signs, 0, 32),
    M(BLENDVPD, blend_by_signs, 0, 64),
    M(PTEST, test, 0, 0),
    M(PSIGNB, give_sign, 0, 8),
    M(PSIGNW, give_sign, 0, 16),
    M(PSIGND, give_sign, 0, 32),
    M(PMADDUBSW, multiply_bytes, 0, 0),
    M(PMULHRSW, multiply_rounded, 0, 0),
    M(PHADDW, with_neighbours, VT_PIXEL_PADD, 16),
    M(PHADDD, with_neighbours, VT_PIXEL_PADD, 32),
    M(PHADDSW, with_neighbours, VT_PIXEL_PADDSS, 16),
    M(PHSUBW, with_neighbours, VT_PIXEL_PSUB, 16),
    M(PHSUBD, with_neighbours, VT_PIXEL_PSUB, 32),
    M(PHSUBSW, with_neighbours, VT_PIXEL_PSUBSS, 16),
    {ZYDIS_MNEMONIC_INVALID, NULL, 0, 0},
};
