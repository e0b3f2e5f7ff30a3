/* volume/gpu/present.h - a buffer of pixels into a window, through a swapchain, on the device.
 *
 * The window system is the caller's: it makes the surface. A swapchain that no longer fits its
 * window is made anew. Threads, waits and errors are those of gpu.h; VT_E_GONE is also what a
 * surface is whose window or display is gone.
 */
#ifndef VT_VOLUME_GPU_PRESENT_H
#define VT_VOLUME_GPU_PRESENT_H

#include "volume/gpu/gpu.h"

#include <vulkan/vulkan.h>

struct vt_present;

/** Makes a window's surface on the instance; it belongs to the present from then on. */
typedef int vt_present_surface(void *user, VkInstance instance, VkSurfaceKHR *surface,
                               struct vt_error *err);

/** `gpu` was opened with `windows`. VT_E_UNSUPPORTED: this device shows nothing in this window. */
int vt_present_create(struct vt_gpu *gpu, vt_present_surface *make, void *user,
                      struct vt_present **present, struct vt_error *err);
/** Takes NULL. Before the window goes. */
void vt_present_destroy(struct vt_present *present);

/** What the next picture must be, for a window of width x height pixels. */
struct vt_present_target {
    uint32_t width, height; /**< 0: there is nothing to be seen now (minimised) */
    bool bgra;              /**< bytes of a pixel are B, G, R, X; else R, G, B, X */
};
int vt_present_target(struct vt_present *present, uint32_t width, uint32_t height,
                      struct vt_present_target *target, struct vt_error *err);
/** Shows what `pixels` holds: rows of the target's width, 32 bits a pixel. *shown false: the window
 *  changed in the meantime, or takes nothing now; ask for the target again. Waits until the buffer
 *  may be written again, where the window system says so in step with the screen. */
int vt_present_show(struct vt_present *present, const struct vt_gpu_buffer *pixels, bool *shown,
                    struct vt_error *err);

#endif
