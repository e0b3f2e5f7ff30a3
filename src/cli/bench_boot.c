/* cli/bench_boot.c - `vitrine bench boot`: how long the default guest takes to its shell, under
 * plain TCG, under KVM, and under TCG while its hot loops become kernels.
 *
 * VMs are started paused, so that QEMU's own start is in none of the times. Acceleration begins
 * with the first instruction and has a cache of kernels that lasts from round to round, as the
 * user's does from boot to boot; the first round is told apart, which makes and proves them.
 */
#include "cli/bench_boot.h"

#include "base/io.h"
#include "machine/accel.h"
#include "vitrine/hybrid.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROUNDS 3u
#define ROUNDS_MAX 51u
#define BOOT_MS 300000
#define KVM_MS 30000 /* else it does not work here: it is quicker than TCG, or stuck */

enum mode { PLAIN, KVM, ACCELERATED, MODES };
static const char *const names[] = {"tcg", "kvm", "accelerated"};

struct row {
    double wall[ROUNDS_MAX], cpu[ROUNDS_MAX];
    uint32_t n;
    char why[sizeof((struct vt_error *)0)->message]; /* it does not work, or "" */
};

struct bench {
    uint64_t rounds, memory_bytes;
    struct vt_bench_dir dir;
    struct row rows[MODES];
    double first_wall; /* with nothing in the cache */
    uint32_t looked, kept;
    char qemu[32];
};

/* ---------------------------------------------------------------- accelerating */

struct accelerating {
    struct vt_target target;
    struct vt_accelerator *accelerator;
    pthread_t thread;
    bool runs, booted; /* the latter: atomic */
};

static bool is_over(void *arg)
{
    const struct accelerating *a = arg;
    return vt_interrupted != 0 || __atomic_load_n(&a->booted, __ATOMIC_ACQUIRE);
}

static void *accelerate(void *arg)
{
    struct accelerating *a = arg;
    struct vt_error err;
    uint32_t found = 0;
    do {
        vt_accelerator_pause(a->accelerator, found);
    } while (vt_accelerator_round(a->accelerator, &found, &err) == 0);
    return NULL;
}

static void end_accelerating(struct accelerating *a, struct bench *b)
{
    __atomic_store_n(&a->booted, true, __ATOMIC_RELEASE);
    if (a->runs) {
        uint32_t n;
        pthread_join(a->thread, NULL);
        const struct vt_ledger_row *rows = vt_accelerator_ledger(a->accelerator, &n);
        b->looked = n;
        b->kept = 0;
        for (uint32_t i = 0; i < n; i++) {
            b->kept += rows[i].fate == VT_FATE_KEPT || rows[i].fate == VT_FATE_WAITING;
        }
    }
    vt_accelerator_destroy(a->accelerator, false);
    if (a->target.vm != NULL) {
        vt_target_close(&a->target, NULL);
    }
}

static int begin_accelerating(struct accelerating *a, const struct vt_vm *vm, const struct bench *b,
                              struct vt_error *err)
{
    struct vt_accelerator_options options = {.cache = b->dir.path, .stop = is_over, .arg = a};
    int rc = vt_target_open(vt_vm_info(vm)->name, "bench boot", "", &a->target, err);
    rc = rc != 0 ? rc : vt_accelerator_create(&a->target, &options, &a->accelerator, err);
    if (rc == 0) {
        int failed = pthread_create(&a->thread, NULL, accelerate, a);
        a->runs = failed == 0;
        rc = a->runs ? 0 : vt_fail_errno(err, VT_E_NOMEM, failed, "no thread to accelerate");
    }
    return rc;
}

/* ---------------------------------------------------------------- one boot */

static int boot(struct bench *b, enum mode mode, struct vt_bench_clocks *took, struct vt_error *err)
{
    struct vt_vm_config config = {.accel = mode == KVM ? "kvm" : "tcg",
                                  .memory_bytes = b->memory_bytes,
                                  .paused = true,
                                  .no_trace = mode != ACCELERATED,
                                  .no_accel = mode != ACCELERATED};
    struct accelerating a = {0};
    struct vt_vm *vm = NULL;
    const char *works = "kvm";
    int rc = mode == KVM ? vt_accel_pick("x86_64", &vt_interrupted, &works, err) : 0;
    if (rc == 0 && strcmp(works, "kvm") != 0) {
        rc = vt_fail(err, VT_E_UNSUPPORTED, "%s",
                     access("/dev/kvm", F_OK) != 0 ? "there is no /dev/kvm"
                                                   : "the default guest does not boot with it");
    }
    rc = rc != 0 ? rc : vt_bench_boot_start(&config, &vm, err);
    if (rc == 0) {
        snprintf(b->qemu, sizeof b->qemu, "%s", vt_vm_info(vm)->qemu_version);
    }
    rc = rc == 0 && mode == ACCELERATED ? begin_accelerating(&a, vm, b, err) : rc;
    rc = rc != 0 ? rc : vt_bench_boot(vm, BOOT_MS, took, err);
    end_accelerating(&a, b);
    vt_bench_boot_end(vm);
    return rc;
}

/* What does not work the first time, and is not plain TCG, is left out. */
static int run_rounds(struct bench *b, struct vt_error *err)
{
    struct vt_bench_clocks took;
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < b->rounds; i++) {
        for (unsigned k = 0; rc == 0 && k < MODES; k++) {
            enum mode mode = i % 2 == 0 ? k : MODES - 1 - k;
            struct row *row = &b->rows[mode];
            if (row->why[0] != '\0') {
                continue;
            }
            vt_progress("round %u of %u: %s", i + 1, (unsigned)b->rounds, names[mode]);
            rc = boot(b, mode, &took, err);
            if (rc != 0 && rc != VT_E_INTERRUPTED && mode != PLAIN && row->n == 0) {
                snprintf(row->why, sizeof row->why, "%s", err->message);
                rc = 0;
            } else if (rc == 0) {
                row->wall[row->n] = took.wall;
                row->cpu[row->n++] = took.cpu;
                b->first_wall = mode == ACCELERATED && i == 0 ? took.wall : b->first_wall;
            }
        }
    }
    vt_progress("%s", "");
    return rc;
}

/* ---------------------------------------------------------------- the result */

static void write_json(const struct vt_args *args, struct bench *b)
{
    struct vt_json_writer w;
    double load[1] = {0};
    (void)getloadavg(load, 1);
    vt_json_init(&w, stdout, vt_args_pretty(args));
    vt_json_object(&w);
    vt_json_kv_string(&w, "qemu", b->qemu);
    vt_json_kv_u64(&w, "rounds", b->rounds);
    vt_json_kv_f64(&w, "load_average", load[0], 4);
    vt_json_key(&w, "boots");
    vt_json_array(&w);
    for (unsigned mode = 0; mode < MODES; mode++) {
        struct row *row = &b->rows[mode];
        vt_json_object(&w);
        vt_json_kv_string(&w, "mode", names[mode]);
        vt_json_kv_bool(&w, "works", row->n != 0);
        vt_json_kv_string(&w, "why", row->n != 0 ? NULL : row->why);
        if (row->n != 0) {
            vt_json_kv_f64(&w, "wall_s", vt_bench_median(row->wall, row->n), 4);
            vt_json_kv_f64(&w, "least_wall_s", row->wall[0], 4); /* they are sorted now */
            vt_json_kv_f64(&w, "qemu_cpu_s", vt_bench_median(row->cpu, row->n), 4);
        }
        if (mode == ACCELERATED && row->n != 0) {
            vt_json_kv_f64(&w, "first_wall_s", b->first_wall, 4);
            vt_json_kv_u64(&w, "loops", b->looked);
            vt_json_kv_u64(&w, "kernels", b->kept);
        }
        vt_json_object_end(&w);
    }
    vt_json_array_end(&w);
    vt_json_object_end(&w);
    vt_json_finish(&w);
}

static void print_rows(struct bench *b)
{
    printf("QEMU %s, power-on to the shell, medians of %u rounds\n\n%-12s %8s %8s %10s\n", b->qemu,
           (unsigned)b->rounds, "MODE", "SECONDS", "LEAST", "CPU s");
    for (unsigned mode = 0; mode < MODES; mode++) {
        struct row *row = &b->rows[mode];
        if (row->n == 0) {
            printf("%-12s does not work here: %s\n", names[mode], row->why);
            continue;
        }
        double median = vt_bench_median(row->wall, row->n);
        printf("%-12s %8.2f %8.2f %10.2f", names[mode], median, row->wall[0],
               vt_bench_median(row->cpu, row->n));
        if (mode == ACCELERATED) {
            printf("  %" PRIu32 " loops looked at, %" PRIu32 " kernels; first time %.2f s",
                   b->looked, b->kept, b->first_wall);
        }
        printf("\n");
    }
}

static int run(const struct vt_args *args)
{
    struct vt_error err;
    struct bench *b = calloc(1, sizeof *b);
    if (b == NULL) {
        fputs("vitrine bench: out of memory\n", stderr);
        return VT_EXIT_FAILED;
    }
    int result = vt_args_operand(args, 1) != NULL
                     ? vt_usage_error(args, "boot starts VMs of its own")
                     : vt_args_u64(args, "rounds", ROUNDS, &b->rounds);
    result = result != 0 ? result : vt_args_bytes(args, "memory", 0, &b->memory_bytes);
    if (result == 0 && (b->rounds < 1 || b->rounds > ROUNDS_MAX)) {
        result = vt_usage_error(args, "--rounds: 1 to %u", ROUNDS_MAX);
    }
    if (result == 0) {
        int rc = vt_bench_dir_make(&b->dir, &err);
        rc = rc != 0 ? rc : run_rounds(b, &err);
        vt_bench_dir_remove(&b->dir);
        if (rc == 0 && vt_args_json(args)) {
            write_json(args, b);
        } else if (rc == 0) {
            print_rows(b);
        }
        result = rc == 0 ? vt_output_finish(stdout) : vt_report(args, &err);
    }
    free(b);
    return result;
}

const struct vt_bench vt_bench_boot_times = {
    .name = "boot",
    .summary = "a guest's boot under plain TCG, KVM and accelerated TCG",
    .run = run,
};
