/* virtio/gpu/protocol/resource_unref.h - RESOURCE_UNREF: destroys a resource. */
#ifndef VT_VIRTIO_GPU_RESOURCE_UNREF_H
#define VT_VIRTIO_GPU_RESOURCE_UNREF_H

#include "virtio/gpu/protocol/protocol.h"

struct vt_vgpu_resource_unref {
    struct vt_vgpu_header header;
    uint32_t resource_id;
    uint32_t padding;
};
_Static_assert(sizeof(struct vt_vgpu_resource_unref) == 32, "5.7.6.8");

/** Its fields, in the order of the struct. */
#define VT_VGPU_RESOURCE_UNREF_FIELDS(F, S)                                                        \
    F(S, resource_id, RESOURCE, NULL, "which; scanouts that show it are turned off")

#endif
