/* guest/linux/netns.h - the network namespaces and the devices in each: what everything of the
 * network belongs to.
 */
#ifndef VT_GUEST_LINUX_NETNS_H
#define VT_GUEST_LINUX_NETNS_H

#include "guest/linux/noun.h"

struct vt_netdev {
    struct vt_gva at; /**< the struct net_device */
    uint32_t ifindex;
    char name[16 + 1];
};

struct vt_netns {
    struct vt_gva at; /**< the struct net */
    uint32_t inode;   /**< as in /proc/PID/ns/net */
    struct vt_netdev *devices;
    size_t n_devices;
};

struct vt_netns_list {
    struct vt_netns *list; /**< the initial one first */
    size_t n;
};

/** All that there are; what is torn is noted in the walk. VT_E_NOT_FOUND (built without network),
 *  VT_E_NOMEM. */
int vt_netns_take(struct vt_walk *walk, struct vt_netns_list *nets, struct vt_error *err);
void vt_netns_fini(struct vt_netns_list *nets);
/** NULL: none of them is there. */
const struct vt_netns *vt_netns_find(const struct vt_netns_list *nets, struct vt_gva at);
/** The name of a device, or "". `net` may be NULL. */
const char *vt_netns_device(const struct vt_netns *net, uint32_t ifindex);

#endif
