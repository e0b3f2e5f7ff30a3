/* A program in plain words, or without packed operations, means the same as the program. */
#include "tests/unit/pixel/generate.h"

#include "tests/unit/harness.h"

#include "pixel/lower.h"

static bool is_plain(uint8_t op)
{
    switch (op) {
    case VT_PIXEL_UMULH:
    case VT_PIXEL_SMULH:
    case VT_PIXEL_SDIV:
    case VT_PIXEL_SREM:
    case VT_PIXEL_NEG:
    case VT_PIXEL_ROL:
    case VT_PIXEL_ROR:
    case VT_PIXEL_POPCNT:
    case VT_PIXEL_CLZ:
    case VT_PIXEL_CTZ:
    case VT_PIXEL_BSWAP:
    case VT_PIXEL_ADD_CARRY:
    case VT_PIXEL_ADD_OVERFLOW:
    case VT_PIXEL_SUB_BORROW:
    case VT_PIXEL_SUB_OVERFLOW:
        return false;
    default:
        return op < VT_PIXEL_PADD || op > VT_PIXEL_PASHR;
    }
}

static void compare(struct vt_generator *g, enum vt_lower what, unsigned calls)
{
    struct vt_pixel_program p, lowered;
    struct vt_error err;
    vt_pixel_init(&p);
    assert_true(vt_generate(g, &p));
    if (vt_pixel_lower(&p, what, &lowered, &err) != 0) {
        assert_int_equal(err.code, VT_E_LIMIT);
        vt_pixel_fini(&p);
        return;
    }
    for (uint32_t i = 0; i < lowered.n_insns; i++) {
        assert_true(what == VT_LOWER_PACKED || is_plain(lowered.insns[i].op));
        assert_int_equal(lowered.insns[i].lane, 0);
    }
    assert_int_equal(vt_pixel_validate(&lowered, &err), 0);
    assert_int_equal(lowered.independent, p.independent);
    for (unsigned i = 0; i < calls; i++) {
        struct vt_generated_call a = {0}, b = {0};
        char why[160] = "";
        assert_true(vt_generate_call(g, &p, 20, &a));
        assert_true(vt_generated_copy(&p, &a, &b));
        uint64_t n = vt_pixel_interpret(&p, &a.call);
        assert_int_equal(vt_pixel_interpret(&lowered, &b.call), n);
        if (!vt_generated_equal(&p, &a, &b, why, sizeof why)) {
            fail_msg("%s", why);
        }
        vt_generated_fini(&a);
        vt_generated_fini(&b);
    }
    vt_pixel_fini(&p);
    vt_pixel_fini(&lowered);
}

static void test_each_operation(void **state)
{
    (void)state;
    for (unsigned op = VT_PIXEL_ADD; op <= VT_PIXEL_PASHR; op++) {
        struct vt_generator g;
        vt_generator_init(&g, op);
        g.fixed_op = op;
        for (unsigned k = 0; k < 20; k++) {
            compare(&g, VT_LOWER_ALL, 5);
            compare(&g, VT_LOWER_PACKED, 5);
        }
    }
}

static void test_independent(void **state)
{
    (void)state;
    struct vt_generator g;
    vt_generator_init(&g, 77);
    g.independent = true;
    for (unsigned k = 0; k < 300; k++) {
        compare(&g, VT_LOWER_ALL, 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_operation),
                                       cmocka_unit_test(test_independent)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
