/* cli/cmd_sample.c - `vitrine sample`: fills a VM's database, and shows what happens meanwhile. */
#include "base/io.h"
#include "base/text.h"
#include "cli/target.h"
#include "vitrine/semantic.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#define INTERVAL_NS UINT64_C(1000000000)

struct showing {
    bool json;
    struct vt_json_writer writer;
};

/* ---------------------------------------------------------------- events */

static void show_json(struct showing *s, const struct vt_event *e)
{
    struct vt_json_writer *w = &s->writer;
    vt_json_init(w, stdout, false);
    vt_json_object(w);
    vt_json_kv_i64(w, "id", e->id);
    vt_json_kv_f64(w, "time", e->unix_s, 16);
    vt_json_kv_string(w, "kind", e->kind);
    vt_json_kv_string(w, "noun", e->noun);
    vt_json_key(w, "row");
    if (e->row != 0) {
        vt_json_i64(w, e->row);
    } else {
        vt_json_null(w);
    }
    vt_json_key(w, "pid");
    if (e->pid != 0) {
        vt_json_i64(w, e->pid);
    } else {
        vt_json_null(w);
    }
    vt_json_kv_string(w, "name", e->name);
    vt_json_kv_string(w, "detail", e->detail);
    vt_json_object_end(w);
    vt_json_finish(w);
}

static void show_line(const struct vt_event *e)
{
    char at[16], detail[1024];
    time_t seconds = (time_t)e->unix_s;
    struct tm local;
    localtime_r(&seconds, &local);
    strftime(at, sizeof at, "%H:%M:%S", &local);
    vt_text_printable(detail, sizeof detail, e->detail, strlen(e->detail));
    printf("%s  %-13s  %s\n", at, e->kind, detail);
}

static void show(const struct vt_event *e, void *arg)
{
    struct showing *s = arg;
    if (s->json) {
        show_json(s, e);
    } else {
        show_line(e);
    }
}

/* ---------------------------------------------------------------- samples */

static void wait_until(uint64_t due_ns)
{
    const struct timespec at = {.tv_sec = (time_t)(due_ns / 1000000000u),
                                .tv_nsec = (long)(due_ns % 1000000000u)};
    while (!vt_interrupted && vt_now_ns() < due_ns) {
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
    }
}

/* `count` samples; 0: until the VM ends or somebody interrupts. */
static int sample(const struct vt_args *args, struct vt_sampler *sampler, uint64_t interval_ns,
                  uint64_t count)
{
    struct vt_error err, told = {0};
    struct vt_sample one;
    uint64_t due = vt_now_ns();
    for (uint64_t n = 0; !vt_interrupted && (count == 0 || n < count); n++) {
        wait_until(due);
        int rc = vt_interrupted ? 0 : vt_sampler_tick(sampler, &one, &err);
        if (rc == VT_E_GONE && count == 0) {
            fprintf(stderr, "vitrine sample: %s\n", err.message);
            break;
        }
        if (rc != 0 && count != 0) {
            return vt_report(args, &err);
        }
        if (rc != 0 && strcmp(err.message, told.message) != 0) {
            vt_report(args, &err); /* a guest that boots has no kernel yet */
            told = err;
        }
        if (fflush(stdout) != 0) {
            break; /* whoever read is gone */
        }
        due += interval_ns;
        due = due > vt_now_ns() ? due : vt_now_ns();
    }
    return vt_output_finish(stdout);
}

static int run(const struct vt_args *args)
{
    struct vt_sampler_options options = {.pause = vt_args_flag(args, "pause")};
    struct showing showing = {.json = vt_args_json(args)};
    struct vt_sampler *sampler;
    struct vt_target target;
    struct vt_error err;
    uint64_t interval_ns, retention_ns, count;
    int result = vt_args_u64(args, "count", 0, &count);
    result = result != 0 ? result : vt_args_duration(args, "interval", INTERVAL_NS, &interval_ns);
    result = result != 0 ? result : vt_args_duration(args, "keep", 0, &retention_ns);
    result = result != 0 ? result : vt_args_bytes(args, "database-size", 0, &options.max_bytes);
    if (result != 0) {
        return result;
    }
    if (interval_ns < 10000000 || interval_ns > UINT64_C(3600000000000)) {
        return vt_usage_error(args, "--interval: between 10ms and 1h");
    }
    if (retention_ns != 0 && retention_ns < 1000000000) {
        return vt_usage_error(args, "--keep: at least a second");
    }
    options.retention_s = retention_ns / 1000000000;
    result = vt_cli_open(args, "sample", VT_CLI_RAM, "", &target);
    if (result != 0) {
        return result;
    }
    if (target.vm == NULL) {
        result = vt_usage_error(args, "%s: saved RAM does not change", target.name);
    } else if (vt_sampler_create(&target, &options, &sampler, &err) != 0) {
        result = vt_report(args, &err);
    } else {
        vt_sampler_on_event(sampler, show, &showing);
        result = sample(args, sampler, interval_ns, count);
        vt_sampler_destroy(sampler);
    }
    return vt_cli_close(args, &target, result);
}

static const struct vt_option sample_options[] = {
    {"count", "N", "end after N samples (default: go on until the VM ends)", false},
    {"interval", "TIME", "time between two samples (default: 1s)", false},
    {"keep", "TIME", "forget history that is older (default: 168h)", false},
    {"database-size", "SIZE", "forget the oldest history when the file is larger (default: 512M)",
     false},
    VT_CLI_PAUSE,
    {0},
};

const struct vt_verb vt_verb_sample = {
    .name = "sample",
    .group = "Ask",
    .summary = "Keep the history of a VM, and show what happens in it",
    .operands = "VM",
    .min_operands = 1,
    .max_operands = 1,
    .options = sample_options,
    .description =
        "Walks the guest's memory once a second and writes what came, went or changed into the\n"
        "VM's database, which `vitrine sql` and `vitrine ask` read (docs/database.md). What\n"
        "happens is printed as it is seen: processes that start and end, modules, mounts, opened\n"
        "files, listening sockets. With --json each event is an object on a line of its own.\n\n"
        "A VM has one sampler: the one of `vitrine serve`, or this.",
    .examples = "vitrine sample web\nvitrine sample web --json --count 60\n"
                "vitrine sample web --interval 10s --keep 720h --database-size 4G",
    .run = run,
};
