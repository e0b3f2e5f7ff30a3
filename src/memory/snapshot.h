/* memory/snapshot.h - what vt_snapshot_create sets up for a VM, and tests without one do by hand.
 */
#ifndef VT_MEMORY_SNAPSHOT_H
#define VT_MEMORY_SNAPSHOT_H

#include "vitrine/memory.h"

#include <sys/types.h>

/** Lets refreshes read QEMU's page-table marks themselves for their verdict instead of asking the
 *  tracker a second time. Without the right to, refreshes go on asking. */
void vt_snapshot_watch_marks(struct vt_snapshot *snap, pid_t qemu_pid, const char *ram_path);

#endif
