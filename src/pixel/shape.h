/* pixel/shape.h - what each operation is made of: widths, operands, what its imm says.
 *
 * One table (shape.c), of which validation, text and JSON are made; and the rules with the place
 * where one was broken.
 */
#ifndef VT_PIXEL_SHAPE_H
#define VT_PIXEL_SHAPE_H

#include "vitrine/pixel.h"

/** What an operand is. */
enum vt_pixel_operand {
    VT_OPERAND_NONE,     /**< there is none */
    VT_OPERAND_SAME,     /**< as wide as the result */
    VT_OPERAND_BIT,      /**< 1 bit */
    VT_OPERAND_ANY,      /**< any width */
    VT_OPERAND_AS_A,     /**< as wide as a */
    VT_OPERAND_NARROWER, /**< than the result */
    VT_OPERAND_WIDER,
    VT_OPERAND_HALF,  /**< half as wide as the result */
    VT_OPERAND_BYTES, /**< 8, 16, 32, 64 bits */
    VT_OPERAND_MAYBE_BIT,
    VT_OPERAND_MAYBE_64,
    VT_OPERAND_LOOP, /**< not a value: an inner loop's number */
};

enum vt_pixel_imm {
    VT_IMM_NONE,
    VT_IMM_VALUE, /**< fits into the result */
    VT_IMM_INPUT,
    VT_IMM_CARRY,
    VT_IMM_FIRST_BIT,
    VT_IMM_OFFSET,
    VT_IMM_LOOP,
    VT_IMM_VARIABLE,
};

/** Sets of widths. */
#define VT_WIDTH(bits) ((uint8_t)((bits) == 1 ? 1u : (bits) == 0 ? 32u : (bits) / 4u))
#define VT_WIDTH_MEMORY ((uint8_t)(2u | 4u | 8u | 16u)) /**< 8, 16, 32, 64 */
#define VT_WIDTH_ALL ((uint8_t)(1u | VT_WIDTH_MEMORY))
/** Whether `bits` is 1, 8, 16, 32 or 64 and in the set; or 0, if the set is VT_WIDTH(0). */
bool vt_pixel_width_in(unsigned bits, uint8_t set);

struct vt_pixel_shape {
    uint8_t widths;     /**< that the result may have; VT_WIDTH(0): no value */
    uint8_t lanes;      /**< 0: not packed */
    uint8_t operand[3]; /**< enum vt_pixel_operand, of a, b, c */
    uint8_t imm;        /**< enum vt_pixel_imm */
};
/** NULL: no such operation. */
const struct vt_pixel_shape *vt_pixel_shape(unsigned op);
/** VT_PIXEL_OPS: there is none of this name. */
unsigned vt_pixel_op_of_name(const char *name);
/** VT_PIXEL_NONE: there is none of this name. */
uint32_t vt_pixel_find_input(const struct vt_pixel_program *p, const char *name);
uint32_t vt_pixel_find_carry(const struct vt_pixel_program *p, const char *name);
uint32_t vt_pixel_find_stream(const struct vt_pixel_program *p, const char *name);
const char *vt_pixel_kind_name(enum vt_pixel_carry_kind kind); /**< "induction", "sum", … */

static inline bool vt_pixel_touches_memory(unsigned op)
{
    return op == VT_PIXEL_LOAD || op == VT_PIXEL_STORE;
}

enum vt_pixel_part {
    VT_PART_PROGRAM,
    VT_PART_INPUT,
    VT_PART_CARRY,
    VT_PART_STREAM,
    VT_PART_LOOP,
    VT_PART_INSN
};
struct vt_pixel_where {
    enum vt_pixel_part part;
    uint32_t number;
};
/** vt_pixel_validate, and which part breaks a rule. */
int vt_pixel_check(struct vt_pixel_program *p, struct vt_pixel_where *where, struct vt_error *err);

/** kinds.c: finds out what carries are, for vt_pixel_check. VT_E_NOMEM. */
int vt_pixel_find_kinds(struct vt_pixel_program *p, struct vt_error *err);

static inline uint64_t vt_pixel_ones(unsigned bits)
{
    return bits < 64 ? ((uint64_t)1 << bits) - 1 : UINT64_MAX;
}

/** The value that a reduction begins with: e OP identity = e. */
static inline uint64_t vt_pixel_identity(const struct vt_pixel_carry *c)
{
    switch (c->kind) {
    case VT_PIXEL_REDUCE_AND:
    case VT_PIXEL_REDUCE_UMIN:
        return vt_pixel_ones(c->narrow);
    case VT_PIXEL_REDUCE_SMIN:
        return vt_pixel_ones(c->narrow) >> 1;
    case VT_PIXEL_REDUCE_SMAX:
        return (uint64_t)1 << (c->narrow - 1);
    default:
        return 0;
    }
}

#endif
