/* tests/unit/virtio/test_transport.c - a device brought up over virtio-mmio and over virtio-pci.
 *
 * Each test runs on both, against the model's registers, which complain when a step of 3.1.1 is
 * taken out of order or a register is used in a way it must not be.
 */
#include "tests/unit/harness.h"

#include "device_model.h"

#include <string.h>

#define MS 1000000ull
#define WANTED                                                                                     \
    (VT_VIRTIO_F_RING_PACKED | VT_VIRTIO_F_EVENT_IDX | VT_VIRTIO_F_INDIRECT_DESC |                 \
     VT_VIRTIO_F_NOTIFICATION_DATA)

static const uint32_t config_words[] = {0x01020304, 0x05060708, 0x090a0b0c};

static struct vt_model *make(uint64_t features, vt_model_serve_fn *serve)
{
    return vt_model_create(&(struct vt_model_config){.id = 16,
                                                     .features = features,
                                                     .queues = 2,
                                                     .queue_max = 64,
                                                     .config = config_words,
                                                     .config_bytes = sizeof config_words,
                                                     .serve = serve});
}

static int open_device(struct vt_virtio_device *d, struct vt_model *m, bool pci)
{
    if (!pci) {
        return vt_virtio_mmio_open(d, vt_model_bus(m), vt_model_clock(m), VT_MODEL_MMIO);
    }
    uint64_t next = VT_MODEL_PCI_WINDOW + 1;
    uint16_t function = 0;
    assert_int_equal(vt_pci_find_virtio(vt_model_bus(m), 16, &function), VT_VIRTIO_OK);
    assert_int_equal(function, VT_MODEL_PCI);
    assert_int_equal(
        vt_pci_assign(vt_model_bus(m), function, &next, VT_MODEL_PCI_WINDOW + 0x100000),
        VT_VIRTIO_OK);
    /* 4 KiB of BAR 1 at a multiple of that, then 16 KiB of BAR 4 likewise. */
    assert_int_equal(next, VT_MODEL_PCI_WINDOW + 0x8000);
    return vt_virtio_pci_open(d, vt_model_bus(m), vt_model_clock(m), function);
}

static void finish(struct vt_model *m)
{
    if (vt_model_complaint(m) != NULL) {
        fail_msg("%s", vt_model_complaint(m));
    }
    vt_model_destroy(m);
}

static void answer(struct vt_model_buffer *b, void *arg)
{
    (void)arg;
    vt_model_return(b, "pong", 4);
}

static void bring_up_and_ask(uint64_t features, bool pci)
{
    struct vt_model *m = make(features, answer);
    struct vt_virtio_arena arena = vt_model_arena(m);
    struct vt_virtio_device d;
    assert_int_equal(open_device(&d, m, pci), VT_VIRTIO_OK);
    assert_int_equal(d.id, 16);
    for (unsigned life = 0; life < 2; life++) {
        arena = vt_model_arena(m);
        assert_int_equal(vt_virtio_reset(&d, MS), VT_VIRTIO_OK);
        assert_int_equal(vt_virtio_negotiate(&d, WANTED, 0), VT_VIRTIO_OK);
        assert_int_equal(d.features, (features & WANTED) | VT_VIRTIO_F_VERSION_1);
        assert_int_equal(vt_model_features(m), d.features);
        assert_int_equal(vt_virtio_queue_max(&d, 0), 64);
        assert_int_equal(vt_virtio_queue_max(&d, 2), 0);
        struct vt_virtqueue *queues[2];
        for (uint16_t i = 0; i < 2; i++) {
            struct vt_virtqueue_config config = {
                .index = i, .size = 32, .max_pieces = 2, .features = d.features};
            assert_int_equal(vt_virtqueue_create(&config, &arena, &queues[i]), VT_VIRTIO_OK);
            uint16_t vector = pci && i == 1 ? 1 : 0xffff;
            assert_int_equal(vt_virtio_queue_start(&d, queues[i], vector), VT_VIRTIO_OK);
        }
        assert_int_equal(vt_virtio_start(&d), VT_VIRTIO_OK);
        assert_int_equal(vt_virtio_status(&d), 15);
        struct vt_virtio_piece p[2] = {{.bytes = 4}, {.bytes = 8}};
        memcpy(vt_virtio_arena_take(&arena, 4, 4, &p[0].device), "ping", 4);
        const char *in = vt_virtio_arena_take(&arena, 8, 4, &p[1].device);
        int token;
        for (unsigned i = 0; i < 2; i++) {
            assert_false(vt_virtqueue_interrupts(queues[i], true));
            assert_int_equal(vt_virtqueue_add(queues[i], p, 1, 1, &token, NULL), VT_VIRTIO_OK);
            assert_true(vt_virtqueue_publish(queues[i]));
            unsigned before = vt_model_counts(m)->notifications;
            vt_virtio_notify(&d, queues[i]);
            assert_int_equal(vt_model_counts(m)->notifications, before + 1);
            void *back = NULL;
            uint32_t written = 0;
            assert_int_equal(vt_virtqueue_take(queues[i], &back, &written), 1);
            assert_ptr_equal(back, &token);
            assert_int_equal(written, 4);
            assert_memory_equal(in, "pong", 4);
            assert_int_equal(vt_virtio_interrupt(&d), 1);
            assert_int_equal(vt_virtio_interrupt(&d), 0);
        }
        bool data = (features & VT_VIRTIO_F_NOTIFICATION_DATA) != 0;
        bool packed = (features & VT_VIRTIO_F_RING_PACKED) != 0;
        bool tables = (features & VT_VIRTIO_F_INDIRECT_DESC) != 0;
        /* The index of the second queue, and where the driver will go on. */
        uint32_t at = !data ? 0 : packed ? 0x8000 | (tables ? 1 : 2) : 1;
        assert_int_equal(vt_model_counts(m)->last_notification, at << 16 | 1);
    }
    finish(m);
}

static void a_device_comes_up_and_answers(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 32; i++) {
        uint64_t features =
            (i & 1 ? VT_VIRTIO_F_RING_PACKED : 0) | (i & 2 ? VT_VIRTIO_F_EVENT_IDX : 0) |
            (i & 4 ? VT_VIRTIO_F_INDIRECT_DESC : 0) | (i & 8 ? VT_VIRTIO_F_NOTIFICATION_DATA : 0);
        bring_up_and_ask(features | VT_VIRTIO_F_RING_RESET, (i & 16) != 0);
    }
}

static void configuration_is_read_and_written(void **state)
{
    (void)state;
    for (unsigned pci = 0; pci < 2; pci++) {
        struct vt_model *m = make(0, NULL);
        struct vt_virtio_device d;
        assert_int_equal(open_device(&d, m, pci), VT_VIRTIO_OK);
        uint8_t got[12];
        for (uint32_t from = 0; from < 12; from++) {
            for (uint32_t n = 1; n <= 12 - from; n++) {
                memset(got, 0, sizeof got);
                assert_int_equal(vt_virtio_config_read(&d, from, got, n), VT_VIRTIO_OK);
                assert_memory_equal(got, (const uint8_t *)config_words + from, n);
            }
        }
        assert_int_equal(vt_virtio_config_write(&d, 4, 0xcafe), VT_VIRTIO_OK);
        uint32_t word = 0;
        assert_int_equal(vt_virtio_config_read(&d, 4, &word, 4), VT_VIRTIO_OK);
        assert_int_equal(word, 0xcafe);
        assert_int_equal(vt_virtio_config_write(&d, 2, 1), VT_VIRTIO_E_INVAL);
        assert_int_equal(vt_virtio_config_write(&d, 0x2000, 1), VT_VIRTIO_E_INVAL);
        assert_int_equal(vt_virtio_config_read(&d, 0, got, 0), VT_VIRTIO_E_INVAL);
        assert_int_equal(vt_virtio_config_read(&d, 0x2000, got, 1), VT_VIRTIO_E_INVAL);
        assert_int_equal(vt_virtio_config_read(&d, 4, got, UINT32_MAX), VT_VIRTIO_E_INVAL);
        /* A change is told of, once. */
        vt_model_change_config(m, 0, "abcd", 4);
        assert_int_equal(vt_virtio_interrupt(&d), 2);
        assert_int_equal(vt_virtio_interrupt(&d), 0);
        assert_int_equal(vt_virtio_config_read(&d, 0, got, 4), VT_VIRTIO_OK);
        assert_memory_equal(got, "abcd", 4);
        vt_model_lie(m, VT_MODEL_RESTLESS_CONFIG);
        assert_int_equal(vt_virtio_config_read(&d, 0, got, 4), VT_VIRTIO_E_TIMEOUT);
        assert_non_null(d.fault);
        finish(m);
    }
}

static void features_that_are_missing_fail(void **state)
{
    (void)state;
    for (unsigned pci = 0; pci < 2; pci++) {
        struct vt_model *m = make(VT_VIRTIO_F_EVENT_IDX, NULL);
        struct vt_virtio_device d;
        assert_int_equal(open_device(&d, m, pci), VT_VIRTIO_OK);
        assert_int_equal(vt_virtio_negotiate(&d, WANTED, VT_VIRTIO_F_RING_PACKED),
                         VT_VIRTIO_E_UNSUPPORTED);
        assert_non_null(strstr(d.fault, "needed"));
        assert_true(vt_model_status(m) & VT_VIRTIO_FAILED);
        assert_int_equal(vt_virtio_reset(&d, MS), VT_VIRTIO_OK);
        assert_null(d.fault);
        vt_model_lie(m, VT_MODEL_REFUSES_FEATURES);
        assert_int_equal(vt_virtio_negotiate(&d, WANTED, 0), VT_VIRTIO_E_UNSUPPORTED);
        assert_non_null(strstr(d.fault, "refuses"));
        assert_true(vt_model_status(m) & VT_VIRTIO_FAILED);
        assert_int_equal(d.features, 0);
        vt_model_lie(m, 0);
        assert_int_equal(vt_virtio_reset(&d, MS), VT_VIRTIO_OK);
        assert_int_equal(vt_virtio_negotiate(&d, 0, VT_VIRTIO_F_EVENT_IDX), VT_VIRTIO_OK);
        assert_int_equal(d.features, VT_VIRTIO_F_EVENT_IDX | VT_VIRTIO_F_VERSION_1);
        finish(m);
    }
}

static void reset_has_an_end(void **state)
{
    (void)state;
    for (unsigned pci = 0; pci < 2; pci++) {
        struct vt_model *m = make(0, NULL);
        struct vt_virtio_device d;
        assert_int_equal(open_device(&d, m, pci), VT_VIRTIO_OK);
        assert_int_equal(vt_virtio_negotiate(&d, 0, 0), VT_VIRTIO_OK);
        vt_model_lie(m, VT_MODEL_RESET_HANGS);
        uint64_t before = vt_model_clock(m)->now_ns(vt_model_clock(m)->arg);
        assert_int_equal(vt_virtio_reset(&d, 20 * MS), VT_VIRTIO_E_TIMEOUT);
        assert_int_equal(vt_model_clock(m)->now_ns(vt_model_clock(m)->arg) - before, 20 * MS);
        assert_non_null(d.fault);
        finish(m);
    }
}

static void a_device_in_need_says_so(void **state)
{
    (void)state;
    for (unsigned pci = 0; pci < 2; pci++) {
        struct vt_model *m = make(0, NULL);
        struct vt_virtio_device d;
        assert_int_equal(open_device(&d, m, pci), VT_VIRTIO_OK);
        assert_int_equal(vt_virtio_negotiate(&d, 0, 0), VT_VIRTIO_OK);
        vt_model_break(m);
        assert_int_equal(vt_virtio_start(&d), VT_VIRTIO_E_NEEDS_RESET);
        assert_true(vt_virtio_status(&d) & VT_VIRTIO_NEEDS_RESET);
        assert_int_equal(vt_virtio_interrupt(&d), 2);
        assert_int_equal(vt_virtio_reset(&d, MS), VT_VIRTIO_OK);
        assert_int_equal(vt_virtio_status(&d), 0);
        finish(m);
    }
}

static void queues_that_cannot_be_are_refused(void **state)
{
    (void)state;
    for (unsigned pci = 0; pci < 2; pci++) {
        struct vt_model *m = make(0, NULL);
        struct vt_virtio_arena arena = vt_model_arena(m);
        struct vt_virtio_device d;
        assert_int_equal(open_device(&d, m, pci), VT_VIRTIO_OK);
        assert_int_equal(vt_virtio_negotiate(&d, 0, 0), VT_VIRTIO_OK);
        struct vt_virtqueue *large, *third, *good;
        struct vt_virtqueue_config config = {.index = 0, .size = 128, .max_pieces = 1};
        assert_int_equal(vt_virtqueue_create(&config, &arena, &large), VT_VIRTIO_OK);
        assert_int_equal(vt_virtio_queue_start(&d, large, 0xffff), VT_VIRTIO_E_INVAL);
        config = (struct vt_virtqueue_config){.index = 2, .size = 16, .max_pieces = 1};
        assert_int_equal(vt_virtqueue_create(&config, &arena, &third), VT_VIRTIO_OK);
        assert_int_equal(vt_virtio_queue_start(&d, third, 0xffff), VT_VIRTIO_E_INVAL);
        config.index = 1;
        assert_int_equal(vt_virtqueue_create(&config, &arena, &good), VT_VIRTIO_OK);
        vt_model_lie(m, VT_MODEL_QUEUE_IN_USE);
        assert_int_equal(vt_virtio_queue_start(&d, good, 0xffff), VT_VIRTIO_E_PROTOCOL);
        assert_non_null(d.fault);
        vt_model_lie(m, VT_MODEL_QUEUE_REFUSED);
        assert_int_equal(vt_virtio_queue_start(&d, good, 0xffff), VT_VIRTIO_E_PROTOCOL);
        vt_model_lie(m, 0);
        assert_int_equal(vt_virtio_reset(&d, MS), VT_VIRTIO_OK);
        assert_int_equal(vt_virtio_negotiate(&d, 0, 0), VT_VIRTIO_OK);
        if (pci) {
            assert_int_equal(vt_virtio_queue_start(&d, good, 2), VT_VIRTIO_E_UNSUPPORTED);
            assert_non_null(strstr(d.fault, "vector"));
        }
        assert_int_equal(vt_virtio_queue_start(&d, good, 0xffff), VT_VIRTIO_OK);
        finish(m);
    }
}

/* ---------------------------------------------------------------- finding devices */

static uint32_t one_register(void *arg, uint64_t address, unsigned bytes)
{
    assert_int_equal(bytes, 4);
    return ((const uint32_t *)arg)[address / 4];
}

static void only_modern_mmio_devices_are_opened(void **state)
{
    (void)state;
    uint32_t registers[] = {0x74726976, 2, 0};
    struct vt_virtio_bus bus = {.mmio_read = one_register, .arg = registers};
    struct vt_virtio_device d = {.id = 99};
    assert_int_equal(vt_virtio_mmio_open(&d, &bus, NULL, 0), VT_VIRTIO_E_NO_DEVICE);
    registers[2] = 5;
    registers[1] = 1;
    assert_int_equal(vt_virtio_mmio_open(&d, &bus, NULL, 0), VT_VIRTIO_E_UNSUPPORTED);
    registers[1] = 3;
    assert_int_equal(vt_virtio_mmio_open(&d, &bus, NULL, 0), VT_VIRTIO_E_UNSUPPORTED);
    registers[0] = UINT32_MAX;
    assert_int_equal(vt_virtio_mmio_open(&d, &bus, NULL, 0), VT_VIRTIO_E_NO_DEVICE);
    assert_int_equal(d.id, 99);
    /* There is no PCI on this bus. */
    uint16_t function;
    uint64_t next = 0;
    assert_int_equal(vt_pci_find_virtio(&bus, 16, &function), VT_VIRTIO_E_NO_DEVICE);
    assert_int_equal(vt_pci_assign(&bus, 8, &next, 1 << 20), VT_VIRTIO_E_NO_DEVICE);
    assert_int_equal(vt_virtio_pci_open(&d, &bus, NULL, 8), VT_VIRTIO_E_NO_DEVICE);
    struct vt_model *m = make(0, NULL);
    vt_model_lie(m, VT_MODEL_LEGACY);
    assert_int_equal(open_device(&d, m, false), VT_VIRTIO_E_UNSUPPORTED);
    finish(m);
}

static void pci_functions_are_told_apart(void **state)
{
    (void)state;
    struct vt_model *m = make(0, NULL);
    const struct vt_virtio_bus *bus = vt_model_bus(m);
    struct vt_virtio_device d;
    uint16_t function = 0;
    assert_int_equal(vt_pci_find_virtio(bus, 1, &function), VT_VIRTIO_OK);
    assert_int_equal(function, VT_MODEL_PCI_OTHER);
    assert_int_equal(vt_pci_find_virtio(bus, 2, &function), VT_VIRTIO_E_NO_DEVICE);
    assert_int_equal(vt_pci_find_virtio(bus, 0, &function), VT_VIRTIO_E_NO_DEVICE);
    assert_int_equal(vt_virtio_pci_open(&d, bus, NULL, 0), VT_VIRTIO_E_NO_DEVICE);
    assert_int_equal(vt_virtio_pci_open(&d, bus, NULL, 0x18), VT_VIRTIO_E_NO_DEVICE);
    assert_int_equal(vt_virtio_pci_open(&d, bus, NULL, VT_MODEL_PCI_OTHER),
                     VT_VIRTIO_E_UNSUPPORTED);
    /* Base addresses that nobody assigned. */
    assert_int_equal(vt_virtio_pci_open(&d, bus, NULL, VT_MODEL_PCI), VT_VIRTIO_E_UNSUPPORTED);
    /* A transitional device's type is its subsystem. */
    uint8_t *space = vt_model_pci_config(m);
    space[2] = 0x09;
    space[0x2e] = 9;
    assert_int_equal(vt_pci_find_virtio(bus, 9, &function), VT_VIRTIO_OK);
    assert_int_equal(function, VT_MODEL_PCI);
    finish(m);
}

static void addresses_are_assigned_where_there_is_room(void **state)
{
    (void)state;
    struct vt_model *m = make(0, NULL);
    const struct vt_virtio_bus *bus = vt_model_bus(m);
    const uint8_t *space = vt_model_pci_config(m);
    uint64_t next = VT_MODEL_PCI_WINDOW;
    assert_int_equal(vt_pci_assign(bus, VT_MODEL_PCI, &next, next + 0x7fff), VT_VIRTIO_E_NOMEM);
    assert_int_equal(vt_pci_assign(bus, VT_MODEL_PCI, &next, next - 1), VT_VIRTIO_E_NOMEM);
    assert_int_equal(vt_pci_assign(bus, 0x30, &next, next + 0x8000), VT_VIRTIO_E_NO_DEVICE);
    assert_int_equal(next, VT_MODEL_PCI_WINDOW);
    assert_int_equal(vt_pci_assign(bus, VT_MODEL_PCI, &next, next + 0x8000), VT_VIRTIO_OK);
    uint32_t bar1, bar4, bar5;
    memcpy(&bar1, space + 0x14, 4);
    memcpy(&bar4, space + 0x20, 4);
    memcpy(&bar5, space + 0x24, 4);
    assert_int_equal(bar1, VT_MODEL_PCI_WINDOW);
    assert_int_equal(bar4, (VT_MODEL_PCI_WINDOW + 0x4000) | 0xc);
    assert_int_equal(bar5, 0);
    /* Only the 64-bit one may lie above 4 GiB. */
    next = 0x4000000000;
    assert_int_equal(vt_pci_assign(bus, VT_MODEL_PCI, &next, next + 0x100000), VT_VIRTIO_E_NOMEM);
    next = 0xfffff000;
    assert_int_equal(vt_pci_assign(bus, VT_MODEL_PCI, &next, next + 0x100000), VT_VIRTIO_OK);
    assert_int_equal(next, 0x100004000);
    struct vt_virtio_device d;
    assert_int_equal(vt_virtio_pci_open(&d, bus, vt_model_clock(m), VT_MODEL_PCI), VT_VIRTIO_OK);
    assert_int_equal(vt_virtio_reset(&d, MS), VT_VIRTIO_OK);
    assert_int_equal(vt_virtio_negotiate(&d, 0, 0), VT_VIRTIO_OK);
    finish(m);
}

/* Offsets of the model's capabilities (device_model_bus.c). */
enum {
    CAP_COMMON = 0x40,
    CAP_ISR = 0x50,
    CAP_DEVICE = 0x60,
    CAP_NOTIFY = 0x70,
};

struct spoil {
    unsigned at;
    uint8_t value;
};

static int open_spoilt(const struct spoil *spoils, unsigned n, struct vt_virtio_device *d)
{
    struct vt_model *m = make(0, NULL);
    uint8_t *space = vt_model_pci_config(m);
    for (unsigned i = 0; i < n; i++) {
        space[spoils[i].at] = spoils[i].value;
    }
    int rc = open_device(d, m, true);
    finish(m);
    return rc;
}

static void capabilities_that_lie_are_passed_over(void **state)
{
    (void)state;
    struct vt_virtio_device d;
    static const struct spoil useless[][2] = {
        {{0x06, 0}, {0x06, 0}},                             /* no list */
        {{0x99, 0x98}, {0x99, 0x98}},                       /* a list in a circle */
        {{0x99, 0x20}, {0x99, 0x20}},                       /* it leads into the header */
        {{CAP_COMMON + 4, 6}, {CAP_COMMON + 4, 6}},         /* a BAR that cannot be */
        {{CAP_COMMON + 4, 0}, {CAP_COMMON + 4, 0}},         /* one of ports */
        {{CAP_COMMON + 4, 5}, {CAP_COMMON + 4, 5}},         /* half of one */
        {{CAP_COMMON + 2, 12}, {CAP_COMMON + 2, 12}},       /* a short capability */
        {{CAP_COMMON + 12, 0x37}, {CAP_COMMON + 13, 0}},    /* a short area */
        {{CAP_COMMON + 8, 2}, {CAP_COMMON + 8, 2}},         /* not aligned */
        {{CAP_COMMON + 15, 0xff}, {CAP_COMMON + 15, 0xff}}, /* an area longer than its BAR */
        {{CAP_COMMON + 11, 0xff}, {CAP_COMMON + 11, 0xff}}, /* and one behind it */
        {{CAP_COMMON + 3, 77}, {CAP_COMMON + 3, 77}},       /* of an unknown type */
        {{CAP_NOTIFY + 2, 16}, {CAP_NOTIFY + 2, 16}},       /* without its multiplier */
        {{CAP_NOTIFY + 8, 1}, {CAP_NOTIFY + 12, 0x10}},     /* at an odd address */
        {{CAP_NOTIFY + 13, 0}, {CAP_NOTIFY + 12, 1}},       /* with no room */
        {{CAP_ISR + 4, 7}, {CAP_ISR + 4, 7}},
    };
    for (unsigned i = 0; i < sizeof useless / sizeof *useless; i++) {
        assert_int_equal(open_spoilt(useless[i], 2, &d), VT_VIRTIO_E_UNSUPPORTED);
    }
    /* Without its own configuration a device still works, for who does not read it. */
    const struct spoil configless = {CAP_DEVICE + 4, 7};
    assert_int_equal(open_spoilt(&configless, 1, &d), VT_VIRTIO_OK);
    assert_int_equal(d.at.pci.config_bytes, 0);
    uint32_t word;
    assert_int_equal(vt_virtio_config_read(&d, 0, &word, 4), VT_VIRTIO_E_INVAL);
    /* The first of two capabilities counts. */
    const struct spoil twice[] = {{CAP_ISR + 3, 1}, {CAP_ISR + 3, 3}};
    assert_int_equal(open_spoilt(twice, 2, &d), VT_VIRTIO_OK);
}

static void a_notification_outside_its_area_is_a_fault(void **state)
{
    (void)state;
    struct vt_model *m = make(0, NULL);
    uint8_t *space = vt_model_pci_config(m);
    space[CAP_NOTIFY + 16 + 2] = 1; /* 64 KiB from queue to queue */
    struct vt_virtio_device d;
    struct vt_virtio_arena arena = vt_model_arena(m);
    assert_int_equal(open_device(&d, m, true), VT_VIRTIO_OK);
    assert_int_equal(vt_virtio_negotiate(&d, 0, 0), VT_VIRTIO_OK);
    struct vt_virtqueue *q;
    struct vt_virtqueue_config config = {.index = 1, .size = 16, .max_pieces = 1};
    assert_int_equal(vt_virtqueue_create(&config, &arena, &q), VT_VIRTIO_OK);
    assert_int_equal(vt_virtio_queue_start(&d, q, 0xffff), VT_VIRTIO_E_PROTOCOL);
    assert_non_null(strstr(d.fault, "notification"));
    finish(m);
}

static void codes_have_names(void **state)
{
    (void)state;
    for (int code = 0; code >= -9; code--) {
        assert_non_null(vt_virtio_code_name(code));
    }
    assert_string_equal(vt_virtio_code_name(VT_VIRTIO_E_FULL), "queue full");
    assert_string_equal(vt_virtio_code_name(-9), "unknown code");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_comes_up_and_answers),
        cmocka_unit_test(configuration_is_read_and_written),
        cmocka_unit_test(features_that_are_missing_fail),
        cmocka_unit_test(reset_has_an_end),
        cmocka_unit_test(a_device_in_need_says_so),
        cmocka_unit_test(queues_that_cannot_be_are_refused),
        cmocka_unit_test(only_modern_mmio_devices_are_opened),
        cmocka_unit_test(pci_functions_are_told_apart),
        cmocka_unit_test(addresses_are_assigned_where_there_is_room),
        cmocka_unit_test(capabilities_that_lie_are_passed_over),
        cmocka_unit_test(a_notification_outside_its_area_is_a_fault),
        cmocka_unit_test(codes_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
