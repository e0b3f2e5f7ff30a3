/* synth/equal.c - places of the state at the head that are taken to be sums of registers. See
 * summary.h.
 *
 * A compiler reaches one array on the stack by rsp, and by a pointer that it worked out before the
 * loop. Only with the distance between both an access can be told to be to a variable, and it is
 * known when a loop ends that goes from one to the other. No proof says that it is so: `trips` is 0
 * where it is not, and that, and that an iteration leaves it so, is proven.
 */
#include "synth/summary.h"

#include <string.h>

static bool same_place(const struct vt_place *a, const struct vt_place *b)
{
    if (a->kind != b->kind || a->kind == VT_PLACE_GPR) {
        return a->kind == b->kind && a->reg == b->reg;
    }
    return a->bytes == b->bytes && vt_linear_same(&a->address, &b->address);
}

/* Of registers alone, none of which is the place of one of these. */
static bool is_sum(const struct vt_linear *sum, const struct vt_equal *equal, uint32_t n)
{
    bool good = sum->n <= sizeof sum->part / sizeof sum->part[0];
    for (uint32_t i = 0; i < sum->n && good; i++) {
        good = sum->part[i].reg <= VT_LINEAR_GS;
        for (uint32_t e = 0; e < n && good; e++) {
            good = equal[e].place.kind != VT_PLACE_GPR || equal[e].place.reg != sum->part[i].reg;
        }
    }
    return good;
}

static vt_term *place_before(struct vt_summary *s, const struct vt_place *place)
{
    if (place->kind == VT_PLACE_GPR) {
        return place->reg < 16 ? &s->before.r[place->reg] : NULL;
    }
    for (uint32_t i = 0; place->kind == VT_PLACE_CELL && place->bytes == 8 && i < s->n_cells; i++) {
        struct vt_place cell = {
            .kind = VT_PLACE_CELL, .bytes = s->cells[i].bytes, .address = s->cells[i].address};
        if (same_place(&cell, place)) {
            return &s->cells[i].before;
        }
    }
    return NULL;
}

int vt_equal_apply(struct vt_terms *terms, const struct vt_equal *equal, uint32_t n,
                   struct vt_summary *s, struct vt_error *err)
{
    for (uint32_t i = 0; i < n; i++) {
        bool good = is_sum(&equal[i].sum, equal, n);
        for (uint32_t k = 0; k < i && good; k++) {
            good = !same_place(&equal[i].place, &equal[k].place);
        }
        vt_term *place = good ? place_before(s, &equal[i].place) : NULL;
        if (place == NULL) {
            return vt_fail(err, VT_E_CORRUPT, "equality %u is of nothing that there is", i);
        }
        *place = vt_linear_term(terms, &equal[i].sum, &s->before);
    }
    return 0;
}

vt_term vt_equal_term(struct vt_terms *terms, const struct vt_equal *equal,
                      const struct vt_summary *s, bool after)
{
    return vt_term_compare(terms, VT_PIXEL_EQ, vt_place_term(s, &equal->place, after),
                           vt_linear_term(terms, &equal->sum, after ? &s->after : &s->before));
}

void vt_kernel_given(const struct vt_synth_kernel *k, struct vt_given *given)
{
    memset(given, 0, sizeof *given);
    given->n_cells = vt_kernel_cells(k, given->cells);
    given->n_equal = k->n_equal;
    memcpy(given->equal, k->equal, sizeof given->equal);
}
