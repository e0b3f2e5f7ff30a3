/* machine/keeper_qemu.c - a keeper's QEMU: its RAM file, sockets and images, its start and end. */
#include "machine/keeper_parts.h"

#include "base/io.h"
#include "base/paths.h"
#include "base/text.h"
#include "machine/accel.h"
#include "machine/cgroup.h"
#include "machine/ended.h"
#include "machine/inspect.h"
#include "machine/migrate.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

static int in_dir(const struct vt_keeper *k, const char *file, char path[PATH_MAX],
                  struct vt_error *err)
{
    return vt_vmdir_file(k->dir.path, file, path, err);
}

static int check_free_space(const struct vt_keeper *k, struct vt_error *err)
{
    struct statvfs fs;
    if (statvfs("/dev/shm", &fs) != 0) {
        return vt_fail_errno(err, vt_code_of_errno(errno), errno, "/dev/shm");
    }
    uint64_t free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (free_bytes < k->job->config->memory_bytes) {
        return vt_fail(
            err, VT_E_LIMIT, "%s: %llu MiB of RAM do not fit: /dev/shm has %llu MiB free",
            k->job->config->name, (unsigned long long)(k->job->config->memory_bytes >> 20),
            (unsigned long long)(free_bytes >> 20));
    }
    return 0;
}

/* Sparse: pages come as the guest touches them. The lock on it says that its keeper lives. */
static int make_ram(struct vt_keeper *k, struct vt_error *err)
{
    char mark[PATH_MAX];
    int rc = check_free_space(k, err);
    rc = rc != 0 ? rc : in_dir(k, "ram", mark, err);
    if (rc != 0) {
        return rc;
    }
    const char *path = k->info.ram_path;
    k->ram_fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (k->ram_fd < 0) {
        return errno == EEXIST
                   ? vt_fail(err, VT_E_EXISTS, "%s exists: another VM's RAM, or left behind", path)
                   : vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", path);
    }
    k->ram_made = true;
    if (flock(k->ram_fd, LOCK_EX | LOCK_NB) != 0 || fchmod(k->ram_fd, 0600) != 0 ||
        ftruncate(k->ram_fd, (off_t)k->job->config->memory_bytes) != 0 ||
        (k->identity.change && fchown(k->ram_fd, k->identity.uid, k->identity.gid) != 0)) {
        return vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", path);
    }
    return vt_write_file_atomic(mark, path, strlen(path), 0600, err);
}

/* The uid is taken once a file in /dev/shm belongs to it: both in one go, under the lock. */
static int make_identity_and_ram(struct vt_keeper *k, struct vt_error *err)
{
    int registry;
    int rc = vt_registry_lock(&registry, err);
    if (rc != 0) {
        return rc;
    }
    rc = vt_identity_pick(k->job->config->name, k->job->config->user,
                          strcmp(k->job->config->accel, "kvm") == 0, &k->identity, err);
    rc = rc != 0 ? rc : make_ram(k, err);
    close(registry);
    return rc;
}

/* A raw disk's first bytes are the guest's to choose: it may make itself look like qcow2 for the
 * next run. So no format is taken that can name a second file of the host's. */
static int open_disk(struct vt_keeper *k, struct vt_error *err)
{
    /* QEMU docs/interop/qcow2: magic, version, backing_file_offset; from version 3 on
     * incompatible_features at 72, whose bit 2 is an external data file. All big-endian. */
    enum { VERSION = 4, BACKING = 8, FEATURES = 72, HEADER = 80, EXTERNAL_DATA = 1 << 2 };
    const char *path = k->job->config->disk;
    uint8_t head[HEADER] = {0};
    k->fds.disk = open(path, O_RDWR | O_CLOEXEC);
    if (k->fds.disk < 0) {
        return vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", path);
    }
    if (pread(k->fds.disk, head, sizeof head, 0) < 0) {
        return vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", path);
    }
    bool qcow2 = memcmp(head, "QFI\xfb", 4) == 0;
    static const uint8_t none[8];
    if (qcow2 && (memcmp(head + BACKING, none, sizeof none) != 0 ||
                  (head[VERSION + 3] >= 3 && (head[FEATURES + 7] & EXTERNAL_DATA) != 0))) {
        return vt_fail(err, VT_E_UNSUPPORTED,
                       "%s names other files (a backing or data file), which QEMU may not open "
                       "here: make it one file with 'qemu-img convert -O qcow2'",
                       path);
    }
    strcpy(k->disk_format, qcow2 ? "qcow2" : "raw");
    return 0;
}

static int open_kvm(struct vt_keeper *k, struct vt_error *err)
{
    if (strcmp(k->job->config->accel, "kvm") != 0 || !vt_accel_needs_fd()) {
        return 0;
    }
    k->fds.kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    return k->fds.kvm >= 0
               ? 0
               : vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s: /dev/kvm", k->info.name);
}

static int open_images(struct vt_keeper *k, struct vt_error *err)
{
    const struct vt_vm_config *c = k->job->config;
    int rc = 0;
    if (c->kernel != NULL) {
        rc = vt_open_for_qemu(c->kernel, &k->identity, &k->fds.kernel, err);
    }
    if (rc == 0 && c->initrd != NULL) {
        rc = vt_open_for_qemu(c->initrd, &k->identity, &k->fds.initrd, err);
    }
    if (rc == 0 && c->disk != NULL) {
        rc = open_disk(k, err);
    }
    if (rc == 0 && c->iso != NULL) {
        k->fds.iso = open(c->iso, O_RDONLY | O_CLOEXEC);
        rc = k->fds.iso < 0 ? vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", c->iso) : 0;
    }
    return rc;
}

static int make_pair(int *ours, int *theirs, struct vt_error *err)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        return vt_fail_errno(err, VT_E_IO, errno, "socketpair");
    }
    *ours = pair[0];
    *theirs = pair[1];
    return 0;
}

static int make_sockets(struct vt_keeper *k, struct vt_error *err)
{
    char path[PATH_MAX], file[32];
    int rc = make_pair(&k->qmp_fd, &k->fds.qmp_keeper, err);
    rc = rc != 0 ? rc : make_pair(&k->serial_fd, &k->fds.serial, err);
    rc = rc != 0 ? rc : in_dir(k, "qmp.sock", path, err);
    rc = rc != 0 ? rc : vt_unix_listen(path, 4, &k->fds.qmp_public, err);
    for (int i = 0; rc == 0 && i < VT_QMP_SOCKETS; i++) {
        snprintf(file, sizeof file, "qmp-%d.sock", i + 1);
        rc = in_dir(k, file, path, err);
        rc = rc != 0 ? rc : vt_unix_listen(path, 4, &k->fds.qmp_tools[i], err);
    }
    return rc;
}

static int open_logs(struct vt_keeper *k, struct vt_error *err)
{
    char path[PATH_MAX];
    int rc = in_dir(k, "qemu.log", path, err);
    if (rc != 0) {
        return rc;
    }
    k->log_fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    return k->log_fd >= 0 ? 0 : vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", path);
}

/* ---- starting QEMU ---- */

/* All of fds' descriptors as a flat list. */
static size_t list_fds(struct vt_launch_fds *f, int **out)
{
    int *all[] = {&f->qmp_keeper,   &f->serial,       &f->qmp_public,   &f->qmp_tools[0],
                  &f->qmp_tools[1], &f->qmp_tools[2], &f->qmp_tools[3], &f->kernel,
                  &f->initrd,       &f->disk,         &f->iso,          &f->kvm,
                  &f->plugin[0],    &f->segment[0],   &f->plugin[1],    &f->segment[1],
                  &f->gpu};
    _Static_assert(VT_PLUGINS == 2, "each is named");
    memcpy(out, all, sizeof all);
    return sizeof all / sizeof all[0];
}

#define LAUNCH_FDS_MAX 20

static void close_launch_fds(struct vt_keeper *k)
{
    int *fds[LAUNCH_FDS_MAX];
    size_t n = list_fds(&k->fds, fds);
    for (size_t i = 0; i < n; i++) {
        vt_close(fds[i]);
    }
    vt_close(&k->preload_fd);
}

static void open_preload(struct vt_keeper *k)
{
    char path[PATH_MAX];
    if (vt_path_lib("vitrine-track.so", path, NULL) == 0) {
        k->preload_fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    k->info.tracking = k->preload_fd >= 0;
}

static int start_qemu(struct vt_keeper *k, struct vt_error *err)
{
    char program[PATH_MAX];
    char **argv;
    int rc = vt_qemu_find(k->job->config->arch, program, err);
    rc = rc != 0 ? rc : vt_keeper_prepare_plugins(k, program, err);
    rc = rc != 0 ? rc : vt_keeper_start_gpu(k, program, err);
    struct vt_launch launch = {.config = k->job->config,
                               .qemu = program,
                               .ram_path = k->info.ram_path,
                               .disk_format = k->disk_format,
                               .fds = k->fds};
    rc = rc != 0 ? rc : vt_launch_argv(&launch, &argv, err);
    if (rc != 0) {
        return rc;
    }
    open_preload(k);
    int *where[LAUNCH_FDS_MAX], fds[LAUNCH_FDS_MAX];
    size_t n = list_fds(&k->fds, where);
    for (size_t i = 0; i < n; i++) {
        fds[i] = *where[i];
    }
    fds[n++] = k->preload_fd;
    struct vt_spawn spawn = {.program = program,
                             .argv = argv,
                             .identity = &k->identity,
                             .fds = fds,
                             .n_fds = n,
                             .log_fd = k->log_fd,
                             .preload_fd = k->preload_fd,
                             .ram_path = k->info.ram_path};
    rc = vt_spawn(&spawn, &k->qemu_pid, err);
    vt_argv_free(argv);
    close_launch_fds(k);
    if (rc != 0) {
        return rc;
    }
    k->qemu_pidfd = pidfd_open(k->qemu_pid, 0);
    k->info.qemu_pid = k->qemu_pid;
    k->info.qemu_uid = k->identity.uid;
    return k->qemu_pidfd >= 0 ? 0 : vt_fail_errno(err, VT_E_IO, errno, "pidfd_open");
}

/* Moved before it has touched any RAM, so that all of it is accounted for. A mark in the directory
 * lets the next one remove the group when this keeper is killed. */
static int limit_qemu(struct vt_keeper *k, struct vt_error *err)
{
    const struct vt_vm_config *c = k->job->config;
    const struct vt_limits limits = {c->cpu_quota_percent, c->memory_limit_bytes};
    char root[PATH_MAX], mark[PATH_MAX], name[VT_VM_NAME_MAX + 16];
    if (limits.cpu_percent == 0 && limits.memory_bytes == 0) {
        return 0;
    }
    snprintf(name, sizeof name, "%s.%d", k->info.name, (int)getpid());
    int rc = vt_cgroup_find("/proc/self/mounts", root, err);
    rc = rc != 0 ? rc : vt_cgroup_create(root, name, &limits, k->qemu_pid, k->cgroup, err);
    if (rc != 0) {
        k->cgroup[0] = '\0';
        return rc;
    }
    rc = in_dir(k, "cgroup", mark, err);
    return rc != 0 ? rc : vt_write_file_atomic(mark, k->cgroup, strlen(k->cgroup), 0600, err);
}

/* QEMU's own words: its first line that is no warning, without its program's name. */
static int qemu_refused(struct vt_keeper *k, struct vt_error *err)
{
    char text[4096];
    ssize_t n = pread(k->log_fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    const char *words = "it gave no reason";
    for (char *rest = text, *line; (line = strsep(&rest, "\n")) != NULL;) {
        char *name = strstr(line, "qemu-system-");
        char *after_name = name != NULL ? strstr(name, ": ") : NULL;
        line = after_name != NULL ? after_name + 2 : line;
        if (line[0] != '\0' && strstr(line, "warning: ") == NULL) {
            words = line;
            break;
        }
    }
    char shown[240];
    vt_text_printable(shown, sizeof shown, words, strlen(words));
    return vt_fail(err, VT_E_REFUSED, "%s: QEMU ended at once: %s", k->info.name, shown);
}

static int greet_qemu(struct vt_keeper *k, struct vt_error *err)
{
    char what[64];
    snprintf(what, sizeof what, "%s: QEMU", k->job->config->name);
    uint64_t deadline = vt_deadline_ms(k->job->timeout_ms);
    int fd = k->qmp_fd;
    k->qmp_fd = -1;
    int rc = vt_qmp_adopt(fd, what, deadline, &k->cancel, &k->qmp, err);
    if (rc == 0) {
        vt_qmp_set_cancel(k->qmp, &k->cancel);
        rc = vt_inspect(k->qmp, deadline, &k->info, err);
    }
    return rc == VT_E_GONE ? qemu_refused(k, err) : rc;
}

static int load_state(struct vt_keeper *k, struct vt_error *err)
{
    if (k->job->incoming_fd < 0) {
        return 0;
    }
    int rc = vt_migrate_in(k->qmp, k->job->incoming_fd, vt_deadline_ms(k->job->timeout_ms), err);
    close(k->job->incoming_fd);
    return rc == VT_E_GONE ? qemu_refused(k, err) : rc;
}

int vt_keeper_start_qemu(struct vt_keeper *k, struct vt_error *err)
{
    const char *kernel = k->job->config->kernel;
    vt_vmdir_ram_path(k->info.name, k->info.ram_path, sizeof k->info.ram_path);
    snprintf(k->info.kernel, sizeof k->info.kernel, "%s", kernel != NULL ? kernel : "");
    int rc = make_identity_and_ram(k, err);
    rc = rc != 0 ? rc : open_kvm(k, err);
    rc = rc != 0 ? rc : open_images(k, err);
    rc = rc != 0 ? rc : open_logs(k, err);
    rc = rc != 0 ? rc : make_sockets(k, err);
    rc = rc != 0 ? rc : start_qemu(k, err);
    rc = rc != 0 ? rc : limit_qemu(k, err);
    rc = rc != 0 ? rc : greet_qemu(k, err);
    return rc != 0 ? rc : load_state(k, err);
}

static void on_qemu_end(struct vt_source *source, uint32_t events, void *arg)
{
    struct vt_keeper *k = arg;
    (void)source;
    (void)events;
    vt_loop_stop(k->loop, 0);
}

static void on_qmp(struct vt_source *source, uint32_t events, void *arg)
{
    struct vt_keeper *k = arg;
    (void)events;
    if (vt_qmp_dispatch(k->qmp, NULL) != 0) {
        vt_source_remove(source); /* QEMU's end follows */
        k->qmp_source = NULL;
    }
}

int vt_keeper_watch_qemu(struct vt_keeper *k, struct vt_error *err)
{
    char path[PATH_MAX];
    int fd = k->serial_fd;
    k->serial_fd = -1;
    int rc = in_dir(k, "console.log", path, err);
    if (rc != 0) {
        close(fd);
        return rc;
    }
    rc = vt_console_create(k->loop, fd, path, &k->console, err);
    rc = rc != 0 ? rc : vt_loop_add_fd(k->loop, k->qemu_pidfd, EPOLLIN, on_qemu_end, k, NULL, err);
    return rc != 0 ? rc
                   : vt_loop_add_fd(k->loop, vt_qmp_fd(k->qmp), EPOLLIN, on_qmp, k, &k->qmp_source,
                                    err);
}

int vt_keeper_start_guest(struct vt_keeper *k, struct vt_error *err)
{
    if (k->job->config->paused) {
        return 0;
    }
    return vt_qmp_execute(k->qmp, "cont", NULL, vt_deadline_ms(k->job->timeout_ms), NULL, err);
}

/* QEMU may be stuck: what does not quit in time is killed. */
void vt_keeper_end_qemu(struct vt_keeper *k)
{
    if (vt_qmp_execute(k->qmp, "quit", NULL, vt_deadline_ms(2000), NULL, NULL) != 0) {
        kill(k->qemu_pid, SIGKILL);
    }
}

/* The last line of QEMU's log, which goes with the directory. */
static const char *last_words(const struct vt_keeper *k, char *text, size_t size)
{
    struct stat st;
    off_t room = (off_t)size - 1;
    ssize_t n = fstat(k->log_fd, &st) == 0
                    ? pread(k->log_fd, text, size - 1, st.st_size > room ? st.st_size - room : 0)
                    : 0;
    while (n > 0 && text[n - 1] == '\n') {
        n--;
    }
    text[n > 0 ? n : 0] = '\0';
    const char *newline = strrchr(text, '\n');
    return newline != NULL ? newline + 1 : text;
}

void vt_keeper_note_end(struct vt_keeper *k, int status)
{
    char log[1024], how[64], why[sizeof log + sizeof how + 2];
    if (WIFSIGNALED(status)) {
        snprintf(how, sizeof how, "killed by signal %d", WTERMSIG(status));
    } else if (WEXITSTATUS(status) != 0) {
        snprintf(how, sizeof how, "exit status %d", WEXITSTATUS(status));
    } else {
        return;
    }
    const char *words = last_words(k, log, sizeof log);
    snprintf(why, sizeof why, "%s%s%s", how, words[0] != '\0' ? ": " : "", words);
    vt_ended_write(k->info.name, why, NULL);
}
