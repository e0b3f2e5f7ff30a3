/* Two recordings side by side: equal ones, and ones that part where the test says. */
#include "export_rig.h"

#include "trace/diff.h"

#define TOLD 8u

struct pair {
    struct play *plays[2];
    struct vt_trace_diff_options options;
    struct vt_trace_diff_result result;
    struct vt_trace_divergence told[TOLD];
    struct vt_trace_diff_item first[TOLD][2], last_equal[TOLD];
    unsigned n;
};

static int open_side(void *arg, enum vt_trace_diff_side side, struct vt_trace_source **source,
                     struct vt_trace_names **names, struct vt_error *err)
{
    struct pair *pair = arg;
    (void)err;
    pair->plays[side]->at = 0;
    *source = &pair->plays[side]->source;
    *names = NULL;
    return 0;
}

static void close_side(void *arg, enum vt_trace_diff_side side)
{
    (void)arg;
    (void)side;
}

static int tell(void *arg, const struct vt_trace_divergence *d, struct vt_error *err)
{
    struct pair *pair = arg;
    (void)err;
    assert_true(pair->n < TOLD);
    for (unsigned side = 0; side < 2; side++) {
        if (d->n_after[side] > 0) {
            pair->first[pair->n][side] = d->after[side][0];
        }
        assert_true(d->ended[side] == (d->n_after[side] == 0));
    }
    if (d->n_before > 0) {
        pair->last_equal[pair->n] = d->before[d->n_before - 1];
    }
    pair->told[pair->n++] = *d;
    return 0;
}

static int setup(void **state)
{
    struct pair *pair = calloc(1, sizeof *pair);
    pair->options = (struct vt_trace_diff_options){.context = 4, .window = 1000};
    pair->plays[0] = play_create();
    pair->plays[1] = play_create();
    *state = pair;
    return 0;
}

static int teardown(void **state)
{
    struct pair *pair = *state;
    vt_trace_close(&pair->plays[0]->source);
    vt_trace_close(&pair->plays[1]->source);
    free(pair);
    return 0;
}

static void compare(struct pair *pair, unsigned divergences)
{
    const struct vt_trace_diff_opener opener = {
        .open = open_side, .close = close_side, .tell = tell, .arg = pair};
    struct vt_error err;
    pair->n = 0;
    if (vt_trace_diff(&opener, &pair->options, &pair->result, &err) != 0) {
        fail_msg("%s", err.message);
    }
    assert_int_equal(pair->n, divergences);
    assert_int_equal(pair->result.divergences, divergences);
}

/* `n` blocks, one after the other. */
static void run_on(struct play *p, uint64_t pc, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        play_plain(p, pc + (uint64_t)2 * i);
    }
}

static void equal_ones(void **state)
{
    struct pair *pair = *state;
    for (unsigned side = 0; side < 2; side++) {
        run_on(pair->plays[side], 0x400, 100);
        pair->plays[side]->vcpu = 1;
        run_on(pair->plays[side], 0x800, 10);
    }
    compare(pair, 0);
    assert_int_equal(pair->result.equal, 220);
    assert_int_equal(pair->result.lanes, 2);
}

static void other_ways_that_meet_again(void **state)
{
    struct pair *pair = *state;
    struct play *a = pair->plays[0], *b = pair->plays[1];
    for (unsigned round = 0; round < 3; round++) {
        run_on(a, 0x400, 20);
        run_on(b, 0x400, 20);
        if (round == 1) {
            run_on(a, 0x500, 3);
            run_on(b, 0x600, 5);
        }
    }
    compare(pair, 1);
    const struct vt_trace_divergence *d = &pair->told[0];
    assert_false(d->data);
    assert_true(d->met);
    assert_int_equal(d->skipped[0], 6);
    assert_int_equal(d->skipped[1], 10);
    assert_int_equal(pair->first[0][0].pc, 0x500);
    assert_int_equal(pair->first[0][1].pc, 0x600);
    assert_int_equal(pair->first[0][0].number, 80);
    assert_int_equal(pair->last_equal[0].pc, 0x427);
    assert_int_equal(pair->result.equal, 120);
    /* A window that is too small, or none. */
    pair->options.window = 20;
    compare(pair, 1);
    assert_false(pair->told[0].met);
    assert_int_equal(pair->result.equal, 80);
}

static void loops_meet_at_the_nearest_place(void **state)
{
    struct pair *pair = *state;
    struct play *a = pair->plays[0], *b = pair->plays[1];
    /* The same loop, one turn more in B. */
    for (unsigned i = 0; i < 30; i++) {
        run_on(a, 0x400, 2);
    }
    for (unsigned i = 0; i < 31; i++) {
        run_on(b, 0x400, 2);
    }
    run_on(a, 0x700, 20);
    run_on(b, 0x700, 20);
    compare(pair, 1);
    assert_int_equal(pair->told[0].skipped[0], 0);
    assert_int_equal(pair->told[0].skipped[1], 4);
    assert_true(pair->told[0].met);
}

static void several_and_how_many_are_told(void **state)
{
    struct pair *pair = *state;
    for (unsigned round = 0; round < 4; round++) {
        run_on(pair->plays[0], 0x400, 20);
        run_on(pair->plays[1], 0x400, 20);
        run_on(pair->plays[1], 0x600, 1);
    }
    /* The last one is at the end: A has ended. */
    compare(pair, 4);
    assert_true(pair->told[3].ended[0]);
    assert_false(pair->told[3].ended[1]);
    pair->options.prefix = true;
    compare(pair, 3);
    pair->options.most = 2;
    compare(pair, 2);
    assert_true(pair->result.stopped);
}

/* A handler that runs in B alone. */
static void interrupts_can_be_ignored(void **state)
{
    struct pair *pair = *state;
    for (unsigned side = 0; side < 2; side++) {
        struct play *p = pair->plays[side];
        run_on(p, 0x400, 20);
        if (side == 1) {
            play_interrupt(p, 0x428, KERNEL);
            play_plain(p, KERNEL);
            play_interrupt(p, KERNEL + 2, KERNEL + 0x100); /* within it another */
            play_iret(p, KERNEL + 0x100);
            play_iret(p, KERNEL + 2);
        }
        run_on(p, 0x428, 20);
    }
    compare(pair, 1);
    assert_int_equal(pair->told[0].skipped[1], 6);
    assert_int_equal(pair->first[0][1].pc, KERNEL);
    pair->options.ignore_interrupts = true;
    compare(pair, 0);
    pair->options.ignore_interrupts = false;
    pair->options.user = true;
    compare(pair, 0);
}

static void a_process_wherever_it_runs(void **state)
{
    struct pair *pair = *state;
    for (unsigned side = 0; side < 2; side++) {
        struct play *p = pair->plays[side];
        uint64_t own = side == 0 ? ROOT_A : ROOT_B;
        uint64_t base = side == 0 ? 0x400000 : 0x7f0000;
        pair->options.roots[side] = own;
        p->root = own;
        run_on(p, base, 20);
        p->root = 0x7000000;
        run_on(p, 0x400000 + side * 0x10u, 5); /* others differ */
        p->root = own;
        run_on(p, KERNEL, side);
        p->vcpu = side;
        run_on(p, base + 0x28, 20);
    }
    pair->options.by_root = true;
    compare(pair, 1);
    assert_int_equal(pair->told[0].vcpu, UINT32_MAX);
    pair->options.relocate = true;
    compare(pair, 0);
    assert_int_equal(pair->result.equal, 80);
    assert_int_equal(pair->result.lanes, 1);
}

static void data_counts_when_asked_for(void **state)
{
    struct pair *pair = *state;
    for (unsigned side = 0; side < 2; side++) {
        struct play *p = pair->plays[side];
        run_on(p, 0x400, 3);
        play_return(p, 0x500, 0x7000);
        p->accesses[p->n - 1].has_value = true;
        p->accesses[p->n - 1].value[0] = 5 + side;
        run_on(p, 0x600, 3);
        run_on(p, side == 0 ? 0x700 : 0x800, 3);
    }
    compare(pair, 1);
    assert_true(pair->told[0].has_data_before);
    assert_int_equal(pair->told[0].data_before[0].pc, 0x501);
    assert_int_equal(pair->told[0].data_before[0].accesses[0].value[0], 5);
    assert_int_equal(pair->told[0].data_before[1].accesses[0].value[0], 6);
    pair->options.data = true;
    compare(pair, 2);
    assert_true(pair->told[0].data);
    assert_int_equal(pair->first[0][1].accesses[0].value[0], 6);
    assert_false(pair->told[1].has_data_before);
    /* Pointers lie elsewhere. */
    pair->options.relocate = true;
    compare(pair, 1);
}

static void registers_count_with_data(void **state)
{
    static const uint64_t values[2][2] = {{1, 2}, {1, 3}};
    struct pair *pair = *state;
    for (unsigned side = 0; side < 2; side++) {
        struct play *p = pair->plays[side];
        run_on(p, 0x400, 3);
        struct vt_trace_event *e = play_event(p, VT_TRACE_EV_REGISTERS);
        e->pc = 0x406;
        e->n_registers = 2;
        e->registers = values[side];
        run_on(p, 0x406, 3);
    }
    compare(pair, 0);
    pair->options.data = true;
    compare(pair, 1);
    assert_int_equal(pair->first[0][0].pc, 0x406);
    assert_int_equal(pair->told[0].registers[0].values[1], 2);
    assert_int_equal(pair->told[0].registers[1].values[1], 3);
}

static void a_lane_can_begin_later(void **state)
{
    struct pair *pair = *state;
    run_on(pair->plays[0], 0x300, 2);
    run_on(pair->plays[1], 0x200, 5);
    for (unsigned side = 0; side < 2; side++) {
        run_on(pair->plays[side], 0x400, 20);
    }
    compare(pair, 1);
    pair->options.has_from = true;
    pair->options.from = 0x400;
    compare(pair, 0);
    assert_int_equal(pair->result.equal, 40);
}

#define diff_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        diff_test(equal_ones),
        diff_test(other_ways_that_meet_again),
        diff_test(loops_meet_at_the_nearest_place),
        diff_test(several_and_how_many_are_told),
        diff_test(interrupts_can_be_ignored),
        diff_test(a_process_wherever_it_runs),
        diff_test(data_counts_when_asked_for),
        diff_test(registers_count_with_data),
        diff_test(a_lane_can_begin_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
