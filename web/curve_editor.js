/* curve_editor.js - a transfer function to draw: drag points, double click adds or removes one; by
 * keyboard Tab goes along the points, arrows move one, Insert and Delete add and remove. */
import { drag, el, svg } from './dom.js';
import * as curve from './curve.js';

const W = 256,
    H = 112;

export function curveEditor(changed) {
    let points = curve.parse('0:0 255:1');
    const line = svg('polyline', { class: 'curve-line' }),
        fill = svg('polygon', { class: 'curve-fill' });
    const picture = svg(
        'svg',
        {
            viewBox: `0 0 ${W} ${H}`,
            class: 'curve',
            preserveAspectRatio: 'none',
            role: 'group',
            'aria-label': 'Opacity by byte value',
        },
        ...[0.25, 0.5, 0.75].map((x) =>
            svg('path', { class: 'curve-grid', d: `M${x * W} 0V${H}` }),
        ),
        fill,
        line,
    );
    const over = el('div', { class: 'curve-dots' });
    const said = el('output', { class: 'curve-said' });
    const element = el('div', { class: 'curve-box' }, picture, over, said);

    const at = (event) => {
        const box = picture.getBoundingClientRect();
        return {
            x: (event.clientX - box.left) / box.width,
            y: 1 - (event.clientY - box.top) / box.height,
        };
    };

    function set(next, tell = true) {
        points = next;
        const xy = ([v, o]) =>
            `${((v / 255) * W).toFixed(1)},${((1 - curve.toHeight(o)) * H).toFixed(1)}`;
        /* Between points opacity is linear, which the root's scale shows as a bend: steps of it. */
        const steps = [];
        for (let value = 0; value <= 255; value += 3) {
            steps.push([value, curve.valueAt(points, value)]);
        }
        line.setAttribute('points', steps.map(xy).join(' '));
        fill.setAttribute('points', `0,${H} ${steps.map(xy).join(' ')} ${W},${H}`);
        while (over.children.length > points.length) {
            over.lastChild.remove();
        }
        while (over.children.length < points.length) {
            over.append(dot());
        }
        points.forEach(([value, opacity], i) => {
            const knob = over.children[i];
            knob.style.left = `${(value / 255) * 100}%`;
            knob.style.top = `${(1 - curve.toHeight(opacity)) * 100}%`;
            knob.setAttribute('aria-label', `Byte ${value}`);
            knob.setAttribute('aria-valuenow', opacity.toFixed(3));
            knob.setAttribute('aria-valuetext', `byte ${value}: opacity ${opacity.toFixed(3)}`);
        });
        if (tell) {
            changed(curve.format(points));
        }
    }

    function say(i) {
        said.textContent = i < 0 ? '' : `${points[i][0]}: ${points[i][1].toFixed(3)}`;
    }

    function dot() {
        const knob = el('span', {
            class: 'curve-dot',
            role: 'slider',
            tabindex: 0,
            'aria-valuemin': 0,
            'aria-valuemax': 1,
        });
        const index = () => [...over.children].indexOf(knob);
        knob.addEventListener('pointerdown', (event) => {
            event.preventDefault();
            knob.focus();
            say(index());
            drag(event, {
                slack: 0,
                move: (_dx, _dy, e) => {
                    const { x, y } = at(e);
                    set(curve.move(points, index(), x * 255, curve.fromHeight(y)));
                    say(index());
                },
            });
        });
        knob.addEventListener('dblclick', (event) => {
            event.stopPropagation();
            set(curve.remove(points, index()));
        });
        knob.addEventListener('focus', () => say(index()));
        knob.addEventListener('blur', () => say(-1));
        knob.addEventListener('keydown', (event) => {
            const i = index(),
                [value, opacity] = points[i],
                big = event.shiftKey ? 8 : 1;
            const moved = {
                ArrowLeft: [-2 * big, 0],
                ArrowRight: [2 * big, 0],
                ArrowUp: [0, 0.02 * big],
                ArrowDown: [0, -0.02 * big],
            }[event.key];
            if (moved) {
                set(
                    curve.move(
                        points,
                        i,
                        value + moved[0],
                        curve.fromHeight(curve.toHeight(opacity) + moved[1]),
                    ),
                );
            } else if (event.key === 'Delete' || event.key === 'Backspace') {
                set(curve.remove(points, i));
                over.children[Math.max(0, i - 1)].focus();
            } else if (event.key === 'Insert') {
                const next = points[i + 1]?.[0] ?? 255,
                    middle = (value + next) / 2;
                set(curve.add(points, middle, curve.valueAt(points, middle)).points);
            } else {
                return;
            }
            say(Math.min(i, points.length - 1));
            event.preventDefault();
            event.stopPropagation();
        });
        return knob;
    }

    over.addEventListener('dblclick', (event) => {
        const { x, y } = at(event);
        set(curve.add(points, x * 255, curve.fromHeight(y)).points);
    });

    set(points, false);
    return {
        element,
        get value() {
            return curve.format(points);
        },
        /** Shows a curve without telling; a text that is none is left alone. */
        show(value) {
            const found = curve.parse(value);
            if (found && curve.format(found) !== curve.format(points)) {
                set(found, false);
            }
        },
    };
}
