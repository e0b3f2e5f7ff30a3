/* hostile_memory.c - cases of memory: overlaps, pages that are shared, zero, protected, missing,
 * given back; code that is made and changed.
 */
#include "hostile.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Moves by 1 to 64 bytes both ways, across the ends of pages, against moves by a loop that no
 * kernel is made of: each byte by itself, volatile. */
static void reference(volatile uint8_t *d, const volatile uint8_t *s, size_t n, bool back)
{
    for (size_t i = 0; i < n; i++) {
        size_t at = back ? n - 1 - i : i;
        d[at] = s[at];
        __asm__ volatile("pause" ::: "memory");
    }
}

static void overlap(void)
{
    const size_t room = 6 * PAGE, n = 2 * PAGE + 77;
    uint8_t *a = pages(6), *b = pages(6);
    for (size_t distance = 1; distance <= 64; distance++) {
        for (unsigned way = 0; way < 4; way++) {
            size_t low = PAGE - 40 + next_random() % 80, high = low + distance;
            uint8_t *to = a + (way & 1 ? low : high), *from = a + (way & 1 ? high : low);
            bool back = way >= 2;
            random_bytes(a, room);
            memcpy(b, a, room);
            (back ? copy1_back : copy1)(to, from, n);
            reference(b + (to - a), b + (from - a), n, back);
            if (memcmp(a, b, room) != 0) {
                wrong("distance %zu, way %u", distance, way);
            }
            mix_bytes(a, room);
        }
    }
    /* Words that overlap themselves, and that lie on two pages. */
    for (size_t distance = 1; distance <= 64; distance++) {
        random_bytes(a, room);
        hot_xor8((uint64_t *)(a + 100 + distance), (uint64_t *)(a + 100), 2000, distance);
        hot_xor8((uint64_t *)(a + 100), (uint64_t *)(a + 100 + distance), 2000, ~distance);
        copy8((uint64_t *)(a + 8 + distance), (uint64_t *)(a + 8), 1500);
        xor_vectors(a + distance, a, 4 * PAGE, (uint8_t)distance);
        add4((uint32_t *)(a + distance), 4000, (uint32_t)distance);
        map1(a + distance, a + 3 * PAGE - 128, 2 * PAGE, a + 3 * PAGE); /* writes into its table */
        mix(sum8((uint64_t *)(a + distance), 2500));
        mix_bytes(a, room);
    }
}

static void copy_on_write(void)
{
    enum { N = 200 };
    uint8_t *a = pages(N), *b = pages(N);
    random_bytes(a, N * PAGE);
    memcpy(b, a, N * PAGE);
    for (uint32_t i = 0; i < 10; i++) {
        pid_t pid = fork();
        /* Each writes what the other still reads; the one that is second has its pages alone. */
        add4((uint32_t *)a, N * PAGE / 4, pid == 0 ? 77 : i);
        hot_xor8((uint64_t *)b, (uint64_t *)a, N * PAGE / 8, pid == 0 ? 1 : 2);
        for (size_t k = 0; k < N * PAGE / 8; k++) {
            if (((uint64_t *)b)[k] != (((uint64_t *)a)[k] ^ (pid == 0 ? 1 : 2))) {
                wrong("%s: word %zu", pid == 0 ? "child" : "parent", k);
                break;
            }
        }
        if (pid != 0) {
            mix_bytes(a, N * PAGE);
            mix_bytes(b, N * PAGE);
        }
        finish_child(pid, "copy on write");
    }
}

/* The page of zeros is read and never written; large ones, too. */
static void zero_pages(void)
{
    const size_t n = 4096;
    uint8_t *a = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    uint8_t *b = pages(64);
    if (a == MAP_FAILED) {
        unavailable("no room");
    }
    for (unsigned round = 0; round < 3; round++) {
        if (round == 1) {
            madvise(a, n * PAGE, MADV_HUGEPAGE);
        }
        mix(sum8((uint64_t *)a, n * PAGE / 8));
        random_bytes(b, 64 * PAGE);
        hot_xor8((uint64_t *)b, (uint64_t *)(a + 17 * PAGE), 64 * PAGE / 8, 0);
        mix(sum8((uint64_t *)b, 64 * PAGE / 8));
        fill1(a + 99 * PAGE - 5, 3 * PAGE, 1);
        add4((uint32_t *)(a + 1000 * PAGE - 2), 2 * PAGE, 3);
        mix(sum8((uint64_t *)a, n * PAGE / 8));
        uint8_t *fresh = pages(2);
        mix(scan1(fresh)); /* the page of zeros, as another sees it */
        munmap(fresh, 2 * PAGE);
        madvise(a, n * PAGE, MADV_DONTNEED);
    }
    mix(sum8((uint64_t *)a, n * PAGE / 8));
}

/* ---- faults ---- */

static sigjmp_buf out_of_it;
static unsigned faults;
static bool mends;

static void on_fault(int number, siginfo_t *info, void *context)
{
    struct xor8_registers r = registers_of(context);
    faults++;
    mix((uint64_t)number);
    mix((uint64_t)(uintptr_t)info->si_addr);
    mix(r.rip - (uint64_t)(uintptr_t)hot_xor8_head);
    mix(r.rsi);
    mix(r.rdi);
    mix(r.rcx);
    mix(r.rax);
    if (!in_xor8(r.rip)) {
        wrong("a fault at %lx", r.rip);
        _exit(1);
    }
    if (!mends) {
        siglongjmp(out_of_it, 1);
    }
    uint8_t *page = (uint8_t *)((uintptr_t)info->si_addr & ~(PAGE - 1)); // NOLINT: an address
    if (mprotect(page, PAGE, PROT_READ | PROT_WRITE) != 0 || faults > 5000) {
        _exit(4);
    }
}

static void take_faults(void)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
}

/* Pages become writable by and by, in the midst of a loop. */
static void mended(void)
{
    enum { N = 64 };
    uint64_t *d = (uint64_t *)pages_at(0x20000000, N), *s = (uint64_t *)pages_at(0x30000000, N);
    random_bytes(s, N * PAGE);
    take_faults();
    mends = true;
    for (size_t round = 0; round < 12; round++) {
        int rights = round % 3 == 0 ? PROT_NONE : PROT_READ;
        size_t shift = round % 2 == 0 ? 0 : 3; /* a word lies on two pages */
        uint64_t key = next_random();
        fill1((uint8_t *)d, N * PAGE, (uint8_t)round);
        for (size_t page = round; page < N; page += 1 + round % 5) {
            mprotect((uint8_t *)d + page * PAGE, PAGE, rights);
        }
        hot_xor8((uint64_t *)((uint8_t *)d + shift), (uint64_t *)((uint8_t *)s + shift),
                 N * PAGE / 8 - 1, key);
        for (size_t i = 0; i < N * PAGE / 8 - 1; i++) {
            uint64_t got, from;
            memcpy(&got, (uint8_t *)d + shift + i * 8, 8);
            memcpy(&from, (uint8_t *)s + shift + i * 8, 8);
            if (got != (from ^ key)) {
                wrong("round %zu, word %zu", round, i);
                break;
            }
        }
        mprotect(d, N * PAGE, PROT_READ | PROT_WRITE);
        mix_bytes(d, N * PAGE);
    }
    mix(faults);
}

/* The loop ends where memory does; registers and memory up to there are those of that instruction.
 */
static void tail(void)
{
    take_faults();
    mends = false;
    for (volatile size_t round = 0; round < 40; round++) {
        const size_t n = 32 + next_random() % 32, hole = next_random() % n;
        uint64_t *d = (uint64_t *)pages_at(0x20000000, n), *s = (uint64_t *)pages_at(0x30000000, n);
        volatile int file = -1;
        random_bytes(s, n * PAGE);
        memset(d, (int)round, n * PAGE);
        const bool of_source = round % 2 == 1;
        uint8_t *victim = (uint8_t *)(of_source ? s : d) + hole * PAGE;
        if (round % 8 < 2) { /* a file that ends there */
            file = memfd_create("short", 0);
            if (ftruncate(file, (off_t)PAGE) != 0 ||
                mmap(victim, (n - hole) * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                     file, 0) == MAP_FAILED) {
                unavailable("no files in memory");
            }
        } else if (round % 8 < 5) {
            munmap(victim, (n - hole) * PAGE);
        } else {
            mprotect(victim, PAGE, of_source ? PROT_NONE : PROT_READ);
        }
        if (sigsetjmp(out_of_it, 1) == 0) {
            hot_xor8(d, s, n * PAGE / 8, round);
            mix(1);
        }
        mix_bytes(d, (of_source ? n : hole) * PAGE);
        munmap(d, n * PAGE);
        munmap(s, n * PAGE);
        close(file);
    }
    mix(faults);
}

/* ---- code ---- */

/* A loop whose constant changes between its calls: in one mapping, through another, and by making
 * its page writable and executable in turns. Both of its keys have kernels. */
static void jit(void)
{
    enum { N = 16 };
    uint64_t *d = (uint64_t *)pages(N), *s = (uint64_t *)pages(N);
    int fd = memfd_create("code", 0);
    if (fd < 0 || ftruncate(fd, 2 * (off_t)PAGE) != 0) {
        unavailable("no files in memory");
    }
    uint8_t *alias = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    uint8_t *code = mmap(NULL, 2 * PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    uint8_t *both = pages(2);
    random_bytes(s, N * PAGE);
    for (uint32_t round = 0; round < 120; round++) {
        const uint32_t keys[] = {JIT_KEY_A, JIT_KEY_B, round, JIT_KEY_B, JIT_KEY_A};
        uint32_t key = keys[round % 5];
        /* Also over the end of a page. */
        size_t at = round / 30 % 2 == 0 ? 64 : PAGE - 12;
        uint8_t *run = code;
        if (round % 3 == 2) {
            mprotect(both, 2 * PAGE, PROT_READ | PROT_WRITE);
            jit_write(both + at, key);
            mprotect(both, 2 * PAGE, PROT_READ | PROT_EXEC);
            run = both;
        } else if (round % 30 < 3) {
            jit_write(alias + at, key);
        } else {
            jit_patch(alias + at, key);
        }
        /* A processor need not see through another address at once; it does after this. */
        unsigned leaf = 0;
        __asm__ volatile("cpuid" : "+a"(leaf) : : "ebx", "ecx", "edx", "memory");
        ((jit_loop)(uintptr_t)(run + at))(d, s, 0, N * PAGE / 8);
        for (size_t i = 0; i < N * PAGE / 8; i++) {
            if (d[i] != (s[i] ^ key)) {
                wrong("round %u, word %zu: key %lx, not %x", round, i, d[i] ^ s[i], key);
                break;
            }
        }
        mix_bytes(d, N * PAGE);
    }
    /* A loop whose output is a page with code of this process: it is executed right afterwards. */
    mprotect(both, 2 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
    for (uint32_t i = 0; i < 40; i++) {
        for (size_t k = 0; k < N * PAGE / 8; k++) {
            /* mov eax, imm32; ret; nop; nop */
            s[k] = (0xb8 | (uint64_t)i << 8 | (uint64_t)0x9090c3 << 40) ^ 0x55;
        }
        hot_xor8((uint64_t *)both, s, 2 * PAGE / 8, 0x55);
        uint32_t (*function)(void) =
            (uint32_t (*)(void))(uintptr_t)(both + next_random() % 1000 * 8);
        uint32_t got = function();
        if (got != i) {
            wrong("code of round %u says %u", i, got);
        }
    }
}

/* ---- processes ---- */

/* The same loop, the same addresses, other page tables. */
static void processes(void)
{
    enum { N = 64, P = 4 };
    uint8_t *a = pages_at(0x20000000, N), *b = pages_at(0x30000000, N);
    uint64_t *said = (uint64_t *)shared_pages(1), want[P] = {0};
    pid_t pids[P];
    random_bytes(a, N * PAGE);
    for (uint64_t p = 0; p < P; p++) {
        for (size_t i = 0; i < N * PAGE / 8; i++) {
            want[p] += ((uint64_t *)a)[i] ^ p * 0x1234567;
        }
        pids[p] = fork();
        if (pids[p] == 0) {
            for (unsigned i = 0; i < 60; i++) {
                hot_xor8((uint64_t *)b, (uint64_t *)a, N * PAGE / 8, p * 0x1234567);
                uint64_t got = sum8((uint64_t *)b, N * PAGE / 8);
                said[p] = i == 0 || said[p] == got ? got : 1;
                if (i % 4 == 0) {
                    usleep(1000); /* another one's turn */
                }
            }
            _exit(0);
        }
    }
    for (unsigned p = 0; p < P; p++) {
        int status;
        if (waitpid(pids[p], &status, 0) != pids[p] || status != 0 || said[p] != want[p]) {
            wrong("process %u: %lx, not %lx, status %x", p, said[p], want[p], (unsigned)status);
        }
        mix(said[p]);
    }
}

/* The same program, elsewhere each time. */
static void anywhere(void)
{
    for (unsigned i = 0; i < 6; i++) {
        int pipes[2];
        char line[2000];
        ssize_t n = 0, more;
        if (pipe(pipes) != 0) {
            unavailable("no pipes");
        }
        pid_t pid = fork();
        if (pid == 0) {
            dup2(pipes[1], STDOUT_FILENO);
            close(pipes[0]);
            close(pipes[1]);
            execl("/proc/self/exe", "accel-hostile", "jit", "processes", NULL);
            _exit(5);
        }
        close(pipes[1]);
        while ((more = read(pipes[0], line + n, sizeof line - 1 - (size_t)n)) > 0) {
            n += more;
        }
        close(pipes[0]);
        finish_child(pid, "elsewhere");
        line[n] = 0;
        mix_bytes(line, (size_t)n);
        if (strstr(line, "WRONG") != NULL) {
            wrong("elsewhere: %s", line);
        }
    }
}

/* A process takes what there is until the kernel ends it; another one's memory stays what it is. */
static void out_of_memory(void)
{
    enum { N = 512 };
    uint64_t *d = (uint64_t *)pages(N), *s = (uint64_t *)pages(N);
    int status;
    random_bytes(s, N * PAGE);
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open("/proc/self/oom_score_adj", O_WRONLY);
        if (write(fd, "1000", 4) != 4) {
            _exit(6);
        }
        for (;;) {
            fill1(pages(256), 256 * PAGE, 0x5a);
        }
    }
    for (uint64_t key = 1; waitpid(pid, &status, WNOHANG) == 0; key++) {
        hot_xor8(d, s, N * PAGE / 8, key);
        for (size_t i = 0; i < N * PAGE / 8; i++) {
            if (d[i] != (s[i] ^ key)) {
                wrong("word %zu under pressure", i);
                break;
            }
        }
    }
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
        wrong("who took all memory ended with %x", (unsigned)status);
    }
    hot_xor8(d, s, N * PAGE / 8, 3);
    mix_bytes(d, N * PAGE);
}

/* ---- seccomp ---- */

/* Ends by exit: exit_group is not among what a strict process may call. */
static _Noreturn void confined(uint64_t *said, uint64_t *d, const uint64_t *s, size_t n, bool traps)
{
    uint64_t total = 0;
    for (uint64_t key = 1; key <= 60; key++) {
        hot_xor8(d, s, n, key);
        total += sum8(d, n);
        total += traps ? (uint64_t)syscall(SYS_getpid) : 0;
    }
    *said = total;
    syscall(SYS_exit, 0);
    __builtin_trap();
}

static uint64_t *trapped_d;
static const uint64_t *trapped_s;
static size_t trapped_n;

/* What the filter does not let through: a loop's result in place of the kernel's. */
static void on_trap(int number, siginfo_t *info, void *context)
{
    ucontext_t *c = context;
    (void)number;
    copy8(trapped_d, trapped_s, trapped_n);
    c->uc_mcontext.gregs[REG_RAX] = (greg_t)(sum8(trapped_d, trapped_n) >> 8);
    if (info->si_syscall != SYS_getpid) {
        wrong("call %d is not allowed", info->si_syscall);
    }
}

static bool confine(bool filter)
{
    enum { KNOWN = 4 };
    static const uint32_t allowed[KNOWN] = {SYS_exit, SYS_write, SYS_rt_sigreturn, SYS_getpid};
    struct sock_filter code[2 + 2 * KNOWN] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
    for (uint32_t i = 0; i < KNOWN; i++) {
        code[1 + 2 * i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed[i], 0, 1);
        code[2 + 2 * i] = (struct sock_filter)BPF_STMT(
            BPF_RET | BPF_K, allowed[i] == SYS_getpid ? SECCOMP_RET_TRAP : SECCOMP_RET_ALLOW);
    }
    code[1 + 2 * KNOWN] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    const struct sock_fprog program = {.len = 2 + 2 * KNOWN, .filter = code};
    return filter ? prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
                        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0
                  : prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == 0;
}

/* Whoever calls the kernel for anything else is killed: loops that kernels run call nothing. */
static void seccomp(void)
{
    enum { N = 96, WORDS = N * 4096 / 8 };
    uint64_t *d = (uint64_t *)pages(N), *s = (uint64_t *)pages(N);
    uint64_t *said = (uint64_t *)shared_pages(1), want = 0, from_trap = 0;
    random_bytes(s, N * PAGE);
    for (size_t i = 0; i < WORDS; i++) {
        from_trap += s[i];
        for (uint64_t key = 1; key <= 60; key++) {
            want += s[i] ^ key;
        }
    }
    trapped_d = (uint64_t *)pages(N);
    trapped_s = s;
    trapped_n = WORDS;
    for (unsigned filter = 0; filter < 2; filter++) {
        int status = -1;
        *said = 0;
        pid_t pid = fork();
        if (pid == 0) {
            struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
            sigaction(SIGSYS, &action, NULL);
            if (!confine(filter != 0)) {
                _exit(7);
            }
            confined(said, d, s, WORDS, filter != 0);
        }
        waitpid(pid, &status, 0);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 7) {
            unavailable("no seccomp");
        }
        uint64_t right = want + (filter != 0 ? 60 * (from_trap >> 8) : 0);
        if (status != 0 || *said != right) {
            wrong("%s: %lx, not %lx, status %x", filter != 0 ? "a filter" : "strict", *said, right,
                  (unsigned)status);
        }
        mix(*said);
    }
}

const struct hostile_case memory_cases[] = {
    {"overlap", overlap, false},
    {"copy_on_write", copy_on_write, false},
    {"zero_pages", zero_pages, false},
    {"mended", mended, false},
    {"tail", tail, false},
    {"jit", jit, false},
    {"processes", processes, false},
    {"anywhere", anywhere, false},
    {"seccomp", seccomp, false},
    {"out_of_memory", out_of_memory, true},
    {0},
};
