/* What instructions are: text, class, memory, targets. The bytes are what GNU as makes of the text;
 * classes are what vitrine/trace.h says they mean. */
#include "tests/unit/harness.h"

#include "vitrine/trace.h"

#include <string.h>

static const struct known {
    const char *bytes;
    uint8_t size;
    enum vt_trace_class class;
    const char *memory; /* loads, stores, conditional */
    const char *text;
} table[] = {
    {"\x48\x01\xd8", 3, VT_INSN_ALU, "---", "add rax, rbx"},
    {"\x48\x8d\x05\x10\x00\x00\x00", 7, VT_INSN_ALU, "---", "lea rax, [0x401017]"},
    {"\x48\x8b\x43\x08", 4, VT_INSN_LOAD, "L--", "mov rax, qword ptr [rbx+0x8]"},
    {"\x48\x89\x43\x08", 4, VT_INSN_STORE, "-S-", "mov qword ptr [rbx+0x8], rax"},
    {"\x48\x83\x03\x01", 4, VT_INSN_ALU, "LS-", "add qword ptr [rbx], 0x1"},
    {"\xb8\x05\x00\x00\x00", 5, VT_INSN_MOVE, "---", "mov eax, 0x5"},
    {"\x48\x0f\x45\xc3", 4, VT_INSN_MOVE, "---", "cmovnz rax, rbx"},
    {"\x66\x0f\x1f\x04\x00", 5, VT_INSN_MOVE, "---", "nop word ptr [rax+rax*1], ax"},
    {"\xf3\x0f\x1e\xfa", 4, VT_INSN_MOVE, "---", "endbr64"},
    {"\xf3\x90", 2, VT_INSN_MOVE, "---", "pause"},
    {"\x55", 1, VT_INSN_STORE, "-S-", "push rbp"},
    {"\x5d", 1, VT_INSN_LOAD, "L--", "pop rbp"},
    {"\xc9", 1, VT_INSN_ALU, "L--", "leave"},
    {"\x0f\x28\x07", 3, VT_INSN_LOAD, "L--", "movaps xmm0, xmmword ptr [rdi]"},
    {"\x0f\x11\x0f", 3, VT_INSN_STORE, "-S-", "movups xmmword ptr [rdi], xmm1"},
    {"\x0f\x28\xc1", 3, VT_INSN_VECTOR, "---", "movaps xmm0, xmm1"},
    {"\xf2\x0f\x58\xc1", 4, VT_INSN_FLOAT, "---", "addsd xmm0, xmm1"},
    {"\x0f\x59\x06", 3, VT_INSN_FLOAT, "L--", "mulps xmm0, xmmword ptr [rsi]"},
    {"\x66\x0f\xef\xc1", 4, VT_INSN_VECTOR, "---", "pxor xmm0, xmm1"},
    {"\x66\x0f\xfe\x06", 4, VT_INSN_VECTOR, "L--", "paddd xmm0, xmmword ptr [rsi]"},
    {"\xdd\x06", 2, VT_INSN_FLOAT, "L--", "fld qword ptr [rsi]"},
    {"\xde\xc1", 2, VT_INSN_FLOAT, "---", "faddp st1, st0"},
    {"\xdd\x1e", 2, VT_INSN_FLOAT, "-S-", "fstp qword ptr [rsi]"},
    {"\xf3\x48\xab", 3, VT_INSN_STRING, "-S-", "rep stosq"},
    {"\xa4", 1, VT_INSN_STRING, "LS-", "movsb"},
    {"\x74\x1e", 2, VT_INSN_BRANCH, "--C", "jz 0x401020"},
    {"\xff\xe0", 2, VT_INSN_BRANCH, "---", "jmp rax"},
    {"\xe8\xfb\x00\x00\x00", 5, VT_INSN_CALL, "-S-", "call 0x401100"},
    {"\xff\x10", 2, VT_INSN_CALL, "LS-", "call qword ptr [rax]"},
    {"\xc3", 1, VT_INSN_RETURN, "L--", "ret"},
    {"\x48\xcf", 2, VT_INSN_SYSTEM, "L--", "iretq"},
    {"\x0f\x05", 2, VT_INSN_SYSTEM, "---", "syscall"},
    {"\x48\x0f\x07", 3, VT_INSN_SYSTEM, "---", "sysret"},
    {"\xcd\x80", 2, VT_INSN_SYSTEM, "---", "int 0x80"},
    {"\x0f\xa2", 2, VT_INSN_SYSTEM, "---", "cpuid"},
    {"\xf4", 1, VT_INSN_SYSTEM, "---", "hlt"},
    {"\xec", 1, VT_INSN_SYSTEM, "---", "in al, dx"},
    {"\x0f\x22\xd8", 3, VT_INSN_SYSTEM, "---", "mov cr3, rax"},
    {"\x8e\xd8", 2, VT_INSN_SYSTEM, "---", "mov ds, ax"},
    {"\x0f\x01\xf8", 3, VT_INSN_SYSTEM, "---", "swapgs"},
    {"\xf0\x48\x0f\xb1\x37", 5, VT_INSN_ALU, "LS-", "lock cmpxchg qword ptr [rdi], rsi"},
    {"\x48\x87\x37", 3, VT_INSN_STORE, "LS-", "xchg qword ptr [rdi], rsi"},
    {"\x0f\xc8", 2, VT_INSN_MOVE, "---", "bswap eax"},
    {"\x48\x99", 2, VT_INSN_ALU, "---", "cqo"},
    {"\x9c", 1, VT_INSN_STORE, "-S-", "pushfq"},
    {"\x9d", 1, VT_INSN_LOAD, "L--", "popfq"},
    {"\xf2\x48\x0f\x2a\xc0", 5, VT_INSN_FLOAT, "---", "cvtsi2sd xmm0, rax"},
    {"\x66\x0f\x6e\xc0", 4, VT_INSN_VECTOR, "---", "movd xmm0, eax"},
    {"\x66\x48\x0f\x7e\xc0", 5, VT_INSN_VECTOR, "---", "movq rax, xmm0"},
    {"\xc5\xf5\x58\x00", 4, VT_INSN_FLOAT, "L--", "vaddpd ymm0, ymm1, ymmword ptr [rax]"},
    {"\xc5\xfe\x6f\x00", 4, VT_INSN_LOAD, "L--", "vmovdqu ymm0, ymmword ptr [rax]"},
    {"\xc5\xf5\xfe\xc2", 4, VT_INSN_VECTOR, "---", "vpaddd ymm0, ymm1, ymm2"},
    {"\xc5\xf8\x92\xc8", 4, VT_INSN_VECTOR, "---", "kmovw k1, eax"},
    {"\xf2\x48\x0f\x38\xf1\xc3", 6, VT_INSN_ALU, "---", "crc32 rax, rbx"},
    {"\xf3\x48\x0f\xb8\x07", 5, VT_INSN_ALU, "L--", "popcnt rax, qword ptr [rdi]"},
    {"\x0f\x31", 2, VT_INSN_SYSTEM, "---", "rdtsc"},
    {"\x0f\x0b", 2, VT_INSN_SYSTEM, "---", "ud2"},
    {"\x0f\x18\x08", 3, VT_INSN_MOVE, "---", "prefetcht0 byte ptr [rax]"},
    {"\x0f\xae\x20", 3, VT_INSN_SYSTEM, "LS-", "xsave [rax]"},
    {"\x66\x0f\x2e\xc1", 4, VT_INSN_FLOAT, "---", "ucomisd xmm0, xmm1"},
    {"\x48\x0f\x45\x03", 4, VT_INSN_MOVE, "L--", "cmovnz rax, qword ptr [rbx]"},
    {"\x48\xf7\x27", 3, VT_INSN_ALU, "L--", "mul qword ptr [rdi]"},
    {"\xda\xc1", 2, VT_INSN_FLOAT, "---", "fcmovb st0, st1"},
    {"\xd9\x28", 2, VT_INSN_FLOAT, "L--", "fldcw word ptr [rax]"},
    {"\x0f\xae\x10", 3, VT_INSN_ALU, "L--", "ldmxcsr dword ptr [rax]"},
    {"\x66\x0f\x38\xdc\xc1", 5, VT_INSN_VECTOR, "---", "aesenc xmm0, xmm1"},
    {"\xe2\xfc", 2, VT_INSN_BRANCH, "--C", "loop 0x400ffe"},
    {"\x48\x0f\xc7\xf0", 4, VT_INSN_ALU, "---", "rdrand rax"},
    {"\x0f\xae\xf0", 3, VT_INSN_ALU, "---", "mfence"},
    {"\x0f\xae\x38", 3, VT_INSN_ALU, "L--", "clflush zmmword ptr [rax]"},
    {"\xf3\x48\x0f\xae\xd8", 5, VT_INSN_SYSTEM, "---", "wrgsbase rax"},
    {"\x66\x0f\xf7\xc1", 4, VT_INSN_STORE, "-S-", "maskmovdqu xmm0, xmm1"},
    {"\x0f\x94\xc0", 3, VT_INSN_ALU, "---", "setz al"},
    {"\x0f\x94\x00", 3, VT_INSN_ALU, "-S-", "setz byte ptr [rax]"},
};
#define N_TABLE (sizeof table / sizeof table[0])

static struct vt_trace_instruction decode_alone(const char *bytes, uint8_t size, uint64_t pc)
{
    struct vt_trace_block block = {
        .pc = pc, .n = 1, .code_bytes = size, .sizes = &size, .code = (const uint8_t *)bytes};
    struct vt_trace_instruction insn;
    vt_trace_decode(&block, 0, &insn);
    return insn;
}

static void every_class_of_instruction(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_TABLE; i++) {
        const struct known *k = &table[i];
        struct vt_trace_instruction insn = decode_alone(k->bytes, k->size, 0x401000);
        char memory[4] = {insn.loads ? 'L' : '-', insn.stores ? 'S' : '-',
                          insn.conditional ? 'C' : '-', 0};
        assert_string_equal(insn.text, k->text);
        assert_string_equal(vt_trace_class_name(insn.class), vt_trace_class_name(k->class));
        assert_string_equal(memory, k->memory);
        assert_int_equal(insn.size, k->size);
        assert_ptr_equal(insn.bytes, k->bytes);
    }
}

static void a_block_counts_pcs_and_resolves_targets(void **state)
{
    (void)state;
    static const uint8_t code[] = {
        0x48, 0x8b, 0x05, 0x10, 0x00, 0x00, 0x00, /* mov rax, [rip+0x10] */
        0xe8, 0xfb, 0x0f, 0x00, 0x00,             /* call +0xffb */
        0x74, 0xf2,                               /* je -14: the beginning */
        0xff, 0xe0,                               /* jmp rax */
    };
    static const uint8_t sizes[] = {7, 5, 2, 2};
    struct vt_trace_block block = {
        .pc = 0xffffffff81000000, .n = 4, .code_bytes = sizeof code, .sizes = sizes, .code = code};
    struct vt_trace_instruction insn;
    vt_trace_decode(&block, 0, &insn);
    assert_string_equal(insn.text, "mov rax, qword ptr [0xffffffff81000017]");
    vt_trace_decode(&block, 1, &insn);
    assert_int_equal(insn.pc, 0xffffffff81000007);
    assert_int_equal(insn.target, 0xffffffff81001007);
    assert_string_equal(insn.text, "call 0xffffffff81001007");
    vt_trace_decode(&block, 2, &insn);
    assert_int_equal(insn.target, 0xffffffff81000000);
    assert_true(insn.conditional);
    vt_trace_decode(&block, 3, &insn);
    assert_int_equal(insn.target, VT_TRACE_NO_TARGET);
    assert_string_equal(insn.mnemonic, "jmp");
    vt_trace_decode(&block, 4, &insn);
    assert_int_equal(insn.class, VT_INSN_UNKNOWN);
    assert_int_equal(insn.size, 0);
}

static void the_sizes_tell_how_many_bits_code_has(void **state)
{
    (void)state;
    /* 16 bits: xor ax, ax; mov ax, 0x1234; jmp 0xf000:0xe05b, as firmware begins. */
    static const uint8_t code16[] = {0x31, 0xc0, 0xb8, 0x34, 0x12, 0xea, 0x5b, 0xe0, 0x00, 0xf0};
    static const uint8_t sizes16[] = {2, 3, 5};
    struct vt_trace_block block = {
        .pc = 0xfe05b, .n = 3, .code_bytes = sizeof code16, .sizes = sizes16, .code = code16};
    struct vt_trace_instruction insn;
    vt_trace_decode(&block, 0, &insn);
    assert_string_equal(insn.text, "xor ax, ax");
    vt_trace_decode(&block, 1, &insn);
    assert_string_equal(insn.text, "mov ax, 0x1234");
    vt_trace_decode(&block, 2, &insn);
    assert_int_equal(insn.class, VT_INSN_BRANCH);
    /* 32 bits: inc eax (a REX prefix with 64); mov eax, imm32. */
    static const uint8_t code32[] = {0x40, 0xb8, 0x78, 0x56, 0x34, 0x12};
    static const uint8_t sizes32[] = {1, 5};
    block = (struct vt_trace_block){
        .pc = 0x100000, .n = 2, .code_bytes = sizeof code32, .sizes = sizes32, .code = code32};
    vt_trace_decode(&block, 0, &insn);
    assert_string_equal(insn.text, "inc eax");
}

static void assert_bad(const struct vt_trace_instruction *insn)
{
    assert_int_equal(insn->class, VT_INSN_UNKNOWN);
    assert_string_equal(insn->text, "(bad)");
    assert_string_equal(insn->mnemonic, "(bad)");
    assert_false(insn->loads || insn->stores || insn->conditional);
    assert_int_equal(insn->target, VT_TRACE_NO_TARGET);
}

static void what_cannot_be_decoded_is_bad(void **state)
{
    (void)state;
    struct vt_trace_instruction insn = decode_alone("\x06", 1, 0x1000);
    assert_string_equal(insn.text, "push es"); /* only without 64 bits */
    insn = decode_alone("\x0f\xff\xff\xff", 1, 0x1000);
    assert_bad(&insn);
    insn = decode_alone("\x90\x90", 2, 0x1000); /* longer than what it says */
    assert_bad(&insn);
    assert_int_equal(insn.size, 2);
    insn = decode_alone("", 0, 0x1000);
    assert_bad(&insn);

    /* Bytes that nobody could read: the first has all of its own. */
    static const uint8_t code[] = {0x90, 0xb8, 0x01};
    static const uint8_t sizes[] = {1, 5};
    struct vt_trace_block block = {
        .pc = 0x1000, .n = 2, .code_bytes = sizeof code, .sizes = sizes, .code = code};
    vt_trace_decode(&block, 0, &insn);
    assert_string_equal(insn.text, "nop");
    vt_trace_decode(&block, 1, &insn);
    assert_bad(&insn);
    assert_null(insn.bytes);
    assert_int_equal(insn.pc, 0x1001);
    assert_int_equal(insn.size, 5);
}

static void other_machines_are_not_decoded(void **state)
{
    (void)state;
    assert_int_equal(vt_trace_machine_of("x86_64"), VT_TRACE_X86);
    assert_int_equal(vt_trace_machine_of("aarch64"), VT_TRACE_OTHER);
    static const uint8_t size = 4;
    struct vt_trace_block block = {.pc = 0x40000000,
                                   .n = 1,
                                   .code_bytes = 4,
                                   .machine = VT_TRACE_OTHER,
                                   .sizes = &size,
                                   .code = (const uint8_t *)"\x1f\x20\x03\xd5"};
    struct vt_trace_instruction insn;
    vt_trace_decode(&block, 0, &insn);
    assert_bad(&insn);
    assert_ptr_equal(insn.bytes, block.code);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_class_of_instruction),
        cmocka_unit_test(a_block_counts_pcs_and_resolves_targets),
        cmocka_unit_test(the_sizes_tell_how_many_bits_code_has),
        cmocka_unit_test(what_cannot_be_decoded_is_bad),
        cmocka_unit_test(other_machines_are_not_decoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
