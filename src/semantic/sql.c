/* semantic/sql.c - statements that only read, over the VM's database and its memory. See
 * vitrine/semantic.h; what they may do is guard.c's business, live tables are live.c's.
 */
#include "semantic/sql.h"
#include "semantic/past.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ROWS_MAX UINT64_C(100000)
#define BYTES_MAX (UINT64_C(64) << 20)
#define MEMORY_MAX (UINT64_C(64) << 20)
#define TIMEOUT_MS UINT64_C(10000)
#define BUSY_MS 2000
#define CACHED_TEXT_MAX 16384u
/* How a statement's program numbers them; 1 is that of temporary tables. */
#define MAIN_SCHEMA 0
#define LIVE_SCHEMA 2

/* ---------------------------------------------------------------- opening */

/* A read proves that the file is a database and that its log can be read. */
static int open_file(struct vt_sql *sql, const char *name)
{
    sqlite3_close(sql->db);
    sql->db = NULL;
    int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX |
                SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE;
    int rc = sqlite3_open_v2(name, &sql->db, flags, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_busy_timeout(sql->db, BUSY_MS);
        rc = sqlite3_exec(sql->db, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL);
    }
    return rc;
}

/* A log that has something in it belongs to a writer, or to one that died. */
static bool has_log(const char *path)
{
    char log[PATH_MAX];
    struct stat st;
    return snprintf(log, sizeof log, "%s-wal", path) >= (int)sizeof log ||
           (stat(log, &st) == 0 && st.st_size > 0);
}

/* "file:" URI of a path that is not to change. */
static char *immutable_uri(const char *path)
{
    sqlite3_str *s = sqlite3_str_new(NULL);
    sqlite3_str_appendall(s, "file:");
    for (const char *c = path; *c != '\0'; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                     (*c >= '0' && *c <= '9') || strchr("/._-", *c) != NULL;
        sqlite3_str_appendf(s, plain ? "%c" : "%%%02x", (unsigned char)*c);
    }
    sqlite3_str_appendall(s, "?immutable=1");
    return sqlite3_str_finish(s);
}

static int open_stored(struct vt_sql *sql, const char *path, struct vt_error *err)
{
    bool uri = strncmp(path, "file:", 5) == 0;
    if (!uri && access(path, F_OK) != 0 && errno == ENOENT) {
        return vt_fail(err, VT_E_NOT_FOUND, "%s: no such database: the VM was not sampled yet",
                       path);
    }
    int rc = open_file(sql, path);
    bool no_index = (rc & 0xff) == SQLITE_CANTOPEN || (rc & 0xff) == SQLITE_READONLY;
    if (!uri && no_index && !has_log(path)) {
        /* Others' file in others' directory: the log's index cannot be made there. */
        char *name = immutable_uri(path);
        rc = name != NULL ? open_file(sql, name) : SQLITE_NOMEM;
        sqlite3_free(name);
    }
    if (rc != SQLITE_OK) {
        struct vt_error why;
        vt_sql_explain(sql, rc, "", &why);
        return vt_fail(err, why.code, "%.150s: %.150s", path, why.message);
    }
    sql->stored = true;
    return 0;
}

int vt_sql_open(const char *path, struct vt_target *target, struct vt_sql **out,
                struct vt_error *err)
{
    struct vt_sql *sql = calloc(1, sizeof *sql);
    if (sql == NULL) {
        return vt_fail(err, VT_E_NOMEM, "SQL: out of memory");
    }
    sql->target = target;
    int rc = 0;
    if (path != NULL) {
        rc = open_stored(sql, path, err);
    } else if (open_file(sql, "file:none?mode=memory") != SQLITE_OK) {
        rc = vt_sql_explain(sql, SQLITE_CANTOPEN, "", err);
    }
    if (rc == 0 && target != NULL && !target->ended) {
        rc = vt_live_attach(sql, err);
    }
    if (rc == 0 && target != NULL && target->ended) {
        int past = vt_past_views(sql->db);
        rc = past == SQLITE_OK ? 0 : vt_sql_explain(sql, past, "", err);
    }
    if (rc == 0) {
        rc = vt_sql_guard(sql, err);
    }
    if (rc != 0) {
        vt_sql_close(sql);
        return rc;
    }
    *out = sql;
    return 0;
}

static void forget(struct vt_sql_cached *c)
{
    sqlite3_finalize(c->stmt);
    free(c->text);
    *c = (struct vt_sql_cached){0};
}

void vt_sql_close(struct vt_sql *sql)
{
    if (sql == NULL) {
        return;
    }
    for (size_t i = 0; i < VT_SQL_CACHED; i++) {
        forget(&sql->cached[i]);
    }
    sqlite3_finalize(sql->version);
    sqlite3_close(sql->db);
    free(sql);
}

/* ---------------------------------------------------------------- preparing */

/* Past blanks, comments and semicolons: SQLite compiles the first statement only. */
const char *vt_sql_skip(const char *text)
{
    for (;;) {
        text += strspn(text, " \t\r\n\f;");
        if (strncmp(text, "--", 2) == 0) {
            text += strcspn(text, "\n");
        } else if (strncmp(text, "/*", 2) == 0) {
            const char *end = strstr(text + 2, "*/");
            text = end != NULL ? end + 2 : text + strlen(text);
        } else {
            return text;
        }
    }
}

static int compile(struct vt_sql *sql, const char *text, sqlite3_stmt **out, struct vt_error *err)
{
    sqlite3_stmt *stmt = NULL;
    const char *rest = NULL;
    sql->refused[0] = '\0';
    const char *first = vt_sql_skip(text);
    if (*first == '\0') {
        return vt_fail(err, VT_E_INVAL, "there is no statement");
    }
    int rc = sqlite3_prepare_v3(sql->db, first, -1, SQLITE_PREPARE_PERSISTENT, &stmt, &rest);
    if (rc != SQLITE_OK) {
        return vt_sql_explain(sql, rc, text, err);
    }
    if (stmt == NULL || *vt_sql_skip(rest) != '\0') {
        rc = vt_fail(err, VT_E_INVAL, "one statement at a time, please");
    } else if (!sqlite3_stmt_readonly(stmt) || sqlite3_column_count(stmt) == 0) {
        rc = vt_fail(err, VT_E_PERM, "a statement may only read");
    } else {
        *out = stmt;
        return 0;
    }
    sqlite3_finalize(stmt);
    return rc;
}

/* The statement of `text`, compiled now or before. A slot that is nobody's is marked busy; *slot is
 * NULL when the statement has none and is the caller's to finalize. */
static int take(struct vt_sql *sql, const char *text, sqlite3_stmt **stmt,
                struct vt_sql_cached **slot, struct vt_error *err)
{
    struct vt_sql_cached *oldest = NULL;
    for (size_t i = 0; i < VT_SQL_CACHED; i++) {
        struct vt_sql_cached *c = &sql->cached[i];
        if (c->busy) {
            continue;
        }
        if (c->text != NULL && strcmp(c->text, text) == 0) {
            c->busy = true;
            c->last_use = ++sql->uses;
            *stmt = c->stmt;
            *slot = c;
            return 0;
        }
        oldest = oldest == NULL || c->last_use < oldest->last_use ? c : oldest;
    }
    int rc = compile(sql, text, stmt, err);
    *slot = NULL;
    if (rc != 0 || oldest == NULL || strlen(text) > CACHED_TEXT_MAX) {
        return rc;
    }
    char *copy = strdup(text);
    if (copy != NULL) {
        forget(oldest);
        *oldest = (struct vt_sql_cached){
            .text = copy, .stmt = *stmt, .last_use = ++sql->uses, .busy = true};
        *slot = oldest;
    }
    return 0;
}

static void give_back(sqlite3_stmt *stmt, struct vt_sql_cached *slot)
{
    if (slot == NULL) {
        sqlite3_finalize(stmt);
    } else {
        sqlite3_reset(stmt);
        sqlite3_clear_bindings(stmt);
        slot->busy = false;
    }
}

static int bind(sqlite3_stmt *stmt, const struct vt_sql_value *params, unsigned n,
                struct vt_error *err)
{
    int wanted = sqlite3_bind_parameter_count(stmt);
    if (wanted != (int)n) {
        return vt_fail(err, VT_E_INVAL, "the statement has %d parameters, %u were given", wanted,
                       n);
    }
    for (unsigned i = 0; i < n; i++) {
        const struct vt_sql_value *p = &params[i];
        int rc = SQLITE_OK, at = (int)i + 1;
        switch (p->type) {
        case VT_SQL_NULL:
            rc = sqlite3_bind_null(stmt, at);
            break;
        case VT_SQL_INTEGER:
        case VT_SQL_ADDRESS:
            rc = sqlite3_bind_int64(stmt, at, p->integer);
            break;
        case VT_SQL_REAL:
            rc = sqlite3_bind_double(stmt, at, p->real);
            break;
        case VT_SQL_TEXT:
            rc = sqlite3_bind_text64(stmt, at, p->text, p->bytes, SQLITE_STATIC, SQLITE_UTF8);
            break;
        case VT_SQL_BLOB:
            rc = sqlite3_bind_blob64(stmt, at, p->text, p->bytes, SQLITE_STATIC);
            break;
        }
        if (rc != SQLITE_OK) {
            return vt_fail(err, rc == SQLITE_TOOBIG ? VT_E_LIMIT : VT_E_NOMEM,
                           "parameter %d is too long", at);
        }
    }
    return 0;
}

/* ---------------------------------------------------------------- running */

struct results {
    unsigned n;
    bool *address;               /* which columns are declared ADDRESS */
    struct vt_sql_value *values; /* of a row */
    uint64_t rows, bytes;
};

static int begin_results(sqlite3_stmt *stmt, struct results *r,
                         int (*columns)(const char *const *names, unsigned n, void *arg), void *arg,
                         struct vt_error *err)
{
    unsigned n = (unsigned)sqlite3_column_count(stmt);
    const char **names = calloc(n, sizeof *names);
    r->n = n;
    r->address = calloc(n, sizeof *r->address);
    r->values = calloc(n, sizeof *r->values);
    int rc = 0;
    if (names == NULL || r->address == NULL || r->values == NULL) {
        rc = vt_fail(err, VT_E_NOMEM, "SQL: out of memory");
    }
    for (unsigned i = 0; rc == 0 && i < n; i++) {
        const char *type = sqlite3_column_decltype(stmt, (int)i);
        r->address[i] = type != NULL && sqlite3_stricmp(type, "ADDRESS") == 0;
        names[i] = sqlite3_column_name(stmt, (int)i);
        names[i] = names[i] != NULL ? names[i] : "";
    }
    if (rc == 0 && columns != NULL) {
        rc = columns(names, n, arg);
    }
    free(names);
    return rc;
}

/* Bytes of the row, or UINT64_MAX: out of memory. */
static uint64_t read_row(sqlite3_stmt *stmt, struct results *r)
{
    uint64_t bytes = 0;
    for (unsigned i = 0; i < r->n; i++) {
        struct vt_sql_value *v = &r->values[i];
        int at = (int)i;
        *v = (struct vt_sql_value){.type = VT_SQL_NULL};
        switch (sqlite3_column_type(stmt, at)) {
        case SQLITE_INTEGER:
            v->type = r->address[i] ? VT_SQL_ADDRESS : VT_SQL_INTEGER;
            v->integer = sqlite3_column_int64(stmt, at);
            bytes += sizeof v->integer;
            break;
        case SQLITE_FLOAT:
            v->type = VT_SQL_REAL;
            v->real = sqlite3_column_double(stmt, at);
            bytes += sizeof v->real;
            break;
        case SQLITE_TEXT:
            v->type = VT_SQL_TEXT;
            v->text = (const char *)sqlite3_column_text(stmt, at);
            v->bytes = (size_t)sqlite3_column_bytes(stmt, at);
            if (v->text == NULL) {
                return UINT64_MAX;
            }
            break;
        case SQLITE_BLOB:
            v->type = VT_SQL_BLOB;
            v->text = sqlite3_column_blob(stmt, at);
            v->bytes = (size_t)sqlite3_column_bytes(stmt, at);
            if (v->text == NULL && v->bytes > 0) {
                return UINT64_MAX;
            }
            v->text = v->text != NULL ? v->text : "";
            break;
        default:
            break;
        }
        bytes += v->bytes;
    }
    return bytes;
}

static int step_error(struct vt_sql *sql, int rc, const char *text, struct vt_error *err)
{
    const struct vt_sql_run *run = sql->run;
    if (run->failed != 0) {
        if (err != NULL) {
            *err = run->err;
        }
        return run->failed;
    }
    if ((rc & 0xff) == SQLITE_NOMEM) {
        return vt_fail(err, VT_E_LIMIT, "the statement takes more than %" PRIu64 " MiB of memory",
                       run->max_memory >> 20);
    }
    return vt_sql_explain(sql, rc, text, err);
}

/* 0 or what a callback returned, a limit, an error. */
static int deliver(struct vt_sql *sql, sqlite3_stmt *stmt, const char *text,
                   const struct vt_sql_limits *limits,
                   int (*columns)(const char *const *names, unsigned n, void *arg),
                   int (*row)(const struct vt_sql_value *values, unsigned n, void *arg), void *arg,
                   struct results *r, struct vt_error *err)
{
    for (;;) {
        /* Before its first step a statement may be compiled anew, with other columns. */
        int step = sqlite3_step(stmt);
        if (step != SQLITE_ROW && step != SQLITE_DONE) {
            return step_error(sql, step, text, err);
        }
        int rc = r->values == NULL ? begin_results(stmt, r, columns, arg, err) : 0;
        if (rc != 0 || step == SQLITE_DONE) {
            return rc;
        }
        if (r->rows == limits->max_rows) {
            return vt_fail(err, VT_E_LIMIT, "there are more than %" PRIu64 " rows",
                           limits->max_rows);
        }
        uint64_t bytes = read_row(stmt, r);
        if (bytes == UINT64_MAX) {
            return step_error(sql, SQLITE_NOMEM, text, err);
        }
        if (bytes > limits->max_bytes - r->bytes) {
            return vt_fail(err, VT_E_LIMIT, "the rows are larger than %" PRIu64 " KiB",
                           limits->max_bytes >> 10);
        }
        r->bytes += bytes;
        r->rows++;
        rc = row != NULL ? row(r->values, r->n, arg) : 0;
        if (rc != 0) {
            return rc;
        }
    }
}

static uint64_t deadline_ns(uint64_t timeout_ms)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t now_ns = (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
    return timeout_ms > (UINT64_MAX - now_ns) / 1000000 ? UINT64_MAX
                                                        : now_ns + timeout_ms * 1000000;
}

static struct vt_sql_limits with_defaults(const struct vt_sql_limits *given)
{
    struct vt_sql_limits l = given != NULL ? *given : (struct vt_sql_limits){0};
    l.max_rows = l.max_rows != 0 ? l.max_rows : ROWS_MAX;
    l.max_bytes = l.max_bytes != 0 ? l.max_bytes : BYTES_MAX;
    l.max_memory = l.max_memory != 0 ? l.max_memory : MEMORY_MAX;
    l.timeout_ms = l.timeout_ms != 0 ? l.timeout_ms : TIMEOUT_MS;
    return l;
}

int vt_sql_query(struct vt_sql *sql, const char *text, const struct vt_sql_value *params,
                 unsigned n_params, const struct vt_sql_limits *given,
                 int (*columns)(const char *const *names, unsigned n, void *arg),
                 int (*row)(const struct vt_sql_value *values, unsigned n, void *arg), void *arg,
                 struct vt_error *err)
{
    const struct vt_sql_limits limits = with_defaults(given);
    struct vt_sql_run run = {.outer = sql->run,
                             .deadline_ns = deadline_ns(limits.timeout_ms),
                             .stop = limits.stop,
                             .max_memory = limits.max_memory};
    struct vt_sql_cached *slot = NULL;
    sqlite3_stmt *stmt = NULL;
    struct results results = {0};
    struct vt_sql_budget outer = vt_sql_budget(limits.max_memory);
    sql->run = &run;
    sql->warning[0] = '\0';
    int rc = take(sql, text, &stmt, &slot, err);
    if (rc == 0) {
        rc = bind(stmt, params, n_params, err);
        if (rc == 0) {
            rc = deliver(sql, stmt, text, &limits, columns, row, arg, &results, err);
        }
        give_back(stmt, slot);
    }
    vt_live_free(run.live); /* the statement pointed into it until it was reset */
    memcpy(sql->warning, run.warning, sizeof sql->warning);
    sql->run = run.outer;
    vt_sql_unbudget(outer);
    free(results.values);
    free(results.address);
    return rc;
}

const char *vt_sql_warning(const struct vt_sql *sql)
{
    return sql->warning[0] != '\0' ? sql->warning : NULL;
}

/* The authorizer is not told of every table (not of the right one of USING); the program is. */
int vt_sql_reads(struct vt_sql *sql, const char *text, bool *stored, bool *live,
                 struct vt_error *err)
{
    struct vt_sql_budget outer = vt_sql_budget(MEMORY_MAX);
    bool reads[2] = {false, false};
    sqlite3_stmt *stmt = NULL;
    char *explain = sqlite3_mprintf("EXPLAIN %s", vt_sql_skip(text));
    int rc = explain != NULL ? compile(sql, explain, &stmt, err)
                             : vt_fail(err, VT_E_LIMIT, "the statement is too long");
    while (rc == 0 && sqlite3_step(stmt) == SQLITE_ROW) {
        const char *operation = (const char *)sqlite3_column_text(stmt, 1);
        if (operation != NULL && strcmp(operation, "OpenRead") == 0) {
            reads[0] |= sqlite3_column_int(stmt, 4) == MAIN_SCHEMA;
        } else if (operation != NULL && strcmp(operation, "Transaction") == 0) {
            reads[1] |= sqlite3_column_int(stmt, 2) == LIVE_SCHEMA;
        }
    }
    sqlite3_finalize(stmt);
    sqlite3_free(explain);
    vt_sql_unbudget(outer);
    if (rc == 0) {
        *stored = reads[0];
        *live = reads[1];
    }
    return rc;
}

int vt_sql_version(struct vt_sql *sql, uint64_t *version, struct vt_error *err)
{
    int rc = SQLITE_OK;
    if (sql->version == NULL) {
        sql->inside = true;
        rc = sqlite3_prepare_v3(sql->db, "PRAGMA main.data_version", -1, SQLITE_PREPARE_PERSISTENT,
                                &sql->version, NULL);
        sql->inside = false;
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(sql->version);
    }
    if (rc != SQLITE_ROW) {
        rc = vt_sql_explain(sql, rc, "", err);
    } else {
        *version = (uint64_t)sqlite3_column_int64(sql->version, 0);
        rc = 0;
    }
    sqlite3_reset(sql->version);
    return rc;
}
