/* trace/learn_parts.h - what the files of learning share: tables that grow up to a cap, an index of
 * pairs of numbers, and the graph itself.
 *
 *   graph.c      events -> instances of blocks, and transitions between them, with counts
 *   blocks.c     instances -> instructions -> basic blocks and the edges between them
 *   loops.c      edges -> dominators, natural loops, functions
 *   paths.c      edges -> hot paths
 *   sequences.c  basic blocks -> n-grams of instructions
 *   classify.c   what kind of work blocks and loops do
 *   insn.c       bytes of one instruction -> what the others ask of it
 */
#ifndef VT_TRACE_LEARN_PARTS_H
#define VT_TRACE_LEARN_PARTS_H

#include "trace/insn.h"
#include "trace/learn.h"

#define VT_LEARN_NONE UINT32_MAX

/* ---- tables */

/** Room for one more element of `bytes` in *array. VT_E_NOMEM. */
int vt_learn_room(void **array, uint32_t n, uint32_t *capacity, size_t bytes, struct vt_error *err);

/** (a, b) -> value, open addressing; never shrinks. */
struct vt_learn_index {
    struct vt_learn_slot *slots;
    uint32_t n, mask; /* slots - 1; 0: none yet */
};
struct vt_learn_slot {
    uint64_t a, b;
    uint32_t value; /* VT_LEARN_NONE: free */
};
uint32_t vt_learn_index_find(const struct vt_learn_index *index, uint64_t a, uint64_t b);
/** The pair must not be in it, and value not VT_LEARN_NONE. */
int vt_learn_index_put(struct vt_learn_index *index, uint64_t a, uint64_t b, uint32_t value,
                       struct vt_error *err);
void vt_learn_index_fini(struct vt_learn_index *index);

/* ---- what events left */

/** A translation block's content, once however many address spaces run it. */
struct vt_learn_code {
    uint32_t id;
    uint16_t n, code_bytes;
    bool returns;          /* ends in a return from an exception */
    uint64_t pc, physical; /* ~0: unknown */
    struct vt_trace_insn_decoder decoder;
    enum vt_trace_machine machine;
    uint8_t *sizes; /* n, then code_bytes of code: one allocation */
    const uint8_t *code;
};

/** A block in an address space: a cache line, as most events touch nothing else. */
struct vt_learn_instance {
    uint32_t space, code, id;
    uint32_t shorts; /* the first of its struct vt_learn_short, or VT_LEARN_NONE */
    uint32_t place;  /* blocks.c: the layer of its space it lies in, or VT_LEARN_NONE */
    uint16_t n;      /* instructions, as its code has */
    bool returns;    /* as its code does */
    uint64_t count;  /* times it began */
    /* The last two ways out of all of it: most are one of them. `to` VT_LEARN_NONE: free. */
    struct vt_learn_way {
        uint32_t to, id; /* instance, and its block's id */
        uint32_t transition;
        uint32_t count; /* not yet in the transition's */
    } ways[2];
};

/** From `executed` instructions of one instance to the beginning of another. `count` is complete
 * once learning began. */
struct vt_learn_transition {
    uint32_t from, to;
    uint16_t executed;
    uint64_t count;
};

/** Times an instance came no further than `executed` instructions. */
struct vt_learn_short {
    uint32_t instance, next; /* of the same instance */
    uint16_t executed;
    uint64_t count;
};

/** Where a vCPU left an address space, or was interrupted, and may come back. */
struct vt_learn_pending {
    uint32_t space, instance; /* instance VT_LEARN_NONE: free */
    uint16_t executed;
    uint64_t pc, after; /* it goes on here; or here, past an instruction that was emulated */
};
#define VT_LEARN_PENDING 32u

struct vt_learn_vcpu {
    uint32_t last; /* instance, or VT_LEARN_NONE: nothing follows from it */
    bool returned; /* it ended in a return from an exception */
    uint64_t root;
    uint32_t root_space; /* of `root`, VT_LEARN_NONE: not looked up */
    unsigned next;       /* pending to use next */
    struct vt_learn_pending pending[VT_LEARN_PENDING];
};

/* ---- what was learned */

/** An instruction of the graph. */
struct vt_learn_node {
    uint64_t pc;
    uint32_t place; /* space << 4 | layer */
    uint32_t code;  /* whose bytes it has, at `offset` */
    uint16_t offset;
    uint8_t size, flow; /* enum vt_insn_flow */
    bool repeats, entry, return_site;
    uint64_t count, target, returned; /* there by returns */
    uint32_t next, previous;          /* the only one, VT_LEARN_NONE: no one, VT_LEARN_MANY */
    uint32_t block;
};
#define VT_LEARN_MANY (UINT32_MAX - 1)

struct vt_learn_link { /* between instructions */
    uint32_t from, to;
    uint8_t kind; /* enum vt_trace_edge_kind */
    uint64_t count;
};

struct vt_trace_graph {
    enum vt_trace_arch arch;
    struct vt_trace_graph_limits limits;
    struct vt_trace_graph_stats stats;

    struct vt_trace_space *spaces;
    uint32_t n_spaces, spaces_room, kernel_space;
    struct vt_learn_code *codes;
    uint32_t n_codes, codes_room;
    uint64_t code_bytes; /* that they own */
    struct vt_learn_instance *instances;
    uint32_t n_instances, instances_room;
    struct vt_learn_transition *transitions;
    uint32_t n_transitions, transitions_room;
    struct vt_learn_short *shorts;
    uint32_t n_shorts, shorts_room;
    struct vt_learn_index by_root, by_id, by_instance, by_transition, by_short;
    struct vt_learn_vcpu vcpus[64];

    struct vt_learn_node *nodes;
    uint32_t n_nodes, nodes_room;
    struct vt_learn_link *links;
    uint32_t n_links, links_room;
    struct vt_learn_index by_pc, by_link;

    struct vt_trace_basic_block *blocks;
    uint32_t n_blocks, blocks_room;
    uint32_t *members; /* nodes of blocks, each block's together */
    uint32_t n_members, members_room;
    struct vt_trace_edge *edges; /* sorted by `from` */
    uint32_t n_edges, edges_room;
    uint32_t *edges_in;       /* indices of edges, sorted by `to` */
    uint32_t *out_at, *in_at; /* of each block: its first in `edges`, `edges_in`; n_blocks + 1 */
    struct vt_trace_loop *loops;
    uint32_t n_loops, loops_room;
    struct vt_trace_function *functions;
    uint32_t n_functions, functions_room;
    struct vt_trace_path *paths;
    uint32_t n_paths, paths_room;
    uint32_t *path_blocks;
    uint32_t n_path_blocks, path_blocks_room;
    struct vt_trace_sequence *sequences;
    uint32_t n_sequences, sequences_room;
};

/** Instruction facts of a node. */
void vt_learn_facts(const struct vt_trace_graph *g, const struct vt_learn_node *node,
                    struct vt_trace_insn_facts *facts);

int vt_learn_blocks(struct vt_trace_graph *g, struct vt_error *err);
int vt_learn_loops(struct vt_trace_graph *g, struct vt_error *err);
int vt_learn_paths(struct vt_trace_graph *g, struct vt_error *err);
int vt_learn_sequences(struct vt_trace_graph *g, struct vt_error *err);
int vt_learn_classify(struct vt_trace_graph *g, struct vt_error *err);
/** Frees what learning made; what events left stays. */
void vt_learn_forget(struct vt_trace_graph *g);

#endif
