/* Every kind of object that a guest makes and ends: on the host too, and nothing is left. */
#include "tests/unit/harness.h"

#include "tests/unit/venus/guest_gpu.h"
#include "tests/unit/venus/guest_group.h"

/* OpCapability Shader, memory model, an entry point that returns. */
static const uint32_t shader[] = {
    0x07230203, 0x00010000, 0, 5,          0,         0x00020011, 1,          0x0003000e, 0, 1,
    0x0005000f, 5,          1, 0x6e69616d, 0,         0x00060010, 1,          17,         1, 1,
    1,          0x00020013, 2, 0x00030021, 3,         2,          0x00050036, 2,          1, 0,
    3,          0x000200f8, 4, 0x000100fd, 0x00010038};

#define STYPE(type, ...)                                                                           \
    (const type)                                                                                   \
    {                                                                                              \
        .sType = __VA_ARGS__                                                                       \
    }

/* Makes one with the result asked for, and ends it. */
#define MAKE(guest, kind, type, argument, ...)                                                     \
    do {                                                                                           \
        kind made_ = ID(kind, id);                                                                 \
        struct vn_vkCreate##type create_ = {                                                       \
            .device = DEVICE, .pCreateInfo = &__VA_ARGS__, .argument = &made_};                    \
        GUEST_CALL((guest), vkCreate##type, &create_);                                             \
        assert_int_equal(create_.ret, VK_SUCCESS);                                                 \
        assert_int_equal((uint64_t)*create_.argument, id);                                         \
    } while (0)
#define END(guest, kind, type, argument)                                                           \
    GUEST_DO((guest), vkDestroy##type, .device = DEVICE, .argument = ID(kind, id))

static void each_is_made_and_ended(void **state)
{
    struct guest *guest = *state;
    uint64_t before = gpu_objects(guest);
    uint64_t id = GUEST_FREE_ID;

    MAKE(guest, VkFence, Fence, pFence,
         STYPE(VkFenceCreateInfo, VK_STRUCTURE_TYPE_FENCE_CREATE_INFO));
    END(guest, VkFence, Fence, fence);
    MAKE(guest, VkSemaphore, Semaphore, pSemaphore,
         STYPE(VkSemaphoreCreateInfo, VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO));
    END(guest, VkSemaphore, Semaphore, semaphore);
    MAKE(guest, VkEvent, Event, pEvent,
         STYPE(VkEventCreateInfo, VK_STRUCTURE_TYPE_EVENT_CREATE_INFO));
    struct vn_vkGetEventStatus status = {.device = DEVICE, .event = ID(VkEvent, id)};
    GUEST_CALL(guest, vkGetEventStatus, &status);
    assert_int_equal(status.ret, VK_EVENT_RESET);
    GUEST_DO(guest, vkSetEvent, .device = DEVICE, .event = ID(VkEvent, id));
    GUEST_CALL(guest, vkGetEventStatus, &status);
    assert_int_equal(status.ret, VK_EVENT_SET);
    END(guest, VkEvent, Event, event);
    MAKE(guest, VkQueryPool, QueryPool, pQueryPool,
         STYPE(VkQueryPoolCreateInfo, VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
               .queryType = VK_QUERY_TYPE_OCCLUSION, .queryCount = 2));
    END(guest, VkQueryPool, QueryPool, queryPool);
    MAKE(guest, VkSampler, Sampler, pSampler,
         STYPE(VkSamplerCreateInfo, VK_STRUCTURE_TYPE_SAMPLER_CREATE_INFO));
    END(guest, VkSampler, Sampler, sampler);
    MAKE(guest, VkShaderModule, ShaderModule, pShaderModule,
         STYPE(VkShaderModuleCreateInfo, VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
               .codeSize = sizeof shader, .pCode = shader));
    END(guest, VkShaderModule, ShaderModule, shaderModule);
    MAKE(guest, VkPipelineCache, PipelineCache, pPipelineCache,
         STYPE(VkPipelineCacheCreateInfo, VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO));
    END(guest, VkPipelineCache, PipelineCache, pipelineCache);
    MAKE(guest, VkDescriptorSetLayout, DescriptorSetLayout, pSetLayout,
         STYPE(VkDescriptorSetLayoutCreateInfo,
               VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO));
    END(guest, VkDescriptorSetLayout, DescriptorSetLayout, descriptorSetLayout);
    MAKE(guest, VkPipelineLayout, PipelineLayout, pPipelineLayout,
         STYPE(VkPipelineLayoutCreateInfo, VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO));
    END(guest, VkPipelineLayout, PipelineLayout, pipelineLayout);
    MAKE(guest, VkCommandPool, CommandPool, pCommandPool,
         STYPE(VkCommandPoolCreateInfo, VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO));
    END(guest, VkCommandPool, CommandPool, commandPool);
    const VkSubpassDescription subpass = {0};
    MAKE(guest, VkRenderPass, RenderPass, pRenderPass,
         STYPE(VkRenderPassCreateInfo, VK_STRUCTURE_TYPE_RENDER_PASS_CREATE_INFO, .subpassCount = 1,
               .pSubpasses = &subpass));
    VkRenderPass pass = ID(VkRenderPass, id);
    id++;
    MAKE(guest, VkFramebuffer, Framebuffer, pFramebuffer,
         STYPE(VkFramebufferCreateInfo, VK_STRUCTURE_TYPE_FRAMEBUFFER_CREATE_INFO,
               .renderPass = pass, .width = 8, .height = 8, .layers = 1));
    END(guest, VkFramebuffer, Framebuffer, framebuffer);
    id--;
    END(guest, VkRenderPass, RenderPass, renderPass);
    assert_int_equal(gpu_objects(guest), before);
    /* Ending no object is nothing. */
    GUEST_DO(guest, vkDestroyFence, .device = DEVICE);
    GUEST_DO(guest, vkDestroyImage, .device = DEVICE);
}

static void images_and_views(void **state)
{
    struct guest *guest = *state;
    uint64_t before = gpu_objects(guest);
    uint64_t id = GUEST_FREE_ID;
    static const VkImageTiling tilings[] = {VK_IMAGE_TILING_OPTIMAL, VK_IMAGE_TILING_LINEAR};
    for (size_t i = 0; i < 2; i++) {
        MAKE(guest, VkImage, Image, pImage,
             STYPE(VkImageCreateInfo, VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
                   .imageType = VK_IMAGE_TYPE_2D, .format = VK_FORMAT_R8G8B8A8_UNORM,
                   .extent = {64, 32, 1}, .mipLevels = 1, .arrayLayers = 1,
                   .samples = VK_SAMPLE_COUNT_1_BIT, .tiling = tilings[i],
                   .usage = VK_IMAGE_USAGE_SAMPLED_BIT | VK_IMAGE_USAGE_TRANSFER_DST_BIT));
        const VkImageMemoryRequirementsInfo2 ask = {
            .sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_REQUIREMENTS_INFO_2, .image = ID(VkImage, id)};
        VkMemoryRequirements2 found = {.sType = VK_STRUCTURE_TYPE_MEMORY_REQUIREMENTS_2};
        struct vn_vkGetImageMemoryRequirements2 get = {
            .device = DEVICE, .pInfo = &ask, .pMemoryRequirements = &found};
        GUEST_CALL(guest, vkGetImageMemoryRequirements2, &get);
        VkMemoryRequirements needs = get.pMemoryRequirements->memoryRequirements;
        assert_true(needs.size >= UINT64_C(64) * 32 * 4);
        uint32_t type = gpu_type(guest, 0, needs.memoryTypeBits);
        assert_int_equal(gpu_allocate(guest, GPU_DEVICE, id + 1, needs.size, type, NULL),
                         VK_SUCCESS);
        const VkBindImageMemoryInfo bind = {.sType = VK_STRUCTURE_TYPE_BIND_IMAGE_MEMORY_INFO,
                                            .image = ID(VkImage, id),
                                            .memory = ID(VkDeviceMemory, id + 1)};
        GUEST_DO(guest, vkBindImageMemory2, .device = DEVICE, .bindInfoCount = 1,
                 .pBindInfos = &bind);
        id += 2;
        MAKE(guest, VkImageView, ImageView, pView,
             STYPE(VkImageViewCreateInfo, VK_STRUCTURE_TYPE_IMAGE_VIEW_CREATE_INFO,
                   .image = ID(VkImage, id - 2), .viewType = VK_IMAGE_VIEW_TYPE_2D,
                   .format = VK_FORMAT_R8G8B8A8_UNORM,
                   .subresourceRange = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1}));
        END(guest, VkImageView, ImageView, imageView);
        id -= 2;
        END(guest, VkImage, Image, image);
        GUEST_DO(guest, vkFreeMemory, .device = DEVICE, .memory = ID(VkDeviceMemory, id + 1));
        assert_int_equal(gpu_objects(guest), before);
    }
}

static VkImageCreateInfo modifier_image(const void *chain)
{
    return (VkImageCreateInfo){.sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
                               .pNext = chain,
                               .imageType = VK_IMAGE_TYPE_2D,
                               .format = VK_FORMAT_B8G8R8A8_UNORM,
                               .extent = {50, 30, 1},
                               .mipLevels = 1,
                               .arrayLayers = 1,
                               .samples = VK_SAMPLE_COUNT_1_BIT,
                               .tiling = VK_IMAGE_TILING_DRM_FORMAT_MODIFIER_EXT,
                               .usage = VK_IMAGE_USAGE_TRANSFER_DST_BIT};
}

static VkResult make_image(struct guest *guest, uint64_t id, const VkImageCreateInfo *info)
{
    VkImage image = ID(VkImage, id);
    struct vn_vkCreateImage create = {.device = DEVICE, .pCreateInfo = info, .pImage = &image};
    GUEST_CALL(guest, vkCreateImage, &create);
    return create.ret;
}

static void modifiers_are_linear(void **state)
{
    struct guest *guest = *state;
    if (gpu_type(guest, VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT, UINT32_MAX) == UINT32_MAX) {
        skip();
    }
    uint64_t id = GUEST_FREE_ID;
    static const uint64_t modifiers[] = {UINT64_C(0x0100000000000001), 0};
    const VkExternalMemoryImageCreateInfo external = {
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_IMAGE_CREATE_INFO,
        .handleTypes = VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT};
    VkImageDrmFormatModifierListCreateInfoEXT list = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_DRM_FORMAT_MODIFIER_LIST_CREATE_INFO_EXT,
        .pNext = &external,
        .drmFormatModifierCount = 2,
        .pDrmFormatModifiers = modifiers};
    VkImageCreateInfo info = modifier_image(&list);
    assert_int_equal(make_image(guest, id, &info), VK_SUCCESS);
    VkImageDrmFormatModifierPropertiesEXT properties = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_DRM_FORMAT_MODIFIER_PROPERTIES_EXT,
        .drmFormatModifier = 99};
    struct vn_vkGetImageDrmFormatModifierPropertiesEXT which = {
        .device = DEVICE, .image = ID(VkImage, id), .pProperties = &properties};
    GUEST_CALL(guest, vkGetImageDrmFormatModifierPropertiesEXT, &which);
    assert_int_equal(which.ret, VK_SUCCESS);
    assert_int_equal(which.pProperties->drmFormatModifier, 0);
    const VkImageSubresource plane = {.aspectMask = VK_IMAGE_ASPECT_MEMORY_PLANE_0_BIT_EXT};
    VkSubresourceLayout layout = {0};
    struct vn_vkGetImageSubresourceLayout ask = {
        .device = DEVICE, .image = ID(VkImage, id), .pSubresource = &plane, .pLayout = &layout};
    GUEST_CALL(guest, vkGetImageSubresourceLayout, &ask);
    layout = *ask.pLayout;
    assert_true(layout.rowPitch >= UINT64_C(50) * 4);

    /* The layout that it has, and one that it cannot have. */
    layout = (VkSubresourceLayout){.rowPitch = layout.rowPitch};
    VkImageDrmFormatModifierExplicitCreateInfoEXT one = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_DRM_FORMAT_MODIFIER_EXPLICIT_CREATE_INFO_EXT,
        .pNext = &external,
        .drmFormatModifierPlaneCount = 1,
        .pPlaneLayouts = &layout};
    info = modifier_image(&one);
    assert_int_equal(make_image(guest, id + 1, &info), VK_SUCCESS);
    layout.rowPitch += 64;
    assert_int_equal(make_image(guest, id + 2, &info),
                     VK_ERROR_INVALID_DRM_FORMAT_MODIFIER_PLANE_LAYOUT_EXT);
    list.drmFormatModifierCount = 1;
    info = modifier_image(&list);
    assert_int_equal(make_image(guest, id + 3, &info),
                     VK_ERROR_INVALID_DRM_FORMAT_MODIFIER_PLANE_LAYOUT_EXT);
}

/* ---- pools ---- */

enum { POOL = GUEST_FREE_ID, LAYOUT, SET };

static void make_pool(struct guest *guest)
{
    uint64_t id = POOL;
    const VkDescriptorPoolSize size = {VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER, 8};
    MAKE(guest, VkDescriptorPool, DescriptorPool, pDescriptorPool,
         STYPE(VkDescriptorPoolCreateInfo, VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
               .flags = VK_DESCRIPTOR_POOL_CREATE_FREE_DESCRIPTOR_SET_BIT, .maxSets = 3,
               .poolSizeCount = 1, .pPoolSizes = &size));
    const VkDescriptorSetLayoutBinding binding = {.descriptorType =
                                                      VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER,
                                                  .descriptorCount = 1,
                                                  .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT};
    id = LAYOUT;
    MAKE(guest, VkDescriptorSetLayout, DescriptorSetLayout, pSetLayout,
         STYPE(VkDescriptorSetLayoutCreateInfo, VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
               .bindingCount = 1, .pBindings = &binding));
}

static VkResult make_sets(struct guest *guest, uint32_t n)
{
    const VkDescriptorSetLayout layouts[8] = {
        ID(VkDescriptorSetLayout, LAYOUT), ID(VkDescriptorSetLayout, LAYOUT),
        ID(VkDescriptorSetLayout, LAYOUT), ID(VkDescriptorSetLayout, LAYOUT)};
    VkDescriptorSet sets[8];
    for (uint32_t i = 0; i < n; i++) {
        sets[i] = ID(VkDescriptorSet, SET + i);
    }
    const VkDescriptorSetAllocateInfo info = {.sType =
                                                  VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                              .descriptorPool = ID(VkDescriptorPool, POOL),
                                              .descriptorSetCount = n,
                                              .pSetLayouts = layouts};
    struct vn_vkAllocateDescriptorSets allocate = {
        .device = DEVICE, .pAllocateInfo = &info, .pDescriptorSets = sets};
    GUEST_CALL(guest, vkAllocateDescriptorSets, &allocate);
    return allocate.ret;
}

static void a_pool_that_is_reset_or_ends_takes_its_sets(void **state)
{
    struct guest *guest = *state;
    uint64_t before = gpu_objects(guest);
    make_pool(guest);
    assert_int_equal(make_sets(guest, 3), VK_SUCCESS);
    assert_int_equal(gpu_objects(guest), before + 5);
    GUEST_DO(guest, vkResetDescriptorPool, .device = DEVICE,
             .descriptorPool = ID(VkDescriptorPool, POOL));
    assert_int_equal(gpu_objects(guest), before + 2);
    assert_int_equal(make_sets(guest, 2), VK_SUCCESS);
    const VkDescriptorSet sets[] = {ID(VkDescriptorSet, SET), 0};
    GUEST_DO(guest, vkFreeDescriptorSets, .device = DEVICE,
             .descriptorPool = ID(VkDescriptorPool, POOL), .descriptorSetCount = 2,
             .pDescriptorSets = sets);
    assert_int_equal(gpu_objects(guest), before + 3);
    GUEST_DO(guest, vkDestroyDescriptorPool, .device = DEVICE,
             .descriptorPool = ID(VkDescriptorPool, POOL));
    assert_int_equal(gpu_objects(guest), before + 1);
    GUEST_ENDS(guest, "1000", vkResetDescriptorPool, .device = DEVICE,
               .descriptorPool = ID(VkDescriptorPool, POOL));
}

static void ends_of_freeing_a_set_of_another_pool(void **state)
{
    struct guest *guest = *state;
    make_pool(guest);
    assert_int_equal(make_sets(guest, 1), VK_SUCCESS);
    uint64_t id = SET + 7;
    const VkDescriptorPoolSize size = {VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER, 8};
    MAKE(guest, VkDescriptorPool, DescriptorPool, pDescriptorPool,
         STYPE(VkDescriptorPoolCreateInfo, VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
               .flags = VK_DESCRIPTOR_POOL_CREATE_FREE_DESCRIPTOR_SET_BIT, .maxSets = 3,
               .poolSizeCount = 1, .pPoolSizes = &size));
    const VkDescriptorSet sets[] = {ID(VkDescriptorSet, SET)};
    GUEST_ENDS(guest, "pDescriptorSets", vkFreeDescriptorSets, .device = DEVICE,
               .descriptorPool = ID(VkDescriptorPool, id), .descriptorSetCount = 1,
               .pDescriptorSets = sets);
}

static void command_buffers_end_with_their_pool(void **state)
{
    struct guest *guest = *state;
    uint64_t before = gpu_objects(guest);
    VkCommandBuffer more[40];
    for (uint32_t i = 0; i < 40; i++) {
        more[i] = ID(VkCommandBuffer, GUEST_FREE_ID + i);
    }
    const VkCommandBufferAllocateInfo info = {.sType =
                                                  VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                              .commandPool = ID(VkCommandPool, GPU_POOL),
                                              .commandBufferCount = 40};
    GUEST_DO(guest, vkAllocateCommandBuffers, .device = DEVICE, .pAllocateInfo = &info,
             .pCommandBuffers = more);
    assert_int_equal(gpu_objects(guest), before + 40);
    GUEST_DO(guest, vkFreeCommandBuffers, .device = DEVICE,
             .commandPool = ID(VkCommandPool, GPU_POOL), .commandBufferCount = 10,
             .pCommandBuffers = more);
    assert_int_equal(gpu_objects(guest), before + 30);
    GUEST_DO(guest, vkDestroyCommandPool, .device = DEVICE,
             .commandPool = ID(VkCommandPool, GPU_POOL));
    assert_int_equal(gpu_objects(guest), before - 2);
    GUEST_ENDS(guest, "vkEndCommandBuffer", vkEndCommandBuffer, .commandBuffer = more[20]);
}

static void lists_that_are_counted_and_not_there(void **state)
{
    struct guest *guest = *state;
    GUEST_ENDS(guest, "pCommandBuffers", vkFreeCommandBuffers, .device = DEVICE,
               .commandPool = ID(VkCommandPool, GPU_POOL), .commandBufferCount = 2);
}

static void sets_that_are_counted_and_not_there(void **state)
{
    struct guest *guest = *state;
    make_pool(guest);
    GUEST_ENDS(guest, "pDescriptorSets", vkFreeDescriptorSets, .device = DEVICE,
               .descriptorPool = ID(VkDescriptorPool, POOL), .descriptorSetCount = 2);
}

static void pipelines_that_are_made_together(void **state)
{
    struct guest *guest = *state;
    uint64_t before = gpu_objects(guest);
    uint64_t id = GUEST_FREE_ID;
    MAKE(guest, VkShaderModule, ShaderModule, pShaderModule,
         STYPE(VkShaderModuleCreateInfo, VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
               .codeSize = sizeof shader, .pCode = shader));
    id++;
    MAKE(guest, VkPipelineLayout, PipelineLayout, pPipelineLayout,
         STYPE(VkPipelineLayoutCreateInfo, VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO));
    const VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                  .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                  .module = ID(VkShaderModule, GUEST_FREE_ID),
                  .pName = "main"},
        .layout = ID(VkPipelineLayout, GUEST_FREE_ID + 1)};
    const VkComputePipelineCreateInfo infos[] = {info, info, info};
    VkPipeline pipelines[] = {ID(VkPipeline, 2001), ID(VkPipeline, 2002), ID(VkPipeline, 2003)};
    struct vn_vkCreateComputePipelines create = {
        .device = DEVICE, .createInfoCount = 3, .pCreateInfos = infos, .pPipelines = pipelines};
    GUEST_CALL(guest, vkCreateComputePipelines, &create);
    assert_int_equal(create.ret, VK_SUCCESS);
    assert_int_equal((uint64_t)create.pPipelines[2], 2003);
    assert_int_equal(gpu_objects(guest), before + 5);
    gpu_begin(guest);
    GUEST_DO(guest, vkCmdBindPipeline, .commandBuffer = ID(VkCommandBuffer, GPU_COMMANDS),
             .pipelineBindPoint = VK_PIPELINE_BIND_POINT_COMPUTE, .pipeline = ID(VkPipeline, 2002));
    GUEST_DO(guest, vkCmdDispatch, .commandBuffer = ID(VkCommandBuffer, GPU_COMMANDS),
             .groupCountX = 1, .groupCountY = 1, .groupCountZ = 1);
    gpu_finish(guest);
    for (uint64_t i = 2001; i <= 2003; i++) {
        GUEST_DO(guest, vkDestroyPipeline, .device = DEVICE, .pipeline = ID(VkPipeline, i));
    }
    assert_int_equal(gpu_objects(guest), before + 2);
    /* The same id twice: one is made, none is left. */
    pipelines[1] = pipelines[0];
    GUEST_ENDS(guest, "2001", vkCreateComputePipelines, .device = DEVICE, .createInfoCount = 3,
               .pCreateInfos = infos, .pPipelines = pipelines);
}

/* ---- queries ---- */

static void make_queries(struct guest *guest)
{
    uint64_t id = GUEST_FREE_ID;
    MAKE(guest, VkQueryPool, QueryPool, pQueryPool,
         STYPE(VkQueryPoolCreateInfo, VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
               .queryType = VK_QUERY_TYPE_OCCLUSION, .queryCount = 4));
}

static void queries_that_are_not_there(void **state)
{
    struct guest *guest = *state;
    make_queries(guest);
    uint64_t data[2];
    GUEST_ENDS(guest, "queryCount", vkGetQueryPoolResults, .device = DEVICE,
               .queryPool = ID(VkQueryPool, GUEST_FREE_ID), .firstQuery = 3, .queryCount = 2,
               .dataSize = sizeof data, .pData = data, .stride = 8,
               .flags = VK_QUERY_RESULT_64_BIT);
}

static void queries_that_do_not_fit(void **state)
{
    struct guest *guest = *state;
    make_queries(guest);
    uint64_t data[4];
    GUEST_ENDS(guest, "dataSize", vkGetQueryPoolResults, .device = DEVICE,
               .queryPool = ID(VkQueryPool, GUEST_FREE_ID), .queryCount = 4,
               .dataSize = sizeof data, .pData = data, .stride = 16,
               .flags = VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WITH_AVAILABILITY_BIT);
}

static void queries_of_a_stride_round_the_world(void **state)
{
    struct guest *guest = *state;
    make_queries(guest);
    uint64_t data[4];
    GUEST_ENDS(guest, "dataSize", vkGetQueryPoolResults, .device = DEVICE,
               .queryPool = ID(VkQueryPool, GUEST_FREE_ID), .queryCount = 3,
               .dataSize = sizeof data, .pData = data, .stride = UINT64_C(1) << 63,
               .flags = VK_QUERY_RESULT_64_BIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        GROUP_TEST(each_is_made_and_ended),
        GROUP_TEST(images_and_views),
        GROUP_TEST(modifiers_are_linear),
        GROUP_TEST(a_pool_that_is_reset_or_ends_takes_its_sets),
        GROUP_TEST(ends_of_freeing_a_set_of_another_pool),
        GROUP_TEST(command_buffers_end_with_their_pool),
        GROUP_TEST(lists_that_are_counted_and_not_there),
        GROUP_TEST(sets_that_are_counted_and_not_there),
        GROUP_TEST(pipelines_that_are_made_together),
        GROUP_TEST(queries_that_are_not_there),
        GROUP_TEST(queries_that_do_not_fit),
        GROUP_TEST(queries_of_a_stride_round_the_world),
    };
    return group_begin(gpu_ready) ? group_end(cmocka_run_group_tests(tests, NULL, NULL)) : 77;
}
