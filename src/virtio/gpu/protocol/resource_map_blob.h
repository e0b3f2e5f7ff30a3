/* virtio/gpu/protocol/resource_map_blob.h - RESOURCE_MAP_BLOB: a blob appears in the host memory
 * window.
 */
#ifndef VT_VIRTIO_GPU_RESOURCE_MAP_BLOB_H
#define VT_VIRTIO_GPU_RESOURCE_MAP_BLOB_H

#include "virtio/gpu/protocol/protocol.h"

enum vt_vgpu_map_cache {
    VT_VGPU_MAP_CACHE_NONE = 0,
    VT_VGPU_MAP_CACHE_CACHED = 1,
    VT_VGPU_MAP_CACHE_UNCACHED = 2,
    VT_VGPU_MAP_CACHE_WC = 3,
};
extern const struct vt_vgpu_name vt_vgpu_map_caches[];

struct vt_vgpu_resource_map_blob {
    struct vt_vgpu_header header;
    uint32_t resource_id;
    uint32_t padding;
    uint64_t offset;
};
_Static_assert(sizeof(struct vt_vgpu_resource_map_blob) == 40, "5.7.6.8");

struct vt_vgpu_resp_map_info {
    struct vt_vgpu_header header;
    uint32_t map_info;
    uint32_t padding;
};
_Static_assert(sizeof(struct vt_vgpu_resp_map_info) == 32, "5.7.6.8");

/** Its fields, in the order of the struct. */
#define VT_VGPU_RESOURCE_MAP_BLOB_FIELDS(F, S)                                                     \
    F(S, resource_id, RESOURCE, NULL, "a blob that is mappable")                                   \
    F(S, offset, HEX, NULL, "in the window")
/** And of the answer. */
#define VT_VGPU_RESP_MAP_INFO_FIELDS(F, S)                                                         \
    F(S, map_info, ENUM, vt_vgpu_map_caches, "how the guest must map it")

#endif
