/* machine/accel.h - whether KVM works here, found out by running a guest.
 *
 * /dev/kvm may open, create VMs and run firmware, and still hang in a stock kernel (some nested
 * and paravirtual hosts). So the question is put to the very thing that will be run: the default
 * guest, until its shell speaks. The verdict is kept in the cache until the host is booted anew.
 */
#ifndef VT_MACHINE_ACCEL_H
#define VT_MACHINE_ACCEL_H

#include "vitrine/base.h"

/** "kvm" or, whenever in doubt, "tcg"; for guests of `arch`. The first call after a boot may take
 * some seconds where KVM hangs. Fails only with VT_E_INTERRUPTED. */
int vt_accel_pick(const char *arch, const volatile int *stop, const char **accel,
                  struct vt_error *err);

/** Whether QEMU, under a uid of its own, needs /dev/kvm as a descriptor: its group does not help.
 */
bool vt_accel_needs_fd(void);

#endif
