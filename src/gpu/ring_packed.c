/* gpu/ring_packed.c - watching a packed ring (virtio 1.3, 2.8). See ring.h.
 *
 * Driver and device write into the same descriptors, so a buffer that was returned before it was
 * seen has left nothing but its id and length: it is lost, and taken for one descriptor long, as it
 * is with indirect tables. If that was wrong the positions stop to fit and QEMU has to be asked.
 */
#include "gpu/ring_parts.h"

#include <string.h>

static const uint8_t *desc_at(const struct vt_vgpu_ring_watch *w, unsigned position)
{
    return w->desc + sizeof(struct vt_packed_desc) * position;
}

static uint16_t flags_at(const struct vt_vgpu_ring_watch *w, unsigned position)
{
    return load_u16(desc_at(w, position) + offsetof(struct vt_packed_desc, flags));
}

static void advance(const struct vt_vgpu_ring_watch *w, uint16_t *position, bool *wrap, unsigned by)
{
    unsigned p = *position + by;
    if (p >= w->size) {
        p -= w->size;
        *wrap = !*wrap;
    }
    *position = (uint16_t)p;
}

/* The wrap counter is not told. The descriptor before a position was written in this lap, or,
 * before the first one, in the last; all zeros before the first lap. */
void start_packed(struct vt_vgpu_ring_watch *w, const struct vt_vgpu_ring *ring)
{
    uint16_t at = ring->returned < w->size ? ring->returned : 0;
    bool before = (flags_at(w, at > 0 ? at - 1u : w->size - 1u) & VT_PACKED_AVAIL) != 0;
    w->next_avail = w->next_used = at;
    w->avail_wrap = w->used_wrap = at > 0 ? before : !before;
}

/* A buffer made available at next_avail; false: it makes no sense. */
static bool capture(struct vt_vgpu_ring_watch *w)
{
    /* Its id stands in the last descriptor, so look for that first. */
    struct vt_packed_desc d;
    unsigned chain = 0;
    unsigned at = w->next_avail;
    do {
        memcpy(&d, desc_at(w, at), sizeof d);
        chain++;
        at = at + 1 < w->size ? at + 1 : 0;
    } while ((d.flags & VT_DESC_NEXT) != 0 && chain < w->size);
    if (d.id >= w->size || (d.flags & VT_DESC_NEXT) != 0) {
        w->counts.faults++;
        return false;
    }
    if (w->slots[d.id].active) {
        w->counts.faults++;
        slot_unanswered(w, &w->slots[d.id], VT_VGPU_NO_RESPONSE);
    }
    struct slot *s = slot_begin(w, d.id);
    s->chain = (uint16_t)chain;
    at = w->next_avail;
    for (unsigned i = 0; i < chain; i++) {
        memcpy(&d, desc_at(w, at), sizeof d);
        if ((d.flags & VT_DESC_INDIRECT) != 0) {
            slot_table(w, s, d.address, d.bytes, false);
        } else {
            slot_piece(w, s, d.address, d.bytes, (d.flags & VT_DESC_WRITE) != 0);
        }
        at = at + 1 < w->size ? at + 1 : 0;
    }
    /* The copies come before this load. */
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    bool used = (flags_at(w, w->next_avail) & VT_PACKED_USED) != 0;
    if (used == w->avail_wrap) {
        slot_late(w, s, false);
    }
    advance(w, &w->next_avail, &w->avail_wrap, chain);
    return true;
}

/* Takes what was returned of the buffers that were seen. */
static bool drain(struct vt_vgpu_ring_watch *w, bool *moved)
{
    while (w->n_active > 0 && !w->ended) {
        uint16_t flags = flags_at(w, w->next_used);
        bool avail = (flags & VT_PACKED_AVAIL) != 0;
        bool used = (flags & VT_PACKED_USED) != 0;
        if (avail != w->used_wrap || used != w->used_wrap) {
            return true;
        }
        struct vt_packed_desc d;
        memcpy(&d, desc_at(w, w->next_used), sizeof d);
        if (d.id >= w->size || !w->slots[d.id].active) {
            w->counts.faults++;
            return false;
        }
        struct slot *s = &w->slots[d.id];
        unsigned chain = s->chain;
        slot_complete(w, s, d.bytes, slot_answer(w, s, d.bytes), false);
        advance(w, &w->next_used, &w->used_wrap, chain);
        *moved = true;
    }
    return true;
}

enum vt_vgpu_poll poll_packed(struct vt_vgpu_ring_watch *w)
{
    bool moved = false;
    for (unsigned steps = 0; steps < w->size && !w->ended; steps++) {
        uint16_t flags = flags_at(w, w->next_avail);
        bool avail = (flags & VT_PACKED_AVAIL) != 0;
        bool used = (flags & VT_PACKED_USED) != 0;
        if (!drain(w, &moved)) {
            return VT_VGPU_JUMPED;
        }
        if (avail != w->avail_wrap) {
            break;
        }
        moved = true;
        if (used != w->avail_wrap) {
            if (!capture(w)) {
                return VT_VGPU_JUMPED;
            }
        } else if (w->n_active == 0) {
            count_lost(w, (*w->c.sequence)++, 1);
            advance(w, &w->next_avail, &w->avail_wrap, 1);
            w->next_used = w->next_avail;
            w->used_wrap = w->avail_wrap;
        } else {
            return VT_VGPU_JUMPED;
        }
    }
    if (!drain(w, &moved)) {
        return VT_VGPU_JUMPED;
    }
    return moved ? VT_VGPU_MOVED : VT_VGPU_QUIET;
}
