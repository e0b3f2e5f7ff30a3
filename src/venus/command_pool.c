/* venus/command_pool.c - VkCommandBuffer: children of their pool. */
#include "venus/handlers.h"

#include "venus/vn_commands.h"
#include "venus/vn_tables.h"

void vt_venus_vkAllocateCommandBuffers(struct vt_venus_run *run,
                                       struct vn_vkAllocateCommandBuffers *args)
{
    VkCommandBufferAllocateInfo info = *args->pAllocateInfo;
    struct vt_venus_object *pool =
        vt_venus_object_of(run, args->self, (uint64_t)info.commandPool, VK_OBJECT_TYPE_COMMAND_POOL,
                           "VkCommandBufferAllocateInfo.commandPool");
    VkCommandBuffer *buffers =
        vt_venus_alloc_array(&run->in, info.commandBufferCount, sizeof *buffers, 0,
                             "VkCommandBufferAllocateInfo.commandBufferCount");
    if (pool == NULL || buffers == NULL) {
        return;
    }
    info.commandPool = (VkCommandPool)pool->handle;
    args->ret = args->self->device->AllocateCommandBuffers(args->device, &info, buffers);
    for (uint32_t i = 0; args->ret == VK_SUCCESS && i < info.commandBufferCount; i++) {
        if (!vt_venus_add(run, (uint64_t)(uintptr_t)args->pCommandBuffers[i],
                          VK_OBJECT_TYPE_COMMAND_BUFFER, (uint64_t)(uintptr_t)buffers[i], pool,
                          "pCommandBuffers")) {
            return;
        }
    }
}

void vt_venus_vkFreeCommandBuffers(struct vt_venus_run *run, struct vn_vkFreeCommandBuffers *args)
{
    struct vt_venus_objects *objects = vt_venus_context_objects(run->context);
    struct vt_venus_object *pool = vt_venus_object_of(run, args->self, (uint64_t)args->commandPool,
                                                      VK_OBJECT_TYPE_COMMAND_POOL, "commandPool");
    VkCommandBuffer *buffers = vt_venus_alloc_array(&run->in, args->commandBufferCount,
                                                    sizeof *buffers, 0, "commandBufferCount");
    if (pool == NULL || buffers == NULL) {
        return;
    }
    if (args->pCommandBuffers == NULL && args->commandBufferCount != 0) {
        vt_venus_fail(&run->in, VT_VENUS_NULL, "pCommandBuffers", 0, 0);
        return;
    }
    uint32_t n = 0;
    for (uint32_t i = 0; i < args->commandBufferCount; i++) {
        uint64_t id = (uint64_t)(uintptr_t)args->pCommandBuffers[i];
        struct vt_venus_object *buffer =
            vt_venus_objects_find(objects, id, VK_OBJECT_TYPE_COMMAND_BUFFER);
        if (id == 0) {
            continue;
        }
        if (buffer == NULL || buffer->parent != pool) {
            vt_venus_fail(&run->in, VT_VENUS_NO_OBJECT, "pCommandBuffers", id, 0);
            return;
        }
        buffers[n++] = (VkCommandBuffer)(uintptr_t)buffer->handle;
        vt_venus_objects_end(objects, buffer);
    }
    if (n != 0) {
        args->self->device->FreeCommandBuffers(args->device, (VkCommandPool)pool->handle, n,
                                               buffers);
    }
}
