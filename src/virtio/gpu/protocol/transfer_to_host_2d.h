/* virtio/gpu/protocol/transfer_to_host_2d.h - TRANSFER_TO_HOST_2D: from the backing memory to the
 * resource.
 */
#ifndef VT_VIRTIO_GPU_TRANSFER_TO_HOST_2D_H
#define VT_VIRTIO_GPU_TRANSFER_TO_HOST_2D_H

#include "virtio/gpu/protocol/protocol.h"

struct vt_vgpu_transfer_to_host_2d {
    struct vt_vgpu_header header;
    struct vt_vgpu_rect rect;
    uint64_t offset;
    uint32_t resource_id;
    uint32_t padding;
};
_Static_assert(sizeof(struct vt_vgpu_transfer_to_host_2d) == 56, "5.7.6.8");

/** Its fields, in the order of the struct. */
#define VT_VGPU_TRANSFER_TO_HOST_2D_FIELDS(F, S)                                                   \
    F(S, rect, RECT, NULL, "of the resource")                                                      \
    F(S, offset, HEX, NULL, "of the rectangle's first pixel in the backing memory")                \
    F(S, resource_id, RESOURCE, NULL, "which")

#endif
