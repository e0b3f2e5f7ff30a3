/* volume/drawing.h - a drawing that is not drawn yet: lines, shapes and words in their order, for a
 * canvas or a device to draw. Coordinates and colours as in draw.h. One thread at a time. */
#ifndef VT_VOLUME_DRAWING_H
#define VT_VOLUME_DRAWING_H

#include "volume/draw.h"

enum vt_stroke_kind {
    VT_STROKE_LINE,  /**< from (x0, y0) to (x1, y1), `size` wide */
    VT_STROKE_RECT,  /**< whole pixels: corner (x0, y0), (x1, y1) wide and high */
    VT_STROKE_ROUND, /**< the same anywhere, corners rounded by `size` */
    VT_STROKE_WORDS, /**< from (x0, y0), whole pixels, on the baseline; x1 wide, y1: as of the pen
                      */
};

/** Without padding, so that two can be compared as bytes. */
struct vt_stroke {
    const struct vt_font *font; /**< of words */
    uint32_t words;             /**< where in struct vt_drawing's */
    enum vt_stroke_kind kind;
    float x0, y0, x1, y1, size; /**< words: pixels an em */
    struct vt_colour colour;
};

/** Empty when zeroed. */
struct vt_drawing {
    struct vt_stroke *strokes;
    size_t n, room;
    char *words; /**< NUL after each */
    size_t n_words, words_room;
    bool incomplete; /**< there was no memory for more */
};

void vt_drawing_fini(struct vt_drawing *drawing);
/** Empty again, memory kept. */
void vt_drawing_clear(struct vt_drawing *drawing);

/* As of vt_canvas_line and so on. Words begin at whole pixels, so that they look the same wherever
 * they are. */
void vt_drawing_line(struct vt_drawing *drawing, float x0, float y0, float x1, float y1,
                     float thick, struct vt_colour colour);
void vt_drawing_rect(struct vt_drawing *drawing, int32_t x, int32_t y, int32_t w, int32_t h,
                     struct vt_colour colour);
void vt_drawing_round_rect(struct vt_drawing *drawing, float x, float y, float w, float h,
                           float radius, struct vt_colour colour);
void vt_drawing_disc(struct vt_drawing *drawing, float x, float y, float radius,
                     struct vt_colour colour);
float vt_drawing_text(struct vt_drawing *drawing, const struct vt_pen *pen, float x, float y,
                      const char *text);

void vt_drawing_paint(const struct vt_drawing *drawing, struct vt_canvas *canvas);

#endif
