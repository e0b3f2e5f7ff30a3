/* guest/linux/net_counters.c - a device's counters. See net_counters.h.
 *
 * There is no one place: struct net_device has some (stats), others are kept for each CPU, in one
 * of three shapes (pcpu_lstats, _sw_netstats, _dstats) that share a pointer. Which it is, newer
 * kernels say (pcpu_stat_type); in others the function that the driver gave to add them up tells
 * it.
 */
#include "guest/linux/net_counters.h"

#include <string.h>

enum { LSTATS = 1, TSTATS = 2, DSTATS = 3 }; /* enum netdev_stat_type */

struct layout {
    struct vt_extent device;
    struct vt_member ops, kind, of_cpus; /* of struct net_device */
    struct vt_member get64, get;
    struct vt_member rx_packets, rx_bytes, tx_packets, tx_bytes;
    struct vt_member t_rx_packets, t_rx_bytes, t_tx_packets, t_tx_bytes;
    struct vt_member d_rx_packets, d_rx_bytes, d_tx_packets, d_tx_bytes;
    struct vt_member l_packets, l_bytes;
};

static const struct vt_field_spec specs[] = {
    VT_FIELD(layout, ops, device, "net_device", "netdev_ops"),
    VT_FIELD_OPTIONAL(layout, kind, device, "net_device", "pcpu_stat_type"),
    VT_FIELD(layout, of_cpus, device, "net_device", "lstats"),
    VT_FIELD_BARE(layout, get64, "net_device_ops", "ndo_get_stats64"),
    VT_FIELD_BARE(layout, get, "net_device_ops", "ndo_get_stats"),
    VT_FIELD_BARE(layout, rx_packets, "net_device", "stats.rx_packets"),
    VT_FIELD_BARE(layout, rx_bytes, "net_device", "stats.rx_bytes"),
    VT_FIELD_BARE(layout, tx_packets, "net_device", "stats.tx_packets"),
    VT_FIELD_BARE(layout, tx_bytes, "net_device", "stats.tx_bytes"),
    VT_FIELD_BARE_OPTIONAL(layout, t_rx_packets, "pcpu_sw_netstats", "rx_packets"),
    VT_FIELD_BARE_OPTIONAL(layout, t_rx_bytes, "pcpu_sw_netstats", "rx_bytes"),
    VT_FIELD_BARE_OPTIONAL(layout, t_tx_packets, "pcpu_sw_netstats", "tx_packets"),
    VT_FIELD_BARE_OPTIONAL(layout, t_tx_bytes, "pcpu_sw_netstats", "tx_bytes"),
    VT_FIELD_BARE_OPTIONAL(layout, d_rx_packets, "pcpu_dstats", "rx_packets"),
    VT_FIELD_BARE_OPTIONAL(layout, d_rx_bytes, "pcpu_dstats", "rx_bytes"),
    VT_FIELD_BARE_OPTIONAL(layout, d_tx_packets, "pcpu_dstats", "tx_packets"),
    VT_FIELD_BARE_OPTIONAL(layout, d_tx_bytes, "pcpu_dstats", "tx_bytes"),
    VT_FIELD_BARE_OPTIONAL(layout, l_packets, "pcpu_lstats", "packets"),
    VT_FIELD_BARE_OPTIONAL(layout, l_bytes, "pcpu_lstats", "bytes"),
};
static const struct vt_layout_type type = VT_LAYOUT(layout, specs);

struct reading {
    struct vt_walk *w;
    const struct vt_percpu *percpu;
    struct vt_gva of_cpus; /* what the device's pointer to per-CPU data says */
    bool failed;
};

static uint64_t number(struct reading *r, struct vt_gva at, const struct vt_member *member)
{
    uint64_t value = 0;
    if (member->size != sizeof value ||
        vt_space_read_u64(r->w->space, VT_GVA(at.v + member->offset), &value, NULL) != 0) {
        r->failed = true;
    }
    return value;
}

/* A member of the device's per-CPU struct, added up. */
static uint64_t sum(struct reading *r, const struct vt_member *member)
{
    uint64_t value = 0;
    for (unsigned cpu = 0; cpu < r->percpu->n && !r->failed; cpu++) {
        value += number(r, vt_percpu_at(r->percpu, r->of_cpus, cpu), member);
    }
    return value;
}

/* How the driver's function that adds up would do it; -1: in a way of its own. */
static int kind_by_function(struct vt_walk *w, uint64_t function)
{
    const char *name;
    uint64_t distance;
    char letter;
    if (vt_kernel_symbol_at(w->kernel, VT_GVA(function), &name, &letter, &distance, NULL) != 0 ||
        distance != 0) {
        return -1;
    }
    if (strcmp(name, "loopback_get_stats64") == 0 || strcmp(name, "dummy_get_stats64") == 0) {
        return LSTATS;
    }
    if (strcmp(name, "dev_get_tstats64") == 0 || strcmp(name, "ip_tunnel_get_stats64") == 0) {
        return TSTATS;
    }
    return -1;
}

static void add_per_cpu(struct reading *r, const struct layout *l, int kind, bool loops,
                        struct vt_net_counters *c)
{
    if (kind == LSTATS) {
        c->tx_packets = sum(r, &l->l_packets);
        c->tx_bytes = sum(r, &l->l_bytes);
        c->rx_packets = loops ? c->tx_packets : 0;
        c->rx_bytes = loops ? c->tx_bytes : 0;
        return;
    }
    bool t = kind == TSTATS;
    c->rx_packets += sum(r, t ? &l->t_rx_packets : &l->d_rx_packets);
    c->rx_bytes += sum(r, t ? &l->t_rx_bytes : &l->d_rx_bytes);
    c->tx_packets += sum(r, t ? &l->t_tx_packets : &l->d_tx_packets);
    c->tx_bytes += sum(r, t ? &l->t_tx_bytes : &l->d_tx_bytes);
}

bool vt_net_counters_read(struct vt_walk *walk, struct vt_gva device,
                          struct vt_net_counters *counters)
{
    const struct layout *l;
    struct vt_object o;
    struct reading r = {.w = walk};
    uint64_t get64 = 0, get = 0;
    if (vt_layout_take(walk->kernel, &type, &l, NULL) != 0 ||
        vt_percpu_take(walk->kernel, &r.percpu, NULL) != 0 ||
        vt_object_read(walk->space, device, l->device, &o, NULL) != 0) {
        return false;
    }
    uint64_t ops = vt_object_uint(&o, &l->ops);
    r.of_cpus = VT_GVA(vt_object_uint(&o, &l->of_cpus));
    get64 = number(&r, VT_GVA(ops), &l->get64);
    get = number(&r, VT_GVA(ops), &l->get);
    int kind = get64 != 0 ? kind_by_function(walk, get64) : (int)vt_object_uint(&o, &l->kind);
    if (kind < 0 || kind > DSTATS || (get64 == 0 && get != 0)) {
        return false;
    }
    if (get64 == 0 && kind == LSTATS) {
        kind = 0; /* nobody adds those up then */
    }
    struct vt_net_counters c = {
        .rx_packets = number(&r, device, &l->rx_packets),
        .rx_bytes = number(&r, device, &l->rx_bytes),
        .tx_packets = number(&r, device, &l->tx_packets),
        .tx_bytes = number(&r, device, &l->tx_bytes),
    };
    if (kind != 0) {
        struct vt_gva loopback;
        bool loops = vt_kernel_symbol(walk->kernel, "loopback_get_stats64", &loopback, NULL) == 0 &&
                     loopback.v == get64;
        add_per_cpu(&r, l, kind, loops, &c);
    }
    if (r.failed) {
        return false;
    }
    *counters = c;
    return true;
}
