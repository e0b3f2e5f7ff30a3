/* tests/system/vulkan/stages.c - every kind of shader stage, several views, transform feedback. */
#include "client.h"

#include "boxes.mesh.h"
#include "boxes.task.h"
#include "clip.vert.h"
#include "feedback.vert.h"
#include "flat.frag.h"
#include "grow.geom.h"
#include "grow.vert.h"
#include "tess.tesc.h"
#include "tess.tese.h"
#include "tess.vert.h"
#include "views.vert.h"

#define SIDE 128u

static void bind(VkCommandBuffer commands, VkPipeline pipeline)
{
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, pipeline);
}

static void tessellation(struct client *c)
{
    NEED(c->features.features.tessellationShader, "tessellationShader");
    struct target t = target_create(c, SIDE, SIDE);
    VkPipelineLayout layout = pipeline_layout(c, NULL, 0, 4);
    struct graphics g = {.vert = CODE(tess_vert),
                         .tesc = CODE(tess_tesc),
                         .tese = CODE(tess_tese),
                         .frag = CODE(flat_frag),
                         .layout = layout,
                         .pass = t.pass,
                         .n_colors = 1,
                         .patch = 3,
                         .width = SIDE,
                         .height = SIDE};
    VkPipeline filled = graphics_pipeline(c, &g);
    const float levels[] = {1, 4.5F, 16};
    for (size_t i = 0; i < COUNT(levels); i++) {
        VkCommandBuffer commands = commands_begin(c);
        target_begin(&t, commands, VK_SUBPASS_CONTENTS_INLINE);
        bind(commands, filled);
        vkCmdPushConstants(commands, layout, VK_SHADER_STAGE_ALL, 0, 4, &levels[i]);
        vkCmdDraw(commands, 3, 1, 0, 0);
        target_finish(c, &t, commands, "filled");
    }
    EXPECT(target_pixel(&t, 20, 20) != target_pixel(&t, SIDE - 1, SIDE - 1));
    NEED(c->features.features.fillModeNonSolid, "fillModeNonSolid");
    g.wireframe = true;
    VkPipeline lines = graphics_pipeline(c, &g);
    VkCommandBuffer commands = commands_begin(c);
    target_begin(&t, commands, VK_SUBPASS_CONTENTS_INLINE);
    bind(commands, lines);
    vkCmdPushConstants(commands, layout, VK_SHADER_STAGE_ALL, 0, 4, &levels[1]);
    vkCmdDraw(commands, 3, 1, 0, 0);
    target_finish(c, &t, commands, "lines");
}

static void geometry(struct client *c)
{
    NEED(c->features.features.geometryShader, "geometryShader");
    struct target t = target_create(c, SIDE, SIDE);
    VkPipeline pipeline = graphics_pipeline(c, &(struct graphics){.vert = CODE(grow_vert),
                                                                  .geom = CODE(grow_geom),
                                                                  .frag = CODE(flat_frag),
                                                                  .pass = t.pass,
                                                                  .n_colors = 1,
                                                                  .points = true,
                                                                  .width = SIDE,
                                                                  .height = SIDE});
    VkCommandBuffer commands = commands_begin(c);
    target_begin(&t, commands, VK_SUBPASS_CONTENTS_INLINE);
    bind(commands, pipeline);
    vkCmdDraw(commands, 16, 1, 0, 0);
    target_finish(c, &t, commands, "stars");
}

static void clipping(struct client *c)
{
    NEED(c->features.features.shaderClipDistance, "shaderClipDistance");
    struct target t = target_create(c, SIDE, SIDE);
    VkPipeline pipeline =
        graphics_pipeline(c, &(struct graphics){.vert = CODE(clip_vert),
                                                .frag = CODE(flat_frag),
                                                .pass = t.pass,
                                                .n_colors = 1,
                                                .topology = VK_PRIMITIVE_TOPOLOGY_TRIANGLE_STRIP,
                                                .width = SIDE,
                                                .height = SIDE});
    VkCommandBuffer commands = commands_begin(c);
    target_begin(&t, commands, VK_SUBPASS_CONTENTS_INLINE);
    bind(commands, pipeline);
    vkCmdDraw(commands, 4, 1, 0, 0);
    target_finish(c, &t, commands, "cut");
    EXPECT(target_pixel(&t, 10, 10) == target_pixel(&t, 0, 0));
}

/* An image of several layers, each a view. */
static void views(struct client *c)
{
    enum { VIEWS = 4 };
    NEED_API_1_3(c);
    NEED(c->f11.multiview, "multiview");
    const VkImageCreateInfo info = {.sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
                                    .imageType = VK_IMAGE_TYPE_2D,
                                    .format = VK_FORMAT_R8G8B8A8_UNORM,
                                    .extent = {SIDE, SIDE, 1},
                                    .mipLevels = 1,
                                    .arrayLayers = VIEWS,
                                    .samples = VK_SAMPLE_COUNT_1_BIT,
                                    .usage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT |
                                             VK_IMAGE_USAGE_TRANSFER_SRC_BIT};
    struct image layers =
        image_create(c, &info, VK_IMAGE_ASPECT_COLOR_BIT, VK_IMAGE_VIEW_TYPE_2D_ARRAY);
    struct buffer out = buffer_host(c, (VkDeviceSize)VIEWS * SIDE * SIDE * 4);
    VkPipeline pipeline =
        graphics_pipeline(c, &(struct graphics){.vert = CODE(views_vert),
                                                .frag = CODE(flat_frag),
                                                .colors = {info.format},
                                                .n_colors = 1,
                                                .view_mask = 0xd,
                                                .topology = VK_PRIMITIVE_TOPOLOGY_TRIANGLE_STRIP,
                                                .width = SIDE,
                                                .height = SIDE});
    const VkRenderingAttachmentInfo color = {.sType = VK_STRUCTURE_TYPE_RENDERING_ATTACHMENT_INFO,
                                             .imageView = layers.view,
                                             .imageLayout =
                                                 VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
                                             .loadOp = VK_ATTACHMENT_LOAD_OP_LOAD,
                                             .storeOp = VK_ATTACHMENT_STORE_OP_STORE};
    const VkRenderingInfo rendering = {.sType = VK_STRUCTURE_TYPE_RENDERING_INFO,
                                       .renderArea = {.extent = {SIDE, SIDE}},
                                       .layerCount = 1,
                                       .viewMask = 0xd,
                                       .colorAttachmentCount = 1,
                                       .pColorAttachments = &color};
    VkCommandBuffer commands = commands_begin(c);
    const VkRenderingInfo clear = {.sType = VK_STRUCTURE_TYPE_RENDERING_INFO,
                                   .renderArea = {.extent = {SIDE, SIDE}},
                                   .layerCount = VIEWS,
                                   .colorAttachmentCount = 1,
                                   .pColorAttachments = &(VkRenderingAttachmentInfo){
                                       .sType = VK_STRUCTURE_TYPE_RENDERING_ATTACHMENT_INFO,
                                       .imageView = layers.view,
                                       .imageLayout = VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
                                       .loadOp = VK_ATTACHMENT_LOAD_OP_CLEAR,
                                       .storeOp = VK_ATTACHMENT_STORE_OP_STORE,
                                       .clearValue.color.float32 = {0.5F, 0, 0.5F, 1}}};
    image_barrier(commands, &layers, VK_IMAGE_LAYOUT_UNDEFINED,
                  VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL);
    vkCmdBeginRendering(commands, &clear);
    vkCmdEndRendering(commands);
    image_barrier(commands, &layers, VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
                  VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL);
    vkCmdBeginRendering(commands, &rendering);
    bind(commands, pipeline);
    vkCmdDraw(commands, 4, 1, 0, 0);
    vkCmdEndRendering(commands);
    image_barrier(commands, &layers, VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
                  VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL);
    const VkBufferImageCopy copy = {.imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, VIEWS},
                                    .imageExtent = {SIDE, SIDE, 1}};
    vkCmdCopyImageToBuffer(commands, layers.image, VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL, out.buffer,
                           1, &copy);
    memory_barrier(commands);
    commands_run(c, commands);
    for (uint32_t i = 0; i < VIEWS; i++) {
        print_checksum("layer", (uint8_t *)out.at + (size_t)i * SIDE * SIDE * 4,
                       (size_t)SIDE * SIDE * 4);
    }
}

static void mesh(struct client *c)
{
    NEED_EXTENSION(c, VK_EXT_MESH_SHADER_EXTENSION_NAME);
    LOAD(c, vkCmdDrawMeshTasksEXT);
    struct target t = target_create(c, SIDE, SIDE);
    VkPipeline pipeline = graphics_pipeline(c, &(struct graphics){.task = CODE(boxes_task),
                                                                  .mesh = CODE(boxes_mesh),
                                                                  .frag = CODE(flat_frag),
                                                                  .pass = t.pass,
                                                                  .n_colors = 1,
                                                                  .width = SIDE,
                                                                  .height = SIDE});
    VkCommandBuffer commands = commands_begin(c);
    target_begin(&t, commands, VK_SUBPASS_CONTENTS_INLINE);
    bind(commands, pipeline);
    vkCmdDrawMeshTasksEXT_(commands, 4, 1, 1);
    target_finish(c, &t, commands, "boxes");
}

static void transform_feedback(struct client *c)
{
    enum { VERTICES = 12, INSTANCES = 3 };
    NEED_EXTENSION(c, VK_EXT_TRANSFORM_FEEDBACK_EXTENSION_NAME);
    LOAD(c, vkCmdBindTransformFeedbackBuffersEXT);
    LOAD(c, vkCmdBeginTransformFeedbackEXT);
    LOAD(c, vkCmdEndTransformFeedbackEXT);
    LOAD(c, vkCmdDrawIndirectByteCountEXT);
    struct buffer kept =
        buffer_create(c, 4096, VK_BUFFER_USAGE_TRANSFORM_FEEDBACK_BUFFER_BIT_EXT, HOST_MEMORY);
    struct buffer counter =
        buffer_create(c, 64,
                      VK_BUFFER_USAGE_TRANSFORM_FEEDBACK_COUNTER_BUFFER_BIT_EXT |
                          VK_BUFFER_USAGE_INDIRECT_BUFFER_BIT,
                      HOST_MEMORY);
    const VkQueryPoolCreateInfo query = {.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
                                         .queryType = VK_QUERY_TYPE_TRANSFORM_FEEDBACK_STREAM_EXT,
                                         .queryCount = 1};
    VkQueryPool queries;
    struct target t = target_create(c, SIDE, SIDE);
    VkPipeline pipeline = graphics_pipeline(c, &(struct graphics){.vert = CODE(feedback_vert),
                                                                  .pass = t.pass,
                                                                  .n_colors = 1,
                                                                  .points = true,
                                                                  .discard = true,
                                                                  .width = SIDE,
                                                                  .height = SIDE});
    VK(vkCreateQueryPool(c->device, &query, NULL, &queries));
    KEEP(c, QUERY_POOL, queries);
    VkCommandBuffer commands = commands_begin(c);
    const VkDeviceSize offset = 0, counter_offset = 8, size = 4096;
    vkCmdResetQueryPool(commands, queries, 0, 1);
    target_begin(&t, commands, VK_SUBPASS_CONTENTS_INLINE);
    bind(commands, pipeline);
    vkCmdBindTransformFeedbackBuffersEXT_(commands, 0, 1, &kept.buffer, &offset, &size);
    vkCmdBeginQuery(commands, queries, 0, 0);
    vkCmdBeginTransformFeedbackEXT_(commands, 0, 0, NULL, NULL);
    vkCmdDraw(commands, VERTICES, INSTANCES, 0, 0);
    vkCmdEndTransformFeedbackEXT_(commands, 0, 1, &counter.buffer, &counter_offset);
    vkCmdEndQuery(commands, queries, 0);
    target_finish(c, &t, commands, "nothing drawn");
    uint64_t counts[2] = {0, 0};
    VK(vkGetQueryPoolResults(c->device, queries, 0, 1, sizeof counts, counts, sizeof counts,
                             VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT));
    printf("primitives %llu of %llu, counter %u\n", (unsigned long long)counts[0],
           (unsigned long long)counts[1], ((uint32_t *)counter.at)[2]);
    const float *got = kept.at;
    EXPECT(counts[0] == VERTICES * INSTANCES && got[4 * 5 + 1] == 25 && got[4 * 13 + 3] == 100);
    print_checksum("kept", kept.at, sizeof(float) * 4 * VERTICES * INSTANCES);
    /* As many vertices again as bytes were kept. */
    VkPhysicalDeviceTransformFeedbackPropertiesEXT can = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TRANSFORM_FEEDBACK_PROPERTIES_EXT};
    VkPhysicalDeviceProperties2 properties = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &can};
    vkGetPhysicalDeviceProperties2(c->physical, &properties);
    NEED(can.transformFeedbackDraw, "transformFeedbackDraw");
    memset(kept.at, 0, 4096);
    commands = commands_begin(c);
    target_begin(&t, commands, VK_SUBPASS_CONTENTS_INLINE);
    bind(commands, pipeline);
    vkCmdBindTransformFeedbackBuffersEXT_(commands, 0, 1, &kept.buffer, &offset, &size);
    vkCmdBeginTransformFeedbackEXT_(commands, 0, 0, NULL, NULL);
    vkCmdDrawIndirectByteCountEXT_(commands, 1, 0, counter.buffer, counter_offset, 0, 16);
    vkCmdEndTransformFeedbackEXT_(commands, 0, 0, NULL, NULL);
    target_finish(c, &t, commands, "nothing drawn");
    EXPECT(got[(size_t)4 * 35] == 35 && got[(size_t)4 * 36] == 0);
    print_checksum("kept", kept.at, 4096);
}

int main(void)
{
    static const char *const extensions[] = {VK_EXT_MESH_SHADER_EXTENSION_NAME,
                                             VK_EXT_TRANSFORM_FEEDBACK_EXTENSION_NAME, NULL};
    static const struct client_case cases[] = {
        {"tessellation", tessellation},
        {"geometry", geometry},
        {"clipping", clipping},
        {"views", views},
        {"mesh", mesh},
        {"transform-feedback", transform_feedback},
    };
    return client_main(extensions, cases, COUNT(cases));
}
