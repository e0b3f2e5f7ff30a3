/* tests/fuzz/fuzz_trace_registers.c - any code, accesses and ends of blocks: registers are rebuilt
 * within bounds, bits that are not known are 0, and nothing is read past a block.
 *
 * Ten bytes an event: kind and end, vCPU and what an access has, place, instructions, executed,
 * where in the input its code, sizes and accesses are, a register's number, id.
 */
#include "tests/fuzz/fuzz.h"

#include "vitrine/trace.h"

#include <string.h>

#define EVENTS_MAX 512u
#define INSNS_MAX 24u
#define ACCESSES_MAX 40u

struct input {
    const uint8_t *data;
    size_t size;
};

static uint8_t byte_at(const struct input *in, size_t at)
{
    return in->data[at % in->size];
}

/* Often near a register's value, which inputs share. */
static uint64_t word_at(const struct input *in, size_t at)
{
    uint64_t word = 0;
    for (size_t i = 0; i < 8; i++) {
        word = word << 8 | byte_at(in, at + i);
    }
    return (word & 3) == 0 ? UINT64_C(0xffff888000000000) + (word >> 56) * 8 : word;
}

static void look(void *context, unsigned instruction, const struct vt_trace_cpu *cpu)
{
    const struct vt_trace_block *block = context;
    FUZZ_CHECK(instruction < block->n);
    for (unsigned i = 0; i < VT_TRACE_CPU_REGISTERS; i++) {
        FUZZ_CHECK((cpu->r[i].value & ~cpu->r[i].known) == 0);
    }
}

static void take(struct vt_trace_registers *r, const struct input *in, const uint8_t *event)
{
    static const uint64_t places[] = {0x401000, 0xffffffff81000000u, 0x7c00, UINT64_MAX - 20};
    static struct vt_trace_access accesses[ACCESSES_MAX];
    uint64_t registers[20];
    uint8_t sizes[INSNS_MAX], *code;
    size_t from = event[5], bytes = 0;
    struct vt_trace_block block = {.id = event[9],
                                   .pc = places[event[2] & 3] + (event[2] >> 2),
                                   .n = (uint16_t)(event[3] % (INSNS_MAX + 1)),
                                   .sizes = sizes};
    for (unsigned i = 0; i < block.n; i++) {
        sizes[i] = byte_at(in, from + i) % 16;
        bytes += sizes[i];
    }
    /* Some blocks say less than their instructions have. */
    block.code_bytes = (uint16_t)(bytes - (event[4] >> 7 != 0 && bytes != 0));
    code = malloc(block.code_bytes != 0 ? block.code_bytes : 1);
    FUZZ_CHECK(code != NULL);
    for (unsigned i = 0; i < block.code_bytes; i++) {
        code[i] = byte_at(in, from + block.n + i);
    }
    block.code = code;
    unsigned n = event[6] % (ACCESSES_MAX + 1), instruction = 0;
    for (unsigned i = 0; i < n; i++) {
        size_t at = (size_t)event[7] + (size_t)i * 5;
        uint8_t shape = byte_at(in, at);
        instruction += shape & 1;
        accesses[i] = (struct vt_trace_access){
            .instruction = (uint16_t)instruction,
            .bytes = (uint8_t)((event[1] >> 4 & 1) != 0 ? shape : 1U << (shape >> 1) % 5),
            .store = (shape & 16) != 0,
            .has_value = (event[1] >> 5 & 1) == 0,
            .address = word_at(in, at + 1),
            .value = {word_at(in, at + 2), word_at(in, at + 3)},
        };
    }
    for (unsigned i = 0; i < 20; i++) {
        registers[i] = word_at(in, (size_t)event[8] + (size_t)i * 8);
    }
    struct vt_trace_event e = {
        .kind = (event[0] & 15) < 8 ? VT_TRACE_EV_BLOCK : (enum vt_trace_kind)(event[0] % 7),
        .end =
            (event[0] & 128) != 0 ? (enum vt_trace_end)((event[0] >> 4) % 6) : VT_TRACE_END_WHOLE,
        .vcpu = event[1] & 3,
        .root = event[1] >> 6,
        .block = &block,
        .executed = (event[0] & 128) != 0 ? event[4] & 31 : block.n,
        .from = block.pc + (event[8] & 15),
        .to = places[event[8] & 3],
        .n_accesses = n,
        .accesses = accesses,
        .n_registers = 20,
        .registers = registers,
        .pc = block.pc + (event[8] & 7),
    };
    struct vt_error err;
    int rc = vt_trace_registers_take(r, &e, look, &block, &err);
    FUZZ_CHECK((rc == 0) == (e.vcpu < 2));
    free(code);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"rax", "rbx", "rcx",     "rdx", "rsi",     "rdi",   "rbp",
                                        "rsp", "r8",  "r9",      "r10", "r11",     "r12",   "r13",
                                        "r14", "r15", "gs_base", "rip", "fs_base", "eflags"};
    struct vt_trace_info info = {.arch = "x86_64", .vcpus = 2, .n_registers = 20};
    struct vt_trace_registers *r;
    struct vt_error err;
    struct input in = {data, size};
    if (size < 10) {
        return 0;
    }
    for (unsigned i = 0; i < 20; i++) {
        snprintf(info.registers[i], sizeof info.registers[i], "%s", names[i]);
    }
    FUZZ_CHECK(vt_trace_registers_create(&info, &r, &err) == 0);
    for (size_t at = 0, n = 0; at + 10 <= size && n < EVENTS_MAX; at += 10, n++) {
        take(r, &in, data + at);
    }
    FUZZ_CHECK(vt_trace_registers_of(r, 1) != NULL && vt_trace_registers_of(r, 2) == NULL);
    const struct vt_trace_registers_counts *counts = vt_trace_registers_counts(r);
    FUZZ_CHECK(counts->not_executed <= counts->instructions);
    vt_trace_registers_destroy(r);
    return 0;
}
