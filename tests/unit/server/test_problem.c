/* Failures as problem+json, read back by a parser we did not write. */
#include "tests/unit/harness.h"

#include "server/problem.h"

#include <jansson.h>
#include <string.h>

static void every_code_is_an_error(void **state)
{
    (void)state;
    for (int code = VT_E_NOT_PRESENT; code < 0; code++) {
        const struct vt_problem *p = vt_problem_of((enum vt_code)code);
        assert_in_range(p->status, 400, 599);
        assert_string_not_equal(p->word, "failed");
    }
    assert_int_equal(vt_problem_of(VT_E_NOT_FOUND)->status, 404);
    assert_int_equal(vt_problem_of(VT_E_INVAL)->status, 400);
    assert_int_equal(vt_problem_of((enum vt_code) - 1000)->status, 500);
    assert_int_equal(vt_problem_of(VT_OK)->status, 500);
}

static void text_is_json(void **state)
{
    char *text = NULL;
    size_t bytes = 0;
    const char *title, *detail, *code;
    int status;
    (void)state;
    FILE *f = open_memstream(&text, &bytes);
    assert_non_null(f);
    struct vt_json_writer w;
    vt_json_init(&w, f, false);
    vt_problem_write_as(&w, vt_problem_of(VT_E_NOT_FOUND), "no \"VM\" of this\xff name");
    vt_json_finish(&w);
    assert_int_equal(fclose(f), 0);
    json_t *root = json_loadb(text, bytes, 0, NULL);
    assert_non_null(root);
    assert_int_equal(json_unpack(root, "{s:s,s:s,s:s,s:i}", "title", &title, "detail", &detail,
                                 "code", &code, "status", &status),
                     0);
    assert_string_equal(title, "Not found");
    assert_string_equal(detail, "no \"VM\" of this\xef\xbf\xbd name");
    assert_string_equal(code, "not_found");
    assert_int_equal(status, 404);
    json_decref(root);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_is_an_error),
        cmocka_unit_test(text_is_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
