/* venus/descriptors.c - VkDescriptorSet: children of their pool, gone when it is reset. */
#include "venus/handlers.h"

#include "venus/vn_commands.h"
#include "venus/vn_tables.h"

void vt_venus_vkAllocateDescriptorSets(struct vt_venus_run *run,
                                       struct vn_vkAllocateDescriptorSets *args)
{
    VkDescriptorSetAllocateInfo info = *args->pAllocateInfo;
    struct vt_venus_object *pool = vt_venus_object_of(
        run, args->self, (uint64_t)info.descriptorPool, VK_OBJECT_TYPE_DESCRIPTOR_POOL,
        "VkDescriptorSetAllocateInfo.descriptorPool");
    VkDescriptorSet *sets = vt_venus_alloc_array(&run->in, info.descriptorSetCount, sizeof *sets, 0,
                                                 "VkDescriptorSetAllocateInfo.descriptorSetCount");
    if (pool == NULL || sets == NULL) {
        return;
    }
    info.descriptorPool = (VkDescriptorPool)pool->handle;
    args->ret = args->self->device->AllocateDescriptorSets(args->device, &info, sets);
    for (uint32_t i = 0; args->ret == VK_SUCCESS && i < info.descriptorSetCount; i++) {
        if (!vt_venus_add(run, (uint64_t)args->pDescriptorSets[i], VK_OBJECT_TYPE_DESCRIPTOR_SET,
                          (uint64_t)sets[i], pool, "pDescriptorSets")) {
            return;
        }
    }
}

void vt_venus_vkFreeDescriptorSets(struct vt_venus_run *run, struct vn_vkFreeDescriptorSets *args)
{
    struct vt_venus_objects *objects = vt_venus_context_objects(run->context);
    struct vt_venus_object *pool =
        vt_venus_object_of(run, args->self, (uint64_t)args->descriptorPool,
                           VK_OBJECT_TYPE_DESCRIPTOR_POOL, "descriptorPool");
    VkDescriptorSet *sets = vt_venus_alloc_array(&run->in, args->descriptorSetCount, sizeof *sets,
                                                 0, "descriptorSetCount");
    if (pool == NULL || sets == NULL) {
        return;
    }
    if (args->pDescriptorSets == NULL && args->descriptorSetCount != 0) {
        vt_venus_fail(&run->in, VT_VENUS_NULL, "pDescriptorSets", 0, 0);
        return;
    }
    uint32_t n = 0;
    for (uint32_t i = 0; i < args->descriptorSetCount; i++) {
        uint64_t id = (uint64_t)args->pDescriptorSets[i];
        struct vt_venus_object *set =
            vt_venus_objects_find(objects, id, VK_OBJECT_TYPE_DESCRIPTOR_SET);
        if (id == 0) {
            continue;
        }
        if (set == NULL || set->parent != pool) {
            vt_venus_fail(&run->in, VT_VENUS_NO_OBJECT, "pDescriptorSets", id, 0);
            return;
        }
        sets[n++] = (VkDescriptorSet)set->handle;
        vt_venus_objects_end(objects, set);
    }
    args->ret = VK_SUCCESS;
    if (n != 0) {
        args->ret = args->self->device->FreeDescriptorSets(args->device,
                                                           (VkDescriptorPool)pool->handle, n, sets);
    }
}

void vt_venus_vkResetDescriptorPool(struct vt_venus_run *run, struct vn_vkResetDescriptorPool *args)
{
    struct vt_venus_object *pool =
        vt_venus_object_of(run, args->self, (uint64_t)args->descriptorPool,
                           VK_OBJECT_TYPE_DESCRIPTOR_POOL, "descriptorPool");
    if (pool != NULL) {
        vt_venus_objects_end_below(vt_venus_context_objects(run->context), pool);
        args->ret = args->self->device->ResetDescriptorPool(
            args->device, (VkDescriptorPool)pool->handle, args->flags);
    }
}
