/* tests/unit/semantic/test_sql_threads.c - statements of several threads at once: each has its own
 * share of memory, and one that takes too much takes it from nobody.
 */
#include "tests/unit/harness.h"

#include "vitrine/semantic.h"

#include <pthread.h>

#define GREEDY 3
#define ROUNDS 20

/* Some 4 MiB while it is sorted. */
static const char modest[] =
    "WITH RECURSIVE c(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM c WHERE x < 2000) "
    "SELECT sum(length(y)) FROM (SELECT printf('%.*c', 2000, 'y') AS y FROM c ORDER BY -x)";
static const char greedy[] = "WITH RECURSIVE c(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM c) "
                             "SELECT printf('%.*c', 10000, 'y') AS y FROM c ORDER BY y, -x";

static int on_row(const struct vt_sql_value *values, unsigned n, void *arg)
{
    (void)n;
    *(int64_t *)arg = values[0].integer;
    return 0;
}

static void *take_too_much(void *arg)
{
    static const struct vt_sql_limits limits = {.max_memory = 2 << 20, .timeout_ms = 60000};
    struct vt_sql *sql;
    int64_t sum;
    unsigned *right = arg;
    if (vt_sql_open(NULL, NULL, &sql, NULL) != 0) {
        return NULL;
    }
    for (int i = 0; i < ROUNDS; i++) {
        *right +=
            vt_sql_query(sql, greedy, NULL, 0, &limits, NULL, on_row, &sum, NULL) == VT_E_LIMIT;
    }
    vt_sql_close(sql);
    return NULL;
}

static void each_has_its_own(void **state)
{
    pthread_t threads[GREEDY];
    unsigned right[GREEDY] = {0};
    static const struct vt_sql_limits limits = {.max_memory = 16 << 20, .timeout_ms = 60000};
    struct vt_sql *sql;
    (void)state;
    assert_int_equal(vt_sql_open(NULL, NULL, &sql, NULL), 0);
    for (unsigned i = 0; i < GREEDY; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, take_too_much, &right[i]), 0);
    }
    for (int i = 0; i < ROUNDS; i++) {
        struct vt_error err = {0};
        int64_t sum = 0;
        vt_sql_query(sql, modest, NULL, 0, &limits, NULL, on_row, &sum, &err);
        assert_string_equal(err.message, "");
        assert_int_equal(sum, 2000 * 2000);
    }
    for (unsigned i = 0; i < GREEDY; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(right[i], ROUNDS);
    }
    vt_sql_close(sql);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_has_its_own)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
