/* guest/linux/pages.h - what Linux itself says about its pages: struct page, the kernel's own
 * mappings, the heap and stack of a process.
 *
 * Everything is probed: members through BTF, places through symbols and page tables. The kernel may
 * run meanwhile; each page is described by one copy of its struct page.
 */
#ifndef VT_GUEST_LINUX_PAGES_H
#define VT_GUEST_LINUX_PAGES_H

#include "vitrine/guest.h"

/** What the struct page of a physical page says. */
enum vt_linux_page_kind {
    VT_LINUX_PAGE_UNKNOWN,  /**< it has none, or it could not be read */
    VT_LINUX_PAGE_FREE,     /**< in the buddy allocator */
    VT_LINUX_PAGE_IDLE,     /**< on a CPU's list of free pages */
    VT_LINUX_PAGE_RESERVED, /**< never given to the allocator: image, boot-time data, firmware */
    VT_LINUX_PAGE_SLAB,
    VT_LINUX_PAGE_TABLE,  /**< a page table that keeps a lock in its struct page */
    VT_LINUX_PAGE_ANON,   /**< of processes, without a file */
    VT_LINUX_PAGE_FILE,   /**< page cache, shared memory, block device buffers */
    VT_LINUX_PAGE_KERNEL, /**< allocated and nothing more is said */
};

/** Describes `n_pages` pages from `from` on, one enum vt_linux_page_kind a byte. Pages whose struct
 *  page is not there are VT_LINUX_PAGE_UNKNOWN; that is no failure.
 *  Errors: VT_E_NOT_FOUND (a member or symbol this needs), VT_E_NOMEM.
 *  (Linux mm/page_alloc.c, include/linux/page-flags.h, mm_types.h; the same reading as
 *  fs/proc/page.c gives to /proc/kpageflags) */
int vt_linux_page_kinds(const struct vt_kernel *kernel, struct vt_gpa from, uint64_t n_pages,
                        uint8_t *kinds, struct vt_error *err);

/** Where the kernel has all of physical memory mapped in one piece: address of byte 0. */
uint64_t vt_linux_direct_map(const struct vt_kernel *kernel);

/** Modules and everything mapped for them ends where the fixed mappings begin. */
#define VT_LINUX_MODULES_END UINT64_C(0xffffffffff000000)

/** The addresses that vmalloc hands out: [*from, *to). */
void vt_linux_vmalloc_range(const struct vt_kernel *kernel, struct vt_gva *from, struct vt_gva *to);
/** The highest bytes that the stack of a thread, which begins at `stack`, may have; one in the
 * vmalloc area ends before, at a page that is not mapped. */
uint64_t vt_linux_stack_bytes(const struct vt_kernel *kernel, struct vt_gva stack);

/** What the kernel's half of the address space uses a page for. */
enum vt_linux_area {
    VT_LINUX_AREA_TABLE, /**< a page table, of the kernel's half */
    VT_LINUX_AREA_TEXT,  /**< the image's code */
    VT_LINUX_AREA_DATA,  /**< the rest of the image, with what it gave back after boot */
    VT_LINUX_AREA_MODULE_TEXT,
    VT_LINUX_AREA_MODULE_DATA,
    VT_LINUX_AREA_VMALLOC, /**< vmalloc area, stacks included */
    VT_LINUX_AREA_STACK,   /**< a task's kernel stack (told after the vmalloc area it lies in) */
};

/** Calls `fn` for the kernel's mappings as runs of physical pages; direct map, page descriptors and
 *  fixed mappings are left out. At most `max_tables` tables are read (VT_E_LIMIT after telling what
 *  was seen). A callback's non-zero return ends the walk and is returned. */
int vt_linux_kernel_areas(const struct vt_kernel *kernel, const struct vt_task_list *tasks,
                          uint64_t max_tables,
                          int (*fn)(enum vt_linux_area area, struct vt_gpa gpa, uint64_t bytes,
                                    void *arg),
                          void *arg, struct vt_error *err);

/** Where a process keeps what; empty ranges have from == to. */
struct vt_linux_layout {
    struct vt_gva heap_from, heap_to;
    struct vt_gva stack_from, stack_to; /**< the main thread's */
    struct vt_space space;              /**< the page tables user mode runs on */
    struct vt_gva user_end;             /**< one past the last user address */
};

/** VT_E_NOT_FOUND for a kernel thread. */
int vt_linux_task_layout(const struct vt_kernel *kernel, const struct vt_task *task,
                         struct vt_linux_layout *layout, struct vt_error *err);

#endif
