/* virtio/gpu/protocol/get_capset.h - GET_CAPSET: one set of capabilities.
 *
 * The answer is the header and the set's bytes.
 */
#ifndef VT_VIRTIO_GPU_GET_CAPSET_H
#define VT_VIRTIO_GPU_GET_CAPSET_H

#include "virtio/gpu/protocol/get_capset_info.h"
#include "virtio/gpu/protocol/protocol.h"

struct vt_vgpu_get_capset {
    struct vt_vgpu_header header;
    uint32_t capset_id;
    uint32_t capset_version;
};
_Static_assert(sizeof(struct vt_vgpu_get_capset) == 32, "5.7.6.8");

/** Its fields, in the order of the struct. */
#define VT_VGPU_GET_CAPSET_FIELDS(F, S)                                                            \
    F(S, capset_id, ENUM, vt_vgpu_capsets, "which")                                                \
    F(S, capset_version, NUMBER, NULL, "up to the newest")
/** The answer's bytes. */
#define VT_VGPU_CAPSET_TAIL {"capset_data", 0, 0, VT_VGPU_BYTES, NULL, "as the set defines them"}

#endif
