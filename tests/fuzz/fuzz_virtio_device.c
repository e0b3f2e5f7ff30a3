/* tests/fuzz/fuzz_virtio_device.c - registers and PCI configuration space made of the input.
 *
 * Configuration space remembers what is written to it where the input lets it, so that base
 * addresses can be sized; everything else reads as the next bytes of the input. Whatever is found
 * there: no register is reached outside the areas that were found, accesses are aligned and of the
 * widths the bus knows, and all of it ends.
 */
#include "tests/fuzz/fuzz.h"

#include "vitrine/virtio.h"

#include <string.h>

#define FUNCTIONS 3u /* 00:00.0, 00:01.0, 01:00.0 */
#define ACCESSES_MAX 100000u

struct world {
    const uint8_t *at, *end;
    uint8_t space[FUNCTIONS][256], writable[FUNCTIONS][256];
    const struct vt_virtio_device *device; /* once open */
    uint64_t now_ns;
    unsigned accesses;
};

static uint32_t next(struct world *w, unsigned bytes)
{
    uint32_t value = 0;
    size_t left = (size_t)(w->end - w->at), n = bytes < left ? bytes : left;
    memcpy(&value, w->at, n);
    w->at += n;
    return value;
}

static void check_access(struct world *w, uint64_t at, unsigned bytes)
{
    FUZZ_CHECK((bytes == 1 || bytes == 2 || bytes == 4) && at % bytes == 0);
    FUZZ_CHECK(++w->accesses < ACCESSES_MAX);
}

static bool within(uint64_t at, unsigned bytes, uint64_t area, uint64_t area_bytes)
{
    return area != 0 && at >= area && at - area <= area_bytes - bytes;
}

static void check_register(struct world *w, uint64_t at, unsigned bytes)
{
    check_access(w, at, bytes);
    const struct vt_virtio_device *d = w->device;
    if (d == NULL || d->transport == NULL) {
        return;
    }
    FUZZ_CHECK(within(at, bytes, d->at.pci.common, 0x38) || within(at, bytes, d->at.pci.isr, 1) ||
               within(at, bytes, d->at.pci.config, d->at.pci.config_bytes) ||
               within(at, bytes, d->at.pci.notify, d->at.pci.notify_bytes));
}

static uint32_t read_register(void *arg, uint64_t at, unsigned bytes)
{
    check_register(arg, at, bytes);
    return next(arg, bytes);
}

static void write_register(void *arg, uint64_t at, unsigned bytes, uint32_t value)
{
    (void)value;
    check_register(arg, at, bytes);
}

static unsigned function_of(uint16_t function)
{
    return function == 0 ? 0 : function == 8 ? 1 : function == 0x100 ? 2 : FUNCTIONS;
}

static uint32_t read_space(void *arg, uint16_t function, uint16_t at, unsigned bytes)
{
    struct world *w = arg;
    check_access(w, at, bytes);
    FUZZ_CHECK(at + bytes <= 256);
    uint32_t value = UINT32_MAX;
    unsigned f = function_of(function);
    if (f < FUNCTIONS) {
        value = 0;
        memcpy(&value, w->space[f] + at, bytes);
        return value;
    }
    return value >> 8 * (4 - bytes);
}

static void write_space(void *arg, uint16_t function, uint16_t at, unsigned bytes, uint32_t value)
{
    struct world *w = arg;
    check_access(w, at, bytes);
    unsigned f = function_of(function);
    FUZZ_CHECK(at + bytes <= 256 && f < FUNCTIONS);
    for (unsigned i = 0; i < bytes; i++) {
        uint8_t mask = w->writable[f][at + i], byte = (uint8_t)(value >> 8 * i);
        w->space[f][at + i] = (uint8_t)((w->space[f][at + i] & ~mask) | (byte & mask));
    }
}

static uint64_t now(void *arg)
{
    struct world *w = arg;
    return w->now_ns += 1000;
}

static void use(struct world *w, struct vt_virtio_device *d)
{
    static uint8_t memory[16384];
    static _Alignas(4096) uint8_t config[64];
    struct vt_virtio_arena arena = {.base = memory, .device = 0x1000, .bytes = sizeof memory};
    vt_virtio_reset(d, 20000);
    if (vt_virtio_negotiate(d, next(w, 4) | (uint64_t)next(w, 4) << 32, 0) != VT_VIRTIO_OK) {
        FUZZ_CHECK(d->features == 0 && d->fault != NULL);
        return;
    }
    FUZZ_CHECK((d->features & ~d->offered) == 0 && (d->features & VT_VIRTIO_F_VERSION_1) != 0);
    struct vt_virtqueue *q;
    struct vt_virtqueue_config c = {.index = (uint16_t)(next(w, 1) & 3),
                                    .size = 16,
                                    .max_pieces = 2,
                                    .features = d->features & ~VT_VIRTIO_F_IN_ORDER};
    FUZZ_CHECK(vt_virtio_queue_max(d, c.index) <= 32768);
    arena.base = (uint8_t *)(((uintptr_t)memory + 15) & ~(uintptr_t)15);
    arena.bytes -= 16;
    FUZZ_CHECK(vt_virtqueue_create(&c, &arena, &q) == VT_VIRTIO_OK);
    if (vt_virtio_queue_start(d, q, (uint16_t)next(w, 2)) == VT_VIRTIO_OK &&
        vt_virtio_start(d) == VT_VIRTIO_OK) {
        vt_virtio_notify(d, q);
    }
    vt_virtio_interrupt(d);
    vt_virtio_status(d);
    memset(config, 0x5a, sizeof config);
    uint32_t bytes = next(w, 1) % sizeof config;
    if (vt_virtio_config_read(d, next(w, 2), config, bytes) != VT_VIRTIO_OK) {
        FUZZ_CHECK(config[0] == 0x5a);
    }
    vt_virtio_config_write(d, next(w, 2), 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    struct world w = {.at = bytes, .end = bytes + count};
    struct vt_virtio_bus bus = {.mmio_read = read_register,
                                .mmio_write = write_register,
                                .pci_read = read_space,
                                .pci_write = write_space,
                                .arg = &w};
    struct vt_virtio_clock clock = {.now_ns = now, .arg = &w};
    struct vt_virtio_device d = {.id = 0};
    if (next(&w, 1) & 1) {
        if (vt_virtio_mmio_open(&d, &bus, &clock, 0x10000) == VT_VIRTIO_OK) {
            use(&w, &d);
        }
        return 0;
    }
    for (unsigned f = 0; f < FUNCTIONS; f++) {
        /* Pairs of place and byte over what a function needs to be looked at. */
        for (unsigned n = next(&w, 1); n > 0 && w.at < w.end; n--) {
            unsigned at = next(&w, 1);
            w.space[f][at] = (uint8_t)next(&w, 1);
        }
        for (unsigned n = next(&w, 1) % 32; n > 0 && w.at < w.end; n--) {
            unsigned at = next(&w, 1);
            w.writable[f][at] = (uint8_t)next(&w, 1);
        }
    }
    uint16_t function = 0;
    uint64_t window = 0xe0000000;
    if (vt_pci_find_virtio(&bus, next(&w, 1), &function) == VT_VIRTIO_OK) {
        vt_pci_assign(&bus, function, &window, window + ((uint64_t)1 << next(&w, 1) % 40));
    }
    if (vt_virtio_pci_open(&d, &bus, &clock, function) == VT_VIRTIO_OK) {
        w.device = &d;
        use(&w, &d);
    }
    return 0;
}
