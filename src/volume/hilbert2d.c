/* volume/hilbert2d.c - see hilbert2d.h. From the coarsest quadrant to the finest (distance), and
 * the other way round (point); each step turns or mirrors the square that was walked before. */
#include "volume/hilbert2d.h"

static void turn(uint32_t side, uint32_t rx, uint32_t ry, uint32_t *x, uint32_t *y)
{
    if (ry != 0) {
        return;
    }
    if (rx != 0) {
        *x = side - 1 - *x;
        *y = side - 1 - *y;
    }
    uint32_t t = *x;
    *x = *y;
    *y = t;
}

void vt_hilbert2d_point(unsigned order, uint32_t d, uint32_t *x, uint32_t *y)
{
    *x = *y = 0;
    for (unsigned level = 0; level < order; level++) {
        uint32_t side = (uint32_t)1 << level;
        uint32_t rx = (d >> 1) & 1;
        uint32_t ry = (d ^ rx) & 1;
        turn(side, rx, ry, x, y);
        *x += side * rx;
        *y += side * ry;
        d >>= 2;
    }
}

uint32_t vt_hilbert2d_distance(unsigned order, uint32_t x, uint32_t y)
{
    uint32_t d = 0;
    for (unsigned level = order; level-- > 0;) {
        uint32_t side = (uint32_t)1 << level;
        uint32_t rx = (x & side) != 0, ry = (y & side) != 0;
        d += side * side * ((3 * rx) ^ ry);
        x &= side - 1;
        y &= side - 1;
        turn(side, rx, ry, &x, &y);
    }
    return d;
}
