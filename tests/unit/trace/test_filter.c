/* tests/unit/trace/test_filter.c - what to record, read from people's words. */
#include "tests/unit/harness.h"

#include "vitrine/trace.h"

#include <string.h>

static void words_add_up(void **state)
{
    (void)state;
    static const char *const words[] = {"user",
                                        "range=0x1000-0x1fff",
                                        "range=4096+1",
                                        "vcpu=0",
                                        "vcpu=63",
                                        "root=0x7000",
                                        "point=16",
                                        "point=0xffffffffffffffff",
                                        "range=0xffffffffffffffff+1"};
    struct vt_trace_filter f = {0};
    struct vt_error err;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        assert_int_equal(vt_trace_filter_add(&f, words[i], &err), 0);
    }
    assert_int_equal(f.privileges, 2);
    assert_int_equal(f.n_ranges, 3);
    assert_true(f.ranges[0].first == 0x1000 && f.ranges[0].last == 0x1fff);
    assert_true(f.ranges[1].first == 4096 && f.ranges[1].last == 4096);
    assert_true(f.ranges[2].first == UINT64_MAX && f.ranges[2].last == UINT64_MAX);
    assert_true(f.vcpu_mask == (1 | (uint64_t)1 << 63));
    assert_true(f.root == 0x7000);
    assert_int_equal(f.n_points, 2);
    assert_true(f.points[0] == 16 && f.points[1] == UINT64_MAX);
}

static void what_is_none(void **state)
{
    (void)state;
    static const char *const words[] = {
        "",          "kernel=1",
        "range",     "range=",
        "range=1",   "range=2-1",
        "range=1+0", "range=2+0xffffffffffffffff",
        "range=-",   "range=x-y",
        "root",      "root=0",
        "root=cr3",  "vcpu=64",
        "vcpu=-1",   "vcpus=1",
        "point=",    "range=00000000000000000000000000000000001-2",
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        struct vt_trace_filter f = {0};
        struct vt_error err;
        assert_int_equal(vt_trace_filter_add(&f, words[i], &err), VT_E_INVAL);
        assert_memory_equal(&f, &(struct vt_trace_filter){0}, sizeof f);
    }
}

static void as_many_as_fit(void **state)
{
    (void)state;
    struct vt_trace_filter f = {0};
    struct vt_error err;
    for (int i = 0; i < 16; i++) {
        assert_int_equal(vt_trace_filter_add(&f, "range=1-2", &err), 0);
    }
    assert_int_equal(vt_trace_filter_add(&f, "range=1-2", &err), VT_E_LIMIT);
    for (int i = 0; i < 32; i++) {
        assert_int_equal(vt_trace_filter_add(&f, "point=1", &err), 0);
    }
    assert_int_equal(vt_trace_filter_add(&f, "point=1", &err), VT_E_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_add_up),
        cmocka_unit_test(what_is_none),
        cmocka_unit_test(as_many_as_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
