/* inflate.js - a deflated payload (zlib, RFC 1950) as bytes, exactly as many as were promised: one
 * that would be longer is given up as soon as it is.
 */
import { StreamError } from './message.js';

/** Inflates `deflated` into `bytes` bytes. Throws a StreamError. */
export async function inflate(deflated, bytes) {
    const out = new Uint8Array(bytes), stream = new DecompressionStream('deflate');
    const writer = stream.writable.getWriter(), reader = stream.readable.getReader();
    /* What is wrong with the input is said by the reading side. */
    writer.write(deflated).catch(() => {});
    writer.close().catch(() => {});
    let at = 0;
    try {
        for (;;) {
            const { value, done } = await reader.read();
            if (done) {
                break;
            }
            if (value.length > bytes - at) {
                reader.cancel().catch(() => {});
                throw new StreamError('a payload that inflates to more than its header says');
            }
            out.set(value, at);
            at += value.length;
        }
    } catch (error) {
        throw error instanceof StreamError ? error : new StreamError('a payload that cannot be inflated');
    }
    if (at !== bytes) {
        throw new StreamError('a payload that inflates to less than its header says');
    }
    return out;
}
