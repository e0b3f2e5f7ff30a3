/* venus/context.c - a guest's connection: made and destroyed, its own stream, its end, its numbers.
 *
 * The owner's calls run on the owner's thread, rings and timelines have their own. A thread that is
 * in no call (`watch`) tells the owner that the context has ended and the guest that rings live.
 */
#include "venus/inside.h"

#include "base/io.h"
#include "venus/device.h"
#include "venus/heap.h"
#include "venus/renderer.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

/* A submitted stream's copy is kept up to this size. */
#define KEPT_BYTES ((size_t)1 << 20)
/* Reports more often than that are not needed by anybody. */
#define REPORT_MIN_NS 10000000u

const struct vt_venus_options *vt_venus_context_options(const struct vt_venus_context *context)
{
    return &context->renderer->options;
}

struct vt_venus_objects *vt_venus_context_objects(struct vt_venus_context *context)
{
    return context->objects;
}

struct vt_venus_renderer *vt_venus_context_renderer(struct vt_venus_context *context)
{
    return context->renderer;
}

struct vt_venus_timelines *vt_venus_context_timelines(struct vt_venus_context *context)
{
    return context->timelines;
}

struct vt_venus_heap *vt_venus_context_heap(struct vt_venus_context *context)
{
    return context->heap;
}

bool vt_venus_context_ending(const struct vt_venus_context *context)
{
    return atomic_load_explicit(&context->ending, memory_order_acquire);
}

void vt_venus_context_peer(struct vt_venus_context *context, int fd)
{
    context->peer = fd;
}

bool vt_venus_peer_gone(const struct vt_venus_context *context)
{
    struct pollfd peer = {.fd = context->peer, .events = POLLRDHUP};
    return context->peer >= 0 && poll(&peer, 1, 0) > 0;
}

bool vt_venus_run_ending(const struct vt_venus_run *run)
{
    struct vt_venus_context *context = run->context;
    if (vt_venus_context_ending(context)) {
        return true;
    }
    if (run->ring != NULL) {
        return atomic_load_explicit(&run->ring->stop, memory_order_acquire);
    }
    /* The owner is in here and cannot see that nobody is left to wait for. */
    if (vt_venus_peer_gone(context)) {
        vt_venus_context_end(context, "the guest went away while its commands waited");
        return true;
    }
    return false;
}

bool vt_venus_memory_take(struct vt_venus_context *context, uint64_t bytes)
{
    uint64_t max = vt_venus_context_options(context)->memory_max_bytes;
    uint64_t now = atomic_load_explicit(&context->memory_bytes, memory_order_relaxed);
    do {
        if (now > max || bytes > max - now) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&context->memory_bytes, &now, now + bytes,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

void vt_venus_memory_give(struct vt_venus_context *context, uint64_t bytes)
{
    atomic_fetch_sub_explicit(&context->memory_bytes, bytes, memory_order_relaxed);
}

/* ---- the end ---- */

void vt_venus_context_end(struct vt_venus_context *context, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *reason = NULL;
    if (vasprintf(&reason, format, args) < 0) {
        reason = NULL;
    }
    va_end(args);
    struct vt_venus_run *run = vt_venus_run_current();
    char *commands = run != NULL && run->context == context ? vt_venus_run_last(run) : NULL;
    pthread_mutex_lock(&context->lock);
    if (!context->ended) {
        context->ended = true;
        context->reason = reason;
        context->commands = commands;
        reason = NULL;
        commands = NULL;
        atomic_store_explicit(&context->ending, true, memory_order_seq_cst);
        vt_venus_rings_mark(context, VK_RING_STATUS_FATAL_BIT_MESA, false);
        vt_venus_rings_wake(context);
        pthread_cond_signal(&context->watch_wake);
    }
    pthread_mutex_unlock(&context->lock);
    free(reason);
    free(commands);
}

static const char *reason_of(const struct vt_venus_context *context)
{
    return context->reason != NULL ? context->reason : "out of memory";
}

const char *vt_venus_context_reason(const struct vt_venus_context *context)
{
    struct vt_venus_context *locked = (struct vt_venus_context *)context;
    pthread_mutex_lock(&locked->lock);
    const char *reason = locked->ended ? reason_of(context) : NULL;
    pthread_mutex_unlock(&locked->lock);
    return reason;
}

void vt_venus_context_uses(struct vt_venus_context *context, const char *device)
{
    pthread_mutex_lock(&context->lock);
    snprintf(context->device, sizeof context->device, "%s", device);
    pthread_mutex_unlock(&context->lock);
}

void vt_venus_context_device(const struct vt_venus_context *context,
                             char device[VT_VENUS_DEVICE_BYTES])
{
    struct vt_venus_context *locked = (struct vt_venus_context *)context;
    pthread_mutex_lock(&locked->lock);
    memcpy(device, context->device, VT_VENUS_DEVICE_BYTES);
    pthread_mutex_unlock(&locked->lock);
}

void vt_venus_context_wait(struct vt_venus_context *context, pthread_cond_t *cond, uint64_t ns)
{
    uint64_t at = vt_now_ns() + ns;
    struct timespec until = {.tv_sec = (time_t)(at / 1000000000u),
                             .tv_nsec = (long)(at % 1000000000u)};
    pthread_cond_timedwait(cond, &context->lock, &until);
}

/* Half of the period, so that one late turn is not too late. */
static uint64_t next_report(uint64_t period_ns)
{
    return period_ns / 2 < REPORT_MIN_NS ? REPORT_MIN_NS : period_ns / 2;
}

static void *watch(void *arg)
{
    struct vt_venus_context *context = arg;
    bool told = false;
    pthread_mutex_lock(&context->lock);
    while (!context->destroying) {
        if (context->ended && !told) {
            told = true;
            pthread_mutex_unlock(&context->lock);
            if (context->events.ended != NULL) {
                context->events.ended(context->events.arg, reason_of(context),
                                      context->commands != NULL ? context->commands : "");
            }
            pthread_mutex_lock(&context->lock);
        } else if (context->report_ns != 0 && !context->ended) {
            vt_venus_rings_mark(context, VK_RING_STATUS_ALIVE_BIT_MESA, true);
            vt_venus_context_wait(context, &context->watch_wake, next_report(context->report_ns));
        } else {
            pthread_cond_wait(&context->watch_wake, &context->lock);
        }
    }
    pthread_mutex_unlock(&context->lock);
    return NULL;
}

/* ---- made and destroyed ---- */

static void destroy_parts(struct vt_venus_context *context)
{
    vt_venus_timelines_stop(context->timelines);
    if (context->objects != NULL) {
        vt_venus_devices_quiesce(context->objects, NULL);
    }
    vt_venus_run_fini(&context->run);
    vt_venus_objects_destroy(context->objects);
    vt_venus_timelines_destroy(context->timelines);
    vt_venus_heap_destroy(context->heap);
    vt_venus_shared_clear(context);
    pthread_cond_destroy(&context->changed);
    pthread_cond_destroy(&context->watch_wake);
    pthread_mutex_destroy(&context->lock);
    free(context->copy);
    free(context->reason);
    free(context->commands);
    free(context);
}

int vt_venus_thread(pthread_t *thread, const char *name, void *(*run)(void *arg), void *arg)
{
    sigset_t all;
    sigset_t old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int no = pthread_create(thread, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (no == 0) {
        pthread_setname_np(*thread, name);
    }
    return no;
}

static int make_parts(struct vt_venus_context *context, struct vt_error *err)
{
    const struct vt_venus_options *options = vt_venus_context_options(context);
    int rc = vt_venus_objects_create(options->objects_max, &context->objects, err);
    if (rc == 0) {
        rc = vt_venus_run_init(&context->run, context, NULL, err);
    }
    if (rc == 0) {
        rc = vt_venus_heap_create(VT_VENUS_HEAP_KEPT_BYTES, &context->heap, err);
    }
    if (rc == 0) {
        rc = vt_venus_timelines_create(context, &context->events, &context->timelines, err);
    }
    if (rc == 0) {
        int no = vt_venus_thread(&context->watch, "venus-watch", watch, context);
        rc = no != 0 ? vt_fail_errno(err, VT_E_LIMIT, no, "a thread for a context") : 0;
    }
    return rc;
}

int vt_venus_context_create(struct vt_venus_renderer *renderer, uint32_t id, const char *name,
                            const struct vt_venus_events *events, struct vt_venus_context **context,
                            struct vt_error *err)
{
    struct vt_venus_context *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for a context");
    }
    c->renderer = renderer;
    c->id = id;
    c->peer = -1;
    snprintf(c->name, sizeof c->name, "%s", name != NULL ? name : "");
    c->events = events != NULL ? *events : (struct vt_venus_events){0};
    const struct vt_venus_observer *observer = &renderer->options.observer;
    c->observed = observer->begin != NULL;
    pthread_mutex_init(&c->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&c->changed, &monotonic);
    pthread_cond_init(&c->watch_wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int rc = make_parts(c, err);
    if (rc != 0) {
        destroy_parts(c);
        return rc;
    }
    if (observer->created != NULL) {
        observer->created(observer->arg, c, id, c->name);
    }
    *context = c;
    return 0;
}

void vt_venus_context_destroy(struct vt_venus_context *context)
{
    if (context == NULL) {
        return;
    }
    pthread_mutex_lock(&context->lock);
    context->destroying = true;
    atomic_store_explicit(&context->ending, true, memory_order_seq_cst);
    vt_venus_rings_wake(context);
    pthread_cond_signal(&context->watch_wake);
    pthread_mutex_unlock(&context->lock);
    pthread_join(context->watch, NULL);
    while (context->rings != NULL) {
        vt_venus_ring_end(context->rings);
    }
    const struct vt_venus_observer *observer = &vt_venus_context_options(context)->observer;
    if (observer->destroyed != NULL) {
        observer->destroyed(observer->arg, context->id);
    }
    destroy_parts(context);
    /* Each ring's thread had an arena, and drivers allocate much in them: without this a server
     * keeps tens of megabytes of free memory for every context that was ever busy. */
    malloc_trim(0);
}

/* ---- the own stream ---- */

void vt_venus_context_enter(struct vt_venus_context *context)
{
    vt_venus_visitor_resume(context->objects, &context->run.visitor);
}

void vt_venus_context_leave(struct vt_venus_context *context)
{
    vt_venus_visitor_pause(context->objects, &context->run.visitor);
}

int vt_venus_context_submit(struct vt_venus_context *context, const void *stream, size_t bytes,
                            struct vt_error *err)
{
    if (bytes % 4 != 0) {
        return vt_fail(err, VT_E_INVAL, "a stream of %zu bytes is no multiple of 4", bytes);
    }
    if (bytes > context->copy_bytes) {
        uint8_t *grown = realloc(context->copy, bytes);
        if (grown == NULL) {
            return vt_fail(err, VT_E_NOMEM, "no memory to copy a stream of %zu bytes", bytes);
        }
        context->copy = grown;
        context->copy_bytes = bytes;
    }
    bool fine = !vt_venus_context_ending(context);
    if (fine && bytes != 0) {
        uint64_t began = vt_now_ns();
        memcpy(context->copy, stream, bytes);
        vt_venus_context_enter(context);
        fine = vt_venus_run_stream(&context->run, context->copy, bytes);
        vt_venus_context_leave(context);
        vt_venus_count_add(&context->run.counts->busy_ns, vt_now_ns() - began);
        if (context->copy_bytes > KEPT_BYTES) {
            free(context->copy);
            context->copy = NULL;
            context->copy_bytes = 0;
        }
    }
    if (!fine) {
        const char *reason = vt_venus_context_reason(context);
        return vt_fail(err, VT_E_PROTOCOL, "%s", reason != NULL ? reason : "the context ends");
    }
    return 0;
}

int vt_venus_context_fence(struct vt_venus_context *context, uint32_t timeline, uint64_t id,
                           struct vt_error *err)
{
    return vt_venus_timelines_fence(context->timelines, timeline, id, err);
}

/* ---- numbers ---- */

/* Of all runs that are and were; memory of malloc or NULL. */
static struct vt_venus_counts *all_counts(const struct vt_venus_context *context, uint32_t *rings)
{
    struct vt_venus_context *locked = (struct vt_venus_context *)context;
    struct vt_venus_counts *sum = calloc(1, sizeof *sum);
    if (sum == NULL) {
        return NULL;
    }
    vt_venus_counts_sum(sum, context->run.counts);
    pthread_mutex_lock(&locked->lock);
    vt_venus_counts_sum(sum, &context->past);
    for (const struct vt_venus_ring *ring = context->rings; ring != NULL; ring = ring->next) {
        vt_venus_counts_sum(sum, ring->run.counts);
    }
    *rings = context->n_rings;
    pthread_mutex_unlock(&locked->lock);
    return sum;
}

void vt_venus_context_statistics(const struct vt_venus_context *context,
                                 struct vt_venus_statistics *statistics)
{
    *statistics = (struct vt_venus_statistics){
        .ended = vt_venus_context_ending(context),
        .memory_bytes = atomic_load_explicit(&context->memory_bytes, memory_order_relaxed),
        .notifies = atomic_load_explicit(&context->notifies, memory_order_relaxed),
    };
    struct vt_venus_object_counts objects;
    vt_venus_objects_counts(context->objects, &objects);
    statistics->objects_created = objects.created;
    statistics->objects_destroyed = objects.destroyed;
    statistics->objects = objects.alive;
    struct vt_venus_counts *sum = all_counts(context, &statistics->rings);
    if (sum == NULL) {
        return;
    }
    for (unsigned i = 0; i < VT_VENUS_COMMANDS_MAX; i++) {
        statistics->commands += sum->by_command[i].count;
        statistics->failed += sum->by_command[i].failed;
    }
    statistics->unknown = sum->unknown;
    statistics->bytes = sum->bytes;
    statistics->replies = sum->replies;
    statistics->reply_bytes = sum->reply_bytes;
    statistics->busy_ns = sum->busy_ns;
    statistics->waits = sum->waits;
    free(sum);
}

void vt_venus_context_commands(const struct vt_venus_context *context,
                               bool (*row)(const struct vt_venus_command_count *count, void *arg),
                               void *arg)
{
    uint32_t rings;
    struct vt_venus_counts *sum = all_counts(context, &rings);
    for (uint32_t i = 0; sum != NULL && i < VT_VENUS_COMMANDS_MAX; i++) {
        const struct vn_command *command = vn_command_of(i);
        uint64_t n = sum->by_command[i].count;
        if (n == 0 || command == NULL) {
            continue;
        }
        /* Of each run's the first and every 64th were timed; of a few runs that is about this. */
        uint64_t timed = (n + 63) / 64;
        struct vt_venus_command_count count = {
            .name = command->name,
            .id = i,
            .count = n,
            .failed = sum->by_command[i].failed,
            .ns = (uint64_t)((double)sum->by_command[i].timed_ns * (double)n / (double)timed),
        };
        if (!row(&count, arg)) {
            break;
        }
    }
    free(sum);
}
