/* pixel/text_write.c - a program as text: docs/pixel.md, "Text".
 *
 * One operation a line, bodies of loops indented; what was found out stands behind a '#'.
 */
#include "pixel/shape.h"

#include <errno.h>
#include <inttypes.h>

static void write_number(FILE *to, uint64_t value)
{
    fprintf(to, value < 10000 ? "%" PRIu64 : "%#" PRIx64, value);
}

static void write_declarations(const struct vt_pixel_program *p, FILE *to)
{
    for (uint32_t i = 0; i < p->n_inputs; i++) {
        fprintf(to, "input %s i%u\n", p->inputs[i].name, p->inputs[i].bits);
    }
    for (uint32_t i = 0; i < p->n_carries; i++) {
        const struct vt_pixel_carry *c = &p->carries[i];
        fprintf(to, "carry %s i%u next %%%u # %s", c->name, c->bits, c->next,
                vt_pixel_kind_name(c->kind));
        if (c->narrow != c->bits) {
            fprintf(to, " i%u", c->narrow);
        }
        if (c->kind == VT_PIXEL_INDUCTION) {
            fputc(' ', to);
            write_number(to, c->step);
        }
        fputc('\n', to);
    }
    for (uint32_t i = 0; i < p->n_streams; i++) {
        const struct vt_pixel_stream *s = &p->streams[i];
        fprintf(to, "stream %s stride ", s->name);
        if (s->stride_input == VT_PIXEL_NONE) {
            fprintf(to, "%" PRId64, s->stride);
        } else {
            fputs(p->inputs[s->stride_input].name, to);
        }
        fprintf(to, " window %d %d #%s%s\n", s->low, s->high, s->reads ? " reads" : "",
                s->writes ? " writes" : "");
    }
}

static void write_values(FILE *to, const char *before, const uint32_t *values, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        fprintf(to, "%s%%%u", i == 0 ? before : ", ", values[i]);
    }
}

static void write_place(const struct vt_pixel_program *p, const struct vt_pixel_insn *insn,
                        FILE *to)
{
    fprintf(to, "%s[%" PRId64, p->streams[insn->stream].name, (int64_t)insn->imm);
    if (insn->a != VT_PIXEL_NONE) {
        fprintf(to, " + %%%u", insn->a);
    }
    fputc(']', to);
}

static void write_type(const struct vt_pixel_insn *insn, FILE *to)
{
    if (insn->lane != 0) {
        fprintf(to, " %ux", 64u / insn->lane);
    }
    fprintf(to, insn->lane != 0 ? "i%u" : " i%u", insn->lane != 0 ? insn->lane : insn->bits);
}

/** Operations that have a value. */
static void write_value(const struct vt_pixel_program *p, const struct vt_pixel_insn *insn,
                        FILE *to)
{
    const struct vt_pixel_shape *shape = vt_pixel_shape(insn->op);
    const uint32_t operand[3] = {insn->a, insn->b, insn->c};
    fputs(vt_pixel_op_name(insn->op), to);
    write_type(insn, to);
    fputc(' ', to);
    if (insn->op == VT_PIXEL_LOAD) {
        write_place(p, insn, to);
        return;
    }
    for (unsigned i = 0; i < 3 && operand[i] != VT_PIXEL_NONE; i++) {
        bool loop = shape->operand[i] == VT_OPERAND_LOOP;
        fprintf(to, "%s%s%u", i == 0 ? "" : ", ", loop ? "" : "%", operand[i]);
    }
    if (shape->operand[0] != VT_OPERAND_NONE && shape->imm != VT_IMM_NONE) {
        fputs(", ", to);
    }
    switch (shape->imm) {
    case VT_IMM_VALUE:
    case VT_IMM_FIRST_BIT:
    case VT_IMM_VARIABLE:
        write_number(to, insn->imm);
        break;
    case VT_IMM_INPUT:
        fputs(p->inputs[insn->imm].name, to);
        break;
    case VT_IMM_CARRY:
        fputs(p->carries[insn->imm].name, to);
        break;
    default:
        break;
    }
}

static void write_insn(const struct vt_pixel_program *p, uint32_t i, FILE *to)
{
    const struct vt_pixel_insn *insn = &p->insns[i];
    const struct vt_pixel_loop *l;
    switch (insn->op) {
    case VT_PIXEL_STORE:
        fputs("store ", to);
        write_place(p, insn, to);
        fprintf(to, ", %%%u", insn->b);
        if (insn->c != VT_PIXEL_NONE) {
            fprintf(to, " if %%%u", insn->c);
        }
        break;
    case VT_PIXEL_CHECK:
        fprintf(to, "check %%%u", insn->a);
        break;
    case VT_PIXEL_LOOP:
        l = &p->loops[insn->imm];
        fprintf(to, "loop %" PRIu64 " trips %u", insn->imm, l->max_trips);
        write_values(to, " from ", l->initial, l->n);
        break;
    case VT_PIXEL_END:
        l = &p->loops[insn->imm];
        fprintf(to, "end %" PRIu64, insn->imm);
        write_values(to, " next ", l->next, l->n);
        fprintf(to, " while %%%u", l->condition);
        break;
    default:
        fprintf(to, "%%%u = ", i);
        write_value(p, insn, to);
    }
    fputc('\n', to);
}

int vt_pixel_write(const struct vt_pixel_program *p, FILE *to, struct vt_error *err)
{
    int depth = 0;
    fputs("pixel 1\n", to);
    write_declarations(p, to);
    for (uint32_t i = 0; i < p->n_insns; i++) {
        depth -= p->insns[i].op == VT_PIXEL_END;
        fprintf(to, "%*s", 2 * depth, "");
        write_insn(p, i, to);
        depth += p->insns[i].op == VT_PIXEL_LOOP;
    }
    return ferror(to) ? vt_fail_errno(err, VT_E_IO, errno, "cannot write a program") : 0;
}
