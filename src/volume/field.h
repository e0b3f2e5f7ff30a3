/* volume/field.h - which pages a place of the map shows: RAM along a plane Hilbert curve.
 *
 * The field is a square of 2^order cells a side. RAM is rounded up to a power of two; a cell is one
 * page, or two halves of a page each where that power is odd, or 2^k pages where RAM has more pages
 * than the field has pixels. So more than half of the field is always RAM, and 1/4, 1/16, … of it
 * are always squares.
 */
#ifndef VT_VOLUME_FIELD_H
#define VT_VOLUME_FIELD_H

#include "vitrine/volume.h"

struct vt_field {
    uint64_t n_pages;    /**< of RAM */
    unsigned log2_pages; /**< of the field: n_pages rounded up */
    unsigned order;      /**< 2^order cells a side */
    unsigned cell_shift; /**< a cell is 2^cell_shift pages */
    bool halves;         /**< the two pages of a cell are drawn side by side */
    uint32_t side;       /**< pixels */
};

/** A field for `n_pages` (1 to 2^32) that fits into `room` pixels, as large as is sharp: a whole
 *  number of pixels a cell, unless that would waste a fifth of the room. */
struct vt_field vt_field_fit(uint64_t n_pages, uint32_t room);

/** Colours of pages [first, first + n) as one: what most of them are. */
typedef struct vt_colour vt_field_paint(uint64_t first, uint64_t n, void *arg);

/** Paints the field with its upper left corner at (x, y); cells past the end of RAM are left. */
void vt_field_draw(const struct vt_field *field, struct vt_canvas *canvas, int32_t x, int32_t y,
                   vt_field_paint *paint, void *arg);

#endif
