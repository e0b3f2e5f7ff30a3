/* venus/retired.c - timeline semaphores that the guest has destroyed, and the host not yet. */
#include "venus/retired.h"

#include "venus/vn_tables.h"

#include <stdlib.h>

struct vt_venus_retired {
    struct vt_venus_retired *next; /* younger */
    VkSemaphore semaphore;
    bool known;        /* false: no memory for a fence, so it stays as long as the device */
    uint32_t n_fences; /* queues that may not have passed */
    VkFence fences[];
};

static void drop_fences(const struct vt_venus_device *device, struct vt_venus_retired *retired)
{
    for (; retired->n_fences > 0; retired->n_fences--) {
        device->table.DestroyFence(device->handle, retired->fences[retired->n_fences - 1], NULL);
    }
}

/* Whether all queues have passed. A lost device's have: it says so of every fence. */
static bool passed(const struct vt_venus_device *device, const struct vt_venus_retired *retired)
{
    for (uint32_t i = 0; i < retired->n_fences; i++) {
        if (device->table.GetFenceStatus(device->handle, retired->fences[i]) == VK_NOT_READY) {
            return false;
        }
    }
    return retired->known;
}

/* The oldest leaves the list. The lock is held. */
static void take_first(struct vt_venus_device *device)
{
    struct vt_venus_retired *first = device->retired;
    device->retired = first->next;
    device->n_retired--;
    free(first);
}

/* The lock is held. */
static void reap(struct vt_venus_device *device)
{
    while (device->retired != NULL && passed(device, device->retired)) {
        drop_fences(device, device->retired);
        device->table.DestroySemaphore(device->handle, device->retired->semaphore, NULL);
        take_first(device);
    }
}

void vt_venus_retire(struct vt_venus_device *device, VkSemaphore semaphore)
{
    struct vt_venus_retired *made =
        calloc(1, sizeof *made + device->n_queues * sizeof made->fences[0]);
    if (made == NULL) {
        return;
    }
    made->semaphore = semaphore;
    made->known = true;
    for (uint32_t i = 0; i < device->n_queues; i++) {
        VkFence fence = VK_NULL_HANDLE;
        VkResult result = vt_venus_fence_behind(&device->queues[i], &fence);
        if (result == VK_SUCCESS) {
            made->fences[made->n_fences++] = fence;
        }
        /* Nothing holds it of a queue that the guest has not got, and of a lost device. */
        made->known &=
            result == VK_SUCCESS || result == VK_NOT_READY || result == VK_ERROR_DEVICE_LOST;
    }
    pthread_mutex_lock(&device->lock);
    *(device->retired != NULL ? &device->youngest->next : &device->retired) = made;
    device->youngest = made;
    device->n_retired++;
    reap(device);
    pthread_mutex_unlock(&device->lock);
}

bool vt_venus_retired_room(struct vt_venus_device *device)
{
    pthread_mutex_lock(&device->lock);
    reap(device);
    bool room = device->n_retired < VT_VENUS_RETIRED_MAX;
    pthread_mutex_unlock(&device->lock);
    return room;
}

void vt_venus_retired_each(struct vt_venus_device *device,
                           void (*visit)(const struct vt_venus_device *device,
                                         VkSemaphore semaphore))
{
    pthread_mutex_lock(&device->lock);
    for (const struct vt_venus_retired *at = device->retired; at != NULL; at = at->next) {
        visit(device, at->semaphore);
    }
    pthread_mutex_unlock(&device->lock);
}

void vt_venus_retired_end(struct vt_venus_device *device, bool hung)
{
    pthread_mutex_lock(&device->lock);
    while (device->retired != NULL) {
        struct vt_venus_retired *first = device->retired;
        if (!hung) {
            drop_fences(device, first);
            device->table.DestroySemaphore(device->handle, first->semaphore, NULL);
        }
        take_first(device);
    }
    pthread_mutex_unlock(&device->lock);
}
