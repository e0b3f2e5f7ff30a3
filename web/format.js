/* format.js - numbers, times and addresses as people read them. Pure; addresses are strings "0x…",
 * and BigInt where they are reckoned with, as they do not fit a double. */

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** 1536 -> "1.5 KiB". Three digits at most before a unit, one after the point below ten. */
export function bytes(n) {
    if (!Number.isFinite(n) || n < 0) {
        return '–';
    }
    let unit = 0;
    while (n >= 1023.5 && unit < UNITS.length - 1) {
        n /= 1024;
        unit++;
    }
    const digits = n.toFixed(unit > 0 && n < 9.95 ? 1 : 0).replace('.0', '');
    return `${digits} ${UNITS[unit]}`;
}

/** "37 / 96 MiB": both in the unit of the whole. */
export function bytesOf(part, whole) {
    if (!Number.isFinite(part) || !(whole > 0)) {
        return bytes(whole);
    }
    let unit = 0,
        size = whole;
    while (size >= 1024 && unit < UNITS.length - 1) {
        size /= 1024;
        part /= 1024;
        unit++;
    }
    const show = (n) => n.toFixed(n < 10 && n % 1 >= 0.05 ? 1 : 0);
    return `${show(part)} / ${show(size)} ${UNITS[unit]}`;
}

/** 12345 -> "12.3 k"; for rates and counts where three digits are enough. */
export function count(n) {
    if (!Number.isFinite(n)) {
        return '–';
    }
    for (const [limit, divisor, suffix] of [
        [999.5, 1, ''],
        [999.5e3, 1e3, ' k'],
        [Infinity, 1e6, ' M'],
    ]) {
        if (Math.abs(n) < limit) {
            const value = n / divisor;
            return value.toFixed(divisor > 1 && Math.abs(value) < 99.95 ? 1 : 0) + suffix;
        }
    }
    return '–';
}

/** A share as per cent: 0.0042 -> "0.4 %", 0.37 -> "37 %". */
export function percent(share) {
    if (!Number.isFinite(share)) {
        return '–';
    }
    const value = share * 100;
    return `${value.toFixed(value < 9.95 && value >= 0.05 ? 1 : 0)} %`;
}

/** 3723 -> "1 h 2 min": the two largest units. */
export function duration(seconds) {
    if (!Number.isFinite(seconds) || seconds < 0) {
        return '–';
    }
    const s = Math.floor(seconds);
    const steps = [
        [86400, 'd'],
        [3600, 'h'],
        [60, 'min'],
        [1, 's'],
    ];
    const first = steps.findIndex(([size]) => s >= size);
    if (first < 0) {
        return '0 s';
    }
    const [size, unit] = steps[first];
    const rest = steps[first + 1];
    const more = rest ? Math.floor((s % size) / rest[0]) : 0;
    return `${Math.floor(s / size)} ${unit}${more > 0 ? ` ${more} ${rest[1]}` : ''}`;
}

/** Seconds since 1970 as a time of day here, with the date when it is another day. */
export function clock(unixS, now = Date.now()) {
    if (!Number.isFinite(unixS)) {
        return '–';
    }
    const when = new Date(unixS * 1000);
    const time = when.toLocaleTimeString([], { hour12: false });
    return when.toDateString() === new Date(now).toDateString()
        ? time
        : `${when.toLocaleDateString()} ${time}`;
}

/* ---------------------------------------------------------------- addresses */

/** A BigInt of "0x…" or a number; null for anything else. */
export function address(value) {
    if (typeof value === 'bigint') {
        return value;
    }
    if (typeof value === 'number') {
        return Number.isSafeInteger(value) && value >= 0 ? BigInt(value) : null;
    }
    return typeof value === 'string' && /^0x[0-9a-f]{1,16}$/i.test(value) ? BigInt(value) : null;
}

export function hex(value) {
    const n = address(value);
    return n === null ? '–' : `0x${n.toString(16)}`;
}

/** RAM-file offset of a guest-physical address; null where there is no RAM. */
export function offsetOf(regions, gpa) {
    const at = address(gpa);
    for (const region of at === null ? [] : (regions ?? [])) {
        const from = address(region.gpa);
        if (at >= from && at < from + BigInt(region.bytes)) {
            return at - from + address(region.offset);
        }
    }
    return null;
}

/** Guest-physical runs [{gpa, bytes}] as runs of pages of the RAM file [[first, pages]…]: ascending,
 *  joined, what lies outside RAM left out. */
export function pagesOf(regions, runs) {
    const out = [];
    for (const run of runs) {
        const offset = offsetOf(regions, run.gpa);
        if (offset === null || !(run.bytes > 0)) {
            continue;
        }
        const first = Number(offset >> 12n);
        const last = Number((offset + BigInt(run.bytes) - 1n) >> 12n);
        out.push([first, last - first + 1]);
    }
    return joinRuns(out);
}

/** Sorts runs [first, n] and joins those that touch or overlap. */
export function joinRuns(runs) {
    const sorted = runs.map(([first, n]) => [first, n]).sort((a, b) => a[0] - b[0]);
    const joined = [];
    for (const run of sorted) {
        const last = joined[joined.length - 1];
        if (last && run[0] <= last[0] + last[1]) {
            last[1] = Math.max(last[1], run[0] + run[1] - last[0]);
        } else {
            joined.push(run);
        }
    }
    return joined;
}

export function countPages(runs) {
    return runs.reduce((sum, run) => sum + run[1], 0);
}

/* ---------------------------------------------------------------- rows */

/** Orders values of a column: numbers and addresses by size, text as people do, nothing last. */
export function compare(a, b) {
    const none = (v) => v === null || v === undefined || v === '';
    if (none(a) || none(b)) {
        return none(a) - none(b);
    }
    if (typeof a === 'number' && typeof b === 'number') {
        return a - b;
    }
    const left = address(a),
        right = address(b);
    if (left !== null && right !== null) {
        return left < right ? -1 : left > right ? 1 : 0;
    }
    return String(a).localeCompare(String(b), 'en', { numeric: true });
}

/** Whether every word of a filter is in one of the texts. */
export function matches(filter, texts) {
    const all = texts
        .filter((t) => t !== null && t !== undefined)
        .join(' ')
        .toLowerCase();
    return filter
        .toLowerCase()
        .split(/\s+/)
        .every((word) => all.includes(word));
}

/** Rows with a pid and a ppid as a forest, in order of depth first: [{row, depth}]. Parents that are
 *  missing, or that are their own, make roots, so that no row is lost or met twice. */
export function forest(rows) {
    const byPid = new Map(rows.map((row) => [row.pid, row]));
    const children = new Map();
    const roots = [];
    for (const row of rows) {
        if (row.ppid !== row.pid && byPid.has(row.ppid)) {
            children.set(row.ppid, [...(children.get(row.ppid) ?? []), row]);
        } else {
            roots.push(row);
        }
    }
    const out = [],
        met = new Set();
    const walk = (start) => {
        const stack = [{ row: start, depth: 0 }];
        while (stack.length > 0) {
            const at = stack.pop();
            if (met.has(at.row)) {
                continue;
            }
            met.add(at.row);
            out.push(at);
            const below = children.get(at.row.pid) ?? [];
            for (let i = below.length - 1; i >= 0; i--) {
                stack.push({ row: below[i], depth: at.depth + 1 });
            }
        }
    };
    roots.forEach(walk);
    rows.forEach((row) => met.has(row) || walk(row)); /* rings of parents, which a guest can make */
    return out;
}

/** Bytes as hex as lines of so many: [{address, hex: […], text}]. */
export function hexLines(from, hexText, perLine) {
    const start = address(from) ?? 0n;
    const lines = [];
    for (let i = 0; i < hexText.length; i += 2 * perLine) {
        const pairs = hexText.slice(i, i + 2 * perLine).match(/../g) ?? [];
        lines.push({
            address: hex(start + BigInt(i / 2)),
            hex: pairs,
            text: pairs
                .map((p) => {
                    const c = parseInt(p, 16);
                    return c >= 0x20 && c < 0x7f ? String.fromCharCode(c) : '·';
                })
                .join(''),
        });
    }
    return lines;
}

/** OpenMetrics text as Map name -> Map of the label `vm` -> value; samples with other labels than
 *  that one are left out. */
export function metrics(text) {
    const out = new Map();
    for (const line of text.split('\n')) {
        const found = /^([a-z_]+)\{vm="([^"]+)"\} ([0-9.eE+-]+)$/.exec(line);
        if (found) {
            const [, name, vm, value] = found;
            if (!out.has(name)) {
                out.set(name, new Map());
            }
            out.get(name).set(vm, Number(value));
        }
    }
    return out;
}
