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
#define VT_BTF_MAGIC 0xeB9Fu

enum vt_btf_kind {
    VT_BTF_VOID,
    VT_BTF_INT,
    VT_BTF_PTR,
    VT_BTF_ARRAY,
    VT_BTF_STRUCT,
    VT_BTF_UNION,
    VT_BTF_ENUM,
    VT_BTF_FWD,
    VT_BTF_TYPEDEF,
    VT_BTF_VOLATILE,
    VT_BTF_CONST,
    VT_BTF_RESTRICT,
    VT_BTF_FUNC,
    VT_BTF_FUNC_PROTO,
    VT_BTF_VAR,
    VT_BTF_DATASEC,
    VT_BTF_FLOAT,
    VT_BTF_DECL_TAG,
    VT_BTF_TYPE_TAG,
    VT_BTF_ENUM64,
    VT_BTF_KINDS,
};
enum { VT_BTF_INT_SIGNED = 1, VT_BTF_INT_CHAR = 2, VT_BTF_INT_BOOL = 4 };

/** Takes over `bytes` (malloc'ed), also when it fails. VT_E_CORRUPT, VT_E_UNSUPPORTED (a kind of
 *  type newer than 7.2's), VT_E_LIMIT, VT_E_NOMEM. */
int vt_btf_create(uint8_t *bytes, size_t n, struct vt_btf **out, struct vt_error *err);
/** The same for the types of a module, whose ids and names continue those of `base`, which outlives
 *  it. Lookups find only what is the module's own. */
int vt_btf_create_split(uint8_t *bytes, size_t n, const struct vt_btf *base, struct vt_btf **out,
                        struct vt_error *err);
void vt_btf_destroy(struct vt_btf *btf);

/** The section it was made from. */
const uint8_t *vt_btf_bytes(const struct vt_btf *btf, size_t *n);
/** Number of types; of split ones, with those of the base. */
size_t vt_btf_types(const struct vt_btf *btf);
/** See vt_kernel_member. */
int vt_btf_member(const struct vt_btf *btf, const char *struct_name, const char *path,
                  struct vt_member *member, struct vt_error *err);
/** See vt_kernel_struct_size. */
int vt_btf_struct_size(const struct vt_btf *btf, const char *struct_name, uint32_t *bytes,
                       struct vt_error *err);
/** See vt_kernel_enumerator. */
int vt_btf_enumerator(const struct vt_btf *btf, const char *name, int64_t *value,
                      struct vt_error *err);
/** See vt_kernel_enumerator_name. */
int vt_btf_enumerator_name(const struct vt_btf *btf, const char *enum_name, int64_t value,
                           const char **name, struct vt_error *err);

/** A member that is a pointer to a function. */
struct vt_btf_hook {
    const char *name; /**< belongs to the types */
    uint32_t offset;  /**< in bytes */
};
/** The members of a struct, and of its anonymous members, that are pointers to functions: at most
 *  `max`. VT_E_NOT_FOUND. */
int vt_btf_hooks(const struct vt_btf *btf, const char *struct_name, struct vt_btf_hook *hooks,
                 size_t max, size_t *n, struct vt_error *err);

/* ---------------------------------------------------------------- all there is */

struct vt_btf_type {
    enum vt_btf_kind kind;
    const char *name;  /**< "" when it has none */
    uint32_t bytes;    /**< of what has a size */
    uint32_t of;       /**< the type referred to; an array's element */
    uint32_t n;        /**< members, enumerators or elements */
    unsigned encoding; /**< of VT_BTF_INT */
    bool flag;         /**< VT_BTF_FWD: a union; enums: signed */
};
struct vt_btf_member {
    const char *name;
    uint32_t type;
    uint64_t bit;
    unsigned bits; /**< of a bitfield, else 0 */
};

/** Type `id`; VT_BTF_VOID for 0 and what does not exist. Strings belong to the types. */
struct vt_btf_type vt_btf_type(const struct vt_btf *btf, uint32_t id);
/** Member i < n of a struct or union. */
struct vt_btf_member vt_btf_member_at(const struct vt_btf *btf, uint32_t id, uint32_t i);
/** Enumerator i < n of an enum. */
void vt_btf_enumerator_at(const struct vt_btf *btf, uint32_t id, uint32_t i, const char **name,
                          int64_t *value);
/** Calls `fn` with each member of a struct or union, and those of its anonymous members behind them
 *  (which have no name themselves), by their place in the outermost. Non-zero from it ends it and
 * is returned. VT_E_NOT_FOUND. */
int vt_btf_each_member(const struct vt_btf *btf, const char *struct_name,
                       int (*fn)(const struct vt_btf_member *member, void *arg), void *arg,
                       struct vt_error *err);
/** The bytes a type takes. VT_E_CORRUPT: it has no size, or one beyond 4 GiB. */
int vt_btf_size(const struct vt_btf *btf, uint32_t id, uint32_t *bytes, struct vt_error *err);
/** A type as C would have it, read from the left: "const struct x *", "char [16]"; cut at `size`.
 */
void vt_btf_text(const struct vt_btf *btf, uint32_t id, char *text, size_t size);
/** Behind typedefs and qualifiers; 0: void, or a chain without end. */
uint32_t vt_btf_strip(const struct vt_btf *btf, uint32_t id);
/** The struct or union of that name, or 0. */
uint32_t vt_btf_struct(const struct vt_btf *btf, const char *name);

#endif
