/* What libgccjit makes of random programs does as the interpreter does, wherever it lies. */
#include "tests/unit/pixel/generate.h"

#include "tests/unit/harness.h"

#include "pixel/host.h"

#include <string.h>

/* Compiling takes a tenth of a second: few programs, each with all that there is, many calls. */
#define PROGRAMS 24u
#define CALLS 40u

static void compare(struct vt_generator *g, const struct vt_pixel_program *p, vt_pixel_entry *run)
{
    struct vt_generated_call a = {0}, b = {0};
    char why[160] = "";
    assert_true(vt_generate_call(g, p, 300, &a));
    assert_true(vt_generated_copy(p, &a, &b));
    uint64_t wanted = vt_pixel_interpret(p, &a.call), n = run(&b.call);
    if (n != wanted || !vt_generated_equal(p, &a, &b, why, sizeof why)) {
        fail_msg("%llu iterations, not %llu; %s", (unsigned long long)n, (unsigned long long)wanted,
                 why);
    }
    vt_generated_fini(&a);
    vt_generated_fini(&b);
}

static void compile_and_compare(struct vt_generator *g, unsigned optimise)
{
    struct vt_pixel_program p;
    struct vt_pixel_image image;
    struct vt_error err;
    vt_pixel_init(&p);
    assert_true(vt_generate(g, &p));
    int rc = vt_pixel_compile(&p, optimise, &image, &err);
    if (rc == VT_E_UNSUPPORTED) {
        vt_pixel_fini(&p);
        skip();
    }
    if (rc != 0) {
        fail_msg("%s", err.message);
    }
    vt_pixel_entry *run = vt_pixel_image_map(&image, &err);
    assert_non_null(run);
    for (unsigned k = 0; k < CALLS; k++) {
        compare(g, &p, run);
    }
    vt_pixel_image_unmap(run, &image);
    vt_pixel_image_fini(&image);
    vt_pixel_fini(&p);
}

/* Programs of one operation among others, one after the other, at each level. */
static void test_programs(void **state)
{
    (void)state;
    struct vt_generator g;
    vt_generator_init(&g, 4);
    for (unsigned k = 0; k < PROGRAMS; k++) {
        g.operations = 60;
        g.fixed_op = VT_PIXEL_ADD + k * 7 % (VT_PIXEL_PASHR - VT_PIXEL_ADD + 1);
        compile_and_compare(&g, k % 4 == 0 ? 1 : 3);
    }
}

static void test_independent(void **state)
{
    (void)state;
    struct vt_generator g;
    vt_generator_init(&g, 5);
    g.independent = true;
    for (unsigned k = 0; k < PROGRAMS / 3; k++) {
        compile_and_compare(&g, 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_programs),
                                       cmocka_unit_test(test_independent)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
