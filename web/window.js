/* window.js - a window that shows one VM: its volume, tools over it, the question box, the side panel.
 * Where it lies is windows.js's; it is the `host` of the panel's tabs and of the question box. */
import { actionButtons } from './actions.js';
import { AskBox } from './ask.js';
import { el, iconButton, text } from './dom.js';
import { bytes, countPages } from './format.js';
import { isAlive, stateWord } from './machines.js';
import { say } from './notices.js';
import { Panel } from './panel.js';
import { BACKGROUNDS } from './theme.js';

const PAGE_BYTES = 4096;
const LIT_MOST = 24;
const COLOURS = [
    '#4df3ff',
    '#ff5fd2',
    '#b4ff4d',
    '#ffffff',
    '#ffb14d',
    '#8f9bff',
    '#ff7a7a',
    '#5dffa8',
];
const STREAM_WORDS = {
    connecting: 'Connecting …',
    waiting: 'The picture stopped. Trying again …',
    ended: 'The picture ended.',
    refused: 'The picture cannot be shown.',
};
const VIEWS = [
    ['iso', 'Corner'],
    ['front', 'Front'],
    ['back', 'Back'],
    ['left', 'Left'],
    ['right', 'Right'],
    ['top', 'Top'],
    ['bottom', 'Bottom'],
];

export class VmWindow {
    lit = [];
    process = null;
    #clearers = [];
    #litListeners = [];
    #firstScene = null;
    #moved = false; /* a camera that nobody moved goes on fitting its window */

    /** `saved` {panel, linked, camera, scene}; `wishes` {focus, close, minimise, maximise, snap, link,
     *  moved(camera), changed}: what the window asks of who arranges it. */
    constructor(name, machines, saved, wishes) {
        this.name = name;
        this.machines = machines;
        this.wishes = wishes;
        this.linked = saved.linked === true;
        this.volume = el('vitrine-volume', {
            vm: name,
            level: 'auto',
            hz: '30',
            tabindex: 0,
            'aria-label': `RAM of ${name}`,
        });
        this.ask = new AskBox(this);
        this.#makeHead();
        this.#makeTools();
        this.message = el('div', { class: 'volume-message', role: 'status', hidden: true });
        this.stage = el(
            'div',
            { class: 'stage' },
            this.volume,
            this.tools,
            this.message,
            this.ask.element,
        );
        this.panel = new Panel(this, saved.panel === undefined ? 'processes' : saved.panel, () =>
            wishes.changed(),
        );
        this.body = el('div', { class: 'window-body' }, this.stage, this.panel.element);
        this.element = el(
            'section',
            { class: 'window', role: 'region', 'aria-label': name, data: { vm: name } },
            this.head,
            this.body,
            ['n', 'e', 's', 'w', 'ne', 'se', 'sw', 'nw'].map((edge) =>
                el('span', { class: `edge edge-${edge}`, data: { edge } }),
            ),
        );
        this.#listen();
        this.#restore(saved);
        this.show(machines.get(name));
    }

    /* ---------------------------------------------------------------- parts */

    #makeHead() {
        this.dot = el('span', { class: 'state-dot' });
        this.state = el('span', { class: 'state-word' });
        this.power = actionButtons(this.machines);
        this.link = iconButton('link', 'Link this camera with other linked ones', () => {
            this.linked = !this.linked;
            this.#showLinked();
            this.wishes.link(this);
        });
        this.sizer = iconButton('maximise', 'Maximise', () => this.wishes.maximise());
        this.head = el(
            'header',
            {
                class: 'window-head',
                tabindex: 0,
                'aria-label': `Window ${this.name}: arrows move it, with shift they resize it`,
            },
            iconButton('back', 'Back to the map', () => this.wishes.minimise(), {
                class: 'only-phone',
            }),
            this.dot,
            el('h2', {}, this.name),
            this.state,
            this.power.element,
            el('span', { class: 'gap' }),
            this.link,
            iconButton('panel', 'Side panel', () => this.panel.toggle(), { class: 'not-phone' }),
            iconButton('snap', 'Lay it to a side', (e) => this.wishes.snapMenu(e.currentTarget), {
                class: 'not-phone',
                'aria-haspopup': 'menu',
            }),
            iconButton('minimise', 'Minimise', () => this.wishes.minimise(), {
                class: 'not-phone',
            }),
            this.sizer,
            iconButton('close', 'Close', () => this.wishes.close()),
        );
        this.sizer.classList.add('not-phone');
        this.#showLinked();
    }

    #showLinked() {
        this.link.setAttribute('aria-pressed', String(this.linked));
    }

    #makeTools() {
        const toggle = (member, name, label) => {
            const button = iconButton(
                name,
                label,
                () => this.setScene({ [member]: !this.scene[member] }),
                { data: { toggle: member } },
            );
            return button;
        };
        this.toggles = [
            toggle('heat', 'heat', 'Heat: what was just written glows (h)'),
            toggle('boxes', 'box', 'Boxes (b)'),
            toggle('labels', 'label', 'Labels (l)'),
        ];
        this.views = el(
            'select',
            {
                class: 'views',
                'aria-label': 'View from',
                title: 'View from (1–7)',
                on: {
                    change: () => {
                        this.volume.flyTo({ view: this.views.value });
                        this.views.value = '';
                    },
                },
            },
            el('option', { value: '', disabled: true, hidden: true, selected: true }, 'View'),
            VIEWS.map(([value, title]) => el('option', { value }, title)),
        );
        this.tools = el(
            'div',
            { class: 'stage-tools', role: 'toolbar', 'aria-label': 'Picture' },
            iconButton('fit', 'Fit all (0)', () => this.volume.flyTo({ view: 'iso' })),
            this.views,
            this.toggles,
            iconButton('palette', 'Colours (p)', () =>
                this.setScene({
                    palette: this.scene.palette === 'default' ? 'colorblind' : 'default',
                }),
            ),
            iconButton('eye', 'Put all lights out (Esc)', () => this.clear(), {
                class: 'put-out',
                hidden: true,
            }),
        );
    }

    #listen() {
        const { element, volume } = this;
        element.addEventListener('pointerdown', () => this.wishes.focus(), true);
        element.addEventListener('focusin', () => this.wishes.focus());
        volume.addEventListener('vitrine-camera', (e) => {
            this.wishes.moved(e.detail);
            this.#cameraChanged();
        });
        volume.addEventListener('vitrine-pick', (e) => this.#picked(e.detail));
        volume.addEventListener('vitrine-state', (e) => this.#volumeState(e.detail));
        volume.addEventListener('vitrine-scene', () => this.#sceneChanged());
        volume.addEventListener('vitrine-clear', () => this.clear());
        this.machines.addEventListener(
            'sample',
            (this.onSample = (e) => e.detail.vm === this.name && this.panel.sampled(e.detail)),
        );
    }

    #restore(saved) {
        this.#firstScene = this.volume.scene;
        this.setTheme(document.documentElement.dataset.theme);
        try {
            if (saved.scene) {
                this.setScene(saved.scene);
            }
            if (saved.camera) {
                this.setCamera(saved.camera);
            }
        } catch {
            /* of another version of this page: forgotten */
        }
        this.#sceneChanged();
    }

    toJSON() {
        return {
            panel: this.panel.openId,
            linked: this.linked,
            camera: this.#moved ? this.volume.camera : null,
            scene: this.savedScene,
        };
    }

    /* ---------------------------------------------------------------- the VM */

    get vm() {
        return this.machines.get(this.name) ?? { name: this.name, state: 'ended', regions: [] };
    }

    show(vm) {
        const alive = isAlive(vm);
        this.dot.dataset.state = vm?.state ?? 'ended';
        text(this.state, stateWord(vm));
        this.element.classList.toggle('ended', !alive);
        if (vm) {
            this.power.update(vm);
        }
        this.#showMessage();
    }

    #volumeState(detail) {
        this.volumeState = detail;
        this.#showMessage();
        if (detail.state === 'live' && this.panel.openId === 'scene') {
            this.panel.current.show();
        }
    }

    #lineOf(vm, { state = 'live', message }) {
        if (!this.machines.connected && this.machines.loaded) {
            return 'The server does not answer. Trying again …';
        }
        if (!isAlive(vm)) {
            return 'This VM has ended. What was seen of it can still be asked.';
        }
        if (vm.ram_why) {
            return vm.ram_why;
        }
        return state === 'live' ? '' : message || STREAM_WORDS[state] || state;
    }

    /* One line over the picture: what it is waiting for, or why it stands still. */
    #showMessage() {
        const line = this.#lineOf(this.machines.get(this.name), this.volumeState ?? {});
        text(this.message, line);
        this.message.hidden = line === '';
    }

    /* ---------------------------------------------------------------- what the tabs and the box use */

    say(message, kind) {
        say(message, kind);
    }

    onClear(f) {
        this.#clearers.push(f);
    }

    onLit(f) {
        this.#litListeners.push(f);
    }

    /** Lights pages up and flies there; `add`: beside those that are lit. */
    light({ name, label, colour, pages }, { add = false, fly = true } = {}) {
        const others = add ? this.lit.filter((h) => h.name !== name) : [];
        const free =
            COLOURS.find((c) => !others.some((h) => h.colour === c)) ??
            COLOURS[others.length % COLOURS.length];
        this.lit = [...others, { name, label, colour: colour ?? free, pages }].slice(-LIT_MOST);
        this.#showLit();
        if (fly) {
            this.fly(pages);
        }
    }

    /** The same of what find() finds, {pages, cut}, and says how much that is. */
    async lightFound(highlight, find, add = false) {
        try {
            const { pages, cut } = await find();
            if (pages.length === 0) {
                say(`${highlight.label}: no page of it is in memory.`);
                return;
            }
            this.light({ ...highlight, pages }, { add });
            const size = bytes(countPages(pages) * PAGE_BYTES);
            const runs = `${pages.length} ${pages.length === 1 ? 'run' : 'runs'}`;
            say(`${highlight.label}: ${size} in ${runs}${cut ? ', and more' : ''}`);
        } catch (error) {
            say(`${highlight.label}: ${error.message}`, 'error');
        }
    }

    /** What a highlight of that name is called; those of the VM are called so themselves. */
    labelOf(name) {
        return this.lit.find((h) => h.name === name)?.label ?? String(name);
    }

    putOut(name) {
        this.lit = this.lit.filter((h) => h.name !== name);
        this.#showLit();
    }

    clear() {
        this.lit = [];
        this.process = null;
        this.#clearers.forEach((f) => f());
        this.#showLit();
    }

    #showLit() {
        this.volume.setHighlights(this.lit);
        this.tools.querySelector('.put-out').hidden = this.lit.length === 0;
        this.#litListeners.forEach((f) => f());
    }

    fly(pages) {
        if (pages.length > 0) {
            this.volume.flyTo({ pages });
            this.#cameraChanged();
        }
    }

    async showProcess(pid) {
        this.panel.show('processes');
        const tab = this.panel.tab('processes');
        await tab.refresh();
        tab.pickPid(pid);
    }

    #picked(detail) {
        if (detail.hit) {
            this.panel.show('what');
        }
        this.panel.tab('what').show(detail);
    }

    /* ---------------------------------------------------------------- the scene */

    get scene() {
        return this.volume.scene;
    }

    get palette() {
        return this.scene.palette;
    }

    setScene(part) {
        this.volume.setScene(part);
    }

    /** Looks from there at once; a linked camera is told so by others. */
    setCamera(camera) {
        this.volume.setCamera(camera);
        this.#cameraChanged();
    }

    #cameraChanged() {
        this.#moved = true;
        this.wishes.changed();
    }

    resetScene() {
        this.setScene({ ...this.#firstScene, background: this.scene.background });
    }

    setTheme(theme) {
        this.volume.setScene({ background: BACKGROUNDS[theme] });
    }

    #sceneChanged() {
        const kept = { ...this.scene };
        delete kept.background; /* the theme's */
        delete kept.only_pid; /* of a process of this boot */
        const now = JSON.stringify(kept);
        if (now === this.lastScene) {
            return;
        }
        this.lastScene = now;
        this.savedScene = kept;
        this.toggles.forEach((b) => b.setAttribute('aria-pressed', String(kept[b.dataset.toggle])));
        if (this.panel.openId === 'scene') {
            this.panel.current.show();
        }
        this.wishes.changed();
    }

    destroy() {
        this.machines.removeEventListener('sample', this.onSample);
        this.element.remove();
    }
}
