/* guest/symbols/vmcoreinfo.h - the KEY=VALUE lines the kernel keeps for crash tools.
 *
 * Format: Documentation/admin-guide/kdump/vmcoreinfo.rst of Linux. The text is hostile bytes.
 */
#ifndef VT_GUEST_SYMBOLS_VMCOREINFO_H
#define VT_GUEST_SYMBOLS_VMCOREINFO_H

#include "vitrine/base.h"

#define VT_VMCOREINFO_MAX 65536u

/** The value of `key` ("KERNELOFFSET", "NUMBER(phys_base)") in text[0..n): copied into `value`
 *  (terminated, cut at `size`). false: no such line. */
bool vt_vmcoreinfo_get(const char *text, size_t n, const char *key, char *value, size_t size);

#endif
