/* synth/summary_ways.c - conditions under which control gets somewhere. See summary_parts.h.
 *
 * Ordered decision diagrams over the bits that branches ask for, in the order in which they were
 * met: where ways that have parted meet again, the condition is what it was before. Recursion is as
 * deep as there are bits.
 */
#include "synth/summary_parts.h"

static vt_way node(struct vt_ways *w, uint32_t bit, vt_way high, vt_way low)
{
    if (high == low) {
        return high;
    }
    for (uint32_t i = 2; i < w->n; i++) {
        const struct vt_way_node *n = &w->nodes[i];
        if (n->bit == bit && n->high == high && n->low == low) {
            return i;
        }
    }
    if (w->n == VT_WAYS_MAX) {
        w->broken = true;
        return VT_WAY_NEVER;
    }
    w->nodes[w->n] = (struct vt_way_node){.bit = bit, .high = high, .low = low};
    return w->n++;
}

void vt_ways_init(struct vt_ways *w, struct vt_terms *terms)
{
    w->terms = terms;
    w->broken = false;
    w->n_bits = 0;
    w->n = 2;
    w->nodes[VT_WAY_NEVER] = (struct vt_way_node){.bit = UINT32_MAX};
    w->nodes[VT_WAY_ALWAYS] = (struct vt_way_node){.bit = UINT32_MAX};
}

vt_way vt_way_of(struct vt_ways *w, vt_term bit)
{
    uint64_t value;
    if (vt_term_is_const(w->terms, bit, &value)) {
        return value != 0 ? VT_WAY_ALWAYS : VT_WAY_NEVER;
    }
    vt_term opposite = vt_term_1(w->terms, VT_PIXEL_NOT, bit);
    for (uint32_t i = 0; i < w->n_bits; i++) {
        if (w->bits[i] == bit) {
            return node(w, i, VT_WAY_ALWAYS, VT_WAY_NEVER);
        }
        if (w->bits[i] == opposite) {
            return node(w, i, VT_WAY_NEVER, VT_WAY_ALWAYS);
        }
    }
    if (w->n_bits == VT_WAY_BITS_MAX) {
        w->broken = true;
        return VT_WAY_NEVER;
    }
    w->bits[w->n_bits++] = bit;
    return node(w, w->n_bits - 1, VT_WAY_ALWAYS, VT_WAY_NEVER);
}

static vt_way part(const struct vt_ways *w, vt_way a, uint32_t bit, bool high)
{
    const struct vt_way_node *n = &w->nodes[a];
    return n->bit != bit ? a : high ? n->high : n->low;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

vt_way vt_way_if(struct vt_ways *w, vt_way i, vt_way then, vt_way otherwise)
{
    if (i <= VT_WAY_ALWAYS || then == otherwise || w->broken) {
        return i == VT_WAY_NEVER ? otherwise : then;
    }
    if (then == VT_WAY_ALWAYS && otherwise == VT_WAY_NEVER) {
        return i;
    }
    uint32_t bit = smaller(w->nodes[i].bit, smaller(w->nodes[then].bit, w->nodes[otherwise].bit));
    vt_way high = vt_way_if(w, part(w, i, bit, true), part(w, then, bit, true),
                            part(w, otherwise, bit, true));
    vt_way low = vt_way_if(w, part(w, i, bit, false), part(w, then, bit, false),
                           part(w, otherwise, bit, false));
    return node(w, bit, high, low);
}

vt_way vt_way_given(struct vt_ways *w, vt_way a, vt_way given)
{
    if (a <= VT_WAY_ALWAYS || given <= VT_WAY_ALWAYS || w->broken) {
        return a;
    }
    const struct vt_way_node g = w->nodes[given], n = w->nodes[a];
    if (g.bit < n.bit) {
        return vt_way_given(w, a, vt_way_or(w, g.high, g.low));
    }
    vt_way high = part(w, given, n.bit, true), low = part(w, given, n.bit, false);
    if (high == VT_WAY_NEVER) {
        return vt_way_given(w, n.low, low);
    }
    if (low == VT_WAY_NEVER) {
        return vt_way_given(w, n.high, high);
    }
    vt_way then = vt_way_given(w, n.high, high);
    return node(w, n.bit, then, vt_way_given(w, n.low, low));
}

vt_term vt_way_term(struct vt_ways *w, vt_way a)
{
    if (a <= VT_WAY_ALWAYS || w->broken) {
        return vt_term_const(w->terms, 1, a == VT_WAY_ALWAYS);
    }
    struct vt_way_node *n = &w->nodes[a];
    if (n->term == 0) {
        vt_term bit = w->bits[n->bit];
        n->term = vt_term_select(w->terms, bit, vt_way_term(w, n->high), vt_way_term(w, n->low));
    }
    return n->term;
}
