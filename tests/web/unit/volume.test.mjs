/* web/volume: the same curves, boxes and cameras as the native renderer's. The environment's NUMBERS
 * is a program that says what it computes (volume_numbers.c). */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import process from 'node:process';
import { boxesOfRuns } from '../../../web/volume/boxes.js';
import * as camera from '../../../web/volume/camera.js';
import { HIGHLIGHTS_ROW, COLOURS_WIDTH, makeLook, makeTables, MARCH } from '../../../web/volume/look.js';
import { defaultScene } from '../../../web/volume/scene.js';
import { CLASSES } from '../fake_server.mjs';
import { boxOfPages, bricks, distanceOf, orderOf, pointOf } from '../../../web/volume/hilbert.js';

const numbers = JSON.parse(execFileSync(process.env.NUMBERS, { maxBuffer: 1 << 26 }).toString());

test('orientations', () => {
    const table = bricks().offset;
    for (let n = 0; n < 24; n++) {
        let sum = 0;
        for (let i = 0; i < 4096; i++) {
            sum = (sum * 31 + table[n * 4096 + i]) % 1000003;
        }
        assert.equal(sum, numbers.offsets[n], `orientation ${n}`);
    }
});

test('pages and bytes of volumes of all orders', () => {
    for (const { order, page, orientation, brick, byte, point } of numbers.pages) {
        const at = [0, 0, 0];
        assert.equal(bricks().ofPage(order, page, at), orientation);
        assert.deepEqual(at, brick);
        assert.deepEqual(pointOf(order, byte), point);
        assert.equal(distanceOf(order, point), byte);
        const table =
            bricks().offset[
                orientation * 4096 + (point[0] & 15) + 16 * (point[1] & 15) + 256 * (point[2] & 15)
            ];
        assert.equal(table, byte % 4096);
        assert.deepEqual(
            boxOfPages(order, page, 1).min,
            brick.map((v) => v * 16),
        );
    }
    assert.deepEqual([64 << 20, 2 ** 30, 2 ** 30 + 1].map(orderOf), [9, 10, 11]);
});

test('boxes around runs', () => {
    for (const { order, runs, boxes } of numbers.boxes) {
        assert.deepEqual(boxesOfRuns(order, runs), boxes);
    }
});

test('cameras', () => {
    const steps = numbers.cameras[Symbol.iterator]();
    const same = (c) => {
        const expected = steps.next().value;
        for (const part of ['eye', 'target', 'up']) {
            c[part].forEach((v, k) =>
                assert.ok(
                    Math.abs(v - expected[part][k]) < 1e-9,
                    `${expected.what}: ${part} is ${c[part]}, not ${expected[part]}`,
                ),
            );
        }
        assert.ok(Math.abs(c.fov_y - expected.fov_y[0]) < 1e-12);
    };
    const box = { min: [3, 100, 200], max: [40, 120, 511] };
    camera.VIEWS.forEach((name, i) => {
        let c = camera.named(name);
        same(c);
        for (let k = 0; k < 8; k++) {
            c = camera.orbit(c, 0.9 * k, k % 3 === 0 ? 0.7 : -0.5);
            same(c);
            c = camera.pan(c, 0.1 * k, -0.2);
            same(c);
            c = camera.zoom(c, k % 2 === 0 ? 0.6 : 1.9);
            same(c);
        }
        const to = camera.frame(camera.named(camera.VIEWS[(i + 3) % 7]), box, 9, 16 / 9);
        same(to);
        to.up[0] += 0.3;
        for (let k = 0; k <= 6; k++) {
            same(camera.fly(c, to, k / 6));
        }
    });
    assert.equal(steps.next().done, true);
});

test('looks', () => {
    const model = {
        order: 9, grid: [32, 32, 32], info: { classes: numbers.classes }, highestOwner: 5, owners: [],
        highlights: [{ colour: '#010203' }, { colour: '#fa8007' }],
    };
    const near = (v, expected, what) => [...v].forEach((x, i) =>
        assert.ok(Math.abs(x - expected[i]) <= 2e-6 * Math.max(1, Math.abs(expected[i])),
            `${what}: ${x}, not ${expected[i]}`));
    for (const expected of numbers.looks) {
        const scene = { ...defaultScene(), palette: expected.palette, density: expected.density };
        const tables = makeTables(scene, model);
        const look = makeLook(model, scene, tables, camera.named('iso'), 641, 359,
            { scale: expected.scale, nowMs: 77 });
        assert.deepEqual([look.width, look.height], [expected.width, expected.height]);
        assert.deepEqual([look.heat, look.dimPlain, look.sliceOn], [(expected.flags & 8) !== 0,
            (expected.flags & 16) !== 0, [1, 2, 4].map((f) => (expected.flags & f) !== 0)]);
        near(look.eye, expected.eye, 'eye');
        near(look.forward, expected.forward, 'forward');
        near([...look.right, look.perPixel[0]], expected.right, 'right');
        near([...look.up, look.perPixel[1]], expected.up, 'up');
        near(look.background, expected.background, 'background');
        near([look.coarse, look.heatDecay], expected.rest, 'coarse and heat');
        near(look.absorption, expected.absorption, 'absorption');
        near(look.opacity.slice(0, expected.opacity.length), expected.opacity, 'opacity');
        const packed = (row, at) => {
            const i = (row * COLOURS_WIDTH + at) * 4;
            return look.colours[i] + (look.colours[i + 1] << 8) + (look.colours[i + 2] << 16) +
                look.colours[i + 3] * 2 ** 24;
        };
        assert.deepEqual([packed(HIGHLIGHTS_ROW, 1), packed(HIGHLIGHTS_ROW, 2)], expected.highlights);
        expected.colours.forEach((c, i) => assert.equal(packed(Math.floor(i / 65), i % 65), c));
    }
});

test('what voxels look like is written down once, in three places', () => {
    const names = ['END', 'MORE', 'SHADE', 'TINT', 'DIM_ABSORB', 'DIM_COLOUR', 'HEAT_COLOUR', 'HEAT_ABSORB'];
    const shader = readFileSync(new URL('../../../web/volume/common.glsl', import.meta.url), 'utf8');
    names.forEach((name, i) => {
        assert.equal(MARCH[name], numbers.march[i], name);
        if (name !== 'MORE') { /* shaders pick nothing here */
            const is = new RegExp(`const float ${name} = ([0-9.]+);`).exec(shader);
            assert.equal(Number(is?.[1]), numbers.march[i], `common.glsl: ${name}`);
        }
    });
    assert.deepEqual(CLASSES.map((c) => [c.name, c.default, c.colorblind]),
        numbers.classes.map((c) => [c.name, c.default, c.colorblind]));
});
