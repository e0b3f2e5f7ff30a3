/* volume/adapt.h - how finely to draw so that moving stays smooth, and standing still gets sharp.
 *
 * While the camera or the picture moves, the coarsest of scales 1, 2, 4 and 8 is taken at which a
 * frame fits its time; once it rests, each following frame is drawn finer until every pixel is.
 * Pure arithmetic over what frames took; no clock of its own.
 */
#ifndef VT_VOLUME_ADAPT_H
#define VT_VOLUME_ADAPT_H

#include "vitrine/base.h"

struct vt_adapt {
    double budget_s;   /**< a frame's time while moving, e.g. 1.0 / 60 */
    double pixel_s[2]; /* what a pixel took lately, by method */
    unsigned scale;    /* of the last frame */
    bool settled;      /* the last frame was drawn at scale 1, and nothing moved since */
};

void vt_adapt_init(struct vt_adapt *adapt, double budget_s);
/** The scale (1, 2, 4, 8) for the next frame of width x height, or 0: nothing moved and the picture
 *  shown is as fine as it gets. `moving`: the camera moves; `changed`: the scene or RAM did. */
unsigned vt_adapt_next(struct vt_adapt *adapt, uint32_t width, uint32_t height, unsigned method,
                       bool moving, bool changed);
/** That frame took so long. */
void vt_adapt_took(struct vt_adapt *adapt, uint32_t width, uint32_t height, unsigned method,
                   double frame_s);

#endif
