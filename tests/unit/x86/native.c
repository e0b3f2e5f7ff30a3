/* What runs is between two of ours: it has all registers, rsp too, so that nothing else may happen
 * meanwhile; a fault comes on a stack of its own.
 */
#include "tests/unit/x86/native.h"

#include <cpuid.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

struct vt_native vt_native;
uint8_t vt_native_wide;
uint8_t *vt_native_scratch, *vt_native_page;

#if defined(__x86_64__)
#include <asm/prctl.h>

void vt_native_go(void);
void vt_native_back(void);
void vt_native_back_taken(void);

#define EACH_XMM(op)                                                                               \
    op(0, 160) op(1, 192) op(2, 224) op(3, 256) op(4, 288) op(5, 320) op(6, 352) op(7, 384)        \
        op(8, 416) op(9, 448) op(10, 480) op(11, 512) op(12, 544) op(13, 576) op(14, 608)          \
            op(15, 640)
#define LOAD_XMM(n, at) "movups vt_native+" #at "(%rip), %xmm" #n "\n"
#define SAVE_XMM(n, at) "movups %xmm" #n ", vt_native+" #at "(%rip)\n"
#define LOAD_YMM(n, at) "vmovups vt_native+" #at "(%rip), %ymm" #n "\n"
#define SAVE_YMM(n, at) "vmovups %ymm" #n ", vt_native+" #at "(%rip)\n"

__asm__(".text\n"
        ".globl vt_native_go\n"
        ".type vt_native_go, @function\n"
        "vt_native_go:\n"
        "push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
        "mov %rsp, vt_native+136(%rip)\n"
        "cmpb $0, vt_native_wide(%rip); jne 1f\n" EACH_XMM(LOAD_XMM) "jmp 2f; 1:\n" EACH_XMM(
            LOAD_YMM) "2: pushq vt_native+128(%rip); popfq\n"
                      "mov vt_native+0(%rip), %rax; mov vt_native+8(%rip), %rcx\n"
                      "mov vt_native+16(%rip), %rdx; mov vt_native+24(%rip), %rbx\n"
                      "mov vt_native+32(%rip), %rsp; mov vt_native+40(%rip), %rbp\n"
                      "mov vt_native+48(%rip), %rsi; mov vt_native+56(%rip), %rdi\n"
                      "mov vt_native+64(%rip), %r8; mov vt_native+72(%rip), %r9\n"
                      "mov vt_native+80(%rip), %r10; mov vt_native+88(%rip), %r11\n"
                      "mov vt_native+96(%rip), %r12; mov vt_native+104(%rip), %r13\n"
                      "mov vt_native+112(%rip), %r14; mov vt_native+120(%rip), %r15\n"
                      "jmp *vt_native+144(%rip)\n"
                      ".globl vt_native_back_taken\n"
                      ".type vt_native_back_taken, @function\n"
                      "vt_native_back_taken:\n"
                      "movq $1, vt_native+152(%rip)\n"
                      ".globl vt_native_back\n"
                      ".type vt_native_back, @function\n"
                      "vt_native_back:\n"
                      "mov %rax, vt_native+0(%rip); mov %rcx, vt_native+8(%rip)\n"
                      "mov %rdx, vt_native+16(%rip); mov %rbx, vt_native+24(%rip)\n"
                      "mov %rsp, vt_native+32(%rip); mov %rbp, vt_native+40(%rip)\n"
                      "mov %rsi, vt_native+48(%rip); mov %rdi, vt_native+56(%rip)\n"
                      "mov %r8, vt_native+64(%rip); mov %r9, vt_native+72(%rip)\n"
                      "mov %r10, vt_native+80(%rip); mov %r11, vt_native+88(%rip)\n"
                      "mov %r12, vt_native+96(%rip); mov %r13, vt_native+104(%rip)\n"
                      "mov %r14, vt_native+112(%rip); mov %r15, vt_native+120(%rip)\n"
                      "mov vt_native+136(%rip), %rsp\n"
                      "pushfq; popq vt_native+128(%rip); cld\n"
                      "cmpb $0, vt_native_wide(%rip); jne 1f\n" EACH_XMM(
                          SAVE_XMM) "jmp 2f; 1:\n" EACH_XMM(SAVE_YMM) "vzeroupper; 2: pop %r15; "
                                                                      "pop %r14; pop %r13; pop "
                                                                      "%r12; pop %rbp; pop %rbx\n"
                                                                      "ret\n");

static volatile sig_atomic_t faulted;

static void on_fault(int signal, siginfo_t *info, void *context)
{
    ucontext_t *at = context;
    (void)signal, (void)info;
    faulted = 1;
    at->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)vt_native_back;
}

bool vt_native_setup(void)
{
    static uint8_t stack[65536];
    int any = MAP_PRIVATE | MAP_ANONYMOUS, all = PROT_READ | PROT_WRITE;
    if (vt_native_page != NULL) {
        return true;
    }
    vt_native_wide = vt_native_has("avx2");
    vt_native_page = mmap(NULL, 4096, all | PROT_EXEC, any, -1, 0);
    vt_native_scratch = mmap(NULL, VT_NATIVE_SCRATCH_BYTES, all, any | MAP_32BIT, -1, 0);
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    if (vt_native_page == MAP_FAILED || vt_native_scratch == MAP_FAILED ||
        sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, NULL) != 0 ||
        sigaction(SIGFPE, &action, NULL) != 0 ||
        syscall(SYS_arch_prctl, ARCH_SET_GS, (unsigned long)VT_NATIVE_GS_BASE) != 0) {
        abort();
    }
    return true;
}

static uint8_t *place_jump(uint8_t *at, void (*to)(void))
{
    memcpy(at, "\xff\x25\0\0\0\0", 6);
    memcpy(at + 6, &to, sizeof to);
    return at + 6 + sizeof to;
}

void vt_native_place(const uint8_t *bytes, size_t n)
{
    memcpy(vt_native_page, bytes, n);
    place_jump(place_jump(vt_native_page + n, vt_native_back), vt_native_back_taken);
    vt_native.code = vt_native_page;
}

bool vt_native_run(void)
{
    sigset_t all, before;
    sigfillset(&all);
    sigdelset(&all, SIGFPE);
    faulted = 0;
    vt_native.taken = 0;
    sigprocmask(SIG_BLOCK, &all, &before);
    vt_native_go();
    sigprocmask(SIG_SETMASK, &before, NULL);
    return faulted == 0;
}

bool vt_native_has(const char *feature)
{
    static const struct {
        const char *name;
        unsigned leaf, reg, bit; /* reg: 0 eax … 3 edx */
    } features[] = {
        {"bmi", 7, 1, 3},     {"bmi2", 7, 1, 8},    {"adx", 7, 1, 19},
        {"popcnt", 1, 2, 23}, {"movbe", 1, 2, 22},  {"lzcnt", 0x80000001U, 2, 5},
        {"ssse3", 1, 2, 9},   {"sse4.1", 1, 2, 19}, {"sse4.2", 1, 2, 20},
        {"pclmul", 1, 2, 1},  {"avx2", 7, 1, 5},    {"vpclmul", 7, 2, 10},
    };
    for (size_t i = 0; i < sizeof features / sizeof features[0]; i++) {
        unsigned v[4];
        if (strcmp(features[i].name, feature) == 0) {
            bool wide = strcmp(feature, "avx2") == 0 || strcmp(feature, "vpclmul") == 0;
            return (!wide || __builtin_cpu_supports("avx2")) &&
                   __get_cpuid_count(features[i].leaf, 0, &v[0], &v[1], &v[2], &v[3]) != 0 &&
                   (v[features[i].reg] >> features[i].bit & 1) != 0;
        }
    }
    return feature[0] == '\0';
}

#else

bool vt_native_setup(void)
{
    return false;
}

void vt_native_place(const uint8_t *bytes, size_t n)
{
    (void)bytes, (void)n;
}

bool vt_native_run(void)
{
    return false;
}

bool vt_native_has(const char *feature)
{
    (void)feature;
    return false;
}

#endif

static uint64_t state = UINT64_C(0x9e3779b97f4a7c15);

uint64_t vt_any(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * UINT64_C(0x2545f4914f6cdd1d);
}

uint64_t vt_number(void)
{
    uint64_t n = vt_any();
    switch (vt_any() % 8) {
    case 0:
        return n % 5 - 2;
    case 1:
        return (uint64_t)1 << n % 64;
    case 2:
        return ((uint64_t)1 << n % 64) - 1;
    case 3:
        return n & 0xff;
    case 4:
        return (uint64_t)(int64_t)(int32_t)n;
    case 5:
        return n & UINT32_MAX;
    default:
        return n;
    }
}
