/* tests/fuzz/fuzz_sql.c - statements of anybody's, over a database and a guest's live tables.
 *
 * Whatever a statement says, nothing is written, it ends, and it takes no more than it may.
 */
#include "tests/fuzz/fuzz.h"

#include "semantic/schema.h"
#include "semantic/sql_value.h"
#include "tests/unit/guest/synthetic.h"

#include <string.h>
#include <time.h>

#define TEXT_MAX 4096
#define SECONDS_MAX 8 /* far above what is allowed: machines that run fuzzers are busy */
#define MEMORY_MAX (8 << 20)
#define SLACK (32 << 20) /* caches, and what the statement had before it was counted */

static const char rows[] =
    "INSERT INTO boots(release, banner, build_id, text, text_physical, first_seen)"
    " VALUES ('6.1', 'Linux', '', -2130706432, 16777216, 1.5);"
    "INSERT INTO sample(id, number, time, torn, processes, threads, memory_regions, modules, "
    "mounts,"
    " files, sockets) VALUES (1, 1, 2.5, 0, 1, 0, 1, 0, 0, 0, 0);"
    "INSERT INTO processes_history(boot, first_seen, trust, pid, name, args, task)"
    " VALUES (1, 1.5, 'ok', 1, 'init', char(27) || x'ff00', -4096),"
    " (1, 1.5, 'ok', 42, 'sshd', NULL, -8192);"
    "INSERT INTO memory_regions_history(boot, first_seen, trust, pid, kind, start, \"end\", runs)"
    " VALUES (1, 1.5, 'ok', 1, 'stack', 4096, 8192, '[[4096,65536,4096]]'),"
    " (1, 1.5, 'torn', 42, 'heap', 4096, 8192, '[[');";

/* memmem as it is: AddressSanitizer's looks at all of both texts each time it is called, and
 * replace() calls it for every place it finds. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "intercept_memmem=0";
}

struct state {
    sqlite3 *writer;
    struct synthetic synthetic;
    struct vt_target target;
    struct vt_sql *sql;
};

static void set_up(struct state *s)
{
    static const char name[] = "file:/vitrine-fuzz?vfs=memdb";
    struct synthetic_kernel k = synthetic_default();
    k.pages = true;
    synthetic_create(&s->synthetic);
    synthetic_add(&s->synthetic, &k);
    s->target = (struct vt_target){.name = "fuzz", .ram = synthetic_open(&s->synthetic)};
    FUZZ_CHECK(vt_kernel_open(s->target.ram, NULL, &s->target.kernel, NULL) == 0);
    FUZZ_CHECK(sqlite3_open_v2(name, &s->writer,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI,
                               NULL) == SQLITE_OK);
    FUZZ_CHECK(vt_db_migrate(s->writer, name, vt_db_version, NULL) == 0);
    FUZZ_CHECK(sqlite3_exec(s->writer, rows, NULL, NULL, NULL) == SQLITE_OK);
    FUZZ_CHECK(vt_sql_open(name, &s->target, &s->sql, NULL) == 0);
}

static int64_t number(sqlite3 *db, const char *text)
{
    sqlite3_stmt *stmt;
    FUZZ_CHECK(sqlite3_prepare_v2(db, text, -1, &stmt, NULL) == SQLITE_OK);
    FUZZ_CHECK(sqlite3_step(stmt) == SQLITE_ROW);
    int64_t value = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return value;
}

static int on_columns(const char *const *names, unsigned n, void *arg)
{
    char **members = vt_sql_members(names, n);
    FUZZ_CHECK(members != NULL);
    free(members);
    (*(unsigned *)arg)++;
    return 0;
}

static int on_row(const struct vt_sql_value *values, unsigned n, void *arg)
{
    static FILE *out;
    struct vt_json_writer w;
    if (out == NULL) {
        out = fopen("/dev/null", "we");
    }
    FUZZ_CHECK(*(unsigned *)arg == 1);
    vt_json_init(&w, out, false);
    vt_json_array(&w);
    for (unsigned i = 0; i < n; i++) {
        char *text = vt_sql_value_text(&values[i]);
        FUZZ_CHECK((text == NULL) == (values[i].type == VT_SQL_NULL));
        FUZZ_CHECK(values[i].type != VT_SQL_TEXT || values[i].text[values[i].bytes] == '\0');
        vt_json_sql_value(&w, &values[i]);
        free(text);
    }
    vt_json_array_end(&w);
    vt_json_finish(&w);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    static struct state s;
    if (s.sql == NULL) {
        set_up(&s);
    }
    char text[TEXT_MAX + 1];
    size_t n = count < TEXT_MAX ? count : TEXT_MAX;
    memcpy(text, bytes, n);
    text[n] = '\0';
    const struct vt_sql_limits limits = {
        .max_rows = 200, .max_bytes = 256 << 10, .max_memory = MEMORY_MAX, .timeout_ms = 100};
    const int64_t commits = number(s.writer, "PRAGMA data_version");
    const time_t began = time(NULL);
    bool stored, live;
    vt_sql_reads(s.sql, text, &stored, &live, NULL);
    sqlite3_memory_highwater(1);
    for (int again = 0; again < 2; again++) {
        struct vt_error err = {0};
        unsigned told = 0;
        int rc = vt_sql_query(s.sql, text, NULL, 0, &limits, on_columns, on_row, &told, &err);
        FUZZ_CHECK(rc <= 0 && rc == (int)err.code && (rc == 0) == (err.message[0] == '\0'));
        FUZZ_CHECK(rc != 0 || told == 1);
    }
    FUZZ_CHECK(sqlite3_memory_highwater(0) < MEMORY_MAX + SLACK);
    FUZZ_CHECK(time(NULL) - began <= SECONDS_MAX);
    FUZZ_CHECK(number(s.writer, "PRAGMA data_version") == commits);
    FUZZ_CHECK(number(s.writer, "SELECT count(*) FROM processes_history") == 2);
    return 0;
}
