/* The cube's Hilbert curve against its definition, and the brick table against the curve. */
#include "tests/unit/harness.h"

#include "volume/hilbert3d.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static struct vt_bricks bricks;

static unsigned distance_between(const uint32_t a[3], const uint32_t b[3])
{
    unsigned sum = 0;
    for (unsigned i = 0; i < 3; i++) {
        sum += a[i] > b[i] ? a[i] - b[i] : b[i] - a[i];
    }
    return sum;
}

/* All of 64^3: every step goes to a neighbour, every voxel is met once, and the way back fits. */
static void every_step_is_one_and_comes_back(void **state)
{
    (void)state;
    for (unsigned order = 1; order <= 6; order++) {
        uint64_t n = (uint64_t)1 << (3 * order);
        bool *met = calloc(n, sizeof *met);
        assert_non_null(met);
        uint32_t before[3] = {0}, p[3];
        for (uint64_t d = 0; d < n; d++) {
            vt_hilbert3d_point(order, d, p);
            assert_true((p[0] | p[1] | p[2]) >> order == 0);
            uint64_t voxel = ((uint64_t)p[2] << order | p[1]) << order | p[0];
            assert_false(met[voxel]);
            met[voxel] = true;
            assert_true(vt_hilbert3d_distance(order, p) == d);
            assert_int_equal(distance_between(before, p), d > 0);
            memcpy(before, p, sizeof p);
        }
        free(met);
    }
}

/* Any aligned run of 8^k points fills a cube of side 2^k: what makes pages bricks. */
static void aligned_runs_are_cubes(void **state)
{
    (void)state;
    for (unsigned k = 1; k <= 4; k++) {
        uint64_t run = (uint64_t)1 << (3 * k);
        for (uint64_t d = 0; d < (uint64_t)1 << 18; d++) {
            uint32_t p[3], first[3];
            vt_hilbert3d_point(6, d, p);
            vt_hilbert3d_point(6, d / run * run, first);
            for (unsigned i = 0; i < 3; i++) {
                assert_int_equal(p[i] >> k, first[i] >> k);
            }
        }
    }
}

/* The figure Skilling's code draws for the smallest cube: a Gray code. */
static void the_smallest_cube(void **state)
{
    (void)state;
    static const uint32_t want[8][3] = {{0, 0, 0}, {0, 0, 1}, {0, 1, 1}, {0, 1, 0},
                                        {1, 1, 0}, {1, 1, 1}, {1, 0, 1}, {1, 0, 0}};
    for (uint64_t d = 0; d < 8; d++) {
        uint32_t p[3];
        vt_hilbert3d_point(1, d, p);
        assert_memory_equal(p, want[d], sizeof p);
    }
}

static void check_byte(unsigned order, uint64_t page, unsigned orientation, const uint32_t brick[3],
                       uint32_t byte)
{
    uint32_t p[3];
    vt_hilbert3d_point(order, page * VT_BRICK_VOXELS + byte, p);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(p[i] >> 4, brick[i]);
    }
    uint32_t voxel = (p[0] & 15) | (p[1] & 15) << 4 | (p[2] & 15) << 8;
    assert_int_equal(bricks.offset[orientation][voxel], byte);
}

/* All voxels of 64^3 and of 256^3. */
static void the_table_is_the_curve(void **state)
{
    (void)state;
    bool seen[VT_ORIENTATIONS] = {false};
    for (unsigned order = 6; order <= 8; order += 2) {
        for (uint64_t page = 0; page < (uint64_t)1 << (3 * (order - 4)); page++) {
            uint32_t brick[3];
            unsigned orientation = vt_brick_of_page(&bricks, order, page, brick);
            seen[orientation] = true;
            for (uint32_t byte = 0; byte < VT_BRICK_VOXELS; byte++) {
                check_byte(order, page, orientation, brick, byte);
            }
        }
    }
    for (unsigned i = 0; i < VT_ORIENTATIONS; i++) {
        assert_true(seen[i]);
    }
}

/* Random voxels of every size up to 32768^3: the orientation does not depend on the volume's. */
static void samples_of_larger_volumes(void **state)
{
    (void)state;
    uint64_t x = 88172645463325252;
    for (unsigned order = 5; order <= 15; order++) {
        for (unsigned i = 0; i < 20000; i++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            uint64_t page = (x >> 12) & (((uint64_t)1 << (3 * (order - 4))) - 1);
            uint32_t brick[3];
            unsigned orientation = vt_brick_of_page(&bricks, order, page, brick);
            check_byte(order, page, orientation, brick, (uint32_t)x & 4095);
        }
    }
}

static void orientations_are_permutations(void **state)
{
    (void)state;
    for (unsigned a = 0; a < VT_ORIENTATIONS; a++) {
        bool met[VT_BRICK_VOXELS] = {false};
        for (unsigned v = 0; v < VT_BRICK_VOXELS; v++) {
            assert_false(met[bricks.offset[a][v]]);
            met[bricks.offset[a][v]] = true;
        }
        for (unsigned b = 0; b < a; b++) {
            assert_memory_not_equal(bricks.offset[a], bricks.offset[b], sizeof bricks.offset[a]);
        }
    }
}

/* As shaders/volume.glsl reads them. */
static void turns_lead_to_the_first_orientation(void **state)
{
    (void)state;
    for (unsigned o = 0; o < VT_ORIENTATIONS; o++) {
        unsigned turn = bricks.turn[o];
        for (unsigned v = 0; v < VT_BRICK_VOXELS; v++) {
            unsigned xyz[3] = {v & 15, v >> 4 & 15, v >> 8}, index = 0;
            for (unsigned i = 0; i < 3; i++) {
                unsigned at = (turn & 0x1000u << i) != 0 ? 15 - xyz[i] : xyz[i];
                index += at << (turn >> (4 * i) & 15);
            }
            assert_int_equal(bricks.offset[o][v], bricks.offset[0][index]);
        }
    }
}

static void the_way_back_at_full_size(void **state)
{
    (void)state;
    uint64_t x = 0x9e3779b97f4a7c15;
    for (unsigned i = 0; i < 100000; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        uint64_t d = x >> 1;
        uint32_t p[3];
        vt_hilbert3d_point(21, d, p);
        assert_true(vt_hilbert3d_distance(21, p) == d);
    }
}

static int make_table(void **state)
{
    (void)state;
    vt_bricks_init(&bricks);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_step_is_one_and_comes_back),
        cmocka_unit_test(aligned_runs_are_cubes),
        cmocka_unit_test(the_smallest_cube),
        cmocka_unit_test(the_table_is_the_curve),
        cmocka_unit_test(samples_of_larger_volumes),
        cmocka_unit_test(orientations_are_permutations),
        cmocka_unit_test(turns_lead_to_the_first_orientation),
        cmocka_unit_test(the_way_back_at_full_size),
    };
    return cmocka_run_group_tests(tests, make_table, NULL);
}
