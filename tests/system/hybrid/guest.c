/* tests/system/hybrid/guest.c - runs in a guest: loops (loops.S) over memory that kernels must
 * mind. Prints a line for each case: a checksum of memory, registers and flags as the loop left
 * them. The same whoever runs the loops.
 *
 *   hybrid-guest all
 *   hybrid-guest bench NAME BYTES ROUNDS      prints nanoseconds for each round's bytes
 */
#include "guest.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

static uint64_t sum, seed;

void mix(uint64_t v)
{
    sum = (sum ^ v) * 0x100000001b3 + (sum >> 47);
}

void mix_bytes(const void *p, size_t n)
{
    const uint8_t *b = p;
    for (size_t i = 0; i < n; i++) {
        mix(b[i]);
    }
}

uint64_t next(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

uint8_t *pages(size_t n)
{
    uint8_t *p = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        _exit(3);
    }
    return p;
}

void random_bytes(uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        p[i] = (uint8_t)next();
    }
}

/* ---- cases ---- */

static void sizes(void)
{
    uint8_t *a = pages(16), *b = pages(16);
    random_bytes(a, 16 * PAGE);
    for (int i = 0; i < 400; i++) {
        uint64_t n = next() % 1000 + 1, from = next() % 20000, to = next() % 20000;
        switch (next() % 5) {
        case 0:
            mix(xor64(b + to, a + from, n, next()));
            break;
        case 1:
            mix(fill64(b + to, next(), n));
            break;
        case 2: {
            uint64_t key[2] = {next(), next()};
            mix(xorv(b + to, a + from, n * 8, key));
            break;
        }
        case 3:
            mix(back8(b + to, a + from, n * 8));
            break;
        default:
            mix(sum64(b + to, a + from, n));
            break;
        }
        mix(last_word);
    }
    mix_bytes(b, 16 * PAGE);
    munmap(a, 16 * PAGE);
    munmap(b, 16 * PAGE);
}

static void texts(void)
{
    uint8_t *a = pages(16);
    for (int i = 0; i < 200; i++) {
        uint64_t from = next() % 30000, n = next() % 30000;
        memset(a + from, 'x', n);
        a[from + n] = 0;
        mix(length((char *)a + from));
    }
    munmap(a, 16 * PAGE);
}

/* Forward and backward, by less than an element and by more than a page. */
static void overlapping(void)
{
    uint8_t *a = pages(16);
    random_bytes(a, 16 * PAGE);
    for (int i = 0; i < 100; i++) {
        uint64_t n = next() % 2000 + 1, from = 20000 + next() % 64, to = 20000 + next() % 64;
        to += i % 3 == 0 ? next() % 8000 : 0;
        if (i % 2 == 0) {
            mix(xor64(a + to, a + from, n, next()));
        } else {
            mix(back8(a + to, a + from, n * 8));
        }
    }
    mix(sum64(a + 808, a, 1000)); /* what it adds up is changed by it */
    mix_bytes(a, 16 * PAGE);
    munmap(a, 16 * PAGE);
}

/* One page at two addresses. */
static void aliases(void)
{
    int fd = memfd_create("a", 0);
    if (fd < 0 || ftruncate(fd, 8 * (off_t)PAGE) != 0) {
        _exit(3);
    }
    uint8_t *a = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    uint8_t *b = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    random_bytes(a, 8 * PAGE);
    for (int i = 0; i < 50; i++) {
        uint64_t from = next() % 64, to = next() % 64;
        mix(xor64(b + to, a + from, 4000, next()));
        mix(back8(a + to, b + from, 32000));
        mix(sum64(a + 808, b, 1000));
    }
    mix_bytes(a, 8 * PAGE);
    munmap(a, 8 * PAGE);
    munmap(b, 8 * PAGE);
    close(fd);
}

void finish(int pid)
{
    int status;
    if (pid == 0) {
        _exit((int)(sum & 127));
    }
    waitpid(pid, &status, 0);
    mix((uint64_t)(unsigned)status);
}

static void copies_on_write(void)
{
    uint8_t *a = pages(32), *b = pages(32);
    random_bytes(a, 32 * PAGE);
    memcpy(b, a, 32 * PAGE);
    for (int i = 0; i < 6; i++) {
        int pid = fork();
        mix(xor64(b, a, 32 * PAGE / 8, pid == 0 ? 1 : 2)); /* whose pages are shared now */
        mix(fill64(a + 5 * PAGE + 4, pid == 0 ? 3 : 4, 2000));
        mix_bytes(a, 32 * PAGE);
        mix_bytes(b, 32 * PAGE);
        finish(pid);
    }
    munmap(a, 32 * PAGE);
    munmap(b, 32 * PAGE);
}

static void fresh_pages(void)
{
    for (int i = 0; i < 4; i++) {
        uint8_t *a = pages(40), *b = pages(40);
        mix(xor64(b, a, 40 * PAGE / 8, 0x5a5a)); /* reads the page of zeros */
        mix_bytes(b, 40 * PAGE);
        mix(fill64(a + 3, 7, 39 * PAGE / 8)); /* writes to it */
        mix_bytes(a, 40 * PAGE);
        munmap(a, 40 * PAGE);
        munmap(b, 40 * PAGE);
    }
}

sigjmp_buf back;
uint64_t fault[18];

static void on_fault(int signal, siginfo_t *info, void *context)
{
    const ucontext_t *c = context;
    for (int i = 0; i < 17; i++) { /* R8 to RIP; the stack is where it is */
        fault[i] = i == REG_RSP || i == REG_RBP || i == REG_RBX || (i >= REG_R9 && i <= REG_R15)
                       ? 0
                       : (uint64_t)c->uc_mcontext.gregs[i];
    }
    fault[17] = (uint64_t)(uintptr_t)info->si_addr + ((uint64_t)signal << 48);
    siglongjmp(back, 1);
}

void catch_faults(void)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
}

/* Pages that are not there, or may not be written, in the midst. */
static void holes(void)
{
    catch_faults();
    uint8_t *a = mmap((void *)0x20000000, 8 * PAGE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    uint8_t *b = mmap((void *)0x30000000, 8 * PAGE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    for (int i = 0; i < 12; i++) {
        random_bytes(a, 8 * PAGE);
        memset(b, i, 8 * PAGE);
        uint8_t *const volatile victim = (i & 1 ? a : b) + (size_t)(i % 7) * PAGE;
        if (i % 3 == 0) {
            mprotect(victim, PAGE, PROT_NONE);
        } else {
            mprotect(victim, PAGE, PROT_READ);
        }
        const volatile size_t shift = i % 4 < 2 ? 0 : 3;
        if (sigsetjmp(back, 1) == 0) {
            mix(i % 5 == 0 ? back8(b, a, 8 * PAGE)
                           : xor64(b + shift, a + shift, 8 * PAGE / 8 - 1, (uint64_t)i));
        } else {
            mix_bytes(fault, sizeof fault);
        }
        mprotect(victim, PAGE, PROT_READ | PROT_WRITE);
        mix_bytes(a, 8 * PAGE);
        mix_bytes(b, 8 * PAGE);
    }
    munmap(b + 5 * PAGE, 3 * PAGE); /* a tail that is not there */
    if (sigsetjmp(back, 1) == 0) {
        fill64(b, 9, 8 * PAGE / 8);
    } else {
        mix_bytes(fault, sizeof fault);
    }
    mix_bytes(b, 5 * PAGE);
    munmap(a, 8 * PAGE);
    munmap(b, 5 * PAGE);
    signal(SIGSEGV, SIG_DFL);
}

/* Code in the page that is written, and the loop writes code. */
static void changing_code(void)
{
    uint8_t *code = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint32_t (*function)(void) = (uint32_t (*)(void))(void *)(code + PAGE);
    memset(code, 0x90, 4 * PAGE);
    for (uint32_t i = 0; i < 30; i++) {
        /* mov eax, imm32; ret; nop; nop */
        uint64_t word =
            0xb8 | (uint64_t)(i * 0x01010101u) << 8 | (uint64_t)0xc3 << 40 | (uint64_t)0x9090 << 48;
        mix(fill64(code, word, 3 * PAGE / 8));
        mix(function());
        mix(fill64(code + 2 * PAGE, next(), 100));
        mix(function());
    }
    mix_bytes(code, 4 * PAGE);
    munmap(code, 4 * PAGE);
}

static uint8_t *beside;
static volatile sig_atomic_t alarms;

static void on_alarm(int signal)
{
    (void)signal;
    alarms++;
    xor64(beside, beside + PAGE, 300, 0x77); /* the same loop, in between */
}

static void interrupted(void)
{
    beside = pages(2);
    uint8_t *a = pages(256), *b = pages(256);
    random_bytes(a, PAGE);
    signal(SIGALRM, on_alarm);
    struct itimerval often = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &often, NULL);
    for (int i = 0; i < 40 || (alarms < 10 && i < 4000); i++) {
        xor64(b, a, 256 * PAGE / 8, 1);
        xor64(a, b, 256 * PAGE / 8, 1);
    }
    setitimer(ITIMER_REAL, &never, NULL);
    mix(xor64(b, a, 256 * PAGE / 8, 3));
    mix_bytes(a, 256 * PAGE);
    mix_bytes(b, 256 * PAGE);
    munmap(a, 256 * PAGE);
    munmap(b, 256 * PAGE);
    munmap(beside, 2 * PAGE);
}

/* The same loop in processes with page tables of their own, at the same addresses. */
static void processes(void)
{
    uint8_t *a = pages(64), *b = pages(64);
    random_bytes(a, 64 * PAGE);
    int pids[3];
    for (int p = 0; p < 3; p++) {
        pids[p] = fork();
        if (pids[p] == 0) {
            for (uint64_t i = 0; i < 20; i++) {
                mix(xor64(b, a, 64 * PAGE / 8, i * (uint64_t)(p + 1)));
                mix(xor64(a, b, 64 * PAGE / 8 - 1, i + (uint64_t)p));
                usleep(1000);
            }
            mix_bytes(a, 64 * PAGE);
            _exit((int)(sum & 127));
        }
    }
    for (int p = 0; p < 3; p++) {
        int status;
        waitpid(pids[p], &status, 0);
        mix((uint64_t)(unsigned)status);
    }
    mix_bytes(a, 64 * PAGE);
    munmap(a, 64 * PAGE);
    munmap(b, 64 * PAGE);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int bench(const char *name, size_t bytes, unsigned rounds)
{
    uint8_t *a = pages(bytes / PAGE + 4), *b = pages(bytes / PAGE + 18);
    uint64_t key[2] = {1, 2}, n = bytes / 8;
    memset(a, 1, bytes);
    memset(b, 2, bytes);
    for (int warm = 0; warm < 2; warm++) {
        uint64_t began = now_ns();
        for (unsigned i = 0; i < (warm == 0 ? rounds / 10 + 1 : rounds); i++) {
            if (strcmp(name, "xor64") == 0) {
                xor64(b, a, n, i);
            } else if (strcmp(name, "fill64") == 0) {
                fill64(b, i, n);
            } else if (strcmp(name, "xorv") == 0) {
                xorv(b, a, bytes, key);
            } else if (strcmp(name, "back8") == 0) {
                back8(b, a, bytes);
            } else {
                sum64(b, a, n);
            }
        }
        if (warm == 1) {
            printf("%.1f\n", (double)(now_ns() - began) / rounds);
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } cases[] = {{"sizes", sizes},
                 {"texts", texts},
                 {"overlapping", overlapping},
                 {"aliases", aliases},
                 {"copies_on_write", copies_on_write},
                 {"fresh_pages", fresh_pages},
                 {"holes", holes},
                 {"changing_code", changing_code},
                 {"interrupted", interrupted},
                 {"processes", processes},
                 {"forks_midway", forks_midway},
                 {"single_steps", single_steps},
                 {"breakpoints", breakpoints},
                 {"other_bits", other_bits},
                 {"keys", keys}};
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 5 && strcmp(argv[1], "bench") == 0) {
        return bench(argv[2], strtoul(argv[3], NULL, 0), (unsigned)strtoul(argv[4], NULL, 0));
    }
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (argc == 2 && (strcmp(argv[1], "all") == 0 || strcmp(argv[1], cases[i].name) == 0)) {
            sum = 0x9e3779b97f4a7c15;
            seed = 88172645463325252u + i;
            cases[i].run();
            printf("%s %016llx\n", cases[i].name, (unsigned long long)sum);
        }
    }
    return 0;
}
