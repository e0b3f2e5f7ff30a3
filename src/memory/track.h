/* memory/track.h - the reader's side of the tracker, for the room's own files and tests. */
#ifndef VT_MEMORY_TRACK_H
#define VT_MEMORY_TRACK_H

#include "vitrine/memory.h"

/** vt_track_open over a connected service socket, owned from now on, also when it fails. */
int vt_track_adopt(int sock, const char *vm, struct vt_track **track, struct vt_error *err);

/** The tick of the last scan that began. Ask it after looking at the kernel's marks without
 * clearing them: while it is the tick of a scan that is complete, nobody has cleared any since. */
uint32_t vt_track_started(const struct vt_track *track);

#endif
