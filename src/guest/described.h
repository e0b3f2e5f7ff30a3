/* guest/described.h - kernels and the ISF files that describe them. */
#ifndef VT_GUEST_DESCRIBED_H
#define VT_GUEST_DESCRIBED_H

#include "vitrine/guest.h"

#include <stdio.h>

/** Writes an opened kernel's symbols and types as ISF, with link-time addresses: for every boot of
 *  this kernel. The caller looks at ferror(out). VT_E_NOT_FOUND: it has no types. */
int vt_kernel_write_isf(const struct vt_kernel *kernel, FILE *out, struct vt_error *err);

#endif
