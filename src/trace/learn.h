/* trace/learn.h - what vt_trace_graph_learn found: basic blocks, edges, loops, functions, hot
 * paths, sequences of instructions; tables of records with columns for whoever shows them.
 *
 * All tables belong to the graph and are valid until it is learned again or destroyed. Counts are
 * of what the graph was given. An *address space* is the kernel (addresses with bit 63 set,
 * whatever page table is in force) or one page-table root. Basic blocks are what the events tell:
 * maximal runs of instructions that were entered at the first and left after the last, whatever
 * translation blocks they came in; an interrupt or a fault that came back does not end one. Loops
 * are natural loops (a back edge goes to a block that dominates its source) of a graph in which a
 * call goes to the instruction after it; dominators by Cooper, Harvey and Kennedy ("A Simple, Fast
 * Dominance Algorithm"), bodies from the inside out as Havlak does. One thread a graph.
 */
#ifndef VT_TRACE_LEARN_H
#define VT_TRACE_LEARN_H

#include "vitrine/trace.h"

/** Caps; what is beyond is counted in `ignored` and `truncated`, and the rest stays right. */
struct vt_trace_graph_limits {
    uint32_t blocks;       /**< translation blocks, a block in two address spaces counts twice */
    uint32_t instructions; /**< different ones */
    uint32_t edges;
    uint32_t sequences; /**< different ones that are counted */
};
/** 0 in a member: as it was. Before the first event. */
void vt_trace_graph_limit(struct vt_trace_graph *g, const struct vt_trace_graph_limits *limits);
void vt_trace_graph_destroy(struct vt_trace_graph *g);

struct vt_trace_graph_stats {
    uint64_t events;       /**< blocks that began */
    uint64_t instructions; /**< completed */
    uint64_t ignored;      /**< events beyond the caps */
    uint64_t joined;       /**< came back to where an interrupt, fault or system call had left */
    uint64_t unexplained;  /**< transitions that the instruction before cannot have made */
    uint64_t irreducible;  /**< edges back to a block that does not dominate: loops not shown */
    bool truncated;        /**< instructions or edges did not all fit */
};
const struct vt_trace_graph_stats *vt_trace_graph_stats(const struct vt_trace_graph *g);

struct vt_trace_space {
    bool kernel;
    uint64_t root; /**< of user space; ~0: the kernel, or not known */
};

/** What a block or a loop does most. */
enum vt_trace_work {
    VT_WORK_UNKNOWN, /**< not decoded */
    VT_WORK_ALU,
    VT_WORK_STREAMING, /**< memory at addresses that go on by steps */
    VT_WORK_CHASING,   /**< the next address is loaded from memory */
    VT_WORK_FLOAT,
    VT_WORK_STRING,
    VT_WORK_CONTROL,
    VT_WORK_SYSTEM,
};
const char *vt_trace_work_name(enum vt_trace_work work);

/** Indices into the other tables; this stands for none. */
#define VT_TRACE_NONE UINT32_MAX

struct vt_trace_basic_block {
    uint32_t space;
    uint64_t pc;
    uint32_t bytes, n;     /**< instructions */
    uint64_t count;        /**< executions */
    uint64_t instructions; /**< completed in it */
    uint32_t loop;         /**< innermost, or VT_TRACE_NONE */
    uint32_t function;
    enum vt_trace_work work;
    bool entry;            /**< a call, an interrupt or a system call begins here */
    uint32_t first_member; /**< vt_trace_graph_instruction's first index */
};

enum vt_trace_edge_kind {
    VT_EDGE_NEXT,
    VT_EDGE_JUMP,
    VT_EDGE_CALL,
    VT_EDGE_RETURN,
    VT_EDGE_OVER, /**< from a call to where it came back; made of the returns, so counted there too
                   */
};
const char *vt_trace_edge_kind_name(enum vt_trace_edge_kind kind);
struct vt_trace_edge {
    uint32_t from, to;
    enum vt_trace_edge_kind kind;
    uint64_t count;
};

struct vt_trace_loop {
    uint32_t header; /**< block */
    uint32_t parent; /**< the loop around it, or VT_TRACE_NONE */
    uint32_t depth;  /**< 1: outermost */
    uint32_t n_blocks;
    uint64_t first, last;  /**< addresses: of the lowest instruction, past the highest */
    uint64_t entries;      /**< from outside; 0: it ran already when recording began */
    uint64_t iterations;   /**< executions of its header */
    double trips;          /**< iterations an entry; not a number without entries */
    uint64_t instructions; /**< completed in it, with inner loops, without functions it calls */
    uint64_t exclusive;    /**< without inner loops */
    enum vt_trace_work work;
};

struct vt_trace_function { /**< blocks that are reached through one entry alone */
    uint32_t entry;        /**< block */
    uint32_t n_blocks;
    uint64_t calls;
    uint64_t instructions;
};

struct vt_trace_path {     /**< blocks that mostly follow one another, calls and returns included */
    uint32_t first, n;     /**< of vt_trace_graph_path_blocks */
    uint64_t count;        /**< of the rarest step */
    uint64_t instructions; /**< count × instructions of its blocks */
    bool closed;           /**< it goes back to its beginning */
};

#define VT_TRACE_SEQUENCE_MAX 8u
struct vt_trace_sequence {
    uint32_t n;
    uint32_t tokens[VT_TRACE_SEQUENCE_MAX];
    uint64_t count;        /**< times it was executed; runs across one fall-through, not two */
    uint64_t instructions; /**< count × n; those of sequences overlap */
    char text[192];        /**< "mov r,m; add r,i; jnz i" */
};

const struct vt_trace_space *vt_trace_graph_spaces(const struct vt_trace_graph *g, uint32_t *n);
const struct vt_trace_basic_block *vt_trace_graph_blocks(const struct vt_trace_graph *g,
                                                         uint32_t *n);
const struct vt_trace_edge *vt_trace_graph_edges(const struct vt_trace_graph *g, uint32_t *n);
/** The edges out of a block. */
const struct vt_trace_edge *vt_trace_graph_out(const struct vt_trace_graph *g, uint32_t block,
                                               uint32_t *n);
/** These five by instructions, most first. */
const struct vt_trace_loop *vt_trace_graph_loops(const struct vt_trace_graph *g, uint32_t *n);
const struct vt_trace_function *vt_trace_graph_functions(const struct vt_trace_graph *g,
                                                         uint32_t *n);
const struct vt_trace_path *vt_trace_graph_paths(const struct vt_trace_graph *g, uint32_t *n);
const uint32_t *vt_trace_graph_path_blocks(const struct vt_trace_graph *g,
                                           const struct vt_trace_path *path);
const struct vt_trace_sequence *vt_trace_graph_sequences(const struct vt_trace_graph *g,
                                                         uint32_t *n);
/** Instruction i of a block, as vt_trace_decode takes it: a block of one instruction. */
void vt_trace_graph_instruction(const struct vt_trace_graph *g, uint32_t block, uint32_t i,
                                struct vt_trace_block *one);

#endif
