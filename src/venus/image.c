/* venus/image.c - VkImage: created so that host memory can be bound to it where the driver can do
 * that, with DRM format modifiers of our own.
 *
 * VK_EXT_image_drm_format_modifier is carried out here: the one modifier is LINEAR, and such an
 * image is one of VK_IMAGE_TILING_LINEAR whose memory planes are its aspects. Optimal tiling is
 * declared for host memory only where the device has no memory of its own (CPUs, integrated GPUs):
 * elsewhere it would cost compression, or not be possible at all.
 */
#include "venus/memory.h"

#include "venus/vn_commands.h"
#include "venus/vn_tables.h"

#include <stdlib.h>

#define MODIFIER_LINEAR UINT64_C(0)

struct image_plan {
    VkImageCreateInfo info;
    VkExternalMemoryImageCreateInfo host;
    struct vt_venus_types types;
    struct vt_venus_resource resource;
    const VkSubresourceLayout *layout; /* that the guest insists on */
    uint32_t n_layouts;
};

/* Formats of several planes have no others between them. */
static bool multi_planar(VkFormat format)
{
    return (format >= VK_FORMAT_G8_B8_R8_3PLANE_420_UNORM &&
            format <= VK_FORMAT_G8_B8_R8_3PLANE_444_UNORM) ||
           (format >= VK_FORMAT_G10X6_B10X6_R10X6_3PLANE_420_UNORM_3PACK16 &&
            format <= VK_FORMAT_G10X6_B10X6_R10X6_3PLANE_444_UNORM_3PACK16) ||
           (format >= VK_FORMAT_G12X4_B12X4_R12X4_3PLANE_420_UNORM_3PACK16 &&
            format <= VK_FORMAT_G12X4_B12X4_R12X4_3PLANE_444_UNORM_3PACK16) ||
           (format >= VK_FORMAT_G16_B16_R16_3PLANE_420_UNORM &&
            format <= VK_FORMAT_G16_B16_R16_3PLANE_444_UNORM) ||
           (format >= VK_FORMAT_G8_B8R8_2PLANE_444_UNORM &&
            format <= VK_FORMAT_G16_B16R16_2PLANE_444_UNORM);
}

static VkImageAspectFlags aspect_of(const struct vt_venus_resource *resource,
                                    VkImageAspectFlags aspect)
{
    bool planes = multi_planar(resource->format);
    switch (aspect) {
    case VK_IMAGE_ASPECT_MEMORY_PLANE_0_BIT_EXT:
        return planes ? VK_IMAGE_ASPECT_PLANE_0_BIT : VK_IMAGE_ASPECT_COLOR_BIT;
    case VK_IMAGE_ASPECT_MEMORY_PLANE_1_BIT_EXT:
        return planes ? VK_IMAGE_ASPECT_PLANE_1_BIT : VK_IMAGE_ASPECT_COLOR_BIT;
    case VK_IMAGE_ASPECT_MEMORY_PLANE_2_BIT_EXT:
        return planes ? VK_IMAGE_ASPECT_PLANE_2_BIT : VK_IMAGE_ASPECT_COLOR_BIT;
    default:
        return aspect;
    }
}

/* ---- creating ---- */

/* Whether the driver imports host memory for images like this one. */
static bool importable(const struct vt_venus_gpu *gpu, const VkImageCreateInfo *info)
{
    VkImageStencilUsageCreateInfo stencil;
    VkImageFormatListCreateInfo formats;
    VkPhysicalDeviceExternalImageFormatInfo external = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_IMAGE_FORMAT_INFO,
        .handleType = VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT,
    };
    const VkImageStencilUsageCreateInfo *stencil_asked =
        vt_venus_chain_find(info->pNext, VK_STRUCTURE_TYPE_IMAGE_STENCIL_USAGE_CREATE_INFO);
    const VkImageFormatListCreateInfo *formats_asked =
        vt_venus_chain_find(info->pNext, VK_STRUCTURE_TYPE_IMAGE_FORMAT_LIST_CREATE_INFO);
    if (stencil_asked != NULL) {
        stencil = *stencil_asked;
        stencil.pNext = external.pNext;
        external.pNext = &stencil;
    }
    if (formats_asked != NULL) {
        formats = *formats_asked;
        formats.pNext = external.pNext;
        external.pNext = &formats;
    }
    VkPhysicalDeviceImageFormatInfo2 ask = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_IMAGE_FORMAT_INFO_2,
        .pNext = &external,
        .format = info->format,
        .type = info->imageType,
        .tiling = info->tiling,
        .usage = info->usage,
        .flags = info->flags,
    };
    VkExternalImageFormatProperties found = {
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_IMAGE_FORMAT_PROPERTIES};
    VkImageFormatProperties2 answer = {.sType = VK_STRUCTURE_TYPE_IMAGE_FORMAT_PROPERTIES_2,
                                       .pNext = &found};
    return gpu->call->GetPhysicalDeviceImageFormatProperties2(gpu->handle, &ask, &answer) ==
               VK_SUCCESS &&
           (found.externalMemoryProperties.externalMemoryFeatures &
            VK_EXTERNAL_MEMORY_FEATURE_IMPORTABLE_BIT) != 0;
}

/* Takes DRM modifiers out: false where the guest wants another than LINEAR. */
static bool plan_modifier(struct image_plan *plan)
{
    if (plan->info.tiling != VK_IMAGE_TILING_DRM_FORMAT_MODIFIER_EXT) {
        return true;
    }
    bool linear = false;
    const VkImageDrmFormatModifierListCreateInfoEXT *list = vt_venus_chain_find(
        plan->info.pNext, VK_STRUCTURE_TYPE_IMAGE_DRM_FORMAT_MODIFIER_LIST_CREATE_INFO_EXT);
    const VkImageDrmFormatModifierExplicitCreateInfoEXT *one = vt_venus_chain_find(
        plan->info.pNext, VK_STRUCTURE_TYPE_IMAGE_DRM_FORMAT_MODIFIER_EXPLICIT_CREATE_INFO_EXT);
    for (uint32_t i = 0; list != NULL && i < list->drmFormatModifierCount; i++) {
        linear |= list->pDrmFormatModifiers[i] == MODIFIER_LINEAR;
    }
    if (one != NULL) {
        linear |= one->drmFormatModifier == MODIFIER_LINEAR;
        plan->layout = one->pPlaneLayouts;
        plan->n_layouts = one->drmFormatModifierPlaneCount;
    }
    plan->info.tiling = VK_IMAGE_TILING_LINEAR;
    plan->resource.modifier = true;
    return linear;
}

static bool plan_image(struct vt_venus_object *self, const VkImageCreateInfo *info,
                       struct image_plan *plan)
{
    struct vt_venus_device *device = self->state;
    *plan = (struct image_plan){
        .info = *info,
        .host = {.sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_IMAGE_CREATE_INFO,
                 .handleTypes = VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT},
        .types = vt_venus_types_of(device),
        .resource = {.format = info->format,
                     .layers = info->arrayLayers,
                     .sparse = (info->flags & VK_IMAGE_CREATE_SPARSE_BINDING_BIT) != 0},
    };
    const VkExternalMemoryImageCreateInfo *external =
        vt_venus_chain_find(info->pNext, VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_IMAGE_CREATE_INFO);
    plan->resource.external = external != NULL && external->handleTypes != 0;
    if (!plan_modifier(plan)) {
        return false;
    }
    static const VkStructureType ours[] = {
        VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_IMAGE_CREATE_INFO,
        VK_STRUCTURE_TYPE_IMAGE_DRM_FORMAT_MODIFIER_LIST_CREATE_INFO_EXT,
        VK_STRUCTURE_TYPE_IMAGE_DRM_FORMAT_MODIFIER_EXPLICIT_CREATE_INFO_EXT,
    };
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        vt_venus_chain_drop(&plan->info.pNext, ours[i]);
    }
    plan->resource.optimal = plan->info.tiling == VK_IMAGE_TILING_OPTIMAL;
    bool wanted = !plan->resource.optimal || plan->types.local == 0 || plan->resource.external;
    /* Vulkan has no external images that begin with contents. */
    if (plan->types.import != 0 && wanted && !plan->resource.sparse &&
        plan->info.initialLayout == VK_IMAGE_LAYOUT_UNDEFINED &&
        importable(device->gpu, &plan->info)) {
        plan->resource.declared = true;
        plan->host.pNext = plan->info.pNext;
        plan->info.pNext = &plan->host;
    }
    return true;
}

/* Whether the image lies in memory as the guest said it does. */
static bool laid_out(struct vt_venus_object *self, VkImage image, const struct image_plan *plan)
{
    if (plan->layout == NULL) {
        return true;
    }
    for (uint32_t i = 0; i < plan->n_layouts && i < 3; i++) {
        const VkImageSubresource part = {
            .aspectMask = aspect_of(
                &plan->resource, (VkImageAspectFlags)VK_IMAGE_ASPECT_MEMORY_PLANE_0_BIT_EXT << i),
        };
        VkSubresourceLayout found;
        self->device->GetImageSubresourceLayout((VkDevice)(uintptr_t)self->handle, image, &part,
                                                &found);
        if (found.offset != plan->layout[i].offset || found.rowPitch != plan->layout[i].rowPitch) {
            return false;
        }
    }
    return true;
}

void vt_venus_vkCreateImage(struct vt_venus_run *run, struct vn_vkCreateImage *args)
{
    const struct vn_device_table *call = args->self->device;
    struct image_plan plan;
    if (!plan_image(args->self, args->pCreateInfo, &plan)) {
        args->ret = VK_ERROR_INVALID_DRM_FORMAT_MODIFIER_PLANE_LAYOUT_EXT;
        return;
    }
    if (plan.resource.sparse && !vt_venus_types_sparse(&plan.types)) {
        args->ret = VK_ERROR_FEATURE_NOT_PRESENT;
        return;
    }
    VkImage image = VK_NULL_HANDLE;
    args->ret = call->CreateImage(args->device, &plan.info, NULL, &image);
    if (args->ret != VK_SUCCESS) {
        return;
    }
    struct vt_venus_resource *resource = malloc(sizeof *resource);
    if (resource == NULL) {
        args->ret = VK_ERROR_OUT_OF_HOST_MEMORY;
    } else if (!laid_out(args->self, image, &plan)) {
        args->ret = VK_ERROR_INVALID_DRM_FORMAT_MODIFIER_PLANE_LAYOUT_EXT;
    }
    if (args->ret != VK_SUCCESS) {
        call->DestroyImage(args->device, image, NULL);
        free(resource);
        return;
    }
    *resource = plan.resource;
    vt_venus_add_with(run, (uint64_t)*args->pImage, VK_OBJECT_TYPE_IMAGE, (uint64_t)image,
                      args->self, resource, free, "pImage");
}

void vt_venus_end_VkImage(struct vt_venus_object *object)
{
    object->device->DestroyImage((VkDevice)(uintptr_t)object->owner->handle,
                                 (VkImage)object->handle, NULL);
    vt_venus_resource_end(object);
}

/* ---- asking ---- */

void vt_venus_vkGetImageMemoryRequirements(struct vt_venus_run *run,
                                           struct vn_vkGetImageMemoryRequirements *args)
{
    struct vt_venus_object *object =
        vt_venus_object_of(run, args->self, (uint64_t)args->image, VK_OBJECT_TYPE_IMAGE, "image");
    if (object == NULL) {
        return;
    }
    struct vt_venus_types types = vt_venus_types_of(args->self->state);
    VkMemoryRequirements *found = args->pMemoryRequirements;
    args->self->device->GetImageMemoryRequirements(args->device, (VkImage)object->handle, found);
    found->memoryTypeBits = vt_venus_types_shown(&types, object->state, found->memoryTypeBits);
}

/* A plane of the image's memory, in a chain of the command's own. */
static void mend_plane(const struct vt_venus_resource *resource, const void *chain)
{
    VkImagePlaneMemoryRequirementsInfo *plane =
        vt_venus_chain_find(chain, VK_STRUCTURE_TYPE_IMAGE_PLANE_MEMORY_REQUIREMENTS_INFO);
    if (plane != NULL) {
        plane->planeAspect = (VkImageAspectFlagBits)aspect_of(resource, plane->planeAspect);
    }
}

void vt_venus_vkGetImageMemoryRequirements2(struct vt_venus_run *run,
                                            struct vn_vkGetImageMemoryRequirements2 *args)
{
    VkImageMemoryRequirementsInfo2 info = *args->pInfo;
    struct vt_venus_object *object =
        vt_venus_object_of(run, args->self, (uint64_t)info.image, VK_OBJECT_TYPE_IMAGE,
                           "VkImageMemoryRequirementsInfo2.image");
    if (object == NULL) {
        return;
    }
    struct vt_venus_types types = vt_venus_types_of(args->self->state);
    info.image = (VkImage)object->handle;
    mend_plane(object->state, info.pNext);
    args->self->device->GetImageMemoryRequirements2(args->device, &info, args->pMemoryRequirements);
    VkMemoryRequirements *found = &args->pMemoryRequirements->memoryRequirements;
    found->memoryTypeBits = vt_venus_types_shown(&types, object->state, found->memoryTypeBits);
}

void vt_venus_vkGetDeviceImageMemoryRequirements(struct vt_venus_run *run,
                                                 struct vn_vkGetDeviceImageMemoryRequirements *args)
{
    const struct vn_device_table *call = args->self->device;
    if (vt_venus_lacks(run, call->GetDeviceImageMemoryRequirements)) {
        return;
    }
    struct image_plan plan;
    if (!plan_image(args->self, args->pInfo->pCreateInfo, &plan)) {
        args->pMemoryRequirements->memoryRequirements = (VkMemoryRequirements){.alignment = 1};
        return;
    }
    VkDeviceImageMemoryRequirements info = *args->pInfo;
    info.pCreateInfo = &plan.info;
    info.planeAspect = (VkImageAspectFlagBits)aspect_of(&plan.resource, info.planeAspect);
    call->GetDeviceImageMemoryRequirements(args->device, &info, args->pMemoryRequirements);
    VkMemoryRequirements *found = &args->pMemoryRequirements->memoryRequirements;
    found->memoryTypeBits =
        vt_venus_types_shown(&plan.types, &plan.resource, found->memoryTypeBits);
}

void vt_venus_vkGetImageSubresourceLayout(struct vt_venus_run *run,
                                          struct vn_vkGetImageSubresourceLayout *args)
{
    struct vt_venus_object *object =
        vt_venus_object_of(run, args->self, (uint64_t)args->image, VK_OBJECT_TYPE_IMAGE, "image");
    if (object == NULL) {
        return;
    }
    VkImageSubresource part = *args->pSubresource;
    part.aspectMask = aspect_of(object->state, part.aspectMask);
    args->self->device->GetImageSubresourceLayout(args->device, (VkImage)object->handle, &part,
                                                  args->pLayout);
}

void vt_venus_vkGetImageSubresourceLayout2(struct vt_venus_run *run,
                                           struct vn_vkGetImageSubresourceLayout2 *args)
{
    struct vt_venus_object *object =
        vt_venus_object_of(run, args->self, (uint64_t)args->image, VK_OBJECT_TYPE_IMAGE, "image");
    if (object == NULL || vt_venus_lacks(run, args->self->device->GetImageSubresourceLayout2)) {
        return;
    }
    VkImageSubresource2 part = *args->pSubresource;
    part.imageSubresource.aspectMask = aspect_of(object->state, part.imageSubresource.aspectMask);
    args->self->device->GetImageSubresourceLayout2(args->device, (VkImage)object->handle, &part,
                                                   args->pLayout);
}

void vt_venus_vkGetDeviceImageSubresourceLayout(struct vt_venus_run *run,
                                                struct vn_vkGetDeviceImageSubresourceLayout *args)
{
    if (vt_venus_lacks(run, args->self->device->GetDeviceImageSubresourceLayout)) {
        return;
    }
    struct image_plan plan;
    if (!plan_image(args->self, args->pInfo->pCreateInfo, &plan)) {
        args->pLayout->subresourceLayout = (VkSubresourceLayout){0};
        return;
    }
    VkDeviceImageSubresourceInfo info = *args->pInfo;
    VkImageSubresource2 part = *info.pSubresource;
    part.imageSubresource.aspectMask = aspect_of(&plan.resource, part.imageSubresource.aspectMask);
    info.pCreateInfo = &plan.info;
    info.pSubresource = &part;
    args->self->device->GetDeviceImageSubresourceLayout(args->device, &info, args->pLayout);
}

void vt_venus_vkGetImageDrmFormatModifierPropertiesEXT(
    struct vt_venus_run *run, struct vn_vkGetImageDrmFormatModifierPropertiesEXT *args)
{
    struct vt_venus_object *object =
        vt_venus_object_of(run, args->self, (uint64_t)args->image, VK_OBJECT_TYPE_IMAGE, "image");
    if (object != NULL) {
        args->pProperties->drmFormatModifier = MODIFIER_LINEAR;
        args->ret = VK_SUCCESS;
    }
}

/* ---- binding ---- */

static bool prepare(struct vt_venus_run *run, const struct vt_venus_object *self,
                    VkBindImageMemoryInfo *info)
{
    struct vt_venus_object *object = vt_venus_object_of(
        run, self, (uint64_t)info->image, VK_OBJECT_TYPE_IMAGE, "VkBindImageMemoryInfo.image");
    if (object == NULL) {
        return false;
    }
    struct vt_venus_resource *resource = object->state;
    VkBindImagePlaneMemoryInfo *plane =
        vt_venus_chain_find(info->pNext, VK_STRUCTURE_TYPE_BIND_IMAGE_PLANE_MEMORY_INFO);
    VkImagePlaneMemoryRequirementsInfo which = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_PLANE_MEMORY_REQUIREMENTS_INFO};
    VkImageMemoryRequirementsInfo2 ask = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_REQUIREMENTS_INFO_2,
        .image = (VkImage)object->handle,
    };
    VkMemoryRequirements2 answer = {.sType = VK_STRUCTURE_TYPE_MEMORY_REQUIREMENTS_2};
    size_t slot = 0;
    if (plane != NULL) {
        plane->planeAspect = (VkImageAspectFlagBits)aspect_of(resource, plane->planeAspect);
        which.planeAspect = plane->planeAspect;
        ask.pNext = &which;
        slot = plane->planeAspect == VK_IMAGE_ASPECT_PLANE_1_BIT   ? 1
               : plane->planeAspect == VK_IMAGE_ASPECT_PLANE_2_BIT ? 2
                                                                   : 0;
    }
    self->device->GetImageMemoryRequirements2((VkDevice)(uintptr_t)self->handle, &ask, &answer);
    info->image = (VkImage)object->handle;
    return vt_venus_resource_bind(run, object, slot, &answer.memoryRequirements, &info->memory,
                                  info->memoryOffset, "VkBindImageMemoryInfo.memory");
}

void vt_venus_vkBindImageMemory2(struct vt_venus_run *run, struct vn_vkBindImageMemory2 *args)
{
    VkBindImageMemoryInfo *infos = vt_venus_alloc_array(
        &run->in, args->bindInfoCount, sizeof *infos, 0, "vkBindImageMemory2.bindInfoCount");
    if (infos == NULL) {
        return;
    }
    for (uint32_t i = 0; i < args->bindInfoCount; i++) {
        infos[i] = args->pBindInfos[i];
        if (!prepare(run, args->self, &infos[i])) {
            return;
        }
    }
    args->ret = args->self->device->BindImageMemory2(args->device, args->bindInfoCount, infos);
}

void vt_venus_vkBindImageMemory(struct vt_venus_run *run, struct vn_vkBindImageMemory *args)
{
    VkBindImageMemoryInfo info = {.sType = VK_STRUCTURE_TYPE_BIND_IMAGE_MEMORY_INFO,
                                  .image = args->image,
                                  .memory = args->memory,
                                  .memoryOffset = args->memoryOffset};
    if (prepare(run, args->self, &info)) {
        args->ret = args->self->device->BindImageMemory(args->device, info.image, info.memory,
                                                        info.memoryOffset);
    }
}
