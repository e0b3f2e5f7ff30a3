/* volume/hilbert3d.h - the Hilbert curve through a cube, and how it lies inside one page.
 *
 * With one byte of RAM a voxel, a page of 4096 bytes is exactly one brick of 16^3 voxels (the curve
 * is hierarchical and 4096 = 16^3), and inside a brick it runs in one of only 24 ways. So two small
 * tables take a renderer from any voxel to its byte: brick -> page and orientation, and
 * (orientation, voxel in the brick) -> byte in the page.
 *
 * (J. Skilling, "Programming the Hilbert curve", AIP Conf. Proc. 707, 2004: transpose form.)
 */
#ifndef VT_VOLUME_HILBERT3D_H
#define VT_VOLUME_HILBERT3D_H

#include <stdint.h>

/** Point number `d` of the curve through a cube of side 2^order: order 1–21, d < 8^order. */
void vt_hilbert3d_point(unsigned order, uint64_t d, uint32_t point[3]);
/** The way back; coordinates < 2^order. */
uint64_t vt_hilbert3d_distance(unsigned order, const uint32_t point[3]);

#define VT_BRICK_ORDER 4 /**< a brick is 2^4 voxels a side: one page */
#define VT_BRICK_SIDE 16
#define VT_BRICK_VOXELS 4096
#define VT_ORIENTATIONS 24

/** How the curve runs inside bricks: 196 KiB, the same for every volume. */
struct vt_bricks {
    /** Byte in the page of voxel x + 16 y + 256 z of a brick, by orientation. */
    uint16_t offset[VT_ORIENTATIONS][VT_BRICK_VOXELS];
    /** How an orientation differs from orientation 0: voxel (x, y, z) of it is where there voxel
     *  i = X | Y | Z is, X being x, or 15 - x where bit 12 is set, shifted left by bits 0-3; Y and
     *  Z the same with bits 13 and 4-7, 14 and 8-11. */
    uint16_t turn[VT_ORIENTATIONS];
    /** Orientation by where a brick's first three octants lie; see vt_brick_of_page. */
    uint8_t by_octants[512];
};

void vt_bricks_init(struct vt_bricks *bricks);

/** Where page number `page` of a volume of side 2^order lies: its brick's coordinates (in bricks)
 *  and its orientation (0–23). order 5–21, page < 8^(order - 4). */
unsigned vt_brick_of_page(const struct vt_bricks *bricks, unsigned order, uint64_t page,
                          uint32_t brick[3]);

#endif
