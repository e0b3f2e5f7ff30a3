/* cli/bench_semantic.c - `vitrine bench semantic`: what it costs to know a guest all the time.
 *
 *   tick  a sample of a guest with a hundred processes, once a second: time and CPU
 *   ask   a question in words, answered from the database and the guest's memory
 *   http  its processes asked of a server over 64 connections
 */
#include "base/io.h"
#include "cli/bench.h"
#include "cli/bench_http.h"
#include "cli/target.h"
#include "machine/console_client.h"
#include "vitrine/semantic.h"

#include <errno.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TICKS 60u
#define TICKS_MAX 100000u
#define PROCESSES 100u
#define START_TIMEOUT_MS 60000
#define ASK_ROUNDS 20u
#define HTTP_S 10u

/* Of each kind that requirement D7 names. */
static const char *const questions[] = {
    "where is the SSH daemon?",
    "show me the kernel stack of pid 1",
    "what processes are running?",
    "show me the page tables for PID 1",
    "highlight kernel memory allocations",
};
#define QUESTIONS (sizeof questions / sizeof questions[0])

struct result {
    uint64_t ticks, rows, processes;
    double *tick_ms;
    double cpu_percent;
    double ask_ms[ASK_ROUNDS * QUESTIONS];
    double *http_ms; /* n_http of them */
    size_t n_http;
};

/* ---------------------------------------------------------------- a guest with processes */

static int count_processes(struct vt_target *t, uint64_t *n, struct vt_error *err)
{
    struct vt_task_list list;
    vt_kernel_refresh(t->kernel);
    int rc = vt_linux_tasks(t->kernel, &list, err);
    if (rc == 0) {
        *n = list.n;
        vt_task_list_fini(&list);
    }
    return rc;
}

/* So that a guest of our own has a hundred processes, most of them asleep as in any guest. */
static int start_processes(struct vt_target *t, struct vt_error *err)
{
    char command[128];
    uint64_t n;
    int code = 0;
    int rc = count_processes(t, &n, err);
    if (rc != 0 || n >= PROCESSES) {
        return rc;
    }
    snprintf(command, sizeof command,
             "i=0; while [ $i -lt %u ]; do sleep 100000 </dev/null >/dev/null 2>&1 & i=$((i+1)); "
             "done",
             (unsigned)(PROCESSES - n));
    rc = vt_console_exec(t->vm, command, vt_deadline_ms(START_TIMEOUT_MS), &vt_interrupted, NULL,
                         NULL, &code, err);
    return rc == 0 && code != 0 ? vt_fail(err, VT_E_REFUSED, "the guest does not run '%s'", command)
                                : rc;
}

/* ---------------------------------------------------------------- ticks */

static uint64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int measure_ticks(struct vt_sampler *sampler, struct result *r, struct vt_error *err)
{
    struct vt_sample sample = {0};
    int rc = vt_sampler_tick(sampler, &sample, err); /* the first one writes all there is */
    uint64_t cpu = cpu_ns(), began = vt_now_ns(), next = began;
    for (uint64_t i = 0; rc == 0 && i < r->ticks; i++) {
        next += 1000000000u;
        struct timespec at = {.tv_sec = (time_t)(next / 1000000000u),
                              .tv_nsec = (long)(next % 1000000000u)};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
        if (vt_interrupted) {
            return vt_fail(err, VT_E_INTERRUPTED, "interrupted");
        }
        uint64_t tick = vt_now_ns();
        rc = vt_sampler_tick(sampler, &sample, err);
        r->tick_ms[i] = (double)(vt_now_ns() - tick) / 1e6;
        r->rows = sample.rows;
    }
    r->cpu_percent = (double)(cpu_ns() - cpu) / (double)(vt_now_ns() - began) * 100;
    return rc;
}

/* ---------------------------------------------------------------- questions */

static int measure_asking(struct vt_target *t, const char *path, struct result *r,
                          struct vt_error *err)
{
    struct vt_sql *sql;
    int rc = vt_sql_open(path, t, &sql, err);
    if (rc != 0) {
        return rc;
    }
    for (size_t i = 0; rc == 0 && i < ASK_ROUNDS * QUESTIONS; i++) {
        struct vt_answer answer;
        uint64_t began = vt_now_ns();
        vt_kernel_refresh(t->kernel);
        rc = vt_ask(t, sql, questions[i % QUESTIONS], &vt_interrupted, &answer, err);
        r->ask_ms[i] = (double)(vt_now_ns() - began) / 1e6;
        if (rc == 0 && !answer.understood) {
            rc = vt_fail(err, VT_E_INVAL, "not understood: %s", questions[i % QUESTIONS]);
        }
        if (rc == 0) {
            vt_answer_fini(&answer);
        }
    }
    vt_sql_close(sql);
    return rc;
}

/* ---------------------------------------------------------------- the measurement */

static int measure(struct vt_target *t, const char *path, bool ours, struct result *r,
                   struct vt_error *err)
{
    const struct vt_sampler_options options = {.path = path};
    struct vt_sampler *sampler = NULL;
    int rc = ours ? start_processes(t, err) : 0;
    rc = rc != 0 ? rc : count_processes(t, &r->processes, err);
    rc = rc != 0 ? rc : vt_sampler_create(t, &options, &sampler, err);
    if (rc == 0) {
        vt_progress("sampling for %llu s …", (unsigned long long)r->ticks);
        rc = measure_ticks(sampler, r, err);
        vt_progress("%s", "");
    }
    vt_sampler_destroy(sampler);
    return rc != 0 ? rc : measure_asking(t, path, r, err);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *where)
{
    (void)st;
    (void)flag;
    (void)where;
    return remove(path);
}

/* A database of its own: the VM's may be in use, and is not ours to fill. */
static int measure_in(struct vt_target *t, bool ours, void *context, struct vt_error *err)
{
    struct result *r = context;
    const char *top = getenv("TMPDIR");
    char dir[64], path[128];
    snprintf(dir, sizeof dir, "%.40s/vitrine-bench-XXXXXX", top != NULL ? top : "/tmp");
    if (mkdtemp(dir) == NULL) {
        return vt_fail_errno(err, VT_E_IO, errno, "%s", dir);
    }
    snprintf(path, sizeof path, "%s/%s.db", dir, t->name);
    int rc = measure(t, path, ours, r, err);
    if (rc == 0) {
        vt_progress("asking a server for %u s …", HTTP_S);
        rc = vt_bench_http(t->name, dir, HTTP_S, &r->http_ms, &r->n_http, err);
        vt_progress("%s", "");
    }
    nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return rc;
}

/* ---------------------------------------------------------------- what came out */

static void print_json(const struct vt_args *args, struct result *r)
{
    struct vt_json_writer w;
    vt_json_init(&w, stdout, vt_args_pretty(args));
    vt_json_object(&w);
    vt_json_kv_u64(&w, "processes", r->processes);
    vt_json_kv_u64(&w, "rows", r->rows);
    vt_json_kv_u64(&w, "ticks", r->ticks);
    vt_bench_times(&w, "tick_ms", r->tick_ms, r->ticks);
    vt_json_kv_f64(&w, "cpu_percent", r->cpu_percent, 4);
    vt_bench_times(&w, "ask_ms", r->ask_ms, ASK_ROUNDS * QUESTIONS);
    vt_json_kv_u64(&w, "http_requests", r->n_http);
    vt_json_kv_f64(&w, "http_p99_ms", vt_bench_percentile(r->http_ms, r->n_http, 99), 4);
    vt_json_object_end(&w);
    vt_json_finish(&w);
}

static void print_text(struct result *r)
{
    printf("%llu processes, %llu rows in all tables, %llu samples, one a second\n",
           (unsigned long long)r->processes, (unsigned long long)r->rows,
           (unsigned long long)r->ticks);
    vt_bench_print("a sample", r->tick_ms, r->ticks);
    printf("%-28s %9.2f %% of one core\n", "CPU", r->cpu_percent);
    vt_bench_print("a question", r->ask_ms, ASK_ROUNDS * QUESTIONS);
    vt_bench_print("processes over HTTP", r->http_ms, r->n_http);
    printf("%-28s %9.0f requests a second over 64 connections\n", "", (double)r->n_http / HTTP_S);
}

static int run(const struct vt_args *args)
{
    struct result r = {0};
    struct vt_error err;
    int result = vt_args_u64(args, "ticks", TICKS, &r.ticks);
    if (result == 0 && (r.ticks == 0 || r.ticks > TICKS_MAX)) {
        result = vt_usage_error(args, "--ticks: between 1 and %u", TICKS_MAX);
    }
    if (result != 0) {
        return result;
    }
    r.tick_ms = calloc(r.ticks + 1, sizeof *r.tick_ms);
    if (r.tick_ms == NULL) {
        vt_fail(&err, VT_E_NOMEM, "no memory for %llu ticks", (unsigned long long)r.ticks);
        result = vt_report(args, &err);
    } else {
        result = vt_bench_on_vm(args, "bench semantic", VT_CLI_KERNEL, false, measure_in, &r);
    }
    if (result == 0 && vt_args_json(args)) {
        print_json(args, &r);
    } else if (result == 0) {
        print_text(&r);
    }
    free(r.http_ms);
    free(r.tick_ms);
    return result;
}

const struct vt_bench vt_bench_semantic = {
    .name = "semantic",
    .summary = "what it costs to sample a guest, and to be asked about it",
    .run = run,
};
