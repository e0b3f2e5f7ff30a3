/* guest/linux/socket_read.c - from a struct sock to a row: families, addresses, queues. See
 * sockets.h.
 *
 * A connection that is asked for (request_sock) and one that lingers (inet_timewait_sock) stand in
 * TCP's table like sockets, but only their beginning, struct sock_common, is one.
 * Numbers of families, types, protocols and states are those user space sees: they do not change.
 */
#include "guest/linux/sockets.h"

#include "base/cursor.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    FAMILY_UNIX = 1,
    FAMILY_INET = 2,
    FAMILY_INET6 = 10,
    FAMILY_NETLINK = 16,
    FAMILY_PACKET = 17,
    FAMILY_VSOCK = 40
};
enum { STATE_TIME_WAIT = 6, STATE_LISTEN = 10, STATE_NEW_SYN_RECV = 12 };
enum { PROTO_TCP = 6, PROTO_UDP = 17, PROTO_UDPLITE = 136, PROTO_MPTCP = 262 };
#define FAMILIES_MAX 64u
#define PATH_BYTES 108u
#define QUEUE_MAX 1024u

static const struct vt_field_spec specs[] = {
#define COMMON(slot, path) VT_FIELD(vt_socket_layout, slot, common, "sock_common", path)
#define COMMON_OPTIONAL(slot, path)                                                                \
    VT_FIELD_OPTIONAL(vt_socket_layout, slot, common, "sock_common", path)
    COMMON(family, "skc_family"),
    COMMON(state, "skc_state"),
    COMMON(daddr, "skc_daddr"),
    COMMON(rcv_saddr, "skc_rcv_saddr"),
    COMMON(dport, "skc_dport"),
    COMMON(num, "skc_num"),
    COMMON(bound, "skc_bound_dev_if"),
    COMMON(prot, "skc_prot"),
    COMMON_OPTIONAL(net, "skc_net"),
    COMMON_OPTIONAL(v6_daddr, "skc_v6_daddr"),
    COMMON_OPTIONAL(v6_rcv_saddr, "skc_v6_rcv_saddr"),
    COMMON_OPTIONAL(listener, "skc_listener"),
    VT_FIELD_BARE(vt_socket_layout, node, "sock_common", "skc_node"),
    VT_FIELD_SIZE(vt_socket_layout, common_bytes, "sock_common"),
    VT_FIELD(vt_socket_layout, type, sock, "sock", "sk_type"),
    VT_FIELD(vt_socket_layout, protocol, sock, "sock", "sk_protocol"),
    VT_FIELD(vt_socket_layout, uid, sock, "sock", "sk_uid"),
    VT_FIELD(vt_socket_layout, socket, sock, "sock", "sk_socket"),
#define BARE(slot, struct_, ...)                                                                   \
    VT_FIELD_BARE_OPTIONAL(vt_socket_layout, slot, struct_, __VA_ARGS__)
    BARE(rmem, "sock", "sk_backlog.rmem_alloc"),
    BARE(wmem, "sock", "sk_wmem_alloc"),
    BARE(backlog, "sock", "sk_ack_backlog"),
    BARE(queue, "sock", "sk_receive_queue"),
    BARE(queue_len, "sock", "sk_receive_queue.qlen"),
    BARE(buffer_len, "sk_buff", "len"),
    BARE(write_seq, "tcp_sock", "write_seq"),
    BARE(snd_una, "tcp_sock", "snd_una"),
    BARE(rcv_nxt, "tcp_sock", "rcv_nxt"),
    BARE(copied_seq, "tcp_sock", "copied_seq"),
    BARE(substate, "inet_timewait_sock", "tw_substate"),
    BARE(deficit, "udp_sock", "forward_deficit"),
    BARE(unix_addr, "unix_sock", "addr"),
    BARE(unix_peer, "unix_sock", "peer"),
    BARE(address_len, "unix_address", "len"),
    BARE(address_name, "unix_address", "name"),
    BARE(packet_num, "packet_sock", "num"),
    BARE(packet_ifindex, "packet_sock", "ifindex"),
    BARE(portid, "netlink_sock", "portid"),
    BARE(dst_portid, "netlink_sock", "dst_portid"),
    VT_FIELD_BARE(vt_socket_layout, socket_sk, "socket", "sk"),
    BARE(socket_of, "socket_alloc", "socket"),
    BARE(inode_of, "socket_alloc", "vfs_inode"),
    BARE(ino, "inode", "i_ino"),
    BARE(proto_name, "proto", "name"),
};
static const struct vt_layout_type type = VT_LAYOUT(vt_socket_layout, specs);

int vt_socket_layout_take(struct vt_kernel *kernel, const struct vt_socket_layout **layout,
                          struct vt_error *err)
{
    return vt_layout_take(kernel, &type, layout, err);
}

/* ---------------------------------------------------------------- numbers as text */

struct named {
    unsigned number;
    const char *name;
};

/* NULL where there is no name. */
static const char *name_of(const struct named *names, size_t n, unsigned number)
{
    for (size_t i = 0; i < n; i++) {
        if (names[i].number == number) {
            return names[i].name;
        }
    }
    return NULL;
}
#define NAME_OF(names, number) name_of(names, sizeof(names) / sizeof(names)[0], number)

static void write_name(const char *name, unsigned number, char *text, size_t size)
{
    if (name != NULL) {
        snprintf(text, size, "%s", name);
    } else {
        snprintf(text, size, "%u", number);
    }
}

static const struct named families[] = {
    {FAMILY_UNIX, "unix"},
    {FAMILY_INET, "inet"},
    {3, "ax25"},
    {4, "ipx"},
    {5, "appletalk"},
    {9, "x25"},
    {FAMILY_INET6, "inet6"},
    {15, "key"},
    {FAMILY_NETLINK, "netlink"},
    {FAMILY_PACKET, "packet"},
    {21, "rds"},
    {23, "irda"},
    {24, "pppox"},
    {26, "llc"},
    {29, "can"},
    {30, "tipc"},
    {31, "bluetooth"},
    {32, "iucv"},
    {33, "rxrpc"},
    {35, "phonet"},
    {36, "ieee802154"},
    {37, "caif"},
    {38, "alg"},
    {39, "nfc"},
    {FAMILY_VSOCK, "vsock"},
    {41, "kcm"},
    {42, "qipcrtr"},
    {43, "smc"},
    {44, "xdp"},
    {45, "mctp"},
};

static const struct named types[] = {
    {1, "stream"},    {2, "dgram"}, {3, "raw"},     {4, "rdm"},
    {5, "seqpacket"}, {6, "dccp"},  {10, "packet"},
};

static const struct named inet_protocols[] = {
    {0, "ip"},          {1, "icmp"},
    {2, "igmp"},        {4, "ipip"},
    {PROTO_TCP, "tcp"}, {PROTO_UDP, "udp"},
    {33, "dccp"},       {41, "ipv6"},
    {47, "gre"},        {50, "esp"},
    {51, "ah"},         {58, "icmpv6"},
    {89, "ospf"},       {103, "pim"},
    {112, "vrrp"},      {115, "l2tp"},
    {132, "sctp"},      {PROTO_UDPLITE, "udplite"},
    {255, "raw"},       {PROTO_MPTCP, "mptcp"},
};

static const struct named netlink_protocols[] = {
    {0, "route"},      {1, "unused"},  {2, "usersock"},    {3, "firewall"},
    {4, "sock_diag"},  {5, "nflog"},   {6, "xfrm"},        {7, "selinux"},
    {8, "iscsi"},      {9, "audit"},   {10, "fib_lookup"}, {11, "connector"},
    {12, "netfilter"}, {13, "ip6_fw"}, {14, "dnrtmsg"},    {15, "kobject_uevent"},
    {16, "generic"},   {18, "scsi"},   {19, "ecryptfs"},   {20, "rdma"},
    {21, "crypto"},    {22, "smc"},
};

static const struct named packet_protocols[] = {
    {0x0001, "802.3"}, {0x0003, "all"},    {0x0004, "802.2"}, {0x0800, "ip"},
    {0x0806, "arp"},   {0x8100, "802.1q"}, {0x86dd, "ipv6"},  {0x8863, "pppoe_d"},
    {0x8864, "pppoe"}, {0x888e, "802.1x"}, {0x88cc, "lldp"},
};

static const char *const states[] = {
    "",      "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2",    "TIME_WAIT",
    "CLOSE", "CLOSE_WAIT",  "LAST_ACK", "LISTEN",   "CLOSING",   "NEW_SYN_RECV",
};

void vt_socket_protocol_text(unsigned family, unsigned protocol, char *text, size_t size)
{
    const char *name = NULL;
    switch (family) {
    case FAMILY_INET:
    case FAMILY_INET6:
        name = NAME_OF(inet_protocols, protocol);
        break;
    case FAMILY_NETLINK:
        name = NAME_OF(netlink_protocols, protocol);
        break;
    case FAMILY_PACKET:
        name = NAME_OF(packet_protocols, protocol);
        if (name == NULL) {
            snprintf(text, size, protocol == 0 ? "none" : "0x%04x", protocol);
            return;
        }
        break;
    case FAMILY_UNIX:
        name = "unix";
        break;
    default:
        break;
    }
    write_name(name, protocol, text, size);
}

void vt_socket_address_text(const uint8_t *bytes, size_t n, char *text, size_t size)
{
    if (inet_ntop(n == 16 ? AF_INET6 : AF_INET, bytes, text, (socklen_t)size) == NULL) {
        text[0] = '\0';
    }
}

void vt_socket_path_text(const uint8_t *bytes, size_t n, char *text, size_t size)
{
    size_t used = 0;
    if (n > 0 && bytes[0] != '\0') {
        n = strnlen((const char *)bytes, n); /* a file's: ended by a zero, which is counted */
    }
    for (; used < n && used + 1 < size; used++) {
        text[used] = bytes[used] != '\0' ? (char)bytes[used] : '@';
    }
    text[used] = '\0';
}

/* ---------------------------------------------------------------- addresses */

/* The bytes of a member that is an address, of the object at `at`. */
static void read_address(struct vt_look *look, struct vt_gva at, const struct vt_member *member,
                         char *text, size_t size)
{
    uint8_t bytes[16];
    if (member->size != 4 && member->size != 16) {
        text[0] = '\0';
        return;
    }
    vt_look_read(look, VT_GVA(at.v + member->offset), bytes, member->size);
    vt_socket_address_text(bytes, member->size, text, size);
}

static void join(const char *address, uint32_t port, bool v6, char *text, size_t size)
{
    snprintf(text, size, v6 ? "[%s]:%" PRIu32 : "%s:%" PRIu32, address, port);
}

static void read_inet(struct vt_look *look, const struct vt_socket_layout *l,
                      const struct vt_object *common, struct vt_socket *s)
{
    bool v6 = vt_object_uint(common, &l->family) == FAMILY_INET6;
    read_address(look, common->at, v6 ? &l->v6_rcv_saddr : &l->rcv_saddr, s->local_address,
                 sizeof s->local_address);
    read_address(look, common->at, v6 ? &l->v6_daddr : &l->daddr, s->peer_address,
                 sizeof s->peer_address);
    s->local_port = (uint32_t)vt_object_uint(common, &l->num);
    s->peer_port = ntohs((uint16_t)vt_object_uint(common, &l->dport));
    join(s->local_address, s->local_port, v6, s->local, sizeof s->local);
    join(s->peer_address, s->peer_port, v6, s->peer, sizeof s->peer);
}

static void read_unix_address(struct vt_look *look, const struct vt_socket_layout *l,
                              struct vt_gva at, char *text, size_t size)
{
    uint8_t path[PATH_BYTES];
    uint64_t address = vt_look_member(look, at, &l->unix_addr);
    text[0] = '\0';
    if (address == 0) {
        return;
    }
    uint32_t n = (uint32_t)vt_look_member(look, VT_GVA(address), &l->address_len);
    if (n < sizeof(uint16_t) || n > sizeof(uint16_t) + sizeof path + 1) {
        vt_look_doubt(look, "an address of %u bytes", n);
        return;
    }
    n -= (uint32_t)sizeof(uint16_t); /* sun_family */
    n = n < sizeof path ? n : (uint32_t)sizeof path;
    vt_look_read(look, VT_GVA(address + l->address_name.offset + sizeof(uint16_t)), path, n);
    vt_socket_path_text(path, n, text, size);
}

/* The inode number of the file that was made for a sock, 0: none. */
static uint64_t read_inode(struct vt_look *look, const struct vt_socket_layout *l, uint64_t socket)
{
    if (socket == 0 || l->inode_of.size == 0) {
        return 0;
    }
    uint64_t inode = socket - l->socket_of.offset + l->inode_of.offset;
    return vt_look_member(look, VT_GVA(inode), &l->ino);
}

static void read_unix(struct vt_look *look, const struct vt_socket_layout *l, struct vt_gva at,
                      struct vt_socket *s)
{
    read_unix_address(look, l, at, s->local_address, sizeof s->local_address);
    snprintf(s->local, sizeof s->local, "%s", s->local_address);
    struct vt_gva peer = VT_GVA(vt_look_member(look, at, &l->unix_peer));
    if (peer.v != 0) {
        read_unix_address(look, l, peer, s->peer_address, sizeof s->peer_address);
        s->peer_inode = read_inode(look, l, vt_look_member(look, peer, &l->socket));
        if (s->peer_address[0] != '\0') {
            snprintf(s->peer, sizeof s->peer, "%s", s->peer_address);
        } else {
            snprintf(s->peer, sizeof s->peer, "socket:[%" PRIu64 "]", s->peer_inode);
        }
    }
}

static void read_netlink(struct vt_look *look, const struct vt_socket_layout *l, struct vt_gva at,
                         struct vt_socket *s)
{
    s->local_port = (uint32_t)vt_look_member(look, at, &l->portid);
    s->peer_port = (uint32_t)vt_look_member(look, at, &l->dst_portid);
    if (s->local_port != 0) {
        snprintf(s->local, sizeof s->local, "%" PRIu32, s->local_port);
    } else {
        snprintf(s->local, sizeof s->local, "kernel");
    }
    if (s->peer_port != 0) {
        snprintf(s->peer, sizeof s->peer, "%" PRIu32, s->peer_port);
    }
}

/* ---------------------------------------------------------------- queues: they never hold still */

static uint32_t now(struct vt_walk *w, struct vt_gva at, const struct vt_member *member)
{
    uint32_t value = 0;
    if (member->size == sizeof value) {
        vt_space_read_u32(w->space, VT_GVA(at.v + member->offset), &value, NULL);
    }
    return value;
}

/* What is queued for a reader: unix sockets charge it to who wrote it. */
static uint64_t queued(struct vt_walk *w, const struct vt_socket_layout *l, struct vt_gva at)
{
    uint64_t bytes = 0, head = at.v + l->queue.offset, buffer = 0;
    if (l->queue.size == 0 || l->buffer_len.size != sizeof(uint32_t) ||
        vt_space_read_u64(w->space, VT_GVA(head), &buffer, NULL) != 0) {
        return 0;
    }
    for (unsigned i = 0; i < QUEUE_MAX && buffer != head; i++) {
        bytes += now(w, VT_GVA(buffer), &l->buffer_len);
        if (vt_space_read_u64(w->space, VT_GVA(buffer), &buffer, NULL) != 0) {
            break;
        }
    }
    return bytes;
}

static void read_queues(struct vt_walk *w, const struct vt_socket_layout *l, struct vt_gva at,
                        unsigned family, unsigned protocol, bool listens, struct vt_socket *s)
{
    bool inet = family == FAMILY_INET || family == FAMILY_INET6;
    if (inet && protocol == PROTO_TCP && strcmp(s->type, "stream") == 0) {
        int32_t unread = (int32_t)(now(w, at, &l->rcv_nxt) - now(w, at, &l->copied_seq));
        s->rx_bytes = listens ? now(w, at, &l->backlog) : unread > 0 ? (uint64_t)unread : 0;
        s->tx_bytes = now(w, at, &l->write_seq) - now(w, at, &l->snd_una);
        return;
    }
    uint32_t wmem = now(w, at, &l->wmem);
    s->tx_bytes = wmem > 0 ? wmem - 1 : 0; /* the socket itself holds one */
    if (family == FAMILY_UNIX) {
        s->rx_bytes = listens ? now(w, at, &l->queue_len) : queued(w, l, at);
        return;
    }
    uint32_t rmem = now(w, at, &l->rmem);
    if (inet && (protocol == PROTO_UDP || protocol == PROTO_UDPLITE)) {
        rmem -= now(w, at, &l->deficit); /* read, and not given back yet */
    }
    s->rx_bytes = (int32_t)rmem > 0 ? rmem : 0;
}

/* ---------------------------------------------------------------- the row */

static bool has_states(unsigned family)
{
    return family == FAMILY_UNIX || family == FAMILY_INET || family == FAMILY_INET6 ||
           family == FAMILY_VSOCK;
}

/* What a full struct sock says that its beginning does not. */
static void read_full(struct vt_walk *w, const struct vt_socket_layout *l,
                      const struct vt_object *common, const struct vt_netns *net,
                      struct vt_socket *s)
{
    struct vt_object o;
    struct vt_look *look = &w->look;
    unsigned family = (unsigned)vt_object_uint(common, &l->family);
    if (!vt_look_object(look, common->at, l->sock, &o)) {
        return;
    }
    unsigned kind = (unsigned)vt_object_uint(&o, &l->type);
    unsigned protocol = (unsigned)vt_object_uint(&o, &l->protocol);
    write_name(NAME_OF(types, kind), kind, s->type, sizeof s->type);
    s->uid = (uint32_t)vt_object_uint(&o, &l->uid);
    struct vt_gva socket = VT_GVA(vt_object_uint(&o, &l->socket));
    s->inode = read_inode(look, l, socket.v);
    if (socket.v != 0 && protocol != PROTO_TCP &&
        vt_look_member(look, socket, &l->socket_sk) != common->at.v) {
        vt_look_doubt(look, "its struct socket is another's"); /* MPTCP lends its own to TCP's */
    }
    switch (family) {
    case FAMILY_UNIX:
        read_unix(look, l, common->at, s);
        break;
    case FAMILY_NETLINK:
        read_netlink(look, l, common->at, s);
        break;
    case FAMILY_PACKET:
        protocol = ntohs((uint16_t)vt_look_member(look, common->at, &l->packet_num));
        snprintf(
            s->device, sizeof s->device, "%s",
            vt_netns_device(net, (uint32_t)vt_look_member(look, common->at, &l->packet_ifindex)));
        break;
    default:
        break;
    }
    vt_socket_protocol_text(family, protocol, s->protocol, sizeof s->protocol);
    if (NAME_OF(families, family) == NULL || family > FAMILY_PACKET) {
        uint64_t prot = vt_object_uint(common, &l->prot);
        vt_look_text(look, VT_GVA(prot + l->proto_name.offset), s->protocol, sizeof s->protocol);
    }
    bool listens = vt_object_uint(common, &l->state) == STATE_LISTEN;
    read_queues(w, l, common->at, family, protocol, listens, s);
}

/* A connection that is asked for, or lingers: TCP's. */
static void read_part(struct vt_look *look, const struct vt_socket_layout *l,
                      const struct vt_object *common, unsigned *state, struct vt_socket *s)
{
    snprintf(s->type, sizeof s->type, "stream");
    snprintf(s->protocol, sizeof s->protocol, "tcp");
    s->uid = UINT32_MAX;
    if (*state == STATE_TIME_WAIT && l->substate.size != 0) {
        *state = (unsigned)vt_look_member(look, common->at, &l->substate);
    } else if (*state == STATE_NEW_SYN_RECV) {
        uint64_t listener = vt_object_uint(common, &l->listener);
        *state = 3; /* what the other side is told */
        if (listener != 0) {
            s->uid = (uint32_t)vt_look_member(look, VT_GVA(listener), &l->uid);
        }
    }
}

void vt_socket_read(struct vt_walk *walk, const struct vt_socket_layout *layout,
                    const struct vt_netns_list *nets, struct vt_gva at, struct vt_socket *socket)
{
    const struct vt_socket_layout *l = layout;
    struct vt_look *look = &walk->look;
    struct vt_object common;
    *socket = (struct vt_socket){.row.at = at, .uid = UINT32_MAX, .fd = -1};
    if (!vt_look_object(look, at, l->common, &common)) {
        return;
    }
    unsigned family = (unsigned)vt_object_uint(&common, &l->family);
    unsigned state = (unsigned)vt_object_uint(&common, &l->state);
    if (family == 0 || family >= FAMILIES_MAX || state >= sizeof states / sizeof states[0]) {
        vt_look_doubt(look, "no socket's family and state");
        return;
    }
    const struct vt_netns *net = vt_netns_find(nets, VT_GVA(vt_object_uint(&common, &l->net)));
    if (net == NULL && l->net.size != 0) {
        vt_look_doubt(look, "its network namespace is none");
    }
    socket->netns = net != NULL ? net->inode : 0;
    write_name(NAME_OF(families, family), family, socket->family, sizeof socket->family);
    uint32_t bound = (uint32_t)vt_object_uint(&common, &l->bound);
    snprintf(socket->device, sizeof socket->device, "%s", vt_netns_device(net, bound));
    bool inet = family == FAMILY_INET || family == FAMILY_INET6;
    if (inet) {
        read_inet(look, l, &common, socket);
    }
    if (inet && (state == STATE_TIME_WAIT || state == STATE_NEW_SYN_RECV)) {
        read_part(look, l, &common, &state, socket);
    } else {
        read_full(walk, l, &common, net, socket);
    }
    if (has_states(family) && state < sizeof states / sizeof states[0]) {
        snprintf(socket->state, sizeof socket->state, "%s", states[state]);
    }
}
