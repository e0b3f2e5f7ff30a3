/* machine/ended.h - why a VM ended that nobody had asked to end: a line that outlives it.
 *
 * It lies in <state>/ended/<name> until a VM of that name is started again.
 */
#ifndef VT_MACHINE_ENDED_H
#define VT_MACHINE_ENDED_H

#include "vitrine/base.h"

/** Writes `why` ("killed by signal 9: …"), made printable. */
int vt_ended_write(const char *name, const char *why, struct vt_error *err);
/** Removes it, if it is there. */
void vt_ended_forget(const char *name);
/** Puts "QEMU ended 12 s ago: killed by signal 9: …" into `text`; false when nothing is known. */
bool vt_ended_read(const char *name, char *text, size_t size);

#endif
