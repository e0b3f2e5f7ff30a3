/* venus/inside.h - what context.c, run.c, shared.c, ring.c and streams.c know of one another.
 *
 * Locks: context->lock guards the list of rings, the table of shared memory, and everything that is
 * waited for inside of commands (context->changed); it is taken alone or before objects' lock, and
 * never while the host's driver is called.
 */
#ifndef VT_VENUS_INSIDE_H
#define VT_VENUS_INSIDE_H

#include "venus/context.h"
#include "venus/timeline.h"
#include "venus/vn_mesa.h"

#include <stdatomic.h>

/** Rings (threads) of a context. */
#define VT_VENUS_RINGS_MAX 512u
/** Bytes of a ring's buffer: all of it is copied. */
#define VT_VENUS_RING_MAX_BYTES ((size_t)16 << 20)
/** Memory for the structures of one command. */
#define VT_VENUS_COMMAND_MAX_BYTES ((size_t)256 << 20)
/** Streams of one vkExecuteCommandStreamsMESA. */
#define VT_VENUS_STREAMS_MAX 4096u

/** Written by one run, read by anybody. */
struct vt_venus_count {
    _Atomic uint64_t count, failed, timed_ns; /**< timed: the first and every 64th after it */
};
struct vt_venus_counts {
    _Atomic uint64_t unknown, bytes, replies, reply_bytes, busy_ns, waits;
    struct vt_venus_count by_command[VT_VENUS_COMMANDS_MAX];
};
/** Adds to what one thread writes and others read. */
static inline void vt_venus_count_add(_Atomic uint64_t *counter, uint64_t by)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + by,
                          memory_order_relaxed);
}
/** Adds all of `from` to `to`, which nobody else writes. */
void vt_venus_counts_sum(struct vt_venus_counts *to, const struct vt_venus_counts *from);

struct vt_venus_context {
    struct vt_venus_renderer *renderer;
    uint32_t id;
    char name[64];
    bool observed;
    struct vt_venus_events events;
    struct vt_venus_objects *objects;
    struct vt_venus_heap *heap;
    struct vt_venus_timelines *timelines;
    struct vt_venus_run run; /**< the own stream's */
    int peer;                /**< vt_venus_context_peer */
    uint8_t *copy;           /**< what submit copied, kept for the next */
    size_t copy_bytes;
    _Atomic bool ending;
    _Atomic uint64_t memory_bytes, notifies;

    pthread_mutex_t lock;
    pthread_cond_t changed; /**< lock: something that commands wait for */
    bool ended;             /**< lock: `reason` stands */
    bool destroying;        /**< lock */
    char *reason, *commands;
    char device[VT_VENUS_DEVICE_BYTES]; /**< lock */
    struct vt_venus_ring *rings;        /**< lock */
    uint32_t n_rings;                   /**< lock */
    void *shared;                       /**< lock: a tree of struct vt_venus_shared by id */
    struct vt_venus_counts past;        /**< lock: of rings that have ended */

    pthread_t watch; /**< tells of the end, and tells guests that rings are alive */
    pthread_cond_t watch_wake;
    uint64_t report_ns; /**< lock: the shortest period of rings that want reports; 0: none */
};

/** A thread that takes no signal: those are the program's. 0 or an errno. */
int vt_venus_thread(pthread_t *thread, const char *name, void *(*run)(void *arg), void *arg);
/** The guest's socket is shut down. */
bool vt_venus_peer_gone(const struct vt_venus_context *context);
/** Waits at most that long. Under the lock. */
void vt_venus_context_wait(struct vt_venus_context *context, pthread_cond_t *cond, uint64_t ns);

int vt_venus_run_init(struct vt_venus_run *run, struct vt_venus_context *context,
                      struct vt_venus_ring *ring, struct vt_error *err);
void vt_venus_run_fini(struct vt_venus_run *run);
/** What was run lately, a line a command, newest last: memory of malloc, or NULL. */
char *vt_venus_run_last(const struct vt_venus_run *run);
/** The run that the calling thread is inside of, or NULL. */
struct vt_venus_run *vt_venus_run_current(void);

/** Detaches everything. */
void vt_venus_shared_clear(struct vt_venus_context *context);

/* Rings. All but _create take what vt_venus_ring_get gave. */

struct vt_venus_ring {
    struct vt_venus_ring *next;
    struct vt_venus_context *context;
    uint64_t id;
    struct vt_venus_shared *memory;
    /* in `memory`, each checked and apart from the others; the guest writes there at any time */
    _Atomic uint32_t *head, *tail, *status;
    const uint8_t *buffer;
    uint8_t *extra;
    uint32_t buffer_size; /**< a power of two */
    size_t extra_size;
    uint64_t idle_ns;
    uint64_t report_ns; /**< 0: nobody watches */

    pthread_t thread;
    struct vt_venus_run run;
    uint8_t *copy;         /**< buffer_size bytes */
    uint32_t at;           /**< what `copy` begins with: a position as head and tail */
    _Atomic uint32_t done; /**< all before has been carried out; the guest's head says the same */
    _Atomic uint32_t waiting; /**< threads that want to hear of `done` */
    _Atomic bool stop;
    _Atomic uint32_t holds;
    bool notified;         /**< context->lock */
    uint64_t wanted;       /**< context->lock: by vkWaitVirtqueueSeqnoMESA; 0: not in it */
    uint64_t submitted;    /**< context->lock: vkSubmitVirtqueueSeqnoMESA's newest */
    pthread_cond_t notify; /**< with context->lock */
};

int vt_venus_ring_create(struct vt_venus_context *context, uint64_t id,
                         const VkRingCreateInfoMESA *info, struct vt_error *err);
/** A hold on the ring, or NULL: no such ring. */
struct vt_venus_ring *vt_venus_ring_get(struct vt_venus_context *context, uint64_t id);
void vt_venus_ring_put(struct vt_venus_ring *ring);
/** Stops it, waits for its thread and takes it out of the list. Only the context's owner ends
 * rings. */
void vt_venus_ring_end(struct vt_venus_ring *ring);
void vt_venus_ring_notify(struct vt_venus_ring *ring);
/** False: outside of the extra region. */
bool vt_venus_ring_write_extra(struct vt_venus_ring *ring, size_t offset, uint32_t value);
/** What vkWaitVirtqueueSeqnoMESA waits for has come. */
void vt_venus_ring_submitted(struct vt_venus_ring *ring, uint64_t seqno);
/** Both return early when the run ends. */
void vt_venus_ring_wait_submitted(struct vt_venus_run *run, uint64_t seqno);
/** NULL, or what is wrong: the ring will never get there. */
const char *vt_venus_ring_wait(struct vt_venus_run *run, struct vt_venus_ring *ring,
                               uint32_t seqno);
/** Wakes every ring and every wait, to look at `ending`. Under context->lock. */
void vt_venus_rings_wake(struct vt_venus_context *context);
/** Sets a bit of every ring's status. Under context->lock. */
void vt_venus_rings_mark(struct vt_venus_context *context, VkRingStatusFlagBitsMESA bit,
                         bool watched_only);

/** The ring's own thread: all up to `bytes` behind `at` has been carried out, replies included. */
static inline void vt_venus_ring_advance(struct vt_venus_ring *ring, size_t bytes)
{
    uint32_t done = ring->at + (uint32_t)bytes;
    /* The guest reads its reply after it has seen this. */
    atomic_store_explicit(ring->head, done, memory_order_release);
    /* Against vt_venus_ring_wait: it counts itself, then reads `done`; we write `done`, then read
     * whether somebody waits. In the total order one comes first. */
    atomic_exchange_explicit(&ring->done, done, memory_order_seq_cst);
    if (__builtin_expect(atomic_load_explicit(&ring->waiting, memory_order_seq_cst) != 0, 0)) {
        pthread_mutex_lock(&ring->context->lock);
        pthread_cond_broadcast(&ring->context->changed);
        pthread_mutex_unlock(&ring->context->lock);
    }
}

#endif
