/* tests/unit/semantic/fabricated.c - see fabricated.h. */
#include "tests/unit/harness.h"

#include "tests/unit/semantic/fabricated.h"

#include <math.h>
#include <string.h>

void fabricated_begin(struct vt_take *take)
{
    take->torn = false;
    take->uptime_s = take->booted_s = (double)NAN;
    for (unsigned i = 0; i < VT_DB_TABLES; i++) {
        vt_records_clear(&take->tables[i]);
        take->missing[i] = i != VT_DB_PROCESSES;
    }
}

void fabricated_empty(struct vt_take *take, enum vt_db_table_id id)
{
    take->missing[id] = false;
}

static const struct fabricated_cell *find(const struct fabricated_cell *cells, const char *column)
{
    for (; cells != NULL && cells->column != NULL; cells++) {
        if (strcmp(cells->column, column) == 0) {
            return cells;
        }
    }
    return NULL;
}

void fabricated_row(struct vt_take *take, enum vt_db_table_id id, int64_t number, bool torn,
                    const struct fabricated_cell *cells)
{
    const struct vt_db_table *table = &vt_db_tables[id];
    struct vt_records *r = &take->tables[id];
    unsigned n_identity = vt_db_cells(table, VT_DB_IDENTITY);
    take->missing[id] = false;
    vt_record_begin(r, torn);
    for (unsigned i = 0; i < table->n_columns; i++) {
        const struct fabricated_cell *cell = find(cells, table->columns[i].name);
        if (i == n_identity) {
            vt_record_identity(r);
        }
        if (cell != NULL && cell->text != NULL) {
            vt_record_text(r, cell->text);
        } else if (cell != NULL) {
            vt_record_integer(r, cell->integer);
        } else if (table->columns[i].source == VT_DB_PROCESS) {
            vt_record_integer(r, find(cells, "pid") != NULL ? find(cells, "pid")->integer : number);
        } else if (strcmp(table->columns[i].name, "started_s") == 0) {
            vt_record_real(r, (double)number / 7);
        } else if (i < n_identity) {
            vt_record_integer(r, number);
        } else {
            vt_record_null(r);
        }
    }
    assert_true(vt_record_end(r));
}

void fabricated_apply(struct vt_store *store, struct vt_take *take, struct vt_events *events,
                      double now_s, struct vt_changes *changes)
{
    struct vt_error err = {0};
    char sql[512];
    vt_events_clear(events);
    assert_int_equal(vt_store_begin(store, now_s, &err), 0);
    changes->number = store->number + 1;
    changes->events = events;
    changes->appeared = changes->gone = changes->changed = changes->rows = 0;
    events->boot = store->boot = 1;
    if (vt_changes_apply(changes, store, take, &err) != 0 ||
        vt_events_write(events, store, now_s, &err) != 0) {
        fail_msg("%s", err.message);
    }
    int n = snprintf(sql, sizeof sql,
                     "INSERT OR REPLACE INTO sample VALUES(1, %llu, %.17g, 1, NULL, 0, NULL",
                     (unsigned long long)changes->number, now_s);
    for (unsigned i = 0; i < VT_DB_TABLES; i++) {
        n += snprintf(sql + n, sizeof sql - (size_t)n, ", %zu", store->tables[i].n);
    }
    snprintf(sql + n, sizeof sql - (size_t)n, ")");
    assert_int_equal(vt_db_run(store->db, store->path, sql, &err), 0);
    assert_int_equal(vt_store_commit(store, &err), 0);
    store->number = changes->number;
    store->last_s = now_s;
}

const char *fabricated_query(sqlite3 *db, const char *sql)
{
    static char value[512];
    sqlite3_stmt *stmt;
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    }
    int step = sqlite3_step(stmt);
    const char *text = step == SQLITE_ROW ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
    snprintf(value, sizeof value, "%s", text != NULL ? text : "(none)");
    sqlite3_finalize(stmt);
    return value;
}
