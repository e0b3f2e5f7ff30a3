/* pixel/jit_libgccjit.c - a program, told to gcc. The module of jit.h.
 *
 * Each value is a local variable of an unsigned type; a bit is a byte that is 0 or 1. What C leaves
 * undefined (shifts by too much, division by 0) is spelled out, with masks instead of branches, so
 * that loops stay ones that gcc vectorises. Programs have no packed operations here (lower.h).
 */
#include "pixel/jit.h"
#include "pixel/jit_make.h"

#include <stdlib.h>
#include <string.h>

static value builtin(struct make *m, const char *name, gcc_jit_type *type, value v)
{
    gcc_jit_function *f = gcc_jit_context_get_builtin_function(m->c, name);
    return cast(m, gcc_jit_context_new_call(m->c, NULL, f, 1, &v), type);
}

/* ---------------------------------------------------------------- one operation */

/* Whether a value is surely below `limit`: a constant, or masked by one. */
static bool below(const struct vt_pixel_program *p, uint32_t v, uint64_t limit)
{
    const struct vt_pixel_insn *i = &p->insns[v];
    if (i->op == VT_PIXEL_CONST) {
        return i->imm < limit;
    }
    if (i->op == VT_PIXEL_ZEXT) {
        return below(p, i->a, limit);
    }
    return i->op == VT_PIXEL_AND && (below(p, i->a, limit) || below(p, i->b, limit));
}

/* Shifts of 8 to 64 bits. */
static value shift(struct make *m, const struct vt_pixel_insn *i, value a, value by)
{
    unsigned n = i->bits;
    bool fits = below(m->p, i->b, n);
    value amount = fits ? by : keep(m, n, by);
    value small = fits ? amount : and(m, n, amount, number(m, n, n - 1));
    if (i->op == VT_PIXEL_ASHR) {
        if (!fits) {
            value over = mask(m, n, compare(m, 8, GCC_JIT_COMPARISON_GE, amount, number(m, n, n)));
            small = and(m, n, or (m, n, amount, over), number(m, n, n - 1));
        }
        return shifted_signed(m, n, a, small);
    }
    value r = i->op == VT_PIXEL_SHL ? left(m, n, a, small) : right(m, n, a, small);
    if (!fits) {
        r = and(m, n, r, mask(m, n, compare(m, 8, GCC_JIT_COMPARISON_LT, amount, number(m, n, n))));
    }
    return r;
}

static value rotate(struct make *m, unsigned n, bool to_left, value a, value by)
{
    value amount = keep(m, n, and(m, n, by, number(m, n, n - 1)));
    value rest = and(m, n, sub(m, n, number(m, n, n), amount), number(m, n, n - 1));
    return to_left ? or (m, n, left(m, n, a, amount), right(m, n, a, rest))
                   : or (m, n, right(m, n, a, amount), left(m, n, a, rest));
}

static value magnitude(struct make *m, unsigned n, value a, value sign)
{
    return keep(m, n, sub(m, n, xor(m, n, a, sign), sign));
}

/* By 0: all ones and the dividend, of magnitudes, which comes out as SMT-LIB has it. */
static value divide(struct make *m, const struct vt_pixel_insn *i, value a, value b)
{
    unsigned n = i->bits;
    bool is_signed = i->op == VT_PIXEL_SDIV || i->op == VT_PIXEL_SREM;
    bool quotient = i->op == VT_PIXEL_UDIV || i->op == VT_PIXEL_SDIV;
    value top = number(m, n, n - 1), sign_a = NULL, sign_b = NULL;
    if (is_signed) {
        sign_a = keep(m, n, shifted_signed(m, n, a, top));
        sign_b = keep(m, n, shifted_signed(m, n, b, top));
        a = magnitude(m, n, a, sign_a);
        b = magnitude(m, n, b, sign_b);
    }
    value zero = keep(m, n, mask(m, n, compare(m, 8, GCC_JIT_COMPARISON_EQ, b, number(m, n, 0))));
    value safe = keep(m, n, or (m, n, b, and(m, n, zero, number(m, n, 1))));
    value r;
    if (quotient) {
        r = or (m, n, two(m, n, GCC_JIT_BINARY_OP_DIVIDE, a, safe), zero);
        return is_signed ? magnitude(m, n, keep(m, n, r), keep(m, n, xor(m, n, sign_a, sign_b)))
                         : r;
    }
    r = or (m, n, two(m, n, GCC_JIT_BINARY_OP_MODULO, a, safe), and(m, n, a, zero));
    return is_signed ? magnitude(m, n, keep(m, n, r), sign_a) : r;
}

static value high_product(struct make *m, unsigned n, bool is_signed, value a, value b)
{
    gcc_jit_type *wide = gcc_jit_context_get_int_type(m->c, (int)n / 4, is_signed);
    if (is_signed) {
        a = as_signed(m, n, a);
        b = as_signed(m, n, b);
    }
    value r = gcc_jit_context_new_binary_op(m->c, NULL, GCC_JIT_BINARY_OP_MULT, wide,
                                            cast(m, a, wide), cast(m, b, wide));
    r = gcc_jit_context_new_binary_op(m->c, NULL, GCC_JIT_BINARY_OP_RSHIFT, wide, r,
                                      gcc_jit_context_new_rvalue_from_int(m->c, wide, (int)n));
    return cast(m, r, m->u[n]);
}

static value count_bits(struct make *m, const struct vt_pixel_insn *i, value a)
{
    unsigned n = i->bits;
    gcc_jit_type *t = m->u[n],
                 *wide = gcc_jit_context_get_type(m->c, GCC_JIT_TYPE_UNSIGNED_LONG_LONG);
    value x = cast(m, a, m->u[64]);
    if (i->op == VT_PIXEL_POPCNT) {
        return builtin(m, "__builtin_popcountll", t, cast(m, x, wide));
    }
    bool leading = i->op == VT_PIXEL_CLZ;
    const char *name = leading ? "__builtin_clzll" : "__builtin_ctzll";
    if (n < 64) { /* a bit where counting ends */
        x = leading ? or (m, 64, left(m, 64, x, number(m, 64, 64 - n)),
                          number(m, 64, (uint64_t)1 << (63 - n)))
                    : or (m, 64, x, number(m, 64, (uint64_t)1 << n));
        return builtin(m, name, t, cast(m, x, wide));
    }
    x = keep(m, 64, x);
    value zero = keep(m, 64, compare(m, 64, GCC_JIT_COMPARISON_EQ, x, number(m, 64, 0)));
    value all = keep(m, 64, negative(m, 64, zero));
    return choose(m, 64, all, number(m, 64, 64),
                  builtin(m, name, t, cast(m, or (m, 64, x, zero), wide)));
}

static value swapped(struct make *m, unsigned n, value a)
{
    const char *name = n == 16   ? "__builtin_bswap16"
                       : n == 32 ? "__builtin_bswap32"
                                 : "__builtin_bswap64";
    return builtin(m, name, m->u[n], a);
}

static value carry_of(struct make *m, const struct vt_pixel_insn *i, unsigned n, value a, value b,
                      value c)
{
    value carry = c == NULL ? number(m, n, 0) : cast(m, c, m->u[n]);
    value top = number(m, n, n - 1), first, second;
    carry = keep(m, n, carry);
    switch (i->op) {
    case VT_PIXEL_ADD_CARRY:
        first = keep(m, n, add(m, n, a, b));
        second = keep(m, n, add(m, n, first, carry));
        return or (m, 8, compare(m, 8, GCC_JIT_COMPARISON_LT, first, a),
                   compare(m, 8, GCC_JIT_COMPARISON_LT, second, first));
    case VT_PIXEL_SUB_BORROW:
        first = keep(m, n, sub(m, n, a, b));
        return or (m, 8, compare(m, 8, GCC_JIT_COMPARISON_LT, a, b),
                   compare(m, 8, GCC_JIT_COMPARISON_LT, first, carry));
    case VT_PIXEL_ADD_OVERFLOW:
        first = keep(m, n, add(m, n, add(m, n, a, b), carry));
        second = and(m, n, xor(m, n, a, first), xor(m, n, b, first));
        return cast(m, right(m, n, second, top), m->u[8]);
    default:
        first = keep(m, n, sub(m, n, sub(m, n, a, b), carry));
        second = and(m, n, xor(m, n, a, b), xor(m, n, a, first));
        return cast(m, right(m, n, second, top), m->u[8]);
    }
}

/* ---------------------------------------------------------------- bits, widths */

static value bit_operation(struct make *m, const struct vt_pixel_insn *i, value a, value b)
{
    value one = number(m, 8, 1);
    switch (i->op) {
    case VT_PIXEL_ADD:
    case VT_PIXEL_SUB:
    case VT_PIXEL_XOR:
        return xor(m, 8, a, b);
    case VT_PIXEL_MUL:
    case VT_PIXEL_AND:
        return and(m, 8, a, b);
    case VT_PIXEL_UMULH:
    case VT_PIXEL_SMULH:
        return number(m, 8, 0);
    case VT_PIXEL_OR:
        return or (m, 8, a, b);
    case VT_PIXEL_NOT:
        return xor(m, 8, a, one);
    case VT_PIXEL_UDIV: /* 1 but for 0/1 */
    case VT_PIXEL_SDIV: /* -1/-1 is 1, which is -1; by 0: 0: -1, -1: 1 */
        return or (m, 8, a, xor(m, 8, b, one));
    case VT_PIXEL_UREM:
    case VT_PIXEL_SREM: /* by 0: a */
    case VT_PIXEL_SHL:
    case VT_PIXEL_LSHR: /* by 1: 0 */
        return and(m, 8, a, xor(m, 8, b, one));
    case VT_PIXEL_CLZ:
    case VT_PIXEL_CTZ:
        return xor(m, 8, a, one);
    default: /* neg, ashr, rotations, popcnt */
        return a;
    }
}

static value operation(struct make *m, const struct vt_pixel_insn *i, value a, value b)
{
    unsigned n = i->bits;
    if (n == 1) {
        return bit_operation(m, i, a, b);
    }
    switch (i->op) {
    case VT_PIXEL_ADD:
        return add(m, n, a, b);
    case VT_PIXEL_SUB:
        return sub(m, n, a, b);
    case VT_PIXEL_MUL:
        return mul(m, n, a, b);
    case VT_PIXEL_UMULH:
        return high_product(m, n, false, a, b);
    case VT_PIXEL_SMULH:
        return high_product(m, n, true, a, b);
    case VT_PIXEL_UDIV:
    case VT_PIXEL_UREM:
    case VT_PIXEL_SDIV:
    case VT_PIXEL_SREM:
        return divide(m, i, a, b);
    case VT_PIXEL_AND:
        return and(m, n, a, b);
    case VT_PIXEL_OR:
        return or (m, n, a, b);
    case VT_PIXEL_XOR:
        return xor(m, n, a, b);
    case VT_PIXEL_NOT:
        return not(m, n, a);
    case VT_PIXEL_NEG:
        return negative(m, n, a);
    case VT_PIXEL_SHL:
    case VT_PIXEL_LSHR:
    case VT_PIXEL_ASHR:
        return shift(m, i, a, b);
    case VT_PIXEL_ROL:
        return rotate(m, n, true, a, b);
    case VT_PIXEL_ROR:
        return rotate(m, n, false, a, b);
    case VT_PIXEL_BSWAP:
        return swapped(m, n, a);
    default:
        return count_bits(m, i, a);
    }
}

static value comparison(struct make *m, const struct vt_pixel_insn *i, value a, value b)
{
    static const enum gcc_jit_comparison how[] = {GCC_JIT_COMPARISON_EQ, GCC_JIT_COMPARISON_NE,
                                                  GCC_JIT_COMPARISON_LT, GCC_JIT_COMPARISON_LE,
                                                  GCC_JIT_COMPARISON_LT, GCC_JIT_COMPARISON_LE};
    unsigned n = width(m, i->a);
    if (i->op == VT_PIXEL_SLT || i->op == VT_PIXEL_SLE) {
        if (n == 1) { /* 1 is -1: the other way round */
            value swap = a;
            a = b;
            b = swap;
        } else {
            a = as_signed(m, n, a);
            b = as_signed(m, n, b);
        }
    }
    return compare(m, 8, how[i->op - VT_PIXEL_EQ], a, b);
}

static value widened(struct make *m, const struct vt_pixel_insn *i, value a)
{
    unsigned from = width(m, i->a);
    if (i->op == VT_PIXEL_ZEXT) {
        return cast(m, a, m->u[i->bits]);
    }
    return from == 1 ? mask(m, i->bits, a)
                     : cast(m, cast(m, as_signed(m, from, a), m->s[i->bits]), m->u[i->bits]);
}

static value extracted(struct make *m, const struct vt_pixel_insn *i, value a)
{
    unsigned from = width(m, i->a);
    value r = i->imm == 0 ? a : right(m, from, a, number(m, from, i->imm));
    r = cast(m, r, m->u[i->bits]);
    return i->bits == 1 ? and(m, 8, r, number(m, 8, 1)) : r;
}

/* ---------------------------------------------------------------- memory */

static gcc_jit_lvalue *place(struct make *m, const struct vt_pixel_insn *i, unsigned bits)
{
    uint32_t s = i->stream;
    gcc_jit_type *offset = m->s[64];
    value at = gcc_jit_context_new_binary_op(m->c, NULL, GCC_JIT_BINARY_OP_MULT, offset,
                                             of(m->index), m->strides[s]);
    at = gcc_jit_context_new_binary_op(
        m->c, NULL, GCC_JIT_BINARY_OP_PLUS, offset, at,
        gcc_jit_context_new_rvalue_from_long(m->c, offset, (long)i->imm));
    if (i->a != VT_PIXEL_NONE) {
        at = gcc_jit_context_new_binary_op(m->c, NULL, GCC_JIT_BINARY_OP_PLUS, offset, at,
                                           cast(m, of(m->values[i->a]), offset));
    }
    value byte = gcc_jit_lvalue_get_address(
        gcc_jit_context_new_array_access(m->c, NULL, of(m->streams[s]), at), NULL);
    return gcc_jit_rvalue_dereference(cast(m, byte, gcc_jit_type_get_pointer(m->loose[bits])),
                                      NULL);
}

static void store(struct make *m, const struct vt_pixel_insn *i)
{
    unsigned bits = width(m, i->b);
    gcc_jit_block *after = NULL;
    if (i->c != VT_PIXEL_NONE) {
        gcc_jit_block *then = gcc_jit_function_new_block(m->f, NULL);
        after = gcc_jit_function_new_block(m->f, NULL);
        gcc_jit_block_end_with_conditional(m->block, NULL, cast(m, of(m->values[i->c]), m->boolean),
                                           then, after);
        m->block = then;
    }
    gcc_jit_block_add_assignment(m->block, NULL, place(m, i, bits),
                                 cast(m, of(m->values[i->b]), m->loose[bits]));
    if (after != NULL) {
        gcc_jit_block_end_with_jump(m->block, NULL, after);
        m->block = after;
    }
}

/* ---------------------------------------------------------------- control */

static void check(struct make *m, value bit)
{
    gcc_jit_block *on = gcc_jit_function_new_block(m->f, NULL);
    gcc_jit_block_end_with_conditional(m->block, NULL, cast(m, bit, m->boolean), on, m->done);
    m->block = on;
}

static void begin_loop(struct make *m, uint32_t which)
{
    const struct vt_pixel_loop *l = &m->p->loops[which];
    for (uint32_t v = 0; v < l->n; v++) {
        unsigned bits = width(m, l->initial[v]);
        m->loops[which].variables[v] = local(m, m->u[stored(bits)], "v");
        gcc_jit_block_add_assignment(m->block, NULL, m->loops[which].variables[v],
                                     of(m->values[l->initial[v]]));
    }
    m->loops[which].trips = local(m, m->u[32], "trips");
    gcc_jit_block_add_assignment(m->block, NULL, m->loops[which].trips, number(m, 32, 0));
    m->loops[which].body = gcc_jit_function_new_block(m->f, NULL);
    gcc_jit_block_end_with_jump(m->block, NULL, m->loops[which].body);
    m->block = m->loops[which].body;
    m->open[m->n_open++] = which;
}

/* All variables at once: the nexts are values, the variables change afterwards. */
static void end_loop(struct make *m, uint32_t which)
{
    const struct vt_pixel_loop *l = &m->p->loops[which];
    m->n_open--;
    for (uint32_t v = 0; v < l->n; v++) {
        gcc_jit_block_add_assignment(m->block, NULL, m->loops[which].variables[v],
                                     of(m->values[l->next[v]]));
    }
    value trips = of(m->loops[which].trips);
    gcc_jit_block_add_assignment(m->block, NULL, m->loops[which].trips,
                                 add(m, 32, trips, number(m, 32, 1)));
    gcc_jit_block *again = gcc_jit_function_new_block(m->f, NULL);
    gcc_jit_block *after = gcc_jit_function_new_block(m->f, NULL);
    gcc_jit_block_end_with_conditional(
        m->block, NULL, cast(m, of(m->values[l->condition]), m->boolean), again, after);
    value more = gcc_jit_context_new_comparison(m->c, NULL, GCC_JIT_COMPARISON_LT, trips,
                                                number(m, 32, l->max_trips));
    gcc_jit_block_end_with_conditional(again, NULL, more, m->loops[which].body, m->done);
    m->block = after;
}

static value value_of(struct make *m, const struct vt_pixel_insn *i)
{
    value a = i->a != VT_PIXEL_NONE && i->op != VT_PIXEL_RESULT ? of(m->values[i->a]) : NULL;
    value b = i->b != VT_PIXEL_NONE ? of(m->values[i->b]) : NULL;
    switch (i->op) {
    case VT_PIXEL_CONST:
        return number(m, stored(i->bits), i->imm);
    case VT_PIXEL_INPUT:
        return of(m->inputs[i->imm]);
    case VT_PIXEL_CARRY:
        return of(m->carries[i->imm]);
    case VT_PIXEL_INDEX:
        return cast(m, of(m->index), m->u[64]);
    case VT_PIXEL_EQ:
    case VT_PIXEL_NE:
    case VT_PIXEL_ULT:
    case VT_PIXEL_ULE:
    case VT_PIXEL_SLT:
    case VT_PIXEL_SLE:
        return comparison(m, i, a, b);
    case VT_PIXEL_ADD_CARRY:
    case VT_PIXEL_ADD_OVERFLOW:
    case VT_PIXEL_SUB_BORROW:
    case VT_PIXEL_SUB_OVERFLOW: {
        unsigned n = width(m, i->a);
        value c = i->c != VT_PIXEL_NONE ? of(m->values[i->c]) : NULL;
        if (n == 1) { /* in bytes, where the carry is bit 1 and the sign bit 7 */
            value by = number(m, 8, 7);
            a = keep(m, 8, left(m, 8, a, by));
            b = keep(m, 8, left(m, 8, b, by));
            /* the carry in must reach bit 7, too: below it all ones */
            value fill = c != NULL ? keep(m, 8, and(m, 8, mask(m, 8, c), number(m, 8, 127)))
                                   : number(m, 8, 0);
            if (i->op == VT_PIXEL_ADD_CARRY || i->op == VT_PIXEL_ADD_OVERFLOW) {
                a = keep(m, 8, or (m, 8, a, fill));
            } else {
                b = keep(m, 8, or (m, 8, b, fill));
            }
            n = 8;
        }
        return carry_of(m, i, n, a, b, c);
    }
    case VT_PIXEL_SELECT: {
        unsigned n = stored(i->bits);
        return choose(m, n, mask(m, n, of(m->values[i->c])), a, b);
    }
    case VT_PIXEL_ZEXT:
    case VT_PIXEL_SEXT:
        return widened(m, i, a);
    case VT_PIXEL_EXTRACT:
        return extracted(m, i, a);
    case VT_PIXEL_CONCAT:
        return or (m, i->bits,
                   left(m, i->bits, cast(m, a, m->u[i->bits]), number(m, i->bits, i->bits / 2)),
                   cast(m, b, m->u[i->bits]));
    case VT_PIXEL_LOAD:
        return cast(m, of(place(m, i, i->bits)), m->u[i->bits]);
    case VT_PIXEL_VARIABLE:
        return of(m->loops[m->open[m->n_open - 1]].variables[i->imm]);
    case VT_PIXEL_RESULT:
        return of(m->loops[i->a].variables[i->imm]);
    default:
        return operation(m, i, a, b);
    }
}

void vt_make_operation(struct make *m, uint32_t at)
{
    const struct vt_pixel_insn *i = &m->p->insns[at];
    switch (i->op) {
    case VT_PIXEL_STORE:
        store(m, i);
        return;
    case VT_PIXEL_CHECK:
        check(m, of(m->values[i->a]));
        return;
    case VT_PIXEL_LOOP:
        begin_loop(m, (uint32_t)i->imm);
        return;
    case VT_PIXEL_END:
        end_loop(m, (uint32_t)i->imm);
        return;
    default:
        m->values[at] = local(m, m->u[stored(i->bits)], "x");
        gcc_jit_block_add_assignment(m->block, NULL, m->values[at], value_of(m, i));
    }
}

/* ---------------------------------------------------------------- the function */

static void make_types(struct make *m)
{
    static const enum gcc_jit_types unsigned_types[] = {
        GCC_JIT_TYPE_UINT8_T, GCC_JIT_TYPE_UINT16_T, GCC_JIT_TYPE_UINT32_T, GCC_JIT_TYPE_UINT64_T};
    static const enum gcc_jit_types signed_types[] = {GCC_JIT_TYPE_INT8_T, GCC_JIT_TYPE_INT16_T,
                                                      GCC_JIT_TYPE_INT32_T, GCC_JIT_TYPE_INT64_T};
    for (unsigned k = 0; k < 4; k++) {
        unsigned bits = 8U << k;
        m->u[bits] = gcc_jit_context_get_type(m->c, unsigned_types[k]);
        m->s[bits] = gcc_jit_context_get_type(m->c, signed_types[k]);
        m->loose[bits] = bits == 8 ? m->u[bits] : gcc_jit_type_get_aligned(m->u[bits], 1);
    }
    m->u[1] = m->u[8];
    m->boolean = gcc_jit_context_get_type(m->c, GCC_JIT_TYPE_BOOL);
    m->bytes = gcc_jit_type_get_pointer(m->u[8]);
}

/* From the call's arrays to variables of the width they have here. */
static gcc_jit_lvalue *taken(struct make *m, value array, uint32_t k, unsigned bits)
{
    unsigned n = stored(bits);
    gcc_jit_lvalue *l = local(m, m->u[n], "in");
    value v = cast(m, of(element(m, array, k)), m->u[n]);
    gcc_jit_block_add_assignment(m->block, NULL, l, bits == 1 ? and(m, 8, v, number(m, 8, 1)) : v);
    return l;
}

/* False: no memory. */
static bool make_function(struct make *m, bool lanes)
{
    const struct vt_pixel_program *p = m->p;
    gcc_jit_type *words = gcc_jit_type_get_pointer(m->u[64]);
    gcc_jit_field *fields[] = {
        gcc_jit_context_new_field(m->c, NULL, m->u[64], "count"),
        gcc_jit_context_new_field(m->c, NULL, words, "inputs"),
        gcc_jit_context_new_field(m->c, NULL, words, "carries"),
        gcc_jit_context_new_field(m->c, NULL, gcc_jit_type_get_pointer(m->bytes), "streams"),
    };
    gcc_jit_struct *s = gcc_jit_context_new_struct_type(m->c, NULL, "call", 4, fields);
    gcc_jit_param *param = gcc_jit_context_new_param(
        m->c, NULL, gcc_jit_type_get_pointer(gcc_jit_struct_as_type(s)), "call");
    m->f = gcc_jit_context_new_function(m->c, NULL, GCC_JIT_FUNCTION_EXPORTED, m->u[64],
                                        VT_JIT_ENTRY, 1, &param, 0);
    m->block = gcc_jit_function_new_block(m->f, "entry");
    m->done = gcc_jit_function_new_block(m->f, "done");
    value call = gcc_jit_param_as_rvalue(param), member[4];
    for (unsigned k = 0; k < 4; k++) {
        gcc_jit_type *types[] = {m->s[64], words, words, gcc_jit_type_get_pointer(m->bytes)};
        gcc_jit_lvalue *l = local(m, types[k], "call");
        value v = of(gcc_jit_rvalue_dereference_field(call, NULL, fields[k]));
        gcc_jit_block_add_assignment(m->block, NULL, l, k == 0 ? cast(m, v, m->s[64]) : v);
        member[k] = of(l);
    }
    for (uint32_t k = 0; k < p->n_inputs; k++) {
        m->inputs[k] = taken(m, member[1], k, p->inputs[k].bits);
    }
    for (uint32_t k = 0; k < p->n_carries; k++) {
        m->carries[k] = taken(m, member[2], k, p->carries[k].bits);
    }
    for (uint32_t k = 0; k < p->n_streams; k++) {
        m->streams[k] = local(m, m->bytes, "s");
        gcc_jit_block_add_assignment(m->block, NULL, m->streams[k], of(element(m, member[3], k)));
        uint32_t by = p->streams[k].stride_input;
        m->strides[k] =
            by != VT_PIXEL_NONE
                ? cast(m, of(m->inputs[by]), m->s[64])
                : gcc_jit_context_new_rvalue_from_long(m->c, m->s[64], (long)p->streams[k].stride);
    }
    m->index = local(m, m->s[64], "k");
    gcc_jit_block_add_assignment(m->block, NULL, m->index, gcc_jit_context_zero(m->c, m->s[64]));
    m->head = gcc_jit_function_new_block(m->f, "head");
    gcc_jit_block *body = gcc_jit_function_new_block(m->f, "body");
    m->count = cast(m, member[0], m->u[64]);
    m->addresses = cast(m, member[3], words);
    bool made = !lanes || vt_make_lanes(m);
    if (!lanes) {
        gcc_jit_block_end_with_jump(m->block, NULL, m->head);
    }
    gcc_jit_block_end_with_conditional(
        m->head, NULL,
        gcc_jit_context_new_comparison(m->c, NULL, GCC_JIT_COMPARISON_LT, of(m->index), member[0]),
        body, m->done);
    m->block = body;
    for (uint32_t k = 0; k < p->n_insns; k++) {
        vt_make_operation(m, k);
    }
    for (uint32_t k = 0; k < p->n_carries; k++) {
        gcc_jit_block_add_assignment(m->block, NULL, m->carries[k],
                                     of(m->values[p->carries[k].next]));
    }
    gcc_jit_block_add_assignment_op(m->block, NULL, m->index, GCC_JIT_BINARY_OP_PLUS,
                                    gcc_jit_context_one(m->c, m->s[64]));
    gcc_jit_block_end_with_jump(m->block, NULL, m->head);
    for (uint32_t k = 0; k < p->n_carries; k++) {
        gcc_jit_block_add_assignment(m->done, NULL, element(m, member[2], k),
                                     cast(m, of(m->carries[k]), m->u[64]));
    }
    gcc_jit_block_end_with_return(m->done, NULL, cast(m, of(m->index), m->u[64]));
    return made;
}

static int compile(const struct vt_pixel_program *p, unsigned optimise, const char *const *options,
                   const char *object, struct vt_error *err)
{
    struct make m = {.p = p, .c = gcc_jit_context_acquire()};
    m.values = calloc(p->n_insns + 1, sizeof *m.values);
    if (m.c == NULL || m.values == NULL) {
        free(m.values);
        if (m.c != NULL) {
            gcc_jit_context_release(m.c);
        }
        return vt_fail(err, VT_E_NOMEM, "a compiler");
    }
    gcc_jit_context_set_bool_print_errors_to_stderr(m.c, 0);
    gcc_jit_context_set_int_option(m.c, GCC_JIT_INT_OPTION_OPTIMIZATION_LEVEL, (int)optimise);
    for (; *options != NULL; options++) {
        gcc_jit_context_add_command_line_option(m.c, *options);
    }
    make_types(&m);
    int rc = make_function(&m, optimise >= 3) ? 0 : vt_fail(err, VT_E_NOMEM, "a compiler");
    if (rc == 0) {
        gcc_jit_context_compile_to_file(m.c, GCC_JIT_OUTPUT_KIND_OBJECT_FILE, object);
        const char *why = gcc_jit_context_get_first_error(m.c);
        rc = why == NULL ? 0 : vt_fail(err, VT_E_REFUSED, "libgccjit: %s", why);
    }
    gcc_jit_context_release(m.c);
    free(m.values);
    return rc;
}

static const char *version(void)
{
    static char text[24];
    snprintf(text, sizeof text, "%d.%d.%d", gcc_jit_version_major(), gcc_jit_version_minor(),
             gcc_jit_version_patchlevel());
    return text;
}

__attribute__((visibility("default"))) const struct vt_jit vt_jit_module = {compile, version};
