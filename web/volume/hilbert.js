/* hilbert.js - RAM along a 3-D Hilbert curve, as src/volume/hilbert3d.c has it: which brick a page
 * is, which of 24 ways it is turned, and which of its bytes lies at a voxel.
 *
 * Page numbers go up to 2^51 and are kept as numbers: divided, not shifted, where they may exceed
 * 32 bits. Coordinates fit 21 bits.
 */

export const ORIENTATIONS = 24;
export const BRICK_ORDER = 4;
export const BRICK_SIDE = 1 << BRICK_ORDER;
export const BRICK_VOXELS = 4096;

const ORDER_MIN = 5, ORDER_MAX = 21;

/** The order of the smallest cube that holds so many bytes (vt_volume_order). */
export function orderOf(ramBytes) {
    let order = ORDER_MIN;
    while (order < ORDER_MAX && 2 ** (3 * order) < ramBytes) {
        order++;
    }
    return order;
}

/* Mirrors the cube below bit q where axis i has that bit, else exchanges axes 0 and i. */
function turn(x, i, q) {
    const below = q - 1;
    if ((x[i] & q) !== 0) {
        x[0] ^= below;
    } else {
        const t = (x[0] ^ x[i]) & below;
        x[0] ^= t;
        x[i] ^= t;
    }
}

/** The point at distance d along the curve of 2^order a side, into `x` (three numbers). */
export function pointOf(order, d, x = [0, 0, 0]) {
    x[0] = x[1] = x[2] = 0;
    for (let k = 0; k < order; k++) {
        const digit = d % 8;
        d = (d - digit) / 8;
        x[0] |= (digit >> 2) << k;
        x[1] |= (digit >> 1 & 1) << k;
        x[2] |= (digit & 1) << k;
    }
    const carry = x[2] >> 1; /* Gray code to binary, digit by digit */
    x[2] ^= x[1];
    x[1] ^= x[0];
    x[0] ^= carry;
    for (let q = 2; q < 1 << order; q <<= 1) {
        turn(x, 2, q);
        turn(x, 1, q);
        turn(x, 0, q);
    }
    return x;
}

/** The distance of a point along the curve. */
export function distanceOf(order, point) {
    const x = [point[0], point[1], point[2]], top = 2 ** (order - 1);
    for (let q = top; q > 1; q >>= 1) {
        turn(x, 0, q);
        turn(x, 1, q);
        turn(x, 2, q);
    }
    x[1] ^= x[0];
    x[2] ^= x[1];
    let carry = 0;
    for (let q = top; q > 1; q >>= 1) {
        carry ^= (x[2] & q) !== 0 ? q - 1 : 0;
    }
    let d = 0;
    for (let k = order - 1; k >= 0; k--) {
        const digit = ((x[0] ^ carry) >> k & 1) << 2 | ((x[1] ^ carry) >> k & 1) << 1 |
            ((x[2] ^ carry) >> k & 1);
        d = d * 8 + digit;
    }
    return d;
}

/* A brick's eight octants follow each other like a Gray code: the first three say where the path
 * starts and which two axes it takes first, and so all of it. */
const at = [0, 0, 0];
function octantsOf(order, page, brick) {
    /* The brick's own curve begins in the cube of octants, one order above that of bricks. */
    let octants = 0;
    for (let k = 0; k < 3; k++) {
        pointOf(order - BRICK_ORDER + 1, page * 8 + k, at);
        octants = octants << 3 | (at[0] & 1) << 2 | (at[1] & 1) << 1 | (at[2] & 1);
    }
    brick[0] = at[0] >> 1;
    brick[1] = at[1] >> 1;
    brick[2] = at[2] >> 1;
    return octants;
}

/** How bricks are turned: `offset[orientation * 4096 + x + 16 y + 256 z]` is a byte of the page. */
export class Bricks {
    constructor() {
        this.offset = new Uint16Array(ORIENTATIONS * BRICK_VOXELS);
        this.byOctants = new Int8Array(512).fill(-1);
        const order = BRICK_ORDER + 4; /* every orientation occurs in a volume of 16^3 bricks */
        const brick = [0, 0, 0], p = [0, 0, 0];
        for (let page = 0, n = 0; n < ORIENTATIONS; page++) {
            const octants = octantsOf(order, page, brick);
            if (this.byOctants[octants] >= 0) {
                continue;
            }
            for (let byte = 0; byte < BRICK_VOXELS; byte++) {
                pointOf(order, page * BRICK_VOXELS + byte, p);
                const voxel = (p[0] & 15) | (p[1] & 15) << 4 | (p[2] & 15) << 8;
                this.offset[n * BRICK_VOXELS + voxel] = byte;
            }
            this.byOctants[octants] = n++;
        }
    }

    /** The orientation of a page, and its brick's place into `brick`. */
    ofPage(order, page, brick) {
        return this.byOctants[octantsOf(order, page, brick)];
    }
}

let shared = null;
/** The one table there need be. */
export function bricks() {
    shared ??= new Bricks();
    return shared;
}

/** Calls `take(x, y, z, side)` for cubes of bricks that together are pages [first, first + n):
 *  corner and side in bricks. At most some 14 a level. */
export function eachCube(order, first, n, take) {
    const p = [0, 0, 0];
    for (let page = first, end = first + n; page < end;) {
        let size = 1, k = 0;
        while (k < order - BRICK_ORDER && page % (size * 8) === 0 && page + size * 8 <= end) {
            size *= 8;
            k++;
        }
        pointOf(order - BRICK_ORDER - k, page / size, p);
        take(p[0] * 2 ** k, p[1] * 2 ** k, p[2] * 2 ** k, 2 ** k);
        page += size;
    }
}

/** The smallest box of voxels around pages [first, first + n): {min, max}, both included. */
export function boxOfPages(order, first, n) {
    const min = [Infinity, Infinity, Infinity], max = [-1, -1, -1];
    eachCube(order, first, n, (x, y, z, side) => {
        const low = [x, y, z];
        for (let i = 0; i < 3; i++) {
            min[i] = Math.min(min[i], low[i] * BRICK_SIDE);
            max[i] = Math.max(max[i], (low[i] + side) * BRICK_SIDE - 1);
        }
    });
    return { min, max };
}
