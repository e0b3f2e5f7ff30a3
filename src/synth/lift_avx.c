/* synth/lift_avx.c - AVX2: broadcasts, what goes across 128 bits, shifts by values. What AVX has of
 * SSE is where SSE's is. See lift_parts.h.
 *
 * An instruction of 256 bits is executed twice, by halves; these do all of it the first time.
 */
#include "synth/lift_parts.h"

#include <string.h>

static bool is_done(const struct vt_lift_run *x)
{
    return x->half != 0;
}

/* Operand k as a whole: 128 bits, above which there are zeros, or 256. */
static void read_all(struct vt_lift_run *x, unsigned k, vt_term v[4])
{
    v[2] = v[3] = vt_lift_const(x, 64, 0);
    vt_lift_read_vector(x, k, v);
    if (vt_lift_is_wide(&x->o[k])) {
        x->half = 2;
        vt_lift_read_vector(x, k, v + 2);
        x->half = 0;
    }
}

static void write_all(struct vt_lift_run *x, const vt_term v[4])
{
    vt_lift_write_vector(x, 0, v);
    if (vt_lift_is_wide(x->apart ? &x->to : &x->o[0])) {
        x->half = 2;
        vt_lift_write_vector(x, 0, v + 2);
        x->half = 0;
    }
}

static void broadcast(struct vt_lift_run *x)
{
    unsigned bits = x->how->lane;
    int from = vt_lift_xmm(x, 1);
    if (is_done(x)) {
        return;
    }
    vt_term one =
        from >= 0 ? vt_term_extract(x->t, x->vectors[from][0], 0, bits) : vt_lift_read(x, 1);
    for (; bits < 64 && x->refused == NULL; bits *= 2) {
        one = vt_term_concat(x->t, one, one);
    }
    write_all(x, (vt_term[]){one, one, one, one});
}

static void broadcast_128(struct vt_lift_run *x)
{
    vt_term v[4];
    if (!is_done(x)) {
        vt_lift_read_vector(x, 1, v);
        write_all(x, (vt_term[]){v[0], v[1], v[0], v[1]});
    }
}

static void extract_128(struct vt_lift_run *x)
{
    vt_term v[4];
    if (!is_done(x)) {
        read_all(x, 1, v);
        write_all(x, v + 2 * (vt_lift_immediate(x, 2) & 1));
    }
}

static void insert_128(struct vt_lift_run *x)
{
    vt_term v[4];
    if (!is_done(x)) {
        read_all(x, 0, v);
        vt_lift_read_vector(x, 1, v + 2 * (vt_lift_immediate(x, 2) & 1));
        write_all(x, v);
    }
}

/* Each half one of four, or zeros. */
static void permute_128(struct vt_lift_run *x)
{
    vt_term from[8], v[4];
    if (is_done(x)) {
        return;
    }
    read_all(x, 0, from);
    read_all(x, 1, from + 4);
    for (unsigned half = 0; half < 2; half++) {
        unsigned how = (unsigned)(vt_lift_immediate(x, 2) >> 4 * half);
        for (unsigned i = 0; i < 2; i++) {
            v[2 * half + i] = (how & 8) != 0 ? vt_lift_const(x, 64, 0) : from[2 * (how & 3) + i];
        }
    }
    write_all(x, v);
}

static void permute_64(struct vt_lift_run *x)
{
    vt_term from[4], v[4];
    if (is_done(x)) {
        return;
    }
    read_all(x, 1, from);
    for (unsigned i = 0; i < 4; i++) {
        v[i] = from[vt_lift_immediate(x, 2) >> 2 * i & 3];
    }
    write_all(x, v);
}

/* Each of eight the one that the first operand says. */
static void permute_32(struct vt_lift_run *x)
{
    vt_term which[4], from[4], v[4];
    if (is_done(x)) {
        return;
    }
    read_all(x, 0, which);
    read_all(x, 1, from);
    for (unsigned i = 0; i < 8 && x->refused == NULL; i++) {
        vt_term n = vt_term_extract(x->t, which[i / 2], i % 2 * 32, 3), one[4];
        vt_term odd = vt_lift_bit(x, n, 0), second = vt_lift_bit(x, n, 1);
        for (unsigned k = 0; k < 4; k++) {
            one[k] = vt_term_select(x->t, odd, vt_term_extract(x->t, from[k], 32, 32),
                                    vt_term_extract(x->t, from[k], 0, 32));
        }
        one[0] = vt_term_select(x->t, second, one[1], one[0]);
        one[2] = vt_term_select(x->t, second, one[3], one[2]);
        one[0] = vt_term_select(x->t, vt_lift_bit(x, n, 2), one[2], one[0]);
        v[i / 2] = i % 2 == 0 ? one[0] : vt_term_concat(x->t, one[0], v[i / 2]);
    }
    if (x->refused == NULL) {
        write_all(x, v);
    }
}

/* Each lane by the one beside it; by its width or more nothing is left, or the sign. */
static void shift_each(struct vt_lift_run *x)
{
    vt_term a[2], b[2], r[2];
    vt_lift_read_vector(x, 0, a);
    vt_lift_read_vector(x, 1, b);
    if (x->refused != NULL) {
        return;
    }
    struct vt_lift_lanes v = vt_lift_split(x, a, x->how->lane),
                         by = vt_lift_split(x, b, x->how->lane);
    for (unsigned i = 0; i < v.n; i++) {
        v.of[i] = vt_lift_2(x, x->how->kind, v.of[i], by.of[i]);
    }
    vt_lift_join(x, &v, r);
    vt_lift_write_vector(x, 0, r);
}

static void clear_upper(struct vt_lift_run *x)
{
    if (is_done(x)) {
        return;
    }
    for (unsigned reg = 0; reg < 16; reg++) {
        for (unsigned half = x->how->kind; half < 4; half++) {
            x->s->xmm[reg][half] = vt_lift_const(x, 64, 0);
        }
    }
    x->out.vectors = UINT16_MAX;
}

#define M(name) ZYDIS_MNEMONIC_##name

const struct vt_lift_semantics vt_lift_avx[] = {
    {M(VPBROADCASTB), broadcast, 0, 8},
    {M(VPBROADCASTW), broadcast, 0, 16},
    {M(VPBROADCASTD), broadcast, 0, 32},
    {M(VPBROADCASTQ), broadcast, 0, 64},
    {M(VBROADCASTSS), broadcast, 0, 32},
    {M(VBROADCASTSD), broadcast, 0, 64},
    {M(VBROADCASTF128), broadcast_128, 0, 0},
    {M(VBROADCASTI128), broadcast_128, 0, 0},
    {M(VEXTRACTF128), extract_128, 0, 0},
    {M(VEXTRACTI128), extract_128, 0, 0},
    {M(VINSERTF128), insert_128, 0, 0},
    {M(VINSERTI128), insert_128, 0, 0},
    {M(VPERM2F128), permute_128, 0, 0},
    {M(VPERM2I128), permute_128, 0, 0},
    {M(VPERMQ), permute_64, 0, 0},
    {M(VPERMPD), permute_64, 0, 0},
    {M(VPERMD), permute_32, 0, 0},
    {M(VPERMPS), permute_32, 0, 0},
    {M(VPSLLVD), shift_each, VT_PIXEL_SHL, 32},
    {M(VPSLLVQ), shift_each, VT_PIXEL_SHL, 64},
    {M(VPSRLVD), shift_each, VT_PIXEL_LSHR, 32},
    {M(VPSRLVQ), shift_each, VT_PIXEL_LSHR, 64},
    {M(VPSRAVD), shift_each, VT_PIXEL_ASHR, 32},
    {M(VZEROUPPER), clear_upper, 2, 0},
    {M(VZEROALL), clear_upper, 0, 0},
    {ZYDIS_MNEMONIC_INVALID, NULL, 0, 0},
};
