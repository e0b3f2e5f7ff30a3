/* server/websocket.h - WebSocket: the handshake, and one connection that is told things.
 *
 * A client listens; what it sends besides control frames is refused. Frames are wslay's business;
 * ours are the limits: a reader that is too slow, a peer that is silent or does not end its part of
 * the closing is cut off.
 *
 * Everything here belongs to the loop's thread.
 *
 * Source: RFC 6455; close codes: its section 7.4 and IANA's registry (1013: try again later).
 */
#ifndef VT_SERVER_WEBSOCKET_H
#define VT_SERVER_WEBSOCKET_H

#include "base/loop.h"

#define VT_WS_SUBPROTOCOL "vitrine.events.v1"
#define VT_WS_ACCEPT_MAX 32

/** Headers of a request that wants to become a WebSocket; NULL: not sent. */
struct vt_ws_request {
    const char *upgrade, *connection, *version, *key, *protocol;
    bool http_1_1;
};
/** 101, and what Sec-WebSocket-Accept and Sec-WebSocket-Protocol (NULL: none) say; else 400, or 426
 *  for another version of WebSocket or none at all. */
unsigned vt_ws_handshake(const struct vt_ws_request *request, char accept[VT_WS_ACCEPT_MAX],
                         const char **protocol);

enum vt_ws_end {
    VT_WS_CLOSED,   /**< both sides said so */
    VT_WS_GONE,     /**< the peer went without a word, or was silent too long */
    VT_WS_SLOW,     /**< it did not read what was sent */
    VT_WS_PROTOCOL, /**< it broke the protocol, or sent what it should not */
    VT_WS_ENDS,
};

struct vt_ws_limits {
    size_t queue_bytes;   /**< of messages that wait to be read */
    unsigned queue_count; /**< messages of these */
    uint64_t ping_ns;     /**< a silent peer is asked, and after twice that is gone */
    uint64_t close_ns;    /**< for the peer's part of closing */
};
extern const struct vt_ws_limits vt_ws_limits;

struct vt_ws;

/** Takes over a connected socket; `fd` stays the caller's, who closes it after `ended`. `early` are
 *  bytes that came with the handshake. `ended` is called once, never from within vt_ws_create,
 *  vt_ws_send or vt_ws_close; *ws is freed when it returns. */
int vt_ws_create(struct vt_loop *loop, int fd, const void *early, size_t early_bytes,
                 const struct vt_ws_limits *limits,
                 void (*ended)(struct vt_ws *ws, enum vt_ws_end how, void *arg), void *arg,
                 struct vt_ws **ws, struct vt_error *err);
/** Frees at once, without a word and without `ended`. Takes NULL. */
void vt_ws_destroy(struct vt_ws *ws);
/** Queues a text message (UTF-8, copied); nothing once it is closing. False: it was too slow and is
 *  being closed now. */
bool vt_ws_send(struct vt_ws *ws, const char *text, size_t bytes);
/** Begins to close: 1001 when the server goes. */
void vt_ws_close(struct vt_ws *ws, uint16_t code, const char *reason);

#endif
