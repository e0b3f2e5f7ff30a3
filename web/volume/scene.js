/* scene.js - what is shown: a scene as docs/volume-stream.md names it, made whole from what most
 * want (src/volume/scene.c), and a transfer function from its text.
 */

export const DEFAULT_OPACITY = '0:0 1:0.02 31:0.03 32:0.06 126:0.06 127:0.035 254:0.045 255:0.03';
const CLASS_OPACITY = { hole: 0, zero: 0.05, free: 0.1, kernel_reserved: 0.5, page_cache: 0.6 };
const TEXT_MAX = 4096;

export const PALETTES = ['default', 'colorblind'];
export const METHODS = ['march', 'slices'];

/** A new scene. */
export function defaultScene() {
    return {
        palette: 'default', opacity: DEFAULT_OPACITY, density: 1, heat: true, heat_s: 2,
        dim_others: true, slices: [null, null, null], clip_min: [0, 0, 0], clip_max: [1, 1, 1],
        only_pid: 0, boxes: true, labels: true, frame: true, background: '#0d1015',
        method: 'march', class_opacity: {},
    };
}

const isNumber = (v, low, high) => typeof v === 'number' && v >= low && v <= high;
const isBoolean = (v) => typeof v === 'boolean';
const isShares = (v) => Array.isArray(v) && v.length === 3 && v.every((c) => isNumber(c, 0, 1));

const CHECKS = {
    palette: (v) => PALETTES.includes(v),
    opacity: (v) => parseOpacity(v) !== null,
    density: (v) => isNumber(v, 0, 1e6),
    heat: isBoolean, dim_others: isBoolean, boxes: isBoolean, labels: isBoolean, frame: isBoolean,
    heat_s: (v) => isNumber(v, 0, 3600),
    slices: (v) => Array.isArray(v) && v.length === 3 &&
        v.every((c) => c === null || isNumber(c, 0, 1)),
    clip_min: isShares, clip_max: isShares,
    only_pid: (v) => Number.isInteger(v) && v >= 0,
    background: (v) => typeof v === 'string' && /^#[0-9a-f]{6}$/i.test(v),
    method: (v) => METHODS.includes(v),
    class_opacity: (v) => v !== null && typeof v === 'object' &&
        Object.values(v).every((o) => isNumber(o, 0, 1)),
};

/** `scene` with the members of `changes` in place of its own. Throws a TypeError that names a
 *  member that does not exist or cannot be so. */
export function changedScene(scene, changes) {
    for (const [name, value] of Object.entries(changes)) {
        if (!Object.hasOwn(CHECKS, name)) {
            throw new TypeError(`a scene has no ${name}`);
        }
        if (!CHECKS[name](value)) {
            throw new TypeError(`a scene's ${name} cannot be ${JSON.stringify(value)}`);
        }
    }
    return structuredClone({ ...scene, ...changes });
}

/** The opacity of a class by its name. */
export function classOpacity(scene, name) {
    return scene.class_opacity[name] ?? CLASS_OPACITY[name] ?? 1;
}

/** "value:opacity …", ascending, linear between: 256 opacities, or null. */
export function parseOpacity(text) {
    if (typeof text !== 'string' || text.length > TEXT_MAX) {
        return null;
    }
    const out = new Float32Array(256);
    let before = -1, opacity = 0;
    for (const point of text.split(' ').filter((p) => p !== '')) {
        const parts = /^(\d{1,3}):(\d+\.?\d*|\.\d+)$/.exec(point);
        const value = Number(parts?.[1]), o = Number(parts?.[2]);
        if (parts === null || value > 255 || o > 1 || value <= before) {
            return null;
        }
        for (let v = before < 0 ? 0 : before; v < value; v++) {
            const share = before < 0 ? 1 : (v - before) / (value - before);
            out[v] = (1 - share) * opacity + share * o;
        }
        before = value;
        opacity = o;
    }
    return before < 0 ? null : out.fill(opacity, before);
}

/** [r, g, b] of 0-255 from "#rrggbb". */
export function parseColour(text) {
    const v = Number.parseInt(text.slice(1), 16);
    return [v >> 16 & 255, v >> 8 & 255, v & 255];
}
