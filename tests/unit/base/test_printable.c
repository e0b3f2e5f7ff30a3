/* tests/unit/base/test_printable.c - guest text before a terminal sees it. */
#include "tests/unit/harness.h"

#include "base/text.h"

#include <string.h>

static void becomes(const char *in, size_t bytes, const char *want)
{
    char out[256];
    size_t n = vt_text_printable(out, sizeof out, in, bytes);
    assert_string_equal(out, want);
    assert_int_equal(n, strlen(want));
}

#define BECOMES(in, want) becomes(in, sizeof(in) - 1, want)

static void text_stays_and_controls_are_shown(void **state)
{
    (void)state;
    BECOMES("", "");
    BECOMES("kworker/0:1-events", "kworker/0:1-events");
    BECOMES("caf\u00e9 \u20ac \U0001f427", "caf\u00e9 \u20ac \U0001f427");
    BECOMES("a\0b\n\r\t\x1b[31m\x7f", "a\\x00b\\x0a\\x0d\\x09\\x1b[31m\\x7f");
    BECOMES("\xff\xc0\xaf\xe2\x82", "\\xff\\xc0\\xaf\\xe2\\x82");
    BECOMES("\xc2\x9b[m \xc2\x80 \u00a0", "\\xc2\\x9b[m \\xc2\\x80 \u00a0");
    BECOMES("\u202egnp.exe", "\\xe2\\x80\\xaegnp.exe");
    BECOMES("\u061c\u200e\u200f\u2028\u2029",
            "\\xd8\\x9c\\xe2\\x80\\x8e\\xe2\\x80\\x8f\\xe2\\x80\\xa8\\xe2\\x80\\xa9");
    BECOMES("\u2066\u2069", "\\xe2\\x81\\xa6\\xe2\\x81\\xa9");
    BECOMES("\u200d\u2010\u2027\u202f\u2065\u206a", "\u200d\u2010\u2027\u202f\u2065\u206a");
}

/* At every size of the room: terminated, no half character or escape, as much as fits. */
static void cut_at_a_border(void **state)
{
    (void)state;
    static const char in[] = "a\u20ac\x01\U0001f427z";
    static const char *const units[] = {"a", "\u20ac", "\\x01", "\U0001f427", "z"};
    for (size_t room = 1; room < 20; room++) {
        char out[32], want[32] = "";
        memset(out, '!', sizeof out);
        for (size_t i = 0; i < 5 && strlen(want) + strlen(units[i]) < room; i++) {
            strcat(want, units[i]);
        }
        assert_int_equal(vt_text_printable(out, room, in, sizeof in - 1), strlen(want));
        assert_string_equal(out, want);
        assert_int_equal(out[room], '!');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_stays_and_controls_are_shown),
        cmocka_unit_test(cut_at_a_border),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
