/* look.js - a camera and a scene as the numbers that rays need, as src/volume/march_look.c makes
 * them. The same look drives the shaders (renderer.js) and the march on the CPU (pick.js).
 */
import { lens } from './camera.js';
import { BRICK_SIDE } from './hilbert.js';
import { classOpacity, parseColour, parseOpacity } from './scene.js';

export const OWNERS_MAX = 64;
export const COLOURS_WIDTH = 512; /* colours by class and owner, a row a class; then highlights */
export const COLOURS_ROWS = 33;
export const HIGHLIGHTS_ROW = 32;

export const MARCH = {
    END: 0.004, MORE: 1.01, SHADE: 0.6, TINT: 0.7, DIM_ABSORB: 0.12, DIM_COLOUR: 0.5,
    HEAT_COLOUR: 0.85, HEAT_ABSORB: 3.0, HOT: [1.0, 0.62, 0.16], DIRECTION_MIN: 1e-6,
};
const ABSORB_MAX = 16; /* of one voxel: opacity 1 */
const DEPTH = 1024; /* voxels: the cube's side that opacities are given for */
const NOBODY = 255; /* no page's owner */

/** A heat below this is not to be seen. */
const HEAT_LEAST = 1 / 256;

const within = (v, low, high) => v >= low ? (v <= high ? v : high) : low; /* NaN: low */

/* The shade of a class for the pages of owner `i` (0 the largest) of `n`: from 45 % towards white
 * down to 40 % towards black. */
function ownerShade(colour, i, n) {
    const t = n > 1 ? 115 - Math.trunc(i * 217 / (n - 1)) : 77;
    const target = t < 0 ? 0 : 255, by = Math.abs(t);
    return colour.map((c) => c + Math.trunc((target - c) * by / 256));
}

/** What depends on scene and model but not on the camera: absorption by byte, opacity by class,
 *  colours (RGBA8, COLOURS_WIDTH x COLOURS_ROWS). */
export function makeTables(scene, model) {
    const absorption = new Float32Array(256), opacity = new Float32Array(32);
    /* Volumes of all sizes look alike. */
    const density = within(scene.density, 0, 1e6) * DEPTH / 2 ** model.order;
    parseOpacity(scene.opacity).forEach((a, i) => {
        absorption[i] = (a < 1 ? Math.min(-Math.log1p(-a), ABSORB_MAX) : ABSORB_MAX) * density;
    });
    const colours = new Uint8Array(COLOURS_WIDTH * COLOURS_ROWS * 4);
    const put = (row, at, colour) => colours.set([...colour, 255], (row * COLOURS_WIDTH + at) * 4);
    const { classes } = model.info, n = Math.min(model.highestOwner, OWNERS_MAX);
    for (let c = 0; c < 32; c++) {
        const known = classes[c] ?? classes[0];
        const plain = parseColour(known?.[scene.palette] ?? '#808080');
        opacity[c] = known === undefined ? 1 : classOpacity(scene, known.name);
        for (let owner = 0; owner <= OWNERS_MAX; owner++) {
            put(c, owner, owner === 0 || owner > n ? plain : ownerShade(plain, owner - 1, n));
        }
    }
    model.highlights.slice(0, COLOURS_WIDTH - 1).forEach((h, i) => {
        put(HIGHLIGHTS_ROW, i + 1, parseColour(h.colour));
    });
    return { absorption, opacity, colours };
}

/** What rays need to know of a picture of width x height, of which every `scale`-th pixel is drawn.
 *  `nowMs`: of the model's clock; `coarser`: cells are chosen so many pixels large, 0: each voxel. */
export function makeLook(model, scene, tables, camera, width, height, { scale = 1, nowMs = 0, coarser = 1 }) {
    const l = lens(camera, width / height), side = 2 ** model.order;
    const clip = (share) => [0, 1, 2].map((i) => within(share[i], 0, 1) * side);
    const low = clip(scene.clip_min);
    /* There is nothing past the end of RAM: rays need not look there. */
    const high = clip(scene.clip_max).map((v, i) =>
        Math.max(Math.min(v, model.grid[i] * BRICK_SIDE), low[i]));
    /* A process whose pages are not told apart has none: all others are dimmed. */
    const only = scene.only_pid > 0
        ? model.owners.findIndex((o) => o.pid === scene.only_pid) + 1 || NOBODY : 0;
    const perPixel = [2 * scale / width, 2 * scale / height];
    return {
        ...tables,
        width: Math.ceil(width / scale), height: Math.ceil(height / scale),
        eye: l.eye.map((v) => v * side), forward: l.forward,
        right: l.right.map((v) => v * l.slopeX), up: l.up.map((v) => v * l.slopeY),
        perPixel, clipMin: low, clipMax: high,
        slice: scene.slices.map((s) => within(s ?? 0.5, 0, 1) * side),
        sliceOn: scene.slices.map((s) => s !== null),
        background: parseColour(scene.background).map((c) => c / 255),
        heat: scene.heat && scene.heat_s > 0,
        dimPlain: scene.dim_others && model.highlights.length > 0,
        onlyOwner: only, nowMs,
        coarse: l.slopeY * perPixel[1] * coarser,
        heatDecay: scene.heat_s > 0 ? -1 / (scene.heat_s * 1000) : 0,
    };
}

/** How long, in ms after the last write, heat is to be seen. */
export function heatLastsMs(scene) {
    return scene.heat ? scene.heat_s * 1000 * -Math.log2(HEAT_LEAST) : 0;
}
