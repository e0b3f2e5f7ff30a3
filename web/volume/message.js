/* message.js - what the server says on the volume's stream (docs/volume-stream.md), read strictly:
 * a message either is what the document says or throws a StreamError that tells what is wrong with
 * it. Nothing is copied: arrays are views of the message's own bytes.
 */

export const KIND_PAGES = 1, KIND_ATTRIBUTES = 2, KIND_FRAME = 3;
export const CODEC_JPEG = 1, CODEC_H264 = 2;
export const HEADER_BYTES = 16;

const FLAG_DEFLATED = 1, FLAG_KEY = 2;
const PAYLOAD_MAX = 1 << 28;
const PAGES_MAX = 1 << 24; /* 64 GiB of RAM: what a page in a browser can keep the facts of */
const LEVEL_MAX = 4;
const HIGHLIGHTS_MAX = 256, RUNS_MAX = 131072, BOXES_MAX = 64, OWNERS_MAX = 64, CLASSES_MAX = 32;
const REGIONS_MAX = 64;

/** A message that is not one. */
export class StreamError extends Error {
    constructor(message) {
        super(message);
        this.name = 'StreamError';
    }
}

function require(condition, what) {
    if (!condition) {
        throw new StreamError(what);
    }
}

/** Bytes of one page's cells on a level. */
export function cellsOfLevel(level) {
    return 4096 >> (3 * level);
}

/* ---- binary ---- */

/** The header of a binary message (an ArrayBuffer). */
export function parseHeader(message) {
    require(message.byteLength >= HEADER_BYTES, 'a message of less than its header');
    const view = new DataView(message, 0, HEADER_BYTES);
    const kind = view.getUint8(0), flags = view.getUint8(1);
    const header = {
        kind, deflated: (flags & FLAG_DEFLATED) !== 0, key: (flags & FLAG_KEY) !== 0,
        bytes: view.getUint32(4, true), time: view.getFloat64(8, true),
    };
    require(kind >= KIND_PAGES && kind <= KIND_FRAME, `a message of kind ${kind}`);
    require((flags & ~(FLAG_DEFLATED | FLAG_KEY)) === 0 && view.getUint16(2, true) === 0,
        'a header with bits that mean nothing');
    require(header.bytes <= PAYLOAD_MAX, `a payload of ${header.bytes} bytes`);
    require(Number.isFinite(header.time) && header.time >= 0, 'a time that is none');
    require(header.deflated || header.bytes === message.byteLength - HEADER_BYTES,
        'a payload that is not as long as its header says');
    return header;
}

function words(payload, at, n) {
    const view = new DataView(payload.buffer, payload.byteOffset + at, n * 4);
    const out = new Uint32Array(n);
    for (let i = 0; i < n; i++) {
        out[i] = view.getUint32(4 * i, true);
    }
    return out;
}

/* Two words, then runs: how many pages they have, all of which are below `pages`. */
function parseRuns(payload, n, pages) {
    require(n <= (payload.length - 8) / 8, `${n} runs in ${payload.length} bytes`);
    const runs = words(payload, 8, n * 2);
    let total = 0;
    for (let i = 0; i < runs.length; i += 2) {
        require(runs[i + 1] > 0 && runs[i] + runs[i + 1] <= pages,
            `a run of ${runs[i + 1]} pages from ${runs[i]} on, of ${pages}`);
        total += runs[i + 1];
    }
    return { runs, total, at: 8 + n * 8 };
}

function parsePages(payload, pages) {
    require(payload.length >= 8, 'pages that are cut off');
    const [level, n] = words(payload, 0, 2);
    require(level <= LEVEL_MAX, `pages of level ${level}`);
    const { runs, total, at } = parseRuns(payload, n, pages);
    require(payload.length - at === total * cellsOfLevel(level),
        `${payload.length - at} bytes of cells for ${total} pages of level ${level}`);
    return { level, runs, pages: total, cells: payload.subarray(at) };
}

function parseAttributes(payload, pages) {
    require(payload.length >= 8, 'attributes that are cut off');
    const [n, zero] = words(payload, 0, 2);
    require(zero === 0, 'attributes with a word that means nothing');
    const { runs, total, at } = parseRuns(payload, n, pages);
    require(payload.length - at === total * 2,
        `${payload.length - at} bytes of attributes for ${total} pages`);
    return { runs, pages: total, attributes: payload.subarray(at) };
}

function parseFrame(payload) {
    require(payload.length >= 12, 'a frame that is cut off');
    const view = new DataView(payload.buffer, payload.byteOffset, 12);
    const frame = {
        id: view.getUint32(0, true), width: view.getUint16(4, true),
        height: view.getUint16(6, true), codec: view.getUint8(8),
        independent: view.getUint8(9) === 1, scale: view.getUint16(10, true),
        picture: payload.subarray(12),
    };
    require(frame.codec === CODEC_JPEG || frame.codec === CODEC_H264,
        `a frame of codec ${frame.codec}`);
    require(frame.width > 0 && frame.height > 0, 'a frame without pixels');
    return frame;
}

/** The payload (a Uint8Array, inflated) of a message with that header, of a VM with so many pages:
 *  {kind, key, time} and, by kind, level, runs, pages, cells | runs, pages, attributes | id, width,
 *  height, codec, independent, scale, picture. Runs are a Uint32Array: first, pages, first, … */
export function parsePayload(header, payload, pages) {
    require(payload.length === header.bytes, 'a payload that is not as long as its header says');
    const { kind, key, time } = header;
    const parts = kind === KIND_PAGES ? parsePages(payload, pages)
        : kind === KIND_ATTRIBUTES ? parseAttributes(payload, pages) : parseFrame(payload);
    return { kind, key, time, ...parts };
}

/* ---- texts ---- */

const isCount = (v, max = Number.MAX_SAFE_INTEGER) => Number.isInteger(v) && v >= 0 && v <= max;
const isColour = (v) => typeof v === 'string' && /^#[0-9a-f]{6}$/i.test(v);
const isPoint = (v) => Array.isArray(v) && v.length === 3 && v.every((c) => isCount(c, 1 << 21));

/** An address: a number, or hexadecimal digits as text; exact below 2^53. */
export function addressOf(v) {
    return typeof v === 'string' && /^0x[0-9a-f]{1,13}$/i.test(v) ? Number.parseInt(v, 16) : v;
}

function list(v, max, what) {
    require(Array.isArray(v) && v.length <= max, `${what}: no list of at most ${max}`);
    return v;
}

function parseRegion(r) {
    const region = { gpa: addressOf(r?.gpa), offset: addressOf(r?.offset), bytes: addressOf(r?.bytes) };
    require(isCount(region.gpa) && isCount(region.offset) && isCount(region.bytes),
        'hello: a region without addresses');
    return region;
}

function parseClass(c) {
    require(typeof c?.name === 'string' && isColour(c.default) && isColour(c.colorblind),
        'hello: a class without a name or colours');
    return { ...c, title: typeof c.title === 'string' ? c.title : c.name };
}

function parseHello(m) {
    require(isCount(m.pages, PAGES_MAX) && m.pages > 0, `hello: ${m.pages} pages`);
    require(isCount(m.order, 21) && m.order >= 5 && m.pages <= 2 ** (3 * (m.order - 4)),
        `hello: a volume of order ${m.order} for ${m.pages} pages`);
    require(isPoint(m.grid) && m.grid.every((n) => n >= 1 && n <= 2 ** (m.order - 4)),
        'hello: a grid that does not fit its order');
    return {
        ...m,
        ram_bytes: isCount(m.ram_bytes) ? m.ram_bytes : m.pages * 4096,
        regions: list(m.regions ?? [], REGIONS_MAX, 'hello: regions').map(parseRegion),
        classes: list(m.classes, CLASSES_MAX, 'hello: classes').map(parseClass),
        frames: m.frames ?? null,
    };
}

function parseHighlights(m) {
    let total = 0;
    const highlights = list(m.highlights, HIGHLIGHTS_MAX, 'highlights').map((h) => {
        require(typeof h?.name === 'string' && isColour(h.colour),
            'highlights: one without a name or a colour');
        const pages = list(h.pages ?? [], RUNS_MAX, 'highlights: pages');
        require(pages.every((r) => Array.isArray(r) && r.length === 2 && r.every((v) => isCount(v))),
            'highlights: pages that are no runs');
        const boxes = h.boxes === undefined ? undefined : list(h.boxes, BOXES_MAX, 'highlights: boxes');
        require((boxes ?? []).every((b) => isPoint(b?.min) && isPoint(b?.max)), 'highlights: no boxes');
        total += pages.length;
        return { ...h, label: typeof h.label === 'string' ? h.label : h.name, pages, boxes };
    });
    require(total <= RUNS_MAX, `highlights of ${total} runs`);
    return { ...m, highlights };
}

function parseOwners(m) {
    const owners = list(m.owners, OWNERS_MAX, 'owners');
    require(owners.every((o) => Number.isInteger(o?.pid)), 'owners: one without a pid');
    return { ...m, owners: owners.map((o) => ({ pid: o.pid, name: String(o.name ?? '') })) };
}

/** A text: an object with `type`. Types that this side does not know pass as they are. */
export function parseText(text) {
    let m;
    try {
        m = JSON.parse(text);
    } catch {
        throw new StreamError('a text that is no JSON');
    }
    require(m !== null && typeof m === 'object' && typeof m.type === 'string', 'a text without a type');
    switch (m.type) {
    case 'hello':
        return parseHello(m);
    case 'highlights':
        return parseHighlights(m);
    case 'owners':
        return parseOwners(m);
    default:
        return m;
    }
}
