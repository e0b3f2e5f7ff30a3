/* virtio/gpu/protocol/set_scanout_blob.h - SET_SCANOUT_BLOB: a scanout shows memory that has no
 * format of its own.
 */
#ifndef VT_VIRTIO_GPU_SET_SCANOUT_BLOB_H
#define VT_VIRTIO_GPU_SET_SCANOUT_BLOB_H

#include "virtio/gpu/protocol/formats.h"
#include "virtio/gpu/protocol/protocol.h"

struct vt_vgpu_set_scanout_blob {
    struct vt_vgpu_header header;
    struct vt_vgpu_rect rect;
    uint32_t scanout_id;
    uint32_t resource_id;
    uint32_t width;
    uint32_t height;
    uint32_t format;
    uint32_t padding;
    uint32_t strides[4];
    uint32_t offsets[4];
};
_Static_assert(sizeof(struct vt_vgpu_set_scanout_blob) == 96, "5.7.6.8");

/** Its fields, in the order of the struct. */
#define VT_VGPU_SET_SCANOUT_BLOB_FIELDS(F, S)                                                      \
    F(S, rect, RECT, NULL, "the part that is shown")                                               \
    F(S, scanout_id, SCANOUT, NULL, "which")                                                       \
    F(S, resource_id, RESOURCE, NULL, "a blob; 0 turns the scanout off")                           \
    F(S, width, NUMBER, NULL, "of the whole picture, in pixels")                                   \
    F(S, height, NUMBER, NULL, "in pixels")                                                        \
    F(S, format, ENUM, vt_vgpu_formats, "of a pixel")                                              \
    F(S, strides[0], NUMBER, NULL, "bytes from row to row, plane 0")                               \
    F(S, strides[1], NUMBER, NULL, "bytes from row to row, plane 1")                               \
    F(S, strides[2], NUMBER, NULL, "bytes from row to row, plane 2")                               \
    F(S, strides[3], NUMBER, NULL, "bytes from row to row, plane 3")                               \
    F(S, offsets[0], NUMBER, NULL, "of the first pixel, plane 0")                                  \
    F(S, offsets[1], NUMBER, NULL, "of the first pixel, plane 1")                                  \
    F(S, offsets[2], NUMBER, NULL, "of the first pixel, plane 2")                                  \
    F(S, offsets[3], NUMBER, NULL, "of the first pixel, plane 3")

#endif
