/* tests/unit/synth/loops_calls.c - functions with a loop each: what an iteration calls is part of
 * it.
 */
#include "tests/unit/synth/loops_part.h"

#define CALLED __attribute__((noinline, noclone)) static

CALLED uint32_t mixed(uint32_t v)
{
    v ^= v >> 15;
    v *= 0x2c1b3c6d;
    return v ^ v >> 12;
}

LOOP(calls)
{
    uint32_t *to = a;
    const uint32_t *from = b;
    UNUSED;
    for (uint64_t i = 0; i < n; i++) {
        to[i] = mixed(from[i]);
    }
    return 0;
}

LOOP(calls_twice)
{
    uint32_t *to = a;
    const uint32_t *from = b;
    uint32_t last = 0;
    UNUSED;
    for (uint64_t i = 0; i < n; i++) {
        last = mixed(from[i] + 1) + mixed(last);
        to[i] = last;
    }
    return last;
}

CALLED int within(int v, int low, int high)
{
    if (v < low) {
        return low;
    }
    return v > high ? high : v;
}

CALLED int weighted(const uint8_t *at, int by)
{
    return within(at[0] * by - at[1], 0, 255);
}

LOOP(calls_one_that_calls)
{
    uint8_t *to = a;
    const uint8_t *from = b;
    UNUSED;
    for (uint64_t i = 0; i < n; i++) {
        to[i] = (uint8_t)weighted(from + i, 3);
    }
    return 0;
}

LOOP(calls_at_times)
{
    uint32_t *to = a;
    const uint32_t *from = b;
    UNUSED;
    for (uint64_t i = 0; i < n; i++) {
        if ((from[i] & 1) != 0) {
            to[i] = mixed(from[i]);
        }
    }
    return 0;
}

CALLED unsigned bits_of(uint64_t v)
{
    unsigned count = 0;
    for (; v != 0; v &= v - 1) {
        count++;
    }
    return count;
}

LOOP(calls_a_loop)
{
    uint8_t *to = a;
    const uint64_t *from = b;
    UNUSED;
    for (uint64_t i = 0; i < n; i++) {
        to[i] = (uint8_t)bits_of(from[i]);
    }
    return 0;
}

CALLED uint64_t factorial(uint64_t v)
{
    return v < 2 ? 1 : v * factorial(v - 1) + factorial(v - 2);
}

LOOP(calls_itself)
{
    uint64_t *to = a;
    UNUSED;
    for (uint64_t i = 0; i < n && i < 4; i++) {
        to[i] = factorial(i);
    }
    return 0;
}

LOOPS_CASES(calls) = {
    ONE(calls),
    ONE(calls_twice),
    ONE(calls_one_that_calls),
    ONE(calls_at_times),
    ONE(calls_a_loop),
    MAYBE(calls_itself),
    {0},
};
