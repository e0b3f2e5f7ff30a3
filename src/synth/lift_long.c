/* synth/lift_long.c - instructions that go through a word bit by bit. See lift_parts.h.
 *
 * pdep and pext: bits move by powers of two, as far as there are zeros of the mask below them.
 * Source: H. S. Warren, Hacker's Delight, 2nd edition, 7-4, 7-5.
 */
#include "synth/lift_parts.h"

static vt_term number(struct vt_lift_run *x, vt_term like, uint64_t n)
{
    return vt_lift_const(x, vt_term_bits(x->t, like), n);
}

static vt_term shifted(struct vt_lift_run *x, enum vt_pixel_op op, vt_term a, unsigned n)
{
    return vt_lift_2(x, op, a, number(x, a, n));
}

static vt_term and_not(struct vt_lift_run *x, vt_term a, vt_term b)
{
    return vt_lift_2(x, VT_PIXEL_AND, a, vt_lift_not(x, b));
}

/* All ones where the bit is set, else 0. */
static vt_term all_of(struct vt_lift_run *x, vt_term a, unsigned which, unsigned bits)
{
    return vt_term_sext(x->t, vt_lift_bit(x, a, which), bits);
}

/* ---------------------------------------------------------------- pdep, pext */

/* move[i]: the mask's bits that go down by 2^i, as they lie after the moves before. */
static unsigned moves_of(struct vt_lift_run *x, vt_term mask, vt_term move[6])
{
    unsigned bits = vt_term_bits(x->t, mask), n = 0;
    vt_term zeros = shifted(x, VT_PIXEL_SHL, vt_lift_not(x, mask), 1);
    for (unsigned by = 1; by < bits; by *= 2) {
        vt_term odd = zeros; /* each bit: the parity of those at and below it */
        for (unsigned k = 1; k < bits; k *= 2) {
            odd = vt_lift_2(x, VT_PIXEL_XOR, odd, shifted(x, VT_PIXEL_SHL, odd, k));
        }
        move[n] = vt_lift_2(x, VT_PIXEL_AND, odd, mask);
        mask = vt_lift_2(x, VT_PIXEL_OR, vt_lift_2(x, VT_PIXEL_XOR, mask, move[n]),
                         shifted(x, VT_PIXEL_LSHR, move[n], by));
        zeros = and_not(x, zeros, odd);
        n++;
    }
    return n;
}

static void gather(struct vt_lift_run *x)
{
    vt_term a = vt_lift_read(x, 1), mask = vt_lift_read(x, 2), move[6];
    unsigned n = moves_of(x, mask, move);
    vt_term r = vt_lift_2(x, VT_PIXEL_AND, a, mask);
    for (unsigned i = 0; i < n; i++) {
        vt_term moved = vt_lift_2(x, VT_PIXEL_AND, r, move[i]);
        r = vt_lift_2(x, VT_PIXEL_OR, vt_lift_2(x, VT_PIXEL_XOR, r, moved),
                      shifted(x, VT_PIXEL_LSHR, moved, 1U << i));
    }
    vt_lift_write(x, 0, r);
}

static void scatter(struct vt_lift_run *x)
{
    vt_term r = vt_lift_read(x, 1), mask = vt_lift_read(x, 2), move[6];
    for (unsigned i = moves_of(x, mask, move); i-- > 0;) {
        vt_term up = shifted(x, VT_PIXEL_SHL, r, 1U << i);
        r = vt_lift_2(x, VT_PIXEL_OR, and_not(x, r, move[i]),
                      vt_lift_2(x, VT_PIXEL_AND, up, move[i]));
    }
    vt_lift_write(x, 0, vt_lift_2(x, VT_PIXEL_AND, r, mask));
}

/* ---------------------------------------------------------------- polynomials over GF(2) */

/* x^32 of CRC-32C, lowest power in the highest bit. */
#define CASTAGNOLI 0x82f63b78u

static void checksum(struct vt_lift_run *x)
{
    unsigned bits = vt_lift_width(x, 1), wide = bits < 32 ? 32 : bits;
    vt_term by = vt_term_zext(x->t, vt_lift_read(x, 1), wide);
    vt_term old = vt_term_zext(x->t, vt_term_extract(x->t, vt_lift_read(x, 0), 0, 32), wide);
    vt_term r = vt_lift_2(x, VT_PIXEL_XOR, old, by);
    for (unsigned i = 0; i < bits; i++) {
        vt_term out = vt_lift_2(x, VT_PIXEL_AND, all_of(x, r, 0, wide), number(x, r, CASTAGNOLI));
        r = vt_lift_2(x, VT_PIXEL_XOR, shifted(x, VT_PIXEL_LSHR, r, 1), out);
    }
    vt_lift_write(x, 0, vt_term_zext(x->t, vt_term_extract(x->t, r, 0, 32), vt_lift_width(x, 0)));
}

static void multiply_without_carries(struct vt_lift_run *x)
{
    uint64_t which = vt_lift_immediate(x, 2);
    vt_term va[2], vb[2], r[2] = {vt_lift_const(x, 64, 0), vt_lift_const(x, 64, 0)};
    vt_lift_read_vector(x, 0, va);
    vt_lift_read_vector(x, 1, vb);
    vt_term a = va[which & 1], b = vb[which >> 4 & 1];
    for (unsigned i = 0; i < 64 && x->refused == NULL; i++) {
        vt_term all = all_of(x, b, i, 64);
        vt_term low = shifted(x, VT_PIXEL_SHL, a, i), high = shifted(x, VT_PIXEL_LSHR, a, 64 - i);
        r[0] = vt_lift_2(x, VT_PIXEL_XOR, r[0], vt_lift_2(x, VT_PIXEL_AND, low, all));
        r[1] = vt_lift_2(x, VT_PIXEL_XOR, r[1], vt_lift_2(x, VT_PIXEL_AND, high, all));
    }
    vt_lift_write_vector(x, 0, r);
}

#define M(name) ZYDIS_MNEMONIC_##name

const struct vt_lift_semantics vt_lift_long[] = {
    {M(PDEP), scatter, 0, 0},
    {M(PEXT), gather, 0, 0},
    {M(CRC32), checksum, 0, 0},
    VT_LIFT_SSE(PCLMULQDQ, multiply_without_carries, 0, 0),
    {ZYDIS_MNEMONIC_INVALID, NULL, 0, 0},
};
