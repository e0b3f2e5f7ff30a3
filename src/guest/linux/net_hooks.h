/* guest/linux/net_hooks.h - rows of the noun netfilter, made in two files. */
#ifndef VT_GUEST_LINUX_NET_HOOKS_H
#define VT_GUEST_LINUX_NET_HOOKS_H

#include "guest/linux/netns.h"
#include "guest/linux/ops.h"

struct vt_net_hooks {
    struct vt_walk *w;
    struct vt_code_map map;
    struct vt_netns_list nets;
};

/** Fills a row's function, symbol and owner, and finds what is wrong with it: nobody's code, or
 *  (`of_image`) a place that only the kernel itself has business with leads elsewhere, or a
 *  function that begins with a jump to nobody's code. */
void vt_net_hook_function(struct vt_net_hooks *hooks, struct vt_gva function, bool of_image,
                          struct vt_net_hook *row);
/** Whether an address lies in the kernel's image. */
bool vt_net_hook_in_image(const struct vt_net_hooks *hooks, struct vt_gva at);

/** Packet types, protocols of IP, and the tables of functions behind sockets and /proc/net. */
int vt_net_hooks_walk_packets(struct vt_net_hooks *hooks, struct vt_error *err);

#endif
