/* tests/unit/venus/stub_driver.c - functions by name: few are written out, the rest are all one.
 *
 * Functions that are asked for nothing are called through a type that is not theirs, which is fine
 * where the caller takes arguments away again (x86-64, AArch64): they look at none, or at the one
 * that stands in the same place in all of them.
 */
#include "tests/unit/venus/stub_driver.h"

#include "venus/vn_tables.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIVE_MAX 65536u
#define HANDLES_FROM 0x10000u

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t alive[ALIVE_MAX];    /* lock: open addressing by handle, 0 is free, 1 was taken */
static size_t n_alive;               /* lock */
static uint64_t last = HANDLES_FROM; /* lock */

static _Noreturn void wrong(const char *what, uint64_t handle)
{
    fprintf(stderr, "stub driver: %s 0x%llx\n", what, (unsigned long long)handle);
    abort();
}

static uint64_t make(void)
{
    pthread_mutex_lock(&lock);
    if (n_alive >= ALIVE_MAX / 2) {
        pthread_mutex_unlock(&lock);
        return 0;
    }
    last += 16;
    if (n_alive == 0) {
        memset(alive, 0, sizeof alive);
    }
    size_t at = last / 16 % ALIVE_MAX;
    while (alive[at] > 1) {
        at = (at + 1) % ALIVE_MAX;
    }
    alive[at] = last;
    n_alive++;
    uint64_t made = last;
    pthread_mutex_unlock(&lock);
    return made;
}

static void unmake(uint64_t handle)
{
    if (handle == 0) {
        return;
    }
    pthread_mutex_lock(&lock);
    size_t at = handle / 16 % ALIVE_MAX, tries = 0;
    while (alive[at] != handle && alive[at] != 0 && tries++ < ALIVE_MAX) {
        at = (at + 1) % ALIVE_MAX;
    }
    if (alive[at] != handle) {
        wrong("destroyed what is not there:", handle);
    }
    alive[at] = 1;
    n_alive--;
    pthread_mutex_unlock(&lock);
}

size_t stub_driver_alive(void)
{
    pthread_mutex_lock(&lock);
    size_t n = n_alive;
    pthread_mutex_unlock(&lock);
    return n;
}

/* Handles that die with something else. */
static uint64_t number(void)
{
    static _Atomic uint64_t next = 0x100;
    return next += 16;
}

/* ---------------------------------------------------------------- all the others */

static uint64_t succeed(void)
{
    return 0;
}

static VkResult put(uint64_t *made)
{
    *made = make();
    return *made != 0 ? VK_SUCCESS : VK_ERROR_OUT_OF_HOST_MEMORY;
}

/* vkCreate*(parent, info, allocator, made), vkAllocateMemory */
static VkResult create(void *parent, const void *info, const void *allocator, uint64_t *made)
{
    (void)parent, (void)info, (void)allocator;
    return put(made);
}

/* vkDestroy*(parent, handle, allocator), vkFreeMemory */
static void destroy(void *parent, uint64_t handle, const void *allocator)
{
    (void)parent, (void)allocator;
    unmake(handle);
}

static void destroy_itself(uint64_t handle, const void *allocator)
{
    (void)allocator;
    unmake(handle);
}

static VkResult create_several(uint32_t count, uint64_t *made)
{
    for (uint32_t i = 0; i < count; i++) {
        VkResult result = put(&made[i]);
        if (result != VK_SUCCESS) {
            while (i-- > 0) {
                unmake(made[i]);
            }
            memset(made, 0, count * sizeof *made);
            return result;
        }
    }
    return VK_SUCCESS;
}

static VkResult create_pipelines(VkDevice device, VkPipelineCache cache, uint32_t count,
                                 const void *infos, const void *allocator, uint64_t *made)
{
    (void)device, (void)cache, (void)infos, (void)allocator;
    return create_several(count, made);
}

static VkResult create_ray_pipelines(VkDevice device, uint64_t deferred, VkPipelineCache cache,
                                     uint32_t count, const void *infos, const void *allocator,
                                     uint64_t *made)
{
    (void)device, (void)deferred, (void)cache, (void)infos, (void)allocator;
    return create_several(count, made);
}

static VkResult create_from(const void *info, const void *allocator, uint64_t *made)
{
    (void)info, (void)allocator;
    return put(made);
}

static VkResult create_deferred(VkDevice device, const void *allocator, uint64_t *made)
{
    (void)device, (void)allocator;
    return put(made);
}

static VkResult allocate_commands(VkDevice device, const VkCommandBufferAllocateInfo *info,
                                  VkCommandBuffer *made)
{
    (void)device;
    for (uint32_t i = 0; i < info->commandBufferCount; i++) {
        made[i] = (VkCommandBuffer)(uintptr_t)number();
    }
    return VK_SUCCESS;
}

static VkResult allocate_sets(VkDevice device, const VkDescriptorSetAllocateInfo *info,
                              VkDescriptorSet *made)
{
    (void)device;
    for (uint32_t i = 0; i < info->descriptorSetCount; i++) {
        made[i] = (VkDescriptorSet)number();
    }
    return VK_SUCCESS;
}

/* ---------------------------------------------------------------- the device */

static VkResult instance_version(uint32_t *version)
{
    *version = VK_API_VERSION_1_3;
    return VK_SUCCESS;
}

static VkResult extensions(uint32_t *count, VkExtensionProperties *all)
{
    static const char *const more = VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME;
    uint32_t have = (uint32_t)VN_EXTENSIONS + 1;
    if (all == NULL) {
        *count = have;
        return VK_SUCCESS;
    }
    uint32_t n = *count < have ? *count : have;
    for (uint32_t i = 0; i < n; i++) {
        const char *name = i < VN_EXTENSIONS ? vn_extensions[i].name : more;
        memset(&all[i], 0, sizeof all[i]);
        snprintf(all[i].extensionName, sizeof all[i].extensionName, "%s", name);
        all[i].specVersion = 1;
    }
    *count = n;
    return n < have ? VK_INCOMPLETE : VK_SUCCESS;
}

static VkResult instance_extensions(const char *layer, uint32_t *count, VkExtensionProperties *all)
{
    (void)layer;
    return extensions(count, all);
}

static VkResult device_extensions(VkPhysicalDevice gpu, const char *layer, uint32_t *count,
                                  VkExtensionProperties *all)
{
    (void)gpu, (void)layer;
    return extensions(count, all);
}

static VkResult gpus(VkInstance instance, uint32_t *count, VkPhysicalDevice *all)
{
    (void)instance;
    if (all != NULL && *count > 0) {
        all[0] = (VkPhysicalDevice)(uintptr_t)0x40;
    }
    VkResult result = all != NULL && *count == 0 ? VK_INCOMPLETE : VK_SUCCESS;
    *count = all != NULL && *count == 0 ? 0 : 1;
    return result;
}

static void fill_properties(VkPhysicalDeviceProperties *p)
{
    memset(p, 0, sizeof *p);
    p->apiVersion = VK_API_VERSION_1_3;
    memcpy(p->deviceName, "stub", 5);
    p->limits.maxMemoryAllocationCount = 4096;
    p->limits.nonCoherentAtomSize = 64;
}

static void properties(VkPhysicalDevice gpu, VkPhysicalDeviceProperties *p)
{
    (void)gpu;
    fill_properties(p);
}

static void properties2(VkPhysicalDevice gpu, VkPhysicalDeviceProperties2 *p)
{
    (void)gpu;
    fill_properties(&p->properties);
    for (VkBaseOutStructure *more = p->pNext; more != NULL; more = more->pNext) {
        if (more->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_MEMORY_HOST_PROPERTIES_EXT) {
            ((VkPhysicalDeviceExternalMemoryHostPropertiesEXT *)more)
                ->minImportedHostPointerAlignment = 4096;
        }
    }
}

static void fill_memory(VkPhysicalDeviceMemoryProperties *m)
{
    memset(m, 0, sizeof *m);
    m->memoryTypeCount = 2;
    m->memoryTypes[0].propertyFlags = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
    m->memoryTypes[1].propertyFlags = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                                      VK_MEMORY_PROPERTY_HOST_COHERENT_BIT |
                                      VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
    m->memoryTypes[1].heapIndex = 1;
    m->memoryHeapCount = 2;
    m->memoryHeaps[0] = (VkMemoryHeap){1 << 30, VK_MEMORY_HEAP_DEVICE_LOCAL_BIT};
    m->memoryHeaps[1] = (VkMemoryHeap){1 << 30, 0};
}

static void memory(VkPhysicalDevice gpu, VkPhysicalDeviceMemoryProperties *m)
{
    (void)gpu;
    fill_memory(m);
}

static void memory2(VkPhysicalDevice gpu, VkPhysicalDeviceMemoryProperties2 *m)
{
    (void)gpu;
    fill_memory(&m->memoryProperties);
}

static const VkQueueFamilyProperties one_family = {
    .queueFlags = VK_QUEUE_GRAPHICS_BIT | VK_QUEUE_COMPUTE_BIT | VK_QUEUE_SPARSE_BINDING_BIT,
    .queueCount = 4,
    .timestampValidBits = 64,
    .minImageTransferGranularity = {1, 1, 1},
};

static void families(VkPhysicalDevice gpu, uint32_t *count, VkQueueFamilyProperties *all)
{
    (void)gpu;
    if (all != NULL && *count > 0) {
        all[0] = one_family;
    }
    *count = all != NULL && *count == 0 ? 0 : 1;
}

static void families2(VkPhysicalDevice gpu, uint32_t *count, VkQueueFamilyProperties2 *all)
{
    (void)gpu;
    if (all != NULL && *count > 0) {
        all[0].queueFamilyProperties = one_family;
    }
    *count = all != NULL && *count == 0 ? 0 : 1;
}

static void get_queue(VkDevice device, uint32_t family, uint32_t index, VkQueue *queue)
{
    (void)device, (void)family;
    *queue = (VkQueue)(uintptr_t)(0x50 + index);
}

static void get_queue2(VkDevice device, const VkDeviceQueueInfo2 *info, VkQueue *queue)
{
    (void)device;
    *queue = (VkQueue)(uintptr_t)(0x50 + info->queueIndex);
}

static const VkMemoryRequirements needed = {.size = 4096, .alignment = 256, .memoryTypeBits = 3};

static void requirements(VkDevice device, uint64_t object, VkMemoryRequirements *r)
{
    (void)device, (void)object;
    *r = needed;
}

static void requirements2(VkDevice device, const void *info, VkMemoryRequirements2 *r)
{
    (void)device, (void)info;
    r->memoryRequirements = needed;
}

static VkResult host_pointer(VkDevice device, VkExternalMemoryHandleTypeFlagBits type,
                             const void *at, VkMemoryHostPointerPropertiesEXT *p)
{
    (void)device, (void)type;
    p->memoryTypeBits = (uintptr_t)at % 4096 == 0 ? 2 : 0;
    return VK_SUCCESS;
}

static VkResult counter_value(VkDevice device, VkSemaphore semaphore, uint64_t *value)
{
    (void)device, (void)semaphore;
    *value = UINT64_C(1) << 40;
    return VK_SUCCESS;
}

/* Now and then not yet. */
static VkResult fence_status(VkDevice device, VkFence fence)
{
    static _Atomic unsigned asked;
    (void)device, (void)fence;
    return asked++ % 3 == 0 ? VK_NOT_READY : VK_SUCCESS;
}

/* ---------------------------------------------------------------- by name */

static PFN_vkVoidFunction device_function(VkDevice device, const char *name);

static const struct {
    const char *name;
    PFN_vkVoidFunction function;
} written[] = {
#define AS(name, function) {"vk" #name, (PFN_vkVoidFunction)(void (*)(void))(function)}
    AS(AllocateCommandBuffers, allocate_commands),
    AS(AllocateDescriptorSets, allocate_sets),
    AS(AllocateMemory, create),
    AS(CreateComputePipelines, create_pipelines),
    AS(CreateDeferredOperationKHR, create_deferred),
    AS(CreateGraphicsPipelines, create_pipelines),
    AS(CreateInstance, create_from),
    AS(CreateRayTracingPipelinesKHR, create_ray_pipelines),
    AS(DestroyDevice, destroy_itself),
    AS(DestroyInstance, destroy_itself),
    AS(EnumerateDeviceExtensionProperties, device_extensions),
    AS(EnumerateInstanceExtensionProperties, instance_extensions),
    AS(EnumerateInstanceVersion, instance_version),
    AS(EnumeratePhysicalDevices, gpus),
    AS(FreeCommandBuffers, succeed),
    AS(FreeDescriptorSets, succeed),
    AS(FreeMemory, destroy),
    AS(GetBufferMemoryRequirements, requirements),
    AS(GetBufferMemoryRequirements2, requirements2),
    AS(GetDeviceBufferMemoryRequirements, requirements2),
    AS(GetDeviceImageMemoryRequirements, requirements2),
    AS(GetDeviceProcAddr, device_function),
    AS(GetDeviceQueue, get_queue),
    AS(GetDeviceQueue2, get_queue2),
    AS(GetFenceStatus, fence_status),
    AS(GetImageMemoryRequirements, requirements),
    AS(GetImageMemoryRequirements2, requirements2),
    AS(GetMemoryHostPointerPropertiesEXT, host_pointer),
    AS(GetPhysicalDeviceMemoryProperties, memory),
    AS(GetPhysicalDeviceMemoryProperties2, memory2),
    AS(GetPhysicalDeviceProperties, properties),
    AS(GetPhysicalDeviceProperties2, properties2),
    AS(GetPhysicalDeviceQueueFamilyProperties, families),
    AS(GetPhysicalDeviceQueueFamilyProperties2, families2),
    AS(GetSemaphoreCounterValue, counter_value),
#undef AS
};

static PFN_vkVoidFunction device_function(VkDevice device, const char *name)
{
    (void)device;
    for (size_t i = 0; i < sizeof written / sizeof written[0]; i++) {
        if (strcmp(written[i].name, name) == 0) {
            return written[i].function;
        }
    }
    if (strncmp(name, "vkCreate", 8) == 0) {
        return (PFN_vkVoidFunction)(void (*)(void))create;
    }
    if (strncmp(name, "vkDestroy", 9) == 0) {
        return (PFN_vkVoidFunction)(void (*)(void))destroy;
    }
    return (PFN_vkVoidFunction)(void (*)(void))succeed;
}

VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL vkGetInstanceProcAddr(VkInstance instance,
                                                               const char *name);
VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL vkGetInstanceProcAddr(VkInstance instance,
                                                               const char *name)
{
    (void)instance;
    return device_function(NULL, name);
}
