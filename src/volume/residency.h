/* volume/residency.h - which pages' voxels are on the device when not all have room there: those
 * that the camera is near to, as far as they are seen voxel by voxel. All have their coarser
 * levels.
 *
 * Groups of 64 pages are wanted or not: along the curve, 64 pages are 4^3 bricks. What an update
 * writes needs a slot, wanted or not, while its levels are made; it takes one from what is not. */
#ifndef VT_VOLUME_RESIDENCY_H
#define VT_VOLUME_RESIDENCY_H

#include "volume/march.h"

struct vt_residency;

/** For a volume whose pool is made. */
int vt_residency_create(const struct vt_volume *volume, struct vt_residency **residency,
                        struct vt_error *err);
/** Takes NULL. */
void vt_residency_destroy(struct vt_residency *residency);
bool vt_residency_wants(const struct vt_residency *residency, uint64_t page);
/** A page that is wanted lost its slot. */
void vt_residency_lost(struct vt_residency *residency);

/** Before a picture by `look` is drawn: brings voxels in, the nearest first, no more than a few
 *  megabytes at once. Nothing where all pages have room. */
int vt_volume_reside(struct vt_volume *volume, const struct vt_march_look *look,
                     struct vt_error *err);

#endif
