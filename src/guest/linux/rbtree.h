/* guest/linux/rbtree.h - walks a red-black tree of the guest (struct rb_root, rb_root_cached) in
 * order: bounded, and symmetric or torn.
 *
 * Every node has to name its parent, so none can be reached twice: what does not is left out with
 * all below it, and the walk is torn. Nodes are addresses of the rb_node members.
 * (include/linux/rbtree_types.h)
 */
#ifndef VT_GUEST_LINUX_RBTREE_H
#define VT_GUEST_LINUX_RBTREE_H

#include "vitrine/guest.h"

/** A red-black tree of 2^48 nodes is no higher. */
#define VT_RB_DEPTH_MAX 96u

struct vt_rb_walk {
    const struct vt_space *space;
    uint64_t path[VT_RB_DEPTH_MAX]; /* nodes whose left side was done or is being done */
    unsigned depth;
    size_t n, cap;
    bool torn;     /* nodes may be missing */
    char why[160]; /* the first reason */
};

/** `root`: address of the rb_root (an rb_root_cached begins with one). `cap`: the most nodes there
 *  can be. */
void vt_rb_begin(struct vt_rb_walk *walk, const struct vt_space *space, struct vt_gva root,
                 size_t cap);
/** false: the end (see torn). */
bool vt_rb_next(struct vt_rb_walk *walk, struct vt_gva *node);

#endif
