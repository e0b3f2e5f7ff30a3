/* map.js - an endless plane on which each VM is a brick. The view {x, y, scale} and the bricks'
 * places are remembered. Bricks come and go with machines.js. */
import { drag, el, memory, settled } from './dom.js';
import { Brick, BRICK } from './brick.js';
import { fit, freePlace, grid, zoomAt } from './layout.js';

const GAP = 28;
const FAR = 0.62; /* below this scale a brick shows its picture and name alone */
const TAP_PIXELS = 8;
const GLIDE_MS = 320;

export class VmMap {
    #bricks = new Map();
    #places = memory.get('map.places', {});
    #view = memory.get('map.view', null);
    #fresh = this.#view === null; /* nothing to return to: everything is shown */
    #theme = 'dark';
    #pointers = new Map();
    #glide = 0;
    #save = settled(() => {
        memory.set('map.places', this.#places);
        memory.set('map.view', this.#view);
    });

    constructor(root, machines, open) {
        this.root = root;
        this.machines = machines;
        this.open = open;
        this.layer = el('div', { class: 'map-layer' });
        this.note = el('div', { class: 'map-note' });
        root.append(this.layer, this.note);
        machines.addEventListener('list', () => this.update());
        machines.addEventListener('figures', () =>
            this.#bricks.forEach((brick) => brick.showFigures()),
        );
        root.addEventListener('pointerdown', (e) => this.#down(e));
        root.addEventListener('wheel', (e) => this.#wheel(e), { passive: false });
        root.addEventListener('keydown', (e) => this.#key(e));
        new ResizeObserver(() => this.#apply()).observe(root);
    }

    get area() {
        return { w: this.root.clientWidth, h: this.root.clientHeight };
    }

    /* ---------------------------------------------------------------- bricks */

    update() {
        const { all } = this.machines;
        for (const [name, brick] of this.#bricks) {
            if (!all.has(name)) {
                brick.remove();
                this.#bricks.delete(name);
            }
        }
        const first = this.#bricks.size === 0;
        if (first && Object.keys(this.#places).length === 0) {
            const names = [...all.keys()];
            const { w, h } = this.area;
            grid(names.length, BRICK, GAP, w / h).forEach(({ x, y }, i) => {
                this.#places[names[i]] = { x, y };
            });
        }
        for (const [name, vm] of all) {
            if (!this.#bricks.has(name)) {
                this.#add(name);
            }
            this.#bricks.get(name).show(vm);
        }
        if (first && this.#bricks.size > 0) {
            if (this.#fresh) {
                this.#fresh = false;
                this.fitAll(false);
            } else if (!this.#someInSight()) {
                this.fitAll(true);
            }
        }
        this.#apply();
    }

    #add(name) {
        const taken = [...this.#bricks.keys()].map((other) => this.#rect(other));
        this.#places[name] ??= (({ x, y }) => ({ x, y }))(freePlace(taken, BRICK, GAP));
        const brick = new Brick(name, this.machines, () => this.open(name));
        brick.element.addEventListener('pointerdown', (e) => this.#brickDown(e, name));
        brick.element.addEventListener('focusin', () => this.#reveal(name));
        this.#bricks.set(name, brick);
        brick.setTheme(this.#theme);
        this.#place(name);
        this.layer.append(brick.element);
    }

    #rect(name) {
        return { ...this.#places[name], ...BRICK };
    }

    #place(name) {
        const { x, y } = this.#places[name];
        this.#bricks.get(name).element.style.transform = `translate(${x}px, ${y}px)`;
    }

    #someInSight() {
        const { x, y, scale } = this.#view,
            { w, h } = this.area;
        return [...this.#bricks.keys()].some((name) => {
            const r = this.#rect(name);
            return (
                r.x * scale + x < w &&
                (r.x + r.w) * scale + x > 0 &&
                r.y * scale + y < h &&
                (r.y + r.h) * scale + y > 0
            );
        });
    }

    setTheme(theme) {
        this.#theme = theme;
        this.#bricks.forEach((brick) => brick.setTheme(theme));
    }

    focus(name) {
        this.#bricks.get(name)?.element.querySelector('.brick-open').focus();
    }

    /** Brings a brick that got the keyboard's focus into sight. */
    #reveal(name) {
        if (this.#pointers.size > 0) {
            return;
        }
        const r = this.#rect(name),
            { scale } = this.#view,
            { w, h } = this.area,
            pad = 16;
        const left = r.x * scale + this.#view.x,
            top = r.y * scale + this.#view.y;
        const right = left + r.w * scale,
            bottom = top + r.h * scale;
        const dx =
            left < pad ? pad - left : right > w - pad ? Math.max(w - pad - right, pad - left) : 0;
        const dy =
            top < pad ? pad - top : bottom > h - pad ? Math.max(h - pad - bottom, pad - top) : 0;
        if (dx !== 0 || dy !== 0) {
            this.#moveTo({ ...this.#view, x: this.#view.x + dx, y: this.#view.y + dy });
        }
    }

    /* ---------------------------------------------------------------- the view */

    #apply() {
        this.#view ??= { x: this.area.w / 2, y: this.area.h / 2, scale: 1 };
        const { x, y, scale } = this.#view;
        this.layer.style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
        this.root.style.setProperty('--map-x', `${x}px`);
        this.root.style.setProperty('--map-y', `${y}px`);
        /* The dots keep their distance within a factor of two at every scale. */
        const step = 32 * scale * 2 ** -Math.round(Math.log2(scale));
        this.root.style.setProperty('--map-step', `${step}px`);
        this.root.style.setProperty('--map-scale', String(scale));
        this.root.classList.toggle('far', scale < FAR);
    }

    #set(view) {
        this.#view = view;
        this.#apply();
        this.#save();
    }

    #moveTo(view, smooth = true) {
        cancelAnimationFrame(this.#glide);
        if (!smooth || matchMedia('(prefers-reduced-motion: reduce)').matches) {
            this.#set(view);
            return;
        }
        const from = { ...this.#view },
            start = performance.now();
        const step = (now) => {
            const t = Math.min(1, Math.max(0, (now - start) / GLIDE_MS)),
                e = 1 - (1 - t) ** 3;
            /* The scale goes by ratio, or zooming out far would begin with a jump. */
            const scale = from.scale * (view.scale / from.scale) ** e;
            const share =
                Math.abs(view.scale - from.scale) < 1e-6
                    ? e
                    : (scale - from.scale) / (view.scale - from.scale);
            this.#set(
                t < 1
                    ? {
                          scale,
                          x: from.x + (view.x - from.x) * share,
                          y: from.y + (view.y - from.y) * share,
                      }
                    : view,
            );
            if (t < 1) {
                this.#glide = requestAnimationFrame(step);
            }
        };
        this.#glide = requestAnimationFrame(step);
    }

    fitAll(smooth = true) {
        const rects = [...this.#bricks.keys()].map((name) => this.#rect(name));
        const { w, h } = this.area;
        this.#moveTo(fit(rects, { w, h }, 56, w < 600 ? 1.2 : 1.15), smooth);
    }

    tidy() {
        const alive = (name) => (this.#bricks.get(name).alive ? 0 : 1);
        const names = [...this.#bricks.keys()].sort(
            (a, b) => alive(a) - alive(b) || a.localeCompare(b, 'en', { numeric: true }),
        );
        grid(names.length, BRICK, GAP, this.area.w / this.area.h).forEach(({ x, y }, i) => {
            this.#places[names[i]] = { x, y };
            this.#bricks.get(names[i]).element.classList.add('gliding');
            this.#place(names[i]);
        });
        this.fitAll();
        setTimeout(
            () => this.#bricks.forEach((b) => b.element.classList.remove('gliding')),
            GLIDE_MS + 50,
        );
    }

    zoom(factor, at = null) {
        const { w, h } = this.area;
        cancelAnimationFrame(this.#glide);
        const view = zoomAt(this.#view, factor, at?.x ?? w / 2, at?.y ?? h / 2);
        at ? this.#set(view) : this.#moveTo(view);
    }

    /* ---------------------------------------------------------------- hands */

    #at(event) {
        const box = this.root.getBoundingClientRect();
        return { x: event.clientX - box.left, y: event.clientY - box.top };
    }

    #wheel(event) {
        event.preventDefault();
        const lines = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 400 : 1;
        if (event.shiftKey) {
            cancelAnimationFrame(this.#glide);
            this.#set({ ...this.#view, x: this.#view.x - (event.deltaX || event.deltaY) * lines });
            return;
        }
        /* A trackpad's pinch comes as a wheel with ctrl, in much smaller steps. */
        const speed = event.ctrlKey ? 0.01 : 0.0016;
        this.zoom(Math.exp(-event.deltaY * lines * speed), this.#at(event));
    }

    /* One pointer pans, two zoom about their middle; a finger that stays where it is opens a brick. */
    #down(event) {
        if (event.button > 1 || event.target.closest('.actions, .map-note > *')) {
            return;
        }
        cancelAnimationFrame(this.#glide);
        this.root.setPointerCapture(event.pointerId);
        this.#pointers.set(event.pointerId, this.#at(event));
        if (this.#pointers.size > 1) {
            return;
        }
        this.root.classList.add('panning');
        let tapped = event.target.closest('.brick')?.dataset.vm;
        const move = (e) => {
            if (Math.hypot(e.clientX - event.clientX, e.clientY - event.clientY) > TAP_PIXELS) {
                tapped = undefined;
            }
            if (this.#pointers.has(e.pointerId) && !tapped) {
                this.#drag(e);
            }
        };
        const up = (e) => {
            this.#pointers.delete(e.pointerId);
            if (this.#pointers.size === 0) {
                if (tapped && e.type === 'pointerup') {
                    this.open(tapped);
                }
                this.root.classList.remove('panning');
                for (const [name, handler] of [
                    ['pointermove', move],
                    ['pointerup', up],
                    ['pointercancel', up],
                ]) {
                    this.root.removeEventListener(name, handler);
                }
            }
        };
        this.root.addEventListener('pointermove', move);
        this.root.addEventListener('pointerup', up);
        this.root.addEventListener('pointercancel', up);
    }

    #drag(event) {
        const before = [...this.#pointers.values()].slice(0, 2);
        const was = this.#pointers.get(event.pointerId),
            now = this.#at(event);
        this.#pointers.set(event.pointerId, now);
        if (before.length < 2) {
            this.#set({
                ...this.#view,
                x: this.#view.x + now.x - was.x,
                y: this.#view.y + now.y - was.y,
            });
            return;
        }
        const after = [...this.#pointers.values()].slice(0, 2);
        const span = ([a, b]) => Math.max(8, Math.hypot(a.x - b.x, a.y - b.y));
        const middle = ([a, b]) => ({ x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 });
        const from = middle(before),
            to = middle(after);
        const zoomed = zoomAt(this.#view, span(after) / span(before), from.x, from.y);
        this.#set({ ...zoomed, x: zoomed.x + to.x - from.x, y: zoomed.y + to.y - from.y });
    }

    #brickDown(event, name) {
        if (
            event.button !== 0 ||
            event.pointerType === 'touch' ||
            event.target.closest('.actions')
        ) {
            return; /* a finger pans wherever it begins */
        }
        event.stopPropagation();
        const from = { ...this.#places[name] },
            brick = this.#bricks.get(name);
        brick.element.style.zIndex = String(++this.#top);
        drag(event, {
            move: (dx, dy) => {
                brick.element.classList.add('held');
                this.#places[name] = {
                    x: from.x + dx / this.#view.scale,
                    y: from.y + dy / this.#view.scale,
                };
                this.#place(name);
            },
            end: (moved, e) => {
                brick.element.classList.remove('held');
                this.#save();
                if (!moved && e.type === 'pointerup') {
                    this.open(name);
                }
            },
        });
    }
    #top = 1;

    #key(event) {
        if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) {
            return;
        }
        const step = event.shiftKey ? 240 : 80,
            pan = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[
                event.key
            ];
        if (pan) {
            this.#moveTo(
                { ...this.#view, x: this.#view.x + pan[0] * step, y: this.#view.y + pan[1] * step },
                false,
            );
        } else if (event.key === '+' || event.key === '=') {
            this.zoom(1.25);
        } else if (event.key === '-') {
            this.zoom(0.8);
        } else if (event.key === '0') {
            this.fitAll();
        } else if (event.key === 'a') {
            this.tidy();
        } else {
            return;
        }
        event.preventDefault();
    }

    /** What stands in for bricks when there are none. */
    setNote(...content) {
        this.note.replaceChildren(...content);
    }
}
