/* pixel/jit_make.h - what the files of the jit module share: a function that is being written.
 *
 * Each value is a local variable of an unsigned type; a bit is a byte that is 0 or 1.
 */
#ifndef VT_PIXEL_JIT_MAKE_H
#define VT_PIXEL_JIT_MAKE_H

#include "vitrine/pixel.h"

#include <libgccjit.h>

typedef gcc_jit_rvalue *value;

struct make {
    const struct vt_pixel_program *p;
    gcc_jit_context *c;
    gcc_jit_function *f;
    gcc_jit_block *block;                    /* that is being written */
    gcc_jit_block *head, *done;              /* of the loop of iterations */
    gcc_jit_type *u[65], *s[65], *loose[65]; /* by bits; loose: in memory, aligned to nothing */
    gcc_jit_type *boolean, *bytes;
    gcc_jit_lvalue **values;
    gcc_jit_lvalue *inputs[VT_PIXEL_INPUTS_MAX], *carries[VT_PIXEL_CARRIES_MAX];
    gcc_jit_lvalue *streams[VT_PIXEL_STREAMS_MAX];
    value strides[VT_PIXEL_STREAMS_MAX];
    gcc_jit_lvalue *index;
    value count, addresses; /* the latter: of the streams, as numbers */
    struct {
        gcc_jit_lvalue *variables[VT_PIXEL_VARIABLES_MAX], *trips;
        gcc_jit_block *body;
    } loops[VT_PIXEL_LOOPS_MAX];
    uint32_t open[VT_PIXEL_NESTING_MAX], n_open;
    unsigned n_names;
};

static inline value number(struct make *m, unsigned bits, uint64_t n)
{
    value wide = gcc_jit_context_new_rvalue_from_long(m->c, m->u[64], (long)n);
    return bits == 64 ? wide : gcc_jit_context_new_cast(m->c, NULL, wide, m->u[bits]);
}

static inline value of(gcc_jit_lvalue *l)
{
    return gcc_jit_lvalue_as_rvalue(l);
}

static inline gcc_jit_lvalue *local(struct make *m, gcc_jit_type *type, const char *what)
{
    char name[32];
    snprintf(name, sizeof name, "%s_%u", what, m->n_names++);
    return gcc_jit_function_new_local(m->f, NULL, type, name);
}

/* A tree that is used twice would be computed twice. */
static inline value keep(struct make *m, unsigned bits, value v)
{
    gcc_jit_lvalue *l = local(m, m->u[bits], "t");
    gcc_jit_block_add_assignment(m->block, NULL, l, v);
    return of(l);
}

static inline value cast(struct make *m, value v, gcc_jit_type *type)
{
    return gcc_jit_context_new_cast(m->c, NULL, v, type);
}

static inline value two(struct make *m, unsigned bits, enum gcc_jit_binary_op op, value a, value b)
{
    return gcc_jit_context_new_binary_op(m->c, NULL, op, m->u[bits], a, b);
}
static inline value add(struct make *m, unsigned n, value a, value b)
{
    return two(m, n, GCC_JIT_BINARY_OP_PLUS, a, b);
}
static inline value sub(struct make *m, unsigned n, value a, value b)
{
    return two(m, n, GCC_JIT_BINARY_OP_MINUS, a, b);
}
static inline value mul(struct make *m, unsigned n, value a, value b)
{
    return two(m, n, GCC_JIT_BINARY_OP_MULT, a, b);
}
static inline value and (struct make * m, unsigned n, value a, value b)
{
    return two(m, n, GCC_JIT_BINARY_OP_BITWISE_AND, a, b);
}
static inline value or (struct make * m, unsigned n, value a, value b)
{
    return two(m, n, GCC_JIT_BINARY_OP_BITWISE_OR, a, b);
}
static inline value xor (struct make * m, unsigned n, value a, value b) {
    return two(m, n, GCC_JIT_BINARY_OP_BITWISE_XOR, a, b);
} static inline value left(struct make *m, unsigned n, value a, value by)
{
    return two(m, n, GCC_JIT_BINARY_OP_LSHIFT, a, by);
}
static inline value right(struct make *m, unsigned n, value a, value by)
{
    return two(m, n, GCC_JIT_BINARY_OP_RSHIFT, a, by);
}
static inline value not(struct make * m, unsigned n, value a)
{
    return gcc_jit_context_new_unary_op(m->c, NULL, GCC_JIT_UNARY_OP_BITWISE_NEGATE, m->u[n], a);
}
static inline value negative(struct make *m, unsigned n, value a)
{
    return gcc_jit_context_new_unary_op(m->c, NULL, GCC_JIT_UNARY_OP_MINUS, m->u[n], a);
}
/* 0 or 1, of so many bits. */
static inline value compare(struct make *m, unsigned n, enum gcc_jit_comparison op, value a,
                            value b)
{
    return cast(m, gcc_jit_context_new_comparison(m->c, NULL, op, a, b), m->u[n]);
}
/* Of one bit: all ones or 0. */
static inline value mask(struct make *m, unsigned n, value bit)
{
    return negative(m, n, n == 8 ? bit : cast(m, bit, m->u[n]));
}
static inline value choose(struct make *m, unsigned n, value all, value a, value b)
{
    /* b ^ ((a ^ b) & all): a and b once each */
    value kept = keep(m, n, b);
    return xor(m, n, kept, and(m, n, xor(m, n, a, kept), all));
}
static inline value as_signed(struct make *m, unsigned bits, value v)
{
    return cast(m, v, m->s[bits]);
}
static inline value shifted_signed(struct make *m, unsigned bits, value v, value by)
{
    return cast(m,
                gcc_jit_context_new_binary_op(m->c, NULL, GCC_JIT_BINARY_OP_RSHIFT, m->s[bits],
                                              as_signed(m, bits, v), as_signed(m, bits, by)),
                m->u[bits]);
}

static inline gcc_jit_lvalue *element(struct make *m, value array, uint32_t k)
{
    value at = gcc_jit_context_new_rvalue_from_int(m->c, m->s[32], (int)k);
    return gcc_jit_context_new_array_access(m->c, NULL, array, at);
}
static inline unsigned width(const struct make *m, uint32_t v)
{
    return m->p->insns[v].bits;
}
/* As many bits as a value of `bits` has in a variable. */
static inline unsigned stored(unsigned bits)
{
    return bits == 1 ? 8 : bits;
}

/** Writes an operation into m->block and sets m->values; not CARRY, VARIABLE, RESULT, LOOP, END
 * where iterations are not run one by one. */
void vt_make_operation(struct make *m, uint32_t at);

/** jit_order.c: enum vt_pixel_carry_kind of a carry, where ANY may be more than p says: INDUCTION,
 * by an input (vt_make_step), or LAST: what is read of it is nowhere seen. -1: no memory. */
int vt_make_carry_kind(const struct vt_pixel_program *p, uint32_t k);
/** What each iteration adds to a carry of kind ANY: an input's number, of whose low bits as many as
 * the sum has count; the carry's bits above them become 0. Else VT_PIXEL_NONE. */
uint32_t vt_make_step(const struct vt_pixel_program *p, uint32_t k);
/** jit_lanes.c: in front of m->head, a loop that runs several iterations at once as long as it can
 * and leaves index and carries as they are then; nothing, if that would not pay. False: no memory.
 */
bool vt_make_lanes(struct make *m);

#endif
