/* hostile.c - runs in a guest and on a host: loops under circumstances that nobody who made kernels
 * of them would choose. One line a case: "NAME CHECKSUM", the same whoever runs the loops; and
 * "WRONG" with what was seen where something is not as any processor has it.
 *
 *   accel-hostile all|CASE...     cases, one after the other, each in a process of its own
 *   accel-hostile guest           all, and those that a host would not like
 *   accel-hostile train           the loops, again and again, for ever
 */
#include "hostile.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define UNAVAILABLE 77

static uint64_t sum = 0x9e3779b97f4a7c15, seed = 88172645463325252u;
static bool complained;
static const char *running;

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

uint64_t case_sum(void)
{
    return sum;
}

void wrong(const char *fmt, ...)
{
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    /* Also of handlers and of children: one write. */
    char line[320];
    n = n < 0 ? 0 : snprintf(line, sizeof line, "WRONG %s: %s\n", running, text);
    if (write(STDOUT_FILENO, line, (size_t)n) != n) {
        _exit(3);
    }
    complained = true;
}

bool is_wrong(void)
{
    return complained;
}

void unavailable(const char *why)
{
    fprintf(stderr, "%s: unavailable: %s\n", running, why);
    _exit(UNAVAILABLE);
}

uint64_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

void random_bytes(void *p, size_t n)
{
    uint8_t *b = p;
    for (size_t i = 0; i < n; i++) {
        b[i] = (uint8_t)next_random();
    }
}

static uint8_t *map(uintptr_t address, size_t n, int flags)
{
    void *p =
        mmap((void *)address, n * PAGE, PROT_READ | PROT_WRITE, // NOLINT: an address is wanted
             flags | MAP_ANONYMOUS | (address != 0 ? MAP_FIXED_NOREPLACE : 0), -1, 0);
    if (p == MAP_FAILED) {
        perror("mmap");
        _exit(3);
    }
    return p;
}

uint8_t *pages(size_t n)
{
    return map(0, n, MAP_PRIVATE);
}

uint8_t *pages_at(uintptr_t address, size_t n)
{
    return map(address, n, MAP_PRIVATE);
}

uint8_t *shared_pages(size_t n)
{
    return map(0, n, MAP_SHARED);
}

void finish_child(pid_t pid, const char *what)
{
    int status = -1;
    if (pid == 0) {
        _exit(complained ? 1 : 0);
    }
    if (waitpid(pid, &status, 0) != pid || status != 0) {
        wrong("%s: a child's status is %x", what, (unsigned)status);
    }
}

/* ---- an interrupted hot_xor8 ---- */

struct xor8_registers registers_of(const ucontext_t *c)
{
    const greg_t *g = c->uc_mcontext.gregs;
    return (struct xor8_registers){.rip = (uint64_t)g[REG_RIP],
                                   .rax = (uint64_t)g[REG_RAX],
                                   .rcx = (uint64_t)g[REG_RCX],
                                   .rdi = (uint64_t)g[REG_RDI],
                                   .rsi = (uint64_t)g[REG_RSI],
                                   .r8 = (uint64_t)g[REG_R8]};
}

bool in_xor8(uint64_t rip)
{
    return rip >= (uint64_t)(uintptr_t)hot_xor8_head && rip < (uint64_t)(uintptr_t)hot_xor8_end;
}

uint64_t check_xor8(const struct xor8 *x, const struct xor8_registers *r, const char *when)
{
    uint64_t o = r->rip - (uint64_t)(uintptr_t)hot_xor8_head, next = x->n - r->rcx;
    bool stored = o == 9 || o == 13 || o == 17;
    bool loaded = o == 3, keyed = o == 6 || stored;
    if (next > x->n || (o != 20 && next == x->n)) {
        wrong("%s: rcx %lx of %lx", when, r->rcx, x->n);
        return 0;
    }
    if (r->rsi != (uint64_t)(uintptr_t)(x->s + next + (o == 13 || o == 17 ? 1 : 0)) ||
        r->rdi != (uint64_t)(uintptr_t)(x->d + next + (o == 17 ? 1 : 0)) || r->r8 != x->key) {
        wrong("%s: at +%lu element %lu: rsi %lx rdi %lx r8 %lx", when, o, next, r->rsi, r->rdi,
              r->r8);
        return 0;
    }
    uint64_t last = next > 0 ? x->s[next - 1] ^ x->key : 0;
    uint64_t rax = loaded ? x->s[next] : keyed ? x->s[next] ^ x->key : last;
    if (r->rax != rax) {
        wrong("%s: at +%lu element %lu: rax %lx, not %lx", when, o, next, r->rax, rax);
    }
    uint64_t first = x->near != 0 && next > x->near ? next - x->near : 0;
    uint64_t end = x->near != 0 && x->n - next > x->near ? next + x->near : x->n;
    for (uint64_t i = first; i < end; i++) {
        bool new = i < next || (i == next && stored);
        if (x->d[i] != (new ? x->s[i] ^ x->key : x->old)) {
            wrong("%s: at +%lu element %lu: d[%lu] is %lx, %s", when, o, next, i, x->d[i],
                  new ? "not written" : "written");
            return next;
        }
    }
    return next;
}

void on_alarms(void (*handler)(int, siginfo_t *, void *))
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
}

void alarm_within(uint64_t ns)
{
    uint64_t us = ns == 0 ? 0 : 1 + next_random() % (ns / 1000 + 1);
    struct itimerval once = {.it_value = {(time_t)(us / 1000000), (suseconds_t)(us % 1000000)}};
    setitimer(ITIMER_REAL, &once, NULL);
}

uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- loops for ever ---- */

static void turn(unsigned which, uint8_t *a, uint8_t *b, size_t bytes, const jit_loop *jit)
{
    static uint8_t map_of[256];
    switch (which) {
    case 0:
        hot_xor8((uint64_t *)b, (uint64_t *)a, bytes / 8, 5);
        break;
    case 1:
        fill1(b, bytes, 7);
        break;
    case 2:
        copy1(b, a, bytes);
        break;
    case 3:
        copy8((uint64_t *)b, (uint64_t *)a, bytes / 8);
        break;
    case 4:
        copy1_back(b, a, bytes);
        break;
    case 5:
        add4((uint32_t *)b, bytes / 4, 3);
        break;
    case 6:
        sum += sum8((uint64_t *)a, bytes / 8);
        break;
    case 7:
        map1(b, a, bytes, map_of);
        break;
    case 8:
        fill1(b, bytes - 1, 1);
        b[bytes - 1] = 0;
        for (int i = 0; i < 20; i++) {
            sum += scan1(b);
        }
        break;
    case 9:
        xor_vectors(b, a, bytes, 9);
        break;
    default:
        jit[which & 1]((uint64_t *)b, (uint64_t *)a, 0, bytes / 8);
        break;
    }
}

static _Noreturn void train(void)
{
    const size_t bytes = (size_t)1 << 18;
    uint8_t *a = pages(bytes / PAGE + 3), *b = pages(bytes / PAGE + 20);
    uint8_t *code = pages(2);
    jit_loop jit[2];
    random_bytes(a, bytes);
    for (unsigned i = 0; i < 2; i++) {
        jit_write(code + i * PAGE, i == 0 ? JIT_KEY_A : JIT_KEY_B);
        jit[i] = (jit_loop)(uintptr_t)(code + i * PAGE);
    }
    mprotect(code, 2 * PAGE, PROT_READ | PROT_EXEC);
    for (;;) {
        for (unsigned which = 0; which < 12; which++) {
            for (uint64_t end = now_ns() + 15000000; now_ns() < end;) {
                turn(which, a, b, bytes, jit);
            }
        }
    }
}

/* ---- cases ---- */

static void run_case(const struct hostile_case *c)
{
    int status;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        running = c->name;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        c->run();
        printf("%s %016lx\n", c->name, sum);
        exit(0);
    }
    waitpid(pid, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == UNAVAILABLE) {
        printf("%s unavailable\n", c->name);
    } else if (status != 0) {
        printf("WRONG %s: ended with status %x\n", c->name, (unsigned)status);
    }
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static const struct hostile_case *const all[] = {memory_cases, signal_cases, debug_cases,
                                                     thread_cases};
    if (argc == 2 && strcmp(argv[1], "train") == 0) {
        train();
    }
    bool guest = argc == 2 && strcmp(argv[1], "guest") == 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        for (const struct hostile_case *c = all[i]; c->name != NULL; c++) {
            bool wanted = guest || (argc == 2 && strcmp(argv[1], "all") == 0 && !c->only_guest);
            for (int k = 1; k < argc; k++) {
                wanted = wanted || strcmp(argv[k], c->name) == 0;
            }
            if (wanted) {
                run_case(c);
            }
        }
    }
    return 0;
}
