/* venus/wait.c - waiting for the host's GPU, in slices.
 *
 * A guest may wait for what never comes. Its ring then stands still until the context or the device
 * ends; both are noticed after a slice at the latest. Whoever ends a device first makes those leave
 * that wait for it.
 */
#include "venus/device.h"
#include "venus/retired.h"
#include "venus/vn_commands.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define SLICE_NS UINT64_C(20000000)
/* A device that is asked to become idle, before and after its timeline semaphores are signalled. */
#define PATIENCE_NS UINT64_C(10000000000)
/* Never above what every driver allows between two values. */
#define FAR_AHEAD UINT64_C(0x7fffffff)

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static bool enter(struct vt_venus_device *device)
{
    pthread_mutex_lock(&device->lock);
    bool open = !atomic_load(&device->ending);
    device->waiting += open;
    pthread_mutex_unlock(&device->lock);
    return open;
}

static void leave(struct vt_venus_device *device)
{
    pthread_mutex_lock(&device->lock);
    if (--device->waiting == 0) {
        pthread_cond_broadcast(&device->left);
    }
    pthread_mutex_unlock(&device->lock);
}

VkResult vt_venus_wait(struct vt_venus_run *run, struct vt_venus_device *device,
                       uint64_t timeout_ns, vt_venus_wait_fn *step, void *arg)
{
    if (!enter(device)) {
        return VK_ERROR_DEVICE_LOST;
    }
    VkResult result = step(arg, 0);
    if (result == VK_TIMEOUT && timeout_ns != 0) {
        struct vt_venus_objects *objects = vt_venus_context_objects(run->context);
        uint64_t begin = now_ns(), passed = 0;
        vt_venus_visitor_pause(objects, &run->visitor);
        do {
            if (atomic_load(&device->ending) || vt_venus_run_ending(run)) {
                result = VK_ERROR_DEVICE_LOST;
                break;
            }
            uint64_t rest = timeout_ns - passed;
            result = step(arg, rest < SLICE_NS ? rest : SLICE_NS);
            passed = now_ns() - begin;
        } while (result == VK_TIMEOUT && passed < timeout_ns);
        vt_venus_visitor_resume(objects, &run->visitor);
    }
    leave(device);
    return result;
}

VkResult vt_venus_fence_behind(struct vt_venus_queue *queue, VkFence *fence)
{
    const struct vt_venus_device *device = queue->device;
    const VkFenceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    VkFence made = *fence;
    VkResult result = VK_NOT_READY;
    *fence = VK_NULL_HANDLE;
    pthread_mutex_lock(&queue->lock);
    if (queue->handle != VK_NULL_HANDLE) {
        result = made != VK_NULL_HANDLE
                     ? VK_SUCCESS
                     : device->table.CreateFence(device->handle, &info, NULL, &made);
        if (result != VK_SUCCESS) {
            made = VK_NULL_HANDLE;
        } else {
            result = device->table.QueueSubmit(queue->handle, 0, NULL, made);
        }
    }
    pthread_mutex_unlock(&queue->lock);
    if (result == VK_SUCCESS) {
        *fence = made;
    } else if (made != VK_NULL_HANDLE) {
        device->table.DestroyFence(device->handle, made, NULL);
    }
    return result;
}

/* A fence behind all that a queue has. */
struct idle {
    struct vt_venus_device *device;
    VkFence fence;
};

static VkResult idle_step(void *arg, uint64_t timeout_ns)
{
    const struct idle *idle = arg;
    return idle->device->table.WaitForFences(idle->device->handle, 1, &idle->fence, VK_TRUE,
                                             timeout_ns);
}

static VkResult idle_begin(struct vt_venus_queue *queue, struct idle *idle)
{
    *idle = (struct idle){.device = queue->device};
    return vt_venus_fence_behind(queue, &idle->fence);
}

/* Pending ones may not be destroyed: they are forgotten, with a device that is hung. */
static void idle_end(const struct idle *idle, VkResult result)
{
    if (result == VK_SUCCESS) {
        idle->device->table.DestroyFence(idle->device->handle, idle->fence, NULL);
    }
}

VkResult vt_venus_wait_idle(struct vt_venus_run *run, struct vt_venus_device *device,
                            struct vt_venus_queue *only)
{
    VkResult result = VK_SUCCESS;
    for (uint32_t i = 0; i < device->n_queues && result == VK_SUCCESS; i++) {
        struct vt_venus_queue *queue = &device->queues[i];
        if (only != NULL && queue != only) {
            continue;
        }
        struct idle idle;
        result = idle_begin(queue, &idle);
        if (result == VK_SUCCESS) {
            result = vt_venus_wait(run, device, UINT64_MAX, idle_step, &idle);
            idle_end(&idle, result);
        } else if (result == VK_NOT_READY) { /* the guest has not got it: nothing is there */
            result = VK_SUCCESS;
        }
    }
    return result;
}

void vt_venus_vkDeviceWaitIdle(struct vt_venus_run *run, struct vn_vkDeviceWaitIdle *args)
{
    args->ret = vt_venus_wait_idle(run, args->self->state, NULL);
}

void vt_venus_vkQueueWaitIdle(struct vt_venus_run *run, struct vn_vkQueueWaitIdle *args)
{
    struct vt_venus_queue *queue = args->self->state;
    args->ret = vt_venus_wait_idle(run, queue->device, queue);
}

/* ---- the end of devices ---- */

static bool idle_within(struct vt_venus_device *device, uint64_t timeout_ns)
{
    uint64_t begin = now_ns();
    for (uint32_t i = 0; i < device->n_queues; i++) {
        struct idle idle;
        VkResult result = idle_begin(&device->queues[i], &idle);
        if (result != VK_SUCCESS) { /* not got, or a lost device: nothing runs any more */
            continue;
        }
        uint64_t passed = now_ns() - begin;
        result = idle_step(&idle, passed < timeout_ns ? timeout_ns - passed : 0);
        idle_end(&idle, result);
        if (result == VK_TIMEOUT) {
            return false;
        }
    }
    return true;
}

/* What waits for a value that the guest meant to signal gets it. */
static void signal_far(const struct vt_venus_device *device, VkSemaphore semaphore)
{
    uint64_t value = 0;
    if (device->table.SignalSemaphore == NULL || device->table.GetSemaphoreCounterValue == NULL ||
        device->table.GetSemaphoreCounterValue(device->handle, semaphore, &value) != VK_SUCCESS ||
        value > UINT64_MAX - FAR_AHEAD) {
        return;
    }
    const VkSemaphoreSignalInfo info = {
        .sType = VK_STRUCTURE_TYPE_SEMAPHORE_SIGNAL_INFO,
        .semaphore = semaphore,
        .value = value + FAR_AHEAD,
    };
    (void)device->table.SignalSemaphore(device->handle, &info);
}

static void release(struct vt_venus_object *object, void *arg)
{
    const struct vt_venus_device *device = arg;
    if (object->device == &device->table && object->flags == VT_VENUS_SEMAPHORE_TIMELINE) {
        signal_far(device, (VkSemaphore)object->handle);
    }
}

/* Only the first to come does it. */
static bool close_device(struct vt_venus_device *device)
{
    pthread_mutex_lock(&device->lock);
    bool first = !atomic_exchange(&device->ending, true);
    while (first && device->waiting > 0) {
        pthread_cond_wait(&device->left, &device->lock);
    }
    pthread_mutex_unlock(&device->lock);
    return first;
}

/* With its instance, which cannot go before it. */
static void mark_hung(struct vt_venus_object *device)
{
    for (struct vt_venus_object *at = device; at != NULL; at = at->parent) {
        at->flags |= VT_VENUS_DEVICE_HUNG;
    }
}

static void quiesce(struct vt_venus_objects *objects, struct vt_venus_object *object)
{
    struct vt_venus_device *device = object->state;
    if (!close_device(device)) {
        return;
    }
    if (!idle_within(device, PATIENCE_NS / 10)) {
        vt_venus_objects_each(objects, VK_OBJECT_TYPE_SEMAPHORE, release, device);
        vt_venus_retired_each(device, signal_far);
        if (!idle_within(device, PATIENCE_NS)) {
            mark_hung(object);
        }
    }
    for (uint32_t i = 0; i < device->n_queues; i++) {
        struct vt_venus_queue *queue = &device->queues[i];
        pthread_mutex_lock(&queue->lock);
        queue->handle = VK_NULL_HANDLE;
        pthread_mutex_unlock(&queue->lock);
    }
}

/* Devices are collected first: who visits holds the table's lock. */
struct found {
    const struct vn_instance_table *of; /* NULL: any */
    struct vt_venus_object **list;
    size_t n, max;
};

static void collect(struct vt_venus_object *object, void *arg)
{
    struct found *found = arg;
    if (found->of != NULL && object->instance != found->of) {
        return;
    }
    if (found->n == found->max) {
        size_t max = found->max != 0 ? 2 * found->max : 8;
        struct vt_venus_object **more = realloc(found->list, max * sizeof *more);
        if (more == NULL) {
            mark_hung(object); /* nobody waited for it */
            return;
        }
        found->list = more;
        found->max = max;
    }
    found->list[found->n++] = object;
}

void vt_venus_devices_quiesce(struct vt_venus_objects *objects, struct vt_venus_object *object)
{
    if (object != NULL && object->type == VK_OBJECT_TYPE_DEVICE) {
        quiesce(objects, object);
        return;
    }
    struct found found = {.of = object != NULL ? object->instance : NULL};
    vt_venus_objects_each(objects, VK_OBJECT_TYPE_DEVICE, collect, &found);
    for (size_t i = 0; i < found.n; i++) {
        quiesce(objects, found.list[i]);
    }
    free(found.list);
}
