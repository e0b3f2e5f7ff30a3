/* virtio/gpu/protocol/formats.h - how a pixel's bytes lie. */
#ifndef VT_VIRTIO_GPU_FORMATS_H
#define VT_VIRTIO_GPU_FORMATS_H

#include "virtio/gpu/protocol/protocol.h"

/** First letter: the byte at the lowest address. */
enum vt_vgpu_format {
    VT_VGPU_FORMAT_B8G8R8A8_UNORM = 1,
    VT_VGPU_FORMAT_B8G8R8X8_UNORM = 2,
    VT_VGPU_FORMAT_A8R8G8B8_UNORM = 3,
    VT_VGPU_FORMAT_X8R8G8B8_UNORM = 4,
    VT_VGPU_FORMAT_R8G8B8A8_UNORM = 67,
    VT_VGPU_FORMAT_X8B8G8R8_UNORM = 68,
    VT_VGPU_FORMAT_A8B8G8R8_UNORM = 121,
    VT_VGPU_FORMAT_R8G8B8X8_UNORM = 134,
};
extern const struct vt_vgpu_name vt_vgpu_formats[];

#endif
