/* tests/fuzz/fuzz_hybrid_walk.c - kernels and guests that somebody made up: what is accepted
 * touches nothing but the guest's RAM. Input: a struct vt_hybrid_kernel's bytes that differ from a
 * good one (offset, value)*, a zero offset; how it is run (enum mode); a limit; registers; then RAM
 * from its page tables on. The good one has two streams, or streams and places of each kind.
 */
#include "plugins/hybrid/call.h"

#include <stdlib.h>
#include <string.h>

#define PAGES 24u
#define PIECES 64u

enum mode { TRIPS = 1, FIVE = 2, USER = 4, KEYS = 8, RICH = 32, ELSEWHERE = 64, CHUNK = 128 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *ram;
static bool holds_code(const uint8_t *host)
{
    size_t page = (size_t)(host - ram) / VT_PAGE_BYTES;
    if (page >= PAGES) {
        abort();
    }
    return page == 3;
}

/* Touches each window's ends, as far as its kind allows. */
static struct vt_kernel kernel;
static uint64_t run(const struct vt_hybrid_call *call)
{
    volatile uint8_t sink;
    for (uint32_t i = 0; i < kernel.d.n_streams; i++) {
        const struct vt_hybrid_stream *s = &kernel.d.streams[i];
        int64_t stride =
            s->stride_input != VT_HYBRID_NONE ? (int64_t)call->inputs[s->stride_input] : s->stride;
        for (uint64_t k = 0; k < call->count; k += call->count > 1 ? call->count - 1 : 1) {
            uint8_t *first = (uint8_t *)((uintptr_t)call->streams[i] + k * (uint64_t)stride +
                                         (uint64_t)(int64_t)s->low);
            uint8_t *last = first + (s->high - s->low) - 1;
            sink = (uint8_t)(*first + *last);
            if (s->writes != 0) {
                *first = *last = sink;
            }
        }
    }
    return call->count;
}

static uint64_t trips(const struct vt_hybrid_call *call)
{
    call->carries[0] = 1000;
    return 1;
}

static bool take(const uint8_t **data, size_t *size, void *to, size_t bytes)
{
    if (*size < bytes) {
        return false;
    }
    memcpy(to, *data, bytes);
    *data += bytes;
    *size -= bytes;
    return true;
}

static void make_plain(struct vt_hybrid_kernel *d)
{
    d->n_blocks = d->n_code = d->blocks[0].n = d->image_bytes = 1;
    d->trips_entry = VT_HYBRID_NONE;
    d->n_streams = 2;
    d->n_carries = 1;
    d->carries[0].bits = 64;
    for (uint32_t i = 0; i < 4; i++) {
        d->streams[i] =
            (struct vt_hybrid_stream){.position = {.n = 1, .reg = {i & 2}, .coefficient = {1}},
                                      .high = 8,
                                      .stride = 8,
                                      .stride_input = VT_HYBRID_NONE,
                                      .reads = 1,
                                      .writes = (uint8_t)(i & 1)};
    }
}

/* A table, a stream that goes backwards, cells at r4 and r6, all other places. */
static void make_rich(struct vt_hybrid_kernel *d)
{
    static const struct vt_hybrid_place inputs[] = {
        {.kind = VT_HYBRID_CELL,
         .bits = 64,
         .bytes = 8,
         .address = {.n = 1, .reg = {4}, .coefficient = {1}}},
        {.kind = VT_HYBRID_FS_BASE, .bits = 64},
        {.kind = VT_HYBRID_GS_BASE, .bits = 64},
        {.kind = VT_HYBRID_XMM_HIGH, .reg = 1, .bits = 32},
    };
    memcpy(d->inputs, inputs, sizeof inputs);
    d->n_inputs = 4;
    d->n_carries = 3;
    d->carries[1] = (struct vt_hybrid_place){.kind = VT_HYBRID_CELL,
                                             .bits = 32,
                                             .bytes = 4,
                                             .address = {.n = 1, .reg = {6}, .coefficient = {1}}};
    d->carries[2] = (struct vt_hybrid_place){.kind = VT_HYBRID_XMM_LOW, .reg = 2, .bits = 16};
    d->n_streams = 4;
    d->streams[2].stride = 0;
    d->streams[2].high = 64;
    d->streams[3].stride = -16;
    d->streams[3].low = -8;
    d->n_disjoint = 2;
    d->disjoint[0] = (struct vt_hybrid_disjoint){.a = 1, .b = 4};
    d->disjoint[1] = (struct vt_hybrid_disjoint){.a = 3, .b = 9};
}

static bool in_ram(const struct vt_memory *m, const uint8_t *at, uint64_t bytes)
{
    return at >= m->base && bytes <= m->bytes && at <= m->base + (m->bytes - bytes);
}

/* What others that run iterations are told: pages, or one piece of memory, of RAM. */
static void tell(struct vt_slice *s, bool elsewhere, uint64_t limit)
{
    struct vt_piece pieces[PIECES];
    if (vt_slice_begin(s) != VT_GOES) {
        return;
    }
    uint64_t n = vt_slice_bound(s, limit);
    n = elsewhere || n == 0 ? n : vt_slice_chunk(s, n);
    for (uint32_t i = 0; i < s->k->d.n_streams && n != 0; i++) {
        uint32_t count = 0;
        if (elsewhere) {
            (void)vt_slice_pages(s, i, n, pieces, PIECES, &count);
        } else {
            pieces[count++] = vt_cursor_hull(&s->cursors[i], n);
        }
        for (uint32_t p = 0; p < count; p++) {
            if (!in_ram(s->m, pieces[p].host, pieces[p].bytes)) {
                abort();
            }
        }
    }
    vt_slice_done(s, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct vt_slice slice;
    uint64_t gpr[16] = {0};
    struct vt_registers registers = {.gpr = gpr};
    memset(&kernel, 0, sizeof kernel);
    struct vt_hybrid_kernel *d = &kernel.d;
    const uint8_t *changes = data;
    uint16_t offset;
    uint8_t value;
    while (take(&data, &size, &offset, sizeof offset) && offset != 0 &&
           take(&data, &size, &value, sizeof value)) {
    }
    const uint8_t *end = data;
    uint8_t mode = 0;
    uint64_t limit = 0;
    (void)take(&data, &size, &mode, sizeof mode);
    (void)take(&data, &size, &limit, 2);
    (void)take(&data, &size, gpr, sizeof gpr);
    make_plain(d);
    if ((mode & RICH) != 0) {
        make_rich(d);
    }
    for (; end - changes >= 3; changes += 3) {
        memcpy(&offset, changes, sizeof offset);
        ((uint8_t *)d)[offset % sizeof *d] = changes[2];
    }
    if (vt_kernel_check(&kernel) != VT_HYBRID_REFUSED_NOT) {
        return 0;
    }
    kernel.run = run;
    kernel.trips = (mode & TRIPS) != 0 ? trips : NULL;
    /* Of its own, so that what lies beyond is found out. */
    uint8_t *pages = NULL;
    if (posix_memalign((void **)&pages, VT_PAGE_BYTES, PAGES * VT_PAGE_BYTES) != 0) {
        return 0;
    }
    memset(pages, 0, PAGES * VT_PAGE_BYTES);
    memcpy(pages, data, size < PAGES * VT_PAGE_BYTES ? size : PAGES * VT_PAGE_BYTES);
    ram = pages;
    struct vt_memory m = {.base = pages, .bytes = PAGES * VT_PAGE_BYTES, .holds_code = holds_code};
    const struct vt_hybrid_range ranges[] = {{0x100000, 16 * VT_PAGE_BYTES, 0},
                                             {0x200000, 8 * VT_PAGE_BYTES, 16 * VT_PAGE_BYTES}};
    const struct vt_paging paging = {.root = 0x100000,
                                     .five = (mode & FIVE) != 0,
                                     .user = (mode & USER) != 0,
                                     .user_pages = (mode & (USER | KEYS)) != 0,
                                     .user_keys = (mode & KEYS) != 0,
                                     .kernel_keys = (mode & KEYS) != 0};
    if (!vt_memory_ranges(&m, ranges, 2)) {
        abort();
    }
    slice.k = &kernel;
    slice.m = &m;
    slice.p = &paging;
    slice.r = &registers;
    registers.fs_base = gpr[8];
    registers.gs_base = gpr[9];
    if ((mode & (ELSEWHERE | CHUNK)) != 0) {
        tell(&slice, (mode & ELSEWHERE) != 0, limit);
    } else {
        vt_slice_run(&slice, limit);
    }
    if (slice.iterations > limit || (slice.why != VT_GOES && slice.why >= VT_HYBRID_DECLINES)) {
        abort();
    }
    free(pages);
    return 0;
}
