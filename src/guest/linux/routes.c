/* guest/linux/routes.c - routes of IPv4 and IPv6, of every table and namespace. See
 * vitrine/linux.h.
 *
 * IPv4's tables are tries: a node looks at `bits` bits of the address from bit `pos` on, so those
 * below it look at lower ones, which bounds the depth. Leaves have a chain of aliases, one for each
 * prefix length; tables may share a trie, and an alias says whose it is. IPv6's are binary trees
 * whose nodes know their parents. (net/ipv4/fib_trie.c, net/ipv6/ip6_fib.c)
 */
#include "guest/linux/netns.h"
#include "guest/linux/sockets.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TABLES_MAX 65536u
#define ROUTES_MAX (1u << 22)
#define HOPS_MAX 1024u
#define KEY_BITS 32u
#define TREE_DEPTH_MAX 260u /* 128 bits, and as many again below a node's subtree */
#define MANY_TABLES 256u    /* FIB_TABLE_HASHSZ and FIB6_TABLE_HASHSZ with policy routing */

struct layout {
    struct vt_member tables, fib_main, tables6, fib6_local, null6; /* of struct net */
    struct vt_member table_node, table_id, table_trie, trie_root;
    struct vt_extent vector;
    struct vt_member key, pos, bits, leaf, child, vector_bytes;
    struct vt_extent alias;
    struct vt_member alias_node, alias_info, alias_type, alias_slen, alias_table, alias_bytes;
    struct vt_extent info;
    struct vt_member protocol, scope, source, metric, hops, object, info_hops, hop_bytes;
    struct vt_extent hop;
    struct vt_member device, gateway_family, gateway;
    struct vt_member of_object, object_group, object_hop;
    struct vt_member table6_node, table6_id, table6_root;
    struct vt_extent node;
    struct vt_member parent, left, right, subtree, leaf6, flags;
    struct vt_extent info6;
    struct vt_member next6, dst6, plen6, metric6, protocol6, type6, object6, hop6, source6,
        source6_plen;
};

static const struct vt_field_spec specs[] = {
#define BARE(slot, struct_, path) VT_FIELD_BARE_OPTIONAL(layout, slot, struct_, path)
#define PART(slot, part, struct_, path) VT_FIELD_OPTIONAL(layout, slot, part, struct_, path)
    BARE(tables, "net", "ipv4.fib_table_hash"),
    BARE(fib_main, "net", "ipv4.fib_main"),
    BARE(tables6, "net", "ipv6.fib_table_hash"),
    BARE(fib6_local, "net", "ipv6.fib6_local_tbl"),
    BARE(null6, "net", "ipv6.fib6_null_entry"),
    BARE(table_node, "fib_table", "tb_hlist"),
    BARE(table_id, "fib_table", "tb_id"),
    BARE(table_trie, "fib_table", "tb_data"),
    BARE(trie_root, "trie", "kv"),
    PART(key, vector, "key_vector", "key"),
    PART(pos, vector, "key_vector", "pos"),
    PART(bits, vector, "key_vector", "bits"),
    BARE(leaf, "key_vector", "leaf"),
    BARE(child, "key_vector", "tnode"),
    VT_FIELD_SIZE_OPTIONAL(layout, vector_bytes, "key_vector"),
    BARE(alias_node, "fib_alias", "fa_list"),
    PART(alias_info, alias, "fib_alias", "fa_info"),
    PART(alias_type, alias, "fib_alias", "fa_type"),
    PART(alias_slen, alias, "fib_alias", "fa_slen"),
    PART(alias_table, alias, "fib_alias", "tb_id"),
    VT_FIELD_SIZE_OPTIONAL(layout, alias_bytes, "fib_alias"),
    PART(protocol, info, "fib_info", "fib_protocol"),
    PART(scope, info, "fib_info", "fib_scope"),
    PART(source, info, "fib_info", "fib_prefsrc"),
    PART(metric, info, "fib_info", "fib_priority"),
    PART(hops, info, "fib_info", "fib_nhs"),
    PART(object, info, "fib_info", "nh"),
    BARE(info_hops, "fib_info", "fib_nh"),
    VT_FIELD_SIZE_OPTIONAL(layout, hop_bytes, "fib_nh"),
    PART(device, hop, "fib_nh_common", "nhc_dev"),
    PART(gateway_family, hop, "fib_nh_common", "nhc_gw_family"),
    BARE(gateway, "fib_nh_common", "nhc_gw"),
    BARE(of_object, "nexthop", "nh_info"),
    BARE(object_group, "nexthop", "is_group"),
    BARE(object_hop, "nh_info", "fib_nhc"),
    BARE(table6_node, "fib6_table", "tb6_hlist"),
    BARE(table6_id, "fib6_table", "tb6_id"),
    BARE(table6_root, "fib6_table", "tb6_root"),
    PART(parent, node, "fib6_node", "parent"),
    PART(left, node, "fib6_node", "left"),
    PART(right, node, "fib6_node", "right"),
    PART(subtree, node, "fib6_node", "subtree"),
    PART(leaf6, node, "fib6_node", "leaf"),
    PART(flags, node, "fib6_node", "fn_flags"),
    PART(next6, info6, "fib6_info", "fib6_next"),
    PART(metric6, info6, "fib6_info", "fib6_metric"),
    PART(protocol6, info6, "fib6_info", "fib6_protocol"),
    PART(type6, info6, "fib6_info", "fib6_type"),
    PART(object6, info6, "fib6_info", "nh"),
    PART(plen6, info6, "fib6_info", "fib6_dst.plen"),
    BARE(dst6, "fib6_info", "fib6_dst.addr"),
    BARE(source6, "fib6_info", "fib6_prefsrc.addr"),
    PART(source6_plen, info6, "fib6_info", "fib6_prefsrc.plen"),
    BARE(hop6, "fib6_info", "fib6_nh"),
};
static const struct vt_layout_type type = VT_LAYOUT(layout, specs);

struct walking {
    struct vt_walk *w;
    const struct layout *l;
    const struct vt_netns *net;
    uint32_t table; /* number of the table walked now */
    struct vt_hlist_walk aliases;
    struct vt_seen seen; /* nodes and routes met in this table */
    uint64_t slots;      /* of tries that may still be looked at: all of them have room in RAM */
    struct vt_error *err;
};

/* ---------------------------------------------------------------- numbers as text */

struct named {
    uint32_t number;
    const char *name;
};

static void write_name(const struct named *names, size_t n, uint32_t number, char *text,
                       size_t size)
{
    for (size_t i = 0; i < n; i++) {
        if (names[i].number == number) {
            snprintf(text, size, "%s", names[i].name);
            return;
        }
    }
    snprintf(text, size, "%" PRIu32, number);
}
#define WRITE_NAME(names, number, text)                                                            \
    write_name(names, sizeof(names) / sizeof(names)[0], number, text, sizeof(text))

static const struct named types[] = {
    {1, "unicast"},   {2, "local"},       {3, "broadcast"}, {4, "anycast"}, {5, "multicast"},
    {6, "blackhole"}, {7, "unreachable"}, {8, "prohibit"},  {9, "throw"},   {10, "nat"},
};
static const struct named protocols[] = {
    {0, "unspec"},      {1, "redirect"}, {2, "kernel"}, {3, "boot"},   {4, "static"},
    {8, "gated"},       {9, "ra"},       {11, "zebra"}, {12, "bird"},  {16, "dhcp"},
    {18, "keepalived"}, {186, "bgp"},    {187, "isis"}, {188, "ospf"}, {189, "rip"},
};
static const struct named scopes[] = {
    {0, "global"}, {200, "site"}, {253, "link"}, {254, "host"}, {255, "nowhere"},
};
static const struct named tables[] = {{253, "default"}, {254, "main"}, {255, "local"}};

/* ---------------------------------------------------------------- rows */

static void read_address(struct vt_look *look, uint64_t at, size_t n, char *text, size_t size)
{
    uint8_t bytes[16];
    vt_look_read(look, VT_GVA(at), bytes, n);
    vt_socket_address_text(bytes, n, text, size);
}

/* Where a struct fib_nh_common sends packets to. */
static void read_hop(struct walking *s, uint64_t at, struct vt_route *r)
{
    const struct layout *l = s->l;
    struct vt_object hop;
    if (at == 0 || l->device.size == 0 || !vt_look_object(&s->w->look, VT_GVA(at), l->hop, &hop)) {
        return;
    }
    uint64_t device = vt_object_uint(&hop, &l->device);
    for (size_t i = 0; i < s->net->n_devices; i++) {
        if (s->net->devices[i].at.v == device) {
            snprintf(r->device, sizeof r->device, "%s", s->net->devices[i].name);
        }
    }
    uint64_t family = vt_object_uint(&hop, &l->gateway_family);
    if (family != 0 && l->gateway.size == 16) {
        read_address(&s->w->look, at + l->gateway.offset, family == 2 ? 4 : 16, r->gateway,
                     sizeof r->gateway);
    }
}

/* The hop of a nexthop object that several routes share; groups of them stay unknown. */
static uint64_t hop_of_object(struct walking *s, uint64_t object)
{
    const struct layout *l = s->l;
    struct vt_look *look = &s->w->look;
    if (l->of_object.size == 0 || l->object_hop.size == 0 ||
        vt_look_member(look, VT_GVA(object), &l->object_group) != 0) {
        return 0;
    }
    return vt_look_member(look, VT_GVA(object), &l->of_object) + l->object_hop.offset;
}

static void begin_row(struct walking *s, struct vt_gva at, const char *family, struct vt_route *r)
{
    *r = (struct vt_route){.row.at = at, .family = family, .netns = s->net->inode};
    WRITE_NAME(tables, s->table, r->table);
}

/* Hop i of the alias at `at` of a leaf with address `key`; *hops is how many it has. */
static void read_alias(struct walking *s, struct vt_gva at, uint32_t key, uint32_t i,
                       uint32_t *hops, struct vt_route *r)
{
    const struct layout *l = s->l;
    struct vt_object alias, info;
    begin_row(s, at, "inet", r);
    *hops = 0;
    if (!vt_look_object(&s->w->look, at, l->alias, &alias)) {
        return;
    }
    struct vt_gva at_info = VT_GVA(vt_object_uint(&alias, &l->alias_info));
    uint32_t slen = (uint32_t)vt_object_uint(&alias, &l->alias_slen);
    uint8_t bytes[4] = {(uint8_t)(key >> 24), (uint8_t)(key >> 16), (uint8_t)(key >> 8),
                        (uint8_t)key};
    if (slen > KEY_BITS || !vt_look_object(&s->w->look, at_info, l->info, &info)) {
        vt_look_doubt(&s->w->look, "no route's prefix");
        return;
    }
    char text[48];
    vt_socket_address_text(bytes, sizeof bytes, text, sizeof text);
    snprintf(r->destination, sizeof r->destination, "%s/%" PRIu32, text, KEY_BITS - slen);
    WRITE_NAME(types, (uint32_t)vt_object_uint(&alias, &l->alias_type), r->type);
    WRITE_NAME(protocols, (uint32_t)vt_object_uint(&info, &l->protocol), r->protocol);
    WRITE_NAME(scopes, (uint32_t)vt_object_uint(&info, &l->scope), r->scope);
    r->metric = (uint32_t)vt_object_uint(&info, &l->metric);
    if (vt_object_uint(&info, &l->source) != 0) {
        read_address(&s->w->look, at_info.v + l->source.offset, 4, r->source, sizeof r->source);
    }
    uint64_t object = vt_object_uint(&info, &l->object);
    *hops = object != 0 ? 1 : (uint32_t)vt_object_uint(&info, &l->hops);
    if (object != 0) {
        read_hop(s, hop_of_object(s, object), r);
    } else if (i < *hops) {
        read_hop(s, at_info.v + l->info_hops.offset + (uint64_t)i * l->hop_bytes.size, r);
    }
}

static int give_alias(struct walking *s, struct vt_gva at, uint32_t key, bool torn)
{
    uint32_t hops = 1;
    int rc = 0;
    for (uint32_t i = 0; (i == 0 || i < hops) && i < HOPS_MAX && rc == 0; i++) {
        struct vt_route row;
        do {
            vt_look_begin(&s->w->look);
            read_alias(s, at, key, i, &hops, &row);
            if (torn) {
                vt_look_doubt(&s->w->look, "its link is not symmetric");
            }
        } while (vt_look_again(&s->w->look));
        rc = vt_walk_row(s->w, &row.row);
    }
    return rc;
}

/* ---------------------------------------------------------------- IPv4's tries */

static int walk_leaf(struct walking *s, const struct vt_object *leaf)
{
    const struct layout *l = s->l;
    uint32_t key = (uint32_t)vt_object_uint(leaf, &l->key);
    struct vt_gva node;
    int rc;
    vt_hlist_bucket(&s->aliases, VT_GVA(leaf->at.v + l->leaf.offset));
    while ((rc = vt_hlist_next(&s->aliases, &node, s->err)) == 1) {
        uint32_t table = 0;
        struct vt_gva at = VT_GVA(node.v - l->alias_node.offset);
        vt_space_read_u32(s->w->space, VT_GVA(at.v + l->alias_table.offset), &table, NULL);
        /* A trie may serve two tables. */
        rc = table == s->table ? give_alias(s, at, key, s->aliases.torn_link) : 0;
        if (rc != 0) {
            break;
        }
    }
    return rc;
}

struct trie_level {
    struct vt_gva at;
    unsigned pos;
    uint64_t next, n; /* children */
};

/* Goes to child `at` of the last level, if it looks at lower bits than its parent. */
static int enter(struct walking *s, struct vt_gva at, struct trie_level *stack, unsigned *depth)
{
    const struct layout *l = s->l;
    struct vt_object o;
    if (vt_object_read(s->w->space, at, l->vector, &o, NULL) != 0) {
        vt_walk_torn(s->w, "a trie of routes leads nowhere");
        return 0;
    }
    unsigned pos = (unsigned)vt_object_uint(&o, &l->pos);
    unsigned bits = (unsigned)vt_object_uint(&o, &l->bits);
    if (bits == 0) {
        return walk_leaf(s, &o);
    }
    if (pos + bits > stack[*depth - 1].pos || *depth > KEY_BITS) {
        vt_walk_torn(s->w, "a trie of routes has a node in a wrong place");
        return 0;
    }
    stack[(*depth)++] = (struct trie_level){.at = at, .pos = pos, .n = UINT64_C(1) << bits};
    return 0;
}

static int walk_trie(struct walking *s, struct vt_gva trie)
{
    const struct layout *l = s->l;
    struct trie_level stack[KEY_BITS + 2];
    unsigned depth = 1;
    int rc = 0;
    stack[0] =
        (struct trie_level){.at = VT_GVA(trie.v + l->trie_root.offset), .pos = KEY_BITS, .n = 1};
    while (depth > 0 && rc == 0) {
        struct trie_level *level = &stack[depth - 1];
        struct vt_gva child;
        if (level->next == level->n) {
            depth--;
            continue;
        }
        if (s->slots-- == 0) {
            vt_walk_torn(s->w, "a trie of routes is larger than RAM");
            s->slots = 0;
            break;
        }
        struct vt_gva slot = VT_GVA(level->at.v + l->child.offset + sizeof child * level->next++);
        if (vt_space_read_u64(s->w->space, slot, &child.v, NULL) != 0) {
            vt_walk_torn(s->w, "a trie of routes cannot be read");
            depth--;
        } else if (child.v != 0 && (rc = vt_seen_add(&s->seen, child.v, s->err)) == 1) {
            rc = enter(s, child, stack, &depth);
        } else if (child.v != 0 && rc == 0) {
            vt_walk_torn(s->w, "a trie of routes has a node twice");
        }
    }
    return rc;
}

/* ---------------------------------------------------------------- IPv6's trees */

static uint64_t read_info6(struct walking *s, struct vt_gva at, struct vt_route *r)
{
    const struct layout *l = s->l;
    struct vt_object o;
    char text[48];
    begin_row(s, at, "inet6", r);
    if (!vt_look_object(&s->w->look, at, l->info6, &o)) {
        return 0;
    }
    uint32_t prefix = (uint32_t)vt_object_uint(&o, &l->plen6);
    if (prefix > 128) {
        vt_look_doubt(&s->w->look, "a prefix of %" PRIu32 " bits", prefix);
    }
    read_address(&s->w->look, at.v + l->dst6.offset, 16, text, sizeof text);
    snprintf(r->destination, sizeof r->destination, "%s/%" PRIu32, text, prefix);
    WRITE_NAME(types, (uint32_t)vt_object_uint(&o, &l->type6), r->type);
    WRITE_NAME(protocols, (uint32_t)vt_object_uint(&o, &l->protocol6), r->protocol);
    r->metric = (uint32_t)vt_object_uint(&o, &l->metric6);
    if (l->source6.size == 16 && vt_object_uint(&o, &l->source6_plen) != 0) {
        read_address(&s->w->look, at.v + l->source6.offset, 16, r->source, sizeof r->source);
    }
    uint64_t object = vt_object_uint(&o, &l->object6);
    read_hop(s, object != 0 ? hop_of_object(s, object) : at.v + l->hop6.offset, r);
    return vt_object_uint(&o, &l->next6);
}

/* The routes of one node. */
static int walk_leaf6(struct walking *s, uint64_t at, uint64_t null)
{
    int rc = 0;
    while (at != 0 && at != null && rc == 0) {
        struct vt_route row;
        uint64_t next;
        rc = vt_seen_add(&s->seen, at, s->err);
        if (rc <= 0 || s->seen.n > ROUTES_MAX) {
            vt_walk_torn(s->w, "IPv6 routes go round in a circle");
            return rc < 0 ? rc : 0;
        }
        do {
            vt_look_begin(&s->w->look);
            next = read_info6(s, VT_GVA(at), &row);
        } while (vt_look_again(&s->w->look));
        rc = vt_walk_row(s->w, &row.row);
        at = next;
    }
    return rc;
}

static int walk_tree6(struct walking *s, struct vt_gva root, uint64_t null)
{
    enum { HAS_ROUTES = 0x0004 }; /* RTN_RTINFO */
    const struct layout *l = s->l;
    struct {
        uint64_t at, parent;
    } stack[TREE_DEPTH_MAX] = {{root.v, 0}};
    unsigned depth = 1;
    int rc = 0;
    while (depth > 0 && rc == 0) {
        struct vt_object o;
        uint64_t at = stack[--depth].at, parent = stack[depth].parent;
        rc = vt_seen_add(&s->seen, at, s->err);
        if (rc < 0) {
            return rc;
        }
        if (rc == 0 || vt_object_read(s->w->space, VT_GVA(at), l->node, &o, NULL) != 0 ||
            (parent != 0 && vt_object_uint(&o, &l->parent) != parent)) {
            vt_walk_torn(s->w, "a tree of IPv6 routes has a node in a wrong place");
            rc = 0;
            continue;
        }
        rc = (vt_object_uint(&o, &l->flags) & HAS_ROUTES) != 0
                 ? walk_leaf6(s, vt_object_uint(&o, &l->leaf6), null)
                 : 0;
        const struct vt_member *below[] = {&l->subtree, &l->right, &l->left};
        for (size_t i = 0; i < 3 && rc == 0; i++) {
            uint64_t child = vt_object_uint(&o, below[i]);
            if (child != 0 && depth == TREE_DEPTH_MAX) {
                vt_walk_torn(s->w, "a tree of IPv6 routes is too deep");
            } else if (child != 0) {
                stack[depth].at = child;
                stack[depth++].parent = at;
            }
        }
    }
    return rc;
}

/* ---------------------------------------------------------------- tables */

typedef int walk_table_fn(struct walking *s, struct vt_gva table);

static int walk_table(struct walking *s, struct vt_gva table)
{
    const struct layout *l = s->l;
    struct vt_gva trie;
    if (vt_space_read_u32(s->w->space, VT_GVA(table.v + l->table_id.offset), &s->table, NULL) !=
            0 ||
        vt_space_read_u64(s->w->space, VT_GVA(table.v + l->table_trie.offset), &trie.v, NULL) !=
            0) {
        vt_walk_torn(s->w, "a table of routes cannot be read");
        return 0;
    }
    vt_hlist_begin(&s->aliases, s->w->space, VT_HLIST,
                   vt_walk_cap(s->w, l->alias_bytes.size, ROUTES_MAX));
    s->slots = vt_ram_size(s->w->kernel->ram) / sizeof(uint64_t);
    int rc = walk_trie(s, trie);
    vt_walk_hlist_end(s->w, &s->aliases);
    return rc;
}

static int walk_table6(struct walking *s, struct vt_gva table)
{
    const struct layout *l = s->l;
    uint64_t null = 0;
    if (vt_space_read_u32(s->w->space, VT_GVA(table.v + l->table6_id.offset), &s->table, NULL) !=
        0) {
        vt_walk_torn(s->w, "a table of routes cannot be read");
        return 0;
    }
    if (l->null6.size == sizeof null) {
        vt_space_read_u64(s->w->space, VT_GVA(s->net->at.v + l->null6.offset), &null, NULL);
    }
    return walk_tree6(s, VT_GVA(table.v + l->table6_root.offset), null);
}

/* Every table of a hash of them that a member of struct net points to. */
static int walk_hash(struct walking *s, const struct vt_member *member, unsigned buckets,
                     uint32_t node_offset, walk_table_fn *walk)
{
    struct vt_hlist_walk hash;
    struct vt_gva heads, node;
    int rc = 0;
    if (member->size != sizeof heads ||
        vt_space_read_u64(s->w->space, VT_GVA(s->net->at.v + member->offset), &heads.v, NULL) !=
            0 ||
        heads.v == 0) {
        return 0;
    }
    vt_hlist_begin(&hash, s->w->space, VT_HLIST, TABLES_MAX);
    for (unsigned i = 0; i < buckets && rc == 0; i++) {
        vt_hlist_bucket(&hash, VT_GVA(heads.v + (uint64_t)i * sizeof heads));
        while (rc == 0 && (rc = vt_hlist_next(&hash, &node, s->err)) == 1) {
            rc = walk(s, VT_GVA(node.v - node_offset));
            vt_seen_fini(&s->seen);
        }
    }
    vt_walk_hlist_end(s->w, &hash);
    return rc;
}

static int walk(struct vt_walk *w, struct vt_error *err)
{
    struct walking s = {.w = w, .err = err};
    struct vt_netns_list nets;
    int rc = vt_layout_take(w->kernel, &type, &s.l, err);
    rc = rc != 0 ? rc : vt_netns_take(w, &nets, err);
    if (rc != 0) {
        return rc;
    }
    const struct layout *l = s.l;
    bool v4 = l->table_trie.size != 0 && l->trie_root.size != 0 && l->vector_bytes.size != 0 &&
              l->alias_info.size != 0 && l->info_hops.offset != 0;
    bool v6 = l->table6_root.size != 0 && l->leaf6.size != 0 && l->dst6.size == 16;
    for (size_t i = 0; i < nets.n && rc == 0; i++) {
        s.net = &nets.list[i];
        if (v4) {
            rc = walk_hash(&s, &l->tables, l->fib_main.size != 0 ? MANY_TABLES : 2,
                           l->table_node.offset, walk_table);
        }
        if (rc == 0 && v6) {
            rc = walk_hash(&s, &l->tables6, l->fib6_local.size != 0 ? MANY_TABLES : 1,
                           l->table6_node.offset, walk_table6);
        }
    }
    vt_netns_fini(&nets);
    return rc;
}

#define COLUMN(member, kind, key, title, doc) VT_COLUMN(vt_route, member, kind, key, title, doc)

static const struct vt_column columns[] = {
    {COLUMN(family, VT_CELL_TEXT, "family", "FAMILY", "inet, inet6")},
    {COLUMN(table, VT_CELL_CHARS, "table", "TABLE", "main, local, default, or its number")},
    {COLUMN(type, VT_CELL_CHARS, "type", "TYPE", "unicast, local, broadcast, blackhole, …")},
    {COLUMN(destination, VT_CELL_CHARS, "destination", "DESTINATION", "address and prefix")},
    {COLUMN(gateway, VT_CELL_CHARS, "gateway", "GATEWAY", "where it goes first"),
     .zero_is_none = true},
    {COLUMN(device, VT_CELL_CHARS, "device", "DEV", "through which interface"),
     .zero_is_none = true},
    {COLUMN(metric, VT_CELL_U64, "metric", "METRIC", "lower ones win")},
    {COLUMN(protocol, VT_CELL_CHARS, "protocol", "PROTO", "who made it: kernel, boot, static, …")},
    {COLUMN(scope, VT_CELL_CHARS, "scope", "SCOPE", "of IPv4: global, link, host"),
     .zero_is_none = true},
    {COLUMN(netns, VT_CELL_U64, "netns", NULL, "inode of its network namespace")},
    {COLUMN(source, VT_CELL_CHARS, "source", "SOURCE", "preferred address of its own"),
     .zero_is_none = true},
};

const struct vt_noun vt_noun_routes = {
    .name = "routes",
    .summary = "List the routes of every table and namespace",
    .group = "Guest",
    .description = "IPv4's and IPv6's routes, one row for each hop of those that have several.",
    .examples = "vitrine routes web\nvitrine routes web --json",
    .columns = columns,
    .n_columns = sizeof columns / sizeof columns[0],
    .walk = walk,
};
