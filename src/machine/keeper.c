/* machine/keeper.c - see keeper.h.
 *
 * struct keeper is filled in steps; `take_back` undoes whatever was done, in the reverse order, and
 * is the only way out: a failed start, the guest's power-off, QEMU's death, a signal and `vitrine
 * kill` all end there. What it cannot do, because the keeper itself was killed with SIGKILL, the
 * kernel (PR_SET_PDEATHSIG) and the next vitrine command (vt_vm_clean_stale) do.
 */
#include "machine/keeper.h"

#include "base/io.h"
#include "base/loop.h"
#include "base/paths.h"
#include "machine/console_server.h"
#include "machine/inspect.h"
#include "machine/keeper_socket.h"
#include "machine/launch.h"
#include "machine/migrate.h"
#include "machine/process.h"
#include "machine/qmp.h"
#include "machine/vmdir.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SERVICES_MAX 8
#define BUILTINS 3

struct keeper;

/* A room's service with its state, or one that was not started. */
struct running_service {
    const struct vt_keeper_service *service;
    void *state;
};

struct keeper {
    const struct vt_vm_config *config;
    const struct vt_keeper_service *const *services;
    struct vt_qmp_cancel cancel; /* the starter going away */
    struct vt_vmdir dir;
    struct vt_vm_info info;
    struct vt_identity identity;
    bool ram_made;
    int ram_fd, log_fd, preload_fd;
    struct vt_launch_fds fds; /* QEMU's ends, until it is started */
    int qmp_fd, serial_fd;    /* our ends */
    char disk_format[8];
    pid_t qemu_pid;
    int qemu_pidfd;
    struct vt_qmp *qmp;
    struct vt_loop *loop;
    struct vt_source *qmp_source;
    struct vt_console *console;
    struct running_service running[SERVICES_MAX];
    size_t n_running;
    struct vt_keeper_entry entries[BUILTINS + SERVICES_MAX];
    struct vt_keeper_socket *sock;
};

static int in_dir(const struct keeper *k, const char *file, char path[PATH_MAX],
                  struct vt_error *err)
{
    return vt_vmdir_file(k->dir.path, file, path, err);
}

/* ---- making it ---- */

static int check_free_space(const struct keeper *k, struct vt_error *err)
{
    struct statvfs fs;
    if (statvfs("/dev/shm", &fs) != 0) {
        return vt_fail_errno(err, vt_code_of_errno(errno), errno, "/dev/shm");
    }
    uint64_t free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (free_bytes < k->config->memory_bytes) {
        return vt_fail(err, VT_E_LIMIT,
                       "%s: %llu MiB of RAM do not fit: /dev/shm has %llu MiB free",
                       k->config->name, (unsigned long long)(k->config->memory_bytes >> 20),
                       (unsigned long long)(free_bytes >> 20));
    }
    return 0;
}

/* Sparse: pages come as the guest touches them. The lock on it says that its keeper lives. */
static int make_ram(struct keeper *k, struct vt_error *err)
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
        ftruncate(k->ram_fd, (off_t)k->config->memory_bytes) != 0 ||
        (k->identity.change && fchown(k->ram_fd, k->identity.uid, k->identity.gid) != 0)) {
        return vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", path);
    }
    return vt_write_file_atomic(mark, path, strlen(path), 0600, err);
}

/* The uid is taken once a file in /dev/shm belongs to it: both in one go, under the lock. */
static int make_identity_and_ram(struct keeper *k, struct vt_error *err)
{
    int registry;
    int rc = vt_registry_lock(&registry, err);
    if (rc != 0) {
        return rc;
    }
    rc = vt_identity_pick(k->config->name, k->config->user, strcmp(k->config->accel, "kvm") == 0,
                          &k->identity, err);
    rc = rc != 0 ? rc : make_ram(k, err);
    close(registry);
    return rc;
}

/* Only formats that cannot be mistaken: a raw disk's first bytes are the guest's to choose, so
 * whatever is not plainly qcow2 is raw, never something that could name other files. */
static int open_disk(struct keeper *k, struct vt_error *err)
{
    const char *path = k->config->disk;
    char magic[4] = "";
    k->fds.disk = open(path, O_RDWR | O_CLOEXEC);
    if (k->fds.disk < 0) {
        return vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", path);
    }
    bool qcow2 = pread(k->fds.disk, magic, 4, 0) == 4 && memcmp(magic, "QFI\xfb", 4) == 0;
    strcpy(k->disk_format, qcow2 ? "qcow2" : "raw");
    return 0;
}

static int open_images(struct keeper *k, struct vt_error *err)
{
    const struct vt_vm_config *c = k->config;
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

static int make_sockets(struct keeper *k, struct vt_error *err)
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

static int open_logs(struct keeper *k, struct vt_error *err)
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
                  &f->initrd,       &f->disk,         &f->iso};
    memcpy(out, all, sizeof all);
    return sizeof all / sizeof all[0];
}

#define LAUNCH_FDS_MAX 16

static void close_launch_fds(struct keeper *k)
{
    int *fds[LAUNCH_FDS_MAX];
    size_t n = list_fds(&k->fds, fds);
    for (size_t i = 0; i < n; i++) {
        vt_close(fds[i]);
    }
    vt_close(&k->preload_fd);
}

static void open_preload(struct keeper *k)
{
    char path[PATH_MAX];
    if (vt_path_lib("vitrine-track.so", path, NULL) == 0) {
        k->preload_fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    k->info.tracking = k->preload_fd >= 0;
}

static int start_qemu(struct keeper *k, struct vt_error *err)
{
    char program[PATH_MAX];
    char **argv;
    int rc = vt_qemu_find(program, err);
    struct vt_launch launch = {.config = k->config,
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

/* QEMU's own words: the last line it wrote, without its program's name. */
static int qemu_refused(struct keeper *k, struct vt_error *err)
{
    char text[2048];
    off_t size = lseek(k->log_fd, 0, SEEK_END);
    off_t from = size > (off_t)sizeof text - 1 ? size - ((off_t)sizeof text - 1) : 0;
    ssize_t n = pread(k->log_fd, text, sizeof text - 1, from);
    text[n > 0 ? n : 0] = '\0';
    char *end = text + strlen(text);
    while (end > text && end[-1] == '\n') {
        *--end = '\0';
    }
    char *line = strrchr(text, '\n');
    line = line != NULL ? line + 1 : text;
    char *after_name = strstr(line, "qemu-system-x86_64: ");
    line = after_name != NULL ? after_name + strlen("qemu-system-x86_64: ") : line;
    return vt_fail(err, VT_E_REFUSED, "%s: QEMU ended at once: %s", k->config->name,
                   line[0] != '\0' ? line : "it gave no reason");
}

static int greet_qemu(struct keeper *k, struct vt_error *err)
{
    char what[64];
    snprintf(what, sizeof what, "%s: QEMU", k->config->name);
    uint64_t deadline = vt_deadline_ms(k->config->timeout_ms);
    int fd = k->qmp_fd;
    k->qmp_fd = -1;
    int rc = vt_qmp_adopt(fd, what, deadline, &k->cancel, &k->qmp, err);
    if (rc == 0) {
        vt_qmp_set_cancel(k->qmp, &k->cancel);
        rc = vt_inspect(k->qmp, deadline, &k->info, err);
    }
    return rc == VT_E_GONE ? qemu_refused(k, err) : rc;
}

static int write_records(struct keeper *k, struct vt_error *err)
{
    struct timespec now;
    char path[PATH_MAX], text[32];
    clock_gettime(CLOCK_REALTIME, &now);
    k->info.started_unix_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    snprintf(text, sizeof text, "%d\n", (int)k->qemu_pid);
    int rc = in_dir(k, "qemu.pid", path, err);
    rc = rc != 0 ? rc : vt_write_file_atomic(path, text, strlen(text), 0600, err);
    if (rc != 0) {
        return rc;
    }
    json_t *config = vt_vm_config_to_json(k->config, &k->info);
    rc = vt_vmdir_write(k->dir.path, &k->info, config, err);
    json_decref(config);
    return rc;
}

/* ---- serving ---- */

static void on_console_client(void *arg, const char *args, int fd)
{
    struct keeper *k = arg;
    vt_console_add_client(k->console, fd, strcmp(args, "noreplay") != 0);
}

/* A waiter's socket closes when the keeper exits, which is after everything is removed. Its own
 * hanging up is noticed here. */
static void on_waiter(struct vt_source *source, uint32_t events, void *arg)
{
    int fd = (int)(intptr_t)arg;
    char byte;
    (void)events;
    if (recv(fd, &byte, 1, MSG_DONTWAIT) == 0) {
        vt_source_remove(source);
        close(fd);
    }
}

static void on_wait_client(void *arg, const char *args, int fd)
{
    struct keeper *k = arg;
    (void)args;
    if (vt_loop_add_fd(k->loop, fd, EPOLLIN | EPOLLRDHUP, on_waiter, (void *)(intptr_t)fd, NULL,
                       NULL) != 0) {
        close(fd);
    }
}

static void on_kill_client(void *arg, const char *args, int fd)
{
    struct keeper *k = arg;
    kill(k->qemu_pid, SIGKILL); /* our child until it is waited for: the pid cannot be another's */
    on_wait_client(k, args, fd);
}

static void on_service_client(void *arg, const char *args, int fd)
{
    struct running_service *r = arg;
    (void)args;
    r->service->client(r->state, fd);
}

static void on_qemu_end(struct vt_source *source, uint32_t events, void *arg)
{
    struct keeper *k = arg;
    (void)source;
    (void)events;
    vt_loop_stop(k->loop, 0);
}

/* QEMU may be stuck: what does not quit in time is killed. */
static void on_signal(struct vt_source *source, uint32_t events, void *arg)
{
    struct keeper *k = arg;
    (void)source;
    (void)events;
    if (k->qmp == NULL ||
        vt_qmp_execute(k->qmp, "quit", NULL, vt_deadline_ms(2000), NULL, NULL) != 0) {
        kill(k->qemu_pid, SIGKILL);
    }
}

static void on_qmp(struct vt_source *source, uint32_t events, void *arg)
{
    struct keeper *k = arg;
    (void)events;
    if (vt_qmp_dispatch(k->qmp, NULL) != 0) {
        vt_source_remove(source); /* QEMU's end follows */
        k->qmp_source = NULL;
    }
}

static int start_services(struct keeper *k, struct vt_error *err)
{
    const struct vt_keeper_entry builtins[BUILTINS] = {
        {"console", on_console_client, k},
        {"wait", on_wait_client, k},
        {"kill", on_kill_client, k},
    };
    char path[PATH_MAX];
    size_t n = BUILTINS;
    memcpy(k->entries, builtins, sizeof builtins);
    int rc = in_dir(k, "console.log", path, err);
    if (rc == 0) {
        int fd = k->serial_fd;
        k->serial_fd = -1;
        rc = vt_console_create(k->loop, fd, path, &k->console, err);
    }
    for (size_t i = 0; rc == 0 && k->services != NULL && k->services[i] != NULL; i++) {
        if (i == SERVICES_MAX) {
            return vt_fail(err, VT_E_LIMIT, "more than %d services", SERVICES_MAX);
        }
        struct running_service *r = &k->running[i];
        r->service = k->services[i];
        rc = r->service->start(&k->info, k->loop, &r->state, err);
        k->n_running += rc == 0;
        k->entries[n++] = (struct vt_keeper_entry){r->service->name, on_service_client, r};
    }
    rc = rc != 0 ? rc : in_dir(k, "keeper.sock", path, err);
    return rc != 0 ? rc : vt_keeper_socket_create(k->loop, path, k->entries, n, &k->sock, err);
}

static int watch(struct keeper *k, struct vt_error *err)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
    int rc = vt_loop_create(&k->loop, err);
    for (size_t i = 0; rc == 0 && i < sizeof signals / sizeof signals[0]; i++) {
        rc = vt_loop_add_signal(k->loop, signals[i], on_signal, k, NULL, err);
    }
    return rc;
}

static int watch_qemu(struct keeper *k, struct vt_error *err)
{
    int rc = vt_loop_add_fd(k->loop, k->qemu_pidfd, EPOLLIN, on_qemu_end, k, NULL, err);
    return rc != 0 ? rc
                   : vt_loop_add_fd(k->loop, vt_qmp_fd(k->qmp), EPOLLIN, on_qmp, k, &k->qmp_source,
                                    err);
}

static int load_state(struct keeper *k, struct vt_error *err)
{
    if (k->config->incoming_fd < 0) {
        return 0;
    }
    int rc =
        vt_migrate_in(k->qmp, k->config->incoming_fd, vt_deadline_ms(k->config->timeout_ms), err);
    close(k->config->incoming_fd);
    return rc == VT_E_GONE ? qemu_refused(k, err) : rc;
}

static int start_guest(struct keeper *k, struct vt_error *err)
{
    if (k->config->paused) {
        return 0;
    }
    return vt_qmp_execute(k->qmp, "cont", NULL, vt_deadline_ms(k->config->timeout_ms), NULL, err);
}

/* ---- the whole ---- */

static int make_vm(struct keeper *k, struct vt_error *err)
{
    vt_vmdir_ram_path(k->config->name, k->info.ram_path, sizeof k->info.ram_path);
    snprintf(k->info.name, sizeof k->info.name, "%s", k->config->name);
    snprintf(k->info.kernel, sizeof k->info.kernel, "%s",
             k->config->kernel != NULL ? k->config->kernel : "");
    k->info.keeper_pid = getpid();
    int rc = watch(k, err);
    rc = rc != 0 ? rc : vt_vmdir_create(k->config->name, &k->dir, err);
    if (rc == 0 && strlen(k->dir.path) >= sizeof k->info.dir) {
        rc = vt_fail(err, VT_E_INVAL, "%s: path too long", k->dir.path);
    }
    if (rc != 0) {
        return rc;
    }
    strcpy(k->info.dir, k->dir.path);
    rc = make_identity_and_ram(k, err);
    rc = rc != 0 ? rc : open_images(k, err);
    rc = rc != 0 ? rc : open_logs(k, err);
    rc = rc != 0 ? rc : make_sockets(k, err);
    rc = rc != 0 ? rc : start_qemu(k, err);
    rc = rc != 0 ? rc : greet_qemu(k, err);
    rc = rc != 0 ? rc : load_state(k, err);
    rc = rc != 0 ? rc : watch_qemu(k, err);
    rc = rc != 0 ? rc : start_services(k, err);
    rc = rc != 0 ? rc : start_guest(k, err);
    return rc != 0 ? rc : write_records(k, err);
}

static void take_back(struct keeper *k)
{
    for (size_t i = k->n_running; i > 0; i--) {
        k->running[i - 1].service->stop(k->running[i - 1].state);
    }
    if (k->qemu_pid > 0) {
        kill(k->qemu_pid, SIGKILL);
        while (waitpid(k->qemu_pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    if (k->ram_made) {
        unlink(k->info.ram_path);
    }
    vt_vmdir_remove(&k->dir);
}

/* Everything but stdio, the handshake and a stream to restore from is the starter's business. */
static void let_go(const struct vt_vm_config *config, int handshake)
{
    int a = handshake, b = config->incoming_fd;
    int low = b >= 0 && b < a ? b : a, high = b > a ? b : a;
    close_range(3, (unsigned)low - 1, 0);
    if (high > low + 1) {
        close_range((unsigned)low + 1, (unsigned)high - 1, 0);
    }
    close_range((unsigned)high + 1, ~0u, 0);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) {
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        close(null);
    }
    signal(SIGPIPE, SIG_IGN);
    umask(077);
}

/* Whether the starter wants it: it may be gone. */
static bool hand_over(int handshake, const struct vt_error *result)
{
    char commit;
    return send(handshake, result, sizeof *result, MSG_NOSIGNAL) == (ssize_t)sizeof *result &&
           result->code == VT_OK && read(handshake, &commit, 1) == 1;
}

void vt_keeper_main(const struct vt_vm_config *config,
                    const struct vt_keeper_service *const *services, int handshake)
{
    let_go(config, handshake);
    struct keeper k = {.config = config,
                       .services = services,
                       .cancel = {.fd = handshake},
                       .dir = {.lock_fd = -1},
                       .ram_fd = -1,
                       .log_fd = -1,
                       .preload_fd = -1,
                       .fds = VT_LAUNCH_FDS_NONE,
                       .qmp_fd = -1,
                       .serial_fd = -1,
                       .qemu_pidfd = -1};
    struct vt_error result = {.code = VT_OK};
    struct vt_error err;
    if (make_vm(&k, &err) != 0) {
        result = err;
    }
    if (result.code == VT_OK && hand_over(handshake, &result)) {
        close(handshake);
        vt_qmp_set_cancel(k.qmp, NULL);
        if (chdir("/") != 0) {
            /* Then its directory stays busy, and nothing else happens. */
        }
        vt_loop_run(k.loop, NULL);
        take_back(&k);
    } else {
        take_back(&k);
        hand_over(handshake, &result); /* after: who is told of a failure finds nothing left */
    }
    _exit(result.code == VT_OK ? 0 : 1);
}
