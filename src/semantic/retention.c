/* semantic/retention.c - see retention.h.
 *
 * Tables are cut at one time, so that what is left of history is whole from there on. By age that
 * time is given; by size it moves a sixteenth of the history's length at a time.
 */
#include "semantic/retention.h"

#include <inttypes.h>
#include <stdio.h>

#define SECONDS UINT64_C(604800)
#define BYTES_MAX (UINT64_C(512) << 20)
/* How often history is looked at, and how much of it goes at once: of each table so many rows, and
 * of the file so many pages. */
#define EVERY 16u
#define ROWS_AT_ONCE 2000
#define PAGES_AT_ONCE 2000
/* A file too large is cut somewhat below the limit, or each sample would cut it again. */
#define SPARE 16u

/* Tables of history: their condition for "over by then". */
static const struct {
    const char *name, *ended;
} histories[] = {
    {"processes_history", "last_seen"},
    {"threads_history", "last_seen"},
    {"memory_regions_history", "last_seen"},
    {"modules_history", "last_seen"},
    {"mounts_history", "last_seen"},
    {"files_history", "last_seen"},
    {"sockets_history", "last_seen"},
    {"symbols_history", "last_seen"},
    {"boots", "last_seen"},
    {"events", "time"},
};
#define HISTORIES (sizeof histories / sizeof histories[0])

/* *more: there is more of it. */
static int remove_before(struct vt_store *s, double time_s, bool *more, struct vt_error *err)
{
    char sql[256];
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < HISTORIES; i++) {
        snprintf(sql, sizeof sql,
                 "DELETE FROM %s WHERE id IN (SELECT id FROM %s WHERE %s < %.17g LIMIT %d)",
                 histories[i].name, histories[i].name, histories[i].ended, time_s, ROWS_AT_ONCE);
        rc = vt_db_run(s->db, s->path, sql, err);
        *more = *more || sqlite3_changes(s->db) == ROWS_AT_ONCE;
    }
    return rc;
}

/* When history begins; *any is false when there is none. */
static int oldest(struct vt_store *s, double *time_s, bool *any, struct vt_error *err)
{
    char sql[128];
    int rc = 0;
    *any = false;
    for (size_t i = 0; rc == 0 && i < HISTORIES; i++) {
        sqlite3_stmt *stmt = NULL;
        snprintf(sql, sizeof sql, "SELECT min(%s) FROM %s", histories[i].ended, histories[i].name);
        rc = vt_store_prepare(s, sql, &stmt, err);
        if (rc == 0 && sqlite3_step(stmt) == SQLITE_ROW &&
            sqlite3_column_type(stmt, 0) != SQLITE_NULL) {
            double first = sqlite3_column_double(stmt, 0);
            *time_s = *any && *time_s < first ? *time_s : first;
            *any = true;
        }
        sqlite3_finalize(stmt);
    }
    return rc;
}

struct size {
    int64_t page_bytes, pages, free;
};

static int take_size(struct vt_store *s, struct size *size, struct vt_error *err)
{
    int rc = vt_db_number(s->db, s->path, "PRAGMA page_size", &size->page_bytes, err);
    rc = rc != 0 ? rc : vt_db_number(s->db, s->path, "PRAGMA page_count", &size->pages, err);
    return rc != 0 ? rc : vt_db_number(s->db, s->path, "PRAGMA freelist_count", &size->free, err);
}

static int shrink(struct vt_store *s, int64_t pages, struct vt_error *err)
{
    char sql[64];
    snprintf(sql, sizeof sql, "PRAGMA incremental_vacuum(%" PRId64 ")",
             pages < PAGES_AT_ONCE ? pages : PAGES_AT_ONCE);
    return pages > 0 ? vt_db_run(s->db, s->path, sql, err) : 0;
}

/* Pages that are to be free of those in use; 0: it fits. */
static int64_t too_many(const struct size *size, const struct vt_retention *r)
{
    uint64_t bytes = r->max_bytes != 0 ? r->max_bytes : BYTES_MAX;
    int64_t max = (int64_t)(bytes / (uint64_t)size->page_bytes), used = size->pages - size->free;
    return size->pages > max && used > max - max / (int64_t)SPARE
               ? used - (max - max / (int64_t)SPARE)
               : 0;
}

static int cut(struct vt_store *s, struct vt_retention *r, struct vt_error *err)
{
    uint64_t seconds = r->seconds != 0 ? r->seconds : SECONDS;
    struct size size;
    double first = 0;
    bool any;
    r->again = false;
    int rc = remove_before(s, s->last_s - (double)seconds, &r->again, err);
    rc = rc != 0 ? rc : take_size(s, &size, err);
    for (unsigned i = 0; rc == 0 && i < SPARE && too_many(&size, r) > 0; i++) {
        rc = oldest(s, &first, &any, err);
        if (rc != 0 || !any) {
            break; /* it is all there now, and stays */
        }
        double until = first + (s->last_s - first) / SPARE;
        rc = remove_before(s, until > first ? until : first + 1e-3, &r->again, err);
        rc = rc != 0 ? rc : take_size(s, &size, err);
        r->again = r->again || too_many(&size, r) > 0;
    }
    return rc;
}

int vt_retention_apply(struct vt_store *store, struct vt_retention *retention, struct vt_error *err)
{
    struct vt_retention *r = retention;
    struct size size;
    if (!r->again && ++r->waited < EVERY) {
        return 0;
    }
    r->waited = 0;
    int rc = vt_store_begin(store, store->last_s, err);
    if (rc == 0) {
        rc = cut(store, r, err);
        if (rc != 0) {
            vt_store_rollback(store);
        }
        rc = rc != 0 ? rc : vt_store_commit(store, err);
    }
    rc = rc != 0 ? rc : take_size(store, &size, err);
    if (rc == 0) {
        /* What is free is written to again; only much of it, or too much, is given back. */
        uint64_t bytes = r->max_bytes != 0 ? r->max_bytes : BYTES_MAX;
        int64_t excess = size.pages - (int64_t)(bytes / (uint64_t)size.page_bytes);
        int64_t much = size.free - size.pages / 4;
        int64_t back = excess > much ? excess : much;
        back = back < size.free ? back : size.free;
        r->again = r->again || back > PAGES_AT_ONCE;
        rc = shrink(store, back, err);
    }
    return rc;
}
