/* The curve on the device, in C and by the table of orientations: one curve. */
#include "tests/unit/volume/gpu_harness.h"

#include "volume/gpu/gpu.h"
#include "volume/hilbert3d.h"

#include "shaders/hilbert.spv.h"

#include <stdbool.h>
#include <string.h>

#define AT_ONCE (1u << 20)

static struct vt_gpu *gpu;
static struct vt_gpu_program *program;
static struct vt_gpu_buffer *points, *distances;
static struct vt_bricks bricks;

/* As in hilbert.comp. */
enum { TO_POINTS, TO_DISTANCES };
struct push {
    uint64_t points, distances;
    uint32_t n, order, what, first_low, first_high, zero;
};

static void transform(unsigned order, unsigned what, uint64_t first, uint32_t n)
{
    struct vt_error err;
    struct push push = {
        .points = points->address,
        .distances = distances->address,
        .n = n,
        .order = order,
        .what = what,
        .first_low = (uint32_t)first,
        .first_high = (uint32_t)(first >> 32),
    };
    int rc = vt_gpu_begin(gpu, &err);
    if (rc == 0) {
        vt_gpu_dispatch(gpu, program, &push, (n + 63) / 64, 1, 1);
        rc = vt_gpu_end_and_wait(gpu, NULL, &err);
    }
    if (rc != 0) {
        fail_msg("%s", err.message);
    }
}

/* n points from `first` on, on the device, in C and, from order 5 on, by the table; and back. */
static void check_range(unsigned order, uint64_t first, uint32_t n)
{
    const uint32_t *p = (const uint32_t *)(void *)points->mapped;
    const uint64_t *back = (const uint64_t *)(void *)distances->mapped;
    memset(points->mapped, 0xff, (size_t)n * 12);
    memset(distances->mapped, 0xff, (size_t)n * 8);
    transform(order, TO_POINTS, first, n);
    uint64_t page = UINT64_MAX;
    uint32_t want[3], brick[3] = {0};
    unsigned orientation = 0;
    bool same = true;
    for (uint32_t i = 0; i < n; i++, p += 3) {
        uint64_t d = first + i;
        vt_hilbert3d_point(order, d, want);
        same = same && p[0] == want[0] && p[1] == want[1] && p[2] == want[2];
        if (order > VT_BRICK_ORDER) {
            if (d / VT_BRICK_VOXELS != page) {
                page = d / VT_BRICK_VOXELS;
                orientation = vt_brick_of_page(&bricks, order, page, brick);
            }
            same = same && p[0] >> 4 == brick[0] && p[1] >> 4 == brick[1] && p[2] >> 4 == brick[2];
            uint32_t voxel = (p[0] & 15) | (p[1] & 15) << 4 | (p[2] & 15) << 8;
            same = same && bricks.offset[orientation][voxel] == d % VT_BRICK_VOXELS;
        }
    }
    assert_true(same);
    transform(order, TO_DISTANCES, 0, n);
    for (uint32_t i = 0; i < n; i++) {
        same = same && back[i] == first + i;
    }
    assert_true(same);
}

static void every_voxel_of_64(void **state)
{
    (void)state;
    check_range(6, 0, 1u << 18);
}

static void every_voxel_of_256(void **state)
{
    (void)state;
    for (uint64_t first = 0; first < 1u << 24; first += AT_ONCE) {
        check_range(8, first, AT_ONCE);
    }
}

static void small_cubes(void **state)
{
    (void)state;
    for (unsigned order = 1; order < 6; order++) {
        check_range(order, 0, 1u << (3 * order));
    }
}

/* Random places of 1024^3, and of all sizes up to the largest. */
static void samples_of_larger_ones(void **state)
{
    (void)state;
    uint64_t x = 88172645463325252;
    for (unsigned i = 0; i < 400; i++) {
        unsigned order = i < 200 ? 10 : 7 + i % 15;
        uint32_t n = 1 + i * 11;
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        uint64_t all = UINT64_C(1) << (3 * order);
        check_range(order, (x >> 1) % (all - n), n);
    }
    check_range(21, (UINT64_C(1) << 32) - 100, 200); /* across a word */
    check_range(21, (UINT64_C(1) << 63) - 64, 64);
}

static int close_gpu(void **state)
{
    (void)state;
    vt_gpu_program_destroy(program);
    vt_gpu_buffer_destroy(points);
    vt_gpu_buffer_destroy(distances);
    return vt_test_gpu_teardown((void **)&gpu);
}

int main(void)
{
    struct vt_error err;
    gpu = vt_test_gpu_open();
    vt_bricks_init(&bricks);
    if (vt_gpu_buffer_create(gpu, (uint64_t)AT_ONCE * 12, VT_GPU_READBACK, &points, &err) != 0 ||
        vt_gpu_buffer_create(gpu, (uint64_t)AT_ONCE * 8, VT_GPU_READBACK, &distances, &err) != 0 ||
        vt_gpu_program_create(gpu, vt_spirv_hilbert, sizeof vt_spirv_hilbert, sizeof(struct push),
                              NULL, 0, &program, &err) != 0) {
        printf("%s\n", err.message);
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_cubes),
        cmocka_unit_test(every_voxel_of_64),
        cmocka_unit_test(every_voxel_of_256),
        cmocka_unit_test(samples_of_larger_ones),
    };
    return cmocka_run_group_tests(tests, NULL, close_gpu);
}
