/* tests/unit/semantic/test_retention.c - the database stays bounded, and loses the oldest first. */
#include "tests/unit/harness.h"

#include "semantic/retention.h"
#include "tests/unit/semantic/fabricated.h"

#include <sys/stat.h>

#define MIB ((int64_t)1 << 20)

struct base {
    struct vt_store store;
    struct vt_take take;
    struct vt_events events;
    struct vt_changes changes;
    struct vt_retention retention;
    char path[VT_VM_PATH_MAX];
};

static void open_base(struct base *b, const char *dir)
{
    struct vt_error err = {0};
    *b = (struct base){0};
    snprintf(b->path, sizeof b->path, "%s/vm.db", dir);
    assert_int_equal(vt_store_open(&b->store, b->path, &err), 0);
}

static void close_base(struct base *b)
{
    vt_events_fini(&b->events);
    vt_take_fini(&b->take);
    vt_store_close(&b->store);
}

/* One process stays, `n` are others each time. */
static void sample(struct base *b, double now_s, int64_t n)
{
    struct vt_error err = {0};
    fabricated_begin(&b->take);
    fabricated_row(&b->take, VT_DB_PROCESSES, 1, false, NULL);
    for (int64_t i = 0; i < n; i++) {
        fabricated_row(&b->take, VT_DB_PROCESSES, (int64_t)now_s * 1000 + i, false, NULL);
    }
    fabricated_apply(&b->store, &b->take, &b->events, now_s, &b->changes);
    if (vt_retention_apply(&b->store, &b->retention, &err) != 0) {
        fail_msg("%s", err.message);
    }
}

static double number(struct base *b, const char *sql)
{
    return atof(fabricated_query(b->store.db, sql));
}

static void what_is_too_old_goes(void **state)
{
    struct base b;
    open_base(&b, *state);
    b.retention.seconds = 100;
    for (int i = 1; i <= 400; i++) {
        sample(&b, i, 3);
        double oldest = number(&b, "SELECT min(last_seen) FROM processes_history");
        double event = number(&b, "SELECT min(time) FROM events");
        /* It is looked for now and then. */
        assert_true(i < 120 || (oldest >= i - 120 && oldest <= i - 99));
        assert_true(i < 120 || (event >= i - 120 && event <= i - 99));
        assert_int_equal(number(&b, "SELECT count(*) FROM processes"), 4);
    }
    assert_int_equal(number(&b, "SELECT count(*) FROM processes WHERE first_seen = 1"), 1);
    close_base(&b);
}

static void a_file_that_is_too_large_loses_its_oldest(void **state)
{
    struct base b;
    struct stat st, wal;
    char path[VT_VM_PATH_MAX + 8];
    int64_t most = 0;
    open_base(&b, *state);
    b.retention.max_bytes = (uint64_t)(2 * MIB);
    snprintf(path, sizeof path, "%s-wal", b.path);
    for (int i = 1; i <= 400; i++) {
        sample(&b, i, 100);
        int64_t bytes = (int64_t)number(&b, "SELECT page_count * page_size FROM "
                                            "pragma_page_count, pragma_page_size");
        most = bytes > most ? bytes : most;
        assert_int_equal(number(&b, "SELECT count(*) FROM processes"), 101);
        if (i % 50 == 0) { /* of what is over, an unbroken end is left */
            double oldest = number(&b, "SELECT min(last_seen) FROM processes_history");
            assert_true(number(&b, "SELECT count(DISTINCT last_seen) FROM processes_history "
                                   "WHERE last_seen IS NOT NULL") == i - oldest);
        }
    }
    /* Between two looks at it, it may grow by what sixteen samples bring. */
    assert_true(most > 2 * MIB && most < 4 * MIB);
    assert_true(number(&b, "SELECT min(last_seen) FROM processes_history") > 100);
    assert_int_equal(number(&b, "SELECT count(*) FROM processes WHERE first_seen = 1"), 1);
    assert_int_equal(stat(path, &wal), 0);
    assert_true(wal.st_size <= 16 * MIB);
    for (int i = 401; i <= 600; i++) {
        sample(&b, i, 0);
    }
    close_base(&b);
    assert_int_equal(stat(b.path, &st), 0);
    assert_true(st.st_size <= 2 * MIB + MIB / 4);
}

static void what_is_there_stays_however_much_it_is(void **state)
{
    struct base b;
    open_base(&b, *state);
    b.retention.max_bytes = 65536;
    for (int i = 1; i <= 64; i++) {
        fabricated_begin(&b.take);
        for (int64_t pid = 1; pid <= 2000; pid++) {
            fabricated_row(&b.take, VT_DB_PROCESSES, pid, false, NULL);
        }
        fabricated_apply(&b.store, &b.take, &b.events, i, &b.changes);
        struct vt_error err;
        assert_int_equal(vt_retention_apply(&b.store, &b.retention, &err), 0);
    }
    assert_int_equal(number(&b, "SELECT count(*) FROM processes"), 2000);
    close_base(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        vt_test_in_dir(what_is_too_old_goes),
        vt_test_in_dir(a_file_that_is_too_large_loses_its_oldest),
        vt_test_in_dir(what_is_there_stays_however_much_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
