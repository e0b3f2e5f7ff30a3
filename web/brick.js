/* brick.js - a VM on the map: a small live picture of its RAM, its name, state and figures, and what
 * can be done to it. */
import { actionButtons } from './actions.js';
import { el, svg, text } from './dom.js';
import { bytes, bytesOf, clock, count, duration, percent } from './format.js';
import { BACKGROUNDS } from './theme.js';
import { HISTORY, isAlive, stateWord } from './machines.js';

export const BRICK = { w: 320, h: 316 };

/** A line of the last figures; `least` is the smallest full height, so that noise stays low. */
function sparkline(least) {
    const line = svg('polyline', { class: 'spark-line', points: '' });
    const fill = svg('polygon', { class: 'spark-fill', points: '' });
    const element = svg(
        'svg',
        {
            class: 'spark',
            viewBox: `0 0 ${HISTORY - 1} 20`,
            preserveAspectRatio: 'none',
            'aria-hidden': 'true',
        },
        fill,
        line,
    );
    return {
        element,
        show(values) {
            const high = Math.max(least, ...values),
                start = HISTORY - values.length;
            const points = values.map(
                (v, i) => `${start + i},${(19 - (18 * v) / high).toFixed(1)}`,
            );
            line.setAttribute('points', points.join(' '));
            fill.setAttribute(
                'points',
                points.length > 1 ? `${start},20 ${points.join(' ')} ${HISTORY - 1},20` : '',
            );
        },
    };
}

function figure(label, spark) {
    const value = el('span', { class: 'figure-value' }, '–');
    const element = el(
        'div',
        { class: 'figure' },
        el('span', { class: 'figure-label' }, label),
        value,
        spark,
    );
    return { element, value };
}

export class Brick {
    alive = false;
    #vm = null;

    constructor(name, machines, open) {
        this.actions = actionButtons(machines);
        this.volume = el('vitrine-volume', { vm: name, level: '4', hz: '2', static: true });
        this.dot = el('span', { class: 'state-dot' });
        this.state = el('span', { class: 'state-word' });
        this.time = el('span', { class: 'brick-time' });
        this.cpuSpark = sparkline(0.25);
        this.dirtySpark = sparkline(64);
        this.cpu = figure('CPU', this.cpuSpark.element);
        this.meter = el('span', { class: 'meter' }, el('span', { class: 'meter-fill' }));
        this.ram = figure('RAM', this.meter);
        this.dirty = figure('Dirty', this.dirtySpark.element);
        this.opener = el(
            'button',
            {
                type: 'button',
                class: 'brick-open',
                /* The pointer opens it through the map, which tells a click from a drag. */
                on: { click: (e) => e.detail === 0 && open() },
            },
            el('span', { class: 'brick-name' }, name),
        );
        this.picture = el(
            'div',
            { class: 'brick-picture' },
            this.volume,
            el('div', { class: 'brick-ended' }),
        );
        this.element = el(
            'article',
            { class: 'brick', 'aria-label': name, data: { vm: name } },
            this.picture,
            el(
                'div',
                { class: 'brick-head' },
                this.dot,
                this.opener,
                this.state,
                this.actions.element,
            ),
            el('div', { class: 'figures' }, this.cpu.element, this.ram.element, this.dirty.element),
        );
        this.picture.append(this.time);
    }

    show(vm) {
        this.#vm = vm;
        this.alive = isAlive(vm);
        this.element.dataset.state = vm.state;
        this.element.classList.toggle('ended', !this.alive);
        this.dot.dataset.state = vm.state;
        text(this.state, stateWord(vm));
        this.opener.setAttribute('aria-label', `Open ${vm.name}, ${stateWord(vm)}`);
        if (this.alive !== this.volume.isConnected) {
            this.alive ? this.picture.prepend(this.volume) : this.volume.remove();
        }
        text(
            this.picture.querySelector('.brick-ended'),
            this.alive
                ? (vm.ram_why ?? '')
                : `Ended ${clock(vm.ended_unix_s ?? vm.last_sample_unix_s)}. What was seen of it can still be asked.`,
        );
        this.actions.update(vm);
        this.showFigures();
    }

    setTheme(theme) {
        this.volume.setScene({ background: BACKGROUNDS[theme] });
    }

    showFigures() {
        const vm = this.#vm,
            { cpu, touched, dirty, cpuHistory, dirtyHistory } = vm.figures;
        text(
            this.time,
            this.alive && vm.started_unix_s
                ? `up ${duration(Date.now() / 1000 - vm.started_unix_s)}`
                : '',
        );
        text(this.cpu.value, percent(cpu));
        text(
            this.ram.value,
            this.alive ? bytesOf(touched, vm.memory_bytes) : bytes(vm.memory_bytes),
        );
        text(this.dirty.value, Number.isFinite(dirty) ? `${count(dirty)} pages/s` : '–');
        this.meter.firstChild.style.transform = `scaleX(${Math.min(1, touched / vm.memory_bytes) || 0})`;
        this.cpuSpark.show(this.alive ? cpuHistory : []);
        this.dirtySpark.show(this.alive ? dirtyHistory : []);
    }

    remove() {
        this.element.remove();
    }
}
