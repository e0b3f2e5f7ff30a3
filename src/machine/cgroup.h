/* machine/cgroup.h - limits for one process through cgroup v2.
 * (Documentation/admin-guide/cgroup-v2.rst in Linux's tree)
 */
#ifndef VT_MACHINE_CGROUP_H
#define VT_MACHINE_CGROUP_H

#include "vitrine/base.h"

#include <limits.h>
#include <sys/types.h>

struct vt_limits {
    unsigned cpu_percent;  /**< of one core; 0: no limit */
    uint64_t memory_bytes; /**< 0: no limit */
};

/** Where cgroup v2 is mounted, from a table like /proc/self/mounts. VT_E_UNSUPPORTED: nowhere. */
int vt_cgroup_find(const char *mounts, char root[PATH_MAX], struct vt_error *err);

/** Makes the group `name` below <root>/vitrine with these limits and moves `pid` into it; *path is
 *  the group's directory. VT_E_UNSUPPORTED names the controller that `root` lacks, VT_E_PERM the
 *  file that may not be written. Nothing is left behind on failure. */
int vt_cgroup_create(const char *root, const char *name, const struct vt_limits *limits, pid_t pid,
                     char path[PATH_MAX], struct vt_error *err);
/** Removes a group without processes; its parent too when that was the last. */
void vt_cgroup_remove(const char *path);

#endif
