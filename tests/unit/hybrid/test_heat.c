/* tests/unit/hybrid/test_heat.c - which code is worth a look.
 */
#include "hybrid/heat.h"

#include "tests/unit/harness.h"

#include <stdbool.h>

#define CODE UINT64_C(0x401000)

static struct vt_heat_map map;

static int begin(void **state)
{
    (void)state;
    map = (struct vt_heat_map){0};
    return 0;
}

/* So many slices end there. */
static enum vt_heat slices(uint32_t n, uint64_t pc, const char *program)
{
    enum vt_heat heat = VT_COLD;
    for (uint32_t i = 0; i < n; i++) {
        heat = vt_heat_note(&map, pc, program, 16);
    }
    return heat;
}

static void idle(uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        vt_heat_idle(&map);
    }
}

static void hot_is_where_half_of_the_recent_slices_ended(void **state)
{
    (void)state;
    assert_int_equal(slices(3, CODE, "busy"), VT_COLD);
    assert_int_equal(slices(2, CODE, "busy"), VT_WARM);
    assert_int_equal(slices(1, CODE, "busy"), VT_HOT);
    map = (struct vt_heat_map){0};
    for (uint64_t i = 0; i < 12; i++) { /* much else, here and there */
        assert_int_equal(slices(1, CODE + (i + 1) * 4096, "busy"), VT_COLD);
        if (i % 3 == 0) {
            assert_int_equal(slices(1, CODE, "busy"), i < 9 ? VT_COLD : VT_WARM);
        }
    }
    assert_int_equal(slices(3, CODE, "busy"), VT_WARM);
    assert_int_equal(slices(1, CODE, "busy"), VT_HOT);
    idle(VT_HEAT_RECENT); /* does not count */
    assert_int_equal(slices(1, CODE, "busy"), VT_HOT);
}

static void blocks_near_each_other_count_together(void **state)
{
    (void)state;
    assert_int_equal(slices(2, CODE, "busy"), VT_COLD);
    assert_int_equal(slices(1, CODE + 500, "busy"), VT_COLD);
    assert_int_equal(slices(2, CODE + 900, "busy"), VT_WARM);
    assert_int_equal(slices(1, CODE + 300, "busy"), VT_HOT);
}

static void what_a_look_showed_is_cold_and_what_lies_beside_it_is_not(void **state)
{
    (void)state;
    vt_heat_shows(&map, CODE, 32, "busy");
    assert_int_equal(slices(20, CODE, "busy"), VT_COLD);
    assert_int_equal(slices(20, CODE + 31, "busy"), VT_COLD);
    assert_int_equal(slices(3, CODE + 32, "busy"), VT_COLD);
    assert_int_equal(slices(1, CODE + 32, "busy"), VT_HOT);
    /* another program there is other code */
    map = (struct vt_heat_map){0};
    vt_heat_shows(&map, CODE, 32, "busy");
    assert_int_equal(slices(6, CODE, "other"), VT_HOT);
    assert_int_equal(slices(6, CODE, "busy"), VT_COLD);
    vt_heat_forget(&map);
    assert_int_equal(slices(6, CODE, "busy"), VT_HOT);
}

static void blocks_of_a_loop_are_shown_as_one(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 4 * VT_HEAT_SHOWN; i++) {
        vt_heat_shows(&map, CODE + (i * 7 % 32) * 8, 8, "busy");
    }
    assert_int_equal(slices(20, CODE, "busy"), VT_COLD);
    assert_int_equal(slices(20, CODE + 255, "busy"), VT_COLD);
    assert_int_equal(slices(6, CODE + 256, "busy"), VT_HOT);
    /* more loops than there is room for: the last ones count */
    for (uint64_t i = 0; i < 2 * VT_HEAT_SHOWN; i++) {
        vt_heat_shows(&map, 2 * CODE + i * 64, 8, "busy");
    }
    assert_int_equal(slices(20, 2 * CODE + VT_HEAT_SHOWN * 64, "busy"), VT_COLD);
    assert_int_equal(slices(6, 2 * CODE, "busy"), VT_HOT);
}

static void the_kernel_is_one_program(void **state)
{
    const uint64_t kernel = UINT64_C(0xffffffff81000000);
    (void)state;
    vt_heat_shows(&map, kernel, 1, "kernel");
    assert_int_equal(slices(4, kernel, "busy"), VT_COLD);
    assert_int_equal(slices(3, kernel + 4096, "busy"), VT_COLD);
    assert_int_equal(slices(3, kernel + 4096, "other"), VT_HOT);
}

static void what_looks_do_not_show_is_hot_twice(void **state)
{
    (void)state;
    assert_int_equal(slices(6, CODE, "busy"), VT_HOT);
    vt_heat_look(&map);
    assert_int_equal(slices(1, CODE, "busy"), VT_HOT);
    vt_heat_look(&map);
    assert_int_equal(slices(20, CODE, "busy"), VT_COLD);
    /* a look that was made for something else is none for it */
    assert_int_equal(slices(4, CODE + 65536, "busy"), VT_WARM);
    vt_heat_look(&map);
    assert_int_equal(slices(6, CODE + 65536, "busy"), VT_HOT);
    /* it was elsewhere for long */
    idle(200);
    assert_int_equal(slices(6, CODE, "busy"), VT_HOT);
}

static void what_lies_back_counts_less(void **state)
{
    (void)state;
    assert_int_equal(slices(3, CODE, "busy"), VT_COLD);
    idle(64);
    assert_int_equal(slices(3, CODE, "busy"), VT_COLD);
    assert_int_equal(slices(1, CODE, "busy"), VT_HOT); /* the seventh slice that was not idle */
}

static void many_places_are_scattered_until_one_comes_again(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 2 * VT_HEAT_RECENT; i++) {
        assert_false(vt_heat_is_scattered(&map));
        (void)slices(1, CODE + i * 4096, "busy");
    }
    assert_true(vt_heat_is_scattered(&map));
    idle(20);
    assert_int_equal(slices(2, CODE, "busy"), VT_COLD);
    assert_true(vt_heat_is_scattered(&map));
    assert_int_equal(slices(1, CODE + 500, "busy"), VT_COLD);
    assert_false(vt_heat_is_scattered(&map));
    assert_int_equal(slices(3, CODE, "busy"), VT_HOT);
    /* what looks have shown says nothing of what is new */
    vt_heat_shows(&map, CODE, 1024, "busy");
    (void)slices(100, CODE, "busy");
    assert_false(vt_heat_is_scattered(&map));
}

static bool is_there(uint64_t pc)
{
    for (uint32_t i = 0; i < VT_HEAT_PLACES; i++) {
        if (map.places[i].place << 16 == pc << 16) { /* above is the program */
            return true;
        }
    }
    return false;
}

static void none_takes_anothers_place(void **state)
{
    (void)state;
    uint32_t half = 0;
    (void)slices(1, CODE, "busy");
    for (uint64_t i = 1; i < 1000; i++) {
        (void)slices(1, CODE + i * 4096, "busy");
        assert_true(is_there(CODE + i * 4096));
        assert_true(map.slices / VT_HEAT_HALF != half || is_there(CODE + (i - 1) * 4096));
        half = map.slices / VT_HEAT_HALF;
        (void)slices((uint32_t)(i % 3), CODE + i % 7 * 64, "busy");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(hot_is_where_half_of_the_recent_slices_ended, begin),
        cmocka_unit_test_setup(blocks_near_each_other_count_together, begin),
        cmocka_unit_test_setup(what_a_look_showed_is_cold_and_what_lies_beside_it_is_not, begin),
        cmocka_unit_test_setup(blocks_of_a_loop_are_shown_as_one, begin),
        cmocka_unit_test_setup(the_kernel_is_one_program, begin),
        cmocka_unit_test_setup(what_looks_do_not_show_is_hot_twice, begin),
        cmocka_unit_test_setup(what_lies_back_counts_less, begin),
        cmocka_unit_test_setup(many_places_are_scattered_until_one_comes_again, begin),
        cmocka_unit_test_setup(none_takes_anothers_place, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
