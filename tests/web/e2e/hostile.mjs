// tests/web/e2e/hostile.mjs - clients of the stream that are no page of ours: nonsense over the
// WebSocket, and one that stops reading. The server says why, grows by nothing, and serves others.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { test } from 'node:test';
import { until, vms } from './lib.mjs';

/** A WebSocket of the stream: `texts` and `bytes` that came, `closed` {code, reason} once it is. */
function client(server, vm, protocols = ['vitrine.volume.v1']) {
    const socket = new WebSocket(`${server.url.replace('http', 'ws')}/api/v1/vms/${vm}/volume`, protocols);
    const c = { socket, texts: [], bytes: 0, closed: null };
    socket.binaryType = 'arraybuffer';
    socket.onmessage = ({ data }) => (typeof data === 'string' ? c.texts.push(JSON.parse(data)) : (c.bytes += data.byteLength));
    c.opened = new Promise((done, failed) => {
        socket.onopen = done;
        socket.onerror = failed;
    });
    socket.onclose = ({ code, reason }) => (c.closed = { code, reason });
    c.send = (message) => socket.send(typeof message === 'string' ? message : JSON.stringify(message));
    return c;
}

const start = { type: 'start', level: 4, hz: 10, credit: 1 << 20 };

const nonsense = {
    'no JSON': ['{"type": "start", '],
    'an array': ['[]'],
    'no type': ['{}'],
    'another type': [{ type: 'shutdown' }],
    'credit before the start': [{ type: 'credit', bytes: 1 }],
    'a level beyond': [{ ...start, level: 5 }],
    'a level that is none': [{ ...start, level: '4' }],
    'no rate': [{ ...start, hz: 0 }],
    'credit below zero': [{ ...start, credit: -1 }],
    'started twice': [start, start],
    'a member too many': [{ ...start, please: true }],
    'too many runs': [start, { type: 'fine', level: 3, pages: Array.from({ length: 5000 }, (_, i) => [i, 1]) }],
    'runs beyond 32 bits': [start, { type: 'fine', level: 3, pages: [[4294967296, 1]] }],
    'a picture too large': [start, {
        type: 'view', id: 1, width: 100000, height: 100000, quality: 80, moving: false,
        camera: { eye: [2, 2, 2], target: [0, 0, 0], up: [0, 0, 1], fov_y: 0.8 }, scene: {},
    }],
    'a camera of no numbers': [start, {
        type: 'view', id: 1, width: 64, height: 64, quality: 80, moving: false,
        camera: { eye: ['x'], target: null, up: {}, fov_y: 1e400 }, scene: {},
    }],
    'a text too long': [start, `{"type":"${'x'.repeat(70000)}"}`],
};

export default function hostile(world) {
    test('nonsense over the WebSocket is answered with why, and a close', async () => {
        const { server } = world;
        for (const [what, messages] of Object.entries(nonsense)) {
            const c = client(server, vms[0]);
            await c.opened;
            messages.forEach(c.send);
            await until(`${what}: closed`, () => c.closed);
            /* 1009, too large, says it all. */
            assert(c.closed.code === 1009 || (c.closed.code === 1008 && c.closed.reason !== ''), `${what}: ${JSON.stringify(c.closed)}`);
        }
        const outside = client(server, vms[0]);
        await outside.opened;
        [start, { type: 'fine', level: 3, pages: [[4294967295, 4294967295]] }].forEach(outside.send);
        await until('pages outside are none', () => outside.texts.some((t) => t.type === 'complete'));
        outside.socket.close();
        const c = client(server, vms[0]);
        await c.opened;
        c.socket.send(randomBytes(4096));
        await until('bytes: closed', () => c.closed);
        assert([1003, 1008].includes(c.closed.code), JSON.stringify(c.closed));
        assert(server.running);
    });

    test('what is no stream is refused at the handshake', async () => {
        const { server } = world;
        for (const [path, protocols] of [
            [vms[0], ['vitrine.other.v1']], ['nobody', ['vitrine.volume.v1']],
        ]) {
            const c = client(server, path, protocols);
            await assert.rejects(c.opened, undefined, `${path} ${protocols}`);
        }
    });

    test('a client that stops reading costs the server nothing that grows', async () => {
        const { server } = world;
        const good = client(server, vms[0]);
        await good.opened;
        good.send({ ...start, credit: 16 << 20 });
        await until('a key frame', () => good.texts.some((t) => t.type === 'complete'));
        const before = server.privateBytes();

        const stalled = await Promise.all(vms.flatMap((vm) => [0, 1, 2].map(() => stall(server, vm))));
        const stats = () => good.texts.filter((t) => t.type === 'stats').length;
        const seen = stats();
        await until('the other one is served all the while', () => stats() >= seen + 5);
        const grown = server.privateBytes() - before;
        assert(grown < 48 << 20, `the server grew by ${grown} bytes for ${stalled.length} stalled clients`);
        // Buffers fill as fast as the machine lets them; what grows for ever has no quiet five seconds.
        let quiet = false;
        for (let i = 0; i < 8 && !quiet; i++) {
            const at = server.privateBytes(), told = stats();
            await until('and goes on', () => stats() >= told + 5);
            quiet = server.privateBytes() - at < 1 << 20;
        }
        assert(quiet, 'it goes on growing');
        assert(server.privateBytes() - before < 48 << 20, 'and is larger than it may be');
        stalled.forEach((s) => s.destroy());
        good.socket.close();
    });
}

/** A socket that starts a fine stream with all the credit there is, again and again, and reads nothing. */
function stall(server, vm) {
    return new Promise((done, failed) => {
        const socket = connect(server.port, '127.0.0.1');
        socket.on('error', () => {}); /* the server may cut it off */
        socket.once('connect', () => {
            socket.write(`GET /api/v1/vms/${vm}/volume HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nUpgrade: websocket\r\n`
                + `Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n`
                + 'Sec-WebSocket-Protocol: vitrine.volume.v1\r\n\r\n');
        });
        socket.once('data', (data) => {
            socket.pause();
            if (!data.toString('latin1').startsWith('HTTP/1.1 101 ')) {
                failed(new Error(data.toString('latin1')));
                return;
            }
            socket.write(frame({ ...start, level: 0, hz: 60, credit: 16 << 20 }));
            for (let i = 0; i < 100; i++) {
                socket.write(frame({ type: 'credit', bytes: 16 << 20 }));
            }
            done(socket);
        });
    });
}

/** A masked text frame (RFC 6455, 5.2) of at most 125 bytes; the mask is zero. */
function frame(message) {
    const text = Buffer.from(JSON.stringify(message));
    assert(text.length < 126);
    return Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), text]);
}
