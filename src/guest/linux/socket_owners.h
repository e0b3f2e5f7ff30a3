/* guest/linux/socket_owners.h - which process holds which socket, by its descriptors. */
#ifndef VT_GUEST_LINUX_SOCKET_OWNERS_H
#define VT_GUEST_LINUX_SOCKET_OWNERS_H

#include "guest/linux/noun.h"

struct vt_socket_owner {
    struct vt_gva sock; /**< the struct sock */
    int32_t pid;
    uint32_t fd;
    char comm[16 + 1];
};

struct vt_socket_owners {
    struct vt_socket_owner *list; /**< by sock, pid and fd */
    size_t n;
};

/** Of the processes that the query asks for; what is torn is noted in the walk. VT_E_NOT_FOUND,
 *  VT_E_NOMEM. */
int vt_socket_owners_take(struct vt_walk *walk, struct vt_socket_owners *owners,
                          struct vt_error *err);
void vt_socket_owners_fini(struct vt_socket_owners *owners);
/** The first owner, and how many there are from there; NULL: nobody holds it. */
const struct vt_socket_owner *vt_socket_owners_of(const struct vt_socket_owners *owners,
                                                  struct vt_gva sock, size_t *n);

#endif
