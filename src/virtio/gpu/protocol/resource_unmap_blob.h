/* virtio/gpu/protocol/resource_unmap_blob.h - RESOURCE_UNMAP_BLOB: and disappears from it. */
#ifndef VT_VIRTIO_GPU_RESOURCE_UNMAP_BLOB_H
#define VT_VIRTIO_GPU_RESOURCE_UNMAP_BLOB_H

#include "virtio/gpu/protocol/protocol.h"

struct vt_vgpu_resource_unmap_blob {
    struct vt_vgpu_header header;
    uint32_t resource_id;
    uint32_t padding;
};
_Static_assert(sizeof(struct vt_vgpu_resource_unmap_blob) == 32, "5.7.6.8");

/** Its fields, in the order of the struct. */
#define VT_VGPU_RESOURCE_UNMAP_BLOB_FIELDS(F, S) F(S, resource_id, RESOURCE, NULL, "which")

#endif
