/* semantic/schema.h - the database's tables: their SQL, and where each column comes from.
 *
 * docs/database.md says what the columns mean. Steps of migration are never changed once they are
 * released; a new one is added behind them.
 */
#ifndef VT_SEMANTIC_SCHEMA_H
#define VT_SEMANTIC_SCHEMA_H

#include "vitrine/linux.h"

#include <sqlite3.h>

/** Tables whose rows are compared sample by sample. Processes come first: others point to them. */
enum vt_db_table_id {
    VT_DB_PROCESSES,
    VT_DB_THREADS,
    VT_DB_REGIONS,
    VT_DB_MODULES,
    VT_DB_MOUNTS,
    VT_DB_FILES,
    VT_DB_SOCKETS,
    VT_DB_TABLES,
};

/** What a column is to its row. In this order they stand in records. */
enum vt_db_role {
    VT_DB_IDENTITY, /**< another value is another row */
    VT_DB_PROPERTY, /**< changes now and then */
    VT_DB_COUNTER,  /**< changes all the time */
};

/** Where a value comes from when not from a column of the noun. */
enum vt_db_source {
    VT_DB_NOUN,    /**< the noun's column `key` */
    VT_DB_AT,      /**< the kernel's object */
    VT_DB_PROCESS, /**< the pid, then the id of its row in processes_history; cell 0 */
    VT_DB_KERNEL,  /**< of a process: whether it is the kernel's own */
    VT_DB_REGION_COUNT,
    VT_DB_OWNER, /**< of a region: name of its process */
    VT_DB_KIND,  /**< of a region */
    VT_DB_RUNS,  /**< of a region: where its pages lie */
    VT_DB_RUNS_CUT,
    VT_DB_FD, /**< a number where it is one */
};

struct vt_db_column {
    const char *name; /**< in SQL */
    enum vt_db_role role;
    enum vt_db_source source;
    const char *key; /**< VT_DB_NOUN */
};

struct vt_db_table {
    const char *name; /**< of the view of present rows; with "_history": of the table */
    const char *noun; /**< "ps" */
    const struct vt_db_column *columns;
    unsigned n_columns;
};

extern const struct vt_db_table vt_db_tables[VT_DB_TABLES];

/** Cell of the column of that name; n_columns when there is none. */
unsigned vt_db_column(const struct vt_db_table *table, const char *name);
/** How many of its cells, the first ones, have that role or one before it. */
unsigned vt_db_cells(const struct vt_db_table *table, enum vt_db_role role);

/** The version this vitrine writes. */
extern const int vt_db_version;
/** Brings an open database to it, step by step, each in a transaction of its own; an empty file
 *  has version 0. VT_E_UNSUPPORTED: newer than we know. */
int vt_db_migrate(sqlite3 *db, const char *path, int to_version, struct vt_error *err);

/** An error of SQLite as one of ours; the message names the file, and what to do when it is
 * damaged.
 */
int vt_db_fail(struct vt_error *err, sqlite3 *db, const char *path, const char *what);
/** Runs statements without results. */
int vt_db_run(sqlite3 *db, const char *path, const char *sql, struct vt_error *err);
/** The first value of the first row as a number; 0 when there is none. */
int vt_db_number(sqlite3 *db, const char *path, const char *sql, int64_t *value,
                 struct vt_error *err);

#endif
