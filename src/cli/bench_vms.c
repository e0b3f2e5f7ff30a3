/* cli/bench_vms.c - `vitrine bench vms`: following several guests at once from one thread.
 *
 * Three guests write all the time, each its own pages; each has a mapping, a tracker and a copy of
 * its own, refreshed in turn at the rate asked for. What is reported is how often each really was.
 */
#include "base/io.h"
#include "cli/bench.h"
#include "cli/target.h"
#include "vitrine/memory.h"

#include <stdlib.h>
#include <time.h>

#define VMS 3u
#define TICKS_MAX 100000u

struct follower {
    struct vt_bench_vm vm;
    struct vt_target target;
    struct vt_track *track;
    struct vt_snapshot *snap;
    uint64_t updates, pages;
};

struct result {
    uint64_t hz, ticks;
    double elapsed_s;
    double *total_ms; /* a refresh, of all guests */
    struct follower follower[VMS];
};

static int open_follower(const struct vt_args *args, unsigned i, uint64_t pages, struct result *r,
                         struct vt_error *err)
{
    struct follower *f = &r->follower[i];
    int rc = vt_bench_vm_start(args, i, &f->vm, err);
    rc = rc != 0 ? rc : vt_audit(f->vm.name, "bench vms", err, "%s", "");
    rc = rc != 0 ? rc : vt_vm_open(f->vm.name, &f->target.vm, err);
    rc = rc != 0 ? rc : vt_bench_vm_write(f->target.vm, pages, r->hz, err);
    rc = rc != 0 ? rc : vt_ram_open_vm(f->target.vm, &f->target.ram, err);
    rc = rc != 0 ? rc : vt_track_open(f->target.vm, &f->track, err);
    return rc != 0 ? rc : vt_snapshot_create(f->target.ram, f->track, f->target.vm, &f->snap, err);
}

static void close_follower(const struct vt_args *args, struct follower *f)
{
    vt_snapshot_destroy(f->snap);
    vt_track_close(f->track);
    vt_cli_close(args, &f->target, 0);
    vt_bench_vm_close(&f->vm);
}

static int refresh_in_turn(struct result *r, struct vt_error *err)
{
    const struct vt_refresh how = {0};
    struct vt_refresh_result one;
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < VMS; i++) {
        rc = vt_snapshot_refresh(r->follower[i].snap, &how, &one, err);
    }
    uint64_t began = vt_now_ns(), next = began;
    for (uint64_t tick = 0; rc == 0 && tick < r->ticks; tick++) {
        next += 1000000000u / r->hz;
        struct timespec at = {.tv_sec = (time_t)(next / 1000000000u),
                              .tv_nsec = (long)(next % 1000000000u)};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
        for (unsigned i = 0; rc == 0 && i < VMS; i++) {
            struct follower *f = &r->follower[i];
            rc = vt_snapshot_refresh(f->snap, &how, &one, err);
            r->total_ms[tick * VMS + i] = (double)one.total_ns / 1e6;
            f->updates++;
            f->pages += one.copied_pages;
        }
        if (vt_interrupted) {
            return vt_fail(err, VT_E_INTERRUPTED, "interrupted");
        }
    }
    r->elapsed_s = (double)(vt_now_ns() - began) / 1e9;
    return rc;
}

static void show(const struct vt_args *args, struct result *r)
{
    struct vt_json_writer w;
    double all = 0;
    for (unsigned i = 0; i < VMS; i++) {
        all += (double)r->follower[i].updates / r->elapsed_s;
    }
    if (!vt_args_json(args)) {
        for (unsigned i = 0; i < VMS; i++) {
            const struct follower *f = &r->follower[i];
            printf("VM %u: %6.1f updates/s, %.1f dirty pages each\n", i + 1,
                   (double)f->updates / r->elapsed_s, (double)f->pages / (double)f->updates);
        }
        printf("all:  %6.1f updates/s\n", all);
        vt_bench_print("a refresh with its verdict", r->total_ms, r->ticks * VMS);
        return;
    }
    vt_json_init(&w, stdout, vt_args_pretty(args));
    vt_json_object(&w);
    vt_json_kv_u64(&w, "vms", VMS);
    vt_json_kv_u64(&w, "hz", r->hz);
    vt_json_kv_u64(&w, "ticks", r->ticks);
    vt_json_key(&w, "updates_per_s");
    vt_json_array(&w);
    for (unsigned i = 0; i < VMS; i++) {
        vt_json_f64(&w, (double)r->follower[i].updates / r->elapsed_s, 4);
    }
    vt_json_array_end(&w);
    vt_json_kv_f64(&w, "updates_per_s_all", all, 4);
    vt_bench_times(&w, "snapshot_ms", r->total_ms, r->ticks * VMS);
    vt_json_object_end(&w);
    vt_json_finish(&w);
}

static int run(const struct vt_args *args)
{
    struct result r = {0};
    struct vt_error err;
    uint64_t pages;
    int result = vt_args_u64(args, "ticks", 600, &r.ticks);
    result = result != 0 ? result : vt_args_u64(args, "hz", 60, &r.hz);
    result = result != 0 ? result : vt_args_u64(args, "pages", 200, &pages);
    if (result != 0) {
        return result;
    }
    if (vt_args_operand(args, 1) != NULL || r.ticks == 0 || r.ticks > TICKS_MAX || r.hz == 0 ||
        r.hz > 1000) {
        return vt_usage_error(args, "vms: no VM, --ticks from 1 to %u, --hz from 1 to 1000",
                              TICKS_MAX);
    }
    r.total_ms = calloc(r.ticks * VMS, sizeof *r.total_ms);
    int rc = r.total_ms != NULL ? 0 : vt_fail(&err, VT_E_NOMEM, "no memory for the times");
    for (unsigned i = 0; rc == 0 && i < VMS; i++) {
        rc = open_follower(args, i, pages, &r, &err);
    }
    if (rc == 0) {
        vt_progress("refreshing %u guests %llu times …", VMS, (unsigned long long)r.ticks);
        rc = refresh_in_turn(&r, &err);
        vt_progress("%s", "");
    }
    for (unsigned i = 0; i < VMS; i++) {
        close_follower(args, &r.follower[i]);
    }
    if (rc == 0) {
        show(args, &r);
    } else {
        result = vt_report(args, &err);
    }
    free(r.total_ms);
    return result;
}

const struct vt_bench vt_bench_vms = {
    .name = "vms",
    .summary = "how often three guests at once can be followed",
    .run = run,
};
