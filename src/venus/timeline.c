/* venus/timeline.c - fences of a context: what of the host's work is done.
 *
 * A fence on a queue's timeline is an empty submission with a fence of the host; the timeline's
 * thread waits for these in their order. Waits are cut into slices, so that a GPU that hangs holds
 * neither the context's end nor its device's. The CPU's timeline has a thread too: events are never
 * told from inside a call of the context's owner. A timeline without a queue has nothing to wait
 * for.
 */
#include "venus/timeline.h"

#include "venus/device.h"
#include "venus/vn_tables.h"

#include <stdatomic.h>
#include <stdlib.h>

#define PENDING_MAX ((size_t)1 << 16)
#define SLICE_NS UINT64_C(50000000)

struct pending {
    uint64_t id;
    VkFence fence; /* NULL: nothing to wait for */
};

struct timeline {
    struct vt_venus_timelines *all;
    uint32_t number;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    bool started;
    struct vt_venus_queue *queue; /* lock */
    bool hung;                    /* lock: its device is given up */
    struct pending *ring;         /* lock: max is a power of two or 0 */
    size_t head, n, max;
    VkFence *spare; /* lock: unsignalled, of the queue's device */
    size_t n_spare, max_spare;
};

struct vt_venus_timelines {
    struct vt_venus_context *context;
    struct vt_venus_events events;
    _Atomic bool stop;
    struct timeline timelines[VT_VENUS_TIMELINES];
};

int vt_venus_timelines_create(struct vt_venus_context *context,
                              const struct vt_venus_events *events,
                              struct vt_venus_timelines **timelines, struct vt_error *err)
{
    struct vt_venus_timelines *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for timelines");
    }
    made->context = context;
    if (events != NULL) {
        made->events = *events;
    }
    for (uint32_t i = 0; i < VT_VENUS_TIMELINES; i++) {
        struct timeline *t = &made->timelines[i];
        t->all = made;
        t->number = i;
        pthread_mutex_init(&t->lock, NULL);
        pthread_cond_init(&t->changed, NULL);
    }
    *timelines = made;
    return 0;
}

/* Waits for the first fence, whose queue stays bound as long as it is pending. False: told to stop.
 * The lock is held before and after, not meanwhile. */
static bool wait_first(struct timeline *t)
{
    const struct vt_venus_device *device = t->queue->device;
    VkFence fence = t->ring[t->head].fence;
    for (;;) {
        if (atomic_load(&t->all->stop)) {
            return false;
        }
        if (t->hung) {
            return true;
        }
        pthread_mutex_unlock(&t->lock);
        VkResult result = device->table.WaitForFences(device->handle, 1, &fence, VK_TRUE, SLICE_NS);
        pthread_mutex_lock(&t->lock);
        if (result != VK_TIMEOUT) { /* a lost device's work is done, too */
            return true;
        }
    }
}

/* lock is held. */
static void keep_spare(struct timeline *t, VkFence fence)
{
    const struct vt_venus_device *device = t->queue->device;
    if (t->hung) {
        return;
    }
    if (t->n_spare == t->max_spare) {
        size_t max = t->max_spare != 0 ? 2 * t->max_spare : 8;
        VkFence *more = realloc(t->spare, max * sizeof(VkFence));
        if (more == NULL) {
            device->table.DestroyFence(device->handle, fence, NULL);
            return;
        }
        t->spare = more;
        t->max_spare = max;
    }
    if (device->table.ResetFences(device->handle, 1, &fence) == VK_SUCCESS) {
        t->spare[t->n_spare++] = fence;
    } else {
        device->table.DestroyFence(device->handle, fence, NULL);
    }
}

static void *retire(void *arg)
{
    struct timeline *t = arg;
    const struct vt_venus_events *events = &t->all->events;
    pthread_mutex_lock(&t->lock);
    for (;;) {
        while (t->n == 0 && !atomic_load(&t->all->stop)) {
            pthread_cond_wait(&t->changed, &t->lock);
        }
        if (atomic_load(&t->all->stop)) {
            break;
        }
        if (t->ring[t->head].fence != VK_NULL_HANDLE && !wait_first(t)) {
            break;
        }
        struct pending done = t->ring[t->head];
        if (done.fence != VK_NULL_HANDLE) {
            keep_spare(t, done.fence);
        }
        t->head = (t->head + 1) & (t->max - 1);
        t->n--;
        pthread_cond_broadcast(&t->changed);
        pthread_mutex_unlock(&t->lock);
        if (events->fence != NULL) {
            events->fence(events->arg, t->number, done.id);
        }
        pthread_mutex_lock(&t->lock);
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

void vt_venus_timelines_stop(struct vt_venus_timelines *timelines)
{
    if (timelines == NULL) {
        return;
    }
    atomic_store(&timelines->stop, true);
    for (uint32_t i = 0; i < VT_VENUS_TIMELINES; i++) {
        struct timeline *t = &timelines->timelines[i];
        pthread_mutex_lock(&t->lock);
        bool started = t->started;
        t->started = false;
        pthread_cond_broadcast(&t->changed);
        pthread_mutex_unlock(&t->lock);
        if (started) {
            pthread_join(t->thread, NULL);
        }
    }
}

void vt_venus_timelines_destroy(struct vt_venus_timelines *timelines)
{
    if (timelines == NULL) {
        return;
    }
    vt_venus_timelines_stop(timelines);
    for (uint32_t i = 0; i < VT_VENUS_TIMELINES; i++) {
        struct timeline *t = &timelines->timelines[i];
        free(t->ring);
        free(t->spare);
        pthread_cond_destroy(&t->changed);
        pthread_mutex_destroy(&t->lock);
    }
    free(timelines);
}

/* lock is held. */
static int make_room(struct timeline *t, struct vt_error *err)
{
    if (t->n < t->max) {
        return 0;
    }
    size_t max = t->max != 0 ? 2 * t->max : 16;
    if (max > PENDING_MAX) {
        return vt_fail(err, VT_E_LIMIT, "more than %zu fences wait on timeline %u", PENDING_MAX,
                       t->number);
    }
    struct pending *more = calloc(max, sizeof *more);
    if (more == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for a fence");
    }
    for (size_t i = 0; i < t->n; i++) {
        more[i] = t->ring[(t->head + i) & (t->max - 1)];
    }
    free(t->ring);
    t->ring = more;
    t->head = 0;
    t->max = max;
    return 0;
}

/* NULL: nothing to wait for, its device is lost. lock is held. */
static VkFence submit_fence(struct timeline *t)
{
    VkFence fence = t->n_spare > 0 ? t->spare[--t->n_spare] : VK_NULL_HANDLE;
    (void)vt_venus_fence_behind(t->queue, &fence);
    return fence;
}

int vt_venus_timelines_fence(struct vt_venus_timelines *timelines, uint32_t timeline, uint64_t id,
                             struct vt_error *err)
{
    if (timeline >= VT_VENUS_TIMELINES) {
        return vt_fail(err, VT_E_INVAL, "there is no timeline %u", timeline);
    }
    struct timeline *t = &timelines->timelines[timeline];
    pthread_mutex_lock(&t->lock);
    int rc = make_room(t, err);
    if (rc == 0 && !t->started && !atomic_load(&timelines->stop)) {
        if (pthread_create(&t->thread, NULL, retire, t) == 0) {
            t->started = true;
        } else {
            rc = vt_fail(err, VT_E_NOMEM, "no thread for timeline %u", timeline);
        }
    }
    if (rc == 0) {
        t->ring[(t->head + t->n) & (t->max - 1)] = (struct pending){
            .id = id,
            .fence = t->queue != NULL && !t->hung ? submit_fence(t) : VK_NULL_HANDLE,
        };
        t->n++;
        pthread_cond_broadcast(&t->changed);
    }
    pthread_mutex_unlock(&t->lock);
    return rc;
}

int vt_venus_timeline_bind(struct vt_venus_context *context, uint32_t timeline,
                           struct vt_venus_queue *queue, struct vt_error *err)
{
    if (timeline == 0 || timeline >= VT_VENUS_TIMELINES) {
        return vt_fail(err, VT_E_INVAL, "no queue can have timeline %u", timeline);
    }
    struct timeline *t = &vt_venus_context_timelines(context)->timelines[timeline];
    int rc = 0;
    pthread_mutex_lock(&t->lock);
    if (queue->timeline == timeline) {
        rc = 0;
    } else if (t->queue != NULL || queue->timeline != 0) {
        rc = vt_fail(err, VT_E_BUSY, "timeline %u is another queue's", timeline);
    } else {
        t->queue = queue;
        t->hung = false;
        queue->timeline = timeline;
    }
    pthread_mutex_unlock(&t->lock);
    return rc;
}

void vt_venus_timeline_unbind(struct vt_venus_context *context, struct vt_venus_queue *queue,
                              bool hung)
{
    if (queue->timeline == 0) {
        return;
    }
    struct vt_venus_timelines *all = vt_venus_context_timelines(context);
    struct timeline *t = &all->timelines[queue->timeline];
    const struct vt_venus_device *device = queue->device;
    pthread_mutex_lock(&t->lock);
    t->hung = hung;
    pthread_cond_broadcast(&t->changed);
    while (t->n > 0 && !atomic_load(&all->stop)) { /* its queue is idle: they come now */
        pthread_cond_wait(&t->changed, &t->lock);
    }
    for (; t->n > 0; t->n--) { /* the threads have ended */
        VkFence fence = t->ring[t->head].fence;
        if (fence != VK_NULL_HANDLE && !hung) {
            device->table.DestroyFence(device->handle, fence, NULL);
        }
        t->head = (t->head + 1) & (t->max - 1);
    }
    for (; t->n_spare > 0; t->n_spare--) {
        if (!hung) {
            device->table.DestroyFence(device->handle, t->spare[t->n_spare - 1], NULL);
        }
    }
    t->queue = NULL;
    queue->timeline = 0;
    pthread_mutex_unlock(&t->lock);
}
