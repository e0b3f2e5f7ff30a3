/* semantic/symbols.h - the table of symbols: written once a boot, and when modules come or go. */
#ifndef VT_SEMANTIC_SYMBOLS_H
#define VT_SEMANTIC_SYMBOLS_H

#include "semantic/store.h"

/** Zeroed has nothing prepared. */
struct vt_db_symbols {
    sqlite3_stmt *insert, *gone, *remove;
};

void vt_db_symbols_fini(struct vt_db_symbols *symbols);
/** Writes all of the kernel and its modules in the place of what there is; *n are there then.
 * Inside a transaction. */
int vt_db_symbols_write(struct vt_db_symbols *symbols, struct vt_store *store,
                        struct vt_kernel *kernel, uint64_t *n, struct vt_error *err);
/** Writes one module's. */
int vt_db_symbols_loaded(struct vt_db_symbols *symbols, struct vt_store *store,
                         struct vt_kernel *kernel, const char *module, struct vt_error *err);
/** One module's were there in the last sample for the last time. */
int vt_db_symbols_unloaded(struct vt_db_symbols *symbols, struct vt_store *store,
                           const char *module, struct vt_error *err);

#endif
