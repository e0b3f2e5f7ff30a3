/* tests/unit/base/test_loop.c - descriptors, timers and signals, and removal at every bad moment.
 */
#include "tests/unit/harness.h"

#include "base/io.h"
#include "base/loop.h"

#include <signal.h>
#include <sys/epoll.h>

struct stage {
    struct vt_loop *loop;
    struct vt_source *a, *b;
    int pipe_a[2], pipe_b[2];
    unsigned calls;
    uint64_t seen;
};

static int setup(void **state)
{
    struct stage *s = calloc(1, sizeof *s);
    if (s == NULL || vt_loop_create(&s->loop, NULL) != 0 || pipe(s->pipe_a) != 0 ||
        pipe(s->pipe_b) != 0) {
        return -1;
    }
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct stage *s = *state;
    vt_loop_destroy(s->loop);
    for (int i = 0; i < 2; i++) {
        vt_close(&s->pipe_a[i]);
        vt_close(&s->pipe_b[i]);
    }
    free(s);
    return 0;
}

static void poke(const int pipe[2])
{
    assert_int_equal(write(pipe[1], "x", 1), 1);
}

static void read_and_stop(struct vt_source *source, uint32_t events, void *arg)
{
    struct stage *s = arg;
    char ch;
    assert_ptr_equal(source, s->a);
    assert_true(events & EPOLLIN);
    assert_int_equal(read(s->pipe_a[0], &ch, 1), 1);
    s->calls++;
    vt_loop_stop(s->loop, 42);
}

static void a_descriptor_that_is_ready(void **state)
{
    struct stage *s = *state;
    assert_int_equal(vt_loop_add_fd(s->loop, s->pipe_a[0], EPOLLIN, read_and_stop, s, &s->a, NULL),
                     0);
    poke(s->pipe_a);
    assert_int_equal(vt_loop_run(s->loop, NULL), 42);
    poke(s->pipe_a);
    assert_int_equal(vt_loop_run(s->loop, NULL), 42);
    assert_int_equal(s->calls, 2);
    struct vt_error err;
    assert_int_equal(vt_loop_add_fd(s->loop, -1, EPOLLIN, read_and_stop, s, NULL, &err), VT_E_IO);
    assert_int_equal(vt_loop_add_fd(s->loop, s->pipe_a[0], EPOLLIN, read_and_stop, s, NULL, &err),
                     VT_E_IO);
}

static void never(struct vt_source *source, uint32_t events, void *arg)
{
    (void)source;
    (void)events;
    (void)arg;
    fail_msg("a source was called that should not be");
}

static void count_to_three(struct vt_source *source, uint32_t events, void *arg)
{
    struct stage *s = arg;
    (void)source;
    s->seen += events;
    if (++s->calls == 3) {
        vt_loop_stop(s->loop, 0);
    }
}

static void timers(void **state)
{
    struct stage *s = *state;
    struct vt_source *off, *once;
    uint64_t start = vt_now_ns();
    assert_int_equal(vt_loop_add_timer(s->loop, 0, 0, never, s, &off, NULL), 0);
    assert_int_equal(vt_loop_add_timer(s->loop, 1, 0, never, s, &once, NULL), 0);
    assert_int_equal(vt_source_set_timer(once, 0, 0, NULL), 0);
    assert_int_equal(vt_loop_add_timer(s->loop, 1000000, 2000000, count_to_three, s, &s->a, NULL),
                     0);
    assert_int_equal(vt_loop_run(s->loop, NULL), 0);
    assert_int_equal(s->calls, 3);
    assert_true(s->seen >= 3);
    assert_true(vt_now_ns() - start >= 5000000);
    /* Far beyond what a clock counts to, and re-armed to the next moment. */
    assert_int_equal(vt_source_set_timer(s->a, UINT64_MAX, 0, NULL), 0);
    assert_int_equal(vt_source_set_timer(s->a, 1, 1, NULL), 0);
    s->calls = 0;
    assert_int_equal(vt_loop_run(s->loop, NULL), 0);
    assert_int_equal(s->calls, 3);
    vt_source_remove(off);
    assert_int_equal(vt_source_set_events(s->a, 0, NULL), 0);
}

static void catch_signal(struct vt_source *source, uint32_t signo, void *arg)
{
    struct stage *s = arg;
    (void)source;
    s->calls++;
    s->seen = signo;
    vt_loop_stop(s->loop, -7);
}

static void signals(void **state)
{
    struct stage *s = *state;
    struct vt_error err;
    sigset_t before;
    assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &before), 0);
    assert_int_equal(vt_loop_add_signal(s->loop, SIGUSR2, catch_signal, s, &s->a, NULL), 0);
    assert_int_equal(kill(getpid(), SIGUSR2), 0);
    assert_int_equal(vt_loop_run(s->loop, NULL), -7);
    assert_int_equal(s->calls, 1);
    assert_int_equal(s->seen, SIGUSR2);
    vt_source_remove(s->a);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
    assert_int_equal(vt_loop_add_signal(s->loop, SIGKILL + 100, never, s, NULL, &err), VT_E_INVAL);
}

/* Whichever of the two runs first removes both: the other stands in the same batch. */
static void remove_both(struct vt_source *source, uint32_t events, void *arg)
{
    struct stage *s = arg;
    (void)source;
    (void)events;
    s->calls++;
    vt_source_remove(s->a);
    vt_source_remove(s->b);
    vt_source_remove(s->a);
    vt_source_remove(NULL);
    assert_int_equal(vt_loop_add_timer(s->loop, 1, 0, count_to_three, s, NULL, NULL), 0);
    s->calls = 2;
}

static void removal_during_dispatch(void **state)
{
    struct stage *s = *state;
    assert_int_equal(vt_loop_add_fd(s->loop, s->pipe_a[0], EPOLLIN, remove_both, s, &s->a, NULL),
                     0);
    assert_int_equal(vt_loop_add_fd(s->loop, s->pipe_b[0], EPOLLIN, remove_both, s, &s->b, NULL),
                     0);
    poke(s->pipe_a);
    poke(s->pipe_b);
    assert_int_equal(vt_loop_run(s->loop, NULL), 0);
    assert_int_equal(s->calls, 3);
}

/* The first of the two stops the loop: the second waits for the next run. */
static void stop_only(struct vt_source *source, uint32_t events, void *arg)
{
    struct stage *s = arg;
    (void)events;
    s->calls++;
    vt_source_remove(source);
    vt_loop_stop(s->loop, 0);
}

static void a_stop_ends_the_batch(void **state)
{
    struct stage *s = *state;
    assert_int_equal(vt_loop_add_fd(s->loop, s->pipe_a[0], EPOLLIN, stop_only, s, &s->a, NULL), 0);
    assert_int_equal(vt_loop_add_fd(s->loop, s->pipe_b[0], EPOLLIN, stop_only, s, &s->b, NULL), 0);
    poke(s->pipe_a);
    poke(s->pipe_b);
    assert_int_equal(vt_loop_run(s->loop, NULL), 0);
    assert_int_equal(s->calls, 1);
    assert_int_equal(vt_loop_run(s->loop, NULL), 0);
    assert_int_equal(s->calls, 2);
}

/* A descriptor's number used again at once, inside the callback that removed its source. */
static void replace(struct vt_source *source, uint32_t events, void *arg)
{
    struct stage *s = arg;
    (void)events;
    s->calls++;
    vt_source_remove(source);
    vt_source_remove(s->b);
    int old = s->pipe_b[0];
    vt_close(&s->pipe_b[0]);
    vt_close(&s->pipe_b[1]);
    assert_int_equal(pipe(s->pipe_b), 0);
    assert_true(s->pipe_b[0] == old || s->pipe_b[1] == old);
    assert_int_equal(vt_loop_add_fd(s->loop, s->pipe_b[0], EPOLLIN, stop_only, s, NULL, NULL), 0);
    poke(s->pipe_b);
}

static void a_number_used_again(void **state)
{
    struct stage *s = *state;
    assert_int_equal(vt_loop_add_fd(s->loop, s->pipe_b[0], EPOLLIN, never, s, &s->b, NULL), 0);
    assert_int_equal(vt_loop_add_fd(s->loop, s->pipe_a[0], EPOLLIN, replace, s, &s->a, NULL), 0);
    poke(s->pipe_a);
    assert_int_equal(vt_loop_run(s->loop, NULL), 0);
    assert_int_equal(s->calls, 2);
}

static void events_can_change(void **state)
{
    struct stage *s = *state;
    assert_int_equal(vt_loop_add_fd(s->loop, s->pipe_a[1], 0, count_to_three, s, &s->a, NULL), 0);
    assert_int_equal(vt_loop_add_timer(s->loop, 1000000, 0, count_to_three, s, &s->b, NULL), 0);
    s->calls = 2;
    assert_int_equal(vt_loop_run(s->loop, NULL), 0);
    assert_int_equal(s->seen, 1);
    assert_int_equal(vt_source_set_events(s->a, EPOLLOUT, NULL), 0);
    s->calls = 2;
    assert_int_equal(vt_loop_run(s->loop, NULL), 0);
    assert_int_equal(s->seen, 1 + EPOLLOUT);
}

static void destroying_takes_what_is_left(void **state)
{
    struct stage *s = *state;
    vt_loop_destroy(NULL);
    assert_int_equal(vt_loop_add_fd(s->loop, s->pipe_a[0], EPOLLIN, never, s, NULL, NULL), 0);
    assert_int_equal(vt_loop_add_timer(s->loop, 1, 1, never, s, NULL, NULL), 0);
    vt_loop_destroy(s->loop);
    s->loop = NULL;
    poke(s->pipe_a); /* still open: it is the caller's */
}

#define staged(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        staged(a_descriptor_that_is_ready),
        staged(timers),
        staged(signals),
        staged(removal_during_dispatch),
        staged(a_stop_ends_the_batch),
        staged(a_number_used_again),
        staged(events_can_change),
        staged(destroying_takes_what_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
