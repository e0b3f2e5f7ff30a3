/* What pages look like: zeros, text, instructions, noise, and the rest. */
#include "tests/unit/harness.h"

#include "volume/contents.h"

#include <stdlib.h>
#include <string.h>

static void one_byte_anywhere_is_not_zero(void **state)
{
    (void)state;
    uint8_t page[4096] = {0};
    assert_true(vt_page_is_zero(page));
    assert_int_equal(vt_page_contents(page), VT_CLASS_ZERO);
    for (size_t i = 0; i < sizeof page; i++) {
        page[i] = 0x80;
        assert_false(vt_page_is_zero(page));
        page[i] = 0;
    }
}

static void text_is_text(void **state)
{
    (void)state;
    static const char words[] = "Nobody expects a page of prose here,\n\tbut there it is. ";
    uint8_t page[4096];
    for (size_t i = 0; i < sizeof page; i++) {
        page[i] = (uint8_t)words[i % (sizeof words - 1)];
    }
    assert_int_equal(vt_page_contents(page), VT_CLASS_LIKE_TEXT);
    memset(page + 2048, 0, 2048); /* half of it zeros: not mostly printable any more */
    assert_int_equal(vt_page_contents(page), VT_CLASS_LIKE_DATA);
}

static void noise_is_packed(void **state)
{
    (void)state;
    uint8_t page[4096];
    uint64_t x = 88172645463325252;
    for (unsigned round = 0; round < 100; round++) {
        for (size_t i = 0; i < sizeof page; i++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            page[i] = (uint8_t)(x >> 32);
        }
        assert_int_equal(vt_page_contents(page), VT_CLASS_LIKE_PACKED);
    }
}

/* The machine code of this very program: somewhere in it there is a page of instructions. */
static void own_code_looks_like_code(void **state)
{
    (void)state;
    uintptr_t at = (uintptr_t)qsort & ~(uintptr_t)4095; /* libc's text around qsort */
    unsigned like_code = 0;
    for (int i = 0; i < 8; i++) {
        like_code += vt_page_contents((const uint8_t *)at + 4096 * i) == VT_CLASS_LIKE_CODE;
    }
    assert_true(like_code >= 6);
}

static void counters_are_data(void **state)
{
    (void)state;
    uint32_t page[1024];
    for (uint32_t i = 0; i < 1024; i++) {
        page[i] = i * 3;
    }
    assert_int_equal(vt_page_contents((const uint8_t *)page), VT_CLASS_LIKE_DATA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_byte_anywhere_is_not_zero),
        cmocka_unit_test(text_is_text),
        cmocka_unit_test(noise_is_packed),
        cmocka_unit_test(own_code_looks_like_code),
        cmocka_unit_test(counters_are_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
