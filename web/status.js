/* status.js - the line at the bottom: the server, the VMs, the stream of the window in front, and
 * whether changes are allowed. */
import * as api from './api.js';
import { el, icon, replace, text } from './dom.js';
import { bytes, count } from './format.js';
import { isAlive } from './machines.js';
import { ask } from './notices.js';

export function statusLine(root, machines, windows) {
    const dot = el('span', { class: 'state-dot' }),
        server = el('span', {});
    const retry = el(
        'button',
        { type: 'button', class: 'link', hidden: true, on: { click: () => machines.retry() } },
        'Try now',
    );
    const vms = el('span', { class: 'status-vms' }),
        stream = el('span', { class: 'status-stream' });
    const token = el('button', {
        type: 'button',
        class: 'link status-token',
        on: { click: askToken },
    });
    let retryAt = 0,
        countdown = 0;
    root.append(
        el('span', { class: 'status-server' }, dot, server, retry),
        vms,
        el('span', { class: 'gap' }),
        stream,
        token,
    );

    function awayWords(wait) {
        if (machines.failure?.status === 401) {
            return 'the token is needed';
        }
        return wait > 0 ? `server gone, trying again in ${wait} s` : 'connecting …';
    }

    function showServer() {
        const { connected } = machines;
        dot.dataset.state = connected ? 'running' : 'crashed';
        const wait = Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
        text(server, connected ? 'connected' : awayWords(wait));
        retry.hidden = connected;
        clearTimeout(countdown);
        if (!connected) {
            countdown = setTimeout(showServer, 1000);
        }
    }

    function showVms() {
        const all = [...machines.all.values()],
            alive = all.filter(isAlive);
        const dirty = alive.reduce((sum, vm) => sum + (vm.figures.dirty || 0), 0);
        const words = [`${alive.length} ${alive.length === 1 ? 'VM' : 'VMs'}`];
        if (all.length > alive.length) {
            words.push(`${all.length - alive.length} ended`);
        }
        words.push(`${count(dirty)} pages/s`);
        text(vms, words.join(' · '));
    }

    function showStream() {
        const stats = windows.front?.volume.stats;
        const { state, message } = windows.front?.volumeState ?? {};
        const words = stats
            ? [
                  `${Math.round(stats.updates_per_s)} updates/s`,
                  `${bytes(stats.bytes_per_s)}/s`,
                  `${Math.round(stats.fps)} fps`,
              ]
            : [];
        if (stats && state === 'live' && message) {
            words.unshift(message);
        }
        text(stream, words.join(' · '));
    }

    function showToken() {
        replace(
            token,
            icon(api.hasToken() ? 'key' : 'lock'),
            el(
                'span',
                { class: 'status-token-word' },
                api.hasToken() ? 'changes allowed' : 'read only',
            ),
        );
        token.title = api.hasToken()
            ? 'This page has the token. Press to forget it.'
            : 'Press to give the token, which allows changes.';
    }

    async function askToken() {
        if (api.hasToken()) {
            if (
                await ask('Forget the token? The page can read on, and change nothing.', 'Forget')
            ) {
                api.setToken(null);
            }
            return;
        }
        const input = el('input', {
            type: 'password',
            autocomplete: 'off',
            spellcheck: 'false',
            required: true,
        });
        const fields = el(
            'div',
            { class: 'fields' },
            el(
                'p',
                { class: 'hint' },
                'Reading is free here; what changes a VM needs the token. `vitrine serve` prints a link with it, and names the file that holds it.',
            ),
            el('label', {}, 'Token', input),
        );
        if (await ask('Allow changes', 'Use this token', fields)) {
            api.setToken(input.value.trim());
        }
    }

    machines.addEventListener('server', ({ detail }) => {
        retryAt = detail.retryAt ?? 0;
        showServer();
    });
    machines.addEventListener('list', showVms);
    machines.addEventListener('figures', showVms);
    windows.addEventListener('change', showStream);
    addEventListener('vitrine-stats', showStream);
    api.onToken(showToken);
    showServer();
    showVms();
    showToken();
}
