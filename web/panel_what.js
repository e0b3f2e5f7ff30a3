/* panel_what.js - the tab that says what a voxel is: its address in every form, what the page holds,
 * who maps it, and the bytes around it. */
import * as api from './api.js';
import { el, replace } from './dom.js';
import { address, hex, hexLines } from './format.js';
import * as places from './places.js';

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

    function classOf(picked) {
        const { classes } = host.volume.info ?? {};
        const found =
            typeof picked.class === 'number'
                ? classes?.[picked.class]
                : classes?.find((c) => c.name === picked.class);
        return found ?? { title: String(picked.class ?? 'unknown') };
    }

    async function mapped(gpa, mine) {
        const rows = await places.mappingsOf(host.vm, gpa);
        if (mine !== number) {
            return;
        }
        const list = el(
            'ul',
            { class: 'cards' },
            rows.length === 0
                ? el('li', { class: 'empty' }, 'Nothing that was sampled maps it.')
                : rows.map((row) =>
                      el(
                          'li',
                          { class: 'card' },
                          el(
                              'div',
                              { class: 'card-main still' },
                              el(
                                  'span',
                                  { class: 'card-label' },
                                  `${row.owner ?? 'kernel'}${row.pid === null ? '' : ` (pid ${row.pid})`}`,
                              ),
                              el(
                                  'span',
                                  { class: 'card-detail' },
                                  `${row.name ?? row.kind} ${row.permissions ?? ''}`,
                              ),
                              code(row.gva),
                          ),
                      ),
                  ),
        );
        replace(body.querySelector('.mapped'), list);
        const kernel = rows.find((row) => address(row.gva) >> 63n === 1n);
        if (kernel) {
            await symbolAt(kernel.gva, mine);
        }
    }

    async function symbolAt(gva, mine) {
        try {
            const { symbols } = await api.get(api.vmPath(host.name, '/symbols'), {
                address: gva,
                limit: 1,
            });
            if (mine === number && symbols.length > 0) {
                const [s] = symbols;
                body.querySelector('dl').append(
                    ...term(
                        'Symbol',
                        code(`${s.name}+${s.offset}`),
                        s.module ? ` in ${s.module}` : '',
                    ),
                );
            }
        } catch (error) {
            if (error.code !== 'not_found') {
                throw error;
            }
        }
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
        const what = classOf(picked),
            swatch = el('span', { class: 'swatch' });
        swatch.style.background = what[host.palette] ?? 'transparent';
        const owner = picked.pid ? `pid ${picked.pid}` : null;
        replace(
            body,
            el(
                'div',
                { class: 'what-head' },
                swatch,
                el('strong', {}, what.title ?? what.name),
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
                term('Voxel', code((picked.voxel ?? []).join(' '))),
                term(
                    'Value',
                    code(
                        `0x${Number(picked.value ?? 0)
                            .toString(16)
                            .padStart(2, '0')}`,
                    ),
                    ` = ${picked.value}`,
                ),
                picked.highlight ? term('Highlight', String(picked.highlight)) : null,
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
        if (gpa !== null) {
            mapped(gpa, mine).catch(failed('.mapped', mine));
            bytesAt(gpa, mine).catch(failed('.bytes', mine));
        }
    }

    invite();
    return { id: 'what', icon: 'what', title: 'What', element: body, show };
}
