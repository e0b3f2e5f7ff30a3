/* guest/symbols/types.h - makes types: from whatever describes them (ISF, DWARF) into BTF bytes.
 *
 * There is one form of types in vitrine, BTF as struct vt_btf reads it; others are turned into it
 * here. A type may be used before it is known: naming it gives its id, filling it in comes later or
 * never. Id 0 is void. Failures stick: every call after one does nothing and vt_types_finish says
 * which it was. Not thread-safe.
 */
#ifndef VT_GUEST_SYMBOLS_TYPES_H
#define VT_GUEST_SYMBOLS_TYPES_H

#include "vitrine/base.h"

struct vt_types;

enum vt_base_kind { VT_BASE_INT, VT_BASE_CHAR, VT_BASE_BOOL, VT_BASE_FLOAT };
/** What has names of its own: `struct x` and `enum x` are two things. */
enum vt_types_space { VT_TYPES_BASE, VT_TYPES_STRUCT, VT_TYPES_ENUM };

int vt_types_create(struct vt_types **types, struct vt_error *err);
void vt_types_destroy(struct vt_types *types);

/** The type of that name, known or not yet; an empty name makes a new one each time. `is_union` is
 *  what it is said to be where it never gets known. */
uint32_t vt_types_named(struct vt_types *types, enum vt_types_space space, const char *name,
                        bool is_union);
bool vt_types_is_known(const struct vt_types *types, uint32_t id);

void vt_types_set_base(struct vt_types *types, uint32_t id, enum vt_base_kind kind, uint32_t bytes,
                       bool is_signed);
uint32_t vt_types_pointer(struct vt_types *types, uint32_t to);
uint32_t vt_types_array(struct vt_types *types, uint32_t of, uint32_t count);
uint32_t vt_types_function(struct vt_types *types);

/** Members and enumerators collect until the type they belong to is set. What is known already
 * stays as it is. Beyond 65535 of them, or 2 MiB in a struct with bitfields: VT_E_LIMIT. */
void vt_types_member(struct vt_types *types, const char *name, uint32_t type, uint64_t bit,
                     uint32_t bits);
void vt_types_enumerator(struct vt_types *types, const char *name, int64_t value);
/** Has an enum that is known an enumerator of that name? */
bool vt_types_has_enumerator(struct vt_types *types, const char *name);
void vt_types_set_struct(struct vt_types *types, uint32_t id, bool is_union, uint64_t bytes);
void vt_types_set_enum(struct vt_types *types, uint32_t id, uint32_t bytes);

/** The BTF section, malloc'ed. VT_E_NOMEM, VT_E_LIMIT, VT_E_CORRUPT. */
int vt_types_finish(struct vt_types *types, uint8_t **bytes, size_t *n, struct vt_error *err);

#endif
