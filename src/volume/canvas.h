/* volume/canvas.h - inside of a canvas, for draw.c, text.c and png.c only: its pixels, and the path
 * that shapes and letters are filled through. */
#ifndef VT_VOLUME_CANVAS_H
#define VT_VOLUME_CANVAS_H

#include "volume/draw.h"

struct vt_canvas {
    uint32_t width, height;
    uint8_t *rgba;
    float *cover; /* the rasteriser's buffer, kept from one shape to the next */
    size_t n_cover;
};

/** A shape under way: contours of lines and curves, filled as a whole. */
struct vt_path {
    struct vt_canvas *canvas;
    int32_t x0, y0, w, h, stride; /* the part of the canvas it may touch */
    float x, y;                   /* the pen */
    float start_x, start_y;       /* of this contour */
};

/** Begins a shape that stays within the given box. False: nothing of it is on the canvas (or no
 *  memory is left to draw it). */
bool vt_path_begin(struct vt_path *path, struct vt_canvas *canvas, float left, float top,
                   float right, float bottom);
/** Closes the contour so far and begins the next one. */
void vt_path_move(struct vt_path *path, float x, float y);
void vt_path_line(struct vt_path *path, float x, float y);
void vt_path_cubic(struct vt_path *path, float ax, float ay, float bx, float by, float x, float y);
/** Closes the last contour and paints what lies inside. */
void vt_path_fill(struct vt_path *path, struct vt_colour colour);

#endif
