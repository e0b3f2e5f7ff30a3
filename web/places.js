/* places.js - which pages of the RAM file belong to what was clicked, as runs [[first, pages]…]. */
import * as api from './api.js';
import { address, hex, joinRuns, pagesOf } from './format.js';

const RUNS_MOST = 10000;

/** As the guest has it now: {pid}, {area} ("slab", …; with a pid "heap", "stack", …), or {question}:
 *  the places of its answer. {pages, cut} */
export async function now(vm, what) {
    const answer = await api.get(api.vmPath(vm.name, '/runs'), what);
    return { pages: joinRuns(answer.runs.map((run) => [run.first, run.pages])), cut: answer.cut };
}

async function sampled(vm, where) {
    const rows = await api.sql(
        vm.name,
        'SELECT p.gpa, p.bytes FROM memory_pages p ' +
            `JOIN memory_regions r ON r.id = p.region WHERE ${where}`,
        RUNS_MOST,
    );
    const runs = rows.map(({ gpa, bytes }) => ({ gpa, bytes }));
    return { pages: pagesOf(vm.regions, runs), cut: rows.length >= RUNS_MOST };
}

/** Of a module, by where it is loaded: names are the guest's and stay out of queries. */
export function ofModule(vm, module) {
    const base = address(module.base);
    return base === null
        ? { pages: [], cut: false }
        : sampled(vm, `r.kind = 'modules' AND r.start = ${hex(base)}`);
}

/** Of a row of the table of regions. */
export function ofRegion(vm, region) {
    return sampled(vm, `r.id = ${Number(region.id)}`);
}

/** Of an answer's places. */
export function ofPlaces(vm, places) {
    return pagesOf(vm.regions, places);
}

/** Of a highlight that the VM has. */
export async function ofHighlight(vm, name) {
    const { runs } = await api.get(api.vmPath(vm.name, `/highlights/${encodeURIComponent(name)}`));
    return pagesOf(vm.regions, runs);
}

/** Runs of pages as guest-physical runs, for the server: a run ends where a region does. */
export function toRuns(regions, pages) {
    const out = [];
    for (const [first, n] of pages) {
        let from = BigInt(first) << 12n;
        const end = BigInt(first + n) << 12n;
        while (from < end) {
            const region = regions.find(
                (r) => from >= address(r.offset) && from < address(r.offset) + BigInt(r.bytes),
            );
            if (!region) {
                break;
            }
            const last = address(region.offset) + BigInt(region.bytes);
            const to = end < last ? end : last;
            out.push({
                gpa: hex(from - address(region.offset) + address(region.gpa)),
                bytes: Number(to - from),
            });
            from = to;
        }
    }
    return out;
}
