/* vitrine/volume.h - guest RAM as a picture: what each page holds, and a map of it.
 *
 * A page is 4 KiB of the RAM file; pages are numbered by file offset (page 0 is offset 0), not by
 * guest-physical address. A classification is one byte a page, made from the guest's own
 * bookkeeping (struct page, page tables, tasks) where the guest is a Linux that could be opened,
 * and from the contents alone where not.
 */
#ifndef VITRINE_VOLUME_H
#define VITRINE_VOLUME_H

#include "vitrine/base.h"
#include "vitrine/guest.h"
#include "vitrine/memory.h"

/* ---------------------------------------------------------------- classes */

/** What a page holds. The order is the legend's; add at the end of a group and bump nothing else:
 *  the values are not stored anywhere. */
enum vt_page_class {
    /* not in use */
    VT_CLASS_HOLE, /**< the guest never touched it: the host holds no page */
    VT_CLASS_ZERO, /**< free or of unknown use, and all zeros */
    VT_CLASS_FREE, /**< on the kernel's free lists, with old contents */
    /* the kernel's */
    VT_CLASS_KERNEL_TEXT,     /**< machine code, modules' included */
    VT_CLASS_KERNEL_DATA,     /**< the image's .rodata, .data, .bss and modules' data */
    VT_CLASS_KERNEL_RESERVED, /**< taken at boot: page descriptors, hash tables, firmware */
    VT_CLASS_KERNEL_SLAB,     /**< kmalloc and object caches */
    VT_CLASS_KERNEL_STACK,    /**< of tasks */
    VT_CLASS_KERNEL_VMALLOC,  /**< other virtually contiguous allocations */
    VT_CLASS_KERNEL_OTHER,    /**< allocated page by page: pipes, sockets, per-CPU data, drivers */
    VT_CLASS_PAGE_TABLE,
    VT_CLASS_PAGE_CACHE, /**< file contents no process maps now */
    /* the processes' */
    VT_CLASS_USER_CODE,  /**< mapped executable */
    VT_CLASS_USER_FILE,  /**< mapped from a file or shared memory, not executable */
    VT_CLASS_USER_ANON,  /**< anonymous: mmap, malloc of large blocks, .data, threads' stacks */
    VT_CLASS_USER_HEAP,  /**< grown by brk */
    VT_CLASS_USER_STACK, /**< of the main thread */
    /* where the guest is not understood: by contents */
    VT_CLASS_LIKE_TEXT,   /**< mostly printable characters */
    VT_CLASS_LIKE_CODE,   /**< looks like x86-64 instructions */
    VT_CLASS_LIKE_PACKED, /**< looks random: compressed or encrypted */
    VT_CLASS_LIKE_DATA,   /**< anything else */
    VT_CLASSES,
};

/** "kernel_text": as in JSON. "unknown" for a number that is no class. */
const char *vt_class_name(enum vt_page_class page_class);
/** "Kernel code": as in a legend. */
const char *vt_class_title(enum vt_page_class page_class);

/** Processes that a classification can tell apart: the largest ones. */
#define VT_OWNERS_MAX 64

/** One of the largest processes. */
struct vt_owner {
    int32_t pid;
    char comm[16 + 1];            /**< as the guest has it: not safe for a terminal */
    uint64_t mapped_pages;        /**< of RAM in its page tables, below the kernel's half */
    uint64_t own_pages;           /**< of these: mapped by no other process */
    uint64_t classes[VT_CLASSES]; /**< its own pages by class; the sum is own_pages */
};

/** A classification of all of a VM's RAM. Not thread-safe; readers of the arrays see them change
 *  during a scan or an update. */
struct vt_classes;

/** `ram` outlives it. Memory: 4 bytes a page. Until the first scan every page is a hole. */
int vt_classes_create(const struct vt_ram *ram, struct vt_classes **classes, struct vt_error *err);
/** Takes NULL. */
void vt_classes_destroy(struct vt_classes *classes);

/** Classifies every page. `kernel` may be NULL: by contents alone. A kernel whose bookkeeping
 *  cannot be read does not fail the scan; what was left out is said by vt_classes_note. The guest
 *  may run meanwhile: pages that changed hands may be shown either way.
 *  Errors: VT_E_NOMEM, VT_E_GONE (RAM lost). */
int vt_classes_scan(struct vt_classes *classes, struct vt_kernel *kernel, struct vt_error *err);
/** Looks again at the contents of `n` pages (indices; those past the end are ignored) and leaves
 *  everything else as the last scan found it: holes, zeros and content classes follow at the price
 *  of a read, ownership only with the next scan. */
int vt_classes_update(struct vt_classes *classes, const uint64_t *pages, size_t n,
                      struct vt_error *err);

/** One enum vt_page_class a page, vt_classes_pages() of them. */
const uint8_t *vt_classes_bytes(const struct vt_classes *classes);
/** Beside it: 0, or 1 + the index of the process that alone maps the page. */
const uint8_t *vt_classes_owners(const struct vt_classes *classes);
uint64_t vt_classes_pages(const struct vt_classes *classes);
/** Pages of each class; the sum is vt_classes_pages(). */
void vt_classes_totals(const struct vt_classes *classes, uint64_t totals[VT_CLASSES]);
/** The largest processes by mapped pages, largest first. */
size_t vt_classes_processes(const struct vt_classes *classes, const struct vt_owner **owners);
/** Whether the last scan understood the guest (else: contents only). */
bool vt_classes_understood(const struct vt_classes *classes);
/** What the last scan could not see and why, one line; "" when nothing. */
const char *vt_classes_note(const struct vt_classes *classes);

/* ---------------------------------------------------------------- colours */

/** sRGB, straight alpha. */
struct vt_colour {
    uint8_t r, g, b, a;
};

enum vt_palette {
    VT_PALETTE_DEFAULT,    /**< kernel yellow, code blue, stack green, heap red */
    VT_PALETTE_COLORBLIND, /**< Okabe and Ito's eight and their tints */
};

/** "default" or "colorblind". VT_E_INVAL names both. */
int vt_palette_parse(const char *name, enum vt_palette *palette, struct vt_error *err);
struct vt_colour vt_palette_class(enum vt_palette palette, enum vt_page_class page_class);
/** The shade of a class for the pages of process number `owner` (0 the largest) of `n`: the same
 *  hue, lighter or darker. */
struct vt_colour vt_palette_owner(enum vt_palette palette, enum vt_page_class page_class,
                                  unsigned owner, unsigned n);

/* ---------------------------------------------------------------- the map */

struct vt_canvas;
struct vt_highlight;

/** What a map shows. Strings are borrowed for the call and may hold guest text. */
struct vt_map_view {
    const char *name;        /**< the VM's */
    const char *system;      /**< "Linux 6.1.0-…", or why there is nothing to say; may be NULL */
    const char *consistency; /**< "paused", "live"; may be NULL */
    const char *note;        /**< one line below the map; may be NULL */
    const char *credit;      /**< small, in the lower right corner; may be NULL */
    int64_t unix_s;          /**< when the classification was made; shown in UTC */
    const uint8_t *classes;  /**< n_pages of enum vt_page_class; others count as holes */
    const uint8_t *owners;   /**< n_pages, as vt_classes_owners; or NULL */
    uint64_t n_pages;        /**< 1 to 2^32 */
    const struct vt_owner *processes;
    unsigned n_processes;                /**< how many of them get a shade and a row */
    const struct vt_ram_region *regions; /**< for addresses; n_regions 0: identity */
    unsigned n_regions;
    enum vt_palette palette;
    uint32_t width;                        /**< of the picture in pixels, 640–8192 */
    const struct vt_highlight *highlights; /**< shown above the classes, the later the higher */
    unsigned n_highlights;                 /**< 0: nothing is dimmed; past 255 they are left out */
};

/** Draws map, title and legend. *canvas is the caller's. */
int vt_map_draw(const struct vt_map_view *map, struct vt_canvas **canvas, struct vt_error *err);

uint32_t vt_canvas_width(const struct vt_canvas *canvas);
uint32_t vt_canvas_height(const struct vt_canvas *canvas);
/** Pixels as R, G, B, A bytes, row by row from the top, without gaps. */
const uint8_t *vt_canvas_pixels(const struct vt_canvas *canvas);
/** Takes NULL. */
void vt_canvas_destroy(struct vt_canvas *canvas);
/** The canvas as a PNG in memory, malloc'ed. VT_E_NOMEM. */
int vt_canvas_png(const struct vt_canvas *canvas, void **bytes, size_t *n, struct vt_error *err);
/** Writes a PNG (ISO/IEC 15948). A regular file appears complete or not at all; anything else at
 *  `path` (a pipe, a terminal) is written to. VT_E_IO with errno (disk full), VT_E_PERM, … */
int vt_canvas_write_png(const struct vt_canvas *canvas, const char *path, struct vt_error *err);

#endif
