/* app.js - the page: makes its parts, knows what the address means and what the keys do.
 *
 * Addresses: "#/" the map, "#/vm/NAME" a VM's window. The token is in none of them (api.js). */
import { startNew } from './actions.js';
import * as api from './api.js';
import { el, icon, iconButton } from './dom.js';
import { showCommands, showHelp } from './help.js';
import { SNAP_NAMES } from './layout.js';
import { Machines } from './machines.js';
import { VmMap } from './map.js';
import { say } from './notices.js';
import { statusLine } from './status.js';
import { nextTheme, onTheme } from './theme.js';
import './volume/view.js';
import { Windows } from './windows.js';

const byId = (id) => document.getElementById(id);

api.takeToken();
const machines = new Machines();
const windows = new Windows(byId('windows'), byId('tasks'), machines);
const map = new VmMap(byId('map'), machines, (name) => windows.open(name));
statusLine(byId('status'), machines, windows);

api.onToken((_has, why) => why !== '' && say(why, 'warning'));

/* ---------------------------------------------------------------- the bar */

const themeButton = iconButton('auto', 'Dark or light', nextTheme);
byId('tools').append(
    iconButton('start', 'Start a VM', () => startNew(machines)),
    iconButton('tidy', 'Tidy up the map (a)', () => map.tidy(), { class: 'not-phone' }),
    iconButton('fit', 'Fit all (0)', () => map.fitAll()),
    iconButton('command', 'Commands (Ctrl+K)', () => showCommands(commands()), {
        class: 'not-phone',
    }),
    themeButton,
    el(
        'button',
        {
            type: 'button',
            class: 'icon-button not-phone',
            'aria-label': 'Keys',
            title: 'Keys (?)',
            on: { click: showHelp },
        },
        '?',
    ),
);
byId('home').addEventListener('click', () => windows.minimiseAll());

onTheme((theme, choice) => {
    const label = {
        auto: 'Colours: as the system has them',
        dark: 'Colours: dark',
        light: 'Colours: light',
    }[choice];
    themeButton.replaceChildren(icon({ auto: 'auto', dark: 'moon', light: 'sun' }[choice]));
    themeButton.setAttribute('aria-label', label);
    themeButton.title = label;
    windows.setTheme(theme);
    map.setTheme(theme);
});

addEventListener('vitrine-state', ({ target, detail }) => {
    target.classList.toggle('begun', detail.state === 'live' || target.classList.contains('begun'));
});

/* ---------------------------------------------------------------- nothing to show */

function showNote() {
    const { loaded, failure, all } = machines;
    if (!loaded) {
        map.setNote(el('p', {}, 'Looking for VMs …'));
    } else if (failure?.status === 401) {
        map.setNote(
            el('h1', {}, 'The token is needed'),
            el(
                'p',
                {},
                'Open the link that `vitrine serve` prints, or give the token by the lock in the line below.',
            ),
        );
    } else if (failure && all.size === 0) {
        map.setNote(
            el('h1', {}, failure.gone ? 'The server is not there' : 'The VMs cannot be listed'),
            el('p', {}, failure.gone ? 'The page goes on as soon as it is back.' : failure.message),
            el(
                'button',
                { type: 'button', class: 'primary', on: { click: () => machines.retry() } },
                'Try now',
            ),
        );
    } else if (all.size === 0) {
        map.setNote(
            el('h1', {}, 'No VM yet'),
            el('p', {}, 'Start one here, or in a terminal:'),
            el('pre', {}, 'vitrine run demo'),
            el(
                'button',
                {
                    type: 'button',
                    class: 'primary',
                    'aria-disabled': String(!api.hasToken()),
                    on: { click: () => startNew(machines) },
                },
                'Start a VM',
            ),
        );
    } else {
        map.setNote();
    }
}
machines.addEventListener('list', showNote);
showNote();

/* ---------------------------------------------------------------- the address */

function openAddressed() {
    const found = /^#\/vm\/([A-Za-z0-9._-]{1,64})$/.exec(location.hash);
    if (found && machines.get(found[1])) {
        windows.open(found[1]);
    } else if (found) {
        say(`There is no VM ${found[1]}.`, 'warning');
    }
}

machines.addEventListener(
    'list',
    () => {
        if (machines.failure === null) {
            windows.restore();
            openAddressed();
            windows.addEventListener('change', () => {
                history.replaceState(null, '', windows.front ? `#/vm/${windows.front.name}` : '#/');
            });
        }
    },
    { once: true },
);
addEventListener('hashchange', () => {
    if (/[#&]token=/.test(location.hash)) {
        api.takeToken();
        machines.refresh();
    } else {
        openAddressed();
    }
});
windows.addEventListener('empty', ({ detail }) => map.focus(detail));

/* ---------------------------------------------------------------- commands and keys */

function commands() {
    const { front } = windows;
    const open = [...machines.all.keys()].map((name) => ({
        title: `Open ${name}`,
        run: () => windows.open(name),
    }));
    const ofFront =
        front === null
            ? []
            : [
                  {
                      title: `Ask ${front.name} a question`,
                      keys: '/',
                      run: () => front.ask.focus(),
                  },
                  ...front.panel.tabs.map((tab) => ({
                      title: `${front.name}: ${tab.title}`,
                      run: () => front.panel.show(tab.id),
                  })),
                  { title: 'Put all lights out', keys: 'Esc', run: () => front.clear() },
                  { title: 'Link or unlink the camera', run: () => front.link.click() },
                  ...SNAP_NAMES.map((name) => ({
                      title: `Window: ${name.replace('full', 'maximise')}`,
                      keys: { left: 'Ctrl ←', right: 'Ctrl →', full: 'Ctrl ↑' }[name],
                      run: () => windows.snapFront(name),
                  })),
                  { title: 'Window: as it was', run: () => windows.snapFront(null) },
                  { title: 'Window: minimise', keys: 'Ctrl ↓', run: () => windows.minimise() },
                  { title: 'Window: close', run: () => windows.close() },
                  { title: 'Windows: side by side', run: () => windows.tile() },
                  { title: 'Windows: close all', run: () => windows.closeAll() },
              ];
    return [
        ...open,
        ...ofFront,
        { title: 'Start a VM', run: () => startNew(machines) },
        { title: 'Map: fit all', keys: '0', run: () => map.fitAll() },
        { title: 'Map: tidy up', keys: 'a', run: () => map.tidy() },
        { title: 'Colours: auto, dark, light', run: nextTheme },
        { title: 'Keys', keys: '?', run: showHelp },
    ];
}

const SNAP_KEYS = { ArrowLeft: 'left', ArrowRight: 'right', ArrowUp: 'full' };

addEventListener('keydown', (event) => {
    const typing = event.target.closest?.('input, select, textarea, dialog, [role="slider"]');
    const { ctrlKey, metaKey, altKey, key } = event;
    if (event.defaultPrevented || altKey) {
        return;
    }
    if ((ctrlKey || metaKey) && key.toLowerCase() === 'k') {
        showCommands(commands());
    } else if (typing) {
        return;
    } else if (ctrlKey && SNAP_KEYS[key] && windows.front) {
        windows.snapFront(SNAP_KEYS[key]);
    } else if (ctrlKey && key === 'ArrowDown' && windows.front) {
        windows.minimise();
    } else if (ctrlKey || metaKey) {
        return;
    } else if (key === '?') {
        showHelp();
    } else if (key === '/' && windows.front) {
        windows.front.ask.focus();
    } else if (key === 'w') {
        windows.cycle();
    } else {
        return;
    }
    event.preventDefault();
});

/* ---------------------------------------------------------------- begin */

machines.start();
