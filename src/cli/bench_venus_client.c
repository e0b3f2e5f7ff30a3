/* cli/bench_venus_client.c - a Vulkan program that measures the driver it finds: `vitrine bench
 * venus` runs it natively and through Venus.
 *
 * Nothing in it knows where it runs. Each figure is the median of several rounds.
 */
#include "cli/bench_venus.h"

#include "base/io.h"
#include "cli/bench.h"

#include <stdlib.h>
#include <string.h>
#include <vulkan/vulkan.h>

#define ROUNDS 7u
#define ROUND_TRIPS 2000u
#define SUBMIT_WAITS 1000u
#define PIPELINED 2000u
#define ALLOCATIONS 200u
#define RECORDED 20000u
#define PIECE_BYTES (UINT64_C(1) << 20)

struct client {
    VkInstance instance;
    VkPhysicalDevice physical;
    VkDevice device;
    VkQueue queue;
    uint32_t family, memory_type;
    VkCommandPool pool;
    VkCommandBuffer commands, recorded; /**< that does a little; that is recorded anew */
    VkBuffer buffer;
    VkDeviceMemory memory;
    VkFence fence;
};

#define TRY(call) try_vulkan((call), #call, err)
static int try_vulkan(VkResult result, const char *call, struct vt_error *err)
{
    return result == VK_SUCCESS ? 0
                                : vt_fail(err, VT_E_IO, "%.60s: VkResult %d", call, (int)result);
}

/* ---------------------------------------------------------------- the device */

static int choose_device(struct client *c, char *name, size_t bytes, struct vt_error *err)
{
    VkPhysicalDevice devices[16];
    uint32_t n = 16;
    const char *part = getenv("VITRINE_GPU");
    VkResult result = vkEnumeratePhysicalDevices(c->instance, &n, devices);
    if (result != VK_SUCCESS && result != VK_INCOMPLETE) {
        return TRY(result);
    }
    for (uint32_t i = 0; i < n; i++) {
        VkPhysicalDeviceProperties p;
        vkGetPhysicalDeviceProperties(devices[i], &p);
        if (part == NULL || strstr(p.deviceName, part) != NULL) {
            c->physical = devices[i];
            snprintf(name, bytes, "%s", p.deviceName);
            return 0;
        }
    }
    return vt_fail(err, VT_E_NOT_FOUND, "no Vulkan device%s%s", part != NULL ? " like " : "",
                   part != NULL ? part : "");
}

static int choose_types(struct client *c, struct vt_error *err)
{
    const VkMemoryPropertyFlags host =
        VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    VkPhysicalDeviceMemoryProperties memory;
    VkQueueFamilyProperties families[16];
    uint32_t n = 16, family = 0, type = 0;
    vkGetPhysicalDeviceQueueFamilyProperties(c->physical, &n, families);
    while (family < n && (families[family].queueFlags & VK_QUEUE_COMPUTE_BIT) == 0) {
        family++;
    }
    vkGetPhysicalDeviceMemoryProperties(c->physical, &memory);
    while (type < memory.memoryTypeCount &&
           (memory.memoryTypes[type].propertyFlags & host) != host) {
        type++;
    }
    c->family = family;
    c->memory_type = type;
    return family < n && type < memory.memoryTypeCount
               ? 0
               : vt_fail(err, VT_E_UNSUPPORTED, "a device without compute or mapped memory");
}

static int create_objects(struct client *c, struct vt_error *err)
{
    const VkCommandPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                          .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
                                          .queueFamilyIndex = c->family};
    const VkFenceCreateInfo fence = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    const VkBufferCreateInfo buffer = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                                       .size = 4096,
                                       .usage = VK_BUFFER_USAGE_TRANSFER_DST_BIT};
    int rc = TRY(vkCreateCommandPool(c->device, &pool, NULL, &c->pool));
    rc = rc != 0 ? rc : TRY(vkCreateFence(c->device, &fence, NULL, &c->fence));
    rc = rc != 0 ? rc : TRY(vkCreateBuffer(c->device, &buffer, NULL, &c->buffer));
    if (rc != 0) {
        return rc;
    }
    VkMemoryRequirements needs;
    vkGetBufferMemoryRequirements(c->device, c->buffer, &needs);
    uint32_t type = 0;
    while (type < 31 && (needs.memoryTypeBits >> type & 1) == 0) {
        type++;
    }
    const VkMemoryAllocateInfo memory = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                         .allocationSize = needs.size,
                                         .memoryTypeIndex = type};
    const VkCommandBufferAllocateInfo commands = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
        .commandPool = c->pool,
        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
        .commandBufferCount = 1};
    rc = TRY(vkAllocateMemory(c->device, &memory, NULL, &c->memory));
    rc = rc != 0 ? rc : TRY(vkBindBufferMemory(c->device, c->buffer, c->memory, 0));
    rc = rc != 0 ? rc : TRY(vkAllocateCommandBuffers(c->device, &commands, &c->commands));
    return rc != 0 ? rc : TRY(vkAllocateCommandBuffers(c->device, &commands, &c->recorded));
}

static int open_client(struct client *c, struct vt_bench_vulkan *result, struct vt_error *err)
{
    const VkApplicationInfo application = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                           .pApplicationName = "vitrine bench",
                                           .apiVersion = VK_API_VERSION_1_1};
    const VkInstanceCreateInfo instance = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                           .pApplicationInfo = &application};
    const float priority = 1;
    int rc = TRY(vkCreateInstance(&instance, NULL, &c->instance));
    rc = rc != 0 ? rc : choose_device(c, result->device, sizeof result->device, err);
    rc = rc != 0 ? rc : choose_types(c, err);
    if (rc != 0) {
        return rc;
    }
    const VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                           .queueFamilyIndex = c->family,
                                           .queueCount = 1,
                                           .pQueuePriorities = &priority};
    const VkDeviceCreateInfo device = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                       .queueCreateInfoCount = 1,
                                       .pQueueCreateInfos = &queue};
    rc = TRY(vkCreateDevice(c->physical, &device, NULL, &c->device));
    if (rc != 0) {
        return rc;
    }
    vkGetDeviceQueue(c->device, c->family, 0, &c->queue);
    const VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                            .flags = VK_COMMAND_BUFFER_USAGE_SIMULTANEOUS_USE_BIT};
    rc = create_objects(c, err);
    rc = rc != 0 ? rc : TRY(vkBeginCommandBuffer(c->commands, &begin));
    if (rc == 0) {
        vkCmdFillBuffer(c->commands, c->buffer, 0, 64, 7);
        rc = TRY(vkEndCommandBuffer(c->commands));
    }
    return rc;
}

static void close_client(struct client *c)
{
    if (c->device != NULL) {
        vkDeviceWaitIdle(c->device);
        vkDestroyBuffer(c->device, c->buffer, NULL);
        vkFreeMemory(c->device, c->memory, NULL);
        vkDestroyFence(c->device, c->fence, NULL);
        vkDestroyCommandPool(c->device, c->pool, NULL);
        vkDestroyDevice(c->device, NULL);
    }
    if (c->instance != NULL) {
        vkDestroyInstance(c->instance, NULL);
    }
}

/* ---------------------------------------------------------------- what is measured */

/* A driver answers it from what it knows, and Venus has to ask. */
static int round_trips(struct client *c, struct vt_error *err)
{
    const VkDescriptorSetLayoutCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO};
    for (uint32_t i = 0; i < ROUND_TRIPS; i++) {
        VkDescriptorSetLayoutSupport support = {
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_SUPPORT};
        vkGetDescriptorSetLayoutSupport(c->device, &info, &support);
        if (!support.supported) {
            return vt_fail(err, VT_E_PROTOCOL, "an empty descriptor set is not supported");
        }
    }
    return 0;
}

static int submit(struct client *c, VkFence fence, struct vt_error *err)
{
    const VkSubmitInfo info = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                               .commandBufferCount = 1,
                               .pCommandBuffers = &c->commands};
    return TRY(vkQueueSubmit(c->queue, 1, &info, fence));
}

static int await(struct client *c, struct vt_error *err)
{
    int rc = TRY(vkWaitForFences(c->device, 1, &c->fence, VK_TRUE, UINT64_MAX));
    return rc != 0 ? rc : TRY(vkResetFences(c->device, 1, &c->fence));
}

static int submit_waits(struct client *c, struct vt_error *err)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < SUBMIT_WAITS; i++) {
        rc = submit(c, c->fence, err);
        rc = rc != 0 ? rc : await(c, err);
    }
    return rc;
}

static int pipelined(struct client *c, struct vt_error *err)
{
    int rc = 0;
    for (uint32_t i = 1; rc == 0 && i <= PIPELINED; i++) {
        rc = submit(c, i == PIPELINED ? c->fence : VK_NULL_HANDLE, err);
    }
    return rc != 0 ? rc : await(c, err);
}

static int allocations(struct client *c, struct vt_error *err)
{
    const VkMemoryAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                       .allocationSize = PIECE_BYTES,
                                       .memoryTypeIndex = c->memory_type};
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < ALLOCATIONS; i++) {
        VkDeviceMemory memory = VK_NULL_HANDLE;
        void *at = NULL;
        rc = TRY(vkAllocateMemory(c->device, &info, NULL, &memory));
        rc = rc != 0 ? rc : TRY(vkMapMemory(c->device, memory, 0, VK_WHOLE_SIZE, 0, &at));
        if (rc == 0) {
            *(volatile uint8_t *)at = 1;
        }
        vkFreeMemory(c->device, memory, NULL);
    }
    return rc;
}

static int recordings(struct client *c, struct vt_error *err)
{
    const VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                            .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT};
    const VkMemoryBarrier barrier = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                                     .srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
                                     .dstAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT};
    int rc = TRY(vkBeginCommandBuffer(c->recorded, &begin));
    for (uint32_t i = 0; rc == 0 && i < RECORDED / 2; i++) {
        vkCmdFillBuffer(c->recorded, c->buffer, 0, 64, i);
        vkCmdPipelineBarrier(c->recorded, VK_PIPELINE_STAGE_TRANSFER_BIT,
                             VK_PIPELINE_STAGE_TRANSFER_BIT, 0, 1, &barrier, 0, NULL, 0, NULL);
    }
    return rc != 0 ? rc : TRY(vkEndCommandBuffer(c->recorded));
}

/* Seconds of each round's `count` steps, as a median, for one of them. */
static int measure(struct client *c, int (*round)(struct client *, struct vt_error *),
                   uint32_t count, double *seconds, struct vt_error *err)
{
    double times[ROUNDS];
    int rc = round(c, err); /* warm */
    for (uint32_t i = 0; rc == 0 && i < ROUNDS; i++) {
        uint64_t began = vt_now_ns();
        rc = round(c, err);
        times[i] = (double)(vt_now_ns() - began) / 1e9 / count;
    }
    if (rc == 0) {
        *seconds = vt_bench_median(times, ROUNDS);
    }
    return rc;
}

int vt_bench_vulkan_run(struct vt_bench_vulkan *result, struct vt_error *err)
{
    struct client c = {0};
    struct vt_bench_vulkan r = {.round_trip_us = 0};
    double trip = 0, wait = 0, many = 0, allocation = 0, record = 0;
    int rc = open_client(&c, &r, err);
    rc = rc != 0 ? rc : measure(&c, round_trips, ROUND_TRIPS, &trip, err);
    rc = rc != 0 ? rc : measure(&c, submit_waits, SUBMIT_WAITS, &wait, err);
    rc = rc != 0 ? rc : measure(&c, pipelined, PIPELINED, &many, err);
    rc = rc != 0 ? rc : measure(&c, allocations, ALLOCATIONS, &allocation, err);
    rc = rc != 0 ? rc : measure(&c, recordings, RECORDED, &record, err);
    close_client(&c);
    if (rc == 0) {
        r.round_trip_us = trip * 1e6;
        r.submit_wait_per_s = 1 / wait;
        r.pipelined_submits_per_s = 1 / many;
        r.alloc_map_free_us = allocation * 1e6;
        r.record_ns = record * 1e9;
        *result = r;
    }
    return rc;
}
