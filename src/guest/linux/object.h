/* guest/linux/object.h - reading a kernel object: which members, where they are, one copy.
 *
 * A walker names its members in a table of struct vt_field_spec with every name kernels have used;
 * vt_fields_resolve probes BTF for them once. vt_object_read then copies the part of an object that
 * holds them, so that everything decided on comes from one look.
 */
#ifndef VT_GUEST_LINUX_OBJECT_H
#define VT_GUEST_LINUX_OBJECT_H

#include "vitrine/guest.h"

#define VT_FIELD_PATHS 4

/** A member to find: the first of `paths` that the kernel's struct has. Without paths: the struct's
 *  size. Without a struct: the value of the first enumerator that there is. */
struct vt_field_spec {
    size_t slot; /**< offsetof its struct vt_member in the layout */
    const char *struct_name;
    const char *paths[VT_FIELD_PATHS];
    bool optional; /**< may be missing: its size is 0 then */
    size_t extent; /**< offsetof the struct vt_extent it widens, plus 1; 0: none */
};

/** The member `slot` of struct `layout`, on its own; see layout.h for those that widen an extent.
 */
#define VT_FIELD_BARE(layout, slot_, struct_, ...)                                                 \
    {                                                                                              \
        .slot = offsetof(struct layout, slot_),                                                    \
        .struct_name = (struct_),                                                                  \
        .paths = {__VA_ARGS__},                                                                    \
    }
#define VT_FIELD_BARE_OPTIONAL(layout, slot_, struct_, ...)                                        \
    {                                                                                              \
        .slot = offsetof(struct layout, slot_),                                                    \
        .struct_name = (struct_),                                                                  \
        .paths = {__VA_ARGS__},                                                                    \
        .optional = true,                                                                          \
    }

/** The value of an enumerator: the slot's member is {value, 1}, and 0 in size when there is none.
 */
#define VT_FIELD_ENUM_OPTIONAL(layout, slot_, ...)                                                 \
    {                                                                                              \
        .slot = offsetof(struct layout, slot_),                                                    \
        .paths = {__VA_ARGS__},                                                                    \
        .optional = true,                                                                          \
    }

/** Fills the members and extents of `layout`, which begins as zeros; where two specs have one slot,
 *  what was found stays. VT_E_NOT_FOUND names the first that is missing. */
int vt_fields_resolve(const struct vt_kernel *kernel, const struct vt_field_spec *specs, size_t n,
                      void *layout, struct vt_error *err);

/** The part of an object that its members span; grows with vt_extent_add. */
struct vt_extent {
    uint32_t low, high;
};

#define VT_OBJECT_MAX 16384u

struct vt_object {
    struct vt_gva at;
    uint32_t low;
    uint32_t n;
    uint8_t bytes[VT_OBJECT_MAX];
};

void vt_extent_add(struct vt_extent *extent, const struct vt_member *member);
/** VT_E_LIMIT when the members lie further apart than VT_OBJECT_MAX. */
int vt_object_read(const struct vt_space *space, struct vt_gva at, struct vt_extent extent,
                   struct vt_object *object, struct vt_error *err);
/** An integer member of 1, 2, 4 or 8 bytes, zero-extended; 0 when it is not in the copy. */
uint64_t vt_object_uint(const struct vt_object *object, const struct vt_member *member);
/** Text of a char array member: at most size - 1 bytes, terminated. */
void vt_object_text(const struct vt_object *object, const struct vt_member *member, char *text,
                    size_t size);

#endif
