/* guest/copy.h - a running guest's RAM of one moment, and a file made of it: what snapshots and
 * dumps share.
 */
#ifndef VT_GUEST_COPY_H
#define VT_GUEST_COPY_H

#include "vitrine/dump.h"
#include "vitrine/target.h"

/** Zero it before vt_copy_take; vt_copy_fini takes it half made. */
struct vt_copy {
    struct vt_track *track; /**< NULL: changes were found by comparing */
    struct vt_snapshot *snap;
    struct vt_refresh_result result; /**< paused_ns: of the stop that was asked for */
    struct vt_dump_cpu *cpus;        /**< when asked for, and QEMU told */
    unsigned n_cpus;
};

/** Copies the RAM of the target's VM. With `pause` the VM stops for the last part, in which the
 *  CPUs' registers are asked for, too; else these are of some moment shortly after. Errors: those
 *  of vt_track_open, vt_snapshot_create, vt_snapshot_refresh and vt_target_stop. */
int vt_copy_take(struct vt_target *target, bool pause, bool registers, struct vt_copy *copy,
                 struct vt_error *err);
void vt_copy_fini(struct vt_copy *copy);

/** Writes `dump` to `path`; the file is complete or not there. Errors: those of vt_dump_write. */
int vt_copy_write(const char *path, const struct vt_dump *dump, enum vt_dump_format format,
                  uint64_t *stored, struct vt_error *err);

/** The addresses of the copy's torn pages, "0x1000,0x5000": guest-physical; NULL: none, or no
 *  memory. The caller frees. */
char *vt_copy_torn(const struct vt_copy *copy, const struct vt_ram *ram);

#endif
