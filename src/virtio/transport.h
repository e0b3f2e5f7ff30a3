/* virtio/transport.h - what a transport does for virtio/device.c, and what a queue tells it. */
#ifndef VT_VIRTIO_TRANSPORT_H
#define VT_VIRTIO_TRANSPORT_H

#include "vitrine/virtio.h"

/** Registers by meaning. Rules that hold on any transport are device.c's, waiting is, too. */
struct vt_virtio_transport {
    uint64_t (*device_features)(struct vt_virtio_device *d);
    void (*set_driver_features)(struct vt_virtio_device *d, uint64_t features);
    uint8_t (*status)(struct vt_virtio_device *d);
    void (*set_status)(struct vt_virtio_device *d, uint8_t status);
    /** Selects a queue: its largest size as the device says it; 0: there is none. */
    uint32_t (*queue_max)(struct vt_virtio_device *d, uint16_t index);
    /** Of the selected queue. */
    bool (*queue_enabled)(struct vt_virtio_device *d);
    /** Sets the selected queue up but for its areas; *notify is where it is notified. */
    int (*queue_setup)(struct vt_virtio_device *d, const struct vt_virtqueue *q, uint16_t vector,
                       uint64_t *notify);
    /** Of the selected queue: 0 descriptors, 1 driver area, 2 device area. */
    void (*queue_area)(struct vt_virtio_device *d, unsigned area, uint64_t address);
    void (*queue_enable)(struct vt_virtio_device *d);
    /** Bytes of a notification without NOTIFICATION_DATA. */
    unsigned notify_bytes;
    uint32_t (*interrupt)(struct vt_virtio_device *d);
    uint32_t (*config_generation)(struct vt_virtio_device *d);
    /** Where `bytes` of device configuration at `offset` are; 0: there are not so many. */
    uint64_t (*config_at)(struct vt_virtio_device *d, uint32_t offset, uint32_t bytes);
};
extern const struct vt_virtio_transport vt_virtio_mmio, vt_virtio_pci;

/** The address at which the queue is notified: kept with it, so that a notification is one write.
 */
void vt_virtqueue_set_notify_address(struct vt_virtqueue *q, uint64_t address);
uint64_t vt_virtqueue_notify_address(const struct vt_virtqueue *q);
/** What a notification carries with NOTIFICATION_DATA (4.1.5.2.1): the queue's index and where it
 *  goes on. Without that feature only the lower 16 bits. */
uint32_t vt_virtqueue_notification(const struct vt_virtqueue *q);

#endif
