/* machines.js - the VMs that the server shows, as they are now: the list, what events say of them,
 * and their figures (CPU from /metrics, dirty pages from events). Tells listeners what changed:
 *   list     some came or went, or a state changed
 *   figures  new CPU, RAM and dirty-page figures
 *   event    something happened inside (detail: the message)
 *   sample   a sample was taken (detail: the message)
 *   server   connected or not (detail: {connected, retryAt})
 */
import * as api from './api.js';
import { metrics } from './format.js';

const FIGURES_MS = 2000;
const LIST_MS = 30000;
export const HISTORY = 48; /* figures that a brick's line shows */

export class Machines extends EventTarget {
    all = new Map();
    connected = false;
    loaded = false;
    failure = null;
    #events = null;
    #listing = null;
    #again = false;
    #cpu = new Map();
    #told =
        new Set(); /* VMs whose pages this connection has told of: the first time, of all of them */

    start() {
        this.#events = api.openEvents({
            onMessage: (message) => this.#message(message),
            onState: (state, retryAt) => this.#server(state === 'open', retryAt),
        });
        this.refresh();
        setInterval(() => !document.hidden && this.#figures(), FIGURES_MS);
        setInterval(() => !document.hidden && this.refresh(), LIST_MS);
        document.addEventListener('visibilitychange', () => {
            if (!document.hidden) {
                this.#cpu.clear();
                this.refresh();
            }
        });
        api.onToken(() => this.retry());
    }

    retry() {
        this.#events.retry();
        this.refresh();
    }

    get(name) {
        return this.all.get(name);
    }

    #tell(type, detail) {
        this.dispatchEvent(new CustomEvent(type, { detail }));
    }

    #server(connected, retryAt) {
        this.connected = connected;
        this.#told.clear();
        this.#tell('server', { connected, retryAt });
        if (connected) {
            this.refresh();
        }
    }

    /** Asks for the list; calls that come while one is under way are answered by one more. */
    async refresh() {
        if (this.#listing) {
            this.#again = true;
            return this.#listing;
        }
        this.#listing = this.#list();
        await this.#listing;
        this.#listing = null;
        if (this.#again) {
            this.#again = false;
            await this.refresh();
        }
        return undefined;
    }

    async #list() {
        try {
            const { vms } = await api.get('vms', { ended: true });
            const names = new Set(vms.map((vm) => vm.name));
            for (const name of this.all.keys()) {
                if (!names.has(name)) {
                    this.all.delete(name);
                }
            }
            for (const vm of vms) {
                const known = this.all.get(vm.name);
                this.all.set(vm.name, {
                    figures: known?.figures ?? {
                        cpu: NaN,
                        touched: NaN,
                        dirty: NaN,
                        cpuHistory: [],
                        dirtyHistory: [],
                    },
                    dirtyPages: known?.dirtyPages ?? 0,
                    /* Of one that ended its size is not told any more. */
                    memory_bytes: known?.memory_bytes,
                    cpus: known?.cpus,
                    ...vm,
                });
            }
            this.failure = null;
        } catch (error) {
            this.failure = error;
        }
        this.loaded = true;
        this.#tell('list');
    }

    #message(message) {
        const vm = this.all.get(message.vm);
        switch (message.type) {
            case 'hello':
                break;
            case 'state':
                if (vm) {
                    vm.state = message.state;
                    this.#tell('list');
                }
                this.refresh();
                break;
            case 'pages':
                if (vm) {
                    vm.dirtyPages += this.#told.has(message.vm) ? message.pages : 0;
                    this.#told.add(message.vm);
                }
                break;
            case 'event':
            case 'sample':
                this.#tell(message.type, message);
                break;
        }
    }

    async #figures() {
        let found;
        try {
            found = metrics(await api.request('GET', '/metrics', { as: 'text' }));
        } catch {
            return; /* the events' socket says that the server is gone */
        }
        const now = performance.now() / 1000;
        const cpu = found.get('vitrine_vm_cpu_seconds_total') ?? new Map();
        const touched = found.get('vitrine_vm_ram_touched_bytes') ?? new Map();
        for (const [name, vm] of this.all) {
            const before = this.#cpu.get(name),
                seconds = cpu.get(name),
                figures = vm.figures;
            const elapsed = before ? now - before.at : NaN;
            if (elapsed < FIGURES_MS / 2000) {
                continue; /* two answers that a busy page looked at in one moment */
            }
            figures.touched = touched.get(name) ?? NaN;
            figures.cpu =
                before && seconds >= before.seconds ? (seconds - before.seconds) / elapsed : NaN;
            figures.dirty = elapsed > 0 && seconds !== undefined ? vm.dirtyPages / elapsed : NaN;
            vm.dirtyPages = 0;
            if (seconds === undefined) {
                this.#cpu.delete(name);
            } else {
                this.#cpu.set(name, { at: now, seconds });
            }
            for (const [history, value] of [
                [figures.cpuHistory, figures.cpu],
                [figures.dirtyHistory, figures.dirty],
            ]) {
                if (Number.isFinite(value)) {
                    history.push(value);
                    history.splice(0, history.length - HISTORY);
                }
            }
        }
        this.#tell('figures');
    }
}

/* ---------------------------------------------------------------- states */

export function isAlive(vm) {
    return vm !== undefined && vm.state !== 'ended' && vm.state !== 'dead';
}

const STATE_WORDS = {
    running: 'running',
    paused: 'paused',
    shutdown: 'powered off',
    crashed: 'crashed',
    migrating: 'migrating',
    dead: 'ending',
    ended: 'ended',
    unknown: 'not answering',
};

export function stateWord(vm) {
    return STATE_WORDS[vm?.state] ?? 'gone';
}
