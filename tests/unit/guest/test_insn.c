/* tests/unit/guest/test_insn.c - how a function begins, and where a compiled switch leads. */
#include "tests/unit/harness.h"

#include "guest/linux/insn.h"

#include <string.h>

#define AT UINT64_C(0xffffffff81000000)

static struct vt_insn_detour detour(const char *bytes, size_t n)
{
    return vt_insn_detour((const uint8_t *)bytes, n, AT);
}
#define DETOUR(bytes) detour(bytes, sizeof(bytes) - 1)

static void expect(struct vt_insn_detour d, enum vt_insn_kind kind, uint64_t target, size_t next)
{
    assert_int_equal(d.kind, kind);
    assert_int_equal(d.target, target);
    assert_int_equal(d.next, next);
}

static void test_jumps_and_calls(void **state)
{
    (void)state;
    expect(DETOUR("\xe9\x10\0\0\0"), VT_INSN_JUMP, AT + 5 + 0x10, 5);
    expect(DETOUR("\xe9\xf0\xff\xff\xff"), VT_INSN_JUMP, AT + 5 - 0x10, 5);
    expect(DETOUR("\xe8\0\1\0\0"), VT_INSN_CALL, AT + 5 + 0x100, 5);
    expect(DETOUR("\xeb\xfe"), VT_INSN_JUMP, AT, 2);
    expect(DETOUR("\xff\x25\x08\0\0\0"), VT_INSN_INDIRECT, AT + 6 + 8, 6);
    expect(DETOUR("\xcc"), VT_INSN_TRAP, 0, 1);
}

static void test_nops_before(void **state)
{
    (void)state;
    expect(DETOUR("\xf3\x0f\x1e\xfa\xe9\0\0\0\0"), VT_INSN_JUMP, AT + 9, 9);
    expect(DETOUR("\x0f\x1f\x44\0\0\xe9\0\0\0\0"), VT_INSN_JUMP, AT + 10, 10);
    expect(DETOUR("\x66\x0f\x1f\0\x90\x66\x90\xe8\0\0\0\0"), VT_INSN_CALL, AT + 12, 12);
    expect(DETOUR("\x0f\x1f\x40\xd6\xe9\0\0\0\0"), VT_INSN_JUMP, AT + 9, 9);
    expect(DETOUR("\x66\x2e\x0f\x1f\x84\0\0\0\0\0\xcc"), VT_INSN_TRAP, 0, 11);
}

static void test_loaded_addresses(void **state)
{
    (void)state;
    expect(DETOUR("\x48\xb8\x88\x77\x66\x55\x44\x33\x22\x11\xff\xe0"), VT_INSN_JUMP,
           UINT64_C(0x1122334455667788), 12);
    expect(DETOUR("\x49\xbb\1\0\0\0\0\0\0\xff\x41\xff\xe3"), VT_INSN_JUMP,
           UINT64_C(0xff00000000000001), 13);
    expect(DETOUR("\x48\xb8\1\0\0\0\0\0\0\0\x50\xc3"), VT_INSN_JUMP, 1, 12);
    expect(DETOUR("\x68\0\0\0\x80\xc3"), VT_INSN_JUMP, UINT64_C(0xffffffff80000000), 6);
    expect(DETOUR("\x68\1\0\0\0\xc7\x44\x24\4\2\0\0\0\xc3"), VT_INSN_JUMP,
           UINT64_C(0x0000000200000001), 14);
    /* Another register than the one that was loaded. */
    expect(DETOUR("\x48\xb8\1\0\0\0\0\0\0\0\xff\xe1"), VT_INSN_OTHER, 0, 0);
}

static void test_own_code(void **state)
{
    (void)state;
    expect(DETOUR("\x55\x48\x89\xe5"), VT_INSN_OTHER, 0, 0);
    expect(DETOUR(""), VT_INSN_OTHER, 0, 0);
    /* Cut: no bytes past the end are made up. */
    expect(DETOUR("\xe9\1\2\3"), VT_INSN_OTHER, 0, 0);
    expect(DETOUR("\x48\xb8\1\0\0\0\0\0\0\0\xff"), VT_INSN_OTHER, 0, 0);
    expect(DETOUR("\x68\1\0\0\0"), VT_INSN_OTHER, 0, 0);
    expect(DETOUR("\x0f\x1f\x84\0\0\0"), VT_INSN_OTHER, 0, 0);
}

/* As compilers make it: nop; cmp $2; je 2; ja others; test; je 0; jmp 1 / cmp $300; jne none; …;
 * the last one's function does not return, so it is called. */
static const uint8_t code[] = {
    0x0f, 0x1f, 0x44, 0x00, 0x00,       /* 0 */
    0x83, 0xfe, 0x02,                   /* 5: cmp $2, %esi */
    0x74, 0x0b,                         /* 8: je 21 */
    0x77, 0x0e,                         /* 10: ja 26 */
    0x85, 0xf6,                         /* 12: test %esi, %esi */
    0x74, 0x1d,                         /* 14: je 45 */
    0xe9, 0xeb, 0x0f, 0x00, 0x00,       /* 16: jmp AT + 0x1000 */
    0xe9, 0xe6, 0x1f, 0x00, 0x00,       /* 21: jmp AT + 0x2000 */
    0x81, 0xfe, 0x2c, 0x01, 0x00, 0x00, /* 26: cmp $300, %esi */
    0x0f, 0x85, 0xda, 0x2f, 0x00, 0x00, /* 32: jne AT + 0x3000 */
    0xe9, 0xd5, 0x3f, 0x00, 0x00,       /* 38: jmp AT + 0x4000 */
    0x90, 0x90,                         /* 43 */
    0xe8, 0xce, 0x4f, 0x00, 0x00,       /* 45: call AT + 0x5000 */
};

static void expect_switch(uint32_t number, uint64_t want)
{
    uint64_t target = 0;
    assert_true(vt_insn_switch(code, sizeof code, AT, number, &target));
    assert_int_equal(target, want);
}

static void test_switch(void **state)
{
    (void)state;
    expect_switch(0, AT + 0x5000);
    expect_switch(1, AT + 0x1000);
    expect_switch(2, AT + 0x2000);
    expect_switch(3, AT + 0x3000);
    expect_switch(300, AT + 0x4000);
    expect_switch(UINT32_MAX, AT + 0x3000); /* ja compares without signs */
}

static void test_switch_of_ftrace(void **state)
{
    (void)state;
    uint8_t traced[sizeof code];
    uint64_t target = 0;
    memcpy(traced, code, sizeof code);
    memcpy(traced, "\xe8\1\2\3\4", 5); /* ftrace's call in the place of the nop */
    assert_true(vt_insn_switch(traced, sizeof traced, AT, 1, &target));
    assert_int_equal(target, AT + 0x1000);
}

static void test_no_switch(void **state)
{
    (void)state;
    uint64_t target = 7;
    const uint8_t endless[] = {0xeb, 0xfe}, unknown[] = {0x48, 0x89, 0xf8};
    const uint8_t blind[] = {0x74, 0x10, 0x90}; /* a condition before any comparison */
    assert_false(vt_insn_switch(endless, sizeof endless, AT, 0, &target));
    assert_false(vt_insn_switch(unknown, sizeof unknown, AT, 0, &target));
    assert_false(vt_insn_switch(blind, sizeof blind, AT, 0, &target));
    assert_false(vt_insn_switch(code, 16, AT, 1, &target)); /* ends in the middle */
    assert_int_equal(target, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jumps_and_calls),  cmocka_unit_test(test_nops_before),
        cmocka_unit_test(test_loaded_addresses), cmocka_unit_test(test_own_code),
        cmocka_unit_test(test_switch),           cmocka_unit_test(test_switch_of_ftrace),
        cmocka_unit_test(test_no_switch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
