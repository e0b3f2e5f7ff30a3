/* gpu/device_queue.c - see device_queue.h.
 *
 * Memory order (2.7.13, 2.7.8): the driver releases avail.idx after its entries, we acquire it; we
 * release used.idx after ours. Asking for notifications and then looking once more needs a full
 * barrier between a store and a load, on both sides.
 */
#include "gpu/device_queue.h"

#include "virtio/barrier.h"

#include <string.h>

static int broken(struct vt_device_queue *q, const char *fault)
{
    q->fault = fault;
    return -1;
}

void vt_device_queue_start(struct vt_device_queue *q, uint16_t next)
{
    q->next = next;
    q->returned = q->used != NULL ? __atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE) : next;
    q->told_valid = false;
    q->fault = NULL;
}

static uint16_t available(const struct vt_device_queue *q)
{
    return __atomic_load_n(&q->avail->idx, __ATOMIC_ACQUIRE);
}

/* The 16 bits behind a ring: what the other side wants to hear of. */
static uint16_t used_event(const struct vt_device_queue *q)
{
    return __atomic_load_n(&q->avail->ring[q->size], __ATOMIC_RELAXED);
}

static void ask(struct vt_device_queue *q, uint16_t at)
{
    if (q->event_index) {
        uint16_t *event =
            (uint16_t *)(void *)((uint8_t *)q->used + vt_split_avail_event_at(q->size));
        __atomic_store_n(event, at, __ATOMIC_RELAXED);
    } else {
        __atomic_store_n(&q->used->flags, 0, __ATOMIC_RELAXED);
    }
    vt_virtio_barrier();
}

static int add_piece(struct vt_device_queue *q, struct vt_device_buffer *b,
                     const struct vt_split_desc *d)
{
    unsigned n = b->n_out + b->n_in;
    if (n == VT_DEVICE_PIECES_MAX) {
        return broken(q, "a buffer of too many pieces");
    }
    if (d->address > UINT64_MAX - d->bytes) {
        return broken(q, "a piece that wraps around the address space");
    }
    b->pieces[n] = (struct vt_device_piece){d->address, d->bytes};
    if ((d->flags & VT_DESC_WRITE) != 0) {
        b->n_in++;
        b->in_bytes += d->bytes;
    } else if (b->n_in > 0) {
        return broken(q, "a piece to be read behind one to be written");
    } else {
        b->n_out++;
        b->out_bytes += d->bytes;
    }
    return 0;
}

/* A table of descriptors in memory that may be anywhere, in pieces, and change. */
static int take_table(struct vt_device_queue *q, const struct vt_guest_memory *m,
                      const struct vt_split_desc *table, struct vt_device_buffer *b)
{
    uint32_t n = table->bytes / (uint32_t)sizeof(struct vt_split_desc);
    if (n == 0 || table->bytes % sizeof(struct vt_split_desc) != 0 || n > UINT16_MAX + 1u) {
        return broken(q, "an indirect table of a wrong size");
    }
    uint32_t at = 0;
    for (uint32_t steps = 0; steps < n; steps++) {
        struct vt_split_desc d;
        if (!vt_guest_memory_read(m, table->address + at * sizeof d, &d, sizeof d)) {
            return broken(q, "an indirect table outside of memory");
        }
        if ((d.flags & VT_DESC_INDIRECT) != 0) {
            return broken(q, "an indirect table within another");
        }
        if (add_piece(q, b, &d) != 0) {
            return -1;
        }
        if ((d.flags & VT_DESC_NEXT) == 0) {
            return 0;
        }
        if (d.next >= n) {
            return broken(q, "a descriptor that leads out of its table");
        }
        at = d.next;
    }
    return broken(q, "descriptors in a circle");
}

static int take_chain(struct vt_device_queue *q, const struct vt_guest_memory *m,
                      struct vt_device_buffer *b)
{
    uint16_t at = b->head;
    for (unsigned steps = 0; steps < q->size; steps++) {
        struct vt_split_desc d;
        memcpy(&d, &q->desc[at], sizeof d); /* once: it is the guest's */
        if ((d.flags & VT_DESC_INDIRECT) != 0) {
            if ((d.flags & VT_DESC_NEXT) != 0) {
                return broken(q, "an indirect table that goes on");
            }
            return take_table(q, m, &d, b);
        }
        if (add_piece(q, b, &d) != 0) {
            return -1;
        }
        if ((d.flags & VT_DESC_NEXT) == 0) {
            return 0;
        }
        if (d.next >= q->size) {
            return broken(q, "a descriptor that leads out of the queue");
        }
        at = d.next;
    }
    return broken(q, "descriptors in a circle");
}

int vt_device_queue_take(struct vt_device_queue *q, const struct vt_guest_memory *m,
                         struct vt_device_buffer *buffer)
{
    if (q->fault != NULL || q->desc == NULL) {
        return -1;
    }
    uint16_t ready = (uint16_t)(available(q) - q->next);
    if (ready == 0) {
        ask(q, q->next);
        ready = (uint16_t)(available(q) - q->next);
        if (ready == 0) {
            return 0;
        }
    }
    if (ready > q->size) {
        return broken(q, "more made available than the queue has");
    }
    if (q->taken >= q->size) {
        return broken(q, "more buffers on their way than the queue has");
    }
    buffer->head = __atomic_load_n(&q->avail->ring[q->next & (q->size - 1u)], __ATOMIC_RELAXED);
    buffer->n_out = buffer->n_in = 0;
    buffer->out_bytes = buffer->in_bytes = 0;
    if (buffer->head >= q->size) {
        return broken(q, "a head that leads out of the queue");
    }
    if (take_chain(q, m, buffer) != 0) {
        return -1;
    }
    q->next++;
    q->taken++;
    return 1;
}

void vt_device_queue_give(struct vt_device_queue *q, uint16_t head, uint32_t bytes)
{
    q->taken -= q->taken > 0;
    if (q->used == NULL || q->fault != NULL) {
        return;
    }
    q->used->ring[q->returned & (q->size - 1u)] = (struct vt_split_used_elem){head, bytes};
    q->returned++;
    __atomic_store_n(&q->used->idx, q->returned, __ATOMIC_RELEASE);
}

bool vt_device_queue_interrupts(struct vt_device_queue *q)
{
    if (q->used == NULL || q->fault != NULL) {
        return false;
    }
    vt_virtio_barrier();
    uint16_t before = q->told;
    bool first = !q->told_valid;
    if (!first && before == q->returned) {
        return false;
    }
    q->told = q->returned;
    q->told_valid = true;
    if (!q->event_index) {
        return (__atomic_load_n(&q->avail->flags, __ATOMIC_RELAXED) &
                VT_SPLIT_AVAIL_NO_INTERRUPT) == 0;
    }
    return first || vt_virtio_event_passed(used_event(q), q->returned, before);
}
