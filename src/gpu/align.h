/* gpu/align.h - the longest common subsequence of two arrays of keys, or nearly so.
 *
 * Source: E. Myers, "An O(ND) Difference Algorithm and Its Variations", Algorithmica 1 (1986), the
 * linear-space variation; where two stretches have next to nothing in common the search is cut off
 * and the best place reached is taken, so that the time stays near linear.
 */
#ifndef VT_GPU_ALIGN_H
#define VT_GPU_ALIGN_H

#include "vitrine/base.h"

#define VT_ALIGN_NONE UINT32_MAX

/** Places [a0, a1) of one side and [b0, b1) of the other. */
struct vt_align_box {
    uint32_t a0, a1, b0, b1;
};

/** Working memory, to be used again and again. Zero it first. */
struct vt_align {
    int32_t *forward, *backward;
    size_t n_diagonals;
    struct vt_align_box *boxes;
    size_t n_boxes, room;
};
void vt_align_fini(struct vt_align *align);

/** In `box`, of which both sides may be empty: sets of_a[i] = j and of_b[j] = i for pairs of equal
 * keys, growing in both; others are left as they are. At most INT32_MAX / 4 keys a side.
 * VT_E_NOMEM. */
int vt_align_box(struct vt_align *align, struct vt_align_box box, const uint64_t *a,
                 const uint64_t *b, uint32_t *of_a, uint32_t *of_b, struct vt_error *err);

#endif
