/* tests/fuzz/fuzz_pages.c - struct pages as a hostile kernel would have them.
 *
 * The first bytes choose how the type word is read, the rest are struct pages. Whatever they say,
 * every kind is one of the enum, a page inside a free block is free and a tail has a kind that some
 * page before it has, or none.
 */
#include "tests/fuzz/fuzz.h"

#include "guest/linux/page_kind.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_STRUCT 64u
#define PAGES_MAX 4096u

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    if (count < 2) {
        return 0;
    }
    struct vt_page_layout l = {
        .flags = {.offset = 0, .size = 8},
        .compound_head = {.offset = 8, .size = 8},
        .lru = {.offset = 8, .size = 16},
        .mapping = {.offset = 24, .size = 8},
        .private = {.offset = 40, .size = 8},
        .type = {.offset = 48, .size = 4},
        .refcount = {.offset = 52, .size = 4},
        .bytes = PAGE_STRUCT,
        .vmemmap = 0xffffea0000000000,
        .reserved = 1 << 14,
        .slab = bytes[0] & 1 ? 1 << 9 : 0,
        .typed = (bytes[0] & 2) != 0,
        .buddy = bytes[0] & 2 ? 0xf0 : VT_PAGE_TYPE_BUDDY,
        .table = bytes[0] & 2 ? 0xf2 : VT_PAGE_TYPE_TABLE,
        .slab_type = bytes[0] & 1 ? 0 : 0xf5,
    };
    FUZZ_CHECK(vt_page_layout_fits(&l));
    size_t n = (count - 1 + PAGE_STRUCT - 1) / PAGE_STRUCT;
    n = n < PAGES_MAX ? n : PAGES_MAX;
    uint8_t *kinds = malloc(n);
    FUZZ_CHECK(kinds != NULL);
    struct vt_page_reading r = {.l = &l, .first = bytes[1], .kinds = kinds};
    for (size_t i = 0; i < n; i++) {
        uint8_t *page = calloc(1, PAGE_STRUCT); /* of its own, for the sanitizer */
        size_t at = 1 + i * PAGE_STRUCT, left = count - at;
        FUZZ_CHECK(page != NULL);
        memcpy(page, bytes + at, left < PAGE_STRUCT ? left : PAGE_STRUCT);
        bool inside = i < r.free_until;
        enum vt_linux_page_kind kind = vt_page_kind(&r, i, page);
        FUZZ_CHECK(kind <= VT_LINUX_PAGE_KERNEL);
        FUZZ_CHECK(!inside || kind == VT_LINUX_PAGE_FREE);
        FUZZ_CHECK(inside || r.free_until <= i + ((uint64_t)1 << 18));
        kinds[i] = (uint8_t)kind;
        free(page);
    }
    free(kinds);
    return 0;
}
