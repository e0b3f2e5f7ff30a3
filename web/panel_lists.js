/* panel_lists.js - tabs that are lists of the sampled tables: processes, modules, mounts, and the
 * maps of the process that was chosen. A click lights the row's pages up and flies there. */
import * as api from './api.js';
import { el, iconButton, memory, text } from './dom.js';
import { bytes, duration } from './format.js';
import * as places from './places.js';
import { Table } from './table.js';

const PAGE = 1000;
const ROWS_MOST = 8000;

/** All rows of a sampled table. */
async function rowsOf(vm, noun, params, signal) {
    const rows = [];
    let after;
    do {
        const answer = await api.get(
            api.vmPath(vm, `/${noun}`),
            { ...params, after, limit: PAGE },
            signal,
        );
        rows.push(...answer[Object.keys(answer)[0]]);
        after = answer.next;
    } while (after !== null && after !== undefined && rows.length < ROWS_MOST);
    return rows;
}

/** What the lists have in common: a filter, a table, loading, saying what failed. */
function list(host, { id, icon, title, load, table, tools = [], hint }) {
    const filter = el('input', {
        type: 'search',
        class: 'filter',
        placeholder: `Filter ${title.toLowerCase()}`,
        'aria-label': `Filter ${title.toLowerCase()}`,
        spellcheck: 'false',
        on: { input: () => table.setFilter(filter.value) },
    });
    const problem = el('p', { class: 'complaint', hidden: true });
    const element = el(
        'div',
        { class: 'tab' },
        el('div', { class: 'tab-bar' }, filter, tools),
        problem,
        table.element,
        hint ? el('p', { class: 'hint' }, hint) : null,
    );
    let asking = null,
        again = false;
    const refresh = async () => {
        if (asking) {
            again = true;
            return;
        }
        asking = new AbortController();
        try {
            table.setRows(await load(asking.signal));
            problem.hidden = true;
        } catch (error) {
            problem.hidden = false;
            text(problem, error.message);
        }
        asking = null;
        if (again) {
            again = false;
            refresh();
        }
    };
    return {
        id,
        icon,
        title,
        element,
        table,
        open: refresh,
        refresh,
        sampled(message) {
            if (message.appeared + message.gone + message.changed > 0) {
                refresh();
            }
        },
    };
}

/* ---------------------------------------------------------------- processes */

const STATES = {
    R: 'running',
    S: 'sleeping',
    D: 'waiting for a device',
    I: 'idle',
    T: 'stopped',
    t: 'traced',
    Z: 'zombie',
    X: 'dead',
};

export function processesTab(host) {
    let all = [],
        chosen = new Set();
    const kernel = el('input', { type: 'checkbox', checked: memory.get('kernel-threads', false) });
    const table = new Table({
        label: 'Processes',
        tree: memory.get('tree', true),
        empty: 'No process was seen yet: the guest may still be booting.',
        id: (row) => row.id,
        words: (row) => [row.name, row.pid, row.args, STATES[row.state]],
        mark: (row) => (row.kernel ? 'kernel' : ''),
        columns: [
            {
                title: 'Name',
                wide: true,
                show: (row) => row.name ?? '?',
                tip: (row) => row.args ?? row.name ?? '',
            },
            { title: 'PID', numeric: true, show: (row) => String(row.pid), sort: (row) => row.pid },
            {
                title: 'Memory',
                numeric: true,
                show: (row) => (row.kernel ? '' : bytes(row.rss_bytes)),
                sort: (row) => row.rss_bytes,
            },
            {
                title: 'State',
                show: (row) => row.state ?? '',
                tip: (row) =>
                    `${STATES[row.state] ?? ''}, ${row.threads} ${row.threads === 1 ? 'thread' : 'threads'}, user ${row.uid}, started ${duration(row.started_s)} after boot`,
            },
        ],
        pick,
    });
    function pick(row, add) {
        chosen = new Set([...(add ? chosen : []), row.id]);
        table.select(chosen);
        host.process = { pid: row.pid, name: row.name };
        return host.lightFound(
            { name: `pid-${row.pid}`, label: `${row.name ?? '?'} (pid ${row.pid})` },
            () => places.now(host.vm, { pid: row.pid }),
            add,
        );
    }
    const show = () => table.setRows(all.filter((row) => kernel.checked || !row.kernel));
    kernel.addEventListener('change', () => {
        memory.set('kernel-threads', kernel.checked);
        show();
    });
    const shape = iconButton(
        'tree',
        'As a tree',
        () => {
            table.setTree(!table.tree);
            memory.set('tree', table.tree);
            shape.setAttribute('aria-pressed', String(table.tree));
        },
        { 'aria-pressed': String(table.tree) },
    );
    const tab = list(host, {
        id: 'processes',
        icon: 'processes',
        title: 'Processes',
        table,
        tools: [
            el('label', { class: 'check', title: 'Show kernel threads, too' }, kernel, 'kernel'),
            shape,
        ],
        hint: 'Click: its pages light up. With Ctrl: these, too. Its maps are in the tab Maps.',
        async load(signal) {
            all = await rowsOf(host.name, 'processes', {}, signal);
            return all.filter((row) => kernel.checked || !row.kernel);
        },
    });
    host.onClear(() => table.select((chosen = new Set())));
    tab.pickPid = (pid) => {
        const row = all.find((r) => r.pid === pid);
        row ? pick(row, false) : host.say(`There is no process ${pid} any more.`);
    };
    return tab;
}

/* ---------------------------------------------------------------- modules and mounts */

export function modulesTab(host) {
    const table = new Table({
        label: 'Modules',
        empty: 'No module is loaded.',
        id: (row) => row.id,
        words: (row) => [row.name, row.used_by, row.state],
        columns: [
            {
                title: 'Name',
                wide: true,
                show: (row) => row.name ?? '?',
                tip: (row) =>
                    [row.version && `version ${row.version}`, row.args].filter(Boolean).join(', '),
            },
            {
                title: 'Size',
                numeric: true,
                show: (row) => bytes(row.size_bytes),
                sort: (row) => row.size_bytes,
            },
            {
                title: 'Used by',
                show: (row) =>
                    (row.used_by ?? (row.refs > 0 ? String(row.refs) : '')).replaceAll(',', ', '),
                tip: (row) => row.used_by ?? '',
            },
            {
                title: 'Base',
                show: (row) => row.base ?? '',
                sort: (row) => row.base,
                tip: (row) => row.base ?? '',
            },
        ],
        pick(row, add) {
            table.select([row.id]);
            host.lightFound(
                { name: `module-${row.id}`, label: `module ${row.name}` },
                () => places.ofModule(host.vm, row),
                add,
            );
        },
    });
    host.onClear(() => table.select([]));
    return list(host, {
        id: 'modules',
        icon: 'modules',
        title: 'Modules',
        table,
        load: (signal) => rowsOf(host.name, 'modules', {}, signal),
    });
}

export function mountsTab(host) {
    const table = new Table({
        label: 'Mounts',
        empty: 'Nothing is mounted.',
        id: (row) => row.id,
        words: (row) => [row.target, row.type, row.source, row.options],
        columns: [
            {
                title: 'Where',
                wide: true,
                show: (row) => row.target ?? '?',
                tip: (row) => `${row.target} (${row.options})`,
            },
            { title: 'Type', show: (row) => row.type ?? '' },
            { title: 'Source', show: (row) => row.source ?? '', tip: (row) => row.source ?? '' },
            {
                title: 'Access',
                show: (row) => (/(^|,)ro(,|$)/.test(row.options ?? '') ? 'read' : 'write'),
                tip: (row) => row.options ?? '',
            },
        ],
    });
    return list(host, {
        id: 'mounts',
        icon: 'mounts',
        title: 'Mounts',
        table,
        load: (signal) => rowsOf(host.name, 'mounts', {}, signal),
    });
}

/* ---------------------------------------------------------------- maps */

export function mapsTab(host) {
    const who = el('span', { class: 'maps-who' });
    const table = new Table({
        label: 'Maps',
        empty: 'No region was seen.',
        id: (row) => row.id,
        words: (row) => [row.name, row.kind, row.permissions, row.start],
        columns: [
            {
                title: 'What',
                wide: true,
                show: (row) => row.name ?? row.kind,
                tip: (row) =>
                    `${row.kind}: ${row.start} – ${row.end}${row.name ? `, ${row.name}` : ''}`,
            },
            { title: 'Access', show: (row) => row.permissions ?? '' },
            {
                title: 'Memory',
                numeric: true,
                show: (row) => bytes(row.resident_bytes),
                sort: (row) => row.resident_bytes,
                tip: (row) => (row.swapped_bytes ? `${bytes(row.swapped_bytes)} swapped out` : ''),
            },
            {
                title: 'Start',
                show: (row) => row.start ?? '',
                sort: (row) => row.start,
                tip: (row) => `${row.start} – ${row.end}`,
            },
        ],
        pick(row, add) {
            table.select([row.id]);
            host.lightFound(
                {
                    name: `region-${row.id}`,
                    label: `${row.owner ?? 'kernel'} ${row.name ?? row.kind}`,
                },
                () => places.ofRegion(host.vm, row),
                add,
            );
        },
    });
    host.onClear(() => table.select([]));
    const tab = list(host, {
        id: 'maps',
        icon: 'maps',
        title: 'Maps',
        table,
        tools: [who],
        hint: 'Of the process chosen last; of the kernel when none was.',
        load(signal) {
            const { process } = host;
            text(who, process ? `${process.name ?? '?'} · ${process.pid}` : 'kernel');
            return rowsOf(
                host.name,
                'regions',
                process ? { pid: process.pid } : { owner: 'kernel' },
                signal,
            );
        },
    });
    return tab;
}
