// tests/web/e2e/lib.mjs - a server of its own, a browser, pages that are watched, and what tests ask of
// both: `until` something is so, what stands at the API, what a picture shows.
//
// From the environment: VITRINE (the program), VITRINE_NODE (where playwright-core is), CHROMIUM,
// SCRATCH (a folder for pictures and logs), VMS (names, by blanks),
// WEB (a folder to serve in place of what is compiled in).
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { decodePng } from './png.mjs';

const require = createRequire(`${process.env.VITRINE_NODE}/package.json`);
const { chromium } = require('playwright-core');

export const scratch = process.env.SCRATCH;
export const vms = process.env.VMS.split(' ');

/* ---------------------------------------------------------------- waiting */

/** What `find` gives as soon as it is true; it is asked again and again, and may fail meanwhile. */
export async function until(what, find, ms = 120000) {
    const deadline = Date.now() + ms;
    for (let last; ;) {
        try {
            const found = await find();
            if (found) {
                return found;
            }
            last = found;
        } catch (error) {
            last = error;
        }
        if (Date.now() > deadline) {
            throw new Error(`still not so: ${what} (${last?.message ?? JSON.stringify(last)})`);
        }
        await new Promise((done) => setTimeout(done, 40));
    }
}

/* ---------------------------------------------------------------- the server and its VMs */

export async function vitrine(...args) {
    return (await promisify(execFile)(process.env.VITRINE, args)).stdout;
}

export class Server {
    constructor(name) {
        this.name = name;
        this.port = 0;
        this.log = '';
    }

    /** Starts it; a second time, at the port and with the token it had before. */
    async start(...options) {
        const token = `${scratch}/${this.name}.token`;
        if (this.port === 0) {
            writeFileSync(token, `token-of-${this.name}-0123456789abcdef\n`, { mode: 0o600 });
        }
        this.child = spawn(process.env.VITRINE, [
            'serve', ...vms, '--json', '--listen', `127.0.0.1:${this.port}`,
            '--socket', `${scratch}/${this.name}.sock`, '--token-file', token, ...options,
            ...(process.env.WEB ? ['--web', process.env.WEB] : []),
        ], { stdio: ['ignore', 'pipe', 'pipe'] });
        this.child.stderr.on('data', (text) => (this.log += text));
        this.ended = new Promise((done) => this.child.once('exit', (code, signal) => done(code ?? signal)));
        const line = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]().next();
        const said = await Promise.race([line, this.ended]);
        assert(said?.value, `the server does not start: ${this.log}`);
        this.url = JSON.parse(said.value).urls[0];
        this.port = Number(new URL(this.url).port);
        this.token = readFileSync(token, 'utf8').trim();
        return this;
    }

    /** Its exit status. */
    async stop(signal = 'SIGTERM') {
        this.child.kill(signal);
        return this.ended;
    }

    get running() {
        return this.child.exitCode === null && this.child.signalCode === null;
    }

    get link() {
        return `${this.url}/#token=${this.token}`;
    }

    /** An operation's answer; `body` makes it one that changes something. */
    async ask(path, body) {
        const response = await fetch(`${this.url}/api/v1/${path}`, body === undefined ? {} : {
            method: 'POST', body: JSON.stringify(body),
            headers: { Authorization: `Bearer ${this.token}`, 'Content-Type': 'application/json' },
        });
        const answer = await response.json();
        assert(response.ok, `${path}: ${JSON.stringify(answer)}`);
        return answer;
    }

    async state(vm) {
        return (await this.ask(`vms/${vm}`)).state;
    }

    /** Resident memory without what is shared (the VMs' RAM is), in bytes. */
    privateBytes() {
        const status = readFileSync(`/proc/${this.child.pid}/status`, 'utf8');
        return Number(/^RssAnon:\s+(\d+) kB/m.exec(status)[1]) * 1024;
    }

    async metric(line) {
        const text = await (await fetch(`${this.url}/metrics`)).text();
        const found = text.split('\n').find((l) => l.startsWith(`${line} `));
        return found === undefined ? undefined : Number(found.slice(line.length + 1));
    }
}

/* ---------------------------------------------------------------- browsers */

export function launch() {
    return chromium.launch({
        executablePath: process.env.CHROMIUM,
        /* A root may not have Chromium's sandbox, and there may be no GPU. */
        args: ['--no-sandbox', '--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--disable-background-networking'],
    });
}

/** A test with pages of its own: `fn` opens them by `visit(options)`. At the end they were quiet but
 *  for `expected`; when it fails, what they show and complained of is kept. */
export function pageTest(world, name, fn, expected = []) {
    test(name, async () => {
        const pages = [];
        const visit = async (options) => {
            pages.push(await openPage(world.browser, world.server, options));
            return pages.at(-1);
        };
        try {
            await fn(visit);
            pages.forEach((page) => assertQuiet(page, ...expected));
        } catch (error) {
            for (const [i, page] of pages.entries()) {
                const file = `${scratch}/failed-${name.replace(/\W+/g, '-')}-${i}.png`;
                await page.screenshot({ path: file, timeout: 5000 }).catch(() => {});
                error.message += `\n  page ${i} (${file}) complained of: ${JSON.stringify(page.complaints, null, 2)}`;
            }
            throw error;
        } finally {
            await Promise.all(pages.map((page) => page.context().close()));
        }
    });
}

/** A page at the server's link that notes in `complaints` what no page may do: errors on the
 *  console, refused resources, requests to anybody else. */
async function openPage(browser, server, { token = true, path = '/', ...context } = {}) {
    const made = await browser.newContext({ viewport: { width: 1280, height: 720 }, reducedMotion: 'reduce', ...context });
    await made.addInitScript(() => addEventListener('vitrine-complete', ({ target }) => (target.whole = true)));
    const page = await made.newPage();
    page.setDefaultTimeout(120000);
    page.complaints = [];
    const own = new URL(server.url).host;
    const foreign = (url) => !/^(data|blob|about):/.test(url) && new URL(url).host !== own;
    page.on('console', (m) => (m.type() === 'error' || m.type() === 'warning')
        && page.complaints.push(`${m.type()}: ${m.text()} ${m.location().url}`));
    page.on('pageerror', (error) => page.complaints.push(`exception: ${error.stack ?? error}`));
    page.on('request', (r) => foreign(r.url()) && page.complaints.push(`asks ${r.url()}`));
    page.on('websocket', (s) => foreign(s.url()) && page.complaints.push(`connects to ${s.url()}`));
    await page.goto(token ? server.link.replace('/#', `${path}#`) : `${server.url}${path}`);
    return page;
}

/** Nothing was noted but what the test itself brought about. */
export function assertQuiet(page, ...expected) {
    const left = page.complaints.filter((c) => !expected.some((e) => e.test(c)));
    assert.deepEqual(left, []);
    page.complaints.length = 0;
}

/* ---------------------------------------------------------------- pictures */

let pictures = 0;

/** What a page or an element shows: {width, height, at(x, y) -> [r, g, b]}; kept in SCRATCH as `name`. */
export async function picture(of, name = `picture-${++pictures}`) {
    const png = await of.screenshot({ path: `${scratch}/${name}.png`, animations: 'disabled' });
    return decodePng(png);
}

/** Pixels that differ by more than noise. */
export function different(a, b, by = 24) {
    assert.deepEqual([a.width, a.height], [b.width, b.height]);
    let n = 0;
    for (let y = 0; y < a.height; y++) {
        for (let x = 0; x < a.width; x++) {
            const p = a.at(x, y), q = b.at(x, y);
            n += Math.max(...p.map((v, i) => Math.abs(v - q[i]))) > by;
        }
    }
    return n;
}

/** Hue in degrees and chroma 0..1 of a colour. */
export function hueOf([r, g, b]) {
    const high = Math.max(r, g, b), low = Math.min(r, g, b), span = high - low;
    const h = span === 0 ? 0
        : high === r ? ((g - b) / span + 6) % 6 : high === g ? (b - r) / span + 2 : (r - g) / span + 4;
    return { hue: h * 60, chroma: span / 255 };
}

export function parseColour(text) {
    return [1, 3, 5].map((i) => parseInt(text.slice(i, i + 2), 16));
}

/** Pixels that have a colour's hue, shaded or not: [x, y] of each. */
export function pixelsOfHue(image, colour, { within = 12, chroma = 0.3 } = {}) {
    const wanted = hueOf(colour).hue, found = [];
    for (let y = 0; y < image.height; y++) {
        for (let x = 0; x < image.width; x++) {
            const is = hueOf(image.at(x, y));
            const off = Math.abs(is.hue - wanted);
            if (is.chroma >= chroma && Math.min(off, 360 - off) <= within) {
                found.push([x, y]);
            }
        }
    }
    return found;
}
