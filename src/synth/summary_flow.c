/* synth/summary_flow.c - instructions, basic blocks, natural loops. See summary_parts.h.
 *
 * Everything is found in the bytes; the loop's own blocks only say which bytes there are. A way
 * that leads out of them leaves the loop; one that leads to the head comes back, and is no edge
 * here. A function that is called and whose bytes are there is part of the loop, once for each way
 * it is called. Dominators are found as Cooper, Harvey and Kennedy do it.
 */
#include "synth/summary_parts.h"

#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- instructions */

static int classify(const struct vt_synth_loop *loop, const ZydisDecodedInstruction *insn,
                    struct vt_flow_insn *i, struct vt_error *err)
{
    switch (insn->meta.category) {
    case ZYDIS_CATEGORY_COND_BR:
        i->way = VT_LIFT_CONDITIONAL;
        break;
    case ZYDIS_CATEGORY_UNCOND_BR:
        i->way = VT_LIFT_JUMP;
        break;
    case ZYDIS_CATEGORY_CALL:
        i->way = VT_LIFT_JUMP;
        i->call = true;
        break;
    case ZYDIS_CATEGORY_RET:
        i->way = VT_LIFT_RETURN;
        return 0;
    case ZYDIS_CATEGORY_SYSCALL:
    case ZYDIS_CATEGORY_SYSRET:
    case ZYDIS_CATEGORY_INTERRUPT:
        return vt_refuse_insn(err, loop, i->at, "an instruction that leads elsewhere");
    default:
        i->way = VT_LIFT_NEXT;
        return 0;
    }
    if (!insn->raw.imm[0].is_relative) {
        return vt_refuse_insn(err, loop, i->at,
                              i->call ? "a call whose target is computed" : "an indirect jump");
    }
    i->target = i->at + i->bytes + insn->raw.imm[0].value.s;
    return 0;
}

static int decode(const struct vt_synth_loop *loop, struct vt_flow *f, struct vt_error *err)
{
    ZydisDecoder decoder;
    ZydisDecodedInstruction insn;
    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    f->n_insns = 0;
    for (uint32_t b = 0; b < loop->n_blocks; b++) {
        const struct vt_synth_block *block = &loop->blocks[b];
        for (uint32_t at = 0; at < block->n;) {
            if (f->n_insns == VT_FLOW_INSNS_MAX) {
                return vt_fail(err, VT_E_UNSUPPORTED, "more than %u instructions",
                               VT_FLOW_INSNS_MAX);
            }
            struct vt_flow_insn *i = &f->insns[f->n_insns];
            uint32_t room = block->n - at;
            *i = (struct vt_flow_insn){.at = block->at + at,
                                       .code = loop->bytes + block->first + at,
                                       .room = (uint8_t)(room < 15 ? room : 15)};
            if (!ZYAN_SUCCESS(
                    ZydisDecoderDecodeInstruction(&decoder, NULL, i->code, i->room, &insn))) {
                return vt_refuse_insn(err, loop, i->at, "no instruction");
            }
            i->bytes = insn.length;
            int rc = classify(loop, &insn, i, err);
            if (rc < 0) {
                return rc;
            }
            at += insn.length;
            f->n_insns++;
        }
    }
    return 0;
}

/* The instruction at `at`, or -1. */
static int32_t insn_at(const struct vt_flow *f, int64_t at)
{
    uint32_t low = 0, high = f->n_insns;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (f->insns[middle].at < at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < f->n_insns && f->insns[low].at == at ? (int32_t)low : -1;
}

/* Where a jump's target is, or -1. */
static int32_t leads_to(const struct vt_flow *f, const struct vt_flow_insn *i)
{
    bool jumps = i->way == VT_LIFT_JUMP || i->way == VT_LIFT_CONDITIONAL;
    return jumps ? insn_at(f, i->target) : -1;
}

/* ---------------------------------------------------------------- basic blocks */

/* Instructions are in order, as the blocks are. */
static int find_nodes(const struct vt_synth_loop *loop, struct vt_flow *f, struct vt_error *err)
{
    bool leads[VT_FLOW_INSNS_MAX + 1] = {false};
    int32_t node_of[VT_FLOW_INSNS_MAX];
    int32_t head = insn_at(f, 0);
    if (head < 0) {
        return vt_refuse_insn(err, loop, 0, "no instruction at the head");
    }
    leads[head] = true;
    for (uint32_t i = 0; i < f->n_insns; i++) {
        const struct vt_flow_insn *insn = &f->insns[i];
        int32_t to = leads_to(f, insn);
        if (to >= 0) {
            leads[to] = true;
        }
        /* behind a branch, and behind a gap */
        leads[i + 1] |= insn->way != VT_LIFT_NEXT ||
                        (i + 1 < f->n_insns && f->insns[i + 1].at != insn->at + insn->bytes);
    }
    /* The head's node is number 0, whatever lies before it. */
    f->n_nodes = 1;
    for (uint32_t i = 0; i < f->n_insns; i++) {
        if (!leads[i] && i > 0) {
            node_of[i] = node_of[i - 1];
            f->nodes[node_of[i]].n++;
            continue;
        }
        if (i != (uint32_t)head && f->n_nodes == VT_FLOW_NODES_MAX) {
            return vt_fail(err, VT_E_UNSUPPORTED, "more than %u basic blocks", VT_FLOW_NODES_MAX);
        }
        node_of[i] = i == (uint32_t)head ? 0 : (int32_t)f->n_nodes++;
        f->nodes[node_of[i]] = (struct vt_flow_node){.first = i, .n = 1, .loop = -1};
    }
    for (uint32_t i = 0; i < f->n_nodes; i++) {
        struct vt_flow_node *n = &f->nodes[i];
        const struct vt_flow_insn *last = &f->insns[n->first + n->n - 1];
        int32_t next = insn_at(f, last->at + last->bytes);
        int32_t to = leads_to(f, last);
        n->next = next < 0 ? VT_FLOW_LEAVES : node_of[next];
        n->target = to < 0 ? VT_FLOW_LEAVES : node_of[to];
    }
    return 0;
}

/* ---------------------------------------------------------------- calls */

#define CALLS_MAX 32u /* 0: the loop itself, which nobody calls */

struct calls {
    struct vt_flow *f;
    struct vt_flow_node nodes[VT_FLOW_NODES_MAX]; /* each once */
    uint32_t n;
    struct call {
        uint32_t by, from; /* the call around it; a node of the function that calls */
    } call[CALLS_MAX];
    int32_t copy[CALLS_MAX][VT_FLOW_NODES_MAX];            /* or -1 */
    uint32_t of[VT_FLOW_NODES_MAX], in[VT_FLOW_NODES_MAX]; /* what a copy is: node, call */
};

static bool copy_of(struct calls *c, uint32_t call, int32_t node, int32_t *copy)
{
    if (node < 0) {
        *copy = VT_FLOW_LEAVES;
        return true;
    }
    int32_t *known = &c->copy[call][node];
    if (*known < 0) {
        if (c->f->n_nodes == VT_FLOW_NODES_MAX) {
            return false;
        }
        *known = (int32_t)c->f->n_nodes++;
        c->of[*known] = (uint32_t)node;
        c->in[*known] = call;
    }
    *copy = *known;
    return true;
}

static bool enter(struct calls *c, uint32_t by, uint32_t from, uint32_t *call)
{
    uint32_t k = 1;
    while (k < c->n && (c->call[k].by != by || c->call[k].from != from)) {
        k++;
    }
    if (k == CALLS_MAX) {
        return false;
    }
    if (k == c->n) {
        c->call[c->n++] = (struct call){.by = by, .from = from};
        memset(c->copy[k], -1, sizeof c->copy[k]);
    }
    *call = k;
    return true;
}

/* One copy's ways. False: there are more than there is room for. */
static bool connect(struct calls *c, uint32_t copy)
{
    uint32_t call = c->in[copy], into = call;
    struct vt_flow_node n = c->nodes[c->of[copy]];
    const struct vt_flow_insn *last = &c->f->insns[n.first + n.n - 1];
    bool fits = true;
    if (last->way == VT_LIFT_RETURN && call != 0) {
        const struct vt_flow_node *from = &c->nodes[c->call[call].from];
        const struct vt_flow_insn *site = &c->f->insns[from->first + from->n - 1];
        into = c->call[call].by;
        n.target = from->next;
        n.back = site->at + site->bytes;
    } else if (last->call && n.target >= 0) {
        fits = enter(c, call, c->of[copy], &into);
    }
    if (last->way == VT_LIFT_NEXT || last->way == VT_LIFT_CONDITIONAL) {
        fits = fits && copy_of(c, call, n.next, &n.next);
    }
    fits = fits && (last->way == VT_LIFT_NEXT || copy_of(c, into, n.target, &n.target));
    c->f->nodes[copy] = n;
    return fits;
}

static int find_calls(const struct vt_synth_loop *loop, struct vt_flow *f, struct vt_error *err)
{
    bool calls = false;
    for (uint32_t i = 0; i < f->n_insns; i++) {
        calls = calls || f->insns[i].call;
    }
    struct calls *c = calls ? malloc(sizeof *c) : NULL;
    if (c == NULL) {
        return calls ? vt_fail(err, VT_E_NOMEM, "a loop's calls") : 0;
    }
    int32_t head;
    c->f = f;
    c->n = 1;
    memcpy(c->nodes, f->nodes, sizeof c->nodes);
    memset(c->copy[0], -1, sizeof c->copy[0]);
    f->n_nodes = 0;
    bool fits = copy_of(c, 0, 0, &head);
    for (uint32_t i = 0; i < f->n_nodes && fits; i++) {
        /* the head, in a call of the loop's own function, is another's */
        fits = (c->of[i] != 0 || c->in[i] == 0) && connect(c, i);
    }
    free(c);
    return fits ? 0 : vt_refuse_insn(err, loop, 0, "calls of itself, or too many or too long ones");
}

/* ---------------------------------------------------------------- order */

/* Where control goes behind a node, without leaving and without the head. */
static unsigned successors(const struct vt_flow *f, uint32_t node, uint32_t to[2])
{
    const struct vt_flow_node *n = &f->nodes[node];
    uint8_t way = f->insns[n->first + n->n - 1].way;
    unsigned count = 0;
    if ((way == VT_LIFT_NEXT || way == VT_LIFT_CONDITIONAL) && n->next > 0) {
        to[count++] = (uint32_t)n->next;
    }
    if (way != VT_LIFT_NEXT && n->target > 0) {
        to[count++] = (uint32_t)n->target;
    }
    return count;
}

/* Depth first; `order` is reverse postorder. */
static void find_order(struct vt_flow *f)
{
    uint32_t stack[VT_FLOW_NODES_MAX], to[2], n = 0, left = f->n_nodes;
    uint8_t done[VT_FLOW_NODES_MAX] = {0};
    stack[n++] = 0;
    f->nodes[0].reached = true;
    while (n > 0) {
        uint32_t node = stack[n - 1];
        unsigned count = successors(f, node, to);
        if (done[node] < count) {
            uint32_t next = to[done[node]++];
            if (!f->nodes[next].reached) {
                f->nodes[next].reached = true;
                stack[n++] = next;
            }
            continue;
        }
        f->nodes[node].order = --left;
        f->by_order[left] = node;
        n--;
    }
    /* what was not reached is left out */
    f->n_order = f->n_nodes - left;
    memmove(f->by_order, f->by_order + left, f->n_order * sizeof *f->by_order);
    for (uint32_t i = 0; i < f->n_order; i++) {
        f->nodes[f->by_order[i]].order = i;
    }
}

/* ---------------------------------------------------------------- loops */

static uint32_t common(const struct vt_flow *f, const uint32_t *dominator, uint32_t a, uint32_t b)
{
    while (a != b) {
        while (f->nodes[a].order > f->nodes[b].order) {
            a = dominator[a];
        }
        while (f->nodes[b].order > f->nodes[a].order) {
            b = dominator[b];
        }
    }
    return a;
}

static void find_dominators(const struct vt_flow *f, uint32_t *dominator)
{
    uint32_t to[2];
    for (uint32_t i = 0; i < f->n_nodes; i++) {
        dominator[i] = UINT32_MAX;
    }
    dominator[0] = 0;
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t i = 0; i < f->n_order; i++) {
            uint32_t from = f->by_order[i];
            unsigned count = dominator[from] == UINT32_MAX ? 0 : successors(f, from, to);
            for (unsigned k = 0; k < count; k++) {
                uint32_t was = dominator[to[k]];
                uint32_t is = was == UINT32_MAX ? from : common(f, dominator, was, from);
                changed |= is != was;
                dominator[to[k]] = is;
            }
        }
    }
}

static bool dominates(const struct vt_flow *f, const uint32_t *dominator, uint32_t a, uint32_t b)
{
    while (f->nodes[b].order > f->nodes[a].order) {
        b = dominator[b];
    }
    return a == b;
}

static struct vt_flow_loop *loop_of_head(struct vt_flow *f, uint32_t head)
{
    for (uint32_t i = 0; i < f->n_loops; i++) {
        if (f->loops[i].head == head) {
            return &f->loops[i];
        }
    }
    if (f->n_loops == VT_PIXEL_LOOPS_MAX) {
        return NULL;
    }
    struct vt_flow_loop *l = &f->loops[f->n_loops++];
    *l = (struct vt_flow_loop){.head = head, .parent = -1, .size = 1};
    l->has[head] = true;
    return l;
}

/* All from which `latch` is reached without passing the head. */
static void add_body(const struct vt_flow *f, struct vt_flow_loop *l, uint32_t latch)
{
    uint32_t to[2];
    l->size += !l->has[latch];
    l->has[latch] = true;
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t i = f->n_order; i-- > 0;) {
            uint32_t node = f->by_order[i];
            unsigned count = l->has[node] ? 0 : successors(f, node, to);
            for (unsigned k = 0; k < count && !l->has[node]; k++) {
                if (l->has[to[k]] && to[k] != l->head) {
                    l->has[node] = true;
                    l->size++;
                    changed = true;
                }
            }
        }
    }
}

static int find_loops(const struct vt_synth_loop *loop, struct vt_flow *f, struct vt_error *err)
{
    uint32_t dominator[VT_FLOW_NODES_MAX], to[2];
    find_dominators(f, dominator);
    f->n_loops = 0;
    for (uint32_t i = 0; i < f->n_order; i++) {
        uint32_t from = f->by_order[i];
        unsigned count = successors(f, from, to);
        for (unsigned k = 0; k < count; k++) {
            if (f->nodes[to[k]].order > i) {
                continue;
            }
            int64_t at = f->insns[f->nodes[to[k]].first].at;
            if (!dominates(f, dominator, to[k], from)) {
                return vt_refuse_insn(err, loop, at, "a loop with two heads");
            }
            struct vt_flow_loop *l = loop_of_head(f, to[k]);
            if (l == NULL) {
                return vt_refuse_insn(err, loop, at, "too many inner loops");
            }
            add_body(f, l, from);
        }
    }
    /* The innermost is the smallest. */
    for (uint32_t l = 0; l < f->n_loops; l++) {
        for (uint32_t i = 0; i < f->n_nodes; i++) {
            int32_t *in = &f->nodes[i].loop;
            if (f->loops[l].has[i] && (*in < 0 || f->loops[l].size < f->loops[*in].size)) {
                *in = (int32_t)l;
            }
        }
    }
    for (uint32_t l = 0; l < f->n_loops; l++) {
        struct vt_flow_loop *inner = &f->loops[l];
        for (uint32_t o = 0; o < f->n_loops; o++) {
            const struct vt_flow_loop *outer = &f->loops[o];
            if (o != l && outer->has[inner->head] && outer->size > inner->size &&
                (inner->parent < 0 || outer->size < f->loops[inner->parent].size)) {
                inner->parent = (int32_t)o;
            }
        }
    }
    return 0;
}

int vt_flow_find(const struct vt_synth_loop *loop, struct vt_flow *f, struct vt_error *err)
{
    int rc = decode(loop, f, err);
    if (rc == 0) {
        rc = find_nodes(loop, f, err);
    }
    if (rc == 0) {
        rc = find_calls(loop, f, err);
    }
    if (rc < 0) {
        return rc;
    }
    find_order(f);
    return find_loops(loop, f, err);
}
