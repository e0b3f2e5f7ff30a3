/* virtio/layout.h - what driver and device share, byte by byte: rings, registers, capabilities.
 *
 * For whoever reads them from either side: our queues, the device models of the tests, a watcher of
 * somebody else's rings. Everything is little-endian.
 * Source: virtio 1.3, 2.7 (split), 2.8 (packed), 4.1 (PCI), 4.2 (MMIO).
 */
#ifndef VT_VIRTIO_LAYOUT_H
#define VT_VIRTIO_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

/* ---------------------------------------------------------------- split ring (2.7) */

#define VT_SPLIT_SIZE_MAX 32768u

/** Of both rings' descriptors. */
#define VT_DESC_NEXT 1u     /**< the buffer goes on (split: at `next`, packed: right behind) */
#define VT_DESC_WRITE 2u    /**< the device writes it */
#define VT_DESC_INDIRECT 4u /**< a table of descriptors is there */

struct vt_split_desc {
    uint64_t address;
    uint32_t bytes;
    uint16_t flags, next;
};
#define VT_SPLIT_DESC_ALIGNMENT 16u

#define VT_SPLIT_AVAIL_NO_INTERRUPT 1
struct vt_split_avail {
    uint16_t flags, idx;
    uint16_t ring[]; /**< `size` heads, then used_event */
};
#define VT_SPLIT_AVAIL_ALIGNMENT 2u

struct vt_split_used_elem {
    uint32_t id, bytes;
};
#define VT_SPLIT_USED_NO_NOTIFY 1
struct vt_split_used {
    uint16_t flags, idx;
    struct vt_split_used_elem ring[]; /**< `size` of them, then the 16 bits of avail_event */
};
#define VT_SPLIT_USED_ALIGNMENT 4u

static inline size_t vt_split_desc_bytes(uint16_t size)
{
    return sizeof(struct vt_split_desc) * size;
}
/** Both with the event index at their end, which is there whether it was negotiated or not. */
static inline size_t vt_split_avail_bytes(uint16_t size)
{
    return 4 + 2 * (size_t)size + 2;
}
static inline size_t vt_split_used_bytes(uint16_t size)
{
    return 4 + sizeof(struct vt_split_used_elem) * size + 2;
}
/** Offsets of the event indices. */
static inline size_t vt_split_used_event_at(uint16_t size)
{
    return 4 + 2 * (size_t)size;
}
static inline size_t vt_split_avail_event_at(uint16_t size)
{
    return 4 + sizeof(struct vt_split_used_elem) * size;
}

/** Does an index that went from `before` to `now` pass `event` (2.7.10)? */
static inline int vt_virtio_event_passed(uint16_t event, uint16_t now, uint16_t before)
{
    return (uint16_t)(now - event - 1) < (uint16_t)(now - before);
}

/* ---------------------------------------------------------------- packed ring (2.8) */

#define VT_PACKED_SIZE_MAX 32768u

struct vt_packed_desc {
    uint64_t address;
    uint32_t bytes;
    uint16_t id, flags;
};
/** Available: AVAIL is the driver's wrap counter and USED is not. Used: both are the device's. */
#define VT_PACKED_AVAIL (1u << 7)
#define VT_PACKED_USED (1u << 15)
#define VT_PACKED_DESC_ALIGNMENT 16u

struct vt_packed_event {
    uint16_t where; /**< descriptor, wrap counter in bit 15; only with VT_PACKED_EVENT_AT */
    uint16_t flags;
};
#define VT_PACKED_WRAP (1u << 15)
#define VT_PACKED_EVENT_ALIGNMENT 4u
enum vt_packed_event_flags {
    VT_PACKED_EVENT_ON,
    VT_PACKED_EVENT_OFF,
    VT_PACKED_EVENT_AT, /**< with EVENT_IDX */
};

/* ---------------------------------------------------------------- MMIO registers (4.2.2) */

#define VT_MMIO_MAGIC_VALUE 0x74726976u
enum vt_mmio_register {
    VT_MMIO_MAGIC = 0x000,
    VT_MMIO_VERSION = 0x004,
    VT_MMIO_DEVICE_ID = 0x008,
    VT_MMIO_VENDOR_ID = 0x00c,
    VT_MMIO_DEVICE_FEATURES = 0x010,
    VT_MMIO_DEVICE_FEATURES_SEL = 0x014,
    VT_MMIO_DRIVER_FEATURES = 0x020,
    VT_MMIO_DRIVER_FEATURES_SEL = 0x024,
    VT_MMIO_QUEUE_SEL = 0x030,
    VT_MMIO_QUEUE_SIZE_MAX = 0x034,
    VT_MMIO_QUEUE_SIZE = 0x038,
    VT_MMIO_QUEUE_READY = 0x044,
    VT_MMIO_QUEUE_NOTIFY = 0x050,
    VT_MMIO_INTERRUPT_STATUS = 0x060,
    VT_MMIO_INTERRUPT_ACK = 0x064,
    VT_MMIO_STATUS = 0x070,
    VT_MMIO_QUEUE_DESC = 0x080, /**< low half; high half behind it, as for the next two */
    VT_MMIO_QUEUE_DRIVER = 0x090,
    VT_MMIO_QUEUE_DEVICE = 0x0a0,
    VT_MMIO_CONFIG_GENERATION = 0x0fc,
    VT_MMIO_CONFIG = 0x100,
};

/* ---------------------------------------------------------------- PCI (4.1) */

#define VT_PCI_VENDOR 0x1af4u
#define VT_PCI_DEVICE_TRANSITIONAL 0x1000u /**< its type is the subsystem's id */
#define VT_PCI_DEVICE_MODERN 0x1040u       /**< + the device's type */

/** Of the vendor-specific capability (4.1.4). */
enum vt_pci_cap_offset {
    VT_PCI_CAP_LENGTH = 2,
    VT_PCI_CAP_TYPE = 3,
    VT_PCI_CAP_BAR = 4,
    VT_PCI_CAP_OFFSET = 8,
    VT_PCI_CAP_BYTES = 12,
    VT_PCI_CAP_NOTIFY_MULTIPLIER = 16,
};
enum vt_pci_cap_type {
    VT_PCI_CAP_COMMON = 1,
    VT_PCI_CAP_NOTIFY = 2,
    VT_PCI_CAP_ISR = 3,
    VT_PCI_CAP_DEVICE = 4,
    VT_PCI_CAP_CONFIG_ACCESS = 5,
};

/** Of the common configuration (4.1.4.3); widths differ. */
enum vt_pci_common {
    VT_PCI_DEVICE_FEATURES_SEL = 0x00, /* 32 */
    VT_PCI_DEVICE_FEATURES = 0x04,     /* 32 */
    VT_PCI_DRIVER_FEATURES_SEL = 0x08, /* 32 */
    VT_PCI_DRIVER_FEATURES = 0x0c,     /* 32 */
    VT_PCI_CONFIG_VECTOR = 0x10,       /* 16 */
    VT_PCI_NUM_QUEUES = 0x12,          /* 16 */
    VT_PCI_STATUS = 0x14,              /* 8 */
    VT_PCI_CONFIG_GENERATION = 0x15,   /* 8 */
    VT_PCI_QUEUE_SEL = 0x16,           /* 16 */
    VT_PCI_QUEUE_SIZE = 0x18,          /* 16 */
    VT_PCI_QUEUE_VECTOR = 0x1a,        /* 16 */
    VT_PCI_QUEUE_ENABLE = 0x1c,        /* 16 */
    VT_PCI_QUEUE_NOTIFY_OFF = 0x1e,    /* 16 */
    VT_PCI_QUEUE_DESC = 0x20,          /* 64, in halves of 32; so the next two */
    VT_PCI_QUEUE_DRIVER = 0x28,
    VT_PCI_QUEUE_DEVICE = 0x30,
    VT_PCI_COMMON_BYTES = 0x38,
};

/** A type-0 or type-1 configuration header, as far as it is used. */
enum vt_pci_header {
    VT_PCI_ID = 0x00, /* vendor 16, device 16 */
    VT_PCI_COMMAND = 0x04,
    VT_PCI_HEADER_STATUS = 0x06,
    VT_PCI_HEADER_TYPE = 0x0e,
    VT_PCI_BAR0 = 0x10,
    VT_PCI_BUSES = 0x18, /* bridge: primary, secondary, subordinate */
    VT_PCI_SUBSYSTEM = 0x2e,
    VT_PCI_CAPABILITIES = 0x34,
};
#define VT_PCI_COMMAND_MEMORY 2u
#define VT_PCI_COMMAND_MASTER 4u
#define VT_PCI_STATUS_CAPABILITIES 0x10u
#define VT_PCI_CAP_ID_VENDOR 9u

#endif
