/* gpu/device_queue.h - a split virtqueue from the device's side: taking what a driver made
 * available, giving it back, asking and being asked for notifications.
 *
 * All of a queue is the guest's memory and hostile. A buffer is copied out descriptor by descriptor
 * into addresses of ours before anything of it is used; circles, tables within tables, indices that
 * lead out of the queue and memory that is not there break the queue: it stands still until it is
 * set up anew, `fault` says why. One thread.
 *
 * Source: virtio 1.3, 2.7.
 */
#ifndef VT_GPU_DEVICE_QUEUE_H
#define VT_GPU_DEVICE_QUEUE_H

#include "gpu/guest_memory.h"
#include "virtio/layout.h"

/** Largest queue that is served. */
#define VT_DEVICE_QUEUE_SIZE_MAX 1024u
/** Pieces of one buffer, indirect ones included. */
#define VT_DEVICE_PIECES_MAX 1024u

struct vt_device_piece {
    uint64_t gpa;
    uint32_t bytes;
};

/** One buffer: what the driver wrote, then what may be written. */
struct vt_device_buffer {
    uint16_t head;
    unsigned n_out, n_in;
    uint64_t out_bytes, in_bytes;
    struct vt_device_piece pieces[VT_DEVICE_PIECES_MAX]; /**< out first, then in */
};

struct vt_device_queue {
    uint16_t size; /**< a power of two; 0: not set up */
    bool event_index;
    /** Where they are; NULL: nowhere, which a change of the memory table can do at any time. */
    struct vt_split_desc *desc;
    struct vt_split_avail *avail;
    struct vt_split_used *used;
    uint16_t next;     /**< of the available ring */
    uint16_t returned; /**< index of the used ring */
    uint16_t told;     /**< that index when the driver was interrupted last */
    bool told_valid;
    unsigned taken; /**< and not yet given back */
    const char *fault;
};

/** Starts at `next`: from then on the queue's memory says how far it is. */
void vt_device_queue_start(struct vt_device_queue *q, uint16_t next);
/** 1: *buffer is taken; 0: there is none, and the driver has been asked to say when there is; -1:
 *  the queue is broken, or has no memory. */
int vt_device_queue_take(struct vt_device_queue *q, const struct vt_guest_memory *m,
                         struct vt_device_buffer *buffer);
/** Gives a buffer back with `bytes` written to it. */
void vt_device_queue_give(struct vt_device_queue *q, uint16_t head, uint32_t bytes);
/** Whether the driver wants an interrupt for what was given back since the last time. */
bool vt_device_queue_interrupts(struct vt_device_queue *q);

#endif
