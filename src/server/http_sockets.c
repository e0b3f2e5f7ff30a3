/* server/http_sockets.c - WebSockets, whatever they are for: from the request to the end.
 *
 * A client exists from its request on; it gets its socket when libmicrohttpd has sent the 101, and
 * gives it back when it ends. What it is for its kind knows.
 */
#include "server/http_parts.h"

#include <stdlib.h>

static void give_back(struct vt_http *http, struct MHD_UpgradeResponseHandle *handle)
{
    MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
    vt_http_soon(http);
}

static void forget(struct client *k)
{
    *k->link = k->next;
    if (k->next != NULL) {
        k->next->link = k->link;
    }
    k->http->n_clients--;
    k->kind->end(k);
    give_back(k->http, k->handle);
    free(k);
}

static void on_ended(struct vt_ws *ws, enum vt_ws_end how, void *arg)
{
    struct client *k = arg;
    (void)ws;
    vt_metrics_ws_ended(k->http->metrics, how);
    forget(k);
}

static void on_text(struct vt_ws *ws, const char *text, size_t bytes, void *arg)
{
    struct client *k = arg;
    (void)ws;
    k->kind->text(k, text, bytes);
}

static void on_drained(struct vt_ws *ws, void *arg)
{
    struct client *k = arg;
    (void)ws;
    if (k->kind->drained != NULL) {
        k->kind->drained(k);
    }
}

static void on_upgraded(void *arg, struct MHD_Connection *mhd, void *request, const char *early,
                        size_t early_bytes, MHD_socket fd, struct MHD_UpgradeResponseHandle *handle)
{
    static const struct vt_ws_calls calls = {
        .ended = on_ended, .text = on_text, .drained = on_drained};
    struct request *r = request;
    struct client *k = arg;
    struct vt_http *http = k->http;
    (void)mhd;
    r->client = NULL;
    r->connection->phase = PHASE_UPGRADED;
    vt_http_count(r);
    if (http->draining || k->kind->begin(k, NULL) != 0) {
        give_back(http, handle);
        free(k);
        return;
    }
    if (vt_ws_create(http->o.loop, fd, early, early_bytes, k->kind->limits, &calls, k, &k->ws,
                     NULL) != 0) {
        k->kind->end(k);
        give_back(http, handle);
        free(k);
        return;
    }
    k->handle = handle;
    k->next = http->clients;
    k->link = &http->clients;
    if (k->next != NULL) {
        k->next->link = &k->next;
    }
    http->clients = k;
    http->n_clients++;
    if (k->kind->opened != NULL) {
        k->kind->opened(k);
    }
}

struct vt_reply *vt_http_upgrade(struct request *r, const struct client_kind *kind)
{
    struct vt_http *http = r->connection->http;
    struct MHD_Connection *mhd = r->connection->mhd;
    const struct vt_ws_request asked = {
        .upgrade = MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, "Upgrade"),
        .connection = MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, "Connection"),
        .version = MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, "Sec-WebSocket-Version"),
        .key = MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, "Sec-WebSocket-Key"),
        .protocol = MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, "Sec-WebSocket-Protocol"),
        .http_1_1 = r->http_1_1,
    };
    char accept[VT_WS_ACCEPT_MAX], what[96];
    const char *protocol;
    struct vt_error err;
    struct client *k;
    unsigned status = vt_ws_handshake(&asked, kind->protocol, accept, &protocol);
    if (status != 101) {
        snprintf(what, sizeof what, "no handshake of a WebSocket that speaks '%s'", kind->protocol);
        return vt_reply_problem(status, status == 400 ? what : NULL);
    }
    if (http->draining || http->n_clients >= http->o.limits->websockets) {
        return vt_reply_problem(503, "too many WebSockets");
    }
    if (kind->prepare(http, r, &k, &err) != 0) {
        return vt_reply_error(&err);
    }
    k->http = http;
    k->kind = kind;
    struct vt_reply *reply = vt_reply_upgrade(on_upgraded, k, accept, protocol);
    if (reply == NULL) {
        free(k);
        return NULL;
    }
    r->client = k;
    return reply;
}

void vt_http_abandon(struct request *r)
{
    free(r->client);
    r->client = NULL;
}

void vt_http_close_clients(struct vt_http *http)
{
    for (struct client *k = http->clients; k != NULL; k = k->next) {
        vt_ws_close(k->ws, 1001, "the server is going away");
    }
}

void vt_http_drop_clients(struct vt_http *http)
{
    for (struct client *k = http->clients, *next; k != NULL; k = next) {
        next = k->next;
        vt_ws_destroy(k->ws);
        forget(k);
    }
}
