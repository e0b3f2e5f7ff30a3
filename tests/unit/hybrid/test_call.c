/* tests/unit/hybrid/test_call.c - slices: random streams over random page tables, against the same
 * iterations one by one and byte by byte; and each guard by itself.
 */
#include "tests/unit/harness.h"

#include "fake_guest.h"

#include <string.h>

#define VA UINT64_C(0x10000000)
#define VA_PAGES 64u
#define SPAN (VA_PAGES * VT_PAGE_BYTES)

static struct vt_slice slice;
static struct vt_kernel kernel;
static struct vt_registers registers;
static uint64_t gpr[16];

static uint64_t seed = 1;
static uint64_t next(uint64_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % below;
}

/* ---- the program: every byte of a written window is made of all read ones and the carry ---- */

static void iterate(const struct vt_hybrid_kernel *d, uint8_t *const *windows, uint64_t *carry)
{
    uint64_t mixed = *carry;
    for (uint32_t i = 0; i < d->n_streams; i++) {
        for (int32_t b = 0; d->streams[i].reads && b < d->streams[i].high - d->streams[i].low;
             b++) {
            mixed = mixed * 31 + windows[i][b];
        }
    }
    for (uint32_t i = 0; i < d->n_streams; i++) {
        for (int32_t b = 0; d->streams[i].writes && b < d->streams[i].high - d->streams[i].low;
             b++) {
            windows[i][b] = (uint8_t)(mixed >> b % 8);
        }
    }
    *carry = mixed;
}

static uint64_t most_each_call = UINT64_MAX;
static uint64_t run(const struct vt_hybrid_call *call)
{
    const struct vt_hybrid_kernel *d = &kernel.d;
    uint64_t n = call->count < most_each_call ? call->count : most_each_call;
    for (uint64_t k = 0; k < n; k++) {
        uint8_t *windows[VT_HYBRID_STREAMS_MAX];
        for (uint32_t i = 0; i < d->n_streams; i++) {
            windows[i] = call->streams[i] + d->streams[i].low + (int64_t)k * d->streams[i].stride;
        }
        iterate(d, windows, &call->carries[0]);
        call->carries[1]++;
    }
    return n;
}

/* One iteration on guest-virtual memory, as the processor would: the reason why not, or VT_GOES. */
static int reference(struct fake_guest *g, uint64_t index, uint64_t *carry)
{
    static uint8_t bytes[VT_HYBRID_STREAMS_MAX][VT_HYBRID_WINDOW_MAX];
    uint8_t *windows[VT_HYBRID_STREAMS_MAX];
    const struct vt_hybrid_kernel *d = &kernel.d;
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < d->n_streams; i++) {
            const struct vt_hybrid_stream *s = &d->streams[i];
            uint64_t va = s->position.constant + index * (uint64_t)s->stride;
            windows[i] = bytes[i];
            for (int32_t b = s->low; b < s->high; b++) {
                struct vt_walk_cache cache = {0};
                struct vt_page page;
                uint64_t at = va + (uint64_t)(int64_t)b;
                int rc = vt_walk(&g->m, &g->p, &cache, at, s->writes ? VT_WRITES : VT_READS, &page);
                if (rc != VT_GOES) {
                    return rc;
                }
                uint8_t *byte = page.host + (at - page.va);
                if (s->writes && g->m.holds_code(byte)) {
                    return VT_HYBRID_TRANSLATED;
                }
                if (pass == 0) {
                    bytes[i][b - s->low] = *byte;
                } else if (s->writes) {
                    *byte = bytes[i][b - s->low];
                }
            }
        }
        if (pass == 0) {
            iterate(d, windows, carry);
        }
    }
    return VT_GOES;
}

static void prepare(struct fake_guest *g)
{
    kernel.run = run;
    most_each_call = UINT64_MAX;
    kernel.d.n_carries = 2;
    kernel.d.carries[0] = (struct vt_hybrid_place){.kind = VT_HYBRID_GPR, .reg = 3, .bits = 64};
    kernel.d.carries[1] = (struct vt_hybrid_place){.kind = VT_HYBRID_GPR, .reg = 4, .bits = 64};
    kernel.d.n_blocks = 1;
    kernel.d.n_code = 1;
    kernel.d.blocks[0].n = 1;
    kernel.d.image_bytes = 1;
    kernel.d.trips_entry = VT_HYBRID_NONE;
    registers = (struct vt_registers){.gpr = gpr};
    slice.k = &kernel;
    slice.m = &g->m;
    slice.p = &g->p;
    slice.r = &registers;
    gpr[4] = 0;
}

static struct vt_hybrid_stream stream(uint64_t va, int32_t low, int32_t high, int64_t stride,
                                      bool writes)
{
    return (struct vt_hybrid_stream){.position = {.constant = va},
                                     .low = low,
                                     .high = high,
                                     .stride = stride,
                                     .stride_input = VT_HYBRID_NONE,
                                     .reads = !writes,
                                     .writes = writes};
}

static bool windows_overlap(struct fake_guest *g, uint64_t index)
{
    /* By addresses in RAM, byte by byte. */
    static uint8_t owner[FAKE_PAGES * 4096];
    const struct vt_hybrid_kernel *d = &kernel.d;
    bool overlap = false;
    for (int mark = 1; mark >= 0; mark--) {
        for (uint32_t i = 0; i < d->n_streams; i++) {
            const struct vt_hybrid_stream *s = &d->streams[i];
            uint64_t va = s->position.constant + index * (uint64_t)s->stride;
            for (int32_t b = s->low; b < s->high; b++) {
                struct vt_walk_cache cache = {0};
                struct vt_page page;
                uint64_t at = va + (uint64_t)(int64_t)b;
                if (vt_walk(&g->m, &g->p, &cache, at, VT_READS, &page) == VT_GOES) {
                    size_t o = (size_t)(page.host - g->m.base + (int64_t)(at - page.va));
                    overlap = overlap || (mark && owner[o] != 0 && owner[o] != i + 1);
                    owner[o] = mark ? (uint8_t)(i + 1) : 0;
                }
            }
        }
    }
    return overlap;
}

static void random_pages(struct fake_guest *g)
{
    fake_init(g, next(2) != 0);
    uint64_t scatter = next(3), trouble = next(2) != 0 ? 40 : 100000;
    for (uint32_t i = 0; i < VA_PAGES; i++) {
        uint32_t page = scatter == 0 ? i : scatter == 1 ? i ^ 1 : (uint32_t)next(80);
        uint64_t bits = FAKE_ALL, chance = next(trouble);
        bits = chance == 0   ? 0
               : chance == 1 ? P | U | A
               : chance == 2 ? FAKE_ALL & ~(uint64_t)D
               : chance == 3 ? FAKE_ALL & ~(uint64_t)U
                             : bits;
        fake_map(g, VA + i * VT_PAGE_BYTES, page, bits);
        fake_code[page] = next(trouble) == 0;
    }
    for (size_t i = 0; i < 80 * VT_PAGE_BYTES; i += 8) {
        *(uint64_t *)(void *)(g->m.base + i) = next(UINT64_MAX);
    }
}

static void slices_do_what_iterations_do(void **state)
{
    (void)state;
    static uint8_t before[80 * 4096], after[80 * 4096];
    uint64_t ran = 0, bounced = 0;
    for (int round = 0; round < 400; round++) {
        struct fake_guest g;
        memset(&kernel, 0, sizeof kernel);
        random_pages(&g);
        kernel.d.n_streams = 1 + (uint32_t)next(3);
        bool wide = false;
        for (uint32_t i = 0; i < kernel.d.n_streams; i++) {
            static const int64_t strides[] = {0, 1, 8, -8, 16, 24, -1, 4096, 5000, -4100, 3};
            int32_t low = (int32_t)next(40) - 20;
            int32_t width = next(10) == 0 ? (int32_t)next(9000) + 1 : (int32_t)next(64) + 1;
            wide = wide || width > 64;
            kernel.d.streams[i] = stream(VA + 10000 + next(SPAN - 30000), low, low + width,
                                         strides[next(11)], next(2) != 0);
        }
        prepare(&g);
        assert_int_equal(vt_kernel_check(&kernel), VT_HYBRID_REFUSED_NOT);
        gpr[3] = next(1000);
        uint64_t carry = gpr[3], limit = 1 + next(wide ? 60 : 600);
        memcpy(before, g.m.base, sizeof before);
        vt_slice_run(&slice, limit);
        memcpy(after, g.m.base, sizeof after);
        assert_int_equal(gpr[4], slice.iterations);
        memcpy(g.m.base, before, sizeof before);
        for (uint64_t k = 0; k < slice.iterations; k++) {
            assert_int_equal(reference(&g, k, &carry), VT_GOES);
        }
        assert_memory_equal(g.m.base, after, sizeof after);
        assert_true(slice.iterations == 0 || carry == gpr[3]);
        if (slice.why == VT_GOES) {
            assert_int_equal(slice.iterations, limit);
        } else if (slice.why == VT_HYBRID_CROSSING) {
            assert_true(windows_overlap(&g, slice.iterations));
        } else if (slice.why == VT_HYBRID_FEW) { /* for a table in scattered pages */
            assert_true(slice.iterations == 0 && wide);
        } else {
            assert_int_not_equal(reference(&g, slice.iterations, &carry), VT_GOES);
        }
        ran += slice.iterations;
        bounced += slice.bounced;
        fake_fini(&g);
    }
    assert_true(ran > 10000 && bounced > 100);
}

static void plain(struct fake_guest *g, bool writes)
{
    memset(&kernel, 0, sizeof kernel);
    fake_init(g, false);
    for (uint32_t i = 0; i < VA_PAGES; i++) {
        fake_map(g, VA + i * VT_PAGE_BYTES, i, FAKE_ALL);
    }
    kernel.d.n_streams = 1;
    kernel.d.streams[0] = stream(VA, 0, 8, 8, writes);
    prepare(g);
}

static uint64_t seven(const struct vt_hybrid_call *call)
{
    call->carries[0] = 7;
    return 1;
}

static void bounds_are_kept(void **state)
{
    (void)state;
    struct fake_guest g;
    plain(&g, true);
    kernel.d.slice_iterations = 100;
    assert_int_equal(vt_kernel_check(&kernel), VT_HYBRID_REFUSED_NOT);
    vt_slice_run(&slice, UINT64_MAX);
    assert_true(slice.iterations == 100 && slice.why == VT_GOES && slice.chunks == 1);
    kernel.d.slice_bytes = 320;
    assert_int_equal(vt_kernel_check(&kernel), VT_HYBRID_REFUSED_NOT);
    vt_slice_run(&slice, UINT64_MAX);
    assert_int_equal(slice.iterations, 40);
    assert_int_equal(slice.bytes, 320);
    kernel.trips = seven;
    vt_slice_run(&slice, UINT64_MAX);
    assert_int_equal(slice.iterations, 7);
    kernel.d.min_iterations = 8;
    vt_slice_run(&slice, UINT64_MAX);
    assert_true(slice.iterations == 0 && slice.why == VT_HYBRID_FEW && slice.trips == 7);
    kernel.trips = NULL;
    kernel.d.min_iterations = 1;
    most_each_call = 5;
    vt_slice_run(&slice, UINT64_MAX);
    assert_true(slice.iterations == 5 && slice.why == VT_HYBRID_CHECKED);
    fake_fini(&g);
}

static void what_must_be_disjoint_is(void **state)
{
    (void)state;
    struct fake_guest g;
    plain(&g, false);
    /* A cell that is a carry, in the stream's third page, through another mapping of it. */
    kernel.d.carries[0] = (struct vt_hybrid_place){
        .kind = VT_HYBRID_CELL, .bits = 32, .bytes = 4, .address = {.constant = VA + SPAN + 100}};
    fake_map(&g, VA + SPAN, 2, FAKE_ALL);
    kernel.d.n_disjoint = 1;
    kernel.d.disjoint[0] = (struct vt_hybrid_disjoint){.a = 0, .b = 1};
    fake_map(&g, VA + 2 * VT_PAGE_BYTES, 50, FAKE_ALL); /* the stream's page lies elsewhere */
    fake_map(&g, VA + 3 * VT_PAGE_BYTES, 2, FAKE_ALL);
    assert_int_equal(vt_kernel_check(&kernel), VT_HYBRID_REFUSED_NOT);
    vt_slice_run(&slice, UINT64_MAX);
    assert_int_equal(slice.why, VT_HYBRID_OVERLAP);
    assert_int_equal(slice.iterations, 3 * 512);
    kernel.d.disjoint[0].only_parallel = 1;
    vt_slice_run(&slice, 4 * 512);
    assert_int_equal(slice.why, VT_GOES);
    fake_fini(&g);
}

static void cells_are_written_back(void **state)
{
    (void)state;
    struct fake_guest g;
    plain(&g, false);
    kernel.d.carries[1] = (struct vt_hybrid_place){
        .kind = VT_HYBRID_CELL, .bits = 16, .bytes = 2, .address = {.constant = VA + SPAN + 7}};
    fake_map(&g, VA + SPAN, 70, FAKE_ALL);
    assert_int_equal(vt_kernel_check(&kernel), VT_HYBRID_REFUSED_NOT);
    memcpy(fake_page(&g, 70) + 7, "\xf0\xff\x55", 3);
    vt_slice_run(&slice, 100);
    assert_int_equal(slice.iterations, 100);
    assert_memory_equal(fake_page(&g, 70) + 7, "\x54\x00\x55", 3);
    *fake_entry(&g, VA + SPAN, 1) &= ~(uint64_t)D;
    vt_slice_run(&slice, 100);
    assert_true(slice.iterations == 0 && slice.why == VT_HYBRID_CLEAN);
    kernel.d.carries[1].address.constant = VA + SPAN + 4095;
    *fake_entry(&g, VA + SPAN, 1) |= D;
    vt_slice_run(&slice, 100);
    assert_int_equal(slice.why, VT_HYBRID_CROSSING);
    fake_fini(&g);
}

static void cells_in_two_pages_of_a_large_one(void **state)
{
    (void)state;
    struct fake_guest g;
    plain(&g, false);
    const uint64_t large = UINT64_C(0x40000000);
    *fake_entry(&g, large, 2) = (FAKE_GPA + 256 * VT_PAGE_BYTES) | FAKE_ALL | PS;
    kernel.d.carries[1] = (struct vt_hybrid_place){
        .kind = VT_HYBRID_CELL, .bits = 32, .bytes = 4, .address = {.constant = large + 4094}};
    assert_int_equal(vt_kernel_check(&kernel), VT_HYBRID_REFUSED_NOT);
    vt_slice_run(&slice, 5);
    assert_int_equal(slice.iterations, 5);
    assert_memory_equal(fake_page(&g, 256) + 4094, "\x05\x00\x00\x00", 4);
    for (uint32_t page = 256; page < 258; page++) {
        fake_code[page] = 1;
        vt_slice_run(&slice, 5);
        assert_true(slice.iterations == 0 && slice.why == VT_HYBRID_TRANSLATED);
        fake_code[page] = 0;
    }
    fake_fini(&g);
}

/* What comes from where: inputs of each kind, a carry in a vector register, a stream whose position
 * and stride are inputs. */
static uint64_t places(const struct vt_hybrid_call *call)
{
    static const uint64_t inputs[] = {0x1111, 0x2222, 0x33, 0x5555, 1, VA + 16, 24};
    assert_int_equal(call->count, 3);
    assert_memory_equal(call->inputs, inputs, sizeof inputs);
    assert_int_equal(call->carries[0], 0x6666);
    assert_int_equal(*(const uint64_t *)(const void *)call->streams[0], 0x0706050403020100);
    call->carries[0] = 0x7777;
    call->carries[1] = ~UINT64_C(0);
    return call->count;
}

static uint64_t three(const struct vt_hybrid_call *call)
{
    assert_int_equal(call->inputs[7], 0x6666); /* the carries come behind the inputs */
    call->carries[0] = 3;
    return 1;
}

static void values_come_from_every_kind_of_place(void **state)
{
    (void)state;
    struct fake_guest g;
    plain(&g, false);
    struct vt_hybrid_kernel *d = &kernel.d;
    static const struct vt_hybrid_place inputs[] = {
        {.kind = VT_HYBRID_FS_BASE, .bits = 64},
        {.kind = VT_HYBRID_GS_BASE, .bits = 64},
        {.kind = VT_HYBRID_XMM_LOW, .reg = 5, .bits = 8},
        {.kind = VT_HYBRID_XMM_HIGH, .reg = 6, .bits = 64},
        {.kind = VT_HYBRID_GPR, .reg = 7, .bits = 1},
        {.kind = VT_HYBRID_GPR, .reg = 8, .bits = 64},
        {.kind = VT_HYBRID_CELL, .bits = 16, .bytes = 2, .address = {.constant = VA + SPAN - 2}},
    };
    memcpy(d->inputs, inputs, sizeof inputs);
    d->n_inputs = 7;
    d->carries[0] = (struct vt_hybrid_place){.kind = VT_HYBRID_XMM_HIGH, .reg = 9, .bits = 16};
    d->carries[1] = (struct vt_hybrid_place){.kind = VT_HYBRID_XMM_LOW, .reg = 10, .bits = 32};
    d->streams[0].position = (struct vt_hybrid_linear){
        .n = 3,
        .constant = (uint64_t)0 - 0x6666 - 0x2222,
        .reg = {VT_HYBRID_LINEAR_PLACE + 5, VT_HYBRID_LINEAR_PLACE + 7, 17},
        .coefficient = {1, 1, 1}};
    d->carries[0].bits = 64;
    d->streams[0].stride_input = 6;
    kernel.run = places;
    kernel.trips = three;
    assert_int_equal(vt_kernel_check(&kernel), VT_HYBRID_REFUSED_NOT);
    assert_int_equal(kernel.vectors, VT_SSE);
    registers.fs_base = 0x1111;
    registers.gs_base = 0x2222;
    registers.xmm[5][0] = 0x4433;
    registers.xmm[6][1] = 0x5555;
    registers.xmm[9][1] = 0x6666;
    registers.xmm[10][1] = 0x8888;
    gpr[7] = 3;
    gpr[8] = VA + 16;
    memcpy(fake_page(&g, 0) + 16, "\0\1\2\3\4\5\6\7", 8);
    memcpy(fake_page(&g, VA_PAGES - 1) + 4094, "\x18", 2);
    vt_slice_run(&slice, 100);
    assert_true(slice.iterations == 3 && slice.trips == 3 && slice.why == VT_GOES);
    assert_int_equal(registers.xmm[9][1], 0x7777);
    assert_int_equal(registers.xmm[10][0], UINT32_MAX);
    assert_int_equal(registers.xmm[10][1], 0x8888);
    assert_int_equal(registers.xmm_changed, 1U << 9 | 1U << 10);
    d->inputs[6] = inputs[5]; /* a stride that is an address */
    gpr[8] = UINT64_C(1) << 41;
    registers.xmm[9][1] = 0x6666;
    vt_slice_run(&slice, 100);
    assert_true(slice.iterations == 0 && slice.why == VT_HYBRID_ADDRESS);
    /* The same with upper halves, of a loop of AVX. */
    gpr[8] = VA + 16;
    d->inputs[6] = inputs[6];
    d->inputs[3].kind = VT_HYBRID_YMM_LOW;
    d->carries[0].kind = VT_HYBRID_YMM_HIGH;
    registers.xmm[6][2] = 0x5555;
    registers.xmm[9][3] = 0x6666;
    assert_int_equal(vt_kernel_check(&kernel), VT_HYBRID_REFUSED_NOT);
    assert_int_equal(kernel.vectors, VT_AVX);
    vt_slice_run(&slice, 100);
    assert_true(slice.iterations == 3 && slice.why == VT_GOES);
    assert_int_equal(registers.xmm[9][3], 0x7777);
    assert_int_equal(registers.xmm[9][1], 0x6666);
    fake_fini(&g);
}

static void slices_in_other_hands(void **state)
{
    (void)state;
    struct fake_guest g;
    struct vt_piece pieces[4];
    uint32_t n;
    for (int backwards = 0; backwards < 2; backwards++) {
        plain(&g, true);
        kernel.d.streams[0].position.constant = backwards ? VA + 3 * VT_PAGE_BYTES - 8 : VA + 96;
        kernel.d.streams[0].stride = backwards ? -8 : 8;
        fake_map(&g, VA + VT_PAGE_BYTES, 40, FAKE_ALL);
        assert_int_equal(vt_kernel_check(&kernel), VT_HYBRID_REFUSED_NOT);
        assert_int_equal(vt_slice_begin(&slice), VT_GOES);
        assert_int_equal(vt_slice_bound(&slice, 1000), 1000);
        assert_int_equal(vt_slice_pages(&slice, 0, 1000, pieces, 4, &n), VT_GOES);
        static const uint32_t wanted[2][3] = {{0, 40, 0}, {40, 2, 0}};
        assert_int_equal(n, 2);
        uint64_t first = backwards ? 3 * VT_PAGE_BYTES - 8000 : 96, end = first + 8000;
        for (uint32_t i = 0; i < n; i++) {
            uint64_t last = (first | (VT_PAGE_BYTES - 1)) + 1;
            last = last < end ? last : end;
            assert_ptr_equal(pieces[i].host,
                             fake_page(&g, wanted[backwards][i]) + (first & (VT_PAGE_BYTES - 1)));
            assert_int_equal(pieces[i].bytes, last - first);
            first = last;
        }
        assert_int_equal(vt_slice_pages(&slice, 0, 1000, pieces, 1, &n), VT_HYBRID_CROSSING);
        *fake_entry(&g, VA + VT_PAGE_BYTES, 1) = 0;
        assert_int_equal(vt_slice_begin(&slice), VT_GOES);
        assert_int_equal(vt_slice_pages(&slice, 0, 1000, pieces, 4, &n), VT_HYBRID_ABSENT);
        slice.carries[1] = 77;
        vt_slice_done(&slice, 1000);
        assert_true(gpr[4] == 77 && slice.iterations == 1000 && slice.bytes == 8000);
        fake_fini(&g);
    }
    /* Beyond the end of the address space. */
    plain(&g, true);
    kernel.d.streams[0].position.constant = (uint64_t)0 - 80;
    assert_int_equal(vt_slice_begin(&slice), VT_GOES);
    assert_int_equal(vt_slice_pages(&slice, 0, 100, pieces, 4, &n), VT_HYBRID_ADDRESS);
    fake_fini(&g);
}

/* For canaries: iterations whose windows lie together, and none that goes by a copy. */
static void chunks_without_copies(void **state)
{
    (void)state;
    struct fake_guest g;
    plain(&g, false);
    kernel.d.streams[0].position.constant = VA + 4; /* the last window of each page crosses */
    fake_map(&g, VA + VT_PAGE_BYTES, 40, FAKE_ALL);
    assert_int_equal(vt_kernel_check(&kernel), VT_HYBRID_REFUSED_NOT);
    assert_int_equal(vt_slice_begin(&slice), VT_GOES);
    assert_int_equal(vt_slice_chunk(&slice, 1000), 511);
    assert_ptr_equal(slice.hosts[0], fake_page(&g, 0) + 4);
    struct vt_piece hull = vt_cursor_hull(&slice.cursors[0], 511);
    assert_true(hull.host == fake_page(&g, 0) + 4 && hull.bytes == 511 * 8);
    kernel.d.streams[0].position.constant = VA + VT_PAGE_BYTES - 4;
    assert_int_equal(vt_slice_begin(&slice), VT_GOES);
    assert_true(vt_slice_chunk(&slice, 1000) == 0 && slice.why == VT_HYBRID_CROSSING);
    fake_fini(&g);
}

/* A table that lies in scattered pages is copied once for a slice, however many chunks it has. */
static uint64_t in_copy(const struct vt_hybrid_call *call)
{
    uint64_t n = run(call);
    for (uint64_t k = 0; k < n; k++) {
        assert_int_equal(call->streams[0][0], 0x42);
        assert_int_equal(call->streams[0][8], 0x43);
    }
    return n;
}

static void tables_are_copied_once(void **state)
{
    (void)state;
    struct fake_guest g;
    plain(&g, false);
    kernel.d.n_streams = 2;
    kernel.d.streams[0] = stream(VA + VT_PAGE_BYTES - 8, 0, 16, 0, false);
    kernel.d.streams[1] = stream(VA + 8 * VT_PAGE_BYTES, 0, 8, 8, true);
    fake_map(&g, VA + VT_PAGE_BYTES, 40, FAKE_ALL);
    fake_page(&g, 0)[VT_PAGE_BYTES - 8] = 0x42;
    fake_page(&g, 40)[0] = 0x43;
    fake_map(&g, VA + 9 * VT_PAGE_BYTES, 41, FAKE_ALL);
    kernel.run = in_copy;
    assert_int_equal(vt_kernel_check(&kernel), VT_HYBRID_REFUSED_NOT);
    vt_slice_run(&slice, 1500);
    assert_true(slice.iterations == 1500 && slice.chunks == 3 && slice.why == VT_GOES);
    fake_fini(&g);
}

/* Counts of a histogram: each iteration adds 1 to a byte of one table in scattered pages. */
static uint64_t count(const struct vt_hybrid_call *call)
{
    for (uint64_t k = 0; k < call->count; k++) {
        call->streams[0][call->streams[1][k] * 32]++;
    }
    return call->count;
}

/* However many chunks a slice has; a slice that is too short for it is the guest's. */
static void written_tables_are_copied_once(void **state)
{
    (void)state;
    struct fake_guest g;
    plain(&g, false);
    const uint64_t table = VA + 32 * VT_PAGE_BYTES - 100;
    kernel.d.n_streams = 2;
    kernel.d.streams[0] = stream(table, 0, 8200, 0, true);
    kernel.d.streams[1] = stream(VA, 0, 1, 1, false);
    fake_map(&g, VA + 32 * VT_PAGE_BYTES, 40, FAKE_ALL);
    fake_map(&g, VA + 33 * VT_PAGE_BYTES, 42, FAKE_ALL);
    kernel.run = count;
    assert_int_equal(vt_kernel_check(&kernel), VT_HYBRID_REFUSED_NOT);
    memset(fake_page(&g, 0), 3, 1000);
    memset(fake_page(&g, 0) + 100, 132, 4);
    vt_slice_run(&slice, 1000);
    assert_true(slice.iterations == 1000 && slice.chunks == 1 && slice.why == VT_GOES);
    assert_int_equal(fake_page(&g, 31)[VT_PAGE_BYTES - 4], 996 % 256);
    assert_int_equal(fake_page(&g, 42)[132 * 32 - 100 - VT_PAGE_BYTES], 4);
    /* What is counted is in the table itself, later on. */
    kernel.d.streams[1] = stream(table - 500, 0, 1, 1, false);
    vt_slice_run(&slice, 1000);
    assert_true(slice.iterations == 500 && slice.why == VT_HYBRID_CROSSING);
    /* One page of RAM is there twice. */
    kernel.d.streams[1] = stream(VA, 0, 1, 1, false);
    fake_map(&g, VA + 33 * VT_PAGE_BYTES, 31, FAKE_ALL);
    vt_slice_run(&slice, 1000);
    assert_true(slice.iterations == 0 && slice.why == VT_HYBRID_CROSSING);
    /* The source lies in scattered pages, too. */
    fake_map(&g, VA + 33 * VT_PAGE_BYTES, 42, FAKE_ALL);
    fake_map(&g, VA + VT_PAGE_BYTES, 50, FAKE_ALL);
    memset(fake_page(&g, 0), 3, VT_PAGE_BYTES);
    memset(fake_page(&g, 50), 5, VT_PAGE_BYTES);
    memset(fake_page(&g, 31), 0, VT_PAGE_BYTES);
    memset(fake_page(&g, 40), 0, VT_PAGE_BYTES);
    kernel.d.streams[1] = stream(VA + VT_PAGE_BYTES - 600, 0, 1, 1, false);
    vt_slice_run(&slice, 700);
    assert_true(slice.iterations == 700 && slice.chunks == 2 && slice.why == VT_GOES);
    assert_int_equal(fake_page(&g, 31)[VT_PAGE_BYTES - 100 + 96], 600 % 256);
    assert_int_equal(fake_page(&g, 40)[5 * 32 - 100], 100);
    vt_slice_run(&slice, 500);
    assert_true(slice.iterations == 0 && slice.why == VT_HYBRID_FEW);
    fake_fini(&g);
}

static void images_are_code(void **state)
{
    (void)state;
#ifndef __x86_64__
    skip();
#endif
    static const uint8_t image[] = {0xf4, 0xb8, 5, 0, 0, 0, 0xc3, 0xb8, 6, 0, 0, 0, 0xc3};
    struct fake_guest g;
    plain(&g, true);
    kernel.d.image_bytes = sizeof image;
    kernel.d.entry = 1;
    kernel.d.trips_entry = 7;
    assert_int_equal(vt_kernel_check(&kernel), VT_HYBRID_REFUSED_NOT);
    assert_int_equal(vt_kernel_image(&kernel, image), VT_HYBRID_REFUSED_NOT);
    assert_int_equal(kernel.run(NULL), 5);
    assert_int_equal(kernel.trips(NULL), 6);
    vt_kernel_drop(&kernel);
    assert_null(kernel.image);
    kernel.d.trips_entry = VT_HYBRID_NONE;
    assert_int_equal(vt_kernel_image(&kernel, image), VT_HYBRID_REFUSED_NOT);
    assert_null(kernel.trips);
    vt_kernel_drop(&kernel);
    vt_kernel_drop(&kernel);
    fake_fini(&g);
}

/* Two variables a page apart, of which a page that is mapped twice makes one. */
static void cells_in_one_page_of_ram(void **state)
{
    (void)state;
    struct fake_guest g;
    plain(&g, false);
    for (uint32_t i = 0; i < 2; i++) {
        kernel.d.carries[i] =
            (struct vt_hybrid_place){.kind = VT_HYBRID_CELL,
                                     .bits = 64,
                                     .bytes = 8,
                                     .address = {.constant = VA + SPAN + i * (VT_PAGE_BYTES + 4),
                                                 .n = 1,
                                                 .reg[0] = 7,
                                                 .coefficient[0] = 1}};
    }
    gpr[7] = 64;
    fake_map(&g, VA + SPAN, 70, FAKE_ALL);
    fake_map(&g, VA + SPAN + VT_PAGE_BYTES, 71, FAKE_ALL);
    assert_int_equal(vt_kernel_check(&kernel), VT_HYBRID_REFUSED_NOT);
    vt_slice_run(&slice, 100);
    assert_int_equal(slice.iterations, 100);
    fake_map(&g, VA + SPAN + VT_PAGE_BYTES, 70, FAKE_ALL);
    vt_slice_run(&slice, 100);
    assert_true(slice.iterations == 0 && slice.why == VT_HYBRID_OVERLAP);
    fake_fini(&g);
}

static void alignment_and_ends_of_space(void **state)
{
    (void)state;
    struct fake_guest g;
    plain(&g, false);
    kernel.d.streams[0].aligned = 16;
    kernel.d.streams[0].stride = 16;
    assert_int_equal(vt_kernel_check(&kernel), VT_HYBRID_REFUSED_NOT);
    vt_slice_run(&slice, 10);
    assert_int_equal(slice.iterations, 10);
    kernel.d.streams[0].position.constant += 8;
    vt_slice_run(&slice, 10);
    assert_int_equal(slice.why, VT_HYBRID_UNALIGNED);
    kernel.d.streams[0].position.constant += 8; /* 16, and not 32 */
    vt_slice_run(&slice, 10);
    assert_int_equal(slice.iterations, 10);
    kernel.d.streams[0].aligned = 32;
    vt_slice_run(&slice, 10);
    assert_int_equal(slice.why, VT_HYBRID_UNALIGNED);
    kernel.d.streams[0].aligned = 0;
    kernel.d.streams[0].position.constant = UINT64_MAX - 3;
    vt_slice_run(&slice, 10);
    assert_int_equal(slice.why, VT_HYBRID_ADDRESS);
    kernel.d.streams[0].position.constant = UINT64_C(0x800000000000) - 80;
    fake_map(&g, UINT64_C(0x7ffffffff000), 3, FAKE_ALL);
    vt_slice_run(&slice, 100);
    assert_true(slice.why == VT_HYBRID_ADDRESS && slice.iterations == 5);
    fake_fini(&g);
}

static void corrupt_kernels_are_refused(void **state)
{
    (void)state;
    struct fake_guest g;
    struct vt_kernel good;
    plain(&g, true);
    assert_int_equal(vt_kernel_check(&kernel), VT_HYBRID_REFUSED_NOT);
    good = kernel;
    good.d.n_inputs = 1;
    good.d.n_disjoint = 1;
#define BAD(change)                                                                                \
    do {                                                                                           \
        kernel = good;                                                                             \
        struct vt_hybrid_kernel *d = &kernel.d;                                                    \
        change;                                                                                    \
        assert_int_not_equal(vt_kernel_check(&kernel), VT_HYBRID_REFUSED_NOT);                     \
    } while (0)
    good.d.inputs[0].bits = 64;
    kernel = good;
    assert_int_equal(vt_kernel_check(&kernel), VT_HYBRID_REFUSED_NOT);
    BAD(d->n_blocks = 0);
    BAD(d->n_blocks = VT_HYBRID_BLOCKS_MAX + 1);
    BAD(d->blocks[0].at = 1);
    BAD(d->blocks[0].n = 2);
    BAD(d->blocks[0].n = 0);
    BAD(d->blocks[0].first = UINT32_MAX);
    BAD(d->n_code = VT_HYBRID_CODE_MAX + 1);
    BAD(d->n_inputs = VT_HYBRID_INPUTS_MAX + 1);
    BAD(d->n_carries = VT_HYBRID_CARRIES_MAX + 1);
    BAD(d->n_streams = VT_HYBRID_STREAMS_MAX + 1);
    BAD(d->n_disjoint = VT_HYBRID_DISJOINT_MAX + 1);
    BAD(d->disjoint[0].b = 4);
    BAD(d->image_bytes = VT_HYBRID_IMAGE_BYTES + 1);
    BAD(d->entry = 1);
    BAD(d->trips_entry = 1);
    BAD(d->inputs[0].kind = VT_HYBRID_PLACES);
    BAD(d->inputs[0].reg = 16);
    BAD(d->inputs[0].bits = 7);
    BAD(d->inputs[0].kind = VT_HYBRID_CELL);
    BAD((d->inputs[0] = (struct vt_hybrid_place){
             .kind = VT_HYBRID_CELL, .bits = 64, .bytes = 8, .address = {.n = 1, .reg = {18}}}));
    BAD(d->carries[0].kind = VT_HYBRID_FS_BASE);
    BAD(d->streams[0].high = 0);
    BAD(d->streams[0].high = VT_HYBRID_WINDOW_MAX + 1);
    BAD(d->streams[0].low = INT32_MIN);
    BAD(d->streams[0].stride_input = 1);
    BAD(d->streams[0].position.n = 5);
    BAD((d->streams[0].position.n = 1,
         d->streams[0].position.reg[0] = VT_HYBRID_LINEAR_PLACE + d->n_inputs + d->n_carries));
    fake_fini(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slices_do_what_iterations_do),
        cmocka_unit_test(bounds_are_kept),
        cmocka_unit_test(what_must_be_disjoint_is),
        cmocka_unit_test(cells_are_written_back),
        cmocka_unit_test(cells_in_one_page_of_ram),
        cmocka_unit_test(cells_in_two_pages_of_a_large_one),
        cmocka_unit_test(values_come_from_every_kind_of_place),
        cmocka_unit_test(slices_in_other_hands),
        cmocka_unit_test(chunks_without_copies),
        cmocka_unit_test(tables_are_copied_once),
        cmocka_unit_test(written_tables_are_copied_once),
        cmocka_unit_test(images_are_code),
        cmocka_unit_test(alignment_and_ends_of_space),
        cmocka_unit_test(corrupt_kernels_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
