/* guest/linux/pagetables.h - what Linux keeps in the entries of its page tables, level by level.
 *
 * Bits that hardware reads are those of vitrine/guest.h; where an entry is not present, Linux keeps
 * what became of the page in the others. (arch/x86/include/asm/pgtable_64.h: swap entries;
 * pgtable-invert.h)
 */
#ifndef VT_GUEST_LINUX_PAGETABLES_H
#define VT_GUEST_LINUX_PAGETABLES_H

#include "vitrine/linux.h"

/** What an entry stands for. */
enum vt_entry_use {
    VT_ENTRY_MAPS,     /**< memory */
    VT_ENTRY_LEADS,    /**< to a table */
    VT_ENTRY_PROTNONE, /**< memory that nobody may touch now: mprotect(PROT_NONE), NUMA balancing */
    VT_ENTRY_SWAPPED,  /**< a page in a swap area */
    VT_ENTRY_KEPT,     /**< not present, and for the kernel to know: migration, poison, markers */
    VT_ENTRY_FAULTS,   /**< present, but a reserved bit is set */
    VT_ENTRY_NOWHERE,  /**< a table that is not in RAM */
    VT_ENTRY_EMPTY,    /**< nothing */
};

struct vt_entry_decoded {
    enum vt_entry_use use;
    uint64_t physical;    /**< of the page or table, where there is one */
    uint32_t swap_type;   /**< of VT_ENTRY_SWAPPED and VT_ENTRY_KEPT: the number of the swap area */
    uint64_t swap_offset; /**< pages into it */
};

/** `swaps`: how many swap areas there are (nr_swapfiles); entries of a higher type are no pages. */
struct vt_entry_decoded vt_entry_decode(const struct vt_table_entry *entry, uint32_t swaps);
/** "page", "table", "protnone", "swap", "special", "reserved", "outside", "empty". */
const char *vt_entry_use_name(enum vt_entry_use use);

/** What an entry's bits say, beside accessed and dirty: "P W U G NX PWT PCD PAT PK3". Those of an
 *  entry that is not present are empty. `combined`: permissions of all levels in the place of its
 *  own. */
void vt_entry_flags(const struct vt_table_entry *entry, bool combined, char *text, size_t size);

/** Columns of struct vt_page_range and struct vt_page_step, for the verb. */
#define VT_PAGE_RANGE_COLUMNS 14
#define VT_PAGE_STEP_COLUMNS 8
extern const struct vt_column vt_page_range_columns[VT_PAGE_RANGE_COLUMNS];
extern const struct vt_column vt_page_step_columns[VT_PAGE_STEP_COLUMNS];

#endif
