/* tests/unit/semantic/test_live.c - nouns as tables: when they are walked, for whom, and that rows
 * are the walk's. The linker hands every walk to us first; the guest is a synthetic one.
 */
#include "tests/unit/harness.h"

#include "tests/unit/guest/synthetic.h"
#include "vitrine/linux.h"
#include "vitrine/semantic.h"

#include <sqlite3.h>
#include <string.h>

#define TASKS 12
#define FIRST 100

int __real_vt_noun_walk(struct vt_kernel *kernel, const struct vt_noun *noun,
                        const struct vt_noun_query *query, vt_row_fn *fn, void *arg,
                        struct vt_noun_result *result, struct vt_error *err);
int __wrap_vt_noun_walk(struct vt_kernel *kernel, const struct vt_noun *noun,
                        const struct vt_noun_query *query, vt_row_fn *fn, void *arg,
                        struct vt_noun_result *result, struct vt_error *err);

/* What was walked since the last look. */
static struct {
    unsigned all, of_pid, of_text;
    char text[32];
    bool torn;
    const char *only; /* a noun whose rows are made up, many of them */
    unsigned many;
} walks;

static int make_up(vt_row_fn *fn, void *arg, struct vt_noun_result *result)
{
    char args[2048];
    memset(args, 'a', sizeof args);
    args[sizeof args - 1] = '\0';
    for (unsigned i = 0; i < walks.many; i++) {
        struct vt_process p = {.pid = (int32_t)i + 1,
                               .comm = "\xff\x1b;'\"",
                               .uid = UINT32_MAX,
                               .args = args,
                               .row = {.at = VT_GVA(UINT64_MAX - i)}};
        int rc = fn(&p.row, arg);
        if (rc != 0) {
            return rc;
        }
    }
    *result = (struct vt_noun_result){.rows = walks.many};
    return 0;
}

/* The synthetic guest's tasks have no threads: one for each of its pids, which count from FIRST. */
static int make_threads(const struct vt_noun_query *query, vt_row_fn *fn, void *arg,
                        struct vt_noun_result *result, struct vt_error *err)
{
    if (query->pid != 0 && (query->pid < FIRST || query->pid >= FIRST + TASKS)) {
        return vt_fail(err, VT_E_NOT_FOUND, "the guest has no process %d", query->pid);
    }
    for (int32_t pid = FIRST; pid < FIRST + TASKS; pid++) {
        struct vt_thread t = {.pid = pid, .tid = pid};
        int rc = query->pid == 0 || query->pid == pid ? fn(&t.row, arg) : 0;
        if (rc != 0) {
            return rc;
        }
    }
    *result = (struct vt_noun_result){.rows = TASKS};
    return 0;
}

int __wrap_vt_noun_walk(struct vt_kernel *kernel, const struct vt_noun *noun,
                        const struct vt_noun_query *query, vt_row_fn *fn, void *arg,
                        struct vt_noun_result *result, struct vt_error *err)
{
    walks.all += query->pid == 0;
    walks.of_pid += query->pid != 0;
    if (query->text != NULL) {
        walks.of_text++;
        snprintf(walks.text, sizeof walks.text, "%s", query->text);
        *result = (struct vt_noun_result){0};
        return 0;
    }
    if (strcmp(noun->name, "threads") == 0) {
        return make_threads(query, fn, arg, result, err);
    }
    int rc = walks.only != NULL && strcmp(noun->name, walks.only) == 0
                 ? make_up(fn, arg, result)
                 : __real_vt_noun_walk(kernel, noun, query, fn, arg, result, err);
    if (rc == 0 && walks.torn) {
        result->torn = true;
        snprintf(result->why, sizeof result->why, "a list leads nowhere");
    }
    return rc;
}

struct guest {
    struct synthetic s;
    struct vt_target target;
    struct vt_sql *sql;
};

static struct guest guest;

static void begin(const char *path)
{
    struct synthetic_kernel k = synthetic_default();
    struct vt_error err = {0};
    k.tasks = TASKS;
    k.pages = true;
    synthetic_create(&guest.s);
    synthetic_add(&guest.s, &k);
    guest.target = (struct vt_target){.name = "synthetic", .ram = synthetic_open(&guest.s)};
    vt_kernel_open(guest.target.ram, NULL, &guest.target.kernel, &err);
    assert_string_equal(err.message, "");
    vt_sql_open(path, &guest.target, &guest.sql, &err);
    assert_string_equal(err.message, "");
    memset(&walks, 0, sizeof walks);
}

static void end(void)
{
    vt_sql_close(guest.sql);
    assert_int_equal(vt_target_close(&guest.target, NULL), 0);
    synthetic_destroy(&guest.s);
}

struct rows {
    unsigned n;
    enum vt_sql_type types[32];
    int64_t integers[32];
    char texts[32][32];
};

static int keep(const struct vt_sql_value *values, unsigned n, void *arg)
{
    struct rows *r = arg;
    r->n++;
    for (unsigned i = 0; i < n && i < 32; i++) {
        r->types[i] = values[i].type;
        r->integers[i] = values[i].integer;
        snprintf(r->texts[i], sizeof r->texts[i], "%s",
                 values[i].text != NULL ? values[i].text : "");
    }
    return 0;
}

/* The last row stays in the result. */
static struct rows ask(const char *text)
{
    struct rows r = {0};
    struct vt_error err = {0};
    walks.all = walks.of_pid = walks.of_text = 0;
    if (vt_sql_query(guest.sql, text, NULL, 0, NULL, NULL, keep, &r, &err) != 0) {
        fail_msg("%s: %s", text, err.message);
    }
    return r;
}

static void check(const char *text, unsigned rows, unsigned all, unsigned of_pid)
{
    struct rows r = ask(text);
    if (r.n != rows || walks.all != all || walks.of_pid != of_pid) {
        fail_msg("%s\n  %u rows, %u walks of all, %u of a process", text, r.n, walks.all,
                 walks.of_pid);
    }
}

static void walks_as_few_as_can_be(void **state)
{
    (void)state;
    begin(NULL);
    check("SELECT 1", 1, 0, 0);
    check("SELECT * FROM live.ps", TASKS, 1, 0);
    check("SELECT * FROM ps", TASKS, 1, 0);
    check("SELECT * FROM live.ps WHERE 0", 0, 0, 0);
    check("SELECT * FROM live.ps LIMIT 0", 0, 0, 0);
    /* twice in one statement: once */
    check("SELECT a.pid FROM ps a JOIN ps b USING (pid)", TASKS, 1, 0);
    check("SELECT pid FROM ps UNION ALL SELECT pid FROM ps", 2 * TASKS, 1, 0);
    check("SELECT pid, (SELECT count(*) FROM ps) FROM ps", TASKS, 1, 0);
    check("SELECT a.pid FROM ps a, ps b", TASKS * TASKS, 1, 0);
    check("SELECT t.tid FROM threads t JOIN ps p ON +p.pid = +t.pid", TASKS, 2, 0);
    /* one process */
    check("SELECT * FROM threads WHERE pid = 111", 1, 0, 1);
    check("SELECT * FROM threads WHERE pid = '111'", 1, 0, 1);
    check("SELECT * FROM threads(111)", 1, 0, 1);
    check("SELECT * FROM live.threads WHERE query_pid = 111", 1, 0, 1);
    check("SELECT * FROM threads WHERE pid = 111 AND tid <> 111", 0, 0, 1);
    check("SELECT * FROM threads WHERE pid IN (111, 100)", 2, 0, 2);
    check("SELECT * FROM threads WHERE pid = 111 OR pid = 100", 2, 0, 2);
    check("SELECT * FROM threads WHERE +pid = 111", 1, 1, 0);
    check("SELECT * FROM threads WHERE pid > 100", TASKS - 1, 1, 0);
    /* nobody */
    check("SELECT * FROM threads WHERE pid = 999999", 0, 0, 1);
    check("SELECT * FROM threads(999999)", 0, 0, 1);
    check("SELECT * FROM threads WHERE pid = NULL", 0, 0, 0);
    check("SELECT * FROM threads WHERE pid = 'x'", 0, 1, 0);
    check("SELECT * FROM threads WHERE pid = -1", 0, 1, 0);
    check("SELECT * FROM threads WHERE pid = 1.5", 0, 1, 0);
    check("SELECT * FROM threads WHERE pid = 9e99", 0, 1, 0);
    /* many: a few of one process each, then one of all */
    check("WITH p(x) AS (VALUES (101),(102),(103)) SELECT * FROM p CROSS JOIN threads ON pid = x "
          "WHERE pid > 999",
          0, 0, 3);
    struct rows joined =
        ask("WITH RECURSIVE p(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM p "
            "WHERE x < 1000) SELECT count(*) FROM p CROSS JOIN threads ON pid = x");
    struct rows counted = ask("SELECT count(*) FROM threads WHERE pid <= 1000");
    assert_int_equal(joined.integers[0], counted.integers[0]);
    ask("WITH RECURSIVE p(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM p WHERE x < 1000) "
        "SELECT count(*) FROM p CROSS JOIN threads ON pid = x");
    assert_true(walks.of_pid <= 8 && walks.all == 1);
    end();
}

/* Who uses a filter gets what everybody gets: of every noun that belongs to processes. */
static void filters_change_nothing(void **state)
{
    static const char *const pairs[][2] = {
        {"SELECT count(*) FROM ps WHERE task = (SELECT task FROM ps LIMIT 1 OFFSET 3)",
         "SELECT count(*) FROM ps WHERE +task = (SELECT task FROM ps LIMIT 1 OFFSET 3)"},
        {"SELECT count(*) FROM ps a JOIN ps b ON a.ppid = b.pid",
         "SELECT count(*) FROM ps a JOIN ps b ON +a.ppid = +b.pid"},
        {"SELECT count(*) FROM ps WHERE page_table = NULL",
         "SELECT count(*) FROM ps WHERE +page_table = NULL"},
        {"SELECT count(*) FROM ps WHERE uid = '0'", "SELECT count(*) FROM ps WHERE +uid = 0"},
        {"SELECT count(*) FROM ps WHERE uid = 0.0", "SELECT count(*) FROM ps WHERE +uid = 0.0"},
        {"SELECT count(*) FROM ps WHERE uid = 0 AND gid = 0 AND at = at",
         "SELECT count(*) FROM ps WHERE +uid = 0 AND +gid = 0"},
    };
    (void)state;
    begin(NULL);
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        int64_t a = ask(pairs[i][0]).integers[0], b = ask(pairs[i][1]).integers[0];
        if (a != b) {
            fail_msg("%s: %lld, not %lld", pairs[i][0], (long long)a, (long long)b);
        }
    }
    end();
}

static void rows_hold_what_the_walk_said(void **state)
{
    (void)state;
    begin(NULL);
    walks.only = "ps";
    walks.many = 1;
    struct rows r = ask("SELECT pid, uid, comm, page_table, at, trust, why, start_s FROM live.ps");
    const enum vt_sql_type types[] = {VT_SQL_INTEGER, VT_SQL_INTEGER, VT_SQL_TEXT, VT_SQL_NULL,
                                      VT_SQL_ADDRESS, VT_SQL_TEXT,    VT_SQL_NULL, VT_SQL_REAL};
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(r.types[i], types[i]);
    }
    assert_int_equal(r.integers[1], UINT32_MAX);
    assert_string_equal(r.texts[2], "\xff\x1b;'\"");
    assert_int_equal(r.integers[4], -1);
    assert_string_equal(r.texts[5], "ok");
    end();
}

static void what_is_torn_is_told(void **state)
{
    (void)state;
    begin(NULL);
    walks.torn = true;
    ask("SELECT count(*) FROM live.ps");
    assert_string_equal(vt_sql_warning(guest.sql),
                        "live.ps may be incomplete: a list leads nowhere");
    walks.torn = false;
    ask("SELECT count(*) FROM live.ps");
    assert_null(vt_sql_warning(guest.sql));
    end();
}

static void limits_hold(void **state)
{
    struct vt_error err = {0};
    struct rows r = {0};
    const struct vt_sql_limits small = {.max_memory = 4 << 20};
    (void)state;
    begin(NULL);
    walks.only = "ps";
    walks.many = 100000; /* 200 MiB of texts */
    assert_int_equal(vt_sql_query(guest.sql, "SELECT count(*) FROM live.ps", NULL, 0, &small, NULL,
                                  keep, &r, &err),
                     VT_E_LIMIT);
    assert_string_equal(err.message, "live.ps has more rows than fit into 4 MiB");
    volatile int stop = 1;
    const struct vt_sql_limits stopped = {.stop = &stop};
    assert_int_equal(vt_sql_query(guest.sql, "SELECT count(*) FROM live.ps", NULL, 0, &stopped,
                                  NULL, keep, &r, &err),
                     VT_E_INTERRUPTED);
    walks.many = 3;
    assert_int_equal(ask("SELECT count(*) FROM live.ps").integers[0], 3);
    end();
}

static void texts_are_passed_on(void **state)
{
    (void)state;
    begin(NULL);
    ask("SELECT * FROM live.pagecache('/bin/x')");
    assert_int_equal(walks.of_text, 1);
    assert_string_equal(walks.text, "/bin/x");
    ask("SELECT * FROM pagecache WHERE query_text = '/bin/' || 'y'");
    assert_string_equal(walks.text, "/bin/y");
    ask("WITH t(x) AS (VALUES ('a'), ('b'), ('a')) SELECT p.* FROM t, pagecache(t.x) p");
    assert_int_equal(walks.of_text, 2);
    struct vt_error err = {0};
    struct rows r;
    assert_int_equal(
        vt_sql_query(guest.sql, "SELECT * FROM threads(0)", NULL, 0, NULL, NULL, keep, &r, &err),
        VT_E_INVAL);
    assert_non_null(strstr(err.message, "query_pid is a number from 1"));
    assert_int_equal(
        vt_sql_query(guest.sql, "SELECT * FROM slabs(1)", NULL, 0, NULL, NULL, keep, &r, &err),
        VT_E_INVAL);
    end();
}

/* Beside a database: its tables come first, and a new schema of it changes nothing for ours. */
static void beside_a_database(void **state)
{
    char path[256];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/vm.db", (const char *)*state);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "PRAGMA journal_mode = wal; CREATE TABLE threads(pid INTEGER);"
                                  "INSERT INTO threads VALUES (-7);"
                                  "CREATE VIEW evil AS SELECT * FROM ps",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    begin(path);
    assert_int_equal(ask("SELECT pid FROM threads").integers[0], -7);
    assert_int_equal(ask("SELECT pid FROM live.threads").n, TASKS);
    assert_int_equal(ask("SELECT p.pid FROM threads t, ps p WHERE p.pid <> t.pid").n, TASKS);
    struct rows r;
    assert_true(vt_sql_query(guest.sql, "SELECT * FROM evil", NULL, 0, NULL, NULL, keep, &r, NULL) <
                0);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE more(a); DROP VIEW evil", NULL, NULL, NULL), 0);
    assert_int_equal(ask("SELECT pid FROM live.threads").n, TASKS);
    assert_int_equal(ask("SELECT a FROM more").n, 0);
    assert_int_equal(ask("SELECT mtu FROM live.net WHERE 0").n, 0);
    end();
    sqlite3_close(db);
}

/* Every noun is a table whose columns can be asked for by name. */
static int check_column(const struct vt_sql_column *c, void *arg)
{
    char text[256];
    bool stored, live;
    struct vt_error err = {0};
    assert_true(c->live);
    assert_non_null(c->table_doc);
    snprintf(text, sizeof text, "SELECT \"%s\" FROM live.\"%s\"", c->column, c->table);
    if (vt_sql_reads(guest.sql, text, &stored, &live, &err) != 0) {
        fail_msg("%s: %s", text, err.message);
    }
    assert_true(live && !stored);
    if (strcmp(c->column, "trust") == 0) {
        assert_non_null(c->doc);
        ++*(unsigned *)arg;
    }
    return 0;
}

static void every_noun_is_a_table(void **state)
{
    unsigned tables = 0, nouns = 0;
    (void)state;
    begin(NULL);
    assert_int_equal(vt_sql_columns(guest.sql, check_column, &tables, NULL), 0);
    while (vt_nouns[nouns] != NULL) {
        nouns++;
    }
    assert_int_equal(tables, nouns);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(walks_as_few_as_can_be),
        cmocka_unit_test(filters_change_nothing),
        cmocka_unit_test(rows_hold_what_the_walk_said),
        cmocka_unit_test(what_is_torn_is_told),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(texts_are_passed_on),
        vt_test_in_dir(beside_a_database),
        cmocka_unit_test(every_noun_is_a_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
