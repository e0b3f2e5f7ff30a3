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

/* Iterations with loops are run several at once where that may be, and one by one where it may not:
 * streams that meet, trips that run out. */
static void test_lanes(void **state)
{
    (void)state;
    struct vt_generator g;
    vt_generator_init(&g, 6);
    g.independent = g.meeting = true;
    g.operations = 24;
    g.loops = 2;
    for (unsigned k = 0; k < PROGRAMS; k++) {
        compile_and_compare(&g, 3);
    }
}

/* A byte says how many trips its iteration takes: at 77 a check fails, above 100 they run out. */
static const char trips_text[] = "pixel 1\n"
                                 "input step i64\n"
                                 "carry at i64 next %32\n"
                                 "carry sum i64 next %36\n"
                                 "carry least i32 next %40\n"
                                 "carry last i64 next %22\n"
                                 "carry scratch i64 next %23\n"
                                 "stream from stride 1 window 0 1\n"
                                 "stream to stride 8 window 0 8\n"
                                 "%0 = carry i64 at\n"
                                 "%1 = load i8 from[0]\n"
                                 "%2 = zext i32 %1\n"
                                 "%3 = const i32 1\n"
                                 "%4 = const i32 0\n"
                                 "%5 = const i64 13\n"
                                 "%6 = carry i64 scratch\n"
                                 "loop 0 trips 100 from %4, %0, %6\n"
                                 "%8 = variable i32 0\n"
                                 "%9 = variable i64 1\n"
                                 "%10 = variable i64 2\n"
                                 "%11 = add i32 %8, %3\n"
                                 "%12 = mul i64 %9, %9\n"
                                 "%13 = ashr i64 %12, %5\n"
                                 "%14 = zext i64 %11\n"
                                 "%15 = add i64 %13, %14\n"
                                 "%16 = const i32 250\n"
                                 "%17 = eq i1 %8, %16\n"
                                 "%18 = select i64 %10, %15, %17\n"
                                 "%19 = ult i1 %11, %2\n"
                                 "end 0 next %11, %15, %18 while %19\n"
                                 "%21 = result i32 0, 0\n"
                                 "%22 = result i64 0, 1\n"
                                 "%23 = result i64 0, 2\n"
                                 "%24 = const i32 77\n"
                                 "%25 = ne i1 %21, %24\n"
                                 "check %25\n"
                                 "store to[0], %22\n"
                                 "%28 = extract i32 %0, 0\n"
                                 "%29 = input i64 step\n"
                                 "%30 = extract i32 %29, 0\n"
                                 "%31 = add i32 %28, %30\n"
                                 "%32 = zext i64 %31\n"
                                 "%33 = carry i64 sum\n"
                                 "%34 = extract i32 %33, 0\n"
                                 "%35 = add i32 %34, %21\n"
                                 "%36 = zext i64 %35\n"
                                 "%37 = carry i32 least\n"
                                 "%38 = extract i32 %22, 0\n"
                                 "%39 = slt i1 %37, %38\n"
                                 "%40 = select i32 %37, %38, %39\n";

enum { ITERATIONS = 70, ROOM = 16 * ITERATIONS };

/* One byte ends the run; what is written lies `apart` bytes behind what is read. */
static void run_trips(struct vt_generator *g, const struct vt_pixel_program *p, vt_pixel_entry *run,
                      uint32_t end, uint8_t how, uint32_t apart)
{
    uint8_t memory[2][ROOM];
    uint64_t carries[2][5], input = vt_generator_next(g), happened[2];
    for (uint32_t k = 0; k < ROOM; k++) {
        memory[0][k] = memory[1][k] = (uint8_t)vt_generator_below(g, 20);
    }
    memory[0][end] = memory[1][end] = how;
    for (unsigned k = 0; k < 5; k++) {
        carries[0][k] = carries[1][k] = vt_generator_next(g);
    }
    uint64_t count = vt_generator_below(g, ITERATIONS + 1);
    for (unsigned k = 0; k < 2; k++) {
        uint8_t *streams[] = {memory[k], memory[k] + apart};
        struct vt_pixel_call call = {count, &input, carries[k], streams};
        happened[k] = k == 0 ? vt_pixel_interpret(p, &call) : run(&call);
    }
    assert_int_equal(happened[0], happened[1]);
    assert_memory_equal(carries[0], carries[1], sizeof carries[0]);
    assert_memory_equal(memory[0], memory[1], sizeof memory[0]);
}

/* Wherever a run ends: what comes before that happened, and nothing else. */
static void test_ends(void **state)
{
    (void)state;
    struct vt_generator g;
    struct vt_pixel_program p;
    struct vt_pixel_image image;
    struct vt_error err;
    vt_generator_init(&g, 7);
    vt_pixel_init(&p);
    assert_int_equal(vt_pixel_read(&p, trips_text, sizeof trips_text - 1, &err), 0);
    int rc = vt_pixel_compile(&p, 3, &image, &err);
    if (rc == VT_E_UNSUPPORTED) {
        vt_pixel_fini(&p);
        skip();
    }
    assert_int_equal(rc, 0);
    vt_pixel_entry *run = vt_pixel_image_map(&image, &err);
    assert_non_null(run);
    for (uint32_t end = 0; end < ITERATIONS; end++) {
        static const uint8_t how[] = {1, 77, 100, 101, 255};
        static const uint32_t apart[] = {0, 1, 7, 15, 40, ITERATIONS - 1, ITERATIONS, 200};
        for (unsigned k = 0; k < 40; k++) {
            run_trips(&g, &p, run, end, how[k % 5], apart[k / 5]);
        }
    }
    vt_pixel_image_unmap(run, &image);
    vt_pixel_image_fini(&image);
    vt_pixel_fini(&p);
}

/* One iteration writes some of the bytes that another one reads or writes. */
static const char parts_text[] = "pixel 1\n"
                                 "input by i64\n"
                                 "carry a i64 next %4\n"
                                 "carry b i64 next %11\n"
                                 "stream s stride -1 window 0 10\n"
                                 "stream t stride by window 2 3\n"
                                 "%0 = carry i64 a\n"
                                 "%1 = carry i64 b\n"
                                 "%2 = const i64 31\n"
                                 "%3 = and i64 %1, %2\n"
                                 "%4 = rol i64 %0, %3\n"
                                 "store s[0], %4\n"
                                 "%6 = load i64 s[2]\n"
                                 "%7 = const i64 0xffffffffffffffff\n"
                                 "%8 = add i64 %6, %7\n"
                                 "store s[2], %8\n"
                                 "%10 = load i8 t[2]\n"
                                 "%11 = zext i64 %10\n";

static void test_parts(void **state)
{
    (void)state;
    struct vt_generator g;
    struct vt_pixel_program p;
    struct vt_error err;
    vt_generator_init(&g, 9);
    vt_pixel_init(&p);
    assert_int_equal(vt_pixel_read(&p, parts_text, sizeof parts_text - 1, &err), 0);
    for (unsigned level = 2; level < 4; level++) {
        struct vt_pixel_image image;
        int rc = vt_pixel_compile(&p, level, &image, &err);
        if (rc == VT_E_UNSUPPORTED) {
            vt_pixel_fini(&p);
            skip();
        }
        assert_int_equal(rc, 0);
        vt_pixel_entry *run = vt_pixel_image_map(&image, &err);
        assert_non_null(run);
        for (unsigned k = 0; k < 200; k++) {
            uint8_t memory[2][512];
            uint64_t carries[2][2], by = (uint64_t)k % 7 - 3;
            for (unsigned i = 0; i < sizeof memory[0]; i++) {
                memory[0][i] = memory[1][i] = (uint8_t)vt_generator_next(&g);
            }
            for (unsigned i = 0; i < 2; i++) {
                carries[0][i] = carries[1][i] = vt_generator_next(&g);
            }
            uint64_t from = 100 + vt_generator_below(&g, 300), count = vt_generator_below(&g, 25);
            for (unsigned i = 0; i < 2; i++) {
                uint8_t *streams[] = {memory[i] + 200, memory[i] + from};
                struct vt_pixel_call call = {count, &by, carries[i], streams};
                assert_int_equal(i == 0 ? vt_pixel_interpret(&p, &call) : run(&call), count);
            }
            assert_memory_equal(memory[0], memory[1], sizeof memory[0]);
            assert_memory_equal(carries[0], carries[1], sizeof carries[0]);
        }
        vt_pixel_image_unmap(run, &image);
        vt_pixel_image_fini(&image);
    }
    vt_pixel_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_programs), cmocka_unit_test(test_independent),
        cmocka_unit_test(test_lanes), cmocka_unit_test(test_ends), cmocka_unit_test(test_parts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
