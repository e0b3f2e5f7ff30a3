/* frames.js - pictures drawn by the server, for a browser that cannot draw them: asks for them with
 * `view` messages, decodes JPEG or H.264, and keeps the newest as something a canvas can draw.
 *
 * One view is asked for at a time: the next goes out when a frame of the last one came, so a server
 * that draws slowly is not asked faster than it can.
 */
import { CODEC_H264 } from './message.js';

const WIDTH_MAX = 1920, HEIGHT_MAX = 1080, SIDE_MIN = 16;
const QUALITY_MOVING = 60, QUALITY_STILL = 85;
const H264 = 'avc1.42E033'; /* baseline, level 5.1: Annex B says the rest itself */

const SHAPE_SLACK = 0.02; /* frames are of whole blocks, and a little off */

/** Draws a picture of w x h over all of a canvas; one that was made for another shape keeps its
 *  proportions, as the angle of view is that of the height. */
export function drawFitted(context, picture, w, h, width, height) {
    const shown = height * w / h, right = Math.abs(shown / width - 1) < SHAPE_SLACK;
    context.drawImage(picture, right ? 0 : (width - shown) / 2, 0, right ? width : shown, height);
}

export class ServerFrames {
    /* `send(message)` to the stream; `arrived()` when there is a new picture. */
    constructor(send, arrived) {
        this.send = send;
        this.arrived = arrived;
        this.id = 0;
        this.camera = null; /* of the picture */
        this.cameras = new Map(); /* of views that are under way, by id */
        this.waiting = false;
        this.wanted = this.asked = null;
        this.picture = null; /* an ImageBitmap or VideoFrame */
        this.decoder = null;
        this.begun = false; /* the decoder had a picture that it can decode by itself */
        this.video = typeof VideoDecoder !== 'undefined'; /* only in secure contexts */
    }

    /** A view from now on: width and height in pixels, camera, scene, whether it moves. */
    want(width, height, camera, scene, moving) {
        const share = Math.min(1, WIDTH_MAX / width, HEIGHT_MAX / height);
        this.wanted = {
            type: 'view', width: Math.max(Math.round(width * share), SIDE_MIN),
            height: Math.max(Math.round(height * share), SIDE_MIN), camera, scene,
            quality: moving ? QUALITY_MOVING : QUALITY_STILL, moving,
        };
        this.ask();
    }

    ask() {
        if (this.wanted !== null && !this.waiting) {
            this.waiting = true;
            this.asked = { ...this.wanted, codec: this.video ? 'h264' : 'jpeg' };
            this.send({ ...this.asked, id: ++this.id });
            this.cameras.set(this.id, this.wanted.camera);
            this.wanted = null;
        }
    }

    /** The stream began anew: it knows nothing of a view. */
    restart() {
        this.waiting = false;
        this.ask();
    }

    /** A message of kind frame. Resolves when the decoder has it. Throws when it cannot be decoded. */
    async take(frame) {
        if (frame.codec === CODEC_H264) {
            this.decode(frame);
        } else {
            const jpeg = new Blob([frame.picture], { type: 'image/jpeg' });
            this.shows(await createImageBitmap(jpeg), frame.id);
        }
        if (frame.id === this.id) {
            this.waiting = false;
            this.ask();
        }
    }

    shows(picture, id) {
        this.picture?.close();
        this.picture = picture;
        this.camera = this.cameras.get(id) ?? this.camera;
        for (const older of [...this.cameras.keys()].filter((k) => k < id)) {
            this.cameras.delete(older);
        }
        this.arrived();
    }

    decode(frame) {
        if (typeof VideoDecoder === 'undefined') {
            throw new Error('this browser decodes no H.264');
        }
        if (this.decoder === null || this.decoder.state === 'closed') {
            this.decoder = new VideoDecoder({
                output: (picture) => this.shows(picture, picture.timestamp),
                error: () => { /* no such decoder: it is closed then, and JPEG is asked for */
                    this.video = false;
                    this.wanted = this.wanted ?? this.asked;
                    this.ask();
                },
            });
            this.decoder.configure({ codec: H264, optimizeForLatency: true });
            this.begun = false;
        }
        this.begun ||= frame.independent;
        if (this.begun) {
            this.decoder.decode(new EncodedVideoChunk({
                type: frame.independent ? 'key' : 'delta', timestamp: frame.id, data: frame.picture,
            }));
        }
    }

    /** Draws the newest picture over all of a 2-D context's canvas; false: there is none. */
    draw(context, width, height) {
        if (this.picture === null) {
            return false;
        }
        context.imageSmoothingEnabled = true;
        const { picture } = this;
        drawFitted(context, picture, picture.displayWidth ?? picture.width,
            picture.displayHeight ?? picture.height, width, height);
        return true;
    }

    /** A pixel of the element as one of the frame that is shown: [x, y]. */
    pixelOf(x, y, width, height) {
        const w = this.picture?.displayWidth ?? this.picture?.width ?? width;
        const h = this.picture?.displayHeight ?? this.picture?.height ?? height;
        const into = (v, n) => Math.min(Math.max(Math.floor(v), 0), n - 1);
        return [into(x * w / width, w), into(y * h / height, h)];
    }

    close() {
        this.picture?.close();
        this.picture = null;
        if (this.decoder !== null && this.decoder.state !== 'closed') {
            this.decoder.close();
        }
        this.decoder = null;
    }
}
