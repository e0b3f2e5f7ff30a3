/* guest/symbols/modules.h - the symbols and types of loaded modules, as their structs in RAM say.
 *
 * A module keeps ELF symbols with absolute addresses (struct mod_kallsyms); its types continue the
 * numbering of vmlinux's BTF. Both are hostile: counts have caps, what does not hold up is left
 * out.
 */
#ifndef VT_GUEST_SYMBOLS_MODULES_H
#define VT_GUEST_SYMBOLS_MODULES_H

#include "guest/symbols/btf.h"
#include "guest/symbols/table.h"
#include "vitrine/guest.h"

#define VT_MODULE_NAME_MAX 64u
/** Text, data, … of Linux 6.4 and later; kernels before have two. */
#define VT_MODULE_RANGES_MAX 16u

/** A loaded module, by what it brings. */
struct vt_loaded {
    struct vt_gva at; /* struct module */
    char name[VT_MODULE_NAME_MAX];
    struct vt_module_range {
        uint64_t base, bytes;
    } ranges[VT_MODULE_RANGES_MAX];
    unsigned n_ranges;
    struct vt_symbols symbols; /* values are addresses; none: it has no table */
    struct vt_btf *types;      /* or NULL */
};

struct vt_modules {
    struct vt_loaded *list;
    size_t n;
};

/** Reads the modules' symbols. VT_E_NOT_FOUND: the kernel has no modules, or lacks a member this
 *  needs. VT_E_NOMEM. */
int vt_modules_read_symbols(const struct vt_kernel *kernel, struct vt_modules *modules,
                            struct vt_error *err);
/** Reads the modules' types, on top of `base`. Errors as above. */
int vt_modules_read_types(const struct vt_kernel *kernel, const struct vt_btf *base,
                          struct vt_modules *modules, struct vt_error *err);
void vt_modules_fini(struct vt_modules *modules);

/** The module called text[0..n); '-' and '_' are the same. NULL: none. */
const struct vt_loaded *vt_modules_named(const struct vt_modules *modules, const char *text,
                                         size_t n);
/** The symbol of a module that `gva` lies in, or NULL. */
const struct vt_symbol *vt_modules_symbol_at(const struct vt_modules *modules, struct vt_gva gva,
                                             const struct vt_loaded **module);

#endif
