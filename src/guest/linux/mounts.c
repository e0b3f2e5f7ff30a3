/* guest/linux/mounts.c - mounted file systems, by mount namespace. See vitrine/linux.h.
 *
 * A namespace keeps its mounts in a list (mnt_namespace.list, until 6.7) or in a tree by their
 * unique numbers (mnt_namespace.mounts, since). Namespaces are found through the processes that
 * live in them.
 */
#include "guest/linux/noun.h"
#include "guest/linux/path.h"
#include "guest/linux/rbtree.h"
#include "guest/linux/seen.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOUNTS_MAX (1u << 20)

struct layout {
    struct vt_member nsproxy, fs, fs_root, mnt_ns, inum;
    struct vt_member list, tree;           /* of a namespace: one of the two */
    struct vt_member list_node, tree_node; /* of a mount */
    struct vt_extent mount;
    struct vt_member parent, mountpoint, root, sb, flags, devname, master, id, group;
    struct vt_member propagation, mount_bytes;
    struct vt_extent super;
    struct vt_member s_dev, s_type, s_flags, s_subtype, s_op;
    struct vt_member show_path;
};

static const struct vt_field_spec specs[] = {
    VT_FIELD_BARE(layout, nsproxy, "task_struct", "nsproxy"),
    VT_FIELD_BARE(layout, fs, "task_struct", "fs"),
    VT_FIELD_BARE(layout, fs_root, "fs_struct", "root"),
    VT_FIELD_BARE(layout, mnt_ns, "nsproxy", "mnt_ns"),
    VT_FIELD_BARE(layout, inum, "mnt_namespace", "ns.inum"),
    VT_FIELD_BARE_OPTIONAL(layout, list, "mnt_namespace", "list"),
    VT_FIELD_BARE_OPTIONAL(layout, tree, "mnt_namespace", "mounts.rb_node"),
    VT_FIELD_BARE(layout, list_node, "mount", "mnt_list"),
    VT_FIELD_BARE_OPTIONAL(layout, tree_node, "mount", "mnt_node"),
    VT_FIELD(layout, parent, mount, "mount", "mnt_parent"),
    VT_FIELD(layout, mountpoint, mount, "mount", "mnt_mountpoint"),
    VT_FIELD(layout, root, mount, "mount", "mnt.mnt_root"),
    VT_FIELD(layout, sb, mount, "mount", "mnt.mnt_sb"),
    VT_FIELD(layout, flags, mount, "mount", "mnt.mnt_flags"),
    VT_FIELD(layout, devname, mount, "mount", "mnt_devname"),
    VT_FIELD(layout, master, mount, "mount", "mnt_master"),
    VT_FIELD(layout, id, mount, "mount", "mnt_id"),
    VT_FIELD(layout, group, mount, "mount", "mnt_group_id"),
    VT_FIELD_OPTIONAL(layout, propagation, mount, "mount", "mnt_t_flags"),
    VT_FIELD_SIZE(layout, mount_bytes, "mount"),
    VT_FIELD(layout, s_dev, super, "super_block", "s_dev"),
    VT_FIELD(layout, s_type, super, "super_block", "s_type"),
    VT_FIELD(layout, s_flags, super, "super_block", "s_flags"),
    VT_FIELD(layout, s_op, super, "super_block", "s_op"),
    VT_FIELD(layout, s_subtype, super, "super_block", "s_subtype"),
    VT_FIELD_BARE_OPTIONAL(layout, show_path, "super_operations", "show_path"),
};
static const struct vt_layout_type type = VT_LAYOUT(layout, specs);

/* One namespace as one process, or nobody in particular, sees it. */
struct view {
    const struct layout *l;
    const struct vt_path_layout *p;
    struct vt_path root;
    bool rooted; /* only what lies below `root` */
    uint64_t inum;
    size_t left; /* mounts that there may be in all: none is in two namespaces */
    char mount_point[VT_PATH_BYTES], root_in_fs[VT_PATH_BYTES], source[VT_PATH_BYTES];
};

/* What a bit stands for (include/linux/mount.h: MNT_…; include/linux/fs.h: SB_…). */
struct flag {
    uint32_t bit;
    const char *name;
};

static void write_flags(uint64_t flags, const char *first, const struct flag *names, size_t n,
                        char *text, size_t size)
{
    size_t at = (size_t)snprintf(text, size, "%s", first);
    for (size_t i = 0; i < n; i++) {
        if ((flags & names[i].bit) != 0 && at + strlen(names[i].name) + 2 <= size) {
            at += (size_t)snprintf(text + at, size - at, ",%s", names[i].name);
        }
    }
}

#define MNT_READONLY 0x40u
#define MNT_SHARED 0x1000u /* until 6.16; then bits of mnt_t_flags */
#define MNT_UNBINDABLE 0x2000u
#define MNT_CURSOR 0x10000000u /* no mount: where a reader of /proc/…/mounts has got to */
enum { T_SHARED = 1, T_UNBINDABLE = 2 };
#define SB_RDONLY 1u

static void write_options(uint32_t mount, uint64_t super, struct vt_mount *m)
{
    static const struct flag of_mount[] = {
        {0x01, "nosuid"},     {0x02, "nodev"},    {0x04, "noexec"},      {0x08, "noatime"},
        {0x10, "nodiratime"}, {0x20, "relatime"}, {0x80, "nosymfollow"},
    };
    static const struct flag of_super[] = {
        {0x10, "sync"},
        {0x80, "dirsync"},
        {0x40, "mand"},
        {1u << 25, "lazytime"},
    };
    write_flags(mount, (mount & MNT_READONLY) != 0 ? "ro" : "rw", of_mount,
                sizeof of_mount / sizeof of_mount[0], m->options, sizeof m->options);
    write_flags(super, (super & SB_RDONLY) != 0 ? "ro" : "rw", of_super,
                sizeof of_super / sizeof of_super[0], m->super_options, sizeof m->super_options);
}

static void write_propagation(struct vt_look *look, const struct layout *l,
                              const struct vt_object *o, uint32_t flags, struct vt_mount *m)
{
    bool shared = (flags & MNT_SHARED) != 0, unbindable = (flags & MNT_UNBINDABLE) != 0;
    if (l->propagation.size != 0) {
        uint64_t t = vt_object_uint(o, &l->propagation);
        shared = (t & T_SHARED) != 0;
        unbindable = (t & T_UNBINDABLE) != 0;
    }
    uint64_t master = vt_object_uint(o, &l->master);
    char *text = m->propagation;
    size_t n = 0, size = sizeof m->propagation;
    if (shared) {
        n += (size_t)snprintf(text, size, "shared:%" PRId32, (int32_t)vt_object_uint(o, &l->group));
    }
    if (master != 0) {
        n += (size_t)snprintf(text + n, size - n, "%smaster:%" PRId32, n > 0 ? " " : "",
                              (int32_t)vt_look_member(look, VT_GVA(master), &l->group));
    }
    if (unbindable) {
        snprintf(text + n, size - n, "%sunbindable", n > 0 ? " " : "");
    }
}

static void read_super(struct vt_walk *w, struct view *v, struct vt_gva at, struct vt_gva root,
                       uint32_t flags, struct vt_mount *m)
{
    struct vt_look *look = &w->look;
    const struct layout *l = v->l;
    struct vt_object o;
    if (!vt_look_object(look, at, l->super, &o)) {
        return;
    }
    uint32_t dev = (uint32_t)vt_object_uint(&o, &l->s_dev);
    snprintf(m->device, sizeof m->device, "%" PRIu32 ":%" PRIu32, vt_device_major(dev),
             vt_device_minor(dev));
    struct vt_gva fs = VT_GVA(vt_object_uint(&o, &l->s_type));
    vt_look_text(look, VT_GVA(vt_look_member(look, fs, &v->p->fs_name)), m->type, sizeof m->type);
    uint64_t subtype = vt_object_uint(&o, &l->s_subtype);
    size_t n = strlen(m->type);
    if (subtype != 0 && n + 2 < sizeof m->type) {
        vt_look_text(look, VT_GVA(subtype), m->type + n + 1, sizeof m->type - n - 1);
        m->type[n] = m->type[n + 1] != '\0' ? '.' : '\0';
    }
    write_options(flags, vt_object_uint(&o, &l->s_flags), m);
    uint64_t op = vt_object_uint(&o, &l->s_op);
    uint64_t show =
        op == 0 || l->show_path.size == 0 ? 0 : vt_look_member(look, VT_GVA(op), &l->show_path);
    const char *shower = show == 0 ? NULL : vt_walk_symbol(w, VT_GVA(show));
    if (shower != NULL && strcmp(shower, "nsfs_show_path") == 0) {
        vt_nsfs_text(look, v->p, vt_dentry_inode(look, v->p, root), v->root_in_fs,
                     sizeof v->root_in_fs);
        m->root = v->root_in_fs;
    }
}

/* false: not one the view shows. */
static bool read_mount(struct vt_walk *w, struct view *v, struct vt_gva at, struct vt_mount *m)
{
    struct vt_look *look = &w->look;
    const struct layout *l = v->l;
    struct vt_object o;
    enum vt_path_reach reach = VT_PATH_ROOT;
    *m = (struct vt_mount){.row.at = at, .namespace = v->inum, .source = "none"};
    if (!vt_look_object(look, at, l->mount, &o)) {
        return true;
    }
    struct vt_gva root = VT_GVA(vt_object_uint(&o, &l->root));
    uint32_t flags = (uint32_t)vt_object_uint(&o, &l->flags);
    if (root.v == 0 && (flags & MNT_CURSOR) != 0) {
        return false;
    }
    struct vt_path path = {VT_GVA(at.v + v->p->mnt.offset), root};
    m->mount_point =
        vt_path_plain(look, v->p, path, v->rooted ? &v->root : NULL, v->mount_point, &reach);
    m->root = vt_dentry_text(look, v->p, root, v->root_in_fs);
    m->id = (int32_t)vt_object_uint(&o, &l->id);
    m->parent_id = (int32_t)vt_look_member(look, VT_GVA(vt_object_uint(&o, &l->parent)), &l->id);
    uint64_t source = vt_object_uint(&o, &l->devname);
    if (source != 0) {
        vt_look_text(look, VT_GVA(source), v->source, sizeof v->source);
        m->source = v->source;
    }
    write_propagation(look, l, &o, flags, m);
    read_super(w, v, VT_GVA(vt_object_uint(&o, &l->sb)), root, flags, m);
    return reach == VT_PATH_ROOT || look->doubted;
}

static int print_mount(struct vt_walk *w, struct view *v, struct vt_gva at, bool torn_link)
{
    struct vt_mount m;
    bool shown;
    do {
        vt_look_begin(&w->look);
        if (torn_link) {
            vt_look_doubt(&w->look, "the next mount does not point back to it");
        }
        shown = read_mount(w, v, at, &m);
    } while (vt_look_again(&w->look));
    return shown ? vt_walk_row(w, &m.row) : 0;
}

static int walk_namespace(struct vt_walk *w, struct view *v, struct vt_gva ns, struct vt_error *err)
{
    const struct layout *l = v->l;
    struct vt_gva node;
    int rc = 0;
    if (l->tree.size != 0 && l->tree_node.size != 0) {
        struct vt_rb_walk tree;
        vt_rb_begin(&tree, w->space, VT_GVA(ns.v + l->tree.offset), v->left);
        while (rc == 0 && vt_rb_next(&tree, &node)) {
            v->left--;
            rc = print_mount(w, v, VT_GVA(node.v - l->tree_node.offset), false);
        }
        if (tree.torn) {
            vt_walk_torn(w, "%s", tree.why);
        }
        return rc;
    }
    struct vt_list_walk list;
    vt_list_begin(&list, w->space, VT_GVA(ns.v + l->list.offset), v->left);
    while (rc == 0 && (rc = vt_list_next(&list, &node, err)) == 1) {
        v->left--;
        rc = print_mount(w, v, VT_GVA(node.v - l->list_node.offset), list.torn_link);
    }
    vt_walk_list_end(w, &list);
    return rc;
}

/* The process's mount namespace and root; 0: it has ended. */
static struct vt_gva namespace_of(struct vt_walk *w, struct view *v, struct vt_gva task)
{
    const struct layout *l = v->l;
    struct vt_look *look = &w->look;
    struct vt_gva ns;
    do {
        vt_look_begin(look);
        ns = VT_GVA(0);
        uint64_t proxy = vt_look_member(look, task, &l->nsproxy);
        uint64_t fs = vt_look_member(look, task, &l->fs);
        if (proxy == 0 || fs == 0) {
            continue;
        }
        ns = VT_GVA(vt_look_member(look, VT_GVA(proxy), &l->mnt_ns));
        v->inum = vt_look_member(look, ns, &l->inum);
        v->root = vt_path_read(look, v->p, VT_GVA(fs + l->fs_root.offset));
    } while (vt_look_again(look));
    if (look->doubted) {
        vt_walk_torn(w, "the namespace of a process: %s", look->why);
        return VT_GVA(0);
    }
    return ns;
}

static int walk(struct vt_walk *w, struct vt_error *err)
{
    const struct layout *l;
    struct vt_task_list tasks;
    struct vt_seen seen = {0};
    struct view *v = NULL;
    int rc = vt_layout_take(w->kernel, &type, &l, err);
    if (rc == 0 && l->list.size != 16 && (l->tree.size == 0 || l->tree_node.size == 0)) {
        rc = vt_fail(err, VT_E_NOT_FOUND, "the kernel's mnt_namespace has neither list nor tree");
    }
    if (rc == 0) {
        rc = vt_walk_tasks(w, &tasks, err);
    }
    if (rc != 0) {
        return rc;
    }
    v = calloc(1, sizeof *v);
    rc = v == NULL ? vt_fail(err, VT_E_NOMEM, "mounts: out of memory")
                   : vt_path_take(w->kernel, &v->p, err);
    if (rc == 0) {
        v->l = l;
        v->rooted = w->query.pid != 0;
        v->left = vt_walk_cap(w, l->mount_bytes.size, MOUNTS_MAX);
    }
    for (size_t i = 0; rc == 0 && i < tasks.n; i++) {
        struct vt_gva ns = namespace_of(w, v, tasks.tasks[i].at);
        if (ns.v != 0 && (rc = vt_seen_add(&seen, ns.v, err)) == 1) {
            rc = walk_namespace(w, v, ns, err);
        }
    }
    vt_seen_fini(&seen);
    vt_task_list_fini(&tasks);
    free(v);
    return rc;
}

#define COLUMN(member, kind, key, title, doc) {VT_COLUMN(vt_mount, member, kind, key, title, doc)}

static const struct vt_column columns[] = {
    COLUMN(namespace, VT_CELL_U64, "namespace", "NAMESPACE", "number of the mount namespace"),
    COLUMN(id, VT_CELL_I64, "id", "ID", "of the mount"),
    COLUMN(parent_id, VT_CELL_I64, "parent_id", "PARENT", "the mount it lies on"),
    COLUMN(device, VT_CELL_CHARS, "device", "DEVICE", "of its files: major:minor"),
    COLUMN(type, VT_CELL_CHARS, "type", "TYPE", "of the file system"),
    COLUMN(source, VT_CELL_TEXT, "source", "SOURCE", "what was mounted"),
    COLUMN(root, VT_CELL_TEXT, "root", "ROOT", "the directory in the file system that is mounted"),
    COLUMN(options, VT_CELL_CHARS, "options", "OPTIONS", "of this mount"),
    COLUMN(super_options, VT_CELL_CHARS, "super_options", "SUPER",
           "of the file system, those that every file system has"),
    {VT_COLUMN(vt_mount, propagation, VT_CELL_CHARS, "propagation", "PROPAGATION",
               "shared:GROUP, master:GROUP, unbindable"),
     .zero_is_none = true},
    COLUMN(mount_point, VT_CELL_TEXT, "mount_point", "MOUNT POINT", "where it is seen"),
};

const struct vt_noun vt_noun_mounts = {
    .name = "mounts",
    .summary = "List mounted file systems",
    .group = "Guest",
    .description =
        "The mounts of every mount namespace that a process lives in, each as seen from\n"
        "the root of its namespace. With --pid: what that process sees from its own\n"
        "root, as in /proc/PID/mountinfo.",
    .examples = "vitrine mounts web\nvitrine mounts web --pid 85 --json",
    .by_pid = true,
    .columns = columns,
    .n_columns = sizeof columns / sizeof columns[0],
    .walk = walk,
};
