/* virtio/mmio.c - the MMIO transport, version 2 (4.2). */
#include "virtio/layout.h"
#include "virtio/transport.h"

static uint32_t get(struct vt_virtio_device *d, uint32_t at)
{
    return d->bus->mmio_read(d->bus->arg, d->at.mmio.base + at, 4);
}

static void set(struct vt_virtio_device *d, uint32_t at, uint32_t value)
{
    d->bus->mmio_write(d->bus->arg, d->at.mmio.base + at, 4, value);
}

static uint64_t mmio_device_features(struct vt_virtio_device *d)
{
    set(d, VT_MMIO_DEVICE_FEATURES_SEL, 0);
    uint64_t low = get(d, VT_MMIO_DEVICE_FEATURES);
    set(d, VT_MMIO_DEVICE_FEATURES_SEL, 1);
    return low | (uint64_t)get(d, VT_MMIO_DEVICE_FEATURES) << 32;
}

static void mmio_set_driver_features(struct vt_virtio_device *d, uint64_t features)
{
    set(d, VT_MMIO_DRIVER_FEATURES_SEL, 0);
    set(d, VT_MMIO_DRIVER_FEATURES, (uint32_t)features);
    set(d, VT_MMIO_DRIVER_FEATURES_SEL, 1);
    set(d, VT_MMIO_DRIVER_FEATURES, (uint32_t)(features >> 32));
}

static uint8_t mmio_status(struct vt_virtio_device *d)
{
    return (uint8_t)get(d, VT_MMIO_STATUS);
}

static void mmio_set_status(struct vt_virtio_device *d, uint8_t status)
{
    set(d, VT_MMIO_STATUS, status);
}

static uint32_t mmio_queue_max(struct vt_virtio_device *d, uint16_t index)
{
    set(d, VT_MMIO_QUEUE_SEL, index);
    return get(d, VT_MMIO_QUEUE_SIZE_MAX);
}

static bool mmio_queue_enabled(struct vt_virtio_device *d)
{
    return get(d, VT_MMIO_QUEUE_READY) != 0;
}

static int mmio_queue_setup(struct vt_virtio_device *d, const struct vt_virtqueue *q,
                            uint16_t vector, uint64_t *notify)
{
    (void)vector; /* there is one interrupt */
    set(d, VT_MMIO_QUEUE_SIZE, vt_virtqueue_size(q));
    *notify = d->at.mmio.base + VT_MMIO_QUEUE_NOTIFY;
    return VT_VIRTIO_OK;
}

static void mmio_queue_area(struct vt_virtio_device *d, unsigned area, uint64_t address)
{
    static const uint32_t at[] = {VT_MMIO_QUEUE_DESC, VT_MMIO_QUEUE_DRIVER, VT_MMIO_QUEUE_DEVICE};
    set(d, at[area], (uint32_t)address);
    set(d, at[area] + 4, (uint32_t)(address >> 32));
}

static void mmio_queue_enable(struct vt_virtio_device *d)
{
    set(d, VT_MMIO_QUEUE_READY, 1);
}

static uint32_t mmio_interrupt(struct vt_virtio_device *d)
{
    uint32_t bits = get(d, VT_MMIO_INTERRUPT_STATUS);
    if (bits != 0) {
        set(d, VT_MMIO_INTERRUPT_ACK, bits);
    }
    return bits;
}

static uint32_t mmio_config_generation(struct vt_virtio_device *d)
{
    return get(d, VT_MMIO_CONFIG_GENERATION);
}

static uint64_t mmio_config_at(struct vt_virtio_device *d, uint32_t offset, uint32_t bytes)
{
    /* The transport does not say how much there is; no device type has more than this. */
    bool there = offset < VT_VIRTIO_CONFIG_MAX && bytes <= VT_VIRTIO_CONFIG_MAX - offset;
    return there ? d->at.mmio.base + VT_MMIO_CONFIG + offset : 0;
}

const struct vt_virtio_transport vt_virtio_mmio = {
    .device_features = mmio_device_features,
    .set_driver_features = mmio_set_driver_features,
    .status = mmio_status,
    .set_status = mmio_set_status,
    .queue_max = mmio_queue_max,
    .queue_enabled = mmio_queue_enabled,
    .queue_setup = mmio_queue_setup,
    .queue_area = mmio_queue_area,
    .queue_enable = mmio_queue_enable,
    .notify_bytes = 4,
    .interrupt = mmio_interrupt,
    .config_generation = mmio_config_generation,
    .config_at = mmio_config_at,
};

int vt_virtio_mmio_open(struct vt_virtio_device *d, const struct vt_virtio_bus *bus,
                        const struct vt_virtio_clock *clock, uint64_t base)
{
    struct vt_virtio_device found = {
        .transport = &vt_virtio_mmio, .bus = bus, .clock = clock, .at.mmio.base = base};
    if (get(&found, VT_MMIO_MAGIC) != VT_MMIO_MAGIC_VALUE) {
        return VT_VIRTIO_E_NO_DEVICE;
    }
    if (get(&found, VT_MMIO_VERSION) != 2) {
        return VT_VIRTIO_E_UNSUPPORTED;
    }
    found.id = get(&found, VT_MMIO_DEVICE_ID);
    if (found.id == 0) {
        return VT_VIRTIO_E_NO_DEVICE;
    }
    *d = found;
    return VT_VIRTIO_OK;
}
