/* memory/track_service.c - the page tracker: the one who scans a VM's RAM for changes.
 *
 * Runs in the VM's keeper on a thread of its own, so that a scan never delays the console, and does
 * nothing until the first reader comes. A scan serves everyone who asked before it began.
 * The keeper's loop hands over each reader's socket through a pipe (-1: stop); all else belongs to
 * the thread. When scanning fails (QEMU is gone, its mapping changed) or ticks run out, all readers
 * are dropped and the next one starts anew.
 */
#include "base/io.h"
#include "memory/scanner.h"
#include "memory/track_table.h"
#include "memory/track_wire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READERS_MAX 64

struct reader {
    int fd;
    struct vt_track_requests wants;
};

struct tracker {
    pthread_t thread;
    int pipe[2];
    pid_t qemu_pid;
    char ram_path[VT_VM_PATH_MAX];
    char why[VT_ERROR_MESSAGE_MAX];

    struct vt_scanner *scanner; /* NULL: not begun, or there is nothing to scan */
    struct vt_table table;
    bool scanning;
    uint32_t tick; /* of the scan that runs, else of the last one */
    uint64_t began_ns, worked_ns, dirty_pages;

    size_t n_readers;
    struct reader readers[READERS_MAX];
};

/* ---------------------------------------------------------------- readers */

static void drop_reader(struct tracker *t, size_t i)
{
    vt_close(&t->readers[i].fd);
    t->readers[i] = t->readers[--t->n_readers];
}

static void give_up(struct tracker *t)
{
    while (t->n_readers > 0) {
        drop_reader(t, 0);
    }
    vt_scanner_destroy(t->scanner);
    vt_table_close(&t->table);
    t->scanner = NULL;
    t->table = (struct vt_table){.fd = -1};
    t->scanning = false;
    t->tick = 0;
}

/* A reader waits for each scan, and on a busy host the wait for a core is longer than the scan.
 * Where we may, go first; but not with minutes of hashing. */
static void set_priority(const struct vt_scanner *scanner)
{
    bool quick = vt_scanner_mode(scanner) == VT_TRACK_PAGEMAP;
    struct sched_param param = {.sched_priority = quick ? 1 : 0};
    pthread_setschedparam(pthread_self(), quick ? SCHED_FIFO : SCHED_OTHER, &param);
}

/* Leaves `scanner` NULL and says why when there is no way to track. */
static void begin(struct tracker *t)
{
    if (t->ram_path[0] == '\0') {
        return;
    }
    struct vt_error err = {0};
    struct vt_scanner *scanner;
    char why[sizeof t->why];
    int rc = vt_scanner_create(t->qemu_pid, t->ram_path, &scanner, why, sizeof why, &err);
    if (rc == 0) {
        rc = vt_table_create(&t->table, vt_scanner_ram_bytes(scanner), &err);
        if (rc != 0) {
            vt_scanner_destroy(scanner);
        }
    }
    if (rc == 0) {
        t->scanner = scanner;
        set_priority(scanner);
    }
    snprintf(t->why, sizeof t->why, "%s", rc == 0 ? why : err.message);
}

static void add_reader(struct tracker *t, int fd)
{
    if (t->scanner == NULL) {
        begin(t);
    }
    struct vt_track_hello hello = {
        .magic = VT_TRACK_MAGIC,
        .version = VT_TRACK_WIRE_VERSION,
        .mode = t->scanner != NULL ? vt_scanner_mode(t->scanner) : VT_TRACK_NONE,
        .ram_bytes = t->scanner != NULL ? vt_scanner_ram_bytes(t->scanner) : 0,
    };
    memcpy(hello.why, t->why, sizeof hello.why);
    if (t->n_readers == READERS_MAX ||
        vt_send_fds(fd, &hello, sizeof hello, &t->table.fd, t->scanner != NULL, NULL) != 0 ||
        t->scanner == NULL) {
        close(fd);
        return;
    }
    t->readers[t->n_readers++] = (struct reader){.fd = fd};
}

/* False: drop it. */
static bool hear(struct reader *r)
{
    uint8_t bytes[256];
    ssize_t n = recv(r->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    return n > 0 && vt_track_requests_feed(&r->wants, bytes, (size_t)n, NULL) == 0;
}

/* ---------------------------------------------------------------- scans */

/* When the next scan is due, by wishes and subscriptions; UINT64_MAX: never. */
static uint64_t due_ns(const struct tracker *t)
{
    uint32_t hz = 0;
    for (size_t i = 0; i < t->n_readers; i++) {
        if (t->readers[i].wants.scan) {
            return 0;
        }
        hz = t->readers[i].wants.hz > hz ? t->readers[i].wants.hz : hz;
    }
    return hz > 0 ? t->began_ns + 1000000000u / hz : UINT64_MAX;
}

static void begin_scan(struct tracker *t, uint64_t now_ns)
{
    if (t->tick == UINT32_MAX) {
        give_up(t);
        return;
    }
    t->tick++;
    t->scanning = true;
    t->began_ns = now_ns;
    t->worked_ns = t->dirty_pages = 0;
    vt_table_start(&t->table, t->tick);
    for (size_t i = 0; i < t->n_readers; i++) {
        struct vt_track_requests *w = &t->readers[i].wants;
        w->busy = w->scan;
        w->scan = false;
    }
}

static void end_scan(struct tracker *t, uint64_t now_ns)
{
    vt_table_publish(&t->table, t->tick, t->dirty_pages, t->worked_ns, now_ns);
    t->scanning = false;
    struct vt_track_word answer = {.op = VT_TRACK_SCAN, .value = t->tick};
    for (size_t i = t->n_readers; i-- > 0;) {
        struct reader *r = &t->readers[i];
        if (!r->wants.busy) {
            continue;
        }
        r->wants.busy = false;
        if (send(r->fd, &answer, sizeof answer, MSG_DONTWAIT | MSG_NOSIGNAL) != sizeof answer) {
            drop_reader(t, i);
        }
    }
}

static void step_scan(struct tracker *t)
{
    uint64_t before = vt_now_ns();
    int rc = vt_scanner_step(t->scanner, &t->table, t->tick, &t->dirty_pages, NULL);
    uint64_t after = vt_now_ns();
    t->worked_ns += after - before;
    if (rc < 0) {
        give_up(t);
    } else if (rc > 0) {
        end_scan(t, after);
    }
}

/* ---------------------------------------------------------------- the thread */

/* Sleeps until something is to be done; false: stop. */
static bool wait_and_hear(struct tracker *t)
{
    struct pollfd fds[1 + READERS_MAX];
    size_t n = t->n_readers;
    fds[0] = (struct pollfd){.fd = t->pipe[0], .events = POLLIN};
    for (size_t i = 0; i < n; i++) {
        fds[i + 1] = (struct pollfd){.fd = t->readers[i].fd, .events = POLLIN};
    }
    uint64_t now = vt_now_ns();
    uint64_t due = t->scanning ? now : due_ns(t);
    uint64_t wait = due > now ? due - now : 0;
    struct timespec timeout = {.tv_sec = (time_t)(wait / 1000000000),
                               .tv_nsec = (long)(wait % 1000000000)};
    if (ppoll(fds, n + 1, due != UINT64_MAX ? &timeout : NULL, NULL) <= 0) {
        return true;
    }
    for (size_t i = n; i-- > 0;) {
        if (fds[i + 1].revents != 0 && !hear(&t->readers[i])) {
            drop_reader(t, i);
        }
    }
    int fd;
    if ((fds[0].revents & POLLIN) != 0 && read(t->pipe[0], &fd, sizeof fd) == sizeof fd) {
        if (fd < 0) {
            return false;
        }
        add_reader(t, fd);
    }
    return true;
}

static void *run(void *arg)
{
    struct tracker *t = arg;
    pthread_setname_np(pthread_self(), "vitrine-track");
    while (wait_and_hear(t)) {
        uint64_t now = vt_now_ns();
        if (!t->scanning && due_ns(t) <= now) {
            begin_scan(t, now);
        }
        if (t->scanning) {
            step_scan(t);
        }
    }
    give_up(t);
    return NULL;
}

/* ---------------------------------------------------------------- the keeper's side */

static int start(const struct vt_vm_info *info, struct vt_loop *loop, void **state,
                 struct vt_error *err)
{
    (void)loop;
    struct tracker *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for the tracker");
    }
    t->qemu_pid = info->qemu_pid;
    t->table.fd = -1;
    memcpy(t->ram_path, info->ram_path, sizeof t->ram_path);
    if (info->ram_path[0] == '\0') {
        snprintf(t->why, sizeof t->why, "%s", info->ram_why);
    }
    if (pipe2(t->pipe, O_CLOEXEC) != 0) {
        int rc = vt_fail_errno(err, VT_E_IO, errno, "no pipe for the tracker");
        free(t);
        return rc;
    }
    /* Signals are the keeper's. */
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&t->thread, NULL, run, t);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0) {
        close(t->pipe[0]);
        close(t->pipe[1]);
        free(t);
        return vt_fail_errno(err, VT_E_IO, error, "no thread for the tracker");
    }
    *state = t;
    return 0;
}

/* A pipe takes 4 bytes whole or not at all. */
static bool tell(struct tracker *t, int fd)
{
    return write(t->pipe[1], &fd, sizeof fd) == sizeof fd;
}

static void client(void *state, int fd)
{
    if (!tell(state, fd)) {
        close(fd);
    }
}

static void stop(void *state)
{
    struct tracker *t = state;
    tell(t, -1);
    pthread_join(t->thread, NULL);
    close(t->pipe[0]);
    close(t->pipe[1]);
    free(t);
}

const struct vt_keeper_service vt_track_service = {
    .name = "track", .start = start, .client = client, .stop = stop};
