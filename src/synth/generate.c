/* synth/generate.c - a program of a summary, in order. See make_parts.h.
 *
 * Memory operations and inner loops come in the order in which the code has them; everything else
 * is emitted where it is first asked for. A check stands before the first store. What an inner loop
 * does where the code would not run it is one trip without effect.
 */
#include "synth/make_parts.h"

#include <stdlib.h>
#include <string.h>

#define INNER_TRIPS 65536U

struct order {
    struct vt_making *m;
    struct vt_emitter e;
    uint32_t operation, loop; /* the next ones */
    bool checked;
};

static int wrong(struct order *g)
{
    char text[128];
    if (g->e.failed == 0) {
        return vt_fail(g->m->err, VT_E_UNSUPPORTED, "more operations than a program may have");
    }
    vt_term_print(g->m->terms, g->e.failed, text, sizeof text);
    return vt_fail(g->m->err, VT_E_UNSUPPORTED,
                   vt_term_node(g->m->terms, g->e.failed)->kind == VT_TERM_OPERATION
                       ? "no operation for %s"
                       : "%s is asked for before it is known",
                   text);
}

static uint32_t value(struct order *g, vt_term term)
{
    return vt_emit_term(&g->e, vt_narrow(g->m, term));
}

static uint32_t insn(struct order *g, struct vt_pixel_insn i)
{
    return vt_emit_insn(&g->e, i);
}

static bool is_true(struct order *g, vt_term bit)
{
    uint64_t c;
    return vt_term_is_const(g->m->terms, bit, &c) && c != 0;
}

static void check(struct order *g, vt_term bit)
{
    if (!g->checked && g->m->trips == 0 && !is_true(g, bit)) {
        insn(g,
             (struct vt_pixel_insn){
                 .op = VT_PIXEL_CHECK, .a = value(g, bit), .b = VT_PIXEL_NONE, .c = VT_PIXEL_NONE});
    }
}

static void check_all(struct order *g)
{
    check(g, g->m->happens);
    g->checked = true;
}

static void access(struct order *g, uint32_t number)
{
    const struct vt_memory_operation *o = &g->m->s->operations[number];
    const struct vt_access *a = &g->m->accesses[number];
    struct vt_pixel_insn i = {.op = o->store ? VT_PIXEL_STORE : VT_PIXEL_LOAD,
                              .bits = o->store ? 0 : (uint8_t)(8 * o->bytes),
                              .stream = a->stream,
                              .a = VT_PIXEL_NONE,
                              .b = VT_PIXEL_NONE,
                              .c = VT_PIXEL_NONE,
                              .imm = (uint64_t)a->offset};
    if (a->check != 0) { /* before it is used */
        check(g, a->check);
    }
    if (a->index_term != 0) {
        i.a = value(g, a->index_term);
    }
    if (!o->store) {
        vt_emit_bind(&g->e, o->value, insn(g, i));
        return;
    }
    check_all(g);
    i.b = value(g, o->value);
    i.c = is_true(g, o->when) ? VT_PIXEL_NONE : value(g, o->when);
    insn(g, i);
}

static int inner_loop(struct order *g, uint32_t number);

/* What of operations and loops is directly in `region`, up to what is not. */
static int region(struct order *g, int32_t inside)
{
    const struct vt_summary *s = g->m->s;
    for (;;) {
        if (g->loop < s->n_loops && s->loops[g->loop].parent == inside &&
            s->loops[g->loop].at <= g->operation) {
            int rc = inner_loop(g, g->loop++);
            if (rc < 0) {
                return rc;
            }
        } else if (g->operation < s->n_operations && s->operations[g->operation].loop == inside) {
            if (inside >= 0 && s->operations[g->operation].store) {
                return vt_refuse_insn(g->m->err, &g->m->k->loop, s->operations[g->operation].at,
                                      "an inner loop that stores");
            }
            access(g, g->operation++);
        } else {
            return 0;
        }
    }
}

static int inner_loop(struct order *g, uint32_t number)
{
    const struct vt_inner_loop *l = &g->m->s->loops[number];
    struct vt_pixel_program *p = &g->m->k->program;
    uint32_t initial[VT_PIXEL_VARIABLES_MAX];
    bool always = is_true(g, l->when);
    if (g->checked) {
        return vt_fail(g->m->err, VT_E_UNSUPPORTED, "an inner loop behind a store");
    }
    uint32_t when = always ? VT_PIXEL_NONE : value(g, l->when);
    for (uint32_t i = 0; i < l->n; i++) {
        initial[i] = value(g, l->initial[i]);
    }
    uint32_t own = vt_pixel_add_loop(p);
    if (own == VT_PIXEL_NONE) {
        return vt_fail(g->m->err, VT_E_UNSUPPORTED, "too many inner loops");
    }
    p->loops[own].n = l->n;
    p->loops[own].max_trips = g->m->max_trips[number] != 0 ? g->m->max_trips[number] : INNER_TRIPS;
    memcpy(p->loops[own].initial, initial, sizeof initial);
    struct vt_pixel_insn mark = {.op = VT_PIXEL_LOOP,
                                 .a = VT_PIXEL_NONE,
                                 .b = VT_PIXEL_NONE,
                                 .c = VT_PIXEL_NONE,
                                 .imm = own};
    insn(g, mark);
    uint32_t log = g->e.n_log;
    for (uint32_t i = 0; i < l->n; i++) {
        struct vt_pixel_insn variable = mark;
        variable.op = VT_PIXEL_VARIABLE;
        variable.bits = (uint8_t)vt_term_bits(g->m->terms, l->variable[i]);
        variable.imm = i;
        vt_emit_bind(&g->e, l->variable[i], insn(g, variable));
    }
    int rc = region(g, (int32_t)number);
    if (rc < 0) {
        return rc;
    }
    for (uint32_t i = 0; i < l->n; i++) {
        p->loops[own].next[i] = value(g, l->next[i]);
    }
    uint32_t again = value(g, l->condition);
    if (!always) {
        again =
            insn(g, (struct vt_pixel_insn){
                        .op = VT_PIXEL_AND, .bits = 1, .a = again, .b = when, .c = VT_PIXEL_NONE});
    }
    p->loops[own].condition = again;
    mark.op = VT_PIXEL_END;
    insn(g, mark);
    vt_emit_forget(&g->e, log);
    for (uint32_t i = 0; i < l->n; i++) {
        uint8_t bits = (uint8_t)vt_term_bits(g->m->terms, l->result[i]);
        uint32_t result = insn(g, (struct vt_pixel_insn){.op = VT_PIXEL_RESULT,
                                                         .bits = bits,
                                                         .a = own,
                                                         .b = VT_PIXEL_NONE,
                                                         .c = VT_PIXEL_NONE,
                                                         .imm = i});
        if (!always) {
            result = insn(
                g,
                (struct vt_pixel_insn){
                    .op = VT_PIXEL_SELECT, .bits = bits, .a = result, .b = initial[i], .c = when});
        }
        vt_emit_bind(&g->e, l->result[i], result);
    }
    return 0;
}

/* ---------------------------------------------------------------- programs */

static void declare(struct vt_pixel_program *p, const struct vt_terms *terms,
                    const struct vt_value_place *places, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        struct vt_pixel_input *input = &p->inputs[p->n_inputs++];
        memcpy(input->name, places[i].name, sizeof input->name);
        input->bits = (uint8_t)vt_term_bits(terms, places[i].before);
    }
}

static int generate_program(struct order *g)
{
    struct vt_making *m = g->m;
    struct vt_pixel_program *p = &m->k->program;
    declare(p, m->terms, m->inputs, m->n_inputs);
    check(g, m->same);
    int rc = region(g, -1);
    if (rc < 0) {
        return g->e.full || g->e.failed != 0 ? wrong(g) : rc;
    }
    check_all(g);
    for (uint32_t i = 0; i < m->n_carries; i++) {
        struct vt_pixel_carry *c = &p->carries[i];
        memcpy(c->name, m->carries[i].name, sizeof c->name);
        c->bits = (uint8_t)vt_term_bits(m->terms, m->carries[i].before);
        c->next = value(g, m->carries[i].after);
    }
    p->n_carries = m->n_carries;
    return g->e.full || g->e.failed != 0 ? wrong(g) : vt_pixel_validate(p, m->err);
}

static int generate_trips(struct order *g)
{
    struct vt_making *m = g->m;
    struct vt_pixel_program *p = m->k->trips;
    g->e.carries_are_inputs = true;
    if (m->n_inputs + m->n_carries > VT_PIXEL_INPUTS_MAX) {
        m->crowded = true;
        return vt_fail(m->err, VT_E_UNSUPPORTED, "too many registers");
    }
    declare(p, m->terms, m->inputs, m->n_inputs);
    declare(p, m->terms, m->carries, m->n_carries);
    uint32_t last = value(g, m->trips);
    if (last != VT_PIXEL_NONE && last + 1 != p->n_insns) { /* it has to be the last one */
        insn(g, (struct vt_pixel_insn){
                    .op = VT_PIXEL_OR, .bits = 64, .a = last, .b = last, .c = VT_PIXEL_NONE});
    }
    return g->e.full || g->e.failed != 0 ? wrong(g) : vt_pixel_validate(p, m->err);
}

int vt_generate(struct vt_making *m)
{
    struct order g = {.m = m};
    int rc = vt_emitter_init(&g.e, m, &m->k->program);
    if (rc == 0) {
        rc = generate_program(&g);
    }
    vt_emitter_fini(&g.e);
    if (rc < 0 || m->trips == 0) {
        return rc;
    }
    m->k->trips = malloc(sizeof *m->k->trips);
    if (m->k->trips == NULL) {
        return vt_fail(m->err, VT_E_NOMEM, "a kernel");
    }
    vt_pixel_init(m->k->trips);
    rc = vt_emitter_init(&g.e, m, m->k->trips);
    if (rc == 0) {
        rc = generate_trips(&g);
    }
    vt_emitter_fini(&g.e);
    return rc;
}
