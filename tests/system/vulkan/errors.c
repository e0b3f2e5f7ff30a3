/* tests/system/vulkan/errors.c - what is allowed and fails: results, incomplete lists, empty pools.
 */
#include "client.h"

static VkResult create_device(struct client *c, const char *extension,
                              const VkPhysicalDeviceFeatures *features)
{
    const float priority = 0.5F;
    const VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                           .queueFamilyIndex = c->family,
                                           .queueCount = 1,
                                           .pQueuePriorities = &priority};
    const VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                     .queueCreateInfoCount = 1,
                                     .pQueueCreateInfos = &queue,
                                     .enabledExtensionCount = extension != NULL ? 1 : 0,
                                     .ppEnabledExtensionNames = &extension,
                                     .pEnabledFeatures = features};
    VkDevice device = NULL;
    VkResult result = vkCreateDevice(c->physical, &info, NULL, &device);
    if (result == VK_SUCCESS) {
        vkDestroyDevice(device, NULL);
    }
    return result;
}

static void devices(struct client *c)
{
    VkPhysicalDeviceFeatures features = {0};
    printf("plain %s\n", result_name(create_device(c, NULL, NULL)));
    printf("no features %s\n", result_name(create_device(c, NULL, &features)));
    printf("no such extension %s\n", result_name(create_device(c, "VK_EXT_does_not_exist", NULL)));
    /* The first feature that is lacking. */
    const VkBool32 *have = (const VkBool32 *)&c->features.features;
    for (size_t i = 1; i < sizeof features / sizeof(VkBool32); i++) {
        if (!have[i]) {
            ((VkBool32 *)&features)[i] = VK_TRUE;
            printf("a feature that is lacking %s\n",
                   result_name(create_device(c, NULL, &features)));
            break;
        }
    }
    printf("again %s\n", result_name(create_device(c, NULL, NULL)));
}

static void incomplete(struct client *c)
{
    uint32_t n = 0, one = 1, zero = 0;
    VkExtensionProperties extension;
    VK(vkEnumerateDeviceExtensionProperties(c->physical, NULL, &n, NULL));
    printf("room for one extension: %s",
           result_name(vkEnumerateDeviceExtensionProperties(c->physical, NULL, &one, &extension)));
    printf(", %u written\n", one);
    printf("room for no extension: %s\n",
           result_name(vkEnumerateDeviceExtensionProperties(c->physical, NULL, &zero, &extension)));
    VkPhysicalDevice devices[1];
    zero = 0;
    printf("room for no device: %s\n",
           result_name(vkEnumeratePhysicalDevices(c->instance, &zero, devices)));
    VkImageFormatProperties p;
    printf("no such image: %s\n",
           result_name(vkGetPhysicalDeviceImageFormatProperties(
               c->physical, VK_FORMAT_R8G8B8_SRGB, VK_IMAGE_TYPE_3D, VK_IMAGE_TILING_LINEAR,
               VK_IMAGE_USAGE_DEPTH_STENCIL_ATTACHMENT_BIT, 0, &p)));
}

static void pools(struct client *c)
{
    const VkDescriptorType type = VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER;
    const VkDescriptorPoolSize size = {type, 3};
    const VkDescriptorPoolCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
                                             .flags =
                                                 VK_DESCRIPTOR_POOL_CREATE_FREE_DESCRIPTOR_SET_BIT,
                                             .maxSets = 4,
                                             .poolSizeCount = 1,
                                             .pPoolSizes = &size};
    VkDescriptorSetLayout layout = set_layout(c, &type, 1);
    VkDescriptorPool pool;
    VkDescriptorSet sets[8];
    VK(vkCreateDescriptorPool(c->device, &info, NULL, &pool));
    KEEP(c, DESCRIPTOR_POOL, pool);
    VkDescriptorSetAllocateInfo allocate = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                            .descriptorPool = pool,
                                            .descriptorSetCount = 1,
                                            .pSetLayouts = &layout};
    /* Beyond its size a pool may give sets or not. */
    for (uint32_t i = 0; i < 5; i++) {
        VkResult result = vkAllocateDescriptorSets(c->device, &allocate, &sets[i]);
        EXPECT(result == VK_SUCCESS || (i >= 3 && (result == VK_ERROR_OUT_OF_POOL_MEMORY ||
                                                   result == VK_ERROR_FRAGMENTED_POOL)));
    }
    VK(vkFreeDescriptorSets(c->device, pool, 2, sets));
    VK(vkAllocateDescriptorSets(c->device, &allocate, &sets[0]));
    VK(vkResetDescriptorPool(c->device, pool, 0));
    const VkDescriptorSetLayout layouts[] = {layout, layout, layout};
    allocate.descriptorSetCount = 3;
    allocate.pSetLayouts = layouts;
    printf("three after a reset: %s\n",
           result_name(vkAllocateDescriptorSets(c->device, &allocate, sets)));
}

/* Destroying nothing, freeing nothing, updating nothing. */
static void nothing(struct client *c)
{
    vkDestroyBuffer(c->device, VK_NULL_HANDLE, NULL);
    vkDestroyImage(c->device, VK_NULL_HANDLE, NULL);
    vkDestroyImageView(c->device, VK_NULL_HANDLE, NULL);
    vkDestroyPipeline(c->device, VK_NULL_HANDLE, NULL);
    vkDestroyFence(c->device, VK_NULL_HANDLE, NULL);
    vkDestroySemaphore(c->device, VK_NULL_HANDLE, NULL);
    vkDestroyDescriptorPool(c->device, VK_NULL_HANDLE, NULL);
    vkDestroyCommandPool(c->device, VK_NULL_HANDLE, NULL);
    vkFreeMemory(c->device, VK_NULL_HANDLE, NULL);
    vkDestroyDevice(NULL, NULL);
    vkDestroyInstance(VK_NULL_HANDLE, NULL);
    const VkCommandBuffer none[2] = {NULL, NULL};
    vkFreeCommandBuffers(c->device, c->pool, 2, none);
    vkUpdateDescriptorSets(c->device, 0, NULL, 0, NULL);
    VK(vkQueueSubmit(c->queue, 0, NULL, VK_NULL_HANDLE));
    const VkSubmitInfo empty = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO};
    VK(vkQueueSubmit(c->queue, 1, &empty, VK_NULL_HANDLE));
    vkTrimCommandPool(c->device, c->pool, 0);
    VkCommandBuffer commands = commands_begin(c);
    commands_run(c, commands);
    VK(vkQueueWaitIdle(c->queue));
    VK(vkDeviceWaitIdle(c->device));
    puts("nothing happened");
}

/* Things are destroyed in every order that is allowed. */
static void orders(struct client *c)
{
    for (uint32_t i = 0; i < 6; i++) {
        const VkDescriptorType type = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
        const VkDescriptorSetLayoutBinding binding = {0, type, 1, VK_SHADER_STAGE_ALL, NULL};
        const VkDescriptorSetLayoutCreateInfo set_info = {
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
            .bindingCount = 1,
            .pBindings = &binding};
        VkDescriptorSetLayout set_l;
        VkPipelineLayout layout;
        VK(vkCreateDescriptorSetLayout(c->device, &set_info, NULL, &set_l));
        const VkPipelineLayoutCreateInfo info = {.sType =
                                                     VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                                 .setLayoutCount = 1,
                                                 .pSetLayouts = &set_l};
        VK(vkCreatePipelineLayout(c->device, &info, NULL, &layout));
        VkDescriptorSet set = VK_NULL_HANDLE;
        if (i % 3 == 0) {
            set = set_create(c, set_l); /* outlives its layout */
        }
        if (i % 2 == 0) {
            vkDestroyDescriptorSetLayout(c->device, set_l, NULL);
            vkDestroyPipelineLayout(c->device, layout, NULL);
        } else {
            vkDestroyPipelineLayout(c->device, layout, NULL);
            vkDestroyDescriptorSetLayout(c->device, set_l, NULL);
        }
        EXPECT(i % 3 != 0 || set != VK_NULL_HANDLE);
    }
    /* Memory before what stood on it. */
    const VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                                     .size = 4096,
                                     .usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT};
    VkBuffer buffer;
    VkMemoryRequirements needs;
    VkDeviceMemory memory;
    VK(vkCreateBuffer(c->device, &info, NULL, &buffer));
    vkGetBufferMemoryRequirements(c->device, buffer, &needs);
    const VkMemoryAllocateInfo allocate = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                           .allocationSize = needs.size,
                                           .memoryTypeIndex =
                                               memory_type(c, needs.memoryTypeBits, HOST_MEMORY)};
    VK(vkAllocateMemory(c->device, &allocate, NULL, &memory));
    VK(vkBindBufferMemory(c->device, buffer, memory, 0));
    void *at;
    VK(vkMapMemory(c->device, memory, 0, 4096, 0, &at));
    memset(at, 1, 4096);
    vkFreeMemory(c->device, memory, NULL);
    vkDestroyBuffer(c->device, buffer, NULL);
    /* A pool with its buffers, one of them being recorded. */
    const VkCommandPoolCreateInfo pool_info = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                               .queueFamilyIndex = c->family};
    VkCommandPool pool;
    VkCommandBuffer buffers[3];
    VK(vkCreateCommandPool(c->device, &pool_info, NULL, &pool));
    const VkCommandBufferAllocateInfo buffers_info = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
        .commandPool = pool,
        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
        .commandBufferCount = 3};
    const VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
    VK(vkAllocateCommandBuffers(c->device, &buffers_info, buffers));
    VK(vkBeginCommandBuffer(buffers[1], &begin));
    vkDestroyCommandPool(c->device, pool, NULL);
    puts("in any order");
}

/* Far more memory than there is, a piece at a time: it is refused, and nothing is broken after it.
 */
static void exhaustion(struct client *c)
{
    enum { MOST = 4096 };
    static VkDeviceMemory pieces[MOST];
    uint32_t type = memory_type(c, UINT32_MAX, HOST_MEMORY);
    uint32_t most = c->properties.properties.limits.maxMemoryAllocationCount;
    VkDeviceSize heap = c->memory.memoryHeaps[c->memory.memoryTypes[type].heapIndex].size;
    VkDeviceSize size = heap / 3 / 4096 * 4096;
    if (size > UINT64_C(1) << 40) {
        size = UINT64_C(1) << 40;
    }
    const VkMemoryAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                       .allocationSize = size,
                                       .memoryTypeIndex = type};
    VkResult result = VK_SUCCESS;
    uint32_t n = 0;
    while (result == VK_SUCCESS && n < 64 && n < most && n < MOST) {
        result = vkAllocateMemory(c->device, &info, NULL, &pieces[n]);
        n += result == VK_SUCCESS ? 1 : 0;
    }
    EXPECT(result == VK_SUCCESS || result == VK_ERROR_OUT_OF_DEVICE_MEMORY ||
           result == VK_ERROR_OUT_OF_HOST_MEMORY);
    while (n > 0) {
        vkFreeMemory(c->device, pieces[--n], NULL);
    }
    struct buffer buffer = buffer_host(c, 4096);
    VkCommandBuffer commands = commands_begin(c);
    vkCmdFillBuffer(commands, buffer.buffer, 0, VK_WHOLE_SIZE, 42);
    memory_barrier(commands);
    commands_run(c, commands);
    printf("afterwards %u\n", *(uint32_t *)buffer.at);
    EXPECT(*(uint32_t *)buffer.at == 42);
}

int main(void)
{
    static const struct client_case cases[] = {
        {"devices", devices}, {"incomplete", incomplete}, {"pools", pools},
        {"nothing", nothing}, {"orders", orders},         {"exhaustion", exhaustion},
    };
    return client_main(NULL, cases, COUNT(cases));
}
