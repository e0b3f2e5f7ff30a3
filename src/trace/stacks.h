/* trace/stacks.h - who called what: a call stack for each thread that a trace shows, as a tree.
 *
 * Blocks' last instructions call, return, trap and come back. A *context* is what is known of one
 * thread's stack; a vCPU is in one of them. A return that goes elsewhere than its call said is a
 * longjmp (the frame is further down), a switch to another thread (the return address, or the stack
 * slot where accesses were recorded, belongs to a context that was left), or the way out of what
 * began before the recording: "?". User contexts are told apart by their page-table root, too. An
 * interrupt, an exception or a system call stands on top of what it came upon. Retpolines, return
 * thunks and calls that only fill the return predictor make no frames. One thread an object.
 */
#ifndef VT_TRACE_STACKS_H
#define VT_TRACE_STACKS_H

#include "vitrine/trace.h"

enum vt_trace_frame_kind {
    VT_FRAME_PROCESS, /**< what runs under one root; or the kernel, where no process is known */
    VT_FRAME_UNKNOWN, /**< what called was not recorded: "?" */
    VT_FRAME_FUNCTION,
};
/** A function, a process: each once. Belongs to the stacks. */
struct vt_trace_frame {
    enum vt_trace_frame_kind kind;
    bool kernel;
    bool by_address;           /**< a function without a name: it was entered at */
    uint64_t address;          /**< in its object, if that is known */
    uint64_t root;             /**< of a process, ~0: not known, or the kernel */
    int64_t pid;               /**< 0: not known */
    const char *object, *name; /**< NULL: not known */
};

/** Of the tree of stacks; node 0 is its root and no frame. Weights are exclusive. */
struct vt_trace_stack_node {
    uint32_t parent, frame; /**< indices */
    uint32_t depth;         /**< of node 0: 0 */
    uint64_t instructions;  /**< completed */
    uint64_t time_ns;       /**< as well as time words tell; without idle time */
};

struct vt_trace_stack_stats {
    uint64_t events, instructions;
    uint64_t switches;  /**< to a context that was left */
    uint64_t unwound;   /**< returns past frames that did not return themselves */
    uint64_t unmatched; /**< returns to what was not known */
    uint64_t too_deep;  /**< calls beyond the cap on frames */
    bool truncated;     /**< the tree is full: what is beyond counts for the caller */
};

/** Caps; 0: the default. */
struct vt_trace_stack_limits {
    uint32_t nodes, frames; /**< of the tree; of one context */
    uint32_t contexts;
};

struct vt_trace_stacks;
/** `arch`: vt_trace_info's. `names` may be NULL: functions are where calls went. */
int vt_trace_stacks_create(const char *arch, struct vt_trace_names *names,
                           const struct vt_trace_stack_limits *limits,
                           struct vt_trace_stacks **stacks, struct vt_error *err);
void vt_trace_stacks_destroy(struct vt_trace_stacks *s);
/** Takes each event of a source. *node (may be NULL): where the event's block ran, 0 for events
 *  without one. VT_E_INVAL, VT_E_NOMEM. */
int vt_trace_stacks_add(struct vt_trace_stacks *s, const struct vt_trace_event *event,
                        uint32_t *node, struct vt_error *err);

/** Valid until the next event. A node's parent has a lower index. */
const struct vt_trace_stack_node *vt_trace_stacks_nodes(const struct vt_trace_stacks *s,
                                                        uint32_t *n);
const struct vt_trace_frame *vt_trace_stacks_frame(const struct vt_trace_stacks *s, uint32_t frame);
const struct vt_trace_stack_stats *vt_trace_stacks_stats(const struct vt_trace_stacks *s);

#define VT_TRACE_FRAME_TEXT 160u
/** "memcpy", "libc.so.6:0x1234", "[libc.so.6]", "0x401000", "busybox (61)", "root 0x1234000",
 * "kernel", "?": one line, safe for terminals; returns out. */
const char *vt_trace_frame_text(const struct vt_trace_frame *frame, char out[VT_TRACE_FRAME_TEXT]);

#endif
