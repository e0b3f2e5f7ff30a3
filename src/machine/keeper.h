/* machine/keeper.h - the process beside QEMU: makes everything of a VM, serves it, removes it.
 */
#ifndef VT_MACHINE_KEEPER_H
#define VT_MACHINE_KEEPER_H

#include "vitrine/machine.h"

/** Runs a VM from its beginning to its end and exits the process. `config` is complete. On
 *  `handshake` (SOCK_SEQPACKET) goes one struct vt_error, VT_OK when the VM is ready; one byte back
 *  commits, the end of the stream instead of it takes everything back. */
_Noreturn void vt_keeper_main(const struct vt_vm_config *config,
                              const struct vt_keeper_service *const *services, int handshake);

#endif
