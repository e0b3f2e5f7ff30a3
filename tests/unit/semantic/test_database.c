/* tests/unit/semantic/test_database.c - the file: who may open it, in which form, in which state.
 */
#include "tests/unit/harness.h"

#include "tests/unit/semantic/fabricated.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void path_in(const char *dir, char path[VT_VM_PATH_MAX])
{
    snprintf(path, VT_VM_PATH_MAX, "%s/data/vm.db", dir);
}

static void add_processes(struct vt_store *store, double now_s, int64_t n)
{
    struct vt_take take = {0};
    struct vt_events events = {0};
    struct vt_changes changes = {.quiet = true};
    fabricated_begin(&take);
    for (int64_t pid = 1; pid <= n; pid++) {
        fabricated_row(&take, VT_DB_PROCESSES, pid, false, NULL);
    }
    fabricated_apply(store, &take, &events, now_s, &changes);
    vt_events_fini(&events);
    vt_take_fini(&take);
}

static unsigned mode_of(const char *fmt, const char *path)
{
    char full[VT_VM_PATH_MAX + 16];
    struct stat st;
    snprintf(full, sizeof full, fmt, path);
    assert_int_equal(stat(full, &st), 0);
    return st.st_mode & 0777;
}

static void nobody_else_may_read_it(void **state)
{
    char path[VT_VM_PATH_MAX], dir[VT_VM_PATH_MAX];
    struct vt_store store;
    struct vt_error err = {0};
    path_in(*state, path);
    mode_t before = umask(0);
    assert_int_equal(vt_store_open(&store, path, &err), 0);
    add_processes(&store, 1, 3);
    umask(before);
    snprintf(dir, sizeof dir, "%s/data", (const char *)*state);
    assert_int_equal(mode_of("%s", dir), 0700);
    assert_int_equal(mode_of("%s", path), 0600);
    assert_int_equal(mode_of("%s-wal", path), 0600);
    assert_int_equal(mode_of("%s-shm", path), 0600);
    assert_int_equal(mode_of("%s.lock", path), 0600);
    assert_string_equal(fabricated_query(store.db, "PRAGMA journal_mode"), "wal");
    vt_store_close(&store);
}

static void a_second_writer_is_told_who_the_first_is(void **state)
{
    char path[VT_VM_PATH_MAX], want[64];
    struct vt_store store, second;
    struct vt_error err = {0};
    path_in(*state, path);
    assert_int_equal(vt_store_open(&store, path, &err), 0);
    assert_int_equal(vt_store_open(&second, path, &err), VT_E_BUSY);
    snprintf(want, sizeof want, "process %d samples it", (int)getpid());
    assert_non_null(strstr(err.message, want));
    vt_store_close(&store);
    assert_int_equal(vt_store_open(&second, path, &err), 0);
    vt_store_close(&second);
}

static void readers_see_whole_samples_meanwhile(void **state)
{
    char path[VT_VM_PATH_MAX];
    struct vt_store store;
    struct vt_error err = {0};
    sqlite3 *reader;
    path_in(*state, path);
    assert_int_equal(vt_store_open(&store, path, &err), 0);
    add_processes(&store, 1, 3);
    assert_int_equal(sqlite3_open_v2(path, &reader, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_string_equal(fabricated_query(reader, "SELECT count(*) FROM processes"), "3");
    assert_int_equal(vt_store_begin(&store, 2, &err), 0);
    assert_int_equal(vt_db_run(store.db, path, "DELETE FROM processes_history", &err), 0);
    assert_string_equal(fabricated_query(reader, "SELECT count(*) FROM processes"), "3");
    vt_store_rollback(&store);
    assert_string_equal(fabricated_query(store.db, "SELECT count(*) FROM processes"), "3");
    sqlite3_close(reader);
    vt_store_close(&store);
}

/* As the first version left it, which is what its step makes. */
static void an_older_file_is_brought_up_to_date(void **state)
{
    char path[VT_VM_PATH_MAX];
    struct vt_store store;
    struct vt_error err = {0};
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/old.db", (const char *)*state);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(vt_db_migrate(db, path, 1, &err), 0);
    assert_string_equal(fabricated_query(db, "PRAGMA user_version"), "1");
    assert_int_equal(
        vt_db_run(db, path,
                  "INSERT INTO processes_history(boot, first_seen, last_seen, trust, pid, name) "
                  "VALUES(1, 5, 6, 'ok', 42, 'old')",
                  &err),
        0);
    sqlite3_close(db);
    assert_true(vt_db_version > 1);
    assert_int_equal(vt_store_open(&store, path, &err), 0);
    assert_int_equal(atoi(fabricated_query(store.db, "PRAGMA user_version")), vt_db_version);
    assert_string_equal(fabricated_query(store.db, "SELECT name || pid FROM processes_history"),
                        "old42");
    assert_string_equal(fabricated_query(store.db, "SELECT change FROM changes"), "gone");
    add_processes(&store, 7, 2);
    assert_string_equal(fabricated_query(store.db, "SELECT count(*) FROM processes_history"), "3");
    vt_store_close(&store);
}

static void a_newer_file_is_refused(void **state)
{
    char path[VT_VM_PATH_MAX];
    struct vt_store store;
    struct vt_error err = {0};
    path_in(*state, path);
    assert_int_equal(vt_store_open(&store, path, &err), 0);
    assert_int_equal(vt_db_run(store.db, path, "PRAGMA user_version = 9999", &err), 0);
    vt_store_close(&store);
    assert_int_equal(vt_store_open(&store, path, &err), VT_E_UNSUPPORTED);
    assert_non_null(strstr(err.message, "newer vitrine"));
}

static void write_at(const char *path, off_t at, const char *bytes, size_t n)
{
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, n, at), (ssize_t)n);
    close(fd);
}

static void a_file_that_is_no_database_is_said_to_be_damaged(void **state)
{
    char path[VT_VM_PATH_MAX], noise[8192];
    struct vt_store store;
    struct vt_error err = {0};
    snprintf(path, sizeof path, "%s/noise.db", (const char *)*state);
    memset(noise, 'x', sizeof noise);
    write_at(path, 0, noise, sizeof noise);
    assert_int_equal(vt_store_open(&store, path, &err), VT_E_CORRUPT);
    assert_non_null(strstr(err.message, "remove it to begin anew"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(vt_store_open(&store, path, &err), 0);
    vt_store_close(&store);
}

static void a_table_that_is_missing_or_holds_something_else_is_damage(void **state)
{
    static const char *const harm[] = {
        "DROP TABLE processes_history",
        "ALTER TABLE processes_history RENAME COLUMN pid TO diP",
        "PRAGMA user_version = -5",
        "DROP TABLE sample",
        "UPDATE sqlite_sequence SET seq = 0",
    };
    for (size_t i = 0; i < sizeof harm / sizeof harm[0]; i++) {
        char path[VT_VM_PATH_MAX];
        struct vt_store store;
        struct vt_error err = {0};
        sqlite3 *db;
        snprintf(path, sizeof path, "%s/%zu.db", (const char *)*state, i);
        assert_int_equal(vt_store_open(&store, path, &err), 0);
        add_processes(&store, 1, 3);
        vt_store_close(&store);
        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, harm[i], NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
        int rc = vt_store_open(&store, path, &err);
        if (rc == 0) {
            rc = vt_store_begin(&store, 2, &err);
            if (rc == 0) { /* nothing is wrong until a row is added */
                const struct vt_record_at at = {.bytes = 0, .identity = 0};
                rc = vt_store_insert(&store, VT_DB_PROCESSES, (const uint8_t *)"", &at, NULL, &err);
                vt_store_rollback(&store);
            }
            vt_store_close(&store);
        }
        if (rc != VT_E_CORRUPT) {
            fail_msg("%s: %d", harm[i], rc);
        }
    }
}

/* Triggers and views of a file that was made to hurt do not run while it is written. */
static void triggers_do_not_run(void **state)
{
    char path[VT_VM_PATH_MAX];
    struct vt_store store;
    struct vt_error err = {0};
    path_in(*state, path);
    assert_int_equal(vt_store_open(&store, path, &err), 0);
    assert_int_equal(vt_db_run(store.db, path,
                               "CREATE TRIGGER t AFTER INSERT ON processes_history BEGIN "
                               "UPDATE processes_history SET name = 'harmed'; END",
                               &err),
                     0);
    add_processes(&store, 1, 3);
    assert_string_equal(
        fabricated_query(store.db, "SELECT count(*) FROM processes WHERE name = 'harmed'"), "0");
    vt_store_close(&store);
}

/* Any page of it may be damaged: an error or a sound answer, never more. */
static void damage_anywhere_is_survived(void **state)
{
    char path[VT_VM_PATH_MAX];
    struct vt_store store;
    struct vt_error err = {0};
    struct stat st;
    unsigned refused = 0;
    path_in(*state, path);
    assert_int_equal(vt_store_open(&store, path, &err), 0);
    add_processes(&store, 1, 500);
    vt_store_close(&store);
    assert_int_equal(stat(path, &st), 0);
    char *whole = malloc((size_t)st.st_size);
    int fd = open(path, O_RDONLY);
    assert_int_equal(read(fd, whole, (size_t)st.st_size), st.st_size);
    close(fd);
    for (off_t at = 0; at < st.st_size; at += 4096) {
        char noise[512];
        memset(noise, (int)(at / 4096) | 1, sizeof noise);
        write_at(path, 0, whole, (size_t)st.st_size);
        write_at(path, at, noise, sizeof noise);
        int rc = vt_store_open(&store, path, &err);
        if (rc == 0) {
            rc = vt_store_begin(&store, 2, &err);
            vt_store_rollback(&store);
            vt_store_close(&store);
        }
        assert_true(rc == 0 || rc == VT_E_CORRUPT || rc == VT_E_UNSUPPORTED || rc == VT_E_IO);
        refused += rc != 0;
    }
    free(whole);
    assert_true(refused > 0);
}

/* The columns that code knows are those of the SQL. */
static void tables_have_the_columns_that_are_written(void **state)
{
    struct vt_store store;
    struct vt_error err = {0};
    (void)state;
    assert_int_equal(vt_store_open(&store, ":memory:", &err), 0);
    for (unsigned i = 0; i < VT_DB_TABLES; i++) {
        const struct vt_db_table *t = &vt_db_tables[i];
        char sql[256], n[16];
        snprintf(sql, sizeof sql, "SELECT count(*) FROM pragma_table_info('%s_history')", t->name);
        snprintf(n, sizeof n, "%u", t->n_columns + 5);
        assert_string_equal(fabricated_query(store.db, sql), n);
        snprintf(sql, sizeof sql, "SELECT count(*) FROM pragma_table_info('%s')", t->name);
        assert_string_equal(fabricated_query(store.db, sql), n);
        for (unsigned k = 0; k < t->n_columns; k++) {
            const struct vt_db_column *c = &t->columns[k];
            snprintf(sql, sizeof sql,
                     "SELECT count(*) FROM pragma_table_info('%s') WHERE name = '%s'", t->name,
                     c->name);
            assert_string_equal(fabricated_query(store.db, sql), "1");
            assert_true(k == 0 || t->columns[k - 1].role <= c->role);
            const struct vt_noun *noun = vt_noun_find(t->noun);
            unsigned found = 0;
            for (unsigned j = 0; c->key != NULL && j < noun->n_columns; j++) {
                found += strcmp(noun->columns[j].key, c->key) == 0;
            }
            assert_int_equal(found, c->key != NULL);
        }
    }
    vt_store_close(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        vt_test_in_dir(nobody_else_may_read_it),
        vt_test_in_dir(a_second_writer_is_told_who_the_first_is),
        vt_test_in_dir(readers_see_whole_samples_meanwhile),
        vt_test_in_dir(an_older_file_is_brought_up_to_date),
        vt_test_in_dir(a_newer_file_is_refused),
        vt_test_in_dir(a_file_that_is_no_database_is_said_to_be_damaged),
        vt_test_in_dir(a_table_that_is_missing_or_holds_something_else_is_damage),
        vt_test_in_dir(triggers_do_not_run),
        vt_test_in_dir(damage_anywhere_is_survived),
        cmocka_unit_test(tables_have_the_columns_that_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
