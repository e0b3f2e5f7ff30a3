/* gpu/ring_split.c - watching a split ring (virtio 1.3, 2.7). See ring.h.
 *
 * The driver's index is loaded before the device's: a head that is made available again had been
 * returned before, so its return is always there to be found. Acquire loads pair with the writers'
 * barriers between an entry and its index.
 */
#include "gpu/ring_parts.h"

#include "virtio/barrier.h"

#include <string.h>

/* Commands that may go by between two looks; an index that is farther began anew, rather. */
#define LEAP_MAX 0x2000

static uint16_t avail_idx(const struct vt_vgpu_ring_watch *w)
{
    return load_u16(w->driver + offsetof(struct vt_split_avail, idx));
}

static uint16_t used_idx(const struct vt_vgpu_ring_watch *w)
{
    return load_u16(w->device + offsetof(struct vt_split_used, idx));
}

static uint16_t avail_head(const struct vt_vgpu_ring_watch *w, uint16_t at)
{
    return load_u16(w->driver + offsetof(struct vt_split_avail, ring) +
                    sizeof(uint16_t) * (at & (w->size - 1u)));
}

static struct vt_split_used_elem used_elem(const struct vt_vgpu_ring_watch *w, uint16_t at)
{
    struct vt_split_used_elem e;
    memcpy(&e, w->device + offsetof(struct vt_split_used, ring) + sizeof e * (at & (w->size - 1u)),
           sizeof e);
    return e;
}

/* Was the head of a command made available again since? Then its memory may be another's. */
static bool again(const struct vt_vgpu_ring_watch *w, const struct slot *s)
{
    uint16_t head = (uint16_t)(s - w->slots);
    uint16_t n = (uint16_t)(avail_idx(w) - s->avail_at - 1);
    for (uint16_t i = 0; i < n && i < w->size; i++) {
        if (avail_head(w, (uint16_t)(s->avail_at + 1 + i)) == head) {
            return true;
        }
    }
    return n > w->size;
}

static void capture(struct vt_vgpu_ring_watch *w, struct slot *s, uint16_t head)
{
    uint16_t at = head;
    for (unsigned steps = 0; steps < w->size; steps++) {
        struct vt_split_desc d;
        memcpy(&d, w->desc + sizeof d * at, sizeof d);
        if ((d.flags & VT_DESC_INDIRECT) != 0) {
            slot_table(w, s, d.address, d.bytes, true);
        } else {
            slot_piece(w, s, d.address, d.bytes, (d.flags & VT_DESC_WRITE) != 0);
        }
        if ((d.flags & VT_DESC_NEXT) == 0) {
            return;
        }
        at = d.next;
        if (at >= w->size) {
            break;
        }
    }
    s->flags |= VT_VGPU_CUT; /* out of the ring, or in a circle */
    w->counts.faults++;
}

/* Takes what was returned, up to `used`, or until `until` (if any) was. */
static void drain(struct vt_vgpu_ring_watch *w, uint16_t used, const struct slot *until)
{
    while (w->next_used != used && !w->ended) {
        struct vt_split_used_elem e = used_elem(w, w->next_used++);
        if (e.id >= w->size) {
            w->counts.faults++;
            continue;
        }
        struct slot *s = &w->slots[e.id];
        if (!s->active) {
            if (avail_idx(w) != w->next_avail) {
                w->next_used--; /* made available since; the next look sees it first */
                return;
            }
            count_lost(w, *w->c.sequence, 1); /* before we looked, or never */
            continue;
        }
        if (s->batch == w->batch && !s->unseen) { /* it may have been before it was copied */
            slot_late(w, s, again(w, s));
        }
        uint32_t n = slot_answer(w, s, e.bytes);
        slot_complete(w, s, e.bytes, n, again(w, s));
        if (s == until) {
            return;
        }
    }
}

/* Where more than a ring's worth went by, what its rings still hold is gone on with and the rest is
 * lost. False: the indices do not fit each other, or ran backwards. Devices that return buffers in
 * another order are thought to have kept it here. */
static bool keep_up(struct vt_vgpu_ring_watch *w, uint16_t avail, uint16_t used)
{
    uint16_t n = (uint16_t)(avail - w->next_avail);
    uint16_t returned = (uint16_t)(used - w->next_used);
    if (n <= w->size && returned <= w->size) {
        return true;
    }
    if (n > LEAP_MAX || returned > LEAP_MAX || (uint16_t)(avail_idx(w) - used) > w->size) {
        return false;
    }
    uint16_t unseen = n > w->size ? (uint16_t)(n - w->size) : 0;
    uint16_t gone =
        unseen > 0 ? (uint16_t)(avail - w->size - w->next_used) : (uint16_t)(returned - w->size);
    /* Those on their way whose return was overwritten; `gone` counts the unseen ones, too. */
    for (uint16_t i = 0; i < gone && w->n_active > 0; i++) {
        slot_unanswered(w, slot_oldest(w), VT_VGPU_STALE_RESPONSE);
    }
    w->next_used = (uint16_t)(w->next_used + gone);
    if (unseen > 0) {
        count_lost(w, *w->c.sequence, unseen);
        *w->c.sequence += unseen;
        w->next_avail = (uint16_t)(w->next_avail + unseen);
    }
    return true;
}

enum vt_vgpu_poll poll_split(struct vt_vgpu_ring_watch *w)
{
    uint16_t avail = avail_idx(w);
    uint16_t used = used_idx(w);
    if (!keep_up(w, avail, used)) {
        return VT_VGPU_JUMPED;
    }
    uint16_t n = (uint16_t)(avail - w->next_avail);
    if (n == 0 && used == w->next_used) {
        return VT_VGPU_QUIET;
    }
    uint16_t start = w->next_avail;
    for (uint16_t i = 0; i < n; i++) {
        uint16_t head = avail_head(w, (uint16_t)(start + i));
        w->batch_heads[i] = head;
        if (head < w->size) {
            w->last_in_batch[head] = i;
        }
    }
    if ((uint16_t)(avail_idx(w) - start) > w->size) {
        return VT_VGPU_MOVED; /* those were overwritten while they were read */
    }
    for (uint16_t i = 0; i < n; i++) {
        uint16_t head = w->batch_heads[i];
        w->next_avail = (uint16_t)(start + i);
        if (head >= w->size) {
            w->counts.faults++;
            count_lost(w, (*w->c.sequence)++, 1);
            continue;
        }
        struct slot *s = &w->slots[head];
        if (s->active) {
            uint16_t returned = used_idx(w);
            if ((uint16_t)(returned - w->next_used) > w->size) {
                return VT_VGPU_MOVED; /* overtaken meanwhile: the next look keeps up */
            }
            drain(w, returned, s);
        }
        if (s->active) { /* nobody returned it: a driver that breaks the rules */
            w->counts.faults++;
            slot_unanswered(w, s, VT_VGPU_NO_RESPONSE);
        }
        slot_begin(w, head);
        s->avail_at = (uint16_t)(start + i);
        s->unseen = w->last_in_batch[head] != i;
        if (!s->unseen) {
            capture(w, s, head);
        }
    }
    w->next_avail = avail;
    /* The copies come before this load: what it does not show as returned was ours to read. */
    vt_virtio_barrier_acquire();
    used = used_idx(w);
    if ((uint16_t)(used - w->next_used) <= w->size) { /* else overtaken: the next look keeps up */
        drain(w, used, NULL);
    }
    return VT_VGPU_MOVED;
}
