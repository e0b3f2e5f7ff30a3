/* cli/bench_guest.c - `vitrine bench guest`: from a RAM never seen to a process list, and again.
 *
 *   cold    a fresh mapping, no cache: scan, symbols, types, tasks
 *   cached  a fresh mapping of a known kernel
 *   ps      the list alone, from an open kernel whose translations are forgotten each time
 *   args    the command lines of all of them
 *   verbs   the walk of each noun (bench_nouns.c)
 */
#include "base/io.h"
#include "base/paths.h"
#include "base/text.h"
#include "cli/bench.h"
#include "cli/bench_nouns.h"
#include "cli/target.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COLD_RUNS 9u
#define WARM_RUNS 1000u

enum step { SCAN, SYMBOLS, PLACE, TYPES, TASKS, STEPS };
static const char *const step_names[STEPS] = {"scan", "symbols", "place", "types", "tasks"};

struct result {
    char release[256];
    uint64_t ram_bytes, populated_bytes;
    size_t tasks, torn_lists;
    double cold[COLD_RUNS], steps[STEPS][COLD_RUNS], cached[COLD_RUNS];
    double ps[WARM_RUNS], args[WARM_RUNS];
    struct vt_bench_noun *nouns;
    size_t n_nouns;
};

static double ms_since(uint64_t begin_ns)
{
    return (double)(vt_now_ns() - begin_ns) / 1e6;
}

/* One opening as a process of its own would do it: nothing is mapped or known yet. */
static int open_once(const char *name, const char *cache_dir, double *total_ms, double *steps,
                     unsigned run, struct vt_error *err)
{
    struct vt_vm *vm = NULL;
    struct vt_ram *ram = NULL;
    struct vt_kernel *kernel = NULL;
    struct vt_kernel_options options = {.cache_dir = cache_dir};
    struct vt_task_list list = {0};
    struct vt_kernel_cost cost;
    bool file = vt_target_is_file(name);
    int rc = file ? 0 : vt_vm_open(name, &vm, err);
    uint64_t begin = vt_now_ns(), opened = begin;
    if (rc == 0) {
        rc = file ? vt_target_file(name, &ram, err) : vt_ram_open_vm(vm, &ram, err);
    }
    if (rc == 0) {
        rc = vt_kernel_open(ram, &options, &kernel, err);
        opened = vt_now_ns();
    }
    if (rc == 0) {
        rc = vt_linux_tasks(kernel, &list, err);
    }
    if (rc == 0) {
        total_ms[run] = ms_since(begin);
        if (steps != NULL) {
            vt_kernel_cost(kernel, &cost);
            steps[SCAN * COLD_RUNS + run] = (double)cost.scan_ns / 1e6;
            steps[SYMBOLS * COLD_RUNS + run] = (double)cost.symbols_ns / 1e6;
            steps[PLACE * COLD_RUNS + run] = (double)cost.place_ns / 1e6;
            steps[TYPES * COLD_RUNS + run] = (double)cost.types_ns / 1e6;
            steps[TASKS * COLD_RUNS + run] = ms_since(opened) - (double)cost.types_ns / 1e6;
        }
    }
    vt_task_list_fini(&list);
    vt_kernel_close(kernel);
    vt_ram_close(ram);
    vt_vm_close(vm);
    return rc;
}

static void count_populated(const struct vt_ram *ram, struct result *r)
{
    struct vt_off at = VT_OFF(0), end;
    r->ram_bytes = vt_ram_size(ram);
    while (at.v < r->ram_bytes && vt_ram_next_data(ram, at, &at, &end, NULL) == 0) {
        r->populated_bytes += end.v - at.v;
        at = end;
    }
}

static int measure_warm(struct vt_target *t, struct result *r, struct vt_error *err)
{
    struct vt_task_list list;
    int rc = 0;
    for (unsigned i = 0; i < WARM_RUNS && rc == 0 && !vt_interrupted; i++) {
        uint64_t begin = vt_now_ns();
        vt_kernel_refresh(t->kernel);
        rc = vt_linux_tasks(t->kernel, &list, err);
        r->ps[i] = ms_since(begin);
        if (rc != 0) {
            break;
        }
        begin = vt_now_ns();
        for (size_t k = 0; k < list.n; k++) {
            char args[4096];
            vt_linux_task_args(t->kernel, &list.tasks[k], args, sizeof args, NULL);
        }
        r->args[i] = ms_since(begin);
        r->tasks = list.n;
        r->torn_lists += list.torn;
        vt_task_list_fini(&list);
    }
    return rc == 0 && vt_interrupted ? vt_fail(err, VT_E_INTERRUPTED, "interrupted") : rc;
}

static int measure(const struct vt_args *args, const char *name, struct result *r)
{
    struct vt_error err;
    struct vt_target t;
    char dir[] = "/tmp/vitrine-bench-XXXXXX", file[PATH_MAX];
    int result = vt_cli_open_named(args, name, "bench guest", VT_CLI_KERNEL, "", &t);
    if (result != 0) {
        return result;
    }
    snprintf(r->release, sizeof r->release, "%.255s", vt_kernel_release(t.kernel));
    count_populated(t.ram, r);
    int rc = mkdtemp(dir) == NULL ? vt_fail(&err, VT_E_IO, "cannot make %s", dir) : 0;
    vt_progress("measuring %s …", name);
    /* The first of each is for the host's caches; the cached one also fills ours. */
    double warming[COLD_RUNS];
    for (unsigned i = 0; i <= COLD_RUNS && rc == 0 && !vt_interrupted; i++) {
        rc = open_once(name, NULL, i == 0 ? warming : r->cold, i == 0 ? NULL : r->steps[0],
                       i == 0 ? 0 : i - 1, &err);
    }
    for (unsigned i = 0; i <= COLD_RUNS && rc == 0 && !vt_interrupted; i++) {
        rc = open_once(name, dir, i == 0 ? warming : r->cached, NULL, i == 0 ? 0 : i - 1, &err);
    }
    if (rc == 0) {
        rc = measure_warm(&t, r, &err);
    }
    if (rc == 0) {
        rc = vt_bench_nouns(&t, &r->nouns, &r->n_nouns, &err);
    }
    vt_progress("%s", "");
    if (vt_path_format(file, NULL, "%s/%s.symbols", dir, vt_kernel_build_id(t.kernel)) == 0) {
        unlink(file);
    }
    rmdir(dir);
    return vt_cli_close(args, &t, rc == 0 ? 0 : vt_report(args, &err));
}

static void print_json(const struct vt_args *args, struct result *r)
{
    struct vt_json_writer w;
    vt_json_init(&w, stdout, vt_args_pretty(args));
    vt_json_object(&w);
    vt_json_kv_string(&w, "kernel", r->release);
    vt_json_kv_u64(&w, "ram_bytes", r->ram_bytes);
    vt_json_kv_u64(&w, "populated_bytes", r->populated_bytes);
    vt_json_kv_u64(&w, "tasks", r->tasks);
    vt_json_kv_f64(&w, "cold_ms", vt_bench_median(r->cold, COLD_RUNS), 4);
    vt_json_key(&w, "cold_steps_ms");
    vt_json_object(&w);
    for (unsigned s = 0; s < STEPS; s++) {
        vt_json_kv_f64(&w, step_names[s], vt_bench_median(r->steps[s], COLD_RUNS), 4);
    }
    vt_json_object_end(&w);
    vt_json_kv_f64(&w, "cached_ms", vt_bench_median(r->cached, COLD_RUNS), 4);
    vt_bench_times(&w, "ps_ms", r->ps, WARM_RUNS);
    vt_bench_times(&w, "args_ms", r->args, WARM_RUNS);
    vt_json_kv_u64(&w, "runs", WARM_RUNS);
    vt_json_kv_u64(&w, "torn_lists", r->torn_lists);
    vt_bench_nouns_json(&w, r->nouns, r->n_nouns);
    vt_json_object_end(&w);
    vt_json_finish(&w);
}

static void print_text(struct result *r)
{
    char ram[32], populated[32], release[512];
    vt_text_printable(release, sizeof release, r->release, strlen(r->release));
    printf("Linux %s, %zu processes, %s of RAM, %s of it populated\n", release, r->tasks,
           vt_format_bytes(ram, sizeof ram, r->ram_bytes),
           vt_format_bytes(populated, sizeof populated, r->populated_bytes));
    vt_bench_print("cold, a kernel never seen", r->cold, COLD_RUNS);
    for (unsigned s = 0; s < STEPS; s++) {
        char what[32];
        snprintf(what, sizeof what, "  %s", step_names[s]);
        vt_bench_print(what, r->steps[s], COLD_RUNS);
    }
    vt_bench_print("a kernel in the cache", r->cached, COLD_RUNS);
    vt_bench_print("the process list again", r->ps, WARM_RUNS);
    vt_bench_print("all command lines", r->args, WARM_RUNS);
    printf("%zu of %u lists torn\n", r->torn_lists, WARM_RUNS);
    vt_bench_nouns_print(r->nouns, r->n_nouns);
}

static int run(const struct vt_args *args)
{
    struct vt_bench_vm vm;
    struct vt_error err;
    struct result *r = calloc(1, sizeof *r);
    if (r == NULL) {
        fputs("vitrine bench: out of memory\n", stderr);
        return VT_EXIT_FAILED;
    }
    int result = vt_bench_vm_open(args, &vm, &err) == 0 ? 0 : vt_report(args, &err);
    if (result == 0) {
        result = measure(args, vm.name, r);
        vt_bench_vm_close(&vm);
    }
    if (result == 0 && vt_args_json(args)) {
        print_json(args, r);
    } else if (result == 0) {
        print_text(r);
    }
    vt_bench_nouns_fini(r->nouns, r->n_nouns);
    free(r);
    return result;
}

const struct vt_bench vt_bench_guest = {
    .name = "guest",
    .summary = "how long the process list takes, cold and warm, and every other list",
    .run = run,
};
