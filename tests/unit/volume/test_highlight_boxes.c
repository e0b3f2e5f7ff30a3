/* Few boxes around a highlight's runs: none of it is left out, and what is one is one box. */
#include "tests/unit/harness.h"

#include "volume/hilbert3d.h"
#include "volume/overlay.h"

#include <stdlib.h>

#define ORDER 8u /* 16 MiB */

static uint32_t next(void)
{
    static uint32_t x = 7;
    x = x * 1664525 + 1013904223;
    return x >> 8;
}

static bool inside(const uint32_t p[3], const struct vt_box *boxes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool in = true;
        for (unsigned k = 0; k < 3; k++) {
            in = in && p[k] >= boxes[i].min[k] && p[k] <= boxes[i].max[k];
        }
        if (in) {
            return true;
        }
    }
    return false;
}

static void all_of_it_is_inside(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 200; round++) {
        struct vt_gpa_run runs[300];
        struct vt_highlight h = {.runs = runs};
        uint64_t page = 0;
        size_t want = 1 + next() % 300;
        for (; h.n_runs < want && page < 4000; h.n_runs++) {
            uint64_t pages = 1 + next() % 8;
            page += 1 + next() % (round % 2 == 0 ? 12 : 200);
            runs[h.n_runs] = (struct vt_gpa_run){VT_GPA(page << 12), pages << 12};
            page += pages;
        }
        struct vt_box boxes[VT_HIGHLIGHT_BOXES_MAX];
        size_t n = vt_highlight_boxes(&h, ORDER, NULL, 0, boxes);
        assert_true(n >= 1 && n <= VT_HIGHLIGHT_BOXES_MAX);
        for (size_t i = 0; i < h.n_runs; i++) {
            for (unsigned k = 0; k < 40; k++) {
                uint32_t p[3];
                uint64_t at = runs[i].gpa.v + next() % runs[i].bytes;
                if (at >= (uint64_t)1 << (3 * ORDER)) {
                    continue; /* past the end of RAM: left out */
                }
                vt_hilbert3d_point(ORDER, at, p);
                assert_true(inside(p, boxes, n) ||
                            runs[i].gpa.v + runs[i].bytes > (uint64_t)1 << (3 * ORDER));
            }
        }
    }
}

static void neighbours_are_one(void **state)
{
    (void)state;
    struct vt_gpa_run runs[64];
    struct vt_highlight h = {.runs = runs, .n_runs = 64};
    for (uint64_t i = 0; i < 64; i++) { /* an octant of 64^3, page by page */
        runs[i] = (struct vt_gpa_run){VT_GPA((64 + i) << 12), 1 << 12};
    }
    struct vt_box boxes[VT_HIGHLIGHT_BOXES_MAX], whole;
    assert_int_equal(vt_highlight_boxes(&h, ORDER, NULL, 0, boxes), 1);
    assert_int_equal(vt_volume_box(ORDER, VT_OFF(64 << 12), 64 << 12, &whole, NULL), 0);
    assert_memory_equal(boxes, &whole, sizeof whole);
}

static void far_ones_are_several(void **state)
{
    (void)state;
    struct vt_gpa_run runs[2] = {{VT_GPA(0), 4096}, {VT_GPA(4095 << 12), 4096}};
    struct vt_highlight h = {.runs = runs, .n_runs = 2};
    struct vt_box boxes[VT_HIGHLIGHT_BOXES_MAX];
    assert_int_equal(vt_highlight_boxes(&h, ORDER, NULL, 0, boxes), 2);
}

static void addresses_are_looked_up(void **state)
{
    (void)state;
    const struct vt_ram_region regions[] = {
        {VT_GPA(0), VT_OFF(0), 8 << 20},
        {VT_GPA((uint64_t)4 << 30), VT_OFF(8 << 20), 8 << 20},
    };
    struct vt_gpa_run high = {VT_GPA(((uint64_t)4 << 30) + 4096), 4096},
                      hole = {VT_GPA(9 << 20), 1};
    struct vt_gpa_run across = {VT_GPA((8 << 20) - 4096), (uint64_t)5 << 30};
    struct vt_highlight h = {.runs = &high, .n_runs = 1};
    struct vt_box boxes[VT_HIGHLIGHT_BOXES_MAX], want;
    assert_int_equal(vt_highlight_boxes(&h, ORDER, regions, 2, boxes), 1);
    assert_int_equal(vt_volume_box(ORDER, VT_OFF((8 << 20) + 4096), 4096, &want, NULL), 0);
    assert_memory_equal(boxes, &want, sizeof want);
    h.runs = &hole;
    assert_int_equal(vt_highlight_boxes(&h, ORDER, regions, 2, boxes), 0);
    h.runs = &across; /* from the last page before the hole to far past the end */
    size_t n = vt_highlight_boxes(&h, ORDER, regions, 2, boxes);
    uint32_t p[3];
    vt_hilbert3d_point(ORDER, (8 << 20) - 1, p);
    assert_true(inside(p, boxes, n));
    vt_hilbert3d_point(ORDER, (16 << 20) - 1, p);
    assert_true(inside(p, boxes, n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_it_is_inside),
        cmocka_unit_test(neighbours_are_one),
        cmocka_unit_test(far_ones_are_several),
        cmocka_unit_test(addresses_are_looked_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
