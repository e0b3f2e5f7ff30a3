/* virtio/gpu/edid.h - what a monitor says of itself: its modes and its name. */
#ifndef VT_VIRTIO_GPU_EDID_H
#define VT_VIRTIO_GPU_EDID_H

#include "vitrine/virtio_gpu.h"

/** Reads `bytes` bytes of EDID, any bytes, into `modes`, `n_modes` and `name` of `display`: the
 *  detailed timings of the base block, of CTA-861 and DisplayID extensions, then video codes,
 *  standard and established timings; each mode once, those beyond the table dropped. False, and
 *  nothing changed, when the base block is not one or its checksum is wrong; an extension with a
 *  wrong checksum is passed over.
 *
 *  Source: VESA E-EDID 1.4, CTA-861-G, VESA DisplayID 1.3. */
bool vt_vgpu_edid_read(const uint8_t *edid, size_t bytes, struct vt_vgpu_display_info *display);

#endif
