/* Failures as problem+json, read back by a parser we did not write. */
#include "tests/unit/harness.h"

#include "server/problem.h"

#include <jansson.h>
#include <string.h>

static void every_code_has_an_error_status(void **state)
{
    (void)state;
    for (int code = VT_E_NOT_PRESENT; code < 0; code++) {
        unsigned status = vt_problem_status((enum vt_code)code);
        assert_in_range(status, 400, 599);
        assert_string_not_equal(vt_problem_title(status), "Error");
    }
    assert_int_equal(vt_problem_status(VT_OK), 200);
    assert_int_equal(vt_problem_status(VT_E_NOT_FOUND), 404);
    assert_int_equal(vt_problem_status(VT_E_INVAL), 400);
}

static void text_is_json(void **state)
{
    size_t bytes = 0;
    const char *title, *detail, *code;
    int status;
    (void)state;
    char *text = vt_problem_text(404, "no \"VM\" of\nthis\xff name", "not found", &bytes);
    assert_non_null(text);
    assert_int_equal(strlen(text), bytes);
    json_t *root = json_loadb(text, bytes, 0, NULL);
    assert_non_null(root);
    assert_int_equal(json_unpack(root, "{s:s,s:s,s:s,s:i}", "title", &title, "detail", &detail,
                                 "code", &code, "status", &status),
                     0);
    assert_string_equal(title, "Not Found");
    assert_string_equal(detail, "no \"VM\" of\nthis\xef\xbf\xbd name");
    assert_string_equal(code, "not found");
    assert_int_equal(status, 404);
    json_decref(root);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_an_error_status),
        cmocka_unit_test(text_is_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
