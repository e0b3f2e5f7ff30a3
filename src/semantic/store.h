/* semantic/store.h - the database as its one writer sees it: the file, its lock, and in memory
 * every row that is there now, so that a sample is compared without reading the file.
 *
 * Changes are made between vt_store_begin and vt_store_commit; after a failure the store forgets
 * what it holds in memory and reads it anew at the next begin.
 */
#ifndef VT_SEMANTIC_STORE_H
#define VT_SEMANTIC_STORE_H

#include "semantic/records.h"
#include "semantic/schema.h"
#include "vitrine/semantic.h"

/** A row that is there now. */
struct vt_present {
    struct vt_present *next; /* of the same bucket */
    uint64_t hash;           /* of the identity */
    int64_t id;
    uint64_t seen; /* number of the sample that saw it last */
    uint32_t bytes, identity;
    unsigned missed; /* torn walks in a row that did not have it */
    bool torn;
    bool announced; /* it was sound once: its end is worth an event */
    uint8_t record[];
};

struct vt_present_table {
    const struct vt_db_table *table;
    struct vt_present **buckets;
    size_t n_buckets, n;
    int64_t last_id;
    unsigned n_identity, n_properties; /* cells up to and with these */
    sqlite3_stmt *insert, *update, *count, *gone, *trust;
};

struct vt_store {
    char path[VT_VM_PATH_MAX];
    int lock; /* descriptor, or -1 */
    sqlite3 *db;
    uint64_t key[2];
    struct vt_present_table tables[VT_DB_TABLES];
    bool loaded, writing;
    int64_t boot;    /* of the rows that are there; 0: none */
    uint64_t number; /* of the last sample */
    double last_s;   /* its time */
    double now_s;    /* of the sample that is being written */
    uint64_t writes; /* rows inserted, changed or ended since begin */
};

/** Takes the lock, opens or makes the file, migrates. VT_E_BUSY names who samples. A path that
 *  begins with "file:" or is ":memory:" is SQLite's to read: no file, no lock. */
int vt_store_open(struct vt_store *store, const char *path, struct vt_error *err);
/** Takes a zeroed one. */
void vt_store_close(struct vt_store *store);

int vt_store_begin(struct vt_store *store, double now_s, struct vt_error *err);
int vt_store_commit(struct vt_store *store, struct vt_error *err);
void vt_store_rollback(struct vt_store *store);

struct vt_present *vt_store_find(struct vt_store *store, enum vt_db_table_id id,
                                 const uint8_t *record, uint32_t identity);
/** A new row; *row (may be NULL) is it. */
int vt_store_insert(struct vt_store *store, enum vt_db_table_id id, const uint8_t *record,
                    const struct vt_record_at *at, struct vt_present **row, struct vt_error *err);
/** Writes what differs: counters alone when nothing else does. *row may move. */
int vt_store_update(struct vt_store *store, enum vt_db_table_id id, struct vt_present **row,
                    const uint8_t *record, const struct vt_record_at *at, struct vt_error *err);
/** Says how far the row may be believed, and leaves its values. */
int vt_store_trust(struct vt_store *store, enum vt_db_table_id id, struct vt_present *row,
                   bool torn, struct vt_error *err);
/** The row was seen for the last time in the last sample; it is freed. */
int vt_store_gone(struct vt_store *store, enum vt_db_table_id id, struct vt_present *row,
                  struct vt_error *err);
/** So were all rows and the boot itself; symbols are not kept beyond their boot. */
int vt_store_end_boot(struct vt_store *store, struct vt_error *err);

/** Binds cell to a statement's parameter. */
void vt_store_bind(sqlite3_stmt *stmt, int parameter, const struct vt_record_cell *cell);
/** Prepares; runs a prepared statement that gives no rows and resets it. */
int vt_store_prepare(struct vt_store *store, const char *sql, sqlite3_stmt **stmt,
                     struct vt_error *err);
int vt_store_step(struct vt_store *store, sqlite3_stmt *stmt, struct vt_error *err);

#endif
