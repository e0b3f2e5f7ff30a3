/* Copies between images and the guest's memory without a queue, as Mesa 25.1 and later send them,
 * on whichever driver is here; skipped where it has no VK_EXT_host_image_copy.
 */
#include "tests/unit/harness.h"

#include "tests/unit/venus/guest_gpu.h"
#include "tests/unit/venus/guest_group.h"

#define IMAGE (GUEST_FREE_ID + 0)
#define MEMORY (GUEST_FREE_ID + 1)
#define HOST_DEVICE (GUEST_FREE_ID + 2)
#define WIDTH 8u
#define HEIGHT 4u

/* A device that copies; false: the driver cannot. */
static bool make_device(struct guest *guest)
{
    VkPhysicalDeviceHostImageCopyFeatures copies = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_HOST_IMAGE_COPY_FEATURES};
    VkPhysicalDeviceFeatures2 features = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
                                          .pNext = &copies};
    struct vn_vkGetPhysicalDeviceFeatures2 get = {
        .physicalDevice = ID(VkPhysicalDevice, GPU_PHYSICAL), .pFeatures = &features};
    GUEST_CALL(guest, vkGetPhysicalDeviceFeatures2, &get);
    const VkPhysicalDeviceHostImageCopyFeatures *found = get.pFeatures->pNext;
    if (!found->hostImageCopy) {
        return false;
    }
    static const float priority = 1;
    static const char *const names[] = {VK_EXT_HOST_IMAGE_COPY_EXTENSION_NAME,
                                        VK_KHR_COPY_COMMANDS_2_EXTENSION_NAME,
                                        VK_KHR_FORMAT_FEATURE_FLAGS_2_EXTENSION_NAME};
    const VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                           .queueCount = 1,
                                           .pQueuePriorities = &priority};
    copies.hostImageCopy = VK_TRUE;
    const VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                     .pNext = &copies,
                                     .queueCreateInfoCount = 1,
                                     .pQueueCreateInfos = &queue,
                                     .enabledExtensionCount = 3,
                                     .ppEnabledExtensionNames = names};
    VkDevice device = ID(VkDevice, HOST_DEVICE);
    struct vn_vkCreateDevice create = {.physicalDevice = ID(VkPhysicalDevice, GPU_PHYSICAL),
                                       .pCreateInfo = &info,
                                       .pDevice = &device};
    GUEST_CALL(guest, vkCreateDevice, &create);
    assert_int_equal(create.ret, VK_SUCCESS);
    return true;
}

#define COPIER ID(VkDevice, HOST_DEVICE)

/* Two layers of 8 x 4 texels of 4 bytes, in the layout in which they are copied. */
static void make_image(struct guest *guest)
{
    const VkImageCreateInfo info = {.sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
                                    .imageType = VK_IMAGE_TYPE_2D,
                                    .format = VK_FORMAT_R8G8B8A8_UNORM,
                                    .extent = {WIDTH, HEIGHT, 1},
                                    .mipLevels = 1,
                                    .arrayLayers = 2,
                                    .samples = VK_SAMPLE_COUNT_1_BIT,
                                    .tiling = VK_IMAGE_TILING_OPTIMAL,
                                    .usage = VK_IMAGE_USAGE_HOST_TRANSFER_BIT};
    VkImage image = ID(VkImage, IMAGE);
    struct vn_vkCreateImage create = {.device = COPIER, .pCreateInfo = &info, .pImage = &image};
    GUEST_CALL(guest, vkCreateImage, &create);
    assert_int_equal(create.ret, VK_SUCCESS);
    VkMemoryRequirements needs;
    struct vn_vkGetImageMemoryRequirements get = {
        .device = COPIER, .image = image, .pMemoryRequirements = &needs};
    GUEST_CALL(guest, vkGetImageMemoryRequirements, &get);
    needs = *get.pMemoryRequirements;
    uint32_t type = gpu_type(guest, 0, needs.memoryTypeBits);
    assert_int_equal(gpu_allocate(guest, HOST_DEVICE, MEMORY, needs.size, type, NULL), VK_SUCCESS);
    struct vn_vkBindImageMemory bind = {
        .device = COPIER, .image = image, .memory = ID(VkDeviceMemory, MEMORY)};
    GUEST_CALL(guest, vkBindImageMemory, &bind);
    assert_int_equal(bind.ret, VK_SUCCESS);
    const VkHostImageLayoutTransitionInfo transition = {
        .sType = VK_STRUCTURE_TYPE_HOST_IMAGE_LAYOUT_TRANSITION_INFO,
        .image = image,
        .oldLayout = VK_IMAGE_LAYOUT_UNDEFINED,
        .newLayout = VK_IMAGE_LAYOUT_GENERAL,
        .subresourceRange = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 2}};
    struct vn_vkTransitionImageLayout change = {
        .device = COPIER, .transitionCount = 1, .pTransitions = &transition};
    GUEST_CALL(guest, vkTransitionImageLayout, &change);
    assert_int_equal(change.ret, VK_SUCCESS);
}

static bool ready(struct guest *guest)
{
    if (!gpu_open(guest) || !make_device(guest)) {
        return false;
    }
    make_image(guest);
    return true;
}

/* Both layers; rows of 11 texels, of which 8 count: the last row ends with its eighth. */
static const uint32_t row_length = 11;
#define SPREAD_TEXELS (11u * (2 * HEIGHT - 1) + WIDTH)

static VkMemoryToImageCopyMESA region(const uint32_t *texels, size_t bytes)
{
    return (VkMemoryToImageCopyMESA){
        .sType = VK_STRUCTURE_TYPE_MEMORY_TO_IMAGE_COPY_MESA,
        .dataSize = bytes,
        .pData = texels,
        .memoryRowLength = row_length,
        .imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, VK_REMAINING_ARRAY_LAYERS},
        .imageExtent = {WIDTH, HEIGHT, 1}};
}

static void what_is_copied_in_comes_out(void **state)
{
    struct guest *guest = *state;
    uint32_t texels[SPREAD_TEXELS];
    for (uint32_t i = 0; i < SPREAD_TEXELS; i++) {
        texels[i] = i * 0x01010101u;
    }
    const VkMemoryToImageCopyMESA in = region(texels, sizeof(texels));
    const VkCopyMemoryToImageInfoMESA to = {.sType =
                                                VK_STRUCTURE_TYPE_COPY_MEMORY_TO_IMAGE_INFO_MESA,
                                            .dstImage = ID(VkImage, IMAGE),
                                            .dstImageLayout = VK_IMAGE_LAYOUT_GENERAL,
                                            .regionCount = 1,
                                            .pRegions = &in};
    GUEST_DO(guest, vkCopyMemoryToImageMESA, .device = COPIER, .pCopyMemoryToImageInfo = &to);
    uint32_t back[2 * WIDTH * HEIGHT];
    const VkCopyImageToMemoryInfoMESA from = {
        .sType = VK_STRUCTURE_TYPE_COPY_IMAGE_TO_MEMORY_INFO_MESA,
        .srcImage = ID(VkImage, IMAGE),
        .srcImageLayout = VK_IMAGE_LAYOUT_GENERAL,
        .imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 2},
        .imageExtent = {WIDTH, HEIGHT, 1}};
    struct vn_vkCopyImageToMemoryMESA out = {
        .device = COPIER, .pCopyImageToMemoryInfo = &from, .dataSize = sizeof(back), .pData = back};
    GUEST_CALL(guest, vkCopyImageToMemoryMESA, &out);
    assert_int_equal(out.ret, VK_SUCCESS);
    const uint32_t *found = out.pData;
    for (uint32_t row = 0; row < 2 * HEIGHT; row++) {
        for (uint32_t x = 0; x < WIDTH; x++) {
            assert_int_equal(found[row * WIDTH + x], texels[row * row_length + x]);
        }
    }
}

static void too_few_bytes_are_refused(void **state)
{
    struct guest *guest = *state;
    uint32_t texels[SPREAD_TEXELS] = {0};
    const VkMemoryToImageCopyMESA in = region(texels, sizeof(texels) - 1);
    const VkCopyMemoryToImageInfoMESA to = {.sType =
                                                VK_STRUCTURE_TYPE_COPY_MEMORY_TO_IMAGE_INFO_MESA,
                                            .dstImage = ID(VkImage, IMAGE),
                                            .dstImageLayout = VK_IMAGE_LAYOUT_GENERAL,
                                            .regionCount = 1,
                                            .pRegions = &in};
    GUEST_ENDS(guest, "VkMemoryToImageCopyMESA.dataSize", vkCopyMemoryToImageMESA, .device = COPIER,
               .pCopyMemoryToImageInfo = &to);
}

static void too_little_room_is_refused(void **state)
{
    struct guest *guest = *state;
    uint8_t back[4] = {0};
    const VkCopyImageToMemoryInfoMESA from = {
        .sType = VK_STRUCTURE_TYPE_COPY_IMAGE_TO_MEMORY_INFO_MESA,
        .srcImage = ID(VkImage, IMAGE),
        .srcImageLayout = VK_IMAGE_LAYOUT_GENERAL,
        .memoryImageHeight = UINT32_MAX,
        .memoryRowLength = UINT32_MAX,
        .imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 2},
        .imageExtent = {WIDTH, HEIGHT, 1}};
    GUEST_ENDS(guest, "dataSize", vkCopyImageToMemoryMESA, .device = COPIER,
               .pCopyImageToMemoryInfo = &from, .dataSize = sizeof(back), .pData = back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        GROUP_TEST(what_is_copied_in_comes_out),
        GROUP_TEST(too_few_bytes_are_refused),
        GROUP_TEST(too_little_room_is_refused),
    };
    return group_begin(ready) ? group_end(cmocka_run_group_tests(tests, NULL, NULL)) : 77;
}
