/* tests/system/vulkan/client_objects.c - memory, buffers, images, commands. */
#include "client.h"

/* ---------------------------------------------------------------- memory and buffers */

uint32_t memory_type(const struct client *c, uint32_t bits, VkMemoryPropertyFlags flags)
{
    for (uint32_t i = 0; i < c->memory.memoryTypeCount; i++) {
        if ((bits >> i & 1) != 0 && (c->memory.memoryTypes[i].propertyFlags & flags) == flags) {
            return i;
        }
    }
    wrong("no memory type of 0x%x has flags 0x%x", bits, flags);
}

static VkDeviceMemory allocate(struct client *c, const VkMemoryRequirements *needs,
                               VkMemoryPropertyFlags flags, bool address)
{
    const VkMemoryAllocateFlagsInfo more = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO,
        .flags = address ? VK_MEMORY_ALLOCATE_DEVICE_ADDRESS_BIT : 0,
    };
    const VkMemoryAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                       .pNext = address ? &more : NULL,
                                       .allocationSize = needs->size,
                                       .memoryTypeIndex =
                                           memory_type(c, needs->memoryTypeBits, flags)};
    VkDeviceMemory memory;
    VK(vkAllocateMemory(c->device, &info, NULL, &memory));
    KEEP(c, DEVICE_MEMORY, memory);
    return memory;
}

struct buffer buffer_create(struct client *c, VkDeviceSize size, VkBufferUsageFlags usage,
                            VkMemoryPropertyFlags flags)
{
    bool address = (usage & VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT) != 0;
    const VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .size = size, .usage = usage};
    struct buffer buffer = {.size = size};
    VkMemoryRequirements needs;
    VK(vkCreateBuffer(c->device, &info, NULL, &buffer.buffer));
    vkGetBufferMemoryRequirements(c->device, buffer.buffer, &needs);
    buffer.memory = allocate(c, &needs, flags, address);
    KEEP(c, BUFFER, buffer.buffer);
    VK(vkBindBufferMemory(c->device, buffer.buffer, buffer.memory, 0));
    if ((flags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT) != 0) {
        VK(vkMapMemory(c->device, buffer.memory, 0, VK_WHOLE_SIZE, 0, &buffer.at));
        memset(buffer.at, 0, size);
    }
    if (address) {
        const VkBufferDeviceAddressInfo of = {.sType = VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO,
                                              .buffer = buffer.buffer};
        buffer.address = vkGetBufferDeviceAddress(c->device, &of);
    }
    return buffer;
}

struct buffer buffer_host(struct client *c, VkDeviceSize size)
{
    return buffer_create(c, size,
                         VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                             VK_BUFFER_USAGE_TRANSFER_DST_BIT | VK_BUFFER_USAGE_UNIFORM_BUFFER_BIT |
                             VK_BUFFER_USAGE_VERTEX_BUFFER_BIT | VK_BUFFER_USAGE_INDEX_BUFFER_BIT |
                             VK_BUFFER_USAGE_INDIRECT_BUFFER_BIT,
                         HOST_MEMORY);
}

/* ---------------------------------------------------------------- images */

VkImageSubresourceRange image_range(const struct image *image)
{
    return (VkImageSubresourceRange){
        .aspectMask = image->aspect, .levelCount = image->levels, .layerCount = image->layers};
}

struct image image_create(struct client *c, const VkImageCreateInfo *info,
                          VkImageAspectFlags aspect, VkImageViewType view_type)
{
    struct image image = {.format = info->format,
                          .extent = info->extent,
                          .levels = info->mipLevels,
                          .layers = info->arrayLayers,
                          .aspect = aspect};
    VkMemoryRequirements needs;
    VK(vkCreateImage(c->device, info, NULL, &image.image));
    vkGetImageMemoryRequirements(c->device, image.image, &needs);
    image.memory = allocate(c, &needs, 0, false);
    KEEP(c, IMAGE, image.image);
    VK(vkBindImageMemory(c->device, image.image, image.memory, 0));
    if (view_type != VK_IMAGE_VIEW_TYPE_MAX_ENUM) {
        const VkImageViewCreateInfo view = {.sType = VK_STRUCTURE_TYPE_IMAGE_VIEW_CREATE_INFO,
                                            .image = image.image,
                                            .viewType = view_type,
                                            .format = info->format,
                                            .subresourceRange = image_range(&image)};
        VK(vkCreateImageView(c->device, &view, NULL, &image.view));
        KEEP(c, IMAGE_VIEW, image.view);
    }
    return image;
}

static VkImageAspectFlags aspect_of(VkFormat format)
{
    switch (format) {
    case VK_FORMAT_D16_UNORM:
    case VK_FORMAT_D32_SFLOAT:
    case VK_FORMAT_X8_D24_UNORM_PACK32:
        return VK_IMAGE_ASPECT_DEPTH_BIT;
    case VK_FORMAT_D24_UNORM_S8_UINT:
    case VK_FORMAT_D32_SFLOAT_S8_UINT:
        return VK_IMAGE_ASPECT_DEPTH_BIT | VK_IMAGE_ASPECT_STENCIL_BIT;
    case VK_FORMAT_S8_UINT:
        return VK_IMAGE_ASPECT_STENCIL_BIT;
    default:
        return VK_IMAGE_ASPECT_COLOR_BIT;
    }
}

struct image image_2d(struct client *c, VkFormat format, uint32_t width, uint32_t height,
                      VkImageUsageFlags usage, VkSampleCountFlagBits samples)
{
    const VkImageCreateInfo info = {.sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
                                    .imageType = VK_IMAGE_TYPE_2D,
                                    .format = format,
                                    .extent = {width, height, 1},
                                    .mipLevels = 1,
                                    .arrayLayers = 1,
                                    .samples = samples,
                                    .usage = usage};
    return image_create(c, &info, aspect_of(format), VK_IMAGE_VIEW_TYPE_2D);
}

void image_barrier(VkCommandBuffer commands, const struct image *image, VkImageLayout before,
                   VkImageLayout after)
{
    const VkImageMemoryBarrier barrier = {.sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER,
                                          .srcAccessMask = VK_ACCESS_MEMORY_WRITE_BIT,
                                          .dstAccessMask = VK_ACCESS_MEMORY_READ_BIT |
                                                           VK_ACCESS_MEMORY_WRITE_BIT,
                                          .oldLayout = before,
                                          .newLayout = after,
                                          .srcQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
                                          .dstQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
                                          .image = image->image,
                                          .subresourceRange = image_range(image)};
    vkCmdPipelineBarrier(commands, VK_PIPELINE_STAGE_ALL_COMMANDS_BIT,
                         VK_PIPELINE_STAGE_ALL_COMMANDS_BIT, 0, 0, NULL, 0, NULL, 1, &barrier);
}

void memory_barrier(VkCommandBuffer commands)
{
    const VkMemoryBarrier barrier = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
        .srcAccessMask = VK_ACCESS_MEMORY_WRITE_BIT | VK_ACCESS_HOST_WRITE_BIT,
        .dstAccessMask = VK_ACCESS_MEMORY_READ_BIT | VK_ACCESS_MEMORY_WRITE_BIT |
                         VK_ACCESS_HOST_READ_BIT | VK_ACCESS_INDIRECT_COMMAND_READ_BIT};
    vkCmdPipelineBarrier(commands, VK_PIPELINE_STAGE_ALL_COMMANDS_BIT | VK_PIPELINE_STAGE_HOST_BIT,
                         VK_PIPELINE_STAGE_ALL_COMMANDS_BIT | VK_PIPELINE_STAGE_HOST_BIT, 0, 1,
                         &barrier, 0, NULL, 0, NULL);
}

void image_to_buffer(VkCommandBuffer commands, const struct image *image,
                     const struct buffer *buffer)
{
    const VkBufferImageCopy copy = {
        .imageSubresource = {.aspectMask = image->aspect, .layerCount = 1},
        .imageExtent = image->extent};
    vkCmdCopyImageToBuffer(commands, image->image, VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL,
                           buffer->buffer, 1, &copy);
    memory_barrier(commands);
}

VkSampler sampler_create(struct client *c, VkFilter filter, VkSamplerAddressMode mode)
{
    const VkSamplerCreateInfo info = {.sType = VK_STRUCTURE_TYPE_SAMPLER_CREATE_INFO,
                                      .magFilter = filter,
                                      .minFilter = filter,
                                      .mipmapMode = filter == VK_FILTER_LINEAR
                                                        ? VK_SAMPLER_MIPMAP_MODE_LINEAR
                                                        : VK_SAMPLER_MIPMAP_MODE_NEAREST,
                                      .addressModeU = mode,
                                      .addressModeV = mode,
                                      .addressModeW = mode,
                                      .maxLod = VK_LOD_CLAMP_NONE,
                                      .borderColor = VK_BORDER_COLOR_FLOAT_OPAQUE_WHITE};
    VkSampler sampler;
    VK(vkCreateSampler(c->device, &info, NULL, &sampler));
    KEEP(c, SAMPLER, sampler);
    return sampler;
}

bool format_has(const struct client *c, VkFormat format, VkFormatFeatureFlags features)
{
    VkFormatProperties properties;
    vkGetPhysicalDeviceFormatProperties(c->physical, format, &properties);
    return (properties.optimalTilingFeatures & features) == features;
}

/* ---------------------------------------------------------------- commands */

VkCommandBuffer commands_begin(struct client *c)
{
    const VkCommandBufferAllocateInfo info = {.sType =
                                                  VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                              .commandPool = c->pool,
                                              .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                              .commandBufferCount = 1};
    const VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                            .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT};
    VkCommandBuffer commands;
    VK(vkAllocateCommandBuffers(c->device, &info, &commands));
    VK(vkBeginCommandBuffer(commands, &begin));
    return commands;
}

void commands_run(struct client *c, VkCommandBuffer commands)
{
    const VkSubmitInfo submit = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                                 .commandBufferCount = 1,
                                 .pCommandBuffers = &commands};
    const VkFenceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    VkFence fence;
    VK(vkEndCommandBuffer(commands));
    VK(vkCreateFence(c->device, &info, NULL, &fence));
    VK(vkQueueSubmit(c->queue, 1, &submit, fence));
    VK(vkWaitForFences(c->device, 1, &fence, VK_TRUE, UINT64_MAX));
    vkDestroyFence(c->device, fence, NULL);
    vkFreeCommandBuffers(c->device, c->pool, 1, &commands);
}

VkFence fence_create(struct client *c, bool signalled)
{
    const VkFenceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO,
                                    .flags = signalled ? VK_FENCE_CREATE_SIGNALED_BIT : 0};
    VkFence fence;
    VK(vkCreateFence(c->device, &info, NULL, &fence));
    KEEP(c, FENCE, fence);
    return fence;
}

VkSemaphore semaphore_create(struct client *c, bool timeline, uint64_t value)
{
    const VkSemaphoreTypeCreateInfo type = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
                                            .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE,
                                            .initialValue = value};
    const VkSemaphoreCreateInfo info = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO,
                                        .pNext = timeline ? &type : NULL};
    VkSemaphore semaphore;
    VK(vkCreateSemaphore(c->device, &info, NULL, &semaphore));
    KEEP(c, SEMAPHORE, semaphore);
    return semaphore;
}
