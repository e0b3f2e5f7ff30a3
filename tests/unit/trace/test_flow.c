/* tests/unit/trace/test_flow.c - where control may go after an instruction. Bytes and targets are
 * what LLVM's assembler made and its disassembler said.
 */
#include "tests/unit/harness.h"
#include "trace/flow.h"

struct sample {
    uint64_t pc;
    uint8_t size;
    uint8_t bytes[8];
    enum vt_trace_flow_kind kind;
    uint64_t target;
};

static void check(const char *arch, const struct sample *samples, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct sample *s = &samples[i];
        struct vt_trace_flow f = vt_trace_flow_of(arch, s->pc, s->bytes, s->size);
        bool goes = f.kind == VT_TRACE_FLOW_JUMPS || f.kind == VT_TRACE_FLOW_BRANCHES ||
                    f.kind == VT_TRACE_FLOW_REPEATS;
        if (f.kind != s->kind || (goes && f.target != s->target) || f.next != s->pc + s->size) {
            fail_msg("%s at 0x%llx: kind %d to 0x%llx", arch, (unsigned long long)s->pc,
                     (int)f.kind, (unsigned long long)f.target);
        }
        assert_true(vt_trace_flow_may_go(&f, f.kind == VT_TRACE_FLOW_JUMPS ? s->target : f.next));
        assert_int_equal(vt_trace_flow_may_go(&f, s->pc + 1),
                         f.kind == VT_TRACE_FLOW_ANYWHERE ||
                             (s->size == 1 && f.kind == VT_TRACE_FLOW_FALLS));
    }
}

#define ANYWHERE VT_TRACE_FLOW_ANYWHERE
#define FALLS VT_TRACE_FLOW_FALLS
#define JUMPS VT_TRACE_FLOW_JUMPS
#define BRANCHES VT_TRACE_FLOW_BRANCHES
#define REPEATS VT_TRACE_FLOW_REPEATS

static void x86(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {0x00, 1, {0x90}, FALLS, 0},
        {0x01, 2, {0xeb, 0xfe}, JUMPS, 0x01},
        {0x03, 2, {0x75, 0xfb}, BRANCHES, 0},
        {0x05, 6, {0x0f, 0x84, 0x6f, 0x01, 0x00, 0x00}, BRANCHES, 0x17a},
        {0x0b, 5, {0xe8, 0xf0, 0xff, 0xff, 0xff}, JUMPS, 0},
        {0x10, 5, {0xe9, 0x65, 0x01, 0x00, 0x00}, JUMPS, 0x17a},
        {0x15, 1, {0xc3}, ANYWHERE, 0},
        {0x16, 2, {0xf3, 0xa4}, REPEATS, 0x16},
        {0x18, 3, {0xf2, 0x66, 0xaf}, REPEATS, 0x18},
        {0x1b, 2, {0x48, 0xa5}, FALLS, 0},
        {0x1d, 2, {0xf3, 0x90}, FALLS, 0},
        {0x1f, 2, {0xff, 0xe0}, ANYWHERE, 0},
        {0x21, 6, {0xff, 0x25, 0x04, 0x00, 0x00, 0x00}, ANYWHERE, 0},
        {0x27, 2, {0xff, 0xc0}, FALLS, 0},
        {0x29, 2, {0xff, 0x30}, FALLS, 0},
        {0x2b, 2, {0xe2, 0xd3}, BRANCHES, 0},
        {0x2d, 2, {0xe3, 0xd1}, BRANCHES, 0},
        {0x2f, 2, {0x0f, 0x05}, ANYWHERE, 0},
        {0x31, 2, {0xcd, 0x80}, ANYWHERE, 0},
        {0x33, 3, {0x0f, 0x22, 0xd8}, FALLS, 0},
        {0x36, 1, {0xf4}, FALLS, 0},
        {0x37, 4, {0xc5, 0xfc, 0x10, 0x00}, FALLS, 0},
        {0x3b, 3, {0xf0, 0xff, 0x00}, FALLS, 0},
        {0x3e, 2, {0x48, 0xcf}, ANYWHERE, 0},
        {0x40, 3, {0x41, 0xff, 0xd4}, ANYWHERE, 0},
        {0x43, 2, {0x0f, 0x0b}, ANYWHERE, 0},
        {0x45, 3, {0x3e, 0xff, 0xe0}, ANYWHERE, 0},
        {0x48, 6, {0xf2, 0xe9, 0x00, 0x00, 0x00, 0x00}, JUMPS, 0x4e},
        {0x50, 2, {0xf3, 0xf2}, ANYWHERE, 0}, /* prefixes alone */
    };
    check("x86_64", samples, sizeof samples / sizeof samples[0]);
}

static void aarch64(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {0x00, 4, {0x1f, 0x20, 0x03, 0xd5}, FALLS, 0},
        {0x04, 4, {0xff, 0xff, 0xff, 0x17}, JUMPS, 0},
        {0x08, 4, {0x25, 0x00, 0x00, 0x94}, JUMPS, 0x9c},
        {0x0c, 4, {0xa1, 0xff, 0xff, 0x54}, BRANCHES, 0},
        {0x10, 4, {0x63, 0x04, 0x00, 0xb4}, BRANCHES, 0x9c},
        {0x14, 4, {0x63, 0xff, 0xff, 0x35}, BRANCHES, 0},
        {0x18, 4, {0x24, 0x04, 0x40, 0xb6}, BRANCHES, 0x9c},
        {0x1c, 4, {0x24, 0xff, 0x1f, 0x37}, BRANCHES, 0},
        {0x20, 4, {0xc0, 0x03, 0x5f, 0xd6}, ANYWHERE, 0},
        {0x24, 4, {0x60, 0x00, 0x1f, 0xd6}, ANYWHERE, 0},
        {0x28, 4, {0x01, 0x00, 0x00, 0xd4}, ANYWHERE, 0},
        {0x2c, 4, {0x00, 0x20, 0x38, 0xd5}, FALLS, 0},
        {0x30, 4, {0x80, 0xfe, 0xff, 0x10}, FALLS, 0},
        {0x34, 4, {0xe0, 0x03, 0x9f, 0xd6}, ANYWHERE, 0},
    };
    check("aarch64", samples, sizeof samples / sizeof samples[0]);
}

static void riscv64(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {0x000, 2, {0x01, 0x00}, FALLS, 0},
        {0x004, 2, {0xf5, 0xbf}, JUMPS, 0},
        {0x006, 2, {0xed, 0xbf}, JUMPS, 0},
        {0x008, 2, {0x75, 0xdd}, BRANCHES, 0x4},
        {0x00a, 2, {0xfd, 0xe0}, BRANCHES, 0xf0},
        {0x00c, 4, {0xe3, 0x0a, 0xb5, 0xfe}, BRANCHES, 0},
        {0x010, 4, {0x63, 0x10, 0xb5, 0x0e}, BRANCHES, 0xf0},
        {0x014, 4, {0xef, 0x00, 0xc0, 0x0d}, JUMPS, 0xf0},
        {0x018, 2, {0x82, 0x80}, ANYWHERE, 0},
        {0x01a, 2, {0x02, 0x95}, ANYWHERE, 0},
        {0x01c, 2, {0x2e, 0x85}, FALLS, 0},
        {0x01e, 4, {0x73, 0x00, 0x00, 0x00}, ANYWHERE, 0},
        {0x022, 4, {0x73, 0x25, 0x00, 0x18}, FALLS, 0},
        {0x026, 2, {0x02, 0x90}, ANYWHERE, 0},
        {0x0f0, 2, {0x01, 0xbf}, JUMPS, 0},
        {0x6ce, 2, {0x1d, 0xba}, JUMPS, 0x4},
    };
    check("riscv64", samples, sizeof samples / sizeof samples[0]);
}

static void of_others_nothing_is_known(void **state)
{
    (void)state;
    static const struct sample sample = {0, 4, {0}, ANYWHERE, 0};
    check("s390x", &sample, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(x86),
        cmocka_unit_test(aarch64),
        cmocka_unit_test(riscv64),
        cmocka_unit_test(of_others_nothing_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
