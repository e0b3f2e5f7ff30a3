/* virtio/gpu/protocol/resource_flush.h - RESOURCE_FLUSH: scanouts show what a resource has now. */
#ifndef VT_VIRTIO_GPU_RESOURCE_FLUSH_H
#define VT_VIRTIO_GPU_RESOURCE_FLUSH_H

#include "virtio/gpu/protocol/protocol.h"

struct vt_vgpu_resource_flush {
    struct vt_vgpu_header header;
    struct vt_vgpu_rect rect;
    uint32_t resource_id;
    uint32_t padding;
};
_Static_assert(sizeof(struct vt_vgpu_resource_flush) == 48, "5.7.6.8");

/** Its fields, in the order of the struct. */
#define VT_VGPU_RESOURCE_FLUSH_FIELDS(F, S)                                                        \
    F(S, rect, RECT, NULL, "of the resource")                                                      \
    F(S, resource_id, RESOURCE, NULL, "all scanouts that show it are meant")

#endif
