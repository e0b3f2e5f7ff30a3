/* guest/linux/holders.h - which process holds what, by its descriptors: sockets, BPF programs and
 * whatever else a file stands for.
 */
#ifndef VT_GUEST_LINUX_HOLDERS_H
#define VT_GUEST_LINUX_HOLDERS_H

#include "guest/linux/noun.h"

struct vt_holder {
    struct vt_gva object;
    int32_t pid;
    uint32_t fd;
    char comm[16 + 1];
};

struct vt_holders {
    struct vt_holder *list; /**< by object, pid and fd */
    size_t n;
};

/** Of the processes that the query asks for: their files whose operations are the symbol `ops`, and
 *  which object is each one's private data, or what its member `through` points to (NULL: itself).
 *  What is torn is noted in the walk. VT_E_NOT_FOUND, VT_E_NOMEM. */
int vt_holders_take(struct vt_walk *walk, const char *ops, const struct vt_member *through,
                    struct vt_holders *holders, struct vt_error *err);
void vt_holders_fini(struct vt_holders *holders);
/** The first holder, and how many there are from there; NULL: nobody holds it. */
const struct vt_holder *vt_holders_of(const struct vt_holders *holders, struct vt_gva object,
                                      size_t *n);

#endif
