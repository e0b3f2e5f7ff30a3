/* volume/gpu/instance.c - the loader's side: an instance, its validation, the devices there are.
 */
#include "volume/gpu/instance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LAYER "VK_LAYER_KHRONOS_validation"

static bool has_layer(const char *name)
{
    uint32_t n = 0;
    VkLayerProperties *all = NULL;
    bool found = false;
    if (vkEnumerateInstanceLayerProperties(&n, NULL) == VK_SUCCESS && n > 0) {
        all = calloc(n, sizeof *all);
    }
    if (all != NULL && vkEnumerateInstanceLayerProperties(&n, all) == VK_SUCCESS) {
        for (uint32_t i = 0; i < n; i++) {
            found |= strcmp(all[i].layerName, name) == 0;
        }
    }
    free(all);
    return found;
}

static bool has_extension(const char *name)
{
    uint32_t n = 0;
    VkExtensionProperties *all = NULL;
    bool found = false;
    if (vkEnumerateInstanceExtensionProperties(NULL, &n, NULL) == VK_SUCCESS && n > 0) {
        all = calloc(n, sizeof *all);
    }
    if (all != NULL && vkEnumerateInstanceExtensionProperties(NULL, &n, all) == VK_SUCCESS) {
        for (uint32_t i = 0; i < n; i++) {
            found |= strcmp(all[i].extensionName, name) == 0;
        }
    }
    free(all);
    return found;
}

bool vt_gpu_device_has(VkPhysicalDevice physical, const char *extension)
{
    uint32_t n = 0;
    VkExtensionProperties *all = NULL;
    bool found = false;
    if (vkEnumerateDeviceExtensionProperties(physical, NULL, &n, NULL) == VK_SUCCESS && n > 0) {
        all = calloc(n, sizeof *all);
    }
    if (all != NULL &&
        vkEnumerateDeviceExtensionProperties(physical, NULL, &n, all) == VK_SUCCESS) {
        for (uint32_t i = 0; i < n; i++) {
            found |= strcmp(all[i].extensionName, extension) == 0;
        }
    }
    free(all);
    return found;
}

static int no_driver(struct vt_error *err)
{
    return vt_fail(err, VT_E_UNSUPPORTED,
                   "no Vulkan driver here; install the GPU's, or one that runs on the CPU "
                   "(Debian: mesa-vulkan-drivers)");
}

/* Those of the window systems that the loader knows; a window needs its own and VK_KHR_surface. */
static const char *const surfaces[] = {
    "VK_KHR_surface",       "VK_KHR_xlib_surface", "VK_KHR_xcb_surface",   "VK_KHR_wayland_surface",
    "VK_EXT_metal_surface", "VK_KHR_display",      "VK_MVK_macos_surface",
};
#define N_SURFACES (sizeof surfaces / sizeof surfaces[0])

int vt_gpu_instance_create(const VkDebugUtilsMessengerCreateInfoEXT *listener, bool windows,
                           VkInstance *instance, struct vt_error *err)
{
    const char *layers[1], *extensions[2 + N_SURFACES];
    uint32_t n_layers = 0, n_extensions = 0;
    VkInstanceCreateFlags flags = 0;
    if (listener != NULL) {
        if (!has_layer(LAYER)) {
            return vt_fail(err, VT_E_UNSUPPORTED,
                           "no validation layers here (Debian: vulkan-validationlayers)");
        }
        layers[n_layers++] = LAYER;
        extensions[n_extensions++] = VK_EXT_DEBUG_UTILS_EXTENSION_NAME;
    }
    if (has_extension(VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME)) {
        extensions[n_extensions++] = VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME;
        flags |= VK_INSTANCE_CREATE_ENUMERATE_PORTABILITY_BIT_KHR;
    }
    for (size_t i = 0; windows && i < N_SURFACES && has_extension(surfaces[0]); i++) {
        if (has_extension(surfaces[i])) {
            extensions[n_extensions++] = surfaces[i];
        }
    }
    const VkApplicationInfo application = {
        .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
        .pApplicationName = "vitrine",
        .apiVersion = VK_API_VERSION_1_2,
    };
    const VkInstanceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
        .pNext = listener,
        .flags = flags,
        .pApplicationInfo = &application,
        .enabledLayerCount = n_layers,
        .ppEnabledLayerNames = layers,
        .enabledExtensionCount = n_extensions,
        .ppEnabledExtensionNames = extensions,
    };
    VkResult result = vkCreateInstance(&info, NULL, instance);
    if (result == VK_ERROR_INCOMPATIBLE_DRIVER) {
        return no_driver(err);
    }
    if (result != VK_SUCCESS) {
        *instance = VK_NULL_HANDLE;
        return vt_gpu_fail(NULL, result, "cannot begin to use Vulkan", err);
    }
    return 0;
}

int vt_gpu_physical_list(VkInstance instance, VkPhysicalDevice **list, uint32_t *n,
                         struct vt_error *err)
{
    uint32_t count = 0;
    VkResult result = vkEnumeratePhysicalDevices(instance, &count, NULL);
    if (result == VK_SUCCESS && count == 0) {
        return no_driver(err);
    }
    VkPhysicalDevice *all = NULL;
    if (result == VK_SUCCESS) {
        all = calloc(count, sizeof *all);
        result = all != NULL ? vkEnumeratePhysicalDevices(instance, &count, all)
                             : VK_ERROR_OUT_OF_HOST_MEMORY;
    }
    if (all == NULL || (result != VK_SUCCESS && result != VK_INCOMPLETE)) { /* or one more came */
        free(all);
        return vt_gpu_fail(NULL, result, "cannot list the devices", err);
    }
    if (count == 0) { /* the last one went in between */
        free(all);
        return no_driver(err);
    }
    *list = all;
    *n = count;
    return 0;
}

void vt_gpu_describe(VkPhysicalDevice physical, unsigned index, struct vt_gpu_info *info)
{
    VkPhysicalDeviceDriverProperties driver = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES,
    };
    VkPhysicalDeviceProperties2 all = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2};
    VkPhysicalDeviceProperties *properties = &all.properties;
    vkGetPhysicalDeviceProperties(physical, properties);
    *info = (struct vt_gpu_info){.index = index};
    if (properties->apiVersion >= VK_API_VERSION_1_2) {
        all.pNext = &driver;
        vkGetPhysicalDeviceProperties2(physical, &all);
        snprintf(info->driver, sizeof info->driver, "%.120s%s%.120s", driver.driverName,
                 driver.driverInfo[0] != '\0' ? " " : "", driver.driverInfo);
    } else {
        snprintf(info->driver, sizeof info->driver, "Vulkan %u.%u",
                 VK_API_VERSION_MAJOR(properties->apiVersion),
                 VK_API_VERSION_MINOR(properties->apiVersion));
    }
    snprintf(info->name, sizeof info->name, "%s", properties->deviceName);
    info->software = properties->deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU;
    /* Over a bus, what is in place is far: an H200 draws three times as fast from a copy. */
    info->imports = properties->deviceType != VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU &&
                    vt_gpu_device_has(physical, VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME);
    info->timestamps = properties->limits.timestampComputeAndGraphics == VK_TRUE &&
                       properties->limits.timestampPeriod > 0;
    info->storage_max_bytes = properties->limits.maxStorageBufferRange;
    VkPhysicalDeviceMemoryProperties memory;
    vkGetPhysicalDeviceMemoryProperties(physical, &memory);
    for (uint32_t i = 0; i < memory.memoryHeapCount; i++) {
        const VkMemoryHeap *heap = &memory.memoryHeaps[i];
        if ((heap->flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) != 0 &&
            heap->size > info->memory_bytes) {
            info->memory_bytes = heap->size;
        }
    }
}

int vt_gpu_list(struct vt_gpu_info **list, size_t *n, struct vt_error *err)
{
    VkInstance instance;
    int rc = vt_gpu_instance_create(NULL, false, &instance, err);
    if (rc != 0) {
        return rc;
    }
    VkPhysicalDevice *physical = NULL;
    uint32_t count = 0;
    rc = vt_gpu_physical_list(instance, &physical, &count, err);
    struct vt_gpu_info *infos = NULL;
    if (rc == 0) {
        infos = calloc(count, sizeof *infos);
        if (infos == NULL) {
            rc = vt_fail(err, VT_E_NOMEM, "no memory for a list of devices");
        }
    }
    if (rc == 0) {
        for (uint32_t i = 0; i < count; i++) {
            vt_gpu_describe(physical[i], i, &infos[i]);
        }
        *list = infos;
        *n = count;
    }
    free(physical);
    vkDestroyInstance(instance, NULL);
    return rc;
}
