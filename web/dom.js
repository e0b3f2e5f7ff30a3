/* dom.js - makes elements. What a guest or a server says becomes text nodes and nothing else: there
 * is no way through here to have it parsed as HTML. */

const SVG = 'http://www.w3.org/2000/svg';

/** el('button', {class: 'a b', title: 't', on: {click: f}, data: {k: v}, disabled: true}, …children).
 *  Children are nodes or texts; null and false are left out. */
export function el(tag, props = {}, ...children) {
    const node = document.createElement(tag);
    for (const [key, value] of Object.entries(props ?? {})) {
        if (value === undefined || value === null || value === false) {
            continue;
        }
        if (key === 'class') {
            node.className = value;
        } else if (key === 'on') {
            for (const [event, handler] of Object.entries(value)) {
                node.addEventListener(event, handler);
            }
        } else if (key === 'data') {
            Object.assign(node.dataset, value);
        } else {
            node.setAttribute(key, value === true ? '' : String(value));
        }
    }
    node.append(...children.flat(3).filter((c) => c !== null && c !== undefined && c !== false));
    return node;
}

export function replace(node, ...children) {
    node.replaceChildren(
        ...children.flat(3).filter((c) => c !== null && c !== undefined && c !== false),
    );
}

/** Sets a text only where it differs: an unchanged node costs no layout. */
export function text(node, value) {
    if (node.textContent !== value) {
        node.textContent = value;
    }
}

export function svg(tag, attributes, ...children) {
    const node = document.createElementNS(SVG, tag);
    for (const [key, value] of Object.entries(attributes)) {
        node.setAttribute(key, value);
    }
    node.append(...children);
    return node;
}

/* Lines of 1.5 on a grid of 16. */
const ICONS = {
    pause: 'M5.5 3.5v9M10.5 3.5v9',
    play: 'M5 3.2v9.6L12.5 8z',
    reset: 'M12.8 8a4.8 4.8 0 1 1-1.5-3.5M11.5 1.8v3h-3',
    stop: 'M4.2 5.2a5 5 0 1 0 7.6 0M8 2v5.5',
    start: 'M8 3v10M3 8h10',
    close: 'M4 4l8 8M12 4l-8 8',
    minimise: 'M3.5 11.5h9',
    maximise: 'M3.5 3.5h9v9h-9z',
    restore: 'M5.5 5.5v-2h7v7h-2M3.5 5.5h7v7h-7z',
    snap: 'M2.5 3.5h11v9h-11zM8 3.5v9',
    link: 'M6.8 9.2l2.4-2.4M7.2 5l1.3-1.3a2.7 2.7 0 0 1 3.8 3.8L11 8.8M8.8 11l-1.3 1.3a2.7 2.7 0 0 1-3.8-3.8L5 7.2',
    panel: 'M2.5 3.5h11v9h-11zM9.8 3.5v9',
    fit: 'M2.8 6V2.8H6M10 2.8h3.2V6M13.2 10v3.2H10M6 13.2H2.8V10',
    tidy: 'M2.8 2.8h4v4h-4zM9.2 2.8h4v4h-4zM2.8 9.2h4v4h-4zM9.2 9.2h4v4h-4z',
    processes: 'M3 4h3M3 8h6M3 12h4M9 4h4M12 8h1M10 12h3',
    modules: 'M8 2l5.2 3v6L8 14l-5.2-3V5zM2.8 5L8 8l5.2-3M8 8v6',
    mounts: 'M2.5 11.5v-7h4l1.5 2h5.5v5z',
    maps: 'M3 3h10v3H3zM3 8h10v2H3zM3 12h10v1.5H3z',
    highlights:
        'M8 2.2v2M8 11.8v2M2.2 8h2M11.8 8h2M4 4l1.3 1.3M10.7 10.7L12 12M12 4l-1.3 1.3M5.3 10.7L4 12M10 8a2 2 0 1 1-4 0 2 2 0 0 1 4 0z',
    what: 'M6.8 11.6a4.8 4.8 0 1 1 0-9.6 4.8 4.8 0 0 1 0 9.6zM10.4 10.4l3.4 3.4',
    scene: 'M2.5 4.5h6M11.5 4.5h2M2.5 11.5h2M7.5 11.5h6M11.5 4.5a1.5 1.5 0 1 1-3 0 1.5 1.5 0 0 1 3 0zM7.5 11.5a1.5 1.5 0 1 1-3 0 1.5 1.5 0 0 1 3 0z',
    ask: 'M3 3h10v7.5H8L5 13v-2.5H3z',
    send: 'M3 8h9.5M8.5 4l4 4-4 4',
    sun: 'M8 1.8v1.4M8 12.8v1.4M1.8 8h1.4M12.8 8h1.4M3.6 3.6l1 1M11.4 11.4l1 1M12.4 3.6l-1 1M4.6 11.4l-1 1M10.6 8a2.6 2.6 0 1 1-5.2 0 2.6 2.6 0 0 1 5.2 0z',
    moon: 'M13 9.3A5.4 5.4 0 0 1 6.7 3a5.4 5.4 0 1 0 6.3 6.3z',
    auto: 'M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11zM8 2.5v11M8 5h4.4M8 8h5.5M8 11h4.4',
    lock: 'M4 7.5h8v5.5H4zM5.5 7.5V5.3a2.5 2.5 0 0 1 5 0v2.2',
    keep: 'M4.5 2.5h7v11L8 10.8l-3.5 2.7z',
    key: 'M7.6 8.4L13 3M11 5l1.6 1.6M9.2 10.2a2.6 2.6 0 1 1-5.2 0 2.6 2.6 0 0 1 5.2 0z',
    tree: 'M3.5 3v9.5M3.5 6.5h4M3.5 12.5h4M9.5 6.5h3.5M9.5 12.5h3.5M6 3h7',
    list: 'M3 4h10M3 8h10M3 12h10',
    heat: 'M8 2c.5 2.5 3.8 3.6 3.8 7.2a3.8 3.8 0 0 1-7.6 0c0-1.6.8-2.4 1.4-3.2.4 1 .9 1.4 1.4 1.6C7 6 7 4 8 2z',
    box: 'M8 2l5.2 3v6L8 14l-5.2-3V5z',
    label: 'M2.5 4.5h6l4.5 3.5-4.5 3.5h-6z',
    turn: 'M13 8c0 1.7-2.2 3-5 3S3 9.7 3 8s2.2-3 5-3c1.2 0 2.3.2 3.2.7M11.8 3v3h-3',
    palette:
        'M8 2.5a5.5 5.5 0 1 0 0 11c1.2 0 1.3-.9.9-1.6-.5-1 0-1.9 1.2-1.9h1.4c1.2 0 2-.8 2-2C13.5 4.9 11 2.5 8 2.5zM5 8h0M6.5 5.3h0M9.5 5.3h0',
    command: 'M4 4l3.5 4L4 12M8.5 12h4',
    trash: 'M3 4.5h10M6 4.5V3h4v1.5M4.3 4.5l.6 8.5h6.2l.6-8.5',
    back: 'M9.5 3.5L5 8l4.5 4.5',
    eye: 'M1.8 8S4 4 8 4s6.2 4 6.2 4S12 12 8 12 1.8 8 1.8 8zM9.6 8a1.6 1.6 0 1 1-3.2 0 1.6 1.6 0 0 1 3.2 0z',
};

export function icon(name) {
    return svg(
        'svg',
        { viewBox: '0 0 16 16', class: 'icon', 'aria-hidden': 'true', focusable: 'false' },
        svg('path', { d: ICONS[name] ?? '' }),
    );
}

/** A button with an icon; `label` is what is read out and shown as its tip. */
export function iconButton(name, label, onClick, props = {}) {
    return el(
        'button',
        {
            type: 'button',
            class: `icon-button ${props.class ?? ''}`,
            'aria-label': label,
            title: props.title ?? label,
            ...Object.fromEntries(
                Object.entries(props).filter(([k]) => k !== 'class' && k !== 'title'),
            ),
            on: { click: onClick },
        },
        icon(name),
    );
}

/** Pointer capture with one pair of handlers: calls move(dx, dy, event) from the start of the drag,
 *  then end(moved, event). `moved` is whether it left a few pixels. */
export function drag(event, { move, end, slack = 4 }) {
    const target = event.currentTarget,
        id = event.pointerId;
    const from = { x: event.clientX, y: event.clientY };
    let moved = false;
    target.setPointerCapture(id);
    const onMove = (e) => {
        if (e.pointerId === id) {
            moved ||= Math.hypot(e.clientX - from.x, e.clientY - from.y) >= slack;
            if (moved) {
                move?.(e.clientX - from.x, e.clientY - from.y, e);
            }
        }
    };
    const onEnd = (e) => {
        if (e.pointerId === id) {
            for (const [name, handler] of [
                ['pointermove', onMove],
                ['pointerup', onEnd],
                ['pointercancel', onEnd],
            ]) {
                target.removeEventListener(name, handler);
            }
            end?.(moved && e.type === 'pointerup', e);
        }
    };
    target.addEventListener('pointermove', onMove);
    target.addEventListener('pointerup', onEnd);
    target.addEventListener('pointercancel', onEnd);
}

/** What the page remembers here; a browser that forbids it just forgets. */
export const memory = {
    get(key, otherwise) {
        try {
            const found = localStorage.getItem(`vitrine.${key}`);
            return found === null ? otherwise : JSON.parse(found);
        } catch {
            return otherwise;
        }
    },
    set(key, value) {
        try {
            localStorage.setItem(`vitrine.${key}`, JSON.stringify(value));
        } catch {
            /* no room or not allowed: nothing is remembered */
        }
    },
};

/** Calls f once things have been quiet for a while. */
export function settled(f, ms = 250) {
    let timer = 0;
    const now = () => {
        clearTimeout(timer);
        timer = 0;
        f();
    };
    addEventListener('pagehide', () => timer !== 0 && now()); /* nobody waits for it then */
    return () => {
        clearTimeout(timer);
        timer = setTimeout(now, ms);
    };
}
