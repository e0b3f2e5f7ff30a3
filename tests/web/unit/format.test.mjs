/* format.js: figures, addresses, rows, and the texts they come from. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as f from '../../../web/format.js';

test('bytes have the largest unit that leaves three digits', () => {
    assert.equal(f.bytes(0), '0 B');
    assert.equal(f.bytes(1023), '1023 B');
    assert.equal(f.bytes(1024), '1 KiB');
    assert.equal(f.bytes(1536), '1.5 KiB');
    assert.equal(f.bytes(96 * 2 ** 20), '96 MiB');
    assert.equal(f.bytes(1023.9 * 2 ** 20), '1 GiB');
    assert.equal(f.bytes(2 ** 60), '1024 PiB');
    for (const none of [undefined, null, NaN, -1, Infinity]) {
        assert.equal(f.bytes(none), '–');
    }
});

test('a part is shown in the unit of the whole', () => {
    assert.equal(f.bytesOf(37 * 2 ** 20, 96 * 2 ** 20), '37 / 96 MiB');
    assert.equal(f.bytesOf(1.5 * 2 ** 30, 4 * 2 ** 30), '1.5 / 4 GiB');
    assert.equal(f.bytesOf(NaN, 2 ** 20), '1 MiB');
});

test('counts, shares and durations', () => {
    assert.equal(f.count(0), '0');
    assert.equal(f.count(999), '999');
    assert.equal(f.count(1000), '1.0 k');
    assert.equal(f.count(12345), '12.3 k');
    assert.equal(f.count(4.2e6), '4.2 M');
    assert.equal(f.percent(0.0042), '0.4 %');
    assert.equal(f.percent(0), '0 %');
    assert.equal(f.percent(1.37), '137 %');
    assert.equal(f.duration(0.4), '0 s');
    assert.equal(f.duration(59), '59 s');
    assert.equal(f.duration(3723), '1 h 2 min');
    assert.equal(f.duration(86400 * 3), '3 d');
});

test('addresses beyond 2^53 keep every digit', () => {
    assert.equal(f.hex('0xffffffff9a61aa41'), '0xffffffff9a61aa41');
    assert.equal(f.hex(0x1000), '0x1000');
    for (const none of [
        '',
        '0x',
        '12',
        '0xg',
        '0x11111111111111111',
        -1,
        1.5,
        null,
        undefined,
        {},
    ]) {
        assert.equal(f.address(none), null);
    }
});

const REGIONS = [
    { gpa: '0x0', offset: '0x0', bytes: 0x80000000 },
    { gpa: '0x100000000', offset: '0x80000000', bytes: 0x40000000 },
];

test('RAM above the hole follows on in the file', () => {
    assert.equal(f.offsetOf(REGIONS, '0x1000'), 0x1000n);
    assert.equal(f.offsetOf(REGIONS, '0x100001000'), 0x80001000n);
    assert.equal(f.offsetOf(REGIONS, '0x80000000'), null);
    assert.equal(f.offsetOf(undefined, '0x0'), null);
});

test('runs become pages, ascending and joined', () => {
    const runs = [
        { gpa: '0x100000000', bytes: 4096 },
        { gpa: '0x3000', bytes: 4096 },
        { gpa: '0x1800', bytes: 0x1000 },
        { gpa: '0x90000000', bytes: 4096 },
    ];
    assert.deepEqual(f.pagesOf(REGIONS, runs), [
        [1, 3],
        [0x80000, 1],
    ]);
    assert.deepEqual(
        f.joinRuns([
            [5, 2],
            [0, 3],
            [1, 1],
            [3, 1],
        ]),
        [
            [0, 4],
            [5, 2],
        ],
    );
    assert.equal(
        f.countPages([
            [0, 4],
            [5, 2],
        ]),
        6,
    );
});

test('values are ordered by what they are', () => {
    const sorted = ['pid10', 'pid9', null, 'Alpha'].sort(f.compare);
    assert.deepEqual(sorted, ['Alpha', 'pid9', 'pid10', null]);
    assert.ok(f.compare('0xffffffff00000000', '0x1000') > 0);
    assert.ok(f.compare(2, 10) < 0);
});

test('a filter wants each of its words', () => {
    assert.ok(f.matches('SSH 95', ['sshd', 95, null]));
    assert.ok(!f.matches('ssh 96', ['sshd', 95]));
    assert.ok(f.matches('', ['x']));
});

test('a forest holds each row once, whatever the parents say', () => {
    const rows = [
        { pid: 1, ppid: 0 },
        { pid: 3, ppid: 1 },
        { pid: 2, ppid: 1 },
        { pid: 4, ppid: 3 },
        { pid: 7, ppid: 8 },
        { pid: 8, ppid: 7 },
        { pid: 9, ppid: 9 },
    ];
    const tree = f.forest(rows);
    assert.equal(tree.length, rows.length);
    assert.deepEqual(
        tree.slice(0, 4).map((t) => [t.row.pid, t.depth]),
        [
            [1, 0],
            [3, 1],
            [4, 2],
            [2, 1],
        ],
    );
    assert.deepEqual(new Set(tree.map((t) => t.row)), new Set(rows));
});

test('a long chain of parents is no deep recursion', () => {
    const rows = Array.from({ length: 20000 }, (_, i) => ({ pid: i + 1, ppid: i }));
    assert.equal(f.forest(rows).at(-1).depth, 19999);
});

test('bytes as lines of hex', () => {
    const [first, second] = f.hexLines('0xfff0', `48656c6c6f00${'20'.repeat(10)}41`, 16);
    assert.equal(first.text, 'Hello·          ');
    assert.equal(first.hex.length, 16);
    assert.deepEqual(second, { address: '0x10000', hex: ['41'], text: 'A' });
});

test('metrics by VM', () => {
    const found = f.metrics(
        '# TYPE x counter\nx_total{vm="a"} 2.5\nx_total{vm="b"} 1e3\n' +
            'x_bucket{vm="a",le="1"} 4\nnonsense\n',
    );
    assert.equal(found.get('x_total').get('a'), 2.5);
    assert.equal(found.get('x_total').get('b'), 1000);
    assert.equal(found.has('x_bucket'), false);
});
