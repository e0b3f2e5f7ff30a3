/* hostile_signals.c - cases of signals: a loop that is interrupted anywhere has the registers and
 * the memory of one moment between two instructions, for its handler, a child, a core file.
 */
#include "hostile.h"

#include <elf.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/procfs.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { N = 1024, WORDS = N * 4096 / 8 };
static struct xor8 now;
static volatile unsigned alarms; /* that came in the midst of the loop */
static volatile uint64_t progress;
static uint64_t takes = 1000000; /* a loop, about, in nanoseconds */
static sigjmp_buf out_of_it;

static void prepare(void)
{
    now = (struct xor8){.d = (uint64_t *)pages_at(0x20000000, N),
                        .s = (uint64_t *)pages_at(0x30000000, N),
                        .n = WORDS};
    random_bytes((void *)(uintptr_t)now.s, N * PAGE);
}

static void run_xor8(uint64_t round)
{
    now.key = next_random();
    now.old = round;
    for (size_t i = 0; i < WORDS; i++) {
        now.d[i] = round;
    }
    uint64_t began = now_ns(), before = alarms;
    alarm_within(takes + takes / 4);
    hot_xor8(now.d, now.s, now.n, now.key);
    alarm_within(0);
    takes = alarms == before ? now_ns() - began : takes; /* a handler's time is not the loop's */
    for (size_t i = 0; i < WORDS; i++) {
        if (now.d[i] != (now.s[i] ^ now.key)) {
            wrong("round %lu, word %zu", round, i);
            break;
        }
    }
}

/* ---- handlers ---- */

static void look(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)info;
    struct xor8_registers r = registers_of(context);
    if (in_xor8(r.rip)) {
        uint64_t next = check_xor8(&now, &r, "a handler");
        alarms += next > 0; /* in the midst of it */
        progress = next;
    }
}

static void interrupted(void)
{
    prepare();
    on_alarms(look);
    for (uint64_t round = 0; alarms < 20 && round < 1000; round++) {
        run_xor8(round);
    }
    fprintf(stderr, "interrupted: %u in the midst of the loop, the last at %lu\n", alarms,
            progress);
    if (alarms < 20) {
        wrong("only %u signals came in the loop", alarms);
    }
    mix_bytes(now.s, N * PAGE);
}

/* The loop goes on in two processes. */
static void fork_there(int number, siginfo_t *info, void *context)
{
    struct xor8_registers r = registers_of(context);
    look(number, info, context);
    if (in_xor8(r.rip) && alarms < 12) {
        pid_t pid = fork();
        if (pid == 0) {
            alarms = 1000;
        } else {
            finish_child(pid, "a fork within the loop");
        }
    }
}

static void forks(void)
{
    prepare();
    on_alarms(fork_there);
    for (uint64_t round = 0; alarms < 12 && round < 1000; round++) {
        run_xor8(round);
        if (alarms >= 1000) {
            finish_child(0, "");
        }
    }
    if (alarms < 12) {
        wrong("only %u signals came in the loop", alarms);
    }
    mix_bytes(now.s, N * PAGE);
}

/* The handler does not come back. */
static void leave(int number, siginfo_t *info, void *context)
{
    unsigned before = alarms;
    look(number, info, context);
    if (alarms != before) {
        siglongjmp(out_of_it, 1);
    }
}

static void left(void)
{
    prepare();
    on_alarms(leave);
    for (volatile uint64_t round = 0; alarms < 20 && round < 1000; round++) {
        if (sigsetjmp(out_of_it, 1) == 0) {
            run_xor8(round);
        }
    }
    if (alarms < 20) {
        wrong("only %u signals came in the loop", alarms);
    }
    mix_bytes(now.s, N * PAGE);
}

/* ---- a constant of the loop changes while it runs ---- */

static uint8_t *code;
static uint64_t changed_at;

static void change(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)info;
    struct xor8_registers r = registers_of(context);
    uint64_t o = r.rip - (uint64_t)(uintptr_t)code;
    if (changed_at == UINT64_MAX && o < 25 && r.rcx < now.n) {
        changed_at = now.n - r.rcx + (o >= JIT_XORED && o < 23 ? 1 : 0);
        jit_patch(code, JIT_KEY_B);
        alarms++;
    }
}

static void changed_code(void)
{
    prepare();
    code = pages(2) + 100;
    mprotect((uint8_t *)((uintptr_t)code & ~(PAGE - 1)), PAGE,
             PROT_READ | PROT_WRITE | PROT_EXEC); // NOLINT
    on_alarms(change);
    for (uint64_t round = 0; alarms < 20 && round < 1000; round++) {
        changed_at = UINT64_MAX - 1; /* not yet */
        jit_write(code, JIT_KEY_A);
        changed_at = UINT64_MAX;
        uint64_t began = now_ns();
        alarm_within(takes + takes / 4);
        ((jit_loop)(uintptr_t)code)(now.d, now.s, 0, now.n);
        alarm_within(0);
        uint64_t at = changed_at;
        takes = at == UINT64_MAX ? now_ns() - began : takes;
        changed_at = 0;
        for (uint64_t i = 0; i < now.n; i++) {
            if (now.d[i] != (now.s[i] ^ (i < at ? JIT_KEY_A : JIT_KEY_B))) {
                wrong("changed at %lu, word %lu is %lx of %lx", at, i, now.d[i], now.s[i]);
                break;
            }
        }
    }
    if (alarms < 20) {
        wrong("only %u changes were made", alarms);
    }
    mix_bytes(now.s, N * PAGE);
}

/* ---- a core file ---- */

#define CORE_MAX ((size_t)64 << 20)
static uint8_t *core; /* no part of cores itself */

/* Copies what the core holds of memory, page by page: areas were split. */
static bool copy_of_core(uint64_t address, uint8_t *to, size_t n_pages)
{
    Elf64_Ehdr head;
    size_t copied = 0;
    memcpy(&head, core, sizeof head);
    for (unsigned i = 0; i < head.e_phnum; i++) {
        Elf64_Phdr p;
        memcpy(&p, core + head.e_phoff + i * sizeof p, sizeof p);
        for (size_t page = 0; p.p_type == PT_LOAD && page < n_pages; page++) {
            uint64_t into = address + page * PAGE - p.p_vaddr;
            if (into < p.p_filesz && into + PAGE <= p.p_filesz) {
                memcpy(to + page * PAGE, core + p.p_offset + into, PAGE);
                copied++;
            }
        }
    }
    return copied == n_pages;
}

static bool registers_of_core(struct xor8_registers *r)
{
    Elf64_Ehdr head;
    memcpy(&head, core, sizeof head);
    for (unsigned i = 0; i < head.e_phnum; i++) {
        Elf64_Phdr p;
        Elf64_Nhdr note;
        memcpy(&p, core + head.e_phoff + i * sizeof p, sizeof p);
        memcpy(&note, core + p.p_offset, sizeof note);
        if (p.p_type == PT_NOTE && note.n_type == NT_PRSTATUS) {
            struct elf_prstatus status;
            struct user_regs_struct g;
            memcpy(&status, core + p.p_offset + sizeof note + ((note.n_namesz + 3) & ~3u),
                   sizeof status);
            memcpy(&g, status.pr_reg, sizeof g);
            *r = (struct xor8_registers){g.rip, g.rax, g.rcx, g.rdi, g.rsi, g.r8};
            return true;
        }
    }
    return false;
}

/* Where the dead process's d and s are in the core, what its registers said. */
static uint64_t check_core(bool at_fault)
{
    struct xor8_registers r;
    FILE *f = fopen("core", "re");
    size_t n = f != NULL ? fread(core, 1, CORE_MAX, f) : 0;
    if (f != NULL) {
        (void)fclose(f);
    }
    if (n < 4096 || n == CORE_MAX || !registers_of_core(&r)) {
        wrong("a core file of %zu bytes", n);
        return 0;
    }
    if (!in_xor8(r.rip)) {
        return 0; /* before the loop, or after it */
    }
    struct xor8 there = now;
    uint64_t *d = (uint64_t *)pages(N), *s = (uint64_t *)pages(N);
    if (!copy_of_core((uint64_t)(uintptr_t)now.d, (uint8_t *)d, N) ||
        !copy_of_core((uint64_t)(uintptr_t)now.s, (uint8_t *)s, N)) {
        wrong("the core file has no memory");
        return 0;
    }
    /* As if all of it had happened to the copies. */
    there.d = d;
    there.s = s;
    r.rdi += (uint64_t)(uintptr_t)d - (uint64_t)(uintptr_t)now.d;
    r.rsi += (uint64_t)(uintptr_t)s - (uint64_t)(uintptr_t)now.s;
    uint64_t next = check_xor8(&there, &r, at_fault ? "a core of a fault" : "a core of a signal");
    munmap(d, N * PAGE);
    munmap(s, N * PAGE);
    if (at_fault) {
        mix(next);
        mix(r.rip - (uint64_t)(uintptr_t)hot_xor8_head);
    }
    return next;
}

static void cores(void)
{
    const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
    unsigned midst = 0;
    char *ready = (char *)shared_pages(1);
    FILE *pattern = fopen("/proc/sys/kernel/core_pattern", "we");
    if (pattern == NULL || fputs("core", pattern) < 0 || fclose(pattern) != 0 ||
        setrlimit(RLIMIT_CORE, &all) != 0 || chdir("/tmp") != 0) {
        unavailable("no core files");
    }
    prepare();
    core = pages(CORE_MAX / PAGE);
    madvise(core, CORE_MAX, MADV_DONTDUMP);
    now.key = 0x1234567;
    now.old = 7;
    for (unsigned i = 0; !is_wrong() && (i < 8 || (midst < 2 && i < 40)); i++) {
        /* Further rounds are for a signal that hits the loop. */
        bool at_fault = i < 8 && i % 2 == 0;
        int status;
        *ready = 0;
        pid_t pid = fork();
        if (pid == 0) {
            for (size_t k = 0; k < WORDS; k++) {
                now.d[k] = now.old;
            }
            if (at_fault) { /* a page that it may not write, and whose old contents the core has */
                mprotect((uint8_t *)now.d + (3 + i * 20) * PAGE, PAGE, PROT_READ);
            }
            *(volatile char *)ready = 1;
            for (;;) { /* the same values again and again would not tell where it stood */
                hot_xor8(now.d, now.s, now.n, now.key);
                if (!at_fault) {
                    for (size_t k = 0; k < WORDS; k++) {
                        now.d[k] = now.old;
                    }
                }
            }
        }
        while (!at_fault && *(volatile char *)ready == 0) {
            usleep(1000);
        }
        if (!at_fault) {
            usleep(3000 + i * 700);
            kill(pid, SIGQUIT);
        }
        if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status) ||
            WTERMSIG(status) != (at_fault ? SIGSEGV : SIGQUIT) || !WCOREDUMP(status)) {
            wrong("it ended with %x", (unsigned)status);
        }
        uint64_t next = check_core(at_fault);
        midst += !at_fault && next > 0;
        unlink("core");
    }
    fprintf(stderr, "cores: %u in the midst of the loop\n", midst);
    mix_bytes(now.s, N * PAGE);
}

const struct hostile_case signal_cases[] = {
    {"interrupted", interrupted, false},   {"forks", forks, false}, {"left", left, false},
    {"changed_code", changed_code, false}, {"cores", cores, true},  {0},
};
