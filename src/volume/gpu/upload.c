/* volume/gpu/upload.c - many small uploads become few submissions.
 *
 * A ring of staging slots: uploads are copied into the slot being filled and noted; a slot that is
 * full, or vt_gpu_flush, becomes one submission of copies to the upload queue. A slot is filled
 * again when the device is through with it.
 *
 * The last upload of a byte wins. Copies of one submission run in any order, so one that meets an
 * earlier copy of its slot sends the slot first; a barrier orders the slots.
 */
#include "volume/gpu/parts.h"

#include <string.h>

int vt_gpu_ring_init(struct vt_gpu *gpu, struct vt_error *err)
{
    struct vt_gpu_ring *ring = &gpu->ring;
    int rc = vt_gpu_line_init(gpu, &gpu->uploads, err);
    if (rc != 0) {
        return rc;
    }
    const VkCommandPoolCreateInfo pool = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
        .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
        .queueFamilyIndex = gpu->upload_family,
    };
    VkResult result = vkCreateCommandPool(gpu->device, &pool, NULL, &ring->pool);
    for (unsigned i = 0; i < VT_GPU_SLOTS && result == VK_SUCCESS; i++) {
        const VkCommandBufferAllocateInfo one = {
            .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
            .commandPool = ring->pool,
            .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
            .commandBufferCount = 1,
        };
        result = vkAllocateCommandBuffers(gpu->device, &one, &ring->slot[i].commands);
    }
    if (result != VK_SUCCESS) {
        return vt_gpu_fail(gpu, result, "cannot make command buffers", err);
    }
    return vt_gpu_buffer_create(gpu, VT_GPU_SLOTS * VT_GPU_SLOT_BYTES, VT_GPU_UPLOAD,
                                &ring->staging, err);
}

void vt_gpu_ring_fini(struct vt_gpu *gpu)
{
    vt_gpu_buffer_destroy(gpu->ring.staging);
    vkDestroyCommandPool(gpu->device, gpu->ring.pool, NULL);
    vkDestroySemaphore(gpu->device, gpu->uploads.semaphore, NULL);
}

static void record_copies(struct vt_gpu_ring *ring, VkCommandBuffer commands)
{
    const VkMemoryBarrier before = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
        .srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
        .dstAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
    };
    vkCmdPipelineBarrier(commands, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_PIPELINE_STAGE_TRANSFER_BIT,
                         0, 1, &before, 0, NULL, 0, NULL);
    VkBufferCopy regions[256];
    for (unsigned i = 0; i < ring->n;) {
        VkBuffer to = ring->copies[i].to;
        uint32_t n = 0;
        while (i < ring->n && n < 256 && ring->copies[i].to == to) {
            regions[n++] = ring->copies[i++].region;
        }
        vkCmdCopyBuffer(commands, ring->staging->handle, to, n, regions);
    }
}

int vt_gpu_flush(struct vt_gpu *gpu, struct vt_error *err)
{
    struct vt_gpu_ring *ring = &gpu->ring;
    if (gpu->gone) {
        return vt_fail(err, VT_E_GONE, "%s is gone", gpu->info.name);
    }
    if (ring->n == 0) {
        return 0;
    }
    VkCommandBuffer commands = ring->slot[ring->at].commands;
    const VkCommandBufferBeginInfo begin = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
        .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT,
    };
    VkResult result = vkBeginCommandBuffer(commands, &begin);
    if (result == VK_SUCCESS) {
        record_copies(ring, commands);
        result = vkEndCommandBuffer(commands);
    }
    if (result != VK_SUCCESS) {
        return vt_gpu_fail(gpu, result, "cannot record an upload", err);
    }
    int rc = vt_gpu_submit(gpu, gpu->upload_queue, commands, &gpu->uploads, NULL, err);
    if (rc != 0) {
        return rc;
    }
    ring->slot[ring->at].value = gpu->uploads.submitted;
    ring->at = (ring->at + 1) % VT_GPU_SLOTS;
    ring->used = 0;
    ring->n = 0;
    return 0;
}

/* Whether an earlier copy of this slot writes there too. Pages come in ascending order, so that the
 * first look mostly suffices. */
static bool meets_earlier(const struct vt_gpu_ring *ring, VkBuffer to, uint64_t offset, uint64_t n)
{
    for (unsigned i = 0; i < ring->n && offset < ring->top; i++) {
        const struct vt_gpu_upload_copy *c = &ring->copies[i];
        if (c->to == to && offset < c->region.dstOffset + c->region.size &&
            c->region.dstOffset < offset + n) {
            return true;
        }
    }
    return false;
}

static void note(struct vt_gpu_ring *ring, VkBuffer to, uint64_t offset, uint64_t from, uint64_t n)
{
    struct vt_gpu_upload_copy *last = ring->n > 0 ? &ring->copies[ring->n - 1] : NULL;
    if (last != NULL && last->to == to && last->region.dstOffset + last->region.size == offset &&
        last->region.srcOffset + last->region.size == from) {
        last->region.size += n;
    } else {
        ring->copies[ring->n++] = (struct vt_gpu_upload_copy){
            .to = to,
            .region = {.srcOffset = from, .dstOffset = offset, .size = n},
        };
    }
    if (ring->n == 1 || offset + n > ring->top) {
        ring->top = offset + n;
    }
}

int vt_gpu_upload(struct vt_gpu *gpu, struct vt_gpu_buffer *buffer, uint64_t offset,
                  const void *bytes, uint64_t n, struct vt_error *err)
{
    struct vt_gpu_ring *ring = &gpu->ring;
    int rc = vt_gpu_ready(gpu, err);
    if (rc == 0) {
        rc = vt_gpu_range(buffer, offset, n, err);
    }
    for (const uint8_t *from = bytes; rc == 0 && n > 0;) {
        uint64_t step = VT_GPU_SLOT_BYTES - ring->used;
        step = n < step ? n : step;
        if (step == 0 || ring->n == VT_GPU_SLOT_COPIES ||
            meets_earlier(ring, buffer->handle, offset, step)) {
            rc = vt_gpu_flush(gpu, err);
            continue;
        }
        if (ring->used == 0) {
            rc = vt_gpu_line_wait(gpu, &gpu->uploads, ring->slot[ring->at].value, err);
            if (rc != 0) {
                break;
            }
        }
        uint64_t at = ring->at * VT_GPU_SLOT_BYTES + ring->used;
        memcpy(ring->staging->mapped + at, from, step);
        note(ring, buffer->handle, offset, at, step);
        ring->used += step;
        from += step;
        offset += step;
        n -= step;
    }
    return rc;
}
