/* guest/linux/netfilter.c - hooks on the way of packets: netfilter's and those of devices. See
 * vitrine/linux.h; the rest of the noun is in net_hooks.c.
 *
 * The hooks of one place are one block: a count, that many pairs of a function and its data, then
 * that many pointers to what was registered (struct nf_hook_ops), which have the priorities.
 */
#include "guest/linux/net_hooks.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define HOOKS_MAX 1024u /* net/netfilter/core.c: MAX_HOOK_COUNT */
#define RULES_MAX (1u << 20)
enum { OF_NF_TABLES = 1 }; /* enum nf_hook_ops_type */

struct layout {
    struct vt_member ipv4, ipv6, arp, bridge; /* of struct net */
    struct vt_member ingress, egress, rx_handler, xdp;
    struct vt_member count, hooks, entry_bytes, entry_hook, entry_priv;
    struct vt_extent ops;
    struct vt_member ops_hook, ops_priority, ops_type;
    struct vt_member chain_table, chain_name, chain_rules, table_name, rule_bytes;
    struct vt_member xdp_bytes, xdp_prog, prog_func;
};

static const struct vt_field_spec specs[] = {
#define NET(slot, path) VT_FIELD_BARE_OPTIONAL(layout, slot, "net", path)
#define DEVICE(slot, ...) VT_FIELD_BARE_OPTIONAL(layout, slot, "net_device", __VA_ARGS__)
#define BARE(slot, struct_, ...) VT_FIELD_BARE_OPTIONAL(layout, slot, struct_, __VA_ARGS__)
#define OPS(slot, name) VT_FIELD(layout, slot, ops, "nf_hook_ops", name)
    NET(ipv4, "nf.hooks_ipv4"),
    NET(ipv6, "nf.hooks_ipv6"),
    NET(arp, "nf.hooks_arp"),
    NET(bridge, "nf.hooks_bridge"),
    DEVICE(ingress, "nf_hooks_ingress"),
    DEVICE(egress, "nf_hooks_egress"),
    DEVICE(rx_handler, "rx_handler"),
    DEVICE(xdp, "xdp_state"),
    VT_FIELD_BARE(layout, count, "nf_hook_entries", "num_hook_entries"),
    VT_FIELD_BARE(layout, hooks, "nf_hook_entries", "hooks"),
    VT_FIELD_SIZE(layout, entry_bytes, "nf_hook_entry"),
    VT_FIELD_BARE(layout, entry_hook, "nf_hook_entry", "hook"),
    VT_FIELD_BARE(layout, entry_priv, "nf_hook_entry", "priv"),
    OPS(ops_hook, "hook"),
    OPS(ops_priority, "priority"),
    VT_FIELD_OPTIONAL(layout, ops_type, ops, "nf_hook_ops", "hook_ops_type"),
    BARE(chain_table, "nft_chain", "table"),
    BARE(chain_name, "nft_chain", "name"),
    BARE(chain_rules, "nft_chain", "rules"),
    BARE(table_name, "nft_table", "name"),
    VT_FIELD_SIZE_OPTIONAL(layout, rule_bytes, "nft_rule"),
    VT_FIELD_SIZE_OPTIONAL(layout, xdp_bytes, "bpf_xdp_entity"),
    BARE(xdp_prog, "bpf_xdp_entity", "prog"),
    BARE(prog_func, "bpf_prog", "bpf_func"),
};
static const struct vt_layout_type type = VT_LAYOUT(layout, specs);

/* ---------------------------------------------------------------- what all rows share */

bool vt_net_hook_in_image(const struct vt_net_hooks *hooks, struct vt_gva at)
{
    struct vt_gva text, end;
    return vt_kernel_symbol(hooks->w->kernel, "_text", &text, NULL) == 0 &&
           vt_kernel_symbol(hooks->w->kernel, "_end", &end, NULL) == 0 && at.v >= text.v &&
           at.v < end.v;
}

void vt_net_hook_function(struct vt_net_hooks *hooks, struct vt_gva function, bool of_image,
                          struct vt_net_hook *row)
{
    struct vt_code_at code, there;
    struct vt_gva target;
    vt_code_find(&hooks->map, function, &code);
    row->function = function;
    snprintf(row->symbol, sizeof row->symbol, "%s", code.symbol);
    snprintf(row->owner, sizeof row->owner, "%s", code.owner_text);
    if (!vt_hook_check(&hooks->map, function, row->hook, &row->row)) {
        return;
    }
    if (of_image && code.owner != VT_CODE_KERNEL) {
        vt_row_find(&row->row,
                    "%s is the kernel's own and leads to %s, code of %s: what is there sees all "
                    "that passes",
                    row->hook, code.symbol, code.owner_text);
    } else if (vt_code_detour(&hooks->map, function, &target, &there)) {
        vt_row_find(&row->row, "%s begins with a jump to 0x%" PRIx64 ", code of %s: it was patched",
                    code.symbol, target.v, there.owner_text);
    }
}

/* ---------------------------------------------------------------- netfilter */

/* One place where packets are looked at. */
struct place {
    const struct vt_netns *net;
    const char *family, *hook, *device;
};

/* How many rules a chain of nf_tables has. */
static unsigned count_rules(struct vt_walk *w, const struct layout *l, uint64_t chain)
{
    struct vt_list_walk list;
    struct vt_gva node;
    unsigned n = 0;
    vt_list_begin(&list, w->space, VT_GVA(chain + l->chain_rules.offset),
                  vt_walk_cap(w, l->rule_bytes.size, RULES_MAX));
    while (vt_list_next(&list, &node, NULL) == 1) {
        n++;
    }
    vt_walk_list_end(w, &list);
    return n;
}

static void read_chain(struct vt_walk *w, const struct layout *l, uint64_t chain, char *text,
                       size_t size)
{
    char table_name[40], chain_name[40];
    if (chain == 0 || l->chain_table.size == 0 || l->table_name.size == 0 ||
        l->chain_name.size == 0) {
        return;
    }
    struct vt_look *look = &w->look;
    uint64_t table = vt_look_member(look, VT_GVA(chain), &l->chain_table);
    uint64_t name = vt_look_member(look, VT_GVA(table), &l->table_name);
    vt_look_text(look, VT_GVA(name), table_name, sizeof table_name);
    name = vt_look_member(look, VT_GVA(chain), &l->chain_name);
    vt_look_text(look, VT_GVA(name), chain_name, sizeof chain_name);
    unsigned n = count_rules(w, l, chain);
    snprintf(text, size, "%s %s, %u rule%s", table_name, chain_name, n, n == 1 ? "" : "s");
}

/* Hook i of the block of n at `block`. */
static void read_hook(struct vt_net_hooks *hooks, const struct layout *l, const struct place *place,
                      struct vt_gva block, uint32_t i, uint32_t n, struct vt_net_hook *row)
{
    struct vt_look *look = &hooks->w->look;
    struct vt_object ops;
    uint64_t entries = block.v + l->hooks.offset;
    struct vt_gva entry = VT_GVA(entries + (uint64_t)i * l->entry_bytes.size);
    uint64_t registered = entries + (uint64_t)n * l->entry_bytes.size + i * sizeof(uint64_t);
    *row = (struct vt_net_hook){.row.at = entry, .kind = "netfilter"};
    snprintf(row->family, sizeof row->family, "%s", place->family);
    snprintf(row->hook, sizeof row->hook, "%s", place->hook);
    snprintf(row->device, sizeof row->device, "%s", place->device);
    row->netns = place->net->inode;
    struct vt_gva function = VT_GVA(vt_look_member(look, entry, &l->entry_hook));
    struct vt_gva at = VT_GVA(vt_look_u64(look, VT_GVA(registered)));
    vt_net_hook_function(hooks, function, false, row);
    if (!vt_look_object(look, at, l->ops, &ops)) {
        return;
    }
    row->priority = (int32_t)vt_object_uint(&ops, &l->ops_priority);
    if (vt_object_uint(&ops, &l->ops_hook) != function.v) {
        /* One that is going is replaced by a function of the kernel's that lets all pass. */
        if (strcmp(row->owner, "kernel") != 0) {
            vt_row_find(&row->row, "%s calls %s, which is not what was registered there", row->hook,
                        row->symbol);
        }
    } else if (vt_object_uint(&ops, &l->ops_type) == OF_NF_TABLES) {
        uint64_t chain = vt_look_member(look, entry, &l->entry_priv);
        read_chain(hooks->w, l, chain, row->chain, sizeof row->chain);
    }
}

static int walk_block(struct vt_net_hooks *hooks, const struct layout *l, const struct place *place,
                      struct vt_gva block)
{
    struct vt_walk *w = hooks->w;
    uint16_t n = 0;
    int rc = 0;
    if (vt_space_read(w->space, VT_GVA(block.v + l->count.offset), &n, sizeof n, NULL) != 0 ||
        n > HOOKS_MAX) {
        vt_walk_torn(w, "no hooks of netfilter at 0x%" PRIx64, block.v);
        return 0;
    }
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        struct vt_net_hook row;
        do {
            vt_look_begin(&w->look);
            read_hook(hooks, l, place, block, i, n, &row);
        } while (vt_look_again(&w->look));
        rc = vt_walk_row(w, &row.row);
    }
    return rc;
}

/* A block that the pointer at `at` leads to, if it does. */
static int walk_pointer(struct vt_net_hooks *hooks, const struct layout *l,
                        const struct place *place, struct vt_gva at)
{
    struct vt_gva block;
    if (vt_space_read_u64(hooks->w->space, at, &block.v, NULL) != 0) {
        vt_walk_torn(hooks->w, "netfilter's hooks cannot be read");
        return 0;
    }
    return block.v != 0 ? walk_block(hooks, l, place, block) : 0;
}

static int walk_family(struct vt_net_hooks *hooks, const struct layout *l,
                       const struct vt_netns *net, const char *family,
                       const struct vt_member *blocks)
{
    static const char *const inet[] = {"prerouting", "input",       "forward",
                                       "output",     "postrouting", "brouting"};
    static const char *const arp[] = {"input", "output", "forward"};
    bool is_arp = blocks == &l->arp;
    size_t names = is_arp ? sizeof arp / sizeof arp[0] : sizeof inet / sizeof inet[0];
    int rc = 0;
    for (size_t i = 0; i < blocks->size / sizeof(uint64_t) && rc == 0; i++) {
        struct place place = {.net = net, .family = family, .device = ""};
        place.hook = i >= names ? "?" : is_arp ? arp[i] : inet[i];
        rc = walk_pointer(hooks, l, &place,
                          VT_GVA(net->at.v + blocks->offset + i * sizeof(uint64_t)));
    }
    return rc;
}

/* ---------------------------------------------------------------- devices */

/* A function that a device gives its packets to; `what` says how. */
static int give_device(struct vt_net_hooks *hooks, const struct vt_netns *net,
                       const struct vt_netdev *device, struct vt_gva at, const char *kind,
                       const struct vt_member *through)
{
    struct vt_walk *w = hooks->w;
    struct vt_net_hook row;
    struct vt_gva function;
    if (vt_space_read_u64(w->space, at, &function.v, NULL) != 0 || function.v == 0) {
        return 0;
    }
    do {
        vt_look_begin(&w->look);
        row = (struct vt_net_hook){.row.at = at, .kind = kind, .netns = net->inode};
        snprintf(row.family, sizeof row.family, "device");
        snprintf(row.hook, sizeof row.hook, "%s", kind);
        snprintf(row.device, sizeof row.device, "%s", device->name);
        function = VT_GVA(vt_look_u64(&w->look, at));
        if (through != NULL) {
            function = VT_GVA(vt_look_member(&w->look, function, through));
        }
        vt_net_hook_function(hooks, function, false, &row);
    } while (vt_look_again(&w->look));
    return vt_walk_row(w, &row.row);
}

static int walk_device(struct vt_net_hooks *hooks, const struct layout *l,
                       const struct vt_netns *net, const struct vt_netdev *device)
{
    const struct vt_member *members[] = {&l->ingress, &l->egress};
    static const char *const names[] = {"ingress", "egress"};
    int rc = 0;
    for (size_t i = 0; i < 2 && rc == 0; i++) {
        struct place place = {
            .net = net, .family = "device", .hook = names[i], .device = device->name};
        if (members[i]->size != 0) {
            rc = walk_pointer(hooks, l, &place, VT_GVA(device->at.v + members[i]->offset));
        }
    }
    if (rc == 0 && l->rx_handler.size != 0) {
        rc = give_device(hooks, net, device, VT_GVA(device->at.v + l->rx_handler.offset), "receive",
                         NULL);
    }
    uint32_t step = l->xdp_prog.size != 0 && l->prog_func.size != 0 ? l->xdp_bytes.size : 0;
    for (uint32_t at = 0; step != 0 && at + step <= l->xdp.size && rc == 0; at += step) {
        struct vt_gva prog = VT_GVA(device->at.v + l->xdp.offset + at + l->xdp_prog.offset);
        rc = give_device(hooks, net, device, prog, "xdp", &l->prog_func);
    }
    return rc;
}

static int walk_net(struct vt_net_hooks *hooks, const struct layout *l, const struct vt_netns *net)
{
    int rc = walk_family(hooks, l, net, "ipv4", &l->ipv4);
    rc = rc != 0 ? rc : walk_family(hooks, l, net, "ipv6", &l->ipv6);
    rc = rc != 0 ? rc : walk_family(hooks, l, net, "arp", &l->arp);
    rc = rc != 0 ? rc : walk_family(hooks, l, net, "bridge", &l->bridge);
    for (size_t i = 0; i < net->n_devices && rc == 0; i++) {
        rc = walk_device(hooks, l, net, &net->devices[i]);
    }
    return rc;
}

static int walk(struct vt_walk *w, struct vt_error *err)
{
    const struct layout *l;
    struct vt_net_hooks hooks = {.w = w};
    int rc = vt_layout_take(w->kernel, &type, &l, err);
    if (rc != 0 || (rc = vt_code_map_init(&hooks.map, w, err)) != 0) {
        return rc;
    }
    rc = vt_netns_take(w, &hooks.nets, err);
    for (size_t i = 0; i < hooks.nets.n && rc == 0; i++) {
        rc = walk_net(&hooks, l, &hooks.nets.list[i]);
    }
    rc = rc != 0 ? rc : vt_net_hooks_walk_packets(&hooks, err);
    vt_netns_fini(&hooks.nets);
    vt_code_map_fini(&hooks.map);
    return rc;
}

#define COLUMN(member, kind, key, title, doc) VT_COLUMN(vt_net_hook, member, kind, key, title, doc)

static const struct vt_column columns[] = {
    {COLUMN(kind, VT_CELL_TEXT, "kind", "KIND",
            "netfilter, packets, protocol, receive, xdp or table")},
    {COLUMN(family, VT_CELL_CHARS, "family", "FAMILY", "ipv4, ipv6, arp, bridge, device"),
     .zero_is_none = true},
    {COLUMN(hook, VT_CELL_CHARS, "hook", "HOOK", "where on the way; which packets; which table")},
    {COLUMN(priority, VT_CELL_I64, "priority", "PRIO", "of netfilter: lower ones come first")},
    {COLUMN(device, VT_CELL_CHARS, "device", "DEV", "only this interface's packets"),
     .zero_is_none = true},
    {COLUMN(netns, VT_CELL_U64, "netns", NULL, "inode of its network namespace; none: all"),
     .zero_is_none = true},
    {COLUMN(owner, VT_CELL_CHARS, "owner", "OWNER", "whose code it is")},
    {COLUMN(symbol, VT_CELL_CHARS, "function", "FUNCTION", "what is called"), .zero_is_none = true},
    {COLUMN(chain, VT_CELL_CHARS, "chain", "CHAIN", "of nf_tables: table, chain and rules"),
     .zero_is_none = true},
    {COLUMN(function, VT_CELL_HEX, "address", NULL, "of the function")},
};

const struct vt_noun vt_noun_netfilter = {
    .name = "netfilter",
    .member = "hooks",
    .summary = "Check who sees the network's packets",
    .group = "Trust",
    .description =
        "Netfilter's hooks in every network namespace with their priorities and nf_tables chains;\n"
        "handlers of packet types and IP protocols; what devices hand their packets to; and the\n"
        "tables of functions behind sockets and /proc/net. One that leads to nobody's code, one "
        "of\n"
        "the kernel's own that leads to a module, and one that was patched have a finding.",
    .examples = "vitrine netfilter web\n"
                "vitrine netfilter web --json | jq '.hooks[] | select(.finding)'",
    .checks = true,
    .columns = columns,
    .n_columns = sizeof columns / sizeof columns[0],
    .walk = walk,
};
