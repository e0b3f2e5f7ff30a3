/* tests/unit/semantic/test_answer.c - what is answered about a guest that is made up: rows in a
 * database, RAM of a synthetic kernel.
 *
 *   test_answer DIR      with the golden questions in DIR
 */
#include "tests/unit/harness.h"

#include "tests/unit/guest/synthetic.h"
#include "tests/unit/semantic/fabricated.h"
#include "vitrine/semantic.h"

#include <jansson.h>
#include <string.h>
#include <time.h>

#define FIRST_TASK 100 /* pids of the synthetic kernel's tasks count from there */

static const char *golden;

struct made_up {
    struct synthetic guest;
    struct vt_target target;
    struct vt_store store;
    struct vt_take take;
    struct vt_events events;
    struct vt_changes changes;
    struct vt_sql *sql;
    double now_s;
    /* once it ended */
    char path[64];
    struct vt_target past;
    struct vt_sql *past_sql;
};

static void process_of(struct made_up *m, int64_t uid, int64_t pid, int64_t ppid, const char *name,
                       const char *args, bool kernel)
{
    const struct fabricated_cell cells[] = {{"pid", NULL, pid},
                                            {"ppid", NULL, ppid},
                                            {"name", name, 0},
                                            {"args", args, 0},
                                            {"state", "S", 0},
                                            {"uid", NULL, uid},
                                            {"kernel", NULL, kernel},
                                            {"threads", NULL, 1},
                                            {"rss_bytes", NULL, 8192 * pid},
                                            {"regions", NULL, 2},
                                            {"page_table", NULL, kernel ? 0 : 0x1000},
                                            {0}};
    fabricated_row(&m->take, VT_DB_PROCESSES, pid, false, cells);
}

static void process(struct made_up *m, int64_t pid, int64_t ppid, const char *name,
                    const char *args, bool kernel)
{
    process_of(m, 0, pid, ppid, name, args, kernel);
}

static void open_file(struct made_up *m, int64_t pid, const char *name, const char *path,
                      int64_t bytes)
{
    const struct fabricated_cell cells[] = {{"pid", NULL, pid},
                                            {"name", name, 0},
                                            {"fd", NULL, 3},
                                            {"kind", "regular", 0},
                                            {"path", path, 0},
                                            {"bytes", NULL, bytes},
                                            {0}};
    fabricated_row(&m->take, VT_DB_FILES, bytes, false, cells);
}

static void listener(struct made_up *m, int64_t pid, const char *name, const char *local,
                     int64_t port)
{
    const struct fabricated_cell cells[] = {
        {"family", "inet", 0},  {"type", "stream", 0}, {"protocol", "tcp", 0},
        {"state", "LISTEN", 0}, {"local", local, 0},   {"local_port", NULL, port},
        {"pid", NULL, pid},     {"name", name, 0},     {0}};
    fabricated_row(&m->take, VT_DB_SOCKETS, port * 1000 + pid, false, cells);
}

static void region(struct made_up *m, int64_t pid, const char *owner, const char *kind,
                   const char *name, int64_t start, int64_t bytes, const char *runs)
{
    const struct fabricated_cell cells[] = {
        {"pid", NULL, pid},         {"owner", owner, 0},
        {"kind", kind, 0},          {"name", name, 0},
        {"start", NULL, start},     {"end", NULL, start + bytes},
        {"permissions", "rw-p", 0}, {"resident_bytes", NULL, bytes},
        {"runs", runs, 0},          {0}};
    fabricated_row(&m->take, VT_DB_REGIONS, start, false, cells);
}

static void sample(struct made_up *m)
{
    fabricated_apply(&m->store, &m->take, &m->events, m->now_s += 10, &m->changes);
    m->changes.quiet = false;
    fabricated_begin(&m->take);
}

/* A small guest with an SSH daemon, a session of it, and one who only listens on its port. */
static void with_ssh(struct made_up *m)
{
    process(m, 1, 0, "init", "init", false);
    process(m, 2, 0, "kthreadd", NULL, true);
    process(m, 10, 1, "sshd", "/usr/sbin/sshd -D", false);
    process(m, 20, 10, "sshd-session", "sshd-session: root", false);
    process(m, FIRST_TASK, 1, "odd\x1b[31m\xff", "odd\n\xff", false);
    listener(m, 10, "sshd", "0.0.0.0:22", 22);
    region(m, 10, "sshd", "heap", "[heap]", 0x500000, 0x4000,
           "[[5242880,4096,8192],[5251072,12288,4096],[5255168,65536,4096]]");
    region(m, 10, "sshd", "stack", "[stack]", 0x7ff000000000, 0x1000,
           "[[140668768878592,16773120,8192]]");
    region(m, 20, "sshd-session", "heap", "[heap]", 0x600000, 0x1000, "[[6291456,131072,4096]]");
    region(m, FIRST_TASK, "odd\x1b[31m\xff", "heap", "[heap]", 0x700000, 0x1000,
           "[[7340032,-4096,4096],[1,2,-3],[7,8,9],[99,oops");
    fabricated_empty(&m->take, VT_DB_MODULES);
    sample(m);
}

static void without_ssh(struct made_up *m)
{
    process(m, 1, 0, "init", "init", false);
    process(m, 2, 0, "kthreadd", NULL, true);
    process(m, FIRST_TASK, 1, "odd\x1b[31m\xff", "odd\n\xff", false);
    fabricated_empty(&m->take, VT_DB_SOCKETS);
    fabricated_empty(&m->take, VT_DB_REGIONS);
    fabricated_empty(&m->take, VT_DB_MODULES);
    sample(m);
}

static int setup(void **state)
{
    static unsigned made;
    struct made_up *m = calloc(1, sizeof *m);
    struct synthetic_kernel kernel = synthetic_default();
    struct vt_error err = {0};
    *state = m;
    if (m == NULL) {
        return -1;
    }
    kernel.pages = true;
    synthetic_create(&m->guest);
    synthetic_add(&m->guest, &kernel);
    m->target = (struct vt_target){.name = "./made-up", .ram = synthetic_open(&m->guest)};
    m->now_s = 1000;
    m->changes.quiet = true;
    fabricated_begin(&m->take);
    snprintf(m->path, sizeof m->path, "file:/test-answer-%u?vfs=memdb", made++);
    if (vt_store_open(&m->store, m->path, &err) != 0 ||
        vt_db_run(m->store.db, m->path,
                  "INSERT INTO boots(id, release, banner, build_id, text, text_physical,"
                  " first_seen) VALUES(1, '6.1.0', 'Linux version 6.1.0', '', 0, 0, 1010)",
                  &err) != 0 ||
        vt_sql_open(m->path, &m->target, &m->sql, &err) != 0) {
        fprintf(stderr, "%s\n", err.message);
        return -1;
    }
    return 0;
}

static int teardown(void **state)
{
    struct made_up *m = *state;
    vt_sql_close(m->past_sql);
    vt_sql_close(m->sql);
    vt_events_fini(&m->events);
    vt_take_fini(&m->take);
    vt_store_close(&m->store);
    vt_kernel_close(m->target.kernel);
    vt_ram_close(m->target.ram);
    synthetic_destroy(&m->guest);
    free(m);
    return 0;
}

static struct vt_answer ask(struct made_up *m, const char *question)
{
    struct vt_answer answer;
    struct vt_error err = {0};
    if (vt_ask(&m->target, m->sql, question, NULL, &answer, &err) != 0) {
        fail_msg("%s: %s", question, err.message);
    }
    return answer;
}

static void expect_text(const struct vt_answer *answer, const char *part)
{
    if (strstr(answer->text, part) == NULL) {
        fail_msg("'%s' is not in '%s'", part, answer->text);
    }
}

static int take_number(const struct vt_sql_value *values, unsigned n, void *arg)
{
    assert_int_equal(n, 1);
    *(int64_t *)arg = values[0].integer;
    return 0;
}

static const char *text_at(const struct vt_answer *answer, size_t row, const char *key)
{
    const char *text = json_string_value(json_object_get(json_array_get(answer->rows, row), key));
    return text != NULL ? text : "(none)";
}

static int64_t number_at(const struct vt_answer *answer, size_t row, const char *key)
{
    return json_integer_value(json_object_get(json_array_get(answer->rows, row), key));
}

/* ---------------------------------------------------------------- processes */

static void a_daemon_is_found_by_what_it_does(void **state)
{
    struct made_up *m = *state;
    with_ssh(m);
    struct vt_answer a = ask(m, "where is the SSH daemon?");
    assert_true(a.understood);
    assert_int_equal(json_array_size(a.rows), 2);
    assert_int_equal(number_at(&a, 0, "pid"), 10); /* who listens comes first */
    assert_string_equal(text_at(&a, 0, "evidence"), "its name, it listens on port 22");
    assert_string_equal(text_at(&a, 1, "evidence"), "its name");
    expect_text(&a, "sshd (pid 10) serves SSH, by its name; it listens on 0.0.0.0:22; 80 KiB "
                    "resident in 2 regions.");
    vt_answer_fini(&a);
}

static void a_port_alone_is_said_to_be_no_proof(void **state)
{
    struct made_up *m = *state;
    process(m, 30, 1, "nc", "nc -l -p 22", false);
    listener(m, 30, "nc", "[::]:22", 22);
    sample(m);
    struct vt_answer a = ask(m, "where is the SSH daemon?");
    assert_int_equal(json_array_size(a.rows), 1);
    assert_string_equal(text_at(&a, 0, "evidence"), "it listens on port 22");
    expect_text(&a, "nc (pid 30) may be one, too: its name says nothing");
    vt_answer_fini(&a);
}

static void what_ended_is_in_the_history(void **state)
{
    struct made_up *m = *state;
    with_ssh(m);
    without_ssh(m);
    struct vt_answer a = ask(m, "where is the SSH daemon?");
    expect_text(&a, "No SSH server is running: no process is called sshd");
    expect_text(&a, "sshd (pid 10)");
    expect_text(&a, " was, from ");
    assert_int_equal(json_array_size(a.rows), 2);
    assert_int_equal(a.n_places, 0);
    vt_answer_fini(&a);
    a = ask(m, "when did the SSH daemon end?");
    assert_int_equal(json_array_size(a.rows), 2);
    expect_text(&a, "and was gone after");
    vt_answer_fini(&a);
    a = ask(m, "what changed in the last minute?");
    expect_text(&a, "processes exited: ");
    assert_int_equal(json_array_size(a.rows), 3); /* two ended, a socket is gone */
    vt_answer_fini(&a);
    a = ask(m, "who listens on port 22?");
    expect_text(&a, "Nothing listens on port 22. sshd (pid 10) did, until ");
    vt_answer_fini(&a);
    a = ask(m, "what ran 10 seconds ago?");
    assert_int_equal(json_array_size(a.rows), 5);
    vt_answer_fini(&a);
}

static void a_pid_that_is_nobodys_is_an_error(void **state)
{
    struct made_up *m = *state;
    struct vt_answer a;
    struct vt_error err = {0};
    with_ssh(m);
    without_ssh(m);
    assert_int_equal(vt_ask(&m->target, m->sql, "memory of pid 4711", NULL, &a, &err),
                     VT_E_NOT_FOUND);
    assert_string_equal(err.message, "./made-up has no process 4711");
    assert_int_equal(vt_ask(&m->target, m->sql, "memory of pid 10", NULL, &a, &err),
                     VT_E_NOT_FOUND);
    assert_non_null(strstr(err.message, "./made-up has no process 10; it was sshd, until"));
}

/* Ends it, noted by a sampler or not, and opens what is left. */
static void end(struct made_up *m, bool noted)
{
    struct vt_error err = {0};
    if (noted) {
        assert_int_equal(vt_store_begin(&m->store, m->now_s + 5, &err), 0);
        assert_int_equal(vt_store_end_boot(&m->store, &err), 0);
        assert_int_equal(
            vt_db_run(m->store.db, "", "UPDATE sample SET boot = NULL, time = time + 5", &err), 0);
        assert_int_equal(vt_store_commit(&m->store, &err), 0);
    }
    m->past = (struct vt_target){.name = "made-up", .ended = true};
    if (vt_sql_open(m->path, &m->past, &m->past_sql, &err) != 0) {
        fail_msg("%s", err.message);
    }
}

static int64_t number_of(struct made_up *m, const char *text)
{
    struct vt_error err = {0};
    int64_t number = -1;
    if (vt_sql_query(m->past_sql, text, NULL, 0, NULL, NULL, take_number, &number, &err) != 0) {
        fail_msg("%s: %s", text, err.message);
    }
    return number;
}

static void expect_past(struct made_up *m, const char *begins)
{
    struct vt_answer a;
    struct vt_error err = {0};
    const char *const asked[] = {"what processes are running?", "where is the SSH daemon?",
                                 "who listens on port 22?"};
    const char *const said[] = {"\n5 processes run: 4 programs", "sshd (pid 10)", "sshd (pid 10)"};
    for (unsigned i = 0; i < 3; i++) {
        if (vt_ask(&m->past, m->past_sql, asked[i], NULL, &a, &err) != 0) {
            fail_msg("%s: %s", asked[i], err.message);
        }
        assert_memory_equal(a.text, begins, strlen(begins));
        expect_text(&a, "its database says, as of ");
        expect_text(&a, said[i]);
        assert_int_equal(a.n_all_places, 0);
        assert_null(a.verb);
        vt_answer_fini(&a);
    }
    assert_int_equal(
        vt_ask(&m->past, m->past_sql, "show me the page tables for PID 1", NULL, &a, &err),
        VT_E_GONE);
    assert_memory_equal(err.message, begins, strlen(begins));
    assert_non_null(strstr(err.message, "only its database is left"));
    static const char *const live[] = {"SELECT * FROM live.ps", "SELECT * FROM ps",
                                       "SELECT * FROM live.maps(1)",
                                       "SELECT * FROM processes JOIN live.modules"};
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(vt_sql_query(m->past_sql, live[i], NULL, 0, NULL, NULL, NULL, NULL, &err),
                         VT_E_GONE);
        assert_string_equal(err.message, "made-up has ended; only its database is left");
    }
    assert_int_equal(number_of(m, "SELECT count(*) FROM processes"), 5);
    assert_int_equal(number_of(m, "SELECT count(*) FROM sockets"), 1);
    assert_int_equal(number_of(m, "SELECT sum(bytes) FROM memory_pages WHERE pid = 10"), 24576);
    assert_int_equal(number_of(m, "SELECT count(*) FROM processes_history"), 6);
    assert_int_equal(vt_sql_query(m->past_sql, "CREATE TEMP VIEW v AS SELECT 1", NULL, 0, NULL,
                                  NULL, NULL, NULL, &err),
                     VT_E_PERM);
}

/* Someone was there before who is not in the last sample. */
static void with_one_who_left(struct made_up *m)
{
    process(m, 7, 1, "gone", "gone", false);
    sample(m);
    with_ssh(m);
}

static void a_vm_that_ended_unseen_is_asked_as_it_was(void **state)
{
    struct made_up *m = *state;
    with_one_who_left(m);
    end(m, false);
    expect_past(m, "made-up has ended; ");
}

static void a_vm_whose_end_was_seen_is_asked_by_its_last_sample(void **state)
{
    struct made_up *m = *state;
    with_one_who_left(m);
    end(m, true);
    expect_past(m, "made-up ended at ");
}

static void processes_are_counted_by_kind(void **state)
{
    struct made_up *m = *state;
    with_ssh(m);
    struct vt_answer a = ask(m, "what processes are running?");
    assert_int_equal(json_array_size(a.rows), 5);
    expect_text(&a, "5 processes run: 4 programs and 1 kernel thread.");
    vt_answer_fini(&a);
}

static void users_are_known_by_number(void **state)
{
    struct made_up *m = *state;
    process_of(m, 33, 50, 10, "worker", "worker", false);
    open_file(m, 10, "sshd", "/var/log/auth", 4096);
    open_file(m, 50, "worker", "/srv/big", 1 << 20);
    with_ssh(m);
    struct vt_answer a = ask(m, "processes of uid 33");
    assert_int_equal(json_array_size(a.rows), 1);
    assert_int_equal(number_at(&a, 0, "pid"), 50);
    vt_answer_fini(&a);
    a = ask(m, "which processes belong to root");
    assert_int_equal(json_array_size(a.rows), 5);
    vt_answer_fini(&a);
    a = ask(m, "files open by root");
    assert_int_equal(json_array_size(a.rows), 1);
    assert_string_equal(text_at(&a, 0, "path"), "/var/log/auth");
    vt_answer_fini(&a);
    a = ask(m, "biggest process of uid 33");
    assert_int_equal(json_array_size(a.rows), 1);
    expect_text(&a, "Most memory of user 33: worker (pid 50) 400 KiB");
    vt_answer_fini(&a);
    a = ask(m, "sockets of uid 33");
    assert_int_equal(json_array_size(a.rows), 0);
    vt_answer_fini(&a);
    a = ask(m, "processes of user www-data");
    assert_false(a.understood);
    expect_text(&a, "known by number");
    vt_answer_fini(&a);
}

static void sizes_are_compared(void **state)
{
    struct made_up *m = *state;
    open_file(m, 10, "sshd", "/var/log/auth", 4096);
    open_file(m, 20, "sshd-session", "/srv/big", 1 << 20);
    with_ssh(m);
    struct vt_answer a = ask(m, "processes larger than 100 KB"); /* 20 has 160 KiB, 100 800 KiB */
    assert_int_equal(json_array_size(a.rows), 2);
    assert_int_equal(number_at(&a, 0, "pid"), 20);
    vt_answer_fini(&a);
    a = ask(m, "files bigger than 4 KiB");
    assert_int_equal(json_array_size(a.rows), 1);
    assert_string_equal(text_at(&a, 0, "path"), "/srv/big");
    vt_answer_fini(&a);
    a = ask(m, "memory regions larger than 4K");
    assert_int_equal(json_array_size(a.rows), 1);
    assert_int_equal(number_at(&a, 0, "pid"), 10);
    vt_answer_fini(&a);
    a = ask(m, "top 10 files by size");
    assert_int_equal(json_array_size(a.rows), 2);
    expect_text(&a, "The biggest open files: /srv/big 1 MiB, /var/log/auth 4 KiB.");
    vt_answer_fini(&a);
}

static void ancestors_go_up_to_the_first(void **state)
{
    struct made_up *m = *state;
    process(m, 60, 61, "hen", "hen", false); /* torn: each started the other */
    process(m, 61, 60, "egg", "egg", false);
    with_ssh(m);
    struct vt_answer a = ask(m, "ancestors of 20");
    assert_int_equal(json_array_size(a.rows), 2);
    assert_int_equal(number_at(&a, 0, "pid"), 10);
    assert_int_equal(number_at(&a, 1, "pid"), 1);
    vt_answer_fini(&a);
    a = ask(m, "ancestors of 60");
    assert_int_equal(json_array_size(a.rows), 2);
    vt_answer_fini(&a);
}

/* The question with "%s" and "%s" as those times of day. */
static struct vt_answer ask_at(struct made_up *m, const char *format, time_t first, time_t second)
{
    char one[16], two[16], question[128];
    struct tm t;
    strftime(one, sizeof one, "%H:%M:%S", localtime_r(&first, &t));
    strftime(two, sizeof two, "%H:%M:%S", localtime_r(&second, &t));
    snprintf(question, sizeof question, format, one, two);
    return ask(m, question);
}

static void times_of_day_are_the_last_ones(void **state)
{
    struct made_up *m = *state;
    with_ssh(m);    /* at 1010 */
    without_ssh(m); /* at 1020 */
    struct vt_answer a = ask_at(m, "what changed since %s", 1015, 0);
    assert_int_equal(json_array_size(a.rows), 3);
    expect_text(&a, "since 1970-01-01 ");
    vt_answer_fini(&a);
    a = ask_at(m, "what changed between %s and %s", 1001, 1015);
    assert_int_equal(json_array_size(a.rows), 0);
    vt_answer_fini(&a);
    a = ask_at(m, "what changed between %s and %s", 1015, 1100); /* still to come */
    assert_int_equal(json_array_size(a.rows), 3);
    vt_answer_fini(&a);
    a = ask_at(m, "what changed since %s", 1100, 0); /* yesterday's */
    assert_int_equal(json_array_size(a.rows), 3);
    vt_answer_fini(&a);
    a = ask_at(m, "what ran at %s", 1010, 0);
    assert_int_equal(json_array_size(a.rows), 5);
    vt_answer_fini(&a);
    a = ask_at(m, "which processes ran between %s and %s", 1014, 1016);
    assert_int_equal(json_array_size(a.rows), 3); /* those that ran through it */
    vt_answer_fini(&a);
    a = ask(m, "what ran yesterday");
    assert_int_equal(json_array_size(a.rows), 0);
    vt_answer_fini(&a);
}

/* ---------------------------------------------------------------- places */

static void pages_become_places(void **state)
{
    struct made_up *m = *state;
    with_ssh(m);
    struct vt_answer a = ask(m, "show the heap of pid 10");
    /* The first two runs go on one behind the other. */
    assert_int_equal(a.n_places, 2);
    assert_int_equal(a.places[0].gva.v, 0x500000);
    assert_int_equal(a.places[0].gpa.v, 0x1000);
    assert_int_equal(a.places[0].bytes, 0x3000);
    assert_int_equal(a.places[0].pid, 10);
    assert_string_equal(a.places[0].label, "sshd [heap]");
    assert_int_equal(a.places[1].gpa.v, 0x10000);
    assert_int_equal(a.place_bytes, 0x4000);
    assert_false(a.places_cut);
    assert_int_equal(a.volume_order, 8); /* 16 MiB */
    struct vt_box box;
    struct vt_error err;
    assert_int_equal(vt_volume_box(8, VT_OFF(0x1000), 0x3000, &box, &err), 0);
    assert_memory_equal(&box, &a.places[0].box, sizeof box);
    vt_answer_fini(&a);
}

static void places_end_where_ram_does(void **state)
{
    struct made_up *m = *state;
    with_ssh(m);
    struct vt_answer a = ask(m, "show the stack of pid 10");
    assert_int_equal(a.n_places, 1);
    assert_int_equal(a.places[0].gpa.v, SYNTHETIC_BYTES - 4096);
    assert_int_equal(a.places[0].bytes, 4096);
    vt_answer_fini(&a);
    a = ask(m, "show the heap of pid 100"); /* whose runs are nonsense */
    assert_int_equal(a.n_places, 0);
    vt_answer_fini(&a);
}

static void page_tables_come_from_ram(void **state)
{
    struct made_up *m = *state;
    char question[64];
    with_ssh(m);
    snprintf(question, sizeof question, "show me the page tables for PID %d", FIRST_TASK);
    struct vt_answer a = ask(m, question);
    assert_true(json_array_size(a.rows) >= 3);
    assert_int_equal(a.place_bytes, 4096 * json_array_size(a.rows));
    assert_string_equal(text_at(&a, 0, "table"), "PML5");
    for (size_t i = 0; i < json_array_size(a.rows); i++) {
        uint64_t present = 0, entry;
        uint64_t at = strtoull(text_at(&a, i, "physical"), NULL, 0);
        /* The lower half of the top table; all of the others. */
        for (unsigned k = 0; k < (i == 0 ? 256 : 512); k++) {
            assert_int_equal(vt_ram_read_u64(m->target.ram, VT_GPA(at + 8 * k), &entry, NULL), 0);
            present += entry & 1;
        }
        assert_int_equal(number_at(&a, i, "present"), present);
    }
    vt_answer_fini(&a);
}

static void the_kernels_pages_are_told_once(void **state)
{
    struct made_up *m = *state;
    uint64_t bytes = 0;
    with_ssh(m);
    struct vt_answer a = ask(m, "show kernel memory allocations");
    assert_int_equal(json_array_size(a.rows), 5);
    uint8_t told[SYNTHETIC_BYTES / 4096] = {0};
    for (size_t i = 0; i < a.n_all_places; i++) {
        for (uint64_t off = 0; off < a.places[i].bytes; off += 4096) {
            assert_int_equal(told[(a.places[i].gpa.v + off) / 4096]++, 0);
        }
    }
    for (size_t i = 0; i < 5; i++) {
        bytes += (uint64_t)number_at(&a, i, "bytes");
    }
    assert_int_equal(bytes, a.place_bytes);
    assert_true(bytes > 0);
    vt_answer_fini(&a);
}

/* ---------------------------------------------------------------- questions that are none */

static void readings_of_an_ambiguous_question_can_be_asked(void **state)
{
    struct made_up *m = *state;
    struct vt_understood u;
    struct vt_error err;
    with_ssh(m);
    struct vt_answer a = ask(m, "show me the memory");
    assert_false(a.understood);
    assert_true(a.readings.n > 1);
    for (unsigned i = 0; i < a.readings.n; i++) {
        expect_text(&a, a.readings.readings[i].reading);
        assert_int_equal(vt_question_parse(a.readings.readings[i].reading, &u, &err), 0);
        assert_int_equal(u.n, 1);
        assert_int_equal(u.readings[0].intent, a.readings.readings[i].intent);
    }
    vt_answer_fini(&a);
}

static void what_is_not_understood_gets_examples(void **state)
{
    struct made_up *m = *state;
    struct vt_answer a;
    struct vt_error err = {0};
    with_ssh(m);
    a = ask(m, "frobnicate the zorkmid");
    assert_false(a.understood);
    expect_text(&a, "frobnicate");
    expect_text(&a, "What processes are running?");
    assert_int_equal(json_array_size(a.rows), 0);
    vt_answer_fini(&a);
    assert_int_equal(vt_ask(&m->target, m->sql, "", NULL, &a, &err), VT_E_INVAL);
}

/* ---------------------------------------------------------------- all of them */

struct counting {
    size_t rows;
};

static int count_row(const struct vt_sql_value *values, unsigned n, void *arg)
{
    (void)values;
    (void)n;
    ((struct counting *)arg)->rows++;
    return 0;
}

/* What must be so of any answer. */
static void check(struct made_up *m, const char *question, const struct vt_answer *a)
{
    struct vt_error err = {0};
    assert_true(a->text != NULL && a->text[0] != '\0');
    for (const char *c = a->text; *c != '\0'; c++) {
        if (((unsigned char)*c < ' ' && *c != '\n') || *c == 0x7f) {
            fail_msg("%s: control characters in '%s'", question, a->text);
        }
    }
    assert_true(json_is_array(a->rows));
    size_t members = json_object_size(json_array_get(a->rows, 0));
    for (size_t i = 0; i < json_array_size(a->rows); i++) {
        assert_int_equal(json_object_size(json_array_get(a->rows, i)), members);
    }
    uint64_t bytes = 0;
    for (size_t i = 0; i < a->n_all_places; i++) {
        struct vt_off off;
        assert_int_equal(vt_ram_offset(m->target.ram, a->places[i].gpa, &off, NULL, &err), 0);
        assert_true(off.v + a->places[i].bytes <= SYNTHETIC_BYTES);
        bytes += a->places[i].bytes;
    }
    assert_int_equal(bytes, a->place_bytes);
    if (a->sql != NULL && !a->rows_cut) {
        struct counting counting = {0};
        if (vt_sql_query(m->sql, a->sql, NULL, 0, NULL, NULL, count_row, &counting, &err) != 0) {
            fail_msg("%s: %s: %s", question, a->sql, err.message);
        }
        assert_int_equal(counting.rows, json_array_size(a->rows));
    }
}

/* A kernel of a few symbols lacks most of what nouns need: that is said, and nothing else fails. */
static void every_golden_question_has_an_answer(void **state)
{
    struct made_up *m = *state;
    static const char *const files[] = {"understood.txt", "ambiguous.txt", "refused.txt"};
    unsigned asked = 0, answered = 0, past_answered = 0;
    with_ssh(m);
    end(m, false);
    for (unsigned f = 0; f < 3; f++) {
        char path[512], line[1024];
        snprintf(path, sizeof path, "%s/%s", golden, files[f]);
        FILE *in = fopen(path, "re");
        assert_non_null(in);
        while (fgets(line, sizeof line, in) != NULL) {
            struct vt_answer a;
            struct vt_error err = {0};
            char *end = strstr(line, " -> ");
            if (line[0] == '#' || end == NULL) {
                continue;
            }
            *end = '\0';
            asked++;
            int rc = vt_ask(&m->target, m->sql, line, NULL, &a, &err);
            if (rc == 0) {
                check(m, line, &a);
                answered++;
                vt_answer_fini(&a);
            } else if (rc != VT_E_NOT_FOUND && rc != VT_E_UNSUPPORTED) {
                fail_msg("%s: %s", line, err.message);
            }
            rc = vt_ask(&m->past, m->past_sql, line, NULL, &a, &err);
            if (rc == 0) {
                past_answered++;
                vt_answer_fini(&a);
            } else if (rc != VT_E_GONE && rc != VT_E_NOT_FOUND) {
                fail_msg("%s, of one that ended: %s", line, err.message);
            }
        }
        fclose(in);
    }
    assert_true(asked >= 150);
    assert_true(answered * 10 >= asked * 6);
    assert_true(past_answered * 10 >= asked * 4);
}

static void asking_can_be_stopped(void **state)
{
    struct made_up *m = *state;
    struct vt_answer a;
    struct vt_error err = {0};
    const volatile int stop = 1;
    with_ssh(m);
    assert_int_equal(vt_ask(&m->target, m->sql, "what processes are running?", &stop, &a, &err),
                     VT_E_INTERRUPTED);
}

#define WITH(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        WITH(a_daemon_is_found_by_what_it_does),
        WITH(a_port_alone_is_said_to_be_no_proof),
        WITH(what_ended_is_in_the_history),
        WITH(a_pid_that_is_nobodys_is_an_error),
        WITH(a_vm_that_ended_unseen_is_asked_as_it_was),
        WITH(a_vm_whose_end_was_seen_is_asked_by_its_last_sample),
        WITH(processes_are_counted_by_kind),
        WITH(users_are_known_by_number),
        WITH(sizes_are_compared),
        WITH(ancestors_go_up_to_the_first),
        WITH(times_of_day_are_the_last_ones),
        WITH(pages_become_places),
        WITH(places_end_where_ram_does),
        WITH(page_tables_come_from_ram),
        WITH(the_kernels_pages_are_told_once),
        WITH(readings_of_an_ambiguous_question_can_be_asked),
        WITH(what_is_not_understood_gets_examples),
        WITH(every_golden_question_has_an_answer),
        WITH(asking_can_be_stopped),
    };
    golden = argc > 1 ? argv[1] : ".";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
