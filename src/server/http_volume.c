/* server/http_volume.c - WebSockets at /api/v1/vms/{vm}/volume: a VM's RAM as a stream. */
#include "server/http_parts.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

struct viewer {
    struct client client; /* first: what the table of WebSockets knows */
    char vm[VT_VM_NAME_MAX + 1], origin[64];
    struct vt_stream_client *stream;
};

static const char before[] = VT_ROUTE_PREFIX "/vms/", after[] = "/volume";

bool vt_http_volume_vm(const char *target, char vm[VT_VM_NAME_MAX + 1])
{
    size_t path = strcspn(target, "?"), n = sizeof before - 1, m = sizeof after - 1;
    if (path <= n + m || path - n - m > VT_VM_NAME_MAX || memcmp(target, before, n) != 0 ||
        memcmp(target + path - m, after, m) != 0) {
        return false;
    }
    memcpy(vm, target + n, path - n - m); /* a name has nothing that is escaped */
    vm[path - n - m] = '\0';
    return vt_name_is_valid(vm);
}

/* ---------------------------------------------------------------- from the stream */

static bool on_send(bool binary, const void *data, size_t bytes, void *arg)
{
    struct viewer *v = arg;
    if (binary) {
        vt_ws_send_binary(v->client.ws, data, bytes);
    } else {
        vt_ws_send(v->client.ws, data, bytes);
    }
    vt_metrics_ws_sent(v->client.http->metrics, 1);
    return vt_ws_is_drained(v->client.ws);
}

static void on_close(uint16_t code, const char *reason, void *arg)
{
    struct viewer *v = arg;
    vt_ws_finish(v->client.ws, code, reason);
}

/* ---------------------------------------------------------------- a client's life */

static int prepare(struct vt_http *http, const struct request *r, struct client **client,
                   struct vt_error *err)
{
    struct viewer *v = calloc(1, sizeof *v);
    if (v == NULL) {
        return vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    vt_http_volume_vm(r->target, v->vm);
    memcpy(v->origin, r->connection->name, sizeof v->origin);
    int rc = vt_host_may_see(http->o.host, v->vm)
                 ? vt_stream_may_join(http->o.streams, v->vm, err)
                 : vt_fail(err, VT_E_NOT_FOUND, "no VM '%s' is served here", v->vm);
    if (rc != 0) {
        free(v);
        return rc;
    }
    *client = &v->client;
    return 0;
}

static int begin(struct client *client, struct vt_error *err)
{
    static const struct vt_stream_calls calls = {.send = on_send, .close = on_close};
    struct viewer *v = (struct viewer *)client;
    return vt_stream_join(client->http->o.streams, v->vm, v->origin, &calls, v, &v->stream, err);
}

static void end(struct client *client)
{
    vt_stream_leave(((struct viewer *)client)->stream);
}

static void on_text(struct client *client, const char *text, size_t bytes)
{
    struct viewer *v = (struct viewer *)client;
    struct vt_error err;
    if (vt_stream_say(v->stream, text, bytes, &err) != 0) {
        size_t n;
        char *said = vt_stream_error(&err, &n);
        if (said != NULL) {
            vt_ws_send(client->ws, said, n);
        }
        free(said);
        vt_ws_finish(client->ws, 1008, err.message);
    }
}

static void on_drained(struct client *client)
{
    vt_stream_drained(((struct viewer *)client)->stream);
}

const struct client_kind vt_http_viewer = {
    .protocol = VT_WS_VOLUME,
    .limits = &vt_ws_volume_limits,
    .prepare = prepare,
    .begin = begin,
    .end = end,
    .text = on_text,
    .drained = on_drained,
};
