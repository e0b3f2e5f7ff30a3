/* machine/inspect.h - what QMP tells about a VM: fills struct vt_vm_info.
 */
#ifndef VT_MACHINE_INSPECT_H
#define VT_MACHINE_INSPECT_H

#include "machine/qmp.h"
#include "vitrine/machine.h"

/** Fills qemu_version, machine, accel, cpus, ram_path or ram_why, ram_bytes and the regions. A VM
 *  whose RAM is not shared is no failure. */
int vt_inspect(struct vt_qmp *qmp, uint64_t deadline_ns, struct vt_vm_info *info,
               struct vt_error *err);
/** query-status. */
int vt_inspect_state(struct vt_qmp *qmp, uint64_t deadline_ns, enum vt_vm_state *state,
                     struct vt_error *err);

#endif
