/* machine/usage.h - what a VM costs its host: CPU, memory. */
#ifndef VT_MACHINE_USAGE_H
#define VT_MACHINE_USAGE_H

#include "vitrine/machine.h"

struct vt_vm_usage {
    bool has_process;
    uint64_t
        cpu_ns; /**< of QEMU's process, user and system, since it began; in clock ticks' steps */
    uint64_t rss_bytes;
    bool has_ram;
    uint64_t ram_allocated_bytes; /**< what of the RAM file the host has given storage */
};

/** Looks in /proc and at the RAM file; what cannot be seen is not there. */
void vt_vm_usage(const struct vt_vm_info *info, struct vt_vm_usage *usage);
/** The same of any process. */
bool vt_process_usage(pid_t pid, uint64_t *cpu_ns, uint64_t *rss_bytes);

#endif
