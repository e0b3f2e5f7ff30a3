/* virtio/gpu/protocol/move_cursor.h - MOVE_CURSOR: the place of a cursor.
 *
 * The same struct as UPDATE_CURSOR's; the device takes scanout, x and y.
 */
#ifndef VT_VIRTIO_GPU_MOVE_CURSOR_H
#define VT_VIRTIO_GPU_MOVE_CURSOR_H

#include "virtio/gpu/protocol/protocol.h"

struct vt_vgpu_move_cursor {
    struct vt_vgpu_header header;
    uint32_t scanout_id;
    uint32_t x, y;
    uint32_t pos_padding;
    uint32_t resource_id;
    uint32_t hot_x, hot_y;
    uint32_t padding;
};
_Static_assert(sizeof(struct vt_vgpu_move_cursor) == 56, "5.7.6.8");

/** Its fields, in the order of the struct. */
#define VT_VGPU_MOVE_CURSOR_FIELDS(F, S)                                                           \
    F(S, scanout_id, SCANOUT, NULL, "where")                                                       \
    F(S, x, NUMBER, NULL, "of the hot spot")                                                       \
    F(S, y, NUMBER, NULL, "of the hot spot")                                                       \
    F(S, resource_id, RESOURCE, NULL, "64 x 64 pixels; 0: no cursor")                              \
    F(S, hot_x, NUMBER, NULL, "within the picture")                                                \
    F(S, hot_y, NUMBER, NULL, "within the picture")

#endif
