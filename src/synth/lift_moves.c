/* synth/lift_moves.c - moves, the stack, conditions, jumps. See lift_parts.h.
 */
#include "synth/lift_parts.h"

/* ---------------------------------------------------------------- moves */

static void move(struct vt_lift_run *x)
{
    vt_lift_write(x, 0, vt_lift_read(x, 1));
}

static void move_zero_extended(struct vt_lift_run *x)
{
    vt_lift_write(x, 0, vt_term_zext(x->t, vt_lift_read(x, 1), vt_lift_width(x, 0)));
}

static void move_sign_extended(struct vt_lift_run *x)
{
    vt_lift_write(x, 0, vt_term_sext(x->t, vt_lift_read(x, 1), vt_lift_width(x, 0)));
}

static void load_address(struct vt_lift_run *x)
{
    vt_lift_write(x, 0, vt_term_zext(x->t, vt_lift_address(x, 1), vt_lift_width(x, 0)));
}

static void exchange(struct vt_lift_run *x)
{
    vt_term a = vt_lift_read(x, 0), b = vt_lift_read(x, 1);
    vt_lift_write(x, 0, b);
    vt_lift_write(x, 1, a);
}

/* bswap, and movbe, which moves at the same time. */
static void swap_bytes(struct vt_lift_run *x)
{
    bool moves = x->insn.operand_count_visible == 2;
    if (!moves && vt_lift_width(x, 0) == 16) {
        vt_lift_refuse(x, "what it does to 16 bits is not defined");
        return;
    }
    vt_lift_write(x, 0, vt_term_1(x->t, VT_PIXEL_BSWAP, vt_lift_read(x, moves)));
}

/* cbw, cwde, cdqe: rax out of its lower half. */
static void widen(struct vt_lift_run *x)
{
    unsigned bits = x->how->kind;
    vt_lift_set_register(x, VT_LIFT_RAX, bits,
                         vt_term_sext(x->t, vt_lift_register(x, VT_LIFT_RAX, bits / 2), bits));
}

/* cwd, cdq, cqo: rdx is the sign of rax. */
static void widen_into_rdx(struct vt_lift_run *x)
{
    unsigned bits = x->how->kind;
    vt_term sign = vt_lift_bit(x, x->s->r[VT_LIFT_RAX], bits - 1);
    vt_lift_set_register(x, VT_LIFT_RDX, bits, vt_term_sext(x->t, sign, bits));
}

static void nothing(struct vt_lift_run *x)
{
    (void)x;
}

/* ---------------------------------------------------------------- the stack */

static void push_value(struct vt_lift_run *x, vt_term value)
{
    vt_term rsp = vt_lift_2(x, VT_PIXEL_SUB, x->s->r[VT_LIFT_RSP], vt_lift_const(x, 64, 8));
    vt_lift_store(x, rsp, value);
    vt_lift_set_register(x, VT_LIFT_RSP, 64, rsp);
}

static vt_term pop_value(struct vt_lift_run *x)
{
    vt_term rsp = x->s->r[VT_LIFT_RSP], value = vt_lift_load(x, rsp, 8);
    vt_lift_set_register(x, VT_LIFT_RSP, 64,
                         vt_lift_2(x, VT_PIXEL_ADD, rsp, vt_lift_const(x, 64, 8)));
    return value;
}

static void push(struct vt_lift_run *x)
{
    if (x->insn.operand_width != 64) {
        vt_lift_refuse(x, "16 bits on the stack");
        return;
    }
    push_value(x, vt_lift_read(x, 0));
}

static void pop(struct vt_lift_run *x)
{
    if (x->insn.operand_width != 64) {
        vt_lift_refuse(x, "16 bits on the stack");
        return;
    }
    vt_lift_write(x, 0, pop_value(x)); /* an address of rsp is one of the new rsp */
}

static void leave(struct vt_lift_run *x)
{
    if (x->insn.operand_width != 64) {
        vt_lift_refuse(x, "16 bits on the stack");
        return;
    }
    vt_lift_set_register(x, VT_LIFT_RSP, 64, x->s->r[VT_LIFT_RBP]);
    vt_lift_set_register(x, VT_LIFT_RBP, 64, pop_value(x));
}

/* ---------------------------------------------------------------- flags */

enum { CLEAR, SET, COMPLEMENT };

static void change_carry(struct vt_lift_run *x)
{
    unsigned kind = x->how->kind;
    vt_lift_set_flag(x, VT_LIFT_CF,
                     kind == COMPLEMENT ? vt_lift_not(x, vt_lift_flag(x, VT_LIFT_CF))
                                        : vt_lift_const(x, 1, kind == SET));
}

/* lahf, sahf: flags in the order of ah's bits; bit 1 is set, 3 and 5 are not. */
static const uint8_t flag_at[8] = {VT_LIFT_CF, VT_LIFT_FLAGS, VT_LIFT_PF, VT_LIFT_FLAGS,
                                   VT_LIFT_AF, VT_LIFT_FLAGS, VT_LIFT_ZF, VT_LIFT_SF};

static void flags_to_ah(struct vt_lift_run *x)
{
    vt_term ah = 0;
    for (unsigned i = 0; i < 8; i++) {
        vt_term bit =
            flag_at[i] != VT_LIFT_FLAGS ? vt_lift_flag(x, flag_at[i]) : vt_lift_const(x, 1, i == 1);
        ah = ah != 0 ? vt_term_concat(x->t, bit, ah) : bit;
    }
    vt_term low = vt_lift_register(x, VT_LIFT_RAX, 8);
    vt_lift_set_register(x, VT_LIFT_RAX, 16, vt_term_concat(x->t, ah, low));
}

static void flags_of_ah(struct vt_lift_run *x)
{
    for (unsigned i = 0; i < 8; i++) {
        if (flag_at[i] != VT_LIFT_FLAGS) {
            vt_lift_set_flag(x, flag_at[i], vt_lift_bit(x, x->s->r[VT_LIFT_RAX], 8 + i));
        }
    }
}

/* xlat: al out of a table of bytes. */
static void look_up(struct vt_lift_run *x)
{
    vt_term al = vt_term_zext(x->t, vt_lift_register(x, VT_LIFT_RAX, 8), 64);
    vt_term address = vt_lift_2(x, VT_PIXEL_ADD, x->s->r[VT_LIFT_RBX], al);
    const uint64_t other = ZYDIS_ATTRIB_HAS_SEGMENT_FS | ZYDIS_ATTRIB_HAS_SEGMENT_GS;
    if (x->insn.address_width != 64 || (x->insn.attributes & other) != 0) {
        vt_lift_refuse(x, "a table elsewhere");
        return;
    }
    vt_lift_set_register(x, VT_LIFT_RAX, 8, vt_lift_load(x, address, 1));
}

/* ---------------------------------------------------------------- conditions */

static void move_if(struct vt_lift_run *x)
{
    vt_term condition = vt_lift_condition(x, x->how->kind);
    vt_term value = vt_lift_read(x, 1);
    vt_lift_write(x, 0, vt_term_select(x->t, condition, value, vt_lift_read(x, 0)));
}

static void set_if(struct vt_lift_run *x)
{
    vt_lift_write(x, 0, vt_term_zext(x->t, vt_lift_condition(x, x->how->kind), 8));
}

/* ---------------------------------------------------------------- jumps */

static bool find_target(struct vt_lift_run *x)
{
    ZyanU64 target;
    if (x->o[0].type != ZYDIS_OPERAND_TYPE_IMMEDIATE || !x->o[0].imm.is_relative ||
        !ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(&x->insn, &x->o[0], x->pc, &target))) {
        vt_lift_refuse(x, "a jump whose target is computed");
        return false;
    }
    if (x->insn.operand_width == 16) {
        vt_lift_refuse(x, "a jump of 16 bits");
        return false;
    }
    x->out.target = target;
    return true;
}

static void jump(struct vt_lift_run *x)
{
    x->out.way = VT_LIFT_JUMP;
    find_target(x);
}

static void jump_if(struct vt_lift_run *x)
{
    x->out.way = VT_LIFT_CONDITIONAL;
    if (find_target(x)) {
        x->out.taken = vt_lift_condition(x, x->how->kind);
    }
}

static void call(struct vt_lift_run *x)
{
    x->out.way = VT_LIFT_JUMP;
    if (find_target(x)) {
        push_value(x, vt_lift_const(x, 64, x->out.next));
    }
}

static void give_back(struct vt_lift_run *x)
{
    if (x->insn.operand_width != 64 || x->insn.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR) {
        vt_lift_refuse(x, "a return to another segment, or to 16 bits");
        return;
    }
    x->out.way = VT_LIFT_RETURN;
    x->out.returns = pop_value(x);
    if (x->insn.operand_count_visible == 1) {
        vt_lift_set_register(x, VT_LIFT_RSP, 64,
                             vt_lift_2(x, VT_PIXEL_ADD, x->s->r[VT_LIFT_RSP],
                                       vt_lift_const(x, 64, x->o[0].imm.value.u)));
    }
}

/* jrcxz, and loop, which counts rcx down first: they change no flags. */
enum { JRCXZ, LOOP, LOOP_IF_ZERO, LOOP_IF_NOT };

static void jump_by_count(struct vt_lift_run *x)
{
    x->out.way = VT_LIFT_CONDITIONAL;
    if (x->insn.address_width != 64) {
        vt_lift_refuse(x, "a count of less than 64 bits");
        return;
    }
    if (!find_target(x)) {
        return;
    }
    if (x->how->kind != JRCXZ) {
        vt_lift_set_register(
            x, VT_LIFT_RCX, 64,
            vt_lift_2(x, VT_PIXEL_SUB, x->s->r[VT_LIFT_RCX], vt_lift_const(x, 64, 1)));
    }
    vt_term zero = vt_lift_is_zero(x, x->s->r[VT_LIFT_RCX]);
    x->out.taken = x->how->kind == JRCXZ ? zero : vt_lift_not(x, zero);
    if (x->how->kind == LOOP_IF_ZERO || x->how->kind == LOOP_IF_NOT) {
        vt_term flag = vt_lift_flag(x, VT_LIFT_ZF);
        x->out.taken = vt_lift_2(x, VT_PIXEL_AND, x->out.taken,
                                 x->how->kind == LOOP_IF_ZERO ? flag : vt_lift_not(x, flag));
    }
}

#define M(name) ZYDIS_MNEMONIC_##name
/* In the order of their encoding. */
#define CONDITIONS(prefix, f)                                                                      \
    {M(prefix##O), f, 0, 0}, {M(prefix##NO), f, 1, 0}, {M(prefix##B), f, 2, 0},                    \
        {M(prefix##NB), f, 3, 0}, {M(prefix##Z), f, 4, 0}, {M(prefix##NZ), f, 5, 0},               \
        {M(prefix##BE), f, 6, 0}, {M(prefix##NBE), f, 7, 0}, {M(prefix##S), f, 8, 0},              \
        {M(prefix##NS), f, 9, 0}, {M(prefix##P), f, 10, 0}, {M(prefix##NP), f, 11, 0},             \
        {M(prefix##L), f, 12, 0}, {M(prefix##NL), f, 13, 0}, {M(prefix##LE), f, 14, 0},            \
        {M(prefix##NLE), f, 15, 0}

const struct vt_lift_semantics vt_lift_moves[] = {
    {M(MOV), move, 0, 0},
    {M(MOVNTI), move, 0, 0},
    {M(MOVZX), move_zero_extended, 0, 0},
    {M(MOVSX), move_sign_extended, 0, 0},
    {M(MOVSXD), move_sign_extended, 0, 0},
    {M(LEA), load_address, 0, 0},
    {M(XCHG), exchange, 0, 0},
    {M(BSWAP), swap_bytes, 0, 0},
    {M(MOVBE), swap_bytes, 0, 0},
    {M(CBW), widen, 16, 0},
    {M(CWDE), widen, 32, 0},
    {M(CDQE), widen, 64, 0},
    {M(CWD), widen_into_rdx, 16, 0},
    {M(CDQ), widen_into_rdx, 32, 0},
    {M(CQO), widen_into_rdx, 64, 0},
    {M(NOP), nothing, 0, 0},
    {M(ENDBR32), nothing, 0, 0},
    {M(ENDBR64), nothing, 0, 0},
    {M(LFENCE), nothing, 0, 0},
    {M(MFENCE), nothing, 0, 0},
    {M(SFENCE), nothing, 0, 0},
    {M(PREFETCH), nothing, 0, 0},
    {M(PREFETCHW), nothing, 0, 0},
    {M(PREFETCHT0), nothing, 0, 0},
    {M(PREFETCHT1), nothing, 0, 0},
    {M(PREFETCHT2), nothing, 0, 0},
    {M(PREFETCHNTA), nothing, 0, 0},
    {M(PUSH), push, 0, 0},
    {M(POP), pop, 0, 0},
    {M(LEAVE), leave, 0, 0},
    {M(LAHF), flags_to_ah, 0, 0},
    {M(SAHF), flags_of_ah, 0, 0},
    {M(XLAT), look_up, 0, 0},
    {M(CLD), nothing, 0, 0},
    {M(CLC), change_carry, CLEAR, 0},
    {M(STC), change_carry, SET, 0},
    {M(CMC), change_carry, COMPLEMENT, 0},
    {M(JMP), jump, 0, 0},
    {M(CALL), call, 0, 0},
    {M(RET), give_back, 0, 0},
    {M(JRCXZ), jump_by_count, JRCXZ, 0},
    {M(LOOP), jump_by_count, LOOP, 0},
    {M(LOOPE), jump_by_count, LOOP_IF_ZERO, 0},
    {M(LOOPNE), jump_by_count, LOOP_IF_NOT, 0},
    CONDITIONS(CMOV, move_if),
    CONDITIONS(SET, set_if),
    CONDITIONS(J, jump_if),
    {ZYDIS_MNEMONIC_INVALID, NULL, 0, 0},
};
