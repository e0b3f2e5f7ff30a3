/* venus/queue.c - submissions.
 *
 * Handles that a driver would follow blindly are checked here; imported payloads leave what is
 * waited for (semaphore.c); the host's queue is locked, since several rings submit. A lost device
 * is the guest's to find out: a result, not the context's end.
 */
#include "venus/device.h"
#include "venus/vn_commands.h"

#include <stdatomic.h>

static bool no_null(struct vt_venus_run *run, bool found, const char *member)
{
    if (found) {
        vt_venus_fail(&run->in, VT_VENUS_NULL, member, 0, 0);
    }
    return !found;
}

static bool null_semaphore(const VkSemaphore *list, uint32_t n)
{
    bool found = n > 0 && list == NULL;
    for (uint32_t i = 0; i < n && !found; i++) {
        found = list[i] == VK_NULL_HANDLE;
    }
    return found;
}

static bool null_buffer(const VkCommandBuffer *list, uint32_t n)
{
    bool found = n > 0 && list == NULL;
    for (uint32_t i = 0; i < n && !found; i++) {
        found = list[i] == NULL;
    }
    return found;
}

static bool check_submit(struct vt_venus_run *run, const VkSubmitInfo *submit)
{
    return no_null(run, null_semaphore(submit->pWaitSemaphores, submit->waitSemaphoreCount),
                   "VkSubmitInfo.pWaitSemaphores") &&
           no_null(run, submit->waitSemaphoreCount > 0 && submit->pWaitDstStageMask == NULL,
                   "VkSubmitInfo.pWaitDstStageMask") &&
           no_null(run, null_buffer(submit->pCommandBuffers, submit->commandBufferCount),
                   "VkSubmitInfo.pCommandBuffers") &&
           no_null(run, null_semaphore(submit->pSignalSemaphores, submit->signalSemaphoreCount),
                   "VkSubmitInfo.pSignalSemaphores");
}

static bool null_info(const VkSemaphoreSubmitInfo *list, uint32_t n)
{
    bool found = n > 0 && list == NULL;
    for (uint32_t i = 0; i < n && !found; i++) {
        found = list[i].semaphore == VK_NULL_HANDLE;
    }
    return found;
}

static bool check_submit2(struct vt_venus_run *run, const VkSubmitInfo2 *submit)
{
    bool null = submit->commandBufferInfoCount > 0 && submit->pCommandBufferInfos == NULL;
    for (uint32_t i = 0; i < submit->commandBufferInfoCount && !null; i++) {
        null = submit->pCommandBufferInfos[i].commandBuffer == NULL;
    }
    return no_null(run, null, "VkCommandBufferSubmitInfo.commandBuffer") &&
           no_null(run,
                   null_info(submit->pWaitSemaphoreInfos, submit->waitSemaphoreInfoCount) ||
                       null_info(submit->pSignalSemaphoreInfos, submit->signalSemaphoreInfoCount),
                   "VkSemaphoreSubmitInfo.semaphore");
}

static bool check_bind(struct vt_venus_run *run, const VkBindSparseInfo *bind)
{
    bool null = (bind->bufferBindCount > 0 && bind->pBufferBinds == NULL) ||
                (bind->imageOpaqueBindCount > 0 && bind->pImageOpaqueBinds == NULL) ||
                (bind->imageBindCount > 0 && bind->pImageBinds == NULL);
    for (uint32_t i = 0; i < bind->bufferBindCount && !null; i++) {
        null = bind->pBufferBinds[i].buffer == VK_NULL_HANDLE;
    }
    for (uint32_t i = 0; i < bind->imageOpaqueBindCount && !null; i++) {
        null = bind->pImageOpaqueBinds[i].image == VK_NULL_HANDLE;
    }
    for (uint32_t i = 0; i < bind->imageBindCount && !null; i++) {
        null = bind->pImageBinds[i].image == VK_NULL_HANDLE;
    }
    return no_null(run, null, "VkBindSparseInfo") &&
           no_null(run, null_semaphore(bind->pWaitSemaphores, bind->waitSemaphoreCount),
                   "VkBindSparseInfo.pWaitSemaphores") &&
           no_null(run, null_semaphore(bind->pSignalSemaphores, bind->signalSemaphoreCount),
                   "VkBindSparseInfo.pSignalSemaphores");
}

/* What was decoded is the command's own memory and may be changed. */
#define OWN(type, pointer) ((type *)(uintptr_t)(pointer))

void vt_venus_vkQueueSubmit(struct vt_venus_run *run, struct vn_vkQueueSubmit *args)
{
    struct vt_venus_queue *queue = args->self->state;
    const struct vt_venus_device *device = queue->device;
    uint32_t n = args->submitCount;
    if (!no_null(run, n > 0 && args->pSubmits == NULL, "pSubmits")) {
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (!check_submit(run, &args->pSubmits[i])) {
            return;
        }
    }
    if (atomic_load_explicit(&device->tracked, memory_order_relaxed) > 0 &&
        !vt_venus_semaphores_submit(run, queue, n, OWN(VkSubmitInfo, args->pSubmits))) {
        return;
    }
    pthread_mutex_lock(&queue->lock);
    args->ret = queue->handle != VK_NULL_HANDLE
                    ? device->table.QueueSubmit(queue->handle, n, args->pSubmits, args->fence)
                    : VK_ERROR_DEVICE_LOST;
    pthread_mutex_unlock(&queue->lock);
}

void vt_venus_vkQueueSubmit2(struct vt_venus_run *run, struct vn_vkQueueSubmit2 *args)
{
    struct vt_venus_queue *queue = args->self->state;
    const struct vt_venus_device *device = queue->device;
    uint32_t n = args->submitCount;
    if (device->table.QueueSubmit2 == NULL) {
        vt_venus_fail(&run->in, VT_VENUS_REFUSED, "queue", 0, 0);
        return;
    }
    if (!no_null(run, n > 0 && args->pSubmits == NULL, "pSubmits")) {
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (!check_submit2(run, &args->pSubmits[i])) {
            return;
        }
    }
    if (atomic_load_explicit(&device->tracked, memory_order_relaxed) > 0 &&
        !vt_venus_semaphores_submit2(run, queue, n, OWN(VkSubmitInfo2, args->pSubmits))) {
        return;
    }
    pthread_mutex_lock(&queue->lock);
    args->ret = queue->handle != VK_NULL_HANDLE
                    ? device->table.QueueSubmit2(queue->handle, n, args->pSubmits, args->fence)
                    : VK_ERROR_DEVICE_LOST;
    pthread_mutex_unlock(&queue->lock);
}

void vt_venus_vkQueueBindSparse(struct vt_venus_run *run, struct vn_vkQueueBindSparse *args)
{
    struct vt_venus_queue *queue = args->self->state;
    const struct vt_venus_device *device = queue->device;
    uint32_t n = args->bindInfoCount;
    if ((device->gpu->families[queue->family].queueFlags & VK_QUEUE_SPARSE_BINDING_BIT) == 0) {
        vt_venus_fail(&run->in, VT_VENUS_REFUSED, "queue", queue->family, 0);
        return;
    }
    if (!no_null(run, n > 0 && args->pBindInfo == NULL, "pBindInfo")) {
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (!check_bind(run, &args->pBindInfo[i])) {
            return;
        }
    }
    if (atomic_load_explicit(&device->tracked, memory_order_relaxed) > 0 &&
        !vt_venus_semaphores_bind(run, queue, n, OWN(VkBindSparseInfo, args->pBindInfo))) {
        return;
    }
    pthread_mutex_lock(&queue->lock);
    args->ret = queue->handle != VK_NULL_HANDLE
                    ? device->table.QueueBindSparse(queue->handle, n, args->pBindInfo, args->fence)
                    : VK_ERROR_DEVICE_LOST;
    pthread_mutex_unlock(&queue->lock);
}
