/* What is generated is valid, repeatable, and has everything in it; running it touches nothing
 * beside the windows. */
#include "tests/unit/harness.h"
#include "tests/unit/pixel/generate.h"

#include <string.h>

enum { PROGRAMS = 1500 };

static void test_everything_comes_up(void **state)
{
    (void)state;
    unsigned op[VT_PIXEL_OPS] = {0}, kind[VT_PIXEL_LAST + 1] = {0};
    unsigned narrow = 0, strides = 0, indexed = 0, predicated = 0, counted = 0, independent = 0;
    unsigned nested = 0, complete = 0, cut = 0, with_loops = 0;
    struct vt_generator g;
    vt_generator_init(&g, 1);
    for (unsigned i = 0; i < PROGRAMS; i++) {
        struct vt_pixel_program p;
        assert_true(vt_generate(&g, &p));
        unsigned depth = 0;
        for (uint32_t j = 0; j < p.n_insns; j++) {
            const struct vt_pixel_insn *insn = &p.insns[j];
            op[insn->op]++;
            indexed += insn->op == VT_PIXEL_LOAD && insn->a != VT_PIXEL_NONE;
            predicated += insn->op == VT_PIXEL_STORE && insn->c != VT_PIXEL_NONE;
            depth += insn->op == VT_PIXEL_LOOP;
            depth -= insn->op == VT_PIXEL_END;
            nested += depth == 2;
        }
        for (uint32_t j = 0; j < p.n_carries; j++) {
            kind[p.carries[j].kind]++;
            narrow += p.carries[j].narrow != p.carries[j].bits;
        }
        for (uint32_t j = 0; j < p.n_streams; j++) {
            strides += p.streams[j].stride_input != VT_PIXEL_NONE;
        }
        counted += p.counted;
        independent += p.independent;
        with_loops += p.n_loops > 0;
        struct vt_generated_call call;
        assert_true(vt_generate_call(&g, &p, 20, &call));
        uint64_t ran = vt_pixel_interpret(&p, &call.call);
        assert_true(ran <= call.call.count);
        assert_true(ran == call.call.count || !p.counted);
        complete += ran == call.call.count;
        cut += ran != call.call.count && ran > 0;
        vt_generated_fini(&call);
        vt_pixel_fini(&p);
    }
    for (unsigned i = 0; i < VT_PIXEL_OPS; i++) {
        if (op[i] < 20) {
            fail_msg("%s came up %u times", vt_pixel_op_name(i), op[i]);
        }
    }
    for (unsigned i = 0; i <= VT_PIXEL_LAST; i++) {
        assert_true(kind[i] > PROGRAMS / 20);
    }
    assert_true(narrow > 20 && strides > 20 && indexed > 20 && predicated > 20 && nested > 20);
    assert_true(counted > 100 && independent > 100 && independent < PROGRAMS - 100);
    assert_true(with_loops > 100 && complete > PROGRAMS / 2 && cut > 20);
}

static void test_a_seed_is_a_program(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct vt_generator a, b;
        struct vt_pixel_program p, q;
        struct vt_generated_call c, d;
        char why[200] = "";
        vt_generator_init(&a, seed);
        vt_generator_init(&b, seed);
        assert_true(vt_generate(&a, &p) && vt_generate(&b, &q));
        assert_int_equal(p.n_insns, q.n_insns);
        assert_memory_equal(p.insns, q.insns, p.n_insns * sizeof *p.insns);
        assert_true(vt_generate_call(&a, &p, 9, &c) && vt_generated_copy(&p, &c, &d));
        assert_true(vt_generated_equal(&p, &c, &d, why, sizeof why));
        assert_int_equal(vt_pixel_interpret(&p, &c.call), vt_pixel_interpret(&p, &d.call));
        if (!vt_generated_equal(&p, &c, &d, why, sizeof why)) {
            fail_msg("%s", why);
        }
        d.memory[d.bytes - 1] ^= 1;
        assert_false(vt_generated_equal(&p, &c, &d, why, sizeof why));
        vt_generated_fini(&c);
        vt_generated_fini(&d);
        vt_pixel_fini(&p);
        vt_pixel_fini(&q);
    }
}

/** As wished: independent, and no iteration meets what another one writes. */
static void test_independent(void **state)
{
    (void)state;
    struct vt_generator g;
    vt_generator_init(&g, 2);
    g.independent = true;
    for (unsigned i = 0; i < 300; i++) {
        struct vt_pixel_program p;
        struct vt_generated_call c;
        assert_true(vt_generate(&g, &p));
        assert_true(p.independent);
        assert_true(vt_generate_call(&g, &p, 16, &c));
        uint8_t *owner = calloc(c.bytes, 1);
        assert_non_null(owner);
        for (uint64_t k = 0; k < c.call.count; k++) {
            for (uint32_t s = 0; s < p.n_streams; s++) {
                const struct vt_pixel_stream *stream = &p.streams[s];
                uint64_t stride = stream->stride_input == VT_PIXEL_NONE
                                      ? (uint64_t)stream->stride
                                      : c.inputs[stream->stride_input];
                int64_t at = c.streams[s] - c.memory + (int64_t)(k * stride);
                assert_true(at + stream->low >= 0 && at + stream->high <= (int64_t)c.bytes);
                for (int64_t j = stream->low; stream->writes && j < stream->high; j++) {
                    assert_int_equal(owner[at + j], 0);
                    owner[at + j] = 1;
                }
            }
        }
        free(owner);
        assert_int_equal(vt_pixel_interpret(&p, &c.call), c.call.count);
        vt_generated_fini(&c);
        vt_pixel_fini(&p);
    }
}

/** Whatever is run changes the windows of what it writes, and nothing else. */
static void test_only_windows(void **state)
{
    (void)state;
    struct vt_generator g;
    vt_generator_init(&g, 3);
    unsigned changed = 0;
    for (unsigned i = 0; i < 500; i++) {
        struct vt_pixel_program p;
        struct vt_generated_call c, before;
        assert_true(vt_generate(&g, &p));
        assert_true(vt_generate_call(&g, &p, 12, &c) && vt_generated_copy(&p, &c, &before));
        uint64_t ran = vt_pixel_interpret(&p, &c.call);
        uint8_t *may = calloc(c.bytes, 1);
        assert_non_null(may);
        for (uint64_t k = 0; k < ran; k++) {
            for (uint32_t s = 0; s < p.n_streams; s++) {
                const struct vt_pixel_stream *stream = &p.streams[s];
                uint64_t stride = stream->stride_input == VT_PIXEL_NONE
                                      ? (uint64_t)stream->stride
                                      : c.inputs[stream->stride_input];
                int64_t at = c.streams[s] - c.memory + (int64_t)(k * stride);
                for (int64_t j = stream->low; stream->writes && j < stream->high; j++) {
                    may[at + j] = 1;
                }
            }
        }
        for (size_t j = 0; j < c.bytes; j++) {
            assert_true(c.memory[j] == before.memory[j] || may[j] != 0);
            changed += c.memory[j] != before.memory[j];
        }
        free(may);
        vt_generated_fini(&c);
        vt_generated_fini(&before);
        vt_pixel_fini(&p);
    }
    assert_true(changed > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_comes_up),
        cmocka_unit_test(test_a_seed_is_a_program),
        cmocka_unit_test(test_independent),
        cmocka_unit_test(test_only_windows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
