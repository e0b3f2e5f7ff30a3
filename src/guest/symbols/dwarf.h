/* guest/symbols/dwarf.h - symbols and types of a vmlinux with debug information.
 *
 * Format: DWARF 2 to 5 through libdw. The file is the user's own, yet everything taken from it is
 * bounded as if it were not.
 */
#ifndef VT_GUEST_SYMBOLS_DWARF_H
#define VT_GUEST_SYMBOLS_DWARF_H

#include "guest/symbols/isf.h"

struct vt_dwarf {
    char banner[VT_ISF_BANNER_MAX];
    uint64_t text; /**< address of _text */
    struct vt_symbols symbols;
    struct vt_btf *types;
    uint32_t *symbol_types; /**< of each symbol, 0: not known */
    uint64_t units;         /**< compilation units gone through */
};

/** Reads `path`; `system_map` (may be NULL) adds symbols that its symbol table lacks. `progress`
 * (may be NULL) is told how far it is, in bytes of debug information; non-zero from it ends
 * everything with VT_E_INTERRUPTED. VT_E_NOT_FOUND: no symbols, no debug information or no
 * linux_banner in it. Takes memory for what is kept: tens of MiB, beside the file's own pages. */
int vt_dwarf_read(const char *path, const char *system_map, struct vt_dwarf *dwarf,
                  int (*progress)(uint64_t done, uint64_t all, void *arg), void *arg,
                  struct vt_error *err);
void vt_dwarf_fini(struct vt_dwarf *dwarf);

#endif
