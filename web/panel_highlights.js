/* panel_highlights.js - the tab of highlights: those the VM has, which every picture shows, and those
 * that were lit here, which can be kept. */
import * as api from './api.js';
import { NO_TOKEN } from './actions.js';
import { el, iconButton, replace, text } from './dom.js';
import { bytes, countPages } from './format.js';
import * as places from './places.js';

const AREAS = [
    ['slab', 'Slab objects'],
    ['page_tables', 'Page tables'],
    ['kernel_stacks', 'Kernel stacks'],
    ['modules', 'Modules'],
    ['vmalloc', 'vmalloc'],
    ['page_cache', 'Page cache'],
];

function nameFrom(label) {
    return (
        label
            .toLowerCase()
            .replace(/[^a-z0-9._-]+/g, '-')
            .replace(/^[^a-z0-9]+|-+$/g, '')
            .slice(0, 60) || 'place'
    );
}

export function highlightsTab(host) {
    const kept = el('ul', { class: 'cards' }),
        lit = el('ul', { class: 'cards' });
    const problem = el('p', { class: 'complaint', hidden: true });
    const question = el('input', {
        type: 'text',
        placeholder: 'highlight kernel memory allocations',
        maxlength: 512,
        'aria-label': 'What to highlight, in words',
    });
    const form = el(
        'form',
        {
            class: 'tab-bar',
            on: {
                submit: (e) => {
                    e.preventDefault();
                    keepQuestion();
                },
            },
        },
        question,
        iconButton('send', 'Highlight', () => {}, { type: 'submit' }),
    );
    const quick = el(
        'div',
        { class: 'chips' },
        AREAS.map(([area, title]) =>
            el(
                'button',
                {
                    type: 'button',
                    class: 'chip',
                    on: {
                        click: () =>
                            host.lightFound({ name: `area-${area}`, label: title }, () =>
                                places.now(host.vm, { area }),
                            ),
                    },
                },
                title,
            ),
        ),
    );

    async function change(path, body) {
        if (!api.hasToken()) {
            host.say(NO_TOKEN, 'warning');
            return;
        }
        try {
            await api.put(api.vmPath(host.name, `/${path}`), body);
        } catch (error) {
            host.say(error.message, 'error');
        }
        refresh();
    }

    function keepQuestion() {
        const words = question.value.trim();
        if (words !== '') {
            change(`highlights/${nameFrom(words)}`, { question: words });
            question.value = '';
        }
    }

    async function drop(name) {
        try {
            await api.remove(api.vmPath(host.name, `/highlights/${encodeURIComponent(name)}`));
        } catch (error) {
            host.say(error.message, 'error');
        }
        refresh();
    }

    function card({ colour, label, detail, go, tools }) {
        const swatch = el('span', { class: 'swatch' });
        swatch.style.background = colour;
        return el(
            'li',
            { class: 'card' },
            el(
                'button',
                { type: 'button', class: 'card-main', on: { click: go }, title: 'Fly there' },
                swatch,
                el('span', { class: 'card-label' }, label),
                el('span', { class: 'card-detail' }, detail),
            ),
            tools,
        );
    }

    function showLit() {
        replace(
            lit,
            host.lit.length === 0
                ? el(
                      'li',
                      { class: 'empty' },
                      'Nothing. Click a process, a module, a map, or one of these:',
                  )
                : host.lit.map((h) =>
                      card({
                          ...h,
                          detail: bytes(countPages(h.pages) * 4096),
                          go: () => host.fly(h.pages),
                          tools: [
                              iconButton(
                                  'keep',
                                  api.hasToken()
                                      ? 'Keep: pictures everywhere show it'
                                      : `Keep: ${NO_TOKEN}`,
                                  () =>
                                      change(`highlights/${nameFrom(h.label)}`, {
                                          label: h.label,
                                          colour: h.colour,
                                          runs: places.toRuns(host.vm.regions, h.pages),
                                      }),
                                  { 'aria-disabled': String(!api.hasToken()) },
                              ),
                              iconButton('close', 'Put out', () => host.putOut(h.name)),
                          ],
                      }),
                  ),
        );
    }

    async function refresh() {
        showLit();
        try {
            const { highlights } = await api.get(api.vmPath(host.name, '/highlights'));
            replace(
                kept,
                highlights.length === 0
                    ? el('li', { class: 'empty' }, 'The VM has none.')
                    : highlights.map((h) =>
                          card({
                              colour: h.colour,
                              label: h.label,
                              detail: bytes(h.bytes),
                              async go() {
                                  try {
                                      host.fly(await places.ofHighlight(host.vm, h.name));
                                  } catch (error) {
                                      host.say(error.message, 'error');
                                  }
                              },
                              tools: [
                                  iconButton(
                                      'trash',
                                      api.hasToken() ? `Remove ${h.name}` : `Remove: ${NO_TOKEN}`,
                                      () =>
                                          api.hasToken()
                                              ? drop(h.name)
                                              : host.say(NO_TOKEN, 'warning'),
                                      { 'aria-disabled': String(!api.hasToken()) },
                                  ),
                              ],
                          }),
                      ),
            );
            problem.hidden = true;
        } catch (error) {
            problem.hidden = false;
            text(problem, error.message);
        }
    }

    host.onLit(showLit);
    return {
        id: 'highlights',
        icon: 'highlights',
        title: 'Highlights',
        open: refresh,
        sampled: refresh,
        element: el(
            'div',
            { class: 'tab padded' },
            el('h4', {}, 'Lit here'),
            lit,
            quick,
            el('h4', {}, 'Of the VM'),
            problem,
            kept,
            el('h4', {}, 'Add to the VM'),
            form,
        ),
    };
}
