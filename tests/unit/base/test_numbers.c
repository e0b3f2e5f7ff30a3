/* tests/unit/base/test_numbers.c - numbers, sizes and durations in; sizes and hex dumps out; names.
 */
#include "tests/unit/harness.h"

#include "base/text.h"

#include <string.h>

typedef int parser(const char *text, uint64_t *value, struct vt_error *err);

static void takes(parser *parse, const char *text, uint64_t want)
{
    uint64_t got = ~want;
    struct vt_error err = {.message = ""};
    if (parse(text, &got, &err) != 0 || got != want) {
        fail_msg("'%s': want %llu, got %llu %s", text, (unsigned long long)want,
                 (unsigned long long)got, err.message);
    }
}

static void refuses(parser *parse, const char *text)
{
    uint64_t got = 77;
    struct vt_error err;
    if (parse(text, &got, &err) != VT_E_INVAL || got != 77 || err.code != VT_E_INVAL ||
        strstr(err.message, text) == NULL) {
        fail_msg("'%s' was taken as %llu", text, (unsigned long long)got);
    }
}

static void plain_numbers(void **state)
{
    (void)state;
    takes(vt_parse_u64, "0", 0);
    takes(vt_parse_u64, "42", 42);
    takes(vt_parse_u64, "18446744073709551615", UINT64_MAX);
    takes(vt_parse_u64, "0xffffFFFFffffFFFF", UINT64_MAX);
    takes(vt_parse_u64, "0X10", 16);
    takes(vt_parse_u64, "017", 15);
    static const char *const bad[] = {"",    "-1",  "+1", " 1",   "1 ",
                                      "0x",  "08",  "1k", "0xfg", "18446744073709551616",
                                      "1.5", "abc", "--", "0x-1", "99999999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        refuses(vt_parse_u64, bad[i]);
    }
}

static void sizes(void **state)
{
    (void)state;
    takes(vt_parse_bytes, "0", 0);
    takes(vt_parse_bytes, "512", 512);
    takes(vt_parse_bytes, "512B", 512);
    takes(vt_parse_bytes, "64k", 65536);
    takes(vt_parse_bytes, "64KiB", 65536);
    takes(vt_parse_bytes, "128M", 134217728);
    takes(vt_parse_bytes, "4G", 4294967296);
    takes(vt_parse_bytes, "4GB", 4294967296);
    takes(vt_parse_bytes, "2t", 2199023255552);
    takes(vt_parse_bytes, "0x10M", 16777216);
    takes(vt_parse_bytes, "16777215T", 16777215ull << 40);
    static const char *const bad[] = {"",    "M",    "1X",        "1MM",  "1iB", "1 M",
                                      "-1M", "1.5G", "16777216T", "1Mib", "1BB", "0x"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        refuses(vt_parse_bytes, bad[i]);
    }
}

static void durations(void **state)
{
    (void)state;
    takes(vt_parse_duration, "10", 10000000000);
    takes(vt_parse_duration, "10s", 10000000000);
    takes(vt_parse_duration, "500ms", 500000000);
    takes(vt_parse_duration, "7us", 7000);
    takes(vt_parse_duration, "7ns", 7);
    takes(vt_parse_duration, "2m", 120000000000);
    takes(vt_parse_duration, "1h", 3600000000000);
    takes(vt_parse_duration, "18446744073709551615ns", UINT64_MAX);
    static const char *const bad[] = {"", "s", "1d", "1 s", "-1s", "1sec", "5124096h", "1S"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        refuses(vt_parse_duration, bad[i]);
    }
}

static void sizes_for_people(void **state)
{
    (void)state;
    static const struct {
        uint64_t bytes;
        const char *text;
    } rows[] = {
        {0, "0 B"},
        {512, "512 B"},
        {1023, "1023 B"},
        {1024, "1 KiB"},
        {1536, "1.5 KiB"},
        {10 * 1024 - 1, "10 KiB"},
        {100 * 1024 - 1, "100 KiB"},
        {1048575, "1 MiB"},
        {1023 * 1024, "1023 KiB"},
        {134217728, "128 MiB"},
        {4831838208, "4.5 GiB"},
        {1234567890, "1.15 GiB"},
        {13421772800, "12.5 GiB"},
        {1ull << 40, "1 TiB"},
        {1ull << 50, "1 PiB"},
        {UINT64_MAX, "16 EiB"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[32];
        assert_string_equal(vt_format_bytes(text, sizeof text, rows[i].bytes), rows[i].text);
    }
}

static void hexdumps(void **state)
{
    (void)state;
    char *text = NULL;
    size_t bytes = 0;
    FILE *f = open_memstream(&text, &bytes);
    assert_non_null(f);
    vt_hexdump(f, 0xffffffff81000000, "Linux version 6.1\0\x7f\xff~", 21);
    vt_hexdump(f, 0, "", 0);
    assert_int_equal(fclose(f), 0);
    assert_string_equal(
        text, "ffffffff81000000  4c 69 6e 75 78 20 76 65  72 73 69 6f 6e 20 36 2e  "
              "|Linux version 6.|\n"
              "ffffffff81000010  31 00 7f ff 7e                                    |1...~|\n");
    free(text);
}

static void names(void **state)
{
    (void)state;
    static const char *const good[] = {"a",           "0",   "vm-1",
                                       "Alpine.3_20", "a..", "abcdefghijklmnopqrstuvwxyz012345"};
    static const char *const bad[] = {"",
                                      ".",
                                      "..",
                                      "-x",
                                      "_x",
                                      "a/b",
                                      "a b",
                                      "a\n",
                                      "a\u00e9",
                                      "a\x7f",
                                      "../up",
                                      "a,b",
                                      "abcdefghijklmnopqrstuvwxyz0123456"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(vt_name_is_valid(good[i]));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(vt_name_is_valid(bad[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_numbers),    cmocka_unit_test(sizes),    cmocka_unit_test(durations),
        cmocka_unit_test(sizes_for_people), cmocka_unit_test(hexdumps), cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
