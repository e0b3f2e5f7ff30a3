/* tests/unit/base/test_cursor.c - reads inside, at and past the end; the error sticks. */
#include "tests/unit/harness.h"

#include "base/cursor.h"

static const uint8_t bytes[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08,
                                0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0xf0};

static void reads_little_endian(void **state)
{
    (void)state;
    struct vt_cursor c = vt_cursor_of(bytes, sizeof bytes);
    assert_int_equal(vt_cursor_u8(&c), 0x01);
    assert_int_equal(vt_cursor_u16(&c), 0x0302);
    assert_int_equal(vt_cursor_u32(&c), 0x07060504);
    assert_int_equal(vt_cursor_u64(&c), 0x0f0e0d0c0b0a0908);
    assert_int_equal(vt_cursor_left(&c), 1);
    assert_ptr_equal(vt_cursor_take(&c, 1), bytes + 15);
    assert_int_equal(vt_cursor_left(&c), 0);
    assert_false(c.bad);
    assert_int_equal(vt_le16(bytes + 1), 0x0302);
    assert_int_equal(vt_le32(bytes + 1), 0x05040302);
    assert_int_equal(vt_le64(bytes + 1), 0x0908070605040302);
}

/* Each width, one byte short of fitting. */
static void past_the_end_is_zero_and_sticks(void **state)
{
    (void)state;
    for (unsigned width = 0; width < 4; width++) {
        struct vt_cursor c = vt_cursor_of(bytes, ((size_t)1 << width) - 1);
        uint64_t got = width == 0   ? vt_cursor_u8(&c)
                       : width == 1 ? vt_cursor_u16(&c)
                       : width == 2 ? vt_cursor_u32(&c)
                                    : vt_cursor_u64(&c);
        assert_int_equal(got, 0);
        assert_true(c.bad);
        assert_int_equal(c.at, 0);
        assert_int_equal(vt_cursor_left(&c), 0);
        /* What would have fitted fails as well now. */
        assert_null(vt_cursor_take(&c, 0));
        assert_int_equal(vt_cursor_u8(&c), 0);
        vt_cursor_seek(&c, 0);
        assert_int_equal(vt_cursor_u8(&c), 0);
        assert_true(c.bad);
    }
}

static void huge_counts_do_not_wrap(void **state)
{
    (void)state;
    struct vt_cursor c = vt_cursor_of(bytes, sizeof bytes);
    vt_cursor_u8(&c);
    assert_null(vt_cursor_take(&c, SIZE_MAX));
    assert_true(c.bad);
    c = vt_cursor_of(bytes, sizeof bytes);
    vt_cursor_seek(&c, SIZE_MAX);
    assert_true(c.bad);
}

static void seeks_and_aligns(void **state)
{
    (void)state;
    struct vt_cursor c = vt_cursor_of(bytes, sizeof bytes);
    vt_cursor_align(&c, 8);
    assert_int_equal(c.at, 0);
    vt_cursor_u8(&c);
    vt_cursor_align(&c, 8);
    assert_int_equal(c.at, 8);
    vt_cursor_seek(&c, sizeof bytes);
    assert_false(c.bad);
    assert_non_null(vt_cursor_take(&c, 0));
    vt_cursor_seek(&c, 15);
    vt_cursor_align(&c, 4);
    assert_int_equal(c.at, 16);
    vt_cursor_seek(&c, sizeof bytes + 1);
    assert_true(c.bad);
    c = vt_cursor_of(bytes, 13);
    vt_cursor_seek(&c, 13);
    vt_cursor_align(&c, 8);
    assert_true(c.bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_little_endian),
        cmocka_unit_test(past_the_end_is_zero_and_sticks),
        cmocka_unit_test(huge_counts_do_not_wrap),
        cmocka_unit_test(seeks_and_aligns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
