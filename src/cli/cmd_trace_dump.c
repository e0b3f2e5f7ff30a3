/* cli/cmd_trace_dump.c - `vitrine trace dump`: what a VM's rings hold, or what somebody kept. */
#include "cli/trace_show.h"

static int run(const struct vt_args *args)
{
    struct vt_cli_trace trace;
    struct vt_trace_event event;
    struct vt_error err;
    uint64_t count, shown = 0;
    int rc = vt_args_u64(args, "count", UINT64_MAX, &count);
    if (rc != 0) {
        return rc;
    }
    if (vt_cli_trace_open_named(vt_args_operand(args, 0), "trace dump", &trace, &err) != 0) {
        return vt_report(args, &err);
    }
    const struct vt_trace_info *info = vt_trace_source_info(trace.source);
    while (vt_interrupted == 0 && !ferror(stdout) && shown < count &&
           (rc = vt_trace_next(trace.source, 0, &event, &err)) == 1) {
        vt_trace_names_see(trace.names, &event);
        vt_trace_show(args, info, trace.names, &event);
        shown++;
    }
    vt_cli_trace_close(&trace);
    return rc < 0 ? vt_report(args, &err) : vt_output_finish(stdout);
}

static const struct vt_option options[] = {
    {"count", "N", "end after N events", false},
    {0},
};

const struct vt_verb vt_verb_trace_dump = {
    .name = "trace dump",
    .group = "Instructions",
    .summary = "Show the instructions that a VM's trace rings or a file hold",
    .operands = "VM|FILE",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .description =
        "Of a VM, from the oldest record that is still in its rings: nothing is changed by it, "
        "and\n"
        "somebody else may be reading them. FILE is what 'vitrine trace VM --out FILE' kept, or a\n"
        "copy of a VM's trace segment.",
    .examples = "vitrine trace web --leave --policy keep-last\n"
                "vitrine trace dump web | tail -n 1000\n"
                "vitrine trace dump run.vtrace --json",
    .run = run,
};
