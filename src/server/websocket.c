/* server/websocket.c - see websocket.h.
 *
 * The end is always told from the loop: whoever sends may be walking a list of connections. A timer
 * does that, beside asking silent peers.
 */
#include "server/websocket.h"

#include "base/io.h"

#include <errno.h>
#include <nettle/base64.h>
#include <nettle/sha1.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <wslay/wslay.h>

#define SECOND UINT64_C(1000000000)
#define RECEIVED_MAX 4096      /* bytes of a message from a peer */
#define TURN_BYTES (64u << 10) /* read from one peer before others have their turn */

const struct vt_ws_limits vt_ws_limits = {
    .queue_bytes = 1 << 20, .queue_count = 4096, .ping_ns = 30 * SECOND, .close_ns = 2 * SECOND};

/* ---------------------------------------------------------------- handshake */

/* Whether `name` is one of the comma-separated words of a header. */
static bool lists(const char *header, const char *name, bool any_case)
{
    size_t wanted = strlen(name);
    while (header != NULL && *header != '\0') {
        header += strspn(header, " \t,");
        size_t n = strcspn(header, ",");
        size_t word = n;
        while (word > 0 && (header[word - 1] == ' ' || header[word - 1] == '\t')) {
            word--;
        }
        if (word == wanted && (any_case ? strncasecmp(header, name, wanted) == 0
                                        : memcmp(header, name, wanted) == 0)) {
            return true;
        }
        header += n;
    }
    return false;
}

/* 16 bytes in base64: 22 digits and "==". */
static bool is_key(const char *key)
{
    struct base64_decode_ctx ctx;
    uint8_t bytes[BASE64_DECODE_LENGTH(24)];
    size_t n = sizeof bytes;
    base64_decode_init(&ctx);
    return key != NULL && strlen(key) == 24 &&
           base64_decode_update(&ctx, &n, bytes, 24, key) == 1 && base64_decode_final(&ctx) == 1 &&
           n == 16;
}

unsigned vt_ws_handshake(const struct vt_ws_request *request, char accept[VT_WS_ACCEPT_MAX],
                         const char **protocol)
{
    static const char magic[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    if (request->upgrade == NULL || request->version == NULL ||
        strcmp(request->version, "13") != 0) {
        return 426;
    }
    if (!request->http_1_1 || !lists(request->upgrade, "websocket", true) ||
        !lists(request->connection, "upgrade", true) || !is_key(request->key)) {
        return 400;
    }
    bool known = lists(request->protocol, VT_WS_SUBPROTOCOL, false);
    if (request->protocol != NULL && !known) {
        return 400;
    }
    struct sha1_ctx ctx;
    uint8_t digest[SHA1_DIGEST_SIZE];
    sha1_init(&ctx);
    sha1_update(&ctx, strlen(request->key), (const uint8_t *)request->key);
    sha1_update(&ctx, sizeof magic - 1, (const uint8_t *)magic);
    sha1_digest(&ctx, sizeof digest, digest);
    enum { ACCEPT_BYTES = BASE64_ENCODE_RAW_LENGTH(SHA1_DIGEST_SIZE) };
    _Static_assert(ACCEPT_BYTES < VT_WS_ACCEPT_MAX, "room");
    base64_encode_raw(accept, sizeof digest, digest);
    accept[ACCEPT_BYTES] = '\0';
    *protocol = known ? VT_WS_SUBPROTOCOL : NULL;
    return 101;
}

/* ---------------------------------------------------------------- a connection */

struct vt_ws {
    int fd;
    struct vt_source *source, *timer;
    wslay_event_context_ptr wslay;
    const struct vt_ws_limits *limits;
    void (*ended)(struct vt_ws *ws, enum vt_ws_end how, void *arg);
    void *arg;
    uint8_t *early;
    size_t early_bytes, early_at;
    size_t turn; /* bytes that may still be read in this turn */
    bool closing, failed, pinged;
    bool lost;          /* the socket has ended, or an error */
    bool emptying;      /* closed by us; what comes is thrown away */
    enum vt_ws_end how; /* why it is closing */
};

static ssize_t on_recv(wslay_event_context_ptr ctx, uint8_t *buf, size_t len, int flags, void *arg)
{
    struct vt_ws *ws = arg;
    (void)flags;
    if (ws->early_at < ws->early_bytes) {
        size_t left = ws->early_bytes - ws->early_at;
        len = len < left ? len : left;
        memcpy(buf, ws->early + ws->early_at, len);
        ws->early_at += len;
        return (ssize_t)len;
    }
    if (ws->turn == 0) {
        wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    ssize_t n;
    do {
        n = recv(ws->fd, buf, len < ws->turn ? len : ws->turn, MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n > 0) {
        ws->turn -= (size_t)n;
        ws->pinged = false;
        return n;
    }
    ws->lost = n == 0 || errno != EAGAIN;
    wslay_event_set_error(ctx, ws->lost ? WSLAY_ERR_CALLBACK_FAILURE : WSLAY_ERR_WOULDBLOCK);
    return -1;
}

static ssize_t on_send(wslay_event_context_ptr ctx, const uint8_t *data, size_t len, int flags,
                       void *arg)
{
    struct vt_ws *ws = arg;
    ssize_t n;
    do {
        n = send(ws->fd, data, len,
                 MSG_NOSIGNAL | MSG_DONTWAIT | ((flags & WSLAY_MSG_MORE) != 0 ? MSG_MORE : 0));
    } while (n < 0 && errno == EINTR);
    if (n > 0) {
        return n;
    }
    wslay_event_set_error(ctx, n < 0 && errno == EAGAIN ? WSLAY_ERR_WOULDBLOCK
                                                        : WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static void begin_closing(struct vt_ws *ws, enum vt_ws_end how)
{
    if (!ws->closing) {
        ws->closing = true;
        ws->how = how;
        vt_source_set_timer(ws->timer, ws->limits->close_ns, 0, NULL);
    }
}

static void say_close(struct vt_ws *ws, enum vt_ws_end how, uint16_t code, const char *reason)
{
    begin_closing(ws, how);
    wslay_event_queue_close(ws->wslay, code, (const uint8_t *)reason, strlen(reason));
}

static void on_message(wslay_event_context_ptr ctx, const struct wslay_event_on_msg_recv_arg *msg,
                       void *arg)
{
    (void)ctx;
    if (!wslay_is_ctrl_frame(msg->opcode)) {
        say_close(arg, VT_WS_PROTOCOL, WSLAY_CODE_UNSUPPORTED_DATA, "nothing is to be sent here");
    }
}

/* The next turn of the loop ends it. */
static void fail(struct vt_ws *ws, enum vt_ws_end how)
{
    begin_closing(ws, how);
    ws->failed = true;
    vt_source_set_events(ws->source, 0, NULL);
    vt_source_set_timer(ws->timer, 1, 0, NULL);
}

static bool too_slow(struct vt_ws *ws)
{
    return wslay_event_get_queued_msg_length(ws->wslay) > ws->limits->queue_bytes ||
           wslay_event_get_queued_msg_count(ws->wslay) > ws->limits->queue_count;
}

/* Sends what can be sent, and waits for what is wanted next. */
static void go_on(struct vt_ws *ws)
{
    if (ws->failed) {
        return;
    }
    if (wslay_event_want_write(ws->wslay) && wslay_event_send(ws->wslay) != 0) {
        fail(ws, VT_WS_GONE);
        return;
    }
    bool said = wslay_event_get_close_sent(ws->wslay) != 0;
    if (said && wslay_event_get_close_received(ws->wslay)) {
        fail(ws, VT_WS_CLOSED);
        return;
    }
    if (said || wslay_event_get_close_received(ws->wslay) || !wslay_event_want_read(ws->wslay)) {
        /* wslay closes by itself when a peer breaks the protocol, and then reads no more. */
        begin_closing(ws,
                      wslay_event_get_close_received(ws->wslay) ? VT_WS_CLOSED : VT_WS_PROTOCOL);
    }
    bool read = wslay_event_want_read(ws->wslay), write = wslay_event_want_write(ws->wslay);
    if (said && !read) {
        /* What is still on its way would reset the connection, and our last words with it. */
        ws->emptying = true;
        shutdown(ws->fd, SHUT_WR);
        vt_source_set_events(ws->source, EPOLLIN, NULL);
        return;
    }
    vt_source_set_events(ws->source, (read ? EPOLLIN : 0u) | (write ? EPOLLOUT : 0u), NULL);
}

static void take(struct vt_ws *ws)
{
    ws->turn = TURN_BYTES;
    if (wslay_event_want_read(ws->wslay) && wslay_event_recv(ws->wslay) != 0) {
        if (ws->lost) {
            fail(ws, VT_WS_GONE);
            return;
        }
        wslay_event_shutdown_read(ws->wslay);
        begin_closing(ws, VT_WS_PROTOCOL); /* wslay says so by an empty close */
    }
    if (too_slow(ws)) { /* pings without reading the pongs */
        fail(ws, VT_WS_SLOW);
    }
}

static void empty(struct vt_ws *ws)
{
    char thrown[4096];
    ssize_t n = recv(ws->fd, thrown, sizeof thrown, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        fail(ws, ws->how);
    }
}

static void on_ready(struct vt_source *source, uint32_t events, void *arg)
{
    struct vt_ws *ws = arg;
    (void)source;
    if (ws->emptying && !ws->failed) {
        empty(ws);
        return;
    }
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        take(ws);
    }
    if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
        fail(ws, VT_WS_GONE);
    }
    go_on(ws);
}

static void on_timer(struct vt_source *source, uint32_t events, void *arg)
{
    struct vt_ws *ws = arg;
    (void)source;
    (void)events;
    if (!ws->closing && ws->early_at < ws->early_bytes) {
        take(ws);
        go_on(ws);
    } else if (ws->closing || ws->pinged) {
        enum vt_ws_end how = ws->closing ? ws->how : VT_WS_GONE;
        ws->ended(ws, how, ws->arg);
        vt_ws_destroy(ws);
        return;
    } else {
        const struct wslay_event_msg ping = {.opcode = WSLAY_PING};
        ws->pinged = true;
        wslay_event_queue_msg(ws->wslay, &ping);
        go_on(ws);
    }
    if (!ws->closing) {
        vt_source_set_timer(ws->timer, ws->limits->ping_ns, 0, NULL);
    }
}

int vt_ws_create(struct vt_loop *loop, int fd, const void *early, size_t early_bytes,
                 const struct vt_ws_limits *limits,
                 void (*ended)(struct vt_ws *ws, enum vt_ws_end how, void *arg), void *arg,
                 struct vt_ws **ws, struct vt_error *err)
{
    static const struct wslay_event_callbacks callbacks = {
        .recv_callback = on_recv, .send_callback = on_send, .on_msg_recv_callback = on_message};
    struct vt_ws *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    *w = (struct vt_ws){.fd = fd, .limits = limits, .ended = ended, .arg = arg};
    int rc = 0;
    w->early = early_bytes > 0 ? malloc(early_bytes) : NULL;
    if ((early_bytes > 0 && w->early == NULL) ||
        wslay_event_context_server_init(&w->wslay, &callbacks, w) != 0) {
        rc = vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    rc = rc != 0 ? rc : vt_loop_add_fd(loop, fd, EPOLLIN, on_ready, w, &w->source, err);
    rc = rc != 0 ? rc
                 : vt_loop_add_timer(loop, early_bytes > 0 ? 1 : limits->ping_ns, 0, on_timer, w,
                                     &w->timer, err);
    if (rc != 0) {
        vt_ws_destroy(w);
        return rc;
    }
    if (early_bytes > 0) {
        memcpy(w->early, early, early_bytes);
        w->early_bytes = early_bytes;
    }
    wslay_event_config_set_max_recv_msg_length(w->wslay, RECEIVED_MAX);
    *ws = w;
    return 0;
}

void vt_ws_destroy(struct vt_ws *ws)
{
    if (ws == NULL) {
        return;
    }
    vt_source_remove(ws->source);
    vt_source_remove(ws->timer);
    if (ws->wslay != NULL) {
        wslay_event_context_free(ws->wslay);
    }
    free(ws->early);
    free(ws);
}

bool vt_ws_send(struct vt_ws *ws, const char *text, size_t bytes)
{
    if (ws->closing) {
        return true;
    }
    const struct wslay_event_msg msg = {
        .opcode = WSLAY_TEXT_FRAME, .msg = (const uint8_t *)text, .msg_length = bytes};
    if (wslay_event_queue_msg(ws->wslay, &msg) != 0) {
        fail(ws, VT_WS_GONE);
        return true;
    }
    if (too_slow(ws)) {
        say_close(ws, VT_WS_SLOW, 1013, "too slow");
        go_on(ws);
        return false;
    }
    go_on(ws);
    return true;
}

void vt_ws_close(struct vt_ws *ws, uint16_t code, const char *reason)
{
    say_close(ws, VT_WS_CLOSED, code, reason);
    go_on(ws);
}
