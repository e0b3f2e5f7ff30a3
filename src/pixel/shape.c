/* pixel/shape.c - the table of what each operation is made of. See pixel/shape.h.
 */
#include "pixel/shape.h"

#include <string.h>

#define SAME VT_OPERAND_SAME
#define BIT VT_OPERAND_BIT
#define ANY VT_OPERAND_ANY
#define AS_A VT_OPERAND_AS_A

#define ALL VT_WIDTH_ALL
#define MEMORY VT_WIDTH_MEMORY
#define WHOLE VT_WIDTH(64)
#define NOTHING VT_WIDTH(0)
#define SWAPPED (VT_WIDTH(16) | VT_WIDTH(32) | VT_WIDTH(64))

#define UNARY                                                                                      \
    {                                                                                              \
        .widths = ALL, .operand = { SAME }                                                         \
    }
#define BINARY                                                                                     \
    {                                                                                              \
        .widths = ALL, .operand = { SAME, SAME }                                                   \
    }
#define COMPARE                                                                                    \
    {                                                                                              \
        .widths = VT_WIDTH(1), .operand = { ANY, AS_A }                                            \
    }
#define CARRIED                                                                                    \
    {                                                                                              \
        .widths = VT_WIDTH(1), .operand = { ANY, AS_A, BIT }                                       \
    }
#define PACKED(lanes_)                                                                             \
    {                                                                                              \
        .widths = WHOLE, .lanes = (lanes_), .operand = { SAME, SAME }                              \
    }
#define LANES (VT_WIDTH(8) | VT_WIDTH(16) | VT_WIDTH(32))

static const struct vt_pixel_shape shapes[VT_PIXEL_OPS] = {
    [VT_PIXEL_CONST] = {.widths = ALL, .imm = VT_IMM_VALUE},
    [VT_PIXEL_INPUT] = {.widths = ALL, .imm = VT_IMM_INPUT},
    [VT_PIXEL_CARRY] = {.widths = ALL, .imm = VT_IMM_CARRY},
    [VT_PIXEL_INDEX] = {.widths = WHOLE},
    [VT_PIXEL_ADD... VT_PIXEL_XOR] = BINARY,
    [VT_PIXEL_NOT... VT_PIXEL_NEG] = UNARY,
    [VT_PIXEL_SHL... VT_PIXEL_ROR] = BINARY,
    [VT_PIXEL_POPCNT... VT_PIXEL_CTZ] = UNARY,
    [VT_PIXEL_BSWAP] = {.widths = SWAPPED, .operand = {SAME}},
    [VT_PIXEL_EQ... VT_PIXEL_SLE] = COMPARE,
    [VT_PIXEL_ADD_CARRY... VT_PIXEL_SUB_OVERFLOW] = CARRIED,
    [VT_PIXEL_SELECT] = {.widths = ALL, .operand = {SAME, SAME, BIT}},
    [VT_PIXEL_ZEXT... VT_PIXEL_SEXT] = {.widths = MEMORY, .operand = {VT_OPERAND_NARROWER}},
    [VT_PIXEL_EXTRACT] = {.widths = ALL, .operand = {VT_OPERAND_WIDER}, .imm = VT_IMM_FIRST_BIT},
    [VT_PIXEL_CONCAT] = {.widths = SWAPPED, .operand = {VT_OPERAND_HALF, VT_OPERAND_HALF}},
    [VT_PIXEL_PADD... VT_PIXEL_PSUBSS] = PACKED(LANES),
    [VT_PIXEL_PMULL] = PACKED(VT_WIDTH(16) | VT_WIDTH(32)),
    [VT_PIXEL_PMINU... VT_PIXEL_PMAXS] = PACKED(LANES),
    [VT_PIXEL_PAVG] = PACKED(VT_WIDTH(8) | VT_WIDTH(16)),
    [VT_PIXEL_PEQ... VT_PIXEL_PASHR] = PACKED(LANES),
    [VT_PIXEL_LOAD] = {.widths = MEMORY, .operand = {VT_OPERAND_MAYBE_64}, .imm = VT_IMM_OFFSET},
    [VT_PIXEL_STORE] = {.widths = NOTHING,
                        .operand = {VT_OPERAND_MAYBE_64, VT_OPERAND_BYTES, VT_OPERAND_MAYBE_BIT},
                        .imm = VT_IMM_OFFSET},
    [VT_PIXEL_CHECK] = {.widths = NOTHING, .operand = {BIT}},
    [VT_PIXEL_LOOP] = {.widths = NOTHING, .imm = VT_IMM_LOOP},
    [VT_PIXEL_VARIABLE] = {.widths = ALL, .imm = VT_IMM_VARIABLE},
    [VT_PIXEL_END] = {.widths = NOTHING, .imm = VT_IMM_LOOP},
    [VT_PIXEL_RESULT] = {.widths = ALL, .operand = {VT_OPERAND_LOOP}, .imm = VT_IMM_VARIABLE},
};

const struct vt_pixel_shape *vt_pixel_shape(unsigned op)
{
    return op < VT_PIXEL_OPS ? &shapes[op] : NULL;
}

bool vt_pixel_width_in(unsigned bits, uint8_t set)
{
    bool one_of = bits == 0 || bits == 1 || bits == 8 || bits == 16 || bits == 32 || bits == 64;
    return one_of && (VT_WIDTH(bits) & set) != 0;
}

unsigned vt_pixel_op_of_name(const char *name)
{
    unsigned op = 0;
    while (op < VT_PIXEL_OPS && strcmp(vt_pixel_op_name(op), name) != 0) {
        op++;
    }
    return op;
}

uint32_t vt_pixel_find_input(const struct vt_pixel_program *p, const char *name)
{
    for (uint32_t i = 0; i < p->n_inputs; i++) {
        if (strcmp(p->inputs[i].name, name) == 0) {
            return i;
        }
    }
    return VT_PIXEL_NONE;
}

uint32_t vt_pixel_find_carry(const struct vt_pixel_program *p, const char *name)
{
    for (uint32_t i = 0; i < p->n_carries; i++) {
        if (strcmp(p->carries[i].name, name) == 0) {
            return i;
        }
    }
    return VT_PIXEL_NONE;
}

uint32_t vt_pixel_find_stream(const struct vt_pixel_program *p, const char *name)
{
    for (uint32_t i = 0; i < p->n_streams; i++) {
        if (strcmp(p->streams[i].name, name) == 0) {
            return i;
        }
    }
    return VT_PIXEL_NONE;
}

const char *vt_pixel_kind_name(enum vt_pixel_carry_kind kind)
{
    static const char *const names[] = {
        [VT_PIXEL_ANY] = "any",
        [VT_PIXEL_INDUCTION] = "induction",
        [VT_PIXEL_REDUCE_ADD] = "sum",
        [VT_PIXEL_REDUCE_XOR] = "reduce.xor",
        [VT_PIXEL_REDUCE_AND] = "reduce.and",
        [VT_PIXEL_REDUCE_OR] = "reduce.or",
        [VT_PIXEL_REDUCE_UMIN] = "least.unsigned",
        [VT_PIXEL_REDUCE_UMAX] = "most.unsigned",
        [VT_PIXEL_REDUCE_SMIN] = "least.signed",
        [VT_PIXEL_REDUCE_SMAX] = "most.signed",
        [VT_PIXEL_LAST] = "last",
    };
    return names[kind];
}
