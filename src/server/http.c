/* server/http.c - see http.h: the daemon, its connections and their limits.
 *
 * libmicrohttpd knows only when a connection was last active, and one byte a second is activity.
 * So each phase of a connection has a deadline of its own here, looked at four times a second. Who
 * is past it is shut down; libmicrohttpd notices and tells us of the end.
 */
#include "server/http_parts.h"

#include "base/io.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define SECOND UINT64_C(1000000000)
#define TICK_NS (SECOND / 4)
#define ACCEPTS_A_TURN 32
#define LEAVING_MAX 64 /* connections that are shut down but not gone */
#define CACHE_ENTRIES 256
#define CACHE_BYTES ((size_t)64 << 20)

const struct vt_http_limits vt_http_limits = {
    .connections = 256,
    .per_address = 128,
    .websockets = 64,
    .requests = 10000,
    .headers = 64,
    .memory_bytes = (size_t)32 << 10,
    .body_bytes = (size_t)1 << 20,
    .queue = 64,
    .header_ns = 10 * SECOND,
    .idle_ns = 60 * SECOND,
    .body_ns = 20 * SECOND,
    .send_ns = 10 * SECOND,
    .send_bytes_per_s = (size_t)64 << 10,
};

/* ---------------------------------------------------------------- connections */

void vt_http_phase(struct connection *c, enum phase phase, uint64_t allowed_ns)
{
    c->phase = phase;
    c->deadline_ns = vt_now_ns() + allowed_ns;
}

static void doom(struct connection *c, enum vt_refusal why)
{
    if (!c->doomed) {
        c->doomed = true;
        shutdown(c->fd, SHUT_RDWR);
        vt_metrics_refused(c->http->metrics, why);
    }
}

/* Who may go for another: the longest on its first request, else the longest idle. */
static struct connection *victim(struct vt_http *http, const uint8_t *address)
{
    struct connection *found = NULL;
    for (struct connection *c = http->connections; c != NULL; c = c->next) {
        bool waiting = !c->doomed && (c->phase == PHASE_IDLE || c->phase == PHASE_HEADERS ||
                                      c->phase == PHASE_BODY);
        if (!waiting || (address != NULL && memcmp(c->address, address, sizeof c->address) != 0)) {
            continue;
        }
        bool better =
            found == NULL || (c->served == 0 && found->served > 0) ||
            ((c->served == 0) == (found->served == 0) && c->deadline_ns < found->deadline_ns);
        found = better ? c : found;
    }
    return found;
}

/* Whether there is room for one more, which may cost another its place. */
static bool admit(struct vt_http *http, const uint8_t address[16])
{
    const struct vt_http_limits *limits = http->o.limits;
    unsigned all = 0, same = 0;
    for (const struct connection *c = http->connections; c != NULL; c = c->next) {
        all += !c->doomed;
        same += !c->doomed && memcmp(c->address, address, sizeof c->address) == 0;
    }
    if (http->n_connections >= limits->connections + LEAVING_MAX) {
        return false;
    }
    if (same >= limits->per_address || all >= limits->connections) {
        struct connection *c = victim(http, same >= limits->per_address ? address : NULL);
        if (c == NULL) {
            return false;
        }
        doom(c, VT_REFUSED_EVICTED);
    }
    return true;
}

static enum vt_peer peer_of(int fd, const struct vt_listener *l)
{
    struct ucred who;
    socklen_t n = sizeof who;
    if (l->peer != VT_PEER_OWNER) {
        return l->peer;
    }
    bool ours = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 &&
                (who.uid == geteuid() || who.uid == 0);
    return ours ? VT_PEER_OWNER : VT_PEER_REMOTE;
}

static void describe(struct connection *c, const struct sockaddr_storage *addr)
{
    struct sockaddr_storage local = {0};
    socklen_t n = sizeof local;
    char text[INET6_ADDRSTRLEN] = "";
    if (addr->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)addr;
        memcpy(c->address, &v4->sin_addr, sizeof v4->sin_addr);
        inet_ntop(AF_INET, &v4->sin_addr, c->name, sizeof c->name);
    } else if (addr->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)addr;
        memcpy(c->address, &v6->sin6_addr, 8);
        c->address[15] = 6;
        inet_ntop(AF_INET6, &v6->sin6_addr, c->name, sizeof c->name);
    } else {
        snprintf(c->name, sizeof c->name, "unix socket");
        return;
    }
    if (getsockname(c->fd, (struct sockaddr *)&local, &n) != 0) {
        return;
    }
    if (local.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&local;
        inet_ntop(AF_INET, &v4->sin_addr, c->local, sizeof c->local);
    } else if (local.ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&local;
        inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
        snprintf(c->local, sizeof c->local, "[%s]", text);
    }
}

static void forget(struct connection *c)
{
    *c->link = c->next;
    if (c->next != NULL) {
        c->next->link = c->link;
    }
    c->http->n_connections--;
    free(c);
}

static void on_connection(void *arg, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct vt_http *http = arg;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = http->adding;
        http->adding->mhd = mhd;
        http->adding = NULL;
    } else {
        forget(*context);
    }
}

static void add(struct vt_http *http, const struct vt_listener *l, int fd,
                const struct sockaddr_storage *addr, socklen_t addr_bytes)
{
    struct connection *c = calloc(1, sizeof *c);
    if (c != NULL) {
        c->http = http;
        c->fd = fd;
        describe(c, addr);
    }
    if (c == NULL || !admit(http, c->address)) {
        vt_metrics_refused(http->metrics, VT_REFUSED_CONNECTIONS);
        free(c);
        close(fd);
        return;
    }
    c->peer = peer_of(fd, l);
    vt_http_phase(c, PHASE_IDLE, http->o.limits->header_ns);
    c->next = http->connections;
    c->link = &http->connections;
    if (c->next != NULL) {
        c->next->link = &c->next;
    }
    http->connections = c;
    http->n_connections++;
    vt_metrics_connection(http->metrics);
    /* on_connection is called from within, or not at all; the descriptor is closed either way. */
    http->adding = c;
    MHD_add_connection(http->daemon, fd, (const struct sockaddr *)addr, addr_bytes);
    if (http->adding != NULL) {
        forget(c);
    }
}

/* ---------------------------------------------------------------- the loop */

static void check_drained(struct vt_http *http)
{
    if (http->draining && http->n_connections == 0 && !http->drained_told) {
        http->drained_told = true;
        http->drained(http->drained_arg);
    }
}

void vt_http_soon(struct vt_http *http)
{
    vt_source_set_timer(http->again, 1, 0, NULL);
}

/* libmicrohttpd may want to go on at once: not before others had their turn. */
static void go_on(struct vt_http *http)
{
    MHD_UNSIGNED_LONG_LONG ms;
    MHD_run(http->daemon);
    if (MHD_get_timeout(http->daemon, &ms) == MHD_YES) {
        vt_http_soon(http); /* there are no timeouts of its own: it has data already */
    }
    check_drained(http);
}

static void on_daemon(struct vt_source *source, uint32_t events, void *arg)
{
    (void)source;
    (void)events;
    go_on(arg);
}

static void on_listener(struct vt_source *source, uint32_t events, void *arg)
{
    struct vt_http *http = arg;
    unsigned i = 0;
    (void)events;
    while (http->listening[i] != source) {
        i++;
    }
    const struct vt_listener *l = &http->o.listeners->all[i];
    for (unsigned n = 0; n < ACCEPTS_A_TURN; n++) {
        struct sockaddr_storage addr = {0};
        socklen_t bytes = sizeof addr;
        int fd = accept4(l->fd, (struct sockaddr *)&addr, &bytes, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) {
            break;
        }
        add(http, l, fd, &addr, bytes);
    }
    go_on(http);
}

/* A client that went away while its operation runs: nobody wants the result. */
static void check_working(struct connection *c)
{
    char byte;
    if (recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0 && c->request != NULL) {
        c->request->stop = 1;
    }
}

static void on_tick(struct vt_source *source, uint32_t events, void *arg)
{
    struct vt_http *http = arg;
    uint64_t now = vt_now_ns();
    (void)source;
    (void)events;
    vt_http_check_samples(http, now);
    for (struct connection *c = http->connections; c != NULL; c = c->next) {
        bool late = now > c->deadline_ns;
        switch (c->phase) {
        case PHASE_IDLE:
            if (late || http->draining) {
                doom(c, c->served == 0 && !http->draining ? VT_REFUSED_HEADER_TIMEOUT
                                                          : VT_REFUSED_IDLE);
            }
            break;
        case PHASE_HEADERS:
            if (late) {
                doom(c, VT_REFUSED_HEADER_TIMEOUT);
            }
            break;
        case PHASE_BODY:
            if (late) {
                doom(c, VT_REFUSED_BODY_TIMEOUT);
            }
            break;
        case PHASE_SENDING:
            if (late) {
                doom(c, VT_REFUSED_READ_TIMEOUT);
            }
            break;
        case PHASE_WORKING:
            check_working(c);
            break;
        case PHASE_UPGRADED:
            break;
        }
    }
    go_on(http);
}

/* ---------------------------------------------------------------- life */

/* What libmicrohttpd answers by itself, it says only here. */
static void on_log(void *arg, const char *format, va_list values)
{
    static const char answered[] = "Error processing request (HTTP response code is %u";
    struct vt_http *http = arg;
    if (strncmp(format, answered, sizeof answered - 1) == 0) {
        unsigned status = va_arg(values, unsigned);
        bool large = status == 413 || status == 414 || status == 431;
        vt_metrics_refused(http->metrics, large ? VT_REFUSED_TOO_LARGE : VT_REFUSED_MALFORMED);
        vt_metrics_request(http->metrics, vt_metrics_other(http->metrics, VT_REQUEST_NONE), status,
                           0);
    }
}

/* Targets are decoded by us, strictly; libmicrohttpd is to leave them as they are. */
static size_t on_unescape(void *arg, struct MHD_Connection *mhd, char *text)
{
    (void)arg;
    (void)mhd;
    return strlen(text);
}

static int start_daemon(struct vt_http *http, struct vt_error *err)
{
    const struct vt_http_limits *limits = http->o.limits;
    http->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE |
            MHD_USE_ERROR_LOG,
        0, NULL, NULL, vt_http_on_request, http, MHD_OPTION_EXTERNAL_LOGGER, on_log, http,
        MHD_OPTION_CONNECTION_LIMIT, limits->connections + 2 * LEAVING_MAX,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, limits->memory_bytes, MHD_OPTION_CONNECTION_TIMEOUT, 0u,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_CONNECTION, on_connection, http,
        MHD_OPTION_NOTIFY_COMPLETED, vt_http_on_completed, http, MHD_OPTION_URI_LOG_CALLBACK,
        vt_http_on_line, http, MHD_OPTION_UNESCAPE_CALLBACK, on_unescape, http,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
    if (http->daemon == NULL) {
        return vt_fail(err, VT_E_NOMEM, "libmicrohttpd %s does not start", MHD_get_version());
    }
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    int rc = vt_loop_add_fd(http->o.loop, info->epoll_fd, EPOLLIN, on_daemon, http,
                            &http->daemon_source, err);
    rc = rc != 0 ? rc : vt_loop_add_timer(http->o.loop, 0, 0, on_daemon, http, &http->again, err);
    return rc != 0
               ? rc
               : vt_loop_add_timer(http->o.loop, TICK_NS, TICK_NS, on_tick, http, &http->tick, err);
}

int vt_http_create(const struct vt_http_options *options, struct vt_http **http,
                   struct vt_error *err)
{
    struct vt_http *h = calloc(1, sizeof *h);
    if (h == NULL) {
        return vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    h->o = *options;
    int rc = vt_metrics_create(options->ops, &h->metrics, err);
    rc = rc != 0 ? rc : vt_routes_create(options->ops, &h->routes, err);
    rc = rc != 0 ? rc : vt_cache_create(CACHE_ENTRIES, CACHE_BYTES, &h->cache, err);
    rc = rc != 0 ? rc
                 : vt_pool_create(options->loop, options->threads, options->limits->queue, &h->pool,
                                  err);
    rc = rc != 0 ? rc : start_daemon(h, err);
    for (unsigned i = 0; rc == 0 && i < options->listeners->n; i++) {
        rc = vt_loop_add_fd(options->loop, options->listeners->all[i].fd, EPOLLIN, on_listener, h,
                            &h->listening[i], err);
    }
    if (rc != 0) {
        vt_http_destroy(h);
        return rc;
    }
    *http = h;
    return 0;
}

static void stop_listening(struct vt_http *http)
{
    for (unsigned i = 0; i < VT_LISTENERS_MAX; i++) {
        vt_source_remove(http->listening[i]);
        http->listening[i] = NULL;
    }
}

void vt_http_destroy(struct vt_http *http)
{
    if (http == NULL) {
        return;
    }
    stop_listening(http);
    vt_pool_destroy(http->pool); /* which resumes what was suspended */
    vt_http_forget_samples(http);
    vt_http_drop_clients(http);
    vt_source_remove(http->tick);
    vt_source_remove(http->again);
    vt_source_remove(http->daemon_source);
    if (http->daemon != NULL) {
        MHD_stop_daemon(http->daemon);
    }
    vt_cache_destroy(http->cache);
    vt_reply_drop(http->openapi);
    vt_routes_destroy(http->routes);
    vt_metrics_destroy(http->metrics);
    free(http);
}

void vt_http_drain(struct vt_http *http, void (*drained)(void *arg), void *arg)
{
    http->draining = true;
    http->drained = drained;
    http->drained_arg = arg;
    stop_listening(http);
    vt_http_close_clients(http);
    for (struct connection *c = http->connections; c != NULL; c = c->next) {
        if (c->phase == PHASE_IDLE) {
            c->doomed = true;
            shutdown(c->fd, SHUT_RDWR);
        }
    }
    go_on(http);
}
