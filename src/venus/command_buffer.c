/* venus/command_buffer.c - recorded commands that name queue families.
 *
 * Where VK_EXT_queue_family_foreign is carried out by us the memory in question is this process's
 * own, so giving it to a foreign queue or getting it back is no transfer: the barrier's layouts and
 * scopes stay, its families go.
 */
#include "venus/handlers.h"

#include "venus/vn_commands.h"
#include "venus/vn_tables.h"

/* Structures of the command's own. */
#define WITHOUT_FOREIGN(n, barriers)                                                               \
    for (uint32_t i_ = 0; i_ < (n); i_++) {                                                        \
        if ((barriers)[i_].srcQueueFamilyIndex == VK_QUEUE_FAMILY_FOREIGN_EXT ||                   \
            (barriers)[i_].dstQueueFamilyIndex == VK_QUEUE_FAMILY_FOREIGN_EXT) {                   \
            (barriers)[i_].srcQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED;                          \
            (barriers)[i_].dstQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED;                          \
        }                                                                                          \
    }

static bool emulated(const struct vt_venus_object *self)
{
    const struct vt_venus_device *device = self->owner->state;
    return !device->gpu->foreign;
}

static void mend(uint32_t n_buffers, const VkBufferMemoryBarrier *buffers, uint32_t n_images,
                 const VkImageMemoryBarrier *images)
{
    WITHOUT_FOREIGN(n_buffers, (VkBufferMemoryBarrier *)(uintptr_t)buffers)
    WITHOUT_FOREIGN(n_images, (VkImageMemoryBarrier *)(uintptr_t)images)
}

static void mend2(const VkDependencyInfo *info)
{
    WITHOUT_FOREIGN(info->bufferMemoryBarrierCount,
                    (VkBufferMemoryBarrier2 *)(uintptr_t)info->pBufferMemoryBarriers)
    WITHOUT_FOREIGN(info->imageMemoryBarrierCount,
                    (VkImageMemoryBarrier2 *)(uintptr_t)info->pImageMemoryBarriers)
}

void vt_venus_vkCmdPipelineBarrier(struct vt_venus_run *run, struct vn_vkCmdPipelineBarrier *args)
{
    (void)run;
    if (emulated(args->self)) {
        mend(args->bufferMemoryBarrierCount, args->pBufferMemoryBarriers,
             args->imageMemoryBarrierCount, args->pImageMemoryBarriers);
    }
    args->self->device->CmdPipelineBarrier(
        args->commandBuffer, args->srcStageMask, args->dstStageMask, args->dependencyFlags,
        args->memoryBarrierCount, args->pMemoryBarriers, args->bufferMemoryBarrierCount,
        args->pBufferMemoryBarriers, args->imageMemoryBarrierCount, args->pImageMemoryBarriers);
}

void vt_venus_vkCmdWaitEvents(struct vt_venus_run *run, struct vn_vkCmdWaitEvents *args)
{
    (void)run;
    if (emulated(args->self)) {
        mend(args->bufferMemoryBarrierCount, args->pBufferMemoryBarriers,
             args->imageMemoryBarrierCount, args->pImageMemoryBarriers);
    }
    args->self->device->CmdWaitEvents(args->commandBuffer, args->eventCount, args->pEvents,
                                      args->srcStageMask, args->dstStageMask,
                                      args->memoryBarrierCount, args->pMemoryBarriers,
                                      args->bufferMemoryBarrierCount, args->pBufferMemoryBarriers,
                                      args->imageMemoryBarrierCount, args->pImageMemoryBarriers);
}

void vt_venus_vkCmdPipelineBarrier2(struct vt_venus_run *run, struct vn_vkCmdPipelineBarrier2 *args)
{
    if (vt_venus_lacks(run, args->self->device->CmdPipelineBarrier2)) {
        return;
    }
    if (emulated(args->self)) {
        mend2(args->pDependencyInfo);
    }
    args->self->device->CmdPipelineBarrier2(args->commandBuffer, args->pDependencyInfo);
}

void vt_venus_vkCmdSetEvent2(struct vt_venus_run *run, struct vn_vkCmdSetEvent2 *args)
{
    if (vt_venus_lacks(run, args->self->device->CmdSetEvent2)) {
        return;
    }
    if (emulated(args->self)) {
        mend2(args->pDependencyInfo);
    }
    args->self->device->CmdSetEvent2(args->commandBuffer, args->event, args->pDependencyInfo);
}

void vt_venus_vkCmdWaitEvents2(struct vt_venus_run *run, struct vn_vkCmdWaitEvents2 *args)
{
    if (vt_venus_lacks(run, args->self->device->CmdWaitEvents2)) {
        return;
    }
    for (uint32_t i = 0; emulated(args->self) && i < args->eventCount; i++) {
        mend2(&args->pDependencyInfos[i]);
    }
    args->self->device->CmdWaitEvents2(args->commandBuffer, args->eventCount, args->pEvents,
                                       args->pDependencyInfos);
}
