/* Faults: every kind has a name, and the sentence names command, member, value and place. */
#include "tests/unit/harness.h"
#include "venus/codec.h"

static void each_kind_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int a = VT_VENUS_FINE; a <= VT_VENUS_FOREIGN; a++) {
        const char *name = vt_venus_fault_name((enum vt_venus_fault_kind)a);
        assert_string_not_equal(name, "unknown fault");
        for (int b = VT_VENUS_FINE; b < a; b++) {
            assert_string_not_equal(name, vt_venus_fault_name((enum vt_venus_fault_kind)b));
        }
    }
}

static void the_sentence_says_what_and_where(void **state)
{
    (void)state;
    char text[256];
    struct vt_venus_fault fault = {.kind = VT_VENUS_TYPE,
                                   .command = "vkDestroyBuffer",
                                   .member = "buffer",
                                   .value = 77,
                                   .other = 10,
                                   .offset = 16};
    assert_string_equal(
        vt_venus_fault_text(&fault, text, sizeof text),
        "vkDestroyBuffer: buffer: object of another type: 77 (it is of type 10), at byte "
        "16 of the stream");
    fault = (struct vt_venus_fault){.kind = VT_VENUS_COUNT, .value = 9, .other = 8};
    assert_string_equal(vt_venus_fault_text(&fault, text, sizeof text),
                        "a command: count too large: 9 (at most 8), at byte 0 of the stream");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_has_a_name_of_its_own),
        cmocka_unit_test(the_sentence_says_what_and_where),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
