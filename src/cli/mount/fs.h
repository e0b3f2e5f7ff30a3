/* cli/mount/fs.h - a guest as files: paths, attributes, contents. Knows nothing of FUSE.
 *
 *   physmem, vmcore            RAM, by address and as an ELF core
 *   version, regions, kallsyms, modules, mounts, dmesg, sockets
 *   nouns/NOUN, nouns/NOUN.json
 *   proc/PID/{cmdline,comm,environ,files,maps,mem,status}, proc/PID/nouns/…
 *
 * Text is made anew by each open, of one look, and stays the same until it is closed. RAM and a
 * process's memory are read when they are read. All is one thread's.
 *
 * Functions return 0 (or a count) or a negative errno: ENOENT, EIO (the VM ended; memory that is
 * not there; bytes that make no sense), ENOMEM, ENOTDIR, EISDIR.
 */
#ifndef VT_CLI_MOUNT_FS_H
#define VT_CLI_MOUNT_FS_H

#include "cli/target.h"
#include "vitrine/linux.h"

#include <sys/stat.h>
#include <sys/types.h>

struct vt_fs {
    struct vt_target *target; /* its kernel is NULL as long as there is none */
    time_t since;             /* every file's time */
    bool ended;               /* the VM did */

    struct vt_task_list tasks; /* who there was at tasks_ns: for names, not for contents */
    uint64_t tasks_ns;
    uint64_t kernel_ns; /* when a kernel was last looked for */
};

void vt_fs_init(struct vt_fs *fs, struct vt_target *target);
void vt_fs_fini(struct vt_fs *fs);
/** The VM is gone: everything fails with EIO from now on, and its RAM is given back. */
void vt_fs_end(struct vt_fs *fs);

struct vt_fs_entry;

/** What a path leads to; plain data. */
struct vt_fs_node {
    const struct vt_fs_entry *entry;
    const struct vt_noun *noun; /* of those of a noun */
    bool json;
    int32_t pid; /* 0: of no process */
};

int vt_fs_lookup(struct vt_fs *fs, const char *path, struct vt_fs_node *node);
int vt_fs_stat(struct vt_fs *fs, const struct vt_fs_node *node, struct stat *st);
/** Calls `fn` with the name of everything in a directory, "." and ".." not; non-zero ends it. */
int vt_fs_list(struct vt_fs *fs, const struct vt_fs_node *node,
               int (*fn)(const char *name, void *arg), void *arg);

struct vt_fs_file;
int vt_fs_open(struct vt_fs *fs, const struct vt_fs_node *node, struct vt_fs_file **file);
/** Bytes read, fewer at the end, 0 behind it. */
ssize_t vt_fs_read(struct vt_fs *fs, struct vt_fs_file *file, void *buf, size_t n, uint64_t offset);
/** Takes NULL. */
void vt_fs_close(struct vt_fs_file *file);

#endif
