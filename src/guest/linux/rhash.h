/* guest/linux/rhash.h - walks a resizable hash table of the guest (struct rhashtable): bounded,
 * and whole or torn.
 *
 * While the kernel makes such a table larger it has two, and moves nodes one by one: both are
 * walked, and a node met in both is given once. A table that was made in a hurry is nested: pages
 * of pointers to pages of buckets. A chain ends with the number of its bucket; one that ends with
 * another's is torn. Nodes are addresses of the rhash_head members.
 * (include/linux/rhashtable.h, lib/rhashtable.c)
 */
#ifndef VT_GUEST_LINUX_RHASH_H
#define VT_GUEST_LINUX_RHASH_H

#include "guest/linux/layout.h"
#include "guest/linux/seen.h"

struct vt_rhash_layout {
    struct vt_member table;              /* of struct rhashtable */
    struct vt_extent head;               /* of struct bucket_table */
    struct vt_member size, nest, future; /* in it */
    struct vt_member buckets;
};
/** Belongs to the kernel. VT_E_NOT_FOUND, VT_E_NOMEM. */
int vt_rhash_layout_take(struct vt_kernel *kernel, const struct vt_rhash_layout **layout,
                         struct vt_error *err);

struct vt_rhash_walk {
    const struct vt_space *space;
    const struct vt_rhash_layout *layout;
    struct vt_gva table;       /* the struct bucket_table walked now */
    struct vt_gva next_table;  /* the one being filled, or 0 */
    unsigned tables;           /* walked so far */
    uint32_t size, nest, next; /* its buckets, how it is nested, the bucket to walk next */
    struct vt_gva bucket;      /* the one walked now; 0: none */
    struct vt_gva link;        /* the pointer that leads to the next node */
    size_t cap;
    uint64_t steps; /* links followed */
    struct vt_seen seen;
    bool torn;
    char why[160];
};

/** `table`: the address of a struct rhashtable; `cap`: the most nodes there can be. */
void vt_rhash_begin(struct vt_rhash_walk *walk, const struct vt_space *space,
                    const struct vt_rhash_layout *layout, struct vt_gva table, size_t cap);
/** 1: *node is the next one. 0: the end (see torn). VT_E_NOMEM. */
int vt_rhash_next(struct vt_rhash_walk *walk, struct vt_gva *node, struct vt_error *err);
void vt_rhash_end(struct vt_rhash_walk *walk);

#endif
