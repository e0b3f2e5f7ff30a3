/* guest/linux/neighbours.c - who is reached by which hardware address: ARP's and NDISC's tables.
 * See vitrine/linux.h.
 *
 * Chains have been linked by a bare pointer (next) and are hash lists since 6.13; either way the
 * pointer to the next one comes first. (include/net/neighbour.h)
 */
#include "guest/linux/netns.h"
#include "guest/linux/sockets.h"

#include <stdio.h>
#include <string.h>

#define TABLES 3u /* enum: NEIGH_NR_TABLES, ARP, NDISC and at most one more */
#define NEIGHBOURS_MAX (1u << 22)
#define SHIFT_MAX 30u
#define MAC_MAX 32u

struct layout {
    struct vt_extent table;
    struct vt_member key_len, hash;
    struct vt_member heads, shift;
    struct vt_member next, neighbour_bytes;
    struct vt_extent neighbour;
    struct vt_member state, flags, device, mac, key;
    struct vt_member mac_len;
};

static const struct vt_field_spec specs[] = {
    VT_FIELD(layout, key_len, table, "neigh_table", "key_len"),
    VT_FIELD(layout, hash, table, "neigh_table", "nht"),
    VT_FIELD_BARE(layout, heads, "neigh_hash_table", "hash_buckets", "hash_heads"),
    VT_FIELD_BARE(layout, shift, "neigh_hash_table", "hash_shift"),
    VT_FIELD_BARE(layout, next, "neighbour", "next", "hash"),
    VT_FIELD(layout, state, neighbour, "neighbour", "nud_state"),
    VT_FIELD(layout, flags, neighbour, "neighbour", "flags"),
    VT_FIELD(layout, device, neighbour, "neighbour", "dev"),
    VT_FIELD_BARE(layout, mac, "neighbour", "ha"),
    VT_FIELD_BARE(layout, key, "neighbour", "primary_key"),
    VT_FIELD_SIZE(layout, neighbour_bytes, "neighbour"),
    VT_FIELD_BARE(layout, mac_len, "net_device", "addr_len"),
};
static const struct vt_layout_type type = VT_LAYOUT(layout, specs);

struct walking {
    struct vt_walk *w;
    const struct layout *l;
    struct vt_netns_list nets;
    struct vt_seen seen;
    const char *family;
    uint32_t key_bytes; /* 4 or 16 */
};

static const char *state_of(uint64_t bits)
{
    static const char *const names[] = {"incomplete", "reachable", "stale", "delay",
                                        "probe",      "failed",    "noarp", "permanent"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (bits == UINT64_C(1) << i) {
            return names[i];
        }
    }
    return "none";
}

/* The device's name and its namespace. */
static bool find_device(const struct walking *s, uint64_t device, struct vt_neighbour *n)
{
    for (size_t i = 0; i < s->nets.n; i++) {
        const struct vt_netns *net = &s->nets.list[i];
        for (size_t d = 0; d < net->n_devices; d++) {
            if (net->devices[d].at.v == device) {
                n->netns = net->inode;
                snprintf(n->device, sizeof n->device, "%s", net->devices[d].name);
                return true;
            }
        }
    }
    return false;
}

static void read_neighbour(struct walking *s, struct vt_gva at, struct vt_neighbour *n)
{
    enum { ROUTER = 1 << 7, PROXY = 1 << 3 };
    const struct layout *l = s->l;
    struct vt_look *look = &s->w->look;
    struct vt_object o;
    uint8_t bytes[MAC_MAX];
    *n = (struct vt_neighbour){.row.at = at, .family = s->family};
    if (!vt_look_object(look, at, l->neighbour, &o)) {
        return;
    }
    uint64_t device = vt_object_uint(&o, &l->device);
    if (!find_device(s, device, n)) {
        vt_look_doubt(look, "its interface is none");
        return;
    }
    uint64_t state = vt_object_uint(&o, &l->state);
    uint64_t flags = vt_object_uint(&o, &l->flags);
    n->state = state_of(state);
    n->router = (flags & ROUTER) != 0;
    n->proxy = (flags & PROXY) != 0;
    vt_look_read(look, VT_GVA(at.v + l->key.offset), bytes, s->key_bytes);
    vt_socket_address_text(bytes, s->key_bytes, n->address, sizeof n->address);
    uint64_t length = vt_look_member(look, VT_GVA(device), &l->mac_len);
    enum { VALID = 0x02 | 0x04 | 0x08 | 0x10 | 0x40 | 0x80 }; /* NUD_VALID */
    if ((state & VALID) == 0 || length > MAC_MAX || length > l->mac.size) {
        return;
    }
    vt_look_read(look, VT_GVA(at.v + l->mac.offset), bytes, length);
    for (size_t i = 0, used = 0; i < length && used < sizeof n->mac; i++) {
        used += (size_t)snprintf(n->mac + used, sizeof n->mac - used, i > 0 ? ":%02x" : "%02x",
                                 bytes[i]);
    }
}

static int walk_chain(struct walking *s, uint64_t at, struct vt_error *err)
{
    int rc = 0;
    while (at != 0 && rc == 0) {
        struct vt_neighbour row;
        rc = vt_seen_add(&s->seen, at, err);
        if (rc <= 0 || s->seen.n > NEIGHBOURS_MAX) {
            vt_walk_torn(s->w, "neighbours go round in a circle");
            return rc < 0 ? rc : 0;
        }
        struct vt_gva neighbour = VT_GVA(at - s->l->next.offset);
        do {
            vt_look_begin(&s->w->look);
            read_neighbour(s, neighbour, &row);
        } while (vt_look_again(&s->w->look));
        rc = vt_walk_row(s->w, &row.row);
        if (vt_space_read_u64(s->w->space, VT_GVA(at), &at, NULL) != 0) {
            vt_walk_torn(s->w, "neighbours lead nowhere");
            break;
        }
    }
    return rc;
}

static int walk_table(struct walking *s, struct vt_gva at, struct vt_error *err)
{
    const struct layout *l = s->l;
    struct vt_object o;
    struct vt_gva heads;
    uint32_t shift;
    if (vt_object_read(s->w->space, at, l->table, &o, NULL) != 0) {
        vt_walk_torn(s->w, "a table of neighbours cannot be read");
        return 0;
    }
    uint64_t hash = vt_object_uint(&o, &l->hash);
    s->key_bytes = (uint32_t)vt_object_uint(&o, &l->key_len);
    if (s->key_bytes != 4 && s->key_bytes != 16) {
        return 0; /* neither ARP nor NDISC */
    }
    s->family = s->key_bytes == 4 ? "inet" : "inet6";
    if (vt_space_read_u64(s->w->space, VT_GVA(hash + l->heads.offset), &heads.v, NULL) != 0 ||
        vt_space_read_u32(s->w->space, VT_GVA(hash + l->shift.offset), &shift, NULL) != 0 ||
        shift > SHIFT_MAX || (UINT64_C(8) << shift) > vt_ram_size(s->w->kernel->ram)) {
        vt_walk_torn(s->w, "a table of neighbours cannot be read");
        return 0;
    }
    int rc = 0;
    for (uint64_t i = 0; i < UINT64_C(1) << shift && rc == 0; i++) {
        uint64_t first;
        if (vt_space_read_u64(s->w->space, VT_GVA(heads.v + i * sizeof first), &first, NULL) != 0) {
            vt_walk_torn(s->w, "a table of neighbours cannot be read");
            break;
        }
        /* The old chains point to the neighbour, the new ones to its node. */
        rc = walk_chain(s, first, err);
    }
    return rc;
}

static int walk(struct vt_walk *w, struct vt_error *err)
{
    struct walking s = {.w = w};
    struct vt_gva tables;
    int rc = vt_layout_take(w->kernel, &type, &s.l, err);
    rc = rc != 0 ? rc : vt_kernel_symbol(w->kernel, "neigh_tables", &tables, err);
    rc = rc != 0 ? rc : vt_netns_take(w, &s.nets, err);
    for (unsigned i = 0; i < TABLES && rc == 0; i++) {
        struct vt_gva table, at = VT_GVA(tables.v + (uint64_t)i * sizeof table);
        if (vt_space_read_u64(w->space, at, &table.v, NULL) == 0 && table.v != 0) {
            rc = walk_table(&s, table, err);
        }
    }
    vt_netns_fini(&s.nets);
    vt_seen_fini(&s.seen);
    return rc;
}

#define COLUMN(member, kind, key, title, doc) VT_COLUMN(vt_neighbour, member, kind, key, title, doc)

static const struct vt_column columns[] = {
    {COLUMN(family, VT_CELL_TEXT, "family", "FAMILY", "inet (ARP), inet6 (NDISC)")},
    {COLUMN(address, VT_CELL_CHARS, "address", "ADDRESS", "of the neighbour")},
    {COLUMN(mac, VT_CELL_CHARS, "mac", "MAC", "its hardware address, once it is known"),
     .zero_is_none = true},
    {COLUMN(device, VT_CELL_CHARS, "device", "DEV", "interface it is reached through")},
    {COLUMN(router, VT_CELL_BOOL, "router", NULL, "it says it is a router")},
    {COLUMN(proxy, VT_CELL_BOOL, "proxy", NULL, "answered for by this guest")},
    {COLUMN(netns, VT_CELL_U64, "netns", NULL, "inode of its network namespace")},
    {COLUMN(state, VT_CELL_TEXT, "state", "STATE", "reachable, stale, permanent, noarp, …")},
};

const struct vt_noun vt_noun_neighbours = {
    .name = "neighbours",
    .summary = "List hardware addresses of neighbours",
    .group = "Guest",
    .description =
        "The tables of ARP and of IPv6's neighbour discovery, in every namespace; those\n"
        "that need no hardware address (noarp), too.",
    .examples = "vitrine neighbours web",
    .columns = columns,
    .n_columns = sizeof columns / sizeof columns[0],
    .walk = walk,
};
