/* tests/unit/cli/test_args.c - command lines against a verb's table: what is taken, what is said.
 */
#include "tests/unit/cli/capture.h"

#include "cli/args.h"

#include <string.h>

static const struct vt_option options[] = {
    {"memory", "SIZE", "RAM", false},      {"append", "TEXT", "kernel command line", false},
    {"qemu-arg", "ARG", "for QEMU", true}, {"paused", NULL, "start paused", false},
    {"wait", "TIME", "how long", false},   {0},
};

static const struct vt_verb verb = {
    .name = "try",
    .group = "Test",
    .summary = "Try it",
    .operands = "NAME [FILE]",
    .min_operands = 1,
    .max_operands = 2,
    .options = options,
};

/* Parses the words up to NULL; what went to stderr is in *said. */
static int parse(struct vt_args *args, char **said, const char *const *words)
{
    int n = 0;
    while (words[n] != NULL) {
        n++;
    }
    struct capture c;
    capture_begin(&c, stderr);
    int rc = vt_args_parse(&verb, n, words, args);
    *said = capture_end(&c);
    return rc;
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void every_form(void **state)
{
    (void)state;
    struct vt_args a;
    char *said;
    assert_int_equal(parse(&a, &said,
                           WORDS("vm", "--memory=4G", "--append", "console=ttyS0 --x", "--qemu-arg",
                                 "-device", "--qemu-arg=a=b", "--paused", "--json", "-")),
                     0);
    assert_string_equal(said, "");
    free(said);
    assert_int_equal(vt_args_operands(&a), 2);
    assert_string_equal(vt_args_operand(&a, 0), "vm");
    assert_string_equal(vt_args_operand(&a, 1), "-");
    assert_null(vt_args_operand(&a, 2));
    assert_string_equal(vt_args_value(&a, "memory"), "4G");
    assert_string_equal(vt_args_value(&a, "append"), "console=ttyS0 --x");
    assert_string_equal(vt_args_value_at(&a, "qemu-arg", 0), "-device");
    assert_string_equal(vt_args_value_at(&a, "qemu-arg", 1), "a=b");
    assert_null(vt_args_value_at(&a, "qemu-arg", 2));
    assert_true(vt_args_flag(&a, "paused"));
    assert_true(vt_args_json(&a));
    assert_false(vt_args_pretty(&a));
    vt_args_fini(&a);
}

static void after_two_dashes_all_is_operand(void **state)
{
    (void)state;
    struct vt_args a;
    char *said;
    assert_int_equal(parse(&a, &said, WORDS("--", "--memory", "-x")), 0);
    free(said);
    assert_string_equal(vt_args_operand(&a, 0), "--memory");
    assert_string_equal(vt_args_operand(&a, 1), "-x");
    vt_args_fini(&a);
}

static void help_needs_no_operand(void **state)
{
    (void)state;
    struct vt_args a;
    char *said;
    assert_int_equal(parse(&a, &said, WORDS("-h")), 0);
    free(said);
    assert_true(vt_args_flag(&a, "help"));
    vt_args_fini(&a);
    assert_int_equal(parse(&a, &said, WORDS("--pretty", "--help")), 0);
    free(said);
    assert_true(vt_args_flag(&a, "help"));
    assert_true(vt_args_json(&a));
    vt_args_fini(&a);
}

static void refuses(const char *const *words, const char *message)
{
    struct vt_args a;
    char *said, want[256];
    assert_int_equal(parse(&a, &said, words), VT_EXIT_USAGE);
    snprintf(want, sizeof want, "vitrine try: %s (see 'vitrine try --help')\n", message);
    assert_string_equal(said, want);
    free(said);
    vt_args_fini(&a);
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    refuses(WORDS("vm", "--nope"), "unknown option '--nope'");
    refuses(WORDS("vm", "--mem=1"), "unknown option '--mem=1'");
    refuses(WORDS("vm", "-x"), "unknown option '-x'");
    refuses(WORDS("vm", "--memory"), "option --memory needs a value (SIZE)");
    refuses(WORDS("vm", "--paused=1"), "option --paused takes no value");
    refuses(WORDS("vm", "--paused", "--paused"), "option --paused given twice");
    refuses(WORDS("vm", "--memory=1", "--memory", "2"), "option --memory given twice");
    refuses(WORDS("a", "b", "c"), "unexpected operand 'c'");
    refuses(WORDS("--json"), "needs NAME [FILE]");
}

static void values_with_defaults(void **state)
{
    (void)state;
    struct vt_args a;
    char *said;
    uint64_t v = 0;
    assert_int_equal(parse(&a, &said, WORDS("vm", "--memory=2M", "--wait=1500ms", "--append=7")),
                     0);
    free(said);
    assert_int_equal(vt_args_bytes(&a, "memory", 5, &v), 0);
    assert_int_equal(v, 2097152);
    assert_int_equal(vt_args_duration(&a, "wait", 5, &v), 0);
    assert_int_equal(v, 1500000000);
    assert_int_equal(vt_args_u64(&a, "append", 5, &v), 0);
    assert_int_equal(v, 7);
    assert_int_equal(vt_args_u64(&a, "qemu-arg", 5, &v), 0);
    assert_int_equal(v, 5);
    v = 77;
    struct capture c;
    capture_begin(&c, stderr);
    assert_int_equal(vt_args_u64(&a, "memory", 5, &v), VT_EXIT_USAGE);
    said = capture_end(&c);
    assert_string_equal(said,
                        "vitrine try: --memory: '2M' is not a number (see 'vitrine try --help')\n");
    assert_int_equal(v, 77);
    free(said);
    vt_args_fini(&a);
}

static void failures_have_exit_codes(void **state)
{
    (void)state;
    static const struct {
        enum vt_code code;
        int exit_code;
    } rows[] = {{VT_E_NOT_FOUND, 3}, {VT_E_TIMEOUT, 124}, {VT_E_IO, 1},
                {VT_E_ADDR, 1},      {VT_E_GONE, 1},      {VT_E_INVAL, 1}};
    const struct vt_args a = {.verb = &verb};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct vt_error err;
        struct capture c;
        vt_fail(&err, rows[i].code, "no VM 'x'");
        capture_begin(&c, stderr);
        int got = vt_report(&a, &err);
        char *said = capture_end(&c);
        assert_int_equal(got, rows[i].exit_code);
        assert_string_equal(said, "vitrine try: no VM 'x'\n");
        free(said);
    }
}

static void progress_is_a_line_each(void **state)
{
    (void)state;
    struct capture c;
    capture_begin(&c, stderr);
    vt_progress("step %d", 1);
    vt_progress("step %d", 2);
    vt_progress("%s", "");
    char *said = capture_end(&c);
    assert_string_equal(said, "step 1\nstep 2\n");
    free(said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form),
        cmocka_unit_test(after_two_dashes_all_is_operand),
        cmocka_unit_test(help_needs_no_operand),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(values_with_defaults),
        cmocka_unit_test(failures_have_exit_codes),
        cmocka_unit_test(progress_is_a_line_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
