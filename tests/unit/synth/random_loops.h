/* tests/unit/synth/random_loops.h - machine code of loops that nobody thought of. */
#ifndef VT_TESTS_SYNTH_RANDOM_LOOPS_H
#define VT_TESTS_SYNTH_RANDOM_LOOPS_H

#include <stddef.h>
#include <stdint.h>

struct random_loop {
    uint32_t head, end, n; /**< bytes [head, end) of `code` are the loop; n: the whole function */
    uint8_t code[1024];
};
/** A function of loops.h's signature with one loop, which may be endless. It changes registers that
 * a function may change, the red zone, and what lies within LOOPS_REGION of its pointers for the
 * first 40 iterations. */
void random_loop_make(uint64_t seed, struct random_loop *loop);

#endif
