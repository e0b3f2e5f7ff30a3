/* test_expect.c - waiting for text in a stream that a peer writes piece by piece. */
#include "tests/unit/harness.h"

#include "base/io.h"
#include "machine/expect.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct fixture {
    int peer, mine;
    struct vt_expect e;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    int fds[2];
    assert_non_null(f);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    f->peer = fds[0];
    f->mine = fds[1];
    vt_expect_init(&f->e, f->mine, NULL);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    vt_close(&f->peer);
    vt_close(&f->mine);
    free(f);
    return 0;
}

static void says(struct fixture *f, const char *text)
{
    assert_int_equal(write(f->peer, text, strlen(text)), strlen(text));
}

static int wait_for(struct fixture *f, const char *regex, char *line, size_t n,
                    struct vt_error *err)
{
    return vt_expect_regex(&f->e, &regex, 1, vt_deadline_ms(5000), NULL, line, n, err);
}

static void escapes_and_returns_are_not_text(void **state)
{
    struct fixture *f = *state;
    char line[64];
    struct vt_error err;
    says(f, "\x1b[1;31mlo\x1b[0mg\x1b]0;title\x07in\x1b(B: \x1b[6n\r\n");
    assert_int_equal(wait_for(f, "^login: $", line, sizeof line, &err), 0);
    assert_string_equal(line, "login: ");
}

static void a_match_may_come_in_pieces(void **state)
{
    struct fixture *f = *state;
    struct vt_error err;
    says(f, "boot\npass");
    assert_int_equal(vt_expect_fill(&f->e, vt_deadline_ms(5000), &err), 0);
    says(f, "\x1b[");
    says(f, "0mword: ");
    assert_int_equal(vt_expect_text(&f->e, "password:", vt_deadline_ms(5000), &err), 0);
    assert_string_equal(f->e.window, " ");
}

static void the_first_match_wins_and_is_consumed(void **state)
{
    struct fixture *f = *state;
    static const char *const regexes[] = {"third", "second", "first"};
    struct vt_error err;
    unsigned which;
    says(f, "first second third");
    for (unsigned i = 3; i-- > 0;) {
        assert_int_equal(
            vt_expect_regex(&f->e, regexes, 3, vt_deadline_ms(5000), &which, NULL, 0, &err), 0);
        assert_int_equal(which, i);
    }
}

static void a_line_in_the_making_is_awaited(void **state)
{
    struct fixture *f = *state;
    char line[64];
    struct vt_error err;
    says(f, "ready 1");
    pid_t pid = fork();
    if (pid == 0) {
        poll(NULL, 0, 5);
        _exit(write(f->peer, ".64 s\nnext", 10) == 10 ? 0 : 1);
    }
    assert_int_equal(wait_for(f, "ready [0-9.]+", line, sizeof line, &err), 0);
    assert_string_equal(line, "ready 1.64 s");
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void silence_times_out_and_names_the_last_line(void **state)
{
    struct fixture *f = *state;
    const char *regex = "never";
    struct vt_error err;
    says(f, "one\nKernel panic\r\n");
    assert_int_equal(vt_expect_regex(&f->e, &regex, 1, vt_deadline_ms(30), NULL, NULL, 0, &err),
                     VT_E_TIMEOUT);
    assert_non_null(strstr(err.message, "'never'"));
    assert_non_null(strstr(err.message, "Kernel panic"));
}

static void the_end_is_told(void **state)
{
    struct fixture *f = *state;
    struct vt_error err;
    says(f, "half");
    vt_close(&f->peer);
    assert_int_equal(wait_for(f, "whole", NULL, 0, &err), VT_E_GONE);
}

static void stop_ends_the_wait(void **state)
{
    struct fixture *f = *state;
    static const volatile int stop = 1;
    struct vt_error err;
    vt_expect_init(&f->e, f->mine, &stop);
    assert_int_equal(wait_for(f, "x", NULL, 0, &err), VT_E_INTERRUPTED);
}

static void a_flood_keeps_its_end(void **state)
{
    struct fixture *f = *state;
    struct vt_error err;
    char block[8192];
    memset(block, 'x', sizeof block);
    block[sizeof block - 1] = '\n';
    for (int i = 0; i < 40; i++) {
        assert_int_equal(write(f->peer, block, sizeof block), sizeof block);
        while (vt_expect_fill(&f->e, vt_now_ns(), &err) == 0) {
        }
        assert_true(f->e.used <= VT_EXPECT_WINDOW);
    }
    says(f, "the end\n");
    assert_int_equal(wait_for(f, "^the end$", NULL, 0, &err), 0);
}

static void a_bad_expression_is_refused(void **state)
{
    struct vt_error err;
    assert_int_equal(wait_for(*state, "a(", NULL, 0, &err), VT_E_INVAL);
    assert_non_null(strstr(err.message, "a("));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(escapes_and_returns_are_not_text),
        TEST(a_match_may_come_in_pieces),
        TEST(the_first_match_wins_and_is_consumed),
        TEST(a_line_in_the_making_is_awaited),
        TEST(silence_times_out_and_names_the_last_line),
        TEST(the_end_is_told),
        TEST(stop_ends_the_wait),
        TEST(a_flood_keeps_its_end),
        TEST(a_bad_expression_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
