/* virtio/gpu/protocol/resource_create_2d.h - RESOURCE_CREATE_2D: a picture on the device.
 *
 * Its pixels are the device's own; the guest's memory is attached by RESOURCE_ATTACH_BACKING.
 */
#ifndef VT_VIRTIO_GPU_RESOURCE_CREATE_2D_H
#define VT_VIRTIO_GPU_RESOURCE_CREATE_2D_H

#include "virtio/gpu/protocol/formats.h"
#include "virtio/gpu/protocol/protocol.h"

struct vt_vgpu_resource_create_2d {
    struct vt_vgpu_header header;
    uint32_t resource_id;
    uint32_t format;
    uint32_t width;
    uint32_t height;
};
_Static_assert(sizeof(struct vt_vgpu_resource_create_2d) == 40, "5.7.6.8");

/** Its fields, in the order of the struct. */
#define VT_VGPU_RESOURCE_CREATE_2D_FIELDS(F, S)                                                    \
    F(S, resource_id, RESOURCE, NULL, "its new id, chosen by the driver; not 0")                   \
    F(S, format, ENUM, vt_vgpu_formats, "of a pixel")                                              \
    F(S, width, NUMBER, NULL, "in pixels")                                                         \
    F(S, height, NUMBER, NULL, "in pixels")

#endif
