/* pixel/json_read.c - a program from JSON that anybody may have written. See pixel/json.h.
 *
 * What is read is kept within its arrays here and held against all rules at the end.
 */
#include "pixel/json.h"
#include "pixel/shape.h"

#include <string.h>

/* Goes on, or returns what went wrong. */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        int rc_ = (call);                                                                          \
        if (rc_ < 0) {                                                                             \
            return rc_;                                                                            \
        }                                                                                          \
    } while (0)

struct reader {
    struct vt_pixel_program *p;
    struct vt_error *err;
    const char *array; /* what is being read */
    size_t i;          /* its element */
};

#define WRONG(r, format, ...)                                                                      \
    vt_fail((r)->err, VT_E_CORRUPT, "%s[%zu]: " format, (r)->array,                                \
            (r)->i __VA_OPT__(, ) __VA_ARGS__)

static int get_integer(struct reader *r, const json_t *object, const char *key, int64_t least,
                       int64_t most, int64_t *number)
{
    const json_t *member = json_object_get(object, key);
    if (!json_is_integer(member)) {
        return WRONG(r, "%s is no integer", key);
    }
    int64_t value = json_integer_value(member);
    if (value < least || value > most) {
        return WRONG(r, "%s is not from %lld to %lld", key, (long long)least, (long long)most);
    }
    *number = value;
    return 0;
}

static int get_u32(struct reader *r, const json_t *object, const char *key, uint32_t *number)
{
    int64_t value = 0;
    TRY(get_integer(r, object, key, 0, VT_PIXEL_NONE - 1, &value));
    *number = (uint32_t)value;
    return 0;
}

static int get_u8(struct reader *r, const json_t *object, const char *key, uint8_t *number)
{
    int64_t value = 0;
    TRY(get_integer(r, object, key, 0, 64, &value));
    *number = (uint8_t)value;
    return 0;
}

static int get_i32(struct reader *r, const json_t *object, const char *key, int32_t *number)
{
    int64_t value = 0;
    TRY(get_integer(r, object, key, INT32_MIN, INT32_MAX, &value));
    *number = (int32_t)value;
    return 0;
}

static int get_name(struct reader *r, const json_t *object, const char *key, char name[24])
{
    const json_t *member = json_object_get(object, key);
    size_t n = json_string_length(member);
    if (!json_is_string(member) || n > 23 || strlen(json_string_value(member)) != n) {
        return WRONG(r, "%s is no string of up to 23 characters", key);
    }
    memset(name, 0, 24);
    memcpy(name, json_string_value(member), n);
    return 0;
}

/** "0x10": digits of 64 bits, as they are written. */
static int get_hex(struct reader *r, const json_t *object, const char *key, uint64_t *number)
{
    const char *text = json_string_value(json_object_get(object, key));
    size_t n = text == NULL || strncmp(text, "0x", 2) != 0 ? 0 : strlen(text) - 2;
    if (n < 1 || n > 16 || strspn(text + 2, "0123456789abcdef") != n) {
        return WRONG(r, "%s is no string like \"0x10\"", key);
    }
    uint64_t value = 0;
    for (size_t i = 2; i < n + 2; i++) {
        value = value << 4 | (uint64_t)(text[i] <= '9' ? text[i] - '0' : text[i] - 'a' + 10);
    }
    *number = value;
    return 0;
}

static int get_numbers(struct reader *r, const json_t *object, const char *key, size_t most,
                       uint32_t *values, uint32_t *n)
{
    const json_t *member = json_object_get(object, key);
    size_t count = json_array_size(member);
    if (!json_is_array(member) || count > most) {
        return WRONG(r, "%s is no array of up to %zu numbers", key, most);
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *one = json_array_get(member, i);
        int64_t value = json_integer_value(one);
        if (!json_is_integer(one) || value < 0 || value >= VT_PIXEL_NONE) {
            return WRONG(r, "%s holds something that is no number", key);
        }
        values[i] = (uint32_t)value;
    }
    *n = (uint32_t)count;
    return 0;
}

static int read_input(struct reader *r, const json_t *object)
{
    struct vt_pixel_input *input = &r->p->inputs[r->p->n_inputs];
    TRY(get_name(r, object, "name", input->name));
    TRY(get_u8(r, object, "bits", &input->bits));
    r->p->n_inputs++;
    return 0;
}

static int read_carry(struct reader *r, const json_t *object)
{
    struct vt_pixel_carry *carry = &r->p->carries[r->p->n_carries];
    TRY(get_name(r, object, "name", carry->name));
    TRY(get_u8(r, object, "bits", &carry->bits));
    TRY(get_u32(r, object, "next", &carry->next));
    r->p->n_carries++;
    return 0;
}

static int read_stream(struct reader *r, const json_t *object)
{
    struct vt_pixel_stream *stream = &r->p->streams[r->p->n_streams];
    char by[24];
    TRY(get_name(r, object, "name", stream->name));
    stream->stride_input = VT_PIXEL_NONE;
    if (json_is_string(json_object_get(object, "stride"))) {
        TRY(get_name(r, object, "stride", by));
        stream->stride_input = vt_pixel_find_input(r->p, by);
        if (stream->stride_input == VT_PIXEL_NONE) {
            return WRONG(r, "stride is the name of no input");
        }
    } else {
        TRY(get_integer(r, object, "stride", INT64_MIN, INT64_MAX, &stream->stride));
    }
    TRY(get_i32(r, object, "low", &stream->low));
    TRY(get_i32(r, object, "high", &stream->high));
    r->p->n_streams++;
    return 0;
}

static int read_loop(struct reader *r, const json_t *object)
{
    uint32_t number = vt_pixel_add_loop(r->p), n = 0;
    if (number == VT_PIXEL_NONE) {
        return vt_fail(r->err, VT_E_NOMEM, "no memory for a program");
    }
    struct vt_pixel_loop *l = &r->p->loops[number];
    TRY(get_numbers(r, object, "initial", VT_PIXEL_VARIABLES_MAX, l->initial, &l->n));
    TRY(get_numbers(r, object, "next", VT_PIXEL_VARIABLES_MAX, l->next, &n));
    if (n != l->n) {
        return WRONG(r, "initial and next are not equally long");
    }
    TRY(get_u32(r, object, "condition", &l->condition));
    return get_u32(r, object, "max_trips", &l->max_trips);
}

static int read_access(struct reader *r, const json_t *object, struct vt_pixel_insn *insn)
{
    char name[24];
    int64_t offset = 0;
    TRY(get_name(r, object, "stream", name));
    uint32_t stream = vt_pixel_find_stream(r->p, name);
    if (stream == VT_PIXEL_NONE) {
        return WRONG(r, "stream is the name of none");
    }
    TRY(get_integer(r, object, "offset", INT64_MIN, INT64_MAX, &offset));
    insn->stream = (uint8_t)stream;
    insn->imm = (uint64_t)offset;
    if (json_object_get(object, "index") != NULL) {
        TRY(get_u32(r, object, "index", &insn->a));
    }
    if (insn->op == VT_PIXEL_LOAD) {
        return 0;
    }
    TRY(get_u32(r, object, "value", &insn->b));
    return json_object_get(object, "if") == NULL ? 0 : get_u32(r, object, "if", &insn->c);
}

static int read_imm(struct reader *r, const json_t *object, struct vt_pixel_insn *insn)
{
    char name[24];
    uint32_t number = 0;
    switch (vt_pixel_shape(insn->op)->imm) {
    case VT_IMM_VALUE:
        return get_hex(r, object, "value", &insn->imm);
    case VT_IMM_INPUT:
        TRY(get_name(r, object, "input", name));
        number = vt_pixel_find_input(r->p, name);
        break;
    case VT_IMM_CARRY:
        TRY(get_name(r, object, "carry", name));
        number = vt_pixel_find_carry(r->p, name);
        break;
    case VT_IMM_FIRST_BIT:
        TRY(get_u32(r, object, "first", &number));
        break;
    case VT_IMM_LOOP:
        TRY(get_u32(r, object, "loop", &number));
        break;
    case VT_IMM_VARIABLE:
        if (insn->op == VT_PIXEL_RESULT) {
            TRY(get_u32(r, object, "loop", &insn->a));
        }
        TRY(get_u32(r, object, "variable", &number));
        break;
    default:
        break;
    }
    insn->imm = number;
    return 0;
}

static int read_args(struct reader *r, const json_t *object, struct vt_pixel_insn *insn)
{
    const struct vt_pixel_shape *shape = vt_pixel_shape(insn->op);
    uint32_t operand[3] = {VT_PIXEL_NONE, VT_PIXEL_NONE, VT_PIXEL_NONE}, n = 0, want = 0;
    while (want < 3 && shape->operand[want] != VT_OPERAND_NONE &&
           shape->operand[want] != VT_OPERAND_LOOP) {
        want++;
    }
    if (want > 0 || json_object_get(object, "args") != NULL) {
        TRY(get_numbers(r, object, "args", 3, operand, &n));
    }
    if (n != want) {
        return WRONG(r, "%s has %u args, not %u", vt_pixel_op_name(insn->op), n, want);
    }
    insn->a = operand[0];
    insn->b = operand[1];
    insn->c = operand[2];
    return read_imm(r, object, insn);
}

static int read_insn(struct reader *r, const json_t *object)
{
    struct vt_pixel_insn insn = {.a = VT_PIXEL_NONE, .b = VT_PIXEL_NONE, .c = VT_PIXEL_NONE};
    const char *name = json_string_value(json_object_get(object, "op"));
    unsigned op = name != NULL ? vt_pixel_op_of_name(name) : VT_PIXEL_OPS;
    const struct vt_pixel_shape *shape = vt_pixel_shape(op);
    if (shape == NULL) {
        return WRONG(r, "op is the name of no operation");
    }
    insn.op = (uint8_t)op;
    if (shape->widths != VT_WIDTH(0)) {
        TRY(get_u8(r, object, "bits", &insn.bits));
    }
    if (shape->lanes != 0) {
        TRY(get_u8(r, object, "lane", &insn.lane));
    }
    TRY(vt_pixel_touches_memory(op) ? read_access(r, object, &insn) : read_args(r, object, &insn));
    return vt_pixel_emit(r->p, insn) != VT_PIXEL_NONE
               ? 0
               : vt_fail(r->err, VT_E_NOMEM, "no memory for a program");
}

static int read_array(struct reader *r, const json_t *object, const char *key, size_t most,
                      int (*read)(struct reader *r, const json_t *object))
{
    const json_t *array = json_object_get(object, key);
    size_t n = json_array_size(array);
    if (!json_is_array(array) || n > most) {
        return vt_fail(r->err, VT_E_CORRUPT, "%s is no array of up to %zu", key, most);
    }
    r->array = key;
    for (r->i = 0; r->i < n; r->i++) {
        const json_t *element = json_array_get(array, r->i);
        TRY(json_is_object(element) ? read(r, element) : WRONG(r, "it is no object"));
    }
    return 0;
}

static int read_program(struct reader *r, const json_t *object)
{
    TRY(read_array(r, object, "pixel_inputs", VT_PIXEL_INPUTS_MAX, read_input));
    TRY(read_array(r, object, "pixel_carries", VT_PIXEL_CARRIES_MAX, read_carry));
    TRY(read_array(r, object, "pixel_streams", VT_PIXEL_STREAMS_MAX, read_stream));
    TRY(read_array(r, object, "pixel_loops", VT_PIXEL_LOOPS_MAX, read_loop));
    TRY(read_array(r, object, "pixel_ops", VT_PIXEL_VALUES_MAX, read_insn));
    return vt_pixel_validate(r->p, r->err);
}

int vt_pixel_json_read(const json_t *object, struct vt_pixel_program *p, struct vt_error *err)
{
    struct vt_pixel_program read;
    struct reader r = {.p = &read, .err = err};
    vt_pixel_init(&read);
    int rc = read_program(&r, object);
    if (rc < 0) {
        vt_pixel_fini(&read);
        return rc;
    }
    *p = read;
    return 0;
}
