/* layout.js: the map's view and bricks, windows that are moved, resized, laid to sides and tiled. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as l from '../../../web/layout.js';

const AREA = { w: 1281, h: 719 };
const SIZE = { w: 320, h: 316 };

const near = (a, b) => assert.ok(Math.abs(a - b) < 1e-9, `${a} is not ${b}`);

test('zooming keeps the point under the pointer, and its bounds', () => {
    const view = { x: 40, y: -10, scale: 0.8 };
    const at = (v) => [(300 - v.x) / v.scale, (200 - v.y) / v.scale];
    const zoomed = l.zoomAt(view, 1.7, 300, 200);
    near(at(zoomed)[0], at(view)[0]);
    near(at(zoomed)[1], at(view)[1]);
    assert.equal(l.zoomAt(view, 1e9, 0, 0).scale, l.SCALE_MAX);
    assert.equal(l.zoomAt(view, 1e-9, 0, 0).scale, l.SCALE_MIN);
});

test('all bricks fit, in the middle', () => {
    const rects = [
        { x: -500, y: 0, ...SIZE },
        { x: 2000, y: 900, ...SIZE },
    ];
    const { x, y, scale } = l.fit(rects, AREA);
    const left = -500 * scale + x,
        right = 2320 * scale + x;
    const top = y,
        bottom = 1216 * scale + y;
    assert.ok(left >= 0 && right <= AREA.w && top >= 0 && bottom <= AREA.h);
    near(left, AREA.w - right);
    near(top, AREA.h - bottom);
    assert.equal(l.fit([], AREA).scale, 1);
});

test('tidy bricks and free places do not overlap', () => {
    for (const n of [1, 2, 3, 7, 40]) {
        const rects = l.grid(n, SIZE, 28, 16 / 9);
        assert.equal(rects.length, n);
        rects.forEach((a, i) => rects.slice(i + 1).forEach((b) => assert.ok(!l.overlap(a, b))));
    }
    const taken = [];
    for (let i = 0; i < 30; i++) {
        const place = l.freePlace(taken, SIZE, 28);
        assert.ok(!taken.some((t) => l.overlap(t, place)));
        taken.push(place);
    }
    assert.deepEqual(l.freePlace([], SIZE, 28), { x: 0, y: 0, ...SIZE });
});

test('halves and quarters cover the area without a gap', () => {
    const sum = (...names) =>
        names.map((n) => l.snapRect(n, AREA)).reduce((s, r) => s + r.w * r.h, 0);
    const all = AREA.w * AREA.h;
    assert.equal(sum('left', 'right'), all);
    assert.equal(sum('top', 'bottom'), all);
    assert.equal(sum('top-left', 'top-right', 'bottom-left', 'bottom-right'), all);
    assert.equal(sum('full'), all);
});

test('edges and corners of the area lay a window there', () => {
    assert.equal(l.snapZone(0, AREA.h / 2, AREA), 'left');
    assert.equal(l.snapZone(AREA.w, AREA.h / 2, AREA), 'right');
    assert.equal(l.snapZone(0, 3, AREA), 'top-left');
    assert.equal(l.snapZone(AREA.w, AREA.h, AREA), 'bottom-right');
    assert.equal(l.snapZone(600, 0, AREA), 'full');
    assert.equal(l.snapZone(600, 300, AREA), null);
});

test('windows side by side cover the area and do not overlap', () => {
    for (let n = 1; n <= 9; n++) {
        const rects = l.tile(n, AREA);
        assert.equal(rects.length, n);
        assert.equal(
            rects.reduce((s, r) => s + r.w * r.h, 0),
            AREA.w * AREA.h,
        );
        rects.forEach((a, i) => rects.slice(i + 1).forEach((b) => assert.ok(!l.overlap(a, b))));
    }
});

test('resizing moves the edges that are pulled and no others', () => {
    const rect = { x: 100, y: 100, w: 500, h: 400 };
    assert.deepEqual(l.resize(rect, 'se', 50, -30, AREA), { x: 100, y: 100, w: 550, h: 370 });
    assert.deepEqual(l.resize(rect, 'nw', -50, 20, AREA), { x: 50, y: 120, w: 550, h: 380 });
    const small = l.resize(rect, 'w', 1000, 0, AREA);
    assert.equal(small.w, l.WINDOW_MIN.w);
    assert.equal(small.x + small.w, 600);
    const large = l.resize(rect, 'se', 5000, 5000, AREA);
    assert.deepEqual([large.x + large.w, large.y + large.h], [AREA.w, AREA.h]);
});

test('a window stays in reach', () => {
    for (const rect of [
        { x: -9999, y: -50, w: 400, h: 300 },
        { x: 9999, y: 9999, w: 9999, h: 9999 },
    ]) {
        const { x, y, w, h } = l.keepInside(rect, AREA);
        assert.ok(x + w >= 96 && x <= AREA.w - 96 && y >= 0 && y <= AREA.h - 40);
        assert.ok(w <= AREA.w && h <= AREA.h);
    }
    const tiny = l.keepInside({ x: 0, y: 0, w: 900, h: 700 }, { w: 300, h: 200 });
    assert.deepEqual([tiny.w, tiny.h], [300, 200]);
    for (let i = 0; i < 20; i++) {
        assert.deepEqual(l.cascade(i, AREA), l.keepInside(l.cascade(i, AREA), AREA));
    }
});
