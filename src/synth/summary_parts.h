/* synth/summary_parts.h - what the files of summaries of code share. See summary.h.
 *
 *   summary_flow.c    instructions, basic blocks, natural loops
 *   summary_ways.c    conditions under which control gets somewhere
 *   summary_memory.c  cells, and the list of all other accesses
 *   summary.c         execution: merging where ways meet, inner loops inside out
 *   summary_order.c   loads that decide whether it goes on, before stores
 *   summary_prune.c   what of inner loops is wanted; flags that are read
 */
#ifndef VT_SYNTH_SUMMARY_PARTS_H
#define VT_SYNTH_SUMMARY_PARTS_H

#include "synth/summary.h"

/* ---------------------------------------------------------------- flow */

#define VT_FLOW_NODES_MAX 256u
#define VT_FLOW_INSNS_MAX 2048u
#define VT_FLOW_LEAVES (-1)

struct vt_flow_insn {
    int64_t at; /**< from the head */
    const uint8_t *code;
    uint8_t bytes, room; /**< its own, and what of the block there is from here on (up to 15) */
    uint8_t way;         /**< enum vt_lift_way */
    bool call;           /**< a JUMP that comes back */
    int64_t target;
};
/** A basic block, as often as the function it is in is called. Node 0 is the head. */
struct vt_flow_node {
    uint32_t first, n; /**< instructions */
    int32_t next;      /**< node, or LEAVES; without meaning behind a jump */
    int32_t target;    /**< the same, behind a jump, a conditional one and a return */
    int64_t back;      /**< a return's: that it leads there is a condition; from the head */
    int32_t loop;      /**< the innermost inner loop it is in, or -1 */
    uint32_t order;    /**< place in topological order, inner loops' ways back left out */
    bool reached;
};
struct vt_flow_loop {
    uint32_t head;
    int32_t parent;
    uint32_t size;
    bool has[VT_FLOW_NODES_MAX];
};
struct vt_flow {
    uint32_t n_insns, n_nodes, n_loops, n_order;
    struct vt_flow_insn insns[VT_FLOW_INSNS_MAX];
    struct vt_flow_node nodes[VT_FLOW_NODES_MAX];
    uint32_t by_order[VT_FLOW_NODES_MAX];
    struct vt_flow_loop loops[VT_PIXEL_LOOPS_MAX];
};
/** VT_E_UNSUPPORTED: recursion, indirect jumps, ways into loops beside their heads. */
int vt_flow_find(const struct vt_synth_loop *loop, struct vt_flow *f, struct vt_error *err);

/* ---------------------------------------------------------------- ways */

/** A condition in branches' bits, as a decision diagram: equal conditions are equal numbers. */
typedef uint32_t vt_way;
#define VT_WAY_NEVER 0u
#define VT_WAY_ALWAYS 1u
#define VT_WAYS_MAX 8192u
#define VT_WAY_BITS_MAX 512u

struct vt_ways {
    struct vt_terms *terms;
    bool broken; /**< more than there is room for; ways are of no use then */
    uint32_t n, n_bits;
    vt_term bits[VT_WAY_BITS_MAX];
    struct vt_way_node {
        uint32_t bit;
        vt_way high, low;
        vt_term term;
    } nodes[VT_WAYS_MAX];
};
void vt_ways_init(struct vt_ways *w, struct vt_terms *terms);
vt_way vt_way_of(struct vt_ways *w, vt_term bit);
vt_way vt_way_if(struct vt_ways *w, vt_way i, vt_way then, vt_way otherwise);
static inline vt_way vt_way_not(struct vt_ways *w, vt_way a)
{
    return vt_way_if(w, a, VT_WAY_NEVER, VT_WAY_ALWAYS);
}
static inline vt_way vt_way_and(struct vt_ways *w, vt_way a, vt_way b)
{
    return vt_way_if(w, a, b, VT_WAY_NEVER);
}
static inline vt_way vt_way_or(struct vt_ways *w, vt_way a, vt_way b)
{
    return vt_way_if(w, a, VT_WAY_ALWAYS, b);
}
/** Something simple that is `a` wherever `given` holds. */
vt_way vt_way_given(struct vt_ways *w, vt_way a, vt_way given);
vt_term vt_way_term(struct vt_ways *w, vt_way a);

/* ---------------------------------------------------------------- execution */

/** What changes from instruction to instruction; as an array of terms where that is handier. */
struct vt_running {
    struct vt_lift_state registers;
    vt_term cells[VT_SYNTH_CELLS_MAX];
};
#define VT_RUNNING_TERMS (sizeof(struct vt_running) / sizeof(vt_term))

/** An inner loop, with all that changes in it. */
struct vt_running_loop {
    int32_t parent;
    uint32_t at, n;
    vt_term variable[VT_RUNNING_TERMS + 1], initial[VT_RUNNING_TERMS + 1],
        next[VT_RUNNING_TERMS + 1], result[VT_RUNNING_TERMS + 1];
    vt_term condition, when;
    bool wanted[VT_RUNNING_TERMS + 1];
};

struct vt_execution {
    struct vt_terms *terms;
    struct vt_lifter lifter;
    const struct vt_synth_loop *loop;
    struct vt_flow *flow;
    struct vt_ways *ways;
    struct vt_summary *s;
    struct vt_running_loop *loops; /**< VT_PIXEL_LOOPS_MAX of them; s->n_loops are there */
    struct vt_running *now;        /**< while an instruction is lifted */
    vt_way way;                    /**< to it */
    int64_t at;                    /**< the instruction, from the head */
    int32_t inside;                /**< inner loop, or -1 */
    uint32_t executed;             /**< instructions */
    struct vt_lift_memory memory;
    vt_term even;  /**< cells that must be aligned are: 1 bit */
    vt_term *left; /**< all terms of all states in which the loop is left */
    uint32_t n_left, left_room;
    struct vt_error *err;
};

/** Callbacks of lift.h; `arg` is the execution. */
vt_term vt_execution_load(void *arg, vt_term address, unsigned bytes);
bool vt_execution_store(void *arg, vt_term address, vt_term value);
/** Whether the bytes at `address` are a cell's, and so nothing of a stream. */
bool vt_execution_in_cell(struct vt_execution *x, vt_term address);

/** Moves loads that comes_back needs before stores that are apart from them. */
int vt_execution_order(struct vt_execution *x);
/** Drops variables that nothing wants, hands the others to the summary; flags that are read. */
int vt_execution_finish(struct vt_execution *x);

#endif
