/* guest/linux/clock.h - the guest's clock as of its last tick. */
#ifndef VT_GUEST_LINUX_CLOCK_H
#define VT_GUEST_LINUX_CLOCK_H

#include "guest/linux/noun.h"

struct vt_clock {
    struct vt_gva at; /* the struct timekeeper */
    uint64_t mono_ns; /* since boot, without suspended times */
    uint64_t real_ns; /* what makes it the time since 1970 */
    uint64_t boot_ns; /* suspended times */
};

/** Begins a look and reads it there; zeros when it makes no sense. VT_E_NOT_FOUND. */
int vt_walk_clock(struct vt_walk *walk, struct vt_clock *clock, struct vt_error *err);

#endif
