/* tests/unit/hybrid/fake_guest.c - see fake_guest.h. */
#include "fake_guest.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

uint8_t fake_code[FAKE_PAGES];
static const uint8_t *ram;

static bool holds_code(const uint8_t *host)
{
    return fake_code[(size_t)(host - ram) / VT_PAGE_BYTES] != 0;
}

void fake_init(struct fake_guest *g, bool five)
{
    memset(fake_code, 0, sizeof fake_code);
    g->m = (struct vt_memory){.bytes = FAKE_PAGES * VT_PAGE_BYTES, .holds_code = holds_code};
    g->m.base = mmap(NULL, g->m.bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ram = g->m.base;
    const struct vt_hybrid_range range = {FAKE_GPA, g->m.bytes, 0};
    if (g->m.base == MAP_FAILED || !vt_memory_ranges(&g->m, &range, 1)) {
        abort();
    }
    g->next_table = FAKE_TABLES + 1;
    g->p = (struct vt_paging){.root = FAKE_GPA + FAKE_TABLES * VT_PAGE_BYTES,
                              .five = five,
                              .user = true,
                              .user_pages = true};
}

void fake_fini(struct fake_guest *g)
{
    munmap(g->m.base, g->m.bytes);
}

uint8_t *fake_page(const struct fake_guest *g, uint32_t page)
{
    return g->m.base + page * VT_PAGE_BYTES;
}

uint64_t *fake_entry(struct fake_guest *g, uint64_t va, unsigned level)
{
    uint64_t gpa = g->p.root;
    for (unsigned here = g->p.five ? 5 : 4;; here--) {
        uint64_t *table = (uint64_t *)(void *)(g->m.base + ((gpa & ~UINT64_C(4095)) - FAKE_GPA));
        uint64_t *entry = &table[va >> (12 + 9 * (here - 1)) & 511];
        if (here == level) {
            return entry;
        }
        if (*entry == 0) {
            if (g->next_table == FAKE_PAGES) {
                abort();
            }
            *entry = (FAKE_GPA + g->next_table++ * VT_PAGE_BYTES) | P | W | U | A;
        }
        gpa = *entry & UINT64_C(0x000ffffffffff000);
    }
}

void fake_map(struct fake_guest *g, uint64_t va, uint32_t page, uint64_t bits)
{
    *fake_entry(g, va, 1) = (FAKE_GPA + page * VT_PAGE_BYTES) | bits;
}
