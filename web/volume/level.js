/* level.js - how fine a volume is asked for: as fine as the device takes, and as is worth sending.
 */
import { BRICK_SIDE } from './hilbert.js';
import { cellsOfLevel } from './message.js';
import { COARSEST, HOLE } from './model.js';
import { fits } from './textures.js';
import { lens } from './camera.js';

/* Cells of all pages, bytes: what a volume may take here and on the way. */
const CELLS_MAX = 128 << 20, CELLS_MAX_SOFTWARE = 64 << 20, CELLS_MAX_STATIC = 1 << 20;
const FINE_PAGES_MAX = 4096, FINE_PAGES_MAX_SOFTWARE = 1024;

/** The base level for a VM of so many pages. `device`: {software, sideMax, side3dMax} of the
 *  renderer; `isStatic`: a small picture that nobody moves. */
export function autoLevel(pages, grid, device, isStatic) {
    const most = isStatic ? CELLS_MAX_STATIC : device.software ? CELLS_MAX_SOFTWARE : CELLS_MAX;
    for (let level = 0; level < COARSEST; level++) {
        if (pages * cellsOfLevel(level) <= most && fits(level, pages, device.sideMax)) {
            return level;
        }
    }
    return COARSEST;
}

/** Whether a device can draw such a volume at all. */
export function isDrawable(pages, grid, device) {
    return fits(COARSEST, pages, device.sideMax) && Math.max(...grid) <= device.side3dMax;
}

/** How many pages are kept finer than the base. */
export function finePagesMax(device) {
    return device.software ? FINE_PAGES_MAX_SOFTWARE : FINE_PAGES_MAX;
}

/** The pages that are seen larger than cells of the base level are: nearest first, at most `most`.
 *  `height`: of the picture, pixels. */
export function nearPages(model, camera, aspect, height, most) {
    const l = lens(camera, aspect), side = 2 ** model.order;
    const eye = l.eye.map((v) => v * side), pixel = 2 * l.slopeY / height;
    const reach = 2 ** model.base / pixel; /* nearer than that a cell is larger than a pixel */
    const [gx, gy] = model.grid, low = [], high = [];
    for (let i = 0; i < 3; i++) {
        low[i] = Math.max(Math.floor((eye[i] - reach) / BRICK_SIDE), 0);
        high[i] = Math.min(Math.floor((eye[i] + reach) / BRICK_SIDE), model.grid[i] - 1);
    }
    const found = [], half = Math.sqrt(3) / 2 * BRICK_SIDE;
    for (let z = low[2]; z <= high[2]; z++) {
        for (let y = low[1]; y <= high[1]; y++) {
            for (let x = low[0]; x <= high[0]; x++) {
                const word = model.brickWords[(z * gy + y) * gx + x];
                const v = [x, y, z].map((b, i) => (b + 0.5) * BRICK_SIDE - eye[i]);
                const depth = v[0] * l.forward[0] + v[1] * l.forward[1] + v[2] * l.forward[2];
                const distance = Math.hypot(...v);
                if (word === HOLE || distance > reach || depth < -half) {
                    continue;
                }
                const across = Math.abs(v[0] * l.right[0] + v[1] * l.right[1] + v[2] * l.right[2]);
                const up = Math.abs(v[0] * l.up[0] + v[1] * l.up[1] + v[2] * l.up[2]);
                if (across <= depth * l.slopeX + 2 * half && up <= depth * l.slopeY + 2 * half) {
                    found.push([distance, Math.floor(word / 64)]);
                }
            }
        }
    }
    found.sort((a, b) => a[0] - b[0]);
    return found.slice(0, most).map(([, page]) => page);
}

/** Pages as runs, ascending. */
export function runsOf(pages) {
    const sorted = [...pages].sort((a, b) => a - b), runs = [];
    for (const page of sorted) {
        const last = runs[runs.length - 1];
        if (last !== undefined && last[0] + last[1] === page) {
            last[1]++;
        } else {
            runs.push([page, 1]);
        }
    }
    return runs;
}
