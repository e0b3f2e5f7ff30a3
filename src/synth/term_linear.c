/* synth/term_linear.c - terms as sums of multiples. See term.h.
 */
#include "synth/term_parts.h"

#define ROOM 64U
#define STEPS 1024U

struct todo {
    vt_term term;
    uint64_t times;
};

/* False: no room. */
static bool take(struct vt_term_sum *sum, vt_term atom, uint64_t times)
{
    unsigned i = 0;
    while (i < sum->n && sum->part[i].atom != atom) {
        i++;
    }
    if (i == sum->n) {
        if (i == sizeof sum->part / sizeof sum->part[0]) {
            return false;
        }
        sum->part[sum->n++].atom = atom;
        sum->part[i].coefficient = 0;
    }
    sum->part[i].coefficient += times;
    if (sum->part[i].coefficient == 0) {
        sum->part[i] = sum->part[--sum->n];
    }
    return true;
}

/* What the term is a sum of, or nothing: an atom. */
static unsigned parts_of(const struct vt_terms *t, struct todo of, struct vt_term_sum *sum,
                         struct todo parts[2])
{
    const struct vt_term_node *n = vt_term_node(t, of.term);
    uint64_t c;
    if (n->kind != VT_TERM_OPERATION) {
        return 0;
    }
    parts[0] = (struct todo){n->a, of.times};
    parts[1] = (struct todo){n->b, of.times};
    switch (n->op) {
    case VT_PIXEL_ADD:
        return 2;
    case VT_PIXEL_SUB:
        parts[1].times = 0 - of.times;
        return 2;
    case VT_PIXEL_NEG:
        parts[0].times = 0 - of.times;
        return 1;
    case VT_PIXEL_NOT:
        parts[0].times = 0 - of.times;
        sum->constant -= of.times;
        return 1;
    case VT_PIXEL_MUL:
        parts[0].times = vt_term_is_const(t, n->b, &c) ? of.times * c : 0;
        return vt_term_is_const(t, n->b, &c) ? 1 : 0;
    case VT_PIXEL_SHL:
        if (!vt_term_is_const(t, n->b, &c) || c >= 64) {
            return 0;
        }
        parts[0].times = of.times << c;
        return 1;
    default:
        return 0;
    }
}

bool vt_term_linear(const struct vt_terms *t, vt_term term, struct vt_term_sum *sum)
{
    struct todo todo[ROOM], parts[2];
    unsigned n = 0;
    struct vt_term_sum s = {0};
    if (term == 0 || vt_term_bits(t, term) != 64) {
        return false;
    }
    todo[n++] = (struct todo){term, 1};
    for (unsigned steps = 0; n != 0; steps++) {
        struct todo one = todo[--n];
        uint64_t c;
        if (vt_term_is_const(t, one.term, &c)) {
            s.constant += one.times * c;
            continue;
        }
        unsigned more = parts_of(t, one, &s, parts);
        if (steps == STEPS || n + more > ROOM || (more == 0 && !take(&s, one.term, one.times))) {
            return false;
        }
        for (unsigned i = 0; i < more; i++) {
            todo[n++] = parts[i];
        }
    }
    *sum = s;
    return true;
}
