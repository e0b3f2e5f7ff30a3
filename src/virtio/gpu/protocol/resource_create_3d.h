/* virtio/gpu/protocol/resource_create_3d.h - RESOURCE_CREATE_3D: a buffer or texture of virgl's.
 *
 * Numbers of target, format and bind are those of virglrenderer (virgl_hw.h); the formats that
 * RESOURCE_CREATE_2D knows are the same here.
 */
#ifndef VT_VIRTIO_GPU_RESOURCE_CREATE_3D_H
#define VT_VIRTIO_GPU_RESOURCE_CREATE_3D_H

#include "virtio/gpu/protocol/formats.h"
#include "virtio/gpu/protocol/protocol.h"

#define VT_VGPU_RESOURCE_Y_0_TOP 1u
extern const struct vt_vgpu_name vt_vgpu_targets[], vt_vgpu_binds[], vt_vgpu_resource_flags[];

struct vt_vgpu_resource_create_3d {
    struct vt_vgpu_header header;
    uint32_t resource_id;
    uint32_t target;
    uint32_t format;
    uint32_t bind;
    uint32_t width;
    uint32_t height;
    uint32_t depth;
    uint32_t array_size;
    uint32_t last_level;
    uint32_t nr_samples;
    uint32_t flags;
    uint32_t padding;
};
_Static_assert(sizeof(struct vt_vgpu_resource_create_3d) == 72, "5.7.6.8");

/** Its fields, in the order of the struct. */
#define VT_VGPU_RESOURCE_CREATE_3D_FIELDS(F, S)                                                    \
    F(S, resource_id, RESOURCE, NULL, "its new id; not 0")                                         \
    F(S, target, ENUM, vt_vgpu_targets, "buffer or kind of texture")                               \
    F(S, format, ENUM, vt_vgpu_formats, "of a pixel")                                              \
    F(S, bind, FLAGS, vt_vgpu_binds, "what it will be used for")                                   \
    F(S, width, NUMBER, NULL, "in pixels; a buffer's bytes")                                       \
    F(S, height, NUMBER, NULL, "in pixels")                                                        \
    F(S, depth, NUMBER, NULL, "in pixels")                                                         \
    F(S, array_size, NUMBER, NULL, "layers")                                                       \
    F(S, last_level, NUMBER, NULL, "mipmap levels after the first")                                \
    F(S, nr_samples, NUMBER, NULL, "of a pixel")                                                   \
    F(S, flags, FLAGS, vt_vgpu_resource_flags, "which way is up")

#endif
