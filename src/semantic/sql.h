/* semantic/sql.h - what the files of read-only SQL share: sql.c (statements), guard.c (what they
 * may do and how much of it), live.c (tables that are walks), hints.c (errors in plain words).
 */
#ifndef VT_SEMANTIC_SQL_H
#define VT_SEMANTIC_SQL_H

#include "vitrine/semantic.h"

#include <sqlite3.h>

struct vt_live_rows;

/* A statement that runs. They nest: a callback may ask something else. */
struct vt_sql_run {
    struct vt_sql_run *outer;
    uint64_t deadline_ns; /* CLOCK_MONOTONIC */
    const volatile int *stop;
    uint64_t max_memory;
    enum vt_code failed; /* of our own callbacks: what the statement ends with, and why */
    struct vt_error err;
    struct vt_live_rows *live; /* walks made for it */
    char warning[256];
};

#define VT_SQL_CACHED 64

struct vt_sql_cached {
    char *text;
    sqlite3_stmt *stmt;
    uint64_t last_use;
    bool busy;
};

struct vt_sql {
    sqlite3 *db;
    struct vt_target *target;
    bool stored; /* there is a database of the VM */
    bool inside; /* a statement of our own is being prepared */
    struct vt_sql_run *run;
    char refused[160]; /* why the authorizer did, or "" */
    struct vt_sql_cached cached[VT_SQL_CACHED];
    uint64_t uses;
    sqlite3_stmt *version;
    char warning[256];
};

/* ---- guard.c ---- */

/* Everything that keeps a statement from writing, from reaching outside and from taking over the
 * host. Called when the connection has all its tables. */
int vt_sql_guard(struct vt_sql *sql, struct vt_error *err);
/* From here to vt_sql_unbudget SQLite gets at most `bytes` in this thread. They nest. */
struct vt_sql_budget {
    int64_t left;
    bool on, hit;
};
struct vt_sql_budget vt_sql_budget(uint64_t bytes);
/* Returns whether it was hit. */
bool vt_sql_unbudget(struct vt_sql_budget outer);
/* Non-zero when the run has to end: stopped, or out of time; run->failed is set then. */
int vt_sql_checkpoint(struct vt_sql_run *run);
extern const char *const vt_sql_functions[]; /* that may be called; ended by NULL */

/* ---- sql.c ---- */

/* Past blanks, comments and semicolons. */
const char *vt_sql_skip(const char *text);

/* ---- live.c ---- */

/* Makes the schema `live`: a table for each noun. */
int vt_live_attach(struct vt_sql *sql, struct vt_error *err);
void vt_live_free(struct vt_live_rows *rows);

/* ---- hints.c ---- */

/* The error of the connection after `rc`, for people. `text` is the statement. */
int vt_sql_explain(struct vt_sql *sql, int rc, const char *text, struct vt_error *err);

#endif
