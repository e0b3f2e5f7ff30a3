/* venus/gpu.c - what is found out about a physical device of the host, once an instance.
 *
 * Which memory types take host memory only a device can say, and only of a pointer: the first time
 * that a guest asks for memory types, a device of our own is made, asked of a page of shared
 * memory, and destroyed. The renderer remembers the answer by the driver's and the device's UUID.
 */
#include "venus/gpu.h"

#include "venus/vn_commands.h"
#include "venus/vn_tables.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What is carried out here; offered wherever host memory can be imported. */
static const char *const emulated[] = {
    "VK_KHR_external_memory_fd",        "VK_EXT_external_memory_dma_buf",
    "VK_EXT_image_drm_format_modifier", "VK_KHR_external_semaphore_fd",
    "VK_KHR_external_fence_fd",         "VK_EXT_queue_family_foreign",
};
#define N_EMULATED (sizeof emulated / sizeof emulated[0])

bool vt_venus_emulated(const char *extension)
{
    for (size_t i = 0; i < N_EMULATED; i++) {
        if (strcmp(extension, emulated[i]) == 0) {
            return true;
        }
    }
    return false;
}

bool vt_venus_gpu_has(const struct vt_venus_gpu *gpu, const char *extension)
{
    for (uint32_t i = 0; i < gpu->n_own; i++) {
        if (strcmp(gpu->own[i].extensionName, extension) == 0) {
            return true;
        }
    }
    return false;
}

static const VkExtensionProperties *own_of(const struct vt_venus_gpu *gpu, const char *name)
{
    for (uint32_t i = 0; i < gpu->n_own; i++) {
        if (strcmp(gpu->own[i].extensionName, name) == 0) {
            return &gpu->own[i];
        }
    }
    return NULL;
}

static bool list_own(struct vt_venus_gpu *gpu)
{
    for (int tries = 0; tries < 8; tries++) { /* it may grow in between */
        uint32_t n = 0;
        if (gpu->call->EnumerateDeviceExtensionProperties(gpu->handle, NULL, &n, NULL) !=
            VK_SUCCESS) {
            return false;
        }
        VkExtensionProperties *all = calloc(n + 1, sizeof *all);
        if (all == NULL) {
            return false;
        }
        VkResult result = gpu->call->EnumerateDeviceExtensionProperties(gpu->handle, NULL, &n, all);
        if (result == VK_SUCCESS) {
            gpu->own = all;
            gpu->n_own = n;
            return true;
        }
        free(all);
        if (result != VK_INCOMPLETE) {
            return false;
        }
    }
    return false;
}

static bool list_shown(struct vt_venus_gpu *gpu)
{
    gpu->shown = calloc(VN_EXTENSIONS, sizeof *gpu->shown);
    if (gpu->shown == NULL) {
        return false;
    }
    for (size_t i = 0; i < VN_EXTENSIONS; i++) {
        const struct vn_extension *of = &vn_extensions[i];
        VkExtensionProperties shown = {.specVersion = of->version};
        if (strlen(of->name) >= sizeof shown.extensionName) {
            continue;
        }
        memcpy(shown.extensionName, of->name, strlen(of->name));
        const VkExtensionProperties *own = own_of(gpu, of->name);
        if (vt_venus_emulated(of->name)) {
            if (!gpu->imports) {
                continue;
            }
        } else if (own == NULL) {
            continue;
        } else if (own->specVersion < shown.specVersion) {
            shown.specVersion = own->specVersion;
        }
        gpu->shown[gpu->n_shown++] = shown;
    }
    return true;
}

static bool list_families(struct vt_venus_gpu *gpu)
{
    uint32_t n = 0;
    gpu->call->GetPhysicalDeviceQueueFamilyProperties(gpu->handle, &n, NULL);
    gpu->families = calloc(n + 1, sizeof *gpu->families);
    if (gpu->families == NULL) {
        return false;
    }
    gpu->call->GetPhysicalDeviceQueueFamilyProperties(gpu->handle, &n, gpu->families);
    gpu->n_families = n;
    return true;
}

static void ask_properties(struct vt_venus_gpu *gpu, uint32_t version_max)
{
    VkPhysicalDeviceExternalMemoryHostPropertiesEXT host = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_MEMORY_HOST_PROPERTIES_EXT,
    };
    VkPhysicalDeviceIDProperties id = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES,
        .pNext = gpu->imports ? &host : NULL,
    };
    VkPhysicalDeviceProperties2 all = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
        .pNext = &id,
    };
    gpu->call->GetPhysicalDeviceProperties2(gpu->handle, &all);
    gpu->discrete = all.properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
    memcpy(gpu->device_uuid, id.deviceUUID, VK_UUID_SIZE);
    memcpy(gpu->driver_uuid, id.driverUUID, VK_UUID_SIZE);
    gpu->api_version =
        all.properties.apiVersion < version_max ? all.properties.apiVersion : version_max;
    long page = sysconf(_SC_PAGESIZE);
    gpu->import_alignment = page > 0 ? (size_t)page : 4096;
    if (host.minImportedHostPointerAlignment > gpu->import_alignment) {
        gpu->import_alignment = (size_t)host.minImportedHostPointerAlignment;
    }
}

int vt_venus_gpu_create(struct vt_venus_renderer *renderer, const struct vn_instance_table *call,
                        VkPhysicalDevice handle, uint32_t version_max, struct vt_venus_gpu **gpu,
                        struct vt_error *err)
{
    struct vt_venus_gpu *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for a physical device");
    }
    pthread_mutex_init(&made->lock, NULL);
    made->handle = handle;
    made->call = call;
    made->renderer = renderer;
    bool listed = list_own(made);
    if (listed) {
        made->imports = vt_venus_gpu_has(made, VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME);
        made->foreign = vt_venus_gpu_has(made, VK_EXT_QUEUE_FAMILY_FOREIGN_EXTENSION_NAME);
        ask_properties(made, version_max);
        listed = list_shown(made) && list_families(made);
    }
    if (!listed) {
        vt_venus_gpu_destroy(made);
        return vt_fail(err, VT_E_NOMEM, "cannot list what a physical device has");
    }
    *gpu = made;
    return 0;
}

void vt_venus_gpu_destroy(struct vt_venus_gpu *gpu)
{
    if (gpu == NULL) {
        return;
    }
    free(gpu->own);
    free(gpu->shown);
    free(gpu->families);
    pthread_mutex_destroy(&gpu->lock);
    free(gpu);
}

static bool recall(struct vt_venus_gpu *gpu, uint32_t *types)
{
    struct vt_venus_renderer *renderer = gpu->renderer;
    bool found = false;
    pthread_mutex_lock(&renderer->lock);
    for (uint32_t i = 0; i < renderer->n_known && !found; i++) {
        const struct vt_venus_known_gpu *known = &renderer->known[i];
        if (memcmp(known->device, gpu->device_uuid, VK_UUID_SIZE) == 0 &&
            memcmp(known->driver, gpu->driver_uuid, VK_UUID_SIZE) == 0) {
            *types = known->import_types;
            found = true;
        }
    }
    pthread_mutex_unlock(&renderer->lock);
    return found;
}

static void remember(struct vt_venus_gpu *gpu, uint32_t types)
{
    struct vt_venus_renderer *renderer = gpu->renderer;
    pthread_mutex_lock(&renderer->lock);
    if (renderer->n_known < VT_VENUS_KNOWN_GPUS) {
        struct vt_venus_known_gpu *known = &renderer->known[renderer->n_known++];
        memcpy(known->device, gpu->device_uuid, VK_UUID_SIZE);
        memcpy(known->driver, gpu->driver_uuid, VK_UUID_SIZE);
        known->import_types = types;
    }
    pthread_mutex_unlock(&renderer->lock);
}

/* Of a touched page of shared memory, as the heap's are: what a driver takes depends on that. */
static uint32_t ask_pointer(const struct vt_venus_gpu *gpu, VkDevice device)
{
    PFN_vkGetMemoryHostPointerPropertiesEXT ask =
        (PFN_vkGetMemoryHostPointerPropertiesEXT)gpu->call->GetDeviceProcAddr(
            device, "vkGetMemoryHostPointerPropertiesEXT");
    int fd = memfd_create("venus-probe", MFD_CLOEXEC);
    size_t bytes = gpu->import_alignment;
    uint32_t types = 0;
    if (ask != NULL && fd >= 0 && ftruncate(fd, (off_t)bytes) == 0) {
        void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (at != MAP_FAILED) {
            memset(at, 1, bytes);
            VkMemoryHostPointerPropertiesEXT found = {
                .sType = VK_STRUCTURE_TYPE_MEMORY_HOST_POINTER_PROPERTIES_EXT,
            };
            if (ask(device, VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT, at, &found) ==
                VK_SUCCESS) {
                types = found.memoryTypeBits;
            }
            munmap(at, bytes);
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    return types;
}

static uint32_t probe(struct vt_venus_gpu *gpu)
{
    const float priority = 1;
    const char *extension = VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME;
    const VkDeviceQueueCreateInfo queue = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
        .queueCount = 1,
        .pQueuePriorities = &priority,
    };
    const VkDeviceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
        .queueCreateInfoCount = 1,
        .pQueueCreateInfos = &queue,
        .enabledExtensionCount = 1,
        .ppEnabledExtensionNames = &extension,
    };
    VkDevice device = VK_NULL_HANDLE;
    if (gpu->call->CreateDevice(gpu->handle, &info, NULL, &device) != VK_SUCCESS) {
        return 0;
    }
    uint32_t types = ask_pointer(gpu, device);
    PFN_vkDestroyDevice destroy =
        (PFN_vkDestroyDevice)gpu->call->GetDeviceProcAddr(device, "vkDestroyDevice");
    if (destroy != NULL) {
        destroy(device, NULL);
    }
    return types;
}

/* lock is held. */
static void limit_heaps(struct vt_venus_gpu *gpu)
{
    VkPhysicalDeviceMemoryProperties *memory = &gpu->memory;
    uint64_t max = gpu->renderer->options.memory_max_bytes;
    for (uint32_t heap = 0; heap < memory->memoryHeapCount; heap++) {
        bool local = (memory->memoryHeaps[heap].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) != 0;
        if (gpu->discrete && local && !gpu->renderer->memory_asked) {
            continue;
        }
        if (memory->memoryHeaps[heap].size > max) {
            memory->memoryHeaps[heap].size = max;
        }
        for (uint32_t i = 0; i < memory->memoryTypeCount; i++) {
            if (memory->memoryTypes[i].heapIndex == heap) {
                gpu->counted_types |= UINT32_C(1) << i;
            }
        }
    }
}

bool vt_venus_gpu_counts(struct vt_venus_gpu *gpu, uint32_t type)
{
    uint32_t imports;
    (void)vt_venus_gpu_memory(gpu, &imports);
    return ((gpu->counted_types | imports) >> type & 1) != 0;
}

const VkPhysicalDeviceMemoryProperties *vt_venus_gpu_memory(struct vt_venus_gpu *gpu,
                                                            uint32_t *import_types)
{
    const VkMemoryPropertyFlags mapped = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                                         VK_MEMORY_PROPERTY_HOST_COHERENT_BIT |
                                         VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
    const VkMemoryPropertyFlags needed =
        VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    pthread_mutex_lock(&gpu->lock);
    if (!gpu->memory_known) {
        uint32_t types = 0;
        if (gpu->imports && !recall(gpu, &types)) {
            types = probe(gpu);
            remember(gpu, types);
        }
        VkPhysicalDeviceMemoryProperties *memory = &gpu->memory;
        gpu->call->GetPhysicalDeviceMemoryProperties(gpu->handle, memory);
        for (uint32_t i = 0; i < memory->memoryTypeCount; i++) {
            VkMemoryPropertyFlags *flags = &memory->memoryTypes[i].propertyFlags;
            if ((*flags & needed) != needed) {
                types &= ~(UINT32_C(1) << i);
            }
            if ((types & UINT32_C(1) << i) == 0) {
                *flags &= ~mapped;
            }
        }
        limit_heaps(gpu);
        gpu->import_types = types;
        gpu->memory_known = true;
    }
    if (import_types != NULL) {
        *import_types = gpu->import_types;
    }
    pthread_mutex_unlock(&gpu->lock);
    return &gpu->memory; /* does not change any more */
}
