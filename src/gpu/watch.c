/* gpu/watch.c - a virtio-gpu that is watched: its two queues, and QEMU asked beside. See watch.h.
 *
 * One thread looks at the rings; a second one asks QEMU, which takes milliseconds in which commands
 * would go by. They share one answer under a lock. A ring that jumped is not looked at until QEMU
 * has said, after the jump, whether it is still the same.
 */
#include "gpu/watch.h"

#include "base/io.h"
#include "machine/qmp.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#define INTERVAL_NS 20000u
/* Looks without anything new after which they become rare, and after which output is flushed. */
#define QUIET_LOOKS 500u
#define PAUSE_LOOKS 50u
/* Between two questions: while the queues are set up, and while they are waited for. */
#define ASK_MS 500u
#define ASK_WAITING_MS 20u

/* What the asking thread has to say; guarded by `lock`. */
struct answers {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    uint64_t asked, answered; /* numbers of questions */
    bool waiting;             /* a queue is not set up: ask often */
    bool quit;
    uint16_t position[VT_VGPU_QUEUES]; /* of the rings, as the last look left them */
    uint16_t since[VT_VGPU_QUEUES];    /* the same when QEMU was asked */
    struct vt_vgpu_device device;
    int rc;
    struct vt_error err;
};

struct queue {
    struct vt_vgpu_ring_watch *ring; /* NULL: not set up */
    bool jumped;
    uint64_t jumped_at;                /* the last question asked before */
    struct vt_vgpu_ring_counts before; /* of rings that are no more */
};

struct vt_vgpu_watch {
    struct vt_vgpu_watch_config c;
    struct vt_vm *vm; /* the asking thread's while it runs */
    struct vt_ram *ram;
    struct vt_vgpu_device device;
    struct vt_vgpu_origin origin;
    uint64_t started_ns, sequence;
    struct queue queue[VT_VGPU_QUEUES];
    struct answers answers;
    uint64_t handled; /* the last answer looked at */
    bool history;     /* of the queues that are opened next */
    bool stirred;     /* something was told beside what was seen on the rings */
    bool ended;
    struct vt_vgpu_watch_counts counts;
};

static uint64_t age(const struct vt_vgpu_watch *w)
{
    return vt_now_ns() - w->started_ns;
}

/* ---------------------------------------------------------------- asking QEMU */

static int ask(struct vt_vgpu_watch *w, struct vt_vgpu_device *device,
               uint16_t since[VT_VGPU_QUEUES], struct vt_error *err)
{
    struct vt_qmp *qmp;
    int rc = vt_vm_qmp(w->vm, &qmp, err);
    if (rc == 0) {
        pthread_mutex_lock(&w->answers.lock);
        memcpy(since, w->answers.position, sizeof w->answers.position);
        pthread_mutex_unlock(&w->answers.lock);
        rc = vt_vgpu_device_ask(qmp, device, err);
        vt_qmp_close(qmp);
    }
    return rc;
}

static void *asking_thread(void *arg)
{
    struct vt_vgpu_watch *w = arg;
    struct answers *a = &w->answers;
    struct vt_vgpu_device device = w->device;
    pthread_mutex_lock(&a->lock);
    while (!a->quit) {
        if (a->asked == a->answered) {
            uint64_t at = vt_now_ns() + (a->waiting ? ASK_WAITING_MS : ASK_MS) * 1000000ull;
            const struct timespec until = {(time_t)(at / 1000000000u), (long)(at % 1000000000u)};
            if (pthread_cond_timedwait(&a->wake, &a->lock, &until) != ETIMEDOUT) {
                continue;
            }
            a->asked++;
        }
        uint64_t number = a->asked;
        uint16_t since[VT_VGPU_QUEUES] = {0};
        pthread_mutex_unlock(&a->lock);
        struct vt_error err = {0};
        int rc = ask(w, &device, since, &err);
        pthread_mutex_lock(&a->lock);
        a->answered = number;
        a->device = device;
        a->rc = rc;
        a->err = err;
        memcpy(a->since, since, sizeof since);
    }
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

static int start_asking(struct vt_vgpu_watch *w, pthread_t *thread, struct vt_error *err)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&w->answers.lock, NULL);
    pthread_cond_init(&w->answers.wake, &attr);
    pthread_condattr_destroy(&attr);
    int rc = pthread_create(thread, NULL, asking_thread, w);
    if (rc != 0) {
        pthread_cond_destroy(&w->answers.wake);
        pthread_mutex_destroy(&w->answers.lock);
        return vt_fail_errno(err, VT_E_NOMEM, rc, "cannot start a thread");
    }
    return 0;
}

static void stop_asking(struct vt_vgpu_watch *w, pthread_t thread)
{
    pthread_mutex_lock(&w->answers.lock);
    w->answers.quit = true;
    pthread_cond_signal(&w->answers.wake);
    pthread_mutex_unlock(&w->answers.lock);
    pthread_join(thread, NULL);
    pthread_cond_destroy(&w->answers.wake);
    pthread_mutex_destroy(&w->answers.lock);
}

/* ---------------------------------------------------------------- queues */

static void note(struct vt_vgpu_watch *w, enum vt_vgpu_seen kind, const char *text)
{
    const struct vt_vgpu_event_seen e = {
        .kind = kind,
        .flags = VT_VGPU_TIMES_ARE_BOUNDS,
        .sequence = w->sequence,
        .submitted_ns = age(w),
        .request = text[0] != '\0' ? (const uint8_t *)text : NULL,
        .request_bytes = (uint32_t)strlen(text),
    };
    w->stirred = true;
    if (!w->ended && !w->c.fn(&e, w->c.arg)) {
        w->ended = true;
    }
}

static void add_counts(struct vt_vgpu_ring_counts *to, const struct vt_vgpu_ring_counts *more)
{
    to->commands += more->commands;
    to->late += more->late;
    to->stale_requests += more->stale_requests;
    to->stale_responses += more->stale_responses;
    to->unanswered += more->unanswered;
    to->lost += more->lost;
    to->faults += more->faults;
}

static void close_queue(struct vt_vgpu_watch *w, struct queue *q)
{
    if (q->ring != NULL) {
        vt_vgpu_ring_end(q->ring, age(w));
        add_counts(&q->before, vt_vgpu_ring_counts(q->ring));
        vt_vgpu_ring_watch_destroy(q->ring);
    }
    q->ring = NULL;
    q->jumped = false;
}

/* A queue that the driver has set up. One that cannot be is said once, in words. */
static void open_queue(struct vt_vgpu_watch *w, unsigned i)
{
    const struct vt_vgpu_ring *ring = &w->device.queue[i];
    const struct vt_vgpu_ring_config config = {
        .ram = w->ram,
        .ring = *ring,
        .kind = vt_vgpu_ring_kind_of(w->ram, &w->device, ring),
        .queue = (enum vt_vgpu_queue)i,
        .history = w->history,
        .sequence = &w->sequence,
        .fn = w->c.fn,
        .arg = w->c.arg,
    };
    struct vt_error err;
    if (config.kind != VT_VGPU_RING_NONE &&
        vt_vgpu_ring_watch_create(&config, &w->queue[i].ring, &err) != 0) {
        note(w, VT_VGPU_SEEN_NOTE, err.message);
    }
}

static bool same_place(const struct vt_vgpu_ring *a, const struct vt_vgpu_ring *b)
{
    return a->desc == b->desc && a->driver == b->driver && a->device == b->device &&
           a->size == b->size;
}

/* The device was reset, or its driver took the queues elsewhere. */
static void begin_anew(struct vt_vgpu_watch *w)
{
    for (unsigned i = 0; i < VT_VGPU_QUEUES; i++) {
        close_queue(w, &w->queue[i]);
    }
    w->counts.resets++;
    note(w, VT_VGPU_SEEN_RESET, "");
}

static void follow(struct vt_vgpu_watch *w, const struct vt_vgpu_device *now,
                   const uint16_t since[VT_VGPU_QUEUES], uint64_t answered)
{
    bool same = true;
    for (unsigned i = 0; i < VT_VGPU_QUEUES; i++) {
        const struct queue *q = &w->queue[i];
        if (q->ring != NULL && (!q->jumped || q->jumped_at < answered)) {
            same = same && vt_vgpu_ring_goes_on(q->ring, &now->queue[i], since[i]);
        }
    }
    if (!same) {
        begin_anew(w);
    }
    for (unsigned i = 0; i < VT_VGPU_QUEUES; i++) {
        struct queue *q = &w->queue[i];
        if (q->ring == NULL) {
            bool known = same && same_place(&w->device.queue[i], &now->queue[i]);
            w->device.queue[i] = now->queue[i];
            if (!known) {
                w->history = true; /* all of it is new */
                open_queue(w, i);
            }
        } else if (q->jumped && q->jumped_at < answered) {
            vt_vgpu_ring_resync(q->ring, &now->queue[i], age(w));
            q->jumped = false;
        }
    }
}

/* Takes an answer of QEMU's if there is a new one; asks for one where that is wanted. */
static int hear(struct vt_vgpu_watch *w, bool want, struct vt_error *err)
{
    struct answers *a = &w->answers;
    struct vt_vgpu_device device;
    uint16_t since[VT_VGPU_QUEUES];
    pthread_mutex_lock(&a->lock);
    bool waiting = false;
    for (unsigned i = 0; i < VT_VGPU_QUEUES; i++) {
        struct queue *q = &w->queue[i];
        waiting = waiting || (q->ring == NULL && w->device.queue[i].desc == 0);
        if (q->ring != NULL) {
            a->position[i] = vt_vgpu_ring_position(q->ring);
        }
    }
    a->waiting = waiting;
    if (want && a->asked == a->answered) {
        a->asked++;
        pthread_cond_signal(&a->wake);
    }
    bool fresh = a->answered > w->handled;
    uint64_t answered = a->answered;
    int rc = fresh ? a->rc : 0;
    if (fresh) {
        w->handled = answered;
        device = a->device;
        memcpy(since, a->since, sizeof since);
        if (rc != 0 && err != NULL) {
            *err = a->err;
        }
    }
    pthread_mutex_unlock(&a->lock);
    if (!fresh) {
        return 0;
    }
    if (rc == VT_E_TIMEOUT || rc == VT_E_BUSY) {
        return 0; /* a busy QEMU; the next answer will do */
    }
    if (rc != 0) {
        return rc;
    }
    follow(w, &device, since, answered);
    return 0;
}

/* ---------------------------------------------------------------- the watch */

int vt_vgpu_watch_open(const struct vt_vgpu_watch_config *config, struct vt_vgpu_watch **watch,
                       struct vt_error *err)
{
    struct vt_vgpu_watch *w = calloc(1, sizeof *w);
    struct vt_vgpu_device *list = NULL;
    struct vt_qmp *qmp;
    size_t n, chosen;
    if (w == NULL) {
        return vt_fail(err, VT_E_NOMEM, "%s: out of memory", config->vm);
    }
    w->c = *config;
    w->c.interval_ns = config->interval_ns > 0 ? config->interval_ns : INTERVAL_NS;
    w->history = config->history;
    int rc = vt_vm_open(config->vm, &w->vm, err);
    if (rc == 0) {
        rc = vt_ram_open_vm(w->vm, &w->ram, err);
    }
    if (rc == 0) {
        rc = vt_vm_qmp(w->vm, &qmp, err);
        if (rc == 0) {
            rc = vt_vgpu_devices(qmp, &list, &n, err);
            vt_qmp_close(qmp);
        }
    }
    if (rc == 0) {
        rc = vt_vgpu_device_choose(list, n, config->device, &chosen, err);
    }
    if (rc != 0) {
        free(list);
        vt_vgpu_watch_close(w);
        return rc;
    }
    w->device = list[chosen];
    free(list);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    w->started_ns = vt_now_ns();
    w->origin.started_unix_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    snprintf(w->origin.vm, sizeof w->origin.vm, "%s", config->vm);
    snprintf(w->origin.source, sizeof w->origin.source, "watch");
    snprintf(w->origin.device, sizeof w->origin.device, "%s", w->device.id);
    *watch = w;
    return 0;
}

void vt_vgpu_watch_close(struct vt_vgpu_watch *w)
{
    if (w == NULL) {
        return;
    }
    for (unsigned i = 0; i < VT_VGPU_QUEUES; i++) {
        vt_vgpu_ring_watch_destroy(w->queue[i].ring);
    }
    vt_ram_close(w->ram);
    vt_vm_close(w->vm);
    free(w);
}

const struct vt_vgpu_origin *vt_vgpu_watch_origin(const struct vt_vgpu_watch *w)
{
    return &w->origin;
}

/* One look at both queues: whether something moved. */
static bool look(struct vt_vgpu_watch *w, bool *jumped)
{
    bool moved = false;
    for (unsigned i = 0; i < VT_VGPU_QUEUES; i++) {
        struct queue *q = &w->queue[i];
        if (q->ring == NULL || q->jumped) {
            *jumped = *jumped || q->jumped;
            continue;
        }
        switch (vt_vgpu_ring_poll(q->ring, age(w))) {
        case VT_VGPU_QUIET:
            break;
        case VT_VGPU_MOVED:
            moved = true;
            break;
        case VT_VGPU_ENDED:
            w->ended = true;
            break;
        case VT_VGPU_JUMPED:
            q->jumped = true;
            *jumped = true;
            pthread_mutex_lock(&w->answers.lock);
            q->jumped_at = w->answers.asked;
            pthread_mutex_unlock(&w->answers.lock);
            break;
        }
    }
    w->counts.looks++;
    return moved;
}

static int watch_loop(struct vt_vgpu_watch *w, uint64_t deadline_ns, struct vt_error *err)
{
    int rc = 0;
    unsigned quiet = 0;
    uint64_t heard_ns = 0;
    while (rc == 0 && !w->ended && (w->c.stop == NULL || *w->c.stop == 0)) {
        bool jumped = false;
        uint64_t now = vt_now_ns();
        quiet = look(w, &jumped) || w->stirred ? 0 : quiet + (quiet <= QUIET_LOOKS);
        w->stirred = false;
        if (now >= deadline_ns) {
            break;
        }
        if (jumped || now - heard_ns > 5000000u) {
            heard_ns = now;
            rc = hear(w, jumped, err);
            if (rc == 0) {
                rc = vt_ram_check(w->ram, err);
            }
        }
        if (quiet == PAUSE_LOOKS && w->c.pause != NULL) {
            w->c.pause(w->c.arg);
        }
        uint64_t sleep_ns = quiet > QUIET_LOOKS ? 10 * w->c.interval_ns : w->c.interval_ns;
        const struct timespec t = {(time_t)(sleep_ns / 1000000000u),
                                   (long)(sleep_ns % 1000000000u)};
        nanosleep(&t, NULL);
    }
    return rc;
}

int vt_vgpu_watch_run(struct vt_vgpu_watch *w, uint64_t deadline_ns, struct vt_error *err)
{
    pthread_t thread;
    int rc = start_asking(w, &thread, err);
    if (rc != 0) {
        return rc;
    }
    /* Sleeps of some microseconds are meant as they are. */
    prctl(PR_SET_TIMERSLACK, 1ul, 0ul, 0ul, 0ul);
    for (unsigned i = 0; i < VT_VGPU_QUEUES; i++) {
        open_queue(w, i);
    }
    struct timespec before, after;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
    rc = watch_loop(w, deadline_ns, err);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
    w->counts.cpu_ns +=
        (uint64_t)((after.tv_sec - before.tv_sec) * 1000000000 + (after.tv_nsec - before.tv_nsec));
    prctl(PR_SET_TIMERSLACK, 0ul, 0ul, 0ul, 0ul);
    stop_asking(w, thread);
    for (unsigned i = 0; i < VT_VGPU_QUEUES; i++) {
        close_queue(w, &w->queue[i]);
    }
    if (rc == VT_E_GONE || rc == VT_E_NOT_FOUND) {
        w->counts.vm_ended = true;
        rc = 0;
    }
    return rc;
}

void vt_vgpu_watch_counts(const struct vt_vgpu_watch *w, struct vt_vgpu_watch_counts *counts)
{
    *counts = w->counts;
    for (unsigned i = 0; i < VT_VGPU_QUEUES; i++) {
        counts->queue[i] = w->queue[i].before;
        if (w->queue[i].ring != NULL) {
            add_counts(&counts->queue[i], vt_vgpu_ring_counts(w->queue[i].ring));
        }
    }
}
