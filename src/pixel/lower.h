/* pixel/lower.h - a program with fewer operations that means the same.
 *
 * For a back end whose machine has only words of 32 and 64 bits and plain arithmetic: rotations,
 * bit counts, byte swaps, carries, high products, signed and partly defined divisions and
 * everything packed become additions, multiplications, logic, shifts, comparisons and selections
 * ("SWAR": Hacker's Delight, chapters 2, 5 and 8).
 */
#ifndef VT_PIXEL_LOWER_H
#define VT_PIXEL_LOWER_H

#include "vitrine/pixel.h"

enum vt_lower {
    VT_LOWER_ALL,
    VT_LOWER_PACKED, /**< packed operations alone; all others stay, b of shifts may be anything */
};

/** *out: a new program of CONST, INPUT, CARRY, INDEX, ADD, SUB, MUL, UDIV and UREM (b is never 0),
 * AND, OR, XOR, NOT, SHL, LSHR and ASHR (b is below the width), EQ, NE, ULT, ULE, SLT, SLE, SELECT,
 * ZEXT, SEXT, EXTRACT, CONCAT, LOAD, STORE, CHECK, LOOP, VARIABLE, END, RESULT. VT_E_LIMIT: it
 * would have too many values; VT_E_NOMEM. */
int vt_pixel_lower(const struct vt_pixel_program *p, enum vt_lower what,
                   struct vt_pixel_program *out, struct vt_error *err);

#endif
