/* volume/gpu/present.c - a swapchain of a window's surface, and a copy into its images.
 *
 * The copy is a submission of the works' line like any other, so that everything that waits for the
 * device waits for it, too. It waits for the image to be free and tells the window system when it
 * is filled: one binary semaphore for the former (its copy is waited for before the next), and one
 * an image for the latter, since only an image that comes back tells that it was read.
 */
#include "volume/gpu/present.h"

#include "volume/gpu/parts.h"

#include <stdlib.h>
#include <string.h>

#define IMAGES_MAX 16u
#define IMAGES_WANTED 3u
/* A window that nobody sees gives no images; the caller has other things to do. */
#define ACQUIRE_NS UINT64_C(250000000)

struct vt_present {
    struct vt_gpu *gpu;
    VkSurfaceKHR surface;
    VkSurfaceFormatKHR format;
    VkSwapchainKHR swapchain;
    VkExtent2D extent; /* of it */
    VkExtent2D window; /* it was made for */
    bool stale;        /* does not fit any more */
    VkImage images[IMAGES_MAX];
    VkSemaphore filled[IMAGES_MAX];
    uint32_t n_images;
    VkSemaphore free;
    VkCommandPool pool;
    VkCommandBuffer commands;
};

static int fail(struct vt_present *p, VkResult result, const char *what, struct vt_error *err)
{
    if (result == VK_ERROR_SURFACE_LOST_KHR) {
        return vt_fail(err, VT_E_GONE, "%s: the window is gone", p->gpu->info.name);
    }
    return vt_gpu_fail(p->gpu, result, what, err);
}

/* ---------------------------------------------------------------- making */

static bool plain(VkFormat format)
{
    return format == VK_FORMAT_B8G8R8A8_UNORM || format == VK_FORMAT_R8G8B8A8_UNORM;
}

/* Bytes that are shown as they are. */
static int choose_format(struct vt_present *p, struct vt_error *err)
{
    VkSurfaceFormatKHR formats[64];
    uint32_t n = 64;
    VkResult result =
        vkGetPhysicalDeviceSurfaceFormatsKHR(p->gpu->physical, p->surface, &n, formats);
    if (result != VK_SUCCESS && result != VK_INCOMPLETE) {
        return fail(p, result, "cannot ask for the window's formats", err);
    }
    for (uint32_t i = 0; i < n; i++) {
        if (plain(formats[i].format) &&
            formats[i].colorSpace == VK_COLOR_SPACE_SRGB_NONLINEAR_KHR) {
            p->format = formats[i];
            return 0;
        }
    }
    return vt_fail(err, VT_E_UNSUPPORTED, "the window takes no pictures of 8 bits a colour");
}

static int make_commands(struct vt_present *p, struct vt_error *err)
{
    struct vt_gpu *gpu = p->gpu;
    const VkCommandPoolCreateInfo pool = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
        .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
        .queueFamilyIndex = gpu->family,
    };
    const VkSemaphoreCreateInfo semaphore = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO};
    VkResult result = vkCreateCommandPool(gpu->device, &pool, NULL, &p->pool);
    if (result == VK_SUCCESS) {
        const VkCommandBufferAllocateInfo one = {
            .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
            .commandPool = p->pool,
            .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
            .commandBufferCount = 1,
        };
        result = vkAllocateCommandBuffers(gpu->device, &one, &p->commands);
    }
    if (result == VK_SUCCESS) {
        result = vkCreateSemaphore(gpu->device, &semaphore, NULL, &p->free);
    }
    return result == VK_SUCCESS ? 0 : fail(p, result, "cannot prepare a window", err);
}

static int create(struct vt_present *p, vt_present_surface *make, void *user, struct vt_error *err)
{
    struct vt_gpu *gpu = p->gpu;
    VkBool32 can = VK_FALSE;
    int rc = make(user, gpu->instance, &p->surface, err);
    if (rc != 0) {
        return rc;
    }
    VkResult result =
        vkGetPhysicalDeviceSurfaceSupportKHR(gpu->physical, gpu->family, p->surface, &can);
    if (result != VK_SUCCESS) {
        return fail(p, result, "cannot ask what it shows", err);
    }
    if (can != VK_TRUE) {
        return vt_fail(err, VT_E_UNSUPPORTED, "%s shows nothing in this window; choose another GPU",
                       gpu->info.name);
    }
    rc = choose_format(p, err);
    return rc == 0 ? make_commands(p, err) : rc;
}

int vt_present_create(struct vt_gpu *gpu, vt_present_surface *make, void *user,
                      struct vt_present **present, struct vt_error *err)
{
    int rc = vt_gpu_ready(gpu, err);
    if (rc != 0) {
        return rc;
    }
    if (!gpu->windows) {
        return vt_fail(err, VT_E_UNSUPPORTED, "%s shows nothing in windows; choose another GPU",
                       gpu->info.name);
    }
    struct vt_present *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for a window's record");
    }
    p->gpu = gpu;
    p->stale = true;
    rc = create(p, make, user, err);
    if (rc != 0) {
        vt_present_destroy(p);
        return rc;
    }
    *present = p;
    return 0;
}

/* ---------------------------------------------------------------- the swapchain */

static void drop_swapchain(struct vt_present *p)
{
    for (uint32_t i = 0; i < p->n_images; i++) {
        vkDestroySemaphore(p->gpu->device, p->filled[i], NULL);
    }
    p->n_images = 0;
    vkDestroySwapchainKHR(p->gpu->device, p->swapchain, NULL);
    p->swapchain = VK_NULL_HANDLE;
}

/* Nothing of the swapchain is used any more. False: the device does not end what it does. */
static bool settle(struct vt_present *p)
{
    if (!vt_gpu_settled(p->gpu)) {
        return false;
    }
    /* What was submitted is over; this is for what was given to the window system. */
    vkQueueWaitIdle(p->gpu->queue);
    return true;
}

void vt_present_destroy(struct vt_present *present)
{
    struct vt_present *p = present;
    if (p == NULL) {
        return;
    }
    if (settle(p)) {
        drop_swapchain(p);
        vkDestroySemaphore(p->gpu->device, p->free, NULL);
        vkDestroyCommandPool(p->gpu->device, p->pool, NULL);
        vkDestroySurfaceKHR(p->gpu->instance, p->surface, NULL);
    }
    free(p);
}

static uint32_t within(uint32_t value, uint32_t min, uint32_t max)
{
    return value < min ? min : value > max ? max : value;
}

static int take_images(struct vt_present *p, struct vt_error *err)
{
    uint32_t n = IMAGES_MAX;
    VkResult result = vkGetSwapchainImagesKHR(p->gpu->device, p->swapchain, &n, p->images);
    const VkSemaphoreCreateInfo semaphore = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO};
    if (result == VK_INCOMPLETE) {
        return vt_fail(err, VT_E_LIMIT, "a window of more than %u images", IMAGES_MAX);
    }
    for (uint32_t i = 0; result == VK_SUCCESS && i < n; i++) {
        result = vkCreateSemaphore(p->gpu->device, &semaphore, NULL, &p->filled[i]);
        p->n_images += result == VK_SUCCESS;
    }
    return result == VK_SUCCESS ? 0 : fail(p, result, "cannot have the window's images", err);
}

static int make_swapchain(struct vt_present *p, const VkSurfaceCapabilitiesKHR *caps,
                          struct vt_error *err)
{
    if (!settle(p)) {
        return vt_fail(err, VT_E_GONE, "%s is gone", p->gpu->info.name);
    }
    VkSwapchainKHR old = p->swapchain;
    uint32_t most = caps->maxImageCount != 0 ? caps->maxImageCount : IMAGES_MAX;
    const VkCompositeAlphaFlagBitsKHR opaque =
        (caps->supportedCompositeAlpha & VK_COMPOSITE_ALPHA_OPAQUE_BIT_KHR) != 0
            ? VK_COMPOSITE_ALPHA_OPAQUE_BIT_KHR
            : VK_COMPOSITE_ALPHA_INHERIT_BIT_KHR;
    const VkSwapchainCreateInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_SWAPCHAIN_CREATE_INFO_KHR,
        .surface = p->surface,
        .minImageCount = within(IMAGES_WANTED, caps->minImageCount, most),
        .imageFormat = p->format.format,
        .imageColorSpace = p->format.colorSpace,
        .imageExtent = p->extent,
        .imageArrayLayers = 1,
        .imageUsage = VK_IMAGE_USAGE_TRANSFER_DST_BIT,
        .imageSharingMode = VK_SHARING_MODE_EXCLUSIVE,
        .preTransform = caps->currentTransform,
        .compositeAlpha = opaque,
        .presentMode = VK_PRESENT_MODE_FIFO_KHR, /* every device has it, and it never tears */
        .clipped = VK_TRUE,
        .oldSwapchain = old,
    };
    VkSwapchainKHR made = VK_NULL_HANDLE;
    VkResult result = vkCreateSwapchainKHR(p->gpu->device, &info, NULL, &made);
    drop_swapchain(p); /* `old` is retired either way */
    if (result != VK_SUCCESS) {
        return fail(p, result, "cannot show pictures in the window", err);
    }
    p->swapchain = made;
    p->stale = false;
    return take_images(p, err);
}

int vt_present_target(struct vt_present *present, uint32_t width, uint32_t height,
                      struct vt_present_target *target, struct vt_error *err)
{
    struct vt_present *p = present;
    int rc = vt_gpu_ready(p->gpu, err);
    if (rc != 0) {
        return rc;
    }
    if (p->stale || p->window.width != width || p->window.height != height) {
        VkSurfaceCapabilitiesKHR caps;
        VkResult result =
            vkGetPhysicalDeviceSurfaceCapabilitiesKHR(p->gpu->physical, p->surface, &caps);
        if (result != VK_SUCCESS) {
            return fail(p, result, "cannot ask for the window's size", err);
        }
        if ((caps.supportedUsageFlags & VK_IMAGE_USAGE_TRANSFER_DST_BIT) == 0) {
            return vt_fail(err, VT_E_UNSUPPORTED, "the window's images cannot be copied to");
        }
        p->window = (VkExtent2D){width, height};
        p->extent = caps.currentExtent;
        if (p->extent.width == UINT32_MAX) { /* the window takes its size from the picture */
            p->extent.width = within(width, caps.minImageExtent.width, caps.maxImageExtent.width);
            p->extent.height =
                within(height, caps.minImageExtent.height, caps.maxImageExtent.height);
        }
        p->stale = true;
        rc = p->extent.width > 0 && p->extent.height > 0 ? make_swapchain(p, &caps, err) : 0;
        if (rc != 0) {
            return rc;
        }
    }
    *target = (struct vt_present_target){
        .width = p->stale ? 0 : p->extent.width,
        .height = p->stale ? 0 : p->extent.height,
        .bgra = p->format.format == VK_FORMAT_B8G8R8A8_UNORM,
    };
    return 0;
}

/* ---------------------------------------------------------------- showing */

static void turn_into(struct vt_present *p, VkImage image, VkImageLayout from, VkImageLayout to)
{
    bool begins = from == VK_IMAGE_LAYOUT_UNDEFINED;
    const VkImageMemoryBarrier barrier = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER,
        .srcAccessMask = begins ? 0 : VK_ACCESS_TRANSFER_WRITE_BIT,
        .dstAccessMask = begins ? VK_ACCESS_TRANSFER_WRITE_BIT : 0,
        .oldLayout = from,
        .newLayout = to,
        .srcQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
        .dstQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
        .image = image,
        .subresourceRange = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1},
    };
    vkCmdPipelineBarrier(p->commands, VK_PIPELINE_STAGE_TRANSFER_BIT,
                         begins ? VK_PIPELINE_STAGE_TRANSFER_BIT
                                : VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT,
                         0, 0, NULL, 0, NULL, 1, &barrier);
}

static int record(struct vt_present *p, const struct vt_gpu_buffer *pixels, VkImage image,
                  struct vt_error *err)
{
    const VkCommandBufferBeginInfo begin = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
        .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT,
    };
    /* The work that made the pixels was waited for; this makes them seen by the copy. */
    const VkMemoryBarrier made = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
        .srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT,
        .dstAccessMask = VK_ACCESS_TRANSFER_READ_BIT,
    };
    const VkBufferImageCopy whole = {
        .imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1},
        .imageExtent = {p->extent.width, p->extent.height, 1},
    };
    VkResult result = vkBeginCommandBuffer(p->commands, &begin);
    if (result == VK_SUCCESS) {
        vkCmdPipelineBarrier(p->commands,
                             VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT,
                             VK_PIPELINE_STAGE_TRANSFER_BIT, 0, 1, &made, 0, NULL, 0, NULL);
        turn_into(p, image, VK_IMAGE_LAYOUT_UNDEFINED, VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL);
        vkCmdCopyBufferToImage(p->commands, pixels->handle, image,
                               VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL, 1, &whole);
        turn_into(p, image, VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL, VK_IMAGE_LAYOUT_PRESENT_SRC_KHR);
        result = vkEndCommandBuffer(p->commands);
    }
    return result == VK_SUCCESS ? 0 : fail(p, result, "cannot record a copy", err);
}

static int submit(struct vt_present *p, uint32_t index, struct vt_error *err)
{
    struct vt_gpu_line *line = &p->gpu->works;
    const uint64_t ignored = 0, values[2] = {0, line->submitted + 1};
    const VkSemaphore signals[2] = {p->filled[index], line->semaphore};
    const VkPipelineStageFlags stage = VK_PIPELINE_STAGE_TRANSFER_BIT;
    const VkTimelineSemaphoreSubmitInfo timeline = {
        .sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO,
        .waitSemaphoreValueCount = 1,
        .pWaitSemaphoreValues = &ignored,
        .signalSemaphoreValueCount = 2,
        .pSignalSemaphoreValues = values,
    };
    const VkSubmitInfo info = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
        .pNext = &timeline,
        .waitSemaphoreCount = 1,
        .pWaitSemaphores = &p->free,
        .pWaitDstStageMask = &stage,
        .commandBufferCount = 1,
        .pCommandBuffers = &p->commands,
        .signalSemaphoreCount = 2,
        .pSignalSemaphores = signals,
    };
    VkResult result = vkQueueSubmit(p->gpu->queue, 1, &info, VK_NULL_HANDLE);
    if (result != VK_SUCCESS) {
        return fail(p, result, "cannot submit a picture", err);
    }
    line->submitted++;
    return 0;
}

static int hand_over(struct vt_present *p, uint32_t index, bool *shown, struct vt_error *err)
{
    const VkPresentInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_PRESENT_INFO_KHR,
        .waitSemaphoreCount = 1,
        .pWaitSemaphores = &p->filled[index],
        .swapchainCount = 1,
        .pSwapchains = &p->swapchain,
        .pImageIndices = &index,
    };
    VkResult result = vkQueuePresentKHR(p->gpu->queue, &info);
    p->stale |= result == VK_SUBOPTIMAL_KHR || result == VK_ERROR_OUT_OF_DATE_KHR;
    bool given = result == VK_SUCCESS || result == VK_SUBOPTIMAL_KHR;
    if (!given && result != VK_ERROR_OUT_OF_DATE_KHR) {
        return fail(p, result, "cannot show a picture", err);
    }
    int rc = vt_gpu_line_wait(p->gpu, &p->gpu->works, p->gpu->works.submitted, err);
    if (rc == 0) {
        *shown = given;
    }
    return rc;
}

int vt_present_show(struct vt_present *present, const struct vt_gpu_buffer *pixels, bool *shown,
                    struct vt_error *err)
{
    struct vt_present *p = present;
    int rc = vt_gpu_ready(p->gpu, err);
    if (rc != 0) {
        return rc;
    }
    if (pixels->bytes < (uint64_t)p->extent.width * p->extent.height * 4) {
        return vt_fail(err, VT_E_INVAL, "too few pixels for the window");
    }
    uint32_t index = 0;
    VkResult result = p->stale ? VK_ERROR_OUT_OF_DATE_KHR
                               : vkAcquireNextImageKHR(p->gpu->device, p->swapchain, ACQUIRE_NS,
                                                       p->free, VK_NULL_HANDLE, &index);
    if (result == VK_ERROR_OUT_OF_DATE_KHR || result == VK_TIMEOUT || result == VK_NOT_READY) {
        p->stale |= result == VK_ERROR_OUT_OF_DATE_KHR;
        *shown = false;
        return 0;
    }
    if (result != VK_SUCCESS && result != VK_SUBOPTIMAL_KHR) {
        return fail(p, result, "cannot have an image of the window", err);
    }
    p->stale |= result == VK_SUBOPTIMAL_KHR; /* after this one */
    rc = record(p, pixels, p->images[index], err);
    if (rc == 0) {
        rc = submit(p, index, err);
    }
    return rc == 0 ? hand_over(p, index, shown, err) : rc;
}
