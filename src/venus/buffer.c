/* venus/buffer.c - VkBuffer: created so that host memory can be bound to it, and bound.
 *
 * Vulkan wants a buffer to be told when it is made that imported host memory will be bound to it.
 * Guests cannot know, so every buffer is, where the driver can do that without keeping it out of
 * the device's own memory.
 */
#include "venus/memory.h"

#include "venus/vn_commands.h"
#include "venus/vn_tables.h"

#include <stdlib.h>

struct buffer_plan {
    VkBufferCreateInfo info;
    VkExternalMemoryBufferCreateInfo host;
    struct vt_venus_types types;
    struct vt_venus_resource resource;
};

static void declare(struct buffer_plan *plan, bool declared)
{
    plan->resource.declared = declared;
    plan->info.pNext = declared ? &plan->host : plan->host.pNext;
}

static void plan_buffer(struct vt_venus_object *self, const VkBufferCreateInfo *info,
                        struct buffer_plan *plan)
{
    struct vt_venus_device *device = self->state;
    *plan = (struct buffer_plan){
        .info = *info,
        .host = {.sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO,
                 .handleTypes = VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT},
        .types = vt_venus_types_of(device),
        .resource = {.sparse = (info->flags & VK_BUFFER_CREATE_SPARSE_BINDING_BIT) != 0},
    };
    const VkExternalMemoryBufferCreateInfo *external =
        vt_venus_chain_find(info->pNext, VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO);
    plan->resource.external = external != NULL && external->handleTypes != 0;
    vt_venus_chain_drop(&plan->info.pNext, VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO);
    plan->host.pNext = plan->info.pNext;
    if (plan->types.import == 0 || plan->resource.sparse) {
        return;
    }
    const VkBufferUsageFlags2CreateInfo *usage =
        vt_venus_chain_find(plan->info.pNext, VK_STRUCTURE_TYPE_BUFFER_USAGE_FLAGS_2_CREATE_INFO);
    VkBufferUsageFlags2CreateInfo usage_copy;
    VkPhysicalDeviceExternalBufferInfo ask = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_BUFFER_INFO,
        .flags = info->flags,
        .usage = info->usage,
        .handleType = VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT,
    };
    if (usage != NULL) {
        usage_copy = *usage;
        usage_copy.pNext = NULL;
        ask.pNext = &usage_copy;
    }
    VkExternalBufferProperties answer = {.sType = VK_STRUCTURE_TYPE_EXTERNAL_BUFFER_PROPERTIES};
    device->gpu->call->GetPhysicalDeviceExternalBufferProperties(device->gpu->handle, &ask,
                                                                 &answer);
    declare(plan, (answer.externalMemoryProperties.externalMemoryFeatures &
                   VK_EXTERNAL_MEMORY_FEATURE_IMPORTABLE_BIT) != 0);
}

/* Whether a declared buffer is better made without. */
static bool kept_out(const struct buffer_plan *plan, uint32_t bits)
{
    return plan->resource.declared && !plan->resource.external && plan->types.local != 0 &&
           (bits & plan->types.local) == 0;
}

void vt_venus_vkCreateBuffer(struct vt_venus_run *run, struct vn_vkCreateBuffer *args)
{
    const struct vn_device_table *call = args->self->device;
    struct buffer_plan plan;
    plan_buffer(args->self, args->pCreateInfo, &plan);
    if (plan.resource.sparse && !vt_venus_types_sparse(&plan.types)) {
        args->ret = VK_ERROR_FEATURE_NOT_PRESENT;
        return;
    }
    VkBuffer buffer = VK_NULL_HANDLE;
    args->ret = call->CreateBuffer(args->device, &plan.info, NULL, &buffer);
    if (args->ret == VK_SUCCESS && plan.types.local != 0 && plan.resource.declared) {
        VkMemoryRequirements requirements;
        call->GetBufferMemoryRequirements(args->device, buffer, &requirements);
        if (kept_out(&plan, requirements.memoryTypeBits)) {
            call->DestroyBuffer(args->device, buffer, NULL);
            declare(&plan, false);
            args->ret = call->CreateBuffer(args->device, &plan.info, NULL, &buffer);
        }
    }
    if (args->ret != VK_SUCCESS) {
        return;
    }
    struct vt_venus_resource *resource = malloc(sizeof *resource);
    if (resource == NULL) {
        call->DestroyBuffer(args->device, buffer, NULL);
        args->ret = VK_ERROR_OUT_OF_HOST_MEMORY;
        return;
    }
    *resource = plan.resource;
    vt_venus_add_with(run, (uint64_t)*args->pBuffer, VK_OBJECT_TYPE_BUFFER, (uint64_t)buffer,
                      args->self, resource, free, "pBuffer");
}

void vt_venus_end_VkBuffer(struct vt_venus_object *object)
{
    object->device->DestroyBuffer((VkDevice)(uintptr_t)object->owner->handle,
                                  (VkBuffer)object->handle, NULL);
    vt_venus_resource_end(object);
}

/* ---- requirements ---- */

void vt_venus_vkGetBufferMemoryRequirements(struct vt_venus_run *run,
                                            struct vn_vkGetBufferMemoryRequirements *args)
{
    struct vt_venus_object *object = vt_venus_object_of(run, args->self, (uint64_t)args->buffer,
                                                        VK_OBJECT_TYPE_BUFFER, "buffer");
    if (object == NULL) {
        return;
    }
    struct vt_venus_types types = vt_venus_types_of(args->self->state);
    VkMemoryRequirements *found = args->pMemoryRequirements;
    args->self->device->GetBufferMemoryRequirements(args->device, (VkBuffer)object->handle, found);
    found->memoryTypeBits = vt_venus_types_shown(&types, object->state, found->memoryTypeBits);
}

void vt_venus_vkGetBufferMemoryRequirements2(struct vt_venus_run *run,
                                             struct vn_vkGetBufferMemoryRequirements2 *args)
{
    VkBufferMemoryRequirementsInfo2 info = *args->pInfo;
    struct vt_venus_object *object =
        vt_venus_object_of(run, args->self, (uint64_t)info.buffer, VK_OBJECT_TYPE_BUFFER,
                           "VkBufferMemoryRequirementsInfo2.buffer");
    if (object == NULL) {
        return;
    }
    struct vt_venus_types types = vt_venus_types_of(args->self->state);
    info.buffer = (VkBuffer)object->handle;
    args->self->device->GetBufferMemoryRequirements2(args->device, &info,
                                                     args->pMemoryRequirements);
    VkMemoryRequirements *found = &args->pMemoryRequirements->memoryRequirements;
    found->memoryTypeBits = vt_venus_types_shown(&types, object->state, found->memoryTypeBits);
}

void vt_venus_vkGetDeviceBufferMemoryRequirements(
    struct vt_venus_run *run, struct vn_vkGetDeviceBufferMemoryRequirements *args)
{
    const struct vn_device_table *call = args->self->device;
    if (vt_venus_lacks(run, call->GetDeviceBufferMemoryRequirements)) {
        return;
    }
    struct buffer_plan plan;
    plan_buffer(args->self, args->pInfo->pCreateInfo, &plan);
    VkDeviceBufferMemoryRequirements info = *args->pInfo;
    info.pCreateInfo = &plan.info;
    VkMemoryRequirements *found = &args->pMemoryRequirements->memoryRequirements;
    call->GetDeviceBufferMemoryRequirements(args->device, &info, args->pMemoryRequirements);
    if (kept_out(&plan, found->memoryTypeBits)) {
        declare(&plan, false);
        call->GetDeviceBufferMemoryRequirements(args->device, &info, args->pMemoryRequirements);
    }
    found->memoryTypeBits =
        vt_venus_types_shown(&plan.types, &plan.resource, found->memoryTypeBits);
}

/* ---- binding ---- */

/* Puts the host's handles into `info`. */
static bool prepare(struct vt_venus_run *run, const struct vt_venus_object *self,
                    VkBindBufferMemoryInfo *info)
{
    struct vt_venus_object *object = vt_venus_object_of(
        run, self, (uint64_t)info->buffer, VK_OBJECT_TYPE_BUFFER, "VkBindBufferMemoryInfo.buffer");
    if (object == NULL) {
        return false;
    }
    VkMemoryRequirements requirements;
    self->device->GetBufferMemoryRequirements((VkDevice)(uintptr_t)self->handle,
                                              (VkBuffer)object->handle, &requirements);
    info->buffer = (VkBuffer)object->handle;
    return vt_venus_resource_bind(run, object, 0, &requirements, &info->memory, info->memoryOffset,
                                  "VkBindBufferMemoryInfo.memory");
}

void vt_venus_vkBindBufferMemory2(struct vt_venus_run *run, struct vn_vkBindBufferMemory2 *args)
{
    VkBindBufferMemoryInfo *infos = vt_venus_alloc_array(
        &run->in, args->bindInfoCount, sizeof *infos, 0, "vkBindBufferMemory2.bindInfoCount");
    if (infos == NULL) {
        return;
    }
    for (uint32_t i = 0; i < args->bindInfoCount; i++) {
        infos[i] = args->pBindInfos[i];
        if (!prepare(run, args->self, &infos[i])) {
            return;
        }
    }
    args->ret = args->self->device->BindBufferMemory2(args->device, args->bindInfoCount, infos);
}

void vt_venus_vkBindBufferMemory(struct vt_venus_run *run, struct vn_vkBindBufferMemory *args)
{
    VkBindBufferMemoryInfo info = {.sType = VK_STRUCTURE_TYPE_BIND_BUFFER_MEMORY_INFO,
                                   .buffer = args->buffer,
                                   .memory = args->memory,
                                   .memoryOffset = args->memoryOffset};
    if (prepare(run, args->self, &info)) {
        args->ret = args->self->device->BindBufferMemory(args->device, info.buffer, info.memory,
                                                         info.memoryOffset);
    }
}
