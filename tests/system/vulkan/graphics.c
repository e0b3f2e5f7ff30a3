/* tests/system/vulkan/graphics.c - drawing offscreen: attachments, tests, blending, passes. */
#include "client.h"

#include "flat.frag.h"
#include "formats.vert.h"
#include "input.frag.h"
#include "instances.vert.h"
#include "rect.vert.h"
#include "targets.frag.h"
#include "texture.frag.h"

#define SIDE 64u
#define STRIP VK_PRIMITIVE_TOPOLOGY_TRIANGLE_STRIP
#define PICTURE (VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT | VK_IMAGE_USAGE_TRANSFER_SRC_BIT)

static const float red[4] = {1, 0, 0, 1}, green[4] = {0, 1, 0, 1}, blue[4] = {0, 0, 1, 1};
static const float veil[4] = {0.8F, 0.4F, 0.2F, 0.5F};
static const float all[4] = {-1, -1, 1, 1}, left[4] = {-0.8F, -0.8F, 0.2F, 0.6F};
static const float right[4] = {-0.3F, -0.5F, 0.9F, 0.9F}, small[4] = {-0.2F, -0.2F, 0.2F, 0.2F};

static VkPipeline rect_pipeline(struct client *c, const struct graphics *more)
{
    struct graphics g = *more;
    g.vert = CODE(rect_vert);
    g.frag = g.frag.words != NULL ? g.frag : CODE(flat_frag);
    g.width = g.height = SIDE;
    g.topology = g.topology != 0 ? g.topology : STRIP;
    g.n_colors = g.n_colors != 0 ? g.n_colors : 1;
    return graphics_pipeline(c, &g);
}

static void bind(VkCommandBuffer commands, VkPipeline pipeline)
{
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, pipeline);
}

static void begin_pass(VkCommandBuffer commands, VkRenderPass pass, VkFramebuffer frame, uint32_t n,
                       bool depth)
{
    VkClearValue clears[6] = {0};
    for (uint32_t i = 0; i < n; i++) {
        clears[i].color.float32[0] = 0.25F;
        clears[i].color.float32[3] = 1;
    }
    clears[n].depthStencil = (VkClearDepthStencilValue){1, 3};
    const VkRenderPassBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_RENDER_PASS_BEGIN_INFO,
                                         .renderPass = pass,
                                         .framebuffer = frame,
                                         .renderArea = {.extent = {SIDE, SIDE}},
                                         .clearValueCount = n + (depth ? 1 : 0),
                                         .pClearValues = clears};
    vkCmdBeginRenderPass(commands, &begin, VK_SUBPASS_CONTENTS_INLINE);
}

static struct buffer read_image(struct client *c, VkCommandBuffer commands,
                                const struct image *image, uint32_t texel)
{
    struct buffer out =
        buffer_host(c, (VkDeviceSize)image->extent.width * image->extent.height * texel);
    image_to_buffer(commands, image, &out);
    return out;
}

/* ---------------------------------------------------------------- depth and stencil */

static void depth_of(struct client *c, VkFormat format)
{
    const VkFormat color_format = VK_FORMAT_R8G8B8A8_UNORM;
    if (!format_has(c, format, VK_FORMAT_FEATURE_DEPTH_STENCIL_ATTACHMENT_BIT)) {
        printf("format %d: not for depth\n", format);
        return;
    }
    VkPipelineLayout layout = rect_layout(c, NULL);
    struct image color = image_2d(c, color_format, SIDE, SIDE, PICTURE, VK_SAMPLE_COUNT_1_BIT);
    struct image depth =
        image_2d(c, format, SIDE, SIDE,
                 VK_IMAGE_USAGE_DEPTH_STENCIL_ATTACHMENT_BIT | VK_IMAGE_USAGE_TRANSFER_SRC_BIT,
                 VK_SAMPLE_COUNT_1_BIT);
    const VkImageView views[] = {color.view, depth.view};
    VkRenderPass pass = render_pass(c, &color_format, 1, format, VK_SAMPLE_COUNT_1_BIT);
    VkFramebuffer frame = framebuffer(c, pass, views, 2, SIDE, SIDE);
    const VkCompareOp ops[] = {VK_COMPARE_OP_LESS, VK_COMPARE_OP_GREATER_OR_EQUAL,
                               VK_COMPARE_OP_NOT_EQUAL};
    VkPipeline pipelines[3];
    for (size_t i = 0; i < 3; i++) {
        pipelines[i] = rect_pipeline(c, &(struct graphics){.layout = layout,
                                                           .pass = pass,
                                                           .depth_test = true,
                                                           .depth_write = i != 2,
                                                           .depth_op = ops[i]});
    }
    VkCommandBuffer commands = commands_begin(c);
    begin_pass(commands, pass, frame, 1, true);
    bind(commands, pipelines[0]);
    draw_rect(commands, layout, left, red, 0.5F);
    draw_rect(commands, layout, right, green, 0.7F);
    draw_rect(commands, layout, small, blue, 0.25F);
    bind(commands, pipelines[1]);
    draw_rect(commands, layout, small, veil, 0.3F);
    bind(commands, pipelines[2]);
    draw_rect(commands, layout, all, blue, 1.0F);
    vkCmdEndRenderPass(commands);
    struct buffer pixels = read_image(c, commands, &color, 4);
    struct image only_depth = depth;
    only_depth.aspect = VK_IMAGE_ASPECT_DEPTH_BIT;
    struct buffer depths = read_image(c, commands, &only_depth, 4);
    commands_run(c, commands);
    printf("format %d: colours %016llx", format,
           (unsigned long long)checksum(pixels.at, (size_t)pixels.size));
    print_checksum(", depths", depths.at,
                   (size_t)depths.size / (format == VK_FORMAT_D16_UNORM ? 2 : 1));
    EXPECT(((uint32_t *)pixels.at)[SIDE / 2 * SIDE + SIDE / 2] != 0xff0000ff);
}

static void depth(struct client *c)
{
    const VkFormat formats[] = {VK_FORMAT_D16_UNORM, VK_FORMAT_D32_SFLOAT,
                                VK_FORMAT_X8_D24_UNORM_PACK32, VK_FORMAT_D24_UNORM_S8_UINT,
                                VK_FORMAT_D32_SFLOAT_S8_UINT};
    for (size_t i = 0; i < COUNT(formats); i++) {
        depth_of(c, formats[i]);
        client_sweep(c);
    }
}

static void stencil(struct client *c)
{
    const VkFormat color_format = VK_FORMAT_R8G8B8A8_UNORM;
    const VkFormat format =
        format_has(c, VK_FORMAT_D32_SFLOAT_S8_UINT, VK_FORMAT_FEATURE_DEPTH_STENCIL_ATTACHMENT_BIT)
            ? VK_FORMAT_D32_SFLOAT_S8_UINT
            : VK_FORMAT_D24_UNORM_S8_UINT;
    const VkStencilOpState count = {.failOp = VK_STENCIL_OP_KEEP,
                                    .passOp = VK_STENCIL_OP_INCREMENT_AND_WRAP,
                                    .depthFailOp = VK_STENCIL_OP_KEEP,
                                    .compareOp = VK_COMPARE_OP_ALWAYS,
                                    .compareMask = 0xff,
                                    .writeMask = 0xff,
                                    .reference = 0};
    VkStencilOpState equal = count;
    equal.passOp = VK_STENCIL_OP_INVERT;
    equal.compareOp = VK_COMPARE_OP_EQUAL;
    equal.writeMask = 0xf0;
    VkPipelineLayout layout = rect_layout(c, NULL);
    struct image color = image_2d(c, color_format, SIDE, SIDE, PICTURE, VK_SAMPLE_COUNT_1_BIT);
    struct image depth_image =
        image_2d(c, format, SIDE, SIDE,
                 VK_IMAGE_USAGE_DEPTH_STENCIL_ATTACHMENT_BIT | VK_IMAGE_USAGE_TRANSFER_SRC_BIT,
                 VK_SAMPLE_COUNT_1_BIT);
    const VkImageView views[] = {color.view, depth_image.view};
    const VkDynamicState dynamic = VK_DYNAMIC_STATE_STENCIL_REFERENCE;
    VkRenderPass pass = render_pass(c, &color_format, 1, format, VK_SAMPLE_COUNT_1_BIT);
    VkFramebuffer frame = framebuffer(c, pass, views, 2, SIDE, SIDE);
    VkPipeline counting = rect_pipeline(
        c,
        &(struct graphics){
            .layout = layout, .pass = pass, .stencil_test = true, .front = count, .back = count});
    VkPipeline testing = rect_pipeline(c, &(struct graphics){.layout = layout,
                                                             .pass = pass,
                                                             .stencil_test = true,
                                                             .front = equal,
                                                             .back = equal,
                                                             .dynamic = &dynamic,
                                                             .n_dynamic = 1});
    VkCommandBuffer commands = commands_begin(c);
    begin_pass(commands, pass, frame, 1, true);
    bind(commands, counting);
    draw_rect(commands, layout, left, red, 0);
    draw_rect(commands, layout, right, green, 0);
    draw_rect(commands, layout, small, green, 0);
    bind(commands, testing);
    vkCmdSetStencilReference(commands, VK_STENCIL_FACE_FRONT_AND_BACK, 5);
    draw_rect(commands, layout, all, blue, 0);
    vkCmdSetStencilReference(commands, VK_STENCIL_FACE_FRONT_AND_BACK, 6);
    draw_rect(commands, layout, all, veil, 0);
    vkCmdEndRenderPass(commands);
    struct buffer pixels = read_image(c, commands, &color, 4);
    struct image only_stencil = depth_image;
    only_stencil.aspect = VK_IMAGE_ASPECT_STENCIL_BIT;
    struct buffer stencils = read_image(c, commands, &only_stencil, 1);
    commands_run(c, commands);
    printf("corner %u, middle %u\n", *(uint8_t *)stencils.at,
           ((uint8_t *)stencils.at)[SIDE / 2 * SIDE + SIDE / 2]);
    EXPECT(*(uint8_t *)stencils.at == 3);
    print_checksum("colours", pixels.at, (size_t)pixels.size);
    print_checksum("stencils", stencils.at, (size_t)stencils.size);
}

/* ---------------------------------------------------------------- samples, blending, targets */

static void multisample(struct client *c)
{
    const VkFormat format = VK_FORMAT_R8G8B8A8_UNORM;
    VkPipelineLayout layout = rect_layout(c, NULL);
    struct image many =
        image_2d(c, format, SIDE, SIDE, VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT, VK_SAMPLE_COUNT_4_BIT);
    struct image one = image_2d(c, format, SIDE, SIDE, PICTURE, VK_SAMPLE_COUNT_1_BIT);
    const VkImageView views[] = {many.view, one.view};
    const float slanted[4] = {-0.77F, -0.63F, 0.31F, 0.41F};
    VkRenderPass pass = render_pass(c, &format, 1, VK_FORMAT_UNDEFINED, VK_SAMPLE_COUNT_4_BIT);
    VkFramebuffer frame = framebuffer(c, pass, views, 2, SIDE, SIDE);
    VkPipeline pipeline =
        rect_pipeline(c, &(struct graphics){.layout = layout,
                                            .pass = pass,
                                            .samples = VK_SAMPLE_COUNT_4_BIT,
                                            .topology = VK_PRIMITIVE_TOPOLOGY_TRIANGLE_LIST});
    VkCommandBuffer commands = commands_begin(c);
    begin_pass(commands, pass, frame, 1, false);
    bind(commands, pipeline);
    draw_rect(commands, layout, slanted, veil, 0);
    draw_rect(commands, layout, right, green, 0);
    vkCmdEndRenderPass(commands);
    struct buffer pixels = read_image(c, commands, &one, 4);
    commands_run(c, commands);
    print_checksum("resolved", pixels.at, (size_t)pixels.size);
}

static void blending(struct client *c)
{
    struct target t = target_create(c, SIDE, SIDE);
    VkPipelineLayout layout = rect_layout(c, NULL);
    const struct {
        VkBlendFactor from, to;
        VkBlendOp op;
        VkColorComponentFlags mask;
    } modes[] = {
        {VK_BLEND_FACTOR_SRC_ALPHA, VK_BLEND_FACTOR_ONE_MINUS_SRC_ALPHA, VK_BLEND_OP_ADD, 15},
        {VK_BLEND_FACTOR_ONE, VK_BLEND_FACTOR_ONE, VK_BLEND_OP_REVERSE_SUBTRACT, 7},
        {VK_BLEND_FACTOR_CONSTANT_COLOR, VK_BLEND_FACTOR_ONE, VK_BLEND_OP_ADD, 15},
        {VK_BLEND_FACTOR_ONE, VK_BLEND_FACTOR_ONE, VK_BLEND_OP_MAX, 3},
    };
    const float places[4][4] = {{-0.9F, -0.9F, 0.3F, 0.1F},
                                {-0.2F, -0.8F, 0.8F, 0.2F},
                                {-0.7F, -0.3F, 0.4F, 0.9F},
                                {0, 0, 1, 1}};
    VkPipeline pipelines[4];
    for (size_t i = 0; i < 4; i++) {
        pipelines[i] = rect_pipeline(
            c, &(struct graphics){.layout = layout,
                                  .pass = t.pass,
                                  .blend = {{.blendEnable = VK_TRUE,
                                             .srcColorBlendFactor = modes[i].from,
                                             .dstColorBlendFactor = modes[i].to,
                                             .colorBlendOp = modes[i].op,
                                             .srcAlphaBlendFactor = VK_BLEND_FACTOR_ONE,
                                             .dstAlphaBlendFactor = VK_BLEND_FACTOR_DST_ALPHA,
                                             .alphaBlendOp = VK_BLEND_OP_ADD,
                                             .colorWriteMask = modes[i].mask}}});
    }
    VkCommandBuffer commands = commands_begin(c);
    target_begin(&t, commands, VK_SUBPASS_CONTENTS_INLINE);
    for (size_t i = 0; i < 4; i++) {
        bind(commands, pipelines[i]);
        draw_rect(commands, layout, places[i], veil, 0);
    }
    target_finish(c, &t, commands, "blended");
}

static const struct {
    VkFormat format;
    uint32_t texel;
} targets[] = {{VK_FORMAT_R8G8B8A8_UNORM, 4},
               {VK_FORMAT_R32G32B32A32_UINT, 16},
               {VK_FORMAT_R16G16B16A16_SFLOAT, 8},
               {VK_FORMAT_R32_SFLOAT, 4}};

static void many_targets(struct client *c)
{
    VkPipelineLayout layout = rect_layout(c, NULL);
    VkFormat formats[4];
    VkImageView views[4];
    struct image images[4];
    struct buffer outs[4];
    for (uint32_t i = 0; i < 4; i++) {
        formats[i] = targets[i].format;
        images[i] = image_2d(c, formats[i], SIDE, SIDE, PICTURE, VK_SAMPLE_COUNT_1_BIT);
        views[i] = images[i].view;
    }
    VkRenderPass pass = render_pass(c, formats, 4, VK_FORMAT_UNDEFINED, VK_SAMPLE_COUNT_1_BIT);
    VkFramebuffer frame = framebuffer(c, pass, views, 4, SIDE, SIDE);
    VkPipeline pipeline = rect_pipeline(
        c, &(struct graphics){
               .layout = layout, .pass = pass, .frag = CODE(targets_frag), .n_colors = 4});
    VkCommandBuffer commands = commands_begin(c);
    begin_pass(commands, pass, frame, 4, false);
    bind(commands, pipeline);
    draw_rect(commands, layout, left, veil, 0.25F);
    const VkClearAttachment clear = {.aspectMask = VK_IMAGE_ASPECT_COLOR_BIT,
                                     .colorAttachment = 1,
                                     .clearValue.color.uint32 = {1, 2, 3, 0xffffffff}};
    const VkClearRect rects[] = {{{{2, 3}, {10, 5}}, 0, 1}, {{{20, 30}, {8, 8}}, 0, 1}};
    vkCmdClearAttachments(commands, 1, &clear, 2, rects);
    vkCmdEndRenderPass(commands);
    for (uint32_t i = 0; i < 4; i++) {
        outs[i] = read_image(c, commands, &images[i], targets[i].texel);
    }
    commands_run(c, commands);
    EXPECT(((uint32_t *)outs[1].at)[(size_t)4 * (3 * SIDE + 2)] == 1);
    for (uint32_t i = 0; i < 4; i++) {
        print_checksum("target", outs[i].at, (size_t)outs[i].size);
    }
}

/* ---------------------------------------------------------------- vertices */

static void instances(struct client *c)
{
    struct vertex {
        float at[2];
        uint8_t tint[4];
    } const vertices[] = {
        {{-1, -1}, {255, 0, 0, 255}},
        {{1, -1}, {0, 255, 0, 255}},
        {{0, 1}, {0, 0, 255, 255}},
        {{1, 1}, {255, 255, 255, 255}},
    };
    struct {
        float offset[3], size;
    } places[20];
    const uint16_t indices[] = {9, 9, 0, 1, 2, 1, 3, 2};
    for (uint32_t i = 0; i < 20; i++) {
        places[i].offset[0] = (float)(i % 5) * 0.4F - 0.8F;
        places[i].offset[1] = (float)(i - i % 5) * 0.09F - 0.7F;
        places[i].offset[2] = 0.5F;
        places[i].size = 0.05F + (float)i * 0.01F;
    }
    struct buffer vertex = buffer_host(c, sizeof vertices + 64),
                  place = buffer_host(c, sizeof places);
    struct buffer index = buffer_host(c, sizeof indices);
    memcpy((uint8_t *)vertex.at + 64, vertices, sizeof vertices);
    memcpy(place.at, places, sizeof places);
    memcpy(index.at, indices, sizeof indices);
    const VkVertexInputBindingDescription bindings[] = {
        {0, sizeof vertices[0], VK_VERTEX_INPUT_RATE_VERTEX},
        {3, sizeof places[0], VK_VERTEX_INPUT_RATE_INSTANCE}};
    const VkVertexInputAttributeDescription attributes[] = {{0, 0, VK_FORMAT_R32G32_SFLOAT, 0},
                                                            {1, 0, VK_FORMAT_R8G8B8A8_UNORM, 8},
                                                            {2, 3, VK_FORMAT_R32G32B32_SFLOAT, 0},
                                                            {3, 3, VK_FORMAT_R32_SFLOAT, 12}};
    const VkPipelineVertexInputStateCreateInfo input = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_VERTEX_INPUT_STATE_CREATE_INFO,
        .vertexBindingDescriptionCount = COUNT(bindings),
        .pVertexBindingDescriptions = bindings,
        .vertexAttributeDescriptionCount = COUNT(attributes),
        .pVertexAttributeDescriptions = attributes};
    struct target t = target_create(c, SIDE * 2, SIDE * 2);
    VkPipeline pipeline = graphics_pipeline(c, &(struct graphics){.vert = CODE(instances_vert),
                                                                  .frag = CODE(flat_frag),
                                                                  .pass = t.pass,
                                                                  .n_colors = 1,
                                                                  .input = &input,
                                                                  .width = t.width,
                                                                  .height = t.height});
    VkCommandBuffer commands = commands_begin(c);
    const VkDeviceSize vertex_offset = 64, none = 0;
    target_begin(&t, commands, VK_SUBPASS_CONTENTS_INLINE);
    bind(commands, pipeline);
    vkCmdBindVertexBuffers(commands, 0, 1, &vertex.buffer, &vertex_offset);
    vkCmdBindVertexBuffers(commands, 3, 1, &place.buffer, &none);
    vkCmdBindIndexBuffer(commands, index.buffer, 4, VK_INDEX_TYPE_UINT16);
    vkCmdDrawIndexed(commands, 6, 18, 0, 0, 2);
    vkCmdDraw(commands, 3, 1, 1, 0);
    target_finish(c, &t, commands, "instances");
}

static void vertex_formats(struct client *c)
{
    struct {
        int8_t snorm[4];
        uint16_t half[2];
        uint32_t packed, whole;
        int8_t small[2];
        uint8_t pad[2];
        uint16_t scaled[4];
        float wide[3];
    } *v;
    enum { N = 32 };
    const VkVertexInputAttributeDescription attributes[] = {
        {0, 0, VK_FORMAT_R8G8B8A8_SNORM, 0},
        {1, 0, VK_FORMAT_R16G16_SFLOAT, 4},
        {2, 0, VK_FORMAT_A2B10G10R10_UNORM_PACK32, 8},
        {3, 0, VK_FORMAT_R32_UINT, 12},
        {4, 0, VK_FORMAT_R8G8_SINT, 16},
        {5, 0, VK_FORMAT_R16G16B16A16_UNORM, 20},
        {6, 0, VK_FORMAT_R32G32B32_SFLOAT, 28}};
    const VkVertexInputBindingDescription binding = {0, sizeof *v, VK_VERTEX_INPUT_RATE_VERTEX};
    const VkPipelineVertexInputStateCreateInfo input = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_VERTEX_INPUT_STATE_CREATE_INFO,
        .vertexBindingDescriptionCount = 1,
        .pVertexBindingDescriptions = &binding,
        .vertexAttributeDescriptionCount = COUNT(attributes),
        .pVertexAttributeDescriptions = attributes};
    struct buffer buffer = buffer_host(c, sizeof *v * N);
    v = buffer.at;
    for (uint32_t i = 0, state = 31; i < N; i++) {
        v[i].snorm[0] = (int8_t)(i * 4);
        v[i].half[0] = (uint16_t)(0x3000 + i * 16);
        v[i].half[1] = (uint16_t)(0x3400 + i * 8);
        v[i].packed = i * 7;
        v[i].whole = random_next(&state) % 100;
        v[i].small[0] = (int8_t)(i - 16);
        v[i].small[1] = (int8_t)-i;
        for (uint32_t k = 0; k < 4; k++) {
            v[i].scaled[k] = (uint16_t)(i * 700 + k * 100);
        }
        v[i].wide[0] = 0.1F;
        v[i].wide[1] = (float)i / 64;
        v[i].wide[2] = 0.5F;
    }
    struct target t = target_create(c, N, 2);
    VkPipeline pipeline = graphics_pipeline(c, &(struct graphics){.vert = CODE(formats_vert),
                                                                  .frag = CODE(flat_frag),
                                                                  .pass = t.pass,
                                                                  .n_colors = 1,
                                                                  .points = true,
                                                                  .input = &input,
                                                                  .width = N,
                                                                  .height = 2});
    VkCommandBuffer commands = commands_begin(c);
    const VkDeviceSize none = 0;
    target_begin(&t, commands, VK_SUBPASS_CONTENTS_INLINE);
    bind(commands, pipeline);
    vkCmdBindVertexBuffers(commands, 0, 1, &buffer.buffer, &none);
    vkCmdDraw(commands, N, 1, 0, 0);
    target_finish(c, &t, commands, "attributes");
    printf("pixel %08x\n", target_pixel(&t, 17, 1));
}

static void topologies(struct client *c)
{
    const VkPrimitiveTopology list[] = {
        VK_PRIMITIVE_TOPOLOGY_LINE_LIST, VK_PRIMITIVE_TOPOLOGY_LINE_STRIP,
        VK_PRIMITIVE_TOPOLOGY_TRIANGLE_LIST, VK_PRIMITIVE_TOPOLOGY_TRIANGLE_STRIP,
        VK_PRIMITIVE_TOPOLOGY_TRIANGLE_FAN};
    VkPipelineLayout layout = rect_layout(c, NULL);
    for (size_t i = 0; i < COUNT(list); i++) {
        struct target t = target_create(c, SIDE, SIDE);
        VkPipeline pipeline = rect_pipeline(
            c, &(struct graphics){.layout = layout,
                                  .pass = t.pass,
                                  .topology = list[i],
                                  .restart = list[i] == VK_PRIMITIVE_TOPOLOGY_TRIANGLE_STRIP});
        VkCommandBuffer commands = commands_begin(c);
        target_begin(&t, commands, VK_SUBPASS_CONTENTS_INLINE);
        bind(commands, pipeline);
        draw_rect(commands, layout, left, green, 0);
        target_finish(c, &t, commands, "topology");
    }
}

/* ---------------------------------------------------------------- passes */

static void secondary(struct client *c)
{
    struct target t = target_create(c, SIDE, SIDE);
    VkPipelineLayout layout = rect_layout(c, NULL);
    VkPipeline pipeline = rect_pipeline(c, &(struct graphics){.layout = layout, .pass = t.pass});
    const VkCommandBufferAllocateInfo info = {.sType =
                                                  VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                              .commandPool = c->pool,
                                              .level = VK_COMMAND_BUFFER_LEVEL_SECONDARY,
                                              .commandBufferCount = 3};
    const VkCommandBufferInheritanceInfo inheritance = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_INHERITANCE_INFO,
        .renderPass = t.pass,
        .framebuffer = t.frame};
    const VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                            .flags =
                                                VK_COMMAND_BUFFER_USAGE_RENDER_PASS_CONTINUE_BIT,
                                            .pInheritanceInfo = &inheritance};
    const float *places[] = {left, right, small}, *colors[] = {red, green, blue};
    VkCommandBuffer parts[3];
    VK(vkAllocateCommandBuffers(c->device, &info, parts));
    for (size_t i = 0; i < 3; i++) {
        VK(vkBeginCommandBuffer(parts[i], &begin));
        bind(parts[i], pipeline);
        draw_rect(parts[i], layout, places[i], colors[i], 0);
        VK(vkEndCommandBuffer(parts[i]));
    }
    VkCommandBuffer commands = commands_begin(c);
    target_begin(&t, commands, VK_SUBPASS_CONTENTS_SECONDARY_COMMAND_BUFFERS);
    vkCmdExecuteCommands(commands, 2, parts);
    vkCmdExecuteCommands(commands, 1, &parts[2]);
    target_finish(c, &t, commands, "executed");
    vkFreeCommandBuffers(c->device, c->pool, 3, parts);
}

/* Two subpasses of version 2: the second reads what the first has drawn. */
static void subpasses(struct client *c)
{
    const VkFormat format = VK_FORMAT_R8G8B8A8_UNORM;
    const VkAttachmentDescription2 attachment = {
        .sType = VK_STRUCTURE_TYPE_ATTACHMENT_DESCRIPTION_2,
        .format = format,
        .samples = VK_SAMPLE_COUNT_1_BIT,
        .loadOp = VK_ATTACHMENT_LOAD_OP_CLEAR,
        .storeOp = VK_ATTACHMENT_STORE_OP_STORE,
        .stencilLoadOp = VK_ATTACHMENT_LOAD_OP_DONT_CARE,
        .stencilStoreOp = VK_ATTACHMENT_STORE_OP_DONT_CARE,
        .finalLayout = VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL};
    const VkAttachmentDescription2 attachments[] = {attachment, attachment};
    const VkAttachmentReference2 first = {.sType = VK_STRUCTURE_TYPE_ATTACHMENT_REFERENCE_2,
                                          .layout = VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
                                          .aspectMask = VK_IMAGE_ASPECT_COLOR_BIT};
    VkAttachmentReference2 input = first, second = first;
    input.layout = VK_IMAGE_LAYOUT_SHADER_READ_ONLY_OPTIMAL;
    second.attachment = 1;
    const VkSubpassDescription2 parts[] = {{.sType = VK_STRUCTURE_TYPE_SUBPASS_DESCRIPTION_2,
                                            .colorAttachmentCount = 1,
                                            .pColorAttachments = &first},
                                           {.sType = VK_STRUCTURE_TYPE_SUBPASS_DESCRIPTION_2,
                                            .inputAttachmentCount = 1,
                                            .pInputAttachments = &input,
                                            .colorAttachmentCount = 1,
                                            .pColorAttachments = &second}};
    const VkSubpassDependency2 dependency = {.sType = VK_STRUCTURE_TYPE_SUBPASS_DEPENDENCY_2,
                                             .srcSubpass = 0,
                                             .dstSubpass = 1,
                                             .srcStageMask =
                                                 VK_PIPELINE_STAGE_COLOR_ATTACHMENT_OUTPUT_BIT,
                                             .dstStageMask = VK_PIPELINE_STAGE_FRAGMENT_SHADER_BIT,
                                             .srcAccessMask = VK_ACCESS_COLOR_ATTACHMENT_WRITE_BIT,
                                             .dstAccessMask = VK_ACCESS_INPUT_ATTACHMENT_READ_BIT,
                                             .dependencyFlags = VK_DEPENDENCY_BY_REGION_BIT};
    const VkRenderPassCreateInfo2 info = {.sType = VK_STRUCTURE_TYPE_RENDER_PASS_CREATE_INFO_2,
                                          .attachmentCount = 2,
                                          .pAttachments = attachments,
                                          .subpassCount = 2,
                                          .pSubpasses = parts,
                                          .dependencyCount = 1,
                                          .pDependencies = &dependency};
    const VkDescriptorType type = VK_DESCRIPTOR_TYPE_INPUT_ATTACHMENT;
    const VkDescriptorSetLayoutBinding binding = {0, type, 1, VK_SHADER_STAGE_FRAGMENT_BIT, NULL};
    const VkDescriptorSetLayoutCreateInfo layout_info = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
        .bindingCount = 1,
        .pBindings = &binding};
    VkRenderPass pass;
    VkDescriptorSetLayout set_l;
    VK(vkCreateRenderPass2(c->device, &info, NULL, &pass));
    KEEP(c, RENDER_PASS, pass);
    VK(vkCreateDescriptorSetLayout(c->device, &layout_info, NULL, &set_l));
    KEEP(c, DESCRIPTOR_SET_LAYOUT, set_l);
    struct image a = image_2d(c, format, SIDE, SIDE, PICTURE | VK_IMAGE_USAGE_INPUT_ATTACHMENT_BIT,
                              VK_SAMPLE_COUNT_1_BIT);
    struct image b = image_2d(c, format, SIDE, SIDE, PICTURE, VK_SAMPLE_COUNT_1_BIT);
    const VkImageView views[] = {a.view, b.view};
    VkFramebuffer frame = framebuffer(c, pass, views, 2, SIDE, SIDE);
    VkDescriptorSet set = set_create(c, set_l);
    set_image(c, set, 0, type, a.view, VK_NULL_HANDLE, VK_IMAGE_LAYOUT_SHADER_READ_ONLY_OPTIMAL);
    VkPipelineLayout layout = rect_layout(c, &set_l);
    VkPipeline draw = rect_pipeline(c, &(struct graphics){.layout = layout, .pass = pass});
    VkPipeline turn = rect_pipeline(
        c,
        &(struct graphics){.layout = layout, .pass = pass, .subpass = 1, .frag = CODE(input_frag)});
    const VkSubpassBeginInfo begin2 = {.sType = VK_STRUCTURE_TYPE_SUBPASS_BEGIN_INFO};
    const VkSubpassEndInfo end2 = {.sType = VK_STRUCTURE_TYPE_SUBPASS_END_INFO};
    const VkClearValue clears[2] = {{.color = {.float32 = {0, 1, 0.5F, 1}}}};
    const VkRenderPassBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_RENDER_PASS_BEGIN_INFO,
                                         .renderPass = pass,
                                         .framebuffer = frame,
                                         .renderArea = {.extent = {SIDE, SIDE}},
                                         .clearValueCount = 2,
                                         .pClearValues = clears};
    VkCommandBuffer commands = commands_begin(c);
    vkCmdBeginRenderPass2(commands, &begin, &begin2);
    bind(commands, draw);
    draw_rect(commands, layout, left, veil, 0);
    vkCmdNextSubpass2(commands, &begin2, &end2);
    bind(commands, turn);
    vkCmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, layout, 0, 1, &set, 0, NULL);
    draw_rect(commands, layout, right, (const float[4]){1, 1, 0.5F, 1}, 0);
    vkCmdEndRenderPass2(commands, &end2);
    struct buffer one = read_image(c, commands, &a, 4), two = read_image(c, commands, &b, 4);
    commands_run(c, commands);
    print_checksum("first", one.at, (size_t)one.size);
    print_checksum("second", two.at, (size_t)two.size);
}

static void imageless(struct client *c)
{
    NEED(c->f12.imagelessFramebuffer, "imagelessFramebuffer");
    const VkFormat format = VK_FORMAT_R8G8B8A8_UNORM;
    struct target t = target_create(c, SIDE, SIDE);
    const VkFramebufferAttachmentImageInfo image = {
        .sType = VK_STRUCTURE_TYPE_FRAMEBUFFER_ATTACHMENT_IMAGE_INFO,
        .usage = PICTURE,
        .width = SIDE,
        .height = SIDE,
        .layerCount = 1,
        .viewFormatCount = 1,
        .pViewFormats = &format};
    const VkFramebufferAttachmentsCreateInfo images = {
        .sType = VK_STRUCTURE_TYPE_FRAMEBUFFER_ATTACHMENTS_CREATE_INFO,
        .attachmentImageInfoCount = 1,
        .pAttachmentImageInfos = &image};
    const VkFramebufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_FRAMEBUFFER_CREATE_INFO,
                                          .pNext = &images,
                                          .flags = VK_FRAMEBUFFER_CREATE_IMAGELESS_BIT,
                                          .renderPass = t.pass,
                                          .attachmentCount = 1,
                                          .width = SIDE,
                                          .height = SIDE,
                                          .layers = 1};
    VkFramebuffer frame;
    VK(vkCreateFramebuffer(c->device, &info, NULL, &frame));
    KEEP(c, FRAMEBUFFER, frame);
    VkPipelineLayout layout = rect_layout(c, NULL);
    VkPipeline pipeline = rect_pipeline(c, &(struct graphics){.layout = layout, .pass = t.pass});
    const VkRenderPassAttachmentBeginInfo views = {
        .sType = VK_STRUCTURE_TYPE_RENDER_PASS_ATTACHMENT_BEGIN_INFO,
        .attachmentCount = 1,
        .pAttachments = &t.color.view};
    const VkClearValue clear = {.color = {.float32 = {1, 1, 0, 1}}};
    const VkRenderPassBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_RENDER_PASS_BEGIN_INFO,
                                         .pNext = &views,
                                         .renderPass = t.pass,
                                         .framebuffer = frame,
                                         .renderArea = {{8, 8}, {40, 40}},
                                         .clearValueCount = 1,
                                         .pClearValues = &clear};
    VkCommandBuffer commands = commands_begin(c);
    vkCmdBeginRenderPass(commands, &begin, VK_SUBPASS_CONTENTS_INLINE);
    bind(commands, pipeline);
    draw_rect(commands, layout, small, blue, 0);
    vkCmdEndRenderPass(commands);
    struct buffer out = read_image(c, commands, &t.color, 4);
    commands_run(c, commands);
    /* Outside of the area nothing is defined. */
    printf("inside %08x, drawn %08x\n", ((uint32_t *)out.at)[10 * SIDE + 10],
           ((uint32_t *)out.at)[32 * SIDE + 32]);
}

static void dynamic_rendering(struct client *c)
{
    NEED_API_1_3(c);
    NEED(c->f13.dynamicRendering, "dynamicRendering");
    const VkFormat format = VK_FORMAT_R8G8B8A8_UNORM;
    VkPipelineLayout layout = rect_layout(c, NULL);
    struct image many =
        image_2d(c, format, SIDE, SIDE, VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT, VK_SAMPLE_COUNT_4_BIT);
    struct image color = image_2d(c, format, SIDE, SIDE, PICTURE, VK_SAMPLE_COUNT_1_BIT);
    struct image depth_image =
        image_2d(c, VK_FORMAT_D32_SFLOAT, SIDE, SIDE, VK_IMAGE_USAGE_DEPTH_STENCIL_ATTACHMENT_BIT,
                 VK_SAMPLE_COUNT_4_BIT);
    VkPipeline pipeline = rect_pipeline(c, &(struct graphics){.layout = layout,
                                                              .colors = {format},
                                                              .depth = VK_FORMAT_D32_SFLOAT,
                                                              .depth_test = true,
                                                              .depth_write = true,
                                                              .depth_op = VK_COMPARE_OP_LESS,
                                                              .samples = VK_SAMPLE_COUNT_4_BIT});
    const VkRenderingAttachmentInfo colors = {
        .sType = VK_STRUCTURE_TYPE_RENDERING_ATTACHMENT_INFO,
        .imageView = many.view,
        .imageLayout = VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
        .resolveMode = VK_RESOLVE_MODE_AVERAGE_BIT,
        .resolveImageView = color.view,
        .resolveImageLayout = VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
        .loadOp = VK_ATTACHMENT_LOAD_OP_CLEAR,
        .storeOp = VK_ATTACHMENT_STORE_OP_STORE,
        .clearValue.color.float32 = {0, 0.5F, 0, 1}};
    const VkRenderingAttachmentInfo depths = {.sType = VK_STRUCTURE_TYPE_RENDERING_ATTACHMENT_INFO,
                                              .imageView = depth_image.view,
                                              .imageLayout =
                                                  VK_IMAGE_LAYOUT_DEPTH_ATTACHMENT_OPTIMAL,
                                              .loadOp = VK_ATTACHMENT_LOAD_OP_CLEAR,
                                              .storeOp = VK_ATTACHMENT_STORE_OP_DONT_CARE,
                                              .clearValue.depthStencil = {0.9F, 0}};
    const VkRenderingInfo rendering = {.sType = VK_STRUCTURE_TYPE_RENDERING_INFO,
                                       .renderArea = {.extent = {SIDE, SIDE}},
                                       .layerCount = 1,
                                       .colorAttachmentCount = 1,
                                       .pColorAttachments = &colors,
                                       .pDepthAttachment = &depths};
    VkCommandBuffer commands = commands_begin(c);
    image_barrier(commands, &many, VK_IMAGE_LAYOUT_UNDEFINED,
                  VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL);
    image_barrier(commands, &color, VK_IMAGE_LAYOUT_UNDEFINED,
                  VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL);
    image_barrier(commands, &depth_image, VK_IMAGE_LAYOUT_UNDEFINED,
                  VK_IMAGE_LAYOUT_DEPTH_ATTACHMENT_OPTIMAL);
    vkCmdBeginRendering(commands, &rendering);
    bind(commands, pipeline);
    draw_rect(commands, layout, left, red, 0.5F);
    draw_rect(commands, layout, right, blue, 0.6F);
    draw_rect(commands, layout, all, veil, 0.95F);
    vkCmdEndRendering(commands);
    image_barrier(commands, &color, VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
                  VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL);
    struct buffer out = read_image(c, commands, &color, 4);
    commands_run(c, commands);
    print_checksum("rendered", out.at, (size_t)out.size);
}

/* ---------------------------------------------------------------- textures */

static void textures(struct client *c)
{
    struct target t = target_create(c, SIDE, SIDE);
    const VkImageCreateInfo info = {.sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
                                    .imageType = VK_IMAGE_TYPE_2D,
                                    .format = VK_FORMAT_R8G8B8A8_UNORM,
                                    .extent = {16, 16, 1},
                                    .mipLevels = 5,
                                    .arrayLayers = 1,
                                    .samples = VK_SAMPLE_COUNT_1_BIT,
                                    .usage = VK_IMAGE_USAGE_SAMPLED_BIT |
                                             VK_IMAGE_USAGE_TRANSFER_DST_BIT};
    struct image picture = image_create(c, &info, VK_IMAGE_ASPECT_COLOR_BIT, VK_IMAGE_VIEW_TYPE_2D);
    struct buffer texels = buffer_host(c, 16 * 16 * 4 * 2);
    const VkDescriptorType type = VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER;
    VkDescriptorSetLayout set_l = set_layout(c, &type, 1);
    VkPipelineLayout layout = rect_layout(c, &set_l);
    VkPipeline pipeline = rect_pipeline(
        c, &(struct graphics){.layout = layout, .pass = t.pass, .frag = CODE(texture_frag)});
    const VkSamplerAddressMode modes[] = {
        VK_SAMPLER_ADDRESS_MODE_REPEAT, VK_SAMPLER_ADDRESS_MODE_MIRRORED_REPEAT,
        VK_SAMPLER_ADDRESS_MODE_CLAMP_TO_EDGE, VK_SAMPLER_ADDRESS_MODE_CLAMP_TO_BORDER};
    VkCommandBuffer commands = commands_begin(c);
    VkBufferImageCopy copies[5];
    for (uint32_t i = 0, at = 0, state = 3; i < 5; i++) {
        uint32_t side = 16U >> i;
        copies[i] = (VkBufferImageCopy){.bufferOffset = at,
                                        .imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, i, 0, 1},
                                        .imageExtent = {side, side, 1}};
        for (uint32_t k = 0; k < side * side; k++, at += 4) {
            *(uint32_t *)((uint8_t *)texels.at + at) = random_next(&state) | 0xff000000;
        }
    }
    image_barrier(commands, &picture, VK_IMAGE_LAYOUT_UNDEFINED,
                  VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL);
    vkCmdCopyBufferToImage(commands, texels.buffer, picture.image,
                           VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL, 5, copies);
    image_barrier(commands, &picture, VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL,
                  VK_IMAGE_LAYOUT_SHADER_READ_ONLY_OPTIMAL);
    target_begin(&t, commands, VK_SUBPASS_CONTENTS_INLINE);
    bind(commands, pipeline);
    for (uint32_t i = 0; i < 4; i++) {
        float x = i % 2 == 0 ? -1.0F : 0, y = i / 2 == 0 ? -1.0F : 0;
        const float place[4] = {x, y, x + 1, y + 1}, level[4] = {0, 0, 0, (float)i * 0.75F};
        VkDescriptorSet set = set_create(c, set_l);
        set_image(c, set, 0, type, picture.view,
                  sampler_create(c, i % 2 == 0 ? VK_FILTER_LINEAR : VK_FILTER_NEAREST, modes[i]),
                  VK_IMAGE_LAYOUT_SHADER_READ_ONLY_OPTIMAL);
        vkCmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, layout, 0, 1, &set, 0,
                                NULL);
        draw_rect(commands, layout, place, level, 0);
    }
    target_finish(c, &t, commands, "sampled");
}

int main(void)
{
    static const struct client_case cases[] = {
        {"depth", depth},
        {"stencil", stencil},
        {"multisample", multisample},
        {"blending", blending},
        {"many-targets", many_targets},
        {"instances", instances},
        {"vertex-formats", vertex_formats},
        {"topologies", topologies},
        {"secondary", secondary},
        {"subpasses", subpasses},
        {"imageless", imageless},
        {"dynamic-rendering", dynamic_rendering},
        {"textures", textures},
    };
    return client_main(NULL, cases, COUNT(cases));
}
