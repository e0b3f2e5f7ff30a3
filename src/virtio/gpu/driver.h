/* virtio/gpu/driver.h - the driver's inside, for its own files.
 *
 * state.c has the two tables of transitions, driver.c moves commands ("calls") from the caller to
 * the device and back, commands.c makes the requests, resource.c, scanout.c and cursor.c keep what
 * the device has been told, edid.c reads what it says of its displays.
 *
 * A call is on one list at any time: free, waiting (of its queue), flying (of its queue, in the
 * order of their times), finished without the device, or abandoned (timed out: its memory is the
 * device's until a reset).
 */
#ifndef VT_VIRTIO_GPU_DRIVER_H
#define VT_VIRTIO_GPU_DRIVER_H

#include "virtio/gpu/log.h"
#include "virtio/gpu/say.h"
#include "vitrine/virtio_gpu.h"

/* ---------------------------------------------------------------- state.c */

/** The state after `event`, or VT_VGPU_STATES: the event is illegal in `now`. */
enum vt_vgpu_state vt_vgpu_state_after(enum vt_vgpu_state now, enum vt_vgpu_event event);
/** One of the four states that a misbehaving device leads to, or VT_VGPU_UNUSABLE. */
bool vt_vgpu_state_is_error(enum vt_vgpu_state state);

enum vt_vgpu_step {
    VT_VGPU_STEP_CREATE,
    VT_VGPU_STEP_BACK,
    VT_VGPU_STEP_UNBACK,
    VT_VGPU_STEP_SHOW,
    VT_VGPU_STEP_HIDE, /* the last scanout that showed it shows something else */
    VT_VGPU_STEP_TRANSFER,
    VT_VGPU_STEP_FLUSH,
    VT_VGPU_STEP_DESTROY,
    VT_VGPU_STEP_RESET, /* the device forgot it */
    VT_VGPU_STEPS
};
#define VT_VGPU_RES_STATES (VT_VGPU_RES_LOST + 1)
/** The resource's state after `step`, or VT_VGPU_RES_STATES: refused. */
unsigned vt_vgpu_resource_after(enum vt_vgpu_resource_state now, enum vt_vgpu_step step);

/* ---------------------------------------------------------------- calls */

struct vt_vgpu_call;

/** Called before `done` with how it ended, and may change what that is told; true: `done` is for
 *  later, somebody else has it. */
typedef bool vt_vgpu_settle_fn(struct vt_vgpu_driver *d, const struct vt_vgpu_call *call,
                               struct vt_vgpu_answer *answer);

struct vt_vgpu_list {
    struct vt_vgpu_call *first, *last;
    uint32_t n;
};

struct vt_vgpu_call {
    struct vt_vgpu_call *next, *previous;
    struct vt_vgpu_list *home; /* where it goes when it is free */
    uint8_t *request, *response;
    uint64_t request_device, response_device;
    uint32_t request_bytes, response_bytes;
    struct vt_vgpu_header header; /* ours: the device may write over the request */
    uint64_t sequence, sent_ns;
    uint16_t slot;
    uint8_t queue;
    unsigned retries; /* left */
    vt_vgpu_done_fn *done;
    void *arg;
    /* What it changes when the device has said OK. */
    vt_vgpu_settle_fn *settle;
    struct vt_vgpu_resource *resource;
    enum vt_vgpu_step step;
    uint32_t scanout, shows; /* SET_SCANOUT: the resource */
    uint32_t serial;         /* of steps of this resource or scanout */
    const uint32_t *latest;  /* of their serials: a step with others behind it is not repeated */
};

/** What a call is to be; `settle` and `done` may be NULL. */
struct vt_vgpu_order {
    enum vt_vgpu_queue queue;
    const void *request;
    uint32_t request_bytes, response_bytes;
    const void *tail; /* more of the request, or NULL */
    uint32_t tail_bytes;
    bool repeatable;
    vt_vgpu_done_fn *done;
    void *arg;
    vt_vgpu_settle_fn *settle;
    struct vt_vgpu_resource *resource;
    enum vt_vgpu_step step;
    uint32_t scanout, shows;
    uint32_t serial;
    const uint32_t *latest;
};

/** Refuses when the state does, or no call is free; nothing has changed then. */
int vt_vgpu_order(struct vt_vgpu_driver *d, const struct vt_vgpu_order *order);
/** Completes with code 0 at the next poll, without the device. */
int vt_vgpu_order_nothing(struct vt_vgpu_driver *d, const struct vt_vgpu_order *order);

/* ---------------------------------------------------------------- what the device was told */

/** `state` is what the device has confirmed, CREATED and BACKED only (SHOWN follows from the
 *  scanouts); `planned` is what it will be when all that is queued succeeds. New steps are judged
 *  by `planned`, so that they need not wait for one another. */
struct vt_vgpu_resource {
    uint32_t id; /* 0: the entry is unused */
    uint32_t format, width, height;
    uint64_t backing_bytes;
    enum vt_vgpu_resource_state state, planned;
    uint32_t pending;         /* steps on their way */
    uint32_t serial, applied; /* of the step queued last, and of the last that succeeded */
    uint32_t uses;            /* transfers and flushes queued */
};

struct vt_vgpu_scanout {
    uint32_t resource, planned;
    uint32_t pending, serial, applied;
    uint32_t cursor; /* the resource it was set from, or 0: MOVE_CURSOR names it again */
};

struct vt_vgpu_driver {
    struct vt_vgpu_driver_config config;
    enum vt_vgpu_state state;
    struct vt_vgpu_stats stats;
    char fault[160];
    bool inside; /* a callback is running: poll, start and stop are refused */
    int error;   /* to be returned by the next poll, once */
    enum vt_vgpu_event error_event;
    bool display_changed; /* to be told by this poll */
    uint32_t interrupt;   /* bits from vt_vgpu_interrupt; atomic */
    uint64_t looked_ns;   /* when registers were last read */
    uint64_t sequence;    /* of the command sent last */

    struct vt_virtqueue *queue[2];
    uint16_t queue_size[2];
    uint64_t queue_features[2];
    bool unpublished[2];
    uint32_t n_scanouts, n_capsets;

    struct vt_vgpu_list small, big; /* free */
    struct vt_vgpu_list waiting[2], flying[2];
    struct vt_vgpu_list finished, abandoned;
    uint32_t big_request, big_response; /* their rooms */
    uint8_t *scratch;                   /* a response, where the device cannot change it */

    struct vt_vgpu_resource *resources;
    uint8_t *entries; /* of a RESOURCE_ATTACH_BACKING while it is put together */
    struct vt_vgpu_scanout scanouts[VT_VGPU_SCANOUTS_MAX];

    struct vt_vgpu_display_info displays[VT_VGPU_SCANOUTS_MAX];
    bool displays_known;
    struct {
        bool busy;
        uint32_t next; /* scanout whose EDID is asked for next */
        vt_vgpu_done_fn *done;
        void *arg;
    } asking;
};

/* ---------------------------------------------------------------- driver.c */

/** Moves the state machine; false, and counted, when `event` is illegal now. `why` goes to the log
 *  and, for error states, is what vt_vgpu_driver_fault says; may be NULL. */
bool vt_vgpu_happens(struct vt_vgpu_driver *d, enum vt_vgpu_event event, const char *why);
void vt_vgpu_note(struct vt_vgpu_driver *d, const struct vt_vgpu_text *text);

/* ---------------------------------------------------------------- resource.c, scanout.c */

/** NULL: no entry of that id. */
struct vt_vgpu_resource *vt_vgpu_resource_find(const struct vt_vgpu_driver *d, uint32_t id);
/** As planned, with SHOWN. */
enum vt_vgpu_resource_state vt_vgpu_resource_planned(const struct vt_vgpu_driver *d,
                                                     const struct vt_vgpu_resource *r);
/** True when `rect` has pixels and all of them are the resource's. */
bool vt_vgpu_rect_inside(const struct vt_vgpu_rect *rect, const struct vt_vgpu_resource *r);
/** Is the step legal now? Counts it when it is not. */
bool vt_vgpu_step_allowed(struct vt_vgpu_driver *d, const struct vt_vgpu_resource *r,
                          enum vt_vgpu_step step);
/** The device forgot everything. */
void vt_vgpu_resources_lost(struct vt_vgpu_driver *d);
/** Names in the log what was not destroyed, empties the table; returns how many. */
uint32_t vt_vgpu_resources_give_up(struct vt_vgpu_driver *d);
void vt_vgpu_scanouts_lost(struct vt_vgpu_driver *d);
/** No scanout shows resource `id` any more: the device destroyed it. */
void vt_vgpu_scanouts_forget(struct vt_vgpu_driver *d, uint32_t id);
bool vt_vgpu_scanouts_show(const struct vt_vgpu_driver *d, uint32_t id, bool planned);

/* ---------------------------------------------------------------- commands.c: requests, sent */

int vt_vgpu_send_create(struct vt_vgpu_driver *d, struct vt_vgpu_order *order, uint32_t id,
                        uint32_t format, uint32_t width, uint32_t height);
int vt_vgpu_send_unref(struct vt_vgpu_driver *d, struct vt_vgpu_order *order, uint32_t id);
int vt_vgpu_send_attach(struct vt_vgpu_driver *d, struct vt_vgpu_order *order, uint32_t id,
                        const struct vt_virtio_piece *pieces, uint32_t n);
int vt_vgpu_send_detach(struct vt_vgpu_driver *d, struct vt_vgpu_order *order, uint32_t id);
int vt_vgpu_send_set_scanout(struct vt_vgpu_driver *d, struct vt_vgpu_order *order,
                             uint32_t scanout, uint32_t id, const struct vt_vgpu_rect *rect);
int vt_vgpu_send_transfer(struct vt_vgpu_driver *d, struct vt_vgpu_order *order, uint32_t id,
                          const struct vt_vgpu_rect *rect, uint64_t offset, uint64_t fence);
int vt_vgpu_send_flush(struct vt_vgpu_driver *d, struct vt_vgpu_order *order, uint32_t id,
                       const struct vt_vgpu_rect *rect, uint64_t fence);
int vt_vgpu_send_get_display_info(struct vt_vgpu_driver *d, struct vt_vgpu_order *order);
int vt_vgpu_send_get_edid(struct vt_vgpu_driver *d, struct vt_vgpu_order *order, uint32_t scanout);
int vt_vgpu_send_cursor(struct vt_vgpu_driver *d, struct vt_vgpu_order *order, uint32_t type,
                        uint32_t scanout, uint32_t id, uint32_t x, uint32_t y, uint32_t hot_x,
                        uint32_t hot_y);
/** Room for the largest request and response of these commands, with `entries` memory entries. */
void vt_vgpu_rooms(uint32_t entries, uint32_t *request, uint32_t *response);

#endif
