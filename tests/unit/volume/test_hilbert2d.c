/* The plane Hilbert curve: a bijection whose steps are of length one, and the order-1 figure. */
#include "tests/unit/harness.h"

#include "volume/hilbert2d.h"

#include <stdlib.h>

static void every_step_is_one_and_comes_back(void **state)
{
    (void)state;
    for (unsigned order = 1; order <= 8; order++) {
        uint32_t px = 0, py = 0;
        for (uint32_t d = 0; d < (uint32_t)1 << (2 * order); d++) {
            uint32_t x, y;
            vt_hilbert2d_point(order, d, &x, &y);
            assert_true(x < (uint32_t)1 << order && y < (uint32_t)1 << order);
            assert_int_equal(vt_hilbert2d_distance(order, x, y), d);
            if (d > 0) {
                assert_int_equal(abs((int)x - (int)px) + abs((int)y - (int)py), 1);
            }
            px = x;
            py = y;
        }
    }
}

static void blocks_of_the_curve_are_squares(void **state)
{
    (void)state;
    /* 2 MiB of RAM (512 pages) must stay together: any 4^k points fill one square of side 2^k. */
    for (uint32_t block = 0; block < 16; block++) {
        uint32_t min_x = UINT32_MAX, max_x = 0;
        for (uint32_t d = block * 256; d < (block + 1) * 256; d++) {
            uint32_t x, y;
            vt_hilbert2d_point(6, d, &x, &y);
            min_x = x < min_x ? x : min_x;
            max_x = x > max_x ? x : max_x;
        }
        assert_int_equal(max_x - min_x, 15);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_step_is_one_and_comes_back),
        cmocka_unit_test(blocks_of_the_curve_are_squares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
