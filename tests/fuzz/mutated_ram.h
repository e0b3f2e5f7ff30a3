/* tests/fuzz/mutated_ram.h - a Linux guest's RAM whose words are changed where walkers read them.
 *
 * The RAM is a private copy of a saved file, or of a synthetic guest. A first, clean walk of each
 * noun notes every place it read (the linker wraps the reads of vitrine/guest.h); mutations then
 * land there and not in the megabytes that nobody looks at.
 */
#ifndef VT_TESTS_FUZZ_MUTATED_RAM_H
#define VT_TESTS_FUZZ_MUTATED_RAM_H

#include "vitrine/linux.h"

struct mutated_ram;

/** `path`: a saved raw RAM file below the PCI hole; NULL: a synthetic guest. NULL when it does not
 *  open, said on stderr. */
struct mutated_ram *mutated_ram_create(const char *path);
void mutated_ram_destroy(struct mutated_ram *ram);

/** Nouns that can be walked in it at all. */
size_t mutated_ram_nouns(const struct mutated_ram *ram);
const struct vt_noun *mutated_ram_noun(const struct mutated_ram *ram, size_t i);

/** One change: to the word `word` (modulo their number) of those that the clean walk of the noun
 *  read. What it becomes: */
enum mutation_kind {
    MUTATE_VALUE,   /**< `value` */
    MUTATE_POINTER, /**< an address that the walk read from, number `value` */
    MUTATE_SELF,    /**< its own address, plus `value` as a signed byte */
    MUTATE_ADD,     /**< what it was plus `value`, signed */
    MUTATE_COPY,    /**< what another of those words was, number `value` */
    MUTATE_SMALL,   /**< `value` modulo 256 */
    MUTATE_BIT,     /**< what it was with bit `value` modulo 64 flipped */
    MUTATE_PAGE,    /**< any word of populated RAM, number `word`, becomes `value` */
    MUTATION_KINDS,
};
struct mutation {
    uint8_t kind;
    uint32_t word;
    uint64_t value;
};

/** Applies, walks the noun, checks what must hold of any result, and takes the changes back. */
void mutated_ram_walk(struct mutated_ram *ram, size_t noun, const struct mutation *mutations,
                      size_t n);

#endif
