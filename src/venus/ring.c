/* venus/ring.c - a ring: a thread that carries out what a guest writes into shared memory.
 *
 * The guest owns `tail` and the buffer's bytes, we own `head`; IDLE is ours, ALIVE is set by us and
 * cleared by the guest. Each control word is read once a turn, checked, and what lies between head
 * and tail is copied before any of it is looked at: a guest that writes there meanwhile changes
 * nothing. A ring that has had nothing to do for the guest's idle timeout sleeps until it is
 * notified; the guest counts on it that it is not asleep any sooner after a notify.
 */
#include "venus/inside.h"

#include "base/io.h"
#include "venus/device.h"

#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

/* How a ring looks for work: at once, then letting others run, then now and then. Whom it waits for
 * may be next on this very CPU, so that it must not keep it for long. */
#define SPIN_TURNS 16u
#define SPIN_NS 1000u
/* How long another stream looks for a ring's progress before it sleeps. */
#define WAIT_NS 20000u
#define YIELD_NS 2000000u
#define NAP_NS 500000
/* How often a wait of the context's own stream looks whether the guest is still there. */
#define LOOK_NS 100000000u

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb");
#endif
}

static bool stopping(const struct vt_venus_ring *ring)
{
    return atomic_load_explicit(&ring->stop, memory_order_acquire) ||
           vt_venus_context_ending(ring->context);
}

/* ---- the thread ---- */

static uint32_t load_tail(const struct vt_venus_ring *ring)
{
    /* Pairs with the guest's store, made after the commands before it. */
    return atomic_load_explicit(ring->tail, memory_order_acquire);
}

/* Lets time pass after `turns` looks that found nothing; false: the idle timeout is over. */
static bool pass_time(const struct vt_venus_ring *ring, unsigned turns, uint64_t *began)
{
    if (turns < SPIN_TURNS) {
        relax();
        return true;
    }
    uint64_t now = vt_now_ns();
    *began = turns == SPIN_TURNS ? now : *began;
    uint64_t passed = now - *began;
    if (passed >= ring->idle_ns && turns > SPIN_TURNS) {
        return false;
    }
    if (passed < SPIN_NS) {
        for (unsigned i = 0; i < 8; i++) {
            relax();
        }
    } else if (passed < YIELD_NS) {
        sched_yield();
    } else {
        nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
    }
    return true;
}

/* The guest stores tail, then reads status; we set IDLE, then read tail. All four are totally
 * ordered: either it sees IDLE and notifies, or we see its tail. */
static void sleep_until_notified(struct vt_venus_ring *ring)
{
    atomic_fetch_or_explicit(ring->status, VK_RING_STATUS_IDLE_BIT_MESA, memory_order_seq_cst);
    if (atomic_load_explicit(ring->tail, memory_order_seq_cst) == ring->at) {
        vt_venus_count_add(&ring->run.counts->waits, 1);
        pthread_mutex_lock(&ring->context->lock);
        while (!ring->notified && !stopping(ring)) {
            pthread_cond_wait(&ring->notify, &ring->context->lock);
        }
        ring->notified = false;
        pthread_mutex_unlock(&ring->context->lock);
    }
    atomic_fetch_and_explicit(ring->status, ~(uint32_t)VK_RING_STATUS_IDLE_BIT_MESA,
                              memory_order_seq_cst);
}

/* False: the ring stops. */
static bool wait_for_work(struct vt_venus_ring *ring, uint32_t *tail)
{
    uint64_t began = 0;
    for (unsigned turns = 0; !stopping(ring); turns++) {
        *tail = load_tail(ring);
        if (*tail != ring->at) {
            return true;
        }
        if (!pass_time(ring, turns, &began)) {
            sleep_until_notified(ring);
            turns = 0;
        }
    }
    return false;
}

static bool carry_out(struct vt_venus_ring *ring, uint32_t tail)
{
    uint32_t bytes = tail - ring->at;
    if (bytes > ring->buffer_size || bytes % 4 != 0) {
        vt_venus_context_end(ring->context,
                             "ring %" PRIu64 ": tail %" PRIu32 " does not fit to head %" PRIu32
                             " and a buffer of %" PRIu32 " bytes",
                             ring->id, tail, ring->at, ring->buffer_size);
        return false;
    }
    uint64_t began = vt_now_ns();
    uint32_t from = ring->at & (ring->buffer_size - 1);
    uint32_t before_end = ring->buffer_size - from;
    if (bytes <= before_end) {
        memcpy(ring->copy, ring->buffer + from, bytes);
    } else {
        memcpy(ring->copy, ring->buffer + from, before_end);
        memcpy(ring->copy + before_end, ring->buffer, bytes - before_end);
    }
    vt_venus_visitor_resume(ring->context->objects, &ring->run.visitor);
    bool fine = vt_venus_run_stream(&ring->run, ring->copy, bytes);
    vt_venus_visitor_pause(ring->context->objects, &ring->run.visitor);
    vt_venus_count_add(&ring->run.counts->busy_ns, vt_now_ns() - began);
    ring->at = tail;
    return fine;
}

static void *run_ring(void *arg)
{
    struct vt_venus_ring *ring = arg;
    uint32_t tail = 0;
    while (wait_for_work(ring, &tail) && carry_out(ring, tail)) {
    }
    return NULL;
}

/* ---- made ---- */

struct region {
    const char *name;
    size_t offset, bytes;
};

static int check(const VkRingCreateInfoMESA *info, const struct vt_venus_shared *memory,
                 struct vt_error *err)
{
    if (info->flags != 0 || info->offset % 4 != 0 || info->offset > memory->size ||
        info->size > memory->size - info->offset) {
        return vt_fail(err, VT_E_INVAL,
                       "flags %#" PRIx32 ", %zu bytes at %zu of resource %" PRIu32
                       ", which has %zu",
                       info->flags, info->size, info->offset, memory->id, memory->size);
    }
    if (info->bufferSize < 64 || info->bufferSize > VT_VENUS_RING_MAX_BYTES ||
        (info->bufferSize & (info->bufferSize - 1)) != 0) {
        return vt_fail(err, VT_E_INVAL, "a buffer of %zu bytes", info->bufferSize);
    }
    const struct region regions[] = {
        {"head", info->headOffset, 4},
        {"tail", info->tailOffset, 4},
        {"status", info->statusOffset, 4},
        {"buffer", info->bufferOffset, info->bufferSize},
        {"extra", info->extraOffset, info->extraSize},
    };
    for (unsigned i = 0; i < 5; i++) {
        const struct region *r = &regions[i];
        if (r->bytes != 0 &&
            (r->offset % 4 != 0 || r->offset > info->size || r->bytes > info->size - r->offset)) {
            return vt_fail(err, VT_E_INVAL, "%s: %zu bytes at %zu of %zu", r->name, r->bytes,
                           r->offset, info->size);
        }
        for (unsigned j = 0; j < i; j++) {
            const struct region *o = &regions[j];
            if (r->bytes != 0 && r->offset < o->offset + o->bytes &&
                o->offset < r->offset + r->bytes) {
                return vt_fail(err, VT_E_INVAL, "%s and %s overlap", o->name, r->name);
            }
        }
    }
    return 0;
}

static uint64_t period_of(const VkRingCreateInfoMESA *info)
{
    const VkRingMonitorInfoMESA *monitor =
        vt_venus_chain_find(info->pNext, VK_STRUCTURE_TYPE_RING_MONITOR_INFO_MESA);
    return monitor != NULL ? (uint64_t)monitor->maxReportingPeriodMicroseconds * 1000 : 0;
}

/* Under the lock: the shortest of all rings'. */
static void set_period(struct vt_venus_context *context)
{
    uint64_t least = 0;
    for (const struct vt_venus_ring *r = context->rings; r != NULL; r = r->next) {
        if (r->report_ns != 0 && (least == 0 || r->report_ns < least)) {
            least = r->report_ns;
        }
    }
    context->report_ns = least;
    pthread_cond_signal(&context->watch_wake);
}

void vt_venus_ring_put(struct vt_venus_ring *ring)
{
    if (atomic_fetch_sub_explicit(&ring->holds, 1, memory_order_acq_rel) != 1) {
        return;
    }
    vt_venus_run_fini(&ring->run);
    vt_venus_shared_put(ring->memory);
    pthread_cond_destroy(&ring->notify);
    free(ring->copy);
    free(ring);
}

/* Under the lock. */
static struct vt_venus_ring *find(struct vt_venus_context *context, uint64_t id)
{
    struct vt_venus_ring *ring = context->rings;
    while (ring != NULL && ring->id != id) {
        ring = ring->next;
    }
    return ring;
}

struct vt_venus_ring *vt_venus_ring_get(struct vt_venus_context *context, uint64_t id)
{
    pthread_mutex_lock(&context->lock);
    struct vt_venus_ring *ring = find(context, id);
    if (ring != NULL) {
        atomic_fetch_add_explicit(&ring->holds, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&context->lock);
    return ring;
}

/* Into the list, and begins. */
static int publish(struct vt_venus_ring *ring, struct vt_error *err)
{
    struct vt_venus_context *context = ring->context;
    int rc = 0;
    pthread_mutex_lock(&context->lock);
    if (find(context, ring->id) != NULL) {
        rc = vt_fail(err, VT_E_EXISTS, "the ring exists");
    } else if (context->n_rings >= VT_VENUS_RINGS_MAX) {
        rc = vt_fail(err, VT_E_LIMIT, "more than %u rings", VT_VENUS_RINGS_MAX);
    } else {
        int no = vt_venus_thread(&ring->thread, "venus-ring", run_ring, ring);
        rc = no != 0 ? vt_fail_errno(err, VT_E_LIMIT, no, "a thread") : 0;
    }
    if (rc == 0) {
        ring->next = context->rings;
        context->rings = ring;
        context->n_rings++;
        set_period(context);
    }
    pthread_mutex_unlock(&context->lock);
    return rc;
}

int vt_venus_ring_create(struct vt_venus_context *context, uint64_t id,
                         const VkRingCreateInfoMESA *info, struct vt_error *err)
{
    struct vt_venus_ring *ring = calloc(1, sizeof *ring);
    if (ring == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for a ring");
    }
    atomic_init(&ring->holds, 1);
    ring->context = context;
    ring->id = id;
    pthread_cond_init(&ring->notify, NULL);
    ring->memory = vt_venus_shared_get(context, info->resourceId);
    int rc = ring->memory == NULL
                 ? vt_fail(err, VT_E_NOT_FOUND, "no resource %" PRIu32, info->resourceId)
                 : check(info, ring->memory, err);
    if (rc == 0) {
        uint8_t *base = ring->memory->at + info->offset;
        ring->head = (_Atomic uint32_t *)(base + info->headOffset);
        ring->tail = (_Atomic uint32_t *)(base + info->tailOffset);
        ring->status = (_Atomic uint32_t *)(base + info->statusOffset);
        ring->buffer = base + info->bufferOffset;
        ring->buffer_size = (uint32_t)info->bufferSize;
        ring->extra = base + info->extraOffset;
        ring->extra_size = info->extraSize;
        ring->idle_ns = info->idleTimeout;
        ring->report_ns = period_of(info);
        ring->at = atomic_load_explicit(ring->head, memory_order_relaxed);
        atomic_init(&ring->done, ring->at);
        ring->copy = malloc(info->bufferSize);
        rc = ring->copy == NULL ? vt_fail(err, VT_E_NOMEM, "no memory for a ring")
                                : vt_venus_run_init(&ring->run, context, ring, err);
    }
    rc = rc == 0 ? publish(ring, err) : rc;
    if (rc != 0) {
        vt_venus_ring_put(ring);
    }
    return rc;
}

void vt_venus_ring_end(struct vt_venus_ring *ring)
{
    struct vt_venus_context *context = ring->context;
    atomic_store_explicit(&ring->stop, true, memory_order_seq_cst);
    pthread_mutex_lock(&context->lock);
    vt_venus_rings_wake(context);
    pthread_mutex_unlock(&context->lock);
    pthread_join(ring->thread, NULL);
    pthread_mutex_lock(&context->lock);
    struct vt_venus_ring **at = &context->rings;
    while (*at != ring) {
        at = &(*at)->next;
    }
    *at = ring->next;
    context->n_rings--;
    set_period(context);
    vt_venus_counts_sum(&context->past, ring->run.counts);
    pthread_mutex_unlock(&context->lock);
    vt_venus_ring_put(ring);
}

/* ---- what others do with a ring ---- */

void vt_venus_rings_wake(struct vt_venus_context *context)
{
    for (struct vt_venus_ring *r = context->rings; r != NULL; r = r->next) {
        pthread_cond_signal(&r->notify);
    }
    pthread_cond_broadcast(&context->changed);
}

void vt_venus_rings_mark(struct vt_venus_context *context, VkRingStatusFlagBitsMESA bit,
                         bool watched_only)
{
    for (struct vt_venus_ring *r = context->rings; r != NULL; r = r->next) {
        if (!watched_only || r->report_ns != 0) {
            atomic_fetch_or_explicit(r->status, (uint32_t)bit, memory_order_seq_cst);
        }
    }
}

void vt_venus_ring_notify(struct vt_venus_ring *ring)
{
    atomic_fetch_add_explicit(&ring->context->notifies, 1, memory_order_relaxed);
    pthread_mutex_lock(&ring->context->lock);
    ring->notified = true;
    pthread_cond_signal(&ring->notify);
    pthread_mutex_unlock(&ring->context->lock);
}

bool vt_venus_ring_write_extra(struct vt_venus_ring *ring, size_t offset, uint32_t value)
{
    if (offset % 4 != 0 || offset > ring->extra_size || ring->extra_size - offset < 4) {
        return false;
    }
    atomic_store_explicit((_Atomic uint32_t *)(ring->extra + offset), value, memory_order_seq_cst);
    return true;
}

void vt_venus_ring_submitted(struct vt_venus_ring *ring, uint64_t seqno)
{
    pthread_mutex_lock(&ring->context->lock);
    ring->submitted = seqno;
    pthread_cond_broadcast(&ring->context->changed);
    pthread_mutex_unlock(&ring->context->lock);
}

void vt_venus_ring_wait_submitted(struct vt_venus_run *run, uint64_t seqno)
{
    struct vt_venus_context *context = run->context;
    struct vt_venus_ring *ring = run->ring;
    pthread_mutex_lock(&context->lock);
    if (ring->submitted < seqno) {
        vt_venus_visitor_pause(context->objects, &run->visitor);
        ring->wanted = seqno;
        pthread_cond_broadcast(&context->changed);
        while (ring->submitted < seqno && !vt_venus_run_ending(run)) {
            pthread_cond_wait(&context->changed, &context->lock);
        }
        ring->wanted = 0;
        vt_venus_visitor_resume(context->objects, &run->visitor);
    }
    pthread_mutex_unlock(&context->lock);
}

/* Positions go round at 2^32. */
static bool reached(uint32_t position, uint32_t wanted)
{
    return (int32_t)(position - wanted) >= 0;
}

static bool done(const struct vt_venus_ring *ring, uint32_t seqno)
{
    return reached(atomic_load_explicit(&ring->done, memory_order_seq_cst), seqno);
}

const char *vt_venus_ring_wait(struct vt_venus_run *run, struct vt_venus_ring *ring, uint32_t seqno)
{
    struct vt_venus_context *context = run->context;
    if (done(ring, seqno)) {
        return NULL;
    }
    if (ring == run->ring) {
        return "a ring waits for itself";
    }
    /* The guest has stored its tail before it had us wait for what lies before it. */
    if (!reached(load_tail(ring), seqno)) {
        return "what is waited for was not submitted";
    }
    uint64_t began = vt_now_ns(), passed = 0;
    while (!done(ring, seqno) && passed < WAIT_NS) {
        if (passed < SPIN_NS) {
            relax();
        } else {
            sched_yield();
        }
        passed = vt_now_ns() - began;
    }
    const char *wrong = NULL;
    pthread_mutex_lock(&context->lock);
    vt_venus_visitor_pause(context->objects, &run->visitor);
    atomic_fetch_add_explicit(&ring->waiting, 1, memory_order_seq_cst);
    while (!done(ring, seqno) && wrong == NULL && !vt_venus_context_ending(context) &&
           (run->ring == NULL || !stopping(run->ring))) {
        /* Only the context's own stream, which is here, could let it go on. */
        if (run->ring == NULL && ring->submitted < ring->wanted) {
            wrong = "the ring waits for this stream";
        } else if (atomic_load_explicit(&ring->stop, memory_order_acquire)) {
            wrong = "the ring ends";
        } else if (run->ring == NULL && vt_venus_peer_gone(context)) {
            wrong = "the guest went away";
        } else {
            vt_venus_context_wait(context, &context->changed, LOOK_NS);
        }
    }
    atomic_fetch_sub_explicit(&ring->waiting, 1, memory_order_seq_cst);
    vt_venus_visitor_resume(context->objects, &run->visitor);
    pthread_mutex_unlock(&context->lock);
    return wrong;
}
