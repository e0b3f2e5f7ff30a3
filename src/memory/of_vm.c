/* memory/of_vm.c - from a VM to its RAM and its page tracker. */
#include "memory/track.h"

int vt_ram_open_vm(const struct vt_vm *vm, struct vt_ram **ram, struct vt_error *err)
{
    const struct vt_vm_info *info = vt_vm_info(vm);
    if (info->ram_path[0] == '\0') {
        return vt_fail(err, VT_E_UNSUPPORTED, "the RAM of %s is not shared: %s", info->name,
                       info->ram_why[0] != '\0' ? info->ram_why : "QEMU names no file for it");
    }
    return vt_ram_open(info->ram_path, info->regions, info->n_regions, ram, err);
}

int vt_track_open(struct vt_vm *vm, struct vt_track **track, struct vt_error *err)
{
    int sock;
    int rc = vt_vm_service(vm, vt_track_service.name, &sock, err);
    return rc == 0 ? vt_track_adopt(sock, vt_vm_info(vm)->name, track, err) : rc;
}
