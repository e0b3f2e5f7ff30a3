/* guest/symbols/kallsyms.h - the kernel's own symbol table, found in its image by structure.
 *
 * Format: scripts/kallsyms.c of Linux 5.10 to 7.2. The bytes are hostile and may change while they
 * are read: what is decided on is copied first.
 */
#ifndef VT_GUEST_SYMBOLS_KALLSYMS_H
#define VT_GUEST_SYMBOLS_KALLSYMS_H

#include "guest/symbols/table.h"

struct vt_kallsyms {
    struct vt_symbols symbols;
    const char *layout;    /**< a word for the tables' arrangement; static */
    size_t token_table_at; /**< where in the bytes it was found */
    bool place_relative;   /**< the tables know places, not addresses */
    uint64_t text_va;      /**< address of _text; not when place_relative */
    int64_t text_at;       /**< when place_relative: where _text lies, counted as token_table_at */
};

/** The next place at or after *at in bytes[0..n) that looks like the digits of a token table;
 *  false: none. The candidate for vt_kallsyms_parse is *at. */
bool vt_kallsyms_next(const uint8_t *bytes, size_t n, size_t *at);

/** Reads the tables around a candidate. `bytes` is one run of physically contiguous, page-aligned
 *  memory. VT_E_NOT_FOUND: not even a token table, known at once. After any other failure
 *  (VT_E_CORRUPT: no symbols to it; VT_E_LIMIT, VT_E_NOMEM) up to a tenth of a second has gone, for
 *  any content: count those. Free with vt_symbols_fini(&out->symbols). */
int vt_kallsyms_parse(const uint8_t *bytes, size_t n, size_t candidate, struct vt_kallsyms *out,
                      struct vt_error *err);

#endif
