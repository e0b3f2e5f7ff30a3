/* cli/bench_hybrid_loss.c - see bench_hybrid_loss.h.
 *
 * What else runs on a host, or beside it on the same hardware, only makes work take more CPU time:
 * caches, clock rates, a core that is shared, time that was stolen. On a busy host half of the
 * pieces of one and the same work take 1.6 times what the quickest did, and the quickest agree to a
 * percent. So the least counts, of many short pieces that the kinds of VMs do in turns; and each
 * round has VMs of its own, since where QEMU's memory comes to lie makes one differ from the next
 * as long as they live.
 */
#include "cli/bench_hybrid_loss.h"

#include "base/io.h"
#include "cli/bench_boot.h"
#include "machine/console_client.h"
#include "vitrine/hybrid.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BOOT_MS 300000
#define WORK_MS 300000
#define COMMIT_MS 60000

/* Some of the shell's own, some of a program's; no loop of it is vt-loops'. */
static const char work[] =
    "i=0; while [ $i -lt 1500 ]; do i=$((i+1)); done; sha256sum /bin/busybox >/dev/null";

static const char *const kind_names[] = {"plain", "idle", "kernels"};
static const char *const load_names[] = {"boot", "work"};

struct round {
    struct vt_vm *vms[VT_BENCH_LOSS_KINDS];
    struct vt_target target; /* of the one with kernels */
    struct vt_accel *accel;
};

/* ---------------------------------------------------------------- VMs */

static int install(struct round *r, struct vt_synth_kernel *const *kernels, uint32_t n,
                   struct vt_error *err)
{
    struct vt_accel_options options = {.canary_period = 256};
    const char *name = vt_vm_info(r->vms[VT_BENCH_KERNELS])->name;
    int rc = vt_target_open(name, "bench hybrid", "", &r->target, err);
    rc = rc != 0 ? rc : vt_accel_open(&r->target, &r->accel, err);
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        uint32_t slot;
        rc = vt_accel_install(r->accel, kernels[i], &options, &slot, err);
    }
    if (rc == 0) {
        vt_accel_enable(r->accel, true);
        rc = vt_accel_commit(r->accel, COMMIT_MS, err);
    }
    return rc;
}

static int start(struct round *r, unsigned kind, uint64_t memory_bytes, struct vt_error *err)
{
    struct vt_vm_config config = {.accel = "tcg",
                                  .memory_bytes = memory_bytes,
                                  .paused = true,
                                  .no_trace = kind == VT_BENCH_PLAIN,
                                  .no_accel = kind == VT_BENCH_PLAIN};
    return vt_bench_boot_start(&config, &r->vms[kind], err);
}

static void end(struct round *r)
{
    vt_accel_close(r->accel);
    if (r->target.vm != NULL) {
        vt_target_close(&r->target, NULL);
    }
    for (unsigned kind = 0; kind < VT_BENCH_LOSS_KINDS; kind++) {
        vt_bench_boot_end(r->vms[kind]);
    }
}

/* ---------------------------------------------------------------- one round */

static int boot(struct round *r, unsigned kind, double *cpu_s, struct vt_error *err)
{
    struct vt_bench_clocks took;
    int rc = vt_bench_boot(r->vms[kind], BOOT_MS, &took, err);
    rc = rc != 0 ? rc : vt_bench_wait_services(r->vms[kind], err);
    if (rc == 0) {
        *cpu_s = took.cpu;
    }
    return rc;
}

static int do_work(struct vt_vm *vm, double *cpu_s, struct vt_error *err)
{
    struct vt_bench_clocks before, after;
    pid_t qemu = vt_vm_info(vm)->qemu_pid;
    int code = 0;
    int rc = vt_bench_clocks(qemu, &before, err);
    rc = rc != 0 ? rc
                 : vt_console_exec(vm, work, vt_deadline_ms(WORK_MS), &vt_interrupted, NULL, NULL,
                                   &code, err);
    rc = rc != 0 ? rc : vt_bench_clocks(qemu, &after, err);
    if (rc == 0 && code != 0) {
        rc = vt_fail(err, VT_E_REFUSED, "the guest does not run '%s'", work);
    }
    if (rc == 0) {
        *cpu_s = after.cpu - before.cpu;
    }
    return rc;
}

static unsigned kind_at(unsigned turn, unsigned place)
{
    static const uint8_t orders[6][VT_BENCH_LOSS_KINDS] = {{0, 1, 2}, {2, 1, 0}, {1, 2, 0},
                                                           {0, 2, 1}, {2, 0, 1}, {1, 0, 2}};
    return orders[turn % 6][place];
}

static int run_round(struct round *r, uint64_t memory_bytes, struct vt_synth_kernel *const *kernels,
                     uint32_t n, struct vt_bench_loss *l, struct vt_error *err)
{
    uint32_t now = l->rounds;
    int rc = 0;
    for (unsigned i = 0; i < VT_BENCH_LOSS_KINDS && rc == 0; i++) {
        rc = start(r, i, memory_bytes, err);
    }
    rc = rc != 0 ? rc : install(r, kernels, n, err);
    for (unsigned i = 0; i < VT_BENCH_LOSS_KINDS && rc == 0; i++) {
        unsigned kind = kind_at(now, i);
        rc = boot(r, kind, &l->boot[kind][now], err);
    }
    double warm; /* the first time everything is translated */
    for (unsigned i = 0; i < VT_BENCH_LOSS_KINDS && rc == 0; i++) {
        rc = do_work(r->vms[i], &warm, err);
    }
    for (unsigned turn = 0; turn < VT_BENCH_LOSS_TURNS && rc == 0; turn++) {
        for (unsigned i = 0; i < VT_BENCH_LOSS_KINDS && rc == 0; i++) {
            unsigned kind = kind_at(now + turn, i);
            rc = do_work(r->vms[kind], &l->work[kind][now][turn], err);
        }
    }
    for (uint32_t slot = 0; slot < VT_ACCEL_SLOTS && rc == 0; slot++) {
        struct vt_accel_slot counts;
        vt_accel_read(r->accel, slot, &counts);
        l->heads += counts.heads + counts.iterations;
    }
    l->rounds += rc == 0;
    return rc;
}

int vt_bench_loss_measure(uint64_t memory_bytes, uint32_t rounds,
                          struct vt_synth_kernel *const *kernels, uint32_t n,
                          struct vt_bench_loss *loss, struct vt_error *err)
{
    int rc = 0;
    *loss = (struct vt_bench_loss){.n_kernels = n};
    while (rc == 0 && loss->rounds < rounds) {
        struct round r = {0};
        vt_progress("other work: round %u of %u", loss->rounds + 1, rounds);
        rc = run_round(&r, memory_bytes, kernels, n, loss, err);
        end(&r);
    }
    return rc;
}

/* ---------------------------------------------------------------- the result */

/* Of all rounds but `without`. */
static double least(const struct vt_bench_loss *l, enum vt_bench_loss_load load, unsigned kind,
                    uint32_t without)
{
    double best = (double)INFINITY;
    for (uint32_t i = 0; i < l->rounds; i++) {
        unsigned turns = load == VT_BENCH_LOSS_BOOT ? 1 : VT_BENCH_LOSS_TURNS;
        for (unsigned t = 0; i != without && t < turns; t++) {
            best = fmin(best, load == VT_BENCH_LOSS_BOOT ? l->boot[kind][i] : l->work[kind][i][t]);
        }
    }
    return best;
}

struct vt_bench_loss_figure vt_bench_loss_figure(const struct vt_bench_loss *l,
                                                 enum vt_bench_loss_load load,
                                                 enum vt_bench_loss_kind kind)
{
    struct vt_bench_loss_figure f = {.plain_s = least(l, load, VT_BENCH_PLAIN, UINT32_MAX)};
    f.percent = 100 * (least(l, load, kind, UINT32_MAX) / f.plain_s - 1);
    f.low = f.high = f.percent;
    for (uint32_t i = 0; i < l->rounds && l->rounds > 1; i++) {
        double one = 100 * (least(l, load, kind, i) / least(l, load, VT_BENCH_PLAIN, i) - 1);
        f.low = fmin(f.low, one);
        f.high = fmax(f.high, one);
    }
    return f;
}

void vt_bench_loss_json(const struct vt_bench_loss *l, struct vt_json_writer *w)
{
    vt_json_object(w);
    vt_json_kv_u64(w, "rounds", l->rounds);
    vt_json_kv_u64(w, "turns", VT_BENCH_LOSS_TURNS);
    vt_json_kv_u64(w, "kernels", l->n_kernels);
    vt_json_kv_u64(w, "heads", l->heads);
    for (unsigned load = 0; load < VT_BENCH_LOSS_LOADS; load++) {
        vt_json_key(w, load_names[load]);
        vt_json_object(w);
        for (unsigned kind = VT_BENCH_IDLE; kind < VT_BENCH_LOSS_KINDS; kind++) {
            struct vt_bench_loss_figure f = vt_bench_loss_figure(l, load, kind);
            if (kind == VT_BENCH_IDLE) {
                vt_json_kv_f64(w, "plain_cpu_ms", 1e3 * f.plain_s, 6);
            }
            vt_json_key(w, kind_names[kind]);
            vt_json_object(w);
            vt_json_kv_f64(w, "percent", f.percent, 4);
            vt_json_kv_f64(w, "low", f.low, 4);
            vt_json_kv_f64(w, "high", f.high, 4);
            vt_json_object_end(w);
        }
        vt_json_object_end(w);
    }
    vt_json_object_end(w);
}

void vt_bench_loss_print(const struct vt_bench_loss *l)
{
    printf("\nCPU time of other work against QEMU without plugins, %" PRIu32
           " rounds (in brackets: with any one round left out)\n",
           l->rounds);
    for (unsigned load = 0; load < VT_BENCH_LOSS_LOADS; load++) {
        struct vt_bench_loss_figure idle = vt_bench_loss_figure(l, load, VT_BENCH_IDLE);
        struct vt_bench_loss_figure full = vt_bench_loss_figure(l, load, VT_BENCH_KERNELS);
        printf("%-5s %9.1f ms   idle plugins %+.2f %% (%+.2f to %+.2f)   %" PRIu32
               " kernels in %+.2f %% (%+.2f to %+.2f)\n",
               load_names[load], 1e3 * idle.plain_s, idle.percent, idle.low, idle.high,
               l->n_kernels, full.percent, full.low, full.high);
    }
}
