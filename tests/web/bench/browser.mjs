// tests/web/bench/browser.mjs - how fast <vitrine-volume> is in a browser: pictures a second while the
// camera goes round, at the resolution it adapts to, and how long until a key frame is drawn.
//
//   VITRINE_NODE=… CHROMIUM=chromium node browser.mjs [MiB] [WxH] [SECONDS] [RAM-FILE]
//
// VITRINE_NODE is where playwright-core is. Prints JSON.
import { createRequire } from 'node:module';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { helloOf, PAGE, ramOfFile, sendKey, serve, syntheticRam } from '../fake_server.mjs';

const [mib = '64', size = '640x360', seconds = '10', file] = process.argv.slice(2);
const [width, height] = size.split('x').map(Number);
const { chromium } = createRequire(`${process.env.VITRINE_NODE}/package.json`)('playwright-core');
const ram = file ? ramOfFile(file, Number(mib) << 20) : syntheticRam(Number(mib) << 8);
const server = await serve({
    web: fileURLToPath(new URL('../../../web', import.meta.url)), routes: PAGE,
    greet: (client) => client.text(helloOf(ram)),
    take: (client, m) => (m.type === 'start' || m.type === 'level') && sendKey(client, ram, m.level, 0),
});
const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--use-angle=swiftshader', '--enable-unsafe-swiftshader'],
});
const page = await browser.newPage({ viewport: { width, height } });
const began = Date.now();
await page.addInitScript(() => addEventListener('vitrine-complete', () => {
    globalThis.complete = true;
}));
await page.goto(`http://127.0.0.1:${server.port}/`);
while (!await page.evaluate(() => globalThis.complete)) {
    await new Promise((done) => setTimeout(done, 50));
}
const keyMs = Date.now() - began;
/* At rest each scale is drawn once, and so measured. */
while (!await page.evaluate(() => {
    const { client } = document.querySelector('vitrine-volume');
    return client.drawn?.scale === 1 && client.painter.complete && client.fence === null;
})) {
    await new Promise((done) => setTimeout(done, 50));
}
const restMs = Date.now() - began;
await page.keyboard.press('Tab');
await page.keyboard.press('r');
const found = await page.evaluate(async (ms) => {
    const v = document.querySelector('vitrine-volume'), scales = {};
    let pictures = 0;
    const show = v.client.painter.show.bind(v.client.painter);
    v.client.painter.show = (...args) => {
        pictures++;
        scales[v.client.painter.scale] = (scales[v.client.painter.scale] ?? 0) + 1;
        return show(...args);
    };
    const from = performance.now();
    await new Promise((done) => setTimeout(done, ms));
    const s = (performance.now() - from) / 1000;
    return { device: v.renderer.name, level: v.model.base, full_ms: v.client.adapt.known[0][0] * v.canvas.width * v.canvas.height * 1000, fps: pictures / s, scales,
        texture_bytes: v.client.textures.bytes, turntable: v.controls.turntable };
}, Number(seconds) * 1000);
process.stdout.write(`${JSON.stringify({ ram_bytes: ram.pages * 4096, resolution: [width, height], key_ms: keyMs, sharp_ms: restMs, ...found })}\n`);
await browser.close();
await server.close();
