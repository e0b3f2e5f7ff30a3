/* tests/system/mutate_nouns.c - every noun's walk in a real guest's saved RAM, with words changed
 * where it reads, by a seeded generator.
 *
 *   mutate-nouns RAM SEED ROUNDS [NOUN]    one line a noun: name, rounds, the longest walk in ms
 *   mutate-nouns --names                   the nouns there are
 *
 * A crash or a broken promise ends it; a walk without end is seen by whoever waits for it.
 */
#include "tests/fuzz/mutated_ram.h"

#include "base/io.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t next(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--names") == 0) {
        for (const struct vt_noun *const *noun = vt_nouns; *noun != NULL; noun++) {
            puts((*noun)->name);
        }
        return 0;
    }
    if (argc != 4 && argc != 5) {
        fprintf(stderr, "usage: %s RAM SEED ROUNDS [NOUN]\n", argv[0]);
        return 2;
    }
    uint64_t state = strtoull(argv[2], NULL, 0);
    unsigned long rounds = strtoul(argv[3], NULL, 0);
    struct mutated_ram *ram = mutated_ram_create(argv[1]);
    if (ram == NULL || mutated_ram_nouns(ram) == 0) {
        fprintf(stderr, "mutate-nouns: nothing to walk in %s\n", argv[1]);
        return 1;
    }
    for (size_t noun = 0; noun < mutated_ram_nouns(ram); noun++) {
        uint64_t longest = 0;
        if (argc == 5 && strcmp(mutated_ram_noun(ram, noun)->name, argv[4]) != 0) {
            continue;
        }
        for (unsigned long round = 0; round < rounds; round++) {
            struct mutation mutations[8];
            size_t n = 1 + next(&state) % 8;
            for (size_t i = 0; i < n; i++) {
                mutations[i].kind = (uint8_t)(next(&state) % MUTATION_KINDS);
                mutations[i].word = (uint32_t)next(&state);
                mutations[i].value = next(&state) >> next(&state) % 64;
            }
            uint64_t begin = vt_now_ns();
            mutated_ram_walk(ram, noun, mutations, n);
            uint64_t took = vt_now_ns() - begin;
            longest = took > longest ? took : longest;
        }
        printf("%-16s %lu rounds, longest %" PRIu64 " ms\n", mutated_ram_noun(ram, noun)->name,
               rounds, longest / 1000000);
        fflush(stdout);
    }
    mutated_ram_destroy(ram);
    return 0;
}
