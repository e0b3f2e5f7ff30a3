/* tests/unit/synth/loops_part.h - how the loops of loops_*.c are written down. Each of those files
 * is compiled in several ways; LOOPS is what its tables' names begin with.
 */
#ifndef VT_TESTS_SYNTH_LOOPS_PART_H
#define VT_TESTS_SYNTH_LOOPS_PART_H

#include "tests/unit/synth/loops.h"

#define LOOP(name)                                                                                 \
    __attribute__((noinline)) static uint64_t name(void *a, void *b, void *c, uint64_t n,          \
                                                   uint64_t x, uint64_t y)
#define UNUSED (void)a, (void)b, (void)c, (void)n, (void)x, (void)y

/* The compiler is not to make calls of memset and memcpy of these. */
#define KEEP __asm__ volatile("")

#define ROTATE(v, by) ((v) << (by) | (v) >> (32 - (by)))
#define QUARTER(p, q, r, s)                                                                        \
    (p += q, s = ROTATE(s ^ p, 16), r += s, q = ROTATE(q ^ r, 12), p += q, s = ROTATE(s ^ p, 8),   \
     r += s, q = ROTATE(q ^ r, 7))

#define ALL_OF(what)                                                                               \
    {#what "8", what##8, 1}, {#what "16", what##16, 1}, {#what "32", what##32, 1},                 \
        {#what "64", what##64, 1}
#define ONE(what) {#what, what, 1}
#define MAYBE(what) {#what, what, 0}
/** The table of one of those files. */
#define LOOPS_NAMED(level, part) level##_##part
#define LOOPS_TABLE(level, part) LOOPS_NAMED(level, part)
#define LOOPS_CASES(part) const struct loop_case LOOPS_TABLE(LOOPS, part)[]

#endif
