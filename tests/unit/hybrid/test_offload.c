/* tests/unit/hybrid/test_offload.c - slices given to another process: what the request says, what
 * is done with each answer, and what is never asked. The other process is a thread here. */
#include "tests/unit/harness.h"

#include "fake_guest.h"
#include "plugins/hybrid/plugin.h"

#include <linux/futex.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define VA UINT64_C(0x10000000)
#define SOURCE VA
#define TARGET (VA + 0x100000)
#define PAGES 16u
#define N (PAGES * 512)

static struct vt_hybrid_mailbox mailbox;
struct vt_hybrid_mailbox *vt_mailbox = &mailbox;
struct vt_memory vt_ram;
struct vt_installed vt_kernels[VT_HYBRID_SLOTS];

static struct fake_guest guest;
static struct vt_slice slice;
static struct vt_registers registers;
static uint64_t gpr[16];

void vt_futex_wake(uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

/* ---- who serves ---- */

static uint32_t at_once, answer; /* what becomes of ASKED, and then of TAKEN */
static struct vt_hybrid_mailbox request;

static bool turn(uint32_t from, uint32_t to)
{
    bool turned = __atomic_compare_exchange_n(&mailbox.state, &from, to, false, __ATOMIC_ACQ_REL,
                                              __ATOMIC_RELAXED);
    vt_futex_wake(&mailbox.state);
    return turned;
}

static void *serve(void *unused)
{
    (void)unused;
    while (!turn(VT_HYBRID_MAIL_ASKED, at_once)) {
        struct timespec t = {.tv_nsec = 1000000};
        syscall(SYS_futex, &mailbox.state, FUTEX_WAIT, VT_HYBRID_MAIL_FREE, &t, NULL, 0);
        if (__atomic_load_n(&mailbox.worker, __ATOMIC_ACQUIRE) == 0) {
            return NULL;
        }
    }
    if (at_once == VT_HYBRID_MAIL_TAKEN) {
        size_t said = offsetof(struct vt_hybrid_mailbox, slot);
        memcpy((uint8_t *)&request + said, (uint8_t *)&mailbox + said, sizeof mailbox - said);
        for (uint32_t p = 0; answer == VT_HYBRID_MAIL_DONE && p < request.streams[1].n; p++) {
            memset(guest.m.base + request.pages[request.streams[1].first + p], 0x5a, 8);
        }
        mailbox.carries[0] += request.count;
        turn(VT_HYBRID_MAIL_TAKEN, answer);
    }
    return NULL;
}

/* One that is asked while a worker of that kind is there. Asked again when the worker was slow to
 * come: the mailbox takes a request back within a millisecond. */
static enum vt_offload offload(uint32_t first, uint32_t then)
{
    pthread_t thread;
    enum vt_offload result;
    at_once = first;
    answer = then;
    __atomic_store_n(&mailbox.worker, 1, __ATOMIC_RELEASE);
    assert_int_equal(pthread_create(&thread, NULL, serve, NULL), 0);
    do {
        gpr[3] = 5;
        result = vt_offload(&vt_kernels[7], &slice);
    } while (result == VT_OFFLOAD_NOT && pthread_tryjoin_np(thread, NULL) != 0);
    if (result != VT_OFFLOAD_NOT) {
        pthread_join(thread, NULL);
    }
    __atomic_store_n(&mailbox.worker, 0, __ATOMIC_RELEASE);
    return result;
}

static uint64_t trips(const struct vt_hybrid_call *call)
{
    call->carries[0] = N;
    return 1;
}

static int setup(void **state)
{
    (void)state;
    memset(&mailbox, 0, sizeof mailbox);
    memset(&vt_kernels[7], 0, sizeof vt_kernels[7]);
    struct vt_kernel *k = &vt_kernels[7].kernel;
    fake_init(&guest, false);
    for (uint32_t i = 0; i < PAGES; i++) {
        fake_map(&guest, SOURCE + i * VT_PAGE_BYTES, 2 * i, FAKE_ALL);
        fake_map(&guest, TARGET + i * VT_PAGE_BYTES, 2 * i + 1, FAKE_ALL);
    }
    for (uint32_t i = 0; i < 2; i++) {
        k->d.streams[i] = (struct vt_hybrid_stream){.position = {.constant = i ? TARGET : SOURCE},
                                                    .high = 8,
                                                    .stride = 8,
                                                    .stride_input = VT_HYBRID_NONE,
                                                    .reads = i == 0,
                                                    .writes = i == 1};
    }
    k->d.n_streams = 2;
    k->d.n_carries = 1;
    k->d.carries[0] = (struct vt_hybrid_place){.kind = VT_HYBRID_GPR, .reg = 3, .bits = 64};
    k->d.n_blocks = k->d.n_code = k->d.blocks[0].n = k->d.image_bytes = 1;
    k->d.trips_entry = VT_HYBRID_NONE;
    assert_int_equal(vt_kernel_check(k), VT_HYBRID_REFUSED_NOT);
    k->trips = trips;
    vt_ram = guest.m;
    registers = (struct vt_registers){.gpr = gpr};
    slice.k = k;
    slice.m = &guest.m;
    slice.p = &guest.p;
    slice.r = &registers;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_fini(&guest);
    return 0;
}

static void a_slice_is_run_elsewhere(void **state)
{
    (void)state;
    assert_int_equal(offload(VT_HYBRID_MAIL_TAKEN, VT_HYBRID_MAIL_DONE), VT_OFFLOAD_DONE);
    assert_true(request.slot == 7 && request.count == N && request.carries[0] == 5);
    for (uint32_t i = 0; i < 2; i++) {
        assert_true(request.streams[i].n == PAGES && request.streams[i].position == 0);
        for (uint32_t p = 0; p < PAGES; p++) {
            assert_int_equal(request.pages[request.streams[i].first + p],
                             (2 * p + i) * VT_PAGE_BYTES);
        }
    }
    assert_int_equal(mailbox.state, VT_HYBRID_MAIL_FREE);
    assert_true(gpr[3] == 5 + N && slice.iterations == N && slice.bytes == 8 * N);
    assert_int_equal(*fake_page(&guest, 1), 0x5a);
}

static void a_slice_that_goes_backwards(void **state)
{
    (void)state;
    struct vt_hybrid_stream *s = vt_kernels[7].kernel.d.streams;
    for (uint32_t i = 0; i < 2; i++) {
        s[i].low = i == 0 ? 0 : -4;
        s[i].position.constant += 8 * (N - 1) - (uint64_t)(int64_t)s[i].low;
        s[i].stride = -8;
        s[i].high = s[i].low + 8;
    }
    assert_int_equal(offload(VT_HYBRID_MAIL_TAKEN, VT_HYBRID_MAIL_DONE), VT_OFFLOAD_DONE);
    assert_int_equal(request.streams[0].position, 8 * (N - 1));
    assert_int_equal(request.streams[1].position, 8 * (N - 1) + 4);
    assert_int_equal(request.pages[0], 0);
}

static void refused_at_once_or_later(void **state)
{
    (void)state;
    assert_int_equal(offload(VT_HYBRID_MAIL_REFUSED, 0), VT_OFFLOAD_NOT);
    assert_int_equal(mailbox.state, VT_HYBRID_MAIL_FREE);
    assert_int_equal(offload(VT_HYBRID_MAIL_TAKEN, VT_HYBRID_MAIL_REFUSED), VT_OFFLOAD_NOT);
    assert_true(mailbox.state == VT_HYBRID_MAIL_FREE && gpr[3] == 5);
}

/* Not asked: the mailbox is as it was. */
static void refuses_in(uint32_t in)
{
    uint64_t count = mailbox.count;
    mailbox.state = in;
    mailbox.worker = 1;
    assert_int_equal(vt_offload(&vt_kernels[7], &slice), VT_OFFLOAD_NOT);
    assert_true(mailbox.state == in && mailbox.count == count);
    mailbox.worker = 0;
}

static void refuses(void)
{
    refuses_in(VT_HYBRID_MAIL_FREE);
}

static void an_answer_that_is_none(void **state)
{
    (void)state;
    assert_int_equal(offload(VT_HYBRID_MAIL_TAKEN, 99), VT_OFFLOAD_LOST);
    assert_int_equal(mailbox.state, 99);
    refuses_in(99);
    mailbox.state = VT_HYBRID_MAIL_FREE;
    assert_int_equal(offload(VT_HYBRID_MAIL_TAKEN, VT_HYBRID_MAIL_FREE), VT_OFFLOAD_LOST);
}

static void what_is_not_asked(void **state)
{
    (void)state;
    struct vt_hybrid_kernel *d = &vt_kernels[7].kernel.d, good = *d;
    d->slice_iterations = 255;
    refuses();
    *d = good;
    vt_kernels[7].kernel.trips = NULL;
    refuses();
    vt_kernels[7].kernel.trips = trips;
    d->streams[1].stride = 4; /* iterations write what others wrote */
    refuses();
    *d = good;
    uint64_t *entry = fake_entry(&guest, TARGET + 5 * VT_PAGE_BYTES, 1), was = *entry;
    *entry &= ~(uint64_t)D;
    refuses();
    *entry = *fake_entry(&guest, SOURCE + 9 * VT_PAGE_BYTES, 1); /* another's page */
    refuses();
    *entry = *fake_entry(&guest, TARGET + 6 * VT_PAGE_BYTES, 1); /* its own, twice */
    refuses();
    *entry = was;
    /* A cell that is read lies in what is written; one that is written in what is read. */
    d->n_inputs = 1;
    d->inputs[0] = (struct vt_hybrid_place){
        .kind = VT_HYBRID_CELL, .bits = 64, .bytes = 8, .address = {.constant = TARGET + 800}};
    refuses();
    d->inputs[0].address.constant = SOURCE;
    d->n_carries = 2;
    d->carries[1] = d->inputs[0];
    refuses();
    *d = good;
    refuses_in(VT_HYBRID_MAIL_TAKEN);
    mailbox.state = VT_HYBRID_MAIL_FREE;
    assert_int_equal(vt_offload(&vt_kernels[7], &slice), VT_OFFLOAD_NOT);
    assert_int_equal(offload(VT_HYBRID_MAIL_TAKEN, VT_HYBRID_MAIL_DONE), VT_OFFLOAD_DONE);
}

static void nobody_takes_it(void **state)
{
    (void)state;
    mailbox.worker = 1;
    assert_int_equal(vt_offload(&vt_kernels[7], &slice), VT_OFFLOAD_NOT);
    assert_true(mailbox.state == VT_HYBRID_MAIL_FREE && mailbox.count == N);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_slice_is_run_elsewhere), TEST(a_slice_that_goes_backwards),
        TEST(refused_at_once_or_later), TEST(an_answer_that_is_none),
        TEST(what_is_not_asked),        TEST(nobody_takes_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
