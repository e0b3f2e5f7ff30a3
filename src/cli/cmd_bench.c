/* cli/cmd_bench.c - `vitrine bench`: measures what vitrine costs, here and now. */
#include "cli/bench_boot.h"

#include "base/io.h"
#include "base/text.h"
#include "machine/console_client.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GUEST_TIMEOUT_MS 120000

extern const struct vt_bench vt_bench_boot_times;
extern const struct vt_bench vt_bench_guest;
extern const struct vt_bench vt_bench_hybrid;
extern const struct vt_bench vt_bench_memory;
extern const struct vt_bench vt_bench_semantic;
extern const struct vt_bench vt_bench_trace;
extern const struct vt_bench vt_bench_venus;
extern const struct vt_bench vt_bench_virtio_gpu;
extern const struct vt_bench vt_bench_vms;
extern const struct vt_bench vt_bench_volume;

/* clang-format off */
static const struct vt_bench *const benches[] = {
    &vt_bench_boot_times,
    &vt_bench_guest,
    &vt_bench_hybrid,
    &vt_bench_memory,
    &vt_bench_semantic,
    &vt_bench_trace,
    &vt_bench_venus,
    &vt_bench_virtio_gpu,
    &vt_bench_vms,
    &vt_bench_volume,
    NULL,
};
/* clang-format on */

/* ---------------------------------------------------------------- a VM of our own */

static int start(const char *name, uint64_t memory_bytes, struct vt_error *err)
{
    struct vt_vm_config config = {.name = name, .memory_bytes = memory_bytes};
    struct vt_vm *vm = NULL;
    int code;
    vt_progress("booting a guest to measure …");
    int rc = vt_bench_boot_start(&config, &vm, err);
    if (rc == 0) { /* its shell answers: it has booted */
        rc = vt_console_exec(vm, ":", vt_deadline_ms(GUEST_TIMEOUT_MS), &vt_interrupted, NULL, NULL,
                             &code, err);
    }
    if (rc == 0) {
        vt_vm_close(vm);
    } else {
        vt_bench_boot_end(vm);
    }
    vt_progress("%s", "");
    return rc;
}

int vt_bench_vm_start(const struct vt_args *args, unsigned index, struct vt_bench_vm *vm,
                      struct vt_error *err)
{
    struct vt_bench_vm v = {.ours = true};
    uint64_t memory_bytes;
    if (vt_args_bytes(args, "memory", 0, &memory_bytes) != 0) {
        return vt_fail(err, VT_E_INVAL, "--memory is no size");
    }
    if (memory_bytes != 0 && memory_bytes < VT_GUEST_LEAST_BYTES) {
        char needs[32];
        return vt_fail(err, VT_E_INVAL, "--memory: the guest needs %s to boot",
                       vt_format_bytes(needs, sizeof needs, VT_GUEST_LEAST_BYTES));
    }
    snprintf(v.own, sizeof v.own, "bench-%d-%u", (int)getpid(), index);
    int rc = start(v.own, memory_bytes, err);
    if (rc == 0) {
        *vm = v;
        vm->name = vm->own;
    }
    return rc;
}

int vt_bench_vm_open(const struct vt_args *args, struct vt_bench_vm *vm, struct vt_error *err)
{
    const char *name = vt_args_operand(args, 1);
    if (name == NULL) {
        return vt_bench_vm_start(args, 0, vm, err);
    }
    *vm = (struct vt_bench_vm){.name = name};
    return 0;
}

int vt_bench_vm_write(struct vt_vm *vm, uint64_t pages, uint64_t hz, struct vt_error *err)
{
    char command[128];
    int code = 0;
    snprintf(command, sizeof command, "vt-dirty %llu %llu </dev/null >/dev/null 2>&1 &",
             (unsigned long long)pages, (unsigned long long)hz);
    int rc = vt_console_exec(vm, command, vt_deadline_ms(GUEST_TIMEOUT_MS), &vt_interrupted, NULL,
                             NULL, &code, err);
    return rc == 0 && code != 0 ? vt_fail(err, VT_E_REFUSED, "the guest does not run '%s'", command)
                                : rc;
}

void vt_bench_vm_close(struct vt_bench_vm *vm)
{
    struct vt_vm *handle;
    if (vm->ours && vt_vm_open(vm->name, &handle, NULL) == 0) {
        vt_vm_kill(handle, NULL);
        vt_vm_close(handle);
    }
    vm->ours = false;
}

int vt_bench_on_vm(const struct vt_args *args, const char *operation, enum vt_cli_need need,
                   bool saved, vt_bench_measure *measure, void *context)
{
    struct vt_bench_vm vm;
    struct vt_target t;
    struct vt_error err;
    if (vt_bench_vm_open(args, &vm, &err) != 0) {
        return vt_report(args, &err);
    }
    int result = vt_cli_open_named(args, vm.name, operation, need, "", &t);
    if (result == 0) {
        int rc = t.vm == NULL && !saved
                     ? vt_fail(&err, VT_E_INVAL, "%s: a file does not change", vm.name)
                     : measure(&t, vm.ours, context, &err);
        result = vt_cli_close(args, &t, rc == 0 ? 0 : vt_report(args, &err));
    }
    vt_bench_vm_close(&vm);
    return result;
}

/* ---------------------------------------------------------------- times */

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return a < b ? -1 : a > b;
}

double vt_bench_percentile(double *ms, size_t n, unsigned percent)
{
    size_t rank = (n * percent + 99) / 100;
    qsort(ms, n, sizeof *ms, compare);
    return ms[rank > 0 ? rank - 1 : 0];
}

double vt_bench_median(double *ms, size_t n)
{
    return vt_bench_percentile(ms, n, 50);
}

void vt_bench_times(struct vt_json_writer *w, const char *key, double *ms, size_t n)
{
    vt_json_key(w, key);
    vt_json_object(w);
    vt_json_kv_f64(w, "median", vt_bench_percentile(ms, n, 50), 4);
    vt_json_kv_f64(w, "p99", vt_bench_percentile(ms, n, 99), 4);
    vt_json_object_end(w);
}

void vt_bench_print(const char *what, double *ms, size_t n)
{
    printf("%-28s %9.3f ms median %9.3f ms p99\n", what, vt_bench_percentile(ms, n, 50),
           vt_bench_percentile(ms, n, 99));
}

/* ---------------------------------------------------------------- the verb */

static int run(const struct vt_args *args)
{
    const char *name = vt_args_operand(args, 0);
    for (const struct vt_bench *const *b = benches; name != NULL && *b != NULL; b++) {
        if (strcmp((*b)->name, name) == 0) {
            return (*b)->run(args);
        }
    }
    if (name != NULL) {
        return vt_usage_error(args, "no measurement '%s'", name);
    }
    for (const struct vt_bench *const *b = benches; *b != NULL; b++) {
        printf("%-10s %s\n", (*b)->name, (*b)->summary);
    }
    return VT_EXIT_OK;
}

static const struct vt_option options[] = {
    {"memory", "SIZE", "RAM of the guest that is booted for it (default: 256M)", false},
    {"ticks", "N", "memory, vms: how many refreshes (default: 600); semantic: samples (60)", false},
    {"hz", "N", "memory, vms: refreshes a second, volume: looks a second (default: 60)", false},
    {"pages", "N", "pages a guest of its own writes each tick (default: 200)", false},
    {"synthetic", "PERCENT", "volume: of RAM made for it, so much of it in use, and no VM", false},
    {"size", "N", "volume: synthetic RAM that fills N x N x N voxels, instead of --memory", false},
    {"write-rate", "N", "volume: pages of synthetic RAM written a second (default: 12000)", false},
    {"gpu", "NAME", "volume: the device, as `vitrine gpus` lists it", false},
    {"gpu-memory", "SIZE", "volume: of the device, at most (default: what RAM needs)", false},
    {"resolution", "WxH", "volume: pixels (default: 1920x1080; 320x180 without a GPU)", false},
    {"method", "NAME", "volume: march (default), slices, or both", false},
    {"frames", "N", "volume: frames of each method (default: 360)", false},
    {"adaptive", "FPS", "volume: fewer pixels where that is needed for FPS frames a second", false},
    {"latency", NULL, "volume: from a write in the guest to the frame that shows it, too", false},
    {"writes", "N", "volume: how many writes are followed with --latency (default: 200)", false},
    {"copy", NULL, "volume: copy RAM to the device, also where it could be used in place", false},
    {"picture", "FILE", "volume: the last frame, as PNG", false},
    {"flushes", "N", "virtio-gpu: flushes of a run (default: 100000)", false},
    {"rounds", "N", "virtio-gpu, trace, venus, hybrid, boot: runs of each kind (5, 3, 3, 7, 3)",
     false},
    {"bytes", "SIZE", "hybrid: of each buffer (default: 1M)", false},
    {"loops", "LIST", "hybrid: these loops of vt-loops, with commas (default: all)", false},
    {"seconds", "TIME", "hybrid: of each loop, each way (default: 500ms)", false},
    {"client", NULL, "venus: measure the Vulkan device that is found, alone", false},
    {"server", "SOCKET", "venus: go through whoever serves vtest there", false},
    {"venus-driver", "FILE", "venus: the driver's JSON file; the native side is as it is found",
     false},
    {"workload", "NAME", "trace: boot or compute alone", false},
    {"mode", "NAME", "trace: this one, and what it is compared with", true},
    {"compute", "N", "trace: rounds of computing (default: 1500)", false},
    {"peers", "DIR", "trace: QEMU's own plugins, built by tools/peer-plugins, are in DIR", false},
    {"without", "FEATURE", "volume: not heat, highlights, dim, boxes, labels or frame", true},
    {0},
};

const struct vt_verb vt_verb_bench = {
    .name = "bench",
    .group = "Help",
    .summary = "Measure what vitrine costs, here and now",
    .operands = "[NAME [VM]]",
    .max_operands = 2,
    .options = options,
    .description = "Without NAME: what can be measured. Without VM, a guest is booted for it and\n"
                   "ended afterwards. Times are wall-clock and belong to this machine.",
    .examples = "vitrine bench\nvitrine bench guest --json\nvitrine bench guest web\n"
                "vitrine bench memory --memory 128M\n"
                "vitrine bench volume --synthetic 25 --size 1024 --json\n"
                "vitrine bench trace --json\n"
                "vitrine bench hybrid --loops xor8,chacha20 --json\n"
                "vitrine bench boot\n"
                "vitrine bench venus --json",
    .run = run,
};
