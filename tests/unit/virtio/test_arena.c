/* tests/unit/virtio/test_arena.c - taking from an arena. */
#include "tests/unit/harness.h"

#include "vitrine/virtio.h"

#include <string.h>

static void takes_are_zeroed_aligned_and_apart(void **state)
{
    (void)state;
    static _Alignas(4096) uint8_t memory[8192];
    memset(memory, 0xff, sizeof memory);
    struct vt_virtio_arena a = {.base = memory, .device = 0x80000000, .bytes = sizeof memory};
    uint64_t device = 0;
    uint8_t *one = vt_virtio_arena_take(&a, 3, 1, &device);
    assert_ptr_equal(one, memory);
    assert_int_equal(device, 0x80000000);
    assert_true(one[0] == 0 && one[2] == 0 && memory[3] == 0xff);
    const uint8_t *two = vt_virtio_arena_take(&a, 16, 16, &device);
    assert_ptr_equal(two, memory + 16);
    assert_int_equal(device, 0x80000010);
    assert_ptr_equal(vt_virtio_arena_take(&a, 4096, 4096, NULL), memory + 4096);
    assert_null(vt_virtio_arena_take(&a, 1, 1, NULL));
    assert_int_equal(a.used, sizeof memory);
}

static void what_does_not_fit_takes_nothing(void **state)
{
    (void)state;
    static _Alignas(64) uint8_t memory[100];
    struct vt_virtio_arena a = {.base = memory, .device = 64, .bytes = sizeof memory, .used = 1};
    assert_null(vt_virtio_arena_take(&a, 100, 1, NULL));
    assert_null(vt_virtio_arena_take(&a, SIZE_MAX, 1, NULL));
    assert_null(vt_virtio_arena_take(&a, 37, 64, NULL));
    assert_null(vt_virtio_arena_take(&a, 0, 1, NULL));
    assert_null(vt_virtio_arena_take(&a, 1, 0, NULL));
    assert_null(vt_virtio_arena_take(&a, 1, 3, NULL));
    a.used = 99;
    assert_null(vt_virtio_arena_take(&a, 1, 64, NULL));
    assert_int_equal(a.used, 99);
    /* Here and for the device at different places of a page. */
    struct vt_virtio_arena askew = {.base = memory, .device = 8, .bytes = sizeof memory};
    assert_null(vt_virtio_arena_take(&askew, 1, 64, NULL));
    assert_non_null(vt_virtio_arena_take(&askew, 1, 8, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_are_zeroed_aligned_and_apart),
        cmocka_unit_test(what_does_not_fit_takes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
