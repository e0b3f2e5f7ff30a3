/* web/volume in Chromium: what it draws against the native renderer's golden pictures and the march on
 * the CPU, what hands do to it, what streams do to it. Streams are fake_server.mjs's.
 *
 * From the environment: VITRINE_NODE (where playwright-core is), CHROMIUM. Tolerance of pictures: one
 * pixel in 200 may differ by more than 4 of 255, as for native devices (tests/unit/volume/test_view.c).
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { attributesMessage, helloOf, PAGE, pagesMessage, sendKey, serve, syntheticRam } from './fake_server.mjs';

const require = createRequire(`${process.env.VITRINE_NODE}/package.json`);
const { chromium } = require('playwright-core');
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const GOLDEN = ['classes', 'slices', 'highlights', 'lod', 'lod-planes'];
let browser;

before(async () => {
    browser = await chromium.launch({
        executablePath: process.env.CHROMIUM,
        args: ['--no-sandbox', '--use-angle=swiftshader', '--enable-unsafe-swiftshader'],
    });
});
after(() => browser?.close());

/* What a server answers: a key frame of a level. */
function keys(client, ram, message) {
    if (message.type === 'start' || message.type === 'level') {
        sendKey(client, ram, message.level, 0);
    }
}

/* A page with one volume in front of a server of its own. `options`: ram, attributes, take(client,
 * message), greet(client), size. */
async function open(t, { ram = syntheticRam(64), attributes = '', take, greet, size = [320, 180] } = {}) {
    const routes = { ...PAGE, '/': { ...PAGE['/'], body: PAGE['/'].body.replace('vm="fake"', `vm="fake" ${attributes}`) } };
    for (const name of GOLDEN) {
        routes[`/golden/${name}.png`] = { type: 'image/png', body: readFileSync(here(`../golden/volume/view-${name}.png`)) };
    }
    const server = await serve({
        web: here('../../web'), routes, greet: greet ?? ((client) => client.text(helloOf(ram))),
        take: take ?? ((client, message) => keys(client, ram, message)),
    });
    const page = await browser.newPage({ viewport: { width: size[0], height: size[1] } });
    const complaints = [];
    /* That tests read pictures back is what some browsers complain of. */
    page.on('console', (m) => m.type() !== 'log' && !/^Canvas2D:|ReadPixels/.test(m.text()) && complaints.push(m.text()));
    page.on('pageerror', (error) => complaints.push(error.stack));
    t.after(async () => {
        await page.close();
        await server.close();
        assert.deepEqual(complaints, []);
    });
    await page.addInitScript(() => {
        globalThis.events = [];
        for (const name of ['camera', 'pick', 'state', 'complete', 'scene']) {
            addEventListener(`vitrine-${name}`, ({ detail }) => globalThis.events.push([name, detail]));
        }
    });
    await page.goto(`http://127.0.0.1:${server.port}/`);
    const run = (fn, value) => page.evaluate(
        `(${fn})(document.querySelector('vitrine-volume'), ${JSON.stringify(value ?? null)})`);
    return {
        page, server, ram, run,
        until: (fn, value) => until(fn, () => run(fn, value)),
        events: (name) => page.evaluate((wanted) =>
            globalThis.events.filter((e) => e[0] === wanted).map((e) => e[1]), name),
    };
}

/* Asks again and again until `find` gives something true. */
async function until(what, find, ms = 120000) {
    for (const end = Date.now() + ms; ;) {
        const found = await find();
        if (found) {
            return found;
        }
        assert.ok(Date.now() < end, `still not so: ${what}`);
        await new Promise((done) => setTimeout(done, 30));
    }
}

const complete = (v) => until('complete', async () => (await v.events('complete')).length > 0);
/* Nothing moves, and every pixel is drawn. */
const atRest = (v) => v.until(`(v) => v.client?.drawn?.scale === 1 && v.client.painter.complete &&
    v.client.drawn.version === v.client.model.version && v.client.fence === null && v.scheduled === undefined`);

/* ---- pictures ---- */

test('pictures are the native renderer\'s', async (t) => {
    const v = await open(t);
    await complete(v);
    const found = await v.run(`async (v) => {
        const { named } = await import('/web/volume/camera.js');
        const different = {};
        async function compare(name, scene, options) {
            const want = { camera: named('iso'), scene: { ...v.scene, heat: false, ...scene }, width: 96, height: 64 };
            const { pixels } = v.client.pixels(want, options);
            const image = await createImageBitmap(await (await fetch('/golden/' + name + '.png')).blob());
            const context = new OffscreenCanvas(96, 64).getContext('2d');
            context.drawImage(image, 0, 0);
            const golden = context.getImageData(0, 0, 96, 64).data;
            different[name] = 0;
            for (let y = 0; y < 64; y++) {
                for (let x = 0; x < 96; x++) {
                    const [a, b] = [(y * 96 + x) * 4, ((63 - y) * 96 + x) * 4];
                    different[name] += [0, 1, 2].some((k) => Math.abs(golden[a + k] - pixels[b + k]) > 4) ? 1 : 0;
                }
            }
        }
        await compare('classes', {}, { coarser: 0 });
        await compare('slices', { slices: [0.5, 0.5, 0.5] }, { coarser: 0 });
        await compare('lod', {}, { coarser: 4 });
        await compare('lod-planes', { method: 'slices' }, { coarser: 4 });
        v.setHighlights([{ name: 'a', label: 'a', colour: '#ffff00', pages: [[9, 1]] },
            { name: 'b', label: 'b', colour: '#ff00ff', pages: [[20, 5]] }]);
        v.model.newest[3] = 9501;
        v.model.dirty.newest.add(0);
        await compare('highlights', { heat: true }, { coarser: 0, nowMs: 10001 });
        return different;
    }`);
    assert.deepEqual(Object.keys(found), ['classes', 'slices', 'lod', 'lod-planes', 'highlights']);
    for (const [name, different] of Object.entries(found)) {
        assert.ok(different <= 96 * 64 / 200, `${name}: ${different} pixels differ`);
    }
});

test('pixels are what a ray on the CPU gathers, at every level and for fine pages', async (t) => {
    const ram = syntheticRam(300);
    for (const level of [0, 2]) {
        const v = await open(t, { ram, attributes: `level="${level}"`, take(client, message) {
            keys(client, ram, message);
            if (message.type === 'fine') {
                for (const [first, n] of message.pages) {
                    client.binary(pagesMessage(ram, message.level, Array.from({ length: n }, (_, i) => first + i), true, 0));
                }
            }
        } });
        await complete(v);
        if (level > 0) { /* so near that cells are larger than pixels */
            await v.run('(v) => v.setCamera({ ...v.camera, eye: v.camera.target.map((c, i) => c + [0.3, 0.2, 0.35][i]) })');
            await v.until('(v) => v.model.pool?.free.length < v.model.pool?.size - 20');
        }
        const found = await v.run(`async (v) => {
            const { castRay } = await import('/web/volume/pick.js');
            let different = 0, hits = 0, fine = 0;
            for (const scene of [{}, { density: 0.1 }, { palette: 'colorblind', only_pid: 0, slices: [null, 0.4, 0.7],
                clip_min: [0.1, 0, 0], clip_max: [1, 0.8, 0.9] }, { opacity: '0:0.01 255:0.2' }]) {
                v.setScene(scene);
                const want = { camera: v.camera, scene: v.scene, width: 120, height: 70 };
                const { pixels } = v.client.pixels(want, { coarser: 0, nowMs: 5000 });
                const look = v.client.look(want.camera, want.scene, 120, 70, { coarser: 0, nowMs: 5000 });
                for (let y = 0; y < 70; y++) {
                    for (let x = 0; x < 120; x++) {
                        const { colour, picked } = castRay(look, v.model, x, y), at = ((69 - y) * 120 + x) * 4;
                        hits += picked !== null ? 1 : 0;
                        fine += picked?.level < v.model.base ? 1 : 0;
                        different += colour.some((c, k) => Math.abs(Math.round(c * 255) - pixels[at + k]) > 4) ? 1 : 0;
                    }
                }
            }
            return { different, hits, fine };
        }`);
        /* Cells of level 2 are marched as cells there and by voxels here: edges round otherwise. */
        assert.ok(found.different <= 4 * 120 * 70 / 200, `level ${level}: ${found.different} pixels differ`);
        assert.ok(found.hits > 2000, `level ${level}: ${found.hits} pixels show something`);
        assert.ok(level === 0 || found.fine > 500, `${found.fine} pixels show fine pages`);
    }
});

test('a page that is written glows, and is drawn', async (t) => {
    const v = await open(t, { ram: syntheticRam(64) });
    await complete(v);
    await atRest(v);
    const sum = `(v) => v.context.getImageData(0, 0, v.canvas.width, v.canvas.height).data.reduce((a, b) => a + b)`;
    const dark = await v.run(sum);
    v.ram.bytes.fill(255, 20 * 4096, 30 * 4096);
    v.ram.classes.fill(12, 20, 30);
    const [client] = v.server.clients, pages = [20, 21, 22, 23, 24, 25, 26, 27, 28, 29];
    client.binary(attributesMessage(v.ram, pages, 1));
    client.binary(pagesMessage(v.ram, 0, pages, false, 1));
    await v.until('(v) => v.model.attributeOf(25).newest === 1001 && v.model.cellsOf(25)[7] === 255');
    await until('it glows', async () => await v.run(sum) > dark * 1.02);
    await v.run('(v) => v.setScene({ heat: false })');
    await atRest(v); /* and without heat, nothing is drawn for ever */
});

/* ---- hands ---- */

test('hands move the camera, keys change the scene, a click says what is there', async (t) => {
    const v = await open(t);
    await complete(v);
    const first = await v.run('(v) => v.camera');
    const { mouse, keyboard } = v.page;
    await mouse.move(160, 90);
    await mouse.down();
    await mouse.move(200, 100, { steps: 4 });
    await mouse.up();
    const turned = await v.run('(v) => v.camera');
    const length = (c) => Math.hypot(...c.eye.map((e, k) => e - c.target[k]));
    assert.notDeepEqual(turned.eye, first.eye);
    assert.ok(Math.abs(length(turned) - length(first)) < 1e-9);
    assert.deepEqual((await v.events('camera')).at(-1), turned);
    assert.equal((await v.events('pick')).length, 0, 'a drag is no click');
    await mouse.wheel(0, -300);
    await v.until('(v, before) => Math.hypot(...v.camera.eye.map((e, k) => e - v.camera.target[k])) < before',
        length(turned) * 0.9);
    for (const [key, name, value] of [['p', 'palette', 'colorblind'], ['h', 'heat', false], ['m', 'method', 'slices']]) {
        await keyboard.press(key);
        assert.equal((await v.run('(v) => v.scene'))[name], value);
    }
    await keyboard.press('z');
    await keyboard.press(']');
    assert.deepEqual((await v.run('(v) => v.scene')).slices, [null, null, 0.5 + 1 / 64]);
    await keyboard.press('3');
    await v.until('(v) => v.controls.flight === null && v.camera.eye[2] < -0.5');

    const at = await v.run(`async (v) => {
        for (let y = 20; y < 160; y += 3) {
            for (let x = 60; x < 260; x += 3) {
                const picked = await v.pick(x, y);
                if (picked.hit) {
                    return { x, y, picked };
                }
            }
        }
    }`);
    await mouse.click(at.x, at.y);
    await until('vitrine-pick', async () => (await v.events('pick')).length > 0);
    const [said] = await v.events('pick');
    assert.equal(said.page, Math.floor(Number(said.offset) / 4096));
    assert.equal(said.offset, at.picked.offset);
    assert.equal(said.gpa, said.offset);
    assert.equal(said.value, v.ram.bytes[Number(said.offset)]);
    assert.equal(said.clientX, at.x);
    await v.run('(v) => v.flyTo({ pages: [[9, 3]] })');
    await v.until('(v, before) => v.controls.flight === null && Math.hypot(...v.camera.eye.map((e, k) => e - v.camera.target[k])) < before',
        length(first));
});

/* ---- streams ---- */

test('a lost device comes back with the same picture', async (t) => {
    const v = await open(t);
    await complete(v);
    await v.run('(v) => v.setScene({ heat: false })');
    await atRest(v);
    const picture = '(v) => [...v.context.getImageData(0, 0, v.canvas.width, v.canvas.height).data]';
    const shown = await v.run(picture);
    await v.run(`(v) => { v.lose = v.renderer.gl.getExtension('WEBGL_lose_context'); v.lose.loseContext(); }`);
    await v.until('(v) => v.state === "waiting"');
    await v.run('(v) => { v.context.clearRect(0, 0, 999, 999); v.lose.restoreContext(); }');
    await v.until('(v) => v.state === "live"');
    await atRest(v);
    const again = await v.run(picture);
    assert.ok(again.every((b, i) => Math.abs(b - shown[i]) <= 2), 'another picture');
});

test('a VM that starts again begins anew; nonsense ends the stream and is said', async (t) => {
    let ram = syntheticRam(64);
    const v = await open(t, {
        greet: (client) => client.text(helloOf(ram)),
        take: (client, message) => keys(client, ram, message),
    });
    await complete(v);
    ram = syntheticRam(20);
    v.server.clients[0].text({ type: 'ended' });
    v.server.clients[0].close(1000);
    /* Shown until it connects again, half a second later. */
    await until('ended', async () => (await v.events('state')).some(({ state }) => state === 'ended'));
    await v.until('(v) => v.state === "live" && v.info.pages === 20');
    v.server.clients[1].credit = Infinity;
    v.server.clients[1].binary(Buffer.from('this is no message at all'));
    await v.until('(v) => v.state === "refused"');
    const last = (await v.events('state')).at(-1);
    assert.match(last.message, /^the server sent /);
});

test('what is not to be seen takes nothing', async (t) => {
    const v = await open(t, { take() {} });
    await v.until('(v) => v.info !== undefined && v.scheduled === undefined');
    await v.run('(v) => { v.style.height = "0"; }');
    await v.until('(v) => v.area === 0');
    await until('it is started', () => v.server.clients[0]?.said.some(({ type }) => type === 'start'));
    const [client] = v.server.clients;
    const before = client.said.length;
    client.binary(pagesMessage(v.ram, 0, Array.from({ length: 64 }, (_, i) => i), true, 0, false));
    client.binary(pagesMessage(v.ram, 0, Array.from({ length: 64 }, (_, i) => i), true, 0, false));
    await v.until('(v) => v.releases.length === 2');
    assert.equal(client.said.length, before, 'no credit is given');
    await v.run('(v) => { v.style.height = "100%"; }');
    await v.until('(v) => v.releases.length === 0');
    await until('credit', () => client.said.at(-1).type === 'credit');
});

/* A red picture. */
async function redJpeg() {
    const page = await browser.newPage({ viewport: { width: 16, height: 16 } });
    await page.setContent('<body style="background: #e61414">');
    const jpeg = await page.screenshot({ type: 'jpeg', quality: 90 });
    await page.close();
    return jpeg;
}

function frameMessage(id, jpeg) {
    const head = Buffer.alloc(28);
    head[0] = 3;
    head.writeUInt32LE(12 + jpeg.length, 4);
    head.writeUInt32LE(id, 16);
    head.writeUInt16LE(16, 20);
    head.writeUInt16LE(16, 22);
    head[24] = head[25] = head[26] = 1; /* JPEG, by itself, scale 1 */
    return Buffer.concat([head, jpeg]);
}

test('frames of the server are shown, and picked there', async (t) => {
    const ram = syntheticRam(64), jpeg = await redJpeg();
    const v = await open(t, {
        attributes: 'frames="server"',
        greet: (client) => client.text(helloOf(ram, { gpu: 'a GPU', software: false })),
        take(client, message) {
            keys(client, ram, message);
            if (message.type === 'view') {
                client.binary(frameMessage(message.id, jpeg));
            } else if (message.type === 'pick') {
                client.text({ type: 'picked', id: message.id, hit: true, offset: '0x3000', gpa: '0x3000', value: 1 });
            }
        },
    });
    await v.until('(v) => v.frames?.picture?.width === 16');
    const [start, ...rest] = v.server.clients[0].said;
    assert.deepEqual([start.type, start.level], ['start', 4]);
    const view = rest.find((m) => m.type === 'view');
    assert.deepEqual([view.width, view.height], [320, 180]);
    assert.equal(view.scene.boxes, false);
    await v.until(`(v) => {
        const { width, height } = v.context.canvas; /* a square picture stands in the middle */
        const [r, g, b] = v.context.getImageData(width / 2, height / 2, 1, 1).data;
        return r > 200 && g < 60 && b < 60;
    }`);
    await v.run('(v) => v.setScene({ heat: false })');
    await until('a view of the new scene', () => v.server.clients[0].said.at(-1).scene?.heat === false);
    assert.equal((await v.run('(v) => v.pick(160, 90)')).offset, '0x3000');
});
