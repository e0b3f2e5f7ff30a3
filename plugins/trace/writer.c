/* plugins/trace/writer.c - room in a ring.
 *
 * The fast path (plugin.h) looks at nothing that others write: it has words up to `limit`, at most
 * VT_WRITER_CHUNK ahead. Here the limit is moved: by the reader's tail, or by the writer's own when
 * nobody reads. Words from blocks and accesses leave VT_WRITER_RESERVE free, so that what is
 * written with QEMU's locks held (cuts, pauses) need not wait.
 */
#include "plugin.h"

#include <errno.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS 50

uint64_t vt_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void vt_writer_wake_reader(struct vt_trace_writer *w)
{
    /* The reader sets hungry, then looks at head; we stored head, then look at hungry. */
    atomic_thread_fence(memory_order_seq_cst);
    if (__atomic_load_n(&w->page->hungry, __ATOMIC_RELAXED) != 0) {
        __atomic_store_n(&w->page->hungry, 0, __ATOMIC_RELAXED);
        vt_futex_wake(&w->page->hungry);
    }
}

static bool reader_gone(struct vt_trace_vcpu *page)
{
    uint32_t reader = __atomic_load_n(&page->reader, __ATOMIC_RELAXED);
    if (reader != 0 && reader <= INT32_MAX && (kill((pid_t)reader, 0) == 0 || errno != ESRCH)) {
        return false;
    }
    __atomic_compare_exchange_n(&page->reader, &reader, 0, false, __ATOMIC_RELAXED,
                                __ATOMIC_RELAXED);
    return true;
}

static void sleep_for_room(struct vt_trace_writer *w, uint64_t tail)
{
    struct vt_trace_vcpu *page = w->page;
    vt_writer_wake_reader(w);
    __atomic_store_n(&page->waiting, 1, __ATOMIC_RELAXED);
    /* The reader moves tail, then looks at waiting. */
    atomic_thread_fence(memory_order_seq_cst);
    if (__atomic_load_n(&page->tail, __ATOMIC_RELAXED) == tail && !vt_trace_changed() &&
        vt_futex_wait(&page->waiting, 1, WAIT_MS) != 0 && errno == ETIMEDOUT) {
        reader_gone(page);
    }
    __atomic_store_n(&page->waiting, 0, __ATOMIC_RELAXED);
}

/* The last root may be among what was lost. */
#define TOLD_WORDS 2

static void tell_lost(struct vt_trace_writer *w)
{
    if (w->lost != 0) {
        const uint64_t low56 = ((uint64_t)1 << 56) - 1;
        vt_writer_put(w, vt_word(VT_TRACE_LOST, w->lost & low56));
        if (w->root != UINT64_MAX) {
            vt_writer_put(w, vt_word(VT_TRACE_ROOT, w->root & low56));
        }
        vt_writer_commit(w);
        w->lost = 0;
        vt_record_begins(w);
    }
}

/* Who waits for room may be waited for: by whoever switches the trace off and then reads what is
 * left. The recording is over then, and words that find no room are not lost from it. */
static bool ends(const struct vt_trace_writer *w)
{
    return w->lost == 0 && vt_config.c.policy == VT_TRACE_WAIT && !vt_trace_counts_inline() &&
           vt_trace_changed() &&
           __atomic_load_n(&vt_control->detail, __ATOMIC_RELAXED) == VT_TRACE_OFF;
}

static bool lose(struct vt_trace_writer *w, unsigned n)
{
    if (ends(w)) {
        w->over = true;
        w->limit = 0;
        return false;
    }
    w->lost += n;
    __atomic_store_n(&w->page->dropped, w->page->dropped + n, __ATOMIC_RELAXED);
    return false;
}

/* Where the first record of each part of a ring begins, so that tail can move to a record's
 * beginning. Every record's room is asked for where it begins, at least once a chunk. */
#define PARTS 32
struct parts {
    uint64_t first[PARTS];
    uint64_t begun;
};
static struct parts parts_of[VT_TRACE_VCPUS_MAX];

static void note_part(const struct vt_trace_writer *w)
{
    struct parts *parts = &parts_of[w->index];
    uint64_t words = (w->mask + 1) / PARTS;
    while (parts->begun * words <= w->head) {
        parts->first[parts->begun++ % PARTS] = w->head;
    }
}

/* The oldest records are given up before they are overwritten: who reads them looks at tail after.
 * A reader that is just coming or going moves it, too, and never back. */
static void overwrite(struct vt_trace_writer *w)
{
    const struct parts *parts = &parts_of[w->index];
    uint64_t capacity = w->mask + 1;
    uint64_t need = w->head + VT_WRITER_CHUNK + VT_WRITER_RESERVE;
    uint64_t tail = __atomic_load_n(&w->page->tail, __ATOMIC_ACQUIRE);
    if (need > capacity && (int64_t)(need - capacity - tail) > 0) {
        uint64_t to = w->head;
        uint64_t oldest = parts->begun > PARTS ? parts->begun - PARTS : 0;
        for (uint64_t i = oldest; i < parts->begun; i++) {
            if (parts->first[i % PARTS] >= need - capacity) {
                to = parts->first[i % PARTS];
                break;
            }
        }
        while ((int64_t)(to - tail) > 0 &&
               !__atomic_compare_exchange_n(&w->page->tail, &tail, to, false, __ATOMIC_SEQ_CST,
                                            __ATOMIC_SEQ_CST)) {
        }
    }
    w->limit = w->head + VT_WRITER_CHUNK;
}

bool vt_writer_room(struct vt_trace_writer *w, unsigned n, bool may_wait)
{
    if (w->page == NULL || w->over) {
        return false;
    }
    uint64_t capacity = w->mask + 1;
    bool counted = false;
    n += w->lost != 0 ? TOLD_WORDS : 0;
    note_part(w);
    for (;;) {
        vt_writer_wake_reader(w);
        bool nobody = __atomic_load_n(&w->page->reader, __ATOMIC_RELAXED) == 0;
        if (vt_config.c.policy == VT_TRACE_KEEP_LAST ||
            (vt_config.c.policy == VT_TRACE_WAIT && nobody)) {
            overwrite(w);
            tell_lost(w);
            return true;
        }
        /* Pairs with the reader's release: it has done with the words below. */
        uint64_t tail = __atomic_load_n(&w->page->tail, __ATOMIC_ACQUIRE);
        uint64_t used = w->head - tail;
        uint64_t room = used < capacity ? capacity - used : 0; /* a tail of nonsense: full */
        uint64_t usable = room > VT_WRITER_RESERVE ? room - VT_WRITER_RESERVE : 0;
        if (usable >= n) {
            w->limit = w->head + (usable < VT_WRITER_CHUNK ? usable : VT_WRITER_CHUNK);
            tell_lost(w);
            return true;
        }
        if (!may_wait && room >= n) {
            tell_lost(w);
            return true;
        }
        if (!may_wait || vt_config.c.policy == VT_TRACE_DROP || vt_trace_changed()) {
            return lose(w, n);
        }
        if (!counted) {
            counted = true;
            __atomic_store_n(&w->page->waits, w->page->waits + 1, __ATOMIC_RELAXED);
        }
        sleep_for_room(w, tail);
    }
}

void vt_writer_put_time(struct vt_trace_writer *w, bool may_wait)
{
    if (vt_writer_begin(w, 1, may_wait)) {
        vt_writer_put(w, vt_word(VT_TRACE_TIME, vt_clock() & (((uint64_t)1 << 56) - 1)));
        vt_writer_commit(w);
    }
}
