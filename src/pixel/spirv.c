/* pixel/spirv.c - a program as a compute shader. See gpu.h, spirv.h; SPIR-V 1.5, Vulkan 1.2.
 *
 * The program comes lowered (lower.h), so what is left is arithmetic. Values of up to 32 bits are
 * 32-bit words with zeros above them, of 64 bits 64-bit ones, a bit is a word that is 0 or 1.
 * Memory is reached by device addresses through the streams' page tables; an access at a multiple
 * of its size is one, any other is made of bytes.
 */
#include "pixel/spirv.h"
#include "pixel/gpu.h"
#include "pixel/lower.h"
#include "pixel/shape.h"

#include <spirv/unified1/spirv.h>
#include <stdlib.h>
#include <string.h>

#define CONSTANTS_MAX 4096u
#define NONE VT_PIXEL_NONE

typedef uint32_t id;

struct words {
    uint32_t *w;
    size_t n, room;
};

enum { PUSH_ARGUMENTS, PUSH_FIRST, PUSH_COUNT, PUSH_FAILED, PUSH_STORES, PUSH_PAD, PUSH_MEMBERS };

struct shader {
    const struct vt_pixel_program *p;
    struct words head, types, code;
    uint32_t ids;
    bool full;
    id void_, bool_, u8, u16, u32, u64, p8, p16, p32, p64; /* p: pointers by device address */
    id push, push_u32, push_u64, global, local, group, v3, in_u32;
    id shared[VT_PIXEL_CARRIES_MAX], shared_u64, f_u64, reduced[VT_PIXEL_CARRIES_MAX];
    id load[4], store[4], arguments, count, k, stores;
    id inputs[VT_PIXEL_INPUTS_MAX], carries[VT_PIXEL_CARRIES_MAX];
    id tables[VT_PIXEL_STREAMS_MAX], positions[VT_PIXEL_STREAMS_MAX];
    id *values;
    id block; /* that is being written */
    struct {
        id header, body, again, merge, variables[VT_PIXEL_VARIABLES_MAX], trips;
        size_t phis; /* in code: where what comes from `again` is still to be written */
    } loops[VT_PIXEL_LOOPS_MAX];
    uint32_t open[VT_PIXEL_NESTING_MAX], n_open;
    struct {
        id type, id;
        uint64_t value;
    } constants[CONSTANTS_MAX];
    uint32_t n_constants;
    struct {
        uint32_t types[5], n, id;
    } functions[9]; /* of four loads, four stores, main */
    uint32_t n_functions;
};

/* ---------------------------------------------------------------- words */

static void put(struct shader *s, struct words *w, SpvOp op, unsigned n, const uint32_t *operands)
{
    if (w->n + n + 1 > w->room) {
        size_t room = w->room == 0 ? 1024 : w->room * 2;
        room = room < w->n + n + 1 ? w->n + n + 1 : room;
        uint32_t *wider = realloc(w->w, room * sizeof *wider);
        if (wider == NULL) {
            s->full = true;
            return;
        }
        w->w = wider;
        w->room = room;
    }
    w->w[w->n++] = (uint32_t)(n + 1) << 16 | (uint32_t)op;
    if (n > 0) {
        memcpy(w->w + w->n, operands, n * sizeof *operands);
        w->n += n;
    }
}
#define PUT(s, w, op, ...)                                                                         \
    put(s, w, op, sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t), (uint32_t[]){__VA_ARGS__})

static id fresh(struct shader *s)
{
    return s->ids++;
}

/* An operation with a result. */
static id make(struct shader *s, SpvOp op, id type, unsigned n, const uint32_t *operands)
{
    uint32_t all[8] = {type, fresh(s)};
    memcpy(all + 2, operands, n * sizeof *operands);
    put(s, &s->code, op, n + 2, all);
    return all[1];
}
#define MAKE(s, op, type, ...)                                                                     \
    make(s, op, type, sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t),                        \
         (uint32_t[]){__VA_ARGS__})

static id constant(struct shader *s, id type, uint64_t value)
{
    for (uint32_t i = 0; i < s->n_constants; i++) {
        if (s->constants[i].type == type && s->constants[i].value == value) {
            return s->constants[i].id;
        }
    }
    id c = fresh(s);
    if (type == s->u64) {
        PUT(s, &s->types, SpvOpConstant, type, c, (uint32_t)value, (uint32_t)(value >> 32));
    } else {
        PUT(s, &s->types, SpvOpConstant, type, c, (uint32_t)value);
    }
    if (s->n_constants < CONSTANTS_MAX) {
        s->constants[s->n_constants].type = type;
        s->constants[s->n_constants].value = value;
        s->constants[s->n_constants++].id = c;
    }
    return c;
}
static id word(struct shader *s, uint64_t n)
{
    return constant(s, s->u32, n);
}
static id wide(struct shader *s, uint64_t n)
{
    return constant(s, s->u64, n);
}
static id type_of(const struct shader *s, unsigned bits)
{
    return bits == 64 ? s->u64 : s->u32;
}
static id number(struct shader *s, unsigned bits, uint64_t n)
{
    return constant(s, type_of(s, bits), n);
}

static void label(struct shader *s, id l)
{
    PUT(s, &s->code, SpvOpLabel, l);
    s->block = l;
}
static void branch(struct shader *s, id to)
{
    PUT(s, &s->code, SpvOpBranch, to);
}
/* Opens `if (condition)`; returns where it ends. */
static id begin_if(struct shader *s, id condition)
{
    id then = fresh(s), after = fresh(s);
    PUT(s, &s->code, SpvOpSelectionMerge, after, SpvSelectionControlMaskNone);
    PUT(s, &s->code, SpvOpBranchConditional, condition, then, after);
    label(s, then);
    return after;
}
static void end_if(struct shader *s, id after)
{
    branch(s, after);
    label(s, after);
}

/* ---------------------------------------------------------------- types, functions for memory */

static id new_type(struct shader *s, SpvOp op, unsigned n, const uint32_t *operands)
{
    uint32_t all[12] = {fresh(s)};
    memcpy(all + 1, operands, n * sizeof *operands);
    put(s, &s->types, op, n + 1, all);
    return all[0];
}
#define TYPE(s, op, ...)                                                                           \
    new_type(s, op, sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t), (uint32_t[]){__VA_ARGS__})

static id variable(struct shader *s, id pointer, SpvStorageClass class)
{
    id v = fresh(s);
    PUT(s, &s->types, SpvOpVariable, pointer, v, class);
    return v;
}

static void make_types(struct shader *s)
{
    uint32_t physical = SpvStorageClassPhysicalStorageBuffer;
    s->void_ = new_type(s, SpvOpTypeVoid, 0, (uint32_t[]){0});
    s->bool_ = new_type(s, SpvOpTypeBool, 0, (uint32_t[]){0});
    s->u8 = TYPE(s, SpvOpTypeInt, 8, 0);
    s->u16 = TYPE(s, SpvOpTypeInt, 16, 0);
    s->u32 = TYPE(s, SpvOpTypeInt, 32, 0);
    s->u64 = TYPE(s, SpvOpTypeInt, 64, 0);
    s->p8 = TYPE(s, SpvOpTypePointer, physical, s->u8);
    s->p16 = TYPE(s, SpvOpTypePointer, physical, s->u16);
    s->p32 = TYPE(s, SpvOpTypePointer, physical, s->u32);
    s->p64 = TYPE(s, SpvOpTypePointer, physical, s->u64);
    s->v3 = TYPE(s, SpvOpTypeVector, s->u32, 3);
    id in_v3 = TYPE(s, SpvOpTypePointer, SpvStorageClassInput, s->v3);
    s->in_u32 = TYPE(s, SpvOpTypePointer, SpvStorageClassInput, s->u32);
    s->global = variable(s, in_v3, SpvStorageClassInput);
    s->group = variable(s, in_v3, SpvStorageClassInput);
    s->local = variable(s, s->in_u32, SpvStorageClassInput);
    id block = TYPE(s, SpvOpTypeStruct, s->u64, s->u64, s->u64, s->u64, s->u32, s->u32);
    id of_block = TYPE(s, SpvOpTypePointer, SpvStorageClassPushConstant, block);
    s->push_u32 = TYPE(s, SpvOpTypePointer, SpvStorageClassPushConstant, s->u32);
    s->push_u64 = TYPE(s, SpvOpTypePointer, SpvStorageClassPushConstant, s->u64);
    s->push = variable(s, of_block, SpvStorageClassPushConstant);
    s->f_u64 = TYPE(s, SpvOpTypePointer, SpvStorageClassFunction, s->u64);
    id lanes = constant(s, s->u32, VT_SPIRV_LANES);
    id array = TYPE(s, SpvOpTypeArray, s->u64, lanes);
    id of_array = TYPE(s, SpvOpTypePointer, SpvStorageClassWorkgroup, array);
    s->shared_u64 = TYPE(s, SpvOpTypePointer, SpvStorageClassWorkgroup, s->u64);
    for (uint32_t c = 0; c < s->p->n_carries; c++) {
        if (s->p->carries[c].kind != VT_PIXEL_INDUCTION && s->p->carries[c].kind != VT_PIXEL_LAST) {
            s->shared[c] = variable(s, of_array, SpvStorageClassWorkgroup);
        }
    }
    uint32_t offsets[PUSH_MEMBERS] = {0, 8, 16, 24, 32, 36};
    for (uint32_t m = 0; m < PUSH_MEMBERS; m++) {
        PUT(s, &s->head, SpvOpMemberDecorate, block, m, SpvDecorationOffset, offsets[m]);
    }
    PUT(s, &s->head, SpvOpDecorate, block, SpvDecorationBlock);
    PUT(s, &s->head, SpvOpDecorate, s->global, SpvDecorationBuiltIn, SpvBuiltInGlobalInvocationId);
    PUT(s, &s->head, SpvOpDecorate, s->group, SpvDecorationBuiltIn, SpvBuiltInWorkgroupId);
    PUT(s, &s->head, SpvOpDecorate, s->local, SpvDecorationBuiltIn, SpvBuiltInLocalInvocationIndex);
}

static id at_address(struct shader *s, id pointer, id address)
{
    return MAKE(s, SpvOpConvertUToPtr, pointer, address);
}
static id fetch(struct shader *s, id type, id pointer, id address, uint32_t align)
{
    return MAKE(s, SpvOpLoad, type, at_address(s, pointer, address), SpvMemoryAccessAlignedMask,
                align);
}
static id add(struct shader *s, id a, id b)
{
    return MAKE(s, SpvOpIAdd, s->u64, a, b);
}

/* The device address of byte `at` of a stream. */
static id resolve(struct shader *s, id table, id at)
{
    id page = MAKE(s, SpvOpShiftRightLogical, s->u64, at, wide(s, 12));
    id entry = add(s, table, MAKE(s, SpvOpShiftLeftLogical, s->u64, page, wide(s, 3)));
    id base = fetch(s, s->u64, s->p64, entry, 8);
    return add(s, base, MAKE(s, SpvOpBitwiseAnd, s->u64, at, wide(s, 4095)));
}

/* Each once: two equal ones are not allowed. */
static id function_type(struct shader *s, id result, unsigned n, const id *types)
{
    uint32_t all[5] = {result};
    if (n > 0) {
        memcpy(all + 1, types, n * sizeof *types);
    }
    for (uint32_t i = 0; i < s->n_functions; i++) {
        if (s->functions[i].n == n && memcmp(s->functions[i].types, all, sizeof all) == 0) {
            return s->functions[i].id;
        }
    }
    id type = new_type(s, SpvOpTypeFunction, n + 1, all);
    memcpy(s->functions[s->n_functions].types, all, sizeof all);
    s->functions[s->n_functions].n = n;
    s->functions[s->n_functions++].id = type;
    return type;
}

static id begin_function(struct shader *s, id result, unsigned n, const id *types, id *parameters)
{
    id type = function_type(s, result, n, types), f = fresh(s);
    PUT(s, &s->code, SpvOpFunction, result, f, SpvFunctionControlMaskNone, type);
    for (unsigned i = 0; i < n; i++) {
        parameters[i] = fresh(s);
        PUT(s, &s->code, SpvOpFunctionParameter, types[i], parameters[i]);
    }
    label(s, fresh(s));
    return f;
}

/* The functions of 1 << k bytes; parameters: the table, the byte. */
static void make_load(struct shader *s, unsigned k)
{
    static const unsigned sizes[] = {1, 2, 4, 8};
    id types[] = {s->u8, s->u16, s->u32, s->u64}, pointers[] = {s->p8, s->p16, s->p32, s->p64};
    id result = k == 3 ? s->u64 : s->u32, parameter[2];
    id takes[] = {s->u64, s->u64};
    s->load[k] = begin_function(s, result, 2, takes, parameter);
    if (k > 0) {
        id rest = MAKE(s, SpvOpBitwiseAnd, s->u64, parameter[1], wide(s, sizes[k] - 1));
        id askew = MAKE(s, SpvOpINotEqual, s->bool_, rest, wide(s, 0));
        id after = begin_if(s, askew);
        id sum = constant(s, result, 0);
        for (unsigned i = 0; i < sizes[k]; i++) {
            id byte = MAKE(s, SpvOpFunctionCall, s->u32, s->load[0], parameter[0],
                           add(s, parameter[1], wide(s, i)));
            byte = k == 3 ? MAKE(s, SpvOpUConvert, s->u64, byte) : byte;
            byte =
                MAKE(s, SpvOpShiftLeftLogical, result, byte, constant(s, result, (uint64_t)8 * i));
            sum = MAKE(s, SpvOpBitwiseOr, result, sum, byte);
        }
        PUT(s, &s->code, SpvOpReturnValue, sum);
        label(s, after);
    }
    id v = fetch(s, types[k], pointers[k], resolve(s, parameter[0], parameter[1]), sizes[k]);
    v = k < 2 ? MAKE(s, SpvOpUConvert, s->u32, v) : v;
    PUT(s, &s->code, SpvOpReturnValue, v);
    put(s, &s->code, SpvOpFunctionEnd, 0, NULL);
}

static void make_store(struct shader *s, unsigned k)
{
    static const unsigned sizes[] = {1, 2, 4, 8};
    id types[] = {s->u8, s->u16, s->u32, s->u64}, pointers[] = {s->p8, s->p16, s->p32, s->p64};
    id given = k == 3 ? s->u64 : s->u32, parameter[3];
    id takes[] = {s->u64, s->u64, given};
    s->store[k] = begin_function(s, s->void_, 3, takes, parameter);
    if (k > 0) {
        id rest = MAKE(s, SpvOpBitwiseAnd, s->u64, parameter[1], wide(s, sizes[k] - 1));
        id askew = MAKE(s, SpvOpINotEqual, s->bool_, rest, wide(s, 0));
        id after = begin_if(s, askew);
        for (unsigned i = 0; i < sizes[k]; i++) {
            id byte = MAKE(s, SpvOpShiftRightLogical, given, parameter[2],
                           constant(s, given, (uint64_t)8 * i));
            byte = k == 3 ? MAKE(s, SpvOpUConvert, s->u32, byte) : byte;
            (void)MAKE(s, SpvOpFunctionCall, s->void_, s->store[0], parameter[0],
                       add(s, parameter[1], wide(s, i)), byte);
        }
        put(s, &s->code, SpvOpReturn, 0, NULL);
        label(s, after);
    }
    id v = k < 2 ? MAKE(s, SpvOpUConvert, types[k], parameter[2]) : parameter[2];
    id at = at_address(s, pointers[k], resolve(s, parameter[0], parameter[1]));
    PUT(s, &s->code, SpvOpStore, at, v, SpvMemoryAccessAlignedMask, sizes[k]);
    put(s, &s->code, SpvOpReturn, 0, NULL);
    put(s, &s->code, SpvOpFunctionEnd, 0, NULL);
}

/* ---------------------------------------------------------------- operations */

static id is_set(struct shader *s, id bit)
{
    return MAKE(s, SpvOpINotEqual, s->bool_, bit, word(s, 0));
}
static id bit_of(struct shader *s, id truth)
{
    return MAKE(s, SpvOpSelect, s->u32, truth, word(s, 1), word(s, 0));
}
/* What is above the width goes. */
static id trimmed(struct shader *s, unsigned bits, id v)
{
    return bits >= 32 ? v : MAKE(s, SpvOpBitwiseAnd, s->u32, v, word(s, ((uint32_t)1 << bits) - 1));
}
/* With the sign in all bits above the width. */
static id extended(struct shader *s, unsigned bits, id v)
{
    if (bits >= 32) {
        return v;
    }
    id by = word(s, 32 - bits);
    id up = MAKE(s, SpvOpShiftLeftLogical, s->u32, v, by);
    return MAKE(s, SpvOpShiftRightArithmetic, s->u32, up, by);
}
static id resized(struct shader *s, unsigned from, unsigned to, id v)
{
    return (from == 64) == (to == 64) ? v : MAKE(s, SpvOpUConvert, type_of(s, to), v);
}

static id arithmetic(struct shader *s, const struct vt_pixel_insn *i, id a, id b)
{
    static const SpvOp ops[VT_PIXEL_OPS] = {
        [VT_PIXEL_ADD] = SpvOpIAdd,
        [VT_PIXEL_SUB] = SpvOpISub,
        [VT_PIXEL_MUL] = SpvOpIMul,
        [VT_PIXEL_UDIV] = SpvOpUDiv,
        [VT_PIXEL_UREM] = SpvOpUMod,
        [VT_PIXEL_AND] = SpvOpBitwiseAnd,
        [VT_PIXEL_OR] = SpvOpBitwiseOr,
        [VT_PIXEL_XOR] = SpvOpBitwiseXor,
        [VT_PIXEL_SHL] = SpvOpShiftLeftLogical,
        [VT_PIXEL_LSHR] = SpvOpShiftRightLogical,
        [VT_PIXEL_ASHR] = SpvOpShiftRightArithmetic,
    };
    if (i->op == VT_PIXEL_ASHR) {
        a = extended(s, i->bits, a);
    }
    return trimmed(s, i->bits, MAKE(s, ops[i->op], type_of(s, i->bits), a, b));
}

static id comparison(struct shader *s, const struct vt_pixel_insn *i, id a, id b)
{
    static const SpvOp ops[] = {SpvOpIEqual,         SpvOpINotEqual, SpvOpULessThan,
                                SpvOpULessThanEqual, SpvOpSLessThan, SpvOpSLessThanEqual};
    unsigned bits = s->p->insns[i->a].bits;
    if (i->op >= VT_PIXEL_SLT) {
        a = extended(s, bits, a);
        b = extended(s, bits, b);
    }
    return bit_of(s, MAKE(s, ops[i->op - VT_PIXEL_EQ], s->bool_, a, b));
}

static id widened(struct shader *s, const struct vt_pixel_insn *i, id a)
{
    unsigned from = s->p->insns[i->a].bits;
    if (i->op == VT_PIXEL_ZEXT) {
        return resized(s, from, i->bits, a);
    }
    a = extended(s, from, a);
    return i->bits == 64 ? MAKE(s, SpvOpSConvert, s->u64, a) : trimmed(s, i->bits, a);
}

static id extracted(struct shader *s, const struct vt_pixel_insn *i, id a)
{
    unsigned from = s->p->insns[i->a].bits;
    if (i->imm != 0) {
        a = MAKE(s, SpvOpShiftRightLogical, type_of(s, from), a, number(s, from, i->imm));
    }
    return trimmed(s, i->bits, resized(s, from, i->bits, a));
}

static id joined(struct shader *s, const struct vt_pixel_insn *i, id a, id b)
{
    unsigned half = i->bits / 2;
    a = resized(s, half, i->bits, a);
    b = resized(s, half, i->bits, b);
    a = MAKE(s, SpvOpShiftLeftLogical, type_of(s, i->bits), a, number(s, i->bits, half));
    return MAKE(s, SpvOpBitwiseOr, type_of(s, i->bits), a, b);
}

/* The byte of the stream at which an access of this iteration lies. */
static id place(struct shader *s, const struct vt_pixel_insn *i)
{
    const struct vt_pixel_stream *stream = &s->p->streams[i->stream];
    id stride = stream->stride_input == NONE ? wide(s, (uint64_t)stream->stride)
                                             : s->inputs[stream->stride_input];
    id at = add(s, s->positions[i->stream], MAKE(s, SpvOpIMul, s->u64, s->k, stride));
    at = add(s, at, wide(s, i->imm));
    return i->a == NONE ? at : add(s, at, s->values[i->a]);
}

static unsigned size_of(unsigned bits)
{
    return bits == 8 ? 0 : bits == 16 ? 1 : bits == 32 ? 2 : 3;
}

static void store(struct shader *s, const struct vt_pixel_insn *i)
{
    id when = s->stores;
    if (i->c != NONE) {
        when = MAKE(s, SpvOpLogicalAnd, s->bool_, when, is_set(s, s->values[i->c]));
    }
    id after = begin_if(s, when);
    (void)MAKE(s, SpvOpFunctionCall, s->void_, s->store[size_of(s->p->insns[i->b].bits)],
               s->tables[i->stream], place(s, i), s->values[i->b]);
    end_if(s, after);
}

/* ---------------------------------------------------------------- inner loops */

static void begin_loop(struct shader *s, uint32_t which)
{
    const struct vt_pixel_loop *l = &s->p->loops[which];
    id before = s->block;
    s->loops[which].header = fresh(s);
    s->loops[which].again = fresh(s);
    s->loops[which].merge = fresh(s);
    s->loops[which].body = fresh(s);
    branch(s, s->loops[which].header);
    label(s, s->loops[which].header);
    s->loops[which].phis = s->code.n;
    for (uint32_t v = 0; v < l->n; v++) {
        id type = type_of(s, s->p->insns[l->initial[v]].bits);
        s->loops[which].variables[v] =
            MAKE(s, SpvOpPhi, type, s->values[l->initial[v]], before, 0, s->loops[which].again);
    }
    s->loops[which].trips = MAKE(s, SpvOpPhi, s->u32, word(s, 0), before, 0, s->loops[which].again);
    PUT(s, &s->code, SpvOpLoopMerge, s->loops[which].merge, s->loops[which].again,
        SpvLoopControlMaskNone);
    branch(s, s->loops[which].body);
    label(s, s->loops[which].body);
    s->open[s->n_open++] = which;
}

static void end_loop(struct shader *s, uint32_t which)
{
    const struct vt_pixel_loop *l = &s->p->loops[which];
    s->n_open--;
    id trips = MAKE(s, SpvOpIAdd, s->u32, s->loops[which].trips, word(s, 1));
    branch(s, s->loops[which].again);
    label(s, s->loops[which].again);
    id wanted = is_set(s, s->values[l->condition]);
    id more = MAKE(s, SpvOpULessThan, s->bool_, trips, word(s, l->max_trips));
    id both = MAKE(s, SpvOpLogicalAnd, s->bool_, wanted, more);
    PUT(s, &s->code, SpvOpBranchConditional, both, s->loops[which].header, s->loops[which].merge);
    label(s, s->loops[which].merge);
    for (uint32_t v = 0; v <= l->n && !s->full; v++) { /* a phi is 7 words, this one its 6th */
        s->code.w[s->loops[which].phis + (size_t)v * 7 + 5] =
            v < l->n ? s->values[l->next[v]] : trips;
    }
    id after = begin_if(s, wanted);
    id address = MAKE(s, SpvOpLoad, s->u64,
                      MAKE(s, SpvOpAccessChain, s->push_u64, s->push, word(s, PUSH_FAILED)));
    id lane = MAKE(s, SpvOpUConvert, s->u32, s->k);
    (void)MAKE(s, SpvOpAtomicUMin, s->u32, at_address(s, s->p32, address), word(s, SpvScopeDevice),
               word(s, SpvMemorySemanticsMaskNone), lane);
    end_if(s, after);
}

static id value_of(struct shader *s, const struct vt_pixel_insn *i)
{
    id a = i->a != NONE && i->op != VT_PIXEL_RESULT ? s->values[i->a] : 0;
    id b = i->b != NONE ? s->values[i->b] : 0;
    switch (i->op) {
    case VT_PIXEL_CONST:
        return number(s, i->bits, i->imm);
    case VT_PIXEL_INPUT:
        return s->inputs[i->imm];
    case VT_PIXEL_CARRY:
        return s->carries[i->imm];
    case VT_PIXEL_INDEX:
        return s->k;
    case VT_PIXEL_NOT:
        return trimmed(s, i->bits, MAKE(s, SpvOpNot, type_of(s, i->bits), a));
    case VT_PIXEL_EQ:
    case VT_PIXEL_NE:
    case VT_PIXEL_ULT:
    case VT_PIXEL_ULE:
    case VT_PIXEL_SLT:
    case VT_PIXEL_SLE:
        return comparison(s, i, a, b);
    case VT_PIXEL_SELECT:
        return MAKE(s, SpvOpSelect, type_of(s, i->bits), is_set(s, s->values[i->c]), a, b);
    case VT_PIXEL_ZEXT:
    case VT_PIXEL_SEXT:
        return widened(s, i, a);
    case VT_PIXEL_EXTRACT:
        return extracted(s, i, a);
    case VT_PIXEL_CONCAT:
        return joined(s, i, a, b);
    case VT_PIXEL_LOAD:
        return MAKE(s, SpvOpFunctionCall, type_of(s, i->bits), s->load[size_of(i->bits)],
                    s->tables[i->stream], place(s, i));
    case VT_PIXEL_VARIABLE:
        return s->loops[s->open[s->n_open - 1]].variables[i->imm];
    case VT_PIXEL_RESULT:
        return s->values[s->p->loops[i->a].next[i->imm]];
    default:
        return arithmetic(s, i, a, b);
    }
}

static void emit(struct shader *s, uint32_t at)
{
    const struct vt_pixel_insn *i = &s->p->insns[at];
    if (i->op == VT_PIXEL_STORE) {
        store(s, i);
    } else if (i->op == VT_PIXEL_LOOP) {
        begin_loop(s, (uint32_t)i->imm);
    } else if (i->op == VT_PIXEL_END) {
        end_loop(s, (uint32_t)i->imm);
    } else {
        s->values[at] = value_of(s, i);
    }
}

/* ---------------------------------------------------------------- carries */

static bool reduces(const struct shader *s, uint32_t c)
{
    return s->shared[c] != 0;
}

/* Both are 64-bit words that hold `bits` bits. */
static id reduced(struct shader *s, uint32_t c, id a, id b)
{
    const struct vt_pixel_carry *carry = &s->p->carries[c];
    id x = a, y = b;
    bool is_signed = carry->kind == VT_PIXEL_REDUCE_SMIN || carry->kind == VT_PIXEL_REDUCE_SMAX;
    switch (carry->kind) {
    case VT_PIXEL_REDUCE_ADD:
        return MAKE(s, SpvOpIAdd, s->u64, a, b);
    case VT_PIXEL_REDUCE_XOR:
        return MAKE(s, SpvOpBitwiseXor, s->u64, a, b);
    case VT_PIXEL_REDUCE_AND:
        return MAKE(s, SpvOpBitwiseAnd, s->u64, a, b);
    case VT_PIXEL_REDUCE_OR:
        return MAKE(s, SpvOpBitwiseOr, s->u64, a, b);
    default:
        break;
    }
    if (is_signed && carry->narrow < 64) {
        id by = wide(s, 64U - carry->narrow);
        x = MAKE(s, SpvOpShiftLeftLogical, s->u64, a, by);
        y = MAKE(s, SpvOpShiftLeftLogical, s->u64, b, by);
    }
    id less = MAKE(s, is_signed ? SpvOpSLessThan : SpvOpULessThan, s->bool_, x, y);
    bool least = carry->kind == VT_PIXEL_REDUCE_UMIN || carry->kind == VT_PIXEL_REDUCE_SMIN;
    return MAKE(s, SpvOpSelect, s->u64, less, least ? a : b, least ? b : a);
}

static id push_member(struct shader *s, unsigned member)
{
    bool narrow = member >= PUSH_STORES;
    id pointer =
        MAKE(s, SpvOpAccessChain, narrow ? s->push_u32 : s->push_u64, s->push, word(s, member));
    return MAKE(s, SpvOpLoad, narrow ? s->u32 : s->u64, pointer);
}
static id argument(struct shader *s, uint32_t at)
{
    return fetch(s, s->u64, s->p64, add(s, s->arguments, wide(s, (uint64_t)at * 8)), 8);
}
static id as_value(struct shader *s, unsigned bits, id argument)
{
    return trimmed(s, bits, resized(s, 64, bits, argument));
}

/* Beyond the first iteration the bits above the narrow ones are 0. */
static id induction(struct shader *s, const struct vt_pixel_carry *carry, id initial)
{
    id step = MAKE(s, SpvOpIMul, s->u64, s->k, wide(s, carry->step));
    id v = add(s, initial, step);
    if (carry->narrow < carry->bits) {
        id low = MAKE(s, SpvOpBitwiseAnd, s->u64, v, wide(s, ((uint64_t)1 << carry->narrow) - 1));
        id first = MAKE(s, SpvOpIEqual, s->bool_, s->k, wide(s, 0));
        v = MAKE(s, SpvOpSelect, s->u64, first, initial, low);
    }
    return as_value(s, carry->bits, v);
}

/* The values that the program begins with, in this lane. */
static void take_arguments(struct shader *s)
{
    const struct vt_pixel_program *p = s->p;
    uint32_t at = 0;
    for (uint32_t i = 0; i < p->n_inputs; i++, at++) {
        s->inputs[i] = as_value(s, p->inputs[i].bits, argument(s, at));
    }
    for (uint32_t c = 0; c < p->n_carries; c++, at++) {
        const struct vt_pixel_carry *carry = &p->carries[c];
        if (reduces(s, c)) {
            s->carries[c] = number(s, carry->bits, vt_pixel_identity(carry));
        } else if (carry->kind == VT_PIXEL_INDUCTION) {
            s->carries[c] = induction(s, carry, argument(s, at));
        } /* LAST: nobody reads it */
    }
    for (uint32_t i = 0; i < p->n_streams; i++, at += 2) {
        s->tables[i] = argument(s, at);
        s->positions[i] = argument(s, at + 1);
    }
}

/* What the lanes of a workgroup have is joined, pair by pair, and the first lane writes it. */
static void reduce(struct shader *s, id index, id results, id groups)
{
    id semantics =
        word(s, SpvMemorySemanticsAcquireReleaseMask | SpvMemorySemanticsWorkgroupMemoryMask);
    id scope = word(s, SpvScopeWorkgroup);
    for (uint32_t c = 0; c < s->p->n_carries; c++) {
        if (!reduces(s, c)) {
            continue;
        }
        id mine = MAKE(s, SpvOpAccessChain, s->shared_u64, s->shared[c], index);
        PUT(s, &s->code, SpvOpStore, mine, MAKE(s, SpvOpLoad, s->u64, s->reduced[c]));
        for (uint32_t half = VT_SPIRV_LANES / 2; half > 0; half /= 2) {
            PUT(s, &s->code, SpvOpControlBarrier, scope, scope, semantics);
            id after = begin_if(s, MAKE(s, SpvOpULessThan, s->bool_, index, word(s, half)));
            id other = MAKE(s, SpvOpAccessChain, s->shared_u64, s->shared[c],
                            MAKE(s, SpvOpIAdd, s->u32, index, word(s, half)));
            id joined_ =
                reduced(s, c, MAKE(s, SpvOpLoad, s->u64, mine), MAKE(s, SpvOpLoad, s->u64, other));
            PUT(s, &s->code, SpvOpStore, mine, joined_);
            end_if(s, after);
        }
        id after = begin_if(s, MAKE(s, SpvOpIEqual, s->bool_, index, word(s, 0)));
        id group = MAKE(s, SpvOpShiftRightLogical, s->u64, s->k, wide(s, 6));
        id row = MAKE(s, SpvOpIMul, s->u64, groups, wide(s, c));
        id at = MAKE(s, SpvOpShiftLeftLogical, s->u64, add(s, row, group), wide(s, 3));
        PUT(s, &s->code, SpvOpStore, at_address(s, s->p64, add(s, results, at)),
            MAKE(s, SpvOpLoad, s->u64, mine), SpvMemoryAccessAlignedMask, 8);
        end_if(s, after);
    }
}

/* LAST: what the last iteration leaves. */
static void write_last(struct shader *s, id results, id groups)
{
    for (uint32_t c = 0; c < s->p->n_carries; c++) {
        if (s->p->carries[c].kind != VT_PIXEL_LAST) {
            continue;
        }
        id last = MAKE(s, SpvOpISub, s->u64, s->count, wide(s, 1));
        id after = begin_if(s, MAKE(s, SpvOpIEqual, s->bool_, s->k, last));
        id at = MAKE(s, SpvOpIMul, s->u64, groups, wide(s, (uint64_t)c * 8));
        id v = resized(s, s->p->carries[c].bits, 64, s->values[s->p->carries[c].next]);
        PUT(s, &s->code, SpvOpStore, at_address(s, s->p64, add(s, results, at)), v,
            SpvMemoryAccessAlignedMask, 8);
        end_if(s, after);
    }
}

static id make_main(struct shader *s)
{
    const struct vt_pixel_program *p = s->p;
    id none[1], entry = begin_function(s, s->void_, 0, none, none);
    for (uint32_t c = 0; c < p->n_carries; c++) {
        if (reduces(s, c)) {
            s->reduced[c] = MAKE(s, SpvOpVariable, s->f_u64, SpvStorageClassFunction);
        }
    }
    for (uint32_t c = 0; c < p->n_carries; c++) {
        if (reduces(s, c)) {
            PUT(s, &s->code, SpvOpStore, s->reduced[c], wide(s, vt_pixel_identity(&p->carries[c])));
        }
    }
    s->arguments = push_member(s, PUSH_ARGUMENTS);
    s->count = push_member(s, PUSH_COUNT);
    s->stores = is_set(s, push_member(s, PUSH_STORES));
    id gid = MAKE(s, SpvOpCompositeExtract, s->u32, MAKE(s, SpvOpLoad, s->v3, s->global), 0);
    s->k = add(s, push_member(s, PUSH_FIRST), MAKE(s, SpvOpUConvert, s->u64, gid));
    id index = MAKE(s, SpvOpLoad, s->u32, s->local);
    id results = argument(s, vt_spirv_words(p) - 2), groups = argument(s, vt_spirv_words(p) - 1);
    id after = begin_if(s, MAKE(s, SpvOpULessThan, s->bool_, s->k, s->count));
    take_arguments(s);
    for (uint32_t i = 0; i < p->n_insns; i++) {
        emit(s, i);
    }
    for (uint32_t c = 0; c < p->n_carries; c++) {
        if (reduces(s, c)) {
            PUT(s, &s->code, SpvOpStore, s->reduced[c],
                resized(s, p->carries[c].bits, 64, s->values[p->carries[c].next]));
        }
    }
    write_last(s, results, groups);
    end_if(s, after);
    reduce(s, index, results, groups);
    put(s, &s->code, SpvOpReturn, 0, NULL);
    put(s, &s->code, SpvOpFunctionEnd, 0, NULL);
    return entry;
}

/* ---------------------------------------------------------------- the module */

static void assemble(struct shader *s, id entry, struct words *all)
{
    struct words front = {0};
    static const SpvCapability capabilities[] = {
        SpvCapabilityShader, SpvCapabilityInt64, SpvCapabilityPhysicalStorageBufferAddresses,
        SpvCapabilityStorageBuffer8BitAccess, SpvCapabilityStorageBuffer16BitAccess};
    for (size_t i = 0; i < sizeof capabilities / sizeof capabilities[0]; i++) {
        PUT(s, &front, SpvOpCapability, capabilities[i]);
    }
    PUT(s, &front, SpvOpMemoryModel, SpvAddressingModelPhysicalStorageBuffer64,
        SpvMemoryModelGLSL450);
    uint32_t point[8 + VT_PIXEL_CARRIES_MAX] = {
        SpvExecutionModelGLCompute, entry, 0x6e69616d, 0, s->push, s->global, s->group, s->local};
    unsigned n = 8; /* "main" */
    for (uint32_t c = 0; c < s->p->n_carries; c++) {
        if (reduces(s, c)) {
            point[n++] = s->shared[c];
        }
    }
    put(s, &front, SpvOpEntryPoint, n, point);
    PUT(s, &front, SpvOpExecutionMode, entry, SpvExecutionModeLocalSize, VT_SPIRV_LANES, 1, 1);
    size_t total = 5 + front.n + s->head.n + s->types.n + s->code.n;
    all->w = s->full ? NULL : malloc(total * sizeof *all->w);
    if (all->w != NULL) {
        uint32_t header[5] = {SpvMagicNumber, 0x00010500, 0, s->ids, 0};
        const struct words *parts[] = {&front, &s->head, &s->types, &s->code};
        memcpy(all->w, header, sizeof header);
        all->n = 5;
        for (size_t i = 0; i < 4; i++) {
            memcpy(all->w + all->n, parts[i]->w, parts[i]->n * sizeof *all->w);
            all->n += parts[i]->n;
        }
    }
    free(front.w);
}

static int translate(const struct vt_pixel_program *p, uint32_t **words, size_t *n,
                     struct vt_error *err)
{
    struct shader *s = calloc(1, sizeof *s);
    struct words all = {0};
    if (s == NULL) {
        return vt_fail(err, VT_E_NOMEM, "a shader");
    }
    s->p = p;
    s->ids = 1;
    s->values = calloc(p->n_insns + 1, sizeof *s->values);
    if (s->values != NULL) {
        make_types(s);
        for (unsigned k = 0; k < 4; k++) {
            make_load(s, k);
            make_store(s, k);
        }
        assemble(s, make_main(s), &all);
    }
    free(s->values);
    free(s->head.w);
    free(s->types.w);
    free(s->code.w);
    free(s);
    if (all.w == NULL) {
        return vt_fail(err, VT_E_NOMEM, "a shader of %u values", p->n_insns);
    }
    *words = all.w;
    *n = all.n;
    return 0;
}

int vt_pixel_spirv(const struct vt_pixel_program *p, uint32_t **words, size_t *n,
                   struct vt_error *err)
{
    if (!p->independent) {
        return vt_fail(err, VT_E_UNSUPPORTED, "its iterations depend on one another");
    }
    struct vt_pixel_program lowered;
    int rc = vt_pixel_lower(p, VT_LOWER_ALL, &lowered, err);
    if (rc == 0) {
        rc = translate(&lowered, words, n, err);
        vt_pixel_fini(&lowered);
    }
    return rc;
}
