/* volume/draw.h - a small canvas on the CPU: rectangles, anti-aliased shapes, text, PNG out.
 *
 * Coordinates are pixels, y down, (0, 0) the upper left corner of the upper left pixel; everything
 * is clipped to the canvas. Colours are sRGB with straight alpha and are blended over what is
 * there. One canvas, one thread at a time.
 */
#ifndef VT_VOLUME_DRAW_H
#define VT_VOLUME_DRAW_H

#include "vitrine/base.h"
#include "vitrine/volume.h"
#include "volume/font.h"

/** An empty (transparent black) canvas of 1–16384 pixels a side. */
int vt_canvas_create(uint32_t width, uint32_t height, struct vt_canvas **canvas,
                     struct vt_error *err);

/** Replaces all of its pixels: as vt_canvas_pixels gives them. */
void vt_canvas_put(struct vt_canvas *canvas, const uint8_t *rgba);

/** Whole pixels, hard edges. */
void vt_canvas_rect(struct vt_canvas *canvas, int32_t x, int32_t y, int32_t w, int32_t h,
                    struct vt_colour colour);
/** Corners rounded by `radius`. */
void vt_canvas_round_rect(struct vt_canvas *canvas, float x, float y, float w, float h,
                          float radius, struct vt_colour colour);
/** A frame `thick` pixels wide, inside the rectangle. */
void vt_canvas_frame(struct vt_canvas *canvas, int32_t x, int32_t y, int32_t w, int32_t h,
                     int32_t thick, struct vt_colour colour);
void vt_canvas_disc(struct vt_canvas *canvas, float x, float y, float radius,
                    struct vt_colour colour);

/** A straight line, `thick` pixels wide, from any point to any other, also far outside. */
void vt_canvas_line(struct vt_canvas *canvas, float x0, float y0, float x1, float y1, float thick,
                    struct vt_colour colour);

enum vt_align { VT_LEFT, VT_RIGHT, VT_CENTRE };

/** How a piece of text looks. */
struct vt_pen {
    const struct vt_font *font;
    float size; /**< pixels an em */
    struct vt_colour colour;
    enum vt_align align;
    float max_width; /**< longer text ends in an ellipsis; 0: any */
};

/** Writes one line of UTF-8 on the baseline `y`; digits are all equally wide, so that columns of
 *  numbers stand. A character the font lacks is shown as '?'. Returns the width drawn. */
float vt_canvas_text(struct vt_canvas *canvas, const struct vt_pen *pen, float x, float y,
                     const char *text);
/** The width vt_canvas_text would take. */
float vt_text_width(const struct vt_pen *pen, const char *text);

#endif
