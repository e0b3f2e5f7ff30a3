/* tests/system/vulkan/pipelines.c - caches, libraries, derivatives, feedback; names and private
 * data. */
#include "client.h"

#include "fill.comp.h"
#include "flat.frag.h"
#include "rect.vert.h"

#define SIDE 64u

static const float place[4] = {-0.5F, -0.75F, 0.5F, 0.25F}, tint[4] = {0.25F, 0.75F, 1, 1};

static VkPipelineCache cache_create(struct client *c, const void *data, size_t bytes)
{
    const VkPipelineCacheCreateInfo info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO,
                                            .initialDataSize = bytes,
                                            .pInitialData = data};
    VkPipelineCache cache;
    VK(vkCreatePipelineCache(c->device, &info, NULL, &cache));
    KEEP(c, PIPELINE_CACHE, cache);
    return cache;
}

static void draw_with(struct client *c, const struct target *t, VkPipeline pipeline,
                      VkPipelineLayout layout, const char *what)
{
    VkCommandBuffer commands = commands_begin(c);
    target_begin(t, commands, VK_SUBPASS_CONTENTS_INLINE);
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, pipeline);
    draw_rect(commands, layout, place, tint, 0);
    target_finish(c, t, commands, what);
    EXPECT(target_pixel(t, SIDE / 2, SIDE / 4) == 0xffffbf40);
}

static struct graphics rect_graphics(const struct target *t, VkPipelineLayout layout)
{
    return (struct graphics){.vert = CODE(rect_vert),
                             .frag = CODE(flat_frag),
                             .layout = layout,
                             .pass = t->pass,
                             .n_colors = 1,
                             .topology = VK_PRIMITIVE_TOPOLOGY_TRIANGLE_STRIP,
                             .width = SIDE,
                             .height = SIDE};
}

static void caches(struct client *c)
{
    struct target t = target_create(c, SIDE, SIDE);
    VkPipelineLayout layout = rect_layout(c, NULL);
    struct graphics g = rect_graphics(&t, layout);
    g.cache = cache_create(c, NULL, 0);
    draw_with(c, &t, graphics_pipeline(c, &g), layout, "with an empty cache");
    size_t size = 0, small = 4;
    VK(vkGetPipelineCacheData(c->device, g.cache, &size, NULL));
    EXPECT(size >= 32);
    uint32_t *data = calloc(1, size);
    EXPECT(data != NULL);
    VK(vkGetPipelineCacheData(c->device, g.cache, &size, data));
    printf("header of %u bytes, version %u\n", data[0], data[1]);
    EXPECT(data[2] == c->properties.properties.vendorID);
    EXPECT(memcmp(data + 4, c->properties.properties.pipelineCacheUUID, VK_UUID_SIZE) == 0);
    uint32_t word[8];
    printf("with room for 4 bytes: %s\n",
           result_name(vkGetPipelineCacheData(c->device, g.cache, &small, word)));
    VkPipelineCache first = g.cache;
    g.cache = cache_create(c, data, size);
    draw_with(c, &t, graphics_pipeline(c, &g), layout, "with what it had");
    VK(vkMergePipelineCaches(c->device, g.cache, 1, &first));
    draw_with(c, &t, graphics_pipeline(c, &g), layout, "merged");
    free(data);
}

static void several(struct client *c)
{
    enum { N = 6 };
    const VkDescriptorType type = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
    VkDescriptorSetLayout set_l = set_layout(c, &type, 1);
    VkPipelineLayout layout = pipeline_layout(c, &set_l, 1, 16);
    VkShaderModule module = shader_create(c, CODE(fill_comp));
    uint32_t factors[N];
    const VkSpecializationMapEntry entry = {1, 0, 4};
    VkSpecializationInfo constants[N];
    VkComputePipelineCreateInfo infos[N];
    VkPipeline pipelines[N];
    for (uint32_t i = 0; i < N; i++) {
        factors[i] = i * i + 1;
        constants[i] = (VkSpecializationInfo){1, &entry, 4, &factors[i]};
        infos[i] = (VkComputePipelineCreateInfo){
            .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
            .flags = i == 0 ? VK_PIPELINE_CREATE_ALLOW_DERIVATIVES_BIT
                            : VK_PIPELINE_CREATE_DERIVATIVE_BIT,
            .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                      .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                      .module = module,
                      .pName = "main",
                      .pSpecializationInfo = &constants[i]},
            .layout = layout,
            .basePipelineIndex = i == 0 ? -1 : 0};
    }
    VK(vkCreateComputePipelines(c->device, VK_NULL_HANDLE, N, infos, NULL, pipelines));
    struct buffer out = buffer_host(c, 400);
    VkDescriptorSet set = set_create(c, set_l);
    set_buffer(c, set, 0, type, &out);
    for (uint32_t i = 0; i < N; i++) {
        const struct {
            uint32_t first, count;
            float more[2];
        } push = {5, 100, {0, 0}};
        KEEP(c, PIPELINE, pipelines[i]);
        VkCommandBuffer commands = commands_begin(c);
        vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipelines[i]);
        vkCmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE, layout, 0, 1, &set, 0,
                                NULL);
        vkCmdPushConstants(commands, layout, VK_SHADER_STAGE_ALL, 0, sizeof push, &push);
        vkCmdDispatch(commands, 100, 1, 1);
        memory_barrier(commands);
        commands_run(c, commands);
        EXPECT(((uint32_t *)out.at)[9] == 14 * factors[i]);
        print_checksum("words", out.at, 400);
    }
}

static void feedback(struct client *c)
{
    NEED_API_1_3(c);
    struct target t = target_create(c, SIDE, SIDE);
    VkPipelineLayout layout = rect_layout(c, NULL);
    struct graphics g = rect_graphics(&t, layout);
    VkPipelineCreationFeedback whole = {0}, stages[2] = {{0}};
    const VkPipelineCreationFeedbackCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_CREATION_FEEDBACK_CREATE_INFO,
        .pPipelineCreationFeedback = &whole,
        .pipelineStageCreationFeedbackCount = 2,
        .pPipelineStageCreationFeedbacks = stages};
    g.next = &info;
    draw_with(c, &t, graphics_pipeline(c, &g), layout, "drawn");
}

static void libraries(struct client *c)
{
    NEED_API_1_3(c);
    NEED_EXTENSION(c, VK_EXT_GRAPHICS_PIPELINE_LIBRARY_EXTENSION_NAME);
    /* Layers up to 1.3.239 ask a library for the colour blending that another library has. */
    NEED(c->messenger == VK_NULL_HANDLE, "libraries-with-validation");
    const VkGraphicsPipelineLibraryFlagsEXT parts[] = {
        VK_GRAPHICS_PIPELINE_LIBRARY_VERTEX_INPUT_INTERFACE_BIT_EXT |
            VK_GRAPHICS_PIPELINE_LIBRARY_PRE_RASTERIZATION_SHADERS_BIT_EXT,
        VK_GRAPHICS_PIPELINE_LIBRARY_FRAGMENT_SHADER_BIT_EXT,
        VK_GRAPHICS_PIPELINE_LIBRARY_FRAGMENT_OUTPUT_INTERFACE_BIT_EXT};
    struct target t = target_create(c, SIDE, SIDE);
    VkPipelineLayout layout = rect_layout(c, NULL);
    VkPipeline libraries[3], linked;
    for (uint32_t i = 0; i < 3; i++) {
        const VkGraphicsPipelineLibraryCreateInfoEXT which = {
            .sType = VK_STRUCTURE_TYPE_GRAPHICS_PIPELINE_LIBRARY_CREATE_INFO_EXT,
            .flags = parts[i]};
        struct graphics g = rect_graphics(&t, layout);
        g.pass = VK_NULL_HANDLE;
        g.colors[0] = t.color.format;
        g.flags = VK_PIPELINE_CREATE_LIBRARY_BIT_KHR;
        g.next = &which;
        if (i != 0) {
            g.vert = (struct code){NULL, 0};
        }
        if (i != 1) {
            g.frag = (struct code){NULL, 0};
        }
        libraries[i] = graphics_pipeline(c, &g);
    }
    const VkPipelineLibraryCreateInfoKHR link = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_LIBRARY_CREATE_INFO_KHR,
        .libraryCount = 3,
        .pLibraries = libraries};
    const VkGraphicsPipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_GRAPHICS_PIPELINE_CREATE_INFO, .pNext = &link, .layout = layout};
    VK(vkCreateGraphicsPipelines(c->device, VK_NULL_HANDLE, 1, &info, NULL, &linked));
    KEEP(c, PIPELINE, linked);
    const VkRenderingAttachmentInfo color = {.sType = VK_STRUCTURE_TYPE_RENDERING_ATTACHMENT_INFO,
                                             .imageView = t.color.view,
                                             .imageLayout =
                                                 VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
                                             .loadOp = VK_ATTACHMENT_LOAD_OP_CLEAR,
                                             .storeOp = VK_ATTACHMENT_STORE_OP_STORE};
    const VkRenderingInfo rendering = {.sType = VK_STRUCTURE_TYPE_RENDERING_INFO,
                                       .renderArea = {.extent = {SIDE, SIDE}},
                                       .layerCount = 1,
                                       .colorAttachmentCount = 1,
                                       .pColorAttachments = &color};
    VkCommandBuffer commands = commands_begin(c);
    image_barrier(commands, &t.color, VK_IMAGE_LAYOUT_UNDEFINED,
                  VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL);
    vkCmdBeginRendering(commands, &rendering);
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, linked);
    draw_rect(commands, layout, place, tint, 0);
    vkCmdEndRendering(commands);
    image_barrier(commands, &t.color, VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
                  VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL);
    image_to_buffer(commands, &t.color, &t.pixels);
    commands_run(c, commands);
    EXPECT(target_pixel(&t, SIDE / 2, SIDE / 4) == 0xffffbf40);
    print_checksum("linked", t.pixels.at, (size_t)t.pixels.size);
}

static void compile_required(struct client *c)
{
    NEED_API_1_3(c);
    NEED(c->f13.pipelineCreationCacheControl, "pipelineCreationCacheControl");
    const VkDescriptorType type = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
    VkDescriptorSetLayout set_l = set_layout(c, &type, 1);
    const VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .flags = VK_PIPELINE_CREATE_FAIL_ON_PIPELINE_COMPILE_REQUIRED_BIT,
        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                  .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                  .module = shader_create(c, CODE(fill_comp)),
                  .pName = "main"},
        .layout = pipeline_layout(c, &set_l, 1, 16)};
    VkPipeline pipeline = VK_NULL_HANDLE;
    VkResult result =
        vkCreateComputePipelines(c->device, VK_NULL_HANDLE, 1, &info, NULL, &pipeline);
    printf("without compiling: %s, pipeline %s\n", result_name(result),
           pipeline != VK_NULL_HANDLE ? "made" : "none");
    if (pipeline != VK_NULL_HANDLE) {
        KEEP(c, PIPELINE, pipeline);
    }
}

static void private_data(struct client *c)
{
    NEED_API_1_3(c);
    NEED(c->f13.privateData, "privateData");
    const VkPrivateDataSlotCreateInfo info = {.sType =
                                                  VK_STRUCTURE_TYPE_PRIVATE_DATA_SLOT_CREATE_INFO};
    VkPrivateDataSlot slots[2];
    struct buffer buffer = buffer_host(c, 64);
    for (uint32_t i = 0; i < 2; i++) {
        VK(vkCreatePrivateDataSlot(c->device, &info, NULL, &slots[i]));
        VK(vkSetPrivateData(c->device, VK_OBJECT_TYPE_BUFFER, (uint64_t)buffer.buffer, slots[i],
                            UINT64_C(0x123456789abcdef0) + i));
    }
    uint64_t data[3] = {0};
    vkGetPrivateData(c->device, VK_OBJECT_TYPE_BUFFER, (uint64_t)buffer.buffer, slots[0], &data[0]);
    vkGetPrivateData(c->device, VK_OBJECT_TYPE_BUFFER, (uint64_t)buffer.buffer, slots[1], &data[1]);
    vkGetPrivateData(c->device, VK_OBJECT_TYPE_DEVICE_MEMORY, (uint64_t)buffer.memory, slots[1],
                     &data[2]);
    printf("%llx %llx %llx\n", (unsigned long long)data[0], (unsigned long long)data[1],
           (unsigned long long)data[2]);
    vkDestroyPrivateDataSlot(c->device, slots[0], NULL);
    vkDestroyPrivateDataSlot(c->device, slots[1], NULL);
}

static void names(struct client *c)
{
    LOAD(c, vkSetDebugUtilsObjectNameEXT);
    LOAD(c, vkCmdBeginDebugUtilsLabelEXT);
    LOAD(c, vkCmdEndDebugUtilsLabelEXT);
    NEED(vkSetDebugUtilsObjectNameEXT_ != NULL && vkCmdBeginDebugUtilsLabelEXT_ != NULL &&
             vkCmdEndDebugUtilsLabelEXT_ != NULL,
         VK_EXT_DEBUG_UTILS_EXTENSION_NAME);
    struct buffer buffer = buffer_host(c, 64);
    const VkDebugUtilsObjectNameInfoEXT name = {
        .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_OBJECT_NAME_INFO_EXT,
        .objectType = VK_OBJECT_TYPE_BUFFER,
        .objectHandle = (uint64_t)buffer.buffer,
        .pObjectName = "a buffer with a name"};
    const VkDebugUtilsLabelEXT label = {.sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_LABEL_EXT,
                                        .pLabelName = "filling",
                                        .color = {1, 0.5F, 0, 1}};
    VK(vkSetDebugUtilsObjectNameEXT_(c->device, &name));
    VkCommandBuffer commands = commands_begin(c);
    vkCmdBeginDebugUtilsLabelEXT_(commands, &label);
    vkCmdFillBuffer(commands, buffer.buffer, 0, VK_WHOLE_SIZE, 3);
    vkCmdEndDebugUtilsLabelEXT_(commands);
    memory_barrier(commands);
    commands_run(c, commands);
    printf("word %u\n", *(uint32_t *)buffer.at);
}

int main(void)
{
    static const char *const extensions[] = {VK_KHR_PIPELINE_LIBRARY_EXTENSION_NAME,
                                             VK_EXT_GRAPHICS_PIPELINE_LIBRARY_EXTENSION_NAME, NULL};
    static const struct client_case cases[] = {
        {"caches", caches},
        {"several", several},
        {"feedback", feedback},
        {"libraries", libraries},
        {"compile-required", compile_required},
        {"private-data", private_data},
        {"names", names},
    };
    return client_main(extensions, cases, COUNT(cases));
}
