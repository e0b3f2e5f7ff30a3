/* virtio/gpu/protocol/resource_assign_uuid.h - RESOURCE_ASSIGN_UUID: a name other virtio devices
 * know a resource by.
 */
#ifndef VT_VIRTIO_GPU_RESOURCE_ASSIGN_UUID_H
#define VT_VIRTIO_GPU_RESOURCE_ASSIGN_UUID_H

#include "virtio/gpu/protocol/protocol.h"

struct vt_vgpu_resource_assign_uuid {
    struct vt_vgpu_header header;
    uint32_t resource_id;
    uint32_t padding;
};
_Static_assert(sizeof(struct vt_vgpu_resource_assign_uuid) == 32, "5.7.6.8");

struct vt_vgpu_resp_resource_uuid {
    struct vt_vgpu_header header;
    uint8_t uuid[16];
};
_Static_assert(sizeof(struct vt_vgpu_resp_resource_uuid) == 40, "5.7.6.8");

/** Its fields, in the order of the struct. */
#define VT_VGPU_RESOURCE_ASSIGN_UUID_FIELDS(F, S) F(S, resource_id, RESOURCE, NULL, "which")
/** And of the answer. */
#define VT_VGPU_RESP_RESOURCE_UUID_FIELDS(F, S) F(S, uuid, BYTES, NULL, "its UUID")

#endif
