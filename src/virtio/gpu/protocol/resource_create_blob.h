/* virtio/gpu/protocol/resource_create_blob.h - RESOURCE_CREATE_BLOB: memory without a format.
 *
 * `nr_entries` struct vt_vgpu_memory_entry follow where the memory is the guest's.
 */
#ifndef VT_VIRTIO_GPU_RESOURCE_CREATE_BLOB_H
#define VT_VIRTIO_GPU_RESOURCE_CREATE_BLOB_H

#include "virtio/gpu/protocol/memory_entry.h"
#include "virtio/gpu/protocol/protocol.h"

enum vt_vgpu_blob_mem {
    VT_VGPU_BLOB_MEM_GUEST = 1,
    VT_VGPU_BLOB_MEM_HOST3D = 2,
    VT_VGPU_BLOB_MEM_HOST3D_GUEST = 3,
};
enum vt_vgpu_blob_flags {
    VT_VGPU_BLOB_USE_MAPPABLE = 1,
    VT_VGPU_BLOB_USE_SHAREABLE = 2,
    VT_VGPU_BLOB_USE_CROSS_DEVICE = 4,
};
extern const struct vt_vgpu_name vt_vgpu_blob_mems[], vt_vgpu_blob_flag_names[];

struct vt_vgpu_resource_create_blob {
    struct vt_vgpu_header header;
    uint32_t resource_id;
    uint32_t blob_mem;
    uint32_t blob_flags;
    uint32_t nr_entries;
    uint64_t blob_id;
    uint64_t size;
};
_Static_assert(sizeof(struct vt_vgpu_resource_create_blob) == 56, "5.7.6.8");

/** Its fields, in the order of the struct. */
#define VT_VGPU_RESOURCE_CREATE_BLOB_FIELDS(F, S)                                                  \
    F(S, resource_id, RESOURCE, NULL, "its new id; not 0")                                         \
    F(S, blob_mem, ENUM, vt_vgpu_blob_mems, "whose memory it is")                                  \
    F(S, blob_flags, FLAGS, vt_vgpu_blob_flag_names, "what it will be used for")                   \
    F(S, nr_entries, NUMBER, NULL, "pieces of the guest's memory that follow")                     \
    F(S, blob_id, NUMBER, NULL, "the context's own name for the memory")                           \
    F(S, size, NUMBER, NULL, "in bytes")

#endif
