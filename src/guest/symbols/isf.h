/* guest/symbols/isf.h - symbols and types in files: Volatility 3's Intermediate Symbol Format.
 *
 * JSON, often 50 MB of it, often behind xz. Reading streams it once and keeps what vitrine wants:
 * the symbols as a table, the types as BTF. Files are as hostile as RAM: text, nesting, counts and
 * sizes have caps. (Format: volatility3/schemas/schema-6.2.0.json)
 */
#ifndef VT_GUEST_SYMBOLS_ISF_H
#define VT_GUEST_SYMBOLS_ISF_H

#include "guest/symbols/btf.h"
#include "guest/symbols/table.h"

#include <stdio.h>

#define VT_ISF_BANNER_MAX 512u
/** Of the JSON itself. */
#define VT_ISF_BYTES_MAX (512u << 20)

/** A kernel as a file describes it. */
struct vt_isf {
    char banner[VT_ISF_BANNER_MAX]; /**< linux_banner without its newline; "" when it has none */
    uint64_t text;                  /**< link-time address of _text */
    struct vt_symbols symbols;
    struct vt_btf *types;
};

/** Reads all of it. VT_E_CORRUPT names what is wrong, VT_E_LIMIT which cap was reached. */
int vt_isf_read(const char *path, struct vt_isf *isf, struct vt_error *err);
void vt_isf_fini(struct vt_isf *isf);
/** Only which kernel it is about: its banner and where that lies from _text. VT_E_NOT_FOUND: it
 * does not say. */
int vt_isf_peek(const char *path, char banner[VT_ISF_BANNER_MAX], int64_t *banner_at,
                struct vt_error *err);
/** Calls `fn` with every ISF file of the directories in `dirs` (separated by colons), in the order
 * of directories and names, until it returns non-zero, which is returned. At most VT_ISF_FILES_MAX
 * a directory; what cannot be read counts as empty. */
#define VT_ISF_FILES_MAX 1024u
int vt_isf_each(const char *dirs, int (*fn)(const char *path, void *arg), void *arg);

/** What a file is written from. */
struct vt_isf_source {
    const char *banner; /**< without the newline */
    uint64_t text;      /**< link-time address of _text */
    const struct vt_symbols *symbols;
    const struct vt_btf *types;
    const uint32_t *symbol_types; /**< of each symbol, 0: not known */
    const char *kind; /**< where it is from, as the schema names it: "dwarf", … or NULL */
    const char *name; /**< of that file */
};

/** Writes it as JSON; the caller looks at ferror(out). VT_E_NOMEM. */
int vt_isf_write(FILE *out, const struct vt_isf_source *source, struct vt_error *err);

#endif
