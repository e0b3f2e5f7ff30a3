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
/** Ends with a NULL name. */
extern const struct loop_case loops_o0[], loops_o1[], loops_o2[], loops_o2_scalar[], loops_o3[],
    loops_o3_avx2[], loops_os[];

#endif
