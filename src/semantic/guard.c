/* semantic/guard.c - what a statement may do: read tables, call harmless functions, and take a
 * bounded part of the host's time and memory. See sql.h.
 *
 * A statement is hostile. It cannot write, because the file is open for reading only, because the
 * authorizer lets only reading be compiled, and because the connection refuses changes
 * (query_only). Time is bounded by a progress handler, which SQLite calls between its instructions;
 * so no single instruction may take long: values have a size, and functions whose time is the
 * product of two sizes are replaced below. Memory is bounded by counting what SQLite allocates.
 */
#include "semantic/sql.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---------------------------------------------------------------- memory */

/* SQLite has one allocator a process and a limit for all of it; ours counts by thread, so that one
 * greedy statement does not starve the others. */
static _Thread_local struct vt_sql_budget budget;
static sqlite3_mem_methods system_memory;

static bool affords(int bytes)
{
    if (budget.on && budget.left < bytes) {
        budget.hit = true;
        return false;
    }
    return true;
}

static void *counted_malloc(int bytes)
{
    void *p = affords(bytes) ? system_memory.xMalloc(bytes) : NULL;
    budget.left -= p != NULL ? system_memory.xSize(p) : 0;
    return p;
}

static void counted_free(void *p)
{
    budget.left += p != NULL ? system_memory.xSize(p) : 0;
    system_memory.xFree(p);
}

static void *counted_realloc(void *p, int bytes)
{
    int before = system_memory.xSize(p);
    if (bytes > before && !affords(bytes - before)) {
        return NULL;
    }
    void *q = system_memory.xRealloc(p, bytes);
    budget.left -= q != NULL ? system_memory.xSize(q) - before : 0;
    return q;
}

/* The allocator can be changed only before SQLite is first used, by whomever: before main. In a
 * process that loads this later than it began with SQLite, its own limits have to do. */
__attribute__((constructor)) static void count_memory(void)
{
    if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &system_memory) == SQLITE_OK) {
        sqlite3_mem_methods counted = system_memory;
        counted.xMalloc = counted_malloc;
        counted.xFree = counted_free;
        counted.xRealloc = counted_realloc;
        sqlite3_config(SQLITE_CONFIG_MALLOC, &counted);
    }
}

struct vt_sql_budget vt_sql_budget(uint64_t bytes)
{
    struct vt_sql_budget outer = budget;
    int64_t most = bytes > INT64_MAX ? INT64_MAX : (int64_t)bytes;
    if (outer.on && outer.left < most) {
        most = outer.left;
    }
    budget = (struct vt_sql_budget){.left = most, .on = true};
    return outer;
}

bool vt_sql_unbudget(struct vt_sql_budget outer)
{
    bool hit = budget.hit;
    budget = outer;
    return hit;
}

/* ---------------------------------------------------------------- time */

#define STEPS_BETWEEN_CHECKS 1000

int vt_sql_checkpoint(struct vt_sql_run *run)
{
    struct timespec now;
    if (run->failed != 0) {
        return 1;
    }
    if (run->stop != NULL && *run->stop) {
        run->failed = VT_E_INTERRUPTED;
        vt_fail(&run->err, VT_E_INTERRUPTED, "interrupted");
        return 1;
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t now_ns = (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
    if (now_ns >= run->deadline_ns) {
        run->failed = VT_E_TIMEOUT;
        vt_fail(&run->err, VT_E_TIMEOUT, "the statement takes too long");
        return 1;
    }
    return 0;
}

static int progress(void *arg)
{
    struct vt_sql *sql = arg;
    return sql->run != NULL ? vt_sql_checkpoint(sql->run) : 0;
}

/* ---------------------------------------------------------------- what may be compiled */

const char *const vt_sql_functions[] = {
    /* of single values */
    "abs", "address", "char", "coalesce", "concat", "concat_ws", "format", "glob", "hex", "ifnull",
    "iif", "instr", "length", "like", "likelihood", "likely", "lower", "ltrim", "max", "min",
    "nullif", "octet_length", "printf", "quote", "random", "replace", "round", "rtrim", "sign",
    "soundex", "sqlite_version", "substr", "substring", "trim", "typeof", "unhex", "unicode",
    "unlikely", "upper", "zeroblob",
    /* of many rows */
    "avg", "count", "group_concat", "string_agg", "sum", "total", "median", "percentile",
    "cume_dist", "dense_rank", "first_value", "lag", "last_value", "lead", "nth_value", "ntile",
    "percent_rank", "rank", "row_number",
    /* of time */
    "current_date", "current_time", "current_timestamp", "date", "datetime", "julianday",
    "strftime", "time", "timediff", "unixepoch",
    /* of numbers */
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "ceil", "ceiling", "cos", "cosh",
    "degrees", "exp", "floor", "ln", "log", "log10", "log2", "mod", "pi", "pow", "power", "radians",
    "sin", "sinh", "sqrt", "tan", "tanh", "trunc",
    /* of JSON; not json_patch, whose time is the product of two sizes */
    "->", "->>", "json", "json_array", "json_array_length", "json_error_position", "json_extract",
    "json_group_array", "json_group_object", "json_object", "json_quote", "json_type", "json_valid",
    NULL};

static const char *const pragmas[] = {"table_info", "table_list", "table_xinfo", NULL};

static bool is_one_of(const char *name, const char *const *names)
{
    while (*names != NULL && sqlite3_stricmp(name, *names) != 0) {
        names++;
    }
    return *names != NULL;
}

static int refuse(struct vt_sql *sql, const char *why, const char *name)
{
    if (sql->refused[0] == '\0') {
        sqlite3_snprintf(sizeof sql->refused, sql->refused, why, name);
    }
    return SQLITE_DENY;
}

static int authorize(void *arg, int action, const char *a, const char *b, const char *schema,
                     const char *inner)
{
    struct vt_sql *sql = arg;
    (void)schema;
    (void)inner; /* the view it comes from */
    if (sql->inside) {
        return SQLITE_OK;
    }
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE:
        return SQLITE_OK;
    case SQLITE_FUNCTION:
        return is_one_of(b, vt_sql_functions)
                   ? SQLITE_OK
                   : refuse(sql, "the function %.100s() may not be used", b);
    case SQLITE_PRAGMA:
        return is_one_of(a, pragmas) ? SQLITE_OK : refuse(sql, "PRAGMA %.100s may not be used", a);
    default:
        return refuse(sql, "a statement may only read", NULL);
    }
}

/* ---------------------------------------------------------------- functions of our own */

static void address(sqlite3_context *context, int n, sqlite3_value **values)
{
    char text[24];
    (void)n;
    if (sqlite3_value_type(values[0]) != SQLITE_INTEGER) {
        sqlite3_result_value(context, values[0]);
        return;
    }
    snprintf(text, sizeof text, "0x%" PRIx64, (uint64_t)sqlite3_value_int64(values[0]));
    sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
}

struct slice {
    const char *at;
    size_t bytes;
};

static bool slice_of(sqlite3_value *value, struct slice *slice)
{
    bool blob = sqlite3_value_type(value) == SQLITE_BLOB;
    slice->at = blob ? sqlite3_value_blob(value) : (const char *)sqlite3_value_text(value);
    slice->bytes = (size_t)sqlite3_value_bytes(value);
    slice->at = slice->at == NULL && blob ? "" : slice->at;
    return slice->at != NULL;
}

static size_t characters(const char *text, size_t bytes)
{
    size_t n = 0;
    for (size_t i = 0; i < bytes; i++) {
        n += ((unsigned char)text[i] & 0xc0) != 0x80;
    }
    return n;
}

/* instr() and replace() as SQLite documents them, in linear time (memmem). */
static void instr(sqlite3_context *context, int n, sqlite3_value **values)
{
    struct slice text, part;
    (void)n;
    if (!slice_of(values[0], &text) || !slice_of(values[1], &part)) {
        return;
    }
    bool blobs = sqlite3_value_type(values[0]) == SQLITE_BLOB &&
                 sqlite3_value_type(values[1]) == SQLITE_BLOB;
    const char *found = memmem(text.at, text.bytes, part.at, part.bytes);
    size_t before = found == NULL ? 0 : (size_t)(found - text.at);
    size_t at = found == NULL ? 0 : 1 + (blobs ? before : characters(text.at, before));
    sqlite3_result_int64(context, (sqlite3_int64)at);
}

static void replace(sqlite3_context *context, int n, sqlite3_value **values)
{
    struct slice text, from, to;
    (void)n;
    if (!slice_of(values[0], &text) || !slice_of(values[1], &from) || !slice_of(values[2], &to)) {
        return;
    }
    if (from.bytes == 0) {
        sqlite3_result_value(context, values[0]);
        return;
    }
    sqlite3_str *out = sqlite3_str_new(sqlite3_context_db_handle(context));
    const char *at = text.at, *end = text.at + text.bytes, *found;
    while (sqlite3_str_errcode(out) == SQLITE_OK &&
           (found = memmem(at, (size_t)(end - at), from.at, from.bytes)) != NULL) {
        sqlite3_str_append(out, at, (int)(found - at));
        sqlite3_str_append(out, to.at, (int)to.bytes);
        at = found + from.bytes;
    }
    sqlite3_str_append(out, at, (int)(end - at));
    int rc = sqlite3_str_errcode(out), bytes = sqlite3_str_length(out);
    char *result = sqlite3_str_finish(out);
    if (rc == SQLITE_OK) {
        sqlite3_result_text(context, result != NULL ? result : "", bytes, SQLITE_TRANSIENT);
    } else if (rc == SQLITE_TOOBIG) {
        sqlite3_result_error_toobig(context);
    } else {
        sqlite3_result_error_nomem(context);
    }
    sqlite3_free(result);
}

/* trim(X, Y), ltrim(X, Y), rtrim(X, Y): Y is a set of characters, here of one byte each. */
enum trim_ends { TRIM_LEFT = 1, TRIM_RIGHT = 2 };
static const enum trim_ends trim_left = TRIM_LEFT, trim_right = TRIM_RIGHT,
                            trim_both = TRIM_LEFT | TRIM_RIGHT;

static void trim(sqlite3_context *context, int n, sqlite3_value **values)
{
    const enum trim_ends ends = *(const enum trim_ends *)sqlite3_user_data(context);
    struct slice text, set;
    bool in[256] = {false};
    (void)n;
    if (!slice_of(values[0], &text) || !slice_of(values[1], &set)) {
        return;
    }
    for (size_t i = 0; i < set.bytes; i++) {
        if ((unsigned char)set.at[i] >= 0x80) {
            sqlite3_result_error(context, "trim: the second value may hold ASCII only", -1);
            return;
        }
        in[(unsigned char)set.at[i]] = true;
    }
    while ((ends & TRIM_LEFT) != 0 && text.bytes > 0 && in[(unsigned char)text.at[0]]) {
        text.at++;
        text.bytes--;
    }
    while ((ends & TRIM_RIGHT) != 0 && text.bytes > 0 &&
           in[(unsigned char)text.at[text.bytes - 1]]) {
        text.bytes--;
    }
    sqlite3_result_text(context, text.at, (int)text.bytes, SQLITE_TRANSIENT);
}

static int own_functions(sqlite3 *db)
{
    static const struct {
        const char *name;
        int n;
        void (*fn)(sqlite3_context *, int, sqlite3_value **);
        const enum trim_ends *data;
    } functions[] = {
        {"address", 1, address, NULL},  {"instr", 2, instr, NULL},
        {"replace", 3, replace, NULL},  {"trim", 2, trim, &trim_both},
        {"ltrim", 2, trim, &trim_left}, {"rtrim", 2, trim, &trim_right},
    };
    int rc = SQLITE_OK;
    for (size_t i = 0; rc == SQLITE_OK && i < sizeof functions / sizeof functions[0]; i++) {
        rc = sqlite3_create_function_v2(db, functions[i].name, functions[i].n,
                                        SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS,
                                        (void *)functions[i].data, functions[i].fn, NULL, NULL,
                                        NULL);
    }
    return rc;
}

/* ---------------------------------------------------------------- all of it */

int vt_sql_guard(struct vt_sql *sql, struct vt_error *err)
{
    static const struct {
        int limit, value;
    } limits[] = {
        {SQLITE_LIMIT_LENGTH, 8 << 20},      {SQLITE_LIMIT_SQL_LENGTH, 100000},
        {SQLITE_LIMIT_COLUMN, 1000},         {SQLITE_LIMIT_EXPR_DEPTH, 200},
        {SQLITE_LIMIT_COMPOUND_SELECT, 100}, {SQLITE_LIMIT_VDBE_OP, 100000},
        {SQLITE_LIMIT_ATTACHED, 1},          {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 128},
        {SQLITE_LIMIT_VARIABLE_NUMBER, 999}, {SQLITE_LIMIT_TRIGGER_DEPTH, 1},
        {SQLITE_LIMIT_WORKER_THREADS, 0},
    };
    static const struct {
        int option, on;
    } options[] = {
        {SQLITE_DBCONFIG_DEFENSIVE, 1},
        {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
        {SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0},
        {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
        {SQLITE_DBCONFIG_DQS_DML, 0}, /* "sshd" is a column, and said to be missing */
    };
    /* Not SQLite's tables of its own insides, such as other people's statements. What a view of the
     * database may name is bounded by this and by the authorizer; trusted_schema = OFF would, in
     * SQLite 3.40, forbid it json_extract(). */
    const char *modules[] = {"vitrine", "json_each", "json_tree", NULL};
    sqlite3 *db = sql->db;
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        sqlite3_limit(db, limits[i].limit, limits[i].value);
    }
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        if (sqlite3_db_config(db, options[i].option, options[i].on, NULL) != SQLITE_OK) {
            return vt_fail(err, VT_E_UNSUPPORTED, "SQLite %s has no option %d",
                           sqlite3_libversion(), options[i].option);
        }
    }
    if (sqlite3_drop_modules(db, modules) != SQLITE_OK || own_functions(db) != SQLITE_OK ||
        sqlite3_exec(db,
                     "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -4096;"
                     "PRAGMA mmap_size = 0; PRAGMA cell_size_check = ON; PRAGMA query_only = ON;"
                     /* When first named, a function that is a table is declared, which would look
                      * like a change of the schema. */
                     "SELECT 1 FROM json_each(''), json_tree(''), pragma_table_info(''),"
                     " pragma_table_xinfo(''), pragma_table_list LIMIT 0",
                     NULL, NULL, NULL) != SQLITE_OK) {
        return vt_sql_explain(sql, sqlite3_extended_errcode(db), "", err);
    }
    sqlite3_progress_handler(db, STEPS_BETWEEN_CHECKS, progress, sql);
    sqlite3_set_authorizer(db, authorize, sql);
    return 0;
}
