/* semantic/describe.c - what can be asked: tables and columns, and what they say. */
#include "guest/linux/rows.h"
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
                                "WHERE t.schema IN ('main', 'live') AND t.name NOT LIKE 'sqlite_%' "
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
