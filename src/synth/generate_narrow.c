/* synth/generate_narrow.c - terms as narrow as they can be. See make_parts.h.
 *
 * Compilers compute bytes in registers of 32 bits. Where only lower bits of a result are asked for,
 * sums, products, logic, shifts to the left and selects need no more of their operands; a loop over
 * bytes then is one of bytes, and is vectorised as such.
 */
#include "synth/make_parts.h"

#define DEPTH 1000U
#define STACK 4096U

static vt_term lower(struct vt_making *m, vt_term term, unsigned bits, unsigned depth);

/* `extract`: the lowest bits of something wider, as a term of its own. */
static vt_term push(struct vt_making *m, vt_term extract, unsigned depth)
{
    struct vt_terms *t = m->terms;
    const struct vt_term_node e = *vt_term_node(t, extract);
    if (e.kind != VT_TERM_OPERATION || e.op != VT_PIXEL_EXTRACT || e.imm != 0 || depth == DEPTH) {
        return extract;
    }
    const struct vt_term_node n = *vt_term_node(t, e.a);
    uint64_t by;
    if (n.kind != VT_TERM_OPERATION) {
        return extract;
    }
    if (m->narrow[extract] != 0) {
        return m->narrow[extract];
    }
    vt_term made = extract;
    switch (n.op) {
    case VT_PIXEL_ADD:
    case VT_PIXEL_SUB:
    case VT_PIXEL_MUL:
    case VT_PIXEL_AND:
    case VT_PIXEL_OR:
    case VT_PIXEL_XOR:
        made = lower(m, n.a, e.bits, depth + 1);
        made = vt_term_2(t, n.op, made, lower(m, n.b, e.bits, depth + 1));
        break;
    case VT_PIXEL_NOT:
    case VT_PIXEL_NEG:
        made = vt_term_1(t, n.op, lower(m, n.a, e.bits, depth + 1));
        break;
    case VT_PIXEL_SHL:
        if (vt_term_is_const(t, n.b, &by) && by < e.bits) {
            made = vt_term_2(t, VT_PIXEL_SHL, lower(m, n.a, e.bits, depth + 1),
                             vt_term_const(t, e.bits, by));
        }
        break;
    case VT_PIXEL_SELECT:
        made = lower(m, n.a, e.bits, depth + 1);
        made = vt_term_select(t, n.c, made, lower(m, n.b, e.bits, depth + 1));
        break;
    default:
        break;
    }
    m->narrow[extract] = made;
    return made;
}

static vt_term lower(struct vt_making *m, vt_term term, unsigned bits, unsigned depth)
{
    return push(m, vt_term_extract(m->terms, term, 0, bits), depth);
}

vt_term vt_narrow(struct vt_making *m, vt_term term)
{
    struct vt_terms *t = m->terms;
    vt_term stack[STACK];
    unsigned n = 0;
    stack[n++] = term;
    while (n > 0) {
        vt_term at = stack[n - 1];
        const struct vt_term_node node = *vt_term_node(t, at);
        if (m->narrow[at] != 0 || at == 0) {
            n--;
            continue;
        }
        if (node.kind != VT_TERM_OPERATION) {
            m->narrow[at] = at;
            continue;
        }
        vt_term of[3] = {node.a, node.b, node.c}, down = 0;
        for (unsigned i = 0; i < 3 && down == 0; i++) {
            down = of[i] != 0 && m->narrow[of[i]] == 0 ? of[i] : 0;
        }
        if (down != 0 && n < STACK) {
            stack[n++] = down;
            continue;
        }
        vt_term made = down != 0 ? at
                                 : vt_term_make(t, node.op, node.bits, node.lane, m->narrow[node.a],
                                                m->narrow[node.b], m->narrow[node.c], node.imm);
        m->narrow[at] = push(m, made, 0);
    }
    return m->narrow[term];
}
