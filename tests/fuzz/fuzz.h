/* tests/fuzz/fuzz.h - what every fuzz_<name>.c defines, and how it says that something is wrong. */
#ifndef VT_TESTS_FUZZ_H
#define VT_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/** libFuzzer's entry; must return 0 and keep nothing. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

/** Like assert, in every build. */
#define FUZZ_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#endif
