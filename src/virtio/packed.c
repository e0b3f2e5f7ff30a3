/* virtio/packed.c - the packed ring (2.8): one ring of descriptors that both sides write.
 *
 * A batch becomes visible at once: the flags of its first descriptor are held back until
 * publish, and the device goes no further than a descriptor that is not available.
 */
#include "virtio/barrier.h"
#include "virtio/queue.h"

#include <string.h>

static void packed_reset(struct vt_virtqueue *q)
{
    memset(q->at.packed.desc, 0, sizeof *q->at.packed.desc * q->size);
    memset(q->at.packed.device, 0, sizeof *q->at.packed.device);
    q->at.packed.next = q->at.packed.used = q->at.packed.fresh = 0;
    q->at.packed.next_wrap = q->at.packed.used_wrap = 1;
}

/** Puts a descriptor at the next place. */
static void put(struct vt_virtqueue *q, uint64_t address, uint32_t bytes, uint16_t id,
                unsigned flags)
{
    uint16_t at = q->at.packed.next;
    flags |= q->at.packed.next_wrap ? VT_PACKED_AVAIL : VT_PACKED_USED;
    struct vt_packed_desc *desc = &q->at.packed.desc[at];
    desc->address = address;
    desc->bytes = bytes;
    desc->id = id;
    if (q->at.packed.fresh == 0) {
        q->at.packed.held = at;
        q->at.packed.held_flags = (uint16_t)flags;
    } else {
        VT_STORE(desc->flags, (uint16_t)flags);
    }
    q->at.packed.fresh++;
    if (++q->at.packed.next == q->size) {
        q->at.packed.next = 0;
        q->at.packed.next_wrap ^= 1;
    }
}

static uint16_t packed_add(struct vt_virtqueue *q, const struct vt_virtio_piece *pieces,
                           unsigned n_out, unsigned n)
{
    uint16_t id = q->free;
    q->free = q->slots[id].next;
    if (n > 1 && q->tables != NULL) {
        size_t first = (size_t)id * q->max_pieces;
        struct vt_packed_desc *table = (struct vt_packed_desc *)q->tables + first;
        for (unsigned i = 0; i < n; i++) {
            table[i] = (struct vt_packed_desc){
                .address = pieces[i].device,
                .bytes = pieces[i].bytes,
                .flags = i >= n_out ? VT_DESC_WRITE : 0,
            };
        }
        put(q, q->tables_device + first * sizeof *table, (uint32_t)(n * sizeof *table), id,
            VT_DESC_INDIRECT);
    } else {
        for (unsigned i = 0; i < n; i++) {
            put(q, pieces[i].device, pieces[i].bytes, id,
                (i >= n_out ? VT_DESC_WRITE : 0) | (i + 1 < n ? VT_DESC_NEXT : 0));
        }
    }
    return id;
}

static bool packed_publish(struct vt_virtqueue *q)
{
    uint16_t fresh = q->at.packed.fresh, now = q->at.packed.next;
    q->at.packed.fresh = 0;
    vt_virtio_store_release(&q->at.packed.desc[q->at.packed.held].flags, q->at.packed.held_flags);
    vt_virtio_barrier(); /* as in the split ring */
    uint16_t flags = vt_virtio_load_acquire(&q->at.packed.device->flags) & 3;
    if (!q->event_index || flags != VT_PACKED_EVENT_AT) {
        return flags != VT_PACKED_EVENT_OFF;
    }
    uint16_t where = VT_LOAD(q->at.packed.device->where);
    uint16_t event = where & (VT_PACKED_WRAP - 1);
    if ((where >> 15) != q->at.packed.next_wrap) {
        event = (uint16_t)(event - q->size); /* in the round before `now`'s */
    }
    return vt_virtio_event_passed(event, now, (uint16_t)(now - fresh));
}

static bool packed_returned(struct vt_virtqueue *q, uint32_t *id, uint32_t *bytes)
{
    const struct vt_packed_desc *desc = &q->at.packed.desc[q->at.packed.used];
    uint16_t flags = vt_virtio_load_acquire(&desc->flags);
    bool avail = (flags & VT_PACKED_AVAIL) != 0, used = (flags & VT_PACKED_USED) != 0;
    if (avail != used || used != (q->at.packed.used_wrap != 0)) {
        return false;
    }
    *id = VT_LOAD(desc->id);
    *bytes = VT_LOAD(desc->bytes);
    return true;
}

static void packed_taken(struct vt_virtqueue *q, uint16_t slot)
{
    vt_virtqueue_give(q, slot, slot);
    uint32_t used = (uint32_t)q->at.packed.used + q->slots[slot].entries;
    if (used >= q->size) {
        used -= q->size;
        q->at.packed.used_wrap ^= 1;
    }
    q->at.packed.used = (uint16_t)used;
}

static void packed_interrupts(struct vt_virtqueue *q)
{
    struct vt_packed_event *event = q->at.packed.driver;
    if (!q->wants_interrupts) {
        VT_STORE(event->flags, VT_PACKED_EVENT_OFF);
    } else if (!q->event_index) {
        VT_STORE(event->flags, VT_PACKED_EVENT_ON);
    } else {
        VT_STORE(event->where, (uint16_t)(q->at.packed.used | q->at.packed.used_wrap << 15));
        vt_virtio_store_release(&event->flags, VT_PACKED_EVENT_AT);
    }
}

static uint32_t packed_position(const struct vt_virtqueue *q)
{
    return (uint32_t)q->at.packed.next | (uint32_t)q->at.packed.next_wrap << 15;
}

const struct vt_virtqueue_ring vt_packed_ring = {
    .reset = packed_reset,
    .add = packed_add,
    .publish = packed_publish,
    .returned = packed_returned,
    .taken = packed_taken,
    .interrupts = packed_interrupts,
    .position = packed_position,
};
