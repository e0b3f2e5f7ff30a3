/* trace/registers_decode.c - what an instruction is made of, for those who execute it. See
 * registers.h.
 */
#include "trace/registers.h"

static const struct vt_x86_semantics *find(const struct vt_x86_semantics *table,
                                           const ZydisDecodedInstruction *insn)
{
    bool string = insn->meta.category == ZYDIS_CATEGORY_STRINGOP;
    for (; table->execute != NULL; table++) {
        if (table->mnemonic == insn->mnemonic && table->string == string) {
            return table;
        }
    }
    return NULL;
}

/* A general register's number, or NO_REGISTER; *shift is 8 of ah, ch, dh, bh. */
static uint8_t general(ZydisRegister reg, uint8_t *shift)
{
    *shift = reg >= ZYDIS_REGISTER_AH && reg <= ZYDIS_REGISTER_BH ? 8 : 0;
    switch (ZydisRegisterGetClass(reg)) {
    case ZYDIS_REGCLASS_GPR8:
    case ZYDIS_REGCLASS_GPR16:
    case ZYDIS_REGCLASS_GPR32:
    case ZYDIS_REGCLASS_GPR64:
        break;
    default:
        return VT_X86_NO_REGISTER;
    }
    ZydisRegister full = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);
    return full >= ZYDIS_REGISTER_RAX && full <= ZYDIS_REGISTER_R15
               ? (uint8_t)(full - ZYDIS_REGISTER_RAX)
               : VT_X86_NO_REGISTER;
}

static uint8_t vector(ZydisRegister reg)
{
    switch (ZydisRegisterGetClass(reg)) {
    case ZYDIS_REGCLASS_XMM:
    case ZYDIS_REGCLASS_YMM:
    case ZYDIS_REGCLASS_ZMM:
        break;
    default:
        return VT_X86_NO_REGISTER;
    }
    ZyanI8 id = ZydisRegisterGetId(reg);
    return id >= 0 && id < (int)VT_X86_VECTORS ? (uint8_t)id : VT_X86_NO_REGISTER;
}

static uint16_t bit(uint8_t reg)
{
    return (uint16_t)(reg < VT_X86_VECTORS ? 1U << reg : 0U);
}

static void address_of(const ZydisDecodedOperand *from, struct vt_x86_insn *to)
{
    uint8_t shift;
    to->base = from->mem.base == ZYDIS_REGISTER_RIP || from->mem.base == ZYDIS_REGISTER_EIP
                   ? VT_X86_RIP
                   : general(from->mem.base, &shift);
    to->index = general(from->mem.index, &shift);
    to->scale = from->mem.scale;
    to->displacement = from->mem.disp.has_displacement ? (uint64_t)from->mem.disp.value : 0;
    to->segment = from->mem.segment == ZYDIS_REGISTER_FS   ? VT_TRACE_FS_BASE
                  : from->mem.segment == ZYDIS_REGISTER_GS ? VT_TRACE_GS_BASE
                                                           : VT_X86_NO_REGISTER;
    /* An address of nothing (lea) has no segment. */
    if (from->mem.type == ZYDIS_MEMOP_TYPE_AGEN) {
        to->segment = VT_X86_NO_REGISTER;
    } else if (to->mode != 64) {
        to->segment_unknown = true;
    }
}

static void operand_of(const ZydisDecodedOperand *from, struct vt_x86_insn *insn,
                       struct vt_x86_operand *to)
{
    to->kind = VT_X86_OTHER;
    to->bits = from->size;
    switch (from->type) {
    case ZYDIS_OPERAND_TYPE_REGISTER:
        to->reg = general(from->reg.value, &to->shift);
        if (to->reg != VT_X86_NO_REGISTER) {
            to->kind = VT_X86_REGISTER;
        } else if ((to->reg = vector(from->reg.value)) != VT_X86_NO_REGISTER) {
            to->kind = VT_X86_VECTOR;
        }
        break;
    case ZYDIS_OPERAND_TYPE_MEMORY:
        if (from->mem.type == ZYDIS_MEMOP_TYPE_MEM || from->mem.type == ZYDIS_MEMOP_TYPE_AGEN) {
            to->kind = VT_X86_MEMORY;
            address_of(from, insn);
        }
        break;
    case ZYDIS_OPERAND_TYPE_IMMEDIATE:
        to->kind = VT_X86_IMMEDIATE;
        break;
    default:
        break;
    }
}

static void effects_of(const ZydisDecodedOperand *o, struct vt_x86_insn *to)
{
    bool reads = (o->actions & ZYDIS_OPERAND_ACTION_MASK_READ) != 0;
    bool writes = (o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
    uint8_t shift;
    if (o->type == ZYDIS_OPERAND_TYPE_MEMORY) {
        to->reads |= bit(general(o->mem.base, &shift)) | bit(general(o->mem.index, &shift));
    } else if (o->type == ZYDIS_OPERAND_TYPE_REGISTER) {
        uint16_t one = bit(general(o->reg.value, &shift));
        to->reads |= reads ? one : 0;
        to->writes |= writes ? one : 0;
        to->writes_vectors |= writes ? bit(vector(o->reg.value)) : 0;
        to->loads_fs |= writes && o->reg.value == ZYDIS_REGISTER_FS;
        to->loads_gs |= writes && o->reg.value == ZYDIS_REGISTER_GS;
    }
}

/* With 16 bits a target lies in a segment whose base nobody recorded. */
static enum vt_x86_way way_of(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *o,
                              struct vt_x86_insn *to)
{
    ZyanU64 target = 0;
    bool direct = insn->operand_count_visible > 0 && o[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
                  o[0].imm.is_relative &&
                  ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(insn, &o[0], to->pc, &target));
    to->target = target;
    switch (insn->meta.category) {
    case ZYDIS_CATEGORY_COND_BR:
        return direct && to->mode != 16 ? VT_X86_CONDITIONAL : VT_X86_NOWHERE;
    case ZYDIS_CATEGORY_CALL:
    case ZYDIS_CATEGORY_UNCOND_BR:
    case ZYDIS_CATEGORY_RET:
        if (insn->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR || to->mode == 16) {
            return VT_X86_NOWHERE;
        }
        return direct ? VT_X86_DIRECT : VT_X86_COMPUTED;
    case ZYDIS_CATEGORY_VTX:
    case ZYDIS_CATEGORY_SGX:
    case ZYDIS_CATEGORY_SYSCALL:
    case ZYDIS_CATEGORY_SYSRET:
    case ZYDIS_CATEGORY_INTERRUPT:
        return VT_X86_NOWHERE;
    default:
        break;
    }
    switch (insn->mnemonic) {
    case ZYDIS_MNEMONIC_LGDT:
    case ZYDIS_MNEMONIC_LLDT:
    case ZYDIS_MNEMONIC_RSM:
    case ZYDIS_MNEMONIC_VMRUN:
    case ZYDIS_MNEMONIC_VMMCALL:
    case ZYDIS_MNEMONIC_XBEGIN:
    case ZYDIS_MNEMONIC_XEND:
    case ZYDIS_MNEMONIC_XABORT:
        return VT_X86_NOWHERE;
    case ZYDIS_MNEMONIC_MOV:
        return o[0].type == ZYDIS_OPERAND_TYPE_REGISTER && o[0].reg.value == ZYDIS_REGISTER_CR3
                   ? VT_X86_ROOT
                   : VT_X86_NEXT;
    default:
        return to->repeat != 0 ? VT_X86_AGAIN : VT_X86_NEXT;
    }
}

static void prefixes_of(const ZydisDecodedInstruction *insn, struct vt_x86_insn *to)
{
    to->repeat = 0;
    if ((insn->attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE)) != 0) {
        to->repeat = 0xf3;
    } else if ((insn->attributes & ZYDIS_ATTRIB_HAS_REPNE) != 0) {
        to->repeat = 0xf2;
    }
    to->lock = (insn->attributes & ZYDIS_ATTRIB_HAS_LOCK) != 0;
}

/* Those that Zydis does not name. */
static bool loads_all_vectors(ZydisMnemonic mnemonic)
{
    switch (mnemonic) {
    case ZYDIS_MNEMONIC_FXRSTOR:
    case ZYDIS_MNEMONIC_FXRSTOR64:
    case ZYDIS_MNEMONIC_XRSTOR:
    case ZYDIS_MNEMONIC_XRSTOR64:
    case ZYDIS_MNEMONIC_XRSTORS:
    case ZYDIS_MNEMONIC_XRSTORS64:
    case ZYDIS_MNEMONIC_VZEROALL:
        return true;
    default:
        return false;
    }
}

void vt_x86_insn_decode(const ZydisDecoder *decoder, uint64_t pc, const uint8_t *bytes,
                        unsigned size, struct vt_x86_insn *to)
{
    ZydisDecodedInstruction insn;
    ZydisDecodedOperand o[ZYDIS_MAX_OPERAND_COUNT];
    *to = (struct vt_x86_insn){
        .pc = pc,
        .next = pc + size,
        .way = VT_X86_NOWHERE,
        .base = VT_X86_NO_REGISTER,
        .index = VT_X86_NO_REGISTER,
        .segment = VT_X86_NO_REGISTER,
        .condition = VT_X86_NO_REGISTER,
    };
    if (size == 0 || !ZYAN_SUCCESS(ZydisDecoderDecodeFull(decoder, bytes, size, &insn, o)) ||
        insn.length != size) {
        return;
    }
    to->mode = decoder->machine_mode == ZYDIS_MACHINE_MODE_LONG_64     ? 64
               : decoder->machine_mode == ZYDIS_MACHINE_MODE_LEGACY_32 ? 32
                                                                       : 16;
    to->bits = insn.operand_width;
    to->address = insn.address_width;
    prefixes_of(&insn, to);
    bool second = false;
    for (unsigned i = 0; i < insn.operand_count; i++) {
        effects_of(&o[i], to);
        if (i >= insn.operand_count_visible || to->n == 4) {
            continue;
        }
        if (o[i].type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
            *(second ? &to->immediate2 : &to->immediate) = o[i].imm.value.u;
            second = true;
        }
        operand_of(&o[i], to, &to->o[to->n++]);
    }
    to->from_root = insn.mnemonic == ZYDIS_MNEMONIC_MOV &&
                    o[1].type == ZYDIS_OPERAND_TYPE_REGISTER &&
                    o[1].reg.value == ZYDIS_REGISTER_CR3;
    if (loads_all_vectors(insn.mnemonic)) {
        to->writes_vectors = UINT16_MAX;
    }
    if (insn.cpu_flags != NULL) {
        to->flags = (insn.cpu_flags->modified | insn.cpu_flags->set_0 | insn.cpu_flags->set_1 |
                     insn.cpu_flags->undefined) &
                    VT_FLAGS;
    }
    switch (insn.meta.category) {
    case ZYDIS_CATEGORY_COND_BR:
        if (insn.opcode >= 0xe0 && insn.opcode <= 0xe3) {
            break;
        }
        __attribute__((fallthrough));
    case ZYDIS_CATEGORY_CMOV:
    case ZYDIS_CATEGORY_SETCC:
        to->condition = insn.opcode & 15;
        break;
    default:
        break;
    }
    to->way = (uint8_t)way_of(&insn, o, to);
    /* Masks and broadcasts: not here. */
    if (insn.encoding == ZYDIS_INSTRUCTION_ENCODING_EVEX) {
        return;
    }
    const struct vt_x86_semantics *semantics = find(vt_x86_arithmetic, &insn);
    semantics = semantics != NULL ? semantics : find(vt_x86_moves, &insn);
    semantics = semantics != NULL ? semantics : find(vt_x86_strings, &insn);
    if (semantics != NULL && insn.meta.branch_type != ZYDIS_BRANCH_TYPE_FAR) {
        to->execute = semantics->execute;
        to->kind = semantics->kind;
        to->way = semantics->way != VT_X86_NEXT ? semantics->way : to->way;
    }
}
