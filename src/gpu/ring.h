/* gpu/ring.h - one queue of any guest's virtio-gpu, read in its RAM while driver and device use it.
 *
 * A request is copied as soon as it is seen available, its answer as soon as the device has
 * returned it. What cannot be proved is said: the ring is looked at again after each copy, and a
 * command that had been returned by then is LATE (and STALE_REQUEST when the copy does not look
 * right or its memory serves a newer one). Answers are always read after the driver may have taken
 * them: one that does not fit its request, or whose memory had been given to a newer command
 * without a fence to tell them apart, is STALE_RESPONSE. What was overwritten is counted as lost.
 *
 * RAM is only read. The guest is hostile: addresses are checked, chains bounded, and what is kept
 * of requests has a budget. One thread. Source: virtio 1.3, 2.7 and 2.8.
 */
#ifndef VT_GPU_RING_H
#define VT_GPU_RING_H

#include "gpu/queues.h"
#include "gpu/record.h"
#include "virtio/gpu/protocol/protocol.h"

/** Pieces of one command that are followed; QEMU takes no more. */
#define VT_VGPU_PIECES_MAX 1024u
/** Bytes kept of all commands on their way; beyond it they are cut. */
#define VT_VGPU_KEPT_MAX ((size_t)64 << 20)

struct vt_vgpu_ring_counts {
    uint64_t commands, late, stale_requests, stale_responses, unanswered, lost;
    uint64_t faults; /**< descriptors and indices that no driver or device may write */
};

struct vt_vgpu_ring_config {
    const struct vt_ram *ram; /**< borrowed */
    struct vt_vgpu_ring ring; /**< as QEMU told it, with its progress */
    enum vt_vgpu_ring_kind kind;
    enum vt_vgpu_queue queue;
    bool history;       /**< begin with what the ring still holds (split rings) */
    uint64_t *sequence; /**< the next number of a command; shared by a device's queues */
    vt_vgpu_seen_fn *fn;
    void *arg;
};

struct vt_vgpu_ring_watch;

/** VT_E_ADDR, VT_E_CORRUPT: the ring lies outside of RAM, or not as rings lie; VT_E_INVAL: there is
 *  none; VT_E_NOMEM. */
int vt_vgpu_ring_watch_create(const struct vt_vgpu_ring_config *config,
                              struct vt_vgpu_ring_watch **watch, struct vt_error *err);
/** Takes NULL. Tells of nothing: vt_vgpu_ring_end first. */
void vt_vgpu_ring_watch_destroy(struct vt_vgpu_ring_watch *watch);

enum vt_vgpu_poll {
    VT_VGPU_QUIET,  /**< nothing new */
    VT_VGPU_MOVED,  /**< something was seen */
    VT_VGPU_JUMPED, /**< an index is where it cannot be: ask QEMU whether the device was reset, then
                       _resync or end it */
    VT_VGPU_ENDED,  /**< `fn` wants no more */
};
/** Looks once; `now_ns` becomes the time of what is seen. */
enum vt_vgpu_poll vt_vgpu_ring_poll(struct vt_vgpu_ring_watch *watch, uint64_t now_ns);
/** Starts anew at the progress QEMU tells: what lies between counts as lost. */
void vt_vgpu_ring_resync(struct vt_vgpu_ring_watch *watch, const struct vt_vgpu_ring *ring,
                         uint64_t now_ns);
/** Tells of everything on its way as not answered: the queue is no more. */
void vt_vgpu_ring_end(struct vt_vgpu_ring_watch *watch, uint64_t now_ns);
/** How far it has been seen: the next buffer to be returned. */
uint16_t vt_vgpu_ring_position(const struct vt_vgpu_ring_watch *watch);
/** Whether what QEMU tells can be the same queue, when it was asked at position `since` or later.
 */
bool vt_vgpu_ring_goes_on(const struct vt_vgpu_ring_watch *watch, const struct vt_vgpu_ring *ring,
                          uint16_t since);
/** Commands seen that the device has not returned. */
unsigned vt_vgpu_ring_in_flight(const struct vt_vgpu_ring_watch *watch);
const struct vt_vgpu_ring_counts *vt_vgpu_ring_counts(const struct vt_vgpu_ring_watch *watch);

#endif
