/* guest/find/extents.h - an address space as runs of bytes that have storage, and windows on it.
 *
 * A run is contiguous in the space and in the RAM file. Runs that continue each other in the space
 * make a chain; a window may go over any of a chain's seams.
 */
#ifndef VT_GUEST_FIND_EXTENTS_H
#define VT_GUEST_FIND_EXTENTS_H

#include "vitrine/find.h"

struct vt_extent_run {
    uint64_t at; /* in the space */
    uint64_t offset, bytes;
};

struct vt_extents {
    const struct vt_ram *ram;
    struct vt_extent_run *runs; /* ascending */
    size_t n, room;
    uint64_t bytes; /* of all runs */
    bool limited;
};

/** Collects what has storage in the range. VT_E_NOMEM, VT_E_ADDR, VT_E_GONE. */
int vt_extents_take(const struct vt_find_where *where, struct vt_extents *extents,
                    struct vt_error *err);
void vt_extents_fini(struct vt_extents *extents);
/** The RAM behind an address of the space; false when it is in no run. */
bool vt_extents_gpa(const struct vt_extents *extents, uint64_t at, struct vt_gpa *gpa);
/** Copies [at, at + n), which may cross seams; false when it is not all in one chain. */
bool vt_extents_read(const struct vt_extents *extents, uint64_t at, void *buf, size_t n);

/** One window after the other. */
struct vt_window {
    const struct vt_extents *extents;
    size_t run;        /* where the next window begins */
    uint64_t into;     /* and how far in that run */
    size_t most, more; /* bytes of a window, and of the look beyond its end */
    bool copy;         /* always; else only over seams */
    uint8_t *buffer;   /* most + more bytes */

    /* this window */
    uint64_t at;
    const uint8_t *bytes;
    size_t n;      /* bytes that are there, */
    size_t starts; /* of which the first so many are no other window's */
};

int vt_window_init(struct vt_window *window, const struct vt_extents *extents, size_t most,
                   size_t more, bool copy, struct vt_error *err);
void vt_window_fini(struct vt_window *window);
/** Moves to the first or next one; false at the end. */
bool vt_window_next(struct vt_window *window);

#endif
