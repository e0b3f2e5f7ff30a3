/* The longest common subsequence: as long as the textbook's table says, and in order. */
#include "tests/unit/harness.h"

#include "gpu/align.h"

#include <string.h>

#define N 400

static uint64_t a[4 * N], b[4 * N];
static uint32_t of_a[4 * N], of_b[4 * N];

static uint32_t next(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static unsigned textbook(unsigned n, unsigned m)
{
    static unsigned table[N + 1][N + 1];
    for (unsigned i = 1; i <= n; i++) {
        for (unsigned j = 1; j <= m; j++) {
            unsigned up = table[i - 1][j], left = table[i][j - 1];
            table[i][j] = a[i - 1] == b[j - 1] ? table[i - 1][j - 1] + 1 : up > left ? up : left;
        }
    }
    return table[n][m];
}

/* Pairs are of equal keys, both directions agree, and none crosses another. */
static unsigned check(struct vt_align *align, unsigned n, unsigned m)
{
    struct vt_error err;
    memset(of_a, 0xff, sizeof of_a);
    memset(of_b, 0xff, sizeof of_b);
    assert_int_equal(vt_align_box(align, (struct vt_align_box){0, n, 0, m}, a, b, of_a, of_b, &err),
                     0);
    unsigned pairs = 0;
    int64_t last = -1;
    for (unsigned i = 0; i < n; i++) {
        if (of_a[i] != VT_ALIGN_NONE) {
            assert_true(of_a[i] < m && (int64_t)of_a[i] > last);
            assert_int_equal(a[i], b[of_a[i]]);
            assert_int_equal(of_b[of_a[i]], i);
            last = of_a[i];
            pairs++;
        }
    }
    for (unsigned j = 0; j < m; j++) {
        assert_true(of_b[j] == VT_ALIGN_NONE || of_a[of_b[j]] == j);
    }
    return pairs;
}

static void test_as_long_as_can_be(void **state)
{
    (void)state;
    struct vt_align align = {0};
    uint32_t random = 1;
    for (unsigned round = 0; round < 300; round++) {
        unsigned n = next(&random) % (round < 200 ? 12 : N), m = next(&random) % (N / 4);
        unsigned kinds = 1 + next(&random) % 8;
        for (unsigned i = 0; i < n; i++) {
            a[i] = next(&random) % kinds;
        }
        for (unsigned j = 0; j < m; j++) {
            b[j] = next(&random) % kinds;
        }
        assert_int_equal(check(&align, n, m), textbook(n, m));
    }
    vt_align_fini(&align);
}

static void test_edited(void **state)
{
    (void)state;
    struct vt_align align = {0};
    uint32_t random = 7;
    for (unsigned round = 0; round < 50; round++) {
        unsigned n = N - 50, m = 0;
        for (unsigned i = 0; i < n; i++) {
            a[i] = next(&random) % 1000;
            unsigned die = next(&random) % 20;
            if (die == 0) {
                b[m++] = 5000 + i; /* one more */
            }
            if (die != 1) {
                b[m++] = a[i];
            }
        }
        assert_int_equal(check(&align, n, m < N ? m : N), textbook(n, m < N ? m : N));
    }
    vt_align_fini(&align);
}

/* Next to nothing in common: cut off, and still a common subsequence. */
static void test_strangers(void **state)
{
    (void)state;
    struct vt_align align = {0};
    for (unsigned i = 0; i < 4 * N; i++) {
        a[i] = i;
        b[i] = i % 400 == 399 ? i : 100000 + i;
    }
    unsigned pairs = check(&align, 4 * N, 4 * N);
    assert_true(pairs >= 1 && pairs <= 4);
    vt_align_fini(&align);
}

/* Only inside the box. */
static void test_box(void **state)
{
    (void)state;
    struct vt_align align = {0};
    struct vt_error err;
    for (unsigned i = 0; i < 10; i++) {
        a[i] = b[i] = 3;
    }
    memset(of_a, 0xff, sizeof of_a);
    memset(of_b, 0xff, sizeof of_b);
    assert_int_equal(
        vt_align_box(&align, (struct vt_align_box){2, 5, 4, 6}, a, b, of_a, of_b, &err), 0);
    assert_int_equal(of_a[1], VT_ALIGN_NONE);
    assert_int_equal(of_a[2], 4);
    assert_int_equal(of_a[3], 5);
    assert_int_equal(of_a[4], VT_ALIGN_NONE);
    assert_int_equal(of_b[6], VT_ALIGN_NONE);
    assert_int_equal(
        vt_align_box(&align, (struct vt_align_box){2, 2, 4, 6}, a, b, of_a, of_b, &err), 0);
    vt_align_fini(&align);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_long_as_can_be),
        cmocka_unit_test(test_edited),
        cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_box),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
