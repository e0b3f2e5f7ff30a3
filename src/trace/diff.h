/* trace/diff.h - where two recordings of what should be the same part, and where they meet again.
 *
 * Compared is what completed, instruction by instruction, in lanes: a vCPU of the one against the
 * same vCPU of the other, or all user code of one process. Two instructions are equal when address
 * and bytes are; with `relocate` when page offsets are, and bytes (of the kernel, whose code holds
 * addresses, mnemonics and kinds of operands). After a divergence both are searched, in a window,
 * for the nearest place at which 16 instructions in a row are equal.
 */
#ifndef VT_TRACE_DIFF_H
#define VT_TRACE_DIFF_H

#include "vitrine/trace.h"

#define VT_TRACE_DIFF_WINDOW_MAX 1000000u
#define VT_TRACE_DIFF_CONTEXT_MAX 1000u
/** Of one instruction; more are compared, not shown. */
#define VT_TRACE_DIFF_ACCESSES 4u

enum vt_trace_diff_side { VT_TRACE_DIFF_A, VT_TRACE_DIFF_B };

struct vt_trace_diff_options { /* all zero: everything, as it is */
    bool ignore_interrupts; /**< leave out what runs between an interrupt and the return to where it
                                 came upon; a rep counts once */
    bool user;              /**< user code alone; a rep counts once */
    bool by_root;           /**< user code under these roots, on whatever vCPU: one lane */
    uint64_t roots[2];
    bool relocate; /**< objects may lie elsewhere, by whole pages */
    bool data;     /**< accesses and registers count, too, where both recorded them */
    bool prefix;   /**< one may end before the other */
    bool has_from; /**< a lane begins where `from` is first reached */
    uint64_t from;
    uint32_t context; /**< instructions shown before and after */
    uint32_t window;  /**< instructions of each in which they may meet again; 0: they need not */
    uint64_t most;    /**< divergences, then stop; 0: all */
    const volatile int *stop; /**< may be NULL */
};

/** An instruction that completed. */
struct vt_trace_diff_item {
    uint64_t number; /**< in its lane, from 0 */
    uint64_t pc, root, time_ns;
    uint32_t vcpu, block; /**< vt_trace_block's id, and which of its instructions */
    uint16_t instruction;
    uint16_t n_accesses; /**< in `accesses`, and beyond */
    uint64_t key, data;  /**< hashes of what is compared; data 0: nothing was recorded */
    struct vt_trace_access accesses[VT_TRACE_DIFF_ACCESSES];
};

struct vt_trace_diff_registers {
    bool known;
    uint64_t number, pc; /**< before this instruction of the lane */
    uint32_t n;
    uint64_t values[48];
};

struct vt_trace_divergence {
    uint32_t vcpu; /**< UINT32_MAX: the lane is a process */
    bool data;     /**< the same instruction, with other data */
    bool ended[2]; /**< that recording ends here */
    bool met;      /**< they meet again, after `skipped` instructions of each */
    uint64_t skipped[2];
    uint32_t n_before, n_after[2];
    const struct vt_trace_diff_item *before,
        *after[2]; /**< of A; of each, what differs first, or NULL */
    /** The first equal instruction with other data before this, when it was not told yet. */
    bool has_data_before;
    struct vt_trace_diff_item data_before[2];
    /** As they were last recorded. */
    struct vt_trace_diff_registers registers[2];
};

struct vt_trace_diff_result {
    uint64_t lanes, divergences, equal; /**< instructions that were equal */
    uint64_t skipped[2];                /**< in divergences */
    uint64_t lost_words[2];
    bool stopped; /**< by `most` */
};

/** A source from its beginning, for each lane anew; its caller closes it. */
struct vt_trace_diff_opener {
    int (*open)(void *arg, enum vt_trace_diff_side side, struct vt_trace_source **source,
                struct vt_trace_names **names, struct vt_error *err);
    void (*close)(void *arg, enum vt_trace_diff_side side);
    /** Texts of `d` are valid until it returns; sources are open. */
    int (*tell)(void *arg, const struct vt_trace_divergence *d, struct vt_error *err);
    void *arg;
};
/** VT_E_INVAL: recordings of different architectures; VT_E_INTERRUPTED; what sources say. */
int vt_trace_diff(const struct vt_trace_diff_opener *opener,
                  const struct vt_trace_diff_options *options, struct vt_trace_diff_result *result,
                  struct vt_error *err);

#endif
