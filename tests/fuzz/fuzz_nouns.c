/* tests/fuzz/fuzz_nouns.c - every noun's walk in RAM whose words are changed where it reads.
 *
 * RAM is the saved file that VITRINE_FUZZ_RAM names (tools/fuzz makes one), else a synthetic guest.
 * Input: a byte that picks the noun, then mutations: kind (1), word (4), value (8 bytes). The byte
 * picks by a hash of names, so that most inputs keep their meaning when a noun is added.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/mutated_ram.h"

#include "base/cursor.h"

#define MUTATIONS_MAX 64u

/* The noun whose name's hash comes next after `pick`, going round. */
static size_t noun_of(const struct mutated_ram *ram, uint8_t pick)
{
    size_t best = 0;
    uint8_t nearest = UINT8_MAX;
    for (size_t i = 0; i < mutated_ram_nouns(ram); i++) {
        uint32_t hash = 2166136261u; /* FNV-1a */
        for (const char *c = mutated_ram_noun(ram, i)->name; *c != '\0'; c++) {
            hash = (hash ^ (uint8_t)*c) * 16777619u;
        }
        uint8_t distance = (uint8_t)((hash >> 24) - pick);
        if (distance < nearest) {
            nearest = distance;
            best = i;
        }
    }
    return best;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    static struct mutated_ram *ram;
    if (ram == NULL) {
        ram = mutated_ram_create(getenv("VITRINE_FUZZ_RAM"));
        FUZZ_CHECK(ram != NULL && mutated_ram_nouns(ram) > 0);
    }
    struct mutation mutations[MUTATIONS_MAX];
    struct vt_cursor c = vt_cursor_of(bytes, count);
    size_t noun = noun_of(ram, vt_cursor_u8(&c)), n = 0;
    while (vt_cursor_left(&c) >= 13 && n < MUTATIONS_MAX) {
        mutations[n].kind = vt_cursor_u8(&c) % MUTATION_KINDS;
        mutations[n].word = vt_cursor_u32(&c);
        mutations[n].value = vt_cursor_u64(&c);
        n++;
    }
    mutated_ram_walk(ram, noun, mutations, n);
    return 0;
}
