/* tests/unit/hybrid/fake_guest.h - RAM and page tables for what of the hybrid plugin knows no QEMU.
 *
 * RAM lies at guest-physical 1 MiB. Page tables are made in its upper half, page by page.
 */
#ifndef VT_TESTS_FAKE_GUEST_H
#define VT_TESTS_FAKE_GUEST_H

#include "plugins/hybrid/call.h"

#define FAKE_GPA ((uint64_t)1 << 20)
#define FAKE_PAGES 2048u
#define FAKE_TABLES 1024u /* the first page of tables */

/* Bits of entries. */
enum { P = 1, W = 2, U = 4, A = 0x20, D = 0x40, PS = 0x80 };
#define NX ((uint64_t)1 << 63)
#define FAKE_ALL ((uint64_t)(P | W | U | A | D))

struct fake_guest {
    struct vt_memory m;
    struct vt_paging p;
    uint32_t next_table;
};

void fake_init(struct fake_guest *g, bool five);
void fake_fini(struct fake_guest *g);
/** The host's address of a page of RAM. */
uint8_t *fake_page(const struct fake_guest *g, uint32_t page);
/** The entry for `va` at a level (1: 4 KiB, 2: 2 MiB, 3: 1 GiB); tables above it are made with all
 * rights. */
uint64_t *fake_entry(struct fake_guest *g, uint64_t va, unsigned level);
/** Maps a 4 KiB page; `bits` of it. */
void fake_map(struct fake_guest *g, uint64_t va, uint32_t page, uint64_t bits);
/** Pages of which fake_holds_code is true. */
extern uint8_t fake_code[FAKE_PAGES];

#endif
