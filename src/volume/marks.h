/* volume/marks.h - highlights on the map: which page belongs to which, and their outlines.
 *
 * A map with highlights is a stage: what belongs to none is dimmed, what belongs to one takes on
 * its colour, and a line and a faint glow in that colour run along the border between the two, at
 * the resolution that is drawn, so that a single page is found at a glance.
 */
#ifndef VT_VOLUME_MARKS_H
#define VT_VOLUME_MARKS_H

#include "vitrine/highlight.h"
#include "volume/draw.h"
#include "volume/field.h"

/** More are not told apart. */
#define VT_MARKS_MAX 255u

/** A byte a page of the map, malloc'ed: 0, or 1 + the index of its highlight, of several the one
 *  made last. NULL in *marks without highlights. */
int vt_marks_create(const struct vt_map_view *map, uint8_t **marks, struct vt_error *err);
/** The colour of pages [first, first + n) that without highlights is `plain`. */
struct vt_colour vt_marks_colour(const struct vt_map_view *map, const uint8_t *marks,
                                 uint64_t first, uint64_t n, struct vt_colour plain);
/** Lines and glow, over a field drawn at (x, y). `unit`: pixels a unit of the layout. */
int vt_marks_draw(const struct vt_map_view *map, uint8_t *marks, const struct vt_field *field,
                  struct vt_canvas *canvas, int32_t x, int32_t y, float unit, struct vt_error *err);

#endif
