/* gpu/ring_parts.h - what split and packed rings share while they are watched: the commands on
 * their way. Only ring*.c include it.
 */
#ifndef VT_GPU_RING_PARTS_H
#define VT_GPU_RING_PARTS_H

#include "gpu/ring.h"

#include "virtio/layout.h"

struct piece {
    uint64_t address;
    uint32_t bytes;
};

/* A command on its way, under the head (split) or buffer id (packed) that names it. */
struct slot {
    bool active;
    bool unseen; /* it was overwritten before it could be read */
    uint32_t flags;
    uint64_t sequence, submitted_ns, batch;
    uint16_t avail_at;   /* split: its entry in the available ring */
    uint16_t chain;      /* packed: descriptors it takes on the ring */
    uint32_t active_at;  /* in the list of active ones */
    uint64_t request_at; /* where the request and the answer begin, and the indirect table, if */
    uint64_t answer_at;  /* there is one: who shares them uses the memory again */
    uint64_t table_at;
    uint8_t *request;
    uint32_t request_bytes, request_room;
    struct piece *in; /* of the answer */
    uint32_t n_in, in_room;
    uint32_t n_pieces;
};

struct vt_vgpu_ring_watch {
    struct vt_vgpu_ring_config c;
    uint16_t size;
    const uint8_t *desc, *driver, *device; /* in the mapping */
    struct slot *slots;
    uint16_t *active; /* ids of active slots */
    uint32_t n_active;
    size_t kept; /* bytes of all requests' rooms */
    uint64_t batch;
    uint64_t lost, lost_sequence; /* not told yet */
    uint64_t now_ns;
    bool ended;
    uint8_t *answer; /* VT_VGPU_PAYLOAD_MAX */
    struct vt_vgpu_ring_counts counts;

    /* split */
    uint16_t next_avail, next_used; /* packed: positions */
    uint16_t *batch_heads;          /* those of one look, in order */
    uint16_t *last_in_batch;        /* by head */
    /* packed */
    bool avail_wrap, used_wrap;
};

/* Begins a command under `id`; the one that was there has been finished. */
struct slot *slot_begin(struct vt_vgpu_ring_watch *w, uint16_t id);
/* A piece of its memory, in order; out-pieces are copied now. */
void slot_piece(struct vt_vgpu_ring_watch *w, struct slot *s, uint64_t address, uint32_t bytes,
                bool device_writes);
/* A table of descriptors: `follow` its next-links (split) or take all in order (packed). */
void slot_table(struct vt_vgpu_ring_watch *w, struct slot *s, uint64_t address, uint32_t bytes,
                bool follow);
/* Does what was copied look like a request of this queue? */
bool slot_is_request(const struct vt_vgpu_ring_watch *w, const struct slot *s);
/* It had been returned when its copy was complete, and its memory perhaps `reused`. */
void slot_late(struct vt_vgpu_ring_watch *w, struct slot *s, bool reused);
/* Copies the answer of what the device returned with `written` bytes; how many there were. */
uint32_t slot_answer(struct vt_vgpu_ring_watch *w, struct slot *s, uint32_t written);
/* Ends it after that; `reused`: by then its memory may have served another already. */
void slot_complete(struct vt_vgpu_ring_watch *w, struct slot *s, uint32_t written, uint32_t n,
                   bool reused);
/* It ends without an answer that we have; `flags` says how. */
void slot_unanswered(struct vt_vgpu_ring_watch *w, struct slot *s, uint32_t flags);
/* The one that has been on its way longest; there is one. */
struct slot *slot_oldest(struct vt_vgpu_ring_watch *w);
/* Commands that went by unseen, from `sequence` on. */
void count_lost(struct vt_vgpu_ring_watch *w, uint64_t sequence, uint64_t n);

static inline uint16_t load_u16(const uint8_t *at)
{
    return __atomic_load_n((const uint16_t *)(const void *)at, __ATOMIC_ACQUIRE);
}

enum vt_vgpu_poll poll_split(struct vt_vgpu_ring_watch *w);
enum vt_vgpu_poll poll_packed(struct vt_vgpu_ring_watch *w);
void start_packed(struct vt_vgpu_ring_watch *w, const struct vt_vgpu_ring *ring);

#endif
