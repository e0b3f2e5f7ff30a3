/* gpu/sandbox.h - what a process may still do that carries out a stranger's commands on the host's
 * Vulkan driver.
 *
 * Landlock leaves it the drivers' files, to read, and the GPUs' device files. seccomp leaves it the
 * system calls that drivers make: no program is started, no socket made, no other process touched.
 * Limits keep it from leaving a core file and from using up the host's descriptors.
 * Source: Linux, Documentation/userspace-api/{landlock,seccomp_filter}.rst.
 */
#ifndef VT_GPU_SANDBOX_H
#define VT_GPU_SANDBOX_H

#include "vitrine/base.h"

/** For the calling process, which has one thread and has not loaded Vulkan yet; there is no way
 * back. `descriptors_max` is how many it may have open from then on. VT_E_UNSUPPORTED: the kernel
 * has no Landlock or no seccomp. */
int vt_gpu_sandbox_enter(unsigned descriptors_max, struct vt_error *err);

#endif
