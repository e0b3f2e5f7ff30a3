/* tests/unit/synth/processor.c - functions run step by step, and their loops. See processor.h.
 *
 * A breakpoint gives the handler a context to change: into the function's, and, when that has
 * returned, or touched memory that it may not, back into what it was.
 */
#include "tests/unit/synth/processor.h"

#include <Zydis/Zydis.h>
#include <signal.h>
#include <string.h>
#include <ucontext.h>

#define TRAP UINT64_C(0x100)
#define INSNS 2048

/* ---------------------------------------------------------------- steps */

static const int order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                              REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                              REG_R12, REG_R13, REG_R14, REG_R15};

static struct {
    bool running, faulted;
    const struct processor_state *from;
    bool (*step)(void *arg, const struct processor_state *state);
    void *arg;
    gregset_t registers;
    struct _libc_fpstate vectors;
} now;

/* Bits 128 to 255 of ymm0 …, where the kernel hands them over: behind what FXSAVE saves and a
 * header whose first word says which of it is there (Intel SDM volume 1, 13.4; Linux: sw_reserved).
 */
static uint8_t *upper_halves(struct _libc_fpstate *f, uint64_t **there)
{
    uint8_t *at = (uint8_t *)f;
    uint64_t features;
    memcpy(&features, at + 472, sizeof features);
    *there = (uint64_t *)(void *)(at + 512);
    return memcmp(at + 464, "SXPF", 4) == 0 && (features & 4) != 0 ? at + 576 : NULL;
}

static void read_state(const ucontext_t *uc, struct processor_state *s)
{
    const mcontext_t *m = &uc->uc_mcontext;
    for (int i = 0; i < 16; i++) {
        s->r[i] = (uint64_t)m->gregs[order[i]];
        memset(s->xmm[i], 0, sizeof s->xmm[i]);
        memcpy(s->xmm[i], &m->fpregs->_xmm[i], 16);
    }
    uint64_t *there;
    const uint8_t *upper = upper_halves(m->fpregs, &there);
    for (size_t i = 0; i < 16 && upper != NULL && (*there & 4) != 0; i++) {
        memcpy(s->xmm[i] + 2, upper + 16 * i, 16);
    }
    s->rip = (uint64_t)m->gregs[REG_RIP];
    s->flags = (uint64_t)m->gregs[REG_EFL];
    s->fs_base = 0;
}

static void begin(ucontext_t *uc)
{
    mcontext_t *m = &uc->uc_mcontext;
    memcpy(now.registers, m->gregs, sizeof now.registers);
    now.vectors = *m->fpregs;
    for (int i = 0; i < 16; i++) {
        m->gregs[order[i]] = (greg_t)now.from->r[i];
        memcpy(m->fpregs->_xmm[i].element, now.from->xmm[i], 16);
    }
    uint64_t *there;
    uint8_t *upper = upper_halves(m->fpregs, &there);
    for (size_t i = 0; i < 16 && upper != NULL; i++) {
        memcpy(upper + 16 * i, now.from->xmm[i] + 2, 16);
        *there |= 4;
    }
    m->gregs[REG_RIP] = (greg_t)now.from->rip;
    m->gregs[REG_EFL] = (greg_t)((uint64_t)m->gregs[REG_EFL] & ~PROCESSOR_FLAGS) |
                        (greg_t)((now.from->flags & PROCESSOR_FLAGS) | TRAP);
    now.running = true;
}

static void end(ucontext_t *uc)
{
    memcpy(uc->uc_mcontext.gregs, now.registers, sizeof now.registers);
    *uc->uc_mcontext.fpregs = now.vectors;
    now.running = false;
}

static void on_trap(int signal, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    struct processor_state state;
    (void)signal;
    (void)info;
    if (!now.running) {
        begin(uc);
    }
    read_state(uc, &state);
    if (state.rip == 0 || !now.step(now.arg, &state)) {
        end(uc);
    }
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
    (void)info;
    if (!now.running) { /* somebody else's: it happens again, and ends the process */
        struct sigaction none = {.sa_handler = SIG_DFL};
        sigaction(signal, &none, NULL);
        return;
    }
    now.faulted = true;
    end(context);
}

bool processor_run_from(const struct processor_state *from,
                        bool (*step)(void *arg, const struct processor_state *state), void *arg,
                        bool *faulted)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE};
    static uint8_t handler_stack[1 << 16];
    stack_t alternate = {.ss_sp = handler_stack, .ss_size = sizeof handler_stack}, old_stack;
    struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_ONSTACK}, old,
                     fault = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK},
                     old_faults[3];
    if (sigaltstack(&alternate, &old_stack) < 0 || sigaction(SIGTRAP, &action, &old) < 0) {
        return false;
    }
    for (int i = 0; i < 3; i++) {
        sigaction(signals[i], &fault, &old_faults[i]);
    }
    now.running = now.faulted = false;
    now.from = from;
    now.step = step;
    now.arg = arg;
    __asm__ volatile("int3" ::: "memory");
    for (int i = 0; i < 3; i++) {
        sigaction(signals[i], &old_faults[i], NULL);
    }
    sigaction(SIGTRAP, &old, NULL);
    sigaltstack(&old_stack, NULL);
    *faulted = now.faulted;
    return true;
}

bool processor_run(const void *function, const uint64_t arguments[6], void *stack,
                   bool (*step)(void *arg, const struct processor_state *state), void *arg)
{
    static const uint8_t registers[6] = {7, 6, 2, 1, 8, 9};
    struct processor_state from = {.rip = (uint64_t)(uintptr_t)function};
    uint64_t *top = stack;
    bool faulted;
    for (int i = 0; i < 6; i++) {
        from.r[registers[i]] = arguments[i];
    }
    *--top = 0; /* the function returns to nowhere */
    from.r[4] = (uint64_t)(uintptr_t)top;
    return processor_run_from(&from, step, arg, &faulted) && !faulted;
}

/* ---------------------------------------------------------------- loops */

struct code {
    uint32_t n;
    uint64_t at[INSNS];
    uint8_t bytes[INSNS];
    int16_t to[INSNS][2]; /* or -1 */
    int16_t calls[INSNS];
};

static int16_t number_of(const struct code *c, uint64_t at)
{
    for (uint32_t i = 0; i < c->n; i++) {
        if (c->at[i] == at) {
            return (int16_t)i;
        }
    }
    return -1;
}

static void follow(struct code *c, uint64_t from)
{
    ZydisDecoder decoder;
    ZydisDecodedInstruction insn;
    uint64_t pending[INSNS], targets[INSNS][3];
    uint32_t n = 0;
    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    c->n = 0;
    pending[n++] = from;
    while (n > 0) {
        uint64_t at = pending[--n];
        if (number_of(c, at) >= 0 || c->n == INSNS || n + 3 > INSNS ||
            !ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, NULL, (const void *)(uintptr_t)at,
                                                        15, &insn))) {
            continue;
        }
        uint64_t next = at + insn.length;
        bool conditional = insn.meta.category == ZYDIS_CATEGORY_COND_BR;
        bool jump = insn.meta.category == ZYDIS_CATEGORY_UNCOND_BR;
        bool ends = insn.meta.category == ZYDIS_CATEGORY_RET;
        bool call = insn.meta.category == ZYDIS_CATEGORY_CALL && insn.raw.imm[0].is_relative;
        c->at[c->n] = at;
        c->bytes[c->n] = insn.length;
        targets[c->n][0] = jump || ends ? 0 : next;
        targets[c->n][1] = conditional || jump ? next + (uint64_t)insn.raw.imm[0].value.s : 0;
        targets[c->n][2] = call ? next + (uint64_t)insn.raw.imm[0].value.s : 0;
        for (int i = 0; i < 3; i++) {
            if (targets[c->n][i] != 0) {
                pending[n++] = targets[c->n][i];
            }
        }
        c->n++;
    }
    for (uint32_t i = 0; i < c->n; i++) {
        for (int k = 0; k < 2; k++) {
            c->to[i][k] = targets[i][k] == 0 ? (int16_t)-1 : number_of(c, targets[i][k]);
        }
        c->calls[i] = targets[i][2] == 0 ? (int16_t)-1 : number_of(c, targets[i][2]);
    }
}

/* What is reached from `from` in `in`, by one step at least. */
static void reach(const struct code *c, const bool *in, uint32_t from, bool *reached)
{
    uint32_t pending[INSNS + 1], n = 0;
    memset(reached, 0, INSNS);
    pending[n++] = from;
    while (n > 0) {
        uint32_t at = pending[--n];
        for (int k = 0; k < 2; k++) {
            int16_t to = c->to[at][k];
            if (to >= 0 && in[to] && !reached[to]) {
                reached[to] = true;
                pending[n++] = (uint32_t)to;
            }
        }
    }
}

/* With the functions that are called, and those that they call. */
static void add_called(const struct code *c, const bool *loop, bool *in)
{
    bool every[INSNS], called[INSNS];
    memset(every, 1, sizeof every);
    memcpy(in, loop, sizeof every);
    for (bool more = true; more;) {
        more = false;
        for (uint32_t i = 0; i < c->n; i++) {
            int16_t to = in[i] ? c->calls[i] : (int16_t)-1;
            if (to >= 0 && !in[to]) {
                reach(c, every, (uint32_t)to, called);
                called[to] = true;
                for (uint32_t k = 0; k < c->n; k++) {
                    in[k] |= called[k];
                }
                more = true;
            }
        }
    }
}

static void put(const struct code *c, const bool *loop, uint32_t head, struct processor_loop *l)
{
    bool in[INSNS];
    *l = (struct processor_loop){.head = c->at[head]};
    add_called(c, loop, in);
    uint64_t last = 0;
    for (;;) { /* in order of addresses */
        int32_t next = -1;
        for (uint32_t i = 0; i < c->n; i++) {
            if (in[i] && c->at[i] > last && (next < 0 || c->at[i] < c->at[next])) {
                next = (int32_t)i;
            }
        }
        if (next < 0) {
            return;
        }
        last = c->at[next];
        if (l->n > 0 && last != l->head && l->run[l->n - 1].at + l->run[l->n - 1].bytes == last) {
            l->run[l->n - 1].bytes += c->bytes[next];
        } else if (l->n < 64) {
            l->run[l->n].at = last;
            l->run[l->n++].bytes = c->bytes[next];
        }
    }
}

static uint32_t find(const struct code *c, const bool *in, struct processor_loop *loops, uint32_t n,
                     uint32_t room)
{
    bool done[INSNS] = {false};
    for (uint32_t i = 0; i < c->n; i++) {
        bool from[INSNS], back[INSNS], part[INSNS] = {false};
        if (!in[i] || done[i]) {
            continue;
        }
        reach(c, in, i, from);
        if (!from[i]) {
            continue;
        }
        for (uint32_t k = 0; k < c->n; k++) {
            if (from[k]) {
                reach(c, in, k, back);
                part[k] = back[i];
                done[k] |= part[k];
            }
        }
        /* The head is where it is entered. */
        uint32_t head = i;
        for (uint32_t k = 0; k < c->n; k++) {
            for (int w = 0; w < 2; w++) {
                int16_t to = c->to[k][w];
                if (to >= 0 && !part[k] && part[to]) {
                    head = (uint32_t)to;
                }
            }
        }
        part[head] = false;
        n = find(c, part, loops, n, room);
        part[head] = true;
        if (n < room) {
            put(c, part, head, &loops[n++]);
        }
    }
    return n;
}

uint32_t processor_loops(const void *function, struct processor_loop *loops, uint32_t room)
{
    static struct code c;
    bool in[INSNS];
    follow(&c, (uint64_t)(uintptr_t)function);
    memset(in, 1, sizeof in);
    return find(&c, in, loops, 0, room);
}
