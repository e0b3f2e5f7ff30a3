/* cli/cmd_lifecycle.c - the verbs that steer a VM: pause, resume, reset, stop, kill. */
#include "cli/vm.h"

/* Opens, does one thing, closes. */
static int steer(const struct vt_args *args, int (*act)(struct vt_vm *vm, struct vt_error *err))
{
    struct vt_vm *vm;
    struct vt_error err;
    int rc = vt_cli_open_vm(args, &vm);
    if (rc != 0) {
        return rc;
    }
    rc = act(vm, &err) == 0 ? VT_EXIT_OK : vt_report(args, &err);
    vt_vm_close(vm);
    return rc;
}

static int run_pause(const struct vt_args *args)
{
    return steer(args, vt_vm_pause);
}

static int run_resume(const struct vt_args *args)
{
    return steer(args, vt_vm_resume);
}

static int run_reset(const struct vt_args *args)
{
    return steer(args, vt_vm_reset);
}

static int run_kill(const struct vt_args *args)
{
    return steer(args, vt_vm_kill);
}

#define STOP_TIMEOUT_NS 10000000000u

static int run_stop(const struct vt_args *args)
{
    uint64_t timeout_ns;
    struct vt_vm *vm;
    struct vt_error err;
    int rc = vt_args_duration(args, "timeout", STOP_TIMEOUT_NS, &timeout_ns);
    rc = rc != 0 ? rc : vt_cli_open_vm(args, &vm);
    if (rc != 0) {
        return rc;
    }
    rc = vt_vm_stop(vm, timeout_ns / 1000000, &vt_interrupted, &err) == 0 ? VT_EXIT_OK
                                                                          : vt_report(args, &err);
    vt_vm_close(vm);
    return rc;
}

static const struct vt_option stop_options[] = {
    {"timeout", "TIME", "how long the guest may take to power off (default: 10s)", false},
    {0},
};

#define ONE_VM .operands = "VM", .min_operands = 1, .max_operands = 1

const struct vt_verb vt_verb_pause = {
    .name = "pause", .group = "Machines", .summary = "Stop a VM's CPUs", ONE_VM, .run = run_pause};

const struct vt_verb vt_verb_resume = {.name = "resume",
                                       .group = "Machines",
                                       .summary = "Let a paused VM go on",
                                       ONE_VM,
                                       .run = run_resume};

const struct vt_verb vt_verb_reset = {.name = "reset",
                                      .group = "Machines",
                                      .summary = "Press a VM's reset button",
                                      ONE_VM,
                                      .run = run_reset};

const struct vt_verb vt_verb_stop = {
    .name = "stop",
    .group = "Machines",
    .summary = "Shut a VM down",
    ONE_VM,
    .options = stop_options,
    .description = "Presses the power button (ACPI) and waits for the guest to power off. When it\n"
                   "does not in time, or does not run, QEMU is told to quit, which completes\n"
                   "writes to disk images. Returns when everything of the VM is gone.",
    .run = run_stop};

const struct vt_verb vt_verb_kill = {
    .name = "kill",
    .alias = "destroy",
    .group = "Machines",
    .summary = "End a VM at once",
    ONE_VM,
    .description = "Kills QEMU, as if the power failed, and returns when everything of the VM is "
                   "gone.",
    .run = run_kill};
