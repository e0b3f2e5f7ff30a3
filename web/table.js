/* table.js - a table that is sorted by its heads, filtered by words, walked by the keyboard, and
 * updated row by row: a row that is still there stays the same element, with its focus.
 *
 * A column: {key, title, show(row) -> text, sort(row) -> value, numeric, tip(row), wide}. */
import { el, text } from './dom.js';
import { compare, forest, matches } from './format.js';

const SHOWN_MOST = 600;

export class Table {
    #rows = [];
    #elements = new Map();
    #filter = '';
    #sort = null; /* {column, down} */
    #selected = new Set();
    #first = true;

    /** {columns, id(row), pick(row, add), label, empty, words(row), tree, mark(row)} */
    constructor(options) {
        this.o = options;
        this.tree = options.tree === true;
        this.heads = options.columns.map((column) =>
            el(
                'th',
                { scope: 'col', class: column.numeric ? 'number' : '' },
                el(
                    'button',
                    { type: 'button', on: { click: () => this.#sortBy(column) } },
                    column.title,
                ),
            ),
        );
        this.body = el('tbody', {});
        this.body.addEventListener('click', (e) => this.#click(e));
        this.body.addEventListener('keydown', (e) => this.#key(e));
        this.note = el('p', { class: 'table-note' });
        this.element = el(
            'div',
            { class: 'table-box' },
            el(
                'table',
                { 'aria-label': options.label },
                el('thead', {}, el('tr', {}, this.heads)),
                this.body,
            ),
            this.note,
        );
    }

    setRows(rows) {
        this.#rows = rows;
        this.#show();
        this.#first = false;
    }

    setFilter(filter) {
        this.#filter = filter.trim();
        this.#show();
    }

    setTree(on) {
        this.tree = on;
        this.#sort = null;
        this.#show();
    }

    select(ids) {
        this.#selected = new Set(ids);
        for (const [id, { element }] of this.#elements) {
            element.setAttribute('aria-selected', String(this.#selected.has(id)));
        }
    }

    setNote(message) {
        text(this.note, message);
    }

    #sortBy(column) {
        const same = this.#sort?.column === column;
        this.#sort = { column, down: same ? !this.#sort.down : column.numeric === true };
        this.#show();
    }

    #order() {
        const words = this.o.words ?? ((row) => this.o.columns.map((c) => c.show(row)));
        const found =
            this.#filter === ''
                ? this.#rows
                : this.#rows.filter((row) => matches(this.#filter, words(row)));
        if (this.#sort !== null) {
            const { column, down } = this.#sort;
            const value = column.sort ?? column.show;
            return found
                .map((row) => ({ row, depth: 0 }))
                .sort((a, b) => compare(value(a.row), value(b.row)) * (down ? -1 : 1));
        }
        return this.tree ? forest(found) : found.map((row) => ({ row, depth: 0 }));
    }

    #show() {
        const order = this.#order(),
            shown = order.slice(0, SHOWN_MOST),
            keep = new Set();
        const focused = this.body.contains(document.activeElement) ? document.activeElement : null;
        let after = null;
        for (const { row, depth } of shown) {
            const id = this.o.id(row);
            keep.add(id);
            const element = this.#row(id, row, depth);
            const next = after === null ? this.body.firstElementChild : after.nextElementSibling;
            if (next !== element) {
                this.body.insertBefore(element, next);
            }
            after = element;
        }
        for (const [id, { element }] of this.#elements) {
            if (!keep.has(id)) {
                element.remove();
                this.#elements.delete(id);
            }
        }
        if (focused?.isConnected && document.activeElement !== focused) {
            focused.focus({ preventScroll: true });
        }
        this.#oneInTabOrder();
        this.heads.forEach((head, i) => {
            const sorted = this.#sort?.column === this.o.columns[i];
            head.setAttribute(
                'aria-sort',
                !sorted ? 'none' : this.#sort.down ? 'descending' : 'ascending',
            );
        });
        this.setNote(
            this.#rows.length === 0
                ? (this.o.empty ?? 'Nothing here.')
                : order.length === 0
                  ? 'Nothing matches.'
                  : order.length > shown.length
                    ? `${order.length - shown.length} more: filter to see them.`
                    : '',
        );
    }

    #row(id, row, depth) {
        let known = this.#elements.get(id);
        if (!known) {
            const cells = this.o.columns.map((column) =>
                el('td', { class: column.numeric ? 'number' : column.wide ? 'wide' : '' }),
            );
            const element = el(
                'tr',
                {
                    tabindex: -1,
                    class: this.#first ? '' : 'new',
                    'aria-selected': String(this.#selected.has(id)),
                },
                cells,
            );
            known = { element, cells };
            this.#elements.set(id, known);
            element.dataset.id = String(id);
        }
        known.row = row;
        known.element.dataset.mark = this.o.mark?.(row) ?? '';
        this.o.columns.forEach((column, i) => {
            text(known.cells[i], column.show(row));
            const tip = column.tip?.(row);
            if (tip !== undefined && known.cells[i].title !== tip) {
                known.cells[i].title = tip;
            }
        });
        known.cells[0].style.setProperty('--depth', String(depth));
        return known.element;
    }

    #oneInTabOrder(element = null) {
        const target =
            element ?? this.body.querySelector('tr[tabindex="0"]') ?? this.body.firstElementChild;
        for (const row of this.body.querySelectorAll('tr[tabindex="0"]')) {
            row.tabIndex = -1;
        }
        if (target) {
            target.tabIndex = 0;
        }
    }

    #found(target) {
        const element = target.closest('tr');
        for (const known of this.#elements.values()) {
            if (known.element === element) {
                return known;
            }
        }
        return null;
    }

    #click(event) {
        const found = this.#found(event.target);
        if (found) {
            this.#oneInTabOrder(found.element);
            this.o.pick?.(found.row, event.ctrlKey || event.metaKey || event.shiftKey);
        }
    }

    #key(event) {
        const row = event.target.closest('tr');
        const to = {
            ArrowDown: row?.nextElementSibling,
            ArrowUp: row?.previousElementSibling,
            Home: this.body.firstElementChild,
            End: this.body.lastElementChild,
        }[event.key];
        if (to) {
            this.#oneInTabOrder(to);
            to.focus();
        } else if (event.key === 'Enter' || event.key === ' ') {
            const found = this.#found(event.target);
            if (found) {
                this.o.pick?.(found.row, event.ctrlKey || event.metaKey || event.shiftKey);
            }
        } else {
            return;
        }
        event.preventDefault();
        event.stopPropagation();
    }
}
