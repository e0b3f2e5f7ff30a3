/* tests/unit/semantic/test_sql.c - what a statement gives: types, names, limits, errors in words.
 */
#include "tests/unit/harness.h"

#include "base/json_writer.h"
#include "semantic/sql_value.h"

#include <math.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>

#define CELLS 64

struct result {
    unsigned columns_called, n, rows;
    char names[CELLS][64];
    enum vt_sql_type types[CELLS]; /* of all rows' values, one behind the other */
    char texts[CELLS][64];
    unsigned cells;
    int end_at, code; /* rows; what to return then */
    struct vt_sql *nested;
};

static int on_columns(const char *const *names, unsigned n, void *arg)
{
    struct result *r = arg;
    r->columns_called++;
    r->n = n;
    for (unsigned i = 0; i < n && i < CELLS; i++) {
        snprintf(r->names[i], sizeof r->names[i], "%s", names[i]);
    }
    return 0;
}

static int on_row(const struct vt_sql_value *values, unsigned n, void *arg)
{
    struct result *r = arg;
    for (unsigned i = 0; i < n && r->cells < CELLS; i++) {
        char *text = vt_sql_value_text(&values[i]);
        r->types[r->cells] = values[i].type;
        snprintf(r->texts[r->cells], sizeof r->texts[0], "%s", text != NULL ? text : "NULL");
        r->cells++;
        free(text);
    }
    r->rows++;
    if (r->nested != NULL) {
        struct result inner = {0};
        assert_int_equal(vt_sql_query(r->nested, "SELECT count(*) FROM processes", NULL, 0, NULL,
                                      on_columns, on_row, &inner, NULL),
                         0);
        assert_string_equal(inner.texts[0], "2");
    }
    return r->end_at > 0 && r->rows == (unsigned)r->end_at ? r->code : 0;
}

static struct result ask(struct vt_sql *sql, const char *text)
{
    struct vt_error err = {0};
    struct result r = {0};
    int rc = vt_sql_query(sql, text, NULL, 0, NULL, on_columns, on_row, &r, &err);
    if (rc != 0) {
        fail_msg("%s: %s", text, err.message);
    }
    assert_int_equal(r.columns_called, 1);
    return r;
}

static void refuse(struct vt_sql *sql, const char *text, int code, const char *words)
{
    struct vt_error err = {0};
    struct result r = {0};
    assert_int_equal(vt_sql_query(sql, text, NULL, 0, NULL, on_columns, on_row, &r, &err), code);
    if (strstr(err.message, words) == NULL) {
        fail_msg("%s: '%s' does not say '%s'", text, err.message, words);
    }
}

static sqlite3 *make(const char *dir, char path[256])
{
    sqlite3 *db;
    snprintf(path, 256, "%s/vm.db", dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(
            db,
            "PRAGMA journal_mode = wal;"
            "CREATE TABLE h(id INTEGER PRIMARY KEY, pid INTEGER, name TEXT,"
            " task ADDRESS, rss_bytes INTEGER, started REAL);"
            "CREATE VIEW processes AS SELECT * FROM h; CREATE TABLE modules(name);"
            "CREATE VIEW pages AS SELECT h.pid, json_extract(j.value, '$[0]') AS gva FROM h,"
            " json_each('[[1],[2]]') AS j;"
            "INSERT INTO h VALUES (1, 1, 'init', 0xffff888000000000, 4096, 0.5),"
            " (2, 42, 'ssh' || char(27) || 'd', 0x10, NULL, 12.25);",
            NULL, NULL, NULL),
        SQLITE_OK);
    return db;
}

static struct vt_sql *open_sql(const char *path)
{
    struct vt_sql *sql;
    struct vt_error err = {0};
    if (vt_sql_open(path, NULL, &sql, &err) != 0) {
        fail_msg("%s", err.message);
    }
    return sql;
}

/* An address is one through views, subqueries and compounds, in every row; not in expressions. */
static void addresses_by_declared_type(void **state)
{
    static const char *const addresses[] = {
        "SELECT task FROM h",
        "SELECT task FROM processes",
        "SELECT t FROM (SELECT task AS t FROM processes)",
        "WITH x AS (SELECT task FROM processes) SELECT a.task FROM x AS a JOIN x AS b USING (task)",
        "SELECT task FROM processes UNION ALL SELECT task FROM h",
        "SELECT (SELECT task FROM h WHERE id = 1)",
    };
    char path[256];
    sqlite3 *db = make(*state, path);
    struct vt_sql *sql = open_sql(path);
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        struct result r = ask(sql, addresses[i]);
        for (unsigned k = 0; k < r.cells; k++) {
            assert_int_equal(r.types[k], VT_SQL_ADDRESS);
        }
        assert_string_equal(r.texts[0], "0xffff888000000000");
    }
    struct result r = ask(sql, "SELECT task + 0, address(task), address('x'), address(NULL), "
                               "pid, name, rss_bytes, started, x'00ff', 0.1 + 0.2 FROM processes");
    const enum vt_sql_type types[] = {VT_SQL_INTEGER, VT_SQL_TEXT, VT_SQL_TEXT,    VT_SQL_NULL,
                                      VT_SQL_INTEGER, VT_SQL_TEXT, VT_SQL_INTEGER, VT_SQL_REAL,
                                      VT_SQL_BLOB,    VT_SQL_REAL};
    const char *const texts[] = {
        "-131391639519232",   "0xffff888000000000", "x", "NULL", "1", "init", "4096", "0.5", "00ff",
        "0.30000000000000004"};
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(r.types[i], types[i]);
        assert_string_equal(r.texts[i], texts[i]);
    }
    assert_int_equal(r.types[16], VT_SQL_NULL); /* rss_bytes of the second row */
    assert_string_equal(r.texts[15], "ssh\\x1bd");
    r = ask(sql, "SELECT pid FROM processes WHERE task = 0xffff888000000000");
    assert_int_equal(r.rows, 1);
    vt_sql_close(sql);
    sqlite3_close(db);
}

static void columns_are_told_without_rows(void **state)
{
    char path[256];
    sqlite3 *db = make(*state, path);
    struct vt_sql *sql = open_sql(path);
    struct result r = ask(sql, "SELECT pid, name AS pid, count(*) FROM h WHERE 0 GROUP BY 1");
    assert_int_equal(r.n, 3);
    assert_int_equal(r.rows, 0);
    assert_string_equal(r.names[0], "pid");
    assert_string_equal(r.names[1], "pid");
    assert_string_equal(r.names[2], "count(*)");
    const char *const names[] = {"pid", "pid", "pid_2", "pid", ""};
    char **members = vt_sql_members(names, 5);
    const char *const want[] = {"pid", "pid_2", "pid_2_2", "pid_3", ""};
    for (unsigned i = 0; i < 5; i++) {
        assert_string_equal(members[i], want[i]);
    }
    free(members);
    vt_sql_close(sql);
    sqlite3_close(db);
}

static void parameters(void **state)
{
    char path[256];
    sqlite3 *db = make(*state, path);
    struct vt_sql *sql = open_sql(path);
    const struct vt_sql_value params[] = {
        {.type = VT_SQL_TEXT, .text = "in%' OR 1", .bytes = 3},
        {.type = VT_SQL_INTEGER, .integer = 42},
        {.type = VT_SQL_ADDRESS, .integer = 0x10},
        {.type = VT_SQL_NULL},
        {.type = VT_SQL_REAL, .real = 12.25},
        {.type = VT_SQL_BLOB, .text = "\0\1", .bytes = 2},
    };
    static const char text[] = "SELECT pid FROM h WHERE name LIKE ?1 OR pid = ?2 AND task = ?3 "
                               "AND ?4 IS NULL AND started = ?5 AND ?6 = x'0001'";
    struct result r = {0};
    assert_int_equal(vt_sql_query(sql, text, params, 6, NULL, on_columns, on_row, &r, NULL), 0);
    assert_int_equal(r.rows, 2);
    struct vt_error err = {0};
    assert_int_equal(vt_sql_query(sql, text, params, 5, NULL, NULL, on_row, &r, &err), VT_E_INVAL);
    assert_string_equal(err.message, "the statement has 6 parameters, 5 were given");
    assert_int_equal(vt_sql_query(sql, "SELECT 1", params, 1, NULL, NULL, on_row, &r, NULL),
                     VT_E_INVAL);
    vt_sql_close(sql);
    sqlite3_close(db);
}

/* Rows and bytes so far were delivered; a callback's word is the last; queries nest. */
static void ends(void **state)
{
    char path[256];
    sqlite3 *db = make(*state, path);
    struct vt_sql *sql = open_sql(path);
    struct vt_error err = {0};
    struct vt_sql_limits limits = {.max_rows = 1};
    struct result r = {0};
    static const char all[] = "SELECT name FROM h ORDER BY id";
    assert_int_equal(vt_sql_query(sql, all, NULL, 0, &limits, NULL, on_row, &r, &err), VT_E_LIMIT);
    assert_int_equal(r.rows, 1);
    assert_string_equal(err.message, "there are more than 1 rows");
    limits = (struct vt_sql_limits){.max_rows = 2, .max_bytes = 7};
    assert_int_equal(vt_sql_query(sql, all, NULL, 0, &limits, NULL, on_row, &r, NULL), VT_E_LIMIT);
    assert_int_equal(r.rows, 2);
    limits.max_bytes = 9;
    assert_int_equal(vt_sql_query(sql, all, NULL, 0, &limits, NULL, on_row, &r, NULL), 0);
    r = (struct result){.end_at = 1, .code = 77};
    assert_int_equal(vt_sql_query(sql, all, NULL, 0, NULL, NULL, on_row, &r, NULL), 77);
    r = (struct result){.nested = sql};
    assert_int_equal(vt_sql_query(sql, all, NULL, 0, NULL, NULL, on_row, &r, NULL), 0);
    assert_int_equal(r.rows, 2);
    volatile int stop = 1;
    limits = (struct vt_sql_limits){.stop = &stop};
    assert_int_equal(
        vt_sql_query(sql,
                     "WITH RECURSIVE c(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM c) "
                     "SELECT count(*) FROM c",
                     NULL, 0, &limits, NULL, on_row, &r, &err),
        VT_E_INTERRUPTED);
    assert_int_equal(ask(sql, all).rows, 2); /* and goes on */
    vt_sql_close(sql);
    sqlite3_close(db);
}

static void says_what_was_meant(void **state)
{
    char path[256];
    sqlite3 *db = make(*state, path);
    struct vt_sql *sql = open_sql(path);
    refuse(sql, "SELECT * FROM procesess", VT_E_INVAL,
           "no such table: procesess; there is processes");
    refuse(sql, "SELECT * FROM main.process", VT_E_INVAL, "there is processes");
    refuse(sql, "SELECT p.nxme FROM processes p", VT_E_INVAL, "there is name");
    refuse(sql, "SELECT lngth(name) FROM h", VT_E_INVAL, "there is length");
    refuse(sql, "SELECT * FROM h WHERE name = \"sshd\"", VT_E_INVAL, "single quotes: 'sshd'");
    refuse(sql, "SELECT pid FORM h", VT_E_INVAL, "at character 17: h");
    refuse(sql, " ; SELECT\tpid FORM h \x1b[2J", VT_E_INVAL, "at character 20: h \\x1b[2J");
    refuse(sql, "SELECT qqqqqqqq FROM h", VT_E_INVAL, "no such column: qqqqqqqq at character 8");
    refuse(sql, "DELETE FROM h", VT_E_PERM, "a statement may only read");
    refuse(sql, "SELECT load_extension('x')", VT_E_PERM, "load_extension()");
    vt_sql_close(sql);
    sqlite3_close(db);
}

/* Hundreds of statements, more than are kept; a changed schema under kept ones. */
static void kept_statements(void **state)
{
    char path[256], text[64];
    sqlite3 *db = make(*state, path);
    struct vt_sql *sql = open_sql(path);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 200; i++) {
            snprintf(text, sizeof text, "SELECT pid + %d FROM h WHERE id = 1", i);
            struct result r = ask(sql, text);
            assert_int_equal(atoi(r.texts[0]), 1 + i);
        }
    }
    struct result r = ask(sql, "SELECT * FROM processes");
    assert_int_equal(r.n, 6);
    assert_int_equal(
        sqlite3_exec(db, "ALTER TABLE h ADD COLUMN extra ADDRESS DEFAULT 16", NULL, NULL, NULL),
        SQLITE_OK);
    r = ask(sql, "SELECT * FROM processes");
    assert_int_equal(r.n, 7);
    assert_string_equal(r.names[6], "extra");
    assert_int_equal(r.types[6], VT_SQL_ADDRESS);
    vt_sql_close(sql);
    sqlite3_close(db);
}

static void version_tells_commits(void **state)
{
    char path[256];
    uint64_t a, b, c;
    sqlite3 *db = make(*state, path);
    struct vt_sql *sql = open_sql(path);
    assert_int_equal(vt_sql_version(sql, &a, NULL), 0);
    ask(sql, "SELECT * FROM h");
    assert_int_equal(vt_sql_version(sql, &b, NULL), 0);
    assert_true(a == b);
    assert_int_equal(sqlite3_exec(db, "UPDATE h SET pid = 43 WHERE id = 2", NULL, NULL, NULL), 0);
    assert_int_equal(vt_sql_version(sql, &c, NULL), 0);
    assert_true(c != b);
    assert_string_equal(ask(sql, "SELECT pid FROM h WHERE id = 2").texts[0], "43");
    vt_sql_close(sql);
    sqlite3_close(db);
}

static void what_a_statement_reads(void **state)
{
    char path[256];
    struct vt_target nothing = {.name = "nothing"};
    bool stored, live;
    struct vt_sql *sql;
    sqlite3 *db = make(*state, path);
    assert_int_equal(vt_sql_open(path, &nothing, &sql, NULL), 0);
    static const struct {
        const char *text;
        bool stored, live;
    } cases[] = {
        {"SELECT 1", false, false},
        {"SELECT value FROM json_each('[]')", false, false},
        {"SELECT count(*) FROM live.ps", false, true},
        {"SELECT count(*) FROM ps", false, true},
        {"SELECT count(*) FROM json_each('[]')", false, false},
        {"SELECT count(*) FROM processes", true, false},
        {"SELECT count(*) FROM modules", true, false},
        {"SELECT count(*) FROM live.modules", false, true},
        {"SELECT 1 FROM processes", true, false},
        {"SELECT 1 FROM processes JOIN ps USING (pid)", true, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int again = 0; again < 2; again++) {
            assert_int_equal(vt_sql_reads(sql, cases[i].text, &stored, &live, NULL), 0);
            if (stored != cases[i].stored || live != cases[i].live) {
                fail_msg("%s: stored %d, live %d", cases[i].text, stored, live);
            }
        }
    }
    assert_int_equal(vt_sql_reads(sql, "SELECT 1 FROM nowhere", &stored, &live, NULL), VT_E_INVAL);
    vt_sql_close(sql);
    sqlite3_close(db);
}

/* ---------------------------------------------------------------- files */

static void no_database(void **state)
{
    char path[256];
    struct vt_sql *sql = NULL;
    struct vt_error err = {0};
    snprintf(path, sizeof path, "%s/none.db", (const char *)*state);
    assert_int_equal(vt_sql_open(path, NULL, &sql, &err), VT_E_NOT_FOUND);
    assert_null(sql);
    assert_int_equal(access(path, F_OK), -1);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    for (int i = 0; i < 4096; i++) {
        fputc('x', f);
    }
    fclose(f);
    assert_int_equal(vt_sql_open(path, NULL, &sql, &err), VT_E_CORRUPT);
    assert_non_null(strstr(err.message, path));
    sql = open_sql(NULL);
    refuse(sql, "SELECT * FROM processes", VT_E_INVAL, "the VM was not sampled");
    uint64_t version;
    assert_int_equal(vt_sql_version(sql, &version, NULL), 0);
    vt_sql_close(sql);
}

/* A directory that cannot be written: the log's index cannot be made, and nobody writes. */
static void read_only_directory(void **state)
{
    char path[256], odd[256];
    sqlite3 *db = make(*state, path);
    sqlite3_close(db);
    snprintf(odd, sizeof odd, "%s/a?b#c%%41 .db", (const char *)*state);
    assert_int_equal(rename(path, odd), 0);
    assert_int_equal(chmod(odd, 0444), 0);
    assert_int_equal(chmod(*state, 0555), 0);
    bool as_root = geteuid() == 0;
    assert_true(!as_root || seteuid(65534) == 0);
    struct vt_sql *sql = NULL;
    struct vt_error err = {0};
    int rc = vt_sql_open(odd, NULL, &sql, &err);
    unsigned rows = rc == 0 ? ask(sql, "SELECT * FROM processes").rows : 0;
    vt_sql_close(sql);
    assert_true(!as_root || seteuid(0) == 0);
    assert_int_equal(chmod(*state, 0755), 0);
    assert_string_equal(err.message, "");
    assert_int_equal(rc, 0);
    assert_int_equal(rows, 2);
}

/* One in this process's memory, shared by its name; its writer may go. */
static void in_memory(void **state)
{
    sqlite3 *db;
    (void)state;
    static const char name[] = "file:/vitrine-test?vfs=memdb";
    assert_int_equal(sqlite3_open_v2(name, &db,
                                     SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI,
                                     NULL),
                     SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "CREATE TABLE h(pid); INSERT INTO h VALUES (1)", NULL, NULL, NULL), 0);
    struct vt_sql *sql = open_sql(name);
    uint64_t a, b;
    assert_int_equal(vt_sql_version(sql, &a, NULL), 0);
    assert_int_equal(sqlite3_exec(db, "INSERT INTO h VALUES (2)", NULL, NULL, NULL), 0);
    assert_int_equal(vt_sql_version(sql, &b, NULL), 0);
    assert_true(a != b);
    assert_int_equal(ask(sql, "SELECT * FROM h").rows, 2);
    refuse(sql, "DELETE FROM h", VT_E_PERM, "only read");
    sqlite3_close(db);
    assert_int_equal(ask(sql, "SELECT * FROM h").rows, 2);
    vt_sql_close(sql);
}

/* ---------------------------------------------------------------- values */

static void values_as_json(void **state)
{
    const struct vt_sql_value values[] = {
        {.type = VT_SQL_NULL},
        {.type = VT_SQL_INTEGER, .integer = INT64_MIN},
        {.type = VT_SQL_ADDRESS, .integer = -1},
        {.type = VT_SQL_REAL, .real = 1795252599.123456},
        {.type = VT_SQL_REAL, .real = 0.1},
        {.type = VT_SQL_REAL, .real = (double)INFINITY},
        {.type = VT_SQL_TEXT, .text = "a\0\xff\x1b\"", .bytes = 5},
        {.type = VT_SQL_BLOB, .text = "\x00\xab", .bytes = 2},
    };
    char *json = NULL;
    size_t size;
    struct vt_json_writer w;
    FILE *out = open_memstream(&json, &size);
    (void)state;
    vt_json_init(&w, out, false);
    vt_json_array(&w);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        vt_json_sql_value(&w, &values[i]);
    }
    vt_json_array_end(&w);
    vt_json_finish(&w);
    fclose(out);
    assert_string_equal(json, "[null,-9223372036854775808,\"0xffffffffffffffff\","
                              "1795252599.123456,0.1,null,\"a\\u0000\xef\xbf\xbd\\u001b\\\"\","
                              "\"00ab\"]\n");
    free(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        vt_test_in_dir(addresses_by_declared_type),
        vt_test_in_dir(columns_are_told_without_rows),
        vt_test_in_dir(parameters),
        vt_test_in_dir(ends),
        vt_test_in_dir(says_what_was_meant),
        vt_test_in_dir(kept_statements),
        vt_test_in_dir(version_tells_commits),
        vt_test_in_dir(what_a_statement_reads),
        vt_test_in_dir(no_database),
        vt_test_in_dir(read_only_directory),
        cmocka_unit_test(in_memory),
        cmocka_unit_test(values_as_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
