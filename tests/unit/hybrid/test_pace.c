/* tests/unit/hybrid/test_pace.c - what looks cost and kernels save; who rests, and who is measured.
 */
#include "tests/unit/hybrid/segment_rig.h"

#include "hybrid/accelerator.h"

#define KERNELS 50u
#define LONG 100u /* slices */

struct pace {
    struct vt_accelerator a;
    struct vt_ledger_row rows[KERNELS];
    uint32_t told;
};

static void tell(void *arg, const struct vt_ledger_row *row)
{
    struct pace *p = arg;
    assert_int_equal(row->fate, VT_FATE_RESTING);
    p->told++;
}

/* Kernels that ran so many iterations, one in each slot; QEMU has ended, so that nothing is
 * awaited. */
static void begin(struct pace *p, struct segment_rig *f, uint32_t n, uint64_t iterations)
{
    *p = (struct pace){.a = {.accel = f->accel, .rows = p->rows, .n_rows = n}};
    p->a.options.tell = tell;
    p->a.options.arg = p;
    f->header->ended = 1;
    vt_accelerator_pace(&p->a);
    for (uint32_t i = 0; i < n; i++) {
        char hash[33];
        snprintf(hash, sizeof hash, "%032x", i);
        segment_put(f, i, hash, 0x1000, 0)->iterations = iterations;
        p->rows[i] =
            (struct vt_ledger_row){.fate = VT_FATE_KEPT, .slot = i, .tcg_rate = 1e6, .rate = 4e6};
    }
}

static struct vt_hybrid_slot *slot(struct segment_rig *f, uint32_t i)
{
    return (struct vt_hybrid_slot *)(void *)(f->base + f->header->slot_offset) + i;
}

static void half_of_what_they_save_is_for_looks(void **state)
{
    static struct pace p;
    struct segment_rig *f = *state;
    begin(&p, f, 1, 5000000);
    p.a.pace.allowance_ns = -1000000000;
    assert_false(vt_accelerator_kernels(&p.a)); /* what it did before nobody looked */
    assert_int_equal(p.a.pace.allowance_ns, -1000000000);
    slot(f, 0)->iterations += 1000000; /* a second by itself, a quarter of it by its kernel */
    assert_false(vt_accelerator_kernels(&p.a));
    assert_in_range(p.a.pace.allowance_ns + 1000000000, 374999000, 375001000);
    assert_false(vt_accelerator_kernels(&p.a));
    assert_in_range(p.a.pace.allowance_ns + 1000000000, 374999000, 375001000);
    for (unsigned i = 0; i < 2; i++) {
        slot(f, 0)->iterations += UINT64_C(1) << 40;
        vt_accelerator_kernels(&p.a);
    }
    assert_int_equal(p.a.pace.allowance_ns, INT64_C(60000000000));
    vt_accelerator_looked(&p.a, 300, 0);
    assert_int_equal(p.a.pace.allowance_ns, INT64_C(59440000000));
    vt_accelerator_looked(&p.a, 300, 1);
    assert_int_equal(p.a.pace.allowance_ns, INT64_C(59440000000));
    vt_accelerator_flushed(&p.a);
    assert_int_equal(p.a.pace.allowance_ns, INT64_C(59310000000));
}

static void one_that_waits_saves_nothing_and_is_measured_when_it_runs(void **state)
{
    static struct pace p;
    struct segment_rig *f = *state;
    begin(&p, f, 2, 100);
    p.rows[1].fate = VT_FATE_WAITING;
    p.rows[1].rate = p.rows[1].tcg_rate = 0;
    p.a.pace.allowance_ns = 0;
    assert_false(vt_accelerator_kernels(&p.a));
    assert_false(vt_accelerator_kernels(&p.a));
    slot(f, 1)->iterations += 1000000;
    assert_true(vt_accelerator_kernels(&p.a));
    assert_int_equal(p.a.pace.allowance_ns, 0);
    assert_false(vt_accelerator_kernels(&p.a));
    /* another kernel in its place begins anew */
    slot(f, 1)->iterations = 7;
    assert_false(vt_accelerator_kernels(&p.a));
}

static void one_that_a_gpu_was_not_tried_for_is_tried_when_it_runs(void **state)
{
    static struct pace p;
    struct segment_rig *f = *state;
    begin(&p, f, 2, 100);
    p.a.to_try[1] = true;
    assert_false(vt_accelerator_kernels(&p.a));
    slot(f, 0)->iterations += 1000000;
    assert_false(vt_accelerator_kernels(&p.a));
    slot(f, 1)->iterations += 1000000;
    assert_true(vt_accelerator_kernels(&p.a));
    vt_accelerator_remove(&p.a, 1);
    slot(f, 1)->iterations += 1000000;
    assert_false(vt_accelerator_kernels(&p.a));
}

static void all_rest_when_none_runs_while_the_guest_does(void **state)
{
    static struct pace p;
    struct segment_rig *f = *state;
    begin(&p, f, 3, 100);
    vt_accelerator_kernels(&p.a);
    p.a.pace.heat.busy += LONG - 1;
    slot(f, 1)->iterations++;
    vt_accelerator_kernels(&p.a);
    p.a.pace.heat.busy += LONG - 1;
    vt_accelerator_kernels(&p.a); /* one did, not so long ago */
    assert_int_equal(p.told, 0);
    p.a.pace.heat.slices += LONG; /* idle */
    vt_accelerator_kernels(&p.a);
    assert_int_equal(p.told, 0);
    p.a.pace.heat.busy++;
    vt_accelerator_kernels(&p.a);
    assert_int_equal(p.told, 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(p.rows[i].fate, VT_FATE_RESTING);
        assert_int_equal(slot(f, i)->wanted, VT_HYBRID_WANT_NONE);
    }
    vt_accelerator_kernels(&p.a);
    assert_int_equal(p.told, 3);
}

static void of_many_those_rest_that_do_not_run(void **state)
{
    static struct pace p;
    struct segment_rig *f = *state;
    begin(&p, f, KERNELS, 100);
    vt_accelerator_kernels(&p.a);
    p.a.pace.heat.busy += LONG;
    for (uint32_t i = 0; i < KERNELS; i += 2) {
        slot(f, i)->iterations++;
    }
    vt_accelerator_kernels(&p.a);
    assert_int_equal(p.told, KERNELS / 2);
    for (uint32_t i = 0; i < KERNELS; i++) {
        assert_int_equal(p.rows[i].fate, i % 2 != 0 ? VT_FATE_RESTING : VT_FATE_KEPT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        segment_test(half_of_what_they_save_is_for_looks),
        segment_test(one_that_waits_saves_nothing_and_is_measured_when_it_runs),
        segment_test(one_that_a_gpu_was_not_tried_for_is_tried_when_it_runs),
        segment_test(all_rest_when_none_runs_while_the_guest_does),
        segment_test(of_many_those_rest_that_do_not_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
