/* cli/cmd_accel.c - `vitrine accel VM`: a guest's hot loops as proven kernels, again and again.
 *
 * `vitrine accel WORD` are verbs in files of their own, cmd_accel_<word>.c.
 */
#include "base/io.h"
#include "cli/accel_show.h"
#include "cli/target.h"
#include "hybrid/ledger.h"

#include <inttypes.h>
#include <string.h>

struct session {
    const struct vt_args *args;
    struct vt_accelerator *accelerator;
    uint64_t end_ns; /* 0: until interrupted */
};

static bool is_over(void *arg)
{
    const struct session *s = arg;
    return vt_interrupted != 0 || (s->end_ns != 0 && vt_now_ns() >= s->end_ns);
}

/* ---------------------------------------------------------------- what is told */

static void tell_json(const struct session *s, const struct vt_ledger_row *row)
{
    struct vt_json_writer w;
    vt_json_init(&w, stdout, vt_args_pretty(s->args));
    vt_json_object(&w);
    vt_ledger_row_json(row, &w);
    vt_json_object_end(&w);
    vt_json_finish(&w);
}

static void tell_text(const struct vt_ledger_row *row)
{
    struct vt_accel_shown shown;
    vt_accel_shown(row, &shown);
    printf("%-12s%-28s %-16s %5.1f %% of instructions", shown.fate, shown.row.place,
           shown.row.process, row->percent);
    if (row->fate == VT_FATE_KEPT) {
        printf(", %.1f times as fast as the guest's own code", shown.speedup);
    } else if (row->fate == VT_FATE_WAITING) {
        printf(", proven in %.1f ms%s, in use, not measured yet", shown.proof_ms,
               row->cached ? " (from the cache)" : "");
    }
    if (row->backend == VT_ACCEL_GPU) {
        printf(", on the GPU");
    }
    printf("%s%s\n", shown.row.why[0] != '\0' ? ": " : "", shown.row.why);
}

static void tell(void *arg, const struct vt_ledger_row *row)
{
    const struct session *s = arg;
    (void)vt_accelerator_save(s->accelerator, NULL); /* whenever we are killed; go() says why not */
    if (vt_args_json(s->args)) {
        tell_json(s, row);
    } else {
        tell_text(row);
    }
    fflush(stdout);
}

static void summarise(const struct session *s, bool removed)
{
    uint32_t n, used = 0, waiting = 0;
    uint64_t iterations = 0;
    const struct vt_ledger_row *rows = vt_accelerator_ledger(s->accelerator, &n);
    for (uint32_t i = 0; i < n; i++) {
        used += rows[i].fate == VT_FATE_KEPT;
        waiting += rows[i].fate == VT_FATE_WAITING;
        iterations += rows[i].counts.iterations;
    }
    fprintf(stderr,
            "loops: %" PRIu32 " looked at, %" PRIu32 " with a kernel that is faster, %" PRIu32
            " with one that is not measured yet; %" PRIu64 " iterations ran in kernels; %s\n",
            n, used, waiting, iterations,
            removed ? "all kernels are out again"
                    : "kernels stay in ('vitrine accel off' takes them out)");
}

/* ---------------------------------------------------------------- rounds */

static int go(struct session *s, bool once, struct vt_error *err)
{
    uint32_t found = 0;
    int rc = 0;
    do {
        if (!once) {
            vt_accelerator_pause(s->accelerator, found);
        }
        if (once || !is_over(s)) {
            rc = vt_accelerator_round(s->accelerator, &found, err);
        }
        rc = rc == VT_E_BUSY && !once ? 0 : rc; /* somebody else traces: later, then */
        if (rc == 0 || rc == VT_E_INTERRUPTED) {
            struct vt_error unsaved;
            if (vt_accelerator_save(s->accelerator, &unsaved) != 0) {
                *err = unsaved;
                return unsaved.code;
            }
        }
    } while (rc == 0 && !once && !is_over(s));
    return rc == VT_E_INTERRUPTED ? 0 : rc;
}

/* ---------------------------------------------------------------- the verb */

static int read_request(const struct vt_args *args, struct vt_accelerator_options *o,
                        uint64_t *for_ns)
{
    const char *backend = vt_args_value(args, "backend");
    uint64_t canary, proof_ns;
    int result = vt_args_u64(args, "threshold", 0, &o->threshold);
    result = result == 0 ? vt_args_duration(args, "for", 0, for_ns) : result;
    result = result == 0 ? vt_args_u64(args, "canary", 0, &canary) : result;
    result = result == 0 ? vt_args_duration(args, "proof", 0, &proof_ns) : result;
    if (result != 0) {
        return result;
    }
    if (backend == NULL || strcmp(backend, "auto") == 0) {
        o->also_gpu = true;
    } else if (strcmp(backend, "gpu") == 0) {
        o->backend = VT_ACCEL_GPU;
    } else if (strcmp(backend, "host") != 0) {
        return vt_usage_error(args, "--backend: host, gpu or auto, not '%.32s'", backend);
    }
    if (canary > UINT32_MAX || proof_ns / 1000000 > UINT32_MAX) {
        return vt_usage_error(args, "--canary: at most %" PRIu32, UINT32_MAX);
    }
    o->canary_period = (uint32_t)canary;
    o->proof_ms = (uint32_t)(proof_ns / 1000000);
    o->cache = vt_args_value(args, "cache");
    o->gpu = vt_args_value(args, "gpu");
    return 0;
}

static int run(const struct vt_args *args)
{
    struct vt_error err;
    struct session s = {.args = args};
    struct vt_accelerator_options options = {.stop = is_over, .tell = tell, .arg = &s};
    struct vt_target target;
    uint64_t for_ns;
    bool remove = vt_args_flag(args, "remove");
    int result = read_request(args, &options, &for_ns);
    result = result == 0 ? vt_cli_open(args, "accel", VT_CLI_RAM, "", &target) : result;
    if (result != 0) {
        return result;
    }
    s.end_ns = for_ns != 0 ? vt_now_ns() + for_ns : 0;
    int rc = vt_accelerator_create(&target, &options, &s.accelerator, &err);
    if (rc == 0) {
        const char *gpu = vt_accelerator_gpu(s.accelerator);
        if (gpu[0] != '\0') {
            fprintf(stderr, "vitrine accel: kernels may run on %s\n", gpu);
        }
        rc = go(&s, vt_args_flag(args, "once"), &err);
    }
    if (rc == 0) {
        summarise(&s, remove);
        result = vt_output_finish(stdout);
    } else {
        result = vt_report(args, &err);
    }
    vt_accelerator_destroy(s.accelerator, remove);
    return vt_cli_close(args, &target, result);
}

static const struct vt_option options[] = {
    {"threshold", "N", "iterations in a look that make a loop hot, at first (default: 10000)",
     false},
    {"backend", "WORD", "what runs kernels: host, gpu, or auto (default): whichever is faster",
     false},
    {"gpu", "NAME", "which GPU, as `vitrine gpus` names it", false},
    {"once", NULL, "look once", false},
    {"for", "TIME", "end after that long; default: when interrupted", false},
    {"remove", NULL, "take all kernels out at the end", false},
    {"cache", "DIR", "where kernels and their proofs are kept (default: the user's cache)", false},
    {"canary", "N", "check one of N runs against the guest's own (default: 256)", false},
    {"proof", "TIME", "for each question to a solver (default: 20s)", false},
    {0},
};

extern const struct vt_verb vt_verb_accel_off;
extern const struct vt_verb vt_verb_accel_status;
static const struct vt_verb *const words[] = {
    &vt_verb_accel_off,
    &vt_verb_accel_status,
    NULL,
};

const struct vt_verb vt_verb_accel = {
    .name = "accel",
    .group = "Trace",
    .summary = "Make a guest faster: proven kernels in place of its hot loops",
    .operands = "VM",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .words = words,
    .description =
        "Looks at what the guest executes, makes a kernel of each hot loop, proves by SMT that it\n"
        "does what the loop's instructions do, puts it in while the guest runs, measures it\n"
        "against the guest's own code, and keeps it if it is faster. Then it looks again, at\n"
        "growing intervals while nothing new is found. Each loop's fate is a line (with --json an\n"
        "object): kept, waiting (in use, not measured yet), slower, unsupported, unproven,\n"
        "refused, or disabled (a check at run time failed).\n\n"
        "Kernels stay in when this ends, unless --remove; those of a GPU go on on the host. A VM\n"
        "must run under TCG with its plugins (vitrine info says) and have one vCPU; one at a time\n"
        "can accelerate it. docs/hybrid.md says how and why it is safe.",
    .examples = "vitrine accel web\n"
                "vitrine accel web --once --json\n"
                "vitrine accel web --for 1m --threshold 50000 --backend host\n"
                "vitrine accel status web\n"
                "vitrine accel off web",
    .run = run,
};
