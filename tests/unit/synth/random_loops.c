/* tests/unit/synth/random_loops.c - machine code of loops that nobody thought of.
 *
 * Before it, pointers are moved to where they may go both ways, and perhaps to one another. The
 * body is integer instructions on registers, buffers and the red zone, skipped now and then, with
 * ways out; then pointers and a counter go on, and a condition leads back.
 */
#include "tests/unit/synth/random_loops.h"

#include <Zydis/Zydis.h>

#include "tests/unit/harness.h"

#include <stdbool.h>
#include <string.h>

struct maker {
    struct random_loop *loop;
    uint64_t seed;
    uint32_t ways_out[32], n_ways_out;
};

static uint64_t any(struct maker *m)
{
    m->seed = m->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (m->seed ^ m->seed >> 29) * UINT64_C(0x9e3779b97f4a7c15) >> 16;
}

static bool one_in(struct maker *m, uint32_t n)
{
    return any(m) % n == 0;
}

/* ---------------------------------------------------------------- operands */

/* What the body computes with. rdi, rsi and rcx go on behind it. */
static const uint8_t work[] = {0, 2, 8, 9, 10, 11};

static ZydisRegister name(uint32_t reg, uint32_t bytes)
{
    ZydisRegisterClass c = bytes == 8   ? ZYDIS_REGCLASS_GPR64
                           : bytes == 4 ? ZYDIS_REGCLASS_GPR32
                           : bytes == 2 ? ZYDIS_REGCLASS_GPR16
                                        : ZYDIS_REGCLASS_GPR8;
    /* spl and its like stand behind ah and its like; none of these is one of them */
    return ZydisRegisterEncode(c, (ZyanU8)(bytes == 1 && reg > 3 ? reg + 4 : reg));
}

static ZydisEncoderOperand of_register(uint32_t reg, uint32_t bytes)
{
    ZydisEncoderOperand o = {.type = ZYDIS_OPERAND_TYPE_REGISTER};
    o.reg.value = name(reg, bytes);
    return o;
}

static ZydisEncoderOperand of_number(int64_t value)
{
    ZydisEncoderOperand o = {.type = ZYDIS_OPERAND_TYPE_IMMEDIATE};
    o.imm.s = value;
    return o;
}

static ZydisEncoderOperand of_memory(uint32_t base, int64_t displacement, uint32_t bytes)
{
    ZydisEncoderOperand o = {.type = ZYDIS_OPERAND_TYPE_MEMORY};
    o.mem.base = name(base, 8);
    o.mem.displacement = displacement;
    o.mem.size = (ZyanU16)bytes;
    return o;
}

static uint32_t any_work(struct maker *m)
{
    return work[any(m) % sizeof work];
}

static uint32_t any_width(struct maker *m)
{
    static const uint8_t widths[] = {8, 4, 8, 4, 2, 1};
    return widths[any(m) % sizeof widths];
}

static ZydisEncoderOperand any_memory(struct maker *m, uint32_t bytes)
{
    return one_in(m, 4)   ? of_memory(4, -8 * (int64_t)(1 + any(m) % 6), bytes)
           : one_in(m, 2) ? of_memory(7, (int64_t)(any(m) % 64) - 32, bytes)
                          : of_memory(6, (int64_t)(any(m) % 64) - 32, bytes);
}

/* ---------------------------------------------------------------- instructions */

static void emit(struct maker *m, ZydisMnemonic what, uint32_t n, ZydisEncoderOperand a,
                 ZydisEncoderOperand b)
{
    ZydisEncoderRequest r = {.machine_mode = ZYDIS_MACHINE_MODE_LONG_64, .mnemonic = what};
    struct random_loop *l = m->loop;
    ZyanUSize bytes = sizeof l->code - l->n;
    r.operand_count = (ZyanU8)n;
    r.operands[0] = a;
    r.operands[1] = b;
    if (ZYAN_FAILED(ZydisEncoderEncodeInstruction(&r, l->code + l->n, &bytes))) {
        fail_msg("%s cannot be encoded", ZydisMnemonicGetString(what));
    }
    l->n += (uint32_t)bytes;
}

/* A conditional jump, 6 bytes; whereto is filled in later. */
static uint32_t jump_if(struct maker *m, uint32_t condition)
{
    struct random_loop *l = m->loop;
    assert_true(l->n + 6 <= sizeof l->code);
    l->code[l->n] = 0x0f;
    l->code[l->n + 1] = (uint8_t)(0x80 + condition);
    l->n += 6;
    return l->n;
}

static void jump_to(struct maker *m, uint32_t from, uint32_t to)
{
    int32_t way = (int32_t)to - (int32_t)from;
    memcpy(m->loop->code + from - 4, &way, sizeof way);
}

static void compute(struct maker *m)
{
    static const ZydisMnemonic two[] = {ZYDIS_MNEMONIC_ADD, ZYDIS_MNEMONIC_SUB,  ZYDIS_MNEMONIC_XOR,
                                        ZYDIS_MNEMONIC_OR,  ZYDIS_MNEMONIC_AND,  ZYDIS_MNEMONIC_CMP,
                                        ZYDIS_MNEMONIC_MOV, ZYDIS_MNEMONIC_TEST, ZYDIS_MNEMONIC_ADD,
                                        ZYDIS_MNEMONIC_ADC, ZYDIS_MNEMONIC_SBB};
    static const ZydisMnemonic one[] = {ZYDIS_MNEMONIC_INC, ZYDIS_MNEMONIC_DEC, ZYDIS_MNEMONIC_NEG,
                                        ZYDIS_MNEMONIC_NOT};
    static const ZydisMnemonic shift[] = {ZYDIS_MNEMONIC_SHL, ZYDIS_MNEMONIC_SHR,
                                          ZYDIS_MNEMONIC_SAR, ZYDIS_MNEMONIC_ROL,
                                          ZYDIS_MNEMONIC_ROR};
    static const ZydisMnemonic wider[] = {ZYDIS_MNEMONIC_MOVZX, ZYDIS_MNEMONIC_MOVSX};
    static const ZydisMnemonic set[] = {ZYDIS_MNEMONIC_SETB, ZYDIS_MNEMONIC_SETNZ,
                                        ZYDIS_MNEMONIC_SETL, ZYDIS_MNEMONIC_SETBE};
    static const ZydisMnemonic move[] = {ZYDIS_MNEMONIC_CMOVB, ZYDIS_MNEMONIC_CMOVZ,
                                         ZYDIS_MNEMONIC_CMOVLE, ZYDIS_MNEMONIC_CMOVS};
    uint32_t bytes = any_width(m), wide = bytes < 4 ? 4 : bytes;
    const ZydisEncoderOperand none = {.type = ZYDIS_OPERAND_TYPE_UNUSED},
                              to = of_register(any_work(m), bytes),
                              from = of_register(any_work(m), bytes);
    switch (any(m) % 10) {
    case 0:
        emit(m, two[any(m) % (sizeof two / sizeof *two)], 2, to, of_number((int8_t)any(m)));
        break;
    case 1:
        emit(m, one[any(m) % 4], 1, one_in(m, 4) ? any_memory(m, bytes) : to, none);
        break;
    case 2:
        emit(m, shift[any(m) % 5], 2, to, of_number((int64_t)(1 + any(m) % (8 * bytes - 1))));
        break;
    case 3:
        emit(m, ZYDIS_MNEMONIC_IMUL, 2, of_register(any_work(m), wide),
             of_register(any_work(m), wide));
        break;
    case 4:
        emit(m, wider[any(m) % 2], 2, of_register(any_work(m), one_in(m, 2) ? 4 : 8),
             any_memory(m, 1 + (uint32_t)(any(m) % 2)));
        break;
    case 5: /* flags that are of this iteration */
        emit(m, ZYDIS_MNEMONIC_CMP, 2, to, from);
        emit(m, set[any(m) % 4], 1, of_register(any_work(m), 1), none);
        break;
    case 6:
        emit(m, ZYDIS_MNEMONIC_CMP, 2, to, from);
        emit(m, move[any(m) % 4], 2, of_register(any_work(m), wide),
             of_register(any_work(m), wide));
        break;
    case 7:
        emit(m, two[any(m) % 7], 2, to, any_memory(m, bytes));
        break;
    case 8:
        emit(m, one_in(m, 2) ? ZYDIS_MNEMONIC_MOV : two[any(m) % 7], 2, any_memory(m, bytes), from);
        break;
    default:
        emit(m, two[any(m) % 9], 2, to, from);
        break;
    }
}

static void maybe_branch(struct maker *m)
{
    const uint32_t bytes = any_width(m);
    emit(m, ZYDIS_MNEMONIC_CMP, 2, of_register(any_work(m), bytes),
         one_in(m, 2) ? of_register(any_work(m), bytes) : of_number((int8_t)any(m)));
    /* not on parity */
    uint32_t condition = (uint32_t)(any(m) % 14), from;
    from = jump_if(m, condition >= 10 ? condition + 2 : condition);
    if (one_in(m, 5)) {
        m->ways_out[m->n_ways_out++] = from;
        return;
    }
    for (uint64_t n = 1 + any(m) % 2; n > 0; n--) {
        compute(m);
    }
    jump_to(m, from, m->loop->n);
}

static void go_on(struct maker *m)
{
    static const int8_t steps[] = {0, 1, 2, 4, 8, 16, 24, -1, -4, -8};
    static const uint8_t back[] = {0x5, 0x2, 0x7, 0xc, 0xf, 0x3};
    for (uint32_t reg = 6; reg < 8; reg++) {
        int8_t step = steps[any(m) % sizeof steps];
        if (step != 0) {
            emit(m, ZYDIS_MNEMONIC_ADD, 2, of_register(reg, 8), of_number(step));
        }
    }
    const uint32_t bytes = one_in(m, 3) ? 4 : 8;
    if (one_in(m, 2)) {
        emit(m, ZYDIS_MNEMONIC_SUB, 2, of_register(1, bytes), of_number(1));
        jump_to(m, jump_if(m, 0x5), m->loop->head);
        return;
    }
    emit(m, ZYDIS_MNEMONIC_ADD, 2, of_register(1, bytes),
         of_number(one_in(m, 3) ? 1 + (int64_t)(any(m) % 5) : 1));
    emit(m, ZYDIS_MNEMONIC_CMP, 2, of_register(1, bytes), of_number(64 + (int64_t)(any(m) % 60)));
    jump_to(m, jump_if(m, back[any(m) % sizeof back]), m->loop->head);
}

void random_loop_make(uint64_t seed, struct random_loop *loop)
{
    struct maker m = {.loop = loop, .seed = seed};
    memset(loop, 0, sizeof *loop);
    for (unsigned i = 0; i < 4; i++) {
        (void)any(&m);
    }
    emit(&m, ZYDIS_MNEMONIC_ADD, 2, of_register(7, 8), of_number(2000));
    emit(&m, ZYDIS_MNEMONIC_ADD, 2, of_register(6, 8), of_number(2000));
    if (one_in(&m, 3)) { /* one buffer */
        emit(&m, ZYDIS_MNEMONIC_LEA, 2, of_register(6, 8),
             of_memory(7, (int64_t)(any(&m) % 64) - 32, 8));
    }
    loop->head = loop->n;
    for (uint64_t n = 1 + any(&m) % 7; n > 0; n--) {
        if (one_in(&m, 6)) {
            maybe_branch(&m);
        } else {
            compute(&m);
        }
    }
    go_on(&m);
    loop->end = loop->n;
    for (uint32_t i = 0; i < m.n_ways_out; i++) {
        jump_to(&m, m.ways_out[i], loop->n);
    }
    loop->code[loop->n++] = 0xc3;
}
