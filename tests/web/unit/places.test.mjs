/* places.js: from answers' places to pages of the RAM file and back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ofPlaces, toRuns } from '../../../web/places.js';

const REGIONS = [
    { gpa: '0x0', offset: '0x0', bytes: 0x3000 },
    { gpa: '0x100000000', offset: '0x3000', bytes: 0x4000 },
];

test('places become pages', () => {
    const places = [
        { gpa: '0x100001000', bytes: 4096 },
        { gpa: '0x2000', bytes: 4096 },
        { gpa: '0xf0000000', bytes: 4096 },
    ];
    assert.deepEqual(ofPlaces({ regions: REGIONS }, places), [
        [2, 1],
        [4, 1],
    ]);
});

test('pages that go on over the end of a region are two runs', () => {
    assert.deepEqual(toRuns(REGIONS, [[2, 3]]), [
        { gpa: '0x2000', bytes: 0x1000 },
        { gpa: '0x100000000', bytes: 0x2000 },
    ]);
});

test('pages behind the end of RAM are left out', () => {
    assert.deepEqual(toRuns(REGIONS, [[6, 9]]), [{ gpa: '0x100003000', bytes: 0x1000 }]);
    assert.deepEqual(toRuns(REGIONS, [[99, 1]]), []);
    assert.deepEqual(toRuns([], [[0, 1]]), []);
});

test('pages and runs go both ways', () => {
    const pages = [
        [0, 2],
        [3, 2],
        [6, 1],
    ];
    assert.deepEqual(ofPlaces({ regions: REGIONS }, toRuns(REGIONS, pages)), pages);
});
