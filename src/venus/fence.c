/* venus/fence.c - fences that guests make and wait for.
 *
 * Exporting one as a sync file is the guest's own doing (it asks for a fence on the queue's
 * timeline); what arrives here is that the host's fence has then to be as after an export: reset.
 */
#include "venus/device.h"
#include "venus/vn_commands.h"
#include "venus/vn_mesa.h"

void vt_venus_vkCreateFence(struct vt_venus_run *run, struct vn_vkCreateFence *args)
{
    const struct vn_device_table *call = args->self->device;
    VkFenceCreateInfo info = *args->pCreateInfo;
    VkFence fence = VK_NULL_HANDLE;
    vt_venus_chain_drop(&info.pNext, VK_STRUCTURE_TYPE_EXPORT_FENCE_CREATE_INFO);
    args->ret = call->CreateFence(args->device, &info, NULL, &fence);
    if (args->ret != VK_SUCCESS) {
        return;
    }
    const struct vt_venus_object object = {
        .id = (uint64_t)*args->pFence,
        .type = VK_OBJECT_TYPE_FENCE,
        .handle = (uint64_t)fence,
    };
    args->ret = vt_venus_object_made(run, &object, args->self, "pFence");
    if (args->ret != VK_SUCCESS) {
        call->DestroyFence(args->device, fence, NULL);
    }
}

struct fences {
    const struct vt_venus_device *device;
    uint32_t n;
    const VkFence *list;
    VkBool32 all;
};

static VkResult step(void *arg, uint64_t timeout_ns)
{
    const struct fences *fences = arg;
    return fences->device->table.WaitForFences(fences->device->handle, fences->n, fences->list,
                                               fences->all, timeout_ns);
}

void vt_venus_vkWaitForFences(struct vt_venus_run *run, struct vn_vkWaitForFences *args)
{
    struct vt_venus_device *device = args->self->state;
    struct fences fences = {device, args->fenceCount, args->pFences, args->waitAll};
    args->ret = VK_ERROR_DEVICE_LOST;
    if (args->fenceCount == 0) {
        vt_venus_fail(&run->in, VT_VENUS_VALUE, "fenceCount", args->fenceCount, 0);
        return;
    }
    args->ret = vt_venus_wait(run, device, args->timeout, step, &fences);
}

void vt_venus_vkResetFenceResourceMESA(struct vt_venus_run *run,
                                       struct vn_vkResetFenceResourceMESA *args)
{
    struct vt_venus_device *device = args->self->state;
    VkFence fence = args->fence;
    struct fences fences = {device, 1, &fence, VK_TRUE};
    /* It may be pending, and then must not be reset. */
    if (vt_venus_wait(run, device, UINT64_MAX, step, &fences) == VK_SUCCESS) {
        (void)device->table.ResetFences(device->handle, 1, &fence);
    }
}
