/* guest/linux/files.c - open descriptors of processes. See vitrine/linux.h.
 *
 * read_file a struct file: flags, position, inode, path
 * read_place a struct path alone: working directory, root
 * The table is the group leader's; threads may have unshared theirs, which is rare.
 */
#include "guest/linux/fds.h"
#include "guest/linux/path.h"
#include "guest/linux/tasks.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DESCRIPTORS_MAX (16u << 20)

struct layout {
    struct vt_member fs, fs_root, fs_pwd, exe;
    struct vt_extent file;
    struct vt_member f_inode, f_flags, f_pos, f_path, mnt_id;
};

static const struct vt_field_spec specs[] = {
    VT_FIELD_BARE(layout, fs, "task_struct", "fs"),
    VT_FIELD_BARE(layout, fs_root, "fs_struct", "root"),
    VT_FIELD_BARE(layout, fs_pwd, "fs_struct", "pwd"),
    VT_FIELD_BARE_OPTIONAL(layout, exe, "mm_struct", "exe_file"),
    VT_FIELD(layout, f_inode, file, "file", "f_inode"),
    VT_FIELD(layout, f_flags, file, "file", "f_flags"),
    VT_FIELD_BARE(layout, f_path, "file", "f_path", "__f_path"),
    VT_FIELD_BARE(layout, f_pos, "file", "f_pos"),
    VT_FIELD_BARE(layout, mnt_id, "mount", "mnt_id"),
};
static const struct vt_layout_type type = VT_LAYOUT(layout, specs);

struct files {
    const struct layout *l;
    const struct vt_path_layout *p;
    const struct vt_task *task;
    size_t left; /* descriptors that there may be in all: each takes 8 bytes of a table */
    char path[VT_PATH_BYTES];
};

/* include/uapi/asm-generic/fcntl.h, as x86 has them; O_SYNC is two bits. */
#define O_ACCESS 03u
#define O_ON_EXEC 02000000u
#define O_SYNC_BITS 04010000u

static void write_modes(uint32_t flags, struct vt_open_file *f)
{
    static const char *const access[] = {"RDONLY", "WRONLY", "RDWR", "NONE"};
    static const struct {
        uint32_t bits;
        const char *name;
    } names[] = {
        {02000, "APPEND"},      {04000, "NONBLOCK"},    {O_SYNC_BITS, "SYNC"},
        {010000, "DSYNC"},      {020000, "ASYNC"},      {040000, "DIRECT"},
        {0100000, "LARGEFILE"}, {0200000, "DIRECTORY"}, {0400000, "NOFOLLOW"},
        {01000000, "NOATIME"},  {O_ON_EXEC, "CLOEXEC"}, {010000000, "PATH"},
        {020000000, "TMPFILE"},
    };
    size_t n = (size_t)snprintf(f->modes, sizeof f->modes, "%s", access[flags & O_ACCESS]);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if ((flags & names[i].bits) == names[i].bits) {
            n += (size_t)snprintf(f->modes + n, sizeof f->modes - n, ",%s", names[i].name);
            flags &= ~names[i].bits;
        }
    }
}

static const char *kind_of(const struct vt_inode *inode)
{
    static const char *const kinds[16] = {
        [1] = "fifo",    [2] = "character", [4] = "directory", [6] = "block",
        [8] = "regular", [10] = "symlink",  [12] = "socket",
    };
    if (strcmp(inode->fs, "anon_inodefs") == 0) {
        return "anon_inode";
    }
    if (strcmp(inode->fs, "pipefs") == 0) {
        return "pipe";
    }
    const char *kind = kinds[inode->mode >> 12 & 15];
    return kind != NULL ? kind : "unknown";
}

static void read_place(struct vt_walk *w, struct files *files, struct vt_path path,
                       struct vt_gva inode, struct vt_open_file *f)
{
    struct vt_inode i;
    struct vt_look *look = &w->look;
    vt_inode_read(look, files->p, inode, &i);
    snprintf(f->kind, sizeof f->kind, "%s", kind_of(&i));
    snprintf(f->device, sizeof f->device, "%" PRIu32 ":%" PRIu32, vt_device_major(i.device),
             vt_device_minor(i.device));
    f->inode = i.number;
    f->bytes = i.bytes;
    f->mount_id =
        (int32_t)vt_look_member(look, VT_GVA(path.mnt.v - files->p->mnt.offset), &files->l->mnt_id);
    f->path = vt_path_text(look, w->kernel, files->p, path, NULL, files->path, NULL);
}

static void read_file(struct vt_walk *w, struct files *files, bool on_exec, struct vt_open_file *f)
{
    const struct layout *l = files->l;
    struct vt_object o;
    struct vt_gva at = f->row.at;
    if (!vt_look_object(&w->look, at, l->file, &o)) {
        return;
    }
    uint32_t flags = (uint32_t)vt_object_uint(&o, &l->f_flags) & ~O_ON_EXEC;
    flags |= on_exec ? O_ON_EXEC : 0;
    snprintf(f->flags, sizeof f->flags, "0%" PRIo32, flags);
    write_modes(flags, f);
    /* Busy descriptors move all the time: no reason to doubt the rest. */
    uint64_t position = 0;
    vt_space_read_u64(w->space, VT_GVA(at.v + l->f_pos.offset), &position, NULL);
    f->position = (int64_t)position;
    struct vt_path path = vt_path_read(&w->look, files->p, VT_GVA(at.v + l->f_path.offset));
    read_place(w, files, path, VT_GVA(vt_object_uint(&o, &l->f_inode)), f);
}

static struct vt_open_file begin_row(struct vt_walk *w, const struct files *files, const char *fd)
{
    struct vt_open_file f = {.row.at = files->task->at, .pid = files->task->pid};
    vt_look_begin(&w->look);
    vt_look_task(w, files->task);
    memcpy(f.comm, files->task->comm, sizeof f.comm);
    snprintf(f.fd, sizeof f.fd, "%s", fd);
    return f;
}

/* Working directory and root: `member` of the process's fs_struct. */
static int print_place(struct vt_walk *w, struct files *files, const char *name,
                       const struct vt_member *member)
{
    struct vt_open_file f;
    bool has;
    do {
        f = begin_row(w, files, name);
        uint64_t fs = vt_look_member(&w->look, files->task->at, &files->l->fs);
        has = fs != 0;
        if (has) {
            f.row.at = VT_GVA(fs + member->offset);
            struct vt_path path = vt_path_read(&w->look, files->p, f.row.at);
            read_place(w, files, path, vt_dentry_inode(&w->look, files->p, path.dentry), &f);
        }
    } while (vt_look_again(&w->look));
    return has ? vt_walk_row(w, &f.row) : 0;
}

static int print_program(struct vt_walk *w, struct files *files)
{
    struct vt_open_file f;
    bool has;
    if (files->task->mm.v == 0 || files->l->exe.size == 0) {
        return 0;
    }
    do {
        f = begin_row(w, files, "exe");
        f.row.at = VT_GVA(vt_look_member(&w->look, files->task->mm, &files->l->exe));
        has = f.row.at.v != 0;
        if (has) {
            read_file(w, files, false, &f);
            f.flags[0] = f.modes[0] = '\0';
        }
    } while (vt_look_again(&w->look));
    return has ? vt_walk_row(w, &f.row) : 0;
}

static int print_descriptor(struct vt_walk *w, struct files *files, const struct vt_fds *fds,
                            uint32_t fd, struct vt_gva file)
{
    struct vt_open_file f;
    char name[12];
    snprintf(name, sizeof name, "%" PRIu32, fd);
    do {
        f = begin_row(w, files, name);
        f.row.at = file;
        if (vt_look_u64(&w->look, VT_GVA(fds->file_of.v + (uint64_t)fd * 8)) != file.v) {
            vt_look_doubt(&w->look, "the descriptor was closed meanwhile");
        }
        uint64_t word = vt_look_u64(&w->look, VT_GVA(fds->exec_bits.v + (uint64_t)fd / 64 * 8));
        read_file(w, files, (word >> fd % 64 & 1) != 0, &f);
    } while (vt_look_again(&w->look));
    return vt_walk_row(w, &f.row);
}

static int print(struct vt_walk *w, const struct vt_task *task, void *arg, struct vt_error *err)
{
    struct files *files = arg;
    struct vt_fds fds;
    struct vt_gva file;
    uint32_t fd;
    files->task = task;
    int rc = print_place(w, files, "cwd", &files->l->fs_pwd);
    if (rc == 0) {
        rc = print_place(w, files, "root", &files->l->fs_root);
    }
    if (rc == 0) {
        rc = print_program(w, files);
    }
    if (rc == 0) {
        rc = vt_fds_begin(&fds, w->kernel, task->at, err);
    }
    if (rc != 0) {
        return rc;
    }
    while (rc == 0 && vt_fds_next(&fds, &fd, &file)) {
        if (files->left == 0) {
            vt_walk_torn(w, "more descriptors than RAM has room for");
            break;
        }
        files->left--;
        rc = print_descriptor(w, files, &fds, fd, file);
    }
    if (fds.torn) {
        vt_walk_torn(w, "process %" PRId32 ": %s", task->pid, fds.why);
    }
    return rc;
}

static int walk(struct vt_walk *w, struct vt_error *err)
{
    struct files *files = calloc(1, sizeof *files);
    if (files == NULL) {
        return vt_fail(err, VT_E_NOMEM, "files: out of memory");
    }
    int rc = vt_layout_take(w->kernel, &type, &files->l, err);
    if (rc == 0) {
        rc = vt_path_take(w->kernel, &files->p, err);
    }
    if (rc == 0) {
        files->left = vt_walk_cap(w, sizeof(uint64_t), DESCRIPTORS_MAX);
        rc = vt_walk_processes(w, print, files, err);
    }
    free(files);
    return rc;
}

#define COLUMN(member, kind, key, title, doc)                                                      \
    {VT_COLUMN(vt_open_file, member, kind, key, title, doc)}

static const struct vt_column columns[] = {
    COLUMN(pid, VT_CELL_I64, "pid", "PID", "process number"),
    COLUMN(comm, VT_CELL_CHARS, "comm", "COMMAND", "name of the process"),
    COLUMN(fd, VT_CELL_CHARS, "fd", "FD",
           "descriptor; or cwd, root, exe: working directory, root, program"),
    COLUMN(kind, VT_CELL_CHARS, "kind", "KIND",
           "regular, directory, character, block, fifo, pipe, socket, anon_inode"),
    {VT_COLUMN(vt_open_file, flags, VT_CELL_CHARS, "flags", NULL,
               "O_ flags in octal, as in /proc/PID/fdinfo"),
     .zero_is_none = true},
    {VT_COLUMN(vt_open_file, modes, VT_CELL_CHARS, "modes", "MODES", "the flags' names"),
     .zero_is_none = true},
    COLUMN(position, VT_CELL_I64, "position", "POSITION", "of the next byte read or written"),
    COLUMN(mount_id, VT_CELL_I64, "mount_id", NULL, "of the mount it was opened in"),
    COLUMN(device, VT_CELL_CHARS, "device", "DEVICE", "of its file system: major:minor"),
    COLUMN(inode, VT_CELL_U64, "inode", "INODE", "its number in the file system"),
    COLUMN(bytes, VT_CELL_U64, "bytes", "BYTES", "size of the file"),
    COLUMN(path, VT_CELL_TEXT, "path", "PATH",
           "from its namespace's root; or what the kernel calls such a file"),
};

const struct vt_noun vt_noun_files = {
    .name = "files",
    .summary = "List the files that processes have open",
    .group = "Guest",
    .description = "The descriptors of every process, its working directory, root and program.",
    .examples = "vitrine files web\nvitrine files web --pid 85 --json",
    .by_pid = true,
    .columns = columns,
    .n_columns = sizeof columns / sizeof columns[0],
    .walk = walk,
};
