/* tests/unit/synth/processor.h - functions run on the processor, one instruction at a time.
 *
 * The trap flag stops it behind each instruction; the handler sees all registers, and may look at
 * memory. One thread at a time.
 */
#ifndef VT_TESTS_SYNTH_PROCESSOR_H
#define VT_TESTS_SYNTH_PROCESSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct processor_state {
    uint64_t r[16]; /**< rax rcx rdx rbx rsp rbp rsi rdi r8 … r15 */
    uint64_t rip, flags;
    uint64_t xmm[16][4]; /**< of ymm; above 127 zeros where there is no AVX */
    uint64_t fs_base;
};

/** Calls `function` with six arguments on a stack that ends at `stack`; `step` is called before
 * each instruction, and ends it all by returning false. Returns false without a handler. */
bool processor_run(const void *function, const uint64_t arguments[6], void *stack,
                   bool (*step)(void *arg, const struct processor_state *state), void *arg);
#define PROCESSOR_FLAGS UINT64_C(0x8d5) /**< those of arithmetic */
/** The same from any state, of whose flags those are taken. It ends where rip is 0, or where memory
 * may not be touched: *faulted then says so, and the instruction did nothing. */
bool processor_run_from(const struct processor_state *from,
                        bool (*step)(void *arg, const struct processor_state *state), void *arg,
                        bool *faulted);
/** Blocks of the loops of a function: found by following its code. */
struct processor_loop {
    uint64_t head;
    uint32_t n; /**< runs of instructions without a gap; the head begins one */
    struct {
        uint64_t at;
        uint32_t bytes;
    } run[64];
};
/** At most `room` loops, inner ones first. */
uint32_t processor_loops(const void *function, struct processor_loop *loops, uint32_t room);

#endif
