/* guest/linux/xarray.h - walks an xarray of the guest, and the radix trees and IDRs made of it:
 * entries in the order of their index, without recursion, bounded.
 *
 *   struct vt_xa_walk walk;
 *   rc = vt_xa_begin(&walk, kernel, address of the struct xarray, cap, err);
 *   while (rc == 0 && vt_xa_next(&walk, &entry)) …
 *
 * A node has to name its parent, its place in it and the height that follows from the parent's;
 * otherwise it is left out with all below it, and the walk is torn. So the depth is bounded and no
 * node can be reached twice. (include/linux/xarray.h, radix-tree.h, idr.h)
 */
#ifndef VT_GUEST_LINUX_XARRAY_H
#define VT_GUEST_LINUX_XARRAY_H

#include "guest/kernel.h"

#define VT_XA_SLOTS_MAX 64u  /* XA_CHUNK_SIZE */
#define VT_XA_LEVELS_MAX 16u /* of the smaller nodes of 16 slots that small kernels have */

/** One entry; those that cover many indices come once. */
struct vt_xa_entry {
    uint64_t index; /**< the first it covers */
    uint64_t count; /**< how many; a power of two */
    uint64_t value; /**< a pointer, or see vt_xa_is_value */
    unsigned marks; /**< bit i: XA_MARK_i; 0 of an entry that lies in the head itself */
};

/** A number stored instead of a pointer (swap entries, shadows of pages). */
static inline bool vt_xa_is_value(uint64_t entry)
{
    return (entry & 1) != 0;
}
static inline uint64_t vt_xa_to_value(uint64_t entry)
{
    return entry >> 1;
}

struct vt_xa_level {
    uint64_t node, base; /* address; index of its first slot */
    unsigned shift, next;
    uint64_t slots[VT_XA_SLOTS_MAX];
    uint64_t marks[3];
};

struct vt_xa_layout;

struct vt_xa_walk {
    const struct vt_space *space;
    const struct vt_xa_layout *l;
    struct vt_gva head; /* the struct xarray */
    struct vt_xa_level levels[VT_XA_LEVELS_MAX];
    unsigned depth;
    uint64_t single; /* an entry in the head itself, until it was given */
    uint64_t added;  /* to every index: an IDR's base */
    size_t n, n_nodes, cap;
    bool torn;     /* entries may be missing */
    char why[160]; /* the first reason */
};

/** `array`: address of a struct xarray or radix_tree_root. `cap`: the most entries there can be,
 *  below 2^48. VT_E_NOT_FOUND (types that this needs). */
int vt_xa_begin(struct vt_xa_walk *walk, struct vt_kernel *kernel, struct vt_gva array, size_t cap,
                struct vt_error *err);
/** The same for a struct idr: indices are its ids. */
int vt_idr_begin(struct vt_xa_walk *walk, struct vt_kernel *kernel, struct vt_gva idr, size_t cap,
                 struct vt_error *err);
/** false: the end (see torn). */
bool vt_xa_next(struct vt_xa_walk *walk, struct vt_xa_entry *entry);

/** The entry that covers `index`. VT_E_NOT_FOUND: none; VT_E_CORRUPT: a node that cannot be. */
int vt_xa_load(struct vt_kernel *kernel, struct vt_gva array, uint64_t index,
               struct vt_xa_entry *entry, struct vt_error *err);
/** The entry with an id in a struct idr. */
int vt_idr_load(struct vt_kernel *kernel, struct vt_gva idr, uint64_t id, uint64_t *value,
                struct vt_error *err);

#endif
