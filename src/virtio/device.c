/* virtio/device.c - a device's life on any transport: reset, features, queues, configuration. */
#include "virtio/barrier.h"
#include "virtio/layout.h"
#include "virtio/transport.h"

#include <string.h>

/** Looks at a configuration that changes meanwhile before it is called restless. */
#define CONFIG_TRIES 64u

int vt_virtio_reset(struct vt_virtio_device *d, uint64_t timeout_ns)
{
    d->features = 0;
    d->fault = NULL;
    d->transport->set_status(d, 0);
    uint64_t begin = d->clock->now_ns(d->clock->arg);
    while (d->transport->status(d) != 0) {
        if (d->clock->now_ns(d->clock->arg) - begin >= timeout_ns) {
            d->fault = "the device does not come out of reset";
            return VT_VIRTIO_E_TIMEOUT;
        }
        if (d->clock->relax != NULL) {
            d->clock->relax(d->clock->arg);
        }
    }
    return VT_VIRTIO_OK;
}

static void add_status(struct vt_virtio_device *d, uint8_t bits)
{
    d->transport->set_status(d, (uint8_t)(d->transport->status(d) | bits));
}

static int unusable(struct vt_virtio_device *d, const char *why)
{
    d->fault = why;
    add_status(d, VT_VIRTIO_FAILED);
    return VT_VIRTIO_E_UNSUPPORTED;
}

int vt_virtio_negotiate(struct vt_virtio_device *d, uint64_t wanted, uint64_t needed)
{
    add_status(d, VT_VIRTIO_ACKNOWLEDGE);
    add_status(d, VT_VIRTIO_DRIVER);
    needed |= VT_VIRTIO_F_VERSION_1;
    d->offered = d->transport->device_features(d);
    if ((d->offered & needed) != needed) {
        return unusable(d, "the device does not offer a feature that is needed");
    }
    uint64_t features = d->offered & (wanted | needed);
    d->transport->set_driver_features(d, features);
    add_status(d, VT_VIRTIO_FEATURES_OK);
    if ((d->transport->status(d) & VT_VIRTIO_FEATURES_OK) == 0) {
        return unusable(d, "the device refuses features that it offered");
    }
    d->features = features;
    return VT_VIRTIO_OK;
}

uint16_t vt_virtio_queue_max(struct vt_virtio_device *d, uint16_t index)
{
    uint32_t max = d->transport->queue_max(d, index);
    return (uint16_t)(max < VT_SPLIT_SIZE_MAX ? max : VT_SPLIT_SIZE_MAX);
}

int vt_virtio_queue_start(struct vt_virtio_device *d, struct vt_virtqueue *q, uint16_t vector)
{
    const struct vt_virtio_transport *t = d->transport;
    if (vt_virtqueue_size(q) > vt_virtio_queue_max(d, vt_virtqueue_index(q))) {
        return VT_VIRTIO_E_INVAL; /* queue_max has selected it */
    }
    if (t->queue_enabled(d)) {
        d->fault = "a queue is enabled before it was set up";
        return VT_VIRTIO_E_PROTOCOL;
    }
    uint64_t notify, areas[3];
    int rc = t->queue_setup(d, q, vector, &notify);
    if (rc != VT_VIRTIO_OK) {
        return rc;
    }
    vt_virtqueue_addresses(q, &areas[0], &areas[1], &areas[2]);
    for (unsigned i = 0; i < 3; i++) {
        t->queue_area(d, i, areas[i]);
    }
    vt_virtqueue_set_notify_address(q, notify);
    vt_virtio_barrier_io(); /* rings were written before they are shown */
    t->queue_enable(d);
    if (!t->queue_enabled(d)) {
        d->fault = "a queue cannot be enabled";
        return VT_VIRTIO_E_PROTOCOL;
    }
    return VT_VIRTIO_OK;
}

int vt_virtio_start(struct vt_virtio_device *d)
{
    add_status(d, VT_VIRTIO_DRIVER_OK);
    return vt_virtio_status(d) & VT_VIRTIO_NEEDS_RESET ? VT_VIRTIO_E_NEEDS_RESET : VT_VIRTIO_OK;
}

uint8_t vt_virtio_status(struct vt_virtio_device *d)
{
    return d->transport->status(d);
}

void vt_virtio_notify(struct vt_virtio_device *d, const struct vt_virtqueue *q)
{
    uint32_t value = vt_virtqueue_notification(q);
    unsigned bytes = 4;
    if ((d->features & VT_VIRTIO_F_NOTIFICATION_DATA) == 0) {
        value &= 0xffff;
        bytes = d->transport->notify_bytes;
    }
    vt_virtio_barrier_io();
    d->bus->mmio_write(d->bus->arg, vt_virtqueue_notify_address(q), bytes, value);
}

uint32_t vt_virtio_interrupt(struct vt_virtio_device *d)
{
    uint32_t bits = d->transport->interrupt(d);
    vt_virtio_barrier_io();
    return bits & 3;
}

/** In the widest accesses that are aligned: a field of 4 bytes is read whole (2.5.1). */
static void copy_config(struct vt_virtio_device *d, uint64_t from, uint8_t *to, uint32_t bytes)
{
    while (bytes > 0) {
        unsigned n = from % 4 == 0 && bytes >= 4 ? 4 : from % 2 == 0 && bytes >= 2 ? 2 : 1;
        uint32_t value = d->bus->mmio_read(d->bus->arg, from, n);
        memcpy(to, &value, n);
        from += n;
        to += n;
        bytes -= n;
    }
}

int vt_virtio_config_read(struct vt_virtio_device *d, uint32_t offset, void *to, uint32_t bytes)
{
    uint8_t got[VT_VIRTIO_CONFIG_MAX];
    uint64_t from =
        bytes > 0 && bytes <= sizeof got ? d->transport->config_at(d, offset, bytes) : 0;
    if (from == 0) {
        return VT_VIRTIO_E_INVAL;
    }
    for (unsigned i = 0; i < CONFIG_TRIES; i++) {
        uint32_t before = d->transport->config_generation(d);
        copy_config(d, from, got, bytes);
        if (d->transport->config_generation(d) == before) {
            memcpy(to, got, bytes);
            return VT_VIRTIO_OK;
        }
    }
    d->fault = "the configuration never holds still";
    return VT_VIRTIO_E_TIMEOUT;
}

int vt_virtio_config_write(struct vt_virtio_device *d, uint32_t offset, uint32_t value)
{
    uint64_t at = offset % 4 == 0 ? d->transport->config_at(d, offset, 4) : 0;
    if (at == 0) {
        return VT_VIRTIO_E_INVAL;
    }
    d->bus->mmio_write(d->bus->arg, at, 4, value);
    return VT_VIRTIO_OK;
}
