/* semantic/sampler.c - one sample after the other into a VM's database. See vitrine/semantic.h.
 *
 * A tick takes a look at the guest (take.c), compares it with what is known (changes.c), and
 * commits the difference with its events and the row of `sample`: whoever reads sees all of it or
 * nothing. The symbols of a boot follow in a transaction of their own.
 */
#include "base/io.h"
#include "semantic/changes.h"
#include "semantic/retention.h"
#include "semantic/symbols.h"
#include "semantic/take.h"
#include "vitrine/semantic.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <time.h>

/* A guest whose clock stands still for so many samples is looked for anew: what we read may be
 * what a kernel left behind when it was reset. */
#define STUCK 5u
/* Clocks that go back by less were read between two ticks of the kernel's. */
#define CLOCK_SLACK_S 1.0

struct vt_sampler {
    struct vt_target *target;
    struct vt_sampler_options options;
    struct vt_store store;
    struct vt_take take;
    struct vt_events events;
    struct vt_db_symbols symbols;
    struct vt_retention retention;
    sqlite3_stmt *sample;
    int vm; /* pidfd of QEMU, or -1 */
    double uptime_s;
    unsigned stuck;
    int64_t dated; /* the boot whose booted_s is written */
    bool symbols_due;
    void (*on_event)(const struct vt_event *event, void *arg);
    void *on_event_arg;
};

/* ---------------------------------------------------------------- making */

int vt_sampler_create(struct vt_target *target, const struct vt_sampler_options *options,
                      struct vt_sampler **sampler, struct vt_error *err)
{
    char path[VT_VM_PATH_MAX];
    struct vt_sampler *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return vt_fail(err, VT_E_NOMEM, "sampler: out of memory");
    }
    s->target = target;
    s->options = options != NULL ? *options : (struct vt_sampler_options){0};
    s->retention.seconds = s->options.retention_s;
    s->retention.max_bytes = s->options.max_bytes;
    s->vm = -1;
    s->uptime_s = (double)NAN;
    int rc = 0;
    const char *at = s->options.path;
    if (at == NULL && target->vm == NULL) {
        at = ":memory:";
    } else if (at == NULL) {
        rc = vt_db_path(target->name, path, err);
        at = path;
    }
    rc = rc != 0 ? rc : vt_store_open(&s->store, at, err);
    pid_t qemu = target->vm != NULL ? vt_vm_info(target->vm)->qemu_pid : 0;
    if (rc == 0 && qemu != 0) {
        s->vm = pidfd_open(qemu, 0);
        if (s->vm < 0 && errno != ESRCH) {
            rc = vt_fail_errno(err, VT_E_IO, errno, "%s: QEMU's process", target->name);
        } else if (s->vm < 0) {
            rc = vt_fail(err, VT_E_GONE, "%s has ended", target->name);
        }
    }
    s->options.path = NULL; /* the caller's */
    if (rc != 0) {
        vt_sampler_destroy(s);
        return rc;
    }
    *sampler = s;
    return 0;
}

void vt_sampler_destroy(struct vt_sampler *sampler)
{
    if (sampler == NULL) {
        return;
    }
    sqlite3_finalize(sampler->sample);
    vt_db_symbols_fini(&sampler->symbols);
    vt_events_fini(&sampler->events);
    vt_take_fini(&sampler->take);
    vt_store_close(&sampler->store);
    vt_close(&sampler->vm);
    free(sampler);
}

void vt_sampler_on_event(struct vt_sampler *sampler,
                         void (*fn)(const struct vt_event *event, void *arg), void *arg)
{
    sampler->on_event = fn;
    sampler->on_event_arg = arg;
}

/* ---------------------------------------------------------------- the kernel */

static bool has_ended(const struct vt_sampler *s)
{
    struct pollfd wait = {.fd = s->vm, .events = POLLIN};
    return s->vm >= 0 && poll(&wait, 1, 0) > 0;
}

static void close_kernel(struct vt_target *t)
{
    vt_kernel_close(t->kernel);
    t->kernel = NULL;
}

static int open_kernel(struct vt_sampler *s, struct vt_error *err)
{
    struct vt_target *t = s->target;
    /* Less and less often: it may just be paused. */
    bool doubtful = s->stuck >= STUCK && (s->stuck & (s->stuck - 1)) == 0;
    vt_target_refresh(t);
    if (t->vm != NULL && doubtful) {
        close_kernel(t);
    }
    return vt_target_kernel(t, err);
}

/* A kernel is found as soon as its image lies unpacked in RAM, before it moves to the address it
 * will run at. What is then seen is no boot of its own, and what was learned of it (its CPUs'
 * areas) does not last. */
static int check_booted(struct vt_sampler *s, struct vt_error *err)
{
    if (s->take.n_processes > 0) {
        return 0;
    }
    close_kernel(s->target);
    return vt_fail(err, VT_E_NOT_FOUND, "%s boots: its kernel has not started a process yet",
                   s->target->name);
}

static int take(struct vt_sampler *s, struct vt_error *err)
{
    int rc = s->options.pause ? vt_target_stop(s->target, err) : 0;
    bool stopped = rc == 0 && s->options.pause;
    rc = rc != 0 ? rc : open_kernel(s, err);
    rc = rc != 0 ? rc : vt_take(&s->take, s->target->kernel, err);
    if (stopped) {
        struct vt_error resume_err;
        int resumed = vt_target_resume(s->target, &resume_err);
        if (rc == 0 && resumed != 0) {
            *err = resume_err;
            rc = resumed;
        }
    }
    if (rc == 0) {
        bool still = s->take.uptime_s == s->uptime_s;
        s->stuck = still ? s->stuck + 1 : 0;
    }
    return rc != 0 ? rc : check_booted(s, err);
}

/* ---------------------------------------------------------------- boots */

/* Ends the boot that is known: whatever was there was there at the last sample. */
static int end_boot(struct vt_sampler *s, double now_s, const char *why, struct vt_error *err)
{
    struct vt_store *store = &s->store;
    if (store->boot == 0) {
        return 0;
    }
    s->events.boot = store->boot;
    vt_events_add(&s->events, now_s, "ended", "boots", store->boot, 0, NULL, "%s", why);
    return vt_store_end_boot(store, err);
}

/* `another`: this guest ran before. */
static int begin_boot(struct vt_sampler *s, double now_s, bool another, struct vt_error *err)
{
    const struct vt_kernel *kernel = s->target->kernel;
    const struct vt_take *t = &s->take;
    sqlite3_stmt *stmt = NULL;
    int rc = vt_store_prepare(&s->store,
                              "INSERT INTO boots(release, banner, build_id, booted_s, text, "
                              "text_physical, init_task, init_started_s, first_seen) "
                              "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                              &stmt, err);
    if (rc != 0) {
        return rc;
    }
    sqlite3_bind_text(stmt, 1, vt_kernel_release(kernel), -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 2, vt_kernel_banner(kernel), -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 3, vt_kernel_build_id(kernel), -1, SQLITE_STATIC);
    if (!isnan(t->uptime_s)) {
        sqlite3_bind_double(stmt, 4, now_s - t->uptime_s);
    }
    sqlite3_bind_int64(stmt, 5, (int64_t)t->boot.text.v);
    sqlite3_bind_int64(stmt, 6, (int64_t)t->boot.text_physical.v);
    if (t->boot.init_task.v != 0) {
        sqlite3_bind_int64(stmt, 7, (int64_t)t->boot.init_task.v);
        sqlite3_bind_double(stmt, 8, t->boot.init_started_s);
    }
    sqlite3_bind_double(stmt, 9, now_s);
    rc = vt_store_step(&s->store, stmt, err);
    sqlite3_finalize(stmt);
    if (rc == 0) {
        s->store.boot = sqlite3_last_insert_rowid(s->store.db);
        s->events.boot = s->store.boot;
        s->symbols_due = true;
        vt_events_add(&s->events, now_s, "booted", "boots", s->store.boot, 0,
                      vt_kernel_release(kernel), "Linux %s %s", vt_kernel_release(kernel),
                      t->uptime_s < 60 || (isnan(t->uptime_s) && another) ? "booted" : "runs");
    }
    return rc;
}

/* The clock may be there later than the kernel's first processes. */
static int date_boot(struct vt_sampler *s, double now_s, struct vt_error *err)
{
    char text[128];
    if (s->dated == s->store.boot || isnan(s->take.uptime_s)) {
        return 0;
    }
    snprintf(text, sizeof text,
             "UPDATE boots SET booted_s = %.6f WHERE id = %" PRId64 " AND booted_s IS NULL",
             now_s - s->take.uptime_s, s->store.boot);
    s->dated = s->store.boot;
    return vt_db_run(s->store.db, s->store.path, text, err);
}

/* Whether what was just seen goes on from the boot that is known. */
static int goes_on(struct vt_sampler *s, bool *same, const char **why, struct vt_error *err)
{
    const struct vt_take *t = &s->take;
    sqlite3_stmt *stmt = NULL;
    *same = false;
    *why = "another kernel runs";
    if (s->store.boot == 0) {
        return 0;
    }
    int rc = vt_store_prepare(&s->store,
                              "SELECT banner = ?2 AND text = ?3 AND text_physical = ?4, init_task, "
                              "init_started_s, symbols IS NULL, (SELECT uptime_s FROM sample) "
                              "FROM boots WHERE id = ?1",
                              &stmt, err);
    if (rc != 0) {
        return rc;
    }
    sqlite3_bind_int64(stmt, 1, s->store.boot);
    sqlite3_bind_text(stmt, 2, vt_kernel_banner(s->target->kernel), -1, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 3, (int64_t)t->boot.text.v);
    sqlite3_bind_int64(stmt, 4, (int64_t)t->boot.text_physical.v);
    int step = sqlite3_step(stmt);
    if (step == SQLITE_ROW && sqlite3_column_int(stmt, 0) != 0) {
        bool known = sqlite3_column_type(stmt, 1) != SQLITE_NULL && t->boot.init_task.v != 0;
        bool went_back = sqlite3_column_type(stmt, 4) != SQLITE_NULL &&
                         t->uptime_s + CLOCK_SLACK_S < sqlite3_column_double(stmt, 4);
        bool same_init =
            !known || ((uint64_t)sqlite3_column_int64(stmt, 1) == t->boot.init_task.v &&
                       sqlite3_column_double(stmt, 2) == t->boot.init_started_s);
        s->symbols_due = sqlite3_column_int(stmt, 3) != 0;
        *why = same_init ? "the guest went back in time: it was restored" : "the guest rebooted";
        *same = same_init && !went_back;
    } else if (step != SQLITE_ROW && step != SQLITE_DONE) {
        rc = vt_db_fail(err, s->store.db, s->store.path, "reading");
    }
    sqlite3_finalize(stmt);
    return rc;
}

/* ---------------------------------------------------------------- a tick */

static int write_sample(struct vt_sampler *s, const struct vt_sample *sample, struct vt_error *err)
{
    int rc = vt_store_prepare(
        &s->store,
        "INSERT OR REPLACE INTO sample(id, number, time, boot, uptime_s, torn, why, processes, "
        "threads, memory_regions, modules, mounts, files, sockets) "
        "VALUES(1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        &s->sample, err);
    if (rc != 0) {
        return rc;
    }
    sqlite3_bind_int64(s->sample, 1, (int64_t)sample->number);
    sqlite3_bind_double(s->sample, 2, sample->unix_s);
    if (s->store.boot != 0) {
        sqlite3_bind_int64(s->sample, 3, s->store.boot);
        if (!isnan(s->take.uptime_s)) {
            sqlite3_bind_double(s->sample, 4, s->take.uptime_s);
        }
    }
    sqlite3_bind_int(s->sample, 5, sample->torn);
    if (sample->torn) {
        sqlite3_bind_text(s->sample, 6, sample->why, -1, SQLITE_STATIC);
    }
    for (int i = 0; i < VT_DB_TABLES; i++) {
        sqlite3_bind_int64(s->sample, 7 + i, (int64_t)s->store.tables[i].n);
    }
    return vt_store_step(&s->store, s->sample, err);
}

static int module_changed(const char *name, bool live, void *arg, struct vt_error *err)
{
    struct vt_sampler *s = arg;
    if (s->symbols_due) {
        return 0;
    }
    return live ? vt_db_symbols_loaded(&s->symbols, &s->store, s->target->kernel, name, err)
                : vt_db_symbols_unloaded(&s->symbols, &s->store, name, err);
}

/* What the tables do not say: which of them may lack rows. */
static void say_torn(const struct vt_take *take, struct vt_sample *sample)
{
    sample->torn = take->torn;
    memcpy(sample->why, take->why, sizeof sample->why);
    for (unsigned i = 0; i < VT_DB_TABLES && !sample->torn; i++) {
        if (take->tables[i].torn) {
            sample->torn = true;
            snprintf(sample->why, sizeof sample->why, "%s: %.120s", vt_db_tables[i].name,
                     take->tables[i].why);
        }
    }
}

static int write_changes(struct vt_sampler *s, struct vt_sample *sample, struct vt_error *err)
{
    struct vt_changes changes = {
        .number = s->store.number + 1, .events = &s->events, .module = module_changed, .arg = s};
    const char *why;
    bool same;
    s->events.boot = s->store.boot;
    int rc = goes_on(s, &same, &why, err);
    if (rc == 0 && !same) {
        bool another = s->store.boot != 0;
        rc = end_boot(s, sample->unix_s, why, err);
        rc = rc != 0 ? rc : begin_boot(s, sample->unix_s, another, err);
        changes.quiet = true;
    }
    rc = rc != 0 ? rc : date_boot(s, sample->unix_s, err);
    rc = rc != 0 ? rc : vt_changes_apply(&changes, &s->store, &s->take, err);
    rc = rc != 0 ? rc : vt_events_write(&s->events, &s->store, sample->unix_s, err);
    sample->number = changes.number;
    sample->rows = changes.rows;
    sample->appeared = changes.appeared;
    sample->gone = changes.gone;
    sample->changed = changes.changed;
    sample->events = s->events.n;
    say_torn(&s->take, sample);
    return rc != 0 ? rc : write_sample(s, sample, err);
}

/* One transaction: all of it or nothing. */
static int commit(struct vt_sampler *s, struct vt_sample *sample,
                  int (*write)(struct vt_sampler *s, struct vt_sample *sample,
                               struct vt_error *err),
                  struct vt_error *err)
{
    int rc = vt_store_begin(&s->store, sample->unix_s, err);
    if (rc != 0) {
        return rc;
    }
    rc = write(s, sample, err);
    if (rc != 0) {
        vt_store_rollback(&s->store);
        return rc;
    }
    return vt_store_commit(&s->store, err);
}

static int write_ended(struct vt_sampler *s, struct vt_sample *sample, struct vt_error *err)
{
    if (s->store.boot == 0) {
        return 0;
    }
    sample->number = s->store.number + 1;
    int rc = end_boot(s, sample->unix_s, "the VM ended", err);
    rc = rc != 0 ? rc : vt_events_write(&s->events, &s->store, sample->unix_s, err);
    return rc != 0 ? rc : write_sample(s, sample, err);
}

static int write_symbols(struct vt_sampler *s, struct vt_sample *sample, struct vt_error *err)
{
    char text[96];
    uint64_t n;
    (void)sample;
    int rc = vt_db_symbols_write(&s->symbols, &s->store, s->target->kernel, &n, err);
    if (rc == 0) {
        snprintf(text, sizeof text, "UPDATE boots SET symbols = %" PRIu64 " WHERE id = %" PRId64, n,
                 s->store.boot);
        rc = vt_db_run(s->store.db, s->store.path, text, err);
    }
    return rc;
}

static void tell_events(struct vt_sampler *s)
{
    for (size_t i = 0; s->on_event != NULL && i < s->events.n; i++) {
        s->on_event(&s->events.list[i].event, s->on_event_arg);
    }
}

static double unix_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static uint64_t cpu_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int vm_ended(struct vt_sampler *s, struct vt_sample *sample, struct vt_error *err)
{
    int rc = commit(s, sample, write_ended, err);
    if (rc == 0) {
        tell_events(s);
        rc = vt_fail(err, VT_E_GONE, "%s has ended", s->target->name);
    }
    return rc;
}

int vt_sampler_tick(struct vt_sampler *s, struct vt_sample *sample, struct vt_error *err)
{
    struct vt_error local, *e = err != NULL ? err : &local;
    struct vt_sample now = {.unix_s = unix_now()};
    uint64_t began = vt_now_ns(), cpu = cpu_now();
    vt_events_clear(&s->events);
    int rc = has_ended(s) ? VT_E_GONE : take(s, e);
    if (rc == VT_E_GONE) {
        return vm_ended(s, &now, e);
    }
    uint64_t read = vt_now_ns();
    rc = rc != 0 ? rc : commit(s, &now, write_changes, e);
    if (rc != 0) {
        return rc;
    }
    s->store.number = now.number;
    s->store.last_s = now.unix_s;
    s->uptime_s = s->take.uptime_s;
    tell_events(s);
    /* Later than the rest, so that nobody waits for them to see it. */
    rc = s->symbols_due ? commit(s, &now, write_symbols, e) : 0;
    s->symbols_due = s->symbols_due && rc != 0;
    rc = rc != 0 ? rc : vt_retention_apply(&s->store, &s->retention, e);
    if (rc != 0) {
        return rc;
    }
    now.read_ns = read - began;
    now.write_ns = vt_now_ns() - read;
    now.cpu_ns = cpu_now() - cpu;
    if (sample != NULL) {
        *sample = now;
    }
    return 0;
}
