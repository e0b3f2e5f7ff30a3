// tests/web/e2e/map.mjs - the map of three live VMs: figures, sizes of screens, dark and light, the
// keyboard alone, what the page may not do.
import assert from 'node:assert/strict';
import { pageTest, different, picture, until, vms } from './lib.mjs';
import { brick, drawn, settled, volumeOf, windowOf } from './ui.mjs';

const WIDE = { width: 1280, height: 720 };
const PHONE = { width: 390, height: 844 };

/** Colours in a picture that are unlike its corner's: more than a few only where something is drawn. */
function colours(image) {
    const seen = new Set();
    for (let y = 0; y < image.height; y += 2) {
        for (let x = 0; x < image.width; x += 2) {
            seen.add(image.at(x, y).map((v) => v >> 4).join());
        }
    }
    return seen.size;
}

/** Nothing is wider than the screen. */
async function assertFits(page) {
    const { inner, scroll } = await page.evaluate(() => ({
        inner: innerWidth, scroll: document.scrollingElement.scrollWidth,
    }));
    assert(scroll <= inner, `${scroll} pixels in a page of ${inner}`);
}

export default function map(world) {
    for (const [name, viewport, colorScheme] of [['wide', WIDE, 'dark'], ['wide-light', WIDE, 'light'], ['phone', PHONE, 'dark']]) {
        pageTest(world, `the map of three VMs, ${name}`, async (visit) => {
            const page = await visit({ viewport, colorScheme, hasTouch: name === 'phone' });
            for (const vm of vms) {
                await until(`${vm} is there and runs`, async () => await brick(page, vm).getAttribute('data-state') === 'running');
                await drawn(brick(page, vm).locator('vitrine-volume'));
                await until(`a picture of ${vm}`, async () =>
                    colours(await picture(brick(page, vm).locator('vitrine-volume'), `map-${name}-brick`)) > 12);
                await until('CPU, RAM and dirty pages', async () =>
                    (await brick(page, vm).locator('.figure-value').allTextContents()).every((t) => /\d/.test(t)));
            }
            await assertFits(page);
            const image = await picture(page, `map-${name}`);
            const [r, g, b] = image.at(4, image.height - 60);
            assert(colorScheme === 'dark' ? r + g + b < 240 : r + g + b > 540, `the background is ${[r, g, b]}`);
        });
    }

    pageTest(world, 'the thumbnails live: a guest that writes changes its picture', async (visit) => {
        const page = await visit();
        const thumbnail = brick(page, vms[0]).locator('vitrine-volume');
        await drawn(thumbnail);
        const updates = () => thumbnail.evaluate((v) => v.stats.updates_per_s);
        await until('it is updated', async () => await updates() > 0);
    });

    pageTest(world, 'the keyboard alone: open, orbit, help, close', async (visit) => {
        const page = await visit();
        await brick(page, vms[0]).waitFor();
        const focused = () => page.evaluate(() => document.activeElement?.closest('[data-vm]')?.dataset.vm);
        for (let i = 0; i < 40 && await focused() === undefined; i++) {
            await page.keyboard.press('Tab');
        }
        const vm = await focused();
        assert(vms.includes(vm), 'Tab comes to a VM');
        await page.keyboard.press('Enter');
        await windowOf(page, vm).waitFor();
        const volume = volumeOf(page, vm);
        await drawn(volume);
        const inVolume = () => page.evaluate(() => document.activeElement?.localName === 'vitrine-volume');
        for (let i = 0; i < 40 && !await inVolume(); i++) {
            await page.keyboard.press('Tab');
        }
        assert(await inVolume(), 'Tab comes to the volume');
        const before = await picture(volume, 'keys-before');
        for (let i = 0; i < 6; i++) {
            await page.keyboard.press('ArrowLeft');
        }
        await settled(volume);
        await until('the arrows orbit', async () => different(before, await picture(volume, 'keys-after')) > 500);
        await page.keyboard.press('?');
        await page.getByRole('dialog').filter({ hasText: /orbit/i }).waitFor();
        await page.keyboard.press('Escape');
        await until('Escape closes the help', async () => await page.getByRole('dialog').filter({ hasText: /orbit/i }).count() === 0);
    });

    pageTest(world, 'without scripts there is still something to read', async (visit) => {
        const page = await visit({ javaScriptEnabled: false });
        assert.match(await page.locator('body').innerText(), /vitrine/i);
        assert(await page.locator('a[href="/api/v1/vms"]').count() > 0);
    });

    pageTest(world, 'the address shows no token, and no other page can be framed or asked', async (visit) => {
        const page = await visit();
        await brick(page, vms[0]).waitFor();
        assert.equal(new URL(page.url()).hash, '');
        const refused = await page.evaluate(() => new Promise((done) => {
            document.addEventListener('securitypolicyviolation', (e) => done(e.effectiveDirective));
            fetch('http://127.0.0.1:9/').catch(() => {});
        }));
        assert.equal(refused, 'connect-src');
    }, [/127\.0\.0\.1:9/, /connect-src|violates/]);
}
