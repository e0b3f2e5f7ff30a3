/* semantic/live.c - every noun as a table of the schema `live`, walked when it is read.
 *
 * A table's columns are the noun's, with its address, trust and doubt. A walk calls back, and a
 * cursor is asked: so each walk is kept, whole, until the statement ends, and a noun that a
 * statement names twice is the same both times. Walks of one process are asked for by pid; when a
 * statement wants more than a few, all processes are walked instead.
 * Memory is SQLite's, so that the statement's budget counts it (guard.c).
 */
#include "base/cell.h"
#include "guest/linux/rows.h"
#include "semantic/sql.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Columns besides the noun's own. */
enum hidden { HIDDEN_PID, HIDDEN_TEXT, HIDDEN };

struct live_table {
    sqlite3_vtab base; /* first: SQLite's part */
    struct vt_sql *sql;
    const struct vt_noun *noun;
    struct vt_column columns[VT_NOUN_COLUMNS_MAX];
    unsigned n_columns, trust;
    int pid;            /* the column that walks of one process are asked for by, or -1 */
    int hidden[HIDDEN]; /* numbers of these columns, or -1 */
};

struct cell {
    union {
        int64_t integer;
        double real;
        const char *text;
    };
    uint32_t bytes;
    uint8_t type; /* SQLITE_INTEGER, … */
};

#define TEXTS_BYTES 65536u

struct texts {
    struct texts *next;
    size_t used, room;
    char bytes[];
};

/* What one walk found. */
struct vt_live_rows {
    struct vt_live_rows *next;
    const struct vt_noun *noun;
    int32_t pid; /* of the query */
    char *text;  /* of the query, or NULL */
    struct vt_sql_run *run;
    const struct live_table *table; /* while it is walked */
    struct cell *cells;             /* n_columns a row */
    unsigned n_columns;
    size_t n_cells, room;
    struct texts *texts;
};

struct live_cursor {
    sqlite3_vtab_cursor base;
    const struct vt_live_rows *rows;
    size_t at, end; /* cells */
    int filter;     /* only rows whose column `filter` is `wanted`; -1: all */
    int64_t wanted;
    int32_t query_pid;
    char *query_text;
};

/* ---------------------------------------------------------------- tables */

static const char *type_of(enum vt_cell_kind kind)
{
    switch (kind) {
    case VT_CELL_TEXT:
    case VT_CELL_CHARS:
        return "TEXT";
    case VT_CELL_HEX:
        return "ADDRESS";
    case VT_CELL_F64:
    case VT_CELL_SECONDS:
        return "REAL";
    case VT_CELL_BOOL:
        return "BOOLEAN";
    case VT_CELL_U64:
    case VT_CELL_I64:
    case VT_CELL_BYTES:
        break;
    }
    return "INTEGER";
}

static int live_connect(sqlite3 *db, void *arg, int argc, const char *const *argv,
                        sqlite3_vtab **out, char **message)
{
    const struct vt_noun *noun = argc == 4 ? vt_noun_find(argv[3]) : NULL;
    if (noun == NULL) {
        *message = sqlite3_mprintf("no such noun");
        return SQLITE_ERROR;
    }
    struct live_table *t = sqlite3_malloc64(sizeof *t);
    if (t == NULL) {
        return SQLITE_NOMEM;
    }
    *t = (struct live_table){.sql = arg, .noun = noun, .pid = -1, .hidden = {-1, -1}};
    t->n_columns = vt_noun_columns(noun, t->columns, &t->trust);
    sqlite3_str *s = sqlite3_str_new(db);
    for (unsigned i = 0; i < t->n_columns; i++) {
        const struct vt_column *c = &t->columns[i];
        sqlite3_str_appendf(s, "%s\"%s\" %s", i == 0 ? "CREATE TABLE x(" : ", ", c->key,
                            type_of(c->kind));
        if (noun->by_pid && strcmp(c->key, "pid") == 0) {
            t->pid = (int)i;
        }
    }
    int next = (int)t->n_columns;
    if (noun->by_pid) {
        t->hidden[HIDDEN_PID] = next++;
        sqlite3_str_appendall(s, ", query_pid INTEGER HIDDEN");
    }
    if (noun->operands != NULL) {
        t->hidden[HIDDEN_TEXT] = next++;
        sqlite3_str_appendall(s, ", query_text TEXT HIDDEN");
    }
    sqlite3_str_appendall(s, ")");
    char *text = sqlite3_str_finish(s);
    /* It is again when the schema was read anew, amid a statement; the authorizer would take it for
     * a change. */
    bool inside = t->sql->inside;
    t->sql->inside = true;
    int rc = text != NULL ? sqlite3_declare_vtab(db, text) : SQLITE_NOMEM;
    t->sql->inside = inside;
    sqlite3_free(text);
    if (rc == SQLITE_OK) {
        /* Walks are asked for by people, not by a view in somebody's file. */
        rc = sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY);
    }
    if (rc != SQLITE_OK) {
        sqlite3_free(t);
        return rc;
    }
    *out = &t->base;
    return SQLITE_OK;
}

static int live_disconnect(sqlite3_vtab *base)
{
    sqlite3_free(base);
    return SQLITE_OK;
}

/* ---------------------------------------------------------------- plans */

/* idxNum: which arguments xFilter gets, in this order, and above them the filtered column. */
enum plan { PLAN_QUERY_PID = 1, PLAN_QUERY_TEXT = 2, PLAN_PID = 4, PLAN_FILTER = 8 };
#define PLAN_COLUMN_SHIFT 8

/* Estimates for the planner: that many rows, and a walk costs as much as reading so many. */
#define ROWS_ALL 2000
#define ROWS_PID 25
#define WALK_COST 1000.0

static int live_plan(sqlite3_vtab *base, sqlite3_index_info *info)
{
    const struct live_table *t = (const struct live_table *)base;
    int use[4] = {-1, -1, -1, -1}; /* constraints for the bits of enum plan */
    int column = -1;
    for (int i = 0; i < info->nConstraint; i++) {
        const struct sqlite3_index_constraint *c = &info->aConstraint[i];
        if (c->op != SQLITE_INDEX_CONSTRAINT_EQ || c->iColumn < 0) {
            continue;
        }
        bool hidden = c->iColumn >= (int)t->n_columns;
        if (!c->usable) {
            if (hidden) {
                return SQLITE_CONSTRAINT; /* the walk needs it: join in another order */
            }
        } else if (hidden) {
            use[c->iColumn == t->hidden[HIDDEN_PID] ? 0 : 1] = i;
        } else if (c->iColumn == t->pid) {
            use[2] = i;
        } else if (use[3] < 0 && (t->columns[c->iColumn].kind == VT_CELL_HEX ||
                                  t->columns[c->iColumn].kind == VT_CELL_U64 ||
                                  t->columns[c->iColumn].kind == VT_CELL_I64)) {
            use[3] = i;
            column = c->iColumn;
        }
    }
    int next = 1;
    for (int bit = 0; bit < 4; bit++) {
        if (use[bit] >= 0) {
            info->aConstraintUsage[use[bit]].argvIndex = next++;
            info->idxNum |= 1 << bit;
            /* What rows say of themselves is checked again. */
            info->aConstraintUsage[use[bit]].omit = bit < 2;
        }
    }
    info->idxNum |= column >= 0 ? column << PLAN_COLUMN_SHIFT : 0;
    bool few = (info->idxNum & (PLAN_QUERY_PID | PLAN_PID | PLAN_FILTER)) != 0;
    info->estimatedRows = few ? ROWS_PID : ROWS_ALL;
    info->estimatedCost = WALK_COST + (few ? ROWS_PID : ROWS_ALL);
    return SQLITE_OK;
}

/* ---------------------------------------------------------------- walks */

/* The run ends with this failure; SQLite itself only learns that there was one. */
static int fail(struct vt_sql_run *run, enum vt_code code, const struct vt_error *err)
{
    if (run->failed == 0) {
        run->failed = code;
        run->err = *err;
    }
    return SQLITE_ERROR;
}

static const char *keep_text(struct vt_live_rows *rows, const char *text, size_t bytes)
{
    struct texts *t = rows->texts;
    if (t == NULL || t->room - t->used < bytes + 1) {
        size_t room = bytes + 1 > TEXTS_BYTES ? bytes + 1 : TEXTS_BYTES;
        t = sqlite3_malloc64(sizeof *t + room);
        if (t == NULL) {
            return NULL;
        }
        *t = (struct texts){.next = rows->texts, .room = room};
        rows->texts = t;
    }
    char *copy = t->bytes + t->used;
    memcpy(copy, text, bytes);
    copy[bytes] = '\0';
    t->used += bytes + 1;
    return copy;
}

/* False: out of memory. */
static bool keep_cell(struct vt_live_rows *rows, const struct vt_column *c,
                      const struct vt_value *v, struct cell *cell)
{
    *cell = (struct cell){.type = SQLITE_INTEGER};
    switch (v->type) {
    case VT_VALUE_NONE:
        cell->type = SQLITE_NULL;
        break;
    case VT_VALUE_TEXT:
        cell->type = SQLITE_TEXT;
        cell->bytes = (uint32_t)strnlen(v->text, UINT32_MAX);
        cell->text = keep_text(rows, v->text, cell->bytes);
        return cell->text != NULL;
    case VT_VALUE_U64:
        if (c->kind == VT_CELL_SECONDS) {
            cell->type = SQLITE_FLOAT;
            cell->real = (double)v->u64 / 1e9;
        } else if (c->kind != VT_CELL_HEX && v->u64 > INT64_MAX) {
            cell->type = SQLITE_FLOAT; /* as SQLite does with integers that do not fit */
            cell->real = (double)v->u64;
        } else {
            cell->integer = (int64_t)v->u64;
        }
        break;
    case VT_VALUE_I64:
        cell->integer = v->i64;
        break;
    case VT_VALUE_F64:
        cell->type = SQLITE_FLOAT;
        cell->real = v->f64;
        break;
    case VT_VALUE_BOOL:
        cell->integer = v->boolean;
        break;
    }
    return true;
}

static int keep_row(const struct vt_row *row, void *arg)
{
    struct vt_live_rows *rows = arg;
    const struct live_table *t = rows->table;
    struct vt_error err;
    if (vt_sql_checkpoint(rows->run) != 0) {
        return rows->run->failed;
    }
    if (rows->room - rows->n_cells < t->n_columns) {
        size_t room = rows->room == 0 ? 16 * (size_t)t->n_columns : rows->room * 2;
        struct cell *cells = sqlite3_realloc64(rows->cells, room * sizeof *cells);
        if (cells == NULL) {
            goto nomem;
        }
        rows->cells = cells;
        rows->room = room;
    }
    struct cell *cell = rows->cells + rows->n_cells;
    for (unsigned i = 0; i < t->n_columns; i++) {
        struct vt_value v = i == t->trust ? (struct vt_value){.type = VT_VALUE_TEXT,
                                                              .text = vt_trust_name(row->trust)}
                                          : vt_cell_value(&t->columns[i], row);
        if (!keep_cell(rows, &t->columns[i], &v, &cell[i])) {
            goto nomem;
        }
    }
    rows->n_cells += t->n_columns;
    return 0;
nomem:
    vt_fail(&err, VT_E_LIMIT, "live.%s has more rows than fit into %" PRIu64 " MiB", t->noun->name,
            rows->run->max_memory >> 20);
    fail(rows->run, VT_E_LIMIT, &err);
    return VT_E_LIMIT;
}

static void free_one(struct vt_live_rows *rows)
{
    while (rows->texts != NULL) {
        struct texts *next = rows->texts->next;
        sqlite3_free(rows->texts);
        rows->texts = next;
    }
    sqlite3_free(rows->cells);
    sqlite3_free(rows->text);
    sqlite3_free(rows);
}

void vt_live_free(struct vt_live_rows *rows)
{
    while (rows != NULL) {
        struct vt_live_rows *next = rows->next;
        free_one(rows);
        rows = next;
    }
}

static bool process_exists(struct vt_kernel *kernel, int32_t pid)
{
    struct vt_task_list list;
    if (vt_linux_tasks(kernel, &list, NULL) != 0) {
        return true;
    }
    size_t i = 0;
    while (i < list.n && list.tasks[i].pid != pid) {
        i++;
    }
    bool found = i < list.n;
    vt_task_list_fini(&list);
    return found;
}

static int walk(const struct live_table *t, const struct vt_noun_query *query,
                struct vt_live_rows *rows)
{
    struct vt_sql_run *run = rows->run;
    struct vt_target *target = t->sql->target;
    struct vt_noun_result result;
    struct vt_error err;
    bool opened = target->kernel != NULL;
    if (vt_sql_checkpoint(run) != 0) {
        return SQLITE_ERROR; /* a statement may ask for walk after walk */
    }
    int rc = vt_target_kernel(target, &err);
    if (rc == 0) {
        if (opened && run->live == NULL) {
            vt_kernel_refresh(target->kernel); /* all walks of a statement share what is cached */
        }
        rc = vt_noun_walk(target->kernel, t->noun, query, keep_row, rows, &result, &err);
    }
    if (rc == VT_E_NOT_FOUND && query->pid != 0 && run->failed == 0 && target->kernel != NULL &&
        !process_exists(target->kernel, query->pid)) {
        return SQLITE_OK; /* no process: no rows */
    }
    if (rc != 0) {
        return run->failed != 0 ? SQLITE_ERROR : fail(run, rc, &err);
    }
    if (result.torn && run->warning[0] == '\0') {
        snprintf(run->warning, sizeof run->warning, "live.%s may be incomplete: %s", t->noun->name,
                 result.why);
    }
    return SQLITE_OK;
}

/* That many walks of one process each, then one of all. */
#define PID_WALKS_MAX 8

/* The rows for a query: kept ones, or of a new walk. With `filtered`, rows of other processes may
 * be among them. */
static int find_rows(const struct live_table *t, struct vt_noun_query query, bool filtered,
                     const struct vt_live_rows **out)
{
    struct vt_sql_run *run = t->sql->run;
    unsigned of_pids = 0;
    for (const struct vt_live_rows *r = run->live; r != NULL; r = r->next) {
        bool same_text = query.text == NULL || r->text == NULL ? query.text == r->text
                                                               : strcmp(query.text, r->text) == 0;
        if (r->noun != t->noun || !same_text) {
            continue;
        }
        if (r->pid == query.pid || (filtered && r->pid == 0)) {
            *out = r;
            return SQLITE_OK;
        }
        of_pids += r->pid != 0;
    }
    if (filtered && of_pids >= PID_WALKS_MAX) {
        query.pid = 0;
    }
    struct vt_live_rows *rows = sqlite3_malloc64(sizeof *rows);
    if (rows == NULL) {
        return SQLITE_NOMEM;
    }
    *rows = (struct vt_live_rows){
        .noun = t->noun, .pid = query.pid, .run = run, .table = t, .n_columns = t->n_columns};
    if (query.text != NULL) {
        rows->text = sqlite3_mprintf("%s", query.text);
    }
    int rc = query.text != NULL && rows->text == NULL ? SQLITE_NOMEM : walk(t, &query, rows);
    if (rc != SQLITE_OK) {
        free_one(rows);
        return rc;
    }
    rows->next = run->live;
    run->live = rows;
    *out = rows;
    return SQLITE_OK;
}

/* ---------------------------------------------------------------- cursors */

static int live_open(sqlite3_vtab *base, sqlite3_vtab_cursor **out)
{
    (void)base;
    struct live_cursor *c = sqlite3_malloc64(sizeof *c);
    if (c == NULL) {
        return SQLITE_NOMEM;
    }
    *c = (struct live_cursor){.filter = -1};
    *out = &c->base;
    return SQLITE_OK;
}

static int live_close(sqlite3_vtab_cursor *base)
{
    struct live_cursor *c = (struct live_cursor *)base;
    sqlite3_free(c->query_text);
    sqlite3_free(c);
    return SQLITE_OK;
}

static bool is_wanted(const struct live_cursor *c)
{
    if (c->filter < 0) {
        return true;
    }
    const struct cell *cell = &c->rows->cells[c->at + (size_t)c->filter];
    return cell->type == SQLITE_FLOAT ||
           (cell->type == SQLITE_INTEGER && cell->integer == c->wanted);
}

static void skip_unwanted(struct live_cursor *c)
{
    while (c->at < c->end && !is_wanted(c)) {
        c->at += c->rows->n_columns;
    }
}

static int live_next(sqlite3_vtab_cursor *base)
{
    struct live_cursor *c = (struct live_cursor *)base;
    c->at += c->rows->n_columns;
    skip_unwanted(c);
    return SQLITE_OK;
}

/* An argument as a whole number; false when it is none. */
static bool whole(sqlite3_value *value, int64_t *out)
{
    if (sqlite3_value_numeric_type(value) != SQLITE_INTEGER) {
        return false;
    }
    *out = sqlite3_value_int64(value);
    return true;
}

static int live_filter(sqlite3_vtab_cursor *base, int plan, const char *unused, int argc,
                       sqlite3_value **argv)
{
    struct live_cursor *c = (struct live_cursor *)base;
    const struct live_table *t = (const struct live_table *)base->pVtab;
    struct vt_noun_query query = {0};
    int next = 0;
    int64_t number;
    (void)unused;
    (void)argc;
    c->rows = NULL;
    c->at = c->end = 0;
    c->filter = -1;
    c->query_pid = 0;
    sqlite3_free(c->query_text);
    c->query_text = NULL;
    for (int i = 0; i < argc; i++) {
        if (sqlite3_value_type(argv[i]) == SQLITE_NULL) {
            return SQLITE_OK; /* nothing equals NULL */
        }
    }
    if ((plan & PLAN_QUERY_PID) != 0) {
        if (!whole(argv[next++], &number) || number < 1 || number > INT32_MAX) {
            struct vt_error err;
            vt_fail(&err, VT_E_INVAL, "live.%s: query_pid is a number from 1 to %d", t->noun->name,
                    INT32_MAX);
            return fail(t->sql->run, VT_E_INVAL, &err);
        }
        query.pid = c->query_pid = (int32_t)number;
    }
    if ((plan & PLAN_QUERY_TEXT) != 0) {
        const char *text = (const char *)sqlite3_value_text(argv[next++]);
        c->query_text = text != NULL ? sqlite3_mprintf("%s", text) : NULL;
        if (c->query_text == NULL) {
            return SQLITE_NOMEM;
        }
        query.text = c->query_text;
    } else if (t->noun->text_needed) {
        struct vt_error err;
        vt_fail(&err, VT_E_INVAL, "live.%s needs to know what: live.%s('…')", t->noun->name,
                t->noun->name);
        return fail(t->sql->run, VT_E_INVAL, &err);
    }
    bool filtered = false;
    if ((plan & PLAN_PID) != 0 && whole(argv[next++], &number)) {
        c->filter = t->pid;
        c->wanted = number;
        if (query.pid == 0 && number >= 1 && number <= INT32_MAX) {
            query.pid = (int32_t)number;
            filtered = !t->noun->kernel_by_default;
        }
    } else if ((plan & PLAN_FILTER) != 0 && whole(argv[next], &c->wanted)) {
        c->filter = plan >> PLAN_COLUMN_SHIFT;
    }
    int rc = find_rows(t, query, filtered, &c->rows);
    if (rc == SQLITE_OK) {
        c->end = c->rows->n_cells;
        skip_unwanted(c);
    }
    return rc;
}

static int live_eof(sqlite3_vtab_cursor *base)
{
    const struct live_cursor *c = (const struct live_cursor *)base;
    return c->at >= c->end;
}

static int live_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    const struct live_cursor *c = (const struct live_cursor *)base;
    const struct live_table *t = (const struct live_table *)base->pVtab;
    if (column == t->hidden[HIDDEN_PID]) {
        if (c->query_pid != 0) {
            sqlite3_result_int(context, c->query_pid);
        }
        return SQLITE_OK;
    }
    if (column == t->hidden[HIDDEN_TEXT]) {
        sqlite3_result_text(context, c->query_text, -1, SQLITE_TRANSIENT);
        return SQLITE_OK;
    }
    const struct cell *cell = &c->rows->cells[c->at + (size_t)column];
    switch (cell->type) {
    case SQLITE_INTEGER:
        sqlite3_result_int64(context, cell->integer);
        break;
    case SQLITE_FLOAT:
        sqlite3_result_double(context, cell->real);
        break;
    case SQLITE_TEXT: /* kept until the statement was reset */
        sqlite3_result_text64(context, cell->text, cell->bytes, SQLITE_STATIC, SQLITE_UTF8);
        break;
    default:
        break;
    }
    return SQLITE_OK;
}

static int live_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid)
{
    const struct live_cursor *c = (const struct live_cursor *)base;
    *rowid = (sqlite3_int64)(c->at / c->rows->n_columns);
    return SQLITE_OK;
}

/* ---------------------------------------------------------------- the schema */

static const sqlite3_module module = {
    .xCreate = live_connect,
    .xConnect = live_connect,
    .xBestIndex = live_plan,
    .xDisconnect = live_disconnect,
    .xDestroy = live_disconnect,
    .xOpen = live_open,
    .xClose = live_close,
    .xFilter = live_filter,
    .xNext = live_next,
    .xEof = live_eof,
    .xColumn = live_column,
    .xRowid = live_rowid,
};

int vt_live_attach(struct vt_sql *sql, struct vt_error *err)
{
    /* The URI makes it writable, which ':memory:' would not be beside a file opened for reading. */
    char text[160] = "ATTACH 'file:live?mode=memory' AS live; BEGIN";
    int rc = sqlite3_create_module(sql->db, "vitrine", &module, sql);
    for (const struct vt_noun *const *n = vt_nouns; rc == SQLITE_OK && *n != NULL; n++) {
        rc = sqlite3_exec(sql->db, text, NULL, NULL, NULL);
        snprintf(text, sizeof text, "CREATE VIRTUAL TABLE live.\"%s\" USING vitrine(%s)",
                 (*n)->name, (*n)->name);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_exec(sql->db, text, NULL, NULL, NULL);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_exec(sql->db, "COMMIT", NULL, NULL, NULL);
    }
    return rc == SQLITE_OK ? 0 : vt_sql_explain(sql, rc, "", err);
}
