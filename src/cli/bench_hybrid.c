/* cli/bench_hybrid.c - `vitrine bench hybrid`: loops in a guest, without and with kernels.
 *
 * For each loop: the guest runs it, then runs it while an accelerator looks until its kernel is
 * measured, then runs it again; the host runs the same program. What each computed is compared.
 * What is lost where there is nothing to win is bench_hybrid_loss.c's, with the kernels of this.
 */
#include "cli/bench_hybrid.h"

#include "base/io.h"
#include "base/text.h"
#include "cli/bench_boot.h"
#include "cli/bench_hybrid_loss.h"
#include "machine/console_client.h"
#include "pixel/host.h"
#include "vitrine/hybrid.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BYTES ((uint64_t)1 << 20)
#define SECONDS_NS 500000000u
#define RECORD_MS 200u
#define LOOKS 12u       /* until a loop has a kernel */
#define THRESHOLD 1000u /* the program is hot, however little a busy host lets it run */
#define LOOKS_MAX 40u   /* until the kernel that it has is measured */
#define ROUNDS 7u
#define EXEC_MS 60000

struct row {
    struct vt_bench_loop tcg, hybrid, native;
    struct vt_ledger_row kernel;                      /* hash "": none */
    char why[sizeof((struct vt_ledger_row *)0)->why]; /* there is none */
};

struct bench {
    uint64_t bytes, seconds_ns, rounds, memory_bytes;
    const char *loops; /* comma-separated, or NULL: all */
    char qemu[32];
    struct vt_bench_dir cache;
    struct vt_vm *vm;
    struct vt_target target;
    struct vt_accelerator *accelerator;
    struct row rows[VT_BENCH_LOOPS_MAX];
    uint32_t n;
    struct vt_bench_loss loss;
};

static bool was_interrupted(void *unused)
{
    (void)unused;
    return vt_interrupted != 0;
}

/* ---------------------------------------------------------------- the VM */

static int open_vm(struct bench *b, struct vt_error *err)
{
    struct vt_vm_config config = {.accel = "tcg", .memory_bytes = b->memory_bytes};
    struct vt_accelerator_options options = {.threshold = THRESHOLD,
                                             .record_ms = RECORD_MS,
                                             .cache = b->cache.path,
                                             .stop = was_interrupted};
    vt_progress("booting a guest to measure …");
    int rc = vt_bench_boot_start(&config, &b->vm, err);
    rc = rc != 0 ? rc : vt_bench_wait_services(b->vm, err);
    if (rc == 0) {
        snprintf(b->qemu, sizeof b->qemu, "%s", vt_vm_info(b->vm)->qemu_version);
        rc = vt_target_open(vt_vm_info(b->vm)->name, "bench hybrid", "", &b->target, err);
    }
    return rc != 0 ? rc : vt_accelerator_create(&b->target, &options, &b->accelerator, err);
}

static void close_vm(struct bench *b)
{
    vt_accelerator_destroy(b->accelerator, false);
    b->accelerator = NULL;
    if (b->target.vm != NULL) {
        vt_target_close(&b->target, NULL);
    }
    vt_bench_boot_end(b->vm);
    b->vm = NULL;
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
    return vt_console_exec(b->vm, command, vt_deadline_ms(EXEC_MS), &vt_interrupted, NULL, NULL,
                           &code, err);
}

/* Of the program's loops that were not there before and have this fate, the one that it spent most
 * in. */
static const struct vt_ledger_row *row_of(struct bench *b, uint32_t before, enum vt_loop_fate fate)
{
    static const char file[] = "vt-loops:";
    uint32_t n;
    const struct vt_ledger_row *rows = vt_accelerator_ledger(b->accelerator, &n), *best = NULL;
    for (uint32_t i = before; i < n; i++) {
        bool of_program = strncmp(rows[i].place, file, sizeof file - 1) == 0;
        if (of_program && rows[i].fate == fate &&
            (best == NULL || rows[i].percent > best->percent)) {
            best = &rows[i];
        }
    }
    return best;
}

/* The program goes on until its kernel was measured. */
static int look(struct bench *b, struct row *row, uint32_t before, struct vt_error *err)
{
    const struct vt_ledger_row *kernel = NULL, *waits = NULL;
    int rc = 0;
    for (unsigned i = 0; rc == 0 && kernel == NULL && i < (waits != NULL ? LOOKS_MAX : LOOKS);
         i++) {
        uint32_t found;
        rc = vt_accelerator_round(b->accelerator, &found, err);
        kernel = row_of(b, before, VT_FATE_KEPT);
        waits = row_of(b, before, VT_FATE_WAITING);
    }
    kernel = kernel != NULL ? kernel : waits;
    if (kernel != NULL) {
        row->kernel = *kernel;
        return rc;
    }
    static const enum vt_loop_fate not_in[] = {VT_FATE_SLOWER, VT_FATE_DISABLED, VT_FATE_REFUSED,
                                               VT_FATE_UNPROVEN, VT_FATE_UNSUPPORTED};
    const struct vt_ledger_row *without = NULL;
    for (unsigned i = 0; i < sizeof not_in / sizeof *not_in && without == NULL; i++) {
        without = row_of(b, before, not_in[i]);
    }
    snprintf(row->why, sizeof row->why, "%s",
             without != NULL ? without->why : "no loop of it is hot");
    return rc;
}

static int accelerate(struct bench *b, struct row *row, struct vt_error *err)
{
    char command[192];
    uint32_t before;
    (void)vt_accelerator_ledger(b->accelerator, &before);
    snprintf(command, sizeof command,
             "setsid vt-loops %s --bytes %" PRIu64 " --for-ever </dev/null >/dev/null 2>&1 &",
             row->tcg.name, b->bytes);
    int rc = exec(b, command, err);
    rc = rc != 0 ? rc : look(b, row, before, err);
    struct vt_error ignored;
    int ended = exec(b, "killall vt-loops", rc == 0 ? err : &ignored);
    return rc == 0 ? ended : rc;
}

static int measure_loop(struct bench *b, struct row *row, struct vt_error *err)
{
    char name[sizeof row->tcg.name];
    memcpy(name, row->tcg.name, sizeof name);
    vt_progress("%s: the guest's own code", name);
    int rc = run_loop(b, b->vm, name, &row->tcg, err);
    vt_progress("%s: making a kernel", name);
    rc = rc != 0 ? rc : accelerate(b, row, err);
    vt_progress("%s: with it", name);
    rc = rc != 0 ? rc : run_loop(b, b->vm, name, &row->hybrid, err);
    vt_progress("%s: on the host", name);
    return rc != 0 ? rc : run_loop(b, NULL, name, &row->native, err);
}

/* ---------------------------------------------------------------- losses */

/* With the kernels of what was measured, proven from their files once more. */
static int measure_loss(struct bench *b, struct vt_error *err)
{
    struct vt_synth_kernel *kernels[VT_BENCH_LOOPS_MAX] = {NULL};
    struct vt_proof_options how = {.stop = was_interrupted};
    uint32_t n = 0;
    int rc = 0;
    for (uint32_t i = 0; i < b->n && n < VT_ACCEL_SLOTS && rc == 0; i++) {
        const char *hash = b->rows[i].kernel.hash;
        if (hash[0] != '\0') {
            rc = vt_synth_find(b->cache.path, hash, &how, &kernels[n], NULL, 0, err);
            n += rc == 0;
            rc = rc == VT_E_NOT_FOUND ? 0 : rc;
        }
    }
    rc = rc != 0 ? rc
                 : vt_bench_loss_measure(b->memory_bytes, (uint32_t)b->rounds, kernels, n, &b->loss,
                                         err);
    for (uint32_t i = 0; i < n; i++) {
        vt_synth_kernel_destroy(kernels[i]);
    }
    return rc;
}

static int measure(struct bench *b, struct vt_error *err)
{
    int rc = vt_bench_dir_make(&b->cache, err);
    rc = rc != 0 ? rc : name_loops(b, err);
    rc = rc != 0 ? rc : open_vm(b, err);
    for (uint32_t i = 0; rc == 0 && i < b->n; i++) {
        rc = measure_loop(b, &b->rows[i], err);
    }
    close_vm(b);
    if (rc == 0 && b->rounds != 0) {
        rc = measure_loss(b, err);
    }
    vt_bench_dir_remove(&b->cache);
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
        vt_json_kv_string(&w, "why", r->why[0] != '\0' ? r->why : NULL);
        vt_json_object_end(&w);
    }
    vt_json_array_end(&w);
    if (b->rounds != 0) {
        vt_json_key(&w, "loss");
        vt_bench_loss_json(&b->loss, &w);
    }
    vt_json_object_end(&w);
    vt_json_finish(&w);
}

static void print_rows(const struct bench *b)
{
    printf("QEMU %s, kernels by %s; a pass over the buffers, medians\n\n%-12s %10s %10s %10s %10s "
           "%9s %10s %-7s %9s %s\n",
           b->qemu, vt_pixel_compiler(), "LOOP", "BYTES", "TCG ms", "HYBRID ms", "NATIVE ms",
           "SPEEDUP", "OF NATIVE", "BACKEND", "PROOF ms", "CORRECT");
    for (uint32_t i = 0; i < b->n; i++) {
        const struct row *r = &b->rows[i];
        bool has = backend_of(r) != NULL;
        printf("%-12s %10" PRIu64 " %10.3f %10.3f %10.3f %9.2f %9.0f%% %-7s %9.1f %s\n",
               r->tcg.name, r->tcg.bytes, ms(&r->tcg), ms(&r->hybrid), ms(&r->native),
               ms(&r->tcg) / ms(&r->hybrid), 100 * ms(&r->native) / ms(&r->hybrid),
               has ? backend_of(r) : "-", (double)r->kernel.proof_us / 1e3,
               correct(r) ? "yes" : "NO");
        if (r->why[0] != '\0') {
            printf("             no kernel: %s\n", r->why);
        }
    }
    if (b->rounds != 0) {
        vt_bench_loss_print(&b->loss);
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
    if (rc == 0 && (b->bytes < 1024 || b->bytes > (uint64_t)16 << 20 ||
                    b->rounds > VT_BENCH_LOSS_ROUNDS_MAX)) {
        return vt_usage_error(args, "--bytes: 1K to 16M; --rounds: 0 to %u",
                              VT_BENCH_LOSS_ROUNDS_MAX);
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
        int rc = measure(b, &err);
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
