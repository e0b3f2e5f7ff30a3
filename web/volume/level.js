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

/* A cell of the base level is worth finer ones when it is so many pixels wide. */
const FINE_PIXELS = 2;

/** The pages whose cells of the base level are seen as large squares: nearest first, at most `most`.
 *  `height`: of the picture, pixels. */
export function nearPages(model, camera, aspect, height, most) {
    const l = lens(camera, aspect), side = 2 ** model.order;
    const [ex, ey, ez] = l.eye.map((v) => v * side), pixel = 2 * l.slopeY / height;
    const reach = 2 ** model.base / pixel / FINE_PIXELS, half = Math.sqrt(3) / 2 * BRICK_SIDE;
    const [gx, gy, gz] = model.grid, { forward: f, right: r, up: u, slopeX, slopeY } = l;
    const first = (e) => Math.max(Math.floor((e - reach) / BRICK_SIDE), 0);
    const last = (e, n) => Math.min(Math.floor((e + reach) / BRICK_SIDE), n - 1);
    const [endX, endY, endZ] = [last(ex, gx), last(ey, gy), last(ez, gz)], found = [];
    for (let bz = first(ez); bz <= endZ; bz++) {
        const z = (bz + 0.5) * BRICK_SIDE - ez;
        for (let by = first(ey); by <= endY; by++) {
            const y = (by + 0.5) * BRICK_SIDE - ey;
            for (let bx = first(ex); bx <= endX; bx++) {
                const word = model.brickWords[(bz * gy + by) * gx + bx];
                if (word === HOLE) {
                    continue;
                }
                const x = (bx + 0.5) * BRICK_SIDE - ex, distance = Math.sqrt(x * x + y * y + z * z);
                const depth = x * f[0] + y * f[1] + z * f[2];
                if (distance <= reach && depth >= -half &&
                    Math.abs(x * r[0] + y * r[1] + z * r[2]) <= depth * slopeX + 2 * half &&
                    Math.abs(x * u[0] + y * u[1] + z * u[2]) <= depth * slopeY + 2 * half) {
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
