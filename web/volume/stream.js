/* stream.js - the page's end of a VM's stream; what it does happens in stream-worker.js. */

export class Stream {
    /* options: url, token; events: state(state, message), text(message), binary(message, release,
     * bytes): the stream goes on as fast as release() is called. hello is answered with a start. */
    constructor(options, events) {
        this.worker = new Worker(new URL('./stream-worker.js', import.meta.url), { type: 'module' });
        this.worker.onmessage = ({ data }) => {
            if (data.binary) {
                const release = () => this.worker?.postMessage({ release: data.number });
                events.binary(data.binary, release, data.bytes);
            } else if (data.text) {
                events.text(data.text);
            } else {
                events.state(data.state, data.message);
            }
        };
        this.worker.onerror = (event) => events.state('refused', event.message || 'no worker');
        this.worker.postMessage({ open: options });
    }

    send(message) {
        this.worker?.postMessage({ send: message });
    }

    close() {
        this.worker?.terminate(); /* its connection goes with it */
        this.worker = null;
    }
}
