/* tests/unit/hybrid/test_measure.c - a kernel that is kept, on the host and on a GPU: where it runs
 * in the end. A thread counts as a plugin would whose loop runs so fast in either.
 */
#include "tests/unit/hybrid/segment_rig.h"

#include "base/io.h"
#include "hybrid/accelerator.h"

#include <pthread.h>
#include <time.h>

#define HASH "0123456789abcdef0123456789abcdef"
#define SLOT 5u
/* So far apart that windows which others' work distorts change nothing. */
#define SLOW 1e6
#define FAST 1e9

struct measured {
    struct vt_accelerator a;
    struct vt_ledger_row row;
    struct vt_hybrid_slot *slot;
    pthread_t thread;
    double host, gpu; /* iterations a second */
    uint32_t runs;    /* atomic: the guest is in its loop */
    uint32_t over;    /* atomic */
    uint32_t told;
};

static void *count(void *arg)
{
    struct measured *m = arg;
    const struct timespec tick = {.tv_nsec = 100000};
    for (uint64_t then = vt_now_ns(); __atomic_load_n(&m->over, __ATOMIC_ACQUIRE) == 0;) {
        uint64_t now = vt_now_ns();
        bool on_host = __atomic_load_n(&m->slot->on_host, __ATOMIC_ACQUIRE) != 0;
        if (__atomic_load_n(&m->runs, __ATOMIC_ACQUIRE) != 0) {
            double n = (double)(now - then) * (on_host ? m->host : m->gpu) / 1e9;
            __atomic_fetch_add(&m->slot->iterations, (uint64_t)n, __ATOMIC_RELEASE);
        }
        then = now;
        (void)nanosleep(&tick, NULL);
    }
    return NULL;
}

static void tell(void *arg, const struct vt_ledger_row *row)
{
    struct measured *m = arg;
    assert_ptr_equal(row, &m->row);
    m->told++;
}

static void begin(struct measured *m, struct segment_rig *f, double host, double gpu)
{
    *m = (struct measured){.a = {.accel = f->accel, .rows = &m->row, .n_rows = 1},
                           .row = {.fate = VT_FATE_KEPT, .slot = SLOT, .rate = 1, .tcg_rate = 1},
                           .host = host,
                           .gpu = gpu};
    m->a.options = (struct vt_accelerator_options){.measure_ms = 5, .tell = tell, .arg = m};
    m->a.to_try[SLOT] = true;
    m->slot = segment_put(f, SLOT, HASH, 0x1000, VT_HYBRID_USE_WORKER);
    m->slot->on_host = 1;
    assert_int_equal(pthread_create(&m->thread, NULL, count, m), 0);
}

static void measure(struct measured *m, bool runs)
{
    struct vt_error err;
    uint32_t tried = 0, won = 0;
    __atomic_store_n(&m->runs, runs, __ATOMIC_RELEASE);
    assert_int_equal(vt_accelerator_measure(&m->a, &tried, &won, &err), 0);
    assert_int_equal(tried + won, 0); /* it was kept before */
    assert_int_equal(m->row.fate, VT_FATE_KEPT);
}

/* Windows in which our own thread had no CPU decide nothing. */
static void measure_until_decided(struct measured *m)
{
    do {
        measure(m, true);
    } while (m->a.to_try[SLOT]);
}

/* Whether it was decided, and who runs it. */
static void expect(const struct measured *m, bool decided, enum vt_accel_backend backend)
{
    struct vt_accel_slot counts;
    vt_accel_read(m->a.accel, SLOT, &counts);
    assert_int_equal(m->a.to_try[SLOT], !decided);
    assert_int_equal(m->row.backend, backend);
    assert_int_equal(counts.backend, backend);
    assert_int_equal(counts.state, VT_ACCEL_ACTIVE);
    assert_int_equal(m->told, backend == VT_ACCEL_GPU);
}

static void end(struct measured *m)
{
    __atomic_store_n(&m->over, 1, __ATOMIC_RELEASE);
    assert_int_equal(pthread_join(m->thread, NULL), 0);
}

static void a_gpu_that_is_faster_has_it_from_then_on(void **state)
{
    static struct measured m;
    begin(&m, *state, SLOW, FAST);
    measure_until_decided(&m);
    expect(&m, true, VT_ACCEL_GPU);
    assert_true(m.row.rate > 10 * SLOW);
    end(&m);
}

static void the_host_keeps_what_a_gpu_is_slower_at(void **state)
{
    static struct measured m;
    begin(&m, *state, FAST, SLOW);
    measure_until_decided(&m);
    expect(&m, true, VT_ACCEL_HOST);
    measure(&m, true); /* and is not asked again */
    expect(&m, true, VT_ACCEL_HOST);
    end(&m);
}

static void a_loop_that_did_not_run_is_measured_another_time(void **state)
{
    static struct measured m;
    begin(&m, *state, SLOW, FAST);
    measure(&m, false);
    expect(&m, false, VT_ACCEL_HOST);
    measure_until_decided(&m);
    expect(&m, true, VT_ACCEL_GPU);
    end(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        segment_test(a_gpu_that_is_faster_has_it_from_then_on),
        segment_test(the_host_keeps_what_a_gpu_is_slower_at),
        segment_test(a_loop_that_did_not_run_is_measured_another_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
