/* cli/cmd_trace.c - `vitrine trace VM`: steers a VM's trace plugin and shows what it records.
 *
 * `vitrine trace WORD` are verbs in files of their own, cmd_trace_<word>.c.
 */
#include "cli/trace_show.h"
#include "cli/vm.h"

#include "base/io.h"
#include "base/text.h"
#include "trace/ring.h"
#include "trace/words.h"
#include "vitrine/target.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>

#define STEER_MS 5000
#define LOOK_MS 100

struct request {
    const char *vm;
    char segment[sizeof((struct vt_vm_info *)0)->trace_path];
    uint32_t detail, policy, period;
    struct vt_trace_filter filter;
    uint64_t pid; /* 0: of all processes */
    uint64_t for_ns, count;
    struct vt_trace_follow follow;
    bool process_ended;
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
        if (strncmp(word, "pid=", 4) == 0) {
            if (vt_parse_u64(word + 4, &r->pid, NULL) != 0 || r->pid == 0 || r->pid > INT32_MAX) {
                return vt_usage_error(args, "--filter: '%.32s' is no process", word);
            }
        } else if (vt_trace_filter_add(&r->filter, word, &err) != 0) {
            return vt_usage_error(args, "--filter: %s", err.message);
        }
    }
    return 0;
}

static int open_vm(struct request *r, struct vt_target *target, struct vt_error *err)
{
    if (vt_target_is_file(r->vm)) {
        return vt_fail(err, VT_E_INVAL, "'%s' is no VM's name", r->vm);
    }
    int rc = vt_target_open(r->vm, "trace", vt_trace_detail_name(r->detail), target, err);
    if (rc != 0) {
        return rc;
    }
    const struct vt_vm_info *info = vt_vm_info(target->vm);
    if (info->trace_path[0] == '\0') {
        rc = vt_fail(err, VT_E_UNSUPPORTED, "%s cannot be traced: %s", r->vm, info->trace_why);
    }
    memcpy(r->segment, info->trace_path, sizeof r->segment);
    return rc;
}

/* What is seen goes to a file, to stdout, or both. */
struct sink {
    struct vt_trace_writer *file; /* or NULL */
    struct vt_trace_names *names;
    bool show;
    struct vt_trace_tally tally;
};

static int put(const struct vt_args *args, struct sink *sink, const struct vt_trace_info *info,
               const struct vt_trace_event *event, struct vt_error *err)
{
    vt_trace_tally(&sink->tally, event);
    vt_trace_names_see(sink->names, event);
    if (sink->show) {
        vt_trace_show(args, info, sink->names, NULL, event);
    }
    return sink->file != NULL ? vt_trace_writer_put(sink->file, event, err) : 0;
}

static int steer(const struct request *r, uint32_t detail, struct vt_error *err)
{
    return vt_trace_steer(r->segment, detail, r->policy, r->period, &r->filter, STEER_MS, err);
}

/* ---- watching ---- */

#define EVENTS_A_LOOK 256   /* at the clock */
#define KEEP_NS 1000000000u /* what was seen longer ago survives us */

/* The process that is recorded, if it is one, by the roots that it has now. */
static int follow(struct request *r, struct vt_error *err)
{
    int rc = vt_trace_follow(&r->follow, err);
    if (rc == VT_E_NOT_FOUND) {
        r->process_ended = true;
        return 0;
    }
    rc = rc == 1 ? steer(r, r->detail, err) : rc;
    return rc == VT_E_GONE || rc == VT_E_NOT_FOUND ? 0
                                                   : rc; /* the VM ended, and its source says so */
}

/* Takes events until the time is up, there are enough of them, or nothing more can come.
 * `timeout_ms` 0: those that are there. */
static int take(const struct vt_args *args, struct request *r, struct vt_trace_source *source,
                uint64_t deadline_ns, uint64_t timeout_ms, struct sink *sink, struct vt_error *err)
{
    const struct vt_trace_info *info = vt_trace_source_info(source);
    struct vt_trace_event event;
    bool more = true;
    uint64_t keep_ns = vt_now_ns() + KEEP_NS;
    for (uint64_t n = 0; more && (r->count == 0 || sink->tally.instructions < r->count); n++) {
        int got = vt_trace_next(source, timeout_ms, &event, err);
        int rc = got < 0 ? got : 0;
        if (got == 1) {
            rc = put(args, sink, info, &event, err);
        } else if (got == 0) {
            more = timeout_ms != 0 && !vt_trace_source_info(source)->ended;
        }
        if (rc == 0 && timeout_ms != 0 && (got == 0 || n % EVENTS_A_LOOK == 0)) {
            uint64_t now = vt_now_ns();
            rc = more ? follow(r, err) : 0;
            more = more && vt_interrupted == 0 && now < deadline_ns && !r->process_ended;
            if (rc == 0 && sink->file != NULL && now >= keep_ns) {
                rc = vt_trace_writer_flush(sink->file, err);
                keep_ns = now + KEEP_NS;
            }
        }
        if (rc != 0) {
            return rc;
        }
        more = more && (!sink->show || !ferror(stdout)); /* told when output is finished */
    }
    return 0;
}

/* What ran, by the plugin's counters, and what of it was seen. Where nothing is shown it is what
 * was asked for. */
static void summarise(const struct vt_args *args, const struct request *r, const struct sink *sink,
                      const struct vt_trace_info *before, const struct vt_trace_info *after,
                      uint64_t ns)
{
    const bool asked = r->detail == VT_TRACE_COUNT;
    const struct vt_trace_tally *t = &sink->tally;
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
                "%" PRIu64 " instructions in %" PRIu64 " blocks were %s, %" PRIu64
                " cut short, with %" PRIu64 " accesses; %" PRIu64 " words were lost\n",
                t->instructions, t->blocks, sink->file != NULL ? "kept" : "shown", t->cuts,
                t->accesses, t->lost_words);
    }
    if (after->ended || r->process_ended) {
        fprintf(stderr, after->ended ? "the VM ended\n" : "the process ended\n");
    }
}

/* The recording itself, from on to off. */
static int record(const struct vt_args *args, struct request *r, struct vt_trace_source *source,
                  struct sink *sink, struct vt_error *err)
{
    int rc = steer(r, r->detail, err);
    if (rc != 0) {
        return rc;
    }
    uint64_t began = vt_now_ns();
    const struct vt_trace_info before = *vt_trace_source_info(source);
    rc = take(args, r, source, r->for_ns != 0 ? began + r->for_ns : VT_NO_DEADLINE, LOOK_MS, sink,
              err);
    struct vt_error why;
    int off = steer(r, VT_TRACE_OFF, &why);
    uint64_t ns = vt_now_ns() - began;
    rc = rc != 0 ? rc : take(args, r, source, 0, 0, sink, err);
    if (rc == 0 && sink->file != NULL) {
        rc = vt_trace_writer_info(sink->file, vt_trace_source_info(source), err);
    }
    if (rc == 0 && sink->file != NULL) {
        rc = vt_trace_names_write(sink->names, sink->file, err);
    }
    /* QEMU is gone, or its segment already: what it left has been read. */
    if (rc == 0 && off != 0 && off != VT_E_GONE && off != VT_E_NOT_FOUND) {
        *err = why;
        rc = off;
    }
    if (rc == 0) {
        summarise(args, r, sink, &before, vt_trace_source_info(source), ns);
    }
    return rc;
}

/* The rings' reader is there before the first record and until after the last one. */
static int watch(const struct vt_args *args, struct request *r, struct vt_target *target,
                 struct vt_error *err)
{
    r->follow = (struct vt_trace_follow){.target = target, .filter = &r->filter};
    const char *out = vt_args_value(args, "out");
    struct sink sink = {.show = r->detail != VT_TRACE_COUNT &&
                                (out == NULL || vt_args_flag(args, "show"))};
    struct vt_trace_source *source;
    int rc = vt_trace_open_live(r->segment, &source, err);
    if (rc != 0) {
        return rc;
    }
    rc = vt_trace_begin(source, r->segment, STEER_MS, err);
    if (rc == 0 && out != NULL) {
        signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is a failure that can be told */
        rc = vt_trace_writer_create(out, vt_args_flag(args, "replace"),
                                    vt_trace_source_info(source), &sink.file, err);
    }
    rc = rc != 0 ? rc : vt_trace_names_live(target, &sink.names, err);
    rc = rc != 0 ? rc : record(args, r, source, &sink, err);
    int closed = vt_trace_writer_close(sink.file, rc == 0 ? err : NULL);
    vt_trace_names_destroy(sink.names);
    vt_trace_close(source);
    return rc != 0 ? rc : closed;
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
    if (leave && (r.for_ns != 0 || r.count != 0 || vt_args_value(args, "out") != NULL)) {
        return vt_usage_error(args, "--for, --count and --out are of a trace that is watched");
    }
    struct vt_target target = {0};
    int rc = open_vm(&r, &target, &err);
    if (rc == 0) {
        rc = r.pid != 0 ? vt_trace_filter_process(&target, r.pid, &r.filter, &err) : 0;
    }
    if (rc == 0) {
        rc = leave ? steer(&r, r.detail, &err) : watch(args, &r, &target, &err);
    }
    (void)vt_target_close(&target, NULL); /* it was not stopped */
    return rc == 0 ? vt_output_finish(stdout) : vt_report(args, &err);
}

static const struct vt_option options[] = {
    {"mode", "WORD", "off, count, blocks (default), times, addresses or values", false},
    {"filter", "WHAT", "kernel, user, pid=N, range=A-B, root=A, vcpu=N, point=A", true},
    {"policy", "WORD", "when we are slower than the guest: wait (default), drop, keep-last", false},
    {"period", "N", "from times on: the time every N blocks (default: 64)", false},
    {"for", "TIME", "that long; default: until interrupted or what is recorded ends", false},
    {"count", "N", "end with the block that has the Nth instruction", false},
    {"out", "FILE", "keep it in FILE, and do not show it", false},
    {"replace", NULL, "FILE may exist and is replaced", false},
    {"show", NULL, "show it, too, while it is kept", false},
    {"leave", NULL, "set it and return: what runs stays in the VM's rings", false},
    {0},
};

extern const struct vt_verb vt_verb_trace_diff;
extern const struct vt_verb vt_verb_trace_dump;
extern const struct vt_verb vt_verb_trace_export;
extern const struct vt_verb vt_verb_trace_info;
extern const struct vt_verb vt_verb_trace_stat;

/* One a line, so that two people can add one. */
/* clang-format off */
static const struct vt_verb *const words[] = {
    &vt_verb_trace_diff,
    &vt_verb_trace_dump,
    &vt_verb_trace_export,
    &vt_verb_trace_info,
    &vt_verb_trace_stat,
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
        "the given vCPUs, under the given page-table root or those of a process, which is "
        "followed\n"
        "when it executes another program; when it ends, so do we. point=A records\n"
        "the registers before the instruction at A. A range or half that a block begins in has\n"
        "all of the block.\n\n"
        "A guest executes some hundred million instructions a second, more than can be shown.\n"
        "Then it waits for us, or what does not fit is dropped and counted. With --leave and\n"
        "keep-last, the rings always hold what ran last: 'vitrine trace dump VM' shows it, and\n"
        "'vitrine trace VM --mode off' ends it.",
    .examples = "vitrine trace web --count 1000\n"
                "vitrine trace web --mode count --for 1s\n"
                "vitrine trace web --mode times --for 5s --out run.vtrace\n"
                "vitrine trace web --mode values --filter range=0xffffffff81000000+0x100 --json\n"
                "vitrine trace web --leave --policy keep-last",
    .run = run,
};
