/* tests/system/vulkan/sparse.c - memory bound to parts of buffers and images. */
#include "client.h"

static void bind_and_wait(struct client *c, VkBindSparseInfo *info)
{
    VkFence fence = fence_create(c, false);
    info->sType = VK_STRUCTURE_TYPE_BIND_SPARSE_INFO;
    VK(vkQueueBindSparse(c->queue, 1, info, fence));
    VK(vkWaitForFences(c->device, 1, &fence, VK_TRUE, UINT64_MAX));
}

static VkDeviceMemory memory_of(struct client *c, uint32_t bits, VkDeviceSize size)
{
    const VkMemoryAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                       .allocationSize = size,
                                       .memoryTypeIndex = memory_type(c, bits, 0)};
    VkDeviceMemory memory;
    VK(vkAllocateMemory(c->device, &info, NULL, &memory));
    KEEP(c, DEVICE_MEMORY, memory);
    return memory;
}

static void buffer(struct client *c)
{
    enum { PARTS = 4 };
    NEED(c->features.features.sparseBinding && (c->family_flags & VK_QUEUE_SPARSE_BINDING_BIT) != 0,
         "sparseBinding");
    const VkDeviceSize part = 1 << 20;
    const VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                                     .flags = VK_BUFFER_CREATE_SPARSE_BINDING_BIT,
                                     .size = PARTS * part,
                                     .usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                                              VK_BUFFER_USAGE_TRANSFER_DST_BIT};
    VkBuffer sparse;
    VkMemoryRequirements needs;
    VK(vkCreateBuffer(c->device, &info, NULL, &sparse));
    KEEP(c, BUFFER, sparse);
    vkGetBufferMemoryRequirements(c->device, sparse, &needs);
    EXPECT(part % needs.alignment == 0);
    VkDeviceMemory memory = memory_of(c, needs.memoryTypeBits, PARTS * part);
    VkSparseMemoryBind binds[PARTS];
    for (uint32_t i = 0; i < PARTS; i++) {
        binds[i] = (VkSparseMemoryBind){.resourceOffset = i * part,
                                        .size = part,
                                        .memory = memory,
                                        .memoryOffset = (PARTS - 1 - i) * part};
    }
    const VkSparseBufferMemoryBindInfo bind = {sparse, PARTS, binds};
    bind_and_wait(c, &(VkBindSparseInfo){.bufferBindCount = 1, .pBufferBinds = &bind});
    struct buffer up = buffer_host(c, PARTS * part), down = buffer_host(c, PARTS * part);
    for (uint32_t i = 0, state = 5; i < PARTS * part / 4; i++) {
        ((uint32_t *)up.at)[i] = random_next(&state);
    }
    VkCommandBuffer commands = commands_begin(c);
    const VkBufferCopy copy = {0, 0, PARTS * part};
    vkCmdCopyBuffer(commands, up.buffer, sparse, 1, &copy);
    memory_barrier(commands);
    vkCmdCopyBuffer(commands, sparse, down.buffer, 1, &copy);
    memory_barrier(commands);
    commands_run(c, commands);
    EXPECT(memcmp(up.at, down.at, PARTS * part) == 0);
    print_checksum("came back", down.at, PARTS * part);
    /* Turned around: the same bytes are at other places. */
    for (uint32_t i = 0; i < PARTS; i++) {
        binds[i].memoryOffset = i * part;
    }
    bind_and_wait(c, &(VkBindSparseInfo){.bufferBindCount = 1, .pBufferBinds = &bind});
    commands = commands_begin(c);
    vkCmdCopyBuffer(commands, sparse, down.buffer, 1, &copy);
    memory_barrier(commands);
    commands_run(c, commands);
    EXPECT(memcmp(up.at, (uint8_t *)down.at + (PARTS - 1) * part, part) == 0);
    print_checksum("turned", down.at, PARTS * part);
}

static void image(struct client *c)
{
    NEED(c->features.features.sparseBinding && c->features.features.sparseResidencyImage2D &&
             (c->family_flags & VK_QUEUE_SPARSE_BINDING_BIT) != 0,
         "sparseResidencyImage2D");
    const uint32_t side = 512;
    VkSparseImageFormatProperties properties[4];
    uint32_t n = COUNT(properties);
    const VkImageUsageFlags usage = VK_IMAGE_USAGE_TRANSFER_SRC_BIT |
                                    VK_IMAGE_USAGE_TRANSFER_DST_BIT | VK_IMAGE_USAGE_SAMPLED_BIT;
    vkGetPhysicalDeviceSparseImageFormatProperties(c->physical, VK_FORMAT_R8G8B8A8_UNORM,
                                                   VK_IMAGE_TYPE_2D, VK_SAMPLE_COUNT_1_BIT, usage,
                                                   VK_IMAGE_TILING_OPTIMAL, &n, properties);
    NEED(n > 0, "sparse-format");
    VkExtent3D block = properties[0].imageGranularity;
    printf("%u properties, blocks of %u x %u\n", n, block.width, block.height);
    const VkImageCreateInfo info = {.sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
                                    .flags = VK_IMAGE_CREATE_SPARSE_BINDING_BIT |
                                             VK_IMAGE_CREATE_SPARSE_RESIDENCY_BIT,
                                    .imageType = VK_IMAGE_TYPE_2D,
                                    .format = VK_FORMAT_R8G8B8A8_UNORM,
                                    .extent = {side, side, 1},
                                    .mipLevels = 1,
                                    .arrayLayers = 1,
                                    .samples = VK_SAMPLE_COUNT_1_BIT,
                                    .usage = usage};
    struct image sparse = {
        .extent = info.extent, .levels = 1, .layers = 1, .aspect = VK_IMAGE_ASPECT_COLOR_BIT};
    VkMemoryRequirements needs;
    VkSparseImageMemoryRequirements parts[4];
    uint32_t n_parts = COUNT(parts);
    VK(vkCreateImage(c->device, &info, NULL, &sparse.image));
    KEEP(c, IMAGE, sparse.image);
    vkGetImageMemoryRequirements(c->device, sparse.image, &needs);
    vkGetImageSparseMemoryRequirements(c->device, sparse.image, &n_parts, parts);
    printf("size %llu, %u requirements, tail from level %u\n", (unsigned long long)needs.size,
           n_parts, n_parts > 0 ? parts[0].imageMipTailFirstLod : 0);
    uint32_t across = (side + block.width - 1) / block.width;
    uint32_t down = (side + block.height - 1) / block.height;
    EXPECT(across * down <= 256);
    VkDeviceMemory memory =
        memory_of(c, needs.memoryTypeBits, (VkDeviceSize)across * down * needs.alignment);
    VkSparseImageMemoryBind binds[256];
    for (uint32_t i = 0; i < across * down; i++) {
        VkOffset3D at = {(int32_t)(i % across * block.width), (int32_t)(i / across * block.height),
                         0};
        binds[i] = (VkSparseImageMemoryBind){.subresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0},
                                             .offset = at,
                                             .extent = block,
                                             .memory = memory,
                                             .memoryOffset = i * needs.alignment};
    }
    const VkSparseImageMemoryBindInfo bind = {sparse.image, across * down, binds};
    bind_and_wait(c, &(VkBindSparseInfo){.imageBindCount = 1, .pImageBinds = &bind});
    struct buffer up = buffer_host(c, (VkDeviceSize)side * side * 4);
    struct buffer out = buffer_host(c, (VkDeviceSize)side * side * 4);
    for (uint32_t i = 0, state = 15; i < side * side; i++) {
        ((uint32_t *)up.at)[i] = random_next(&state);
    }
    VkCommandBuffer commands = commands_begin(c);
    const VkBufferImageCopy copy = {.imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1},
                                    .imageExtent = info.extent};
    image_barrier(commands, &sparse, VK_IMAGE_LAYOUT_UNDEFINED,
                  VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL);
    vkCmdCopyBufferToImage(commands, up.buffer, sparse.image, VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL,
                           1, &copy);
    image_barrier(commands, &sparse, VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL,
                  VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL);
    image_to_buffer(commands, &sparse, &out);
    commands_run(c, commands);
    EXPECT(memcmp(up.at, out.at, (size_t)side * side * 4) == 0);
    print_checksum("came back", out.at, (size_t)side * side * 4);
}

int main(void)
{
    static const struct client_case cases[] = {{"buffer", buffer}, {"image", image}};
    return client_main(NULL, cases, COUNT(cases));
}
