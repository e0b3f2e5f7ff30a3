/* vitrine/hybrid.h - kernels in place of a running guest's loops.
 *
 * A VM's QEMU has a plugin that runs kernels (docs/hybrid.md). This is the other side: opens what
 * the plugin shares, gives it kernels, switches them, and reads what it counts. Opening takes the
 * VM for oneself: one accelerates a VM at a time. What was installed stays when it is closed, and
 * goes on without anybody; but for kernels that a GPU runs, which need whoever serves it. One
 * thread. Errors: VT_E_UNSUPPORTED (this VM has no such plugin, and why), VT_E_BUSY (another
 * accelerates it), VT_E_GONE (QEMU ended), VT_E_TIMEOUT, VT_E_LIMIT (no slot is free), VT_E_REFUSED
 * (the plugin will not, and why), VT_E_IO, VT_E_NOMEM.
 */
#ifndef VITRINE_HYBRID_H
#define VITRINE_HYBRID_H

#include "vitrine/synth.h"
#include "vitrine/target.h"

#ifdef __cplusplus
extern "C" {
#endif

struct vt_accel;
/** The target is the caller's, a running VM, and lives longer. */
int vt_accel_open(struct vt_target *target, struct vt_accel **accel, struct vt_error *err);
/** To read alone: beside somebody who accelerates. */
int vt_accel_open_to_read(struct vt_target *target, struct vt_accel **accel, struct vt_error *err);
void vt_accel_close(struct vt_accel *accel);

enum vt_accel_backend { VT_ACCEL_HOST, VT_ACCEL_GPU };
struct vt_accel_options {
    enum vt_accel_backend backend;
    bool passive;              /**< the guest runs the loop itself and is counted */
    bool here;                 /**< only at the loop's own address */
    uint32_t canary_period;    /**< slices between two checks; 0: none */
    uint64_t min_iterations;   /**< 0: the plugin's */
    uint64_t slice_iterations; /**< 0: the plugin's */
    uint64_t slice_bytes;      /**< 0: the plugin's */
};
/** Compiles a proven kernel for this host and puts it into a slot that is free; nothing runs before
 * vt_accel_commit. VT_E_INVAL: not proven. Also those of vt_pixel_compile. */
int vt_accel_install(struct vt_accel *accel, const struct vt_synth_kernel *kernel,
                     const struct vt_accel_options *options, uint32_t *slot, struct vt_error *err);
/** The slot is empty after the next commit. */
void vt_accel_remove(struct vt_accel *accel, uint32_t slot);
/** Has the plugin look at all slots, and waits until it has. Drops QEMU's translations, some ten
 * milliseconds of the guest's time: install several, then commit. Slots that were refused are
 * removed with the next commit; vt_accel_read says why. VT_E_TIMEOUT, VT_E_GONE. */
int vt_accel_commit(struct vt_accel *accel, uint64_t timeout_ms, struct vt_error *err);
/** At any time, at once. */
void vt_accel_switch(struct vt_accel *accel, uint32_t slot, bool active);
/** The master switch: off, every kernel is as if passive. */
void vt_accel_enable(struct vt_accel *accel, bool on);
bool vt_accel_enabled(const struct vt_accel *accel);

#define VT_ACCEL_SLOTS 64u
#define VT_ACCEL_DECLINES 14u
/** "few", "code", … ; NULL beyond. docs/hybrid.md says what they mean. */
const char *vt_accel_decline_name(uint32_t decline);
enum vt_accel_state {
    VT_ACCEL_EMPTY,
    VT_ACCEL_ACTIVE,
    VT_ACCEL_PASSIVE,
    VT_ACCEL_REFUSED,
    VT_ACCEL_DISABLED,
};
const char *vt_accel_state_name(enum vt_accel_state state);
struct vt_accel_slot {
    enum vt_accel_state state;
    const char *why; /**< REFUSED, DISABLED: in words; static */
    char hash[40];   /**< of the loop */
    uint64_t head;
    enum vt_accel_backend backend;
    uint64_t heads;      /**< iterations that the guest began itself */
    uint64_t iterations; /**< that the kernel ran */
    uint64_t calls, slices, chunks, bounced, bytes, ns;
    uint64_t canaries, canaries_discarded, canaries_failed;
    uint64_t declines[VT_ACCEL_DECLINES]; /**< calls that ran nothing, by reason */
    uint64_t stops[VT_ACCEL_DECLINES];    /**< slices that ended for it */
};
/** Counters as they are now: not of one moment. */
void vt_accel_read(const struct vt_accel *accel, uint32_t slot, struct vt_accel_slot *out);

#ifdef __cplusplus
}
#endif

#endif
