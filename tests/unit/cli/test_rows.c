/* tests/unit/cli/test_rows.c - the same rows as a table and as JSON. */
#include "tests/unit/cli/capture.h"

#include "cli/args.h"

#include <jansson.h>
#include <string.h>

static const struct vt_column columns[] = {
    {.key = "name", .title = "NAME", .kind = VT_CELL_TEXT},
    {.key = "pid", .title = "PID", .kind = VT_CELL_U64},
    {.key = "nice", .title = "NICE", .kind = VT_CELL_I64},
    {.key = "at", .title = "ADDRESS", .kind = VT_CELL_HEX},
    {.key = "secret", .title = NULL, .kind = VT_CELL_U64},
    {.key = "cpu_percent", .title = "CPU", .kind = VT_CELL_F64, .digits = 2},
    {.key = "ram_bytes", .title = "RAM", .kind = VT_CELL_BYTES},
    {.key = "kernel", .title = "K", .kind = VT_CELL_BOOL},
};

static char *print(const char *option, void (*fill)(struct vt_rows *))
{
    static const struct vt_verb verb = {.name = "try", .operands = ""};
    struct vt_args args;
    struct vt_rows *rows;
    struct capture c;
    const char *const words[] = {option};
    assert_int_equal(vt_args_parse(&verb, option != NULL, words, &args), 0);
    capture_begin(&c, stdout);
    assert_int_equal(
        vt_rows_create(&args, columns, sizeof columns / sizeof columns[0], &rows, NULL), 0);
    if (fill != NULL) {
        fill(rows);
    }
    assert_int_equal(vt_rows_finish(rows), VT_EXIT_OK);
    char *text = capture_end(&c);
    vt_args_fini(&args);
    return text;
}

static void two_rows(struct vt_rows *r)
{
    vt_cell_text(r, "\x1b[2Jcaf\u00e9");
    vt_cell_u64(r, 1);
    vt_cell_i64(r, -20);
    vt_cell_u64(r, 0xffff888000000000);
    vt_cell_u64(r, 7);
    vt_cell_f64(r, 12.5);
    vt_cell_u64(r, 134217728);
    vt_cell_bool(r, true);

    vt_cell_text(r, NULL);
    vt_cell_none(r);
    vt_cell_i64(r, 0);
    vt_cell_u64(r, 0);
    vt_cell_none(r);
    vt_cell_f64(r, 0);
    vt_cell_none(r);
    vt_cell_bool(r, false);
}

static void as_a_table(void **state)
{
    (void)state;
    char *text = print(NULL, two_rows);
    assert_string_equal(text,
                        "NAME         PID  NICE             ADDRESS    CPU      RAM  K\n"
                        "\\x1b[2Jcaf\u00e9    1   -20  0xffff888000000000  12.50  128 MiB  yes\n"
                        "-              -     0                 0x0   0.00        -  no\n");
    free(text);
}

static void as_json(void **state)
{
    (void)state;
    char *text = print("--json", two_rows);
    assert_string_equal(
        text, "[{\"name\":\"\\u001b[2Jcaf\u00e9\",\"pid\":1,\"nice\":-20,"
              "\"at\":\"0xffff888000000000\",\"secret\":7,\"cpu_percent\":12.5,"
              "\"ram_bytes\":134217728,\"kernel\":true},{\"name\":null,\"pid\":null,\"nice\":0,"
              "\"at\":\"0x0\",\"secret\":null,\"cpu_percent\":0,\"ram_bytes\":null,"
              "\"kernel\":false}]\n");
    char *pretty = print("--pretty", two_rows);
    json_t *a = json_loads(text, 0, NULL), *b = json_loads(pretty, 0, NULL);
    assert_non_null(a);
    assert_int_equal(json_array_size(a), 2);
    assert_true(json_equal(a, b));
    assert_non_null(strstr(pretty, "\n    \"pid\": 1,\n"));
    json_decref(a);
    json_decref(b);
    free(text);
    free(pretty);
}

static void without_rows(void **state)
{
    (void)state;
    char *text = print(NULL, NULL);
    assert_string_equal(text, "NAME  PID  NICE  ADDRESS  CPU  RAM  K\n");
    free(text);
    text = print("--json", NULL);
    assert_string_equal(text, "[]\n");
    free(text);
}

static void many(struct vt_rows *r)
{
    for (unsigned i = 0; i < 1000 * sizeof columns / sizeof columns[0]; i++) {
        vt_cell_none(r);
    }
}

static void with_many_rows(void **state)
{
    (void)state;
    char *text = print(NULL, many);
    unsigned lines = 0;
    for (const char *p = text; (p = strchr(p, '\n')) != NULL; p++) {
        lines++;
    }
    assert_int_equal(lines, 1001);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_a_table),
        cmocka_unit_test(as_json),
        cmocka_unit_test(without_rows),
        cmocka_unit_test(with_many_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
