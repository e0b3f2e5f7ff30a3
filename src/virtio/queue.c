/* virtio/queue.c - a virtqueue, whichever its ring: buffers on their way, and what may come back.
 *
 * What a device returns is believed only if it names a buffer that was published and is pending,
 * with no more bytes than that buffer had room for. The first broken rule ends the queue.
 */
#include "virtio/queue.h"
#include "virtio/barrier.h"
#include "virtio/transport.h"

#include <string.h>

static bool is_power_of_two(uint16_t n)
{
    return n != 0 && (n & (n - 1)) == 0;
}

static bool config_is_good(const struct vt_virtqueue_config *config)
{
    bool packed = (config->features & VT_VIRTIO_F_RING_PACKED) != 0;
    /* In-order devices may pass returns over; who negotiates that has to know what was passed. */
    return config->size > 0 && config->size <= VT_SPLIT_SIZE_MAX &&
           (packed || is_power_of_two(config->size)) && config->max_pieces > 0 &&
           config->max_pieces <= VT_VIRTQUEUE_PIECES_MAX && config->max_pieces <= config->size &&
           (config->features & VT_VIRTIO_F_IN_ORDER) == 0;
}

static int take_areas(struct vt_virtqueue *q, struct vt_virtio_arena *arena)
{
    uint16_t n = q->size;
    void *desc, *driver, *device;
    if (q->ring == &vt_split_ring) {
        desc = vt_virtio_arena_take(arena, vt_split_desc_bytes(n), VT_SPLIT_DESC_ALIGNMENT,
                                    &q->desc_device);
        driver = vt_virtio_arena_take(arena, vt_split_avail_bytes(n), VT_SPLIT_AVAIL_ALIGNMENT,
                                      &q->driver_device);
        device = vt_virtio_arena_take(arena, vt_split_used_bytes(n), VT_SPLIT_USED_ALIGNMENT,
                                      &q->device_device);
    } else {
        desc = vt_virtio_arena_take(arena, sizeof(struct vt_packed_desc) * n,
                                    VT_PACKED_DESC_ALIGNMENT, &q->desc_device);
        driver = vt_virtio_arena_take(arena, sizeof(struct vt_packed_event),
                                      VT_PACKED_EVENT_ALIGNMENT, &q->driver_device);
        device = vt_virtio_arena_take(arena, sizeof(struct vt_packed_event),
                                      VT_PACKED_EVENT_ALIGNMENT, &q->device_device);
    }
    if (desc == NULL || driver == NULL || device == NULL) {
        return VT_VIRTIO_E_NOMEM;
    }
    if (q->ring == &vt_split_ring) {
        q->at.split.desc = desc;
        q->at.split.avail = driver;
        q->at.split.used = device;
        q->at.split.used_event = (void *)((char *)driver + vt_split_used_event_at(n));
        q->at.split.avail_event = (void *)((char *)device + vt_split_avail_event_at(n));
    } else {
        q->at.packed.desc = desc;
        q->at.packed.driver = driver;
        q->at.packed.device = device;
    }
    return VT_VIRTIO_OK;
}

int vt_virtqueue_create(const struct vt_virtqueue_config *config, struct vt_virtio_arena *arena,
                        struct vt_virtqueue **queue)
{
    if (!config_is_good(config)) {
        return VT_VIRTIO_E_INVAL;
    }
    struct vt_virtio_arena before = *arena;
    struct vt_virtqueue *q =
        vt_virtio_arena_take(arena, sizeof *q, _Alignof(struct vt_virtqueue), NULL);
    int rc = VT_VIRTIO_E_NOMEM;
    if (q != NULL) {
        q->ring = config->features & VT_VIRTIO_F_RING_PACKED ? &vt_packed_ring : &vt_split_ring;
        q->index = config->index;
        q->size = config->size;
        q->max_pieces = config->max_pieces;
        q->event_index = (config->features & VT_VIRTIO_F_EVENT_IDX) != 0;
        q->slots = vt_virtio_arena_take(arena, sizeof *q->slots * q->size,
                                        _Alignof(struct vt_virtqueue_slot), NULL);
        bool tables = config->max_pieces > 1 && (config->features & VT_VIRTIO_F_INDIRECT_DESC) != 0;
        if (tables) {
            q->tables =
                vt_virtio_arena_take(arena, vt_split_desc_bytes(1) * q->max_pieces * q->size,
                                     VT_SPLIT_DESC_ALIGNMENT, &q->tables_device);
        }
        if (q->slots != NULL && (!tables || q->tables != NULL)) {
            rc = take_areas(q, arena);
        }
    }
    if (rc != VT_VIRTIO_OK) {
        *arena = before;
        return rc;
    }
    vt_virtqueue_reset(q);
    *queue = q;
    return VT_VIRTIO_OK;
}

void vt_virtqueue_reset(struct vt_virtqueue *q)
{
    q->fault = NULL;
    q->free = 0;
    q->free_last = (uint16_t)(q->size - 1);
    q->free_entries = q->size;
    q->pending = 0;
    q->oldest = q->newest = VT_VIRTQUEUE_NONE;
    q->added = q->published = 0;
    q->wants_interrupts = false;
    for (uint16_t i = 0; i < q->size; i++) {
        q->slots[i] = (struct vt_virtqueue_slot){.next = i + 1 < q->size ? (uint16_t)(i + 1)
                                                                         : VT_VIRTQUEUE_NONE};
    }
    q->ring->reset(q);
    q->ring->interrupts(q);
}

void vt_virtqueue_addresses(const struct vt_virtqueue *q, uint64_t *desc, uint64_t *driver,
                            uint64_t *device)
{
    *desc = q->desc_device;
    *driver = q->driver_device;
    *device = q->device_device;
}

uint16_t vt_virtqueue_index(const struct vt_virtqueue *q)
{
    return q->index;
}

uint16_t vt_virtqueue_size(const struct vt_virtqueue *q)
{
    return q->size;
}

uint16_t vt_virtqueue_pending(const struct vt_virtqueue *q)
{
    return q->pending;
}

void vt_virtqueue_set_notify_address(struct vt_virtqueue *q, uint64_t address)
{
    q->notify_address = address;
}

uint64_t vt_virtqueue_notify_address(const struct vt_virtqueue *q)
{
    return q->notify_address;
}

uint32_t vt_virtqueue_notification(const struct vt_virtqueue *q)
{
    return q->ring->position(q) << 16 | q->index;
}

const char *vt_virtqueue_fault(const struct vt_virtqueue *q)
{
    return q->fault;
}

void vt_virtqueue_give(struct vt_virtqueue *q, uint16_t first, uint16_t last)
{
    q->slots[last].next = VT_VIRTQUEUE_NONE;
    if (q->free == VT_VIRTQUEUE_NONE) {
        q->free = first;
    } else {
        q->slots[q->free_last].next = first;
    }
    q->free_last = last;
}

/* ---------------------------------------------------------------- out */

/** Are they pieces, and no more than 2^32 bytes in all (2.7.5.2)? */
static bool pieces_are_good(const struct vt_virtio_piece *pieces, unsigned n_out, unsigned n,
                            uint64_t *writable)
{
    uint64_t bytes = 0, in = 0;
    for (unsigned i = 0; i < n; i++) {
        if (pieces[i].bytes == 0 || pieces[i].device + pieces[i].bytes < pieces[i].device) {
            return false;
        }
        bytes += pieces[i].bytes;
        in += i >= n_out ? pieces[i].bytes : 0;
    }
    *writable = in;
    return bytes <= (uint64_t)1 << 32;
}

static void append(struct vt_virtqueue *q, uint16_t slot)
{
    struct vt_virtqueue_slot *s = &q->slots[slot];
    s->older = q->newest;
    s->newer = VT_VIRTQUEUE_NONE;
    if (q->newest != VT_VIRTQUEUE_NONE) {
        q->slots[q->newest].newer = slot;
    } else {
        q->oldest = slot;
    }
    q->newest = slot;
}

int vt_virtqueue_add(struct vt_virtqueue *q, const struct vt_virtio_piece *pieces, unsigned n_out,
                     unsigned n_in, void *token, uint16_t *slot)
{
    if (q->fault != NULL) {
        return VT_VIRTIO_E_NEEDS_RESET;
    }
    uint64_t writable;
    if (n_out > q->max_pieces || n_in > q->max_pieces || n_out + n_in > q->max_pieces ||
        n_out + n_in == 0 || token == NULL ||
        !pieces_are_good(pieces, n_out, n_out + n_in, &writable)) {
        return VT_VIRTIO_E_INVAL;
    }
    unsigned n = n_out + n_in;
    uint16_t entries = n > 1 && q->tables != NULL ? 1 : (uint16_t)n;
    if (entries > q->free_entries) {
        return VT_VIRTIO_E_FULL;
    }
    q->free_entries = (uint16_t)(q->free_entries - entries);
    uint16_t at = q->ring->add(q, pieces, n_out, n);
    struct vt_virtqueue_slot *s = &q->slots[at];
    s->token = token;
    s->writable = writable;
    s->number = q->added++;
    s->entries = entries;
    append(q, at);
    q->pending++;
    if (slot != NULL) {
        *slot = at;
    }
    return VT_VIRTIO_OK;
}

bool vt_virtqueue_publish(struct vt_virtqueue *q)
{
    if (q->fault != NULL || q->published == q->added) {
        return false;
    }
    q->published = q->added;
    return q->ring->publish(q);
}

/* ---------------------------------------------------------------- back */

static int broken(struct vt_virtqueue *q, const char *rule)
{
    q->fault = rule;
    return VT_VIRTIO_E_PROTOCOL;
}

static void unlink_slot(struct vt_virtqueue *q, const struct vt_virtqueue_slot *s)
{
    if (s->older != VT_VIRTQUEUE_NONE) {
        q->slots[s->older].newer = s->newer;
    } else {
        q->oldest = s->newer;
    }
    if (s->newer != VT_VIRTQUEUE_NONE) {
        q->slots[s->newer].older = s->older;
    } else {
        q->newest = s->older;
    }
}

int vt_virtqueue_take(struct vt_virtqueue *q, void **token, uint32_t *written)
{
    if (q->fault != NULL) {
        return VT_VIRTIO_E_PROTOCOL;
    }
    uint32_t id, bytes;
    if (!q->ring->returned(q, &id, &bytes)) {
        return q->fault != NULL ? VT_VIRTIO_E_PROTOCOL : 0;
    }
    if (id >= q->size) {
        return broken(q, "a returned buffer has an id beyond the queue");
    }
    struct vt_virtqueue_slot *s = &q->slots[id];
    if (s->token == NULL) {
        return broken(q, "a buffer was returned that the device does not have");
    }
    if ((int32_t)(s->number - q->published) >= 0) {
        return broken(q, "a buffer was returned before it was published");
    }
    if (bytes > s->writable) {
        return broken(q, "more bytes were written than the buffer holds");
    }
    *token = s->token;
    *written = bytes;
    s->token = NULL;
    unlink_slot(q, s);
    q->pending--;
    q->free_entries = (uint16_t)(q->free_entries + s->entries);
    q->ring->taken(q, (uint16_t)id);
    if (q->event_index && q->wants_interrupts) {
        q->ring->interrupts(q);
    }
    return 1;
}

bool vt_virtqueue_interrupts(struct vt_virtqueue *q, bool wanted)
{
    if (q->fault != NULL) {
        return true;
    }
    q->wants_interrupts = wanted;
    q->ring->interrupts(q);
    /* Ours is seen before theirs is looked at: one of both sides sees the other's. */
    vt_virtio_barrier();
    uint32_t id, bytes;
    return q->ring->returned(q, &id, &bytes) || q->fault != NULL;
}

void vt_virtqueue_each_pending(struct vt_virtqueue *q, void (*fn)(void *token, void *arg),
                               void *arg)
{
    for (uint16_t i = q->oldest; i != VT_VIRTQUEUE_NONE;) {
        uint16_t newer = q->slots[i].newer;
        fn(q->slots[i].token, arg);
        i = newer;
    }
}
