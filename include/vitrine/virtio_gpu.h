/* vitrine/virtio_gpu.h - a virtio-gpu driver with nothing hidden, and displays on top of it.
 *
 * Freestanding, like vitrine/virtio.h; memory comes from the caller's arena, time from the caller's
 * clock, ids from the caller. Nothing blocks: commands are queued, vt_vgpu_poll moves things on and
 * calls back. What the device answers is hostile. One driver object, one thread.
 *
 * The driver is one explicit state machine (states and events below, one table of transitions in
 * virtio/gpu/state.c) and a table of resources, each with a state machine of its own. Every command
 * and response goes into the log (vt_vgpu_log, virtio/gpu/log.h), which others read from outside.
 *
 * Source: virtio 1.3, 5.7. Structs of commands: virtio/gpu/protocol/.
 */
#ifndef VITRINE_VIRTIO_GPU_H
#define VITRINE_VIRTIO_GPU_H

#include "virtio/gpu/protocol/protocol.h"
#include "vitrine/virtio.h"

/* ---------------------------------------------------------------- states */

enum vt_vgpu_state {
    VT_VGPU_UNINITIALISED, /**< no device yet, or given back */
    VT_VGPU_NEGOTIATED,    /**< features accepted, queues not yet enabled */
    VT_VGPU_READY,         /**< DRIVER_OK: commands may be sent */
    VT_VGPU_RECOVERING,    /**< being reset after an error */
    VT_VGPU_TIMED_OUT,     /**< error: a command was not answered in time */
    VT_VGPU_BROKEN_QUEUE,  /**< error: a queue broke its rules */
    VT_VGPU_BROKEN_ANSWER, /**< error: a response was short, of a wrong type, or of a wrong fence */
    VT_VGPU_NEEDS_RESET,   /**< error: the device says so itself */
    VT_VGPU_UNUSABLE,      /**< error: reset did not help, or no usable device */
    VT_VGPU_STATES
};
enum vt_vgpu_event {
    VT_VGPU_EV_PROBE,
    VT_VGPU_EV_QUEUES_RUN,
    VT_VGPU_EV_SUBMIT,
    VT_VGPU_EV_RESPONSE,
    VT_VGPU_EV_DISPLAY_CHANGED,
    VT_VGPU_EV_TIMEOUT,
    VT_VGPU_EV_QUEUE_FAULT,
    VT_VGPU_EV_ANSWER_FAULT,
    VT_VGPU_EV_NEEDS_RESET,
    VT_VGPU_EV_RESET,
    VT_VGPU_EV_RESET_FAILED,
    VT_VGPU_EV_SHUT_DOWN,
    VT_VGPU_EVENTS
};
const char *vt_vgpu_state_name(enum vt_vgpu_state state);
const char *vt_vgpu_event_name(enum vt_vgpu_event event);

/** A resource's: illegal steps are refused before anything is sent, and counted. A step is taken
 *  when the device has said OK. Steps need not wait for one another: each is judged by what will be
 *  when those before it have succeeded, so create, back, show, transfer and flush may be queued in
 *  one go. */
enum vt_vgpu_resource_state {
    VT_VGPU_RES_FREE,
    VT_VGPU_RES_CREATED, /**< RESOURCE_CREATE_2D */
    VT_VGPU_RES_BACKED,  /**< has memory of the guest */
    VT_VGPU_RES_SHOWN,   /**< at least one scanout shows it */
    VT_VGPU_RES_LOST,    /**< the device was reset; destroy it to use the id again */
};
const char *vt_vgpu_resource_state_name(enum vt_vgpu_resource_state state);

/* ---------------------------------------------------------------- the driver */

struct vt_vgpu_log;    /* virtio/gpu/log.h */
struct vt_vgpu_driver; /* lives in the arena */

struct vt_vgpu_driver_config {
    struct vt_virtio_device *device; /**< opened, id 16; borrowed */
    struct vt_virtio_arena *arena;   /**< borrowed for the driver's life */
    const struct vt_virtio_clock *clock;
    struct vt_vgpu_log *log; /**< or NULL */
    uint64_t features_off;   /**< features not to accept even if offered */
    uint16_t queue_size;     /**< at most; 0: what the device offers, up to 256 */
    uint16_t in_flight; /**< commands on their way at once; 0: as many as the queue takes; 1: the
                             blocking driver others are (benchmarks) */
    uint16_t max_resources; /**< 0: 64 */
    uint16_t max_entries;   /**< memory entries of one resource; 0: 256 */
    uint64_t timeout_ns;    /**< of a command; 0: 5 s */
    unsigned retries; /**< of ERR_OUT_OF_MEMORY and ERR_UNSPEC to commands that may be repeated */
    /** Something changed by itself: DISPLAY_CHANGED or an error state. May be NULL. As from `done`
     *  of a command, everything may be called from it but poll, drain, start and stop. */
    void (*on_event)(enum vt_vgpu_event event, enum vt_vgpu_state now, void *arg);
    void *arg;
};

struct vt_vgpu_stats {
    uint64_t submitted, answered, failed, timed_out, retried,
        refused;            /**< refused: illegal events */
    uint64_t steps_refused; /**< illegal steps of resources */
    uint64_t out_of_order;  /**< answers that overtook others: legal without fences */
    uint64_t notifications, interrupts, resets;
    uint32_t in_flight, most_in_flight, resources;
    uint64_t refused_by[VT_VGPU_STATES][VT_VGPU_EVENTS];
};

/** Lays everything out; touches the device not yet. VT_VIRTIO_E_INVAL: no GPU, no clock, or a queue
 *  size that is no power of two up to 256; _NOMEM. */
int vt_vgpu_driver_create(const struct vt_vgpu_driver_config *config,
                          struct vt_vgpu_driver **driver);
/** Resets, negotiates, starts the queues: UNINITIALISED → READY; also from any error state, in
 *  which case everything on its way completes with VT_VIRTIO_E_NEEDS_RESET first and resources are
 *  LOST. Fails into UNUSABLE. VT_VIRTIO_E_INVAL: it is running. */
int vt_vgpu_driver_start(struct vt_vgpu_driver *d);
/** Resets the device for good. Resources that were not destroyed are counted and named in the log:
 *  returns how many. */
int vt_vgpu_driver_stop(struct vt_vgpu_driver *d);
enum vt_vgpu_state vt_vgpu_driver_state(const struct vt_vgpu_driver *d);
/** Why it is in an error state, in words; "" otherwise. Belongs to the driver. */
const char *vt_vgpu_driver_fault(const struct vt_vgpu_driver *d);
const struct vt_vgpu_stats *vt_vgpu_driver_stats(const struct vt_vgpu_driver *d);
uint64_t vt_vgpu_driver_features(const struct vt_vgpu_driver *d);
uint32_t vt_vgpu_driver_scanouts(const struct vt_vgpu_driver *d);
uint32_t vt_vgpu_driver_capsets(const struct vt_vgpu_driver *d);

/** Takes what the device returned, sees to timeouts, interrupts and configuration changes, calls
 *  back, sends what waits. Returns how many commands came back, or the negative code of a new
 *  error; in an error state after that VT_VIRTIO_E_NEEDS_RESET, without a device _NO_DEVICE. */
int vt_vgpu_poll(struct vt_vgpu_driver *d);
/** Polls until nothing is on its way, or `timeout_ns` passed. */
int vt_vgpu_drain(struct vt_vgpu_driver *d, uint64_t timeout_ns);
/** For guests that sleep: asks the device for an interrupt after the next answer, or for none.
 * True: something has come already and there may be none for it; poll. Off after a start. */
bool vt_vgpu_interrupts(struct vt_vgpu_driver *d, bool wanted);
/** To be called by the interrupt's handler, at any time: acknowledges it; polls do the rest. */
void vt_vgpu_interrupt(struct vt_vgpu_driver *d);

/** How a command ended: `code` 0 and the response's type OK; VT_VIRTIO_E_INVAL and an error type;
 * or another code and no response (response_bytes 0). `response` is valid during the call. Called
 * by poll, drain, start and stop, never by what queued the command. */
struct vt_vgpu_answer {
    int code;
    uint32_t type; /**< of the response; 0 without one */
    const void *response;
    uint32_t response_bytes;
    uint64_t latency_ns;
};
typedef void vt_vgpu_done_fn(const struct vt_vgpu_answer *answer, void *arg);

/** Queues any command as it stands: `request` with its header (fences as the caller sets them) and
 *  tail is copied; `response_bytes` is the room for the answer. Shown to the device at the next
 *  vt_vgpu_kick or vt_vgpu_poll. VT_VIRTIO_E_FULL: poll first. State machines of resources are not
 * asked: for tests and scripts. */
int vt_vgpu_submit(struct vt_vgpu_driver *d, enum vt_vgpu_queue queue, const void *request,
                   uint32_t request_bytes, uint32_t response_bytes, vt_vgpu_done_fn *done,
                   void *arg);
/** Shows the device what is queued, with one notification at most. */
void vt_vgpu_kick(struct vt_vgpu_driver *d);

/* ---- displays */

/** GET_DISPLAY_INFO and, where negotiated, GET_EDID of each scanout, one after the other; then
 *  `done`, with the last answer. VT_VIRTIO_E_FULL: such a question is on its way. */
int vt_vgpu_get_displays(struct vt_vgpu_driver *d, vt_vgpu_done_fn *done, void *arg);
struct vt_vgpu_mode {
    uint32_t width, height, refresh_mhz;
    bool preferred;
};
struct vt_vgpu_display_info {
    bool enabled;
    struct vt_vgpu_rect rect;
    uint32_t n_modes;
    struct vt_vgpu_mode modes[64]; /**< of the EDID, checked; the most precise first */
    char name[14];                 /**< monitor name of the EDID, printable */
};
/** As last asked; NULL: no such scanout, or not asked since the last start. */
const struct vt_vgpu_display_info *vt_vgpu_display_info(const struct vt_vgpu_driver *d,
                                                        uint32_t scanout);

/* ---- resources. Each queues one command; VT_VIRTIO_E_INVAL: not in this state, id 0 or in use, a
 * rectangle outside the resource or its memory; _NOMEM: the table is full; _FULL: poll first;
 * _NEEDS_RESET: the driver is not READY. `fence` 0: none. `done` may be NULL. */

int vt_vgpu_resource_create(struct vt_vgpu_driver *d, uint32_t id, uint32_t format, uint32_t width,
                            uint32_t height, vt_vgpu_done_fn *done, void *arg);
int vt_vgpu_resource_back(struct vt_vgpu_driver *d, uint32_t id,
                          const struct vt_virtio_piece *pieces, uint32_t n, vt_vgpu_done_fn *done,
                          void *arg);
int vt_vgpu_resource_unback(struct vt_vgpu_driver *d, uint32_t id, vt_vgpu_done_fn *done,
                            void *arg);
/** `resource` 0 turns the scanout off. */
int vt_vgpu_set_scanout(struct vt_vgpu_driver *d, uint32_t scanout, uint32_t resource,
                        const struct vt_vgpu_rect *rect, vt_vgpu_done_fn *done, void *arg);
/** `offset` is into the backing memory: y * stride + x * 4 of the rectangle's first pixel. */
int vt_vgpu_transfer(struct vt_vgpu_driver *d, uint32_t id, const struct vt_vgpu_rect *rect,
                     uint64_t offset, uint64_t fence, vt_vgpu_done_fn *done, void *arg);
int vt_vgpu_flush(struct vt_vgpu_driver *d, uint32_t id, const struct vt_vgpu_rect *rect,
                  uint64_t fence, vt_vgpu_done_fn *done, void *arg);
/** Refused while a scanout shows it. A LOST one goes without the device, at the next poll. */
int vt_vgpu_resource_destroy(struct vt_vgpu_driver *d, uint32_t id, vt_vgpu_done_fn *done,
                             void *arg);
enum vt_vgpu_resource_state vt_vgpu_resource_state(const struct vt_vgpu_driver *d, uint32_t id);

/** UPDATE_CURSOR (`resource` 64 x 64, 0 hides it) and MOVE_CURSOR, on the cursor queue. */
int vt_vgpu_cursor_set(struct vt_vgpu_driver *d, uint32_t scanout, uint32_t resource, uint32_t x,
                       uint32_t y, uint32_t hot_x, uint32_t hot_y, vt_vgpu_done_fn *done,
                       void *arg);
int vt_vgpu_cursor_move(struct vt_vgpu_driver *d, uint32_t scanout, uint32_t x, uint32_t y,
                        vt_vgpu_done_fn *done, void *arg);

/* ---------------------------------------------------------------- drawing */

/** Pixels in the guest's memory: rows from the top, 32 bits each, 0xXXRRGGBB (B8G8R8X8 on the wire:
 *  little-endian). Plain data. */
struct vt_surface {
    uint32_t *pixels;
    uint32_t width, height;
    uint32_t stride; /**< pixels from row to row */
};

/** All clip. Colours are 0xRRGGBB. */
void vt_surface_fill(struct vt_surface *s, const struct vt_vgpu_rect *rect, uint32_t colour);
void vt_surface_line(struct vt_surface *s, int32_t x0, int32_t y0, int32_t x1, int32_t y1,
                     uint32_t colour);
/** An 8 x 16 face of the 95 printable ASCII characters, `scale` times as large; returns the x after
 *  the last one. */
int32_t vt_surface_text(struct vt_surface *s, int32_t x, int32_t y, unsigned scale, uint32_t colour,
                        const char *text);
/** Overlapping areas of one surface are right, too. */
void vt_surface_blit(struct vt_surface *to, int32_t x, int32_t y, const struct vt_surface *from,
                     const struct vt_vgpu_rect *part);
/** The test card: colour bars, ramps, a grid, a circle, corner marks, one-pixel lines, its size and
 *  `label` in words. The same pixels for the same arguments on every machine. */
void vt_surface_test_card(struct vt_surface *s, const char *label);
/** Writes it as PNG (stored blocks, no compression) or PPM through `put`; false when `put` was. */
bool vt_surface_png(const struct vt_surface *s, bool (*put)(const void *, size_t, void *),
                    void *arg);
bool vt_surface_ppm(const struct vt_surface *s, bool (*put)(const void *, size_t, void *),
                    void *arg);

/* ---------------------------------------------------------------- a display, whatever is behind it
 */

struct vt_display; /* virtio/gpu/display.h has the table of functions an implementation gives */

/** Where to draw now: with two buffers the one not shown. It holds what was drawn before. Valid
 *  until the next flip or resize. */
struct vt_surface *vt_display_surface(struct vt_display *p);
/** A rectangle of the surface was drawn to; NULL: all of it. Rectangles are joined where that is
 *  less work. */
void vt_display_damage(struct vt_display *p, const struct vt_vgpu_rect *rect);
/** Shows what was drawn: queues it and returns; `done` (may be NULL) is called when it can be seen,
 *  or why not, from a later poll. VT_VIRTIO_E_FULL: the flip before is not done, poll first; or
 *  another code, and nothing has changed. After a flip that failed all counts as damaged. */
int vt_display_flip(struct vt_display *p, void (*done)(int code, void *arg), void *arg);
/** Moves things on; as vt_vgpu_poll. */
int vt_display_poll(struct vt_display *p);
/** A flip is on its way. */
bool vt_display_busy(const struct vt_display *p);
/** Another size, and black; the surface changes. Also what to do with a display after its device
 *  was reset and started again. VT_VIRTIO_E_FULL while a flip is on its way; VT_VIRTIO_E_INVAL: a
 *  size that is not offered; _NOMEM. Not from callbacks: waits when the queue is full. */
int vt_display_resize(struct vt_display *p, uint32_t width, uint32_t height);
const char *vt_display_name(const struct vt_display *p); /**< "virtio-gpu", "ramfb" */
/** Turns the scanout off and destroys the resources; a flip on its way is still done. */
void vt_display_close(struct vt_display *p);

/** Over a READY driver: `scanout`, resource ids `first_id` … `first_id` + buffers - 1, 1 or 2
 *  buffers, up to 16384 pixels a side. Nothing is shown before the first flip,
 * which also tells what of setting up has failed. Pixels are the arena's, for sizes up to the
 * largest asked for. */
int vt_display_virtio_gpu(struct vt_vgpu_driver *d, struct vt_virtio_arena *arena, uint32_t scanout,
                          uint32_t first_id, unsigned buffers, uint32_t width, uint32_t height,
                          struct vt_display **p);
/** QEMU's ramfb over fw_cfg (docs/specs/fw_cfg.rst, hw/display/ramfb.c): `write_config` stores its
 *  28-byte record in the file "etc/ramfb", 0 or a code. Two buffers; 16 x 16 to 16000 x 12000. Its
 *  flips are done at the next poll: QEMU reads memory whenever it draws. */
int vt_display_ramfb(struct vt_virtio_arena *arena,
                     int (*write_config)(const void *record, size_t n, void *arg), void *arg,
                     uint32_t width, uint32_t height, struct vt_display **p);

#endif
