/* virtio/gpu/protocol/submit_3d.h - SUBMIT_3D: commands of the context's own protocol.
 *
 * `size` bytes follow.
 */
#ifndef VT_VIRTIO_GPU_SUBMIT_3D_H
#define VT_VIRTIO_GPU_SUBMIT_3D_H

#include "virtio/gpu/protocol/protocol.h"

struct vt_vgpu_submit_3d {
    struct vt_vgpu_header header;
    uint32_t size;
    uint32_t padding;
};
_Static_assert(sizeof(struct vt_vgpu_submit_3d) == 32, "5.7.6.8");

/** Its fields, in the order of the struct. */
#define VT_VGPU_SUBMIT_3D_FIELDS(F, S) F(S, size, NUMBER, NULL, "bytes that follow")
#define VT_VGPU_SUBMIT_3D_TAIL                                                                     \
    {"commands", 0, 0, VT_VGPU_BYTES, NULL, "as the context's protocol defines them"}

#endif
