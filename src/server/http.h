/* server/http.h - HTTP on one event loop: connections, requests, answers.
 *
 * libmicrohttpd parses and sends; its epoll descriptor is one source of the loop. Connections are
 * taken here, so that limits and who is asking are known before a byte is read. Operations run on a
 * pool of threads while their connection is suspended. Everything here belongs to the loop's
 * thread.
 */
#ifndef VT_SERVER_HTTP_H
#define VT_SERVER_HTTP_H

#include "server/auth.h"
#include "server/feed.h"
#include "server/listen.h"
#include "server/ops.h"
#include "server/stream.h"
#include "server/watch.h"

struct vt_assets;
struct vt_mcp;
struct vt_http;

/** What is bounded, and by how much. */
struct vt_http_limits {
    unsigned connections; /**< at once; the longest unfinished makes room for a new one */
    unsigned per_address; /**< of them from one address (IPv6: one /64) */
    unsigned websockets;  /**< of them */
    unsigned requests;    /**< of one connection, one after the other */
    unsigned headers;     /**< of a request, in number */
    size_t memory_bytes;  /**< of a request's line and headers: what they are parsed in */
    size_t body_bytes;    /**< of a request */
    unsigned queue;       /**< operations that wait for a thread */
    uint64_t header_ns;   /**< from the connection or the first line to the end of the headers */
    uint64_t idle_ns;     /**< between requests */
    uint64_t body_ns;     /**< for a body */
    uint64_t send_ns;     /**< for an answer to be read, and a second for each… */
    size_t send_bytes_per_s;
};
extern const struct vt_http_limits vt_http_limits;

/** Everything outlives the server. */
struct vt_http_options {
    struct vt_loop *loop;
    struct vt_host *host;
    struct vt_watch *watch;
    struct vt_feed *feed;
    struct vt_assets *assets;
    struct vt_mcp *mcp;         /**< or NULL: /mcp leads nowhere */
    struct vt_streams *streams; /**< or NULL: no VM's volume is streamed */
    const struct vt_op *const *ops;
    const struct vt_auth *auth;
    const struct vt_listeners *listeners;
    const struct vt_http_limits *limits;
    unsigned threads;
    uint64_t fresh_ns; /**< a sample older than this says nothing of the present */
};

int vt_http_create(const struct vt_http_options *options, struct vt_http **http,
                   struct vt_error *err);
/** Ends all connections at once and waits for operations that run. Takes NULL. */
void vt_http_destroy(struct vt_http *http);
/** What the feed tells: for WebSockets, and for what is kept. Takes the message. */
void vt_http_tell(struct vt_http *http, struct vt_feed_message *message);
/** No new connections; requests end, WebSockets are closed. `drained` is called once all are gone,
 *  at once if there are none. */
void vt_http_drain(struct vt_http *http, void (*drained)(void *arg), void *arg);

#endif
