/* trace/stack_parts.h - what stacks.c asks of the tree of call stacks (stack_tree.c). */
#ifndef VT_TRACE_STACK_PARTS_H
#define VT_TRACE_STACK_PARTS_H

#include "trace/learn_parts.h"
#include "trace/stacks.h"

#define VT_STACK_KERNEL_HALF ((uint64_t)1 << 63)
#define VT_STACK_NO_ROOT (~(uint64_t)0)
/** User code while no root is known. */
#define VT_STACK_SOME_ROOT (VT_STACK_NO_ROOT - 1)

struct vt_stack_tree {
    struct vt_trace_names *names;
    uint32_t nodes_max;
    bool truncated;
    struct vt_trace_stack_node *nodes;
    uint32_t n_nodes, nodes_room;
    struct vt_trace_frame *frames;
    uint32_t n_frames, frames_room;
    struct vt_learn_index by_child, by_frame, by_root;
    uint32_t unknown; /* the frame "?" */
};

/** _fini also after a failure. */
int vt_stack_tree_init(struct vt_stack_tree *t, struct vt_trace_names *names, uint32_t nodes_max,
                       struct vt_error *err);
void vt_stack_tree_fini(struct vt_stack_tree *t);
/** The function that `pc` is in (`block`, or NULL, has it), and some function of its object;
 * VT_TRACE_NONE: it has no name. */
int vt_stack_frame_of_block(struct vt_stack_tree *t, const struct vt_trace_block *block,
                            uint64_t pc, uint64_t root, uint32_t *function, uint32_t *object,
                            struct vt_error *err);
/** The function without a name that begins there. */
int vt_stack_frame_of_address(struct vt_stack_tree *t, const struct vt_trace_block *block,
                              uint64_t pc, uint64_t root, uint32_t *out, struct vt_error *err);
/** The process of a root that runs `block`; the kernel of VT_STACK_NO_ROOT. */
int vt_stack_frame_of_process(struct vt_stack_tree *t, const struct vt_trace_block *block,
                              uint64_t root, uint32_t *out, struct vt_error *err);
/** What a frame is under a node; the node itself when the tree is full. */
int vt_stack_child(struct vt_stack_tree *t, uint32_t parent, uint32_t frame, uint32_t *out,
                   struct vt_error *err);

#endif
