/* trace/registers_moves.c - semantics of moves, the stack, branches and what belongs to the
 * system. See registers.h.
 *
 * Source: Intel SDM volume 2; AMD64 APM volume 3 (syscall, sysret, swapgs).
 */
#include "trace/registers.h"

static unsigned bits_of(const struct vt_x86_run *run)
{
    return run->i->o[0].bits;
}

/* Copies of each bit i of `bits` into all above: the sign. */
static struct vt_trace_bits sign_extended(struct vt_trace_bits a, unsigned bits)
{
    unsigned up = 64 - bits;
    return vt_bits((uint64_t)((int64_t)(a.value << up) >> up),
                   (uint64_t)((int64_t)(a.known << up) >> up));
}

/* ---------------------------------------------------------------- moves */

#define ROOT_BITS UINT64_C(0x000ffffffffff000)

static void move(struct vt_x86_run *run)
{
    struct vt_trace_bits value = vt_x86_read(run, 1);
    if (run->i->way == VT_X86_ROOT) {
        run->to = vt_and(value, vt_all(ROOT_BITS));
        return;
    }
    if (run->i->from_root) {
        vt_x86_write(run, 0, vt_bits(run->root, run->root != UINT64_MAX ? ROOT_BITS : 0));
        return;
    }
    /* Out of segment and control registers: nothing is known of them. */
    bool special = run->i->o[1].kind == VT_X86_OTHER;
    value = vt_x86_write(run, 0, special ? vt_none() : value);
    vt_x86_learn(run, 1, value);
}

static void move_sign_extended(struct vt_x86_run *run)
{
    vt_x86_write(run, 0, sign_extended(vt_x86_read(run, 1), run->i->o[1].bits));
}

static void load_address(struct vt_x86_run *run)
{
    vt_x86_write(run, 0, vt_x86_address(run));
}

static void move_if(struct vt_x86_run *run)
{
    struct vt_trace_bits to = vt_x86_read(run, 0), from = vt_x86_read(run, 1);
    struct vt_trace_bits holds = vt_x86_condition(run, run->i->condition);
    struct vt_trace_bits same = vt_bits(to.value, to.known & from.known & ~(to.value ^ from.value));
    vt_x86_write(run, 0, (holds.known & 1) == 0 ? same : (holds.value & 1) != 0 ? from : to);
}

static void set_if(struct vt_x86_run *run)
{
    vt_x86_write(run, 0, vt_low(vt_x86_condition(run, run->i->condition), 1));
}

static void exchange(struct vt_x86_run *run)
{
    unsigned memory = run->i->o[1].kind == VT_X86_MEMORY;
    struct vt_trace_bits a = vt_x86_read(run, memory), b = vt_x86_read(run, !memory);
    struct vt_trace_bits stored = vt_x86_write(run, memory, b);
    vt_x86_learn(run, !memory, stored);
    vt_x86_write(run, !memory, a);
}

static void swap_bytes(struct vt_x86_run *run)
{
    bool moves = run->i->n == 2;
    unsigned bits = bits_of(run), away = 64 - bits;
    struct vt_trace_bits a = vt_x86_read(run, moves);
    a = vt_bits(__builtin_bswap64(a.value) >> away, __builtin_bswap64(a.known) >> away);
    vt_x86_write(run, 0, bits == 16 && !moves ? vt_none() : a);
}

/* cbw, cwde, cdqe: rax out of its lower half. */
static void widen(struct vt_x86_run *run)
{
    unsigned bits = run->i->kind;
    struct vt_trace_bits a = vt_x86_register(run, VT_TRACE_RAX, bits / 2);
    vt_x86_set_register(run, VT_TRACE_RAX, bits, sign_extended(a, bits / 2));
}

/* cwd, cdq, cqo: rdx is the sign of rax. */
static void widen_into_rdx(struct vt_x86_run *run)
{
    unsigned bits = run->i->kind;
    struct vt_trace_bits top = vt_bit(run->s->cpu.r[VT_TRACE_RAX], bits - 1);
    vt_x86_set_register(run, VT_TRACE_RDX, bits, sign_extended(top, 1));
}

static void translate(struct vt_x86_run *run)
{
    struct vt_x86_memory m = vt_x86_access(run, false, 1);
    struct vt_trace_bits al = vt_x86_register(run, VT_TRACE_RAX, 8);
    if (m.recorded && vt_is_known(al, 8) && run->i->mode == 64 && run->i->address == 64 &&
        run->i->segment == VT_X86_NO_REGISTER) {
        vt_x86_register_was(run, VT_TRACE_RBX, m.address - al.value, 64);
    }
    vt_x86_set_register(run, VT_TRACE_RAX, 8, m.value[0]);
}

static void nothing(struct vt_x86_run *run)
{
    (void)run;
}

/* ---------------------------------------------------------------- flags */

#define LAHF_FLAGS (VT_SF | VT_ZF | VT_AF | VT_PF | VT_CF)

static void load_flags(struct vt_x86_run *run)
{
    struct vt_trace_bits f = run->s->cpu.r[VT_TRACE_RFLAGS];
    uint64_t known = (f.known & LAHF_FLAGS) | 0x2a;
    struct vt_trace_bits *rax = &run->s->cpu.r[VT_TRACE_RAX];
    *rax = vt_bits((rax->value & ~UINT64_C(0xff00)) | ((f.value & LAHF_FLAGS) | 2) << 8,
                   (rax->known & ~UINT64_C(0xff00)) | known << 8);
}

static void set_flags(struct vt_x86_run *run, struct vt_trace_bits image, unsigned which)
{
    struct vt_trace_bits *f = &run->s->cpu.r[VT_TRACE_RFLAGS];
    *f = vt_bits((f->value & ~(uint64_t)which) | (image.value & which),
                 (f->known & ~(uint64_t)which) | (image.known & which));
}

static void store_flags(struct vt_x86_run *run)
{
    struct vt_trace_bits rax = run->s->cpu.r[VT_TRACE_RAX];
    set_flags(run, vt_bits(rax.value >> 8, rax.known >> 8), LAHF_FLAGS);
}

enum { CLC, STC, CMC, CLD, STD };

static void change_flag(struct vt_x86_run *run)
{
    switch (run->i->kind) {
    case CLC:
        vt_x86_set_flag(run, VT_CF, vt_all(0));
        break;
    case STC:
        vt_x86_set_flag(run, VT_CF, vt_all(1));
        break;
    case CMC:
        vt_x86_set_flag(run, VT_CF, vt_not(vt_x86_flag(run, VT_CF)));
        break;
    case CLD:
        vt_x86_set_flag(run, VT_DF, vt_all(0));
        break;
    default:
        vt_x86_set_flag(run, VT_DF, vt_all(1));
    }
}

/* ---------------------------------------------------------------- the stack */

/* How far the stack reaches is not known with 32 and 16 bits: the carry beyond 16 bits is not. */
static void move_stack(struct vt_x86_run *run, uint64_t by)
{
    struct vt_trace_bits *rsp = &run->s->cpu.r[VT_TRACE_RSP];
    *rsp = vt_sum(*rsp, vt_all(by), vt_all(0));
    if (run->i->mode != 64) {
        *rsp = vt_bits(rsp->value, rsp->known & UINT16_MAX);
    }
}

/* 8 bytes, or as many as the operand has. */
static unsigned stack_bits(const struct vt_x86_run *run)
{
    return run->i->mode == 64 ? run->i->bits == 16 ? 16 : 64 : run->i->bits;
}

static struct vt_trace_bits push(struct vt_x86_run *run, struct vt_trace_bits value)
{
    unsigned bits = stack_bits(run);
    struct vt_x86_memory m = vt_x86_access(run, true, bits / 8);
    value = vt_low(value, bits);
    if (m.recorded) {
        if (run->i->mode == 64) {
            vt_x86_register_was(run, VT_TRACE_RSP, m.address + bits / 8, 64);
        }
        value = vt_x86_stored(run, &m, 0, value, bits);
    }
    move_stack(run, -(uint64_t)(bits / 8));
    return value;
}

static struct vt_trace_bits pop(struct vt_x86_run *run)
{
    unsigned bits = stack_bits(run);
    struct vt_x86_memory m = vt_x86_access(run, false, bits / 8);
    if (m.recorded && run->i->mode == 64) {
        vt_x86_register_was(run, VT_TRACE_RSP, m.address, 64);
    }
    move_stack(run, bits / 8);
    return vt_low(m.value[0], bits);
}

static void push_operand(struct vt_x86_run *run)
{
    const struct vt_x86_operand *o = run->i->o;
    struct vt_trace_bits value = vt_x86_read(run, 0);
    if (o->kind == VT_X86_OTHER) {
        push(run, vt_none());
        return;
    }
    value = push(run, value);
    /* push rsp: what was stored is what rsp was. */
    if (o->kind == VT_X86_REGISTER && o->reg != VT_TRACE_RSP) {
        vt_x86_learn(run, 0, value);
    }
}

static void pop_operand(struct vt_x86_run *run)
{
    struct vt_trace_bits value = pop(run);
    vt_x86_write(run, 0, value);
}

static void push_flags(struct vt_x86_run *run)
{
    struct vt_trace_bits f = run->s->cpu.r[VT_TRACE_RFLAGS];
    struct vt_trace_bits image = push(run, vt_bits(f.value, f.known & VT_FLAGS));
    set_flags(run, image, VT_FLAGS & (unsigned)image.known);
}

static void pop_flags(struct vt_x86_run *run)
{
    set_flags(run, pop(run), VT_FLAGS);
}

static void enter(struct vt_x86_run *run)
{
    struct vt_trace_bits pushed = push(run, vt_x86_register(run, VT_TRACE_RBP, stack_bits(run)));
    bool plain = (run->i->immediate2 & 31) == 0 && run->i->mode == 64 && stack_bits(run) == 64;
    (void)pushed;
    if (plain) {
        run->s->cpu.r[VT_TRACE_RBP] = run->s->cpu.r[VT_TRACE_RSP];
        move_stack(run, -(run->i->immediate & UINT16_MAX));
    } else {
        run->s->cpu.r[VT_TRACE_RBP] = run->s->cpu.r[VT_TRACE_RSP] = vt_none();
    }
}

static void leave(struct vt_x86_run *run)
{
    if (run->i->mode == 64 && stack_bits(run) == 64) {
        run->s->cpu.r[VT_TRACE_RSP] = run->s->cpu.r[VT_TRACE_RBP];
        struct vt_trace_bits value = pop(run);
        run->s->cpu.r[VT_TRACE_RBP] = value;
    } else {
        run->s->cpu.r[VT_TRACE_RBP] = run->s->cpu.r[VT_TRACE_RSP] = vt_none();
    }
}

/* ---------------------------------------------------------------- branches */

static void jump(struct vt_x86_run *run)
{
    if (run->i->way == VT_X86_COMPUTED) {
        run->to = vt_x86_read(run, 0);
    }
}

static void call(struct vt_x86_run *run)
{
    jump(run);
    /* With 32 and 16 bits it is less the code segment's base. */
    push(run, run->i->mode == 64 ? vt_all(run->i->next) : vt_none());
}

static void ret(struct vt_x86_run *run)
{
    run->to = pop(run);
    if (run->i->n > 0) {
        move_stack(run, run->i->immediate & UINT16_MAX);
    }
}

/* rcx counts, with as many bits as addresses have. */
static void loop(struct vt_x86_run *run)
{
    unsigned bits = run->i->address;
    struct vt_trace_bits rcx = vt_x86_register(run, VT_TRACE_RCX, bits);
    vt_x86_set_register(run, VT_TRACE_RCX, bits, vt_difference(rcx, vt_all(1), vt_all(0)));
}

/* ---------------------------------------------------------------- the system */

static void system_call(struct vt_x86_run *run)
{
    struct vt_trace_bits *r = run->s->cpu.r, f = r[VT_TRACE_RFLAGS];
    r[VT_TRACE_RCX] = vt_all(run->i->next);
    r[VT_TRACE_R11] = vt_bits(f.value, f.known & VT_FLAGS);
    /* A mask that nobody recorded clears some. */
    r[VT_TRACE_RFLAGS] = vt_bits(0, f.known & ~f.value);
}

static void system_return(struct vt_x86_run *run)
{
    run->to = vt_x86_register(run, VT_TRACE_RCX, run->i->bits == 64 ? 64 : 32);
    set_flags(run, run->s->cpu.r[VT_TRACE_R11], VT_FLAGS);
}

/* rip, cs, rflags, rsp, ss. */
static void interrupt_return(struct vt_x86_run *run)
{
    struct vt_trace_bits word[5];
    uint64_t at = 0;
    for (unsigned k = 0; k < 5; k++) {
        struct vt_x86_memory m = vt_x86_access(run, false, 8);
        at = k == 0 ? m.address : at;
        word[k] = m.recorded && m.address == at + 8 * (uint64_t)k ? m.value[0] : vt_none();
        if (k == 0 && m.recorded) {
            vt_x86_register_was(run, VT_TRACE_RSP, m.address, 64);
        }
    }
    bool here = run->i->mode == 64 && run->i->bits == 64;
    run->to = here ? word[0] : vt_none();
    run->selector = here ? vt_low(word[1], 16) : vt_none();
    set_flags(run, here ? word[2] : vt_none(), VT_FLAGS);
    run->s->cpu.r[VT_TRACE_RSP] = here ? word[3] : vt_none();
}

static void swap_gs(struct vt_x86_run *run)
{
    struct vt_trace_bits *r = run->s->cpu.r, gs = r[VT_TRACE_GS_BASE];
    r[VT_TRACE_GS_BASE] = r[VT_TRACE_KERNEL_GS_BASE];
    r[VT_TRACE_KERNEL_GS_BASE] = gs;
}

#define MSR_FS_BASE 0xc0000100U

static void write_msr(struct vt_x86_run *run)
{
    struct vt_trace_bits *r = run->s->cpu.r, a = vt_low(r[VT_TRACE_RAX], 32), d = r[VT_TRACE_RDX];
    struct vt_trace_bits which = vt_low(r[VT_TRACE_RCX], 32);
    struct vt_trace_bits value = vt_or(a, vt_bits(d.value << 32, d.known << 32 | UINT32_MAX));
    for (unsigned k = 0; k < 3; k++) {
        if (!vt_is_known(which, 32)) {
            r[VT_TRACE_FS_BASE + k] = vt_none();
        } else if (which.value == MSR_FS_BASE + k) {
            r[VT_TRACE_FS_BASE + k] = value;
        }
    }
}

static void read_base(struct vt_x86_run *run)
{
    vt_x86_write(run, 0, run->s->cpu.r[run->i->kind]);
}

static void write_base(struct vt_x86_run *run)
{
    run->s->cpu.r[run->i->kind] = vt_x86_read(run, 0);
}

/* ---------------------------------------------------------------- vectors */

static void read_vector(struct vt_x86_run *run, unsigned k, unsigned bits,
                        struct vt_trace_bits out[2])
{
    const struct vt_x86_operand *o = &run->i->o[k];
    out[0] = out[1] = vt_all(0);
    if (o->kind == VT_X86_VECTOR) {
        out[0] = vt_low(run->s->vector[o->reg][0], bits);
        out[1] = bits > 64 ? run->s->vector[o->reg][1] : vt_all(0);
    } else if (o->kind == VT_X86_REGISTER) {
        out[0] = vt_x86_read(run, k);
    } else if (o->kind == VT_X86_MEMORY) {
        struct vt_x86_memory m = vt_x86_access(run, false, bits / 8);
        if (m.recorded) {
            vt_x86_address_was(run, m.address, vt_all(0));
        }
        out[0] = vt_low(m.value[0], bits);
        out[1] = bits > 64 ? m.value[1] : vt_all(0);
    } else {
        out[0] = out[1] = vt_none();
    }
}

/* movd, movq, movdqu, movaps, …: `kind` bits, or 128; the lower half of wider ones. */
static void move_vector(struct vt_x86_run *run)
{
    const struct vt_x86_operand *o = run->i->o;
    struct vt_trace_bits v[2];
    unsigned bits = run->i->kind;
    if (run->i->n != 2) {
        bits = 0;
    } else if (bits == 0) { /* movd of a 64-bit register is movq */
        bits = o[0].bits < o[1].bits ? o[0].bits : o[1].bits;
        bits = bits > 64 ? 64 : bits;
    }
    if (bits != 32 && bits != 64 && bits != 128) {
        for (unsigned k = 0; k < VT_X86_VECTORS; k++) {
            if ((run->i->writes_vectors >> k & 1) != 0) {
                run->s->vector[k][0] = run->s->vector[k][1] = vt_none();
            }
        }
        return;
    }
    read_vector(run, 1, bits, v);
    if (o[0].kind == VT_X86_VECTOR) {
        run->s->vector[o[0].reg][0] = v[0];
        run->s->vector[o[0].reg][1] = v[1];
    } else if (o[0].kind == VT_X86_REGISTER) {
        vt_x86_write(run, 0, v[0]);
    } else if (o[0].kind == VT_X86_MEMORY) {
        struct vt_x86_memory m = vt_x86_access(run, true, bits / 8);
        if (m.recorded) {
            vt_x86_address_was(run, m.address, vt_all(0));
            v[0] = vt_x86_stored(run, &m, 0, v[0], bits < 64 ? bits : 64);
            v[1] = bits > 64 ? vt_x86_stored(run, &m, 1, v[1], 64) : v[1];
        }
        if (o[1].kind == VT_X86_VECTOR) {
            struct vt_trace_bits *to = run->s->vector[o[1].reg];
            uint64_t mask = vt_mask(bits);
            to[0] = vt_bits((to[0].value & ~mask) | (v[0].value & mask),
                            (to[0].known & ~mask) | (v[0].known & mask));
            to[1] = bits > 64 ? v[1] : to[1];
        }
    }
}

/* The last two operands are combined; a vector with itself is 0. */
static void exclusive_or(struct vt_x86_run *run)
{
    const struct vt_x86_insn *i = run->i;
    struct vt_trace_bits a[2], b[2];
    unsigned k = i->n - 2U;
    if (i->n < 2 || i->o[0].kind != VT_X86_VECTOR) {
        return;
    }
    read_vector(run, k, 128, a);
    read_vector(run, k + 1, 128, b);
    bool same = i->o[k].kind == VT_X86_VECTOR && i->o[k + 1].kind == VT_X86_VECTOR &&
                i->o[k].reg == i->o[k + 1].reg;
    for (unsigned word = 0; word < 2; word++) {
        run->s->vector[i->o[0].reg][word] = same ? vt_all(0) : vt_xor(a[word], b[word]);
    }
}

static void unpack_low(struct vt_x86_run *run)
{
    const struct vt_x86_insn *i = run->i;
    struct vt_trace_bits a[2], b[2];
    unsigned k = i->n - 2U;
    if (i->n < 2 || i->o[0].kind != VT_X86_VECTOR) {
        return;
    }
    read_vector(run, k, 128, a);
    read_vector(run, k + 1, 128, b);
    run->s->vector[i->o[0].reg][0] = a[0];
    run->s->vector[i->o[0].reg][1] = b[0];
}

#define M(name) ZYDIS_MNEMONIC_##name

const struct vt_x86_semantics vt_x86_moves[] = {
    {M(MOV), move, 0, 0, false},
    {M(MOVNTI), move, 0, 0, false},
    {M(MOVZX), move, 0, 0, false},
    {M(MOVSX), move_sign_extended, 0, 0, false},
    {M(MOVSXD), move_sign_extended, 0, 0, false},
    {M(LEA), load_address, 0, 0, false},
    {M(XCHG), exchange, 0, 0, false},
    {M(BSWAP), swap_bytes, 0, 0, false},
    {M(MOVBE), swap_bytes, 0, 0, false},
    {M(CBW), widen, 16, 0, false},
    {M(CWDE), widen, 32, 0, false},
    {M(CDQE), widen, 64, 0, false},
    {M(CWD), widen_into_rdx, 16, 0, false},
    {M(CDQ), widen_into_rdx, 32, 0, false},
    {M(CQO), widen_into_rdx, 64, 0, false},
    {M(XLAT), translate, 0, 0, false},

    {M(CMOVO), move_if, 0, 0, false},
    {M(CMOVNO), move_if, 0, 0, false},
    {M(CMOVB), move_if, 0, 0, false},
    {M(CMOVNB), move_if, 0, 0, false},
    {M(CMOVZ), move_if, 0, 0, false},
    {M(CMOVNZ), move_if, 0, 0, false},
    {M(CMOVBE), move_if, 0, 0, false},
    {M(CMOVNBE), move_if, 0, 0, false},
    {M(CMOVS), move_if, 0, 0, false},
    {M(CMOVNS), move_if, 0, 0, false},
    {M(CMOVP), move_if, 0, 0, false},
    {M(CMOVNP), move_if, 0, 0, false},
    {M(CMOVL), move_if, 0, 0, false},
    {M(CMOVNL), move_if, 0, 0, false},
    {M(CMOVLE), move_if, 0, 0, false},
    {M(CMOVNLE), move_if, 0, 0, false},
    {M(SETO), set_if, 0, 0, false},
    {M(SETNO), set_if, 0, 0, false},
    {M(SETB), set_if, 0, 0, false},
    {M(SETNB), set_if, 0, 0, false},
    {M(SETZ), set_if, 0, 0, false},
    {M(SETNZ), set_if, 0, 0, false},
    {M(SETBE), set_if, 0, 0, false},
    {M(SETNBE), set_if, 0, 0, false},
    {M(SETS), set_if, 0, 0, false},
    {M(SETNS), set_if, 0, 0, false},
    {M(SETP), set_if, 0, 0, false},
    {M(SETNP), set_if, 0, 0, false},
    {M(SETL), set_if, 0, 0, false},
    {M(SETNL), set_if, 0, 0, false},
    {M(SETLE), set_if, 0, 0, false},
    {M(SETNLE), set_if, 0, 0, false},

    {M(NOP), nothing, 0, 0, false},
    {M(PAUSE), nothing, 0, 0, false},
    {M(ENDBR64), nothing, 0, 0, false},
    {M(ENDBR32), nothing, 0, 0, false},
    {M(LFENCE), nothing, 0, 0, false},
    {M(MFENCE), nothing, 0, 0, false},
    {M(SFENCE), nothing, 0, 0, false},
    {M(CLI), nothing, 0, 0, false},
    {M(STI), nothing, 0, 0, false},
    {M(CLAC), nothing, 0, 0, false},
    {M(STAC), nothing, 0, 0, false},
    {M(HLT), nothing, 0, 0, false},
    {M(LAHF), load_flags, 0, 0, false},
    {M(SAHF), store_flags, 0, 0, false},
    {M(CLC), change_flag, CLC, 0, false},
    {M(STC), change_flag, STC, 0, false},
    {M(CMC), change_flag, CMC, 0, false},
    {M(CLD), change_flag, CLD, 0, false},
    {M(STD), change_flag, STD, 0, false},

    {M(PUSH), push_operand, 0, 0, false},
    {M(POP), pop_operand, 0, 0, false},
    {M(PUSHF), push_flags, 0, 0, false},
    {M(PUSHFD), push_flags, 0, 0, false},
    {M(PUSHFQ), push_flags, 0, 0, false},
    {M(POPF), pop_flags, 0, 0, false},
    {M(POPFD), pop_flags, 0, 0, false},
    {M(POPFQ), pop_flags, 0, 0, false},
    {M(ENTER), enter, 0, 0, false},
    {M(LEAVE), leave, 0, 0, false},

    {M(JMP), jump, 0, 0, false},
    {M(CALL), call, 0, 0, false},
    {M(RET), ret, 0, 0, false},
    {M(LOOP), loop, 0, 0, false},
    {M(LOOPE), loop, 0, 0, false},
    {M(LOOPNE), loop, 0, 0, false},
    {M(JCXZ), nothing, 0, 0, false},
    {M(JECXZ), nothing, 0, 0, false},
    {M(JRCXZ), nothing, 0, 0, false},
    {M(JO), nothing, 0, 0, false},
    {M(JNO), nothing, 0, 0, false},
    {M(JB), nothing, 0, 0, false},
    {M(JNB), nothing, 0, 0, false},
    {M(JZ), nothing, 0, 0, false},
    {M(JNZ), nothing, 0, 0, false},
    {M(JBE), nothing, 0, 0, false},
    {M(JNBE), nothing, 0, 0, false},
    {M(JS), nothing, 0, 0, false},
    {M(JNS), nothing, 0, 0, false},
    {M(JP), nothing, 0, 0, false},
    {M(JNP), nothing, 0, 0, false},
    {M(JL), nothing, 0, 0, false},
    {M(JNL), nothing, 0, 0, false},
    {M(JLE), nothing, 0, 0, false},
    {M(JNLE), nothing, 0, 0, false},

    {M(SYSCALL), system_call, 0, VT_X86_KERNEL, false},
    {M(SYSRET), system_return, 1, VT_X86_LEAVES, false},
    {M(IRETQ), interrupt_return, 0, VT_X86_LEAVES, false},
    {M(INT), nothing, 0, VT_X86_KERNEL, false},
    {M(INT3), nothing, 0, VT_X86_KERNEL, false},
    {M(SWAPGS), swap_gs, 0, 0, false},
    {M(WRMSR), write_msr, 0, 0, false},
    {M(RDFSBASE), read_base, VT_TRACE_FS_BASE, 0, false},
    {M(RDGSBASE), read_base, VT_TRACE_GS_BASE, 0, false},
    {M(WRFSBASE), write_base, VT_TRACE_FS_BASE, 0, false},
    {M(WRGSBASE), write_base, VT_TRACE_GS_BASE, 0, false},

    {M(MOVD), move_vector, 0, 0, false},
    {M(VMOVD), move_vector, 0, 0, false},
    {M(MOVQ), move_vector, 64, 0, false},
    {M(VMOVQ), move_vector, 64, 0, false},
    {M(MOVDQA), move_vector, 128, 0, false},
    {M(MOVDQU), move_vector, 128, 0, false},
    {M(MOVAPS), move_vector, 128, 0, false},
    {M(MOVAPD), move_vector, 128, 0, false},
    {M(MOVUPS), move_vector, 128, 0, false},
    {M(MOVUPD), move_vector, 128, 0, false},
    {M(MOVNTDQ), move_vector, 128, 0, false},
    {M(MOVNTPS), move_vector, 128, 0, false},
    {M(VMOVDQA), move_vector, 128, 0, false},
    {M(VMOVDQU), move_vector, 128, 0, false},
    {M(VMOVAPS), move_vector, 128, 0, false},
    {M(VMOVAPD), move_vector, 128, 0, false},
    {M(VMOVUPS), move_vector, 128, 0, false},
    {M(VMOVUPD), move_vector, 128, 0, false},
    {M(PXOR), exclusive_or, 0, 0, false},
    {M(XORPS), exclusive_or, 0, 0, false},
    {M(XORPD), exclusive_or, 0, 0, false},
    {M(VPXOR), exclusive_or, 0, 0, false},
    {M(VXORPS), exclusive_or, 0, 0, false},
    {M(VXORPD), exclusive_or, 0, 0, false},
    {M(PUNPCKLQDQ), unpack_low, 0, 0, false},
    {M(VPUNPCKLQDQ), unpack_low, 0, 0, false},
    {ZYDIS_MNEMONIC_INVALID, NULL, 0, 0, false},
};
