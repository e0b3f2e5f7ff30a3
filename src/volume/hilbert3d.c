/* volume/hilbert3d.c - see hilbert3d.h. In transpose form bit k of the three words is the k-th
 * octal digit of the distance; both directions undo the other's turns level by level. */
#include "volume/hilbert3d.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

/* Mirrors the cube below bit `q` where axis i has that bit, else exchanges axes 0 and i. */
static void turn(uint32_t x[3], unsigned i, uint32_t q)
{
    uint32_t below = q - 1;
    if ((x[i] & q) != 0) {
        x[0] ^= below;
    } else {
        uint32_t t = (x[0] ^ x[i]) & below;
        x[0] ^= t;
        x[i] ^= t;
    }
}

void vt_hilbert3d_point(unsigned order, uint64_t d, uint32_t point[3])
{
    uint32_t x[3] = {0};
    for (unsigned k = 0; k < order; k++, d >>= 3) {
        x[0] |= (uint32_t)(d >> 2 & 1) << k;
        x[1] |= (uint32_t)(d >> 1 & 1) << k;
        x[2] |= (uint32_t)(d & 1) << k;
    }
    uint32_t carry = x[2] >> 1; /* Gray code to binary, digit by digit */
    x[2] ^= x[1];
    x[1] ^= x[0];
    x[0] ^= carry;
    for (uint32_t q = 2; q < (uint32_t)1 << order; q <<= 1) {
        turn(x, 2, q);
        turn(x, 1, q);
        turn(x, 0, q);
    }
    memcpy(point, x, sizeof x);
}

uint64_t vt_hilbert3d_distance(unsigned order, const uint32_t point[3])
{
    uint32_t x[3] = {point[0], point[1], point[2]}, carry = 0;
    uint32_t top = (uint32_t)1 << (order - 1);
    for (uint32_t q = top; q > 1; q >>= 1) {
        turn(x, 0, q);
        turn(x, 1, q);
        turn(x, 2, q);
    }
    x[1] ^= x[0];
    x[2] ^= x[1];
    for (uint32_t q = top; q > 1; q >>= 1) {
        carry ^= (x[2] & q) != 0 ? q - 1 : 0;
    }
    uint64_t d = 0;
    for (unsigned k = order; k-- > 0;) {
        for (unsigned i = 0; i < 3; i++) {
            d = d << 1 | ((x[i] ^ carry) >> k & 1);
        }
    }
    return d;
}

/* ---- bricks ---- */

/* A brick's eight octants follow each other like a Gray code: the first three say where the path
 * starts and which two axes it takes first, and so all of it. */
static unsigned octants_of_page(unsigned order, uint64_t page, uint32_t brick[3])
{
    unsigned octants = 0;
    for (uint64_t k = 0; k < 3; k++) {
        uint32_t p[3];
        vt_hilbert3d_point(order, page * VT_BRICK_VOXELS + k * (VT_BRICK_VOXELS / 8), p);
        for (unsigned i = 0; i < 3; i++) {
            octants = octants << 1 | (p[i] >> (VT_BRICK_ORDER - 1) & 1);
            brick[i] = p[i] >> VT_BRICK_ORDER;
        }
    }
    return octants;
}

#define UNSEEN UINT8_MAX

/* `voxel` (x + 16 y + 256 z) as orientation 0 has it. */
static unsigned turned(unsigned turn_by, unsigned voxel)
{
    unsigned index = 0;
    for (unsigned axis = 0; axis < 3; axis++) {
        unsigned at = voxel >> (4 * axis) & 15;
        at = (turn_by >> (12 + axis) & 1) != 0 ? 15 - at : at;
        index |= at << (turn_by >> (4 * axis) & 15);
    }
    return index;
}

/* The one of 48 turns of a cube that leads from an orientation to the first. Corners and their
 * neighbours tell them apart, so nearly all fail at once. */
static uint16_t turn_of(const uint16_t first[VT_BRICK_VOXELS], const uint16_t o[VT_BRICK_VOXELS])
{
    static const uint16_t axes[6] = {0x840, 0x480, 0x804, 0x408, 0x084, 0x048};
    for (unsigned i = 0; i < 48; i++) {
        uint16_t t = (uint16_t)(axes[i % 6] | i / 6 << 12);
        unsigned voxel = 0;
        while (voxel < VT_BRICK_VOXELS && o[voxel] == first[turned(t, voxel)]) {
            voxel++;
        }
        if (voxel == VT_BRICK_VOXELS) {
            return t;
        }
    }
    assert(false); /* each orientation is a turn of the first */
    return 0;
}

void vt_bricks_init(struct vt_bricks *bricks)
{
    /* Every orientation occurs in a volume of 16^3 bricks. */
    const unsigned order = VT_BRICK_ORDER + 4;
    unsigned n = 0;
    memset(bricks->by_octants, UNSEEN, sizeof bricks->by_octants);
    for (uint64_t page = 0; page < 4096 && n < VT_ORIENTATIONS; page++) {
        uint32_t brick[3], p[3];
        uint8_t *orientation = &bricks->by_octants[octants_of_page(order, page, brick)];
        if (*orientation != UNSEEN) {
            continue;
        }
        for (uint32_t byte = 0; byte < VT_BRICK_VOXELS; byte++) {
            vt_hilbert3d_point(order, page * VT_BRICK_VOXELS + byte, p);
            uint32_t voxel = (p[0] & 15) | (p[1] & 15) << 4 | (p[2] & 15) << 8;
            bricks->offset[n][voxel] = (uint16_t)byte;
        }
        bricks->turn[n] = turn_of(bricks->offset[0], bricks->offset[n]);
        *orientation = (uint8_t)n++;
    }
    assert(n == VT_ORIENTATIONS);
}

unsigned vt_brick_of_page(const struct vt_bricks *bricks, unsigned order, uint64_t page,
                          uint32_t brick[3])
{
    unsigned orientation = bricks->by_octants[octants_of_page(order, page, brick)];
    assert(orientation < VT_ORIENTATIONS);
    return orientation;
}
