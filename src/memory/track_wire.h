/* memory/track_wire.h - what tracker and readers say to each other on the "track" service socket.
 *
 * A stream socket between processes of one machine: native byte order, fixed sizes. The tracker
 * sends one struct vt_track_hello, with the epoch table's descriptor unless mode is VT_TRACK_NONE;
 * then an 8-byte struct vt_track_word for every scan it was asked for. A reader sends words: SCAN
 * (value 0), one at a time, answered by SCAN with the tick as value; SUBSCRIBE (value: scans a
 * second, 0 to VT_TRACK_HZ_MAX), not answered. A reader that breaks this, or does not take its
 * answers, is dropped.
 */
#ifndef VT_MEMORY_TRACK_WIRE_H
#define VT_MEMORY_TRACK_WIRE_H

#include "vitrine/memory.h"

#define VT_TRACK_MAGIC 0x6b727476u /* "vtrk" */
#define VT_TRACK_WIRE_VERSION 1u
#define VT_TRACK_HZ_MAX 1000u

enum vt_track_op { VT_TRACK_SCAN = 1, VT_TRACK_SUBSCRIBE = 2 };

struct vt_track_word {
    uint32_t op;
    uint32_t value;
};

struct vt_track_hello {
    uint32_t magic, version;
    uint32_t mode; /* enum vt_track_mode */
    uint32_t reserved;
    uint64_t ram_bytes;
    char why[VT_ERROR_MESSAGE_MAX]; /* zero-terminated */
};

/** Checks what claims to be a hello. VT_E_PROTOCOL. */
int vt_track_hello_check(const struct vt_track_hello *hello, struct vt_error *err);

/** The tracker's view of what one reader wants. Zeroed at first. */
struct vt_track_requests {
    uint8_t part[sizeof(struct vt_track_word)]; /* of a word that has not all come yet */
    size_t part_bytes;
    bool scan; /* asked for, not begun */
    bool busy; /* a scan that serves it runs */
    uint32_t hz;
};

/** Takes `count` bytes from a reader, hostile ones too. VT_E_PROTOCOL: drop it. */
int vt_track_requests_feed(struct vt_track_requests *r, const void *bytes, size_t count,
                           struct vt_error *err);

#endif
