/* trace/registers.h - an interpreter of x86's integer instructions over numbers of which only some
 * bits are known.
 *
 *   registers.c             events: what led where, recorded registers, blocks decoded once
 *   registers_decode.c      Zydis to struct vt_x86_insn
 *   registers_execute.c     operands, memory, what recorded accesses say backwards
 *   registers_arithmetic.c  tables of semantics: arithmetic, logic, shifts, bits
 *   registers_moves.c       moves, the stack, control, system
 *   registers_strings.c     strings
 *
 * A semantics reads operands, writes operands and sets flags, each with the bits that are known. It
 * never says more than the Intel SDM (volume 2) does: what is undefined there is unknown here.
 */
#ifndef VT_TRACE_REGISTERS_H
#define VT_TRACE_REGISTERS_H

#include "trace/x86.h"

#include <string.h>

/* ---------------------------------------------------------------- bits */

static inline uint64_t vt_mask(unsigned bits)
{
    return bits >= 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;
}
static inline struct vt_trace_bits vt_bits(uint64_t value, uint64_t known)
{
    return (struct vt_trace_bits){value & known, known};
}
static inline struct vt_trace_bits vt_all(uint64_t value)
{
    return vt_bits(value, UINT64_MAX);
}
static inline struct vt_trace_bits vt_none(void)
{
    return vt_bits(0, 0);
}
static inline bool vt_is_known(struct vt_trace_bits b, unsigned bits)
{
    return (b.known & vt_mask(bits)) == vt_mask(bits);
}
/** The low bits; those above are 0. */
static inline struct vt_trace_bits vt_low(struct vt_trace_bits b, unsigned bits)
{
    return vt_bits(b.value & vt_mask(bits), b.known | ~vt_mask(bits));
}
static inline struct vt_trace_bits vt_bit(struct vt_trace_bits b, unsigned i)
{
    return i < 64 ? vt_low(vt_bits(b.value >> i, b.known >> i), 1) : vt_low(vt_bits(0, 0), 1);
}
static inline struct vt_trace_bits vt_not(struct vt_trace_bits a)
{
    return vt_bits(~a.value, a.known);
}
static inline struct vt_trace_bits vt_and(struct vt_trace_bits a, struct vt_trace_bits b)
{
    return vt_bits(a.value & b.value,
                   (a.known & b.known) | (a.known & ~a.value) | (b.known & ~b.value));
}
static inline struct vt_trace_bits vt_or(struct vt_trace_bits a, struct vt_trace_bits b)
{
    return vt_bits(a.value | b.value, (a.known & b.known) | a.value | b.value);
}
static inline struct vt_trace_bits vt_xor(struct vt_trace_bits a, struct vt_trace_bits b)
{
    return vt_bits(a.value ^ b.value, a.known & b.known);
}
/** Known from the lowest bit up to where one of them, or `carry` (one bit), is not. */
struct vt_trace_bits vt_sum(struct vt_trace_bits a, struct vt_trace_bits b,
                            struct vt_trace_bits carry);
struct vt_trace_bits vt_difference(struct vt_trace_bits a, struct vt_trace_bits b,
                                   struct vt_trace_bits borrow);

/* ---------------------------------------------------------------- instructions */

enum vt_x86_flag {
    VT_CF = 0x1,
    VT_PF = 0x4,
    VT_AF = 0x10,
    VT_ZF = 0x40,
    VT_SF = 0x80,
    VT_DF = 0x400,
    VT_OF = 0x800,
    VT_FLAGS_ARITHMETIC = VT_CF | VT_PF | VT_AF | VT_ZF | VT_SF | VT_OF,
    VT_FLAGS = VT_FLAGS_ARITHMETIC | VT_DF,
};

#define VT_X86_VECTORS 16u
struct vt_x86_state {
    struct vt_trace_cpu cpu;
    struct vt_trace_bits vector[VT_X86_VECTORS][2]; /* bits 0-127 of xmm0-15 */
};

enum vt_x86_operand_kind {
    VT_X86_NOTHING,
    VT_X86_REGISTER, /* general */
    VT_X86_VECTOR,
    VT_X86_MEMORY,
    VT_X86_IMMEDIATE,
    VT_X86_OTHER
};
struct vt_x86_operand {
    uint8_t kind, reg;
    uint8_t shift; /* 8: ah, ch, dh, bh */
    uint16_t bits;
};

/* Where it leads. */
enum vt_x86_way {
    VT_X86_NEXT,
    VT_X86_DIRECT,      /* to `target` */
    VT_X86_CONDITIONAL, /* to `target` or next */
    VT_X86_COMPUTED,    /* to run->to, when that is known */
    VT_X86_LEAVES,      /* so too, and perhaps to code of another number of bits */
    VT_X86_AGAIN,       /* next, or itself: rep */
    VT_X86_KERNEL,      /* syscall, int: to the kernel's half of addresses */
    VT_X86_ROOT,        /* next, with the page-table root that run->to is */
    VT_X86_NOWHERE,     /* nothing here says: vmrun, rsm, far jumps, other descriptors */
};

#define VT_X86_NO_REGISTER 0xff
#define VT_X86_RIP 0xfe
struct vt_x86_run;
struct vt_x86_insn {
    void (*execute)(struct vt_x86_run *run); /* NULL: what it writes becomes unknown */
    uint64_t pc, next, target;
    uint64_t immediate, immediate2; /* sign-extended */
    uint64_t displacement;
    uint32_t flags;                         /* it may change */
    uint16_t reads, writes, writes_vectors; /* general registers; vectors */
    uint8_t kind;                           /* for semantics of several mnemonics */
    uint8_t n;
    uint8_t way;     /* enum vt_x86_way */
    uint8_t mode;    /* 64, 32, 16 */
    uint8_t bits;    /* of operands */
    uint8_t address; /* bits of addresses */
    uint8_t base, index, scale;
    uint8_t segment;   /* VT_TRACE_FS_BASE, …: its base is added; NO_REGISTER: 0 */
    uint8_t condition; /* as in opcodes: 4 is equal, 5 is not */
    uint8_t repeat;    /* 0, 0xf3 rep and repe, 0xf2 repne */
    bool lock;
    bool segment_unknown; /* with 32 and 16 bits */
    bool loads_fs, loads_gs;
    bool from_root; /* mov r, cr3 */
    struct vt_x86_operand o[4];
};

struct vt_x86_semantics {
    ZydisMnemonic mnemonic;
    void (*execute)(struct vt_x86_run *run);
    uint8_t kind;
    uint8_t way;
    bool string; /* of the mnemonics that name a string and a vector instruction, the former */
};
/* Each ends with one whose `execute` is NULL. */
extern const struct vt_x86_semantics vt_x86_arithmetic[];
extern const struct vt_x86_semantics vt_x86_moves[];
extern const struct vt_x86_semantics vt_x86_strings[];

/** `bytes` of code that runs with 64, 32 or 16 bits. What it cannot decode leads nowhere. */
void vt_x86_insn_decode(const ZydisDecoder *decoder, uint64_t pc, const uint8_t *bytes,
                        unsigned size, struct vt_x86_insn *insn);

/* ---------------------------------------------------------------- executing */

struct vt_x86_run {
    struct vt_x86_state *s;
    const struct vt_x86_insn *i;
    const struct vt_trace_access *accesses; /* of this instruction */
    uint32_t n_accesses, load, store;       /* the next of each to look at */
    struct vt_trace_registers_counts *counts;
    bool old_counts;         /* lzcnt and tzcnt may be bsr and bsf: not known which CPU it is */
    bool partly;             /* a string instruction that did not complete */
    bool disagrees;          /* something recorded is not what it must be */
    bool faults;             /* it cannot have completed */
    uint64_t root;           /* page-table root in force, ~0: unknown */
    struct vt_trace_bits to; /* COMPUTED, LEAVES, ROOT */
    struct vt_trace_bits selector; /* of code, where LEAVES goes */
};

/** Executes insn on `s`: `run` has s, counts, old_counts, accesses. */
void vt_x86_execute(struct vt_x86_run *run, const struct vt_x86_insn *insn);
/** The rounds that a string instruction got through before it was cut. */
void vt_x86_execute_partly(struct vt_x86_run *run, const struct vt_x86_insn *insn);

struct vt_x86_memory {
    bool recorded;
    uint64_t address;
    struct vt_trace_bits value[2];
};
/** The next recorded load or store of so many bytes, in however many accesses it came. */
struct vt_x86_memory vt_x86_access(struct vt_x86_run *run, bool store, unsigned bytes);
/** The explicit memory operand's address plus `offset` was `address`: compares, or finds a register
 * out. */
void vt_x86_address_was(struct vt_x86_run *run, uint64_t address, struct vt_trace_bits offset);
/** A register was `value`. */
void vt_x86_register_was(struct vt_x86_run *run, unsigned reg, uint64_t value, unsigned bits);
struct vt_trace_bits vt_x86_address(const struct vt_x86_run *run);

/** Operand k, up to 64 bits; what is above its size is 0. */
struct vt_trace_bits vt_x86_read(struct vt_x86_run *run, unsigned k);
/** With the upper half or byte as x86 has it. Returns what is known of the value: more than was
 * given when a recorded store says so. */
struct vt_trace_bits vt_x86_write(struct vt_x86_run *run, unsigned k, struct vt_trace_bits value);
/** Operand k, if a register, had this value before. */
void vt_x86_learn(struct vt_x86_run *run, unsigned k, struct vt_trace_bits value);
struct vt_trace_bits vt_x86_register(const struct vt_x86_run *run, unsigned reg, unsigned bits);
void vt_x86_set_register(struct vt_x86_run *run, unsigned reg, unsigned bits,
                         struct vt_trace_bits value);
/** A recorded store against what it must be: returns what is known of both. */
struct vt_trace_bits vt_x86_stored(struct vt_x86_run *run, const struct vt_x86_memory *memory,
                                   unsigned word, struct vt_trace_bits value, unsigned bits);

static inline struct vt_trace_bits vt_x86_flag(const struct vt_x86_run *run, enum vt_x86_flag flag)
{
    return vt_bit(run->s->cpu.r[VT_TRACE_RFLAGS], (unsigned)__builtin_ctz((unsigned)flag));
}
static inline void vt_x86_set_flag(struct vt_x86_run *run, enum vt_x86_flag flag,
                                   struct vt_trace_bits bit)
{
    struct vt_trace_bits *flags = &run->s->cpu.r[VT_TRACE_RFLAGS];
    flags->known = (flags->known & ~(uint64_t)flag) | ((bit.known & 1) != 0 ? flag : 0);
    flags->value = (flags->value & ~(uint64_t)flag) | ((bit.value & 1) != 0 ? flag : 0);
}
static inline void vt_x86_forget_flags(struct vt_x86_run *run, unsigned flags)
{
    struct vt_trace_bits *all = &run->s->cpu.r[VT_TRACE_RFLAGS];
    *all = vt_bits(all->value, all->known & ~(uint64_t)flags);
}
/** ZF, SF, PF of a result. */
void vt_x86_flags_of(struct vt_x86_run *run, struct vt_trace_bits result, unsigned bits);
/** Whether a condition holds: one bit. */
struct vt_trace_bits vt_x86_condition(const struct vt_x86_run *run, unsigned condition);
/** It was seen to hold, or not. */
void vt_x86_condition_was(struct vt_trace_bits *flags, unsigned condition, bool holds);
void vt_x86_forget(struct vt_x86_state *s);

#endif
