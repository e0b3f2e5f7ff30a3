/* tests/system/vulkan/client_pipelines.c - descriptors, pipelines, offscreen pictures. */
#include "client.h"

VkShaderModule shader_create(struct client *c, struct code code)
{
    const VkShaderModuleCreateInfo info = {.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
                                           .codeSize = code.bytes,
                                           .pCode = code.words};
    VkShaderModule shader;
    VK(vkCreateShaderModule(c->device, &info, NULL, &shader));
    KEEP(c, SHADER_MODULE, shader);
    return shader;
}

/* ---------------------------------------------------------------- descriptors */

VkDescriptorSetLayout set_layout(struct client *c, const VkDescriptorType *types, uint32_t n)
{
    VkDescriptorSetLayoutBinding bindings[16];
    EXPECT(n <= COUNT(bindings));
    for (uint32_t i = 0; i < n; i++) {
        bindings[i] = (VkDescriptorSetLayoutBinding){.binding = i,
                                                     .descriptorType = types[i],
                                                     .descriptorCount = 1,
                                                     .stageFlags = VK_SHADER_STAGE_ALL};
    }
    const VkDescriptorSetLayoutCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
        .bindingCount = n,
        .pBindings = bindings};
    VkDescriptorSetLayout layout;
    VK(vkCreateDescriptorSetLayout(c->device, &info, NULL, &layout));
    KEEP(c, DESCRIPTOR_SET_LAYOUT, layout);
    return layout;
}

VkDescriptorSet set_create(struct client *c, VkDescriptorSetLayout layout)
{
    static const VkDescriptorPoolSize sizes[] = {
        {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 8},
        {VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER, 8},
        {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER_DYNAMIC, 8},
        {VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER_DYNAMIC, 8},
        {VK_DESCRIPTOR_TYPE_STORAGE_IMAGE, 8},
        {VK_DESCRIPTOR_TYPE_SAMPLED_IMAGE, 8},
        {VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER, 8},
        {VK_DESCRIPTOR_TYPE_SAMPLER, 8},
        {VK_DESCRIPTOR_TYPE_INPUT_ATTACHMENT, 8},
        {VK_DESCRIPTOR_TYPE_STORAGE_TEXEL_BUFFER, 8},
        {VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER, 8},
    };
    const VkDescriptorPoolCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
                                             .maxSets = 1,
                                             .poolSizeCount = COUNT(sizes),
                                             .pPoolSizes = sizes};
    VkDescriptorPool pool;
    VkDescriptorSet set;
    VK(vkCreateDescriptorPool(c->device, &info, NULL, &pool));
    KEEP(c, DESCRIPTOR_POOL, pool);
    const VkDescriptorSetAllocateInfo allocate = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
        .descriptorPool = pool,
        .descriptorSetCount = 1,
        .pSetLayouts = &layout};
    VK(vkAllocateDescriptorSets(c->device, &allocate, &set));
    return set;
}

void set_buffer(struct client *c, VkDescriptorSet set, uint32_t binding, VkDescriptorType type,
                const struct buffer *buffer)
{
    const VkDescriptorBufferInfo what = {.buffer = buffer->buffer, .range = VK_WHOLE_SIZE};
    const VkWriteDescriptorSet write = {.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                        .dstSet = set,
                                        .dstBinding = binding,
                                        .descriptorCount = 1,
                                        .descriptorType = type,
                                        .pBufferInfo = &what};
    vkUpdateDescriptorSets(c->device, 1, &write, 0, NULL);
}

void set_image(struct client *c, VkDescriptorSet set, uint32_t binding, VkDescriptorType type,
               VkImageView view, VkSampler sampler, VkImageLayout layout)
{
    const VkDescriptorImageInfo what = {
        .sampler = sampler, .imageView = view, .imageLayout = layout};
    const VkWriteDescriptorSet write = {.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                        .dstSet = set,
                                        .dstBinding = binding,
                                        .descriptorCount = 1,
                                        .descriptorType = type,
                                        .pImageInfo = &what};
    vkUpdateDescriptorSets(c->device, 1, &write, 0, NULL);
}

/* ---------------------------------------------------------------- pipelines */

VkPipelineLayout pipeline_layout(struct client *c, const VkDescriptorSetLayout *sets, uint32_t n,
                                 uint32_t push_bytes)
{
    const VkPushConstantRange range = {.stageFlags = VK_SHADER_STAGE_ALL, .size = push_bytes};
    const VkPipelineLayoutCreateInfo info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                             .setLayoutCount = n,
                                             .pSetLayouts = sets,
                                             .pushConstantRangeCount = push_bytes > 0 ? 1 : 0,
                                             .pPushConstantRanges = &range};
    VkPipelineLayout layout;
    VK(vkCreatePipelineLayout(c->device, &info, NULL, &layout));
    KEEP(c, PIPELINE_LAYOUT, layout);
    return layout;
}

VkPipeline compute_pipeline(struct client *c, VkPipelineLayout layout, struct code code,
                            const VkSpecializationInfo *constants)
{
    const VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                  .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                  .module = shader_create(c, code),
                  .pName = "main",
                  .pSpecializationInfo = constants},
        .layout = layout,
    };
    VkPipeline pipeline;
    VK(vkCreateComputePipelines(c->device, VK_NULL_HANDLE, 1, &info, NULL, &pipeline));
    KEEP(c, PIPELINE, pipeline);
    return pipeline;
}

static uint32_t add_stages(struct client *c, const struct graphics *g,
                           VkPipelineShaderStageCreateInfo *stages)
{
    const struct {
        const struct code *code;
        VkShaderStageFlagBits stage;
    } all[] = {
        {&g->vert, VK_SHADER_STAGE_VERTEX_BIT},
        {&g->tesc, VK_SHADER_STAGE_TESSELLATION_CONTROL_BIT},
        {&g->tese, VK_SHADER_STAGE_TESSELLATION_EVALUATION_BIT},
        {&g->geom, VK_SHADER_STAGE_GEOMETRY_BIT},
        {&g->frag, VK_SHADER_STAGE_FRAGMENT_BIT},
        {&g->task, VK_SHADER_STAGE_TASK_BIT_EXT},
        {&g->mesh, VK_SHADER_STAGE_MESH_BIT_EXT},
    };
    uint32_t n = 0;
    for (size_t i = 0; i < COUNT(all); i++) {
        if (all[i].code->words != NULL) {
            stages[n++] = (VkPipelineShaderStageCreateInfo){
                .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                .stage = all[i].stage,
                .module = shader_create(c, *all[i].code),
                .pName = "main",
                .pSpecializationInfo = g->constants};
        }
    }
    return n;
}

VkPipeline graphics_pipeline(struct client *c, const struct graphics *g)
{
    VkPipelineShaderStageCreateInfo stages[8];
    VkPipelineColorBlendAttachmentState blend[4];
    uint32_t n_stages = add_stages(c, g, stages);
    for (uint32_t i = 0; i < g->n_colors; i++) {
        blend[i] = g->blend[i];
        if (blend[i].colorWriteMask == 0) {
            blend[i].colorWriteMask = VK_COLOR_COMPONENT_R_BIT | VK_COLOR_COMPONENT_G_BIT |
                                      VK_COLOR_COMPONENT_B_BIT | VK_COLOR_COMPONENT_A_BIT;
        }
    }
    const VkViewport viewport = {
        .width = (float)g->width, .height = (float)g->height, .maxDepth = 1};
    const VkRect2D scissor = {.extent = {g->width, g->height}};
    const VkPipelineVertexInputStateCreateInfo no_input = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_VERTEX_INPUT_STATE_CREATE_INFO};
    const VkPipelineInputAssemblyStateCreateInfo assembly = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_INPUT_ASSEMBLY_STATE_CREATE_INFO,
        .topology = g->points          ? VK_PRIMITIVE_TOPOLOGY_POINT_LIST
                    : g->patch != 0    ? VK_PRIMITIVE_TOPOLOGY_PATCH_LIST
                    : g->topology != 0 ? g->topology
                                       : VK_PRIMITIVE_TOPOLOGY_TRIANGLE_LIST,
        .primitiveRestartEnable = g->restart};
    const VkPipelineTessellationStateCreateInfo tessellation = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_TESSELLATION_STATE_CREATE_INFO,
        .patchControlPoints = g->patch};
    const VkPipelineViewportStateCreateInfo view = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_VIEWPORT_STATE_CREATE_INFO,
        .viewportCount = g->counted ? 0 : 1,
        .pViewports = g->counted ? NULL : &viewport,
        .scissorCount = g->counted ? 0 : 1,
        .pScissors = g->counted ? NULL : &scissor};
    const VkPipelineRasterizationStateCreateInfo raster = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_RASTERIZATION_STATE_CREATE_INFO,
        .rasterizerDiscardEnable = g->discard,
        .polygonMode = g->wireframe ? VK_POLYGON_MODE_LINE : VK_POLYGON_MODE_FILL,
        .lineWidth = 1};
    const VkPipelineMultisampleStateCreateInfo multisample = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_MULTISAMPLE_STATE_CREATE_INFO,
        .rasterizationSamples = g->samples != 0 ? g->samples : VK_SAMPLE_COUNT_1_BIT};
    const VkPipelineDepthStencilStateCreateInfo depth = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_DEPTH_STENCIL_STATE_CREATE_INFO,
        .depthTestEnable = g->depth_test,
        .depthWriteEnable = g->depth_write,
        .depthCompareOp = g->depth_op,
        .stencilTestEnable = g->stencil_test,
        .front = g->front,
        .back = g->back,
        .maxDepthBounds = 1};
    const VkPipelineColorBlendStateCreateInfo colors = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_COLOR_BLEND_STATE_CREATE_INFO,
        .attachmentCount = g->n_colors,
        .pAttachments = blend,
        .blendConstants = {0.25F, 0.5F, 0.75F, 1}};
    const VkPipelineDynamicStateCreateInfo dynamic = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_DYNAMIC_STATE_CREATE_INFO,
        .dynamicStateCount = g->n_dynamic,
        .pDynamicStates = g->dynamic};
    const VkPipelineRenderingCreateInfo rendering = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_RENDERING_CREATE_INFO,
        .pNext = g->next,
        .viewMask = g->view_mask,
        .colorAttachmentCount = g->n_colors,
        .pColorAttachmentFormats = g->colors,
        .depthAttachmentFormat = g->depth,
        .stencilAttachmentFormat = g->stencil};
    const VkGraphicsPipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_GRAPHICS_PIPELINE_CREATE_INFO,
        .pNext = g->pass == VK_NULL_HANDLE ? &rendering : g->next,
        .flags = g->flags,
        .stageCount = n_stages,
        .pStages = stages,
        .pVertexInputState = g->input != NULL ? g->input : &no_input,
        .pInputAssemblyState = &assembly,
        .pTessellationState = g->patch != 0 ? &tessellation : NULL,
        .pViewportState = &view,
        .pRasterizationState = g->raster != NULL ? g->raster : &raster,
        .pMultisampleState = &multisample,
        .pDepthStencilState = &depth,
        .pColorBlendState = &colors,
        .pDynamicState = g->n_dynamic > 0 ? &dynamic : NULL,
        .layout = g->layout != VK_NULL_HANDLE ? g->layout : pipeline_layout(c, NULL, 0, 0),
        .renderPass = g->pass,
        .subpass = g->subpass,
        .basePipelineHandle = g->base,
        .basePipelineIndex = -1};
    VkPipeline pipeline;
    VK(vkCreateGraphicsPipelines(c->device, g->cache, 1, &info, NULL, &pipeline));
    KEEP(c, PIPELINE, pipeline);
    return pipeline;
}

/* ---------------------------------------------------------------- render passes and pictures */

VkRenderPass render_pass(struct client *c, const VkFormat *colors, uint32_t n, VkFormat depth,
                         VkSampleCountFlagBits samples)
{
    VkAttachmentDescription attachments[9];
    VkAttachmentReference references[4], resolves[4], depth_reference;
    bool resolve = samples != VK_SAMPLE_COUNT_1_BIT;
    uint32_t at = n;
    for (uint32_t i = 0; i < n; i++) {
        attachments[i] = (VkAttachmentDescription){
            .format = colors[i],
            .samples = samples,
            .loadOp = VK_ATTACHMENT_LOAD_OP_CLEAR,
            .storeOp = resolve ? VK_ATTACHMENT_STORE_OP_DONT_CARE : VK_ATTACHMENT_STORE_OP_STORE,
            .stencilLoadOp = VK_ATTACHMENT_LOAD_OP_DONT_CARE,
            .stencilStoreOp = VK_ATTACHMENT_STORE_OP_DONT_CARE,
            .finalLayout = resolve ? VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL
                                   : VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL};
        references[i] = (VkAttachmentReference){i, VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL};
    }
    if (depth != VK_FORMAT_UNDEFINED) {
        attachments[at] =
            (VkAttachmentDescription){.format = depth,
                                      .samples = samples,
                                      .loadOp = VK_ATTACHMENT_LOAD_OP_CLEAR,
                                      .storeOp = VK_ATTACHMENT_STORE_OP_STORE,
                                      .stencilLoadOp = VK_ATTACHMENT_LOAD_OP_CLEAR,
                                      .stencilStoreOp = VK_ATTACHMENT_STORE_OP_STORE,
                                      .finalLayout = VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL};
        depth_reference =
            (VkAttachmentReference){at++, VK_IMAGE_LAYOUT_DEPTH_STENCIL_ATTACHMENT_OPTIMAL};
    }
    for (uint32_t i = 0; resolve && i < n; i++) {
        attachments[at] =
            (VkAttachmentDescription){.format = colors[i],
                                      .samples = VK_SAMPLE_COUNT_1_BIT,
                                      .loadOp = VK_ATTACHMENT_LOAD_OP_DONT_CARE,
                                      .storeOp = VK_ATTACHMENT_STORE_OP_STORE,
                                      .stencilLoadOp = VK_ATTACHMENT_LOAD_OP_DONT_CARE,
                                      .stencilStoreOp = VK_ATTACHMENT_STORE_OP_DONT_CARE,
                                      .finalLayout = VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL};
        resolves[i] = (VkAttachmentReference){at++, VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL};
    }
    const VkSubpassDescription subpass = {
        .pipelineBindPoint = VK_PIPELINE_BIND_POINT_GRAPHICS,
        .colorAttachmentCount = n,
        .pColorAttachments = references,
        .pResolveAttachments = resolve ? resolves : NULL,
        .pDepthStencilAttachment = depth != VK_FORMAT_UNDEFINED ? &depth_reference : NULL};
    const VkSubpassDependency dependencies[] = {
        {.srcSubpass = VK_SUBPASS_EXTERNAL,
         .srcStageMask = VK_PIPELINE_STAGE_ALL_COMMANDS_BIT,
         .dstStageMask = VK_PIPELINE_STAGE_ALL_GRAPHICS_BIT,
         .srcAccessMask = VK_ACCESS_MEMORY_WRITE_BIT,
         .dstAccessMask = VK_ACCESS_MEMORY_READ_BIT | VK_ACCESS_MEMORY_WRITE_BIT},
        {.dstSubpass = VK_SUBPASS_EXTERNAL,
         .srcStageMask = VK_PIPELINE_STAGE_ALL_GRAPHICS_BIT,
         .dstStageMask = VK_PIPELINE_STAGE_ALL_COMMANDS_BIT,
         .srcAccessMask = VK_ACCESS_MEMORY_WRITE_BIT,
         .dstAccessMask = VK_ACCESS_MEMORY_READ_BIT},
    };
    const VkRenderPassCreateInfo info = {.sType = VK_STRUCTURE_TYPE_RENDER_PASS_CREATE_INFO,
                                         .attachmentCount = at,
                                         .pAttachments = attachments,
                                         .subpassCount = 1,
                                         .pSubpasses = &subpass,
                                         .dependencyCount = COUNT(dependencies),
                                         .pDependencies = dependencies};
    VkRenderPass pass;
    VK(vkCreateRenderPass(c->device, &info, NULL, &pass));
    KEEP(c, RENDER_PASS, pass);
    return pass;
}

VkFramebuffer framebuffer(struct client *c, VkRenderPass pass, const VkImageView *views, uint32_t n,
                          uint32_t width, uint32_t height)
{
    const VkFramebufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_FRAMEBUFFER_CREATE_INFO,
                                          .renderPass = pass,
                                          .attachmentCount = n,
                                          .pAttachments = views,
                                          .width = width,
                                          .height = height,
                                          .layers = 1};
    VkFramebuffer frame;
    VK(vkCreateFramebuffer(c->device, &info, NULL, &frame));
    KEEP(c, FRAMEBUFFER, frame);
    return frame;
}

struct target target_create(struct client *c, uint32_t width, uint32_t height)
{
    const VkFormat format = VK_FORMAT_R8G8B8A8_UNORM;
    struct target t = {.width = width, .height = height};
    t.color = image_2d(c, format, width, height,
                       VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT | VK_IMAGE_USAGE_TRANSFER_SRC_BIT,
                       VK_SAMPLE_COUNT_1_BIT);
    t.pass = render_pass(c, &format, 1, VK_FORMAT_UNDEFINED, VK_SAMPLE_COUNT_1_BIT);
    t.frame = framebuffer(c, t.pass, &t.color.view, 1, width, height);
    t.pixels = buffer_host(c, (VkDeviceSize)width * height * 4);
    return t;
}

void target_begin(const struct target *t, VkCommandBuffer commands, VkSubpassContents contents)
{
    const VkClearValue clear = {.color = {.float32 = {0.125F, 0.25F, 0.375F, 1}}};
    const VkRenderPassBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_RENDER_PASS_BEGIN_INFO,
                                         .renderPass = t->pass,
                                         .framebuffer = t->frame,
                                         .renderArea = {.extent = {t->width, t->height}},
                                         .clearValueCount = 1,
                                         .pClearValues = &clear};
    vkCmdBeginRenderPass(commands, &begin, contents);
}

void target_finish(struct client *c, const struct target *t, VkCommandBuffer commands,
                   const char *what)
{
    vkCmdEndRenderPass(commands);
    image_to_buffer(commands, &t->color, &t->pixels);
    commands_run(c, commands);
    print_checksum(what, t->pixels.at, (size_t)t->width * t->height * 4);
}

uint32_t target_pixel(const struct target *t, uint32_t x, uint32_t y)
{
    return ((const uint32_t *)t->pixels.at)[y * t->width + x];
}

VkPipelineLayout rect_layout(struct client *c, const VkDescriptorSetLayout *set)
{
    return pipeline_layout(c, set, set != NULL ? 1 : 0, 36);
}

void draw_rect(VkCommandBuffer commands, VkPipelineLayout layout, const float rect[4],
               const float color[4], float depth)
{
    float push[9];
    memcpy(push, rect, 16);
    memcpy(push + 4, color, 16);
    push[8] = depth;
    vkCmdPushConstants(commands, layout, VK_SHADER_STAGE_ALL, 0, sizeof push, push);
    vkCmdDraw(commands, 4, 1, 0, 0);
}
