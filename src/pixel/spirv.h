/* pixel/spirv.h - what a shader made of a program and whoever runs it agree on.
 *
 * One lane an iteration, VT_SPIRV_LANES lanes a workgroup, dispatched along x. The shader gets
 * vt_spirv_push as push constants; `arguments` is the device address of 64-bit words: the inputs,
 * the carries as the first iteration has them, for each stream the address of its page table
 * (device addresses of 4 KiB pages, 64 bits each) and its position from the first page's first byte
 * on, then `results`, then `groups`. Carries that reduce: results[carry × groups + workgroup] is
 * that workgroup's share, to be joined to the initial value with the carry's operation. LAST:
 * element 0 of its row. INDUCTION: nothing is written.
 */
#ifndef VT_PIXEL_SPIRV_H
#define VT_PIXEL_SPIRV_H

#include "vitrine/pixel.h"

#define VT_SPIRV_LANES 64u

struct vt_spirv_push {
    uint64_t arguments;
    uint64_t first;  /**< the iteration of lane 0, a multiple of VT_SPIRV_LANES */
    uint64_t count;  /**< iterations of the call */
    uint64_t failed; /**< address of a u32: the least iteration whose inner loop ran out of trips is
                          put there, if it is less than what is there */
    uint32_t stores; /**< 0: only look for such iterations, store nothing */
    uint32_t pad;
};

static inline uint32_t vt_spirv_words(const struct vt_pixel_program *p)
{
    return p->n_inputs + p->n_carries + 2 * p->n_streams + 2;
}

#endif
