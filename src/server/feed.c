/* server/feed.c - see feed.h. */
#include "server/feed.h"

#include "base/io.h"
#include "base/json_writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define QUEUE_COUNT 65536
#define QUEUE_BYTES (16u << 20)

struct vt_feed {
    void (*on_message)(struct vt_feed_message *message, void *arg);
    void *arg;
    struct vt_source *source;
    int eventfd;
    pthread_mutex_t lock;
    struct vt_feed_message *first, **end;
    size_t count, bytes;
    uint64_t dropped;
};

void vt_feed_free(struct vt_feed_message *message)
{
    if (message != NULL) {
        free(message->text);
        free(message);
    }
}

static void on_posted(struct vt_source *source, uint32_t events, void *arg)
{
    struct vt_feed *f = arg;
    uint64_t times;
    (void)source;
    (void)events;
    ssize_t n = read(f->eventfd, &times, sizeof times);
    (void)n;
    pthread_mutex_lock(&f->lock);
    struct vt_feed_message *m = f->first;
    f->first = NULL;
    f->end = &f->first;
    f->count = f->bytes = 0;
    pthread_mutex_unlock(&f->lock);
    while (m != NULL) {
        struct vt_feed_message *next = m->next;
        m->next = NULL;
        f->on_message(m, f->arg);
        m = next;
    }
}

int vt_feed_create(struct vt_loop *loop,
                   void (*on_message)(struct vt_feed_message *message, void *arg), void *arg,
                   struct vt_feed **feed, struct vt_error *err)
{
    struct vt_feed *f = calloc(1, sizeof *f);
    if (f == NULL) {
        return vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    f->on_message = on_message;
    f->arg = arg;
    f->end = &f->first;
    pthread_mutex_init(&f->lock, NULL);
    f->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int rc = f->eventfd >= 0 ? 0 : vt_fail_errno(err, VT_E_IO, errno, "eventfd");
    rc = rc != 0 ? rc : vt_loop_add_fd(loop, f->eventfd, EPOLLIN, on_posted, f, &f->source, err);
    if (rc != 0) {
        vt_feed_destroy(f);
        return rc;
    }
    *feed = f;
    return 0;
}

void vt_feed_destroy(struct vt_feed *f)
{
    if (f == NULL) {
        return;
    }
    vt_source_remove(f->source);
    while (f->first != NULL) {
        struct vt_feed_message *m = f->first;
        f->first = m->next;
        vt_feed_free(m);
    }
    vt_close(&f->eventfd);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

uint64_t vt_feed_dropped(struct vt_feed *f)
{
    pthread_mutex_lock(&f->lock);
    uint64_t n = f->dropped;
    pthread_mutex_unlock(&f->lock);
    return n;
}

/* ---------------------------------------------------------------- making and posting */

struct writing {
    struct vt_feed_message *m;
    FILE *f;
    struct vt_json_writer w;
};

static bool begin(struct writing *writing, enum vt_feed_kind kind, const char *vm)
{
    static const char *const types[] = {"event", "sample", "state", "pages"};
    struct vt_feed_message *m = calloc(1, sizeof *m);
    FILE *f = m != NULL ? open_memstream(&m->text, &m->bytes) : NULL;
    if (f == NULL) {
        free(m);
        return false;
    }
    m->kind = kind;
    snprintf(m->vm, sizeof m->vm, "%s", vm);
    *writing = (struct writing){.m = m, .f = f};
    vt_json_init(&writing->w, f, false);
    vt_json_object(&writing->w);
    vt_json_kv_string(&writing->w, "type", types[kind]);
    vt_json_kv_string(&writing->w, "vm", vm);
    return true;
}

static void post(struct vt_feed *f, struct writing *writing)
{
    const uint64_t one = 1;
    struct vt_feed_message *m = writing->m;
    vt_json_object_end(&writing->w);
    bool whole = fclose(writing->f) == 0;
    pthread_mutex_lock(&f->lock);
    bool fits = whole && f->count < QUEUE_COUNT && f->bytes + m->bytes <= QUEUE_BYTES;
    if (fits) {
        *f->end = m;
        f->end = &m->next;
        f->count++;
        f->bytes += m->bytes;
    } else {
        f->dropped++;
    }
    pthread_mutex_unlock(&f->lock);
    if (fits) {
        ssize_t n = write(f->eventfd, &one, sizeof one);
        (void)n;
    } else {
        vt_feed_free(m);
    }
}

void vt_feed_event(struct vt_feed *f, const char *vm, const struct vt_event *e)
{
    struct writing writing;
    if (!begin(&writing, VT_FEED_EVENT, vm)) {
        return;
    }
    struct vt_json_writer *w = &writing.w;
    vt_json_kv_i64(w, "id", e->id);
    vt_json_kv_f64(w, "time", e->unix_s, 17);
    vt_json_kv_string(w, "kind", e->kind);
    vt_json_kv_string(w, "noun", e->noun);
    vt_json_kv_i64(w, "row", e->row);
    if (e->pid != 0) {
        vt_json_kv_i64(w, "pid", e->pid);
    }
    vt_json_kv_string(w, "name", e->name);
    vt_json_kv_string(w, "detail", e->detail);
    post(f, &writing);
}

void vt_feed_sample(struct vt_feed *f, const char *vm, const struct vt_sample *s)
{
    struct writing writing;
    if (!begin(&writing, VT_FEED_SAMPLE, vm)) {
        return;
    }
    struct vt_json_writer *w = &writing.w;
    writing.m->number = s->number;
    writing.m->unix_us = (uint64_t)(s->unix_s * 1e6);
    writing.m->sample_ns = s->read_ns + s->write_ns;
    vt_json_kv_u64(w, "number", s->number);
    vt_json_kv_f64(w, "time", s->unix_s, 17);
    vt_json_kv_u64(w, "rows", s->rows);
    vt_json_kv_u64(w, "appeared", s->appeared);
    vt_json_kv_u64(w, "gone", s->gone);
    vt_json_kv_u64(w, "changed", s->changed);
    vt_json_kv_u64(w, "events", s->events);
    vt_json_kv_f64(w, "read_ms", (double)s->read_ns / 1e6, 6);
    vt_json_kv_f64(w, "write_ms", (double)s->write_ns / 1e6, 6);
    vt_json_kv_bool(w, "torn", s->torn);
    if (s->torn) {
        vt_json_kv_string(w, "why", s->why);
    }
    post(f, &writing);
}

void vt_feed_state(struct vt_feed *f, const char *vm, const char *state)
{
    struct writing writing;
    struct timespec now;
    if (!begin(&writing, VT_FEED_STATE, vm)) {
        return;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    writing.m->ended = state == NULL;
    vt_json_kv_f64(&writing.w, "time", (double)now.tv_sec + (double)now.tv_nsec / 1e9, 17);
    vt_json_kv_string(&writing.w, "state", state != NULL ? state : "ended");
    post(f, &writing);
}

void vt_feed_pages(struct vt_feed *f, const char *vm, const struct vt_feed_pages *p)
{
    struct writing writing;
    if (!begin(&writing, VT_FEED_PAGES, vm)) {
        return;
    }
    struct vt_json_writer *w = &writing.w;
    vt_json_kv_u64(w, "since", p->since);
    vt_json_kv_u64(w, "tick", p->tick);
    vt_json_kv_u64(w, "pages", p->pages);
    vt_json_key(w, "runs");
    vt_json_array(w);
    for (unsigned i = 0; i < p->n_runs; i++) {
        vt_json_object(w);
        vt_json_kv_hex(w, "gpa", p->runs[i].gpa.v);
        vt_json_kv_u64(w, "bytes", p->runs[i].bytes);
        vt_json_object_end(w);
    }
    vt_json_array_end(w);
    vt_json_kv_bool(w, "cut", p->cut);
    post(f, &writing);
}
