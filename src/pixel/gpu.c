/* pixel/gpu.c - runs shaders made of programs on a device that reaches guest RAM. See gpu.h.
 *
 * One queue, one call at a time. RAM is imported in parts of a gigabyte at most, each a buffer with
 * a device address, so that a page of RAM has an address that the shader can use; where that is
 * refused, the pages of each call are copied into a buffer and what the streams write is copied
 * back. What the shader is told (arguments, page tables) lies in memory of the device that the host
 * writes to, and its results in the host's that the device writes to, where there is such memory.
 */
#include "pixel/gpu.h"

#include "base/io.h"
#include "pixel/spirv.h"

#include <vulkan/vulkan.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PAGE ((uint64_t)4096)
#define PART ((uint64_t)1 << 30)
#define PARTS_MAX 1024u
#define GROUPS_AT_ONCE 65535u
#define DEVICES_MAX 32u
#define RESULTS 8u               /* behind the word that inner loops report to */
#define SPIN_NS UINT64_C(500000) /* a driver's wait may sleep for longer than a call takes */

struct buffer {
    VkDeviceMemory memory;
    VkBuffer buffer;
    VkDeviceAddress address;
    uint8_t *mapped; /* NULL: imported */
    uint64_t bytes;
};

struct vt_pixel_gpu {
    VkInstance instance;
    VkPhysicalDevice physical;
    VkDevice device;
    VkQueue queue;
    uint32_t family;
    VkCommandPool pool;
    VkCommandBuffer commands;
    VkFence fence;
    VkPipelineLayout layout;
    char name[VK_MAX_PHYSICAL_DEVICE_NAME_SIZE];
    uint8_t *ram;
    uint64_t ram_bytes;
    struct buffer *parts; /* of RAM; n_parts 0: pages are copied */
    uint32_t n_parts;
    struct buffer told, results, copies;
    bool software;
    bool gone;
};

struct vt_pixel_gpu_kernel {
    struct vt_pixel_program program; /* a copy of its tables; no operations */
    VkPipeline pipeline;
};

static int failed(struct vt_pixel_gpu *g, VkResult result, const char *what, struct vt_error *err)
{
    bool lost = result == VK_ERROR_DEVICE_LOST;
    bool memory = result == VK_ERROR_OUT_OF_HOST_MEMORY || result == VK_ERROR_OUT_OF_DEVICE_MEMORY;
    g->gone = g->gone || lost;
    return vt_fail(err,
                   lost     ? VT_E_GONE
                   : memory ? VT_E_NOMEM
                            : VT_E_UNSUPPORTED,
                   "%s: %s: Vulkan says %d", g->name[0] != '\0' ? g->name : "the GPU", what,
                   (int)result);
}

/* ---------------------------------------------------------------- a device */

static bool named(const char *name, const char *wanted)
{
    size_t n = strlen(wanted);
    for (; *name != '\0'; name++) {
        if (strncasecmp(name, wanted, n) == 0) {
            return true;
        }
    }
    return false;
}

static bool can(VkPhysicalDevice d)
{
    VkPhysicalDeviceVulkan12Features f12 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES};
    VkPhysicalDeviceVulkan11Features f11 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES, .pNext = &f12};
    VkPhysicalDeviceFeatures2 f = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
                                   .pNext = &f11};
    VkPhysicalDeviceProperties p;
    vkGetPhysicalDeviceProperties(d, &p);
    if (p.apiVersion < VK_API_VERSION_1_2) {
        return false;
    }
    vkGetPhysicalDeviceFeatures2(d, &f);
    return f.features.shaderInt64 && f11.storageBuffer16BitAccess && f12.storageBuffer8BitAccess &&
           f12.bufferDeviceAddress;
}

static bool find_family(VkPhysicalDevice d, uint32_t *family)
{
    VkQueueFamilyProperties all[16];
    uint32_t n = 16;
    vkGetPhysicalDeviceQueueFamilyProperties(d, &n, all);
    for (*family = 0; *family < n; (*family)++) {
        if ((all[*family].queueFlags & VK_QUEUE_COMPUTE_BIT) != 0) {
            return true;
        }
    }
    return false;
}

static int choose(struct vt_pixel_gpu *g, const char *wanted, struct vt_error *err)
{
    VkPhysicalDevice all[DEVICES_MAX];
    uint32_t n = DEVICES_MAX;
    VkResult result = vkEnumeratePhysicalDevices(g->instance, &n, all);
    if (result != VK_SUCCESS && result != VK_INCOMPLETE) {
        return failed(g, result, "its devices", err);
    }
    bool real = false;
    for (uint32_t i = 0; i < n; i++) {
        VkPhysicalDeviceProperties p;
        uint32_t family;
        vkGetPhysicalDeviceProperties(all[i], &p);
        bool is_real = p.deviceType != VK_PHYSICAL_DEVICE_TYPE_CPU;
        bool better = g->physical == VK_NULL_HANDLE || (is_real && !real);
        if ((wanted == NULL ? better
                            : g->physical == VK_NULL_HANDLE && named(p.deviceName, wanted)) &&
            can(all[i]) && find_family(all[i], &family)) {
            g->physical = all[i];
            g->family = family;
            real = is_real;
            g->software = !is_real;
            snprintf(g->name, sizeof g->name, "%s", p.deviceName);
        }
    }
    return g->physical != VK_NULL_HANDLE
               ? 0
               : vt_fail(err, VT_E_UNSUPPORTED, "no GPU%s%s that can run kernels",
                         wanted != NULL ? " like " : "", wanted != NULL ? wanted : "");
}

static bool has_extension(VkPhysicalDevice d, const char *name)
{
    uint32_t n = 0;
    bool found = false;
    if (vkEnumerateDeviceExtensionProperties(d, NULL, &n, NULL) != VK_SUCCESS || n == 0) {
        return false;
    }
    VkExtensionProperties *all = calloc(n, sizeof *all);
    if (all != NULL && vkEnumerateDeviceExtensionProperties(d, NULL, &n, all) == VK_SUCCESS) {
        for (uint32_t i = 0; i < n && !found; i++) {
            found = strcmp(all[i].extensionName, name) == 0;
        }
    }
    free(all);
    return found;
}

static int open_device(struct vt_pixel_gpu *g, bool import, struct vt_error *err)
{
    float priority = 1;
    const char *extension = VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME;
    VkPhysicalDeviceVulkan12Features f12 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
        .storageBuffer8BitAccess = VK_TRUE,
        .bufferDeviceAddress = VK_TRUE};
    VkPhysicalDeviceVulkan11Features f11 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES,
        .pNext = &f12,
        .storageBuffer16BitAccess = VK_TRUE};
    VkPhysicalDeviceFeatures2 f = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
                                   .pNext = &f11,
                                   .features.shaderInt64 = VK_TRUE};
    VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                     .queueFamilyIndex = g->family,
                                     .queueCount = 1,
                                     .pQueuePriorities = &priority};
    VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                               .pNext = &f,
                               .queueCreateInfoCount = 1,
                               .pQueueCreateInfos = &queue,
                               .enabledExtensionCount = import ? 1 : 0,
                               .ppEnabledExtensionNames = &extension};
    VkResult result = vkCreateDevice(g->physical, &info, NULL, &g->device);
    if (result != VK_SUCCESS) {
        return failed(g, result, "a device", err);
    }
    vkGetDeviceQueue(g->device, g->family, 0, &g->queue);
    VkCommandPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                    .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
                                    .queueFamilyIndex = g->family};
    result = vkCreateCommandPool(g->device, &pool, NULL, &g->pool);
    VkCommandBufferAllocateInfo commands = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                            .commandPool = g->pool,
                                            .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                            .commandBufferCount = 1};
    if (result == VK_SUCCESS) {
        result = vkAllocateCommandBuffers(g->device, &commands, &g->commands);
    }
    VkFenceCreateInfo fence = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    if (result == VK_SUCCESS) {
        result = vkCreateFence(g->device, &fence, NULL, &g->fence);
    }
    VkPushConstantRange range = {.stageFlags = VK_SHADER_STAGE_COMPUTE_BIT,
                                 .size = sizeof(struct vt_spirv_push)};
    VkPipelineLayoutCreateInfo layout = {.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                         .pushConstantRangeCount = 1,
                                         .pPushConstantRanges = &range};
    if (result == VK_SUCCESS) {
        result = vkCreatePipelineLayout(g->device, &layout, NULL, &g->layout);
    }
    return result == VK_SUCCESS ? 0 : failed(g, result, "a queue", err);
}

static int open_instance(struct vt_pixel_gpu *g, struct vt_error *err)
{
    VkApplicationInfo app = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                             .pApplicationName = "vitrine",
                             .apiVersion = VK_API_VERSION_1_2};
    VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                 .pApplicationInfo = &app};
    VkResult result = vkCreateInstance(&info, NULL, &g->instance);
    return result == VK_SUCCESS ? 0 : failed(g, result, "an instance", err);
}

/* ---------------------------------------------------------------- buffers */

static void close_buffer(struct vt_pixel_gpu *g, struct buffer *b)
{
    vkDestroyBuffer(g->device, b->buffer, NULL);
    vkFreeMemory(g->device, b->memory, NULL);
    memset(b, 0, sizeof *b);
}

/* Of the types in `mask` the first with these properties. */
static bool find_type(const struct vt_pixel_gpu *g, uint32_t mask, VkMemoryPropertyFlags wanted,
                      uint32_t *type)
{
    VkPhysicalDeviceMemoryProperties all;
    vkGetPhysicalDeviceMemoryProperties(g->physical, &all);
    for (*type = 0; *type < all.memoryTypeCount; (*type)++) {
        if ((mask >> *type & 1) != 0 && (all.memoryTypes[*type].propertyFlags & wanted) == wanted) {
            return true;
        }
    }
    return false;
}

#define VISIBLE (VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT)

/* `host`: imports it; NULL: memory of its own that the host sees as the device does, if possible
 * with what is `liked`. */
static VkResult open_buffer(struct vt_pixel_gpu *g, uint8_t *host, uint64_t bytes,
                            VkMemoryPropertyFlags liked, struct buffer *b)
{
    VkExternalMemoryHandleTypeFlagBits handle =
        VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT;
    VkExternalMemoryBufferCreateInfo external = {
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO, .handleTypes = handle};
    VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                               .pNext = host != NULL ? &external : NULL,
                               .size = bytes,
                               .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT |
                                        VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT};
    memset(b, 0, sizeof *b);
    VkResult result = vkCreateBuffer(g->device, &info, NULL, &b->buffer);
    if (result != VK_SUCCESS) {
        return result;
    }
    VkMemoryRequirements needs;
    vkGetBufferMemoryRequirements(g->device, b->buffer, &needs);
    uint32_t mask = needs.memoryTypeBits, type;
    VkImportMemoryHostPointerInfoEXT import = {
        .sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT,
        .handleType = handle,
        .pHostPointer = host};
    VkMemoryAllocateFlagsInfo flags = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO,
                                       .pNext = host != NULL ? &import : NULL,
                                       .flags = VK_MEMORY_ALLOCATE_DEVICE_ADDRESS_BIT};
    VkMemoryAllocateInfo memory = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                   .pNext = &flags,
                                   .allocationSize = host != NULL ? bytes : needs.size};
    if (host != NULL) {
        PFN_vkGetMemoryHostPointerPropertiesEXT ask =
            (PFN_vkGetMemoryHostPointerPropertiesEXT)vkGetDeviceProcAddr(
                g->device, "vkGetMemoryHostPointerPropertiesEXT");
        VkMemoryHostPointerPropertiesEXT properties = {
            .sType = VK_STRUCTURE_TYPE_MEMORY_HOST_POINTER_PROPERTIES_EXT};
        result = ask == NULL ? VK_ERROR_EXTENSION_NOT_PRESENT
                             : ask(g->device, handle, host, &properties);
        mask &= properties.memoryTypeBits;
    }
    VkMemoryPropertyFlags needed = host == NULL ? VISIBLE : 0;
    if (result == VK_SUCCESS && !find_type(g, mask, needed | liked, &type) &&
        !find_type(g, mask, needed, &type)) {
        result = VK_ERROR_FEATURE_NOT_PRESENT;
    }
    if (result == VK_SUCCESS) {
        memory.memoryTypeIndex = type;
        result = vkAllocateMemory(g->device, &memory, NULL, &b->memory);
    }
    if (result == VK_SUCCESS) {
        result = vkBindBufferMemory(g->device, b->buffer, b->memory, 0);
    }
    if (result == VK_SUCCESS && host == NULL) {
        result = vkMapMemory(g->device, b->memory, 0, VK_WHOLE_SIZE, 0, (void **)&b->mapped);
    }
    if (result != VK_SUCCESS) {
        close_buffer(g, b);
        return result;
    }
    VkBufferDeviceAddressInfo address = {.sType = VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO,
                                         .buffer = b->buffer};
    b->address = vkGetBufferDeviceAddress(g->device, &address);
    b->bytes = bytes;
    return VK_SUCCESS;
}

static int room_for(struct vt_pixel_gpu *g, struct buffer *b, uint64_t bytes,
                    VkMemoryPropertyFlags liked, struct vt_error *err)
{
    if (b->bytes >= bytes) {
        return 0;
    }
    uint64_t room = (uint64_t)1 << 16;
    while (room < bytes && room < PART * 2) {
        room *= 2;
    }
    close_buffer(g, b);
    VkResult result = open_buffer(g, NULL, room < bytes ? bytes : room, liked, b);
    return result == VK_SUCCESS ? 0 : failed(g, result, "memory for a call", err);
}

/* All of RAM or nothing. */
static void import_ram(struct vt_pixel_gpu *g)
{
    uint64_t n = (g->ram_bytes + PART - 1) / PART;
    g->parts = n <= PARTS_MAX ? calloc(n, sizeof *g->parts) : NULL;
    for (uint64_t i = 0; g->parts != NULL && i < n; i++) {
        uint64_t rest = g->ram_bytes - i * PART, bytes = rest < PART ? rest : PART;
        if (open_buffer(g, g->ram + i * PART, bytes, 0, &g->parts[i]) != VK_SUCCESS ||
            g->parts[i].address % PAGE != 0) {
            for (uint64_t k = 0; k <= i; k++) {
                close_buffer(g, &g->parts[k]);
            }
            return;
        }
        g->n_parts = (uint32_t)i + 1;
    }
}

int vt_pixel_gpu_open(const char *device, uint8_t *ram, uint64_t ram_bytes,
                      struct vt_pixel_gpu **gpu, struct vt_error *err)
{
    if (((uintptr_t)ram | ram_bytes) % PAGE != 0 || ram_bytes == 0) {
        return vt_fail(err, VT_E_INVAL, "RAM that is not whole pages");
    }
    struct vt_pixel_gpu *g = calloc(1, sizeof *g);
    if (g == NULL) {
        return vt_fail(err, VT_E_NOMEM, "a GPU");
    }
    g->ram = ram;
    g->ram_bytes = ram_bytes;
    int rc = open_instance(g, err);
    rc = rc != 0 ? rc : choose(g, device, err);
    if (rc == 0) {
        bool import = has_extension(g->physical, VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME);
        rc = open_device(g, import, err);
        if (rc == 0 && import) {
            import_ram(g);
        }
    }
    if (rc != 0) {
        vt_pixel_gpu_close(g);
        return rc;
    }
    *gpu = g;
    return 0;
}

void vt_pixel_gpu_close(struct vt_pixel_gpu *g)
{
    if (g == NULL) {
        return;
    }
    if (g->device != VK_NULL_HANDLE) {
        (void)vkDeviceWaitIdle(g->device);
        for (uint32_t i = 0; i < g->n_parts; i++) {
            close_buffer(g, &g->parts[i]);
        }
        close_buffer(g, &g->told);
        close_buffer(g, &g->results);
        close_buffer(g, &g->copies);
        vkDestroyPipelineLayout(g->device, g->layout, NULL);
        vkDestroyFence(g->device, g->fence, NULL);
        vkDestroyCommandPool(g->device, g->pool, NULL);
        vkDestroyDevice(g->device, NULL);
    }
    if (g->instance != VK_NULL_HANDLE) {
        vkDestroyInstance(g->instance, NULL);
    }
    free(g->parts);
    free(g);
}

const char *vt_pixel_gpu_name(const struct vt_pixel_gpu *g)
{
    return g->name;
}

bool vt_pixel_gpu_is_software(const struct vt_pixel_gpu *g)
{
    return g->software;
}

bool vt_pixel_gpu_in_place(const struct vt_pixel_gpu *g)
{
    return g->n_parts != 0;
}

void vt_pixel_gpu_copy(struct vt_pixel_gpu *g)
{
    for (uint32_t i = 0; i < g->n_parts; i++) {
        close_buffer(g, &g->parts[i]);
    }
    g->n_parts = 0;
}

/* ---------------------------------------------------------------- kernels */

int vt_pixel_gpu_compile(struct vt_pixel_gpu *g, const struct vt_pixel_program *p,
                         struct vt_pixel_gpu_kernel **kernel, struct vt_error *err)
{
    uint32_t *words;
    size_t n;
    int rc = vt_pixel_spirv(p, &words, &n, err);
    if (rc != 0) {
        return rc;
    }
    struct vt_pixel_gpu_kernel *k = calloc(1, sizeof *k);
    VkShaderModuleCreateInfo info = {.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
                                     .codeSize = n * sizeof *words,
                                     .pCode = words};
    VkShaderModule module = VK_NULL_HANDLE;
    VkResult result = k == NULL ? VK_ERROR_OUT_OF_HOST_MEMORY
                                : vkCreateShaderModule(g->device, &info, NULL, &module);
    if (result == VK_SUCCESS) {
        VkComputePipelineCreateInfo pipeline = {
            .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
            .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                      .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                      .module = module,
                      .pName = "main"},
            .layout = g->layout};
        result =
            vkCreateComputePipelines(g->device, VK_NULL_HANDLE, 1, &pipeline, NULL, &k->pipeline);
    }
    vkDestroyShaderModule(g->device, module, NULL);
    free(words);
    if (result != VK_SUCCESS) {
        free(k);
        return failed(g, result, "a kernel", err);
    }
    k->program = *p;
    k->program.insns = NULL;
    k->program.loops = NULL;
    *kernel = k;
    return 0;
}

void vt_pixel_gpu_forget(struct vt_pixel_gpu *g, struct vt_pixel_gpu_kernel *k)
{
    if (k != NULL) {
        vkDestroyPipeline(g->device, k->pipeline, NULL);
        free(k);
    }
}

/* ---------------------------------------------------------------- a call */

struct running {
    struct vt_pixel_gpu *g;
    const struct vt_pixel_gpu_kernel *k;
    const struct vt_pixel_gpu_call *call;
    uint64_t groups;
    uint64_t *copied; /* pages of RAM that lie in `copies`, in order */
    uint32_t n_copied;
};

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The pages of all streams, each once: streams may share one. */
static int copy_pages(struct running *r, struct vt_error *err)
{
    struct vt_pixel_gpu *g = r->g;
    const struct vt_pixel_program *p = &r->k->program;
    uint64_t n = 0, total = 0;
    for (uint32_t s = 0; s < p->n_streams; s++) {
        total += r->call->streams[s].n_pages;
    }
    r->copied = malloc((total != 0 ? total : 1) * sizeof *r->copied);
    if (r->copied == NULL) {
        return vt_fail(err, VT_E_NOMEM, "a call's pages");
    }
    for (uint32_t s = 0; s < p->n_streams; s++) {
        for (uint32_t i = 0; i < r->call->streams[s].n_pages; i++) {
            r->copied[n++] = r->call->streams[s].pages[i];
        }
    }
    qsort(r->copied, n, sizeof *r->copied, by_value);
    for (uint64_t i = 0; i < n; i++) {
        if (r->n_copied == 0 || r->copied[r->n_copied - 1] != r->copied[i]) {
            r->copied[r->n_copied++] = r->copied[i];
        }
    }
    int rc = room_for(g, &g->copies, (uint64_t)r->n_copied * PAGE,
                      VK_MEMORY_PROPERTY_HOST_CACHED_BIT, err);
    for (uint32_t i = 0; rc == 0 && i < r->n_copied; i++) {
        memcpy(g->copies.mapped + i * PAGE, g->ram + r->copied[i], PAGE);
    }
    return rc;
}

static uint64_t place_of_copy(const struct running *r, uint64_t page)
{
    const uint64_t *at = bsearch(&page, r->copied, r->n_copied, sizeof *r->copied, by_value);
    return at == NULL ? 0 : (uint64_t)(at - r->copied) * PAGE;
}

static VkDeviceAddress address_of(const struct running *r, uint64_t page)
{
    const struct vt_pixel_gpu *g = r->g;
    return g->n_parts != 0 ? g->parts[page / PART].address + page % PART
                           : g->copies.address + place_of_copy(r, page);
}

static int64_t stride_of(const struct vt_pixel_stream *s, const struct vt_pixel_gpu_call *call)
{
    return s->stride_input != VT_PIXEL_NONE ? (int64_t)call->inputs[s->stride_input] : s->stride;
}

/* From the copies to RAM: the bytes between the lowest and the highest that a stream may write. */
static void copy_back(const struct running *r)
{
    const struct vt_pixel_program *p = &r->k->program;
    for (uint32_t s = 0; s < p->n_streams; s++) {
        const struct vt_pixel_stream *stream = &p->streams[s];
        const struct vt_pixel_gpu_stream *given = &r->call->streams[s];
        int64_t stride = stride_of(stream, r->call);
        int64_t last = given->position + (int64_t)(r->call->count - 1) * stride;
        int64_t low = (stride < 0 ? last : given->position) + stream->low;
        int64_t high = (stride < 0 ? given->position : last) + stream->high;
        for (int64_t at = low; stream->writes && at < high;) {
            int64_t page = at / (int64_t)PAGE, end = (page + 1) * (int64_t)PAGE;
            end = end < high ? end : high;
            uint64_t in = (uint64_t)at % PAGE, offset = given->pages[page];
            memcpy(r->g->ram + offset + in, r->g->copies.mapped + place_of_copy(r, offset) + in,
                   (size_t)(end - at));
            at = end;
        }
    }
}

int vt_pixel_gpu_check(const struct vt_pixel_program *p, const struct vt_pixel_gpu_call *call,
                       uint64_t ram_bytes, struct vt_error *err)
{
    if (call->count == 0 || call->count > INT32_MAX) {
        return vt_fail(err, VT_E_INVAL, "%llu iterations on a GPU",
                       (unsigned long long)call->count);
    }
    for (uint32_t s = 0; s < p->n_streams; s++) {
        const struct vt_pixel_stream *stream = &p->streams[s];
        const struct vt_pixel_gpu_stream *given = &call->streams[s];
        int64_t stride = stride_of(stream, call);
        int64_t way, last, bytes = (int64_t)given->n_pages * (int64_t)PAGE;
        bool fits = !__builtin_mul_overflow((int64_t)call->count - 1, stride, &way) &&
                    !__builtin_add_overflow(given->position, way, &last) &&
                    given->position >= -bytes && given->position <= bytes &&
                    last >= -(bytes + VT_PIXEL_WINDOW_MAX) && last <= bytes + VT_PIXEL_WINDOW_MAX &&
                    (stride < 0 ? last : given->position) + stream->low >= 0 &&
                    (stride < 0 ? given->position : last) + stream->high <= bytes;
        for (uint32_t i = 0; fits && i < given->n_pages; i++) {
            fits = given->pages[i] % PAGE == 0 && given->pages[i] < ram_bytes;
        }
        if (!fits) {
            return vt_fail(err, VT_E_INVAL, "stream %u's pages are not all there", s);
        }
    }
    return 0;
}

/* Arguments, tables, results: laid out and filled in. */
static int tell(struct running *r, struct vt_error *err)
{
    struct vt_pixel_gpu *g = r->g;
    const struct vt_pixel_program *p = &r->k->program;
    uint64_t words = vt_spirv_words(p), n = words;
    r->groups = (r->call->count + VT_SPIRV_LANES - 1) / VT_SPIRV_LANES;
    for (uint32_t s = 0; s < p->n_streams; s++) {
        n += r->call->streams[s].n_pages;
    }
    int rc = room_for(g, &g->told, n * 8, VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, err);
    rc = rc != 0 ? rc
                 : room_for(g, &g->results, RESULTS + r->groups * p->n_carries * 8,
                            VK_MEMORY_PROPERTY_HOST_CACHED_BIT, err);
    if (rc != 0) {
        return rc;
    }
    uint64_t *to = (uint64_t *)g->told.mapped, at = 0, table = words;
    for (uint32_t i = 0; i < p->n_inputs; i++) {
        to[at++] = r->call->inputs[i];
    }
    for (uint32_t i = 0; i < p->n_carries; i++) {
        to[at++] = r->call->carries[i];
    }
    for (uint32_t s = 0; s < p->n_streams; s++) {
        const struct vt_pixel_gpu_stream *given = &r->call->streams[s];
        to[at++] = g->told.address + table * 8;
        to[at++] = (uint64_t)given->position;
        for (uint32_t i = 0; i < given->n_pages; i++) {
            to[table++] = address_of(r, given->pages[i]);
        }
    }
    to[at++] = g->results.address + RESULTS;
    to[at++] = r->groups;
    memset(g->results.mapped, 0xff, RESULTS);
    return 0;
}

static void record(struct running *r, bool stores)
{
    struct vt_pixel_gpu *g = r->g;
    vkCmdBindPipeline(g->commands, VK_PIPELINE_BIND_POINT_COMPUTE, r->k->pipeline);
    for (uint64_t first = 0; first < r->groups; first += GROUPS_AT_ONCE) {
        uint64_t n = r->groups - first < GROUPS_AT_ONCE ? r->groups - first : GROUPS_AT_ONCE;
        struct vt_spirv_push push = {.arguments = g->told.address,
                                     .first = first * VT_SPIRV_LANES,
                                     .count = r->call->count,
                                     .failed = g->results.address,
                                     .stores = stores};
        vkCmdPushConstants(g->commands, g->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof push,
                           &push);
        vkCmdDispatch(g->commands, (uint32_t)n, 1, 1);
    }
    VkMemoryBarrier barrier = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                               .srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT,
                               .dstAccessMask = VK_ACCESS_HOST_READ_BIT | VK_ACCESS_HOST_WRITE_BIT};
    vkCmdPipelineBarrier(g->commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
                         VK_PIPELINE_STAGE_HOST_BIT, 0, 1, &barrier, 0, NULL, 0, NULL);
}

/* However long it takes: while it may write, RAM is not what the guest thinks. */
static VkResult wait_for(struct vt_pixel_gpu *g)
{
    VkResult result = VK_NOT_READY;
    for (uint64_t begin = vt_now_ns();
         result == VK_NOT_READY && !g->software && vt_now_ns() - begin < SPIN_NS;) {
        result = vkGetFenceStatus(g->device, g->fence);
    }
    while (result == VK_NOT_READY || result == VK_TIMEOUT) {
        result = vkWaitForFences(g->device, 1, &g->fence, VK_TRUE, UINT64_MAX);
    }
    return result;
}

static int run_pass(struct running *r, bool stores, struct vt_error *err)
{
    struct vt_pixel_gpu *g = r->g;
    VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                      .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT};
    VkSubmitInfo submit = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                           .commandBufferCount = 1,
                           .pCommandBuffers = &g->commands};
    VkResult result = vkBeginCommandBuffer(g->commands, &begin);
    if (result == VK_SUCCESS) {
        record(r, stores);
        result = vkEndCommandBuffer(g->commands);
    }
    if (result == VK_SUCCESS) {
        result = vkResetFences(g->device, 1, &g->fence);
    }
    if (result == VK_SUCCESS) {
        result = vkQueueSubmit(g->queue, 1, &submit, g->fence);
    }
    if (result == VK_SUCCESS) {
        result = wait_for(g);
    }
    return result == VK_SUCCESS ? 0 : failed(g, result, "a call", err);
}

static uint64_t sign_extended(uint64_t v, unsigned bits)
{
    return (uint64_t)((int64_t)(v << (64 - bits)) >> (64 - bits));
}

static uint64_t joined(enum vt_pixel_carry_kind kind, unsigned bits, uint64_t a, uint64_t b)
{
    int64_t x = (int64_t)sign_extended(a, bits), y = (int64_t)sign_extended(b, bits);
    switch (kind) {
    case VT_PIXEL_REDUCE_ADD:
        return a + b;
    case VT_PIXEL_REDUCE_XOR:
        return a ^ b;
    case VT_PIXEL_REDUCE_AND:
        return a & b;
    case VT_PIXEL_REDUCE_OR:
        return a | b;
    case VT_PIXEL_REDUCE_UMIN:
        return a < b ? a : b;
    case VT_PIXEL_REDUCE_UMAX:
        return a < b ? b : a;
    case VT_PIXEL_REDUCE_SMIN:
        return x < y ? a : b;
    default:
        return x < y ? b : a;
    }
}

/* What the lanes left, in the carries. */
static void take(struct running *r)
{
    const struct vt_pixel_program *p = &r->k->program;
    const uint64_t *results = (const uint64_t *)(r->g->results.mapped + RESULTS);
    for (uint32_t c = 0; c < p->n_carries; c++) {
        const struct vt_pixel_carry *carry = &p->carries[c];
        const uint64_t *row = results + c * r->groups;
        unsigned bits = carry->kind == VT_PIXEL_LAST ? carry->bits : carry->narrow;
        uint64_t all = bits < 64 ? ((uint64_t)1 << bits) - 1 : UINT64_MAX;
        uint64_t v = r->call->carries[c] & all;
        if (carry->kind == VT_PIXEL_INDUCTION) {
            v += r->call->count * carry->step;
        } else if (carry->kind == VT_PIXEL_LAST) {
            v = row[0];
        } else {
            for (uint64_t i = 0; i < r->groups; i++) {
                v = joined(carry->kind, bits, v & all, row[i] & all);
            }
        }
        r->call->carries[c] = v & all;
    }
}

int vt_pixel_gpu_run(struct vt_pixel_gpu *g, struct vt_pixel_gpu_kernel *k,
                     const struct vt_pixel_gpu_call *call, struct vt_error *err)
{
    struct running r = {.g = g, .k = k, .call = call};
    if (g->gone) {
        return vt_fail(err, VT_E_GONE, "%s is gone", g->name);
    }
    int rc = vt_pixel_gpu_check(&k->program, call, g->ram_bytes, err);
    if (rc == 0 && g->n_parts == 0) {
        rc = copy_pages(&r, err);
    }
    rc = rc != 0 ? rc : tell(&r, err);
    if (rc == 0 && k->program.n_loops != 0) {
        uint32_t first;
        rc = run_pass(&r, false, err);
        memcpy(&first, g->results.mapped, sizeof first);
        if (rc == 0 && first != UINT32_MAX) {
            rc = vt_fail(err, VT_E_LIMIT, "an inner loop ran out of trips in iteration %u", first);
        }
    }
    rc = rc != 0 ? rc : run_pass(&r, true, err);
    if (rc == 0) {
        if (g->n_parts == 0) {
            copy_back(&r);
        }
        take(&r);
    }
    free(r.copied);
    return rc;
}
