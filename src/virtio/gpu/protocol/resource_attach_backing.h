/* virtio/gpu/protocol/resource_attach_backing.h - RESOURCE_ATTACH_BACKING: memory for a resource.
 *
 * `nr_entries` struct vt_vgpu_memory_entry follow; together they are the resource's pixels, row by
 * row.
 */
#ifndef VT_VIRTIO_GPU_RESOURCE_ATTACH_BACKING_H
#define VT_VIRTIO_GPU_RESOURCE_ATTACH_BACKING_H

#include "virtio/gpu/protocol/memory_entry.h"
#include "virtio/gpu/protocol/protocol.h"

struct vt_vgpu_resource_attach_backing {
    struct vt_vgpu_header header;
    uint32_t resource_id;
    uint32_t nr_entries;
};
_Static_assert(sizeof(struct vt_vgpu_resource_attach_backing) == 32, "5.7.6.8");

/** Its fields, in the order of the struct. */
#define VT_VGPU_RESOURCE_ATTACH_BACKING_FIELDS(F, S)                                               \
    F(S, resource_id, RESOURCE, NULL, "one without memory")                                        \
    F(S, nr_entries, NUMBER, NULL, "pieces of memory that follow")

#endif
