/* virtio/gpu/protocol/set_scanout.h - SET_SCANOUT: what a scanout shows. */
#ifndef VT_VIRTIO_GPU_SET_SCANOUT_H
#define VT_VIRTIO_GPU_SET_SCANOUT_H

#include "virtio/gpu/protocol/protocol.h"

struct vt_vgpu_set_scanout {
    struct vt_vgpu_header header;
    struct vt_vgpu_rect rect;
    uint32_t scanout_id;
    uint32_t resource_id;
};
_Static_assert(sizeof(struct vt_vgpu_set_scanout) == 48, "5.7.6.8");

/** Its fields, in the order of the struct. */
#define VT_VGPU_SET_SCANOUT_FIELDS(F, S)                                                           \
    F(S, rect, RECT, NULL, "the part of the resource that is shown")                               \
    F(S, scanout_id, SCANOUT, NULL, "which")                                                       \
    F(S, resource_id, RESOURCE, NULL, "0 turns the scanout off")

#endif
