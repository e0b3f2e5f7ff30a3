/* cli/bench_memory.c - `vitrine bench memory`: keeping a copy of a guest's RAM up to date.
 *
 * Refreshes a snapshot at a fixed rate while the guest writes, each with its verdict; then stops
 * the guest, refreshes once more and holds the copy against RAM, all of it, and against what QEMU
 * itself says is there (pmemsave).
 */
#include "base/io.h"
#include "base/text.h"
#include "cli/bench.h"
#include "cli/target.h"
#include "machine/qmp.h"
#include "vitrine/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define TICKS_MAX 1000000u
#define WINDOW_BYTES ((size_t)64 << 20)
#define MEMCPY_RUNS 9u
#define PMEMSAVE_BYTES ((uint64_t)16 << 20)
#define LOW_BYTES ((uint64_t)1 << 20) /* a PC shows devices and ROM in parts of its first MiB */

struct result {
    const char *mode;
    uint64_t writes; /* of a guest of our own, pages a tick */
    uint64_t ram_bytes, hz, ticks, pages;
    uint64_t verdicts[VT_UNCHECKED + 1];
    double *total_ms, *look_ms; /* a tick */
    double memcpy_ms[MEMCPY_RUNS];
    double cpu_percent, elapsed_s;
    bool verified;
};

/* ---------------------------------------------------------------- refreshing */

/* CPU time of this process and of the VM's keeper, where the tracker runs. */
static uint64_t cpu_ns(pid_t keeper)
{
    clockid_t clock;
    struct timespec own, other = {0};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own);
    if (keeper > 0 && clock_getcpuclockid(keeper, &clock) == 0) {
        clock_gettime(clock, &other);
    }
    return (uint64_t)(own.tv_sec + other.tv_sec) * 1000000000u +
           (uint64_t)(own.tv_nsec + other.tv_nsec);
}

static int refresh_often(struct vt_snapshot *snap, const struct vt_vm_info *info, struct result *r,
                         struct vt_error *err)
{
    const struct vt_refresh how = {0};
    struct vt_refresh_result one;
    int rc = vt_snapshot_refresh(snap, &how, &one, err); /* the first one copies everything */
    uint64_t cpu = cpu_ns(info->keeper_pid), began = vt_now_ns(), next = began;
    for (uint64_t i = 0; rc == 0 && i < r->ticks; i++) {
        next += 1000000000u / r->hz;
        struct timespec at = {.tv_sec = (time_t)(next / 1000000000u),
                              .tv_nsec = (long)(next % 1000000000u)};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
        if (vt_interrupted) {
            return vt_fail(err, VT_E_INTERRUPTED, "interrupted");
        }
        rc = vt_snapshot_refresh(snap, &how, &one, err);
        if (rc == 0) {
            r->total_ms[i] = (double)one.total_ns / 1e6;
            r->look_ms[i] = (double)one.scan_ns / 1e6;
            r->pages += one.copied_pages;
            r->verdicts[one.verdict]++;
        }
    }
    uint64_t elapsed = vt_now_ns() - began;
    r->elapsed_s = (double)elapsed / 1e9;
    r->cpu_percent = (double)(cpu_ns(info->keeper_pid) - cpu) / (double)elapsed * 100;
    return rc;
}

/* What a plain copy of all RAM would take: window by window, so that it needs little memory. */
static int time_memcpy(const uint8_t *ram, struct result *r, struct vt_error *err)
{
    uint8_t *window = mmap(NULL, WINDOW_BYTES, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (window == MAP_FAILED) {
        return vt_fail_errno(err, VT_E_NOMEM, errno, "no memory to copy to");
    }
    for (unsigned i = 0; i < MEMCPY_RUNS; i++) {
        uint64_t began = vt_now_ns();
        for (uint64_t at = 0; at < r->ram_bytes; at += WINDOW_BYTES) {
            uint64_t left = r->ram_bytes - at;
            memcpy(window, ram + at, left < WINDOW_BYTES ? left : WINDOW_BYTES);
            __asm__ volatile("" : : "r"(window) : "memory"); /* nobody reads it, copy anyway */
        }
        r->memcpy_ms[i] = (double)(vt_now_ns() - began) / 1e6;
    }
    munmap(window, WINDOW_BYTES);
    return 0;
}

/* ---------------------------------------------------------------- holding it against RAM */

static bool is_zero(const uint8_t *bytes, uint64_t count)
{
    return count == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, count - 1) == 0);
}

/* Every byte: equal where RAM has storage, zero where it has none. */
static int equals_ram(const struct vt_ram *ram, const uint8_t *copy, bool *equal,
                      struct vt_error *err)
{
    uint64_t size = vt_ram_size(ram);
    *equal = true;
    for (struct vt_off at = {0}, end; at.v < size && *equal; at = end) {
        struct vt_off start = {size};
        end = start;
        int rc = vt_ram_next_data(ram, at, &start, &end, err);
        if (rc != 0 && rc != VT_E_NOT_FOUND) {
            return rc;
        }
        *equal = is_zero(copy + at.v, start.v - at.v) &&
                 memcmp(copy + start.v, vt_ram_bytes(ram) + start.v, end.v - start.v) == 0;
    }
    return vt_ram_check(ram, err);
}

/* The same for what QEMU itself shows of a range: it writes that into a file which it may write and
 * we read. */
static int equals_pmemsave(struct vt_vm *vm, const struct vt_ram_region *range, const uint8_t *copy,
                           bool *equal, struct vt_error *err)
{
    char path[] = "/tmp/vitrine-bench-XXXXXX", *saved = NULL;
    int fd = mkostemp(path, O_CLOEXEC);
    struct vt_qmp *qmp = NULL;
    size_t count = 0;
    if (fd < 0) {
        return vt_fail_errno(err, VT_E_IO, errno, "%s", path);
    }
    int rc = fchown(fd, vt_vm_info(vm)->qemu_uid, (gid_t)-1) != 0
                 ? vt_fail_errno(err, VT_E_PERM, errno, "%s", path)
                 : vt_vm_qmp(vm, &qmp, err);
    if (rc == 0) {
        json_t *arguments = json_pack("{s:I, s:I, s:s}", "val", (json_int_t)range->gpa.v, "size",
                                      (json_int_t)range->bytes, "filename", path);
        rc = vt_qmp_execute(qmp, "pmemsave", arguments, vt_deadline_ms(VT_QMP_TIMEOUT_MS), NULL,
                            err);
    }
    rc = rc != 0 ? rc : vt_read_file(path, PMEMSAVE_BYTES, &saved, &count, err);
    if (rc == 0) {
        *equal = count == range->bytes && memcmp(saved, copy + range->offset.v, count) == 0;
    }
    free(saved);
    vt_qmp_close(qmp);
    unlink(path);
    close(fd);
    return rc;
}

static int verify(struct vt_target *t, struct vt_snapshot *snap, struct result *r,
                  struct vt_error *err)
{
    const struct vt_refresh how = {0};
    struct vt_refresh_result last;
    const uint8_t *copy = vt_snapshot_bytes(snap);
    int rc = vt_snapshot_refresh(snap, &how, &last, err);
    if (rc == 0) {
        rc = equals_ram(t->ram, copy, &r->verified, err);
    }
    const struct vt_ram_region *regions;
    unsigned n = vt_ram_regions(t->ram, &regions);
    for (unsigned i = 0; rc == 0 && r->verified && i < n; i++) {
        struct vt_ram_region range = regions[i];
        if (range.gpa.v == 0 && range.bytes > LOW_BYTES) {
            range.gpa.v += LOW_BYTES;
            range.offset.v += LOW_BYTES;
            range.bytes -= LOW_BYTES;
        }
        range.bytes = range.bytes < PMEMSAVE_BYTES ? range.bytes : PMEMSAVE_BYTES;
        rc = equals_pmemsave(t->vm, &range, copy, &r->verified, err);
    }
    return rc;
}

/* ---------------------------------------------------------------- the measurement */

static int measure(struct vt_target *t, bool ours, void *context, struct vt_error *err)
{
    struct result *r = context;
    struct vt_track *track = NULL;
    struct vt_snapshot *snap = NULL;
    int rc = ours ? vt_bench_vm_write(t->vm, r->writes, r->hz, err) : 0;
    rc = rc != 0 ? rc : vt_track_open(t->vm, &track, err);
    rc = rc != 0 ? rc : vt_snapshot_create(t->ram, track, t->vm, &snap, err);
    if (rc == 0) {
        vt_progress("refreshing %llu times …", (unsigned long long)r->ticks);
        r->mode = vt_track_mode_name(vt_track_mode(track));
        r->ram_bytes = vt_ram_size(t->ram);
        rc = refresh_often(snap, vt_vm_info(t->vm), r, err);
    }
    rc = rc != 0 ? rc : time_memcpy(vt_snapshot_bytes(snap), r, err);
    rc = rc != 0 ? rc : vt_target_stop(t, err);
    rc = rc != 0 ? rc : verify(t, snap, r, err);
    vt_progress("%s", "");
    vt_snapshot_destroy(snap);
    vt_track_close(track);
    return rc;
}

/* ---------------------------------------------------------------- what came out */

static double mb_per_s(const struct result *r)
{
    return (double)r->ram_bytes * (double)r->ticks / r->elapsed_s / 1e6;
}

static void print_json(const struct vt_args *args, struct result *r)
{
    struct vt_json_writer w;
    vt_json_init(&w, stdout, vt_args_pretty(args));
    vt_json_object(&w);
    vt_json_kv_u64(&w, "ram_bytes", r->ram_bytes);
    vt_json_kv_u64(&w, "hz", r->hz);
    vt_json_kv_u64(&w, "ticks", r->ticks);
    vt_json_kv_f64(&w, "dirty_pages_per_tick", (double)r->pages / (double)r->ticks, 4);
    vt_json_kv_string(&w, "mode", r->mode);
    vt_bench_times(&w, "snapshot_ms", r->total_ms, r->ticks);
    vt_json_key(&w, "memcpy_ms");
    vt_json_object(&w);
    vt_json_kv_f64(&w, "median", vt_bench_median(r->memcpy_ms, MEMCPY_RUNS), 4);
    vt_json_object_end(&w);
    vt_json_kv_f64(&w, "cpu_percent", r->cpu_percent, 4);
    vt_json_kv_f64(&w, "bandwidth_mb_s", mb_per_s(r), 6);
    vt_json_kv_bool(&w, "verified", r->verified);
    vt_json_object_end(&w);
    vt_json_finish(&w);
}

static void print_text(struct result *r)
{
    char ram[32];
    printf("%s of RAM, %llu refreshes at %llu Hz, %.1f dirty pages each, mode %s\n",
           vt_format_bytes(ram, sizeof ram, r->ram_bytes), (unsigned long long)r->ticks,
           (unsigned long long)r->hz, (double)r->pages / (double)r->ticks, r->mode);
    vt_bench_print("a refresh with its verdict", r->total_ms, r->ticks);
    vt_bench_print("  of it: the tracker", r->look_ms, r->ticks);
    vt_bench_print("memcpy of all RAM", r->memcpy_ms, MEMCPY_RUNS);
    for (unsigned v = 0; v < VT_UNCHECKED; v++) {
        printf("%-28s %9llu\n", vt_verdict_name((enum vt_verdict)v),
               (unsigned long long)r->verdicts[v]);
    }
    printf("%-28s %9.2f %% of one core, tracker included\n", "CPU", r->cpu_percent);
    printf("%-28s %9.0f MB/s\n", "RAM kept current", mb_per_s(r));
    puts(r->verified ? "verified: the copy equals the stopped guest's RAM, byte for byte"
                     : "NOT VERIFIED: the copy differs from the stopped guest's RAM");
}

static int read_options(const struct vt_args *args, struct result *r)
{
    int rc = vt_args_u64(args, "ticks", 600, &r->ticks);
    rc = rc != 0 ? rc : vt_args_u64(args, "hz", 60, &r->hz);
    rc = rc != 0 ? rc : vt_args_u64(args, "pages", 200, &r->writes);
    if (rc == 0 && (r->ticks == 0 || r->ticks > TICKS_MAX)) {
        rc = vt_usage_error(args, "--ticks: between 1 and %u", TICKS_MAX);
    }
    if (rc == 0 && (r->hz == 0 || r->hz > 1000)) {
        rc = vt_usage_error(args, "--hz: between 1 and 1000");
    }
    return rc;
}

static int run(const struct vt_args *args)
{
    struct result r = {0};
    struct vt_error err;
    int result = read_options(args, &r);
    if (result != 0) {
        return result;
    }
    r.total_ms = calloc(r.ticks, sizeof *r.total_ms);
    r.look_ms = calloc(r.ticks, sizeof *r.look_ms);
    if (r.total_ms == NULL || r.look_ms == NULL) {
        vt_fail(&err, VT_E_NOMEM, "no memory for %llu ticks", (unsigned long long)r.ticks);
        result = vt_report(args, &err);
    } else {
        result = vt_bench_on_vm(args, "bench memory", VT_CLI_RAM, false, measure, &r);
    }
    if (result == 0 && vt_args_json(args)) {
        print_json(args, &r);
    } else if (result == 0) {
        print_text(&r);
    }
    free(r.total_ms);
    free(r.look_ms);
    return result != 0 || r.verified ? result : VT_EXIT_FAILED;
}

const struct vt_bench vt_bench_memory = {
    .name = "memory",
    .summary = "what it costs to keep a copy of RAM up to date",
    .run = run,
};
