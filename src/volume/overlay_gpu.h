/* volume/overlay_gpu.h - draws overlays over pictures on a device: shaders/overlay.comp. */
#ifndef VT_VOLUME_OVERLAY_GPU_H
#define VT_VOLUME_OVERLAY_GPU_H

#include "volume/gpu/gpu.h"
#include "volume/overlay.h"

struct vt_overlay_gpu;

/** For pictures of width x height. */
int vt_overlay_gpu_create(struct vt_gpu *gpu, uint32_t width, uint32_t height,
                          struct vt_overlay_gpu **overlays, struct vt_error *err);
/** Takes NULL. */
void vt_overlay_gpu_destroy(struct vt_overlay_gpu *overlays);
/** Lays the overlay out and takes it to the device; before work is begun. One that is the same as
 *  the last costs its layout only. */
int vt_overlay_gpu_prepare(struct vt_overlay_gpu *overlays, const struct vt_overlay *overlay,
                           struct vt_error *err);
/** Within a piece of work: draws what was prepared over the picture at `image`, which is there. */
void vt_overlay_gpu_record(struct vt_overlay_gpu *overlays, uint64_t image);

#endif
