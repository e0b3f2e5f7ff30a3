/* tests/unit/base/test_utf8.c - every sequence of up to three bytes, and all four-byte ones that
 * matter, against a decoder that is slow and obvious. */
#include "tests/unit/harness.h"

#include "base/text.h"

/* Decodes by the bit pattern alone, then asks whether the value needed that many bytes. */
static size_t slow_length(const unsigned char *s, size_t bytes)
{
    static const struct {
        unsigned mask, pattern, value_bits;
        uint32_t first;
    } forms[] = {{0x80, 0x00, 7, 0},
                 {0xe0, 0xc0, 5, 0x80},
                 {0xf0, 0xe0, 4, 0x800},
                 {0xf8, 0xf0, 3, 0x10000}};
    for (size_t n = 1; n <= 4; n++) {
        if ((s[0] & forms[n - 1].mask) != forms[n - 1].pattern) {
            continue;
        }
        if (n > bytes) {
            return 0;
        }
        uint32_t value = s[0] & ((1u << forms[n - 1].value_bits) - 1);
        for (size_t i = 1; i < n; i++) {
            if ((s[i] & 0xc0) != 0x80) {
                return 0;
            }
            value = value << 6 | (s[i] & 0x3fu);
        }
        bool surrogate = value >= 0xd800 && value <= 0xdfff;
        return value >= forms[n - 1].first && value <= 0x10ffff && !surrogate ? n : 0;
    }
    return 0;
}

static void compare(const unsigned char *s, size_t bytes)
{
    size_t want = slow_length(s, bytes), got = vt_utf8_length((const char *)s, bytes);
    if (want != got) {
        fail_msg("%02x %02x %02x %02x in %zu: want %zu, got %zu", s[0], s[1], s[2], s[3], bytes,
                 want, got);
    }
}

static void short_sequences(void **state)
{
    (void)state;
    assert_int_equal(vt_utf8_length("a", 0), 0);
    for (uint32_t i = 0; i < 1u << 24; i++) {
        unsigned char s[4] = {(unsigned char)(i >> 16), (unsigned char)(i >> 8), (unsigned char)i};
        compare(s, 3);
        if (s[2] == 0) {
            compare(s, 2);
            compare(s, 1);
        }
    }
}

static void long_sequences(void **state)
{
    (void)state;
    static const unsigned char last[] = {0x00, 0x7f, 0x80, 0xbf, 0xc0, 0xff};
    for (uint32_t i = 0; i < 1u << 20; i++) {
        unsigned char s[4] = {(unsigned char)(0xf0 | i >> 16), (unsigned char)(i >> 8),
                              (unsigned char)i};
        for (size_t k = 0; k < sizeof last; k++) {
            s[3] = last[k];
            compare(s, 4);
        }
        compare(s, 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_sequences),
        cmocka_unit_test(long_sequences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
