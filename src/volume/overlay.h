/* volume/overlay.h - what is drawn over a picture of the volume: the cube's edges, boxes around
 * highlights, their labels, a title and a legend. From the camera alone: it is the same for every
 * renderer, and sharp where the picture below is coarse. A canvas draws it here, a device in
 * overlay_gpu.h; both are given the same drawing. */
#ifndef VT_VOLUME_OVERLAY_H
#define VT_VOLUME_OVERLAY_H

#include "vitrine/scene.h"
#include "volume/drawing.h"

#define VT_HIGHLIGHT_BOXES_MAX 16

struct vt_highlight_boxes {
    struct vt_box box[VT_HIGHLIGHT_BOXES_MAX];
    size_t n;
};

/** What an overlay shows. Strings are borrowed for the call and may hold guest text; NULL or 0
 *  leaves a thing out. */
struct vt_overlay {
    const struct vt_camera *camera;
    const struct vt_scene *scene; /**< palette, and which of frame, boxes and labels */
    unsigned order;               /**< of the volume */
    uint64_t ram_bytes; /**< the frame is around so much of it; 0: around the whole cube */
    const struct vt_highlight *highlights;
    size_t n_highlights;
    const struct vt_highlight_boxes *boxes; /**< of each; NULL: they are found anew. A view finds
                                             *  them by itself where the volume's last highlights
                                             *  were these */
    const struct vt_ram_region *regions;    /**< for addresses; n_regions 0: identity */
    unsigned n_regions;
    const char *name;        /**< the VM's; NULL: no title */
    const char *system;      /**< "Linux 6.1.0-…" */
    const char *consistency; /**< "paused", "live" */
    const char *credit;      /**< small, in the upper right corner */
    int64_t unix_s;          /**< shown in UTC */
    const uint64_t *totals;  /**< pages of each class (VT_CLASSES of them); NULL: no legend */
};

/** What of it is drawn over a picture, added to `drawing`. Pictures too small for letters get lines
 *  only. Nothing of `overlay` is kept. */
void vt_overlay_layout(const struct vt_overlay *overlay, uint32_t width, uint32_t height,
                       struct vt_drawing *drawing);
/** Draws it over what is on the canvas. */
void vt_overlay_draw(const struct vt_overlay *overlay, struct vt_canvas *canvas);

/** vt_camera_frame for a picture with an overlay: from the same side, `box` fills what its bands
 *  leave free; without `labels` there are none. */
void vt_overlay_frame(struct vt_camera *camera, const struct vt_box *box, unsigned order,
                      uint32_t width, uint32_t height, bool labels);

/** The same for a camera that is going to orbit: the box stays in the picture all the way around.
 */
void vt_overlay_frame_turning(struct vt_camera *camera, const struct vt_box *box, unsigned order,
                              uint32_t width, uint32_t height, bool labels);

/** Few boxes around the runs of a highlight, nearest joined first; those outside RAM are left out.
 *  At most VT_HIGHLIGHT_BOXES_MAX into `boxes`; returns how many. */
size_t vt_highlight_boxes(const struct vt_highlight *highlight, unsigned order,
                          const struct vt_ram_region *regions, unsigned n_regions,
                          struct vt_box *boxes);

#endif
