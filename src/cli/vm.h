/* cli/vm.h - what verbs about machines share. */
#ifndef VT_CLI_VM_H
#define VT_CLI_VM_H

#include "cli/cli.h"
#include "vitrine/machine.h"

/** The services of a VM's keeper, ended by NULL. */
extern const struct vt_keeper_service *const vt_cli_services[];

/** Opens the VM named by the first operand; says why not and returns the exit code. */
int vt_cli_open_vm(const struct vt_args *args, struct vt_vm **vm);

#endif
