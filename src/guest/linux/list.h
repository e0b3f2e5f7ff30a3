/* guest/linux/list.h - walks a struct list_head of the guest: bounded, and symmetric or torn.
 *
 * Every step checks that the next node points back. A node met twice, a link that leads nowhere or
 * more nodes than RAM can hold end the way forth; when any link was torn, what only the way back
 * from the head meets comes last, in that order. Nodes are addresses of the list_head members.
 */
#ifndef VT_GUEST_LINUX_LIST_H
#define VT_GUEST_LINUX_LIST_H

#include "guest/linux/seen.h"
#include "vitrine/guest.h"

struct vt_list_walk {
    const struct vt_space *space;
    struct vt_gva head, at;
    size_t cap;
    struct vt_seen seen;
    size_t known;   /* steps over nodes met before, on the way back */
    bool back;      /* on the way back */
    bool torn_link; /* the node given last does not point back to the one it was reached from */
    bool torn;      /* some link was torn, or a way ended early */
    char why[160];  /* the first reason */
};

/** `cap`: the most nodes there can be. */
void vt_list_begin(struct vt_list_walk *walk, const struct vt_space *space, struct vt_gva head,
                   size_t cap);
/** 1: *node is the next one. 0: the end (see torn). VT_E_NOMEM. */
int vt_list_next(struct vt_list_walk *walk, struct vt_gva *node, struct vt_error *err);
void vt_list_end(struct vt_list_walk *walk);

#endif
