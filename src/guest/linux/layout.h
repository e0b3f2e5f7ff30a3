/* guest/linux/layout.h - where a noun's members are, probed once a kernel.
 *
 * A noun declares a struct of struct vt_member and struct vt_extent, and a table that says what
 * they stand for:
 *
 *   struct layout { struct vt_extent module; struct vt_member list, name, bytes; };
 *   static const struct vt_field_spec specs[] = {
 *       VT_FIELD(layout, list, module, "module", "list"),
 *       VT_FIELD(layout, name, module, "module", "name"),
 *       VT_FIELD_OPTIONAL(layout, bytes, module, "module", "core_layout.size", "core_size"),
 *   };
 *   static const struct vt_layout_type type = VT_LAYOUT(layout, specs);
 *
 *   const struct layout *l;
 *   if (vt_layout_take(kernel, &type, &l, err) != 0) …
 */
#ifndef VT_GUEST_LINUX_LAYOUT_H
#define VT_GUEST_LINUX_LAYOUT_H

#include "guest/linux/object.h"

/** The member `slot` of struct `layout` is found as the first of the paths that the kernel's struct
 *  has, and widens the extent `part`. */
#define VT_FIELD(layout, slot_, part, struct_, ...)                                                \
    {                                                                                              \
        .slot = offsetof(struct layout, slot_),                                                    \
        .extent = offsetof(struct layout, part) + 1,                                               \
        .struct_name = (struct_),                                                                  \
        .paths = {__VA_ARGS__},                                                                    \
    }
#define VT_FIELD_OPTIONAL(layout, slot_, part, struct_, ...)                                       \
    {                                                                                              \
        .slot = offsetof(struct layout, slot_),                                                    \
        .extent = offsetof(struct layout, part) + 1,                                               \
        .struct_name = (struct_),                                                                  \
        .paths = {__VA_ARGS__},                                                                    \
        .optional = true,                                                                          \
    }
/** Size of a struct: the slot's member is {0, size}. */
#define VT_FIELD_SIZE(layout, slot_, struct_)                                                      \
    {                                                                                              \
        .slot = offsetof(struct layout, slot_),                                                    \
        .struct_name = (struct_),                                                                  \
    }
#define VT_FIELD_SIZE_OPTIONAL(layout, slot_, struct_)                                             \
    {                                                                                              \
        .slot = offsetof(struct layout, slot_),                                                    \
        .struct_name = (struct_),                                                                  \
        .optional = true,                                                                          \
    }

struct vt_layout_type {
    size_t bytes; /**< of the noun's struct */
    const struct vt_field_spec *specs;
    size_t n_specs;
};
#define VT_LAYOUT(layout, specs_)                                                                  \
    {                                                                                              \
        .bytes = sizeof(struct layout),                                                            \
        .specs = (specs_),                                                                         \
        .n_specs = sizeof(specs_) / sizeof(specs_)[0],                                             \
    }

/** The layout of this kernel; belongs to it. `layout` points to a pointer to the noun's struct.
 *  VT_E_NOT_FOUND names the first essential member that is missing. */
int vt_layout_take(struct vt_kernel *kernel, const struct vt_layout_type *type, void *layout,
                   struct vt_error *err);

struct vt_layout_entry;
/** Frees a kernel's layouts. */
void vt_layouts_free(struct vt_layout_entry *first);

#endif
