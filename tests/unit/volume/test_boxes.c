/* Boxes around runs of the curve against all of their voxels. */
#include "tests/unit/harness.h"

#include "vitrine/highlight.h"
#include "volume/hilbert3d.h"

#include <string.h>

static uint64_t random_state = 88172645463325252;

static uint64_t random_u64(void)
{
    uint64_t x = random_state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return random_state = x;
}

static struct vt_box box_of(unsigned order, uint64_t off, uint64_t bytes)
{
    struct vt_box box;
    struct vt_error err;
    assert_int_equal(vt_volume_box(order, VT_OFF(off), bytes, &box, &err), 0);
    return box;
}

static void widen(struct vt_box *box, const uint32_t p[3])
{
    for (unsigned i = 0; i < 3; i++) {
        box->min[i] = p[i] < box->min[i] ? p[i] : box->min[i];
        box->max[i] = p[i] > box->max[i] ? p[i] : box->max[i];
    }
}

static void compare(unsigned order, uint64_t off, uint64_t bytes)
{
    struct vt_box want = {.min = {UINT32_MAX, UINT32_MAX, UINT32_MAX}};
    struct vt_box got = box_of(order, off, bytes);
    uint32_t p[3];
    for (uint64_t d = off; d < off + bytes; d++) {
        vt_hilbert3d_point(order, d, p);
        widen(&want, p);
    }
    if (memcmp(&want, &got, sizeof want) != 0) {
        fail_msg("order %u, 0x%llx bytes from 0x%llx", order, (unsigned long long)bytes,
                 (unsigned long long)off);
    }
}

/* Runs of all lengths, anywhere. */
static void every_voxel_is_inside_and_no_more(void **state)
{
    (void)state;
    for (unsigned order = 5; order <= 7; order++) {
        uint64_t size = (uint64_t)1 << (3 * order);
        for (unsigned i = 0; i < 3000; i++) {
            uint64_t off = random_u64() % size;
            uint64_t most = (uint64_t)1 << random_u64() % (3 * order);
            uint64_t room = size - off < most ? size - off : most;
            compare(order, off, 1 + random_u64() % room);
        }
        compare(order, 0, size);
        compare(order, 1, size - 1);
        compare(order, 0, size - 1);
        compare(order, size / 2 - 1, 2);
        compare(order, size - 1, 1);
    }
}

/* Where all voxels are too many: runs small enough to look at, at any place of large volumes. */
static void large_volumes(void **state)
{
    (void)state;
    static const unsigned orders[] = {10, 15, 21};
    for (unsigned k = 0; k < 3; k++) {
        uint64_t size = (uint64_t)1 << (3 * orders[k]);
        for (unsigned i = 0; i < 500; i++) {
            uint64_t bytes = 1 + random_u64() % 20000;
            uint64_t off = random_u64() % (size - bytes);
            compare(orders[k], off, bytes);
            /* Around a border that runs of any size meet at. */
            uint64_t border = (off >> random_u64() % 60) << 12;
            if (border > bytes && border < size - bytes) {
                compare(orders[k], border - bytes / 2, bytes);
            }
        }
    }
}

/* Of huge runs: every sampled voxel is inside, and each side of the box is touched by the box of
 * one half. */
static void huge_runs(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2000; i++) {
        unsigned order = 8 + (unsigned)(random_u64() % 14);
        uint64_t size = (uint64_t)1 << (3 * order), off = random_u64() % size;
        uint64_t bytes = 2 + random_u64() % (size - off);
        bytes = bytes < size - off ? bytes : size - off;
        if (bytes < 2) {
            continue;
        }
        struct vt_box all = box_of(order, off, bytes), both = box_of(order, off, bytes / 2);
        struct vt_box other = box_of(order, off + bytes / 2, bytes - bytes / 2);
        widen(&both, other.min);
        widen(&both, other.max);
        assert_memory_equal(&both, &all, sizeof all);
        for (unsigned k = 0; k < 50; k++) {
            uint32_t p[3];
            struct vt_box with = all;
            vt_hilbert3d_point(order, off + random_u64() % bytes, p);
            widen(&with, p);
            assert_memory_equal(&with, &all, sizeof all);
        }
    }
}

static void orders(void **state)
{
    (void)state;
    assert_int_equal(vt_volume_order(0), 5);
    assert_int_equal(vt_volume_order(32 * 32 * 32), 5);
    assert_int_equal(vt_volume_order(32 * 32 * 32 + 1), 6);
    assert_int_equal(vt_volume_order((uint64_t)1 << 28), 10);
    assert_int_equal(vt_volume_order((uint64_t)1 << 30), 10);
    assert_int_equal(vt_volume_order(((uint64_t)1 << 30) + 1), 11);
    assert_int_equal(vt_volume_order((uint64_t)1 << 63), 21);
    assert_int_equal(vt_volume_order(UINT64_MAX), 21);
}

static void what_lies_outside(void **state)
{
    (void)state;
    struct vt_box box = {.min = {1, 2, 3}};
    struct vt_error err;
    assert_int_equal(vt_volume_box(4, VT_OFF(0), 1, &box, &err), VT_E_INVAL);
    assert_int_equal(vt_volume_box(22, VT_OFF(0), 1, &box, &err), VT_E_INVAL);
    assert_int_equal(vt_volume_box(5, VT_OFF(0), 0, &box, &err), VT_E_ADDR);
    assert_int_equal(vt_volume_box(5, VT_OFF(32768), 1, &box, &err), VT_E_ADDR);
    assert_true(err.max == 32768);
    assert_int_equal(vt_volume_box(5, VT_OFF(32767), 2, &box, &err), VT_E_ADDR);
    assert_int_equal(vt_volume_box(5, VT_OFF(1), UINT64_MAX, &box, &err), VT_E_ADDR);
    assert_int_equal(vt_volume_box(21, VT_OFF((uint64_t)1 << 63), 1, &box, &err), VT_E_ADDR);
    assert_int_equal(box.min[2], 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_voxel_is_inside_and_no_more),
        cmocka_unit_test(large_volumes),
        cmocka_unit_test(huge_runs),
        cmocka_unit_test(orders),
        cmocka_unit_test(what_lies_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
