/* volume/gpu/work.c - recording commands, submitting them, and waiting no longer than allowed.
 *
 * There is one command buffer, recorded anew for each piece of work, and the host waits for it
 * before it goes on; what overlaps with work of the device is only the gathering of uploads.
 */
#include "volume/gpu/parts.h"

#include <inttypes.h>
#include <string.h>

#define GROUPS_MAX 65535u
#define BEGINNING 0u
#define END (VT_GPU_SPANS + 1u)

/* ---------------------------------------------------------------- submissions */

int vt_gpu_line_init(struct vt_gpu *gpu, struct vt_gpu_line *line, struct vt_error *err)
{
    const VkSemaphoreTypeCreateInfo timeline = {
        .sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
        .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE,
    };
    const VkSemaphoreCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO,
        .pNext = &timeline,
    };
    VkResult result = vkCreateSemaphore(gpu->device, &info, NULL, &line->semaphore);
    return result == VK_SUCCESS ? 0 : vt_gpu_fail(gpu, result, "cannot make a semaphore", err);
}

static VkResult wait_for(struct vt_gpu *gpu, const struct vt_gpu_line *line, uint64_t value)
{
    const VkSemaphoreWaitInfo info = {
        .sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
        .semaphoreCount = 1,
        .pSemaphores = &line->semaphore,
        .pValues = &value,
    };
    return value == 0 ? VK_SUCCESS : vkWaitSemaphores(gpu->device, &info, gpu->wait_ns);
}

int vt_gpu_line_wait(struct vt_gpu *gpu, const struct vt_gpu_line *line, uint64_t value,
                     struct vt_error *err)
{
    VkResult result = wait_for(gpu, line, value);
    if (result == VK_TIMEOUT) {
        gpu->gone = true;
        return vt_fail(err, VT_E_TIMEOUT, "%s did not finish its work in %" PRIu64 " s",
                       gpu->info.name, gpu->wait_ns / 1000000000u);
    }
    return result == VK_SUCCESS ? 0 : vt_gpu_fail(gpu, result, "cannot wait for it", err);
}

int vt_gpu_submit(struct vt_gpu *gpu, VkQueue queue, VkCommandBuffer commands,
                  struct vt_gpu_line *line, const struct vt_gpu_line *after, struct vt_error *err)
{
    const uint64_t value = line->submitted + 1;
    const VkPipelineStageFlags stage = VK_PIPELINE_STAGE_ALL_COMMANDS_BIT;
    const bool waits = after != NULL && after->submitted > 0;
    const VkTimelineSemaphoreSubmitInfo values = {
        .sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO,
        .waitSemaphoreValueCount = waits ? 1 : 0,
        .pWaitSemaphoreValues = waits ? &after->submitted : NULL,
        .signalSemaphoreValueCount = 1,
        .pSignalSemaphoreValues = &value,
    };
    const VkSubmitInfo info = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
        .pNext = &values,
        .waitSemaphoreCount = waits ? 1 : 0,
        .pWaitSemaphores = waits ? &after->semaphore : NULL,
        .pWaitDstStageMask = &stage,
        .commandBufferCount = 1,
        .pCommandBuffers = &commands,
        .signalSemaphoreCount = 1,
        .pSignalSemaphores = &line->semaphore,
    };
    VkResult result = vt_gpu_faults(gpu, VT_GPU_FAULT_LOST)
                          ? VK_ERROR_DEVICE_LOST
                          : vkQueueSubmit(queue, 1, &info, VK_NULL_HANDLE);
    if (result != VK_SUCCESS) {
        return vt_gpu_fail(gpu, result, "cannot submit work", err);
    }
    line->submitted = value;
    return 0;
}

bool vt_gpu_settled(struct vt_gpu *gpu)
{
    /* Uploads that were not sent may lead to what is about to be destroyed. */
    if (gpu->ring.n > 0 && vt_gpu_flush(gpu, NULL) != 0) {
        gpu->ring.n = 0;
    }
    /* A lost device has ended all it did; only one that still works must be left alone. */
    if (!gpu->stuck && (wait_for(gpu, &gpu->uploads, gpu->uploads.submitted) == VK_TIMEOUT ||
                        wait_for(gpu, &gpu->works, gpu->works.submitted) == VK_TIMEOUT)) {
        gpu->gone = gpu->stuck = true;
    }
    return !gpu->stuck;
}

/* ---------------------------------------------------------------- recording */

int vt_gpu_work_init(struct vt_gpu *gpu, struct vt_error *err)
{
    int rc = vt_gpu_line_init(gpu, &gpu->works, err);
    if (rc != 0) {
        return rc;
    }
    const VkCommandPoolCreateInfo pool = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
        .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
        .queueFamilyIndex = gpu->family,
    };
    VkResult result = vkCreateCommandPool(gpu->device, &pool, NULL, &gpu->pool);
    if (result == VK_SUCCESS) {
        const VkCommandBufferAllocateInfo one = {
            .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
            .commandPool = gpu->pool,
            .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
            .commandBufferCount = 1,
        };
        result = vkAllocateCommandBuffers(gpu->device, &one, &gpu->commands);
    }
    if (result == VK_SUCCESS && gpu->ns_per_tick > 0) {
        const VkQueryPoolCreateInfo queries = {
            .sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
            .queryType = VK_QUERY_TYPE_TIMESTAMP,
            .queryCount = END + 1,
        };
        result = vkCreateQueryPool(gpu->device, &queries, NULL, &gpu->timestamps);
    }
    return result == VK_SUCCESS ? 0 : vt_gpu_fail(gpu, result, "cannot make command buffers", err);
}

void vt_gpu_work_fini(struct vt_gpu *gpu)
{
    vkDestroyQueryPool(gpu->device, gpu->timestamps, NULL);
    vkDestroyCommandPool(gpu->device, gpu->pool, NULL);
    vkDestroySemaphore(gpu->device, gpu->works.semaphore, NULL);
}

int vt_gpu_begin(struct vt_gpu *gpu, struct vt_error *err)
{
    int rc = vt_gpu_ready(gpu, err);
    if (rc != 0) {
        return rc;
    }
    const VkCommandBufferBeginInfo begin = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
        .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT,
    };
    VkResult result = vkBeginCommandBuffer(gpu->commands, &begin);
    if (result != VK_SUCCESS) {
        return vt_gpu_fail(gpu, result, "cannot begin work", err);
    }
    gpu->recording = true;
    gpu->failed.code = VT_OK;
    gpu->n_spans = 0;
    if (gpu->timestamps != VK_NULL_HANDLE) {
        vkCmdResetQueryPool(gpu->commands, gpu->timestamps, 0, END + 1);
        vkCmdWriteTimestamp(gpu->commands, VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT, gpu->timestamps,
                            BEGINNING);
    }
    return 0;
}

void vt_gpu_abandon(struct vt_gpu *gpu)
{
    if (gpu->recording) {
        gpu->recording = false;
        vkResetCommandBuffer(gpu->commands, 0);
    }
}

/* Whether a command can be recorded; outside of work that is the caller's mistake. */
static bool open_for_commands(struct vt_gpu *gpu)
{
    return gpu->recording && gpu->failed.code == VT_OK;
}

void vt_gpu_span(struct vt_gpu *gpu, const char *name)
{
    if (!open_for_commands(gpu) || gpu->n_spans == VT_GPU_SPANS) {
        return;
    }
    gpu->span[gpu->n_spans++] = name;
    if (gpu->timestamps != VK_NULL_HANDLE) {
        vkCmdWriteTimestamp(gpu->commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, gpu->timestamps,
                            BEGINNING + gpu->n_spans);
    }
}

void vt_gpu_dispatch(struct vt_gpu *gpu, const struct vt_gpu_program *program, const void *push,
                     uint32_t x, uint32_t y, uint32_t z)
{
    if (!open_for_commands(gpu) || x == 0 || y == 0 || z == 0) {
        return;
    }
    if (x > GROUPS_MAX || y > GROUPS_MAX || z > GROUPS_MAX) {
        vt_fail(&gpu->failed, VT_E_LIMIT, "%u x %u x %u groups are too many for one dispatch", x, y,
                z);
        return;
    }
    vkCmdBindPipeline(gpu->commands, VK_PIPELINE_BIND_POINT_COMPUTE, program->pipeline);
    if (program->push_bytes > 0) {
        vkCmdPushConstants(gpu->commands, program->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0,
                           program->push_bytes, push);
    }
    vkCmdDispatch(gpu->commands, x, y, z);
}

void vt_gpu_copy(struct vt_gpu *gpu, const struct vt_gpu_buffer *from, uint64_t from_offset,
                 struct vt_gpu_buffer *to, uint64_t to_offset, uint64_t n)
{
    if (!open_for_commands(gpu) || n == 0 ||
        vt_gpu_range(from, from_offset, n, &gpu->failed) != 0 ||
        vt_gpu_range(to, to_offset, n, &gpu->failed) != 0) {
        return;
    }
    if (from == to && from_offset < to_offset + n && to_offset < from_offset + n) {
        vt_fail(&gpu->failed, VT_E_INVAL, "a copy within a buffer overlaps itself");
        return;
    }
    const VkBufferCopy region = {from_offset, to_offset, n};
    vkCmdCopyBuffer(gpu->commands, from->handle, to->handle, 1, &region);
}

void vt_gpu_fill(struct vt_gpu *gpu, struct vt_gpu_buffer *buffer, uint64_t offset, uint64_t n,
                 uint32_t word)
{
    if (!open_for_commands(gpu) || n == 0 || vt_gpu_range(buffer, offset, n, &gpu->failed) != 0) {
        return;
    }
    if (offset % 4 != 0 || n % 4 != 0) {
        vt_fail(&gpu->failed, VT_E_INVAL, "only whole words can be filled");
        return;
    }
    vkCmdFillBuffer(gpu->commands, buffer->handle, offset, n, word);
}

static void barrier(struct vt_gpu *gpu, VkPipelineStageFlags to, VkAccessFlags access)
{
    const VkPipelineStageFlags all =
        VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT;
    const VkMemoryBarrier memory = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
        .srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT,
        .dstAccessMask = access,
    };
    vkCmdPipelineBarrier(gpu->commands, all, to, 0, 1, &memory, 0, NULL, 0, NULL);
}

void vt_gpu_barrier(struct vt_gpu *gpu)
{
    if (open_for_commands(gpu)) {
        barrier(gpu, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT,
                VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT |
                    VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT);
    }
}

/* ---------------------------------------------------------------- the end of it */

static int read_times(struct vt_gpu *gpu, struct vt_gpu_times *times, struct vt_error *err)
{
    struct vt_gpu_times read = {.n = gpu->n_spans};
    uint64_t ticks[END + 1] = {0};
    if (gpu->timestamps != VK_NULL_HANDLE) {
        /* Only those of spans that were begun, and the end's, were written. */
        VkResult result =
            vkGetQueryPoolResults(gpu->device, gpu->timestamps, BEGINNING, gpu->n_spans + 1,
                                  sizeof ticks, ticks, sizeof ticks[0], VK_QUERY_RESULT_64_BIT);
        if (result == VK_SUCCESS) {
            result = vkGetQueryPoolResults(gpu->device, gpu->timestamps, END, 1, sizeof ticks[0],
                                           &ticks[gpu->n_spans + 1], sizeof ticks[0],
                                           VK_QUERY_RESULT_64_BIT);
        }
        if (result != VK_SUCCESS) {
            return vt_gpu_fail(gpu, result, "cannot read how long it took", err);
        }
    }
    for (unsigned i = 0; i < gpu->n_spans; i++) {
        uint64_t took = (ticks[i + 2] - ticks[i + 1]) & gpu->timestamp_mask;
        read.span[i].name = gpu->span[i];
        read.span[i].ns = (uint64_t)((double)took * gpu->ns_per_tick);
    }
    uint64_t all = (ticks[gpu->n_spans + 1] - ticks[BEGINNING]) & gpu->timestamp_mask;
    read.gpu_ns = (uint64_t)((double)all * gpu->ns_per_tick);
    *times = read;
    return 0;
}

int vt_gpu_end_and_wait(struct vt_gpu *gpu, struct vt_gpu_times *times, struct vt_error *err)
{
    if (!gpu->recording) {
        return vt_fail(err, VT_E_INVAL, "no work was begun");
    }
    if (gpu->failed.code != VT_OK) {
        vt_gpu_abandon(gpu);
        return vt_fail(err, gpu->failed.code, "%s", gpu->failed.message);
    }
    barrier(gpu, VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT);
    if (gpu->timestamps != VK_NULL_HANDLE) {
        vkCmdWriteTimestamp(gpu->commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, gpu->timestamps,
                            END);
    }
    gpu->recording = false;
    VkResult result = vkEndCommandBuffer(gpu->commands);
    if (result != VK_SUCCESS) {
        return vt_gpu_fail(gpu, result, "cannot record the work", err);
    }
    int rc = vt_gpu_flush(gpu, err);
    if (rc == 0) {
        rc = vt_gpu_submit(gpu, gpu->queue, gpu->commands, &gpu->works, &gpu->uploads, err);
    }
    if (rc == 0) {
        rc = vt_gpu_line_wait(gpu, &gpu->works, gpu->works.submitted, err);
    }
    return rc == 0 && times != NULL ? read_times(gpu, times, err) : rc;
}

int vt_gpu_download(struct vt_gpu *gpu, const struct vt_gpu_buffer *buffer, uint64_t offset,
                    void *bytes, uint64_t n, struct vt_error *err)
{
    int rc = vt_gpu_range(buffer, offset, n, err);
    if (rc != 0 || n == 0) {
        return rc;
    }
    struct vt_gpu_buffer *back;
    rc = vt_gpu_buffer_create(gpu, n, VT_GPU_READBACK, &back, err);
    if (rc != 0) {
        return rc;
    }
    rc = vt_gpu_begin(gpu, err);
    if (rc == 0) {
        vt_gpu_copy(gpu, buffer, offset, back, 0, n);
        rc = vt_gpu_end_and_wait(gpu, NULL, err);
    }
    if (rc == 0) {
        memcpy(bytes, back->mapped, n);
    }
    vt_gpu_buffer_destroy(back);
    return rc;
}
