/* guest/linux/page_kind.h - from the bytes of a struct page to what it says; needs no kernel, only
 * the places of its members. The bytes are the guest's: hostile. */
#ifndef VT_GUEST_LINUX_PAGE_KIND_H
#define VT_GUEST_LINUX_PAGE_KIND_H

#include "guest/linux/pages.h"

/** Until Linux 6.10 a page type is a bit cleared in a word that starts as all ones (the top nibble
 *  tells it from a map count); the values are macros and not in BTF. */
#define VT_PAGE_TYPE_BUDDY UINT32_C(0x80)
#define VT_PAGE_TYPE_TABLE UINT32_C(0x200)

/** Where struct page keeps what, and the values that matter. */
struct vt_page_layout {
    struct vt_member flags, refcount, type, mapping, compound_head, private, lru;
    uint32_t bytes;                   /**< of a struct page */
    uint64_t vmemmap;                 /**< virtual address of that of page frame 0 */
    uint64_t reserved, slab;          /**< masks of flags; slab 0: a type instead */
    bool typed;                       /**< the type is the number in the top byte (Linux 6.12) */
    uint32_t buddy, table, slab_type; /**< bits, or numbers when typed */
};

/** Whether all members lie inside the struct and have sizes that can be read. */
bool vt_page_layout_fits(const struct vt_page_layout *layout);

/** That of this kernel, which fits; bytes is at most 256. VT_E_NOT_FOUND, VT_E_CORRUPT. */
int vt_linux_page_layout(const struct vt_kernel *kernel, struct vt_page_layout *layout,
                         struct vt_error *err);

/** A run of struct pages, read in ascending order: a page may be what one before it said. */
struct vt_page_reading {
    const struct vt_space *space; /**< the kernel's; NULL: lists of free pages are not checked */
    const struct vt_page_layout *l;
    uint64_t first;      /**< page frame number of kinds[0] */
    uint64_t free_until; /**< index: end of the buddy block we are in */
    uint8_t *kinds;      /**< those before `i` are filled */
};

/** The kind of page number first + i, whose struct page is at `page` (l->bytes of them). The caller
 *  stores it in kinds[i]. */
enum vt_linux_page_kind vt_page_kind(struct vt_page_reading *reading, uint64_t i,
                                     const uint8_t *page);

#endif
