/* tests/unit/semantic/test_sampler.c - samples of a small Linux that is made up byte by byte. */
#include "tests/unit/harness.h"

#include "tests/unit/guest/synthetic.h"
#include "tests/unit/semantic/fabricated.h"
#include "vitrine/semantic.h"

#include <string.h>

struct guest {
    struct synthetic s;
    struct synthetic_kernel k;
    struct vt_target target;
    struct vt_sampler *sampler;
    struct vt_sample sample;
    char path[VT_VM_PATH_MAX], told[4096];
    sqlite3 *db; /* a reader */
};

static void on_event(const struct vt_event *event, void *arg)
{
    struct guest *g = arg;
    size_t n = strlen(g->told);
    snprintf(g->told + n, sizeof g->told - n, "%s %s %d;", event->kind,
             event->name != NULL ? event->name : "-", event->pid);
    char sql[256];
    /* It is committed by now, with the id that is told. */
    snprintf(sql, sizeof sql, "SELECT count(*) FROM events WHERE id = %lld AND kind = '%s'",
             (long long)event->id, event->kind);
    assert_string_equal(fabricated_query(g->db, sql), "1");
}

static void open_sampler(struct guest *g)
{
    struct vt_error err = {0};
    const struct vt_sampler_options options = {.path = g->path};
    if (vt_sampler_create(&g->target, &options, &g->sampler, &err) != 0) {
        fail_msg("%s", err.message);
    }
    vt_sampler_on_event(g->sampler, on_event, g);
}

static void open_guest(struct guest *g, const char *dir)
{
    struct vt_error err = {0};
    *g = (struct guest){.k = synthetic_default()};
    g->k.modules = true;
    synthetic_create(&g->s);
    synthetic_add(&g->s, &g->k);
    g->target = (struct vt_target){.name = "made-up", .ram = synthetic_open(&g->s)};
    snprintf(g->path, sizeof g->path, "%s/vm.db", dir);
    assert_int_equal(vt_kernel_open(g->target.ram, NULL, &g->target.kernel, &err), 0);
    open_sampler(g);
    assert_int_equal(sqlite3_open_v2(g->path, &g->db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
}

static void close_guest(struct guest *g)
{
    struct vt_error err = {0};
    sqlite3_close(g->db);
    vt_sampler_destroy(g->sampler);
    vt_target_close(&g->target, &err);
    synthetic_destroy(&g->s);
}

static void tick(struct guest *g)
{
    struct vt_error err = {0};
    g->told[0] = '\0';
    if (vt_sampler_tick(g->sampler, &g->sample, &err) != 0) {
        fail_msg("%s", err.message);
    }
}

#define expect(sql, want) assert_string_equal(fabricated_query(g.db, sql), want)

static void the_first_sample_is_all_there_is(void **state)
{
    struct guest g;
    open_guest(&g, *state);
    tick(&g);
    assert_int_equal(g.sample.number, 1);
    assert_int_equal(g.sample.rows, 12 + 2);
    assert_int_equal(g.sample.appeared, 12 + 2);
    assert_int_equal(g.sample.events, 1);
    assert_false(g.sample.torn);
    assert_string_equal(g.told, "booted 6.1.0-test 0;");
    expect("SELECT count(*) FROM processes", "12");
    expect("SELECT pid || name || args || ppid || uid FROM processes WHERE id = 3",
           "102task-2/sbin/daemon -x1011002");
    expect("SELECT args IS NULL AND page_table IS NULL FROM processes WHERE pid = 101", "1");
    expect("SELECT count(*) FROM processes WHERE last_seen = (SELECT time FROM sample)", "12");
    expect("SELECT group_concat(name) FROM (SELECT name FROM modules ORDER BY name)",
           "beta,net_alpha");
    /* What the kernel could not be asked is not there. */
    expect("SELECT files + sockets + mounts FROM sample", "0");
    char want[32];
    snprintf(want, sizeof want, "%lld",
             (long long)synthetic_direct(&g.k, synthetic_task_pa(&g.k, 5)));
    expect("SELECT task FROM processes WHERE pid = 105", want);
    close_guest(&g);
}

static void symbols_are_those_of_the_kernel_and_its_modules(void **state)
{
    struct guest g;
    char want[64];
    open_guest(&g, *state);
    tick(&g);
    struct vt_gva at;
    assert_int_equal(vt_kernel_symbol(g.target.kernel, "init_task", &at, NULL), 0);
    snprintf(want, sizeof want, "%lld", (long long)at.v);
    expect("SELECT address FROM symbols WHERE name = 'init_task'", want);
    snprintf(want, sizeof want, "%zu", vt_kernel_symbols(g.target.kernel));
    expect("SELECT count(*) FROM symbols WHERE module IS NULL", want);
    expect(
        "SELECT group_concat(module) FROM (SELECT DISTINCT module FROM symbols WHERE module IS NOT "
        "NULL ORDER BY module)",
        "beta,net_alpha");
    expect("SELECT symbols = (SELECT count(*) FROM symbols) FROM boots", "1");
    expect("SELECT count(*) FROM symbols AS s WHERE module IS NULL AND size IS NOT NULL AND NOT "
           "EXISTS(SELECT 1 FROM symbols AS t WHERE t.address = s.address + s.size)",
           "0");
    close_guest(&g);
}

static void nothing_new_writes_nothing_but_the_sample(void **state)
{
    struct guest g;
    open_guest(&g, *state);
    tick(&g);
    tick(&g);
    assert_int_equal(g.sample.number, 2);
    assert_int_equal(g.sample.appeared + g.sample.gone + g.sample.changed + g.sample.events, 0);
    expect("SELECT number FROM sample", "2");
    expect("SELECT count(*) FROM processes_history", "12");
    close_guest(&g);
}

static void a_change_in_ram_is_a_change_in_the_database(void **state)
{
    struct guest g;
    open_guest(&g, *state);
    tick(&g);
    memcpy(g.s.ram + synthetic_task_pa(&g.k, 2) + TASK_COMM, "renamed", 8);
    synthetic_put(&g.s, synthetic_task_pa(&g.k, 4) + TASK_PID, 777, 4);
    synthetic_put(&g.s, synthetic_task_pa(&g.k, 4) + TASK_TGID, 777, 4);
    tick(&g);
    assert_non_null(strstr(g.told, "renamed renamed 102;"));
    assert_non_null(strstr(g.told, "started task-4 777;"));
    assert_non_null(strstr(g.told, "exited task-4 104;"));
    expect("SELECT count(*) FROM processes_history", "13");
    close_guest(&g);
}

static void a_list_that_breaks_ends_nobody(void **state)
{
    struct guest g;
    uint64_t next;
    open_guest(&g, *state);
    tick(&g);
    uint64_t link = synthetic_task_pa(&g.k, 4) + TASK_TASKS;
    memcpy(&next, g.s.ram + link, sizeof next);
    synthetic_put(&g.s, link, 0x10, 8);
    tick(&g);
    assert_true(g.sample.torn);
    assert_int_equal(g.sample.gone, 0);
    expect("SELECT count(*) FROM processes", "12");
    expect("SELECT torn FROM sample", "1");
    synthetic_put(&g.s, link, next, 8);
    tick(&g);
    assert_false(g.sample.torn);
    expect("SELECT count(*) FROM processes_history", "12");
    expect("SELECT count(*) FROM events", "1");
    close_guest(&g);
}

static void another_sampler_goes_on_from_there(void **state)
{
    struct guest g;
    open_guest(&g, *state);
    tick(&g);
    vt_sampler_destroy(g.sampler);
    synthetic_put(&g.s, synthetic_task_pa(&g.k, 4) + TASK_PID, 777, 4);
    synthetic_put(&g.s, synthetic_task_pa(&g.k, 4) + TASK_TGID, 777, 4);
    open_sampler(&g);
    tick(&g);
    assert_int_equal(g.sample.number, 2);
    assert_int_equal(g.sample.appeared, 1);
    assert_int_equal(g.sample.gone, 1);
    expect("SELECT count(*) FROM boots", "1");
    expect("SELECT p.last_seen = b.first_seen FROM processes_history AS p, boots AS b WHERE "
           "p.pid = 104",
           "1");
    close_guest(&g);
}

static void another_kernel_is_another_boot(void **state)
{
    struct guest g;
    struct vt_error err = {0};
    open_guest(&g, *state);
    tick(&g);
    /* As after a reset: RAM holds another kernel, elsewhere. */
    vt_kernel_close(g.target.kernel);
    memset(g.s.ram, 0, SYNTHETIC_BYTES);
    g.k.release = "6.2.0-next";
    g.k.slide += 0x200000;
    g.k.tasks = 5;
    synthetic_add(&g.s, &g.k);
    assert_int_equal(vt_kernel_open(g.target.ram, NULL, &g.target.kernel, &err), 0);
    tick(&g);
    assert_string_equal(g.told, "ended - 0;booted 6.2.0-next 0;");
    expect("SELECT count(*) FROM processes", "5");
    expect("SELECT count(*) FROM processes WHERE boot = 2", "5");
    expect("SELECT count(*) FROM processes_history WHERE boot = 1 AND last_seen IS NOT NULL", "12");
    expect("SELECT group_concat(last_seen IS NULL) FROM boots", "0,1");
    expect("SELECT count(DISTINCT boot) FROM symbols_history", "1");
    expect("SELECT group_concat(kind || boot) FROM events", "booted1,ended1,booted2");
    close_guest(&g);
}

static void a_kernel_without_processes_is_no_boot_yet(void **state)
{
    struct guest g;
    struct vt_error err = {0};
    struct vt_sample none;
    open_guest(&g, *state);
    tick(&g);
    /* As while it boots: unpacked where it was linked to, then moved, then running. */
    uint64_t slide = g.k.slide;
    for (unsigned step = 0; step < 3; step++) {
        vt_kernel_close(g.target.kernel);
        memset(g.s.ram, 0, SYNTHETIC_BYTES);
        g.k.slide = step == 0 ? 0 : slide + 0x200000;
        g.k.tasks = step == 2 ? 5 : 0;
        synthetic_add(&g.s, &g.k);
        assert_int_equal(vt_kernel_open(g.target.ram, NULL, &g.target.kernel, &err), 0);
        if (step < 2) {
            assert_int_equal(vt_sampler_tick(g.sampler, &none, &err), VT_E_NOT_FOUND);
            assert_null(g.target.kernel);
            expect("SELECT group_concat(kind || boot) FROM events", "booted1");
        }
    }
    tick(&g);
    assert_string_equal(g.told, "ended - 0;booted 6.1.0-test 0;");
    expect("SELECT count(*) FROM boots", "2");
    close_guest(&g);
}

static void ram_without_a_kernel_leaves_the_last_sample(void **state)
{
    struct guest g;
    struct vt_error err = {0};
    struct vt_sample none;
    open_guest(&g, *state);
    tick(&g);
    vt_kernel_close(g.target.kernel);
    g.target.kernel = NULL;
    memset(g.s.ram, 0, SYNTHETIC_BYTES);
    assert_int_equal(vt_sampler_tick(g.sampler, &none, &err), VT_E_NOT_FOUND);
    expect("SELECT count(*) FROM processes", "12");
    expect("SELECT number FROM sample", "1");
    synthetic_add(&g.s, &g.k);
    tick(&g);
    assert_int_equal(g.sample.number, 2);
    expect("SELECT count(*) FROM processes_history", "12");
    close_guest(&g);
}

static void saved_ram_has_a_database_in_memory(void **state)
{
    struct guest g;
    struct vt_error err = {0};
    struct vt_sampler *sampler;
    struct vt_sample sample;
    open_guest(&g, *state);
    assert_int_equal(vt_sampler_create(&g.target, NULL, &sampler, &err), 0);
    assert_int_equal(vt_sampler_tick(sampler, &sample, &err), 0);
    assert_int_equal(sample.rows, 14);
    vt_sampler_destroy(sampler);
    close_guest(&g);
}

static void a_second_sampler_is_refused(void **state)
{
    struct guest g;
    struct vt_error err = {0};
    struct vt_sampler *second;
    char want[64];
    open_guest(&g, *state);
    const struct vt_sampler_options options = {.path = g.path};
    assert_int_equal(vt_sampler_create(&g.target, &options, &second, &err), VT_E_BUSY);
    snprintf(want, sizeof want, "process %d", (int)getpid());
    assert_non_null(strstr(err.message, want));
    close_guest(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        vt_test_in_dir(the_first_sample_is_all_there_is),
        vt_test_in_dir(symbols_are_those_of_the_kernel_and_its_modules),
        vt_test_in_dir(nothing_new_writes_nothing_but_the_sample),
        vt_test_in_dir(a_change_in_ram_is_a_change_in_the_database),
        vt_test_in_dir(a_list_that_breaks_ends_nobody),
        vt_test_in_dir(another_sampler_goes_on_from_there),
        vt_test_in_dir(another_kernel_is_another_boot),
        vt_test_in_dir(a_kernel_without_processes_is_no_boot_yet),
        vt_test_in_dir(ram_without_a_kernel_leaves_the_last_sample),
        vt_test_in_dir(saved_ram_has_a_database_in_memory),
        vt_test_in_dir(a_second_sampler_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
