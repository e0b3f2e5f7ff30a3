/* tests/unit/base/test_wait.c - deadlines, and waits that end by data, time, hang-up or signal. */
#include "tests/unit/harness.h"

#include "base/io.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

static volatile int stop;

static void on_signal(int signo)
{
    stop = signo;
}

static void deadlines(void **state)
{
    (void)state;
    uint64_t before = vt_now_ns();
    uint64_t in_a_minute = vt_deadline_ms(60000);
    assert_in_range(in_a_minute, before + 60000000000u, vt_now_ns() + 60000000000u);
    assert_int_equal(vt_deadline_ms(UINT64_MAX), VT_NO_DEADLINE);
    assert_int_equal(vt_deadline_ms(UINT64_MAX / 1000000u), VT_NO_DEADLINE);
    assert_int_equal(vt_poll_timeout(VT_NO_DEADLINE), -1);
    assert_int_equal(vt_poll_timeout(0), 0);
    assert_int_equal(vt_poll_timeout(vt_now_ns()), 0);
    assert_in_range(vt_poll_timeout(vt_deadline_ms(60000)), 1, 60000);
    assert_int_equal(vt_poll_timeout(VT_NO_DEADLINE - 1), 1000000);
}

static void ready_or_late(void **state)
{
    (void)state;
    struct vt_error err;
    int p[2];
    assert_int_equal(pipe(p), 0);
    assert_int_equal(vt_wait_fd(p[0], POLLIN, 0, NULL, &err), VT_E_TIMEOUT);
    assert_int_equal(vt_wait_fd(p[0], POLLIN, vt_deadline_ms(5), NULL, &err), VT_E_TIMEOUT);
    assert_int_equal(vt_wait_fd(p[1], POLLOUT, VT_NO_DEADLINE, NULL, &err), 0);
    assert_int_equal(write(p[1], "x", 1), 1);
    assert_int_equal(vt_wait_fd(p[0], POLLIN, VT_NO_DEADLINE, &stop, &err), 0);
    close(p[1]);
    char ch;
    assert_int_equal(read(p[0], &ch, 1), 1);
    assert_int_equal(vt_wait_fd(p[0], POLLIN, VT_NO_DEADLINE, NULL, &err), 0);
    close(p[0]);
}

static void a_stop_from_before_ends_it(void **state)
{
    (void)state;
    struct vt_error err;
    int p[2];
    assert_int_equal(pipe(p), 0);
    stop = SIGTERM;
    assert_int_equal(vt_wait_fd(p[0], POLLIN, VT_NO_DEADLINE, &stop, &err), VT_E_INTERRUPTED);
    stop = 0;
    close(p[0]);
    close(p[1]);
}

struct killer {
    pthread_t victim;
    int ended[2];
};

/* One signal after another until the waits are over: each must be seen, wherever it lands. */
static void *kill_until_ended(void *arg)
{
    const struct killer *k = arg;
    do {
        pthread_kill(k->victim, SIGUSR1);
    } while (vt_wait_fd(k->ended[0], POLLIN, vt_deadline_ms(1), NULL, NULL) != 0);
    return NULL;
}

static void a_signal_ends_it(void **state)
{
    (void)state;
    struct sigaction sa = {.sa_handler = on_signal}, before;
    assert_int_equal(sigaction(SIGUSR1, &sa, &before), 0);
    struct killer k = {.victim = pthread_self()};
    int p[2];
    assert_int_equal(pipe(p), 0);
    assert_int_equal(pipe(k.ended), 0);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, kill_until_ended, &k), 0);
    int rc = VT_E_INTERRUPTED;
    for (int i = 0; i < 50 && rc == VT_E_INTERRUPTED; i++) {
        stop = 0;
        rc = vt_wait_fd(p[0], POLLIN, VT_NO_DEADLINE, &stop, NULL);
    }
    assert_int_equal(write(k.ended[1], "x", 1), 1);
    pthread_join(thread, NULL);
    assert_int_equal(rc, VT_E_INTERRUPTED);
    sigset_t mask;
    assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &mask), 0);
    assert_false(sigismember(&mask, SIGUSR1));
    sigaction(SIGUSR1, &before, NULL);
    for (int i = 0; i < 2; i++) {
        close(p[i]);
        close(k.ended[i]);
    }
}

/* Without a stop a handled signal only interrupts the wait, it does not end it. */
static void a_signal_without_stop_does_not(void **state)
{
    (void)state;
    struct sigaction sa = {.sa_handler = on_signal}, before;
    assert_int_equal(sigaction(SIGUSR1, &sa, &before), 0);
    struct killer k = {.victim = pthread_self()};
    int p[2];
    assert_int_equal(pipe(p), 0);
    assert_int_equal(pipe(k.ended), 0);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, kill_until_ended, &k), 0);
    int rc = vt_wait_fd(p[0], POLLIN, vt_deadline_ms(20), NULL, NULL);
    assert_int_equal(write(k.ended[1], "x", 1), 1);
    pthread_join(thread, NULL);
    assert_int_equal(rc, VT_E_TIMEOUT);
    stop = 0;
    sigaction(SIGUSR1, &before, NULL);
    for (int i = 0; i < 2; i++) {
        close(p[i]);
        close(k.ended[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deadlines),
        cmocka_unit_test(ready_or_late),
        cmocka_unit_test(a_stop_from_before_ends_it),
        cmocka_unit_test(a_signal_ends_it),
        cmocka_unit_test(a_signal_without_stop_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
