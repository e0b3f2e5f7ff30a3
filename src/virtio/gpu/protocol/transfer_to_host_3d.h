/* virtio/gpu/protocol/transfer_to_host_3d.h - TRANSFER_TO_HOST_3D: from the backing memory to the
 * resource.
 */
#ifndef VT_VIRTIO_GPU_TRANSFER_TO_HOST_3D_H
#define VT_VIRTIO_GPU_TRANSFER_TO_HOST_3D_H

#include "virtio/gpu/protocol/protocol.h"

struct vt_vgpu_transfer_to_host_3d {
    struct vt_vgpu_header header;
    uint32_t x, y, z, width, height, depth;
    uint64_t offset;
    uint32_t resource_id;
    uint32_t level;
    uint32_t stride;
    uint32_t layer_stride;
};
_Static_assert(sizeof(struct vt_vgpu_transfer_to_host_3d) == 72, "5.7.6.8");

/** Its fields, in the order of the struct. */
#define VT_VGPU_TRANSFER_TO_HOST_3D_FIELDS(F, S)                                                   \
    F(S, x, NUMBER, NULL, "of the box in the resource")                                            \
    F(S, y, NUMBER, NULL, "of the box")                                                            \
    F(S, z, NUMBER, NULL, "of the box")                                                            \
    F(S, width, NUMBER, NULL, "of the box")                                                        \
    F(S, height, NUMBER, NULL, "of the box")                                                       \
    F(S, depth, NUMBER, NULL, "of the box")                                                        \
    F(S, offset, HEX, NULL, "of its first byte in the backing memory")                             \
    F(S, resource_id, RESOURCE, NULL, "which")                                                     \
    F(S, level, NUMBER, NULL, "of the mipmap")                                                     \
    F(S, stride, NUMBER, NULL, "bytes from row to row; 0: no gaps")                                \
    F(S, layer_stride, NUMBER, NULL, "bytes from layer to layer; 0: no gaps")

#endif
