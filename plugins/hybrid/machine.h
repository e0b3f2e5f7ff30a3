/* plugins/hybrid/machine.h - the guest as kernels see it: RAM, page tables, registers.
 *
 * Nothing here knows QEMU: tests and fuzzers give it RAM of their own. Functions answer VT_GOES or
 * the enum vt_hybrid_decline that says why not.
 */
#ifndef VT_HYBRID_MACHINE_H
#define VT_HYBRID_MACHINE_H

#include "hybrid/segment.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

#define VT_GOES (-1)
#define VT_PAGE_BITS 12
#define VT_PAGE_BYTES ((uint64_t)1 << VT_PAGE_BITS)

/** The guest's RAM, mapped here as a whole: what QEMU itself writes to. */
struct vt_memory {
    uint8_t *base;
    uint64_t bytes;
    uint32_t n_ranges;
    struct vt_hybrid_range ranges[VT_HYBRID_RANGES_MAX]; /**< checked, none below 1 MiB */
    /** Whether code of this page (a host address) may have been translated. */
    bool (*holds_code)(const uint8_t *page);
};
/** Takes ranges, cut to what kernels may touch; false: they do not lie in `bytes`. */
bool vt_memory_ranges(struct vt_memory *m, const struct vt_hybrid_range *ranges, uint32_t n);

/** The vCPU's mode, in QEMU's words. */
struct vt_mode {
    uint32_t hflags;
    int32_t df;      /**< 1 or -1 */
    uint64_t eflags; /**< but for the arithmetic flags and DF */
    uint64_t cr0, cr3, cr4;
};

struct vt_paging {
    uint64_t root;               /**< CR3 */
    bool five;                   /**< levels; else four */
    bool user;                   /**< privilege 3 */
    bool user_pages;             /**< data of user pages may be touched: not by a kernel under SMAP,
                                      but between STAC and CLAC */
    bool user_keys, kernel_keys; /**< protection keys are in force for such pages */
};
/** What a loop has instructions of; AVX with SSE. */
enum vt_vectors { VT_NO_VECTORS, VT_SSE, VT_AVX };
/** VT_GOES and what kernels have to know of it; or VT_HYBRID_MODE. */
int vt_mode_of(const struct vt_mode *m, enum vt_vectors vectors, struct vt_paging *p);

enum vt_access { VT_READS, VT_WRITES, VT_EXECUTES };

/** What one entry maps, as far as it is RAM. */
struct vt_page {
    uint64_t va, bytes;
    uint8_t *host;
};
/** The last table of 4 KiB pages that was walked to. Zeroed, it holds none. Valid while the guest
 * does not run. */
struct vt_walk_cache {
    uint64_t tag;
    const uint64_t *table;
    uint64_t allowed; /**< user and writable, of all levels above */
};
/** The page of an address, as the processor would find it for this access if its TLB were empty,
 * and only if it would set no bit on its way. */
int vt_walk(const struct vt_memory *m, const struct vt_paging *p, struct vt_walk_cache *cache,
            uint64_t va, enum vt_access access, struct vt_page *page);

/** Registers at a head. `gpr` are QEMU's own. */
struct vt_registers {
    uint64_t *gpr; /**< 16, as x86 numbers them */
    uint64_t fs_base, gs_base;
    uint64_t xmm[16][4];  /**< of ymm; the upper two for loops of AVX alone */
    uint16_t xmm_changed; /**< bit per register, for whoever writes them back */
};

#pragma GCC visibility pop

#endif
