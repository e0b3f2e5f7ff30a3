/* tests/unit/virtio/device_model_bus.c - the model's registers: virtio-mmio, and virtio-pci behind
 * a bridge.
 *
 * One device, two ways to it. What a driver may not do (a register of another width, features after
 * FEATURES_OK, a queue changed while it is ready) is complained of; reading nowhere gives all ones.
 */
#include "device_model_parts.h"

#include <string.h>

/* Where 01:03.0 has its areas: offsets in its 64-bit memory BAR 4, of 16 KiB. */
#define BAR_BYTES 0x4000u
#define BAR_COMMON 0x0000u
#define BAR_ISR 0x1000u
#define BAR_DEVICE 0x2000u
#define BAR_NOTIFY 0x3000u
#define NOTIFY_MULTIPLIER 4u
#define BAR1_BYTES 0x1000u /* a 32-bit one in front of it, for MSI-X */

static uint32_t all_ones(unsigned bytes)
{
    return bytes == 4 ? UINT32_MAX : (1u << 8 * bytes) - 1;
}

/* ---------------------------------------------------------------- what both transports reach */

static void write_status(struct vt_model *m, uint8_t status)
{
    if (status == 0) {
        if ((m->lies & VT_MODEL_RESET_HANGS) == 0) {
            model_reset(m);
        }
        return;
    }
    if ((m->status & ~status & ~VT_VIRTIO_NEEDS_RESET) != 0) {
        model_complain(m, "a status bit was cleared");
    }
    if ((status & VT_VIRTIO_FEATURES_OK) != 0 && (m->status & VT_VIRTIO_FEATURES_OK) == 0) {
        bool refused = (m->lies & VT_MODEL_REFUSES_FEATURES) != 0 ||
                       (m->accepted & ~m->config.features) != 0 ||
                       (m->accepted & VT_VIRTIO_F_VERSION_1) == 0;
        status &= refused ? (uint8_t)~VT_VIRTIO_FEATURES_OK : 0xff;
    }
    if ((status & VT_VIRTIO_DRIVER_OK) != 0 && (m->status & VT_VIRTIO_FEATURES_OK) == 0) {
        model_complain(m, "DRIVER_OK without FEATURES_OK");
    }
    m->status = status | (m->status & VT_VIRTIO_NEEDS_RESET);
}

static uint32_t half(uint64_t value, uint32_t high)
{
    return high == 0 ? (uint32_t)value : high == 1 ? (uint32_t)(value >> 32) : 0;
}

static void set_half(uint64_t *value, uint32_t high, uint32_t to)
{
    uint64_t mask = high ? (uint64_t)UINT32_MAX << 32 : UINT32_MAX;
    *value = (*value & ~mask) | (high ? (uint64_t)to << 32 : to);
}

static void write_features(struct vt_model *m, uint32_t value)
{
    if ((m->status & VT_VIRTIO_FEATURES_OK) != 0 || (m->status & VT_VIRTIO_DRIVER) == 0) {
        model_complain(m, "features written outside their step");
    }
    if (m->driver_sel <= 1) {
        set_half(&m->accepted, m->driver_sel, value);
    }
}

static uint32_t read_generation(struct vt_model *m)
{
    if ((m->lies & VT_MODEL_RESTLESS_CONFIG) != 0) {
        m->generation++;
    }
    return m->generation;
}

static uint32_t read_config(struct vt_model *m, uint64_t offset, unsigned bytes)
{
    uint32_t value = 0;
    if (offset + bytes > m->config.config_bytes) {
        model_complain(m, "a read beyond the configuration");
        return all_ones(bytes);
    }
    memcpy(&value, m->config_bytes + offset, bytes);
    return value;
}

static void write_config(struct vt_model *m, uint64_t offset, unsigned bytes, uint32_t value)
{
    if (offset + bytes > m->config.config_bytes) {
        model_complain(m, "a write beyond the configuration");
        return;
    }
    memcpy(m->config_bytes + offset, &value, bytes);
}

static struct model_queue *selected(struct vt_model *m)
{
    return m->queue_sel < m->config.queues ? &m->queues[m->queue_sel] : NULL;
}

/** The selected queue, which must not be ready yet: it is being set up. */
static struct model_queue *to_set_up(struct vt_model *m)
{
    struct model_queue *q = selected(m);
    if (q == NULL) {
        model_complain(m, "a queue is set up that does not exist");
    } else if (q->ready) {
        model_complain(m, "a queue is changed while it is enabled");
    } else if ((m->status & VT_VIRTIO_FEATURES_OK) == 0) {
        model_complain(m, "a queue is set up before FEATURES_OK");
    }
    return q;
}

static void write_size(struct vt_model *m, uint32_t value)
{
    struct model_queue *q = to_set_up(m);
    bool packed = (m->accepted & VT_VIRTIO_F_RING_PACKED) != 0;
    if (value == 0 || value > m->config.queue_max || (!packed && (value & (value - 1)) != 0)) {
        model_complain(m, "a queue of an impossible size");
    } else if (q != NULL) {
        q->size = (uint16_t)value;
    }
}

static bool read_ready(const struct vt_model *m)
{
    bool ready = m->queue_sel < m->config.queues && m->queues[m->queue_sel].ready;
    return (ready || (m->lies & VT_MODEL_QUEUE_IN_USE) != 0) &&
           (m->lies & VT_MODEL_QUEUE_REFUSED) == 0;
}

static void write_ready(struct vt_model *m, uint32_t value)
{
    struct model_queue *q = to_set_up(m);
    if (value != 1) {
        model_complain(m, "a queue is enabled with another value than 1");
    } else if (q != NULL) {
        bool packed = (m->accepted & VT_VIRTIO_F_RING_PACKED) != 0;
        if (q->desc % 16 != 0 || q->driver % (packed ? 4 : 2) != 0 || q->device % 4 != 0) {
            model_complain(m, "a ring that is not aligned");
        }
        q->ready = true;
    }
}

static uint64_t *area(struct vt_model *m, unsigned which)
{
    static uint64_t nowhere;
    struct model_queue *q = to_set_up(m);
    return q == NULL ? &nowhere : which == 0 ? &q->desc : which == 1 ? &q->driver : &q->device;
}

/* ---------------------------------------------------------------- virtio-mmio */

static uint32_t mmio_register(struct vt_model *m, uint64_t offset)
{
    const struct model_queue *q = selected(m);
    switch (offset) {
    case VT_MMIO_MAGIC:
        return VT_MMIO_MAGIC_VALUE;
    case VT_MMIO_VERSION:
        return (m->lies & VT_MODEL_LEGACY) != 0 ? 1 : 2;
    case VT_MMIO_DEVICE_ID:
        return m->config.id;
    case VT_MMIO_VENDOR_ID:
        return 0x4d454d51;
    case VT_MMIO_DEVICE_FEATURES:
        return half(m->config.features, m->device_sel);
    case VT_MMIO_QUEUE_SIZE_MAX:
        return q != NULL ? m->config.queue_max : 0;
    case VT_MMIO_QUEUE_READY:
        return read_ready(m);
    case VT_MMIO_INTERRUPT_STATUS:
        return m->isr;
    case VT_MMIO_STATUS:
        return m->status;
    case VT_MMIO_CONFIG_GENERATION:
        return read_generation(m);
    default:
        model_complain(m, "a read of a register that cannot be read");
        return 0;
    }
}

static void set_mmio_register(struct vt_model *m, uint64_t offset, uint32_t value)
{
    switch (offset) {
    case VT_MMIO_DEVICE_FEATURES_SEL:
        m->device_sel = value;
        return;
    case VT_MMIO_DRIVER_FEATURES:
        write_features(m, value);
        return;
    case VT_MMIO_DRIVER_FEATURES_SEL:
        m->driver_sel = value;
        return;
    case VT_MMIO_QUEUE_SEL:
        m->queue_sel = (uint16_t)value;
        return;
    case VT_MMIO_QUEUE_SIZE:
        write_size(m, value);
        return;
    case VT_MMIO_QUEUE_READY:
        write_ready(m, value);
        return;
    case VT_MMIO_QUEUE_NOTIFY:
        model_notified(m, value);
        return;
    case VT_MMIO_INTERRUPT_ACK:
        m->isr &= ~value;
        return;
    case VT_MMIO_STATUS:
        write_status(m, (uint8_t)value);
        return;
    case VT_MMIO_QUEUE_DESC:
    case VT_MMIO_QUEUE_DESC + 4:
    case VT_MMIO_QUEUE_DRIVER:
    case VT_MMIO_QUEUE_DRIVER + 4:
    case VT_MMIO_QUEUE_DEVICE:
    case VT_MMIO_QUEUE_DEVICE + 4:
        set_half(area(m, (unsigned)(offset - VT_MMIO_QUEUE_DESC) / 0x10), offset % 8 != 0, value);
        return;
    default:
        model_complain(m, "a write to a register that cannot be written");
    }
}

/* ---------------------------------------------------------------- virtio-pci */

static uint32_t get(const uint8_t *space, unsigned at, unsigned bytes)
{
    uint32_t value = 0;
    memcpy(&value, space + at, bytes);
    return value;
}

static void set(uint8_t *space, unsigned at, unsigned bytes, uint32_t value)
{
    memcpy(space + at, &value, bytes);
}

/** Width of a register of the common configuration. */
static unsigned common_width(uint64_t offset)
{
    return offset == VT_PCI_STATUS || offset == VT_PCI_CONFIG_GENERATION  ? 1
           : offset < VT_PCI_CONFIG_VECTOR || offset >= VT_PCI_QUEUE_DESC ? 4
                                                                          : 2;
}

static uint32_t common_register(struct vt_model *m, uint64_t offset)
{
    const struct model_queue *q = selected(m);
    switch (offset) {
    case VT_PCI_DEVICE_FEATURES_SEL:
        return m->device_sel;
    case VT_PCI_DEVICE_FEATURES:
        return half(m->config.features, m->device_sel);
    case VT_PCI_CONFIG_VECTOR:
        return m->config_vector;
    case VT_PCI_NUM_QUEUES:
        return m->config.queues;
    case VT_PCI_STATUS:
        return m->status;
    case VT_PCI_CONFIG_GENERATION:
        return read_generation(m) & 0xff;
    case VT_PCI_QUEUE_SIZE:
        return q != NULL ? q->size : 0;
    case VT_PCI_QUEUE_VECTOR:
        return q != NULL ? q->vector : 0xffff;
    case VT_PCI_QUEUE_ENABLE:
        return read_ready(m);
    case VT_PCI_QUEUE_NOTIFY_OFF:
        return m->queue_sel;
    default:
        model_complain(m, "a read of a register that is not used so");
        return 0;
    }
}

static void set_common_register(struct vt_model *m, uint64_t offset, uint32_t value)
{
    struct model_queue *q = selected(m);
    switch (offset) {
    case VT_PCI_DEVICE_FEATURES_SEL:
        m->device_sel = value;
        return;
    case VT_PCI_DRIVER_FEATURES_SEL:
        m->driver_sel = value;
        return;
    case VT_PCI_DRIVER_FEATURES:
        write_features(m, value);
        return;
    case VT_PCI_CONFIG_VECTOR:
        m->config_vector = (uint16_t)value;
        return;
    case VT_PCI_STATUS:
        write_status(m, (uint8_t)value);
        return;
    case VT_PCI_QUEUE_SEL:
        m->queue_sel = (uint16_t)value;
        return;
    case VT_PCI_QUEUE_SIZE:
        write_size(m, value);
        return;
    case VT_PCI_QUEUE_VECTOR:
        if (q != NULL) {
            q->vector = value < 2 ? (uint16_t)value : 0xffff; /* it has two entries */
        }
        return;
    case VT_PCI_QUEUE_ENABLE:
        write_ready(m, value);
        return;
    case VT_PCI_QUEUE_DESC:
    case VT_PCI_QUEUE_DESC + 4:
    case VT_PCI_QUEUE_DRIVER:
    case VT_PCI_QUEUE_DRIVER + 4:
    case VT_PCI_QUEUE_DEVICE:
    case VT_PCI_QUEUE_DEVICE + 4:
        set_half(area(m, (unsigned)(offset - VT_PCI_QUEUE_DESC) / 8), offset % 8 != 0, value);
        return;
    default:
        model_complain(m, "a write to a register that is not used so");
    }
}

static uint32_t bar_read(struct vt_model *m, uint64_t offset, unsigned bytes)
{
    if (offset < VT_PCI_COMMON_BYTES) {
        if (bytes != common_width(offset)) {
            model_complain(m, "a common register read in another width");
        }
        return common_register(m, offset);
    }
    if (offset == BAR_ISR && bytes == 1) {
        uint32_t isr = m->isr;
        m->isr = 0;
        return isr;
    }
    if (offset >= BAR_DEVICE && offset < BAR_NOTIFY) {
        return read_config(m, offset - BAR_DEVICE, bytes);
    }
    model_complain(m, "a read where the BAR has nothing");
    return all_ones(bytes);
}

static void bar_write(struct vt_model *m, uint64_t offset, unsigned bytes, uint32_t value)
{
    if (offset < VT_PCI_COMMON_BYTES) {
        if (bytes != common_width(offset)) {
            model_complain(m, "a common register written in another width");
        }
        set_common_register(m, offset, value);
    } else if (offset >= BAR_DEVICE && offset < BAR_NOTIFY) {
        write_config(m, offset - BAR_DEVICE, bytes, value);
    } else if (offset >= BAR_NOTIFY &&
               offset < BAR_NOTIFY + NOTIFY_MULTIPLIER * (uint64_t)m->config.queues) {
        bool data = (m->accepted & VT_VIRTIO_F_NOTIFICATION_DATA) != 0;
        if (bytes != (data ? 4 : 2) ||
            (value & 0xffff) != (offset - BAR_NOTIFY) / NOTIFY_MULTIPLIER) {
            model_complain(m, "a notification of another queue or width");
        }
        model_notified(m, value);
    } else {
        model_complain(m, "a write where the BAR has nothing");
    }
}

static bool in_bar(const struct vt_model *m, uint64_t address, uint64_t *offset)
{
    uint64_t base = (get(m->pci, VT_PCI_BAR0 + 16, 4) & ~0xfu) |
                    (uint64_t)get(m->pci, VT_PCI_BAR0 + 20, 4) << 32;
    *offset = address - base;
    return (m->pci[VT_PCI_COMMAND] & VT_PCI_COMMAND_MEMORY) != 0 && base != 0 && address >= base &&
           *offset < BAR_BYTES;
}

/* ---------------------------------------------------------------- the bus */

static uint32_t bus_read(void *arg, uint64_t address, unsigned bytes)
{
    struct vt_model *m = arg;
    uint64_t at;
    if (address % bytes != 0) {
        model_complain(m, "an access that is not aligned");
    }
    if (in_bar(m, address, &at)) {
        return bar_read(m, at, bytes);
    }
    if (address < VT_MODEL_MMIO || address >= VT_MODEL_MMIO + 0x200) {
        model_complain(m, "a read where nothing is");
        return all_ones(bytes);
    }
    at = address - VT_MODEL_MMIO;
    if (at >= VT_MMIO_CONFIG) {
        return read_config(m, at - VT_MMIO_CONFIG, bytes);
    }
    if (bytes != 4) {
        model_complain(m, "a register read in another width");
    }
    return mmio_register(m, at);
}

static void bus_write(void *arg, uint64_t address, unsigned bytes, uint32_t value)
{
    struct vt_model *m = arg;
    uint64_t at;
    if (address % bytes != 0) {
        model_complain(m, "an access that is not aligned");
    }
    if (in_bar(m, address, &at)) {
        bar_write(m, at, bytes, value);
        return;
    }
    if (address < VT_MODEL_MMIO || address >= VT_MODEL_MMIO + 0x200) {
        model_complain(m, "a write where nothing is");
        return;
    }
    at = address - VT_MODEL_MMIO;
    if (at >= VT_MMIO_CONFIG) {
        write_config(m, at - VT_MMIO_CONFIG, bytes, value);
        return;
    }
    if (bytes != 4) {
        model_complain(m, "a register written in another width");
    }
    set_mmio_register(m, at, value);
}

/** 00:00.0 is a host bridge, 00:01.0 a bridge to bus 1, 00:02.0 another virtio device, 01:03.0
 * ours; a function 1 beside it shows what a header type without "multi-function" hides. */
static uint8_t *space_of(struct vt_model *m, uint16_t function)
{
    switch (function) {
    case 0x0008:
        return m->bridge;
    case VT_MODEL_PCI_OTHER:
        return m->other;
    case VT_MODEL_PCI:
        return m->pci;
    default:
        return NULL;
    }
}

static uint32_t pci_read(void *arg, uint16_t function, uint16_t offset, unsigned bytes)
{
    struct vt_model *m = arg;
    const uint8_t *space = space_of(m, function);
    if (offset % bytes != 0 || offset + bytes > 256) {
        model_complain(m, "a configuration access outside it or not aligned");
        return all_ones(bytes);
    }
    if (function == 0 && offset < 4) {
        return 0x29c08086u >> 8 * offset & all_ones(bytes);
    }
    if (function == 0) {
        return 0;
    }
    return space != NULL ? get(space, offset, bytes) : all_ones(bytes);
}

/** What a write of all ones leaves of a base address: its size and kind. */
static uint32_t bar_mask(const struct vt_model *m, const uint8_t *space, unsigned bar)
{
    if (space != m->pci) {
        return 0;
    }
    switch (bar) {
    case 0:
        return ~0x7fu | 1; /* ports */
    case 1:
        return ~(BAR1_BYTES - 1);
    case 4:
        return ~(BAR_BYTES - 1) | 0xc; /* 64 bits wide, prefetchable */
    case 5:
        return UINT32_MAX;
    default:
        return 0;
    }
}

static void pci_write(void *arg, uint16_t function, uint16_t offset, unsigned bytes, uint32_t value)
{
    struct vt_model *m = arg;
    uint8_t *space = space_of(m, function);
    if (offset % bytes != 0 || offset + bytes > 256 || space == NULL) {
        model_complain(m, "a configuration write outside it or not aligned");
        return;
    }
    if (offset == VT_PCI_COMMAND) {
        set(space, offset, 2, value & 0x7);
    } else if (offset >= VT_PCI_BAR0 && offset < VT_PCI_BAR0 + 24 && bytes == 4) {
        unsigned bar = (offset - VT_PCI_BAR0) / 4u;
        uint32_t mask = bar_mask(m, space, bar), kind = bar == 5 ? 0 : mask & 0xf;
        if ((space[VT_PCI_COMMAND] & VT_PCI_COMMAND_MEMORY) != 0) {
            model_complain(m, "a base address is changed while it is decoded");
        }
        set(space, offset, 4, (value & mask & ~kind) | kind);
    } else {
        model_complain(m, "a configuration write to what is not written");
    }
}

static void put_cap(uint8_t *space, unsigned at, unsigned next, enum vt_pci_cap_type type,
                    uint32_t offset, uint32_t bytes)
{
    set(space, at, 1, VT_PCI_CAP_ID_VENDOR);
    set(space, at + 1, 1, next);
    set(space, at + VT_PCI_CAP_LENGTH, 1, type == VT_PCI_CAP_NOTIFY ? 20 : 16);
    set(space, at + VT_PCI_CAP_TYPE, 1, type);
    set(space, at + VT_PCI_CAP_BAR, 1, type == VT_PCI_CAP_CONFIG_ACCESS ? 0 : 4);
    set(space, at + VT_PCI_CAP_OFFSET, 4, offset);
    set(space, at + VT_PCI_CAP_BYTES, 4, bytes);
    if (type == VT_PCI_CAP_NOTIFY) {
        set(space, at + VT_PCI_CAP_NOTIFY_MULTIPLIER, 4, NOTIFY_MULTIPLIER);
    }
}

void model_bus_init(struct vt_model *m)
{
    m->bus = (struct vt_virtio_bus){.mmio_read = bus_read,
                                    .mmio_write = bus_write,
                                    .pci_read = pci_read,
                                    .pci_write = pci_write,
                                    .arg = m};
    set(m->bridge, VT_PCI_ID, 4, 0x24488086);
    set(m->bridge, VT_PCI_HEADER_TYPE, 1, 1);
    set(m->bridge, VT_PCI_BUSES, 4, 0x00010100);
    set(m->other, VT_PCI_ID, 4, (VT_PCI_DEVICE_MODERN + 1) << 16 | VT_PCI_VENDOR);
    set(m->pci, VT_PCI_ID, 4, (VT_PCI_DEVICE_MODERN + m->config.id) << 16 | VT_PCI_VENDOR);
    set(m->pci, VT_PCI_HEADER_STATUS, 2, VT_PCI_STATUS_CAPABILITIES);
    for (unsigned bar = 0; bar < 5; bar++) {
        set(m->pci, VT_PCI_BAR0 + 4 * bar, 4, bar_mask(m, m->pci, bar) & 0xf);
    }
    set(m->pci, VT_PCI_CAPABILITIES, 1, 0x98);
    set(m->pci, 0x98, 2, 0x8411); /* MSI-X, then */
    put_cap(m->pci, 0x84, 0x70, VT_PCI_CAP_CONFIG_ACCESS, 0, 0);
    put_cap(m->pci, 0x70, 0x60, VT_PCI_CAP_NOTIFY, BAR_NOTIFY, 0x1000);
    put_cap(m->pci, 0x60, 0x50, VT_PCI_CAP_DEVICE, BAR_DEVICE, 0x1000);
    put_cap(m->pci, 0x50, 0x40, VT_PCI_CAP_ISR, BAR_ISR, 0x1000);
    put_cap(m->pci, 0x40, 0, VT_PCI_CAP_COMMON, BAR_COMMON, 0x1000);
}

uint8_t *vt_model_pci_config(struct vt_model *m)
{
    return m->pci;
}
