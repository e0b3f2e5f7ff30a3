/* Programs by hand, and what they do. */
#include "tests/unit/harness.h"

#include "vitrine/pixel.h"

#include <string.h>

static struct vt_pixel_program read_program(const char *text)
{
    struct vt_pixel_program p;
    struct vt_error err;
    if (vt_pixel_read(&p, text, strlen(text), &err) < 0) {
        fail_msg("%s", err.message);
    }
    return p;
}

/** Runs and throws the program away. */
static uint64_t run(const char *text, uint64_t count, const uint64_t *inputs, uint64_t *carries,
                    uint8_t *const *streams)
{
    struct vt_pixel_program p = read_program(text);
    struct vt_pixel_call call = {
        .count = count, .inputs = inputs, .carries = carries, .streams = streams};
    uint64_t ran = vt_pixel_interpret(&p, &call);
    vt_pixel_fini(&p);
    return ran;
}

static void test_xor(void **state)
{
    (void)state;
    uint8_t data[35];
    for (unsigned i = 0; i < 35; i++) {
        data[i] = (uint8_t)i;
    }
    uint64_t key = 0x0102030405060708;
    uint8_t *streams[] = {data + 1};
    assert_int_equal(run("pixel 1\ninput key i64\nstream d stride 8 window 0 8\n"
                         "%0 = input i64 key\n%1 = load i64 d[0]\n%2 = xor i64 %1, %0\n"
                         "store d[0], %2\n",
                         4, &key, NULL, streams),
                     4);
    for (unsigned i = 0; i < 35; i++) {
        bool inside = i >= 1 && i < 33;
        assert_int_equal(data[i], i ^ (inside ? 8 - (i - 1) % 8 : 0));
    }
}

/** Later iterations and operations see what earlier ones stored. */
static void test_order(void **state)
{
    (void)state;
    uint8_t data[10] = {7};
    uint8_t *streams[] = {data, data + 1};
    run("pixel 1\nstream s stride 1 window 0 1\nstream d stride 1 window 0 1\n"
        "%0 = load i8 s[0]\nstore d[0], %0\n%2 = load i8 d[0]\n%3 = const i8 1\n"
        "%4 = add i8 %2, %3\nstore d[0], %4\n",
        9, NULL, NULL, streams);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(data[i], 7 + i);
    }
}

/** Carries go on all at once; what stands above their width is not seen and not left. */
static void test_carries(void **state)
{
    (void)state;
    uint64_t carries[] = {1, 2, 0xfff0};
    assert_int_equal(run("pixel 1\ncarry a i64 next %1\ncarry b i64 next %0\ncarry c i8 next %4\n"
                         "%0 = carry i64 a\n%1 = carry i64 b\n%2 = carry i8 c\n%3 = const i8 8\n"
                         "%4 = add i8 %2, %3\n",
                         3, NULL, carries, NULL),
                     3);
    assert_int_equal(carries[0], 2);
    assert_int_equal(carries[1], 1);
    assert_int_equal(carries[2], 8);
    uint64_t untouched[] = {0xabc};
    assert_int_equal(
        run("pixel 1\ncarry a i8 next %0\n%0 = const i8 1\n", 0, NULL, untouched, NULL), 0);
    assert_int_equal(untouched[0], 0xbc);
}

/** Until a check fails: of that iteration nothing is left. */
static void test_check(void **state)
{
    (void)state;
    static const char text[] =
        "pixel 1\ncarry n i64 next %3\nstream s stride 1 window 0 1\n"
        "stream d stride 2 window 0 2\n"
        "%0 = load i8 s[0]\n%1 = carry i64 n\n%2 = const i64 1\n%3 = add i64 %1, %2\n"
        "%4 = const i8 0\n%5 = ne i1 %0, %4\ncheck %5\n%7 = zext i16 %0\nstore d[0], %7\n";
    uint8_t from[] = "text", to[12];
    memset(to, 0xee, sizeof to);
    uint64_t n = 10;
    uint8_t *streams[] = {from, to};
    assert_int_equal(run(text, 6, NULL, &n, streams), 4);
    assert_int_equal(n, 14);
    assert_memory_equal(to, "t\0e\0x\0t\0\xee\xee\xee\xee", 12);
}

/** Collatz: how many steps to 1; and one number that takes more than is allowed. */
static void test_loop(void **state)
{
    (void)state;
    static const char text[] =
        "pixel 1\nstream s stride 4 window 0 4\nstream d stride 4 window 0 4\n"
        "%0 = load i32 s[0]\n%1 = zext i64 %0\n%2 = const i64 0\n%3 = const i64 1\n"
        "%4 = const i64 3\n"
        "loop 0 trips 20 from %1, %2\n"
        "  %6 = variable i64 0\n"
        "  %7 = variable i64 1\n"
        "  %8 = extract i1 %6, 0\n"
        "  %9 = mul i64 %6, %4\n"
        "  %10 = add i64 %9, %3\n"
        "  %11 = lshr i64 %6, %3\n"
        "  %12 = select i64 %10, %11, %8\n"
        "  %13 = add i64 %7, %3\n"
        "  %14 = ne i1 %12, %3\n"
        "end 0 next %12, %13 while %14\n"
        "%16 = result i64 0, 1\n"
        "%17 = extract i32 %16, 0\n"
        "store d[0], %17\n";
    uint32_t from[] = {2, 3, 6, 7, 9, 27, 2}, to[7] = {0};
    uint8_t *streams[] = {(uint8_t *)from, (uint8_t *)to};
    assert_int_equal(run(text, 7, NULL, NULL, streams), 5); /* 27 takes 111 steps */
    static const uint32_t steps[] = {1, 7, 8, 16, 19, 0, 0};
    assert_memory_equal(to, steps, sizeof steps);
}

/** A loop in a loop, of which the inner one begins anew each time: 3 times 4 numbers. */
static void test_nested(void **state)
{
    (void)state;
    static const char text[] =
        "pixel 1\ncarry c i64 next %16\n"
        "%0 = const i64 0\n%1 = const i64 1\n%2 = const i64 3\n%3 = const i64 4\n"
        "loop 1 trips 3 from %0, %0\n"
        "  %5 = variable i64 0\n"
        "  loop 0 trips 4 from %0\n"
        "    %7 = variable i64 0\n"
        "    %8 = add i64 %7, %1\n"
        "    %9 = ult i1 %8, %3\n"
        "  end 0 next %8 while %9\n"
        "  %11 = result i64 0, 0\n"
        "  %12 = add i64 %5, %11\n"
        "  %13 = mul i64 %2, %3\n"
        "  %14 = ult i1 %12, %13\n"
        "end 1 next %12, %5 while %14\n"
        "%16 = result i64 1, 0\n"
        "%17 = result i64 1, 1\n"; /* what variable 0 was as the last trip began */
    uint64_t c = 0;
    assert_int_equal(run(text, 2, NULL, &c, NULL), 2);
    assert_int_equal(c, 12);
    struct vt_pixel_program p = read_program(text);
    p.carries[0].next = 17;
    struct vt_pixel_call call = {.count = 1, .carries = &c};
    assert_int_equal(vt_pixel_interpret(&p, &call), 1);
    assert_int_equal(c, 8);
    vt_pixel_fini(&p);
}

/** Strides by inputs, backwards, indices that wrap, stores that are not done. */
static void test_places(void **state)
{
    (void)state;
    static const char text[] = "pixel 1\ninput step i64\nstream s stride step window -4 4\n"
                               "stream table stride 0 window 0 4\nstream d stride -1 window 0 1\n"
                               "%0 = load i8 s[-4]\n%1 = zext i64 %0\n%2 = load i8 table[0 + %1]\n"
                               "%3 = neg i64 %1\n%4 = load i8 table[3 + %3]\n%5 = add i8 %2, %4\n"
                               "%6 = index i64\n%7 = const i64 1\n%8 = ne i1 %6, %7\n"
                               "store d[0], %5 if %8\n";
    uint8_t from[21] = {0}, table[] = {1, 2, 40, 80}, to[4] = {9, 9, 9, 9};
    from[4] = 3;
    from[7] = 2;
    from[10] = 1;
    from[13] = 0;
    uint64_t step = UINT64_C(-3);
    uint8_t *streams[] = {from + 17, table, to + 3}; /* 17 - 4 = 13, 10, 7, 4 */
    assert_int_equal(run(text, 4, &step, NULL, streams), 4);
    static const uint8_t want[] = {81, 42, 9, 81};
    assert_memory_equal(to, want, sizeof want);
}

/** Bits above an input's width are ignored. */
static void test_inputs(void **state)
{
    (void)state;
    uint64_t inputs[] = {0x1ff, 0xfe}, c = 0;
    run("pixel 1\ninput a i8\ninput b i1\ncarry c i64 next %4\n"
        "%0 = input i8 a\n%1 = input i1 b\n%2 = const i8 5\n%3 = select i8 %0, %2, %1\n"
        "%4 = sext i64 %0\n",
        1, inputs, &c, NULL);
    assert_int_equal(c, UINT64_MAX);
    run("pixel 1\ninput a i8\ninput b i1\ncarry c i8 next %3\n"
        "%0 = input i8 a\n%1 = input i1 b\n%2 = const i8 5\n%3 = select i8 %0, %2, %1\n",
        1, inputs, &c, NULL);
    assert_int_equal(c, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_xor),     cmocka_unit_test(test_order),
        cmocka_unit_test(test_carries), cmocka_unit_test(test_check),
        cmocka_unit_test(test_loop),    cmocka_unit_test(test_nested),
        cmocka_unit_test(test_places),  cmocka_unit_test(test_inputs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
