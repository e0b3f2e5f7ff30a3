/* tests/unit/semantic/test_changes.c - what becomes of rows from one sample to the next. */
#include "tests/unit/harness.h"

#include "tests/unit/semantic/fabricated.h"

#include <string.h>

struct base {
    struct vt_store store;
    struct vt_take take;
    struct vt_events events;
    struct vt_changes changes;
    double now_s;
    char modules[256];
};

static int told_module(const char *name, bool live, void *arg, struct vt_error *err)
{
    struct base *b = arg;
    size_t n = strlen(b->modules);
    (void)err;
    snprintf(b->modules + n, sizeof b->modules - n, "%s%s ", live ? "+" : "-", name);
    return 0;
}

static int setup(void **state)
{
    struct base *b = calloc(1, sizeof *b);
    struct vt_error err = {0};
    *state = b;
    b->now_s = 1000;
    b->changes.module = told_module;
    b->changes.arg = b;
    b->changes.quiet = true;
    return b == NULL ? -1 : vt_store_open(&b->store, ":memory:", &err);
}

static int teardown(void **state)
{
    struct base *b = *state;
    vt_events_fini(&b->events);
    vt_take_fini(&b->take);
    vt_store_close(&b->store);
    free(b);
    return 0;
}

static void begin(struct base *b)
{
    fabricated_begin(&b->take);
}

static void apply(struct base *b)
{
    fabricated_apply(&b->store, &b->take, &b->events, ++b->now_s, &b->changes);
    b->changes.quiet = false;
}

static void process(struct base *b, int64_t pid, const char *name, bool torn)
{
    const struct fabricated_cell cells[] = {{"name", name, 0}, {"state", "S", 0}, {0}};
    fabricated_row(&b->take, VT_DB_PROCESSES, pid, torn, cells);
}

static void expect(struct base *b, const char *sql, const char *want)
{
    assert_string_equal(fabricated_query(b->store.db, sql), want);
}

#define EVENTS                                                                                     \
    "SELECT group_concat(kind || ' ' || name, ', ') FROM events WHERE time = "                     \
    "(SELECT time FROM sample)"

static void processes_come_go_and_are_renamed(void **state)
{
    struct base *b = *state;
    begin(b);
    process(b, 1, "init", false);
    process(b, 2, "sh", false);
    apply(b);
    expect(b, "SELECT count(*) FROM events", "0"); /* they were there before us */
    expect(b, "SELECT group_concat(name) FROM processes", "init,sh");
    begin(b);
    process(b, 1, "init", false);
    process(b, 2, "cat", false);
    process(b, 3, "ls", false);
    apply(b);
    expect(b, EVENTS, "renamed cat, started ls");
    begin(b);
    process(b, 1, "init", false);
    apply(b);
    expect(b, "SELECT count(*) FROM events WHERE kind = 'exited'", "2");
    expect(b, "SELECT group_concat(name) FROM processes", "init");
    expect(b, "SELECT first_seen || ' ' || last_seen FROM processes_history WHERE name = 'ls'",
           "1002.0 1002.0");
    expect(b, "SELECT first_seen || ' ' || last_seen FROM processes", "1001.0 1003.0");
    expect(b, "SELECT last_seen IS NULL FROM processes_history WHERE name = 'init'", "1");
}

static void what_stays_is_not_written(void **state)
{
    struct base *b = *state;
    for (int i = 0; i < 3; i++) {
        begin(b);
        process(b, 1, "init", false);
        process(b, 2, "sh", false);
        apply(b);
    }
    assert_int_equal(b->store.writes, 0);
    assert_int_equal(b->changes.changed, 0);
    assert_int_equal(b->changes.rows, 2);
}

static void a_pid_that_is_used_again_is_another_process(void **state)
{
    struct base *b = *state;
    const struct fabricated_cell first[] = {{"pid", NULL, 9}, {"name", "a", 0}, {0}};
    begin(b);
    fabricated_row(&b->take, VT_DB_PROCESSES, 100, false, first);
    apply(b);
    begin(b);
    fabricated_row(&b->take, VT_DB_PROCESSES, 101, false, first);
    apply(b);
    expect(b, "SELECT group_concat(kind) FROM (SELECT kind FROM events ORDER BY kind)",
           "exited,started");
    expect(b, "SELECT count(*) FROM processes_history", "2");
}

static void a_torn_row_keeps_what_was_known_and_makes_no_events(void **state)
{
    struct base *b = *state;
    begin(b);
    process(b, 1, "init", false);
    apply(b);
    begin(b);
    process(b, 1, "nonsense", true);
    process(b, 2, "doubtful", true);
    apply(b);
    expect(b, "SELECT count(*) FROM events", "0");
    expect(b, "SELECT group_concat(name || ' ' || trust) FROM processes",
           "init torn,doubtful torn");
    begin(b);
    process(b, 1, "init", false);
    process(b, 2, "sure", false); /* only now it is known to have started */
    apply(b);
    expect(b, EVENTS, "started sure");
    expect(b, "SELECT group_concat(name || ' ' || trust) FROM processes", "init ok,sure ok");
    begin(b);
    process(b, 1, "init", false);
    process(b, 3, "ghost", true);
    apply(b);
    begin(b);
    process(b, 1, "init", false);
    apply(b);
    expect(b, "SELECT count(*) FROM events WHERE name = 'ghost'", "0"); /* never seen sound */
    expect(b, "SELECT last_seen FROM processes_history WHERE name = 'ghost'", "1004.0");
}

static void a_torn_walk_ends_nothing(void **state)
{
    struct base *b = *state;
    begin(b);
    process(b, 1, "init", false);
    process(b, 2, "sh", false);
    apply(b);
    for (unsigned i = 0; i < 29; i++) {
        begin(b);
        process(b, 1, "init", false);
        b->take.tables[VT_DB_PROCESSES].torn = true;
        apply(b);
        expect(b, "SELECT count(*) FROM processes", "2");
    }
    begin(b);
    process(b, 1, "init", false);
    b->take.tables[VT_DB_PROCESSES].torn = true;
    apply(b);
    expect(b, "SELECT count(*) FROM processes", "1"); /* or it would grow for ever */
    expect(b, "SELECT count(*) FROM events", "0");
}

static void a_table_that_was_not_looked_at_stays(void **state)
{
    struct base *b = *state;
    begin(b);
    fabricated_row(&b->take, VT_DB_MOUNTS, 1, false, NULL);
    apply(b);
    begin(b);
    apply(b);
    expect(b, "SELECT count(*) FROM mounts", "1");
    begin(b);
    fabricated_empty(&b->take, VT_DB_MOUNTS);
    apply(b);
    expect(b, "SELECT count(*) FROM mounts", "0");
    expect(b, "SELECT group_concat(kind) FROM events", "unmounted");
}

static void file(struct base *b, int64_t pid, int64_t fd, const char *path)
{
    const struct fabricated_cell cells[] = {
        {"pid", NULL, pid}, {"fd", NULL, fd}, {"path", path, 0}, {"name", "p", 0}, {0}};
    fabricated_row(&b->take, VT_DB_FILES, fd, false, cells);
}

static void files_belong_to_their_process(void **state)
{
    struct base *b = *state;
    begin(b);
    process(b, 1, "init", false);
    file(b, 1, 0, "/dev/null");
    apply(b);
    begin(b);
    process(b, 1, "init", false);
    process(b, 2, "new", false);
    file(b, 1, 0, "/dev/null");
    file(b, 1, 3, "/etc/passwd");
    file(b, 2, 4, "/came/with/it");
    apply(b);
    expect(b, "SELECT group_concat(detail, '; ') FROM events WHERE noun = 'files'",
           "p (pid 1) opened /etc/passwd as 3");
    expect(b,
           "SELECT group_concat(p.name || f.fd) FROM files f JOIN processes p ON p.id = f.process",
           "init0,init3,new4");
    begin(b);
    process(b, 1, "init", false);
    file(b, 1, 0, "/dev/null");
    apply(b);
    expect(b, "SELECT group_concat(detail, '; ') FROM events WHERE kind = 'closed'",
           "p (pid 1) closed /etc/passwd as 3");
    const struct fabricated_cell cwd[] = {{"pid", NULL, 1}, {"fd", "cwd", 0}, {0}};
    begin(b);
    process(b, 1, "init", false);
    file(b, 1, 0, "/dev/null");
    fabricated_row(&b->take, VT_DB_FILES, 9, false, cwd);
    apply(b);
    expect(b, "SELECT count(*) FROM events WHERE kind = 'opened'", "1"); /* nobody opens a cwd */
    expect(b, "SELECT group_concat(typeof(fd)) FROM files", "integer,text");
}

static void what_a_process_had_goes_with_it_also_when_the_walk_is_torn(void **state)
{
    struct base *b = *state;
    begin(b);
    process(b, 1, "init", false);
    process(b, 2, "sh", false);
    file(b, 1, 0, "/a");
    file(b, 2, 1, "/b");
    apply(b);
    begin(b);
    process(b, 1, "init", false);
    fabricated_empty(&b->take, VT_DB_FILES);
    b->take.tables[VT_DB_FILES].torn = true;
    apply(b);
    expect(b, "SELECT group_concat(path) FROM files", "/a");
}

static void very_many_files_are_told_of_in_short(void **state)
{
    struct base *b = *state;
    begin(b);
    process(b, 1, "init", false);
    fabricated_empty(&b->take, VT_DB_FILES);
    apply(b);
    begin(b);
    process(b, 1, "init", false);
    for (int64_t i = 0; i < VT_EVENTS_FILES_MAX + 44; i++) {
        file(b, 1, i, "/x");
    }
    apply(b);
    expect(b, "SELECT count(*) FROM events WHERE row IS NOT NULL", "256");
    expect(b, "SELECT detail FROM events WHERE row IS NULL",
           "44 more files were opened in that second");
    expect(b, "SELECT count(*) FROM files", "300");
}

static void sock(struct base *b, const char *state, const char *local)
{
    const struct fabricated_cell cells[] = {
        {"state", state, 0}, {"local", local, 0},   {"protocol", "tcp", 0},   {"name", "sshd", 0},
        {"pid", NULL, 7},    {"family", "inet", 0}, {"local_port", NULL, 22}, {0}};
    fabricated_row(&b->take, VT_DB_SOCKETS, 1, false, cells);
}

static void listening_begins_and_ends(void **state)
{
    struct base *b = *state;
    begin(b);
    sock(b, "CLOSE", "0.0.0.0:0");
    apply(b);
    begin(b);
    sock(b, "LISTEN", "0.0.0.0:22");
    apply(b);
    expect(b, "SELECT group_concat(kind || ': ' || detail) FROM events",
           "listening: sshd (pid 7) listens on tcp 0.0.0.0:22");
    begin(b);
    fabricated_empty(&b->take, VT_DB_SOCKETS);
    apply(b);
    expect(b, EVENTS, "not_listening sshd");
}

static void modules_bring_their_symbols(void **state)
{
    struct base *b = *state;
    struct fabricated_cell cells[] = {{"name", "loop", 0}, {"state", "Loading", 0}, {0}};
    begin(b);
    fabricated_empty(&b->take, VT_DB_MODULES);
    apply(b);
    begin(b);
    fabricated_row(&b->take, VT_DB_MODULES, 1, false, cells);
    apply(b);
    assert_string_equal(b->modules, ""); /* they are not there yet */
    expect(b, EVENTS, "loaded loop");
    cells[1].text = "Live";
    begin(b);
    fabricated_row(&b->take, VT_DB_MODULES, 1, false, cells);
    apply(b);
    assert_string_equal(b->modules, "+loop ");
    begin(b);
    fabricated_empty(&b->take, VT_DB_MODULES);
    apply(b);
    assert_string_equal(b->modules, "+loop -loop ");
    expect(b, EVENTS, "unloaded loop");
}

static void a_row_that_is_said_twice_is_one(void **state)
{
    struct base *b = *state;
    begin(b);
    process(b, 1, "init", false);
    process(b, 1, "again", false);
    apply(b);
    expect(b, "SELECT group_concat(name) FROM processes", "init");
}

static void texts_of_any_bytes_come_back(void **state)
{
    struct base *b = *state;
    static const char rude[] = "\x1b[31m\xff\xfe'\";--\n";
    begin(b);
    process(b, 1, rude, false);
    apply(b);
    expect(b, "SELECT name FROM processes", rude);
    vt_store_rollback(&b->store); /* forgets what is in memory, so that it is read from the file */
    begin(b);
    process(b, 1, rude, false);
    apply(b);
    assert_int_equal(b->store.writes, 0);
}

static void changes_are_one_list(void **state)
{
    struct base *b = *state;
    struct vt_error err;
    assert_int_equal(vt_db_run(b->store.db, "",
                               "INSERT INTO boots(id, release, banner, build_id, text, "
                               "text_physical, first_seen) VALUES(1, '', '', '', 0, 0, 1001)",
                               &err),
                     0);
    begin(b);
    process(b, 1, "init", false);
    apply(b);
    expect(b, "SELECT count(*) FROM changes", "0");
    begin(b);
    process(b, 2, "sh", false);
    apply(b);
    expect(b,
           "SELECT group_concat(time || change || noun || pid || name, ' ') FROM (SELECT * FROM "
           "changes ORDER BY time)",
           "1001.0goneprocesses1init 1002.0appearedprocesses2sh");
}

#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(processes_come_go_and_are_renamed),
        test(what_stays_is_not_written),
        test(a_pid_that_is_used_again_is_another_process),
        test(a_torn_row_keeps_what_was_known_and_makes_no_events),
        test(a_torn_walk_ends_nothing),
        test(a_table_that_was_not_looked_at_stays),
        test(files_belong_to_their_process),
        test(what_a_process_had_goes_with_it_also_when_the_walk_is_torn),
        test(very_many_files_are_told_of_in_short),
        test(listening_begins_and_ends),
        test(modules_bring_their_symbols),
        test(a_row_that_is_said_twice_is_one),
        test(texts_of_any_bytes_come_back),
        test(changes_are_one_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
