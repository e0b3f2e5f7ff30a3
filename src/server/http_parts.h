/* server/http_parts.h - inside of struct vt_http, for http*.c only. */
#ifndef VT_SERVER_HTTP_PARTS_H
#define VT_SERVER_HTTP_PARTS_H

#include "server/cache.h"
#include "server/http.h"
#include "server/mcp.h"
#include "server/metrics.h"
#include "server/pool.h"
#include "server/route.h"

#define VT_HTTP_VMS_MAX 256

enum phase {
    PHASE_IDLE,    /* a request's first line has not come */
    PHASE_HEADERS, /* it has */
    PHASE_BODY,
    PHASE_WORKING, /* suspended: an operation runs, or waits */
    PHASE_SENDING,
    PHASE_UPGRADED, /* a WebSocket */
};

struct connection {
    struct vt_http *http;
    struct connection *next, **link;
    struct MHD_Connection *mhd;
    int fd;
    enum vt_peer peer;
    uint8_t address[16]; /* what counts as one address */
    char name[64];       /* who is asking, for the log */
    char local[64];      /* where, as in a URL; "" for a Unix socket */
    enum phase phase;
    uint64_t deadline_ns; /* of the phase */
    unsigned served;
    bool doomed; /* shut down; libmicrohttpd is about to notice */
    struct request *request;
};

struct request {
    struct vt_job job;
    struct vt_cache_waiter waiter;
    struct connection *connection;
    char *target;
    const char *method;
    unsigned metric;
    uint64_t began_ns;
    enum vt_other_request other; /* VT_REQUEST_NONE and no route.op: leads nowhere */
    struct vt_route route;
    bool seen; /* its headers */
    bool http_1_1;
    bool may_change;
    bool has_body;
    bool dispatched;
    char *body;
    size_t bytes, room, received;
    struct vt_reply *reply;         /* NULL while there is none, or memory for none */
    struct vt_cache_entry *entry;   /* it fills */
    struct vt_mcp_http_request mcp; /* an operation's or MCP's work and what came of it */
    struct vt_mcp_http_reply mcp_reply;
    struct vt_op_reply result;
    int rc;
    struct vt_error err;
    volatile int stop;
    struct client *client; /* of a WebSocket to be */
};

struct client_kind;
struct sampled;

/* A WebSocket. Its kind's own struct begins with it. */
struct client {
    struct vt_http *http;
    const struct client_kind *kind;
    struct client *next, **link; /* of those that are open */
    struct vt_ws *ws;
    struct MHD_UpgradeResponseHandle *handle;
};

/* What a WebSocket is for. */
struct client_kind {
    const char *protocol;
    const struct vt_ws_limits *limits;
    /* Makes one (malloc'ed; free() is enough until it begins) of a request. */
    int (*prepare)(struct vt_http *http, const struct request *r, struct client **client,
                   struct vt_error *err);
    int (*begin)(struct client *client, struct vt_error *err);
    void (*opened)(struct client *client); /* or NULL: `ws` is there */
    void (*end)(struct client *client);    /* takes back what begin did; `ws` is gone */
    void (*text)(struct client *client, const char *text, size_t bytes);
    void (*drained)(struct client *client); /* or NULL */
};

struct vt_http {
    struct vt_http_options o;
    struct MHD_Daemon *daemon;
    struct vt_source *daemon_source, *again, *tick, *listening[VT_LISTENERS_MAX];
    struct vt_routes *routes;
    struct vt_metrics *metrics;
    struct vt_pool *pool;
    struct vt_cache *cache;
    struct connection *connections, *adding;
    unsigned n_connections;
    struct client *clients;
    unsigned n_clients;
    struct vt_reply *openapi;
    bool draining, drained_told;
    void (*drained)(void *arg);
    void *drained_arg;
    unsigned n_sampled;
    struct sampled *sampled[VT_HTTP_VMS_MAX];
};

/* http_request.c: libmicrohttpd's callbacks of one request. */
void *vt_http_on_line(void *arg, const char *target, struct MHD_Connection *mhd);
enum MHD_Result vt_http_on_request(void *arg, struct MHD_Connection *mhd, const char *url,
                                   const char *method, const char *version, const char *data,
                                   size_t *bytes, void **request);
void vt_http_on_completed(void *arg, struct MHD_Connection *mhd, void **request,
                          enum MHD_RequestTerminationCode how);
/* Counts its answer. */
void vt_http_count(const struct request *r);

/* http_sockets.c: WebSockets. */
/** Makes the client a request asks for: 101, or what is wrong. */
struct vt_reply *vt_http_upgrade(struct request *r, const struct client_kind *kind);
/** Forgets the client of a request that did not become one. */
void vt_http_abandon(struct request *r);
void vt_http_close_clients(struct vt_http *http);
/** Frees all without a word. */
void vt_http_drop_clients(struct vt_http *http);

/* http_events.c: those who are told what happens. */
extern const struct client_kind vt_http_listener;
/** Tells who listens. */
void vt_http_broadcast(struct vt_http *http, const struct vt_feed_message *message);

/* http_volume.c: those who draw a VM's RAM. */
extern const struct client_kind vt_http_viewer;
/** Whether a target is the path of one, and of which VM. */
bool vt_http_volume_vm(const char *target, char vm[VT_VM_NAME_MAX + 1]);

/* http.c */
/** Has libmicrohttpd look at what was resumed, which it is not told of without threads of its own.
 */
void vt_http_soon(struct vt_http *http);
void vt_http_phase(struct connection *c, enum phase phase, uint64_t allowed_ns);

/* http_samples.c: which sample of a VM is told of. */
struct vt_version vt_http_version(const struct vt_http *http, const char *vm);
void vt_http_check_samples(struct vt_http *http, uint64_t now_ns);
void vt_http_forget_samples(struct vt_http *http);

#endif
