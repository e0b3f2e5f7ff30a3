/* tests/unit/synth/loops.h - functions with a loop each, compiled in several ways. */
#ifndef VT_TESTS_SYNTH_LOOPS_H
#define VT_TESTS_SYNTH_LOOPS_H

#include <stddef.h>
#include <stdint.h>

#define LOOPS_REGION 4096u /**< bytes at each of a, b, c */

/** n: 1 to 60 elements of up to 24 bytes each. */
typedef uint64_t loop_function(void *a, void *b, void *c, uint64_t n, uint64_t x, uint64_t y);
struct loop_case {
    const char *name;
    loop_function *run;
    int needed; /**< its innermost loop must become a kernel */
};
/** Tables end with a NULL name. One for each file and each way that it is compiled. */
#define LOOPS_OF(level)                                                                            \
    extern const struct loop_case level##_streams[], level##_more[], level##_calls[]
LOOPS_OF(loops_o0);
LOOPS_OF(loops_o1);
LOOPS_OF(loops_o2);
LOOPS_OF(loops_o2_scalar);
LOOPS_OF(loops_o3);
LOOPS_OF(loops_o3_avx2);
LOOPS_OF(loops_os);

#endif
