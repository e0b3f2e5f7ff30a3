/* cli/bench_hybrid.c - `vitrine bench hybrid`: loops in a guest, without and with kernels.
 *
 * For each loop: the guest runs it, then runs it while an accelerator looks until its kernel is
 * measured, then runs it again; the host runs the same program. What each computed is compared.
 * What is lost where there is nothing to win is the CPU time of other work in a VM without the
 * plugin, with an idle one, and with all the kernels in, in turns.
 */
#include "cli/bench_hybrid.h"

#include "base/io.h"
#include "base/text.h"
#include "machine/console_client.h"
#include "pixel/host.h"
#include "vitrine/hybrid.h"

#include <ftw.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BYTES ((uint64_t)1 << 20)
#define SECONDS_NS 500000000u
#define RECORD_MS 200u
#define LOOKS_MAX 6u /* until a loop's kernel is measured */
#define ROUNDS 7u
#define ROUNDS_MAX 51u
#define EXEC_MS 60000

/* Some of the shell's own, some of a program's; no loop of it is vt-loops'. */
static const char other_work[] =
    "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); done; sha256sum /bin/busybox >/dev/null";

struct row {
    struct vt_bench_loop tcg, hybrid, native;
    struct vt_ledger_row kernel; /* hash "": none */
};

struct bench {
    uint64_t bytes, seconds_ns, rounds, memory_bytes;
    const char *loops; /* comma-separated, or NULL: all */
    char names[2][VT_VM_NAME_MAX + 1];
    char cache[64], qemu[32];
    struct vt_vm *vm[2]; /* with the plugin, without */
    struct vt_target target;
    struct vt_accelerator *accelerator;
    struct row rows[VT_BENCH_LOOPS_MAX];
    uint32_t n;
    double plain[2][ROUNDS_MAX], idle[ROUNDS_MAX], full[ROUNDS_MAX];
    double idle_percent, full_percent;
};

static bool was_interrupted(void *unused)
{
    (void)unused;
    return vt_interrupted != 0;
}

/* ---------------------------------------------------------------- VMs */

static int open_vms(const struct vt_args *args, struct bench *b, struct vt_error *err)
{
    (void)args;
    for (unsigned i = 0; i < 2; i++) {
        snprintf(b->names[i], sizeof b->names[i], "bench-%d-%u", (int)getpid(), i);
        int rc = vt_bench_hybrid_start(b->names[i], b->memory_bytes, i == 1, err);
        rc = rc != 0 ? rc : vt_vm_open(b->names[i], &b->vm[i], err);
        if (rc != 0) {
            return rc;
        }
    }
    snprintf(b->qemu, sizeof b->qemu, "%s", vt_vm_info(b->vm[0])->qemu_version);
    struct vt_accelerator_options options = {
        .record_ms = RECORD_MS, .cache = b->cache, .stop = was_interrupted};
    int rc = vt_target_open(b->names[0], "bench hybrid", "", &b->target, err);
    return rc != 0 ? rc : vt_accelerator_create(&b->target, &options, &b->accelerator, err);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st;
    (void)kind;
    (void)where;
    (void)remove(path);
    return 0;
}

static void close_vms(struct bench *b)
{
    vt_accelerator_destroy(b->accelerator, false);
    vt_target_close(&b->target, NULL);
    for (unsigned i = 0; i < 2; i++) {
        if (b->vm[i] != NULL) {
            vt_vm_kill(b->vm[i], NULL);
            vt_vm_close(b->vm[i]);
        }
    }
    if (b->cache[0] != '\0') {
        (void)nftw(b->cache, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    }
}

/* ---------------------------------------------------------------- loops */

static int name_loops(struct bench *b, struct vt_error *err)
{
    static struct vt_bench_loops known;
    int rc = vt_bench_hybrid_loops(NULL, "all --bytes 1024 --times 1", &known, err);
    if (rc != 0) {
        return rc;
    }
    for (uint32_t i = 0; i < known.n; i++) {
        const char *at = b->loops, *name = known.all[i].name;
        size_t n = strlen(name);
        while (at != NULL && !(strncmp(at, name, n) == 0 && (at[n] == ',' || at[n] == '\0'))) {
            at = strchr(at, ',');
            at = at != NULL ? at + 1 : NULL;
        }
        if (b->loops == NULL || at != NULL) {
            b->rows[b->n++].tcg = known.all[i];
        }
    }
    return b->n != 0 ? 0 : vt_fail(err, VT_E_INVAL, "--loops: no loop like '%s'", b->loops);
}

static int run_loop(const struct bench *b, struct vt_vm *vm, const char *name,
                    struct vt_bench_loop *out, struct vt_error *err)
{
    struct vt_bench_loops got;
    char arguments[128];
    snprintf(arguments, sizeof arguments, "%s --bytes %" PRIu64 " --seconds %.3f", name, b->bytes,
             (double)b->seconds_ns / 1e9);
    int rc = vt_bench_hybrid_loops(vm, arguments, &got, err);
    if (rc == 0) {
        *out = got.all[0];
    }
    return rc;
}

static int exec(struct bench *b, const char *command, struct vt_error *err)
{
    int code;
    return vt_console_exec(b->vm[0], command, vt_deadline_ms(EXEC_MS), &vt_interrupted, NULL, NULL,
                           &code, err);
}

/* Of the program's loops that were not there before and have this fate, the one that it spent most
 * in. */
static const struct vt_ledger_row *kernel_of(struct bench *b, uint32_t before,
                                             enum vt_loop_fate fate)
{
    uint32_t n;
    const struct vt_ledger_row *rows = vt_accelerator_ledger(b->accelerator, &n), *best = NULL;
    for (uint32_t i = before; i < n; i++) {
        bool of_program = strcmp(rows[i].process, "vt-loops") == 0;
        if (of_program && rows[i].fate == fate &&
            (best == NULL || rows[i].percent > best->percent)) {
            best = &rows[i];
        }
    }
    return best;
}

static int accelerate(struct bench *b, struct row *row, struct vt_error *err)
{
    char command[192];
    uint32_t before, found;
    (void)vt_accelerator_ledger(b->accelerator, &before);
    snprintf(command, sizeof command,
             "setsid vt-loops %s --bytes %" PRIu64 " --for-ever </dev/null >/dev/null 2>&1 &",
             row->tcg.name, b->bytes);
    int rc = exec(b, command, err);
    const struct vt_ledger_row *kernel = NULL;
    for (unsigned look = 0; rc == 0 && kernel == NULL && look < LOOKS_MAX; look++) {
        rc = vt_accelerator_round(b->accelerator, &found, err);
        kernel = kernel_of(b, before, VT_FATE_KEPT);
    }
    /* On a machine that has more to do it may be in use and not measured. */
    kernel = kernel != NULL ? kernel : kernel_of(b, before, VT_FATE_WAITING);
    if (kernel != NULL) {
        row->kernel = *kernel;
    }
    struct vt_error ignored;
    int ended = exec(b, "killall vt-loops", rc == 0 ? err : &ignored);
    return rc == 0 ? ended : rc;
}

static int measure_loop(struct bench *b, struct row *row, struct vt_error *err)
{
    char name[sizeof row->tcg.name];
    memcpy(name, row->tcg.name, sizeof name);
    vt_progress("%s: the guest's own code", name);
    int rc = run_loop(b, b->vm[0], name, &row->tcg, err);
    vt_progress("%s: making a kernel", name);
    rc = rc != 0 ? rc : accelerate(b, row, err);
    vt_progress("%s: with it", name);
    rc = rc != 0 ? rc : run_loop(b, b->vm[0], name, &row->hybrid, err);
    vt_progress("%s: on the host", name);
    return rc != 0 ? rc : run_loop(b, NULL, name, &row->native, err);
}

/* ---------------------------------------------------------------- losses */

static int turns(struct bench *b, double *plain, double *with, double *percent,
                 struct vt_error *err)
{
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < b->rounds; i++) {
        vt_progress("other work: %u of %u", i + 1, (unsigned)b->rounds);
        for (unsigned k = 0; rc == 0 && k < 2; k++) {
            bool plugin = (k + i) % 2 == 0;
            rc = vt_bench_hybrid_work(b->vm[plugin ? 0 : 1], other_work,
                                      plugin ? &with[i] : &plain[i], err);
        }
    }
    if (rc == 0) {
        *percent = 100 * (vt_bench_median(with, b->rounds) / vt_bench_median(plain, b->rounds) - 1);
    }
    return rc;
}

static int measure(const struct vt_args *args, struct bench *b, struct vt_error *err)
{
    int rc = name_loops(b, err);
    rc = rc != 0 ? rc : open_vms(args, b, err);
    double warm; /* the first time everything is translated */
    for (unsigned i = 0; rc == 0 && b->rounds != 0 && i < 2; i++) {
        rc = vt_bench_hybrid_work(b->vm[i], other_work, &warm, err);
    }
    if (rc == 0 && b->rounds != 0) {
        rc = turns(b, b->plain[0], b->idle, &b->idle_percent, err);
    }
    for (uint32_t i = 0; rc == 0 && i < b->n; i++) {
        rc = measure_loop(b, &b->rows[i], err);
    }
    if (rc == 0 && b->rounds != 0) {
        rc = vt_bench_hybrid_work(b->vm[0], other_work, &warm, err);
        rc = rc != 0 ? rc : turns(b, b->plain[1], b->full, &b->full_percent, err);
    }
    vt_progress("%s", "");
    return rc;
}

/* ---------------------------------------------------------------- the result */

static bool correct(const struct row *r)
{
    return strcmp(r->tcg.check, r->hybrid.check) == 0 && strcmp(r->tcg.check, r->native.check) == 0;
}

static const char *backend_of(const struct row *r)
{
    return r->kernel.hash[0] == '\0' ? NULL : r->kernel.backend == VT_ACCEL_GPU ? "gpu" : "host";
}

static double ms(const struct vt_bench_loop *l)
{
    return (double)l->median_ns / 1e6;
}

static void write_json(const struct vt_args *args, const struct bench *b)
{
    struct vt_json_writer w;
    vt_json_init(&w, stdout, vt_args_pretty(args));
    vt_json_object(&w);
    vt_json_kv_string(&w, "qemu", b->qemu);
    vt_json_kv_string(&w, "compiler", vt_pixel_compiler());
    vt_json_key(&w, "loops");
    vt_json_array(&w);
    for (uint32_t i = 0; i < b->n; i++) {
        const struct row *r = &b->rows[i];
        vt_json_object(&w);
        vt_json_kv_string(&w, "loop", r->tcg.name);
        vt_json_kv_u64(&w, "bytes", r->tcg.bytes);
        vt_json_kv_f64(&w, "tcg_ms", ms(&r->tcg), 5);
        vt_json_kv_f64(&w, "hybrid_ms", ms(&r->hybrid), 5);
        vt_json_kv_f64(&w, "native_ms", ms(&r->native), 5);
        vt_json_kv_f64(&w, "speedup", ms(&r->tcg) / ms(&r->hybrid), 4);
        vt_json_kv_f64(&w, "of_native", ms(&r->native) / ms(&r->hybrid), 4);
        vt_json_kv_string(&w, "backend", backend_of(r));
        vt_json_kv_bool(&w, "correct", correct(r));
        vt_json_kv_f64(&w, "proof_ms",
                       backend_of(r) != NULL ? (double)r->kernel.proof_us / 1e3 : (double)NAN, 5);
        vt_json_object_end(&w);
    }
    vt_json_array_end(&w);
    if (b->rounds != 0) {
        vt_json_key(&w, "loss");
        vt_json_object(&w);
        vt_json_kv_u64(&w, "rounds", b->rounds);
        vt_json_kv_f64(&w, "idle_percent", b->idle_percent, 4);
        vt_json_kv_f64(&w, "kernels_percent", b->full_percent, 4);
        vt_json_object_end(&w);
    }
    vt_json_object_end(&w);
    vt_json_finish(&w);
}

static void print_rows(const struct bench *b)
{
    printf("QEMU %s, kernels by %s\n\n%-12s %10s %10s %10s %10s %9s %10s %-7s %9s %s\n", b->qemu,
           vt_pixel_compiler(), "LOOP", "BYTES", "TCG ms", "HYBRID ms", "NATIVE ms", "SPEEDUP",
           "OF NATIVE", "BACKEND", "PROOF ms", "CORRECT");
    for (uint32_t i = 0; i < b->n; i++) {
        const struct row *r = &b->rows[i];
        bool has = backend_of(r) != NULL;
        printf("%-12s %10" PRIu64 " %10.3f %10.3f %10.3f %9.2f %9.0f%% %-7s %9.1f %s\n",
               r->tcg.name, r->tcg.bytes, ms(&r->tcg), ms(&r->hybrid), ms(&r->native),
               ms(&r->tcg) / ms(&r->hybrid), 100 * ms(&r->native) / ms(&r->hybrid),
               has ? backend_of(r) : "-", (double)r->kernel.proof_us / 1e3,
               correct(r) ? "yes" : "NO");
    }
    if (b->rounds != 0) {
        printf("\nother work takes %+.2f %% with an idle plugin, %+.2f %% with these kernels in\n",
               b->idle_percent, b->full_percent);
    }
}

static int read_request(const struct vt_args *args, struct bench *b)
{
    if (vt_args_operand(args, 1) != NULL) {
        return vt_usage_error(args, "hybrid starts VMs of its own");
    }
    b->loops = vt_args_value(args, "loops");
    int rc = vt_args_bytes(args, "bytes", BYTES, &b->bytes);
    rc = rc != 0 ? rc : vt_args_duration(args, "seconds", SECONDS_NS, &b->seconds_ns);
    rc = rc != 0 ? rc : vt_args_u64(args, "rounds", ROUNDS, &b->rounds);
    rc = rc != 0 ? rc : vt_args_bytes(args, "memory", 0, &b->memory_bytes);
    if (rc == 0 && (b->bytes < 1024 || b->bytes > (uint64_t)16 << 20 || b->rounds > ROUNDS_MAX)) {
        return vt_usage_error(args, "--bytes: 1K to 16M; --rounds: 0 to %u", ROUNDS_MAX);
    }
    return rc;
}

static int run(const struct vt_args *args)
{
    struct vt_error err;
    struct bench *b = calloc(1, sizeof *b);
    if (b == NULL) {
        fputs("vitrine bench: out of memory\n", stderr);
        return VT_EXIT_FAILED;
    }
    int result = read_request(args, b);
    if (result == 0) {
        strcpy(b->cache, "/tmp/vitrine-bench-XXXXXX");
        bool made = mkdtemp(b->cache) != NULL;
        b->cache[0] = made ? b->cache[0] : '\0';
        int rc = made ? measure(args, b, &err) : vt_fail(&err, VT_E_IO, "no directory in /tmp");
        close_vms(b);
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

const struct vt_bench vt_bench_hybrid = {
    .name = "hybrid",
    .summary = "loops of a guest without and with kernels, and on the host",
    .run = run,
};
