/* guest/linux/seen.h - a set of addresses: what a walk has met already. */
#ifndef VT_GUEST_LINUX_SEEN_H
#define VT_GUEST_LINUX_SEEN_H

#include "vitrine/base.h"

/** Begins as zeros; open addressing, 0 is a free slot. */
struct vt_seen {
    uint64_t *slots;
    size_t n, room;
};

/** `value` is not 0. 1: it is new; 0: it was there. VT_E_NOMEM. */
int vt_seen_add(struct vt_seen *seen, uint64_t value, struct vt_error *err);
bool vt_seen_has(const struct vt_seen *seen, uint64_t value);
void vt_seen_fini(struct vt_seen *seen);

#endif
