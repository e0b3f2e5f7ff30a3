/* tests/unit/memory/track_writer.h - see track_writer.c. */
#ifndef VT_TESTS_TRACK_WRITER_H
#define VT_TESTS_TRACK_WRITER_H

#include <stdint.h>

#define VT_WRITER_FLOOD UINT64_MAX

#endif
