/* Events of a known program give its basic blocks, edges, loops and functions, whatever translation
 * blocks they came in and whatever came between. */
#include "learn_rig.h"

struct expected {
    unsigned at, n;
    uint64_t count;
};
static const struct expected expected[] = {
    {0x00, 2, 1}, {0x07, 1, 3}, {0x0c, 4, 30}, {0x17, 1, 3}, {0x1c, 2, 3},
    {0x20, 1, 1}, {0x40, 3, 3}, {0x48, 1, 1},  {0x49, 1, 3},
};
#define N_EXPECTED (sizeof expected / sizeof expected[0])

static void check_main(struct rig *r, unsigned handler_blocks)
{
    uint32_t n;
    vt_trace_graph_blocks(r->g, &n);
    assert_int_equal(n, N_EXPECTED + handler_blocks);
    for (unsigned i = 0; i < N_EXPECTED; i++) {
        const struct vt_trace_basic_block *block = rig_block_at(r, expected[i].at);
        assert_int_equal(block->n, expected[i].n);
        assert_int_equal(block->count, expected[i].count);
        assert_int_equal(block->instructions, expected[i].n * expected[i].count);
    }
    assert_int_equal(rig_edge(r, 0x0c, 0x0c, VT_EDGE_JUMP), 27);
    assert_int_equal(rig_edge(r, 0x0c, 0x17, VT_EDGE_NEXT), 3);
    assert_int_equal(rig_edge(r, 0x17, 0x40, VT_EDGE_CALL), 3);
    assert_int_equal(rig_edge(r, 0x49, 0x1c, VT_EDGE_RETURN), 3);
    assert_int_equal(rig_edge(r, 0x17, 0x1c, VT_EDGE_OVER), 3);
    assert_int_equal(rig_edge(r, 0x40, 0x49, VT_EDGE_JUMP), 2);
    assert_int_equal(rig_edge(r, 0x48, 0x49, VT_EDGE_NEXT), 1);
    assert_int_equal(vt_trace_graph_stats(r->g)->unexplained, 0);

    vt_trace_graph_loops(r->g, &n);
    assert_int_equal(n, 2);
    const struct vt_trace_loop *outer = rig_loop_at(r, 0x07), *inner = rig_loop_at(r, 0x0c);
    assert_int_equal(outer->depth, 1);
    assert_int_equal(outer->parent, VT_TRACE_NONE);
    assert_int_equal(outer->n_blocks, 4);
    assert_int_equal(outer->entries, 1);
    assert_int_equal(outer->iterations, 3);
    assert_int_equal(outer->instructions, 132);
    assert_int_equal(outer->exclusive, 12);
    assert_int_equal(outer->first, RIG_BASE + 0x07);
    assert_int_equal(outer->last, RIG_BASE + 0x20);
    assert_int_equal(inner->depth, 2);
    assert_ptr_equal(vt_trace_graph_loops(r->g, &n) + inner->parent, outer);
    assert_int_equal(inner->entries, 3);
    assert_int_equal(inner->iterations, 30);
    assert_float_equal(inner->trips, 10, 0.0);
    assert_int_equal(inner->instructions, 120);
}

static void known_program(void **state)
{
    struct rig *r = *state;
    rig_main(r);
    rig_learn(r);
    check_main(r, 0);
    assert_int_equal(vt_trace_graph_stats(r->g)->instructions, 148);

    uint32_t n;
    const struct vt_trace_function *functions = vt_trace_graph_functions(r->g, &n);
    assert_int_equal(n, 2);
    assert_int_equal(functions[0].entry, rig_find(r, RIG_BASE, RIG_ROOT));
    assert_int_equal(functions[0].instructions, 135);
    assert_int_equal(functions[1].entry, rig_find(r, RIG_BASE + 0x40, RIG_ROOT));
    assert_int_equal(functions[1].calls, 3);
    assert_int_equal(functions[1].instructions, 13);
    assert_int_equal(functions[1].n_blocks, 3);

    /* Twice the same, and more events after it. */
    rig_learn(r);
    check_main(r, 0);
}

static void interrupts_and_faults_come_back(void **state)
{
    struct rig *r = *state;
    rig_row(r, true, false);
    /* Row 2: an interrupt right after an iteration; a fault at the load; one in mid block. */
    rig_run(r, 7, 5, 1);
    rig_event(r, RIG_BASE, 0xc, 4, 4, VT_TRACE_END_INTERRUPT, RIG_BASE + 0xc);
    rig_handler(r);
    rig_event(r, RIG_BASE, 0xc, 4, 0, VT_TRACE_END_EXCEPTION, RIG_BASE + 0xc);
    rig_handler(r);
    rig_run(r, 0xc, 4, 1);
    rig_event(r, RIG_BASE, 0xc, 4, 1, VT_TRACE_END_EXCEPTION, RIG_BASE + 0xf);
    rig_handler(r);
    rig_run(r, 0xf, 3, 1);
    /* A second interrupt before the first one's handler began. */
    rig_event(r, RIG_BASE, 0xc, 4, 4, VT_TRACE_END_INTERRUPT, RIG_BASE + 0xc);
    struct vt_trace_event cut = {.kind = VT_TRACE_EV_CUT, .from = RIG_KERNEL, .to = RIG_KERNEL};
    assert_int_equal(vt_trace_graph_add(r->g, &cut, &r->err), 0);
    rig_handler(r);
    rig_handler(r);
    /* The code under it changed, QEMU says, though it did not. */
    rig_event(r, RIG_BASE, 0xc, 4, 2, VT_TRACE_END_RESTART, 0);
    rig_run(r, 0x13, 2, 1);
    rig_run(r, 0xc, 4, 4);
    rig_run(r, 0x17, 1, 1);
    rig_run(r, 0x40, 3, 1);
    rig_run(r, 0x49, 1, 1);
    rig_run(r, 0x1c, 2, 1);
    rig_row(r, false, true);
    rig_learn(r);
    check_main(r, 1);
    assert_int_equal(vt_trace_graph_stats(r->g)->joined, 5);
}

static void a_nest_without_an_entry(void **state)
{
    struct rig *r = *state;
    /* Recording begins in the inner loop, and the outer one never ends. */
    rig_run(r, 0xc, 4, 4);
    rig_run(r, 0x17, 1, 1);
    rig_run(r, 0x40, 3, 1);
    rig_run(r, 0x49, 1, 1);
    rig_run(r, 0x1c, 2, 1);
    for (unsigned i = 0; i < 5; i++) {
        rig_row(r, false, false);
    }
    rig_learn(r);
    const struct vt_trace_loop *outer = rig_loop_at(r, 0x07), *inner = rig_loop_at(r, 0x0c);
    uint32_t n;
    vt_trace_graph_loops(r->g, &n);
    assert_int_equal(n, 2);
    assert_int_equal(outer->entries, 0);
    assert_int_equal(outer->n_blocks, 4);
    assert_int_equal(inner->depth, 2);
    /* Five rows, and the one it began in. */
    assert_int_equal(inner->entries, 6);
    assert_int_equal(inner->iterations, 54);
}

static void two_vcpus_do_not_mix(void **state)
{
    struct rig *r = *state;
    /* The same program twice, one row here and one there. */
    for (unsigned row = 0; row < 3; row++) {
        for (unsigned vcpu = 0; vcpu < 2; vcpu++) {
            r->vcpu = vcpu;
            r->root = RIG_ROOT + vcpu * 0x1000;
            rig_row(r, row == 0, row == 2);
        }
    }
    rig_learn(r);
    uint32_t n;
    vt_trace_graph_spaces(r->g, &n);
    assert_int_equal(n, 2);
    assert_int_equal(rig_loop_at(r, 0xc)->iterations, 30);
    r->root = RIG_ROOT;
    assert_int_equal(rig_loop_at(r, 0xc)->iterations, 30);
    assert_int_equal(rig_loop_at(r, 0x7)->entries, 1);
}

static void processes_take_turns(void **state)
{
    struct rig *r = *state;
    /* Two processes on one vCPU, switched in the inner loop by an interrupt. */
    rig_run(r, 0, 7, 1);
    rig_event(r, RIG_BASE, 0xc, 4, 4, VT_TRACE_END_INTERRUPT, RIG_BASE + 0xc);
    r->root = RIG_ROOT + 0x1000;
    rig_handler(r);
    rig_run(r, 0xc, 4, 5);
    rig_event(r, RIG_BASE, 0xc, 4, 4, VT_TRACE_END_INTERRUPT, RIG_BASE + 0xc);
    r->root = RIG_ROOT;
    rig_handler(r);
    rig_run(r, 0xc, 4, 8);
    rig_run(r, 0x17, 1, 1);
    rig_learn(r);
    assert_int_equal(rig_loop_at(r, 0xc)->iterations, 10);
    assert_int_equal(rig_loop_at(r, 0xc)->entries, 1);
    assert_int_equal(vt_trace_graph_stats(r->g)->joined, 1);
    r->root += 0x1000;
    assert_int_equal(rig_loop_at(r, 0xc)->iterations, 6);
}

static void system_calls_go_on(void **state)
{
    struct rig *r = *state;
    rig_run(r, 0x60, 3, 4);
    rig_run(r, 0x68, 1, 1);
    rig_handler(r);
    rig_run(r, 0x70, 5, 1);
    rig_learn(r);
    /* What follows the system call is not at 0x6a: nobody came back there. */
    assert_int_equal(vt_trace_graph_stats(r->g)->joined, 0);
    assert_int_equal(rig_loop_at(r, 0x60)->iterations, 4);
}

static void losses_break(void **state)
{
    struct rig *r = *state;
    rig_run(r, 0xc, 4, 2);
    struct vt_trace_event lost = {.kind = VT_TRACE_EV_LOST, .lost_words = 7};
    assert_int_equal(vt_trace_graph_add(r->g, &lost, &r->err), 0);
    rig_run(r, 0x40, 3, 1);
    rig_learn(r);
    assert_int_equal(rig_edge(r, 0xc, 0x40, VT_EDGE_JUMP), 0);
    assert_int_equal(vt_trace_graph_stats(r->g)->unexplained, 0);
}

static void what_cannot_follow_is_no_edge(void **state)
{
    struct rig *r = *state;
    rig_run(r, 0xc, 4, 1);
    rig_run(r, 0x40, 3, 1);
    rig_learn(r);
    assert_int_equal(rig_edge(r, 0xc, 0x40, VT_EDGE_JUMP), 0);
    assert_int_equal(vt_trace_graph_stats(r->g)->unexplained, 1);
}

static void changed_code_lies_apart(void **state)
{
    struct rig *r = *state;
    static const uint8_t other[] = {0x90, 0x90, 0xc3}, sizes[] = {1, 1, 1};
    struct vt_trace_block block = {
        .id = 99, .pc = RIG_BASE + 0xc, .n = 3, .code_bytes = 3, .sizes = sizes, .code = other};
    struct vt_trace_event event = {.kind = VT_TRACE_EV_BLOCK,
                                   .root = RIG_ROOT,
                                   .block = &block,
                                   .executed = 3,
                                   .end = VT_TRACE_END_WHOLE};
    rig_run(r, 0xc, 4, 5);
    struct vt_trace_event lost = {.kind = VT_TRACE_EV_LOST};
    assert_int_equal(vt_trace_graph_add(r->g, &lost, &r->err), 0);
    assert_int_equal(vt_trace_graph_add(r->g, &event, &r->err), 0);
    rig_learn(r);
    uint32_t n, here = 0;
    const struct vt_trace_basic_block *blocks = vt_trace_graph_blocks(r->g, &n);
    for (uint32_t i = 0; i < n; i++) {
        struct vt_trace_block one;
        vt_trace_graph_instruction(r->g, i, 0, &one);
        here += blocks[i].pc == RIG_BASE + 0xc;
        assert_int_equal(one.pc, blocks[i].pc);
        assert_int_equal(one.code[0], blocks[i].n == 3 ? 0x90 : 0x48);
    }
    assert_int_equal(here, 2);
}

static void caps_are_said(void **state)
{
    struct rig *r = *state;
    vt_trace_graph_limit(r->g, &(struct vt_trace_graph_limits){.blocks = 3});
    rig_main(r);
    rig_learn(r);
    const struct vt_trace_graph_stats *stats = vt_trace_graph_stats(r->g);
    assert_true(stats->ignored > 0);
    assert_int_equal(stats->instructions, 148);
    /* What was taken is right. */
    assert_int_equal(rig_block_at(r, 0xc)->n, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        rig_test(known_program),
        rig_test(interrupts_and_faults_come_back),
        rig_test(two_vcpus_do_not_mix),
        rig_test(a_nest_without_an_entry),
        rig_test(processes_take_turns),
        rig_test(system_calls_go_on),
        rig_test(losses_break),
        rig_test(changed_code_lies_apart),
        rig_test(what_cannot_follow_is_no_edge),
        rig_test(caps_are_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
