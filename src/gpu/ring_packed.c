/* gpu/ring_packed.c - watching a packed ring (virtio 1.3, 2.8). See ring.h.
 *
 * Driver and device write into the same descriptors, so of a buffer that was returned before it was
 * seen little is left. It is taken for one descriptor long, as it is with indirect tables; if that
 * was wrong the positions stop to fit and QEMU has to be asked.
 */
#include "gpu/ring_parts.h"

#include "virtio/barrier.h"
#include "virtio/gpu/protocol/update_cursor.h"

#include <string.h>

/* Entries of a table whose length is not known that are looked at. */
#define TABLE_GUESS 8u

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
    vt_virtio_barrier_acquire();
    bool used = (flags_at(w, w->next_avail) & VT_PACKED_USED) != 0;
    if (used == w->avail_wrap) {
        slot_late(w, s, false);
    }
    advance(w, &w->next_avail, &w->avail_wrap, chain);
    return true;
}

/* Does a descriptor written after the one at next_avail lead to the same memory? */
static bool leads_there_again(const struct vt_vgpu_ring_watch *w, uint64_t address)
{
    uint16_t at = w->next_avail;
    bool wrap = w->avail_wrap;
    for (unsigned i = 1; i < w->size; i++) {
        struct vt_packed_desc d;
        advance(w, &at, &wrap, 1);
        if (((flags_at(w, at) & VT_PACKED_AVAIL) != 0) != wrap) {
            return false;
        }
        memcpy(&d, desc_at(w, at), sizeof d);
        if (d.address == address) {
            return true;
        }
    }
    return false;
}

/* Reads a table whose length is not known until it makes a request; what follows is the answer's.
 */
static bool guess_table(struct vt_vgpu_ring_watch *w, struct slot *s, uint64_t address)
{
    struct vt_packed_desc table[TABLE_GUESS];
    unsigned n = 0;
    bool whole = false;
    if (vt_ram_read(w->c.ram, VT_GPA(address), table, sizeof table, NULL) != 0) {
        return false;
    }
    s->table_at = address;
    while (!whole && n < TABLE_GUESS && (table[n].flags & ~VT_DESC_NEXT) == 0 &&
           (s->flags & VT_VGPU_CUT) == 0) {
        slot_piece(w, s, table[n].address, table[n].bytes, false);
        n++;
        whole = slot_is_request(w, s);
    }
    if (whole && n < TABLE_GUESS && (table[n].flags & ~VT_DESC_NEXT) == VT_DESC_WRITE) {
        slot_piece(w, s, table[n].address, table[n].bytes, true);
    }
    return whole;
}

/* A buffer that was returned before it was seen, at next_avail. A device writes only id, length and
 * flags there, so the address may still lead to a table of descriptors, or to a cursor's command,
 * which has no answer. */
static void returned_unseen(struct vt_vgpu_ring_watch *w)
{
    struct vt_packed_desc d;
    memcpy(&d, desc_at(w, w->next_avail), sizeof d);
    if (d.id >= w->size) {
        w->counts.faults++;
        count_lost(w, (*w->c.sequence)++, 1);
        return;
    }
    struct slot *s = slot_begin(w, d.id);
    bool found = guess_table(w, s, d.address);
    if (!found && w->c.queue == VT_VGPU_CURSOR_QUEUE) {
        s->request_bytes = 0;
        s->flags = VT_VGPU_TIMES_ARE_BOUNDS;
        slot_piece(w, s, d.address, sizeof(struct vt_vgpu_update_cursor), false);
        found = slot_is_request(w, s);
    }
    vt_virtio_barrier_acquire(); /* the copies come before looking for newer ones */
    s->unseen = !found || leads_there_again(w, d.address);
    if (!s->unseen) {
        slot_late(w, s, false);
    }
    slot_complete(w, s, d.bytes, slot_answer(w, s, d.bytes), false);
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
            returned_unseen(w);
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
