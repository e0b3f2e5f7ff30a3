// tests/web/e2e/volume.mjs - a VM's RAM in its window: orbit, pick, light a process's pages up; by the
// client's WebGL2 and by frames the server draws.
import assert from 'node:assert/strict';
import { pageTest, different, parseColour, picture, pixelsOfHue, until, vms } from './lib.mjs';
import { drag, listen, openVm, windowOf } from './ui.mjs';

export default function volume(world) {
    for (const frames of ['client', 'server']) {
        pageTest(world, `a VM opens and is turned, frames by the ${frames}`, async (visit) => {
            const page = await visit();
            const v = await openVm(page, vms[0]);
            await v.evaluate((element, by) => element.setAttribute('frames', by), frames);
            const cameras = await listen(v, 'vitrine-camera');
            let first;
            await until('a picture', async () => {
                first = await picture(v, `open-${frames}`);
                return pixelsThatAreNot(first, first.at(3, 3)) > first.width * first.height / 20;
            });
            const before = await v.evaluate((e) => e.camera);
            await drag(page, v, 160, 40);
            await until('the picture turns', async () =>
                different(first, await picture(v, `turned-${frames}`)) > first.width * first.height / 50);
            const told = await cameras();
            assert(told.length > 0, 'vitrine-camera was not told');
            const now = await v.evaluate((e) => e.camera);
            assert.notDeepEqual(now.eye, before.eye);
            const length = ({ eye, target }) => Math.hypot(...eye.map((x, i) => x - target[i]));
            assert(Math.abs(length(now) / length(before) - 1) < 1e-3, 'an orbit keeps the distance');
            await page.mouse.wheel(0, -600);
            await until('the wheel comes nearer', async () => length(await v.evaluate((e) => e.camera)) < 0.9 * length(now));
        });
    }

    pageTest(world, 'a click says what is there, as the server says it', async (visit) => {
        const page = await visit();
        const v = await openVm(page, vms[0]);
        const picks = await listen(v, 'vitrine-pick');
        const box = await v.boundingBox();
        await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
        const picked = await until('vitrine-pick', async () => (await picks()).at(-1));
        assert(picked.hit, JSON.stringify(picked));
        const [offset, gpa] = [Number(picked.offset), Number(picked.gpa)];
        const { regions, classes } = await v.evaluate((e) => ({ regions: e.info.regions, classes: e.info.classes.map((c) => c.name) }));
        const region = regions.find((r) => offset >= Number(r.offset) && offset < Number(r.offset) + Number(r.bytes));
        assert.equal(gpa, Number(region.gpa) + offset - Number(region.offset));
        const attribute = await v.evaluate((e, n) => e.model.attributeOf(n), Math.floor(offset / 4096));
        assert.equal(classes[attribute.class], picked.class);
        await until('the panel says it', async () =>
            (await windowOf(page, vms[0]).innerText()).toLowerCase().includes(gpa.toString(16)));
    });

    pageTest(world, 'a click on a process lights its pages up, and the camera flies there', async (visit) => {
        const page = await visit();
        const v = await openVm(page, vms[0]);
        const { processes } = await world.server.ask(`vms/${vms[0]}/processes?name=dropbear`);
        const { pid } = processes[0];
        const row = windowOf(page, vms[0]).getByRole('row', { name: new RegExp(`dropbear ${pid}\\b`) });
        await row.waitFor();
        const before = await v.evaluate((e) => e.camera);
        await row.click();
        const lit = await until('pages are lit', async () => {
            const found = await v.evaluate((e) => {
                const pages = [];
                for (let n = 0; n < e.info.pages; n++) {
                    if (e.model.attributeOf(n).highlight) {
                        pages.push(n);
                    }
                }
                return pages;
            });
            return found.length > 0 && found;
        });
        /* Asked a moment later: what is shared stays where it is, and little else moves. */
        const { runs } = await world.server.ask(`vms/${vms[0]}/runs?pid=${pid}`);
        const said = new Set(runs.flatMap(({ first, pages }) => Array.from({ length: pages }, (_, i) => first + i)));
        const common = lit.filter((n) => said.has(n)).length;
        assert(common >= 0.97 * Math.max(lit.length, said.size), `${lit.length} pages lit, ${said.size} are the process's, ${common} both`);
        await until('the camera flies there', async () =>
            JSON.stringify(await v.evaluate((e) => e.camera)) !== JSON.stringify(before));

        /* Only what is drawn of pages: boxes and labels have the colour, too. */
        await v.evaluate((e) => e.setScene({ boxes: false, labels: false, frame: false, heat: false }));
        const colour = parseColour(await v.evaluate((e) => e.model.highlights.at(-1).colour));
        await until('pixels of the highlight\'s colour are pages of the process', async () => {
            const shown = pixelsOfHue(await picture(v, 'process'), colour);
            const some = shown.filter((_, i) => i % Math.ceil(shown.length / 24) === 0);
            const picks = await v.evaluate((e, all) => Promise.all(all.map(([x, y]) => e.pick(x, y))), some);
            const hits = picks.filter((p) => p.hit && said.has(Math.floor(Number(p.offset) / 4096))).length;
            return shown.length > 200 && hits >= 0.8 * picks.length;
        });
        await v.press('Escape');
        await until('Escape puts the lights out', () => v.evaluate((e) => e.model.highlights.length === 0));
    });
}

function pixelsThatAreNot(image, colour) {
    let n = 0;
    for (let y = 0; y < image.height; y++) {
        for (let x = 0; x < image.width; x++) {
            n += image.at(x, y).some((c, i) => Math.abs(c - colour[i]) > 24);
        }
    }
    return n;
}
