/* virtio/split.c - the split ring (2.7): a table of descriptors, available ring, used ring. */
#include "virtio/barrier.h"
#include "virtio/queue.h"

#include <string.h>

static void split_reset(struct vt_virtqueue *q)
{
    memset(q->at.split.desc, 0, vt_split_desc_bytes(q->size));
    memset(q->at.split.avail, 0, vt_split_avail_bytes(q->size));
    memset(q->at.split.used, 0, vt_split_used_bytes(q->size));
    q->at.split.avail_idx = q->at.split.shown_idx = q->at.split.used_idx = 0;
}

static struct vt_split_desc as_desc(const struct vt_virtio_piece *piece, bool device_writes,
                                    bool last, uint16_t next)
{
    return (struct vt_split_desc){
        .address = piece->device,
        .bytes = piece->bytes,
        .flags = (uint16_t)((device_writes ? VT_DESC_WRITE : 0) | (last ? 0 : VT_DESC_NEXT)),
        .next = last ? 0 : next,
    };
}

/** Through a table where there are such: its descriptors lie behind each other. Else along slots'
 *  `next`, which is ours and not read back from the ring. */
static uint16_t split_add(struct vt_virtqueue *q, const struct vt_virtio_piece *pieces,
                          unsigned n_out, unsigned n)
{
    uint16_t head = q->free, at = head;
    if (n > 1 && q->tables != NULL) {
        size_t first = (size_t)head * q->max_pieces;
        struct vt_split_desc *table = (struct vt_split_desc *)q->tables + first;
        for (unsigned i = 0; i < n; i++) {
            table[i] = as_desc(&pieces[i], i >= n_out, i + 1 == n, (uint16_t)(i + 1));
        }
        q->at.split.desc[head] = (struct vt_split_desc){
            .address = q->tables_device + first * sizeof *table,
            .bytes = (uint32_t)(n * sizeof *table),
            .flags = VT_DESC_INDIRECT,
        };
        q->free = q->slots[head].next;
        q->slots[head].next = VT_VIRTQUEUE_NONE;
    } else {
        for (unsigned i = 0; i < n; i++) {
            uint16_t next = q->slots[at].next;
            q->at.split.desc[at] = as_desc(&pieces[i], i >= n_out, i + 1 == n, next);
            if (i + 1 == n) {
                q->slots[at].next = VT_VIRTQUEUE_NONE;
            }
            at = next;
        }
        q->free = at;
    }
    VT_STORE(q->at.split.avail->ring[q->at.split.avail_idx & (q->size - 1)], head);
    q->at.split.avail_idx++;
    return head;
}

static bool split_publish(struct vt_virtqueue *q)
{
    uint16_t before = q->at.split.shown_idx, now = q->at.split.avail_idx;
    q->at.split.shown_idx = now;
    vt_virtio_store_release(&q->at.split.avail->idx, now);
    /* The device sets its wish, then looks at idx; we the other way round. */
    vt_virtio_barrier();
    if (q->event_index) {
        return vt_virtio_event_passed(VT_LOAD(*q->at.split.avail_event), now, before);
    }
    return (VT_LOAD(q->at.split.used->flags) & VT_SPLIT_USED_NO_NOTIFY) == 0;
}

static bool split_returned(struct vt_virtqueue *q, uint32_t *id, uint32_t *bytes)
{
    const struct vt_split_used *used = q->at.split.used;
    uint16_t n = (uint16_t)(vt_virtio_load_acquire(&used->idx) - q->at.split.used_idx);
    if (n == 0) {
        return false;
    }
    if (n > q->pending) {
        q->fault = "the used index jumped past what is pending";
        return false;
    }
    const struct vt_split_used_elem *e = &used->ring[q->at.split.used_idx & (q->size - 1)];
    *id = VT_LOAD(e->id);
    *bytes = VT_LOAD(e->bytes);
    return true;
}

static void split_taken(struct vt_virtqueue *q, uint16_t slot)
{
    uint16_t tail = slot;
    while (q->slots[tail].next != VT_VIRTQUEUE_NONE) {
        tail = q->slots[tail].next;
    }
    vt_virtqueue_give(q, slot, tail);
    q->at.split.used_idx++;
}

static void split_interrupts(struct vt_virtqueue *q)
{
    if (q->event_index) {
        /* Without a wish the event is as far away as can be; when it is passed after all, one
         * interrupt too many is the harm. */
        VT_STORE(*q->at.split.used_event,
                 (uint16_t)(q->at.split.used_idx + (q->wants_interrupts ? 0 : 0x8000)));
    } else {
        VT_STORE(q->at.split.avail->flags, q->wants_interrupts ? 0 : VT_SPLIT_AVAIL_NO_INTERRUPT);
    }
}

static uint32_t split_position(const struct vt_virtqueue *q)
{
    return q->at.split.shown_idx;
}

const struct vt_virtqueue_ring vt_split_ring = {
    .reset = split_reset,
    .add = split_add,
    .publish = split_publish,
    .returned = split_returned,
    .taken = split_taken,
    .interrupts = split_interrupts,
    .position = split_position,
};
