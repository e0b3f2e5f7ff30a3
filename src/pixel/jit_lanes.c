/* pixel/jit_lanes.c - iterations with inner loops, several at once.
 *
 * gcc vectorises a loop only if there is no loop in it. So the program is cut at LOOP and END into
 * pieces without control flow. Each is a loop over LANES iterations ("lanes"), which gcc does
 * vectorise; what one piece makes for another lies in arrays with an element a lane. An inner
 * loop's trips are then trips of all lanes; one that is done keeps its variables by a mask.
 *
 * Nothing but the last piece stores, and it is reached when all lanes' loops have ended. If one's
 * trips run out, or if fewer iterations are left, the loop of single iterations takes over.
 */
#include "pixel/jit_make.h"
#include "pixel/shape.h"

#include <stdlib.h>

/* Nanoseconds an iteration with 8, 16, 32 lanes: an earlier form of Mandelbrot's kernel 76, 94, 70,
 * ChaCha20 19, 15, 19; on a busy machine. More are wasted where an iteration takes more trips than
 * its neighbours. */
#define LANES 16u
#define OPERATIONS_MAX 1024u
#define ARRAYS_MAX 32768u /* bytes of stack; host.h promises 64 KiB */

struct wide_loop {
    /* As the trip begins, and as the last one left them: one array, unless a lane that is done must
     * go on doing its last trip, as it has addresses from variables and must not make new ones. */
    gcc_jit_lvalue *now[VT_PIXEL_VARIABLES_MAX], *left[VT_PIXEL_VARIABLES_MAX];
    gcc_jit_lvalue *active; /* all ones or 0 */
    unsigned bits;          /* of its elements: the widest variable's */
    gcc_jit_lvalue *trips;
    gcc_jit_block *body;
};

struct lanes {
    struct make *m;
    const struct vt_pixel_program *p;
    uint32_t *piece;                 /* where each value is made */
    uint32_t *loaded;                /* for which piece m->values has it */
    bool *crosses;                   /* it is used in another piece */
    gcc_jit_lvalue **kept;           /* its array then */
    uint32_t now;                    /* the piece that is being written */
    bool holds;                      /* see struct wide_loop */
    int kinds[VT_PIXEL_CARRIES_MAX]; /* of carries */
    gcc_jit_lvalue *checked;         /* a check's bit */
    struct wide_loop loops[VT_PIXEL_LOOPS_MAX];
    uint32_t open[VT_PIXEL_NESTING_MAX], n_open;
    gcc_jit_lvalue *base, *lane;
    gcc_jit_block *head, *after; /* of the loop over lanes */
    size_t bytes;                /* of arrays */
};

/* ---------------------------------------------------------------- whether */

static bool uniform(const struct vt_pixel_insn *i)
{
    return i->op == VT_PIXEL_CONST || i->op == VT_PIXEL_INPUT;
}

/* What gcc 12 makes no vectors of; in a loop that costs more than is won. */
static bool vectorises(const struct vt_pixel_insn *i)
{
    switch (i->op) {
    case VT_PIXEL_UDIV:
    case VT_PIXEL_UREM:
    case VT_PIXEL_SDIV:
    case VT_PIXEL_SREM:
    case VT_PIXEL_CLZ:
    case VT_PIXEL_CTZ:
        return i->bits == 1;
    case VT_PIXEL_UMULH:
    case VT_PIXEL_SMULH:
        return i->bits != 64;
    case VT_PIXEL_LOAD: /* gathers are of words */
        return i->a == VT_PIXEL_NONE || i->bits >= 32;
    default:
        return true;
    }
}

static bool worth(const struct vt_pixel_program *p)
{
    if (p->n_loops == 0 || p->n_insns > OPERATIONS_MAX) {
        return false;
    }
    uint32_t depth = 0;
    bool checks = false;
    for (uint32_t i = p->n_insns; i-- > 0;) {
        const struct vt_pixel_insn *insn = &p->insns[i];
        depth += insn->op == VT_PIXEL_END;
        depth -= insn->op == VT_PIXEL_LOOP;
        checks = checks || insn->op == VT_PIXEL_CHECK;
        /* Behind an iteration whose check fails come some that were never meant to be: what they
         * would index is anywhere. */
        bool wild = checks && insn->op == VT_PIXEL_LOAD && insn->a != VT_PIXEL_NONE;
        if (wild || (depth > 0 && !vectorises(insn))) {
            return false;
        }
    }
    return true;
}

/* ---------------------------------------------------------------- what crosses */

static void used(struct lanes *l, uint32_t v)
{
    if (v != VT_PIXEL_NONE && l->piece[v] != l->now && !uniform(&l->p->insns[v])) {
        l->crosses[v] = true;
    }
}

static void find_pieces(struct lanes *l)
{
    const struct vt_pixel_program *p = l->p;
    uint32_t depth = 0;
    for (uint32_t i = 0; i < p->n_insns; i++) {
        const struct vt_pixel_insn *insn = &p->insns[i];
        l->piece[i] = l->now;
        l->loaded[i] = l->now;
        if (insn->op != VT_PIXEL_RESULT) {
            used(l, insn->a);
        }
        used(l, insn->b);
        used(l, insn->c);
        if (insn->op == VT_PIXEL_LOAD && insn->a != VT_PIXEL_NONE && depth > 0) {
            l->holds = true;
        }
        if (insn->op == VT_PIXEL_LOOP || insn->op == VT_PIXEL_END) {
            const struct vt_pixel_loop *loop = &p->loops[insn->imm];
            bool ends = insn->op == VT_PIXEL_END;
            for (uint32_t v = 0; v < loop->n; v++) {
                used(l, ends ? loop->next[v] : loop->initial[v]);
            }
            if (ends) {
                used(l, loop->condition);
            }
            depth = ends ? depth - 1 : depth + 1;
            l->now++;
        } else if (insn->op == VT_PIXEL_CHECK) {
            l->now++;
        }
    }
    l->now++; /* where carries are made */
    for (uint32_t k = 0; k < p->n_carries; k++) {
        if (l->kinds[k] >= VT_PIXEL_REDUCE_ADD) {
            used(l, p->carries[k].next);
        }
    }
    l->now = 0;
}

static gcc_jit_lvalue *array(struct lanes *l, unsigned bits)
{
    struct make *m = l->m;
    gcc_jit_type *type = gcc_jit_context_new_array_type(m->c, NULL, m->u[stored(bits)], (int)LANES);
    l->bytes += (size_t)LANES * stored(bits) / 8;
    return local(m, type, "lanes");
}

/* False: there are too many. */
static bool make_arrays(struct lanes *l)
{
    const struct vt_pixel_program *p = l->p;
    l->checked = array(l, 1);
    for (uint32_t i = 0; i < p->n_insns && l->bytes <= ARRAYS_MAX; i++) {
        l->kept[i] = l->crosses[i] ? array(l, p->insns[i].bits) : NULL;
    }
    for (uint32_t k = 0; k < p->n_loops && l->bytes <= ARRAYS_MAX; k++) {
        struct wide_loop *w = &l->loops[k];
        const struct vt_pixel_loop *loop = &p->loops[k];
        w->bits = 8;
        for (uint32_t v = 0; v < loop->n; v++) {
            unsigned bits = stored(width(l->m, loop->initial[v]));
            w->bits = bits > w->bits ? bits : w->bits;
            w->now[v] = array(l, bits);
            w->left[v] = l->holds ? array(l, bits) : w->now[v];
        }
        w->active = array(l, w->bits);
        w->trips = local(l->m, l->m->u[32], "trips");
    }
    return l->bytes <= ARRAYS_MAX;
}

/* ---------------------------------------------------------------- streams that meet */

/* Goes on where `bit` holds; else iterations are run one by one. */
static void only_if(struct make *m, value bit)
{
    gcc_jit_block *on = gcc_jit_function_new_block(m->f, NULL);
    gcc_jit_block_end_with_conditional(m->block, NULL, cast(m, bit, m->boolean), on, m->head);
    m->block = on;
}

/* Where the windows of all iterations lie: from [0] up to and without [1]. */
static void find_hull(struct make *m, uint32_t k, value hull[2])
{
    const struct vt_pixel_stream *s = &m->p->streams[k];
    value stride = cast(m, m->strides[k], m->u[64]), one = number(m, 64, 1);
    value span = keep(m, 64, mul(m, 64, stride, sub(m, 64, m->count, one)));
    value down = keep(m, 64, shifted_signed(m, 64, span, number(m, 64, 63)));
    value at = of(element(m, m->addresses, k));
    value low = add(m, 64, at, number(m, 64, (uint64_t)(int64_t)s->low));
    value high = add(m, 64, at, number(m, 64, (uint64_t)(int64_t)s->high));
    hull[0] = keep(m, 64, add(m, 64, low, and(m, 64, span, down)));
    hull[1] = keep(m, 64, add(m, 64, high, and(m, 64, span, not(m, 64, down))));
}

/* Loads of all lanes but those of the last piece are done before any store of a lane. */
static void check_apart(struct make *m, uint32_t read, uint32_t written)
{
    if (read != written) {
        value a[2], b[2];
        find_hull(m, read, a);
        find_hull(m, written, b);
        only_if(m, or (m, 8, compare(m, 8, GCC_JIT_COMPARISON_LE, a[1], b[0]),
                       compare(m, 8, GCC_JIT_COMPARISON_LE, b[1], a[0])));
        return;
    }
    /* windows one behind the other: |stride| >= window */
    const struct vt_pixel_stream *s = &m->p->streams[read];
    uint64_t window = (uint64_t)((int64_t)s->high - s->low);
    value stride = cast(m, m->strides[read], m->u[64]);
    only_if(m, compare(m, 8, GCC_JIT_COMPARISON_GT, add(m, 64, stride, number(m, 64, window - 1)),
                       number(m, 64, 2 * (window - 1))));
}

static void check_streams(struct lanes *l)
{
    bool early[VT_PIXEL_STREAMS_MAX] = {false};
    uint32_t last = l->piece[l->p->n_insns - 1];
    for (uint32_t i = 0; i < l->p->n_insns && l->piece[i] < last; i++) {
        if (l->p->insns[i].op == VT_PIXEL_LOAD) {
            early[l->p->insns[i].stream] = true;
        }
    }
    for (uint32_t r = 0; r < l->p->n_streams; r++) {
        for (uint32_t w = 0; early[r] && w < l->p->n_streams; w++) {
            if (l->p->streams[w].writes) {
                check_apart(l->m, r, w);
            }
        }
    }
}

/* ---------------------------------------------------------------- pieces */

static gcc_jit_lvalue *in_lane(struct lanes *l, gcc_jit_lvalue *of_lanes)
{
    return gcc_jit_context_new_array_access(l->m->c, NULL, of(of_lanes), of(l->lane));
}

static void assign(struct make *m, gcc_jit_lvalue *to, value v)
{
    gcc_jit_block_add_assignment(m->block, NULL, to, v);
}

static void begin_piece(struct lanes *l)
{
    struct make *m = l->m;
    gcc_jit_block *body = gcc_jit_function_new_block(m->f, NULL);
    l->head = gcc_jit_function_new_block(m->f, NULL);
    l->after = gcc_jit_function_new_block(m->f, NULL);
    assign(m, l->lane, gcc_jit_context_zero(m->c, m->s[64]));
    gcc_jit_block_end_with_jump(m->block, NULL, l->head);
    value more =
        gcc_jit_context_new_comparison(m->c, NULL, GCC_JIT_COMPARISON_LT, of(l->lane),
                                       gcc_jit_context_new_rvalue_from_long(m->c, m->s[64], LANES));
    gcc_jit_block_end_with_conditional(l->head, NULL, more, body, l->after);
    m->block = body;
    m->index = local(m, m->s[64], "k");
    assign(m, m->index,
           gcc_jit_context_new_binary_op(m->c, NULL, GCC_JIT_BINARY_OP_PLUS, m->s[64], of(l->base),
                                         of(l->lane)));
}

static void end_piece(struct lanes *l)
{
    struct make *m = l->m;
    gcc_jit_block_add_assignment_op(m->block, NULL, l->lane, GCC_JIT_BINARY_OP_PLUS,
                                    gcc_jit_context_one(m->c, m->s[64]));
    gcc_jit_block_end_with_jump(m->block, NULL, l->head);
    m->block = l->after;
    l->now++;
}

/* Sees to it that m->values has it. */
static value fetched(struct lanes *l, uint32_t v)
{
    struct make *m = l->m;
    if (l->crosses[v] && l->loaded[v] != l->now) {
        m->values[v] = local(m, m->u[stored(width(m, v))], "x");
        assign(m, m->values[v], of(in_lane(l, l->kept[v])));
        l->loaded[v] = l->now;
    }
    return of(m->values[v]);
}

static value ones(struct make *m, unsigned bits)
{
    return number(m, bits, UINT64_MAX);
}

static void begin_loop(struct lanes *l, uint32_t which)
{
    struct make *m = l->m;
    struct wide_loop *w = &l->loops[which];
    const struct vt_pixel_loop *loop = &l->p->loops[which];
    for (uint32_t v = 0; v < loop->n; v++) {
        assign(m, in_lane(l, w->now[v]), fetched(l, loop->initial[v]));
    }
    value active = ones(m, w->bits);
    if (l->n_open > 0) {
        const struct wide_loop *around = &l->loops[l->open[l->n_open - 1]];
        active = cast(m, of(in_lane(l, around->active)), m->u[w->bits]);
        if (around->bits < w->bits) { /* keeps it all ones */
            active = negative(m, w->bits, and(m, w->bits, active, number(m, w->bits, 1)));
        }
    }
    assign(m, in_lane(l, w->active), active);
    end_piece(l);
    assign(m, w->trips, number(m, 32, 0));
    w->body = gcc_jit_function_new_block(m->f, NULL);
    gcc_jit_block_end_with_jump(m->block, NULL, w->body);
    m->block = w->body;
    begin_piece(l);
    l->open[l->n_open++] = which;
}

static void next_variables(struct lanes *l, uint32_t which, value active, value again)
{
    struct make *m = l->m;
    struct wide_loop *w = &l->loops[which];
    const struct vt_pixel_loop *loop = &l->p->loops[which];
    for (uint32_t v = 0; v < loop->n; v++) {
        unsigned bits = stored(width(m, loop->initial[v]));
        gcc_jit_type *type = m->u[bits];
        value next = fetched(l, loop->next[v]);
        gcc_jit_lvalue *left = in_lane(l, w->left[v]);
        assign(m, left, choose(m, bits, cast(m, active, type), next, of(left)));
        if (l->holds) {
            gcc_jit_lvalue *now = in_lane(l, w->now[v]);
            assign(m, now, choose(m, bits, cast(m, again, type), next, of(now)));
        }
    }
}

static void end_loop(struct lanes *l, uint32_t which)
{
    struct make *m = l->m;
    struct wide_loop *w = &l->loops[which];
    unsigned bits = w->bits;
    l->n_open--;
    value active = keep(m, bits, of(in_lane(l, w->active)));
    value more = mask(m, bits, fetched(l, l->p->loops[which].condition));
    value again = keep(m, bits, and(m, bits, active, more));
    next_variables(l, which, active, again);
    assign(m, in_lane(l, w->active), again);
    end_piece(l);
    value any = number(m, bits, 0);
    for (uint32_t k = 0; k < LANES; k++) {
        any = or (m, bits, any, of(element(m, of(w->active), k)));
    }
    assign(m, w->trips, add(m, 32, of(w->trips), number(m, 32, 1)));
    gcc_jit_block *on = gcc_jit_function_new_block(m->f, NULL);
    gcc_jit_block *after = gcc_jit_function_new_block(m->f, NULL);
    gcc_jit_block_end_with_conditional(m->block, NULL, cast(m, any, m->boolean), on, after);
    value fits = gcc_jit_context_new_comparison(m->c, NULL, GCC_JIT_COMPARISON_LT, of(w->trips),
                                                number(m, 32, l->p->loops[which].max_trips));
    gcc_jit_block_end_with_conditional(on, NULL, fits, w->body, m->head);
    m->block = after;
    begin_piece(l);
}

/* A lane whose check fails, and all of the group are run one by one. */
static void check(struct lanes *l, uint32_t bit)
{
    struct make *m = l->m;
    assign(m, in_lane(l, l->checked), fetched(l, bit));
    end_piece(l);
    value all = number(m, 8, 1);
    for (uint32_t k = 0; k < LANES; k++) {
        all = and(m, 8, all, of(element(m, of(l->checked), k)));
    }
    only_if(m, all);
    begin_piece(l);
}

/* ---------------------------------------------------------------- carries */

/* Of an induction: by how much, as wide as the carry, and in *narrow how many bits of it. */
static value step(struct lanes *l, uint32_t k, unsigned *narrow)
{
    const struct vt_pixel_carry *c = &l->p->carries[k];
    unsigned n = stored(c->bits);
    if (c->kind == VT_PIXEL_INDUCTION) {
        *narrow = c->narrow;
        return number(l->m, n, c->step);
    }
    const struct vt_pixel_insn *next = &l->p->insns[c->next];
    *narrow = next->op == VT_PIXEL_ZEXT ? width(l->m, next->a) : c->bits;
    return cast(l->m, of(l->m->inputs[vt_make_step(l->p, k)]), l->m->u[n]);
}

/* As this lane's iteration begins. */
static value carry_in_lane(struct lanes *l, uint32_t k)
{
    struct make *m = l->m;
    const struct vt_pixel_carry *c = &l->p->carries[k];
    unsigned n = stored(c->bits);
    value carry = of(m->carries[k]), lane = cast(m, of(l->lane), m->u[n]);
    if (l->kinds[k] != VT_PIXEL_INDUCTION) {
        return number(m, n, vt_pixel_identity(c));
    }
    unsigned narrow;
    value by = step(l, k, &narrow), low = number(m, n, vt_pixel_ones(narrow));
    value sum = add(m, n, carry, mul(m, n, lane, by));
    if (narrow == n) {
        return sum;
    }
    /* what is above `narrow` is 0, but for what the first one finds there */
    value first = compare(m, n, GCC_JIT_COMPARISON_EQ, lane, number(m, n, 0));
    value high = and(m, n, carry, and(m, n, negative(m, n, first), not(m, n, low)));
    return or (m, n, and(m, n, sum, low), high);
}

static value least_or_most(struct make *m, const struct vt_pixel_carry *c, unsigned n, value a,
                           value b)
{
    bool most = c->kind == VT_PIXEL_REDUCE_UMAX || c->kind == VT_PIXEL_REDUCE_SMAX;
    bool is_signed = c->kind == VT_PIXEL_REDUCE_SMIN || c->kind == VT_PIXEL_REDUCE_SMAX;
    value x = a, y = b;
    if (is_signed) { /* from the narrow sign bit on */
        value top = number(m, n, UINT64_C(1) << (c->narrow - 1));
        x = xor(m, n, a, top);
        y = xor(m, n, b, top);
    }
    value less = compare(m, 8, most ? GCC_JIT_COMPARISON_GT : GCC_JIT_COMPARISON_LT, x, y);
    return choose(m, n, mask(m, n, less), a, b);
}

static value combined(struct make *m, const struct vt_pixel_carry *c, value carry, value next)
{
    unsigned n = stored(c->bits);
    value low = number(m, n, vt_pixel_ones(c->narrow)), r;
    value a = keep(m, n, and(m, n, carry, low)), b = keep(m, n, next);
    switch (c->kind) {
    case VT_PIXEL_REDUCE_ADD:
        r = add(m, n, a, b);
        return and(m, n, r, low);
    case VT_PIXEL_REDUCE_XOR:
        return xor(m, n, a, b);
    case VT_PIXEL_REDUCE_AND:
        return and(m, n, a, b);
    case VT_PIXEL_REDUCE_OR:
        return or (m, n, a, b);
    default:
        return least_or_most(m, c, n, a, b);
    }
}

/* After all lanes. */
static void next_carries(struct lanes *l)
{
    struct make *m = l->m;
    begin_piece(l);
    for (uint32_t k = 0; k < l->p->n_carries; k++) {
        const struct vt_pixel_carry *c = &l->p->carries[k];
        if (c->kind >= VT_PIXEL_REDUCE_ADD && c->kind <= VT_PIXEL_REDUCE_SMAX) {
            assign(m, m->carries[k], combined(m, c, of(m->carries[k]), fetched(l, c->next)));
        }
    }
    end_piece(l);
    for (uint32_t k = 0; k < l->p->n_carries; k++) {
        const struct vt_pixel_carry *c = &l->p->carries[k];
        unsigned n = stored(c->bits);
        if (l->kinds[k] == VT_PIXEL_INDUCTION) {
            unsigned narrow;
            value by = mul(m, n, step(l, k, &narrow), number(m, n, LANES));
            value sum = add(m, n, of(m->carries[k]), by);
            assign(m, m->carries[k], and(m, n, sum, number(m, n, vt_pixel_ones(narrow))));
        } else if (l->kinds[k] == VT_PIXEL_LAST) {
            assign(m, m->carries[k],
                   l->kept[c->next] != NULL ? of(element(m, of(l->kept[c->next]), LANES - 1))
                                            : of(m->values[c->next]));
        }
    }
}

/* ---------------------------------------------------------------- all of it */

static void make(struct lanes *l, uint32_t at)
{
    struct make *m = l->m;
    const struct vt_pixel_insn *i = &l->p->insns[at];
    value v;
    switch (i->op) {
    case VT_PIXEL_LOOP:
        begin_loop(l, (uint32_t)i->imm);
        return;
    case VT_PIXEL_END:
        end_loop(l, (uint32_t)i->imm);
        return;
    case VT_PIXEL_CHECK:
        check(l, i->a);
        return;
    case VT_PIXEL_CARRY:
        v = carry_in_lane(l, (uint32_t)i->imm);
        break;
    case VT_PIXEL_VARIABLE:
        v = of(in_lane(l, l->loops[l->open[l->n_open - 1]].now[i->imm]));
        break;
    case VT_PIXEL_RESULT:
        v = of(in_lane(l, l->loops[i->a].left[i->imm]));
        break;
    default: {
        const uint32_t operands[] = {i->a, i->b, i->c};
        for (unsigned k = 0; k < 3; k++) {
            if (operands[k] != VT_PIXEL_NONE) {
                fetched(l, operands[k]);
            }
        }
        vt_make_operation(m, at);
        v = NULL;
    }
    }
    if (v != NULL) {
        m->values[at] = local(m, m->u[stored(i->bits)], "x");
        assign(m, m->values[at], v);
    }
    if (l->crosses[at]) {
        assign(m, in_lane(l, l->kept[at]), of(m->values[at]));
    }
}

static void make_all(struct lanes *l)
{
    struct make *m = l->m;
    l->base = m->index;
    l->lane = local(m, m->s[64], "lane");
    check_streams(l);
    gcc_jit_block *head = gcc_jit_function_new_block(m->f, "group");
    gcc_jit_block *body = gcc_jit_function_new_block(m->f, NULL);
    gcc_jit_block_end_with_jump(m->block, NULL, head);
    value left = gcc_jit_context_new_binary_op(m->c, NULL, GCC_JIT_BINARY_OP_MINUS, m->s[64],
                                               cast(m, m->count, m->s[64]), of(l->base));
    value enough =
        gcc_jit_context_new_comparison(m->c, NULL, GCC_JIT_COMPARISON_GE, left,
                                       gcc_jit_context_new_rvalue_from_long(m->c, m->s[64], LANES));
    gcc_jit_block_end_with_conditional(head, NULL, enough, body, m->head);
    m->block = body;
    begin_piece(l);
    for (uint32_t i = 0; i < l->p->n_insns; i++) {
        make(l, i);
    }
    end_piece(l);
    next_carries(l);
    m->index = l->base;
    gcc_jit_block_add_assignment_op(m->block, NULL, m->index, GCC_JIT_BINARY_OP_PLUS,
                                    gcc_jit_context_new_rvalue_from_long(m->c, m->s[64], LANES));
    gcc_jit_block_end_with_jump(m->block, NULL, head);
}

/* What becomes of carries; false: iterations depend on each other. */
static bool find_kinds(struct lanes *l, bool *memory)
{
    for (uint32_t k = 0; k < l->p->n_carries; k++) {
        l->kinds[k] = vt_make_carry_kind(l->p, k);
        *memory = *memory && l->kinds[k] >= 0;
        if (l->kinds[k] < 0 || l->kinds[k] == VT_PIXEL_ANY) {
            return false;
        }
    }
    return true;
}

bool vt_make_lanes(struct make *m)
{
    const struct vt_pixel_program *p = m->p;
    size_t n = p->n_insns;
    struct lanes *l = calloc(1, sizeof *l);
    bool made = false, memory = l != NULL;
    if (memory) {
        *l = (struct lanes){.m = m,
                            .p = p,
                            .piece = calloc(n + 1, sizeof *l->piece),
                            .loaded = calloc(n + 1, sizeof *l->loaded),
                            .crosses = calloc(n + 1, sizeof *l->crosses),
                            .kept = calloc(n + 1, sizeof(gcc_jit_lvalue *))};
        memory = l->piece != NULL && l->loaded != NULL && l->crosses != NULL && l->kept != NULL;
        if (memory && worth(p) && find_kinds(l, &memory)) {
            find_pieces(l);
            made = make_arrays(l);
        }
        if (made) {
            make_all(l);
        }
        free(l->piece);
        free(l->loaded);
        free(l->crosses);
        free(l->kept);
        free(l);
    }
    if (!made) {
        gcc_jit_block_end_with_jump(m->block, NULL, m->head);
    }
    return memory;
}
