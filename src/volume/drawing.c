/* volume/drawing.c - see drawing.h. Without memory a drawing stays as far as it got. */
#include "volume/drawing.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STROKES_MAX (UINT32_C(1) << 18)
#define WORDS_MAX (UINT32_C(1) << 20)

static_assert(sizeof(struct vt_stroke) == sizeof(void *) + 8 + 5 * sizeof(float) + 4, "no padding");

void vt_drawing_fini(struct vt_drawing *drawing)
{
    free(drawing->strokes);
    free(drawing->words);
    *drawing = (struct vt_drawing){.n = 0};
}

void vt_drawing_clear(struct vt_drawing *drawing)
{
    drawing->n = drawing->n_words = 0;
    drawing->incomplete = false;
}

/* Room for n more of `bytes` each, or NULL. */
static void *reserve(void *all, size_t have, size_t n, size_t bytes, size_t *room, size_t max)
{
    if (have + n <= *room) {
        return all;
    }
    size_t want = 2 * (have + n);
    void *more = have + n <= max ? realloc(all, want * bytes) : NULL;
    *room = more != NULL ? want : *room;
    return more;
}

static void add(struct vt_drawing *d, struct vt_stroke stroke)
{
    struct vt_stroke *strokes = reserve(d->strokes, d->n, 1, sizeof stroke, &d->room, STROKES_MAX);
    if (strokes == NULL) {
        d->incomplete = true;
        return;
    }
    d->strokes = strokes;
    strokes[d->n++] = stroke;
}

void vt_drawing_line(struct vt_drawing *drawing, float x0, float y0, float x1, float y1,
                     float thick, struct vt_colour colour)
{
    add(drawing, (struct vt_stroke){NULL, 0, VT_STROKE_LINE, x0, y0, x1, y1, thick, colour});
}

void vt_drawing_rect(struct vt_drawing *drawing, int32_t x, int32_t y, int32_t w, int32_t h,
                     struct vt_colour colour)
{
    add(drawing, (struct vt_stroke){NULL, 0, VT_STROKE_RECT, (float)x, (float)y, (float)w, (float)h,
                                    0, colour});
}

void vt_drawing_round_rect(struct vt_drawing *drawing, float x, float y, float w, float h,
                           float radius, struct vt_colour colour)
{
    add(drawing, (struct vt_stroke){NULL, 0, VT_STROKE_ROUND, x, y, w, h, radius, colour});
}

void vt_drawing_disc(struct vt_drawing *drawing, float x, float y, float radius,
                     struct vt_colour colour)
{
    vt_drawing_round_rect(drawing, x - radius, y - radius, 2 * radius, 2 * radius, radius, colour);
}

float vt_drawing_text(struct vt_drawing *drawing, const struct vt_pen *pen, float x, float y,
                      const char *text)
{
    float width = vt_text_width(pen, text);
    size_t n = strlen(text) + 1;
    char *words = reserve(drawing->words, drawing->n_words, n, 1, &drawing->words_room, WORDS_MAX);
    if (words == NULL) {
        drawing->incomplete = true;
        return width;
    }
    drawing->words = words;
    memcpy(words + drawing->n_words, text, n);
    x -= pen->align == VT_RIGHT ? width : pen->align == VT_CENTRE ? width / 2 : 0;
    add(drawing,
        (struct vt_stroke){pen->font, (uint32_t)drawing->n_words, VT_STROKE_WORDS, roundf(x),
                           roundf(y), width, pen->max_width, pen->size, pen->colour});
    drawing->n_words += n;
    return width;
}

void vt_drawing_paint(const struct vt_drawing *drawing, struct vt_canvas *canvas)
{
    for (size_t i = 0; i < drawing->n; i++) {
        const struct vt_stroke *m = &drawing->strokes[i];
        switch (m->kind) {
        case VT_STROKE_LINE:
            vt_canvas_line(canvas, m->x0, m->y0, m->x1, m->y1, m->size, m->colour);
            break;
        case VT_STROKE_RECT:
            vt_canvas_rect(canvas, (int32_t)m->x0, (int32_t)m->y0, (int32_t)m->x1, (int32_t)m->y1,
                           m->colour);
            break;
        case VT_STROKE_ROUND:
            vt_canvas_round_rect(canvas, m->x0, m->y0, m->x1, m->y1, m->size, m->colour);
            break;
        case VT_STROKE_WORDS: {
            const struct vt_pen pen = {m->font, m->size, m->colour, VT_LEFT, m->y1};
            vt_canvas_text(canvas, &pen, m->x0, m->y0, drawing->words + m->words);
            break;
        }
        }
    }
}
