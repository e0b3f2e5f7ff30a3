/* stream-worker.js - a VM's connection in a worker of its own, so that inflating does not hold up
 * the page. From the page: {open: options} once, {send: message}, {release: number}; to it:
 * {state, message}, {text}, {binary, number}. The bytes of a message go over, they are not copied.
 */
import { Connection } from './connection.js';

let connection = null, number = 0;
const releases = new Map();

const events = {
    state: (state, message) => self.postMessage({ state, message }),
    text: (text) => self.postMessage({ text }),
    binary: (binary, release, bytes) => {
        releases.set(++number, release);
        self.postMessage({ binary, number, bytes }, [(binary.cells ?? binary.attributes ??
            binary.picture).buffer]);
    },
};

self.onmessage = ({ data }) => {
    if (data.open) {
        connection = new Connection(data.open, events);
    } else if (data.send) {
        connection.send(data.send);
    } else if (data.release) {
        releases.get(data.release)?.();
        releases.delete(data.release);
    }
};
