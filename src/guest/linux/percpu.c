/* guest/linux/percpu.c - per-CPU offsets and which CPUs are online. See percpu.h. */
#include "guest/linux/percpu.h"

#include <stdlib.h>

int vt_percpu_take(struct vt_kernel *kernel, const struct vt_percpu **percpu, struct vt_error *err)
{
    if (kernel->percpu != NULL) {
        *percpu = kernel->percpu;
        return 0;
    }
    struct vt_gva offsets, count, mask;
    uint32_t n = 0;
    int rc = vt_kernel_symbol(kernel, "__per_cpu_offset", &offsets, err);
    if (rc == 0) {
        rc = vt_kernel_symbol(kernel, "nr_cpu_ids", &count, err);
    }
    if (rc == 0) {
        rc = vt_kernel_symbol(kernel, "__cpu_online_mask", &mask, err);
    }
    if (rc == 0) {
        rc = vt_space_read_u32(&kernel->space, count, &n, err);
    }
    if (rc == 0 && (n == 0 || n > VT_CPUS_MAX)) {
        rc = vt_fail(err, VT_E_CORRUPT, "the kernel claims %u CPUs", n);
    }
    if (rc != 0) {
        return rc;
    }
    size_t words = (n + 63) / 64;
    struct vt_percpu *p = calloc(1, sizeof *p);
    if (p != NULL) {
        p->n = n;
        p->offset = calloc(n, sizeof *p->offset);
        p->online = calloc(words, sizeof *p->online);
    }
    if (p == NULL || p->offset == NULL || p->online == NULL) {
        rc = vt_fail(err, VT_E_NOMEM, "CPUs: out of memory");
    }
    if (rc == 0) {
        rc = vt_space_read(&kernel->space, offsets, p->offset, n * sizeof *p->offset, err);
    }
    if (rc == 0) {
        rc = vt_space_read(&kernel->space, mask, p->online, words * sizeof *p->online, err);
    }
    if (rc != 0) {
        vt_percpu_free(p);
        return rc;
    }
    kernel->percpu = p;
    *percpu = p;
    return 0;
}

void vt_percpu_free(struct vt_percpu *percpu)
{
    if (percpu != NULL) {
        free(percpu->offset);
        free(percpu->online);
        free(percpu);
    }
}

struct vt_gva vt_percpu_at(const struct vt_percpu *percpu, struct vt_gva var, unsigned cpu)
{
    return VT_GVA(var.v + percpu->offset[cpu]);
}

bool vt_percpu_online(const struct vt_percpu *percpu, unsigned cpu)
{
    return (percpu->online[cpu / 64] >> (cpu % 64) & 1) != 0;
}
