/* virtio/gpu/protocol/get_display_info.h - GET_DISPLAY_INFO: what each scanout's monitor is like.
 *
 * The request is the header alone. Outputs are as the user of the VM sets them; a scanout that is
 * not enabled has none. The answer always has all 16.
 */
#ifndef VT_VIRTIO_GPU_GET_DISPLAY_INFO_H
#define VT_VIRTIO_GPU_GET_DISPLAY_INFO_H

#include "virtio/gpu/protocol/protocol.h"

struct vt_vgpu_display_one {
    struct vt_vgpu_rect rect;
    uint32_t enabled;
    uint32_t flags;
};
struct vt_vgpu_resp_display_info {
    struct vt_vgpu_header header;
    struct vt_vgpu_display_one pmodes[VT_VGPU_SCANOUTS_MAX];
};
_Static_assert(sizeof(struct vt_vgpu_resp_display_info) == 408, "5.7.6.8");

/** Fields of one of them. */
#define VT_VGPU_DISPLAY_ONE_FIELDS(F, S)                                                           \
    F(S, rect, RECT, NULL, "preferred size, and place among the others")                           \
    F(S, enabled, NUMBER, NULL, "is a monitor there?")                                             \
    F(S, flags, HEX, NULL, "none are defined")

#endif
