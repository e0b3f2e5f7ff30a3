/* hybrid/accel.h - what of the steering side the rest of the room uses. See vitrine/hybrid.h.
 */
#ifndef VT_HYBRID_ACCEL_H
#define VT_HYBRID_ACCEL_H

#include "hybrid/segment.h"
#include "vitrine/hybrid.h"

/** A segment by itself, without its VM: the plugin is told of no RAM. */
int vt_accel_open_segment(const char *path, bool reads_only, struct vt_accel **accel,
                          struct vt_error *err);
/** QEMU ended, in whatever way. */
bool vt_accel_gone(const struct vt_accel *accel);
struct vt_hybrid_mailbox *vt_accel_mailbox(struct vt_accel *accel);

#endif
