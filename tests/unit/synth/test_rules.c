/* Rules that simplify terms, each proven: a node as it is and what is made of it instead are one
 * to a solver, for all values of what they are made of. Operands are small random terms, so that
 * every rule is met in many shapes; a shape is asked twice at most.
 */
#include "tests/unit/harness.h"

#include "synth/smt.h"
#include "synth/term_parts.h"

#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define PROOFS 60U
#else
#define PROOFS 500U
#endif
#define ROUNDS 4000U
#define SHAPES 8192U

static uint64_t random_state = UINT64_C(0x2545f4914f6cdd1d);

static uint64_t any(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state * UINT64_C(0x9e3779b97f4a7c15);
}

static bool seems_equal(struct vt_terms *t, vt_term a, vt_term b)
{
    struct vt_term_node n = {
        .kind = VT_TERM_OPERATION, .op = VT_PIXEL_EQ, .bits = 1, .a = a, .b = b};
    struct vt_smt_query q = {.terms = t, .goal = vt_term_intern(t, &n)};
    struct vt_smt_answer answer;
    char *text;
    size_t bytes;
    assert_int_equal(vt_smt_text(&q, &text, &bytes, NULL), 0);
    vt_smt_ask(text, bytes, 20000, NULL, NULL, &answer);
    free(text);
    return answer.result == VT_PROOF_HOLDS;
}

/* ---- shapes: operations and which operands are constants or the same */

static uint8_t asked[SHAPES];

static uint64_t mix(uint64_t a, uint64_t b)
{
    a = (a ^ b) * UINT64_C(0x9e3779b97f4a7c15);
    return a ^ a >> 29;
}

static uint64_t shape_of(const struct vt_terms *t, vt_term term, unsigned depth)
{
    const struct vt_term_node *n = vt_term_node(t, term);
    uint64_t shape = (uint64_t)n->kind << 8 | n->op;
    if (n->kind == VT_TERM_OPERATION && depth != 0) {
        shape = mix(shape, shape_of(t, n->a, depth - 1));
        shape = mix(shape, shape_of(t, n->b, depth - 1));
        shape = mix(shape, shape_of(t, n->c, depth - 1) * 2 + (n->a == n->b));
    }
    return shape;
}

/* ---- small random terms */

struct pool {
    struct vt_terms *t;
    vt_term of[40];
    unsigned n;
};

static vt_term pick(struct pool *p, unsigned bits)
{
    for (unsigned tries = 0; tries < 20 && any() % 4 != 0; tries++) {
        vt_term term = p->of[any() % p->n];
        if (vt_term_bits(p->t, term) == bits) {
            return term;
        }
    }
    static const uint64_t corners[] = {0, 1, 2, 3, 7, 8, 0x7f, 0x80, 0xf0, 0xfe, UINT64_MAX};
    uint64_t c = any() % 4 == 0 ? any() : corners[any() % (sizeof corners / sizeof corners[0])];
    return vt_term_const(p->t, bits, any() % 6 == 0 ? ~c : c);
}

/* An operation as it is, of operands that are there. */
static struct vt_term_node some_node(struct pool *p)
{
    static const uint8_t widths[] = {8, 8, 8, 1, 16, 4};
    enum vt_pixel_op op = VT_PIXEL_ADD + (unsigned)(any() % (VT_PIXEL_LOAD - VT_PIXEL_ADD));
    struct vt_term_node n = {.kind = VT_TERM_OPERATION, .op = (uint8_t)op};
    unsigned bits = op == VT_PIXEL_BSWAP ? 16 : widths[any() % sizeof widths], low;
    n.bits = (uint8_t)bits;
    switch (vt_term_shape(op)) {
    case VT_SHAPE_PACKED:
        n.bits = 64;
        n.lane = (uint8_t)(8U << any() % 3);
        n.a = pick(p, 64);
        n.b = any() % 4 == 0 ? n.a : pick(p, 64);
        break;
    case VT_SHAPE_WIDEN:
        n.a = pick(p, bits);
        n.bits = (uint8_t)(bits + 1 + any() % 8);
        break;
    case VT_SHAPE_EXTRACT:
        n.bits = (uint8_t)(1 + any() % bits);
        n.imm = any() % (bits - n.bits + 1);
        n.a = pick(p, bits);
        break;
    case VT_SHAPE_CONCAT:
        low = widths[any() % sizeof widths];
        n.bits = (uint8_t)(bits + low);
        n.a = pick(p, bits);
        n.b = pick(p, low);
        break;
    case VT_SHAPE_COMPARE:
    case VT_SHAPE_CARRY:
        n.bits = 1;
        __attribute__((fallthrough));
    default:
        n.a = pick(p, bits);
        n.b = any() % 8 == 0 ? n.a : pick(p, bits);
        n.c = pick(p, 1);
        break;
    }
    if (vt_term_shape(op) == VT_SHAPE_UNARY) {
        n.b = 0;
    }
    if (vt_term_shape(op) != VT_SHAPE_CARRY && vt_term_shape(op) != VT_SHAPE_SELECT) {
        n.c = 0;
    }
    return n;
}

/* What is then just computed is tried on numbers elsewhere. */
static bool is_of_constants(const struct vt_terms *t, const struct vt_term_node *n)
{
    uint64_t v;
    return vt_term_is_const(t, n->a, &v) && (n->b == 0 || vt_term_is_const(t, n->b, &v)) &&
           (n->c == 0 || vt_term_is_const(t, n->c, &v));
}

static void every_rule(void **state)
{
    unsigned proofs = 0, shapes = 0;
    (void)state;
    for (unsigned round = 0; round < ROUNDS && proofs < PROOFS; round++) {
        struct pool p = {.t = vt_terms_create()};
        assert_non_null(p.t);
        static const uint8_t symbols[] = {8, 8, 1, 1, 16, 64, 64, 4};
        for (unsigned i = 0; i < sizeof symbols; i++) {
            p.of[p.n++] = vt_term_symbol(p.t, symbols[i], "x");
        }
        while (p.n < sizeof p.of / sizeof p.of[0]) {
            struct vt_term_node n = some_node(&p);
            vt_term made = vt_term_make(p.t, n.op, n.bits, n.lane, n.a, n.b, n.c, n.imm);
            vt_term as_it_is = vt_term_intern(p.t, &n);
            assert_true(made != 0 && as_it_is != 0);
            p.of[p.n++] = made;
            uint8_t *times = &asked[mix(shape_of(p.t, as_it_is, 2), 0) % SHAPES];
            if (made == as_it_is || *times == 2 || proofs == PROOFS || is_of_constants(p.t, &n)) {
                continue;
            }
            shapes += *times == 0;
            ++*times;
            proofs++;
            if (!seems_equal(p.t, as_it_is, made)) {
                char one[1000], other[1000];
                vt_term_print(p.t, as_it_is, one, sizeof one);
                vt_term_print(p.t, made, other, sizeof other);
                print_message("%s\nis not, or not known to be\n%s\n", one, other);
                fail();
            }
        }
        vt_terms_destroy(p.t);
    }
    print_message("%u proofs, %u shapes\n", proofs, shapes);
    assert_true(shapes > PROOFS / 4);
}

int main(void)
{
    struct vt_error err;
    if (vt_smt_check(&err) != 0) {
        fprintf(stderr, "%s\n", err.message);
        return 77;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_rule)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
