/* pixel/jit_order.c - what carries are besides what vitrine/pixel.h says of them, for lanes.
 *
 * Kernels of real code have two more kinds whose iterations can be run at once: a carry to which an
 * input is added, and one that is handed into an inner loop, where each way writes it anew before
 * anything reads it (a register that a loop uses as scratch). The latter is found by following what
 * the carry may reach, where the first trip of a loop is looked at with the constants it has.
 */
#include "pixel/jit_make.h"

#include <stdlib.h>

/* What is known of a value. */
struct fact {
    bool tainted; /* it may depend on the carry */
    bool known;
    uint64_t is;
};

struct flow {
    const struct vt_pixel_program *p;
    struct fact *facts;
    struct fact variables[VT_PIXEL_VARIABLES_MAX];         /* of the loop that is followed */
    bool left[VT_PIXEL_LOOPS_MAX][VT_PIXEL_VARIABLES_MAX]; /* tainted as the loop ends */
    uint32_t carry;
};

uint32_t vt_make_step(const struct vt_pixel_program *p, uint32_t k)
{
    const struct vt_pixel_insn *insns = p->insns, *sum = &insns[p->carries[k].next];
    sum = sum->op == VT_PIXEL_ZEXT ? &insns[sum->a] : sum;
    if (sum->op != VT_PIXEL_ADD) {
        return VT_PIXEL_NONE;
    }
    const uint32_t either[] = {sum->a, sum->b};
    for (unsigned e = 0; e < 2; e++) {
        const struct vt_pixel_insn *carry = &insns[either[e]], *step = &insns[either[1 - e]];
        bool cut = carry->op == VT_PIXEL_EXTRACT && carry->imm == 0;
        carry = cut ? &insns[carry->a] : carry;
        step = step->op == VT_PIXEL_EXTRACT && step->imm == 0 ? &insns[step->a] : step;
        if (carry->op == VT_PIXEL_CARRY && carry->imm == k && step->op == VT_PIXEL_INPUT) {
            return (uint32_t)step->imm;
        }
    }
    return VT_PIXEL_NONE;
}

static bool is_tainted(const struct flow *f, uint32_t v)
{
    return v != VT_PIXEL_NONE && f->facts[v].tainted;
}

static bool is_known(const struct flow *f, uint32_t v)
{
    return v == VT_PIXEL_NONE || f->facts[v].known;
}

static uint64_t known(const struct flow *f, uint32_t v)
{
    return v == VT_PIXEL_NONE ? 0 : f->facts[v].is;
}

static struct fact fact_of(const struct flow *f, const struct vt_pixel_insn *i)
{
    switch (i->op) {
    case VT_PIXEL_CONST:
        return (struct fact){.known = true, .is = i->imm};
    case VT_PIXEL_CARRY:
        return (struct fact){.tainted = i->imm == f->carry};
    case VT_PIXEL_VARIABLE:
        return f->variables[i->imm];
    case VT_PIXEL_RESULT:
        return (struct fact){.tainted = f->left[i->a][i->imm]};
    case VT_PIXEL_SELECT:
        if (f->facts[i->c].known) {
            return f->facts[f->facts[i->c].is != 0 ? i->a : i->b];
        }
        break;
    default:
        break;
    }
    struct fact fact = {.tainted =
                            is_tainted(f, i->a) || is_tainted(f, i->b) || is_tainted(f, i->c)};
    if (i->op >= VT_PIXEL_ADD && i->op <= VT_PIXEL_PASHR && is_known(f, i->a) &&
        is_known(f, i->b) && is_known(f, i->c)) {
        fact.known = true;
        fact.is = vt_pixel_evaluate(i, f->p->insns[i->a].bits, known(f, i->a), known(f, i->b),
                                    known(f, i->c));
    }
    return fact;
}

/* From `at` up to LOOP or END or the end, whose number is returned; NONE: the carry is seen. */
static uint32_t follow(struct flow *f, uint32_t at)
{
    const struct vt_pixel_program *p = f->p;
    for (; at < p->n_insns; at++) {
        const struct vt_pixel_insn *i = &p->insns[at];
        if (i->op == VT_PIXEL_LOOP || i->op == VT_PIXEL_END) {
            break;
        }
        f->facts[at] = fact_of(f, i);
        bool seen = i->op == VT_PIXEL_STORE || i->op == VT_PIXEL_CHECK || i->op == VT_PIXEL_LOAD;
        if (seen && f->facts[at].tainted) {
            return VT_PIXEL_NONE;
        }
    }
    return at;
}

/* Returns its END; NONE: the carry is seen, or there is a loop in it, which is not followed. */
static uint32_t follow_loop(struct flow *f, uint32_t begin)
{
    const struct vt_pixel_program *p = f->p;
    uint32_t which = (uint32_t)p->insns[begin].imm, end = VT_PIXEL_NONE;
    const struct vt_pixel_loop *l = &p->loops[which];
    for (uint32_t v = 0; v < l->n; v++) {
        f->variables[v] = f->facts[l->initial[v]];
    }
    for (bool first = true, changed = true; changed; first = false) {
        end = follow(f, begin + 1);
        if (end == VT_PIXEL_NONE || p->insns[end].op != VT_PIXEL_END ||
            f->facts[l->condition].tainted) {
            return VT_PIXEL_NONE;
        }
        changed = first;
        for (uint32_t v = 0; v < l->n; v++) {
            bool next = f->facts[l->next[v]].tainted;
            changed = changed || (next && !f->left[which][v]);
            f->left[which][v] = f->left[which][v] || next;
            f->variables[v] = (struct fact){.tainted = f->left[which][v]};
        }
    }
    return end;
}

/* 1, 0, or -1: no memory. */
static int is_scratch(const struct vt_pixel_program *p, uint32_t k)
{
    struct flow *f = calloc(1, sizeof *f);
    struct fact *facts = calloc(p->n_insns, sizeof *facts);
    if (f == NULL || facts == NULL) {
        free(f);
        free(facts);
        return -1;
    }
    *f = (struct flow){.p = p, .facts = facts, .carry = k};
    uint32_t at = 0;
    while (at < p->n_insns) {
        at = follow(f, at);
        if (at < p->n_insns) { /* LOOP: END is behind where it is followed */
            at = follow_loop(f, at);
            at = at == VT_PIXEL_NONE ? at : at + 1;
        }
    }
    bool scratch = at != VT_PIXEL_NONE;
    for (uint32_t c = 0; scratch && c < p->n_carries; c++) {
        scratch = !facts[p->carries[c].next].tainted;
    }
    free(facts);
    free(f);
    return scratch;
}

int vt_make_carry_kind(const struct vt_pixel_program *p, uint32_t k)
{
    int kind = p->carries[k].kind;
    if (kind != VT_PIXEL_ANY) {
        return kind;
    }
    if (vt_make_step(p, k) != VT_PIXEL_NONE) {
        return VT_PIXEL_INDUCTION;
    }
    int scratch = is_scratch(p, k);
    return scratch < 0 ? -1 : scratch != 0 ? VT_PIXEL_LAST : VT_PIXEL_ANY;
}
