/* server/http_events.c - WebSockets at /api/v1/events: who listens to which VMs. */
#include "server/http_parts.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define NAMES_MAX 16

struct listener {
    struct client client; /* first: what the table of WebSockets knows */
    bool pages;
    unsigned n_names; /* 0: all */
    char names[NAMES_MAX][VT_VM_NAME_MAX + 1];
};

/* ---------------------------------------------------------------- what is wanted */

static bool names(const struct listener *k, const char *vm)
{
    for (unsigned i = 0; i < k->n_names; i++) {
        if (strcmp(k->names[i], vm) == 0) {
            return true;
        }
    }
    return k->n_names == 0;
}

static int read_names(struct listener *k, char *text, struct vt_error *err)
{
    char *save = NULL;
    for (char *name = strtok_r(text, ",", &save); name != NULL; name = strtok_r(NULL, ",", &save)) {
        if (!vt_name_is_valid(name)) {
            return vt_fail(err, VT_E_INVAL, "'%.64s' is not a VM's name", name);
        }
        if (!vt_host_may_see(k->client.http->o.host, name)) {
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

static int read_wishes(struct listener *k, const char *target, struct vt_error *err)
{
    char list[NAMES_MAX * (VT_VM_NAME_MAX + 1) + 1];
    int rc = vt_query_value(target, "vms", list, sizeof list, err);
    rc = rc == VT_E_NOT_FOUND ? 0 : rc != 0 ? rc : read_names(k, list, err);
    return rc != 0 ? rc : read_flag(target, "pages", &k->pages, err);
}

/* The tracker is asked for as long as somebody wants to know. */
static int want_pages(struct listener *k, bool wanted, struct vt_error *err)
{
    int rc = 0;
    if (!k->pages) {
        return 0;
    }
    if (k->n_names == 0) {
        return vt_watch_pages(k->client.http->o.watch, NULL, wanted, err);
    }
    for (unsigned i = 0; rc == 0 && i < k->n_names; i++) {
        rc = vt_watch_pages(k->client.http->o.watch, k->names[i], wanted, err);
        if (rc != 0) {
            while (i-- > 0) {
                vt_watch_pages(k->client.http->o.watch, k->names[i], false, NULL);
            }
        }
    }
    return rc;
}

/* ---------------------------------------------------------------- a client's life */

static int prepare(struct vt_http *http, const struct request *r, struct client **client,
                   struct vt_error *err)
{
    struct listener *k = calloc(1, sizeof *k);
    if (k == NULL) {
        return vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    k->client.http = http;
    int rc = read_wishes(k, r->target, err);
    if (rc != 0) {
        free(k);
        return rc;
    }
    *client = &k->client;
    return 0;
}

static int begin(struct client *client, struct vt_error *err)
{
    return want_pages((struct listener *)client, true, err);
}

static void end(struct client *client)
{
    want_pages((struct listener *)client, false, NULL);
}

struct hello {
    const struct listener *listener;
    struct vt_json_writer w;
};

static void add_state(const struct vt_watched *vm, void *arg)
{
    struct hello *hello = arg;
    if (names(hello->listener, vm->name)) {
        vt_json_object(&hello->w);
        vt_json_kv_string(&hello->w, "name", vm->name);
        vt_json_kv_string(&hello->w, "state", vt_vm_state_name(vm->state));
        vt_json_object_end(&hello->w);
    }
}

/* How things are: what comes after says how they change. */
static void say_hello(struct client *client)
{
    struct hello hello = {.listener = (struct listener *)client};
    char *text = NULL;
    size_t bytes = 0;
    FILE *f = open_memstream(&text, &bytes);
    if (f == NULL) {
        return;
    }
    vt_json_init(&hello.w, f, false);
    vt_json_object(&hello.w);
    vt_json_kv_string(&hello.w, "type", "hello");
    vt_json_kv_string(&hello.w, "protocol", VT_WS_EVENTS);
    vt_json_key(&hello.w, "vms");
    vt_json_array(&hello.w);
    vt_watch_each(client->http->o.watch, add_state, &hello);
    vt_json_array_end(&hello.w);
    vt_json_object_end(&hello.w);
    if (fclose(f) == 0) {
        vt_ws_send(client->ws, text, bytes);
        vt_metrics_ws_sent(client->http->metrics, 1);
    }
    free(text);
}

const struct client_kind vt_http_listener = {
    .protocol = VT_WS_EVENTS,
    .limits = &vt_ws_limits,
    .prepare = prepare,
    .begin = begin,
    .opened = say_hello,
    .end = end,
};

/* ---------------------------------------------------------------- telling them */

void vt_http_broadcast(struct vt_http *http, const struct vt_feed_message *m)
{
    uint64_t sent = 0;
    for (struct client *c = http->clients; c != NULL; c = c->next) {
        const struct listener *k = (const struct listener *)c;
        if (c->kind == &vt_http_listener && names(k, m->vm) &&
            (m->kind != VT_FEED_PAGES || k->pages)) {
            vt_ws_send(c->ws, m->text, m->bytes);
            sent++;
        }
    }
    vt_metrics_ws_sent(http->metrics, sent);
}
