/* tests/unit/venus/guest_gpu.h - a guest with a device, a queue, and what it takes to have the host
 * write to memory. Ids of objects are the test's to choose, from GUEST_FREE_ID on. */
#ifndef VT_TESTS_VENUS_GUEST_GPU_H
#define VT_TESTS_VENUS_GUEST_GPU_H

#include "tests/unit/venus/guest.h"

enum {
    GPU_INSTANCE = 10,
    GPU_PHYSICAL,
    GPU_DEVICE,
    GPU_QUEUE,
    GPU_POOL,
    GPU_COMMANDS,
    GUEST_FREE_ID = 1000,
};

#define ID(type, id) ((type)(uintptr_t)(id))
#define DEVICE ID(VkDevice, GPU_DEVICE)

/* Sends a command that must be carried out. */
#define GUEST_DO(guest, command, ...)                                                              \
    do {                                                                                           \
        struct vt_error do_err_ = {0};                                                             \
        if (GUEST_SEND((guest), command, (&(struct vn_##command){__VA_ARGS__}), &do_err_) != 0) {  \
            fail_msg(#command ": %s", do_err_.message);                                            \
        }                                                                                          \
    } while (0)

/* Sends a command that ends the context, with a reason that says `word`. */
#define GUEST_ENDS(guest, word, command, ...)                                                      \
    do {                                                                                           \
        struct vt_error do_err_ = {0};                                                             \
        assert_int_equal(                                                                          \
            GUEST_SEND((guest), command, (&(struct vn_##command){__VA_ARGS__}), &do_err_),         \
            VT_E_PROTOCOL);                                                                        \
        if (strstr(do_err_.message, (word)) == NULL) {                                             \
            fail_msg("'%s' does not say '%s'", do_err_.message, (word));                           \
        }                                                                                          \
    } while (0)

/* Whether there is a driver. */
static inline bool gpu_open(struct guest *guest)
{
    VkInstance instance = ID(VkInstance, GPU_INSTANCE);
    const VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO};
    struct vn_vkCreateInstance create = {.pCreateInfo = &info, .pInstance = &instance};
    GUEST_CALL(guest, vkCreateInstance, &create);
    if (create.ret != VK_SUCCESS) {
        return false;
    }
    uint32_t n = 0;
    struct vn_vkEnumeratePhysicalDevices list = {.instance = instance, .pPhysicalDeviceCount = &n};
    GUEST_CALL(guest, vkEnumeratePhysicalDevices, &list);
    if (*list.pPhysicalDeviceCount == 0) {
        return false;
    }
    n = 1;
    VkPhysicalDevice first = ID(VkPhysicalDevice, GPU_PHYSICAL);
    list.pPhysicalDeviceCount = &n;
    list.pPhysicalDevices = &first;
    GUEST_CALL(guest, vkEnumeratePhysicalDevices, &list);
    return true;
}

static inline void gpu_device(struct guest *guest, uint64_t id)
{
    static const float priority = 1;
    const VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                           .queueCount = 1,
                                           .pQueuePriorities = &priority};
    const VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                     .queueCreateInfoCount = 1,
                                     .pQueueCreateInfos = &queue};
    VkDevice device = ID(VkDevice, id);
    struct vn_vkCreateDevice create = {.physicalDevice = ID(VkPhysicalDevice, GPU_PHYSICAL),
                                       .pCreateInfo = &info,
                                       .pDevice = &device};
    GUEST_CALL(guest, vkCreateDevice, &create);
    assert_int_equal(create.ret, VK_SUCCESS);
}

/* A device, its queue on timeline 1, a command pool and a command buffer. */
static inline void gpu_device_ready(struct guest *guest)
{
    gpu_device(guest, GPU_DEVICE);
    const VkDeviceQueueTimelineInfoMESA timeline = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_TIMELINE_INFO_MESA, .ringIdx = 1};
    const VkDeviceQueueInfo2 which = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_INFO_2,
                                      .pNext = &timeline};
    VkQueue queue = ID(VkQueue, GPU_QUEUE);
    GUEST_DO(guest, vkGetDeviceQueue2, .device = DEVICE, .pQueueInfo = &which, .pQueue = &queue);
    const VkCommandPoolCreateInfo pool_info = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                               .flags =
                                                   VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT};
    VkCommandPool pool = ID(VkCommandPool, GPU_POOL);
    GUEST_DO(guest, vkCreateCommandPool, .device = DEVICE, .pCreateInfo = &pool_info,
             .pCommandPool = &pool);
    const VkCommandBufferAllocateInfo buffer_info = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
        .commandPool = pool,
        .commandBufferCount = 1};
    VkCommandBuffer commands = ID(VkCommandBuffer, GPU_COMMANDS);
    GUEST_DO(guest, vkAllocateCommandBuffers, .device = DEVICE, .pAllocateInfo = &buffer_info,
             .pCommandBuffers = &commands);
}

/* The same of the first device; false: there is no driver. */
static inline bool gpu_ready(struct guest *guest)
{
    if (!gpu_open(guest)) {
        return false;
    }
    gpu_device_ready(guest);
    return true;
}

static inline uint32_t gpu_type(struct guest *guest, VkMemoryPropertyFlags flags, uint32_t bits)
{
    VkPhysicalDeviceMemoryProperties properties = {0};
    struct vn_vkGetPhysicalDeviceMemoryProperties get = {
        .physicalDevice = ID(VkPhysicalDevice, GPU_PHYSICAL), .pMemoryProperties = &properties};
    GUEST_CALL(guest, vkGetPhysicalDeviceMemoryProperties, &get);
    for (uint32_t i = 0; i < get.pMemoryProperties->memoryTypeCount; i++) {
        if ((bits >> i & 1) != 0 &&
            (get.pMemoryProperties->memoryTypes[i].propertyFlags & flags) == flags) {
            return i;
        }
    }
    return UINT32_MAX;
}

static inline VkResult gpu_allocate(struct guest *guest, uint64_t device, uint64_t id,
                                    uint64_t bytes, uint32_t type, const void *chain)
{
    const VkMemoryAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                       .pNext = chain,
                                       .allocationSize = bytes,
                                       .memoryTypeIndex = type};
    VkDeviceMemory memory = ID(VkDeviceMemory, id);
    struct vn_vkAllocateMemory allocate = {
        .device = ID(VkDevice, device), .pAllocateInfo = &info, .pMemory = &memory};
    GUEST_CALL(guest, vkAllocateMemory, &allocate);
    return allocate.ret;
}

static inline VkMemoryRequirements gpu_buffer(struct guest *guest, uint64_t device, uint64_t id,
                                              uint64_t bytes, const void *chain)
{
    const VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                                     .pNext = chain,
                                     .size = bytes,
                                     .usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                                              VK_BUFFER_USAGE_TRANSFER_DST_BIT |
                                              VK_BUFFER_USAGE_UNIFORM_TEXEL_BUFFER_BIT};
    VkBuffer buffer = ID(VkBuffer, id);
    struct vn_vkCreateBuffer create = {
        .device = ID(VkDevice, device), .pCreateInfo = &info, .pBuffer = &buffer};
    GUEST_CALL(guest, vkCreateBuffer, &create);
    assert_int_equal(create.ret, VK_SUCCESS);
    const VkBufferMemoryRequirementsInfo2 ask = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_MEMORY_REQUIREMENTS_INFO_2, .buffer = buffer};
    VkMemoryRequirements2 found = {.sType = VK_STRUCTURE_TYPE_MEMORY_REQUIREMENTS_2};
    struct vn_vkGetBufferMemoryRequirements2 get = {
        .device = ID(VkDevice, device), .pInfo = &ask, .pMemoryRequirements = &found};
    GUEST_CALL(guest, vkGetBufferMemoryRequirements2, &get);
    return get.pMemoryRequirements->memoryRequirements;
}

static inline void gpu_bind(struct guest *guest, uint64_t buffer, uint64_t memory, uint64_t offset)
{
    const VkBindBufferMemoryInfo bind = {.sType = VK_STRUCTURE_TYPE_BIND_BUFFER_MEMORY_INFO,
                                         .buffer = ID(VkBuffer, buffer),
                                         .memory = ID(VkDeviceMemory, memory),
                                         .memoryOffset = offset};
    GUEST_DO(guest, vkBindBufferMemory2, .device = DEVICE, .bindInfoCount = 1, .pBindInfos = &bind);
}

static inline void gpu_begin(struct guest *guest)
{
    const VkCommandBufferBeginInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
    GUEST_DO(guest, vkBeginCommandBuffer, .commandBuffer = ID(VkCommandBuffer, GPU_COMMANDS),
             .pBeginInfo = &info);
}

/* What was recorded has been carried out afterwards. */
static inline void gpu_finish(struct guest *guest)
{
    VkCommandBuffer commands = ID(VkCommandBuffer, GPU_COMMANDS);
    GUEST_DO(guest, vkEndCommandBuffer, .commandBuffer = commands);
    const VkSubmitInfo info = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                               .commandBufferCount = 1,
                               .pCommandBuffers = &commands};
    GUEST_DO(guest, vkQueueSubmit, .queue = ID(VkQueue, GPU_QUEUE), .submitCount = 1,
             .pSubmits = &info);
    struct vn_vkQueueWaitIdle wait = {.queue = ID(VkQueue, GPU_QUEUE)};
    GUEST_CALL(guest, vkQueueWaitIdle, &wait);
    assert_int_equal(wait.ret, VK_SUCCESS);
}

static inline void gpu_fill(struct guest *guest, uint64_t buffer, uint64_t at, uint64_t bytes,
                            uint32_t value)
{
    gpu_begin(guest);
    GUEST_DO(guest, vkCmdFillBuffer, .commandBuffer = ID(VkCommandBuffer, GPU_COMMANDS),
             .dstBuffer = ID(VkBuffer, buffer), .dstOffset = at, .size = bytes, .data = value);
    gpu_finish(guest);
}

static inline uint64_t gpu_objects(const struct guest *guest)
{
    struct vt_venus_statistics statistics;
    vt_venus_context_statistics(guest->context, &statistics);
    return statistics.objects;
}

static inline uint64_t gpu_memory(const struct guest *guest)
{
    struct vt_venus_statistics statistics;
    vt_venus_context_statistics(guest->context, &statistics);
    return statistics.memory_bytes;
}

#endif
