/* ask.js - the question box of a window: a question in words, its answer with rows, what it could
 * have meant, the SQL or command behind it, and a button that lights its places up. */
import * as api from './api.js';
import { el, icon, iconButton, memory, replace } from './dom.js';
import { bytes, countPages } from './format.js';
import { now, ofPlaces } from './places.js';

const SUGGESTIONS = [
    'which processes use most memory',
    'where is the SSH daemon',
    'who listens on which port',
    'what changed in the last 5 minutes',
    'highlight kernel memory allocations',
    'kernel stack of process 1',
];
const HISTORY_MOST = 50;
const PLACES_MOST = 4096;

export class AskBox {
    #history = memory.get('questions', []);
    #at = -1;
    #asking = null;

    constructor(host) {
        this.host = host;
        this.input = el('input', {
            type: 'text',
            class: 'ask-input',
            placeholder: `Ask ${host.name}`,
            maxlength: 512,
            spellcheck: 'false',
            autocomplete: 'off',
            'aria-label': `Ask a question about ${host.name}`,
            enterkeyhint: 'send',
        });
        this.answer = el('div', {
            class: 'answer',
            hidden: true,
            role: 'region',
            'aria-label': 'Answer',
            'aria-live': 'polite',
        });
        this.form = el(
            'form',
            {
                class: 'ask-bar',
                on: {
                    submit: (e) => {
                        e.preventDefault();
                        this.ask(this.input.value);
                    },
                },
            },
            icon('ask'),
            this.input,
            iconButton('send', 'Ask', () => {}, { type: 'submit' }),
        );
        this.element = el('div', { class: 'ask' }, this.answer, this.form);
        this.input.addEventListener(
            'focus',
            () => this.input.value === '' && this.answer.hidden && this.#suggest(),
        );
        this.input.addEventListener('keydown', (e) => this.#key(e));
        this.answer.addEventListener('keydown', (e) => {
            if (e.key === 'Escape') {
                e.stopPropagation();
                this.close();
                this.input.focus();
            }
        });
        /* The card goes when the focus leaves, unless it is an answer, which stays until it is closed. */
        this.element.addEventListener('focusout', (e) => {
            if (
                !this.element.contains(e.relatedTarget) &&
                this.answer.classList.contains('suggesting')
            ) {
                this.close();
            }
        });
    }

    focus() {
        this.input.focus();
        this.input.select();
    }

    close() {
        this.answer.hidden = true;
        this.answer.classList.remove('suggesting');
    }

    #key(event) {
        event.stopPropagation(); /* letters are text here, no commands */
        if (event.key === 'Escape') {
            this.answer.hidden ? this.input.blur() : this.close();
        } else if (
            (event.key === 'ArrowUp' || event.key === 'ArrowDown') &&
            this.#history.length > 0
        ) {
            this.#at = Math.min(
                this.#history.length - 1,
                Math.max(-1, this.#at + (event.key === 'ArrowUp' ? 1 : -1)),
            );
            this.input.value = this.#at < 0 ? '' : this.#history[this.#at];
            event.preventDefault();
        }
    }

    #card(...content) {
        replace(this.answer, content);
        this.answer.hidden = false;
    }

    #suggest() {
        const chip = (question) =>
            el(
                'button',
                { type: 'button', class: 'chip', on: { click: () => this.ask(question) } },
                question,
            );
        this.answer.classList.add('suggesting');
        this.#card(
            this.#history.length > 0
                ? [
                      el('h3', {}, 'Asked before'),
                      el('div', { class: 'chips' }, this.#history.slice(0, 5).map(chip)),
                  ]
                : null,
            el('h3', {}, 'For example'),
            el('div', { class: 'chips' }, SUGGESTIONS.map(chip)),
        );
    }

    async ask(words) {
        const question = words.trim();
        if (question === '') {
            return;
        }
        this.input.value = question;
        this.#history = [question, ...this.#history.filter((q) => q !== question)].slice(
            0,
            HISTORY_MOST,
        );
        this.#at = -1;
        memory.set('questions', this.#history);
        this.#asking?.abort();
        const asking = (this.#asking = new AbortController());
        this.answer.classList.remove('suggesting');
        this.form.classList.add('busy');
        try {
            const answer = await api.request('POST', api.vmPath(this.host.name, '/ask'), {
                body: { question, places: PLACES_MOST },
                signal: asking.signal,
            });
            this.#show(question, answer);
        } catch (error) {
            if (error.name !== 'AbortError') {
                this.#card(this.#close(), el('p', { class: 'complaint' }, error.message));
            }
        } finally {
            if (this.#asking === asking) {
                this.#asking = null;
                this.form.classList.remove('busy');
            }
        }
    }

    #close() {
        return iconButton(
            'close',
            'Close the answer',
            () => {
                this.close();
                this.input.focus();
            },
            { class: 'answer-close' },
        );
    }

    #show(question, answer) {
        const { text, reading, readings, places } = answer;
        const [first, ...more] = text.split('\n');
        const choices =
            readings.length > 0
                ? readings
                : answer.understood
                  ? []
                  : more.filter((l) => l.startsWith('  ')).map((l) => l.trim());
        const body = choices.length > 0 ? more.filter((l) => !l.startsWith('  ')) : more;
        this.#card(
            this.#close(),
            reading ? el('p', { class: 'answer-reading' }, reading) : null,
            el('p', { class: 'answer-text' }, [first, ...body].join('\n')),
            choices.length > 0
                ? el(
                      'div',
                      { class: 'chips' },
                      choices.map((c) =>
                          el(
                              'button',
                              {
                                  type: 'button',
                                  class: 'chip',
                                  on: { click: () => this.ask(c) },
                              },
                              c,
                          ),
                      ),
                  )
                : null,
            places.length > 0 && this.host.vm.regions ? this.#lightButton(question, answer) : null,
            answer.rows.length > 0 ? this.#rows(answer) : null,
            answer.sql || answer.verb
                ? el(
                      'details',
                      { class: 'answer-source' },
                      el('summary', {}, answer.sql ? 'The SQL behind it' : 'The command behind it'),
                      el('pre', { tabindex: 0 }, answer.sql ?? answer.verb),
                  )
                : null,
        );
    }

    #lightButton(question, answer) {
        const pages = ofPlaces(this.host.vm, answer.places);
        const labels = new Set(answer.places.map((p) => p.label.split(' ')[0]));
        const label = labels.size === 1 ? [...labels][0] : question;
        const lit = { name: 'answer', label };
        const light = () =>
            answer.places_cut
                ? this.host.lightFound(lit, () => now(this.host.vm, { question }))
                : this.host.light({ ...lit, pages });
        return el(
            'div',
            { class: 'answer-tools' },
            el(
                'button',
                {
                    type: 'button',
                    class: 'primary',
                    on: { click: light },
                },
                icon('highlights'),
                `Light up ${bytes(countPages(pages) * 4096)}`,
            ),
            el(
                'span',
                { class: 'hint' },
                `${answer.places.length} ${answer.places.length === 1 ? 'place' : 'places'}${answer.places_cut ? ', and more' : ''}`,
            ),
        );
    }

    #rows(answer) {
        const columns = Object.keys(answer.rows[0]);
        const cell = (column, value) => {
            const shown =
                value === null
                    ? ''
                    : typeof value === 'object'
                      ? JSON.stringify(value)
                      : typeof value === 'number' && column.endsWith('_bytes')
                        ? bytes(value)
                        : String(value);
            return el(
                'td',
                { class: typeof value === 'number' ? 'number' : '', title: shown },
                shown,
            );
        };
        return el(
            'div',
            { class: 'table-box answer-rows', tabindex: 0, role: 'group', 'aria-label': 'Rows' },
            el(
                'table',
                {},
                el(
                    'thead',
                    {},
                    el(
                        'tr',
                        {},
                        columns.map((c) =>
                            el(
                                'th',
                                { scope: 'col' },
                                c.replace(/_bytes$/, '').replaceAll('_', ' '),
                            ),
                        ),
                    ),
                ),
                el(
                    'tbody',
                    {},
                    answer.rows.map((row) =>
                        el(
                            'tr',
                            row.pid > 0
                                ? {
                                      class: 'pickable',
                                      title: 'Show this process',
                                      on: { click: () => this.host.showProcess(row.pid) },
                                  }
                                : {},
                            columns.map((c) => cell(c, row[c])),
                        ),
                    ),
                ),
            ),
            answer.rows_cut ? el('p', { class: 'table-note' }, 'There are more rows.') : null,
        );
    }
}
