/* panel_what.js - the tab that says what a voxel is: its address in every form, what the page holds,
 * who maps it, and the bytes around it. */
import * as api from './api.js';
import { el, replace } from './dom.js';
import { address, hex, hexLines } from './format.js';

const BYTES_SHOWN = 192;
const BYTES_A_LINE = 8;

function term(name, ...values) {
    return [el('dt', {}, name), el('dd', {}, values)];
}

function code(value) {
    return el('code', {}, value);
}

export function whatTab(host) {
    const body = el('div', { class: 'tab padded' });
    let number = 0; /* of the pick that is shown: answers to older ones are dropped */

    function invite() {
        replace(
            body,
            el(
                'p',
                { class: 'invite' },
                "Click a voxel: what it is stands here. A voxel is a byte of the guest's RAM, a cube of 16 voxels a side is a page.",
            ),
        );
    }

    function colourOf(name) {
        return (
            host.volume.info?.classes.find((c) => c.name === name)?.[host.palette] ?? 'transparent'
        );
    }

    function useCard(use) {
        const who = use.process ?? use.kind.replaceAll('_', ' ');
        const what = use.symbol ?? use.name ?? use.kind.replaceAll('_', ' ');
        const content = [
            el('span', { class: 'card-label' }, use.pid === null ? who : `${who} (pid ${use.pid})`),
            el('span', { class: 'card-detail' }, what === who ? '' : what),
            code(use.virtual),
            use.flags ? el('span', { class: 'card-flags' }, use.flags) : null,
        ];
        return el(
            'li',
            { class: 'card' },
            use.pid === null
                ? el('div', { class: 'card-main tall' }, content)
                : el(
                      'button',
                      {
                          type: 'button',
                          class: 'card-main tall',
                          title: 'Show this process',
                          on: { click: () => host.showProcess(use.pid) },
                      },
                      content,
                  ),
        );
    }

    /* What the guest's own bookkeeping says now; the picture's class may be some seconds old. */
    async function uses(offset, mine) {
        const page = await api.get(api.vmPath(host.name, '/page'), { offset: hex(offset) });
        if (mine !== number) {
            return;
        }
        body.querySelector('.what-head strong').textContent = page.title;
        body.querySelector('.what-head .swatch').style.background = colourOf(page.class);
        const terms = [
            page.slab ? term('Slab', code(page.slab)) : null,
            page.kernel ? term('Page kind', page.kernel) : null,
        ];
        body.querySelector('dl').append(...terms.filter(Boolean).flat());
        replace(
            body.querySelector('.mapped'),
            el(
                'ul',
                { class: 'cards' },
                page.uses.length === 0
                    ? el('li', { class: 'empty' }, 'Nobody maps it.')
                    : page.uses.map(useCard),
            ),
            page.more ? el('p', { class: 'hint' }, 'There are more.') : null,
        );
    }

    async function bytesAt(gpa, mine) {
        const from = hex(address(gpa) & ~63n);
        const { hex: found, verdict } = await api.get(api.vmPath(host.name, '/memory'), {
            address: from,
            length: BYTES_SHOWN,
            space: 'physical',
        });
        if (mine !== number) {
            return;
        }
        const at = Number(address(gpa) - address(from));
        replace(
            body.querySelector('.bytes'),
            hexLines(from, found, BYTES_A_LINE).map((line, i) =>
                el(
                    'div',
                    { class: 'hex-line' },
                    el('span', { class: 'hex-address' }, line.address),
                    el(
                        'span',
                        { class: 'hex-bytes' },
                        line.hex.map((pair, j) =>
                            el(
                                'span',
                                {
                                    class:
                                        i * BYTES_A_LINE + j === at
                                            ? 'here'
                                            : pair === '00'
                                              ? 'zero'
                                              : '',
                                },
                                pair,
                            ),
                        ),
                    ),
                    el('span', { class: 'hex-text' }, line.text),
                ),
            ),
            verdict === 'torn'
                ? el('p', { class: 'hint' }, 'They changed while they were read.')
                : null,
        );
    }

    const failed = (selector, mine) => (error) => {
        const place = mine === number && body.querySelector(selector);
        if (place) {
            replace(place, el('p', { class: 'complaint' }, error.message));
        }
    };

    function show(picked) {
        const mine = ++number;
        if (!picked?.hit) {
            invite();
            return;
        }
        const offset = address(picked.offset),
            gpa = picked.gpa === null ? null : address(picked.gpa);
        const swatch = el('span', { class: 'swatch' });
        const found = host.volume.info?.classes.find((c) => c.name === picked.class);
        swatch.style.background = colourOf(picked.class);
        const owner = picked.pid ? `pid ${picked.pid}` : null;
        replace(
            body,
            el(
                'div',
                { class: 'what-head' },
                swatch,
                el('strong', {}, found?.title ?? String(picked.class)),
                owner
                    ? el(
                          'button',
                          {
                              type: 'button',
                              class: 'link',
                              on: { click: () => host.showProcess(picked.pid) },
                          },
                          owner,
                      )
                    : null,
            ),
            el(
                'dl',
                { class: 'terms' },
                term('Physical', code(gpa === null ? 'none: no RAM there' : hex(gpa))),
                term('RAM file', code(hex(offset))),
                term('Page', code(String(offset >> 12n)), ` + ${hex(offset & 0xfffn)}`),
                term('Voxel', code(picked.voxel.join(' '))),
                term(
                    'Value',
                    code(`0x${picked.value.toString(16).padStart(2, '0')}`),
                    ` = ${picked.value}`,
                ),
                picked.highlight ? term('Highlight', host.labelOf(picked.highlight)) : null,
            ),
            el(
                'div',
                { class: 'what-buttons' },
                el(
                    'button',
                    {
                        type: 'button',
                        class: 'plain',
                        on: { click: () => host.fly([[Number(offset >> 12n), 1]]) },
                    },
                    'Fly to its page',
                ),
                el(
                    'button',
                    {
                        type: 'button',
                        class: 'plain',
                        on: {
                            click: () =>
                                host.light(
                                    {
                                        name: `page-${offset >> 12n}`,
                                        label: `page ${hex(gpa ?? offset)}`,
                                        pages: [[Number(offset >> 12n), 1]],
                                    },
                                    { add: true, fly: false },
                                ),
                        },
                    },
                    'Light it up',
                ),
            ),
            el('h4', {}, 'Mapped at'),
            el('div', { class: 'mapped' }, el('p', { class: 'hint' }, '…')),
            el('h4', {}, 'Bytes'),
            el(
                'div',
                { class: 'bytes', tabindex: 0, role: 'group', 'aria-label': 'Bytes around it' },
                el('p', { class: 'hint' }, '…'),
            ),
        );
        uses(offset, mine).catch(failed('.mapped', mine));
        if (gpa !== null) {
            bytesAt(gpa, mine).catch(failed('.bytes', mine));
        }
    }

    invite();
    return { id: 'what', icon: 'what', title: 'What', element: body, show };
}
