/* guest/linux/path.c - from mount and dentry to text. See path.h.
 *
 * Paths grow from their end: a builder fills its buffer backwards.
 */
#include "guest/linux/path.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PATH_LENGTH_MAX 4096u
#define NAME_LENGTH_MAX 255u

static const struct vt_field_spec specs[] = {
    VT_FIELD_BARE(vt_path_layout, path_mnt, "path", "mnt"),
    VT_FIELD_BARE(vt_path_layout, path_dentry, "path", "dentry"),
    VT_FIELD(vt_path_layout, d_hash, dentry, "dentry", "d_hash.pprev"),
    VT_FIELD(vt_path_layout, d_parent, dentry, "dentry", "d_parent"),
    VT_FIELD(vt_path_layout, d_name, dentry, "dentry", "d_name.name", "__d_name.name"),
    VT_FIELD(vt_path_layout, d_len, dentry, "dentry", "d_name.len", "__d_name.len"),
    VT_FIELD(vt_path_layout, d_inode, dentry, "dentry", "d_inode"),
    VT_FIELD(vt_path_layout, d_op, dentry, "dentry", "d_op"),
    VT_FIELD(vt_path_layout, d_sb, dentry, "dentry", "d_sb"),
    VT_FIELD_BARE(vt_path_layout, d_dname, "dentry_operations", "d_dname"),
    VT_FIELD_BARE(vt_path_layout, mnt, "mount", "mnt"),
    VT_FIELD(vt_path_layout, mnt_parent, mount, "mount", "mnt_parent"),
    VT_FIELD(vt_path_layout, mnt_mountpoint, mount, "mount", "mnt_mountpoint"),
    VT_FIELD(vt_path_layout, mnt_root, mount, "mount", "mnt.mnt_root"),
    VT_FIELD(vt_path_layout, mnt_ns, mount, "mount", "mnt_ns"),
    VT_FIELD_BARE_OPTIONAL(vt_path_layout, ns_anon, "mnt_namespace", "is_anon"),
    VT_FIELD_BARE_OPTIONAL(vt_path_layout, ns_seq, "mnt_namespace", "seq"),
    VT_FIELD(vt_path_layout, i_mode, inode, "inode", "i_mode"),
    VT_FIELD(vt_path_layout, i_sb, inode, "inode", "i_sb"),
    VT_FIELD(vt_path_layout, i_ino, inode, "inode", "i_ino"),
    VT_FIELD(vt_path_layout, i_rdev, inode, "inode", "i_rdev"),
    VT_FIELD(vt_path_layout, i_size, inode, "inode", "i_size"),
    VT_FIELD(vt_path_layout, i_nlink, inode, "inode", "i_nlink", "__i_nlink"),
    VT_FIELD(vt_path_layout, i_mapping, inode, "inode", "i_mapping"),
    VT_FIELD_BARE(vt_path_layout, i_private, "inode", "i_private"),
    VT_FIELD_BARE(vt_path_layout, s_dev, "super_block", "s_dev"),
    VT_FIELD_BARE(vt_path_layout, s_type, "super_block", "s_type"),
    VT_FIELD_BARE(vt_path_layout, fs_name, "file_system_type", "name"),
    VT_FIELD_BARE_OPTIONAL(vt_path_layout, ns_ops, "ns_common", "ops"),
    VT_FIELD_BARE_OPTIONAL(vt_path_layout, ns_name, "proc_ns_operations", "name"),
};
static const struct vt_layout_type type = VT_LAYOUT(vt_path_layout, specs);

int vt_path_take(struct vt_kernel *kernel, const struct vt_path_layout **layout,
                 struct vt_error *err)
{
    return vt_layout_take(kernel, &type, layout, err);
}

struct vt_path vt_path_read(struct vt_look *look, const struct vt_path_layout *l, struct vt_gva at)
{
    return (struct vt_path){.mnt = VT_GVA(vt_look_member(look, at, &l->path_mnt)),
                            .dentry = VT_GVA(vt_look_member(look, at, &l->path_dentry))};
}

/* ---- one dentry, one mount */

struct dentry {
    struct vt_gva at, parent, name, inode, op;
    uint32_t length;
    bool hashed;
};

static bool read_dentry(struct vt_look *look, const struct vt_path_layout *l, struct vt_gva at,
                        struct dentry *d)
{
    struct vt_object o;
    if (!vt_look_object(look, at, l->dentry, &o)) {
        return false;
    }
    *d = (struct dentry){
        .at = at,
        .parent = VT_GVA(vt_object_uint(&o, &l->d_parent)),
        .name = VT_GVA(vt_object_uint(&o, &l->d_name)),
        .inode = VT_GVA(vt_object_uint(&o, &l->d_inode)),
        .op = VT_GVA(vt_object_uint(&o, &l->d_op)),
        .length = (uint32_t)vt_object_uint(&o, &l->d_len),
        .hashed = vt_object_uint(&o, &l->d_hash) != 0,
    };
    if (d->length > NAME_LENGTH_MAX) {
        vt_look_doubt(look, "a name of %u bytes", d->length);
        return false;
    }
    return true;
}

static bool is_top(const struct dentry *d)
{
    return d->parent.v == d->at.v;
}

static bool is_deleted(const struct dentry *d)
{
    return !d->hashed && !is_top(d);
}

struct mounted {
    struct vt_gva vfsmount, parent, mountpoint, root, ns;
};

static bool read_mount(struct vt_look *look, const struct vt_path_layout *l, struct vt_gva vfsmount,
                       struct mounted *m)
{
    struct vt_object o;
    if (!vt_look_object(look, VT_GVA(vfsmount.v - l->mnt.offset), l->mount, &o)) {
        return false;
    }
    *m = (struct mounted){
        .vfsmount = vfsmount,
        .parent = VT_GVA(vt_object_uint(&o, &l->mnt_parent) + l->mnt.offset),
        .mountpoint = VT_GVA(vt_object_uint(&o, &l->mnt_mountpoint)),
        .root = VT_GVA(vt_object_uint(&o, &l->mnt_root)),
        .ns = VT_GVA(vt_object_uint(&o, &l->mnt_ns)),
    };
    return true;
}

/* Whether a mount that has no parent is the root of a namespace that processes live in. */
static bool is_namespace_root(struct vt_look *look, const struct vt_path_layout *l,
                              const struct mounted *m)
{
    if (m->ns.v == 0 || m->ns.v >= (uint64_t)-4095) { /* MNT_NS_INTERNAL is an error's number */
        return false;
    }
    if (l->ns_anon.size != 0) {
        return vt_look_member(look, m->ns, &l->ns_anon) == 0;
    }
    return l->ns_seq.size == 0 || vt_look_member(look, m->ns, &l->ns_seq) != 0;
}

/* ---- text, from its end */

struct builder {
    char *text; /* VT_PATH_BYTES */
    size_t at;  /* of the first byte that is there */
};

static struct builder build(char text[VT_PATH_BYTES])
{
    text[VT_PATH_BYTES - 1] = '\0';
    return (struct builder){text, VT_PATH_BYTES - 1};
}

static const char *built(const struct builder *b)
{
    return b->text + b->at;
}

static void prepend(struct builder *b, const char *text)
{
    size_t n = strlen(text);
    b->at -= n; /* callers have checked the length of what they add */
    memcpy(b->text + b->at, text, n);
}

/* "/name"; names of files without a path may have any bytes. */
static bool prepend_name(struct vt_look *look, struct builder *b, const struct dentry *d)
{
    size_t have = VT_PATH_BYTES - 1 - b->at;
    if (have + d->length + 1 > PATH_LENGTH_MAX) {
        vt_look_doubt(look, "a path of more than %u bytes", PATH_LENGTH_MAX);
        return false;
    }
    b->at -= d->length;
    if (!vt_look_read(look, d->name, b->text + b->at, d->length)) {
        return false;
    }
    if (memchr(b->text + b->at, '\0', d->length) != NULL) {
        vt_look_doubt(look, "the name at 0x%" PRIx64 " ends too early", d->name.v);
        return false;
    }
    prepend(b, "/");
    return true;
}

/* The same of one that a directory has. */
static bool prepend_entry(struct vt_look *look, struct builder *b, const struct dentry *d)
{
    if (!prepend_name(look, b, d)) {
        return false;
    }
    if (memchr(b->text + b->at + 1, '/', d->length) != NULL) {
        vt_look_doubt(look, "a slash in the name at 0x%" PRIx64, d->name.v);
        return false;
    }
    return true;
}

static const char *nothing(char text[VT_PATH_BYTES])
{
    text[0] = '\0';
    return text;
}

/* Follows `d` up and puts its names before what `b` has. */
static bool prepend_path(struct vt_look *look, const struct vt_path_layout *l, struct builder *b,
                         struct dentry d, struct vt_gva mnt, const struct vt_path *root,
                         enum vt_path_reach *reach)
{
    struct mounted m;
    size_t end = b->at;
    if (!read_mount(look, l, mnt, &m)) {
        return false;
    }
    *reach = VT_PATH_ROOT;
    /* Each turn reads something, and a look does not grow without end. */
    while (root == NULL || d.at.v != root->dentry.v || m.vfsmount.v != root->mnt.v) {
        struct vt_gva up = d.parent;
        if (d.at.v == m.root.v) {
            if (m.parent.v == m.vfsmount.v) {
                *reach = !is_namespace_root(look, l, &m) ? VT_PATH_DETACHED
                         : root == NULL                  ? VT_PATH_ROOT
                                                         : VT_PATH_OUTSIDE;
                break;
            }
            up = m.mountpoint;
            if (!read_mount(look, l, m.parent, &m)) {
                return false;
            }
        } else if (is_top(&d)) { /* moved out of what was mounted */
            *reach = VT_PATH_DETACHED;
            break;
        } else if (!prepend_entry(look, b, &d)) {
            return false;
        }
        if (!read_dentry(look, l, up, &d)) {
            return false;
        }
    }
    if (b->at == end) {
        prepend(b, "/");
    }
    return true;
}

const char *vt_path_plain(struct vt_look *look, const struct vt_path_layout *l, struct vt_path path,
                          const struct vt_path *root, char buf[VT_PATH_BYTES],
                          enum vt_path_reach *reach)
{
    struct builder b = build(buf);
    struct dentry d;
    enum vt_path_reach how;
    if (!read_dentry(look, l, path.dentry, &d) ||
        !prepend_path(look, l, &b, d, path.mnt, root, &how)) {
        return nothing(buf);
    }
    if (reach != NULL) {
        *reach = how;
    }
    return built(&b);
}

const char *vt_dentry_text(struct vt_look *look, const struct vt_path_layout *l,
                           struct vt_gva dentry, char buf[VT_PATH_BYTES])
{
    struct builder b = build(buf);
    struct dentry d;
    if (!read_dentry(look, l, dentry, &d)) {
        return nothing(buf);
    }
    if (is_deleted(&d)) {
        prepend(&b, "//deleted");
    }
    size_t end = b.at;
    while (!is_top(&d)) {
        if (!prepend_entry(look, &b, &d) || !read_dentry(look, l, d.parent, &d)) {
            return nothing(buf);
        }
    }
    if (b.at == end) {
        prepend(&b, "/");
    }
    return built(&b);
}

/* ---- files that have no path */

void vt_nsfs_text(struct vt_look *look, const struct vt_path_layout *l, struct vt_gva inode,
                  char *text, size_t size)
{
    char name[32] = "";
    uint64_t number = vt_look_member(look, inode, &l->i_ino);
    if (l->ns_ops.size != 0 && l->ns_name.size != 0) {
        struct vt_gva ns = VT_GVA(vt_look_member(look, inode, &l->i_private));
        struct vt_gva ops = VT_GVA(vt_look_member(look, ns, &l->ns_ops));
        vt_look_text(look, VT_GVA(vt_look_member(look, ops, &l->ns_name)), name, sizeof name);
    }
    snprintf(text, size, "%s:[%" PRIu64 "]", name, number);
}

/* What the file system calls the file; false: nothing but its path. */
static bool own_name(struct vt_look *look, struct vt_kernel *kernel, const struct vt_path_layout *l,
                     const struct dentry *d, struct vt_gva mnt, struct builder *b)
{
    uint64_t dname = d->op.v == 0 ? 0 : vt_look_member(look, d->op, &l->d_dname);
    struct mounted m;
    if (dname == 0 || (is_top(d) && (!read_mount(look, l, mnt, &m) || m.root.v == d->at.v))) {
        return false;
    }
    const char *says = NULL;
    uint64_t distance;
    char type_letter, text[80];
    if (vt_kernel_symbol_at(kernel, VT_GVA(dname), &says, &type_letter, &distance, NULL) != 0 ||
        distance != 0) {
        says = "";
    }
    static const struct {
        const char *function, *text;
    } numbered[] = {{"pipefs_dname", "pipe"}, {"sockfs_dname", "socket"}};
    for (size_t i = 0; i < sizeof numbered / sizeof numbered[0]; i++) {
        if (strcmp(says, numbered[i].function) == 0) {
            snprintf(text, sizeof text, "%s:[%" PRIu64 "]", numbered[i].text,
                     vt_look_member(look, d->inode, &l->i_ino));
            prepend(b, text);
            return true;
        }
    }
    if (strcmp(says, "ns_dname") == 0) {
        vt_nsfs_text(look, l, d->inode, text, sizeof text);
        prepend(b, text);
    } else if (strcmp(says, "pidfs_dname") == 0) {
        prepend(b, "anon_inode:[pidfd]");
    } else {
        bool anonymous = strcmp(says, "anon_inodefs_dname") == 0;
        if (strcmp(says, "simple_dname") == 0) {
            prepend(b, " (deleted)");
        }
        prepend_name(look, b, d);
        if (anonymous) {
            b->at += b->text[b->at] == '/'; /* "[eventpoll]" */
            prepend(b, "anon_inode:");
        }
    }
    return true;
}

const char *vt_path_text(struct vt_look *look, struct vt_kernel *kernel,
                         const struct vt_path_layout *l, struct vt_path path,
                         const struct vt_path *root, char buf[VT_PATH_BYTES],
                         enum vt_path_reach *reach)
{
    struct builder b = build(buf);
    struct dentry d;
    enum vt_path_reach how = VT_PATH_NAMED;
    if (!read_dentry(look, l, path.dentry, &d)) {
        return nothing(buf);
    }
    if (!own_name(look, kernel, l, &d, path.mnt, &b)) {
        if (is_deleted(&d)) {
            prepend(&b, " (deleted)");
        }
        if (!prepend_path(look, l, &b, d, path.mnt, root, &how)) {
            return nothing(buf);
        }
    }
    if (reach != NULL) {
        *reach = how;
    }
    return built(&b);
}

/* ---- inodes */

struct vt_gva vt_dentry_inode(struct vt_look *look, const struct vt_path_layout *l,
                              struct vt_gva dentry)
{
    return VT_GVA(vt_look_member(look, dentry, &l->d_inode));
}

void vt_inode_read(struct vt_look *look, const struct vt_path_layout *l, struct vt_gva at,
                   struct vt_inode *inode)
{
    struct vt_object o;
    *inode = (struct vt_inode){.at = at};
    if (!vt_look_object(look, at, l->inode, &o)) {
        return;
    }
    inode->sb = VT_GVA(vt_object_uint(&o, &l->i_sb));
    inode->mapping = VT_GVA(vt_object_uint(&o, &l->i_mapping));
    inode->number = vt_object_uint(&o, &l->i_ino);
    inode->bytes = vt_object_uint(&o, &l->i_size);
    inode->mode = (uint32_t)vt_object_uint(&o, &l->i_mode);
    inode->links = (uint32_t)vt_object_uint(&o, &l->i_nlink);
    inode->special_device = (uint32_t)vt_object_uint(&o, &l->i_rdev);
    inode->device = (uint32_t)vt_look_member(look, inode->sb, &l->s_dev);
    struct vt_gva fs = VT_GVA(vt_look_member(look, inode->sb, &l->s_type));
    vt_look_text(look, VT_GVA(vt_look_member(look, fs, &l->fs_name)), inode->fs, sizeof inode->fs);
}
