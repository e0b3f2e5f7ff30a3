/* server/websocket.h - WebSocket: the handshake, and one connection that is told things.
 *
 * A client listens, and says something only where its limits let it: texts of a bounded length.
 * Frames are wslay's business; ours are the limits: a reader that is too slow, a peer that is
 * silent or does not end its part of the closing is cut off.
 *
 * Everything here belongs to the loop's thread.
 *
 * Source: RFC 6455; close codes: its section 7.4 and IANA's registry (1013: try again later).
 */
#ifndef VT_SERVER_WEBSOCKET_H
#define VT_SERVER_WEBSOCKET_H

#include "base/loop.h"

#define VT_WS_EVENTS "vitrine.events.v1"
#define VT_WS_VOLUME "vitrine.volume.v1"
/** Browsers, which set no headers of a WebSocket, show the token as one more subprotocol. */
#define VT_WS_TOKEN_PREFIX "vitrine.token."
#define VT_WS_ACCEPT_MAX 32
#define VT_WS_REASON_MAX 123 /**< bytes of a close's reason */

/** Headers of a request that wants to become a WebSocket; NULL: not sent. */
struct vt_ws_request {
    const char *upgrade, *connection, *version, *key, *protocol;
    bool http_1_1;
};
/** 101, and what Sec-WebSocket-Accept and Sec-WebSocket-Protocol say: `spoken`, or NULL where the
 *  client offers none at all; else 400, or 426 for another version of WebSocket or none at all. */
unsigned vt_ws_handshake(const struct vt_ws_request *request, const char *spoken,
                         char accept[VT_WS_ACCEPT_MAX], const char **protocol);
/** The next of a header's comma-separated words at or after *at, without blanks; NULL: no more. */
const char *vt_ws_word(const char **at, size_t *bytes);

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
    size_t message_bytes; /**< of a text from the peer; 0: none is taken */
};
extern const struct vt_ws_limits vt_ws_limits;        /**< who only listens */
extern const struct vt_ws_limits vt_ws_volume_limits; /**< who is sent a volume */

struct vt_ws;

/** What is told of a connection, always from the loop and never from within a call of these
 *  functions. */
struct vt_ws_calls {
    /** It is over; *ws is freed when this returns. Called once. */
    void (*ended)(struct vt_ws *ws, enum vt_ws_end how, void *arg);
    /** A text came: UTF-8, not terminated. NULL where the limits take none. */
    void (*text)(struct vt_ws *ws, const char *text, size_t bytes, void *arg);
    /** All that was queued has been handed on. NULL: nobody wants to know. */
    void (*drained)(struct vt_ws *ws, void *arg);
};

/** Takes over a connected socket; `fd` stays the caller's, who closes it after `ended`. `early` are
 *  bytes that came with the handshake. `limits` and `calls` outlive it. */
int vt_ws_create(struct vt_loop *loop, int fd, const void *early, size_t early_bytes,
                 const struct vt_ws_limits *limits, const struct vt_ws_calls *calls, void *arg,
                 struct vt_ws **ws, struct vt_error *err);
/** Frees at once, without a word and without `ended`. Takes NULL. */
void vt_ws_destroy(struct vt_ws *ws);
/** Queues a text message (UTF-8, copied); nothing once it is closing. False: it was too slow and is
 *  being closed now. */
bool vt_ws_send(struct vt_ws *ws, const char *text, size_t bytes);
/** The same with a binary one. */
bool vt_ws_send_binary(struct vt_ws *ws, const void *data, size_t bytes);
/** Whether nothing that was queued waits. */
bool vt_ws_is_drained(const struct vt_ws *ws);
/** Begins to close, before what is queued: 1001 when the server goes. `reason` is cut at
 *  VT_WS_REASON_MAX. */
void vt_ws_close(struct vt_ws *ws, uint16_t code, const char *reason);
/** The same after what is queued, if that is read within close_ns. */
void vt_ws_finish(struct vt_ws *ws, uint16_t code, const char *reason);

#endif
