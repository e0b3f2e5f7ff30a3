/* client.js - a model's picture drawn by this browser: textures kept up to date, as fine as there is
 * time for, in strips where a fine picture takes long, and nothing at all where nothing changed.
 *
 * How long a picture takes is seen by a fence that the device passes when it is drawn. One is under
 * way at a time, so a slow device is never given more than it does.
 */
import { Adapt } from './adapt.js';
import { heatLastsMs, makeLook, makeTables } from './look.js';
import { Painter } from './renderer.js';
import { VolumeTextures } from './textures.js';

const BUDGET_S = 1 / 60, BUDGET_SOFTWARE_S = 1 / 25;
/* Who looks on from one place would rather see sharply once a second than coarsely at each write. */
const REST_S = 0.15, REST_SOFTWARE_S = 1;
const STRIP_S = 0.1; /* a strip of a picture that takes longer */
const POLL_MS = 2;
const HEAT_STEP_MS = 50; /* heat that fades is drawn so often */
const PAGES_A_FRAME = 2048, PAGES_A_FRAME_SOFTWARE = 512;

export class ClientPicture {
    /* `clock()`: ms of the model's clock. */
    constructor(renderer, model, clock) {
        this.renderer = renderer;
        this.model = model;
        this.clock = clock;
        this.painter = new Painter(renderer);
        this.adapt = renderer.software ? new Adapt(BUDGET_SOFTWARE_S, REST_SOFTWARE_S)
            : new Adapt(BUDGET_S, REST_S);
        this.textures = null;
        this.tables = null;
        this.tablesOf = null;
        this.fence = null;
        this.warm = new Set(); /* methods that have drawn something */
        this.drawn = null; /* what the picture that is shown or under way is of */
        this.heatAt = 0;
        this.spentS = 0;
    }

    /** The context is gone, and all that was in it. */
    contextLost() {
        this.textures = null;
        this.warm.clear();
        this.fence = null;
        this.drawn = null;
        this.painter.forget();
    }

    destroy() {
        this.textures?.destroy();
        this.painter.destroy();
        this.textures = null;
    }

    /* Tables of scene and model (look.js), made anew where either changed. */
    currentTables(scene) {
        const { model } = this;
        if (this.tables === null || this.tablesOf !== scene || model.dirty.tables) {
            this.tables = makeTables(scene, model);
            this.tablesOf = scene;
            model.dirty.tables = false;
        }
        return this.tables;
    }

    /** The look of a picture as it would be drawn now, every pixel and every voxel of it. */
    look(camera, scene, width, height, options = {}) {
        return makeLook(this.model, scene, this.currentTables(scene), camera, width, height,
            { nowMs: this.clock(), ...options });
    }

    /** Goes on: {shown: a picture was shown, again: call again with the next frame}. `want`: camera,
     *  scene, width, height, moving. `context`: where to; `over(camera)` draws over it. */
    frame(want, context, over) {
        const { renderer } = this;
        if (renderer.lost) {
            return { shown: false, again: false };
        }
        if (!this.passed()) {
            return { shown: false, again: true };
        }
        this.textures ??= new VolumeTextures(renderer.gl, this.model);
        const tables = this.currentTables(want.scene);
        const more = this.textures.flush(tables,
            renderer.software ? PAGES_A_FRAME_SOFTWARE : PAGES_A_FRAME);
        const went = this.goOn(want);
        let shown = false;
        if (went && this.painter.complete) {
            this.painter.show(context, want.moving);
            over(this.drawn.camera);
            shown = true;
        }
        return { shown, again: more || went || this.isHot(want.scene) };
    }

    /* Whether the device has drawn what it was given. */
    passed() {
        if (this.fence === null) {
            return true;
        }
        const { began, ended } = this.fence;
        if (ended === null) {
            return false;
        }
        this.fence = null;
        this.spentS += (ended - began) / 1000;
        if (this.painter.complete && this.drawn !== null) {
            const { width, height, scene: { method } } = this.drawn;
            if (this.warm.has(method)) { /* the first picture's time is its shader's */
                this.adapt.took(width, height, method, this.spentS);
            }
            this.warm.add(method);
            this.spentS = 0;
        }
        return true;
    }

    isHot(scene) {
        return this.model.hottest > 0 && this.clock() - this.model.hottest < heatLastsMs(scene);
    }

    /* Draws what is next, if anything is: a new picture, a finer one, or its next strip. */
    goOn(want) {
        const { drawn, model } = this;
        const heats = this.isHot(want.scene) && performance.now() - this.heatAt > HEAT_STEP_MS;
        const other = drawn === null || drawn.scene !== want.scene || drawn.camera !== want.camera ||
            drawn.width !== want.width || drawn.height !== want.height;
        const changed = other || heats || drawn.version !== model.version;
        /* What only makes it finer gives way to all that is new, and a picture that was to take long
         * to another view. Others are drawn to their end: with enough that is new none would be. */
        const goes = !changed || (!this.refining && (!other || drawn?.moving));
        if (drawn !== null && !this.painter.complete && goes) {
            this.strip();
            return true;
        }
        const scale = this.adapt.next(want.width, want.height, want.scene.method, want.moving, changed);
        if (scale === 0 || (!changed && want.moving && scale === drawn.scale)) {
            return false;
        }
        this.refining = !changed;
        this.begin(want, scale);
        return true;
    }

    begin(want, scale) {
        const look = this.look(want.camera, want.scene, want.width, want.height, { scale });
        this.painter.resize(want.width, want.height);
        this.painter.begin(this.textures, look, want.scene.method, scale);
        this.drawn = { ...want, scale, version: this.model.version };
        this.heatAt = performance.now();
        this.spentS = 0;
        this.strip();
    }

    strip() {
        const { gl } = this.renderer, { width, height, scene } = this.drawn, { look } = this.painter;
        const expected = this.adapt.expectedS(width, height, scene.method);
        const rows = expected > 2 * STRIP_S ? Math.ceil(look.height * STRIP_S / expected) : look.height;
        const began = performance.now();
        this.painter.draw(rows);
        this.fence = { sync: gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0), began, ended: null };
        gl.flush();
        this.watch(this.fence);
    }

    /* Sees when the device is done more exactly than once a frame of the screen. */
    watch(fence) {
        const { gl } = this.renderer;
        setTimeout(() => {
            if (fence !== this.fence) {
                return;
            }
            if (gl.getSyncParameter(fence.sync, gl.SYNC_STATUS) === gl.SIGNALED) {
                gl.deleteSync(fence.sync);
                fence.ended = performance.now();
            } else {
                this.watch(fence);
            }
        }, POLL_MS);
    }

    /** Draws the whole picture at once, every pixel of it, and gives its pixels: for tests. `options`
     *  of makeLook. */
    pixels(want, options) {
        this.textures ??= new VolumeTextures(this.renderer.gl, this.model);
        while (this.textures.flush(this.currentTables(want.scene), Infinity));
        const look = this.look(want.camera, want.scene, want.width, want.height, options);
        const painter = new Painter(this.renderer);
        painter.resize(want.width, want.height);
        painter.begin(this.textures, look, want.scene.method, options?.scale ?? 1);
        painter.draw(look.height);
        const pixels = painter.pixels();
        painter.destroy();
        return { width: look.width, height: look.height, pixels };
    }
}
