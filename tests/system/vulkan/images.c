/* tests/system/vulkan/images.c - images of every shape: copies, blits, levels, layers, formats. */
#include "client.h"

#include "layers.comp.h"

#define COPIED (VK_IMAGE_USAGE_TRANSFER_SRC_BIT | VK_IMAGE_USAGE_TRANSFER_DST_BIT)
#define SRC VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL
#define DST VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL
#define COLOR VK_IMAGE_ASPECT_COLOR_BIT

static void fill_random(const struct buffer *buffer, uint32_t seed)
{
    uint32_t state = seed;
    for (size_t i = 0; i < buffer->size / 4; i++) {
        ((uint32_t *)buffer->at)[i] = random_next(&state);
    }
}

static VkImageCreateInfo image_info(VkImageType type, VkFormat format, VkExtent3D extent,
                                    uint32_t levels, uint32_t layers)
{
    return (VkImageCreateInfo){.sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
                               .imageType = type,
                               .format = format,
                               .extent = extent,
                               .mipLevels = levels,
                               .arrayLayers = layers,
                               .samples = VK_SAMPLE_COUNT_1_BIT,
                               .usage = COPIED | VK_IMAGE_USAGE_SAMPLED_BIT};
}

/* All layers of level 0 from a buffer; the image is left in SRC. */
static void upload(VkCommandBuffer commands, const struct image *image, const struct buffer *from)
{
    const VkBufferImageCopy copy = {.imageSubresource = {COLOR, 0, 0, image->layers},
                                    .imageExtent = image->extent};
    image_barrier(commands, image, VK_IMAGE_LAYOUT_UNDEFINED, DST);
    vkCmdCopyBufferToImage(commands, from->buffer, image->image, DST, 1, &copy);
    image_barrier(commands, image, DST, SRC);
}

static void download(VkCommandBuffer commands, const struct image *image, const struct buffer *to)
{
    const VkBufferImageCopy copy = {.imageSubresource = {COLOR, 0, 0, image->layers},
                                    .imageExtent = image->extent};
    vkCmdCopyImageToBuffer(commands, image->image, SRC, to->buffer, 1, &copy);
    memory_barrier(commands);
}

/* ---------------------------------------------------------------- formats */

static void formats(struct client *c)
{
    static const struct {
        VkFormat format;
        uint32_t bytes, side; /* of a texel or block, texels across a block */
    } list[] = {
        {VK_FORMAT_R8_UNORM, 1, 1},
        {VK_FORMAT_R8G8_SNORM, 2, 1},
        {VK_FORMAT_R5G6B5_UNORM_PACK16, 2, 1},
        {VK_FORMAT_R8G8B8A8_UINT, 4, 1},
        {VK_FORMAT_B8G8R8A8_SRGB, 4, 1},
        {VK_FORMAT_A2B10G10R10_UNORM_PACK32, 4, 1},
        {VK_FORMAT_B10G11R11_UFLOAT_PACK32, 4, 1},
        {VK_FORMAT_R16_SFLOAT, 2, 1},
        {VK_FORMAT_R16G16B16A16_UNORM, 8, 1},
        {VK_FORMAT_R32G32_UINT, 8, 1},
        {VK_FORMAT_R32G32B32A32_SFLOAT, 16, 1},
        {VK_FORMAT_BC1_RGBA_UNORM_BLOCK, 8, 4},
        {VK_FORMAT_BC3_SRGB_BLOCK, 16, 4},
        {VK_FORMAT_BC5_SNORM_BLOCK, 16, 4},
        {VK_FORMAT_BC6H_UFLOAT_BLOCK, 16, 4},
        {VK_FORMAT_BC7_UNORM_BLOCK, 16, 4},
        {VK_FORMAT_ETC2_R8G8B8A8_UNORM_BLOCK, 16, 4},
        {VK_FORMAT_ASTC_4x4_UNORM_BLOCK, 16, 4},
    };
    for (size_t i = 0; i < COUNT(list); i++) {
        if (!format_has(c, list[i].format,
                        VK_FORMAT_FEATURE_SAMPLED_IMAGE_BIT | VK_FORMAT_FEATURE_TRANSFER_SRC_BIT |
                            VK_FORMAT_FEATURE_TRANSFER_DST_BIT)) {
            printf("format %d: no images\n", list[i].format);
            continue;
        }
        VkImageCreateInfo info =
            image_info(VK_IMAGE_TYPE_2D, list[i].format, (VkExtent3D){60, 44, 1}, 1, 1);
        VkDeviceSize size = (VkDeviceSize)(60 / list[i].side) * (44 / list[i].side) * list[i].bytes;
        struct image image = image_create(c, &info, COLOR, VK_IMAGE_VIEW_TYPE_2D);
        struct buffer up = buffer_host(c, (size + 3) / 4 * 4), down = buffer_host(c, up.size);
        fill_random(&up, (uint32_t)i + 1);
        VkCommandBuffer commands = commands_begin(c);
        upload(commands, &image, &up);
        download(commands, &image, &down);
        commands_run(c, commands);
        EXPECT(memcmp(up.at, down.at, size) == 0);
        printf("format %d: %016llx\n", list[i].format, (unsigned long long)checksum(down.at, size));
        client_sweep(c);
    }
}

/* ---------------------------------------------------------------- copies and blits */

static void copies(struct client *c)
{
    VkImageCreateInfo info =
        image_info(VK_IMAGE_TYPE_2D, VK_FORMAT_R8G8B8A8_UNORM, (VkExtent3D){64, 64, 1}, 1, 3);
    struct image a = image_create(c, &info, COLOR, VK_IMAGE_VIEW_TYPE_2D_ARRAY);
    info.format = VK_FORMAT_R32_UINT;
    struct image b = image_create(c, &info, COLOR, VK_IMAGE_VIEW_TYPE_2D_ARRAY);
    struct buffer up = buffer_host(c, 64 * 64 * 4 * 3), down = buffer_host(c, up.size);
    fill_random(&up, 44);
    const VkImageCopy regions[] = {
        {{COLOR, 0, 0, 2}, {8, 4, 0}, {COLOR, 0, 1, 2}, {20, 30, 0}, {40, 20, 1}},
        {{COLOR, 0, 2, 1}, {0, 0, 0}, {COLOR, 0, 0, 1}, {33, 0, 0}, {31, 64, 1}}};
    const VkClearColorValue clear = {.uint32 = {0x12345678, 0, 0, 0}};
    VkImageSubresourceRange range = image_range(&b);
    VkCommandBuffer commands = commands_begin(c);
    upload(commands, &a, &up);
    image_barrier(commands, &b, VK_IMAGE_LAYOUT_UNDEFINED, DST);
    vkCmdClearColorImage(commands, b.image, DST, &clear, 1, &range);
    image_barrier(commands, &b, DST, DST);
    vkCmdCopyImage(commands, a.image, SRC, b.image, DST, COUNT(regions), regions);
    image_barrier(commands, &b, DST, SRC);
    download(commands, &b, &down);
    commands_run(c, commands);
    const uint32_t *from = up.at, *to = down.at;
    EXPECT(to[0] == 0x12345678 && to[33] == from[(size_t)2 * 4096]);
    EXPECT(to[4096 + 30 * 64 + 20] == from[4 * 64 + 8]);
    print_checksum("copied", down.at, (size_t)down.size);
}

static void buffer_layouts(struct client *c)
{
    VkImageCreateInfo info =
        image_info(VK_IMAGE_TYPE_2D, VK_FORMAT_R8G8B8A8_UNORM, (VkExtent3D){32, 32, 1}, 1, 2);
    struct image image = image_create(c, &info, COLOR, VK_IMAGE_VIEW_TYPE_2D_ARRAY);
    struct buffer up = buffer_host(c, 1 << 16), down = buffer_host(c, 1 << 16);
    fill_random(&up, 9);
    const VkBufferImageCopy regions[] = {
        {1024, 48, 40, {COLOR, 0, 0, 2}, {0, 0, 0}, {32, 32, 1}},
        {40000, 16, 0, {COLOR, 0, 1, 1}, {5, 7, 0}, {11, 13, 1}},
    };
    const VkBufferImageCopy back = {512, 50, 33, {COLOR, 0, 0, 2}, {1, 2, 0}, {30, 29, 1}};
    VkCommandBuffer commands = commands_begin(c);
    image_barrier(commands, &image, VK_IMAGE_LAYOUT_UNDEFINED, DST);
    for (size_t i = 0; i < COUNT(regions); i++) {
        vkCmdCopyBufferToImage(commands, up.buffer, image.image, DST, 1, &regions[i]);
        image_barrier(commands, &image, DST, DST);
    }
    image_barrier(commands, &image, DST, SRC);
    vkCmdCopyImageToBuffer(commands, image.image, SRC, down.buffer, 1, &back);
    memory_barrier(commands);
    commands_run(c, commands);
    print_checksum("with rows and heights", down.at, (size_t)down.size);
}

static void blits(struct client *c)
{
    VkImageCreateInfo info =
        image_info(VK_IMAGE_TYPE_2D, VK_FORMAT_R8G8B8A8_UNORM, (VkExtent3D){64, 48, 1}, 1, 1);
    struct image a = image_create(c, &info, COLOR, VK_IMAGE_VIEW_TYPE_2D);
    info.format = VK_FORMAT_B8G8R8A8_UNORM;
    info.extent = (VkExtent3D){100, 80, 1};
    struct image b = image_create(c, &info, COLOR, VK_IMAGE_VIEW_TYPE_2D);
    struct buffer up = buffer_host(c, 64 * 48 * 4), down = buffer_host(c, 100 * 80 * 4);
    fill_random(&up, 2);
    const VkImageBlit regions[] = {
        {{COLOR, 0, 0, 1}, {{0, 0, 0}, {64, 48, 1}}, {COLOR, 0, 0, 1}, {{0, 0, 0}, {100, 40, 1}}},
        {{COLOR, 0, 0, 1}, {{4, 4, 0}, {20, 20, 1}}, {COLOR, 0, 0, 1}, {{90, 80, 0}, {10, 40, 1}}}};
    const VkClearColorValue black = {.float32 = {0, 0, 0, 1}};
    VkImageSubresourceRange range = image_range(&b);
    for (int filter = VK_FILTER_NEAREST; filter <= VK_FILTER_LINEAR; filter++) {
        VkCommandBuffer commands = commands_begin(c);
        upload(commands, &a, &up);
        image_barrier(commands, &b, VK_IMAGE_LAYOUT_UNDEFINED, DST);
        vkCmdClearColorImage(commands, b.image, DST, &black, 1, &range);
        image_barrier(commands, &b, DST, DST);
        vkCmdBlitImage(commands, a.image, SRC, b.image, DST, COUNT(regions), regions,
                       (VkFilter)filter);
        image_barrier(commands, &b, DST, SRC);
        download(commands, &b, &down);
        commands_run(c, commands);
        print_checksum(filter == VK_FILTER_NEAREST ? "nearest" : "linear", down.at,
                       (size_t)down.size);
    }
}

static void levels(struct client *c)
{
    VkImageCreateInfo info =
        image_info(VK_IMAGE_TYPE_2D, VK_FORMAT_R8G8B8A8_UNORM, (VkExtent3D){128, 64, 1}, 8, 2);
    struct image image = image_create(c, &info, COLOR, VK_IMAGE_VIEW_TYPE_2D_ARRAY);
    struct buffer up = buffer_host(c, 128 * 64 * 4 * 2), down = buffer_host(c, 1 << 17);
    fill_random(&up, 21);
    VkBufferImageCopy outs[8];
    VkImageMemoryBarrier barrier = {.sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER,
                                    .srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
                                    .dstAccessMask = VK_ACCESS_TRANSFER_READ_BIT,
                                    .oldLayout = DST,
                                    .newLayout = SRC,
                                    .srcQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
                                    .dstQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
                                    .image = image.image,
                                    .subresourceRange = {COLOR, 0, 1, 0, 2}};
    const VkBufferImageCopy copy = {.imageSubresource = {COLOR, 0, 0, 2},
                                    .imageExtent = info.extent};
    VkCommandBuffer commands = commands_begin(c);
    image_barrier(commands, &image, VK_IMAGE_LAYOUT_UNDEFINED, DST);
    vkCmdCopyBufferToImage(commands, up.buffer, image.image, DST, 1, &copy);
    uint32_t at = 0;
    for (uint32_t i = 0; i < 8; i++) {
        uint32_t w = 128U >> i, h = 64U >> i != 0 ? 64U >> i : 1;
        uint32_t nw = w > 1 ? w / 2 : 1, nh = h > 1 ? h / 2 : 1;
        barrier.subresourceRange.baseMipLevel = i;
        vkCmdPipelineBarrier(commands, VK_PIPELINE_STAGE_TRANSFER_BIT,
                             VK_PIPELINE_STAGE_TRANSFER_BIT, 0, 0, NULL, 0, NULL, 1, &barrier);
        if (i < 7) {
            const VkImageBlit blit = {{COLOR, i, 0, 2},
                                      {{0, 0, 0}, {(int32_t)w, (int32_t)h, 1}},
                                      {COLOR, i + 1, 0, 2},
                                      {{0, 0, 0}, {(int32_t)nw, (int32_t)nh, 1}}};
            vkCmdBlitImage(commands, image.image, SRC, image.image, DST, 1, &blit,
                           VK_FILTER_LINEAR);
        }
        outs[i] = (VkBufferImageCopy){
            .bufferOffset = at, .imageSubresource = {COLOR, i, 0, 2}, .imageExtent = {w, h, 1}};
        at += w * h * 8;
    }
    vkCmdCopyImageToBuffer(commands, image.image, SRC, down.buffer, 8, outs);
    memory_barrier(commands);
    commands_run(c, commands);
    EXPECT(memcmp(up.at, down.at, (size_t)up.size) == 0);
    print_checksum("levels", down.at, at);
}

static void resolve(struct client *c)
{
    struct image many =
        image_2d(c, VK_FORMAT_R8G8B8A8_UNORM, 32, 32, VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT | COPIED,
                 VK_SAMPLE_COUNT_4_BIT);
    struct image one =
        image_2d(c, VK_FORMAT_R8G8B8A8_UNORM, 32, 32, VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT | COPIED,
                 VK_SAMPLE_COUNT_1_BIT);
    struct buffer down = buffer_host(c, 32 * 32 * 4);
    const VkClearColorValue clears[] = {{.float32 = {1, 0.5F, 0.25F, 1}}, {.float32 = {0}}};
    VkImageSubresourceRange range = image_range(&many);
    const VkImageResolve region = {
        {COLOR, 0, 0, 1}, {4, 4, 0}, {COLOR, 0, 0, 1}, {10, 12, 0}, {20, 20, 1}};
    VkCommandBuffer commands = commands_begin(c);
    image_barrier(commands, &many, VK_IMAGE_LAYOUT_UNDEFINED, DST);
    image_barrier(commands, &one, VK_IMAGE_LAYOUT_UNDEFINED, DST);
    vkCmdClearColorImage(commands, many.image, DST, &clears[0], 1, &range);
    vkCmdClearColorImage(commands, one.image, DST, &clears[1], 1, &range);
    image_barrier(commands, &many, DST, SRC);
    image_barrier(commands, &one, DST, DST);
    vkCmdResolveImage(commands, many.image, SRC, one.image, DST, 1, &region);
    image_barrier(commands, &one, DST, SRC);
    image_to_buffer(commands, &one, &down);
    commands_run(c, commands);
    EXPECT(((uint32_t *)down.at)[0] == 0 && ((uint32_t *)down.at)[12 * 32 + 10] != 0);
    print_checksum("resolved", down.at, (size_t)down.size);
}

/* ---------------------------------------------------------------- shapes */

static void shapes(struct client *c)
{
    enum { N = 64 };
    const VkDescriptorType sampled = VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER;
    const VkDescriptorType types[] = {sampled, sampled, sampled, sampled,
                                      VK_DESCRIPTOR_TYPE_STORAGE_BUFFER};
    const struct {
        VkImageType type;
        VkImageViewType view;
        VkExtent3D extent;
        uint32_t layers;
        VkImageCreateFlags flags;
    } kinds[] = {
        {VK_IMAGE_TYPE_2D,
         VK_IMAGE_VIEW_TYPE_CUBE,
         {16, 16, 1},
         6,
         VK_IMAGE_CREATE_CUBE_COMPATIBLE_BIT},
        {VK_IMAGE_TYPE_2D, VK_IMAGE_VIEW_TYPE_2D_ARRAY, {24, 20, 1}, 4, 0},
        {VK_IMAGE_TYPE_3D, VK_IMAGE_VIEW_TYPE_3D, {12, 10, 8}, 1, 0},
        {VK_IMAGE_TYPE_1D, VK_IMAGE_VIEW_TYPE_1D, {200, 1, 1}, 1, 0},
    };
    VkDescriptorSetLayout set_l = set_layout(c, types, 5);
    VkPipelineLayout layout = pipeline_layout(c, &set_l, 1, 0);
    VkPipeline pipeline = compute_pipeline(c, layout, CODE(layers_comp), NULL);
    VkDescriptorSet set = set_create(c, set_l);
    VkSampler sampler = sampler_create(c, VK_FILTER_LINEAR, VK_SAMPLER_ADDRESS_MODE_CLAMP_TO_EDGE);
    struct buffer out = buffer_host(c, N * 64);
    VkCommandBuffer commands = commands_begin(c);
    set_buffer(c, set, 4, types[4], &out);
    for (uint32_t i = 0; i < 4; i++) {
        VkImageCreateInfo info = image_info(kinds[i].type, VK_FORMAT_R8G8B8A8_UNORM,
                                            kinds[i].extent, 1, kinds[i].layers);
        info.flags = kinds[i].flags;
        struct image image = image_create(c, &info, COLOR, kinds[i].view);
        struct buffer up =
            buffer_host(c, (VkDeviceSize)kinds[i].extent.width * kinds[i].extent.height *
                               kinds[i].extent.depth * kinds[i].layers * 4);
        fill_random(&up, 300 + i);
        upload(commands, &image, &up);
        image_barrier(commands, &image, SRC, VK_IMAGE_LAYOUT_SHADER_READ_ONLY_OPTIMAL);
        set_image(c, set, i, types[i], image.view, sampler,
                  VK_IMAGE_LAYOUT_SHADER_READ_ONLY_OPTIMAL);
    }
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
    vkCmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE, layout, 0, 1, &set, 0, NULL);
    vkCmdDispatch(commands, 1, 1, 1);
    memory_barrier(commands);
    commands_run(c, commands);
    EXPECT(((float *)out.at)[16] > 0);
    print_checksum("cube, layers, volume, line", out.at, (size_t)out.size);
}

/* A linear image that the host writes, as its layout says. */
static void linear(struct client *c)
{
    VkImageCreateInfo info =
        image_info(VK_IMAGE_TYPE_2D, VK_FORMAT_R8G8B8A8_UNORM, (VkExtent3D){37, 21, 1}, 1, 1);
    info.tiling = VK_IMAGE_TILING_LINEAR;
    info.initialLayout = VK_IMAGE_LAYOUT_PREINITIALIZED;
    struct image image = {
        .extent = info.extent, .levels = 1, .layers = 1, .aspect = COLOR, .format = info.format};
    VkMemoryRequirements needs;
    VK(vkCreateImage(c->device, &info, NULL, &image.image));
    vkGetImageMemoryRequirements(c->device, image.image, &needs);
    const VkMemoryAllocateInfo allocate = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                           .allocationSize = needs.size,
                                           .memoryTypeIndex =
                                               memory_type(c, needs.memoryTypeBits, HOST_MEMORY)};
    VK(vkAllocateMemory(c->device, &allocate, NULL, &image.memory));
    KEEP(c, DEVICE_MEMORY, image.memory);
    KEEP(c, IMAGE, image.image);
    VK(vkBindImageMemory(c->device, image.image, image.memory, 0));
    const VkImageSubresource part = {COLOR, 0, 0};
    VkSubresourceLayout layout;
    vkGetImageSubresourceLayout(c->device, image.image, &part, &layout);
    printf("offset %llu, row %llu\n", (unsigned long long)layout.offset,
           (unsigned long long)layout.rowPitch);
    uint8_t *at;
    VK(vkMapMemory(c->device, image.memory, 0, VK_WHOLE_SIZE, 0, (void **)&at));
    for (uint32_t y = 0; y < 21; y++) {
        for (uint32_t x = 0; x < 37; x++) {
            uint32_t texel = x * 1000 + y;
            memcpy(at + layout.offset + y * layout.rowPitch + (size_t)x * 4, &texel, 4);
        }
    }
    struct buffer down = buffer_host(c, 37 * 21 * 4);
    VkCommandBuffer commands = commands_begin(c);
    image_barrier(commands, &image, VK_IMAGE_LAYOUT_PREINITIALIZED, SRC);
    download(commands, &image, &down);
    commands_run(c, commands);
    for (uint32_t i = 0; i < 37 * 21; i++) {
        EXPECT(((uint32_t *)down.at)[i] == i % 37 * 1000 + i / 37);
    }
    print_checksum("texels", down.at, (size_t)down.size);
}

/* Version 1.3's forms of the same, and requirements without an image. */
static void version_1_3(struct client *c)
{
    NEED_API_1_3(c);
    VkImageCreateInfo info =
        image_info(VK_IMAGE_TYPE_2D, VK_FORMAT_R8G8B8A8_UNORM, (VkExtent3D){40, 40, 1}, 1, 1);
    const VkDeviceImageMemoryRequirements of = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_IMAGE_MEMORY_REQUIREMENTS, .pCreateInfo = &info};
    VkMemoryRequirements2 needs = {.sType = VK_STRUCTURE_TYPE_MEMORY_REQUIREMENTS_2};
    vkGetDeviceImageMemoryRequirements(c->device, &of, &needs);
    struct image a = image_create(c, &info, COLOR, VK_IMAGE_VIEW_TYPE_2D);
    struct image b = image_create(c, &info, COLOR, VK_IMAGE_VIEW_TYPE_2D);
    VkMemoryRequirements same;
    vkGetImageMemoryRequirements(c->device, a.image, &same);
    EXPECT(same.size == needs.memoryRequirements.size);
    struct buffer up = buffer_host(c, 40 * 40 * 4), down = buffer_host(c, 40 * 40 * 4);
    fill_random(&up, 71);
    const VkBufferImageCopy2 in = {.sType = VK_STRUCTURE_TYPE_BUFFER_IMAGE_COPY_2,
                                   .imageSubresource = {COLOR, 0, 0, 1},
                                   .imageExtent = info.extent};
    const VkCopyBufferToImageInfo2 ins = {.sType = VK_STRUCTURE_TYPE_COPY_BUFFER_TO_IMAGE_INFO_2,
                                          .srcBuffer = up.buffer,
                                          .dstImage = a.image,
                                          .dstImageLayout = DST,
                                          .regionCount = 1,
                                          .pRegions = &in};
    const VkImageBlit2 blit = {.sType = VK_STRUCTURE_TYPE_IMAGE_BLIT_2,
                               .srcSubresource = {COLOR, 0, 0, 1},
                               .srcOffsets = {{0, 0, 0}, {40, 40, 1}},
                               .dstSubresource = {COLOR, 0, 0, 1},
                               .dstOffsets = {{40, 0, 0}, {0, 40, 1}}};
    const VkBlitImageInfo2 blits2 = {.sType = VK_STRUCTURE_TYPE_BLIT_IMAGE_INFO_2,
                                     .srcImage = a.image,
                                     .srcImageLayout = SRC,
                                     .dstImage = b.image,
                                     .dstImageLayout = DST,
                                     .regionCount = 1,
                                     .pRegions = &blit,
                                     .filter = VK_FILTER_NEAREST};
    const VkCopyImageToBufferInfo2 outs = {.sType = VK_STRUCTURE_TYPE_COPY_IMAGE_TO_BUFFER_INFO_2,
                                           .srcImage = b.image,
                                           .srcImageLayout = SRC,
                                           .dstBuffer = down.buffer,
                                           .regionCount = 1,
                                           .pRegions = &in};
    VkCommandBuffer commands = commands_begin(c);
    image_barrier(commands, &a, VK_IMAGE_LAYOUT_UNDEFINED, DST);
    image_barrier(commands, &b, VK_IMAGE_LAYOUT_UNDEFINED, DST);
    vkCmdCopyBufferToImage2(commands, &ins);
    image_barrier(commands, &a, DST, SRC);
    vkCmdBlitImage2(commands, &blits2);
    image_barrier(commands, &b, DST, SRC);
    vkCmdCopyImageToBuffer2(commands, &outs);
    memory_barrier(commands);
    commands_run(c, commands);
    EXPECT(((uint32_t *)down.at)[0] == ((uint32_t *)up.at)[39]);
    print_checksum("mirrored", down.at, (size_t)down.size);
}

int main(void)
{
    static const struct client_case cases[] = {
        {"formats", formats}, {"copies", copies}, {"buffer-layouts", buffer_layouts},
        {"blits", blits},     {"levels", levels}, {"resolve", resolve},
        {"shapes", shapes},   {"linear", linear}, {"version-1.3", version_1_3},
    };
    return client_main(NULL, cases, COUNT(cases));
}
