/* guest/symbols/table.h - a kernel's symbols: in address order, by name and by address.
 *
 * Values are relative to the image's `_text`, so one table serves every boot of a kernel whatever
 * KASLR does; per-CPU symbols of older kernels are absolute (small numbers). Read-only once made.
 */
#ifndef VT_GUEST_SYMBOLS_TABLE_H
#define VT_GUEST_SYMBOLS_TABLE_H

#include "vitrine/base.h"

struct vt_symbol {
    int64_t value; /**< from _text, or the address itself when absolute */
    uint32_t name; /**< offset into names */
    char type;     /**< as nm(1) */
    bool absolute;
};

#define VT_SYMBOLS_MAX 2000000u
#define VT_SYMBOL_NAMES_MAX (64u << 20)
/** The longest name, with its zero. */
#define VT_SYMBOL_NAME_MAX 1024u

struct vt_symbols {
    struct vt_symbol *list; /* absolute ones first, then by value */
    size_t n;
    char *names; /* zero-terminated, one after the other */
    size_t names_bytes;
    uint32_t *slots; /* open addressing by name: index + 1, 0 is free */
    size_t slot_mask;
};

/** Sorts `list` and builds the index. The table owns list and names from here on, also when this
 *  fails: vt_symbols_fini. */
int vt_symbols_index(struct vt_symbols *symbols, struct vt_error *err);
void vt_symbols_fini(struct vt_symbols *symbols);

/** The first symbol of that name, or NULL; of an empty table, too. */
const struct vt_symbol *vt_symbols_find(const struct vt_symbols *symbols, const char *name);
/** The last symbol at or before an address given as in struct vt_symbol, or NULL. */
const struct vt_symbol *vt_symbols_before(const struct vt_symbols *symbols, int64_t value,
                                          bool absolute);
/** The symbol's name; belongs to the table. */
const char *vt_symbols_name(const struct vt_symbols *symbols, const struct vt_symbol *symbol);

#endif
