/* windows.js - the windows over the map: which there are, where they lie, which is in front; moved
 * and resized by hand or by keys, laid to sides, tiled; cameras that are linked move together. The
 * layout is remembered. */
import { drag, el, iconButton, memory, settled } from './dom.js';
import * as layout from './layout.js';
import { VmWindow } from './window.js';

const PHONE = matchMedia('(max-width: 640px)');
const SNAP_TITLES = {
    full: 'All of it',
    left: 'Left half',
    right: 'Right half',
    top: 'Upper half',
    bottom: 'Lower half',
    'top-left': 'Upper left',
    'top-right': 'Upper right',
    'bottom-left': 'Lower left',
    'bottom-right': 'Lower right',
};

export class Windows extends EventTarget {
    #all = []; /* {name, view, rect, snap, minimised}, in order of their opening */
    #front = null;
    #z = 1;
    #save = settled(() =>
        memory.set('layout', {
            windows: this.#all.map(({ name, rect, snap, minimised, view }) => ({
                name,
                rect,
                snap,
                minimised,
                ...view.toJSON(),
            })),
            front: this.#front?.name ?? null,
        }),
    );

    constructor(root, bar, machines) {
        super();
        this.root = root;
        this.bar = bar;
        this.machines = machines;
        this.preview = el('div', { class: 'snap-preview', hidden: true });
        root.append(this.preview);
        machines.addEventListener('list', () =>
            this.#all.forEach((w) => w.view.show(machines.get(w.name))),
        );
        machines.addEventListener('server', () =>
            this.#all.forEach((w) => w.view.show(machines.get(w.name))),
        );
        new ResizeObserver(() => this.#all.forEach((w) => this.#place(w))).observe(root);
        PHONE.addEventListener('change', () => {
            this.#all.forEach((w) => this.#place(w));
            this.#cover();
        });
    }

    get area() {
        return { w: this.root.clientWidth, h: this.root.clientHeight };
    }

    get front() {
        return this.#front?.view ?? null;
    }

    get names() {
        return this.#all.map((w) => w.name);
    }

    #changed() {
        this.#save();
        this.#cover();
        this.#showBar();
        this.dispatchEvent(new Event('change'));
    }

    /* What lies behind a window that covers all is not drawn. */
    #cover() {
        const covered = this.#front?.view.element.classList.contains('whole') === true;
        this.root.parentElement.classList.toggle('covered', covered);
    }

    /* ---------------------------------------------------------------- opening and closing */

    /** Opens a VM's window as it was left, once the machines are known. */
    restore() {
        const { windows = [], front = null } = memory.get('layout', {});
        for (const saved of windows) {
            if (this.machines.get(saved.name)) {
                this.open(saved.name, saved);
            }
        }
        const last = this.#all.find((w) => w.name === front && !w.minimised);
        if (last) {
            this.focus(last);
        }
    }

    /** Opens a VM, or brings its window to the front. */
    open(name, saved = null) {
        const known = this.#find(name);
        if (known) {
            known.minimised = false;
            this.#place(known);
            this.focus(known);
            known.view.volume.focus({ preventScroll: true });
            return;
        }
        const w = {
            name,
            rect: saved?.rect ?? layout.cascade(this.#all.length, this.area),
            snap: saved?.snap ?? null,
            minimised: saved?.minimised === true,
        };
        w.view = new VmWindow(name, this.machines, saved ?? this.#defaults(), {
            focus: () => this.focus(w),
            close: () => this.close(w),
            minimise: () => this.minimise(w),
            maximise: () => this.snap(w, w.snap === 'full' ? null : 'full'),
            snapMenu: (button) => this.#menu(w, button),
            link: () => this.#linkedNow(w),
            moved: (camera) => this.#moved(w, camera),
            changed: () => this.#save(),
        });
        this.#all.push(w);
        this.root.append(w.view.element);
        this.#hands(w);
        this.#place(w);
        if (!w.minimised) {
            this.focus(w);
            if (!saved) {
                w.view.volume.focus({ preventScroll: true });
            }
        }
        this.#changed();
    }

    #defaults() {
        return PHONE.matches ? { panel: null } : {};
    }

    #find(name) {
        return this.#all.find((w) => w.name === name);
    }

    close(w = this.#front) {
        if (!w) {
            return;
        }
        this.#all = this.#all.filter((other) => other !== w);
        w.view.destroy();
        this.#next(w);
    }

    minimise(w = this.#front) {
        if (w) {
            w.minimised = true;
            this.#place(w);
            this.#next(w);
        }
    }

    #next(w) {
        if (this.#front === w) {
            this.#front = null;
            const open = this.#all.filter((other) => !other.minimised);
            open.sort((a, b) => b.z - a.z);
            if (open.length > 0) {
                this.focus(open[0]);
            } else {
                this.dispatchEvent(new CustomEvent('empty', { detail: w.name }));
            }
        }
        this.#changed();
    }

    focus(w) {
        if (this.#front === w || w.minimised || !this.#all.includes(w)) {
            return;
        }
        this.#front = w;
        w.z = ++this.#z;
        w.view.element.style.zIndex = String(w.z);
        this.#all.forEach((other) => other.view.element.classList.toggle('front', other === w));
        this.#changed();
    }

    /** The next window of those that are open to the front. */
    cycle() {
        const open = this.#all.filter((w) => !w.minimised);
        if (open.length > 0) {
            const w = open[(open.indexOf(this.#front) + 1) % open.length];
            this.focus(w);
            w.view.volume.focus({ preventScroll: true });
        }
    }

    closeAll() {
        [...this.#all].forEach((w) => this.close(w));
    }

    minimiseAll() {
        this.#all.forEach((w) => {
            w.minimised = true;
            this.#place(w);
        });
        if (this.#front) {
            this.#next(this.#front);
        }
    }

    setTheme(theme) {
        this.#all.forEach((w) => w.view.setTheme(theme));
    }

    /* ---------------------------------------------------------------- where they lie */

    #place(w) {
        const { element, sizer } = w.view,
            whole = PHONE.matches;
        const rect = whole
            ? layout.snapRect('full', this.area)
            : w.snap
              ? layout.snapRect(w.snap, this.area)
              : layout.keepInside(w.rect, this.area);
        element.classList.toggle('snapped', whole || w.snap !== null);
        element.classList.toggle('whole', whole || w.snap === 'full');
        element.classList.toggle('minimised', w.minimised);
        element.classList.toggle('narrow', rect.w < 780);
        Object.assign(element.style, {
            left: `${rect.x}px`,
            top: `${rect.y}px`,
            width: `${rect.w}px`,
            height: `${rect.h}px`,
        });
        const full = w.snap === 'full';
        sizer.setAttribute('aria-label', full ? 'Restore' : 'Maximise');
        sizer.title = full ? 'Restore' : 'Maximise';
    }

    /** Lays a window to a part of the area; null: where it was before. */
    snap(w, name) {
        if (w) {
            w.snap = name;
            this.#place(w);
            this.#changed();
        }
    }

    snapFront(name) {
        this.snap(this.#front, name);
    }

    /** All that are open side by side; their places become their own. */
    tile() {
        const open = this.#all.filter((w) => !w.minimised);
        layout.tile(open.length, this.area).forEach((rect, i) => {
            open[i].rect = rect;
            open[i].snap = null;
            this.#place(open[i]);
        });
        this.#changed();
    }

    /* ---------------------------------------------------------------- hands and keys */

    #hands(w) {
        const { head, element } = w.view;
        head.addEventListener('pointerdown', (e) => {
            if (e.button === 0 && !PHONE.matches && !e.target.closest('button, select')) {
                this.#dragWindow(w, e);
            }
        });
        head.addEventListener(
            'dblclick',
            (e) => !e.target.closest('button') && this.snap(w, w.snap === 'full' ? null : 'full'),
        );
        head.addEventListener('keydown', (e) => this.#key(w, e));
        for (const edge of element.querySelectorAll('.edge')) {
            edge.addEventListener('pointerdown', (e) => {
                if (e.button === 0) {
                    e.preventDefault();
                    const from = this.#loose(w);
                    drag(e, {
                        move: (dx, dy) => {
                            w.rect = layout.resize(from, edge.dataset.edge, dx, dy, this.area);
                            this.#place(w);
                        },
                        end: () => this.#changed(),
                    });
                }
            });
        }
    }

    /* A window that was laid to a side becomes free where it is. */
    #loose(w) {
        if (w.snap !== null) {
            w.rect = layout.snapRect(w.snap, this.area);
            w.snap = null;
        }
        return { ...layout.keepInside(w.rect, this.area) };
    }

    #dragWindow(w, event) {
        const box = this.root.getBoundingClientRect();
        let from = null,
            zone = null;
        drag(event, {
            move: (dx, dy, e) => {
                const x = e.clientX - box.left,
                    y = e.clientY - box.top;
                if (from === null) {
                    const share =
                        (event.clientX - box.left - w.view.element.offsetLeft) /
                        w.view.element.offsetWidth;
                    if (w.snap !== null) {
                        /* It gets its own size again, and stays under the pointer. */
                        w.rect = {
                            ...w.rect,
                            x: x - dx - share * w.rect.w,
                            y: w.view.element.offsetTop,
                        };
                        w.snap = null;
                    }
                    from = { ...w.rect };
                    w.view.element.classList.add('held');
                }
                w.rect = layout.keepInside({ ...from, x: from.x + dx, y: from.y + dy }, this.area);
                this.#place(w);
                zone = layout.snapZone(x, y, this.area);
                this.#showPreview(zone);
            },
            end: (moved) => {
                w.view.element.classList.remove('held');
                this.#showPreview(null);
                if (moved && zone !== null) {
                    w.rect = from;
                    w.snap = zone;
                    this.#place(w);
                }
                this.#changed();
            },
        });
    }

    #showPreview(zone) {
        this.preview.hidden = zone === null;
        if (zone !== null) {
            const r = layout.snapRect(zone, this.area);
            Object.assign(this.preview.style, {
                left: `${r.x}px`,
                top: `${r.y}px`,
                width: `${r.w}px`,
                height: `${r.h}px`,
            });
        }
    }

    #key(w, event) {
        const by = {
            ArrowLeft: [-24, 0],
            ArrowRight: [24, 0],
            ArrowUp: [0, -24],
            ArrowDown: [0, 24],
        }[event.key];
        if (event.target !== w.view.head || event.ctrlKey || event.altKey || event.metaKey) {
            return;
        }
        if (by) {
            const from = this.#loose(w);
            w.rect = event.shiftKey
                ? layout.resize(from, 'se', by[0], by[1], this.area)
                : layout.keepInside({ ...from, x: from.x + by[0], y: from.y + by[1] }, this.area);
            this.#place(w);
            this.#changed();
        } else if (event.key === 'Enter') {
            this.snap(w, w.snap === 'full' ? null : 'full');
        } else {
            return;
        }
        event.preventDefault();
        event.stopPropagation();
    }

    #menu(w, button) {
        const items = [
            ...layout.SNAP_NAMES.map((name) => [SNAP_TITLES[name], () => this.snap(w, name)]),
            ['As it was', () => this.snap(w, null)],
            ['All side by side', () => this.tile()],
        ];
        const box = button.getBoundingClientRect();
        const menu = el(
            'div',
            { class: 'menu', role: 'menu' },
            items.map(([title, run]) =>
                el(
                    'button',
                    {
                        type: 'button',
                        role: 'menuitem',
                        on: {
                            click: () => {
                                close();
                                run();
                            },
                        },
                    },
                    title,
                ),
            ),
        );
        const close = () => {
            menu.remove();
            removeEventListener('pointerdown', outside, true);
            button.focus();
        };
        const outside = (e) => !menu.contains(e.target) && close();
        menu.style.top = `${box.bottom + 4}px`;
        menu.style.right = `${innerWidth - box.right}px`;
        menu.addEventListener('keydown', (e) => {
            const at = [...menu.children].indexOf(document.activeElement),
                n = menu.children.length;
            if (e.key === 'Escape' || e.key === 'Tab') {
                close();
            } else if (e.key === 'ArrowDown' || e.key === 'ArrowUp') {
                menu.children[(at + (e.key === 'ArrowDown' ? 1 : n - 1)) % n].focus();
            } else {
                return;
            }
            e.preventDefault();
            e.stopPropagation();
        });
        document.body.append(menu);
        addEventListener('pointerdown', outside, true);
        menu.firstElementChild.focus();
    }

    /* ---------------------------------------------------------------- linked cameras */

    #moved(w, camera) {
        if (w.view.linked) {
            for (const other of this.#all) {
                if (other !== w && other.view.linked) {
                    other.view.setCamera(camera);
                }
            }
        }
    }

    /* One that is linked anew takes the place of those that were before it. */
    #linkedNow(w) {
        const other = w.view.linked && this.#all.find((o) => o !== w && o.view.linked);
        if (other) {
            w.view.setCamera(other.view.volume.camera);
        }
        this.#changed();
    }

    /* ---------------------------------------------------------------- the bar of windows */

    #showBar() {
        this.bar.replaceChildren(
            ...this.#all.map((w) =>
                el(
                    'span',
                    {
                        class: `task${w === this.#front ? ' on' : ''}${w.minimised ? ' minimised' : ''}`,
                    },
                    el(
                        'button',
                        {
                            type: 'button',
                            class: 'task-main',
                            'aria-pressed': String(w === this.#front),
                            on: {
                                click: () =>
                                    w === this.#front ? this.minimise(w) : this.open(w.name),
                            },
                        },
                        w.name,
                    ),
                    iconButton('close', `Close ${w.name}`, () => this.close(w)),
                ),
            ),
        );
    }
}
