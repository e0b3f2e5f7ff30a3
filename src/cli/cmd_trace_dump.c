/* cli/cmd_trace_dump.c - `vitrine trace dump`: what a VM's rings hold, or what somebody kept. */
#include "cli/trace_show.h"
#include "cli/vm.h"

#include "vitrine/memory.h"

#include <string.h>

/* A VM's name, or else a path. */
static int open_what(const char *what, struct vt_trace_source **source, struct vt_error *err)
{
    struct vt_vm *vm;
    if (strchr(what, '/') != NULL) {
        return vt_trace_open_segment(what, source, err);
    }
    int rc = vt_vm_open(what, &vm, err);
    if (rc != 0) {
        return rc;
    }
    const struct vt_vm_info *info = vt_vm_info(vm);
    if (info->trace_path[0] == '\0') {
        rc = vt_fail(err, VT_E_UNSUPPORTED, "%s cannot be traced: %s", what, info->trace_why);
    }
    rc = rc != 0 ? rc : vt_audit(what, "trace dump", err, "%s", "");
    rc = rc != 0 ? rc : vt_trace_open_segment(info->trace_path, source, err);
    vt_vm_close(vm);
    return rc;
}

static int run(const struct vt_args *args)
{
    struct vt_trace_source *source;
    struct vt_trace_event event;
    struct vt_error err;
    uint64_t count, shown = 0;
    int rc = vt_args_u64(args, "count", UINT64_MAX, &count);
    if (rc != 0) {
        return rc;
    }
    if (open_what(vt_args_operand(args, 0), &source, &err) != 0) {
        return vt_report(args, &err);
    }
    const struct vt_trace_info *info = vt_trace_source_info(source);
    while (vt_interrupted == 0 && !ferror(stdout) && shown < count &&
           (rc = vt_trace_next(source, 0, &event, &err)) == 1) {
        vt_trace_show(args, info, &event);
        shown++;
    }
    vt_trace_close(source);
    return rc < 0 ? vt_report(args, &err) : vt_output_finish(stdout);
}

static const struct vt_option options[] = {
    {"count", "N", "end after N events", false},
    {0},
};

const struct vt_verb vt_verb_trace_dump = {
    .name = "trace dump",
    .group = "Instructions",
    .summary = "Show the instructions that a VM's trace rings hold",
    .operands = "VM|PATH",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .description =
        "Begins with the oldest record that is still there, and changes nothing: somebody else "
        "may\n"
        "be reading the same rings. PATH, which has a '/' in it, is a trace segment, of a VM that\n"
        "runs or a copy of one.",
    .examples = "vitrine trace web --leave --policy keep-last\n"
                "vitrine trace dump web | tail -n 1000\n"
                "vitrine trace dump ./qemu_trace_web --json",
    .run = run,
};
