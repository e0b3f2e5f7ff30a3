/* Loops of a trace: which of its blocks they have, and where they are begun. */
#include "tests/unit/trace/learn_rig.h"

#include "synth/from_trace.h"

static uint32_t index_of(struct rig *r, unsigned header)
{
    uint32_t n;
    return (uint32_t)(rig_loop_at(r, header) - vt_trace_graph_loops(r->g, &n));
}

static bool has(const struct vt_synth_loop *l, unsigned at)
{
    for (uint32_t i = 0; i < l->n_blocks; i++) {
        if (l->head + (uint64_t)l->blocks[i].at == RIG_BASE + at) {
            return memcmp(l->bytes + l->blocks[i].first, rig_code + at, l->blocks[i].n) == 0;
        }
    }
    return false;
}

static void what_is_called_is_part_of_it(void **state)
{
    struct rig *r = *state;
    struct vt_synth_loop loop;
    rig_main(r);
    rig_learn(r);
    assert_int_equal(vt_synth_loop_of_trace(r->g, index_of(r, 0x07), &loop, &r->err), 0);
    assert_int_equal(loop.head, RIG_BASE + 0x07);
    assert_int_equal(loop.n_blocks, 7);
    static const unsigned blocks[] = {0x07, 0x0c, 0x17, 0x1c, 0x40, 0x48, 0x49};
    for (unsigned i = 0; i < 7; i++) {
        assert_true(has(&loop, blocks[i]));
    }
    assert_int_equal(vt_synth_loop_of_trace(r->g, index_of(r, 0x0c), &loop, &r->err), 0);
    assert_int_equal(loop.n_blocks, 1);
}

/* Its header is fallen into by some iterations; those all jump to the body. */
static void the_head_is_where_a_translation_begins(void **state)
{
    struct rig *r = *state;
    struct vt_synth_loop loop;
    rig_run(r, 0xb0, 1, 1);
    rig_run(r, 0xa9, 2, 1);
    for (unsigned i = 0; i < 8; i++) {
        rig_run(r, 0xa0, 3, 1);
        if (i % 2 != 0) {
            rig_run(r, 0xa6, 4, 1);
        } else {
            rig_run(r, 0xa9, 2, 1);
        }
    }
    rig_run(r, 0xad, 1, 1);
    rig_learn(r);
    assert_int_equal(vt_synth_loop_of_trace(r->g, index_of(r, 0xa9), &loop, &r->err), 0);
    assert_int_equal(loop.head, RIG_BASE + 0xa0);
    assert_int_equal(loop.n_blocks, 3);
}

/* As above, but all iterations seen fell into it: the block before it is as good. */
static void it_may_be_the_block_before(void **state)
{
    struct rig *r = *state;
    struct vt_synth_loop loop;
    rig_run(r, 0xb0, 1, 1);
    rig_run(r, 0xa9, 2, 1);
    for (unsigned i = 0; i < 8; i++) {
        rig_run(r, 0xa0, 3, 1);
        rig_run(r, 0xa6, 4, 1);
    }
    rig_learn(r);
    assert_int_equal(vt_synth_loop_of_trace(r->g, index_of(r, 0xa9), &loop, &r->err), 0);
    assert_int_equal(loop.head, RIG_BASE + 0xa6);
    assert_int_equal(loop.n_blocks, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        rig_test(what_is_called_is_part_of_it),
        rig_test(the_head_is_where_a_translation_begins),
        rig_test(it_may_be_the_block_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
