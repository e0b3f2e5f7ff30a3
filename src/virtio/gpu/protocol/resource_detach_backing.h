/* virtio/gpu/protocol/resource_detach_backing.h - RESOURCE_DETACH_BACKING: the resource's memory is
 * the guest's own again.
 */
#ifndef VT_VIRTIO_GPU_RESOURCE_DETACH_BACKING_H
#define VT_VIRTIO_GPU_RESOURCE_DETACH_BACKING_H

#include "virtio/gpu/protocol/protocol.h"

struct vt_vgpu_resource_detach_backing {
    struct vt_vgpu_header header;
    uint32_t resource_id;
    uint32_t padding;
};
_Static_assert(sizeof(struct vt_vgpu_resource_detach_backing) == 32, "5.7.6.8");

/** Its fields, in the order of the struct. */
#define VT_VGPU_RESOURCE_DETACH_BACKING_FIELDS(F, S) F(S, resource_id, RESOURCE, NULL, "which")

#endif
