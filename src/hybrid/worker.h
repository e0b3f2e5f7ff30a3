/* hybrid/worker.h - a GPU that runs slices for a VM's plugin.
 *
 * A thread takes requests out of the segment's mailbox (segment.h) and runs them on the VM's RAM,
 * mapped here to be written. It serves slots that were given it; other requests it refuses. A
 * device that is lost ends it: slices are run by the host's kernels again. What the GPU writes goes
 * past QEMU's mapping, so the plugin touches pages afterwards that a tracker is to see.
 */
#ifndef VT_HYBRID_WORKER_H
#define VT_HYBRID_WORKER_H

#include "hybrid/segment.h"
#include "vitrine/hybrid.h"

struct vt_hybrid_worker;
/** `gpu`: as vt_pixel_gpu_open has it. The accel lives longer. VT_E_UNSUPPORTED: no such GPU. */
int vt_hybrid_worker_start(struct vt_accel *accel, const struct vt_target *target, const char *gpu,
                           struct vt_hybrid_worker **worker, struct vt_error *err);
/** Takes NULL. The request under way is finished. */
void vt_hybrid_worker_stop(struct vt_hybrid_worker *worker);
const char *vt_hybrid_worker_gpu(const struct vt_hybrid_worker *worker);
bool vt_hybrid_worker_is_software(const struct vt_hybrid_worker *worker);
bool vt_hybrid_worker_lost(struct vt_hybrid_worker *worker);
/** From now on slot's requests are runs of this program, of which a copy is not kept. */
int vt_hybrid_worker_serve(struct vt_hybrid_worker *worker, uint32_t slot,
                           const struct vt_pixel_program *program, struct vt_error *err);
/** After the commit that removed the slot. */
void vt_hybrid_worker_forget(struct vt_hybrid_worker *worker, uint32_t slot);

#endif
