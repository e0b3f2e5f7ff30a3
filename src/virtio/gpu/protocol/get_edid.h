/* virtio/gpu/protocol/get_edid.h - GET_EDID: the monitor's own description. */
#ifndef VT_VIRTIO_GPU_GET_EDID_H
#define VT_VIRTIO_GPU_GET_EDID_H

#include "virtio/gpu/protocol/protocol.h"

struct vt_vgpu_get_edid {
    struct vt_vgpu_header header;
    uint32_t scanout;
    uint32_t padding;
};
_Static_assert(sizeof(struct vt_vgpu_get_edid) == 32, "5.7.6.8");

/** The whole struct is always there; `size` bytes of `edid` are meant. */
struct vt_vgpu_resp_edid {
    struct vt_vgpu_header header;
    uint32_t size;
    uint32_t padding;
    uint8_t edid[1024];
};
_Static_assert(sizeof(struct vt_vgpu_resp_edid) == 1056, "5.7.6.8");

/** Its fields, in the order of the struct. */
#define VT_VGPU_GET_EDID_FIELDS(F, S) F(S, scanout, SCANOUT, NULL, "which")
/** And of the answer. */
#define VT_VGPU_RESP_EDID_FIELDS(F, S)                                                             \
    F(S, size, NUMBER, NULL, "bytes of the EDID, a multiple of 128")
#define VT_VGPU_RESP_EDID_TAIL                                                                     \
    {"edid", 0, 0, VT_VGPU_BYTES, NULL, "blocks of 128 bytes (VESA E-EDID)"}

#endif
