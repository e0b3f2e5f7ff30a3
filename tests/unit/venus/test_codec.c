/* The codec's edges: reads past the end, the first fault kept, counts against what is left, arenas
 * with a bound, writers that grow and writers that stand on a guest's memory.
 */
#include "tests/unit/harness.h"
#include "venus/codec.h"

static void reads_end_with_the_stream(void **state)
{
    (void)state;
    const uint8_t bytes[12] = {1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0};
    struct vt_venus_in in = {.start = bytes, .at = bytes, .end = bytes + sizeof bytes};
    assert_int_equal(vt_venus_u32(&in), 1);
    assert_int_equal(vt_venus_u64(&in), 2 | 3ull << 32);
    assert_false(vt_venus_bad(&in));
    assert_int_equal(vt_venus_u32(&in), 0);
    assert_true(vt_venus_bad(&in));
    assert_int_equal(in.fault.kind, VT_VENUS_TRUNCATED);
    assert_int_equal(in.fault.offset, 12);
    assert_int_equal(in.fault.value, 4);
}

static void the_first_fault_stays(void **state)
{
    (void)state;
    const uint8_t bytes[8] = {0};
    struct vt_venus_in in = {.start = bytes, .at = bytes + 4, .end = bytes + sizeof bytes};
    in.fault.command = "vkCmdDraw";
    vt_venus_fail(&in, VT_VENUS_TAG, "VkClearColorValue", 7, 2);
    vt_venus_fail(&in, VT_VENUS_COUNT, "other", 1, 1);
    assert_int_equal(in.fault.kind, VT_VENUS_TAG);
    assert_string_equal(in.fault.command, "vkCmdDraw");
    assert_string_equal(in.fault.member, "VkClearColorValue");
    assert_int_equal(in.fault.offset, 4);
    assert_null(vt_venus_take(&in, 4));
    assert_int_equal(vt_venus_u64(&in), 0);
    assert_int_equal(in.fault.kind, VT_VENUS_TAG);
}

static void counts_are_held_against_what_is_left(void **state)
{
    (void)state;
    const uint8_t bytes[64] = {0};
    struct vt_venus_arena arena;
    vt_venus_arena_init(&arena, 1 << 20);
    struct vt_venus_in in = {.start = bytes, .at = bytes, .end = bytes + 64, .arena = &arena};
    assert_non_null(vt_venus_alloc_array(&in, 0, 24, 8, "none"));
    assert_non_null(vt_venus_alloc_array(&in, 8, 24, 8, "as many as fit"));
    assert_false(vt_venus_bad(&in));
    assert_null(vt_venus_alloc_array(&in, 9, 24, 8, "pThings"));
    assert_int_equal(in.fault.kind, VT_VENUS_COUNT);
    assert_int_equal(in.fault.value, 9);
    assert_int_equal(in.fault.other, 8);

    in = (struct vt_venus_in){.start = bytes, .at = bytes, .end = bytes + 64, .arena = &arena};
    assert_null(vt_venus_alloc_array(&in, UINT64_MAX / 8, 24, 0, "overflows"));
    assert_int_equal(in.fault.kind, VT_VENUS_COUNT);
    in = (struct vt_venus_in){.start = bytes, .at = bytes, .end = bytes + 64, .arena = &arena};
    assert_null(vt_venus_alloc_array(&in, UINT64_MAX, 1, 0, "rounds to nothing"));
    assert_int_equal(in.fault.kind, VT_VENUS_MEMORY);
    in = (struct vt_venus_in){.start = bytes, .at = bytes, .end = bytes + 64, .arena = &arena};
    assert_null(vt_venus_alloc_array(&in, (1 << 20) + 1, 1, 0, "above the arena's bound"));
    assert_int_equal(in.fault.kind, VT_VENUS_MEMORY);
    vt_venus_arena_fini(&arena);
}

static void an_arena_gives_aligned_room_up_to_its_bound(void **state)
{
    (void)state;
    struct vt_venus_arena arena;
    vt_venus_arena_init(&arena, 3 << 20);
    assert_non_null(vt_venus_arena_take(&arena, 0));
    for (int turn = 0; turn < 3; turn++) {
        size_t taken = 0;
        uint8_t *last = NULL;
        for (size_t bytes = 1;; bytes = bytes * 7 % 60013 + 1) {
            uint8_t *at = vt_venus_arena_take(&arena, bytes);
            if (at == NULL) {
                break;
            }
            assert_int_equal((uintptr_t)at % 16, 0);
            assert_ptr_not_equal(at, last);
            memset(at, turn, bytes);
            taken += bytes;
            last = at;
        }
        assert_true(taken > 2 << 20 && taken <= 3 << 20);
        vt_venus_arena_reset(&arena);
    }
    assert_null(vt_venus_arena_take(&arena, (3 << 20) + 1));
    assert_null(vt_venus_arena_take(&arena, SIZE_MAX));
    assert_non_null(vt_venus_arena_take(&arena, 1 << 20));
    vt_venus_arena_fini(&arena);
    assert_non_null(vt_venus_arena_take(&arena, 3 << 20));
    assert_null(vt_venus_arena_take(&arena, 1));
    vt_venus_arena_fini(&arena);
}

/* A command of the usual size costs no allocation: the block stays. */
static void the_block_is_used_again(void **state)
{
    (void)state;
    struct vt_venus_arena arena;
    vt_venus_arena_init(&arena, 1 << 20);
    void *first = vt_venus_arena_take(&arena, 100);
    vt_venus_arena_reset(&arena);
    assert_ptr_equal(vt_venus_arena_take(&arena, 50), first);
    vt_venus_arena_fini(&arena);
}

static void what_is_written_grows_up_to_its_bound(void **state)
{
    (void)state;
    struct vt_venus_out out;
    vt_venus_out_init(&out, 4096);
    for (uint32_t i = 0; i < 1024; i++) {
        vt_venus_put_u32(&out, i);
    }
    assert_false(out.overflow);
    vt_venus_put_u64(&out, 1);
    assert_true(out.overflow);
    vt_venus_put_u32(&out, 1);
    assert_int_equal(out.at - out.start, 4096);
    for (uint32_t i = 0; i < 1024; i++) {
        uint32_t got;
        memcpy(&got, out.start + (size_t)i * 4, 4);
        assert_int_equal(got, i);
    }
    vt_venus_out_fini(&out);
}

static void memory_of_a_guest_is_not_left(void **state)
{
    (void)state;
    uint8_t memory[24];
    memset(memory, 0xaa, sizeof memory);
    struct vt_venus_out out;
    vt_venus_out_fixed(&out, memory, 12);
    vt_venus_put_u64(&out, 5);
    vt_venus_put_u64(&out, 6);
    assert_true(out.overflow);
    vt_venus_put_u32(&out, 7); /* it would fit, behind a gap */
    assert_int_equal(memory[8], 0xaa);
    assert_int_equal(memory[12], 0xaa);
    vt_venus_out_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_end_with_the_stream),
        cmocka_unit_test(the_first_fault_stays),
        cmocka_unit_test(counts_are_held_against_what_is_left),
        cmocka_unit_test(an_arena_gives_aligned_room_up_to_its_bound),
        cmocka_unit_test(the_block_is_used_again),
        cmocka_unit_test(what_is_written_grows_up_to_its_bound),
        cmocka_unit_test(memory_of_a_guest_is_not_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
