/* curve.js: transfer functions as text and as points that are moved. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as curve from '../../../web/curve.js';

const TEXT = '0:0 1:0.02 128:0.1 255:0.5';

test('text and points are the same thing', () => {
    assert.deepEqual(curve.parse(TEXT), [
        [0, 0],
        [1, 0.02],
        [128, 0.1],
        [255, 0.5],
    ]);
    assert.equal(curve.format(curve.parse(TEXT)), TEXT);
});

test('what is no curve is none', () => {
    for (const bad of [
        '',
        '0',
        '0:',
        ':1',
        '0:2',
        '256:0',
        '5:0 5:1',
        '9:0 3:1',
        '0:-1',
        'a:b',
        '0:1 x',
        null,
        {},
    ]) {
        assert.equal(curve.parse(bad), null, String(bad));
    }
    assert.equal(curve.parse(Array.from({ length: 17 }, (_, i) => `${i}:0`).join(' ')), null);
});

test('it is linear between points and constant outside', () => {
    const points = curve.parse('10:0.2 20:0.4');
    assert.equal(curve.valueAt(points, 0), 0.2);
    assert.equal(curve.valueAt(points, 255), 0.4);
    assert.ok(Math.abs(curve.valueAt(points, 15) - 0.3) < 1e-12);
});

test('a point stays between its neighbours', () => {
    const points = curve.parse(TEXT);
    assert.deepEqual(curve.move(points, 1, 500, 7)[1], [127, 1]);
    assert.deepEqual(curve.move(points, 1, -5, -7)[1], [1, 0]);
    assert.deepEqual(curve.move(points, 0, 9, 0.5)[0], [0, 0.5]);
    assert.deepEqual(points, curve.parse(TEXT), 'the old points are left alone');
    assert.notEqual(curve.parse(curve.format(curve.move(points, 2, 63.4, 1 / 3))), null);
});

test('points are added and removed, in order and within bounds', () => {
    const { points, index } = curve.add(curve.parse(TEXT), 64, 0.3);
    assert.equal(index, 2);
    assert.deepEqual(points[2], [64, 0.3]);
    assert.equal(curve.add(points, 64, 0.1).index, -1);
    let many = points;
    for (let i = 2; i < 100; i++) {
        many = curve.add(many, i, 0).points;
    }
    assert.equal(many.length, curve.POINTS_MAX);
    assert.equal(curve.remove(points, 2).length, points.length - 1);
    assert.equal(curve.remove([[0, 1]], 0).length, 1);
});

test('height and opacity go both ways', () => {
    for (const opacity of [0, 0.01, 0.3, 1]) {
        assert.ok(Math.abs(curve.fromHeight(curve.toHeight(opacity)) - opacity) < 1e-12);
    }
    assert.equal(curve.fromHeight(9), 1);
});
