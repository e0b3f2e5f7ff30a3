/* venus/pipeline.c - VkPipeline: several are made at once, and some of them may fail. */
#include "venus/handlers.h"

#include "venus/vn_commands.h"
#include "venus/vn_tables.h"

/* Ids in, ids out: 0 for those that were not made. */
static void add(struct vt_venus_run *run, struct vt_venus_object *self, uint32_t n,
                const VkPipeline *made, VkPipeline *ids)
{
    for (uint32_t i = 0; i < n; i++) {
        if (made[i] == VK_NULL_HANDLE) {
            ids[i] = VK_NULL_HANDLE;
        } else if (vt_venus_bad(&run->in)) { /* the context ends */
            self->device->DestroyPipeline((VkDevice)(uintptr_t)self->handle, made[i], NULL);
        } else {
            (void)vt_venus_add(run, (uint64_t)ids[i], VK_OBJECT_TYPE_PIPELINE, (uint64_t)made[i],
                               self, "pPipelines");
        }
    }
}

static VkPipeline *room(struct vt_venus_run *run, uint32_t n)
{
    VkPipeline *made = vt_venus_alloc_array(&run->in, n, sizeof *made, 0, "createInfoCount");
    for (uint32_t i = 0; made != NULL && i < n; i++) {
        made[i] = VK_NULL_HANDLE;
    }
    return made;
}

void vt_venus_vkCreateGraphicsPipelines(struct vt_venus_run *run,
                                        struct vn_vkCreateGraphicsPipelines *args)
{
    VkPipeline *made = room(run, args->createInfoCount);
    if (made != NULL) {
        args->ret = args->self->device->CreateGraphicsPipelines(args->device, args->pipelineCache,
                                                                args->createInfoCount,
                                                                args->pCreateInfos, NULL, made);
        add(run, args->self, args->createInfoCount, made, args->pPipelines);
    }
}

void vt_venus_vkCreateComputePipelines(struct vt_venus_run *run,
                                       struct vn_vkCreateComputePipelines *args)
{
    VkPipeline *made = room(run, args->createInfoCount);
    if (made != NULL) {
        args->ret = args->self->device->CreateComputePipelines(args->device, args->pipelineCache,
                                                               args->createInfoCount,
                                                               args->pCreateInfos, NULL, made);
        add(run, args->self, args->createInfoCount, made, args->pPipelines);
    }
}
