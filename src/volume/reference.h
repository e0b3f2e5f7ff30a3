/* volume/reference.h - pictures of a volume where no Vulkan driver is: the march's reference on all
 * CPUs. Every voxel is looked at, so it takes its time. */
#ifndef VT_VOLUME_REFERENCE_H
#define VT_VOLUME_REFERENCE_H

#include "volume/follow.h"

/** Draws what `follow` saw last of `ram`: width x height (1-16384) of R, G, B, A bytes into `rgba`.
 *  Recent writes are not told apart. VT_E_INVAL (scene or camera), VT_E_LIMIT (RAM beyond 2^38
 *  bytes), VT_E_NOMEM, VT_E_GONE. */
int vt_reference_draw(const struct vt_ram *ram, const struct vt_follow *follow,
                      const struct vt_shot *shot, uint32_t width, uint32_t height, uint8_t *rgba,
                      struct vt_error *err);

#endif
