/* hybrid/accelerator.h - inside of an accelerator, shared by its files.
 */
#ifndef VT_HYBRID_ACCELERATOR_H
#define VT_HYBRID_ACCELERATOR_H

#include "vitrine/hybrid.h"

#include <limits.h>

struct vt_accelerator {
    struct vt_target *target;
    struct vt_accel *accel;
    struct vt_accelerator_options options; /* with defaults filled in */
    uint64_t threshold;
    char cache[PATH_MAX];
    struct vt_ledger_row *rows;
    uint32_t n_rows, room;
};

/** Measures every kernel that waits and has enough to do, keeps it or removes it. */
int vt_accelerator_measure(struct vt_accelerator *a, uint32_t *tried, uint32_t *won,
                           struct vt_error *err);
void vt_accelerator_tell(struct vt_accelerator *a, const struct vt_ledger_row *row);

#endif
