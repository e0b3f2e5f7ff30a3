/* gpu/vtest_worker.c - see vtest_worker.h.
 *
 * A process and its parent share a report in memory and a socket of packets: the parent writes a
 * byte to have the report renewed, the child answers with one; ENDED is followed by the last
 * commands. The socket's end is the parent's wish to end, or the child's death.
 */
#include "gpu/vtest_worker.h"

#include "base/io.h"
#include "base/text.h"
#include "gpu/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define DESCRIPTORS_MAX 4096u
#define COMMANDS_MAX 32768u
#define REPORT_PATIENCE_MS 250
/* For what runs to end when the parent asks. */
#define END_PATIENCE_NS UINT64_C(5000000000)

enum { RENEW = 'r', BEGUN = 'b', ENDED = 'e' };

struct vt_vtest_worker {
    uint32_t id;
    bool ended;
    /* a thread */
    pthread_t thread;
    int event;
    pthread_mutex_t lock;
    struct vt_vtest *vtest;        /* NULL: it has ended, and left the report */
    struct vt_vtest_report *final; /* room for it is made at first */
    bool done;
    /* a process */
    pid_t pid;
    int pair;
    struct vt_vtest_report *shared;
    char *commands;
    char died[128]; /* why, when it did not say so itself */
};

/* ---------------------------------------------------------------- threads */

static void thread_begun(void *arg, const char *name)
{
    struct vt_vtest_worker *w = arg;
    (void)name;
    (void)eventfd_write(w->event, 1);
}

/* The thread takes everything down itself: the host's queues may have to be waited for. */
static void *serve_client(void *arg)
{
    struct vt_vtest_worker *w = arg;
    struct vt_vtest *vtest = w->vtest;
    vt_vtest_run(vtest);
    pthread_mutex_lock(&w->lock);
    vt_vtest_report(vtest, w->final);
    const char *commands = vt_vtest_last_commands(vtest);
    w->commands = commands != NULL ? strdup(commands) : NULL;
    w->vtest = NULL;
    pthread_mutex_unlock(&w->lock);
    vt_vtest_destroy(vtest);
    pthread_mutex_lock(&w->lock);
    w->done = true;
    pthread_mutex_unlock(&w->lock);
    (void)eventfd_write(w->event, 1);
    return NULL;
}

static int start_thread(struct vt_vtest_worker *w, int client, struct vt_venus_renderer *renderer,
                        struct vt_error *err)
{
    const struct vt_vtest_options options = {.id = w->id, .begun = thread_begun, .arg = w};
    w->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    w->final = malloc(sizeof *w->final);
    if (w->event < 0 || w->final == NULL) {
        close(client);
        return vt_fail_errno(err, VT_E_IO, errno, "a client's thread");
    }
    int rc = vt_vtest_create(client, renderer, &options, &w->vtest, err);
    if (rc != 0) {
        return rc;
    }
    int failed = pthread_create(&w->thread, NULL, serve_client, w);
    if (failed != 0) {
        vt_vtest_destroy(w->vtest);
        w->vtest = NULL;
        return vt_fail_errno(err, VT_E_IO, failed, "a client's thread");
    }
    return 0;
}

/* ---------------------------------------------------------------- in the child */

struct child {
    int pair;
    struct vt_vtest *vtest;
    pthread_mutex_t lock; /* of `shared`; the one that ends this process keeps it */
    struct vt_vtest_report *shared;
};

static void child_begun(void *arg, const char *name)
{
    const struct child *c = arg;
    (void)name;
    const char news = BEGUN;
    (void)send(c->pair, &news, 1, MSG_NOSIGNAL);
}

/* Its own thread: the other one may be inside the driver. */
static void *obey_parent(void *arg)
{
    struct child *c = arg;
    char byte;
    while (recv(c->pair, &byte, 1, 0) == 1) {
        pthread_mutex_lock(&c->lock);
        vt_vtest_report(c->vtest, c->shared);
        pthread_mutex_unlock(&c->lock);
        const char done = RENEW;
        (void)send(c->pair, &done, 1, MSG_NOSIGNAL);
    }
    vt_vtest_stop(c->vtest);
    const struct timespec patience = {.tv_sec = END_PATIENCE_NS / 1000000000u};
    nanosleep(&patience, NULL);
    pthread_mutex_lock(&c->lock);
    _exit(0);
}

static void say_end(const struct child *c, const char *commands)
{
    char packet[1 + COMMANDS_MAX];
    size_t n = commands == NULL ? 0 : strlen(commands);
    n = n < COMMANDS_MAX ? n : COMMANDS_MAX;
    packet[0] = ENDED;
    memcpy(packet + 1, commands != NULL ? commands : "", n);
    (void)send(c->pair, packet, 1 + n, MSG_NOSIGNAL);
}

static int serve_in_child(struct child *c, int client, uint32_t id,
                          const struct vt_venus_options *venus, struct vt_error *err)
{
    const struct vt_vtest_options options = {.id = id, .begun = child_begun, .arg = c};
    struct vt_venus_renderer *renderer;
    pthread_t thread;
    int rc = vt_gpu_sandbox_enter(DESCRIPTORS_MAX, err);
    rc = rc != 0 ? rc : vt_venus_renderer_create(venus, &renderer, err);
    rc = rc != 0 ? rc : vt_vtest_create(client, renderer, &options, &c->vtest, err);
    if (rc == 0) {
        int failed = pthread_create(&thread, NULL, obey_parent, c);
        rc = failed == 0 ? 0 : vt_fail_errno(err, VT_E_IO, failed, "a client's thread");
    }
    if (rc == 0) {
        vt_vtest_run(c->vtest);
        /* The last word: an answer to the parent that began now would be cut short, half written.
         */
        pthread_mutex_lock(&c->lock);
        vt_vtest_report(c->vtest, c->shared);
        say_end(c, vt_vtest_last_commands(c->vtest));
    }
    return rc;
}

static _Noreturn void be_child(pid_t parent, int client, int pair, uint32_t id,
                               const struct vt_venus_options *venus, struct vt_vtest_report *shared)
{
    struct vt_error err;
    struct child c = {.lock = PTHREAD_MUTEX_INITIALIZER, .shared = shared};
    /* Nothing of the parent's and of other clients' stays open: only standard output and the rest
     * below 3, then these two. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent ||
        (client = fcntl(client, F_DUPFD, 16)) < 0 || (c.pair = fcntl(pair, F_DUPFD, 16)) < 0 ||
        dup2(client, 3) < 0 || dup2(c.pair, 4) < 0 || close_range(5, ~0u, 0) != 0) {
        _exit(1);
    }
    c.pair = 4;
    setenv("MESA_SHADER_CACHE_DISABLE", "true", 1); /* there is no place to write to */
    setenv("__GL_SHADER_DISK_CACHE", "0", 1);
    if (serve_in_child(&c, 3, id, venus, &err) != 0) {
        shared->id = id;
        shared->ended = shared->failed = true;
        snprintf(shared->reason, sizeof shared->reason, "%s", err.message);
        say_end(&c, NULL);
        _exit(1);
    }
    /* The kernel takes back all that is left faster than we could. */
    _exit(0);
}

/* ---------------------------------------------------------------- processes */

static int start_process(struct vt_vtest_worker *w, int client,
                         const struct vt_venus_options *venus, struct vt_error *err)
{
    int pair[2] = {-1, -1};
    pid_t parent = getpid();
    w->shared =
        mmap(NULL, sizeof *w->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (w->shared == MAP_FAILED ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0 || (w->pid = fork()) < 0) {
        int rc = vt_fail_errno(err, VT_E_IO, errno, "a client's process");
        w->shared = w->shared == MAP_FAILED ? NULL : w->shared;
        w->pid = 0;
        vt_close(&pair[0]);
        vt_close(&pair[1]);
        close(client);
        return rc;
    }
    if (w->pid == 0) {
        be_child(parent, client, pair[1], w->id, venus, w->shared);
    }
    close(pair[1]);
    close(client);
    w->pair = pair[0];
    return 0;
}

static void say_death(struct vt_vtest_worker *w, int status)
{
    if (WIFSIGNALED(status)) {
        snprintf(w->died, sizeof w->died, "the host's driver crashed its process: %s",
                 strsignal(WTERMSIG(status)));
    } else if (!w->shared->ended) {
        snprintf(w->died, sizeof w->died, "its process ended with status %d", WEXITSTATUS(status));
    }
}

/* A packet of the child's; false at the socket's end. */
static bool take_packet(struct vt_vtest_worker *w, char *kind)
{
    char packet[1 + COMMANDS_MAX];
    ssize_t n = recv(w->pair, packet, sizeof packet, MSG_DONTWAIT);
    *kind = n > 0 ? packet[0] : '\0';
    if (n > 1 && packet[0] == ENDED && w->commands == NULL) {
        w->commands = strndup(packet + 1, (size_t)n - 1);
    }
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static bool process_ended(struct vt_vtest_worker *w)
{
    char kind;
    bool open;
    do {
        open = take_packet(w, &kind);
    } while (open && kind != '\0');
    if (open) {
        return false;
    }
    int status = 0;
    kill(w->pid, SIGKILL); /* it has closed its socket: whatever else it does */
    while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR) {
    }
    w->pid = 0;
    say_death(w, status);
    return true;
}

/* The child writes into it at any time, and may be anybody's. */
static void take_report(struct vt_vtest_worker *w, struct vt_vtest_report *r)
{
    memcpy(r, w->shared, sizeof *r);
    char name[sizeof r->name], reason[sizeof r->reason];
    memcpy(name, r->name, sizeof name);
    memcpy(reason, r->reason, sizeof reason);
    vt_text_printable(r->name, sizeof r->name, name, strnlen(name, sizeof name));
    vt_text_printable(r->reason, sizeof r->reason, reason, strnlen(reason, sizeof reason));
    char device[sizeof r->device];
    memcpy(device, r->device, sizeof device);
    vt_text_printable(r->device, sizeof r->device, device, strnlen(device, sizeof device));
    r->id = w->id;
    r->n_commands =
        r->n_commands < VT_VTEST_REPORT_COMMANDS ? r->n_commands : VT_VTEST_REPORT_COMMANDS;
    for (uint32_t i = 0; i < r->n_commands; i++) {
        r->commands[i].name[sizeof r->commands[i].name - 1] = '\0';
    }
    if (w->died[0] != '\0') {
        r->ended = r->failed = true;
        snprintf(r->reason, sizeof r->reason, "%s", w->died);
    }
}

static void renew_report(struct vt_vtest_worker *w)
{
    const char ask = RENEW;
    uint64_t deadline = vt_deadline_ms(REPORT_PATIENCE_MS);
    char kind = '\0';
    if (send(w->pair, &ask, 1, MSG_NOSIGNAL | MSG_DONTWAIT) != 1) {
        return;
    }
    while (kind != RENEW && vt_wait_fd(w->pair, POLLIN, deadline, NULL, NULL) == 0 &&
           take_packet(w, &kind)) {
    }
}

/* ---------------------------------------------------------------- both */

int vt_vtest_worker_start(int client, uint32_t id, struct vt_venus_renderer *renderer,
                          const struct vt_venus_options *venus, struct vt_vtest_worker **worker,
                          struct vt_error *err)
{
    struct vt_vtest_worker *w = calloc(1, sizeof *w);
    if (w == NULL) {
        close(client);
        return vt_fail(err, VT_E_NOMEM, "a client: out of memory");
    }
    w->id = id;
    w->event = w->pair = -1;
    pthread_mutex_init(&w->lock, NULL);
    int rc = renderer != NULL ? start_thread(w, client, renderer, err)
                              : start_process(w, client, venus, err);
    if (rc != 0) {
        w->ended = true;
        vt_vtest_worker_destroy(w);
        return rc;
    }
    *worker = w;
    return 0;
}

int vt_vtest_worker_fd(const struct vt_vtest_worker *w)
{
    return w->event >= 0 ? w->event : w->pair;
}

static bool thread_ended(struct vt_vtest_worker *w)
{
    eventfd_t count;
    (void)eventfd_read(w->event, &count);
    pthread_mutex_lock(&w->lock);
    bool done = w->done;
    pthread_mutex_unlock(&w->lock);
    if (done) {
        pthread_join(w->thread, NULL);
    }
    return done;
}

bool vt_vtest_worker_ended(struct vt_vtest_worker *w)
{
    if (!w->ended) {
        w->ended = w->event >= 0 ? thread_ended(w) : process_ended(w);
    }
    return w->ended;
}

void vt_vtest_worker_report(struct vt_vtest_worker *w, struct vt_vtest_report *report)
{
    if (w->event < 0) {
        if (!w->ended) {
            renew_report(w);
        }
        take_report(w, report);
        return;
    }
    pthread_mutex_lock(&w->lock);
    if (w->vtest != NULL) {
        vt_vtest_report(w->vtest, report);
    } else {
        memcpy(report, w->final, sizeof *report);
    }
    pthread_mutex_unlock(&w->lock);
}

const char *vt_vtest_worker_commands(const struct vt_vtest_worker *w)
{
    return w->commands;
}

void vt_vtest_worker_stop(struct vt_vtest_worker *w)
{
    if (w->event < 0) {
        shutdown(w->pair, SHUT_WR);
        return;
    }
    pthread_mutex_lock(&w->lock);
    if (w->vtest != NULL) {
        vt_vtest_stop(w->vtest);
    }
    pthread_mutex_unlock(&w->lock);
}

bool vt_vtest_worker_destroy(struct vt_vtest_worker *w)
{
    if (w == NULL) {
        return true;
    }
    if (w->event >= 0 && !w->ended) {
        return false;
    }
    if (w->pid > 0) {
        kill(w->pid, SIGKILL);
        while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    vt_close(&w->event);
    vt_close(&w->pair);
    if (w->shared != NULL) {
        munmap(w->shared, sizeof *w->shared);
    }
    pthread_mutex_destroy(&w->lock);
    free(w->final);
    free(w->commands);
    free(w);
    return true;
}
