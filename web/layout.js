/* layout.js - where things are: the map's view and bricks, windows and their edges. Pure arithmetic
 * on {x, y, w, h} and a view {x, y, scale}: screen = map * scale + (x, y). */

export const SCALE_MIN = 0.08;
export const SCALE_MAX = 3;

const clamp = (n, low, high) => Math.min(Math.max(n, low), Math.max(low, high));

/* ---------------------------------------------------------------- the map */

export function zoomAt(view, factor, px, py) {
    const scale = clamp(view.scale * factor, SCALE_MIN, SCALE_MAX);
    const by = scale / view.scale;
    return { scale, x: px - (px - view.x) * by, y: py - (py - view.y) * by };
}

export function boundsOf(rects) {
    if (rects.length === 0) {
        return null;
    }
    const x = Math.min(...rects.map((r) => r.x)),
        y = Math.min(...rects.map((r) => r.y));
    return {
        x,
        y,
        w: Math.max(...rects.map((r) => r.x + r.w)) - x,
        h: Math.max(...rects.map((r) => r.y + r.h)) - y,
    };
}

/** The view that shows all of `rects` in `area`, at natural size at most. */
export function fit(rects, area, pad = 48, most = 1) {
    const box = boundsOf(rects);
    if (box === null) {
        return { x: area.w / 2, y: area.h / 2, scale: 1 };
    }
    const space = Math.min(pad, area.w / 12, area.h / 12);
    const scale = clamp(
        Math.min((area.w - 2 * space) / box.w, (area.h - 2 * space) / box.h),
        SCALE_MIN,
        most,
    );
    return {
        scale,
        x: (area.w - box.w * scale) / 2 - box.x * scale,
        y: (area.h - box.h * scale) / 2 - box.y * scale,
    };
}

/** Places of n bricks of one size in a block about as wide as `aspect` times its height. */
export function grid(n, size, gap, aspect) {
    let best = 1,
        score = Infinity;
    for (let columns = 1; columns <= n; columns++) {
        const rows = Math.ceil(n / columns);
        const w = columns * (size.w + gap),
            h = rows * (size.h + gap);
        const off = Math.abs(Math.log(w / h / aspect)) + (0.3 * (columns * rows - n)) / n;
        if (off < score) {
            score = off;
            best = columns;
        }
    }
    return Array.from({ length: n }, (_, i) => ({
        x: (i % best) * (size.w + gap),
        y: Math.floor(i / best) * (size.h + gap),
        w: size.w,
        h: size.h,
    }));
}

export function overlap(a, b) {
    return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}

/** The first free place of a grid, nearest to the origin by rows that grow with the block. */
export function freePlace(taken, size, gap) {
    for (let reach = 0; ; reach++) {
        for (let i = 0; i <= 2 * reach; i++) {
            const column = i <= reach ? reach : 2 * reach - i;
            const row = i <= reach ? i : reach;
            const at = {
                x: column * (size.w + gap),
                y: row * (size.h + gap),
                w: size.w,
                h: size.h,
            };
            if (!taken.some((t) => overlap(t, at))) {
                return at;
            }
        }
    }
}

/* ---------------------------------------------------------------- windows */

export const WINDOW_MIN = { w: 320, h: 240 };

const SNAPS = {
    full: [0, 0, 1, 1],
    left: [0, 0, 0.5, 1],
    right: [0.5, 0, 0.5, 1],
    top: [0, 0, 1, 0.5],
    bottom: [0, 0.5, 1, 0.5],
    'top-left': [0, 0, 0.5, 0.5],
    'top-right': [0.5, 0, 0.5, 0.5],
    'bottom-left': [0, 0.5, 0.5, 0.5],
    'bottom-right': [0.5, 0.5, 0.5, 0.5],
};
export const SNAP_NAMES = Object.keys(SNAPS);

/** A part of the area; parts meet without a gap or an overlap on whole pixels. */
export function snapRect(name, area) {
    const [x, y, w, h] = SNAPS[name] ?? SNAPS.full;
    const left = Math.round(area.w * x),
        top = Math.round(area.h * y);
    return {
        x: left,
        y: top,
        w: Math.round(area.w * (x + w)) - left,
        h: Math.round(area.h * (y + h)) - top,
    };
}

/** What a window dragged to a point snaps to; null away from the edges. */
export function snapZone(x, y, area, edge = 14) {
    const left = x <= edge,
        right = x >= area.w - edge;
    const upper = y <= area.h / 4,
        lower = y >= (area.h * 3) / 4;
    if (left || right) {
        const side = left ? 'left' : 'right';
        return upper ? `top-${side}` : lower ? `bottom-${side}` : side;
    }
    return y <= edge ? 'full' : y >= area.h - edge ? 'bottom' : null;
}

/** A window stays in reach: its size fits the area, its title bar can be taken hold of. */
export function keepInside(rect, area) {
    const w = clamp(rect.w, Math.min(WINDOW_MIN.w, area.w), area.w);
    const h = clamp(rect.h, Math.min(WINDOW_MIN.h, area.h), area.h);
    const grip = 96;
    return { x: clamp(rect.x, grip - w, area.w - grip), y: clamp(rect.y, 0, area.h - 40), w, h };
}

/** Pulls edges, named by letters of "nesw", by (dx, dy); the opposite ones stay. */
export function resize(rect, edges, dx, dy, area) {
    let { x, y, w, h } = rect;
    const right = x + w,
        bottom = y + h;
    if (edges.includes('e')) {
        w = clamp(w + dx, WINDOW_MIN.w, area.w - x);
    }
    if (edges.includes('s')) {
        h = clamp(h + dy, WINDOW_MIN.h, area.h - y);
    }
    if (edges.includes('w')) {
        x = clamp(x + dx, Math.min(0, x), right - WINDOW_MIN.w);
        w = right - x;
    }
    if (edges.includes('n')) {
        y = clamp(y + dy, 0, bottom - WINDOW_MIN.h);
        h = bottom - y;
    }
    return { x, y, w, h };
}

/** n windows side by side: as square as they come, the last row filled. */
export function tile(n, area) {
    const columns = Math.max(
        1,
        Math.min(n, Math.round(Math.sqrt((n * area.w) / Math.max(1, area.h) / 1.2))),
    );
    const rows = Math.ceil(n / columns);
    const out = [];
    for (let row = 0; row < rows; row++) {
        const inRow = row < rows - 1 ? columns : n - columns * (rows - 1);
        const top = Math.round((area.h * row) / rows),
            bottom = Math.round((area.h * (row + 1)) / rows);
        for (let i = 0; i < inRow; i++) {
            const left = Math.round((area.w * i) / inRow),
                right = Math.round((area.w * (i + 1)) / inRow);
            out.push({ x: left, y: top, w: right - left, h: bottom - top });
        }
    }
    return out;
}

/** Where the nth window opens: large, in the middle, each a little further down and right. */
export function cascade(nth, area) {
    const w = Math.round(clamp(area.w * 0.72, WINDOW_MIN.w, 1180)),
        h = Math.round(clamp(area.h * 0.82, WINDOW_MIN.h, 820));
    const step = (nth % 6) * 28;
    return keepInside(
        { x: Math.round((area.w - w) / 2) + step, y: Math.round((area.h - h) / 3) + step, w, h },
        area,
    );
}
