/* help.js - the list of keys (?) and the palette of commands (Ctrl+K). */
import { el, replace } from './dom.js';
import { matches } from './format.js';

const KEYS = [
    [
        'Everywhere',
        [
            ['?', 'This list'],
            ['Ctrl K', 'Find a command or a VM'],
            ['/', 'Ask the VM in front'],
            ['w', 'Next window'],
            ['Ctrl ← → ↑ ↓', 'Lay the window to a side, maximise, minimise'],
            ['Tab', 'Goes everywhere; Enter opens'],
        ],
    ],
    [
        'On the map',
        [
            ['drag, arrows', 'Move'],
            ['wheel, pinch, + −', 'Zoom'],
            ['0', 'Fit all'],
            ['a', 'Tidy up'],
            ['click, Enter', 'Open a VM'],
        ],
    ],
    [
        'In a volume',
        [
            ['left drag, arrows', 'Orbit'],
            ['right or shift drag, shift arrows', 'Move'],
            ['wheel, pinch, + −', 'Zoom'],
            ['click', 'What is it'],
            ['double click', 'Fly there'],
            ['0', 'Fit all'],
            ['1 … 7', 'Corner, front, back, left, right, top, bottom'],
            ['h b l f d', 'Heat, boxes, labels, frame, dim others'],
            ['p m', 'Palette, method'],
            ['x y z', 'Planes; [ ] move the last one'],
            ['t T', 'More, less transparent'],
            ['r', 'Turntable'],
            ['Esc', 'Put out what is lit'],
        ],
    ],
    [
        'In a list',
        [
            ['↑ ↓', 'Next row'],
            ['Enter', 'Its pages light up'],
            ['Ctrl Enter', 'These, too'],
        ],
    ],
];

function modal(label, className, ...content) {
    const before = document.activeElement;
    const dialog = el('dialog', { class: `dialog ${className}`, 'aria-label': label }, content);
    dialog.addEventListener('close', () => {
        dialog.remove();
        before?.isConnected && before.focus?.({ preventScroll: true });
    });
    dialog.addEventListener('click', (e) => e.target === dialog && dialog.close());
    document.body.append(dialog);
    dialog.showModal();
    return dialog;
}

export function showHelp() {
    if (document.querySelector('dialog.help')) {
        return;
    }
    const dialog = modal(
        'Keys',
        'help',
        el(
            'div',
            { class: 'help-head' },
            el('h2', {}, 'Keys'),
            el(
                'button',
                { type: 'button', class: 'plain', on: { click: () => dialog.close() } },
                'Close',
            ),
        ),
        el(
            'div',
            { class: 'help-columns' },
            KEYS.map(([title, rows]) =>
                el(
                    'section',
                    {},
                    el('h3', {}, title),
                    el(
                        'dl',
                        {},
                        rows.map(([keys, what]) => [
                            el(
                                'dt',
                                {},
                                keys
                                    .split(', ')
                                    .map((k, i) => [i > 0 ? ' ' : null, el('kbd', {}, k)]),
                            ),
                            el('dd', {}, what),
                        ]),
                    ),
                ),
            ),
        ),
    );
    dialog.querySelector('button').focus();
}

/** commands: [{title, keys, run}] */
export function showCommands(commands) {
    if (document.querySelector('dialog.commands')) {
        return;
    }
    let found = [],
        at = 0;
    const input = el('input', {
        type: 'text',
        role: 'combobox',
        'aria-expanded': 'true',
        'aria-controls': 'command-list',
        placeholder: 'What shall be done?',
        spellcheck: 'false',
        autocomplete: 'off',
        'aria-label': 'Command',
    });
    const list = el('ul', { id: 'command-list', role: 'listbox' });
    const dialog = modal('Commands', 'commands', input, list);
    const run = (command) => {
        dialog.close();
        command.run();
    };
    const mark = () =>
        [...list.children].forEach((item, i) => {
            item.setAttribute('aria-selected', String(i === at));
            if (i === at) {
                input.setAttribute('aria-activedescendant', item.id);
                item.scrollIntoView({ block: 'nearest' });
            }
        });
    const show = () => {
        found = commands.filter((c) => matches(input.value.trim(), [c.title]));
        at = 0;
        replace(
            list,
            found.length === 0
                ? el('li', { class: 'empty' }, 'Nothing like that.')
                : found.map((command, i) =>
                      el(
                          'li',
                          { id: `command-${i}`, role: 'option', on: { click: () => run(command) } },
                          el('span', {}, command.title),
                          command.keys ? el('kbd', {}, command.keys) : null,
                      ),
                  ),
        );
        mark();
    };
    input.addEventListener('input', show);
    input.addEventListener('keydown', (e) => {
        if (e.key === 'ArrowDown' || e.key === 'ArrowUp') {
            at =
                found.length === 0
                    ? 0
                    : (at + (e.key === 'ArrowDown' ? 1 : found.length - 1)) % found.length;
            mark();
        } else if (e.key === 'Enter' && found[at]) {
            run(found[at]);
        } else {
            return;
        }
        e.preventDefault();
    });
    show();
    input.focus();
}
