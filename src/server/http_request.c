/* server/http_request.c - one request, from its first line to the end of its answer.
 *
 * libmicrohttpd calls on the first line, on the headers, on each piece of the body, and when all is
 * there; whoever is refused because of his headers is told so as soon as his body need not be read.
 * Operations suspend the connection and run on the pool; it is resumed with the answer at hand.
 */
#include "server/http_parts.h"

#include "base/io.h"
#include "server/assets.h"
#include "server/openapi.h"
#include "vitrine/version.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* More of a body that is too large is not even thrown away. */
#define DISCARDED_MAX_BODIES 4

/* Paths that are no operations. */
static const struct {
    const char *path, *methods; /* NULL: all methods, its own business */
    enum vt_other_request what;
    enum vt_wants wants;
} places[] = {
    {"/healthz", "GET, HEAD, OPTIONS", VT_REQUEST_HEALTH, VT_WANTS_HEALTH},
    {"/metrics", "GET, HEAD, OPTIONS", VT_REQUEST_METRICS, VT_WANTS_READ},
    {"/api/openapi.json", "GET, HEAD, OPTIONS", VT_REQUEST_OPENAPI, VT_WANTS_READ},
    {VT_ROUTE_PREFIX "/events", "GET, OPTIONS", VT_REQUEST_EVENTS, VT_WANTS_READ},
    {"/mcp", NULL, VT_REQUEST_MCP, VT_WANTS_READ},
};

/* For browsers' files. */
static const char file_methods[] = "GET, HEAD, OPTIONS";

/* ---------------------------------------------------------------- beginning */

void *vt_http_on_line(void *arg, const char *target, struct MHD_Connection *mhd)
{
    struct vt_http *http = arg;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct request *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return NULL;
    }
    r->target = strdup(target != NULL ? target : "");
    if (r->target == NULL) {
        free(r);
        return NULL;
    }
    r->connection = info->socket_context;
    r->connection->request = r;
    r->began_ns = vt_now_ns();
    r->other = VT_REQUEST_NONE;
    r->metric = vt_metrics_other(http->metrics, VT_REQUEST_NONE);
    vt_http_phase(r->connection, PHASE_HEADERS, http->o.limits->header_ns);
    return r;
}

/* What the rules of headers are broken by; and those that are looked for, once each. */
struct headers {
    unsigned n;
    bool bad;
    const char *host, *origin, *authorization, *length, *encoding, *type, *expect, *protocols;
};

static enum MHD_Result on_header(void *arg, enum MHD_ValueKind kind, const char *name,
                                 const char *value)
{
    static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ"; /* RFC 9110, 5.6.2 */
    struct headers *h = arg;
    const struct {
        const char *name, **value;
    } known[] = {
        {"Host", &h->host},
        {"Origin", &h->origin},
        {"Authorization", &h->authorization},
        {"Content-Length", &h->length},
        {"Transfer-Encoding", &h->encoding},
        {"Content-Type", &h->type},
        {"Expect", &h->expect},
    };
    (void)kind;
    h->n++;
    h->bad |= name[0] == '\0' || name[strspn(name, token)] != '\0';
    for (const char *c = value != NULL ? value : ""; *c != '\0'; c++) {
        h->bad |= ((unsigned char)*c < ' ' && *c != '\t') || *c == 0x7f;
    }
    if (h->protocols == NULL && strcasecmp(name, "Sec-WebSocket-Protocol") == 0) {
        h->protocols = value; /* more of them may follow, and are not looked at */
    }
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcasecmp(name, known[i].name) == 0) {
            h->bad |= *known[i].value != NULL;
            *known[i].value = value != NULL ? value : "";
        }
    }
    return MHD_YES;
}

static void refuse(struct request *r, unsigned status, enum vt_refusal why, const char *detail)
{
    if (why != VT_REFUSALS) {
        vt_metrics_refused(r->connection->http->metrics, why);
    }
    r->reply = vt_reply_problem(status, detail);
    r->dispatched = true;
}

/* 204 with what may be done, or 405. */
static void answer_methods(struct request *r, const char *allow)
{
    bool asked = strcmp(r->method, "OPTIONS") == 0;
    r->dispatched = true;
    r->reply = asked ? vt_reply_make(204, NULL, 0, NULL) : vt_reply_problem(405, NULL);
    if (r->reply != NULL && !vt_reply_header(r->reply, "Allow", allow)) {
        vt_reply_drop(r->reply);
        r->reply = NULL;
    }
}

/* Finds what the target leads to; *allow is set when the method does not fit. */
static int find(struct request *r, enum vt_wants *wants, const char **allow, struct vt_error *err)
{
    struct vt_http *http = r->connection->http;
    size_t path = strcspn(r->target, "?");
    *wants = VT_WANTS_READ;
    if (strcmp(r->target, "*") == 0 && strcmp(r->method, "OPTIONS") == 0) {
        *allow = "GET, HEAD, POST, PUT, DELETE, OPTIONS";
        return 0;
    }
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (strlen(places[i].path) == path && memcmp(places[i].path, r->target, path) == 0 &&
            (places[i].what != VT_REQUEST_MCP || http->o.mcp != NULL)) {
            r->other = places[i].what;
            r->metric = vt_metrics_other(http->metrics, r->other);
            *wants = places[i].wants;
            bool taken = places[i].methods == NULL || strcmp(r->method, "GET") == 0 ||
                         (strcmp(r->method, "HEAD") == 0 && strstr(places[i].methods, "HEAD"));
            *allow = taken ? NULL : places[i].methods;
            return 0;
        }
    }
    char name[VT_ASSET_NAME_MAX + 1];
    if (vt_asset_name(r->target, name)) {
        bool taken = strcmp(r->method, "GET") == 0 || strcmp(r->method, "HEAD") == 0;
        r->other = VT_REQUEST_PAGE;
        r->metric = vt_metrics_other(http->metrics, r->other);
        *wants = VT_WANTS_FILES;
        *allow = taken ? NULL : file_methods;
        return 0;
    }
    char vm[VT_VM_NAME_MAX + 1];
    if (http->o.streams != NULL && vt_http_volume_vm(r->target, vm)) {
        r->other = VT_REQUEST_VOLUME;
        r->metric = vt_metrics_other(http->metrics, r->other);
        *allow = strcmp(r->method, "GET") == 0 ? NULL : "GET, OPTIONS";
        return 0;
    }
    int rc = vt_route_find(http->routes, r->method, r->target, &r->route, err);
    if (rc == 0 && r->route.op != NULL) {
        r->metric = r->route.index;
        *wants = (r->route.op->flags & VT_OP_CHANGES) != 0 ? VT_WANTS_CHANGE : VT_WANTS_READ;
    } else if (rc == 0 && r->route.status == 405) {
        *allow = r->route.allow;
    }
    return rc;
}

/* Host, Origin, then who may. True: go on. */
static bool let_in(struct request *r, const struct headers *h, enum vt_wants wants)
{
    const struct connection *c = r->connection;
    const struct vt_auth *auth = c->http->o.auth;
    unsigned status = vt_auth_host(auth, h->host, c->local[0] != '\0' ? c->local : NULL);
    if (status != 0) {
        refuse(r, status, VT_REFUSED_HOST, status == 400 ? "Host is missing or no host" : NULL);
        return false;
    }
    status = vt_auth_origin(auth, h->origin, h->host);
    if (status != 0) {
        refuse(r, status, VT_REFUSED_ORIGIN, NULL);
        return false;
    }
    bool socket = r->other == VT_REQUEST_EVENTS || r->other == VT_REQUEST_VOLUME;
    int offered = socket ? vt_auth_offers_token(auth, h->protocols) : 0;
    bool bearer = vt_auth_shows_token(auth, h->authorization), shown = bearer || offered > 0;
    bool wrong = (h->authorization != NULL && !bearer) || offered < 0;
    status = vt_auth_may(auth, c->peer, wants, shown);
    if (status != 0 || wrong) {
        refuse(r, 401, VT_REFUSED_TOKEN,
               wrong ? "this is not the token of this server"
                     : "send it as 'Authorization: Bearer TOKEN'");
        return false;
    }
    r->may_change = shown || c->peer == VT_PEER_OWNER;
    return true;
}

static bool is_json(const char *type)
{
    static const char json[] = "application/json";
    size_t n = sizeof json - 1;
    return type != NULL && strncasecmp(type, json, n) == 0 &&
           (type[n] == '\0' || type[n] == ';' || type[n] == ' ');
}

/* A body only where one belongs, of the right type, and not too long. */
static void check_body(struct request *r, const struct headers *h)
{
    const struct vt_http_limits *limits = r->connection->http->o.limits;
    unsigned long long length = h->length != NULL ? strtoull(h->length, NULL, 10) : 0;
    r->has_body = length > 0 || h->encoding != NULL;
    bool mcp = r->other == VT_REQUEST_MCP;
    bool wanted = mcp || (r->route.op != NULL &&
                          (strcmp(r->method, "POST") == 0 || strcmp(r->method, "PUT") == 0));
    if (r->dispatched) {
        return;
    }
    if (h->encoding != NULL && strcasecmp(h->encoding, "chunked") != 0) {
        refuse(r, 501, VT_REFUSED_MALFORMED, "only 'chunked' is known as a transfer encoding");
    } else if (h->encoding != NULL && h->length != NULL) {
        refuse(r, 400, VT_REFUSED_MALFORMED, "Content-Length and Transfer-Encoding");
    } else if (h->expect != NULL && strcasecmp(h->expect, "100-continue") != 0) {
        refuse(r, 400, VT_REFUSED_MALFORMED, "only '100-continue' is known as an expectation");
    } else if (r->has_body && !wanted) {
        refuse(r, 400, VT_REFUSED_MALFORMED, "no body is taken here");
    } else if (length > limits->body_bytes) {
        refuse(r, 413, VT_REFUSED_TOO_LARGE, NULL);
    } else if (r->has_body && !mcp && !is_json(h->type)) {
        refuse(r, 415, VT_REFUSALS, NULL);
    }
}

static void see_headers(struct request *r, const char *method, const char *version)
{
    struct connection *c = r->connection;
    struct headers h = {0};
    enum vt_wants wants = VT_WANTS_READ;
    const char *allow = NULL;
    struct vt_error err;
    r->seen = true;
    r->method = method;
    r->http_1_1 = strcmp(version, "HTTP/1.1") == 0;
    MHD_get_connection_values(c->mhd, MHD_HEADER_KIND, on_header, &h);
    if (h.bad) {
        refuse(r, 400, VT_REFUSED_MALFORMED, "a header that cannot be, or is there twice");
    } else if (h.n > c->http->o.limits->headers) {
        refuse(r, 431, VT_REFUSED_TOO_LARGE, NULL);
    } else if (strlen(r->target) > VT_TARGET_MAX) {
        refuse(r, 414, VT_REFUSED_TOO_LARGE, NULL);
    } else {
        int rc = find(r, &wants, &allow, &err);
        if (let_in(r, &h, wants)) {
            if (rc != 0) {
                vt_metrics_refused(c->http->metrics, VT_REFUSED_MALFORMED);
                r->reply = vt_reply_error(&err);
                r->dispatched = true;
            } else if (allow != NULL) {
                answer_methods(r, allow);
            } else if (r->other == VT_REQUEST_NONE && r->route.op == NULL) {
                refuse(r, 404, VT_REFUSALS, NULL);
            }
        }
    }
    check_body(r, &h);
    vt_http_phase(c, PHASE_BODY, c->http->o.limits->body_ns);
}

/* ---------------------------------------------------------------- working */

static const char *header(const struct request *r, const char *name)
{
    return MHD_lookup_connection_value(r->connection->mhd, MHD_HEADER_KIND, name);
}

static void answered(struct request *r, struct vt_reply *reply)
{
    r->reply = reply;
    MHD_resume_connection(r->connection->mhd);
    vt_http_soon(r->connection->http);
}

static void on_cached(struct vt_cache_waiter *waiter, struct vt_reply *answer,
                      struct vt_reply *unmodified)
{
    struct request *r =
        (struct request *)(void *)((char *)waiter - offsetof(struct request, waiter));
    const char *tag = unmodified != NULL ? MHD_get_response_header(unmodified->mhd, "ETag") : NULL;
    bool has_it = tag != NULL && vt_etag_matches(header(r, "If-None-Match"), tag);
    struct vt_reply *reply = has_it ? unmodified : answer;
    answered(r, reply != NULL ? vt_reply_keep(reply) : NULL);
}

static struct request *of_job(struct vt_job *job)
{
    return (struct request *)(void *)((char *)job - offsetof(struct request, job));
}

static void work_operation(struct vt_job *job)
{
    struct request *r = of_job(job);
    const struct connection *c = r->connection;
    r->rc = vt_op_run(c->http->o.host, r->route.op, r->route.args, c->name, &r->stop, &r->result,
                      &r->err);
}

static void done_operation(struct vt_job *job)
{
    struct request *r = of_job(job);
    struct vt_reply *reply;
    if (r->rc == 0) {
        bool png = (r->route.op->flags & VT_OP_PNG) != 0;
        reply = vt_reply_make(200, r->result.body, r->result.bytes,
                              png ? "image/png" : "application/json");
        r->result.body = NULL;
    } else {
        reply = vt_reply_error(&r->err);
    }
    if (r->entry != NULL) {
        vt_cache_fill(r->connection->http->cache, r->entry, reply);
    } else {
        answered(r, reply);
    }
}

static void work_mcp(struct vt_job *job)
{
    struct request *r = of_job(job);
    r->rc = vt_mcp_http(r->connection->http->o.mcp, &r->mcp, &r->mcp_reply, &r->err);
}

static void done_mcp(struct vt_job *job)
{
    struct request *r = of_job(job);
    struct vt_reply *reply;
    if (r->rc == 0) {
        reply = vt_reply_make(r->mcp_reply.status, r->mcp_reply.body, r->mcp_reply.bytes,
                              r->mcp_reply.content_type);
        r->mcp_reply.body = NULL;
        if (reply != NULL && r->mcp_reply.allow != NULL &&
            !vt_reply_header(reply, "Allow", r->mcp_reply.allow)) {
            vt_reply_drop(reply);
            reply = NULL;
        }
    } else {
        reply = vt_reply_error(&r->err);
    }
    answered(r, reply);
}

static void suspend(struct request *r)
{
    vt_http_phase(r->connection, PHASE_WORKING, 0);
    MHD_suspend_connection(r->connection->mhd);
}

/* Hands it to the pool. The connection is suspended already. */
static void submit(struct request *r, void (*work)(struct vt_job *job),
                   void (*done)(struct vt_job *job))
{
    struct vt_http *http = r->connection->http;
    r->job.work = work;
    r->job.done = done;
    if (vt_pool_submit(http->pool, &r->job, NULL) == 0) {
        return;
    }
    vt_metrics_refused(http->metrics, VT_REFUSED_QUEUE);
    struct vt_reply *reply = vt_reply_problem(503, "too much to do at once");
    if (r->entry != NULL) {
        vt_cache_fill(http->cache, r->entry, reply);
    } else {
        answered(r, reply);
    }
}

static void run_operation(struct request *r)
{
    struct vt_http *http = r->connection->http;
    struct vt_version version = {0};
    struct vt_cached cached;
    const char *vm = json_string_value(json_object_get(r->route.args, "vm"));
    if ((r->route.op->flags & VT_OP_DATABASE) != 0 && strcmp(r->route.op->method, "GET") == 0 &&
        vm != NULL) {
        version = vt_http_version(http, vm);
    }
    r->waiter.answered = on_cached;
    enum vt_cache_found found =
        vt_cache_find(http->cache, r->target, vm, version, &r->waiter, &cached, &r->entry);
    if (version.number != 0) {
        vt_metrics_cached(http->metrics, found == VT_CACHE_HIT || found == VT_CACHE_JOINED);
    }
    if (found == VT_CACHE_HIT) {
        bool has_it = vt_etag_matches(header(r, "If-None-Match"), cached.etag);
        r->reply = vt_reply_keep(has_it ? cached.unmodified : cached.answer);
        return;
    }
    suspend(r);
    if (found != VT_CACHE_JOINED) {
        submit(r, work_operation, done_operation);
    }
}

static void run_mcp(struct request *r)
{
    r->mcp = (struct vt_mcp_http_request){
        .method = r->method,
        .protocol_version = header(r, "MCP-Protocol-Version"),
        .mcp_method = header(r, "Mcp-Method"),
        .mcp_name = header(r, "Mcp-Name"),
        .content_type = header(r, "Content-Type"),
        .accept = header(r, "Accept"),
        .body = r->body != NULL ? r->body : "",
        .bytes = r->bytes,
        .may_change = r->may_change,
        .stop = &r->stop,
    };
    suspend(r);
    submit(r, work_mcp, done_mcp);
}

/* Text that `write` makes, at once. */
static struct vt_reply *written(void (*write)(struct vt_http *http, FILE *out),
                                struct vt_http *http, const char *type)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *f = open_memstream(&text, &bytes);
    if (f == NULL) {
        return NULL;
    }
    write(http, f);
    if (fclose(f) != 0) {
        free(text);
        return NULL;
    }
    return vt_reply_make(200, text, bytes, type);
}

static void write_health(struct vt_http *http, FILE *out)
{
    struct vt_json_writer w;
    (void)http;
    vt_json_init(&w, out, false);
    vt_json_object(&w);
    vt_json_kv_string(&w, "status", "ok");
    vt_json_kv_string(&w, "version", VITRINE_VERSION);
    vt_json_object_end(&w);
    vt_json_finish(&w);
}

static void write_metrics(struct vt_http *http, FILE *out)
{
    struct vt_metrics_now now = {.connections = http->n_connections,
                                 .ws_clients = http->n_clients,
                                 .feed_dropped = vt_feed_dropped(http->o.feed),
                                 .host = http->o.host,
                                 .watch = http->o.watch};
    struct vt_streams_stats streams;
    if (http->o.streams != NULL) {
        vt_streams_stats(http->o.streams, &streams);
        now.streams = &streams;
    }
    vt_pool_load(http->pool, &now.jobs_waiting, &now.jobs_running);
    vt_metrics_write(http->metrics, &now, out);
}

static void write_openapi(struct vt_http *http, FILE *out)
{
    (void)http;
    vt_openapi_write(out, NULL); /* what goes wrong shows in the stream */
}

/* It never changes. */
static struct vt_reply *openapi(struct vt_http *http)
{
    if (http->openapi == NULL) {
        http->openapi = written(write_openapi, http, "application/json");
    }
    return http->openapi != NULL ? vt_reply_keep(http->openapi) : NULL;
}

static struct vt_reply *file(const struct request *r)
{
    char name[VT_ASSET_NAME_MAX + 1];
    vt_asset_name(r->target, name); /* as in find */
    return vt_assets_reply(r->connection->http->o.assets, name, header(r, "If-None-Match"));
}

static void dispatch(struct request *r)
{
    struct vt_http *http = r->connection->http;
    struct vt_error err;
    r->dispatched = true;
    if (r->route.op != NULL) {
        if (vt_route_body(r->body, r->bytes, r->route.args, &err) == 0) {
            run_operation(r);
        } else {
            vt_metrics_refused(http->metrics, VT_REFUSED_MALFORMED);
            r->reply = vt_reply_error(&err);
        }
        return;
    }
    switch (r->other) {
    case VT_REQUEST_PAGE:
        r->reply = file(r);
        break;
    case VT_REQUEST_HEALTH:
        r->reply = http->draining ? vt_reply_problem(503, "the server is going away")
                                  : written(write_health, http, "application/json");
        break;
    case VT_REQUEST_METRICS:
        r->reply = written(write_metrics, http, VT_METRICS_TYPE);
        break;
    case VT_REQUEST_OPENAPI:
        r->reply = openapi(http);
        break;
    case VT_REQUEST_EVENTS:
        r->reply = vt_http_upgrade(r, &vt_http_listener);
        break;
    case VT_REQUEST_VOLUME:
        r->reply = vt_http_upgrade(r, &vt_http_viewer);
        break;
    case VT_REQUEST_MCP:
        run_mcp(r);
        break;
    case VT_REQUEST_NONE:
    case VT_REQUESTS_OTHER:
        break;
    }
}

/* ---------------------------------------------------------------- libmicrohttpd's calls */

static enum MHD_Result send_reply(struct request *r)
{
    struct connection *c = r->connection;
    const struct vt_http_limits *limits = c->http->o.limits;
    if (r->reply == NULL) {
        return MHD_NO; /* out of memory: the connection is closed */
    }
    bool last = c->http->draining || c->served + 1 >= limits->requests;
    if (last && r->reply->status != 101) {
        struct vt_reply *closing = vt_reply_closing(r->reply);
        if (closing != NULL) {
            vt_reply_drop(r->reply);
            r->reply = closing;
        }
    }
    uint64_t seconds = r->reply->bytes / limits->send_bytes_per_s;
    vt_http_phase(c, PHASE_SENDING, limits->send_ns + seconds * UINT64_C(1000000000));
    return MHD_queue_response(c->mhd, r->reply->status, r->reply->mhd);
}

/* False: there is no end to it. */
static bool take(struct request *r, const char *data, size_t bytes)
{
    const size_t max = r->connection->http->o.limits->body_bytes;
    r->received += bytes;
    if (r->dispatched) {
        return r->received <= DISCARDED_MAX_BODIES * max;
    }
    if (bytes > max - r->bytes) {
        refuse(r, 413, VT_REFUSED_TOO_LARGE, NULL);
        return true;
    }
    if (r->bytes + bytes > r->room) {
        size_t room = r->room == 0 ? 4096 : r->room;
        while (room < r->bytes + bytes) {
            room *= 2;
        }
        char *body = realloc(r->body, room);
        if (body == NULL) {
            return false;
        }
        r->body = body;
        r->room = room;
    }
    memcpy(r->body + r->bytes, data, bytes);
    r->bytes += bytes;
    return true;
}

enum MHD_Result vt_http_on_request(void *arg, struct MHD_Connection *mhd, const char *url,
                                   const char *method, const char *version, const char *data,
                                   size_t *bytes, void **request)
{
    struct request *r = *request;
    (void)arg;
    (void)mhd;
    (void)url;
    if (r == NULL) {
        return MHD_NO;
    }
    if (!r->seen) {
        see_headers(r, method, version);
        /* An answer now ends the connection, since its body is not read; without one it need not.
         */
        return r->dispatched && r->has_body ? send_reply(r) : MHD_YES;
    }
    if (*bytes > 0) {
        bool more = take(r, data, *bytes);
        *bytes = 0;
        return more ? MHD_YES : MHD_NO;
    }
    if (!r->dispatched) {
        dispatch(r);
        if (r->connection->phase == PHASE_WORKING) {
            return MHD_YES;
        }
    }
    return send_reply(r);
}

void vt_http_count(const struct request *r)
{
    vt_metrics_request(r->connection->http->metrics, r->metric, r->reply->status,
                       vt_now_ns() - r->began_ns);
}

void vt_http_on_completed(void *arg, struct MHD_Connection *mhd, void **request,
                          enum MHD_RequestTerminationCode how)
{
    struct vt_http *http = arg;
    struct request *r = *request;
    (void)mhd;
    (void)how;
    if (r == NULL) {
        return;
    }
    *request = NULL;
    if (r->reply != NULL && r->reply->status != 101) {
        vt_http_count(r);
    }
    vt_http_abandon(r);
    r->connection->request = NULL;
    r->connection->served++;
    vt_http_phase(r->connection, PHASE_IDLE, http->o.limits->idle_ns);
    vt_reply_drop(r->reply);
    json_decref(r->route.args);
    free(r->result.body);
    free(r->mcp_reply.body);
    free(r->body);
    free(r->target);
    free(r);
}
