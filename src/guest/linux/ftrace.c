/* guest/linux/ftrace.c - who is called by traced functions: the ops that are in use, and the
 * functions they chose. See vitrine/linux.h.
 *
 * ftrace_ops_list → struct ftrace_ops … ftrace_list_end; func_hash → filter_hash: the places that
 * are traced; an empty one stands for all. saved_func is what was registered; func may be a step
 * before it.
 */
#include "guest/linux/code.h"
#include "guest/linux/hlist.h"
#include "guest/linux/ops.h"

#include <stdio.h>
#include <string.h>

#define OPS_MAX 65536u
#define PLACES_MAX (1u << 20) /* of all ops together, as are the buckets */
#define HASH_BITS_MAX 20u
#define BUCKETS_MAX (4u << 20)

struct layout {
    struct vt_extent ops, hash, hashes;
    struct vt_member func, saved_func, next, flags, func_hash, trampoline;
    struct vt_member filter;
    struct vt_member size_bits, buckets, count;
    struct vt_member link, ip, bucket_bytes;
};

static const struct vt_field_spec specs[] = {
    VT_FIELD(layout, func, ops, "ftrace_ops", "func"),
    VT_FIELD_OPTIONAL(layout, saved_func, ops, "ftrace_ops", "saved_func"),
    VT_FIELD(layout, next, ops, "ftrace_ops", "next"),
    VT_FIELD(layout, flags, ops, "ftrace_ops", "flags"),
    VT_FIELD(layout, func_hash, ops, "ftrace_ops", "func_hash"),
    VT_FIELD_OPTIONAL(layout, trampoline, ops, "ftrace_ops", "trampoline"),
    VT_FIELD(layout, filter, hashes, "ftrace_ops_hash", "filter_hash"),
    VT_FIELD(layout, size_bits, hash, "ftrace_hash", "size_bits"),
    VT_FIELD(layout, buckets, hash, "ftrace_hash", "buckets"),
    VT_FIELD(layout, count, hash, "ftrace_hash", "count"),
    VT_FIELD_BARE(layout, link, "ftrace_func_entry", "hlist"),
    VT_FIELD_BARE(layout, ip, "ftrace_func_entry", "ip"),
    VT_FIELD_SIZE(layout, bucket_bytes, "hlist_head"),
};
static const struct vt_layout_type type = VT_LAYOUT(layout, specs);

struct reading {
    struct vt_walk *w;
    const struct layout *l;
    struct vt_code_map map;
    uint64_t buckets, places;
    int64_t redirects; /* FTRACE_OPS_FL_IPMODIFY: may send the function elsewhere */
};

static void read_flags(const struct vt_kernel *kernel, uint64_t flags, char *text, size_t size)
{
    static const struct {
        const char *enumerator, *word;
    } words[] = {
        {"FTRACE_OPS_FL_SAVE_REGS", "registers"},
        {"FTRACE_OPS_FL_IPMODIFY", "redirects"},
        {"FTRACE_OPS_FL_DIRECT", "direct"},
        {"FTRACE_OPS_FL_PERMANENT", "permanent"},
        {"FTRACE_OPS_FL_PID", "pid"},
    };
    size_t n = 0;
    text[0] = '\0';
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        int64_t bit;
        if (vt_kernel_enumerator(kernel, words[i].enumerator, &bit, NULL) == 0 &&
            (flags & (uint64_t)bit) != 0) {
            int wrote = snprintf(text + n, size - n, "%s%s", n > 0 ? "," : "", words[i].word);
            n += wrote > 0 && (size_t)wrote < size - n ? (size_t)wrote : 0;
        }
    }
}

/* What an ops says; the place it traces is filled in later. */
static struct vt_gva read_ops(struct reading *r, struct vt_gva at, struct vt_ftrace *f,
                              struct vt_gva *next)
{
    struct vt_object o;
    struct vt_code_at code;
    const struct layout *l = r->l;
    *f = (struct vt_ftrace){.row.at = at};
    *next = VT_GVA(0);
    if (!vt_look_object(&r->w->look, at, l->ops, &o)) {
        return VT_GVA(0);
    }
    struct vt_gva now = VT_GVA(vt_object_uint(&o, &l->func));
    struct vt_gva saved = VT_GVA(vt_object_uint(&o, &l->saved_func));
    uint64_t flags = vt_object_uint(&o, &l->flags);
    *next = VT_GVA(vt_object_uint(&o, &l->next));
    f->callback = saved.v != 0 ? saved : now;
    f->trampoline = VT_GVA(vt_object_uint(&o, &l->trampoline));
    read_flags(r->w->kernel, flags, f->flags, sizeof f->flags);
    vt_code_find(&r->map, f->callback, &code);
    snprintf(f->symbol, sizeof f->symbol, "%s", code.symbol);
    snprintf(f->owner, sizeof f->owner, "%s", code.owner_text);
    vt_hook_check(&r->map, f->callback, "what it calls", &f->row);
    vt_hook_check(&r->map, now, "what it calls first", &f->row);
    if (code.owner == VT_CODE_MODULE && (flags & (uint64_t)r->redirects) != 0) {
        vt_row_find(&f->row,
                    "%s may send the traced function elsewhere; livepatches and kprobes do "
                    "that from the kernel, rootkits from a module",
                    code.owner_text);
    }
    uint64_t hashes = vt_object_uint(&o, &l->func_hash);
    return VT_GVA(hashes != 0 ? vt_look_member(&r->w->look, VT_GVA(hashes), &l->filter) : 0);
}

static int show(struct reading *r, struct vt_gva at, struct vt_gva place)
{
    struct vt_walk *w = r->w;
    struct vt_ftrace f;
    struct vt_gva next;
    do {
        struct vt_code_at code;
        vt_look_begin(&w->look);
        read_ops(r, at, &f, &next);
        f.place = place;
        snprintf(f.function, sizeof f.function, "every function");
        if (place.v != 0) {
            vt_code_find(&r->map, place, &code);
            snprintf(f.function, sizeof f.function, "%s", code.symbol);
        }
    } while (vt_look_again(&w->look));
    return vt_walk_row(w, &f.row);
}

/* A row for each place an ops traces, or one for all. */
static int walk_places(struct reading *r, struct vt_gva at, struct vt_gva filter,
                       struct vt_error *err)
{
    struct vt_walk *w = r->w;
    const struct layout *l = r->l;
    struct vt_object hash;
    struct vt_hlist_walk places;
    struct vt_gva node;
    if (filter.v == 0 || vt_object_read(w->space, filter, l->hash, &hash, NULL) != 0 ||
        vt_object_uint(&hash, &l->count) == 0) {
        return show(r, at, VT_GVA(0));
    }
    uint64_t bits = vt_object_uint(&hash, &l->size_bits);
    uint64_t buckets = vt_object_uint(&hash, &l->buckets);
    if (bits > HASH_BITS_MAX || r->buckets + (UINT64_C(1) << bits) > BUCKETS_MAX) {
        vt_walk_torn(w, "filters of more than %u buckets", BUCKETS_MAX);
        return show(r, at, VT_GVA(0));
    }
    r->buckets += UINT64_C(1) << bits;
    int rc = 0;
    vt_hlist_begin(&places, w->space, VT_HLIST, PLACES_MAX - r->places);
    for (uint64_t i = 0; rc == 0 && i < UINT64_C(1) << bits; i++) {
        vt_hlist_bucket(&places, VT_GVA(buckets + i * l->bucket_bytes.size));
        while ((rc = vt_hlist_next(&places, &node, err)) == 1) {
            uint64_t ip;
            r->places++;
            rc = vt_space_read_u64(w->space, VT_GVA(node.v - l->link.offset + l->ip.offset), &ip,
                                   NULL) == 0
                     ? show(r, at, VT_GVA(ip))
                     : 0;
            if (rc != 0) {
                break;
            }
        }
    }
    vt_walk_hlist_end(w, &places);
    return rc;
}

static int walk_ops(struct reading *r, struct vt_error *err)
{
    struct vt_walk *w = r->w;
    struct vt_gva list, end;
    struct vt_seen seen = {0};
    uint64_t at = 0;
    int rc = vt_kernel_symbol(w->kernel, "ftrace_ops_list", &list, err);
    if (rc == 0) {
        rc = vt_kernel_symbol(w->kernel, "ftrace_list_end", &end, err);
    }
    if (rc == 0) {
        rc = vt_space_read_u64(w->space, list, &at, err);
    }
    while (rc == 0 && at != end.v && at != 0) {
        struct vt_ftrace f;
        struct vt_gva next, filter;
        if ((rc = vt_seen_add(&seen, at, err)) != 1 || seen.n > OPS_MAX) {
            vt_walk_torn(w, "the list of ops does not end");
            rc = rc < 0 ? rc : 0;
            break;
        }
        do {
            vt_look_begin(&w->look);
            filter = read_ops(r, VT_GVA(at), &f, &next);
        } while (vt_look_again(&w->look));
        rc = walk_places(r, VT_GVA(at), filter, err);
        at = next.v;
    }
    vt_seen_fini(&seen);
    return rc;
}

static int walk(struct vt_walk *w, struct vt_error *err)
{
    struct reading r = {.w = w};
    int rc = vt_layout_take(w->kernel, &type, &r.l, err);
    if (rc == 0) {
        rc = vt_code_map_init(&r.map, w, err);
    }
    if (rc != 0) {
        return rc;
    }
    if (vt_kernel_enumerator(w->kernel, "FTRACE_OPS_FL_IPMODIFY", &r.redirects, NULL) != 0) {
        r.redirects = 0;
    }
    rc = walk_ops(&r, err);
    vt_code_map_fini(&r.map);
    return rc;
}

#define COLUMN(member, kind, key, title, doc) {VT_COLUMN(vt_ftrace, member, kind, key, title, doc)}
#define COLUMN_OR_NONE(member, kind, key, title, doc)                                              \
    {VT_COLUMN(vt_ftrace, member, kind, key, title, doc), .zero_is_none = true}

static const struct vt_column columns[] = {
    COLUMN(function, VT_CELL_CHARS, "function", "FUNCTION", "which function is traced"),
    COLUMN_OR_NONE(place, VT_CELL_HEX, "address", NULL, "where its call to the tracer stands"),
    COLUMN(callback, VT_CELL_HEX, "callback", NULL, "what it calls"),
    COLUMN_OR_NONE(symbol, VT_CELL_CHARS, "symbol", "CALLS", "of what it calls"),
    COLUMN(owner, VT_CELL_CHARS, "owner", "OWNER", "whose code that is"),
    COLUMN_OR_NONE(flags, VT_CELL_CHARS, "flags", "FLAGS",
                   "redirects: may send it elsewhere; direct: called without ftrace"),
    COLUMN_OR_NONE(trampoline, VT_CELL_HEX, "trampoline", NULL, "code made for this tracer alone"),
};

const struct vt_noun vt_noun_ftrace = {
    .name = "ftrace",
    .summary = "List what traces the kernel's functions",
    .group = "Trust",
    .checks = true,
    .description =
        "Lists what is called when functions of the kernel are entered, through ftrace: tracers,\n"
        "kprobes, livepatches, BPF, and rootkits. A callback that is nobody's code, or a module\n"
        "that redirects functions, has a finding.",
    .examples = "vitrine ftrace web",
    .columns = columns,
    .n_columns = sizeof columns / sizeof columns[0],
    .walk = walk,
};
