/* synth/generate_terms.c - terms as operations, of the widths that there are. See make_parts.h.
 *
 * Programs know 1, 8, 16, 32 and 64 bits. A term of another width is a value of the next one whose
 * upper bits are 0; operations that would set them are followed by a mask, and those for which the
 * sign counts are preceded by a sign extension.
 */
#include "synth/make_parts.h"

#include <stdlib.h>
#include <string.h>

#define STACK 8192U

static unsigned container(unsigned bits)
{
    return bits == 1 ? 1 : bits <= 8 ? 8 : bits <= 16 ? 16 : bits <= 32 ? 32 : 64;
}

static uint64_t ones(unsigned bits)
{
    return bits >= 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
}

/* ---------------------------------------------------------------- values */

int vt_emitter_init(struct vt_emitter *e, struct vt_making *m, struct vt_pixel_program *p)
{
    *e = (struct vt_emitter){.m = m, .p = p};
    e->value = calloc(VT_TERMS_MAX + 1, sizeof *e->value); /* the pages that are used, that is */
    return e->value == NULL ? vt_fail(m->err, VT_E_NOMEM, "a kernel") : 0;
}

void vt_emitter_fini(struct vt_emitter *e)
{
    free(e->value);
    free(e->log);
    e->value = NULL;
    e->log = NULL;
}

void vt_emit_bind(struct vt_emitter *e, vt_term term, uint32_t value)
{
    if (value == VT_PIXEL_NONE || e->full) {
        return;
    }
    if (e->n_log == e->room_log) {
        uint32_t room = e->room_log == 0 ? 256 : 2 * e->room_log;
        vt_term *wider = realloc(e->log, room * sizeof *wider);
        if (wider == NULL) {
            e->full = true;
            return;
        }
        e->log = wider;
        e->room_log = room;
    }
    e->value[term] = value + 1;
    e->log[e->n_log++] = term;
}

void vt_emit_forget(struct vt_emitter *e, uint32_t n_log)
{
    while (e->n_log > n_log) {
        e->value[e->log[--e->n_log]] = 0;
    }
}

uint32_t vt_emit_insn(struct vt_emitter *e, struct vt_pixel_insn insn)
{
    uint32_t value = e->full ? VT_PIXEL_NONE : vt_pixel_emit(e->p, insn);
    e->full |= value == VT_PIXEL_NONE;
    return value;
}

static uint32_t emit(struct vt_emitter *e, enum vt_pixel_op op, unsigned bits, uint32_t a,
                     uint32_t b, uint32_t c, uint64_t imm)
{
    return vt_emit_insn(
        e, (struct vt_pixel_insn){
               .op = (uint8_t)op, .bits = (uint8_t)bits, .a = a, .b = b, .c = c, .imm = imm});
}

static uint32_t constant(struct vt_emitter *e, unsigned bits, uint64_t value)
{
    vt_term term = vt_term_const(e->m->terms, bits, value);
    if (e->value[term] == 0) {
        vt_emit_bind(e, term,
                     emit(e, VT_PIXEL_CONST, bits, VT_PIXEL_NONE, VT_PIXEL_NONE, VT_PIXEL_NONE,
                          value & ones(bits)));
    }
    return e->value[term] - 1;
}

static uint32_t two(struct vt_emitter *e, enum vt_pixel_op op, unsigned bits, uint32_t a,
                    uint32_t b)
{
    return emit(e, op, bits, a, b, VT_PIXEL_NONE, 0);
}

/* From one container to another; upper bits are 0 on both sides. */
static uint32_t fit(struct vt_emitter *e, uint32_t value, unsigned from, unsigned to)
{
    return from == to ? value
                      : emit(e, from < to ? VT_PIXEL_ZEXT : VT_PIXEL_EXTRACT, to, value,
                             VT_PIXEL_NONE, VT_PIXEL_NONE, 0);
}

static uint32_t mask(struct vt_emitter *e, uint32_t value, unsigned bits)
{
    unsigned wide = container(bits);
    return wide == bits ? value : two(e, VT_PIXEL_AND, wide, value, constant(e, wide, ones(bits)));
}

/* The sign in all upper bits of the container. */
static uint32_t spread(struct vt_emitter *e, uint32_t value, unsigned bits)
{
    unsigned wide = container(bits);
    if (wide == bits) {
        return value;
    }
    uint32_t by = constant(e, wide, wide - bits);
    return two(e, VT_PIXEL_ASHR, wide, two(e, VT_PIXEL_SHL, wide, value, by), by);
}

/* ---------------------------------------------------------------- symbols */

static uint32_t symbol(struct vt_emitter *e, vt_term term)
{
    const struct vt_making *m = e->m;
    unsigned bits = vt_term_bits(m->terms, term);
    for (uint32_t i = 0; i < m->n_inputs; i++) {
        if (m->inputs[i].before == term) {
            return emit(e, VT_PIXEL_INPUT, bits, VT_PIXEL_NONE, VT_PIXEL_NONE, VT_PIXEL_NONE, i);
        }
    }
    for (uint32_t i = 0; i < m->n_carries; i++) {
        if (m->carries[i].before == term) {
            bool input = e->carries_are_inputs;
            return emit(e, input ? VT_PIXEL_INPUT : VT_PIXEL_CARRY, bits, VT_PIXEL_NONE,
                        VT_PIXEL_NONE, VT_PIXEL_NONE, input ? m->n_inputs + i : i);
        }
    }
    e->failed = term;
    return VT_PIXEL_NONE;
}

/* ---------------------------------------------------------------- operations */

static uint32_t value_of(const struct vt_emitter *e, vt_term term)
{
    return term == 0 ? VT_PIXEL_NONE : e->value[term] - 1;
}

static uint32_t emit_extract(struct vt_emitter *e, const struct vt_term_node *n)
{
    unsigned from = vt_term_bits(e->m->terms, n->a), wide = container(from);
    unsigned to = container(n->bits), first = (unsigned)n->imm;
    uint32_t a = value_of(e, n->a);
    if (to < wide) {
        a = emit(e, VT_PIXEL_EXTRACT, to, a, VT_PIXEL_NONE, VT_PIXEL_NONE,
                 first <= wide - to ? first : wide - to);
        if (first > wide - to) {
            a = two(e, VT_PIXEL_LSHR, to, a, constant(e, to, first - (wide - to)));
        }
    } else if (first != 0) {
        a = two(e, VT_PIXEL_LSHR, to, a, constant(e, to, first));
    }
    return first + n->bits < from ? mask(e, a, n->bits) : a;
}

static uint32_t emit_concat(struct vt_emitter *e, const struct vt_term_node *n)
{
    unsigned high = vt_term_bits(e->m->terms, n->a), low = vt_term_bits(e->m->terms, n->b);
    unsigned wide = container(n->bits);
    uint32_t a = value_of(e, n->a), b = value_of(e, n->b);
    uint64_t c;
    if (high == low && container(high) == high && high >= 8 &&
        !vt_term_is_const(e->m->terms, n->b, &c)) {
        return two(e, VT_PIXEL_CONCAT, wide, a, b);
    }
    a = two(e, VT_PIXEL_SHL, wide, fit(e, a, container(high), wide), constant(e, wide, low));
    if (vt_term_is_const(e->m->terms, n->b, &c) && c == 0) {
        return a;
    }
    return two(e, VT_PIXEL_OR, wide, a, fit(e, b, container(low), wide));
}

static uint32_t emit_sext(struct vt_emitter *e, const struct vt_term_node *n)
{
    unsigned from = vt_term_bits(e->m->terms, n->a), wide = container(from);
    unsigned to = container(n->bits);
    uint32_t a = spread(e, value_of(e, n->a), from);
    if (wide < to) {
        a = emit(e, VT_PIXEL_SEXT, to, a, VT_PIXEL_NONE, VT_PIXEL_NONE, 0);
    }
    return mask(e, a, n->bits);
}

/* Operations whose meaning depends on the very width. */
static bool is_of_whole_width(enum vt_pixel_op op)
{
    switch (op) {
    case VT_PIXEL_UMULH:
    case VT_PIXEL_SMULH:
    case VT_PIXEL_UDIV: /* by 0 */
    case VT_PIXEL_SDIV:
    case VT_PIXEL_SREM:
    case VT_PIXEL_ROL:
    case VT_PIXEL_ROR:
    case VT_PIXEL_CLZ:
    case VT_PIXEL_CTZ:
    case VT_PIXEL_BSWAP:
    case VT_PIXEL_ADD_CARRY:
    case VT_PIXEL_ADD_OVERFLOW:
    case VT_PIXEL_SUB_OVERFLOW:
        return true;
    default:
        return false;
    }
}

static uint32_t operation(struct vt_emitter *e, vt_term term, const struct vt_term_node *n)
{
    uint32_t a = value_of(e, n->a), b = value_of(e, n->b), c = value_of(e, n->c);
    unsigned of = vt_term_bits(e->m->terms, n->a), bits = container(n->bits);
    bool odd = container(of) != of || bits != n->bits;
    switch (n->op) {
    case VT_PIXEL_EXTRACT:
        return emit_extract(e, n);
    case VT_PIXEL_CONCAT:
        return emit_concat(e, n);
    case VT_PIXEL_SEXT:
        return emit_sext(e, n);
    case VT_PIXEL_ZEXT:
        return fit(e, a, container(of), bits);
    default:
        break;
    }
    if (odd && is_of_whole_width(n->op)) {
        e->failed = term;
        return VT_PIXEL_NONE;
    }
    if (odd && (n->op == VT_PIXEL_SLT || n->op == VT_PIXEL_SLE || n->op == VT_PIXEL_ASHR)) {
        a = spread(e, a, of);
        b = n->op == VT_PIXEL_ASHR ? b : spread(e, b, of);
    }
    uint32_t made = vt_emit_insn(
        e, (struct vt_pixel_insn){
               .op = n->op, .bits = (uint8_t)bits, .lane = n->lane, .a = a, .b = b, .c = c});
    return mask(e, made, n->bits);
}

uint32_t vt_emit_term(struct vt_emitter *e, vt_term term)
{
    const struct vt_terms *t = e->m->terms;
    vt_term stack[STACK];
    unsigned n = 0;
    stack[n++] = term;
    while (n > 0 && !e->full && e->failed == 0) {
        vt_term at = stack[n - 1];
        const struct vt_term_node node = *vt_term_node(t, at);
        if (e->value[at] != 0) {
            n--;
            continue;
        }
        if (node.kind == VT_TERM_CONSTANT) {
            unsigned wide = container(node.bits);
            vt_emit_bind(e, at,
                         wide == node.bits ? emit(e, VT_PIXEL_CONST, wide, VT_PIXEL_NONE,
                                                  VT_PIXEL_NONE, VT_PIXEL_NONE, node.imm)
                                           : constant(e, wide, node.imm));
            continue;
        }
        if (node.kind != VT_TERM_OPERATION) {
            vt_emit_bind(e, at, symbol(e, at));
            continue;
        }
        vt_term of[3] = {node.a, node.b, node.c}, down = 0;
        for (unsigned i = 0; i < 3 && down == 0; i++) {
            down = of[i] != 0 && e->value[of[i]] == 0 ? of[i] : 0;
        }
        if (down != 0 && n == STACK) {
            e->full = true;
        } else if (down != 0) {
            stack[n++] = down;
        } else {
            vt_emit_bind(e, at, operation(e, at, &node));
        }
    }
    return e->full || e->failed != 0 ? VT_PIXEL_NONE : e->value[term] - 1;
}
