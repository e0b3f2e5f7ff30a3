/* panel_scene.js - the tab that says what the volume shows: colours and their legend, opacity,
 * planes, the box that is cut out, heat, and what is drawn around. Everything goes to the volume at
 * once; what its keys change comes back by show(). */
import { curveEditor } from './curve_editor.js';
import { el, iconButton, replace, text } from './dom.js';
import { bytes, percent } from './format.js';

const COUNTED_MOST = 1 << 20; /* pages: 4 GiB, some tens of milliseconds */
const AXES = ['x', 'y', 'z'];
const PLANES = ['YZ', 'XZ', 'XY'];

function slider(
    label,
    { min = 0, max = 1, step = 0.005, value, input, words = (v) => v.toFixed(2) },
) {
    const range = el('input', { type: 'range', min, max, step, 'aria-label': label });
    const said = el('output', {});
    const show = (v) => {
        range.value = String(v);
        said.textContent = words(Number(v));
        range.style.setProperty('--share', `${((Number(v) - min) / (max - min)) * 100}%`);
    };
    range.addEventListener('input', () => {
        show(range.value);
        input(Number(range.value));
    });
    show(value);
    return {
        element: el('label', { class: 'slider' }, el('span', {}, label), range, said),
        show,
        range,
    };
}

function check(label, tip, input) {
    const box = el('input', { type: 'checkbox', on: { change: () => input(box.checked) } });
    return { element: el('label', { class: 'check', title: tip }, box, label), box };
}

function choice(label, options, input) {
    const group = el('div', { class: 'segments', role: 'radiogroup', 'aria-label': label });
    const buttons = options.map(([value, title]) =>
        el(
            'button',
            {
                type: 'button',
                role: 'radio',
                data: { value },
                on: { click: () => input(value) },
            },
            title,
        ),
    );
    group.append(...buttons);
    return {
        element: group,
        show(value) {
            buttons.forEach((b) =>
                b.setAttribute('aria-checked', String(b.dataset.value === value)),
            );
        },
    };
}

export function sceneTab(host) {
    const change = (part) => host.setScene(part);
    const scene = () => host.scene;

    const palette = choice(
        'Palette',
        [
            ['default', 'Standard'],
            ['colorblind', 'Colour-blind safe'],
        ],
        (v) => {
            change({ palette: v });
        },
    );
    const legend = el(
        'ul',
        { class: 'legend' },
        el('li', { class: 'empty' }, 'Comes with the picture.'),
    );
    let legendRows = [],
        legendOf = null;
    const curve = curveEditor((opacity) => change({ opacity }));
    const density = slider('Density', {
        min: -2,
        max: 2,
        step: 0.05,
        value: 0,
        input: (v) => change({ density: 10 ** v }),
        words: (v) => `× ${(10 ** v).toFixed(2)}`,
    });
    const heat = check('Heat', 'What was written a moment ago glows', (v) => change({ heat: v }));
    const half = slider('Half-life', {
        min: 0.2,
        max: 20,
        step: 0.1,
        value: 2,
        input: (v) => change({ heat_s: v }),
        words: (v) => `${v.toFixed(1)} s`,
    });
    const method = choice(
        'Method',
        [
            ['march', 'Rays'],
            ['slices', 'Blended planes'],
        ],
        (v) => {
            change({ method: v });
        },
    );
    const planes = AXES.map((axis, i) => {
        const on = el('input', { type: 'checkbox', 'aria-label': `Plane ${PLANES[i]}` });
        const at = slider(PLANES[i], { value: 0.5, input: (v) => set(v), words: percent });
        const set = (v) => {
            on.checked = v !== null;
            const slices = [...scene().slices];
            slices[i] = v;
            change({ slices });
        };
        on.addEventListener('change', () => set(on.checked ? Number(at.range.value) : null));
        return { row: el('div', { class: 'with-check' }, on, at.element), on, at };
    });
    const clips = AXES.map((axis, i) => {
        const cut = (which, v) => {
            const other = which === 'clip_min' ? 'clip_max' : 'clip_min';
            const now = { [which]: [...scene()[which]], [other]: [...scene()[other]] };
            now[which][i] = v;
            /* One end pushes the other along: the box is never inside out. */
            if (now.clip_min[i] > now.clip_max[i] - 0.01) {
                now[other][i] = Math.min(1, Math.max(0, v + (which === 'clip_min' ? 0.01 : -0.01)));
            }
            change(now);
        };
        const low = slider(`${axis} from`, {
            value: 0,
            input: (v) => cut('clip_min', v),
            words: percent,
        });
        const high = slider('to', { value: 1, input: (v) => cut('clip_max', v), words: percent });
        high.range.setAttribute('aria-label', `${axis} to`);
        return { row: el('div', { class: 'pair' }, low.element, high.element), low, high };
    });
    const toggles = {
        boxes: check('Boxes', 'Around what is highlighted', (v) => change({ boxes: v })),
        labels: check('Labels', 'Names of what is highlighted', (v) => change({ labels: v })),
        frame: check('Frame', 'The edges of the cube', (v) => change({ frame: v })),
        dim_others: check('Dim others', 'What is not highlighted, when something is', (v) =>
            change({ dim_others: v }),
        ),
    };

    const section = (title, ...content) =>
        el('section', { class: 'scene-part' }, el('h4', {}, title), content);
    const element = el(
        'div',
        { class: 'tab padded' },
        section('Colours', palette.element, legend),
        section('Opacity by byte value', curve.element, density.element),
        section(
            'Around it',
            el(
                'div',
                { class: 'checks' },
                Object.values(toggles).map((t) => t.element),
            ),
        ),
        section('Heat', heat.element, half.element),
        section(
            'Planes',
            planes.map((p) => p.row),
        ),
        section(
            'Only inside',
            clips.map((c) => c.row),
        ),
        section('Drawn by', method.element),
    );

    /* A click hides a class or shows it again; with Alt only this one stays. */
    function toggleClass(entry, alone) {
        const others = legendRows.filter((r) => r.entry !== entry);
        const hidden = isHidden(entry);
        change({
            class_opacity: alone
                ? Object.fromEntries(others.map((r) => [r.entry.name, 0]))
                : { ...scene().class_opacity, [entry.name]: hidden ? 1 : 0 },
        });
    }

    function isHidden(entry) {
        return scene().class_opacity[entry.name] === 0;
    }

    function legendRow(entry) {
        const swatch = el('span', { class: 'swatch' });
        const amount = el('span', { class: 'legend-amount' });
        const button = el(
            'button',
            {
                type: 'button',
                class: 'legend-row',
                title: `Hide or show ${entry.title}; with Alt: only this`,
                on: { click: (event) => toggleClass(entry, event.altKey) },
            },
            swatch,
            el('span', { class: 'legend-title' }, entry.title),
            amount,
        );
        return { entry, swatch, amount, button };
    }

    function showLegend() {
        const { classes } = host.volume.info ?? {};
        if (classes && classes !== legendOf) {
            legendOf = classes;
            legendRows = classes.map(legendRow).slice(1); /* holes are never drawn */
            replace(
                legend,
                legendRows.map((row) => el('li', {}, row.button)),
            );
        }
        for (const { entry, swatch, button } of legendRows) {
            swatch.style.background = entry[scene().palette];
            button.setAttribute('aria-pressed', String(!isHidden(entry)));
        }
        showAmounts();
    }

    /* How much RAM is of each class; classes with nothing are kept back. */
    function showAmounts() {
        const { model } = host.volume;
        if (!model || model.pages > COUNTED_MOST) {
            return;
        }
        const pages = new Array(legendRows.length + 1).fill(0);
        for (let page = 0; page < model.pages; page++) {
            pages[model.attributeOf(page).class]++;
        }
        legendRows.forEach(({ amount, button }, i) => {
            text(amount, pages[i + 1] > 0 ? bytes(pages[i + 1] * 4096) : '');
            button.classList.toggle('none', pages[i + 1] === 0);
        });
    }

    function show() {
        const now = scene();
        palette.show(now.palette);
        showLegend();
        curve.show(now.opacity);
        density.show(Math.log10(now.density));
        heat.box.checked = now.heat;
        half.show(now.heat_s);
        method.show(now.method);
        planes.forEach(({ on, at }, i) => {
            on.checked = now.slices[i] !== null;
            if (now.slices[i] !== null) {
                at.show(now.slices[i]);
            }
        });
        clips.forEach(({ low, high }, i) => {
            low.show(now.clip_min[i]);
            high.show(now.clip_max[i]);
        });
        for (const [name, toggle] of Object.entries(toggles)) {
            toggle.box.checked = now[name];
        }
    }

    const reset = iconButton('reset', 'As it was at first', () => {
        host.resetScene();
    });
    return {
        id: 'scene',
        icon: 'scene',
        title: 'Scene',
        element,
        open: show,
        show,
        sampled: showAmounts,
        tools: [reset],
    };
}
