/* cli/cmd_trace.c - `vitrine trace VM`: steers a VM's trace plugin and shows what it records.
 *
 * `vitrine trace WORD` are verbs in files of their own, cmd_trace_<word>.c.
 */
#include "cli/trace_show.h"
#include "cli/vm.h"

#include "base/io.h"
#include "trace/ring.h"
#include "trace/words.h"
#include "vitrine/memory.h"

#include <inttypes.h>
#include <string.h>

#define STEER_MS 5000
#define LOOK_MS 100

struct request {
    const char *vm;
    char segment[sizeof((struct vt_vm_info *)0)->trace_path];
    uint32_t detail, policy, period;
    struct vt_trace_filter filter;
    uint64_t for_ns, count;
};

/* ---- what is asked for ---- */

static int read_request(const struct vt_args *args, struct request *r)
{
    const char *mode = vt_args_value(args, "mode"), *policy = vt_args_value(args, "policy");
    uint64_t period;
    *r = (struct request){
        .vm = vt_args_operand(args, 0), .detail = VT_TRACE_BLOCKS, .policy = VT_TRACE_WAIT};
    if (mode != NULL && !vt_trace_detail_of(mode, &r->detail)) {
        return vt_usage_error(
            args, "--mode: off, count, blocks, times, addresses or values, not '%.32s'", mode);
    }
    if (policy != NULL && !vt_trace_policy_of(policy, &r->policy)) {
        return vt_usage_error(args, "--policy: wait, drop or keep-last, not '%.32s'", policy);
    }
    int rc = vt_args_duration(args, "for", 0, &r->for_ns);
    rc = rc != 0 ? rc : vt_args_u64(args, "count", 0, &r->count);
    rc = rc != 0 ? rc : vt_args_u64(args, "period", 0, &period);
    if (rc != 0) {
        return rc;
    }
    if (period > UINT32_MAX) {
        return vt_usage_error(args, "--period: at most %" PRIu32, UINT32_MAX);
    }
    r->period = (uint32_t)period;
    const char *word;
    for (unsigned i = 0; (word = vt_args_value_at(args, "filter", i)) != NULL; i++) {
        struct vt_error err;
        if (vt_trace_filter_add(&r->filter, word, &err) != 0) {
            return vt_usage_error(args, "--filter: %s", err.message);
        }
    }
    return 0;
}

static int find_segment(struct request *r, struct vt_error *err)
{
    struct vt_vm *vm;
    int rc = vt_vm_open(r->vm, &vm, err);
    if (rc != 0) {
        return rc;
    }
    const struct vt_vm_info *info = vt_vm_info(vm);
    if (info->trace_path[0] == '\0') {
        rc = vt_fail(err, VT_E_UNSUPPORTED, "%s cannot be traced: %s", r->vm, info->trace_why);
    }
    memcpy(r->segment, info->trace_path, sizeof r->segment);
    vt_vm_close(vm);
    return rc;
}

static int steer(const struct request *r, uint32_t detail, struct vt_error *err)
{
    return vt_trace_steer(r->segment, detail, r->policy, r->period, &r->filter, STEER_MS, err);
}

/* ---- watching ---- */

/* Shows events until the time is up, enough has been shown, or nothing more can come. `timeout_ms`
 * 0: those that are there. */
static int take(const struct vt_args *args, const struct request *r, struct vt_trace_source *source,
                uint64_t deadline_ns, uint64_t timeout_ms, struct vt_trace_tally *tally,
                struct vt_error *err)
{
    struct vt_trace_event event;
    const struct vt_trace_info *info = vt_trace_source_info(source);
    while (vt_interrupted == 0 && (r->count == 0 || tally->instructions < r->count)) {
        int rc = vt_trace_next(source, timeout_ms, &event, err);
        if (rc < 0) {
            return rc;
        }
        if (rc == 1) {
            vt_trace_tally(tally, &event);
            if (r->detail != VT_TRACE_COUNT) {
                vt_trace_show(args, info, &event);
            }
        }
        if (rc == 0 && (timeout_ms == 0 || vt_trace_source_info(source)->ended)) {
            return 0;
        }
        if (timeout_ms != 0 && vt_now_ns() >= deadline_ns) {
            return 0;
        }
        if (ferror(stdout)) {
            return 0; /* told when output is finished */
        }
    }
    return 0;
}

/* What ran, by the plugin's counters, and what of it was seen. Where nothing is shown it is what
 * was asked for. */
static void summarise(const struct vt_args *args, const struct request *r,
                      const struct vt_trace_tally *t, const struct vt_trace_info *before,
                      const struct vt_trace_info *after, uint64_t ns)
{
    const bool asked = r->detail == VT_TRACE_COUNT;
    uint64_t ran = after->instructions - before->instructions;
    double s = (double)ns / 1e9;
    if (asked && vt_args_json(args)) {
        struct vt_json_writer w;
        vt_json_init(&w, stdout, vt_args_pretty(args));
        vt_json_object(&w);
        vt_json_kv_u64(&w, "instructions", ran);
        vt_json_kv_f64(&w, "seconds", s, 6);
        vt_json_kv_f64(&w, "instructions_per_s", (double)ran / s, 6);
        vt_json_object_end(&w);
        vt_json_finish(&w);
        return;
    }
    FILE *out = asked ? stdout : stderr;
    fprintf(out, "%" PRIu64 " instructions ran in %.3f s: %.1f M/s\n", ran, s,
            (double)ran / s / 1e6);
    if (!asked) {
        fprintf(out,
                "%" PRIu64 " instructions in %" PRIu64 " blocks were shown, %" PRIu64
                " cut short, with %" PRIu64 " accesses; %" PRIu64 " words were lost\n",
                t->instructions, t->blocks, t->cuts, t->accesses, t->lost_words);
    }
    if (after->ended) {
        fprintf(stderr, "the VM ended\n");
    }
}

/* The ring's reader is there before the first record and until after the last one. */
static int watch(const struct vt_args *args, const struct request *r, struct vt_error *err)
{
    struct vt_trace_source *source;
    struct vt_trace_tally tally = {0};
    int rc = vt_trace_open_live(r->segment, &source, err);
    if (rc != 0) {
        return rc;
    }
    rc = steer(r, r->detail, err);
    if (rc == 0) {
        uint64_t began = vt_now_ns();
        const struct vt_trace_info before = *vt_trace_source_info(source);
        rc = take(args, r, source, r->for_ns != 0 ? began + r->for_ns : VT_NO_DEADLINE, LOOK_MS,
                  &tally, err);
        struct vt_error ended; /* it may be gone, and what it left is still to be read */
        int off = steer(r, VT_TRACE_OFF, &ended);
        uint64_t ns = vt_now_ns() - began;
        rc = rc != 0 ? rc : take(args, r, source, 0, 0, &tally, err);
        if (rc == 0 && off != 0 && off != VT_E_GONE) {
            *err = ended;
            rc = off;
        }
        if (rc == 0) {
            summarise(args, r, &tally, &before, vt_trace_source_info(source), ns);
        }
    }
    vt_trace_close(source);
    return rc;
}

static int run(const struct vt_args *args)
{
    struct request r;
    struct vt_error err;
    int result = read_request(args, &r);
    if (result != 0) {
        return result;
    }
    const bool leave = vt_args_flag(args, "leave") || r.detail == VT_TRACE_OFF;
    if (leave && (r.for_ns != 0 || r.count != 0)) {
        return vt_usage_error(args, "--for and --count are of a trace that is watched");
    }
    int rc = find_segment(&r, &err);
    rc = rc != 0 ? rc : vt_audit(r.vm, "trace", &err, "%s", vt_trace_detail_name(r.detail));
    if (rc == 0) {
        rc = leave ? steer(&r, r.detail, &err) : watch(args, &r, &err);
    }
    return rc == 0 ? vt_output_finish(stdout) : vt_report(args, &err);
}

static const struct vt_option options[] = {
    {"mode", "WORD", "off, count, blocks (default), times, addresses or values", false},
    {"filter", "WHAT", "kernel, user, range=A-B, range=A+N, root=A, vcpu=N, point=A", true},
    {"policy", "WORD", "when we are slower than the guest: wait (default), drop, keep-last", false},
    {"period", "N", "from times on: the time every N blocks (default: 64)", false},
    {"for", "TIME", "that long; default: until interrupted or the VM ends", false},
    {"count", "N", "end after N instructions", false},
    {"leave", NULL, "set it and return: what runs stays in the VM's rings", false},
    {0},
};

extern const struct vt_verb vt_verb_trace_dump;

/* One a line, so that two people can add one. */
/* clang-format off */
static const struct vt_verb *const words[] = {
    &vt_verb_trace_dump,
    NULL,
};
/* clang-format on */

const struct vt_verb vt_verb_trace = {
    .name = "trace",
    .group = "Instructions",
    .summary = "Show every instruction that a guest executes",
    .operands = "VM",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .words = words,
    .description =
        "Every instruction in order, kernel and user alike, with where interrupts and exceptions\n"
        "broke in. The guest is not stopped for it and needs nothing. QEMU must run TCG and be of\n"
        "a version that loads plugins: 'vitrine info' says whether a VM can be traced.\n\n"
        "Each mode has what those before it have. count: how many instructions run, nothing else.\n"
        "blocks: which ones. times: when. addresses: what memory they touch. values: what is read\n"
        "and written there.\n\n"
        "Filters add up: of code in the given ranges, of the given half of the address space, on\n"
        "the given vCPUs, under the given page-table root. point=A records the registers before\n"
        "the instruction at A. A range or half that a block begins in has all of the block.\n\n"
        "A guest executes some hundred million instructions a second, more than can be shown.\n"
        "Then it waits for us, or what does not fit is dropped and counted. With --leave and\n"
        "keep-last, the rings always hold what ran last: 'vitrine trace dump VM' shows it, and\n"
        "'vitrine trace VM --mode off' ends it.",
    .examples = "vitrine trace web --count 1000\n"
                "vitrine trace web --mode count --for 1s\n"
                "vitrine trace web --mode values --filter range=0xffffffff81000000+0x100 --json\n"
                "vitrine trace web --leave --policy keep-last",
    .run = run,
};
