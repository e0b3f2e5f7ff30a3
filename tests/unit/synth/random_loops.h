/* tests/unit/synth/random_loops.h - machine code of loops that nobody thought of, and states in
 * which it can run. */
#ifndef VT_TESTS_SYNTH_RANDOM_LOOPS_H
#define VT_TESTS_SYNTH_RANDOM_LOOPS_H

#include "tests/unit/synth/processor.h"

#define RANDOM_REGION 8192u
#define RANDOM_ARENA (4 * RANDOM_REGION) /**< three buffers and a stack */

/** Loops from this number on reach variables on the stack by two registers, mostly. */
#define RANDOM_FRAMES (UINT64_C(1) << 32)

enum random_role {
    RANDOM_ANY,
    RANDOM_POINTER, /**< into a buffer, less what an index adds to it */
    RANDOM_COUNT,
    RANDOM_LIMIT, /**< some steps from the count */
    RANDOM_END,   /**< some strides from a pointer */
    RANDOM_STRIDE,
    RANDOM_FRAME, /**< near the stack's pointer */
};
enum random_index { RANDOM_NO_INDEX, RANDOM_INDEX_64, RANDOM_INDEX_32, RANDOM_INDEX_SIGNED_32 };

struct random_loop {
    uint32_t end, n; /**< bytes [0, end) of `code` are the loop; what follows returns */
    uint8_t code[1024];
    uint8_t role[16]; /**< enum random_role */
    struct {
        uint8_t index, scale; /**< of rcx, in addresses with this pointer */
    } pointer[16];
    int32_t step, stride;    /**< of rcx, of rdi */
    int32_t pointer_in_cell; /**< 8 bytes from rsp on that are a pointer; 0: none */
    int32_t frame; /**< from rsp to rbp in most states, so that both reach the same; 0: far */
    uint32_t n_pieces;
};
/** The same seed makes the same loop; without those of its pieces whose bits are set. */
void random_loop_make(uint64_t seed, uint64_t without, struct random_loop *loop);
/** Registers and memory: buffers that overlap now and then, counts near where they wrap. `rip`
 * stays as it is. */
void random_loop_state(const struct random_loop *loop, uint64_t seed, uint8_t arena[RANDOM_ARENA],
                       struct processor_state *s);

#endif
