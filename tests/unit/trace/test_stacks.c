/* Call stacks of programs that are known: calls, returns, traps, threads, and what has no caller.
 */
#include "export_rig.h"

#include "trace/export.h"
#include "trace/stacks.h"

/* The collapsed stacks, in the order of the tree. */
static void expect_limited(struct play *p, const struct vt_trace_stack_limits *limits,
                           const char *want)
{
    struct vt_trace_stacks *s;
    struct vt_trace_event event;
    struct vt_error err;
    char got[4096] = "", text[VT_TRACE_FRAME_TEXT];
    uint64_t instructions = 0, seen = 0;
    uint32_t n;
    assert_int_equal(vt_trace_stacks_create("x86_64", NULL, limits, &s, &err), 0);
    while (vt_trace_next(&p->source, 0, &event, &err) == 1) {
        assert_int_equal(vt_trace_stacks_add(s, &event, NULL, &err), 0);
        seen += event.kind == VT_TRACE_EV_BLOCK ? event.executed : 0;
    }
    const struct vt_trace_stack_node *nodes = vt_trace_stacks_nodes(s, &n);
    for (uint32_t i = 1; i < n; i++) {
        uint32_t path[64], depth = 0;
        instructions += nodes[i].instructions;
        assert_true(nodes[i].parent < i);
        if (nodes[i].instructions == 0) {
            continue;
        }
        for (uint32_t at = i; at != 0; at = nodes[at].parent) {
            path[depth++] = nodes[at].frame;
        }
        while (depth-- > 0) {
            strcat(got, vt_trace_frame_text(vt_trace_stacks_frame(s, path[depth]), text));
            strcat(got, depth > 0 ? ";" : " ");
        }
        snprintf(got + strlen(got), 24, "%llu\n", (unsigned long long)nodes[i].instructions);
    }
    assert_string_equal(got, want);
    assert_int_equal(instructions, seen);
    assert_int_equal(vt_trace_stacks_stats(s)->instructions, seen);
    vt_trace_stacks_destroy(s);
    vt_trace_close(&p->source);
}

static void expect(struct play *p, const char *want)
{
    expect_limited(p, NULL, want);
}

static void calls_and_returns(void **state)
{
    (void)state;
    struct play *p = play_create();
    play_call(p, 0x400, 0x500, 0);
    play_call(p, 0x500, 0x600, 0);
    play_return(p, 0x600, 0);
    play_call(p, 0x506, 0x600, 0);
    play_return(p, 0x600, 0);
    play_return(p, 0x50c, 0);
    play_plain(p, 0x406);
    /* Out of what the recording began in: its caller is not known, either. */
    play_return(p, 0x408, 0);
    play_call(p, 0x300, 0x600, 0);
    play_return(p, 0x600, 0);
    expect(p, "root 0x1000000;? 8\n"
              "root 0x1000000;?;0x500 6\n"
              "root 0x1000000;?;0x500;0x600 4\n"
              "root 0x1000000;?;0x600 2\n");
}

static void thunks_make_no_frames(void **state)
{
    (void)state;
    struct play *p = play_create();
    /* A retpoline: it calls over a few bytes, and returns to what it has put there. */
    play_call(p, 0x400, 0x700, 0);
    play_call(p, 0x700, 0x70c, 0);
    play_return(p, 0x70c, 0);
    play_plain(p, 0x500);
    play_return(p, 0x502, 0);
    /* Only to read the PC; only to fill the return predictor. */
    play_call(p, 0x406, 0x40c, 0);
    play_call(p, 0x40c, 0x413, 0);
    play_call(p, 0x413, 0x41a, 0);
    play_call(p, 0x41a, 0x600, 0);
    play_return(p, 0x600, 0);
    play_plain(p, 0x420);
    /* The same retpoline with the slots known. */
    play_call(p, 0x422, 0x700, 0x7ff0);
    play_call(p, 0x700, 0x70c, 0x7fe8);
    play_return(p, 0x70c, 0x7fe8);
    play_return(p, 0x502, 0x7ff0);
    play_plain(p, 0x428);
    expect(p, "root 0x1000000;? 16\n"
              "root 0x1000000;?;0x700 8\n"
              "root 0x1000000;?;0x500 4\n"
              "root 0x1000000;?;0x600 2\n"
              "root 0x1000000;?;0x502 2\n");
}

static void traps_stand_on_what_they_came_upon(void **state)
{
    (void)state;
    struct play *p = play_create();
    play_call(p, 0x400, 0x500, 0);
    play_interrupt(p, 0x500, KERNEL);
    play_call(p, KERNEL, KERNEL + 0x100, 0);
    play_return(p, KERNEL + 0x100, 0);
    play_iret(p, KERNEL + 6);
    play_syscall(p, 0x500);
    play_call(p, KERNEL + 0x200, KERNEL + 0x300, 0);
    play_plain(p, KERNEL + 0x300);
    play_fault(p, KERNEL + 0x400); /* in the kernel, which mends it elsewhere */
    play_iret(p, KERNEL + 0x400);
    play_return(p, KERNEL + 0x310, 0);
    play_sysret(p, KERNEL + 0x206);
    play_return(p, 0x503, 0);
    play_plain(p, 0x406);
    expect(p,
           "root 0x1000000;? 4\n"
           "root 0x1000000;?;0x500 4\n"
           "root 0x1000000;?;0x500;0xffffffff81000000 4\n"
           "root 0x1000000;?;0x500;0xffffffff81000000;0xffffffff81000100 2\n"
           "root 0x1000000;?;0x500;0xffffffff81000200 4\n"
           "root 0x1000000;?;0x500;0xffffffff81000200;0xffffffff81000300 3\n"
           "root 0x1000000;?;0x500;0xffffffff81000200;0xffffffff81000300;0xffffffff81000400 2\n");
}

/* What handles them is not recorded, so that nothing tells that it came back in between. */
static void interrupts_follow_each_other(void **state)
{
    (void)state;
    struct play *p = play_create();
    play_call(p, 0x400, 0x500, 0);
    play_plain(p, 0x500);
    play_interrupt(p, 0x502, KERNEL);
    play_cut(p, 0x502, KERNEL);
    play_cut(p, KERNEL + 0x40, KERNEL); /* the kernel, as it sleeps */
    play_cut(p, KERNEL + 0x40, KERNEL);
    play_cut(p, 0x502, KERNEL);
    play_plain(p, 0x502);
    play_return(p, 0x504, 0);
    play_call(p, 0x406, 0x500, 0);
    play_return(p, 0x500, 0);
    play_plain(p, 0x40c);
    expect(p, "root 0x1000000;? 6\n"
              "root 0x1000000;?;0x500 8\n");
}

static void signals_stand_on_what_they_came_upon(void **state)
{
    (void)state;
    struct play *p = play_create();
    play_call(p, 0x400, 0x500, 0);
    play_plain(p, 0x500);
    play_interrupt(p, 0x502, KERNEL);
    play_iret(p, KERNEL); /* to the handler */
    play_call(p, 0x800, 0x900, 0);
    play_return(p, 0x900, 0);
    play_syscall(p, 0x806); /* sigreturn */
    play_iret(p, KERNEL + 0x50);
    play_return(p, 0x502, 0); /* goes on */
    play_plain(p, 0x406);
    expect(p, "root 0x1000000;? 4\n"
              "root 0x1000000;?;0x500 4\n"
              "root 0x1000000;?;0x500;0xffffffff81000000 2\n"
              "root 0x1000000;?;0x500;0x800 4\n"
              "root 0x1000000;?;0x500;0x800;0x900 2\n"
              "root 0x1000000;?;0x500;0x800;0xffffffff81000050 2\n");
}

/* A thread of each of two processes calls the kernel, which switches from one to the other in a
 * function that both call from the same place. */
static void two_threads(struct play *p, uint64_t slot_a, uint64_t slot_b)
{
#define ON(slot, frame) ((slot) != 0 ? (slot) - (uint64_t)8 * (frame) : 0)
    const uint64_t enter = KERNEL, read = KERNEL + 0x1000, sleep = KERNEL + 0x2000;
    const uint64_t schedule = KERNEL + 0x3000, pick = KERNEL + 0x4000;
    play_call(p, 0x400, 0x500, ON(slot_a != 0 ? 0x7fff0000u : 0, 0));
    play_syscall(p, 0x500);
    play_call(p, enter, read, ON(slot_a, 0));
    play_call(p, read, schedule, ON(slot_a, 1));
    play_call(p, schedule, pick, ON(slot_a, 2));
    p->root = ROOT_B;
    play_return(p, pick, ON(slot_b, 2)); /* on the other's stack */
    play_return(p, schedule + 6, ON(slot_b, 1));
    play_return(p, sleep + 6, ON(slot_b, 0));
    play_sysret(p, enter + 0x100);
    play_call(p, 0x900, 0xa00, ON(slot_a != 0 ? 0x7fff0000u : 0, 0));
    play_syscall(p, 0xa00);
    play_call(p, enter + 0xfa, sleep, ON(slot_b, 0));
    play_call(p, sleep, schedule, ON(slot_b, 1));
    play_call(p, schedule, pick, ON(slot_b, 2));
    p->root = ROOT_A;
    play_return(p, pick, ON(slot_a, 2)); /* back */
    play_return(p, schedule + 6, ON(slot_a, 1));
    play_return(p, read + 6, ON(slot_a, 0));
    play_sysret(p, enter + 6);
    play_return(p, 0x503, ON(slot_a != 0 ? 0x7fff0000u : 0, 0));
    play_plain(p, 0x406);
}

static const char *const threads =
    "root 0x1000000;? 4\n"
    "root 0x1000000;?;0x500 4\n"
    "root 0x1000000;?;0x500;0xffffffff81000000 4\n"
    "root 0x1000000;?;0x500;0xffffffff81000000;0xffffffff81001000 4\n"
    "root 0x1000000;?;0x500;0xffffffff81000000;0xffffffff81001000;0xffffffff81003000 4\n"
    "root 0x1000000;?;0x500;0xffffffff81000000;0xffffffff81001000;0xffffffff81003000;"
    "0xffffffff81004000 2\n";

static void threads_by_stack_slot(void **state)
{
    (void)state;
    struct play *p = play_create();
    char want[2048];
    two_threads(p, 0xffffc90000010000u, 0xffffc90000020000u);
    snprintf(want, sizeof want, "%s", threads);
    /* B's stack is new when it is seen first: what the kernel has just changed to. */
    strcat(want,
           "root 0x2000000;? 8\n"
           "root 0x2000000;?;0xa00 2\n"
           "root 0x2000000;?;0xa00;0xffffffff810000fa 2\n"
           "root 0x2000000;?;0xa00;0xffffffff810000fa;0xffffffff81002000 2\n"
           "root 0x2000000;?;0xa00;0xffffffff810000fa;0xffffffff81002000;0xffffffff81003000 2\n"
           "root 0x2000000;?;0xa00;0xffffffff810000fa;0xffffffff81002000;0xffffffff81003000;"
           "0xffffffff81004000 2\n");
    expect(p, want);
}

static void threads_by_return_address(void **state)
{
    (void)state;
    struct play *p = play_create();
    char want[2048];
    two_threads(p, 0, 0);
    /* Where both return to the same place, nobody can tell: that is counted for the one before. */
    snprintf(want, sizeof want, "%s", threads);
    strcat(want,
           "root 0x2000000;? 6\n"
           "root 0x2000000;?;0xa00 2\n"
           "root 0x2000000;?;0xa00;0xffffffff810000fa 2\n"
           "root 0x2000000;?;0xa00;0xffffffff810000fa;0xffffffff81002000 2\n"
           "root 0x2000000;?;0xa00;0xffffffff810000fa;0xffffffff81002000;0xffffffff81003000 4\n"
           "root 0x2000000;?;0xa00;0xffffffff810000fa;0xffffffff81002000;0xffffffff81003000;"
           "0xffffffff81004000 2\n");
    expect(p, want);
}

static void a_longjmp_unwinds(void **state)
{
    (void)state;
    struct play *p = play_create();
    play_call(p, 0x400, 0x500, 0);
    play_call(p, 0x500, 0x600, 0);
    play_call(p, 0x600, 0x700, 0);
    play_return(p, 0x700, 0);
    play_plain(p, 0x406); /* past two frames */
    play_call(p, 0x408, 0x500, 0);
    play_plain(p, 0x500);
    expect(p, "root 0x1000000;? 6\n"
              "root 0x1000000;?;0x500 4\n"
              "root 0x1000000;?;0x500;0x600 2\n"
              "root 0x1000000;?;0x500;0x600;0x700 2\n");
}

static void what_was_lost_begins_anew(void **state)
{
    (void)state;
    struct play *p = play_create();
    play_call(p, 0x400, 0x500, 0);
    play_plain(p, 0x500);
    play_event(p, VT_TRACE_EV_LOST)->lost_words = 7;
    play_plain(p, 0x602);
    play_return(p, 0x604, 0);
    play_plain(p, 0x406); /* where the first call returns to */
    expect(p, "root 0x1000000;? 8\n"
              "root 0x1000000;?;0x500 2\n");
}

static void recursion_beyond_the_cap(void **state)
{
    (void)state;
    struct play *p = play_create();
    const struct vt_trace_stack_limits limits = {.frames = 3};
    for (unsigned i = 0; i < 6; i++) {
        play_call(p, 0x500, 0x500, 0);
    }
    play_plain(p, 0x500);
    play_interrupt(p, 0x502, KERNEL);
    play_iret(p, KERNEL);
    play_return(p, 0x502, 0);
    for (unsigned i = 0; i < 5; i++) {
        play_return(p, 0x506, 0);
    }
    play_plain(p, 0x506);
    expect_limited(p, &limits,
                   "root 0x1000000;? 4\n"
                   "root 0x1000000;?;0x500 4\n"
                   "root 0x1000000;?;0x500;0x500 20\n"
                   "root 0x1000000;?;0x500;0x500;0xffffffff81000000 2\n");
}

static void a_full_tree_counts_for_callers(void **state)
{
    (void)state;
    struct play *p = play_create();
    const struct vt_trace_stack_limits limits = {.nodes = 4};
    play_call(p, 0x400, 0x500, 0);
    play_call(p, 0x500, 0x600, 0);
    play_return(p, 0x600, 0);
    play_return(p, 0x506, 0);
    play_plain(p, 0x406);
    expect_limited(p, &limits,
                   "root 0x1000000;? 4\n"
                   "root 0x1000000;?;0x500 6\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_and_returns),
        cmocka_unit_test(thunks_make_no_frames),
        cmocka_unit_test(traps_stand_on_what_they_came_upon),
        cmocka_unit_test(interrupts_follow_each_other),
        cmocka_unit_test(signals_stand_on_what_they_came_upon),
        cmocka_unit_test(threads_by_stack_slot),
        cmocka_unit_test(threads_by_return_address),
        cmocka_unit_test(a_longjmp_unwinds),
        cmocka_unit_test(what_was_lost_begins_anew),
        cmocka_unit_test(recursion_beyond_the_cap),
        cmocka_unit_test(a_full_tree_counts_for_callers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
