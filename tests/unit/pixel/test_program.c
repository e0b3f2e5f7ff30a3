/* Programs are made by appending; every operation has a name of its own. */
#include "tests/unit/harness.h"

#include "vitrine/pixel.h"

#include <string.h>

static void test_emit(void **state)
{
    (void)state;
    struct vt_pixel_program p;
    vt_pixel_init(&p);
    for (uint32_t i = 0; i < VT_PIXEL_VALUES_MAX; i++) {
        struct vt_pixel_insn insn = {.op = VT_PIXEL_CONST, .bits = 64, .imm = i};
        assert_int_equal(vt_pixel_emit(&p, insn), i);
    }
    struct vt_pixel_insn more = {.op = VT_PIXEL_CONST, .bits = 64};
    assert_int_equal(vt_pixel_emit(&p, more), VT_PIXEL_NONE);
    assert_int_equal(p.insns[VT_PIXEL_VALUES_MAX - 1].imm, VT_PIXEL_VALUES_MAX - 1);
    vt_pixel_fini(&p);
    assert_null(p.insns);
}

static void test_names(void **state)
{
    (void)state;
    for (unsigned i = 0; i < VT_PIXEL_OPS; i++) {
        assert_non_null(vt_pixel_op_name(i));
        for (unsigned j = 0; j < i; j++) {
            assert_string_not_equal(vt_pixel_op_name(i), vt_pixel_op_name(j));
        }
    }
    assert_null(vt_pixel_op_name(VT_PIXEL_OPS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_emit), cmocka_unit_test(test_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
