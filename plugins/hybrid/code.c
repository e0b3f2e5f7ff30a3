/* plugins/hybrid/code.c - pages whose code was translated since QEMU last dropped all translations.
 *
 * A bit a page of the host's addresses, in blocks of 1 GiB that are made when one is first needed:
 * where QEMU maps the guest's RAM is not known from the beginning on, and code comes from ROMs,
 * too. Written by the vCPU's thread, or while it does not execute.
 */
#include "plugin.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_BITS 30
#define BLOCKS_MAX 1024u
#define PAGES ((uint64_t)1 << (BLOCK_BITS - VT_PAGE_BITS))

static struct block {
    uint64_t number;
    uint8_t *bits;
} blocks[BLOCKS_MAX];
static uint32_t n_blocks;
static bool any_physical;
static bool lost; /* there was no room for one: every page may hold code */

static uint8_t *bits_of(uint64_t number, bool make)
{
    static uint32_t last;
    if (last < n_blocks && blocks[last].number == number) {
        return blocks[last].bits;
    }
    for (uint32_t i = 0; i < n_blocks; i++) {
        if (blocks[i].number == number) {
            last = i;
            return blocks[i].bits;
        }
    }
    uint8_t *bits = make && n_blocks < BLOCKS_MAX ? calloc(PAGES / 8, 1) : NULL;
    lost = lost || (make && bits == NULL);
    if (bits != NULL) {
        blocks[n_blocks++] = (struct block){number, bits};
    }
    return bits;
}

void vt_code_add(const void *host)
{
    uint64_t page = (uint64_t)(uintptr_t)host >> VT_PAGE_BITS;
    uint8_t *bits = bits_of(page / PAGES, true);
    if (bits != NULL) {
        bits[page % PAGES / 8] |= (uint8_t)(1u << page % 8);
    }
}

static bool is_set(uint64_t address)
{
    uint64_t page = address >> VT_PAGE_BITS;
    const uint8_t *bits = bits_of(page / PAGES, false);
    return bits != NULL && (bits[page % PAGES / 8] >> page % 8 & 1) != 0;
}

/* Guest-physical addresses are kept beside the host's, far above them. */
#define PHYSICAL ((uint64_t)1 << 62)

void vt_code_add_physical(uint64_t gpa)
{
    any_physical = true;
    vt_code_add((const void *)(uintptr_t)(gpa | PHYSICAL));
}

static bool holds_physical(const uint8_t *host)
{
    uint64_t offset = (uint64_t)(host - vt_ram.base);
    for (uint32_t i = 0; i < vt_ram.n_ranges; i++) {
        const struct vt_hybrid_range *r = &vt_ram.ranges[i];
        if (offset - r->offset < r->bytes && is_set((r->gpa + (offset - r->offset)) | PHYSICAL)) {
            return true;
        }
    }
    return false;
}

bool vt_code_holds(const uint8_t *host)
{
    return lost || is_set((uint64_t)(uintptr_t)host) || (any_physical && holds_physical(host));
}

void vt_code_clear(void)
{
    for (uint32_t i = 0; i < n_blocks; i++) {
        memset(blocks[i].bits, 0, PAGES / 8);
    }
    any_physical = false;
}
