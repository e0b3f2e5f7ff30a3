/* semantic/past.c - VMs that have ended: which of them left a database, and how it is read. See
 * past.h and vitrine/semantic.h.
 *
 * An end is noted in the database only where a sampler lived to see it. Else the rows of the last
 * sample are still present ones, and nothing says when the VM ended, only that it did.
 */
#include "semantic/past.h"

#include "base/paths.h"
#include "base/text.h"
#include "machine/vmdir.h"
#include "semantic/schema.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PAST_MAX 4096u

/* ---------------------------------------------------------------- one */

/* The file may hold anything. */
static double seconds(const struct vt_sql_value *value)
{
    double s = value->type == VT_SQL_REAL      ? value->real
               : value->type == VT_SQL_INTEGER ? (double)value->integer
                                               : 0;
    return s > 0 && s < 1e11 ? s : 0;
}

static int on_sample(const struct vt_sql_value *values, unsigned n, void *arg)
{
    struct vt_past *past = arg;
    (void)n;
    bool noted = values[1].integer != 0;
    past->last_s = seconds(&values[noted ? 2 : 0]);
    past->ended_s = noted ? seconds(&values[0]) : 0;
    return 0;
}

int vt_past_read(struct vt_sql *sql, struct vt_past *past, struct vt_error *err)
{
    struct vt_past read = {.last_s = (double)NAN};
    int rc = vt_sql_query(sql,
                          "SELECT time, boot IS NULL, (SELECT max(last_seen) FROM boots)"
                          " FROM sample LIMIT 1",
                          NULL, 0, NULL, NULL, on_sample, &read, err);
    if (rc != 0) {
        return rc == VT_E_INVAL ? vt_fail(err, VT_E_CORRUPT, "that is no database of a VM") : rc;
    }
    if (isnan(read.last_s)) {
        return vt_fail(err, VT_E_NOT_FOUND, "no sample was taken");
    }
    past->last_s = read.last_s;
    past->ended_s = read.ended_s;
    return 0;
}

int vt_past_find(const char *name, struct vt_past *past, struct vt_error *err)
{
    char path[VT_VM_PATH_MAX];
    struct vt_past found = {0};
    struct vt_sql *sql = NULL;
    bool live = false;
    int rc = vt_db_path(name, path, err);
    if (rc != 0) {
        return rc;
    }
    rc = vt_vmdir_is_live(name, &live, err);
    if (rc != 0 && rc != VT_E_NOT_FOUND) {
        return rc;
    }
    if (live) {
        return vt_fail(err, VT_E_NOT_FOUND, "%s has not ended", name);
    }
    rc = vt_sql_open(path, NULL, &sql, err);
    rc = rc != 0 ? rc : vt_past_read(sql, &found, err);
    vt_sql_close(sql);
    if (rc == 0) {
        snprintf(found.name, sizeof found.name, "%s", name);
        *past = found;
    }
    return rc;
}

int vt_database_target(const char *name, const char *operation, const char *detail,
                       struct vt_target *target, struct vt_error *err)
{
    struct vt_error why, unreadable;
    struct vt_past past;
    int rc = vt_target_open(name, operation, detail, target, &why);
    if (rc == VT_E_NOT_FOUND && !vt_target_is_file(name)) {
        int found = vt_past_find(name, &past, &unreadable);
        if (found == 0) {
            *target = (struct vt_target){.name = name, .ended = true};
            return 0;
        }
        if (found != VT_E_NOT_FOUND) {
            why = unreadable;
            rc = found;
        }
    }
    if (rc != 0 && err != NULL) {
        *err = why;
    }
    return rc;
}

/* ---------------------------------------------------------------- all */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct vt_past *)a)->name, ((const struct vt_past *)b)->name);
}

/* "web.db" to "web". */
static bool name_of(const char *file, char name[VT_VM_NAME_MAX + 1])
{
    size_t n = strlen(file);
    if (n <= 3 || n - 3 > VT_VM_NAME_MAX || strcmp(file + n - 3, ".db") != 0) {
        return false;
    }
    snprintf(name, VT_VM_NAME_MAX + 1, "%.*s", (int)(n - 3), file);
    return vt_name_is_valid(name);
}

int vt_past_list(struct vt_past **list, size_t *n, struct vt_error *err)
{
    char dir[PATH_MAX], name[VT_VM_NAME_MAX + 1];
    int rc = vt_path_data(dir, err);
    if (rc != 0) {
        return rc;
    }
    struct vt_past *found = calloc(PAST_MAX, sizeof *found);
    if (found == NULL) {
        return vt_fail(err, VT_E_NOMEM, "%s: out of memory", dir);
    }
    size_t count = 0;
    DIR *d = opendir(dir);
    if (d == NULL && errno != ENOENT) {
        rc = vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", dir);
    }
    for (struct dirent *e; d != NULL && count < PAST_MAX && (e = readdir(d)) != NULL;) {
        if (name_of(e->d_name, name) && vt_past_find(name, &found[count], NULL) == 0) {
            count++;
        }
    }
    if (d != NULL) {
        closedir(d);
    }
    if (rc != 0) {
        free(found);
        return rc;
    }
    qsort(found, count, sizeof *found, by_name);
    *list = found;
    *n = count;
    return 0;
}

/* ---------------------------------------------------------------- its last sample */

static int first_integer(sqlite3 *db, const char *text, int *value)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db, text, -1, &stmt, NULL);
    if (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
        *value = sqlite3_column_int(stmt, 0);
    }
    sqlite3_finalize(stmt);
    return rc;
}

/* The view of the database with other rows: its columns, in its order. */
static int make_view(sqlite3 *db, const char *name)
{
    sqlite3_stmt *stmt = NULL;
    sqlite3_str *text = sqlite3_str_new(db);
    unsigned n = 0;
    int rc =
        sqlite3_prepare_v2(db, "SELECT name FROM pragma_table_info(?1, 'main')", -1, &stmt, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
    }
    sqlite3_str_appendf(text, "CREATE TEMP VIEW \"%w\" AS SELECT ", name);
    while (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
        sqlite3_str_appendf(text, "%s\"%w\"", n++ > 0 ? ", " : "", sqlite3_column_text(stmt, 0));
    }
    sqlite3_finalize(stmt);
    sqlite3_str_appendf(text,
                        " FROM main.\"%w_history\" WHERE last_seen ="
                        " (SELECT max(last_seen) FROM main.boots)",
                        name);
    char *view = sqlite3_str_finish(text);
    if (rc == SQLITE_OK && n > 0) {
        rc = view != NULL ? sqlite3_exec(db, view, NULL, NULL, NULL) : SQLITE_NOMEM;
    }
    sqlite3_free(view);
    return rc;
}

int vt_past_views(sqlite3 *db)
{
    int noted = 0;
    int rc = sqlite3_exec(db, "PRAGMA temp_store = MEMORY", NULL, NULL, NULL);
    rc = rc != SQLITE_OK ? rc : first_integer(db, "SELECT boot IS NULL FROM sample", &noted);
    for (unsigned i = 0; rc == SQLITE_OK && noted != 0 && i < VT_DB_TABLES; i++) {
        rc = make_view(db, vt_db_tables[i].name);
    }
    if (rc == SQLITE_OK && noted != 0) {
        rc = sqlite3_exec(db,
                          "CREATE TEMP VIEW memory_pages AS SELECT r.id AS region, r.pid AS pid,"
                          " json_extract(j.value, '$[0]') AS gva,"
                          " json_extract(j.value, '$[1]') AS gpa,"
                          " json_extract(j.value, '$[2]') AS bytes"
                          " FROM temp.memory_regions AS r, json_each(r.runs) AS j"
                          /* which gives the columns their types */
                          " UNION ALL SELECT region, pid, gva, gpa, bytes FROM main.no_pages"
                          " WHERE 0",
                          NULL, NULL, NULL);
    }
    return rc;
}
