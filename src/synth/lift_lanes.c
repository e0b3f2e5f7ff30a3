/* synth/lift_lanes.c - SSE2 and its like, where lanes are taken apart and put together. See
 * lift_parts.h.
 */
#include "synth/lift_parts.h"

struct vt_lift_lanes vt_lift_split(struct vt_lift_run *x, const vt_term v[2], unsigned bits)
{
    struct vt_lift_lanes l = {.bits = bits, .n = 128 / bits};
    for (unsigned i = 0; i < l.n; i++) {
        unsigned first = i * bits;
        l.of[i] = vt_term_extract(x->t, v[first / 64], first % 64, bits);
    }
    return l;
}

static struct vt_lift_lanes lanes_of(struct vt_lift_run *x, unsigned k, unsigned bits)
{
    vt_term v[2];
    vt_lift_read_vector(x, k, v);
    return vt_lift_split(x, v, bits);
}

/* Neighbours first, so that what lay side by side is whole again. */
static vt_term joined(struct vt_lift_run *x, const vt_term *lanes, unsigned n)
{
    vt_term row[16] = {0};
    for (unsigned i = 0; i < n; i++) {
        row[i] = lanes[i];
    }
    for (; n > 1; n /= 2) {
        for (unsigned i = 0; i < n / 2; i++) {
            const vt_term *pair = row + 2 * (size_t)i;
            row[i] = vt_term_concat(x->t, pair[1], pair[0]);
        }
    }
    return row[0];
}

void vt_lift_join(struct vt_lift_run *x, const struct vt_lift_lanes *l, vt_term v[2])
{
    v[0] = joined(x, l->of, l->n / 2);
    v[1] = joined(x, l->of + l->n / 2, l->n / 2);
}

static void write_lanes(struct vt_lift_run *x, unsigned k, const struct vt_lift_lanes *l)
{
    vt_term v[2];
    vt_lift_join(x, l, v);
    vt_lift_write_vector(x, k, v);
}

/* ---------------------------------------------------------------- orders */

enum { LOW, HIGH };

static void interleave(struct vt_lift_run *x)
{
    unsigned bits = x->how->lane;
    struct vt_lift_lanes a = lanes_of(x, 0, bits), b = lanes_of(x, 1, bits), r = a;
    unsigned from = x->how->kind == HIGH ? a.n / 2 : 0;
    for (unsigned i = 0; i < a.n / 2; i++) {
        vt_term *pair = r.of + 2 * (size_t)i;
        pair[0] = a.of[from + i];
        pair[1] = b.of[from + i];
    }
    write_lanes(x, 0, &r);
}

/* Four lanes from `first` on, by two bits each. */
static void shuffle(struct vt_lift_run *x)
{
    unsigned first = x->how->kind;
    struct vt_lift_lanes a = lanes_of(x, 1, x->how->lane), r = a;
    uint64_t order = vt_lift_immediate(x, 2);
    for (unsigned i = 0; i < 4; i++) {
        r.of[first + i] = a.of[first + (order >> 2 * i & 3)];
    }
    write_lanes(x, 0, &r);
}

/* The lower half out of the first operand, the upper out of the second. */
static void shuffle_two(struct vt_lift_run *x)
{
    unsigned bits = x->how->lane, n = 128 / bits, each = n == 4 ? 2 : 1;
    struct vt_lift_lanes a = lanes_of(x, 0, bits), b = lanes_of(x, 1, bits), r = a;
    uint64_t order = vt_lift_immediate(x, 2) >> (n == 2 ? x->half : 0);
    for (unsigned i = 0; i < n; i++) {
        unsigned which = (unsigned)(order >> each * i) & (n - 1);
        r.of[i] = i < n / 2 ? a.of[which] : b.of[which];
    }
    write_lanes(x, 0, &r);
}

static void blend(struct vt_lift_run *x)
{
    struct vt_lift_lanes r = lanes_of(x, 0, x->how->lane), b = lanes_of(x, 1, x->how->lane);
    /* A bit for each of all lanes, but for those of 16 bits. */
    uint64_t which = vt_lift_immediate(x, 2) >> (r.n < 8 ? x->half / 2 * r.n : 0);
    for (unsigned i = 0; i < r.n; i++) {
        r.of[i] = (which >> i & 1) != 0 ? b.of[i] : r.of[i];
    }
    write_lanes(x, 0, &r);
}

/* movsldup, movshdup: every lane's lower or upper neighbour of a pair. */
static void double_every_second(struct vt_lift_run *x)
{
    struct vt_lift_lanes a = lanes_of(x, 1, x->how->lane), r = a;
    for (unsigned i = 0; i < a.n; i++) {
        r.of[i] = a.of[(i & ~1U) + x->how->kind];
    }
    write_lanes(x, 0, &r);
}

/* ---------------------------------------------------------------- narrower, wider */

enum { TO_UNSIGNED, TO_SIGNED };

/* Each lane brought between the bounds, and its lower half taken. */
static void narrow(struct vt_lift_run *x, unsigned k, vt_term *to)
{
    unsigned bits = x->how->lane, half = bits / 2;
    bool is_signed = x->how->kind == TO_SIGNED;
    uint64_t least = is_signed ? UINT64_MAX << (half - 1) : 0;
    uint64_t greatest = (UINT64_C(1) << (is_signed ? half - 1 : half)) - 1;
    uint64_t mask = (UINT64_C(1) << bits) - 1, low = 0, high = 0;
    for (unsigned at = 0; at < 64; at += bits) {
        low |= (least & mask) << at;
        high |= greatest << at;
    }
    vt_term v[2];
    vt_lift_read_vector(x, k, v);
    for (unsigned i = 0; i < 2; i++) {
        v[i] = vt_term_make(x->t, VT_PIXEL_PMAXS, 64, bits, v[i], vt_lift_const(x, 64, low), 0, 0);
        v[i] = vt_term_make(x->t, VT_PIXEL_PMINS, 64, bits, v[i], vt_lift_const(x, 64, high), 0, 0);
    }
    struct vt_lift_lanes wide = vt_lift_split(x, v, bits);
    for (unsigned i = 0; i < wide.n; i++) {
        to[i] = vt_term_extract(x->t, wide.of[i], 0, half);
    }
}

static void pack(struct vt_lift_run *x)
{
    struct vt_lift_lanes r = {.bits = x->how->lane / 2U, .n = 256 / x->how->lane};
    narrow(x, 0, r.of);
    narrow(x, 1, r.of + r.n / 2);
    write_lanes(x, 0, &r);
}

/* pmovzx, pmovsx: kind is the width to go to, and whether it is signed. */
#define SIGNED_TO(bits) ((bits) | 1)

static void widen(struct vt_lift_run *x)
{
    unsigned from = x->how->lane, to = x->how->kind & ~1U, n = 128 / to;
    bool is_signed = (x->how->kind & 1) != 0;
    struct vt_lift_lanes r = {.bits = to, .n = n};
    int reg = vt_lift_xmm(x, 1);
    unsigned first = x->half / 2 * n * from; /* bit, of what there is to widen */
    vt_term row = 0;
    if (reg >= 0) {
        row = vt_term_extract(x->t, x->vectors[reg][first / 64], first % 64, n * from);
    } else {
        vt_term at =
            vt_lift_2(x, VT_PIXEL_ADD, vt_lift_address(x, 1), vt_lift_const(x, 64, first / 8));
        row = vt_lift_load(x, at, n * from / 8);
    }
    for (unsigned i = 0; i < n; i++) {
        vt_term one = vt_term_extract(x->t, row, i * from, from);
        r.of[i] = is_signed ? vt_term_sext(x->t, one, to) : vt_term_zext(x->t, one, to);
    }
    write_lanes(x, 0, &r);
}

/* ---------------------------------------------------------------- products, sums */

static void multiply_high(struct vt_lift_run *x)
{
    struct vt_lift_lanes a = lanes_of(x, 0, 16), b = lanes_of(x, 1, 16);
    for (unsigned i = 0; i < a.n; i++) {
        a.of[i] = vt_lift_2(x, x->how->kind, a.of[i], b.of[i]);
    }
    write_lanes(x, 0, &a);
}

static void multiply_and_add(struct vt_lift_run *x)
{
    struct vt_lift_lanes a = lanes_of(x, 0, 16), b = lanes_of(x, 1, 16), r = {.bits = 32, .n = 4};
    for (unsigned i = 0; i < 8; i++) {
        vt_term product = vt_lift_2(x, VT_PIXEL_MUL, vt_term_sext(x->t, a.of[i], 32),
                                    vt_term_sext(x->t, b.of[i], 32));
        r.of[i / 2] = i % 2 == 0 ? product : vt_lift_2(x, VT_PIXEL_ADD, r.of[i / 2], product);
    }
    write_lanes(x, 0, &r);
}

/* Absolute differences of bytes, and the sum of each eight. */
static void sum_of_differences(struct vt_lift_run *x)
{
    vt_term a[2], b[2], r[2];
    vt_lift_read_vector(x, 0, a);
    vt_lift_read_vector(x, 1, b);
    for (unsigned half = 0; half < 2; half++) {
        vt_term more = vt_term_make(x->t, VT_PIXEL_PSUBUS, 64, 8, a[half], b[half], 0, 0);
        vt_term less = vt_term_make(x->t, VT_PIXEL_PSUBUS, 64, 8, b[half], a[half], 0, 0);
        vt_term d = vt_lift_2(x, VT_PIXEL_OR, more, less);
        r[half] = vt_lift_const(x, 64, 0);
        for (unsigned i = 0; i < 64; i += 8) {
            r[half] = vt_lift_2(x, VT_PIXEL_ADD, r[half],
                                vt_term_zext(x->t, vt_term_extract(x->t, d, i, 8), 64));
        }
    }
    vt_lift_write_vector(x, 0, r);
}

/* ---------------------------------------------------------------- lanes and registers */

/* The sign of each lane, as bits of a register. */
static void signs(struct vt_lift_run *x)
{
    struct vt_lift_lanes a = lanes_of(x, 1, x->how->lane);
    for (unsigned i = 0; i < a.n; i++) {
        a.of[i] = vt_lift_bit(x, a.of[i], a.bits - 1);
    }
    vt_term bits = vt_term_zext(x->t, joined(x, a.of, a.n), vt_lift_width(x, 0));
    if (x->half != 0) { /* behind those that are there */
        bits = vt_lift_2(x, VT_PIXEL_SHL, bits, vt_lift_const(x, vt_lift_width(x, 0), a.n));
        bits = vt_lift_2(x, VT_PIXEL_OR, bits, vt_lift_read(x, 0));
    }
    vt_lift_write(x, 0, bits);
}

static void insert(struct vt_lift_run *x)
{
    unsigned bits = x->how->lane;
    struct vt_lift_lanes a = lanes_of(x, 0, bits);
    vt_term value = vt_term_zext(x->t, vt_lift_read(x, 1), bits);
    a.of[vt_lift_immediate(x, 2) & (a.n - 1)] = value;
    write_lanes(x, 0, &a);
}

static void extract(struct vt_lift_run *x)
{
    struct vt_lift_lanes a = lanes_of(x, 1, x->how->lane);
    vt_lift_write(
        x, 0, vt_term_zext(x->t, a.of[vt_lift_immediate(x, 2) & (a.n - 1)], vt_lift_width(x, 0)));
}

/* insertps: which lane, where to, and which are cleared, are one number. */
static void insert_and_clear(struct vt_lift_run *x)
{
    uint64_t how = vt_lift_immediate(x, 2);
    struct vt_lift_lanes a = lanes_of(x, 0, 32);
    vt_term value = vt_lift_is_memory(x, 1) ? vt_lift_read(x, 1) : 0;
    if (value == 0 && x->refused == NULL) {
        value = lanes_of(x, 1, 32).of[how >> 6 & 3];
    }
    a.of[how >> 4 & 3] = value;
    for (unsigned i = 0; i < 4; i++) {
        a.of[i] = (how >> i & 1) != 0 ? vt_lift_const(x, 32, 0) : a.of[i];
    }
    write_lanes(x, 0, &a);
}

#define M VT_LIFT_SSE

const struct vt_lift_semantics vt_lift_lanes[] = {
    M(PUNPCKLBW, interleave, LOW, 8),
    M(PUNPCKLWD, interleave, LOW, 16),
    M(PUNPCKLDQ, interleave, LOW, 32),
    M(PUNPCKLQDQ, interleave, LOW, 64),
    M(PUNPCKHBW, interleave, HIGH, 8),
    M(PUNPCKHWD, interleave, HIGH, 16),
    M(PUNPCKHDQ, interleave, HIGH, 32),
    M(PUNPCKHQDQ, interleave, HIGH, 64),
    M(UNPCKLPS, interleave, LOW, 32),
    M(UNPCKLPD, interleave, LOW, 64),
    M(UNPCKHPS, interleave, HIGH, 32),
    M(UNPCKHPD, interleave, HIGH, 64),
    M(PSHUFD, shuffle, 0, 32),
    M(PSHUFLW, shuffle, 0, 16),
    M(PSHUFHW, shuffle, 4, 16),
    M(SHUFPS, shuffle_two, 0, 32),
    M(SHUFPD, shuffle_two, 0, 64),
    M(PBLENDW, blend, 0, 16),
    M(BLENDPS, blend, 0, 32),
    M(BLENDPD, blend, 0, 64),
    M(MOVSLDUP, double_every_second, 0, 32),
    M(MOVSHDUP, double_every_second, 1, 32),

    M(PACKUSWB, pack, TO_UNSIGNED, 16),
    M(PACKSSWB, pack, TO_SIGNED, 16),
    M(PACKUSDW, pack, TO_UNSIGNED, 32),
    M(PACKSSDW, pack, TO_SIGNED, 32),
    M(PMOVZXBW, widen, 16, 8),
    M(PMOVZXBD, widen, 32, 8),
    M(PMOVZXBQ, widen, 64, 8),
    M(PMOVZXWD, widen, 32, 16),
    M(PMOVZXWQ, widen, 64, 16),
    M(PMOVZXDQ, widen, 64, 32),
    M(PMOVSXBW, widen, SIGNED_TO(16), 8),
    M(PMOVSXBD, widen, SIGNED_TO(32), 8),
    M(PMOVSXBQ, widen, SIGNED_TO(64), 8),
    M(PMOVSXWD, widen, SIGNED_TO(32), 16),
    M(PMOVSXWQ, widen, SIGNED_TO(64), 16),
    M(PMOVSXDQ, widen, SIGNED_TO(64), 32),

    M(PMULHW, multiply_high, VT_PIXEL_SMULH, 0),
    M(PMULHUW, multiply_high, VT_PIXEL_UMULH, 0),
    M(PMADDWD, multiply_and_add, 0, 0),
    M(PSADBW, sum_of_differences, 0, 0),

    M(PMOVMSKB, signs, 0, 8),
    M(MOVMSKPS, signs, 0, 32),
    M(MOVMSKPD, signs, 0, 64),
    M(PINSRB, insert, 0, 8),
    M(PINSRW, insert, 0, 16),
    M(PINSRD, insert, 0, 32),
    M(PINSRQ, insert, 0, 64),
    M(INSERTPS, insert_and_clear, 0, 0),
    M(EXTRACTPS, extract, 0, 32),
    M(PEXTRB, extract, 0, 8),
    M(PEXTRW, extract, 0, 16),
    M(PEXTRD, extract, 0, 32),
    M(PEXTRQ, extract, 0, 64),
    {ZYDIS_MNEMONIC_VPBLENDD, blend, 0, 32},
    {ZYDIS_MNEMONIC_INVALID, NULL, 0, 0},
};
