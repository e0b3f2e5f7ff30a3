/* guest/linux/filesystems.c - what is mounted or could be: the list `super_blocks`. See
 * vitrine/linux.h. */
#include "guest/linux/noun.h"
#include "guest/linux/path.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SUPERS_MAX 65536u
#define INODES_MAX (64u << 20)

struct layout {
    struct vt_extent super;
    struct vt_member list, dev, block, type, flags, name, uuid, inodes, root;
    struct vt_member fs_name, inode_list, inode_bytes;
};

static const struct vt_field_spec specs[] = {
    VT_FIELD(layout, list, super, "super_block", "s_list"),
    VT_FIELD(layout, dev, super, "super_block", "s_dev"),
    VT_FIELD(layout, block, super, "super_block", "s_blocksize"),
    VT_FIELD(layout, type, super, "super_block", "s_type"),
    VT_FIELD(layout, flags, super, "super_block", "s_flags"),
    VT_FIELD(layout, name, super, "super_block", "s_id"),
    VT_FIELD(layout, root, super, "super_block", "s_root"),
    VT_FIELD_BARE_OPTIONAL(layout, uuid, "super_block", "s_uuid"),
    VT_FIELD_BARE(layout, inodes, "super_block", "s_inodes"),
    VT_FIELD_BARE(layout, fs_name, "file_system_type", "name"),
    VT_FIELD_BARE(layout, inode_list, "inode", "i_sb_list"),
    VT_FIELD_SIZE(layout, inode_bytes, "inode"),
};
static const struct vt_layout_type type = VT_LAYOUT(layout, specs);

/* include/linux/fs.h: SB_…, those that say how it may be used and what it is. */
static void write_flags(uint64_t flags, struct vt_filesystem *f)
{
    static const struct {
        unsigned bit;
        const char *name;
    } names[] = {
        {1, "nosuid"},     {2, "nodev"},     {3, "noexec"},      {4, "sync"},
        {7, "dirsync"},    {10, "noatime"},  {11, "nodiratime"}, {16, "posixacl"},
        {22, "kernmount"}, {23, "iversion"}, {25, "lazytime"},
    };
    size_t n = (size_t)snprintf(f->flags, sizeof f->flags, "%s", (flags & 1) != 0 ? "ro" : "rw");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if ((flags >> names[i].bit & 1) != 0) {
            n += (size_t)snprintf(f->flags + n, sizeof f->flags - n, ",%s", names[i].name);
        }
    }
}

static void write_uuid(struct vt_look *look, const struct layout *l, struct vt_filesystem *f)
{
    static const uint8_t none[16];
    uint8_t u[16];
    if (l->uuid.size != sizeof u ||
        !vt_look_read(look, VT_GVA(f->row.at.v + l->uuid.offset), u, sizeof u) ||
        memcmp(u, none, sizeof u) == 0) {
        return;
    }
    snprintf(f->uuid, sizeof f->uuid,
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0], u[1],
             u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14],
             u[15]);
}

static void read_super(struct vt_look *look, const struct layout *l, struct vt_gva at,
                       struct vt_filesystem *f)
{
    struct vt_object o;
    *f = (struct vt_filesystem){.row.at = at};
    if (!vt_look_object(look, at, l->super, &o)) {
        return;
    }
    uint32_t dev = (uint32_t)vt_object_uint(&o, &l->dev);
    snprintf(f->device, sizeof f->device, "%" PRIu32 ":%" PRIu32, vt_device_major(dev),
             vt_device_minor(dev));
    struct vt_gva fs = VT_GVA(vt_object_uint(&o, &l->type));
    vt_look_text(look, VT_GVA(vt_look_member(look, fs, &l->fs_name)), f->type, sizeof f->type);
    vt_object_text(&o, &l->name, f->name, sizeof f->name);
    f->block_bytes = vt_object_uint(&o, &l->block);
    f->root = VT_GVA(vt_object_uint(&o, &l->root));
    write_flags(vt_object_uint(&o, &l->flags), f);
    write_uuid(look, l, f);
}

/* Inodes come and go all the time: how many there are is not part of the look. */
static int count_inodes(struct vt_walk *w, const struct layout *l, size_t *left,
                        struct vt_filesystem *f, struct vt_error *err)
{
    struct vt_list_walk list;
    struct vt_gva node;
    int rc;
    vt_list_begin(&list, w->space, VT_GVA(f->row.at.v + l->inodes.offset), *left);
    while ((rc = vt_list_next(&list, &node, err)) == 1) {
        f->inodes++;
    }
    *left -= f->inodes < *left ? (size_t)f->inodes : *left;
    vt_walk_list_end(w, &list);
    return rc;
}

static int walk(struct vt_walk *w, struct vt_error *err)
{
    const struct layout *l;
    struct vt_list_walk list;
    struct vt_gva head, node;
    int rc = vt_layout_take(w->kernel, &type, &l, err);
    if (rc == 0) {
        rc = vt_kernel_symbol(w->kernel, "super_blocks", &head, err);
    }
    if (rc != 0) {
        return rc;
    }
    size_t left = vt_walk_cap(w, l->inode_bytes.size, INODES_MAX);
    vt_list_begin(&list, w->space, head, SUPERS_MAX);
    while (rc == 0 && (rc = vt_list_next(&list, &node, err)) == 1) {
        struct vt_filesystem f;
        struct vt_gva at = VT_GVA(node.v - l->list.offset);
        do {
            vt_look_begin(&w->look);
            if (list.torn_link) {
                vt_look_doubt(&w->look, "the next one does not point back to it");
            }
            read_super(&w->look, l, at, &f);
        } while (vt_look_again(&w->look));
        rc = count_inodes(w, l, &left, &f, err);
        if (rc == 0) {
            rc = vt_walk_row(w, &f.row);
        }
    }
    vt_walk_list_end(w, &list);
    return rc;
}

#define COLUMN(member, kind, key, title, doc)                                                      \
    {VT_COLUMN(vt_filesystem, member, kind, key, title, doc)}

static const struct vt_column columns[] = {
    COLUMN(device, VT_CELL_CHARS, "device", "DEVICE", "of its files: major:minor"),
    COLUMN(type, VT_CELL_CHARS, "type", "TYPE", "of the file system"),
    COLUMN(name, VT_CELL_CHARS, "name", "NAME", "the device it lies on, or its type"),
    COLUMN(block_bytes, VT_CELL_U64, "block_bytes", "BLOCK", "size of a block"),
    COLUMN(inodes, VT_CELL_U64, "inodes", "INODES", "in memory, of those that can be listed"),
    {VT_COLUMN(vt_filesystem, root, VT_CELL_HEX, "root", NULL, "dentry of its root"),
     .zero_is_none = true},
    {VT_COLUMN(vt_filesystem, uuid, VT_CELL_CHARS, "uuid", "UUID", "that its blocks carry"),
     .zero_is_none = true},
    COLUMN(flags, VT_CELL_CHARS, "flags", "FLAGS", "ro or rw, and what else holds for all of it"),
};

const struct vt_noun vt_noun_filesystems = {
    .name = "filesystems",
    .summary = "List file systems, mounted anywhere or kept by the kernel",
    .group = "Guest",
    .description = "Every file system there is, those included that only the kernel itself uses.\n"
                   "Where they are mounted: 'vitrine mounts'.",
    .examples = "vitrine filesystems web",
    .columns = columns,
    .n_columns = sizeof columns / sizeof columns[0],
    .walk = walk,
};
