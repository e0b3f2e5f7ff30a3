/* virtio/transport.h - what a transport does for virtio/device.c, and what a queue tells it. */
#ifndef VT_VIRTIO_TRANSPORT_H
#define VT_VIRTIO_TRANSPORT_H

#include "vitrine/virtio.h"

/** Registers by meaning. Nothing is checked or waited for here: device.c does. */
struct vt_virtio_transport {
    const char *name; /**< "mmio", "pci" */
    uint64_t (*device_features)(struct vt_virtio_device *d);
    void (*driver_features)(struct vt_virtio_device *d, uint64_t features);
    uint8_t (*status)(struct vt_virtio_device *d);
    void (*set_status)(struct vt_virtio_device *d, uint8_t status);
    /** Largest size; 0: there is no such queue. Selects it. */
    uint32_t (*queue_max)(struct vt_virtio_device *d, uint16_t index);
    int (*queue_start)(struct vt_virtio_device *d, const struct vt_virtqueue *q, uint16_t vector);
    void (*notify)(struct vt_virtio_device *d, const struct vt_virtqueue *q);
    uint32_t (*interrupt)(struct vt_virtio_device *d);
    uint32_t (*config_generation)(struct vt_virtio_device *d);
    /** At most this much is there; UINT32_MAX: the transport does not say. */
    uint32_t (*config_bytes)(struct vt_virtio_device *d);
    uint32_t (*config_read)(struct vt_virtio_device *d, uint32_t offset, unsigned bytes);
    void (*config_write)(struct vt_virtio_device *d, uint32_t offset, unsigned bytes,
                         uint32_t value);
};
extern const struct vt_virtio_transport vt_virtio_mmio, vt_virtio_pci;

/** What a notification carries with NOTIFICATION_DATA (4.1.5.2.1): the queue's index and where it
 *  goes on. Without that feature only the lower 16 bits. */
uint32_t vt_virtqueue_notification(const struct vt_virtqueue *q);

#endif
