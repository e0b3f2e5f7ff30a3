/* server/http_samples.c - when a new sample of a VM is told of.
 *
 * Once a second everything that is kept becomes old at one moment, and all who keep asking would
 * wait for one query. So what was asked for since the last sample is made anew first, while the
 * answers before still serve; then, at one stroke, the new ones do, and WebSockets are told. Who
 * hears of an event and asks finds it in the answer. All that waits no longer than HOLD_NS.
 */
#include "server/http_parts.h"

#include "base/io.h"

#include <stdlib.h>
#include <string.h>

#define HOLD_NS UINT64_C(750000000) /* on a busy host; else it is milliseconds */
#define RENEWED_MAX 32              /* answers made anew for a sample */
#define HELD_MAX 65536              /* messages */

struct sampled {
    char vm[VT_VM_NAME_MAX + 1];
    struct vt_version version; /* told of */
    uint64_t at_ns;
    struct vt_version coming; /* number 0: none */
    unsigned renewing;
    struct vt_feed_message *held, **held_end; /* in the order they came */
    unsigned n_held;
    uint64_t held_since_ns;
};

struct renewal {
    struct vt_job job;
    struct vt_http *http;
    char vm[VT_VM_NAME_MAX + 1];
    struct vt_version version;
    struct vt_route route;
    struct vt_op_reply result;
    int rc;
    volatile int stop;
    char key[];
};

static struct sampled *find(const struct vt_http *http, const char *vm)
{
    for (unsigned i = 0; i < http->n_sampled; i++) {
        if (strcmp(http->sampled[i]->vm, vm) == 0) {
            return http->sampled[i];
        }
    }
    return NULL;
}

static struct sampled *find_or_make(struct vt_http *http, const char *vm)
{
    struct sampled *s = find(http, vm);
    if (s == NULL && http->n_sampled < VT_HTTP_VMS_MAX && (s = calloc(1, sizeof *s)) != NULL) {
        snprintf(s->vm, sizeof s->vm, "%s", vm);
        s->held_end = &s->held;
        http->sampled[http->n_sampled++] = s;
    }
    return s;
}

struct vt_version vt_http_version(const struct vt_http *http, const char *vm)
{
    const struct sampled *s = find(http, vm);
    bool fresh = s != NULL && vt_now_ns() - s->at_ns < http->o.fresh_ns;
    return fresh ? s->version : (struct vt_version){0};
}

/* Tells of all that waits, and of the sample that came. */
static void release(struct vt_http *http, struct sampled *s)
{
    if (s->coming.number != 0) {
        s->version = s->coming;
        s->at_ns = vt_now_ns();
        s->coming = (struct vt_version){0};
    }
    while (s->held != NULL) {
        struct vt_feed_message *m = s->held;
        s->held = m->next;
        vt_http_broadcast(http, m);
        vt_feed_free(m);
    }
    s->held_end = &s->held;
    s->n_held = 0;
}

static void hold(struct vt_http *http, struct sampled *s, struct vt_feed_message *m)
{
    if (s->n_held == HELD_MAX) {
        release(http, s);
    }
    if (s->held == NULL) {
        s->held_since_ns = vt_now_ns();
    }
    *s->held_end = m;
    s->held_end = &m->next;
    s->n_held++;
}

/* ---------------------------------------------------------------- making anew */

static void work_renewal(struct vt_job *job)
{
    struct renewal *r = (struct renewal *)(void *)job;
    r->rc =
        vt_op_run(r->http->o.host, r->route.op, r->route.args, "cache", &r->stop, &r->result, NULL);
}

static void free_renewal(struct renewal *r)
{
    json_decref(r->route.args);
    free(r->result.body);
    free(r);
}

static void done_renewal(struct vt_job *job)
{
    struct renewal *r = (struct renewal *)(void *)job;
    struct vt_http *http = r->http;
    struct sampled *s = find(http, r->vm);
    if (r->rc == 0) {
        struct vt_reply *reply =
            vt_reply_make(200, r->result.body, r->result.bytes, "application/json");
        r->result.body = NULL;
        vt_cache_renew(http->cache, r->key, r->version, reply);
    }
    if (s != NULL && s->coming.number == r->version.number && --s->renewing == 0) {
        release(http, s);
    }
    free_renewal(r);
}

struct renewing {
    struct vt_http *http;
    struct sampled *s;
};

static void renew(const char *key, void *arg)
{
    const struct renewing *renewing = arg;
    struct vt_http *http = renewing->http;
    size_t bytes = strlen(key) + 1;
    struct renewal *r = calloc(1, sizeof *r + bytes);
    if (r == NULL) {
        return;
    }
    r->job.work = work_renewal;
    r->job.done = done_renewal;
    r->http = http;
    r->version = renewing->s->coming;
    memcpy(r->vm, renewing->s->vm, sizeof r->vm);
    memcpy(r->key, key, bytes);
    if (vt_route_find(http->routes, "GET", key, &r->route, NULL) != 0 || r->route.op == NULL ||
        vt_pool_submit(http->pool, &r->job, NULL) != 0) {
        free_renewal(r);
        return;
    }
    renewing->s->renewing++;
}

/* ---------------------------------------------------------------- what the feed tells */

static void on_sample(struct vt_http *http, struct sampled *s, const struct vt_feed_message *m)
{
    struct renewing renewing = {http, s};
    vt_metrics_sample(http->metrics, m->vm, m->sample_ns);
    s->coming = (struct vt_version){m->number, m->unix_us};
    s->renewing = 0;
    vt_cache_hot(http->cache, s->vm, RENEWED_MAX, renew, &renewing);
    if (s->renewing == 0) {
        release(http, s);
    }
}

void vt_http_tell(struct vt_http *http, struct vt_feed_message *m)
{
    bool of_sample = m->kind == VT_FEED_EVENT || m->kind == VT_FEED_SAMPLE;
    struct sampled *s = of_sample ? find_or_make(http, m->vm) : find(http, m->vm);
    if (of_sample && s != NULL) {
        hold(http, s, m);
        if (m->kind == VT_FEED_SAMPLE) {
            on_sample(http, s, m);
        }
        return;
    }
    if (m->kind == VT_FEED_STATE && m->ended && s != NULL) {
        release(http, s);
        s->version = (struct vt_version){0};
    }
    vt_http_broadcast(http, m);
    vt_feed_free(m);
}

void vt_http_check_samples(struct vt_http *http, uint64_t now_ns)
{
    for (unsigned i = 0; i < http->n_sampled; i++) {
        struct sampled *s = http->sampled[i];
        if (s->held != NULL && now_ns - s->held_since_ns > HOLD_NS) {
            release(http, s);
        }
    }
}

void vt_http_forget_samples(struct vt_http *http)
{
    for (unsigned i = 0; i < http->n_sampled; i++) {
        while (http->sampled[i]->held != NULL) {
            struct vt_feed_message *m = http->sampled[i]->held;
            http->sampled[i]->held = m->next;
            vt_feed_free(m);
        }
        free(http->sampled[i]);
    }
    http->n_sampled = 0;
}
