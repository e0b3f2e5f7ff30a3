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
/** What runs a kernel that was installed for a GPU, which it has to itself at first. Likewise. */
void vt_accel_use(struct vt_accel *accel, uint32_t slot, enum vt_accel_backend backend);
/** The master switch: off, every kernel is as if passive. */
void vt_accel_enable(struct vt_accel *accel, bool on);
bool vt_accel_enabled(const struct vt_accel *accel);

#define VT_ACCEL_SLOTS 64u
#define VT_ACCEL_DECLINES 14u
/** "few", "code", … ; NULL beyond. docs/hybrid.md says what they mean. */
const char *vt_accel_decline_name(uint32_t decline);
const char *vt_accel_decline_text(uint32_t decline); /**< in words */
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
    enum vt_accel_backend backend; /**< in use */
    uint64_t heads;                /**< iterations that the guest began itself */
    uint64_t iterations;           /**< that the kernel ran */
    uint64_t calls, slices, chunks, bounced, bytes, ns;
    uint64_t canaries, canaries_discarded, canaries_failed;
    uint64_t declines[VT_ACCEL_DECLINES]; /**< calls that ran nothing, by reason */
    uint64_t stops[VT_ACCEL_DECLINES];    /**< slices that ended for it */
};
/** Counters as they are now: not of one moment. */
void vt_accel_read(const struct vt_accel *accel, uint32_t slot, struct vt_accel_slot *out);

/* ---------------------------------------------------------------- by itself
 *
 * An accelerator looks again and again at what a VM executes, makes kernels of its hottest loops,
 * puts them in, measures each against the guest's own code, and keeps those that win. What it did
 * is its ledger. */

enum vt_loop_fate {
    VT_FATE_UNSUPPORTED, /**< no kernel can be made of it */
    VT_FATE_UNPROVEN,    /**< it was made and not proven */
    VT_FATE_REFUSED,     /**< proven, and the plugin or the compiler will not */
    VT_FATE_WAITING,     /**< installed; too few iterations came to measure it */
    VT_FATE_KEPT,        /**< measured, faster, in use */
    VT_FATE_SLOWER,      /**< measured, and removed again */
    VT_FATE_DISABLED,    /**< a canary failed */
    VT_FATE_RESTING, /**< it was in; nobody ran its loop any more, and it was removed until it is
                          hot again */
};
const char *vt_loop_fate_name(enum vt_loop_fate fate);

struct vt_ledger_row {
    char hash[33];
    char place[96];      /**< "xor8", "memset+0x12", an address */
    char process[32];    /**< or "kernel" */
    uint64_t head;       /**< where it was seen */
    uint64_t iterations; /**< in the recording that found it */
    double percent;      /**< of that recording's instructions */
    enum vt_loop_fate fate;
    char why[320];                     /**< unless WAITING or KEPT */
    bool cached;                       /**< the kernel was there already, and was proven again */
    uint32_t instructions, operations; /**< of an iteration: x86's, Pixel's; 0: no kernel */
    uint64_t make_us, proof_us, compile_us;
    enum vt_accel_backend backend;
    uint32_t slot;               /**< WAITING, KEPT, DISABLED */
    double tcg_rate, rate;       /**< iterations a second without and with; 0: not measured */
    char file[256];              /**< the kernel in the cache; "": none */
    struct vt_accel_slot counts; /**< as they were when the ledger was asked for */
};

struct vt_accelerator_options {
    uint64_t threshold;  /**< iterations in a recording that make a loop hot, at first; 0: 10000 */
    uint64_t record_ms;  /**< of each look; 0: 300 */
    uint64_t measure_ms; /**< of each of ten windows; 0: 40 */
    uint32_t canary_period;        /**< 0: 256 */
    uint32_t proof_ms;             /**< for each obligation; 0: 20000 */
    enum vt_accel_backend backend; /**< GPU: of loops whose iterations are independent */
    /** HOST: what is kept is tried on a GPU, too, where that can run it, and the faster one stays.
     * Without a GPU nothing is. */
    bool also_gpu;
    const char *gpu;         /**< as `vitrine gpus` names it; NULL: the first real one, else any */
    const char *cache;       /**< directory of kernels; NULL: the user's own */
    bool (*stop)(void *arg); /**< asked now and then; or NULL */
    void (*tell)(void *arg, const struct vt_ledger_row *row); /**< each change; or NULL */
    void *arg;
};

struct vt_accelerator;
/** Kernels that are in already, of whoever accelerated this VM before, become its own, but for
 * those of a GPU, which are removed. Also VT_E_UNSUPPORTED: no such GPU, where `backend` wants one.
 */
int vt_accelerator_create(struct vt_target *target, const struct vt_accelerator_options *options,
                          struct vt_accelerator **accelerator, struct vt_error *err);
/** Kernels stay in unless `remove`. */
void vt_accelerator_destroy(struct vt_accelerator *accelerator, bool remove);
/** One look, and all that follows from it. *found: loops that were not known. VT_E_INTERRUPTED:
 * asked to stop; VT_E_GONE. */
int vt_accelerator_round(struct vt_accelerator *accelerator, uint32_t *found, struct vt_error *err);
/** Between two looks: half a second where the last one found something or other code becomes hot,
 * half a minute to eight where looks find nothing, so that in the long run they cost a guest no
 * more than 1.6 % of its time; less when it is asked to stop. Kernels that are in while none of
 * them has run anything in ten seconds of a busy vCPU are removed meanwhile. */
void vt_accelerator_pause(struct vt_accelerator *accelerator, uint32_t found);
/** Rows, oldest first, with counts as they are now; the accelerator's until its next call. */
const struct vt_ledger_row *vt_accelerator_ledger(struct vt_accelerator *accelerator, uint32_t *n);
/** The GPU that serves the VM, or "": none does. */
const char *vt_accelerator_gpu(const struct vt_accelerator *accelerator);
/** The ledger as JSON beside the VM's other files, for `vitrine accel status`. */
int vt_accelerator_save(struct vt_accelerator *accelerator, struct vt_error *err);
/** What vt_accelerator_save left, if it did, with `counts` of now where a slot of `accel` still
 * holds the row's kernel; of other rows that were in use the fate becomes REFUSED. Kernels that
 * nobody wrote down, because an accelerator was killed, have rows of what their slots say. *rows is
 * the caller's (free). VT_E_CORRUPT. */
int vt_ledger_read(const struct vt_target *target, const struct vt_accel *accel,
                   struct vt_ledger_row **rows, uint32_t *n, uint64_t *threshold,
                   struct vt_error *err);

#ifdef __cplusplus
}
#endif

#endif
