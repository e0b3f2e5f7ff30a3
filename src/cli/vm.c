/* cli/vm.c - see vm.h. */
#include "cli/vm.h"

#include "vitrine/memory.h"

const struct vt_keeper_service *const vt_cli_services[] = {&vt_track_service, NULL};

int vt_cli_open_vm(const struct vt_args *args, struct vt_vm **vm)
{
    struct vt_error err;
    return vt_vm_open(vt_args_operand(args, 0), vm, &err) == 0 ? 0 : vt_report(args, &err);
}
