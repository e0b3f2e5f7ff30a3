/* curve.js - a transfer function: opacity by byte value, as points and as the text that scenes have
 * ("0:0 1:0.02 255:0.5": ascending values, linear between, constant outside). Pure. */

export const POINTS_MAX = 16;

/** [[value, opacity]…], or null when the text is none. */
export function parse(text) {
    const points = [];
    for (const part of String(text)
        .trim()
        .split(/[\s,]+/)) {
        const found = /^(\d{1,3}):(\d*\.?\d+(?:e-?\d+)?)$/.exec(part);
        const value = found ? Number(found[1]) : NaN,
            opacity = found ? Number(found[2]) : NaN;
        const last = points[points.length - 1];
        if (
            !(value >= 0 && value <= 255 && opacity >= 0 && opacity <= 1) ||
            (last && value <= last[0])
        ) {
            return null;
        }
        points.push([value, opacity]);
    }
    return points.length > 0 && points.length <= POINTS_MAX ? points : null;
}

export function format(points) {
    return points.map(([value, opacity]) => `${value}:${Number(opacity.toFixed(4))}`).join(' ');
}

export function valueAt(points, value) {
    if (value <= points[0][0]) {
        return points[0][1];
    }
    for (let i = 1; i < points.length; i++) {
        const [v0, o0] = points[i - 1],
            [v1, o1] = points[i];
        if (value <= v1) {
            return o0 + ((o1 - o0) * (value - v0)) / (v1 - v0);
        }
    }
    return points[points.length - 1][1];
}

/** The point moved, kept between its neighbours and in range. */
export function move(points, index, value, opacity) {
    const low = index > 0 ? points[index - 1][0] + 1 : 0;
    const high = index < points.length - 1 ? points[index + 1][0] - 1 : 255;
    const out = points.map((p) => [...p]);
    out[index] = [
        Math.min(Math.max(Math.round(value), low), high),
        Math.min(Math.max(opacity, 0), 1),
    ];
    return out;
}

/** With another point; {points, index}, index -1 when there is one at that value or no room. */
export function add(points, value, opacity) {
    const at = Math.min(Math.max(Math.round(value), 0), 255);
    if (points.length >= POINTS_MAX || points.some((p) => p[0] === at)) {
        return { points, index: -1 };
    }
    const out = [...points.map((p) => [...p]), [at, Math.min(Math.max(opacity, 0), 1)]].sort(
        (a, b) => a[0] - b[0],
    );
    return { points: out, index: out.findIndex((p) => p[0] === at) };
}

/** Without a point; the last one stays. */
export function remove(points, index) {
    return points.length > 1 ? points.filter((_, i) => i !== index) : points;
}

/* Opacities of voxels are small: the editor's height is the cube root, so that a hundredth can be
 * set as well as a half. */
export function toHeight(opacity) {
    return Math.cbrt(opacity);
}
export function fromHeight(height) {
    return Math.min(Math.max(height, 0), 1) ** 3;
}
