/* tests/unit/virtio/device_model_parts.h - between the model's rings and its registers. */
#ifndef VT_TESTS_DEVICE_MODEL_PARTS_H
#define VT_TESTS_DEVICE_MODEL_PARTS_H

#include "device_model.h"

#include "virtio/layout.h"

#define MODEL_CONFIG_MAX 256u
#define MODEL_PIECES_MAX 1024u

struct model_buffer {
    struct vt_model_buffer seen;
    uint16_t entries;
    unsigned n_in;
    struct vt_virtio_piece *in;
    uint8_t *out;
    struct model_buffer *next;
};

struct model_queue {
    uint16_t size;
    bool ready;
    uint64_t desc, driver, device;
    uint16_t vector;
    uint16_t avail, used;       /* split: indices; packed: places */
    bool avail_wrap, used_wrap; /* packed */
    bool notify_off;
    struct model_buffer *oldest;
};

struct vt_model {
    struct vt_model_config config;
    uint8_t config_bytes[MODEL_CONFIG_MAX];
    uint8_t *ram;
    struct vt_virtio_bus bus;
    struct vt_virtio_clock clock;
    uint64_t now_ns;
    unsigned lies;
    bool held, broken;
    const char *complaint;
    struct vt_model_counts counts;
    /* registers */
    uint8_t status;
    uint64_t accepted;
    uint32_t device_sel, driver_sel, generation, isr;
    uint16_t queue_sel, config_vector;
    struct model_queue queues[VT_MODEL_QUEUES];
    uint8_t pci[256], bridge[256], other[256];
};

/** Notes the first. */
void model_complain(struct vt_model *m, const char *rule);
void model_reset(struct vt_model *m);
/** Bit 0: a buffer, 1: configuration. */
void model_interrupt(struct vt_model *m, uint32_t bit);
void model_notified(struct vt_model *m, uint32_t value);
void model_bus_init(struct vt_model *m);

#endif
