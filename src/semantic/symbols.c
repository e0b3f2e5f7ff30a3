/* semantic/symbols.c - see symbols.h. kallsyms knows no sizes: a symbol ends where the next one
 * begins. */
#include "semantic/symbols.h"

#include "vitrine/guest.h"

#include <string.h>

/* Of modules, all together: what a guest can make us write. */
#define MODULE_SYMBOLS_MAX (UINT64_C(1) << 21)

struct writing {
    struct vt_db_symbols *symbols;
    struct vt_store *store;
    const char *only; /* module, or NULL: all */
    uint64_t n;
    /* The last symbol of a module, whose size the next one tells. */
    bool held;
    char module[128], name[512], type;
    struct vt_gva at;
    int rc;
    struct vt_error *err;
};

void vt_db_symbols_fini(struct vt_db_symbols *symbols)
{
    sqlite3_finalize(symbols->insert);
    sqlite3_finalize(symbols->gone);
    sqlite3_finalize(symbols->remove);
    *symbols = (struct vt_db_symbols){0};
}

static int prepare(struct vt_db_symbols *symbols, struct vt_store *store, struct vt_error *err)
{
    int rc = vt_store_prepare(store,
                              "INSERT INTO symbols_history(boot, first_seen, trust, name, address, "
                              "size, type, module) VALUES(?1, ?2, 'ok', ?3, ?4, ?5, ?6, ?7)",
                              &symbols->insert, err);
    rc = rc != 0 ? rc
                 : vt_store_prepare(store,
                                    "UPDATE symbols_history SET last_seen = ?1 WHERE module = ?2 "
                                    "AND last_seen IS NULL",
                                    &symbols->gone, err);
    return rc != 0
               ? rc
               : vt_store_prepare(
                     store, "DELETE FROM symbols_history WHERE module = ?1 AND last_seen IS NULL",
                     &symbols->remove, err);
}

/* `size` 0: not known. */
static int write_one(struct writing *w, const char *module, const char *name, char type,
                     struct vt_gva at, uint64_t size)
{
    sqlite3_stmt *stmt = w->symbols->insert;
    sqlite3_bind_int64(stmt, 1, w->store->boot);
    sqlite3_bind_double(stmt, 2, w->store->now_s);
    sqlite3_bind_text(stmt, 3, name, -1, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 4, (int64_t)at.v);
    if (size != 0) {
        sqlite3_bind_int64(stmt, 5, (int64_t)size);
    }
    sqlite3_bind_text(stmt, 6, &type, 1, SQLITE_STATIC);
    if (module != NULL) {
        sqlite3_bind_text(stmt, 7, module, -1, SQLITE_STATIC);
    }
    w->n++;
    return vt_store_step(w->store, stmt, w->err);
}

/* ---------------------------------------------------------------- modules */

static int write_held(struct writing *w, uint64_t size)
{
    int rc = w->held ? write_one(w, w->module, w->name, w->type, w->at, size) : 0;
    w->held = false;
    return rc;
}

static int take_module_symbol(const char *module, const char *name, char type, struct vt_gva at,
                              void *arg)
{
    struct writing *w = arg;
    if (w->only != NULL && strcmp(w->only, module) != 0) {
        return 0;
    }
    bool same = w->held && strcmp(w->module, module) == 0 && at.v > w->at.v;
    w->rc = w->n < MODULE_SYMBOLS_MAX ? write_held(w, same ? at.v - w->at.v : 0) : 1;
    if (w->rc == 0 && strlen(module) < sizeof w->module && strlen(name) < sizeof w->name) {
        strcpy(w->module, module);
        strcpy(w->name, name);
        w->type = type;
        w->at = at;
        w->held = true;
    }
    return w->rc;
}

static int write_modules(struct writing *w, struct vt_kernel *kernel)
{
    vt_kernel_module_symbols(kernel, take_module_symbol, w);
    return w->rc < 0 ? w->rc : write_held(w, 0);
}

int vt_db_symbols_loaded(struct vt_db_symbols *symbols, struct vt_store *store,
                         struct vt_kernel *kernel, const char *module, struct vt_error *err)
{
    struct writing w = {.symbols = symbols, .store = store, .only = module, .err = err};
    int rc = prepare(symbols, store, err);
    if (rc == 0) {
        sqlite3_bind_text(symbols->remove, 1, module, -1, SQLITE_STATIC);
        rc = vt_store_step(store, symbols->remove, err);
    }
    return rc != 0 ? rc : write_modules(&w, kernel);
}

int vt_db_symbols_unloaded(struct vt_db_symbols *symbols, struct vt_store *store,
                           const char *module, struct vt_error *err)
{
    int rc = prepare(symbols, store, err);
    if (rc == 0) {
        sqlite3_bind_double(symbols->gone, 1, store->last_s);
        sqlite3_bind_text(symbols->gone, 2, module, -1, SQLITE_STATIC);
        rc = vt_store_step(store, symbols->gone, err);
    }
    return rc;
}

/* ---------------------------------------------------------------- all */

int vt_db_symbols_write(struct vt_db_symbols *symbols, struct vt_store *store,
                        struct vt_kernel *kernel, uint64_t *n, struct vt_error *err)
{
    struct writing w = {.symbols = symbols, .store = store, .err = err};
    int rc = vt_db_run(store->db, store->path, "DELETE FROM symbols_history", err);
    rc = rc != 0 ? rc : prepare(symbols, store, err);
    size_t count = vt_kernel_symbols(kernel);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        const char *name, *after;
        char type, type_after;
        struct vt_gva at, end = {0};
        vt_kernel_symbol_nth(kernel, i, &name, &type, &at);
        for (size_t k = i + 1; k < count && end.v <= at.v; k++) {
            vt_kernel_symbol_nth(kernel, k, &after, &type_after, &end);
        }
        rc = write_one(&w, NULL, name, type, at, end.v > at.v ? end.v - at.v : 0);
    }
    rc = rc != 0 ? rc : write_modules(&w, kernel);
    if (rc == 0) {
        *n = w.n;
    }
    return rc;
}
