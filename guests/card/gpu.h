/* guests/card/gpu.h - the GPU as statements use it: one device, its driver, and who asked what. */
#ifndef CARD_GPU_H
#define CARD_GPU_H

#include "card.h"
#include "virtio/gpu/log.h"
#include "vitrine/virtio_gpu.h"

struct card_gpu {
    struct vt_virtio_arena arena; /**< all free RAM */
    struct vt_virtio_device device;
    struct vt_vgpu_log *log;
    struct vt_vgpu_driver *driver; /**< NULL: not up */
    uint32_t line;                 /**< its interrupt; 0: none known */
};
extern struct card_gpu gpu;

/** What `set NAME VALUE` changes; the driver takes them when it is made. */
struct card_settings {
    uint64_t log_bytes, features_off, timeout_ms;
    uint64_t queue, in_flight, retries;
    uint64_t device;                     /**< the how-manieth GPU, from 0 */
    uint64_t scanout, buffers, first_id; /**< of displays */
    bool log_text, ramfb, wait, pci_only, sleep;
};
extern struct card_settings settings;

/** Brings the GPU up if it is not; false, after script_fail, when there is none. */
bool gpu_need(void);
/** RAM for what needs no GPU, too. */
void gpu_need_memory(void);
/** Gives driver and GPU back; what they took from the arena is free again. */
void gpu_down(void);
/** Another driver over the same device, its `in_flight` as given. */
bool gpu_again(uint16_t in_flight);

/** Who asks: `gpu_answered` reports with this name what became of it. Waits while too many are on
 *  their way. */
void *gpu_ask(const char *name);
vt_vgpu_done_fn gpu_answered;
/** What the driver said to it: refusals are reported; otherwise the answer is waited for, unless
 *  `set wait no`. Always true: refused is an answer, too. */
bool gpu_sent(int rc, void *ask);
/** Where there is nothing to do until the device answers: sleeps until its interrupt with `set
 * sleep yes` and an interrupt line that is known, else only a moment. */
void gpu_rest(void);
/** Until everything is answered, or the driver is in an error state. */
void gpu_wait(void);

/** Asks the device for its displays, and waits. */
void gpu_ask_displays(void);
/** How often the device has said that its displays changed. */
unsigned gpu_changes(void);

/** "X,Y,WxH" */
bool parse_rect(const char *text, struct vt_vgpu_rect *rect);
/** What was made over the driver and goes with it. */
void displays_close(void);
void pictures_forget(void);
/** The memory that `memory BYTES` took last. */
struct card_memory {
    uint8_t *bytes;
    uint64_t address, n;
};
extern struct card_memory scratch;

#endif
