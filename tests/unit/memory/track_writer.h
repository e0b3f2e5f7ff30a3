/* tests/unit/memory/track_writer.h - see track_writer.c. */
#ifndef VT_TESTS_TRACK_WRITER_H
#define VT_TESTS_TRACK_WRITER_H

#include <stdint.h>

#define VT_WRITER_FLOOD UINT64_MAX
/** Adds 1 to the first word of pages 0 … VT_WRITER_ROUND_PAGES-1 in turn, in bursts, until the
 *  next command: at every moment each page is equal to the one before it or 1 behind, the last
 *  page being at most 1 behind the first. */
#define VT_WRITER_ROUND (UINT64_MAX - 1)
#define VT_WRITER_ROUND_PAGES 48u

#endif
