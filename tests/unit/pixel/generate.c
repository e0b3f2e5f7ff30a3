/* tests/unit/pixel/generate.c - see generate.h. A pool has the values that can be seen; whatever an
 * operation wants is picked from it, or made. */
#include "tests/unit/pixel/generate.h"

#include "pixel/shape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct making {
    struct vt_generator *g;
    struct vt_pixel_program *p;
    uint32_t pool[VT_PIXEL_VALUES_MAX];
    uint32_t n;
    unsigned depth;
    unsigned left;    /* operations still to be made */
    bool out_of_room; /* no memory */
};

static const unsigned widths[] = {1, 8, 16, 32, 64};

void vt_generator_init(struct vt_generator *g, uint64_t seed)
{
    *g = (struct vt_generator){.state = seed, .operations = 40, .loops = 3};
}

uint64_t vt_generator_next(struct vt_generator *g) /* splitmix64 */
{
    uint64_t z = g->state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

uint32_t vt_generator_below(struct vt_generator *g, uint32_t n)
{
    return (uint32_t)((vt_generator_next(g) >> 32) * n >> 32);
}

static bool chance(struct vt_generator *g, uint32_t percent)
{
    return vt_generator_below(g, 100) < percent;
}

static uint64_t low(uint64_t value, unsigned bits)
{
    return bits >= 64 ? value : value & ((UINT64_C(1) << bits) - 1);
}

uint64_t vt_generator_value(struct vt_generator *g, unsigned bits)
{
    uint64_t around = UINT64_C(1) << vt_generator_below(g, bits);
    switch (vt_generator_below(g, 8)) {
    case 0:
        return low(vt_generator_below(g, 3) - UINT64_C(1), bits);
    case 1:
        return low(around + vt_generator_below(g, 3) - 1, bits);
    case 2:
        return low(-around, bits);
    case 3:
        return low(vt_generator_below(g, 2 * bits), bits);
    default:
        return low(vt_generator_next(g), bits);
    }
}

/** No iteration sees anything of another one, and all happen. */
static bool apart(const struct vt_generator *g)
{
    return g->independent && !g->meeting;
}

static uint32_t emit(struct making *m, struct vt_pixel_insn insn)
{
    uint32_t value = vt_pixel_emit(m->p, insn);
    if (value == VT_PIXEL_NONE) {
        m->out_of_room = true;
        return 0;
    }
    return value;
}

/** …and it may be picked. */
static uint32_t push(struct making *m, struct vt_pixel_insn insn)
{
    uint32_t value = emit(m, insn);
    if (!m->out_of_room) {
        m->pool[m->n++] = value;
    }
    return value;
}

static uint32_t constant(struct making *m, unsigned bits, uint64_t value)
{
    return emit(m, (struct vt_pixel_insn){
                       .op = VT_PIXEL_CONST, .bits = (uint8_t)bits, .imm = low(value, bits)});
}

static uint32_t two(struct making *m, enum vt_pixel_op op, uint32_t a, uint32_t b)
{
    const struct vt_pixel_insn *insns = m->p->insns;
    bool bit = op >= VT_PIXEL_EQ && op <= VT_PIXEL_SLE;
    return emit(m, (struct vt_pixel_insn){.op = (uint8_t)op,
                                          .bits = bit ? 1 : insns[a].bits,
                                          .a = a,
                                          .b = b,
                                          .c = VT_PIXEL_NONE});
}

/** A value of this width: one that is there, younger ones more often, or a new one. */
static uint32_t pick(struct making *m, unsigned bits)
{
    if (m->n == 0 || chance(m->g, 10)) {
        return constant(m, bits, vt_generator_value(m->g, bits));
    }
    uint32_t near = m->n < 12 || chance(m->g, 30) ? m->n : 12;
    for (unsigned tries = 0; tries < 8; tries++) {
        uint32_t value = m->pool[m->n - 1 - vt_generator_below(m->g, near)];
        if (m->p->insns[value].bits == bits) {
            return value;
        }
    }
    uint32_t value = m->pool[vt_generator_below(m->g, m->n)];
    unsigned has = m->p->insns[value].bits;
    if (has == bits) {
        return value;
    }
    if (has > bits) {
        return emit(m, (struct vt_pixel_insn){.op = VT_PIXEL_EXTRACT,
                                              .bits = (uint8_t)bits,
                                              .a = value,
                                              .b = VT_PIXEL_NONE,
                                              .c = VT_PIXEL_NONE,
                                              .imm = vt_generator_below(m->g, has - bits + 1)});
    }
    return emit(m, (struct vt_pixel_insn){.op = chance(m->g, 50) ? VT_PIXEL_ZEXT : VT_PIXEL_SEXT,
                                          .bits = (uint8_t)bits,
                                          .a = value,
                                          .b = VT_PIXEL_NONE,
                                          .c = VT_PIXEL_NONE});
}

/** One of a set's widths that is at least `from` and at most `to`. */
static unsigned pick_width(struct making *m, uint8_t set, unsigned from, unsigned to)
{
    for (;;) {
        unsigned bits = widths[vt_generator_below(m->g, 5)];
        if (vt_pixel_width_in(bits, set) && bits >= from && bits <= to) {
            return bits;
        }
    }
}

/** An access of up to `bits` bits: where, in the window of a stream; returns how many bits. */
static unsigned pick_access(struct making *m, unsigned bits, struct vt_pixel_insn *insn)
{
    insn->stream = (uint8_t)vt_generator_below(m->g, m->p->n_streams);
    const struct vt_pixel_stream *s = &m->p->streams[insn->stream];
    uint32_t window = (uint32_t)(s->high - s->low);
    while (bits / 8 > window) {
        bits /= 2;
    }
    uint32_t bytes = bits / 8, spread = 0;
    insn->a = VT_PIXEL_NONE;
    if (window > bytes && chance(m->g, 40)) {
        while (2 * spread + 1 <= window - bytes && chance(m->g, 80)) {
            spread = 2 * spread + 1;
        }
        uint32_t masked = two(m, VT_PIXEL_AND, pick(m, 64), constant(m, 64, spread));
        bool down = chance(m->g, 20); /* an index below 0 wraps */
        insn->a = masked;
        if (down) {
            insn->a = emit(m, (struct vt_pixel_insn){.op = VT_PIXEL_NEG,
                                                     .bits = 64,
                                                     .a = masked,
                                                     .b = VT_PIXEL_NONE,
                                                     .c = VT_PIXEL_NONE});
            insn->imm = spread;
        }
    }
    insn->imm += (uint64_t)s->low + vt_generator_below(m->g, window - bytes - spread + 1);
    return bits;
}

static void make_load(struct making *m)
{
    struct vt_pixel_insn insn = {.op = VT_PIXEL_LOAD, .b = VT_PIXEL_NONE, .c = VT_PIXEL_NONE};
    insn.bits = (uint8_t)pick_access(m, widths[1 + vt_generator_below(m->g, 4)], &insn);
    push(m, insn);
}

static void make_store(struct making *m)
{
    struct vt_pixel_insn insn = {.op = VT_PIXEL_STORE, .c = VT_PIXEL_NONE};
    unsigned bits = pick_access(m, widths[1 + vt_generator_below(m->g, 4)], &insn);
    insn.b = pick(m, bits);
    if (chance(m->g, 30)) {
        insn.c = pick(m, 1);
    }
    emit(m, insn);
}

static uint32_t pick_operand(struct making *m, enum vt_pixel_operand kind,
                             const struct vt_pixel_insn *insn)
{
    switch (kind) {
    case VT_OPERAND_SAME:
        return pick(m, insn->bits);
    case VT_OPERAND_BIT:
        return pick(m, 1);
    case VT_OPERAND_ANY:
        return pick(m, pick_width(m, VT_WIDTH_ALL, chance(m->g, 90) ? 8 : 1, 64));
    case VT_OPERAND_AS_A:
        return pick(m, m->p->insns[insn->a].bits);
    case VT_OPERAND_NARROWER:
        return pick(m, pick_width(m, VT_WIDTH_ALL, 1, insn->bits - 1));
    case VT_OPERAND_WIDER:
        return pick(m, pick_width(m, VT_WIDTH_ALL, insn->bits + 1, 64));
    case VT_OPERAND_HALF:
        return pick(m, insn->bits / 2);
    default:
        return VT_PIXEL_NONE;
    }
}

/** An operation from ADD to PASHR. */
static void make_pure(struct making *m, enum vt_pixel_op op)
{
    const struct vt_pixel_shape *shape = vt_pixel_shape(op);
    struct vt_pixel_insn insn = {.op = (uint8_t)op};
    unsigned least = chance(m->g, 90) ? 8 : 1;
    insn.bits = (uint8_t)pick_width(m, shape->widths, shape->widths == VT_WIDTH_ALL ? least : 1,
                                    op == VT_PIXEL_EXTRACT ? 32 : 64);
    if (shape->lanes != 0) {
        insn.lane = (uint8_t)pick_width(m, shape->lanes, 8, 32);
    }
    insn.a = pick_operand(m, shape->operand[0], &insn);
    insn.b = pick_operand(m, shape->operand[1], &insn);
    insn.c = pick_operand(m, shape->operand[2], &insn);
    if (op == VT_PIXEL_EXTRACT) {
        insn.imm = vt_generator_below(m->g, m->p->insns[insn.a].bits - insn.bits + 1u);
    }
    bool shifts = (op >= VT_PIXEL_SHL && op <= VT_PIXEL_ROR) || op >= VT_PIXEL_PSHL;
    if (shifts && chance(m->g, 60)) {
        unsigned width = insn.lane != 0 ? insn.lane : insn.bits;
        insn.b = constant(m, insn.bits, vt_generator_below(m->g, width + 2));
    }
    push(m, insn);
}

static void make_check(struct making *m)
{
    uint32_t some = two(m, VT_PIXEL_AND, pick(m, 64), constant(m, 64, 63));
    uint32_t bit = two(m, VT_PIXEL_NE, some, constant(m, 64, vt_generator_below(m->g, 64)));
    emit(m, (struct vt_pixel_insn){
                .op = VT_PIXEL_CHECK, .a = bit, .b = VT_PIXEL_NONE, .c = VT_PIXEL_NONE});
}

static void make_any(struct making *m, bool stores);

/** Variable 0 counts; the others are anything. */
static void make_loop(struct making *m)
{
    uint32_t number = vt_pixel_add_loop(m->p);
    if (number == VT_PIXEL_NONE) {
        m->out_of_room = true;
        return;
    }
    struct vt_pixel_loop l = {.n = 1 + vt_generator_below(m->g, 4), .max_trips = 8};
    unsigned bits[4] = {0};
    bool sure = apart(m->g) || chance(m->g, 80);
    for (uint32_t v = 0; v < l.n; v++) {
        bits[v] = pick_width(m, VT_WIDTH_ALL, v == 0 ? 8 : 1, 64);
        l.initial[v] = v == 0 ? constant(m, bits[v], 0) : pick(m, bits[v]);
    }
    uint32_t bound =
        two(m, VT_PIXEL_AND, pick(m, bits[0]), constant(m, bits[0], m->depth > 1 ? 3 : 7));
    emit(m, (struct vt_pixel_insn){.op = VT_PIXEL_LOOP, .imm = number});
    uint32_t around = m->n, count = 0;
    m->depth++;
    for (uint32_t v = 0; v < l.n; v++) {
        uint32_t value = push(m, (struct vt_pixel_insn){.op = VT_PIXEL_VARIABLE,
                                                        .bits = (uint8_t)bits[v],
                                                        .a = VT_PIXEL_NONE,
                                                        .b = VT_PIXEL_NONE,
                                                        .c = VT_PIXEL_NONE,
                                                        .imm = v});
        count = v == 0 ? value : count;
    }
    for (uint32_t n = 1 + vt_generator_below(m->g, 8); n > 0 && m->left > 0; n--) {
        make_any(m, false);
    }
    l.next[0] = two(m, VT_PIXEL_ADD, count, constant(m, bits[0], 1));
    for (uint32_t v = 1; v < l.n; v++) {
        l.next[v] = pick(m, bits[v]);
    }
    l.condition = two(m, VT_PIXEL_ULT, l.next[0], bound);
    if (chance(m->g, 20)) {
        l.condition = two(m, VT_PIXEL_AND, l.condition, pick(m, 1));
    }
    if (!sure) {
        l.max_trips = 1 + vt_generator_below(m->g, 8);
        l.condition = chance(m->g, 20) ? pick(m, 1) : l.condition;
    }
    emit(m, (struct vt_pixel_insn){.op = VT_PIXEL_END, .imm = number});
    m->depth--;
    m->n = around;
    for (uint32_t v = 0; v < l.n; v++) {
        push(m, (struct vt_pixel_insn){.op = VT_PIXEL_RESULT,
                                       .bits = (uint8_t)bits[v],
                                       .a = number,
                                       .b = VT_PIXEL_NONE,
                                       .c = VT_PIXEL_NONE,
                                       .imm = v});
    }
    m->p->loops[number] = l;
}

static void make_any(struct making *m, bool stores)
{
    m->left--;
    uint32_t dice = vt_generator_below(m->g, 100);
    if (dice < 20 && m->p->n_streams > 0) {
        make_load(m);
    } else if (stores && dice < 50 && m->p->n_streams > 0) {
        make_store(m);
    } else if (!stores && dice < 25 && m->depth < 3 && m->p->n_loops < m->g->loops) {
        make_loop(m);
    } else if (!stores && dice < 27 && m->depth == 0 && !m->g->independent) {
        make_check(m);
    } else {
        make_pure(m, VT_PIXEL_ADD + vt_generator_below(m->g, VT_PIXEL_PASHR - VT_PIXEL_ADD + 1));
    }
}

static void declare_inputs(struct making *m)
{
    struct vt_pixel_program *p = m->p;
    p->n_inputs = vt_generator_below(m->g, 5);
    for (uint32_t i = 0; i < p->n_inputs; i++) {
        struct vt_pixel_input *input = &p->inputs[i];
        snprintf(input->name, sizeof input->name, "k%u", i);
        input->bits = (uint8_t)widths[chance(m->g, 50) ? 4 : vt_generator_below(m->g, 5)];
        push(m, (struct vt_pixel_insn){.op = VT_PIXEL_INPUT, .bits = input->bits, .imm = i});
    }
}

static void declare_streams(struct making *m)
{
    static const int64_t strides[] = {0, 1, 2, 4, 8, 16, 24, -1, -4, -8};
    struct vt_pixel_program *p = m->p;
    p->n_streams = vt_generator_below(m->g, 5);
    for (uint32_t i = 0; i < p->n_streams; i++) {
        struct vt_pixel_stream *s = &p->streams[i];
        int32_t window = chance(m->g, 60) ? 1 << vt_generator_below(m->g, 5)
                                          : 1 + (int32_t)vt_generator_below(m->g, 100);
        snprintf(s->name, sizeof s->name, "s%u", i);
        s->low = chance(m->g, 60) ? 0 : (int32_t)vt_generator_below(m->g, 64) - 32;
        s->high = s->low + window;
        s->stride_input = VT_PIXEL_NONE;
        s->stride = chance(m->g, 70) ? strides[vt_generator_below(m->g, 10)]
                                     : (int64_t)vt_generator_below(m->g, 81) - 40;
        if (apart(m->g) && s->stride > -window && s->stride < window) {
            s->stride = s->stride < 0 ? -window : window;
        }
        uint32_t by = vt_generator_below(m->g, 8);
        if (by < p->n_inputs && p->inputs[by].bits == 64) {
            s->stride_input = by;
        }
    }
}

static uint32_t read_carry(struct making *m, uint32_t i)
{
    return emit(
        m, (struct vt_pixel_insn){.op = VT_PIXEL_CARRY, .bits = m->p->carries[i].bits, .imm = i});
}

/** The narrow part of `value`, or value. */
static uint32_t narrowed(struct making *m, uint32_t value, unsigned bits)
{
    return m->p->insns[value].bits == bits ? value
                                           : emit(m, (struct vt_pixel_insn){.op = VT_PIXEL_EXTRACT,
                                                                            .bits = (uint8_t)bits,
                                                                            .a = value,
                                                                            .b = VT_PIXEL_NONE,
                                                                            .c = VT_PIXEL_NONE});
}

static uint32_t widened(struct making *m, uint32_t value, unsigned bits)
{
    return m->p->insns[value].bits == bits ? value
                                           : emit(m, (struct vt_pixel_insn){.op = VT_PIXEL_ZEXT,
                                                                            .bits = (uint8_t)bits,
                                                                            .a = value,
                                                                            .b = VT_PIXEL_NONE,
                                                                            .c = VT_PIXEL_NONE});
}

static uint32_t least_or_most(struct making *m, enum vt_pixel_carry_kind kind, uint32_t a,
                              uint32_t b)
{
    bool is_signed = kind == VT_PIXEL_REDUCE_SMIN || kind == VT_PIXEL_REDUCE_SMAX;
    bool most = kind == VT_PIXEL_REDUCE_UMAX || kind == VT_PIXEL_REDUCE_SMAX;
    enum vt_pixel_op op =
        (is_signed ? VT_PIXEL_SLT : VT_PIXEL_ULT) + (enum vt_pixel_op)chance(m->g, 50);
    uint32_t less = two(m, op, a, b);
    return emit(m, (struct vt_pixel_insn){.op = VT_PIXEL_SELECT,
                                          .bits = m->p->insns[a].bits,
                                          .a = most ? b : a,
                                          .b = most ? a : b,
                                          .c = less});
}

static uint32_t reduce(struct making *m, enum vt_pixel_carry_kind kind, uint32_t link)
{
    static const enum vt_pixel_op ops[] = {[VT_PIXEL_REDUCE_ADD] = VT_PIXEL_ADD,
                                           [VT_PIXEL_REDUCE_XOR] = VT_PIXEL_XOR,
                                           [VT_PIXEL_REDUCE_AND] = VT_PIXEL_AND,
                                           [VT_PIXEL_REDUCE_OR] = VT_PIXEL_OR};
    for (uint32_t n = 1 + vt_generator_below(m->g, 3); n > 0; n--) {
        uint32_t other = pick(m, m->p->insns[link].bits);
        bool first = chance(m->g, 50);
        uint32_t a = first ? link : other, b = first ? other : link;
        if (kind >= VT_PIXEL_REDUCE_UMIN) {
            link = least_or_most(m, kind, a, b);
        } else if (kind == VT_PIXEL_REDUCE_ADD && first && chance(m->g, 30)) {
            link = two(m, VT_PIXEL_SUB, a, b);
        } else {
            link = two(m, ops[kind], a, b);
        }
    }
    return link;
}

/** The operations that make next; `begun`: the CARRY that others read, too. */
static uint32_t make_next(struct making *m, uint32_t i, enum vt_pixel_carry_kind kind,
                          uint32_t begun)
{
    unsigned bits = m->p->carries[i].bits;
    unsigned narrow = bits > 8 && chance(m->g, 30) ? bits / 2 : bits;
    if (kind == VT_PIXEL_LAST || kind == VT_PIXEL_ANY) {
        return pick(m, bits);
    }
    if (kind == VT_PIXEL_INDUCTION) {
        uint32_t value = narrowed(m, begun, narrow);
        uint32_t step = constant(m, narrow, vt_generator_value(m->g, narrow));
        value = chance(m->g, 70)   ? two(m, VT_PIXEL_ADD, value, step)
                : chance(m->g, 50) ? two(m, VT_PIXEL_SUB, value, step)
                                   : two(m, VT_PIXEL_ADD, step, value);
        return widened(m, value, bits);
    }
    uint32_t link = narrowed(m, read_carry(m, i), narrow);
    return widened(m, reduce(m, kind, link), bits);
}

bool vt_generate(struct vt_generator *g, struct vt_pixel_program *p)
{
    struct making *m = calloc(1, sizeof *m);
    if (m == NULL) {
        return false;
    }
    enum vt_pixel_carry_kind kind[8] = {VT_PIXEL_ANY};
    uint32_t begun[8] = {0};
    *m = (struct making){.g = g, .p = p, .left = 1 + vt_generator_below(g, 2 * g->operations)};
    vt_pixel_init(p);
    declare_inputs(m);
    declare_streams(m);
    p->n_carries = vt_generator_below(g, 6);
    for (uint32_t i = 0; i < p->n_carries; i++) {
        kind[i] = (enum vt_pixel_carry_kind)vt_generator_below(g, VT_PIXEL_LAST + 1);
        if (kind[i] == VT_PIXEL_ANY && g->independent) {
            kind[i] = VT_PIXEL_INDUCTION;
        }
        snprintf(p->carries[i].name, sizeof p->carries[i].name, "c%u", i);
        p->carries[i].bits = (uint8_t)widths[chance(g, 50) ? 4 : vt_generator_below(g, 5)];
        if (kind[i] <= VT_PIXEL_INDUCTION) {
            begun[i] = read_carry(m, i);
            m->pool[m->n++] = begun[i];
        }
    }
    if (chance(g, 50)) {
        push(m, (struct vt_pixel_insn){.op = VT_PIXEL_INDEX, .bits = 64});
    }
    uint32_t stores = m->left / 2;
    while (m->left > 0) {
        make_any(m, m->left < stores);
    }
    if (g->fixed_op >= VT_PIXEL_ADD && g->fixed_op <= VT_PIXEL_PASHR) {
        make_pure(m, g->fixed_op);
    }
    for (uint32_t i = 0; i < p->n_carries; i++) {
        p->carries[i].next = make_next(m, i, kind[i], begun[i]);
    }
    bool made = !m->out_of_room;
    free(m);
    struct vt_error err;
    if (made && vt_pixel_validate(p, &err) < 0) {
        fprintf(stderr, "generated, but not valid: %s\n", err.message);
        abort();
    }
    if (!made) {
        vt_pixel_fini(p);
    }
    return made;
}

static int64_t stride_of(const struct vt_pixel_program *p, const struct vt_generated_call *c,
                         uint32_t stream)
{
    const struct vt_pixel_stream *s = &p->streams[stream];
    return s->stride_input == VT_PIXEL_NONE ? s->stride : (int64_t)c->inputs[s->stride_input];
}

/** Inputs; those that are strides are small, and no smaller than windows that must not meet. */
static void make_inputs(struct vt_generator *g, const struct vt_pixel_program *p,
                        struct vt_generated_call *c)
{
    for (uint32_t i = 0; i < p->n_inputs; i++) {
        int64_t least = 0;
        bool stride = false;
        for (uint32_t s = 0; s < p->n_streams; s++) {
            if (p->streams[s].stride_input == i) {
                int64_t window = p->streams[s].high - p->streams[s].low;
                stride = true;
                least = apart(g) && window > least ? window : least;
            }
        }
        int64_t value = least + (int64_t)vt_generator_below(g, 40);
        c->inputs[i] = !stride ? vt_generator_next(g) : (uint64_t)(chance(g, 70) ? value : -value);
        if (!stride && chance(g, 50)) {
            c->inputs[i] = vt_generator_value(g, p->inputs[i].bits);
        }
    }
}

bool vt_generate_call(struct vt_generator *g, const struct vt_pixel_program *p, uint64_t most,
                      struct vt_generated_call *c)
{
    enum { AROUND = 64 }; /* what nobody may touch, on both sides */
    int64_t first[VT_PIXEL_STREAMS_MAX], reach[VT_PIXEL_STREAMS_MAX], longest = 0, sum = 0;
    memset(c, 0, sizeof *c);
    c->call = (struct vt_pixel_call){.count = vt_generator_below(g, (uint32_t)most + 1),
                                     .inputs = c->inputs,
                                     .carries = c->carries,
                                     .streams = c->streams};
    make_inputs(g, p, c);
    for (uint32_t i = 0; i < p->n_carries; i++) {
        c->carries[i] = vt_generator_value(g, p->carries[i].bits);
        if (chance(g, 20)) {
            c->carries[i] = vt_generator_next(g);
        }
    }
    for (uint32_t i = 0; i < p->n_streams; i++) {
        int64_t last = stride_of(p, c, i) * (int64_t)(c->call.count > 0 ? c->call.count - 1 : 0);
        first[i] = p->streams[i].low + (last < 0 ? last : 0);
        reach[i] = p->streams[i].high - first[i] + (last > 0 ? last : 0);
        longest = reach[i] > longest ? reach[i] : longest;
        sum += reach[i];
    }
    bool lie_apart = apart(g) || chance(g, 30);
    c->bytes = (size_t)(2 * AROUND + (lie_apart ? sum : longest + AROUND));
    c->memory = malloc(c->bytes);
    if (c->memory == NULL) {
        return false;
    }
    for (size_t i = 0; i < c->bytes; i++) {
        c->memory[i] = (uint8_t)vt_generator_next(g);
    }
    int64_t at = AROUND;
    for (uint32_t i = 0; i < p->n_streams; i++) {
        int64_t slack = longest + AROUND - reach[i];
        int64_t here =
            lie_apart ? at : AROUND + vt_generator_below(g, (uint32_t)slack + 1) % (2 * AROUND + 1);
        c->streams[i] = c->memory + (here - first[i]);
        at += reach[i];
    }
    return true;
}

bool vt_generated_copy(const struct vt_pixel_program *p, const struct vt_generated_call *from,
                       struct vt_generated_call *to)
{
    *to = *from;
    to->memory = malloc(from->bytes);
    if (to->memory == NULL) {
        return false;
    }
    memcpy(to->memory, from->memory, from->bytes);
    to->call.inputs = to->inputs;
    to->call.carries = to->carries;
    to->call.streams = to->streams;
    for (uint32_t i = 0; i < p->n_streams; i++) {
        to->streams[i] = to->memory + (from->streams[i] - from->memory);
    }
    return true;
}

bool vt_generated_equal(const struct vt_pixel_program *p, const struct vt_generated_call *a,
                        const struct vt_generated_call *b, char *why, size_t room)
{
    for (uint32_t i = 0; i < p->n_carries; i++) {
        if (a->carries[i] != b->carries[i]) {
            snprintf(why, room, "carry %s is %#llx and %#llx", p->carries[i].name,
                     (unsigned long long)a->carries[i], (unsigned long long)b->carries[i]);
            return false;
        }
    }
    for (size_t i = 0; i < a->bytes; i++) {
        if (a->memory[i] != b->memory[i]) {
            snprintf(why, room, "byte %zu of %zu is %#x and %#x", i, a->bytes, a->memory[i],
                     b->memory[i]);
            return false;
        }
    }
    return true;
}

void vt_generated_fini(struct vt_generated_call *c)
{
    free(c->memory);
    memset(c, 0, sizeof *c);
}
