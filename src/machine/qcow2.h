/* machine/qcow2.h - makes an empty qcow2 image (version 3), since QEMU's private tree has no
 * qemu-img. Format: QEMU, docs/interop/qcow2.rst.
 */
#ifndef VT_MACHINE_QCOW2_H
#define VT_MACHINE_QCOW2_H

#include "vitrine/base.h"

#define VT_QCOW2_BYTES_MAX (UINT64_C(4) << 40)

/** Makes `path`, mode 0600, which must not be there: an image of `bytes` zeros, a multiple of 512
 * up to 4 TiB. Errors: VT_E_EXISTS, VT_E_INVAL, VT_E_IO, VT_E_PERM, … (nothing is left then). */
int vt_qcow2_create(const char *path, uint64_t bytes, struct vt_error *err);

#endif
