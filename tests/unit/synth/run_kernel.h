/* tests/unit/synth/run_kernel.h - a kernel in place of its loop: guards, then iterations, as QEMU's
 * plugin has it, on this process's own memory. */
#ifndef VT_TESTS_SYNTH_RUN_KERNEL_H
#define VT_TESTS_SYNTH_RUN_KERNEL_H

#include "pixel/host.h"
#include "tests/unit/synth/processor.h"
#include "vitrine/synth.h"

struct run_memory { /* what may be touched: bytes [at, at + bytes) */
    uint8_t *at;
    uint64_t bytes;
};

#define RUN_DECLINED UINT64_MAX /**< a guard does not hold */

/** Runs up to `count` iterations from *s, which becomes the state after them, by `entry`, or by the
 * interpreter if it is NULL. Iterations whose windows are not in the memory are left to the guest.
 * Returns how many happened, or RUN_DECLINED. What `trips` says is the caller's to ask. */
uint64_t run_kernel(const struct vt_synth_kernel *k, const struct run_memory *memory,
                    struct processor_state *s, uint64_t count, vt_pixel_entry *entry);
/** The same, one iteration after the other from the last one to the first. RUN_DECLINED: also if
 * the kernel is none whose iterations go in any order. */
uint64_t run_kernel_backwards(const struct vt_synth_kernel *k, const struct run_memory *memory,
                              struct processor_state *s, uint64_t count);
/** How many iterations surely come back; UINT64_MAX: not known. */
uint64_t run_trips(const struct vt_synth_kernel *k, const struct run_memory *memory,
                   const struct processor_state *s);
/** The host address of a stream's first window; NULL: it is not in the memory. */
uint8_t *run_window(const struct vt_synth_kernel *k, const struct run_memory *memory,
                    const struct processor_state *s, uint32_t stream);

#endif
