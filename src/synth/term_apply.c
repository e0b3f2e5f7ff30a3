/* synth/term_apply.c - operations' shapes, and what they give for numbers, which is what they give
 * in a Pixel program. See term_parts.h.
 */
#include "synth/term_parts.h"

enum vt_term_shape vt_term_shape(enum vt_pixel_op op)
{
    if (op >= VT_PIXEL_PADD && op <= VT_PIXEL_PASHR) {
        return VT_SHAPE_PACKED;
    }
    switch (op) {
    case VT_PIXEL_NOT:
    case VT_PIXEL_NEG:
    case VT_PIXEL_POPCNT:
    case VT_PIXEL_CLZ:
    case VT_PIXEL_CTZ:
    case VT_PIXEL_BSWAP:
        return VT_SHAPE_UNARY;
    case VT_PIXEL_ADD_CARRY:
    case VT_PIXEL_ADD_OVERFLOW:
    case VT_PIXEL_SUB_BORROW:
    case VT_PIXEL_SUB_OVERFLOW:
        return VT_SHAPE_CARRY;
    case VT_PIXEL_SELECT:
        return VT_SHAPE_SELECT;
    case VT_PIXEL_ZEXT:
    case VT_PIXEL_SEXT:
        return VT_SHAPE_WIDEN;
    case VT_PIXEL_EXTRACT:
        return VT_SHAPE_EXTRACT;
    case VT_PIXEL_CONCAT:
        return VT_SHAPE_CONCAT;
    default:
        if (op >= VT_PIXEL_EQ && op <= VT_PIXEL_SLE) {
            return VT_SHAPE_COMPARE;
        }
        return op >= VT_PIXEL_ADD && op <= VT_PIXEL_ROR ? VT_SHAPE_BINARY : VT_SHAPE_NONE;
    }
}

uint64_t vt_term_apply(const struct vt_term_node *n, unsigned wide, uint64_t a, uint64_t b,
                       uint64_t c)
{
    struct vt_pixel_insn insn = {.op = n->op, .bits = n->bits, .lane = n->lane, .imm = n->imm};
    return vt_pixel_evaluate(&insn, wide, a, b, c);
}
