/* cli/cmd_trace_dump.c - `vitrine trace dump`: what a VM's rings hold, or what somebody kept. */
#include "cli/trace_select.h"
#include "cli/trace_show.h"

static int dump(const struct vt_args *args, struct vt_cli_trace *trace,
                struct vt_trace_select *select, struct vt_cli_registers *registers, uint64_t count,
                struct vt_error *err)
{
    const struct vt_trace_info *info = vt_trace_source_info(trace->source);
    const bool accesses = vt_args_flag(args, "accesses");
    struct vt_trace_event event;
    int rc = vt_trace_select_begin(select, trace->source, err);
    for (uint64_t shown = 0; rc >= 0 && vt_interrupted == 0 && !ferror(stdout) && shown < count;) {
        rc = vt_trace_next(trace->source, 0, &event, err);
        if (rc != 1) {
            break;
        }
        vt_trace_names_see(trace->names, &event);
        rc = registers != NULL ? vt_cli_registers_see(registers, &event, err) : 1;
        if (rc < 0) {
            break;
        }
        enum vt_trace_selected is = vt_trace_select(select, info, trace->names, &event);
        if (is == VT_TRACE_SELECT_END) {
            break;
        }
        if (is == VT_TRACE_SELECT_NO) {
            continue;
        }
        if (accesses) {
            shown += vt_trace_show_accesses(args, select, trace->names, &event, count - shown);
        } else {
            vt_trace_show(args, info, trace->names, registers, &event);
            shown++;
        }
    }
    return rc < 0 ? rc : 0;
}

static int run(const struct vt_args *args)
{
    struct vt_cli_trace trace;
    struct vt_trace_select select;
    struct vt_cli_registers *registers = NULL;
    struct vt_error err;
    uint64_t count;
    int result = vt_args_u64(args, "count", UINT64_MAX, &count);
    result = result != 0 ? result : vt_trace_select_read(args, &select);
    if (result != 0) {
        return result;
    }
    if (vt_cli_trace_open_named(vt_args_operand(args, 0), "trace dump", &trace, &err) != 0) {
        return vt_report(args, &err);
    }
    int rc = 0;
    if (vt_args_flag(args, "registers")) {
        rc = vt_cli_registers_create(vt_trace_source_info(trace.source), &registers, &err);
    }
    rc = rc == 0 ? dump(args, &trace, &select, registers, count, &err) : rc;
    vt_cli_registers_destroy(registers);
    vt_cli_trace_close(&trace);
    return rc < 0 ? vt_report(args, &err) : vt_output_finish(stdout);
}

static const struct vt_option options[] = {
    VT_TRACE_SELECT_OPTIONS,
    {"accesses", NULL, "a line an access to memory instead of a line an instruction", false},
    {"registers", NULL, "which registers each instruction changed, as far as they are known",
     false},
    {"count", "N", "end after N events (with --accesses: accesses) that were shown", false},
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
        "copy of a VM's trace segment.\n\n"
        "An event is a block of instructions, or whatever else happened: an interrupt while the\n"
        "vCPU idled, words that were lost. --from finds its place in a file without reading what "
        "is\n"
        "before. Times are those of the second column, since the VM was started; a trace without\n"
        "times has zeros there. A range or half of the address space that a block is in a part of\n"
        "has all of the block.\n"
        "What the kernel does for a process runs under the page table of the process.\n\n"
        "With --registers they are rebuilt from a trace with values, of x86_64 alone: rax=0x1\n"
        "is what rax holds after the instruction, rax=? is unknown from there on, and a ?\n"
        "among digits stands for four bits of which some are. Being mentioned first can mean\n"
        "that it was found out here. Flags are the letters of OF, DF, SF, ZF, AF, PF and CF:\n"
        "large when set, ? when unknown.",
    .examples = "vitrine trace web --leave --policy keep-last\n"
                "vitrine trace dump web | tail -n 1000\n"
                "vitrine trace dump run.vtrace --json\n"
                "vitrine trace dump run.vtrace --registers --count 100\n"
                "vitrine trace dump run.vtrace --from 15.3s --to 15.4s --process sshd\n"
                "vitrine trace dump run.vtrace --accesses --address 0x7ffc1000+64",
    .run = run,
};
