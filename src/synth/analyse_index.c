/* synth/analyse_index.c - addresses: what goes on by a stride, and an index. See make_parts.h.
 *
 * An address is a sum. Its registers and variables that go on by a stride are what a stream's
 * position is made of; the rest is an index with a range. Five kinds of parts:
 *
 *   wide      a register, or a cell of 8 bytes, that goes on by a constant or by what stays
 *   narrow    32 bits of one, widened: as long as nothing wraps, it goes on like a wide one
 *   twin      a register that is made anew of such a one by each iteration
 *   walking   an inner loop's variable that goes on by a constant: where it began is a sum again,
 *             how far it has come is bounded by the loop's trips, of which there may be fewer then
 *   index     whose range can be seen; or that is checked to be small, before it is used
 *
 * What has to hold for that is m->must: an iteration that does not fulfil it is the guest's.
 */
#include "synth/make_parts.h"

#define REACH 4096u /* bytes of what has no bounds of its own */
#define PARTS 8u
#define RSP 4

/* ---------------------------------------------------------------- strides */

/* Up to VT_LINEAR_GS registers; from VT_LINEAR_PLACE on cells, until places have numbers. */
static vt_term value_of(const struct vt_making *m, uint32_t reg, bool after)
{
    const struct vt_lift_state *state = after ? &m->s->after : &m->s->before;
    const struct vt_cell *cell = reg < VT_LINEAR_PLACE ? NULL : &m->s->cells[reg - VT_LINEAR_PLACE];
    return reg < VT_LINEAR_FS    ? state->r[reg]
           : reg == VT_LINEAR_FS ? state->fs_base
           : reg == VT_LINEAR_GS ? state->gs_base
           : cell == NULL        ? 0
           : after               ? cell->after
                                 : cell->before;
}

static bool is_unchanged(const struct vt_making *m, uint32_t reg)
{
    return value_of(m, reg, true) == value_of(m, reg, false);
}

/* The register, or the cell of so many bytes, that a term is, or -1. */
static int32_t register_of(const struct vt_making *m, vt_term term, unsigned bytes)
{
    for (uint32_t reg = 0; reg < VT_LINEAR_PLACE + m->s->n_cells; reg++) {
        bool good =
            reg < VT_LINEAR_PLACE ? bytes == 8 : m->s->cells[reg - VT_LINEAR_PLACE].bytes == bytes;
        if (good && value_of(m, reg, false) == term) {
            return bytes == 8 && m->s->before.r[RSP] == term ? RSP : (int32_t)reg;
        }
    }
    return -1;
}

/* Adds `times` what one iteration adds to the register. */
static bool add_step(const struct vt_making *m, uint32_t reg, uint64_t times,
                     struct vt_linear *step)
{
    struct vt_term_sum after;
    if (is_unchanged(m, reg)) {
        return true;
    }
    if (vt_term_bits(m->terms, value_of(m, reg, true)) != 64 ||
        !vt_term_linear(m->terms, value_of(m, reg, true), &after)) {
        return false;
    }
    bool itself = false;
    struct vt_linear more = *step;
    more.constant += times * after.constant;
    for (unsigned i = 0; i < after.n; i++) {
        int32_t other = register_of(m, after.part[i].atom, 8);
        if (other == (int32_t)reg && after.part[i].coefficient == 1) {
            itself = true;
            continue;
        }
        if (other < 0 || !is_unchanged(m, (uint32_t)other) ||
            more.n == sizeof more.part / sizeof *more.part) {
            return false;
        }
        more.part[more.n].reg = (uint32_t)other;
        more.part[more.n++].coefficient = times * after.part[i].coefficient;
    }
    *step = itself ? more : *step;
    return itself;
}

/* The lower 32 bits. */
static vt_term half_of(const struct vt_making *m, uint32_t reg, bool after)
{
    return vt_term_extract(m->terms, value_of(m, reg, after), 0, 32);
}

/* What one iteration adds to them, where the upper ones are 0 afterwards or stay. */
static bool narrow_step(const struct vt_making *m, uint32_t reg, int64_t *step)
{
    struct vt_terms *t = m->terms;
    vt_term after = value_of(m, reg, true), half = half_of(m, reg, true);
    uint64_t by;
    if (is_unchanged(m, reg)) {
        *step = 0;
        return true;
    }
    if ((vt_term_bits(t, after) == 64 && after != vt_term_zext(t, half, 64)) ||
        !vt_term_is_const(t, vt_term_2(t, VT_PIXEL_SUB, half, half_of(m, reg, false)), &by)) {
        return false;
    }
    *step = (int32_t)(uint32_t)by;
    return true;
}

bool vt_find_stride(const struct vt_making *m, const struct vt_linear *position, int64_t *constant,
                    int32_t *reg)
{
    struct vt_linear step = {0};
    for (uint32_t i = 0; i < position->n; i++) {
        uint64_t times = position->part[i].coefficient;
        int64_t narrow;
        if (add_step(m, position->part[i].reg, times, &step)) {
            continue;
        }
        if (!narrow_step(m, position->part[i].reg, &narrow)) {
            return false;
        }
        step.constant += times * (uint64_t)narrow;
    }
    *constant = (int64_t)step.constant;
    *reg = step.n == 0 ? -1 : (int32_t)step.part[0].reg;
    return step.n == 0 || (step.n == 1 && step.constant == 0 && step.part[0].coefficient == 1 &&
                           step.part[0].reg != VT_LINEAR_FS && step.part[0].reg != VT_LINEAR_GS);
}

/* ---------------------------------------------------------------- parts of an address */

struct address {
    struct vt_making *m;
    const struct vt_memory_operation *o;
    struct vt_access *a;
    __int128 least, most; /* of the index */
    vt_term index;
};

/* A bit that the iteration depends on. */
static bool must(struct vt_making *m, vt_term bit)
{
    uint64_t always;
    for (uint32_t i = 0; i < m->n_must; i++) {
        if (m->must[i] == bit) {
            return true;
        }
    }
    if (vt_term_is_const(m->terms, bit, &always) && always == 1) {
        return true;
    }
    if (m->n_must == VT_MUST_MAX) {
        return false;
    }
    m->must[m->n_must++] = bit;
    return true;
}

static vt_term number(const struct vt_making *m, unsigned bits, uint64_t value)
{
    return vt_term_const(m->terms, bits, value);
}

int vt_must_be_aligned(struct vt_making *m, const struct vt_memory_operation *o, vt_term index,
                       unsigned to)
{
    return must(m, vt_address_is_aligned(m->terms, index, to))
               ? 0
               : vt_refuse_access(m, o, "too much that has to be checked");
}

static bool add_moving(struct vt_linear *to, uint32_t reg, uint64_t times)
{
    uint32_t at = 0;
    while (at < to->n && to->part[at].reg < reg) {
        at++;
    }
    if (at < to->n && to->part[at].reg == reg) {
        to->part[at].coefficient += times;
        return to->part[at].coefficient != 0;
    }
    if (to->n == sizeof to->part / sizeof *to->part) {
        return false;
    }
    for (uint32_t i = to->n++; i > at; i--) {
        to->part[i] = to->part[i - 1];
    }
    to->part[at].reg = reg;
    to->part[at].coefficient = times;
    return true;
}

static bool add_index(struct address *x, vt_term atom, int64_t times, struct vt_range r)
{
    struct vt_terms *t = x->m->terms;
    if (times > (int64_t)VT_PIXEL_WINDOW_MAX || times < -(int64_t)VT_PIXEL_WINDOW_MAX ||
        r.most > UINT32_MAX) {
        return false;
    }
    __int128 low = (__int128)times * r.least, high = (__int128)times * r.most;
    x->least += low < high ? low : high;
    x->most += low < high ? high : low;
    vt_term product = vt_term_2(t, VT_PIXEL_MUL, atom, number(x->m, 64, (uint64_t)times));
    x->index = vt_term_2(t, VT_PIXEL_ADD, x->index, product);
    return true;
}

/* ---------------------------------------------------------------- 32 bits, widened */

struct narrow {
    uint32_t n;
    struct {
        uint32_t reg;
        int64_t times, step;
    } part[4];
    int64_t constant;
};

/* A sum of lower halves as what it is made of. */
static bool take_apart(const struct vt_making *m, vt_term term, int64_t times, struct narrow *to)
{
    vt_term todo[PARTS];
    int64_t by[PARTS];
    unsigned n = 1;
    todo[0] = term;
    by[0] = times;
    while (n > 0) {
        vt_term one = todo[--n];
        const struct vt_term_node node = *vt_term_node(m->terms, one);
        uint64_t c;
        int32_t reg = node.kind == VT_TERM_SYMBOL ? register_of(m, one, 4) : -1;
        if (node.kind == VT_TERM_CONSTANT) {
            to->constant += by[n] * (int32_t)(uint32_t)node.imm;
            continue;
        }
        if (node.kind == VT_TERM_OPERATION && node.op == VT_PIXEL_EXTRACT && node.imm == 0) {
            reg = register_of(m, node.a, 8);
        }
        if (reg >= 0) {
            if (to->n == sizeof to->part / sizeof *to->part ||
                !narrow_step(m, (uint32_t)reg, &to->part[to->n].step)) {
                return false;
            }
            to->part[to->n].reg = (uint32_t)reg;
            to->part[to->n++].times = by[n];
            continue;
        }
        if (node.kind != VT_TERM_OPERATION || n + 2 > PARTS) {
            return false;
        }
        bool sum = node.op == VT_PIXEL_ADD || node.op == VT_PIXEL_SUB;
        int64_t factor = 1;
        if ((node.op == VT_PIXEL_SHL || node.op == VT_PIXEL_MUL) &&
            vt_term_is_const(m->terms, node.b, &c) && c <= (node.op == VT_PIXEL_SHL ? 12 : 4096)) {
            factor = node.op == VT_PIXEL_SHL ? INT64_C(1) << c : (int64_t)c;
        } else if (!sum) {
            return false;
        }
        if (by[n] > 4096 || by[n] < -4096) {
            return false;
        }
        int64_t outer = by[n];
        todo[n] = node.a;
        by[n++] = outer * factor;
        if (sum) {
            todo[n] = node.b;
            by[n++] = node.op == VT_PIXEL_SUB ? -outer : outer;
        }
    }
    return true;
}

/* As long as the sum lies in [0, bound) it is the sum of its parts, widened. Said of each part by
 * itself where that is possible, as a number of trips can be made of it. */
static bool stay_within(struct vt_making *m, const struct narrow *w, uint64_t bound)
{
    struct vt_terms *t = m->terms;
    vt_term sum = number(m, 64, (uint64_t)w->constant);
    bool apart = w->constant >= 0 || w->n == 1, good = true;
    for (uint32_t i = 0; i < w->n; i++) {
        vt_term wide = vt_term_zext(t, half_of(m, w->part[i].reg, false), 64);
        wide = vt_term_2(t, VT_PIXEL_MUL, wide, number(m, 64, (uint64_t)w->part[i].times));
        sum = vt_term_2(t, VT_PIXEL_ADD, sum, wide);
        apart &= w->part[i].times > 0;
    }
    for (uint32_t i = 0; i < w->n && good; i++) {
        uint32_t reg = w->part[i].reg;
        int64_t step = w->part[i].step;
        vt_term half = half_of(m, reg, false), whole = value_of(m, reg, false);
        uint64_t most = UINT32_MAX, least = step < 0 ? 0 - (uint64_t)step : 0;
        if (vt_term_bits(t, whole) == 64) {
            good = must(m, vt_term_compare(t, VT_PIXEL_EQ, vt_term_extract(t, whole, 32, 32),
                                           number(m, 32, 0)));
        }
        most -= step > 0 ? (uint64_t)step : 0;
        if (apart) {
            uint64_t above = w->constant > 0 ? (uint64_t)w->constant : 0;
            uint64_t share = (bound - 1 - above) / w->n / (uint64_t)w->part[i].times;
            uint64_t below = w->constant < 0 ? 0 - (uint64_t)w->constant : 0;
            below = (below + (uint64_t)w->part[i].times - 1) / (uint64_t)w->part[i].times;
            most = share < most ? share : most;
            least = below > least ? below : least;
        }
        good = good && (least == 0 ||
                        must(m, vt_term_compare(t, VT_PIXEL_ULE, number(m, 32, least), half)));
        good = good && (most == UINT32_MAX ||
                        must(m, vt_term_compare(t, VT_PIXEL_ULE, half, number(m, 32, most))));
    }
    return good && (apart || must(m, vt_term_compare(t, VT_PIXEL_ULT, sum, number(m, 64, bound))));
}

/* 1: it is one, and all is done; 0: it is not. Negative: there is no room for it. */
static int take_narrow(struct address *x, vt_term atom, uint64_t times)
{
    struct vt_making *m = x->m;
    const struct vt_term_node node = *vt_term_node(m->terms, atom);
    struct narrow w = {0};
    int32_t reg = register_of(m, atom, 8);
    uint64_t bound = UINT64_C(1) << 32;
    if (reg >= 0) {
        w.n = 1;
        w.part[0].reg = (uint32_t)reg;
        w.part[0].times = 1;
        if (!narrow_step(m, (uint32_t)reg, &w.part[0].step)) {
            return 0;
        }
    } else if (node.kind != VT_TERM_OPERATION ||
               (node.op != VT_PIXEL_ZEXT && node.op != VT_PIXEL_SEXT) ||
               vt_term_bits(m->terms, node.a) != 32 || !take_apart(m, node.a, 1, &w) || w.n == 0) {
        return 0;
    } else if (node.op == VT_PIXEL_SEXT) {
        bound >>= 1;
    }
    struct vt_linear moving = x->a->moving;
    for (uint32_t i = 0; i < w.n; i++) {
        if (!add_moving(&moving, w.part[i].reg, times * (uint64_t)w.part[i].times)) {
            return 0;
        }
    }
    if (!stay_within(m, &w, bound)) {
        return vt_refuse_access(m, x->o, "too much that has to be checked");
    }
    x->a->moving = moving;
    x->a->constant += (int64_t)(times * (uint64_t)w.constant);
    return 1;
}

/* ---------------------------------------------------------------- registers that follow others */

/* A register that each iteration loads anew from a pointer in memory, say: after an iteration it is
 * always so far from something that goes on by a stride. Where it is so before, too, it may stand
 * for it. 1: it does. */
static int take_twin(struct address *x, vt_term atom, uint64_t times)
{
    struct vt_making *m = x->m;
    struct vt_terms *t = m->terms;
    int32_t reg = register_of(m, atom, 8);
    for (uint32_t other = 0; reg >= 0 && other < VT_LINEAR_PLACE + m->s->n_cells; other++) {
        struct vt_linear ignored = {0};
        vt_term before = value_of(m, other, false);
        uint64_t apart;
        if ((int32_t)other == reg || before == 0 || vt_term_bits(t, before) != 64 ||
            !add_step(m, other, times, &ignored)) {
            continue;
        }
        struct vt_term_sum sum;
        vt_term by =
            vt_term_2(t, VT_PIXEL_SUB, value_of(m, (uint32_t)reg, true), value_of(m, other, true));
        if (!vt_term_linear(t, by, &sum) || sum.n != 0) {
            continue;
        }
        apart = sum.constant;
        vt_term there = vt_term_2(t, VT_PIXEL_ADD, before, number(m, 64, apart));
        if (!add_moving(&x->a->moving, other, times) ||
            !must(m, vt_term_compare(t, VT_PIXEL_EQ, atom, there))) {
            return vt_refuse_access(m, x->o, "too much that has to be checked");
        }
        x->a->constant += (int64_t)(times * apart);
        return 1;
    }
    return 0;
}

/* ---------------------------------------------------------------- inner loops' variables */

/* The inner loop around the access of which `term` is a variable. */
static int32_t loop_of(const struct address *x, vt_term term, uint32_t *v)
{
    const struct vt_summary *s = x->m->s;
    for (int32_t l = x->o->loop; l >= 0; l = s->loops[l].parent) {
        for (*v = 0; *v < s->loops[l].n; ++*v) {
            if (s->loops[l].variable[*v] == term) {
                return l;
            }
        }
    }
    return -1;
}

static bool step_in_loop(const struct vt_making *m, const struct vt_inner_loop *l, uint32_t v,
                         int64_t *step)
{
    vt_term by = vt_term_2(m->terms, VT_PIXEL_SUB, l->next[v], l->variable[v]);
    unsigned bits = vt_term_bits(m->terms, by);
    struct vt_term_sum sum;
    uint64_t value;
    if (!vt_term_is_const(m->terms, by, &value)) {
        if (bits != 64 || !vt_term_linear(m->terms, by, &sum) || sum.n != 0) {
            return false;
        }
        value = sum.constant;
    }
    *step = (int64_t)(value << (64 - bits)) >> (64 - bits);
    return *step != 0;
}

/* So far a variable comes at most, in units of its step; fewer trips are seen to. */
static uint64_t reach_of(struct vt_making *m, int32_t loop, int64_t step, uint64_t times)
{
    uint64_t size =
        (step < 0 ? 0 - (uint64_t)step : (uint64_t)step) * ((int64_t)times < 0 ? 0 - times : times);
    uint64_t trips = size == 0 || size > REACH ? 1 : REACH / size;
    if (m->max_trips[loop] == 0 || trips < m->max_trips[loop]) {
        m->max_trips[loop] = (uint32_t)trips;
    }
    return trips - 1;
}

/* 1: it is one; *rest is what it began as. */
static int take_walking(struct address *x, vt_term atom, uint64_t times, vt_term *rest)
{
    struct vt_making *m = x->m;
    struct vt_terms *t = m->terms;
    const struct vt_term_node node = *vt_term_node(t, atom);
    bool widened = node.kind == VT_TERM_OPERATION &&
                   (node.op == VT_PIXEL_ZEXT || node.op == VT_PIXEL_SEXT) &&
                   vt_term_bits(t, node.a) == 32;
    vt_term of = widened ? node.a : atom;
    uint64_t plus = 0, initial;
    const struct vt_term_node inner = *vt_term_node(t, of);
    if (widened && inner.kind == VT_TERM_OPERATION && inner.op == VT_PIXEL_ADD &&
        vt_term_is_const(t, inner.b, &plus)) {
        of = inner.a;
    }
    uint32_t v;
    int64_t step;
    int32_t loop = loop_of(x, of, &v);
    if (loop < 0 || !step_in_loop(m, &m->s->loops[loop], v, &step)) {
        return 0;
    }
    vt_term began = m->s->loops[loop].initial[v];
    uint64_t far = reach_of(m, loop, step, times) * (uint64_t)(step < 0 ? -step : step);
    if (widened) {
        int64_t first;
        if (!vt_term_is_const(t, began, &initial)) {
            return 0;
        }
        first = (int64_t)initial + (int32_t)(uint32_t)plus;
        int64_t last = step > 0 ? first + (int64_t)far : first - (int64_t)far;
        first = step > 0 ? first : last < 0 ? 0 : last;
        last = step > 0 ? last : (int64_t)initial + (int32_t)(uint32_t)plus;
        *rest = number(m, 64, 0);
        return first >= 0 && last < INT32_MAX &&
               add_index(x, atom, (int64_t)times,
                         (struct vt_range){(uint64_t)first, (uint64_t)last});
    }
    if (vt_term_bits(t, atom) != 64) {
        return 0;
    }
    *rest = began;
    vt_term come = step > 0 ? vt_term_2(t, VT_PIXEL_SUB, atom, began)
                            : vt_term_2(t, VT_PIXEL_SUB, began, atom);
    return add_index(x, come, step > 0 ? (int64_t)times : -(int64_t)times,
                     (struct vt_range){0, far});
}

/* ---------------------------------------------------------------- indices */

/* Small enough, or the iteration is not the kernel's. */
static int take_checked(struct address *x, vt_term atom, uint64_t times)
{
    struct vt_making *m = x->m;
    uint64_t size = (int64_t)times < 0 ? 0 - times : times;
    if (vt_range_of(m->terms, atom).most < UINT32_MAX) {
        return vt_refuse_access(m, x->o, "an index with bounds that are too far");
    }
    if (x->o->loop >= 0 || size > REACH / 16 || size == 0) {
        return vt_refuse_access(m, x->o, "an index without bounds");
    }
    vt_term bit = vt_term_compare(m->terms, VT_PIXEL_ULT, atom, number(m, 64, REACH / size));
    if (!must(m, bit) ||
        !add_index(x, atom, (int64_t)times, (struct vt_range){0, REACH / size - 1})) {
        return vt_refuse_access(m, x->o, "too much that has to be checked");
    }
    x->a->check = x->a->check == 0 ? bit : vt_term_2(m->terms, VT_PIXEL_AND, x->a->check, bit);
    return 0;
}

static bool is_bounded(const struct vt_range *r, uint64_t times)
{
    int64_t by = (int64_t)times;
    return r->most <= UINT32_MAX && by <= (int64_t)VT_PIXEL_WINDOW_MAX &&
           by >= -(int64_t)VT_PIXEL_WINDOW_MAX &&
           (r->most - r->least) * (by < 0 ? 0 - times : times) <= VT_PIXEL_WINDOW_MAX;
}

static int take(struct address *x, vt_term atom, uint64_t times, vt_term *rest)
{
    struct vt_linear ignored = {0};
    int32_t reg = register_of(x->m, atom, 8);
    if (reg >= 0 && add_step(x->m, (uint32_t)reg, times, &ignored)) {
        return add_moving(&x->a->moving, (uint32_t)reg, times)
                   ? 0
                   : vt_refuse_access(x->m, x->o, "more than four registers");
    }
    struct vt_range r = vt_range_of(x->m->terms, atom);
    if (is_bounded(&r, times)) {
        return add_index(x, atom, (int64_t)times, r)
                   ? 0
                   : vt_refuse_access(x->m, x->o, "an index with bounds that are too far");
    }
    int rc = take_narrow(x, atom, times);
    if (rc == 0) {
        rc = take_twin(x, atom, times);
    }
    if (rc == 0) {
        rc = take_walking(x, atom, times, rest);
    }
    return rc != 0 ? (rc < 0 ? rc : 0) : take_checked(x, atom, times);
}

int vt_analyse_address(struct vt_making *m, const struct vt_memory_operation *o,
                       struct vt_access *a)
{
    struct vt_terms *t = m->terms;
    struct vt_term_sum sum;
    *a = (struct vt_access){0};
    struct address x = {.m = m, .o = o, .a = a, .index = number(m, 64, 0)};
    vt_term whole = o->address;
    for (unsigned round = 0; whole != 0; round++) {
        if (round > PARTS || !vt_term_linear(t, whole, &sum)) {
            return vt_refuse_access(m, o, "a sum of too many parts");
        }
        a->constant += (int64_t)sum.constant;
        whole = 0;
        for (unsigned i = 0; i < sum.n; i++) {
            vt_term rest = 0;
            int rc = take(&x, sum.part[i].atom, sum.part[i].coefficient, &rest);
            if (rc < 0) {
                return rc;
            }
            if (rest != 0) {
                rest = vt_term_2(t, VT_PIXEL_MUL, rest, number(m, 64, sum.part[i].coefficient));
                whole = whole == 0 ? rest : vt_term_2(t, VT_PIXEL_ADD, whole, rest);
            }
        }
    }
    if (x.most - x.least > VT_PIXEL_WINDOW_MAX) {
        return vt_refuse_access(m, o, "an index with bounds that are too far");
    }
    if (a->check != 0 && a->moving.n == 0 && (uint64_t)a->constant < REACH) {
        return vt_refuse_access(m, o, "an index without bounds"); /* it is a pointer */
    }
    uint64_t none;
    if (vt_term_is_const(t, x.index, &none) && none == 0) {
        return 0;
    }
    if (x.least < 0) {
        x.index = vt_term_2(t, VT_PIXEL_SUB, x.index, number(m, 64, (uint64_t)(int64_t)x.least));
        a->constant += (int64_t)x.least;
        x.most -= x.least;
    }
    a->index_term = x.index;
    a->most = (uint64_t)x.most;
    return 0;
}
