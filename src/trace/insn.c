/* trace/insn.c - one instruction's facts. See insn.h. */
#include "trace/insn.h"

#include <stdio.h>
#include <string.h>

enum vt_trace_arch vt_trace_arch_of(const char *name)
{
    static const char *const names[] = {
        [VT_TRACE_ARCH_X86_64] = "x86_64",
        [VT_TRACE_ARCH_AARCH64] = "aarch64",
        [VT_TRACE_ARCH_RISCV64] = "riscv64",
    };
    for (unsigned i = 1; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) {
            return (enum vt_trace_arch)i;
        }
    }
    return VT_TRACE_ARCH_OTHER;
}

/* ---------------------------------------------------------------- x86_64 */

enum operand_shape { SHAPE_NONE, SHAPE_REGISTER, SHAPE_VECTOR, SHAPE_MEMORY, SHAPE_IMMEDIATE };
static const char *const shape_names[] = {"", "r", "v", "m", "i"};
#define SHAPES_SHOWN 4u

/* 0-15, or -1: not a general register (rip, segments, vectors). */
static int general(ZydisRegister reg)
{
    ZydisRegister full = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);
    return full >= ZYDIS_REGISTER_RAX && full <= ZYDIS_REGISTER_R15
               ? (int)(full - ZYDIS_REGISTER_RAX)
               : -1;
}

static uint16_t bit_of(ZydisRegister reg)
{
    int n = general(reg);
    return n < 0 ? 0 : (uint16_t)(1u << n);
}

static void operands_of(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *operands,
                        struct vt_trace_insn_facts *facts)
{
    bool wide_load = false;
    unsigned shown = 0;
    facts->token = (uint32_t)insn->mnemonic << 12;
    for (unsigned i = 0; i < insn->operand_count; i++) {
        const ZydisDecodedOperand *o = &operands[i];
        bool reads = (o->actions & ZYDIS_OPERAND_ACTION_MASK_READ) != 0;
        bool writes = (o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
        enum operand_shape shape = SHAPE_NONE;
        if (o->type == ZYDIS_OPERAND_TYPE_REGISTER) {
            uint16_t bit = bit_of(o->reg.value);
            shape = bit != 0 ? SHAPE_REGISTER : SHAPE_VECTOR;
            facts->reads |= reads ? bit : 0;
            facts->writes |= writes ? bit : 0;
        } else if (o->type == ZYDIS_OPERAND_TYPE_MEMORY) {
            uint16_t address = bit_of(o->mem.base) | bit_of(o->mem.index);
            shape = SHAPE_MEMORY;
            facts->reads |= address;
            if (o->mem.type != ZYDIS_MEMOP_TYPE_AGEN) {
                facts->address |= address;
                facts->load |= reads;
                facts->store |= writes;
                wide_load |= reads && o->size == 64;
            }
        } else if (o->type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
            shape = SHAPE_IMMEDIATE;
        }
        if (o->visibility == ZYDIS_OPERAND_VISIBILITY_EXPLICIT && shown < SHAPES_SHOWN) {
            facts->token |= (uint32_t)shape << (3 * shown++);
        }
    }
    facts->has_token = true;
    facts->loads_pointer = wide_load && insn->meta.category == ZYDIS_CATEGORY_DATAXFER;
}

static bool steps_of(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *operands)
{
    switch (insn->mnemonic) {
    case ZYDIS_MNEMONIC_INC:
    case ZYDIS_MNEMONIC_DEC:
        return operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER;
    case ZYDIS_MNEMONIC_ADD:
    case ZYDIS_MNEMONIC_SUB:
        return operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
               operands[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
    case ZYDIS_MNEMONIC_LEA:
        return general(operands[0].reg.value) >= 0 &&
               general(operands[0].reg.value) == general(operands[1].mem.base) &&
               operands[1].mem.index == ZYDIS_REGISTER_NONE;
    default:
        return false;
    }
}

static enum vt_trace_flow flow_of(const ZydisDecodedInstruction *insn,
                                  const ZydisDecodedOperand *operands)
{
    bool direct = insn->operand_count_visible > 0 &&
                  operands[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE && operands[0].imm.is_relative;
    switch (insn->meta.category) {
    case ZYDIS_CATEGORY_CALL:
        return direct ? VT_FLOW_CALL : VT_FLOW_CALL_INDIRECT;
    case ZYDIS_CATEGORY_COND_BR:
        return VT_FLOW_CONDITIONAL;
    case ZYDIS_CATEGORY_UNCOND_BR:
        return direct ? VT_FLOW_JUMP : VT_FLOW_INDIRECT;
    case ZYDIS_CATEGORY_RET:
        return insn->mnemonic == ZYDIS_MNEMONIC_RET ? VT_FLOW_RETURN : VT_FLOW_EXCEPTION_RETURN;
    case ZYDIS_CATEGORY_SYSRET:
        return VT_FLOW_EXCEPTION_RETURN;
    case ZYDIS_CATEGORY_SYSCALL:
    case ZYDIS_CATEGORY_INTERRUPT:
        return VT_FLOW_TRAP;
    default:
        return VT_FLOW_NEXT;
    }
}

/* With 16 bits a target lies in a segment whose base nobody recorded: anywhere. */
static void target_of(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *operands,
                      uint64_t pc, struct vt_trace_insn_facts *facts)
{
    ZyanU64 target = 0;
    if (facts->flow != VT_FLOW_CALL && facts->flow != VT_FLOW_JUMP &&
        facts->flow != VT_FLOW_CONDITIONAL) {
        return;
    }
    if (insn->machine_mode != ZYDIS_MACHINE_MODE_LEGACY_16 &&
        ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(insn, &operands[0], pc, &target))) {
        facts->target = target;
    } else {
        facts->flow = facts->flow == VT_FLOW_CALL   ? VT_FLOW_CALL_INDIRECT
                      : facts->flow == VT_FLOW_JUMP ? VT_FLOW_INDIRECT
                                                    : VT_FLOW_UNKNOWN;
    }
}

static void x86(const ZydisDecoder *decoder, uint64_t pc, const uint8_t *bytes, unsigned size,
                struct vt_trace_insn_facts *facts)
{
    ZydisDecodedInstruction insn;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(decoder, bytes, size, &insn, operands)) ||
        insn.length != size) {
        return;
    }
    facts->flow = flow_of(&insn, operands);
    operands_of(&insn, operands, facts);
    facts->repeats = (insn.attributes &
                      (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE)) != 0;
    facts->steps = steps_of(&insn, operands);
    facts->class = vt_trace_x86_class(&insn, operands);
    target_of(&insn, operands, pc, facts);
}

const char *vt_trace_token_text(uint32_t token, char *out, size_t out_bytes)
{
    const char *mnemonic = ZydisMnemonicGetString((ZydisMnemonic)(token >> 12));
    size_t at = (size_t)snprintf(out, out_bytes, "%s", mnemonic != NULL ? mnemonic : "?");
    for (unsigned i = 0; i < SHAPES_SHOWN && at < out_bytes; i++) {
        unsigned shape = token >> (3 * i) & 7;
        if (shape == SHAPE_NONE || shape > SHAPE_IMMEDIATE) {
            break;
        }
        at += (size_t)snprintf(out + at, out_bytes - at, "%s%s", i == 0 ? " " : ",",
                               shape_names[shape]);
    }
    return out;
}

/* ---------------------------------------------------------------- the others */

static uint64_t ahead(uint64_t pc, uint64_t offset, unsigned bits)
{
    uint64_t sign = (uint64_t)1 << (bits - 1);
    return pc + ((offset ^ sign) - sign);
}

static void aarch64(uint64_t pc, uint32_t w, struct vt_trace_insn_facts *facts)
{
    facts->flow = VT_FLOW_NEXT;
    if ((w & 0x7c000000u) == 0x14000000u) { /* b, bl */
        facts->flow = (w & 0x80000000u) != 0 ? VT_FLOW_CALL : VT_FLOW_JUMP;
        facts->target = ahead(pc, (uint64_t)(w & 0x3ffffffu) << 2, 28);
    } else if ((w & 0xfe000000u) == 0x54000000u || (w & 0x7e000000u) == 0x34000000u) {
        facts->flow = VT_FLOW_CONDITIONAL; /* b.cond, cbz, cbnz */
        facts->target = ahead(pc, (uint64_t)(w >> 5 & 0x7ffffu) << 2, 21);
    } else if ((w & 0x7e000000u) == 0x36000000u) { /* tbz, tbnz */
        facts->flow = VT_FLOW_CONDITIONAL;
        facts->target = ahead(pc, (uint64_t)(w >> 5 & 0x3fffu) << 2, 16);
    } else if ((w & 0xfe000000u) == 0xd6000000u) { /* br, blr, ret, eret, with authentication too */
        unsigned op = w >> 21 & 7;
        facts->flow = op == 1   ? VT_FLOW_CALL_INDIRECT
                      : op == 2 ? VT_FLOW_RETURN
                      : op == 4 ? VT_FLOW_EXCEPTION_RETURN
                                : VT_FLOW_INDIRECT;
    } else if ((w & 0xff000000u) == 0xd4000000u) { /* svc, hvc, smc, brk */
        facts->flow = VT_FLOW_TRAP;
    }
    static const enum vt_trace_class classes[] = {
        [VT_FLOW_JUMP] = VT_INSN_BRANCH,        [VT_FLOW_CONDITIONAL] = VT_INSN_BRANCH,
        [VT_FLOW_INDIRECT] = VT_INSN_BRANCH,    [VT_FLOW_CALL] = VT_INSN_CALL,
        [VT_FLOW_CALL_INDIRECT] = VT_INSN_CALL, [VT_FLOW_RETURN] = VT_INSN_RETURN,
        [VT_FLOW_TRAP] = VT_INSN_SYSTEM,        [VT_FLOW_EXCEPTION_RETURN] = VT_INSN_SYSTEM,
    };
    if (facts->flow > VT_FLOW_NEXT) {
        facts->class = classes[facts->flow];
    }
}

/* A jump that keeps its way back is a call; ra is x1, and x5 where functions are outlined. */
static bool links(unsigned reg)
{
    return reg == 1 || reg == 5;
}

static void riscv64_wide(uint64_t pc, uint32_t w, struct vt_trace_insn_facts *facts)
{
    unsigned op = w & 0x7f, rd = w >> 7 & 31, rs1 = w >> 15 & 31;
    if (op == 0x6f) {
        uint64_t offset = (uint64_t)(w >> 31) << 20 | (w >> 12 & 0xff) << 12 | (w >> 20 & 1) << 11 |
                          (w >> 21 & 0x3ff) << 1;
        facts->flow = links(rd) ? VT_FLOW_CALL : VT_FLOW_JUMP;
        facts->target = ahead(pc, offset, 21);
    } else if (op == 0x67) {
        facts->flow = links(rd)               ? VT_FLOW_CALL_INDIRECT
                      : rd == 0 && links(rs1) ? VT_FLOW_RETURN
                                              : VT_FLOW_INDIRECT;
    } else if (op == 0x63) {
        uint64_t offset = (uint64_t)(w >> 31) << 12 | (w >> 7 & 1) << 11 | (w >> 25 & 0x3f) << 5 |
                          (w >> 8 & 0xf) << 1;
        facts->flow = VT_FLOW_CONDITIONAL;
        facts->target = ahead(pc, offset, 13);
    } else if (w == 0x10200073u || w == 0x30200073u) { /* sret, mret */
        facts->flow = VT_FLOW_EXCEPTION_RETURN;
    } else if (w == 0x00000073u || w == 0x00100073u) { /* ecall, ebreak */
        facts->flow = VT_FLOW_TRAP;
    }
}

static void riscv64_short(uint64_t pc, uint32_t w, struct vt_trace_insn_facts *facts)
{
    unsigned op = (w & 3) << 3 | w >> 13, rs1 = w >> 7 & 31;
    if (op == (1 << 3 | 5)) { /* c.j */
        uint64_t offset = (w >> 12 & 1) << 11 | (w >> 8 & 1) << 10 | (w >> 9 & 3) << 8 |
                          (w >> 6 & 1) << 7 | (w >> 7 & 1) << 6 | (w >> 2 & 1) << 5 |
                          (w >> 11 & 1) << 4 | (w >> 3 & 7) << 1;
        facts->flow = VT_FLOW_JUMP;
        facts->target = ahead(pc, offset, 12);
    } else if (op == (1 << 3 | 6) || op == (1 << 3 | 7)) { /* c.beqz, c.bnez */
        uint64_t offset = (w >> 12 & 1) << 8 | (w >> 5 & 3) << 6 | (w >> 2 & 1) << 5 |
                          (w >> 10 & 3) << 3 | (w >> 3 & 3) << 1;
        facts->flow = VT_FLOW_CONDITIONAL;
        facts->target = ahead(pc, offset, 9);
    } else if (op == (2 << 3 | 4) && (w >> 2 & 31) == 0 && rs1 != 0) { /* c.jr, c.jalr */
        facts->flow = (w >> 12 & 1) != 0 ? VT_FLOW_CALL_INDIRECT
                      : links(rs1)       ? VT_FLOW_RETURN
                                         : VT_FLOW_INDIRECT;
    } else if (w == 0x9002) { /* c.ebreak */
        facts->flow = VT_FLOW_TRAP;
    }
}

void vt_trace_insn_facts_of(const struct vt_trace_insn_decoder *decoder, uint64_t pc,
                            const uint8_t *bytes, unsigned size, struct vt_trace_insn_facts *facts)
{
    *facts = (struct vt_trace_insn_facts){.flow = VT_FLOW_UNKNOWN, .class = VT_INSN_UNKNOWN};
    uint32_t word = 0;
    for (unsigned i = 0; i < size && i < 4; i++) {
        word |= (uint32_t)bytes[i] << (8 * i);
    }
    if (decoder->arch == VT_TRACE_ARCH_X86_64 && size > 0) {
        x86(&decoder->x86, pc, bytes, size, facts);
    } else if (decoder->arch == VT_TRACE_ARCH_AARCH64 && size == 4) {
        aarch64(pc, word, facts);
    } else if (decoder->arch == VT_TRACE_ARCH_RISCV64 && size == 4) {
        facts->flow = VT_FLOW_NEXT;
        riscv64_wide(pc, word, facts);
    } else if (decoder->arch == VT_TRACE_ARCH_RISCV64 && size == 2) {
        facts->flow = VT_FLOW_NEXT;
        riscv64_short(pc, word, facts);
    }
}

void vt_trace_insn_decoder_init(struct vt_trace_insn_decoder *decoder, enum vt_trace_arch arch,
                                const struct vt_trace_block *block)
{
    decoder->arch = arch;
    if (arch == VT_TRACE_ARCH_X86_64) {
        vt_trace_x86_decoder(block, &decoder->x86);
    }
}
