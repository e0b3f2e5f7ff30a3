/* tests/unit/guest/test_code_bytes.c - guesses from the first bytes of code. */
#include "tests/unit/harness.h"

#include "guest/linux/code_bytes.h"

#include <string.h>

static void expect(const char *look, const char *bytes, size_t n)
{
    assert_string_equal(vt_code_bytes_look((const uint8_t *)bytes, n), look);
}
#define EXPECT(look, bytes) expect(look, bytes, sizeof(bytes) - 1)

static void test_looks(void **state)
{
    (void)state;
    EXPECT("ELF file", "\x7f"
                       "ELF\2\1\1");
    EXPECT("Windows program", "MZ\x90");
    EXPECT("script", "#!/bin/sh");
    EXPECT("shellcode", "\xfc\x48\x83\xe4\xf0\xe8");
    EXPECT("shellcode", "\xeb\x1a\x5e\x48");
    EXPECT("shellcode", "\x6a\x29\x58\x99");
    EXPECT("shellcode", "\x48\x31\xc0");
    EXPECT("shellcode", "\x90\x90\x90\x90\x90");
    EXPECT("shellcode", "\xe8\0\0\0\0\x5d");
    EXPECT("function", "\xf3\x0f\x1e\xfa\x55");
    EXPECT("function", "\x55\x48\x89\xe5");
    EXPECT("returns a number", "\xb8\x2a\0\0\0\xc3");
    EXPECT("jump", "\xff\x25\1\2\3\4");
    EXPECT("jump", "\x48\xb8\1\2\3\4\5\6\7\x8\xff\xe0");
    EXPECT("", "\x48\xb8\1\2\3\4\5\6\7\x8\xff\xe1");
    EXPECT("zeros", "\0\0\0\0");
    EXPECT("", "\0\0\0\1");
}

/* Too short to tell, whatever would follow. */
static void test_short(void **state)
{
    (void)state;
    EXPECT("", "");
    EXPECT("", "\x7f"
               "EL");
    EXPECT("", "\xe8\0\0\0\0");
    EXPECT("zeros", "\0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_looks),
        cmocka_unit_test(test_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
