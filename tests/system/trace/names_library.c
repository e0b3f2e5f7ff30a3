/* tests/system/trace/names_library.c - a shared library that trace_names.sh finds the functions of:
 * one that others see, one that only the library itself does. */
#include "names.h"

static __attribute__((noinline)) unsigned long names_local(unsigned long v)
{
    for (int i = 0; i < 50; i++) {
        v = v * 3 + (v >> 7);
        __asm__ volatile("" : "+r"(v));
    }
    return v;
}

unsigned long names_shared(unsigned long v)
{
    for (int i = 0; i < 20; i++) {
        v ^= names_local(v);
        __asm__ volatile("" : "+r"(v));
    }
    return v + 1;
}
