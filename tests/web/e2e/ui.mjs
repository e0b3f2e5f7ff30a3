// tests/web/e2e/ui.mjs - the parts of the page by name, and what a volume on it shows.
import { until } from './lib.mjs';

export const brick = (page, vm) => page.locator(`.brick[data-vm="${vm}"]`);
export const windowOf = (page, vm) => page.locator(`.window[data-vm="${vm}"]`);
export const button = (within, name) => within.getByRole('button', { name });
export const action = (within, name) => within.locator(`[data-action="${name}"]`);
export const volumeOf = (page, vm) => windowOf(page, vm).locator('vitrine-volume');

/** Until a VM's key frame is whole (lib.mjs notes that), and something of it is drawn. */
export async function drawn(volume) {
    await until('the volume has RAM', () => volume.evaluate((v) => v.whole === true && v.model !== null));
    await settled(volume);
}

/** Until nothing is left to be drawn: two frames of the browser later the picture is what it was. */
export async function settled(volume) {
    await volume.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
}

/** Opens a VM; the keyboard reaches bricks that lie under a window, too. */
export async function openVm(page, vm) {
    await brick(page, vm).locator('.brick-open').focus();
    await page.keyboard.press('Enter');
    await windowOf(page, vm).waitFor();
    await drawn(volumeOf(page, vm));
    return volumeOf(page, vm);
}

/** Notes an element's events of a type from now on: `taken()` gives their details. */
export async function listen(volume, type) {
    await volume.evaluate((v, name) => {
        v.heard ??= {};
        v.heard[name] = [];
        v.addEventListener(name, ({ detail }) => v.heard[name].push(detail));
    }, type);
    return () => volume.evaluate((v, name) => v.heard[name], type);
}

/** Drags over the middle of an element. */
export async function drag(page, element, dx, dy, { button = 'left' } = {}) {
    const box = await element.boundingBox();
    const x = box.x + box.width / 2, y = box.y + box.height / 2;
    await page.mouse.move(x, y);
    await page.mouse.down({ button });
    await page.mouse.move(x + dx / 2, y + dy / 2, { steps: 4 });
    await page.mouse.move(x + dx, y + dy, { steps: 4 });
    await page.mouse.up({ button });
}
