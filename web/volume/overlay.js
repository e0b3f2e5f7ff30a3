/* overlay.js - what is drawn over a picture: RAM's edges, boxes around highlights, their
 * labels in two columns beside it, each with a line to its box; as src/volume/overlay.c lays
 * it out, for a picture of 1280 x 720 and scaled to the one there is.
 */
import { lens, project, projectLine } from './camera.js';

const MARGIN = 28, LABEL_HEIGHT = 26, LABEL_STEP = 33, LABEL_WIDTH_MAX = 250, LABEL_SHARE_MAX = 0.27;
const LABEL_INSET = 38, LABELS_MAX = 24;
const SHADE = 'rgb(5 7 10 / 44%)', EDGE_FRONT = 'rgb(255 255 255 / 47%)';
const EDGE_BACK = 'rgb(255 255 255 / 14%)', INK = '#f2f4f8', GLASS = 'rgb(13 16 21 / 94%)';

/* ---- boxes ---- */

const bodyOf = (box, order) => ({
    low: box.min.map((v) => v / 2 ** order), high: box.max.map((v) => (v + 1) / 2 ** order),
});

/* Adds the edges whose faces look at the eye, or the others, to the path. */
function edges(l, body, front) {
    const { context, lens: from, width, height } = l;
    for (let axis = 0; axis < 3; axis++) {
        for (let corner = 0; corner < 4; corner++) {
            const a = [0, 0, 0], b = [0, 0, 0];
            let seen = false;
            a[axis] = body.low[axis];
            b[axis] = body.high[axis];
            for (let i = 0; i < 2; i++) {
                const k = (axis + 1 + i) % 3, high = (corner >> i & 1) !== 0;
                a[k] = b[k] = high ? body.high[k] : body.low[k];
                seen ||= high ? from.eye[k] > body.high[k] : from.eye[k] < body.low[k];
            }
            const line = seen === front ? projectLine(from, a, b) : null;
            if (line !== null) {
                context.moveTo(line[0][0] * width, line[0][1] * height);
                context.lineTo(line[1][0] * width, line[1][1] * height);
            }
        }
    }
}

function stroke(l, width, style, draw) {
    l.context.beginPath();
    draw();
    l.context.lineWidth = width;
    l.context.strokeStyle = style;
    l.context.stroke();
}

function drawBody(l, body, front, back, thick) {
    stroke(l, thick, back, () => edges(l, body, false));
    stroke(l, thick + 1.5 * l.unit, SHADE, () => edges(l, body, true));
    stroke(l, thick, front, () => edges(l, body, true));
}

/* ---- labels ---- */

/* The middle of the largest box, in pixels, or null: not in the picture. */
function anchor(l, bodies) {
    let most = -1, at = null;
    for (const b of bodies) {
        const size = b.low.reduce((v, low, k) => v * (b.high[k] - low), 1);
        if (size > most) {
            most = size;
            at = project(l.lens, b.low.map((low, k) => (low + b.high[k]) / 2));
        }
    }
    return at !== null && at[0] >= 0 && at[0] <= 1 && at[1] >= 0 && at[1] <= 1
        ? [at[0] * l.width, at[1] * l.height] : null;
}

/* Two columns just outside of RAM. */
function columns(l) {
    let low = l.width / 2, high = l.width / 2;
    for (let corner = 0; corner < 8; corner++) {
        const p = l.ram.low.map((low, k) => (corner >> k & 1) !== 0 ? l.ram.high[k] : low);
        const at = project(l.lens, p);
        if (at !== null) {
            low = Math.min(low, at[0] * l.width);
            high = Math.max(high, at[0] * l.width);
        }
    }
    const room = Math.min(Math.floor(Math.max((l.bottom - l.top) / (LABEL_STEP * l.unit), 0)), LABELS_MAX);
    const gap = 34 * l.unit;
    return [{ all: [], room, edge: low - gap, widest: 0 }, { all: [], room, edge: high + gap, widest: 0 }];
}

/* The text of a label, cut to what there is room for, and the label's width. */
function fitText(l, label) {
    const most = Math.min(LABEL_WIDTH_MAX * l.unit, LABEL_SHARE_MAX * l.width) - LABEL_INSET * l.unit;
    const width = (s) => l.context.measureText(s).width;
    const characters = [...label];
    let text = label;
    while (width(text) > most && characters.length > 1) {
        characters.pop();
        text = `${characters.join('')}…`;
    }
    return { text, width: width(text) + LABEL_INSET * l.unit };
}

function addLabel(l, sides, highlight, [x, y]) {
    const want = x > l.width / 2 ? 1 : 0;
    const column = sides[want].all.length < sides[want].room ? sides[want] : sides[1 - want];
    if (column.all.length < column.room) {
        const label = { highlight, x, y, slot: 0, ...fitText(l, highlight.label) };
        column.widest = Math.max(column.widest, label.width);
        column.all.push(label);
    }
}

const turn = (ax, ay, bx, by, cx, cy) => (bx - ax) * (cy - ay) - (by - ay) * (cx - ax);

/* Whether the lines of two labels cross. */
function crossing(edge, a, b, half) {
    const ay = a.slot + half, by = b.slot + half;
    return turn(edge, ay, a.x, a.y, edge, by) * turn(edge, ay, a.x, a.y, b.x, b.y) < 0 &&
        turn(edge, by, b.x, b.y, edge, ay) * turn(edge, by, b.x, b.y, a.x, a.y) < 0;
}

/* Each beside what it is about, then apart from each other, then within the picture; where lines
 * cross, labels change places: all lines together get shorter each time, so this ends. */
function settle(l, { all, edge }) {
    const half = LABEL_HEIGHT / 2 * l.unit, step = LABEL_STEP * l.unit;
    all.sort((a, b) => a.y - b.y);
    let next = l.top;
    for (const label of all) {
        label.slot = Math.max(label.y - half, next);
        next = label.slot + step;
    }
    next = l.bottom - LABEL_HEIGHT * l.unit;
    for (let i = all.length - 1; i >= 0; i--) {
        all[i].slot = Math.min(all[i].slot, next);
        next = all[i].slot - step;
    }
    let again = true;
    for (let round = 0; again && round < LABELS_MAX * LABELS_MAX; round++) {
        again = false;
        for (let i = 0; i < all.length; i++) {
            for (let k = 0; k < i; k++) {
                if (crossing(edge, all[i], all[k], half)) {
                    [all[i].slot, all[k].slot] = [all[k].slot, all[i].slot];
                    again = true;
                }
            }
        }
    }
}

function disc(l, x, y, radius, style) {
    l.context.beginPath();
    l.context.arc(x, y, radius, 0, 2 * Math.PI);
    l.context.fillStyle = style;
    l.context.fill();
}

function drawColumn(l, { all, edge }, left) {
    const { context, unit: u } = l;
    for (const a of all) {
        const y = a.slot + LABEL_HEIGHT / 2 * u;
        const line = () => {
            context.moveTo(edge, y);
            context.lineTo(a.x, a.y);
        };
        stroke(l, 3 * u, SHADE, line);
        stroke(l, 1.3 * u, a.highlight.colour, line);
        disc(l, a.x, a.y, 4.5 * u, SHADE);
        disc(l, a.x, a.y, 3.2 * u, a.highlight.colour);
    }
    for (const a of all) {
        const x = left ? edge - a.width : edge;
        context.beginPath();
        context.roundRect(x, a.slot, a.width, LABEL_HEIGHT * u, 7 * u);
        context.fillStyle = GLASS;
        context.fill();
        context.lineWidth = 1.2 * u;
        context.strokeStyle = a.highlight.colour;
        context.stroke();
        disc(l, x + 15 * u, a.slot + LABEL_HEIGHT / 2 * u, 4.5 * u, a.highlight.colour);
        context.fillStyle = INK;
        context.fillText(a.text, x + 26 * u, a.slot + 17.5 * u);
    }
}

/* ---- the whole ---- */

/** Draws over a 2-D context what the scene wants: a frame around the box `ram`, boxes and labels of
 *  highlights ({label, colour, boxes}). `width` and `height` in pixels of the canvas, `density` of them to a
 *  pixel of the page. Small pictures get lines only. */
export function drawOverlay(context, { camera, scene, order, ram, highlights, width, height, density }) {
    const unit = Math.max(Math.min(width / 1280, height / 720), 0.75 * density);
    const l = {
        context, width, height, unit, lens: lens(camera, width / height),
        top: MARGIN * unit, bottom: height - MARGIN * unit, ram: bodyOf(ram, order),
    };
    context.save();
    context.lineCap = 'round';
    context.font = `600 ${13 * unit}px system-ui, sans-serif`;
    if (scene.frame) {
        drawBody(l, l.ram, EDGE_FRONT, EDGE_BACK, 1.1 * unit);
    }
    const letters = width >= 320 * density && height >= 180 * density, sides = columns(l);
    for (const h of highlights) {
        const bodies = h.boxes.map((box) => bodyOf(box, order));
        for (const body of scene.boxes ? bodies : []) {
            drawBody(l, body, h.colour, `${h.colour}60`, 1.5 * unit);
        }
    }
    /* Of too many labels the newest are kept. */
    for (const h of scene.labels && letters ? highlights.slice(-2 * LABELS_MAX) : []) {
        const at = anchor(l, h.boxes.map((box) => bodyOf(box, order)));
        if (at !== null) {
            addLabel(l, sides, h, at);
        }
    }
    sides[0].edge = Math.max(sides[0].edge, MARGIN * unit + sides[0].widest);
    sides[1].edge = Math.min(sides[1].edge, width - MARGIN * unit - sides[1].widest);
    sides.forEach((side, i) => {
        settle(l, side);
        drawColumn(l, side, i === 0);
    });
    context.restore();
}
