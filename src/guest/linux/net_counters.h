/* guest/linux/net_counters.h - what a network device has received and sent. */
#ifndef VT_GUEST_LINUX_NET_COUNTERS_H
#define VT_GUEST_LINUX_NET_COUNTERS_H

#include "guest/linux/noun.h"

struct vt_net_counters {
    uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
};

/** Of the struct net_device at `device`, all CPUs together, as /proc/net/dev has them. They change
 *  all the time and are read once. false: its driver counts in a way of its own. */
bool vt_net_counters_read(struct vt_walk *walk, struct vt_gva device,
                          struct vt_net_counters *counters);

#endif
