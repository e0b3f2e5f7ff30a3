/* A loop's blocks are put in order, and its hash is of its bytes and where they lie. */
#include "tests/unit/harness.h"

#include "vitrine/synth.h"

#include <string.h>

static const struct vt_synth_loop two = {
    .head = 0x1000,
    .n_blocks = 2,
    .n_bytes = 6,
    .blocks = {{.at = 8, .first = 4, .n = 2}, {.at = 0, .first = 0, .n = 4}},
    .bytes = {0x48, 0xff, 0xc0, 0x90, 0xeb, 0xf6},
};

static void test_order(void **state)
{
    (void)state;
    struct vt_synth_loop a = two, b = two;
    b.blocks[0] = two.blocks[1];
    b.blocks[1] = two.blocks[0];
    b.head = 0x7777;
    assert_int_equal(vt_synth_loop_finish(&a, NULL), 0);
    assert_int_equal(vt_synth_loop_finish(&b, NULL), 0);
    assert_int_equal(a.blocks[0].at, 0);
    assert_string_equal(a.hash, b.hash);
    b = two;
    b.bytes[4] = 0xe9;
    assert_int_equal(vt_synth_loop_finish(&b, NULL), 0);
    assert_string_not_equal(a.hash, b.hash);
}

static void test_refused(void **state)
{
    (void)state;
    struct vt_error err;
    struct vt_synth_loop a = two;
    a.blocks[0].at = 3; /* in the middle of the other */
    assert_int_equal(vt_synth_loop_finish(&a, &err), VT_E_INVAL);
    a = two;
    a.blocks[1].at = 16; /* no head */
    assert_int_equal(vt_synth_loop_finish(&a, &err), VT_E_INVAL);
    a = two;
    a.blocks[1].n = 7; /* more than there is */
    assert_int_equal(vt_synth_loop_finish(&a, &err), VT_E_INVAL);
    vt_synth_kernel_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order),
                                       cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
