/* synth/term.h - terms over bit vectors, of 1 to 64 bits, each made once.
 *
 * What x86 instructions do (lift.h) and what a Pixel program does (terms_pixel.c) are both said in
 * terms; a proof is about two of them. Operations are those of the Pixel CPU and mean exactly the
 * same (docs/pixel.md), so a term is either side's, and there is one place that says what they mean
 * to a solver (smt.h). Terms of one context are numbers; equal terms have equal numbers. Making one
 * simplifies it: constants are folded, neutral elements dropped, extracts of concats resolved,
 * chains of additions of constants joined, operands of commuting operations ordered. A solver
 * proves such rules in some hundred shapes (tests/unit/synth/test_rules), test_term tries them on
 * random numbers.
 *
 * Making a term cannot fail: without memory, or beyond VT_TERMS_MAX, a context turns `broken` and
 * hands out term 0 from there on; whoever uses results asks vt_terms_broken once at the end. One
 * thread a context.
 */
#ifndef VT_SYNTH_TERM_H
#define VT_SYNTH_TERM_H

#include "vitrine/pixel.h"

typedef uint32_t vt_term; /**< 0: none; what is made of it is 0 */
#define VT_TERMS_MAX 1000000u

enum vt_term_kind {
    VT_TERM_OPERATION,
    VT_TERM_CONSTANT,
    VT_TERM_SYMBOL, /**< free: a register as it was, what a load brought, … */
    VT_TERM_HAVOC,  /**< free, and nobody may depend on it: what x86 leaves undefined */
};
struct vt_term_node {
    uint8_t kind; /**< enum vt_term_kind */
    uint8_t op;   /**< enum vt_pixel_op: ADD … PASHR, without INPUT, LOAD and their like */
    uint8_t bits, lane;
    vt_term a, b, c;
    uint64_t imm; /**< CONSTANT: the value; EXTRACT: the lowest bit; SYMBOL, HAVOC: its number */
};

struct vt_terms;
struct vt_terms *vt_terms_create(void); /**< NULL: no memory */
void vt_terms_destroy(struct vt_terms *t);
bool vt_terms_broken(const struct vt_terms *t);
const struct vt_term_node *vt_term_node(const struct vt_terms *t, vt_term term);
static inline unsigned vt_term_bits(const struct vt_terms *t, vt_term term)
{
    return vt_term_node(t, term)->bits;
}

vt_term vt_term_const(struct vt_terms *t, unsigned bits, uint64_t value);
/** A new one; `name` ([a-z0-9_.]*, up to 23) is for people and is made unique with its number. */
vt_term vt_term_symbol(struct vt_terms *t, unsigned bits, const char *name);
vt_term vt_term_havoc(struct vt_terms *t, unsigned bits);
const char *vt_term_name(const struct vt_terms *t, vt_term symbol);
/** Any operation: operands as `op` wants them, lane and imm 0 where they do not matter. The
 * result's width is `bits`. */
vt_term vt_term_make(struct vt_terms *t, enum vt_pixel_op op, unsigned bits, unsigned lane,
                     vt_term a, vt_term b, vt_term c, uint64_t imm);
bool vt_term_is_const(const struct vt_terms *t, vt_term term, uint64_t *value);

/* Those that are written most. */
static inline vt_term vt_term_2(struct vt_terms *t, enum vt_pixel_op op, vt_term a, vt_term b)
{
    return vt_term_make(t, op, vt_term_bits(t, a), 0, a, b, 0, 0);
}
static inline vt_term vt_term_1(struct vt_terms *t, enum vt_pixel_op op, vt_term a)
{
    return vt_term_make(t, op, vt_term_bits(t, a), 0, a, 0, 0, 0);
}
static inline vt_term vt_term_compare(struct vt_terms *t, enum vt_pixel_op op, vt_term a, vt_term b)
{
    return vt_term_make(t, op, 1, 0, a, b, 0, 0);
}
static inline vt_term vt_term_select(struct vt_terms *t, vt_term bit, vt_term a, vt_term b)
{
    return vt_term_make(t, VT_PIXEL_SELECT, vt_term_bits(t, a), 0, a, b, bit, 0);
}
/** Any first bit and any width, 1 to 64, that `a` has: intermediate widths are allowed in terms. */
vt_term vt_term_extract(struct vt_terms *t, vt_term a, unsigned first, unsigned bits);
/** Widths may differ, their sum at most 64. */
vt_term vt_term_concat(struct vt_terms *t, vt_term high, vt_term low);
vt_term vt_term_zext(struct vt_terms *t, vt_term a, unsigned bits); /**< or the same, or narrower */
vt_term vt_term_sext(struct vt_terms *t, vt_term a, unsigned bits);

/** `term` with each `from[i]` (symbols) replaced by `to[i]`. */
vt_term vt_term_substitute(struct vt_terms *t, vt_term term, const vt_term *from, const vt_term *to,
                           unsigned n);
/** Its value when symbol s has `value(arg, s)`; havoc symbols too. */
uint64_t vt_term_evaluate(const struct vt_terms *t, vt_term term,
                          uint64_t (*value)(void *arg, vt_term symbol), void *arg);
/** Calls for every different symbol and havoc in `term`, once. */
void vt_term_symbols(const struct vt_terms *t, vt_term term,
                     void (*each)(void *arg, vt_term symbol), void *arg);
/** As an SMT-LIB expression without lets, for messages; cut to `room`. */
void vt_term_print(const struct vt_terms *t, vt_term term, char *to, size_t room);

/** A term as a sum: constant + Σ coefficient × atom, modulo 2^64 (64-bit terms only). Atoms are
 * terms that are no sum, product with a constant or shift by one. False: more than `room` atoms. */
struct vt_term_sum {
    uint64_t constant;
    unsigned n;
    struct {
        vt_term atom;
        uint64_t coefficient;
    } part[8];
};
bool vt_term_linear(const struct vt_terms *t, vt_term term, struct vt_term_sum *sum);

#endif
