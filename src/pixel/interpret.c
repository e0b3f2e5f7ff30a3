/* pixel/interpret.c - the meaning of a program, one iteration after the other.
 *
 * This is the reference that the back ends are held against: plain before fast. It touches no
 * memory of its caller's but inputs, carries and what streams point to.
 */
#include "pixel/shape.h"

/** A loop that is being run. */
struct frame {
    uint32_t loop, begin, trips; /* begin: its LOOP */
};

struct machine {
    const struct vt_pixel_program *p;
    const struct vt_pixel_call *call;
    uint64_t index;
    uint64_t carry[VT_PIXEL_CARRIES_MAX];
    uint64_t value[VT_PIXEL_VALUES_MAX];
    uint64_t variable[VT_PIXEL_LOOPS_MAX][VT_PIXEL_VARIABLES_MAX];
    struct frame frame[VT_PIXEL_NESTING_MAX];
    unsigned depth;
};

static uint64_t low(uint64_t value, unsigned bits)
{
    return bits >= 64 ? value : value & ((UINT64_C(1) << bits) - 1);
}

static uint64_t operand(const struct machine *m, uint32_t value)
{
    return value == VT_PIXEL_NONE ? 0 : m->value[value];
}

/** Where the access lies. */
static uint8_t *address(const struct machine *m, const struct vt_pixel_insn *insn)
{
    const struct vt_pixel_stream *s = &m->p->streams[insn->stream];
    uint64_t stride =
        s->stride_input == VT_PIXEL_NONE ? (uint64_t)s->stride : m->call->inputs[s->stride_input];
    uint64_t offset = m->index * stride + insn->imm + operand(m, insn->a);
    return m->call->streams[insn->stream] + (ptrdiff_t)offset;
}

static uint64_t load(const struct machine *m, const struct vt_pixel_insn *insn)
{
    const uint8_t *from = address(m, insn);
    uint64_t value = 0;
    for (unsigned i = 0; i < insn->bits; i += 8) {
        value |= (uint64_t)from[i / 8] << i;
    }
    return value;
}

static void store(const struct machine *m, const struct vt_pixel_insn *insn)
{
    if (insn->c != VT_PIXEL_NONE && m->value[insn->c] == 0) {
        return;
    }
    uint8_t *to = address(m, insn);
    for (unsigned i = 0; i < m->p->insns[insn->b].bits; i += 8) {
        to[i / 8] = (uint8_t)(m->value[insn->b] >> i);
    }
}

static void begin_loop(struct machine *m, uint32_t i)
{
    uint32_t loop = (uint32_t)m->p->insns[i].imm;
    const struct vt_pixel_loop *l = &m->p->loops[loop];
    for (uint32_t v = 0; v < l->n; v++) {
        m->variable[loop][v] = m->value[l->initial[v]];
    }
    m->frame[m->depth++] = (struct frame){.loop = loop, .begin = i};
}

enum trip { TRIP_AGAIN, TRIP_DONE, TRIP_TOO_MANY };

/** A trip of the innermost loop is over. */
static enum trip end_trip(struct machine *m)
{
    struct frame *f = &m->frame[m->depth - 1];
    const struct vt_pixel_loop *l = &m->p->loops[f->loop];
    for (uint32_t v = 0; v < l->n; v++) {
        m->variable[f->loop][v] = m->value[l->next[v]];
    }
    f->trips++;
    if (m->value[l->condition] == 0) {
        m->depth--;
        return TRIP_DONE;
    }
    return f->trips < l->max_trips ? TRIP_AGAIN : TRIP_TOO_MANY;
}

/** What an operation without control flow and stores gives. */
static uint64_t evaluate(const struct machine *m, const struct vt_pixel_insn *insn)
{
    switch (insn->op) {
    case VT_PIXEL_CONST:
        return insn->imm;
    case VT_PIXEL_INPUT:
        return low(m->call->inputs[insn->imm], insn->bits);
    case VT_PIXEL_CARRY:
        return m->carry[insn->imm];
    case VT_PIXEL_INDEX:
        return m->index;
    case VT_PIXEL_LOAD:
        return load(m, insn);
    case VT_PIXEL_VARIABLE:
        return m->variable[m->frame[m->depth - 1].loop][insn->imm];
    case VT_PIXEL_RESULT:
        return m->variable[insn->a][insn->imm];
    default:
        return vt_pixel_evaluate(insn, m->p->insns[insn->a].bits, m->value[insn->a],
                                 operand(m, insn->b), operand(m, insn->c));
    }
}

/** All operations of an iteration; false: it did not happen. */
static bool run_iteration(struct machine *m)
{
    m->depth = 0;
    for (uint32_t i = 0; i < m->p->n_insns; i++) {
        const struct vt_pixel_insn *insn = &m->p->insns[i];
        switch (insn->op) {
        case VT_PIXEL_STORE:
            store(m, insn);
            break;
        case VT_PIXEL_CHECK:
            if (m->value[insn->a] == 0) {
                return false;
            }
            break;
        case VT_PIXEL_LOOP:
            begin_loop(m, i);
            break;
        case VT_PIXEL_END:
            switch (end_trip(m)) {
            case TRIP_AGAIN:
                i = m->frame[m->depth - 1].begin;
                break;
            case TRIP_DONE:
                break;
            case TRIP_TOO_MANY:
                return false;
            }
            break;
        default:
            m->value[i] = evaluate(m, insn);
        }
    }
    return true;
}

static void advance(struct machine *m)
{
    for (uint32_t i = 0; i < m->p->n_carries; i++) {
        m->carry[i] = m->value[m->p->carries[i].next];
    }
    m->index++;
}

uint64_t vt_pixel_interpret(const struct vt_pixel_program *p, const struct vt_pixel_call *call)
{
    struct machine m = {.p = p, .call = call};
    for (uint32_t i = 0; i < p->n_carries; i++) {
        m.carry[i] = low(call->carries[i], p->carries[i].bits);
    }
    while (m.index < call->count && run_iteration(&m)) {
        advance(&m);
    }
    for (uint32_t i = 0; i < p->n_carries; i++) {
        call->carries[i] = m.carry[i];
    }
    return m.index;
}
