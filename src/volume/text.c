/* volume/text.c - one line of text on a canvas: UTF-8 to glyphs, advances, outlines to paths. */
#include "base/text.h"
#include "volume/canvas.h"

#include <math.h>
#include <string.h>

#define ELLIPSIS 0x2026

/* The next character; a byte that is not UTF-8 counts as one '?'. */
static uint32_t next_code(const char **text)
{
    const uint8_t *p = (const uint8_t *)*text;
    size_t n = vt_utf8_length(*text, strnlen(*text, 4));
    if (n == 0) {
        *text += 1;
        return '?';
    }
    *text += n;
    uint32_t code = n == 1 ? p[0] : p[0] & (0xffU >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        code = code << 6 | (p[i] & 0x3f);
    }
    return code;
}

static const struct vt_glyph *glyph_of(const struct vt_font *font, uint32_t code)
{
    if (code >= 32 && code < 127) {
        return &font->glyphs[code - 32];
    }
    for (uint32_t i = 95; i < font->n_glyphs; i++) {
        if (font->glyphs[i].code == code) {
            return &font->glyphs[i];
        }
    }
    return &font->glyphs['?' - 32];
}

/* Font units; digits take the width of a zero. */
static int32_t advance_of(const struct vt_font *font, const struct vt_glyph *glyph)
{
    bool digit = glyph->code >= '0' && glyph->code <= '9';
    return digit ? font->glyphs['0' - 32].advance : glyph->advance;
}

static void draw_glyph(struct vt_canvas *canvas, const struct vt_pen *pen,
                       const struct vt_glyph *glyph, float x, float y)
{
    const struct vt_font *font = pen->font;
    float scale = pen->size / (float)font->units_per_em;
    float centring = 0.5F * (float)(advance_of(font, glyph) - glyph->advance) * scale;
    struct vt_path path;
    if (glyph->n_words == 0 || !vt_path_begin(&path, canvas, x - pen->size, y - 1.5F * pen->size,
                                              x + 2 * pen->size, y + pen->size)) {
        return;
    }
    x += centring;
    const int16_t *w = font->outlines + glyph->first, *end = w + glyph->n_words;
    while (w < end) {
        float p[6] = {0};
        unsigned n = w[0] == 3 ? 6 : w[0] == 2 ? 4 : 2;
        for (unsigned i = 0; i < n; i += 2) {
            p[i] = x + scale * (float)w[1 + i];
            p[i + 1] = y - scale * (float)w[2 + i];
        }
        switch (w[0]) {
        case 0:
            vt_path_move(&path, p[0], p[1]);
            break;
        case 1:
            vt_path_line(&path, p[0], p[1]);
            break;
        case 2: /* a quadratic is the cubic whose handles lie two thirds of the way */
            vt_path_cubic(&path, path.x + (p[0] - path.x) * 2 / 3, path.y + (p[1] - path.y) * 2 / 3,
                          p[2] + (p[0] - p[2]) * 2 / 3, p[3] + (p[1] - p[3]) * 2 / 3, p[2], p[3]);
            break;
        default:
            vt_path_cubic(&path, p[0], p[1], p[2], p[3], p[4], p[5]);
            break;
        }
        w += 1 + n;
    }
    vt_path_fill(&path, pen->colour);
}

/* Characters of `text` that fit into `room` font units; *units is their width. */
static size_t fitting(const struct vt_font *font, const char *text, float room, int64_t *units)
{
    size_t n = 0;
    *units = 0;
    while (*text != '\0') {
        int32_t advance = advance_of(font, glyph_of(font, next_code(&text)));
        if ((float)(*units + advance) > room) {
            break;
        }
        *units += advance;
        n++;
    }
    return n;
}

/* What is shown of a text: the first `n` characters, and an ellipsis where it was cut. */
static size_t shown(const struct vt_pen *pen, const char *text, int64_t *units, bool *cut)
{
    const struct vt_font *font = pen->font;
    size_t all = fitting(font, text, INFINITY, units);
    float room = pen->max_width / pen->size * (float)font->units_per_em;
    *cut = pen->max_width > 0 && (float)*units > room;
    if (!*cut) {
        return all;
    }
    int32_t dots = glyph_of(font, ELLIPSIS)->advance;
    size_t n = fitting(font, text, room - (float)dots, units);
    *units += dots;
    return n;
}

float vt_text_width(const struct vt_pen *pen, const char *text)
{
    int64_t units;
    bool cut;
    shown(pen, text, &units, &cut);
    return (float)units * pen->size / (float)pen->font->units_per_em;
}

float vt_canvas_text(struct vt_canvas *canvas, const struct vt_pen *pen, float x, float y,
                     const char *text)
{
    int64_t units;
    bool cut;
    size_t n = shown(pen, text, &units, &cut);
    float scale = pen->size / (float)pen->font->units_per_em;
    float width = vt_text_width(pen, text);
    x -= pen->align == VT_RIGHT ? width : pen->align == VT_CENTRE ? width / 2 : 0;
    for (size_t i = 0; i < n; i++) {
        const struct vt_glyph *glyph = glyph_of(pen->font, next_code(&text));
        draw_glyph(canvas, pen, glyph, x, y);
        x += (float)advance_of(pen->font, glyph) * scale;
    }
    if (cut) {
        draw_glyph(canvas, pen, glyph_of(pen->font, ELLIPSIS), x, y);
    }
    return width;
}
