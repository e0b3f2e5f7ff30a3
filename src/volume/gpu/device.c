/* volume/gpu/device.c - choosing a device, opening and closing it, and what its results mean.
 */
#include "volume/gpu/instance.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- results */

static const struct {
    VkResult result;
    enum vt_code code;
    const char *words;
} meanings[] = {
    {VK_ERROR_OUT_OF_HOST_MEMORY, VT_E_NOMEM, "the host has no memory left for it"},
    {VK_ERROR_OUT_OF_DEVICE_MEMORY, VT_E_NOMEM, "the device has no memory left for it"},
    {VK_ERROR_TOO_MANY_OBJECTS, VT_E_LIMIT, "the driver takes no more of them"},
    {VK_ERROR_DEVICE_LOST, VT_E_GONE, "the device was lost"},
    {VK_ERROR_INITIALIZATION_FAILED, VT_E_IO, "the driver could not start"},
    {VK_ERROR_LAYER_NOT_PRESENT, VT_E_UNSUPPORTED, "a Vulkan layer is missing"},
    {VK_ERROR_EXTENSION_NOT_PRESENT, VT_E_UNSUPPORTED, "the driver lacks an extension"},
    {VK_ERROR_FEATURE_NOT_PRESENT, VT_E_UNSUPPORTED, "the driver lacks a feature"},
    {VK_ERROR_INCOMPATIBLE_DRIVER, VT_E_UNSUPPORTED, "the driver does not fit"},
    {VK_ERROR_INVALID_EXTERNAL_HANDLE, VT_E_UNSUPPORTED, "the driver refuses it"},
    {VK_ERROR_INVALID_SHADER_NV, VT_E_UNSUPPORTED, "the driver does not understand the shader"},
};

int(vt_gpu_fail)(struct vt_gpu *gpu, VkResult result, const char *what, struct vt_error *err)
{
    const char *name = gpu != NULL ? gpu->info.name : "Vulkan";
    if (gpu != NULL && result == VK_ERROR_DEVICE_LOST) {
        gpu->gone = true;
    }
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++) {
        if (meanings[i].result == result) {
            return vt_fail(err, meanings[i].code, "%s: %s: %s", name, what, meanings[i].words);
        }
    }
    return vt_fail(err, VT_E_IO, "%s: %s: the driver answers %d", name, what, (int)result);
}

void vt_gpu_fault(struct vt_gpu *gpu, enum vt_gpu_fault fault, unsigned after)
{
    gpu->fault = fault;
    gpu->fault_after = after;
}

bool vt_gpu_faults(struct vt_gpu *gpu, enum vt_gpu_fault fault)
{
    if (gpu->fault != fault || gpu->fault_after-- > 0) {
        return false;
    }
    gpu->fault = VT_GPU_FAULT_NONE;
    return true;
}

int vt_gpu_ready(const struct vt_gpu *gpu, struct vt_error *err)
{
    if (gpu->gone) {
        return vt_fail(err, VT_E_GONE, "%s is gone", gpu->info.name);
    }
    return gpu->recording ? vt_fail(err, VT_E_BUSY, "work is being recorded already") : 0;
}

/* ---------------------------------------------------------------- validation */

static VKAPI_ATTR VkBool32 VKAPI_CALL complain(VkDebugUtilsMessageSeverityFlagBitsEXT severity,
                                               VkDebugUtilsMessageTypeFlagsEXT types,
                                               const VkDebugUtilsMessengerCallbackDataEXT *data,
                                               void *user)
{
    (void)severity;
    (void)types;
    struct vt_gpu *gpu = user;
    if (atomic_fetch_add(&gpu->complaints, 1) == 0) {
        snprintf(gpu->complaint, sizeof gpu->complaint, "%s",
                 data->pMessage != NULL ? data->pMessage : "?");
    }
    return VK_FALSE;
}

static VkDebugUtilsMessengerCreateInfoEXT listener_of(struct vt_gpu *gpu)
{
    return (VkDebugUtilsMessengerCreateInfoEXT){
        .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
        .messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT |
                           VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
        .messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT,
        .pfnUserCallback = complain,
        .pUserData = gpu,
    };
}

const char *vt_gpu_complaint(const struct vt_gpu *gpu)
{
    return atomic_load(&gpu->complaints) > 0 ? gpu->complaint : NULL;
}

static int open_instance(struct vt_gpu *gpu, bool validate, bool windows, struct vt_error *err)
{
    const VkDebugUtilsMessengerCreateInfoEXT listener = listener_of(gpu);
    int rc = vt_gpu_instance_create(validate ? &listener : NULL, windows, &gpu->instance, err);
    if (rc != 0 || !validate) {
        return rc;
    }
    PFN_vkCreateDebugUtilsMessengerEXT create =
        (PFN_vkCreateDebugUtilsMessengerEXT)vkGetInstanceProcAddr(gpu->instance,
                                                                  "vkCreateDebugUtilsMessengerEXT");
    VkResult result = create != NULL ? create(gpu->instance, &listener, NULL, &gpu->messenger)
                                     : VK_ERROR_EXTENSION_NOT_PRESENT;
    return result == VK_SUCCESS ? 0 : vt_gpu_fail(gpu, result, "cannot hear its layers", err);
}

/* ---------------------------------------------------------------- which one */

/* What programs use: NULL when the device has it all, else the name of what it lacks. */
static const char *lacks(VkPhysicalDevice physical)
{
    VkPhysicalDeviceProperties properties;
    vkGetPhysicalDeviceProperties(physical, &properties);
    if (properties.apiVersion < VK_API_VERSION_1_2) {
        return "Vulkan 1.2";
    }
    VkPhysicalDeviceVulkan12Features f12 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES};
    VkPhysicalDeviceVulkan11Features f11 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES, .pNext = &f12};
    VkPhysicalDeviceFeatures2 f10 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
                                     .pNext = &f11};
    vkGetPhysicalDeviceFeatures2(physical, &f10);
    const struct {
        VkBool32 has;
        const char *name;
    } needed[] = {
        {f10.features.shaderInt64, "shaderInt64"},
        {f10.features.shaderInt16, "shaderInt16"},
        {f11.storageBuffer16BitAccess, "storageBuffer16BitAccess"},
        {f12.storageBuffer8BitAccess, "storageBuffer8BitAccess"},
        {f12.shaderInt8, "shaderInt8"},
        {f12.bufferDeviceAddress, "bufferDeviceAddress"},
        {f12.scalarBlockLayout, "scalarBlockLayout"},
        {f12.timelineSemaphore, "timelineSemaphore"},
    };
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        if (needed[i].has != VK_TRUE) {
            return needed[i].name;
        }
    }
    return NULL;
}

/* The index that `text` is all of, or -1. */
static long index_of(const char *text)
{
    char *end;
    if (!isdigit((unsigned char)text[0])) {
        return -1;
    }
    long index = strtol(text, &end, 10);
    return *end == '\0' ? index : -1;
}

static int not_found(const char *name, const struct vt_gpu_info *infos, uint32_t n,
                     struct vt_error *err)
{
    char there[256] = "";
    for (uint32_t i = 0; i < n; i++) {
        size_t at = strlen(there);
        snprintf(there + at, sizeof there - at, "%s%s", i > 0 ? ", " : "", infos[i].name);
    }
    return vt_fail(err, VT_E_NOT_FOUND, "no GPU '%.40s'; there are: %s", name, there);
}

static int choose(const char *name, const struct vt_gpu_info *infos,
                  const VkPhysicalDevice *physical, uint32_t n, uint32_t *chosen,
                  struct vt_error *err)
{
    if (name != NULL) {
        long index = index_of(name);
        for (uint32_t i = 0; i < n; i++) {
            if (index >= 0 ? (uint32_t)index == i : strcasestr(infos[i].name, name) != NULL) {
                *chosen = i;
                return 0;
            }
        }
        return not_found(name, infos, n, err);
    }
    for (int software = 0; software <= 1; software++) {
        for (uint32_t i = 0; i < n; i++) {
            if (infos[i].software == (software == 1) && lacks(physical[i]) == NULL) {
                *chosen = i;
                return 0;
            }
        }
    }
    *chosen = 0; /* none will do: say of the first one why */
    return 0;
}

static int choose_physical(struct vt_gpu *gpu, const char *name, struct vt_error *err)
{
    VkPhysicalDevice *all;
    uint32_t n, chosen;
    int rc = vt_gpu_physical_list(gpu->instance, &all, &n, err);
    if (rc != 0) {
        return rc;
    }
    struct vt_gpu_info *infos = calloc(n, sizeof *infos);
    if (infos == NULL) {
        free(all);
        return vt_fail(err, VT_E_NOMEM, "no memory for a list of devices");
    }
    for (uint32_t i = 0; i < n; i++) {
        vt_gpu_describe(all[i], i, &infos[i]);
    }
    rc = choose(name, infos, all, n, &chosen, err);
    if (rc == 0) {
        const char *missing = lacks(all[chosen]);
        gpu->physical = all[chosen];
        gpu->info = infos[chosen];
        if (missing != NULL) {
            rc = vt_fail(err, VT_E_UNSUPPORTED, "%s lacks %s", gpu->info.name, missing);
        }
    }
    free(infos);
    free(all);
    return rc;
}

/* ---------------------------------------------------------------- opening */

/* A queue family for work, and one that only copies where there is one. */
static int choose_families(struct vt_gpu *gpu, struct vt_error *err)
{
    VkQueueFamilyProperties families[32];
    uint32_t n = 32;
    bool found = false, copies = false;
    vkGetPhysicalDeviceQueueFamilyProperties(gpu->physical, &n, families);
    for (uint32_t i = 0; i < n; i++) {
        VkQueueFlags flags = families[i].queueFlags;
        if ((flags & VK_QUEUE_COMPUTE_BIT) != 0 && !found) {
            gpu->family = i;
            found = true;
        }
        if ((flags & VK_QUEUE_TRANSFER_BIT) != 0 && !copies &&
            (flags & (VK_QUEUE_COMPUTE_BIT | VK_QUEUE_GRAPHICS_BIT)) == 0) {
            gpu->upload_family = i;
            copies = true;
        }
    }
    if (!found) {
        return vt_fail(err, VT_E_UNSUPPORTED, "%s computes nothing", gpu->info.name);
    }
    if (!copies) {
        gpu->upload_family = gpu->family;
    }
    uint32_t bits = families[gpu->family].timestampValidBits;
    gpu->info.timestamps = gpu->info.timestamps && bits > 0;
    gpu->timestamp_mask = bits >= 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
    return 0;
}

static void read_limits(struct vt_gpu *gpu)
{
    VkPhysicalDeviceExternalMemoryHostPropertiesEXT host = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_MEMORY_HOST_PROPERTIES_EXT};
    VkPhysicalDeviceVulkan11Properties p11 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_PROPERTIES,
        .pNext = gpu->info.imports ? &host : NULL};
    VkPhysicalDeviceProperties2 p10 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                       .pNext = &p11};
    vkGetPhysicalDeviceProperties2(gpu->physical, &p10);
    vkGetPhysicalDeviceMemoryProperties(gpu->physical, &gpu->types);
    gpu->buffer_max = p11.maxMemoryAllocationSize;
    gpu->ns_per_tick = gpu->info.timestamps ? (double)p10.properties.limits.timestampPeriod : 0;
    gpu->info.imports = gpu->info.imports && host.minImportedHostPointerAlignment <= VT_PAGE_BYTES;
}

static int open_device(struct vt_gpu *gpu, bool windows, struct vt_error *err)
{
    const float priority = 1;
    VkDeviceQueueCreateInfo queues[2];
    const uint32_t families[2] = {gpu->family, gpu->upload_family};
    uint32_t n_queues = gpu->family != gpu->upload_family ? 2 : 1;
    for (uint32_t i = 0; i < n_queues; i++) {
        queues[i] = (VkDeviceQueueCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
            .queueFamilyIndex = families[i],
            .queueCount = 1,
            .pQueuePriorities = &priority,
        };
    }
    const char *extensions[5];
    uint32_t n = 0;
    gpu->budget = vt_gpu_device_has(gpu->physical, VK_EXT_MEMORY_BUDGET_EXTENSION_NAME);
    if (gpu->budget) {
        extensions[n++] = VK_EXT_MEMORY_BUDGET_EXTENSION_NAME;
    }
    if (gpu->info.imports) {
        extensions[n++] = VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME;
    }
    if (vt_gpu_device_has(gpu->physical, "VK_KHR_portability_subset")) {
        extensions[n++] = "VK_KHR_portability_subset"; /* must be asked for where it is */
    }
    gpu->windows = windows && vt_gpu_device_has(gpu->physical, VK_KHR_SWAPCHAIN_EXTENSION_NAME);
    if (gpu->windows) {
        extensions[n++] = VK_KHR_SWAPCHAIN_EXTENSION_NAME;
    }
    VkPhysicalDeviceVulkan12Features f12 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
        .storageBuffer8BitAccess = VK_TRUE,
        .shaderInt8 = VK_TRUE,
        .bufferDeviceAddress = VK_TRUE,
        .scalarBlockLayout = VK_TRUE,
        .timelineSemaphore = VK_TRUE,
    };
    VkPhysicalDeviceVulkan11Features f11 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES,
        .pNext = &f12,
        .storageBuffer16BitAccess = VK_TRUE,
    };
    const VkPhysicalDeviceFeatures2 f10 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
        .pNext = &f11,
        .features = {.shaderInt64 = VK_TRUE, .shaderInt16 = VK_TRUE},
    };
    const VkDeviceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
        .pNext = &f10,
        .queueCreateInfoCount = n_queues,
        .pQueueCreateInfos = queues,
        .enabledExtensionCount = n,
        .ppEnabledExtensionNames = extensions,
    };
    VkResult result = vkCreateDevice(gpu->physical, &info, NULL, &gpu->device);
    if (result != VK_SUCCESS) {
        gpu->device = VK_NULL_HANDLE;
        return vt_gpu_fail(gpu, result, "cannot open it", err);
    }
    vkGetDeviceQueue(gpu->device, gpu->family, 0, &gpu->queue);
    vkGetDeviceQueue(gpu->device, gpu->upload_family, 0, &gpu->upload_queue);
    if (gpu->info.imports) {
        gpu->host_pointer_properties = (PFN_vkGetMemoryHostPointerPropertiesEXT)vkGetDeviceProcAddr(
            gpu->device, "vkGetMemoryHostPointerPropertiesEXT");
        gpu->info.imports = gpu->host_pointer_properties != NULL;
    }
    return 0;
}

static int open_all(struct vt_gpu *gpu, const char *name, bool validate, bool windows,
                    struct vt_error *err)
{
    int rc = open_instance(gpu, validate, windows, err);
    if (rc == 0) {
        rc = choose_physical(gpu, name, err);
    }
    if (rc == 0) {
        rc = choose_families(gpu, err);
    }
    if (rc == 0) {
        read_limits(gpu);
        gpu->wait_ns = gpu->info.software ? VT_GPU_SOFTWARE_WAIT_NS : VT_GPU_WAIT_NS;
        rc = open_device(gpu, windows, err);
    }
    if (rc == 0) {
        rc = vt_gpu_work_init(gpu, err);
    }
    return rc == 0 ? vt_gpu_ring_init(gpu, err) : rc;
}

/* What was asked for, or what the environment says; NULL: nothing. */
static const char *wanted(const struct vt_gpu_options *options)
{
    const char *name = options != NULL ? options->name : NULL;
    if (name == NULL) {
        name = getenv("VITRINE_GPU");
    }
    return name != NULL && name[0] != '\0' ? name : NULL;
}

int vt_gpu_find(const struct vt_gpu_options *options, struct vt_gpu_info *info,
                struct vt_error *err)
{
    struct vt_gpu *g = calloc(1, sizeof *g);
    if (g == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for a device's record");
    }
    int rc = open_instance(g, false, false, err);
    rc = rc != 0 ? rc : choose_physical(g, wanted(options), err);
    if (rc == 0) {
        *info = g->info;
    }
    vt_gpu_close(g);
    return rc;
}

int vt_gpu_open(const struct vt_gpu_options *options, struct vt_gpu **gpu, struct vt_error *err)
{
    const char *asked = getenv("VITRINE_GPU_VALIDATE");
    bool validate = (options != NULL && options->validate) ||
                    (asked != NULL && asked[0] != '\0' && strcmp(asked, "0") != 0);
    struct vt_gpu *g = calloc(1, sizeof *g);
    if (g == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for a device's record");
    }
    snprintf(g->info.name, sizeof g->info.name, "Vulkan");
    bool windows = options != NULL && options->windows;
    int rc = open_all(g, wanted(options), validate, windows, err);
    if (rc != 0) {
        vt_gpu_close(g);
        return rc;
    }
    *gpu = g;
    return 0;
}

unsigned vt_gpu_close(struct vt_gpu *gpu)
{
    if (gpu == NULL) {
        return 0;
    }
    vt_gpu_abandon(gpu);
    /* What is stuck stays until the process ends, the driver's threads with it. */
    if (vt_gpu_settled(gpu)) {
        if (gpu->device != VK_NULL_HANDLE) {
            /* All is done; Mesa's queues drop the semaphores they waited for only after they said
             * so (vulkan/runtime/vk_queue.c: vk_queue_submit_cleanup). */
            vkDeviceWaitIdle(gpu->device);
            vt_gpu_ring_fini(gpu);
            vt_gpu_work_fini(gpu);
            vkDestroyDevice(gpu->device, NULL);
        }
        if (gpu->messenger != VK_NULL_HANDLE) {
            PFN_vkDestroyDebugUtilsMessengerEXT destroy =
                (PFN_vkDestroyDebugUtilsMessengerEXT)vkGetInstanceProcAddr(
                    gpu->instance, "vkDestroyDebugUtilsMessengerEXT");
            destroy(gpu->instance, gpu->messenger, NULL);
        }
        if (gpu->instance != VK_NULL_HANDLE) {
            vkDestroyInstance(gpu->instance, NULL);
        }
    }
    unsigned complaints = atomic_load(&gpu->complaints);
    if (!gpu->stuck) { /* the layers may still complain to it */
        free(gpu);
    }
    return complaints;
}

bool vt_gpu_gone(const struct vt_gpu *gpu)
{
    return gpu->gone;
}

const struct vt_gpu_info *vt_gpu_info(const struct vt_gpu *gpu)
{
    return &gpu->info;
}

void vt_gpu_memory(const struct vt_gpu *gpu, uint64_t *ours, uint64_t *driver)
{
    *ours = gpu->ours;
    *driver = 0;
    if (!gpu->budget) {
        return;
    }
    VkPhysicalDeviceMemoryBudgetPropertiesEXT budget = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT};
    VkPhysicalDeviceMemoryProperties2 memory = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2, .pNext = &budget};
    vkGetPhysicalDeviceMemoryProperties2(gpu->physical, &memory);
    for (uint32_t i = 0; i < memory.memoryProperties.memoryHeapCount; i++) {
        if ((memory.memoryProperties.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) != 0) {
            *driver += budget.heapUsage[i];
        }
    }
}
