/* plugins/hybrid/kernel.h - a kernel of the segment, checked and copied.
 */
#ifndef VT_HYBRID_KERNEL_H
#define VT_HYBRID_KERNEL_H

#include "machine.h"

#pragma GCC visibility push(hidden)

typedef uint64_t vt_image_entry(const struct vt_hybrid_call *call);

struct vt_kernel {
    struct vt_hybrid_kernel d; /**< every number in it is within its bounds */
    vt_image_entry *run, *trips;
    uint8_t *image;
    size_t image_bytes;      /**< mapped */
    uint32_t head_block;     /**< the block with at == 0 */
    enum vt_vectors vectors; /**< some place is a vector register, or flags say so */
    bool writes;             /**< some stream does, or a carry is a cell */
};

/** Checks and completes what was copied to k->d; enum vt_hybrid_refusal. */
uint32_t vt_kernel_check(struct vt_kernel *k);
/** The image's bytes (k->d.image_bytes), to pages that can be executed. */
uint32_t vt_kernel_image(struct vt_kernel *k, const uint8_t *bytes);
void vt_kernel_drop(struct vt_kernel *k);

static inline uint64_t vt_linear(const struct vt_hybrid_linear *l, const struct vt_registers *r)
{
    uint64_t sum = l->constant;
    for (uint32_t i = 0; i < l->n; i++) {
        uint32_t reg = l->reg[i];
        sum += l->coefficient[i] * (reg < 16 ? r->gpr[reg] : reg == 16 ? r->fs_base : r->gs_base);
    }
    return sum;
}

#pragma GCC visibility pop

#endif
