/* controls.js - what keys, buttons, wheel and fingers mean for a camera and a scene: the same as in
 * a window (src/volume/controls.c).
 *
 *   Controls   the meaning: a camera that is moved, flown or turned; scene changes; no DOM
 *   listen     a canvas's pointers, wheel and keys, told to Controls
 */
import { fly, frame, named, orbit, pan, VIEWS, zoom } from './camera.js';

const CLICK_PIXELS = 4; /* a press that moves no further is a click */
const DOUBLE_MS = 350;
const ORBIT_HEIGHT = Math.PI; /* dragging over the picture's height turns half way round */
const KEY_ORBIT = Math.PI / 36, KEY_PAN = 0.05, KEY_ZOOM = 0.85;
const WHEEL_ZOOM = 0.87, WHEEL_PIXELS = 100, WHEEL_MOST = 12;
const FLIGHT_MS = 900, TURN_MS = 24000, TURN_STEP_MOST_MS = 250;
const SLICE_STEP = 1 / 64, DENSITY_STEP = 1.25, DENSITY_MIN = 1 / 64, DENSITY_MAX = 64;
const VISIT_TIMES = 6; /* a visited page takes so manieth of the picture */

export class Controls {
    /* `events`: moved(byUser), scene(changes), pick(x, y), visit(x, y), clear(). `still()`: flights
     * are not wanted, only where they lead. */
    constructor(events, still = () => false) {
        this.events = events;
        this.still = still;
        this.camera = named('iso');
        this.width = this.height = 1;
        this.whole = null; /* {box, order} of its RAM */
        this.flight = null;
        this.turntable = false;
        this.turnedAt = null;
        this.held = false;
        this.plane = 2;
        this.touched = false; /* the camera is the user's, not ours to fit */
    }

    get aspect() {
        return this.width / this.height;
    }

    /** The RAM that is shown; the first time it fills the picture. */
    setVolume(box, order) {
        this.whole = { box, order };
        if (!this.touched) {
            this.camera = frame(this.camera, box, order, this.aspect);
            this.events.moved(false);
        }
    }

    resize(width, height) {
        this.width = Math.max(width, 1);
        this.height = Math.max(height, 1);
        if (!this.touched && this.whole !== null) {
            this.camera = frame(this.camera, this.whole.box, this.whole.order, this.aspect);
        }
    }

    set(camera) {
        this.flight = null;
        this.touched = true;
        this.camera = camera;
        this.events.moved(false);
    }

    /* Moved by hand. */
    move(camera) {
        this.flight = null;
        this.touched = true;
        this.camera = camera;
        this.events.moved(true);
    }

    /** Flies there from where it is. */
    fly(to, now, byUser) {
        this.touched = true;
        if (this.still()) {
            this.flight = null;
            this.camera = to;
            this.events.moved(byUser);
            return;
        }
        this.flight = { from: this.camera, to, began: now, byUser };
        this.events.moved(false);
    }

    /** From the same side, so that a box of voxels is seen; `times` larger than it. */
    flyToBox(box, now, byUser, times = 1) {
        if (this.whole !== null) {
            const to = frame(this.camera, box, this.whole.order, this.aspect);
            this.fly(times === 1 ? to : zoom(to, times), now, byUser);
        }
    }

    flyToView(name, now, byUser) {
        let to = named(name);
        if (to !== undefined) {
            to = this.whole === null ? to : frame(to, this.whole.box, this.whole.order, this.aspect);
            this.fly(to, now, byUser);
        }
    }

    flyToPage(box, now, byUser) {
        this.flyToBox(box, now, byUser, VISIT_TIMES);
    }

    /** Moves what moves by itself; whether something does. */
    tick(now) {
        if (this.flight !== null) {
            const { from, to, began, byUser } = this.flight, t = (now - began) / FLIGHT_MS;
            this.camera = fly(from, to, t);
            this.flight = t < 1 ? this.flight : null;
            this.events.moved(byUser);
        } else if (this.turntable && !this.held) {
            if (this.turnedAt !== null) {
                const step = Math.min(Math.max(now - this.turnedAt, 0), TURN_STEP_MOST_MS);
                this.camera = orbit(this.camera, 2 * Math.PI * step / TURN_MS, 0);
                this.events.moved(true);
            }
            this.turnedAt = now;
            return true;
        }
        this.turnedAt = null;
        return this.flight !== null;
    }

    /* ---- pointers ---- */

    press(x, y, pans) {
        Object.assign(this, { held: true, dragged: false, pans, x, y, pressX: x, pressY: y });
    }

    drag(x, y) {
        if (!this.held || (!this.dragged &&
            Math.hypot(x - this.pressX, y - this.pressY) <= CLICK_PIXELS)) {
            return;
        }
        const dx = (x - this.x) / this.height, dy = (y - this.y) / this.height;
        Object.assign(this, { dragged: true, x, y });
        this.move(this.pans ? pan(this.camera, -dx, dy)
            : orbit(this.camera, -dx * ORBIT_HEIGHT, dy * ORBIT_HEIGHT));
    }

    /** The button is up: whether that was a click. */
    release() {
        const click = this.held && !this.dragged && !this.pans;
        this.held = false;
        return click;
    }

    /** What lies under the pointer, at the target's depth, stays there. */
    zoomAt(x, y, factor) {
        const distance = (c) => Math.hypot(...c.eye.map((e, k) => e - c.target[k]));
        const to = zoom(this.camera, factor), is = distance(to);
        const by = is > 0 ? distance(this.camera) / is - 1 : 0;
        this.move(pan(to, by * (x - this.width / 2) / this.height,
            -by * (y - this.height / 2) / this.height));
    }

    wheel(x, y, pixels) {
        const notches = Math.min(Math.max(-pixels / WHEEL_PIXELS, -WHEEL_MOST), WHEEL_MOST);
        this.zoomAt(x, y, WHEEL_ZOOM ** notches);
    }

    /* ---- keys ---- */

    /** Takes a key (KeyboardEvent's `key`); whether it means something. */
    key(key, shift, scene, now) {
        const changes = this.sceneKey(key, scene);
        if (changes !== null) {
            this.events.scene(changes);
            return true;
        }
        if (key >= '1' && key <= '7' && key.length === 1) {
            this.flyToView(VIEWS[Number(key) - 1], now, true);
            return true;
        }
        switch (key) {
        case 'ArrowLeft':
            return this.arrow(-1, 0, shift);
        case 'ArrowRight':
            return this.arrow(1, 0, shift);
        case 'ArrowUp':
            return this.arrow(0, 1, shift);
        case 'ArrowDown':
            return this.arrow(0, -1, shift);
        case '+':
        case '=': /* the same key without shift, on many keyboards */
            this.zoomAt(this.width / 2, this.height / 2, KEY_ZOOM);
            return true;
        case '-':
            this.zoomAt(this.width / 2, this.height / 2, 1 / KEY_ZOOM);
            return true;
        case '0':
            if (this.whole !== null) {
                this.flyToBox(this.whole.box, now, true);
            }
            return true;
        case 'r':
            this.turntable = !this.turntable;
            this.events.moved(false);
            return true;
        case 'Escape':
            return this.events.clear();
        default:
            return false;
        }
    }

    arrow(right, up, shift) {
        this.move(shift ? pan(this.camera, right * KEY_PAN, up * KEY_PAN)
            : orbit(this.camera, right * KEY_ORBIT, up * KEY_ORBIT));
        return true;
    }

    /* What a key changes of a scene, or null. */
    sceneKey(key, scene) {
        const flags = { h: 'heat', b: 'boxes', l: 'labels', f: 'frame', d: 'dim_others' };
        if (Object.hasOwn(flags, key)) {
            return { [flags[key]]: !scene[flags[key]] };
        }
        const slices = [...scene.slices], axis = ['x', 'y', 'z'].indexOf(key);
        if (axis >= 0) {
            this.plane = axis;
            this.cutAt ??= [0.5, 0.5, 0.5];
            this.cutAt[axis] = slices[axis] ?? this.cutAt[axis]; /* comes back where it was */
            slices[axis] = slices[axis] === null ? this.cutAt[axis] : null;
            return { slices };
        }
        switch (key) {
        case 'p':
            return { palette: scene.palette === 'default' ? 'colorblind' : 'default' };
        case 'm':
            return { method: scene.method === 'march' ? 'slices' : 'march' };
        case '[':
        case ']': {
            const at = (slices[this.plane] ?? 0.5) + (key === ']' ? SLICE_STEP : -SLICE_STEP);
            slices[this.plane] = Math.min(Math.max(at, 0), 1);
            return { slices };
        }
        case 't':
            return { density: Math.max(scene.density / DENSITY_STEP, DENSITY_MIN) };
        case 'T':
            return { density: Math.min(scene.density * DENSITY_STEP, DENSITY_MAX) };
        default:
            return null;
        }
    }
}

/* ---- a canvas ---- */

const WHEEL_LINES = 33; /* pixels of a line, where a wheel counts lines */

/** Tells `controls` what happens on `element`; `sceneOf()` is the scene keys are about. Returns a
 *  function that ends it. */
export function listen(element, controls, sceneOf) {
    const fingers = new Map(), ended = new AbortController(), { signal } = ended;
    let apart = 0, middle = [0, 0], lastClick = null;
    const at = (event) => {
        const box = element.getBoundingClientRect();
        return [event.clientX - box.left, event.clientY - box.top];
    };
    const on = (type, take, options = {}) => element.addEventListener(type, take, { signal, ...options });
    const pinch = () => {
        const [a, b] = [...fingers.values()];
        apart = Math.hypot(a[0] - b[0], a[1] - b[1]);
        middle = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
    };

    on('pointerdown', (event) => {
        if (fingers.size >= 2) {
            return;
        }
        element.focus({ preventScroll: true });
        element.setPointerCapture(event.pointerId);
        fingers.set(event.pointerId, at(event));
        if (fingers.size === 1) {
            controls.press(...at(event), event.button !== 0 || event.shiftKey);
        } else {
            controls.release();
            pinch();
        }
        event.preventDefault();
    });
    on('pointermove', (event) => {
        if (!fingers.has(event.pointerId)) {
            return;
        }
        fingers.set(event.pointerId, at(event));
        if (fingers.size === 1) {
            controls.drag(...at(event));
            return;
        }
        const [wasApart, was] = [apart, middle];
        pinch();
        if (apart > 0 && wasApart > 0) {
            controls.zoomAt(...middle, wasApart / apart);
            controls.move(pan(controls.camera, (was[0] - middle[0]) / controls.height,
                (middle[1] - was[1]) / controls.height));
        }
    });
    const up = (event) => {
        if (!fingers.delete(event.pointerId) || fingers.size > 0) {
            return;
        }
        const [x, y] = at(event);
        if (!controls.release() || event.type !== 'pointerup') {
            return;
        }
        const twice = lastClick !== null && event.timeStamp - lastClick.time < DOUBLE_MS &&
            Math.hypot(x - lastClick.x, y - lastClick.y) <= 2 * CLICK_PIXELS;
        lastClick = twice ? null : { time: event.timeStamp, x, y };
        controls.events[twice ? 'visit' : 'pick'](x, y, event);
    };
    on('pointerup', up);
    on('pointercancel', up);
    on('contextmenu', (event) => event.preventDefault());
    on('wheel', (event) => {
        const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? WHEEL_LINES : 1;
        /* A pinch of a touchpad comes as a wheel with ctrl, in smaller steps. */
        controls.wheel(...at(event), event.deltaY * lines * (event.ctrlKey ? 4 : 1));
        event.preventDefault();
    }, { passive: false });
    on('keydown', (event) => {
        if (!event.ctrlKey && !event.altKey && !event.metaKey &&
            controls.key(event.key, event.shiftKey, sceneOf(), performance.now())) {
            event.preventDefault();
            event.stopPropagation();
        }
    });
    return () => ended.abort();
}
