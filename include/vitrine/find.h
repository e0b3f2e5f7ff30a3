/* vitrine/find.h - looking for bytes, text and YARA rules in RAM or in an address space.
 *
 * What is searched is addresses, not pages: a match may go over any number of page boundaries, also
 * where virtual pages lie scattered in RAM. Pages without storage are passed over: they hold
 * zeros, so a match of nothing but zeros is not found there.
 *
 * The guest may run meanwhile. A match is read a second time before it is told: VT_TRUST_TORN when
 * it is not there any more. What moved while the search went on may be missed.
 *
 * A struct vt_find is one thread's; it may be used for any number of searches.
 */
#ifndef VITRINE_FIND_H
#define VITRINE_FIND_H

#include "vitrine/base.h"
#include "vitrine/guest.h"
#include "vitrine/memory.h"

/** Bytes a pattern may have, and how many patterns there may be. */
#define VT_FIND_PATTERN_MAX 4096u
#define VT_FIND_PATTERNS_MAX 256u

struct vt_find;

int vt_find_create(struct vt_find **find, struct vt_error *err);
/** Takes NULL. */
void vt_find_destroy(struct vt_find *find);

/** Bytes as hex digits, two a byte, with any blanks between them; a '?' stands for any digit: "48
 * 8b
 *  ?? 4? c3". VT_E_INVAL: not that, too long, or nothing but '?'. VT_E_LIMIT: too many patterns. */
int vt_find_add_hex(struct vt_find *find, const char *hex, struct vt_error *err);

enum vt_find_text {
    VT_FIND_WIDE = 1 << 0,        /**< UTF-16, little-endian, instead of UTF-8 */
    VT_FIND_IGNORE_CASE = 1 << 1, /**< of the letters A to Z */
};
/** Text as it stands; for wide text it has to be UTF-8. `flags`: enum vt_find_text. */
int vt_find_add_text(struct vt_find *find, const char *text, unsigned flags, struct vt_error *err);

/** The YARA rules of a source file. Conditions see one search as one scan of a process: `filesize`
 *  is undefined, strings of a rule may match far apart. VT_E_INVAL: the first error with its line.
 *  At most one file. (YARA 4, docs/writingrules.rst) */
int vt_find_add_rules(struct vt_find *find, const char *path, struct vt_error *err);

/** How many patterns were added; YARA rules are none. */
unsigned vt_find_patterns(const struct vt_find *find);
/** Pattern i as it was given; belongs to `find`. */
const char *vt_find_pattern(const struct vt_find *find, unsigned i);

/** What is searched: [from, to) of it; to == 0: up to its end. */
struct vt_find_where {
    const struct vt_ram *ram;
    const struct vt_space *space; /**< NULL: guest-physical addresses */
    uint64_t from, to;
};

struct vt_find_match {
    uint64_t at;         /**< in the space that is searched */
    struct vt_gpa gpa;   /**< of its first byte */
    uint64_t bytes;      /**< 0: a rule that matched without a string */
    const char *pattern; /**< as given; a rule's name */
    const char *string;  /**< of a rule: "$a"; else NULL */
    unsigned index;      /**< of the pattern; of rules vt_find_patterns() */
    enum vt_trust trust;
};

struct vt_find_result {
    uint64_t space_bytes; /**< with storage, in the range */
    uint64_t matches;
    bool limited;  /**< some was not searched or told */
    char why[160]; /**< then: why */
};

/** Takes one match; patterns' matches come by ascending address, then those of rules. Non-zero ends
 *  the search and is returned by it. */
typedef int vt_find_fn(const struct vt_find_match *match, void *arg);
/** How far it is; non-zero ends the search with VT_E_INTERRUPTED. */
typedef int vt_find_progress_fn(uint64_t done, uint64_t total, void *arg);

/** Searches for everything that was added. Bounded whatever the page tables say: at most
 *  VT_FIND_ALIASES times the bytes of RAM are searched. `progress` may be NULL.
 *  Errors: VT_E_INVAL (nothing to search for), VT_E_ADDR (a range that is not canonical),
 *  VT_E_NOMEM, VT_E_GONE, VT_E_INTERRUPTED; what `fn` returns. */
#define VT_FIND_ALIASES 16u
int vt_find_run(struct vt_find *find, const struct vt_find_where *where, vt_find_fn *fn,
                vt_find_progress_fn *progress, void *arg, struct vt_find_result *result,
                struct vt_error *err);

#endif
