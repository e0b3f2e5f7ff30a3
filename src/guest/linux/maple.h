/* guest/linux/maple.h - walks a struct maple_tree of the guest: ranges with their entries, in
 * ascending order.
 *
 * Every node is copied whole and must name the slot it hangs in as its parent; one that does not is
 * not entered. So no node is entered twice, and a tree that leads back into itself ends. Depth and
 * number of nodes are bounded. (Linux include/linux/maple_tree.h: nodes of 256 bytes, aligned to
 * as many, so that the low byte of a pointer says what it points to)
 */
#ifndef VT_GUEST_LINUX_MAPLE_H
#define VT_GUEST_LINUX_MAPLE_H

#include "guest/kernel.h"

#define VT_MAPLE_NODE_BYTES 256u
#define VT_MAPLE_DEPTH_MAX 31u /* MAPLE_HEIGHT_MAX */

/** Where nodes keep what; in bytes of a node, counts of words. */
struct vt_maple_layout {
    uint32_t root; /**< of ma_root in struct maple_tree */
    struct vt_maple_node_layout {
        uint32_t pivot, slot, pivots, slots;
    } dense, range, arange;
};

/** VT_E_NOT_FOUND: the kernel has no maple trees. VT_E_CORRUPT. */
int vt_maple_layout(struct vt_kernel *kernel, struct vt_maple_layout *layout, struct vt_error *err);

struct vt_maple_entry {
    uint64_t first, last; /**< the range, both ends in it */
    uint64_t value;       /**< not 0; may be one of the tree's reserved values, see below */
};

/** Whether an entry is a mark of the tree's own (XA_ZERO_ENTRY and the like) and no pointer. */
static inline bool vt_maple_is_reserved(uint64_t value)
{
    return (value & 3) == 2 && value < 4096;
}

struct vt_maple_frame {
    _Alignas(8) uint8_t bytes[VT_MAPLE_NODE_BYTES];
    const struct vt_maple_node_layout *l;
    uint64_t node;
    uint64_t first, last; /* what the node covers, from the slot looked at on */
    unsigned type, slot;
    bool done; /* no slot is left */
};

struct vt_maple_walk {
    const struct vt_space *space;
    struct vt_maple_layout l;
    size_t nodes_left;
    unsigned depth;
    uint64_t root_entry; /* of a tree without nodes: what index 0 has */
    bool torn;           /* a node did not fit; rows may be missing */
    char why[160];       /* the first reason */
    struct vt_maple_frame frames[VT_MAPLE_DEPTH_MAX];
};

/** `tree`: the struct maple_tree. `cap`: the most nodes there can be. Nothing to free. */
void vt_maple_begin(struct vt_maple_walk *walk, const struct vt_space *space,
                    const struct vt_maple_layout *layout, struct vt_gva tree, size_t cap);
/** false: the end (see torn). */
bool vt_maple_next(struct vt_maple_walk *walk, struct vt_maple_entry *entry);

#endif
