/* guest/linux/cgroups.c - control groups of both versions. See vitrine/linux.h.
 *
 * Every hierarchy has a struct cgroup_root on the list cgroup_roots. A task has a css_set, and
 * struct cgrp_cset_link ties css_sets to the cgroups, one of each hierarchy, that they stand for.
 */
#include "guest/linux/seen.h"
#include "guest/linux/tasks.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOTS_MAX 64u /* there are no more controllers, and a name takes more than a typo */
#define CGROUPS_MAX (1u << 20)
#define LEVELS_MAX 256u
#define LINKS_MAX (4u << 20) /* of all cgroups together */
#define PATH_BYTES 4096u
#define CONTROLLERS_BYTES 1024u
#define CONTROLLERS_MAX 32u

enum { CSS_ONLINE = 1 << 1 };

struct layout {
    struct vt_member root_cgroup, root_mask, root_id, root_list, root_name;
    struct vt_member self, kn, root, control, cset_links, parent, flags, children, sibling;
    struct vt_member kn_parent, kn_name, kn_id;
    struct vt_member task_cset;
    struct vt_member cset_links_of, cset_threads, cset_controllers;
    struct vt_member link_cgroup, link_cset, link_in_cgroup, link_in_cset;
    struct vt_member ss_name, ss_legacy;
    struct vt_member cgroup_bytes;
};

static const struct vt_field_spec specs[] = {
    VT_FIELD_BARE(layout, root_cgroup, "cgroup_root", "cgrp"),
    VT_FIELD_BARE(layout, root_mask, "cgroup_root", "subsys_mask"),
    VT_FIELD_BARE(layout, root_id, "cgroup_root", "hierarchy_id"),
    VT_FIELD_BARE(layout, root_list, "cgroup_root", "root_list"),
    VT_FIELD_BARE(layout, root_name, "cgroup_root", "name"),
    VT_FIELD_BARE(layout, self, "cgroup", "self"),
    VT_FIELD_BARE(layout, kn, "cgroup", "kn"),
    VT_FIELD_BARE(layout, root, "cgroup", "root"),
    VT_FIELD_BARE(layout, control, "cgroup", "subtree_control"),
    VT_FIELD_BARE(layout, cset_links, "cgroup", "cset_links"),
    VT_FIELD_BARE(layout, parent, "cgroup_subsys_state", "parent"),
    VT_FIELD_BARE(layout, flags, "cgroup_subsys_state", "flags"),
    VT_FIELD_BARE(layout, children, "cgroup_subsys_state", "children"),
    VT_FIELD_BARE(layout, sibling, "cgroup_subsys_state", "sibling"),
    VT_FIELD_BARE(layout, kn_parent, "kernfs_node", "__parent", "parent"),
    VT_FIELD_BARE(layout, kn_name, "kernfs_node", "name"),
    VT_FIELD_BARE_OPTIONAL(layout, kn_id, "kernfs_node", "id"),
    VT_FIELD_BARE(layout, task_cset, "task_struct", "cgroups"),
    VT_FIELD_BARE(layout, cset_links_of, "css_set", "cgrp_links"),
    VT_FIELD_BARE_OPTIONAL(layout, cset_threads, "css_set", "nr_tasks"),
    VT_FIELD_BARE(layout, cset_controllers, "css_set", "subsys"),
    VT_FIELD_BARE(layout, link_cgroup, "cgrp_cset_link", "cgrp"),
    VT_FIELD_BARE(layout, link_cset, "cgrp_cset_link", "cset"),
    VT_FIELD_BARE(layout, link_in_cgroup, "cgrp_cset_link", "cset_link"),
    VT_FIELD_BARE(layout, link_in_cset, "cgrp_cset_link", "cgrp_link"),
    VT_FIELD_BARE(layout, ss_name, "cgroup_subsys", "name"),
    VT_FIELD_BARE(layout, ss_legacy, "cgroup_subsys", "legacy_name"),
    VT_FIELD_SIZE(layout, cgroup_bytes, "cgroup"),
};
static const struct vt_layout_type type = VT_LAYOUT(layout, specs);

struct root {
    struct vt_gva at;
    uint32_t id, mask;
    bool unified; /* version 2 */
    char name[64 + 1];
};

struct groups {
    const struct layout *l;
    struct root roots[ROOTS_MAX];
    unsigned n_roots;
    unsigned n_controllers;
    char names[CONTROLLERS_MAX][32], legacy[CONTROLLERS_MAX][32];
    uint32_t never;  /* controllers that version 2 does not show */
    uint64_t *csets; /* of every process, ascending */
    size_t n_csets;
    struct vt_gva *stack; /* cgroups to come, the next one last */
    size_t n_stack, stack_room, n_pushed;
    size_t n_links;
    struct vt_seen seen;
    char path[PATH_BYTES], controllers[CONTROLLERS_BYTES];
};

/* ---------------------------------------------------------------- what is fixed */

static void read_controllers(struct vt_walk *w, struct groups *g)
{
    struct vt_gva array;
    size_t n = g->l->cset_controllers.size / 8;
    if (vt_kernel_symbol(w->kernel, "cgroup_subsys", &array, NULL) != 0) {
        return;
    }
    g->n_controllers = (unsigned)(n < CONTROLLERS_MAX ? n : CONTROLLERS_MAX);
    for (unsigned i = 0; i < g->n_controllers; i++) {
        uint64_t ss = 0, name = 0, legacy = 0;
        if (vt_space_read_u64(w->space, VT_GVA(array.v + 8 * (uint64_t)i), &ss, NULL) != 0 ||
            vt_space_read_u64(w->space, VT_GVA(ss + g->l->ss_name.offset), &name, NULL) != 0 ||
            vt_space_read_u64(w->space, VT_GVA(ss + g->l->ss_legacy.offset), &legacy, NULL) != 0 ||
            vt_space_read_string(w->space, VT_GVA(name), g->names[i], sizeof g->names[i], NULL) !=
                0 ||
            vt_space_read_string(w->space, VT_GVA(legacy), g->legacy[i], sizeof g->legacy[i],
                                 NULL) != 0) {
            snprintf(g->names[i], sizeof g->names[i], "controller-%u", i);
            memcpy(g->legacy[i], g->names[i], sizeof g->legacy[i]);
        }
    }
    static const char *const masks[] = {"cgrp_dfl_inhibit_ss_mask", "cgrp_dfl_implicit_ss_mask"};
    for (unsigned i = 0; i < 2; i++) {
        struct vt_gva at;
        uint32_t mask = 0;
        if (g->l->control.size <= sizeof mask &&
            vt_kernel_symbol(w->kernel, masks[i], &at, NULL) == 0 &&
            vt_space_read(w->space, at, &mask, g->l->control.size, NULL) == 0) {
            g->never |= mask;
        }
    }
}

static int read_roots(struct vt_walk *w, struct groups *g, struct vt_error *err)
{
    const struct layout *l = g->l;
    struct vt_gva head, node, unified = VT_GVA(0);
    struct vt_list_walk list;
    int rc = vt_kernel_symbol(w->kernel, "cgroup_roots", &head, err);
    if (rc != 0) {
        return rc;
    }
    vt_kernel_symbol(w->kernel, "cgrp_dfl_root", &unified, NULL);
    vt_list_begin(&list, w->space, head, ROOTS_MAX);
    while ((rc = vt_list_next(&list, &node, err)) == 1) {
        struct root *r = &g->roots[g->n_roots++];
        r->at = VT_GVA(node.v - l->root_list.offset);
        r->unified = r->at.v == unified.v;
        vt_space_read_u32(w->space, VT_GVA(r->at.v + l->root_id.offset), &r->id, NULL);
        vt_space_read_u32(w->space, VT_GVA(r->at.v + l->root_mask.offset), &r->mask, NULL);
        vt_space_read_string(w->space, VT_GVA(r->at.v + l->root_name.offset), r->name,
                             sizeof r->name, NULL);
    }
    vt_walk_list_end(w, &list);
    return rc;
}

static int ascending(const void *a, const void *b)
{
    uint64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

static int read_csets(struct vt_walk *w, struct groups *g, struct vt_error *err)
{
    struct vt_task_list list;
    int rc = vt_linux_tasks(w->kernel, &list, err);
    if (rc != 0) {
        return rc;
    }
    if (list.torn) {
        vt_walk_torn(w, "processes: %s", list.why);
    }
    g->csets = calloc(list.n + 1, sizeof *g->csets);
    if (g->csets == NULL) {
        rc = vt_fail(err, VT_E_NOMEM, "control groups: out of memory");
    }
    for (size_t i = 0; i < list.n && rc == 0; i++) {
        /* A process that ended counts nowhere, and its css_set may be gone. */
        struct vt_gva at = VT_GVA(list.tasks[i].at.v + g->l->task_cset.offset);
        if (strchr("ZX", list.tasks[i].state) == NULL &&
            vt_space_read_u64(w->space, at, &g->csets[g->n_csets], NULL) == 0) {
            g->n_csets++;
        }
    }
    if (rc == 0) {
        qsort(g->csets, g->n_csets, sizeof *g->csets, ascending);
    }
    vt_task_list_fini(&list);
    return rc;
}

static size_t first_at_least(const struct groups *g, uint64_t cset)
{
    size_t low = 0, high = g->n_csets;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (g->csets[middle] < cset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static const struct root *root_at(const struct groups *g, uint64_t at)
{
    for (unsigned i = 0; i < g->n_roots; i++) {
        if (g->roots[i].at.v == at) {
            return &g->roots[i];
        }
    }
    return NULL;
}

/* ---------------------------------------------------------------- one cgroup */

static void write_controllers(struct groups *g, const struct root *root, uint32_t mask)
{
    size_t n = 0;
    g->controllers[0] = '\0';
    for (unsigned i = 0; i < g->n_controllers; i++) {
        if ((mask >> i & 1) != 0) {
            n += (size_t)snprintf(g->controllers + n, sizeof g->controllers - n, "%s%s",
                                  n == 0 ? "" : ",", root->unified ? g->names[i] : g->legacy[i]);
        }
    }
    if (!root->unified && root->name[0] != '\0' && n < sizeof g->controllers) {
        snprintf(g->controllers + n, sizeof g->controllers - n, "%sname=%s", n == 0 ? "" : ",",
                 root->name);
    }
}

/* The names of its directories, from the last to the first. */
static const char *read_path(struct vt_look *look, struct groups *g, uint64_t kn, bool online)
{
    static const char deleted[] = " (deleted)";
    const struct layout *l = g->l;
    char name[256];
    size_t at = sizeof g->path - sizeof deleted;
    memcpy(g->path + at, online ? "" : deleted, online ? 1 : sizeof deleted);
    size_t end = at;
    for (unsigned level = 0; kn != 0; level++) {
        uint64_t parent = vt_look_member(look, VT_GVA(kn), &l->kn_parent);
        if (parent == 0) {
            break; /* the root has no name */
        }
        uint64_t text = vt_look_member(look, VT_GVA(kn), &l->kn_name);
        vt_look_text(look, VT_GVA(text), name, sizeof name);
        size_t n = strlen(name) + 1;
        if (level >= LEVELS_MAX || n > at || n == 1) {
            vt_look_doubt(look, "no path leads to it");
            break;
        }
        at -= n;
        g->path[at] = '/';
        memcpy(g->path + at + 1, name, n - 1);
        kn = parent;
    }
    if (at == end) {
        g->path[--at] = '/';
    }
    return g->path + at;
}

static int count_members(struct vt_walk *w, struct groups *g, struct vt_cgroup *c,
                         struct vt_error *err)
{
    const struct layout *l = g->l;
    struct vt_list_walk list;
    struct vt_gva node;
    int rc;
    vt_list_begin(&list, w->space, VT_GVA(c->row.at.v + l->cset_links.offset),
                  LINKS_MAX - g->n_links);
    while ((rc = vt_list_next(&list, &node, err)) == 1) {
        uint64_t cset = 0;
        g->n_links++;
        uint32_t threads = 0;
        struct vt_gva link = VT_GVA(node.v - l->link_in_cgroup.offset);
        if (vt_space_read_u64(w->space, VT_GVA(link.v + l->link_cset.offset), &cset, NULL) != 0) {
            vt_look_doubt(&w->look, "its members cannot be read");
            break;
        }
        c->processes += (uint32_t)(first_at_least(g, cset + 1) - first_at_least(g, cset));
        if (l->cset_threads.size == sizeof threads) {
            vt_space_read_u32(w->space, VT_GVA(cset + l->cset_threads.offset), &threads, NULL);
            c->threads += threads;
        }
    }
    if (list.torn) {
        vt_look_doubt(&w->look, "its members: %.60s", list.why);
    }
    vt_list_end(&list);
    return rc < 0 ? rc : 0;
}

static int print_cgroup(struct vt_walk *w, struct groups *g, const struct root *root,
                        struct vt_gva at, int32_t pid, struct vt_error *err)
{
    const struct layout *l = g->l;
    struct vt_look *look = &w->look;
    struct vt_cgroup c;
    int rc;
    do {
        vt_look_begin(look);
        c = (struct vt_cgroup){.row.at = at,
                               .pid = pid,
                               .version = root->unified ? 2 : 1,
                               .hierarchy = root->unified ? 0 : root->id};
        struct vt_gva self = VT_GVA(at.v + l->self.offset);
        uint64_t kn = vt_look_member(look, at, &l->kn);
        uint64_t parent = vt_look_member(look, self, &l->parent);
        bool online = (vt_look_member(look, self, &l->flags) & CSS_ONLINE) != 0;
        if (vt_look_member(look, at, &l->root) != root->at.v) {
            vt_look_doubt(look, "it belongs to another hierarchy");
        }
        uint32_t mask = root->mask;
        if (root->unified) {
            struct vt_gva above = VT_GVA(parent - l->self.offset);
            mask =
                parent == 0 ? mask & ~g->never : (uint32_t)vt_look_member(look, above, &l->control);
        }
        write_controllers(g, root, mask);
        c.id = kn == 0 ? 0 : vt_look_member(look, VT_GVA(kn), &l->kn_id);
        c.path = read_path(look, g, kn, online || !root->unified);
        c.controllers = g->controllers;
        rc = count_members(w, g, &c, err);
    } while (vt_look_again(look) && rc == 0);
    return rc == 0 ? vt_walk_row(w, &c.row) : rc;
}

/* ---------------------------------------------------------------- all, or those of a process */

static int push(struct groups *g, struct vt_gva at, struct vt_error *err)
{
    if (g->n_stack == g->stack_room) {
        size_t room = g->stack_room == 0 ? 64 : 2 * g->stack_room;
        struct vt_gva *more = realloc(g->stack, room * sizeof *more);
        if (more == NULL) {
            return vt_fail(err, VT_E_NOMEM, "control groups: out of memory");
        }
        g->stack = more;
        g->stack_room = room;
    }
    g->stack[g->n_stack++] = at;
    g->n_pushed++;
    return 0;
}

/* The children, to be taken in their order. */
static int push_children(struct vt_walk *w, struct groups *g, struct vt_gva at,
                         struct vt_error *err)
{
    const struct layout *l = g->l;
    struct vt_list_walk list;
    struct vt_gva node;
    size_t first = g->n_stack, cap = vt_walk_cap(w, l->cgroup_bytes.size, CGROUPS_MAX);
    int rc;
    vt_list_begin(&list, w->space, VT_GVA(at.v + l->self.offset + l->children.offset),
                  cap > g->n_pushed ? cap - g->n_pushed : 0);
    while ((rc = vt_list_next(&list, &node, err)) == 1) {
        rc = push(g, VT_GVA(node.v - l->sibling.offset - l->self.offset), err);
        if (rc != 0) {
            break;
        }
    }
    vt_walk_list_end(w, &list);
    for (size_t i = first, j = g->n_stack; i + 1 < j; i++) {
        struct vt_gva swap = g->stack[i];
        g->stack[i] = g->stack[--j];
        g->stack[j] = swap;
    }
    return rc;
}

static int print_hierarchy(struct vt_walk *w, struct groups *g, const struct root *root,
                           struct vt_error *err)
{
    int rc = push(g, VT_GVA(root->at.v + g->l->root_cgroup.offset), err);
    while (rc == 0 && g->n_stack > 0) {
        struct vt_gva at = g->stack[--g->n_stack];
        rc = vt_seen_add(&g->seen, at.v, err);
        if (rc < 0) {
            break;
        }
        if (rc == 0) {
            vt_walk_torn(w, "the control group 0x%" PRIx64 " is met twice", at.v);
            continue;
        }
        rc = print_cgroup(w, g, root, at, 0, err);
        if (rc == 0) {
            rc = push_children(w, g, at, err);
        }
    }
    g->n_stack = 0;
    return rc;
}

static int print_of_process(struct vt_walk *w, const struct vt_task *t, void *arg,
                            struct vt_error *err)
{
    struct groups *g = arg;
    const struct layout *l = g->l;
    uint64_t cset = 0, cgroups[ROOTS_MAX] = {0};
    struct vt_list_walk list;
    struct vt_gva node;
    int rc;
    vt_space_read_u64(w->space, VT_GVA(t->at.v + l->task_cset.offset), &cset, NULL);
    vt_list_begin(&list, w->space, VT_GVA(cset + l->cset_links_of.offset), ROOTS_MAX);
    while ((rc = vt_list_next(&list, &node, err)) == 1) {
        uint64_t at = 0, root = 0;
        struct vt_gva link = VT_GVA(node.v - l->link_in_cset.offset);
        vt_space_read_u64(w->space, VT_GVA(link.v + l->link_cgroup.offset), &at, NULL);
        vt_space_read_u64(w->space, VT_GVA(at + l->root.offset), &root, NULL);
        const struct root *found = root_at(g, root);
        if (found != NULL) {
            cgroups[found - g->roots] = at;
        }
    }
    vt_walk_list_end(w, &list);
    for (unsigned i = 0; i < g->n_roots && rc == 0; i++) {
        if (cgroups[i] != 0) {
            rc = print_cgroup(w, g, &g->roots[i], VT_GVA(cgroups[i]), t->pid, err);
        }
    }
    return rc;
}

static int walk(struct vt_walk *w, struct vt_error *err)
{
    const struct layout *l;
    int rc = vt_layout_take(w->kernel, &type, &l, err);
    if (rc != 0) {
        return rc;
    }
    struct groups *g = calloc(1, sizeof *g);
    if (g == NULL) {
        return vt_fail(err, VT_E_NOMEM, "control groups: out of memory");
    }
    g->l = l;
    read_controllers(w, g);
    rc = read_roots(w, g, err);
    if (rc == 0) {
        rc = read_csets(w, g, err);
    }
    if (rc == 0 && w->query.pid != 0) {
        rc = vt_walk_processes(w, print_of_process, g, err);
    } else {
        for (unsigned i = 0; i < g->n_roots && rc == 0; i++) {
            rc = print_hierarchy(w, g, &g->roots[i], err);
        }
    }
    vt_seen_fini(&g->seen);
    free(g->stack);
    free(g->csets);
    free(g);
    return rc;
}

#define COLUMN(member, kind, key, title, doc) {VT_COLUMN(vt_cgroup, member, kind, key, title, doc)}

static const struct vt_column columns[] = {
    COLUMN(hierarchy, VT_CELL_U64, "hierarchy", "HIERARCHY", "its number; 0: version 2"),
    COLUMN(version, VT_CELL_U64, "version", "VERSION", "1 or 2"),
    {VT_COLUMN(vt_cgroup, id, VT_CELL_U64, "id", "ID", "inode number of its directory"),
     .zero_is_none = true},
    {VT_COLUMN(vt_cgroup, pid, VT_CELL_I64, "pid", NULL, "the process of --pid"),
     .zero_is_none = true},
    COLUMN(processes, VT_CELL_U64, "processes", "PROCESSES", "in itself, not in those below"),
    COLUMN(threads, VT_CELL_U64, "threads", "THREADS", "in itself, not in those below"),
    COLUMN(controllers, VT_CELL_TEXT, "controllers", "CONTROLLERS",
           "of version 1: of the hierarchy; of version 2: that its settings can use"),
    COLUMN(path, VT_CELL_TEXT, "path", "PATH", "from the hierarchy's root"),
};
#undef COLUMN

const struct vt_noun vt_noun_cgroups = {
    .name = "cgroups",
    .summary = "List the guest's control groups, or those of a process",
    .group = "Guest",
    .description = "All hierarchies, of both versions, each control group after its parent.\n"
                   "With --pid those that process is in, one a hierarchy, as /proc/PID/cgroup.",
    .examples = "vitrine cgroups web\nvitrine cgroups web --pid 1 --json",
    .by_pid = true,
    .columns = columns,
    .n_columns = sizeof columns / sizeof columns[0],
    .walk = walk,
};
