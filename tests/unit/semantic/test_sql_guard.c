/* tests/unit/semantic/test_sql_guard.c - statements that must not be: each is refused, with the
 * right code, and the database is as it was.
 */
#include "tests/unit/harness.h"

#include "vitrine/semantic.h"

#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>

static void make(const char *dir, char path[256])
{
    sqlite3 *db;
    snprintf(path, 256, "%s/vm.db", dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(
            db,
            "PRAGMA journal_mode = wal;"
            "CREATE TABLE processes_history(id INTEGER PRIMARY KEY, pid INTEGER, name TEXT,"
            " task ADDRESS, last_seen REAL);"
            "CREATE VIEW processes AS SELECT * FROM processes_history WHERE last_seen IS"
            " NULL;"
            "CREATE TRIGGER t INSTEAD OF INSERT ON processes BEGIN"
            " INSERT INTO processes_history VALUES (9, 9, 'trigger', 0, NULL); END;"
            "INSERT INTO processes_history VALUES (1, 1, 'init', -4096, NULL),"
            " (2, 42, 'sshd', -8192, NULL);",
            NULL, NULL, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static const struct {
    const char *text;
    int code;
} hostile[] = {
    /* it would write */
    {"INSERT INTO processes_history(pid) VALUES (7)", VT_E_PERM},
    {"INSERT INTO processes(pid) VALUES (7)", VT_E_PERM},
    {"REPLACE INTO processes_history(id) VALUES (1)", VT_E_PERM},
    {"UPDATE processes_history SET name = 'x'", VT_E_PERM},
    {"UPDATE processes SET name = 'x'", VT_E_PERM},
    {"DELETE FROM processes_history", VT_E_PERM},
    {"WITH x AS (SELECT 1) DELETE FROM processes_history", VT_E_PERM},
    {"INSERT INTO processes_history(pid) VALUES (7) RETURNING pid", VT_E_PERM},
    {"CREATE TABLE x(a)", VT_E_PERM},
    {"CREATE TEMP TABLE x(a)", VT_E_PERM},
    {"CREATE TABLE live.x(a)", VT_E_PERM},
    {"CREATE TABLE x AS SELECT 1", VT_E_PERM},
    {"CREATE VIEW v AS SELECT 1", VT_E_PERM},
    {"CREATE TEMP VIEW v AS SELECT 1", VT_E_PERM},
    {"CREATE INDEX i ON processes_history(pid)", VT_E_PERM},
    {"CREATE TRIGGER g AFTER INSERT ON processes_history BEGIN SELECT 1; END", VT_E_PERM},
    {"CREATE VIRTUAL TABLE f USING fts5(a)", VT_E_PERM},
    {"CREATE VIRTUAL TABLE temp.f USING vitrine(ps)", VT_E_PERM},
    {"DROP TABLE processes_history", VT_E_PERM},
    {"DROP VIEW processes", VT_E_PERM},
    {"DROP TRIGGER t", VT_E_PERM},
    {"ALTER TABLE processes_history ADD COLUMN b", VT_E_PERM},
    {"ALTER TABLE processes_history RENAME TO p", VT_E_PERM},
    {"REINDEX", VT_E_PERM},
    {"ANALYZE", VT_E_PERM},
    {"VACUUM", VT_E_PERM},
    {"VACUUM INTO '/tmp/vitrine-stolen.db'", VT_E_PERM},
    {"BEGIN", VT_E_PERM},
    {"BEGIN EXCLUSIVE", VT_E_PERM},
    {"COMMIT", VT_E_PERM},
    {"SAVEPOINT s", VT_E_PERM},
    {"EXPLAIN DELETE FROM processes_history", VT_E_PERM},
    {"UPDATE sqlite_schema SET sql = ''", VT_E_PERM},
    /* it would reach outside the database */
    {"ATTACH '/etc/passwd' AS p", VT_E_PERM},
    {"ATTACH ':memory:' AS m", VT_E_PERM},
    {"DETACH live", VT_E_PERM},
    {"SELECT load_extension('/tmp/x.so')", VT_E_PERM},
    {"SELECT fts3_tokenizer('simple')", VT_E_PERM},
    {"SELECT readfile('/etc/passwd')", VT_E_INVAL}, /* SQLite's shell has it */
    {"SELECT writefile('/tmp/x', 'x')", VT_E_INVAL},
    {"SELECT edit('x')", VT_E_INVAL},
    {"SELECT * FROM sqlite_stmt", VT_E_INVAL}, /* other people's statements */
    {"SELECT * FROM dbstat", VT_E_INVAL},
    {"SELECT * FROM sqlite_dbpage", VT_E_INVAL},
    {"SELECT randomblob(100000000)", VT_E_PERM},
    {"SELECT sqlite_compileoption_get(1)", VT_E_PERM},
    {"SELECT json_patch('{}', '{}')", VT_E_PERM},
    {"SELECT last_insert_rowid()", VT_E_PERM},
    /* it would change how the connection works */
    {"PRAGMA query_only = OFF", VT_E_PERM},
    {"PRAGMA writable_schema = ON", VT_E_PERM},
    {"PRAGMA trusted_schema = ON", VT_E_PERM},
    {"PRAGMA journal_mode = delete", VT_E_PERM},
    {"PRAGMA wal_checkpoint(TRUNCATE)", VT_E_PERM},
    {"PRAGMA temp_store_directory = '/tmp'", VT_E_PERM},
    {"PRAGMA hard_heap_limit = 1", VT_E_PERM},
    {"PRAGMA database_list", VT_E_PERM}, /* where it lies */
    {"PRAGMA optimize", VT_E_PERM},
    {"PRAGMA user_version = 99", VT_E_PERM},
    {"SELECT * FROM pragma_database_list", VT_E_PERM},
    /* more than one, or none */
    {"SELECT 1; DELETE FROM processes_history", VT_E_INVAL},
    {"SELECT 1; SELECT 2", VT_E_INVAL},
    {"SELECT 1 /* ; */; -- \n x", VT_E_INVAL},
    {"", VT_E_INVAL},
    {" ;;; -- nothing\n /* here */ ;", VT_E_INVAL},
    {"/* without an end", VT_E_INVAL},
    {"SELECT 'without an end", VT_E_INVAL},
    {"SELEC 1", VT_E_INVAL},
    {"SELECT ?1", VT_E_INVAL}, /* nothing was given for it */
    /* it would take all there is */
    {"WITH RECURSIVE c(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c",
     VT_E_TIMEOUT},
    {"WITH RECURSIVE c(x) AS (VALUES(1) UNION SELECT x + 1 FROM c) SELECT count(*) FROM c",
     VT_E_LIMIT},
    {"WITH RECURSIVE c(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM c) SELECT x FROM c",
     VT_E_LIMIT},
    {"WITH RECURSIVE c(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM c) SELECT x FROM c ORDER BY -x",
     VT_E_LIMIT},
    {"WITH RECURSIVE c(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM c)"
     " SELECT group_concat(x) FROM c",
     VT_E_TIMEOUT},
    {"WITH RECURSIVE c(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM c)"
     " SELECT x, printf('%.*c', 1000000, 'x') AS y FROM c ORDER BY y",
     VT_E_LIMIT},
    {"WITH RECURSIVE c(x) AS (VALUES('x') UNION ALL SELECT x || x FROM c)"
     " SELECT length(x) FROM c",
     VT_E_LIMIT},
    {"WITH a AS (SELECT 1 LIMIT 9), b AS (SELECT 1 FROM a, a LIMIT 9),"
     " c AS (SELECT 1 FROM b, b LIMIT 9), d AS (SELECT 1 FROM c, c LIMIT 9),"
     " e AS (SELECT 1 FROM d, d LIMIT 9), f AS (SELECT 1 FROM e, e LIMIT 9),"
     " g AS (SELECT 1 FROM f, f LIMIT 9), h AS (SELECT 1 FROM g, g LIMIT 9),"
     " i AS (SELECT 1 FROM h, h LIMIT 9), j AS (SELECT 1 FROM i, i LIMIT 9),"
     " k AS (SELECT 1 FROM j, j LIMIT 9), l AS (SELECT 1 FROM k, k LIMIT 9),"
     " m AS (SELECT 1 FROM l, l LIMIT 9), n AS (SELECT 1 FROM m, m LIMIT 9),"
     " o AS (SELECT 1 FROM n, n LIMIT 9), p AS (SELECT 1 FROM o, o LIMIT 9)"
     " SELECT count(*) FROM p, p",
     VT_E_LIMIT},
    {"SELECT replace(printf('%.*c', 1000000, 'a'), 'a', printf('%.*c', 1000000, 'b'))", VT_E_LIMIT},
    {"SELECT zeroblob(1000000000)", VT_E_LIMIT},
    {"SELECT hex(zeroblob(8000000))", VT_E_LIMIT},
    {"SELECT replace(printf('%.*c', 4000000, 'a'), 'a', printf('%.*c', 4000000, 'b'))", VT_E_LIMIT},
    {"SELECT printf('%.*c', 2000000, 'x')", VT_E_LIMIT},
    {"SELECT 'a' LIKE printf('%.*c', 1000, '%')", VT_E_INVAL},
    {"SELECT 'a' GLOB printf('%.*c', 1000, '*')", VT_E_INVAL},
    {"SELECT count(*) FROM json_each('[' || printf('%.*c', 3000, '[')", VT_E_INVAL},
};

static int on_row(const struct vt_sql_value *values, unsigned n, void *arg)
{
    (void)values;
    (void)n;
    (*(unsigned *)arg)++;
    return 0;
}

static void refused_with_the_right_code(void **state)
{
    char path[256];
    struct vt_sql *sql;
    struct stat before, after;
    struct vt_target nothing = {.name = "nothing"}; /* has live tables, which nobody reads here */
    make(*state, path);
    assert_int_equal(stat(path, &before), 0);
    assert_int_equal(vt_sql_open(path, &nothing, &sql, NULL), 0);
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        struct vt_error err = {0};
        unsigned rows = 0;
        /* Small enough for a test to reach them. */
        const struct vt_sql_limits limits = {
            .max_rows = 1000,
            .max_bytes = 1 << 20,
            .max_memory = 8 << 20,
            .timeout_ms = hostile[i].code == VT_E_TIMEOUT ? 100 : 60000,
        };
        for (int again = 0; again < 2; again++) { /* compiled, and kept */
            int rc =
                vt_sql_query(sql, hostile[i].text, NULL, 0, &limits, NULL, on_row, &rows, &err);
            if (rc != hostile[i].code || err.code != (enum vt_code)rc || err.message[0] == '\0') {
                fail_msg("%s\n  want %d, got %d: %s", hostile[i].text, hostile[i].code, rc,
                         err.message);
            }
        }
        assert_true(rows <= 2000);
    }
    unsigned rows = 0;
    assert_int_equal(
        vt_sql_query(sql, "SELECT * FROM processes", NULL, 0, NULL, NULL, on_row, &rows, NULL), 0);
    assert_int_equal(rows, 2);
    vt_sql_close(sql);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(after.st_size, before.st_size);
    assert_int_equal(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
    assert_int_equal(access("/tmp/vitrine-stolen.db", F_OK), -1);
}

static const char *const harmless[] = {
    "SELECT 1",
    "select pid, name from processes where task = 0xfffffffffffff000",
    ";; SELECT 1 ;; -- that was all\n /* really */",
    "EXPLAIN QUERY PLAN SELECT * FROM processes",
    "SELECT json_extract('{\"a\":1}', '$.a'), '{\"a\":1}' ->> 'a'",
    "SELECT value FROM json_each('[1,2]')",
    "SELECT name FROM sqlite_schema",
    "SELECT * FROM pragma_table_info('processes')",
    "PRAGMA table_list",
    "SELECT row_number() OVER (ORDER BY pid), group_concat(name) OVER () FROM processes",
    "WITH RECURSIVE c(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM c WHERE x < 9) SELECT * FROM c",
    "SELECT datetime(0, 'unixepoch'), name LIKE 'ss%', name GLOB 'ss*' FROM processes",
    "VALUES (1), (2)",
};

static void reading_is_allowed(void **state)
{
    char path[256];
    struct vt_sql *sql;
    make(*state, path);
    assert_int_equal(vt_sql_open(path, NULL, &sql, NULL), 0);
    for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++) {
        struct vt_error err = {0};
        unsigned rows = 0;
        if (vt_sql_query(sql, harmless[i], NULL, 0, NULL, NULL, on_row, &rows, &err) != 0) {
            fail_msg("%s: %s", harmless[i], err.message);
        }
        assert_true(rows > 0);
    }
    vt_sql_close(sql);
}

/* The replaced functions against the answers SQLite's own give. */
static const char *const same[] = {
    "instr('haystack', 'st')",
    "instr('haystack', 'x')",
    "instr('häystäck', 'st')",
    "instr('', '')",
    "instr('abc', '')",
    "instr(x'0102ff', x'ff')",
    "instr(NULL, 'a')",
    "instr('a', NULL)",
    "instr(12345, 34)",
    "instr(x'c3a4', 'ä')",
    "replace('aXbXc', 'X', '')",
    "replace('aXbXc', 'X', 'XX')",
    "replace('abc', '', 'x')",
    "replace(NULL, 'a', 'b')",
    "replace('a', 'a', '')",
    "replace('aaa', 'aa', 'b')",
    "replace(1234, 23, 'x')",
    "trim('xxaxx', 'x')",
    "ltrim('xyaxy', 'yx')",
    "rtrim('xyaxy', 'yx')",
    "trim('xx', 'x')",
    "trim('  a ')",
    "trim('', 'x')",
    "trim(NULL, 'x')",
    "trim('a', NULL)",
    "trim('äxä', 'x')",
    "typeof(replace('abc', '', 'x'))",
    "typeof(replace(x'61', 'a', 'b'))",
};

static int keep(const struct vt_sql_value *values, unsigned n, void *arg)
{
    (void)n;
    snprintf(arg, 256, "%s", values[0].type == VT_SQL_NULL ? "NULL" : values[0].text);
    return 0;
}

static void own_functions_as_documented(void **state)
{
    struct vt_sql *sql;
    sqlite3 *db;
    (void)state;
    assert_int_equal(vt_sql_open(NULL, NULL, &sql, NULL), 0);
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        char text[256], got[256];
        sqlite3_stmt *stmt;
        snprintf(text, sizeof text, "SELECT quote(%s)", same[i]);
        assert_int_equal(sqlite3_prepare_v2(db, text, -1, &stmt, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
        assert_int_equal(vt_sql_query(sql, text, NULL, 0, NULL, NULL, keep, got, NULL), 0);
        if (strcmp(got, (const char *)sqlite3_column_text(stmt, 0)) != 0) {
            fail_msg("%s: want %s, got %s", same[i], sqlite3_column_text(stmt, 0), got);
        }
        sqlite3_finalize(stmt);
    }
    sqlite3_close(db);
    vt_sql_close(sql);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        vt_test_in_dir(refused_with_the_right_code),
        vt_test_in_dir(reading_is_allowed),
        cmocka_unit_test(own_functions_as_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
