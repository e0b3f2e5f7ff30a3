// tests/web/e2e/png.mjs - screenshots as pixels: 8 bits, RGB or RGBA, not interlaced (PNG, third edition).
import assert from 'node:assert/strict';
import { inflateSync } from 'node:zlib';

function paeth(a, b, c) {
    const p = a + b - c, pa = Math.abs(p - a), pb = Math.abs(p - b), pc = Math.abs(p - c);
    return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
}

/** {width, height, at(x, y) -> [r, g, b]} */
export function decodePng(file) {
    let width, height, step;
    const parts = [];
    for (let at = 8; at < file.length; at += 12 + file.readUInt32BE(at)) {
        const type = file.toString('latin1', at + 4, at + 8), data = file.subarray(at + 8, at + 8 + file.readUInt32BE(at));
        if (type === 'IHDR') {
            [width, height] = [data.readUInt32BE(0), data.readUInt32BE(4)];
            step = { 2: 3, 6: 4 }[data[9]];
            assert(data[8] === 8 && step && data[12] === 0, 'a kind of PNG that is not read here');
        } else if (type === 'IDAT') {
            parts.push(data);
        }
    }
    const raw = inflateSync(Buffer.concat(parts)), bytes = width * step, out = Buffer.alloc(bytes * height);
    for (let y = 0; y < height; y++) {
        const filter = raw[y * (bytes + 1)], line = y * bytes;
        for (let i = 0; i < bytes; i++) {
            const left = i >= step ? out[line + i - step] : 0, up = y > 0 ? out[line - bytes + i] : 0;
            const corner = i >= step && y > 0 ? out[line - bytes + i - step] : 0;
            const guess = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter];
            out[line + i] = raw[y * (bytes + 1) + 1 + i] + guess;
        }
    }
    return { width, height, at: (x, y) => [...out.subarray(y * bytes + x * step, y * bytes + x * step + 3)] };
}
