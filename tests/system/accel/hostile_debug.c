/* hostile_debug.c - cases of debuggers, and of other modes of the processor: every instruction of a
 * loop is one step, every write of it is seen, whoever runs it in between.
 */
#include "hostile.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { N = 512, WORDS = N * 4096 / 8 };
static struct xor8 now;

static struct xor8_registers registers_of_child(pid_t pid)
{
    struct user_regs_struct g = {0};
    if (ptrace(PTRACE_GETREGS, pid, NULL, &g) != 0) {
        unavailable("no registers of another process");
    }
    return (struct xor8_registers){g.rip, g.rax, g.rcx, g.rdi, g.rsi, g.r8};
}

/* A child that is traced and runs the loop `rounds` times; it stops before each. Its memory is
 * ours, too. */
static pid_t debuggee(unsigned rounds, uint64_t words)
{
    int status;
    now = (struct xor8){.d = (uint64_t *)shared_pages(N),
                        .s = (uint64_t *)shared_pages(N),
                        .n = words,
                        .key = 0x1234567,
                        .old = 9};
    random_bytes((void *)(uintptr_t)now.s, N * PAGE);
    pid_t pid = fork();
    if (pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) {
            _exit(7);
        }
        for (unsigned i = 0; i < rounds; i++) {
            for (size_t k = 0; k < WORDS; k++) {
                now.d[k] = now.old;
            }
            raise(SIGSTOP);
            hot_xor8(now.d, now.s, now.n, now.key);
        }
        _exit(0);
    }
    if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status)) {
        unavailable("no ptrace");
    }
    return pid;
}

/* How it stopped: a signal's number, 0 if it is no more. */
static int go(pid_t pid, enum __ptrace_request how)
{
    int status;
    if (ptrace(how, pid, NULL, NULL) != 0 || waitpid(pid, &status, 0) != pid) {
        wrong("ptrace: %s", strerror(errno));
        _exit(1);
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) != 0) {
        wrong("the debuggee's status is %x", (unsigned)status);
    }
    return WIFSTOPPED(status) ? WSTOPSIG(status) : 0;
}

static void check_all(const char *when)
{
    for (size_t i = 0; i < now.n; i++) {
        if (now.d[i] != (now.s[i] ^ now.key)) {
            wrong("%s: word %zu", when, i);
            break;
        }
    }
    mix_bytes(now.d, N * PAGE);
}

/* From its first to its last instruction. */
static void steps(void)
{
    pid_t pid = debuggee(1, 300);
    uint64_t within = 0;
    int how;
    while ((how = go(pid, PTRACE_SINGLESTEP)) == SIGTRAP) {
        struct xor8_registers r = registers_of_child(pid);
        if (in_xor8(r.rip)) {
            uint64_t next = check_xor8(&now, &r, "a step");
            uint64_t o = r.rip - (uint64_t)(uintptr_t)hot_xor8_head;
            static const uint8_t places[] = {0, 3, 6, 9, 13, 17, 20};
            const uint8_t *place = memchr(places, (int)o, sizeof places);
            if (place == NULL ||
                within != next * 7 - (o == 20 ? 7 : 0) + (uint64_t)(place - places)) {
                wrong("step %lu is at +%lu of element %lu", within, o, next);
                break;
            }
            within++;
        } else if (r.rip == (uint64_t)(uintptr_t)hot_xor8_end) {
            check_all("after steps");
        }
    }
    if (how != 0 || within != 7 * 300) {
        wrong("%lu steps, then signal %d", within, how);
    }
    mix(within);
}

/* It runs, is stopped anywhere, does some steps, runs on. */
static void stopped(void)
{
    prctl(PR_SET_TIMERSLACK, 1);
    pid_t pid = debuggee(400, WORDS);
    unsigned stops = 0, rounds = 0;
    bool asked = false;
    while (stops < 12 && rounds < 400) {
        ptrace(PTRACE_CONT, pid, NULL, NULL);
        if (!asked) {
            usleep((useconds_t)(1 + next_random() % 600));
            kill(pid, SIGUSR1);
            asked = true;
        }
        int status;
        if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status)) {
            break;
        }
        int how = WSTOPSIG(status);
        asked = asked && how != SIGUSR1;
        rounds += how == SIGSTOP;
        struct xor8_registers r = registers_of_child(pid);
        if (how == SIGUSR1 && in_xor8(r.rip)) {
            now.near = 0;
            uint64_t from = check_xor8(&now, &r, "a stop"), to = 0;
            now.near = 64;
            for (unsigned i = 0; i < 70 && go(pid, PTRACE_SINGLESTEP) == SIGTRAP; i++) {
                r = registers_of_child(pid);
                to = in_xor8(r.rip) ? check_xor8(&now, &r, "a step after a stop") : from + 10;
            }
            if (r.rcx > 0 && to != from + 10) {
                wrong("70 steps went from %lu to %lu", from, to);
            }
            stops += from > 0;
        }
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    fprintf(stderr, "stopped: %u in the midst of the loop, %u rounds\n", stops, rounds);
    mix_bytes(now.s, N * PAGE);
}

static bool poke(pid_t pid, unsigned reg, uint64_t value)
{
    return ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg) + reg * sizeof(uint64_t),
                  value) == 0;
}

/* Each write to a word, and each turn at the head, is a stop. */
static void watched(void)
{
    static const size_t words[] = {0, 1, 511, 512, 5000, 40000, WORDS - 1};
    pid_t pid = debuggee(sizeof words / sizeof *words + 2, WORDS);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const uint64_t k = words[i], write8 = 0x1 | UINT64_C(0x9) << 16; /* L0, 8 bytes, written */
        if (!poke(pid, 0, (uint64_t)(uintptr_t)&now.d[k]) || !poke(pid, 7, write8)) {
            kill(pid, SIGKILL);
            waitpid(pid, NULL, 0);
            unavailable("no debug registers");
        }
        int how = go(pid, PTRACE_CONT);
        struct xor8_registers r = registers_of_child(pid);
        if (how != SIGTRAP || !in_xor8(r.rip)) {
            wrong("word %lu: signal %d at %lx", k, how, r.rip);
            break;
        }
        if (check_xor8(&now, &r, "a watched word") != k ||
            r.rip != (uint64_t)(uintptr_t)hot_xor8_head + 9) {
            wrong("word %lu: a stop at +%lx with %lu left", k,
                  r.rip - (uint64_t)(uintptr_t)hot_xor8_head, r.rcx);
        }
        mix(r.rcx);
        /* Off again: the rest of the round runs as it likes. The next round fills d, unwatched. */
        poke(pid, 7, 0);
        if (go(pid, PTRACE_CONT) != SIGSTOP) {
            wrong("word %lu: no next round", k);
            break;
        }
    }
    poke(pid, 0, (uint64_t)(uintptr_t)hot_xor8_head);
    poke(pid, 7, 0x1); /* executed */
    uint64_t turn = UINT64_MAX;
    for (unsigned i = 0; i < 100; i++) {
        int how = go(pid, PTRACE_CONT);
        struct xor8_registers r = registers_of_child(pid);
        uint64_t ahead = now.n - r.rcx - turn;
        turn = now.n - r.rcx;
        /* QEMU passes a breakpoint by at which an interrupt came. */
        if (how != SIGTRAP || r.rip != (uint64_t)(uintptr_t)hot_xor8_head || ahead == 0 ||
            ahead > 2) {
            wrong("turn %lu: signal %d at %lx, %lu turns later", turn, how, r.rip, ahead);
            break;
        }
    }
    poke(pid, 7, 0);
    if (go(pid, PTRACE_CONT) != SIGSTOP) {
        wrong("no last round");
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    mix_bytes(now.s, N * PAGE);
}

/* The same bytes are another loop in 32-bit mode, where 0x48 is `dec eax`. */
static void compatible(void)
{
    enum { LOW = 40 };
    const uint32_t user32 = 0x23, user64 = 0x33, data = 0x2b;
    uint8_t *low = mmap(NULL, LOW * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if (low == MAP_FAILED) {
        unavailable("no low memory");
    }
    const uint32_t there = (uint32_t)(uintptr_t)low, back = there + 64;
    uint8_t *d = low + 2 * PAGE;
    jit_write(low, JIT_KEY_A);
    /* Instead of its ret: jmp user64:back, where there is one. */
    low[25] = 0xea;
    memcpy(low + 26, &back, 4);
    memcpy(low + 30, &user64, 2);
    memcpy(low + 64, (uint8_t[]){0x48, 0x8b, 0x63, 0x10, 0xc3}, 5); /* mov rsp, [rbx + 16]; ret */
    memcpy(low + PAGE, &there, 4);
    memcpy(low + PAGE + 4, &user32, 2);
    for (unsigned round = 0; round < 30;
         round++) { /* the stack pointer's upper half is lost on the way */
        uint64_t to = (uint64_t)(uintptr_t)d, from = to + 18 * PAGE - 1, left = 16 * PAGE / 8;
        random_bytes(d, (LOW - 2) * PAGE);
        __asm__ volatile("mov %[data], %%ds\n\tmov %[data], %%es\n\t"
                         "sub $128, %%rsp\n\tcall 1f\n\tjmp 2f\n1:\tmov %%rsp, 16(%[far])\n\t"
                         "ljmp *(%[far])\n2:\tadd $128, %%rsp"
                         : "+S"(from), "+D"(to), "+c"(left)
                         : [far] "b"(low + PAGE), [data] "d"(data)
                         : "rax", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory",
                           "cc");
        mix(from - (uint64_t)(uintptr_t)low);
        mix(to - (uint64_t)(uintptr_t)low);
        mix(left);
        mix_bytes(d, (LOW - 2) * PAGE);
    }
}

const struct hostile_case debug_cases[] = {
    {"steps", steps, false},
    {"stopped", stopped, false},
    {"watched", watched, false},
    {"compatible", compatible, false},
    {0},
};
