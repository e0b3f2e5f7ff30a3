/* What solvers are told each operation is, is what terms compute; solvers are asked, raced and
 * ended, whatever the text. */
#include "tests/unit/harness.h"

#include "base/io.h"
#include "synth/smt.h"

#include <string.h>

#define INSTANCES 3u
#define VALUES_MAX (INSTANCES * 3u * 64u)

struct values {
    vt_term symbol[VALUES_MAX];
    uint64_t value[VALUES_MAX];
    unsigned n;
};

static uint64_t value_of(void *arg, vt_term symbol)
{
    const struct values *v = arg;
    for (unsigned i = 0; i < v->n; i++) {
        if (v->symbol[i] == symbol) {
            return v->value[i];
        }
    }
    fail_msg("a symbol nobody made");
    return 0;
}

static uint64_t seed = 1;
static uint64_t any(void)
{
    static const uint64_t corners[] = {0,
                                       1,
                                       2,
                                       7,
                                       8,
                                       31,
                                       63,
                                       64,
                                       0x7f,
                                       0x80,
                                       0xff,
                                       0x7fff,
                                       0x8000,
                                       0x7fffffff,
                                       0x80000000,
                                       INT64_MAX,
                                       (uint64_t)INT64_MIN,
                                       UINT64_MAX,
                                       0x8080808080808080,
                                       0x7f80ff0001fe7f80};
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    uint64_t r = seed ^ seed >> 29;
    return r % 3 == 0 ? corners[(r >> 8) % (sizeof corners / sizeof corners[0])]
                      : r * 0x9e3779b97f4a7c15u;
}

static enum vt_proof_result ask(struct vt_terms *t, const vt_term *assumed, uint32_t n,
                                vt_term goal)
{
    struct vt_smt_query q = {.terms = t, .assumptions = assumed, .n = n, .goal = goal};
    char *text;
    size_t bytes;
    struct vt_smt_answer answer;
    assert_int_equal(vt_smt_text(&q, &text, &bytes, NULL), 0);
    vt_smt_ask(text, bytes, 0, NULL, NULL, &answer);
    free(text);
    return answer.result;
}

static enum vt_proof_result ask_goal(struct vt_terms *t, vt_term goal)
{
    return ask(t, NULL, 0, goal);
}

/* Widths of the operation's result, and of its operands. */
struct form {
    uint8_t op, bits, lane, a, b, c;
    uint64_t imm;
};

/* Forms of one operation, asked about together. */
struct batch {
    struct vt_terms *t;
    struct values v;
    vt_term assumed[VALUES_MAX], all;
};

static void begin(struct batch *b)
{
    *b = (struct batch){.t = vt_terms_create()};
    b->all = vt_term_const(b->t, 1, 1);
}

static void add(struct batch *b, const struct form *f)
{
    struct vt_terms *t = b->t;
    for (unsigned i = 0; i < INSTANCES; i++) {
        vt_term of[3] = {0};
        const uint8_t widths[3] = {f->a, f->b, f->c};
        for (unsigned j = 0; j < 3; j++) {
            if (widths[j] != 0) {
                unsigned n = b->v.n++;
                of[j] = vt_term_symbol(t, widths[j], "x");
                b->v.symbol[n] = of[j];
                b->v.value[n] = any();
                b->assumed[n] = vt_term_compare(t, VT_PIXEL_EQ, of[j],
                                                vt_term_const(t, widths[j], b->v.value[n]));
            }
        }
        vt_term r = vt_term_make(t, f->op, f->bits, f->lane, of[0], of[1], of[2], f->imm);
        vt_term is = vt_term_const(t, f->bits, vt_term_evaluate(t, r, value_of, &b->v));
        b->all = vt_term_2(t, VT_PIXEL_AND, b->all, vt_term_compare(t, VT_PIXEL_EQ, r, is));
    }
}

static void end(struct batch *b, unsigned op)
{
    assert_false(vt_terms_broken(b->t));
    enum vt_proof_result yes = ask(b->t, b->assumed, b->v.n, b->all),
                         no = ask(b->t, b->assumed, b->v.n, vt_term_1(b->t, VT_PIXEL_NOT, b->all));
    if (yes != VT_PROOF_HOLDS || no != VT_PROOF_FALSE) {
        fail_msg("%s: %d %d", vt_pixel_op_name(op), yes, no);
    }
    vt_terms_destroy(b->t);
}

static const uint8_t widths[] = {1, 8, 16, 32, 64};

static void test_arithmetic(void **state)
{
    (void)state;
    for (unsigned op = VT_PIXEL_ADD; op <= VT_PIXEL_BSWAP; op++) {
        bool unary = op == VT_PIXEL_NOT || op == VT_PIXEL_NEG || op >= VT_PIXEL_POPCNT;
        struct batch b;
        begin(&b);
        for (unsigned i = 0; i < sizeof widths; i++) {
            uint8_t w = widths[i];
            if (op != VT_PIXEL_BSWAP || w >= 16) {
                add(&b, &(struct form){.op = (uint8_t)op, .bits = w, .a = w, .b = unary ? 0 : w});
            }
        }
        end(&b, op);
    }
}

static void test_bits(void **state)
{
    (void)state;
    for (unsigned op = VT_PIXEL_EQ; op <= VT_PIXEL_SUB_OVERFLOW; op++) {
        struct batch b;
        begin(&b);
        for (unsigned i = 0; i < sizeof widths; i++) {
            uint8_t w = widths[i];
            add(&b,
                &(struct form){
                    .op = (uint8_t)op, .bits = 1, .a = w, .b = w, .c = op >= VT_PIXEL_ADD_CARRY});
        }
        end(&b, op);
    }
}

static void test_slices(void **state)
{
    (void)state;
    struct batch of[VT_PIXEL_CONCAT - VT_PIXEL_SELECT + 1];
    for (unsigned op = VT_PIXEL_SELECT; op <= VT_PIXEL_CONCAT; op++) {
        begin(&of[op - VT_PIXEL_SELECT]);
    }
    struct batch *concat = &of[VT_PIXEL_CONCAT - VT_PIXEL_SELECT],
                 *extract = &of[VT_PIXEL_EXTRACT - VT_PIXEL_SELECT];
    for (unsigned i = 0; i < sizeof widths; i++) {
        uint8_t w = widths[i], half = w / 2;
        add(&of[0], &(struct form){.op = VT_PIXEL_SELECT, .bits = w, .a = w, .b = w, .c = 1});
        for (unsigned j = 0; j < i; j++) {
            uint8_t n = widths[j];
            add(&of[VT_PIXEL_ZEXT - VT_PIXEL_SELECT],
                &(struct form){.op = VT_PIXEL_ZEXT, .bits = w, .a = n});
            add(&of[VT_PIXEL_SEXT - VT_PIXEL_SELECT],
                &(struct form){.op = VT_PIXEL_SEXT, .bits = w, .a = n});
            for (uint8_t first = 0; first + n <= w; first = (uint8_t)(first + 7)) {
                add(extract,
                    &(struct form){.op = VT_PIXEL_EXTRACT, .bits = n, .a = w, .imm = first});
            }
        }
        if (w >= 16) {
            add(concat, &(struct form){.op = VT_PIXEL_CONCAT, .bits = w, .a = half, .b = half});
        }
    }
    add(concat, &(struct form){.op = VT_PIXEL_CONCAT, .bits = 37, .a = 30, .b = 7});
    for (unsigned op = VT_PIXEL_SELECT; op <= VT_PIXEL_CONCAT; op++) {
        end(&of[op - VT_PIXEL_SELECT], op);
    }
}

static void test_packed(void **state)
{
    (void)state;
    for (unsigned op = VT_PIXEL_PADD; op <= VT_PIXEL_PASHR; op++) {
        struct batch b;
        begin(&b);
        for (uint8_t lane = 8; lane <= 32; lane = (uint8_t)(lane * 2)) {
            add(&b, &(struct form){.op = (uint8_t)op, .bits = 64, .lane = lane, .a = 64, .b = 64});
        }
        end(&b, op);
    }
}

/* ---------------------------------------------------------------- for all numbers */

static vt_term constant(struct vt_terms *t, unsigned bits, uint64_t value)
{
    return vt_term_const(t, bits, value);
}

static vt_term masked(struct vt_terms *t, vt_term x, unsigned shift, uint64_t mask)
{
    return vt_term_2(t, VT_PIXEL_AND, vt_term_2(t, VT_PIXEL_LSHR, x, constant(t, 32, shift)),
                     constant(t, 32, mask));
}

static void test_identities(void **state)
{
    (void)state;
    struct vt_terms *t = vt_terms_create();
    vt_term x = vt_term_symbol(t, 32, "x"), y = vt_term_symbol(t, 32, "y"),
            c = vt_term_symbol(t, 1, "c");
    /* population by halves */
    vt_term n = x;
    static const uint64_t masks[] = {0x55555555, 0x33333333, 0x0f0f0f0f, 0x00ff00ff, 0x0000ffff};
    for (unsigned i = 0; i < 5; i++) {
        n = vt_term_2(t, VT_PIXEL_ADD, masked(t, n, 0, masks[i]), masked(t, n, 1u << i, masks[i]));
    }
    assert_int_equal(
        ask_goal(t, vt_term_compare(t, VT_PIXEL_EQ, vt_term_1(t, VT_PIXEL_POPCNT, x), n)),
        VT_PROOF_HOLDS);
    /* trailing zeros are the ones below the lowest one */
    vt_term below = vt_term_2(t, VT_PIXEL_AND, vt_term_1(t, VT_PIXEL_NOT, x),
                              vt_term_2(t, VT_PIXEL_SUB, x, constant(t, 32, 1)));
    assert_int_equal(ask_goal(t, vt_term_compare(t, VT_PIXEL_EQ, vt_term_1(t, VT_PIXEL_CTZ, x),
                                                 vt_term_1(t, VT_PIXEL_POPCNT, below))),
                     VT_PROOF_HOLDS);
    /* a carry is a sum that is less than what it is of; both of 33 bits */
    vt_term sum = vt_term_2(
        t, VT_PIXEL_ADD, vt_term_2(t, VT_PIXEL_ADD, vt_term_zext(t, x, 33), vt_term_zext(t, y, 33)),
        vt_term_zext(t, c, 33));
    vt_term carry = vt_term_make(t, VT_PIXEL_ADD_CARRY, 1, 0, x, y, c, 0);
    assert_int_equal(
        ask_goal(t, vt_term_compare(t, VT_PIXEL_EQ, carry, vt_term_extract(t, sum, 32, 1))),
        VT_PROOF_HOLDS);
    /* a borrow is the carry's complement with the other operand inverted */
    vt_term borrow = vt_term_make(t, VT_PIXEL_SUB_BORROW, 1, 0, x, y, c, 0);
    vt_term other = vt_term_make(t, VT_PIXEL_ADD_CARRY, 1, 0, x, vt_term_1(t, VT_PIXEL_NOT, y),
                                 vt_term_1(t, VT_PIXEL_NOT, c), 0);
    assert_int_equal(ask_goal(t, vt_term_compare(t, VT_PIXEL_NE, borrow, other)), VT_PROOF_HOLDS);
    /* and what is false is found false */
    assert_int_equal(ask_goal(t, vt_term_compare(t, VT_PIXEL_EQ, borrow, other)), VT_PROOF_FALSE);
    /* the rounded average without a wider sum */
    vt_term a = vt_term_symbol(t, 64, "a"), b = vt_term_symbol(t, 64, "b");
    vt_term half = vt_term_make(t, VT_PIXEL_PLSHR, 64, 16, vt_term_2(t, VT_PIXEL_XOR, a, b),
                                constant(t, 64, 1), 0, 0);
    vt_term average =
        vt_term_make(t, VT_PIXEL_PSUB, 64, 16, vt_term_2(t, VT_PIXEL_OR, a, b), half, 0, 0);
    assert_int_equal(
        ask_goal(t, vt_term_compare(t, VT_PIXEL_EQ, average,
                                    vt_term_make(t, VT_PIXEL_PAVG, 64, 16, a, b, 0, 0))),
        VT_PROOF_HOLDS);
    vt_terms_destroy(t);
}

/* ---------------------------------------------------------------- text and processes */

static void test_linear(void **state)
{
    (void)state;
    struct vt_terms *t = vt_terms_create();
    vt_term x = vt_term_symbol(t, 64, "x");
    for (unsigned i = 0; i < 100; i++) { /* 2^100 as a tree */
        x = vt_term_2(t, VT_PIXEL_MUL, vt_term_2(t, VT_PIXEL_XOR, x, constant(t, 64, i)), x);
    }
    struct vt_smt_query q = {.terms = t,
                             .goal = vt_term_compare(t, VT_PIXEL_EQ, x, constant(t, 64, 1))};
    char *text;
    size_t bytes;
    assert_int_equal(vt_smt_text(&q, &text, &bytes, NULL), 0);
    assert_in_range(bytes, 1000, 30000);
    free(text);
    q.goal = 0;
    assert_int_equal(vt_smt_text(&q, &text, &bytes, NULL), VT_E_NOMEM);
    vt_terms_destroy(t);
}

static bool stop_now(void *arg)
{
    return *(bool *)arg;
}

static void test_hostile(void **state)
{
    (void)state;
    size_t deep = 300000;
    char *nested = malloc(deep + 1);
    assert_non_null(nested);
    memset(nested, '(', deep);
    nested[deep] = '\0';
    const char *const texts[] = {"",
                                 "(",
                                 ")",
                                 "(check-sat",
                                 "unsat",
                                 "(assert false",
                                 "\xff\xfe",
                                 "(set-logic QF_BV)(assert (= x #b1))(check-sat)",
                                 "(declare-const x (_ BitVec 0))(assert (= x x))(check-sat)",
                                 "(assert (= (_ bv1 4) (_ bv1 5)))(check-sat)",
                                 nested};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct vt_smt_answer answer;
        vt_smt_ask(texts[i], strlen(texts[i]), 3000, NULL, NULL, &answer);
        assert_int_not_equal(answer.result, VT_PROOF_HOLDS);
    }
    free(nested);
}

/* Factors of 2^127 - 1, which has none: no lucky guess is an answer. */
static const char hard[] =
    "(set-logic QF_BV)(declare-const a (_ BitVec 128))(declare-const b (_ BitVec 128))"
    "(assert (= (bvmul a b) (_ bv170141183460469231731687303715884105727 128)))"
    "(assert (bvult a (_ bv18446744073709551615 128)))(assert (bvult b (_ bv18446744073709551615 "
    "128)))"
    "(assert (bvugt a (_ bv1 128)))(assert (bvugt b (_ bv1 128)))(check-sat)";

static void test_time(void **state)
{
    (void)state;
    struct vt_smt_answer answer;
    vt_smt_ask(hard, sizeof hard - 1, 200, NULL, NULL, &answer);
    assert_int_equal(answer.result, VT_PROOF_UNKNOWN);
    bool stop = true;
    vt_smt_ask(hard, sizeof hard - 1, 0, stop_now, &stop, &answer);
    assert_int_equal(answer.result, VT_PROOF_UNKNOWN);
}

int main(void)
{
    struct vt_error err;
    if (vt_smt_check(&err) != 0) {
        fprintf(stderr, "%s\n", err.message);
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arithmetic), cmocka_unit_test(test_bits),
        cmocka_unit_test(test_slices),     cmocka_unit_test(test_packed),
        cmocka_unit_test(test_identities), cmocka_unit_test(test_linear),
        cmocka_unit_test(test_hostile),    cmocka_unit_test(test_time)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
