/* memory/ram.h - what the room's own files ask of a RAM mapping beside vitrine/memory.h. */
#ifndef VT_MEMORY_RAM_H
#define VT_MEMORY_RAM_H

#include "vitrine/memory.h"

/** The first page with storage at or after page-aligned `from` < size: 0, -ENXIO when there is
 *  none, or another negative errno. One system call; does not look at where the run ends. */
int vt_ram_seek_data(const struct vt_ram *ram, uint64_t from, uint64_t *start);
/** The end of the populated run that begins at `start`, page-aligned. Walks the whole run. */
uint64_t vt_ram_seek_hole(const struct vt_ram *ram, uint64_t start);

#endif
