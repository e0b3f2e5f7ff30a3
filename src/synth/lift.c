/* synth/lift.c - one instruction: decoding, operands, and what is refused. See lift.h,
 * lift_parts.h.
 */
#include "synth/lift_parts.h"

#include <string.h>

void vt_lifter_init(struct vt_lifter *l, struct vt_terms *terms)
{
    *l = (struct vt_lifter){.terms = terms};
    ZydisDecoderInit(&l->decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
}

void vt_lift_symbols(struct vt_terms *terms, struct vt_lift_state *state)
{
    static const char *const registers[16] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp",
                                              "rsi", "rdi", "r8",  "r9",  "r10", "r11",
                                              "r12", "r13", "r14", "r15"};
    static const char *const flags[VT_LIFT_FLAGS] = {"cf", "pf", "af", "zf", "sf", "of"};
    for (unsigned i = 0; i < 16; i++) {
        state->r[i] = vt_term_symbol(terms, 64, registers[i]);
    }
    for (unsigned i = 0; i < VT_LIFT_FLAGS; i++) {
        state->flag[i] = vt_term_symbol(terms, 1, flags[i]);
    }
    for (unsigned i = 0; i < 16; i++) {
        for (unsigned half = 0; half < 4; half++) {
            char name[24];
            (void)snprintf(name, sizeof name, "%cmm%u.%s", half < 2 ? 'x' : 'y', i,
                           half % 2 == 0 ? "low" : "high");
            state->xmm[i][half] = vt_term_symbol(terms, 64, name);
        }
    }
    state->fs_base = vt_term_symbol(terms, 64, "fs.base");
    state->gs_base = vt_term_symbol(terms, 64, "gs.base");
}

void vt_lift_refuse(struct vt_lift_run *x, const char *why)
{
    x->refused = x->refused != NULL ? x->refused : why;
}

/* ---------------------------------------------------------------- registers */

/* A general register's number, or -1; *first is 8 of ah, ch, dh, bh. */
static int general(ZydisRegister reg, unsigned *first)
{
    *first = reg >= ZYDIS_REGISTER_AH && reg <= ZYDIS_REGISTER_BH ? 8 : 0;
    switch (ZydisRegisterGetClass(reg)) {
    case ZYDIS_REGCLASS_GPR8:
    case ZYDIS_REGCLASS_GPR16:
    case ZYDIS_REGCLASS_GPR32:
    case ZYDIS_REGCLASS_GPR64:
        break;
    default:
        return -1;
    }
    ZydisRegister full = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);
    return full >= ZYDIS_REGISTER_RAX && full <= ZYDIS_REGISTER_R15
               ? (int)(full - ZYDIS_REGISTER_RAX)
               : -1;
}

vt_term vt_lift_register(struct vt_lift_run *x, unsigned reg, unsigned bits)
{
    return vt_term_extract(x->t, x->s->r[reg], 0, bits);
}

static void set_part(struct vt_lift_run *x, unsigned reg, unsigned first, vt_term value)
{
    unsigned bits = vt_term_bits(x->t, value);
    vt_term old = x->s->r[reg], all = value;
    if (bits == 32) {
        all = vt_term_zext(x->t, value, 64);
    } else if (bits < 32 && bits != 0) {
        if (first != 0) {
            all = vt_term_concat(x->t, all, vt_term_extract(x->t, old, 0, first));
        }
        unsigned rest = first + bits;
        all = vt_term_concat(x->t, vt_term_extract(x->t, old, rest, 64 - rest), all);
    }
    x->s->r[reg] = all;
    x->out.registers |= (uint16_t)(1U << reg);
}

void vt_lift_set_register(struct vt_lift_run *x, unsigned reg, unsigned bits, vt_term value)
{
    set_part(x, reg, 0, vt_term_zext(x->t, value, bits));
}

/* ---------------------------------------------------------------- memory */

/* base + index × scale + displacement, in the size of an address. */
static vt_term address_of(struct vt_lift_run *x, const ZydisDecodedOperand *o)
{
    unsigned bits = x->insn.address_width, ignored;
    uint64_t constant = o->mem.disp.has_displacement ? (uint64_t)o->mem.disp.value : 0;
    vt_term sum = 0;
    if (o->mem.base == ZYDIS_REGISTER_RIP || o->mem.base == ZYDIS_REGISTER_EIP) {
        constant += x->pc + x->insn.length;
    } else if (o->mem.base != ZYDIS_REGISTER_NONE) {
        int base = general(o->mem.base, &ignored);
        if (base < 0) {
            vt_lift_refuse(x, "an address of no general register");
            return 0;
        }
        sum = vt_lift_register(x, (unsigned)base, bits);
    }
    if (o->mem.index != ZYDIS_REGISTER_NONE) {
        int index = general(o->mem.index, &ignored);
        if (index < 0) {
            vt_lift_refuse(x, "an address of no general register");
            return 0;
        }
        vt_term scaled = vt_lift_2(x, VT_PIXEL_MUL, vt_lift_register(x, (unsigned)index, bits),
                                   vt_lift_const(x, bits, o->mem.scale != 0 ? o->mem.scale : 1));
        sum = sum != 0 ? vt_lift_2(x, VT_PIXEL_ADD, sum, scaled) : scaled;
    }
    vt_term last = vt_lift_const(x, bits, constant);
    return sum != 0 ? vt_lift_2(x, VT_PIXEL_ADD, sum, last) : last;
}

vt_term vt_lift_address(struct vt_lift_run *x, unsigned k)
{
    const ZydisDecodedOperand *o = &x->o[k];
    if (x->address != 0) {
        return x->address;
    }
    vt_term address = address_of(x, o);
    address = address != 0 ? vt_term_zext(x->t, address, 64) : 0;
    if (o->mem.type != ZYDIS_MEMOP_TYPE_AGEN) {
        vt_term base = o->mem.segment == ZYDIS_REGISTER_FS   ? x->s->fs_base
                       : o->mem.segment == ZYDIS_REGISTER_GS ? x->s->gs_base
                                                             : 0;
        address = base != 0 ? vt_lift_2(x, VT_PIXEL_ADD, base, address) : address;
    }
    return x->address = address;
}

vt_term vt_lift_load(struct vt_lift_run *x, vt_term address, unsigned bytes)
{
    if (x->refused != NULL) {
        return 0;
    }
    vt_term value = x->memory->load(x->memory->arg, address, bytes);
    if (value == 0 && !vt_terms_broken(x->t)) {
        vt_lift_refuse(x, x->memory->why);
    }
    return value;
}

void vt_lift_store(struct vt_lift_run *x, vt_term address, vt_term value)
{
    if (x->refused == NULL && value != 0 && !x->memory->store(x->memory->arg, address, value)) {
        vt_lift_refuse(x, x->memory->why);
    }
}

/* ---------------------------------------------------------------- operands */

uint64_t vt_lift_immediate(const struct vt_lift_run *x, unsigned k)
{
    return x->o[k].imm.value.u;
}

vt_term vt_lift_read(struct vt_lift_run *x, unsigned k)
{
    const ZydisDecodedOperand *o = &x->o[k];
    unsigned first;
    int reg;
    switch (o->type) {
    case ZYDIS_OPERAND_TYPE_REGISTER:
        if ((reg = general(o->reg.value, &first)) >= 0) {
            return vt_term_extract(x->t, x->s->r[reg], first, o->size);
        }
        break;
    case ZYDIS_OPERAND_TYPE_MEMORY:
        if (o->size == 8 || o->size == 16 || o->size == 32 || o->size == 64) {
            return vt_lift_load(x, vt_lift_address(x, k), o->size / 8U);
        }
        break;
    case ZYDIS_OPERAND_TYPE_IMMEDIATE:
        return vt_lift_const(x, x->insn.operand_width, o->imm.value.u);
    default:
        break;
    }
    vt_lift_refuse(x, "an operand that is no general register, memory or number");
    return 0;
}

void vt_lift_write(struct vt_lift_run *x, unsigned k, vt_term value)
{
    const ZydisDecodedOperand *o = &x->o[k];
    unsigned first;
    int reg = o->type == ZYDIS_OPERAND_TYPE_REGISTER ? general(o->reg.value, &first) : -1;
    if (reg >= 0) {
        set_part(x, (unsigned)reg, first, value);
    } else if (o->type == ZYDIS_OPERAND_TYPE_MEMORY) {
        vt_lift_store(x, vt_lift_address(x, k), value);
    } else {
        vt_lift_refuse(x, "a destination that is no general register or memory");
    }
}

static int vector_register(const ZydisDecodedOperand *o)
{
    ZydisRegister reg = o->reg.value;
    bool is = o->type == ZYDIS_OPERAND_TYPE_REGISTER;
    return is && reg >= ZYDIS_REGISTER_XMM0 && reg <= ZYDIS_REGISTER_XMM15
               ? (int)(reg - ZYDIS_REGISTER_XMM0)
           : is && reg >= ZYDIS_REGISTER_YMM0 && reg <= ZYDIS_REGISTER_YMM15
               ? (int)(reg - ZYDIS_REGISTER_YMM0)
               : -1;
}

int vt_lift_xmm(const struct vt_lift_run *x, unsigned k)
{
    return vector_register(&x->o[k]);
}

bool vt_lift_is_wide(const ZydisDecodedOperand *o)
{
    return o->type == ZYDIS_OPERAND_TYPE_REGISTER
               ? ZydisRegisterGetClass(o->reg.value) == ZYDIS_REGCLASS_YMM
               : o->size == 256;
}

/* Bytes from a memory operand's address on. */
static vt_term address_at(struct vt_lift_run *x, unsigned bytes)
{
    return vt_lift_2(x, VT_PIXEL_ADD, x->address, vt_lift_const(x, 64, bytes));
}

void vt_lift_read_vector(struct vt_lift_run *x, unsigned k, vt_term v[2])
{
    int reg = vt_lift_xmm(x, k);
    /* Of 128 bits there is no upper half: counts of shifts. */
    unsigned half = vt_lift_is_wide(&x->o[k]) ? x->half : 0;
    v[0] = v[1] = 0;
    if (reg >= 0) {
        memcpy(v, x->vectors[reg] + half, 2 * sizeof v[0]);
    } else if (vt_lift_is_memory(x, k) && (x->o[k].size == 128 || x->o[k].size == 256)) {
        (void)vt_lift_address(x, k);
        v[0] = vt_lift_load(x, address_at(x, 8 * half), 8);
        v[1] = vt_lift_load(x, address_at(x, 8 * half + 8), 8);
    } else {
        vt_lift_refuse(x, "an operand that is no vector register or memory of 16 or 32 bytes");
    }
}

void vt_lift_write_vector(struct vt_lift_run *x, unsigned k, const vt_term v[2])
{
    int reg = vector_register(x->apart ? &x->to : &x->o[k]);
    if (reg >= 0) {
        vt_term *to = x->s->xmm[reg];
        memcpy(to + x->half, v, 2 * sizeof v[0]);
        x->out.vectors |= (uint16_t)(1U << reg);
        if (x->avx && x->half == 0) {
            to[2] = to[3] = vt_lift_const(x, 64, 0);
        }
    } else if (vt_lift_is_memory(x, k)) {
        (void)vt_lift_address(x, k);
        vt_lift_store(x, address_at(x, 8 * x->half), v[0]);
        vt_lift_store(x, address_at(x, 8 * x->half + 8), v[1]);
    } else {
        vt_lift_refuse(x, "a destination that is no vector register or memory");
    }
}

/* ---------------------------------------------------------------- flags */

vt_term vt_lift_flag(struct vt_lift_run *x, enum vt_lift_flag flag)
{
    if ((x->out.flags_written >> flag & 1) == 0) {
        x->out.flags_read |= (uint8_t)(1U << flag);
    }
    return x->s->flag[flag];
}

void vt_lift_set_flag(struct vt_lift_run *x, enum vt_lift_flag flag, vt_term bit)
{
    x->s->flag[flag] = bit;
    x->out.flags_written |= (uint8_t)(1U << flag);
}

void vt_lift_forget_flag(struct vt_lift_run *x, enum vt_lift_flag flag)
{
    vt_lift_set_flag(x, flag, vt_term_havoc(x->t, 1));
}

void vt_lift_flags_of(struct vt_lift_run *x, vt_term result)
{
    unsigned bits = vt_term_bits(x->t, result);
    vt_term low = vt_term_extract(x->t, result, 0, 8);
    vt_lift_set_flag(x, VT_LIFT_SF, vt_lift_bit(x, result, bits - 1));
    vt_lift_set_flag(x, VT_LIFT_ZF, vt_lift_is_zero(x, result));
    vt_lift_set_flag(x, VT_LIFT_PF,
                     vt_lift_not(x, vt_lift_bit(x, vt_term_1(x->t, VT_PIXEL_POPCNT, low), 0)));
}

vt_term vt_lift_condition(struct vt_lift_run *x, unsigned condition)
{
    vt_term is = 0;
    switch (condition >> 1) {
    case 0:
        is = vt_lift_flag(x, VT_LIFT_OF);
        break;
    case 1:
        is = vt_lift_flag(x, VT_LIFT_CF);
        break;
    case 2:
        is = vt_lift_flag(x, VT_LIFT_ZF);
        break;
    case 3:
        is = vt_lift_2(x, VT_PIXEL_OR, vt_lift_flag(x, VT_LIFT_CF), vt_lift_flag(x, VT_LIFT_ZF));
        break;
    case 4:
        is = vt_lift_flag(x, VT_LIFT_SF);
        break;
    case 5:
        is = vt_lift_flag(x, VT_LIFT_PF);
        break;
    default:
        is = vt_lift_2(x, VT_PIXEL_XOR, vt_lift_flag(x, VT_LIFT_SF), vt_lift_flag(x, VT_LIFT_OF));
        if (condition >> 1 == 7) {
            is = vt_lift_2(x, VT_PIXEL_OR, vt_lift_flag(x, VT_LIFT_ZF), is);
        }
        break;
    }
    return (condition & 1) != 0 ? vt_lift_not(x, is) : is;
}

/* ---------------------------------------------------------------- one instruction */

const struct vt_lift_semantics *const vt_lift_tables[VT_LIFT_TABLES] = {
    vt_lift_strings, vt_lift_moves, vt_lift_arithmetic, vt_lift_shifts, vt_lift_long,
    vt_lift_vector,  vt_lift_lanes, vt_lift_shuffles,   vt_lift_avx};

static const struct vt_lift_semantics *find(const ZydisDecodedInstruction *insn)
{
    /* movsd and cmpsd name strings, and vectors. */
    size_t first = insn->meta.category == ZYDIS_CATEGORY_STRINGOP ? 0 : 1;
    size_t end = first == 0 ? 1 : VT_LIFT_TABLES;
    for (size_t i = first; i < end; i++) {
        for (const struct vt_lift_semantics *s = vt_lift_tables[i]; s->execute != NULL; s++) {
            if (s->mnemonic == insn->mnemonic) {
                return s;
            }
        }
    }
    return NULL;
}

static bool touches(const struct vt_lift_run *x, ZydisRegisterClass class)
{
    for (unsigned k = 0; k < x->insn.operand_count; k++) {
        if (x->o[k].type == ZYDIS_OPERAND_TYPE_REGISTER &&
            ZydisRegisterGetClass(x->o[k].reg.value) == class) {
            return true;
        }
    }
    return false;
}

/* What the decoder already says of instructions that are not for us; or NULL. */
static const char *why_not(const struct vt_lift_run *x)
{
    const ZydisDecodedInstruction *i = &x->insn;
    const uint64_t repeated = ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE;
    if (i->meta.category == ZYDIS_CATEGORY_STRINGOP && (i->attributes & repeated) != 0) {
        return "a string instruction that is a loop by itself";
    }
    switch (i->meta.category) {
    case ZYDIS_CATEGORY_SYSCALL:
    case ZYDIS_CATEGORY_SYSRET:
    case ZYDIS_CATEGORY_INTERRUPT:
        return "a way into or out of the kernel";
    case ZYDIS_CATEGORY_SYSTEM:
    case ZYDIS_CATEGORY_IO:
    case ZYDIS_CATEGORY_IOSTRINGOP:
    case ZYDIS_CATEGORY_VTX:
        return "a system instruction";
    case ZYDIS_CATEGORY_X87_ALU:
        return "floating point";
    default:
        break;
    }
    if (touches(x, ZYDIS_REGCLASS_ZMM) || touches(x, ZYDIS_REGCLASS_MASK) ||
        i->encoding == ZYDIS_INSTRUCTION_ENCODING_EVEX) {
        return "AVX-512";
    }
    if (touches(x, ZYDIS_REGCLASS_MMX)) {
        return "MMX registers";
    }
    if (touches(x, ZYDIS_REGCLASS_SEGMENT)) {
        return "a segment register";
    }
    if (i->mnemonic == ZYDIS_MNEMONIC_PAUSE) { /* who waits has nothing to compute */
        return "it waits for somebody else";
    }
    if (find(i) != NULL) {
        return NULL;
    }
    return touches(x, ZYDIS_REGCLASS_XMM) || touches(x, ZYDIS_REGCLASS_YMM)
               ? "a vector instruction whose meaning is not known"
               : "an instruction whose meaning is not known";
}

static int refuse(const struct vt_lift_run *x, const char *why, struct vt_error *err)
{
    ZydisFormatter formatter;
    ZydisDecodedOperand o[ZYDIS_MAX_OPERAND_COUNT];
    char text[96] = "?";
    o[0] = x->to;
    memcpy(o + x->apart, x->o, (ZYDIS_MAX_OPERAND_COUNT - x->apart) * sizeof *o);
    ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL);
    ZydisFormatterFormatInstruction(&formatter, &x->insn, o, x->insn.operand_count_visible, text,
                                    sizeof text, x->pc, NULL);
    return vt_fail(err, VT_E_UNSUPPORTED, "%s at 0x%llx: %s", text, (unsigned long long)x->pc, why);
}

/* Whether it faults on a vector in memory that is not aligned: of SSE all but movdqu and its like,
 * of AVX movdqa and its like. */
static bool wants_alignment(const struct vt_lift_run *x)
{
    switch (x->insn.mnemonic) {
    case ZYDIS_MNEMONIC_MOVDQU:
    case ZYDIS_MNEMONIC_MOVUPS:
    case ZYDIS_MNEMONIC_MOVUPD:
    case ZYDIS_MNEMONIC_LDDQU:
        return false;
    case ZYDIS_MNEMONIC_VMOVDQA:
    case ZYDIS_MNEMONIC_VMOVAPS:
    case ZYDIS_MNEMONIC_VMOVAPD:
    case ZYDIS_MNEMONIC_VMOVNTDQ:
    case ZYDIS_MNEMONIC_VMOVNTPS:
    case ZYDIS_MNEMONIC_VMOVNTPD:
    case ZYDIS_MNEMONIC_VMOVNTDQA:
        return true;
    default:
        return !x->avx;
    }
}

static void find_alignment(struct vt_lift_run *x)
{
    bool wants = wants_alignment(x);
    for (unsigned k = 0; k < x->insn.operand_count_visible && wants; k++) {
        if (vt_lift_is_memory(x, k) && (x->o[k].size == 128 || x->o[k].size == 256)) {
            x->out.alignment = (uint8_t)(x->o[k].size / 8U);
            x->out.aligned = vt_lift_address(x, k);
        }
    }
}

/* AVX as SSE: 128 bits after 128 bits, of what registers held before. */
static void execute_avx(struct vt_lift_run *x)
{
    vt_term before[16][4];
    memcpy(before, x->s->xmm, sizeof before);
    x->vectors = (const vt_term(*)[4])before;
    unsigned n = x->insn.operand_count_visible;
    bool wide = touches(x, ZYDIS_REGCLASS_YMM);
    x->apart = n > 2 && (x->o[0].encoding == ZYDIS_OPERAND_ENCODING_NDSNDD ||
                         x->o[1].encoding == ZYDIS_OPERAND_ENCODING_NDSNDD);
    if (x->apart) {
        x->to = x->o[0];
        memmove(x->o, x->o + 1, (n - 1) * sizeof *x->o);
    }
    x->how->execute(x);
    if (wide) {
        x->half = 2;
        x->how->execute(x);
    }
}

int vt_lift(struct vt_lifter *l, struct vt_lift_state *state, struct vt_lift_memory *memory,
            uint64_t pc, const uint8_t *code, size_t bytes, struct vt_lifted *out,
            struct vt_error *err)
{
    struct vt_lift_run x = {.l = l, .t = l->terms, .s = state, .memory = memory, .pc = pc};
    if (!ZYAN_SUCCESS(
            ZydisDecoderDecodeFull(&l->decoder, code, bytes < 15 ? bytes : 15, &x.insn, x.o))) {
        return vt_fail(err, VT_E_CORRUPT, "no instruction at 0x%llx", (unsigned long long)pc);
    }
    const char *why = why_not(&x);
    if (why != NULL) {
        return refuse(&x, why, err);
    }
    x.how = find(&x.insn);
    x.out.bytes = x.insn.length;
    x.out.next = pc + x.insn.length;
    x.vectors = (const vt_term(*)[4])state->xmm;
    x.avx = x.insn.encoding == ZYDIS_INSTRUCTION_ENCODING_VEX &&
            (touches(&x, ZYDIS_REGCLASS_XMM) || touches(&x, ZYDIS_REGCLASS_YMM));
    find_alignment(&x);
    if (x.avx) {
        execute_avx(&x);
    } else {
        x.how->execute(&x);
    }
    if (x.refused != NULL) { /* first: what was made of a load that was refused is no term */
        return refuse(&x, x.refused, err);
    }
    if (vt_terms_broken(l->terms)) {
        return vt_fail(err, VT_E_NOMEM, "no room for more terms");
    }
    *out = x.out;
    return 0;
}
