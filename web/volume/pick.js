/* pick.js - what is at a pixel: one ray through the model, voxel by voxel, as
 * src/volume/march_reference.c goes; the first voxel that hides half of what is behind it, or else
 * the most opaque one met. Also gives the pixel's colour, which tests hold the shaders against.
 */
import { HIGHLIGHTS_ROW, COLOURS_WIDTH, MARCH, OWNERS_MAX } from './look.js';

const mix = (a, b, t) => a + (b - a) * t;
const clamp = (v, low, high) => v > low ? (v < high ? Math.floor(v) : high) : low;

function rayOf(look, x, y) {
    const nx = (x + 0.5) * look.perPixel[0] - 1, ny = 1 - (y + 0.5) * look.perPixel[1];
    let along = look.forward.map((f, i) => f + nx * look.right[i] + ny * look.up[i]);
    const length = Math.hypot(...along);
    along = along.map((c) => {
        const a = c / length;
        return Math.abs(a) < MARCH.DIRECTION_MIN ? (a < 0 ? -1 : 1) * MARCH.DIRECTION_MIN : a;
    });
    return { from: look.eye, along, per: along.map((a) => 1 / a), colour: [0, 0, 0], light: 1,
        near: -Infinity, far: Infinity, picked: null, hides: 0, sure: false };
}

function colourAt(look, row, at) {
    const i = (row * COLOURS_WIDTH + at) * 4;
    return [look.colours[i] / 255, look.colours[i + 1] / 255, look.colours[i + 2] / 255];
}

/* A page's part in what its voxels look like. */
function pageLook(look, model, page) {
    const { class: pageClass, owner, highlight, newest } = model.attributeOf(page), c = pageClass & 31;
    let colour = colourAt(look, c, owner <= OWNERS_MAX ? owner : 0), absorb = look.opacity[c];
    if (highlight !== 0) {
        const tint = colourAt(look, HIGHLIGHTS_ROW, highlight);
        colour = colour.map((v, i) => mix(v, tint[i], MARCH.TINT));
    }
    if ((highlight === 0 && look.dimPlain) || (look.onlyOwner !== 0 && owner !== look.onlyOwner)) {
        absorb *= MARCH.DIM_ABSORB;
        colour = colour.map((v) => v * MARCH.DIM_COLOUR);
    }
    if (look.heat && newest !== 0) {
        const heat = 2 ** (Math.max(look.nowMs - newest, 0) * look.heatDecay);
        absorb *= 1 + MARCH.HEAT_ABSORB * heat;
        colour = colour.map((v, i) => mix(v, MARCH.HOT[i], MARCH.HEAT_COLOUR * heat));
    }
    return { page, colour, absorb };
}

/* One voxel of the ray's way; `opaque`: of a slice plane. */
function pass(ray, look, model, voxel, length, opaque) {
    const there = model.voxel(...voxel);
    if (there === null) {
        return;
    }
    if (ray.page?.page !== there.page) {
        ray.page = pageLook(look, model, there.page);
    }
    const { colour, absorb } = ray.page;
    const hides = opaque ? 1 : -Math.expm1(-absorb * look.absorption[there.value] * length);
    const shade = MARCH.SHADE + (1 - MARCH.SHADE) * there.value / 255;
    if (!ray.sure && hides > 0 && (hides >= 0.5 || hides > ray.hides * MARCH.MORE)) {
        ray.picked = { ...there, voxel: [...voxel] };
        ray.hides = hides;
        ray.sure = hides >= 0.5;
    }
    for (let i = 0; i < 3; i++) {
        ray.colour[i] += ray.light * hides * colour[i] * shade;
    }
    ray.light *= 1 - hides;
}

/* The nearest slice plane that has a page where the ray meets it ends the ray there: its voxel. */
function cut(ray, look, model) {
    const last = 2 ** model.order - 1;
    let found = null;
    for (let axis = 0; axis < 3; axis++) {
        const t = (look.slice[axis] - ray.from[axis]) * ray.per[axis];
        if (!look.sliceOn[axis] || t < Math.max(ray.near, 0) || t > ray.far) {
            continue;
        }
        const at = [0, 1, 2].map((i) =>
            clamp(i === axis ? look.slice[i] : ray.from[i] + t * ray.along[i], 0, last));
        if (model.voxel(...at) !== null) {
            ray.far = t;
            found = at;
        }
    }
    return found;
}

/* From voxel to voxel: always on, whatever rounding does to the lengths. */
function march(ray, look, model) {
    const { from, along, per } = ray;
    let t = Math.max(ray.near, 0);
    const v = [0, 1, 2].map((i) => clamp(from[i] + t * along[i], Math.floor(look.clipMin[i]),
        Math.ceil(look.clipMax[i]) - 1));
    while (t < ray.far && ray.light > MARCH.END) {
        let axis = 0, exit = Infinity;
        for (let i = 0; i < 3; i++) {
            const face = (v[i] + (along[i] > 0 ? 1 : 0) - from[i]) * per[i];
            if (face < exit) {
                exit = face;
                axis = i;
            }
        }
        const end = Math.max(t, Math.min(exit, ray.far));
        pass(ray, look, model, v, end - t, false);
        t = end;
        v[axis] += along[axis] > 0 ? 1 : -1;
        if (v[axis] < 0 || v[axis] >= 2 ** model.order) {
            break;
        }
    }
}

/** The ray of pixel (x, y) of a look's picture: {colour: [r, g, b] 0-1, picked: null or
 *  {page, offset, value, level, voxel}, hides}. */
export function castRay(look, model, x, y) {
    const ray = rayOf(look, x, y);
    for (let i = 0; i < 3; i++) {
        const a = (look.clipMin[i] - ray.from[i]) * ray.per[i];
        const b = (look.clipMax[i] - ray.from[i]) * ray.per[i];
        ray.near = Math.max(ray.near, Math.min(a, b));
        ray.far = Math.min(ray.far, Math.max(a, b));
    }
    if (ray.far > Math.max(ray.near, 0)) {
        const plane = cut(ray, look, model);
        march(ray, look, model);
        if (plane !== null && ray.light > MARCH.END) {
            pass(ray, look, model, plane, 0, true);
        }
    }
    const colour = ray.colour.map((c, i) => Math.min(c + ray.light * look.background[i], 1));
    return { colour, picked: ray.picked, hides: ray.hides };
}
