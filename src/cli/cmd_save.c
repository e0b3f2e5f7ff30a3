/* cli/cmd_save.c - `vitrine save` and `vitrine restore`: a VM's state in a file. */
#include "cli/vm.h"

static int run_save(const struct vt_args *args)
{
    struct vt_vm *vm;
    struct vt_error err;
    int rc = vt_cli_open_vm(args, &vm);
    if (rc != 0) {
        return rc;
    }
    bool failed = vt_vm_save(vm, vt_args_operand(args, 1), &vt_interrupted, &err) != 0 ||
                  (vt_args_flag(args, "stop") && vt_vm_kill(vm, &err) != 0);
    rc = failed ? vt_report(args, &err) : VT_EXIT_OK;
    vt_vm_close(vm);
    return rc;
}

static int run_restore(const struct vt_args *args)
{
    struct vt_error err;
    const char *first = vt_args_operand(args, 0), *second = vt_args_operand(args, 1);
    const char *file = second != NULL ? second : first;
    const char *name = second != NULL ? first : NULL;
    return vt_vm_restore(file, name, vt_args_flag(args, "paused"), vt_cli_services, &vt_interrupted,
                         &err) == 0
               ? VT_EXIT_OK
               : vt_report(args, &err);
}

static const struct vt_option save_options[] = {
    {"stop", NULL, "end the VM once its state is written", false},
    {0},
};

static const struct vt_option restore_options[] = {
    {"paused", NULL, "do not start the CPUs: 'vitrine resume' does", false},
    {0},
};

const struct vt_verb vt_verb_save = {
    .name = "save",
    .group = "Machines",
    .summary = "Write a VM's state to a file",
    .operands = "VM FILE",
    .min_operands = 2,
    .max_operands = 2,
    .options = save_options,
    .description =
        "Pauses the VM, writes CPUs, devices and RAM, and lets it go on. The file is\n"
        "complete or not there: when the disk is full or you interrupt, the VM goes on\n"
        "as if nothing had happened.\n\n"
        "With --stop the VM ends when its state is written, as after 'virsh save'. Use it\n"
        "when the VM has a disk: the file holds no disk contents, and a state fits only\n"
        "the disk as it was at that moment.",
    .examples = "vitrine save web web.vitrine\nvitrine restore web2 web.vitrine",
    .run = run_save,
};

const struct vt_verb vt_verb_restore = {
    .name = "restore",
    .group = "Machines",
    .summary = "Start a VM from a saved state",
    .operands = "[NAME] FILE",
    .min_operands = 1,
    .max_operands = 2,
    .options = restore_options,
    .description =
        "Starts a new QEMU with the machine that was saved, and goes on where it was,\n"
        "under NAME or the name it had. The kernel, initrd and images must lie where they\n"
        "lay. The file says which files and arguments QEMU gets: restore only files you\n"
        "trust like a program.",
    .examples = "vitrine restore web.vitrine\nvitrine restore second web.vitrine",
    .run = run_restore,
};
