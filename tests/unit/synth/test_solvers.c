/* Solvers that are programs: found in PATH, given the text, believed only when they say clearly
 * what they know, ended when their time is up. Z3 is not there. */
#include "tests/unit/harness.h"

#include "synth/smt.h"

#include <string.h>
#include <sys/stat.h>

static char directory[] = "/tmp/vitrine-test-XXXXXX";

/* What it says depends on what it is asked. */
static const char script[] = "#!/bin/sh\n"
                             "read -r word\n"
                             "case $word in\n"
                             "holds) echo unsat ;;\n"
                             "false) echo sat ;;\n"
                             "perhaps) echo unknown ;;\n"
                             "nearly) echo unsatisfactory ;;\n"
                             "cut) printf unsat ;;\n"
                             "long) yes unsat | tr '\\n' ' ' | head -c 100000 ;;\n"
                             "dies) kill -9 $$ ;;\n"
                             "hangs) exec sleep 1000 ;;\n"
                             "esac\n";

static struct vt_smt_answer ask(const char *text, uint32_t timeout_ms)
{
    struct vt_smt_answer answer;
    vt_smt_ask(text, strlen(text), timeout_ms, NULL, NULL, &answer);
    return answer;
}

static void test_answers(void **state)
{
    (void)state;
    struct vt_smt_answer answer = ask("holds\n", 0);
    assert_int_equal(answer.result, VT_PROOF_HOLDS);
    assert_string_equal(answer.solver, "bitwuzla");
    assert_int_equal(ask("false\n", 0).result, VT_PROOF_FALSE);
    static const char *const unclear[] = {"perhaps\n", "nearly\n", "cut\n", "long\n", "dies\n", ""};
    for (size_t i = 0; i < sizeof unclear / sizeof unclear[0]; i++) {
        answer = ask(unclear[i], 0);
        if (answer.result != VT_PROOF_UNKNOWN) {
            fail_msg("'%s' is taken for an answer", unclear[i]);
        }
        assert_string_equal(answer.solver, "none");
    }
}

static void test_time(void **state)
{
    (void)state;
    assert_int_equal(ask("hangs\n", 100).result, VT_PROOF_UNKNOWN);
}

int main(void)
{
    char path[128], *search;
    if (mkdtemp(directory) == NULL) {
        return 1;
    }
    snprintf(path, sizeof path, "%s/bitwuzla", directory);
    FILE *file = fopen(path, "we");
    if (file == NULL || fputs(script, file) == EOF || fclose(file) != 0 || chmod(path, 0700) != 0 ||
        asprintf(&search, "%s:%s", directory, getenv("PATH")) < 0 ||
        setenv("PATH", search, 1) != 0 || setenv("VITRINE_LIB_DIR", directory, 1) != 0) {
        return 1;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_answers), cmocka_unit_test(test_time)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(search);
    unlink(path);
    rmdir(directory);
    return failed;
}
