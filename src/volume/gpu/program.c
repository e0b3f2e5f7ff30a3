/* volume/gpu/program.c - compute pipelines without descriptors: push constants are all they get. */
#include "volume/gpu/parts.h"

#include <stdlib.h>

#define CONSTANTS_MAX 16

static int make_pipeline(struct vt_gpu_program *p, VkShaderModule module, const uint32_t *constants,
                         unsigned n_constants, struct vt_error *err)
{
    struct vt_gpu *gpu = p->gpu;
    const VkPushConstantRange push = {VK_SHADER_STAGE_COMPUTE_BIT, 0, p->push_bytes};
    const VkPipelineLayoutCreateInfo layout = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
        .pushConstantRangeCount = p->push_bytes > 0 ? 1 : 0,
        .pPushConstantRanges = &push,
    };
    VkResult result = vkCreatePipelineLayout(gpu->device, &layout, NULL, &p->layout);
    if (result != VK_SUCCESS) {
        return vt_gpu_fail(gpu, result, "cannot make a pipeline's layout", err);
    }
    VkSpecializationMapEntry entries[CONSTANTS_MAX];
    for (uint32_t i = 0; i < n_constants; i++) {
        entries[i] = (VkSpecializationMapEntry){
            .constantID = i, .offset = i * (uint32_t)sizeof(uint32_t), .size = sizeof(uint32_t)};
    }
    const VkSpecializationInfo special = {
        .mapEntryCount = n_constants,
        .pMapEntries = entries,
        .dataSize = n_constants * sizeof(uint32_t),
        .pData = constants,
    };
    const VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .stage =
            {
                .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                .module = module,
                .pName = "main",
                .pSpecializationInfo = n_constants > 0 ? &special : NULL,
            },
        .layout = p->layout,
    };
    result = vkCreateComputePipelines(gpu->device, VK_NULL_HANDLE, 1, &info, NULL, &p->pipeline);
    return result == VK_SUCCESS ? 0 : vt_gpu_fail(gpu, result, "cannot make a pipeline", err);
}

int vt_gpu_program_create(struct vt_gpu *gpu, const uint32_t *spirv, size_t spirv_bytes,
                          uint32_t push_bytes, const uint32_t *constants, unsigned n_constants,
                          struct vt_gpu_program **program, struct vt_error *err)
{
    int rc = vt_gpu_ready(gpu, err);
    if (rc != 0) {
        return rc;
    }
    if (push_bytes > VT_GPU_PUSH_MAX || push_bytes % 4 != 0 || n_constants > CONSTANTS_MAX) {
        return vt_fail(err, VT_E_INVAL, "%u bytes of push constants and %u constants", push_bytes,
                       n_constants);
    }
    struct vt_gpu_program *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for a program's record");
    }
    p->gpu = gpu;
    p->push_bytes = push_bytes;
    const VkShaderModuleCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
        .codeSize = spirv_bytes,
        .pCode = spirv,
    };
    VkShaderModule module = VK_NULL_HANDLE;
    VkResult result = vkCreateShaderModule(gpu->device, &info, NULL, &module);
    rc = result == VK_SUCCESS ? make_pipeline(p, module, constants, n_constants, err)
                              : vt_gpu_fail(gpu, result, "cannot take a shader", err);
    vkDestroyShaderModule(gpu->device, module, NULL);
    if (rc != 0) {
        vt_gpu_program_destroy(p);
        return rc;
    }
    *program = p;
    return 0;
}

void vt_gpu_program_destroy(struct vt_gpu_program *program)
{
    if (program == NULL) {
        return;
    }
    struct vt_gpu *gpu = program->gpu;
    if (vt_gpu_settled(gpu)) {
        vkDestroyPipeline(gpu->device, program->pipeline, NULL);
        vkDestroyPipelineLayout(gpu->device, program->layout, NULL);
    }
    free(program);
}
