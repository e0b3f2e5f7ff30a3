/* guest/linux/net_hooks.c - handlers of packet types and IP protocols, and the tables of functions
 * behind sockets and /proc/net. See net_hooks.h.
 *
 * Packet types stand in lists: for all packets, by type (ptype_base), of a device, and in newer
 * kernels of a namespace. Rootkits that hide connections change the tables behind /proc/net.
 */
#include "guest/linux/net_hooks.h"
#include "guest/linux/sockets.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TYPES_MAX 65536u
#define TYPE_BUCKETS 16u /* include/linux/netdevice.h: PTYPE_HASH_SIZE */
#define PROTOCOLS 256u   /* include/net/protocol.h: MAX_INET_PROTOS */
#define FAMILY_INET 2u
#define FAMILY_PACKET 17u

struct layout {
    struct vt_extent packet;
    struct vt_member type, dev, func, net, node, packet_bytes;
    struct vt_member net_all, net_specific, device_all, device_specific, device_name;
    struct vt_member handler4, handler6;
};

static const struct vt_field_spec specs[] = {
#define PACKET(slot, name) VT_FIELD(layout, slot, packet, "packet_type", name)
#define BARE(slot, struct_, ...) VT_FIELD_BARE_OPTIONAL(layout, slot, struct_, __VA_ARGS__)
    PACKET(type, "type"),
    PACKET(dev, "dev"),
    PACKET(func, "func"),
    PACKET(node, "list"),
    VT_FIELD_OPTIONAL(layout, net, packet, "packet_type", "af_packet_net"),
    VT_FIELD_SIZE(layout, packet_bytes, "packet_type"),
    BARE(net_all, "net", "ptype_all"),
    BARE(net_specific, "net", "ptype_specific"),
    BARE(device_all, "net_device", "ptype_all"),
    BARE(device_specific, "net_device", "ptype_specific"),
    BARE(device_name, "net_device", "name"),
    BARE(handler4, "net_protocol", "handler"),
    BARE(handler6, "inet6_protocol", "handler"),
};
static const struct vt_layout_type type = VT_LAYOUT(layout, specs);

/* ---------------------------------------------------------------- packet types */

static void read_packet_type(struct vt_net_hooks *hooks, const struct layout *l, struct vt_gva at,
                             const struct vt_netns *net, struct vt_net_hook *row)
{
    struct vt_look *look = &hooks->w->look;
    struct vt_object o;
    *row = (struct vt_net_hook){.row.at = at, .kind = "packets"};
    if (!vt_look_object(look, at, l->packet, &o)) {
        return;
    }
    uint16_t number = (uint16_t)vt_object_uint(&o, &l->type);
    number = (uint16_t)(number >> 8 | number << 8);
    vt_socket_protocol_text(FAMILY_PACKET, number, row->hook, sizeof row->hook);
    uint64_t device = vt_object_uint(&o, &l->dev);
    if (device != 0 && l->device_name.size != 0) {
        vt_look_text(look, VT_GVA(device + l->device_name.offset), row->device, sizeof row->device);
    }
    const struct vt_netns *own = vt_netns_find(&hooks->nets, VT_GVA(vt_object_uint(&o, &l->net)));
    row->netns = own != NULL ? own->inode : net != NULL ? net->inode : 0;
    struct vt_gva function = VT_GVA(vt_object_uint(&o, &l->func));
    vt_net_hook_function(hooks, function, vt_net_hook_in_image(hooks, at), row);
}

static int walk_types(struct vt_net_hooks *hooks, const struct layout *l, struct vt_gva head,
                      const struct vt_netns *net, struct vt_error *err)
{
    struct vt_walk *w = hooks->w;
    struct vt_list_walk list;
    struct vt_gva node;
    int rc;
    vt_list_begin(&list, w->space, head, vt_walk_cap(w, l->packet_bytes.size, TYPES_MAX));
    while ((rc = vt_list_next(&list, &node, err)) == 1) {
        struct vt_net_hook row;
        do {
            vt_look_begin(&w->look);
            read_packet_type(hooks, l, VT_GVA(node.v - l->node.offset), net, &row);
            if (list.torn_link) {
                vt_look_doubt(&w->look, "its link is not symmetric");
            }
        } while (vt_look_again(&w->look));
        if ((rc = vt_walk_row(w, &row.row)) != 0) {
            break;
        }
    }
    vt_walk_list_end(w, &list);
    return rc;
}

/* The list that a member of the struct at `at` heads, where the kernel has it. */
static int walk_member(struct vt_net_hooks *hooks, const struct layout *l, struct vt_gva at,
                       const struct vt_member *member, const struct vt_netns *net,
                       struct vt_error *err)
{
    return member->size != 0 ? walk_types(hooks, l, VT_GVA(at.v + member->offset), net, err) : 0;
}

static int walk_all_types(struct vt_net_hooks *hooks, const struct layout *l, struct vt_error *err)
{
    struct vt_gva head;
    int rc = 0;
    if (vt_kernel_symbol(hooks->w->kernel, "ptype_all", &head, NULL) == 0) {
        rc = walk_types(hooks, l, head, NULL, err);
    }
    if (rc == 0 && vt_kernel_symbol(hooks->w->kernel, "ptype_base", &head, NULL) == 0) {
        for (uint64_t i = 0; i < TYPE_BUCKETS && rc == 0; i++) {
            rc = walk_types(hooks, l, VT_GVA(head.v + 16 * i), NULL, err);
        }
    }
    for (size_t i = 0; i < hooks->nets.n && rc == 0; i++) {
        const struct vt_netns *net = &hooks->nets.list[i];
        rc = walk_member(hooks, l, net->at, &l->net_all, net, err);
        rc = rc != 0 ? rc : walk_member(hooks, l, net->at, &l->net_specific, net, err);
        for (size_t d = 0; d < net->n_devices && rc == 0; d++) {
            struct vt_gva device = net->devices[d].at;
            rc = walk_member(hooks, l, device, &l->device_all, net, err);
            rc = rc != 0 ? rc : walk_member(hooks, l, device, &l->device_specific, net, err);
        }
    }
    return rc;
}

/* ---------------------------------------------------------------- protocols of IP */

static int walk_protocols(struct vt_net_hooks *hooks, const char *symbol, const char *family,
                          const struct vt_member *handler)
{
    struct vt_walk *w = hooks->w;
    struct vt_gva table;
    int rc = 0;
    if (handler->size == 0 || vt_kernel_symbol(w->kernel, symbol, &table, NULL) != 0) {
        return 0;
    }
    for (unsigned i = 0; i < PROTOCOLS && rc == 0; i++) {
        struct vt_gva at = VT_GVA(table.v + (uint64_t)i * sizeof(uint64_t)), protocol;
        struct vt_net_hook row;
        if (vt_space_read_u64(w->space, at, &protocol.v, NULL) != 0) {
            vt_walk_torn(w, "%s cannot be read", symbol);
            break;
        }
        if (protocol.v == 0) {
            continue;
        }
        do {
            vt_look_begin(&w->look);
            row = (struct vt_net_hook){.row.at = at, .kind = "protocol"};
            snprintf(row.family, sizeof row.family, "%s", family);
            vt_socket_protocol_text(FAMILY_INET, i, row.hook, sizeof row.hook);
            protocol = VT_GVA(vt_look_u64(&w->look, at));
            struct vt_gva function = VT_GVA(vt_look_member(&w->look, protocol, handler));
            vt_net_hook_function(hooks, function, vt_net_hook_in_image(hooks, protocol), &row);
        } while (vt_look_again(&w->look));
        rc = vt_walk_row(w, &row.row);
    }
    return rc;
}

/* ---------------------------------------------------------------- tables of functions */

struct table {
    const char *symbol, *struct_name, *shown; /* shown: the member that says most */
};

static const struct table tables[] = {
    {"tcp4_seq_ops", "seq_operations", "show"},
    {"tcp6_seq_ops", "seq_operations", "show"},
    {"udp_seq_ops", "seq_operations", "show"},
    {"udp6_seq_ops", "seq_operations", "show"},
    {"raw_seq_ops", "seq_operations", "show"},
    {"raw6_seq_ops", "seq_operations", "show"},
    {"ping_v4_seq_ops", "seq_operations", "show"},
    {"ping_v6_seq_ops", "seq_operations", "show"},
    {"unix_seq_ops", "seq_operations", "show"},
    {"packet_seq_ops", "seq_operations", "show"},
    {"netlink_seq_ops", "seq_operations", "show"},
    {"arp_seq_ops", "seq_operations", "show"},
    {"dev_seq_ops", "seq_operations", "show"},
    {"ptype_seq_ops", "seq_operations", "show"},
    {"fib_route_seq_ops", "seq_operations", "show"},
    {"inet_stream_ops", "proto_ops", "recvmsg"},
    {"inet_dgram_ops", "proto_ops", "recvmsg"},
    {"inet_sockraw_ops", "proto_ops", "recvmsg"},
    {"inet6_stream_ops", "proto_ops", "recvmsg"},
    {"inet6_dgram_ops", "proto_ops", "recvmsg"},
    {"inet6_sockraw_ops", "proto_ops", "recvmsg"},
    {"unix_stream_ops", "proto_ops", "recvmsg"},
    {"unix_dgram_ops", "proto_ops", "recvmsg"},
    {"unix_seqpacket_ops", "proto_ops", "recvmsg"},
    {"netlink_ops", "proto_ops", "recvmsg"},
    {"packet_ops", "proto_ops", "recvmsg"},
    {"tcp_prot", "proto", "recvmsg"},
    {"tcpv6_prot", "proto", "recvmsg"},
    {"udp_prot", "proto", "recvmsg"},
    {"udpv6_prot", "proto", "recvmsg"},
    {"raw_prot", "proto", "recvmsg"},
    {"rawv6_prot", "proto", "recvmsg"},
    {"ping_prot", "proto", "recvmsg"},
};

/* The row shows one function; each of them may be its finding. */
static void read_table(struct vt_net_hooks *hooks, const struct table *t, const struct vt_ops *ops,
                       struct vt_gva at, struct vt_net_hook *row)
{
    bool of_image = vt_net_hook_in_image(hooks, at);
    struct vt_gva shown = VT_GVA(0);
    *row = (struct vt_net_hook){.row.at = at, .kind = "table"};
    for (size_t i = 0; i < ops->n; i++) {
        struct vt_gva function =
            VT_GVA(vt_look_u64(&hooks->w->look, VT_GVA(at.v + ops->hooks[i].offset)));
        snprintf(row->hook, sizeof row->hook, "%s: %s", t->symbol, ops->hooks[i].name);
        if (function.v == 0) {
            continue;
        }
        vt_net_hook_function(hooks, function, of_image, row);
        if (strcmp(ops->hooks[i].name, t->shown) == 0) {
            shown = function;
        }
    }
    snprintf(row->hook, sizeof row->hook, "%s", t->symbol);
    if (shown.v != 0) {
        vt_net_hook_function(hooks, shown, of_image, row);
    }
}

static int walk_tables(struct vt_net_hooks *hooks)
{
    struct vt_walk *w = hooks->w;
    struct vt_ops ops = {0};
    int rc = 0;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0] && rc == 0; i++) {
        const struct table *t = &tables[i];
        struct vt_gva at;
        struct vt_net_hook row;
        if (vt_kernel_symbol(w->kernel, t->symbol, &at, NULL) != 0 ||
            ((ops.struct_name == NULL || strcmp(ops.struct_name, t->struct_name) != 0) &&
             vt_ops_take(w->kernel, t->struct_name, &ops, NULL) != 0)) {
            continue;
        }
        do {
            vt_look_begin(&w->look);
            read_table(hooks, t, &ops, at, &row);
        } while (vt_look_again(&w->look));
        rc = vt_walk_row(w, &row.row);
    }
    return rc;
}

int vt_net_hooks_walk_packets(struct vt_net_hooks *hooks, struct vt_error *err)
{
    const struct layout *l;
    int rc = vt_layout_take(hooks->w->kernel, &type, &l, err);
    rc = rc != 0 ? rc : walk_all_types(hooks, l, err);
    rc = rc != 0 ? rc : walk_protocols(hooks, "inet_protos", "ipv4", &l->handler4);
    rc = rc != 0 ? rc : walk_protocols(hooks, "inet6_protos", "ipv6", &l->handler6);
    return rc != 0 ? rc : walk_tables(hooks);
}
