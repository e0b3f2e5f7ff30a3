/* memory/fault.h - RAM mappings that survive the loss of their file.
 *
 * Touching a page of a mapped file that was truncated meanwhile raises SIGBUS. A mapping guarded
 * here gets zero pages in place of the lost ones instead, and remembers that it lost something.
 * Faults elsewhere go to the handler that was installed before.
 */
#ifndef VT_MEMORY_FAULT_H
#define VT_MEMORY_FAULT_H

#include "vitrine/base.h"

struct vt_fault_guard;

/** Guards [base, base + bytes), a mapping of `fd` from offset 0. `fd` stays the caller's
 *  and open until vt_fault_unguard. The first call installs the handler, for good. */
int vt_fault_guard(const void *base, size_t bytes, int fd, struct vt_fault_guard **guard,
                   struct vt_error *err);
/** Call before unmapping, when nobody reads any more. Takes NULL. */
void vt_fault_unguard(struct vt_fault_guard *guard);
/** Whether a page of it was lost. Any thread. */
bool vt_fault_lost(const struct vt_fault_guard *guard);
/** Notes a loss that was seen without touching the page (the file is shorter than the mapping). */
void vt_fault_set_lost(struct vt_fault_guard *guard);

#endif
