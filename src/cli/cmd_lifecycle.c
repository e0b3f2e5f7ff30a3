/* cli/cmd_lifecycle.c - the verbs that steer a VM: pause, resume, reset, stop, kill. */
#include "cli/vm.h"

/* As long as a start may take. */
#define SETTLE_MS 30000

/* Opens a VM that is to end, also one that is just starting. *vm is NULL, and all is well, when it
 * was ending already. */
static int open_to_end(const struct vt_args *args, struct vt_vm **vm)
{
    struct vt_error err;
    int rc = vt_vm_open_settled(vt_args_operand(args, 0), SETTLE_MS, &vt_interrupted, vm, &err);
    if (rc == VT_E_GONE) {
        *vm = NULL;
        return 0;
    }
    return rc == 0 ? 0 : vt_report(args, &err);
}

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
    struct vt_vm *vm;
    struct vt_error err;
    int rc = open_to_end(args, &vm);
    if (rc != 0 || vm == NULL) {
        return rc;
    }
    rc = vt_vm_kill(vm, &err) == 0 ? VT_EXIT_OK : vt_report(args, &err);
    vt_vm_close(vm);
    return rc;
}

#define STOP_TIMEOUT_NS 10000000000u

static int run_stop(const struct vt_args *args)
{
    uint64_t timeout_ns;
    struct vt_vm *vm;
    struct vt_error err;
    int rc = vt_args_duration(args, "timeout", STOP_TIMEOUT_NS, &timeout_ns);
    rc = rc != 0 ? rc : open_to_end(args, &vm);
    if (rc != 0 || vm == NULL) {
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
    .description =
        "Presses the power button (ACPI) and waits for the guest to power off. When it\n"
        "does not in time, or does not run, QEMU is told to quit, which completes\n"
        "writes to disk images. Returns when everything of the VM is gone; a VM that is\n"
        "just starting is waited for first.",
    .run = run_stop};

const struct vt_verb vt_verb_kill = {
    .name = "kill",
    .alias = "destroy",
    .group = "Machines",
    .summary = "End a VM at once",
    ONE_VM,
    .description = "Kills QEMU, as if the power failed, and returns when everything of the VM is\n"
                   "gone; a VM that is just starting is waited for first.",
    .run = run_kill};
