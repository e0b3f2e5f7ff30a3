/* cli/vm.h - what verbs about machines share. */
#ifndef VT_CLI_VM_H
#define VT_CLI_VM_H

#include "cli/cli.h"
#include "machine/guest_image.h"
#include "vitrine/machine.h"

/** The services of a VM's keeper, ended by NULL. */
extern const struct vt_keeper_service *const vt_cli_services[];

/** Opens the VM named by the first operand; says why not and returns the exit code. */
int vt_cli_open_vm(const struct vt_args *args, struct vt_vm **vm);

/** What `run` and `guest build` take to make another default guest. */
#define VT_CLI_GUEST_OPTIONS(of)                                                                   \
    {"kernel-tree", "DIR", of "kernel and modules from this unpacked Debian tree", false},         \
        {"add", "FILE[:PATH]", of "one more file in the guest (default: in /bin)", true},          \
    {                                                                                              \
        "module", "NAME", of "one more kernel module, loaded at boot", true                        \
    }

/** Reads them; strings stay the arguments'. vt_cli_guest_wants_free either way. */
int vt_cli_guest_wants(const struct vt_args *args, struct vt_guest_wants *wants,
                       struct vt_error *err);
void vt_cli_guest_wants_free(struct vt_guest_wants *wants);

#endif
