/* trace/decode.c - what the bytes of a block say: Zydis' decoder and formatter, and a class for
 * each instruction by its category, its operands and their elements.
 */
#include "trace/x86.h"

#include <stdio.h>
#include <string.h>

static const char *const classes[] = {
    [VT_INSN_ALU] = "alu",       [VT_INSN_LOAD] = "load",     [VT_INSN_STORE] = "store",
    [VT_INSN_MOVE] = "move",     [VT_INSN_FLOAT] = "float",   [VT_INSN_VECTOR] = "vector",
    [VT_INSN_STRING] = "string", [VT_INSN_BRANCH] = "branch", [VT_INSN_CALL] = "call",
    [VT_INSN_RETURN] = "return", [VT_INSN_SYSTEM] = "system", [VT_INSN_UNKNOWN] = "unknown",
};

const char *vt_trace_class_name(enum vt_trace_class class)
{
    return (size_t)class < sizeof classes / sizeof classes[0] ? classes[class] : "?";
}

enum vt_trace_machine vt_trace_machine_of(const char *arch)
{
    return strcmp(arch, "x86_64") == 0 || strcmp(arch, "i386") == 0 ? VT_TRACE_X86 : VT_TRACE_OTHER;
}

/* ---- how many bits the code runs with */

static const struct {
    ZydisMachineMode mode;
    ZydisStackWidth stack;
} modes[] = {
    {ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64},
    {ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32},
    {ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16},
};

static ZydisDecoder decoder_of(unsigned mode)
{
    ZydisDecoder decoder;
    ZydisDecoderInit(&decoder, modes[mode].mode, modes[mode].stack);
    return decoder;
}

/* How many instructions have QEMU's size in this mode. */
static unsigned agreeing(const struct vt_trace_block *block, unsigned mode)
{
    ZydisDecoder decoder = decoder_of(mode);
    ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_MINIMAL, ZYAN_TRUE);
    unsigned n = 0;
    size_t at = 0;
    for (unsigned i = 0; i < block->n && at < block->code_bytes; i++) {
        ZydisDecodedInstruction insn;
        if (ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, NULL, block->code + at,
                                                       block->code_bytes - at, &insn)) &&
            insn.length == block->sizes[i]) {
            n++;
        }
        at += block->sizes[i];
    }
    return n;
}

static unsigned mode_of(const struct vt_trace_block *block)
{
    unsigned best = 0, most = 0;
    for (unsigned mode = 0; mode < sizeof modes / sizeof modes[0]; mode++) {
        unsigned n = agreeing(block, mode);
        if (n == block->n) {
            return mode;
        }
        if (n > most) {
            best = mode;
            most = n;
        }
    }
    return best;
}

void vt_trace_x86_decoder(const struct vt_trace_block *block, ZydisDecoder *decoder)
{
    *decoder = decoder_of(mode_of(block));
}

/* ---- classes */

struct operands {
    bool loads, stores;
    bool vector, segment, floats;
};

static bool is_float(ZydisElementType type)
{
    return type == ZYDIS_ELEMENT_TYPE_FLOAT16 || type == ZYDIS_ELEMENT_TYPE_FLOAT32 ||
           type == ZYDIS_ELEMENT_TYPE_FLOAT64 || type == ZYDIS_ELEMENT_TYPE_FLOAT80;
}

static void look_at_register(const ZydisDecodedOperand *op, struct operands *all)
{
    switch (ZydisRegisterGetClass(op->reg.value)) {
    case ZYDIS_REGCLASS_MMX:
    case ZYDIS_REGCLASS_XMM:
    case ZYDIS_REGCLASS_YMM:
    case ZYDIS_REGCLASS_ZMM:
    case ZYDIS_REGCLASS_TMM:
    case ZYDIS_REGCLASS_MASK:
        all->vector = true;
        break;
    case ZYDIS_REGCLASS_SEGMENT:
        all->segment |= op->visibility == ZYDIS_OPERAND_VISIBILITY_EXPLICIT;
        break;
    default:
        break;
    }
}

static struct operands operands_of(const ZydisDecodedInstruction *insn,
                                   const ZydisDecodedOperand *ops)
{
    struct operands all = {0};
    for (unsigned i = 0; i < insn->operand_count; i++) {
        const ZydisDecodedOperand *op = &ops[i];
        if (op->type == ZYDIS_OPERAND_TYPE_MEMORY) {
            /* lea and multi-byte nops name memory that they do not touch. */
            if (op->mem.type == ZYDIS_MEMOP_TYPE_MEM || op->mem.type == ZYDIS_MEMOP_TYPE_VSIB) {
                all.loads |= (op->actions & ZYDIS_OPERAND_ACTION_MASK_READ) != 0;
                all.stores |= (op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
            }
        } else if (op->type == ZYDIS_OPERAND_TYPE_REGISTER) {
            look_at_register(op, &all);
        }
        all.floats |= is_float(op->element_type);
    }
    return all;
}

static bool does_nothing(const ZydisDecodedInstruction *insn)
{
    switch (insn->meta.category) {
    case ZYDIS_CATEGORY_NOP:
    case ZYDIS_CATEGORY_WIDENOP:
    case ZYDIS_CATEGORY_PREFETCH:
    case ZYDIS_CATEGORY_PREFETCHWT1:
        return true;
    default:
        return insn->mnemonic == ZYDIS_MNEMONIC_ENDBR64 ||
               insn->mnemonic == ZYDIS_MNEMONIC_ENDBR32 || insn->mnemonic == ZYDIS_MNEMONIC_PAUSE;
    }
}

static bool is_system(const ZydisDecodedInstruction *insn)
{
    switch (insn->meta.category) {
    case ZYDIS_CATEGORY_INTERRUPT:
    case ZYDIS_CATEGORY_IO:
    case ZYDIS_CATEGORY_IOSTRINGOP:
    case ZYDIS_CATEGORY_PT:
    case ZYDIS_CATEGORY_RDWRFSGS:
    case ZYDIS_CATEGORY_SEGOP:
    case ZYDIS_CATEGORY_SGX:
    case ZYDIS_CATEGORY_SMAP:
    case ZYDIS_CATEGORY_SYSCALL:
    case ZYDIS_CATEGORY_SYSRET:
    case ZYDIS_CATEGORY_SYSTEM:
    case ZYDIS_CATEGORY_VTX:
    case ZYDIS_CATEGORY_XSAVE:
    case ZYDIS_CATEGORY_XSAVEOPT:
        return true;
    default:
        break;
    }
    switch (insn->mnemonic) {
    case ZYDIS_MNEMONIC_CPUID:
    case ZYDIS_MNEMONIC_IRET:
    case ZYDIS_MNEMONIC_IRETD:
    case ZYDIS_MNEMONIC_IRETQ:
    case ZYDIS_MNEMONIC_UD0:
    case ZYDIS_MNEMONIC_UD1:
    case ZYDIS_MNEMONIC_UD2:
        return true;
    default:
        return (insn->attributes & ZYDIS_ATTRIB_IS_PRIVILEGED) != 0;
    }
}

static enum vt_trace_class class_of(const ZydisDecodedInstruction *insn, const struct operands *ops)
{
    if (is_system(insn)) {
        return VT_INSN_SYSTEM;
    }
    if (does_nothing(insn)) {
        return VT_INSN_MOVE;
    }
    switch (insn->meta.category) {
    case ZYDIS_CATEGORY_CALL:
        return VT_INSN_CALL;
    case ZYDIS_CATEGORY_RET:
        return VT_INSN_RETURN;
    case ZYDIS_CATEGORY_COND_BR:
    case ZYDIS_CATEGORY_UNCOND_BR:
        return VT_INSN_BRANCH;
    case ZYDIS_CATEGORY_STRINGOP:
        return VT_INSN_STRING;
    case ZYDIS_CATEGORY_X87_ALU:
    case ZYDIS_CATEGORY_FCMOV:
        return VT_INSN_FLOAT;
    case ZYDIS_CATEGORY_CMOV:
        return VT_INSN_MOVE;
    case ZYDIS_CATEGORY_POP:
        return VT_INSN_LOAD;
    case ZYDIS_CATEGORY_PUSH:
        return VT_INSN_STORE;
    case ZYDIS_CATEGORY_BROADCAST:
    case ZYDIS_CATEGORY_DATAXFER:
    case ZYDIS_CATEGORY_GATHER:
    case ZYDIS_CATEGORY_SCATTER:
        if (ops->segment) {
            return VT_INSN_SYSTEM;
        }
        return ops->stores   ? VT_INSN_STORE
               : ops->loads  ? VT_INSN_LOAD
               : ops->vector ? VT_INSN_VECTOR
                             : VT_INSN_MOVE;
    default:
        return !ops->vector ? VT_INSN_ALU : ops->floats ? VT_INSN_FLOAT : VT_INSN_VECTOR;
    }
}

enum vt_trace_class vt_trace_x86_class(const ZydisDecodedInstruction *insn,
                                       const ZydisDecodedOperand *operands)
{
    struct operands all = operands_of(insn, operands);
    return class_of(insn, &all);
}

/* ---- one instruction */

static void bad(struct vt_trace_instruction *insn)
{
    insn->class = VT_INSN_UNKNOWN;
    snprintf(insn->mnemonic, sizeof insn->mnemonic, "(bad)");
    snprintf(insn->text, sizeof insn->text, "(bad)");
}

/* With 16 bits a target lies in a segment whose base nobody recorded. */
static uint64_t target_of(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *ops,
                          uint64_t pc)
{
    ZyanU64 target;
    if (insn->operand_count_visible == 0 || ops[0].type != ZYDIS_OPERAND_TYPE_IMMEDIATE ||
        !ops[0].imm.is_relative || insn->machine_mode == ZYDIS_MACHINE_MODE_LEGACY_16 ||
        !ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(insn, &ops[0], pc, &target))) {
        return VT_TRACE_NO_TARGET;
    }
    return target;
}

static void write_text(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *ops,
                       struct vt_trace_instruction *to)
{
    char text[256] = "";
    ZydisFormatter formatter;
    ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL);
    ZydisFormatterSetProperty(&formatter, ZYDIS_FORMATTER_PROP_HEX_UPPERCASE, ZYAN_FALSE);
    ZydisFormatterSetProperty(&formatter, ZYDIS_FORMATTER_PROP_FORCE_SIZE, ZYAN_TRUE);
    ZydisFormatterSetProperty(&formatter, ZYDIS_FORMATTER_PROP_ADDR_PADDING_ABSOLUTE,
                              ZYDIS_PADDING_DISABLED);
    ZydisFormatterSetProperty(&formatter, ZYDIS_FORMATTER_PROP_DISP_PADDING,
                              ZYDIS_PADDING_DISABLED);
    ZydisFormatterSetProperty(&formatter, ZYDIS_FORMATTER_PROP_IMM_PADDING, ZYDIS_PADDING_DISABLED);
    const char *mnemonic = ZydisMnemonicGetString(insn->mnemonic);
    snprintf(to->mnemonic, sizeof to->mnemonic, "%s", mnemonic != NULL ? mnemonic : "?");
    if (!ZYAN_SUCCESS(ZydisFormatterFormatInstruction(
            &formatter, insn, ops, insn->operand_count_visible, text, sizeof text, to->pc, NULL))) {
        snprintf(text, sizeof text, "%s", to->mnemonic);
    }
    text[sizeof to->text - 1] = 0;
    memcpy(to->text, text, sizeof to->text);
}

void vt_trace_decode(const struct vt_trace_block *block, unsigned i,
                     struct vt_trace_instruction *insn)
{
    *insn = (struct vt_trace_instruction){.pc = block->pc, .target = VT_TRACE_NO_TARGET};
    bad(insn);
    if (i >= block->n) {
        return;
    }
    size_t at = 0;
    for (unsigned k = 0; k < i; k++) {
        at += block->sizes[k];
    }
    insn->pc += at;
    insn->size = block->sizes[i];
    if (insn->size == 0 || at + insn->size > block->code_bytes) {
        return;
    }
    insn->bytes = block->code + at;
    if (block->machine != VT_TRACE_X86) {
        return;
    }
    ZydisDecoder decoder;
    vt_trace_x86_decoder(block, &decoder);
    ZydisDecodedInstruction decoded;
    ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, insn->bytes, insn->size, &decoded, ops)) ||
        decoded.length != insn->size) {
        return;
    }
    struct operands all = operands_of(&decoded, ops);
    insn->class = class_of(&decoded, &all);
    insn->loads = all.loads && !does_nothing(&decoded);
    insn->stores = all.stores;
    insn->conditional = decoded.meta.category == ZYDIS_CATEGORY_COND_BR;
    insn->target = target_of(&decoded, ops, insn->pc);
    write_text(&decoded, ops, insn);
}
