/* hybrid/descriptor.h - a proven kernel as QEMU's plugin takes it.
 */
#ifndef VT_HYBRID_DESCRIPTOR_H
#define VT_HYBRID_DESCRIPTOR_H

#include "hybrid/segment.h"
#include "vitrine/hybrid.h"

/** Compiles the kernel's programs for this host and fills the descriptor. *image is the caller's
 * (free), d->image_bytes long. Errors: those of vt_pixel_compile; VT_E_LIMIT: too large. */
int vt_hybrid_describe(const struct vt_synth_kernel *kernel, const struct vt_accel_options *options,
                       struct vt_hybrid_kernel *d, uint8_t **image, struct vt_error *err);

#endif
