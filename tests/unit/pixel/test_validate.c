/* One program that has everything, and one change a rule: each is refused for just that. */
#include "tests/unit/harness.h"
#include "tests/unit/pixel/build.h"

/* Values of the program. */
enum {
    KEY,     /* i64 */
    INDUCED, /* i64, carry i */
    ONE,     /* i64 */
    NEXT,    /* i64 */
    BYTE,    /* i8, loaded from s */
    WIDE,    /* i64 */
    BIT,     /* i1 */
    CHECKED,
    OUTER,
    OUTER_V, /* i64 */
    INNER,
    INNER_V,   /* i64 */
    INNER_SUM, /* i64 */
    INNER_BIT, /* i1 */
    INNER_END,
    INNER_RESULT, /* i64 */
    OUTER_BIT,    /* i1 */
    OUTER_END,
    OUTER_RESULT, /* i64 */
    PART,         /* i8 */
    PAIR,         /* i16 */
    PACKED,       /* i64 */
    STORED,
    VALUES
};

static void build(struct vt_pixel_program *p)
{
    vt_pixel_init(p);
    uint8_t s = vt_stream(p, "s", 1, -2, 2), d = vt_stream(p, "d", 0, 0, 8);
    vt_input(p, "key", 64);
    p->streams[d].stride_input = 0;
    vt_carry(p, "i", 64);
    vt_const(p, 64, 1);
    p->carries[0].next = vt_two(p, VT_PIXEL_ADD, 64, INDUCED, ONE);
    vt_load(p, 8, s, -2, NONE);
    vt_op(p, VT_PIXEL_ZEXT, 64, BYTE, NONE, NONE, 0);
    vt_two(p, VT_PIXEL_ULT, 1, WIDE, KEY);
    vt_op(p, VT_PIXEL_CHECK, 0, BIT, NONE, NONE, 0);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(vt_pixel_add_loop(p), i);
        p->loops[i].n = 1;
        p->loops[i].max_trips = 5;
    }
    vt_op(p, VT_PIXEL_LOOP, 0, NONE, NONE, NONE, 1);
    p->loops[1].initial[0] = WIDE;
    vt_op(p, VT_PIXEL_VARIABLE, 64, NONE, NONE, NONE, 0);
    vt_op(p, VT_PIXEL_LOOP, 0, NONE, NONE, NONE, 0);
    p->loops[0].initial[0] = OUTER_V;
    vt_op(p, VT_PIXEL_VARIABLE, 64, NONE, NONE, NONE, 0);
    p->loops[0].next[0] = vt_two(p, VT_PIXEL_ADD, 64, INNER_V, KEY);
    p->loops[0].condition = vt_two(p, VT_PIXEL_SLE, 1, INNER_SUM, OUTER_V);
    vt_op(p, VT_PIXEL_END, 0, NONE, NONE, NONE, 0);
    p->loops[1].next[0] = vt_op(p, VT_PIXEL_RESULT, 64, 0, NONE, NONE, 0);
    p->loops[1].condition = vt_two(p, VT_PIXEL_NE, 1, INNER_RESULT, OUTER_V);
    vt_op(p, VT_PIXEL_END, 0, NONE, NONE, NONE, 1);
    vt_op(p, VT_PIXEL_RESULT, 64, 1, NONE, NONE, 0);
    vt_op(p, VT_PIXEL_EXTRACT, 8, OUTER_RESULT, NONE, NONE, 56);
    vt_two(p, VT_PIXEL_CONCAT, 16, PART, BYTE);
    p->insns[vt_two(p, VT_PIXEL_PAVG, 64, WIDE, OUTER_RESULT)].lane = 16;
    vt_store(p, d, 6, NONE, PAIR, BIT);
    assert_int_equal(p->n_insns, VALUES);
}

static void test_good(void **state)
{
    (void)state;
    struct vt_pixel_program p;
    build(&p);
    struct vt_error err = {0};
    if (vt_pixel_validate(&p, &err) < 0) {
        fail_msg("%s", err.message);
    }
    assert_true(p.streams[0].reads && !p.streams[0].writes);
    assert_true(!p.streams[1].reads && p.streams[1].writes);
    assert_int_equal(p.carries[0].kind, VT_PIXEL_INDUCTION);
    assert_false(p.counted);
    assert_false(p.independent);
    vt_pixel_fini(&p);
}

/** What has no meaning is cleared. */
static void test_cleared(void **state)
{
    (void)state;
    struct vt_pixel_program p, q;
    build(&p);
    build(&q);
    assert_int_equal(vt_pixel_validate(&p, NULL), 0);
    q.insns[ONE].a = 7;
    q.insns[ONE].b = 99999;
    q.insns[NEXT].c = 3;
    q.insns[NEXT].imm = 9;
    q.insns[NEXT].lane = 8;
    q.insns[NEXT].stream = 200;
    q.insns[BYTE].b = 1;
    q.streams[1].stride = 77;
    memcpy(q.inputs[0].name, "key\0rest", 8);
    assert_int_equal(vt_pixel_validate(&q, NULL), 0);
    assert_memory_equal(p.insns, q.insns, VALUES * sizeof *p.insns);
    assert_memory_equal(p.inputs, q.inputs, sizeof p.inputs);
    assert_memory_equal(p.streams, q.streams, sizeof p.streams);
    vt_pixel_fini(&p);
    vt_pixel_fini(&q);
}

/* Where a change is made, at which element, and what it is. */
#define INSN(i, member, value)                                                                     \
    {.offset = offsetof(struct vt_pixel_insn, member),                                             \
     .size = sizeof(p_.insns->member),                                                             \
     .in = IN_INSN,                                                                                \
     .at = (i),                                                                                    \
     .to = (uint64_t)(value)}
#define PROGRAM(member, value)                                                                     \
    {.offset = offsetof(struct vt_pixel_program, member),                                          \
     .size = sizeof(p_.member),                                                                    \
     .in = IN_PROGRAM,                                                                             \
     .to = (uint64_t)(value)}
#define LOOP(i, member, value)                                                                     \
    {.offset = offsetof(struct vt_pixel_loop, member),                                             \
     .size = sizeof(p_.loops->member),                                                             \
     .in = IN_LOOP,                                                                                \
     .at = (i),                                                                                    \
     .to = (uint64_t)(value)}
static struct vt_pixel_program p_; /* for sizes */

static const struct rule {
    struct {
        uint32_t offset;
        uint8_t size;
        enum { IN_INSN, IN_PROGRAM, IN_LOOP } in;
        uint32_t at;
        uint64_t to;
    } change;
    const char *why;
} rules[] = {
    /* numbers of things */
    {PROGRAM(n_inputs, 97), "more operations, inputs, carries, streams or loops than allowed"},
    {PROGRAM(n_carries, 97), "more operations, inputs, carries, streams or loops than allowed"},
    {PROGRAM(n_streams, 17), "more operations, inputs, carries, streams or loops than allowed"},
    {PROGRAM(n_loops, 17), "more operations, inputs, carries, streams or loops than allowed"},
    {PROGRAM(n_insns, 16385), "more operations, inputs, carries, streams or loops than allowed"},
    /* declarations */
    {PROGRAM(inputs[0].name[0], 'K'), "input 0 has no good name"},
    {PROGRAM(inputs[0].name[0], '1'), "input 0 has no good name"},
    {PROGRAM(inputs[0].name[0], '.'), "input 0 has no good name"},
    {PROGRAM(inputs[0].name[0], 0), "input 0 has no good name"},
    {PROGRAM(inputs[0].name[1], '-'), "input 0 has no good name"},
    {PROGRAM(inputs[0].bits, 24), "input key cannot have 24 bits"},
    {PROGRAM(inputs[0].bits, 0), "input key cannot have 0 bits"},
    {PROGRAM(inputs[0].bits, 32), "stream d has a stride that is no input of 64 bits"},
    {PROGRAM(n_inputs, 2), "input 1 has no good name"},
    {PROGRAM(carries[0].name[0], 0x80), "carry 0 has no good name"},
    {PROGRAM(carries[0].bits, 128), "carry i cannot have 128 bits"},
    {PROGRAM(carries[0].next, BYTE), "carry i goes on as no value of 64 bits outside of loops"},
    {PROGRAM(carries[0].next, INNER_SUM),
     "carry i goes on as no value of 64 bits outside of loops"},
    {PROGRAM(carries[0].next, CHECKED), "carry i goes on as no value of 64 bits outside of loops"},
    {PROGRAM(carries[0].next, VALUES), "carry i goes on as no value of 64 bits outside of loops"},
    {PROGRAM(carries[0].next, NONE), "carry i goes on as no value of 64 bits outside of loops"},
    {PROGRAM(streams[1].name[0], 's'), "two streams are called s"},
    {PROGRAM(streams[1].name[0], ' '), "stream 1 has no good name"},
    {PROGRAM(streams[1].low, 8), "stream d has a window of 0 bytes, not of 1 to 1048576"},
    {PROGRAM(streams[1].high, 1048577),
     "stream d has a window of 1048577 bytes, not of 1 to 1048576"},
    {PROGRAM(streams[1].stride_input, 1), "stream d has a stride that is no input of 64 bits"},
    {PROGRAM(loops, 0), "loops are counted, but not there"},
    {LOOP(0, n, 65), "loop 0 has 65 variables, more than 64"},
    {LOOP(0, max_trips, 0), "loop 0 has 0 trips at most, which is not 1 to 1048576"},
    {LOOP(0, max_trips, 1048577), "loop 0 has 1048577 trips at most, which is not 1 to 1048576"},
    /* widths and operands */
    {INSN(NEXT, op, 255), "operation 3 (?): there is no operation 255"},
    {INSN(NEXT, bits, 24), "operation 3 (add): cannot have 24 bits"},
    {INSN(NEXT, bits, 0), "operation 3 (add): cannot have 0 bits"},
    {INSN(BIT, bits, 8), "operation 6 (ult): cannot have 8 bits"},
    {INSN(BYTE, bits, 1), "operation 4 (load): cannot have 1 bits"},
    {INSN(CHECKED, bits, 1), "operation 7 (check): cannot have 1 bits"},
    {INSN(WIDE, bits, 1), "operation 5 (zext): cannot have 1 bits"},
    {INSN(PAIR, bits, 8), "operation 20 (concat): cannot have 8 bits"},
    {INSN(PACKED, bits, 32), "operation 21 (pavg): cannot have 32 bits"},
    {INSN(PACKED, lane, 32), "operation 21 (pavg): cannot have elements of 32 bits"},
    {INSN(PACKED, lane, 0), "operation 21 (pavg): cannot have elements of 0 bits"},
    {INSN(NEXT, a, NEXT), "operation 3 (add): operand a is not a value that can be seen here"},
    {INSN(NEXT, a, WIDE), "operation 3 (add): operand a is not a value that can be seen here"},
    {INSN(NEXT, b, NONE), "operation 3 (add): operand b is not a value that can be seen here"},
    {INSN(WIDE, a, CHECKED), "operation 5 (zext): operand a is not a value that can be seen here"},
    {INSN(PAIR, b, CHECKED), "operation 20 (concat): operand b is not a value that can be seen "
                             "here"},
    {INSN(PACKED, a, INNER_SUM), "operation 21 (pavg): operand a is not a value that can be seen "
                                 "here"},
    {INSN(OUTER_BIT, a, INNER_V), "operation 16 (ne): operand a is not a value that can be seen "
                                  "here"},
    {INSN(BIT, b, BYTE), "operation 6 (ult): operand b has 8 bits, not 64"},
    {INSN(CHECKED, a, BYTE), "operation 7 (check): operand a has 8 bits, not 1"},
    {INSN(WIDE, a, KEY), "operation 5 (zext): operand a has 64 bits, not fewer than 64"},
    {INSN(PART, a, BYTE), "operation 19 (extract): operand a has 8 bits, not more than 8"},
    {INSN(PAIR, a, KEY), "operation 20 (concat): operand a has 64 bits, not 8"},
    {INSN(STORED, b, BIT), "operation 22 (store): operand b has 1 bits, not whole bytes"},
    {INSN(STORED, c, BYTE), "operation 22 (store): operand c has 8 bits, not 1"},
    {INSN(STORED, a, BYTE), "operation 22 (store): operand a has 8 bits, not 64"},
    {INSN(STORED, a, VALUES), "operation 22 (store): operand a is not a value that can be seen "
                              "here"},
    /* what an operation speaks of */
    {INSN(KEY, imm, 1), "operation 0 (input): there is no input 1"},
    {INSN(KEY, bits, 32), "operation 0 (input): has 32 bits, was declared with 64"},
    {INSN(INDUCED, imm, 1), "operation 1 (carry): there is no carry 1"},
    {INSN(INDUCED, bits, 8), "operation 1 (carry): has 8 bits, was declared with 64"},
    {INSN(ONE, bits, 32), "operation 3 (add): operand b has 32 bits, not 64"},
    {INSN(PART, imm, 57), "operation 19 (extract): bits from 57 on are not in operand a"},
    {INSN(PART, imm, UINT64_MAX), "operation 19 (extract): bits from 18446744073709551615 on are "
                                  "not in operand a"},
    {INSN(BYTE, stream, 2), "operation 4 (load): there is no stream 2"},
    {INSN(BYTE, imm, -3), "operation 4 (load): 1 bytes at -3 are not in the window of stream s"},
    {INSN(BYTE, imm, 2), "operation 4 (load): 1 bytes at 2 are not in the window of stream s"},
    {INSN(BYTE, imm, INT64_MAX),
     "operation 4 (load): 1 bytes at 9223372036854775807 are not in the "
     "window of stream s"},
    {INSN(STORED, imm, 7), "operation 22 (store): 2 bytes at 7 are not in the window of stream d"},
    {INSN(STORED, imm, -1), "operation 22 (store): 2 bytes at -1 are not in the window of stream "
                            "d"},
    /* loops */
    {INSN(OUTER, imm, 2), "operation 8 (loop): there is no loop 2"},
    {INSN(INNER, imm, 1), "operation 10 (loop): loop 1 has begun already"},
    {INSN(INNER_END, imm, 1), "operation 14 (end): loop 1 is not the innermost one"},
    {INSN(OUTER_END, imm, 0), "operation 17 (end): loop 0 is not the innermost one"},
    {INSN(OUTER_V, imm, 1), "operation 9 (variable): loop 1 has no variable 1"},
    {INSN(OUTER_V, bits, 8), "operation 9 (variable): has 8 bits, was declared with 64"},
    {INSN(INNER_RESULT, a, 1), "operation 15 (result): loop 1 did not end here"},
    {INSN(INNER_RESULT, a, 2), "operation 15 (result): there is no loop 2"},
    {INSN(INNER_RESULT, imm, 1), "operation 15 (result): loop 0 has no variable 1"},
    {INSN(INNER_RESULT, bits, 8), "operation 15 (result): has 8 bits, was declared with 64"},
    {INSN(OUTER_RESULT, a, 0), "operation 18 (result): loop 0 did not end here"},
    {LOOP(0, initial[0], INNER_V), "operation 10 (loop): variable 0 begins as no value that can be "
                                   "seen here"},
    {LOOP(1, initial[0], CHECKED), "operation 8 (loop): variable 0 begins as no value that can be "
                                   "seen here"},
    {LOOP(0, next[0], OUTER_BIT), "operation 14 (end): variable 0 goes on as no value that can be "
                                  "seen here"},
    {LOOP(1, next[0], INNER_SUM), "operation 17 (end): variable 0 goes on as no value that can be "
                                  "seen here"},
    {LOOP(0, next[0], INNER_BIT), "operation 14 (end): variable 0 begins with 64 bits and goes on "
                                  "with 1"},
    {LOOP(0, condition, INNER_SUM), "operation 14 (end): the condition is no bit that can be seen "
                                    "here"},
    {LOOP(1, condition, INNER_BIT), "operation 17 (end): the condition is no bit that can be seen "
                                    "here"},
    {LOOP(1, condition, NONE), "operation 17 (end): the condition is no bit that can be seen here"},
    {PROGRAM(n_insns, OUTER), "loop 0 does not begin"},
};

static void refuse(struct vt_pixel_program *p, const char *why)
{
    struct vt_error err = {0};
    assert_int_equal(vt_pixel_validate(p, &err), VT_E_CORRUPT);
    assert_string_equal(err.message, why);
}

static void test_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        const struct rule *r = &rules[i];
        struct vt_pixel_program p;
        build(&p);
        struct vt_pixel_loop *loops = p.loops;
        uint8_t *in = r->change.in == IN_INSN   ? (uint8_t *)&p.insns[r->change.at]
                      : r->change.in == IN_LOOP ? (uint8_t *)&p.loops[r->change.at]
                                                : (uint8_t *)&p;
        memcpy(in + r->change.offset, &r->change.to, r->change.size);
        refuse(&p, r->why);
        p.loops = loops;
        vt_pixel_fini(&p);
    }
}

/** Rules that want another program. */
static void test_more_rules(void **state)
{
    (void)state;
    struct vt_pixel_program p;
    build(&p);
    p.n_inputs = 2;
    p.inputs[1] = p.inputs[0];
    refuse(&p, "two inputs are called key");
    p.n_inputs = 1;
    p.n_carries = 2;
    p.carries[1] = p.carries[0];
    refuse(&p, "two carries are called i");
    strcpy(p.carries[1].name, "key");
    refuse(&p, "an input and a carry are called key");
    p.n_carries = 1;
    memset(p.inputs[0].name, 'k', sizeof p.inputs[0].name);
    refuse(&p, "input 0 has no good name");
    vt_pixel_fini(&p);

    build(&p);
    vt_op(&p, VT_PIXEL_CHECK, 0, BIT, NONE, NONE, 0);
    refuse(&p, "operation 23 (check): stands behind a store");
    p.n_insns--;
    vt_op(&p, VT_PIXEL_VARIABLE, 64, NONE, NONE, NONE, 0);
    refuse(&p, "operation 23 (variable): stands in no loop");
    p.n_insns--;
    uint32_t more = vt_pixel_add_loop(&p);
    refuse(&p, "loop 2 does not begin");
    vt_op(&p, VT_PIXEL_LOOP, 0, NONE, NONE, NONE, more);
    refuse(&p, "operation 23 (loop): stands behind a store");
    p.insns[STORED] = p.insns[ONE];
    refuse(&p, "loop 2 does not end");
    vt_store(&p, 1, 0, NONE, BYTE, NONE);
    refuse(&p, "operation 24 (store): stands in a loop");
    p.n_insns--;
    vt_op(&p, VT_PIXEL_CHECK, 0, BIT, NONE, NONE, 0);
    refuse(&p, "operation 24 (check): stands in a loop");
    p.n_insns--;
    for (uint32_t depth = 2; depth < VT_PIXEL_NESTING_MAX + 2; depth++) {
        more = vt_pixel_add_loop(&p);
        vt_op(&p, VT_PIXEL_LOOP, 0, NONE, NONE, NONE, more);
    }
    refuse(&p, "operation 27 (loop): loops are nested deeper than 4");
    p.n_insns -= 5;
    vt_const(&p, 8, 0x100);
    refuse(&p, "operation 23 (const): 0x100 has more than 8 bits");
    vt_pixel_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_cleared),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_more_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
