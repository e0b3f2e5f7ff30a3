/* guest/linux/net.c - network interfaces and their addresses. See vitrine/linux.h.
 *
 * IPv4 addresses hang on net_device.ip_ptr in a chain, IPv6 ones on ip6_ptr in a list. Flags,
 * scopes, types and states are the numbers user space sees: they do not change.
 */
#include "guest/linux/net_counters.h"
#include "guest/linux/netns.h"
#include "guest/linux/sockets.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ADDRESSES_MAX 65536u
#define MAC_MAX 32u

struct layout {
    struct vt_extent device;
    struct vt_member ifindex, flags, mtu, type, mac, mac_len, state, operstate, promiscuity;
    struct vt_member ip, ip6, link_ops, kind;
    struct vt_member ifa_list;
    struct vt_extent ifa;
    struct vt_member ifa_next, ifa_local, ifa_address, ifa_scope, ifa_prefix, ifa_flags, ifa_label;
    struct vt_member addr_list;
    struct vt_extent addr;
    struct vt_member addr_node, addr_ip, addr_prefix, addr_flags, addr_scope, addr_peer, addr_bytes;
};

static const struct vt_field_spec specs[] = {
#define DEVICE(slot, name) VT_FIELD(layout, slot, device, "net_device", name)
#define DEVICE_OPTIONAL(slot, name) VT_FIELD_OPTIONAL(layout, slot, device, "net_device", name)
#define IFA(slot, name) VT_FIELD_OPTIONAL(layout, slot, ifa, "in_ifaddr", name)
#define ADDR(slot, name) VT_FIELD_OPTIONAL(layout, slot, addr, "inet6_ifaddr", name)
    DEVICE(ifindex, "ifindex"),
    DEVICE(flags, "flags"),
    DEVICE(mtu, "mtu"),
    DEVICE(type, "type"),
    DEVICE(mac, "dev_addr"),
    DEVICE(mac_len, "addr_len"),
    DEVICE(state, "state"),
    DEVICE(operstate, "operstate"),
    DEVICE_OPTIONAL(promiscuity, "promiscuity"),
    DEVICE_OPTIONAL(ip, "ip_ptr"),
    DEVICE_OPTIONAL(ip6, "ip6_ptr"),
    DEVICE_OPTIONAL(link_ops, "rtnl_link_ops"),
    VT_FIELD_BARE_OPTIONAL(layout, kind, "rtnl_link_ops", "kind"),
    VT_FIELD_BARE_OPTIONAL(layout, ifa_list, "in_device", "ifa_list"),
    IFA(ifa_next, "ifa_next"),
    IFA(ifa_local, "ifa_local"),
    IFA(ifa_address, "ifa_address"),
    IFA(ifa_scope, "ifa_scope"),
    IFA(ifa_prefix, "ifa_prefixlen"),
    IFA(ifa_flags, "ifa_flags"),
    IFA(ifa_label, "ifa_label"),
    VT_FIELD_BARE_OPTIONAL(layout, addr_list, "inet6_dev", "addr_list"),
    ADDR(addr_node, "if_list"),
    ADDR(addr_ip, "addr"),
    ADDR(addr_prefix, "prefix_len"),
    ADDR(addr_flags, "flags"),
    ADDR(addr_scope, "scope"),
    ADDR(addr_peer, "peer_addr"),
    VT_FIELD_SIZE_OPTIONAL(layout, addr_bytes, "inet6_ifaddr"),
};
static const struct vt_layout_type type = VT_LAYOUT(layout, specs);

/* ---------------------------------------------------------------- numbers as text */

struct flag {
    uint32_t bit;
    const char *name;
};

static void write_flags(const struct flag *flags, size_t n, uint32_t bits, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < n && used < size; i++) {
        if ((bits & flags[i].bit) != 0) {
            used += (size_t)snprintf(text + used, size - used, "%s%s", used > 0 ? "," : "",
                                     flags[i].name);
        }
    }
}
#define WRITE_FLAGS(flags, bits, text)                                                             \
    write_flags(flags, sizeof(flags) / sizeof(flags)[0], bits, text, sizeof(text))

enum {
    IFF_UP_ = 1,
    IFF_RUNNING_ = 0x40,
    IFF_LOWER_UP_ = 0x10000,
    IFF_DORMANT_ = 0x20000,
    COMPUTED = IFF_RUNNING_ | IFF_LOWER_UP_ | IFF_DORMANT_,
};

static const struct flag interface_flags[] = {
    {0x8, "LOOPBACK"},
    {0x2, "BROADCAST"},
    {0x10, "POINTOPOINT"},
    {0x1000, "MULTICAST"},
    {0x80, "NOARP"},
    {0x200, "ALLMULTI"},
    {0x100, "PROMISC"},
    {0x400, "MASTER"},
    {0x800, "SLAVE"},
    {0x4, "DEBUG"},
    {0x8000, "DYNAMIC"},
    {0x4000, "AUTOMEDIA"},
    {0x2000, "PORTSEL"},
    {0x20, "NOTRAILERS"},
    {IFF_UP_, "UP"},
    {IFF_RUNNING_, "RUNNING"},
    {IFF_LOWER_UP_, "LOWER_UP"},
    {IFF_DORMANT_, "DORMANT"},
};

static const struct flag address_flags[] = {
    {0x01, "secondary"}, {0x02, "nodad"},          {0x04, "optimistic"}, {0x08, "dadfailed"},
    {0x10, "home"},      {0x20, "deprecated"},     {0x40, "tentative"},  {0x80, "permanent"},
    {0x100, "managed"},  {0x200, "noprefixroute"}, {0x400, "autojoin"},  {0x800, "stable-privacy"},
};

/* What dev_get_flags adds: enum netdev_state_t tells it. */
static uint32_t computed_flags(uint64_t state, uint32_t operstate)
{
    enum { START = 1 << 0, NOCARRIER = 1 << 2, DORMANT = 1 << 4 };
    uint32_t bits = 0;
    if ((state & START) != 0) {
        bits |= operstate == 6 || operstate == 0 ? (uint32_t)IFF_RUNNING_ : 0;
        bits |= (state & NOCARRIER) == 0 ? (uint32_t)IFF_LOWER_UP_ : 0;
        bits |= (state & DORMANT) != 0 ? (uint32_t)IFF_DORMANT_ : 0;
    }
    return bits;
}

static void write_type(uint32_t number, char *text, size_t size)
{
    static const struct flag types[] = {
        {1, "ether"},      {32, "infiniband"}, {512, "ppp"},     {768, "ipip"},   {769, "tunnel6"},
        {772, "loopback"}, {776, "sit"},       {778, "gre"},     {801, "802.11"}, {803, "radiotap"},
        {823, "gre6"},     {824, "netlink"},   {825, "6lowpan"}, {65534, "none"}, {280, "can"},
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (types[i].bit == number) {
            snprintf(text, size, "%s", types[i].name);
            return;
        }
    }
    snprintf(text, size, "%" PRIu32, number);
}

static const char *scope_of(uint32_t scope)
{
    switch (scope) {
    case 0:
        return "global";
    case 200:
        return "site";
    case 253:
        return "link";
    case 254:
        return "host";
    case 255:
        return "nowhere";
    default:
        return NULL;
    }
}

/* inet6_ifaddr.scope is a set of address types. */
static const char *scope6_of(uint32_t types)
{
    return (types & 0x10) != 0   ? "host"
           : (types & 0x20) != 0 ? "link"
           : (types & 0x40) != 0 ? "site"
                                 : "global";
}

/* ---------------------------------------------------------------- rows */

static void read_mac(struct vt_look *look, struct vt_gva at, uint32_t n, char *text, size_t size)
{
    uint8_t bytes[MAC_MAX];
    size_t used = 0;
    n = n < sizeof bytes ? n : (uint32_t)sizeof bytes;
    text[0] = '\0';
    vt_look_read(look, at, bytes, n);
    for (uint32_t i = 0; i < n && used < size; i++) {
        used += (size_t)snprintf(text + used, size - used, i > 0 ? ":%02x" : "%02x", bytes[i]);
    }
}

static void read_interface(struct vt_walk *w, const struct layout *l, const struct vt_netns *net,
                           const struct vt_netdev *device, struct vt_interface *i)
{
    static const char *const states[] = {"unknown", "notpresent", "down", "lowerlayerdown",
                                         "testing", "dormant",    "up"};
    struct vt_look *look = &w->look;
    struct vt_object o;
    *i = (struct vt_interface){.row.at = device->at, .netns = net->inode};
    snprintf(i->name, sizeof i->name, "%s", device->name);
    if (!vt_look_object(look, device->at, l->device, &o)) {
        return;
    }
    i->ifindex = (uint32_t)vt_object_uint(&o, &l->ifindex);
    i->mtu = (uint32_t)vt_object_uint(&o, &l->mtu);
    i->promiscuity = (uint32_t)vt_object_uint(&o, &l->promiscuity);
    uint32_t state = (uint32_t)vt_object_uint(&o, &l->operstate);
    if (i->ifindex == 0 || state >= sizeof states / sizeof states[0]) {
        vt_look_doubt(look, "no interface's number and state");
        return;
    }
    i->state = states[state];
    uint32_t flags = (uint32_t)vt_object_uint(&o, &l->flags) & ~(uint32_t)COMPUTED;
    WRITE_FLAGS(interface_flags, flags | computed_flags(vt_object_uint(&o, &l->state), state),
                i->flags);
    write_type((uint32_t)vt_object_uint(&o, &l->type), i->type, sizeof i->type);
    read_mac(look, VT_GVA(vt_object_uint(&o, &l->mac)), (uint32_t)vt_object_uint(&o, &l->mac_len),
             i->mac, sizeof i->mac);
    uint64_t link_ops = vt_object_uint(&o, &l->link_ops);
    if (link_ops != 0 && l->kind.size != 0) {
        uint64_t kind = vt_look_member(look, VT_GVA(link_ops), &l->kind);
        vt_look_text(look, VT_GVA(kind), i->kind, sizeof i->kind);
    }
    struct vt_net_counters c = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
    vt_net_counters_read(w, device->at, &c);
    i->rx_packets = c.rx_packets;
    i->rx_bytes = c.rx_bytes;
    i->tx_packets = c.tx_packets;
    i->tx_bytes = c.tx_bytes;
}

static void read_ip(struct vt_look *look, struct vt_gva at, const struct vt_member *member,
                    char *text, size_t size)
{
    uint8_t bytes[16];
    text[0] = '\0';
    if (member->size == 4 || member->size == 16) {
        vt_look_read(look, VT_GVA(at.v + member->offset), bytes, member->size);
        vt_socket_address_text(bytes, member->size, text, size);
    }
}

static void finish_address(struct vt_look *look, struct vt_interface *i, uint32_t bits,
                           uint32_t flags)
{
    if (i->prefix > bits || i->scope == NULL) {
        vt_look_doubt(look, "no address's prefix and scope");
    }
    WRITE_FLAGS(address_flags, flags, i->address_flags);
    snprintf(i->cidr, sizeof i->cidr, "%s/%" PRIu32, i->address, i->prefix);
}

static void read_ifa(struct vt_look *look, const struct layout *l, struct vt_gva at,
                     struct vt_interface *i)
{
    struct vt_object o;
    i->family = "inet";
    if (!vt_look_object(look, at, l->ifa, &o)) {
        return;
    }
    read_ip(look, at, &l->ifa_local, i->address, sizeof i->address);
    read_ip(look, at, &l->ifa_address, i->peer, sizeof i->peer);
    if (strcmp(i->address, i->peer) == 0) {
        i->peer[0] = '\0';
    }
    i->prefix = (uint32_t)vt_object_uint(&o, &l->ifa_prefix);
    i->scope = scope_of((uint32_t)vt_object_uint(&o, &l->ifa_scope));
    vt_object_text(&o, &l->ifa_label, i->label, sizeof i->label);
    finish_address(look, i, 32, (uint32_t)vt_object_uint(&o, &l->ifa_flags));
}

static void read_ifa6(struct vt_look *look, const struct layout *l, struct vt_gva at,
                      struct vt_interface *i)
{
    struct vt_object o;
    i->family = "inet6";
    if (!vt_look_object(look, at, l->addr, &o)) {
        return;
    }
    read_ip(look, at, &l->addr_ip, i->address, sizeof i->address);
    read_ip(look, at, &l->addr_peer, i->peer, sizeof i->peer);
    if (strcmp(i->peer, "::") == 0) {
        i->peer[0] = '\0';
    }
    i->prefix = (uint32_t)vt_object_uint(&o, &l->addr_prefix);
    i->scope = scope6_of((uint32_t)vt_object_uint(&o, &l->addr_scope));
    finish_address(look, i, 128, (uint32_t)vt_object_uint(&o, &l->addr_flags));
}

typedef void read_address_fn(struct vt_look *look, const struct layout *l, struct vt_gva at,
                             struct vt_interface *i);

/* A row: the interface, and the address at `at` as `read` says (NULL: none). */
static int give(struct vt_walk *w, const struct layout *l, const struct vt_netns *net,
                const struct vt_netdev *device, struct vt_gva at, bool torn, read_address_fn *read)
{
    struct vt_interface row;
    do {
        vt_look_begin(&w->look);
        read_interface(w, l, net, device, &row);
        if (read != NULL) {
            read(&w->look, l, at, &row);
        }
        if (torn) {
            vt_look_doubt(&w->look, "its link is not symmetric");
        }
    } while (vt_look_again(&w->look));
    return vt_walk_row(w, &row.row);
}

/* What a pointer of the device points to, 0: nothing or not readable. */
static uint64_t pointer(struct vt_walk *w, uint64_t at, const struct vt_member *member)
{
    uint64_t value = 0;
    if (member->size == sizeof value) {
        vt_space_read_u64(w->space, VT_GVA(at + member->offset), &value, NULL);
    }
    return value;
}

static int walk_ip(struct vt_walk *w, const struct layout *l, const struct vt_netns *net,
                   const struct vt_netdev *device, unsigned *n, struct vt_error *err)
{
    struct vt_seen seen = {0};
    uint64_t ip = pointer(w, device->at.v, &l->ip);
    uint64_t at = ip != 0 ? pointer(w, ip, &l->ifa_list) : 0;
    int rc = 0;
    while (at != 0 && rc == 0) {
        rc = vt_seen_add(&seen, at, err);
        if (rc == 0 || seen.n > ADDRESSES_MAX) {
            vt_walk_torn(w, "the addresses of %s go round in a circle", device->name);
            break;
        }
        if (rc == 1) {
            rc = give(w, l, net, device, VT_GVA(at), false, read_ifa);
            at = pointer(w, at, &l->ifa_next);
            ++*n;
        }
    }
    vt_seen_fini(&seen);
    return rc;
}

static int walk_ip6(struct vt_walk *w, const struct layout *l, const struct vt_netns *net,
                    const struct vt_netdev *device, unsigned *n, struct vt_error *err)
{
    struct vt_list_walk list;
    struct vt_gva node;
    uint64_t ip6 = pointer(w, device->at.v, &l->ip6);
    int rc;
    if (ip6 == 0 || l->addr_list.size == 0 || l->addr_node.size == 0) {
        return 0;
    }
    vt_list_begin(&list, w->space, VT_GVA(ip6 + l->addr_list.offset),
                  vt_walk_cap(w, l->addr_bytes.size, ADDRESSES_MAX));
    while ((rc = vt_list_next(&list, &node, err)) == 1) {
        rc = give(w, l, net, device, VT_GVA(node.v - l->addr_node.offset), list.torn_link,
                  read_ifa6);
        ++*n;
        if (rc != 0) {
            break;
        }
    }
    vt_walk_list_end(w, &list);
    return rc;
}

static int walk(struct vt_walk *w, struct vt_error *err)
{
    const struct layout *l;
    struct vt_netns_list nets;
    int rc = vt_layout_take(w->kernel, &type, &l, err);
    rc = rc != 0 ? rc : vt_netns_take(w, &nets, err);
    if (rc != 0) {
        return rc;
    }
    for (size_t i = 0; i < nets.n && rc == 0; i++) {
        const struct vt_netns *net = &nets.list[i];
        for (size_t d = 0; d < net->n_devices && rc == 0; d++) {
            unsigned n = 0;
            rc = walk_ip(w, l, net, &net->devices[d], &n, err);
            rc = rc != 0 ? rc : walk_ip6(w, l, net, &net->devices[d], &n, err);
            if (rc == 0 && n == 0) {
                rc = give(w, l, net, &net->devices[d], VT_GVA(0), false, NULL);
            }
        }
    }
    vt_netns_fini(&nets);
    return rc;
}

#define COLUMN(member, kind, key, title, doc) VT_COLUMN(vt_interface, member, kind, key, title, doc)
#define COUNTER(member, title, doc)                                                                \
    {COLUMN(member, VT_CELL_U64, #member, title, doc), .ones_are_none = true}

static const struct vt_column columns[] = {
    {COLUMN(ifindex, VT_CELL_U64, "ifindex", "INDEX", "number of the interface")},
    {COLUMN(name, VT_CELL_CHARS, "name", "NAME", "its name")},
    {COLUMN(type, VT_CELL_CHARS, "type", "TYPE", "ether, loopback, …")},
    {COLUMN(kind, VT_CELL_CHARS, "kind", "KIND", "of virtual ones: dummy, veth, bridge, …"),
     .zero_is_none = true},
    {COLUMN(state, VT_CELL_TEXT, "operstate", "STATE", "up, down, unknown, …")},
    {COLUMN(mtu, VT_CELL_U64, "mtu", "MTU", "largest packet, in bytes")},
    {COLUMN(mac, VT_CELL_CHARS, "mac", "MAC", "hardware address"), .zero_is_none = true},
    COUNTER(rx_packets, NULL, "packets received"),
    COUNTER(rx_bytes, "RX", "bytes received"),
    COUNTER(tx_packets, NULL, "packets sent"),
    COUNTER(tx_bytes, "TX", "bytes sent"),
    {COLUMN(promiscuity, VT_CELL_U64, "promiscuity", NULL, "how many asked for all packets")},
    {COLUMN(netns, VT_CELL_U64, "netns", NULL, "inode of its network namespace")},
    {COLUMN(family, VT_CELL_TEXT, "family", NULL, "of the address: inet, inet6")},
    {COLUMN(address, VT_CELL_CHARS, "address", NULL, "without its prefix"), .zero_is_none = true},
    {COLUMN(prefix, VT_CELL_U64, "prefix", NULL, "bits of the address that name the network")},
    {COLUMN(peer, VT_CELL_CHARS, "peer", NULL, "address of the other end, where it differs"),
     .zero_is_none = true},
    {COLUMN(label, VT_CELL_CHARS, "label", NULL, "of an IPv4 address"), .zero_is_none = true},
    {COLUMN(address_flags, VT_CELL_CHARS, "address_flags", NULL, "permanent, tentative, …"),
     .zero_is_none = true},
    {COLUMN(cidr, VT_CELL_CHARS, "cidr", "ADDRESS", "address and prefix"), .zero_is_none = true},
    {COLUMN(scope, VT_CELL_TEXT, "scope", "SCOPE", "of the address: global, link, host, …")},
    {COLUMN(flags, VT_CELL_CHARS, "flags", "FLAGS", "as ip shows them; PROMISC whoever wants it"),
     .zero_is_none = true},
};

const struct vt_noun vt_noun_net = {
    .name = "net",
    .member = "interfaces",
    .summary = "List network interfaces and their addresses",
    .group = "Guest",
    .description = "Every network namespace's interfaces, one row for each address. Counters are\n"
                   "'-' where the driver keeps them in a way of its own.",
    .examples = "vitrine net web\nvitrine net web --json",
    .columns = columns,
    .n_columns = sizeof columns / sizeof columns[0],
    .walk = walk,
};
