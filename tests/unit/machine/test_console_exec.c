/* test_console_exec.c - commands through a real shell on a real terminal line (a pty, echo on). */
#include "tests/unit/harness.h"

#include "base/io.h"
#include "machine/console_client.h"

#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct fixture {
    pid_t pid;
    int fd;
    char *text;
    size_t bytes;
    FILE *out;
};

static void start(struct fixture *f, const char *script)
{
    f->pid = forkpty(&f->fd, NULL, NULL, NULL);
    assert_true(f->pid >= 0);
    if (f->pid == 0) {
        setenv("PS1", "# ", 1);
        setenv("ENV", "/dev/null", 1);
        execl("/bin/sh", "sh", script == NULL ? "-i" : "-c", script, NULL);
        _exit(127);
    }
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->fd = -1;
    f->out = open_memstream(&f->text, &f->bytes);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    vt_close(&f->fd);
    if (f->pid > 0) {
        kill(f->pid, SIGKILL);
        waitpid(f->pid, NULL, 0);
    }
    fclose(f->out);
    free(f->text);
    free(f);
    return 0;
}

static int keep(void *arg, const char *text, size_t bytes, struct vt_error *err)
{
    (void)err;
    fwrite(text, 1, bytes, ((struct fixture *)arg)->out);
    return 0;
}

static int exec(struct fixture *f, const char *command, uint64_t ms, int *code,
                struct vt_error *err)
{
    rewind(f->out);
    int rc = vt_console_exec_on(f->fd, command, vt_deadline_ms(ms), NULL, keep, f, code, err);
    fflush(f->out);
    return rc;
}

static void gives(struct fixture *f, const char *command, const char *output, int want)
{
    struct vt_error err;
    int code = -1;
    if (exec(f, command, 20000, &code, &err) != 0) {
        fail_msg("%s: %s", command, err.message);
    }
    assert_int_equal(f->bytes, strlen(output));
    assert_memory_equal(f->text, output, f->bytes);
    assert_int_equal(code, want);
}

static void output_and_exit_code(void **state)
{
    struct fixture *f = *state;
    start(f, NULL);
    gives(f, "echo one; echo two", "one\ntwo\n", 0);
    gives(f, "printf 'no newline'", "no newline", 0);
    gives(f, "true", "", 0);
    gives(f, "exit 42", "", 42);
    gives(f, "cat; echo stdin is empty", "stdin is empty\n", 0);
}

static void any_text_is_a_command(void **state)
{
    struct fixture *f = *state;
    char command[1200], output[1100];
    start(f, NULL);
    gives(f, "printf '%s|' 'a'\\''b' \"c\\\"d\" 'e\tf' '$(x)' '\\'", "a'b|c\"d|e\tf|$(x)|\\|", 0);
    gives(f, "cat <<X\nfirst\nsecond %s\nX", "first\nsecond %s\n", 0);
    gives(f, "echo gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f\n", 0);
    memset(output, 'y', 1000);
    strcpy(output + 1000, "\n");
    snprintf(command, sizeof command, "echo %s", output);
    gives(f, command, output, 0);
}

static void what_looks_like_a_marker_is_output(void **state)
{
    struct fixture *f = *state;
    start(f, NULL);
    gives(f, "printf '\\n>0123456789abcdef 0\\n\\n>\\n<\\n'", "\n>0123456789abcdef 0\n\n>\n<\n", 0);
}

static void much_output_is_whole(void **state)
{
    struct fixture *f = *state;
    struct vt_error err;
    int code;
    start(f, NULL);
    assert_int_equal(exec(f, "seq 1 60000", 30000, &code, &err), 0);
    char *text;
    size_t n;
    FILE *want = open_memstream(&text, &n);
    for (int i = 1; i <= 60000; i++) {
        fprintf(want, "%d\n", i);
    }
    fclose(want);
    assert_int_equal(f->bytes, n);
    assert_memory_equal(f->text, text, n);
    free(text);
}

static void half_a_line_typed_before_does_no_harm(void **state)
{
    struct fixture *f = *state;
    start(f, NULL);
    assert_int_equal(write(f->fd, "echo 'half a ", 13), 13);
    gives(f, "echo whole", "whole\n", 0);
}

static void a_shell_that_comes_late_is_awaited(void **state)
{
    struct fixture *f = *state;
    /* What is typed before is lost, as it is when a guest boots. */
    start(f, "stty -echo; sleep 0.7; stty echo; exec sh -i");
    gives(f, "echo late", "late\n", 0);
}

static void a_command_that_does_not_end(void **state)
{
    struct fixture *f = *state;
    struct vt_error err;
    int code;
    start(f, NULL);
    gives(f, "true", "", 0);
    assert_int_equal(exec(f, "echo begun; sleep 100", 3000, &code, &err), VT_E_TIMEOUT);
    assert_non_null(strstr(err.message, "did not end"));
}

static void no_shell(void **state)
{
    struct fixture *f = *state;
    struct vt_error err;
    int code;
    start(f, "exec sleep 100");
    assert_int_equal(exec(f, "true", 300, &code, &err), VT_E_TIMEOUT);
    assert_non_null(strstr(err.message, "no shell"));
}

static void the_line_closes(void **state)
{
    struct fixture *f = *state;
    struct vt_error err;
    int code;
    start(f, NULL);
    assert_int_equal(exec(f, "kill -9 $$", 20000, &code, &err), VT_E_GONE);
}

static void a_command_too_long(void **state)
{
    char command[VT_CONSOLE_COMMAND_MAX + 2];
    struct vt_error err;
    int code;
    memset(command, 'x', sizeof command);
    command[sizeof command - 1] = '\0';
    start(*state, NULL);
    assert_int_equal(exec(*state, command, 1000, &code, &err), VT_E_LIMIT);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(output_and_exit_code),
        TEST(any_text_is_a_command),
        TEST(what_looks_like_a_marker_is_output),
        TEST(much_output_is_whole),
        TEST(half_a_line_typed_before_does_no_harm),
        TEST(a_shell_that_comes_late_is_awaited),
        TEST(a_command_that_does_not_end),
        TEST(no_shell),
        TEST(the_line_closes),
        TEST(a_command_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
