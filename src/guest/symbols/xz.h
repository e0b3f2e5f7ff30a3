/* guest/symbols/xz.h - files that may be xz-compressed, as plain streams. */
#ifndef VT_GUEST_SYMBOLS_XZ_H
#define VT_GUEST_SYMBOLS_XZ_H

#include "vitrine/base.h"

#include <stdio.h>

/** Opens a file for reading; one that begins as xz does is unpacked on the way, with at most 256
 * MiB of memory. Damage shows as a read error. */
int vt_xz_open(const char *path, FILE **in, struct vt_error *err);
/** A stream that packs what is written to it into `under`, which outlives it; closing it ends the
 *  packed data, and fails when that could not be written. */
int vt_xz_pack(FILE *under, FILE **out, struct vt_error *err);

#endif
