/* What is known of registers from one recorded block to the next: a step that is possible keeps
 * them, one that is not makes them unknown, and so does one where code is not recorded.
 */
#include "tests/unit/harness.h"

#include "vitrine/trace.h"

#include <string.h>

#define ENTRY UINT64_C(0xffff800000002000) /* of the kernel, from outside */
#define LEAVE UINT64_C(0xffff800000001000)
#define OUTSIDE UINT64_C(0x401000)

static const uint8_t leave[] = {
    0x48, 0xc7, 0xc1, 0x00, 0x10, 0x40, 0x00, /* mov rcx, OUTSIDE */
    0x48, 0xc7, 0xc3, 0x05, 0x00, 0x00, 0x00, /* mov rbx, 5 */
    0x48, 0x0f, 0x07,                         /* sysretq */
};
static const uint8_t leave_sizes[] = {7, 7, 3}, nop[] = {0x90}, nop_sizes[] = {1};
static const struct vt_trace_block leaves = {
    .id = 0, .pc = LEAVE, .n = 3, .code_bytes = sizeof leave, .sizes = leave_sizes, .code = leave};
static const struct vt_trace_block enters = {
    .id = 1, .pc = ENTRY, .n = 1, .code_bytes = 1, .sizes = nop_sizes, .code = nop};
static const struct vt_trace_block outside = {
    .id = 2, .pc = OUTSIDE, .n = 1, .code_bytes = 1, .sizes = nop_sizes, .code = nop};

static struct vt_trace_registers *begin(void)
{
    static const struct vt_trace_info info = {.arch = "x86_64", .vcpus = 1};
    struct vt_trace_registers *r;
    assert_int_equal(vt_trace_registers_create(&info, &r, NULL), 0);
    return r;
}

static void run(struct vt_trace_registers *r, const struct vt_trace_block *block)
{
    const struct vt_trace_event e = {
        .kind = VT_TRACE_EV_BLOCK, .block = block, .executed = block->n, .end = VT_TRACE_END_WHOLE};
    assert_int_equal(vt_trace_registers_take(r, &e, NULL, NULL, NULL), 0);
}

static void interrupt(struct vt_trace_registers *r, uint64_t from)
{
    const struct vt_trace_event e = {
        .kind = VT_TRACE_EV_CUT, .end = VT_TRACE_END_INTERRUPT, .from = from, .to = ENTRY};
    assert_int_equal(vt_trace_registers_take(r, &e, NULL, NULL, NULL), 0);
}

static struct vt_trace_bits rbx(const struct vt_trace_registers *r)
{
    return vt_trace_registers_of(r, 0)->r[VT_TRACE_RBX];
}

static void an_interrupt_keeps_them_where_code_is_recorded(void **state)
{
    struct vt_trace_registers *r = begin();
    (void)state;
    run(r, &outside);
    run(r, &leaves);
    assert_int_equal(rbx(r).value, 5);
    interrupt(r, OUTSIDE);
    run(r, &enters);
    assert_int_equal(rbx(r).known, UINT64_MAX);
    assert_int_equal(rbx(r).value, 5);
    vt_trace_registers_destroy(r);
}

static void and_not_where_it_is_not(void **state)
{
    struct vt_trace_registers *r = begin();
    (void)state;
    run(r, &leaves);
    assert_int_equal(rbx(r).known, UINT64_MAX);
    interrupt(r, OUTSIDE); /* after any number of turns of a loop there */
    run(r, &enters);
    assert_int_equal(rbx(r).known, 0);
    vt_trace_registers_destroy(r);
}

static void nor_from_elsewhere(void **state)
{
    struct vt_trace_registers *r = begin();
    (void)state;
    run(r, &outside);
    run(r, &leaves);
    interrupt(r, OUTSIDE + 0x10);
    run(r, &enters);
    assert_int_equal(rbx(r).known, 0);
    vt_trace_registers_destroy(r);
}

/* More pages than are kept: what was seen is forgotten, and learned again. */
static void many_pages_of_code(void **state)
{
    struct vt_trace_registers *r = begin();
    (void)state;
    run(r, &outside);
    for (uint32_t i = 0; i < 20000; i++) {
        struct vt_trace_block block = outside;
        block.id = 3 + i;
        block.pc = OUTSIDE + ((uint64_t)(i + 1) << 12);
        run(r, &block);
    }
    run(r, &leaves);
    interrupt(r, OUTSIDE);
    run(r, &enters);
    assert_int_equal(rbx(r).known, 0);
    struct vt_trace_block again = outside;
    again.id = 30000;
    run(r, &again);
    run(r, &leaves);
    interrupt(r, OUTSIDE);
    run(r, &enters);
    assert_int_equal(rbx(r).value, 5);
    vt_trace_registers_destroy(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_interrupt_keeps_them_where_code_is_recorded),
        cmocka_unit_test(and_not_where_it_is_not),
        cmocka_unit_test(nor_from_elsewhere),
        cmocka_unit_test(many_pages_of_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
