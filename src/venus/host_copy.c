/* venus/host_copy.c - copies between images and the guest's memory without a queue
 * (VK_EXT_host_image_copy). Mesa sends the bytes of each region with the command, or asks for them
 * in the reply; how many they must be is worked out here as Vulkan does (Copying Data Between
 * Buffers and Images), since the driver reads and writes that many whatever the guest sent.
 */
#include "venus/handlers.h"
#include "venus/memory.h"
#include "venus/vn_commands.h"
#include "venus/vn_formats.h"
#include "venus/vn_tables.h"

struct copy {
    const struct vt_venus_object *image;
    VkHostImageCopyFlags flags;
    uint32_t row_length, image_height;
    VkImageSubresourceLayers part;
    VkExtent3D extent;
};

struct block {
    uint32_t bytes, width, height;
};

/* Of the aspect that is copied; false: the image has no such aspect. */
static bool block_of(VkFormat image, VkImageAspectFlags aspect, struct block *block)
{
    const struct vn_format *format = vn_format_of(image);
    static const VkImageAspectFlags planes[] = {
        VK_IMAGE_ASPECT_PLANE_0_BIT, VK_IMAGE_ASPECT_PLANE_1_BIT, VK_IMAGE_ASPECT_PLANE_2_BIT};
    for (size_t i = 0; format != NULL && i < 3; i++) {
        if (aspect == planes[i]) {
            format = vn_format_of(format->planes[i]);
        }
    }
    if (format == NULL) {
        return false;
    }
    *block = (struct block){
        .bytes = aspect == VK_IMAGE_ASPECT_DEPTH_BIT     ? format->depth_bytes
                 : aspect == VK_IMAGE_ASPECT_STENCIL_BIT ? format->stencil_bytes
                                                         : format->bytes,
        .width = format->width,
        .height = format->height,
    };
    return block->bytes != 0;
}

static uint32_t layers_of(const struct copy *copy)
{
    const struct vt_venus_resource *resource = copy->image->state;
    if (copy->part.layerCount != VK_REMAINING_ARRAY_LAYERS) {
        return copy->part.layerCount;
    }
    return resource->layers > copy->part.baseArrayLayer
               ? resource->layers - copy->part.baseArrayLayer
               : 0;
}

/* As many bytes as the driver itself lays the layers out in. */
static unsigned __int128 bytes_as_stored(const struct vn_device_table *call, VkDevice device,
                                         const struct copy *copy)
{
    unsigned __int128 sum = 0;
    uint32_t layers = layers_of(copy);
    const struct vt_venus_resource *resource = copy->image->state;
    if (call->GetImageSubresourceLayout2 == NULL ||
        (uint64_t)copy->part.baseArrayLayer + layers > resource->layers) {
        return UINT64_MAX;
    }
    for (uint32_t i = 0; i < layers; i++) {
        const VkImageSubresource2 part = {
            .sType = VK_STRUCTURE_TYPE_IMAGE_SUBRESOURCE_2,
            .imageSubresource = {.aspectMask = copy->part.aspectMask,
                                 .mipLevel = copy->part.mipLevel,
                                 .arrayLayer = copy->part.baseArrayLayer + i}};
        VkSubresourceHostMemcpySize size = {.sType =
                                                VK_STRUCTURE_TYPE_SUBRESOURCE_HOST_MEMCPY_SIZE};
        VkSubresourceLayout2 layout = {.sType = VK_STRUCTURE_TYPE_SUBRESOURCE_LAYOUT_2,
                                       .pNext = &size};
        call->GetImageSubresourceLayout2(device, (VkImage)(uintptr_t)copy->image->handle, &part,
                                         &layout);
        sum += size.size;
    }
    return sum;
}

/* From the first byte to the last that is touched, rows and slices as far apart as asked. */
static unsigned __int128 bytes_of_texels(const struct copy *copy, const struct block *block)
{
    unsigned __int128 width = copy->row_length != 0 ? copy->row_length : copy->extent.width;
    unsigned __int128 height = copy->image_height != 0 ? copy->image_height : copy->extent.height;
    unsigned __int128 row = (width + block->width - 1) / block->width * block->bytes;
    unsigned __int128 slice = (height + block->height - 1) / block->height * row;
    uint32_t layers = layers_of(copy);
    if (layers == 0 || copy->extent.width == 0 || copy->extent.height == 0 ||
        copy->extent.depth == 0) {
        return 0;
    }
    uint64_t slices = (uint64_t)layers * copy->extent.depth;
    uint64_t rows = ((uint64_t)copy->extent.height + block->height - 1) / block->height;
    uint64_t blocks = ((uint64_t)copy->extent.width + block->width - 1) / block->width;
    return (slices - 1) * slice + (rows - 1) * row + blocks * (unsigned __int128)block->bytes;
}

/* Whether `bytes` are enough; a fault that names `member` if not. */
static bool enough(struct vt_venus_run *run, const struct vt_venus_object *device,
                   const struct copy *copy, uint64_t bytes, const char *member)
{
    const struct vt_venus_resource *resource = copy->image->state;
    struct block block;
    if (!block_of(resource->format, copy->part.aspectMask, &block)) {
        vt_venus_fail(&run->in, VT_VENUS_VALUE, "VkImageSubresourceLayers.aspectMask",
                      copy->part.aspectMask, (uint64_t)resource->format);
        return false;
    }
    unsigned __int128 needed =
        (copy->flags & VK_HOST_IMAGE_COPY_MEMCPY) != 0
            ? bytes_as_stored(device->device, (VkDevice)(uintptr_t)device->handle, copy)
            : bytes_of_texels(copy, &block);
    if (needed > bytes) {
        vt_venus_fail(&run->in, VT_VENUS_VALUE, member, bytes,
                      needed > UINT64_MAX ? UINT64_MAX : (uint64_t)needed);
        return false;
    }
    return true;
}

void vt_venus_vkCopyMemoryToImageMESA(struct vt_venus_run *run,
                                      struct vn_vkCopyMemoryToImageMESA *args)
{
    const VkCopyMemoryToImageInfoMESA *info = args->pCopyMemoryToImageInfo;
    struct vt_venus_object *image =
        vt_venus_object_of(run, args->self, (uint64_t)(uintptr_t)info->dstImage,
                           VK_OBJECT_TYPE_IMAGE, "VkCopyMemoryToImageInfoMESA.dstImage");
    VkMemoryToImageCopy *regions =
        vt_venus_alloc_array(&run->in, (uint64_t)info->regionCount + 1, sizeof(*regions), 0,
                             "VkCopyMemoryToImageInfoMESA.regionCount");
    if (image == NULL || regions == NULL ||
        vt_venus_lacks(run, args->self->device->CopyMemoryToImage)) {
        return;
    }
    for (uint32_t i = 0; i < info->regionCount; i++) {
        const VkMemoryToImageCopyMESA *from = &info->pRegions[i];
        const struct copy copy = {.image = image,
                                  .flags = info->flags,
                                  .row_length = from->memoryRowLength,
                                  .image_height = from->memoryImageHeight,
                                  .part = from->imageSubresource,
                                  .extent = from->imageExtent};
        uint64_t bytes = from->pData != NULL ? from->dataSize : 0;
        if (!enough(run, args->self, &copy, bytes, "VkMemoryToImageCopyMESA.dataSize")) {
            return;
        }
        regions[i] = (VkMemoryToImageCopy){.sType = VK_STRUCTURE_TYPE_MEMORY_TO_IMAGE_COPY,
                                           .pHostPointer = from->pData,
                                           .memoryRowLength = from->memoryRowLength,
                                           .memoryImageHeight = from->memoryImageHeight,
                                           .imageSubresource = from->imageSubresource,
                                           .imageOffset = from->imageOffset,
                                           .imageExtent = from->imageExtent};
    }
    const VkCopyMemoryToImageInfo copies = {.sType = VK_STRUCTURE_TYPE_COPY_MEMORY_TO_IMAGE_INFO,
                                            .flags = info->flags,
                                            .dstImage = (VkImage)(uintptr_t)image->handle,
                                            .dstImageLayout = info->dstImageLayout,
                                            .regionCount = info->regionCount,
                                            .pRegions = regions};
    args->ret = args->self->device->CopyMemoryToImage(args->device, &copies);
}

void vt_venus_vkCopyImageToMemoryMESA(struct vt_venus_run *run,
                                      struct vn_vkCopyImageToMemoryMESA *args)
{
    const VkCopyImageToMemoryInfoMESA *info = args->pCopyImageToMemoryInfo;
    struct vt_venus_object *image =
        vt_venus_object_of(run, args->self, (uint64_t)(uintptr_t)info->srcImage,
                           VK_OBJECT_TYPE_IMAGE, "VkCopyImageToMemoryInfoMESA.srcImage");
    if (image == NULL || vt_venus_lacks(run, args->self->device->CopyImageToMemory)) {
        return;
    }
    const struct copy copy = {.image = image,
                              .flags = info->flags,
                              .row_length = info->memoryRowLength,
                              .image_height = info->memoryImageHeight,
                              .part = info->imageSubresource,
                              .extent = info->imageExtent};
    if (!enough(run, args->self, &copy, args->pData != NULL ? args->dataSize : 0, "dataSize")) {
        return;
    }
    const VkImageToMemoryCopy region = {.sType = VK_STRUCTURE_TYPE_IMAGE_TO_MEMORY_COPY,
                                        .pHostPointer = args->pData,
                                        .memoryRowLength = info->memoryRowLength,
                                        .memoryImageHeight = info->memoryImageHeight,
                                        .imageSubresource = info->imageSubresource,
                                        .imageOffset = info->imageOffset,
                                        .imageExtent = info->imageExtent};
    const VkCopyImageToMemoryInfo copies = {.sType = VK_STRUCTURE_TYPE_COPY_IMAGE_TO_MEMORY_INFO,
                                            .flags = info->flags,
                                            .srcImage = (VkImage)(uintptr_t)image->handle,
                                            .srcImageLayout = info->srcImageLayout,
                                            .regionCount = 1,
                                            .pRegions = &region};
    args->ret = args->self->device->CopyImageToMemory(args->device, &copies);
}
