/* tools/memfd-layer.c - a Vulkan layer for tools/bench-peers: memory that may be exported as a
 * dma-buf is a memfd's instead, which the driver imports (VK_EXT_external_memory_host).
 *
 * With it virglrenderer's Venus can hand out memory of lavapipe where the kernel has no udmabuf. It
 * does for one instance and one device what that needs, and nothing for any other program. Built by
 * tools/bench-peers as one library; the loader is told of it by VK_LAYER_PATH.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vulkan/vk_layer.h>
#include <vulkan/vulkan.h>

#define SHOWN __attribute__((visibility("default")))
#define DMA_BUF VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT

/* Newest first: what is mapped is mostly what was just allocated. */
struct piece {
    struct piece *next;
    VkDeviceMemory memory;
    void *at;
    size_t size;
    int fd;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct piece *pieces;
static PFN_vkGetInstanceProcAddr next_instance;
static PFN_vkGetDeviceProcAddr next_device;
static PFN_vkGetPhysicalDeviceExternalBufferProperties buffer_properties;
static PFN_vkAllocateMemory allocate;
static PFN_vkFreeMemory free_memory;
static PFN_vkGetMemoryFdKHR get_fd;

static const void *find(const void *chain, VkStructureType type)
{
    const VkBaseInStructure *s = chain;
    while (s != NULL && s->sType != type) {
        s = s->pNext;
    }
    return s;
}

static bool exportable(VkExternalMemoryHandleTypeFlags types)
{
    return (types & DMA_BUF) != 0;
}

static void end(struct piece *p)
{
    munmap(p->at, p->size);
    close(p->fd);
    free(p);
}

static struct piece *make(size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct piece *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return NULL;
    }
    p->size = (bytes + page - 1) / page * page;
    p->fd = memfd_create("memfd-layer", MFD_CLOEXEC);
    p->at = p->fd < 0 || ftruncate(p->fd, (off_t)p->size) != 0
                ? MAP_FAILED
                : mmap(NULL, p->size, PROT_READ | PROT_WRITE, MAP_SHARED, p->fd, 0);
    if (p->at == MAP_FAILED) {
        close(p->fd);
        free(p);
        return NULL;
    }
    return p;
}

/* The piece of this memory; with `take` it leaves the list. */
static struct piece *piece_of(VkDeviceMemory memory, bool take)
{
    pthread_mutex_lock(&lock);
    struct piece **at = &pieces;
    while (*at != NULL && (*at)->memory != memory) {
        at = &(*at)->next;
    }
    struct piece *p = *at;
    if (p != NULL && take) {
        *at = p->next;
    }
    pthread_mutex_unlock(&lock);
    return p;
}

static VKAPI_ATTR VkResult VKAPI_CALL AllocateMemory(VkDevice device,
                                                     const VkMemoryAllocateInfo *info,
                                                     const VkAllocationCallbacks *callbacks,
                                                     VkDeviceMemory *memory)
{
    const VkExportMemoryAllocateInfo *exported =
        find(info->pNext, VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO);
    const VkMemoryAllocateFlagsInfo *flags =
        find(info->pNext, VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO);
    if (exported == NULL || !exportable(exported->handleTypes)) {
        return allocate(device, info, callbacks, memory);
    }
    struct piece *p = make(info->allocationSize);
    if (p == NULL) {
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    }
    VkMemoryAllocateFlagsInfo own_flags = {0};
    VkImportMemoryHostPointerInfoEXT pointer = {
        .sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT,
        .handleType = VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT,
        .pHostPointer = p->at};
    if (flags != NULL) {
        own_flags = *flags;
        own_flags.pNext = NULL;
        pointer.pNext = &own_flags;
    }
    const VkMemoryAllocateInfo own = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                      .pNext = &pointer,
                                      .allocationSize = p->size,
                                      .memoryTypeIndex = info->memoryTypeIndex};
    VkResult result = allocate(device, &own, callbacks, &p->memory);
    if (result != VK_SUCCESS) {
        end(p);
        return result;
    }
    *memory = p->memory;
    pthread_mutex_lock(&lock);
    p->next = pieces;
    pieces = p;
    pthread_mutex_unlock(&lock);
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL FreeMemory(VkDevice device, VkDeviceMemory memory,
                                             const VkAllocationCallbacks *callbacks)
{
    struct piece *p = piece_of(memory, true);
    free_memory(device, memory, callbacks);
    if (p != NULL) {
        end(p);
    }
}

static VKAPI_ATTR VkResult VKAPI_CALL GetMemoryFdKHR(VkDevice device,
                                                     const VkMemoryGetFdInfoKHR *info, int *fd)
{
    const struct piece *p = piece_of(info->memory, false);
    if (p == NULL) {
        return get_fd(device, info, fd);
    }
    *fd = fcntl(p->fd, F_DUPFD_CLOEXEC, 0);
    return *fd < 0 ? VK_ERROR_TOO_MANY_OBJECTS : VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL GetPhysicalDeviceExternalBufferProperties(
    VkPhysicalDevice device, const VkPhysicalDeviceExternalBufferInfo *info,
    VkExternalBufferProperties *properties)
{
    buffer_properties(device, info, properties);
    if (exportable(info->handleType)) {
        properties->externalMemoryProperties.externalMemoryFeatures |=
            VK_EXTERNAL_MEMORY_FEATURE_EXPORTABLE_BIT;
        properties->externalMemoryProperties.exportFromImportedHandleTypes |= DMA_BUF;
        properties->externalMemoryProperties.compatibleHandleTypes |= DMA_BUF;
    }
}

static VKAPI_ATTR VkResult VKAPI_CALL CreateInstance(const VkInstanceCreateInfo *info,
                                                     const VkAllocationCallbacks *callbacks,
                                                     VkInstance *instance)
{
    VkLayerInstanceCreateInfo *link = (VkLayerInstanceCreateInfo *)find(
        info->pNext, VK_STRUCTURE_TYPE_LOADER_INSTANCE_CREATE_INFO);
    while (link != NULL && link->function != VK_LAYER_LINK_INFO) {
        link = (VkLayerInstanceCreateInfo *)find(link->pNext,
                                                 VK_STRUCTURE_TYPE_LOADER_INSTANCE_CREATE_INFO);
    }
    if (link == NULL) {
        return VK_ERROR_INITIALIZATION_FAILED;
    }
    next_instance = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
    link->u.pLayerInfo = link->u.pLayerInfo->pNext;
    PFN_vkCreateInstance create = (PFN_vkCreateInstance)next_instance(NULL, "vkCreateInstance");
    VkResult result = create(info, callbacks, instance);
    if (result == VK_SUCCESS) {
        buffer_properties = (PFN_vkGetPhysicalDeviceExternalBufferProperties)next_instance(
            *instance, "vkGetPhysicalDeviceExternalBufferProperties");
    }
    return result;
}

static VKAPI_ATTR VkResult VKAPI_CALL CreateDevice(VkPhysicalDevice physical,
                                                   const VkDeviceCreateInfo *info,
                                                   const VkAllocationCallbacks *callbacks,
                                                   VkDevice *device)
{
    VkLayerDeviceCreateInfo *link =
        (VkLayerDeviceCreateInfo *)find(info->pNext, VK_STRUCTURE_TYPE_LOADER_DEVICE_CREATE_INFO);
    while (link != NULL && link->function != VK_LAYER_LINK_INFO) {
        link = (VkLayerDeviceCreateInfo *)find(link->pNext,
                                               VK_STRUCTURE_TYPE_LOADER_DEVICE_CREATE_INFO);
    }
    VkDeviceCreateInfo own = *info;
    const char **names = calloc(info->enabledExtensionCount + 1, sizeof *names);
    if (link == NULL || names == NULL) {
        free(names);
        return VK_ERROR_INITIALIZATION_FAILED;
    }
    PFN_vkGetInstanceProcAddr instance = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
    next_device = link->u.pLayerInfo->pfnNextGetDeviceProcAddr;
    link->u.pLayerInfo = link->u.pLayerInfo->pNext;
    bool there = false;
    for (uint32_t i = 0; i < info->enabledExtensionCount; i++) {
        names[i] = info->ppEnabledExtensionNames[i];
        there = there || strcmp(names[i], VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME) == 0;
    }
    if (!there) {
        names[own.enabledExtensionCount++] = VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME;
    }
    own.ppEnabledExtensionNames = names;
    PFN_vkCreateDevice create = (PFN_vkCreateDevice)instance(NULL, "vkCreateDevice");
    VkResult result = create(physical, &own, callbacks, device);
    free(names);
    if (result == VK_SUCCESS) {
        allocate = (PFN_vkAllocateMemory)next_device(*device, "vkAllocateMemory");
        free_memory = (PFN_vkFreeMemory)next_device(*device, "vkFreeMemory");
        get_fd = (PFN_vkGetMemoryFdKHR)next_device(*device, "vkGetMemoryFdKHR");
    }
    return result;
}

static PFN_vkVoidFunction own_device(const char *name);

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL GetDeviceProcAddr(VkDevice device, const char *name)
{
    PFN_vkVoidFunction own = own_device(name);
    return own != NULL ? own : next_device(device, name);
}

static PFN_vkVoidFunction own_device(const char *name)
{
    const struct {
        const char *name;
        PFN_vkVoidFunction function;
    } ours[] = {
        {"vkGetDeviceProcAddr", (PFN_vkVoidFunction)GetDeviceProcAddr},
        {"vkAllocateMemory", (PFN_vkVoidFunction)AllocateMemory},
        {"vkFreeMemory", (PFN_vkVoidFunction)FreeMemory},
        {"vkGetMemoryFdKHR", (PFN_vkVoidFunction)GetMemoryFdKHR},
    };
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        if (strcmp(name, ours[i].name) == 0) {
            return ours[i].function;
        }
    }
    return NULL;
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL GetInstanceProcAddr(VkInstance instance,
                                                                    const char *name)
{
    if (strcmp(name, "vkGetInstanceProcAddr") == 0) {
        return (PFN_vkVoidFunction)GetInstanceProcAddr;
    }
    if (strcmp(name, "vkCreateInstance") == 0) {
        return (PFN_vkVoidFunction)CreateInstance;
    }
    if (strcmp(name, "vkCreateDevice") == 0) {
        return (PFN_vkVoidFunction)CreateDevice;
    }
    if (strcmp(name, "vkGetPhysicalDeviceExternalBufferProperties") == 0 ||
        strcmp(name, "vkGetPhysicalDeviceExternalBufferPropertiesKHR") == 0) {
        return (PFN_vkVoidFunction)GetPhysicalDeviceExternalBufferProperties;
    }
    PFN_vkVoidFunction own = own_device(name);
    return own != NULL ? own : next_instance(instance, name);
}

SHOWN VKAPI_ATTR VkResult VKAPI_CALL
vkNegotiateLoaderLayerInterfaceVersion(VkNegotiateLayerInterface *interface)
{
    interface->loaderLayerInterfaceVersion = 2;
    interface->pfnGetInstanceProcAddr = GetInstanceProcAddr;
    interface->pfnGetDeviceProcAddr = GetDeviceProcAddr;
    interface->pfnGetPhysicalDeviceProcAddr = NULL;
    return VK_SUCCESS;
}
