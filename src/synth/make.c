/* synth/make.c - a loop's bytes to a kernel that is not proven yet. See make_parts.h.
 *
 * A first summary tells which memory is variables, the next one knows them. Registers, vector
 * registers and cells that an iteration changes are carries; those that it only reads are inputs.
 */
#include "synth/make_parts.h"
#include "synth/obligations.h"

#include <stdlib.h>
#include <string.h>

#define ROUNDS 4U
#define FEWEST_CELLS 12U /* arrays on a stack are streams then */

static int refuse(struct vt_making *m, const char *why)
{
    return vt_fail(m->err, VT_E_UNSUPPORTED, "%s", why);
}

/* ---------------------------------------------------------------- what is used */

#define STATE_TERMS (sizeof(struct vt_lift_state) / sizeof(vt_term))

struct uses {
    const struct vt_making *m;
    bool state[STATE_TERMS]; /* of s->before */
    bool cells[VT_SYNTH_CELLS_MAX];
    bool havoc;
};

static void use_symbol(void *arg, vt_term symbol)
{
    struct uses *u = arg;
    const vt_term *state = (const vt_term *)&u->m->s->before;
    for (size_t i = 0; i < STATE_TERMS; i++) {
        u->state[i] |= state[i] == symbol;
    }
    for (uint32_t i = 0; i < u->m->s->n_cells; i++) {
        u->cells[i] |= u->m->s->cells[i].before == symbol;
    }
    u->havoc |= vt_term_node(u->m->terms, symbol)->kind == VT_TERM_HAVOC;
}

static void use(struct vt_making *m, struct uses *u, vt_term term)
{
    if (term != 0) {
        vt_term_symbols(m->terms, vt_narrow(m, term), use_symbol, u);
    }
}

static void find_uses(struct vt_making *m, struct uses *u)
{
    const struct vt_summary *s = m->s;
    for (uint32_t i = 0; i < m->n_carries; i++) {
        use(m, u, m->carries[i].after);
    }
    for (uint32_t i = 0; i < s->n_operations; i++) {
        use(m, u, m->accesses[i].index_term);
        use(m, u, s->operations[i].store ? s->operations[i].value : 0);
        use(m, u, s->operations[i].store ? s->operations[i].when : 0);
    }
    for (uint32_t i = 0; i < s->n_loops; i++) {
        const struct vt_inner_loop *l = &s->loops[i];
        for (uint32_t v = 0; v < l->n; v++) {
            use(m, u, l->initial[v]);
            use(m, u, l->next[v]);
        }
        use(m, u, l->condition);
        use(m, u, l->when);
    }
    use(m, u, m->trips != 0 ? m->trips : m->happens);
    use(m, u, m->same);
}

/* ---------------------------------------------------------------- places */

static int add_carry(struct vt_making *m, struct vt_place place, vt_term before, vt_term after)
{
    if (m->n_carries == VT_PIXEL_CARRIES_MAX) {
        m->crowded = true;
        return refuse(m, "too many registers and variables that change");
    }
    m->carries[m->n_carries++] =
        (struct vt_value_place){.before = before, .after = after, .place = place};
    return 0;
}

static int add_input(struct vt_making *m, struct vt_place place, vt_term before)
{
    if (m->n_inputs == VT_PIXEL_INPUTS_MAX) {
        m->crowded = true;
        return refuse(m, "too many registers and variables that are read");
    }
    m->inputs[m->n_inputs++] = (struct vt_value_place){.before = before, .place = place};
    return 0;
}

static struct vt_place register_place(unsigned kind, unsigned reg)
{
    return (struct vt_place){.kind = (uint8_t)kind, .reg = (uint8_t)reg};
}

static struct vt_place cell_place(const struct vt_cell *c)
{
    return (struct vt_place){.kind = VT_PLACE_CELL, .bytes = c->bytes, .address = c->address};
}

/* The number of the equality whose place it is, or n_equal. */
static uint32_t equality_of(const struct vt_making *m, const struct vt_cell *c)
{
    uint32_t i = 0;
    for (; i < m->k->n_equal; i++) {
        const struct vt_place *p = &m->k->equal[i].place;
        if (p->kind == VT_PLACE_CELL && vt_linear_same(&p->address, &c->address)) {
            break;
        }
    }
    return i;
}

/* A pointer that is only stored again where it was loaded from is an input. */
static bool is_carried(const struct vt_making *m, const struct vt_cell *c)
{
    return c->written && (c->after != c->before || equality_of(m, c) == m->k->n_equal);
}

static int find_carries(struct vt_making *m)
{
    const struct vt_lift_state *b = &m->s->before, *a = &m->s->after;
    int rc = 0;
    for (unsigned i = 0; i < 16 && rc == 0; i++) {
        if (a->r[i] != b->r[i]) {
            rc = add_carry(m, register_place(VT_PLACE_GPR, i), b->r[i], a->r[i]);
        }
    }
    for (unsigned i = 0; i < 64 && rc == 0; i++) {
        vt_term before = b->xmm[i / 4][i % 4], after = a->xmm[i / 4][i % 4];
        if (after != before) {
            rc = add_carry(m, register_place(VT_PLACE_XMM_LOW + i % 4, i / 4), before, after);
        }
    }
    for (uint32_t i = 0; i < m->s->n_cells && rc == 0; i++) {
        const struct vt_cell *c = &m->s->cells[i];
        if (is_carried(m, c)) {
            rc = add_carry(m, cell_place(c), c->before, c->after);
        }
    }
    return rc;
}

static bool is_carry(const struct vt_making *m, vt_term before)
{
    bool found = false;
    for (uint32_t i = 0; i < m->n_carries; i++) {
        found |= m->carries[i].before == before;
    }
    return found;
}

static int find_inputs(struct vt_making *m, const struct uses *u)
{
    const struct vt_lift_state *b = &m->s->before;
    const vt_term *state = (const vt_term *)b;
    int rc = 0;
    for (size_t i = 0; i < STATE_TERMS && rc == 0; i++) {
        const vt_term *t = state + i;
        if (!u->state[i] || is_carry(m, *t)) {
            continue;
        }
        if (t >= b->r && t < b->r + 16) {
            rc = add_input(m, register_place(VT_PLACE_GPR, (unsigned)(t - b->r)), *t);
        } else if (t >= &b->xmm[0][0] && t < &b->xmm[0][0] + 64) {
            unsigned half = (unsigned)(t - &b->xmm[0][0]);
            rc = add_input(m, register_place(VT_PLACE_XMM_LOW + half % 4, half / 4), *t);
        } else if (t == &b->fs_base || t == &b->gs_base) {
            rc = add_input(
                m, register_place(t == &b->fs_base ? VT_PLACE_FS_BASE : VT_PLACE_GS_BASE, 0), *t);
        } else {
            rc = refuse(m, "it computes with a flag from before");
        }
    }
    for (uint32_t i = 0; i < m->s->n_cells && rc == 0; i++) {
        const struct vt_cell *c = &m->s->cells[i];
        if (!is_carried(m, c)) {
            uint32_t e = equality_of(m, c);
            rc = add_input(m, cell_place(c), e == m->k->n_equal ? c->before : m->equal[e]);
        }
    }
    for (uint32_t i = 0; i < m->k->n_equal && rc == 0; i++) {
        if (m->k->equal[i].place.kind == VT_PLACE_GPR) {
            rc = add_input(m, m->k->equal[i].place, m->equal[i]);
        }
    }
    return rc;
}

static void name(struct vt_value_place *p, uint32_t number)
{
    static const char *const registers[16] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp",
                                              "rsi", "rdi", "r8",  "r9",  "r10", "r11",
                                              "r12", "r13", "r14", "r15"};
    switch (p->place.kind) {
    case VT_PLACE_GPR:
        (void)snprintf(p->name, sizeof p->name, "%s", registers[p->place.reg]);
        break;
    case VT_PLACE_XMM_LOW:
    case VT_PLACE_XMM_HIGH:
    case VT_PLACE_YMM_LOW:
    case VT_PLACE_YMM_HIGH:
        (void)snprintf(p->name, sizeof p->name, "%cmm%u.%s",
                       p->place.kind < VT_PLACE_YMM_LOW ? 'x' : 'y', p->place.reg,
                       (p->place.kind - VT_PLACE_XMM_LOW) % 2 == 0 ? "low" : "high");
        break;
    case VT_PLACE_FS_BASE:
    case VT_PLACE_GS_BASE:
        (void)snprintf(p->name, sizeof p->name, "%s",
                       p->place.kind == VT_PLACE_FS_BASE ? "fs.base" : "gs.base");
        break;
    default:
        (void)snprintf(p->name, sizeof p->name, "cell%u", number);
        break;
    }
}

static void name_all(struct vt_making *m)
{
    for (uint32_t i = 0; i < m->n_inputs; i++) {
        name(&m->inputs[i], i);
        m->k->inputs[i] = m->inputs[i].place;
    }
    for (uint32_t i = 0; i < m->n_carries; i++) {
        name(&m->carries[i], m->n_inputs + i);
        m->k->carries[i] = m->carries[i].place;
    }
}

/* Positions name cells by their places. */
static void find_positions(struct vt_making *m)
{
    for (uint32_t i = 0; i < m->k->program.n_streams; i++) {
        struct vt_linear *position = &m->k->streams[i];
        for (uint32_t p = 0; p < position->n; p++) {
            if (position->part[p].reg < VT_LINEAR_PLACE) {
                continue;
            }
            vt_term cell = m->s->cells[position->part[p].reg - VT_LINEAR_PLACE].before;
            uint32_t at = 0;
            while (at < m->n_inputs + m->n_carries &&
                   cell != (at < m->n_inputs ? m->inputs[at].before
                                             : m->carries[at - m->n_inputs].before)) {
                at++;
            }
            position->part[p].reg = VT_LINEAR_PLACE + at;
        }
    }
}

/* Strides that are registers are inputs, whether or not anything else reads them. */
static int find_strides(struct vt_making *m, const int32_t *stride_register)
{
    for (uint32_t i = 0; i < m->k->program.n_streams; i++) {
        if (stride_register[i] < 0) {
            continue;
        }
        uint32_t reg = (uint32_t)stride_register[i], at = 0;
        vt_term before =
            reg < VT_LINEAR_PLACE ? m->s->before.r[reg] : m->s->cells[reg - VT_LINEAR_PLACE].before;
        while (at < m->n_inputs && m->inputs[at].before != before) {
            at++;
        }
        if (at == m->n_inputs) {
            int rc =
                add_input(m, register_place(VT_PLACE_GPR, (unsigned)stride_register[i]), before);
            if (rc < 0) {
                return rc;
            }
        }
        m->k->program.streams[i].stride_input = at;
    }
    return 0;
}

/* ---------------------------------------------------------------- guards */

static int find_guards(struct vt_making *m)
{
    struct vt_synth_kernel *k = m->k;
    k->n_disjoint = vt_kernel_disjoint(k, k->disjoint, sizeof k->disjoint / sizeof *k->disjoint);
    m->crowded = k->n_disjoint == UINT32_MAX;
    return m->crowded ? refuse(m, "too much memory that must not overlap") : 0;
}

/* ---------------------------------------------------------------- all */

int vt_make_summarise(struct vt_terms *terms, const struct vt_synth_loop *loop, uint32_t most,
                      struct vt_given *given, struct vt_summary *s, struct vt_error *err)
{
    int rc = vt_summary_of_code(terms, loop, given, s, err);
    for (unsigned round = 0; rc == 0 && round < ROUNDS; round++) {
        uint32_t before = given->n_cells;
        rc = vt_make_find_cells(terms, s, most, given->cells, &given->n_cells, err);
        if (rc < 0 || given->n_cells == before) {
            break;
        }
        vt_summary_fini(s);
        *s = (struct vt_summary){0};
        rc = vt_summary_of_code(terms, loop, given, s, err);
    }
    return rc;
}

static int check_flags(struct vt_making *m)
{
    static const char *const names[VT_LIFT_FLAGS] = {"CF", "PF", "AF", "ZF", "SF", "OF"};
    unsigned wrong = m->s->flags_read & ~(unsigned)m->s->flags_kept;
    return wrong == 0 ? 0
                      : vt_fail(m->err, VT_E_UNSUPPORTED,
                                "an iteration reads %s as the one before it leaves it",
                                names[__builtin_ctz(wrong)]);
}

/* Where it is not so there are no trips, or the first thing is a check. */
static void guard_equal(struct vt_making *m)
{
    struct vt_terms *t = m->terms;
    m->same = vt_term_const(t, 1, 1);
    for (uint32_t i = 0; i < m->k->n_equal; i++) {
        m->equal[i] = vt_term_symbol(t, 64, "place");
        vt_term sum = vt_linear_term(t, &m->k->equal[i].sum, &m->s->before);
        m->same =
            vt_term_2(t, VT_PIXEL_AND, m->same, vt_term_compare(t, VT_PIXEL_EQ, m->equal[i], sum));
    }
    if (m->trips != 0) {
        m->trips = vt_term_select(t, m->same, m->trips, vt_term_const(t, 64, 0));
    }
}

static int make(struct vt_making *m)
{
    int32_t stride_register[VT_PIXEL_STREAMS_MAX];
    struct uses uses = {.m = m};
    m->accesses = calloc(m->s->n_operations + 1, sizeof *m->accesses);
    m->narrow = calloc(VT_TERMS_MAX + 1, sizeof *m->narrow);
    if (m->accesses == NULL || m->narrow == NULL) {
        return vt_fail(m->err, VT_E_NOMEM, "a kernel");
    }
    int rc = check_flags(m);
    if (rc == 0) {
        rc = vt_analyse_accesses(m, stride_register);
    }
    if (rc == 0) {
        rc = find_carries(m);
    }
    if (rc < 0) {
        return rc;
    }
    vt_analyse_trips(m);
    guard_equal(m);
    find_uses(m, &uses);
    if (uses.havoc) {
        return refuse(m, "it computes with what x86 leaves undefined");
    }
    rc = find_inputs(m, &uses);
    if (rc == 0) {
        rc = find_strides(m, stride_register);
    }
    if (rc < 0) {
        return rc;
    }
    find_positions(m);
    name_all(m);
    rc = vt_generate(m);
    m->k->instructions = m->s->instructions;
    return rc < 0 ? rc : find_guards(m);
}

/* With at most so many variables in memory. *crowded: fewer would be worth trying. */
static int make_with(const struct vt_synth_loop *loop, uint32_t most, const struct vt_given *given,
                     struct vt_synth_kernel **k, bool *crowded, struct vt_error *err)
{
    struct vt_synth_kernel *made = calloc(1, sizeof *made);
    struct vt_terms *terms = vt_terms_create();
    struct vt_given all = *given;
    struct vt_summary s = {0};
    int rc;
    *crowded = false;
    if (made == NULL || terms == NULL) {
        free(made);
        vt_terms_destroy(terms);
        return vt_fail(err, VT_E_NOMEM, "a kernel");
    }
    vt_pixel_init(&made->program);
    made->loop = *loop;
    made->n_equal = given->n_equal;
    memcpy(made->equal, given->equal, sizeof made->equal);
    rc = vt_synth_loop_finish(&made->loop, err);
    if (rc == 0) {
        rc = vt_make_summarise(terms, &made->loop, most, &all, &s, err);
    }
    if (rc == 0) {
        struct vt_making m = {.terms = terms, .s = &s, .k = made, .err = err};
        rc = make(&m);
        if (rc == 0 && vt_terms_broken(terms)) {
            rc = refuse(&m, "more terms than there is room for");
        }
        *crowded = rc < 0 && m.crowded;
        free(m.accesses);
        free(m.narrow);
    }
    vt_summary_fini(&s);
    vt_terms_destroy(terms);
    if (rc < 0) {
        vt_synth_kernel_destroy(made);
        return rc;
    }
    *k = made;
    return 0;
}

static int make_given(const struct vt_synth_loop *loop, const struct vt_given *given,
                      struct vt_synth_kernel **k, struct vt_error *err)
{
    bool crowded = true;
    int rc = VT_E_UNSUPPORTED;
    for (uint32_t most = VT_SYNTH_CELLS_MAX; most >= FEWEST_CELLS && crowded; most /= 2) {
        rc = make_with(loop, most, given, k, &crowded, err);
    }
    return rc;
}

int vt_synth_make_at(const struct vt_synth_loop *loop, const struct vt_synth_state *state,
                     struct vt_synth_kernel **k, struct vt_error *err)
{
    struct vt_given given = {0};
    struct vt_synth_kernel *better = NULL;
    struct vt_error ignored;
    int rc = make_given(loop, &given, k, err);
    if (state == NULL || (rc != 0 && rc != VT_E_UNSUPPORTED) ||
        (rc == 0 && !vt_make_overlaps(*k, state))) {
        return rc;
    }
    /* What decides how often an inner loop runs may be another number next time: the last resort.
     */
    for (unsigned bounds = 0; bounds < (rc == 0 ? 1 : 2); bounds++) {
        vt_make_find_equal(loop, state, bounds == 1, &given);
        if (given.n_equal > 0 && make_given(loop, &given, &better, &ignored) == 0) {
            if (rc == 0) {
                vt_synth_kernel_destroy(*k);
            }
            *k = better;
            return 0;
        }
    }
    return rc;
}

int vt_synth_make(const struct vt_synth_loop *loop, struct vt_synth_kernel **k,
                  struct vt_error *err)
{
    return vt_synth_make_at(loop, NULL, k, err);
}
