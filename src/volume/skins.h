/* volume/skins.h - what each brick looks like in a picture, on the device: shaders/march.glsl says
 * how it lies there. Made before rays are cast, and again only when the picture's look of bricks or
 * the volume has changed. */
#ifndef VT_VOLUME_SKINS_H
#define VT_VOLUME_SKINS_H

#include "volume/march.h"

struct vt_skins;

/** Addresses, as programs that draw take them. */
struct vt_skins_at {
    uint64_t skins, groups, supergroups, group_skins;
};

/** Device bytes for a volume of that grid. */
uint64_t vt_skins_bytes(const uint32_t grid[3]);
/** For one volume, whose layout is made. */
int vt_skins_create(const struct vt_volume *volume, struct vt_skins **skins, struct vt_error *err);
/** Takes NULL. */
void vt_skins_destroy(struct vt_skins *skins);
/** Within a piece of work: has the volume's skins made as `look` wants them, which lies on the
 *  device at `look_at`. What follows sees them. */
void vt_skins_record(struct vt_volume *volume, const struct vt_march_look *look, uint64_t look_at,
                     struct vt_skins_at *at);
/** That work failed: what the skins are is not known. */
void vt_skins_forget(struct vt_volume *volume);

#endif
