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

static void test_bound(void **state)
{
    (void)state;
    /* inc qword [rip + 16]; jmp back */
    struct vt_synth_loop loop = {.n_blocks = 1,
                                 .n_bytes = 9,
                                 .blocks = {{.at = 0, .first = 0, .n = 9}},
                                 .bytes = {0x48, 0xff, 0x05, 16, 0, 0, 0, 0xeb, 0xf7}};
    assert_true(vt_synth_loop_is_bound(&loop));
    loop.bytes[2] = 0x00; /* inc qword [rax] */
    loop.bytes[3] = 0xeb;
    loop.bytes[4] = 0xfb;
    loop.n_bytes = loop.blocks[0].n = 5;
    assert_false(vt_synth_loop_is_bound(&loop));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order), cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_bound)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
