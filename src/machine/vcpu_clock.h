/* machine/vcpu_clock.h - how long a VM's vCPUs executed, and how long the host let them wait.
 *
 * On a busy host a vCPU's thread gets a part of a processor only. What is to be judged by how much
 * a guest does in a while is judged by these clocks, not by the wall's. Source: Linux,
 * Documentation/scheduler/sched-stats.rst (/proc/PID/schedstat).
 */
#ifndef VT_MACHINE_VCPU_CLOCK_H
#define VT_MACHINE_VCPU_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define VT_VCPU_CLOCKS_MAX 64u /**< vCPUs beyond are not looked at */

/** Of QEMU's threads that are vCPUs; a value. */
struct vt_vcpu_clocks {
    pid_t qemu;
    uint32_t n; /**< 0: none is known: a VM of another host, a kernel that does not say */
    struct vt_vcpu_clock {
        pid_t thread;
        uint64_t executed_ns; /**< on a processor */
        uint64_t waited_ns;   /**< ready, without one */
    } clocks[VT_VCPU_CLOCKS_MAX];
};

/** Now. vCPUs in the order in which the host lists their threads. */
void vt_vcpu_clocks(pid_t qemu, struct vt_vcpu_clocks *clocks);
/** How long since then one that waited the longest did; 0: not known. */
uint64_t vt_vcpu_waited_since(const struct vt_vcpu_clocks *then);

#endif
