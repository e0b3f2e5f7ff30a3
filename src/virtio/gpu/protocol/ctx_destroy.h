/* virtio/gpu/protocol/ctx_destroy.h - CTX_DESTROY: the context of the header's ctx_id ends.
 *
 * The request is the header alone.
 */
#ifndef VT_VIRTIO_GPU_CTX_DESTROY_H
#define VT_VIRTIO_GPU_CTX_DESTROY_H

#include "virtio/gpu/protocol/protocol.h"

struct vt_vgpu_ctx_destroy {
    struct vt_vgpu_header header;
};
_Static_assert(sizeof(struct vt_vgpu_ctx_destroy) == 24, "5.7.6.8");

#endif
