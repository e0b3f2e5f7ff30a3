/* tests/system/vulkan/queries.c - queries, indirect draws, conditional rendering, dynamic state. */
#include "client.h"

#include "flat.frag.h"
#include "instances.vert.h"
#include "rect.vert.h"

#define SIDE 64u

static const float red[4] = {1, 0, 0, 1}, green[4] = {0, 1, 0, 1}, blue[4] = {0, 0, 1, 1};
static const float left[4] = {-0.8F, -0.8F, 0.2F, 0.6F}, right[4] = {-0.3F, -0.5F, 0.9F, 0.9F};

static void bind(VkCommandBuffer commands, VkPipeline pipeline)
{
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, pipeline);
}

static VkPipeline rect_pipeline(struct client *c, VkPipelineLayout layout, VkRenderPass pass,
                                const VkDynamicState *dynamic, uint32_t n_dynamic)
{
    return graphics_pipeline(c, &(struct graphics){.vert = CODE(rect_vert),
                                                   .frag = CODE(flat_frag),
                                                   .layout = layout,
                                                   .pass = pass,
                                                   .n_colors = 1,
                                                   .topology = VK_PRIMITIVE_TOPOLOGY_TRIANGLE_STRIP,
                                                   .dynamic = dynamic,
                                                   .n_dynamic = n_dynamic,
                                                   .width = SIDE,
                                                   .height = SIDE});
}

static VkQueryPool query_pool(struct client *c, VkQueryType type, uint32_t count,
                              VkQueryPipelineStatisticFlags statistics)
{
    const VkQueryPoolCreateInfo info = {.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
                                        .queryType = type,
                                        .queryCount = count,
                                        .pipelineStatistics = statistics};
    VkQueryPool pool;
    VK(vkCreateQueryPool(c->device, &info, NULL, &pool));
    KEEP(c, QUERY_POOL, pool);
    return pool;
}

/* ---------------------------------------------------------------- queries */

static void occlusion(struct client *c)
{
    struct target t = target_create(c, SIDE, SIDE);
    VkPipelineLayout layout = rect_layout(c, NULL);
    VkPipeline pipeline = rect_pipeline(c, layout, t.pass, NULL, 0);
    VkQueryPool pool = query_pool(c, VK_QUERY_TYPE_OCCLUSION, 4, 0);
    struct buffer copied = buffer_host(c, 64);
    bool precise = c->features.features.occlusionQueryPrecise;
    uint64_t results[3][2] = {{0}};
    VkCommandBuffer commands = commands_begin(c);
    vkCmdResetQueryPool(commands, pool, 0, 4);
    target_begin(&t, commands, VK_SUBPASS_CONTENTS_INLINE);
    bind(commands, pipeline);
    for (uint32_t i = 0; i < 3; i++) {
        vkCmdBeginQuery(commands, pool, i, precise ? VK_QUERY_CONTROL_PRECISE_BIT : 0);
        if (i != 1) {
            draw_rect(commands, layout, left, red, 0);
        }
        vkCmdEndQuery(commands, pool, i);
    }
    vkCmdEndRenderPass(commands);
    vkCmdCopyQueryPoolResults(commands, pool, 0, 3, copied.buffer, 16, 16,
                              VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT |
                                  VK_QUERY_RESULT_WITH_AVAILABILITY_BIT);
    memory_barrier(commands);
    commands_run(c, commands);
    VK(vkGetQueryPoolResults(c->device, pool, 0, 3, sizeof results, results, 16,
                             VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WITH_AVAILABILITY_BIT |
                                 VK_QUERY_RESULT_WAIT_BIT));
    EXPECT(memcmp(results, (uint8_t *)copied.at + 16, sizeof results) == 0);
    for (uint32_t i = 0; i < 3; i++) {
        printf("samples %llu, there %llu\n", (unsigned long long)results[i][0],
               (unsigned long long)results[i][1]);
    }
    EXPECT(results[0][0] != 0 && results[1][0] == 0);
    uint32_t none[2] = {7, 7};
    NEED(c->f12.hostQueryReset, "hostQueryReset");
    vkResetQueryPool(c->device, pool, 0, 4);
    VkResult result = vkGetQueryPoolResults(c->device, pool, 0, 1, sizeof none, none, 8,
                                            VK_QUERY_RESULT_WITH_AVAILABILITY_BIT);
    printf("after a reset by the host %s, there %u\n", result_name(result), none[1]);
    EXPECT(vkGetQueryPoolResults(c->device, pool, 3, 1, 4, none, 4, 0) == VK_NOT_READY);
}

static void statistics(struct client *c)
{
    NEED(c->features.features.pipelineStatisticsQuery, "pipelineStatisticsQuery");
    struct target t = target_create(c, SIDE, SIDE);
    VkPipelineLayout layout = rect_layout(c, NULL);
    VkPipeline pipeline = rect_pipeline(c, layout, t.pass, NULL, 0);
    VkQueryPool pool = query_pool(c, VK_QUERY_TYPE_PIPELINE_STATISTICS, 1,
                                  VK_QUERY_PIPELINE_STATISTIC_INPUT_ASSEMBLY_VERTICES_BIT |
                                      VK_QUERY_PIPELINE_STATISTIC_INPUT_ASSEMBLY_PRIMITIVES_BIT |
                                      VK_QUERY_PIPELINE_STATISTIC_VERTEX_SHADER_INVOCATIONS_BIT |
                                      VK_QUERY_PIPELINE_STATISTIC_CLIPPING_PRIMITIVES_BIT);
    uint64_t results[4] = {0};
    VkCommandBuffer commands = commands_begin(c);
    vkCmdResetQueryPool(commands, pool, 0, 1);
    vkCmdBeginQuery(commands, pool, 0, 0);
    target_begin(&t, commands, VK_SUBPASS_CONTENTS_INLINE);
    bind(commands, pipeline);
    draw_rect(commands, layout, left, red, 0);
    draw_rect(commands, layout, right, green, 0);
    vkCmdEndRenderPass(commands);
    vkCmdEndQuery(commands, pool, 0);
    commands_run(c, commands);
    VK(vkGetQueryPoolResults(c->device, pool, 0, 1, sizeof results, results, sizeof results,
                             VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT));
    printf("vertices %llu, primitives %llu, shaded %llu, clipped %llu\n",
           (unsigned long long)results[0], (unsigned long long)results[1],
           (unsigned long long)results[2], (unsigned long long)results[3]);
    EXPECT(results[0] == 8 && results[1] == 4);
}

static void timestamps(struct client *c)
{
    NEED(c->timestamp_bits != 0, "timestamps");
    VkQueryPool pool = query_pool(c, VK_QUERY_TYPE_TIMESTAMP, 3, 0);
    struct buffer buffer = buffer_host(c, 1 << 20);
    uint64_t times[3] = {0};
    VkCommandBuffer commands = commands_begin(c);
    vkCmdResetQueryPool(commands, pool, 0, 3);
    vkCmdWriteTimestamp(commands, VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT, pool, 0);
    for (uint32_t i = 0; i < 20; i++) {
        vkCmdFillBuffer(commands, buffer.buffer, 0, VK_WHOLE_SIZE, i);
        memory_barrier(commands);
    }
    vkCmdWriteTimestamp(commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, pool, 1);
    if (c->api >= VK_API_VERSION_1_3) {
        vkCmdWriteTimestamp2(commands, VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT, pool, 2);
    } else {
        vkCmdWriteTimestamp(commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, pool, 2);
    }
    commands_run(c, commands);
    VK(vkGetQueryPoolResults(c->device, pool, 0, 3, sizeof times, times, 8,
                             VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT));
    printf("bits %u, period %g, in order %d\n", c->timestamp_bits,
           (double)c->properties.properties.limits.timestampPeriod,
           times[0] != 0 && times[0] <= times[1] && times[1] <= times[2]);
}

/* ---------------------------------------------------------------- indirect */

struct scene {
    struct target t;
    VkPipeline pipeline;
    struct buffer vertices, places, indices, commands;
};

static struct scene scene_create(struct client *c)
{
    const struct {
        float at[2];
        uint8_t tint[4];
    } vertices[] = {{{-1, -1}, {255, 0, 0, 255}},
                    {{1, -1}, {0, 255, 0, 255}},
                    {{0, 1}, {0, 0, 255, 255}},
                    {{1, 1}, {255, 255, 0, 255}}};
    const uint32_t indices[] = {0, 1, 2, 1, 3, 2};
    float places[32][4];
    for (uint32_t i = 0; i < 32; i++) {
        const float place[4] = {(float)(i % 8) * 0.24F - 0.85F,
                                (float)(i - i % 8) * 0.05625F - 0.7F, 0.5F, 0.1F};
        memcpy(places[i], place, sizeof place);
    }
    static const VkVertexInputBindingDescription bindings[] = {
        {0, 12, VK_VERTEX_INPUT_RATE_VERTEX}, {1, 16, VK_VERTEX_INPUT_RATE_INSTANCE}};
    static const VkVertexInputAttributeDescription attributes[] = {
        {0, 0, VK_FORMAT_R32G32_SFLOAT, 0},
        {1, 0, VK_FORMAT_R8G8B8A8_UNORM, 8},
        {2, 1, VK_FORMAT_R32G32B32_SFLOAT, 0},
        {3, 1, VK_FORMAT_R32_SFLOAT, 12}};
    const VkPipelineVertexInputStateCreateInfo input = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_VERTEX_INPUT_STATE_CREATE_INFO,
        .vertexBindingDescriptionCount = COUNT(bindings),
        .pVertexBindingDescriptions = bindings,
        .vertexAttributeDescriptionCount = COUNT(attributes),
        .pVertexAttributeDescriptions = attributes};
    struct scene s = {.t = target_create(c, SIDE * 2, SIDE * 2),
                      .vertices = buffer_host(c, sizeof vertices),
                      .places = buffer_host(c, sizeof places),
                      .indices = buffer_host(c, sizeof indices),
                      .commands = buffer_host(c, 4096)};
    memcpy(s.vertices.at, vertices, sizeof vertices);
    memcpy(s.places.at, places, sizeof places);
    memcpy(s.indices.at, indices, sizeof indices);
    s.pipeline = graphics_pipeline(c, &(struct graphics){.vert = CODE(instances_vert),
                                                         .frag = CODE(flat_frag),
                                                         .pass = s.t.pass,
                                                         .n_colors = 1,
                                                         .input = &input,
                                                         .width = SIDE * 2,
                                                         .height = SIDE * 2});
    return s;
}

static VkCommandBuffer scene_begin(struct client *c, const struct scene *s)
{
    VkCommandBuffer commands = commands_begin(c);
    const VkBuffer buffers[] = {s->vertices.buffer, s->places.buffer};
    const VkDeviceSize offsets[] = {0, 0};
    target_begin(&s->t, commands, VK_SUBPASS_CONTENTS_INLINE);
    bind(commands, s->pipeline);
    vkCmdBindVertexBuffers(commands, 0, 2, buffers, offsets);
    vkCmdBindIndexBuffer(commands, s->indices.buffer, 0, VK_INDEX_TYPE_UINT32);
    return commands;
}

static void indirect(struct client *c)
{
    NEED(c->features.features.multiDrawIndirect && c->features.features.drawIndirectFirstInstance,
         "multiDrawIndirect");
    struct scene s = scene_create(c);
    for (uint32_t i = 0; i < 8; i++) {
        const VkDrawIndirectCommand draw = {3, i % 3, 0, i * 3};
        const VkDrawIndexedIndirectCommand indexed = {6, 2, 0, 0, i * 4};
        memcpy((uint8_t *)s.commands.at + (size_t)i * 32, &draw, sizeof draw);
        memcpy((uint8_t *)s.commands.at + 1024 + (size_t)i * 20, &indexed, sizeof indexed);
    }
    VkCommandBuffer commands = scene_begin(c, &s);
    vkCmdDrawIndirect(commands, s.commands.buffer, 0, 8, 32);
    target_finish(c, &s.t, commands, "indirect");
    commands = scene_begin(c, &s);
    vkCmdDrawIndexedIndirect(commands, s.commands.buffer, 1024, 8, 20);
    target_finish(c, &s.t, commands, "indexed");
}

static void indirect_count(struct client *c)
{
    NEED(c->f12.drawIndirectCount, "drawIndirectCount");
    struct scene s = scene_create(c);
    for (uint32_t i = 0; i < 8; i++) {
        const VkDrawIndirectCommand draw = {3, 1, 0, i * 3};
        const VkDrawIndexedIndirectCommand indexed = {6, 1, 0, 0, i * 4};
        memcpy((uint8_t *)s.commands.at + (size_t)i * 16, &draw, sizeof draw);
        memcpy((uint8_t *)s.commands.at + 1024 + (size_t)i * 20, &indexed, sizeof indexed);
    }
    ((uint32_t *)s.commands.at)[500] = 5;
    ((uint32_t *)s.commands.at)[501] = 100;
    VkCommandBuffer commands = scene_begin(c, &s);
    vkCmdDrawIndirectCount(commands, s.commands.buffer, 0, s.commands.buffer, 2000, 8, 16);
    target_finish(c, &s.t, commands, "five");
    commands = scene_begin(c, &s);
    vkCmdDrawIndexedIndirectCount(commands, s.commands.buffer, 1024, s.commands.buffer, 2004, 7,
                                  20);
    target_finish(c, &s.t, commands, "at most seven");
}

static void conditional(struct client *c)
{
    NEED_EXTENSION(c, VK_EXT_CONDITIONAL_RENDERING_EXTENSION_NAME);
    LOAD(c, vkCmdBeginConditionalRenderingEXT);
    LOAD(c, vkCmdEndConditionalRenderingEXT);
    struct target t = target_create(c, SIDE, SIDE);
    VkPipelineLayout layout = rect_layout(c, NULL);
    VkPipeline pipeline = rect_pipeline(c, layout, t.pass, NULL, 0);
    struct buffer predicate =
        buffer_create(c, 64, VK_BUFFER_USAGE_CONDITIONAL_RENDERING_BIT_EXT, HOST_MEMORY);
    ((uint32_t *)predicate.at)[1] = 1;
    for (uint32_t i = 0; i < 4; i++) {
        const VkConditionalRenderingBeginInfoEXT begin = {
            .sType = VK_STRUCTURE_TYPE_CONDITIONAL_RENDERING_BEGIN_INFO_EXT,
            .buffer = predicate.buffer,
            .offset = (i & 1) != 0 ? 4 : 0,
            .flags = i >= 2 ? VK_CONDITIONAL_RENDERING_INVERTED_BIT_EXT : 0};
        VkCommandBuffer commands = commands_begin(c);
        target_begin(&t, commands, VK_SUBPASS_CONTENTS_INLINE);
        bind(commands, pipeline);
        vkCmdBeginConditionalRenderingEXT_(commands, &begin);
        draw_rect(commands, layout, left, blue, 0);
        vkCmdEndConditionalRenderingEXT_(commands);
        target_finish(c, &t, commands, i == 1 || i == 2 ? "drawn" : "not drawn");
        EXPECT((target_pixel(&t, 20, 20) == 0xffff0000) == (i == 1 || i == 2));
    }
}

/* ---------------------------------------------------------------- dynamic state */

static void dynamic_1_0(struct client *c)
{
    static const VkDynamicState states[] = {
        VK_DYNAMIC_STATE_VIEWPORT, VK_DYNAMIC_STATE_SCISSOR, VK_DYNAMIC_STATE_LINE_WIDTH,
        VK_DYNAMIC_STATE_DEPTH_BIAS, VK_DYNAMIC_STATE_BLEND_CONSTANTS};
    struct target t = target_create(c, SIDE, SIDE);
    VkPipelineLayout layout = rect_layout(c, NULL);
    VkPipeline pipeline = graphics_pipeline(
        c, &(struct graphics){.vert = CODE(rect_vert),
                              .frag = CODE(flat_frag),
                              .layout = layout,
                              .pass = t.pass,
                              .n_colors = 1,
                              .topology = VK_PRIMITIVE_TOPOLOGY_TRIANGLE_STRIP,
                              .blend = {{.blendEnable = VK_TRUE,
                                         .srcColorBlendFactor = VK_BLEND_FACTOR_CONSTANT_COLOR,
                                         .dstColorBlendFactor = VK_BLEND_FACTOR_ONE,
                                         .srcAlphaBlendFactor = VK_BLEND_FACTOR_CONSTANT_ALPHA,
                                         .dstAlphaBlendFactor = VK_BLEND_FACTOR_ZERO}},
                              .dynamic = states,
                              .n_dynamic = COUNT(states),
                              .width = SIDE,
                              .height = SIDE});
    VkCommandBuffer commands = commands_begin(c);
    target_begin(&t, commands, VK_SUBPASS_CONTENTS_INLINE);
    bind(commands, pipeline);
    vkCmdSetLineWidth(commands, 1);
    vkCmdSetDepthBias(commands, 0.5F, 0, 0.5F);
    for (uint32_t i = 0; i < 4; i++) {
        const VkViewport viewport = {
            (float)(i % 2) * 20, (float)(i - i % 2) * 15, 40, 30 - (float)i, 0, 1};
        const VkRect2D scissor = {{(int32_t)(i * 8), 4}, {30, 50}};
        const float constants[4] = {0.1F * (float)i, 0.5F, 1, 0.75F};
        vkCmdSetViewport(commands, 0, 1, &viewport);
        vkCmdSetScissor(commands, 0, 1, &scissor);
        vkCmdSetBlendConstants(commands, constants);
        draw_rect(commands, layout, right, i % 2 == 0 ? red : green, 0.5F);
    }
    target_finish(c, &t, commands, "version 1.0");
}

static void dynamic_1_3(struct client *c)
{
    static const VkDynamicState states[] = {VK_DYNAMIC_STATE_VIEWPORT_WITH_COUNT,
                                            VK_DYNAMIC_STATE_SCISSOR_WITH_COUNT,
                                            VK_DYNAMIC_STATE_CULL_MODE,
                                            VK_DYNAMIC_STATE_FRONT_FACE,
                                            VK_DYNAMIC_STATE_PRIMITIVE_TOPOLOGY,
                                            VK_DYNAMIC_STATE_DEPTH_TEST_ENABLE,
                                            VK_DYNAMIC_STATE_DEPTH_WRITE_ENABLE,
                                            VK_DYNAMIC_STATE_DEPTH_COMPARE_OP,
                                            VK_DYNAMIC_STATE_DEPTH_BOUNDS_TEST_ENABLE,
                                            VK_DYNAMIC_STATE_STENCIL_TEST_ENABLE,
                                            VK_DYNAMIC_STATE_STENCIL_OP,
                                            VK_DYNAMIC_STATE_RASTERIZER_DISCARD_ENABLE,
                                            VK_DYNAMIC_STATE_DEPTH_BIAS_ENABLE,
                                            VK_DYNAMIC_STATE_PRIMITIVE_RESTART_ENABLE};
    NEED_API_1_3(c);
    struct target t = target_create(c, SIDE, SIDE);
    VkPipelineLayout layout = rect_layout(c, NULL);
    VkPipeline pipeline = graphics_pipeline(c, &(struct graphics){.vert = CODE(rect_vert),
                                                                  .frag = CODE(flat_frag),
                                                                  .layout = layout,
                                                                  .pass = t.pass,
                                                                  .n_colors = 1,
                                                                  .dynamic = states,
                                                                  .n_dynamic = COUNT(states),
                                                                  .counted = true});
    const VkCullModeFlags culls[] = {VK_CULL_MODE_NONE, VK_CULL_MODE_BACK_BIT,
                                     VK_CULL_MODE_FRONT_BIT, VK_CULL_MODE_NONE};
    for (uint32_t i = 0; i < 4; i++) {
        const VkViewport viewport = {0, 0, SIDE, SIDE, 0, 1};
        const VkRect2D scissor = {{0, 0}, {SIDE, SIDE - i}};
        VkCommandBuffer commands = commands_begin(c);
        target_begin(&t, commands, VK_SUBPASS_CONTENTS_INLINE);
        bind(commands, pipeline);
        vkCmdSetViewportWithCount(commands, 1, &viewport);
        vkCmdSetScissorWithCount(commands, 1, &scissor);
        vkCmdSetCullMode(commands, culls[i]);
        vkCmdSetFrontFace(commands, VK_FRONT_FACE_CLOCKWISE);
        vkCmdSetPrimitiveTopology(commands, i == 3 ? VK_PRIMITIVE_TOPOLOGY_TRIANGLE_LIST
                                                   : VK_PRIMITIVE_TOPOLOGY_TRIANGLE_STRIP);
        vkCmdSetDepthTestEnable(commands, VK_FALSE);
        vkCmdSetDepthWriteEnable(commands, VK_FALSE);
        vkCmdSetDepthCompareOp(commands, VK_COMPARE_OP_ALWAYS);
        vkCmdSetDepthBoundsTestEnable(commands, VK_FALSE);
        vkCmdSetStencilTestEnable(commands, VK_FALSE);
        vkCmdSetStencilOp(commands, VK_STENCIL_FACE_FRONT_AND_BACK, VK_STENCIL_OP_KEEP,
                          VK_STENCIL_OP_KEEP, VK_STENCIL_OP_KEEP, VK_COMPARE_OP_ALWAYS);
        vkCmdSetRasterizerDiscardEnable(commands, VK_FALSE);
        vkCmdSetDepthBiasEnable(commands, VK_FALSE);
        vkCmdSetPrimitiveRestartEnable(commands, VK_FALSE);
        draw_rect(commands, layout, left, red, 0);
        vkCmdSetRasterizerDiscardEnable(commands, VK_TRUE);
        draw_rect(commands, layout, right, green, 0);
        target_finish(c, &t, commands, "version 1.3");
    }
}

static void dynamic_vertex_input(struct client *c)
{
    NEED_EXTENSION(c, VK_EXT_VERTEX_INPUT_DYNAMIC_STATE_EXTENSION_NAME);
    LOAD(c, vkCmdSetVertexInputEXT);
    struct scene s = scene_create(c);
    const VkDynamicState state = VK_DYNAMIC_STATE_VERTEX_INPUT_EXT;
    VkPipeline pipeline = graphics_pipeline(c, &(struct graphics){.vert = CODE(instances_vert),
                                                                  .frag = CODE(flat_frag),
                                                                  .pass = s.t.pass,
                                                                  .n_colors = 1,
                                                                  .dynamic = &state,
                                                                  .n_dynamic = 1,
                                                                  .width = SIDE * 2,
                                                                  .height = SIDE * 2});
    const VkVertexInputBindingDescription2EXT bindings[] = {
        {.sType = VK_STRUCTURE_TYPE_VERTEX_INPUT_BINDING_DESCRIPTION_2_EXT,
         .stride = 12,
         .inputRate = VK_VERTEX_INPUT_RATE_VERTEX,
         .divisor = 1},
        {.sType = VK_STRUCTURE_TYPE_VERTEX_INPUT_BINDING_DESCRIPTION_2_EXT,
         .binding = 1,
         .stride = 16,
         .inputRate = VK_VERTEX_INPUT_RATE_INSTANCE,
         .divisor = 1}};
    VkVertexInputAttributeDescription2EXT attributes[4];
    const VkFormat formats[] = {VK_FORMAT_R32G32_SFLOAT, VK_FORMAT_R8G8B8A8_UNORM,
                                VK_FORMAT_R32G32B32_SFLOAT, VK_FORMAT_R32_SFLOAT};
    const uint32_t offsets[] = {0, 8, 0, 12};
    for (uint32_t i = 0; i < 4; i++) {
        attributes[i] = (VkVertexInputAttributeDescription2EXT){
            .sType = VK_STRUCTURE_TYPE_VERTEX_INPUT_ATTRIBUTE_DESCRIPTION_2_EXT,
            .location = i,
            .binding = i / 2,
            .format = formats[i],
            .offset = offsets[i]};
    }
    s.pipeline = pipeline;
    VkCommandBuffer commands = scene_begin(c, &s);
    vkCmdSetVertexInputEXT_(commands, 2, bindings, 4, attributes);
    vkCmdDrawIndexed(commands, 6, 20, 0, 0, 0);
    target_finish(c, &s.t, commands, "vertex input");
}

int main(void)
{
    static const char *const extensions[] = {VK_EXT_CONDITIONAL_RENDERING_EXTENSION_NAME,
                                             VK_EXT_VERTEX_INPUT_DYNAMIC_STATE_EXTENSION_NAME,
                                             NULL};
    static const struct client_case cases[] = {
        {"occlusion", occlusion},
        {"statistics", statistics},
        {"timestamps", timestamps},
        {"indirect", indirect},
        {"indirect-count", indirect_count},
        {"conditional", conditional},
        {"dynamic-1.0", dynamic_1_0},
        {"dynamic-1.3", dynamic_1_3},
        {"dynamic-vertex-input", dynamic_vertex_input},
    };
    return client_main(extensions, cases, COUNT(cases));
}
