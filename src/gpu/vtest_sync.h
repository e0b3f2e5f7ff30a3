/* gpu/vtest_sync.h - a client's sync objects: 64-bit counters that it sets, that fences of
 * timelines raise, and that descriptors wait for.
 *
 * Every function may be called from any thread. Ids and counts are the client's: bad ones fail.
 */
#ifndef VT_GPU_VTEST_SYNC_H
#define VT_GPU_VTEST_SYNC_H

#include "vitrine/base.h"

/** A sync and a value of it. */
struct vt_vtest_point {
    uint32_t sync;
    uint64_t value;
};

struct vt_vtest_syncs;
int vt_vtest_syncs_create(struct vt_vtest_syncs **syncs, struct vt_error *err);
/** Waits that are left are ended as if they were over. Takes NULL. */
void vt_vtest_syncs_destroy(struct vt_vtest_syncs *syncs);

int vt_vtest_sync_create(struct vt_vtest_syncs *syncs, uint64_t value, uint32_t *id,
                         struct vt_error *err);
/** Waits and fences that know it keep it. */
int vt_vtest_sync_unref(struct vt_vtest_syncs *syncs, uint32_t id, struct vt_error *err);
int vt_vtest_sync_read(struct vt_vtest_syncs *syncs, uint32_t id, uint64_t *value,
                       struct vt_error *err);
int vt_vtest_sync_write(struct vt_vtest_syncs *syncs, struct vt_vtest_point to,
                        struct vt_error *err);
/** `*fd`, the caller's to close, becomes readable when all (or `any`) of the points are reached.
 * The wait is forgotten after `timeout_ms`, or never with UINT32_MAX. */
int vt_vtest_sync_wait(struct vt_vtest_syncs *syncs, bool any, uint32_t timeout_ms,
                       const struct vt_vtest_point *points, uint32_t n, int *fd,
                       struct vt_error *err);

/** `*id` names a fence that raises the syncs to these values. */
int vt_vtest_fence_create(struct vt_vtest_syncs *syncs, const struct vt_vtest_point *points,
                          uint32_t n, uint64_t *id, struct vt_error *err);
/** The fence is reached, or dropped; it is gone afterwards. Others are ignored. */
void vt_vtest_fence_reached(struct vt_vtest_syncs *syncs, uint64_t id);
void vt_vtest_fence_drop(struct vt_vtest_syncs *syncs, uint64_t id);
/** How many there are. */
uint32_t vt_vtest_syncs_count(struct vt_vtest_syncs *syncs);

#endif
