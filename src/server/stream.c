/* server/stream.c - see stream.h: the loop's side of streams and their clients.
 *
 * A thread posts one message a client and writes to the eventfd; the loop takes it once the one
 * before is gone, and sends it while the thread makes the next. A thread that has nobody left ends
 * by itself and is joined here; who comes meanwhile begins another one.
 */
#include "server/stream_parts.h"

#include "base/io.h"
#include "machine/vmdir.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* ---------------------------------------------------------------- what is posted */

static void nudge(struct vt_stream *s)
{
    s->nudged = true;
    pthread_cond_signal(&s->wake);
}

/* Takes the client's posted message; the thread may make the next one meanwhile. */
static bool take_posted(struct vt_stream *s, struct vt_stream_client *c, struct vt_outgoing *out)
{
    pthread_mutex_lock(&s->lock);
    bool there = c->posted && !c->left;
    if (there) {
        *out = c->out;
        c->out = (struct vt_outgoing){0};
        c->posted = false;
        nudge(s);
    }
    pthread_mutex_unlock(&s->lock);
    return there;
}

/* Sends what is posted, unless what was sent before is not gone yet. */
static void deliver(struct vt_stream *s, struct vt_stream_client *c)
{
    struct vt_outgoing out;
    if (c->flying || c->calls == NULL || !take_posted(s, c, &out)) {
        return;
    }
    if (out.bytes != NULL) {
        c->flying = !c->calls->send(out.binary, out.bytes, out.n, c->arg);
        free(out.bytes);
    }
    if (out.close != 0) {
        c->calls->close(out.close, out.reason, c->arg);
    }
}

/* The next client not looked at in this round; NULL: no more. */
static struct vt_stream_client *next_of(struct vt_stream *s, uint64_t round)
{
    pthread_mutex_lock(&s->lock);
    struct vt_stream_client *c = s->clients;
    while (c != NULL && (c->left || c->round == round)) {
        c = c->next;
    }
    pthread_mutex_unlock(&s->lock);
    return c;
}

static void destroy(struct vt_stream *s)
{
    while (s->clients != NULL) {
        struct vt_stream_client *c = s->clients;
        s->clients = c->next;
        vt_stream_client_free(c);
    }
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* Joins threads that are at their end and that nobody has anything to do with any more. */
static void sweep(struct vt_streams *streams)
{
    for (struct vt_stream **at = &streams->all; *at != NULL;) {
        struct vt_stream *s = *at;
        pthread_mutex_lock(&s->lock);
        bool done = s->done && s->n_clients == 0;
        pthread_mutex_unlock(&s->lock);
        if (done) {
            *at = s->next;
            pthread_join(s->thread, NULL);
            destroy(s);
        } else {
            at = &s->next;
        }
    }
}

static void on_posted(struct vt_source *source, uint32_t events, void *arg)
{
    struct vt_streams *streams = arg;
    uint64_t times;
    (void)source;
    (void)events;
    ssize_t n = read(streams->eventfd, &times, sizeof times);
    (void)n;
    streams->round++;
    for (struct vt_stream *s = streams->all; s != NULL; s = s->next) {
        /* Once each: what is posted from here on is told of again. */
        for (struct vt_stream_client *c; (c = next_of(s, streams->round)) != NULL;) {
            c->round = streams->round;
            deliver(s, c);
        }
    }
    sweep(streams);
}

/* ---------------------------------------------------------------- clients */

static struct vt_stream *find(struct vt_streams *streams, const char *vm, bool *full)
{
    *full = false;
    for (struct vt_stream *s = streams->all; s != NULL; s = s->next) {
        if (strcmp(s->vm, vm) != 0) {
            continue;
        }
        pthread_mutex_lock(&s->lock);
        bool over = s->over;
        *full = !over && s->n_clients >= VT_STREAM_CLIENTS_MAX;
        pthread_mutex_unlock(&s->lock);
        if (!over) {
            return s;
        }
    }
    return NULL;
}

int vt_stream_may_join(struct vt_streams *streams, const char *vm, struct vt_error *err)
{
    bool full, live = false;
    if (find(streams, vm, &full) != NULL) {
        return full ? vt_fail(err, VT_E_BUSY, "%s is watched by %d clients already", vm,
                              VT_STREAM_CLIENTS_MAX)
                    : 0;
    }
    int rc = vt_vmdir_is_live(vm, &live, err);
    return rc == 0 && !live ? vt_fail(err, VT_E_NOT_FOUND, "no VM named '%s'", vm) : rc;
}

/* Threads that a signal cannot choose: handlers belong to the loop. */
static int start(struct vt_stream *s, struct vt_error *err)
{
    sigset_t all, before;
    sigfillset(&all);
    sigdelset(&all, SIGBUS); /* a page of RAM that went away */
    sigdelset(&all, SIGSEGV);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int rc = pthread_create(&s->thread, NULL, vt_stream_run, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc == 0 ? 0 : vt_fail_errno(err, VT_E_NOMEM, rc, "cannot start a thread");
}

static int begin(struct vt_streams *streams, const char *vm, struct vt_stream_client *first,
                 struct vt_error *err)
{
    struct vt_stream *s = calloc(1, sizeof *s);
    pthread_condattr_t monotonic;
    if (s == NULL) {
        return vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    s->streams = streams;
    snprintf(s->vm, sizeof s->vm, "%s", vm);
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&s->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    s->clients = first;
    s->n_clients = 1;
    first->stream = s;
    int rc = start(s, err);
    if (rc != 0) {
        s->clients = NULL;
        destroy(s);
        return rc;
    }
    s->next = streams->all;
    streams->all = s;
    return 0;
}

int vt_stream_join(struct vt_streams *streams, const char *vm, const char *origin,
                   const struct vt_stream_calls *calls, void *arg, struct vt_stream_client **client,
                   struct vt_error *err)
{
    bool full;
    int rc = 0;
    struct vt_stream *s = find(streams, vm, &full);
    if (full) {
        return vt_fail(err, VT_E_BUSY, "%s is watched by %d clients already", vm,
                       VT_STREAM_CLIENTS_MAX);
    }
    struct vt_stream_client *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    c->number = ++streams->next_number;
    c->calls = calls;
    c->arg = arg;
    snprintf(c->origin, sizeof c->origin, "%s", origin);
    bool joined = false;
    if (s != NULL) {
        pthread_mutex_lock(&s->lock);
        if (!s->over) { /* else it ended just now */
            c->stream = s;
            c->next = s->clients;
            s->clients = c;
            s->n_clients++;
            nudge(s);
            joined = true;
        }
        pthread_mutex_unlock(&s->lock);
    }
    if (!joined) {
        rc = begin(streams, vm, c, err);
    }
    if (rc != 0) {
        free(c);
        return rc;
    }
    *client = c;
    return 0;
}

void vt_stream_drained(struct vt_stream_client *c)
{
    c->flying = false;
    deliver(c->stream, c);
}

void vt_stream_leave(struct vt_stream_client *c)
{
    if (c == NULL) {
        return;
    }
    struct vt_stream *s = c->stream;
    struct vt_streams *streams = s->streams;
    c->calls = NULL;
    pthread_mutex_lock(&s->lock);
    c->left = true; /* the thread frees it, or whoever joins the thread */
    s->n_clients--;
    nudge(s);
    bool over = s->over;
    pthread_mutex_unlock(&s->lock);
    if (over && !streams->destroying) {
        const uint64_t one = 1;
        ssize_t n = write(streams->eventfd, &one, sizeof one);
        (void)n;
    }
}

/* ---------------------------------------------------------------- what they say */

static int take_pick(struct vt_stream_client *c, const struct vt_stream_pick *pick,
                     struct vt_error *err)
{
    if (c->view.width == 0) {
        return vt_fail(err, VT_E_INVAL, "pick: there is no view");
    }
    if (c->n_picks + c->n_said >= VT_STREAM_PICKS_MAX) {
        return vt_fail(err, VT_E_INVAL, "pick: %d wait for their answers already",
                       VT_STREAM_PICKS_MAX);
    }
    c->picks[c->n_picks++] = *pick;
    return 0;
}

static int take(struct vt_stream_client *c, struct vt_wish *wish, struct vt_error *err)
{
    struct vt_stream_wants *w = &c->wants;
    if (wish->kind != VT_WISH_START && !w->started) {
        return vt_fail(err, VT_E_INVAL, "'start' comes first");
    }
    switch (wish->kind) {
    case VT_WISH_START:
        if (w->started) {
            return vt_fail(err, VT_E_INVAL, "start: it has been started already");
        }
        w->started = true;
        w->level = wish->level;
        w->hz = wish->hz;
        w->key = true;
        c->credit = wish->credit;
        break;
    case VT_WISH_CREDIT:
        c->credit += wish->credit;
        break;
    case VT_WISH_LEVEL:
        w->level = wish->level;
        w->key = true;
        break;
    case VT_WISH_HZ:
        w->hz = wish->hz;
        break;
    case VT_WISH_FINE:
        free(w->fine);
        w->fine = wish->runs;
        w->n_fine = wish->n_runs;
        wish->runs = NULL;
        w->fine_level = wish->level;
        w->fine_changed = true;
        break;
    case VT_WISH_VIEW:
        c->view = wish->view;
        c->view_changed = true;
        if (c->view.width == 0) {
            c->n_picks = 0;
            free(c->frame.bytes);
            c->frame = (struct vt_message){0};
        }
        break;
    case VT_WISH_PICK:
        return take_pick(c, &wish->pick, err);
    }
    c->credit = c->credit < VT_STREAM_CREDIT_MAX ? c->credit : VT_STREAM_CREDIT_MAX;
    return 0;
}

int vt_stream_say(struct vt_stream_client *c, const char *text, size_t bytes, struct vt_error *err)
{
    struct vt_wish wish;
    struct vt_stream *s = c->stream;
    int rc = vt_wish_parse(text, bytes, &wish, err);
    if (rc == 0) {
        pthread_mutex_lock(&s->lock);
        rc = take(c, &wish, err);
        nudge(s);
        pthread_mutex_unlock(&s->lock);
        vt_wish_fini(&wish);
    }
    s->streams->refused += rc != 0;
    return rc;
}

/* ---------------------------------------------------------------- life */

int vt_streams_create(const struct vt_streams_options *options, struct vt_streams **streams,
                      struct vt_error *err)
{
    struct vt_streams *all = calloc(1, sizeof *all);
    if (all == NULL) {
        return vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    all->o = *options;
    pthread_mutex_init(&all->gpu_lock, NULL);
    all->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int rc = all->eventfd >= 0 ? 0 : vt_fail_errno(err, VT_E_IO, errno, "eventfd");
    rc = rc != 0 ? rc
                 : vt_loop_add_fd(options->loop, all->eventfd, EPOLLIN, on_posted, all,
                                  &all->source, err);
    if (rc != 0) {
        vt_streams_destroy(all);
        return rc;
    }
    *streams = all;
    return 0;
}

void vt_streams_destroy(struct vt_streams *all)
{
    if (all == NULL) {
        return;
    }
    all->destroying = true;
    for (struct vt_stream *s = all->all; s != NULL; s = s->next) {
        pthread_mutex_lock(&s->lock);
        s->stop = true;
        nudge(s);
        pthread_mutex_unlock(&s->lock);
    }
    while (all->all != NULL) {
        struct vt_stream *s = all->all;
        all->all = s->next;
        pthread_join(s->thread, NULL);
        destroy(s);
    }
    vt_source_remove(all->source);
    vt_close(&all->eventfd);
    pthread_mutex_destroy(&all->gpu_lock);
    free(all);
}

void vt_streams_stats(struct vt_streams *all, struct vt_streams_stats *stats)
{
    *stats = (struct vt_streams_stats){
        .stalled = atomic_load(&all->stalled),
        .messages = atomic_load(&all->messages),
        .bytes = atomic_load(&all->bytes),
        .frames = atomic_load(&all->frames),
        .updates = atomic_load(&all->updates),
        .stalls = atomic_load(&all->stalls),
        .refused = all->refused,
    };
    for (struct vt_stream *s = all->all; s != NULL; s = s->next) {
        pthread_mutex_lock(&s->lock);
        stats->streams += !s->over;
        stats->clients += s->n_clients;
        pthread_mutex_unlock(&s->lock);
    }
}
