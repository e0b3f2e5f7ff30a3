/* machine/migrate.h - a VM's whole state through a descriptor: QEMU's migration stream to and from
 * a file. (docs/devel/migration in QEMU's tree; `file:` with an offset since 8.2, `fd:` before)
 */
#ifndef VT_MACHINE_MIGRATE_H
#define VT_MACHINE_MIGRATE_H

#include "machine/qmp.h"

/** Writes the state of a stopped VM into the regular file `fd` from its position on. The wait has
 *  no deadline but the connection's cancel: it then takes the migration back. VT_E_IO carries
 *  QEMU's reason (disk full). */
int vt_migrate_out(struct vt_qmp *qmp, int fd, struct vt_error *err);
/** Loads it, into a QEMU started with `-incoming defer`. */
int vt_migrate_in(struct vt_qmp *qmp, int fd, uint64_t deadline_ns, struct vt_error *err);

#endif
