/* pixel/text_read.c - a program from text: docs/pixel.md, "Text".
 *
 * Line by line; a line is words, numbers, %values and punctuation. The text may say anything: what
 * is read is kept within its arrays here and held against all rules at the end, where the line of
 * whatever breaks one is still known.
 */
#include "pixel/shape.h"

#include <stdlib.h>
#include <string.h>

struct reader {
    struct vt_pixel_program p;
    const char *at, *end; /* of the line */
    uint32_t line;
    struct vt_error *err;
    /* where each stands */
    uint32_t input_line[VT_PIXEL_INPUTS_MAX], carry_line[VT_PIXEL_CARRIES_MAX];
    uint32_t stream_line[VT_PIXEL_STREAMS_MAX], loop_line[VT_PIXEL_LOOPS_MAX];
    uint32_t insn_line[VT_PIXEL_VALUES_MAX];
};

#define WRONG(r, format, ...)                                                                      \
    vt_fail((r)->err, VT_E_CORRUPT, "line %u: " format, (r)->line __VA_OPT__(, ) __VA_ARGS__)
/* Goes on, or returns what went wrong. */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        int rc_ = (call);                                                                          \
        if (rc_ < 0) {                                                                             \
            return rc_;                                                                            \
        }                                                                                          \
    } while (0)

static char peek(struct reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\r')) {
        r->at++;
    }
    return r->at < r->end && *r->at != '#' ? *r->at : '\0';
}

static bool accept(struct reader *r, char c)
{
    bool is = peek(r) == c;
    r->at += is;
    return is;
}

static int expect(struct reader *r, char c)
{
    return accept(r, c) ? 0 : WRONG(r, "'%c' is missing", c);
}

static bool in_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/** A name, at most 23 characters. */
static int read_word(struct reader *r, char word[24], const char *what)
{
    size_t n = 0;
    if (!in_word(peek(r)) || is_digit(*r->at)) {
        return WRONG(r, "%s is missing", what);
    }
    while (r->at < r->end && in_word(*r->at)) {
        if (n == 23) {
            return WRONG(r, "%s is longer than 23 characters", what);
        }
        word[n++] = *r->at++;
    }
    memset(word + n, 0, 24 - n);
    return 0;
}

/** The next word is this one; it is taken. */
static bool accept_word(struct reader *r, const char *word)
{
    size_t n = strlen(word);
    peek(r);
    if ((size_t)(r->end - r->at) < n || memcmp(r->at, word, n) != 0 ||
        (r->at + n < r->end && in_word(r->at[n]))) {
        return false;
    }
    r->at += n;
    return true;
}

static int expect_word(struct reader *r, const char *word)
{
    return accept_word(r, word) ? 0 : WRONG(r, "\"%s\" is missing", word);
}

static unsigned digit_of(char c)
{
    return is_digit(c) ? (unsigned)(c - '0') : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 16;
}

/** Decimal, or hexadecimal behind 0x. */
static int read_unsigned(struct reader *r, uint64_t most, uint64_t *number)
{
    uint64_t value = 0;
    if (!is_digit(peek(r))) {
        return WRONG(r, "a number is missing");
    }
    unsigned base = r->end - r->at > 2 && r->at[0] == '0' && r->at[1] == 'x' ? 16 : 10;
    r->at += base == 16 ? 2 : 0;
    if (r->at == r->end || digit_of(*r->at) >= base) {
        return WRONG(r, "a number has no digits");
    }
    for (; r->at < r->end && digit_of(*r->at) < base; r->at++) {
        if (__builtin_mul_overflow(value, base, &value) ||
            __builtin_add_overflow(value, digit_of(*r->at), &value) || value > most) {
            return WRONG(r, "a number is larger than %#llx", (unsigned long long)most);
        }
    }
    *number = value;
    return 0;
}

static int read_u32(struct reader *r, uint32_t *number)
{
    uint64_t value = 0;
    TRY(read_unsigned(r, VT_PIXEL_NONE - 1, &value));
    *number = (uint32_t)value;
    return 0;
}

static int read_signed(struct reader *r, uint64_t most, int64_t *number)
{
    uint64_t value = 0;
    bool minus = accept(r, '-');
    TRY(read_unsigned(r, minus ? most + 1 : most, &value));
    *number = (int64_t)(minus ? -value : value);
    return 0;
}

static int read_i32(struct reader *r, int32_t *number)
{
    int64_t value = 0;
    TRY(read_signed(r, INT32_MAX, &value));
    *number = (int32_t)value;
    return 0;
}

static int read_value(struct reader *r, uint32_t *value)
{
    TRY(expect(r, '%'));
    return read_u32(r, value);
}

/** i64, or for packed operations 8xi8. */
static int read_type(struct reader *r, struct vt_pixel_insn *insn, bool packed)
{
    uint64_t elements = 0, bits = 0;
    if (packed) {
        TRY(read_unsigned(r, 64, &elements));
    }
    peek(r);
    const char *before = packed ? "xi" : "i";
    size_t n = strlen(before);
    if ((size_t)(r->end - r->at) < n || memcmp(r->at, before, n) != 0) {
        return WRONG(r, "a type is missing, like %s", packed ? "8xi8" : "i64");
    }
    r->at += n;
    TRY(read_unsigned(r, 64, &bits));
    if (packed && elements * bits != 64) {
        return WRONG(r, "%u elements of %u bits are not 64 bits", (unsigned)elements,
                     (unsigned)bits);
    }
    insn->bits = packed ? 64 : (uint8_t)bits;
    insn->lane = packed ? (uint8_t)bits : 0;
    return 0;
}

/** The width of a declaration. */
static int read_bits(struct reader *r, uint8_t *bits)
{
    struct vt_pixel_insn insn = {0};
    TRY(read_type(r, &insn, false));
    *bits = insn.bits;
    return 0;
}

static int read_input(struct reader *r)
{
    struct vt_pixel_input input = {{0}, 0};
    if (r->p.n_inputs == VT_PIXEL_INPUTS_MAX) {
        return WRONG(r, "more than %u inputs", VT_PIXEL_INPUTS_MAX);
    }
    TRY(read_word(r, input.name, "a name"));
    TRY(read_bits(r, &input.bits));
    r->input_line[r->p.n_inputs] = r->line;
    r->p.inputs[r->p.n_inputs++] = input;
    return 0;
}

static int read_carry(struct reader *r)
{
    struct vt_pixel_carry carry = {.kind = VT_PIXEL_ANY};
    if (r->p.n_carries == VT_PIXEL_CARRIES_MAX) {
        return WRONG(r, "more than %u carries", VT_PIXEL_CARRIES_MAX);
    }
    TRY(read_word(r, carry.name, "a name"));
    TRY(read_bits(r, &carry.bits));
    TRY(expect_word(r, "next"));
    TRY(read_value(r, &carry.next));
    r->carry_line[r->p.n_carries] = r->line;
    r->p.carries[r->p.n_carries++] = carry;
    return 0;
}

static int read_stream(struct reader *r)
{
    struct vt_pixel_stream stream = {.stride_input = VT_PIXEL_NONE};
    char by[24];
    if (r->p.n_streams == VT_PIXEL_STREAMS_MAX) {
        return WRONG(r, "more than %u streams", VT_PIXEL_STREAMS_MAX);
    }
    TRY(read_word(r, stream.name, "a name"));
    TRY(expect_word(r, "stride"));
    if (is_digit(peek(r)) || peek(r) == '-') {
        TRY(read_signed(r, INT64_MAX, &stream.stride));
    } else {
        TRY(read_word(r, by, "a stride"));
        stream.stride_input = vt_pixel_find_input(&r->p, by);
        if (stream.stride_input == VT_PIXEL_NONE) {
            return WRONG(r, "there is no input %s yet", by);
        }
    }
    TRY(expect_word(r, "window"));
    TRY(read_i32(r, &stream.low));
    TRY(read_i32(r, &stream.high));
    r->stream_line[r->p.n_streams] = r->line;
    r->p.streams[r->p.n_streams++] = stream;
    return 0;
}

/** s[4 + %6] */
static int read_place(struct reader *r, struct vt_pixel_insn *insn)
{
    char name[24];
    int64_t offset = 0;
    TRY(read_word(r, name, "a stream"));
    uint32_t stream = vt_pixel_find_stream(&r->p, name);
    if (stream == VT_PIXEL_NONE) {
        return WRONG(r, "there is no stream %s yet", name);
    }
    TRY(expect(r, '['));
    TRY(read_signed(r, INT64_MAX, &offset));
    insn->a = VT_PIXEL_NONE;
    if (accept(r, '+')) {
        TRY(read_value(r, &insn->a));
    }
    insn->stream = (uint8_t)stream;
    insn->imm = (uint64_t)offset;
    return expect(r, ']');
}

static int read_name_of(struct reader *r, struct vt_pixel_insn *insn)
{
    char name[24];
    bool input = insn->op == VT_PIXEL_INPUT;
    TRY(read_word(r, name, "a name"));
    uint32_t found = input ? vt_pixel_find_input(&r->p, name) : vt_pixel_find_carry(&r->p, name);
    if (found == VT_PIXEL_NONE) {
        return WRONG(r, "there is no %s %s yet", input ? "input" : "carry", name);
    }
    insn->imm = found;
    return 0;
}

static int read_imm(struct reader *r, struct vt_pixel_insn *insn, enum vt_pixel_imm imm)
{
    switch (imm) {
    case VT_IMM_VALUE:
    case VT_IMM_FIRST_BIT:
    case VT_IMM_VARIABLE:
        return read_unsigned(r, UINT64_MAX, &insn->imm);
    case VT_IMM_INPUT:
    case VT_IMM_CARRY:
        return read_name_of(r, insn);
    default:
        return 0;
    }
}

static int append(struct reader *r, struct vt_pixel_insn insn)
{
    uint32_t i = vt_pixel_emit(&r->p, insn);
    if (i == VT_PIXEL_NONE) {
        return r->p.n_insns == VT_PIXEL_VALUES_MAX
                   ? WRONG(r, "more than %u operations", VT_PIXEL_VALUES_MAX)
                   : vt_fail(r->err, VT_E_NOMEM, "no memory for a program");
    }
    r->insn_line[i] = r->line;
    return 0;
}

/** %7 = add i64 %1, %2 */
static int read_assignment(struct reader *r)
{
    struct vt_pixel_insn insn = {.a = VT_PIXEL_NONE, .b = VT_PIXEL_NONE, .c = VT_PIXEL_NONE};
    uint32_t *operand[3] = {&insn.a, &insn.b, &insn.c}, number = 0;
    char name[24];
    TRY(read_value(r, &number));
    if (number != r->p.n_insns) {
        return WRONG(r, "this is value %%%u, not %%%u", r->p.n_insns, number);
    }
    TRY(expect(r, '='));
    TRY(read_word(r, name, "an operation"));
    unsigned op = vt_pixel_op_of_name(name);
    const struct vt_pixel_shape *shape = vt_pixel_shape(op);
    if (shape == NULL || shape->widths == VT_WIDTH(0)) {
        return WRONG(r, "there is no operation %s that has a value", name);
    }
    insn.op = (uint8_t)op;
    TRY(read_type(r, &insn, shape->lanes != 0));
    if (op == VT_PIXEL_LOAD) {
        TRY(read_place(r, &insn));
        return append(r, insn);
    }
    unsigned n = 0;
    for (; n < 3 && shape->operand[n] != VT_OPERAND_NONE; n++) {
        TRY(n == 0 ? 0 : expect(r, ','));
        TRY(shape->operand[n] == VT_OPERAND_LOOP ? read_u32(r, operand[n])
                                                 : read_value(r, operand[n]));
    }
    TRY(n == 0 || shape->imm == VT_IMM_NONE ? 0 : expect(r, ','));
    TRY(read_imm(r, &insn, shape->imm));
    return append(r, insn);
}

static int read_store(struct reader *r)
{
    struct vt_pixel_insn insn = {.op = VT_PIXEL_STORE, .c = VT_PIXEL_NONE};
    TRY(read_place(r, &insn));
    TRY(expect(r, ','));
    TRY(read_value(r, &insn.b));
    if (accept_word(r, "if")) {
        TRY(read_value(r, &insn.c));
    }
    return append(r, insn);
}

static int read_check(struct reader *r)
{
    struct vt_pixel_insn insn = {.op = VT_PIXEL_CHECK, .b = VT_PIXEL_NONE, .c = VT_PIXEL_NONE};
    TRY(read_value(r, &insn.a));
    return append(r, insn);
}

static int read_values(struct reader *r, uint32_t values[VT_PIXEL_VARIABLES_MAX], uint32_t *n)
{
    *n = 0;
    do {
        if (*n == VT_PIXEL_VARIABLES_MAX) {
            return WRONG(r, "a loop has more than %u variables", VT_PIXEL_VARIABLES_MAX);
        }
        TRY(read_value(r, &values[(*n)++]));
    } while (accept(r, ','));
    return 0;
}

/** The loop of this number, which is a new one if it is the next. */
static int find_loop(struct reader *r, uint32_t number)
{
    while (number >= r->p.n_loops) {
        if (number >= VT_PIXEL_LOOPS_MAX) {
            return WRONG(r, "loops are numbered from 0 to %u", VT_PIXEL_LOOPS_MAX - 1);
        }
        uint32_t loop = vt_pixel_add_loop(&r->p);
        if (loop == VT_PIXEL_NONE) {
            return vt_fail(r->err, VT_E_NOMEM, "no memory for a program");
        }
        r->loop_line[loop] = r->line;
    }
    return 0;
}

/** loop 0 trips 8 from %1, %2 */
static int read_loop(struct reader *r)
{
    struct vt_pixel_insn insn = {
        .op = VT_PIXEL_LOOP, .a = VT_PIXEL_NONE, .b = VT_PIXEL_NONE, .c = VT_PIXEL_NONE};
    uint32_t number = 0;
    TRY(read_u32(r, &number));
    TRY(find_loop(r, number));
    struct vt_pixel_loop *l = &r->p.loops[number];
    insn.imm = number;
    TRY(expect_word(r, "trips"));
    TRY(read_u32(r, &l->max_trips));
    if (accept_word(r, "from")) {
        TRY(read_values(r, l->initial, &l->n));
    }
    return append(r, insn);
}

/** end 0 next %7, %8 while %9 */
static int read_end(struct reader *r)
{
    struct vt_pixel_insn insn = {
        .op = VT_PIXEL_END, .a = VT_PIXEL_NONE, .b = VT_PIXEL_NONE, .c = VT_PIXEL_NONE};
    uint32_t number = 0, n = 0;
    TRY(read_u32(r, &number));
    if (number >= r->p.n_loops) {
        return WRONG(r, "there is no loop %u yet", number);
    }
    struct vt_pixel_loop *l = &r->p.loops[number];
    insn.imm = number;
    if (accept_word(r, "next")) {
        TRY(read_values(r, l->next, &n));
    }
    if (n != l->n) {
        return WRONG(r, "loop %u begins with %u variables and goes on with %u", number, l->n, n);
    }
    TRY(expect_word(r, "while"));
    TRY(read_value(r, &l->condition));
    return append(r, insn);
}

static int read_line(struct reader *r)
{
    static const struct {
        const char *word;
        int (*read)(struct reader *r);
    } statements[] = {{"input", read_input}, {"carry", read_carry}, {"stream", read_stream},
                      {"store", read_store}, {"check", read_check}, {"loop", read_loop},
                      {"end", read_end}};
    char first = peek(r);
    if (first == '\0') {
        return 0;
    }
    if (first == '%') {
        return read_assignment(r);
    }
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
        if (accept_word(r, statements[i].word)) {
            return statements[i].read(r);
        }
    }
    return WRONG(r, "it begins with nothing that is known");
}

/** The whole of the line was read. */
static int end_line(struct reader *r)
{
    char rest = peek(r);
    return rest == '\0' && (r->at == r->end || *r->at == '#')
               ? 0
               : WRONG(r, "there is more than was expected");
}

static int read_head(struct reader *r, bool *seen)
{
    uint32_t version = 0;
    if (*seen || peek(r) == '\0') {
        return 0;
    }
    TRY(expect_word(r, "pixel"));
    TRY(read_u32(r, &version));
    if (version != 1) {
        return WRONG(r, "version %u of programs is not known", version);
    }
    *seen = true;
    return 0;
}

static uint32_t line_of(const struct reader *r, const struct vt_pixel_where *where)
{
    switch (where->part) {
    case VT_PART_INPUT:
        return r->input_line[where->number];
    case VT_PART_CARRY:
        return r->carry_line[where->number];
    case VT_PART_STREAM:
        return r->stream_line[where->number];
    case VT_PART_LOOP:
        return r->loop_line[where->number];
    case VT_PART_INSN:
        return r->insn_line[where->number];
    default:
        return r->line;
    }
}

static int read_lines(struct reader *r, const char *text, size_t bytes)
{
    const char *end = text + bytes;
    bool head = false;
    while (text < end) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        r->at = text;
        r->end = stop != NULL ? stop : end;
        text = stop != NULL ? stop + 1 : end;
        if (++r->line == UINT32_MAX) {
            return WRONG(r, "the text has too many lines");
        }
        if (head) {
            TRY(read_line(r));
        }
        TRY(read_head(r, &head));
        TRY(end_line(r));
    }
    return head ? 0 : WRONG(r, "\"pixel 1\" is missing");
}

static int read_and_check(struct reader *r, const char *text, size_t bytes)
{
    struct vt_pixel_where where;
    struct vt_error err;
    TRY(read_lines(r, text, bytes));
    int rc = vt_pixel_check(&r->p, &where, &err);
    if (rc < 0) {
        r->line = line_of(r, &where);
        return vt_fail(r->err, err.code, "line %u: %s", r->line, err.message);
    }
    return 0;
}

int vt_pixel_read(struct vt_pixel_program *p, const char *text, size_t bytes, struct vt_error *err)
{
    struct reader *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory to read a program");
    }
    r->err = err;
    int rc = read_and_check(r, text, bytes);
    if (rc == 0) {
        *p = r->p;
    } else {
        vt_pixel_fini(&r->p);
    }
    free(r);
    return rc;
}
