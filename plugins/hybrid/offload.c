/* plugins/hybrid/offload.c - slices that a GPU runs for us: asked for in the segment's mailbox.
 *
 * A GPU runs iterations in any order, so nothing that is written may be anything else that is
 * touched: that is looked at page by page, since guest-virtual pages may be one page of RAM. What
 * it wrote came past QEMU's mapping; each such page is touched through it, for who tracks changes.
 * The worker is a process of the same owner, and may die: nothing of an answer is believed but that
 * the slice was run. A slice that was taken and is lost is the guest's again: pages that iterations
 * both read and write are as they were then; the others it writes again.
 */
#include "plugin.h"

#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WORTH_IT 256u /* iterations */
#define FIRST_MOST 1024u
/* An interrupt waits for a slice: one that took less than FAST_NS may be twice as long, the next
 * time, and of one that took more than SLOW_NS half is enough. */
#define FAST_NS 150000u
#define SLOW_NS 600000u
#define TAKEN_WITHIN_NS 1000000u
#define RESTING_MAX 1024u /* slices that pass after nobody took one */
#define SPIN_NS 300000u   /* a wait is this short mostly, and to sleep costs much of it */
#define LOOK_NS 20000000u
#define PIECES (VT_HYBRID_MAIL_PAGES + VT_HYBRID_INPUTS_MAX + VT_HYBRID_CARRIES_MAX)

static struct vt_piece pages[VT_HYBRID_MAIL_PAGES]; /* of all streams, as the request has them */
static struct touched {                             /* neighbours are one */
    uint8_t *host;
    uint64_t bytes;
    bool written;
} touched[PIECES];
static uint32_t n_touched;
static struct {
    uint32_t first, n; /* of `pages` */
} pages_of[VT_HYBRID_STREAMS_MAX];
static struct vt_piece before; /* bytes of pages that are read and written, as they were */

static int by_place(const void *a, const void *b)
{
    const struct touched *x = a, *y = b;
    return (x->host > y->host) - (x->host < y->host);
}

static void touch(uint8_t *host, uint64_t bytes, bool written)
{
    struct touched *last = n_touched != 0 ? &touched[n_touched - 1] : NULL;
    if (last != NULL && last->written == written && last->host + last->bytes == host) {
        last->bytes += bytes;
    } else {
        touched[n_touched++] = (struct touched){host, bytes, written};
    }
}

/* Whether what is written is nothing else's. */
static bool stand_apart(void)
{
    const uint8_t *end = NULL, *written_end = NULL;
    qsort(touched, n_touched, sizeof *touched, by_place);
    for (uint32_t i = 0; i < n_touched; i++) {
        const struct touched *t = &touched[i];
        if (t->host < (t->written ? end : written_end)) {
            return false;
        }
        const uint8_t *behind = t->host + t->bytes;
        end = behind > end ? behind : end;
        written_end = t->written && behind > written_end ? behind : written_end;
    }
    return true;
}

static void touch_cells(const struct vt_slice *s)
{
    const struct vt_hybrid_kernel *d = &s->k->d;
    for (uint32_t i = 0; i < d->n_inputs; i++) {
        if (d->inputs[i].kind == VT_HYBRID_CELL) {
            touch(s->cells[i], d->inputs[i].bytes, false);
        }
    }
    for (uint32_t i = 0; i < d->n_carries; i++) {
        if (d->carries[i].kind == VT_HYBRID_CELL) {
            touch(s->cells[d->n_inputs + i], d->carries[i].bytes, true);
        }
    }
}

static uint64_t step_of(const struct vt_cursor *c)
{
    return (uint64_t)(c->stride < 0 ? -c->stride : c->stride);
}

/* Of n iterations, those whose pages surely have room in a request. */
static uint64_t within_room(const struct vt_slice *s, uint64_t n)
{
    uint64_t bytes = 0, most = VT_HYBRID_MAIL_PAGES;
    for (uint32_t i = 0; i < s->k->d.n_streams; i++) {
        uint64_t ends = s->cursors[i].width / VT_PAGE_BYTES + 2;
        bytes += step_of(&s->cursors[i]); /* at most 2^40 each */
        most -= ends < most ? ends : most;
    }
    return bytes == 0 || n < most * VT_PAGE_BYTES / bytes ? n : most * VT_PAGE_BYTES / bytes;
}

/* The request, while the mailbox is free. */
static bool write_request(struct vt_slice *s, uint32_t slot, uint64_t n)
{
    const struct vt_hybrid_kernel *d = &s->k->d;
    struct vt_hybrid_mailbox *m = vt_mailbox;
    uint32_t used = 0;
    n_touched = 0;
    for (uint32_t i = 0; i < d->n_streams; i++) {
        const struct vt_hybrid_stream *stream = &d->streams[i];
        const struct vt_cursor *c = &s->cursors[i];
        uint32_t found;
        if ((stream->writes != 0 && step_of(c) < c->width) ||
            vt_slice_pages(s, i, n, pages + used, VT_HYBRID_MAIL_PAGES - used, &found) != VT_GOES) {
            return false;
        }
        uint64_t lowest = c->stride < 0 ? c->va - (n - 1) * step_of(c) : c->va;
        m->streams[i].first = pages_of[i].first = used;
        m->streams[i].n = pages_of[i].n = found;
        m->streams[i].position =
            (int64_t)(c->va - (uint64_t)(int64_t)stream->low - (lowest & ~(VT_PAGE_BYTES - 1)));
        for (uint32_t p = used; p < used + found; p++) {
            touch(pages[p].host, pages[p].bytes, stream->writes != 0);
            m->pages[p] = (uint64_t)(pages[p].host - vt_ram.base) & ~(VT_PAGE_BYTES - 1);
        }
        used += found;
    }
    touch_cells(s);
    if (!stand_apart()) {
        return false;
    }
    m->slot = slot;
    m->count = n;
    memcpy(m->inputs, s->inputs, sizeof m->inputs);
    memcpy(m->carries, s->carries, sizeof m->carries);
    return true;
}

/* ---- what a slice that is lost must not leave behind ---- */

/* Copies the bytes of pages that iterations read and write to `before`, or back. */
static uint64_t copy_before(const struct vt_slice *s, bool back)
{
    const struct vt_hybrid_kernel *d = &s->k->d;
    uint64_t at = 0;
    for (uint32_t i = 0; i < d->n_streams; i++) {
        for (uint32_t p = 0; d->streams[i].reads && d->streams[i].writes && p < pages_of[i].n;
             p++) {
            const struct vt_piece *page = &pages[pages_of[i].first + p];
            if (at + page->bytes <= before.bytes) {
                memcpy(back ? page->host : before.host + at, back ? before.host + at : page->host,
                       page->bytes);
            }
            at += page->bytes;
        }
    }
    return at;
}

/* False: no memory. */
static bool keep_before(const struct vt_slice *s)
{
    uint64_t needs = copy_before(s, false);
    if (needs > before.bytes) {
        free(before.host);
        before.host = malloc(needs);
        before.bytes = before.host != NULL ? needs : 0;
        return copy_before(s, false) <= before.bytes;
    }
    return true;
}

static uint32_t state(void)
{
    return __atomic_load_n(&vt_mailbox->state, __ATOMIC_ACQUIRE);
}

static bool change(uint32_t from, uint32_t to)
{
    return __atomic_compare_exchange_n(&vt_mailbox->state, &from, to, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_RELAXED);
}

/* ---- waiting ---- */

/* While it is in that state, for at most so long. */
static void wait_while(uint32_t in, uint64_t most_ns)
{
    static long cpus;
    uint64_t begin = vt_clock_ns(), now = begin;
    cpus = cpus != 0 ? cpus : sysconf(_SC_NPROCESSORS_ONLN);
    while (state() == in && now - begin < most_ns) {
        if (cpus > 1 && now - begin < SPIN_NS) {
            __builtin_ia32_pause();
        } else {
            uint64_t rest = most_ns - (now - begin);
            struct timespec t = {.tv_nsec = (long)(rest < LOOK_NS ? rest : LOOK_NS)};
            (void)syscall(SYS_futex, &vt_mailbox->state, FUTEX_WAIT, in, &t, NULL, 0);
        }
        now = vt_clock_ns();
    }
}

/* Whether a process has ended; its descriptors are closed then, a GPU's among them. Another that
 * serves now says the same. */
static bool has_ended(uint32_t pid)
{
    if (__atomic_load_n(&vt_mailbox->worker, __ATOMIC_ACQUIRE) != pid) {
        return true;
    }
    struct pollfd p = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
    if (p.fd < 0) {
        return errno == ESRCH || errno == EINVAL;
    }
    bool ended = poll(&p, 1, 0) == 1;
    close(p.fd);
    return ended;
}

/* While it is taken, it may write; so the wait has no end but the worker's. */
static void wait_taken(uint32_t pid)
{
    do {
        wait_while(VT_HYBRID_MAIL_TAKEN, LOOK_NS);
    } while (state() == VT_HYBRID_MAIL_TAKEN && !has_ended(pid));
}

static void touch_written(void)
{
    for (uint32_t i = 0; i < n_touched; i++) {
        uint64_t n = touched[i].written ? touched[i].bytes : 0;
        uintptr_t in_page = (uintptr_t)touched[i].host & (VT_PAGE_BYTES - 1);
        for (uint64_t at = 0; at < n; at += VT_PAGE_BYTES - (at == 0 ? in_page : 0)) {
            volatile uint8_t *byte = touched[i].host + at;
            *byte = *byte;
        }
    }
}

/* ---- a slice ---- */

static enum vt_offload not_taken(struct vt_offload_pace *pace)
{
    pace->resting = pace->resting * 2 + 1 < RESTING_MAX ? pace->resting * 2 + 1 : RESTING_MAX;
    pace->rest = pace->resting;
    return VT_OFFLOAD_NOT;
}

static enum vt_offload lost(const struct vt_slice *s)
{
    (void)copy_before(s, true);
    /* Of what else it wrote, the guest writes each byte again. */
    touch_written();
    return VT_OFFLOAD_LOST;
}

static void adapt(struct vt_offload_pace *pace, uint64_t n, uint64_t took_ns)
{
    pace->resting = 0;
    if (took_ns > SLOW_NS) {
        pace->most = n / 2 > WORTH_IT ? n / 2 : WORTH_IT;
    } else if (took_ns < FAST_NS && n == pace->most) {
        pace->most *= 2;
    }
}

enum vt_offload vt_offload(struct vt_installed *k, struct vt_slice *s)
{
    uint32_t slot = (uint32_t)(k - vt_kernels);
    struct vt_offload_pace *pace = &k->offload;
    pace->most = pace->most != 0 ? pace->most : FIRST_MOST;
    uint32_t pid = __atomic_load_n(&vt_mailbox->worker, __ATOMIC_ACQUIRE);
    if (pid == 0 || __atomic_load_n(&k->slot->on_host, __ATOMIC_RELAXED) != 0 ||
        state() != VT_HYBRID_MAIL_FREE || vt_slice_begin(s) != VT_GOES || s->trips == UINT64_MAX) {
        return VT_OFFLOAD_NOT;
    }
    uint64_t n = within_room(s, s->trips < pace->most ? s->trips : pace->most);
    if (n < WORTH_IT || pace->rest != 0) {
        pace->rest -= pace->rest != 0;
        return VT_OFFLOAD_NOT;
    }
    uint64_t began = vt_clock_ns();
    if (!write_request(s, slot, n) || !keep_before(s)) {
        pace->most = n / 2 > WORTH_IT ? n / 2 : WORTH_IT; /* what is not as it must be is far on */
        return not_taken(pace);
    }
    if (!change(VT_HYBRID_MAIL_FREE, VT_HYBRID_MAIL_ASKED)) {
        return VT_OFFLOAD_NOT;
    }
    vt_futex_wake(&vt_mailbox->state);
    wait_while(VT_HYBRID_MAIL_ASKED, TAKEN_WITHIN_NS);
    if (change(VT_HYBRID_MAIL_ASKED, VT_HYBRID_MAIL_FREE)) {
        return not_taken(pace);
    }
    wait_taken(pid);
    if (change(VT_HYBRID_MAIL_REFUSED, VT_HYBRID_MAIL_FREE)) {
        return not_taken(pace);
    }
    if (state() != VT_HYBRID_MAIL_DONE) {
        /* What is no answer at all leaves the mailbox closed. */
        (void)change(VT_HYBRID_MAIL_TAKEN, VT_HYBRID_MAIL_FREE);
        return lost(s);
    }
    memcpy(s->carries, vt_mailbox->carries, k->kernel.d.n_carries * sizeof *s->carries);
    touch_written();
    (void)change(VT_HYBRID_MAIL_DONE, VT_HYBRID_MAIL_FREE);
    vt_slice_done(s, n);
    adapt(pace, n, vt_clock_ns() - began);
    return VT_OFFLOAD_DONE;
}
