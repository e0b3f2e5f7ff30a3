/* What the interpreter of registers says of each form of instruction, against the processor that
 * runs this test: random states, wholly and partly known, with memory. Instructions that this
 * processor does not have are left out.
 */
#include "tests/unit/harness.h"

#include "trace/registers.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#define VARIANTS 8U /* registers and immediates of a form */
#define STATES 400U /* of a variant */

#if defined(__x86_64__)

/* ---- the processor: native.r and native.flags before, run the code, the same after */

struct native {
    uint64_t r[16];
    uint64_t flags;
    uint64_t host_rsp;
    const void *code;
};
struct native vt_test_native;
void vt_test_run_native(void);
void vt_test_native_back(void);

__asm__(".text\n"
        ".globl vt_test_run_native\n"
        ".type vt_test_run_native, @function\n"
        "vt_test_run_native:\n"
        "push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
        "mov %rsp, vt_test_native+136(%rip)\n"
        "pushq vt_test_native+128(%rip); popfq\n"
        "mov vt_test_native+0(%rip), %rax; mov vt_test_native+8(%rip), %rcx\n"
        "mov vt_test_native+16(%rip), %rdx; mov vt_test_native+24(%rip), %rbx\n"
        "mov vt_test_native+32(%rip), %rsp; mov vt_test_native+40(%rip), %rbp\n"
        "mov vt_test_native+48(%rip), %rsi; mov vt_test_native+56(%rip), %rdi\n"
        "mov vt_test_native+64(%rip), %r8; mov vt_test_native+72(%rip), %r9\n"
        "mov vt_test_native+80(%rip), %r10; mov vt_test_native+88(%rip), %r11\n"
        "mov vt_test_native+96(%rip), %r12; mov vt_test_native+104(%rip), %r13\n"
        "mov vt_test_native+112(%rip), %r14; mov vt_test_native+120(%rip), %r15\n"
        "jmp *vt_test_native+144(%rip)\n"
        ".globl vt_test_native_back\n"
        ".type vt_test_native_back, @function\n"
        "vt_test_native_back:\n"
        "mov %rax, vt_test_native+0(%rip); mov %rcx, vt_test_native+8(%rip)\n"
        "mov %rdx, vt_test_native+16(%rip); mov %rbx, vt_test_native+24(%rip)\n"
        "mov %rsp, vt_test_native+32(%rip); mov %rbp, vt_test_native+40(%rip)\n"
        "mov %rsi, vt_test_native+48(%rip); mov %rdi, vt_test_native+56(%rip)\n"
        "mov %r8, vt_test_native+64(%rip); mov %r9, vt_test_native+72(%rip)\n"
        "mov %r10, vt_test_native+80(%rip); mov %r11, vt_test_native+88(%rip)\n"
        "mov %r12, vt_test_native+96(%rip); mov %r13, vt_test_native+104(%rip)\n"
        "mov %r14, vt_test_native+112(%rip); mov %r15, vt_test_native+120(%rip)\n"
        "mov vt_test_native+136(%rip), %rsp\n"
        "pushfq; popq vt_test_native+128(%rip); cld\n"
        "pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
        "ret\n");

static uint8_t *page, *scratch;
#define SCRATCH_BYTES 65536U

static void set_up_native(void)
{
    page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    scratch = mmap(NULL, SCRATCH_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(page != MAP_FAILED && scratch != MAP_FAILED);
}

/* The instruction, and a jump back. */
static void place(const uint8_t *bytes, size_t n)
{
    void (*back)(void) = vt_test_native_back;
    memcpy(page, bytes, n);
    memcpy(page + n, "\xff\x25\0\0\0\0", 6);
    memcpy(page + n + 6, &back, sizeof back);
    vt_test_native.code = page;
}

/* Nothing comes in between: the stack is not one. */
static void run_native(void)
{
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    vt_test_run_native();
    sigprocmask(SIG_SETMASK, &before, NULL);
}

/* ---- numbers */

static uint64_t random_state = UINT64_C(0x9e3779b97f4a7c15);

static uint64_t any(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state * UINT64_C(0x2545f4914f6cdd1d);
}

/* Those at which carries and signs change come often. */
static uint64_t number(void)
{
    uint64_t n = any();
    switch (any() % 8) {
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

/* ---- forms */

/* Operands: r register, m memory, i a byte, I as many as there can be; b w d registers of 8, 16, 32
 * bits, B W D such memory; c is cl, 1 is 1. Sizes in bytes. */
struct form {
    ZydisMnemonic mnemonic;
    const char *operands, *sizes;
    const char *feature;
};
#define M(name) ZYDIS_MNEMONIC_##name
static const struct form forms[] = {
    {M(ADD), "rr rm mr ri rI mi mI", "1248", ""},
    {M(ADC), "rr rm mr ri rI mi mI", "1248", ""},
    {M(SUB), "rr rm mr ri rI mi mI", "1248", ""},
    {M(SBB), "rr rm mr ri rI mi mI", "1248", ""},
    {M(CMP), "rr rm mr ri rI mi mI", "1248", ""},
    {M(AND), "rr rm mr ri rI mi mI", "1248", ""},
    {M(OR), "rr rm mr ri rI mi mI", "1248", ""},
    {M(XOR), "rr rm mr ri rI mi mI", "1248", ""},
    {M(TEST), "rr mr rI mI", "1248", ""},
    {M(INC), "r m", "1248", ""},
    {M(DEC), "r m", "1248", ""},
    {M(NEG), "r m", "1248", ""},
    {M(NOT), "r m", "1248", ""},
    {M(MUL), "r m", "1248", ""},
    {M(IMUL), "r m", "1248", ""},
    {M(IMUL), "rr rm rri rmi rrI rmI", "248", ""},
    {M(DIV), "r m", "1248", ""},
    {M(IDIV), "r m", "1248", ""},
    {M(SHL), "r1 m1 rc mc ri mi", "1248", ""},
    {M(SHR), "r1 m1 rc mc ri mi", "1248", ""},
    {M(SAR), "r1 m1 rc mc ri mi", "1248", ""},
    {M(ROL), "r1 m1 rc mc ri mi", "1248", ""},
    {M(ROR), "r1 m1 rc mc ri mi", "1248", ""},
    {M(RCL), "r1 m1 rc mc ri mi", "1248", ""},
    {M(RCR), "r1 m1 rc mc ri mi", "1248", ""},
    {M(SHLD), "rrc mrc rri mri", "248", ""},
    {M(SHRD), "rrc mrc rri mri", "248", ""},
    {M(SHLX), "rrr rmr", "48", "bmi2"},
    {M(SHRX), "rrr rmr", "48", "bmi2"},
    {M(SARX), "rrr rmr", "48", "bmi2"},
    {M(RORX), "rri rmi", "48", "bmi2"},
    {M(BT), "rr mr ri mi", "248", ""},
    {M(BTS), "rr mr ri mi", "248", ""},
    {M(BTR), "rr mr ri mi", "248", ""},
    {M(BTC), "rr mr ri mi", "248", ""},
    {M(BSF), "rr rm", "248", ""},
    {M(BSR), "rr rm", "248", ""},
    {M(TZCNT), "rr rm", "248", "bmi"},
    {M(LZCNT), "rr rm", "248", "lzcnt"},
    {M(POPCNT), "rr rm", "248", "popcnt"},
    {M(ANDN), "rrr rrm", "48", "bmi"},
    {M(BLSI), "rr rm", "48", "bmi"},
    {M(BLSR), "rr rm", "48", "bmi"},
    {M(BLSMSK), "rr rm", "48", "bmi"},
    {M(BEXTR), "rrr rmr", "48", "bmi"},
    {M(BZHI), "rrr rmr", "48", "bmi2"},
    {M(PDEP), "rrr rrm", "48", "bmi2"},
    {M(PEXT), "rrr rrm", "48", "bmi2"},
    {M(MULX), "rrr rrm", "48", "bmi2"},
    {M(ADCX), "rr rm", "48", "adx"},
    {M(ADOX), "rr rm", "48", "adx"},
    {M(CRC32), "rb rB", "48", "sse4.2"},
    {M(CRC32), "rw rd rW rD", "4", "sse4.2"},
    {M(CRC32), "rr rm", "8", "sse4.2"},
    {M(XADD), "rr mr", "1248", ""},
    {M(CMPXCHG), "rr mr", "1248", ""},
    {M(XCHG), "rr mr", "1248", ""},
    {M(BSWAP), "r", "48", ""},
    {M(MOVBE), "rm mr", "248", "movbe"},
    {M(MOV), "rr rm mr rI mI", "1248", ""},
    {M(MOVZX), "rb rB", "248", ""},
    {M(MOVZX), "rw rW", "48", ""},
    {M(MOVSX), "rb rB", "248", ""},
    {M(MOVSX), "rw rW", "48", ""},
    {M(MOVSXD), "rd rD", "8", ""},
    {M(LEA), "rm", "248", ""},
    {M(CBW), "", "2", ""},
    {M(CWDE), "", "4", ""},
    {M(CDQE), "", "8", ""},
    {M(CWD), "", "2", ""},
    {M(CDQ), "", "4", ""},
    {M(CQO), "", "8", ""},
    {M(LAHF), "", "8", ""},
    {M(SAHF), "", "8", ""},
    {M(CLC), "", "8", ""},
    {M(STC), "", "8", ""},
    {M(CMC), "", "8", ""},
    {M(CLD), "", "8", ""},
    {M(STD), "", "8", ""},
    {M(NOP), "", "8", ""},
    {M(CMOVO), "rr rm", "248", ""},
    {M(CMOVNO), "rr rm", "248", ""},
    {M(CMOVB), "rr rm", "248", ""},
    {M(CMOVNB), "rr rm", "248", ""},
    {M(CMOVZ), "rr rm", "248", ""},
    {M(CMOVNZ), "rr rm", "248", ""},
    {M(CMOVBE), "rr rm", "248", ""},
    {M(CMOVNBE), "rr rm", "248", ""},
    {M(CMOVS), "rr rm", "248", ""},
    {M(CMOVNS), "rr rm", "248", ""},
    {M(CMOVP), "rr rm", "248", ""},
    {M(CMOVNP), "rr rm", "248", ""},
    {M(CMOVL), "rr rm", "248", ""},
    {M(CMOVNL), "rr rm", "248", ""},
    {M(CMOVLE), "rr rm", "248", ""},
    {M(CMOVNLE), "rr rm", "248", ""},
    {M(SETO), "r m", "1", ""},
    {M(SETNO), "r m", "1", ""},
    {M(SETB), "r m", "1", ""},
    {M(SETNB), "r m", "1", ""},
    {M(SETZ), "r m", "1", ""},
    {M(SETNZ), "r m", "1", ""},
    {M(SETBE), "r m", "1", ""},
    {M(SETNBE), "r m", "1", ""},
    {M(SETS), "r m", "1", ""},
    {M(SETNS), "r m", "1", ""},
    {M(SETP), "r m", "1", ""},
    {M(SETNP), "r m", "1", ""},
    {M(SETL), "r m", "1", ""},
    {M(SETNL), "r m", "1", ""},
    {M(SETLE), "r m", "1", ""},
    {M(SETNLE), "r m", "1", ""},
    /* The stack: below. */
    {M(PUSH), "r m", "28", ""},
    {M(PUSH), "i I", "8", ""},
    {M(POP), "r m", "28", ""},
    {M(PUSHFQ), "", "8", ""},
    {M(POPFQ), "", "8", ""},
    {M(LEAVE), "", "8", ""},
    /* Strings, once. */
    {M(MOVSB), "", "1", ""},
    {M(MOVSW), "", "2", ""},
    {M(MOVSD), "", "4", ""},
    {M(MOVSQ), "", "8", ""},
    {M(STOSB), "", "1", ""},
    {M(STOSW), "", "2", ""},
    {M(STOSD), "", "4", ""},
    {M(STOSQ), "", "8", ""},
    {M(LODSB), "", "1", ""},
    {M(LODSW), "", "2", ""},
    {M(LODSD), "", "4", ""},
    {M(LODSQ), "", "8", ""},
    {M(SCASB), "", "1", ""},
    {M(SCASW), "", "2", ""},
    {M(SCASD), "", "4", ""},
    {M(SCASQ), "", "8", ""},
    {M(CMPSB), "", "1", ""},
    {M(CMPSW), "", "2", ""},
    {M(CMPSD), "", "4", ""},
    {M(CMPSQ), "", "8", ""},
    {M(XLAT), "", "1", ""},
};

static bool has(const char *feature)
{
    __builtin_cpu_init();
    return feature[0] == '\0' || (strcmp(feature, "bmi") == 0 && __builtin_cpu_supports("bmi")) ||
           (strcmp(feature, "bmi2") == 0 && __builtin_cpu_supports("bmi2")) ||
           (strcmp(feature, "lzcnt") == 0 && __builtin_cpu_supports("lzcnt")) ||
           (strcmp(feature, "popcnt") == 0 && __builtin_cpu_supports("popcnt")) ||
           (strcmp(feature, "adx") == 0 && __builtin_cpu_supports("adx")) ||
           (strcmp(feature, "movbe") == 0 && __builtin_cpu_supports("movbe")) ||
           (strcmp(feature, "sse4.2") == 0 && __builtin_cpu_supports("sse4.2"));
}

static ZydisRegister some_register(unsigned bytes, bool high)
{
    unsigned n = (unsigned)(any() % 15);
    n += n >= 4; /* not rsp */
    switch (bytes) {
    case 1:
        if (high) {
            static const ZydisRegister low[] = {
                ZYDIS_REGISTER_AL, ZYDIS_REGISTER_AH, ZYDIS_REGISTER_BL, ZYDIS_REGISTER_BH,
                ZYDIS_REGISTER_CL, ZYDIS_REGISTER_CH, ZYDIS_REGISTER_DL, ZYDIS_REGISTER_DH};
            return low[n % 8];
        }
        return n < 4   ? (ZydisRegister)(ZYDIS_REGISTER_AL + n)
               : n < 8 ? (ZydisRegister)(ZYDIS_REGISTER_SPL + n - 4)
                       : (ZydisRegister)(ZYDIS_REGISTER_R8B + n - 8);
    case 2:
        return (ZydisRegister)(ZYDIS_REGISTER_AX + n);
    case 4:
        return (ZydisRegister)(ZYDIS_REGISTER_EAX + n);
    default:
        return (ZydisRegister)(ZYDIS_REGISTER_RAX + n);
    }
}

static int64_t some_immediate(unsigned bytes)
{
    uint64_t n = number();
    switch (bytes) {
    case 1:
        return (int8_t)n;
    case 2:
        return (int16_t)n;
    default:
        return (int32_t)n;
    }
}

static bool operand(char letter, unsigned bytes, bool high, ZydisEncoderOperand *o)
{
    memset(o, 0, sizeof *o);
    switch (letter) {
    case 'b':
    case 'w':
    case 'd':
        bytes = letter == 'b' ? 1 : letter == 'w' ? 2 : 4;
        __attribute__((fallthrough));
    case 'r':
        o->type = ZYDIS_OPERAND_TYPE_REGISTER;
        o->reg.value = some_register(bytes, high);
        return true;
    case 'c':
        o->type = ZYDIS_OPERAND_TYPE_REGISTER;
        o->reg.value = ZYDIS_REGISTER_CL;
        return true;
    case 'B':
    case 'W':
    case 'D':
        bytes = letter == 'B' ? 1 : letter == 'W' ? 2 : 4;
        __attribute__((fallthrough));
    case 'm':
        o->type = ZYDIS_OPERAND_TYPE_MEMORY;
        o->mem.size = (ZyanU16)bytes;
        o->mem.displacement = any() % 3 == 0 ? 0 : some_immediate(any() % 2 == 0 ? 1 : 2);
        o->mem.base = high ? ZYDIS_REGISTER_RBX : some_register(8, false);
        if (any() % 2 == 0) {
            o->mem.index = high ? ZYDIS_REGISTER_RSI : some_register(8, false);
            o->mem.scale = (ZyanU8)(1U << any() % 4);
            if (o->mem.index == o->mem.base) {
                return false;
            }
        }
        return true;
    case '1':
        o->type = ZYDIS_OPERAND_TYPE_IMMEDIATE;
        o->imm.s = 1;
        return true;
    default:
        o->type = ZYDIS_OPERAND_TYPE_IMMEDIATE;
        o->imm.s = some_immediate(letter == 'i' ? 1 : bytes);
        return true;
    }
}

/* ---- an instruction, and what it does to memory */

struct case_of {
    const struct form *form;
    struct vt_x86_insn insn;
    unsigned bytes;
    bool reads, writes; /* the explicit operand, or the implied one */
    uint64_t known, asked;
};

struct touched {
    struct vt_trace_access a[4];
    uint32_t n;
};

static void touch(struct touched *t, bool store, uint64_t address, unsigned bytes)
{
    uint64_t n = number();
    assert_true(address - (uintptr_t)scratch < SCRATCH_BYTES);
    memcpy((void *)(uintptr_t)address, &n, bytes);
    t->a[t->n++] = (struct vt_trace_access){
        .store = store, .has_value = true, .address = address, .bytes = (uint8_t)bytes};
}

static void look(struct touched *t, bool stores)
{
    for (uint32_t i = 0; i < t->n; i++) {
        if (t->a[i].store == stores) {
            memcpy(&t->a[i].value[0], (void *)(uintptr_t)t->a[i].address, t->a[i].bytes);
        }
    }
}

static bool is_one_of(ZydisMnemonic m, ZydisMnemonic a, ZydisMnemonic b, ZydisMnemonic c,
                      ZydisMnemonic d)
{
    return m == a || m == b || m == c || m == d;
}

static uint64_t somewhere(void)
{
    return (uintptr_t)scratch + SCRATCH_BYTES / 2 + any() % 4096;
}

/* What of the instruction's memory is where, with registers that make it so. False: these
 * registers cannot. */
static bool arrange(struct case_of *c, struct touched *t)
{
    const struct vt_x86_insn *i = &c->insn;
    uint64_t *r = vt_test_native.r, at = somewhere();
    ZydisMnemonic m = c->form->mnemonic;
    unsigned memory = 4, bytes = 0;
    t->n = 0;
    for (unsigned k = 0; k < i->n; k++) {
        memory = i->o[k].kind == VT_X86_MEMORY ? k : memory;
    }
    r[VT_TRACE_RSP] = somewhere() & ~(uint64_t)7;
    if (memory < 4) {
        bytes = i->o[memory].bits / 8U;
        uint64_t away = 0;
        if (i->index != VT_X86_NO_REGISTER) {
            r[i->index] = any() % 64;
        }
        bool bit = memory == 0 && i->n == 2 && i->o[1].kind == VT_X86_REGISTER &&
                   is_one_of(m, M(BT), M(BTS), M(BTR), M(BTC));
        if (bit && (i->o[1].reg == i->base || i->o[1].reg == i->index)) {
            return false;
        }
        if (bit) {
            int64_t number_of = (int64_t)(any() % 32768) - 16384;
            uint64_t mask = vt_mask(i->o[1].bits);
            r[i->o[1].reg] = (r[i->o[1].reg] & ~mask) | ((uint64_t)number_of & mask);
            away = (uint64_t)(number_of >> (bytes == 2 ? 4 : bytes == 4 ? 5 : 6)) * bytes;
        }
        r[i->base] =
            at - i->displacement - (i->index != VT_X86_NO_REGISTER ? r[i->index] * i->scale : 0);
        at += away;
    }
    /* In the order in which QEMU does. */
    if (is_one_of(m, M(POP), M(POPFQ), M(POPFQ), M(POPFQ))) {
        touch(t, false, r[VT_TRACE_RSP], i->o[0].kind == 0 ? 8 : i->o[0].bits / 8U);
    }
    if (memory < 4 && m != M(LEA)) {
        if (c->reads) {
            touch(t, false, at, bytes);
        }
        if (c->writes) {
            touch(t, true, at, bytes);
        }
    }
    if (is_one_of(m, M(PUSH), M(PUSHFQ), M(PUSHFQ), M(PUSHFQ))) {
        bytes = i->bits == 16 ? 2 : 8;
        touch(t, true, r[VT_TRACE_RSP] - bytes, bytes);
    }
    if (m == M(LEAVE)) {
        r[VT_TRACE_RBP] = at;
        touch(t, false, at, 8);
    }
    if (m == M(XLAT)) {
        r[VT_TRACE_RBX] = at;
        touch(t, false, at + (r[VT_TRACE_RAX] & 0xff), 1);
    }
    return true;
}

static void arrange_string(struct case_of *c, struct touched *t)
{
    uint64_t *r = vt_test_native.r;
    ZydisMnemonic m = c->form->mnemonic;
    uint64_t from = somewhere(), to = somewhere();
    bool moves = is_one_of(m, M(MOVSB), M(MOVSW), M(MOVSD), M(MOVSQ));
    bool stores = is_one_of(m, M(STOSB), M(STOSW), M(STOSD), M(STOSQ));
    bool loads = is_one_of(m, M(LODSB), M(LODSW), M(LODSD), M(LODSQ));
    bool scans = is_one_of(m, M(SCASB), M(SCASW), M(SCASD), M(SCASQ));
    bool compares = is_one_of(m, M(CMPSB), M(CMPSW), M(CMPSD), M(CMPSQ));
    if (!moves && !stores && !loads && !scans && !compares) {
        return;
    }
    r[VT_TRACE_RSI] = from;
    r[VT_TRACE_RDI] = to;
    if (moves || loads || compares) {
        touch(t, false, from, c->bytes);
    }
    if (scans || compares) {
        touch(t, false, to, c->bytes);
    }
    if (moves || stores) {
        touch(t, true, to, c->bytes);
    }
    if (compares && any() % 2 == 0) {
        memmove((void *)(uintptr_t)to, (void *)(uintptr_t)from, c->bytes);
    }
}

/* ---- comparing */

static _Noreturn void differ(const struct case_of *c, const char *what, uint64_t is, uint64_t said,
                             uint64_t known)
{
    print_message("%s, %u bits, operands %u:", ZydisMnemonicGetString(c->form->mnemonic),
                  c->bytes * 8, c->insn.n);
    for (unsigned i = 0; i < c->insn.next - c->insn.pc; i++) {
        print_message(" %02x", page[i]);
    }
    print_message("\n%s is 0x%llx, known 0x%llx of 0x%llx\n", what, (unsigned long long)is,
                  (unsigned long long)said, (unsigned long long)known);
    fail();
    abort();
}

static void compare(struct case_of *c, const struct vt_x86_run *run, bool count)
{
    const struct vt_trace_bits *r = run->s->cpu.r;
    if (run->disagrees || run->faults) {
        differ(c, run->faults ? "it faults" : "a disagreement", 0, 0, 0);
    }
    for (unsigned i = 0; i < 16; i++) {
        if (((r[i].value ^ vt_test_native.r[i]) & r[i].known) != 0) {
            differ(c, vt_trace_register_name(i), vt_test_native.r[i], r[i].value, r[i].known);
        }
        if (count) {
            c->asked++;
            c->known += r[i].known == UINT64_MAX;
        }
    }
    const struct vt_trace_bits *f = &r[VT_TRACE_RFLAGS];
    if (((f->value ^ vt_test_native.flags) & f->known & VT_FLAGS) != 0) {
        differ(c, "rflags", vt_test_native.flags & VT_FLAGS, f->value, f->known);
    }
}

/* `unknown`: of each register's bits, which are not. */
static struct vt_x86_state state_of(const struct native *n, bool all)
{
    struct vt_x86_state s = {0};
    for (unsigned i = 0; i < 16; i++) {
        uint64_t known = all              ? UINT64_MAX
                         : any() % 3 == 0 ? 0
                         : any() % 2 == 0 ? any()
                                          : UINT64_MAX;
        s.cpu.r[i] = vt_bits(n->r[i], known);
    }
    s.cpu.r[VT_TRACE_RFLAGS] = vt_bits(n->flags, VT_FLAGS & (all ? UINT64_MAX : any()));
    return s;
}

static void try_one(struct case_of *c, bool in_order)
{
    struct touched t;
    struct vt_trace_registers_counts counts = {0};
    for (unsigned i = 0; i < 16; i++) {
        vt_test_native.r[i] = number();
    }
    if (any() % 2 == 0) { /* as dividing wants it */
        vt_test_native.r[VT_TRACE_RDX] %= 3;
    }
    if (c->form->mnemonic == M(CMPXCHG) && any() % 2 == 0 && c->insn.o[0].kind == VT_X86_REGISTER) {
        vt_test_native.r[VT_TRACE_RAX] = vt_test_native.r[c->insn.o[0].reg];
    }
    vt_test_native.flags = 0x202 | (any() & VT_FLAGS);
    if (!arrange(c, &t)) {
        return;
    }
    arrange_string(c, &t);
    if (c->form->mnemonic == M(CMPXCHG) && any() % 2 == 0 && t.n != 0 &&
        c->insn.base != VT_TRACE_RAX && c->insn.index != VT_TRACE_RAX) {
        memcpy((void *)(uintptr_t)t.a[0].address, &vt_test_native.r[VT_TRACE_RAX], c->bytes);
    }
    if (c->form->mnemonic == M(POPFQ)) { /* no trap, no other privilege */
        uint64_t flags = 0x202 | (any() & VT_FLAGS);
        memcpy((void *)(uintptr_t)t.a[0].address, &flags, sizeof flags);
    }
    look(&t, false);
    struct vt_x86_state before[4] = {
        state_of(&vt_test_native, true),
        state_of(&vt_test_native, false),
        state_of(&vt_test_native, false),
        state_of(&vt_test_native, false),
    };
    if (c->form->mnemonic == M(DIV) || c->form->mnemonic == M(IDIV)) {
        struct vt_x86_state s = before[0];
        struct vt_x86_run run = {.s = &s, .counts = &counts, .accesses = t.a, .n_accesses = t.n};
        vt_x86_execute(&run, &c->insn);
        if (run.faults) {
            return;
        }
    }
    run_native();
    look(&t, true);
    for (unsigned k = 0; k < 4; k++) {
        struct vt_x86_run run = {
            .s = &before[k],
            .counts = &counts,
            .accesses = t.a,
            .n_accesses = k == 3 ? 0 : t.n, /* nothing was recorded */
            .old_counts = k == 2,
        };
        vt_x86_execute(&run, &c->insn);
        compare(c, &run, k == 0 && in_order);
    }
}

static bool assemble(const struct form *form, const char *operands, size_t n, unsigned bytes,
                     struct case_of *c)
{
    ZydisEncoderRequest request;
    uint8_t code[ZYDIS_MAX_INSTRUCTION_LENGTH];
    ZyanUSize size = sizeof code;
    ZydisDecoder decoder;
    bool high = bytes == 1 && any() % 3 == 0;
    memset(&request, 0, sizeof request);
    request.machine_mode = ZYDIS_MACHINE_MODE_LONG_64;
    request.mnemonic = form->mnemonic;
    request.operand_count = (ZyanU8)n;
    for (size_t k = 0; k < n; k++) {
        if (!operand(operands[k], bytes, high, &request.operands[k])) {
            return false;
        }
        if (form->mnemonic == M(LEA) && k == 1) {
            request.operands[k].mem.size = 8;
        }
    }
    if (!ZYAN_SUCCESS(ZydisEncoderEncodeInstruction(&request, code, &size))) {
        return false;
    }
    place(code, size);
    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    *c = (struct case_of){.form = form, .bytes = bytes};
    vt_x86_insn_decode(&decoder, (uintptr_t)page, page, (unsigned)size, &c->insn);
    ZydisDecodedInstruction insn;
    ZydisDecodedOperand o[ZYDIS_MAX_OPERAND_COUNT];
    assert_true(ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, page, size, &insn, o)));
    for (unsigned k = 0; k < insn.operand_count_visible; k++) {
        if (o[k].type == ZYDIS_OPERAND_TYPE_MEMORY) {
            c->reads |= (o[k].actions & ZYDIS_OPERAND_ACTION_MASK_READ) != 0;
            c->writes |= (o[k].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
        }
    }
    return true;
}

/* Every one of them is executed, and with everything known most registers stay so. */
static void try_form(const struct form *form, const char *operands, size_t n, unsigned bytes)
{
    unsigned done = 0;
    uint64_t known = 0, asked = 0;
    for (unsigned tries = 0; done < VARIANTS && tries < VARIANTS * 20; tries++) {
        struct case_of c;
        if (!assemble(form, operands, n, bytes, &c)) {
            continue;
        }
        done++;
        if (c.insn.execute == NULL) {
            differ(&c, "it is not executed", 0, 0, 0);
        }
        for (unsigned k = 0; k < STATES; k++) {
            try_one(&c, true);
        }
        known += c.known;
        asked += c.asked;
    }
    if (done == 0) {
        print_message("%s %.*s of %u bytes: no such instruction\n",
                      ZydisMnemonicGetString(form->mnemonic), (int)n, operands, bytes);
        fail();
    }
    if (known * 100 < asked * 93) {
        print_message("%s %.*s of %u bytes: %llu of %llu registers are known\n",
                      ZydisMnemonicGetString(form->mnemonic), (int)n, operands, bytes,
                      (unsigned long long)known, (unsigned long long)asked);
        fail();
    }
}

static void every_form(void **state)
{
    (void)state;
    unsigned count = 0;
    set_up_native();
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        const struct form *form = &forms[i];
        if (!has(form->feature)) {
            print_message("no %s here\n", form->feature);
            continue;
        }
        for (const char *size = form->sizes; *size != '\0'; size++) {
            const char *operands = form->operands;
            do {
                size_t n = strcspn(operands, " ");
                /* A byte has no shorter immediate. */
                if (!(*size == '1' && memchr(operands, 'I', n) != NULL &&
                      form->operands[0] != 'r')) {
                    try_form(form, operands, n, (unsigned)(*size - '0'));
                    count++;
                }
                operands += n;
            } while (*operands++ == ' ');
        }
    }
    print_message("%u forms, %u states each\n", count, VARIANTS * STATES);
}

#else
static void every_form(void **state)
{
    (void)state;
    skip();
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
