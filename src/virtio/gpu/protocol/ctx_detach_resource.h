/* virtio/gpu/protocol/ctx_detach_resource.h - CTX_DETACH_RESOURCE: takes a resource from a context.
 *
 * The context is the header's ctx_id.
 */
#ifndef VT_VIRTIO_GPU_CTX_DETACH_RESOURCE_H
#define VT_VIRTIO_GPU_CTX_DETACH_RESOURCE_H

#include "virtio/gpu/protocol/protocol.h"

struct vt_vgpu_ctx_detach_resource {
    struct vt_vgpu_header header;
    uint32_t resource_id;
    uint32_t padding;
};
_Static_assert(sizeof(struct vt_vgpu_ctx_detach_resource) == 32, "5.7.6.8");

/** Its fields, in the order of the struct. */
#define VT_VGPU_CTX_DETACH_RESOURCE_FIELDS(F, S) F(S, resource_id, RESOURCE, NULL, "which")

#endif
