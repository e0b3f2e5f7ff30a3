/* cli/cmd_attach.c - `vitrine attach` and `vitrine detach`: VMs somebody else started. */
#include "cli/vm.h"

#include <stdlib.h>
#include <string.h>

/* The one QEMU on this host with that name, when --qmp is not given. */
static int find_by_name(const struct vt_args *args, const char *name, char *path, size_t size)
{
    struct vt_foreign_vm *list;
    struct vt_error err;
    size_t n, matches = 0;
    if (vt_vm_discover(&list, &n, &err) != 0) {
        return vt_report(args, &err);
    }
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list[i].name, name) == 0 && list[i].qmp_path[0] != '\0') {
            snprintf(path, size, "%s", list[i].qmp_path);
            matches++;
        }
    }
    free(list);
    if (matches == 1) {
        return 0;
    }
    vt_fail(&err, VT_E_NOT_FOUND, "%s QEMU named '%s' with a QMP socket: give --qmp PATH",
            matches == 0 ? "no" : "more than one", name);
    return vt_report(args, &err);
}

static int run_attach(const struct vt_args *args)
{
    uint64_t timeout_ns;
    char found[VT_VM_PATH_MAX];
    struct vt_error err;
    const char *name = vt_args_operand(args, 0);
    const char *path = vt_args_value(args, "qmp");
    int rc = vt_args_duration(args, "timeout", 0, &timeout_ns);
    if (rc == 0 && path == NULL) {
        path = found;
        rc = find_by_name(args, name, found, sizeof found);
    }
    if (rc != 0) {
        return rc;
    }
    return vt_vm_attach(name, path, timeout_ns / 1000000, vt_cli_services, &vt_interrupted, &err) ==
                   0
               ? VT_EXIT_OK
               : vt_report(args, &err);
}

static int run_detach(const struct vt_args *args)
{
    struct vt_vm *vm;
    struct vt_error err;
    int rc = vt_cli_open_vm(args, &vm);
    if (rc != 0) {
        return rc;
    }
    rc = vt_vm_detach(vm, &err) == 0 ? VT_EXIT_OK : vt_report(args, &err);
    vt_vm_close(vm);
    return rc;
}

static const struct vt_option attach_options[] = {
    {"qmp", "PATH", "its QMP socket (default: that of the QEMU named NAME)", false},
    {"timeout", "TIME", "how long QEMU may take to answer (default: 5s)", false},
    {0},
};

const struct vt_verb vt_verb_attach = {
    .name = "attach",
    .group = "Machines",
    .summary = "Give a VM that somebody else started a name here",
    .operands = "NAME",
    .min_operands = 1,
    .max_operands = 1,
    .options = attach_options,
    .description =
        "Makes a QEMU started by hand or by libvirt known to every verb. It needs a QMP socket,\n"
        "which is connected to only while something is asked; its RAM can be read when it lies\n"
        "in a file (memory-backend-file with share=on), and 'vitrine info' says so when not.\n"
        "'vitrine ls' lists the VMs that can be attached.",
    .examples = "vitrine attach web --qmp /tmp/web.qmp\nvitrine detach web",
    .run = run_attach,
};

const struct vt_verb vt_verb_detach = {
    .name = "detach",
    .group = "Machines",
    .summary = "Forget an attached VM and leave it running",
    .operands = "VM",
    .min_operands = 1,
    .max_operands = 1,
    .run = run_detach,
};
