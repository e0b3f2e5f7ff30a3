/* pixel/kinds.c - finds out what each carry is. See vitrine/pixel.h, enum vt_pixel_carry_kind.
 *
 * An induction is followed backwards, from next through additions of constants to the carry. A
 * reduction is followed forwards, from the carry through operations of one kind to next, where
 * nothing else reads what is on the way; so nothing else depends on the carry.
 */
#include "pixel/shape.h"

#include <stdlib.h>

/** Who reads a value. */
struct reads {
    uint32_t n;
    uint32_t by; /* the last operation that does; NONE: a loop or a carry */
};

static void read_by(struct reads *reads, uint32_t value, uint32_t by)
{
    if (value != VT_PIXEL_NONE) {
        reads[value].n++;
        reads[value].by = by;
    }
}

static void find_reads(const struct vt_pixel_program *p, struct reads *reads)
{
    for (uint32_t i = 0; i < p->n_insns; i++) {
        const struct vt_pixel_insn *insn = &p->insns[i];
        if (insn->op != VT_PIXEL_RESULT) {
            read_by(reads, insn->a, i);
        }
        read_by(reads, insn->b, i);
        read_by(reads, insn->c, i);
    }
    for (uint32_t i = 0; i < p->n_loops; i++) {
        const struct vt_pixel_loop *l = &p->loops[i];
        for (uint32_t v = 0; v < l->n; v++) {
            read_by(reads, l->initial[v], VT_PIXEL_NONE);
            read_by(reads, l->next[v], VT_PIXEL_NONE);
        }
        read_by(reads, l->condition, VT_PIXEL_NONE);
    }
    for (uint32_t i = 0; i < p->n_carries; i++) {
        read_by(reads, p->carries[i].next, VT_PIXEL_NONE);
    }
}

/** Is it the carry, or its low `bits` bits? */
static bool is_carry(const struct vt_pixel_program *p, uint32_t value, uint32_t carry,
                     unsigned bits)
{
    const struct vt_pixel_insn *insn = &p->insns[value];
    if (bits < p->carries[carry].bits) {
        if (insn->op != VT_PIXEL_EXTRACT || insn->imm != 0) {
            return false;
        }
        insn = &p->insns[insn->a];
    }
    return insn->op == VT_PIXEL_CARRY && insn->imm == carry;
}

static bool is_induction(const struct vt_pixel_program *p, uint32_t carry, uint8_t *narrow,
                         uint64_t *step)
{
    uint32_t value = p->carries[carry].next;
    uint64_t sum = 0;
    if (p->insns[value].op == VT_PIXEL_ZEXT) {
        value = p->insns[value].a;
    }
    unsigned bits = p->insns[value].bits;
    while (!is_carry(p, value, carry, bits)) {
        const struct vt_pixel_insn *insn = &p->insns[value];
        bool minus = insn->op == VT_PIXEL_SUB;
        if (insn->op != VT_PIXEL_ADD && !minus) {
            return false;
        }
        const struct vt_pixel_insn *a = &p->insns[insn->a], *b = &p->insns[insn->b];
        if (b->op == VT_PIXEL_CONST) {
            sum += minus ? -b->imm : b->imm;
            value = insn->a;
        } else if (a->op == VT_PIXEL_CONST && !minus) {
            sum += a->imm;
            value = insn->b;
        } else {
            return false;
        }
    }
    *narrow = (uint8_t)bits;
    *step = bits == 64 ? sum : sum & ((UINT64_C(1) << bits) - 1);
    return true;
}

/** What `insn` makes of `link` and something else, or ANY. */
static enum vt_pixel_carry_kind simple_kind(const struct vt_pixel_insn *insn, uint32_t link)
{
    switch (insn->op) {
    case VT_PIXEL_ADD:
        return VT_PIXEL_REDUCE_ADD;
    case VT_PIXEL_SUB:
        return insn->a == link ? VT_PIXEL_REDUCE_ADD : VT_PIXEL_ANY;
    case VT_PIXEL_XOR:
        return VT_PIXEL_REDUCE_XOR;
    case VT_PIXEL_AND:
        return VT_PIXEL_REDUCE_AND;
    case VT_PIXEL_OR:
        return VT_PIXEL_REDUCE_OR;
    default:
        return VT_PIXEL_ANY;
    }
}

/** Of a select that is the only other reader of `link` beside its compare. */
static enum vt_pixel_carry_kind select_kind(const struct vt_pixel_program *p,
                                            const struct reads *reads, uint32_t select,
                                            uint32_t link)
{
    const struct vt_pixel_insn *s = &p->insns[select];
    if (s->op != VT_PIXEL_SELECT || reads[s->c].n != 1) {
        return VT_PIXEL_ANY;
    }
    const struct vt_pixel_insn *compare = &p->insns[s->c];
    bool less = compare->op >= VT_PIXEL_ULT && compare->op <= VT_PIXEL_SLE;
    bool straight = compare->a == s->a && compare->b == s->b;
    bool crossed = compare->a == s->b && compare->b == s->a;
    if (!less || (!straight && !crossed) || (s->a == link) == (s->b == link)) {
        return VT_PIXEL_ANY;
    }
    bool is_signed = compare->op == VT_PIXEL_SLT || compare->op == VT_PIXEL_SLE;
    return straight ? (is_signed ? VT_PIXEL_REDUCE_SMIN : VT_PIXEL_REDUCE_UMIN)
                    : (is_signed ? VT_PIXEL_REDUCE_SMAX : VT_PIXEL_REDUCE_UMAX);
}

/** One step of a reduction: who reads `link`, and as what. */
static enum vt_pixel_carry_kind step_kind(const struct vt_pixel_program *p,
                                          const struct reads *reads, uint32_t link)
{
    uint32_t by = reads[link].by;
    return by == VT_PIXEL_NONE  ? VT_PIXEL_ANY
           : reads[link].n == 1 ? simple_kind(&p->insns[by], link)
           : reads[link].n == 2 ? select_kind(p, reads, by, link)
                                : VT_PIXEL_ANY;
}

/** From `link`, the only CARRY of it. ANY: it is no reduction. */
static enum vt_pixel_carry_kind reduction(const struct vt_pixel_program *p,
                                          const struct reads *reads, uint32_t carry, uint32_t link,
                                          uint8_t *narrow)
{
    const struct vt_pixel_carry *c = &p->carries[carry];
    if (reads[link].n == 1 && reads[link].by != VT_PIXEL_NONE) {
        const struct vt_pixel_insn *first = &p->insns[reads[link].by];
        if (first->op == VT_PIXEL_EXTRACT && first->imm == 0) {
            link = reads[link].by;
        }
    }
    *narrow = p->insns[link].bits;
    enum vt_pixel_carry_kind kind = VT_PIXEL_ANY;
    for (;;) {
        enum vt_pixel_carry_kind here = step_kind(p, reads, link);
        if (here == VT_PIXEL_ANY || (kind != VT_PIXEL_ANY && here != kind)) {
            break;
        }
        kind = here;
        link = reads[link].by;
    }
    if (reads[link].n != 1) {
        return VT_PIXEL_ANY;
    }
    if (*narrow < c->bits) {
        uint32_t by = reads[link].by;
        if (by == VT_PIXEL_NONE || p->insns[by].op != VT_PIXEL_ZEXT || reads[by].n != 1) {
            return VT_PIXEL_ANY;
        }
        link = by;
    }
    return link == c->next ? kind : VT_PIXEL_ANY;
}

/** Its only CARRY that is read; NONE: nothing reads it; *more: there are others. */
static uint32_t read_carry(const struct vt_pixel_program *p, const struct reads *reads,
                           uint32_t carry, bool *more)
{
    uint32_t found = VT_PIXEL_NONE;
    *more = false;
    for (uint32_t i = 0; i < p->n_insns; i++) {
        const struct vt_pixel_insn *insn = &p->insns[i];
        if (insn->op == VT_PIXEL_CARRY && insn->imm == carry && reads[i].n > 0) {
            *more = found != VT_PIXEL_NONE;
            found = i;
        }
    }
    return found;
}

static void find_kind(struct vt_pixel_program *p, const struct reads *reads, uint32_t carry)
{
    struct vt_pixel_carry *c = &p->carries[carry];
    enum vt_pixel_carry_kind kind = VT_PIXEL_ANY;
    uint8_t narrow = c->bits;
    bool more;
    c->step = 0;
    if (is_induction(p, carry, &narrow, &c->step)) {
        kind = VT_PIXEL_INDUCTION;
    } else {
        uint32_t link = read_carry(p, reads, carry, &more);
        if (link == VT_PIXEL_NONE) {
            kind = VT_PIXEL_LAST;
        } else if (!more) {
            kind = reduction(p, reads, carry, link, &narrow);
        }
        narrow = kind == VT_PIXEL_ANY ? c->bits : narrow;
    }
    c->kind = (uint8_t)kind;
    c->narrow = narrow;
}

int vt_pixel_find_kinds(struct vt_pixel_program *p, struct vt_error *err)
{
    struct reads *reads = calloc(p->n_insns + 1, sizeof *reads);
    if (reads == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for a program of %u operations", p->n_insns);
    }
    find_reads(p, reads);
    for (uint32_t i = 0; i < p->n_carries; i++) {
        find_kind(p, reads, i);
    }
    free(reads);
    return 0;
}
