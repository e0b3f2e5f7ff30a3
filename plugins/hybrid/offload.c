/* plugins/hybrid/offload.c - slices that a GPU runs for us: asked for in the segment's mailbox.
 *
 * A GPU runs iterations in any order, so nothing that is written may be anything else that is
 * touched: that is looked at page by page, since guest-virtual pages may be one page of RAM. What
 * it wrote came past QEMU's mapping; each such page is touched through it, for who tracks changes.
 * The worker is a process of the same owner, and may die: nothing of an answer is believed but that
 * the slice was run.
 */
#include "plugin.h"

#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define WORTH_IT 256u /* iterations */
#define TAKEN_WITHIN_NS 1000000
#define DONE_WITHIN_NS ((uint64_t)5000000000)
#define LOOK_NS 20000000
#define PIECES (VT_HYBRID_MAIL_PAGES + VT_HYBRID_INPUTS_MAX + VT_HYBRID_CARRIES_MAX)

static struct vt_piece pages[VT_HYBRID_MAIL_PAGES]; /* of all streams, as the request has them */
static struct touched {
    uint8_t *host;
    uint64_t bytes;
    bool written;
} touched[PIECES];
static uint32_t n_touched;

static uint64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int by_place(const void *a, const void *b)
{
    const struct touched *x = a, *y = b;
    return (x->host > y->host) - (x->host < y->host);
}

static void touch(uint8_t *host, uint64_t bytes, bool written)
{
    touched[n_touched++] = (struct touched){host, bytes, written};
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
        uint64_t step = (uint64_t)(c->stride < 0 ? -c->stride : c->stride);
        uint32_t found;
        if ((stream->writes != 0 && step < c->width) ||
            vt_slice_pages(s, i, n, pages + used, VT_HYBRID_MAIL_PAGES - used, &found) != VT_GOES) {
            return false;
        }
        uint64_t lowest = c->stride < 0 ? c->va - (n - 1) * step : c->va;
        m->streams[i].first = used;
        m->streams[i].n = found;
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

static uint32_t state(void)
{
    return __atomic_load_n(&vt_mailbox->state, __ATOMIC_ACQUIRE);
}

static bool change(uint32_t from, uint32_t to)
{
    return __atomic_compare_exchange_n(&vt_mailbox->state, &from, to, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_RELAXED);
}

/* While it is in that state, for at most so long. */
static void wait_while(uint32_t in, uint64_t most_ns)
{
    uint64_t end = clock_ns() + most_ns, now;
    while (state() == in && (now = clock_ns()) < end) {
        uint64_t rest = end - now < LOOK_NS ? end - now : LOOK_NS;
        struct timespec t = {.tv_nsec = (long)rest};
        (void)syscall(SYS_futex, &vt_mailbox->state, FUTEX_WAIT, in, &t, NULL, 0);
    }
}

static void touch_written(void)
{
    for (uint32_t i = 0; i < n_touched; i++) {
        if (touched[i].written) {
            volatile uint8_t *byte = touched[i].host;
            *byte = *byte;
        }
    }
}

enum vt_offload vt_offload(struct vt_installed *k, struct vt_slice *s)
{
    uint32_t slot = (uint32_t)(k - vt_kernels);
    if (__atomic_load_n(&vt_mailbox->worker, __ATOMIC_ACQUIRE) == 0 ||
        state() != VT_HYBRID_MAIL_FREE || vt_slice_begin(s) != VT_GOES || s->trips == UINT64_MAX) {
        return VT_OFFLOAD_NOT;
    }
    uint64_t n = vt_slice_bound(s, UINT64_MAX);
    if (n < WORTH_IT || !write_request(s, slot, n) ||
        !change(VT_HYBRID_MAIL_FREE, VT_HYBRID_MAIL_ASKED)) {
        return VT_OFFLOAD_NOT;
    }
    vt_futex_wake(&vt_mailbox->state);
    wait_while(VT_HYBRID_MAIL_ASKED, TAKEN_WITHIN_NS);
    if (change(VT_HYBRID_MAIL_ASKED, VT_HYBRID_MAIL_FREE)) {
        return VT_OFFLOAD_NOT;
    }
    wait_while(VT_HYBRID_MAIL_TAKEN, DONE_WITHIN_NS);
    if (change(VT_HYBRID_MAIL_REFUSED, VT_HYBRID_MAIL_FREE)) {
        return VT_OFFLOAD_NOT;
    }
    if (state() != VT_HYBRID_MAIL_DONE) {
        return VT_OFFLOAD_LOST; /* and the mailbox stays taken: it may yet write */
    }
    memcpy(s->carries, vt_mailbox->carries, k->kernel.d.n_carries * sizeof *s->carries);
    touch_written();
    (void)change(VT_HYBRID_MAIL_DONE, VT_HYBRID_MAIL_FREE);
    vt_slice_done(s, n);
    return VT_OFFLOAD_DONE;
}
