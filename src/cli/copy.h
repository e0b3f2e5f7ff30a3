/* cli/copy.h - a running guest's RAM of one moment, and a file made of it: what `snapshot` and
 * `dump` share. */
#ifndef VT_CLI_COPY_H
#define VT_CLI_COPY_H

#include "cli/target.h"
#include "vitrine/dump.h"

/** Zero it before vt_copy_take; vt_copy_fini takes it half made. */
struct vt_copy {
    struct vt_track *track; /**< NULL: changes were found by comparing */
    struct vt_snapshot *snap;
    struct vt_refresh_result result; /**< paused_ns: of the stop that --pause asked for */
    struct vt_dump_cpu *cpus;        /**< when asked for, and QEMU told */
    unsigned n_cpus;
};

/** Copies the RAM of the target's VM. With --pause the VM stops for the last part, in which the
 *  CPUs' registers are asked for, too; else these are of some moment shortly after. */
int vt_copy_take(const struct vt_args *args, struct vt_target *target, bool registers,
                 struct vt_copy *copy, struct vt_error *err);
void vt_copy_fini(struct vt_copy *copy);

/** Writes `dump` to `path`, with progress on stderr; the file is complete or not there. */
int vt_copy_write(const char *path, struct vt_dump *dump, enum vt_dump_format format,
                  uint64_t *stored, struct vt_error *err);

#endif
