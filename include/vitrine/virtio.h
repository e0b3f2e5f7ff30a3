/* vitrine/virtio.h - virtio 1.3 from the driver's side: a virtqueue and two transports.
 *
 * Freestanding: compiled into bare-metal guests (guests/card) and, as it is, into tests and tools
 * on a host. It needs stdint, stddef, stdbool, memcpy, memset and memcmp; it takes memory from an
 * arena the caller gives and from nowhere else; it knows nothing of what its buffers carry.
 *
 * The device is hostile: every index, length and number that it writes is checked before it is
 * used, and what a check found is named in the object's `fault`. Nothing waits by itself: who has
 * to wait (reset) takes the caller's clock. Objects are not thread-safe. Structures are
 * little-endian, as are the three architectures (x86-64, aarch64, riscv64).
 *
 * Source: OASIS "Virtual I/O Device (VIRTIO) Version 1.3", chapters 2 (2.7 split, 2.8 packed),
 * 3, 4.1, 4.2. Section numbers below are of that document.
 */
#ifndef VITRINE_VIRTIO_H
#define VITRINE_VIRTIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** 0, or why not. Negative; base's enum vt_code cannot be used here: it comes with a libc. */
enum vt_virtio_code {
    VT_VIRTIO_OK = 0,
    VT_VIRTIO_E_NOMEM = -1,       /**< the arena is used up */
    VT_VIRTIO_E_INVAL = -2,       /**< the caller's argument is out of its documented range */
    VT_VIRTIO_E_FULL = -3,        /**< no room in the queue now; take what is used and try again */
    VT_VIRTIO_E_NO_DEVICE = -4,   /**< nothing there, or no virtio device */
    VT_VIRTIO_E_UNSUPPORTED = -5, /**< a legacy device, or a feature that is needed was refused */
    VT_VIRTIO_E_PROTOCOL = -6,    /**< the device broke a rule; see `fault` */
    VT_VIRTIO_E_NEEDS_RESET = -7, /**< the device says DEVICE_NEEDS_RESET, or is broken already */
    VT_VIRTIO_E_TIMEOUT = -8,     /**< it did not answer in time */
};

/** A short English name ("queue full"); never NULL. */
const char *vt_virtio_code_name(int code);

/* ---------------------------------------------------------------- memory the device sees */

/** A piece of RAM from which things are taken and never given back one by one. `device` is the
 *  address at which the device sees `base`: guest-physical. Plain data. */
struct vt_virtio_arena {
    uint8_t *base;
    uint64_t device;
    size_t bytes, used;
};

/** `bytes` zeroed bytes at a multiple of `alignment` (a power of two, of both addresses); *device,
 *  when asked for, is their address for the device. NULL when the arena is used up. */
void *vt_virtio_arena_take(struct vt_virtio_arena *arena, size_t bytes, size_t alignment,
                           uint64_t *device);

/* ---------------------------------------------------------------- feature bits (6) */

#define VT_VIRTIO_F_INDIRECT_DESC ((uint64_t)1 << 28)
#define VT_VIRTIO_F_EVENT_IDX ((uint64_t)1 << 29)
#define VT_VIRTIO_F_VERSION_1 ((uint64_t)1 << 32)
#define VT_VIRTIO_F_ACCESS_PLATFORM ((uint64_t)1 << 33)
#define VT_VIRTIO_F_RING_PACKED ((uint64_t)1 << 34)
#define VT_VIRTIO_F_IN_ORDER ((uint64_t)1 << 35)
#define VT_VIRTIO_F_ORDER_PLATFORM ((uint64_t)1 << 36)
#define VT_VIRTIO_F_NOTIFICATION_DATA ((uint64_t)1 << 38)
#define VT_VIRTIO_F_RING_RESET ((uint64_t)1 << 40)

/* ---------------------------------------------------------------- a virtqueue (2.6) */

/** A run of memory as the device sees it. bytes > 0. */
struct vt_virtio_piece {
    uint64_t device;
    uint32_t bytes;
};

/** What a queue is made of; `features` are the negotiated ones and decide split or packed ring,
 *  indirect descriptors and event index. */
struct vt_virtqueue_config {
    uint16_t index;      /**< of the device's queues */
    uint16_t size;       /**< entries, up to 32768; split: a power of two */
    uint16_t max_pieces; /**< of one buffer, 1-256 and at most `size` (2.7.5.3.1). Where indirect
                              descriptors were negotiated, buffers of several pieces go through
                              tables and take one entry each; else an entry a piece */
    uint64_t features;   /**< IN_ORDER is refused */
};

struct vt_virtqueue; /* opaque: lives in the arena */

/** Lays a queue out in `arena`. VT_VIRTIO_E_INVAL, _NOMEM. */
int vt_virtqueue_create(const struct vt_virtqueue_config *config, struct vt_virtio_arena *arena,
                        struct vt_virtqueue **queue);
/** As new, in the same memory: after the device was reset. Buffers that were on their way are
 *  forgotten; vt_virtqueue_each_pending first. */
void vt_virtqueue_reset(struct vt_virtqueue *q);
/** Where its three areas are (4.1.4.3 queue_desc, queue_driver, queue_device). */
void vt_virtqueue_addresses(const struct vt_virtqueue *q, uint64_t *desc, uint64_t *driver,
                            uint64_t *device);
uint16_t vt_virtqueue_index(const struct vt_virtqueue *q);
uint16_t vt_virtqueue_size(const struct vt_virtqueue *q);
/** Buffers the device has not returned. */
uint16_t vt_virtqueue_pending(const struct vt_virtqueue *q);

/** Adds one buffer: `n_out` pieces the device reads, then `n_in` that it writes, at least one in
 * all and at most 2^32 bytes. The device may see it only after vt_virtqueue_publish. `token`, not
 * NULL, comes back with it; *slot, when asked for, is the descriptor (split) or buffer id (packed)
 * that names it on the ring. VT_VIRTIO_E_FULL, _INVAL, _NEEDS_RESET. */
int vt_virtqueue_add(struct vt_virtqueue *q, const struct vt_virtio_piece *pieces, unsigned n_out,
                     unsigned n_in, void *token, uint16_t *slot);
/** Shows the device what was added since the last call; true: it wants to be notified. */
bool vt_virtqueue_publish(struct vt_virtqueue *q);
/** 1 and a buffer that the device has returned, with the bytes it says it wrote (at most what the
 *  buffer's in-pieces hold); 0 when there is none; VT_VIRTIO_E_PROTOCOL: an unknown or free id, an
 *  index that jumped, a length beyond the buffer: the queue takes nothing any more until it is
 * reset. */
int vt_virtqueue_take(struct vt_virtqueue *q, void **token, uint32_t *written);
/** Asks for an interrupt after the next buffer, or for none. True: something has been returned
 *  already and there may be no interrupt for it; take again. Call it each time before sleeping. */
bool vt_virtqueue_interrupts(struct vt_virtqueue *q, bool wanted);
/** Every token that the device has not returned, oldest first. */
void vt_virtqueue_each_pending(struct vt_virtqueue *q, void (*fn)(void *token, void *arg),
                               void *arg);
/** The rule that was broken ("the used index jumped past what is pending"), or NULL. Static. */
const char *vt_virtqueue_fault(const struct vt_virtqueue *q);

/* ---------------------------------------------------------------- transports (4) */

/** How registers are reached. Widths are 1, 2, 4 bytes, naturally aligned; for `mmio` an address is
 *  the machine's, for `pci_*` a function's configuration offset. */
struct vt_virtio_bus {
    uint32_t (*mmio_read)(void *arg, uint64_t address, unsigned bytes);
    void (*mmio_write)(void *arg, uint64_t address, unsigned bytes, uint32_t value);
    /** Configuration space of `function` = bus << 8 | device << 3 | function; NULL: no PCI. */
    uint32_t (*pci_read)(void *arg, uint16_t function, uint16_t offset, unsigned bytes);
    void (*pci_write)(void *arg, uint16_t function, uint16_t offset, unsigned bytes,
                      uint32_t value);
    void *arg;
};

/** The caller's clock, for what has to be waited for. Nanoseconds, never going back. */
struct vt_virtio_clock {
    uint64_t (*now_ns)(void *arg);
    void (*relax)(void *arg); /**< called while waiting; may be NULL */
    void *arg;
};

enum vt_virtio_status { /* 2.1 */
                        VT_VIRTIO_ACKNOWLEDGE = 1,
                        VT_VIRTIO_DRIVER = 2,
                        VT_VIRTIO_DRIVER_OK = 4,
                        VT_VIRTIO_FEATURES_OK = 8,
                        VT_VIRTIO_NEEDS_RESET = 64,
                        VT_VIRTIO_FAILED = 128,
};

struct vt_virtio_transport; /* what mmio.c and pci.c implement: virtio/transport.h */

/** A device that was found. The caller's memory; borrows `bus` and `clock`. Read-only outside. */
struct vt_virtio_device {
    const struct vt_virtio_transport *transport;
    const struct vt_virtio_bus *bus;
    const struct vt_virtio_clock *clock;
    uint32_t id;       /**< 16: GPU (5) */
    uint64_t offered;  /**< features of the device */
    uint64_t features; /**< after vt_virtio_negotiate */
    const char *fault; /**< the rule the device broke, or NULL */
    union {
        struct {
            uint64_t base;
        } mmio;
        struct {
            uint16_t function;
            uint64_t common, notify, isr,
                config; /**< addresses of the capabilities' areas (4.1.4) */
            uint32_t notify_bytes, notify_multiplier, config_bytes;
        } pci;
    } at;
};

/** Is there a modern virtio-mmio device at `base` (4.2.2)? VT_VIRTIO_E_NO_DEVICE (also for an empty
 *  slot, id 0), _UNSUPPORTED (version 1). */
int vt_virtio_mmio_open(struct vt_virtio_device *d, const struct vt_virtio_bus *bus,
                        const struct vt_virtio_clock *clock, uint64_t base);
/** Reads the capabilities of a PCI function (4.1.4), turns memory decoding and bus mastering on.
 *  Base addresses must have been assigned: by firmware or by vt_pci_assign. */
int vt_virtio_pci_open(struct vt_virtio_device *d, const struct vt_virtio_bus *bus,
                       const struct vt_virtio_clock *clock, uint16_t function);

/** The first function, on bus 0 and behind bridges whose bus numbers are set, that is a virtio
 * device of type `id`; VT_VIRTIO_E_NO_DEVICE. */
int vt_pci_find_virtio(const struct vt_virtio_bus *bus, uint32_t id, uint16_t *function);
/** Gives a function's memory base addresses places in [*next, end), for machines started without
 *  firmware; 64-bit ones above 4 GiB only if `next` is. *next moves on. Bridges in front of it are
 *  left alone. VT_VIRTIO_E_NOMEM: no room there; decoding stays off. */
int vt_pci_assign(const struct vt_virtio_bus *bus, uint16_t function, uint64_t *next, uint64_t end);

/** Resets the device and waits until it says so (2.4). VT_VIRTIO_E_TIMEOUT. */
int vt_virtio_reset(struct vt_virtio_device *d, uint64_t timeout_ns);
/** From reset to FEATURES_OK (3.1.1, steps 1-6): accepts `wanted` of what is offered. Fails with
 *  VT_VIRTIO_E_UNSUPPORTED, and status FAILED, when one of `needed` (VERSION_1 always) is missing
 * or the device does not keep FEATURES_OK. */
int vt_virtio_negotiate(struct vt_virtio_device *d, uint64_t wanted, uint64_t needed);
/** The largest size of queue `index`; 0: it does not exist. */
uint16_t vt_virtio_queue_max(struct vt_virtio_device *d, uint16_t index);
/** Tells the device of a queue, no larger than vt_virtio_queue_max, and enables it; `vector` is the
 *  MSI-X entry or 0xffff (PCI only). VT_VIRTIO_E_INVAL, _PROTOCOL, _UNSUPPORTED (no such vector).
 */
int vt_virtio_queue_start(struct vt_virtio_device *d, struct vt_virtqueue *q, uint16_t vector);
/** DRIVER_OK: the device works from now on. */
int vt_virtio_start(struct vt_virtio_device *d);
/** The device status byte; NEEDS_RESET shows here. */
uint8_t vt_virtio_status(struct vt_virtio_device *d);
void vt_virtio_notify(struct vt_virtio_device *d, const struct vt_virtqueue *q);
/** Bit 0: a queue was used, bit 1: configuration changed; acknowledges them. */
uint32_t vt_virtio_interrupt(struct vt_virtio_device *d);
/** More than any device type's configuration has. */
#define VT_VIRTIO_CONFIG_MAX 256u
/** Copies `bytes` at `offset` of the device's configuration, all of one generation (2.5.1).
 *  VT_VIRTIO_E_TIMEOUT when it changes again and again, _INVAL when there are not so many. */
int vt_virtio_config_read(struct vt_virtio_device *d, uint32_t offset, void *to, uint32_t bytes);
/** Four bytes, aligned. */
int vt_virtio_config_write(struct vt_virtio_device *d, uint32_t offset, uint32_t value);

#endif
