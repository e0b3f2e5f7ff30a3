/* gpu/vhost_protocol.h - vhost-user's messages as they are on the wire, as far as they are used.
 *
 * Everything is of the host's byte order. Source: QEMU, docs/interop/vhost-user.rst (11.1).
 */
#ifndef VT_GPU_VHOST_PROTOCOL_H
#define VT_GPU_VHOST_PROTOCOL_H

#include <stdint.h>

enum vt_vhost_request {
    VT_VHOST_GET_FEATURES = 1,
    VT_VHOST_SET_FEATURES = 2,
    VT_VHOST_SET_OWNER = 3,
    VT_VHOST_RESET_OWNER = 4,
    VT_VHOST_SET_MEM_TABLE = 5,
    VT_VHOST_SET_VRING_NUM = 8,
    VT_VHOST_SET_VRING_ADDR = 9,
    VT_VHOST_SET_VRING_BASE = 10,
    VT_VHOST_GET_VRING_BASE = 11,
    VT_VHOST_SET_VRING_KICK = 12,
    VT_VHOST_SET_VRING_CALL = 13,
    VT_VHOST_SET_VRING_ERR = 14,
    VT_VHOST_GET_PROTOCOL_FEATURES = 15,
    VT_VHOST_SET_PROTOCOL_FEATURES = 16,
    VT_VHOST_GET_QUEUE_NUM = 17,
    VT_VHOST_SET_VRING_ENABLE = 18,
    VT_VHOST_SET_BACKEND_REQ_FD = 21,
    VT_VHOST_GET_CONFIG = 24,
    VT_VHOST_SET_CONFIG = 25,
    VT_VHOST_RESET_DEVICE = 34,
    VT_VHOST_GET_SHMEM_CONFIG = 44,
};

/** On the back end's own channel. */
enum vt_vhost_backend_request {
    VT_VHOST_BACKEND_CONFIG_CHANGE = 2,
    VT_VHOST_BACKEND_SHMEM_MAP = 9,
};

#define VT_VHOST_VERSION 1u
#define VT_VHOST_VERSION_MASK 3u
#define VT_VHOST_REPLY 4u
#define VT_VHOST_NEED_REPLY 8u

/** Bits of GET_FEATURES that are the transport's. */
#define VT_VHOST_F_PROTOCOL_FEATURES ((uint64_t)1 << 30)
#define VT_VIRTIO_RING_INDIRECT ((uint64_t)1 << 28)
#define VT_VIRTIO_RING_EVENT_INDEX ((uint64_t)1 << 29)
#define VT_VIRTIO_VERSION_1 ((uint64_t)1 << 32)

/** Bits of GET_PROTOCOL_FEATURES. */
#define VT_VHOST_P_MQ ((uint64_t)1 << 0)
#define VT_VHOST_P_REPLY_ACK ((uint64_t)1 << 3)
#define VT_VHOST_P_BACKEND_REQ ((uint64_t)1 << 5)
#define VT_VHOST_P_CONFIG ((uint64_t)1 << 9)
#define VT_VHOST_P_BACKEND_SEND_FD ((uint64_t)1 << 10)
#define VT_VHOST_P_RESET_DEVICE ((uint64_t)1 << 13)
#define VT_VHOST_P_SHMEM ((uint64_t)1 << 22)

struct vt_vhost_header {
    uint32_t request, flags, bytes;
};

struct vt_vhost_vring_state {
    uint32_t index, num;
};
struct vt_vhost_vring_addr {
    uint32_t index, flags;
    uint64_t desc, used, avail, log;
};
/** Of SET_VRING_KICK, _CALL and _ERR, a u64. */
#define VT_VHOST_VRING_INDEX_MASK 0xffu
#define VT_VHOST_VRING_NO_FD 0x100u

struct vt_vhost_region {
    uint64_t gpa, bytes, front_end, offset;
};
#define VT_VHOST_TABLE_REGIONS_MAX 8u
struct vt_vhost_table {
    uint32_t n, padding;
    struct vt_vhost_region regions[VT_VHOST_TABLE_REGIONS_MAX];
};

#define VT_VHOST_CONFIG_BYTES_MAX 256u
struct vt_vhost_config {
    uint32_t offset, bytes, flags;
    uint8_t space[VT_VHOST_CONFIG_BYTES_MAX];
};
#define VT_VHOST_CONFIG_HEAD 12u

#define VT_VHOST_SHMEM_REGIONS 256u
struct vt_vhost_shmem_config {
    uint32_t n, padding;
    uint64_t bytes[VT_VHOST_SHMEM_REGIONS]; /**< by id */
};
struct vt_vhost_shmem_map {
    uint8_t id, padding[7];
    uint64_t fd_offset, offset, bytes, flags;
};
#define VT_VHOST_SHMEM_WRITABLE 1u

#endif
