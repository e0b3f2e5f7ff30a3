/* volume/font.h - the letters of the legend: glyph outlines, made at build time by
 * tools/font-outlines from Inter (fonts-inter, SIL Open Font License 1.1).
 *
 * An outline is a run of int16 commands in font units, y up: 0 x y (move), 1 x y (line),
 * 2 cx cy x y (quadratic), 3 ax ay bx by x y (cubic). Contours close themselves; non-zero winding.
 */
#ifndef VT_VOLUME_FONT_H
#define VT_VOLUME_FONT_H

#include <stdint.h>

struct vt_glyph {
    uint32_t code;    /**< Unicode */
    int32_t advance;  /**< font units */
    uint32_t first;   /**< into the font's outlines */
    uint32_t n_words; /**< 0: blank */
};

struct vt_font {
    uint32_t units_per_em;
    uint32_t n_glyphs;
    const struct vt_glyph *glyphs; /**< ASCII 32–126 first, in order; then a few more */
    const int16_t *outlines;
};

extern const struct vt_font vt_font_regular, vt_font_semibold;

#endif
