/* server/serve.c - see serve.h.
 *
 * Whoever tells (samplers, the watch) is stopped before whom he tells (the feed, HTTP), and leases
 * are back before the host goes: operations end in vt_http_destroy.
 */
#include "server/serve.h"

#include "base/io.h"
#include "base/loop.h"
#include "base/paths.h"
#include "server/assets.h"
#include "server/http.h"
#include "server/mcp.h"
#include "server/supervise.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FRESH_MIN_NS UINT64_C(3000000000)

struct serving {
    const struct vt_serve_options *o;
    struct vt_loop *loop;
    struct vt_source *watchdog, *drain;
    struct vt_feed *feed;
    struct vt_host *host;
    struct vt_watch *watch;
    struct vt_assets *assets;
    struct vt_mcp *mcp;
    struct vt_streams *streams;
    struct vt_http *http;
    struct vt_auth auth;
    struct vt_listeners listeners;
    char token_file[PATH_MAX]; /* that we made, or "" */
    bool ending;
};

/* ---------------------------------------------------------------- what is told */

static void on_event(const char *vm, const struct vt_event *event, void *arg)
{
    vt_feed_event(((struct serving *)arg)->feed, vm, event);
}

static void on_sample(const char *vm, const struct vt_sample *sample, void *arg)
{
    vt_feed_sample(((struct serving *)arg)->feed, vm, sample);
}

static void on_message(struct vt_feed_message *message, void *arg)
{
    struct serving *s = arg;
    if (s->http != NULL) {
        vt_http_tell(s->http, message);
    } else {
        vt_feed_free(message);
    }
}

/* ---------------------------------------------------------------- the end */

static void on_drained(void *arg)
{
    struct serving *s = arg;
    vt_loop_stop(s->loop, 0);
}

/* Time is up: what still runs is interrupted, and waited for in vt_http_destroy. */
static void on_late(struct vt_source *source, uint32_t events, void *arg)
{
    struct serving *s = arg;
    (void)source;
    (void)events;
    vt_host_interrupt(s->host);
    vt_loop_stop(s->loop, 0);
}

static void on_signal(struct vt_source *source, uint32_t signo, void *arg)
{
    struct serving *s = arg;
    if (s->ending) {
        on_late(source, signo, arg);
        return;
    }
    s->ending = true;
    vt_supervise_tell("STOPPING=1");
    if (vt_loop_add_timer(s->loop, s->o->drain_ns + 1, 0, on_late, s, &s->drain, NULL) != 0) {
        on_late(source, signo, arg);
        return;
    }
    vt_http_drain(s->http, on_drained, s);
}

static void on_watchdog(struct vt_source *source, uint32_t events, void *arg)
{
    (void)source;
    (void)events;
    (void)arg;
    vt_supervise_tell("WATCHDOG=1");
}

/* ---------------------------------------------------------------- the beginning */

static int listen_loopback(struct serving *s, struct vt_error *err)
{
    static const char *const usual[] = {"127.0.0.1", "[::1]"};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof usual / sizeof usual[0]; i++) {
        struct sockaddr_storage addr;
        char text[64];
        snprintf(text, sizeof text, "%s:%d", usual[i], VT_LISTEN_PORT);
        rc = vt_listen_parse(text, &addr, err);
        rc = rc != 0 ? rc : vt_listen_tcp(&s->listeners, &addr, err);
        rc = rc == VT_E_NOT_FOUND ? 0 : rc; /* a host without IPv6, or without IPv4 */
    }
    return rc;
}

static int listen_tcp(struct serving *s, struct vt_error *err)
{
    const char *const *listen = s->o->listen;
    if (listen == NULL || listen[0] == NULL) {
        return listen_loopback(s, err);
    }
    if (strcmp(listen[0], "none") == 0) {
        return 0;
    }
    int rc = 0;
    for (size_t i = 0; rc == 0 && listen[i] != NULL; i++) {
        struct sockaddr_storage addr;
        rc = vt_listen_parse(listen[i], &addr, err);
        rc = rc != 0 ? rc : vt_listen_tcp(&s->listeners, &addr, err);
    }
    return rc;
}

static int listen_all(struct serving *s, struct vt_error *err)
{
    char path[PATH_MAX], runtime[PATH_MAX];
    unsigned given = vt_supervise_sockets();
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < given; i++) {
        rc = vt_listen_adopt(&s->listeners, VT_SUPERVISE_FIRST_FD + (int)i, err);
    }
    bool more = given == 0; /* where nothing else is said, those handed over are all */
    bool none = s->o->socket != NULL && strcmp(s->o->socket, "none") == 0;
    if (rc == 0 && !none && (more || s->o->socket != NULL)) {
        rc = vt_path_runtime(runtime, err);
        rc = rc != 0 ? rc : vt_path_format(path, err, "%s/serve.sock", runtime);
        rc = rc != 0
                 ? rc
                 : vt_listen_unix(&s->listeners, s->o->socket != NULL ? s->o->socket : path, err);
    }
    if (rc == 0 && (more || s->o->listen != NULL)) {
        rc = listen_tcp(s, err);
    }
    return rc == 0 && s->listeners.n == 0 ? vt_fail(err, VT_E_INVAL, "nowhere to listen") : rc;
}

/* A token of our own lies beside the Unix socket, whose place is ours alone. */
static int make_token(struct serving *s, struct vt_error *err)
{
    char path[PATH_MAX], line[VT_TOKEN_MAX + 2];
    const struct vt_listener *beside = NULL;
    if (s->o->token_file != NULL) {
        return vt_token_load(s->o->token_file, s->auth.token, err);
    }
    for (unsigned i = 0; beside == NULL && i < s->listeners.n; i++) {
        beside = s->listeners.all[i].path[0] == '/' ? &s->listeners.all[i] : NULL;
    }
    if (beside == NULL) {
        return vt_fail(err, VT_E_INVAL, "without a Unix socket a --token-file is needed");
    }
    size_t n = strlen(beside->path);
    n -= n > 5 && strcmp(beside->path + n - 5, ".sock") == 0 ? 5 : 0;
    int rc = vt_path_format(path, err, "%.*s.token", (int)n, beside->path);
    rc = rc != 0 ? rc : vt_token_make(s->auth.token, err);
    if (rc == 0) {
        int bytes = snprintf(line, sizeof line, "%s\n", s->auth.token);
        rc = vt_write_file_atomic(path, line, (size_t)bytes, 0600, err);
        explicit_bzero(line, sizeof line);
    }
    if (rc == 0) {
        memcpy(s->token_file, path, sizeof path);
    }
    return rc;
}

static int catch_signals(struct serving *s, struct vt_error *err)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof signals / sizeof signals[0]; i++) {
        rc = vt_loop_add_signal(s->loop, signals[i], on_signal, s, NULL, err);
    }
    return rc;
}

static int make_host(struct serving *s, struct vt_error *err)
{
    const struct vt_host_options options = {
        .names = s->o->vms,
        .n_names = s->o->n_vms,
        .sample = s->o->sample,
        .interval_s = (double)s->o->interval_ns / 1e9,
        .sampler = s->o->sampler,
        .read_only = s->o->read_only,
        .on_event = on_event,
        .on_sample = on_sample,
        .arg = s,
    };
    return vt_host_create(&options, &s->host, err);
}

static int make_http(struct serving *s, struct vt_error *err)
{
    uint64_t fresh_ns = 3 * s->o->interval_ns;
    const struct vt_http_options options = {
        .loop = s->loop,
        .host = s->host,
        .watch = s->watch,
        .feed = s->feed,
        .assets = s->assets,
        .mcp = s->mcp,
        .streams = s->streams,
        .ops = vt_ops(),
        .auth = &s->auth,
        .listeners = &s->listeners,
        .limits = &vt_http_limits,
        .threads = s->o->threads,
        .fresh_ns = fresh_ns > FRESH_MIN_NS ? fresh_ns : FRESH_MIN_NS,
    };
    return vt_http_create(&options, &s->http, err);
}

static int make_streams(struct serving *s, struct vt_error *err)
{
    const struct vt_streams_options options = {
        .loop = s->loop, .gpu = s->o->gpu, .gpu_memory = s->o->gpu_memory};
    return vt_streams_create(&options, &s->streams, err);
}

static int begin(struct serving *s, struct vt_error *err)
{
    uint64_t watchdog_ns = vt_supervise_watchdog_ns();
    int rc = vt_loop_create(&s->loop, err);
    rc = rc != 0 ? rc : catch_signals(s, err);
    rc = rc != 0 ? rc : listen_all(s, err);
    rc = rc != 0 ? rc : make_token(s, err);
    rc = rc != 0 ? rc : vt_feed_create(s->loop, on_message, s, &s->feed, err);
    rc = rc != 0 ? rc : make_host(s, err);
    rc = rc != 0 ? rc : vt_watch_create(s->host, s->feed, &s->watch, err);
    rc = rc != 0 ? rc : vt_assets_create(s->o->web, &s->assets, err);
    rc = rc != 0 ? rc : vt_mcp_create(s->host, &s->mcp, err);
    rc = rc != 0 ? rc : make_streams(s, err);
    rc = rc != 0 ? rc : make_http(s, err);
    if (rc == 0 && watchdog_ns > 0) {
        rc =
            vt_loop_add_timer(s->loop, watchdog_ns, watchdog_ns, on_watchdog, s, &s->watchdog, err);
    }
    return rc;
}

static void end(struct serving *s)
{
    vt_http_destroy(s->http);
    s->http = NULL;
    vt_streams_destroy(s->streams);
    vt_mcp_destroy(s->mcp);
    vt_assets_destroy(s->assets);
    vt_watch_destroy(s->watch);
    vt_host_destroy(s->host);
    vt_feed_destroy(s->feed);
    vt_listen_close(&s->listeners);
    if (s->token_file[0] != '\0') {
        unlink(s->token_file);
    }
    explicit_bzero(&s->auth.token, sizeof s->auth.token);
    vt_loop_destroy(s->loop);
}

int vt_serve(const struct vt_serve_options *options, struct vt_error *err)
{
    struct serving *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    s->o = options;
    s->auth.always = options->token_always;
    s->auth.hosts = options->hosts;
    s->auth.origins = options->origins;
    int rc = begin(s, err);
    if (rc == 0) {
        if (options->ready != NULL) {
            options->ready(&s->listeners,
                           s->token_file[0] != '\0' ? s->token_file : options->token_file,
                           s->auth.token, options->arg);
        }
        vt_supervise_tell("READY=1");
        rc = vt_loop_run(s->loop, err);
    }
    end(s);
    free(s);
    return rc;
}
