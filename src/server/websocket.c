/* server/websocket.c - see websocket.h.
 *
 * The end is always told from the loop: whoever sends may be walking a list of connections. A timer
 * does that, beside asking silent peers.
 */
#include "server/websocket.h"

#include "base/io.h"
#include "base/text.h"

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
#define RECEIVED_MAX 4096      /* bytes of a message from a peer who is to send none */
#define TURN_BYTES (64u << 10) /* read from one peer before others have their turn */

const struct vt_ws_limits vt_ws_limits = {
    .queue_bytes = 1 << 20, .queue_count = 4096, .ping_ns = 30 * SECOND, .close_ns = 2 * SECOND};
const struct vt_ws_limits vt_ws_volume_limits = {.queue_bytes = 32u << 20, /* never more than one */
                                                 .queue_count = 256,       /* message and pongs */
                                                 .ping_ns = 30 * SECOND,
                                                 .close_ns = 2 * SECOND,
                                                 .message_bytes = 64u << 10};

/* ---------------------------------------------------------------- handshake */

const char *vt_ws_word(const char **at, size_t *bytes)
{
    const char *word = *at + strspn(*at, " \t,");
    size_t n = strcspn(word, ",");
    *at = word + n;
    while (n > 0 && (word[n - 1] == ' ' || word[n - 1] == '\t')) {
        n--;
    }
    *bytes = n;
    return n > 0 ? word : NULL;
}

/* Whether `name` is one of the comma-separated words of a header. */
static bool lists(const char *header, const char *name, bool any_case)
{
    size_t wanted = strlen(name), n;
    const char *word;
    while (header != NULL && (word = vt_ws_word(&header, &n)) != NULL) {
        if (n == wanted &&
            (any_case ? strncasecmp(word, name, wanted) == 0 : memcmp(word, name, wanted) == 0)) {
            return true;
        }
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

unsigned vt_ws_handshake(const struct vt_ws_request *request, const char *spoken,
                         char accept[VT_WS_ACCEPT_MAX], const char **protocol)
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
    bool known = lists(request->protocol, spoken, false);
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
    *protocol = known ? spoken : NULL;
    return 101;
}

/* ---------------------------------------------------------------- a connection */

struct vt_ws {
    int fd;
    struct vt_source *source, *timer;
    wslay_event_context_ptr wslay;
    const struct vt_ws_limits *limits;
    const struct vt_ws_calls *calls;
    void *arg;
    uint8_t *early;
    size_t early_bytes, early_at;
    size_t turn; /* bytes that may still be read in this turn */
    bool closing, failed, pinged;
    bool lost;       /* the socket has ended, or an error */
    bool emptying;   /* closed by us; what comes is thrown away */
    bool taking;     /* what came is told of: what is said meanwhile goes out afterwards */
    bool waiting;    /* something was queued that the loop has not seen to its end */
    uint16_t finish; /* close with that once all has been handed on; 0: no */
    char reason[VT_WS_REASON_MAX + 1];
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
    struct vt_ws *ws = arg;
    (void)ctx;
    if (wslay_is_ctrl_frame(msg->opcode) || ws->closing) {
        return;
    }
    if (ws->limits->message_bytes > 0 && msg->opcode == WSLAY_TEXT_FRAME) {
        ws->calls->text(ws, (const char *)msg->msg, msg->msg_length, ws->arg);
    } else {
        say_close(ws, VT_WS_PROTOCOL, WSLAY_CODE_UNSUPPORTED_DATA,
                  ws->limits->message_bytes > 0 ? "only texts are taken here"
                                                : "nothing is to be sent here");
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

bool vt_ws_is_drained(const struct vt_ws *ws)
{
    return !wslay_event_want_write(ws->wslay);
}

/* Sends what can be sent, and waits for what is wanted next. */
static void go_on(struct vt_ws *ws)
{
    if (ws->failed || ws->taking) {
        return;
    }
    if (wslay_event_want_write(ws->wslay) && wslay_event_send(ws->wslay) != 0) {
        fail(ws, VT_WS_GONE);
        return;
    }
    if (ws->finish != 0 && vt_ws_is_drained(ws)) {
        wslay_event_queue_close(ws->wslay, ws->finish, (const uint8_t *)ws->reason,
                                strlen(ws->reason));
        ws->finish = 0;
        if (wslay_event_send(ws->wslay) != 0) {
            fail(ws, VT_WS_GONE);
            return;
        }
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

static void tell_drained(struct vt_ws *ws)
{
    if (ws->waiting && !ws->closing && vt_ws_is_drained(ws)) {
        ws->waiting = false;
        if (ws->calls->drained != NULL) {
            ws->calls->drained(ws, ws->arg);
        }
    }
}

static void take(struct vt_ws *ws)
{
    ws->turn = TURN_BYTES;
    ws->taking = true;
    bool bad = wslay_event_want_read(ws->wslay) && wslay_event_recv(ws->wslay) != 0;
    ws->taking = false;
    if (bad) {
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
    tell_drained(ws);
}

static void on_timer(struct vt_source *source, uint32_t events, void *arg)
{
    struct vt_ws *ws = arg;
    (void)source;
    (void)events;
    if (!ws->closing && ws->early_at < ws->early_bytes) {
        take(ws);
        go_on(ws);
        tell_drained(ws);
    } else if (ws->closing || ws->pinged) {
        enum vt_ws_end how = ws->closing ? ws->how : VT_WS_GONE;
        ws->calls->ended(ws, how, ws->arg);
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
                 const struct vt_ws_limits *limits, const struct vt_ws_calls *calls, void *arg,
                 struct vt_ws **ws, struct vt_error *err)
{
    static const struct wslay_event_callbacks callbacks = {
        .recv_callback = on_recv, .send_callback = on_send, .on_msg_recv_callback = on_message};
    struct vt_ws *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    *w = (struct vt_ws){.fd = fd, .limits = limits, .calls = calls, .arg = arg};
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
    wslay_event_config_set_max_recv_msg_length(
        w->wslay, limits->message_bytes > 0 ? limits->message_bytes : RECEIVED_MAX);
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

static bool queue(struct vt_ws *ws, uint8_t opcode, const void *data, size_t bytes)
{
    if (ws->closing) {
        return true;
    }
    const struct wslay_event_msg msg = {.opcode = opcode, .msg = data, .msg_length = bytes};
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
    ws->waiting = !vt_ws_is_drained(ws);
    return true;
}

bool vt_ws_send(struct vt_ws *ws, const char *text, size_t bytes)
{
    return queue(ws, WSLAY_TEXT_FRAME, text, bytes);
}

bool vt_ws_send_binary(struct vt_ws *ws, const void *data, size_t bytes)
{
    return queue(ws, WSLAY_BINARY_FRAME, data, bytes);
}

/* Copies a reason, cut at a character's border. */
static void keep_reason(struct vt_ws *ws, const char *reason)
{
    size_t at = 0, n;
    while (reason[at] != '\0' && (n = vt_utf8_length(reason + at, strlen(reason + at))) > 0 &&
           at + n <= VT_WS_REASON_MAX) {
        at += n;
    }
    memcpy(ws->reason, reason, at);
    ws->reason[at] = '\0';
}

static enum vt_ws_end how_of(uint16_t code)
{
    bool theirs = code == 1008 || (code >= 1002 && code <= 1007);
    return theirs ? VT_WS_PROTOCOL : VT_WS_CLOSED;
}

void vt_ws_close(struct vt_ws *ws, uint16_t code, const char *reason)
{
    keep_reason(ws, reason);
    ws->finish = 0;
    say_close(ws, how_of(code), code, ws->reason);
    go_on(ws);
}

void vt_ws_finish(struct vt_ws *ws, uint16_t code, const char *reason)
{
    if (!ws->closing) {
        keep_reason(ws, reason);
        ws->finish = code;
        begin_closing(ws, how_of(code));
        go_on(ws);
    }
}
