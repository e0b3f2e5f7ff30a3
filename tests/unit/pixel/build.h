/* tests/unit/pixel/build.h - small programs by hand. */
#ifndef VT_TESTS_PIXEL_BUILD_H
#define VT_TESTS_PIXEL_BUILD_H

#include "vitrine/pixel.h"

#include <string.h>

#define NONE VT_PIXEL_NONE

static inline uint32_t vt_op(struct vt_pixel_program *p, enum vt_pixel_op op, unsigned bits,
                             uint32_t a, uint32_t b, uint32_t c, uint64_t imm)
{
    return vt_pixel_emit(
        p, (struct vt_pixel_insn){
               .op = (uint8_t)op, .bits = (uint8_t)bits, .a = a, .b = b, .c = c, .imm = imm});
}

static inline uint32_t vt_const(struct vt_pixel_program *p, unsigned bits, uint64_t value)
{
    return vt_op(p, VT_PIXEL_CONST, bits, NONE, NONE, NONE, value);
}

static inline uint32_t vt_two(struct vt_pixel_program *p, enum vt_pixel_op op, unsigned bits,
                              uint32_t a, uint32_t b)
{
    return vt_op(p, op, bits, a, b, NONE, 0);
}

static inline uint32_t vt_input(struct vt_pixel_program *p, const char *name, unsigned bits)
{
    struct vt_pixel_input *input = &p->inputs[p->n_inputs];
    strcpy(input->name, name);
    input->bits = (uint8_t)bits;
    return vt_op(p, VT_PIXEL_INPUT, bits, NONE, NONE, NONE, p->n_inputs++);
}

/** Its next is the caller's to set. */
static inline uint32_t vt_carry(struct vt_pixel_program *p, const char *name, unsigned bits)
{
    struct vt_pixel_carry *carry = &p->carries[p->n_carries];
    strcpy(carry->name, name);
    carry->bits = (uint8_t)bits;
    return vt_op(p, VT_PIXEL_CARRY, bits, NONE, NONE, NONE, p->n_carries++);
}

static inline uint8_t vt_stream(struct vt_pixel_program *p, const char *name, int64_t stride,
                                int32_t low, int32_t high)
{
    struct vt_pixel_stream *stream = &p->streams[p->n_streams];
    strcpy(stream->name, name);
    stream->stride = stride;
    stream->stride_input = NONE;
    stream->low = low;
    stream->high = high;
    return (uint8_t)p->n_streams++;
}

static inline uint32_t vt_load(struct vt_pixel_program *p, unsigned bits, uint8_t stream,
                               int64_t offset, uint32_t index)
{
    return vt_pixel_emit(p, (struct vt_pixel_insn){.op = VT_PIXEL_LOAD,
                                                   .bits = (uint8_t)bits,
                                                   .stream = stream,
                                                   .a = index,
                                                   .b = NONE,
                                                   .c = NONE,
                                                   .imm = (uint64_t)offset});
}

static inline uint32_t vt_store(struct vt_pixel_program *p, uint8_t stream, int64_t offset,
                                uint32_t index, uint32_t value, uint32_t when)
{
    return vt_pixel_emit(p, (struct vt_pixel_insn){.op = VT_PIXEL_STORE,
                                                   .stream = stream,
                                                   .a = index,
                                                   .b = value,
                                                   .c = when,
                                                   .imm = (uint64_t)offset});
}

#endif
