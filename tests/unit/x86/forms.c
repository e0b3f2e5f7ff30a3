#include "tests/unit/x86/forms.h"

#include <string.h>

#define M(name) ZYDIS_MNEMONIC_##name

const struct vt_form vt_forms[] = {
    {M(ADD), "rr rm mr ri rI mi mI", "1248", ""},
    {M(ADC), "rr rm mr ri rI mi mI", "1248", ""},
    {M(SUB), "rr rm mr ri rI mi mI", "1248", ""},
    {M(SBB), "rr rm mr ri rI mi mI", "1248", ""},
    {M(CMP), "rr rm mr ri rI mi mI", "1248", ""},
    {M(AND), "rr rm mr ri rI mi mI", "1248", ""},
    {M(OR), "rr rm mr ri rI mi mI", "1248", ""},
    {M(XOR), "rr rm mr ri rI mi mI", "1248", ""},
    {M(TEST), "rr mr rI mI", "1248", ""},
    {M(INC), "r m", "1248", ""},
    {M(DEC), "r m", "1248", ""},
    {M(NEG), "r m", "1248", ""},
    {M(NOT), "r m", "1248", ""},
    {M(MUL), "r m", "1248", ""},
    {M(IMUL), "r m", "1248", ""},
    {M(IMUL), "rr rm rri rmi rrI rmI", "248", ""},
    {M(DIV), "r m", "124", ""},
    {M(IDIV), "r m", "124", ""},
    {M(SHL), "r1 m1 rc mc ri mi", "1248", ""},
    {M(SHR), "r1 m1 rc mc ri mi", "1248", ""},
    {M(SAR), "r1 m1 rc mc ri mi", "1248", ""},
    {M(ROL), "r1 m1 rc mc ri mi", "1248", ""},
    {M(ROR), "r1 m1 rc mc ri mi", "1248", ""},
    {M(RCL), "r1 m1 ri mi", "1248", ""},
    {M(RCR), "r1 m1 ri mi", "1248", ""},
    {M(SHLD), "rrc mrc rri mri", "248", ""},
    {M(SHRD), "rrc mrc rri mri", "248", ""},
    {M(SHLX), "rrr rmr", "48", "bmi2"},
    {M(SHRX), "rrr rmr", "48", "bmi2"},
    {M(SARX), "rrr rmr", "48", "bmi2"},
    {M(RORX), "rri rmi", "48", "bmi2"},
    {M(BT), "rr ri mi", "248", ""},
    {M(BTS), "rr ri mi", "248", ""},
    {M(BTR), "rr ri mi", "248", ""},
    {M(BTC), "rr ri mi", "248", ""},
    {M(BSF), "rr rm", "248", ""},
    {M(BSR), "rr rm", "248", ""},
    {M(TZCNT), "rr rm", "248", "bmi"},
    {M(LZCNT), "rr rm", "248", "lzcnt"},
    {M(POPCNT), "rr rm", "248", "popcnt"},
    {M(ANDN), "rrr rrm", "48", "bmi"},
    {M(BLSI), "rr rm", "48", "bmi"},
    {M(BLSR), "rr rm", "48", "bmi"},
    {M(BLSMSK), "rr rm", "48", "bmi"},
    {M(BEXTR), "rrr rmr", "48", "bmi"},
    {M(BZHI), "rrr rmr", "48", "bmi2"},
    {M(MULX), "rrr rrm", "48", "bmi2"},
    {M(ADCX), "rr rm", "48", "adx"},
    {M(ADOX), "rr rm", "48", "adx"},
    {M(XADD), "rr mr", "1248", ""},
    {M(XCHG), "rr", "1248", ""},
    {M(BSWAP), "r", "48", ""},
    {M(MOVBE), "rm mr", "248", "movbe"},
    {M(MOV), "rr rm mr rI mI", "1248", ""},
    {M(MOVZX), "rb rB", "248", ""},
    {M(MOVZX), "rw rW", "48", ""},
    {M(MOVSX), "rb rB", "248", ""},
    {M(MOVSX), "rw rW", "48", ""},
    {M(MOVSXD), "rd rD", "8", ""},
    {M(LEA), "rm", "248", ""},
    {M(CBW), "", "2", ""},
    {M(CWDE), "", "4", ""},
    {M(CDQE), "", "8", ""},
    {M(CWD), "", "2", ""},
    {M(CDQ), "", "4", ""},
    {M(CQO), "", "8", ""},
    {M(CLC), "", "8", ""},
    {M(STC), "", "8", ""},
    {M(CMC), "", "8", ""},
    {M(NOP), "", "8", ""},
    {M(CMOVO), "rr rm", "248", ""},
    {M(CMOVNO), "rr rm", "248", ""},
    {M(CMOVB), "rr rm", "248", ""},
    {M(CMOVNB), "rr rm", "248", ""},
    {M(CMOVZ), "rr rm", "248", ""},
    {M(CMOVNZ), "rr rm", "248", ""},
    {M(CMOVBE), "rr rm", "248", ""},
    {M(CMOVNBE), "rr rm", "248", ""},
    {M(CMOVS), "rr rm", "248", ""},
    {M(CMOVNS), "rr rm", "248", ""},
    {M(CMOVP), "rr rm", "248", ""},
    {M(CMOVNP), "rr rm", "248", ""},
    {M(CMOVL), "rr rm", "248", ""},
    {M(CMOVNL), "rr rm", "248", ""},
    {M(CMOVLE), "rr rm", "248", ""},
    {M(CMOVNLE), "rr rm", "248", ""},
    {M(SETO), "r m", "1", ""},
    {M(SETNO), "r m", "1", ""},
    {M(SETB), "r m", "1", ""},
    {M(SETNB), "r m", "1", ""},
    {M(SETZ), "r m", "1", ""},
    {M(SETNZ), "r m", "1", ""},
    {M(SETBE), "r m", "1", ""},
    {M(SETNBE), "r m", "1", ""},
    {M(SETS), "r m", "1", ""},
    {M(SETNS), "r m", "1", ""},
    {M(SETP), "r m", "1", ""},
    {M(SETNP), "r m", "1", ""},
    {M(SETL), "r m", "1", ""},
    {M(SETNL), "r m", "1", ""},
    {M(SETLE), "r m", "1", ""},
    {M(SETNLE), "r m", "1", ""},
    {M(PUSH), "r m i I", "8", ""},
    {M(POP), "r m", "8", ""},
    {M(LEAVE), "", "8", ""},
    {ZYDIS_MNEMONIC_INVALID, NULL, NULL, NULL},
};

static ZydisRegister some_register(unsigned bytes, bool high)
{
    unsigned n = (unsigned)(vt_any() % 15);
    n += n >= 4; /* not rsp */
    switch (bytes) {
    case 1:
        if (high) {
            static const ZydisRegister low[] = {
                ZYDIS_REGISTER_AL, ZYDIS_REGISTER_AH, ZYDIS_REGISTER_BL, ZYDIS_REGISTER_BH,
                ZYDIS_REGISTER_CL, ZYDIS_REGISTER_CH, ZYDIS_REGISTER_DL, ZYDIS_REGISTER_DH};
            return low[n % 8];
        }
        return n < 4   ? (ZydisRegister)(ZYDIS_REGISTER_AL + n)
               : n < 8 ? (ZydisRegister)(ZYDIS_REGISTER_SPL + n - 4)
                       : (ZydisRegister)(ZYDIS_REGISTER_R8B + n - 8);
    case 2:
        return (ZydisRegister)(ZYDIS_REGISTER_AX + n);
    case 4:
        return (ZydisRegister)(ZYDIS_REGISTER_EAX + n);
    case 16:
        return (ZydisRegister)(ZYDIS_REGISTER_XMM0 + vt_any() % 16);
    case 32:
        return (ZydisRegister)(ZYDIS_REGISTER_YMM0 + vt_any() % 16);
    default:
        return (ZydisRegister)(ZYDIS_REGISTER_RAX + n);
    }
}

static int64_t some_immediate(unsigned bytes)
{
    uint64_t n = vt_number();
    switch (bytes) {
    case 1:
        return (int8_t)n;
    case 2:
        return (int16_t)n;
    default:
        return (int32_t)n;
    }
}

/* Bytes of a letter that says them; or 0. */
static unsigned bytes_of(char letter)
{
    static const char letters[] = "bwdqxyBWDQXY";
    static const unsigned bytes[] = {1, 2, 4, 8, 16, 32};
    const char *at = strchr(letters, letter);
    return at != NULL && letter != '\0' ? bytes[(at - letters) % 6] : 0;
}

static bool memory(unsigned bytes, struct vt_form_ways ways, ZydisEncoderOperand *o)
{
    unsigned address = ways.segments && vt_any() % 8 == 0 ? 4 : 8;
    o->type = ZYDIS_OPERAND_TYPE_MEMORY;
    o->mem.size = (ZyanU16)bytes;
    o->mem.displacement = vt_any() % 3 == 0 ? 0 : some_immediate(vt_any() % 2 == 0 ? 1 : 2);
    o->mem.base = ways.high ? ZYDIS_REGISTER_RBX : some_register(address, false);
    if (vt_any() % 2 == 0) {
        o->mem.index = ways.high ? ZYDIS_REGISTER_RSI : some_register(address, false);
        o->mem.scale = (ZyanU8)(1U << vt_any() % 4);
        return o->mem.index != o->mem.base;
    }
    return true;
}

static bool operand(char letter, unsigned bytes, struct vt_form_ways ways, ZydisEncoderOperand *o)
{
    memset(o, 0, sizeof *o);
    bytes = bytes_of(letter) != 0 ? bytes_of(letter) : bytes;
    switch (letter) {
    case 'r':
    case 'b':
    case 'w':
    case 'd':
    case 'q':
    case 'x':
    case 'y':
        o->type = ZYDIS_OPERAND_TYPE_REGISTER;
        o->reg.value = some_register(bytes, ways.high);
        return true;
    case 'c':
        o->type = ZYDIS_OPERAND_TYPE_REGISTER;
        o->reg.value = ZYDIS_REGISTER_CL;
        return true;
    case 'm':
    case 'B':
    case 'W':
    case 'D':
    case 'Q':
    case 'X':
    case 'Y':
        return memory(bytes, ways, o);
    case '1':
        o->type = ZYDIS_OPERAND_TYPE_IMMEDIATE;
        o->imm.s = 1;
        return true;
    case 'j':
        o->type = ZYDIS_OPERAND_TYPE_IMMEDIATE;
        o->imm.s = VT_NATIVE_TAKEN;
        return true;
    default:
        o->type = ZYDIS_OPERAND_TYPE_IMMEDIATE;
        o->imm.s = some_immediate(letter == 'i' ? 1 : bytes);
        return true;
    }
}

bool vt_form_make(const struct vt_form *form, const char *operands, size_t n, unsigned bytes,
                  struct vt_form_ways ways, struct vt_instruction *to)
{
    ZydisEncoderRequest request;
    memset(&request, 0, sizeof request);
    request.machine_mode = ZYDIS_MACHINE_MODE_LONG_64;
    request.mnemonic = form->mnemonic;
    request.operand_count = (ZyanU8)n;
    for (size_t k = 0; k < n; k++) {
        ZydisEncoderOperand *o = &request.operands[k];
        if (!operand(operands[k], bytes, ways, o)) {
            return false;
        }
        o->reg.is4 = k == 3 && o->type == ZYDIS_OPERAND_TYPE_REGISTER;
        if (form->mnemonic == ZYDIS_MNEMONIC_LEA && k == 1) {
            o->mem.size = 8;
        } else if (o->type == ZYDIS_OPERAND_TYPE_MEMORY && ways.segments && vt_any() % 8 == 0) {
            request.prefixes |= ZYDIS_ATTRIB_HAS_SEGMENT_GS;
        }
    }
    to->bytes = sizeof to->code;
    return ZYAN_SUCCESS(ZydisEncoderEncodeInstruction(&request, to->code, &to->bytes));
}
