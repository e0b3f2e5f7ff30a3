/* volume/hilbert2d.h - the plane Hilbert curve: neighbours in memory are neighbours in the picture.
 */
#ifndef VT_VOLUME_HILBERT2D_H
#define VT_VOLUME_HILBERT2D_H

#include <stdint.h>

/** Point number `d` of the curve through a square of side 2^order, order 1–16, d < 4^order.
 *  (D. Hilbert 1891; iterative form after Skilling, AIP Conf. Proc. 707, 2004) */
void vt_hilbert2d_point(unsigned order, uint32_t d, uint32_t *x, uint32_t *y);
/** The way back. */
uint32_t vt_hilbert2d_distance(unsigned order, uint32_t x, uint32_t y);

#endif
