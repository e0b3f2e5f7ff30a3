/* virtio/pci.c - the PCI transport (4.1), and finding functions and giving them addresses.
 *
 * A function's configuration space is as hostile as the rest: lists end after as many steps as
 * there is room for, and an area counts only when it lies in its BAR. Bases and sizes are found by
 * writing all ones, with decoding off meanwhile.
 */
#include "virtio/layout.h"
#include "virtio/transport.h"

#define BARS 6u
#define BUSES 256u
#define CAPABILITIES_MAX 48u /* of 4 bytes and more, in 192 bytes */

/* ---------------------------------------------------------------- configuration space */

/** One function. */
struct pci {
    const struct vt_virtio_bus *bus;
    uint16_t function;
};

static uint32_t get(const struct pci *p, unsigned at, unsigned bytes)
{
    return p->bus->pci_read(p->bus->arg, p->function, (uint16_t)at, bytes);
}

static void set(const struct pci *p, unsigned at, unsigned bytes, uint32_t value)
{
    p->bus->pci_write(p->bus->arg, p->function, (uint16_t)at, bytes, value);
}

/** The device type of a virtio function; 0: it is none. */
static uint32_t virtio_type(const struct pci *p)
{
    uint32_t id = get(p, VT_PCI_ID, 4), device = id >> 16;
    if ((id & 0xffff) != VT_PCI_VENDOR) {
        return 0;
    }
    if (device >= VT_PCI_DEVICE_MODERN && device < VT_PCI_DEVICE_MODERN + 0x40) {
        return device - VT_PCI_DEVICE_MODERN;
    }
    /* Transitional: both a legacy and a modern device. */
    bool transitional = device >= VT_PCI_DEVICE_TRANSITIONAL && device < VT_PCI_DEVICE_MODERN;
    return transitional ? get(p, VT_PCI_SUBSYSTEM, 2) : 0;
}

/** A memory base address; size 0: there is none, or it is one of ports. */
struct bar {
    uint64_t base, size;
    bool wide; /**< takes the next register, too */
};

static struct bar bar_read(const struct pci *p, unsigned i)
{
    unsigned at = VT_PCI_BAR0 + 4 * i;
    uint32_t low = get(p, at, 4), high = 0;
    struct bar bar = {.wide = (low & 7) == 4 && i + 1 < BARS};
    if ((low & 1) != 0 || ((low & 6) != 0 && !bar.wide)) {
        return bar;
    }
    set(p, at, 4, UINT32_MAX);
    uint64_t mask = (get(p, at, 4) & ~0xfu) | (uint64_t)UINT32_MAX << 32;
    set(p, at, 4, low);
    if (bar.wide) {
        high = get(p, at + 4, 4);
        set(p, at + 4, 4, UINT32_MAX);
        mask = (mask & UINT32_MAX) | (uint64_t)get(p, at + 4, 4) << 32;
        set(p, at + 4, 4, high);
    }
    uint64_t size = -mask;
    if ((mask & UINT32_MAX) == 0 && !bar.wide) {
        return bar; /* no such register */
    }
    bar.base = (low & ~0xfu) | (uint64_t)high << 32;
    bar.size = (size & (size - 1)) == 0 ? size : 0;
    return bar;
}

/** All six, decoding off meanwhile. */
static void bars_read(const struct pci *p, struct bar *bars)
{
    uint32_t command = get(p, VT_PCI_COMMAND, 2);
    set(p, VT_PCI_COMMAND, 2, command & ~VT_PCI_COMMAND_MEMORY);
    for (unsigned i = 0; i < BARS; i++) {
        bars[i] = bar_read(p, i);
        if (bars[i].wide) {
            bars[++i] = (struct bar){.size = 0};
        }
    }
    set(p, VT_PCI_COMMAND, 2, command);
}

int vt_pci_assign(const struct vt_virtio_bus *bus, uint16_t function, uint64_t *next, uint64_t end)
{
    const struct pci p = {bus, function};
    if (bus->pci_read == NULL || get(&p, VT_PCI_ID, 2) == 0xffff) {
        return VT_VIRTIO_E_NO_DEVICE;
    }
    struct bar bars[BARS];
    bars_read(&p, bars);
    uint32_t command = get(&p, VT_PCI_COMMAND, 2);
    set(&p, VT_PCI_COMMAND, 2, command & ~VT_PCI_COMMAND_MEMORY);
    uint64_t at = *next;
    for (unsigned i = 0; i < BARS; i++) {
        const struct bar *bar = &bars[i];
        if (bar->size == 0) {
            continue;
        }
        uint64_t gap = -at & (bar->size - 1);
        if (at > end || gap > end - at || bar->size > end - at - gap ||
            (!bar->wide && at + gap + bar->size > (uint64_t)1 << 32)) {
            return VT_VIRTIO_E_NOMEM;
        }
        at += gap;
        set(&p, VT_PCI_BAR0 + 4 * i, 4, (uint32_t)at);
        if (bar->wide) {
            set(&p, VT_PCI_BAR0 + 4 * i + 4, 4, (uint32_t)(at >> 32));
        }
        at += bar->size;
    }
    set(&p, VT_PCI_COMMAND, 2, command);
    *next = at;
    return VT_VIRTIO_OK;
}

int vt_pci_find_virtio(const struct vt_virtio_bus *bus, uint32_t id, uint16_t *function)
{
    if (bus->pci_read == NULL || id == 0) {
        return VT_VIRTIO_E_NO_DEVICE;
    }
    bool there[BUSES] = {true};
    for (unsigned b = 0; b < BUSES; b++) {
        for (unsigned f = 0; there[b] && f < 256; f++) {
            const struct pci p = {bus, (uint16_t)(b << 8 | f)};
            uint32_t type = 0;
            if (get(&p, VT_PCI_ID, 2) != 0xffff) {
                if (virtio_type(&p) == id) {
                    *function = p.function;
                    return VT_VIRTIO_OK;
                }
                type = get(&p, VT_PCI_HEADER_TYPE, 1);
                unsigned secondary = (type & 0x7f) == 1 ? get(&p, VT_PCI_BUSES, 4) >> 8 & 0xff : 0;
                /* Only onwards: no loops. */
                if (secondary > b) {
                    there[secondary] = true;
                }
            }
            if (f % 8 == 0 && (type & 0x80) == 0) {
                f += 7; /* has one function only */
            }
        }
    }
    return VT_VIRTIO_E_NO_DEVICE;
}

/* ---------------------------------------------------------------- registers */

static uint32_t get_common(struct vt_virtio_device *d, uint32_t at, unsigned bytes)
{
    return d->bus->mmio_read(d->bus->arg, d->at.pci.common + at, bytes);
}

static void set_common(struct vt_virtio_device *d, uint32_t at, unsigned bytes, uint32_t value)
{
    d->bus->mmio_write(d->bus->arg, d->at.pci.common + at, bytes, value);
}

static uint64_t pci_device_features(struct vt_virtio_device *d)
{
    set_common(d, VT_PCI_DEVICE_FEATURES_SEL, 4, 0);
    uint64_t low = get_common(d, VT_PCI_DEVICE_FEATURES, 4);
    set_common(d, VT_PCI_DEVICE_FEATURES_SEL, 4, 1);
    return low | (uint64_t)get_common(d, VT_PCI_DEVICE_FEATURES, 4) << 32;
}

static void pci_set_driver_features(struct vt_virtio_device *d, uint64_t features)
{
    set_common(d, VT_PCI_DRIVER_FEATURES_SEL, 4, 0);
    set_common(d, VT_PCI_DRIVER_FEATURES, 4, (uint32_t)features);
    set_common(d, VT_PCI_DRIVER_FEATURES_SEL, 4, 1);
    set_common(d, VT_PCI_DRIVER_FEATURES, 4, (uint32_t)(features >> 32));
}

static uint8_t pci_status(struct vt_virtio_device *d)
{
    return (uint8_t)get_common(d, VT_PCI_STATUS, 1);
}

static void pci_set_status(struct vt_virtio_device *d, uint8_t status)
{
    set_common(d, VT_PCI_STATUS, 1, status);
}

static uint32_t pci_queue_max(struct vt_virtio_device *d, uint16_t index)
{
    if (index >= get_common(d, VT_PCI_NUM_QUEUES, 2)) {
        return 0;
    }
    set_common(d, VT_PCI_QUEUE_SEL, 2, index);
    return get_common(d, VT_PCI_QUEUE_SIZE, 2);
}

static bool pci_queue_enabled(struct vt_virtio_device *d)
{
    return get_common(d, VT_PCI_QUEUE_ENABLE, 2) != 0;
}

static int pci_queue_setup(struct vt_virtio_device *d, const struct vt_virtqueue *q,
                           uint16_t vector, uint64_t *notify)
{
    /* A queue's place is where the device says, inside the area (4.1.4.4). */
    uint64_t off =
        (uint64_t)get_common(d, VT_PCI_QUEUE_NOTIFY_OFF, 2) * d->at.pci.notify_multiplier;
    unsigned bytes = d->features & VT_VIRTIO_F_NOTIFICATION_DATA ? 4 : 2;
    if (off + bytes > d->at.pci.notify_bytes || (d->at.pci.notify + off) % bytes != 0) {
        d->fault = "a queue's notification lies outside its area";
        return VT_VIRTIO_E_PROTOCOL;
    }
    set_common(d, VT_PCI_QUEUE_SIZE, 2, vt_virtqueue_size(q));
    set_common(d, VT_PCI_QUEUE_VECTOR, 2, vector);
    if (get_common(d, VT_PCI_QUEUE_VECTOR, 2) != vector) {
        d->fault = "the device has no such interrupt vector";
        return VT_VIRTIO_E_UNSUPPORTED;
    }
    *notify = d->at.pci.notify + off;
    return VT_VIRTIO_OK;
}

static void pci_queue_area(struct vt_virtio_device *d, unsigned area, uint64_t address)
{
    set_common(d, VT_PCI_QUEUE_DESC + 8 * area, 4, (uint32_t)address);
    set_common(d, VT_PCI_QUEUE_DESC + 8 * area + 4, 4, (uint32_t)(address >> 32));
}

static void pci_queue_enable(struct vt_virtio_device *d)
{
    set_common(d, VT_PCI_QUEUE_ENABLE, 2, 1);
}

static uint32_t pci_interrupt(struct vt_virtio_device *d)
{
    return d->bus->mmio_read(d->bus->arg, d->at.pci.isr, 1); /* which acknowledges */
}

static uint32_t pci_config_generation(struct vt_virtio_device *d)
{
    return get_common(d, VT_PCI_CONFIG_GENERATION, 1);
}

static uint64_t pci_config_at(struct vt_virtio_device *d, uint32_t offset, uint32_t bytes)
{
    uint32_t there = d->at.pci.config_bytes;
    return offset < there && bytes <= there - offset ? d->at.pci.config + offset : 0;
}

const struct vt_virtio_transport vt_virtio_pci = {
    .device_features = pci_device_features,
    .set_driver_features = pci_set_driver_features,
    .status = pci_status,
    .set_status = pci_set_status,
    .queue_max = pci_queue_max,
    .queue_enabled = pci_queue_enabled,
    .queue_setup = pci_queue_setup,
    .queue_area = pci_queue_area,
    .queue_enable = pci_queue_enable,
    .notify_bytes = 2,
    .interrupt = pci_interrupt,
    .config_generation = pci_config_generation,
    .config_at = pci_config_at,
};

/* ---------------------------------------------------------------- capabilities */

/** Where a capability's area is; 0: not where we could use it, so another may be (4.1.4). */
static uint64_t cap_area(const struct pci *p, unsigned cap, const struct bar *bars, uint32_t least,
                         uint32_t *bytes)
{
    uint32_t bar = get(p, cap + VT_PCI_CAP_BAR, 1), offset = get(p, cap + VT_PCI_CAP_OFFSET, 4);
    *bytes = get(p, cap + VT_PCI_CAP_BYTES, 4);
    if (bar >= BARS || bars[bar].base == 0 || *bytes < least || *bytes > bars[bar].size ||
        offset > bars[bar].size - *bytes || bars[bar].base + bars[bar].size < bars[bar].base) {
        return 0;
    }
    return bars[bar].base + offset;
}

static void take_cap(struct vt_virtio_device *d, const struct pci *p, unsigned cap,
                     const struct bar *bars)
{
    uint32_t bytes, length = get(p, cap + VT_PCI_CAP_LENGTH, 1);
    uint64_t at;
    switch (get(p, cap + VT_PCI_CAP_TYPE, 1)) {
    case VT_PCI_CAP_COMMON:
        at = cap_area(p, cap, bars, VT_PCI_COMMON_BYTES, &bytes);
        d->at.pci.common = d->at.pci.common == 0 && at % 4 == 0 ? at : d->at.pci.common;
        return;
    case VT_PCI_CAP_NOTIFY:
        at = cap_area(p, cap, bars, 2, &bytes);
        if (d->at.pci.notify == 0 && at != 0 && at % 2 == 0 &&
            length >= VT_PCI_CAP_NOTIFY_MULTIPLIER + 4 && cap + length <= 256) {
            d->at.pci.notify = at;
            d->at.pci.notify_bytes = bytes;
            d->at.pci.notify_multiplier = get(p, cap + VT_PCI_CAP_NOTIFY_MULTIPLIER, 4);
        }
        return;
    case VT_PCI_CAP_ISR:
        at = cap_area(p, cap, bars, 1, &bytes);
        d->at.pci.isr = d->at.pci.isr == 0 ? at : d->at.pci.isr;
        return;
    case VT_PCI_CAP_DEVICE:
        at = cap_area(p, cap, bars, 4, &bytes);
        if (d->at.pci.config == 0 && at != 0 && at % 4 == 0) {
            d->at.pci.config = at;
            d->at.pci.config_bytes = bytes;
        }
        return;
    default:
        return; /* reserved ones are to be ignored; we need no access through configuration space */
    }
}

int vt_virtio_pci_open(struct vt_virtio_device *d, const struct vt_virtio_bus *bus,
                       const struct vt_virtio_clock *clock, uint16_t function)
{
    const struct pci p = {bus, function};
    struct vt_virtio_device found = {
        .transport = &vt_virtio_pci, .bus = bus, .clock = clock, .at.pci.function = function};
    if (bus->pci_read == NULL || (found.id = virtio_type(&p)) == 0) {
        return VT_VIRTIO_E_NO_DEVICE;
    }
    struct bar bars[BARS];
    bars_read(&p, bars);
    bool listed = (get(&p, VT_PCI_HEADER_STATUS, 2) & VT_PCI_STATUS_CAPABILITIES) != 0;
    unsigned cap = listed ? get(&p, VT_PCI_CAPABILITIES, 1) & ~3u : 0;
    for (unsigned i = 0; i < CAPABILITIES_MAX && cap >= 0x40; i++) {
        if (get(&p, cap, 1) == VT_PCI_CAP_ID_VENDOR && cap <= 256 - 16 &&
            get(&p, cap + VT_PCI_CAP_LENGTH, 1) >= 16) {
            take_cap(&found, &p, cap, bars);
        }
        cap = get(&p, cap + 1, 1) & ~3u;
    }
    if (found.at.pci.common == 0 || found.at.pci.notify == 0 || found.at.pci.isr == 0) {
        return VT_VIRTIO_E_UNSUPPORTED;
    }
    set(&p, VT_PCI_COMMAND, 2,
        get(&p, VT_PCI_COMMAND, 2) | VT_PCI_COMMAND_MEMORY | VT_PCI_COMMAND_MASTER);
    *d = found;
    return VT_VIRTIO_OK;
}
