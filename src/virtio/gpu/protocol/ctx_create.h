/* virtio/gpu/protocol/ctx_create.h - CTX_CREATE: a context, in which 3-D commands are carried out.
 *
 * The header's ctx_id is its new id.
 */
#ifndef VT_VIRTIO_GPU_CTX_CREATE_H
#define VT_VIRTIO_GPU_CTX_CREATE_H

#include "virtio/gpu/protocol/get_capset_info.h"
#include "virtio/gpu/protocol/protocol.h"

struct vt_vgpu_ctx_create {
    struct vt_vgpu_header header;
    uint32_t nlen;
    uint32_t context_init;
    char debug_name[64];
};
_Static_assert(sizeof(struct vt_vgpu_ctx_create) == 96, "5.7.6.8");

/** Its fields, in the order of the struct. */
#define VT_VGPU_CTX_CREATE_FIELDS(F, S)                                                            \
    F(S, nlen, NUMBER, NULL, "characters of the name")                                             \
    F(S, context_init, ENUM, vt_vgpu_capsets,                                                      \
      "the set of capabilities it speaks; 0: the device's choice")                                 \
    F(S, debug_name, TEXT, NULL, "for people")

#endif
