/* tests/system/trace/names_program.c - runs in a guest, in its own functions, a library's, the C
 * library's and the vdso's: so many turns as it is told, after it has shown what it has mapped
 * where, or for ever, after it has said that it turns. */
#include "names.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int names_compare(const void *a, const void *b)
{
    const unsigned long *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static __attribute__((noinline)) unsigned long names_own(unsigned long v)
{
    unsigned long list[16];
    for (unsigned i = 0; i < 16; i++) {
        list[i] = v = v * 6364136223846793005ul + 1;
    }
    qsort(list, 16, sizeof list[0], names_compare);
    return list[7];
}

static void names_maps(void)
{
    char line[256];
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        fputs(line, stdout);
    }
    fflush(stdout);
}

int main(int argc, char **argv)
{
    unsigned long v = 1, turns = argc > 1 ? strtoul(argv[1], NULL, 0) : 0;
    if (turns > 0) {
        names_maps();
    }
    for (unsigned long i = 0; turns == 0 || i < turns; i++) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        v = names_shared(names_own(v)) ^ (unsigned long)now.tv_nsec;
        /* Nothing may know that the numbers are of no use. */
        if (v == 0) {
            puts("zero");
        }
        if (turns == 0 && i == 0) {
            puts("turns");
            fflush(stdout);
        }
        if (turns > 0) { /* it does not end before somebody can have seen it */
            usleep(100000);
        }
    }
    return 0;
}
