/* web/volume: messages that are none, connections that end, credit, what a model makes of pages. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deflateSync } from 'node:zlib';
import { Connection } from '../../../web/volume/connection.js';
import { inflate } from '../../../web/volume/inflate.js';
import { parseHeader, parsePayload, parseText, StreamError } from '../../../web/volume/message.js';
import { Model } from '../../../web/volume/model.js';
import { attributesMessage, helloOf, pagesMessage, syntheticRam } from '../fake_server.mjs';

const ram = syntheticRam(64),
    hello = helloOf(ram),
    all = Array.from({ length: 64 }, (_, i) => i);
const copy = (buffer) => Uint8Array.from(buffer).buffer;

async function parse(message, pages = 64) {
    const header = parseHeader(message),
        rest = new Uint8Array(message, 16);
    return parsePayload(header, header.deflated ? await inflate(rest, header.bytes) : rest, pages);
}

let x = 11;
function random(n) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    return Math.floor(((x >>> 8) / 2 ** 24) * n);
}

test('messages are what was sent', async () => {
    for (const deflate of [false, true]) {
        for (let level = 0; level <= 4; level++) {
            const m = await parse(copy(pagesMessage(ram, level, [3, 4, 9], true, 1.5, deflate)));
            assert.deepEqual(
                [m.kind, m.level, m.key, m.time, [...m.runs]],
                [1, level, true, 1.5, [3, 2, 9, 1]],
            );
            assert.equal(m.cells.length, 3 * (4096 >> (3 * level)));
        }
        const a = await parse(copy(attributesMessage(ram, all, 2, deflate)));
        assert.deepEqual(
            [a.kind, a.pages, a.attributes[10], a.attributes[11]],
            [2, 64, ram.classes[5], ram.owners[5]],
        );
    }
});

test('any bytes are a message or a StreamError', async () => {
    const seeds = [
        pagesMessage(ram, 1, [3, 4, 9], true, 1, false),
        pagesMessage(ram, 0, [1], false, 1),
        attributesMessage(ram, all, 2, false),
        attributesMessage(ram, [7], 2),
    ];
    let good = 0,
        bad = 0;
    for (let round = 0; round < 4000; round++) {
        let bytes = Buffer.from(seeds[round % seeds.length]);
        for (let n = random(4); n > 0; n--) {
            bytes[random(Math.min(bytes.length, 60))] = random(256);
        }
        bytes = round % 5 === 0 ? bytes.subarray(0, random(bytes.length)) : bytes;
        try {
            const m = await parse(copy(bytes));
            for (let i = 0; i < (m.runs?.length ?? 0); i += 2) {
                assert.ok(m.runs[i] + m.runs[i + 1] <= 64);
            }
            good++;
        } catch (error) {
            assert.ok(error instanceof StreamError, `${error.stack}`);
            bad++;
        }
    }
    assert.ok(good > 500 && bad > 500, `${good} good, ${bad} bad`);
});

test('texts are checked', () => {
    assert.equal(parseText(JSON.stringify(hello)).pages, 64);
    assert.equal(parseText('{"type":"later"}').type, 'later');
    const broken = [
        '',
        '[]',
        'null',
        '{"type":1}',
        JSON.stringify({ ...hello, pages: 65 }),
        JSON.stringify({ ...hello, pages: -1 }),
        JSON.stringify({ ...hello, pages: 1e15 }),
        JSON.stringify({ ...hello, order: 99 }),
        JSON.stringify({ ...hello, grid: [4, 4, 400] }),
        JSON.stringify({
            ...hello,
            classes: [{ name: 'x', default: 'red', colorblind: '#000000' }],
        }),
        JSON.stringify({ ...hello, regions: [{ gpa: 'x' }] }),
        '{"type":"highlights","highlights":[{"name":"h","colour":"#ffffff","pages":[[1]]}]}',
        '{"type":"highlights","highlights":[{"name":"h","colour":"url(x)","pages":[]}]}',
        '{"type":"owners","owners":[{}]}',
    ];
    for (const text of broken) {
        assert.throws(() => parseText(text), StreamError, text);
    }
});

test('what inflates to more or less than was promised is refused', async () => {
    const deflated = deflateSync(Buffer.alloc(1 << 20));
    await assert.rejects(inflate(deflated, 1000), StreamError);
    await assert.rejects(inflate(deflated, (1 << 20) + 1), StreamError);
    await assert.rejects(inflate(deflated.subarray(0, 20), 1 << 20), StreamError);
    await assert.rejects(inflate(Buffer.from('nonsense'), 10), StreamError);
    assert.equal((await inflate(deflated, 1 << 20)).length, 1 << 20);
});

/* ---- connections ---- */

class FakeSocket {
    static all = [];

    constructor(url, protocols) {
        Object.assign(this, { url, protocols, readyState: 1, sent: [] });
        FakeSocket.all.push(this);
    }

    send(text) {
        this.sent.push(JSON.parse(text));
    }

    close(code) {
        this.closedWith = code;
        this.readyState = 3;
    }

    say(data) {
        this.onmessage({ data });
    }
}

function connect() {
    FakeSocket.all = [];
    const seen = { states: [], texts: [], releases: [], binaries: [] };
    const connection = new Connection(
        { url: 'ws://x/', token: 't' },
        {
            state: (state, message) => seen.states.push([state, message]),
            text: (text) => {
                seen.texts.push(text);
                if (text.type === 'hello') {
                    connection.send({ type: 'start', level: 0, hz: 20 });
                }
            },
            binary: (message, release) => {
                seen.binaries.push(message);
                seen.releases.push(release);
            },
        },
        FakeSocket,
    );
    return { connection, seen, socket: FakeSocket.all[0] };
}

test('credit is given back as messages are dealt with', async () => {
    const { connection, seen, socket } = connect();
    assert.deepEqual(socket.protocols, ['vitrine.volume.v1', 'vitrine.token.t']);
    socket.say(JSON.stringify(hello));
    await connection.queue;
    assert.equal(socket.sent[0].type, 'start');
    assert.equal(socket.sent[0].credit, 8 << 20);
    let bytes = 0;
    for (let i = 0; i < 4; i++) {
        const message = copy(pagesMessage(ram, 0, all.slice(0, 32), true, 1, false));
        bytes += message.byteLength;
        socket.say(message);
    }
    await connection.queue;
    assert.equal(seen.binaries.length, 4);
    assert.equal(socket.sent.length, 1, 'nothing yet: nothing was dealt with');
    seen.releases.forEach((release) => release());
    const given = socket.sent.slice(1).map((m) => m.bytes);
    assert.ok(given.length > 0 && given.reduce((a, b) => a + b) <= bytes);
    connection.close();
});

test('a message that is none ends the stream and is said', async () => {
    const { connection, seen, socket } = connect();
    socket.say(JSON.stringify(hello));
    socket.say(copy(Buffer.from('nonsense')));
    socket.say(copy(pagesMessage(ram, 0, [1], true, 1)));
    await connection.queue;
    assert.equal(seen.binaries.length, 0);
    assert.deepEqual(seen.states.at(-1), [
        'refused',
        'the server sent a message of less than its header',
    ]);
    assert.equal(socket.closedWith, 4002);
    connection.close();
});

test('a VM that ended is asked for again, and begins anew', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { connection, seen, socket } = connect();
    socket.say(JSON.stringify(hello));
    socket.say('{"type":"ended"}');
    socket.onclose({ code: 1000, reason: '' });
    await connection.queue;
    assert.equal(seen.states.at(-1)[0], 'ended');
    t.mock.timers.tick(1000);
    assert.equal(FakeSocket.all.length, 2);
    FakeSocket.all[1].say(JSON.stringify(hello));
    await connection.queue;
    assert.equal(seen.states.at(-1)[0], 'live');
    assert.equal(FakeSocket.all[1].sent[0].type, 'start');
    FakeSocket.all[1].onclose({ code: 1008, reason: 'level 9' });
    await connection.queue;
    assert.deepEqual(seen.states.at(-1), ['refused', 'level 9']);
    t.mock.timers.tick(100000);
    assert.equal(FakeSocket.all.length, 2, 'what was refused is not asked again');
    connection.close();
});

/* ---- the model ---- */

test('a model holds what came', async () => {
    const model = new Model(hello, 0);
    model.takeAttributes(await parse(copy(attributesMessage(ram, all, 1))));
    model.takePages(await parse(copy(pagesMessage(ram, 0, all, true, 1))), 1001);
    for (const page of all) {
        assert.deepEqual(model.cellsOf(page), ram.bytes.subarray(page * 4096, (page + 1) * 4096));
        assert.equal(model.attributeOf(page).class, ram.classes[page]);
        assert.equal(model.attributeOf(page).newest, 0);
    }
    for (const level of [1, 2, 3, 4]) {
        const m = await parse(copy(pagesMessage(ram, level, all, true, 1)));
        const c = 4096 >> (3 * level);
        for (const page of all) {
            model.cellsOf(page, level).forEach((v, i) => {
                const is = m.cells[page * c + i];
                assert.ok(
                    Math.abs(v - is) <= level - 1 && (v === 0) === (is === 0),
                    `page ${page}, level ${level}: ${v}, not ${is}`,
                );
            });
        }
    }
    model.takePages(await parse(copy(pagesMessage(ram, 0, [7], false, 2))), 2001);
    assert.equal(model.attributeOf(7).newest, 2001);
    assert.equal(model.attributeOf(8).newest, 0);
    const there = all.find((page) => ram.classes[page] !== 0);
    const brick = boxCorner(model, there);
    assert.equal(model.voxel(...brick).page, there);
});

function boxCorner(model, page) {
    const b = model.brickOf[page],
        [gx, gy] = model.grid;
    return [(b % gx) * 16, (Math.floor(b / gx) % gy) * 16, Math.floor(b / gx / gy) * 16];
}

test('fine pages have slots while they are wanted', async () => {
    const model = new Model(hello, 2);
    model.takeAttributes(await parse(copy(attributesMessage(ram, all, 1))));
    model.takePages(await parse(copy(pagesMessage(ram, 2, all, true, 1))), 1);
    model.makePool(0, 4);
    model.wantFine(new Set([5, 6, 7, 8]));
    const fine = await parse(copy(pagesMessage(ram, 0, [5, 6, 7, 8, 9], true, 1)));
    model.takePages(fine, 1);
    assert.equal(model.levelOf(5), 0);
    assert.equal(model.levelOf(9), 2, 'not wanted');
    assert.deepEqual(model.cellsOf(6), ram.bytes.subarray(6 * 4096, 7 * 4096));
    model.wantFine(new Set([8, 9]));
    assert.equal(model.levelOf(5), 2);
    model.takePages(await parse(copy(pagesMessage(ram, 0, [9], true, 1))), 1);
    assert.deepEqual(model.cellsOf(9), ram.bytes.subarray(9 * 4096, 10 * 4096));
    assert.deepEqual(model.cellsOf(8), ram.bytes.subarray(8 * 4096, 9 * 4096));
});
