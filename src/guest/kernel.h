/* guest/kernel.h - what an opened kernel is made of; for the files of this room only. */
#ifndef VT_GUEST_KERNEL_H
#define VT_GUEST_KERNEL_H

#include "guest/symbols/btf.h"
#include "guest/symbols/modules.h"
#include "guest/symbols/table.h"
#include "vitrine/guest.h"

struct vt_layout_entry;
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

    /* made when first asked for */
    struct vt_btf *btf;
    struct vt_task_layout *tasks;
    struct vt_layout_entry *layouts;
    struct vt_percpu *percpu;
    struct vt_modules module_symbols, module_types; /* until the next refresh */
    bool has_module_symbols, has_module_types;      /* it was tried */
};

/** The bytes between two symbols of the image, malloc'ed with a zero behind; NULL: not there. */
uint8_t *vt_kernel_image_range(const struct vt_kernel *kernel, const char *from, const char *to,
                               size_t max, size_t *n);
/** The kernel's types, read from RAM when first asked for. */
int vt_kernel_types(const struct vt_kernel *kernel, const struct vt_btf **btf,
                    struct vt_error *err);

#endif
