/* virtio/queue.h - what the two ring formats share of a queue.
 *
 * Everything a decision hangs on is kept here, in memory that the device is never told of: which
 * descriptors are free, what belongs to which buffer, how much may be written to it. Rings are
 * written and what the device wrote is checked against this; nothing of ours is read back from
 * them.
 */
#ifndef VT_VIRTIO_QUEUE_H
#define VT_VIRTIO_QUEUE_H

#include "virtio/layout.h"
#include "vitrine/virtio.h"

#define VT_VIRTQUEUE_PIECES_MAX 256u
#define VT_VIRTQUEUE_NONE 0xffffu

/** One a descriptor (split) or buffer id (packed). */
struct vt_virtqueue_slot {
    void *token;           /**< NULL: not on its way */
    uint64_t writable;     /**< bytes that the device may write */
    uint32_t number;       /**< of the add: tells what has been published */
    uint16_t entries;      /**< descriptors of the ring that the buffer takes */
    uint16_t older, newer; /**< of those on their way; VT_VIRTQUEUE_NONE at the ends */
    uint16_t next;         /**< free list; split: of a buffer's descriptors, too */
};

/** What a ring format does. Arguments were checked; the queue is not broken. */
struct vt_virtqueue_ring {
    void (*reset)(struct vt_virtqueue *q);
    /** There are `entries` free ones (1 with a table). Fills slots' `next`; returns the slot. */
    uint16_t (*add)(struct vt_virtqueue *q, const struct vt_virtio_piece *pieces, unsigned n_out,
                    unsigned n);
    bool (*publish)(struct vt_virtqueue *q);
    /** True: there is a returned buffer, id and bytes as the device wrote them. May break the
     *  queue; then true with any. */
    bool (*returned)(struct vt_virtqueue *q, uint32_t *id, uint32_t *bytes);
    /** That one is taken: its slot's `entries` are free. */
    void (*taken)(struct vt_virtqueue *q, uint16_t slot);
    void (*interrupts)(struct vt_virtqueue *q);
    uint32_t (*position)(const struct vt_virtqueue *q); /**< for NOTIFICATION_DATA, bits 16-31 */
};
extern const struct vt_virtqueue_ring vt_split_ring, vt_packed_ring;

/** Slots `first` … `last`, linked by `next`, are free. They are used again after all that are free
 *  already: what a buffer was can be read in the ring for as long as possible, by who looks late.
 */
void vt_virtqueue_give(struct vt_virtqueue *q, uint16_t first, uint16_t last);

struct vt_virtqueue {
    const struct vt_virtqueue_ring *ring;
    uint16_t index, size, max_pieces;
    bool event_index;
    bool wants_interrupts;
    const char *fault;
    struct vt_virtqueue_slot *slots;
    uint16_t free;         /**< first free slot; VT_VIRTQUEUE_NONE */
    uint16_t free_last;    /**< the last one, when there is any */
    uint16_t free_entries; /**< of the ring */
    uint16_t pending;
    uint16_t oldest, newest;   /**< on their way; VT_VIRTQUEUE_NONE */
    uint32_t added, published; /**< how many so far */
    uint64_t notify_address;   /**< of the register, once the transport said so */
    uint64_t desc_device, driver_device, device_device; /**< the areas' addresses */
    uint64_t tables_device; /**< of the indirect ones: `max_pieces` descriptors a slot */
    void *tables;           /**< NULL: not used */
    union {
        struct {
            struct vt_split_desc *desc;
            struct vt_split_avail *avail;
            struct vt_split_used *used;
            uint16_t *used_event, *avail_event;
            uint16_t avail_idx; /**< what was published is older */
            uint16_t shown_idx;
            uint16_t used_idx; /**< next to be taken */
        } split;
        struct {
            struct vt_packed_desc *desc;
            struct vt_packed_event *driver, *device;
            uint16_t next, next_wrap;  /**< where the next buffer goes; the wrap counter there */
            uint16_t used, used_wrap;  /**< where the next returned one will be */
            uint16_t fresh;            /**< entries added since the last publish */
            uint16_t held, held_flags; /**< first entry of those, and what its flags will be */
        } packed;
    } at;
};

#endif
