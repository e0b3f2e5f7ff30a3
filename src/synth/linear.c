/* synth/linear.c - sums of registers, as terms and back. See summary.h.
 */
#include "synth/summary.h"

#define RSP 4u

static vt_term register_of(const struct vt_lift_state *state, uint32_t reg)
{
    return reg < VT_LINEAR_FS    ? state->r[reg]
           : reg == VT_LINEAR_FS ? state->fs_base
           : reg == VT_LINEAR_GS ? state->gs_base
                                 : 0;
}

bool vt_linear_alike(const struct vt_linear *a, const struct vt_linear *b)
{
    bool same = a->n == b->n;
    for (uint32_t i = 0; i < a->n && same; i++) {
        same = a->part[i].reg == b->part[i].reg && a->part[i].coefficient == b->part[i].coefficient;
    }
    return same;
}

bool vt_linear_same(const struct vt_linear *a, const struct vt_linear *b)
{
    return a->constant == b->constant && vt_linear_alike(a, b);
}

vt_term vt_linear_term(struct vt_terms *terms, const struct vt_linear *linear,
                       const struct vt_lift_state *state)
{
    vt_term sum = vt_term_const(terms, 64, linear->constant);
    for (uint32_t i = 0; i < linear->n; i++) {
        vt_term product = vt_term_2(terms, VT_PIXEL_MUL, register_of(state, linear->part[i].reg),
                                    vt_term_const(terms, 64, linear->part[i].coefficient));
        sum = vt_term_2(terms, VT_PIXEL_ADD, sum, product);
    }
    return sum;
}

bool vt_linear_of(struct vt_terms *terms, vt_term term, const struct vt_lift_state *state,
                  struct vt_linear *linear)
{
    struct vt_term_sum sum;
    struct vt_linear found = {0};
    if (!vt_term_linear(terms, term, &sum)) {
        return false;
    }
    found.constant = sum.constant;
    for (uint32_t reg = 0; reg <= VT_LINEAR_GS; reg++) {
        /* A register that is taken to be another one is that one. */
        bool other = reg != RSP && register_of(state, reg) == state->r[RSP];
        for (unsigned i = 0; i < sum.n && !other; i++) {
            if (sum.part[i].atom == register_of(state, reg)) {
                if (found.n == sizeof found.part / sizeof *found.part) {
                    return false;
                }
                found.part[found.n].reg = reg;
                found.part[found.n++].coefficient = sum.part[i].coefficient;
            }
        }
    }
    if (found.n != sum.n) {
        return false;
    }
    *linear = found;
    return true;
}

vt_term vt_position_term(struct vt_terms *terms, const struct vt_synth_kernel *k, uint32_t stream,
                         const struct vt_summary *s, bool after)
{
    const struct vt_linear *position = &k->streams[stream];
    const struct vt_lift_state *state = after ? &s->after : &s->before;
    vt_term sum = vt_term_const(terms, 64, position->constant);
    for (uint32_t i = 0; i < position->n; i++) {
        uint32_t reg = position->part[i].reg, place = reg - VT_LINEAR_PLACE;
        vt_term value = reg < VT_LINEAR_PLACE         ? register_of(state, reg)
                        : place < k->program.n_inputs ? vt_place_term(s, &k->inputs[place], after)
                        : place - k->program.n_inputs < k->program.n_carries
                            ? vt_place_term(s, &k->carries[place - k->program.n_inputs], after)
                            : 0;
        if (value == 0) {
            return 0;
        }
        value = vt_term_2(terms, VT_PIXEL_MUL, vt_term_zext(terms, value, 64),
                          vt_term_const(terms, 64, position->part[i].coefficient));
        sum = vt_term_2(terms, VT_PIXEL_ADD, sum, value);
    }
    return sum;
}
