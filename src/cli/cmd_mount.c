/* cli/cmd_mount.c - `vitrine mount` and `vitrine unmount`: a guest as files, through FUSE.
 *
 * One thread takes one request after the other, since a struct vt_kernel is one thread's. It also
 * waits for the end of the VM: from then on every request fails with EIO and the RAM is given back,
 * while the mount stays until somebody ends it.
 */
#include "base/io.h"
#include "cli/mount/fs.h"

#define FUSE_USE_VERSION 35
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <fuse_lowlevel.h>
#include <limits.h>
#include <poll.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define FS_TYPE "fuse.vitrine"
#define NAMES_S 0.25

/* ---------------------------------------------------------------- requests */

static struct vt_fs *this_fs(void)
{
    return fuse_get_context()->private_data;
}

static struct vt_fs_file *file_of(const struct fuse_file_info *info)
{
    return (struct vt_fs_file *)(uintptr_t)info->fh;
}

static void *on_init(struct fuse_conn_info *connection, struct fuse_config *config)
{
    (void)connection;
    config->direct_io = 1; /* sizes are not known before a file is made */
    config->entry_timeout = NAMES_S;
    config->attr_timeout = NAMES_S;
    config->negative_timeout = 0;
    return this_fs();
}

static int on_getattr(const char *path, struct stat *st, struct fuse_file_info *info)
{
    struct vt_fs_node node;
    (void)info;
    int rc = vt_fs_lookup(this_fs(), path, &node);
    return rc != 0 ? rc : vt_fs_stat(this_fs(), &node, st);
}

struct filling {
    void *buf;
    fuse_fill_dir_t fill;
};

static int fill_one(const char *name, void *arg)
{
    static const enum fuse_fill_dir_flags plain;
    const struct filling *f = arg;
    return f->fill(f->buf, name, NULL, 0, plain) != 0 ? -ENOMEM : 0;
}

static int on_readdir(const char *path, void *buf, fuse_fill_dir_t fill, off_t offset,
                      struct fuse_file_info *info, enum fuse_readdir_flags flags)
{
    struct filling filling = {buf, fill};
    struct vt_fs_node node;
    (void)offset;
    (void)info;
    (void)flags;
    int rc = vt_fs_lookup(this_fs(), path, &node);
    rc = rc != 0 ? rc : fill_one(".", &filling);
    rc = rc != 0 ? rc : fill_one("..", &filling);
    return rc != 0 ? rc : vt_fs_list(this_fs(), &node, fill_one, &filling);
}

static int on_open(const char *path, struct fuse_file_info *info)
{
    struct vt_fs_node node;
    struct vt_fs_file *file;
    if ((info->flags & O_ACCMODE) != O_RDONLY) {
        return -EROFS;
    }
    int rc = vt_fs_lookup(this_fs(), path, &node);
    rc = rc != 0 ? rc : vt_fs_open(this_fs(), &node, &file);
    if (rc == 0) {
        info->fh = (uintptr_t)file;
    }
    return rc;
}

static int on_read(const char *path, char *buf, size_t n, off_t offset, struct fuse_file_info *info)
{
    (void)path;
    n = n < INT_MAX ? n : INT_MAX;
    return (int)vt_fs_read(this_fs(), file_of(info), buf, n, (uint64_t)offset);
}

static int on_release(const char *path, struct fuse_file_info *info)
{
    (void)path;
    vt_fs_close(file_of(info));
    return 0;
}

static const struct fuse_operations operations = {
    .init = on_init,
    .getattr = on_getattr,
    .readdir = on_readdir,
    .open = on_open,
    .read = on_read,
    .release = on_release,
};

/* ---------------------------------------------------------------- mounting */

static int serve(struct fuse *fuse, struct vt_fs *fs, int vm)
{
    struct fuse_session *session = fuse_get_session(fuse);
    struct fuse_buf buf = {0};
    int rc = 0;
    while (!fuse_session_exited(session) && !vt_interrupted) {
        struct pollfd wait[] = {{.fd = fuse_session_fd(session), .events = POLLIN},
                                {.fd = vm, .events = POLLIN}};
        if (poll(wait, 2, -1) < 0) {
            if (errno != EINTR) {
                rc = -errno;
                break;
            }
            continue;
        }
        if (wait[1].revents != 0) {
            vt_fs_end(fs);
            vt_close(&vm);
        }
        if (wait[0].revents != 0) {
            rc = fuse_session_receive_buf(session, &buf);
            if (rc == -EINTR) {
                continue;
            }
            if (rc <= 0) { /* 0: unmounted */
                break;
            }
            fuse_session_process_buf(session, &buf);
        }
    }
    free(buf.mem);
    vt_close(&vm);
    return rc < 0 ? rc : 0;
}

/* Options of the mount: who looks into the guest is who mounted it, and nobody else. */
static int make_fuse(const char *name, struct vt_fs *fs, struct fuse **fuse, struct vt_error *err)
{
    char options[256];
    char program[] = "vitrine", dash[] = "-o";
    /* A comma would begin another option. */
    snprintf(options, sizeof options,
             "ro,nosuid,nodev,noatime,default_permissions,subtype=vitrine,fsname=%.100s", name);
    for (char *c = strstr(options, "fsname=") + strlen("fsname="); *c != '\0'; c++) {
        *c = *c == ',' || *c == '\\' ? '_' : *c;
    }
    char *argv[] = {program, dash, options, NULL};
    struct fuse_args args = FUSE_ARGS_INIT(3, argv);
    *fuse = fuse_new(&args, &operations, sizeof operations, fs);
    fuse_opt_free_args(&args);
    return *fuse != NULL ? 0 : vt_fail(err, VT_E_UNSUPPORTED, "FUSE cannot be used");
}

static int check_directory(const char *dir, struct vt_error *err)
{
    struct stat st;
    if (stat(dir, &st) != 0) {
        return vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", dir);
    }
    if (!S_ISDIR(st.st_mode)) {
        return vt_fail(err, VT_E_INVAL, "%s is not a directory", dir);
    }
    if (access("/dev/fuse", R_OK | W_OK) != 0) {
        return vt_fail_errno(err, VT_E_UNSUPPORTED, errno, "cannot use /dev/fuse");
    }
    return 0;
}

static int mount_and_serve(const struct vt_args *args, struct vt_target *t, const char *dir)
{
    struct vt_error err;
    struct vt_fs fs;
    struct fuse *fuse;
    /* QEMU's process is the VM's life; of one that is far away nothing is known but its RAM. */
    pid_t qemu = t->vm != NULL ? vt_vm_info(t->vm)->qemu_pid : 0;
    int vm = qemu != 0 ? pidfd_open(qemu, 0) : -1;
    if (qemu != 0 && vm < 0) {
        vt_fail(&err, VT_E_GONE, "%s has ended", t->name);
        return vt_report(args, &err);
    }
    vt_fs_init(&fs, t);
    if (make_fuse(t->name, &fs, &fuse, &err) != 0) {
        vt_close(&vm);
        return vt_report(args, &err);
    }
    int rc =
        fuse_mount(fuse, dir) == 0 ? 0 : vt_fail(&err, VT_E_UNSUPPORTED, "cannot mount on %s", dir);
    if (rc == 0) {
        /* From here on errors have nobody to be told to. */
        if (fuse_daemonize(vt_args_flag(args, "foreground")) != 0) {
            rc = vt_fail_errno(&err, VT_E_IO, errno, "cannot go to the background");
        } else {
            int served = serve(fuse, &fs, vm);
            rc = served < 0 ? vt_fail_errno(&err, VT_E_IO, -served, "serving %s", dir) : 0;
        }
        fuse_unmount(fuse);
    }
    fuse_destroy(fuse);
    vt_fs_fini(&fs);
    return rc == 0 ? VT_EXIT_OK : vt_report(args, &err);
}

static int run_mount(const struct vt_args *args)
{
    struct vt_target t;
    struct vt_error err;
    const char *dir = vt_args_operand(args, 1);
    if (check_directory(dir, &err) != 0) {
        return vt_report(args, &err);
    }
    int result = vt_cli_open(args, "mount", VT_CLI_RAM, dir, &t);
    if (result != 0) {
        return result;
    }
    /* A guest that is still booting gets its files when there is a kernel. */
    if (vt_target_kernel(&t, &err) != 0) {
        fprintf(stderr, "vitrine mount: only RAM until its kernel is found: %s\n", err.message);
    }
    return vt_cli_close(args, &t, mount_and_serve(args, &t, dir));
}

/* ---------------------------------------------------------------- unmounting */

/* Is `dir` where one of ours is mounted? (proc(5), mountinfo) */
static bool is_ours(const char *dir)
{
    char *text = NULL, path[PATH_MAX], link[64];
    bool ours = false;
    /* O_PATH asks nothing of the file system, which may be past answering. */
    int fd = open(dir, O_PATH | O_CLOEXEC);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = fd >= 0 ? readlink(link, path, sizeof path - 1) : -1;
    vt_close(&fd);
    if (n < 0) {
        return false;
    }
    path[n] = '\0';
    if (vt_read_file("/proc/self/mountinfo", 16u << 20, &text, NULL, NULL) != 0) {
        return false;
    }
    for (char *save, *line = strtok_r(text, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        char point[PATH_MAX], *type = strstr(line, " - ");
        if (type != NULL && sscanf(line, "%*s %*s %*s %*s %4095s", point) == 1 &&
            strcmp(point, path) == 0) {
            ours = strncmp(type + 3, FS_TYPE " ", sizeof FS_TYPE) == 0;
        }
    }
    free(text);
    return ours;
}

static int run_unmount(const struct vt_args *args)
{
    struct vt_error err;
    const char *dir = vt_args_operand(args, 0);
    if (!is_ours(dir)) {
        vt_fail(&err, VT_E_NOT_FOUND, "no guest is mounted on %s", dir);
        return vt_report(args, &err);
    }
    if (geteuid() == 0) {
        if (umount2(dir, 0) != 0) {
            vt_fail_errno(&err, errno == EBUSY ? VT_E_BUSY : VT_E_IO, errno, "%s", dir);
            return vt_report(args, &err);
        }
        return VT_EXIT_OK;
    }
    char program[] = "fusermount3", flag[] = "-u", end[] = "--";
    char *argv[] = {program, flag, end, (char *)(uintptr_t)dir, NULL};
    pid_t child;
    int status, rc = posix_spawnp(&child, program, NULL, NULL, argv, environ);
    if (rc != 0) {
        vt_fail_errno(&err, vt_code_of_errno(rc), rc, "fusermount3");
        return vt_report(args, &err);
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? VT_EXIT_OK : VT_EXIT_FAILED;
}

static const struct vt_option mount_options[] = {
    {"foreground", NULL, "stay in the foreground until it is unmounted", false},
    {0},
};

const struct vt_verb vt_verb_mount = {
    .name = "mount",
    .group = "Memory",
    .summary = "Show a guest as files, read-only and live",
    .operands = "VM DIR",
    .min_operands = 2,
    .max_operands = 2,
    .options = mount_options,
    .description =
        "physmem is RAM by address, vmcore the same as an ELF core: drgn and crash open it live.\n"
        "version, regions, kallsyms, modules, mounts and dmesg look as in /proc; sockets is a\n"
        "table. nouns has every list that vitrine knows, as a table and as JSON. proc has a\n"
        "directory for each process with cmdline, comm, environ, files, maps, mem, status and\n"
        "those nouns that belong to processes.\n\n"
        "Text is made when a file is opened, from what is in RAM then; memory is read when it is\n"
        "read. Only you can look. When the VM has ended, everything fails with EIO.\n\n"
        "It goes to the background once mounted. 'vitrine unmount DIR', 'fusermount3 -u DIR' or\n"
        "SIGTERM end it.",
    .examples = "mkdir /tmp/web && vitrine mount web /tmp/web\n"
                "cat /tmp/web/dmesg /tmp/web/proc/1/maps\n"
                "drgn -c /tmp/web/vmcore\nvitrine unmount /tmp/web",
    .run = run_mount,
};

const struct vt_verb vt_verb_unmount = {
    .name = "unmount",
    .group = "Memory",
    .summary = "End 'vitrine mount'",
    .operands = "DIR",
    .min_operands = 1,
    .max_operands = 1,
    .run = run_unmount,
};
