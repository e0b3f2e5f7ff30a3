/* tests/system/hybrid/guest_events.c - see guest.h. What looks on while a loop runs sees all of its
 * iterations, and what changes the meaning of its bytes or pages is minded.
 */
#include "guest.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- a fork in the midst of a loop, whose pages both share from then on ---- */

static volatile sig_atomic_t forked, child;

static void on_alarm(int signal)
{
    (void)signal;
    if (!forked) {
        forked = 1;
        child = fork();
    }
}

void forks_midway(void)
{
    const size_t n = 512;
    uint8_t *a = pages(n), *b = pages(n);
    const struct itimerval soon = {{0, 0}, {0, 1000}};
    random_bytes(a, n * PAGE);
    signal(SIGALRM, on_alarm);
    for (int i = 0; i < 6; i++) {
        forked = 0;
        setitimer(ITIMER_REAL, &soon, NULL);
        do { /* comes to the same whenever it happens */
            xor64(b, a, n * PAGE / 8, (uint64_t)i);
            fill64(b + 3 * PAGE + 4, (uint64_t)i, 1000);
        } while (!forked);
        int pid = child;
        if (pid == 0) {
            mix_bytes(b, n * PAGE);
        }
        fill64(a, (uint64_t)(pid == 0 ? 1 : 2), 100);
        finish(pid);
    }
    mix_bytes(a, n * PAGE);
    mix_bytes(b, n * PAGE);
    munmap(a, n * PAGE);
    munmap(b, n * PAGE);
}

/* ---- the trap flag: a signal after each instruction ---- */

static volatile uint64_t steps;

static void on_step(int signal)
{
    (void)signal;
    steps++;
}

void single_steps(void)
{
    uint8_t *a = pages(1);
    signal(SIGTRAP, on_step);
    for (uint64_t n = 1; n < 300; n += 99) {
        steps = 0;
        mix(fill_stepped(a, n, n));
        mix(steps);
    }
    signal(SIGTRAP, SIG_DFL);
    mix_bytes(a, PAGE);
    munmap(a, PAGE);
}

/* ---- a debugger's registers ---- */

static uint64_t stops_of(uint8_t *a, uint64_t address, uint64_t control)
{
    int status, pid = fork();
    uint64_t stops = 0;
    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        fill64(a, 5, 300);
        _exit(0);
    }
    waitpid(pid, &status, 0);
    mix((uint64_t)ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[0]), address));
    mix((uint64_t)ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[7]), control));
    while (ptrace(PTRACE_CONT, pid, NULL, NULL) == 0 && waitpid(pid, &status, 0) == pid &&
           WIFSTOPPED(status)) {
        stops++;
    }
    return stops;
}

void breakpoints(void)
{
    uint8_t *a = pages(2);
    fill64(a, 1, 2 * PAGE / 8);
    /* Of 300; where an interrupt comes between, QEMU misses one. */
    mix(stops_of(a, (uint64_t)(uintptr_t)fill64_head, 1) > 290);
    mix(stops_of(a, (uint64_t)(uintptr_t)(a + 800), 1 | 1 << 16 | 2 << 18)); /* writes of 8 */
    mix(stops_of(a, (uint64_t)(uintptr_t)(a + 808), 1 | 1 << 16 | 2 << 18));
    fill64(a, 2, 2 * PAGE / 8);
    mix_bytes(a, 2 * PAGE);
    munmap(a, 2 * PAGE);
}

/* ---- the same bytes as code of 32 bits, which do something else ---- */

void other_bits(void)
{
    uint8_t *a = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if (a == MAP_FAILED) {
        _exit(3);
    }
    for (uint64_t i = 0; i < 20; i++) {
        mix(fill64(a, next(), 4 * PAGE / 8));
        mix(fill_compat(a + 8 * i, next(), 1000));
        mix_bytes(a, 4 * PAGE);
    }
    munmap(a, 4 * PAGE);
}

/* ---- pages that a protection key forbids to write, if the processor has keys ---- */

void keys(void)
{
    uint8_t *a = mmap((void *)0x40000000, 8 * PAGE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    int key = pkey_alloc(0, PKEY_DISABLE_WRITE);
    fill64(a, 1, 8 * PAGE / 8);
    mix(key < 0);
    catch_faults();
    for (int i = 0; i < 2 && key >= 0; i++) {
        pkey_mprotect(a + 4 * PAGE, PAGE, PROT_READ | PROT_WRITE, key);
        if (sigsetjmp(back, 1) == 0) {
            mix(fill64(a, 3, 8 * PAGE / 8));
        } else {
            mix_bytes(fault, sizeof fault);
        }
        pkey_set(key, 0); /* allowed from now on */
    }
    signal(SIGSEGV, SIG_DFL);
    mix_bytes(a, 8 * PAGE);
    munmap(a, 8 * PAGE);
}
