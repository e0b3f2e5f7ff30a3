/* guest/linux/path.h - where a file is: a struct path (mount and dentry) as the text that /proc
 * shows, and what an inode says.
 *
 * A name is followed upwards through the dentries' parents and, at the root of a mount, through its
 * mount point, to the process's root or the namespace's. All through a look: every row that shows a
 * path is as good as the path. Bounded by the longest path there is.
 * (fs/d_path.c; each file system's own d_dname)
 */
#ifndef VT_GUEST_LINUX_PATH_H
#define VT_GUEST_LINUX_PATH_H

#include "guest/kernel.h"
#include "guest/linux/layout.h"
#include "guest/linux/look.h"

/** Room for a path, " (deleted)" and the zero. */
#define VT_PATH_BYTES 4224u

struct vt_path_layout {
    struct vt_member path_mnt, path_dentry; /**< of a struct path */
    struct vt_extent dentry;
    struct vt_member d_hash, d_parent, d_name, d_len, d_inode, d_op, d_sb;
    struct vt_member d_dname; /* of dentry_operations */
    struct vt_member mnt;     /* of struct mount: its struct vfsmount */
    struct vt_extent mount;
    struct vt_member mnt_parent, mnt_mountpoint, mnt_root, mnt_ns;
    struct vt_member ns_anon, ns_seq; /* of mnt_namespace: whether it is anonymous; 0: it is */
    struct vt_extent inode;
    struct vt_member i_mode, i_sb, i_ino, i_rdev, i_size, i_nlink, i_mapping, i_private;
    struct vt_member s_dev, s_type, fs_name;
    struct vt_member ns_ops, ns_name; /* of ns_common, proc_ns_operations */
};

/** A struct path of the guest. `mnt` is the address of the struct vfsmount; 0: none. */
struct vt_path {
    struct vt_gva mnt, dentry;
};

struct vt_inode {
    struct vt_gva at, sb, mapping;
    uint64_t number, bytes;
    uint32_t mode; /**< S_IFMT and permissions */
    uint32_t links;
    uint32_t device;         /**< of its file system, as the kernel numbers devices */
    uint32_t special_device; /**< that a device node stands for */
    char fs[32];             /**< type of its file system: "tmpfs" */
};

/** How far up a path could be followed. */
enum vt_path_reach {
    VT_PATH_ROOT,     /**< to the root that was asked for */
    VT_PATH_OUTSIDE,  /**< past it, to the root of a mount namespace */
    VT_PATH_DETACHED, /**< to the root of a mount that is nowhere mounted */
    VT_PATH_NAMED,    /**< it is no path, but what a file system calls such a file: "pipe:[7]" */
};

/** Belongs to the kernel. VT_E_NOT_FOUND. */
int vt_path_take(struct vt_kernel *kernel, const struct vt_path_layout **layout,
                 struct vt_error *err);

/** The struct path at `at`. */
struct vt_path vt_path_read(struct vt_look *look, const struct vt_path_layout *l, struct vt_gva at);

/** The text that readlink() of a descriptor gives, " (deleted)" included. `root`: where to stop, or
 *  NULL for the namespace's root. Returns a pointer into `buf`, never NULL; "" after a doubt.
 *  `reach` may be NULL. */
const char *vt_path_text(struct vt_look *look, struct vt_kernel *kernel,
                         const struct vt_path_layout *l, struct vt_path path,
                         const struct vt_path *root, char buf[VT_PATH_BYTES],
                         enum vt_path_reach *reach);
/** The same without names of their own and without " (deleted)": a mount point, as mountinfo has
 *  it. */
const char *vt_path_plain(struct vt_look *look, const struct vt_path_layout *l, struct vt_path path,
                          const struct vt_path *root, char buf[VT_PATH_BYTES],
                          enum vt_path_reach *reach);
/** The path inside its file system; "//deleted" follows one that has no name any more. */
const char *vt_dentry_text(struct vt_look *look, const struct vt_path_layout *l,
                           struct vt_gva dentry, char buf[VT_PATH_BYTES]);
/** "net:[4026531840]" of an inode of nsfs. */
void vt_nsfs_text(struct vt_look *look, const struct vt_path_layout *l, struct vt_gva inode,
                  char *text, size_t size);

/** The inode a dentry stands for; 0: there is no such file. */
struct vt_gva vt_dentry_inode(struct vt_look *look, const struct vt_path_layout *l,
                              struct vt_gva dentry);
void vt_inode_read(struct vt_look *look, const struct vt_path_layout *l, struct vt_gva at,
                   struct vt_inode *inode);

/** The two numbers of a device as the kernel keeps it. (include/linux/kdev_t.h) */
static inline uint32_t vt_device_major(uint32_t device)
{
    return device >> 20;
}
static inline uint32_t vt_device_minor(uint32_t device)
{
    return device & 0xfffff;
}

#endif
