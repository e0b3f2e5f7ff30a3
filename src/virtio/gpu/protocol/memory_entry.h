/* virtio/gpu/protocol/memory_entry.h - a piece of the guest's memory behind a resource. */
#ifndef VT_VIRTIO_GPU_MEMORY_ENTRY_H
#define VT_VIRTIO_GPU_MEMORY_ENTRY_H

#include "virtio/gpu/protocol/protocol.h"

struct vt_vgpu_memory_entry {
    uint64_t addr;
    uint32_t length;
    uint32_t padding;
};
_Static_assert(sizeof(struct vt_vgpu_memory_entry) == 16, "5.7.6.8");

/** Its fields, in the order of the struct. */
#define VT_VGPU_MEMORY_ENTRY_FIELDS(F, S)                                                          \
    F(S, addr, ADDRESS, NULL, "guest-physical")                                                    \
    F(S, length, NUMBER, NULL, "in bytes")

#endif
