/* guest/linux/kprobes.c - probes on the kernel's instructions, and who is called. See
 * vitrine/linux.h.
 *
 * kprobe_table: 64 hash chains of struct kprobe. Where several probes stand on one instruction, the
 * one in the table only serves the others, which are on its list. A return probe is a kprobe inside
 * a struct kretprobe. (kernel/kprobes.c)
 */
#include "guest/linux/code.h"
#include "guest/linux/hlist.h"
#include "guest/linux/ops.h"

#include <stdio.h>
#include <string.h>

enum { TABLE = 64 };                                        /* KPROBE_TABLE_SIZE */
enum { GONE = 1, DISABLED = 2, OPTIMIZED = 4, FTRACE = 8 }; /* KPROBE_FLAG_… */
#define PROBES_MAX (1u << 20)

struct layout {
    struct vt_extent probe;
    struct vt_member link, list, addr, pre, post, flags;
    struct vt_member inner, handler, entry;
};

static const struct vt_field_spec specs[] = {
    VT_FIELD(layout, link, probe, "kprobe", "hlist"),
    VT_FIELD(layout, list, probe, "kprobe", "list"),
    VT_FIELD(layout, addr, probe, "kprobe", "addr"),
    VT_FIELD(layout, pre, probe, "kprobe", "pre_handler"),
    VT_FIELD(layout, post, probe, "kprobe", "post_handler"),
    VT_FIELD(layout, flags, probe, "kprobe", "flags"),
    VT_FIELD_BARE_OPTIONAL(layout, inner, "kretprobe", "kp"),
    VT_FIELD_BARE_OPTIONAL(layout, handler, "kretprobe", "handler"),
    VT_FIELD_BARE_OPTIONAL(layout, entry, "kretprobe", "entry_handler"),
};
static const struct vt_layout_type type = VT_LAYOUT(layout, specs);

struct reading {
    struct vt_walk *w;
    const struct layout *l;
    struct vt_code_map map;
    uint64_t several, returns; /* pre-handlers that say what a probe is */
};

static void write_flags(uint64_t flags, char *text, size_t size)
{
    snprintf(text, size, "%s%s%s%s", flags & GONE ? "gone " : "",
             flags & DISABLED ? "disabled " : "", flags & OPTIMIZED ? "optimized " : "",
             flags & FTRACE ? "ftrace " : "");
    size_t n = strlen(text);
    if (n > 0) {
        text[n - 1] = '\0';
    }
}

static void check_return(struct reading *r, struct vt_gva at, struct vt_kprobe *p)
{
    const struct layout *l = r->l;
    struct vt_gva outer = VT_GVA(at.v - l->inner.offset);
    struct vt_gva entry = VT_GVA(vt_look_member(&r->w->look, outer, &l->entry));
    p->kind = "kretprobe";
    p->handler = VT_GVA(vt_look_member(&r->w->look, outer, &l->handler));
    if (entry.v != 0) {
        vt_hook_check(&r->map, entry, "its entry handler", &p->row);
    }
}

/* false: it only serves others. */
static bool read_probe(struct reading *r, struct vt_gva at, struct vt_kprobe *p)
{
    const struct layout *l = r->l;
    struct vt_object o;
    struct vt_code_at code;
    *p = (struct vt_kprobe){.row.at = at, .kind = "kprobe"};
    if (!vt_look_object(&r->w->look, at, l->probe, &o)) {
        return true;
    }
    struct vt_gva pre = VT_GVA(vt_object_uint(&o, &l->pre));
    p->place = VT_GVA(vt_object_uint(&o, &l->addr));
    p->handler = pre;
    p->post = VT_GVA(vt_object_uint(&o, &l->post));
    write_flags(vt_object_uint(&o, &l->flags), p->flags, sizeof p->flags);
    vt_code_find(&r->map, p->place, &code);
    snprintf(p->function, sizeof p->function, "%s", code.symbol);
    snprintf(p->module, sizeof p->module, "%s", code.owner_text);
    if (r->several != 0 && pre.v == r->several) {
        return false;
    }
    if (r->returns != 0 && pre.v == r->returns && l->inner.size != 0 && l->handler.size == 8 &&
        l->entry.size == 8) {
        check_return(r, at, p);
    }
    if (p->handler.v != 0) {
        vt_code_find(&r->map, p->handler, &code);
        snprintf(p->symbol, sizeof p->symbol, "%s", code.symbol);
        snprintf(p->owner, sizeof p->owner, "%s", code.owner_text);
        vt_hook_check(&r->map, p->handler, "its handler", &p->row);
    }
    if (p->post.v != 0) {
        vt_hook_check(&r->map, p->post, "its post-handler", &p->row);
    }
    return true;
}

static int show(struct reading *r, struct vt_gva at, bool *serves)
{
    struct vt_kprobe p;
    bool own;
    do {
        vt_look_begin(&r->w->look);
        own = read_probe(r, at, &p);
    } while (vt_look_again(&r->w->look));
    *serves = !own;
    return own ? vt_walk_row(r->w, &p.row) : 0;
}

/* The probes that one in the table serves. */
static int walk_served(struct reading *r, struct vt_gva at, struct vt_error *err)
{
    struct vt_list_walk list;
    struct vt_gva node;
    bool nested;
    int rc;
    vt_list_begin(&list, r->w->space, VT_GVA(at.v + r->l->list.offset), PROBES_MAX);
    while ((rc = vt_list_next(&list, &node, err)) == 1) {
        /* Many may claim the same list; only one is pointed back to. */
        if (list.torn_link) {
            rc = 0;
            break;
        }
        if ((rc = show(r, VT_GVA(node.v - r->l->list.offset), &nested)) != 0) {
            break;
        }
    }
    vt_walk_list_end(r->w, &list);
    return rc;
}

static int walk_table(struct reading *r, struct vt_gva table, struct vt_error *err)
{
    struct vt_hlist_walk hash;
    struct vt_gva node;
    int rc = 0;
    vt_hlist_begin(&hash, r->w->space, VT_HLIST, PROBES_MAX);
    for (unsigned i = 0; rc == 0 && i < TABLE; i++) {
        vt_hlist_bucket(&hash, VT_GVA(table.v + 8 * (uint64_t)i));
        while ((rc = vt_hlist_next(&hash, &node, err)) == 1) {
            struct vt_gva at = VT_GVA(node.v - r->l->link.offset);
            bool serves;
            rc = show(r, at, &serves);
            if (rc == 0 && serves) {
                rc = walk_served(r, at, err);
            }
            if (rc != 0) {
                break;
            }
        }
    }
    vt_walk_hlist_end(r->w, &hash);
    return rc;
}

static int walk(struct vt_walk *w, struct vt_error *err)
{
    struct reading r = {.w = w};
    struct vt_gva table, handler;
    int rc = vt_layout_take(w->kernel, &type, &r.l, err);
    if (rc == 0) {
        rc = vt_kernel_symbol(w->kernel, "kprobe_table", &table, err);
    }
    if (rc == 0) {
        rc = vt_code_map_init(&r.map, w, err);
    }
    if (rc != 0) {
        return rc;
    }
    if (vt_kernel_symbol(w->kernel, "aggr_pre_handler", &handler, NULL) == 0) {
        r.several = handler.v;
    }
    if (vt_kernel_symbol(w->kernel, "pre_handler_kretprobe", &handler, NULL) == 0) {
        r.returns = handler.v;
    }
    rc = walk_table(&r, table, err);
    vt_code_map_fini(&r.map);
    return rc;
}

#define COLUMN(member, kind, key, title, doc) {VT_COLUMN(vt_kprobe, member, kind, key, title, doc)}
#define COLUMN_OR_NONE(member, kind, key, title, doc)                                              \
    {VT_COLUMN(vt_kprobe, member, kind, key, title, doc), .zero_is_none = true}

static const struct vt_column columns[] = {
    COLUMN(kind, VT_CELL_TEXT, "kind", "KIND",
           "kprobe, or kretprobe: called at the function's end"),
    COLUMN(place, VT_CELL_HEX, "address", "ADDRESS", "the instruction it stands on"),
    COLUMN_OR_NONE(function, VT_CELL_CHARS, "function", "FUNCTION", "that is part of"),
    COLUMN(module, VT_CELL_CHARS, "function_owner", NULL, "whose function that is"),
    COLUMN_OR_NONE(handler, VT_CELL_HEX, "handler", NULL, "what is called"),
    COLUMN_OR_NONE(symbol, VT_CELL_CHARS, "symbol", "CALLS", "of what is called"),
    COLUMN_OR_NONE(owner, VT_CELL_CHARS, "owner", "OWNER", "whose code that is"),
    COLUMN_OR_NONE(post, VT_CELL_HEX, "post_handler", NULL, "what is called after the instruction"),
    COLUMN_OR_NONE(flags, VT_CELL_CHARS, "flags", "FLAGS",
                   "disabled, optimized (a jump), ftrace, gone (its module went)"),
};

const struct vt_noun vt_noun_kprobes = {
    .name = "kprobes",
    .summary = "List probes on the kernel's instructions",
    .group = "Trust",
    .checks = true,
    .description =
        "Lists kprobes and kretprobes with what they call. One that calls nobody's code\n"
        "has a finding.",
    .examples = "vitrine kprobes web",
    .columns = columns,
    .n_columns = sizeof columns / sizeof columns[0],
    .walk = walk,
};
