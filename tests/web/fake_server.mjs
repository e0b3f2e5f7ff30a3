// tests/web/fake_server.mjs - a server of volume streams (docs/volume-stream.md) without vitrine: for
// tests of web/volume. Raw WebSocket frames over node's http, synthetic RAM or a file's.
//
//   node fake_server.mjs WEB-FOLDER [RAM-FILE [MiB]]    serves both until it is stopped
//   serve({web, routes, vm})                            the same for tests
import { createServer } from 'node:http';
import { createHash } from 'node:crypto';
import { readFileSync, openSync, readSync, closeSync } from 'node:fs';
import { deflateSync } from 'node:zlib';
import { join, normalize, extname } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { orderOf, boxOfPages } from '../../web/volume/hilbert.js';

const TYPES = {
    '.html': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript', '.css': 'text/css',
    '.png': 'image/png', '.svg': 'image/svg+xml',
};
export const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; " +
    "connect-src 'self'; worker-src 'self'";

const NAMES = ['hole', 'zero', 'free', 'kernel_text', 'kernel_data', 'kernel_reserved', 'kernel_slab',
    'kernel_stack', 'kernel_vmalloc', 'kernel_other', 'page_table', 'page_cache', 'user_code', 'user_file',
    'user_anon', 'user_heap', 'user_stack', 'like_text', 'like_code', 'like_packed', 'like_data'];
const COLOURS = ['1b1f27', '2b313c', '4a5262', 'ffe14d', 'f2b01e', '8f7434', 'ff8a3d', 'c6e04a', 'c98a3a',
    'dcc98a', 'f06bd0', '2fa89a', '3b82f6', '7cd4f7', '9d7bf2', 'f4433f', '2ecc5e', '7fd8be', '3b82f6',
    'd07be0', 'cfae7a'];
const COLOURBLIND = ['1b1f27', '2d333d', '565e6b', 'f0e442', 'e69f00', '7a5a14', 'ffcf70', '7fd6b8',
    'b98a2b', 'f6efb0', 'cc79a7', 'a9b4c4', '0072b2', '56b4e9', 'e8b7d2', 'd55e00', '009e73', '56b4e9',
    '0072b2', 'cc79a7', 'e69f00'];
export const CLASSES = NAMES.map((name, i) => ({
    name, title: name, default: `#${COLOURS[i]}`, colorblind: `#${COLOURBLIND[i]}`,
}));

/* ---- RAM ---- */

const next = (x) => (Math.imul(x, 1664525) + 1013904223) >>> 0;

/** The world of tests/unit/volume/test_view.c: pages of all classes by one generator. */
export function syntheticRam(pages) {
    const bytes = new Uint8Array(pages * 4096), classes = new Uint8Array(pages);
    const owners = new Uint8Array(pages);
    let x = 7;
    const random = () => {
        x = next(x);
        return x >>> 8;
    };
    for (let page = 0; page < pages;) {
        const pageClass = random() % NAMES.length, owner = random() % 4, kind = random() % 4;
        for (let run = 1 + random() % 6; run > 0 && page < pages; run--, page++) {
            classes[page] = pageClass;
            owners[page] = owner;
            for (let i = 0; i < 4096; i++) {
                const r = random();
                const byte = kind === 0 ? (r % 97 === 0 ? r >> 8 : 0) : kind === 1 ? 32 + r % 95
                    : kind === 2 ? (i % 64 < 20 ? i : 0) : r;
                bytes[page * 4096 + i] = pageClass < 2 ? 0 : byte;
            }
        }
    }
    return { pages, bytes, classes, owners };
}

/** RAM of a file (its first bytes), with classes by what pages look like. */
export function ramOfFile(path, bytesMax) {
    const bytes = new Uint8Array(bytesMax), file = openSync(path, 'r');
    const n = readSync(file, bytes, 0, bytesMax, 0);
    closeSync(file);
    const pages = Math.floor(n / 4096), classes = new Uint8Array(pages), owners = new Uint8Array(pages);
    for (let page = 0; page < pages; page++) {
        let zeros = 0, text = 0;
        for (let i = page * 4096; i < (page + 1) * 4096; i++) {
            zeros += bytes[i] === 0 ? 1 : 0;
            text += bytes[i] >= 32 && bytes[i] < 127 ? 1 : 0;
        }
        classes[page] = zeros === 4096 ? 0 : text > 3000 ? 17 : zeros > 2500 ? 20 : page % 97 < 40 ? 12 : 15;
        owners[page] = classes[page] === 15 ? 1 + page % 3 : 0;
    }
    return { pages, bytes, classes, owners };
}

function cellsOf(ram, page, level) {
    const from = ram.bytes.subarray(page * 4096, (page + 1) * 4096);
    if (level === 0) {
        return from;
    }
    const n = 4096 >> (3 * level), size = 8 ** level, out = new Uint8Array(n);
    for (let i = 0; i < n; i++) {
        let sum = 0;
        for (let k = i * size; k < (i + 1) * size; k++) {
            sum += from[k];
        }
        out[i] = Math.max(Math.floor(sum / size + 0.5), sum > 0 ? 1 : 0);
    }
    return out;
}

/* ---- messages ---- */

function binary(kind, flags, payload, time, deflate = true) {
    const body = deflate ? deflateSync(payload, { level: 1 }) : payload, header = Buffer.alloc(16);
    header[0] = kind;
    header[1] = flags | (deflate ? 1 : 0);
    header.writeUInt32LE(payload.length, 4);
    header.writeDoubleLE(time, 8);
    return Buffer.concat([header, body]);
}

function runsOf(pages) {
    const runs = [];
    for (const page of pages) {
        const last = runs[runs.length - 1];
        if (last && last[0] + last[1] === page) {
            last[1]++;
        } else {
            runs.push([page, 1]);
        }
    }
    return runs;
}

function withRuns(first, second, runs, rest) {
    return Buffer.concat([Buffer.from(new Uint32Array([first, second, ...runs.flat()]).buffer), ...rest]);
}

export function pagesMessage(ram, level, pages, key, time, deflate) {
    const runs = runsOf(pages);
    return binary(1, key ? 2 : 0,
        withRuns(level, runs.length, runs, pages.map((page) => cellsOf(ram, page, level))), time, deflate);
}

export function attributesMessage(ram, pages, time, deflate) {
    const runs = runsOf(pages);
    const words = Uint8Array.from(pages.flatMap((page) => [ram.classes[page], ram.owners[page]]));
    return binary(2, 0, withRuns(runs.length, 0, runs, [words]), time, deflate);
}

export function helloOf(ram, frames = null) {
    const order = orderOf(ram.pages * 4096);
    return {
        type: 'hello', protocol: 'vitrine.volume.v1', vm: 'fake', ram_bytes: ram.pages * 4096,
        pages: ram.pages, order, grid: boxOfPages(order, 0, ram.pages).max.map((v) => (v >> 4) + 1),
        regions: [{ gpa: '0x0', offset: '0x0', bytes: ram.pages * 4096 }], classes: CLASSES, frames,
    };
}

/* ---- WebSocket ---- */

function frameOf(opcode, payload) {
    const n = payload.length;
    const head = n < 126 ? Buffer.from([0x80 | opcode, n])
        : n < 65536 ? Buffer.from([0x80 | opcode, 126, n >> 8, n & 255])
            : Buffer.concat([Buffer.from([0x80 | opcode, 127]), (() => {
                const b = Buffer.alloc(8);
                b.writeBigUInt64BE(BigInt(n));
                return b;
            })()]);
    return Buffer.concat([head, payload]);
}

/** One client of a stream: texts and binary messages both ways, and credit. */
export class Client {
    constructor(socket, take) {
        this.socket = socket;
        this.pending = Buffer.alloc(0);
        this.credit = 0;
        this.said = []; /* every text of it */
        this.waiting = [];
        socket.on('data', (data) => this.data(data, take));
        socket.on('error', () => {});
    }

    data(data, take) {
        this.pending = Buffer.concat([this.pending, data]);
        for (;;) {
            const b = this.pending;
            if (b.length < 6) {
                return;
            }
            let n = b[1] & 127, at = 2;
            if (n === 126) {
                n = b.readUInt16BE(2);
                at = 4;
            } else if (n === 127) {
                n = Number(b.readBigUInt64BE(2));
                at = 10;
            }
            if (b.length < at + 4 + n) {
                return;
            }
            const mask = b.subarray(at, at + 4), body = Buffer.from(b.subarray(at + 4, at + 4 + n));
            body.forEach((v, i) => {
                body[i] = v ^ mask[i % 4];
            });
            const opcode = b[0] & 15;
            this.pending = b.subarray(at + 4 + n);
            if (opcode === 8) {
                this.closed = { code: body.length >= 2 ? body.readUInt16BE(0) : 1005,
                    reason: body.subarray(2).toString() };
                this.socket.end(frameOf(8, body));
                return;
            }
            if (opcode === 1) {
                const message = JSON.parse(body.toString());
                this.said.push(message);
                this.credit += message.credit ?? (message.type === 'credit' ? message.bytes : 0);
                this.go();
                take(this, message);
            }
        }
    }

    text(message) {
        this.socket.write(frameOf(1, Buffer.from(typeof message === 'string' ? message : JSON.stringify(message))));
    }

    /** Sends a binary message when there is credit for it. */
    binary(message) {
        this.waiting.push(message);
        this.go();
    }

    go() {
        while (this.waiting.length > 0 && this.waiting[0].length <= this.credit) {
            this.credit -= this.waiting[0].length;
            this.socket.write(frameOf(2, this.waiting.shift()));
        }
    }

    close(code, reason = '') {
        const body = Buffer.alloc(2 + reason.length);
        body.writeUInt16BE(code, 0);
        body.write(reason, 2);
        this.socket.end(frameOf(8, body));
    }
}

const CHUNK = 64; /* pages of a message */

/** What a server does for a client that starts: attributes, then the key frame. */
export function sendKey(client, ram, level, time) {
    const pages = Array.from({ length: ram.pages }, (_, i) => i);
    client.binary(attributesMessage(ram, pages, time));
    const there = pages.filter((page) => ram.classes[page] !== 0);
    for (let i = 0; i < there.length; i += CHUNK * (level + 1) ** 2) {
        client.binary(pagesMessage(ram, level, there.slice(i, i + CHUNK * (level + 1) ** 2), true, time));
    }
    client.text({ type: 'complete' });
}

/** Serves `web` (a folder) below /web/, `routes` (path -> {type, body}), and `vm(client, message)`
 *  at every WebSocket; `greet(client)` says hello. Resolves to {port, clients, close()}. */
export function serve({ web, routes = {}, greet, take = () => {} }) {
    const clients = [];
    const server = createServer((request, response) => {
        const path = decodeURIComponent(new URL(request.url, 'http://x').pathname);
        let found = routes[path];
        if (!found && path.startsWith('/web/')) {
            const name = normalize(join(web, path.slice(5)));
            try {
                found = { type: TYPES[extname(name)] ?? 'text/plain', body: readFileSync(name) };
            } catch { /* not there */ }
        }
        response.writeHead(found ? 200 : 404, { 'content-type': found?.type ?? 'text/plain',
            'content-security-policy': CSP, 'cache-control': 'no-store' });
        response.end(found?.body ?? 'not found');
    });
    server.on('upgrade', (request, socket) => {
        const key = request.headers['sec-websocket-key'];
        const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
        socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
            `Sec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: vitrine.volume.v1\r\n\r\n`);
        const client = new Client(socket, take);
        client.path = request.url;
        clients.push(client);
        greet(client);
    });
    return new Promise((resolve) => {
        server.listen(0, '127.0.0.1', () => resolve({
            port: server.address().port, clients,
            close() {
                clients.forEach((c) => c.socket.destroy());
                server.closeAllConnections();
                return new Promise((done) => server.close(done));
            },
        }));
    });
}

/** A page with one volume. */
export const PAGE = {
    '/': { type: 'text/html', body: `<!doctype html><html><head><title>volume</title>
<link rel="stylesheet" href="/page.css"><script type="module" src="/web/volume/view.js"></script></head>
<body><vitrine-volume id="v" vm="fake"></vitrine-volume></body></html>` },
    '/page.css': { type: 'text/css', body: 'html,body{margin:0;height:100%}vitrine-volume{width:100%;height:100%}' },
    '/favicon.ico': { type: 'image/png', body: '' },
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    const [web, file, mib] = process.argv.slice(2);
    const ram = file ? ramOfFile(file, Number(mib ?? 64) << 20) : syntheticRam(4096);
    const started = Date.now(), time = () => (Date.now() - started) / 1000;
    const { port } = await serve({
        web, routes: PAGE, greet: (client) => client.text(helloOf(ram)),
        take(client, message) {
            if (message.type === 'start') {
                client.text({ type: 'owners', owners: [{ pid: 1, name: 'init' }, { pid: 70, name: 'sshd' }] });
                client.text({ type: 'highlights', highlights: [{ name: 'h', label: 'a place', colour: '#ff40a0',
                    pages: [[100, 60]] }] });
                client.level = message.level;
                sendKey(client, ram, message.level, time());
                const timer = setInterval(() => {
                    if (client.socket.destroyed) {
                        clearInterval(timer);
                        return;
                    }
                    const page = Math.floor(Math.random() * ram.pages);
                    const pages = [page, page + 1, page + 2].filter((p) => p < ram.pages && ram.classes[p] !== 0);
                    if (client.waiting.length === 0 && pages.length > 0) {
                        client.binary(pagesMessage(ram, client.level, pages, false, time()));
                    }
                }, 500);
            } else if (message.type === 'level') {
                client.level = message.level;
                sendKey(client, ram, message.level, time());
            } else if (message.type === 'fine') {
                for (const [first, n] of message.pages) {
                    client.binary(pagesMessage(ram, message.level,
                        Array.from({ length: n }, (_, i) => first + i), true, time()));
                }
            }
        },
    });
    process.stdout.write(`http://127.0.0.1:${port}/\n`);
}
