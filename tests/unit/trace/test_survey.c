/* A survey of a trace counts each thing once, whatever the order of events. */
#include "tests/unit/harness.h"

#include "trace/survey.h"

static struct vt_error error;

/* mov rax, [rbx]; mov [rcx], rax; ret */
static const uint8_t code[] = {0x48, 0x8b, 0x03, 0x48, 0x89, 0x01, 0xc3};
static const uint8_t sizes[] = {3, 3, 1};
static const struct vt_trace_block user = {.id = 0,
                                           .pc = 0x400000,
                                           .physical = 0x1000,
                                           .n = 3,
                                           .code_bytes = 7,
                                           .sizes = sizes,
                                           .code = code};
/* The same bytes of the kernel, across the end of a page. */
static const struct vt_trace_block kernel = {.id = 9000,
                                             .pc = 0xffffffff81000ffc,
                                             .physical = ~(uint64_t)0,
                                             .n = 3,
                                             .code_bytes = 7,
                                             .sizes = sizes,
                                             .code = code};

static struct vt_trace_survey *survey;

static void add(struct vt_trace_event e)
{
    assert_int_equal(vt_trace_survey_add(survey, &e, &error), 0);
}

static int begin(void **state)
{
    (void)state;
    return vt_trace_survey_create(&survey, &error);
}

static int end(void **state)
{
    (void)state;
    vt_trace_survey_destroy(survey);
    return 0;
}

static void instructions_are_counted_by_class_process_and_cpu(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        add((struct vt_trace_event){.block = &user, .executed = 3, .root = 0x1000});
    }
    add((struct vt_trace_event){.vcpu = 1, .block = &kernel, .executed = 3, .root = 0x1000});
    /* One completed, and the second raised it. */
    add((struct vt_trace_event){.vcpu = 1,
                                .block = &kernel,
                                .executed = 1,
                                .root = 0x2000,
                                .end = VT_TRACE_END_EXCEPTION,
                                .from = 0xffffffff81000fff,
                                .to = 0xffffffff82000000});
    const struct vt_trace_survey_sums *sums = vt_trace_survey_end(survey);
    assert_int_equal(sums->events, 12);
    assert_int_equal(sums->instructions, 34);
    assert_int_equal(sums->kernel, 4);
    assert_int_equal(sums->blocks, 12);
    assert_int_equal(sums->whole_blocks, 11);
    assert_int_equal(sums->known_blocks, 2);
    assert_int_equal(sums->exceptions, 1);
    const struct vt_trace_survey_class *classes = vt_trace_survey_classes(survey);
    assert_int_equal(classes[VT_INSN_LOAD].instructions, 12);
    assert_int_equal(classes[VT_INSN_STORE].instructions, 11);
    assert_int_equal(classes[VT_INSN_RETURN].instructions, 11);
    assert_int_equal(classes[VT_INSN_ALU].instructions, 0);
    assert_int_equal(sums->n_roots, 2);
    const struct vt_trace_survey_root *roots = vt_trace_survey_roots(survey);
    assert_int_equal(roots[0].root, 0x1000);
    assert_int_equal(roots[0].user, 30);
    assert_int_equal(roots[0].kernel, 3);
    assert_int_equal(roots[1].kernel, 1);
    assert_int_equal(sums->n_targets, 1);
    assert_int_equal(vt_trace_survey_targets(survey)[0].to, 0xffffffff82000000);
    assert_int_equal(vt_trace_survey_vcpus(survey)[0].instructions, 30);
    assert_int_equal(vt_trace_survey_vcpus(survey)[1].exceptions, 1);
    /* One line, and two on two pages. */
    assert_int_equal(sums->code_lines, 3);
    assert_int_equal(sums->code_pages, 3);
}

static void accesses_are_counted_by_size_and_lines_once(void **state)
{
    (void)state;
    struct vt_trace_access accesses[] = {
        {.instruction = 0, .bytes = 8, .address = 0x5000},
        {.instruction = 1, .bytes = 8, .address = 0x5008, .store = true},
        {.instruction = 2, .bytes = 8, .address = 0x5ffc}, /* across a page */
        {.instruction = 0, .bytes = 1, .address = UINT64_MAX, .device = true},
    };
    for (uint64_t i = 0; i < 3; i++) {
        add((struct vt_trace_event){.block = &user,
                                    .executed = 3,
                                    .root = 0x1000 + (i == 2) * 0x1000, /* another's memory */
                                    .n_accesses = 4,
                                    .accesses = accesses});
    }
    const struct vt_trace_survey_sums *sums = vt_trace_survey_end(survey);
    assert_int_equal(sums->loads, 9);
    assert_int_equal(sums->stores, 3);
    assert_int_equal(sums->device, 3);
    assert_int_equal(vt_trace_survey_sizes(survey)[3].loads, 6);
    assert_int_equal(vt_trace_survey_sizes(survey)[3].stores, 3);
    assert_int_equal(vt_trace_survey_sizes(survey)[0].loads, 3);
    assert_int_equal(vt_trace_survey_classes(survey)[VT_INSN_STORE].stores, 3);
    assert_int_equal(vt_trace_survey_classes(survey)[VT_INSN_LOAD].loads, 6);
    assert_int_equal(sums->data_lines, 2 * 3 + 1); /* the kernel's is everybody's */
    assert_int_equal(sums->data_pages, 2 * 2 + 1);
    assert_false(sums->truncated);
}

static void times_become_spans_and_idling_is_none_of_them(void **state)
{
    (void)state;
    const uint64_t ms = 1000000;
    for (uint64_t i = 0; i < 1000; i++) {
        add((struct vt_trace_event){.block = &user, .executed = 3, .time_ns = (i + 5) * ms});
    }
    add((struct vt_trace_event){.kind = VT_TRACE_EV_PAUSE, .time_ns = 1005 * ms});
    add((struct vt_trace_event){.kind = VT_TRACE_EV_RESUME, .time_ns = 1255 * ms});
    add((struct vt_trace_event){.kind = VT_TRACE_EV_PAUSE, .vcpu = 2, .time_ns = 1105 * ms});
    add((struct vt_trace_event){.kind = VT_TRACE_EV_LOST, .lost_words = 7, .time_ns = 1255 * ms});
    const struct vt_trace_survey_sums *sums = vt_trace_survey_end(survey);
    assert_int_equal(sums->first_ns, 5 * ms);
    assert_int_equal(sums->last_ns, 1255 * ms);
    assert_int_equal(vt_trace_survey_vcpus(survey)[0].idle_ns, 250 * ms);
    assert_int_equal(vt_trace_survey_vcpus(survey)[2].idle_ns, 150 * ms); /* to the end */
    assert_int_equal(sums->idle_ns, 400 * ms);
    assert_int_equal(sums->lost_words, 7);
    assert_int_equal(sums->losses, 1);
    assert_in_range(sums->n_spans, VT_TRACE_SURVEY_SPANS / 2, VT_TRACE_SURVEY_SPANS);
    uint64_t all = 0;
    for (uint32_t i = 0; i < sums->n_spans; i++) {
        all += vt_trace_survey_spans(survey)[i];
    }
    assert_int_equal(all, 3000);
    assert_int_equal(vt_trace_survey_spans(survey)[0], 3 * sums->span_ns / ms);
}

static void tables_end_where_they_are_full(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < VT_TRACE_SURVEY_ROOTS + 10; i++) {
        add((struct vt_trace_event){.block = &user,
                                    .executed = 3,
                                    .root = (i + 1) << 12,
                                    .end = VT_TRACE_END_INTERRUPT,
                                    .to = i});
    }
    struct vt_trace_event of_another = {.vcpu = VT_TRACE_SURVEY_VCPUS};
    assert_int_equal(vt_trace_survey_add(survey, &of_another, &error), VT_E_INVAL);
    const struct vt_trace_survey_sums *sums = vt_trace_survey_end(survey);
    assert_true(sums->truncated);
    assert_int_equal(sums->n_roots, VT_TRACE_SURVEY_ROOTS);
    assert_int_equal(sums->n_targets, VT_TRACE_SURVEY_TARGETS);
    assert_int_equal(sums->instructions, 3 * (VT_TRACE_SURVEY_ROOTS + 10));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(instructions_are_counted_by_class_process_and_cpu, begin,
                                        end),
        cmocka_unit_test_setup_teardown(accesses_are_counted_by_size_and_lines_once, begin, end),
        cmocka_unit_test_setup_teardown(times_become_spans_and_idling_is_none_of_them, begin, end),
        cmocka_unit_test_setup_teardown(tables_end_where_they_are_full, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
