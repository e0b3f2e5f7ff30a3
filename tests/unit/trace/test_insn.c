/* Where instructions can go, on three architectures; encodings by clang's assembler. */
#include "tests/unit/harness.h"

#include "trace/insn.h"

#include <string.h>

#define PC 0x10000u

static void check(const char *arch, const uint8_t *bytes, unsigned size, enum vt_insn_flow flow,
                  uint64_t target)
{
    uint8_t sizes[1] = {(uint8_t)size};
    struct vt_trace_block block = {
        .pc = PC, .n = 1, .code_bytes = (uint16_t)size, .sizes = sizes, .code = bytes};
    struct vt_trace_insn_decoder decoder;
    struct vt_trace_insn_facts facts;
    vt_trace_insn_decoder_init(&decoder, vt_trace_arch_of(arch), &block);
    vt_trace_insn_facts_of(&decoder, PC, bytes, size, &facts);
    assert_int_equal(facts.flow, flow);
    if (flow == VT_FLOW_JUMP || flow == VT_FLOW_CONDITIONAL || flow == VT_FLOW_CALL) {
        assert_int_equal(facts.target, target);
    }
    vt_trace_insn_facts_of(&decoder, PC, bytes, 0, &facts);
    assert_int_equal(facts.flow, VT_FLOW_UNKNOWN);
}

static void check_word(const char *arch, uint32_t word, unsigned size, enum vt_insn_flow flow,
                       uint64_t target)
{
    uint8_t bytes[4];
    memcpy(bytes, &word, sizeof bytes);
    check(arch, bytes, size, flow, target);
}

static void aarch64(void **state)
{
    (void)state;
    static const struct {
        uint32_t word;
        enum vt_insn_flow flow;
        uint64_t target;
    } cases[] = {
        {0x14000040, VT_FLOW_JUMP, PC + 0x100},
        {0x97ffffc0, VT_FLOW_CALL, PC - 0x100},
        {0x54ffffc1, VT_FLOW_CONDITIONAL, PC - 8},
        {0xb4000080, VT_FLOW_CONDITIONAL, PC + 16},
        {0xb747ff03, VT_FLOW_CONDITIONAL, PC - 0x20},
        {0xd61f0020, VT_FLOW_INDIRECT, 0},
        {0xd63f0040, VT_FLOW_CALL_INDIRECT, 0},
        {0xd65f03c0, VT_FLOW_RETURN, 0},
        {0xd65f0bff, VT_FLOW_RETURN, 0},
        {0xd69f03e0, VT_FLOW_EXCEPTION_RETURN, 0},
        {0xd4000001, VT_FLOW_TRAP, 0},
        {0x8b020020, VT_FLOW_NEXT, 0},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check_word("aarch64", cases[i].word, 4, cases[i].flow, cases[i].target);
    }
}

static void riscv64(void **state)
{
    (void)state;
    static const struct {
        uint32_t word;
        unsigned size;
        enum vt_insn_flow flow;
        uint64_t target;
    } cases[] = {
        {0x0010006f, 4, VT_FLOW_JUMP, PC + 0x800},
        {0x000000ef, 4, VT_FLOW_CALL, PC},
        {0x00b50063, 4, VT_FLOW_CONDITIONAL, PC},
        {0x000500e7, 4, VT_FLOW_CALL_INDIRECT, 0},
        {0x00008067, 4, VT_FLOW_RETURN, 0},
        {0x00078067, 4, VT_FLOW_INDIRECT, 0},
        {0xa001, 2, VT_FLOW_JUMP, PC},
        {0xc101, 2, VT_FLOW_CONDITIONAL, PC},
        {0x8082, 2, VT_FLOW_RETURN, 0},
        {0x8502, 2, VT_FLOW_INDIRECT, 0},
        {0x9502, 2, VT_FLOW_CALL_INDIRECT, 0},
        {0x9002, 2, VT_FLOW_TRAP, 0},
        {0x30200073, 4, VT_FLOW_EXCEPTION_RETURN, 0},
        {0x00000073, 4, VT_FLOW_TRAP, 0},
        {0x0505, 2, VT_FLOW_NEXT, 0},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check_word("riscv64", cases[i].word, cases[i].size, cases[i].flow, cases[i].target);
    }
}

static void x86_64(void **state)
{
    (void)state;
    static const struct {
        uint8_t bytes[8];
        unsigned size;
        enum vt_insn_flow flow;
        uint64_t target;
    } cases[] = {
        {{0xeb, 0x10}, 2, VT_FLOW_JUMP, PC + 0x12},
        {{0x75, 0xf5}, 2, VT_FLOW_CONDITIONAL, PC - 9},
        {{0xe8, 0x24, 0, 0, 0}, 5, VT_FLOW_CALL, PC + 0x29},
        {{0xff, 0xe0}, 2, VT_FLOW_INDIRECT, 0},
        {{0xff, 0xd0}, 2, VT_FLOW_CALL_INDIRECT, 0},
        {{0xc3}, 1, VT_FLOW_RETURN, 0},
        {{0x48, 0xcf}, 2, VT_FLOW_EXCEPTION_RETURN, 0},
        {{0x48, 0x0f, 0x07}, 3, VT_FLOW_EXCEPTION_RETURN, 0},
        {{0x0f, 0x05}, 2, VT_FLOW_TRAP, 0},
        {{0xcd, 0x80}, 2, VT_FLOW_TRAP, 0},
        {{0x90}, 1, VT_FLOW_NEXT, 0},
        {{0xf3, 0xa4}, 2, VT_FLOW_NEXT, 0},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check("x86_64", cases[i].bytes, cases[i].size, cases[i].flow, cases[i].target);
    }
    /* 16 bits: jmp short goes on in a segment that is not known; QEMU's size says so. */
    static const uint8_t far_call[] = {0xe8, 0x10, 0x00};
    check("x86_64", far_call, 3, VT_FLOW_CALL_INDIRECT, 0);
}

static void other(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {0, 0, 0, 0};
    check("alpha", bytes, 4, VT_FLOW_UNKNOWN, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(x86_64), cmocka_unit_test(aarch64),
                                       cmocka_unit_test(riscv64), cmocka_unit_test(other)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
