/* gpu/vm_gpu.h - the GPU of one VM that vitrine started: the process beside QEMU that is it
 * (`vitrine run --gpu venus`), and asking that process how it is doing.
 *
 * Who connects to the VM's gpu.sock writes one line and reads to the end: "state" gives a JSON
 * object as gpu/control.h has it, "png" what the scanout shows. An answer that cannot be given is
 * empty.
 */
#ifndef VT_GPU_VM_GPU_H
#define VT_GPU_VM_GPU_H

#include "vitrine/machine.h"

/** Is the GPU; for struct vt_keeper_service. Returns an exit status. */
int vt_vm_gpu(const struct vt_gpu_job *job);

/** Asks the GPU of the VM whose directory is `dir`; *answer is malloc'ed, the caller's, a zero
 *  behind its end. VT_E_NOT_FOUND: it has none of this kind; VT_E_REFUSED: there is no answer. */
int vt_vm_gpu_ask(const char *dir, const char *question, uint8_t **answer, size_t *bytes,
                  struct vt_error *err);

#endif
