/* guest/linux/hidden_modules.c - the views of modules, and what is not in all of them. See
 * hidden.h.
 *
 *   list    modules: what /proc/modules and lsmod go by
 *   table   mod_tree: by address, for stack traces
 *   sysfs   module_kset: /sys/module
 *   memory  what is mapped where modules lie: a struct module names itself in mkobj.mod, so it is
 *           known by its own address
 * A live module belongs into all; one that is being loaded or removed into none for sure.
 */
#include "guest/linux/hidden.h"
#include "guest/linux/rbtree.h"

#include "base/cursor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODULES_MAX 65536u
#define MODULES_END UINT64_C(0xffffffffff000000) /* asm/pgtable_64_types.h */
#define TABLES_MAX 8192u
enum { STATE_LIVE = 0, LATCHED = 2 };

enum view { LIST = 1 << 0, TABLE = 1 << 1, SYSFS = 1 << 2, MEMORY = 1 << 3 };

struct layout {
    struct vt_extent module;
    struct vt_member list, name, state, self, module_bytes;
    struct vt_member root, trees, node, node_bytes, owner, nodes;
    struct vt_member members, entry, kobject, kobject_module;
};

static const struct vt_field_spec specs[] = {
    VT_FIELD(layout, list, module, "module", "list"),
    VT_FIELD(layout, name, module, "module", "name"),
    VT_FIELD(layout, state, module, "module", "state"),
    VT_FIELD(layout, self, module, "module", "mkobj.mod"),
    VT_FIELD_SIZE(layout, module_bytes, "module"),
    VT_FIELD_BARE_OPTIONAL(layout, root, "mod_tree_root", "root"),
    VT_FIELD_BARE_OPTIONAL(layout, trees, "latch_tree_root", "tree"),
    VT_FIELD_BARE_OPTIONAL(layout, owner, "mod_tree_node", "mod"),
    VT_FIELD_BARE_OPTIONAL(layout, node, "mod_tree_node", "node"),
    VT_FIELD_BARE_OPTIONAL(layout, nodes, "latch_tree_node", "node"),
    VT_FIELD_SIZE_OPTIONAL(layout, node_bytes, "rb_node"),
    VT_FIELD_BARE_OPTIONAL(layout, members, "kset", "list"),
    VT_FIELD_BARE_OPTIONAL(layout, entry, "kobject", "entry"),
    VT_FIELD_BARE_OPTIONAL(layout, kobject, "module_kobject", "kobj"),
    VT_FIELD_BARE_OPTIONAL(layout, kobject_module, "module_kobject", "mod"),
};
static const struct vt_layout_type type = VT_LAYOUT(layout, specs);

struct round {
    struct vt_walk *w;
    const struct layout *l;
    struct vt_sights modules;
    unsigned taken;
    char why[160];
    struct vt_error *err; /* of the walk through memory */
};

static void close_view(struct round *r, enum view view, bool torn, const char *why)
{
    if (!torn) {
        r->taken |= view;
    } else if (r->why[0] == '\0') {
        snprintf(r->why, sizeof r->why, "%.159s", why);
    }
}

/* ---------------------------------------------------------------- the views */

static int view_list(struct round *r, struct vt_error *err)
{
    struct vt_list_walk list;
    struct vt_gva head, node;
    int rc = vt_kernel_symbol(r->w->kernel, "modules", &head, err);
    if (rc != 0) {
        return rc;
    }
    vt_list_begin(&list, r->w->space, head, r->modules.cap);
    while ((rc = vt_list_next(&list, &node, err)) == 1) {
        if ((rc = vt_sights_add(&r->modules, node.v - r->l->list.offset, LIST, err)) != 0) {
            break;
        }
    }
    close_view(r, LIST, list.torn, list.why);
    vt_list_end(&list);
    return rc;
}

/* Two trees of the same: while one is changed, readers use the other. */
static int view_tree(struct round *r, struct vt_error *err)
{
    const struct layout *l = r->l;
    struct vt_gva at, node;
    if (l->root.size == 0 || l->trees.size < LATCHED * 8 || l->owner.size != 8 ||
        l->nodes.size < LATCHED * l->node_bytes.size || l->node.size == 0 ||
        vt_kernel_symbol(r->w->kernel, "mod_tree", &at, NULL) != 0) {
        return 0;
    }
    at.v += l->root.offset + l->trees.offset;
    bool torn = false;
    char why[160] = "";
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < LATCHED; i++) {
        struct vt_rb_walk tree;
        uint64_t owner;
        uint32_t below = l->node.offset + l->nodes.offset + i * l->node_bytes.size;
        vt_rb_begin(&tree, r->w->space, VT_GVA(at.v + 8 * (uint64_t)i), 16 * r->modules.cap);
        while (rc == 0 && vt_rb_next(&tree, &node)) {
            if (vt_space_read_u64(r->w->space, VT_GVA(node.v - below + l->owner.offset), &owner,
                                  NULL) == 0) {
                rc = vt_sights_add(&r->modules, owner, TABLE, err);
            }
        }
        if (tree.torn) {
            snprintf(why, sizeof why, "%s", tree.why);
            torn = true;
        }
    }
    close_view(r, TABLE, torn, why);
    return rc;
}

static int view_sysfs(struct round *r, struct vt_error *err)
{
    const struct layout *l = r->l;
    struct vt_list_walk list;
    struct vt_gva at, node;
    uint64_t kset;
    if (l->members.size == 0 || l->entry.size == 0 || l->kobject.size == 0 ||
        l->kobject_module.size != 8 ||
        vt_kernel_symbol(r->w->kernel, "module_kset", &at, NULL) != 0 ||
        vt_space_read_u64(r->w->space, at, &kset, NULL) != 0 || kset == 0) {
        return 0;
    }
    int rc;
    vt_list_begin(&list, r->w->space, VT_GVA(kset + l->members.offset), r->modules.cap);
    while ((rc = vt_list_next(&list, &node, err)) == 1) {
        uint64_t object = node.v - l->entry.offset - l->kobject.offset, module = 0;
        rc = 0;
        if (vt_space_read_u64(r->w->space, VT_GVA(object + l->kobject_module.offset), &module,
                              NULL) == 0 &&
            module != 0) { /* what is built in has none */
            rc = vt_sights_add(&r->modules, module, SYSFS, err);
        }
        if (rc != 0) {
            break;
        }
    }
    close_view(r, SYSFS, list.torn, list.why);
    vt_list_end(&list);
    return rc;
}

/* A page of the modules' part of the address space: words that are what a struct module there would
 * have in mkobj.mod, its own address. */
static int scan_page(struct round *r, uint64_t gva, struct vt_gpa gpa)
{
    uint8_t page[VT_PAGE_BYTES];
    if (vt_ram_read(r->w->kernel->ram, gpa, page, sizeof page, NULL) != 0) {
        return 0;
    }
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < sizeof page; i += 8) {
        uint64_t self = gva + i - r->l->self.offset;
        if (vt_le64(page + i) == self) {
            rc = vt_sights_add(&r->modules, self, MEMORY, r->err);
        }
    }
    return rc;
}

static int scan_mapping(const struct vt_mapping *m, void *arg)
{
    struct round *r = arg;
    int rc = 0;
    for (uint64_t i = 0; rc == 0 && i < m->page_bytes && m->gva.v + i < MODULES_END;
         i += VT_PAGE_BYTES) {
        rc = scan_page(r, m->gva.v + i, VT_GPA(m->gpa.v + i));
    }
    return rc;
}

static int view_memory(struct round *r, struct vt_error *err)
{
    struct vt_gva end;
    struct vt_error limit;
    r->err = err;
    if (vt_kernel_symbol(r->w->kernel, "_end", &end, NULL) != 0) {
        return 0;
    }
    end.v = (end.v + (UINT64_C(2) << 20) - 1) & ~((UINT64_C(2) << 20) - 1);
    int rc = vt_space_walk(r->w->space, end, VT_GVA(MODULES_END), TABLES_MAX, scan_mapping, NULL, r,
                           &limit);
    if (rc == VT_E_LIMIT) {
        close_view(r, MEMORY, true, limit.message);
        return 0;
    }
    r->taken |= MEMORY;
    return rc;
}

static int take_round(struct round *r, struct vt_error *err)
{
    int rc = view_list(r, err);
    if (rc == 0) {
        rc = view_tree(r, err);
    }
    if (rc == 0) {
        rc = view_sysfs(r, err);
    }
    return rc == 0 ? view_memory(r, err) : rc;
}

/* ---------------------------------------------------------------- the verdict */

static bool is_name(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.");
    return n > 0 && name[n] == '\0';
}

/* What a module is not in and should be; 0 also when it is no live module. */
static unsigned missing_of(const struct round *r, const struct vt_sight *sight)
{
    struct vt_object o;
    char name[64];
    if (vt_object_read(r->w->space, VT_GVA(sight->at), r->l->module, &o, NULL) != 0) {
        return 0;
    }
    vt_object_text(&o, &r->l->name, name, sizeof name);
    bool live = vt_object_uint(&o, &r->l->state) == STATE_LIVE && is_name(name);
    return live ? r->taken & (LIST | TABLE | SYSFS) & ~sight->views : 0;
}

static void judge(struct vt_hidden *h, unsigned missing)
{
    if (missing & LIST) {
        vt_row_find(&h->row,
                    "module %s is loaded but not on the list of modules: something took "
                    "it off, so that lsmod does not show it",
                    h->name);
    } else {
        vt_row_find(&h->row, "module %s is loaded but not in %s, where the kernel puts each one",
                    h->name, missing & SYSFS ? "/sys/module" : "the tree of modules");
    }
}

static int show(struct round *r, const struct vt_sight *s, unsigned missing)
{
    struct vt_walk *w = r->w;
    struct vt_hidden h;
    do {
        struct vt_object o;
        vt_look_begin(&w->look);
        h = (struct vt_hidden){
            .row.at = VT_GVA(s->at),
            .kind = "module",
            .list = vt_sight_word(s->views, LIST, r->taken),
            .table = vt_sight_word(s->views, TABLE, r->taken),
            .sysfs = vt_sight_word(s->views, SYSFS, r->taken),
            .memory = vt_sight_word(s->views, MEMORY, r->taken),
        };
        vt_look_object(&w->look, h.row.at, r->l->module, &o);
        vt_object_text(&o, &r->l->name, h.name, sizeof h.name);
        judge(&h, missing);
    } while (vt_look_again(&w->look));
    return vt_walk_row(w, &h.row);
}

/* A round; of what it finds missing, what was missing in the rounds before as well (NULL: this is
 * the first). `missing` becomes what is left, by module. */
static int look_once(struct round *r, const struct vt_sights *before, struct vt_sights *missing,
                     struct vt_error *err)
{
    int rc = take_round(r, err);
    missing->cap = r->modules.cap;
    for (size_t i = 0; rc == 0 && i < r->modules.n; i++) {
        const struct vt_sight *sight = &r->modules.list[i];
        unsigned now = missing_of(r, sight);
        now &= before != NULL ? vt_sights_of(before, sight->at) : now;
        if (now != 0) {
            rc = vt_sights_add(missing, sight->at, now, err);
        }
    }
    return rc;
}

int vt_hidden_modules(struct vt_walk *w, struct vt_error *err)
{
    const struct layout *l;
    struct vt_gva modules;
    struct vt_sights missing = {0};
    if (vt_kernel_symbol(w->kernel, "modules", &modules, NULL) != 0) {
        return 0; /* a kernel without modules */
    }
    int rc = vt_layout_take(w->kernel, &type, &l, err);
    for (unsigned i = 0; rc == 0 && i < VT_HIDDEN_ROUNDS && (i == 0 || missing.n > 0); i++) {
        struct round r = {.w = w, .l = l};
        struct vt_sights before = missing;
        missing = (struct vt_sights){0};
        r.modules.cap = vt_walk_cap(w, l->module_bytes.size, MODULES_MAX);
        vt_kernel_refresh(w->kernel);
        rc = look_once(&r, i == 0 ? NULL : &before, &missing, err);
        if (r.why[0] != '\0') {
            vt_walk_torn(w, "%s", r.why);
        }
        w->result.checked += i == 0 ? r.modules.n : 0;
        for (size_t k = 0; rc == 0 && i + 1 == VT_HIDDEN_ROUNDS && k < missing.n; k++) {
            struct vt_sight sight = {missing.list[k].at,
                                     vt_sights_of(&r.modules, missing.list[k].at)};
            rc = show(&r, &sight, missing.list[k].views);
        }
        vt_sights_fini(&before);
        vt_sights_fini(&r.modules);
    }
    vt_sights_fini(&missing);
    return rc;
}
