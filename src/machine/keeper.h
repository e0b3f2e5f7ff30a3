/* machine/keeper.h - the process beside QEMU: makes everything of a VM, serves it, removes it.
 */
#ifndef VT_MACHINE_KEEPER_H
#define VT_MACHINE_KEEPER_H

#include "vitrine/machine.h"

/** What a keeper is to do: start a QEMU, or keep one that somebody else started. */
struct vt_keeper_job {
    const char *name;
    const struct vt_vm_config *config; /**< complete; NULL: attach */
    int incoming_fd;                   /**< with `config`: a saved state, or -1 */
    const char *qmp_path;              /**< without `config`: the QMP socket, absolute */
    uint64_t timeout_ms;               /**< for QEMU to answer */
};

/** Runs a VM from its beginning to its end and exits the process. On `handshake` (SOCK_SEQPACKET)
 *  goes one struct vt_error, VT_OK when the VM is ready; one byte back commits, the end of the
 *  stream instead of it takes everything back. */
_Noreturn void vt_keeper_main(const struct vt_keeper_job *job,
                              const struct vt_keeper_service *const *services, int handshake);

#endif
