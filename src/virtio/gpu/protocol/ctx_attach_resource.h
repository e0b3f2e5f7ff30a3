/* virtio/gpu/protocol/ctx_attach_resource.h - CTX_ATTACH_RESOURCE: lets a context use a resource.
 *
 * The context is the header's ctx_id.
 */
#ifndef VT_VIRTIO_GPU_CTX_ATTACH_RESOURCE_H
#define VT_VIRTIO_GPU_CTX_ATTACH_RESOURCE_H

#include "virtio/gpu/protocol/protocol.h"

struct vt_vgpu_ctx_attach_resource {
    struct vt_vgpu_header header;
    uint32_t resource_id;
    uint32_t padding;
};
_Static_assert(sizeof(struct vt_vgpu_ctx_attach_resource) == 32, "5.7.6.8");

/** Its fields, in the order of the struct. */
#define VT_VGPU_CTX_ATTACH_RESOURCE_FIELDS(F, S) F(S, resource_id, RESOURCE, NULL, "which")

#endif
