/* machine/keeper.c - see keeper.h.
 *
 * struct vt_keeper is filled in steps; `take_back` undoes whatever was done, in the reverse order,
 * and is the only way out: a failed start, the guest's power-off, QEMU's death, a signal and
 * `vitrine kill` all end there. What it cannot do, because the keeper itself was killed with
 * SIGKILL, the kernel (PR_SET_PDEATHSIG) and the next vitrine command (vt_vm_clean_stale) do.
 */
#include "machine/keeper.h"

#include "base/io.h"
#include "machine/cgroup.h"
#include "machine/ended.h"
#include "machine/keeper_parts.h"
#include "machine/last.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void on_console_client(void *arg, const char *args, int fd)
{
    struct vt_keeper *k = arg;
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
    struct vt_keeper *k = arg;
    (void)args;
    if (vt_loop_add_fd(k->loop, fd, EPOLLIN | EPOLLRDHUP, on_waiter, (void *)(intptr_t)fd, NULL,
                       NULL) != 0) {
        close(fd);
    }
}

static void on_kill_client(void *arg, const char *args, int fd)
{
    struct vt_keeper *k = arg;
    k->asked = true;
    kill(k->qemu_pid, SIGKILL); /* our child until it is waited for: the pid cannot be another's */
    on_wait_client(k, args, fd);
}

static void on_detach_client(void *arg, const char *args, int fd)
{
    struct vt_keeper *k = arg;
    on_wait_client(k, args, fd);
    vt_loop_stop(k->loop, 0);
}

static void on_service_client(void *arg, const char *args, int fd)
{
    struct vt_running_service *r = arg;
    (void)args;
    r->service->client(r->state, fd);
}

static void on_signal(struct vt_source *source, uint32_t events, void *arg)
{
    struct vt_keeper *k = arg;
    (void)source;
    (void)events;
    if (k->qemu_pid > 0) {
        k->asked = true;
        vt_keeper_end_qemu(k);
    } else {
        vt_loop_stop(k->loop, 0);
    }
}

static void add_entry(struct vt_keeper *k, const char *name,
                      void (*client)(void *arg, const char *args, int fd), void *arg)
{
    k->entries[k->n_entries++] = (struct vt_keeper_entry){name, client, arg};
}

static int serve(struct vt_keeper *k, struct vt_error *err)
{
    char path[PATH_MAX];
    int rc = 0;
    add_entry(k, "wait", on_wait_client, k);
    if (k->qemu_pid > 0) {
        add_entry(k, "kill", on_kill_client, k);
        add_entry(k, "console", on_console_client, k);
    } else {
        add_entry(k, "detach", on_detach_client, k);
    }
    for (size_t i = 0; rc == 0 && k->services != NULL && k->services[i] != NULL; i++) {
        if (i == VT_KEEPER_SERVICES_MAX) {
            return vt_fail(err, VT_E_LIMIT, "more than %d services", VT_KEEPER_SERVICES_MAX);
        }
        struct vt_running_service *r = &k->running[k->n_running];
        r->service = k->services[i];
        if (r->service->start == NULL) {
            continue;
        }
        rc = r->service->start(&k->info, k->loop, &r->state, err);
        k->n_running += rc == 0;
        add_entry(k, r->service->name, on_service_client, r);
    }
    rc = rc != 0 ? rc : vt_vmdir_file(k->dir.path, "keeper.sock", path, err);
    return rc != 0
               ? rc
               : vt_keeper_socket_create(k->loop, path, k->entries, k->n_entries, &k->sock, err);
}

static int watch(struct vt_keeper *k, struct vt_error *err)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
    int rc = vt_loop_create(&k->loop, err);
    for (size_t i = 0; rc == 0 && i < sizeof signals / sizeof signals[0]; i++) {
        rc = vt_loop_add_signal(k->loop, signals[i], on_signal, k, NULL, err);
    }
    return rc;
}

static int write_records(struct vt_keeper *k, struct vt_error *err)
{
    struct timespec now;
    char path[PATH_MAX], text[32];
    clock_gettime(CLOCK_REALTIME, &now);
    k->info.started_unix_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    snprintf(text, sizeof text, "%d\n", (int)k->info.qemu_pid);
    int rc = vt_vmdir_file(k->dir.path, "qemu.pid", path, err);
    rc = rc != 0 ? rc : vt_write_file_atomic(path, text, strlen(text), 0600, err);
    if (rc != 0) {
        return rc;
    }
    json_t *config = k->job->config != NULL ? vt_vm_config_to_json(k->job->config, &k->info) : NULL;
    rc = vt_vmdir_write(k->dir.path, &k->info, config, err);
    if (rc == 0 && config != NULL) {
        vt_last_write(k->info.name, config, NULL); /* without it, it starts all the same */
    }
    json_decref(config);
    return rc;
}

static int make_vm(struct vt_keeper *k, struct vt_error *err)
{
    const bool ours = k->job->config != NULL;
    snprintf(k->info.name, sizeof k->info.name, "%s", k->job->name);
    k->info.keeper_pid = getpid();
    int rc = watch(k, err);
    rc = rc != 0 ? rc : vt_vmdir_create(k->job->name, &k->dir, err);
    if (rc == 0 && strlen(k->dir.path) >= sizeof k->info.dir) {
        rc = vt_fail(err, VT_E_INVAL, "%s: path too long", k->dir.path);
    }
    if (rc != 0) {
        return rc;
    }
    strcpy(k->info.dir, k->dir.path);
    rc = ours ? vt_keeper_start_qemu(k, err) : vt_keeper_find_qemu(k, err);
    rc = rc != 0 ? rc : ours ? vt_keeper_watch_qemu(k, err) : vt_keeper_watch_found(k, err);
    rc = rc != 0 ? rc : serve(k, err);
    rc = rc != 0 || !ours ? rc : vt_keeper_start_guest(k, err);
    return rc != 0 ? rc : write_records(k, err);
}

/* `ran`: the VM was there for others, who may want to know why it is gone. */
static void take_back(struct vt_keeper *k, bool ran)
{
    int status = 0;
    for (size_t i = k->n_running; i > 0; i--) {
        k->running[i - 1].service->stop(k->running[i - 1].state);
    }
    if (k->qemu_pid > 0) {
        kill(k->qemu_pid, SIGKILL);
        while (waitpid(k->qemu_pid, &status, 0) < 0 && errno == EINTR) {
        }
        if (ran && !k->asked) {
            vt_keeper_note_end(k, status);
        }
    }
    vt_keeper_end_gpu(k);
    if (k->cgroup[0] != '\0') {
        vt_cgroup_remove(k->cgroup);
    }
    if (k->ram_made) {
        unlink(k->info.ram_path);
    }
    vt_keeper_remove_segments(k);
    vt_vmdir_remove(&k->dir);
}

/* Everything but stdio, the handshake and a stream to restore from is the starter's business. They
 * may have low numbers when the starter had closed its stdio: stdio is made after moving them. */
static void let_go(int *handshake, int *incoming)
{
    int a = fcntl(*handshake, F_DUPFD_CLOEXEC, 3);
    int b = *incoming >= 0 ? fcntl(*incoming, F_DUPFD_CLOEXEC, 3) : -1;
    int low = b >= 0 && b < a ? b : a, high = b > a ? b : a;
    close_range(3, (unsigned)low - 1, 0);
    if (high > low + 1) {
        close_range((unsigned)low + 1, (unsigned)high - 1, 0);
    }
    close_range((unsigned)high + 1, ~0u, 0);
    *handshake = a;
    *incoming = b;
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

/* Where this process's arguments lie: fields 48 and 49 of proc_pid_stat(5). */
static size_t arguments_bytes(const char *start)
{
    char *text;
    unsigned long from = 0, to = 0;
    if (vt_read_file("/proc/self/stat", 4096, &text, NULL, NULL) != 0) {
        return 0;
    }
    char *rest = strrchr(text, ')');
    for (int field = 2; rest != NULL && field <= 49; field++) {
        char *word = strsep(&rest, " ");
        from = field == 48 ? strtoul(word, NULL, 10) : from;
        to = field == 49 ? strtoul(word, NULL, 10) : to;
    }
    free(text);
    return from == (uintptr_t)start && to > from ? to - from : 0;
}

/* What ps shows: the starter's arguments are overwritten with what this process is. Their strings
 * are not used any more; argv[0] is where they begin. */
static void show_title(const char *name)
{
    char title[64];
    char *start = program_invocation_name;
    size_t room = arguments_bytes(start);
    int n = snprintf(title, sizeof title, "vitrine: keeper %s", name);
    if ((size_t)n >= room) {
        n = snprintf(title, sizeof title, "keeper %s", name);
    }
    if ((size_t)n < room) {
        memset(start, 0, room);
        memcpy(start, title, (size_t)n);
    }
    prctl(PR_SET_NAME, "vitrine-keeper");
}

/* Whether the starter wants it: it may be gone. */
static bool hand_over(int handshake, const struct vt_error *result)
{
    char commit;
    return send(handshake, result, sizeof *result, MSG_NOSIGNAL) == (ssize_t)sizeof *result &&
           result->code == VT_OK && read(handshake, &commit, 1) == 1;
}

void vt_keeper_main(const struct vt_keeper_job *job,
                    const struct vt_keeper_service *const *services, int handshake)
{
    struct vt_keeper_job own_job = *job;
    let_go(&handshake, &own_job.incoming_fd);
    struct vt_keeper k = {.job = &own_job,
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
        if (k.qmp != NULL) {
            vt_qmp_set_cancel(k.qmp, NULL);
        }
        if (chdir("/") != 0) {
            /* Then its directory stays busy, and nothing else happens. */
        }
        vt_ended_forget(k.info.name);
        show_title(k.info.name);
        vt_loop_run(k.loop, NULL);
        take_back(&k, true);
    } else {
        take_back(&k, false);
        hand_over(handshake, &result); /* after: who is told of a failure finds nothing left */
    }
    _exit(result.code == VT_OK ? 0 : 1);
}
