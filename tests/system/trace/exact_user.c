/* tests/system/trace/exact_user.c - runs in a guest: what programs do that is hard to trace.
 * Signals at any place, pages that come late, faults and undefined instructions that it handles,
 * code that it changes, other processes, system calls. Prints "checksum X", the same in every run.
 *
 *   exact_user ROUNDS
 */
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE ((size_t)4096)

static uint64_t sum = 0x9e3779b97f4a7c15;
static volatile sig_atomic_t alarms;
static sigjmp_buf back;
static uint8_t *hidden; /* a page that a handler shows */

static void mix(uint64_t v)
{
    sum = (sum ^ v) * 0x100000001b3 + (sum >> 47);
}

static void on_alarm(int signal)
{
    (void)signal;
    alarms++;
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
    (void)context;
    if (signal == SIGSEGV && info->si_addr == hidden) {
        mprotect(hidden, PAGE, PROT_READ | PROT_WRITE);
        return;
    }
    siglongjmp(back, signal);
}

static void faults(void)
{
    mprotect(hidden, PAGE, PROT_NONE);
    *(volatile uint8_t *)hidden += 1; /* begins again */
    mix(*hidden);
    int signal = sigsetjmp(back, 1);
    if (signal == 0) {
        __asm__ volatile("ud2");
    }
    mix((uint64_t)signal);
    signal = sigsetjmp(back, 1);
    if (signal == 0) {
        __asm__ volatile("xor %%edx, %%edx; mov $1, %%eax; xor %%ecx, %%ecx; div %%ecx" ::
                             : "rax", "rcx", "rdx", "cc");
    }
    mix((uint64_t)signal);
}

/* mov $round, %eax; ret: written, run, written again. */
static void changes(uint8_t *code, uint32_t round)
{
    for (uint32_t i = 0; i < 8; i++) {
        uint32_t value = round + i;
        code[0] = 0xb8;
        memcpy(code + 1, &value, 4);
        code[5] = 0xc3;
        uint32_t (*f)(void);
        memcpy(&f, &(void *){code}, sizeof f);
        mix(f());
    }
    __asm__ volatile("" ::: "memory");
}

static void late_pages(void)
{
    uint8_t *p = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        exit(1);
    }
    memset(p + 100, 0x5a, 63 * PAGE); /* a string instruction, or vectors */
    uint64_t n = 62 * PAGE;
    void *to = p + 3, *from = p + 200;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n)::"memory");
    mix(p[1000] + (uint64_t)p[63 * PAGE] * 3);
    munmap(p, 64 * PAGE);
}

static double floats(void)
{
    double x = 1;
    for (unsigned i = 1; i < 2000; i++) {
        x += 1.0 / i;
    }
    return x;
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void sorted(uint32_t seed)
{
    uint32_t numbers[200];
    for (unsigned i = 0; i < 200; i++) {
        seed = seed * 1664525 + 1013904223;
        numbers[i] = seed;
    }
    qsort(numbers, 200, sizeof numbers[0], compare);
    mix(numbers[0] + numbers[199]);
}

static void child(uint32_t round)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        _exit((int)(round & 63));
    }
    while (waitpid(pid, &status, 0) != pid) {
    }
    mix((uint64_t)WEXITSTATUS(status));
}

int main(int argc, char **argv)
{
    uint32_t rounds = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1;
    struct sigaction fault = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    struct sigaction alarm = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    sigaction(SIGSEGV, &fault, NULL);
    sigaction(SIGILL, &fault, NULL);
    sigaction(SIGFPE, &fault, NULL);
    sigaction(SIGALRM, &alarm, NULL);
    hidden = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint8_t *code =
        mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (hidden == MAP_FAILED || code == MAP_FAILED) {
        return 1;
    }
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 5000}, {0, 5000}}, NULL);
    for (uint32_t i = 0; i < rounds; i++) {
        struct timespec now;
        faults();
        changes(code + 100, i);
        late_pages();
        mix((uint64_t)(floats() * 1e6));
        sorted(i);
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (i % 4 == 0) {
            child(i);
        }
    }
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 0}}, NULL);
    printf("checksum %016llx\n", (unsigned long long)sum);
    return alarms < 0;
}
