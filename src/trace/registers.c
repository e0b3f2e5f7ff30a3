/* trace/registers.c - registers out of a source's events. See registers.h, vitrine/trace.h.
 *
 * What a vCPU does between two events is known only if the step from one to the next is one that
 * the first can make: to where its last instruction leads, or to where an interrupt went. Anything
 * else (a filter, lost words, a reset) makes all registers unknown. A step that was possible tells
 * something itself: which way a branch went says what flags it saw. Where code is not recorded, a
 * vCPU may go to it, run for long and be interrupted just where it came in: interrupts are known to
 * follow only where code is recorded.
 */
#include "trace/registers.h"

#include "trace/ring.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS 8192U                   /* of blocks decoded; a power of two */
#define INSNS_MAX ((size_t)384 << 10) /* in all of them */
#define BLOCK_INSNS_MAX 512U          /* more than a block has */
#define POINTS_MAX 64U                /* records of registers that wait for their block */
#define PAGES 16384U                  /* slots for pages with recorded code; a power of two */
#define NOT_LISTED VT_TRACE_CPU_REGISTERS

struct decoded {
    struct vt_x86_insn *insns; /* NULL: free */
    uint64_t pc;
    uint32_t id;
    uint16_t n, code_bytes;
    uint8_t mode;  /* what it is decoded for */
    uint8_t modes; /* in which QEMU's sizes are its: bit 0 64 bits, 1 32, 2 16 */
};

struct point {
    uint64_t pc;
    struct vt_trace_cpu cpu;
};

struct vcpu {
    struct vt_x86_state state;
    /* How it goes on. */
    enum vt_x86_way way;
    bool at;                 /* an interrupt went to `to` */
    struct vt_x86_insn last; /* of the ways that ask */
    struct vt_trace_bits to;
    uint8_t mode;          /* 64, 32, 16; 0: unknown */
    int32_t selector;      /* of the code that runs; -1: unknown */
    int32_t left_for;      /* of the code that an iret goes to */
    int32_t long_selector; /* of code with 64 bits; -1: none was seen */
    uint32_t n_points;
    struct point points[POINTS_MAX];
};

struct vt_trace_registers {
    struct vt_trace_registers_counts counts;
    uint8_t listed[VT_TRACE_REGISTERS_MAX]; /* which of struct vt_trace_cpu each recorded one is */
    struct decoded slots[SLOTS];
    size_t n_insns;
    uint64_t pages[PAGES]; /* of guest-virtual addresses, odd; 0: free */
    uint32_t n_pages;
    uint32_t n_vcpus;
    struct vcpu vcpus[];
};

static const char *const names[VT_TRACE_CPU_REGISTERS] = {
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi",     "rdi",     "r8",        "r9",
    "r10", "r11", "r12", "r13", "r14", "r15", "fs_base", "gs_base", "k_gs_base", "rflags"};

const char *vt_trace_register_name(unsigned i)
{
    return i < VT_TRACE_CPU_REGISTERS ? names[i] : "?";
}

int vt_trace_registers_create(const struct vt_trace_info *info, struct vt_trace_registers **out,
                              struct vt_error *err)
{
    if (strcmp(info->arch, "x86_64") != 0) {
        return vt_fail(err, VT_E_UNSUPPORTED, "registers are rebuilt of x86_64 alone");
    }
    if (info->vcpus > VT_TRACE_VCPUS_MAX) {
        return vt_fail(err, VT_E_LIMIT, "%u vCPUs are too many", info->vcpus);
    }
    struct vt_trace_registers *r = calloc(1, sizeof *r + info->vcpus * sizeof r->vcpus[0]);
    if (r == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory to rebuild registers in");
    }
    r->n_vcpus = info->vcpus;
    for (uint32_t i = 0; i < r->n_vcpus; i++) {
        r->vcpus[i].way = VT_X86_NOWHERE;
        r->vcpus[i].selector = r->vcpus[i].long_selector = -1;
    }
    for (uint32_t i = 0; i < VT_TRACE_REGISTERS_MAX; i++) {
        r->listed[i] = NOT_LISTED;
        /* QEMU keeps the flags elsewhere: what it shows of them is not what they are. */
        for (uint8_t k = 0; k < VT_TRACE_RFLAGS && i < info->n_registers; k++) {
            if (strcmp(info->registers[i], names[k]) == 0) {
                r->listed[i] = k;
            }
        }
    }
    *out = r;
    return 0;
}

static void forget_blocks(struct vt_trace_registers *r)
{
    for (uint32_t i = 0; i < SLOTS; i++) {
        free(r->slots[i].insns);
        r->slots[i].insns = NULL;
    }
    r->n_insns = 0;
}

void vt_trace_registers_destroy(struct vt_trace_registers *r)
{
    if (r != NULL) {
        forget_blocks(r);
        free(r);
    }
}

const struct vt_trace_cpu *vt_trace_registers_of(const struct vt_trace_registers *r, uint32_t vcpu)
{
    return vcpu < r->n_vcpus ? &r->vcpus[vcpu].state.cpu : NULL;
}

const struct vt_trace_registers_counts *
vt_trace_registers_counts(const struct vt_trace_registers *r)
{
    return &r->counts;
}

/* ---------------------------------------------------------------- what is recorded */

/* Where a page is, or may be put. */
static uint64_t *page_of(struct vt_trace_registers *r, uint64_t pc)
{
    uint64_t page = pc >> 12 << 1 | 1;
    uint32_t at = (uint32_t)(page * UINT64_C(0x9e3779b97f4a7c15) >> 32) % PAGES;
    while (r->pages[at] != 0 && r->pages[at] != page) {
        at = (at + 1) % PAGES;
    }
    return &r->pages[at];
}

static void add_page(struct vt_trace_registers *r, uint64_t pc)
{
    if (*page_of(r, pc) == 0) {
        if (++r->n_pages > PAGES / 2) { /* what is forgotten is only unknown */
            memset(r->pages, 0, sizeof r->pages);
            r->n_pages = 1;
        }
        *page_of(r, pc) = pc >> 12 << 1 | 1;
    }
}

/* ---------------------------------------------------------------- blocks, decoded */

static const struct {
    ZydisMachineMode mode;
    ZydisStackWidth stack;
    uint8_t bits;
} modes[] = {
    {ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64, 64},
    {ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32, 32},
    {ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16, 16},
};
#define MODES (sizeof modes / sizeof modes[0])

static bool has_code(const struct vt_trace_block *block)
{
    size_t bytes = 0;
    for (unsigned i = 0; i < block->n && block->n <= BLOCK_INSNS_MAX; i++) {
        bytes += block->sizes[i];
    }
    return bytes != 0 && bytes <= block->code_bytes;
}

/* Whether all of a block's instructions have QEMU's sizes. */
static bool agrees(const struct vt_trace_block *block, unsigned mode)
{
    ZydisDecoder decoder;
    size_t at = 0;
    ZydisDecoderInit(&decoder, modes[mode].mode, modes[mode].stack);
    ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_MINIMAL, ZYAN_TRUE);
    for (unsigned i = 0; i < block->n; i++) {
        ZydisDecodedInstruction insn;
        if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, NULL, block->code + at,
                                                        block->code_bytes - at, &insn)) ||
            insn.length != block->sizes[i]) {
            return false;
        }
        at += block->sizes[i];
    }
    return true;
}

static void decode(const struct vt_trace_block *block, unsigned mode, struct vt_x86_insn *insns)
{
    ZydisDecoder decoder;
    size_t at = 0;
    ZydisDecoderInit(&decoder, modes[mode].mode, modes[mode].stack);
    for (unsigned i = 0; i < block->n; i++) {
        vt_x86_insn_decode(&decoder, block->pc + at, block->code + at, block->sizes[i], &insns[i]);
        at += block->sizes[i];
    }
}

static struct decoded *slot_of(struct vt_trace_registers *r, const struct vt_trace_block *block,
                               unsigned mode)
{
    return &r->slots[(block->id * 4 + mode) % SLOTS];
}

/* The block's instructions with so many bits; NULL: it has no code, or no memory. */
static const struct decoded *decoded_of(struct vt_trace_registers *r,
                                        const struct vt_trace_block *block, unsigned mode)
{
    struct decoded *d = slot_of(r, block, mode);
    if (d->insns != NULL && d->id == block->id && d->pc == block->pc && d->n == block->n &&
        d->code_bytes == block->code_bytes && d->mode == mode) {
        return d;
    }
    if (!has_code(block)) {
        return NULL;
    }
    if (r->n_insns + block->n > INSNS_MAX) {
        forget_blocks(r);
    }
    if (d->insns != NULL) {
        r->n_insns -= d->n;
        free(d->insns);
    }
    *d = (struct decoded){
        .insns = calloc(block->n, sizeof *d->insns),
        .pc = block->pc,
        .id = block->id,
        .n = block->n,
        .code_bytes = block->code_bytes,
        .mode = (uint8_t)mode,
    };
    if (d->insns == NULL) {
        return NULL;
    }
    r->n_insns += block->n;
    add_page(r, block->pc);
    add_page(r, block->pc + block->code_bytes - 1);
    decode(block, mode, d->insns);
    for (unsigned k = 0; k < MODES; k++) {
        d->modes |= (uint8_t)(agrees(block, k) ? 1U << k : 0U);
    }
    return d;
}

/* ---------------------------------------------------------------- steps */

static void forget(struct vt_trace_registers *r, struct vcpu *v)
{
    bool knew = false;
    for (unsigned i = 0; i < VT_TRACE_CPU_REGISTERS; i++) {
        knew |= v->state.cpu.r[i].known != 0;
    }
    r->counts.breaks += knew;
    vt_x86_forget(&v->state);
    v->mode = 0;
    v->selector = v->long_selector = -1;
}

static void go_nowhere(struct vcpu *v)
{
    v->way = VT_X86_NOWHERE;
    v->at = false;
}

static void branched(struct vt_trace_registers *r, struct vcpu *v, bool taken)
{
    struct vt_trace_bits *flags = &v->state.cpu.r[VT_TRACE_RFLAGS];
    if (v->last.condition == VT_X86_NO_REGISTER || v->last.target == v->last.next) {
        return;
    }
    struct vt_x86_run run = {.s = &v->state};
    struct vt_trace_bits holds = vt_x86_condition(&run, v->last.condition);
    if ((holds.known & 1) != 0) {
        r->counts.branches++;
        if (((holds.value & 1) != 0) != taken) {
            r->counts.disagreements++;
            *flags = vt_none();
        }
    }
    vt_x86_condition_was(flags, v->last.condition, taken);
}

/* A repeated string instruction is done. */
static void finished(struct vt_trace_registers *r, struct vcpu *v)
{
    struct vt_trace_bits *rcx = &v->state.cpu.r[VT_TRACE_RCX];
    if ((v->last.flags & VT_FLAGS_ARITHMETIC) != 0 || v->last.address != 64) {
        return; /* it ends for other reasons, too */
    }
    if (rcx->value != 0) {
        r->counts.disagreements++;
    }
    *rcx = vt_all(0);
}

/* Whether the vCPU came to `pc` in a way that is known. */
static bool follows(struct vt_trace_registers *r, struct vcpu *v, uint64_t pc, uint64_t root)
{
    uint64_t mask = v->last.mode == 64 ? UINT64_MAX : UINT32_MAX;
    if (v->at) {
        return vt_is_known(v->to, 64) && v->to.value == pc;
    }
    switch (v->way) {
    case VT_X86_NEXT:
        return pc == v->last.next;
    case VT_X86_DIRECT:
        return pc == v->last.target;
    case VT_X86_CONDITIONAL:
        if (pc != v->last.target && pc != v->last.next) {
            return false;
        }
        branched(r, v, pc == v->last.target);
        return true;
    case VT_X86_COMPUTED:
    case VT_X86_LEAVES:
        if (!vt_is_known(v->to, v->last.mode == 64 ? 64 : 32) || ((v->to.value ^ pc) & mask) != 0) {
            return false;
        }
        r->counts.branches++;
        return true;
    case VT_X86_AGAIN:
        if (pc == v->last.next) {
            finished(r, v);
            return true;
        }
        return pc == v->last.pc;
    case VT_X86_KERNEL:
        return pc >> 63 != 0;
    case VT_X86_ROOT:
        return pc == v->last.next && vt_is_known(v->to, 64) && v->to.value == root;
    case VT_X86_NOWHERE:
        break;
    }
    return false;
}

static void arrive(struct vt_trace_registers *r, struct vcpu *v, uint64_t pc, uint64_t root)
{
    if (!follows(r, v, pc, root)) {
        forget(r, v);
    } else if (!v->at && v->way == VT_X86_KERNEL) {
        v->selector = -1;
    } else if (!v->at && v->way == VT_X86_LEAVES) {
        bool wide = v->last.kind == 1 && v->last.bits == 64; /* sysretq */
        v->selector = v->left_for;
        v->mode = wide || (v->selector >= 0 && v->selector == v->long_selector) ? 64 : 0;
    }
}

/* Interrupts and exceptions: another stack, nothing else. */
static void interrupted(struct vt_trace_registers *r, struct vcpu *v,
                        const struct vt_trace_event *e)
{
    if (*page_of(r, e->from) == 0) {
        forget(r, v);
    } else if (v->at || v->way != VT_X86_KERNEL) { /* int n is where it was */
        arrive(r, v, e->from, e->root);
    }
    v->state.cpu.r[VT_TRACE_RSP] = vt_none();
    v->mode = v->mode == 64 ? 64 : 0;
    v->selector = -1;
    v->at = true;
    v->to = vt_all(e->to);
}

/* ---------------------------------------------------------------- recorded registers */

static void queue(struct vt_trace_registers *r, struct vcpu *v, const struct vt_trace_event *e)
{
    if (v->n_points == POINTS_MAX) {
        return;
    }
    struct point *p = &v->points[v->n_points++];
    *p = (struct point){.pc = e->pc};
    for (uint32_t i = 0; i < e->n_registers && i < VT_TRACE_REGISTERS_MAX; i++) {
        if (r->listed[i] != NOT_LISTED) {
            p->cpu.r[r->listed[i]] = vt_all(e->registers[i]);
        }
    }
}

static void compare(struct vt_trace_registers *r, struct vcpu *v, const struct point *p)
{
    r->counts.points++;
    for (unsigned i = 0; i < VT_TRACE_CPU_REGISTERS; i++) {
        struct vt_trace_bits *had = &v->state.cpu.r[i], is = p->cpu.r[i];
        if (is.known == 0) {
            continue;
        }
        if (((had->value ^ is.value) & had->known) != 0) {
            r->counts.points_wrong++;
        } else if (had->known == UINT64_MAX) {
            r->counts.points_known++;
        } else {
            r->counts.points_unknown++;
        }
        *had = is;
    }
}

static void meet_points(struct vt_trace_registers *r, struct vcpu *v, uint64_t pc)
{
    while (v->n_points != 0 && v->points[0].pc == pc) {
        compare(r, v, &v->points[0]);
        v->n_points--;
        memmove(v->points, v->points + 1, v->n_points * sizeof v->points[0]);
    }
}

/* ---------------------------------------------------------------- blocks */

struct accesses {
    const struct vt_trace_access *at;
    uint32_t n;
};

/* Those of instruction i, which come after those of the ones before. */
static struct accesses accesses_of(const struct vt_trace_event *e, uint32_t *next, unsigned i)
{
    while (*next < e->n_accesses && e->accesses[*next].instruction < i) {
        (*next)++;
    }
    struct accesses these = {e->accesses + *next, 0};
    while (*next < e->n_accesses && e->accesses[*next].instruction == i) {
        (*next)++;
        these.n++;
    }
    return these;
}

/* Which bits the code runs with, if only one number of them can be; else -1: what the block writes
 * becomes unknown, whichever it is. */
static int mode_of(struct vt_trace_registers *r, struct vcpu *v, const struct vt_trace_block *block,
                   const struct decoded *d)
{
    unsigned possible = block->pc >> 32 != 0 ? d->modes & 1U : d->modes;
    int mode = -1;
    for (unsigned k = 0; k < MODES; k++) {
        if (possible == 1U << k || ((possible >> k & 1) != 0 && v->mode == modes[k].bits)) {
            mode = (int)k;
        }
    }
    if (v->mode != 0 && (mode < 0 || modes[mode].bits != v->mode)) {
        forget(r, v); /* nothing that was seen leads from one to the other */
    }
    v->mode = mode < 0 ? 0 : modes[mode].bits;
    if (mode == 0 && v->selector >= 0) {
        v->long_selector = v->selector;
    }
    return mode;
}

static void forget_what_is_written(struct vt_trace_registers *r, struct vcpu *v,
                                   const struct vt_trace_block *block, unsigned possible)
{
    struct vt_trace_registers_counts counts = {0};
    for (unsigned k = 0; k < MODES; k++) {
        const struct decoded *d = (possible >> k & 1) != 0 ? decoded_of(r, block, k) : NULL;
        for (unsigned i = 0; d != NULL && i < block->n; i++) {
            struct vt_x86_insn insn = d->insns[i];
            struct vt_x86_run run = {.s = &v->state, .counts = &counts};
            insn.execute = NULL;
            insn.n = 0;
            vt_x86_execute(&run, &insn);
        }
    }
}

static void end_block(struct vt_trace_registers *r, struct vcpu *v, const struct vt_trace_event *e,
                      const struct decoded *d)
{
    switch (e->end) {
    case VT_TRACE_END_WHOLE:
        break;
    case VT_TRACE_END_RESTART:
    case VT_TRACE_END_INTERRUPT:
    case VT_TRACE_END_EXCEPTION:
        if (e->executed < e->block->n) {
            v->at = true;
            v->to = vt_all(d->insns[e->executed].pc);
        }
        if (e->end != VT_TRACE_END_RESTART) {
            interrupted(r, v, e);
        }
        break;
    default:
        go_nowhere(v);
    }
}

struct listener {
    void (*each)(void *context, unsigned instruction, const struct vt_trace_cpu *cpu);
    void *context;
};

static void tell(const struct listener *to, unsigned i, const struct vcpu *v)
{
    if (to->each != NULL) {
        to->each(to->context, i, &v->state.cpu);
    }
}

/* Nothing says what this block does. */
static void unknown_block(struct vt_trace_registers *r, struct vcpu *v,
                          const struct vt_trace_event *e, const struct listener *to)
{
    forget(r, v);
    go_nowhere(v);
    for (unsigned i = 0; i < e->executed && i < e->block->n; i++) {
        r->counts.instructions++;
        r->counts.not_executed++;
        tell(to, i, v);
    }
    v->n_points = 0;
}

static void take_block(struct vt_trace_registers *r, struct vcpu *v, const struct vt_trace_event *e,
                       const struct listener *to)
{
    const struct vt_trace_block *block = e->block;
    const struct decoded *d = decoded_of(r, block, 0);
    uint32_t next = 0;
    arrive(r, v, block->pc, e->root);
    v->at = false;
    if (d == NULL || d->modes == 0 || e->executed > block->n) {
        unknown_block(r, v, e, to);
        return;
    }
    unsigned possible = block->pc >> 32 != 0 ? d->modes & 1U : d->modes;
    int mode = mode_of(r, v, block, d);
    if (mode > 0) {
        d = decoded_of(r, block, (unsigned)mode);
    }
    if (d == NULL || possible == 0) {
        unknown_block(r, v, e, to);
        return;
    }
    struct vt_x86_run run = {
        .s = &v->state, .counts = &r->counts, .old_counts = true, .root = e->root};
    if (mode < 0) {
        r->counts.instructions += e->executed;
        r->counts.not_executed += e->executed;
        forget_what_is_written(r, v, block, possible);
        d = decoded_of(r, block, 0);
        if (d == NULL) {
            unknown_block(r, v, e, to);
            return;
        }
    }
    for (unsigned i = 0; i < e->executed; i++) {
        struct accesses a = accesses_of(e, &next, i);
        run.accesses = a.at;
        run.n_accesses = a.n;
        meet_points(r, v, d->insns[i].pc);
        if (mode >= 0) {
            vt_x86_execute(&run, &d->insns[i]);
        }
        tell(to, i, v);
    }
    if (e->executed > 0) {
        v->last = d->insns[e->executed - 1];
        v->way = v->last.way;
        v->to = run.to;
        v->left_for = vt_is_known(run.selector, 16) && v->way == VT_X86_LEAVES && v->last.kind == 0
                          ? (int32_t)run.selector.value
                          : -1;
        /* What is not the last goes on here. */
        if (e->executed < block->n && v->way == VT_X86_AGAIN) {
            finished(r, v);
        }
    }
    if (e->executed < block->n) {
        struct accesses a = accesses_of(e, &next, e->executed);
        run.accesses = a.at;
        run.n_accesses = a.n;
        meet_points(r, v, d->insns[e->executed].pc);
        if (mode >= 0) {
            vt_x86_execute_partly(&run, &d->insns[e->executed]);
        }
    }
    v->n_points = 0;
    end_block(r, v, e, d);
}

int vt_trace_registers_take(struct vt_trace_registers *r, const struct vt_trace_event *e,
                            void (*each)(void *context, unsigned instruction,
                                         const struct vt_trace_cpu *cpu),
                            void *context, struct vt_error *err)
{
    if (e->vcpu >= r->n_vcpus) {
        return vt_fail(err, VT_E_CORRUPT, "an event of vCPU %u, of which there are %u", e->vcpu,
                       r->n_vcpus);
    }
    struct vcpu *v = &r->vcpus[e->vcpu];
    struct listener to = {each, context};
    switch (e->kind) {
    case VT_TRACE_EV_BLOCK:
        take_block(r, v, e, &to);
        break;
    case VT_TRACE_EV_REGISTERS:
        queue(r, v, e);
        break;
    case VT_TRACE_EV_LOST:
    case VT_TRACE_EV_MODE:
        forget(r, v);
        go_nowhere(v);
        v->n_points = 0;
        break;
    case VT_TRACE_EV_CUT:
        interrupted(r, v, e);
        break;
    case VT_TRACE_EV_PAUSE:
    case VT_TRACE_EV_RESUME:
        break;
    }
    return 0;
}
