/* boxes.js - few boxes around many runs of pages, as src/volume/highlight_boxes.c makes them: runs
 * come in order along the curve, so near ones come near each other. Each is taken in, and when there
 * are too many boxes the two are joined whose joint box has the least room to spare; in the end, so
 * are those that together are still mostly full.
 */
import { boxOfPages } from './hilbert.js';

export const BOXES_MAX = 16;
const ROOMY = 1.5; /* a joint box at most so many times what the two of them hold */

const sizeOf = (b) => [0, 1, 2].reduce((v, k) => v * (b.max[k] - b.min[k] + 1), 1);

/** The smallest box around two. */
export function around(a, b) {
    return {
        min: a.min.map((v, k) => Math.min(v, b.min[k])),
        max: a.max.map((v, k) => Math.max(v, b.max[k])),
    };
}

function nearest(boxes) {
    let least = Infinity, pair = null;
    for (let i = 1; i < boxes.length; i++) {
        for (let k = 0; k < i; k++) {
            const joint = around(boxes[k], boxes[i]);
            const spare = sizeOf(joint) - sizeOf(boxes[k]) - sizeOf(boxes[i]);
            if (spare < least) {
                least = spare;
                pair = { k, i, joint };
            }
        }
    }
    return pair;
}

function join(boxes, { k, i, joint }) {
    boxes[k] = joint;
    boxes[i] = boxes[boxes.length - 1];
    boxes.pop();
}

/** Boxes of voxels around runs [[first page, pages]…] of a volume, at most BOXES_MAX. */
export function boxesOfRuns(order, runs) {
    const boxes = [];
    for (const [first, n] of runs) {
        if (n > 0 && first >= 0 && first + n <= 2 ** (3 * (order - 4))) {
            boxes.push(boxOfPages(order, first, n));
        }
        if (boxes.length > BOXES_MAX) {
            join(boxes, nearest(boxes));
        }
    }
    while (boxes.length > 1) {
        const pair = nearest(boxes);
        if (sizeOf(pair.joint) > ROOMY * (sizeOf(boxes[pair.k]) + sizeOf(boxes[pair.i]))) {
            break;
        }
        join(boxes, pair);
    }
    return boxes;
}
