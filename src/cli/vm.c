/* cli/vm.c - see vm.h. */
#include "cli/vm.h"

#include "gpu/vm_gpu.h"
#include "hybrid/service.h"
#include "vitrine/memory.h"
#include "vitrine/trace.h"

#include <stdlib.h>

static const struct vt_keeper_service gpu_service = {.name = "gpu", .gpu = vt_vm_gpu};

const struct vt_keeper_service *const vt_cli_services[] = {&vt_track_service, &vt_trace_service,
                                                           &vt_hybrid_service, &gpu_service, NULL};

int vt_cli_open_vm(const struct vt_args *args, struct vt_vm **vm)
{
    struct vt_error err;
    return vt_vm_open(vt_args_operand(args, 0), vm, &err) == 0 ? 0 : vt_report(args, &err);
}

int vt_cli_guest_wants(const struct vt_args *args, struct vt_guest_wants *wants,
                       struct vt_error *err)
{
    *wants = (struct vt_guest_wants){
        .kernel_tree = vt_args_value(args, "kernel-tree"),
        .files = vt_args_values(args, "add"),
        .modules = vt_args_values(args, "module"),
    };
    return wants->files != NULL && wants->modules != NULL
               ? 0
               : vt_fail(err, VT_E_NOMEM, "out of memory");
}

void vt_cli_guest_wants_free(struct vt_guest_wants *wants)
{
    free(wants->files);
    free(wants->modules);
}
