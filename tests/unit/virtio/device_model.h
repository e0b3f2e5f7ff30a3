/* tests/unit/virtio/device_model.h - a virtio device for tests: RAM, rings, registers.
 *
 * The device's side of split and packed rings, and the register files of virtio-mmio and virtio-pci
 * behind a struct vt_virtio_bus. It follows the specification by itself and notes what the driver
 * does wrong (vt_model_complaint); what a hostile device would do is there to be called. What its
 * buffers mean is the business of `serve`. It does nothing but while it is called: a notification
 * serves the queue before the write of the register returns, unless it is held. Rings are accessed
 * so that driver and model may be two threads (test_threads); everything else is one thread's.
 */
#ifndef VT_TESTS_DEVICE_MODEL_H
#define VT_TESTS_DEVICE_MODEL_H

#include "vitrine/virtio.h"

#define VT_MODEL_QUEUES 4u
#define VT_MODEL_RAM 0x40000000u        /**< where its RAM begins, for the device */
#define VT_MODEL_MMIO 0x0a003e00u       /**< virtio-mmio registers */
#define VT_MODEL_PCI 0x0118u            /**< 01:03.0, behind the bridge 00:01.0 */
#define VT_MODEL_PCI_OTHER 0x0010u      /**< 00:02.0, a virtio network card without any registers */
#define VT_MODEL_PCI_WINDOW 0xe0000000u /**< addresses for vt_pci_assign: from here, 1 MiB */

struct vt_model;

/** What the driver gave: its out-pieces as one block, and the room it left for the answer. Belongs
 *  to the model, until it is returned or the device reset. */
struct vt_model_buffer {
    struct vt_model *model;
    uint16_t queue;
    uint16_t id;     /**< split: head; packed: buffer id */
    uint64_t number; /**< of the device's buffers, from 0 */
    const uint8_t *out;
    uint32_t out_bytes, in_bytes;
};

/** Called for each buffer; returns it (vt_model_return) now, later, in another order, or never. */
typedef void vt_model_serve_fn(struct vt_model_buffer *b, void *arg);

struct vt_model_config {
    uint32_t id;
    uint64_t features;  /**< VERSION_1 is added */
    uint16_t queues;    /**< up to VT_MODEL_QUEUES */
    uint16_t queue_max; /**< 0: 256 */
    const void *config; /**< device configuration; copied */
    uint32_t config_bytes;
    size_t ram_bytes;             /**< 0: 1 MiB */
    vt_model_serve_fn *serve;     /**< NULL: buffers stay with the device */
    void (*interrupt)(void *arg); /**< raised; may be NULL */
    void *arg;
};

struct vt_model *vt_model_create(const struct vt_model_config *config);
void vt_model_destroy(struct vt_model *m);

/* ---- what the driver is given */

const struct vt_virtio_bus *vt_model_bus(struct vt_model *m);
/** Stands still but for relax, which moves it by 1 ms, and vt_model_pass. */
const struct vt_virtio_clock *vt_model_clock(struct vt_model *m);
void vt_model_pass(struct vt_model *m, uint64_t ns);
/** All of RAM, unused: for the driver's arena and whatever it gives to the device. */
struct vt_virtio_arena vt_model_arena(struct vt_model *m);
/** RAM by the device's address; NULL when it is not all there. */
void *vt_model_at(struct vt_model *m, uint64_t device, uint64_t bytes);
/** Connects a queue without a transport and any rules: queue tests. */
void vt_model_attach(struct vt_model *m, const struct vt_virtqueue *q, uint64_t features);

/* ---- what it does */

/** Held: notified queues are served by vt_model_run only. */
void vt_model_hold(struct vt_model *m, bool held);
/** Takes everything available on `queue` and serves it. Returns how many buffers. */
unsigned vt_model_run(struct vt_model *m, uint16_t queue);
/** The buffers it has, oldest first; NULL behind the last. */
struct vt_model_buffer *vt_model_pending(struct vt_model *m, uint16_t queue, unsigned i);
/** Writes `n` bytes (at most in_bytes) and returns the buffer. */
void vt_model_return(struct vt_model_buffer *b, const void *bytes, uint32_t n);
/** Whether it asks to be notified of new buffers (a device that polls does not). */
void vt_model_wants_notifications(struct vt_model *m, uint16_t queue, bool wanted);
/** Changes the configuration, its generation, and interrupts. */
void vt_model_change_config(struct vt_model *m, uint32_t offset, const void *bytes, uint32_t n);

/* ---- what it should not do */

enum vt_model_lie {
    VT_MODEL_REFUSES_FEATURES = 1, /**< FEATURES_OK does not stay */
    VT_MODEL_RESET_HANGS = 2,      /**< the status never becomes 0 */
    VT_MODEL_LEGACY = 4,           /**< virtio-mmio version 1 */
    VT_MODEL_RESTLESS_CONFIG = 8,  /**< another generation at each look */
    VT_MODEL_QUEUE_IN_USE = 16,    /**< queues are ready before the driver says so */
    VT_MODEL_QUEUE_REFUSED = 32,   /**< and never become so */
};
void vt_model_lie(struct vt_model *m, unsigned lies);
/** Writes `n` bytes as the answer but says that they are `said`, of buffer `id`. The buffer is gone
 *  for the model. */
void vt_model_return_lying(struct vt_model_buffer *b, const void *bytes, uint32_t n, uint32_t id,
                           uint32_t said);
/** Returns a buffer it may not have. */
void vt_model_return_unknown(struct vt_model *m, uint16_t queue, uint32_t id, uint32_t said);
/** Split: the used index jumps. */
void vt_model_jump(struct vt_model *m, uint16_t queue, uint16_t by);
/** Gives up: DEVICE_NEEDS_RESET and a configuration interrupt. Nothing is served until reset. */
void vt_model_break(struct vt_model *m);
/** The 256 bytes of the function's configuration space, to be spoilt. */
uint8_t *vt_model_pci_config(struct vt_model *m);

/* ---- what was seen of the driver */

/** The first rule the driver broke, or NULL. */
const char *vt_model_complaint(const struct vt_model *m);
struct vt_model_counts {
    unsigned notifications, interrupts, resets, buffers, returned;
    uint32_t last_notification; /**< as it was written */
};
const struct vt_model_counts *vt_model_counts(const struct vt_model *m);
uint8_t vt_model_status(const struct vt_model *m);
uint64_t vt_model_features(const struct vt_model *m); /**< as accepted */

#endif
