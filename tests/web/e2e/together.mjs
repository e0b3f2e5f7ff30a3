// tests/web/e2e/together.mjs - several windows, several pages: linked cameras, a layout that is kept,
// two clients of one VM, and a page that hangs while others go on.
import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { pageTest, picture, until, vms } from './lib.mjs';
import { action, brick, button, drag, openVm, settled, volumeOf, windowOf } from './ui.mjs';

const camera = (v) => v.evaluate((e) => e.camera);
const close = (a, b) => [...a.eye, ...a.target].every((x, i) => Math.abs(x - [...b.eye, ...b.target][i]) < 1e-3);

async function place(page, vm) {
    const box = await windowOf(page, vm).boundingBox();
    return Object.fromEntries(Object.entries(box).map(([k, n]) => [k, Math.round(n)]));
}

export default function together(world) {
    pageTest(world, 'cameras of two windows are linked, and unlinked', async (visit) => {
        const page = await visit({ viewport: { width: 1600, height: 900 } });
        const a = await openVm(page, vms[0]);
        await page.keyboard.press('Control+ArrowLeft');
        const b = await openVm(page, vms[1]);
        await page.keyboard.press('Control+ArrowRight');
        await until('they are side by side', async () =>
            Math.abs((await place(page, vms[0])).width - (await place(page, vms[1])).x) < 4);
        for (const vm of [vms[0], vms[1]]) {
            await button(windowOf(page, vm), /^Link/).click();
        }
        await drag(page, a, 120, 30);
        await until('one follows the other', async () => close(await camera(a), await camera(b)));
        await settled(b);
        await picture(page, 'linked');
        await button(windowOf(page, vms[1]), /^Link/).click();
        const before = await camera(b);
        await drag(page, a, -90, 60);
        await until('the one moves', async () => !close(await camera(a), before));
        assert(close(await camera(b), before), 'the other stays');
    });

    pageTest(world, 'a reload keeps windows, places, cameras and the token', async (visit) => {
        const page = await visit();
        const v = await openVm(page, vms[0]);
        await drag(page, v, 90, 20);
        const first = await place(page, vms[0]), title = windowOf(page, vms[0]).locator('.window-head h2');
        await drag(page, title, -60, 50);
        await until('the window is moved', async () =>
            isDeepStrictEqual(await place(page, vms[0]), { ...first, x: first.x - 60, y: first.y + 50 }));
        const was = { window: await place(page, vms[0]), brick: await brick(page, vms[2]).boundingBox(), camera: await camera(v) };
        await page.reload();
        await windowOf(page, vms[0]).waitFor();
        await until('the window is where it was', async () =>
            isDeepStrictEqual(await place(page, vms[0]), was.window));
        assert.deepEqual(await brick(page, vms[2]).boundingBox(), was.brick);
        await until('and looks where it looked', async () => close(await camera(volumeOf(page, vms[0])), was.camera));
        assert.notEqual(await action(brick(page, vms[0]), 'pause').getAttribute('aria-disabled'), 'true');
    });

    pageTest(world, 'two clients see each other\'s highlights', async (visit) => {
        const pages = await Promise.all([0, 1].map(() => visit()));
        const volumes = [await openVm(pages[0], vms[0]), await openVm(pages[1], vms[0])];
        const names = (v) => v.evaluate((e) => e.model.highlights.map((h) => h.name));
        await put(pages[0], vms[0], 'e2e', 'page_tables');
        for (const v of volumes) {
            await until('both have it', async () => (await names(v)).includes('e2e'));
        }
        await remove(pages[1], vms[0], 'e2e');
        for (const v of volumes) {
            await until('it is gone from both', async () => !(await names(v)).includes('e2e'));
        }
    });

    pageTest(world, 'a page that hangs holds nobody up', async (visit) => {
        const [hangs, lives] = await Promise.all([0, 1].map(() => visit()));
        await openVm(hangs, vms[0]);
        const v = await openVm(lives, vms[0]);
        const updates = () => v.evaluate((e) => e.model.updates);
        const before = world.server.privateBytes();
        const hung = hangs.evaluate(() => {
            for (const until = performance.now() + 6000; performance.now() < until;);
        });
        for (let i = 0; i < 5; i++) {
            const seen = await updates();
            await until('the other page is updated', async () => await updates() > seen);
        }
        assert(world.server.privateBytes() - before < 24 << 20, 'the server grew');
        await hung;
        await until('it catches up', () => volumeOf(hangs, vms[0]).evaluate((e) => e.stats.updates_per_s > 0));
    });
}

/* A page changes what it may by its own origin and token. */
const put = (page, vm, name, area) => ask(page, 'PUT', `/api/v1/vms/${vm}/highlights/${name}`, { area });
const remove = (page, vm, name) => ask(page, 'DELETE', `/api/v1/vms/${vm}/highlights/${name}`);

async function ask(page, method, path, body) {
    const status = await page.evaluate(async ([m, p, b]) => (await fetch(p, {
        method: m, body: b === undefined ? undefined : JSON.stringify(b),
        headers: { Authorization: `Bearer ${sessionStorage.getItem('vitrine.token')}`, 'Content-Type': 'application/json' },
    })).status, [method, path, body]);
    assert(status === 200, `${method} ${path}: ${status}`);
}
