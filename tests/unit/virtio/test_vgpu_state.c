/* Both tables of transitions, entry by entry, and their names. */
#include "tests/unit/harness.h"
#include "virtio/gpu/driver.h"

struct move {
    int from, by, to;
};

/* What is not here is refused. */
static const struct move moves[] = {
    {VT_VGPU_UNINITIALISED, VT_VGPU_EV_PROBE, VT_VGPU_NEGOTIATED},
    {VT_VGPU_UNINITIALISED, VT_VGPU_EV_RESET_FAILED, VT_VGPU_UNUSABLE},
    {VT_VGPU_NEGOTIATED, VT_VGPU_EV_QUEUES_RUN, VT_VGPU_READY},
    {VT_VGPU_NEGOTIATED, VT_VGPU_EV_RESET_FAILED, VT_VGPU_UNUSABLE},
    {VT_VGPU_READY, VT_VGPU_EV_SUBMIT, VT_VGPU_READY},
    {VT_VGPU_READY, VT_VGPU_EV_RESPONSE, VT_VGPU_READY},
    {VT_VGPU_READY, VT_VGPU_EV_DISPLAY_CHANGED, VT_VGPU_READY},
    {VT_VGPU_READY, VT_VGPU_EV_TIMEOUT, VT_VGPU_TIMED_OUT},
    {VT_VGPU_READY, VT_VGPU_EV_QUEUE_FAULT, VT_VGPU_BROKEN_QUEUE},
    {VT_VGPU_READY, VT_VGPU_EV_ANSWER_FAULT, VT_VGPU_BROKEN_ANSWER},
    {VT_VGPU_READY, VT_VGPU_EV_NEEDS_RESET, VT_VGPU_NEEDS_RESET},
    {VT_VGPU_READY, VT_VGPU_EV_SHUT_DOWN, VT_VGPU_UNINITIALISED},
    {VT_VGPU_RECOVERING, VT_VGPU_EV_PROBE, VT_VGPU_NEGOTIATED},
    {VT_VGPU_RECOVERING, VT_VGPU_EV_RESET_FAILED, VT_VGPU_UNUSABLE},
    {VT_VGPU_TIMED_OUT, VT_VGPU_EV_RESET, VT_VGPU_RECOVERING},
    {VT_VGPU_TIMED_OUT, VT_VGPU_EV_SHUT_DOWN, VT_VGPU_UNINITIALISED},
    {VT_VGPU_BROKEN_QUEUE, VT_VGPU_EV_RESET, VT_VGPU_RECOVERING},
    {VT_VGPU_BROKEN_QUEUE, VT_VGPU_EV_SHUT_DOWN, VT_VGPU_UNINITIALISED},
    {VT_VGPU_BROKEN_ANSWER, VT_VGPU_EV_RESET, VT_VGPU_RECOVERING},
    {VT_VGPU_BROKEN_ANSWER, VT_VGPU_EV_SHUT_DOWN, VT_VGPU_UNINITIALISED},
    {VT_VGPU_NEEDS_RESET, VT_VGPU_EV_RESET, VT_VGPU_RECOVERING},
    {VT_VGPU_NEEDS_RESET, VT_VGPU_EV_SHUT_DOWN, VT_VGPU_UNINITIALISED},
    {VT_VGPU_UNUSABLE, VT_VGPU_EV_RESET, VT_VGPU_RECOVERING},
    {VT_VGPU_UNUSABLE, VT_VGPU_EV_SHUT_DOWN, VT_VGPU_UNINITIALISED},
};

static const struct move steps[] = {
    {VT_VGPU_RES_FREE, VT_VGPU_STEP_CREATE, VT_VGPU_RES_CREATED},
    {VT_VGPU_RES_CREATED, VT_VGPU_STEP_BACK, VT_VGPU_RES_BACKED},
    {VT_VGPU_RES_CREATED, VT_VGPU_STEP_DESTROY, VT_VGPU_RES_FREE},
    {VT_VGPU_RES_CREATED, VT_VGPU_STEP_RESET, VT_VGPU_RES_LOST},
    {VT_VGPU_RES_BACKED, VT_VGPU_STEP_UNBACK, VT_VGPU_RES_CREATED},
    {VT_VGPU_RES_BACKED, VT_VGPU_STEP_SHOW, VT_VGPU_RES_SHOWN},
    {VT_VGPU_RES_BACKED, VT_VGPU_STEP_TRANSFER, VT_VGPU_RES_BACKED},
    {VT_VGPU_RES_BACKED, VT_VGPU_STEP_FLUSH, VT_VGPU_RES_BACKED},
    {VT_VGPU_RES_BACKED, VT_VGPU_STEP_DESTROY, VT_VGPU_RES_FREE},
    {VT_VGPU_RES_BACKED, VT_VGPU_STEP_RESET, VT_VGPU_RES_LOST},
    {VT_VGPU_RES_SHOWN, VT_VGPU_STEP_SHOW, VT_VGPU_RES_SHOWN},
    {VT_VGPU_RES_SHOWN, VT_VGPU_STEP_HIDE, VT_VGPU_RES_BACKED},
    {VT_VGPU_RES_SHOWN, VT_VGPU_STEP_TRANSFER, VT_VGPU_RES_SHOWN},
    {VT_VGPU_RES_SHOWN, VT_VGPU_STEP_FLUSH, VT_VGPU_RES_SHOWN},
    {VT_VGPU_RES_SHOWN, VT_VGPU_STEP_RESET, VT_VGPU_RES_LOST},
    {VT_VGPU_RES_LOST, VT_VGPU_STEP_DESTROY, VT_VGPU_RES_FREE},
    {VT_VGPU_RES_LOST, VT_VGPU_STEP_RESET, VT_VGPU_RES_LOST},
};

static int expected(const struct move *table, size_t n, int from, int by, int refused)
{
    for (size_t i = 0; i < n; i++) {
        if (table[i].from == from && table[i].by == by) {
            return table[i].to;
        }
    }
    return refused;
}

static void states_follow_the_table(void **state)
{
    (void)state;
    for (int from = 0; from <= VT_VGPU_STATES; from++) {
        for (int by = 0; by <= VT_VGPU_EVENTS; by++) {
            assert_int_equal(
                vt_vgpu_state_after((enum vt_vgpu_state)from, (enum vt_vgpu_event)by),
                expected(moves, sizeof(moves) / sizeof(moves[0]), from, by, VT_VGPU_STATES));
        }
    }
}

static void resources_follow_theirs(void **state)
{
    (void)state;
    for (int from = 0; from <= (int)VT_VGPU_RES_STATES; from++) {
        for (int by = 0; by <= VT_VGPU_STEPS; by++) {
            assert_int_equal(
                vt_vgpu_resource_after((enum vt_vgpu_resource_state)from, (enum vt_vgpu_step)by),
                expected(steps, sizeof(steps) / sizeof(steps[0]), from, by, VT_VGPU_RES_STATES));
        }
    }
}

static void every_state_can_be_left(void **state)
{
    (void)state;
    for (int from = 0; from < VT_VGPU_STATES; from++) {
        bool left = false;
        for (int by = 0; by < VT_VGPU_EVENTS; by++) {
            int to = vt_vgpu_state_after((enum vt_vgpu_state)from, (enum vt_vgpu_event)by);
            left |= to != VT_VGPU_STATES && to != from;
        }
        assert_true(left);
        bool error = from >= VT_VGPU_TIMED_OUT;
        assert_int_equal(vt_vgpu_state_is_error((enum vt_vgpu_state)from), error);
    }
}

static void all_have_names(void **state)
{
    (void)state;
    for (int i = 0; i < VT_VGPU_STATES; i++) {
        assert_true(vt_vgpu_state_name((enum vt_vgpu_state)i)[0] >= 'A');
    }
    for (int i = 0; i < VT_VGPU_EVENTS; i++) {
        assert_true(vt_vgpu_event_name((enum vt_vgpu_event)i)[0] >= 'A');
    }
    for (int i = 0; i < (int)VT_VGPU_RES_STATES; i++) {
        assert_true(vt_vgpu_resource_state_name((enum vt_vgpu_resource_state)i)[0] >= 'A');
    }
    assert_string_equal(vt_vgpu_state_name(VT_VGPU_STATES), "?");
    assert_string_equal(vt_vgpu_event_name(VT_VGPU_EVENTS), "?");
    assert_string_equal(vt_vgpu_resource_state_name((enum vt_vgpu_resource_state)99), "?");
}

static void text_stays_in_its_room(void **state)
{
    (void)state;
    char room[8] = "xxxxxxx";
    struct vt_vgpu_text text;
    vt_vgpu_say_begin(&text, room, 6);
    vt_vgpu_say(&text, "ab");
    vt_vgpu_say(&text, NULL);
    vt_vgpu_say_number(&text, UINT64_MAX);
    assert_string_equal(room, "ab184");
    assert_int_equal(text.used, 5);
    vt_vgpu_say(&text, "c");
    assert_string_equal(room, "ab184");
    assert_int_equal(room[6], 'x');
    vt_vgpu_say_begin(&text, room, sizeof(room));
    vt_vgpu_say_hex(&text, 0xc0);
    vt_vgpu_say_number(&text, 0);
    assert_string_equal(room, "0xc00");
    vt_vgpu_say_begin(&text, room, 1);
    vt_vgpu_say(&text, "long");
    assert_string_equal(room, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_follow_the_table), cmocka_unit_test(resources_follow_theirs),
        cmocka_unit_test(every_state_can_be_left), cmocka_unit_test(all_have_names),
        cmocka_unit_test(text_stays_in_its_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
