/* venus/physical_device.c - what a guest asks of a physical device.
 *
 * Most passes through to the host's driver. Handled here: extensions (those of the protocol that
 * the host has, and ours), versions, memory types, and whatever concerns sharing memory and
 * synchronisation with others, which is always ours (gpu.h): dma-bufs are pieces of the heap, their
 * one modifier is LINEAR, sync files are payloads that this side keeps.
 */
#include "venus/device.h"
#include "venus/vn_commands.h"
#include "venus/vn_tables.h"

#include <string.h>

#define MODIFIER_LINEAR UINT64_C(0)
#define SHARED_MEMORY                                                                              \
    (VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT | VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD_BIT)

void vt_venus_vkEnumerateDeviceExtensionProperties(
    struct vt_venus_run *run, struct vn_vkEnumerateDeviceExtensionProperties *args)
{
    (void)run;
    const struct vt_venus_gpu *gpu = args->self->state;
    uint32_t n = gpu->n_shown;
    args->ret = VK_SUCCESS;
    if (args->pLayerName != NULL) {
        args->ret = VK_ERROR_LAYER_NOT_PRESENT;
        n = 0;
    } else if (args->pProperties != NULL) {
        if (*args->pPropertyCount < n) {
            n = *args->pPropertyCount;
            args->ret = VK_INCOMPLETE;
        }
        memcpy(args->pProperties, gpu->shown, n * sizeof *gpu->shown);
    }
    *args->pPropertyCount = n;
}

void vt_venus_vkEnumerateDeviceLayerProperties(struct vt_venus_run *run,
                                               struct vn_vkEnumerateDeviceLayerProperties *args)
{
    (void)run;
    *args->pPropertyCount = 0;
    args->ret = VK_SUCCESS;
}

void vt_venus_vkGetPhysicalDeviceProperties(struct vt_venus_run *run,
                                            struct vn_vkGetPhysicalDeviceProperties *args)
{
    (void)run;
    const struct vt_venus_gpu *gpu = args->self->state;
    gpu->call->GetPhysicalDeviceProperties(gpu->handle, args->pProperties);
    args->pProperties->apiVersion = gpu->api_version;
}

void vt_venus_vkGetPhysicalDeviceProperties2(struct vt_venus_run *run,
                                             struct vn_vkGetPhysicalDeviceProperties2 *args)
{
    (void)run;
    const struct vt_venus_gpu *gpu = args->self->state;
    gpu->call->GetPhysicalDeviceProperties2(gpu->handle, args->pProperties);
    args->pProperties->properties.apiVersion = gpu->api_version;
}

void vt_venus_vkGetPhysicalDeviceMemoryProperties(
    struct vt_venus_run *run, struct vn_vkGetPhysicalDeviceMemoryProperties *args)
{
    (void)run;
    *args->pMemoryProperties = *vt_venus_gpu_memory(args->self->state, NULL);
}

void vt_venus_vkGetPhysicalDeviceMemoryProperties2(
    struct vt_venus_run *run, struct vn_vkGetPhysicalDeviceMemoryProperties2 *args)
{
    (void)run;
    struct vt_venus_gpu *gpu = args->self->state;
    if (args->pMemoryProperties->pNext != NULL) { /* budgets change */
        gpu->call->GetPhysicalDeviceMemoryProperties2(gpu->handle, args->pMemoryProperties);
    }
    args->pMemoryProperties->memoryProperties = *vt_venus_gpu_memory(gpu, NULL);
}

/* Formats with more planes than one have no modifier here. */
static bool planar(VkFormat format)
{
    return (format >= VK_FORMAT_G8B8G8R8_422_UNORM &&
            format <= VK_FORMAT_G16_B16_R16_3PLANE_444_UNORM) ||
           (format >= VK_FORMAT_G8_B8R8_2PLANE_444_UNORM &&
            format <= VK_FORMAT_G16_B16R16_2PLANE_444_UNORM);
}

/* A list that is NULL is asked for its length. */
static uint32_t one_modifier(bool any, const void *list, uint32_t room)
{
    uint32_t n = any ? 1 : 0;
    return list == NULL || room >= n ? n : room;
}

void vt_venus_vkGetPhysicalDeviceFormatProperties2(
    struct vt_venus_run *run, struct vn_vkGetPhysicalDeviceFormatProperties2 *args)
{
    (void)run;
    const struct vt_venus_gpu *gpu = args->self->state;
    VkFormatProperties2 *all = args->pFormatProperties;
    VkDrmFormatModifierPropertiesListEXT *list =
        vt_venus_chain_find(all->pNext, VK_STRUCTURE_TYPE_DRM_FORMAT_MODIFIER_PROPERTIES_LIST_EXT);
    VkDrmFormatModifierPropertiesList2EXT *list2 = vt_venus_chain_find(
        all->pNext, VK_STRUCTURE_TYPE_DRM_FORMAT_MODIFIER_PROPERTIES_LIST_2_EXT);
    VkDrmFormatModifierPropertiesListEXT kept = {0};
    VkDrmFormatModifierPropertiesList2EXT kept2 = {0};
    if (list != NULL) { /* a driver that has modifiers has nothing to write to */
        kept = *list;
        list->pDrmFormatModifierProperties = NULL;
    }
    if (list2 != NULL) {
        kept2 = *list2;
        list2->pDrmFormatModifierProperties = NULL;
    }
    gpu->call->GetPhysicalDeviceFormatProperties2(gpu->handle, args->format, all);
    VkFormatFeatureFlags features = all->formatProperties.linearTilingFeatures;
    bool any = features != 0 && !planar(args->format);
    if (list != NULL) {
        list->pDrmFormatModifierProperties = kept.pDrmFormatModifierProperties;
        list->drmFormatModifierCount =
            one_modifier(any, kept.pDrmFormatModifierProperties, kept.drmFormatModifierCount);
        if (list->pDrmFormatModifierProperties != NULL && list->drmFormatModifierCount > 0) {
            list->pDrmFormatModifierProperties[0] = (VkDrmFormatModifierPropertiesEXT){
                .drmFormatModifier = MODIFIER_LINEAR,
                .drmFormatModifierPlaneCount = 1,
                .drmFormatModifierTilingFeatures = features,
            };
        }
    }
    if (list2 != NULL) {
        list2->pDrmFormatModifierProperties = kept2.pDrmFormatModifierProperties;
        list2->drmFormatModifierCount =
            one_modifier(any, kept2.pDrmFormatModifierProperties, kept2.drmFormatModifierCount);
        if (list2->pDrmFormatModifierProperties != NULL && list2->drmFormatModifierCount > 0) {
            list2->pDrmFormatModifierProperties[0] = (VkDrmFormatModifierProperties2EXT){
                .drmFormatModifier = MODIFIER_LINEAR,
                .drmFormatModifierPlaneCount = 1,
                .drmFormatModifierTilingFeatures = features,
            };
        }
    }
}

static VkExternalMemoryProperties shared_memory(VkExternalMemoryHandleTypeFlags type)
{
    VkExternalMemoryProperties shared = {0};
    if (type != 0 && (type & ~(VkExternalMemoryHandleTypeFlags)SHARED_MEMORY) == 0) {
        shared.externalMemoryFeatures =
            VK_EXTERNAL_MEMORY_FEATURE_EXPORTABLE_BIT | VK_EXTERNAL_MEMORY_FEATURE_IMPORTABLE_BIT;
        shared.exportFromImportedHandleTypes = SHARED_MEMORY;
        shared.compatibleHandleTypes = SHARED_MEMORY;
    }
    return shared;
}

/* An image that leaves the host is a linear one in the heap. */
static bool can_be_shared(const VkPhysicalDeviceImageFormatInfo2 *info,
                          const VkPhysicalDeviceExternalImageFormatInfo *external)
{
    return external == NULL || external->handleType == 0 ||
           (shared_memory(external->handleType).externalMemoryFeatures != 0 &&
            info->tiling == VK_IMAGE_TILING_LINEAR);
}

void vt_venus_vkGetPhysicalDeviceImageFormatProperties2(
    struct vt_venus_run *run, struct vn_vkGetPhysicalDeviceImageFormatProperties2 *args)
{
    (void)run;
    const struct vt_venus_gpu *gpu = args->self->state;
    VkPhysicalDeviceImageFormatInfo2 info = *args->pImageFormatInfo;
    const VkPhysicalDeviceExternalImageFormatInfo *external = vt_venus_chain_find(
        info.pNext, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_IMAGE_FORMAT_INFO);
    bool possible = true;
    if (info.tiling == VK_IMAGE_TILING_DRM_FORMAT_MODIFIER_EXT) {
        const VkPhysicalDeviceImageDrmFormatModifierInfoEXT *modifier = vt_venus_chain_find(
            info.pNext, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_IMAGE_DRM_FORMAT_MODIFIER_INFO_EXT);
        possible = gpu->imports && modifier != NULL &&
                   modifier->drmFormatModifier == MODIFIER_LINEAR && !planar(info.format);
        info.tiling = VK_IMAGE_TILING_LINEAR;
    }
    possible = possible && can_be_shared(&info, external);
    vt_venus_chain_drop(&info.pNext,
                        VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_IMAGE_DRM_FORMAT_MODIFIER_INFO_EXT);
    vt_venus_chain_drop(&info.pNext, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_IMAGE_FORMAT_INFO);
    args->ret = VK_ERROR_FORMAT_NOT_SUPPORTED;
    if (possible) {
        args->ret = gpu->call->GetPhysicalDeviceImageFormatProperties2(
            gpu->handle, &info, args->pImageFormatProperties);
    }
    if (args->ret != VK_SUCCESS) {
        args->pImageFormatProperties->imageFormatProperties = (VkImageFormatProperties){0};
    }
    VkExternalImageFormatProperties *shared = vt_venus_chain_find(
        args->pImageFormatProperties->pNext, VK_STRUCTURE_TYPE_EXTERNAL_IMAGE_FORMAT_PROPERTIES);
    if (shared != NULL) {
        shared->externalMemoryProperties =
            shared_memory(args->ret == VK_SUCCESS && external != NULL ? external->handleType : 0);
    }
}

void vt_venus_vkGetPhysicalDeviceExternalBufferProperties(
    struct vt_venus_run *run, struct vn_vkGetPhysicalDeviceExternalBufferProperties *args)
{
    (void)run;
    const struct vt_venus_gpu *gpu = args->self->state;
    args->pExternalBufferProperties->externalMemoryProperties =
        shared_memory(gpu->imports ? args->pExternalBufferInfo->handleType : 0);
}

void vt_venus_vkGetPhysicalDeviceExternalFenceProperties(
    struct vt_venus_run *run, struct vn_vkGetPhysicalDeviceExternalFenceProperties *args)
{
    (void)run;
    const struct vt_venus_gpu *gpu = args->self->state;
    const VkExternalFenceHandleTypeFlags file = VK_EXTERNAL_FENCE_HANDLE_TYPE_SYNC_FD_BIT;
    VkExternalFenceProperties *properties = args->pExternalFenceProperties;
    bool possible = gpu->imports && args->pExternalFenceInfo->handleType == file;
    properties->exportFromImportedHandleTypes = possible ? file : 0;
    properties->compatibleHandleTypes = possible ? file : 0;
    properties->externalFenceFeatures = possible ? VK_EXTERNAL_FENCE_FEATURE_EXPORTABLE_BIT |
                                                       VK_EXTERNAL_FENCE_FEATURE_IMPORTABLE_BIT
                                                 : 0;
}

void vt_venus_vkGetPhysicalDeviceExternalSemaphoreProperties(
    struct vt_venus_run *run, struct vn_vkGetPhysicalDeviceExternalSemaphoreProperties *args)
{
    (void)run;
    const struct vt_venus_gpu *gpu = args->self->state;
    const VkExternalSemaphoreHandleTypeFlags file = VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_SYNC_FD_BIT;
    const VkSemaphoreTypeCreateInfo *type = vt_venus_chain_find(
        args->pExternalSemaphoreInfo->pNext, VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO);
    VkExternalSemaphoreProperties *properties = args->pExternalSemaphoreProperties;
    bool possible = gpu->imports && args->pExternalSemaphoreInfo->handleType == file &&
                    (type == NULL || type->semaphoreType == VK_SEMAPHORE_TYPE_BINARY);
    properties->exportFromImportedHandleTypes = possible ? file : 0;
    properties->compatibleHandleTypes = possible ? file : 0;
    properties->externalSemaphoreFeatures = possible
                                                ? VK_EXTERNAL_SEMAPHORE_FEATURE_EXPORTABLE_BIT |
                                                      VK_EXTERNAL_SEMAPHORE_FEATURE_IMPORTABLE_BIT
                                                : 0;
}
