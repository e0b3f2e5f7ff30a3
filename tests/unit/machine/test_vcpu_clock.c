/* tests/unit/machine/test_vcpu_clock.c - the clocks of vCPUs are the host's of the threads that
 * QEMU names so, and of no other. */
#include "tests/unit/harness.h"

#include "machine/vcpu_clock.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

_Noreturn static void *spin(void *name)
{
    pthread_setname_np(pthread_self(), name);
    for (;;) {
        __asm__ volatile("" ::: "memory");
    }
}

_Noreturn static void *rest(void *name)
{
    pthread_setname_np(pthread_self(), name);
    for (;;) {
        pause();
    }
}

/* A process with two vCPUs that share one processor, one that rests and a thread that is none. */
static pid_t start(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        static char names[][16] = {"CPU 0/TCG", "CPU 1/TCG", "CPU 2/KVM", "worker"};
        cpu_set_t set, one;
        pthread_t thread;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        sched_getaffinity(0, sizeof set, &set);
        CPU_ZERO(&one);
        for (unsigned i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++) {
            if (CPU_ISSET(i, &set)) {
                CPU_SET(i, &one);
            }
        }
        sched_setaffinity(0, sizeof one, &one);
        pthread_create(&thread, NULL, spin, names[0]);
        pthread_create(&thread, NULL, spin, names[1]);
        pthread_create(&thread, NULL, rest, names[2]);
        pthread_create(&thread, NULL, rest, names[3]);
        rest((char[]){"main"});
    }
    assert_true(pid > 0);
    return pid;
}

static void test_clocks(void **state)
{
    (void)state;
    pid_t pid = start();
    struct vt_vcpu_clocks then, now;
    do {
        vt_vcpu_clocks(pid, &then);
        sched_yield();
    } while (then.n < 3);
    assert_int_equal(then.n, 3);
    assert_int_equal(then.qemu, pid);
    /* Two that never rest have to wait for each other, and both get on. */
    do {
        sched_yield();
        vt_vcpu_clocks(pid, &now);
    } while (vt_vcpu_waited_since(&then) == 0 ||
             now.clocks[0].executed_ns == then.clocks[0].executed_ns ||
             now.clocks[1].executed_ns == then.clocks[1].executed_ns);
    assert_int_equal(now.n, 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(now.clocks[i].thread, then.clocks[i].thread);
        assert_true(now.clocks[i].waited_ns >= then.clocks[i].waited_ns);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_int_equal(vt_vcpu_waited_since(&then), 0);
    vt_vcpu_clocks(pid, &now);
    assert_int_equal(now.n, 0);
}

static void test_none(void **state)
{
    (void)state;
    struct vt_vcpu_clocks clocks;
    vt_vcpu_clocks(0, &clocks);
    assert_int_equal(clocks.n, 0);
    vt_vcpu_clocks(getpid(), &clocks);
    assert_int_equal(clocks.n, 0);
    assert_int_equal(vt_vcpu_waited_since(&clocks), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clocks),
        cmocka_unit_test(test_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
