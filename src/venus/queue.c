/* venus/queue.c - submissions.
 *
 * Imported payloads leave what is waited for (semaphore.c); the host's queue is locked, since
 * several rings submit. A lost device is the guest's to find out: a result, not the context's end.
 */
#include "venus/device.h"
#include "venus/memory.h"
#include "venus/vn_commands.h"

#include <stdatomic.h>

/* What was decoded is the command's own memory and may be changed. */
#define OWN(type, pointer) ((type *)(uintptr_t)(pointer))

static bool tracks(const struct vt_venus_device *device)
{
    return atomic_load_explicit(&device->tracked, memory_order_relaxed) > 0;
}

void vt_venus_vkQueueSubmit(struct vt_venus_run *run, struct vn_vkQueueSubmit *args)
{
    struct vt_venus_queue *queue = args->self->state;
    const struct vt_venus_device *device = queue->device;
    uint32_t n = args->submitCount;
    args->ret = VK_ERROR_DEVICE_LOST;
    if (tracks(device) &&
        !vt_venus_semaphores_submit(run, queue, n, OWN(VkSubmitInfo, args->pSubmits))) {
        return;
    }
    pthread_mutex_lock(&queue->lock);
    if (queue->handle != VK_NULL_HANDLE) {
        args->ret = device->table.QueueSubmit(queue->handle, n, args->pSubmits, args->fence);
    }
    pthread_mutex_unlock(&queue->lock);
}

void vt_venus_vkQueueSubmit2(struct vt_venus_run *run, struct vn_vkQueueSubmit2 *args)
{
    struct vt_venus_queue *queue = args->self->state;
    const struct vt_venus_device *device = queue->device;
    uint32_t n = args->submitCount;
    args->ret = VK_ERROR_DEVICE_LOST;
    if (device->table.QueueSubmit2 == NULL) {
        vt_venus_fail(&run->in, VT_VENUS_REFUSED, NULL, 0, 0);
        return;
    }
    if (tracks(device) &&
        !vt_venus_semaphores_submit2(run, queue, n, OWN(VkSubmitInfo2, args->pSubmits))) {
        return;
    }
    pthread_mutex_lock(&queue->lock);
    if (queue->handle != VK_NULL_HANDLE) {
        args->ret = device->table.QueueSubmit2(queue->handle, n, args->pSubmits, args->fence);
    }
    pthread_mutex_unlock(&queue->lock);
}

void vt_venus_vkQueueBindSparse(struct vt_venus_run *run, struct vn_vkQueueBindSparse *args)
{
    struct vt_venus_queue *queue = args->self->state;
    const struct vt_venus_device *device = queue->device;
    uint32_t n = args->bindInfoCount;
    args->ret = VK_ERROR_DEVICE_LOST;
    if ((device->gpu->families[queue->family].queueFlags & VK_QUEUE_SPARSE_BINDING_BIT) == 0) {
        vt_venus_fail(&run->in, VT_VENUS_REFUSED, "queue", queue->family, 0);
        return;
    }
    const struct vt_venus_types types = vt_venus_types_of(queue->device);
    for (uint32_t i = 0; i < n && !vt_venus_types_sparse(&types); i++) {
        const VkBindSparseInfo *bind = &args->pBindInfo[i];
        if (bind->bufferBindCount != 0 || bind->imageOpaqueBindCount != 0 ||
            bind->imageBindCount != 0) {
            vt_venus_fail(&run->in, VT_VENUS_REFUSED, "sparse memory", i, 0);
            return;
        }
    }
    if (tracks(device) &&
        !vt_venus_semaphores_bind(run, queue, n, OWN(VkBindSparseInfo, args->pBindInfo))) {
        return;
    }
    pthread_mutex_lock(&queue->lock);
    if (queue->handle != VK_NULL_HANDLE) {
        args->ret = device->table.QueueBindSparse(queue->handle, n, args->pBindInfo, args->fence);
    }
    pthread_mutex_unlock(&queue->lock);
}
