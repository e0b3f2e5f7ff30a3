/* Bytes of commands and replies, written down by hand from what Mesa's encoders (its
 * src/virtio/venus-protocol) put into a stream: every rule of the format at least once.
 */
#include "tests/unit/harness.h"
#include "venus/vn_commands.h"

#include <string.h>

/* What is expected, a value after the other. */
struct bytes {
    uint8_t at[1024];
    size_t size;
};
static void u32(struct bytes *to, uint32_t value)
{
    memcpy(to->at + to->size, &value, 4);
    to->size += 4;
}
static void u64(struct bytes *to, uint64_t value)
{
    memcpy(to->at + to->size, &value, 8);
    to->size += 8;
}
static void f32(struct bytes *to, float value)
{
    memcpy(to->at + to->size, &value, 4);
    to->size += 4;
}
/* A string's or blob's bytes, with zeros up to a multiple of 4. */
static void raw(struct bytes *to, const void *from, size_t size)
{
    size_t padded = (size + 3) & ~(size_t)3;
    memset(to->at + to->size, 0, padded);
    memcpy(to->at + to->size, from, size);
    to->size += padded;
}

/* The library's own needs every handler. */
vt_venus_end_fn *vt_venus_end_of(VkObjectType type)
{
    (void)type;
    return NULL;
}

static struct vt_venus_out out;
static struct vt_venus_arena arena;
static struct vt_venus_in in;

static int setup(void **state)
{
    (void)state;
    vt_venus_out_init(&out, 1 << 16);
    vt_venus_arena_init(&arena, 1 << 20);
    return 0;
}
static int teardown(void **state)
{
    (void)state;
    vt_venus_out_fini(&out);
    vt_venus_arena_fini(&arena);
    return 0;
}
static void expect(const struct bytes *expected)
{
    size_t size = (size_t)(out.at - out.start);
    for (size_t i = 0; i + 4 <= size && i + 4 <= expected->size; i += 4) {
        if (memcmp(out.start + i, expected->at + i, 4) != 0) {
            fail_msg("byte %zu: %02x%02x%02x%02x, not %02x%02x%02x%02x", i, out.start[i + 3],
                     out.start[i + 2], out.start[i + 1], out.start[i], expected->at[i + 3],
                     expected->at[i + 2], expected->at[i + 1], expected->at[i]);
        }
    }
    assert_int_equal(size, expected->size);
}
static struct vt_venus_in *reader(const struct bytes *bytes, size_t from)
{
    in = (struct vt_venus_in){.start = bytes->at,
                              .at = bytes->at + from,
                              .end = bytes->at + bytes->size,
                              .arena = &arena};
    return &in;
}

#define DEVICE ((VkDevice)(uintptr_t)0xd00d)
#define COMMANDS ((VkCommandBuffer)(uintptr_t)0xcb)

static void test_strings_and_pointers(void **state)
{
    (void)state;
    static const char *const names[] = {"VK_KHR_x", "abc"};
    VkApplicationInfo application = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                     .pApplicationName = "game",
                                     .applicationVersion = 3,
                                     .apiVersion = VK_API_VERSION_1_3};
    VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                 .pApplicationInfo = &application,
                                 .enabledExtensionCount = 2,
                                 .ppEnabledExtensionNames = names};
    VkInstance instance = (VkInstance)(uintptr_t)0x1234;
    struct vn_vkCreateInstance args = {.pCreateInfo = &info, .pInstance = &instance};
    vn_encode_vkCreateInstance(&out, VK_COMMAND_GENERATE_REPLY_BIT_EXT, &args);
    struct bytes e = {.size = 0};
    u32(&e, 0), u32(&e, 1); /* vkCreateInstance, with a reply */
    u64(&e, 1), u32(&e, VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO), u64(&e, 0), u32(&e, 0);
    u64(&e, 1), u32(&e, VK_STRUCTURE_TYPE_APPLICATION_INFO), u64(&e, 0);
    u64(&e, 5), raw(&e, "game", 5), u32(&e, 3), u64(&e, 0), u32(&e, 0);
    u32(&e, VK_API_VERSION_1_3);
    u32(&e, 0), u64(&e, 0); /* layers */
    u32(&e, 2), u64(&e, 2), u64(&e, 9), raw(&e, "VK_KHR_x", 9), u64(&e, 4), raw(&e, "abc", 4);
    u64(&e, 0);                  /* pAllocator */
    u64(&e, 1), u64(&e, 0x1234); /* the id of what is made */
    expect(&e);
    struct vn_vkCreateInstance read;
    assert_true(vn_decode_vkCreateInstance(reader(&e, 8), &read));
    assert_string_equal(read.pCreateInfo->ppEnabledExtensionNames[1], "abc");
    assert_ptr_equal(*read.pInstance, instance);
}

/* sTypes of a chain come first, what its structures hold last one first. */
static void test_chain(void **state)
{
    (void)state;
    VkImportMemoryResourceInfoMESA import = {
        .sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_RESOURCE_INFO_MESA, .resourceId = 77};
    VkExportMemoryAllocateInfo export = {
        .sType = VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO, .pNext = &import, .handleTypes = 2};
    VkMemoryAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                 .pNext = &export,
                                 .allocationSize = 4096,
                                 .memoryTypeIndex = 5};
    VkDeviceMemory memory = (VkDeviceMemory)(uintptr_t)9;
    struct vn_vkAllocateMemory args = {
        .device = DEVICE, .pAllocateInfo = &info, .pMemory = &memory};
    vn_encode_vkAllocateMemory(&out, 0, &args);
    struct bytes e = {.size = 0};
    u32(&e, 21), u32(&e, 0), u64(&e, 0xd00d), u64(&e, 1);
    u32(&e, VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO);
    u64(&e, 1), u32(&e, VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO);
    u64(&e, 1), u32(&e, 1000384002), u64(&e, 0);
    u32(&e, 77), u32(&e, 2), u64(&e, 4096), u32(&e, 5);
    u64(&e, 0), u64(&e, 1), u64(&e, 9);
    expect(&e);
    struct vn_vkAllocateMemory read;
    assert_true(vn_decode_vkAllocateMemory(reader(&e, 8), &read));
    const VkExportMemoryAllocateInfo *first = read.pAllocateInfo->pNext;
    assert_int_equal(first->handleTypes, 2);
    const VkImportMemoryResourceInfoMESA *second = first->pNext;
    assert_int_equal(second->resourceId, 77);
    assert_null(second->pNext);
}

/* A structure that may not stand in this chain is a fault that says where and which. */
static void test_chain_refused(void **state)
{
    (void)state;
    struct bytes e = {.size = 0};
    u64(&e, 0xd00d), u64(&e, 1), u32(&e, VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO);
    u64(&e, 1), u32(&e, VK_STRUCTURE_TYPE_APPLICATION_INFO), u64(&e, 0);
    struct vn_vkAllocateMemory read;
    assert_false(vn_decode_vkAllocateMemory(reader(&e, 0), &read));
    assert_int_equal(in.fault.kind, VT_VENUS_STRUCT);
    assert_int_equal(in.fault.value, VK_STRUCTURE_TYPE_APPLICATION_INFO);
    assert_string_equal(in.fault.member, "VkMemoryAllocateInfo.pNext");
}

/* A chain that does not end within its bound. */
static void test_chain_endless(void **state)
{
    (void)state;
    struct vt_venus_out long_chain;
    vt_venus_out_init(&long_chain, 1 << 20);
    vt_venus_put_u64(&long_chain, 0xd00d);
    vt_venus_put_u64(&long_chain, 1);
    vt_venus_put_u32(&long_chain, VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO);
    for (int i = 0; i < 10000; i++) {
        vt_venus_put_u64(&long_chain, 1);
        vt_venus_put_u32(&long_chain, VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO);
    }
    in = (struct vt_venus_in){
        .start = long_chain.start, .at = long_chain.start, .end = long_chain.at, .arena = &arena};
    struct vn_vkAllocateMemory read;
    assert_false(vn_decode_vkAllocateMemory(&in, &read));
    assert_int_equal(in.fault.kind, VT_VENUS_COUNT);
    vt_venus_out_fini(&long_chain);
}

/* The indices of an exclusive buffer do not count, whatever the pointer is. */
static void test_ignored_array(void **state)
{
    (void)state;
    const uint32_t families[] = {1, 2};
    VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                               .size = 64,
                               .usage = VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                               .sharingMode = VK_SHARING_MODE_EXCLUSIVE,
                               .queueFamilyIndexCount = 2,
                               .pQueueFamilyIndices = families};
    VkBuffer buffer = (VkBuffer)(uintptr_t)3;
    struct vn_vkCreateBuffer args = {.device = DEVICE, .pCreateInfo = &info, .pBuffer = &buffer};
    vn_encode_vkCreateBuffer(&out, 0, &args);
    struct bytes e = {.size = 0};
    u32(&e, 50), u32(&e, 0), u64(&e, 0xd00d), u64(&e, 1);
    u32(&e, VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO), u64(&e, 0), u32(&e, 0), u64(&e, 64);
    u32(&e, 2), u32(&e, 0), u32(&e, 2), u64(&e, 0);
    u64(&e, 0), u64(&e, 1), u64(&e, 3);
    expect(&e);
    info.sharingMode = VK_SHARING_MODE_CONCURRENT;
    out.at = out.start;
    vn_encode_vkCreateBuffer(&out, 0, &args);
    assert_int_equal(out.at - out.start, e.size + 8);
}

static void test_blob_and_union(void **state)
{
    (void)state;
    struct vn_vkCmdPushConstants push = {.commandBuffer = COMMANDS,
                                         .layout = (VkPipelineLayout)(uintptr_t)4,
                                         .stageFlags = 1,
                                         .offset = 8,
                                         .size = 5,
                                         .pValues = "12345"};
    vn_encode_vkCmdPushConstants(&out, 0, &push);
    VkClearColorValue color = {.uint32 = {1, 2, 3, 4}};
    VkImageSubresourceRange range = {1, 2, 3, 4, 5};
    struct vn_vkCmdClearColorImage clear = {.commandBuffer = COMMANDS,
                                            .image = (VkImage)(uintptr_t)6,
                                            .imageLayout = VK_IMAGE_LAYOUT_GENERAL,
                                            .pColor = &color,
                                            .rangeCount = 1,
                                            .pRanges = &range};
    vn_encode_vkCmdClearColorImage(&out, 0, &clear);
    struct bytes e = {.size = 0};
    u32(&e, 132), u32(&e, 0), u64(&e, 0xcb), u64(&e, 4), u32(&e, 1), u32(&e, 8), u32(&e, 5);
    u64(&e, 5), raw(&e, "12345", 5);
    u32(&e, 119), u32(&e, 0), u64(&e, 0xcb), u64(&e, 6), u32(&e, 1);
    u64(&e, 1), u32(&e, 2), u64(&e, 4), u32(&e, 1), u32(&e, 2), u32(&e, 3), u32(&e, 4);
    u32(&e, 1), u64(&e, 1), u32(&e, 1), u32(&e, 2), u32(&e, 3), u32(&e, 4), u32(&e, 5);
    expect(&e);
}

static void test_fixed_array_and_shader(void **state)
{
    (void)state;
    struct vn_vkCmdSetBlendConstants blend = {.commandBuffer = COMMANDS,
                                              .blendConstants = {0.5f, 1, 2, 3}};
    vn_encode_vkCmdSetBlendConstants(&out, 0, &blend);
    const uint32_t code[] = {0x07230203, 1};
    VkShaderModuleCreateInfo info = {.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
                                     .codeSize = sizeof(code),
                                     .pCode = code};
    VkShaderModule module = (VkShaderModule)(uintptr_t)5;
    struct vn_vkCreateShaderModule shader = {
        .device = DEVICE, .pCreateInfo = &info, .pShaderModule = &module};
    vn_encode_vkCreateShaderModule(&out, 0, &shader);
    struct bytes e = {.size = 0};
    u32(&e, 98), u32(&e, 0), u64(&e, 0xcb), u64(&e, 4);
    f32(&e, 0.5f), f32(&e, 1), f32(&e, 2), f32(&e, 3);
    u32(&e, 59), u32(&e, 0), u64(&e, 0xd00d), u64(&e, 1);
    u32(&e, VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO), u64(&e, 0), u32(&e, 0);
    u64(&e, 8), u64(&e, 2), u32(&e, 0x07230203), u32(&e, 1);
    u64(&e, 0), u64(&e, 1), u64(&e, 5);
    expect(&e);
}

/* The samples say how many words a mask has. */
static void test_sample_mask(void **state)
{
    (void)state;
    const VkSampleMask mask[] = {0xf0f0f0f0, 0xff};
    struct vn_vkCmdSetSampleMaskEXT args = {
        .commandBuffer = COMMANDS, .samples = VK_SAMPLE_COUNT_64_BIT, .pSampleMask = mask};
    vn_encode_vkCmdSetSampleMaskEXT(&out, 0, &args);
    struct bytes e = {.size = 0};
    u32(&e, 260), u32(&e, 0), u64(&e, 0xcb), u32(&e, 64), u64(&e, 2);
    u32(&e, 0xf0f0f0f0), u32(&e, 0xff);
    expect(&e);
}

/* Of what a command returns, only lengths of its arrays, sTypes and the chain are sent. */
static void test_returned_structures(void **state)
{
    (void)state;
    VkPhysicalDeviceMemoryProperties memory = {.memoryTypeCount = 9};
    struct vn_vkGetPhysicalDeviceMemoryProperties plain = {
        .physicalDevice = (VkPhysicalDevice)(uintptr_t)2, .pMemoryProperties = &memory};
    vn_encode_vkGetPhysicalDeviceMemoryProperties(&out, 1, &plain);
    VkPhysicalDeviceVulkan11Features features = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES, .multiview = VK_TRUE};
    VkPhysicalDeviceFeatures2 features2 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
                                           .pNext = &features};
    struct vn_vkGetPhysicalDeviceFeatures2 chained = {
        .physicalDevice = (VkPhysicalDevice)(uintptr_t)2, .pFeatures = &features2};
    vn_encode_vkGetPhysicalDeviceFeatures2(&out, 1, &chained);
    struct bytes e = {.size = 0};
    u32(&e, 8), u32(&e, 1), u64(&e, 2), u64(&e, 1), u64(&e, 32), u64(&e, 16);
    u32(&e, 147), u32(&e, 1), u64(&e, 2), u64(&e, 1);
    u32(&e, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2);
    u64(&e, 1), u32(&e, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES), u64(&e, 0);
    expect(&e);
    struct vn_vkGetPhysicalDeviceFeatures2 read;
    assert_true(vn_decode_vkGetPhysicalDeviceFeatures2(reader(&e, 48), &read));
    const VkPhysicalDeviceVulkan11Features *link = read.pFeatures->pNext;
    assert_int_equal(link->sType, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES);
    assert_false(link->multiview);
}

/* Counts go in and come out; arrays and blobs of a reply have theirs before them. */
static void test_counts_in_and_out(void **state)
{
    (void)state;
    uint32_t count = 2;
    VkPhysicalDevice devices[] = {(VkPhysicalDevice)(uintptr_t)10, (VkPhysicalDevice)(uintptr_t)11};
    struct vn_vkEnumeratePhysicalDevices list = {.instance = (VkInstance)(uintptr_t)1,
                                                 .pPhysicalDeviceCount = &count,
                                                 .pPhysicalDevices = devices,
                                                 .ret = VK_INCOMPLETE};
    vn_encode_vkEnumeratePhysicalDevices(&out, 1, &list);
    struct bytes e = {.size = 0};
    u32(&e, 2), u32(&e, 1), u64(&e, 1), u64(&e, 1), u32(&e, 2), u64(&e, 2), u64(&e, 10);
    u64(&e, 11);
    expect(&e);

    count = 1;
    out.at = out.start;
    vn_reply_vkEnumeratePhysicalDevices(&out, &list);
    e.size = 0;
    u32(&e, 2), u32(&e, VK_INCOMPLETE), u64(&e, 1), u32(&e, 1), u64(&e, 1), u64(&e, 10);
    expect(&e);

    size_t size = 6;
    uint8_t data[6] = "cache";
    struct vn_vkGetPipelineCacheData cache = {.device = DEVICE,
                                              .pipelineCache = (VkPipelineCache)(uintptr_t)8,
                                              .pDataSize = &size,
                                              .pData = data};
    out.at = out.start;
    vn_encode_vkGetPipelineCacheData(&out, 1, &cache);
    vn_reply_vkGetPipelineCacheData(&out, &cache);
    e.size = 0;
    u32(&e, 63), u32(&e, 1), u64(&e, 0xd00d), u64(&e, 8), u64(&e, 1), u64(&e, 6), u64(&e, 6);
    u32(&e, 63), u32(&e, 0), u64(&e, 1), u64(&e, 6), u64(&e, 6), raw(&e, data, 6);
    expect(&e);
}

/* A null handle and an array of them, 8 bytes each; what is too many or too few is a fault. */
static void test_submission(void **state)
{
    (void)state;
    VkSemaphore wait = (VkSemaphore)(uintptr_t)21;
    VkPipelineStageFlags stage = 0x400;
    VkCommandBuffer commands = COMMANDS;
    VkSubmitInfo info = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                         .waitSemaphoreCount = 1,
                         .pWaitSemaphores = &wait,
                         .pWaitDstStageMask = &stage,
                         .commandBufferCount = 1,
                         .pCommandBuffers = &commands};
    struct vn_vkQueueSubmit args = {
        .queue = (VkQueue)(uintptr_t)7, .submitCount = 1, .pSubmits = &info};
    vn_encode_vkQueueSubmit(&out, 0, &args);
    struct bytes e = {.size = 0};
    u32(&e, 18), u32(&e, 0), u64(&e, 7), u32(&e, 1), u64(&e, 1);
    u32(&e, VK_STRUCTURE_TYPE_SUBMIT_INFO), u64(&e, 0);
    u32(&e, 1), u64(&e, 1), u64(&e, 21), u64(&e, 1), u32(&e, 0x400);
    u32(&e, 1), u64(&e, 1), u64(&e, 0xcb), u32(&e, 0), u64(&e, 0), u64(&e, 0);
    expect(&e);
    e.at[8 + 8 + 4 + 8 + 4 + 8 + 4] = 2; /* two semaphores, says their number; one, the structure */
    struct vn_vkQueueSubmit read;
    assert_false(vn_decode_vkQueueSubmit(reader(&e, 8), &read));
    assert_int_equal(in.fault.kind, VT_VENUS_COUNT);
    assert_string_equal(in.fault.member, "VkSubmitInfo.pWaitSemaphores");
    assert_int_equal(in.fault.value, 2);
    assert_int_equal(in.fault.other, 1);
}

/* Strided draws arrive without gaps, and their stride says so, whatever the guest wrote. */
static void test_stride(void **state)
{
    (void)state;
    struct bytes e = {.size = 0};
    u64(&e, 0xcb), u32(&e, 2), u64(&e, 2), u32(&e, 0), u32(&e, 3), u32(&e, 3), u32(&e, 6);
    u32(&e, 1), u32(&e, 0), u32(&e, 0x7fffffff);
    struct vn_vkCmdDrawMultiEXT read;
    assert_true(vn_decode_vkCmdDrawMultiEXT(reader(&e, 0), &read));
    assert_int_equal(read.stride, sizeof(VkMultiDrawInfoEXT));
    assert_int_equal(read.pVertexInfo[1].vertexCount, 6);
}

/* Pointers to pointers, and a union whose tag another member tells. */
static void test_geometries(void **state)
{
    (void)state;
    VkAccelerationStructureGeometryKHR geometry = {
        .sType = VK_STRUCTURE_TYPE_ACCELERATION_STRUCTURE_GEOMETRY_KHR,
        .geometryType = VK_GEOMETRY_TYPE_AABBS_KHR,
        .geometry.aabbs = {.sType =
                               VK_STRUCTURE_TYPE_ACCELERATION_STRUCTURE_GEOMETRY_AABBS_DATA_KHR,
                           .data.deviceAddress = 0x1000,
                           .stride = 24}};
    const VkAccelerationStructureGeometryKHR *geometries[] = {&geometry};
    VkAccelerationStructureBuildGeometryInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_ACCELERATION_STRUCTURE_BUILD_GEOMETRY_INFO_KHR,
        .geometryCount = 1,
        .ppGeometries = geometries};
    VkAccelerationStructureBuildRangeInfoKHR range = {1, 2, 3, 4};
    const VkAccelerationStructureBuildRangeInfoKHR *ranges[] = {&range};
    struct vn_vkCmdBuildAccelerationStructuresKHR args = {
        .commandBuffer = COMMANDS, .infoCount = 1, .pInfos = &info, .ppBuildRangeInfos = ranges};
    vn_encode_vkCmdBuildAccelerationStructuresKHR(&out, 0, &args);
    struct bytes e = {.size = 0};
    u32(&e, 306), u32(&e, 0), u64(&e, 0xcb), u32(&e, 1), u64(&e, 1);
    u32(&e, (uint32_t)info.sType), u64(&e, 0), u32(&e, 0), u32(&e, 0), u32(&e, 0);
    u64(&e, 0), u64(&e, 0), u32(&e, 1), u64(&e, 0); /* no pGeometries */
    u64(&e, 1), u64(&e, 1), u32(&e, (uint32_t)geometry.sType), u64(&e, 0);
    u32(&e, VK_GEOMETRY_TYPE_AABBS_KHR), u32(&e, VK_GEOMETRY_TYPE_AABBS_KHR);
    u32(&e, (uint32_t)geometry.geometry.aabbs.sType), u64(&e, 0);
    u32(&e, 0), u64(&e, 0x1000), u64(&e, 24), u32(&e, 0);
    u32(&e, 0), u64(&e, 0); /* scratchData: an address */
    u64(&e, 1), u64(&e, 1), u32(&e, 1), u32(&e, 2), u32(&e, 3), u32(&e, 4);
    expect(&e);
}

/* Descriptors that the type asks for and the guest left out: drivers would read them. */
static void test_write_without_descriptors(void **state)
{
    (void)state;
    VkDescriptorBufferInfo buffer = {.range = 4};
    VkWriteDescriptorSet write = {.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                  .descriptorCount = 1,
                                  .descriptorType = VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER,
                                  .pBufferInfo = &buffer};
    struct vn_vkUpdateDescriptorSets args = {
        .device = DEVICE, .descriptorWriteCount = 1, .pDescriptorWrites = &write};
    struct vn_vkUpdateDescriptorSets read;
    vn_encode_vkUpdateDescriptorSets(&out, 0, &args);
    in = (struct vt_venus_in){
        .start = out.start, .at = out.start + 8, .end = out.at, .arena = &arena};
    assert_true(vn_decode_vkUpdateDescriptorSets(&in, &read));
    static const VkDescriptorType types[] = {
        VK_DESCRIPTOR_TYPE_SAMPLER, VK_DESCRIPTOR_TYPE_STORAGE_TEXEL_BUFFER,
        VK_DESCRIPTOR_TYPE_INLINE_UNIFORM_BLOCK, VK_DESCRIPTOR_TYPE_ACCELERATION_STRUCTURE_KHR};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        write.descriptorType = types[i];
        out.at = out.start;
        vn_encode_vkUpdateDescriptorSets(&out, 0, &args);
        in = (struct vt_venus_in){
            .start = out.start, .at = out.start + 8, .end = out.at, .arena = &arena};
        assert_false(vn_decode_vkUpdateDescriptorSets(&in, &read));
        assert_int_equal(in.fault.kind, VT_VENUS_NULL);
    }
}

int main(void)
{
#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        test(test_strings_and_pointers),
        test(test_chain),
        test(test_chain_refused),
        test(test_chain_endless),
        test(test_ignored_array),
        test(test_blob_and_union),
        test(test_fixed_array_and_shader),
        test(test_sample_mask),
        test(test_returned_structures),
        test(test_counts_in_and_out),
        test(test_submission),
        test(test_stride),
        test(test_geometries),
        test(test_write_without_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
