/* trace/classify.c - what kind of work blocks and loops do, by the instructions they executed.
 *
 * Shares of instructions decide, in the order below; thresholds are where one kind of work sets the
 * pace. Chasing is seen by a cycle of general registers in which one is loaded from memory at an
 * address that the others make up: order within the loop does not matter for that. Streaming is
 * memory at addresses of which a register goes on by a constant.
 */
#include "trace/learn_parts.h"

#include <stdlib.h>

#define GENERAL 16u
#define STACK_POINTER ((uint16_t)1 << 4)

struct tally {
    uint64_t all, unknown, string, system, floats, branches;
    uint64_t touched[GENERAL]; /* accesses to memory by registers of their addresses */
    uint64_t loaded[GENERAL];  /* loads of 64 bits into each register */
    uint16_t flows[GENERAL], loads[GENERAL]; /* what is made of a register; loaded at it */
    uint16_t steps;
};

static void count(struct tally *t, const struct vt_trace_insn_facts *f, uint64_t times)
{
    t->all += times;
    t->unknown += f->class == VT_INSN_UNKNOWN ? times : 0;
    t->string += f->class == VT_INSN_STRING ? times : 0;
    t->system += f->class == VT_INSN_SYSTEM ? times : 0;
    t->floats += f->class == VT_INSN_FLOAT ? times : 0;
    t->branches += f->flow > VT_FLOW_NEXT ? times : 0;
    uint16_t writes = f->writes & (uint16_t)~STACK_POINTER;
    uint16_t reads = f->reads & (uint16_t)~STACK_POINTER;
    uint16_t address = f->address & (uint16_t)~STACK_POINTER;
    t->steps |= f->steps ? writes : 0;
    for (unsigned r = 0; r < GENERAL; r++) {
        uint16_t bit = (uint16_t)(1u << r);
        if ((address & bit) != 0) {
            t->touched[r] += times;
            t->loads[r] |= f->loads_pointer ? writes : 0;
        }
        if ((reads & bit) != 0 && !f->load) {
            t->flows[r] |= writes;
        }
        if (f->loads_pointer && (writes & bit) != 0) {
            t->loaded[r] += times;
        }
    }
}

static void merge(struct tally *into, const struct tally *t)
{
    into->all += t->all;
    into->unknown += t->unknown;
    into->string += t->string;
    into->system += t->system;
    into->floats += t->floats;
    into->branches += t->branches;
    into->steps |= t->steps;
    for (unsigned r = 0; r < GENERAL; r++) {
        into->touched[r] += t->touched[r];
        into->loaded[r] += t->loaded[r];
        into->flows[r] |= t->flows[r];
        into->loads[r] |= t->loads[r];
    }
}

/* Loads whose address comes from what they load. */
static uint64_t chased(const struct tally *t)
{
    uint16_t reach[GENERAL];
    for (unsigned r = 0; r < GENERAL; r++) {
        reach[r] = t->flows[r] | t->loads[r];
    }
    for (unsigned via = 0; via < GENERAL; via++) {
        for (unsigned r = 0; r < GENERAL; r++) {
            reach[r] |= (reach[r] >> via & 1) != 0 ? reach[via] : 0;
        }
    }
    uint64_t most = 0;
    for (unsigned r = 0; r < GENERAL; r++) {
        for (unsigned to = 0; to < GENERAL; to++) {
            bool cycle = (t->loads[r] >> to & 1) != 0 && (to == r || (reach[to] >> r & 1) != 0);
            most = cycle && t->loaded[to] > most ? t->loaded[to] : most;
        }
    }
    return most;
}

static uint64_t streamed(const struct tally *t)
{
    uint64_t sum = 0;
    for (unsigned r = 0; r < GENERAL; r++) {
        sum += (t->steps >> r & 1) != 0 ? t->touched[r] : 0;
    }
    return sum;
}

static enum vt_trace_work work_of(const struct tally *t, bool loop)
{
    if (t->unknown * 2 > t->all || t->all == 0) {
        return VT_WORK_UNKNOWN;
    }
    if (t->string * 10 >= t->all) {
        return VT_WORK_STRING;
    }
    if (t->system * 10 >= t->all) {
        return VT_WORK_SYSTEM;
    }
    if (loop && chased(t) * 12 >= t->all) {
        return VT_WORK_CHASING;
    }
    if (t->floats * 5 >= t->all) {
        return VT_WORK_FLOAT;
    }
    if (loop && streamed(t) * 6 >= t->all) {
        return VT_WORK_STREAMING;
    }
    /* A loop's own branch is one of two instructions at least. */
    return t->branches * 5 >= t->all * 2 && t->branches * 2 != t->all ? VT_WORK_CONTROL
                                                                      : VT_WORK_ALU;
}

int vt_learn_classify(struct vt_trace_graph *g, struct vt_error *err)
{
    struct tally *tallies = calloc(g->n_loops + 1u, sizeof *tallies);
    if (tallies == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory to classify %u loops", g->n_loops);
    }
    for (uint32_t b = 0; b < g->n_blocks; b++) {
        struct vt_trace_basic_block *block = &g->blocks[b];
        struct tally t = {0};
        for (uint32_t i = 0; i < block->n; i++) {
            const struct vt_learn_node *node = &g->nodes[g->members[block->first_member + i]];
            struct vt_trace_insn_facts facts;
            vt_learn_facts(g, node, &facts);
            count(&t, &facts, node->count);
        }
        block->work = work_of(&t, false);
        if (block->loop != VT_TRACE_NONE) {
            merge(&tallies[block->loop], &t);
        }
    }
    /* Hottest first, and of two alike the outer one: a loop stands before those in it. */
    for (uint32_t i = g->n_loops; i-- > 0;) {
        g->loops[i].work = work_of(&tallies[i], true);
        if (g->loops[i].parent != VT_TRACE_NONE) {
            merge(&tallies[g->loops[i].parent], &tallies[i]);
        }
    }
    free(tallies);
    return 0;
}

const char *vt_trace_work_name(enum vt_trace_work work)
{
    static const char *const names[] = {
        [VT_WORK_UNKNOWN] = "unknown",      [VT_WORK_ALU] = "simple ALU",
        [VT_WORK_STREAMING] = "streaming",  [VT_WORK_CHASING] = "pointer chasing",
        [VT_WORK_FLOAT] = "floating point", [VT_WORK_STRING] = "string",
        [VT_WORK_CONTROL] = "control",      [VT_WORK_SYSTEM] = "system"};
    return (unsigned)work < sizeof names / sizeof names[0] ? names[work] : "?";
}
