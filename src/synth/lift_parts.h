/* synth/lift_parts.h - what the files of the lifter share. See lift.h.
 *
 *   lift.c            one instruction: decoding, operands, ways, what is refused
 *   lift_arithmetic.c sums, logic, products, divisions
 *   lift_shifts.c     shifts, rotations, bits
 *   lift_moves.c      moves, the stack, conditions, jumps
 *   lift_strings.c    string instructions
 *   lift_long.c       what goes through a word bit by bit
 *   lift_vector.c     SSE2: by halves of registers
 *   lift_lanes.c      SSE2: what takes lanes apart and puts them together
 *   lift_shuffles.c   SSSE3, SSE4.1: orders and choices by values, neighbours
 *   lift_avx.c        AVX2: what goes across 128 bits
 *
 * Source of all semantics: Intel SDM volume 2, "Operation" and "Flags Affected" of each
 * instruction; volume 1, appendix A, for flags.
 */
#ifndef VT_SYNTH_LIFT_PARTS_H
#define VT_SYNTH_LIFT_PARTS_H

#include "synth/lift.h"

enum {
    VT_LIFT_RAX,
    VT_LIFT_RCX,
    VT_LIFT_RDX,
    VT_LIFT_RBX,
    VT_LIFT_RSP,
    VT_LIFT_RBP,
    VT_LIFT_RSI,
    VT_LIFT_RDI
};

/** One instruction as it is executed. What goes wrong is remembered in `refused`. */
struct vt_lift_run {
    struct vt_lifter *l;
    struct vt_terms *t;
    struct vt_lift_state *s;
    struct vt_lift_memory *memory;
    ZydisDecodedInstruction insn;
    ZydisDecodedOperand o[ZYDIS_MAX_OPERAND_COUNT];
    uint64_t pc;
    const struct vt_lift_semantics *how;
    struct vt_lifted out;
    vt_term address; /**< of the memory operand, once it was asked for */
    /* AVX: the same by each 128 bits. Its destination may be one operand more; then `to` has it,
     * and `o` what SSE has. What is written clears what is above. */
    bool avx, apart;
    ZydisDecodedOperand to;
    unsigned half;               /**< 0, then 2: the first one of the 128 bits */
    const vt_term (*vectors)[4]; /**< registers to read: as they were before */
    const char *refused;
};

struct vt_lift_semantics {
    ZydisMnemonic mnemonic;
    void (*execute)(struct vt_lift_run *x);
    uint8_t kind; /**< for functions that serve several instructions */
    uint8_t lane;
};
extern const struct vt_lift_semantics vt_lift_arithmetic[], vt_lift_shifts[], vt_lift_moves[],
    vt_lift_strings[], vt_lift_long[], vt_lift_vector[], vt_lift_lanes[], vt_lift_shuffles[],
    vt_lift_avx[];

/** All of them, strings first; each ends where `execute` is NULL. */
#define VT_LIFT_TABLES 9u
extern const struct vt_lift_semantics *const vt_lift_tables[VT_LIFT_TABLES];

/** Remembers the first reason. */
void vt_lift_refuse(struct vt_lift_run *x, const char *why);

static inline unsigned vt_lift_width(const struct vt_lift_run *x, unsigned k)
{
    return x->o[k].size;
}
static inline bool vt_lift_is_memory(const struct vt_lift_run *x, unsigned k)
{
    return x->o[k].type == ZYDIS_OPERAND_TYPE_MEMORY;
}
/** The same general register, or part of one, in two operands. */
static inline bool vt_lift_is_register(const struct vt_lift_run *x, unsigned k)
{
    return x->o[k].type == ZYDIS_OPERAND_TYPE_REGISTER;
}

/** Operand k as a term of its width; 64 bits at most. */
vt_term vt_lift_read(struct vt_lift_run *x, unsigned k);
void vt_lift_write(struct vt_lift_run *x, unsigned k, vt_term value);
/** An immediate, sign-extended to 64 bits. */
uint64_t vt_lift_immediate(const struct vt_lift_run *x, unsigned k);

vt_term vt_lift_register(struct vt_lift_run *x, unsigned reg, unsigned bits);
/** As instructions write one: 32 bits clear the upper half, 8 and 16 keep the rest. */
void vt_lift_set_register(struct vt_lift_run *x, unsigned reg, unsigned bits, vt_term value);

vt_term vt_lift_address(struct vt_lift_run *x, unsigned k);
vt_term vt_lift_load(struct vt_lift_run *x, vt_term address, unsigned bytes);
void vt_lift_store(struct vt_lift_run *x, vt_term address, vt_term value);

vt_term vt_lift_flag(struct vt_lift_run *x, enum vt_lift_flag flag);
void vt_lift_set_flag(struct vt_lift_run *x, enum vt_lift_flag flag, vt_term bit);
void vt_lift_forget_flag(struct vt_lift_run *x, enum vt_lift_flag flag);
/** SF, ZF, PF of a result. */
void vt_lift_flags_of(struct vt_lift_run *x, vt_term result);
/** All flags as cmp sets them; a - b. */
vt_term vt_lift_compare(struct vt_lift_run *x, vt_term a, vt_term b);
/** Conditions in the order of their encoding: o no b ae e ne be a s ns p np l ge le g. */
vt_term vt_lift_condition(struct vt_lift_run *x, unsigned condition);

/** The row of an instruction of SSE, and of AVX. */
#define VT_LIFT_SSE(name, ...)                                                                     \
    {ZYDIS_MNEMONIC_##name, __VA_ARGS__},                                                          \
    {                                                                                              \
        ZYDIS_MNEMONIC_V##name, __VA_ARGS__                                                        \
    }

/** 128 bits, of 256 those from x->half on: operand k, a vector register or memory. */
void vt_lift_read_vector(struct vt_lift_run *x, unsigned k, vt_term v[2]);
void vt_lift_write_vector(struct vt_lift_run *x, unsigned k, const vt_term v[2]);
/** 256 bits: a ymm register, or memory. */
bool vt_lift_is_wide(const ZydisDecodedOperand *o);
/** The register's number, if operand k is one of xmm0 … xmm15, ymm0 … ymm15; else -1. */
int vt_lift_xmm(const struct vt_lift_run *x, unsigned k);

/** 128 bits as lanes, the lowest first. */
struct vt_lift_lanes {
    unsigned bits, n;
    vt_term of[16];
};
struct vt_lift_lanes vt_lift_split(struct vt_lift_run *x, const vt_term v[2], unsigned bits);
void vt_lift_join(struct vt_lift_run *x, const struct vt_lift_lanes *l, vt_term v[2]);

static inline vt_term vt_lift_const(struct vt_lift_run *x, unsigned bits, uint64_t value)
{
    return vt_term_const(x->t, bits, value);
}
static inline vt_term vt_lift_2(struct vt_lift_run *x, enum vt_pixel_op op, vt_term a, vt_term b)
{
    return vt_term_2(x->t, op, a, b);
}
static inline vt_term vt_lift_bit(struct vt_lift_run *x, vt_term a, unsigned which)
{
    return vt_term_extract(x->t, a, which, 1);
}
/** a == 0 */
static inline vt_term vt_lift_is_zero(struct vt_lift_run *x, vt_term a)
{
    return vt_term_compare(x->t, VT_PIXEL_EQ, a, vt_lift_const(x, vt_term_bits(x->t, a), 0));
}
static inline vt_term vt_lift_not(struct vt_lift_run *x, vt_term a)
{
    return vt_term_1(x->t, VT_PIXEL_NOT, a);
}

#endif
