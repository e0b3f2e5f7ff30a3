/* pixel/json_write.c - a program as JSON. See pixel/json.h.
 */
#include "pixel/json.h"
#include "pixel/shape.h"

static void write_numbers(struct vt_json_writer *w, const char *key, const uint32_t *values,
                          uint32_t n)
{
    vt_json_key(w, key);
    vt_json_array(w);
    for (uint32_t i = 0; i < n; i++) {
        vt_json_u64(w, values[i]);
    }
    vt_json_array_end(w);
}

static void write_inputs(const struct vt_pixel_program *p, struct vt_json_writer *w)
{
    vt_json_key(w, "pixel_inputs");
    vt_json_array(w);
    for (uint32_t i = 0; i < p->n_inputs; i++) {
        vt_json_object(w);
        vt_json_kv_string(w, "name", p->inputs[i].name);
        vt_json_kv_u64(w, "bits", p->inputs[i].bits);
        vt_json_object_end(w);
    }
    vt_json_array_end(w);
}

static void write_carries(const struct vt_pixel_program *p, struct vt_json_writer *w)
{
    vt_json_key(w, "pixel_carries");
    vt_json_array(w);
    for (uint32_t i = 0; i < p->n_carries; i++) {
        const struct vt_pixel_carry *c = &p->carries[i];
        vt_json_object(w);
        vt_json_kv_string(w, "name", c->name);
        vt_json_kv_u64(w, "bits", c->bits);
        vt_json_kv_u64(w, "next", c->next);
        vt_json_kv_string(w, "kind", vt_pixel_kind_name(c->kind));
        vt_json_object_end(w);
    }
    vt_json_array_end(w);
}

static void write_streams(const struct vt_pixel_program *p, struct vt_json_writer *w)
{
    vt_json_key(w, "pixel_streams");
    vt_json_array(w);
    for (uint32_t i = 0; i < p->n_streams; i++) {
        const struct vt_pixel_stream *s = &p->streams[i];
        vt_json_object(w);
        vt_json_kv_string(w, "name", s->name);
        if (s->stride_input == VT_PIXEL_NONE) {
            vt_json_kv_i64(w, "stride", s->stride);
        } else {
            vt_json_kv_string(w, "stride", p->inputs[s->stride_input].name);
        }
        vt_json_kv_i64(w, "low", s->low);
        vt_json_kv_i64(w, "high", s->high);
        vt_json_object_end(w);
    }
    vt_json_array_end(w);
}

static void write_loops(const struct vt_pixel_program *p, struct vt_json_writer *w)
{
    vt_json_key(w, "pixel_loops");
    vt_json_array(w);
    for (uint32_t i = 0; i < p->n_loops; i++) {
        const struct vt_pixel_loop *l = &p->loops[i];
        vt_json_object(w);
        write_numbers(w, "initial", l->initial, l->n);
        write_numbers(w, "next", l->next, l->n);
        vt_json_kv_u64(w, "condition", l->condition);
        vt_json_kv_u64(w, "max_trips", l->max_trips);
        vt_json_object_end(w);
    }
    vt_json_array_end(w);
}

static void write_access(const struct vt_pixel_program *p, const struct vt_pixel_insn *insn,
                         struct vt_json_writer *w)
{
    vt_json_kv_string(w, "stream", p->streams[insn->stream].name);
    vt_json_kv_i64(w, "offset", (int64_t)insn->imm);
    if (insn->a != VT_PIXEL_NONE) {
        vt_json_kv_u64(w, "index", insn->a);
    }
    if (insn->op == VT_PIXEL_STORE) {
        vt_json_kv_u64(w, "value", insn->b);
        if (insn->c != VT_PIXEL_NONE) {
            vt_json_kv_u64(w, "if", insn->c);
        }
    }
}

static void write_imm(const struct vt_pixel_program *p, const struct vt_pixel_insn *insn,
                      struct vt_json_writer *w)
{
    switch (vt_pixel_shape(insn->op)->imm) {
    case VT_IMM_VALUE:
        vt_json_kv_hex(w, "value", insn->imm);
        break;
    case VT_IMM_INPUT:
        vt_json_kv_string(w, "input", p->inputs[insn->imm].name);
        break;
    case VT_IMM_CARRY:
        vt_json_kv_string(w, "carry", p->carries[insn->imm].name);
        break;
    case VT_IMM_FIRST_BIT:
        vt_json_kv_u64(w, "first", insn->imm);
        break;
    case VT_IMM_LOOP:
        vt_json_kv_u64(w, "loop", insn->imm);
        break;
    case VT_IMM_VARIABLE:
        if (insn->op == VT_PIXEL_RESULT) {
            vt_json_kv_u64(w, "loop", insn->a);
        }
        vt_json_kv_u64(w, "variable", insn->imm);
        break;
    default:
        break;
    }
}

static void write_insn(const struct vt_pixel_program *p, const struct vt_pixel_insn *insn,
                       struct vt_json_writer *w)
{
    const struct vt_pixel_shape *shape = vt_pixel_shape(insn->op);
    const uint32_t operand[3] = {insn->a, insn->b, insn->c};
    vt_json_object(w);
    vt_json_kv_string(w, "op", vt_pixel_op_name(insn->op));
    if (insn->bits != 0) {
        vt_json_kv_u64(w, "bits", insn->bits);
    }
    if (insn->lane != 0) {
        vt_json_kv_u64(w, "lane", insn->lane);
    }
    if (vt_pixel_touches_memory(insn->op)) {
        write_access(p, insn, w);
    } else {
        uint32_t n = 0;
        while (n < 3 && operand[n] != VT_PIXEL_NONE && shape->operand[n] != VT_OPERAND_LOOP) {
            n++;
        }
        if (n > 0) {
            write_numbers(w, "args", operand, n);
        }
        write_imm(p, insn, w);
    }
    vt_json_object_end(w);
}

void vt_pixel_json_write(const struct vt_pixel_program *p, struct vt_json_writer *w)
{
    write_inputs(p, w);
    write_carries(p, w);
    write_streams(p, w);
    write_loops(p, w);
    vt_json_key(w, "pixel_ops");
    vt_json_array(w);
    for (uint32_t i = 0; i < p->n_insns; i++) {
        write_insn(p, &p->insns[i], w);
    }
    vt_json_array_end(w);
}
