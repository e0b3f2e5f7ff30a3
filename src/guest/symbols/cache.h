/* guest/symbols/cache.h - resolved symbol tables on disk, one file a kernel, named by build id.
 *
 * A file holds the table relative to _text, so it serves every boot, and the banner that tells a
 * kernel in RAM at a glance. Files are written whole or not at all; what was read is checked in
 * full before use, and a file that does not hold up is as good as none.
 */
#ifndef VT_GUEST_SYMBOLS_CACHE_H
#define VT_GUEST_SYMBOLS_CACHE_H

#include "guest/symbols/table.h"

/** What identifies a kernel. */
struct vt_cache_key {
    char banner[512];
    char build_id[136]; /* hex; the size leaves no padding: keys are compared as bytes */
    int64_t banner_at;  /* of linux_banner, from _text */
};

/** Calls `fn` with every kernel in `dir`, newest file first, until it returns non-zero, which is
 *  returned; at most VT_CACHE_FILES_MAX. Unreadable directories and files count as empty. */
#define VT_CACHE_FILES_MAX 256
int vt_cache_each(const char *dir, int (*fn)(const struct vt_cache_key *key, void *arg), void *arg);
/** VT_E_NOT_FOUND, VT_E_CORRUPT, VT_E_NOMEM. The table is indexed. */
int vt_cache_load(const char *dir, const struct vt_cache_key *key, struct vt_symbols *symbols,
                  struct vt_error *err);
int vt_cache_store(const char *dir, const struct vt_cache_key *key,
                   const struct vt_symbols *symbols, struct vt_error *err);

/** Types (a BTF section) that came from a file, for a kernel that carries none. VT_E_NOT_FOUND,
 *  VT_E_LIMIT, VT_E_NOMEM. *bytes is malloc'ed. */
int vt_cache_load_types(const char *dir, const char *build_id, uint8_t **bytes, size_t *n,
                        struct vt_error *err);
int vt_cache_store_types(const char *dir, const char *build_id, const uint8_t *bytes, size_t n,
                         struct vt_error *err);

#endif
