/* tests/unit/synth/random_loops.c - machine code of loops that nobody thought of.
 *
 * rdi, rsi and r15 point into buffers, rbx to a table, rcx counts; pieces of code of a compiler's
 * kind work on rax, rdx, r10 to r13 and xmm0 to xmm3, on buffers, on variables of the stack.
 * Some are skipped, some leave the loop, some are loops, some functions. Then pointers and the
 * count go on, and a condition leads back.
 */
#include "tests/unit/synth/random_loops.h"

#include <Zydis/Zydis.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };

struct maker {
    struct random_loop *loop;
    uint64_t seed, without;
    uint32_t ways_out[32], n_ways_out;
    bool stored, vectors, no_stores;
    uint32_t pointers[4], n_pointers;
};

static uint64_t next_of(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (*seed ^ *seed >> 29) * UINT64_C(0x9e3779b97f4a7c15) >> 16;
}

static uint32_t any(struct maker *m, uint32_t n)
{
    return (uint32_t)(next_of(&m->seed) % n);
}

static bool one_in(struct maker *m, uint32_t n)
{
    return any(m, n) == 0;
}

#define ONE_OF(m, list) ((list)[any(m, sizeof(list) / sizeof *(list))])

/* ---------------------------------------------------------------- operands */

typedef ZydisEncoderOperand operand;

static const uint8_t work[] = {RAX, RDX, R10, R11, R12, R13};

static ZydisRegister name(uint32_t reg, uint32_t bytes)
{
    ZydisRegisterClass c = bytes == 16  ? ZYDIS_REGCLASS_XMM
                           : bytes == 8 ? ZYDIS_REGCLASS_GPR64
                           : bytes == 4 ? ZYDIS_REGCLASS_GPR32
                           : bytes == 2 ? ZYDIS_REGCLASS_GPR16
                                        : ZYDIS_REGCLASS_GPR8;
    /* spl and its like stand behind ah and its like */
    return ZydisRegisterEncode(c, (ZyanU8)(bytes == 1 && reg > 3 ? reg + 4 : reg));
}

static operand in(uint32_t reg, uint32_t bytes)
{
    operand o = {.type = ZYDIS_OPERAND_TYPE_REGISTER};
    o.reg.value = name(reg, bytes);
    return o;
}

static operand number(int64_t value)
{
    operand o = {.type = ZYDIS_OPERAND_TYPE_IMMEDIATE};
    o.imm.s = value;
    return o;
}

static operand at(uint32_t base, int32_t index, uint32_t scale, int64_t displacement,
                  uint32_t bytes)
{
    operand o = {.type = ZYDIS_OPERAND_TYPE_MEMORY};
    o.mem.base = name(base, 8);
    if (index >= 0) {
        o.mem.index = name((uint32_t)index, 8);
        o.mem.scale = (ZyanU8)scale;
    }
    o.mem.displacement = displacement;
    o.mem.size = (ZyanU16)bytes;
    return o;
}

static uint32_t any_work(struct maker *m)
{
    return ONE_OF(m, work);
}

static uint32_t any_width(struct maker *m)
{
    static const uint8_t widths[] = {8, 4, 8, 4, 4, 2, 1, 1};
    return ONE_OF(m, widths);
}

/* With a pointer's index. Places are few, so that accesses of several widths meet. */
static operand in_buffer(struct maker *m, uint32_t bytes)
{
    static const int8_t near[] = {0, 0, 0, 8, -8, 4, 1, 2, 3, 16, -16, 24, 5, -1, 32, -4};
    uint32_t p = m->pointers[any(m, m->n_pointers)];
    int64_t from = ONE_OF(m, near);
    if (bytes == 16) {
        from = from / 8 * 16;
    }
    uint8_t index = m->loop->pointer[p].index;
    return at(p,
              index == RANDOM_NO_INDEX   ? -1
              : index == RANDOM_INDEX_64 ? RCX
                                         : R14,
              m->loop->pointer[p].scale, from, bytes);
}

static operand in_frame(struct maker *m, uint32_t bytes)
{
    return one_in(m, m->loop->frame != 0 ? 2 : 3)
               ? at(RBP, -1, 0, -8 * (int64_t)(1 + any(m, 3)), bytes)
               : at(RSP, -1, 0, -8 * (int64_t)(1 + any(m, 4)) + (one_in(m, 5) ? 2 : 0), bytes);
}

static operand any_memory(struct maker *m, uint32_t bytes)
{
    bool frame = m->loop->frame != 0 ? !one_in(m, 3) : one_in(m, 5);
    return frame && bytes < 16 ? in_frame(m, bytes) : in_buffer(m, bytes);
}

/* ---------------------------------------------------------------- instructions */

static void emit(struct maker *m, ZydisMnemonic what, uint32_t n, operand a, operand b, operand c)
{
    ZydisEncoderRequest r = {.machine_mode = ZYDIS_MACHINE_MODE_LONG_64, .mnemonic = what};
    struct random_loop *l = m->loop;
    ZyanUSize bytes = sizeof l->code - l->n;
    r.operand_count = (ZyanU8)n;
    r.operands[0] = a;
    r.operands[1] = b;
    r.operands[2] = c;
    if (ZYAN_FAILED(ZydisEncoderEncodeInstruction(&r, l->code + l->n, &bytes))) {
        fprintf(stderr, "%s cannot be encoded\n", ZydisMnemonicGetString(what));
        abort();
    }
    l->n += (uint32_t)bytes;
}

#define none ((operand){.type = ZYDIS_OPERAND_TYPE_UNUSED})
#define M(what) ZYDIS_MNEMONIC_##what
#define EMIT1(m, what, a) emit(m, what, 1, a, none, none)
#define EMIT2(m, what, a, b) emit(m, what, 2, a, b, none)

/* A conditional jump, 6 bytes; whereto is filled in later. */
static uint32_t jump_if(struct maker *m, uint32_t condition)
{
    struct random_loop *l = m->loop;
    if (l->n + 6 > sizeof l->code) {
        abort();
    }
    l->code[l->n] = 0x0f;
    l->code[l->n + 1] = (uint8_t)(0x80 + condition);
    l->n += 6;
    return l->n;
}

/* A jump or a call, 5 bytes. */
static uint32_t branch(struct maker *m, uint8_t what)
{
    struct random_loop *l = m->loop;
    if (l->n + 5 > sizeof l->code) {
        abort();
    }
    l->code[l->n] = what;
    l->n += 5;
    return l->n;
}

static void jump_to(struct maker *m, uint32_t from, uint32_t to)
{
    int32_t way = (int32_t)to - (int32_t)from;
    memcpy(m->loop->code + from - 4, &way, sizeof way);
}

/* Not on parity. */
static uint32_t any_condition(struct maker *m)
{
    uint32_t condition = any(m, 14);
    return condition >= 10 ? condition + 2 : condition;
}

static const ZydisMnemonic two[] = {M(ADD), M(SUB), M(XOR), M(OR), M(AND), M(MOV), M(ADD), M(XOR)};
static const ZydisMnemonic shifts[] = {M(SHL), M(SHR), M(SAR), M(ROL), M(ROR)};
static const ZydisMnemonic sets[] = {M(SETB), M(SETNZ), M(SETL),  M(SETBE),
                                     M(SETS), M(SETO),  M(SETNL), M(SETNBE)};
static const ZydisMnemonic moves[] = {M(CMOVB),  M(CMOVZ), M(CMOVLE), M(CMOVS),
                                      M(CMOVNB), M(CMOVL), M(CMOVO),  M(CMOVNZ)};

static void two_operands(struct maker *m)
{
    uint32_t bytes = any_width(m);
    operand from = one_in(m, 4)   ? number((int8_t)any(m, 256))
                   : one_in(m, 3) ? any_memory(m, bytes)
                                  : in(any_work(m), bytes);
    EMIT2(m, ONE_OF(m, two), in(any_work(m), bytes), from);
}

static void one_operand(struct maker *m)
{
    static const ZydisMnemonic all[] = {M(INC), M(DEC), M(NEG), M(NOT)};
    uint32_t bytes = any_width(m);
    EMIT1(m, ONE_OF(m, all), in(any_work(m), bytes));
}

static void shift(struct maker *m)
{
    uint32_t bytes = any_width(m), wide = bytes < 4 ? 4 : bytes;
    operand by = number((int64_t)(1 + any(m, 8 * bytes - 1)));
    switch (any(m, 6)) {
    case 0: /* by cl: the count, or whatever */
        EMIT2(m, ONE_OF(m, shifts), in(any_work(m), bytes), in(RCX, 1));
        break;
    case 1:
        emit(m, one_in(m, 2) ? M(SHLD) : M(SHRD), 3, in(any_work(m), wide), in(any_work(m), wide),
             number((int64_t)(1 + any(m, 8 * wide - 1))));
        break;
    case 2:
        EMIT1(m, M(BSWAP), in(any_work(m), wide));
        break;
    default:
        EMIT2(m, ONE_OF(m, shifts), in(any_work(m), bytes), by);
        break;
    }
}

static void multiply(struct maker *m)
{
    uint32_t wide = one_in(m, 2) ? 4 : 8;
    switch (any(m, 4)) {
    case 0:
        EMIT1(m, one_in(m, 2) ? M(MUL) : M(IMUL), in(any_work(m), wide));
        break;
    case 1:
        emit(m, M(IMUL), 3, in(any_work(m), wide), in(any_work(m), wide),
             number((int8_t)any(m, 256)));
        break;
    default:
        EMIT2(m, M(IMUL), in(any_work(m), wide), in(any_work(m), wide));
        break;
    }
}

static void address_arithmetic(struct maker *m)
{
    static const uint8_t scales[] = {1, 2, 4, 8};
    EMIT2(m, M(LEA), in(any_work(m), one_in(m, 2) ? 4 : 8),
          at(any_work(m), (int32_t)any_work(m), ONE_OF(m, scales), (int64_t)any(m, 200) - 100, 8));
}

static void widen(struct maker *m)
{
    uint32_t bytes = 1 + any(m, 2);
    operand from = one_in(m, 3) ? in(any_work(m), bytes) : any_memory(m, bytes);
    EMIT2(m, one_in(m, 2) ? M(MOVZX) : M(MOVSX), in(any_work(m), one_in(m, 2) ? 4 : 8), from);
}

/* Flags are used a few instructions after they were set. */
static void flags(struct maker *m)
{
    static const ZydisMnemonic setters[] = {M(CMP), M(CMP), M(TEST), M(ADD), M(SUB), M(AND)};
    uint32_t bytes = any_width(m), wide = bytes < 4 ? 4 : bytes;
    operand with = one_in(m, 3) ? number((int8_t)any(m, 256)) : in(any_work(m), bytes);
    EMIT2(m, ONE_OF(m, setters), in(any_work(m), bytes), with);
    for (uint32_t n = any(m, 3); n > 0; n--) { /* these leave flags alone */
        switch (any(m, 4)) {
        case 0:
            EMIT2(m, M(MOV), in(any_work(m), bytes), any_memory(m, bytes));
            break;
        case 1:
            address_arithmetic(m);
            break;
        case 2:
            EMIT1(m, M(NOT), in(any_work(m), bytes));
            break;
        default:
            EMIT2(m, M(MOV), in(any_work(m), 8), in(any_work(m), 8));
            break;
        }
    }
    for (uint32_t n = 1 + any(m, 2); n > 0; n--) {
        switch (any(m, 4)) {
        case 0:
            EMIT1(m, ONE_OF(m, sets), in(any_work(m), 1));
            break;
        case 1: /* its carry goes on to the next one */
            EMIT2(m, one_in(m, 2) ? M(ADC) : M(SBB), in(any_work(m), wide),
                  one_in(m, 3) ? number((int8_t)any(m, 256)) : in(any_work(m), wide));
            break;
        default:
            EMIT2(m, ONE_OF(m, moves), in(any_work(m), wide), in(any_work(m), wide));
            break;
        }
    }
}

static void bits(struct maker *m)
{
    static const ZydisMnemonic all[] = {M(BT), M(BTS), M(BTR), M(BTC)};
    uint32_t wide = one_in(m, 2) ? 4 : 8;
    EMIT2(m, ONE_OF(m, all), in(any_work(m), wide),
          one_in(m, 2) ? number((int64_t)any(m, 8 * wide)) : in(any_work(m), wide));
    EMIT1(m, one_in(m, 2) ? M(SETB) : M(SETNB), in(any_work(m), 1));
}

static void load(struct maker *m)
{
    uint32_t bytes = any_width(m);
    EMIT2(m, M(MOV), in(any_work(m), bytes), any_memory(m, bytes));
}

static void store(struct maker *m)
{
    static const ZydisMnemonic all[] = {M(MOV), M(MOV), M(MOV), M(ADD), M(XOR), M(SUB), M(AND)};
    static const ZydisMnemonic single[] = {M(INC), M(DEC), M(NEG), M(NOT)};
    uint32_t bytes = any_width(m);
    if (m->no_stores) {
        load(m);
        return;
    }
    m->stored = true;
    if (one_in(m, 8)) {
        EMIT1(m, ONE_OF(m, single), any_memory(m, bytes));
    } else if (one_in(m, 8)) {
        EMIT1(m, ONE_OF(m, sets), any_memory(m, 1));
    } else {
        EMIT2(m, ONE_OF(m, all), any_memory(m, bytes),
              one_in(m, 5) ? number((int8_t)any(m, 256)) : in(any_work(m), bytes));
    }
}

/* What one width wrote another one reads, beside it or across. */
static void forward(struct maker *m)
{
    uint32_t wrote = any_width(m), reads = any_width(m);
    operand place = any_memory(m, wrote);
    if (m->no_stores) {
        return;
    }
    m->stored = true;
    EMIT2(m, M(MOV), place, in(any_work(m), wrote));
    if (one_in(m, 3)) {
        two_operands(m);
    }
    place.mem.size = (ZyanU16)reads;
    place.mem.displacement += (int64_t)any(m, 8) - 3;
    EMIT2(m, M(MOV), in(any_work(m), reads), place);
}

/* An index with bounds, and what lies there. */
static void look_up(struct maker *m)
{
    static const uint8_t scales[] = {1, 2, 4, 8};
    uint32_t index = any_work(m), bytes = any_width(m);
    if (one_in(m, 2)) {
        EMIT2(m, M(MOVZX), in(index, 4), any_memory(m, 1));
    } else {
        EMIT2(m, M(AND), in(index, one_in(m, 2) ? 4 : 8), number((int64_t)(1u << any(m, 7)) - 1));
    }
    operand there = at(RBX, (int32_t)index, ONE_OF(m, scales), (int64_t)any(m, 3) * 8, bytes);
    if (m->no_stores || !one_in(m, 8)) {
        EMIT2(m, ONE_OF(m, two), in(any_work(m), bytes), there);
    } else { /* a histogram */
        m->stored = true;
        EMIT2(m, M(ADD), there, number(1));
    }
}

static void vector(struct maker *m)
{
    static const ZydisMnemonic all[] = {
        M(PADDB),   M(PADDW),    M(PADDD),   M(PADDQ),   M(PSUBB),    M(PSUBW),     M(PSUBD),
        M(PXOR),    M(PAND),     M(POR),     M(PANDN),   M(PCMPEQB),  M(PCMPEQD),   M(PCMPGTB),
        M(PCMPGTW), M(PMINUB),   M(PMAXUB),  M(PMINSW),  M(PMAXSW),   M(PAVGB),     M(PADDUSB),
        M(PSUBUSW), M(PADDSW),   M(PSUBSB),  M(PMULLW),  M(PMULUDQ),  M(PUNPCKLBW), M(PUNPCKHWD),
        M(PSADBW),  M(PACKUSWB), M(PMADDWD), M(PMULHUW), M(PUNPCKLDQ)};
    static const ZydisMnemonic by[] = {M(PSLLW), M(PSLLD), M(PSLLQ), M(PSRLW),
                                       M(PSRLD), M(PSRLQ), M(PSRAW), M(PSRAD)};
    static const ZydisMnemonic whole[] = {M(MOVDQU), M(MOVDQU), M(MOVDQA), M(MOVUPS), M(MOVAPS)};
    operand x = in(any(m, 4), 16), y = in(any(m, 4), 16);
    switch (any(m, 10)) {
    case 0:
    case 1:
        EMIT2(m, ONE_OF(m, whole), x, in_buffer(m, 16));
        break;
    case 2:
    case 3:
        if (!m->no_stores) {
            m->stored = true;
            EMIT2(m, ONE_OF(m, whole), in_buffer(m, 16), x);
        }
        break;
    case 4:
        EMIT2(m, ONE_OF(m, by), x, number((int64_t)any(m, 20)));
        break;
    case 5:
        if (one_in(m, 2)) {
            EMIT2(m, M(MOVD), x, in(any_work(m), 4));
        } else {
            EMIT2(m, M(MOVD), in(any_work(m), 4), x);
        }
        break;
    case 6:
        if (one_in(m, 3)) {
            EMIT2(m, M(PMOVMSKB), in(any_work(m), 4), x);
        } else {
            emit(m, one_in(m, 2) ? M(PSHUFD) : M(PSHUFLW), 3, x, y, number((int64_t)any(m, 256)));
        }
        break;
    case 7:
        EMIT2(m, M(MOVQ), x, in_buffer(m, 8));
        break;
    default:
        EMIT2(m, ONE_OF(m, all), x, y);
        break;
    }
}

static void compute(struct maker *m)
{
    static void (*const all[])(struct maker *) = {two_operands,
                                                  two_operands,
                                                  two_operands,
                                                  one_operand,
                                                  shift,
                                                  shift,
                                                  multiply,
                                                  widen,
                                                  widen,
                                                  flags,
                                                  flags,
                                                  load,
                                                  load,
                                                  store,
                                                  store,
                                                  store,
                                                  forward,
                                                  look_up,
                                                  address_arithmetic,
                                                  bits};
    if (m->vectors && !one_in(m, 3)) {
        vector(m);
    } else {
        ONE_OF(m, all)(m);
    }
}

static uint32_t compare_and_jump(struct maker *m)
{
    const uint32_t bytes = any_width(m);
    operand a = one_in(m, 3) ? any_memory(m, bytes) : in(any_work(m), bytes);
    EMIT2(m, M(CMP), a, one_in(m, 2) ? in(any_work(m), bytes) : number((int8_t)any(m, 256)));
    return jump_if(m, any_condition(m));
}

static void skip_some(struct maker *m)
{
    uint32_t from = compare_and_jump(m);
    for (uint32_t n = 1 + any(m, 2); n > 0; n--) {
        compute(m);
    }
    jump_to(m, from, m->loop->n);
}

/* A function that is called once or twice. It stores nothing, as buffers may lie on the stack: a
 * way back that is overwritten leads anywhere. */
static void call_some(struct maker *m)
{
    bool had_no_stores = m->no_stores, saves = one_in(m, 2);
    operand saved = in(any_work(m), 8);
    uint32_t calls[2], n = 1 + any(m, 2);
    for (uint32_t i = 0; i < n; i++) {
        if (i > 0) {
            compute(m);
        }
        calls[i] = branch(m, 0xe8);
    }
    uint32_t over = branch(m, 0xe9);
    for (uint32_t i = 0; i < n; i++) {
        jump_to(m, calls[i], m->loop->n);
    }
    m->no_stores = true;
    if (saves) {
        EMIT1(m, M(PUSH), saved);
    }
    for (uint32_t k = 1 + any(m, 3); k > 0; k--) {
        compute(m);
    }
    if (saves) {
        EMIT1(m, M(POP), saved);
    }
    m->no_stores = had_no_stores;
    m->loop->code[m->loop->n++] = 0xc3;
    jump_to(m, over, m->loop->n);
}

/* Real code that leaves does so before it stores; some does not. */
static void leave(struct maker *m)
{
    if (m->stored && !one_in(m, 4)) {
        compute(m);
        return;
    }
    uint32_t bytes = any_width(m);
    EMIT2(m, M(CMP), one_in(m, 2) ? in_buffer(m, bytes) : in(any_work(m), bytes),
          number((int8_t)any(m, 256)));
    uint32_t condition = one_in(m, 3) ? any_condition(m) : 4; /* mostly: equal */
    m->ways_out[m->n_ways_out++] = jump_if(m, condition);
}

static void inner(struct maker *m)
{
    bool had_no_stores = m->no_stores;
    uint32_t counter = any_work(m), bytes = one_in(m, 2) ? 4 : 8;
    switch (any(m, 3)) {
    case 0: /* a constant */
        EMIT2(m, M(MOV), in(counter, 4), number((int64_t)(1 + any(m, 12))));
        break;
    case 1: /* of data */
        EMIT2(m, M(AND), in(counter, bytes), number(15));
        EMIT2(m, M(ADD), in(counter, bytes), number(1));
        break;
    default: /* how often it can be halved */
        EMIT2(m, M(OR), in(counter, bytes), number(1));
        break;
    }
    bool halves = one_in(m, 4);
    m->no_stores = true;
    uint32_t begin = m->loop->n;
    for (uint32_t n = 1 + any(m, 2); n > 0; n--) {
        if (one_in(m, 3)) {
            uint32_t wide = any_width(m);
            EMIT2(m, M(ADD), in(any_work(m), wide), at(RBX, (int32_t)counter, 4, 0, wide));
        } else {
            two_operands(m);
        }
    }
    if (halves) {
        EMIT2(m, M(SHR), in(counter, bytes), number(1));
    } else {
        EMIT2(m, M(SUB), in(counter, bytes), number(1));
    }
    jump_to(m, jump_if(m, 5), begin);
    m->no_stores = had_no_stores;
}

/* ---------------------------------------------------------------- the loop */

static void add_pointer(struct maker *m, uint32_t reg, bool indexed)
{
    static const uint8_t scales[] = {1, 1, 2, 4, 4, 8, 8};
    struct random_loop *l = m->loop;
    l->role[reg] = RANDOM_POINTER;
    l->pointer[reg].scale = ONE_OF(m, scales);
    l->pointer[reg].index = !indexed           ? RANDOM_NO_INDEX
                            : l->step % 2 == 0 ? RANDOM_INDEX_64
                            : !one_in(m, 3)    ? RANDOM_INDEX_64
                            : one_in(m, 2)     ? RANDOM_INDEX_32
                                               : RANDOM_INDEX_SIGNED_32;
    m->pointers[m->n_pointers++] = reg;
}

static void begin(struct maker *m)
{
    struct random_loop *l = m->loop;
    static const int8_t steps[] = {1, 1, 1, 1, -1, -1, -1, 2, 3, -2, 4, 8, -5, 16};
    const bool indexed = one_in(m, 2);
    l->step = ONE_OF(m, steps);
    l->role[RCX] = RANDOM_COUNT;
    l->role[R8] = RANDOM_LIMIT;
    l->role[RBP] = RANDOM_FRAME;
    l->role[RBX] = RANDOM_POINTER;
    add_pointer(m, RDI, indexed);
    add_pointer(m, RSI, indexed);
    if (l->pointer[RDI].index >= RANDOM_INDEX_32 || l->pointer[RSI].index >= RANDOM_INDEX_32) {
        /* one register has it, for both */
        uint8_t index = l->pointer[RDI].index >= RANDOM_INDEX_32 ? l->pointer[RDI].index
                                                                 : l->pointer[RSI].index;
        for (uint32_t reg = RSI; reg <= RDI; reg++) {
            bool narrow = l->pointer[reg].index >= RANDOM_INDEX_32;
            l->pointer[reg].index = narrow ? index : l->pointer[reg].index;
        }
        EMIT2(m, index == RANDOM_INDEX_32 ? M(MOV) : M(MOVSXD),
              in(R14, index == RANDOM_INDEX_32 ? 4 : 8), in(RCX, 4));
    }
    if (one_in(m, 8)) { /* a pointer that lies in memory */
        l->pointer_in_cell = 32;
        EMIT2(m, M(MOV), in(R15, 8), at(RSP, -1, 0, l->pointer_in_cell, 8));
        m->pointers[m->n_pointers++] = R15;
    }
}

static void go_on(struct maker *m)
{
    static const int16_t strides[] = {1,   2, 4, 8, 8,  8,  16, 16,  -1,   -2,  -4, -8,
                                      -16, 3, 5, 7, 12, 24, 32, 100, -100, 200, 0,  0};
    static const uint8_t back[] = {0x5, 0x5, 0x2, 0x7, 0xc, 0xf, 0x3, 0xe, 0x6};
    struct random_loop *l = m->loop;
    l->stride = 0;
    for (uint32_t reg = RSI; reg <= RDI; reg++) {
        int16_t stride = ONE_OF(m, strides);
        if (l->pointer[reg].index != RANDOM_NO_INDEX && !one_in(m, 8)) {
            continue;
        }
        if (one_in(m, 10)) { /* by a register */
            l->role[R9] = RANDOM_STRIDE;
            EMIT2(m, M(ADD), in(reg, 8), in(R9, 8));
        } else if (stride != 0) {
            EMIT2(m, M(ADD), in(reg, 8), number(stride));
            l->stride = stride;
        }
    }
    if (l->pointer_in_cell != 0) {
        EMIT2(m, M(ADD), at(RSP, -1, 0, l->pointer_in_cell, 8), number(ONE_OF(m, strides)));
    }
    if (l->stride != 0 && l->role[R9] != RANDOM_STRIDE &&
        l->pointer[RDI].index == RANDOM_NO_INDEX && one_in(m, 4)) { /* until a pointer is there */
        l->role[R8] = RANDOM_END;
        EMIT2(m, M(CMP), in(RDI, 8), in(R8, 8));
        jump_to(m, jump_if(m, ONE_OF(m, back)), 0);
        return;
    }
    static const uint8_t widths[] = {8, 8, 8, 4, 4, 4, 4, 2, 1};
    const uint32_t bytes = ONE_OF(m, widths);
    if (l->step < 0 || one_in(m, 3)) { /* down: flags of the subtraction itself */
        l->step = l->step < 0 ? l->step : -1;
        EMIT2(m, M(SUB), in(RCX, bytes), number(-l->step));
        jump_to(m, jump_if(m, l->step == -1 && !one_in(m, 4) ? 5 : ONE_OF(m, back)), 0);
        return;
    }
    EMIT2(m, M(ADD), in(RCX, bytes), number(l->step));
    if (one_in(m, 4)) {
        EMIT2(m, M(CMP), in(RCX, bytes), number((int64_t)any(m, 100)));
    } else {
        EMIT2(m, M(CMP), in(RCX, bytes), in(R8, bytes));
    }
    jump_to(m, jump_if(m, ONE_OF(m, back)), 0);
}

void random_loop_make(uint64_t seed, uint64_t without, struct random_loop *loop)
{
    struct maker m = {.loop = loop, .seed = seed, .without = without};
    memset(loop, 0, sizeof *loop);
    for (unsigned i = 0; i < 4; i++) {
        (void)any(&m, 2);
    }
    m.vectors = one_in(&m, 5);
    static const int8_t frames[] = {8, -8, 16, -16, 24, 3, 12, -24};
    loop->frame = seed >= RANDOM_FRAMES ? frames[seed % sizeof frames] : 0;
    begin(&m);
    for (uint32_t i = loop->frame != 0 ? any(&m, 3) : 3; i < 3; i++) {
        uint32_t bytes = one_in(&m, 3) ? 4 : 8;
        EMIT2(&m, M(MOV), at(RSP, -1, 0, -8 * (int64_t)(1 + any(&m, 4)), bytes), in(R12, bytes));
        EMIT2(&m, M(ADD), in(R11, bytes), at(RBP, -1, 0, -8 * (int64_t)(1 + any(&m, 3)), bytes));
        EMIT2(&m, M(XOR), at(RBP, -1, 0, -8 * (int64_t)(1 + any(&m, 3)), 8), in(R11, 8));
    }
    uint32_t top = 0;
    if (one_in(&m, 8)) { /* asked at the top */
        EMIT2(&m, M(CMP), in(RCX, 8), in(R8, 8));
        top = jump_if(&m, one_in(&m, 2) ? 3 : 0xd);
        m.ways_out[m.n_ways_out++] = top;
    }
    for (uint32_t n = 1 + any(&m, 6), i = 0; i < n; i++) {
        uint32_t was = loop->n, ways = m.n_ways_out;
        bool stored = m.stored;
        switch (any(&m, 24)) {
        case 0:
        case 1:
            skip_some(&m);
            break;
        case 2:
            leave(&m);
            break;
        case 3:
            inner(&m);
            break;
        case 4:
            call_some(&m);
            break;
        default:
            compute(&m);
            break;
        }
        if ((without >> i & 1) != 0) {
            loop->n = was;
            m.n_ways_out = ways;
            m.stored = stored;
        }
        loop->n_pieces++;
    }
    go_on(&m);
    loop->end = loop->n;
    for (uint32_t i = 0; i < m.n_ways_out; i++) {
        jump_to(&m, m.ways_out[i], loop->n);
    }
    loop->code[loop->n++] = 0xc3;
}

/* ---------------------------------------------------------------- states */

static uint64_t any_number(uint64_t *seed)
{
    uint64_t value = next_of(seed) << 40 ^ next_of(seed) << 8 ^ next_of(seed), how = next_of(seed);
    switch (how % 8) {
    case 0:
        return value & 0xff;
    case 1:
        return 0 - (value & 0xf);
    case 2:
        return UINT64_C(1) << (value & 63);
    case 3:
        return (UINT64_C(1) << (value & 63)) - 1;
    case 4:
        return value & 0xffffffff;
    default:
        return value;
    }
}

static uint64_t any_count(uint64_t *seed)
{
    static const uint64_t corners[] = {0,       0x80,       0x100,       0x8000,
                                       0x10000, 0x80000000, 0x100000000, UINT64_C(1) << 63};
    uint64_t small = next_of(seed) % 40, how = next_of(seed) % 8;
    switch (how) {
    case 0:
        return corners[next_of(seed) % 8] - small;
    case 1:
        return corners[next_of(seed) % 8] + small % 4;
    case 2: /* something above it */
        return (next_of(seed) << 32) + small;
    case 3:
        return (next_of(seed) << 8) + small;
    default:
        return small;
    }
}

static uint64_t any_place(uint64_t *seed, uint32_t region, uint64_t arena)
{
    uint64_t in_region = RANDOM_REGION / 2 + next_of(seed) % 1024 - 512;
    return arena + region * RANDOM_REGION +
           (next_of(seed) % 4 != 0 ? in_region & ~UINT64_C(15) : in_region);
}

void random_loop_state(const struct random_loop *loop, uint64_t seed, uint8_t arena[RANDOM_ARENA],
                       struct processor_state *s)
{
    const uint64_t here = (uintptr_t)arena;
    for (unsigned i = 0; i < 4; i++) {
        (void)next_of(&seed);
    }
    uint64_t zeros = next_of(&seed) % 4; /* memory where comparisons hold now and then */
    for (uint32_t i = 0; i < RANDOM_ARENA; i += 4) {
        uint64_t value = next_of(&seed);
        uint32_t four = zeros == 0 ? (uint32_t)(value & 0x01010303) : (uint32_t)value;
        memcpy(arena + i, &four, sizeof four);
    }
    for (uint32_t i = 0; i < 16; i++) {
        s->r[i] = any_number(&seed);
        s->xmm[i][0] = any_number(&seed);
        s->xmm[i][1] = any_number(&seed);
        s->xmm[i][2] = s->xmm[i][3] = 0;
    }
    s->flags = next_of(&seed) & PROCESSOR_FLAGS;
    s->fs_base = 0;
    s->r[RSP] = here + 3 * RANDOM_REGION + RANDOM_REGION / 2 + next_of(&seed) % 64 * 8;
    s->r[RBP] = s->r[RSP] + (next_of(&seed) % 4 != 0 ? 64 : next_of(&seed) % 48 - 16);
    s->r[RBP] = loop->frame != 0 && seed >> 61 != 0 ? s->r[RSP] + (uint64_t)loop->frame : s->r[RBP];
    s->r[RCX] = any_count(&seed);
    const uint64_t some = next_of(&seed) % 30, odd = next_of(&seed) % 8;
    s->r[R8] = odd == 0   ? s->r[RCX]
               : odd == 1 ? s->r[RCX] + some
               : odd == 2 ? s->r[RCX] - some
                          : s->r[RCX] + some * (uint64_t)(int64_t)loop->step;
    if (loop->role[R9] == RANDOM_STRIDE) {
        s->r[R9] =
            (next_of(&seed) % 80 - 40) & (next_of(&seed) % 2 == 0 ? ~UINT64_C(0) : ~UINT64_C(7));
    }
    /* Where they really point to; what an index adds is taken away below. */
    uint64_t di = any_place(&seed, 0, here), si = any_place(&seed, 1, here),
             table = any_place(&seed, 2, here), cell = any_place(&seed, 2, here) + 1024;
    switch (next_of(&seed) % 12) {
    case 0:
        si = di;
        break;
    case 1:
    case 2:
        si = di + next_of(&seed) % 64 - 32;
        break;
    case 3:
        si = di + next_of(&seed) % 512 - 256;
        break;
    case 4:
        di = table + next_of(&seed) % 512 - 128;
        break;
    case 5:
        di = s->r[RSP] + next_of(&seed) % 256 - 128;
        break;
    case 6:
        cell = next_of(&seed) % 2 != 0 ? di : s->r[RSP] + next_of(&seed) % 64;
        break;
    case 7: /* the end of all memory is near */
        di = here + RANDOM_ARENA - next_of(&seed) % 256;
        break;
    case 8:
        si = here + next_of(&seed) % 256;
        break;
    default:
        break;
    }
    s->r[RBX] = table;
    if (loop->role[R8] == RANDOM_END) {
        s->r[R8] = di + (some + 1) * (uint64_t)(int64_t)loop->stride + (odd == 0 ? 1 : 0);
    }
    for (uint32_t reg = RSI; reg <= RDI; reg++) {
        uint64_t count = s->r[RCX], add = 0;
        switch (loop->pointer[reg].index) {
        case RANDOM_INDEX_64:
            add = count;
            break;
        case RANDOM_INDEX_32:
            add = (uint32_t)count;
            break;
        case RANDOM_INDEX_SIGNED_32:
            add = (uint64_t)(int64_t)(int32_t)(uint32_t)count;
            break;
        default:
            break;
        }
        s->r[reg] = (reg == RSI ? si : di) - add * loop->pointer[reg].scale;
    }
    if (loop->pointer_in_cell != 0) {
        memcpy((uint8_t *)arena + (s->r[RSP] - here) + loop->pointer_in_cell, &cell, sizeof cell);
    }
    uint64_t nowhere = 0; /* whereto the code behind the loop returns */
    memcpy((uint8_t *)arena + (s->r[RSP] - here), &nowhere, sizeof nowhere);
}
