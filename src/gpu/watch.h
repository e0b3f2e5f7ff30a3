/* gpu/watch.h - a virtio-gpu of any guest, watched from outside while it works.
 *
 * QEMU is asked where the queues are, and now and then whether they still are; everything else is
 * read in the VM's RAM, which is only read. The guest needs nothing for it and is never stopped.
 * A device that is reset, or whose driver is loaded anew, is found again.
 */
#ifndef VT_GPU_WATCH_H
#define VT_GPU_WATCH_H

#include "gpu/ring.h"

struct vt_vgpu_watch_config {
    const char *vm;     /**< the VM's name */
    const char *device; /**< id or path; NULL: the only one */
    bool history;       /**< begin with what the rings still hold */
    /** Between two looks while commands come, 0: 20 us. Where nothing happened for a while it grows
     *  to ten times that. */
    uint64_t interval_ns;
    const volatile int *stop; /**< non-zero ends it; may be NULL */
    vt_vgpu_seen_fn *fn;      /**< false ends it */
    void *arg;
    /** Called when nothing has been seen for a moment: to flush output. May be NULL. */
    void (*pause)(void *arg);
};

struct vt_vgpu_watch_counts {
    struct vt_vgpu_ring_counts queue[VT_VGPU_QUEUES];
    uint64_t looks, resets;
    uint64_t cpu_ns; /**< of the thread that looked */
    bool vm_ended;
};

struct vt_vgpu_watch;

/** Finds the device. `config` is copied, its strings and `fn` are borrowed. VT_E_NOT_FOUND (VM or
 *  device), VT_E_INVAL (several devices), VT_E_UNSUPPORTED (RAM not shared, QEMU too old), … */
int vt_vgpu_watch_open(const struct vt_vgpu_watch_config *config, struct vt_vgpu_watch **watch,
                       struct vt_error *err);
/** Takes NULL. */
void vt_vgpu_watch_close(struct vt_vgpu_watch *watch);
/** For a recording's header; it began when the watch was opened. */
const struct vt_vgpu_origin *vt_vgpu_watch_origin(const struct vt_vgpu_watch *watch);
/** Watches until `deadline_ns` (CLOCK_MONOTONIC), `stop`, the VM's end or `fn`: 0. What is on its
 *  way then is told as not answered. Failures: those of asking QEMU. */
int vt_vgpu_watch_run(struct vt_vgpu_watch *watch, uint64_t deadline_ns, struct vt_error *err);
void vt_vgpu_watch_counts(const struct vt_vgpu_watch *watch, struct vt_vgpu_watch_counts *counts);

#endif
