/* machine/mtree.h - the guest-physical map, from the text of QEMU's `info mtree -f`.
 *
 * The only place QEMU tells it; the text is for people, so it is read strictly and as hostile.
 */
#ifndef VT_MACHINE_MTREE_H
#define VT_MACHINE_MTREE_H

#include "vitrine/machine.h"

/** Finds in `text` the flat view of the address space "memory" and in it what the RAM backend named
 *  `backend` (of `ram_bytes`) backs: ascending, neighbours merged, into regions[0 … *n).
 *
 *  On x86 the legacy area 0xc0000–0xfffff switches between ROM and RAM (PAM) while the firmware
 *  runs: where RAM is identity-mapped below it and above it, it is RAM here whatever the moment
 *  says. Errors: VT_E_NOT_FOUND (no such view, or nothing of the backend in it), VT_E_CORRUPT
 *  (unaligned, overlapping, outside the backend), VT_E_LIMIT (more than VT_RAM_REGIONS_MAX). */
int vt_mtree_parse(const char *text, const char *backend, uint64_t ram_bytes,
                   struct vt_ram_region regions[VT_RAM_REGIONS_MAX], unsigned *n,
                   struct vt_error *err);

#endif
