/* synth/term_parts.h - what the files of terms share. See term.h.
 *
 *   term.c           contexts, nodes made once, walks: values, substitution, symbols, text
 *   term_apply.c     what operations mean, on numbers
 *   term_simplify.c  rules, of arithmetic and of what is common
 *   term_slices.c    rules of extract, concat, zext, sext and shifts by constants
 *   term_compare.c   rules of comparisons, bits and select
 *   term_linear.c    terms as sums
 */
#ifndef VT_SYNTH_TERM_PARTS_H
#define VT_SYNTH_TERM_PARTS_H

#include "synth/term.h"

/** The lowest `bits` ones. */
static inline uint64_t vt_term_mask(unsigned bits)
{
    return bits >= 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
}
static inline int64_t vt_term_signed(uint64_t value, unsigned bits)
{
    return (int64_t)(value << (64 - bits)) >> (64 - bits);
}

enum vt_term_shape {
    VT_SHAPE_NONE,    /**< no operation of terms */
    VT_SHAPE_UNARY,   /**< a of the result's width */
    VT_SHAPE_BINARY,  /**< a and b of it */
    VT_SHAPE_COMPARE, /**< a and b of one width, a bit */
    VT_SHAPE_CARRY,   /**< the same, and c, a bit */
    VT_SHAPE_SELECT,
    VT_SHAPE_WIDEN,
    VT_SHAPE_EXTRACT,
    VT_SHAPE_CONCAT,
    VT_SHAPE_PACKED,
};
enum vt_term_shape vt_term_shape(enum vt_pixel_op op);

/** What an operation gives for numbers; `wide`: a's bits. */
uint64_t vt_term_apply(const struct vt_term_node *n, unsigned wide, uint64_t a, uint64_t b,
                       uint64_t c);

/** The node as it is, made once. Constants, symbols and havoc go through their own. */
vt_term vt_term_intern(struct vt_terms *t, const struct vt_term_node *node);

/** A simpler term that means the same as *n, or 0; it may reorder *n's operands. Operands are
 * there, of the right widths and not all constants. */
vt_term vt_term_simplify(struct vt_terms *t, struct vt_term_node *n);
vt_term vt_term_simplify_slices(struct vt_terms *t, struct vt_term_node *n);
vt_term vt_term_simplify_shifts(struct vt_terms *t, struct vt_term_node *n);
/** or, xor, add of terms of which not both have the same bit. */
vt_term vt_term_simplify_apart(struct vt_terms *t, const struct vt_term_node *n);
vt_term vt_term_simplify_compare(struct vt_terms *t, struct vt_term_node *n);
vt_term vt_term_simplify_bits(struct vt_terms *t, struct vt_term_node *n);
vt_term vt_term_simplify_select(struct vt_terms *t, struct vt_term_node *n);

/** Some rules make new terms of both operands; this many of them for one vt_term_make from
 * outside. */
bool vt_term_may_push(struct vt_terms *t);

static inline bool vt_term_is(const struct vt_terms *t, vt_term term, enum vt_pixel_op op)
{
    const struct vt_term_node *n = vt_term_node(t, term);
    return n->kind == VT_TERM_OPERATION && n->op == op;
}
static inline bool vt_term_equals(const struct vt_terms *t, vt_term term, uint64_t value)
{
    uint64_t is;
    return vt_term_is_const(t, term, &is) && is == (value & vt_term_mask(vt_term_bits(t, term)));
}

#endif
