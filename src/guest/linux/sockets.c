/* guest/linux/sockets.c - every socket: the tables of each protocol, then what only a descriptor
 * leads to. See vitrine/linux.h.
 *
 *   TCP       inet_hashinfo: ehash, and listening_hash or lhash2; one for all, or a namespace's own
 *   UDP(Lite) udp_table: one for all, or a namespace's own
 *   raw, ping raw_hashinfo, ping_table
 *   unix      unix_socket_table, or a namespace's unx.table
 *   packet    a namespace's packet.sklist
 *   netlink   nl_table: a resizable table for each protocol
 *
 * Sockets of other families, and those that were never bound, are in no table: the descriptors of
 * processes lead to them.
 */
#include "guest/linux/sockets.h"

#include "guest/linux/holders.h"
#include "guest/linux/rhash.h"

#include <stdio.h>
#include <string.h>

#define SOCKETS_MAX (1u << 24)
/* Both have had this size since the beginning (net/af_unix.h: UNIX_HASH_SIZE, twice 256;
 * uapi/linux/netlink.h: MAX_LINKS). */
#define UNIX_BUCKETS 512u
#define NETLINK_PROTOCOLS 32u

struct layout {
    struct vt_member hashinfo, udp, packets, unix_buckets; /* of struct net */
    struct vt_member ehash, ehash_mask, lhash2, lhash2_mask, listening;
    struct vt_member listen_head, listen_bytes, ehash_bytes;
    struct vt_member udp_hash, udp_mask, udp_bytes;
    struct vt_member raw_heads, ping_heads;
    struct vt_member netlink_hash, netlink_bytes, netlink_node;
};

static const struct vt_field_spec specs[] = {
#define BARE(slot, struct_, ...) VT_FIELD_BARE_OPTIONAL(layout, slot, struct_, __VA_ARGS__)
#define SIZE(slot, struct_) VT_FIELD_SIZE_OPTIONAL(layout, slot, struct_)
    BARE(hashinfo, "net", "ipv4.tcp_death_row.hashinfo"),
    BARE(udp, "net", "ipv4.udp_table"),
    BARE(packets, "net", "packet.sklist"),
    BARE(unix_buckets, "net", "unx.table.buckets"),
    BARE(ehash, "inet_hashinfo", "ehash"),
    BARE(ehash_mask, "inet_hashinfo", "ehash_mask"),
    BARE(lhash2, "inet_hashinfo", "lhash2"),
    BARE(lhash2_mask, "inet_hashinfo", "lhash2_mask"),
    BARE(listening, "inet_hashinfo", "listening_hash"),
    BARE(listen_head, "inet_listen_hashbucket", "nulls_head"),
    SIZE(listen_bytes, "inet_listen_hashbucket"),
    SIZE(ehash_bytes, "inet_ehash_bucket"),
    BARE(udp_hash, "udp_table", "hash"),
    BARE(udp_mask, "udp_table", "mask"),
    SIZE(udp_bytes, "udp_hslot"),
    BARE(raw_heads, "raw_hashinfo", "ht"),
    BARE(ping_heads, "ping_table", "hash"),
    BARE(netlink_hash, "netlink_table", "hash"),
    SIZE(netlink_bytes, "netlink_table"),
    BARE(netlink_node, "netlink_sock", "node"),
};
static const struct vt_layout_type type = VT_LAYOUT(layout, specs);

struct sockets {
    struct vt_walk *w;
    const struct layout *l;
    const struct vt_socket_layout *sock;
    struct vt_netns_list nets;
    struct vt_holders holders;
    struct vt_seen listed; /* sockets given so far */
    struct vt_seen tables; /* walked so far: namespaces may share one */
    size_t cap;
};

/* ---------------------------------------------------------------- rows */

/* Whether the chain it stands in leads to it: a socket may have come since its table was walked. */
static bool is_linked(const struct sockets *s, struct vt_gva at)
{
    uint64_t node = at.v + s->sock->node.offset, pprev, next;
    return vt_space_read_u64(s->w->space, VT_GVA(node + sizeof next), &pprev, NULL) == 0 &&
           vt_space_read_u64(s->w->space, VT_GVA(pprev), &next, NULL) == 0 && next == node;
}

/* Whether a table of the kernel has to have it. */
static bool belongs_in_table(const struct vt_socket *row)
{
    if (strncmp(row->family, "inet", 4) != 0) {
        return strcmp(row->family, "unix") == 0 || strcmp(row->family, "packet") == 0;
    }
    return strcmp(row->protocol, "tcp") == 0
               ? strcmp(row->state, "CLOSE") != 0
               : strcmp(row->protocol, "udp") == 0 && row->local_port != 0;
}

static int give(struct sockets *s, struct vt_gva at, bool listed, bool torn_link)
{
    struct vt_walk *w = s->w;
    struct vt_socket row;
    size_t n_holders;
    const struct vt_holder *holder = vt_holders_of(&s->holders, at, &n_holders);
    if (w->query.pid != 0 && holder == NULL) {
        return 0;
    }
    do {
        vt_look_begin(&w->look);
        vt_socket_read(w, s->sock, &s->nets, at, &row);
        if (torn_link) {
            vt_look_doubt(&w->look, "its link is not symmetric");
        }
    } while (vt_look_again(&w->look));
    row.listed = listed;
    row.holders = (uint32_t)n_holders;
    if (holder != NULL) {
        row.pid = holder->pid;
        row.fd = (int32_t)holder->fd;
        snprintf(row.comm, sizeof row.comm, "%s", holder->comm);
    }
    if (!listed && !w->look.doubted && belongs_in_table(&row) && !is_linked(s, at)) {
        vt_row_find(&row.row, "it is in use, but in no table of the kernel's: it hides from ss and "
                              "/proc/net");
    }
    return vt_walk_row(w, &row.row);
}

/* A socket of a table; one that stands in two is given once. */
static int give_listed(struct sockets *s, struct vt_gva at, bool torn_link, struct vt_error *err)
{
    int rc = vt_seen_add(&s->listed, at.v, err);
    return rc == 1 ? give(s, at, true, torn_link) : rc;
}

/* ---------------------------------------------------------------- tables of chains */

/* Heads of hash chains, `stride` bytes apart, whose nodes lie at `node` in a socket. */
struct heads {
    struct vt_gva at;
    uint64_t n, stride;
    uint32_t node;
    enum vt_hlist_kind kind;
};

static bool is_empty(const struct heads *heads, uint64_t head)
{
    return head == 0 || (heads->kind == VT_HLIST_NULLS && (head & 1) != 0);
}

static int walk_bucket(struct sockets *s, struct vt_hlist_walk *hash, const struct heads *heads,
                       struct vt_gva head, struct vt_error *err)
{
    struct vt_gva node;
    int rc;
    vt_hlist_bucket(hash, head);
    while ((rc = vt_hlist_next(hash, &node, err)) == 1) {
        rc = give_listed(s, VT_GVA(node.v - heads->node), hash->torn_link, err);
        if (rc != 0) {
            break;
        }
    }
    return rc;
}

/* Most buckets are empty: heads are read many at a time. */
static int walk_heads(struct sockets *s, const struct heads *heads, struct vt_error *err)
{
    struct vt_hlist_walk hash;
    uint64_t page[VT_PAGE_BYTES / sizeof(uint64_t)];
    uint64_t at_once = heads->stride == 0 ? 0 : sizeof page / heads->stride;
    int rc = 0;
    if (at_once == 0 || heads->stride % sizeof(uint64_t) != 0 ||
        heads->n > vt_ram_size(s->w->kernel->ram) / heads->stride) {
        vt_walk_torn(s->w, "a table of %llu sockets", (unsigned long long)heads->n);
        return 0;
    }
    vt_hlist_begin(&hash, s->w->space, heads->kind, s->cap);
    for (uint64_t i = 0; i < heads->n && rc == 0; i += at_once) {
        uint64_t n = heads->n - i < at_once ? heads->n - i : at_once;
        struct vt_gva first = VT_GVA(heads->at.v + i * heads->stride);
        uint64_t bytes = (n - 1) * heads->stride + sizeof page[0];
        if (vt_space_read(s->w->space, first, page, bytes, NULL) != 0) {
            vt_walk_torn(s->w, "a table of sockets cannot be read");
            break;
        }
        for (uint64_t k = 0; k < n && rc == 0; k++) {
            if (!is_empty(heads, page[k * heads->stride / sizeof page[0]])) {
                rc = walk_bucket(s, &hash, heads, VT_GVA(first.v + k * heads->stride), err);
            }
        }
    }
    vt_walk_hlist_end(s->w, &hash);
    return rc;
}

/* Whether the table at `at` is one that was not walked yet. */
static bool is_new_table(struct sockets *s, uint64_t at)
{
    return at != 0 && vt_seen_add(&s->tables, at, NULL) == 1;
}

static uint64_t read_pointer(struct sockets *s, struct vt_gva at)
{
    uint64_t value = 0;
    if (vt_space_read_u64(s->w->space, at, &value, NULL) != 0) {
        vt_walk_torn(s->w, "a table of sockets cannot be read");
    }
    return value;
}

static uint32_t read_count(struct sockets *s, struct vt_gva at)
{
    uint32_t value = 0;
    if (vt_space_read_u32(s->w->space, at, &value, NULL) != 0) {
        vt_walk_torn(s->w, "a table of sockets cannot be read");
    }
    return value;
}

/* ---------------------------------------------------------------- protocols */

static int walk_tcp(struct sockets *s, uint64_t info, struct vt_error *err)
{
    const struct layout *l = s->l;
    struct heads heads = {
        .at = VT_GVA(read_pointer(s, VT_GVA(info + l->ehash.offset))),
        .n = (uint64_t)read_count(s, VT_GVA(info + l->ehash_mask.offset)) + 1,
        .stride = l->ehash_bytes.size,
        .node = s->sock->node.offset,
        .kind = VT_HLIST_NULLS,
    };
    if (heads.at.v == 0) {
        return 0;
    }
    int rc = walk_heads(s, &heads, err);
    if (rc != 0 || l->listen_head.size == 0) {
        return rc;
    }
    heads.stride = l->listen_bytes.size;
    if (l->listening.size != 0) {
        heads.at = VT_GVA(info + l->listening.offset);
        heads.n = l->listening.size / heads.stride;
    } else {
        heads.at = VT_GVA(read_pointer(s, VT_GVA(info + l->lhash2.offset)));
        heads.n = (uint64_t)read_count(s, VT_GVA(info + l->lhash2_mask.offset)) + 1;
    }
    heads.at.v += heads.at.v != 0 ? l->listen_head.offset : 0;
    return heads.at.v != 0 ? walk_heads(s, &heads, err) : 0;
}

static int walk_udp(struct sockets *s, uint64_t table, struct vt_error *err)
{
    struct heads heads = {
        .at = VT_GVA(read_pointer(s, VT_GVA(table + s->l->udp_hash.offset))),
        .n = (uint64_t)read_count(s, VT_GVA(table + s->l->udp_mask.offset)) + 1,
        .stride = s->l->udp_bytes.size,
        .node = s->sock->node.offset,
        .kind = VT_HLIST,
    };
    return heads.at.v != 0 ? walk_heads(s, &heads, err) : 0;
}

/* Heads that are a member of the struct at `table`. They end with NULL in some kernels and as nulls
 * lists do in others: the latter is told by its odd number. */
static int walk_array(struct sockets *s, uint64_t table, const struct vt_member *member,
                      struct vt_error *err)
{
    struct heads heads = {
        .at = VT_GVA(table + member->offset),
        .n = member->size / sizeof(uint64_t),
        .stride = sizeof(uint64_t),
        .node = s->sock->node.offset,
        .kind = VT_HLIST_NULLS,
    };
    return walk_heads(s, &heads, err);
}

static int walk_unix(struct sockets *s, uint64_t buckets, struct vt_error *err)
{
    struct heads heads = {
        .at = VT_GVA(buckets),
        .n = UNIX_BUCKETS,
        .stride = sizeof(uint64_t),
        .node = s->sock->node.offset,
        .kind = VT_HLIST,
    };
    return walk_heads(s, &heads, err);
}

static int walk_netlink(struct sockets *s, uint64_t table, struct vt_error *err)
{
    const struct vt_rhash_layout *rhash;
    int rc = vt_rhash_layout_take(s->w->kernel, &rhash, err);
    for (unsigned i = 0; i < NETLINK_PROTOCOLS && rc == 0; i++) {
        struct vt_rhash_walk walk;
        struct vt_gva node;
        uint64_t one = table + (uint64_t)i * s->l->netlink_bytes.size;
        vt_rhash_begin(&walk, s->w->space, rhash, VT_GVA(one + s->l->netlink_hash.offset), s->cap);
        while (rc == 0 && (rc = vt_rhash_next(&walk, &node, err)) == 1) {
            rc = give_listed(s, VT_GVA(node.v - s->l->netlink_node.offset), false, err);
        }
        if (walk.torn) {
            vt_walk_torn(s->w, "%s", walk.why);
        }
        vt_rhash_end(&walk);
    }
    return rc;
}

/* ---------------------------------------------------------------- where the tables are */

typedef int walk_table_fn(struct sockets *s, uint64_t table, struct vt_error *err);

/* The table that a symbol is, or (pointed) points to; where the kernel has it and it is new. */
static int at_symbol(struct sockets *s, const char *symbol, bool pointed, walk_table_fn *walk,
                     struct vt_error *err)
{
    struct vt_gva at;
    if (vt_kernel_symbol(s->w->kernel, symbol, &at, NULL) != 0) {
        return 0;
    }
    uint64_t table = pointed ? read_pointer(s, at) : at.v;
    return is_new_table(s, table) ? walk(s, table, err) : 0;
}

/* The table that a member of every struct net points to. */
static int in_namespaces(struct sockets *s, const struct vt_member *member, walk_table_fn *walk,
                         struct vt_error *err)
{
    int rc = 0;
    for (size_t i = 0; i < s->nets.n && member->size == sizeof(uint64_t) && rc == 0; i++) {
        uint64_t table = read_pointer(s, VT_GVA(s->nets.list[i].at.v + member->offset));
        rc = is_new_table(s, table) ? walk(s, table, err) : 0;
    }
    return rc;
}

static int walk_raw(struct sockets *s, uint64_t table, struct vt_error *err)
{
    return walk_array(s, table, &s->l->raw_heads, err);
}

static int walk_ping(struct sockets *s, uint64_t table, struct vt_error *err)
{
    return walk_array(s, table, &s->l->ping_heads, err);
}

static int walk_packets(struct sockets *s, struct vt_error *err)
{
    int rc = 0;
    for (size_t i = 0; i < s->nets.n && s->l->packets.size != 0 && rc == 0; i++) {
        struct heads heads = {
            .at = VT_GVA(s->nets.list[i].at.v + s->l->packets.offset),
            .n = 1,
            .stride = sizeof(uint64_t),
            .node = s->sock->node.offset,
            .kind = VT_HLIST,
        };
        rc = walk_heads(s, &heads, err);
    }
    return rc;
}

static int walk_tables(struct sockets *s, struct vt_error *err)
{
    const struct layout *l = s->l;
    int rc = at_symbol(s, "tcp_hashinfo", false, walk_tcp, err);
    rc = rc != 0 ? rc : in_namespaces(s, &l->hashinfo, walk_tcp, err);
    rc = rc != 0 ? rc : at_symbol(s, "udp_table", false, walk_udp, err);
    rc = rc != 0 ? rc : in_namespaces(s, &l->udp, walk_udp, err);
    rc = rc != 0 ? rc : at_symbol(s, "udplite_table", false, walk_udp, err);
    rc = rc != 0 ? rc : at_symbol(s, "raw_v4_hashinfo", false, walk_raw, err);
    rc = rc != 0 ? rc : at_symbol(s, "raw_v6_hashinfo", false, walk_raw, err);
    rc = rc != 0 ? rc : at_symbol(s, "ping_table", false, walk_ping, err);
    rc = rc != 0 ? rc : at_symbol(s, "unix_socket_table", false, walk_unix, err);
    rc = rc != 0 ? rc : in_namespaces(s, &l->unix_buckets, walk_unix, err);
    rc = rc != 0 ? rc : walk_packets(s, err);
    return rc != 0 ? rc : at_symbol(s, "nl_table", true, walk_netlink, err);
}

static int walk_held(struct sockets *s, struct vt_error *err)
{
    int rc = 0;
    for (size_t i = 0; i < s->holders.n && rc == 0; i++) {
        struct vt_gva at = s->holders.list[i].object;
        if ((rc = vt_seen_add(&s->listed, at.v, err)) == 1) {
            rc = give(s, at, false, false);
        }
    }
    return rc;
}

static int walk(struct vt_walk *w, struct vt_error *err)
{
    struct sockets s = {.w = w};
    int rc = vt_layout_take(w->kernel, &type, &s.l, err);
    rc = rc != 0 ? rc : vt_socket_layout_take(w->kernel, &s.sock, err);
    rc = rc != 0 ? rc : vt_netns_take(w, &s.nets, err);
    rc = rc != 0 ? rc : vt_holders_take(w, "socket_file_ops", &s.sock->socket_sk, &s.holders, err);
    if (rc == 0) {
        s.cap = vt_walk_cap(w, s.sock->common_bytes.size, SOCKETS_MAX);
        rc = walk_tables(&s, err);
    }
    rc = rc != 0 ? rc : walk_held(&s, err);
    vt_netns_fini(&s.nets);
    vt_holders_fini(&s.holders);
    vt_seen_fini(&s.listed);
    vt_seen_fini(&s.tables);
    return rc;
}

#define COLUMN(member, kind, key, title, doc) VT_COLUMN(vt_socket, member, kind, key, title, doc)

static const struct vt_column columns[] = {
    {COLUMN(family, VT_CELL_CHARS, "family", "FAMILY", "inet, inet6, unix, packet, netlink, …")},
    {COLUMN(protocol, VT_CELL_CHARS, "protocol", "PROTO",
            "tcp, udp, icmp, …; of netlink: route, …")},
    {COLUMN(type, VT_CELL_CHARS, "type", "TYPE", "stream, dgram, raw, seqpacket, …")},
    {COLUMN(state, VT_CELL_CHARS, "state", "STATE", "as the kernel names TCP's states"),
     .zero_is_none = true},
    {COLUMN(rx_bytes, VT_CELL_U64, "rx_bytes", "RX",
            "received, not read yet; where it listens: connections to accept")},
    {COLUMN(tx_bytes, VT_CELL_U64, "tx_bytes", "TX", "sent and not acknowledged or taken yet")},
    {COLUMN(uid, VT_CELL_U64, "uid", "UID", "whose it is (sock.sk_uid)"), .ones_are_none = true},
    {COLUMN(inode, VT_CELL_U64, "inode", "INODE", "of its file; none: not accepted, or over"),
     .zero_is_none = true},
    {COLUMN(netns, VT_CELL_U64, "netns", NULL, "inode of its network namespace"),
     .zero_is_none = true},
    {COLUMN(device, VT_CELL_CHARS, "device", "DEV", "interface it is bound to"),
     .zero_is_none = true},
    {COLUMN(pid, VT_CELL_I64, "pid", "PID", "first process that holds it"), .zero_is_none = true},
    {COLUMN(fd, VT_CELL_I64, "fd", "FD", "descriptor there"), .ones_are_none = true},
    {COLUMN(comm, VT_CELL_CHARS, "comm", "COMMAND", "name of that process"), .zero_is_none = true},
    {COLUMN(holders, VT_CELL_U64, "holders", NULL, "descriptors of all processes that lead to it")},
    {COLUMN(listed, VT_CELL_BOOL, "listed", NULL, "whether a table of the kernel has it")},
    {COLUMN(local_address, VT_CELL_CHARS, "local_address", NULL, "address or path"),
     .zero_is_none = true},
    {COLUMN(local_port, VT_CELL_U64, "local_port", NULL,
            "of raw sockets the protocol, of netlink its id")},
    {COLUMN(peer_address, VT_CELL_CHARS, "peer_address", NULL, "address or path of the other end"),
     .zero_is_none = true},
    {COLUMN(peer_port, VT_CELL_U64, "peer_port", NULL, "port of the other end")},
    {COLUMN(peer_inode, VT_CELL_U64, "peer_inode", NULL, "of a unix socket's other end"),
     .zero_is_none = true},
    {COLUMN(local, VT_CELL_CHARS, "local", "LOCAL", "address and port, or path; @ is a zero byte"),
     .zero_is_none = true},
    {COLUMN(peer, VT_CELL_CHARS, "peer", "PEER", "the same of the other end"),
     .zero_is_none = true},
};

const struct vt_noun vt_noun_sockets = {
    .name = "sockets",
    .summary = "List the sockets of every network namespace",
    .group = "Guest",
    .description =
        "Walks the kernel's tables of TCP, UDP, raw, ping, unix, packet and netlink sockets, and\n"
        "says which process holds each. Sockets that only a descriptor leads to, because they\n"
        "were never bound or their family keeps no table, come last; one that should be in a "
        "table\n"
        "and is not has a finding.",
    .examples = "vitrine sockets web\nvitrine sockets web --pid 85 --json",
    .checks = true,
    .by_pid = true,
    .columns = columns,
    .n_columns = sizeof columns / sizeof columns[0],
    .walk = walk,
};
