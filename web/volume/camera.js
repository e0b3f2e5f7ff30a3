/* camera.js - where one looks from: the arithmetic of src/volume/camera.c, so that a view is the
 * same in every window. A camera is {eye, target, up, fov_y} in the cube [0, 1]^3; functions give a
 * new one and leave theirs alone.
 *
 *   vectors, lens and projection
 *   poses
 *   named views, orbit, pan, zoom, frame
 *   flight (J. van Wijk, W. Nuij, "Smooth and efficient zooming and panning", InfoVis 2003)
 */

const FOV_Y = 35 * Math.PI / 180, FOV_MIN = 0.01, FOV_MAX = 3.0;
const DISTANCE_MIN = 1e-4, DISTANCE_MAX = 32.0;
const TARGET_MIN = -1.0, TARGET_MAX = 2.0; /* how far from the cube a target can be panned */
const LINE_NEAR = 1e-5; /* lines end so far before the eye */
const FRAME_FILL = 0.92; /* the share of the picture a framed box takes */
const RHO = 1.4; /* between panning and zooming in a flight */

/* ---- vectors, lens and projection ---- */

const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const cross = (a, b) =>
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
const minus = (a, b) => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
const clamp = (v, low, high) => v >= high ? high : v >= low ? v : low; /* NaN: low */
const finite = (v) => Number.isFinite(v) ? v : 0;

/* Of length 1, or null: too short to have a direction. */
function unit(v) {
    const length = Math.sqrt(dot(v, v));
    return Number.isFinite(length) && length >= 1e-12 ? v.map((c) => c / length) : null;
}

/* The nearest multiple of y is taken away, as C's remainder does it; of two as near the even. */
function remainder(x, y) {
    let n = Math.round(x / y);
    if (Math.abs(x / y - Math.trunc(x / y)) === 0.5) {
        n = 2 * Math.round(x / y / 2);
    }
    return x - n * y;
}

/** What a camera sees: {eye, forward, right, up, slopeX, slopeY}, directions of length 1. */
export function lens(camera, aspect) {
    const forward = unit(minus(camera.target, camera.eye)) ?? [0, 0, -1];
    /* Any axis that the line of sight does not follow will do where the camera has no up. */
    const other = Math.abs(forward[1]) < 0.9 ? [0, 1, 0] : [0, 0, 1];
    const right = unit(cross(forward, camera.up)) ?? unit(cross(forward, other));
    const slopeY = Math.tan(clamp(camera.fov_y, FOV_MIN, FOV_MAX) / 2);
    return {
        eye: [...camera.eye], forward, right, up: cross(right, forward), slopeY,
        slopeX: slopeY * (aspect > 0 && Number.isFinite(aspect) ? aspect : 1),
    };
}

/** Where in the picture a point is: [x, y from the upper left, 0-1 within it, depth], or null:
 *  behind the eye. */
export function project(l, point) {
    const v = minus(point, l.eye), depth = dot(v, l.forward);
    return depth > 1e-9 ? [0.5 + 0.5 * dot(v, l.right) / (depth * l.slopeX),
        0.5 - 0.5 * dot(v, l.up) / (depth * l.slopeY), depth] : null;
}

/** The part of a line that is before the eye: [from, to] as project gives them, or null. */
export function projectLine(l, from, to) {
    const ends = [from, to], depth = ends.map((p) => dot(minus(p, l.eye), l.forward));
    if (!(depth[0] >= LINE_NEAR || depth[1] >= LINE_NEAR)) {
        return null;
    }
    const cut = ends.map((p, i) => {
        const share = depth[i] >= LINE_NEAR ? 0
            : (LINE_NEAR - depth[i]) / (depth[1 - i] - depth[i]) * (1 + 1e-9);
        return project(l, p.map((c, k) => c + share * (ends[1 - i][k] - c)));
    });
    return cut[0] !== null && cut[1] !== null ? cut : null;
}

/* ---- poses ---- */

/* From the target to the eye, and the level up that belongs to it. */
function axes(azimuth, elevation) {
    const sa = Math.sin(azimuth), ca = Math.cos(azimuth);
    const se = Math.sin(elevation), ce = Math.cos(elevation);
    return [[ce * sa, se, ce * ca], [-se * sa, ce, -se * ca]];
}

/* Target, distance, and three angles: azimuth from the front to the right, elevation, roll. Level
 * at every elevation including straight up and down, where the up says which way the azimuth is. */
function poseOf(camera) {
    const l = lens(camera, 1), v = minus(camera.eye, camera.target);
    const p = {
        target: [...camera.target], azimuth: 0, roll: 0,
        distance: clamp(Math.sqrt(dot(v, v)), DISTANCE_MIN, DISTANCE_MAX),
        elevation: Math.asin(clamp(-l.forward[1], -1, 1)),
        fovY: clamp(camera.fov_y, FOV_MIN, FOV_MAX),
    };
    if (Math.hypot(l.forward[0], l.forward[2]) > 1e-6) {
        p.azimuth = Math.atan2(-l.forward[0], -l.forward[2]);
        const up = axes(p.azimuth, p.elevation)[1];
        p.roll = Math.atan2(dot(up, l.right), dot(up, l.up));
    } else {
        const s = p.elevation > 0 ? -1 : 1;
        p.azimuth = Math.atan2(s * l.up[0], s * l.up[2]);
    }
    return p;
}

function cameraOf(p) {
    const [back, up] = axes(p.azimuth, p.elevation), right = cross(up, back);
    const cr = Math.cos(p.roll), sr = Math.sin(p.roll);
    return {
        eye: p.target.map((t, k) => t + p.distance * back[k]),
        target: [...p.target],
        up: up.map((u, k) => cr * u - sr * right[k]),
        fov_y: p.fovY,
    };
}

/* ---- named views, orbit, pan, zoom, frame ---- */

const NAMED = { /* azimuth and elevation in degrees */
    iso: [35, 28], front: [0, 0], back: [180, 0], left: [-90, 0], right: [90, 0], top: [0, 90],
    bottom: [0, -90],
};

/** Names of the views, in the order of the keys 1-7. */
export const VIEWS = Object.keys(NAMED);

/** A named view of the whole cube; undefined: there is none of that name. */
export function named(name) {
    if (!Object.hasOwn(NAMED, name)) {
        return undefined;
    }
    const [azimuth, elevation] = NAMED[name].map((degrees) => degrees * Math.PI / 180);
    const p = { target: [0.5, 0.5, 0.5], distance: 1, azimuth, elevation, roll: 0, fovY: FOV_Y };
    return frame(cameraOf(p), { min: [0, 0, 0], max: [0, 0, 0] }, 0, 1);
}

/** Moves the eye around the target to the right and up, radians; it never turns over. */
export function orbit(camera, yaw, pitch) {
    const p = poseOf(camera);
    p.azimuth = remainder(p.azimuth + finite(yaw), 2 * Math.PI);
    p.elevation = clamp(p.elevation + (Number.isNaN(pitch) ? 0 : pitch), -Math.PI / 2, Math.PI / 2);
    p.roll = 0;
    return cameraOf(p);
}

/** Moves the camera to the right and up (what is seen goes the other way) by shares of the
 *  picture's height at the target; bounded to the cube's surroundings. */
export function pan(camera, dx, dy) {
    const l = lens(camera, 1), height = 2 * poseOf(camera).distance * l.slopeY;
    const target = camera.target.map((t, k) =>
        clamp(t + height * (finite(dx) * l.right[k] + finite(dy) * l.up[k]), TARGET_MIN, TARGET_MAX));
    return {
        ...camera, target, up: [...camera.up],
        eye: camera.eye.map((e, k) => e + target[k] - camera.target[k]),
    };
}

/** Towards (factor < 1) or away from the target; bounded. */
export function zoom(camera, factor) {
    const p = poseOf(camera);
    if (factor > 0) {
        p.distance = clamp(p.distance * factor, DISTANCE_MIN, DISTANCE_MAX);
    }
    return cameraOf(p);
}

/** From the same side, so that a box of voxels (of a volume of 2^order) fills the picture. */
export function frame(camera, box, order, aspect) {
    const p = poseOf(camera), l = lens(camera, aspect), side = 2 ** order;
    const half = [0, 0, 0];
    for (let k = 0; k < 3; k++) {
        const low = box.min[k] / side, high = (box.max[k] + 1) / side;
        p.target[k] = (low + high) / 2;
        half[k] = Math.max(high - low, 0) / 2;
    }
    /* Far enough back for each corner: |across| <= slope x fill x (distance + depth). */
    p.distance = DISTANCE_MIN;
    for (let corner = 0; corner < 8; corner++) {
        const v = half.map((h, k) => (corner >> k & 1) !== 0 ? h : -h);
        const x = Math.abs(dot(v, l.right)) / (l.slopeX * FRAME_FILL);
        const y = Math.abs(dot(v, l.up)) / (l.slopeY * FRAME_FILL);
        p.distance = clamp(Math.max(x, y) - dot(v, l.forward), p.distance, DISTANCE_MAX);
    }
    return cameraOf(p);
}

/* ---- flight ---- */

/* Share s (0 to 1) of the best path between pictures w0 and w1 high whose middles are `apart`: how
 * far the middle has gone (0 to 1), and the picture's height. */
function glide(w0, w1, apart, s) {
    const rho2 = RHO * RHO;
    if (apart < 1e-6 * Math.min(w0, w1)) {
        return [s, w0 * Math.pow(w1 / w0, s)];
    }
    const more = w1 * w1 - w0 * w0, across = rho2 * rho2 * apart * apart;
    const r0 = -Math.asinh((more + across) / (2 * w0 * rho2 * apart));
    const r1 = -Math.asinh((more - across) / (2 * w1 * rho2 * apart));
    const r = r0 + s * (r1 - r0);
    /* cosh r0 tanh r - sinh r0 without the difference of two large numbers */
    return [w0 / rho2 * Math.sinh(r - r0) / Math.cosh(r) / apart,
        w0 * Math.cosh(r0) / Math.cosh(r)];
}

/** A smooth flight, t from 0 to 1; beyond that, its ends. Far targets are reached by rising, so
 *  that the way between them is seen. */
export function fly(from, to, t) {
    if (!(t > 0) || t >= 1) {
        return t >= 1 ? to : from;
    }
    const s = t * t * t * (10 + t * (6 * t - 15)); /* at rest at both ends */
    const a = poseOf(from), b = poseOf(to);
    const apart = Math.hypot(...minus(b.target, a.target));
    const [gone, height] = glide(2 * a.distance * Math.tan(a.fovY / 2),
        2 * b.distance * Math.tan(b.fovY / 2), apart, s);
    const fovY = a.fovY + s * (b.fovY - a.fovY);
    return cameraOf({
        target: a.target.map((c, k) => c + gone * (b.target[k] - c)),
        fovY,
        distance: height / (2 * Math.tan(fovY / 2)),
        azimuth: a.azimuth + s * remainder(b.azimuth - a.azimuth, 2 * Math.PI),
        elevation: a.elevation + s * (b.elevation - a.elevation),
        roll: a.roll + s * remainder(b.roll - a.roll, 2 * Math.PI),
    });
}

/** Whether a camera is one: the numbers that a page or a peer gives. */
export function isCamera(c) {
    const vector = (v) => Array.isArray(v) && v.length === 3 && v.every(Number.isFinite);
    return c !== null && typeof c === 'object' && vector(c.eye) && vector(c.target) &&
        vector(c.up) && Number.isFinite(c.fov_y);
}
