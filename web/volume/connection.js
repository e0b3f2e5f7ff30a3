/* connection.js - one VM's stream: connects, gives credit, reads messages, and connects again when
 * the connection or the VM went away. Runs in a worker (stream-worker.js) or, with a WebSocket of
 * the caller's, in a test.
 *
 * Credit is given back when the page has dealt with a message, not when it has come: a page that
 * draws slowly is sent less. The server keeps nothing for it meanwhile.
 *
 * States: connecting, live, ended (the VM is gone: asks again now and then), waiting (the connection
 * was lost: tries again), refused (the server or this side found a message wrong: stays so),
 * closed.
 */
import { HEADER_BYTES, parseHeader, parsePayload, parseText, StreamError } from './message.js';
import { inflate } from './inflate.js';

const PROTOCOL = 'vitrine.volume.v1';
const CREDIT = 8 << 20; /* on the way or not yet dealt with, at most */
const CREDIT_STEP = 256 << 10; /* given back in pieces no smaller, so that not each page is a text */
const RETRY_MIN_MS = 500, RETRY_MAX_MS = 10000;
const CLOSE_NORMAL = 1000, CLOSE_REFUSED = 1008, CLOSE_BAD = 4002;

export class Connection {
    /* options: url, token; `events`: state(state, message), text(message), binary(message, release,
     * bytes), where release() says that it is dealt with. */
    constructor(options, events, Socket = globalThis.WebSocket) {
        this.options = options;
        this.events = events;
        this.Socket = Socket;
        this.socket = null;
        this.retryMs = RETRY_MIN_MS;
        this.timer = null;
        this.events.state('connecting', '');
        this.connect();
    }

    connect() {
        const { url, token } = this.options;
        const socket = new this.Socket(url, token ? [PROTOCOL, `vitrine.token.${token}`] : [PROTOCOL]);
        socket.binaryType = 'arraybuffer';
        this.socket = socket;
        this.pages = 0; /* until hello */
        this.owed = 0;
        this.ended = false;
        this.failure = null;
        this.said = '';
        this.queue = Promise.resolve(); /* inflating takes its time; order is kept */
        socket.onmessage = (event) => {
            this.queue = this.queue.then(() => this.take(socket, event.data))
                .catch((error) => this.failed(socket, error));
        };
        socket.onclose = (event) => {
            this.queue = this.queue.then(() => this.closed(socket, event));
        };
    }

    async take(socket, data) {
        if (socket !== this.socket || this.failure !== null) {
            return;
        }
        if (typeof data === 'string') {
            this.takeText(parseText(data));
            return;
        }
        const header = parseHeader(data), rest = new Uint8Array(data, HEADER_BYTES);
        if (this.pages === 0) {
            throw new StreamError('pages before hello');
        }
        const payload = header.deflated ? await inflate(rest, header.bytes) : rest;
        if (socket !== this.socket) {
            return;
        }
        const bytes = data.byteLength;
        this.events.binary(parsePayload(header, payload, this.pages), () => this.release(socket, bytes),
            bytes);
    }

    takeText(message) {
        if (message.type === 'hello') {
            this.pages = message.pages;
            this.retryMs = RETRY_MIN_MS;
            this.events.state('live', '');
        } else if (message.type === 'ended') {
            this.ended = true;
        } else if (message.type === 'error') {
            this.said = String(message.detail ?? message.code ?? '');
        }
        this.events.text(message);
    }

    release(socket, bytes) {
        this.owed += bytes;
        if (this.owed >= CREDIT_STEP && socket === this.socket) {
            this.send({ type: 'credit', bytes: this.owed }, socket);
            this.owed = 0;
        }
    }

    /** Sends a message if there is someone to send it to. The first after each hello is a start,
     *  which gives credit, too. */
    send(message, socket = this.socket) {
        if (socket !== null && socket === this.socket && socket.readyState === 1) {
            const credit = message.type === 'start' ? { credit: CREDIT } : {};
            socket.send(JSON.stringify({ ...message, ...credit }));
        }
    }

    failed(socket, error) {
        if (socket === this.socket && this.failure === null) {
            this.failure = error instanceof StreamError
                ? `the server sent ${error.message}` : `${error}`;
            socket.close(CLOSE_BAD, 'a message that is none');
            this.events.state('refused', this.failure);
        }
    }

    closed(socket, event) {
        if (socket !== this.socket || this.failure !== null) {
            return;
        }
        if (event.code === CLOSE_REFUSED) {
            this.failure = event.reason || 'the server refused what this page said';
            this.events.state('refused', this.failure);
            return;
        }
        const gone = this.ended || event.code === CLOSE_NORMAL;
        this.events.state(gone ? 'ended' : 'waiting',
            gone ? 'the VM is not running' : event.reason || this.said || 'no connection to the server');
        this.timer = setTimeout(() => this.connect(), this.retryMs * (0.75 + 0.5 * Math.random()));
        this.retryMs = Math.min(this.retryMs * 2, RETRY_MAX_MS);
    }

    close() {
        clearTimeout(this.timer);
        const socket = this.socket;
        this.socket = null;
        socket?.close(CLOSE_NORMAL);
        this.events.state('closed', '');
    }
}
