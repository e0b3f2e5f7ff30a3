/* venus/semaphore.c - semaphores that guests make, wait for, import and export.
 *
 * Sync files are emulated, on every driver alike. A guest imports one only after it has waited for
 * it itself, so an imported payload is a signalled one: it is remembered here, and the next
 * submission that waits for the semaphore simply does not. After an export (the guest asked for a
 * fence on the timeline of the queue that signals) the payload has been taken: an empty submission
 * waits for it, on that same queue, where it delays nothing. Only semaphores that were made for
 * export, or were imported to, are in the device's table; where it is empty, submissions pass.
 */
#include "venus/device.h"
#include "venus/retired.h"
#include "venus/vn_commands.h"
#include "venus/vn_mesa.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* ---- the table: open addressing by handle; the device's lock is held ---- */

static size_t place(const struct vt_venus_device *device, uint64_t handle)
{
    return (size_t)((handle * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (device->hash_max - 1);
}

static struct vt_venus_semaphore *find(const struct vt_venus_device *device, uint64_t handle)
{
    if (device->hash_max == 0) {
        return NULL;
    }
    size_t at = place(device, handle);
    while (device->hash[at].handle != 0 && device->hash[at].handle != handle) {
        at = (at + 1) & (device->hash_max - 1);
    }
    return device->hash[at].handle == handle ? &device->hash[at] : NULL;
}

static void insert(struct vt_venus_device *device, const struct vt_venus_semaphore *entry)
{
    size_t at = place(device, entry->handle);
    while (device->hash[at].handle != 0) {
        at = (at + 1) & (device->hash_max - 1);
    }
    device->hash[at] = *entry;
}

/* Finds or adds; NULL: no memory. */
static struct vt_venus_semaphore *track(struct vt_venus_device *device, uint64_t handle)
{
    struct vt_venus_semaphore *found = find(device, handle);
    if (found != NULL) {
        return found;
    }
    size_t n = atomic_load(&device->tracked);
    if (2 * (n + 1) > device->hash_max) {
        size_t max = device->hash_max, more = max != 0 ? 2 * max : 16;
        struct vt_venus_semaphore *old = device->hash, *hash = calloc(more, sizeof *hash);
        if (hash == NULL) {
            return NULL;
        }
        device->hash = hash;
        device->hash_max = more;
        for (size_t i = 0; i < max; i++) {
            if (old[i].handle != 0) {
                insert(device, &old[i]);
            }
        }
        free(old);
    }
    const struct vt_venus_semaphore entry = {.handle = handle};
    insert(device, &entry);
    atomic_store(&device->tracked, n + 1);
    return find(device, handle);
}

static void forget(struct vt_venus_device *device, struct vt_venus_semaphore *entry)
{
    size_t mask = device->hash_max - 1, hole = (size_t)(entry - device->hash);
    for (size_t at = (hole + 1) & mask; device->hash[at].handle != 0; at = (at + 1) & mask) {
        size_t home = place(device, device->hash[at].handle);
        if (((at - home) & mask) >= ((at - hole) & mask)) { /* it may stand in the hole */
            device->hash[hole] = device->hash[at];
            hole = at;
        }
    }
    device->hash[hole] = (struct vt_venus_semaphore){0};
    atomic_fetch_sub(&device->tracked, 1);
}

/* ---- submissions ---- */

/* Whether a wait is for an imported payload, which is taken by that. */
static bool passes(struct vt_venus_device *device, VkSemaphore semaphore)
{
    struct vt_venus_semaphore *entry = find(device, (uint64_t)semaphore);
    if (entry == NULL || !entry->signalled) {
        return false;
    }
    entry->signalled = false;
    if (!entry->exported) {
        forget(device, entry);
    }
    return true;
}

static void signals(struct vt_venus_device *device, struct vt_venus_queue *queue,
                    VkSemaphore semaphore)
{
    struct vt_venus_semaphore *entry = find(device, (uint64_t)semaphore);
    if (entry != NULL) {
        entry->signal = queue;
    }
}

/* A copy in the command's arena that may be shortened, or NULL. */
static void *copy(struct vt_venus_run *run, const void *from, size_t n, size_t size)
{
    void *to = from != NULL && n > 0 ? vt_venus_alloc(&run->in, n * size) : NULL;
    if (to != NULL) {
        memcpy(to, from, n * size);
    }
    return to;
}

/* What goes along with a list of waits, element by element. */
struct waits {
    VkSemaphore *semaphores;
    VkPipelineStageFlags *stages;
    uint64_t *values;
    uint32_t n_values;
    uint32_t *devices;
    uint32_t n_devices;
};

/* The device's lock is held; returns how many stay. */
static uint32_t pass_waits(struct vt_venus_device *device, struct waits *waits, uint32_t n)
{
    uint32_t kept = 0, values = 0, devices = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (passes(device, waits->semaphores[i])) {
            continue;
        }
        waits->semaphores[kept] = waits->semaphores[i];
        if (waits->stages != NULL) {
            waits->stages[kept] = waits->stages[i];
        }
        if (i < waits->n_values) {
            waits->values[values++] = waits->values[i];
        }
        if (i < waits->n_devices) {
            waits->devices[devices++] = waits->devices[i];
        }
        kept++;
    }
    waits->n_values = values;
    waits->n_devices = devices;
    return kept;
}

/* Of vkQueueSubmit and vkQueueBindSparse, which differ in where things stand. */
static bool fix_waits(struct vt_venus_run *run, struct vt_venus_device *device, const void *chain,
                      const VkSemaphore **semaphores, const VkPipelineStageFlags **stages,
                      uint32_t *n)
{
    bool any = false;
    pthread_mutex_lock(&device->lock);
    for (uint32_t i = 0; i < *n && !any; i++) {
        const struct vt_venus_semaphore *entry = find(device, (uint64_t)(*semaphores)[i]);
        any = entry != NULL && entry->signalled;
    }
    if (any) {
        VkTimelineSemaphoreSubmitInfo *timeline =
            vt_venus_chain_find(chain, VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO);
        VkDeviceGroupSubmitInfo *group =
            vt_venus_chain_find(chain, VK_STRUCTURE_TYPE_DEVICE_GROUP_SUBMIT_INFO);
        struct waits waits = {
            .semaphores = copy(run, *semaphores, *n, sizeof(VkSemaphore)),
            .stages = stages != NULL ? copy(run, *stages, *n, sizeof(VkPipelineStageFlags)) : NULL,
        };
        if (timeline != NULL) {
            waits.values = copy(run, timeline->pWaitSemaphoreValues,
                                timeline->waitSemaphoreValueCount, sizeof(uint64_t));
            waits.n_values = waits.values != NULL ? timeline->waitSemaphoreValueCount : 0;
        }
        if (group != NULL) {
            waits.devices = copy(run, group->pWaitSemaphoreDeviceIndices, group->waitSemaphoreCount,
                                 sizeof(uint32_t));
            waits.n_devices = waits.devices != NULL ? group->waitSemaphoreCount : 0;
        }
        if (!vt_venus_bad(&run->in)) {
            *n = pass_waits(device, &waits, *n);
            *semaphores = waits.semaphores;
            if (stages != NULL) {
                *stages = waits.stages;
            }
            if (timeline != NULL) {
                timeline->waitSemaphoreValueCount = waits.n_values;
                timeline->pWaitSemaphoreValues = waits.values;
            }
            if (group != NULL) {
                group->waitSemaphoreCount = waits.n_devices;
                group->pWaitSemaphoreDeviceIndices = waits.devices;
            }
        }
    }
    pthread_mutex_unlock(&device->lock);
    return !vt_venus_bad(&run->in);
}

static void note_signals(struct vt_venus_queue *queue, const VkSemaphore *list, uint32_t n)
{
    struct vt_venus_device *device = queue->device;
    pthread_mutex_lock(&device->lock);
    for (uint32_t i = 0; i < n; i++) {
        signals(device, queue, list[i]);
    }
    pthread_mutex_unlock(&device->lock);
}

bool vt_venus_semaphores_submit(struct vt_venus_run *run, struct vt_venus_queue *queue, uint32_t n,
                                VkSubmitInfo *submits)
{
    for (uint32_t i = 0; i < n; i++) {
        VkSubmitInfo *submit = &submits[i];
        if (!fix_waits(run, queue->device, submit->pNext, &submit->pWaitSemaphores,
                       &submit->pWaitDstStageMask, &submit->waitSemaphoreCount)) {
            return false;
        }
        note_signals(queue, submit->pSignalSemaphores, submit->signalSemaphoreCount);
    }
    return true;
}

bool vt_venus_semaphores_bind(struct vt_venus_run *run, struct vt_venus_queue *queue, uint32_t n,
                              VkBindSparseInfo *binds)
{
    for (uint32_t i = 0; i < n; i++) {
        VkBindSparseInfo *bind = &binds[i];
        if (!fix_waits(run, queue->device, bind->pNext, &bind->pWaitSemaphores, NULL,
                       &bind->waitSemaphoreCount)) {
            return false;
        }
        note_signals(queue, bind->pSignalSemaphores, bind->signalSemaphoreCount);
    }
    return true;
}

bool vt_venus_semaphores_submit2(struct vt_venus_run *run, struct vt_venus_queue *queue, uint32_t n,
                                 VkSubmitInfo2 *submits)
{
    struct vt_venus_device *device = queue->device;
    for (uint32_t i = 0; i < n; i++) {
        VkSubmitInfo2 *submit = &submits[i];
        VkSemaphoreSubmitInfo *waits =
            copy(run, submit->pWaitSemaphoreInfos, submit->waitSemaphoreInfoCount, sizeof *waits);
        if (vt_venus_bad(&run->in)) {
            return false;
        }
        uint32_t kept = 0;
        pthread_mutex_lock(&device->lock);
        for (uint32_t k = 0; k < submit->waitSemaphoreInfoCount; k++) {
            if (!passes(device, waits[k].semaphore)) {
                waits[kept++] = waits[k];
            }
        }
        for (uint32_t k = 0; k < submit->signalSemaphoreInfoCount; k++) {
            signals(device, queue, submit->pSignalSemaphoreInfos[k].semaphore);
        }
        pthread_mutex_unlock(&device->lock);
        submit->pWaitSemaphoreInfos = waits;
        submit->waitSemaphoreInfoCount = kept;
    }
    return true;
}

/* ---- commands ---- */

void vt_venus_vkCreateSemaphore(struct vt_venus_run *run, struct vn_vkCreateSemaphore *args)
{
    struct vt_venus_device *device = args->self->state;
    VkSemaphoreCreateInfo info = *args->pCreateInfo;
    const VkExportSemaphoreCreateInfo *exported =
        vt_venus_chain_find(info.pNext, VK_STRUCTURE_TYPE_EXPORT_SEMAPHORE_CREATE_INFO);
    const VkSemaphoreTypeCreateInfo *type =
        vt_venus_chain_find(info.pNext, VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO);
    bool timeline = type != NULL && type->semaphoreType == VK_SEMAPHORE_TYPE_TIMELINE;
    bool tracked = exported != NULL && exported->handleTypes != 0 && !timeline;
    vt_venus_chain_drop(&info.pNext, VK_STRUCTURE_TYPE_EXPORT_SEMAPHORE_CREATE_INFO);
    VkSemaphore semaphore = VK_NULL_HANDLE;
    args->ret = timeline && !vt_venus_retired_room(device)
                    ? VK_ERROR_OUT_OF_HOST_MEMORY
                    : device->table.CreateSemaphore(device->handle, &info, NULL, &semaphore);
    if (args->ret == VK_SUCCESS && tracked) {
        pthread_mutex_lock(&device->lock);
        struct vt_venus_semaphore *entry = track(device, (uint64_t)semaphore);
        if (entry != NULL) {
            entry->exported = true;
        } else {
            args->ret = VK_ERROR_OUT_OF_HOST_MEMORY;
        }
        pthread_mutex_unlock(&device->lock);
    }
    const struct vt_venus_object object = {
        .id = (uint64_t)*args->pSemaphore,
        .type = VK_OBJECT_TYPE_SEMAPHORE,
        .flags = timeline ? VT_VENUS_SEMAPHORE_TIMELINE : 0,
        .handle = (uint64_t)semaphore,
    };
    if (args->ret == VK_SUCCESS) {
        args->ret = vt_venus_object_made(run, &object, args->self, "pSemaphore");
    }
    if (args->ret != VK_SUCCESS && semaphore != VK_NULL_HANDLE) {
        struct vt_venus_object gone = {.owner = args->self, .handle = (uint64_t)semaphore};
        vt_venus_end_VkSemaphore(&gone);
    }
}

void vt_venus_end_VkSemaphore(struct vt_venus_object *object)
{
    struct vt_venus_device *device = object->owner->state;
    if (atomic_load(&device->tracked) > 0) {
        pthread_mutex_lock(&device->lock);
        struct vt_venus_semaphore *entry = find(device, object->handle);
        if (entry != NULL) {
            forget(device, entry);
        }
        pthread_mutex_unlock(&device->lock);
    }
    if (object->flags == VT_VENUS_SEMAPHORE_TIMELINE) {
        vt_venus_retire(device, (VkSemaphore)object->handle);
    } else {
        device->table.DestroySemaphore(device->handle, (VkSemaphore)object->handle, NULL);
    }
}

struct semaphores {
    const struct vt_venus_device *device;
    const VkSemaphoreWaitInfo *info;
};

static VkResult step(void *arg, uint64_t timeout_ns)
{
    const struct semaphores *semaphores = arg;
    const struct vt_venus_device *device = semaphores->device;
    return device->table.WaitSemaphores(device->handle, semaphores->info, timeout_ns);
}

void vt_venus_vkWaitSemaphores(struct vt_venus_run *run, struct vn_vkWaitSemaphores *args)
{
    struct vt_venus_device *device = args->self->state;
    const VkSemaphoreWaitInfo *info = args->pWaitInfo;
    args->ret = VK_ERROR_DEVICE_LOST;
    if (device->table.WaitSemaphores == NULL) {
        vt_venus_fail(&run->in, VT_VENUS_REFUSED, NULL, 0, 0);
        return;
    }
    struct semaphores semaphores = {device, info};
    args->ret = vt_venus_wait(run, device, args->timeout, step, &semaphores);
}

void vt_venus_vkImportSemaphoreResourceMESA(struct vt_venus_run *run,
                                            struct vn_vkImportSemaphoreResourceMESA *args)
{
    struct vt_venus_device *device = args->self->state;
    const VkImportSemaphoreResourceInfoMESA *info = args->pImportSemaphoreResourceInfo;
    if (info->resourceId != 0) { /* a payload of another's: nobody gives such resources out */
        vt_venus_fail(&run->in, VT_VENUS_REFUSED, "VkImportSemaphoreResourceInfoMESA.resourceId",
                      info->resourceId, 0);
        return;
    }
    pthread_mutex_lock(&device->lock);
    struct vt_venus_semaphore *entry = track(device, (uint64_t)info->semaphore);
    if (entry != NULL) {
        entry->signalled = true;
    }
    pthread_mutex_unlock(&device->lock);
    if (entry == NULL) {
        vt_venus_fail(&run->in, VT_VENUS_MEMORY, "VkImportSemaphoreResourceInfoMESA", 0, 0);
    }
}

void vt_venus_vkWaitSemaphoreResourceMESA(struct vt_venus_run *run,
                                          struct vn_vkWaitSemaphoreResourceMESA *args)
{
    (void)run;
    struct vt_venus_device *device = args->self->state;
    struct vt_venus_queue *queue = NULL;
    pthread_mutex_lock(&device->lock);
    bool passed = passes(device, args->semaphore);
    struct vt_venus_semaphore *entry = find(device, (uint64_t)args->semaphore);
    if (entry != NULL && !passed) {
        queue = entry->signal;
        entry->signal = NULL;
    }
    pthread_mutex_unlock(&device->lock);
    if (queue == NULL) { /* nobody has signalled it: a wait would never end */
        return;
    }
    const VkPipelineStageFlags stage = VK_PIPELINE_STAGE_ALL_COMMANDS_BIT;
    const VkSubmitInfo submit = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
        .waitSemaphoreCount = 1,
        .pWaitSemaphores = &args->semaphore,
        .pWaitDstStageMask = &stage,
    };
    pthread_mutex_lock(&queue->lock);
    if (queue->handle != VK_NULL_HANDLE) {
        (void)device->table.QueueSubmit(queue->handle, 1, &submit, VK_NULL_HANDLE);
    }
    pthread_mutex_unlock(&queue->lock);
}
