/* guest/symbols/btf.h - a kernel's types: where members lie and how large things are.
 *
 * Format: Documentation/bpf/btf.rst of Linux. The bytes are hostile: creation goes through all of
 * them once, so lookups later only follow checked offsets; chains and nesting have caps. Read-only
 * once made, so threads may share one.
 */
#ifndef VT_GUEST_SYMBOLS_BTF_H
#define VT_GUEST_SYMBOLS_BTF_H

#include "vitrine/base.h"

struct vt_member;
struct vt_btf;

#define VT_BTF_BYTES_MAX (64u << 20)

/** Takes over `bytes` (malloc'ed), also when it fails. VT_E_CORRUPT, VT_E_UNSUPPORTED (a kind of
 *  type newer than 7.2's), VT_E_LIMIT, VT_E_NOMEM. */
int vt_btf_create(uint8_t *bytes, size_t n, struct vt_btf **out, struct vt_error *err);
/** The same for the types of a module, whose ids and names continue those of `base`, which outlives
 *  it. Lookups find only what is the module's own. */
int vt_btf_create_split(uint8_t *bytes, size_t n, const struct vt_btf *base, struct vt_btf **out,
                        struct vt_error *err);
void vt_btf_destroy(struct vt_btf *btf);

/** Number of types; of split ones, with those of the base. */
size_t vt_btf_types(const struct vt_btf *btf);
/** Is there a struct or union of that name? */
bool vt_btf_has_struct(const struct vt_btf *btf, const char *name);
/** See vt_kernel_member. */
int vt_btf_member(const struct vt_btf *btf, const char *struct_name, const char *path,
                  struct vt_member *member, struct vt_error *err);
/** See vt_kernel_struct_size. */
int vt_btf_struct_size(const struct vt_btf *btf, const char *struct_name, uint32_t *bytes,
                       struct vt_error *err);
/** See vt_kernel_enumerator. */
int vt_btf_enumerator(const struct vt_btf *btf, const char *name, int64_t *value,
                      struct vt_error *err);

/** A member that is a pointer to a function. */
struct vt_btf_hook {
    const char *name; /**< belongs to the types */
    uint32_t offset;  /**< in bytes */
};
/** The members of a struct, and of its anonymous members, that are pointers to functions: at most
 *  `max`. VT_E_NOT_FOUND. */
int vt_btf_hooks(const struct vt_btf *btf, const char *struct_name, struct vt_btf_hook *hooks,
                 size_t max, size_t *n, struct vt_error *err);

#endif
