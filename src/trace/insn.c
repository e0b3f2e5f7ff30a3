/* trace/insn.c - one instruction's facts. See insn.h. */
#include "trace/insn.h"

#include "base/cursor.h"
#include "trace/flow.h"

#include <stdio.h>
#include <string.h>

static const char *const names[] = {
    [VT_TRACE_ARCH_X86_64] = "x86_64",
    [VT_TRACE_ARCH_AARCH64] = "aarch64",
    [VT_TRACE_ARCH_RISCV64] = "riscv64",
};

enum vt_trace_arch vt_trace_arch_of(const char *name)
{
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
    return (uint16_t)(n < 0 ? 0u : 1u << (unsigned)n);
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

static enum vt_insn_flow flow_of(const ZydisDecodedInstruction *insn,
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

/* A jump that keeps its way back is a call; in riscv64 ra is x1, and x5 where code is outlined. */
static bool links(unsigned reg)
{
    return reg == 1 || reg == 5;
}

/* br, blr, ret and eret, with authentication too; svc, hvc, smc, brk. */
static enum vt_insn_flow aarch64_computed(uint32_t w)
{
    unsigned op = w >> 21 & 7;
    if ((w & 0xfe000000u) != 0xd6000000u) {
        return (w & 0xff000000u) == 0xd4000000u ? VT_FLOW_TRAP : VT_FLOW_UNKNOWN;
    }
    return op == 1   ? VT_FLOW_CALL_INDIRECT
           : op == 2 ? VT_FLOW_RETURN
           : op == 4 ? VT_FLOW_EXCEPTION_RETURN
                     : VT_FLOW_INDIRECT;
}

static enum vt_insn_flow riscv64_computed(uint32_t w, unsigned size)
{
    bool jump = size == 4 ? (w & 0x7f) == 0x67 : (w & 0xe07f) == 0x8002 && w != 0x9002;
    unsigned from = size == 4 ? w >> 15 & 31 : w >> 7 & 31;
    unsigned to = size == 4 ? w >> 7 & 31 : w >> 12 & 1;
    if (jump) {
        return links(to)                ? VT_FLOW_CALL_INDIRECT
               : to == 0 && links(from) ? VT_FLOW_RETURN
                                        : VT_FLOW_INDIRECT;
    }
    if (w == 0x10200073u || w == 0x30200073u) { /* sret, mret */
        return VT_FLOW_EXCEPTION_RETURN;
    }
    return w == 0x00000073u || w == 0x00100073u || w == 0x9002 ? VT_FLOW_TRAP : VT_FLOW_UNKNOWN;
}

static bool keeps_way_back(enum vt_trace_arch arch, uint32_t w, unsigned size)
{
    return arch == VT_TRACE_ARCH_AARCH64 ? w >> 31 != 0 : size == 4 && links(w >> 7 & 31);
}

static enum vt_trace_class class_of_flow(enum vt_insn_flow flow)
{
    switch (flow) {
    case VT_FLOW_JUMP:
    case VT_FLOW_CONDITIONAL:
    case VT_FLOW_INDIRECT:
        return VT_INSN_BRANCH;
    case VT_FLOW_CALL:
    case VT_FLOW_CALL_INDIRECT:
        return VT_INSN_CALL;
    case VT_FLOW_RETURN:
        return VT_INSN_RETURN;
    case VT_FLOW_TRAP:
    case VT_FLOW_EXCEPTION_RETURN:
        return VT_INSN_SYSTEM;
    case VT_FLOW_UNKNOWN:
    case VT_FLOW_NEXT:
        break;
    }
    return VT_INSN_UNKNOWN;
}

static void risc(enum vt_trace_arch arch, uint64_t pc, const uint8_t *bytes, unsigned size,
                 struct vt_trace_insn_facts *facts)
{
    bool arm = arch == VT_TRACE_ARCH_AARCH64;
    uint32_t word = size == 4 ? vt_le32(bytes) : vt_le16(bytes);
    struct vt_trace_flow flow = vt_trace_flow_of(names[arch], pc, bytes, size);
    switch (flow.kind) {
    case VT_TRACE_FLOW_FALLS:
    case VT_TRACE_FLOW_REPEATS:
        facts->flow = VT_FLOW_NEXT;
        break;
    case VT_TRACE_FLOW_JUMPS:
        facts->flow = keeps_way_back(arch, word, size) ? VT_FLOW_CALL : VT_FLOW_JUMP;
        break;
    case VT_TRACE_FLOW_BRANCHES:
        facts->flow = VT_FLOW_CONDITIONAL;
        break;
    case VT_TRACE_FLOW_ANYWHERE:
        facts->flow = arm ? aarch64_computed(word) : riscv64_computed(word, size);
        break;
    }
    facts->target = flow.target;
    facts->class = class_of_flow(facts->flow);
}

void vt_trace_insn_facts_of(const struct vt_trace_insn_decoder *decoder, uint64_t pc,
                            const uint8_t *bytes, unsigned size, struct vt_trace_insn_facts *facts)
{
    *facts = (struct vt_trace_insn_facts){.flow = VT_FLOW_UNKNOWN, .class = VT_INSN_UNKNOWN};
    if (decoder->arch == VT_TRACE_ARCH_X86_64 && size > 0) {
        x86(&decoder->x86, pc, bytes, size, facts);
    } else if (decoder->arch != VT_TRACE_ARCH_OTHER &&
               (size == 4 || (size == 2 && decoder->arch == VT_TRACE_ARCH_RISCV64))) {
        risc(decoder->arch, pc, bytes, size, facts);
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
