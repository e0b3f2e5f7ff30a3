/* tests/unit/hybrid/test_offload.c - slices that somebody else runs: what is asked for, each way it
 * can end, and what is left in memory then. The worker is a process, since it may die.
 */
#include "tests/unit/harness.h"

#include "fake_guest.h"
#include "plugins/hybrid/plugin.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define VA UINT64_C(0x10000000)
#define OTHER UINT64_C(0x20000000)
#define ITERATIONS 1000u

struct vt_hybrid_mailbox *vt_mailbox;
struct vt_memory vt_ram;
struct vt_installed vt_kernels[VT_HYBRID_SLOTS];

static struct fake_guest guest;
static struct vt_slice slice;
static struct vt_registers registers;
static uint64_t gpr[16], trips;
static struct vt_installed *const k = &vt_kernels[3];
static struct vt_hybrid_slot slot;
static uint8_t was[1024 * VT_PAGE_BYTES]; /* all of RAM but its tables */

void vt_futex_wake(uint32_t *word)
{
    (void)word; /* who waits here looks again by itself */
}

/* ---- the loop: each word of the stream is one more than it was; carry 0 counts ---- */

static uint64_t how_many(const struct vt_hybrid_call *call)
{
    call->carries[0] = trips;
    return 1;
}

static struct vt_hybrid_stream stream(uint64_t va, int64_t stride, bool reads, bool writes)
{
    return (struct vt_hybrid_stream){.position = {.constant = va},
                                     .high = 8,
                                     .stride = stride,
                                     .stride_input = VT_HYBRID_NONE,
                                     .reads = reads,
                                     .writes = writes};
}

static int begin(void **state)
{
    (void)state;
    fake_init(&guest, false);
    for (uint32_t i = 0; i < 64; i++) { /* neighbours lie apart in RAM */
        fake_map(&guest, VA + i * VT_PAGE_BYTES, i ^ 5, FAKE_ALL);
        fake_map(&guest, OTHER + i * VT_PAGE_BYTES, 64 + (i ^ 3), FAKE_ALL);
    }
    for (size_t i = 0; i < sizeof was / 8; i++) {
        ((uint64_t *)(void *)guest.m.base)[i] = i * UINT64_C(0x9e3779b97f4a7c15);
    }
    memcpy(was, guest.m.base, sizeof was);
    vt_ram = guest.m;
    vt_mailbox =
        mmap(NULL, sizeof *vt_mailbox, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    memset(k, 0, sizeof *k);
    k->slot = &slot;
    k->kernel.trips = how_many;
    struct vt_hybrid_kernel *d = &k->kernel.d;
    d->n_streams = 1;
    d->streams[0] = stream(VA + 16, 8, true, true);
    d->n_carries = 1;
    d->carries[0] = (struct vt_hybrid_place){.kind = VT_HYBRID_GPR, .reg = 3, .bits = 16};
    d->min_iterations = 1;
    trips = ITERATIONS;
    gpr[3] = 7;
    registers = (struct vt_registers){.gpr = gpr};
    slice = (struct vt_slice){.k = &k->kernel, .m = &vt_ram, .p = &guest.p, .r = &registers};
    return 0;
}

static int end(void **state)
{
    (void)state;
    munmap(vt_mailbox, sizeof *vt_mailbox);
    fake_fini(&guest);
    return 0;
}

/* ---- workers ---- */

static uint8_t *byte_of(uint32_t s, uint64_t iteration, int64_t stride)
{
    uint64_t at = (uint64_t)(vt_mailbox->streams[s].position + (int64_t)iteration * stride);
    uint64_t page = vt_mailbox->pages[vt_mailbox->streams[s].first + at / VT_PAGE_BYTES];
    return vt_ram.base + page + at % VT_PAGE_BYTES;
}

static void add_one(uint64_t n)
{
    const struct vt_hybrid_stream *s = &k->kernel.d.streams[0];
    for (uint64_t i = 0; i < n && s->writes; i++) {
        ++*(uint64_t *)(void *)byte_of(0, i, s->stride);
    }
}

static void answer(uint32_t with)
{
    __atomic_store_n(&vt_mailbox->state, with, __ATOMIC_RELEASE);
}

static void serve(void)
{
    add_one(vt_mailbox->count);
    vt_mailbox->carries[0] += vt_mailbox->count;
    answer(VT_HYBRID_MAIL_DONE);
}
static void refuse(void)
{
    answer(VT_HYBRID_MAIL_REFUSED);
}
static void die_half_way(void)
{
    add_one(vt_mailbox->count / 2);
    raise(SIGKILL);
}
static void leave_half_way(void)
{
    add_one(vt_mailbox->count / 2);
    __atomic_store_n(&vt_mailbox->worker, 0, __ATOMIC_RELEASE);
    pause();
}
static void say_nonsense(void)
{
    add_one(vt_mailbox->count / 2);
    answer(77);
}
static void scribble(void)
{
    add_one(vt_mailbox->count);
    memset(vt_mailbox->streams, 0xff, sizeof vt_mailbox->streams);
    memset(vt_mailbox->pages, 0xff, sizeof vt_mailbox->pages);
    memset(vt_mailbox->carries, 0xff, sizeof vt_mailbox->carries);
    vt_mailbox->count = vt_mailbox->slot = UINT32_MAX;
    answer(VT_HYBRID_MAIL_DONE);
}

/* What vt_offload says with a worker that takes one request so. */
static enum vt_offload with(void (*how)(void))
{
    pid_t child = fork();
    if (child == 0) {
        alarm(100);
        uint32_t asked;
        __atomic_store_n(&vt_mailbox->worker, (uint32_t)getpid(), __ATOMIC_RELEASE);
        do {
            asked = VT_HYBRID_MAIL_ASKED;
        } while (!__atomic_compare_exchange_n(&vt_mailbox->state, &asked, VT_HYBRID_MAIL_TAKEN,
                                              false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
        how();
        _exit(0);
    }
    assert_true(child > 0);
    while (__atomic_load_n(&vt_mailbox->worker, __ATOMIC_ACQUIRE) != (uint32_t)child) {
        usleep(100);
    }
    enum vt_offload said;
    do { /* on a busy machine nobody may take it in time */
        k->offload = (struct vt_offload_pace){0};
        said = vt_offload(k, &slice);
    } while (said == VT_OFFLOAD_NOT && waitpid(child, NULL, WNOHANG) == 0);
    kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    return said;
}

static void expect_untouched(void)
{
    assert_memory_equal(guest.m.base, was, sizeof was);
    assert_int_equal(gpr[3], 7);
}

/* ---- cases ---- */

static void a_slice_is_run(void **state)
{
    (void)state;
    for (int backwards = 0; backwards < 2; backwards++) {
        int64_t stride = backwards ? -24 : 24;
        uint64_t first = VA + (backwards ? ITERATIONS * 24 : 4088); /* it crosses pages */
        k->kernel.d.streams[0] = stream(first, stride, true, true);
        memcpy(guest.m.base, was, sizeof was);
        gpr[3] = 7;
        assert_int_equal(with(serve), VT_OFFLOAD_DONE);
        assert_int_equal(slice.iterations, ITERATIONS);
        assert_int_equal(gpr[3], 7 + ITERATIONS);
        assert_int_equal(vt_mailbox->state, VT_HYBRID_MAIL_FREE);
        for (uint64_t i = 0; i < ITERATIONS; i++) {
            uint64_t va = first + i * (uint64_t)stride;
            size_t at = ((va - VA) / VT_PAGE_BYTES ^ 5) * VT_PAGE_BYTES + va % VT_PAGE_BYTES;
            ++*(uint64_t *)(void *)(was + at);
        }
        assert_memory_equal(guest.m.base, was, sizeof was);
    }
}

static void nobody_takes_it(void **state)
{
    (void)state;
    assert_int_equal(vt_offload(k, &slice), VT_OFFLOAD_NOT); /* nobody is there */
    assert_int_equal(vt_mailbox->count, 0);
    vt_mailbox->worker = (uint32_t)getpid();
    assert_int_equal(vt_offload(k, &slice), VT_OFFLOAD_NOT);
    assert_int_equal(vt_mailbox->count, ITERATIONS);
    assert_int_equal(vt_mailbox->state, VT_HYBRID_MAIL_FREE);
    vt_mailbox->count = 0; /* the next one is not even asked for */
    assert_int_equal(vt_offload(k, &slice), VT_OFFLOAD_NOT);
    assert_int_equal(vt_mailbox->count, 0);
    assert_int_equal(vt_offload(k, &slice), VT_OFFLOAD_NOT); /* but later */
    assert_int_equal(vt_mailbox->count, ITERATIONS);
    vt_mailbox->state = VT_HYBRID_MAIL_TAKEN; /* by whoever: it is not ours */
    assert_int_equal(vt_offload(k, &slice), VT_OFFLOAD_NOT);
    assert_int_equal(vt_mailbox->state, VT_HYBRID_MAIL_TAKEN);
    expect_untouched();
}

static void what_is_few_or_unknown_is_not_asked(void **state)
{
    (void)state;
    vt_mailbox->worker = (uint32_t)getpid();
    trips = 100;
    assert_int_equal(vt_offload(k, &slice), VT_OFFLOAD_NOT);
    k->kernel.trips = NULL;
    assert_int_equal(vt_offload(k, &slice), VT_OFFLOAD_NOT);
    assert_int_equal(vt_mailbox->count, 0);
}

/* Switched back and forth while it is installed, as one that is measured both ways. */
static void the_host_has_it_while_whoever_steers_says_so(void **state)
{
    (void)state;
    vt_mailbox->worker = (uint32_t)getpid();
    slot.on_host = 1;
    k->slices = 100;
    assert_int_equal(vt_offload(k, &slice), VT_OFFLOAD_NOT);
    assert_int_equal(vt_mailbox->count, 0);
    slot.on_host = 0;
    assert_int_equal(with(serve), VT_OFFLOAD_DONE);
    assert_int_equal(slice.iterations, ITERATIONS);
}

static void it_is_refused(void **state)
{
    (void)state;
    (void)with(refuse);
    assert_int_equal(vt_mailbox->state, VT_HYBRID_MAIL_FREE);
    assert_int_equal(vt_mailbox->count, ITERATIONS);
    expect_untouched();
}

static void workers_end_half_way(void **state)
{
    (void)state;
    assert_int_equal(with(die_half_way), VT_OFFLOAD_LOST);
    assert_int_equal(vt_mailbox->state, VT_HYBRID_MAIL_FREE);
    expect_untouched();
    assert_int_equal(with(leave_half_way), VT_OFFLOAD_LOST);
    assert_int_equal(vt_mailbox->state, VT_HYBRID_MAIL_FREE);
    expect_untouched();
    assert_int_equal(with(serve), VT_OFFLOAD_DONE); /* the next one serves */
}

static void answers_are_not_believed(void **state)
{
    (void)state;
    assert_int_equal(with(say_nonsense), VT_OFFLOAD_LOST);
    expect_untouched();
    assert_int_equal(vt_mailbox->state, 77); /* it may yet write: nothing is asked any more */
    assert_int_equal(vt_offload(k, &slice), VT_OFFLOAD_NOT);
    assert_int_equal(vt_mailbox->state, 77);
    vt_mailbox->state = VT_HYBRID_MAIL_FREE;
    assert_int_equal(with(scribble), VT_OFFLOAD_DONE);
    assert_int_equal(slice.iterations, ITERATIONS);
    assert_int_equal(gpr[3], 0xffff); /* the carry has 16 bits */
}

static void shared_pages(void **state)
{
    (void)state;
    struct vt_hybrid_kernel *d = &k->kernel.d;
    d->n_streams = 2;
    d->streams[1] = stream(OTHER, 8, true, false);
    assert_int_equal(with(serve), VT_OFFLOAD_DONE);
    /* What is read is where another stream writes, through another mapping. */
    fake_map(&guest, OTHER + VT_PAGE_BYTES, 0 ^ 5, FAKE_ALL);
    vt_mailbox->count = 0;
    vt_mailbox->worker = (uint32_t)getpid();
    k->offload = (struct vt_offload_pace){0};
    assert_int_equal(vt_offload(k, &slice), VT_OFFLOAD_NOT);
    /* Two that are read may be one. */
    d->streams[0].writes = 0;
    assert_int_equal(with(serve), VT_OFFLOAD_DONE);
    /* One stream's pages are one page. */
    d->n_streams = 1;
    d->streams[0] = stream(OTHER, 8, false, true);
    fake_map(&guest, OTHER, 0 ^ 5, FAKE_ALL);
    memcpy(was, guest.m.base, sizeof was);
    k->offload = (struct vt_offload_pace){0};
    assert_int_equal(vt_offload(k, &slice), VT_OFFLOAD_NOT);
    /* A cell lies in what is written. */
    d->streams[0] = stream(VA, 8, false, true);
    d->carries[0] = (struct vt_hybrid_place){
        .kind = VT_HYBRID_CELL, .bits = 32, .bytes = 4, .address = {.constant = VA + 400}};
    k->offload = (struct vt_offload_pace){0};
    assert_int_equal(vt_offload(k, &slice), VT_OFFLOAD_NOT);
    /* Iterations write over one another. */
    d->n_carries = 0;
    d->streams[0] = stream(VA, 4, false, true);
    k->offload = (struct vt_offload_pace){0};
    assert_int_equal(vt_offload(k, &slice), VT_OFFLOAD_NOT);
    assert_memory_equal(guest.m.base, was, sizeof was);
}

static void pages_that_may_not_be_touched(void **state)
{
    (void)state;
    static const struct {
        uint64_t bits;
        bool code;
    } rows[] = {{0, false},
                {FAKE_ALL & ~(uint64_t)W, false},
                {FAKE_ALL & ~(uint64_t)D, false},
                {FAKE_ALL, true}};
    vt_mailbox->worker = (uint32_t)getpid();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fake_map(&guest, VA + VT_PAGE_BYTES, 4, rows[i].bits);
        fake_code[4] = rows[i].code;
        k->offload = (struct vt_offload_pace){0};
        assert_int_equal(vt_offload(k, &slice), VT_OFFLOAD_NOT);
        assert_int_equal(vt_mailbox->count, 0);
    }
    /* Where they begin further on, the next slice ends before them. */
    fake_code[4] = 0;
    fake_map(&guest, VA + VT_PAGE_BYTES, 4, 0);
    trips = 510;
    fake_map(&guest, VA, 5, FAKE_ALL);
    assert_int_equal(with(serve), VT_OFFLOAD_DONE);
}

static void a_request_has_bounds(void **state)
{
    (void)state;
    /* 1024 iterations go through 20480 pages. */
    for (uint64_t i = 0; i <= 20u * 1024; i++) {
        fake_map(&guest, OTHER + i * VT_PAGE_BYTES, 64 + i % 64, FAKE_ALL);
    }
    k->kernel.d.streams[0] = stream(OTHER, 20 * (int64_t)VT_PAGE_BYTES, true, false);
    trips = 1024;
    assert_int_equal(with(serve), VT_OFFLOAD_DONE);
    assert_true(slice.iterations > 700 && slice.iterations < 820);
    assert_true(vt_mailbox->streams[0].n <= VT_HYBRID_MAIL_PAGES);
    /* One step is as far as it may be, and further than memory goes. */
    k->kernel.d.streams[0] = stream(OTHER, INT64_C(1) << 40, true, false);
    vt_mailbox->count = 0;
    vt_mailbox->worker = (uint32_t)getpid();
    k->offload = (struct vt_offload_pace){0};
    assert_int_equal(vt_offload(k, &slice), VT_OFFLOAD_NOT);
    assert_int_equal(vt_mailbox->count, 0);
}

static void pages_of_a_slice(void **state)
{
    (void)state;
    struct vt_piece pieces[8];
    uint32_t n;
    assert_int_equal(vt_slice_begin(&slice), VT_GOES);
    assert_int_equal(vt_slice_pages(&slice, 0, 1024, pieces, 8, &n), VT_GOES);
    assert_int_equal(n, 3); /* 16 bytes into the first page: 8192 bytes in three */
    assert_true(pieces[0].host == fake_page(&guest, 5) + 16 && pieces[0].bytes == 4080 &&
                pieces[1].host == fake_page(&guest, 4) && pieces[1].bytes == 4096 &&
                pieces[2].host == fake_page(&guest, 7) && pieces[2].bytes == 16);
    assert_int_equal(vt_slice_pages(&slice, 0, 1024, pieces, 2, &n), VT_HYBRID_CROSSING);
    fake_map(&guest, VA + 2 * VT_PAGE_BYTES, 9, FAKE_ALL & ~(uint64_t)D);
    assert_int_equal(vt_slice_begin(&slice), VT_GOES);
    assert_int_equal(vt_slice_pages(&slice, 0, 1024, pieces, 8, &n), VT_HYBRID_CLEAN);
    assert_int_equal(vt_slice_pages(&slice, 0, 1022, pieces, 8, &n), VT_GOES);
    k->kernel.d.streams[0] = stream(UINT64_MAX - 4096, 8, true, false);
    assert_int_equal(vt_slice_begin(&slice), VT_GOES);
    assert_int_equal(vt_slice_pages(&slice, 0, 1024, pieces, 8, &n), VT_HYBRID_ADDRESS);
    /* Of a large page each 4 KiB is one. */
    uint64_t large = UINT64_C(0x40000000);
    *fake_entry(&guest, large, 2) = (FAKE_GPA & ~UINT64_C(0x1fffff)) | FAKE_ALL | PS;
    k->kernel.d.streams[0] = stream(large + 0x100000 + 4000, 8, true, true);
    assert_int_equal(vt_slice_begin(&slice), VT_GOES);
    assert_int_equal(vt_slice_pages(&slice, 0, 1024, pieces, 8, &n), VT_GOES);
    assert_true(n == 3 && pieces[1].host == fake_page(&guest, 1) && pieces[2].bytes == 4000);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(a_slice_is_run),
        CASE(nobody_takes_it),
        CASE(it_is_refused),
        CASE(what_is_few_or_unknown_is_not_asked),
        CASE(workers_end_half_way),
        CASE(answers_are_not_believed),
        CASE(shared_pages),
        CASE(pages_that_may_not_be_touched),
        CASE(a_request_has_bounds),
        CASE(pages_of_a_slice),
        CASE(the_host_has_it_while_whoever_steers_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
