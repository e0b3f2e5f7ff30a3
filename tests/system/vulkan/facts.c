/* tests/system/vulkan/facts.c - what a device says of itself, as far as it is the same through
 * Venus. */
#include "client.h"

static void device(struct client *c)
{
    const VkPhysicalDeviceProperties *p = &c->properties.properties;
    printf("vulkan 1.%u, type %d\n", VK_API_VERSION_MINOR(c->api), p->deviceType);
    printf("vulkan-1.3 %s\n", c->api >= VK_API_VERSION_1_3 ? "yes" : "no");
}

static void limits(struct client *c)
{
    const VkPhysicalDeviceLimits *l = &c->properties.properties.limits;
#define WHOLE(name) printf(#name " %llu\n", (unsigned long long)l->name)
#define REAL(name) printf(#name " %g\n", (double)l->name)
    WHOLE(maxImageDimension1D);
    WHOLE(maxImageDimension2D);
    WHOLE(maxImageDimension3D);
    WHOLE(maxImageDimensionCube);
    WHOLE(maxImageArrayLayers);
    WHOLE(maxTexelBufferElements);
    WHOLE(maxUniformBufferRange);
    WHOLE(maxStorageBufferRange);
    WHOLE(maxPushConstantsSize);
    WHOLE(bufferImageGranularity);
    WHOLE(maxBoundDescriptorSets);
    WHOLE(maxPerStageDescriptorSamplers);
    WHOLE(maxPerStageDescriptorStorageBuffers);
    WHOLE(maxPerStageResources);
    WHOLE(maxDescriptorSetUniformBuffersDynamic);
    WHOLE(maxVertexInputAttributes);
    WHOLE(maxVertexInputBindings);
    WHOLE(maxTessellationGenerationLevel);
    WHOLE(maxGeometryOutputVertices);
    WHOLE(maxFragmentOutputAttachments);
    WHOLE(maxComputeSharedMemorySize);
    WHOLE(maxComputeWorkGroupCount[0]);
    WHOLE(maxComputeWorkGroupInvocations);
    WHOLE(maxComputeWorkGroupSize[2]);
    WHOLE(maxDrawIndexedIndexValue);
    WHOLE(maxDrawIndirectCount);
    REAL(maxSamplerLodBias);
    REAL(maxSamplerAnisotropy);
    WHOLE(maxViewports);
    WHOLE(maxViewportDimensions[1]);
    REAL(viewportBoundsRange[0]);
    WHOLE(minTexelBufferOffsetAlignment);
    WHOLE(minUniformBufferOffsetAlignment);
    WHOLE(minStorageBufferOffsetAlignment);
    WHOLE(maxFramebufferWidth);
    WHOLE(maxFramebufferLayers);
    WHOLE(framebufferColorSampleCounts);
    WHOLE(framebufferDepthSampleCounts);
    WHOLE(sampledImageColorSampleCounts);
    WHOLE(storageImageSampleCounts);
    WHOLE(maxColorAttachments);
    WHOLE(timestampComputeAndGraphics);
    REAL(timestampPeriod);
    WHOLE(maxClipDistances);
    WHOLE(discreteQueuePriorities);
    REAL(pointSizeRange[1]);
    REAL(lineWidthRange[1]);
    WHOLE(strictLines);
    WHOLE(standardSampleLocations);
    WHOLE(optimalBufferCopyOffsetAlignment);
    WHOLE(nonCoherentAtomSize);
#undef WHOLE
#undef REAL
    printf("subgroup %u, stages 0x%x, operations 0x%x\n", c->p11.subgroupSize,
           c->p11.subgroupSupportedStages, c->p11.subgroupSupportedOperations);
    printf("views %u, indices %u, point clipping %d\n", c->p11.maxMultiviewViewCount,
           c->p11.maxMultiviewInstanceIndex, c->p11.pointClippingBehavior);
    printf("after bind: samplers %u, buffers %u, images %u\n",
           c->p12.maxDescriptorSetUpdateAfterBindSamplers,
           c->p12.maxDescriptorSetUpdateAfterBindStorageBuffers,
           c->p12.maxDescriptorSetUpdateAfterBindSampledImages);
    printf("resolve depth 0x%x, stencil 0x%x, timeline difference %llu\n",
           c->p12.supportedDepthResolveModes, c->p12.supportedStencilResolveModes,
           (unsigned long long)c->p12.maxTimelineSemaphoreValueDifference);
}

/* Names are for reading; what one side lacks is said as lacking on both (VULKAN_WITHOUT). */
static void features(struct client *c)
{
    const VkPhysicalDeviceFeatures *f = &c->features.features;
#define FEATURE(from, name)                                                                        \
    if (client_offered((from).name, #name)) {                                                      \
        puts(#name);                                                                               \
    }
    FEATURE(*f, fullDrawIndexUint32)
    FEATURE(*f, imageCubeArray)
    FEATURE(*f, independentBlend)
    FEATURE(*f, geometryShader)
    FEATURE(*f, tessellationShader)
    FEATURE(*f, sampleRateShading)
    FEATURE(*f, dualSrcBlend)
    FEATURE(*f, logicOp)
    FEATURE(*f, multiDrawIndirect)
    FEATURE(*f, drawIndirectFirstInstance)
    FEATURE(*f, depthClamp)
    FEATURE(*f, depthBiasClamp)
    FEATURE(*f, fillModeNonSolid)
    FEATURE(*f, wideLines)
    FEATURE(*f, largePoints)
    FEATURE(*f, multiViewport)
    FEATURE(*f, samplerAnisotropy)
    FEATURE(*f, textureCompressionBC)
    FEATURE(*f, occlusionQueryPrecise)
    FEATURE(*f, pipelineStatisticsQuery)
    FEATURE(*f, vertexPipelineStoresAndAtomics)
    FEATURE(*f, fragmentStoresAndAtomics)
    FEATURE(*f, shaderImageGatherExtended)
    FEATURE(*f, shaderStorageImageExtendedFormats)
    FEATURE(*f, shaderClipDistance)
    FEATURE(*f, shaderFloat64)
    FEATURE(*f, shaderInt64)
    FEATURE(*f, shaderInt16)
    FEATURE(*f, sparseBinding)
    FEATURE(*f, sparseResidencyBuffer)
    FEATURE(c->f11, storageBuffer16BitAccess)
    FEATURE(c->f11, multiview)
    FEATURE(c->f11, variablePointers)
    FEATURE(c->f11, samplerYcbcrConversion)
    FEATURE(c->f11, shaderDrawParameters)
    FEATURE(c->f12, drawIndirectCount)
    FEATURE(c->f12, storageBuffer8BitAccess)
    FEATURE(c->f12, shaderFloat16)
    FEATURE(c->f12, shaderInt8)
    FEATURE(c->f12, descriptorIndexing)
    FEATURE(c->f12, samplerFilterMinmax)
    FEATURE(c->f12, scalarBlockLayout)
    FEATURE(c->f12, imagelessFramebuffer)
    FEATURE(c->f12, uniformBufferStandardLayout)
    FEATURE(c->f12, separateDepthStencilLayouts)
    FEATURE(c->f12, hostQueryReset)
    FEATURE(c->f12, timelineSemaphore)
    FEATURE(c->f12, bufferDeviceAddress)
    FEATURE(c->f12, vulkanMemoryModel)
    NEED_API_1_3(c);
    FEATURE(c->f13, inlineUniformBlock)
    FEATURE(c->f13, pipelineCreationCacheControl)
    FEATURE(c->f13, privateData)
    FEATURE(c->f13, shaderDemoteToHelperInvocation)
    FEATURE(c->f13, subgroupSizeControl)
    FEATURE(c->f13, computeFullSubgroups)
    FEATURE(c->f13, synchronization2)
    FEATURE(c->f13, shaderZeroInitializeWorkgroupMemory)
    FEATURE(c->f13, dynamicRendering)
    FEATURE(c->f13, shaderIntegerDotProduct)
    FEATURE(c->f13, maintenance4)
#undef FEATURE
}

static void queues_and_memory(struct client *c)
{
    VkQueueFamilyProperties2 families[16];
    uint32_t n = COUNT(families);
    for (uint32_t i = 0; i < n; i++) {
        families[i] =
            (VkQueueFamilyProperties2){.sType = VK_STRUCTURE_TYPE_QUEUE_FAMILY_PROPERTIES_2};
    }
    vkGetPhysicalDeviceQueueFamilyProperties2(c->physical, &n, families);
    for (uint32_t i = 0; i < n; i++) {
        const VkQueueFamilyProperties *f = &families[i].queueFamilyProperties;
        /* Video and protected memory are nothing that goes through Venus. */
        printf("queues: flags 0x%x, %u, timestamp bits %u, granularity %u\n", f->queueFlags & 0xfU,
               f->queueCount, f->timestampValidBits, f->minImageTransferGranularity.width);
    }
    bool mapped = false, local = false;
    for (uint32_t i = 0; i < c->memory.memoryTypeCount; i++) {
        VkMemoryPropertyFlags flags = c->memory.memoryTypes[i].propertyFlags;
        mapped |= (flags & HOST_MEMORY) == HOST_MEMORY;
        local |= (flags & VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT) != 0;
        EXPECT(c->memory.memoryTypes[i].heapIndex < c->memory.memoryHeapCount);
        EXPECT(c->memory.memoryHeaps[c->memory.memoryTypes[i].heapIndex].size != 0);
    }
    printf("memory of the host %d, of the device %d\n", mapped, local);
}

static void formats(struct client *c)
{
    for (int format = VK_FORMAT_R4G4_UNORM_PACK8; format <= VK_FORMAT_ASTC_12x12_SRGB_BLOCK;
         format++) {
        VkFormatProperties p;
        VkImageFormatProperties image = {.maxMipLevels = 0};
        vkGetPhysicalDeviceFormatProperties(c->physical, (VkFormat)format, &p);
        VkResult result = vkGetPhysicalDeviceImageFormatProperties(
            c->physical, (VkFormat)format, VK_IMAGE_TYPE_2D, VK_IMAGE_TILING_OPTIMAL,
            VK_IMAGE_USAGE_SAMPLED_BIT | VK_IMAGE_USAGE_TRANSFER_DST_BIT, 0, &image);
        printf("%d: %x %x %x %d %u %u %u %x\n", format, p.linearTilingFeatures,
               p.optimalTilingFeatures, p.bufferFeatures, result, image.maxExtent.width,
               image.maxMipLevels, image.maxArrayLayers, image.sampleCounts);
    }
}

static void image_formats(struct client *c)
{
    const VkFormat some[] = {VK_FORMAT_R8G8B8A8_UNORM, VK_FORMAT_R8G8B8A8_SRGB,
                             VK_FORMAT_B8G8R8A8_UNORM, VK_FORMAT_R16G16B16A16_SFLOAT,
                             VK_FORMAT_D32_SFLOAT,     VK_FORMAT_BC7_UNORM_BLOCK,
                             VK_FORMAT_R32_UINT,       VK_FORMAT_S8_UINT};
    const VkImageUsageFlags usages[] = {VK_IMAGE_USAGE_SAMPLED_BIT, VK_IMAGE_USAGE_STORAGE_BIT,
                                        VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT,
                                        VK_IMAGE_USAGE_DEPTH_STENCIL_ATTACHMENT_BIT};
    for (size_t f = 0; f < COUNT(some); f++) {
        for (int type = VK_IMAGE_TYPE_1D; type <= VK_IMAGE_TYPE_3D; type++) {
            for (int tiling = VK_IMAGE_TILING_OPTIMAL; tiling <= VK_IMAGE_TILING_LINEAR; tiling++) {
                for (size_t u = 0; u < COUNT(usages); u++) {
                    const VkPhysicalDeviceImageFormatInfo2 info = {
                        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_IMAGE_FORMAT_INFO_2,
                        .format = some[f],
                        .type = (VkImageType)type,
                        .tiling = (VkImageTiling)tiling,
                        .usage = usages[u]};
                    VkImageFormatProperties2 p = {.sType =
                                                      VK_STRUCTURE_TYPE_IMAGE_FORMAT_PROPERTIES_2};
                    VkResult result =
                        vkGetPhysicalDeviceImageFormatProperties2(c->physical, &info, &p);
                    EXPECT(result == VK_SUCCESS || result == VK_ERROR_FORMAT_NOT_SUPPORTED);
                    printf("%d %d %d %x: %s %u\n", some[f], type, tiling, usages[u],
                           result_name(result),
                           result == VK_SUCCESS ? p.imageFormatProperties.maxMipLevels : 0);
                }
            }
        }
    }
}

int main(void)
{
    static const struct client_case cases[] = {
        {"device", device},     {"limits", limits},
        {"features", features}, {"queues-and-memory", queues_and_memory},
        {"formats", formats},   {"image-formats", image_formats},
    };
    return client_main(NULL, cases, COUNT(cases));
}
