/* cli/bench_venus_decode.c - what a recorded command costs us: a stream of the usual ones, carried
 * out by a context whose driver does nothing. */
#include "cli/bench_venus.h"

#include "base/io.h"
#include "cli/bench.h"
#include "venus/device.h"
#include "venus/vn_commands.h"
#include "venus/vn_tables.h"

#include <stdlib.h>

#define ROUNDS 25u
#define GROUPS 400u
#define STREAM_MAX ((size_t)1 << 20)

enum id { DEVICE = 1, COMMANDS, PIPELINE, LAYOUT, SET, VERTICES, INDICES };

static void do_nothing(void)
{
}

static int add(struct vt_venus_objects *objects, uint64_t id, VkObjectType type,
               struct vt_venus_object *parent, struct vt_error *err)
{
    struct vt_venus_object *object;
    return vt_venus_objects_add(objects, id, type, id * 0x1000, parent, &object, err);
}

static int make_objects(struct vt_venus_objects *objects, struct vt_error *err)
{
    static struct vt_venus_gpu gpu = {.foreign = true};
    static struct vt_venus_device state = {.gpu = &gpu};
    struct vn_device_table *table = calloc(1, sizeof *table);
    struct vt_venus_object *device = calloc(1, sizeof *device);
    if (table == NULL || device == NULL) {
        free(table);
        free(device);
        return vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    PFN_vkVoidFunction *calls = (PFN_vkVoidFunction *)table; /* it has nothing else */
    for (size_t i = 0; i < sizeof *table / sizeof *calls; i++) {
        calls[i] = do_nothing;
    }
    *device = (struct vt_venus_object){.id = DEVICE,
                                       .type = VK_OBJECT_TYPE_DEVICE,
                                       .handle = 0x1000,
                                       .device = table,
                                       .state = &state};
    int rc = vt_venus_objects_put(objects, device, NULL, err);
    rc = rc != 0 ? rc : add(objects, COMMANDS, VK_OBJECT_TYPE_COMMAND_BUFFER, device, err);
    rc = rc != 0 ? rc : add(objects, PIPELINE, VK_OBJECT_TYPE_PIPELINE, device, err);
    rc = rc != 0 ? rc : add(objects, LAYOUT, VK_OBJECT_TYPE_PIPELINE_LAYOUT, device, err);
    rc = rc != 0 ? rc : add(objects, SET, VK_OBJECT_TYPE_DESCRIPTOR_SET, device, err);
    rc = rc != 0 ? rc : add(objects, VERTICES, VK_OBJECT_TYPE_BUFFER, device, err);
    return rc != 0 ? rc : add(objects, INDICES, VK_OBJECT_TYPE_BUFFER, device, err);
}

/* Returns how many commands it has written. */
static unsigned write_group(struct vt_venus_out *out)
{
    static const float constants[16] = {1, 2, 3};
    static const VkViewport viewport = {0, 0, 1920, 1080, 0, 1};
    static const VkRect2D scissor = {{0, 0}, {1920, 1080}};
    static const VkDeviceSize offsets[2] = {0, 4096};
    static const uint32_t dynamic = 256;
    static const VkMemoryBarrier barrier = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER};
    VkCommandBuffer commands = (VkCommandBuffer)(uintptr_t)COMMANDS;
    VkDescriptorSet set = (VkDescriptorSet)(uintptr_t)SET;
    const VkBuffer buffers[2] = {(VkBuffer)(uintptr_t)VERTICES, (VkBuffer)(uintptr_t)VERTICES};
    VkPipelineLayout layout = (VkPipelineLayout)(uintptr_t)LAYOUT;
    vn_encode_vkCmdBindPipeline(
        out, 0,
        &(struct vn_vkCmdBindPipeline){.commandBuffer = commands,
                                       .pipeline = (VkPipeline)(uintptr_t)PIPELINE});
    vn_encode_vkCmdBindDescriptorSets(
        out, 0,
        &(struct vn_vkCmdBindDescriptorSets){.commandBuffer = commands,
                                             .layout = layout,
                                             .descriptorSetCount = 1,
                                             .pDescriptorSets = &set,
                                             .dynamicOffsetCount = 1,
                                             .pDynamicOffsets = &dynamic});
    vn_encode_vkCmdPushConstants(out, 0,
                                 &(struct vn_vkCmdPushConstants){.commandBuffer = commands,
                                                                 .layout = layout,
                                                                 .stageFlags = VK_SHADER_STAGE_ALL,
                                                                 .size = sizeof constants,
                                                                 .pValues = constants});
    vn_encode_vkCmdSetViewport(out, 0,
                               &(struct vn_vkCmdSetViewport){.commandBuffer = commands,
                                                             .viewportCount = 1,
                                                             .pViewports = &viewport});
    vn_encode_vkCmdSetScissor(out, 0,
                              &(struct vn_vkCmdSetScissor){.commandBuffer = commands,
                                                           .scissorCount = 1,
                                                           .pScissors = &scissor});
    vn_encode_vkCmdBindVertexBuffers(out, 0,
                                     &(struct vn_vkCmdBindVertexBuffers){.commandBuffer = commands,
                                                                         .bindingCount = 2,
                                                                         .pBuffers = buffers,
                                                                         .pOffsets = offsets});
    vn_encode_vkCmdBindIndexBuffer(
        out, 0,
        &(struct vn_vkCmdBindIndexBuffer){.commandBuffer = commands,
                                          .buffer = (VkBuffer)(uintptr_t)INDICES});
    vn_encode_vkCmdDrawIndexed(out, 0,
                               &(struct vn_vkCmdDrawIndexed){.commandBuffer = commands,
                                                             .indexCount = 36,
                                                             .instanceCount = 1});
    vn_encode_vkCmdDispatch(
        out, 0,
        &(struct vn_vkCmdDispatch){
            .commandBuffer = commands, .groupCountX = 8, .groupCountY = 8, .groupCountZ = 1});
    vn_encode_vkCmdPipelineBarrier(out, 0,
                                   &(struct vn_vkCmdPipelineBarrier){.commandBuffer = commands,
                                                                     .memoryBarrierCount = 1,
                                                                     .pMemoryBarriers = &barrier});
    return 10;
}

int vt_bench_venus_decode(double *ns_per_command, struct vt_error *err)
{
    struct vt_venus_renderer *renderer;
    struct vt_venus_context *context;
    struct vt_venus_out out;
    double times[ROUNDS];
    unsigned n = 0;
    int rc = vt_venus_renderer_create(NULL, &renderer, err);
    rc = rc != 0 ? rc : vt_venus_context_create(renderer, 1, "bench", NULL, &context, err);
    rc = rc != 0 ? rc : make_objects(vt_venus_context_objects(context), err);
    if (rc != 0) {
        return rc;
    }
    vt_venus_out_init(&out, STREAM_MAX);
    for (unsigned i = 0; i < GROUPS; i++) {
        n += write_group(&out);
    }
    if (out.overflow) {
        return vt_fail(err, VT_E_LIMIT, "the stream is too long");
    }
    for (unsigned i = 0; rc == 0 && i < ROUNDS; i++) {
        uint64_t began = vt_now_ns();
        rc = vt_venus_context_submit(context, out.start, (size_t)(out.at - out.start), err);
        times[i] = (double)(vt_now_ns() - began) / n;
    }
    vt_venus_out_fini(&out);
    if (rc == 0) {
        *ns_per_command = vt_bench_median(times, ROUNDS);
    }
    return rc;
}
