/* pixel/validate.c - the rules of vitrine/pixel.h: whether it is a program.
 *
 * Declarations first, then operations in order, with the loops that are open; last what refers to
 * later values: carries' next. A value is visible while the innermost loop around it is open.
 */
#include "pixel/shape.h"

#include <string.h>

#define NOWHERE UINT8_MAX

struct rules {
    struct vt_pixel_program *p;
    struct vt_pixel_where where;
    struct vt_error *err;
    uint32_t i;                        /* the operation looked at */
    uint8_t home[VT_PIXEL_VALUES_MAX]; /* the innermost loop around each, or NOWHERE */
    uint8_t open[VT_PIXEL_NESTING_MAX];
    uint32_t n_open;
    struct {
        bool begun, ended;
        uint8_t parent; /* or NOWHERE */
    } loop[VT_PIXEL_LOOPS_MAX];
    bool stored;
};

#define WRONG(r, part_, number_, ...)                                                              \
    ((r)->where = (struct vt_pixel_where){VT_PART_##part_, (number_)},                             \
     vt_fail((r)->err, VT_E_CORRUPT, __VA_ARGS__))
/* In the operation looked at. */
#define BROKEN(r, format, ...)                                                                     \
    WRONG(r, INSN, (r)->i, "operation %u (%s): " format, (r)->i,                                   \
          name_of((r)->p->insns[(r)->i].op) __VA_OPT__(, ) __VA_ARGS__)

static const char *name_of(unsigned op)
{
    const char *name = vt_pixel_op_name(op);
    return name != NULL ? name : "?";
}

/** The name is well-formed; clears what stands behind it. */
static bool name_is_good(char name[24])
{
    size_t n = strnlen(name, 24);
    if (n == 0 || n == 24 || (name[0] >= '0' && name[0] <= '9') || name[0] == '.') {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        char c = name[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.')) {
            return false;
        }
    }
    memset(name + n, 0, 24 - n);
    return true;
}

static uint8_t innermost(const struct rules *r)
{
    return r->n_open > 0 ? r->open[r->n_open - 1] : NOWHERE;
}

static bool is_open(const struct rules *r, uint8_t loop)
{
    return loop == NOWHERE || (r->loop[loop].begun && !r->loop[loop].ended);
}

/** A value that may be read before operation `at`. */
static bool visible(const struct rules *r, uint32_t value, uint32_t at)
{
    return value < at && r->p->insns[value].bits != 0 && is_open(r, r->home[value]);
}

static unsigned bits_of(const struct rules *r, uint32_t value)
{
    return r->p->insns[value].bits;
}

static int check_inputs(struct rules *r)
{
    struct vt_pixel_program *p = r->p;
    for (uint32_t i = 0; i < p->n_inputs; i++) {
        if (!name_is_good(p->inputs[i].name)) {
            return WRONG(r, INPUT, i, "input %u has no good name", i);
        }
        if (!vt_pixel_width_in(p->inputs[i].bits, VT_WIDTH_ALL)) {
            return WRONG(r, INPUT, i, "input %s cannot have %u bits", p->inputs[i].name,
                         p->inputs[i].bits);
        }
        for (uint32_t j = 0; j < i; j++) {
            if (strcmp(p->inputs[i].name, p->inputs[j].name) == 0) {
                return WRONG(r, INPUT, i, "two inputs are called %s", p->inputs[i].name);
            }
        }
    }
    return 0;
}

static int check_carries(struct rules *r)
{
    struct vt_pixel_program *p = r->p;
    for (uint32_t i = 0; i < p->n_carries; i++) {
        struct vt_pixel_carry *c = &p->carries[i];
        if (!name_is_good(c->name)) {
            return WRONG(r, CARRY, i, "carry %u has no good name", i);
        }
        if (!vt_pixel_width_in(c->bits, VT_WIDTH_ALL)) {
            return WRONG(r, CARRY, i, "carry %s cannot have %u bits", c->name, c->bits);
        }
        for (uint32_t j = 0; j < i; j++) {
            if (strcmp(c->name, p->carries[j].name) == 0) {
                return WRONG(r, CARRY, i, "two carries are called %s", c->name);
            }
        }
        for (uint32_t j = 0; j < p->n_inputs; j++) {
            if (strcmp(c->name, p->inputs[j].name) == 0) {
                return WRONG(r, CARRY, i, "an input and a carry are called %s", c->name);
            }
        }
    }
    return 0;
}

static int check_streams(struct rules *r)
{
    struct vt_pixel_program *p = r->p;
    for (uint32_t i = 0; i < p->n_streams; i++) {
        struct vt_pixel_stream *s = &p->streams[i];
        if (!name_is_good(s->name)) {
            return WRONG(r, STREAM, i, "stream %u has no good name", i);
        }
        for (uint32_t j = 0; j < i; j++) {
            if (strcmp(s->name, p->streams[j].name) == 0) {
                return WRONG(r, STREAM, i, "two streams are called %s", s->name);
            }
        }
        int64_t bytes = (int64_t)s->high - s->low;
        if (bytes < 1 || bytes > VT_PIXEL_WINDOW_MAX) {
            return WRONG(r, STREAM, i, "stream %s has a window of %lld bytes, not of 1 to %u",
                         s->name, (long long)bytes, VT_PIXEL_WINDOW_MAX);
        }
        if (s->stride_input != VT_PIXEL_NONE) {
            if (s->stride_input >= p->n_inputs || p->inputs[s->stride_input].bits != 64) {
                return WRONG(r, STREAM, i, "stream %s has a stride that is no input of 64 bits",
                             s->name);
            }
            s->stride = 0;
        }
        s->reads = s->writes = false;
    }
    return 0;
}

static int check_loops(struct rules *r)
{
    struct vt_pixel_program *p = r->p;
    if (p->n_loops > 0 && p->loops == NULL) {
        return WRONG(r, PROGRAM, 0, "loops are counted, but not there");
    }
    for (uint32_t i = 0; i < p->n_loops; i++) {
        const struct vt_pixel_loop *l = &p->loops[i];
        if (l->n > VT_PIXEL_VARIABLES_MAX) {
            return WRONG(r, LOOP, i, "loop %u has %u variables, more than %u", i, l->n,
                         VT_PIXEL_VARIABLES_MAX);
        }
        if (l->max_trips < 1 || l->max_trips > VT_PIXEL_TRIPS_MAX) {
            return WRONG(r, LOOP, i, "loop %u has %u trips at most, which is not 1 to %u", i,
                         l->max_trips, VT_PIXEL_TRIPS_MAX);
        }
    }
    return 0;
}

static int check_width(struct rules *r, const struct vt_pixel_insn *insn,
                       const struct vt_pixel_shape *shape)
{
    if (!vt_pixel_width_in(insn->bits, shape->widths)) {
        return BROKEN(r, "cannot have %u bits", insn->bits);
    }
    if (shape->lanes != 0 && (insn->lane == 0 || !vt_pixel_width_in(insn->lane, shape->lanes))) {
        return BROKEN(r, "cannot have elements of %u bits", insn->lane);
    }
    return 0;
}

/** `need` bits, or any if 0. */
static int check_value(struct rules *r, char which, uint32_t value, unsigned need)
{
    if (!visible(r, value, r->i)) {
        return BROKEN(r, "operand %c is not a value that can be seen here", which);
    }
    if (need != 0 && bits_of(r, value) != need) {
        return BROKEN(r, "operand %c has %u bits, not %u", which, bits_of(r, value), need);
    }
    return 0;
}

static int check_operand(struct rules *r, char which, uint32_t *value, enum vt_pixel_operand kind)
{
    const struct vt_pixel_insn *insn = &r->p->insns[r->i];
    unsigned bits = insn->bits;
    int rc = 0;
    switch (kind) {
    case VT_OPERAND_NONE:
        *value = VT_PIXEL_NONE;
        return 0;
    case VT_OPERAND_LOOP:
        return 0;
    case VT_OPERAND_MAYBE_BIT:
    case VT_OPERAND_MAYBE_64:
        return *value == VT_PIXEL_NONE
                   ? 0
                   : check_value(r, which, *value, kind == VT_OPERAND_MAYBE_BIT ? 1 : 64);
    case VT_OPERAND_SAME:
        return check_value(r, which, *value, bits);
    case VT_OPERAND_BIT:
        return check_value(r, which, *value, 1);
    case VT_OPERAND_AS_A:
        return check_value(r, which, *value, bits_of(r, insn->a));
    case VT_OPERAND_HALF:
        return check_value(r, which, *value, bits / 2);
    case VT_OPERAND_ANY:
    case VT_OPERAND_NARROWER:
    case VT_OPERAND_WIDER:
    case VT_OPERAND_BYTES:
        rc = check_value(r, which, *value, 0);
    }
    if (rc < 0) {
        return rc;
    }
    unsigned has = bits_of(r, *value);
    if (kind == VT_OPERAND_NARROWER && has >= bits) {
        return BROKEN(r, "operand %c has %u bits, not fewer than %u", which, has, bits);
    }
    if (kind == VT_OPERAND_WIDER && has <= bits) {
        return BROKEN(r, "operand %c has %u bits, not more than %u", which, has, bits);
    }
    if (kind == VT_OPERAND_BYTES && !vt_pixel_width_in(has, VT_WIDTH_MEMORY)) {
        return BROKEN(r, "operand %c has %u bits, not whole bytes", which, has);
    }
    return 0;
}

static int check_declared(struct rules *r, const char *what, uint64_t number, uint32_t n)
{
    return number < n ? 0 : BROKEN(r, "there is no %s %llu", what, (unsigned long long)number);
}

/** INPUT, CARRY: the width is the declaration's. */
static int check_as_declared(struct rules *r, unsigned declared)
{
    const struct vt_pixel_insn *insn = &r->p->insns[r->i];
    return insn->bits == declared
               ? 0
               : BROKEN(r, "has %u bits, was declared with %u", insn->bits, declared);
}

/** VARIABLE, RESULT: the loop has the variable, which is as wide. */
static int check_variable(struct rules *r, uint32_t loop, uint64_t variable)
{
    const struct vt_pixel_loop *l = &r->p->loops[loop];
    if (variable >= l->n) {
        return BROKEN(r, "loop %u has no variable %llu", loop, (unsigned long long)variable);
    }
    return check_as_declared(r, bits_of(r, l->initial[variable]));
}

static int check_access(struct rules *r)
{
    const struct vt_pixel_insn *insn = &r->p->insns[r->i];
    int rc = check_declared(r, "stream", insn->stream, r->p->n_streams);
    if (rc < 0) {
        return rc;
    }
    struct vt_pixel_stream *s = &r->p->streams[insn->stream];
    bool store = insn->op == VT_PIXEL_STORE;
    int64_t bytes = (store ? bits_of(r, insn->b) : insn->bits) / 8;
    int64_t at = (int64_t)insn->imm;
    if (insn->a == VT_PIXEL_NONE && (at < s->low || at > s->high - bytes)) {
        return BROKEN(r, "%lld bytes at %lld are not in the window of stream %s", (long long)bytes,
                      (long long)at, s->name);
    }
    if (store && r->n_open > 0) {
        return BROKEN(r, "stands in a loop");
    }
    s->reads |= !store;
    s->writes |= store;
    r->stored |= store;
    return 0;
}

static int begin_loop(struct rules *r, uint32_t loop)
{
    const struct vt_pixel_loop *l = &r->p->loops[loop];
    if (r->loop[loop].begun) {
        return BROKEN(r, "loop %u has begun already", loop);
    }
    if (r->n_open == VT_PIXEL_NESTING_MAX) {
        return BROKEN(r, "loops are nested deeper than %u", VT_PIXEL_NESTING_MAX);
    }
    if (r->stored) {
        return BROKEN(r, "stands behind a store");
    }
    for (uint32_t v = 0; v < l->n; v++) {
        if (!visible(r, l->initial[v], r->i)) {
            return BROKEN(r, "variable %u begins as no value that can be seen here", v);
        }
    }
    r->loop[loop].begun = true;
    r->loop[loop].parent = innermost(r);
    r->open[r->n_open++] = (uint8_t)loop;
    return 0;
}

static int end_loop(struct rules *r, uint32_t loop)
{
    const struct vt_pixel_loop *l = &r->p->loops[loop];
    if (innermost(r) != loop) {
        return BROKEN(r, "loop %u is not the innermost one", loop);
    }
    for (uint32_t v = 0; v < l->n; v++) {
        if (!visible(r, l->next[v], r->i)) {
            return BROKEN(r, "variable %u goes on as no value that can be seen here", v);
        }
        if (bits_of(r, l->next[v]) != bits_of(r, l->initial[v])) {
            return BROKEN(r, "variable %u begins with %u bits and goes on with %u", v,
                          bits_of(r, l->initial[v]), bits_of(r, l->next[v]));
        }
    }
    if (!visible(r, l->condition, r->i) || bits_of(r, l->condition) != 1) {
        return BROKEN(r, "the condition is no bit that can be seen here");
    }
    r->loop[loop].ended = true;
    r->n_open--;
    return 0;
}

/** What is special to the operation; operands are good. */
static int check_meaning(struct rules *r, struct vt_pixel_insn *insn)
{
    struct vt_pixel_program *p = r->p;
    int rc;
    switch (insn->op) {
    case VT_PIXEL_CONST:
        return insn->bits < 64 && insn->imm >> insn->bits != 0
                   ? BROKEN(r, "%#llx has more than %u bits", (unsigned long long)insn->imm,
                            insn->bits)
                   : 0;
    case VT_PIXEL_INPUT:
        rc = check_declared(r, "input", insn->imm, p->n_inputs);
        return rc < 0 ? rc : check_as_declared(r, p->inputs[insn->imm].bits);
    case VT_PIXEL_CARRY:
        rc = check_declared(r, "carry", insn->imm, p->n_carries);
        return rc < 0 ? rc : check_as_declared(r, p->carries[insn->imm].bits);
    case VT_PIXEL_EXTRACT:
        return insn->imm > bits_of(r, insn->a) - insn->bits
                   ? BROKEN(r, "bits from %llu on are not in operand a",
                            (unsigned long long)insn->imm)
                   : 0;
    case VT_PIXEL_LOAD:
    case VT_PIXEL_STORE:
        return check_access(r);
    case VT_PIXEL_CHECK:
        return r->stored       ? BROKEN(r, "stands behind a store")
               : r->n_open > 0 ? BROKEN(r, "stands in a loop")
                               : 0;
    case VT_PIXEL_LOOP:
    case VT_PIXEL_END:
        rc = check_declared(r, "loop", insn->imm, p->n_loops);
        return rc < 0                      ? rc
               : insn->op == VT_PIXEL_LOOP ? begin_loop(r, (uint32_t)insn->imm)
                                           : end_loop(r, (uint32_t)insn->imm);
    case VT_PIXEL_VARIABLE:
        return r->n_open == 0 ? BROKEN(r, "stands in no loop")
                              : check_variable(r, innermost(r), insn->imm);
    case VT_PIXEL_RESULT:
        rc = check_declared(r, "loop", insn->a, p->n_loops);
        if (rc == 0 && (!r->loop[insn->a].ended || !is_open(r, r->loop[insn->a].parent))) {
            rc = BROKEN(r, "loop %u did not end here", insn->a);
        }
        return rc < 0 ? rc : check_variable(r, insn->a, insn->imm);
    default:
        return 0;
    }
}

static int check_insn(struct rules *r)
{
    struct vt_pixel_insn *insn = &r->p->insns[r->i];
    const struct vt_pixel_shape *shape = vt_pixel_shape(insn->op);
    if (shape == NULL) {
        return BROKEN(r, "there is no operation %u", insn->op);
    }
    /* An END lies in its loop, a LOOP around it; neither has a value. */
    r->home[r->i] = innermost(r);
    int rc = check_width(r, insn, shape);
    uint32_t *operand[3] = {&insn->a, &insn->b, &insn->c};
    for (unsigned k = 0; k < 3 && rc == 0; k++) {
        rc = check_operand(r, "abc"[k], operand[k], shape -> operand[k]);
    }
    if (rc == 0) {
        rc = check_meaning(r, insn);
    }
    if (rc < 0) {
        return rc;
    }
    if (shape->lanes == 0) {
        insn->lane = 0;
    }
    if (!vt_pixel_touches_memory(insn->op)) {
        insn->stream = 0;
    }
    if (shape->imm == VT_IMM_NONE) {
        insn->imm = 0;
    }
    return 0;
}

/** Behind the last operation. */
static int check_end(struct rules *r)
{
    struct vt_pixel_program *p = r->p;
    for (uint32_t i = 0; i < p->n_loops; i++) {
        if (!r->loop[i].ended) {
            return WRONG(r, LOOP, i, "loop %u does not %s", i, r->loop[i].begun ? "end" : "begin");
        }
    }
    for (uint32_t i = 0; i < p->n_carries; i++) {
        const struct vt_pixel_carry *c = &p->carries[i];
        if (!visible(r, c->next, p->n_insns) || bits_of(r, c->next) != c->bits) {
            return WRONG(r, CARRY, i, "carry %s goes on as no value of %u bits outside of loops",
                         c->name, c->bits);
        }
    }
    return 0;
}

static int find_out(struct vt_pixel_program *p, struct vt_error *err)
{
    int rc = vt_pixel_find_kinds(p, err);
    if (rc < 0) {
        return rc;
    }
    bool checks = false, depends = false;
    for (uint32_t i = 0; i < p->n_insns; i++) {
        checks |= p->insns[i].op == VT_PIXEL_CHECK;
    }
    for (uint32_t i = 0; i < p->n_carries; i++) {
        depends |= p->carries[i].kind == VT_PIXEL_ANY;
    }
    p->counted = !checks && p->n_loops == 0;
    p->independent = !checks && !depends;
    return 0;
}

int vt_pixel_check(struct vt_pixel_program *p, struct vt_pixel_where *where, struct vt_error *err)
{
    struct rules r = {.p = p, .err = err, .where = {VT_PART_PROGRAM, 0}};
    int rc = 0;
    if (p->n_insns > VT_PIXEL_VALUES_MAX || p->n_inputs > VT_PIXEL_INPUTS_MAX ||
        p->n_carries > VT_PIXEL_CARRIES_MAX || p->n_streams > VT_PIXEL_STREAMS_MAX ||
        p->n_loops > VT_PIXEL_LOOPS_MAX) {
        rc = WRONG(&r, PROGRAM, 0,
                   "more operations, inputs, carries, streams or loops than allowed");
    }
    int (*const parts[])(struct rules *) = {check_inputs, check_carries, check_streams,
                                            check_loops};
    for (size_t i = 0; i < sizeof parts / sizeof *parts && rc == 0; i++) {
        rc = parts[i](&r);
    }
    for (r.i = 0; r.i < p->n_insns && rc == 0; r.i++) {
        rc = check_insn(&r);
    }
    if (rc == 0) {
        rc = check_end(&r);
    }
    if (rc < 0) {
        *where = r.where;
        return rc;
    }
    return find_out(p, err);
}

int vt_pixel_validate(struct vt_pixel_program *p, struct vt_error *err)
{
    struct vt_pixel_where where;
    return vt_pixel_check(p, &where, err);
}
