/* guest/linux/hlist.h - walks hash chains of the guest (struct hlist_head, hlist_nulls_head,
 * hlist_bl_head): bounded, and symmetric or torn.
 *
 *   vt_hlist_begin(&hash, space, VT_HLIST, cap);
 *   for each bucket:
 *       vt_hlist_bucket(&hash, address of the head);
 *       while ((rc = vt_hlist_next(&hash, &node, err)) == 1) …
 *   vt_hlist_end(&hash);
 *
 * Every node has to name the pointer that leads to it (pprev). A node met twice, in this bucket or
 * another, a link that leads nowhere or more nodes than RAM can hold end a bucket; the next one
 * may still be walked. Nodes are addresses of the hlist_node members. (include/linux/list.h,
 * list_nulls.h, list_bl.h)
 */
#ifndef VT_GUEST_LINUX_HLIST_H
#define VT_GUEST_LINUX_HLIST_H

#include "guest/linux/seen.h"
#include "vitrine/guest.h"

enum vt_hlist_kind {
    VT_HLIST,       /**< ends with NULL */
    VT_HLIST_NULLS, /**< ends with an odd number that names the bucket */
    VT_HLIST_BL,    /**< as VT_HLIST; bit 0 of the head is a lock */
};

struct vt_hlist_walk {
    const struct vt_space *space;
    enum vt_hlist_kind kind;
    struct vt_gva link; /* the pointer that leads to the next node */
    bool in_bucket;
    size_t cap;
    struct vt_seen seen;
    bool torn_link; /* the node given last does not name the pointer that led to it */
    bool torn;      /* some link was torn, or a bucket ended early */
    char why[160];  /* the first reason */
};

/** `cap`: the most nodes there can be, in all buckets together. */
void vt_hlist_begin(struct vt_hlist_walk *walk, const struct vt_space *space,
                    enum vt_hlist_kind kind, size_t cap);
/** Goes to a bucket; `head` is the address of its head. */
void vt_hlist_bucket(struct vt_hlist_walk *walk, struct vt_gva head);
/** 1: *node is the next one. 0: the end of the bucket (see torn). VT_E_NOMEM. */
int vt_hlist_next(struct vt_hlist_walk *walk, struct vt_gva *node, struct vt_error *err);
void vt_hlist_end(struct vt_hlist_walk *walk);

#endif
