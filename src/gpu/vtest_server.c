/* gpu/vtest_server.c - see vtest_server.h.
 *
 * The loop's thread accepts, tells news and takes statistics; it never waits for a client. Ended
 * clients' reports are kept, the last few.
 */
#include "gpu/vtest_server.h"

#include "base/io.h"
#include "base/json_writer.h"
#include "gpu/listen.h"
#include "gpu/venus_counts.h"
#include "gpu/vtest_worker.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS_MAX 1024u
#define ENDED_KEPT 32u
#define END_PATIENCE_MS 6000 /* a worker gives up after five */

struct client {
    struct client *next, **link;
    struct vt_vtest_server *server;
    struct vt_vtest_worker *worker;
    struct vt_source *source;
    bool told; /* that it has begun */
    pid_t pid;
    uint64_t since_ns;
};

struct past {
    struct vt_vtest_report *report;
    pid_t pid;
    double seconds;
};

struct vt_vtest_server {
    struct vt_loop *loop;
    struct vt_vtest_server_options options;
    struct vt_gpu_listener listener;
    struct vt_source *source;
    struct vt_venus_renderer *renderer; /* of threads: each process has its own */
    struct client *clients;
    uint32_t n, next_id;
    uint64_t served;
    struct past past[ENDED_KEPT]; /* [served % ENDED_KEPT] is the oldest */
    uint64_t n_past;
    struct vt_venus_statistics totals; /* of all that have ended */
};

static void tell_problem(struct vt_vtest_server *s, const char *problem)
{
    const struct vt_vtest_news news = {.kind = VT_VTEST_PROBLEM, .problem = problem};
    s->options.news(s->options.arg, &news);
}

static double age_s(const struct client *c)
{
    return (double)(vt_now_ns() - c->since_ns) / 1e9;
}

static void set_listening(struct vt_vtest_server *s, bool on)
{
    if (s->source != NULL) {
        vt_source_set_events(s->source, on ? EPOLLIN : 0, NULL);
    }
}

/* True: the worker is gone. */
static bool drop(struct client *c)
{
    struct vt_vtest_server *s = c->server;
    vt_source_remove(c->source);
    *c->link = c->next;
    if (c->next != NULL) {
        c->next->link = c->link;
    }
    bool gone = vt_vtest_worker_destroy(c->worker);
    s->n--;
    free(c);
    set_listening(s, true);
    return gone;
}

static void keep(struct vt_vtest_server *s, const struct client *c,
                 const struct vt_vtest_report *report)
{
    struct past *p = &s->past[s->n_past % ENDED_KEPT];
    s->totals.commands += report->venus.commands;
    s->totals.unknown += report->venus.unknown;
    s->totals.failed += report->venus.failed;
    s->totals.bytes += report->venus.bytes;
    s->totals.busy_ns += report->venus.busy_ns;
    /* Its report of commands is most of it, and not shown any more. */
    struct vt_vtest_report *copy = malloc(offsetof(struct vt_vtest_report, commands));
    if (copy != NULL) {
        memcpy(copy, report, offsetof(struct vt_vtest_report, commands));
        free(p->report);
        *p = (struct past){.report = copy, .pid = c->pid, .seconds = age_s(c)};
        s->n_past++;
    }
}

/* It went without a word: it looked whether the socket is served, as another server does. */
static bool only_looked(const struct vt_vtest_report *report)
{
    return report->ended && !report->failed && report->messages == 0;
}

/* True: it has ended, and is gone. */
static bool take_news(struct client *c)
{
    struct vt_vtest_server *s = c->server;
    bool ended = vt_vtest_worker_ended(c->worker);
    struct vt_vtest_report *report = malloc(sizeof *report);
    if (report != NULL) {
        struct vt_vtest_news news = {.report = report, .pid = c->pid, .seconds = age_s(c)};
        vt_vtest_worker_report(c->worker, report);
        if (!c->told && report->begun) {
            c->told = true;
            news.kind = VT_VTEST_BEGUN;
            s->options.news(s->options.arg, &news);
        }
        if (ended && only_looked(report)) {
            s->served--;
        } else if (ended) {
            news.kind = VT_VTEST_ENDED;
            news.commands = vt_vtest_worker_commands(c->worker);
            s->options.news(s->options.arg, &news);
            keep(s, c, report);
        }
        free(report);
    }
    if (ended) {
        drop(c);
    }
    return ended;
}

static void on_news(struct vt_source *source, uint32_t events, void *arg)
{
    (void)source;
    (void)events;
    take_news(arg);
}

static int add_client(struct vt_vtest_server *s, int fd, struct vt_error *err)
{
    struct ucred peer = {0};
    socklen_t size = sizeof peer;
    struct client *c = calloc(1, sizeof *c);
    if (c == NULL) {
        close(fd);
        return vt_fail(err, VT_E_NOMEM, "a client: out of memory");
    }
    (void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size);
    *c = (struct client){.server = s, .pid = peer.pid, .since_ns = vt_now_ns()};
    int rc = vt_vtest_worker_start(fd, ++s->next_id, s->options.sandbox ? NULL : s->renderer,
                                   &s->options.venus, &c->worker, err);
    if (rc != 0) {
        free(c);
        return rc;
    }
    s->served++;
    s->n++;
    c->next = s->clients;
    c->link = &s->clients;
    if (c->next != NULL) {
        c->next->link = &c->next;
    }
    s->clients = c;
    rc = vt_loop_add_fd(s->loop, vt_vtest_worker_fd(c->worker), EPOLLIN, on_news, c, &c->source,
                        err);
    if (rc != 0) {
        vt_vtest_worker_stop(c->worker);
        drop(c);
    }
    return rc;
}

static void on_client(struct vt_source *source, uint32_t events, void *arg)
{
    struct vt_vtest_server *s = arg;
    struct vt_error err;
    (void)source;
    (void)events;
    if (s->n == s->options.clients_max) {
        set_listening(s, false); /* until one goes */
        tell_problem(s, "as many clients as may be: others wait");
        return;
    }
    int fd = accept4(s->listener.fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)) {
        /* The next client that goes makes room. */
        set_listening(s, s->n == 0);
        tell_problem(s, "no descriptors or memory for one more client: others wait");
    } else if (fd >= 0 && add_client(s, fd, &err) != 0) {
        tell_problem(s, err.message);
    }
}

int vt_vtest_server_create(struct vt_loop *loop, const struct vt_vtest_server_options *options,
                           struct vt_vtest_server **server, struct vt_error *err)
{
    struct vt_vtest_server *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return vt_fail(err, VT_E_NOMEM, "a server: out of memory");
    }
    s->loop = loop;
    s->options = *options;
    if (s->options.clients_max == 0) {
        s->options.clients_max = CLIENTS_MAX;
    }
    s->listener.fd = -1;
    int rc = vt_venus_renderer_create(&options->venus, &s->renderer, err);
    rc = rc != 0 ? rc : vt_gpu_listen(&s->listener, options->path, err);
    rc =
        rc != 0 ? rc : vt_loop_add_fd(loop, s->listener.fd, EPOLLIN, on_client, s, &s->source, err);
    if (rc != 0) {
        vt_vtest_server_destroy(s);
        return rc;
    }
    *server = s;
    return 0;
}

const char *vt_vtest_server_path(const struct vt_vtest_server *s)
{
    return s->listener.path;
}

void vt_vtest_server_capset(const struct vt_vtest_server *s, char *out, size_t bytes)
{
    vt_vtest_describe_capset(s->renderer, out, bytes);
}

/* ---------------------------------------------------------------- statistics */

static void write_report(struct vt_json_writer *w, const struct vt_vtest_report *r, pid_t pid,
                         double seconds)
{
    vt_json_kv_u64(w, "id", r->id);
    vt_json_kv_string(w, "name", r->name);
    vt_json_kv_i64(w, "pid", pid);
    vt_json_kv_string(w, "device", r->device);
    vt_json_kv_f64(w, "seconds", seconds, 6);
    vt_json_kv_u64(w, "messages", r->messages);
    vt_json_kv_u64(w, "resources", r->resources);
    vt_json_kv_u64(w, "syncs", r->syncs);
    vt_gpu_counts_json(&r->venus, w);
}

static void write_commands(struct vt_json_writer *w, const struct vt_vtest_report *r)
{
    vt_json_key(w, "by_command");
    vt_json_array(w);
    for (uint32_t i = 0; i < r->n_commands; i++) {
        const struct vt_vtest_count *c = &r->commands[i];
        const struct vt_venus_command_count count = {c->name, c->id, c->count, c->failed, c->ns};
        vt_gpu_command_json(&count, w);
    }
    vt_json_array_end(w);
}

static void write_past(struct vt_vtest_server *s, struct vt_json_writer *w)
{
    uint64_t n = s->n_past < ENDED_KEPT ? s->n_past : ENDED_KEPT;
    vt_json_key(w, "ended");
    vt_json_array(w);
    for (uint64_t i = s->n_past - n; i < s->n_past; i++) {
        const struct past *p = &s->past[i % ENDED_KEPT];
        vt_json_object(w);
        write_report(w, p->report, p->pid, p->seconds);
        vt_json_kv_bool(w, "broken", p->report->failed);
        vt_json_kv_string(w, "reason", p->report->reason);
        vt_json_object_end(w);
    }
    vt_json_array_end(w);
}

void vt_vtest_server_json(struct vt_vtest_server *s, struct vt_json_writer *w)
{
    char capset[128];
    struct vt_vtest_report *report = malloc(sizeof *report);
    vt_vtest_server_capset(s, capset, sizeof capset);
    vt_json_kv_string(w, "way", "vtest");
    vt_json_kv_string(w, "path", s->listener.path);
    vt_json_kv_bool(w, "sandbox", s->options.sandbox);
    vt_json_kv_string(w, "capset", capset);
    vt_json_kv_u64(w, "served", s->served);
    vt_json_key(w, "past");
    vt_json_object(w);
    vt_json_kv_u64(w, "commands", s->totals.commands);
    vt_json_kv_u64(w, "unknown", s->totals.unknown);
    vt_json_kv_u64(w, "failed", s->totals.failed);
    vt_json_kv_u64(w, "stream_bytes", s->totals.bytes);
    vt_json_kv_f64(w, "busy_s", (double)s->totals.busy_ns / 1e9, 9);
    vt_json_object_end(w);
    vt_json_key(w, "contexts");
    vt_json_array(w);
    for (struct client *c = s->clients; report != NULL && c != NULL; c = c->next) {
        vt_vtest_worker_report(c->worker, report);
        vt_json_object(w);
        write_report(w, report, c->pid, age_s(c));
        write_commands(w, report);
        vt_json_object_end(w);
    }
    vt_json_array_end(w);
    write_past(s, w);
    free(report);
}

/* ---------------------------------------------------------------- the end */

/* Until it has ended, or the deadline. */
static void await(struct client *c, uint64_t deadline_ns)
{
    while (!vt_vtest_worker_ended(c->worker) &&
           vt_wait_fd(vt_vtest_worker_fd(c->worker), POLLIN, deadline_ns, NULL, NULL) == 0) {
    }
}

void vt_vtest_server_destroy(struct vt_vtest_server *s)
{
    if (s == NULL) {
        return;
    }
    vt_source_remove(s->source);
    s->source = NULL;
    vt_gpu_unlisten(&s->listener);
    for (struct client *c = s->clients; c != NULL; c = c->next) {
        vt_vtest_worker_stop(c->worker);
    }
    uint64_t deadline = vt_deadline_ms(END_PATIENCE_MS);
    bool all = true;
    for (struct client *c = s->clients, *next; c != NULL; c = next) {
        next = c->next;
        await(c, deadline);
        if (!take_news(c)) {
            tell_problem(s, "a client is still inside the host's driver after five seconds");
            all = drop(c) && all;
        }
    }
    if (all) {
        vt_venus_renderer_destroy(s->renderer);
    }
    for (unsigned i = 0; i < ENDED_KEPT; i++) {
        free(s->past[i].report);
    }
    free(s);
}
