/* venus/device.c - devices and their queues.
 *
 * A guest's device is one of the host's with its features, its extensions without ours (gpu.h), and
 * with what importing host memory needs. A device ends after its queues are idle, with all that was
 * made of it.
 */
#include "venus/device.h"

#include "venus/heap.h"
#include "venus/retired.h"
#include "venus/vn_commands.h"
#include "venus/vn_mesa.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* What the host's device needs beyond what the guest asks for, where the driver has it. */
static const char *const needed[] = {
    VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME,
    "VK_KHR_portability_subset",
};
#define N_NEEDED (sizeof needed / sizeof needed[0])

static bool shown(const struct vt_venus_gpu *gpu, const char *name)
{
    for (uint32_t i = 0; i < gpu->n_shown; i++) {
        if (strcmp(gpu->shown[i].extensionName, name) == 0) {
            return true;
        }
    }
    return false;
}

static bool among(const char *const *names, uint32_t n, const char *name)
{
    for (uint32_t i = 0; i < n; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static VkResult pick_extensions(const struct vt_venus_gpu *gpu, const VkDeviceCreateInfo *guest,
                                const char **names, uint32_t *n)
{
    *n = 0;
    for (uint32_t i = 0; i < guest->enabledExtensionCount; i++) {
        const char *name = guest->ppEnabledExtensionNames[i];
        if (!shown(gpu, name)) {
            return VK_ERROR_EXTENSION_NOT_PRESENT;
        }
        bool ours =
            vt_venus_emulated(name) &&
            !(gpu->foreign && strcmp(name, VK_EXT_QUEUE_FAMILY_FOREIGN_EXTENSION_NAME) == 0);
        if (!ours && !among(names, *n, name)) {
            names[(*n)++] = name;
        }
    }
    for (size_t i = 0; i < N_NEEDED; i++) {
        if (vt_venus_gpu_has(gpu, needed[i]) && !among(names, *n, needed[i])) {
            names[(*n)++] = needed[i];
        }
    }
    return VK_SUCCESS;
}

/* Drivers take what they are given: families and counts are checked here. */
static bool check_queues(struct vt_venus_run *run, const struct vt_venus_gpu *gpu,
                         const VkDeviceCreateInfo *guest, uint32_t *n_queues)
{
    *n_queues = 0;
    for (uint32_t i = 0; i < guest->queueCreateInfoCount; i++) {
        const VkDeviceQueueCreateInfo *queue = &guest->pQueueCreateInfos[i];
        uint32_t family = queue->queueFamilyIndex;
        if (family >= gpu->n_families) {
            vt_venus_fail(&run->in, VT_VENUS_VALUE, "VkDeviceQueueCreateInfo.queueFamilyIndex",
                          family, gpu->n_families);
            return false;
        }
        uint32_t max = gpu->families[family].queueCount;
        for (uint32_t before = 0; before < i; before++) {
            const VkDeviceQueueCreateInfo *other = &guest->pQueueCreateInfos[before];
            max -= other->queueFamilyIndex == family ? other->queueCount : 0;
        }
        if (queue->queueCount == 0 || queue->queueCount > max) {
            vt_venus_fail(&run->in, VT_VENUS_VALUE, "VkDeviceQueueCreateInfo.queueCount",
                          queue->queueCount, max);
            return false;
        }
        *n_queues += queue->queueCount;
    }
    return true;
}

static void fill_queues(struct vt_venus_device *device, const VkDeviceCreateInfo *guest)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < guest->queueCreateInfoCount; i++) {
        const VkDeviceQueueCreateInfo *from = &guest->pQueueCreateInfos[i];
        for (uint32_t k = 0; k < from->queueCount; k++) {
            struct vt_venus_queue *queue = &device->queues[n++];
            queue->family = from->queueFamilyIndex;
            queue->index = k;
            queue->flags = from->flags;
            queue->device = device;
            pthread_mutex_init(&queue->lock, NULL);
        }
    }
    device->n_queues = n;
}

static void free_device(void *state)
{
    struct vt_venus_device *device = state;
    for (uint32_t i = 0; i < device->n_queues; i++) {
        pthread_mutex_destroy(&device->queues[i].lock);
    }
    free(device->queues);
    free(device->hash);
    pthread_cond_destroy(&device->left);
    pthread_mutex_destroy(&device->lock);
    free(device);
}

static VkResult create_host(const struct vt_venus_gpu *gpu, const VkDeviceCreateInfo *guest,
                            VkDevice *device)
{
    const char **names = calloc((size_t)guest->enabledExtensionCount + N_NEEDED, sizeof *names);
    if (names == NULL) {
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    }
    VkDeviceCreateInfo info = *guest;
    info.enabledLayerCount = 0;
    info.ppEnabledLayerNames = NULL;
    info.ppEnabledExtensionNames = names;
    VkResult result = pick_extensions(gpu, guest, names, &info.enabledExtensionCount);
    if (result == VK_SUCCESS) {
        result = gpu->call->CreateDevice(gpu->handle, &info, NULL, device);
    }
    free(names);
    return result;
}

void vt_venus_vkCreateDevice(struct vt_venus_run *run, struct vn_vkCreateDevice *args)
{
    struct vt_venus_gpu *gpu = args->self->state;
    uint32_t n_queues;
    args->ret = VK_ERROR_INITIALIZATION_FAILED;
    if (!check_queues(run, gpu, args->pCreateInfo, &n_queues)) {
        return;
    }
    struct vt_venus_device *made = calloc(1, sizeof *made);
    struct vt_venus_queue *queues = calloc((size_t)n_queues + 1, sizeof *queues);
    if (made == NULL || queues == NULL) {
        free(made);
        free(queues);
        args->ret = VK_ERROR_OUT_OF_HOST_MEMORY;
        return;
    }
    made->context = run->context;
    made->gpu = gpu;
    made->queues = queues;
    pthread_mutex_init(&made->lock, NULL);
    pthread_cond_init(&made->left, NULL);
    fill_queues(made, args->pCreateInfo);
    args->ret = create_host(gpu, args->pCreateInfo, &made->handle);
    if (args->ret == VK_SUCCESS) {
        vn_device_table_load(&made->table, gpu->call->GetDeviceProcAddr, made->handle);
        const struct vt_venus_object object = {
            .id = (uint64_t)*args->pDevice,
            .type = VK_OBJECT_TYPE_DEVICE,
            .handle = (uint64_t)made->handle,
            .device = &made->table,
            .state = made,
            .free_state = free_device,
        };
        VkPhysicalDeviceProperties properties;
        gpu->call->GetPhysicalDeviceProperties(gpu->handle, &properties);
        vt_venus_context_uses(run->context, properties.deviceName);
        args->ret = vt_venus_object_made(run, &object, args->self, "pDevice");
        if (args->ret != VK_SUCCESS) {
            made->table.DestroyDevice(made->handle, NULL);
        }
    }
    if (args->ret != VK_SUCCESS) {
        free_device(made);
    }
}

void vt_venus_end_VkDevice(struct vt_venus_object *object)
{
    struct vt_venus_device *device = object->state;
    bool hung = (object->flags & VT_VENUS_DEVICE_HUNG) != 0;
    for (uint32_t i = 0; i < device->n_queues; i++) {
        vt_venus_timeline_unbind(device->context, &device->queues[i], hung);
    }
    vt_venus_retired_end(device, hung);
    vt_venus_heap_forget(vt_venus_context_heap(device->context), device->handle, hung);
    if (!hung) {
        device->table.DestroyDevice(device->handle, NULL);
    }
}

void vt_venus_vkDestroyDevice(struct vt_venus_run *run, struct vn_vkDestroyDevice *args)
{
    if (args->self != NULL) {
        struct vt_venus_objects *objects = vt_venus_context_objects(run->context);
        vt_venus_devices_quiesce(objects, args->self);
        vt_venus_objects_end(objects, args->self);
    }
}

/* ---- queues ---- */

static struct vt_venus_queue *find_queue(struct vt_venus_run *run, struct vt_venus_device *device,
                                         const VkDeviceQueueInfo2 *info)
{
    bool family = false;
    for (uint32_t i = 0; i < device->n_queues; i++) {
        struct vt_venus_queue *queue = &device->queues[i];
        if (queue->family == info->queueFamilyIndex && queue->flags == info->flags) {
            family = true;
            if (queue->index == info->queueIndex) {
                return queue;
            }
        }
    }
    vt_venus_fail(&run->in, VT_VENUS_VALUE, family ? "queueIndex" : "queueFamilyIndex",
                  family ? info->queueIndex : info->queueFamilyIndex, device->n_queues);
    return NULL;
}

static void get_queue(struct vt_venus_run *run, struct vt_venus_object *owner,
                      const VkDeviceQueueInfo2 *info, uint64_t id)
{
    struct vt_venus_device *device = owner->state;
    struct vt_venus_queue *queue = find_queue(run, device, info);
    if (queue == NULL) {
        return;
    }
    const VkDeviceQueueTimelineInfoMESA *timeline =
        vt_venus_chain_find(info->pNext, VK_STRUCTURE_TYPE_DEVICE_QUEUE_TIMELINE_INFO_MESA);
    pthread_mutex_lock(&queue->lock);
    bool ending = atomic_load(&device->ending);
    if (queue->handle != VK_NULL_HANDLE || ending) {
        /* it is there, or will not be */
    } else if (queue->flags == 0) {
        device->table.GetDeviceQueue(device->handle, queue->family, queue->index, &queue->handle);
    } else {
        const VkDeviceQueueInfo2 own = {
            .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_INFO_2,
            .flags = queue->flags,
            .queueFamilyIndex = queue->family,
            .queueIndex = queue->index,
        };
        device->table.GetDeviceQueue2(device->handle, &own, &queue->handle);
    }
    VkQueue handle = queue->handle;
    pthread_mutex_unlock(&queue->lock);
    const struct vt_venus_object object = {
        .id = id,
        .type = VK_OBJECT_TYPE_QUEUE,
        .handle = (uint64_t)handle,
        .state = queue, /* the device's */
    };
    if (handle == VK_NULL_HANDLE) {
        vt_venus_fail(&run->in, VT_VENUS_VALUE, "queueIndex", info->queueIndex, 0);
    } else if (vt_venus_object_made(run, &object, owner, "pQueue") != VK_SUCCESS) {
        vt_venus_fail(&run->in, VT_VENUS_MEMORY, "pQueue", id, 0);
    } else if (timeline != NULL &&
               vt_venus_timeline_bind(run->context, timeline->ringIdx, queue, NULL) != 0) {
        vt_venus_fail(&run->in, VT_VENUS_VALUE, "VkDeviceQueueTimelineInfoMESA.ringIdx",
                      timeline->ringIdx, VT_VENUS_TIMELINES - 1);
    }
}

void vt_venus_vkGetDeviceQueue(struct vt_venus_run *run, struct vn_vkGetDeviceQueue *args)
{
    const VkDeviceQueueInfo2 info = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_INFO_2,
        .queueFamilyIndex = args->queueFamilyIndex,
        .queueIndex = args->queueIndex,
    };
    get_queue(run, args->self, &info, (uint64_t)*args->pQueue);
}

void vt_venus_vkGetDeviceQueue2(struct vt_venus_run *run, struct vn_vkGetDeviceQueue2 *args)
{
    get_queue(run, args->self, args->pQueueInfo, (uint64_t)*args->pQueue);
}
