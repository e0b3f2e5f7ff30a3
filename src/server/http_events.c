/* server/http_events.c - WebSockets at /api/v1/events: who listens to which VMs.
 *
 * A client exists from its request on; it gets its socket when libmicrohttpd has sent the 101, and
 * gives it back when it ends.
 */
#include "server/http_parts.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define NAMES_MAX 16

struct client {
    struct vt_http *http;
    struct client *next, **link; /* of those that are open */
    struct vt_ws *ws;
    struct MHD_UpgradeResponseHandle *handle;
    bool pages;
    unsigned n_names; /* 0: all */
    char names[NAMES_MAX][VT_VM_NAME_MAX + 1];
};

/* ---------------------------------------------------------------- what is wanted */

static bool names(const struct client *k, const char *vm)
{
    for (unsigned i = 0; i < k->n_names; i++) {
        if (strcmp(k->names[i], vm) == 0) {
            return true;
        }
    }
    return k->n_names == 0;
}

static int read_names(struct client *k, char *text, struct vt_error *err)
{
    char *save = NULL;
    for (char *name = strtok_r(text, ",", &save); name != NULL; name = strtok_r(NULL, ",", &save)) {
        if (!vt_name_is_valid(name)) {
            return vt_fail(err, VT_E_INVAL, "'%.64s' is not a VM's name", name);
        }
        if (!vt_host_may_see(k->http->o.host, name)) {
            return vt_fail(err, VT_E_NOT_FOUND, "no VM '%s' is served here", name);
        }
        if (k->n_names == NAMES_MAX) {
            return vt_fail(err, VT_E_INVAL, "at most %d VMs by name; none means all", NAMES_MAX);
        }
        memcpy(k->names[k->n_names++], name, strlen(name) + 1);
    }
    return 0;
}

static int read_flag(const char *target, const char *name, bool *flag, struct vt_error *err)
{
    char text[8];
    int rc = vt_query_value(target, name, text, sizeof text, err);
    if (rc == VT_E_NOT_FOUND) {
        return 0;
    }
    bool yes = rc == 0 && strcmp(text, "true") == 0;
    if (rc == 0 && !yes && strcmp(text, "false") != 0) {
        return vt_fail(err, VT_E_INVAL, "%s: true or false is wanted", name);
    }
    *flag = yes;
    return rc;
}

static int read_wishes(struct client *k, const char *target, struct vt_error *err)
{
    char list[NAMES_MAX * (VT_VM_NAME_MAX + 1) + 1];
    int rc = vt_query_value(target, "vms", list, sizeof list, err);
    rc = rc == VT_E_NOT_FOUND ? 0 : rc != 0 ? rc : read_names(k, list, err);
    return rc != 0 ? rc : read_flag(target, "pages", &k->pages, err);
}

/* The tracker is asked for as long as somebody wants to know. */
static int want_pages(struct client *k, bool wanted, struct vt_error *err)
{
    int rc = 0;
    if (!k->pages) {
        return 0;
    }
    if (k->n_names == 0) {
        return vt_watch_pages(k->http->o.watch, NULL, wanted, err);
    }
    for (unsigned i = 0; rc == 0 && i < k->n_names; i++) {
        rc = vt_watch_pages(k->http->o.watch, k->names[i], wanted, err);
        if (rc != 0) {
            while (i-- > 0) {
                vt_watch_pages(k->http->o.watch, k->names[i], false, NULL);
            }
        }
    }
    return rc;
}

/* ---------------------------------------------------------------- a client's life */

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
    want_pages(k, false, NULL);
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

struct hello {
    const struct client *client;
    struct vt_json_writer w;
};

static void add_state(const struct vt_watched *vm, void *arg)
{
    struct hello *hello = arg;
    if (names(hello->client, vm->name)) {
        vt_json_object(&hello->w);
        vt_json_kv_string(&hello->w, "name", vm->name);
        vt_json_kv_string(&hello->w, "state", vt_vm_state_name(vm->state));
        vt_json_object_end(&hello->w);
    }
}

/* How things are: what comes after says how they change. */
static void say_hello(struct client *k)
{
    struct hello hello = {.client = k};
    char *text = NULL;
    size_t bytes = 0;
    FILE *f = open_memstream(&text, &bytes);
    if (f == NULL) {
        return;
    }
    vt_json_init(&hello.w, f, false);
    vt_json_object(&hello.w);
    vt_json_kv_string(&hello.w, "type", "hello");
    vt_json_kv_string(&hello.w, "protocol", VT_WS_SUBPROTOCOL);
    vt_json_key(&hello.w, "vms");
    vt_json_array(&hello.w);
    vt_watch_each(k->http->o.watch, add_state, &hello);
    vt_json_array_end(&hello.w);
    vt_json_object_end(&hello.w);
    if (fclose(f) == 0) {
        vt_ws_send(k->ws, text, bytes);
        vt_metrics_ws_sent(k->http->metrics, 1);
    }
    free(text);
}

static void on_upgraded(void *arg, struct MHD_Connection *mhd, void *request, const char *early,
                        size_t early_bytes, MHD_socket fd, struct MHD_UpgradeResponseHandle *handle)
{
    struct request *r = request;
    struct client *k = arg;
    struct vt_http *http = k->http;
    (void)mhd;
    r->client = NULL;
    r->connection->phase = PHASE_UPGRADED;
    vt_http_count(r);
    if (http->draining || want_pages(k, true, NULL) != 0) {
        give_back(http, handle);
        free(k);
        return;
    }
    if (vt_ws_create(http->o.loop, fd, early, early_bytes, &vt_ws_limits, on_ended, k, &k->ws,
                     NULL) != 0) {
        want_pages(k, false, NULL);
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
    say_hello(k);
}

struct vt_reply *vt_http_upgrade(struct request *r)
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
    char accept[VT_WS_ACCEPT_MAX];
    const char *protocol;
    struct vt_error err;
    unsigned status = vt_ws_handshake(&asked, accept, &protocol);
    if (status != 101) {
        return vt_reply_problem(status, status == 400 ? "no handshake of a WebSocket that speaks "
                                                        "'" VT_WS_SUBPROTOCOL "'"
                                                      : NULL);
    }
    if (http->draining || http->n_clients >= http->o.limits->websockets) {
        return vt_reply_problem(503, "too many WebSockets");
    }
    struct client *k = calloc(1, sizeof *k);
    if (k == NULL) {
        return NULL;
    }
    k->http = http;
    if (read_wishes(k, r->target, &err) != 0) {
        free(k);
        return vt_reply_error(&err);
    }
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

/* ---------------------------------------------------------------- telling them */

void vt_http_broadcast(struct vt_http *http, const struct vt_feed_message *m)
{
    uint64_t sent = 0;
    for (struct client *k = http->clients; k != NULL; k = k->next) {
        if (names(k, m->vm) && (m->kind != VT_FEED_PAGES || k->pages)) {
            vt_ws_send(k->ws, m->text, m->bytes);
            sent++;
        }
    }
    vt_metrics_ws_sent(http->metrics, sent);
}
