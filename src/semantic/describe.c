/* semantic/describe.c - what can be asked: tables and columns, and what they say. */
#include "guest/linux/rows.h"
#include "semantic/schema.h"
#include "semantic/sql.h"

#include <string.h>

static void describe_live(struct vt_sql_column *c)
{
    struct vt_column columns[VT_NOUN_COLUMNS_MAX];
    const struct vt_noun *noun = vt_noun_find(c->table);
    unsigned trust;
    if (noun == NULL) {
        return;
    }
    c->table_doc = noun->summary;
    unsigned n = vt_noun_columns(noun, columns, &trust);
    for (unsigned i = 0; i < n; i++) {
        if (strcmp(columns[i].key, c->column) == 0) {
            c->doc = columns[i].doc;
        }
    }
    if (strcmp(c->column, "query_pid") == 0) {
        c->doc = "ask for one process: WHERE query_pid = 1";
    } else if (strcmp(c->column, "query_text") == 0) {
        c->doc = noun->operands;
    }
}

/* What the database has beside the nouns' own columns; docs/database.md says more. */
static const struct {
    const char *table, *column, *doc; /* table NULL: of every one; column NULL: the table itself */
} stored[] = {
    {"processes", NULL, "Processes, kernel threads included"},
    {"threads", NULL, "Threads, the first of each process included"},
    {"memory_regions", NULL, "Memory of processes and of the kernel, and where its pages lie"},
    {"memory_pages", NULL, "Physical runs of pages behind the memory regions"},
    {"modules", NULL, "Loaded modules"},
    {"mounts", NULL, "Mounted file systems"},
    {"files", NULL, "Open files, and each process's directory, root and program"},
    {"sockets", NULL, "Sockets of every network namespace"},
    {"symbols", NULL, "Symbols of the kernel and its modules"},
    {"events", NULL, "What happened: started, exited, loaded, mounted, opened, listening, …"},
    {"boots", NULL, "The guest's boots, the last one running"},
    {"sample", NULL, "When the last sample was taken, and how it went"},
    {"memory_regions", "kind",
     "code, data, heap, stack, file, anon, vdso, kernel_text, vmalloc, …"},
    {"memory_regions", "owner", "name of the process, or kernel"},
    {"memory_regions", "runs", "where its pages lie: JSON array of [virtual, physical, bytes]"},
    {"memory_regions", "runs_cut", "how many more runs there are"},
    {"processes", "kernel", "1: the kernel's own"},
    {"processes", "regions", "number of its memory regions"},
    {"files", "fd", "number of the descriptor, or cwd, root, exe"},
    {"symbols", "module", "NULL: the kernel itself"},
    {"symbols", "size", "bytes up to the next symbol"},
    {"symbols", "type", "letter as in nm(1)"},
    {"events", "kind", "started, exited, renamed, loaded, mounted, opened, listening, …"},
    {"events", "noun", "the table its row is in"},
    {"events", "row", "id there, in the history"},
    {"events", "detail", "a line for people"},
    {NULL, "id", "number of the row, never used again"},
    {NULL, "boot", "in which boot of the guest: boots.id"},
    {NULL, "first_seen", "time of the first sample that had it, seconds since 1970"},
    {NULL, "last_seen", "time of the last sample that had it; in _history NULL while it is there"},
    {NULL, "trust", "ok: read twice and equal; torn: not in the last sample"},
    {NULL, "process", "whose: processes_history.id"},
    {NULL, "task", "its task_struct"},
    {NULL, "time", "seconds since 1970"},
};

static const char *stored_doc(const char *table, size_t length, const char *column)
{
    for (size_t i = 0; i < sizeof stored / sizeof stored[0]; i++) {
        bool same_table = stored[i].table == NULL || (strlen(stored[i].table) == length &&
                                                      strncmp(stored[i].table, table, length) == 0);
        bool same_column = column == NULL || stored[i].column == NULL
                               ? column == stored[i].column
                               : strcmp(column, stored[i].column) == 0;
        if (same_table && same_column) {
            return stored[i].doc;
        }
    }
    return NULL;
}

static const char *noun_doc(const struct vt_db_table *table, const char *name)
{
    const struct vt_noun *noun = vt_noun_find(table->noun);
    unsigned at = vt_db_column(table, name);
    const char *key = at < table->n_columns ? table->columns[at].key : NULL;
    for (unsigned i = 0; noun != NULL && key != NULL && i < noun->n_columns; i++) {
        if (strcmp(noun->columns[i].key, key) == 0) {
            return noun->columns[i].doc;
        }
    }
    return NULL;
}

static void describe_stored(struct vt_sql_column *c)
{
    static const char history[] = "_history";
    size_t length = strlen(c->table);
    if (length > strlen(history) && strcmp(c->table + length - strlen(history), history) == 0) {
        length -= strlen(history);
        c->table_doc = "The same over time";
    } else {
        c->table_doc = stored_doc(c->table, length, NULL);
    }
    c->doc = stored_doc(c->table, length, c->column);
    for (size_t i = 0; c->doc == NULL && i < VT_DB_TABLES; i++) {
        if (strlen(vt_db_tables[i].name) == length &&
            strncmp(vt_db_tables[i].name, c->table, length) == 0) {
            c->doc = noun_doc(&vt_db_tables[i], c->column);
        }
    }
}

int vt_sql_columns(struct vt_sql *sql, int (*fn)(const struct vt_sql_column *column, void *arg),
                   void *arg, struct vt_error *err)
{
    sqlite3_stmt *stmt = NULL;
    int result = 0;
    sql->inside = true;
    int rc = sqlite3_prepare_v2(sql->db,
                                "SELECT t.schema, t.name, c.name, c.type, c.hidden "
                                "FROM pragma_table_list AS t, "
                                "pragma_table_xinfo(t.name, t.schema) AS c "
                                "WHERE t.schema IN ('main', 'live') "
                                "AND t.name NOT GLOB 'sqlite_*' AND t.name <> 'no_pages' "
                                "ORDER BY t.schema = 'live', t.name, c.cid",
                                -1, &stmt, NULL);
    while (rc == SQLITE_OK && result == 0 && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        struct vt_sql_column c = {
            .live = strcmp((const char *)sqlite3_column_text(stmt, 0), "live") == 0,
            .table = (const char *)sqlite3_column_text(stmt, 1),
            .column = (const char *)sqlite3_column_text(stmt, 2),
            .type = (const char *)sqlite3_column_text(stmt, 3),
            .hidden = sqlite3_column_int(stmt, 4) == 1,
        };
        if (c.live) {
            describe_live(&c);
        } else {
            describe_stored(&c);
        }
        result = fn(&c, arg);
        rc = SQLITE_OK;
    }
    if (rc != SQLITE_OK && rc != SQLITE_DONE) {
        result = vt_sql_explain(sql, rc, "", err);
    }
    sqlite3_finalize(stmt);
    sql->inside = false;
    return result;
}
