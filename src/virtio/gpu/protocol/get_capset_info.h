/* virtio/gpu/protocol/get_capset_info.h - GET_CAPSET_INFO: which sets of capabilities there are. */
#ifndef VT_VIRTIO_GPU_GET_CAPSET_INFO_H
#define VT_VIRTIO_GPU_GET_CAPSET_INFO_H

#include "virtio/gpu/protocol/protocol.h"

/** Sets of capabilities; each is the start of one protocol for 3-D. */
enum vt_vgpu_capset {
    VT_VGPU_CAPSET_VIRGL = 1,
    VT_VGPU_CAPSET_VIRGL2 = 2,
    VT_VGPU_CAPSET_GFXSTREAM_VULKAN = 3,
    VT_VGPU_CAPSET_VENUS = 4,
    VT_VGPU_CAPSET_CROSS_DOMAIN = 5,
    VT_VGPU_CAPSET_DRM = 6,
};
extern const struct vt_vgpu_name vt_vgpu_capsets[];

struct vt_vgpu_get_capset_info {
    struct vt_vgpu_header header;
    uint32_t capset_index;
    uint32_t padding;
};
_Static_assert(sizeof(struct vt_vgpu_get_capset_info) == 32, "5.7.6.8");

struct vt_vgpu_resp_capset_info {
    struct vt_vgpu_header header;
    uint32_t capset_id;
    uint32_t capset_max_version;
    uint32_t capset_max_size;
    uint32_t padding;
};
_Static_assert(sizeof(struct vt_vgpu_resp_capset_info) == 40, "5.7.6.8");

/** Its fields, in the order of the struct. */
#define VT_VGPU_GET_CAPSET_INFO_FIELDS(F, S)                                                       \
    F(S, capset_index, NUMBER, NULL, "below num_capsets of the configuration")
/** And of the answer. */
#define VT_VGPU_RESP_CAPSET_INFO_FIELDS(F, S)                                                      \
    F(S, capset_id, ENUM, vt_vgpu_capsets, "which")                                                \
    F(S, capset_max_version, NUMBER, NULL, "newest version")                                       \
    F(S, capset_max_size, NUMBER, NULL, "in bytes")

#endif
