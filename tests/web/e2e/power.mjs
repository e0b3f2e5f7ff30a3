// tests/web/e2e/power.mjs - what the page does to VMs, what it does not without the token, and what it
// shows when a VM or the server goes away under it.
import assert from 'node:assert/strict';
import { pageTest, picture, until, vitrine, vms } from './lib.mjs';
import { action, brick, button, drawn, openVm, volumeOf, windowOf } from './ui.mjs';

/** Presses a power button of a brick, and agrees where the page asks. */
async function press(page, vm, name) {
    await action(brick(page, vm), name).click();
    const sure = page.locator('dialog[open]').getByRole('button', { name: new RegExp(`^${name}$`, 'i') });
    if (['stop', 'reset'].includes(name)) {
        await sure.click();
    }
}

const shows = (page, vm, state) => until(`the page shows ${vm} ${state}`, async () =>
    await brick(page, vm).getAttribute('data-state') === state);
const is = (world, vm, state) => until(`${vm} is ${state}`, async () => await world.server.state(vm) === state);

export default function power(world) {
    pageTest(world, 'pause, resume, reset', async (visit) => {
        const page = await visit(), vm = vms[1];
        await press(page, vm, 'pause');
        await shows(page, vm, 'paused');
        await is(world, vm, 'paused');
        await press(page, vm, 'resume');
        await shows(page, vm, 'running');
        await is(world, vm, 'running');
        const boots = async () => (await world.server.ask(`vms/${vm}/boots`)).boots.length;
        const before = await boots();
        await press(page, vm, 'reset');
        await until('it has booted again', async () => await boots() === before + 1);
        await shows(page, vm, 'running');
    });

    pageTest(world, 'stop and start a VM', async (visit) => {
        const page = await visit(), vm = vms[1];
        await shows(page, vm, 'running');
        await press(page, vm, 'stop');
        await shows(page, vm, 'ended');
        await is(world, vm, 'ended');
        await press(page, vm, 'start');
        await shows(page, vm, 'running');
        await is(world, vm, 'running');
        await drawn(brick(page, vm).locator('vitrine-volume'));
        await vitrine('console', vm, '--wait', 'shell ready', '--timeout', '120s');
    });

    pageTest(world, 'without the token everything is shown and nothing can be changed', async (visit) => {
        const page = await visit({ token: false }), vm = vms[0];
        await shows(page, vm, 'running');
        await openVm(page, vm);
        const pause = action(brick(page, vm), 'pause');
        assert.equal(await pause.getAttribute('aria-disabled'), 'true');
        await button(windowOf(page, vm), 'Close').click();
        await pause.click({ force: true });
        await page.getByText(/needs the token/i).first().waitFor();
        assert.equal(await world.server.state(vm), 'running');
    });

    pageTest(world, 'a VM that is killed while it is open', async (visit) => {
        const page = await visit(), vm = vms[2];
        const v = await openVm(page, vm);
        await vitrine('kill', vm);
        await shows(page, vm, 'ended');
        await until('its window says so', async () => /ended|gone/i.test(await windowOf(page, vm).innerText()));
        await picture(page, 'killed');
        assert(await v.count() <= 1);
        await vitrine('run', vm, '--memory', '96M');
        await shows(page, vm, 'running');
        await drawn(volumeOf(page, vm));
        const updates = () => volumeOf(page, vm).evaluate((e) => e.model.updates);
        await until('its window shows it again', async () => await updates() > 0);
    });

    pageTest(world, 'the server goes away and comes back', async (visit) => {
        const page = await visit(), vm = vms[0];
        const v = await openVm(page, vm);
        assert.equal(await world.server.stop('SIGKILL'), 'SIGKILL');
        const said = page.getByText(/server does not answer|not connected|trying again|lost/i);
        await said.first().waitFor();
        await picture(page, 'server-gone');
        await world.server.start();
        await until('the page is back', async () => await said.count() === 0 || !await said.first().isVisible());
        const updates = await v.evaluate((e) => e.model.updates);
        await until('the volume lives again', async () => await v.evaluate((e) => e.model.updates) !== updates);
        await windowOf(page, vm).locator('[data-action="pause"]').click();
        await is(world, vm, 'paused');
        await windowOf(page, vm).locator('[data-action="resume"]').click();
        await is(world, vm, 'running');
    }, [/ERR_CONNECTION_REFUSED|WebSocket connection|Failed to load resource/]);
}
