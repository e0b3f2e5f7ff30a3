/* guest/linux/percpu.h - where each CPU keeps its own copy of a per-CPU variable. */
#ifndef VT_GUEST_LINUX_PERCPU_H
#define VT_GUEST_LINUX_PERCPU_H

#include "guest/kernel.h"

#define VT_CPUS_MAX 8192u /* NR_CPUS of x86-64 */

/** Fixed once a kernel has booted. */
struct vt_percpu {
    unsigned n;       /**< possible CPUs (nr_cpu_ids) */
    uint64_t *offset; /**< of each; what is added to a per-CPU variable's address */
    uint64_t *online; /**< bit i of word i / 64: it was online when this was read */
};

/** Belongs to the kernel. VT_E_NOT_FOUND, VT_E_CORRUPT, VT_E_NOMEM. */
int vt_percpu_take(struct vt_kernel *kernel, const struct vt_percpu **percpu, struct vt_error *err);
void vt_percpu_free(struct vt_percpu *percpu);

/** CPU `cpu`'s copy of a variable: `var` is what its symbol or a pointer to per-CPU data says.
 *  cpu < n. (include/linux/percpu-defs.h: per_cpu_ptr) */
struct vt_gva vt_percpu_at(const struct vt_percpu *percpu, struct vt_gva var, unsigned cpu);
bool vt_percpu_online(const struct vt_percpu *percpu, unsigned cpu);

#endif
