/* gpu/guest_memory.h - a guest's RAM as a device sees it: what a vhost-user front end shares.
 *
 * A table of regions, each a piece of a file mapped here. Addresses come from the guest and are
 * hostile: every access is checked, may cross from one region to the next, and fails without a
 * trace when any byte of it lies nowhere. Contents may change at any time: whoever decides on them
 * copies first. One thread.
 */
#ifndef VT_GPU_GUEST_MEMORY_H
#define VT_GPU_GUEST_MEMORY_H

#include "vitrine/base.h"

#define VT_GUEST_REGIONS_MAX 8u

/** As a front end describes it (vhost-user, "A memory region description"). */
struct vt_guest_region {
    uint64_t gpa, bytes;
    uint64_t
        front_end;   /**< where the front end has it mapped: queues are named by such addresses */
    uint64_t offset; /**< of its first byte in the file */
};

struct vt_guest_memory {
    unsigned n;
    struct vt_guest_mapped {
        struct vt_guest_region region;
        uint8_t *at;   /**< its first byte here */
        void *mapping; /**< what was mapped, from a page's beginning */
        size_t mapped; /**< bytes of it */
        int fd;        /**< ours */
    } regions[VT_GUEST_REGIONS_MAX];
};

/** Maps a region and adds it; `fd` is borrowed. VT_E_INVAL: empty, wraps, overlaps another, or the
 *  file is too short; VT_E_LIMIT: too many. */
int vt_guest_memory_add(struct vt_guest_memory *m, const struct vt_guest_region *region, int fd,
                        struct vt_error *err);
void vt_guest_memory_clear(struct vt_guest_memory *m);

/** `bytes` in one piece by the front end's address; NULL: not there. Valid until the table changes.
 */
void *vt_guest_memory_front_end(const struct vt_guest_memory *m, uint64_t address, uint64_t bytes);
/** As many as there are in one piece from `gpa` on, at most `*bytes`; NULL: nothing is there. */
void *vt_guest_memory_at(const struct vt_guest_memory *m, uint64_t gpa, uint64_t *bytes);
/** The file behind `bytes` at `gpa`, if one region has them all: a descriptor that is borrowed. */
bool vt_guest_memory_file(const struct vt_guest_memory *m, uint64_t gpa, uint64_t bytes, int *fd,
                          uint64_t *offset);
bool vt_guest_memory_read(const struct vt_guest_memory *m, uint64_t gpa, void *to, uint64_t bytes);
bool vt_guest_memory_write(const struct vt_guest_memory *m, uint64_t gpa, const void *from,
                           uint64_t bytes);

#endif
