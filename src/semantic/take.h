/* semantic/take.h - one look at a guest: the rows of every table, all from one walk of RAM.
 *
 * Who runs is read before and after everything else; when that is not the same, all of it is read
 * again.
 */
#ifndef VT_SEMANTIC_TAKE_H
#define VT_SEMANTIC_TAKE_H

#include "semantic/records.h"
#include "semantic/schema.h"

/** What tells one boot of a kernel from another. */
struct vt_boot_identity {
    struct vt_gva text;
    struct vt_gpa text_physical;
    struct vt_gva init_task; /**< of process 1; 0: not there yet */
    double init_started_s;   /**< since boot */
};

struct vt_take {
    struct vt_records tables[VT_DB_TABLES];
    bool missing[VT_DB_TABLES]; /**< this kernel has no such thing, or it cannot be found */
    struct vt_boot_identity boot;
    double uptime_s; /**< NaN: not known */
    double booted_s; /**< seconds since 1970 by the guest's clock; NaN */
    bool torn;
    char why[160];
    struct vt_take_process *processes; /* by pid; the take's own */
    size_t n_processes;
};

/** Zeroed is empty; kept from sample to sample for its memory. */
void vt_take_fini(struct vt_take *take);
/** Fills it. Errors: VT_E_GONE, VT_E_NOMEM, those of vt_linux_tasks. */
int vt_take(struct vt_take *take, struct vt_kernel *kernel, struct vt_error *err);

#endif
