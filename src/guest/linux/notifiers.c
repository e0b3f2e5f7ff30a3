/* guest/linux/notifiers.c - who is told of what happens: notifier chains. See vitrine/linux.h.
 *
 * A chain is a head of one of four types and a singly linked list of struct notifier_block. Which
 * type a head has is not in the kernel's types; the table below says it.
 */
#include "guest/linux/code.h"
#include "guest/linux/ops.h"

#include <stdio.h>

#define BLOCKS_MAX 65536u

enum head { ATOMIC, BLOCKING, RAW, SRCU, HEADS };

static const struct {
    const char *symbol;
    enum head head;
    const char *what;
} chains[] = {
    {"keyboard_notifier_list", ATOMIC, "every key that is pressed"},
    {"vt_notifier_list", ATOMIC, "what is written to the console's screen"},
    {"module_notify_list", BLOCKING, "modules that come and go"},
    {"die_chain", ATOMIC, "faults and traps in the kernel"},
    {"panic_notifier_list", ATOMIC, "panics"},
    {"reboot_notifier_list", BLOCKING, "reboots"},
    {"restart_handler_list", ATOMIC, "how the machine is restarted"},
    {"power_off_handler_list", ATOMIC, "how the machine is switched off"},
    {"pm_chain_head", BLOCKING, "suspend and hibernation"},
    {"oom_notify_list", BLOCKING, "memory running out"},
    {"netdev_chain", RAW, "network devices"},
    {"netevent_notif_chain", ATOMIC, "neighbours and routes"},
    {"netlink_chain", BLOCKING, "netlink sockets that close"},
    {"inetaddr_chain", BLOCKING, "IPv4 addresses"},
    {"inet6addr_chain", ATOMIC, "IPv6 addresses"},
    {"crypto_chain", BLOCKING, "ciphers"},
    {"fb_notifier_list", BLOCKING, "frame buffers"},
    {"acpi_chain_head", BLOCKING, "ACPI events"},
    {"x86_mce_decoder_chain", BLOCKING, "machine checks"},
    {"task_exit_notifier", BLOCKING, "processes that exit"},
    {"task_free_notifier", ATOMIC, "tasks that are freed"},
    {"munmap_notifier", BLOCKING, "memory that is unmapped"},
};

struct layout {
    struct vt_member first[HEADS];
    struct vt_extent block;
    struct vt_member call, next, priority;
};

static const struct vt_field_spec specs[] = {
    VT_FIELD_BARE(layout, first[ATOMIC], "atomic_notifier_head", "head"),
    VT_FIELD_BARE(layout, first[BLOCKING], "blocking_notifier_head", "head"),
    VT_FIELD_BARE(layout, first[RAW], "raw_notifier_head", "head"),
    VT_FIELD_BARE_OPTIONAL(layout, first[SRCU], "srcu_notifier_head", "head"),
    VT_FIELD(layout, call, block, "notifier_block", "notifier_call"),
    VT_FIELD(layout, next, block, "notifier_block", "next"),
    VT_FIELD(layout, priority, block, "notifier_block", "priority"),
};
static const struct vt_layout_type type = VT_LAYOUT(layout, specs);

static struct vt_gva read_block(struct vt_walk *w, const struct layout *l, struct vt_code_map *map,
                                struct vt_gva at, struct vt_notifier *n)
{
    struct vt_object o;
    struct vt_code_at code;
    n->row = (struct vt_row){.at = at};
    if (!vt_look_object(&w->look, at, l->block, &o)) {
        return VT_GVA(0);
    }
    n->callback = VT_GVA(vt_object_uint(&o, &l->call));
    n->priority = (int32_t)vt_object_uint(&o, &l->priority);
    vt_code_find(map, n->callback, &code);
    snprintf(n->symbol, sizeof n->symbol, "%s", code.symbol);
    snprintf(n->owner, sizeof n->owner, "%s", code.owner_text);
    vt_hook_check(map, n->callback, "the callback", &n->row);
    return VT_GVA(vt_object_uint(&o, &l->next));
}

static int walk_chain(struct vt_walk *w, const struct layout *l, struct vt_code_map *map, size_t i,
                      struct vt_error *err)
{
    const struct vt_member *first = &l->first[chains[i].head];
    struct vt_seen seen = {0};
    struct vt_gva head;
    uint64_t at;
    int rc = 0;
    if (first->size != 8 || vt_kernel_symbol(w->kernel, chains[i].symbol, &head, NULL) != 0 ||
        vt_space_read_u64(w->space, VT_GVA(head.v + first->offset), &at, NULL) != 0) {
        return 0; /* not in this kernel */
    }
    while (rc == 0 && at != 0) {
        struct vt_notifier n = {.chain = chains[i].symbol, .what = chains[i].what};
        struct vt_gva next;
        if ((rc = vt_seen_add(&seen, at, err)) != 1 || seen.n > BLOCKS_MAX) {
            vt_walk_torn(w, "the chain %s does not end", chains[i].symbol);
            rc = rc < 0 ? rc : 0;
            break;
        }
        do {
            vt_look_begin(&w->look);
            next = read_block(w, l, map, VT_GVA(at), &n);
        } while (vt_look_again(&w->look));
        rc = vt_walk_row(w, &n.row);
        at = next.v;
    }
    vt_seen_fini(&seen);
    return rc;
}

static int walk(struct vt_walk *w, struct vt_error *err)
{
    const struct layout *l;
    struct vt_code_map map;
    int rc = vt_layout_take(w->kernel, &type, &l, err);
    if (rc != 0 || (rc = vt_code_map_init(&map, w, err)) != 0) {
        return rc;
    }
    for (size_t i = 0; rc == 0 && i < sizeof chains / sizeof chains[0]; i++) {
        rc = walk_chain(w, l, &map, i, err);
    }
    vt_code_map_fini(&map);
    return rc;
}

#define COLUMN(member, kind, key, title, doc)                                                      \
    {VT_COLUMN(vt_notifier, member, kind, key, title, doc)}
#define COLUMN_OR_NONE(member, kind, key, title, doc)                                              \
    {VT_COLUMN(vt_notifier, member, kind, key, title, doc), .zero_is_none = true}

static const struct vt_column columns[] = {
    COLUMN(chain, VT_CELL_TEXT, "chain", "CHAIN", "the kernel's name of the chain"),
    COLUMN(what, VT_CELL_TEXT, "tells", "TELLS OF", "what it tells of"),
    COLUMN(priority, VT_CELL_I64, "priority", "PRIORITY", "those with a higher one come first"),
    COLUMN(callback, VT_CELL_HEX, "callback", NULL, "what is called"),
    COLUMN(owner, VT_CELL_CHARS, "owner", "OWNER", "whose code that is"),
    COLUMN_OR_NONE(symbol, VT_CELL_CHARS, "symbol", "CALLS", "of what is called"),
};

const struct vt_noun vt_noun_notifiers = {
    .name = "notifiers",
    .summary = "List who is told of keys, modules, devices, faults",
    .group = "Trust",
    .checks = true,
    .description =
        "Lists the callbacks on the kernel's notifier chains. keyboard_notifier_list hears every\n"
        "key on the console; a module there deserves a look. A callback that is nobody's code has\n"
        "a finding.",
    .examples = "vitrine notifiers web",
    .columns = columns,
    .n_columns = sizeof columns / sizeof columns[0],
    .walk = walk,
};
