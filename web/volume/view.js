/* view.js - <vitrine-volume>: a VM's RAM as a volume that is looked at from all sides.
 *
 *   attributes   vm; level "auto" or 0-4; hz; static: a small picture that nobody moves; frames
 *                "auto", "client" (drawn here), "server" (drawn there)
 *   the stream   what comes goes into the model, or to the decoder of frames
 *   drawing      by animation frames while something changes and it is to be seen
 *   for others   camera, scene, highlights, flights, picking; events vitrine-camera, -pick, -state,
 *                -stats
 */
import { boxesOfRuns, around } from './boxes.js';
import { isCamera } from './camera.js';
import { ClientPicture } from './client.js';
import { Controls, listen } from './controls.js';
import { drawFitted, ServerFrames } from './frames.js';
import { boxOfPages } from './hilbert.js';
import { autoLevel, finePagesMax, isDrawable, nearPages, runsOf } from './level.js';
import { KIND_ATTRIBUTES, KIND_FRAME, KIND_PAGES } from './message.js';
import { COARSEST, Model } from './model.js';
import { drawOverlay } from './overlay.js';
import { castRay } from './pick.js';
import { sharedRenderer } from './renderer.js';
import { changedScene, defaultScene } from './scene.js';
import { Stream } from './stream.js';

const HZ = 20, HZ_STATIC = 2;
const LEVEL_FIRST = 3; /* what is seen at once: 8 cells a page */
const MOVING_MS = 150; /* so long after it moved the camera is taken for moving */
const FINE_MS = 300; /* which pages are near is looked at so often */
const FINE_AGAIN_MS = 3000; /* … and so often where it stands still: pages come to be used */
const STATS_MS = 1000;
const DENSITY_MAX = 2; /* of the canvas's pixels to the page's */
const TOKEN_KEY = 'vitrine.token';
const PICK_MS = 5000;

const STYLE = new CSSStyleSheet();
STYLE.replaceSync(`
    :host { display: block; position: relative; overflow: hidden; }
    :host(:not([static])) { touch-action: none; cursor: grab; }
    :host(:not([static]):active) { cursor: grabbing; }
    :host(:focus-visible) { outline: 2px solid Highlight; outline-offset: -2px; }
    canvas { position: absolute; inset: 0; width: 100%; height: 100%; display: block; }
`);

export class VitrineVolume extends HTMLElement {
    static observedAttributes = ['vm', 'src', 'level', 'hz', 'static', 'frames'];

    constructor() {
        super();
        this.internals = this.attachInternals(); /* what the page says of it by attributes wins */
        const root = this.attachShadow({ mode: 'open' });
        this.canvas = document.createElement('canvas');
        root.adoptedStyleSheets = [STYLE];
        root.append(this.canvas);
        this.context = this.canvas.getContext('2d', { alpha: false });
        this.currentScene = defaultScene();
        this.localHighlights = [];
        this.vmHighlights = [];
        this.controls = new Controls({
            moved: (byUser) => this.cameraMoved(byUser),
            scene: (changes) => this.setScene(changes),
            pick: (x, y, event) => this.clicked(x, y, event),
            visit: (x, y) => this.visit(x, y),
            clear: () => this.clear(),
        }, () => matchMedia('(prefers-reduced-motion: reduce)').matches);
        this.state = 'connecting';
        this.visible = false;
        this.area = 0; /* pixels of the page that it takes */
        this.counts = { pictures: 0, updates: 0, bytes: 0, since: performance.now() };
        this.stats = { fps: 0, updates_per_s: 0, bytes_per_s: 0, pages: 0 };
        this.picks = new Map();
        this.releases = [];
        this.clockOffset = null;
    }

    /* ---- life ---- */

    connectedCallback() {
        const interactive = !this.hasAttribute('static');
        if (interactive && !this.hasAttribute('tabindex')) {
            this.tabIndex = 0;
        }
        this.internals.role = interactive ? 'application' : 'img';
        this.internals.ariaLabel = `RAM of ${this.getAttribute('vm') ?? 'a VM'}`;
        this.resizes = new ResizeObserver(() => this.resized());
        this.resizes.observe(this);
        this.sees = new IntersectionObserver((entries) => {
            this.visible = entries[entries.length - 1].isIntersecting;
            this.wake();
        });
        this.sees.observe(this);
        this.unlisten = interactive ? listen(this, this.controls, () => this.currentScene) : null;
        this.statsTimer = setInterval(() => this.countStats(), STATS_MS);
        this.start();
    }

    disconnectedCallback() {
        this.resizes.disconnect();
        this.sees.disconnect();
        this.unlisten?.();
        clearInterval(this.statsTimer);
        this.stop();
        cancelAnimationFrame(this.scheduled);
        this.scheduled = undefined;
    }

    attributeChangedCallback(name, before, after) {
        if (!this.isConnected || before === after) {
            return;
        }
        if (name === 'hz') {
            this.stream?.send({ type: 'hz', hz: this.hz });
        } else if (this.stream !== undefined) {
            this.reset();
        }
    }

    /** Begins anew: connects again, and forgets what was seen of RAM. */
    reset() {
        this.stop();
        this.start();
    }

    get hz() {
        const hz = Number(this.getAttribute('hz') ?? NaN);
        return hz >= 0 && hz <= 60 ? hz : this.hasAttribute('static') ? HZ_STATIC : HZ;
    }

    get url() {
        const vm = encodeURIComponent(this.getAttribute('vm') ?? '');
        const url = new URL(this.getAttribute('src') ?? `/api/v1/vms/${vm}/volume`, document.baseURI);
        url.protocol = url.protocol.replace('http', 'ws');
        return url.href;
    }

    async start() {
        const life = {};
        this.life = life;
        if (!this.hasAttribute('vm') && !this.hasAttribute('src')) {
            return;
        }
        this.setState('connecting', '');
        let why = '';
        this.renderer = this.getAttribute('frames') === 'server' ? null
            : await sharedRenderer().catch((error) => {
                why = error.message;
                return null;
            });
        if (this.life !== life) {
            return; /* stopped, or started again meanwhile */
        }
        this.why = why || 'this browser has no WebGL2';
        this.renderer?.users.add(this);
        let token = null;
        try {
            token = sessionStorage.getItem(TOKEN_KEY);
        } catch { /* a browser that keeps nothing */ }
        this.stream = new Stream({ url: this.url, token }, {
            state: (state, message) => this.streamState(state, message),
            text: (message) => this.takeText(message),
            binary: (message, release, bytes) => this.takeBinary(message, release, bytes),
        });
    }

    stop() {
        this.life = null;
        this.stream?.close();
        this.stream = undefined;
        this.forget();
        this.renderer?.users.delete(this);
    }

    /* What is known of one boot of a VM. */
    forget() {
        this.client?.destroy();
        this.frames?.close();
        this.client = this.frames = null;
        this.model = null;
        this.releases = [];
        this.clockOffset = null;
        this.vmHighlights = [];
        this.fineKey = '';
        this.fineOf = null;
    }

    setState(state, message) {
        this.state = state;
        this.dispatch('vitrine-state', { state, message });
    }

    dispatch(type, detail) {
        this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true }));
    }

    /* ---- the stream ---- */

    streamState(state, message) {
        this.linked = state === 'live';
        if (this.linked) {
            return; /* said when it is known how it is drawn */
        }
        this.frames?.restart();
        this.setState(state, message);
    }

    takeText(message) {
        switch (message.type) {
        case 'hello':
            this.hello(message);
            break;
        case 'owners':
            this.model?.setOwners(message.owners);
            break;
        case 'highlights':
            this.vmHighlights = message.highlights;
            this.highlightsChanged();
            break;
        case 'complete':
            this.keyComplete(message);
            break;
        case 'system':
        case 'stats':
            this.dispatch(`vitrine-${message.type === 'stats' ? 'server' : message.type}`, message);
            break;
        case 'picked':
            this.picks.get(message.id)?.(message);
            this.picks.delete(message.id);
            break;
        case 'error':
            this.setState('error', String(message.detail ?? message.code ?? ''));
            break;
        default:
        }
        this.wake();
    }

    /* The coarse key frame that comes first is there in a moment; then the one that is wanted. */
    keyComplete(message) {
        if (this.model && this.levelNow !== this.model.base) {
            this.levelNow = this.model.base;
            this.stream.send({ type: 'level', level: this.levelNow });
        } else {
            this.dispatch('vitrine-complete', message);
        }
    }

    /* A VM begins: how it is drawn, and how finely it is asked for. */
    hello(hello) {
        this.forget();
        this.info = hello;
        const wants = this.getAttribute('frames') ?? 'auto', { renderer } = this;
        const here = renderer !== null && isDrawable(hello.pages, hello.grid, renderer);
        const there = hello.frames !== null && (wants === 'server' || !here ||
            (wants === 'auto' && renderer.software && !hello.frames.software &&
                !this.hasAttribute('static')));
        const level = this.wantedLevel(hello, !here || there), first = Math.max(level, LEVEL_FIRST);
        this.model = new Model(hello, level);
        this.levelNow = first;
        if (there) {
            this.frames = new ServerFrames((message) => this.stream?.send(message), () => this.wake(true));
        } else if (here) {
            this.client = new ClientPicture(renderer, this.model, () => this.nowMs());
        }
        this.stream.send({ type: 'start', level: first, hz: Math.max(this.hz, 1) });
        if (this.hz === 0 || (!here && !there)) {
            this.stream.send({ type: 'hz', hz: 0 });
        }
        this.controls.setVolume(this.wholeBox(), hello.order);
        this.highlightsChanged();
        if (here || there) {
            this.setState('live', there ? 'drawn by the server' : '');
        } else {
            this.setState('error', renderer === null ? `${this.why}, and the server draws no pictures`
                : 'this VM has more RAM than this browser can draw, and the server draws no pictures');
        }
    }

    wantedLevel(hello, undrawn) {
        const level = Number(this.getAttribute('level') ?? NaN);
        if (undrawn) {
            return COARSEST; /* only attributes are of use: a byte a page beside them */
        }
        return Number.isInteger(level) && level >= 0 && level <= COARSEST ? level
            : autoLevel(hello.pages, hello.grid, this.renderer, this.hasAttribute('static'));
    }

    wholeBox() {
        return { min: [0, 0, 0], max: this.info.grid.map((n) => n * 16 - 1) };
    }

    takeBinary(message, release, bytes) {
        this.counts.bytes += bytes;
        const offset = message.time - performance.now() / 1000;
        this.clockOffset = Math.max(this.clockOffset ?? offset, offset);
        if (message.kind === KIND_FRAME) {
            (this.frames?.take(message) ?? Promise.resolve())
                .catch((error) => this.setState('error', `a frame that cannot be shown: ${error.message}`))
                .finally(release);
            return;
        }
        if (message.kind === KIND_PAGES) {
            this.counts.updates += message.key ? 0 : 1;
            this.model?.takePages(message, Math.floor(message.time * 1000) + 1);
        } else if (message.kind === KIND_ATTRIBUTES) {
            this.model?.takeAttributes(message);
        }
        this.releases.push(release);
        this.wake();
    }

    /* Milliseconds of the stream's clock, as the model has them. */
    nowMs() {
        return Math.max(Math.floor(performance.now() + (this.clockOffset ?? 0) * 1000) + 1, 1);
    }

    releaseAll() {
        for (const release of this.releases.splice(0)) {
            release();
        }
    }

    /* ---- drawing ---- */

    contextLost() {
        this.client?.contextLost();
        if (this.state === 'live' && this.client) {
            this.setState('waiting', 'the graphics device was lost');
        }
    }

    contextRestored() {
        if (this.state === 'waiting' && this.client && this.linked) {
            this.setState('live', '');
        }
        this.wake();
    }

    resized() {
        this.area = this.clientWidth * this.clientHeight;
        if (this.area === 0) {
            return; /* hidden: its picture is kept */
        }
        const density = Math.min(devicePixelRatio, DENSITY_MAX);
        const width = Math.max(Math.round(this.clientWidth * density), 1);
        const height = Math.max(Math.round(this.clientHeight * density), 1);
        if (width !== this.canvas.width || height !== this.canvas.height) {
            const old = new OffscreenCanvas(this.canvas.width, this.canvas.height);
            old.getContext('2d').drawImage(this.canvas, 0, 0);
            this.canvas.width = width;
            this.canvas.height = height;
            this.context.fillStyle = this.currentScene.background;
            this.context.fillRect(0, 0, width, height);
            if (this.density !== undefined) {
                drawFitted(this.context, old, old.width, old.height, width, height); /* until there is another */
            }
            this.density = density;
            this.controls.resize(this.clientWidth, this.clientHeight);
        }
        this.wake(true);
    }

    /** Something may have changed: draws with the next animation frame. `over`: what lies over the
     *  picture did. */
    wake(over = false) {
        this.overChanged ||= over;
        this.scheduled ??= requestAnimationFrame((now) => {
            this.scheduled = undefined;
            this.frame(now);
        });
    }

    frame(now) {
        if (!this.visible || this.area === 0) {
            return; /* what comes waits, and with it the server */
        }
        const flying = this.controls.tick(now);
        const moving = flying || this.controls.held || now - (this.movedAt ?? -Infinity) < MOVING_MS;
        let again = flying || moving;
        if (this.frames !== null && this.frames !== undefined) {
            this.frameOfServer(moving);
        } else if (this.client) {
            again = this.frameOfClient(moving, now) || again;
        }
        this.releaseAll();
        if (again) {
            this.wake();
        }
    }

    frameOfClient(moving, now) {
        const { width, height } = this.canvas;
        const want = { camera: this.controls.camera, scene: this.currentScene, width, height, moving };
        try {
            this.wantFine(now);
            if (this.overChanged) {
                this.client.model.version++; /* drawn again, with what lies over it */
                this.overChanged = false;
            }
            const { shown, again } = this.client.frame(want, this.context, (of) => this.drawOver(of));
            this.counts.pictures += shown ? 1 : 0;
            return again;
        } catch (error) {
            this.client.destroy();
            this.client = null;
            this.setState('error', error.message);
            return false;
        }
    }

    frameOfServer(moving) {
        const { width, height } = this.canvas, { camera } = this.controls, scene = this.currentScene;
        const asked = this.asked ?? {};
        if (asked.camera !== camera || asked.scene !== scene || asked.width !== width ||
            asked.height !== height || asked.moving !== moving || asked.frames !== this.frames) {
            this.asked = { camera, scene, width, height, moving, frames: this.frames };
            /* Boxes and labels are drawn here, as sharp as the screen is. */
            this.frames.want(width, height, camera, { ...scene, boxes: false, labels: false, frame: false },
                moving);
        }
        if (this.frames.draw(this.context, width, height)) {
            this.counts.pictures++;
            this.drawOver(this.frames.camera ?? camera);
        }
    }

    /* As the picture's camera sees it, which may not be where the camera is by now. */
    drawOver(camera) {
        drawOverlay(this.context, {
            camera, scene: this.currentScene, order: this.info.order,
            ram: this.wholeBox(), highlights: this.allHighlights ?? [], width: this.canvas.width, height: this.canvas.height,
            density: this.density ?? 1,
        });
    }

    /* Pages near the camera are asked for at level 0 where all are coarser. */
    wantFine(now) {
        const { model } = this;
        if (model.base === 0 || this.hasAttribute('static') || now - (this.fineAt ?? 0) < FINE_MS) {
            return;
        }
        const { camera } = this.controls;
        if (this.fineOf === camera && now - (this.fineAt ?? 0) < FINE_AGAIN_MS) {
            return;
        }
        this.fineAt = now;
        this.fineOf = camera;
        const most = finePagesMax(this.renderer);
        const near = nearPages(model, camera, this.controls.aspect, this.canvas.height, most);
        const key = near.length === 0 ? '' : runsOf(near).join(';');
        if (key !== this.fineKey) {
            this.fineKey = key;
            if (model.pool === null) {
                model.makePool(0, most);
            }
            model.wantFine(new Set(near));
            this.stream?.send({ type: 'fine', level: 0, pages: runsOf(near) });
        }
    }

    countStats() {
        const { counts } = this, now = performance.now(), s = (now - counts.since) / 1000;
        const before = JSON.stringify(this.stats);
        this.stats = {
            fps: Math.round(counts.pictures / s * 10) / 10,
            updates_per_s: Math.round(counts.updates / s * 10) / 10,
            bytes_per_s: Math.round(counts.bytes / s), pages: this.model?.pages ?? 0,
        };
        this.counts = { pictures: 0, updates: 0, bytes: 0, since: now };
        if (JSON.stringify(this.stats) !== before) {
            this.dispatch('vitrine-stats', this.stats);
        }
    }

    /* ---- the camera ---- */

    get camera() {
        return structuredClone(this.controls.camera);
    }

    set camera(camera) {
        this.setCamera(camera);
    }

    /** Looks from there at once. Throws a TypeError for what is no camera. */
    setCamera(camera) {
        if (!isCamera(camera)) {
            throw new TypeError('a camera is {eye, target, up: [x, y, z], fov_y}');
        }
        this.controls.set(structuredClone(camera));
    }

    /** Flies to {pages: [[first, n]…]}, {box: {min, max}} in voxels, or {view: "front"}. */
    flyTo({ pages, box, view }) {
        const now = performance.now();
        if (view !== undefined) {
            this.controls.flyToView(view, now, false);
        } else if (box !== undefined) {
            this.controls.flyToBox(box, now, false);
        } else if (pages?.length > 0 && this.info) {
            const boxes = boxesOfRuns(this.info.order, pages);
            if (boxes.length > 0) {
                this.controls.flyToBox(boxes.reduce(around), now, false, 1.6);
            }
        }
    }

    cameraMoved(byUser) {
        this.movedAt = performance.now();
        if (byUser) {
            this.dispatch('vitrine-camera', this.camera);
        }
        this.wake();
    }

    /* ---- the scene ---- */

    get scene() {
        return structuredClone(this.currentScene);
    }

    set scene(scene) {
        this.setScene({ ...defaultScene(), ...scene });
    }

    /** Changes what is shown: any of the members of a scene (docs/volume-stream.md). Throws a
     *  TypeError for what a scene cannot be. */
    setScene(changes) {
        this.currentScene = changedScene(this.currentScene, changes);
        this.dispatch('vitrine-scene', this.scene);
        this.wake(true);
    }

    /** [{name, label, colour, pages: [[first, n]…]}] beside the VM's own. */
    setHighlights(highlights) {
        this.localHighlights = highlights;
        this.highlightsChanged();
    }

    highlightsChanged() {
        if (!this.model) {
            return;
        }
        this.allHighlights = [...this.vmHighlights, ...this.localHighlights].map((h) => ({
            ...h, pages: h.pages ?? [],
            boxes: h.boxes ?? boxesOfRuns(this.info.order, h.pages ?? []),
        }));
        this.model.setHighlights(this.allHighlights);
        this.wake(true);
    }

    clear() {
        this.dispatch('vitrine-clear', null);
        return false; /* others may have something to close, too */
    }

    /* ---- picking ---- */

    /** What is at (x, y), pixels of the page from the element's upper left corner. */
    pick(x, y) {
        if (this.frames) {
            return this.pickThere(x, y);
        }
        if (!this.client) {
            return Promise.resolve({ hit: false });
        }
        const { width, height } = this.canvas, { model } = this;
        const look = this.client.look(this.controls.camera, this.currentScene, width, height);
        const at = (v, n, of) => Math.min(Math.max(Math.floor(v * n / of), 0), n - 1);
        const { picked } = castRay(look, model, at(x, width, this.clientWidth),
            at(y, height, this.clientHeight));
        return Promise.resolve(picked === null ? { hit: false } : this.described(picked));
    }

    /* As the server's `picked`, and with the page's number. */
    described({ voxel, offset, value, page }) {
        const { model, info } = this, a = model.attributeOf(page), gpa = model.gpaOf(offset);
        return {
            hit: true, voxel, page, offset: `0x${offset.toString(16)}`,
            gpa: gpa === null ? null : `0x${gpa.toString(16)}`, value,
            class: info.classes[a.class]?.name ?? 'unknown',
            pid: a.owner > 0 ? model.owners[a.owner - 1]?.pid ?? null : null,
            highlight: a.highlight > 0 ? model.highlights[a.highlight - 1]?.name ?? null : null,
        };
    }

    pickThere(x, y) {
        const [px, py] = this.frames.pixelOf(x, y, this.clientWidth, this.clientHeight);
        return new Promise((resolve) => {
            const timer = setTimeout(() => resolve({ hit: false }), PICK_MS);
            this.pickNumber = (this.pickNumber ?? 0) + 1;
            this.picks.set(this.pickNumber, (picked) => {
                clearTimeout(timer);
                resolve(picked);
            });
            this.stream.send({ type: 'pick', id: this.pickNumber, x: px, y: py });
        });
    }

    async clicked(x, y, { clientX, clientY }) {
        this.dispatch('vitrine-pick', { ...await this.pick(x, y), clientX, clientY });
    }

    async visit(x, y) {
        const picked = await this.pick(x, y);
        if (picked.hit) {
            const page = Math.floor(Number(picked.offset) / 4096);
            this.controls.flyToPage(boxOfPages(this.info.order, page, 1), performance.now(), true);
        }
    }
}

customElements.define('vitrine-volume', VitrineVolume);
