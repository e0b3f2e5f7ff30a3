/* volume/adapt.h - how finely to draw so that moving stays smooth, and standing still gets sharp.
 *
 * Scale n draws every n-th pixel in both directions. While the camera moves, the finest of scales
 * 1, 2, 4 and 8 is taken at which a frame fits its time. Once it rests, each frame is drawn finer
 * than the one before, until every pixel is. A picture that changes by itself, because RAM does, is
 * given more time than one that is being turned.
 *
 * Pure arithmetic over what frames took; no clock of its own. What a pixel takes is kept for each
 * scale, since coarse frames take coarser levels: with steady costs the scale is steady, too.
 */
#ifndef VT_VOLUME_ADAPT_H
#define VT_VOLUME_ADAPT_H

#include "vitrine/base.h"

struct vt_adapt {
    double budget_s;      /**< a frame's time while moving, e.g. 1.0 / 60 */
    double rest_s;        /**< and while only RAM changes */
    unsigned scale;       /**< of the last frame; 0: none yet. At rest, 1 is as fine as it gets */
    double pixel_s[2][4]; /* what a pixel took, by method and scale; 0: not known */
    bool slow;            /* the last frame took unexpectedly long, and was not believed */
    unsigned late;        /* frames in a row that took longer than rest_s */
};

/** `budget_s` > 0; rest_s becomes 8 times as much. */
void vt_adapt_init(struct vt_adapt *adapt, double budget_s);
/** The scale (1, 2, 4, 8) for the next frame of width x height, or 0: nothing moved and the picture
 *  shown is as fine as it gets. `moving`: the camera, or what is shown of RAM, is being changed;
 *  `changed`: RAM did. `method` is an enum vt_method. */
unsigned vt_adapt_next(struct vt_adapt *adapt, uint32_t width, uint32_t height, unsigned method,
                       bool moving, bool changed);
/** The frame that vt_adapt_next asked for took so long. One that took more than twice what was
 *  expected counts only if the next one does, too. */
void vt_adapt_took(struct vt_adapt *adapt, uint32_t width, uint32_t height, unsigned method,
                   double frame_s);

#endif
