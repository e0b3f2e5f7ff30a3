/* guest/linux/pagecache.c - files with pages in RAM: the inodes of all file systems. See
 * vitrine/linux.h.
 *
 * A file's path is that of one of its names (dentries) below one of the file system's mounts, those
 * of the initial namespace first.
 */
#include "guest/linux/file_pages.h"
#include "guest/linux/path.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUPERS_MAX 65536u
#define INODES_MAX (64u << 20)
#define NAMES_MAX (64u << 20)
#define TRIES_MAX 3u /* a name is looked at again when its row is */
#define MOUNTS_MAX (1u << 20)
#define MOUNTS_KEPT 8u

struct layout {
    struct vt_member s_list, s_inodes, s_mounts, s_root;
    struct vt_member i_list, i_dentry, inode_bytes;
    struct vt_member d_alias, dentry_bytes;
    struct vt_member instance, next_for_sb; /* of a mount: one of the two */
    struct vt_member mnt_ns, proxy_ns, mount_bytes;
};

static const struct vt_field_spec specs[] = {
    VT_FIELD_BARE(layout, s_list, "super_block", "s_list"),
    VT_FIELD_BARE(layout, s_inodes, "super_block", "s_inodes"),
    VT_FIELD_BARE(layout, s_mounts, "super_block", "s_mounts"),
    VT_FIELD_BARE(layout, s_root, "super_block", "s_root"),
    VT_FIELD_BARE(layout, i_list, "inode", "i_sb_list"),
    VT_FIELD_BARE(layout, i_dentry, "inode", "i_dentry"),
    VT_FIELD_SIZE(layout, inode_bytes, "inode"),
    VT_FIELD_BARE(layout, d_alias, "dentry", "d_u.d_alias", "d_alias"),
    VT_FIELD_SIZE(layout, dentry_bytes, "dentry"),
    VT_FIELD_BARE_OPTIONAL(layout, instance, "mount", "mnt_instance"),
    VT_FIELD_BARE_OPTIONAL(layout, next_for_sb, "mount", "mnt_next_for_sb"),
    VT_FIELD_BARE(layout, mnt_ns, "mount", "mnt_ns"),
    VT_FIELD_BARE_OPTIONAL(layout, proxy_ns, "nsproxy", "mnt_ns"),
    VT_FIELD_SIZE(layout, mount_bytes, "mount"),
};
static const struct vt_layout_type type = VT_LAYOUT(layout, specs);

/* What the query asks for: a path, an inode, or all. */
struct wanted {
    const char *path;
    bool one;
    uint32_t major, minor;
    uint64_t inode;
};

struct files {
    const struct layout *l;
    const struct vt_path_layout *p;
    const struct vt_mapping_layout *m;
    struct wanted wanted;
    struct vt_gva initial_ns;
    /* What is left to be met in all: nothing is in two lists, whatever a guest makes it look like.
     */
    size_t inodes_left, names_left, mounts_left;
    /* of the file system that is gone through */
    struct vt_gva mounts[MOUNTS_KEPT]; /* struct vfsmount, the best first */
    unsigned ranks[MOUNTS_KEPT], n_mounts;
    char path[VT_PATH_BYTES];
};

/* ---- mounts of a file system */

/* 0: in the initial namespace, 2: in another, 4: the kernel's own; 1 more when it does not show the
 * whole file system. */
static unsigned rank_of(struct vt_walk *w, const struct files *f, struct vt_gva mount,
                        uint64_t s_root)
{
    uint64_t ns = 0, root = 0;
    vt_space_read_u64(w->space, VT_GVA(mount.v + f->l->mnt_ns.offset), &ns, NULL);
    vt_space_read_u64(w->space, VT_GVA(mount.v + f->p->mnt_root.offset), &root, NULL);
    unsigned rank = ns == f->initial_ns.v && ns != 0 ? 0 : ns != 0 && ns < (uint64_t)-4095 ? 2 : 4;
    return rank + (root != s_root);
}

static void add_mount(struct vt_walk *w, struct files *f, struct vt_gva mount, uint64_t s_root)
{
    unsigned rank = rank_of(w, f, mount, s_root), at = f->n_mounts;
    while (at > 0 && f->ranks[at - 1] > rank) {
        at--;
    }
    if (at == MOUNTS_KEPT) {
        return;
    }
    f->n_mounts += f->n_mounts < MOUNTS_KEPT;
    for (unsigned i = f->n_mounts - 1; i > at; i--) {
        f->mounts[i] = f->mounts[i - 1];
        f->ranks[i] = f->ranks[i - 1];
    }
    f->mounts[at] = VT_GVA(mount.v + f->p->mnt.offset);
    f->ranks[at] = rank;
}

/* What cannot be followed only costs a better path. */
static int find_mounts(struct vt_walk *w, struct files *f, struct vt_gva sb, struct vt_error *err)
{
    const struct layout *l = f->l;
    struct vt_gva link = VT_GVA(sb.v + l->s_mounts.offset), node;
    uint64_t root = 0;
    vt_space_read_u64(w->space, VT_GVA(sb.v + l->s_root.offset), &root, NULL);
    f->n_mounts = 0;
    if (l->next_for_sb.size != 0) {
        uint64_t mount;
        for (; f->mounts_left > 0 && vt_space_read_u64(w->space, link, &mount, NULL) == 0 &&
               (mount & ~UINT64_C(3)) != 0;
             f->mounts_left--) {
            mount &= ~UINT64_C(3);
            add_mount(w, f, VT_GVA(mount), root);
            link = VT_GVA(mount + l->next_for_sb.offset);
        }
        return 0;
    }
    struct vt_list_walk list;
    int rc = 0;
    vt_list_begin(&list, w->space, link, f->mounts_left);
    while (l->instance.size != 0 && (rc = vt_list_next(&list, &node, err)) == 1) {
        f->mounts_left--;
        add_mount(w, f, VT_GVA(node.v - l->instance.offset), root);
    }
    vt_list_end(&list);
    return rc;
}

/* ---- one file */

static const char *path_of(struct vt_walk *w, struct files *f, struct vt_gva dentry)
{
    for (unsigned i = 0; i < f->n_mounts; i++) {
        struct vt_path path = {f->mounts[i], dentry};
        enum vt_path_reach reach = VT_PATH_ROOT;
        const char *text = vt_path_text(&w->look, w->kernel, f->p, path, NULL, f->path, &reach);
        if (reach != VT_PATH_DETACHED || w->look.doubted) {
            return text;
        }
    }
    return vt_dentry_text(&w->look, f->p, dentry, f->path);
}

/* The first name of a file, or the one that is wanted; NULL: none. */
static int find_path(struct vt_walk *w, struct files *f, const struct vt_inode *inode,
                     const char **path, struct vt_error *err)
{
    struct vt_hlist_walk names;
    struct vt_gva node;
    int rc;
    *path = NULL;
    if (strcmp(inode->fs, "bdev") == 0) {
        snprintf(f->path, sizeof f->path, "bdev:[%" PRIu32 ":%" PRIu32 "]",
                 vt_device_major(inode->special_device), vt_device_minor(inode->special_device));
        *path = f->wanted.path == NULL ? f->path : NULL;
        return 0;
    }
    vt_hlist_begin(&names, w->space, VT_HLIST, f->names_left);
    vt_hlist_bucket(&names, VT_GVA(inode->at.v + f->l->i_dentry.offset));
    while ((rc = vt_hlist_next(&names, &node, err)) == 1) {
        f->names_left--;
        const char *text = path_of(w, f, VT_GVA(node.v - f->l->d_alias.offset));
        if (f->wanted.path == NULL || strcmp(text, f->wanted.path) == 0) {
            *path = text;
            rc = 0;
            break;
        }
    }
    if (names.torn) {
        vt_look_doubt(&w->look, "%.90s", names.why);
    }
    vt_hlist_end(&names);
    return rc;
}

static bool is_wanted(const struct wanted *wanted, const struct vt_inode *inode)
{
    return !wanted->one ||
           (wanted->inode == inode->number && wanted->major == vt_device_major(inode->device) &&
            wanted->minor == vt_device_minor(inode->device));
}

static int print_file(struct vt_walk *w, struct files *f, struct vt_gva at, bool torn_link,
                      struct vt_error *err)
{
    struct vt_gva mapping = VT_GVA(at.v + f->m->i_data.offset);
    struct vt_cached_file row;
    struct vt_inode inode;
    bool shown;
    uint64_t pages;
    int rc = 0;
    if (vt_space_read_u64(w->space, VT_GVA(mapping.v + f->m->nrpages.offset), &pages, NULL) == 0 &&
        pages == 0) {
        return 0;
    }
    do {
        vt_look_begin(&w->look);
        if (torn_link) {
            vt_look_doubt(&w->look, "the next inode does not point back to it");
        }
        vt_inode_read(&w->look, f->p, at, &inode);
        row = (struct vt_cached_file){.row.at = at, .inode = inode.number, .bytes = inode.bytes};
        snprintf(row.device, sizeof row.device, "%" PRIu32 ":%" PRIu32,
                 vt_device_major(inode.device), vt_device_minor(inode.device));
        memcpy(row.fs, inode.fs, sizeof row.fs);
        shown = is_wanted(&f->wanted, &inode);
        if (shown) {
            rc = find_path(w, f, &inode, &row.path, err);
            shown = f->wanted.path == NULL || row.path != NULL;
        }
        if (rc == 0 && shown) {
            rc = vt_mapping_count(w, f->m, mapping, &row, err);
        }
    } while (vt_look_again(&w->look) && rc == 0);
    return rc == 0 && shown ? vt_walk_row(w, &row.row) : rc;
}

/* ---- all of them */

static int walk_super(struct vt_walk *w, struct files *f, struct vt_gva sb, struct vt_error *err)
{
    const struct layout *l = f->l;
    struct vt_list_walk inodes;
    struct vt_gva node;
    int rc = find_mounts(w, f, sb, err);
    vt_list_begin(&inodes, w->space, VT_GVA(sb.v + l->s_inodes.offset), f->inodes_left);
    while (rc == 0 && (rc = vt_list_next(&inodes, &node, err)) == 1) {
        f->inodes_left--;
        rc = print_file(w, f, VT_GVA(node.v - l->i_list.offset), inodes.torn_link, err);
    }
    vt_walk_list_end(w, &inodes);
    return rc;
}

static int parse(const char *text, struct wanted *wanted, struct vt_error *err)
{
    char more;
    if (text == NULL) {
        return 0;
    }
    if (text[0] == '/') {
        wanted->path = text;
        return 0;
    }
    wanted->one = true;
    return sscanf(text, "%" SCNu32 ":%" SCNu32 ":%" SCNu64 "%c", &wanted->major, &wanted->minor,
                  &wanted->inode, &more) == 3
               ? 0
               : vt_fail(err, VT_E_INVAL, "'%s' is neither a path nor MAJOR:MINOR:INODE", text);
}

/* The namespace that processes begin in; 0 when it cannot be told. */
static struct vt_gva initial_namespace(struct vt_walk *w, const struct layout *l)
{
    struct vt_gva proxy;
    uint64_t ns = 0;
    if (l->proxy_ns.size == 0 || vt_kernel_symbol(w->kernel, "init_nsproxy", &proxy, NULL) != 0 ||
        vt_space_read_u64(w->space, VT_GVA(proxy.v + l->proxy_ns.offset), &ns, NULL) != 0) {
        return VT_GVA(0);
    }
    return VT_GVA(ns);
}

static int take(struct vt_walk *w, struct files *f, struct vt_error *err)
{
    int rc = vt_layout_take(w->kernel, &type, &f->l, err);
    if (rc == 0) {
        rc = vt_path_take(w->kernel, &f->p, err);
    }
    if (rc == 0) {
        rc = vt_mapping_take(w->kernel, &f->m, err);
    }
    if (rc == 0) {
        f->initial_ns = initial_namespace(w, f->l);
        f->inodes_left = vt_walk_cap(w, f->l->inode_bytes.size, INODES_MAX);
        f->names_left = TRIES_MAX * vt_walk_cap(w, f->l->dentry_bytes.size, NAMES_MAX);
        f->mounts_left = vt_walk_cap(w, f->l->mount_bytes.size, MOUNTS_MAX);
    }
    return rc;
}

static int walk(struct vt_walk *w, struct vt_error *err)
{
    struct vt_list_walk supers;
    struct vt_gva head, node;
    struct files *f = calloc(1, sizeof *f);
    if (f == NULL) {
        return vt_fail(err, VT_E_NOMEM, "pagecache: out of memory");
    }
    int rc = parse(w->query.text, &f->wanted, err);
    if (rc == 0) {
        rc = take(w, f, err);
    }
    if (rc == 0) {
        rc = vt_kernel_symbol(w->kernel, "super_blocks", &head, err);
    }
    if (rc == 0) {
        vt_list_begin(&supers, w->space, head, SUPERS_MAX);
        while (rc == 0 && (rc = vt_list_next(&supers, &node, err)) == 1) {
            rc = walk_super(w, f, VT_GVA(node.v - f->l->s_list.offset), err);
        }
        vt_walk_list_end(w, &supers);
    }
    free(f);
    return rc;
}

/* ---- one file's name */

struct named {
    struct vt_walk walk;
    struct files files;
};

static int read_name(struct named *n, struct vt_gva at, char *path, size_t size,
                     struct vt_error *err)
{
    struct vt_walk *w = &n->walk;
    struct vt_inode inode;
    const char *found = NULL;
    int rc = take(w, &n->files, err);
    if (rc != 0) {
        return rc;
    }
    do {
        vt_look_begin(&w->look);
        vt_inode_read(&w->look, n->files.p, at, &inode);
        rc = find_mounts(w, &n->files, inode.sb, err);
        rc = rc == 0 ? find_path(w, &n->files, &inode, &found, err) : rc;
    } while (vt_look_again(&w->look) && rc == 0);
    if (rc == 0 && w->look.doubted) {
        rc = vt_fail(err, VT_E_CORRUPT, "no inode at 0x%" PRIx64 ": %s", at.v, w->look.why);
    } else if (rc == 0 && (found == NULL || found[0] == '\0')) {
        rc = vt_fail(err, VT_E_NOT_FOUND, "the inode at 0x%" PRIx64 " has no name", at.v);
    }
    if (rc == 0) {
        snprintf(path, size, "%s", found);
    }
    return rc;
}

int vt_linux_file_path(struct vt_kernel *kernel, struct vt_gva inode, char *path, size_t size,
                       struct vt_error *err)
{
    struct named *n = calloc(1, sizeof *n);
    if (n == NULL) {
        return vt_fail(err, VT_E_NOMEM, "a file's name: out of memory");
    }
    n->walk.kernel = kernel;
    n->walk.space = &kernel->space;
    vt_look_init(&n->walk.look, n->walk.space);
    int rc = read_name(n, inode, path, size, err);
    vt_look_fini(&n->walk.look);
    free(n);
    return rc;
}

#define COLUMN(member, kind, key, title, doc)                                                      \
    {VT_COLUMN(vt_cached_file, member, kind, key, title, doc)}

static const struct vt_column columns[] = {
    COLUMN(device, VT_CELL_CHARS, "device", "DEVICE", "of the file system: major:minor"),
    COLUMN(inode, VT_CELL_U64, "inode", "INODE", "its number in the file system"),
    COLUMN(fs, VT_CELL_CHARS, "fs", "FS", "type of the file system"),
    COLUMN(bytes, VT_CELL_BYTES, "bytes", "SIZE", "of the file"),
    COLUMN(pages, VT_CELL_U64, "pages", "PAGES", "in RAM"),
    COLUMN(dirty_pages, VT_CELL_U64, "dirty_pages", "DIRTY", "of them, to be written back"),
    COLUMN(evicted_pages, VT_CELL_U64, "evicted_pages", "EVICTED",
           "that were in RAM: evicted, or swapped out of a tmpfs"),
    COLUMN(path, VT_CELL_TEXT, "path", "PATH", "one name of the file"),
};

const struct vt_noun vt_noun_pagecache = {
    .name = "pagecache",
    .summary = "List files with pages in RAM",
    .group = "Guest",
    .operands = "VM [PATH|MAJOR:MINOR:INODE]",
    .description =
        "Every file of every file system that has pages in the page cache; the files of\n"
        "tmpfs, ramfs and an initramfs are nothing else.",
    .examples = "vitrine pagecache web\nvitrine pagecache web /etc/passwd",
    .columns = columns,
    .n_columns = sizeof columns / sizeof columns[0],
    .walk = walk,
};
