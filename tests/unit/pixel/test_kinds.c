/* What is found out of carries is true: of programs by hand, and of random ones when they run. */
#include "tests/unit/harness.h"
#include "tests/unit/pixel/build.h"
#include "tests/unit/pixel/generate.h"

static uint64_t low(uint64_t value, unsigned bits)
{
    return bits >= 64 ? value : value & ((UINT64_C(1) << bits) - 1);
}

static int64_t as_signed(uint64_t value, unsigned bits)
{
    return (int64_t)(value << (64 - bits)) >> (64 - bits);
}

static uint64_t identity(unsigned kind, unsigned bits)
{
    switch (kind) {
    case VT_PIXEL_REDUCE_AND:
    case VT_PIXEL_REDUCE_UMIN:
        return low(UINT64_MAX, bits);
    case VT_PIXEL_REDUCE_SMIN:
        return low(UINT64_MAX, bits) >> 1;
    case VT_PIXEL_REDUCE_SMAX:
        return UINT64_C(1) << (bits - 1);
    default:
        return 0;
    }
}

static uint64_t combine(unsigned kind, unsigned bits, uint64_t a, uint64_t b)
{
    switch (kind) {
    case VT_PIXEL_REDUCE_ADD:
        return low(a + b, bits);
    case VT_PIXEL_REDUCE_XOR:
        return a ^ b;
    case VT_PIXEL_REDUCE_AND:
        return a & b;
    case VT_PIXEL_REDUCE_OR:
        return a | b;
    case VT_PIXEL_REDUCE_UMIN:
        return a < b ? a : b;
    case VT_PIXEL_REDUCE_UMAX:
        return a > b ? a : b;
    case VT_PIXEL_REDUCE_SMIN:
        return as_signed(a, bits) < as_signed(b, bits) ? a : b;
    default:
        return as_signed(a, bits) > as_signed(b, bits) ? a : b;
    }
}

/** The carry after `ran` iterations, by its kind, from a run that began with its identity (or, for
 * LAST, with something else). */
static uint64_t expected(const struct vt_pixel_carry *c, uint64_t began, uint64_t ran,
                         uint64_t other)
{
    if (ran == 0) {
        return low(began, c->bits);
    }
    if (c->kind == VT_PIXEL_INDUCTION) {
        return low(low(began, c->narrow) + ran * c->step, c->narrow);
    }
    if (c->kind == VT_PIXEL_LAST) {
        return other;
    }
    return combine(c->kind, c->narrow, low(began, c->narrow), other);
}

static void test_random(void **state)
{
    (void)state;
    struct vt_generator g;
    vt_generator_init(&g, 11);
    for (unsigned i = 0; i < 3000; i++) {
        struct vt_pixel_program p;
        struct vt_generated_call c, other;
        char why[200];
        assert_true(vt_generate(&g, &p));
        assert_true(vt_generate_call(&g, &p, 12, &c) && vt_generated_copy(&p, &c, &other));
        uint64_t began[VT_PIXEL_CARRIES_MAX];
        memcpy(began, c.carries, sizeof began);
        for (uint32_t k = 0; k < p.n_carries; k++) {
            const struct vt_pixel_carry *carry = &p.carries[k];
            if (carry->kind >= VT_PIXEL_REDUCE_ADD && carry->kind <= VT_PIXEL_REDUCE_SMAX) {
                other.carries[k] = identity(carry->kind, carry->narrow);
            } else if (carry->kind == VT_PIXEL_LAST) {
                other.carries[k] = vt_generator_next(&g);
            }
        }
        uint64_t ran = vt_pixel_interpret(&p, &c.call);
        assert_int_equal(vt_pixel_interpret(&p, &other.call), ran);
        for (uint32_t k = 0; k < p.n_carries; k++) {
            if (p.carries[k].kind != VT_PIXEL_ANY) {
                uint64_t want = expected(&p.carries[k], began[k], ran, other.carries[k]);
                if (c.carries[k] != want) {
                    fail_msg("program %u: carry %u, kind %u, %u bits: %#lx, not %#lx", i, k,
                             p.carries[k].kind, p.carries[k].narrow, c.carries[k], want);
                }
                other.carries[k] = c.carries[k];
            }
        }
        /* Nothing else was moved by that. */
        if (!vt_generated_equal(&p, &c, &other, why, sizeof why)) {
            fail_msg("program %u: %s", i, why);
        }
        vt_generated_fini(&c);
        vt_generated_fini(&other);
        vt_pixel_fini(&p);
    }
}

/** Independent iterations may be run in any order: here backwards, each as a call of its own. */
static void test_any_order(void **state)
{
    (void)state;
    struct vt_generator g;
    vt_generator_init(&g, 12);
    g.independent = true;
    unsigned tried = 0;
    for (unsigned i = 0; i < 1500; i++) {
        struct vt_pixel_program p;
        struct vt_generated_call c, back;
        bool index = false;
        assert_true(vt_generate(&g, &p));
        for (uint32_t j = 0; j < p.n_insns; j++) {
            index |= p.insns[j].op == VT_PIXEL_INDEX;
        }
        if (index) {
            vt_pixel_fini(&p);
            continue;
        }
        tried++;
        assert_true(vt_generate_call(&g, &p, 12, &c) && vt_generated_copy(&p, &c, &back));
        uint64_t n = c.call.count, began[VT_PIXEL_CARRIES_MAX], left[VT_PIXEL_CARRIES_MAX];
        uint8_t *at[VT_PIXEL_STREAMS_MAX];
        memcpy(began, c.carries, sizeof began);
        memcpy(left, c.carries, sizeof left);
        memcpy(at, back.streams, sizeof at);
        assert_int_equal(vt_pixel_interpret(&p, &c.call), n);
        for (uint64_t k = n; k-- > 0;) {
            for (uint32_t s = 0; s < p.n_streams; s++) {
                uint64_t stride = p.streams[s].stride_input == NONE
                                      ? (uint64_t)p.streams[s].stride
                                      : c.inputs[p.streams[s].stride_input];
                back.streams[s] = at[s] + (int64_t)(k * stride);
            }
            for (uint32_t j = 0; j < p.n_carries; j++) {
                const struct vt_pixel_carry *carry = &p.carries[j];
                back.carries[j] = carry->kind == VT_PIXEL_INDUCTION
                                      ? expected(carry, began[j], k, 0)
                                      : identity(carry->kind, carry->narrow);
            }
            back.call.count = 1;
            assert_int_equal(vt_pixel_interpret(&p, &back.call), 1);
            for (uint32_t j = 0; j < p.n_carries; j++) {
                const struct vt_pixel_carry *carry = &p.carries[j];
                uint64_t so_far = low(left[j], carry->narrow);
                if (k == n - 1) {
                    left[j] = carry->kind >= VT_PIXEL_REDUCE_ADD && carry->kind < VT_PIXEL_LAST
                                  ? combine(carry->kind, carry->narrow, so_far, back.carries[j])
                                  : back.carries[j];
                } else if (carry->kind >= VT_PIXEL_REDUCE_ADD && carry->kind < VT_PIXEL_LAST) {
                    left[j] = combine(carry->kind, carry->narrow, so_far, back.carries[j]);
                }
            }
        }
        for (uint32_t j = 0; j < p.n_carries; j++) {
            back.carries[j] = n > 0 ? left[j] : c.carries[j];
        }
        char why[200];
        if (!vt_generated_equal(&p, &c, &back, why, sizeof why)) {
            fail_msg("program %u: %s", i, why);
        }
        vt_generated_fini(&c);
        vt_generated_fini(&back);
        vt_pixel_fini(&p);
    }
    assert_true(tried > 200);
}

static unsigned kind_of(struct vt_pixel_program *p, uint32_t next)
{
    p->carries[0].next = next;
    assert_int_equal(vt_pixel_validate(p, NULL), 0);
    unsigned kind = p->carries[0].kind;
    assert_int_equal(p->independent, kind != VT_PIXEL_ANY);
    return kind;
}

static void test_inductions(void **state)
{
    (void)state;
    struct vt_pixel_program p;
    vt_pixel_init(&p);
    uint32_t i = vt_carry(&p, "i", 64);
    assert_int_equal(kind_of(&p, i), VT_PIXEL_INDUCTION);
    assert_int_equal(p.carries[0].step, 0);
    uint32_t up = vt_two(&p, VT_PIXEL_ADD, 64, vt_const(&p, 64, 5), i);
    assert_int_equal(kind_of(&p, up), VT_PIXEL_INDUCTION);
    assert_int_equal(p.carries[0].step, 5);
    uint32_t down = vt_two(&p, VT_PIXEL_SUB, 64, up, vt_const(&p, 64, 9));
    assert_int_equal(kind_of(&p, down), VT_PIXEL_INDUCTION);
    assert_int_equal(p.carries[0].step, UINT64_C(-4));
    uint32_t mirrored = vt_two(&p, VT_PIXEL_SUB, 64, vt_const(&p, 64, 9), i);
    assert_int_equal(kind_of(&p, mirrored), VT_PIXEL_ANY);

    uint32_t half = vt_op(&p, VT_PIXEL_EXTRACT, 32, i, NONE, NONE, 0);
    uint32_t less = vt_two(&p, VT_PIXEL_SUB, 32, half, vt_const(&p, 32, 1));
    uint32_t wide = vt_op(&p, VT_PIXEL_ZEXT, 64, less, NONE, NONE, 0);
    assert_int_equal(kind_of(&p, wide), VT_PIXEL_INDUCTION);
    assert_int_equal(p.carries[0].step, 0xffffffff);
    assert_int_equal(p.carries[0].narrow, 32);
    uint32_t extended = vt_op(&p, VT_PIXEL_SEXT, 64, less, NONE, NONE, 0);
    assert_int_equal(kind_of(&p, extended), VT_PIXEL_ANY);
    uint32_t upper = vt_op(&p, VT_PIXEL_EXTRACT, 32, i, NONE, NONE, 32);
    uint32_t moved = vt_op(&p, VT_PIXEL_ZEXT, 64, upper, NONE, NONE, 0);
    assert_int_equal(kind_of(&p, moved), VT_PIXEL_ANY);
    vt_pixel_fini(&p);
}

/** Whoever else reads the carry, or what is on the way, makes it no reduction. */
static void test_reductions(void **state)
{
    (void)state;
    for (unsigned spoil = 0; spoil < 7; spoil++) {
        struct vt_pixel_program p;
        vt_pixel_init(&p);
        uint32_t k = vt_input(&p, "k", 64), sum = vt_carry(&p, "sum", 64);
        uint32_t one = vt_two(&p, VT_PIXEL_ADD, 64, sum, spoil == 1 ? sum : k);
        uint32_t two = vt_two(&p, spoil == 2 ? VT_PIXEL_XOR : VT_PIXEL_ADD, 64, k, one);
        unsigned kind = spoil == 0 ? VT_PIXEL_REDUCE_ADD : VT_PIXEL_ANY;
        if (spoil == 3) {
            vt_two(&p, VT_PIXEL_AND, 64, sum, k);
        } else if (spoil == 4) {
            vt_two(&p, VT_PIXEL_AND, 64, one, k);
        } else if (spoil == 5) {
            vt_two(&p, VT_PIXEL_AND, 64, two, k);
        } else if (spoil == 6) {
            uint32_t again = vt_op(&p, VT_PIXEL_CARRY, 64, NONE, NONE, NONE, 0);
            vt_two(&p, VT_PIXEL_AND, 64, again, k);
        }
        assert_int_equal(kind_of(&p, two), kind);
        vt_pixel_fini(&p);
    }
    struct vt_pixel_program p;
    vt_pixel_init(&p);
    uint32_t k = vt_input(&p, "k", 8), most = vt_carry(&p, "most", 8);
    uint32_t less = vt_two(&p, VT_PIXEL_SLE, 1, most, k);
    uint32_t chosen = vt_op(&p, VT_PIXEL_SELECT, 8, k, most, less, 0);
    assert_int_equal(kind_of(&p, chosen), VT_PIXEL_REDUCE_SMAX);
    vt_op(&p, VT_PIXEL_NOT, 1, less, NONE, NONE, 0);
    assert_int_equal(kind_of(&p, chosen), VT_PIXEL_ANY);
    vt_pixel_fini(&p);
}

static void test_last(void **state)
{
    (void)state;
    struct vt_pixel_program p;
    vt_pixel_init(&p);
    uint32_t k = vt_input(&p, "k", 64), unread = vt_carry(&p, "last", 64);
    assert_int_equal(kind_of(&p, k), VT_PIXEL_LAST);
    vt_two(&p, VT_PIXEL_XOR, 64, k, unread);
    assert_int_equal(kind_of(&p, k), VT_PIXEL_ANY);
    vt_pixel_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),     cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_inductions), cmocka_unit_test(test_reductions),
        cmocka_unit_test(test_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
