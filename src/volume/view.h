/* volume/view.h - inside of views and picks. */
#ifndef VT_VOLUME_VIEW_H
#define VT_VOLUME_VIEW_H

#include "volume/march.h"

/** What voxel `voxel` is; hit is false where there is none. */
void vt_volume_describe(const struct vt_volume *volume, const uint32_t voxel[3],
                        struct vt_picked *picked);
/** The look of a shot of the volume. */
int vt_volume_look(const struct vt_volume *volume, const struct vt_shot *shot, uint32_t width,
                   uint32_t height, struct vt_march_look *look, struct vt_error *err);
/** The volume as the reference goes through it; borrowed. */
struct vt_march_ram vt_volume_ram(const struct vt_volume *volume);

/** The image drawn last, where it lies on the device. */
struct vt_view_image {
    const struct vt_gpu_buffer *pixels; /**< drawn_width x drawn_height words, R lowest */
    uint32_t width, height, drawn_width, drawn_height;
    unsigned scale;
};
/** False: nothing is drawn yet. */
bool vt_view_image(const struct vt_view *view, struct vt_view_image *image);

/** Levels are chosen as if pixels were so much wider: 1 as a new view does, 0: every voxel is
 *  looked at, however small. */
void vt_view_coarsen(struct vt_view *view, float by);

#endif
