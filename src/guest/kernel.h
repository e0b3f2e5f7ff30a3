/* guest/kernel.h - what an opened kernel is made of; for the files of this room only. */
#ifndef VT_GUEST_KERNEL_H
#define VT_GUEST_KERNEL_H

#include "guest/symbols/btf.h"
#include "guest/symbols/modules.h"
#include "guest/symbols/table.h"
#include "vitrine/guest.h"

struct vt_layout_entry;
struct vt_page_layout;
struct vt_percpu;
struct vt_task_layout;

#define VT_BANNER_MAX 512
#define VT_BUILD_ID_MAX 64
/* From __START_KERNEL_map to where modules begin. */
#define VT_KERNEL_IMAGE_MAX (INT64_C(1) << 30)

struct vt_kernel {
    const struct vt_ram *ram;
    struct vt_space space;
    struct vt_gva text_va; /* of _text: where this boot put the image */
    struct vt_gpa text_pa;
    struct vt_symbols symbols;
    char banner[VT_BANNER_MAX];
    char release[VT_BANNER_MAX];
    char build_id[2 * VT_BUILD_ID_MAX + 1];
    char *vmcoreinfo; /* the note's text, or NULL */
    size_t vmcoreinfo_bytes;
    struct vt_kernel_cost cost;
    char *cache_dir, *symbol_path; /* or NULL */

    /* made when first asked for */
    struct vt_btf *btf;
    struct vt_error no_types; /* why there are none: until the next refresh */
    struct vt_btf *described; /* came with symbols from a file: until types are asked for */
    bool foreign_types;       /* btf is from a file: modules' types in RAM do not continue it */
    struct vt_task_layout *tasks;
    struct vt_layout_entry *layouts;
    struct vt_percpu *percpu;
    struct vt_page_layout *pages;
    struct vt_modules module_symbols, module_types; /* until the next refresh */
    bool has_module_symbols, has_module_types;      /* it was tried */
};

/** A symbol of the image, without a look at modules: for what many kernels lack and no module has.
 */
bool vt_kernel_own_symbol(const struct vt_kernel *kernel, const char *name, struct vt_gva *gva);
/** The bytes between two symbols of the image, malloc'ed with a zero behind; NULL: not there. */
uint8_t *vt_kernel_image_range(const struct vt_kernel *kernel, const char *from, const char *to,
                               size_t max, size_t *n);
/** Looks for a known kernel where an image may start: its banner lies `banner_at` from _text.
 * `load`, called at most once, when the banner is there, gets its symbols into kernel->symbols.
 * true: the kernel is placed and proved; else kernel->symbols is empty. */
bool vt_kernel_try(struct vt_kernel *kernel, const char *banner, int64_t banner_at,
                   int (*load)(struct vt_kernel *kernel, void *arg), void *arg);
/** Looks for a kernel that an ISF file of the symbol path describes. VT_E_NOT_FOUND. */
int vt_kernel_find_described(struct vt_kernel *kernel, struct vt_error *err);
/** The types that an ISF file has for this kernel: those kept from the last time, or parsed now.
 *  VT_E_NOT_FOUND. */
int vt_kernel_described_types(const struct vt_kernel *kernel, struct vt_btf **types,
                              struct vt_error *err);
/** The kernel's types, read from RAM (or a file) when first asked for. */
int vt_kernel_types(const struct vt_kernel *kernel, const struct vt_btf **btf,
                    struct vt_error *err);

#endif
